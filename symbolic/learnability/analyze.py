"""The whole analysis of a target: every question of theory, 3, put to its one reading."""

from ..language.target import Target
from .analysis import Analysis
from .exponents import (
    generative_exponent,
    generative_leap,
    information_exponent,
    isotropic_leap,
    leap,
    relevant_subspace,
    reuse_staircase,
)
from .product_analysis import analyze_product
from .verdict import MAX_WITNESS_ORDER, two_step_verdict


def analyze(target: Target | str, *, max_order: int = MAX_WITNESS_ORDER) -> Analysis:
    """Return what gradient descent can learn of a target: exponents and two-step verdicts.

    Parameters
    ----------
    target : Target or str
    max_order : int
        The highest m for which a witness E[y^m z] is sought.

    Raises
    ------
    RebatchError
        If max_order is not a positive integer, or g is not a real function with an expectation.

    References
    ----------
    theory, 3; for inputs that are not Gaussian theory, 13, and a `ProductAnalysis`.
    """
    target = Target(target)
    if not target.inputs.is_gaussian:
        return analyze_product(target, max_order)
    return Analysis(
        target=target,
        dimension=relevant_subspace(target).dimension,
        information_exponent=information_exponent(target),
        leap=leap(target),
        isotropic_leap=isotropic_leap(target),
        generative_exponent=generative_exponent(target),
        generative_leap=generative_leap(target, max_order),
        reuse_staircase=reuse_staircase(target, max_order),
        two_step=two_step_verdict(target, max_order),
    )
