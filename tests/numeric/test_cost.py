"""What a plan is said to cost, against what the engines ask for when they run it."""

import pytest

from rebatch import Setting, simulate
from rebatch.numeric.cost import bytes_of
from rebatch.numeric.machine.memory import asked_for
from rebatch.numeric.plan import Plan


@pytest.mark.parametrize(
    ("engine", "sizes"), [("lazy", (3000, 8000)), ("dense", (300, 600)), ("online", (10**6,))]
)
def test_the_memory_of_a_plan_is_what_its_largest_run_asks_for(engine, sizes):
    values = {
        "target": "z1 + z1*z2",
        "activation": "erf",
        "alpha": 2,
        "eta": 0.1,
        "reuse": engine != "online",
    }
    settings = tuple(Setting(**values, steps=steps) for steps in (1, 4))
    plan = Plan(settings=settings, engine=engine, d=sizes, seeds=(0,), options={})
    with asked_for() as asked:
        simulate(settings[1], engine, d=max(sizes), seed=0)
    # Carried over from a smaller d: parts that do not grow so are small there.
    assert bytes_of(plan) == pytest.approx(max(asked), rel=0.1)
    assert bytes_of(plan) > 8 * max(sizes) * (1 if engine == "lazy" else 0)
