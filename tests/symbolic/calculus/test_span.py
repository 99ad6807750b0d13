"""Functions of fewer directions than coordinates, against cubature in all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import Target, expectation
from rebatch.symbolic.calculus.gaussian import with_average
from rebatch.symbolic.calculus.span import on_spans

entries = st.integers(-2, 2)
rows = st.tuples(entries, entries, entries).filter(any)


def form(row):
    return "+".join(f"({c})*z{i}" for i, c in enumerate(row, start=1))


def on_grid(text, points=56, reach=8.0):
    """Return E[g(z)] by the trapezoidal rule in three coordinates, which such smooth functions do not need finer."""
    axis = np.linspace(-reach, reach, points)
    z = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    density = np.exp(-(z**2).sum(-1) / 2) * (axis[1] - axis[0]) ** 3 / (2 * np.pi) ** 1.5
    return float(np.sum(Target(text, k=3)(z) * density))


@given(rows, rows, st.tuples(*[st.integers(0, 3)] * 3))
@settings(max_examples=12)
def test_two_directions_in_three_coordinates(a, b, powers):
    monomial = "".join(f"*z{i}^{n}" for i, n in enumerate(powers, start=1))
    text = f"cos(sqrt(1+({form(a)})^2/8))*tanh(({form(a)})*({form(b)})/8){monomial}"
    value = expectation(text)
    assert float(value) == pytest.approx(on_grid(text), rel=2e-5, abs=2e-6)


def test_the_terms_are_sorted_by_the_spans_of_their_functions():
    text = "tanh(z1*(z1+z2))*z3^2 + tanh(z1*z2*z3) + tanh((z1-z3)*z1)*z2^4 + cos((z1-z2)^2*(z1+z2))"

    def spans(average):
        whole, parts = on_spans(average.g)
        return len(whole.parts), sorted(part.span.dimension for part in parts)

    # cos is exp(i E) and exp(-i E), both on the plane of z1 and z2, as is the first term.
    assert with_average(Target(text).expr, spans) == (1, [2, 2])


def test_a_plane_is_integrated_to_more_digits_than_space_can_be():
    value = expectation("tanh((z1+z2)*(z2-z3)/4)*sqrt(1+(z1+z2)^2)*z1*z2*z3^2")
    assert value.error < 1e-12
