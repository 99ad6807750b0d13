import json
import re

import pytest
from hypothesis import given, settings

from rebatch import How, Target, analyze
from rebatch.symbolic.exact.known import by_law, worst
from rebatch.symbolic.language.catalog import ENTRIES
from rebatch.symbolic.language.papers import papers
from rebatch.verify.strategies import boolean_functions, polynomial_targets

PROVED = (How.EXACT, How.THEOREM, How.ENCLOSURE)
NOT_PROVED = (How.NUMERIC, How.CONJECTURE, How.UNDECIDED)


def needs(text):
    return {name: str(need) for name, need in analyze(text).samples.items()}


@pytest.mark.parametrize(
    ("text", "online", "giant", "flow", "queries"),
    [
        ("z1", "d", "d", "time 1", "d"),
        ("He(2, z1)", "d log d", "d^2", "time log d", "d"),
        ("He(3, z1)", "d^2", "d^3", "time d^(1/2)", "d"),
        ("He(4, z1)", "d^3", "d^4", "time d", "d"),
        ("sign(z1*z2*z3)", "d^2", "d^3", "time d^(1/2)", "d^(3/2)"),
        ("z1^2*exp(-z1^2)", "d^3", "d^4", "time d", "d^2"),
    ],
)
def test_powers_follow_the_exponents(text, online, giant, flow, queries):
    found = needs(text)
    assert (found["online_sgd"], found["giant_step"]) == (online, giant)
    assert (found["gradient_flow"], found["statistical_queries"]) == (flow, queries)


def test_all_directions_cost_the_leap_and_reuse_costs_d():
    found = needs("z1 + He(3, z2)")
    assert (found["online_sgd"], found["online_sgd_all"], found["giant_steps"]) == ("d", "d^2", "d^3")
    assert found["reuse"] == "d"


def test_a_hidden_direction_is_not_reached_by_two_steps_with_a_multiple_of_d():
    need = analyze("abs(z1)").samples["reuse"]
    assert (str(need), need.how) == ("not with n = O(d)", How.THEOREM)


@pytest.mark.parametrize(
    "text",
    ["z1", "He(3, z1)", "z1 + He(3, z2)", "abs(z1)", "z1 + z1*z2", "sign(z1*z2*z3)", "tanh(z1)", "cos(z1^3)",
     "relu(z1) + tanh(z2)"],
)  # fmt: skip
def test_what_is_said_of_an_algorithm_is_a_theorem_or_a_conjecture_however_its_exponent_is_proved(text):
    for need in analyze(text).samples.values():
        assert need.how in (How.THEOREM, How.CONJECTURE)
        # The hypothesis names what it is, and agrees with the warrant.
        kind = "theorem" if need.how is How.THEOREM else "conjecture|heuristic"
        assert re.match(kind, need.hypothesis.removeprefix("main "))


def test_a_complexity_is_known_no_better_than_its_exponent():
    in_floats = analyze("tanh(z1 + He(3, z2))").samples
    assert in_floats["reuse"].how is How.NUMERIC
    # The law of all directions is a conjecture, however the leap is known.
    assert in_floats["online_sgd_all"].how is How.CONJECTURE


@pytest.mark.parametrize(
    ("text", "conjectures"),
    [
        ("He(3, z1)", {"online_sgd_all", "giant_steps", "gradient_flow"}),
        ("z1 + z1*z2", {"online_sgd", "online_sgd_all", "gradient_flow"}),
        # Isotropic leap 1 as in the line before: [D23] proves the staircase case.
        ("z1", {"online_sgd_all", "gradient_flow"}),
        ("z1 + He(3, z2)", {"online_sgd", "online_sgd_all", "giant_steps", "gradient_flow"}),
    ],
)
def test_conjectures_are_told_from_theorems(text, conjectures):
    samples = analyze(text).samples
    assert {name for name, need in samples.items() if need.how is How.CONJECTURE} == conjectures


def test_every_reference_is_a_paper_and_stands_on_the_screen_with_its_hypothesis():
    analysis = analyze("z1 + He(3, z2)")
    for need in analysis.samples.values():
        assert set(need.reference.split(", ")) <= papers().keys()
        assert f"[{need.reference}] {need.hypothesis}" in str(analysis)
        assert need.to_json()["hypothesis"] == need.hypothesis


def test_a_fact_proved_in_any_way_leaves_the_law_as_it_is_and_a_weak_one_weakens_it():
    for law in (How.THEOREM, How.CONJECTURE):
        for fact in How:
            known = by_law(law, [How.EXACT, fact])
            assert known is (law if fact.is_proof else max(law, fact, key=list(How).index))


def test_a_conjecture_is_weaker_than_a_number_and_stronger_than_nothing():
    assert worst([How.NUMERIC, How.CONJECTURE]) is How.CONJECTURE
    assert worst([How.UNDECIDED, How.CONJECTURE]) is How.UNDECIDED


def test_they_write_themselves_in_latex_and_json():
    samples = analyze("He(3, z1)").samples
    assert samples["online_sgd"].latex() == "d^{2}"
    assert samples["gradient_flow"].latex() == r"\text{time } d^{1/2}"
    data = json.loads(json.dumps(samples["online_sgd"].to_json()))
    assert (data["text"], data["power"], data["reference"]) == ("d^2", 2.0, "BA21")


def test_a_constant_needs_nothing():
    assert analyze("7").samples == {}


def as_papers_say(analysis):
    """Check every line of the table of samples against what a referee of the papers would allow."""
    gaussian = analysis.generative_leap is not None
    rests_on = {
        "online_sgd": analysis.information_exponent.how,
        "giant_step": analysis.information_exponent.how,
        "gradient_flow": analysis.information_exponent.how,
        "online_sgd_all": analysis.isotropic_leap.how if gaussian else analysis.leap.how,
        "giant_steps": analysis.isotropic_leap.how if gaussian else None,
        "statistical_queries": None if gaussian else analysis.statistical_leap.how,
    }
    for name, need in analysis.samples.items():
        assert need.how in (How.THEOREM, *NOT_PROVED), (name, need.how)
        assert (need.how is How.UNDECIDED) == (str(need) == "undecided")
        kind = (
            need.hypothesis.split("; ", 1)[-1]
            if need.how in (How.NUMERIC, How.UNDECIDED)
            else need.hypothesis
        )
        if need.how is How.THEOREM:
            assert kind.startswith("theorem")
        if need.how is How.CONJECTURE:
            assert re.search("conjecture|heuristic", kind)
        if need.how is How.NUMERIC:
            assert need.hypothesis.startswith("for an exponent in floating point; theorem")
        known = rests_on.get(name)
        if known in (How.NUMERIC, How.UNDECIDED):
            assert need.how in NOT_PROVED
        if known in PROVED:
            assert need.how in (How.THEOREM, How.CONJECTURE)
    for name in ("online_sgd_all", "gradient_flow", *(() if gaussian else ("online_sgd",))):
        if name in analysis.samples:
            assert analysis.samples[name].how in (How.CONJECTURE, How.UNDECIDED)
    if not gaussian and analysis.samples:
        assert analysis.samples["reuse"].how is not How.THEOREM
    if analysis.directions.upper > 1 and analysis.samples:
        assert analysis.samples["online_sgd"].how in (How.CONJECTURE, How.UNDECIDED)


@pytest.mark.parametrize(
    "text",
    [
        *(entry.text for entry in ENTRIES.values()),
        "cos(z1^3)", "tanh(z1)", "exp(-z1^2)+z2^2", "sin(z1)*abs(z2)", "sqrt(1+z1^2*z2^2)", "relu(z1)*tanh(z2)",
        "tanh(z1+z1*z2^2)", "heaviside(z1-1/3)", "pi*He(3,z1)+z2", "z1*z2^2+z2*z3^2+z3*z1^2", "abs(z1)-abs(z1)+1",
    ],
)  # fmt: skip
def test_no_line_says_more_than_the_papers(text):
    as_papers_say(analyze(text, max_order=4, effort=2_000_000))


@given(polynomial_targets(max_coordinates=3, max_degree=4))
@settings(max_examples=30)
def test_no_line_says_more_than_the_papers_of_a_polynomial(target):
    as_papers_say(analyze(target, max_order=5))


@given(boolean_functions(max_coordinates=3, labels=3))
@settings(max_examples=15)
def test_no_line_says_more_than_the_papers_on_the_cube(target):
    as_papers_say(analyze(target))


@pytest.mark.parametrize("text", ["cos(z1^3)", "tanh(z1)", "tanh(z1)^2"])
def test_a_law_on_an_exponent_that_a_ball_proves_is_as_sure_as_the_law(text):
    analysis = analyze(text)
    assert analysis.information_exponent.how is How.ENCLOSURE
    assert {need.how for need in analysis.samples.values()} == {How.THEOREM, How.CONJECTURE}


def test_bounds_that_give_the_same_power_are_known_as_the_upper_one():
    analysis = analyze("z1*z2^2+z2*z3^2+z3*z1^2 + z1*z2*z3")
    if analysis.generative_leap.value is None:
        assert analysis.generative_leap.upper_how is How.EXACT
    assert analysis.samples["statistical_queries"].how is How.THEOREM


def test_what_is_proved_for_gaussian_inputs_is_a_conjecture_on_the_cube():
    need = analyze(Target("z1+z1*z2", inputs="boolean")).samples["reuse"]
    assert (need.how, str(need)) == (How.CONJECTURE, "d")
