import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rebatch import Target, TooLargeError
from rebatch.symbolic.calculus.hermite_form import hermite_form
from rebatch.symbolic.exact.frame import framed
from rebatch.symbolic.exact.polynomial import to_polynomial
from rebatch.symbolic.exact.subspace import dot
from rebatch.symbolic.language.symbols import coordinate
from rebatch.verify.strategies import polynomial_targets, rotations, transformed


def _fmpq(x):
    return fmpq(int(x.p), int(x.q))


def hidden_in_four(target, a, b):
    """Return a target of two coordinates as one of two linear forms in four, written without expanding."""
    forms = [sum(x * coordinate(j + 1) for j, x in enumerate(row)) for row in (a, b)]
    return Target(target.expr.xreplace(dict(zip(target.coordinates, forms, strict=False))), k=4)


vectors = st.lists(st.integers(-3, 3), min_size=4, max_size=4)


@given(polynomial_targets(max_coordinates=2, max_degree=4), vectors, vectors, vectors)
def test_a_framed_polynomial_has_the_values_of_the_target(target, a, b, point):
    hidden = hidden_in_four(target, a, b)
    g = framed(hidden.expr, hidden.coordinates)
    value = hidden.expr.subs(dict(zip(hidden.coordinates, point, strict=True)))
    t = g.coordinates([fmpq(x) for x in point])
    assert g.polynomial(*t) == _fmpq(sp.Rational(value)) if t else value == hidden.expr


@given(polynomial_targets(max_coordinates=2, max_degree=4), vectors, vectors)
def test_the_basis_is_orthogonal_and_no_larger_than_the_forms(target, a, b):
    hidden = hidden_in_four(target, a, b)
    g = framed(hidden.expr, hidden.coordinates)
    assert all(dot(u, v) == 0 for i, u in enumerate(g.basis) for v in g.basis[:i])
    assert len(g.basis) <= len(hidden.expr.free_symbols)


@given(st.data(), polynomial_targets(max_coordinates=3))
def test_the_hermite_form_of_a_rotated_frame_is_that_of_the_rotated_target(data, target):
    R = data.draw(rotations(target.k))
    columns = [tuple(_fmpq(R[i][j]) for i in range(target.k)) for j in range(target.k)]
    along = framed(target.expr, target.coordinates).along(columns)
    turned = transformed(target, R)
    expected = hermite_form(to_polynomial(turned.expr, turned.coordinates))
    assert hermite_form(along.polynomial, along.variances).to_dict() == expected.to_dict()


def test_lengths_of_the_basis_enter_as_variances():
    # He_2 of the unit vector along (1, 1): E[g] = 0 whatever the length of b.
    g = framed(Target("((z1 + z2)^2 - 2)/2").expr, (coordinate(1), coordinate(2)))
    (b,) = g.basis
    form = hermite_form(g.polynomial, g.variances)
    assert form.to_dict() == {(2,): dot(b, b) ** 2 / 2}


def test_a_power_of_one_linear_form_is_a_polynomial_in_one_variable():
    sum_of_twelve = sum(coordinate(i) for i in range(1, 13))
    g = framed(sum_of_twelve**40 + 3 * sum_of_twelve, [coordinate(i) for i in range(1, 13)])
    assert (len(g.basis), len(g.polynomial)) == (1, 2)


def test_too_many_terms_are_refused_before_they_are_written():
    z = [coordinate(i) for i in range(1, 13)]
    with pytest.raises(TooLargeError, match="terms"):
        framed(sum(z[:6]) ** 30 * sum(z[6:]) ** 30 * (z[0] - 2 * z[5]) ** 40 * (z[7] + z[1]) ** 40, z)
