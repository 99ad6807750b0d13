"""Is every formula tested? Break one at a time, and see whether the quick tests notice.

Each mutant replaces one piece of text in a copy of the project, rebuilds what is compiled where needed, and runs the
tests of that part, then, if they pass, the whole quick tier. A mutant that survives is a missing test. Run it with
`make mutants`; it writes docs/mutants.md and ends with exit code 1 if one survives.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a copy leaves behind: environments, history, results, what the build and the tests write.
_LEFT = shutil.ignore_patterns(
    ".venv", ".git", "results", "build", "*.egg-info", ".*_cache", "__pycache__", ".hypothesis"
)
_LIMIT = 3600
WORKERS = 2


@dataclass(frozen=True)
class Mutant:
    """One wrong formula.

    Attributes
    ----------
    what : str
        What is wrong with it.
    path : str
        The file it is in.
    right, wrong : str
        The text, which occurs once, and what replaces it.
    tests : str
        Patterns of the test files that are run first, below tests/ and with spaces between.
    """

    what: str
    path: str
    right: str
    wrong: str
    tests: str


MUTANTS = (
    Mutant("even moments of one neuron's factor that do not grow", "symbolic/overlap/letters.py",
           "moment *= m + 1", "moment *= m", "symbolic/overlap/test_letters"),
    Mutant("a gradient that sees the slope of the pair's first neuron", "symbolic/overlap/letters.py",
           "own[k + p] * t[j] * residual", "own[k + p] * t[0] * residual", "symbolic/overlap/test_letters"),
    Mutant("coefficients of a pair in the order of all neurons", "symbolic/overlap/letters.py",
           "*(n[of] for of in order), G)", "*n, G)", "symbolic/overlap/test_letters"),
    Mutant("a branch that is 0 has the sign of a positive number", "symbolic/proofs/gradients.py",
           "    if u.is_zero:\n        return 0", "    if u.is_zero:\n        return 1",
           "symbolic/proofs/test_gradients"),
    Mutant("gradients counted without a proof that they are independent", "symbolic/proofs/gradients.py",
           "abs(row[_pivot(row)]) > 0", "bool(row)", "symbolic/proofs/test_gradients"),
    Mutant("a statement about an algorithm is known as an enclosure", "symbolic/exact/known.py",
           "if not fact.is_proof)])", ")])", "symbolic/**/test_samples"),
    Mutant("look-ahead without its square", "symbolic/phases/look_ahead.py",
           "Fraction(-2 * (self.k - 1))", "Fraction(-(self.k - 1))", "symbolic/phases/*"),
    Mutant("look-ahead: the activation's moment of order i", "symbolic/phases/look_ahead.py",
           "pair.i - 1 + level", "pair.i + level", "symbolic/phases/*"),
    Mutant("look-ahead: the field's overlap with what is known forgotten", "symbolic/phases/look_ahead.py",
           "pair.i - 1 + level", "pair.i - 1", "symbolic/phases/*"),
    Mutant("look-ahead: the sign of rho from the label alone", "symbolic/phases/look_ahead.py",
           "frozenset(sign * factor for sign in signs)", "frozenset(signs)", "symbolic/phases/*"),
    Mutant("look-ahead: logarithm at order 1", "symbolic/phases/look_ahead.py",
           "return self.i == 2", "return self.i == 1", "symbolic/phases/*"),
    Mutant("look-ahead: breakpoints at the wrong crossing", "symbolic/phases/look_ahead.py",
           "Fraction(difference, 2 * (j - k))", "Fraction(difference, j - k)", "symbolic/phases/*"),
    Mutant("the step of large batches stays stable", "symbolic/phases/batch.py",
           "max(Fraction(order, 2), _ONE) - mu)", "max(Fraction(order, 2), _ONE) - 2 * mu)", "symbolic/phases/*"),
    Mutant("crossing a kink from above with the wrong sign", "symbolic/phases/slopes.py",
           "(-1) ** (k - 1) * sp.Max", "(-1) ** k * sp.Max", "symbolic/phases/*"),
    Mutant("crossing a kink without its factorial", "symbolic/phases/slopes.py",
           "sp.Integer(factorial(k - 1))", "sp.Integer(factorial(k))", "symbolic/phases/*"),
    Mutant("even moments (n - 1)!! off by one", "symbolic/calculus/moments.py",
           "odd_products[exponent // 2]", "odd_products[exponent // 2 - 1]", "symbolic/**/test_gaussian"),
    Mutant("heat semigroup without its 1/2", "symbolic/calculus/moments.py",
           "fmpq(1, 2 * order)", "fmpq(1, order)", "symbolic/**/test_gaussian"),
    Mutant("Hermite coefficient without S!", "symbolic/calculus/hermite_form.py",
           "tuple(map(int, S)): c * prod(factorial(n) for n in S)", "tuple(map(int, S)): c",
           "symbolic/**/test_hermite"),
    Mutant("Hermite coefficients with a wrong recursion", "symbolic/language/symbols.py",
           "// (2 * (j + 1))", "// (2 * j + 1)", "symbolic/**/test_hermite"),
    Mutant("leap greedy by total degree, not by uncovered degree", "symbolic/learnability/polynomial.py",
           "(degrees[S], sum(S), ", "(sum(S), degrees[S], ", "symbolic/**/test_exponents"),
    Mutant("an even polynomial has generative exponent 1", "symbolic/learnability/polynomial.py",
           "Exponent(2, How.THEOREM", "Exponent(1, How.THEOREM", "symbolic/**/test_exponents"),
    Mutant("reflection without its factor 2", "symbolic/proofs/symmetry.py",
           "2 * v[i] * v[j] / size", "v[i] * v[j] / size", "symbolic/**/test_symmetry"),
    Mutant("rotation by pi / m for 2 pi / m", "symbolic/proofs/rotations.py",
           "f(2 * sp.pi / m)", "f(sp.pi / m)", "symbolic/**/test_symmetry"),
    Mutant("parity of y^m taken as that of y", "symbolic/learnability/parity.py",
           "(power % 2 if sign < 0 else 0)", "(1 if sign < 0 else 0)", "symbolic/**/test_searched"),
    Mutant("variance 1 / (1 + b m) for 1 / (1 + 2 b m)", "symbolic/proofs/moment_identity.py",
           "(1 + 2 * b * m)", "(1 + b * m)", "symbolic/**/test_moment_identity"),
    Mutant("level sets weighted by |g'| for 1 / |g'|", "symbolic/proofs/level_sets.py",
           "np.exp(-(roots**2) / 2) / slopes", "np.exp(-(roots**2) / 2) * slopes", "symbolic/**/test_level_sets"),
    Mutant("(1 - 2q)^(-1/2) with the wrong branch", "symbolic/calculus/elimination.py",
           "imaginary = -sp.sign(b)", "imaginary = sp.sign(b)", "symbolic/**/test_elimination"),
    Mutant("exp(l^2 / 2) without its 1/2", "symbolic/calculus/elimination.py",
           "algebra.reduced(linear * linear * fmpq(1, 2))", "algebra.reduced(linear * linear)",
           "symbolic/**/test_elimination"),
    Mutant("the density r^n of a radius for r^(n-1)", "symbolic/calculus/radial.py",
           "return len(self.left)", "return len(self.left) + 1", "symbolic/**/test_radial"),
    Mutant("E|t|^j with Gamma(j/2) for Gamma((j+m)/2)", "symbolic/calculus/radial.py",
           "sp.gamma(sp.Rational(j + self.m, 2))", "sp.gamma(sp.Rational(j + 1, 2))", "symbolic/**/test_radial"),
    Mutant("turns with the wrong sense: x d_y f = -y d_x f", "symbolic/calculus/radial.py",
           "x * f.diff(y) - y * f.diff(x)", "x * f.diff(y) + y * f.diff(x)", "symbolic/**/test_radial"),
    Mutant("what is averaged out has variance 1 + Pi for 1 - Pi", "symbolic/calculus/span.py",
           "fmpq(int(i == j)) - projection[i, j]", "fmpq(int(i == j)) + projection[i, j]", "symbolic/**/test_span"),
    Mutant("the law at the pivots is R R' for its inverse", "symbolic/calculus/span.py",
           "covariance = _inverse_gram(self.span).tolist()", "covariance = _inverse_gram(self.span).inv().tolist()",
           "symbolic/**/test_span"),
    Mutant("smooth steps that are alike counted once", "symbolic/calculus/closed_form.py",
           "self._reach[h][i] * alike", "self._reach[h][i]", "symbolic/**/test_closed_form"),
    Mutant("e^w tanh(w) = e^w + sech(w)", "symbolic/calculus/algebra.py",
           "below - rest * S", "below + rest * S", "symbolic/**/test_existence"),
    Mutant("sech^2 = 1 + tanh^2", "symbolic/calculus/algebra.py",
           "(1 - T * T)", "(1 + T * T)", "symbolic/**/test_existence"),
    Mutant("only rational exponents ask for a base that is not negative", "symbolic/calculus/domain.py",
           "elif part.is_Pow and part.base.free_symbols:",
           "elif part.is_Pow and part.base is not sp.E and part.exp.is_Rational:",
           "symbolic/**/test_domain"),
    Mutant("odd moments of noise exist", "symbolic/overlap/moments.py",
           'if noise.freedom is not None and m >=', 'if noise.freedom is not None and m % 2 == 0 and m >=',
           "symbolic/**/test_noise"),
    Mutant("parity before existence", "symbolic/calculus/gaussian.py",
           "if not (integrable := is_integrable(self.reader, rest)):", "if not (integrable := True):",
           "symbolic/**/test_existence"),
    Mutant("growing parts never cancel", "symbolic/calculus/existence.py",
           "if self._amplitude_remains(together):", "if together:", "symbolic/**/test_existence"),
    Mutant("Horner's form loses powers that are left out", "symbolic/calculus/nested.py",
           "total * x ** (last - degree) if", "total * x if", "symbolic/**/test_nested"),
    Mutant("oscillation on a grid is not seen", "symbolic/calculus/cubature.py",
           "|= bend > most", "|= bend > 10 * most", "symbolic/**/test_cubature"),
    Mutant("thresholds in the wrong order", "symbolic/calculus/algebra.py",
           "exponents[present[-1]] = 1", "exponents[present[0]] = 1", "symbolic/**/test_normal_form"),
    Mutant("a tie is never counted", "symbolic/calculus/normal_form.py",
           "at_zero = int(isinstance(condition, sp.Ge | sp.Le))", "at_zero = 0", "symbolic/**/test_normal_form"),
    Mutant("an exception in an integral is lost", "symbolic/exact/integral.py",
           "            failure.append(error)\n", "", "symbolic/**/test_integral"),
    Mutant("what is remembered costs nothing", "symbolic/exact/effort.py",
           "_charge([work for work in _limits() if (self, key) not in work.paid], self._known[key][1])", "pass",
           "symbolic/**/test_effort"),
    Mutant("He_n by the wrong recurrence", "symbolic/language/compiled.py",
           "(u * here - np.sqrt(n) * before)", "(u * here - np.sqrt(n + 1) * before)",
           "symbolic/**/test_compiled"),
    Mutant("1 + erf(u) is erfc(u)", "symbolic/language/stable.py",
           "inside(-f.args[0] if factor == c else f.args[0])", "inside(f.args[0])",
           "symbolic/**/test_compiled"),
    Mutant("a closed step times infinity", "symbolic/language/compiled.py",
           "np.multiply(step, np.where(np.equal(step, 0), 0.0, value))", "np.multiply(step, value)",
           "symbolic/**/test_compiled"),
    Mutant("the majorant of a sum is that of a product", "symbolic/calculus/tail.py",
           "Majorant(self.c + other.c, max(", "Majorant(self.c * other.c, max(",
           "symbolic/**/test_tail"),
    Mutant("irrational numbers in order of floats", "symbolic/exact/irrational.py",
           "return _sign(self - other) < 0", "return float(self) < as_float(other)", "symbolic/**/test_irrational"),
    Mutant("a separation bound without the degree of the circle", "symbolic/exact/ball.py",
           "bits = ((degree - 1) * log_u + log_l) / log(2) + 64", "bits = 64", "symbolic/**/test_expectation"),
    Mutant("minus an irrational number is the number", "symbolic/exact/irrational.py",
           "return Real(-self.known)", "return Real(self.known)", "symbolic/**/test_searched"),
    Mutant("a root under a common factor", "symbolic/exact/surds.py",
           "+ c * e * common", "+ c * e", "symbolic/**/test_surds"),
    Mutant("powers of a sum without 1 / j!", "symbolic/proofs/structure.py",
           "part.moment(j, S) * sp.Rational(1, factorial(j))", "part.moment(j, S)", "symbolic/**/test_structure"),
    Mutant("a product raised to a power keeps its factor", "symbolic/proofs/structure.py",
           "Expectation.exact(self.factor**power)", "Expectation.exact(self.factor)", "symbolic/**/test_structure"),
    Mutant("the power of a power is its sum", "symbolic/proofs/structure.py",
           "self.exponent * power, S", "self.exponent + power, S", "symbolic/**/test_structure"),
    Mutant("a factor of mean 0 hides a factor without a mean", "symbolic/proofs/structure.py",
           "moments = [part.moment(power, S) for part in self.parts]",
           "moments = [self.parts[0].moment(power, S)]", "symbolic/**/test_structure"),
    Mutant("variances of a framed polynomial left out", "symbolic/exact/frame.py",
           "tuple(1 / dot(b, b) for b in self.basis)", "tuple(fmpq(1) for b in self.basis)",
           "symbolic/**/test_frame"),
    Mutant("information exponent n costs d^n online", "symbolic/learnability/samples.py",
           "max((exponent.value or 0) - 1, 1)", "max((exponent.value or 0), 1)", "symbolic/**/test_samples"),
    Mutant("a conjecture is called a theorem", "symbolic/learnability/samples.py",
           "L, How.CONJECTURE, ", "L, How.THEOREM, ", "symbolic/**/test_samples"),
    Mutant("an algorithm is as sure as the exponent", "symbolic/learnability/samples.py",
           "by_law(law, [exponent.how])", "exponent.how", "symbolic/**/test_samples"),
    Mutant("what falls between the points of a grid is forgotten", "symbolic/calculus/cubature.py",
           "error += missed if missed > _TOLERANCE * size else 0.0", "error += 0.0", "symbolic/**/test_sharp"),
    Mutant("a grid that hits or misses is believed", "symbolic/calculus/cubature.py",
           "random if erratic else min(", "min(", "symbolic/**/test_sharp"),
    Mutant("a mean is known however heavy the tail", "symbolic/calculus/cubature.py",
           "< _LIGHT:", "< 0:", "symbolic/**/test_sharp"),
    Mutant("lines that differ in both signs count", "symbolic/calculus/sharp.py",
           "abs(float(np.sum(differences))) >= _ONE_SIDED * size", "size > 0", "symbolic/**/test_sharp"),
    Mutant("what gradients do not show is not needed", "symbolic/proofs/exponentials.py",
           "same = is_identity_of_exponentials(difference) or is_zero_on_cells(difference)", "same = True",
           "symbolic/proofs/test_exponentials"),
    Mutant("exponents without their signs", "symbolic/proofs/exponentials.py",
           "variables[m] ** (c * scales[m])", "variables[m] ** abs(c * scales[m])",
           "symbolic/proofs/test_exponentials"),
    Mutant("two axes of a plane are taken to be of one length", "symbolic/proofs/rotations.py",
           " * square ** (roots // 2)", "", "symbolic/proofs/test_frames"),
    Mutant("a map is taken for orthogonal", "symbolic/proofs/frames.py",
           "fmpq_mat(rows) * fmpq_mat(rows).transpose() == identity(len(rows))", "rows",
           "symbolic/proofs/test_frames"),
    Mutant("one polynomial is fixed, so the target is", "symbolic/proofs/fixers.py",
           "all(part.fixes(matrix) for part in self._parts)", "any(part.fixes(matrix) for part in self._parts)",
           "symbolic/proofs/test_frames"),
    Mutant("a continuous rotation leaves its conic", "symbolic/proofs/turns.py",
           "(1 - x * x) * U", "(1 - x) * U", "symbolic/proofs/test_frames"),
    Mutant("turns without the lengths of the axes", "symbolic/proofs/turns.py",
           "slopes[i] * t[j] * sizes[j]", "slopes[i] * t[j]", "symbolic/proofs/test_frames"),
    Mutant("two steps on the cube are a theorem", "symbolic/learnability/samples.py",
           "law = How.THEOREM if gaussian else How.CONJECTURE", "law = How.THEOREM", "symbolic/**/test_samples"),
    Mutant("sigma for sigma' in the signal", "symbolic/overlap/ring.py",
           "sigma_prime = self._sigma.derivative(0)", "sigma_prime = self._sigma", "symbolic/**/test_two_steps"),
    Mutant("no weight decay in N^1", "symbolic/overlap/ring.py",
           "decay * int(i == j) + step", "int(i == j) + step", "symbolic/**/test_two_steps"),
    Mutant("covariance of omega without alpha", "symbolic/overlap/ring.py",
           "self.alpha * self.expectation(gi * gj)", "self.expectation(gi * gj)", "symbolic/**/test_two_steps"),
    Mutant("omega scaled by sqrt(eta)", "symbolic/overlap/ring.py",
           "self.eta**2 * s[i] * s[j] * C[i][j]", "self.eta * s[i] * s[j] * C[i][j]", "symbolic/**/test_two_steps"),
    Mutant("reuse forgets eta g^0", "symbolic/overlap/ring.py",
           "s[j] * (A + self.eta * self.g0[j] if reuse else A)", "s[j] * A", "symbolic/**/test_two_steps"),
    Mutant("the start's covariance for its inverse in N^1", "symbolic/overlap/ring.py",
           "_dot(ge[i], self.S_inverse[j])", "_dot(ge[i], self.S[j])", "symbolic/**/test_two_steps"),
    Mutant("Taylor series without 1 / q!", "symbolic/overlap/expansion.py",
           "self.derivative(gj) * fmpq(1, q)", "self.derivative(gj)", "symbolic/**/test_series"),
    Mutant("one power of sigma' too few", "symbolic/overlap/suitability.py",
           "powers[1] += m - 1", "powers[1] += m - 2", "symbolic/**/test_suitability"),
    Mutant("an odd activation is even", "symbolic/overlap/suitability.py",
           "if sp.simplify(sigma.expr - mirrored) == 0:", "if sp.simplify(sigma.expr**2 - mirrored**2) == 0:",
           "symbolic/**/test_suitability"),
    Mutant("a kink carries samples across on both sides", "symbolic/overlap/kinks.py",
           "a * self.left, a * self.right", "a * self.right, a * self.right", "symbolic/**/test_suitability"),
    Mutant("a kink without the density of the field", "symbolic/overlap/kinks.py",
           "density * (self.right - self.left)", "self.right - self.left", "symbolic/**/test_suitability"),
    Mutant("no derivative that vanishes at 0 is looked for", "symbolic/overlap/hypothesis.py",
           "return j, False", "continue", "symbolic/**/test_suitability"),
    Mutant("the climbed function without 1 / j!", "symbolic/overlap/drift.py",
           "x * y * sp.Rational(1, factorial(j))", "x * y", "symbolic/**/test_drift"),
    Mutant("a double root is no root", "symbolic/overlap/drift.py",
           "return inside == 0 and", "return inside <= 1 and", "symbolic/**/test_drift"),
    Mutant("a negative start is driven as a positive one", "symbolic/overlap/drift.py",
           "j * sign**j", "j", "symbolic/**/test_drift"),
    Mutant("a series that does not end leaves nothing out", "symbolic/overlap/drift.py",
           "Expectation.enclosed(arb(0, total.upper()))", "Expectation.exact(0)", "symbolic/**/test_drift"),
    Mutant("decimals of balls cut to what a person reads", "symbolic/overlap/series.py",
           "_BALL_DIGITS, _FLOAT_DIGITS = 25, 15", "_BALL_DIGITS, _FLOAT_DIGITS = 8, 8", "symbolic/**/test_series"),
    Mutant("a constant assigned twice", "symbolic/overlap/series.py",
           "_DECIMAL_ERROR = 1e-12", "_DECIMAL_ERROR = 1e-12\n_DECIMAL_ERROR = 1e-3", "test_house"),
    Mutant("a false example in a docstring", "symbolic/language/symbols.py",
           "(0, -3, 0, 1)", "(0, -3, 0, 2)", "test_docs"),
    Mutant("weight decay with the wrong sign in the series", "symbolic/overlap/expansion.py",
           'self[f"w{j + 1}"] - self["lam"]', 'self[f"w{j + 1}"] + self["lam"]', "symbolic/**/test_series"),
    Mutant("slope of erf without 2 / sqrt(pi)", "kernels/activations.pxd",
           "return M_2_SQRTPI * exp(-h * h)", "return exp(-h * h)", "kernels/**/test_signals"),
    Mutant("slope of tanh with one factor 1 + exp(-2|h|) for two", "kernels/activations.pxd",
           "4.0 * total / ((1.0 + total) * (1.0 + total))", "4.0 * total / (1.0 + total)", "kernels/**/test_online"),
    Mutant("slope of tanh 1 - t, where its value is at hand", "kernels/activations.pxd",
           "1.0 - result * result if", "1.0 - result if", "kernels/**/test_signals"),
    Mutant("squared residual y + f", "kernels/limit.pyx",
           "else y[i] - output", "else y[i] + output", "kernels/**/test_limit"),
    Mutant("Sobol net: the tails of both signs", "kernels/normals.h",
           "copysign(in_the_tail(minus_log(0.5 - fabs(q))), q)", "in_the_tail(minus_log(0.5 - fabs(q)))",
           "numeric/test_nets"),
    Mutant("Sobol net: one power of two of the number forgotten", "numeric/nets.py",
           "if number >> bit & 1)", "if bit and number >> bit & 1)", "numeric/test_nets"),
    Mutant("v = zeta + gamma for zeta + gamma / sqrt(alpha)", "kernels/limit.pyx",
           "+= inverse_sqrt_alpha * new", "+= new", "kernels/**/test_limit"),
    Mutant("a part of a vector's lanes is not summed", "kernels/rowblock.h",
           "((const part *)&v)[l / QUARTER]", "((const part *)&v)[0]", "kernels/**/test_gradient"),
    Mutant("gradient without 1 / sqrt(d)", "kernels/gradient.pyx",
           "<floating> (h[j] * scale)", "<floating> h[j]", "kernels/**/test_gradient"),
    Mutant("limit: normalised rows divided by Q, not by its root", "numeric/engines/recursion.py",
           "moved / np.linalg.norm(moved, axis=1, keepdims=True) if",
           "moved / np.linalg.norm(moved, axis=1, keepdims=True) ** 2 if", "numeric/**/test_limit"),
    Mutant("products: every four rows start anew", "kernels/products.h",
           "rows, 2, fresh && !j", "rows, 2, fresh", "kernels/**/test_products"),
    Mutant("an even integrand counted on one side only", "symbolic/calculus/line.py",
           "total *= sides", "total *= 1",
           "symbolic/**/test_enclosure symbolic/**/test_gaussian"),
    Mutant("lazy: rows move over one that is kept", "numeric/engines/lazy.py",
           "basis[to] = basis[kept]", "basis[kept] = basis[to]", "numeric/**/test_lazy"),
    Mutant("lazy: rows go to a disk without room", "numeric/machine/memory.py",
           "if not stored <= scratch.free():", "if stored < 0:", "numeric/**/test_lazy"),
    Mutant("online: no weight decay outside w*", "kernels/online.pyx",
           "= s.shrink * e[j * p + i] + c * u[at * p + i]", "= e[j * p + i] + c * u[at * p + i]",
           "kernels/**/test_online numeric/**/test_online"),
    Mutant("online: the look ahead of single samples forgets what is outside", "kernels/online.pyx",
           "size = tail * tail", "size = 0.0", "kernels/**/test_online numeric/**/test_online"),
    Mutant("online: single samples scaled to norm 1 without their overlaps", "kernels/online.pyx",
           "norm = S[j * p + j]\n                    for i in range(k):\n"
           "                        norm += m[j * k + i] * m[j * k + i]",
           "norm = S[j * p + j]", "kernels/**/test_online numeric/**/test_online"),
    Mutant("online: look ahead in the wrong direction", "kernels/online.pyx",
           "add(s, s.rho, g", "add(s, -s.rho, g", "kernels/**/test_online numeric/**/test_online"),
    Mutant("online: a wrong sign in the Cholesky factor", "kernels/online.pyx",
           "L[other * p + j] -= L[other * p + i] * L[j * p + i]",
           "L[other * p + j] += L[other * p + i] * L[j * p + i]", "kernels/**/test_online numeric/**/test_online"),
    Mutant("online: 4% off in the chi-square degrees of freedom", "numeric/engines/online.py",
           "rng.chisquare(freedom - v,", "rng.chisquare(0.96 * (freedom - v),", "numeric/**/test_online"),
    Mutant("lazy: 4% off in the chi-square degrees of freedom", "numeric/engines/lazy.py",
           "chisquare(free)", "chisquare(0.96 * free)", "numeric/**/test_lazy"),
    Mutant("lazy: signals moved towards earlier ones, not away", "numeric/engines/lazy.py",
           "self._add(-inverse @ c, U", "self._add(inverse @ c, U", "numeric/**/test_lazy"),
    Mutant("lazy: no pivots among dependent signals", "numeric/engines/lazy.py",
           "_CLEAR = 100.0", "_CLEAR = 1e300", "numeric/**/test_lazy"),
    Mutant("controls whose mean is 1, not 0", "verify/convergence.py",
           "normals @ normals.T - n * np.eye(draws)", "normals @ normals.T", "verify/**/test_convergence"),
    Mutant("lazy: images corrected with the wrong sign", "numeric/engines/lazy.py",
           "self.C[: self.rows, new].T - self._inner(fresh, U)", "self.C[: self.rows, new].T + self._inner(fresh, U)",
           "numeric/**/test_lazy"),
    Mutant("label noise by its variance, not its standard deviation", "numeric/labels.py",
           "y + noise.size * _standardised", "y + noise.size**2 * _standardised",
           "numeric/test_labels numeric/**/test_lazy numeric/**/test_limit"),
    Mutant("Laplace noise of variance 2", "numeric/labels.py",
           "-np.log(2 * lower) / np.sqrt(2)", "-np.log(2 * lower)", "numeric/test_labels"),
    Mutant("the mean of a flipped label is 1 - q of it", "symbolic/language/noise.py",
           "return 1 - 2 * self.size", "return 1 - self.size", "numeric/test_labels"),
    Mutant("the spread of flipped labels left out of the loss", "numeric/population.py",
           "target.noise_variance + self.weights @ self.square - self.weights @ self.y**2", "target.noise_variance",
           "numeric/test_labels"),
    Mutant("a function of one's own without its slope", "numeric/response.py",
           "kind(flat, 1)", "kind(flat, 0)", "numeric/test_response"),
    Mutant("own labels in another order", "numeric/engines/dense.py",
           "return _Data(X, z, self.y)", "return _Data(X, z, self.y[::-1].copy())", "numeric/test_own_data"),
    Mutant("a permutation test that leaves the true order out", "numeric/own_data.py",
           "1 + (self.chance >= self.sizes[0]).sum()", "(self.chance >= self.sizes[0]).sum()",
           "numeric/test_own_data"),
    Mutant("Hermite coefficients by n!, not its root", "numeric/own_exponents.py",
           "for n in S) ** 0.5", "for n in S)", "numeric/test_own_exponents"),
    Mutant("random start: chi of d for d - k - j", "numeric/start.py",
           "rng.chisquare(d - k - j)", "rng.chisquare(d)", "numeric/**/test_start"),
    Mutant("no weight decay in full-batch descent", "numeric/engines/descent.py",
           "side.moved(weights, 1 - setting.eta * lam, ", "side.moved(weights, 1.0, ", "numeric/**/test_dense"),
    Mutant("limit: the new innovation is dropped", "numeric/engines/recursion.py",
           "alpha * with_basis, np.sqrt(alpha) * on_new", "alpha * with_basis, 0 * on_new", "numeric/**/test_limit"),
    Mutant("limit: the innovation of a fresh batch is dropped", "numeric/engines/recursion.py",
           "alpha * along, np.sqrt(alpha) * on_new", "alpha * along, 0 * on_new", "numeric/**/test_limit"),
    Mutant("limit: gamma orthogonal only among itself", "numeric/engines/recursion.py",
           "(gram - overlaps @ overlaps.T)", "gram", "numeric/**/test_limit"),
    Mutant("limit: no weight decay", "numeric/engines/recursion.py",
           "(1 - setting.eta * setting.weight_decay) * weights", "weights", "numeric/**/test_limit"),
    Mutant("limit: regularisation without alpha", "numeric/engines/recursion.py",
           "- self.setting.alpha * slope", "- slope", "numeric/**/test_limit"),
    Mutant("limit: the tail beyond the points left out of the errors", "numeric/engines/limit.py",
           "    if needed <= reach:\n", "    if True:\n", "numeric/engines/test_limit"),
    Mutant("population: covariance Q for Q - M M^T", "numeric/population.py",
           "semidefinite_cholesky(Q - M @ M.T)", "semidefinite_cholesky(Q)", "numeric/**/test_population"),
    Mutant("flow: weight decay of Q once for twice", "numeric/engines/flow.py",
           "(gh + gh.T) - 2 * lam * Q", "(gh + gh.T) - lam * Q", "numeric/**/test_flow"),
    Mutant("one pass: the noise of single samples once for half", "numeric/one_pass.py",
           "eta * self.drift(m) - eta**2 / 2 * m * self.noise(m)", "eta * self.drift(m) - eta**2 * m * self.noise(m)",
           "numeric/**/test_one_pass"),
    Mutant("one pass: the drift of rows that are not normalised", "numeric/one_pass.py",
           "(1 - m**2) * z * mean - m *", "z * mean - m *", "numeric/**/test_one_pass"),
    Mutant("one pass: a step size is kept until it is beyond its rest", "numeric/one_pass.py",
           "sqrt(max(0.0, 1 - 1.2 * (1 - rest**2)))", "sqrt(max(0.0, 1 - 0.8 * (1 - rest**2)))",
           "numeric/**/test_one_pass"),
    Mutant("one pass: noise of the label left out", "numeric/one_pass.py",
           "g**2 + self.target.noise_variance\n", "g**2\n", "numeric/**/test_one_pass"),
    Mutant("the chain goes on where the drift has the wrong sign", "numeric/generalization.py",
           "if not drift.positive:", "if drift.positive is None:", "numeric/**/test_generalization"),
    Mutant("symmetric start: rows in order, not mirrored", "numeric/setting.py",
           "np.vstack([half, half[::-1]])", "np.vstack([half, half])", "numeric/**/test_start"),
    Mutant("gaussian readout of variance 1", "numeric/setting.py",
           "standard_normal(neurons) / math.sqrt(neurons)", "standard_normal(neurons)", "numeric/**/test_start"),
    Mutant("ridge penalty without n", "numeric/readout.py",
           "(size[:, None] ** 2 + n * penalties)", "(size[:, None] ** 2 + penalties)", "numeric/**/test_readout"),
    Mutant("certificate with He_2 of a vector of any length", "symbolic/thresholds/certificates.py",
           "along * self._expectation(power)) / size", "along * self._expectation(power))",
           "symbolic/**/test_certificates"),
    Mutant("certificate without the variance of the noise", "symbolic/thresholds/certificates.py",
           "range(0, i + 1, 2) if self.noise else (0,)", "(0,)", "symbolic/**/test_certificates"),
    Mutant("price of noise without beta!", "symbolic/thresholds/noise.py",
           "factorial(b) / size / size", "1 / size / size", "symbolic/**/test_closures"),
    Mutant("threshold of |z|^2: 1/k for 2/k", "symbolic/thresholds/closures.py",
           "sp.Rational(k, 2), How.EXACT", "sp.Integer(k), How.EXACT", "symbolic/**/test_closures"),
    Mutant("threshold of two pairs: the share of the larger one", "symbolic/thresholds/closures.py",
           "share = min(low, high)", "share = max(low, high)", "symbolic/**/test_closures"),
    Mutant("|y| taken to tell z^2 whatever its sign", "symbolic/thresholds/closures.py",
           "or not (is_nonnegative(size) or is_nonnegative(-size)):", "or False:", "symbolic/**/test_closures"),
    Mutant("independent parts: both moments of one direction", "numeric/inference/separate.py",
           "parts[a][1] * parts[b][1] * others(a, b)", "parts[a][2] * parts[b][1] * others(a, b)",
           "numeric/**/test_separate"),
    Mutant("independent parts: what is small is rare", "numeric/inference/separate.py",
           "return float(logs[below <= _RARE][-1])", "return max(-20.0, float(logs[below <= _RARE][-1]))",
           "numeric/**/test_separate"),
    Mutant("independent parts: a product without its negative side", "numeric/inference/separate.py",
           "both.append(signed[0] + signed[1])", "both.append(signed[0])", "numeric/**/test_separate"),
    Mutant("side by side: the weakest certificate", "numeric/inference/algorithms.py",
           "best = min(answer", "best = max(answer", "numeric/**/test_algorithms"),
    Mutant("products of linear pieces taken for linear pieces", "symbolic/proofs/piecewise_linear.py",
           "return constant != 1 and bool(constant.is_real) and is_piecewise_linear(rest)",
           "return all(map(is_piecewise_linear, g.args))", "symbolic/**/test_piecewise_linear"),
    Mutant("sum over orthogonal directions: two of exponent 1",
           "symbolic/learnability/leap_of_sum.py",
           "for _, leap in found) <= 1:", "for _, leap in found) <= 2:", "symbolic/**/test_orthogonal_sum"),
    Mutant("one sign: the low coefficients not asked for", "symbolic/proofs/one_sign.py",
           "signs = {sign(n) for n in range(1, degree + 1, 2)} | {of_rest}", "signs = {of_rest}",
           "symbolic/**/test_one_sign"),
    Mutant("leap of a polynomial at most 3", "symbolic/learnability/polynomial.py",
           "_MOST = 2", "_MOST = 3", "symbolic/**/test_piecewise_linear"),
    Mutant("F of finitely many labels without the probabilities", "symbolic/thresholds/finite_labels.py",
           "N * A * N / p for", "N * A * N for", "symbolic/**/test_closures"),
    Mutant("level sets: roots weighed without the slope", "numeric/inference/line.py",
           "_phi(root) / np.maximum(slope, _LEAST_SLOPE)", "_phi(root)", "numeric/**/test_threshold"),
    Mutant("state evolution without Onsager's variance", "numeric/inference/state_evolution.py",
           "q * self.z + np.sqrt(q * (1 - q)) * xi", "q * self.z + np.sqrt(q) * xi",
           "numeric/**/test_state_evolution"),
    Mutant("overlaps of two directions: Q_hat for Q_hat (I + Q_hat)^-1", "numeric/inference/state_evolution.py",
           "np.minimum(values / (1 + values), largest)", "np.minimum(values, largest)",
           "numeric/**/test_state_evolution"),
    Mutant("points on level sets weighed by the prior", "numeric/inference/cloud.py",
           "(prior[kept, None] - distance) / 2", "(0 * prior[kept, None] - distance) / 2", "numeric/**/test_cloud"),
    Mutant("what a label tells, by the variance for its inverse", "numeric/inference/cloud.py",
           "back = turn / V", "back = turn * V", "numeric/**/test_cloud"),
    Mutant("bins are not extrapolated but doubled back", "numeric/inference/cloud.py",
           "fine + (fine - half) / 3", "fine - (fine - half)", "numeric/**/test_cloud"),
    Mutant("label noise stays within its bin", "numeric/inference/cloud.py",
           "(low + high) / 2 / sigma", "(low + high) / 2 / (sigma / 2)", "numeric/**/test_cloud"),
    Mutant("cosine of two directions without the lengths of the weights", "numeric/inference/ceiling.py",
           "np.linalg.pinv(Q, rcond=_DEPENDENT) @ M", "M", "numeric/**/test_ceiling"),
    Mutant("grand staircase: nothing is known of the first stage", "numeric/inference/staircase.py",
           "self.cloud.told(self.overlap(alpha))", "self.cloud.told(self.overlap(0.0))",
           "numeric/**/test_staircase"),
    Mutant("spectral overlap without the pull of the signal", "numeric/inference/spectral.py",
           "slope(at) / (slope(at) + pull)", "slope(at)", "numeric/**/test_spectral"),
    Mutant("spectral transform 1 - E[z^2 | y]", "numeric/inference/spectral.py",
           "np.maximum(1 - 1 / second, _LEAST)", "np.maximum(1 - second, _LEAST)", "numeric/**/test_spectral"),
    Mutant("message passing without Onsager's term", "numeric/inference/amp.py",
           "omega = forward(c) - V * g", "omega = forward(c)", "numeric/**/test_amp"),
    Mutant("message passing without the second correction", "numeric/inference/amp.py",
           "new[: len(c)] += A * c", "new[: len(c)] += 0 * c", "numeric/**/test_amp"),
    Mutant("schedules: every sample takes part in every step", "numeric/masks.py",
           "order == block for block in self.blocks[stratum]", "order >= 0 for block in self.blocks[stratum]",
           "numeric/**/test_schedules"),
    Mutant("schedules: the mask of the step before", "numeric/masks.py",
           "position = self._steps % len(chance) if", "position = (self._steps - 1) % len(chance) if",
           "numeric/**/test_schedules"),
    Mutant("schedules: a sample is drawn as often as the whole batch", "numeric/masks.py",
           "taken[: self.choices] = uniform < 1 / self.parts", "taken[: self.choices] = uniform < 1",
           "numeric/**/test_schedules"),
    Mutant("verify: the search for an experiment ends while none decides", "verify/design.py",
           "_least_best(surveyed, wanted) >= needed",
           "_least_best(surveyed, wanted) >= 0", "verify/test_design"),
    Mutant("verify: fresh batches get the experiment of reused ones", "verify/design.py",
           "key=lambda s: s[1][way, column]",
           "key=lambda s: s[1][1, column]", "verify/test_design"),
    Mutant("verify: a round shows in as many steps as its number", "verify/claims.py",
           "Claimed(v, True, number + 1,", "Claimed(v, True, number,", "verify/test_claims"),
    Mutant("verify: hidden after one step whatever its moment", "verify/claims.py",
           "(verdict.order or 0) > 1", "(verdict.order or 0) > 0", "verify/test_claims"),
    Mutant("verify: the noise of the first step only", "verify/design.py",
           "_total(C[:t, :t])", "_total(C[:1, :1])", "verify/test_design"),
    Mutant("verdict: few values decide though the first step sees", "symbolic/learnability/searched.py",
           " or not self._vanish(self.search.fixed, 1)", "", "symbolic/learnability/test_verdict"),
    Mutant("verdict: a label of n values has n - 1 moments too many", "symbolic/learnability/searched.py",
           "range(2, len(values))", "range(2, 2)", "symbolic/learnability/test_verdict"),
    Mutant("existence: a quotient falls with its numerator", "symbolic/calculus/existence.py",
           "yield Q * to_fmpq(-expr.exp) * -1", "yield Q * to_fmpq(-expr.exp)", "symbolic/calculus/test_quotients"),
    Mutant("tail: a lower bound with twice the growth", "symbolic/calculus/tail.py",
           "a = {j: -a for j, a in self.a.items()}", "a = {j: -2 * a for j, a in self.a.items()}",
           "symbolic/calculus/test_tail"),
    Mutant("tail: c (1 + tanh v) falls on the other side", "symbolic/calculus/tail.py",
           "sp.exp(-2 * sp.sign(c * d) * f.args[0])", "sp.exp(2 * sp.sign(c * d) * f.args[0])",
           "symbolic/calculus/test_ranges"),
    Mutant("a constant exponential without its phase", "symbolic/calculus/normal_form.py",
           "turn = self._symbol(sp.cos(phase)) + self._symbol(sp.sin(phase)) * i", "turn = algebra.one",
           "symbolic/calculus/test_normal_form"),
    Mutant("ranges: a bound that is not attained is", "symbolic/calculus/ranges.py",
           "all(end.open for end in zeros) if zeros else self.open or other.open", "True",
           "symbolic/calculus/test_ranges"),
    Mutant("ranges: a product is bounded by its upper ends", "symbolic/calculus/ranges.py",
           "return _largest([*ends, *(Bound(-end.value, end.open) for end in crossed)])", "return _largest(ends)",
           "symbolic/calculus/test_ranges"),
    Mutant("ranges: a polynomial is largest at an end", "symbolic/calculus/ranges.py",
           "found = [Bound(_value(P, t), False) for t in inside]", "found = []",
           "symbolic/calculus/test_ranges"),
    Mutant("ranges: half of Young's inequality", "symbolic/calculus/ranges.py",
           "- abs(c) * powers[i] / n", "- abs(c) * powers[i] / (2 * n)", "symbolic/calculus/test_ranges"),
    Mutant("ranges: the square of a root without its constant", "symbolic/calculus/ranges.py",
           ".as_expr() - names[-1] ** 2", ".as_expr() - names[-1] ** 2 - 1", "symbolic/calculus/test_ranges"),
    Mutant("what is not finite costs nothing", "symbolic/calculus/cubature.py",
           "            error += left\n", "            error += 0 * left\n", "symbolic/**/test_cubature"),
    Mutant("the sign of a tiny number by its float", "symbolic/learnability/searched.py",
           "ball = c.value.sharp()", "ball = float(c.value)", "symbolic/**/test_one_sign"),
    Mutant("tail: 1 - tanh v falls half as fast", "symbolic/calculus/tail.py",
           "_or_none(_of_exponential, 2 * sp.Abs(f.args[0]))", "_or_none(_of_exponential, sp.Abs(f.args[0]))",
           "symbolic/calculus/test_ranges"),
    Mutant("dominance: any exponential is taken out", "symbolic/calculus/dominance.py",
           "f.algebra.reduced(F - E)", "f.algebra.reduced(F)", "symbolic/calculus/test_quotients"),
    Mutant("cells: what has no width is empty", "symbolic/proofs/cells.py",
           "fmpq(0)) >= 0", "fmpq(0)) >= -1", "symbolic/proofs/test_cells"),
    Mutant("cells: weights of any sign", "symbolic/proofs/cells.py",
           "if all(w > 0 for w in weights)", "if weights", "symbolic/proofs/test_cells"),
    Mutant("paper: agreement by the mean square alone", "verify/paper.py",
           "np.abs(off).max() <= MOST_UNITS and", "True and", "verify/test_paper"),
    Mutant("paper: a common offset of a curve agrees", "verify/paper.py",
           "<= MOST_MEAN_UNITS", "<= 1e300", "verify/test_paper"),
    Mutant("paper: curves a step late", "verify/paper.py",
           'np.arange(published["first_step"], published["first_step"] + len(values))',
           'np.arange(published["first_step"], published["first_step"] + len(values)) - 1', "verify/test_paper"),
    Mutant("paper: dots held against the reading error alone", "verify/paper.py",
           "registry()[\"reading_error\"] ** 2 + scatter**2", "registry()[\"reading_error\"] ** 2",
           "verify/test_paper"),
    Mutant("figures: a band of one error", "numeric/curves.py",
           "error = 2 * errors[:, j, r]",
           "error = errors[:, j, r]", "numeric/test_curves"),
    Mutant("figures: bars of one standard error", "verify/drawing.py",
           "d, values, 2 * errors, fmt",
           "d, values, errors, fmt", "numeric/test_overlap_curves"),
    Mutant("figures: 0 where an overlap is learned", "numeric/overlap_curves.py",
           "if not any(dot(v, w) != 0 for w in seen)",
           "if any(dot(v, w) != 0 for w in seen)", "numeric/test_overlap_curves"),
    Mutant("figures: noise of integration kept in a map", "numeric/overlap_curves.py",
           "np.abs(values) <= 2 * errors",
           "np.abs(values) < 0 * errors", "numeric/test_overlap_curves"),
    Mutant("LaTeX: a bracket that is broken loses a term", "symbolic/overlap/eta.py",
           '*others[:-1], *(f"{x}{CLOSE}"',
           '*others[1:-1], *(f"{x}{CLOSE}"', "symbolic/exact/test_typeset"),
    Mutant("LaTeX: the sign of a term that begins a row", "symbolic/exact/typeset.py",
           'f"- {term[1:].lstrip()}"',
           'f"+ {term[1:].lstrip()}"', "symbolic/exact/test_typeset"),
    Mutant("inputs: a biased coordinate is not standardised", "numeric/inputs.py",
           "(values - float(law.mean)) / np.sqrt(float(law.variance))",
           "(values - float(law.mean)) / float(law.variance)", "numeric/test_inputs"),
    Mutant("inputs: all points of a law count the same", "numeric/inputs.py",
           "np.prod(weights, axis=0)", "np.full(digits.shape[1], 1 / digits.shape[1])",
           "numeric/test_inputs"),
    Mutant("inputs: a Laplace law of variance 2", "numeric/inputs.py",
           "rng.laplace(scale=np.sqrt(0.5), size=size)", "rng.laplace(size=size)", "numeric/test_inputs"),
    Mutant("inputs: the target sees standardised values", "numeric/inputs.py",
           "return values[place]", "return standardised[place]", "numeric/test_inputs"),
    Mutant("inputs: points of z in the limit without their weights", "numeric/integration.py",
           "block.weights = block.weights * probabilities[at]", "block.weights = block.weights / len(probabilities)",
           "numeric/test_inputs"),
    Mutant("inputs: quantiles left out where z is sampled", "numeric/integration.py",
           "if not (known or law.is_gaussian):", "if False:", "numeric/test_inputs"),
    Mutant("inputs: the tensor grid takes one point of z", "numeric/integration.py",
           "values[:, point], normal", "values[:, 0 * point], normal", "numeric/test_inputs"),
    Mutant("inputs: planted columns stay Gaussian", "numeric/engines/lazy.py",
           "row[block] = draw(part,", "row[block] = draw(type(law)('gaussian', 'gaussian'),", "numeric/test_inputs"),
    Mutant("inputs: the online chain draws Gaussian coordinates", "numeric/engines/online.py",
           "z = draw(setting.inputs, rng,", "z = draw(type(setting.inputs)('gaussian', 'gaussian'), rng,",
           "numeric/test_inputs"),
    Mutant("inputs: stored data has random directions under any law", "numeric/engines/dense.py",
           "if directions is None and not setting.inputs.is_gaussian:", "if False:", "numeric/test_inputs"),
    Mutant("inputs: the population takes points without probabilities", "numeric/population.py",
           "np.outer(probabilities, weights)", "np.outer(np.full(count, 1 / count), weights)", "numeric/test_inputs"),
    Mutant("inputs: Gaussian moments of z in the exact formula", "symbolic/overlap/ring.py",
           "[*[normal] * self.p, *latent, xi]", "[*[normal] * (self.p + self.k), xi]", "numeric/test_inputs"),
    Mutant("label noise: Gaussian moments of another law", "symbolic/overlap/moments.py",
           "sp.factorial(m) / sp.Integer(2) ** (m // 2)", "sp.factorial2(m - 1)", "symbolic/overlap/test_noise"),
    Mutant("inputs: fields see z before it is scaled", "symbolic/overlap/ring.py",
           "_dot(M1[j], self.seen)", "_dot(M1[j], self.z)", "numeric/test_inputs"),
    Mutant("inputs: Q holds overlaps in the units of the ring", "symbolic/overlap/ring.py",
           "self._along_stars(M1[i], M1[j])", "_dot(M1[i], M1[j])", "numeric/test_inputs"),
    Mutant("inputs: every overlap in the units of the first coordinate", "symbolic/overlap/ring.py",
           "/ self._units_of_z[r]", "/ self._units_of_z[0]", "numeric/test_inputs"),
    Mutant("inputs: laws of coordinates drawn in the other order", "numeric/inputs.py",
           "for part in law.each(size[-1])]", "for part in law.each(size[-1])[::-1]]", "numeric/test_inputs"),
    Mutant("cube: a direction multiplied by the deviation", "symbolic/learnability/standardised.py",
           "sp.sqrt(first / variance)", "sp.sqrt(variance / first)", "symbolic/learnability/test_enumerated"),
    Mutant("cube: what is learned read as a form of z that is not scaled", "symbolic/learnability/standardised.py",
           "tuple(x / to_fmpq(v) for", "tuple(x for", "symbolic/learnability/test_enumerated"),
    Mutant("cube: coordinates of different laws exchanged", "symbolic/enumeration/spectrum.py",
           "if law.at(i) != law.at(j) or (sign < 0", "if (sign < 0", "symbolic/learnability/test_enumerated"),
    Mutant("cube: centred coordinates of different laws by different factors", "symbolic/enumeration/spectrum.py",
           "total.ravel() * int(self.centring / self._centrings[i])", "total.ravel()",
           "symbolic/learnability/test_enumerated"),
    Mutant("cube: flips of coordinates whose law is not symmetric", "symbolic/learnability/moments.py",
           "if part.is_symmetric)", "if True)", "symbolic/learnability/test_enumerated"),
    Mutant("cube: first moments without the moments of other coordinates", "symbolic/calculus/product_form.py",
           "flat[np.arange(k), degrees].sum(axis=1) <= 1", "flat[np.arange(k), degrees].sum(axis=1) <= 0",
           "symbolic/calculus/test_product_form"),
    Mutant("cube: a drift without the order of its characters", "symbolic/learnability/leading_order.py",
           "/ sp.Integer(factorial(m))", "/ sp.Integer(1)", "symbolic/learnability/test_leading_order"),
    Mutant("cube: correlations with characters that are not monic", "symbolic/learnability/enumerated.py",
           "rational(monic_norm(self.target.inputs, S)) / spectrum.norm(place)", "1 / spectrum.norm(place)",
           "symbolic/learnability/test_leading_order"),
    Mutant("mixed: points of the finite coordinates count the same", "symbolic/calculus/product_form.py",
           "weight = prod((p for _, p in point), start=sp.Integer(1))", "weight = sp.Integer(1)",
           "symbolic/learnability/test_mixed"),
    Mutant("mixed: a flip of signs bounds nothing", "symbolic/learnability/mixed.py",
           "return 2 if self._flips else 1", "return 1", "symbolic/learnability/test_mixed"),
    Mutant("cube: a second step that sees the label alone", "symbolic/learnability/enumerated.py",
           "both = _joint([past, codes])", "both = _joint([codes])", "symbolic/learnability/test_enumerated"),
    Mutant("cube: the network's own output shows nothing on fresh batches", "symbolic/learnability/enumerated.py",
           "self._standard.space(fresh + own)", "self._standard.space(fresh)",
           "symbolic/learnability/test_enumerated"),
    Mutant("cube: correlations of labels left out of a spectrum", "symbolic/enumeration/spectrum.py",
           "pairs += np.bincount(products.ravel(), minlength=len(codes))", "pairs += 0",
           "symbolic/enumeration/test_spectrum"),
    Mutant("cube: the logistic loss sees functions of |y| alone", "symbolic/learnability/enumerated.py",
           "self.spectrum.nonzero | self.spectrum.seen(", "self.spectrum.seen(",
           "symbolic/learnability/test_enumerated"),
    Mutant("cube: a leap pays for what is covered", "symbolic/learnability/product_exponents.py",
           "least = int(uncovered[uncovered > 0].min())", "least = int(sizes[uncovered > 0].min())",
           "symbolic/learnability/test_enumerated"),
    Mutant("inputs: a series has z that is not standardised", "symbolic/overlap/moments.py",
           "* (weight / scale)", "* weight", "numeric/test_inputs"),
    Mutant("inputs: interpolation along the wrong axis", "symbolic/calculus/product_form.py",
           "axes=(1, axis)), 0, axis)", "axes=(1, axis)), 0, 0)", "numeric/test_inputs"),
    Mutant("universality: columns are not standardised", "verify/data_report.py",
           "given[:, varies].mean(axis=0)) / deviation[varies]", "given[:, varies].mean(axis=0))",
           "verify/test_data_report"),
    Mutant("universality: whitening by the variance", "verify/data_report.py",
           "V[:, kept] / np.sqrt(values[kept])", "V[:, kept] / values[kept]", "verify/test_data_report"),
    Mutant("universality: a score of correlations without their number", "verify/data_report.py",
           "* np.sqrt(len(pairs) / 2)", "* np.sqrt(len(pairs)) / 2", "verify/test_data_report"),
    Mutant("universality: edges of the spectrum at d / n", "verify/data_report.py",
           "ratio = np.sqrt(c / n)", "ratio = c / n", "verify/test_data_report"),
    Mutant("universality: the latent coordinates stay Gaussian", "verify/universality_check.py",
           "G + (real - G) @ w.T @ w", "G + (G - G) @ w.T @ w", "verify/test_universality_check"),
    Mutant("universality: the covariance in place of its root", "verify/universality_check.py",
           "np.sqrt(np.maximum(values, 0.0))", "np.maximum(values, 0.0)", "verify/test_universality_check"),
    Mutant("universality: Gaussian rows keep their own lengths", "verify/universality_check.py",
           "np.linalg.norm(real, axis=1) / np.linalg.norm(G, axis=1)", "np.ones(len(real))",
           "verify/test_universality_check"),
    Mutant("universality: directions along columns are random", "verify/universality_check.py",
           'if self.directions_name == "columns":', "if False:", "verify/test_universality_check"),
    Mutant("universality: too few runs are called a finite dimension", "verify/universality_check.py",
           'if self.gaussian.joint.p_value < self.false_alarm else "inconclusive"', "",
           "verify/test_universality_check"),
    Mutant("batches: steps stay small where a batch allows large ones", "verify/protocol.py",
           "math.pow(d, -max(power, batch))", "math.pow(d, -power - batch)", "verify/**/test_regime"),
    Mutant("look-ahead: the activation's factor without 1 / (k-1)!", "verify/regime.py",
           "sp.Rational(1, math.factorial(k - 1))", "sp.Rational(1, 1)", "verify/**/test_regime"),
    Mutant("look-ahead of order one: its leading term alone", "verify/protocol.py",
           "h[None] + rho * F", "h[None] + 0 * F", "verify/**/test_regime"),
    Mutant("a uniform input of variance 1/3", "symbolic/language/law.py",
           '"uniform": sp.sqrt(3) * u', '"uniform": u', "symbolic/**/test_mixed"),
    Mutant("phases: an odd activation has moments of even total at k = 1", "symbolic/phases/slopes.py",
           "return k % 2", "return 1 - k % 2", "symbolic/**/test_diagram"),
    Mutant("full batch: the growth of one direction for that of all", "verify/full_batch.py",
           "columns.transpose(1, 2, 0), ord=2", "columns.transpose(1, 2, 0), ord=-2",
           "verify/**/test_full_batch"),
    Mutant("full batch: an overlap grows from 1/d", "verify/full_batch.py",
           "1 / (2 * math.log(self.rate))", "1 / math.log(self.rate)", "verify/**/test_full_batch"),
    Mutant("online: what a batch adds outside without its root", "kernels/online.pyx",
           "D[j * p + i] += s.eta * L[j * p + other]", "D[j * p + i] += s.eta * S[j * p + other]",
           "kernels/**/test_online"),
    Mutant("universality: heavy tails are called agreement", "verify/universality_check.py",
           'return "cannot be trusted" if limit.left_out else "agrees"', 'return "agrees"',
           "verify/test_universality_check"),
)  # fmt: skip


def fault_of(mutant: Mutant) -> str:
    """Return why a mutant cannot be tried, or an empty text: its text occurs once, and its tests are there."""
    count = (ROOT / mutant.path).read_text().count(mutant.right)
    if count != 1:
        return f"{mutant.what}: {mutant.right!r} occurs {count} times in {mutant.path}; it must occur once"
    if missing := [name for name in mutant.tests.split() if not list(ROOT.glob(f"tests/{name}.py"))]:
        return f"{mutant.what}: no tests/{missing[0]}.py"
    return ""


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a mutant."""

    mutant: Mutant
    caught_by: str
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants, print and write the table; return 1 if one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="try only mutants whose description holds this text")
    parser.add_argument("--table", type=Path, default=ROOT / "docs" / "mutants.md")
    given = parser.parse_args(arguments)
    chosen = [m for m in MUTANTS if given.only in m.what]
    if faults := [fault for fault in map(fault_of, chosen) if fault]:
        sys.exit("\n".join(faults))
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(_tried, chosen))
    if not given.only:
        _write(outcomes, given.table)
    survivors = [o.mutant.what for o in outcomes if not o.caught_by]
    print(f"{len(outcomes) - len(survivors)} of {len(outcomes)} mutants caught")
    for what in survivors:
        print(f"survived: {what}")
    return 1 if survivors else 0


def _tried(mutant: Mutant) -> Outcome:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "rebatch"
        shutil.copytree(ROOT, copy, ignore=_LEFT, symlinks=True)
        text = (copy / mutant.path).read_text()
        (copy / mutant.path).write_text(text.replace(mutant.right, mutant.wrong))
        if mutant.path.startswith("kernels/"):
            _rebuild(copy, mutant.path)
        first = [str(p) for name in mutant.tests.split() for p in copy.glob(f"tests/{name}.py")]
        caught = _failing(copy, first) or _failing(copy, ["tests"])
    outcome = Outcome(mutant, caught, time.monotonic() - begin)
    print(
        f"{'caught' if caught else 'SURVIVED'} ({outcome.seconds:.0f} s): {mutant.what}  {caught}", flush=True
    )
    return outcome


def _rebuild(copy: Path, path: str) -> None:
    """Compile what a kernel's mutation concerns: its own module, or for a shared declaration all of them."""
    for kernel in (copy / "kernels").glob("*.pyx"):
        kernel.with_suffix(".c").unlink(missing_ok=True)
        if path.endswith(".pyx") and kernel.name != Path(path).name:
            kernel.unlink()  # it is built already
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)


def _failing(copy: Path, tests: list[str]) -> str:
    """Return the first test that fails, or an empty text."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "not deep and not release",
        *tests,
    ]
    environment = {**os.environ, "PYTHONPATH": str(copy.parent), "OMP_NUM_THREADS": "1"}
    try:
        run = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return "(the tests no longer end)"
    if run.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, flags=re.MULTILINE)
    if found is None:
        sys.exit(f"pytest failed without a failing test:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return found[1].split("::")[-1].split("[")[0] if "::" in found[1] else found[1]


def _write(outcomes: list[Outcome], path: Path) -> None:
    """Write the table, to a temporary name first."""
    lines = [
        "# Mutants",
        "",
        "Wrong formulas, each put in alone, and the first quick test that notices. Written by `make mutants`.",
        "",
        "| wrong formula | file | noticed by |",
        "|---|---|---|",
        *(f"| {o.mutant.what} | {o.mutant.path} | {o.caught_by or '**survives**'} |" for o in outcomes),
        "",
    ]
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(lines))
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
