"""Finite and Gaussian coordinates together: coefficients against sums and quadrature, claims against the limit."""

from itertools import product

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.laguerre import laggauss
from numpy.polynomial.legendre import leggauss
from scipy.integrate import quad

from rebatch import How, RebatchError, Setting, Target, analyze, expectation, simulate
from rebatch.symbolic.language.law import law
from rebatch.symbolic.learnability.mixed import MixedReading
from rebatch.verify.claims import claims_of

NODES, WEIGHTS = hermegauss(120)
_EVEN, _EVEN_WEIGHTS = leggauss(60)
_ONE_SIDED, _ONE_SIDED_WEIGHTS = laggauss(80)
RULES = {
    "gaussian": (NODES, WEIGHTS / WEIGHTS.sum()),
    "uniform": (np.sqrt(3) * _EVEN, _EVEN_WEIGHTS / 2),
    "laplace": (
        np.concatenate([-_ONE_SIDED, _ONE_SIDED]) / np.sqrt(2),
        np.concatenate([_ONE_SIDED_WEIGHTS] * 2) / 2,
    ),
}


def grid(inputs):
    """Points of all coordinates with their weights, and the monic polynomials of degree 0, 1, 2 at them."""
    parts = [law(name) for name in inputs]
    axes = [
        RULES[part.family]
        if part.family in RULES
        else tuple(np.array(column, dtype=float) for column in zip(*part.atoms, strict=True))
        for part in parts
    ]
    points = np.array(list(product(*(x for x, _ in axes))))
    weights = np.array([np.prod(w) for w in product(*(w for _, w in axes))])
    phi = []
    for column, part in zip(points.T, parts, strict=True):
        rows = [np.ones(len(points))]
        for n in range(1, len(part.atoms) or 4):
            row = column**n
            for other in rows:
                row = row - (weights @ (row * other)) / (weights @ other**2) * other
            rows.append(row)
        phi.append(rows)
    return points, weights, phi


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("tanh(z1 + z2)", ("boolean", "gaussian")),
        ("z1*tanh(z2)^2 + z2", ("biased(1/4)", "gaussian")),
        ("exp(-z2^2)*z1^2 + z1*z2", ("uniform(-1, 0, 2)", "gaussian")),
        ("cos(z1)*z2 - z3", ("gaussian", "boolean", "biased(1/3)")),
        ("tanh(z1) + z1^2", ("uniform",)),
        ("z1*cos(z2)", ("boolean", "uniform")),
        ("erf(z1)*z2", ("uniform", "gaussian")),
        pytest.param("cos(z1) + erf(z1)", ("laplace",), marks=pytest.mark.deep),  # 20 s
    ],
)
def test_coefficients_are_sums_over_points_of_integrals(text, inputs):
    target = Target(text, inputs=inputs)
    points, weights, phi = grid(inputs)
    y = target(points)
    for power, form in enumerate(MixedReading(target)._forms, start=1):
        for S in product(*(range(min(len(rows), 3)) for rows in phi)):
            if sum(n for n, part in zip(S, target.inputs.each(target.k), strict=True) if not part.atoms) > 3:
                continue  # beyond what is looked at
            expected = weights @ (
                y**power * np.prod([rows[n] for rows, n in zip(phi, S, strict=True)], axis=0)
            )
            # Quadrature with 120 nodes of analytic functions whose poles are at distance pi / 2.
            found = float(form[S]) if S in form else 0.0
            assert found == pytest.approx(expected, abs=1e-6), (power, S)


def values(analysis):
    exponents = ("information exponent", "leap", "statistical leap", "logistic leap", "cover")
    return [analysis.exponents()[name].value for name in exponents]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z1*tanh(z2)", [2, 2, 2, 2, 2]),
        ("tanh(z1 + z2)", [1, 1, 1, 1, 1]),
        ("z1*tanh(z2)^2", [1, 2, 2, 2, 2]),
        ("abs(z2) + z1", [1, 2, 2, 2, 2]),
        ("(1 + z1)*tanh(z2)", [1, 1, 1, 1, 1]),
        ("z1*sign(z2)*sign(z3)", [3, 3, None, None, None]),
    ],
)
def test_exponents_are_those_of_their_characters(text, expected):
    assert values(analyze(Target(text, inputs={"z1": "boolean"}))) == expected


def test_what_flips_and_exchanges_hide_no_run_shows():
    target = Target("tanh(z1*z3) + z2", inputs=["boolean", "boolean", "gaussian"])
    known = {str(v.direction): v for v in analyze(target).two_step}
    assert {v.verdict for v in known.values()} == {"learned", "hidden"}
    limit = simulate(
        Setting(target=target, activation="relu", alpha=2, eta=0.8, steps=2, loss="correlation"), "limit", seed=0,
        points=2**13,
    )  # fmt: skip
    M, error = (limit.data[name].values[2, 0] for name in ("M", "M_error"))
    for v in known.values():
        d = np.array([float(x) for x in v.direction])
        assert bool(abs(M @ d) > 6 * error @ np.abs(d)) == (v.verdict == "learned"), v.direction
    exchange = analyze(Target("tanh(z1*z3 + z2*z3)", inputs=["boolean", "boolean", "gaussian"])).two_step
    assert all(v.verdict == "hidden" and v.certificate for v in exchange)
    assert {c.claim for c in claims_of(target, 3)} == {"learned", "hidden"}


def test_nothing_is_said_beyond_what_was_looked_at():
    with pytest.raises(RebatchError, match="whether it depends on z1 is not decided"):
        analyze(Target("z1*sign(z2)*sign(z3)*sign(z4)*sign(z5)", inputs={"z1": "boolean"}))
    with pytest.raises(RebatchError, match="has 64 points beside other coordinates; allowed are at most 32"):
        analyze(Target("tanh(z1 + z2 + z3 + z4 + z5 + z6 + z7)", inputs=["boolean"] * 6 + ["gaussian"]))
    with pytest.raises(RebatchError, match="is not real at all their values"):
        analyze(Target("z1/z2", inputs={"z1": "boolean"}))


@pytest.mark.parametrize(
    ("text", "g"),
    [
        ("relu(z1)^2*z1", lambda z: max(z, 0) ** 2 * z),
        ("tanh(z1)*z1", lambda z: np.tanh(z) * z),
        ("abs(z1 - 1/2)", lambda z: abs(z - 0.5)),
        ("cos(z1)", np.cos),
    ],
)
@pytest.mark.parametrize("name", ["uniform", "laplace"])
def test_an_expectation_under_a_density_is_its_integral(text, g, name):
    def weighted(z):
        return g(z) * (1 / np.sqrt(12) if name == "uniform" else np.exp(-np.sqrt(2) * abs(z)) / np.sqrt(2))

    edge = np.sqrt(3) if name == "uniform" else 40.0
    found = expectation(Target(text, inputs=name))
    assert found.how in (How.EXACT, How.ENCLOSURE)
    assert float(found) == pytest.approx(
        quad(weighted, -edge, edge, points=[0, 0.5], epsabs=1e-12)[0], abs=1e-9
    )


def test_a_target_that_is_no_polynomial_is_analysed_under_a_density():
    known = analyze(Target("sign(z1*z2)", inputs="uniform"))
    # E|z|^2 = 3/4 by quadrature in two dimensions: evidence, and a flip of both signs hides either.
    assert (known.exponents()["leap"].value, known.exponents()["leap"].how) == (2, How.NUMERIC)
    assert {v.verdict for v in known.two_step} == {"hidden"}
    (v,) = analyze(Target("relu(z1)", inputs="uniform")).two_step
    assert (v.verdict, v.how, [str(x) for x in v.witness]) == ("learned", How.EXACT, ["1/2"])


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("log(z1)", "uniform", r"log\(z1\) with inputs uniform is not real"),
        ("exp(z1^2)", "laplace", r"exp\(z1\*\*2\)"),
        ("relu(z1)", "student", "Student"),
    ],
)
def test_what_has_no_average_under_a_density_is_refused_in_its_own_words(text, inputs, message):
    with pytest.raises(RebatchError, match=message):
        analyze(Target(text, inputs=inputs))
