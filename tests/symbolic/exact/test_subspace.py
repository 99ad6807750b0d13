from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rebatch.symbolic.exact.subspace import Subspace, dot, in_words, primitive

K = 4
vectors = st.lists(st.builds(fmpq, st.integers(-3, 3), st.integers(1, 3)), min_size=K, max_size=K)
spaces = st.lists(vectors, max_size=K).map(lambda v: Subspace.span(v, K))


@given(spaces)
def test_the_complement_is_orthogonal_and_complete(space):
    other = space.complement()
    assert space.dimension + other.dimension == K
    assert all(dot(a, b) == 0 for a in space.rows for b in other.rows)
    assert other.complement() == space


@given(spaces)
def test_the_orthogonal_basis_spans_the_space(space):
    basis = space.orthogonal_basis()
    assert Subspace.span(basis, K) == space
    assert all(dot(a, b) == 0 for i, a in enumerate(basis) for b in basis[:i])


@given(spaces, spaces)
def test_a_sum_contains_both_and_what_is_left_is_orthogonal(a, b):
    total = a + b
    assert a <= total
    assert b <= total
    rest = a.within(total)
    assert rest + a == total
    assert rest.dimension + a.dimension == total.dimension


@given(spaces, vectors)
def test_membership_is_a_dimension(space, vector):
    assert (vector in space) == (space + Subspace.span([vector], K) == space)


def test_directions_are_told_in_words():
    assert in_words([fmpq(1), fmpq(0), fmpq(-2)]) == "e1 - 2 e3"
    assert in_words([fmpq(-1), fmpq(1, 2)]) == "-e1 + 1/2 e2"
    assert primitive([fmpq(0), fmpq(-2, 3), fmpq(4)]) == (0, 1, -6)
