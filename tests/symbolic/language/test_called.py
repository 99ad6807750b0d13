"""Functions of one's own: what is refused, and that nothing exact is said of them."""

import numpy as np
import pytest

import rebatch as rb
from rebatch import Activation, RebatchError, Target

REFUSED = {
    "one row, one number": (lambda z: z, "shape"),
    "a number for all rows": (lambda z: 1.0, "shape"),
    "a list": (lambda z: [0.0] * len(z), "gives"),
    "complex numbers": (lambda z: z[:, 0] * 1j, "complex"),
    "texts": (lambda z: np.full(len(z), "x"), "type"),
    "nan": (lambda z: np.log(z[:, 0]), "finite"),
    "infinity": (lambda z: 1 / np.maximum(z[:, 0], 0), "finite"),
    "not vectorised": (lambda z: 1.0 if z[:, 0] > 0 else 0.0, "vectorised"),
    "of all rows together": (lambda z: z[:, 0] - z.mean(), "itself"),
    "chance": (lambda z: np.random.default_rng().random(len(z)), "itself"),
    "no function": (3, "functions"),
}


@pytest.mark.parametrize("g", REFUSED.values(), ids=REFUSED)
def test_what_is_no_function_of_each_row_is_refused(g):
    with pytest.raises(RebatchError, match=g[1]):
        Target.from_callable(g[0], 2)


def test_a_function_that_writes_into_its_argument_is_refused():
    def g(z):
        z *= 2
        return z[:, 0]

    with pytest.raises(RebatchError, match="changes"):
        Target.from_callable(g, 1)


def test_integers_and_truth_values_are_numbers():
    sign = Target.from_callable(lambda z: z[:, 0] > 0, 1)
    assert sign(np.array([[1.0], [-1.0]])).tolist() == [1.0, 0.0]


def test_a_derivative_that_is_none_is_refused_and_kinks_are_not():
    with pytest.raises(RebatchError, match="slope"):
        Activation.from_callable(np.sin, np.sin)
    Activation.from_callable(lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5))


@pytest.mark.parametrize(
    "question",
    [
        rb.analyze, rb.information_exponent, rb.leap, rb.generative_leap, rb.two_step_verdict, rb.reuse_staircase,
        rb.weak_recovery_threshold, rb.phase_diagram, rb.scaling, lambda t: rb.two_step_overlap(t, "h^2"),
        lambda t: rb.overlap_series(t, "erf"), lambda t: rb.activation_check(t, "erf"), rb.learnability,
    ],
)  # fmt: skip
def test_no_exact_question_is_answered_of_a_function(question):
    with pytest.raises(RebatchError, match="callable"):
        question(Target.from_callable(lambda z: z[:, 0] ** 2, 1))


@pytest.mark.parametrize("question", [rb.weak_recovery_threshold, rb.phase_diagram])
def test_what_is_known_of_gaussian_noise_alone_refuses_another(question):
    with pytest.raises(RebatchError, match="noise"):
        question(Target("z1^2", noise="laplace(0.3)"))
