"""What docstrings here mean, told to Sphinx.

References to a name by the module that defines it lead to its public page, and |x| is a norm, not a substitution.
"""

from typing import Any

from sphinx.util.nodes import make_refnode


def _public(app: Any, env: Any, node: Any, content: Any) -> Any:
    if node.get("refdomain") != "py":
        return None
    name = f"rebatch.{node['reftarget'].rsplit('.', 1)[-1]}"
    found = env.domains["py"].objects.get(name)
    if found is None:
        return None
    return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, content, name)


def _norms(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line if line.lstrip().startswith(">>>") else line.replace("|", r"\|") for line in lines]


def setup(app: Any) -> dict[str, Any]:
    """Listen where a docstring was read, and where a reference was not resolved."""
    app.connect("autodoc-process-docstring", _norms, priority=900)
    app.connect("missing-reference", _public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
