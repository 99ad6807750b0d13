"""How the documentation is built: `make docs`. Nothing is fetched, and every warning is an error.

Sphinx, because the docstrings are numpydoc, the pages are the Markdown that a forge shows, and a reference to a name
that does not exist fails the build. Notebooks are text and run in the build.
"""

import os
import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# A page shows results, not how they came.
os.environ["TQDM_DISABLE"] = "1"

project = "rebatch"
author = "The rebatch developers"
project_copyright = author
version = release = installed("rebatch")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
    "mathml",
    "house",
    "keys",
    "flowchart",
]
exclude_patterns = ["_build", "_ext", "_templates"]
templates_path = ["_templates"]
# A reference to what does not exist fails the build; these are of the code and have no page.
nitpicky = True
nitpick_ignore = [
    ("py:attr", "OverlapSeries.stopped"),
    ("py:func", "coordinate"),
    ("py:func", "rebatch.numeric.gathered.gathered"),
    ("py:func", "rebatch.numeric.curves.draw_trajectory"),
    ("py:mod", "rebatch.symbolic.language.law"),
    ("py:mod", "rebatch.symbolic.exact.painter"),
]
# The pages of the reference are generated with the first suffix.
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}

myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline"]
myst_dmath_double_inline = True
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
nb_execution_mode = "auto"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

math_renderer = html_math_renderer = "mathml"

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "keys"

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"rebatch {version}"
html_static_path = ["_static"]
html_css_files = ["rebatch.css"]
html_theme_options = {"navigation_with_keys": True}
