"""What the machine leaves to a process, from control groups written for the test."""

import os
import resource
import subprocess
import sys

import pytest

from rebatch import RebatchError
from rebatch.numeric.machine import limits
from rebatch.numeric.machine.blocks import thread_count
from rebatch.numeric.machine.memory import require
from rebatch.symbolic.errors import TooLargeError

GB = 10**9


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Write the files of control groups, and let the limits be read from there."""

    def written(own, **contents):
        for name, text in {"proc/self/cgroup": own, **contents}.items():
            file = tmp_path / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    monkeypatch.setattr(limits, "_ROOT", tmp_path)
    return written


def test_without_control_groups_the_machine_is_all_there_is(groups):
    assert limits.cores() == len(os.sched_getaffinity(0))
    assert limits.memory() > 0


@pytest.mark.parametrize("quota", [50_000, 100_000])
def test_the_quota_of_any_group_above_bounds_the_threads(groups, quota):
    groups(
        "0::/job/step\n",
        **{
            "sys/fs/cgroup/job/step/cpu.max": "max 100000\n",
            "sys/fs/cgroup/job/cpu.max": f"{quota} 100000\n",
        },
    )
    assert limits.cores() == 1


def test_version_1_knows_quotas_and_memory(groups):
    groups(
        "4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n",
        **{
            "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "100000",
            "sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/memory/job/memory.limit_in_bytes": str(2 * GB),
            "sys/fs/cgroup/memory/job/memory.usage_in_bytes": str(GB),
            "sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096),
            "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GB),
        },
    )
    assert limits.cores() == 1
    assert limits.memory() == GB


def test_memory_is_what_the_smallest_group_leaves_its_file_cache_included(groups):
    groups(
        "0::/job\n",
        **{
            "sys/fs/cgroup/memory.max": str(3 * GB),
            "sys/fs/cgroup/memory.current": str(GB),
            "sys/fs/cgroup/job/memory.max": str(GB),
            "sys/fs/cgroup/job/memory.current": str(GB // 2),
            "sys/fs/cgroup/job/memory.stat": f"anon 1\ninactive_file {GB // 4}\n",
        },
    )
    assert limits.memory() == GB - GB // 2 + GB // 4
    require(0.7 * GB * 0.8, "this")
    with pytest.raises(TooLargeError, match=r"that needs 0.7 GB; allowed are 80% of the 0.75 GB"):
        require(0.7 * GB, "that")


def test_a_container_sees_its_own_group_as_the_root(groups):
    groups(
        "0::/\n",
        **{"sys/fs/cgroup/memory.max": str(GB), "sys/fs/cgroup/memory.current": "0"},
    )
    assert limits.memory() == GB


@pytest.mark.parametrize("text", ["", "garbage", "0::", "1", ":::::", "0::/../../.."])
def test_whatever_stands_in_the_files_is_survived(groups, text):
    groups(text, **{"sys/fs/cgroup/memory.max": "many", "sys/fs/cgroup/cpu.max": "1 0"})
    assert limits.cores() >= 1
    assert limits.memory() > 0


def test_the_environment_bounds_the_default_and_not_what_is_asked_for(monkeypatch):
    for text, expected in (("1", 1), ("1,2", 1), ("0", 2), ("-3", 2), ("many", 2)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert limits.cores() == min(expected, limits.usable()) or expected == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert thread_count(None) == 1
    assert thread_count(limits.usable()) == limits.usable()


def test_threads_are_at_most_the_cores():
    assert thread_count(100_000) == limits.usable()
    for wrong in (0, -1, 2.5, "2", True, 2**70, None if False else [2]):
        with pytest.raises(RebatchError, match="threads"):
            thread_count(wrong)


def test_a_limit_on_the_address_space_is_known():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9)); "
        "from rebatch.numeric.machine.limits import memory; print(memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 2 * GB
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY
