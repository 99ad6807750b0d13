"""What label noise costs: the noise sensitivity exponent and the price of noise (theory, 9).

With C_b = E[g^b (z z^T - I)] on the directions outside the trivial subspace, beta = min{b : C_b != 0}, and as the
variance D of the noise grows

    alpha_c ~ beta! D^beta / |C_beta|^2,

|.| the largest eigenvalue in size; for one direction it is E[g^beta He_2]. (Given y, z z^T - I has the mean
C_beta He_beta(y / sqrt(D)) / (beta! D^(beta/2)) to leading order, and E[He_beta^2] = beta!.)
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, inf, isfinite
from typing import Any

import numpy as np

from ..errors import RebatchError
from ..exact.irrational import as_float
from ..exact.known import How, worst
from ..exact.subspace import Subspace, dot
from ..language.target import Target
from ..proofs.averages import Averages

HIGHEST = 8


@dataclass(frozen=True)
class NoisePrice:
    """The law alpha_c ~ price D^exponent at large label noise of variance D.

    Attributes
    ----------
    exponent : int or None
        beta; None if no power of the label up to `searched` shows the second moment.
    price : float or None
        beta! / |C_beta|^2; None where the exponent is, or where no direction is left that needs it.
    how : How
    searched : int
    """

    exponent: int | None
    price: float | None
    how: How
    searched: int = HIGHEST

    def __str__(self) -> str:
        if self.exponent is None:
            return f"no E[g^b He_2] with b <= {self.searched} is known not to vanish"
        law = f"beta = {self.exponent}"
        if self.price is None:
            return law
        return f"{law}, alpha_c ~ {in_digits(self.price, 6)} D^{self.exponent}"

    def to_json(self) -> dict[str, Any]:
        """Return exponent, price and warrant."""
        return {"exponent": self.exponent, "price": self.price, "how": str(self.how)}


def in_digits(price: float, digits: int) -> str:
    """Return a price in so many digits."""
    if price == 0:
        return "(under 1e-307)"
    return f"{price:.{digits}g}" if isfinite(price) else "(over 1.8e308)"


def noise_price(target: Target | str, left: Subspace, highest: int = HIGHEST) -> NoisePrice:
    """Return exponent and price of label noise on the directions `left`.

    Parameters
    ----------
    target : Target or str
    left : Subspace
        The directions outside the trivial subspace, or all of V.
    highest : int
        The last power b that is tried.
    """
    target = Target(target)
    target.require_gaussian("the price of noise")
    averages = Averages(target)
    basis = left.orthogonal_basis()
    lengths = [as_float(dot(b, b)) ** 0.5 for b in basis]
    before: list[How] = []
    for b in range(1, highest + 1):
        C = np.zeros((len(basis), len(basis)))
        found: list[How] = []
        for i, j in combinations_with_replacement(range(len(basis)), 2):
            u, v = basis[i], basis[j]
            try:
                known = averages.coefficient(b, ((u, 2),) if i == j else ((u, 1), (v, 1)))
            except RebatchError:
                return NoisePrice(None, None, How.UNDECIDED, b - 1)
            if not known.zero:
                found.append(known.how)
                C[i, j] = C[j, i] = float(known.value) / lengths[i] / lengths[j]
            elif known.tells:
                before.append(known.how)
            else:
                return NoisePrice(None, None, How.UNDECIDED, b - 1)
        if found:
            size = float(np.abs(np.linalg.eigvalsh(C)).max())
            # Either may be beyond floats.
            price = factorial(b) / size / size if size else inf
            return NoisePrice(b, price, worst([*found, *before]), highest)
    return NoisePrice(None, None, How.UNDECIDED, highest)
