"""What this process may use of the machine: cores and memory, as control groups, affinity and limits leave them.

A container or a batch job sees the whole machine but may use a part: Linux tells it in control groups, version 1 or
2, whose limits hold from a process's own group up to the root.
"""

import contextlib
import math
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path("/")
# Version 1 writes about 2^63 where there is no limit.
_NO_LIMIT = 2**60


def cores() -> int:
    """Return how many threads are worth starting: affinity, quota of the control group, OMP_NUM_THREADS."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    own = [int(asked)] if asked.isascii() and asked.isdecimal() and int(asked) > 0 else []
    return max(1, min([usable(), *own, *map(math.ceil, _quotas(_ROOT))]))


def usable() -> int:
    """Return the number of cores that the process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> float:
    """Return how many bytes can be taken: free on the machine, in the control group, in the address space."""
    free = float(psutil.virtual_memory().available)
    return max(0.0, min([free, *_free_in_groups(_ROOT), *_address_space()]))


def _quotas(root: Path) -> Iterator[float]:
    """Yield how many cores the processor time of each control group is worth."""
    for folder, version in _groups(root, "cpu"):
        if version == 2:
            quota, _, period = _read(folder / "cpu.max").partition(" ")
        else:
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period) > 0:
            yield int(quota) / int(period)


def _free_in_groups(root: Path) -> Iterator[float]:
    """Yield the bytes that each control group leaves; what files have in its cache can be had."""
    for folder, version in _groups(root, "memory"):
        names = ("max", "current") if version == 2 else ("limit_in_bytes", "usage_in_bytes")
        limit, used = (_read(folder / f"memory.{name}") for name in names)
        if limit.isdecimal() and used.isdecimal() and int(limit) < _NO_LIMIT:
            cache = "inactive_file" if version == 2 else "total_inactive_file"
            counted = dict(line.partition(" ")[::2] for line in _read(folder / "memory.stat").splitlines())
            yield float(int(limit) - int(used) + int(counted.get(cache, "0")))


def _address_space() -> Iterator[float]:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield float(limit - psutil.Process().memory_info().vms)


def _groups(root: Path, controller: str) -> Iterator[tuple[Path, int]]:
    """Yield the folders of the process's control groups for a controller, from its own to the root, and the version.

    In a container the groups may be mounted so that its own is the root: what does not exist is left out.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and controller not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        mount = root / "sys/fs/cgroup" / (controller if controllers else "")
        group = mount / path.strip("/")
        while True:
            yield group, version
            if group == mount or mount not in group.parents:
                break
            group = group.parent


def _read(path: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""
