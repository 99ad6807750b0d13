"""The inner loops, compiled; they know arrays and nothing else."""

import os

# Threads of OpenMP that wait for each other shall sleep. By default they spin, and where other work runs beside, take
# the core from the thread that they wait for: a run of 15 ms took 300. The library reads this once, as it is loaded;
# who has set it already knows better, and other programs that we start shall not see it.
if os.environ.keys().isdisjoint(("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")):
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        # For the library that comes with it.
        from . import signals as signals
    finally:
        del os.environ["OMP_WAIT_POLICY"]
