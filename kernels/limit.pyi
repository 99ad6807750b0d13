import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

def respond(
    basis: Array,
    gamma: Array,
    m: int,
    r: int,
    C: Array,
    y: Array,
    weights: Array,
    a: Array,
    kind: int,
    coefficients: Array,
    correlation: bool,
    with_basis: Array,
    with_gamma: Array,
) -> float: ...
def expected_loss(
    basis: Array,
    m: int,
    C: Array,
    y: Array,
    weights: Array,
    a: Array,
    kind: int,
    coefficients: Array,
    correlation: bool,
) -> float: ...
def innovate(basis: Array, gamma: Array, m: int, r: int, A: Array, inverse_sqrt_alpha: float) -> None: ...
