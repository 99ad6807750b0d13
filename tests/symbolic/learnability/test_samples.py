import json

import pytest

from rebatch import How, analyze


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


def test_a_hidden_direction_is_never_reached_by_two_steps():
    assert needs("abs(z1)")["reuse"] == "never"


def test_a_complexity_is_known_no_better_than_its_exponent():
    samples = analyze("cos(z1) + z2").samples
    assert samples["online_sgd"].how is How.EXACT
    in_floats = analyze("tanh(z1 + He(3, z2))").samples
    assert {in_floats[name].how for name in ("reuse", "online_sgd_all")} == {How.NUMERIC}


def test_they_write_themselves_in_latex_and_json():
    samples = analyze("He(3, z1)").samples
    assert samples["online_sgd"].latex() == "d^{2}"
    assert samples["gradient_flow"].latex() == r"\text{time } d^{1/2}"
    data = json.loads(json.dumps(samples["online_sgd"].to_json()))
    assert (data["text"], data["power"], data["reference"]) == ("d^2", 2.0, "BA21")


def test_a_constant_needs_nothing():
    assert analyze("7").samples == {}
