"""About how long a plan takes, in how much memory: a small run of some of its settings, carried over to their sizes.

Lazy runs cost as many operations per sample whatever d, so time grows like n = alpha d; dense ones read n d entries a
step; the online chain, population flow and the limit do not know d.
"""

import time
from collections.abc import Sequence

from .engines.descent import silent_stops
from .machine.memory import asked_for
from .plan import Plan
from .setting import Setting
from .simulate import simulate

# A pilot is small, but not so small that what is paid once hides what grows.
_PILOT = {"lazy": 2000, "dense": 400}
_GROWTH = {"lazy": 1, "dense": 2}
# So many settings stand for all of them.
_TRIED = 4


def seconds_of(plan: Plan) -> float:
    """Return about how many seconds all runs of a plan take, one after the other."""
    tried = _spread(plan.settings)
    sizes = plan.d or (None,)
    each = sum(_seconds(plan, setting, d) for setting in tried for d in sizes) / len(tried)
    return each * len(plan.settings) * len(plan.seeds)


def bytes_of(plan: Plan) -> float:
    """Return about how many bytes the largest run of a plan takes, by what its engine asks for where d is small."""
    d = None if plan.d is None else max(plan.d)
    return max(_bytes(plan, setting, d) for setting in _spread(plan.settings))


def _bytes(plan: Plan, setting: Setting, d: int | None) -> float:
    """Return the bytes of one run: arrays grow with d as the time does."""
    small = _small(plan, setting, d)
    with asked_for() as asked, silent_stops():
        simulate(setting, plan.engine, d=small, seed=plan.seeds[0], **plan.options)
    return max(asked, default=0.0) * _growth(plan, d, small)


def _spread(settings: Sequence[Setting]) -> list[Setting]:
    """Return the first, the last and what lies between at equal distances, few of them."""
    count = min(len(settings), _TRIED)
    return [settings[i * (len(settings) - 1) // max(count - 1, 1)] for i in range(count)]


def _seconds(plan: Plan, setting: Setting, d: int | None) -> float:
    """Return the seconds of one run, from the faster of two at a small dimension."""
    small = _small(plan, setting, d)
    took = []
    for _ in range(2):
        began = time.perf_counter()
        with silent_stops():
            simulate(setting, plan.engine, d=small, seed=plan.seeds[0], **plan.options)
        took.append(time.perf_counter() - began)
    return min(took) * _growth(plan, d, small)


def _small(plan: Plan, setting: Setting, d: int | None) -> int | None:
    return d if d is None else min(d, max(_PILOT.get(plan.engine, d), setting.k + setting.neurons))


def _growth(plan: Plan, d: int | None, small: int | None) -> float:
    return 1.0 if d is None or small is None else (d / small) ** _GROWTH.get(plan.engine, 0)
