"""Leaps, verdicts and staircases on finite inputs, against definitions written out by brute force."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rebatch import RebatchError, Target, analyze, isotropic_leap
from rebatch.symbolic.exact.subspace import Subspace, as_floats
from rebatch.symbolic.language.boolean_catalog import BOOLEAN_ENTRIES
from rebatch.symbolic.language.papers import papers
from rebatch.symbolic.learnability.enumerated import _PRIME, EnumeratedReading, _outside
from rebatch.symbolic.learnability.verdict import second_step
from rebatch.verify.strategies import boolean_functions

CUBE = np.array(list(product((1, -1), repeat=3)))
SETS = [frozenset(U) for n in range(1, 4) for U in combinations(range(3), n)]


def from_values(values):
    """The multilinear polynomial of three bits with these values, in the order of CUBE."""
    z = [sp.Symbol(f"z{i}", real=True) for i in (1, 2, 3)]
    expr = sp.Integer(0)
    for U in [frozenset(), *SETS]:
        chi = CUBE[:, sorted(U)].prod(axis=1)
        expr += sp.Rational(int((np.array(values) * chi).sum()), 8) * sp.Mul(*(z[i] for i in U))
    return Target(sp.expand(expr), k=3, inputs="boolean")


def brute_force_leap(seen, relevant):
    """The least, over all orders of the seen sets, of the largest step."""
    best = None
    for order in permutations(seen):
        covered, largest = set(), 0
        for U in order:
            largest = max(largest, len(U - covered))
            covered |= U
        best = largest if best is None else min(best, largest)
    return best


def greedy(seen, relevant):
    """The closure: thresholds 1, 2, … at which everything is covered."""
    for threshold in range(1, 4):
        covered = set()
        while any(0 < len(U - covered) <= threshold for U in seen):
            covered |= next(U for U in seen if 0 < len(U - covered) <= threshold)
        if covered == relevant:
            return threshold
    return None


def averages(values, functions):
    """For each set whether one of these functions of the label correlates with its parity."""
    values = np.array(values)
    return {
        U
        for U in SETS
        if any(abs((F(values) * CUBE[:, sorted(U)].prod(axis=1)).sum()) > 1e-9 for F in functions)
    }


def test_all_boolean_functions_on_three_bits_are_read_as_the_definitions_say():
    for values in product((-1, 1), repeat=8):
        target = from_values(values)
        reading = EnumeratedReading(target)
        indicators = [lambda y: y == 1.0]
        seen = averages(values, [lambda y: y])
        assert averages(values, indicators) == seen
        relevant = frozenset().union(*seen) if seen else frozenset()
        if not seen:
            assert reading.leap().infinite
            continue
        assert reading.information_exponent().value == min(map(len, seen))
        assert reading.leap().value == greedy(seen, relevant) == reading.statistical_leap().value
        # Of labels -1 and 1 every function is a + b y: no loss lets more through.
        assert {leap.value for leap in reading.loss_leap().values()} == {reading.leap().value}
        assert reading.cover().value == max(min(len(U) for U in seen if i in U) for i in relevant)
        learned = np.array([(np.array(values) * CUBE[:, i]).sum() for i in range(3)])
        verdicts = analyze(target).two_step
        assert [v.verdict for v in verdicts].count("learned") == int(learned.any())
        assert len(verdicts) == len(relevant)


@given(st.lists(st.integers(-2, 2), min_size=8, max_size=8))
def test_functions_of_more_labels_are_read_as_the_definitions_say(values):
    target = from_values(values)
    reading = EnumeratedReading(target)
    labels = sorted(set(values))
    functions = {
        "squared": [lambda y: y],
        "absolute": [lambda y, at=at: y == at for at in labels],
        "hinge": [lambda y, u=u: -y * (u * y < 1) for u in np.linspace(-3, 3, 121)],
        "logistic": [lambda y, u=u: -y / (1 + np.exp(u * y)) for u in np.linspace(-3, 3, 31)],
    }
    seen = {loss: averages(values, some) for loss, some in functions.items()}
    relevant = frozenset().union(*seen["absolute"]) if seen["absolute"] else frozenset()
    if not relevant:
        assert reading.leap().infinite
        return
    for loss, leap in reading.loss_leap().items():
        assert leap.value == greedy(seen[loss], relevant)
    assert reading.statistical_leap().value <= reading.leap().value
    moments = np.array([[((np.array(values) == at) * CUBE[:, i]).sum() for i in range(3)] for at in labels])
    verdicts = analyze(target).two_step
    learned = [v for v in verdicts if v.verdict == "learned"]
    assert len(learned) == np.linalg.matrix_rank(moments)
    for v in verdicts:
        assert v.verdict != "undecided"
        assert (v.verdict == "hidden") == (not np.any(moments @ as_floats(v.direction)))


@given(
    st.lists(st.integers(-2, 2), min_size=8, max_size=8),
    st.sampled_from([sp.Rational(1, 2), sp.Rational(1, 4)]),
)
def test_a_second_step_sees_by_what_the_first_has_shown(values, p):
    """Classes of the label and of E[y z].z, on standardised coordinates, one by one."""
    target = Target(from_values(values).expr, k=3, inputs=f"biased({p})")
    z = (CUBE - float(2 * p - 1)) / float(sp.sqrt(4 * p * (1 - p)))
    y = np.array(values)
    weights = np.where(CUBE == 1, float(p), float(1 - p)).prod(axis=1)
    past = np.round(z @ (weights * y @ z), 9)

    def averages_of(F, keys):
        return np.array([(weights * F * [key == at for key in keys]) @ z for at in sorted(set(keys))])

    own = averages_of(np.ones(8), list(past))
    expected = {
        "reused": averages_of(np.ones(8), list(zip(past, y, strict=True))),
        "fresh": averages_of(y, list(past)),
        "fresh_bound": np.vstack([averages_of(y, list(past)), own]),
    }
    found = second_step(target)
    for name, rows in expected.items():
        space = np.array([as_floats(row) for row in getattr(found, name).rows]).reshape(-1, 3)
        rank = np.linalg.matrix_rank(rows, tol=1e-9)
        assert len(space) == rank == np.linalg.matrix_rank(np.vstack([rows, space]), tol=1e-9)
    for v in analyze(target).two_step:
        shows = np.abs(expected["reused"] @ as_floats(v.direction)).max() > 1e-9
        assert v.given_first == (v.verdict == "hidden" and bool(shows))
        assert v.stays_hidden == (not shows)


def test_what_f_of_y_hides_is_not_said_to_stay_hidden_where_the_first_step_moves():
    *_, last = analyze(Target("z1 + z1*z2 + z1*z2*z3", inputs="boolean")).two_step
    assert (last.verdict, last.said) == ("hidden", "hidden from F(y)")
    assert last.to_json()["given_first"] is True
    assert "a first step shows" in last.reason()


@given(boolean_functions(max_coordinates=3))
def test_greedy_leap_is_the_best_of_all_orders(target):
    reading = EnumeratedReading(target)
    spectrum = reading.spectrum
    seen = [frozenset(np.flatnonzero(S)) for S in spectrum.degrees[spectrum.nonzero] if S.any()]
    if 0 < len(seen) <= 6:
        assert reading.leap().value == brute_force_leap(seen, None)


@given(boolean_functions(), st.randoms(use_true_random=False))
def test_signed_permutations_change_no_exponent(target, random):
    order = list(range(target.k))
    random.shuffle(order)
    z = target.coordinates
    images = {z[i]: random.choice((-1, 1)) * z[j] for i, j in enumerate(order)}
    other = EnumeratedReading(Target(target.expr.xreplace(images), k=target.k, inputs="boolean"))
    reading = EnumeratedReading(target)
    for question in ("information_exponent", "generative_exponent", "leap", "statistical_leap", "cover"):
        assert getattr(reading, question)().value == getattr(other, question)().value
    assert reading.reuse_staircase(8).dimensions == other.reuse_staircase(8).dimensions


def test_the_check_values_of_the_theory():
    expected = {
        "z1 + z1*z2 + z1*z2*z3": (1, 1),
        "z1*z2*z3": (3, 3),
        "z1 + z1*z2*z3": (2, 2),
        "z1*z2 + z2*z3 + z1*z3 + z1*z2*z3": (2, 1),
    }
    for text, (leap, statistical) in expected.items():
        analysis = analyze(Target(text, inputs="boolean"))
        assert (analysis.leap.value, analysis.statistical_leap.value) == (leap, statistical)
    first = analyze(Target("z1*z2 + z2*z3 + z1*z3 + z1*z2*z3", inputs="boolean")).two_step[0]
    assert first.order == 2
    assert first.witness == (2, 2, 2)


@pytest.mark.parametrize("entry", BOOLEAN_ENTRIES.values(), ids=BOOLEAN_ENTRIES)
def test_known_exponents_of_the_cube_are_what_the_analysis_finds(entry):
    analysis = analyze(entry.target)
    assert analysis.information_exponent.value == entry.information_exponent
    assert analysis.leap.value == entry.leap
    assert analysis.statistical_leap.value == entry.statistical_leap
    assert {v.verdict for v in analysis.two_step} <= {"learned", "hidden"}
    assert entry.paper in papers()


def test_a_hidden_direction_may_open_in_a_later_round():
    # y^2 shows z2 + z3 only; given z1 and that, y tells z2 from z3.
    staircase = analyze(Target("z1 + z1*z2 + z1*z2*z3", inputs="boolean")).reuse_staircase
    assert staircase.dimensions == (2, 3)


def test_more_than_two_values_count_degrees_and_coordinates_apart():
    analysis = analyze(Target("z1^2", inputs="uniform(-1, 0, 1)"))
    assert analysis.leap.value == 2
    assert analysis.coordinate_leap["correlational"].value == 1
    assert [v.verdict for v in analysis.two_step] == ["hidden"]


def test_a_mean_is_taken_off_before_anything_is_learned():
    analysis = analyze(Target("z1*z2", inputs="biased(1/4)"))
    # E[z1 z2 (z1 + 1/2)] = E[z2] + E[z1] E[z2] / 2 = -1/2 + 1/8.
    assert analysis.two_step[0].witness == (sp.Rational(-3, 8), sp.Rational(-3, 8))
    assert "(z + 1/2)" in analysis.two_step[0].reason()


def test_what_has_no_meaning_is_refused_or_left_out():
    target = Target("z1*z2", inputs="boolean")
    with pytest.raises(RebatchError, match="no rotation"):
        isotropic_leap(target)
    data = analyze(target).to_json()
    assert {"isotropic_leap", "generative_leap"} == data["absent"].keys()
    assert not data.keys() & data["absent"].keys()
    assert set(data["loss_leap"]) == {"squared", "absolute", "hinge", "logistic"}
    assert data["inputs"] == "boolean"
    assert data["cover"]["value"] == 2


@pytest.mark.parametrize("inputs", ["laplace", "uniform", "student(40)", "uniform(-2, 0, 2)"])
def test_a_polynomial_with_moments_is_read_like_one_whose_values_are_gone_through(inputs):
    analysis = analyze(Target("z1 + z1*z2^2 + z3*z4", inputs=inputs))
    assert analysis.information_exponent.value == 1
    assert analysis.leap.value == 2
    assert [v.verdict for v in analysis.two_step].count("learned") == 1
    assert "undecided" not in [v.verdict for v in analysis.two_step]


def test_polynomials_of_more_signs_than_can_be_gone_through_keep_their_exact_leap():
    staircase = " + ".join("*".join(f"z{j}" for j in range(1, i + 1)) for i in range(1, 18))
    assert analyze(Target(staircase, inputs="boolean")).leap.value == 1
    pairs = " + ".join(f"z{2 * i + 1}*z{2 * i + 2}" for i in range(17))
    analysis = analyze(Target(pairs, inputs="boolean"))
    assert analysis.leap.value == analysis.statistical_leap.value == 2
    assert {v.verdict for v in analysis.two_step} == {"hidden"}


def test_the_directions_of_other_inputs_are_coordinates_not_hermite_tensors():
    assert analyze(Target("z1*z2", inputs="boolean")).directions.proof == (
        "one for each coordinate that the target depends on"
    )


def test_a_first_moment_of_irrational_labels_is_their_average_and_long_numbers_are_decimals():
    target = Target("tanh(z1 + 2*z2 + 4*z3) + sqrt(2)*z4", inputs="boolean")
    analysis = analyze(target)
    z = np.array(list(product((1, -1), repeat=4)), dtype=float)
    expected = (target(z)[:, None] * z).mean(axis=0)
    # Floating point, a few roundings.
    np.testing.assert_allclose(list(map(float, analysis.two_step[0].witness)), expected, rtol=1e-12)
    exact = "E[g z1] = -tanh(5)/4 - tanh(1)/4 + tanh(3)/4 + tanh(7)/4"
    assert analysis.information_exponent.witness == exact
    many = Target("tanh(" + " + ".join(f"{i}*z{i}" for i in range(1, 9)) + ")", inputs="boolean")
    assert analyze(many).information_exponent.witness == "E[g z1] = 0.054411609"


ATOMS = {
    "boolean": [(1, 1 / 2), (-1, 1 / 2)],
    "biased(1/4)": [(1, 1 / 4), (-1, 3 / 4)],
    "uniform(-1, 0, 2)": [(2, 1 / 3), (0, 1 / 3), (-1, 1 / 3)],
}


def by_label(g, laws):
    """E[1[y = l] z] for each label, z standardised one by one, and what is conditioned on in a second round."""
    points = list(product(*(ATOMS[name] for name in laws)))
    z = np.array([[a for a, _ in point] for point in points], dtype=float)
    weights = np.array([np.prod([p for _, p in point]) for point in points])
    means = weights @ z
    standardised = (z - means) / np.sqrt(weights @ (z - means) ** 2)
    return np.round(g(*z.T), 9), standardised, weights


def rank_of(keys, standardised, weights):
    """The span of E[1[key] z] over all keys."""
    codes = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    sums = np.array(
        [(weights[:, None] * standardised)[codes == c].sum(axis=0) for c in range(codes.max() + 1)]
    )
    _, sizes, basis = np.linalg.svd(sums)
    # Sums of a few numbers of size 1 in floating point: not 0, they are above 1e-3 here.
    return basis[: int((sizes > 1e-9).sum())]


@pytest.mark.parametrize(
    "laws",
    [
        ("boolean", "biased(1/4)", "uniform(-1, 0, 2)"),
        ("biased(1/4)", "boolean", "boolean"),
        ("uniform(-1, 0, 2)", "biased(1/4)", "boolean"),
    ],
)
@pytest.mark.parametrize(
    ("text", "g"),
    [
        ("z1 + z1*z2*z3", lambda x, y, w: x + x * y * w),
        ("z1*z2 + z3", lambda x, y, w: x * y + w),
        ("z1*z2*z3", lambda x, y, w: x * y * w),
        ("Max(z1, z2, z3)", lambda x, y, w: np.maximum(np.maximum(x, y), w)),
    ],
)
def test_a_law_for_each_coordinate_is_gone_through_like_one(laws, text, g):
    y, z, weights = by_label(g, laws)
    analysis = analyze(Target(text, inputs=laws))
    span = rank_of(y[:, None], z, weights)
    learned = [as_floats(v.direction) for v in analysis.two_step if v.verdict == "learned"]
    assert len(learned) == len(span)
    for v in learned:
        # A direction of the standardised coordinates lies in the span of what labels show.
        np.testing.assert_allclose(span.T @ (span @ v), v, atol=1e-9)
    np.testing.assert_allclose([u @ v for u, v in combinations(learned, 2)], 0, atol=1e-9)
    hidden = [as_floats(v.direction) for v in analysis.two_step if v.verdict == "hidden"]
    np.testing.assert_allclose([span @ v for v in hidden], 0, atol=1e-9)
    assert len(learned) + len(hidden) == 3
    rounds, reached = [], span
    while len(reached) > (rounds[-1] if rounds else 0):
        rounds.append(len(reached))
        keys = np.column_stack([y, np.round(z @ reached.T, 9)])
        reached = rank_of(keys, z, weights)
    assert [space.dimension for space in analysis.reuse_staircase.spaces] == rounds


def test_exponents_move_with_their_coordinates():
    one = analyze(Target("z1*z2 + z3^2*z1", inputs=["biased(1/3)", "laplace", "uniform(-1, 0, 2)"]))
    other = analyze(Target("z3*z1 + z2^2*z3", inputs=["laplace", "uniform(-1, 0, 2)", "biased(1/3)"]))
    for name, exponent in one.exponents().items():
        assert other.exponents()[name].value == exponent.value
    assert [v.verdict for v in one.two_step] == [v.verdict for v in other.two_step]


def test_flips_and_exchanges_ask_the_law_of_their_coordinates():
    # Of z1 z2 z3 both laws keep every flip; with a biased z3 only z1 and z2 can flip; exchanged are equal laws alone.
    for inputs, hidden in (("boolean, laplace, gaussian", 3), ("boolean, laplace, biased(1/4)", 2)):
        verdicts = analyze(Target("z1*z2*z3", inputs=inputs)).two_step
        assert [v.verdict for v in verdicts].count("hidden") == hidden
    # z2^2 - 8/7 z2 - 9/7 is orthogonal to 1 and z2 under this law, and no even function: y^2 shows z2.
    analysis = analyze(Target("z1*(z2^2 - 8*z2/7 - 9/7)", inputs="laplace, uniform(-1, 0, 2)"))
    assert [(v.verdict, v.direction) for v in analysis.two_step] == [("learned", (0, 1)), ("learned", (1, 0))]
    assert analysis.cover.value == 1


@pytest.mark.deep
@pytest.mark.parametrize("p", ["1/3", "3/4"])
def test_all_functions_on_three_biased_bits_are_read_as_the_definitions_say(p):
    p_plus = float(sp.Rational(p))
    weights = np.where(CUBE > 0, p_plus, 1 - p_plus).prod(axis=1)
    z = (CUBE - (2 * p_plus - 1)) / np.sqrt(4 * p_plus * (1 - p_plus))
    characters = {U: z[:, sorted(U)].prod(axis=1) for U in SETS}
    for values in product((-1, 1), repeat=8):
        y = np.array(values)
        target = Target(from_values(values), inputs=f"biased({p})")
        reading = EnumeratedReading(target)
        # Averages of 8 numbers in floating point; those that are not 0 are above 1e-3.
        seen = {U for U in SETS if abs(weights @ (y * characters[U])) > 1e-9}
        relevant = frozenset().union(*seen) if seen else frozenset()
        if not seen:
            assert reading.leap().infinite
            continue
        assert reading.information_exponent().value == min(map(len, seen))
        assert reading.leap().value == greedy(seen, relevant) == reading.statistical_leap().value
        assert reading.cover().value == max(min(len(U) for U in seen if i in U) for i in relevant)
        verdicts = analyze(target).two_step
        shown = [v for v in verdicts if v.verdict == "learned"]
        moment = (weights * y) @ z
        assert len(shown) == int(np.abs(moment).max() > 1e-9)
        for v in shown:
            direction = as_floats(v.direction)
            np.testing.assert_allclose(
                direction * (moment @ direction), moment * (direction @ direction), atol=1e-9
            )
        assert len(verdicts) == len(relevant)


def test_rows_that_a_prime_hides_are_found_exactly():
    rows = np.array([[_PRIME, 0, 0], [0, 0, 0], [1, 1, 0], [1 - _PRIME, 1, 0]], dtype=object)
    found = list(_outside(rows, Subspace.zero(3)))
    assert Subspace.span([list(map(fmpq, map(int, rows[i]))) for i in found], 3).dimension == len(found) == 2
    # (0, 0, 1) and multiples of the prime along e1: nothing shows modulo it.
    assert list(_outside(rows[:2], Subspace.zero(3))) == [0]
    assert (
        list(_outside(rows, Subspace.span([(fmpq(1), fmpq(0), fmpq(0)), (fmpq(0), fmpq(1), fmpq(0))], 3)))
        == []
    )
