"""What needs code: the folder mapping and the compiled kernels. All else is in pyproject.toml."""

import os
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

ROOMS = (
    "symbolic",
    *(
        f"symbolic.{room}"
        for room in (
            "language",
            "exact",
            "enumeration",
            "calculus",
            "proofs",
            "learnability",
            "thresholds",
            "overlap",
            "phases",
        )
    ),
    "kernels",
    "numeric",
    "numeric.engines",
    "numeric.inference",
    "numeric.machine",
    "verify",
    "cli",
    "cli.commands",
    "cli.report",
)

# The kernels are C with the vector extensions of GCC and Clang. Apple's Clang takes OpenMP from Homebrew's libomp.
COMPILED, LINKED = {
    "darwin": (["-Xpreprocessor", "-fopenmp"], ["-lomp"]),
    "win32": (["/openmp:llvm"], []),
}.get(sys.platform, (["-fopenmp"], ["-fopenmp"]))
# -march=native would make a wheel that fails on another machine: opt in for a local build.
OPTIMISE = ["/O2"] if sys.platform == "win32" else ["-O3"]
COMPILE = [*OPTIMISE, *(["-march=native"] if os.environ.get("REBATCH_NATIVE") else [])]
# No number depends on whether a root sets errno or an unused branch raises a flag, but vectors in a loop do. Pairs of
# numbers in a chain's small state would be loaded right after each was stored alone, which waits.
OWN = (
    {}
    if sys.platform == "win32"
    else {"normals": ["-fno-math-errno", "-fno-trapping-math"], "online": ["-fno-tree-vectorize"]}
)
# `make asan`: every read and write of the kernels is held against the memory that was asked for.
SANITIZE = (
    ["-fsanitize=address", "-fno-omit-frame-pointer", "-g"] if os.environ.get("REBATCH_SANITIZE") else []
)


class BuildKernels(build_ext):
    """Build with threads where the compiler has OpenMP, else without them: the results are the same."""

    def build_extensions(self):
        threads = self.has_openmp()
        for extension in self.extensions:
            extension.extra_compile_args += [*SANITIZE, *(COMPILED if threads else ())]
            extension.extra_link_args += [*SANITIZE, *(LINKED if threads else ())]
        super().build_extensions()

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "openmp.c")
            source.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=COMPILED)
                self.compiler.link_executable(objects, str(Path(folder, "openmp")), extra_postargs=LINKED)
            except (CompileError, LinkError):
                print(
                    "rebatch: this compiler has no OpenMP (-fopenmp), so the kernels use one thread; "
                    "with gcc, or clang and libomp, they use all",
                    file=sys.stderr,
                )
                return False
        return True


kernels = [
    Extension(
        f"rebatch.kernels.{source.stem}",
        [str(source)],
        include_dirs=[numpy.get_include(), "kernels"],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=[str(header) for header in Path("kernels").glob("*.h")],
        extra_compile_args=[*COMPILE, *OWN.get(source.stem, ())],
    )
    for source in sorted(Path("kernels").glob("*.pyx"))
]

setup(
    script_name="setup.py",  # or this file would land in the wheel
    package_dir={"rebatch": "."},
    packages=["rebatch", *(f"rebatch.{room}" for room in ROOMS)],
    package_data={
        "rebatch": ["py.typed", "__init__.pyi"],
        "rebatch.symbolic.language": ["references.bib"],
        "rebatch.verify": ["paper.json"],
        "rebatch.kernels": ["*.pyi", "*.pxd", "*.h"],
        "rebatch.cli.report": ["*.j2"],
    },
    exclude_package_data={"": ["*.c"]},
    cmdclass={"build_ext": BuildKernels},
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
