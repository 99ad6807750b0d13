"""The target y = g(z) + noise_std * xi: what a user brings, and what every other module asks about.

Theory, 1 (Setting): z = W* x / sqrt(d) ~ N(0, I_k) are the latent coordinates, g the link function. Where another law
of the coordinates is named they are independent with that law (theory, 13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy as sp

from .. import checks
from ..errors import RebatchError
from .called import LABELS_OF_DATA, Called, named, no_formula
from .law import GAUSSIAN, Inputs, Law, law
from .noise import Noise
from .noise import noise as noise_named
from .parse import parse, to_text
from .symbols import as_real, coordinate
from .syntax import MAX_COORDINATES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, init=False)
class Target:
    """A target function of a few latent coordinates, with its label noise.

    Parameters
    ----------
    source : str, sympy.Expr or Target
        The link function g: text for :func:`~rebatch.symbolic.language.parse.parse`, or an expression in its symbols.
    k : int, optional
        Number of latent coordinates; by default the highest that occurs in g (at least 1).
    noise_std : float
        Standard deviation of the label noise, finite and >= 0.
    inputs : str, Law, list or mapping
        The law of the coordinates, see :mod:`~rebatch.symbolic.language.law`: "gaussian" by default, "boolean", …;
        one for each, ["boolean", "gaussian"], or for some, {"z2": "boolean"}.
    noise : str, optional
        Label noise by name instead of `noise_std`: "laplace(0.3)", "student(5, 0.3)", "uniform(0.3)", or "flip(0.1)",
        the probability with which a label changes its sign. Engines have it exactly; formulas refuse it.

    Raises
    ------
    ParseError
        If the text is refused.
    RebatchError
        If k or noise_std is out of range, the law is unknown, or an expression holds other symbols than z1 … z12
        (z1 … z64 where the inputs are not Gaussian).

    Examples
    --------
    >>> Target("z1 + He(3, z2)")
    Target('z1 + He(3, z2)', k=2)
    """

    formula: sp.Expr | Called
    k: int
    noise: Noise | None
    inputs: Law
    text: str = field(compare=False)

    def __init__(
        self,
        source: str | sp.Expr | Called | Target,
        *,
        k: int | None = None,
        noise_std: float | None = None,
        inputs: Inputs | None = None,
        noise: str | Noise | None = None,
    ) -> None:
        if isinstance(source, Target) and inputs is None:
            inputs = source.inputs
        inputs = GAUSSIAN if inputs is None else law(inputs)
        most = inputs.max_coordinates
        if isinstance(source, Target):
            k = source.k if k is None else k
            noise = source.noise if noise is None and noise_std is None else noise
        formula, text = _read(source, most)
        used = max(_coordinates_used(formula, most, k), len(inputs.parts))
        k = used if k is None else k
        k = checks.integer("k", k, least=used, most=most, why=f": the expression uses {used}")
        inputs = inputs.on(k)
        k = checks.integer("k", k, least=min(used, 1), most=inputs.max_coordinates)
        given = noise_named(noise)
        if noise_std is not None and checks.number("noise_std", noise_std, least=0):
            if given is not None:
                raise RebatchError(f"noise_std = {noise_std} and noise = {given}; allowed is one of them")
            given = Noise("gaussian", checks.number("noise_std", noise_std, least=0))
        fields = {"formula": formula, "k": k, "noise": given, "inputs": inputs, "text": text}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_callable(
        cls,
        g: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        k: int,
        *,
        noise_std: float | None = None,
        inputs: Inputs | None = None,
        noise: str | Noise | None = None,
    ) -> Target:
        """Return the target of a function of one's own, for engines and :func:`~rebatch.numeric_exponents`.

        Nothing exact is known of it. It pickles where `g` does: a function at the top of a module does; a lambda
        does on Dask only. Files hold its name and a fingerprint of its values.

        Parameters
        ----------
        g : callable
            Of an array of rows z, shape (n, k); it returns n real numbers, each of its own row alone. Or a
            compiled function of k numbers, numba's ``cfunc`` or one of ctypes that names its types; these are
            not sent to other processes.
        k : int
            Number of latent coordinates.
        noise_std, inputs, noise
            As for a formula.

        Raises
        ------
        RebatchError
            If `g`, tried at 256 points, is not of that kind.

        Examples
        --------
        >>> import numpy as np
        >>> Target.from_callable(lambda z: np.tanh(z[:, 0]) * z[:, 1], 2).k
        2
        """
        k = checks.integer("k", k, least=1, most=MAX_COORDINATES)
        return cls(Called.of_target(g, k), k=k, noise_std=noise_std, inputs=inputs, noise=noise)

    @classmethod
    def of_data(cls, k: int = 0) -> Target:
        """Return the target of labels that data bring, with k known directions: for the dense engine alone."""
        return cls(Called(LABELS_OF_DATA), k=checks.integer("k", k, least=0))

    @property
    def expr(self) -> sp.Expr:
        """The formula g.

        Raises
        ------
        RebatchError
            If the target is a function of one's own, which has none.
        """
        if isinstance(self.formula, Called):
            raise no_formula("the target", self.formula)
        return self.formula

    @property
    def shrink(self) -> float:
        """The factor c in E[y | z] = c g(z): 1, or less where labels are flipped."""
        return 1.0 if self.noise is None else self.noise.shrink

    @property
    def noise_variance(self) -> float:
        """E[y^2 | z] - g(z)^2: that of noise which is added, of whichever law."""
        return 0.0 if self.noise is None else self.noise.variance

    @property
    def noise_in_words(self) -> str:
        """What a heading says of the noise; empty where there is none."""
        if self.noise is None:
            return ""
        if self.noise.is_gaussian:
            return f"label noise of standard deviation {self.noise.size:g}"
        return f"label noise {self.noise}"

    @property
    def noise_std(self) -> float:
        """The standard deviation of Gaussian label noise.

        Raises
        ------
        RebatchError
            If the noise has another law: what asks for this number speaks of Gaussian noise.
        """
        self.require_gaussian_noise()
        return 0.0 if self.noise is None else self.noise.size

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """The symbols z1 … zk."""
        return tuple(coordinate(i) for i in range(1, self.k + 1))

    def require_gaussian(self, what: str, why: str = "") -> None:
        """Refuse inputs of another law, for what is known of Gaussian ones only.

        Raises
        ------
        RebatchError
        """
        if not self.inputs.is_gaussian:
            reason = f": {why}" if why else ""
            raise RebatchError(
                f"{what} of {self} with inputs {self.inputs}; allowed are gaussian inputs{reason}"
            )

    def require_gaussian_noise(self) -> None:
        """Refuse label noise of another law, for what is known of none or of Gaussian noise only.

        Raises
        ------
        RebatchError
        """
        if self.noise is not None and not self.noise.is_gaussian:
            raise RebatchError(f"label noise {self.noise}; allowed here is Gaussian noise, noise_std")

    def __call__(self, z: ArrayLike) -> NDArray[np.float64]:
        """Return g at every row of `z`, without noise.

        Parameters
        ----------
        z : array_like, shape (n, k)

        Returns
        -------
        ndarray, shape (n,)

        Raises
        ------
        RebatchError
            If the shape is not (n, k).
        """
        import numpy as np  # noqa: PLC0415 - exact questions do without

        z = np.asarray(z, dtype=np.float64)
        if z.ndim != 2 or z.shape[1] != self.k:
            raise RebatchError(f"z has shape {z.shape}; allowed is (n, {self.k}), a row per sample")
        if isinstance(self.formula, Called):
            return self.formula(z)
        try:
            return np.array(np.broadcast_to(self._compiled(*z.T), z.shape[:1]), dtype=np.float64)
        except OverflowError:
            raise RebatchError(f"the target {self} holds a number beyond floating point (1.8e308)") from None

    @cached_property
    def _compiled(self) -> Callable[..., NDArray[np.float64]]:
        from .compiled import compiled  # noqa: PLC0415 - loads NumPy and SciPy, which exact questions do without

        return compiled(self.expr, self.coordinates)

    def __getstate__(self) -> dict[str, Any]:
        """Return what defines the target; what was compiled of it is compiled again where it is needed."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        noise = "" if self.noise is None else f", noise={str(self.noise)!r}"
        if self.noise is not None and self.noise.is_gaussian:
            noise = f", noise_std={self.noise_std:g}"
        inputs = "" if self.inputs.is_gaussian else f", inputs={self.inputs.name!r}"
        return f"Target({self.text!r}, k={self.k}{noise}{inputs})"

    def latex(self) -> str:
        """Return g in LaTeX, as g(z_1, …) = …."""
        arguments = ", ".join(map(sp.latex, self.coordinates))
        if isinstance(self.formula, Called):
            return rf"g({arguments}) = \text{{{self.text}}}"
        return f"g({arguments}) = {sp.latex(self.expr)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def _read(source: str | sp.Expr | Called | Target, most: int) -> tuple[sp.Expr | Called, str]:
    """Return what a user wrote as a formula, or functions of the user's own, and its text."""
    if isinstance(source, Target):
        return source.formula, source.text
    called = named(source) if isinstance(source, str) else source
    if isinstance(called, Called):
        return called, called.name
    if isinstance(source, str):
        return parse(source, most), source.strip()
    if isinstance(source, sp.Expr):
        expr = as_real(source)
        return expr, to_text(expr)
    raise RebatchError(f"a target is text or a SymPy expression, got {type(source).__name__}")


def _coordinates_used(formula: sp.Expr | Called, most: int, k: int | None) -> int:
    """Return the highest coordinate of a formula; as many as are said of other functions.

    Raises
    ------
    RebatchError
        If other symbols stand in it.
    """
    if isinstance(formula, Called):
        return 1 if k is None else k
    known = {coordinate(i): i for i in range(1, most + 1)}
    if strangers := formula.free_symbols - known.keys():
        names = ", ".join(sorted(map(str, strangers)))
        raise RebatchError(
            f"unknown symbols {names} in the target; allowed are z1, z2, …, real or with nothing assumed of them"
        )
    return max((known[symbol] for symbol in formula.free_symbols), default=1)
