"""Exponents against batch size and step size of one pass (theory, 12).

A direction of order l is found by batches of d^mu samples and steps d^-delta, stable for

    delta >= max(0, max(l/2, 1) - mu),

in d^(delta + max(l/2 - 1, 0)) steps, times log d at l = 2. The samples are d^mu times the steps. The largest stable
step is best; its map of mu has a bend where delta reaches 0, and ends at mu = l, where one giant step is enough.
"""

from fractions import Fraction

from .pieces import BatchPiece, Line

_ZERO, _ONE = Fraction(0), Fraction(1)


def least_delta(order: int, mu: Fraction) -> Fraction:
    """Return the least stable delta of a step d^-delta."""
    return max(_ZERO, max(Fraction(order, 2), _ONE) - mu)


def steps_at(order: int, delta: Fraction) -> Fraction:
    """Return the exponent of the number of steps of size d^-delta, if they are stable."""
    return delta + max(Fraction(order, 2) - 1, _ZERO)


def batch_pieces(order: int) -> tuple[BatchPiece, ...]:
    """Return the map of mu from single samples (mu = 0) to the giant batch (mu = l)."""
    bend, end = max(Fraction(order, 2), _ONE), Fraction(order)
    pieces = []
    for lower, upper in ((_ZERO, bend), (bend, end)):
        if lower == upper:
            continue
        slope = -_ONE if upper == bend else _ZERO
        step = Line(slope, least_delta(order, lower) - slope * lower)
        time = Line(slope, steps_at(order, step.intercept))
        samples = Line(slope + 1, time.intercept)
        pieces.append(BatchPiece(lower, upper, step, time, samples, order == 2))
    return tuple(pieces)
