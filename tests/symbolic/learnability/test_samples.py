import json
import re

import pytest

from rebatch import How, analyze
from rebatch.symbolic.exact.known import by_law, worst
from rebatch.symbolic.language.papers import papers


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
