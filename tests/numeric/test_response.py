"""Functions of one's own against the compiled kernels, which know the same functions by name, in every engine."""

import ctypes
import ctypes.util
import pickle

import numpy as np
import pytest

from rebatch import Activation, RebatchError, Setting, Target, Trajectory, simulate


def g(z):
    return z[:, 0] + z[:, 1] ** 3 - 3 * z[:, 1]


def sigma(h):
    return np.tanh(h)


def slope(h):
    return 1 - np.tanh(h) ** 2


OWN = {"target": Target.from_callable(g, 2), "activation": Activation.from_callable(sigma, slope)}
NAMED = {"target": "z1 + He(3, z2)", "activation": "tanh"}
FINITE = {"alpha": 2, "eta": 0.1, "steps": 3, "neurons": 2}
ONLINE = FINITE | {"reuse": False, "steps": 24, "batch_size": 3, "repeats": 2, "record_every": 5}
RUNS = [
    ("lazy", FINITE, {"d": 200}),
    ("lazy", FINITE | {"batches": 3, "rho": 0.01}, {"d": 200}),
    ("dense", FINITE | {"loss": "correlation", "rho": 0.01}, {"d": 100}),
    ("dense", FINITE | {"schedule": "with replacement", "batches": 3}, {"d": 100, "precision": "float32"}),
    ("online", ONLINE, {"d": 300, "replicas": 3}),
    ("online", ONLINE | {"rho": 0.01, "normalize": True, "loss": "correlation"}, {"d": 300, "replicas": 2}),
    ("online", ONLINE | {"start": [[0.3, 0], [0, 0.2]]}, {"d": 300, "replicas": 4, "stop": 0.3}),
    ("flow", FINITE, {"d": 100}),
    ("limit", FINITE | {"noise": "flip(0.1)", "steps": 2, "neurons": 1}, {"accuracy": 1e-2}),
    (
        "limit",
        FINITE | {"noise": "student(5, 0.2)", "steps": 2, "rho": 0.01, "neurons": 1},
        {"accuracy": 1e-2},
    ),
]


@pytest.mark.parametrize(("engine", "values", "options"), RUNS)
def test_a_function_of_ones_own_does_what_the_same_function_by_name_does(engine, values, options):
    own = simulate(Setting(**OWN, **values), engine, seed=1, **options)
    named = simulate(Setting(**NAMED, **values), engine, seed=1, **options)
    # Rounding: of the data, or of float32 sums.
    tolerance = 1e-5 if options.get("precision") == "float32" else 1e-12
    for name in ("M", "Q", "training_loss"):
        np.testing.assert_allclose(own.data[name], named.data[name], atol=tolerance, err_msg=name)
    if "hitting_step" in named.data:
        np.testing.assert_array_equal(own.data["hitting_step"], named.data["hitting_step"])
        assert (named.data["hitting_step"] > 0).any()


def test_a_chain_that_diverges_keeps_the_steps_before(recwarn):
    cubic = Activation.from_callable(lambda h: h**3 / 3, lambda h: h**2)
    values = ONLINE | {"eta": 60.0, "record_every": 1, "repeats": 1}
    own = simulate(Setting(target="z1 + He(3, z2)", activation=cubic, **values), "online", d=300, seed=1)
    named = simulate(Setting(target="z1 + He(3, z2)", activation="h^3/3", **values), "online", d=300, seed=1)
    assert own.stopped == named.stopped != ""
    assert len(own.M) == len(named.M)


def test_population_flow_and_the_test_loss_know_the_function():
    values = {"alpha": 2, "eta": 0.3, "steps": 3, "reuse": False, "start": [[0.2, 0.1]]}
    own, named = (simulate(Setting(**who, **values), "flow", d=100, seed=0) for who in (OWN, NAMED))
    np.testing.assert_allclose(own.M, named.M, atol=1e-9)
    np.testing.assert_allclose(own.test_loss, named.test_loss, rtol=1e-9)


def test_a_file_holds_the_name_and_the_process_knows_the_function(tmp_path):
    run = simulate(Setting(**OWN, **FINITE), d=100, seed=0)
    run.save(tmp_path / "run.nc")
    loaded = Trajectory.load(tmp_path / "run.nc")
    assert loaded.setting == run.setting
    np.testing.assert_allclose(loaded.test_loss, run.test_loss)
    assert "test_response.g #" in run.setting.target.text
    absent = Setting.from_json(run.setting.to_json().replace("test_response.g #", "elsewhere.g #"))
    with pytest.raises(RebatchError, match="not at hand"):
        simulate(absent, d=100, seed=0)


def test_functions_of_one_name_with_other_values_are_other_targets():
    one, other = (Target.from_callable(lambda z, c=c: c * z[:, 0], 1) for c in (1.0, 1.001))
    again = Target.from_callable(lambda z: z[:, 0], 1)
    assert one.text.split("#")[0] == other.text.split("#")[0]
    assert one != other
    assert one.text.split("#")[1] == again.text.split("#")[1]


def test_functions_of_a_module_pickle_and_lambdas_do_not():
    own = pickle.loads(pickle.dumps(Target(OWN["target"].formula, k=2)))
    np.testing.assert_array_equal(own(np.ones((3, 2))), g(np.ones((3, 2))))
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Target.from_callable(lambda z: z[:, 0], 1))


def of_the_c_library(name, k):
    """A compiled function of k doubles."""
    function = ctypes.CDLL(ctypes.util.find_library("m"))[name]
    function.argtypes, function.restype = [ctypes.c_double] * k, ctypes.c_double
    return function


class Cfunc:
    """What numba's @cfunc makes, as far as it matters: the typed function stands in an attribute."""

    def __init__(self, function):
        self.ctypes, self.__wrapped__ = function, g


def test_compiled_functions_of_numbers_do_what_numpy_does():
    target = Target.from_callable(Cfunc(of_the_c_library("hypot", 2)), 2)
    activation = Activation.from_callable(of_the_c_library("sin", 1), of_the_c_library("cos", 1))
    assert "test_response.g #" in target.text
    compiled = simulate(Setting(target=target, activation=activation, **FINITE), d=200, seed=1)
    formula = simulate(
        Setting(
            target=Target.from_callable(lambda z: np.hypot(*z.T), 2),
            activation=Activation.from_callable(np.sin, np.cos),
            **FINITE,
        ),
        d=200,
        seed=1,
    )
    np.testing.assert_allclose(compiled.M, formula.M, atol=1e-12)


def test_a_compiled_function_that_does_not_say_its_types_is_not_called():
    untyped = ctypes.CDLL(ctypes.util.find_library("m"))["tan"]
    with pytest.raises(RebatchError, match=r"function of \(\) that gives c_int; allowed are 1 c_double"):
        Activation.from_callable(untyped, untyped)
    with pytest.raises(RebatchError, match="allowed are 3 c_double"):
        Target.from_callable(of_the_c_library("hypot", 2), 3)
    with pytest.raises(RebatchError, match="numba's cfunc"):
        Target.from_callable(ctypes.cast(of_the_c_library("hypot", 2), ctypes.c_void_p).value, 2)
