import numpy as np
import pytest
import sympy as sp
from hypothesis import find, given, settings
from hypothesis import strategies as st

from rebatch import Activation, RebatchError, Setting, Target
from rebatch.symbolic.language.symbols import coordinate
from rebatch.verify import strategies

Z1, Z2 = coordinate(1), coordinate(2)
NAMES = {"Target": Target, "Activation": Activation, "Setting": Setting}
KINDS = ["polynomial", "even", "odd", "ridge", "bounded", "any"]


def pasted(value):
    """Read a repr back, as a person who pastes it into a session."""
    return eval(repr(value), dict(NAMES))


@pytest.mark.parametrize("kind", KINDS)
def test_targets_can_be_pasted_back_and_keep_their_bounds(kind):
    @settings(max_examples=12)
    @given(strategies.targets(kind=kind, max_degree=3, max_coordinates=2, noise=True))
    def body(target):
        again = pasted(target)
        assert (again, again.k, again.noise_std) == (target, target.k, target.noise_std)
        assert target.k <= 2
        if kind in ("polynomial", "even", "odd"):
            assert sp.Poly(target.expr, Z1, Z2).total_degree() <= 3

    body()


@settings(max_examples=12)
@given(strategies.settings(), strategies.activations(kind="any"))
def test_settings_and_activations_can_be_pasted_back(setting, activation):
    assert pasted(setting) == setting
    assert pasted(activation) == activation


def test_a_setting_with_every_parameter_can_be_pasted_back():
    setting = Setting(
        target=Target("z1*z2", k=3, noise_std=0.5),
        activation="h + h^2/2",
        neurons=2,
        alpha=0.5,
        eta=0.1,
        steps=4,
        weight_decay=0.1,
        loss="correlation",
        readout=[1.0, 0.25],
        start=[[0.1, 0.0, 0.2], [0.0, 0.3, 0.0]],
        start_Q=[[1.0, 0.1], [0.1, 1.0]],
        reuse=False,
        batch_size=7,
        repeats=2,
        rho=-0.1,
        normalize=True,
        record_every=2,
    )
    assert pasted(setting) == setting
    # What has its default value is not shown.
    assert (
        repr(Setting(target="z1", activation="erf", alpha=1, eta=0.1, steps=1))
        == "Setting(target=Target('z1', k=1), activation=Activation('erf'), alpha=1.0, eta=0.1, steps=1)"
    )


@pytest.mark.parametrize(
    ("kind", "holds", "simplest"),
    [
        ("polynomial", lambda g: True, "0"),
        ("polynomial", lambda g: g.expr.has(Z2), "z2"),
        ("polynomial", lambda g: sp.degree(g.expr, Z1) >= 2, "z1^2"),
        ("even", lambda g: g.expr.has(Z1), "z1^2"),
        ("odd", lambda g: sp.degree(g.expr, Z1) > 1, "z1^3"),
        ("bounded", lambda g: g.expr.has(Z1), "tanh(z1)"),
    ],
)
def test_targets_shrink_to_few_coordinates_low_degree_and_small_integers(kind, holds, simplest):
    assert find(strategies.targets(kind=kind), holds).expr == Target(simplest).expr


def test_ridge_sums_shrink_to_one_neuron():
    found = find(strategies.targets(kind="ridge", max_coordinates=1), lambda g: g.expr.has(sp.tanh))
    assert found.expr == Target("tanh(z1)").expr


def test_settings_shrink_to_one_step_of_one_neuron():
    experiments = strategies.settings(target=st.just(Target("z1")), activation=st.just(Activation("h")))
    found = find(experiments, lambda s: not s.reuse)
    assert (found.neurons, found.steps, found.weight_decay, found.loss) == (1, 1, 0.0, "squared")
    assert find(strategies.activations(kind="polynomial"), lambda a: True).expr == Activation("h").expr


@settings(max_examples=12)
@given(strategies.targets(kind="even"), strategies.targets(kind="odd"), st.integers(0, 2**32 - 1))
def test_parities_are_parities(even, odd, seed):
    for target, sign in ((even, 1), (odd, -1)):
        z = np.random.default_rng(seed).normal(size=(5, target.k))
        # Rounding of a few terms of degree up to 4.
        assert np.allclose(target(-z), sign * target(z), rtol=1e-9, atol=1e-9)


@settings(max_examples=12)
@given(strategies.targets(kind="bounded"), st.integers(0, 2**32 - 1))
def test_bounded_targets_are_bounded(target, seed):
    assert (np.abs(target(10 * np.random.default_rng(seed).normal(size=(20, target.k)))) <= 1).all()


@settings(max_examples=12)
@given(
    st.integers(1, 3).flatmap(lambda k: st.tuples(strategies.rotations(k), strategies.signed_permutations(k)))
)
def test_rotations_are_orthogonal(matrices):
    for matrix in map(sp.Matrix, matrices):
        assert matrix * matrix.T == sp.eye(matrix.rows)


@settings(max_examples=12)
@given(strategies.activations(kind="kernel"))
def test_activations_of_kind_kernel_can_be_simulated(activation):
    assert activation.kernel is not None
    assert activation.derivative != 0


def test_unknown_kinds_are_refused():
    with pytest.raises(RebatchError, match="allowed are polynomial, even, odd"):
        strategies.targets(kind="cubic")
    with pytest.raises(RebatchError, match="allowed are kernel, polynomial, any"):
        strategies.activations(kind="relu")
