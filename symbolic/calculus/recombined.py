"""Terms that grow and whose difference does not: exp(z^2) - exp(z^2) tanh(z^4) = 2 exp(z^2) / (1 + exp(2 z^4)).

The normal form writes a logistic function by tanh, its odd part, so that parity and cancellation show. Where that
takes a function that falls apart into two that grow, it is put together again.
"""

from collections.abc import Iterator

import sympy as sp
from flint import fmpq_mpoly

from .algebra import Element
from .normal_form import Reader


def with_falling_tails(reader: Reader, g: Element) -> Element:
    """Return g with tanh(w) as 1 - 2 V(w) or 2 V(-w) - 1, V(w) = 1/(1 + e^2w), where the constants cancel.

    exp(E) - exp(E) tanh(w) is 2 exp(E) V(w): each of two terms that grow, and their difference falls with exp(-2w).
    On the cells of steps each has its own form.
    """
    parts = [part for E, P in g.parts.values() for part in _falling(reader, E, P)]
    return Element(g.algebra, parts)


def _falling(reader: Reader, E: fmpq_mpoly, P: fmpq_mpoly) -> Iterator[tuple[fmpq_mpoly, fmpq_mpoly]]:
    """Yield the terms of exp(E) P on each cell of its steps."""
    algebra = reader.algebra
    degrees = P.degrees()
    step = next((j for j, slot in algebra.slots.items() if slot.kind == "step" and degrees[j]), None)
    if step is not None:
        H = algebra.generators[step]
        for indicator, value in ((H, 1), (1 - H, 0)):
            on_cell = algebra.with_steps(Element(algebra, [(E, P)]), {step: value})
            for F, R in on_cell.parts.values():
                yield from ((D, algebra.reduced(Q * indicator)) for D, Q in _falling(reader, F, R))
        return
    for pair in algebra.hyperbolics:
        for sign in (1, -1):
            images = list(algebra.generators)
            images[pair.tanh] = algebra.one * sign
            if degrees[pair.tanh] and P.compose(*images, ctx=algebra.ring) == 0:
                w = algebra.constant_expr(pair.w) * sign
                V = reader.itself(1 / (1 + sp.exp(2 * w))).polynomial()
                assert V is not None
                images[pair.tanh] = (1 - 2 * V) * sign
                P = algebra.reduced(P.compose(*images, ctx=algebra.ring))
                break
    yield E, P
