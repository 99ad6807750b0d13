"""A plan runs what its file says, and an error names the line."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebatch import RebatchError, Setting
from rebatch.numeric.engine_names import Engine
from rebatch.numeric.plan import Plan
from rebatch.numeric.simulate import ENGINES

TEXT = """\
engine = "lazy"
d = [100, 200]
seeds = 3

[setting]
target = "z1 + He(3, z2)"
activation = "relu"
alpha = 2
steps = 2

[grid]
eta = [0.1, 0.2]
weight_decay = [0.0, 0.5]

[zip]
neurons = [1, 2, 4]
loss = ["squared", "correlation", "squared"]
"""


def test_the_grid_is_every_combination_and_the_zip_goes_row_by_row():
    plan = Plan.loads(TEXT)
    assert len(plan) == 3 * 4 * 2 * 3
    found = {(s.neurons, s.loss, s.eta, s.weight_decay) for s in plan.settings}
    assert found == {
        (p, loss, eta, lam)
        for p, loss in ((1, "squared"), (2, "correlation"), (4, "squared"))
        for eta in (0.1, 0.2)
        for lam in (0.0, 0.5)
    }
    assert plan.d == (100, 200)
    assert plan.seeds == (0, 1, 2)
    shared = Setting(target="z1 + He(3, z2)", activation="relu", alpha=2, steps=2, eta=0.1)
    assert plan.settings[0] == shared


def test_a_target_may_be_one_of_the_catalog():
    named = Plan.loads(TEXT.replace("z1 + He(3, z2)", "@he3"))
    assert named.settings[0].target.text == "He(3, z1)"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('target = "z1 + He(3, z2)"', 'target = "@nobody"', 6, "rebatch catalog"),
        ('engine = "lazy"', 'engine = "lasy"', 1, "engine = 'lasy'"),
        ("d = [100, 200]", "d = [100, 100]", 2, "different ones"),
        ("d = [100, 200]", "d = true", 2, "d = True"),
        ("seeds = 3", "seeds = -3", 3, "seeds = -3"),
        ("seeds = 3", "alpha = 3", 3, "under \\[setting\\]"),
        ("alpha = 2", "alpha = -2", 8, "alpha = -2"),
        ("alpha = 2", "alhpa = 2", 8, "unknown parameter 'alhpa'"),
        ('target = "z1 + He(3, z2)"', 'target = "z1 +"', 6, "z1"),
        ("eta = [0.1, 0.2]", "eta = 0.1", 12, "a list of values"),
        ("eta = [0.1, 0.2]", "eta = [0.1, nan]", 12, "eta = nan"),
        ("eta = [0.1, 0.2]", "alpha = [1, 2]", 12, "stands in \\[setting\\] too"),
        ("neurons = [1, 2, 4]", "neurons = [1, 2]", 16, "different lengths"),
        ("[zip]", "[zap]", 15, "unknown table"),
    ],
)
def test_an_error_names_the_line(old, new, line, message):
    assert TEXT.count(old) == 1
    with pytest.raises(RebatchError, match=rf"(?s)^my\.toml, line {line}: .*{message}") as caught:
        Plan.loads(TEXT.replace(old, new), "my.toml")
    assert caught.type is RebatchError


def test_options_are_those_of_the_engine():
    assert Plan.loads(TEXT + '[options]\nstorage = "float32"\n').options == {"storage": "float32"}
    with pytest.raises(RebatchError, match="line 19: engine lazy has no option 'precision'"):
        Plan.loads(TEXT + '[options]\nprecision = "float32"\n')


def test_too_many_runs_are_refused_before_they_are_listed():
    lists = "".join(f"{name} = {list(range(1, 1001))}\n" for name in ("repeats", "record_every"))
    with pytest.raises(RebatchError, match=r"my\.toml: \d+ runs; allowed are at most"):
        Plan.loads(TEXT.replace("[grid]\n", "[grid]\n" + lists), "my.toml")


def test_the_limit_has_no_dimension():
    text = TEXT.replace('"lazy"', '"limit"')
    with pytest.raises(RebatchError, match=r"line 2: .*no dimension"):
        Plan.loads(text)
    assert Plan.loads(text.replace("d = [100, 200]\n", "")).d is None


@given(st.text(max_size=60))
def test_any_text_is_a_plan_or_one_clear_error(text):
    with pytest.raises(RebatchError):
        Plan.loads(text)


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(RebatchError, match=r"absent\.toml': no such file"):
        Plan.load(tmp_path / "absent.toml")


def test_the_names_of_the_engines_are_those_that_run():
    assert get_args(Engine) == tuple(ENGINES)
