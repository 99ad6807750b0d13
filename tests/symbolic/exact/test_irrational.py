"""Scalars that are not rational obey the laws of a field with an order, and subspaces over them those of spaces."""

import sympy as sp
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch.symbolic.exact.expectation import Expectation
from rebatch.symbolic.exact.irrational import Real, as_expr, as_float, scalar
from rebatch.symbolic.exact.subspace import Subspace, dot

fractions = st.fractions(-2, 2, max_denominator=4).map(sp.Rational)
scalars = st.builds(
    lambda a, b, c: scalar(Expectation.exact(a + b * sp.sqrt(2) + c * sp.exp(sp.Rational(-1, 2)))),
    fractions,
    fractions,
    st.sampled_from([sp.Integer(0), sp.Integer(1)]),
)


def same(a, b):
    return a - b == fmpq(0)


@given(scalars, scalars, scalars)
@settings(max_examples=40)
def test_scalars_are_a_ring(a, b, c):
    assert same(a + b, b + a)
    assert same(a * b, b * a)
    assert same((a + b) + c, a + (b + c))
    assert same(a * (b + c), a * b + a * c)
    assert same(a - a, fmpq(0))


@given(scalars, scalars)
@settings(max_examples=30)
def test_division_undoes_multiplication_and_the_order_is_that_of_the_numbers(a, b):
    if b != 0:
        assert same(a / b * b, a)
    assert (a < b) == (b > a)
    assert (a < b) + (b < a) + same(a, b) == 1
    if a < b:
        assert as_float(a) <= as_float(b)


def test_numbers_closer_than_floats_are_in_order():
    a = Real(Expectation.exact(sp.sqrt(2)))
    b = a + fmpq(1, 10**30)
    assert a < b
    assert not b < a
    assert float(a) == float(b)
    assert str(Real(Expectation.exact(sp.exp(-20000)))) == "exp(-20000)"


@given(st.lists(st.lists(scalars, min_size=3, max_size=3), min_size=1, max_size=2))
@settings(max_examples=15)
def test_complements_are_orthogonal_over_irrational_numbers(vectors):
    space = Subspace.span(vectors, 3)
    other = space.complement()
    assert space.dimension + other.dimension == 3
    assert all(same(dot(a, b), fmpq(0)) for a in space.rows for b in other.rows)


ROOTS = [scalar(Expectation.exact(sp.sqrt(n))) for n in (1, 2, 3, 6, 10, 15)]
rationals = st.builds(fmpq, st.integers(-3, 3), st.integers(1, 3))


@given(
    st.lists(st.sampled_from(ROOTS), min_size=3, max_size=3),
    st.lists(st.tuples(st.sampled_from(ROOTS), st.tuples(rationals, rationals, rationals)), max_size=3),
)
def test_rows_with_common_roots_span_what_rational_rows_do(columns, rows):
    scaled = [[x * own * root for x, root in zip(row, columns, strict=True)] for own, row in rows]
    space, plain = Subspace.span(scaled, 3), Subspace.span([row for _, row in rows], 3)
    assert space.dimension == plain.dimension
    assert all([x * root for x, root in zip(row, columns, strict=True)] in space for row in plain.rows)
    # Bases in echelon form: a leading 1 after division, and 0 above and below it.
    for row in space.rows:
        lead = next(j for j, x in enumerate(row) if x != 0)
        assert [other[lead] != 0 for other in space.rows].count(True) == 1


@given(st.sampled_from(ROOTS), st.sampled_from(ROOTS), rationals, rationals)
def test_single_roots_are_multiplied_as_sympy_does(a, b, p, q):
    x, y = p * a, q * b
    exact = sp.Rational(int(p.p), int(p.q)) * sp.Rational(int(q.p), int(q.q)) * as_expr(a) * as_expr(b)
    assert same(x * y, scalar(Expectation.exact(exact)))
    if y != 0:
        assert same(x / y * y, x)
    assert str(x) == str(as_expr(x))
    assert same(x + x, x * fmpq(2))
