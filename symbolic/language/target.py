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
from .law import GAUSSIAN, Law, law
from .parse import parse, to_text
from .symbols import as_real, coordinate

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
    inputs : str or Law
        The law of each coordinate, see :mod:`~rebatch.symbolic.language.law`: "gaussian" by default, "boolean", ….

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

    expr: sp.Expr
    k: int
    noise_std: float
    inputs: Law
    text: str = field(compare=False)

    def __init__(
        self,
        source: str | sp.Expr | Target,
        *,
        k: int | None = None,
        noise_std: float | None = None,
        inputs: str | Law | None = None,
    ) -> None:
        if isinstance(source, Target) and inputs is None:
            inputs = source.inputs
        inputs = GAUSSIAN if inputs is None else law(inputs)
        most = inputs.max_coordinates
        if isinstance(source, Target):
            k = source.k if k is None else k
            noise_std = source.noise_std if noise_std is None else noise_std
            expr, text = source.expr, source.text
        elif isinstance(source, str):
            expr, text = parse(source, most), source.strip()
        elif isinstance(source, sp.Expr):
            expr = as_real(source)
            text = to_text(expr)
        else:
            raise RebatchError(f"a target is text or a SymPy expression, got {type(source).__name__}")
        known = {coordinate(i): i for i in range(1, most + 1)}
        if strangers := expr.free_symbols - known.keys():
            names = ", ".join(sorted(map(str, strangers)))
            raise RebatchError(
                f"unknown symbols {names} in the target; allowed are z1, z2, …, real or with nothing assumed of them"
            )
        used = max((known[symbol] for symbol in expr.free_symbols), default=1)
        k = used if k is None else k
        k = checks.integer("k", k, least=used, most=most, why=f": the expression uses {used}")
        noise_std = 0.0 if noise_std is None else checks.number("noise_std", noise_std, least=0)
        fields = {"expr": expr, "k": k, "noise_std": noise_std, "inputs": inputs, "text": text}
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """The symbols z1 … zk."""
        return tuple(coordinate(i) for i in range(1, self.k + 1))

    def require_gaussian(self, what: str) -> None:
        """Refuse inputs of another law, for what is known of Gaussian ones only.

        Raises
        ------
        RebatchError
        """
        if not self.inputs.is_gaussian:
            raise RebatchError(f"{what} of {self} with inputs {self.inputs}; allowed are gaussian inputs")

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
        noise = f", noise_std={self.noise_std:g}" if self.noise_std else ""
        inputs = "" if self.inputs.is_gaussian else f", inputs={self.inputs.name!r}"
        return f"Target({self.text!r}, k={self.k}{noise}{inputs})"

    def latex(self) -> str:
        """Return g in LaTeX, as g(z_1, …) = …."""
        arguments = ", ".join(map(sp.latex, self.coordinates))
        return f"g({arguments}) = {sp.latex(self.expr)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"
