"""Hypothesis strategies: targets, activations and experiments on which a claim can be tried (extra ``verify``).

Everything shrinks towards few coordinates, low degree and small integers, and prints so that it can be pasted back.
"""

from collections.abc import Sequence
from functools import cache
from typing import Literal, get_args

import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..numeric.setting import Setting
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.language.law import Law, law
from ..symbolic.language.parse import to_text
from ..symbolic.language.symbols import ACTIVATION_VARIABLE, coordinate
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import KERNELS, NAMED, Activation
from ..symbolic.overlap.network import LOSSES

Matrix = tuple[tuple[sp.Rational, ...], ...]
TargetKind = Literal["polynomial", "even", "odd", "ridge", "bounded", "any"]
ActivationKind = Literal["kernel", "polynomial", "any"]

_RIDGES = ("relu", "tanh", "erf", "abs", "sigmoid", "cos")
_MAX_BITS = 6
_BOUNDED = ("tanh", "sin", "cos", "erf")


def targets(
    *,
    max_degree: int = 4,
    max_coordinates: int = 3,
    kind: TargetKind = "any",
    max_terms: int = 4,
    noise: bool = False,
) -> SearchStrategy[Target]:
    """Generate targets of up to so many coordinates; constants among them.

    Parameters
    ----------
    max_degree : int
        Of polynomials, and of polynomials inside a bounded function.
    max_coordinates : int
    kind : {"polynomial", "even", "odd", "ridge", "bounded", "any"}
        "polynomial": with small rational coefficients; "even" and "odd": those with g(-z) = g(z) and -g(z);
        "ridge": sums of relu, tanh, erf, abs, sigmoid or cos of a combination of the coordinates; "bounded": one of
        tanh, sin, cos, erf of a polynomial; "any": a polynomial, a ridge sum or a bounded one. Shrinks in that order.
    max_terms : int
        Terms of a sum.
    noise : bool
        Whether some have label noise.
    """
    checks.one_of("kind", kind, get_args(TargetKind))

    @cache
    def with_coordinates(k: int) -> SearchStrategy[Target]:
        polynomial = polynomials(k, max_degree=max_degree, max_terms=max_terms)
        made = {
            "polynomial": polynomial,
            "even": polynomials(k, max_degree=max_degree, max_terms=max_terms, parity=0),
            "odd": polynomials(k, max_degree=max_degree, max_terms=max_terms, parity=1),
            "ridge": st.lists(_ridges(k), min_size=1, max_size=max_terms).map(_sum),
            "bounded": st.builds(lambda f, u: f"{f}({to_text(u)})", st.sampled_from(_BOUNDED), polynomial),
        }
        chosen = (
            [made[kind]] if kind != "any" else [made[name] for name in ("polynomial", "ridge", "bounded")]
        )
        return st.builds(
            lambda source, noise_std: Target(source, k=k, noise_std=noise_std),
            st.one_of(chosen),
            st.sampled_from([0.0, 0.5]) if noise else st.just(0.0),
        )

    return st.integers(1, max_coordinates).flatmap(with_coordinates)


def polynomial_targets(
    *, max_degree: int = 4, max_coordinates: int = 3, max_terms: int = 4
) -> SearchStrategy[Target]:
    """Generate targets that are polynomials with small rational coefficients; constants among them."""
    return targets(
        max_degree=max_degree, max_coordinates=max_coordinates, max_terms=max_terms, kind="polynomial"
    )


def polynomials(
    coordinates: int | Sequence[sp.Symbol] = 1,
    *,
    max_degree: int = 4,
    max_terms: int = 4,
    parity: Literal[0, 1] | None = None,
) -> SearchStrategy[sp.Expr]:
    """Generate polynomials with small rational coefficients, as SymPy expressions; 0 is the simplest.

    Parameters
    ----------
    coordinates : int or sequence of symbols
        k, for a polynomial in z1 … zk.
    max_degree, max_terms : int
    parity : {0, 1}, optional
        Only terms of even, or odd, total degree.
    """
    z = [coordinate(i + 1) for i in range(coordinates)] if isinstance(coordinates, int) else list(coordinates)

    def build(terms: dict[tuple[int, ...], sp.Rational]) -> sp.Expr:
        return sp.Add(*(c * sp.Mul(*(zi**n for zi, n in zip(z, S, strict=True))) for S, c in terms.items()))

    index = st.lists(st.integers(0, max_degree), min_size=len(z), max_size=len(z)).map(tuple)
    allowed = index.filter(lambda S: sum(S) <= max_degree and (parity is None or sum(S) % 2 == parity))
    return st.dictionaries(allowed, _coefficients(), max_size=max_terms).map(build)


def activations(*, kind: ActivationKind = "kernel", max_degree: int = 3) -> SearchStrategy[Activation]:
    """Generate activations.

    Parameters
    ----------
    kind : {"kernel", "polynomial", "any"}
        "polynomial": in h, not constant; "kernel": what simulations take, relu, erf, tanh and polynomials; "any":
        the named ones too.
    max_degree : int
        Of polynomials.
    """
    checks.one_of("kind", kind, get_args(ActivationKind))
    polynomial = polynomials([ACTIVATION_VARIABLE], max_degree=max_degree, max_terms=3).filter(
        lambda expr: expr.has(ACTIVATION_VARIABLE)
    )
    names = {"kernel": KERNELS[:3], "polynomial": (), "any": tuple(NAMED)}[kind]
    # From text, so that a failing example prints as one.
    made = [polynomial.map(lambda expr: Activation(to_text(expr)))]
    return st.one_of([*made, st.sampled_from([Activation(name) for name in names])] if names else made)


def settings(
    *,
    target: SearchStrategy[Target] | None = None,
    activation: SearchStrategy[Activation] | None = None,
    max_neurons: int = 2,
    max_steps: int = 2,
) -> SearchStrategy[Setting]:
    """Generate experiments that every full-batch engine can run; the simplest is one step of one neuron.

    Parameters
    ----------
    target, activation : strategy, optional
        By default :func:`targets` and :func:`activations`.
    max_neurons, max_steps : int
    """
    return st.builds(
        Setting,
        target=targets() if target is None else target,
        activation=activations() if activation is None else activation,
        neurons=st.integers(1, max_neurons),
        alpha=st.sampled_from([1.0, 2.0, 0.5]),
        eta=st.sampled_from([0.1, 0.05, 0.02]),
        steps=st.integers(1, max_steps),
        weight_decay=st.sampled_from([0.0, 0.5]),
        loss=st.sampled_from(LOSSES),
        reuse=st.sampled_from([True, False]),
    )


def rotations(k: int) -> SearchStrategy[Matrix]:
    """Generate orthogonal k x k matrices with rational entries: products of up to two reflections.

    A reflection along an integer vector v is I - 2 v v^T / v.v; the simplest is the identity.
    """

    def reflect(vectors: Sequence[Sequence[int]]) -> Matrix:
        matrix = sp.eye(k)
        for v in vectors:
            column = sp.Matrix(v)
            matrix = matrix * (sp.eye(k) - 2 * column * column.T / column.dot(column))
        return tuple(tuple(matrix.row(i)) for i in range(k))

    vector = st.lists(st.integers(-3, 3), min_size=k, max_size=k).filter(any)
    return st.lists(vector, max_size=2).map(reflect)


def signed_permutations(k: int) -> SearchStrategy[Matrix]:
    """Generate k x k matrices with one entry +1 or -1 in every row and column."""

    def build(order: Sequence[int], signs: Sequence[int]) -> Matrix:
        return tuple(
            tuple(sp.Integer(s if j == image else 0) for j in range(k))
            for image, s in zip(order, signs, strict=True)
        )

    signs = st.lists(st.sampled_from([1, -1]), min_size=k, max_size=k)
    return st.builds(build, st.permutations(range(k)), signs)


def boolean_functions(*, max_coordinates: int = 4, labels: int = 2) -> SearchStrategy[Target]:
    """Generate functions on the cube, all with the same chance: targets with ``inputs="boolean"``, as polynomials.

    Parameters
    ----------
    max_coordinates : int
        At most 6; shrinks towards few.
    labels : int
        How many values there may be: 0, 1, …; two are -1 and 1.
    """
    if not (1 <= max_coordinates <= _MAX_BITS and labels >= 2):
        raise RebatchError(
            f"max_coordinates = {max_coordinates}, labels = {labels}; allowed are 1 to {_MAX_BITS}, and at least 2"
        )
    values = (1, -1) if labels == 2 else tuple(range(labels))

    def build(table: Sequence[int]) -> Target:
        k = len(table).bit_length() - 1
        terms = list(map(sp.Integer, table))
        # Halves: the value at z_i = 1 and -1 is the part without z_i plus or minus that with it.
        for i in range(k, 0, -1):
            pairs = zip(terms[::2], terms[1::2], strict=True)
            terms = [sp.expand((a + b) / 2 + (a - b) / 2 * coordinate(i)) for a, b in pairs]
        return Target(terms[0], k=k, inputs="boolean")

    tables = st.integers(1, max_coordinates).flatmap(
        lambda k: st.lists(st.sampled_from(values), min_size=2**k, max_size=2**k)
    )
    return tables.map(build)


def laws() -> SearchStrategy[Law]:
    """Generate laws of inputs with finitely many values; the simplest is the cube's."""
    probability = st.integers(2, 7).flatmap(lambda n: st.integers(1, n - 1).map(lambda m: f"{m}/{n}"))
    values = st.lists(st.integers(-3, 3), min_size=2, max_size=4, unique=True)
    return st.one_of(
        st.just("boolean"),
        probability.map(lambda p: f"biased({p})"),
        values.map(lambda some: f"uniform({', '.join(map(str, some))})"),
    ).map(law)


def transformed(target: Target, matrix: Matrix) -> Target:
    """Return z -> g(R z), the target in rotated coordinates."""
    z = target.coordinates
    images = {
        zi: sum(r * zj for r, zj in zip(row, z, strict=True)) for zi, row in zip(z, matrix, strict=True)
    }
    return Target(
        sp.expand(target.expr.xreplace(images)), k=target.k, noise_std=target.noise_std, inputs=target.inputs
    )


def _coefficients() -> SearchStrategy[sp.Rational]:
    numerators = st.integers(-4, 4).filter(bool)
    return st.builds(sp.Rational, numerators, st.sampled_from([1, 2, 3]))


def _ridges(k: int) -> SearchStrategy[str]:
    """Generate c f(<a, z> + b) as text."""
    z = [coordinate(i + 1) for i in range(k)]

    def build(name: str, direction: Sequence[int], threshold: int, weight: int) -> str:
        field = sp.Add(*(a * zi for a, zi in zip(direction, z, strict=True)), threshold)
        factor = {1: "", -1: "-"}.get(weight, f"{weight}*")
        return f"{factor}{name}({to_text(field)})"

    return st.builds(
        build,
        st.sampled_from(_RIDGES),
        st.lists(st.integers(-2, 2), min_size=k, max_size=k).filter(any),
        st.integers(-1, 1),
        st.integers(-3, 3).filter(bool),
    )


def _sum(terms: Sequence[str]) -> str:
    return " + ".join(terms).replace("+ -", "- ")
