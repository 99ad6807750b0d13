"""Information exponent, leap, isotropic leap and generative exponent of a target: value, witness, how known.

Theory, 3.1-3.3, 3.5 and 3.6. Each asks the one reading of the target (`reading.py`).
"""

from .. import checks
from ..exact.subspace import Subspace
from ..language.target import Target
from .known_exponents import MAX_POWER, MOST_ORDER, Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .reading import read


def information_exponent(target: Target | str) -> Exponent:
    """Return IE(g) = min{n >= 1 : C_n(g) != 0}, the least order of a nonzero Hermite tensor.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [BA21]; theory, 3.1.

    Examples
    --------
    >>> information_exponent("He(3, z1)*He(2, z2)").value
    5
    """
    return read(target).information_exponent()


def leap(target: Target | str) -> Exponent:
    """Return the leap complexity in the given coordinates.

    Leap(g) = min over orderings S_1 … S_r of the nonzero multi-indices of
    max_i sum_{j not in supp(S_1) ∪ … ∪ supp(S_{i-1})} S_i(j). Greedy is optimal: absorb the multi-index of least
    uncovered degree; the leap is the largest uncovered degree met.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [A23]; theory, 3.2. Leap 1 is the merged-staircase property of [A21].
    """
    return read(target).leap()


def isotropic_leap(target: Target | str) -> IsotropicLeap:
    """Return the coordinate-free leap, with its sequence of subspaces.

    U_0 = {0}; given U, the least j >= 1 with D_j(U) != 0 is recorded and U <- U + D_j(U), where D_j(U) is the span
    over u of the supports of the conditional Hermite tensors E[g(u, z_perp) H_j(z_perp)]. The leap is the largest
    j recorded.

    In an orthogonal basis (U, U_perp) the conditional tensors are the coefficients of the part of G of degree j in
    the perpendicular coordinates t_perp, so D_j(U) is spanned by the coefficient vectors of its gradient in t_perp.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    theory, 3.3.

    Examples
    --------
    >>> isotropic_leap("z1 + z2 + z1*z2").value
    2
    """
    return read(target).isotropic_leap()


def relevant_subspace(target: Target | str) -> Subspace:
    """Return V(g), the span of the supports of all Hermite tensors C_n, n >= 1.

    Its dimension is the number of index directions, which may be less than k: (z1 + z2)^2 has one.

    For a target that is no polynomial: the span of the linear forms that occur in it, which contains V(g).

    References
    ----------
    theory, 2.
    """
    return read(target).relevant


def generative_exponent(target: Target | str) -> Exponent:
    """Return GE(g) = min{l >= 1 : E[H_l(z) | y] is not identically 0}, H_l the l-th Hermite tensor.

    For a polynomial of one direction it is 1 if g is not even along it, else 2. Otherwise a witness E[y^m He_S] that
    meets the bound by symmetry or by moment identities decides; with one direction else the level sets of g, as
    evidence.

    References
    ----------
    [DPLB24], [L24] for polynomials; theory, 3.6.
    """
    return read(target).generative_exponent()


def generative_leap(target: Target | str, max_order: int = MAX_POWER) -> GenerativeLeap:
    """Return the generative leap: the isotropic iteration with E[F(y, u) H_j(z_perp)] in place of E[g H_j].

    F runs over y^m p(u), m <= max_order (fewer where y^m would be too large). What they reach bounds the leap from
    above. Below: with one direction, the theorem for polynomials; else it is at least 2 if a symmetry of the target
    moves a direction, since no F then gives that direction at order 1. For other targets parity bounds it too, and
    a label of two values has the isotropic leap.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [DLB25]; theory, 3.6.

    Examples
    --------
    >>> generative_leap("z1*z2*z3").value
    2
    """
    return read(target).generative_leap(checks.integer("max_order", max_order, least=1, most=MOST_ORDER))


def reuse_staircase(target: Target | str, max_order: int = MAX_POWER) -> ReuseStaircase:
    """Return the subspaces learned by any finite number of steps on a reused batch.

    U_0 = {0}; U_{t+1} = U_t + span{E[y^m p(z_U) z_perp]}: the coefficients of degree 1 in U_perp of the Hermite forms
    of y^m, p a polynomial in the coordinates of U.

    References
    ----------
    [D24], [T24]; theory, 3.5.
    """
    return read(target).reuse_staircase(checks.integer("max_order", max_order, least=1, most=MOST_ORDER))
