"""Each public argument of each public function: a bad value is one clear line, or is a value after all.

`CALLS` holds a cheap call of every public function, by keyword, right but for the one argument that is changed.
`KINDS` says of every parameter what it is, and `BAD` at least eight values that are none of that kind: wrong kinds,
not a number, infinite, 0, negative, huge, a wrong text. Whatever comes is an answer or a RebatchError in one line,
which a ParseError follows with its place. A new function or parameter without a row fails the first test.
"""

import inspect
import math
import warnings

import numpy as np
import pytest

import rebatch as rb
from rebatch import ParseError, RebatchError

NAN, INF = math.nan, math.inf
HUGE_TEXT = "z1+" * 400 + "("
SETTING = rb.Setting(target="z1", activation="relu", alpha=2, eta=0.1, steps=2)
RUN = rb.simulate(SETTING, d=40, seed=0)
RUNS = [RUN, *(rb.simulate(SETTING, d=40, seed=s) for s in (1, 2, 3))]
X = np.random.default_rng(0).standard_normal((30, 8))
Y = X[:, 0]
OWN = rb.descend_on_data(X, Y, activation="relu", eta=0.1, steps=1, seed=0)

BAD = {
    "target": ["", "z1 +", "z99", "f(z1)", HUGE_TEXT, None, 3.5, b"z1", ["z1"], "1/z1", "@none"],
    "activation": ["", "h +", "z1", "swoosh", HUGE_TEXT, None, 2, b"relu", ["relu"], {}],
    "count": [0, -1, 1.5, "2", None, NAN, INF, True, [2], 10**400, b"2"],
    "least": [-1, 1.5, "2", NAN, INF, True, [2], b"2", {}],
    "seed": [-1, 1.5, "2", None, NAN, INF, True, [2], b"2"],
    "size": [0, -1, 1.5, "2", NAN, INF, True, b"2", 10**400],
    "positive": [0, -1, NAN, INF, -INF, "1", None, True, [1], 1j, 10**400, b"1"],
    "nonnegative": [-1, NAN, INF, -INF, "1", True, [1], 1j, 10**400, b"1"],
    "finite": [NAN, INF, -INF, "1", True, [1], 1j, 10**400, b"1"],
    "share": [0, -1, 1.5, NAN, INF, "1", None, True, [1]],
    "flag": [0, 1, "no", None, [], NAN, b"", "true"],
    "name": ["", "none", 3, None, [], True, b"lazy", NAN],
    "experiment": ["", "none", 3, 1.5, [], True, b"lazy", NAN],
    "sizes": [[], [0], [-1, 2, 3], "abc", 1.5, [[1]], [NAN, 2, 3], [1.5, 2, 3], {}, [True, 2, 3]],
    "numbers": ["abc", [[1, 2], [3]], [NAN], [INF], [[]], {"a": 1}, [1j], [None]],
    "matrix": ["abc", [[1, 2], [3]], [[NAN]], [[INF]], 3, {"a": 1}, [[1j]], [None], []],
    "threads": [0, -1, 1.5, "2", True, [1], NAN, b"2"],
    "path": ["", None, 3, "\0", b"", [], "no such folder/no such file.nc", NAN],
    "setting": [None, "z1", 3, {}, [], RUN, b"", NAN],
    "trajectory": [None, "run", 3, {}, [], SETTING, b"", NAN],
    "text": ["", "z1 +", "z99", HUGE_TEXT, None, 3, b"z1", ["z1"]],
    "progress": [None, 3, "bar", [], {}, True, 1.5, NAN],
    "law": ["", "none", 3, [], b"gaussian", "student(1)", "biased(2)", "finite(0: 1)"],
}
_SMALL = {"target": "z1", "activation": "h"}
CALLS = {
    "Activation": (rb.Activation, {"source": "relu"}),
    "Target": (rb.Target, {"source": "z1"}),
    "Setting": (rb.Setting, {**_SMALL, "alpha": 2, "eta": 0.1, "steps": 1}),
    "activation_check": (rb.activation_check, _SMALL),
    "agreement": (rb.agreement, {"prediction": RUNS[0], "trajectories": RUNS}),
    "alpha_curve": (rb.alpha_curve, {"target": "He(2, z1)", "variances": [1.0]}),
    "amp": (rb.amp, {"target": "He(2, z1)", "alpha": 1.0, "d": 40, "steps": 1, "seed": 0}),
    "amp_on_data": (rb.amp_on_data, {"target": "z1", "X": X, "y": Y, "steps": 1, "start": X[0]}),
    "analyze": (rb.analyze, {"target": "z1"}),
    "ceiling": (rb.ceiling, {"target": "z1", "steps": 2, "etas": [0.1]}),
    "compare_algorithms": (rb.compare_algorithms, {"target": "z1"}),
    "descend_on_data": (
        rb.descend_on_data,
        {"X": X, "y": Y, "activation": "relu", "eta": 0.1, "steps": 1, "seed": 0},
    ),
    "expectation": (rb.expectation, {"g": "z1"}),
    "generalization": (
        rb.generalization,
        {"target": "z1", "activation": "erf", "eta": 0.2, "d": (40, 60), "runs": 2, "samples": 50},
    ),
    "full_batch_scaling": (
        rb.full_batch_scaling,
        {"target": "cos(z)", "dimensions": [20, 30, 40], "runs": 6, "steps": 3},
    ),
    "generative_exponent": (rb.generative_exponent, {"target": "z1"}),
    "generative_leap": (rb.generative_leap, {"target": "z1"}),
    "grand_staircase": (rb.grand_staircase, {"target": "He(2, z1)"}),
    "hermite_series": (rb.hermite_series, {"target": "z1"}),
    "information_exponent": (rb.information_exponent, {"target": "z1"}),
    "isotropic_leap": (rb.isotropic_leap, {"target": "z1"}),
    "leap": (rb.leap, {"target": "z1"}),
    "learnability": (rb.learnability, {"target": "3"}),
    "learned_directions": (rb.learned_directions, {"run": OWN}),
    "numeric_exponents": (rb.numeric_exponents, {"target": "z1"}),
    "overlap_series": (rb.overlap_series, {**_SMALL, "order": 2}),
    "paper": (rb.paper, {"name": "none"}),
    "parse": (rb.parse, {"text": "z1"}),
    "phase_diagram": (rb.phase_diagram, {"target": "z1"}),
    "relevant_subspace": (rb.relevant_subspace, {"target": "z1"}),
    "reuse_scaling": (rb.reuse_scaling, {"target": "He(3, z1)", "dimensions": [40, 60, 80], "runs": 8}),
    "reuse_staircase": (rb.reuse_staircase, {"target": "z1"}),
    "ridge_readout": (rb.ridge_readout, {"trajectory": RUN, "seed": 0, "samples": 30, "test_samples": 30}),
    "scaling": (rb.scaling, {"target": "z1", "dimensions": [64, 96, 128], "replicas": 16}),
    "simulate": (rb.simulate, {"setting": SETTING, "d": 40, "seed": 0}),
    "spectral": (rb.spectral, {"target": "He(2, z1)", "alpha": 2.0, "d": 40, "seed": 0, "steps": 9}),
    "spectral_limit": (rb.spectral_limit, {"target": "He(2, z1)", "alpha": 2.0}),
    "spectral_on_data": (rb.spectral_on_data, {"target": "He(2, z1)", "X": X, "y": Y}),
    "state_evolution": (rb.state_evolution, {"target": "He(2, z1)", "alpha": 1.0, "steps": 2}),
    "two_step_overlap": (rb.two_step_overlap, _SMALL),
    "two_step_verdict": (rb.two_step_verdict, {"target": "z1"}),
    "universality": (rb.universality, {"setting": SETTING, "inputs": "laplace", "d": 20, "runs": 6}),
    "weak_recovery_threshold": (rb.weak_recovery_threshold, {"target": "He(2, z1)", "max_degree": 2}),
    "which_activation": (rb.which_activation, {"target": "z1", "activations": ["erf"]}),
}
# What a parameter is, for all functions that have it, or for one of them.
KINDS = {
    "target": "target", "g": "target", "Target.source": "target", "Activation.source": "activation",
    "activation": "activation", "setting": "setting", "trajectory": "trajectory", "run": "trajectory",
    "trajectories": "trajectory", "prediction": "matrix", "text": "text", "path": "path",
    "alpha": "positive", "eta": "positive", "accuracy": "share", "false_alarm": "share", "threshold": "share",
    "share": "nonnegative", "bias": "nonnegative", "weight_decay": "nonnegative", "noise_std": "nonnegative",
    "rho": "finite", "start": "finite", "damping": "finite", "Setting.start": "matrix", "amp_on_data.start": "matrix",
    "two_step_overlap.start": "matrix", "start_Q": "matrix", "truth": "matrix", "biases": "numbers",
    "steps": "count", "neurons": "count", "d": "count", "k": "size", "runs": "count", "replicas": "count",
    "samples": "count", "test_samples": "count", "max_order": "count", "max_power": "count", "max_degree": "count",
    "digits": "count", "order": "size", "coordinates": "count", "repeats": "count", "record_every": "count",
    "batch_size": "size", "batches": "name", "permutations": "least", "seed": "seed", "readout_seed": "least",
    "effort": "size", "threads": "threads", "dimensions": "sizes", "generalization.d": "sizes",
    "fresh_at": "numbers", "etas": "numbers", "penalties": "numbers", "variances": "numbers", "readout": "numbers",
    "X": "matrix", "y": "numbers", "directions": "matrix", "activations": "name",
    "reuse": "flag", "normalize": "flag", "whiten": "flag", "quick": "flag", "simulated": "flag", "integrate": "flag",
    "engine": "name", "loss": "name", "schedule": "name", "data": "name", "paper.name": "experiment", "noise": "name",
    "batch": "finite", "look_ahead": "finite", "look_ahead_power": "finite",
    "inputs": "law", "progress": "progress",
}  # fmt: skip


def kind(function, parameter):
    """Return what a parameter of a function is."""
    return KINDS.get(f"{function}.{parameter}", KINDS.get(parameter))


# Classes that functions return; what they are made of was checked where it was made.
RESULTS = {"Expectation", "How", "Readout", "Trajectory"}
# Functions that take files, clients or a folder: their tests are tests/numeric/test_repeat.py and test_sweep.py.
OF_FILES = {"kept_runs", "repeat", "sweep"}


def parameters(name):
    signature = inspect.signature(CALLS[name][0])
    return [p.name for p in signature.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]


def test_every_public_function_and_argument_has_its_row():
    public = {
        name
        for name in rb.__all__
        if callable(getattr(rb, name))
        and not (inspect.isclass(getattr(rb, name)) and issubclass(getattr(rb, name), Exception))
    }
    assert public - RESULTS - OF_FILES - {"catalog"} == set(CALLS)
    missing = [(name, p) for name in CALLS for p in parameters(name) if kind(name, p) is None]
    assert missing == []
    assert all(len(values) >= 8 for values in BAD.values())


def tried(name, parameter):
    """Call a function with each bad value of one argument; return what was neither an answer nor one clear line."""
    function, good = CALLS[name]
    wrong = []
    for value in BAD[kind(name, parameter)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                function(**{**good, parameter: value})
            except ParseError:
                continue
            except RebatchError as error:
                if "\n" in str(error) or len(str(error)) > 600:
                    wrong.append((value, str(error)))
            except Exception as error:
                wrong.append((value, repr(error)))
    return wrong


CASES = [(name, parameter) for name in CALLS for parameter in parameters(name)]


@pytest.mark.deep
@pytest.mark.parametrize(("name", "parameter"), CASES, ids=lambda x: x)
def test_a_bad_value_is_one_clear_line(name, parameter):
    assert tried(name, parameter) == []


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(n, p) for n, p in CASES if kind(n, p) in ("flag", "seed", "count") and n != "Setting"],
    ids=lambda x: x,
)
def test_no_truth_value_seed_or_count_is_guessed(name, parameter):
    """A text is no number and 1 no truth value, wherever they are given."""
    function, good = CALLS[name]
    for value in (1, "no") if kind(name, parameter) == "flag" else (1.5, "2", True):
        with pytest.raises(RebatchError):
            function(**{**good, parameter: value})
