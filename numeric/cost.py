"""About how long a plan takes: a small run of some of its settings, carried over to their dimensions.

Lazy runs cost as many operations per sample whatever d, so time grows like n = alpha d; dense ones read n d entries a
step; the online chain, population flow and the limit do not know d.
"""

import time
from collections.abc import Sequence

from .engines.descent import silent_stops
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


def _spread(settings: Sequence[Setting]) -> list[Setting]:
    """Return the first, the last and what lies between at equal distances, few of them."""
    count = min(len(settings), _TRIED)
    return [settings[i * (len(settings) - 1) // max(count - 1, 1)] for i in range(count)]


def _seconds(plan: Plan, setting: Setting, d: int | None) -> float:
    """Return the seconds of one run, from the faster of two at a small dimension."""
    small = d if d is None else min(d, max(_PILOT.get(plan.engine, d), setting.k + setting.neurons))
    took = []
    for _ in range(2):
        began = time.perf_counter()
        with silent_stops():
            simulate(setting, plan.engine, d=small, seed=plan.seeds[0], **plan.options)
        took.append(time.perf_counter() - began)
    growth = 1.0 if d is None or small is None else (d / small) ** _GROWTH.get(plan.engine, 0)
    return min(took) * growth
