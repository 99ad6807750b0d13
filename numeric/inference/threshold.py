"""How many samples per dimension: `weak_recovery_threshold` (theory, 9).

The trivial directions are those that any finite number of steps on a reused batch reaches. On the rest the
threshold closes exactly (`symbolic/thresholds/closures.py`), or E[G G] is integrated: by roots on level sets for
one continuous direction, by convolution where the label is a sum or a product of parts of one direction each, else on
cells for two and three, from samples for more. A stage after the first one depends on what is known by then: it lies
between the threshold at full knowledge of the earlier directions and that of the labels alone.
"""

from contextlib import suppress
from operator import itemgetter

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ...symbolic import checks
from ...symbolic.calculus.gaussian import expectation
from ...symbolic.errors import DivergentError, RebatchError, TooLargeError
from ...symbolic.exact.effort import EffortSpentError, effort
from ...symbolic.exact.known import How
from ...symbolic.exact.shown import Drawn, Tabulated
from ...symbolic.exact.subspace import Subspace, as_floats
from ...symbolic.language.target import Target
from ...symbolic.learnability.reading import Reading, read
from ...symbolic.thresholds.certificates import MAX_DEGREE, certificates
from ...symbolic.thresholds.closures import Closure, closed_threshold
from ...symbolic.thresholds.invertible import without_invertible
from ...symbolic.thresholds.noise import noise_price
from ...symbolic.thresholds.threshold import Stage, Threshold
from ...symbolic.thresholds.trivial import trivial_subspace
from . import cells, line, noisy, sampled, separate
from .latent import Latent
from .separate import Parts
from .stability import as_subspace, instability, pair_tensor

Array = NDArray[np.float64]
# A threshold is finite beyond doubt where 1/alpha_c exceeds its error so many times.
_CERTAIN = 4.0
_LARGEST_SEARCH = 6
# Cells of three directions are laid for so many choices of the signs.
_MOST_STATES = 2
# Samples leave an error of about this.
_ROUGH = 1e-2
# Where independent parts give 1/alpha_c so well, nothing else is tried.
_FINE = 1e-5
# Units of work.
_FOR_THE_SECOND_MOMENT = 2_000_000
_SECONDS = "the number takes seconds: rebatch threshold TARGET"


def weak_recovery_threshold(
    target: Target | str,
    *,
    noise_std: float | None = None,
    max_degree: int = MAX_DEGREE,
    integrate: bool = True,
) -> Threshold:
    """Return the samples per dimension above which message passing and spectral methods find each direction.

    Parameters
    ----------
    target : Target or str
    noise_std : float, optional
        Standard deviation of the label noise; by default the target's own.
    max_degree : int
        The highest degree of a certificate, at least 1.
    integrate : bool
        Whether what does not close is integrated over several directions too, in seconds; one direction always is.

    Returns
    -------
    Threshold
        Stages, the trivial one first; certificates; the price of label noise.

    Raises
    ------
    RebatchError
        If the noise is negative, E[y^2] is infinite, or g is not a real function everywhere.

    References
    ----------
    [T24]; Mondelli, Montanari 2019; theory, 9.

    Examples
    --------
    >>> weak_recovery_threshold("z1*z2 + z3*z4").stages[1].exact
    4/3
    """
    target = Target(target, noise_std=noise_std)
    max_degree, integrate = (
        checks.integer("max_degree", max_degree, least=1),
        checks.flag("integrate", integrate),
    )
    target.require_gaussian("sharp thresholds", "state evolution is known of Gaussian rows")
    require_second_moment(target)
    reading = read(target)
    trivial, how, proof = trivial_subspace(reading)
    stages = [Stage(trivial.orthogonal_basis(), 0.0, how, None, sp.Integer(0), proof)]
    left = trivial.within(reading.relevant)
    if left.dimension:
        stages += _stages(target, reading, left, integrate=integrate)
    of_noise = left if left.dimension else reading.relevant
    return Threshold(
        target,
        tuple(stages),
        certificates(target, left, max_degree) if left.dimension else (),
        noise_price(target, of_noise),
    )


def require_second_moment(target: Target) -> None:
    """Check that E[g^2] is not infinite, as far as a little work shows.

    Raises
    ------
    RebatchError
        If it is not.
    """
    try:
        with suppress(EffortSpentError), effort(_FOR_THE_SECOND_MOMENT):
            expectation(target.expr**2)
    except DivergentError as error:
        raise RebatchError(
            f"E[y^2] of {target} is infinite; allowed are targets with a second moment ({error})"
        ) from None


def _stages(target: Target, reading: Reading, left: Subspace, *, integrate: bool = True) -> list[Stage]:
    """Return the stages after the trivial one: closed or integrated, and one that bounds the rest."""
    closure = closed_threshold(target, reading, left)
    if closure is not None:
        first, rest, tensor = _closed(closure), closure.directions.within(left), None
        if rest.dimension and np.isfinite(first.alpha) and integrate:
            tensor = _integrated(target, reading, left)[1]
    elif integrate or reading.relevant.dimension == 1:
        first, tensor = _integrated(target, reading, left)
        rest = Subspace.span(first.directions, reading.k).within(left)
    else:
        return [Stage(left.orthogonal_basis(), 0.0, How.UNDECIDED, float("inf"), None, _SECONDS)]
    found = [first]
    if rest.dimension and np.isfinite(first.alpha):
        found.append(_later(target, reading, rest, first, tensor))
    return found


def _closed(closure: Closure) -> Stage:
    alpha = float("inf") if closure.alpha == sp.oo else float(closure.alpha)
    basis = closure.directions.orthogonal_basis()
    return Stage(basis, alpha, closure.how, None, closure.alpha, closure.proof, closure.transform)


def _integrated(target: Target, reading: Reading, left: Subspace) -> tuple[Stage, Array]:
    """Return the first stage from quadrature, and E[G_ab G_cd] on `left`."""
    latent, S, error, method = label_moments_of(target, reading.relevant)
    onto = unit_rows(left) @ latent.basis.T
    tensor = pair_tensor(S[latent.r :, latent.r :], latent.r, onto)
    doubt = error * left.dimension
    top = instability(tensor, doubt)
    if top.eigenvalue <= _CERTAIN * doubt:
        reason = f"1/alpha_c is within {doubt:.1e} of 0 by {method}: no threshold can be told"
        bound = 1 / (top.eigenvalue + doubt)
        return Stage(left.orthogonal_basis(), bound, How.UNDECIDED, float("inf"), None, reason), tensor
    alpha = 1 / top.eigenvalue
    span = as_subspace(top.span @ unit_rows(left), reading.k)
    basis = left.orthogonal_basis() if span.dimension == left.dimension else span.orthogonal_basis()
    stage = Stage(basis, alpha, How.NUMERIC, alpha**2 * doubt, None, f"1/alpha_c = |E[G . G]| by {method}")
    return stage, tensor


def label_moments_of(target: Target, space: Subspace) -> tuple[Latent | Parts, Array, float, str]:
    """Return E[m m^T] of the features along orthonormal directions of a space, an error, and the method in words."""
    noise = bool(target.noise_std)
    expr = target.expr if noise else without_invertible(target.expr)
    latent = Latent.of(target, space, expr)
    count = len(latent.continuous)
    if count == 1 and not noise:
        try:
            return latent, *line.second_moments(latent.branches()), "roots on level sets"
        except line.TooManyPiecesError:
            pass
    apart = _apart(target, space, expr)
    if apart is not None and (noise or count > 2 or apart[2] < _FINE):
        return apart
    if count == 3 and latent.r <= _LARGEST_SEARCH and len(latent.states) <= _MOST_STATES:
        try:
            on_cells = _on_cells(latent, "surfaces")
        except TooLargeError:
            return _from_samples(latent)
        return on_cells if on_cells[2] < _ROUGH else min(on_cells, _from_samples(latent), key=itemgetter(2))
    if count > 2 or latent.r > _LARGEST_SEARCH:
        return _from_samples(latent)
    on_cells = _on_cells(latent, "curves")
    return on_cells if noise or apart is None or on_cells[2] < apart[2] else apart


def _from_samples(latent: Latent) -> tuple[Latent, Array, float, str]:
    return latent, *sampled.second_moments(latent), "samples sorted by label"


def _on_cells(latent: Latent, between: str) -> tuple[Latent, Array, float, str]:
    if latent.target.noise_std:
        return latent, *noisy.second_moments(latent), "quadrature, smoothed by the noise"
    return latent, *cells.second_moments(latent), f"quadrature on cells between level {between}"


def _apart(target: Target, space: Subspace, expr: sp.Expr) -> tuple[Parts, Array, float, str] | None:
    """Return the same of a label of independent parts; None of any other."""
    parts = separate.parts_of(target, space, expr)
    found = None if parts is None else separate.second_moments(parts)
    return None if parts is None or found is None else (parts, *found, "convolution of independent parts")


def _later(target: Target, reading: Reading, rest: Subspace, first: Stage, tensor: Array | None) -> Stage:
    """Return bounds of the next stage: not before the first one, and at most that of the labels alone."""
    upper = float("inf")
    left = Subspace.span([*first.directions, *rest.rows], reading.k)
    if tensor is not None:
        onto = unit_rows(rest) @ unit_rows(left).T
        alone = instability(np.einsum("abcd,ia,jb,kc,ld->ijkl", tensor, onto, onto, onto, onto))
        doubt = (first.error or 0.0) / first.alpha**2
        if alone.eigenvalue > _CERTAIN * doubt:
            upper = max(first.alpha, 1 / alone.eigenvalue)
    bound = "" if np.isinf(upper) else " and not after that of the labels alone"
    proof = f"not before the stage above{bound}: it depends on how well the directions above are known"
    return Stage(rest.orthogonal_basis(), first.alpha, How.UNDECIDED, upper - first.alpha, None, proof)


def unit_rows(space: Subspace) -> Array:
    """Return an orthonormal basis as rows of floats."""
    rows = np.array([as_floats(v) for v in space.orthogonal_basis()]).reshape(-1, space.ambient)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


class AlphaCurve(tuple[Array, Array], Tabulated, Drawn):
    """The pair of thresholds and their errors, with the target and the variances that they are of.

    Attributes
    ----------
    target : Target
    variances, alphas, errors : ndarray
    """

    target: Target
    variances: Array

    def __new__(cls, target: Target, variances: Array, alphas: Array, errors: Array) -> "AlphaCurve":
        """Return the pair."""
        curve = super().__new__(cls, (alphas, errors))
        curve.target, curve.variances = target, variances
        return curve

    def __getnewargs__(self) -> tuple[Target, Array, Array, Array]:
        return self.target, self.variances, *self

    @property
    def alphas(self) -> Array:
        """The thresholds."""
        return self[0]

    @property
    def errors(self) -> Array:
        """Their errors."""
        return self[1]

    def records(self) -> list[dict[str, float]]:
        """Return a row for each variance."""
        names = ("variance of noise", "alpha_c", "error")
        return [
            dict(zip(names, map(float, row), strict=True)) for row in zip(self.variances, *self, strict=True)
        ]


def alpha_curve(target: Target | str, variances: NDArray[np.float64]) -> AlphaCurve:
    """Return the threshold of the first stage after the trivial one, and its error, for each variance of the noise.

    Returns
    -------
    AlphaCurve
        The pair (thresholds, errors), which draws and tabulates itself.

    Raises
    ------
    RebatchError
        If the variances are no sequence of numbers >= 0, every direction is trivial, or the inputs are not Gaussian.
    """
    given = checks.array("variances", variances, "sequences of numbers >= 0")
    if given.ndim != 1 or not given.size:
        raise RebatchError(f"variances of shape {given.shape}; allowed are sequences of numbers >= 0")
    target = Target(target)
    target.require_gaussian("sharp thresholds", "state evolution is known of Gaussian rows")
    reading = read(target)
    left = trivial_subspace(reading)[0].within(reading.relevant)
    if not left.dimension:
        raise RebatchError(
            f"every direction of {target} is found at every alpha > 0: there is no curve to draw"
        )
    alphas, errors = [], []
    for D in given:
        if not D >= 0:
            raise RebatchError(f"a noise variance of {D:g}; allowed are finite values >= 0")
        stage = _stages(Target(target, noise_std=float(np.sqrt(D))), reading, left)[0]
        alphas.append(stage.alpha)
        errors.append(stage.error or 0.0)
    return AlphaCurve(target, given, np.array(alphas), np.array(errors))
