"""How large an exact two-step formula is, before it is begun: a bound on the terms of its largest polynomial.

That polynomial is the signal g^1 in z, e and the parameters, omega averaged out (theory, 5); up to constants

    g^1 = a sigma'(h^1) (y - a sigma(h^1)),   h^1 = alpha eta z + (1 + eta lam + alpha eta) e + eta g^0 + eta omega

or, for Q^2, a product of two of them. A monomial of degree m in the fields gives B factors eta g^0, A factors
alpha eta and L factors eta lam with A + B + L <= m; a pair of omegas, alpha eta^2, counts as one of the first two
kinds each. Of the B factors g^0 each is a sigma' y or a^2 sigma' sigma: that bounds the degrees in z and e, and gives
the power of a.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import comb, isqrt

import numpy as np
from scipy.special import binom

from ..errors import TooLargeError
from ..exact.effort import EffortSpentError, effort

MAX_BYTES = 4 * 2**30

# Measured, for a term: in the ring, read out to be averaged (both longer by its exponents), and in an expression.
_KEPT, _KEPT_EXPONENT, _READ, _READ_EXPONENT, _EXPRESSION = 70, 2, 500, 10, 7000
# Units of work, a microsecond or so each.
_MOST_WORK = 30_000_000
# N^1, the covariance of omega and Q^1 have p^2 entries of 2, 1 and 4 terms at least.
_GRAM_TERMS = 7


def refuse_too_many(neurons: int) -> None:
    """Refuse a number of neurons of which p^2 entries alone will not fit, before any are written out.

    Raises
    ------
    TooLargeError
    """
    if (size := _GRAM_TERMS * neurons**2 * _EXPRESSION) > MAX_BYTES:
        most = isqrt(MAX_BYTES // (_GRAM_TERMS * _EXPRESSION))
        raise TooLargeError(
            f"formulas for {neurons} neurons have {neurons**2:,} entries, about {size / 2**30:.2g} GiB; allowed are "
            f"{most} neurons or fewer"
        )


@contextmanager
def bounded(neurons: int) -> Iterator[None]:
    """Bound the work on formulas of so many neurons: what fits in memory may still take hours.

    Raises
    ------
    TooLargeError
        If there are too many, or the work is more than is allowed.
    """
    refuse_too_many(neurons)
    try:
        with effort(_MOST_WORK):
            yield
    except EffortSpentError:
        raise TooLargeError(
            f"the formula of {neurons} neuron(s) takes over half a minute to write out, and as long to read; "
            "fewer neurons, lower degrees or orders and correlation loss need less, numbers need none of it"
        ) from None


@dataclass(frozen=True)
class Size:
    """What the size of a formula depends on.

    Attributes
    ----------
    k, p : int
        Coordinates, the label noise counted as one, and neurons.
    target, activation : int
        Their degrees.
    squared : bool
        Whether the residual holds the network's output.
    scales : int
        Independent symbols of the readout.
    orthonormal : bool
        Whether M^0 = 0 and Q^0 = I: then the fields h^0 do not contain z, nor under correlation loss one another.
    norms : bool
        Whether rows are scaled back, by a symbol for each neuron.
    """

    k: int
    p: int
    target: int
    activation: int
    squared: bool
    scales: int = 1
    orthonormal: bool = True
    norms: bool = False

    def terms(self, *, grams: bool) -> float:
        """Return a bound on the terms of the largest polynomial on the way to M^2, or to Q^2 if `grams`."""
        return sum(self._parts(grams=grams))

    def _parts(self, *, grams: bool) -> Iterator[float]:
        """Yield the parts of that bound, largest degrees in the fields first."""
        # Monomials of g^1: (degree in the fields, power of y).
        signals = [(self._slope, 1)] + [(self._slope + self.activation, 0)] * self.squared
        if grams:
            signals = [(m + n, y + x) for (m, y), (n, x) in product(signals, repeat=2)]
        neurons = self.p if self.squared else 1 + grams
        fields = neurons if self.orthonormal else self.p
        for m, labels in sorted(set(signals), reverse=True):
            readouts = comb(m + self.scales, self.scales - 1)
            for n in range(m, -1, -1) if self.norms else [m]:
                weight = readouts * (comb(n + neurons - 1, n) if self.norms else 1)
                yield from (weight * part for part in self._expanded(n, labels, fields))

    def by_letters(self) -> bool:
        """Whether tables of products of factors are shorter than g^1 written out, and there are any (letters.py)."""
        if not self.orthonormal or self.norms:
            return False
        most, terms = self.letters(), 0.0
        for part in self._parts(grams=False):
            terms += part
            if terms > most:
                return True
        return False

    def letters(self) -> float:
        """Return a bound on the terms of the tables on the way to M^2, and of the highest power of y in them."""
        letters = self.k + self.p + 1 + self.p * self.squared
        powers = self._slope + self.activation * self.squared
        terms = comb(self._slope + letters, letters) + comb(self.target * (powers + 1) + self.k, self.k)
        if self.squared:
            terms += comb(powers + letters, letters)
        if self.squared and self.p > 1:
            terms += comb(self._slope + letters, letters) * comb(self.activation + letters, letters)
        return float(terms)

    def refuse_if_too_large(self, *, grams: bool) -> None:
        """Refuse a formula that will not fit in memory; the count ends where that is clear.

        Raises
        ------
        TooLargeError
        """
        by_letters = not grams and self.by_letters()
        variables = self.k + self.p + 3 + self.scales + self.norms * self.p
        if by_letters:
            variables = 6 * self.p + 3 * self.k + 3
        each = _READ + _READ_EXPONENT * variables + self.p * (_KEPT + _KEPT_EXPONENT * variables)
        terms = 0.0
        for part in [self.letters()] if by_letters else self._parts(grams=grams):
            terms += part
            size = terms * each + _GRAM_TERMS * self.p**2 * _EXPRESSION
            if size > MAX_BYTES:
                raise TooLargeError(
                    f"the formula may need {terms:.2g} terms on its way or more, over {size / 2**30:.2g} GiB for it "
                    f"all; at most {MAX_BYTES / 2**30:g} GiB are allowed. Lower degrees, fewer neurons "
                    "or correlation loss need less; a series in eta and numbers need none of it"
                )

    @property
    def _slope(self) -> int:
        return max(self.activation - 1, 0)

    def _expanded(self, m: int, labels: int, fields: int) -> Iterator[float]:
        """Yield parts of a bound on the terms of monomials of degree m in fields h^1, times y^labels."""
        for B in range(m + 1):
            for A in range(m - B + 1):
                # alpha^A eta^(A + B + L) lam^L; a factor z needs one alpha. Under squared loss every factor alpha or
                # g^0 brings a or a^2, which gives A + B + 1 powers of a: with each come the numbers of labels below.
                powers_of_a = (
                    [range(max(0, power - A), min(B, power) + 1) for power in range(A + B + 1)]
                    if self.squared
                    else [range(B, B + 1)]
                )
                for seen in powers_of_a:
                    yield (m - B - A + 1) * self._monomials(B, A, m - B, labels, seen, fields)

    def _monomials(self, B: int, A: int, left: int, labels: int, seen: range, fields: int) -> float:
        """Return the number of monomials in z and e, of B factors g^0 with these possible numbers of labels."""
        with_labels = np.array(seen)[:, None]
        in_z = (with_labels + labels) * self.target + (A if self.orthonormal else left)
        in_e = B * self._slope + (B - with_labels) * self.activation + left
        together = (with_labels + labels) * self.target + in_e
        n = np.arange((in_z if self.orthonormal else together).max() + 1)
        rest = np.minimum(in_e, together - n)
        if self.orthonormal:
            rest = np.where(in_z >= n, rest, -1)
        return float(binom(n + self.k - 1, n) @ binom(rest.max(axis=0) + fields, fields))
