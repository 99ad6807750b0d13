"""How online descent starts on inputs that are not Gaussian: as on a Gaussian target of that order (theory, 13).

A fresh sample moves M along E[y z_i sigma'(M.z + …)]. To order q in M that is a sum over the E[y z_i z^T], |T| = q.
Up to degree n = IE characters of lower degree show nothing, so E[y z^S] = E[y phi_S], phi_S monic and z standardised:
to leading order in M the drift is that of the Gaussian target sum_S E[y phi_S] He_S / S! over |S| = n.

A mean of y has a part of its own, E[z_i sigma'(M.z + …)]. It is along M, which normalised rows do not see, up to the
first moment that is not a Gaussian's: of order 2 in M where that is the third, and 3 where it is the fourth.
"""

from math import factorial, prod

import sympy as sp

from ..errors import RebatchError
from ..language.law import Law
from ..language.symbols import coordinate, hermite
from ..language.syntax import MAX_COORDINATES
from ..language.target import Target
from .reading import read_product
from .standardised import Standardised


def leading_order(target: Target, n: int) -> tuple[Target, tuple[int, ...], float]:
    """Return a Gaussian target with the drift of order n = IE, the coordinates it stands for, and a factor of it.

    A Gaussian target is its own.

    Raises
    ------
    RebatchError
        If deviations differ, more than 12 coordinates are of that order, or the mean of y drifts as soon.
    """
    law = target.inputs
    if law.is_gaussian:
        return target, tuple(range(target.k)), 1.0
    if not Standardised(law, target.k).is_plain:
        raise RebatchError(
            f"the drift of {target} with inputs {law}; allowed are coordinates of one deviation: first "
            "directions are rational in them"
        )
    reading = read_product(target)
    terms = reading.correlations(n)
    used = tuple(i for i in range(target.k) if any(S[i] for S in terms))
    if len(used) > MAX_COORDINATES:
        raise RebatchError(
            f"{len(used)} coordinates of order {n}; allowed are {MAX_COORDINATES}: directions are sought in "
            "all of them"
        )
    if n > (order := _order_of_the_mean(law, target.k)) and reading.correlations(0):
        raise RebatchError(
            f"E[y] is not 0, and drifts at order {order} of the overlap with inputs {law}, IE = {n} at order "
            f"{n - 1}; allowed are targets of mean 0, or IE <= {order}"
        )
    place = {i: coordinate(j) for j, i in enumerate(used, start=1)}
    form = sp.Add(
        *(
            c * prod(hermite(m, place[i]) / sp.Integer(factorial(m)) for i, m in enumerate(S) if m)
            for S, c in terms.items()
        )
    )
    return Target(sp.expand(form), k=len(used)), used, float(law.at(0).variance) ** (-n / 2)


def _order_of_the_mean(law: Law, k: int) -> int:
    """Return the order in M at which a constant label drifts: 3 where no coordinate has a third moment."""
    for part in set(law.each(k)):
        third = part.moment(3)
        if third is None or third - 3 * part.mean * part.variance - part.mean**3 != 0:
            return 2
    return 3
