"""An analysis ends: what the effort does not reach is undecided, and what is decided stands."""

import pytest
from hypothesis import assume, given, settings

from rebatch import How, RebatchError, Target, analyze
from rebatch.symbolic.learnability.reading import forget, read
from rebatch.symbolic.thresholds.trivial import trivial_subspace
from rebatch.verify.strategies import boolean_functions, polynomial_targets

HARD = "sin(exp(z1^2)) + z2"


def answers(analysis):
    return {name: str(e) for name, e in analysis.exponents().items()} | {
        str(v.direction): v.verdict for v in analysis.two_step
    }


def test_without_effort_everything_is_undecided_and_nothing_is_claimed():
    forget()
    analysis = analyze(HARD, effort=0)
    assert all(e.how is How.UNDECIDED for e in analysis.exponents().values())
    assert all("effort spent" in e.witness for e in analysis.exponents().values())
    assert [v.verdict for v in analysis.two_step] == ["undecided", "undecided"]
    assert "effort spent" in analysis.two_step[0].reason()
    assert "effort spent" in str(analysis)


def test_more_effort_decides_more_and_never_otherwise():
    seen = {}
    for effort in (10_000, 300_000, 3_000_000):
        forget()
        for name, answer in answers(analyze("relu(z1)*tanh(z2) + z1", effort=effort)).items():
            if answer != "undecided" and not answer.startswith("at least"):
                assert seen.setdefault(name, answer) == answer
            else:
                assert name not in seen


@pytest.mark.parametrize("start_anew", [True, False])
def test_the_same_effort_gives_the_same_answer_again(start_anew):
    first = []
    for _ in range(2):
        if start_anew:
            forget()
        first.append(analyze(HARD, effort=200_000).to_json())
    assert first[0] == first[1]


def test_what_was_decided_before_the_effort_was_spent_stands():
    forget()
    target = "tanh(z1+z2)*tanh(z2+z3)*tanh(z1-z3) + z1"
    analysis = analyze(target, effort=400_000)
    assert [v.verdict for v in analysis.two_step] == ["learned", "undecided", "undecided"]
    assert "m <= 2; effort spent" in analysis.two_step[1].reason()
    assert analysis.information_exponent.value == 1
    # Powers of the label leave something for the label itself.
    assert analysis.leap.value == 1
    assert analysis.generative_leap.value is None
    assert {fate[3] for fate in analysis.fates()} == {"round 1", "undecided"}


@pytest.mark.parametrize("effort", [-1, 1.5, "much", True])
def test_effort_is_a_number_of_units(effort):
    with pytest.raises(RebatchError, match="effort"):
        analyze("z1", effort=effort)


@pytest.mark.parametrize(
    "text",
    [
        "z1 + z1*z2 + z1*z2*z3 + z1*z2*z3*z4 + z1*z2*z3*z4*z5",
        "relu(z1) + relu(z2)",
        "tanh(z1 + He(3, z2))",
        "z1^2 + sign(z1*z2*z3)",
        "relu(z1)*tanh(z2) + z1",
        "abs(z1) + z2*abs(z3)",
    ],
)
def test_the_columns_of_a_screen_fit_each_other(text):
    columns_fit(analyze(text, max_order=8))


@given(polynomial_targets(max_coordinates=3, max_degree=3))
@settings(max_examples=40)
def test_the_columns_of_a_polynomial_fit_each_other(target):
    columns_fit(analyze(target, max_order=6))


@given(boolean_functions(max_coordinates=4, labels=3))
@settings(max_examples=20)
def test_the_columns_of_a_function_on_the_cube_fit_each_other(target):
    columns_fit(analyze(target))


@pytest.mark.parametrize(
    "text", ["z1 + z1*z2 + z1*z2*z3", "z1*z2 + z2*z3 + z1*z3 + z1*z2*z3", "z1*z2*z3", "sign(z1 + z2 + z3)"]
)
def test_the_columns_of_a_screen_on_the_cube_fit_each_other(text):
    columns_fit(analyze(Target(text, inputs="boolean")))


@given(polynomial_targets(max_coordinates=3, max_degree=3))
@settings(max_examples=20)
def test_what_is_trivial_for_a_threshold_is_what_rounds_of_reuse_reach(target):
    analysis = analyze(target, max_order=6)
    assume(analysis.dimension)
    trivial, _, _ = trivial_subspace(read(target))
    reached = analysis.reuse_staircase.spaces
    for verdict in analysis.two_step:
        in_rounds = any(verdict.direction in space for space in reached)
        # Both climb the same staircase (theory, 3.5 and 9); a cap on powers may stop the screen's earlier.
        assert not in_rounds or verdict.direction in trivial
        if verdict.direction in trivial and not analysis.reuse_staircase.capped:
            assert analysis.generative_leap.order_of(verdict.direction) == 1


def columns_fit(analysis):
    """Check that what two steps learn is in round 1 and of generative order 1, and what is hidden in no round.

    On the cube queries see coordinates, not directions: what a symmetry of signs and places hides may be of order 1.
    """
    spaces = analysis.reuse_staircase.spaces
    gaussian = analysis.generative_leap is not None
    leaps = (
        (analysis.generative_leap, analysis.isotropic_leap)
        if gaussian
        else (analysis.statistical_leap, analysis.leap)
    )
    for verdict in analysis.two_step:
        in_rounds = [verdict.direction in space for space in spaces]
        order, label = (leap.order_of(verdict.direction) for leap in leaps)
        if verdict.witness:
            assert in_rounds[0]
            assert order == 1
        if verdict.verdict == "hidden":
            # What a symmetry hides stays hidden; what enumeration hides from two steps may come later.
            assert not any(in_rounds if verdict.certificate else in_rounds[:1])
            assert order is None or order > 1 or not gaussian
        if order is not None and label is not None:
            assert order <= label
