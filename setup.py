"""What needs code: the folder mapping and the compiled kernels. All else is in pyproject.toml."""

import os
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

ROOMS = (
    "symbolic",
    *(f"symbolic.{room}" for room in ("language", "exact", "calculus", "proofs", "learnability", "overlap")),
    "kernels",
    "numeric",
    "numeric.engines",
    "numeric.machine",
    "verify",
    "cli",
    "cli.commands",
    "cli.report",
)

# -march=native would make a wheel that fails on another machine: opt in for a local build.
COMPILE = ["-O3", "-fopenmp", *(["-march=native"] if os.environ.get("REBATCH_NATIVE") else [])]

kernels = [
    Extension(
        f"rebatch.kernels.{source.stem}",
        [str(source)],
        include_dirs=[numpy.get_include(), "kernels"],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=[str(header) for header in Path("kernels").glob("*.h")],
        extra_compile_args=COMPILE,
        extra_link_args=["-fopenmp"],
    )
    for source in sorted(Path("kernels").glob("*.pyx"))
]

setup(
    script_name="setup.py",  # or this file would land in the wheel
    package_dir={"rebatch": "."},
    packages=["rebatch", *(f"rebatch.{room}" for room in ROOMS)],
    package_data={
        "rebatch": ["py.typed"],
        "rebatch.kernels": ["*.pyi", "*.pxd", "*.h"],
        "rebatch.cli.report": ["*.j2"],
    },
    exclude_package_data={"": ["*.c"]},
    ext_modules=cythonize(
        kernels,
        include_path=["kernels"],  # the root is not named rebatch here: kernels cimport each other by file
        language_level=3,
        compiler_directives={
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "initializedcheck": False,
        },
    ),
)
