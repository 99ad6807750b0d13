"""The moments E[y^m z^S] of a target and E[h^b prod sigma^(n)^e_n] of an activation (theory, 5.2)."""

from collections.abc import Iterator, Sequence
from functools import cache, cached_property, lru_cache

import sympy as sp

from ..calculus.gaussian import Products, expectation
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How
from ..language.noise import Noise
from ..language.symbols import ACTIVATION_VARIABLE, coordinate
from ..language.target import Target
from .activation import Activation
from .network import exact

# What stands in a derivative beyond the functions.
_NO_FUNCTIONS = (sp.DiracDelta, sp.Derivative, sp.Subs)
# How many of its errors a float must be away from 0.
_AWAY = 100


class NoMomentError(RebatchError):
    """A coefficient of the series that does not exist, or is not known well enough; the message says why."""


@lru_cache(maxsize=8)
def moments_of(target: Target, activation: Activation | None) -> "Moments":
    """Reuse and one pass ask for the same moments."""
    return Moments(target, activation)


def noisy_terms(m: int, noise: Noise | None) -> Iterator[tuple[int, sp.Expr]]:
    """Yield the pairs (n, c) of E[y^m w] = sum c E[g^n w] of a label with noise, for w a function of z.

    y = g + s xi with xi independent of z: c = binom(m, j) s^j E[xi^j] at n = m - j. A flipped label: c = E[xi^m] at
    n = m, xi = -1 with the probability of a flip, else 1.

    Raises
    ------
    NoMomentError
        If the noise has no moment of that order.
    """
    if noise is None:
        yield m, sp.Integer(1)
    elif noise.family == "flip":
        yield m, noise_moment(noise, m)
    else:
        noise_moment(noise, m)  # where there is none, no average of y^m exists
        for j in range(0, m + 1, 2):
            yield m - j, sp.binomial(m, j) * exact(noise.size) ** j * noise_moment(noise, j)


def noise_moment(noise: Noise, m: int) -> sp.Rational:
    """Return E[xi^m] of noise of variance 1, or of the sign of a label that is flipped.

    Raises
    ------
    NoMomentError
        If there is none: Student's law has those below its degrees of freedom.
    """
    if noise.family == "flip":
        return sp.Integer(1) if m % 2 == 0 else 1 - 2 * exact(noise.size)
    if noise.freedom is not None and m >= exact(noise.freedom):
        raise NoMomentError(
            f"label noise {noise} has no moment of order {m}; allowed are those below {exact(noise.freedom)}"
        )
    if m % 2:
        return sp.Integer(0)
    if noise.family == "laplace":
        return sp.factorial(m) / sp.Integer(2) ** (m // 2)
    if noise.family == "uniform":
        return sp.Rational(3 ** (m // 2), m + 1)
    if noise.freedom is not None:
        nu = exact(noise.freedom)
        return sp.prod((nu - 2) * (j - 1) / (nu - j) for j in range(2, m + 1, 2))
    return sp.factorial2(m - 1)


class Moments:
    """The moments of target and activation, each computed once; `values` has those that are no exact numbers."""

    def __init__(self, target: Target, activation: Activation | None) -> None:
        self.target, self.activation = target, activation
        self.values: dict[sp.Symbol, Expectation] = {}
        self.label = cache(self._label)
        self.field = cache(self._field)
        self.require = cache(self._require)
        self._derivative = cache(self._nth)
        self._products = Products([coordinate(1)])
        self._is_relu = activation is not None and activation.kernel == "relu"
        self._kinked = activation is not None and sp.diff(activation.expr, ACTIVATION_VARIABLE, 2).has(
            *_NO_FUNCTIONS
        )

    def _label(self, m: int, S: tuple[int, ...]) -> sp.Expr:
        """E[y^m z^S], y = g(z) + s xi, with z^S of the standardised coordinates that a network sees."""
        law = self.target.inputs
        laws = law.each(self.target.k)
        z = sp.Mul(*((coordinate(i + 1) - laws[i].mean) ** n for i, n in enumerate(S)))
        scale = sp.Mul(*(sp.sqrt(laws[i].variance) ** n for i, n in enumerate(S)))
        total = Expectation.exact(0)
        for n, weight in noisy_terms(m, self.target.noise):
            power = self.target.expr**n * z
            total += expectation(Target(power, k=self.target.k, inputs=law)) * (weight / scale)
        return self._known(_label_symbol(m, S), total)

    def _field(self, b: int, powers: tuple[int, ...]) -> sp.Expr:
        """E[h^b prod_n sigma^(n)(h)^powers[n]]."""
        if self.activation is None:
            return self._universal(b, powers)
        if self._is_relu:
            return self._relu(b, [n for n, e in enumerate(powers) for _ in range(e)])
        if self._is_odd(b, powers):
            return sp.Integer(0)
        factors = [(self._derivative(n), e) for n, e in enumerate(powers) if e]
        if any(f.has(*_NO_FUNCTIONS) for f, _ in factors):
            raise NoMomentError(
                f"the moment {_symbol(b, powers)} of {self.activation} is no integral of functions"
            )
        return self._known(_symbol(b, powers), self._products.expectation([(coordinate(1), b), *factors]))

    def _nth(self, n: int) -> sp.Expr:
        """Return sigma^(n) in the coordinate that stands for h."""
        if n == 0:
            assert self.activation is not None
            return self.activation.expr.xreplace({ACTIVATION_VARIABLE: coordinate(1)})
        return sp.diff(self._derivative(n - 1), coordinate(1))

    def _is_odd(self, b: int, powers: tuple[int, ...]) -> bool:
        """Whether h^b prod sigma^(n)^powers[n] is odd, by the parity of the derivatives from one on."""
        first = self._even_derivative
        odd = b + sum(e for n, e in enumerate(powers) if (n - first) % 2)
        return first > 0 and not any(powers[:first]) and odd % 2 == 1

    @cached_property
    def _even_derivative(self) -> int:
        """The least n of 1 and 2 for which sigma^(n) is even, as for sigmoid and softplus; 0 if none is."""
        h = ACTIVATION_VARIABLE
        for n in (1, 2):
            slope = sp.diff(self.activation.expr, h, n) if self.activation else sp.Integer(1)
            if not slope.has(*_NO_FUNCTIONS) and sp.simplify(slope - slope.xreplace({h: -h})) == 0:
                return n
        return 0

    def _universal(self, b: int, powers: tuple[int, ...]) -> sp.Expr:
        """Return the moment of any smooth sigma without h: E[h^b F] = (b - 1) E[h^(b-2) F] + E[h^(b-1) F']."""
        if not b:
            return _symbol(0, powers)
        total = (b - 1) * self.field(b - 2, powers) if b > 1 else sp.Integer(0)
        for n, e in enumerate(powers):
            if e:
                slope = [*powers, 0]
                slope[n] -= 1
                slope[n + 1] += 1
                total += e * self.field(b - 1, tuple(slope))
        return total

    def _require(self, b: int, powers: tuple[int, ...]) -> None:
        """Refuse a moment across a kink that does not exist, whatever stands beside it.

        A sample that moves across the kink by its own g^0 counts on one side only. That ties label and field
        together: a moment of the label that is 0 does not make it 0.
        """
        if self._kinked:
            self.field(b, powers)

    def _relu(self, b: int, used: list[int]) -> sp.Expr:
        """Moments of relu, whose second derivative is a delta at 0.

        The delta is multiplied by what is continuous at 0 only. A factor that jumps there, as g^0 does, moves h
        across the kink on one side and not on the other: a step that is reused has no Taylor series beyond eta.
        """
        singular = [n for n in used if n >= 2]
        h = coordinate(1)
        if not singular:
            # relu^m H^n h^b is h^(m + b) on the half line, as soon as one factor is there.
            half_line = sp.Heaviside(h) if used else sp.Integer(1)
            return self._known(_symbol(b, _counted(used)), expectation(h ** (b + used.count(0)) * half_line))
        if singular == [2] and b + used.count(0) > 0:
            return sp.Integer(0)
        if len(used) > 1:
            raise NoMomentError(
                f"the moment {_symbol(b, _counted(used))} of relu multiplies its delta at 0 by a function that jumps "
                "there, and is not defined: the series ends before it"
            )
        n = singular[0] - 2
        density = sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi)
        return (-1) ** n * sp.diff(h**b * density, h, n).subs(h, 0)

    def _known(self, symbol: sp.Symbol, value: Expectation) -> sp.Expr:
        """Return a moment: the number if it is exact, else its symbol, the value kept beside it."""
        if value.how is How.EXACT:
            return value.value
        if value.is_zero():
            return sp.Integer(0)
        if value.is_zero() is None and abs(float(value)) <= _AWAY * value.error:
            raise NoMomentError(f"the moment {symbol} is known only as {value}, which may be 0")
        self.values[symbol] = value
        return symbol


def _counted(orders: Sequence[int]) -> tuple[int, ...]:
    return tuple(orders.count(n) for n in range(max(orders, default=0) + 1))


def _symbol(b: int, powers: tuple[int, ...]) -> sp.Symbol:
    """Return the symbol of E[h^b prod sigma^(n)^e_n], named as theory writes it."""
    if not b and not any(powers):
        return sp.Integer(1)
    factors = [f"h^{b}" if b > 1 else "h"] if b else []
    for n, e in enumerate(powers):
        if e:
            prime = "'" * n if n <= 3 else f"^({n})"
            factors.append(f"sigma{prime}" + (f"^{e}" if e > 1 else ""))
    return sp.Symbol(f"E[{' '.join(factors)}]", real=True)


def _label_symbol(m: int, S: tuple[int, ...]) -> sp.Symbol:
    names = ["y", *(f"z{i + 1}" for i in range(len(S)))]
    factors = [name if n == 1 else f"{name}^{n}" for name, n in zip(names, (m, *S), strict=True) if n]
    return sp.Symbol(f"E[{' '.join(factors)}]", real=True)
