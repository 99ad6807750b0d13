"""Does Gaussian theory hold for my data? Runs on other inputs, held against the Gaussian limit (theory, 13).

Theory speaks of x ~ N(0, I). Dense runs on inputs of another law, or on a given matrix, are held against its limit by
the statistics of :func:`~rebatch.verify.agreement.agreement`, and run by run against Gaussian runs at this n and d:
where both miss the limit alike, the dimension is too small for it. Where the data is told from Gaussian data, one
assumption at a time is put into Gaussian data, and what then behaves like the data explains it:

- *latent coordinates*: z = W* x / sqrt(d) as in the data, everything orthogonal to W* Gaussian;
- *correlated columns*: Gaussian rows with the covariance of the data;
- *lengths of rows*: Gaussian directions, each row with the norm of a row of the data.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..numeric.engines.dense import NotStandard
from ..numeric.engines.descent import silent_stops
from ..numeric.inputs import draw
from ..numeric.machine.draws import seeds
from ..numeric.machine.memory import require
from ..numeric.machine.progress import tracked
from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Sheet, Tabulated
from ..symbolic.language.law import Law, law
from .agreement import Agreement, agreement
from .data_report import Array, DataReport, data_report, standardised

Directions = Literal["random", "columns"]
Outcome = Literal["agrees", "finite dimension", "disagrees", "inconclusive", "cannot be trusted"]
DIRECTIONS: tuple[Directions, ...] = ("random", "columns")
# Of the table of assumptions.
COLUMNS = ("assumption on", "measured (of Gaussian data)", "state", "alone")
LEGEND = "alone: the runs against Gaussian data that have only this of the data."
# A moment that is not known to this is no sign of a Gaussian one: the tail is too heavy.
_KNOWN = 1.0
# E[z^3] and E[z^4] of N(0, 1), d Var(|x|^2 / d) of Gaussian rows, and the rounding of a moment.
_NORMAL, _LENGTHS, _ROUNDING = np.array([0.0, 3.0]), 2.0, 1e-9
_LEAST_RUNS = 6
_DEFAULT_D = 2000
# The covariance of more columns has a root that takes minutes.
_MOST_ROOTED = 4096
# Of what is measured of the data beside the runs: how sure it must be to be called a failure.
_LEVEL = 1e-3
_LATENT, _COLUMNS, _ROWS = "latent coordinates", "correlated columns", "lengths of rows"
_FAILURES = {
    _LATENT: "the latent coordinates are not Gaussian",
    _COLUMNS: "the columns are correlated",
    _ROWS: "the lengths of the rows vary",
}


@dataclass(frozen=True, eq=False)
class Assumption:
    """One thing that theory assumes of the inputs.

    Attributes
    ----------
    name : str
        "latent coordinates", "correlated columns" or "lengths of rows".
    measured : str
        What was measured of it, beside what Gaussian inputs have.
    holds : bool or None
        False where the measurement excludes it at 1e-3; lengths of rows may vary less than Gaussian ones. None where
        tails are too heavy to tell.
    alone : Agreement or None
        The runs on the data less runs on Gaussian data that have this of the data, against 0; None where it was not
        tried: the data agrees, or has it not.
    """

    name: str
    measured: str
    holds: bool | None
    alone: Agreement | None = None


@dataclass(frozen=True, eq=False)
class Universality(Tabulated, Drawn):
    """Whether Gaussian theory holds for other inputs in one experiment.

    Attributes
    ----------
    setting : Setting
    inputs : str
        The law, or "given matrix".
    directions : str
        "random", "columns" or "given".
    d, runs : int
    agreement : Agreement
        The runs against the Gaussian limit.
    control : Agreement
        The runs less Gaussian runs at the same n and d, against 0.
    gaussian : Agreement
        Those Gaussian runs against the limit.
    assumptions : tuple of Assumption
    report : DataReport
    false_alarm : float
        The level of each test.
    """

    setting: Setting
    inputs: str
    directions: str
    d: int
    runs: int
    agreement: Agreement
    control: Agreement
    gaussian: Agreement
    assumptions: tuple[Assumption, ...]
    report: DataReport
    false_alarm: float

    @property
    def outcome(self) -> Outcome:
        """What the runs say.

        "agrees" with the limit; "finite dimension": only with Gaussian runs at this d, which miss the limit too;
        "disagrees" with both; "inconclusive": the limit is missed, and Gaussian runs are told from neither; or
        "cannot be trusted": not told apart, but some overlaps are so heavy-tailed that they were left out.
        """
        limit, control = self.agreement.joint, self.control.joint
        if limit.p_value >= self.false_alarm:
            return "cannot be trusted" if limit.left_out else "agrees"
        if control.p_value >= self.false_alarm:
            if control.left_out:
                return "cannot be trusted"
            return "finite dimension" if self.gaussian.joint.p_value < self.false_alarm else "inconclusive"
        return "disagrees"

    @property
    def explained_by(self) -> tuple[str, ...]:
        """The assumptions each of which, put alone into Gaussian data, gives what the data gives (p >= 1e-3)."""
        least = max(self.false_alarm, _LEVEL)
        return tuple(
            a.name for a in self.assumptions if a.alone is not None and a.alone.joint.p_value >= least
        )

    def statement(self) -> str:
        """Return the answer in one sentence."""
        p, q = self.agreement.joint.p_value, self.control.joint.p_value
        if self.outcome == "cannot be trusted":
            left_out = max(self.agreement.joint.left_out, self.control.joint.left_out)
            return (
                f"cannot be trusted: in {left_out} overlaps one run carries most of the spread, the others do not "
                f"tell (p = {p:.2g}); a smaller step or a bounded target has lighter tails"
            )
        if self.outcome == "agrees":
            return (
                f"agrees: {self.runs} runs at d = {self.d} are not told from the Gaussian limit (p = {p:.2g})"
            )
        if self.outcome == "finite dimension":
            return (
                f"finite dimension: the limit is missed (p = {p:.2g}) as Gaussian runs at d = {self.d} miss it; the "
                f"data is not told from them (p = {q:.2g})"
            )
        if self.outcome == "inconclusive":
            return (
                f"inconclusive: the limit is missed (p = {p:.2g}), Gaussian runs at d = {self.d} do not miss it, and "
                f"the data is not told from them (p = {q:.2g}); more runs would tell"
            )
        alone = {a.name: a.alone.joint.p_value for a in self.assumptions if a.alone is not None}
        reasons = " or ".join(
            f"{_FAILURES[name]}, which alone gives the same (p = {alone[name]:.2g})"
            for name in self.explained_by
        )
        if not reasons:
            reasons = "none of what was tried explains it alone; columns may depend on one another otherwise"
        return f"disagrees: told from Gaussian runs at d = {self.d} (p = {q:.2g}); {reasons}"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return a row of text for every assumption."""
        return [
            (
                a.name,
                a.measured,
                {True: "as Gaussian", False: "differs", None: "not decided"}[a.holds],
                "" if a.alone is None else f"p = {a.alone.joint.p_value:.2g}",
            )
            for a in self.assumptions
        ]

    def records(self) -> list[dict[str, Any]]:
        """Return the overlaps, predicted and measured, as those of an agreement."""
        return self.agreement.records()

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the overlaps against the limit, and the assumptions."""
        return (*self.agreement.sheets(), Sheet(COLUMNS, tuple(self.rows()), self.statement()))

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        return {
            "setting": self.setting.to_dict(),
            "inputs": self.inputs,
            "directions": self.directions,
            "d": self.d,
            "runs": self.runs,
            "outcome": self.outcome,
            "statement": self.statement(),
            "explained_by": list(self.explained_by),
            "false_alarm": self.false_alarm,
            "agreement": self.agreement.to_json(),
            "control": self.control.to_json(),
            "gaussian": self.gaussian.to_json(),
            "assumptions": [
                {
                    "name": a.name,
                    "measured": a.measured,
                    "holds": a.holds,
                    "alone": None if a.alone is None else a.alone.to_json(),
                }
                for a in self.assumptions
            ],
            "data": self.report.to_json(),
        }

    def __str__(self) -> str:
        where = {"random": "uniformly random", "columns": "along columns", "given": "as given"}[
            self.directions
        ]
        lines = [f"{self.setting}", f"inputs: {self.inputs}, W* {where}", *self.report.lines()]
        lines += [": ".join(filter(None, row)) for row in self.rows()]
        return "\n".join([*lines, f"against the limit: {self.agreement.joint}", self.statement()])


def universality(
    setting: Setting,
    *,
    inputs: str | Law | None = None,
    X: ArrayLike | None = None,
    d: int | None = None,
    directions: Directions | ArrayLike = "random",
    whiten: bool = False,
    runs: int = 24,
    seed: int = 0,
    false_alarm: float = 1e-3,
    threads: int | None = None,
    progress: Callable[[Sequence[int]], Iterable[int]] = tracked,
) -> Universality:
    """Return whether runs on other inputs agree with the Gaussian limit of an experiment, and what fails where not.

    Parameters
    ----------
    setting : Setting
        Of a target of Gaussian inputs, with ``reuse=True``: the theory that is put to the test.
    inputs : str or Law, optional
        All entries of X have this law, standardised: "rademacher", "uniform", "laplace", "student", …
    X : array_like, shape (rows, d), optional
        Instead: a matrix, of which every run takes n = alpha d random rows, at most all. Columns are standardised.
    d : int, optional
        Dimension of the runs with `inputs`; 2000 by default.
    directions : {"random", "columns"} or array_like, shape (k, d)
        W*: uniformly random in each run, k random columns in each run, or given rows of norm sqrt(d).
    whiten : bool
        Whether to take the correlations out of X.
    runs : int
        At least 6; as many Gaussian ones beside them, and for each assumption where they disagree.
    seed : int
    false_alarm : float
        Level of each test.
    threads : int, optional
    progress : callable, optional
        Passes on the numbers of the runs one by one; by default behind a bar.

    Returns
    -------
    Universality

    Raises
    ------
    RebatchError
        If an argument is not allowed, or a run diverges.

    References
    ----------
    theory, 5.3 and 13. Runs on one matrix share its rows: they vary by W*, the start, the rows chosen and the noise.
    """
    if not isinstance(setting, Setting):
        raise RebatchError(f"setting = {checks.shown(setting)}; allowed are objects of rebatch.Setting")
    progress = checks.called("progress", progress)
    setting.target.require_gaussian("the limit")
    if not setting.reuse or setting.fresh_at:
        raise RebatchError(
            "fresh samples at some step; allowed is a setting with one reused batch (reuse=True)"
        )
    runs = checks.integer("runs", runs, least=_LEAST_RUNS)
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=0.1)
    if isinstance(directions, str):
        checks.one_of("directions", directions, DIRECTIONS)
    source = _source(setting, inputs, X, d, whiten=checks.flag("whiten", whiten))
    trials = _Trials(
        setting, source, directions, seeds(checks.integer("seed", seed, least=0, most=None), runs), threads
    )
    with silent_stops(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotStandard)
        limit = simulate(setting, "limit", seed=seed, threads=threads)
        limit.require_all_steps()
        done = [trials.run(number, "data") for number in progress(range(runs))]
        against_limit = agreement(limit, done)
        others = [trials.run(number, "gaussian") for number in range(runs)]
        control, gaussian = _against(done, others), agreement(limit, others)
        assumptions = tuple(trials.assumptions())
        if max(against_limit.joint.p_value, control.joint.p_value) < false_alarm:
            assumptions = tuple(
                replace(a, alone=_against(done, [trials.run(n, a.name) for n in range(runs)]))
                if trials.has(a.name)
                else a
                for a in assumptions
            )
    return Universality(
        setting, source.name, trials.directions_name, source.d, runs, against_limit, control, gaussian, assumptions,
        source.report, false_alarm,
    )  # fmt: skip


def _against(done: Sequence[Trajectory], others: Sequence[Trajectory]) -> Agreement:
    """Return the differences of independent runs, in pairs, against 0: a test at this d, without a limit."""
    pairs = zip(done, others, strict=True)
    differences = [Trajectory(a.data.assign(M=a.M - b.M.values)) for a, b in pairs]
    return agreement(np.zeros(done[0].M.shape), differences)


@dataclass(frozen=True, eq=False)
class _Source:
    """Where the rows of X come from.

    Attributes
    ----------
    name : str
    d, n : int
        Columns, and rows of each run.
    report : DataReport
    law : Law or None
        Of all entries, or
    matrix : ndarray or None
        The standardised matrix.
    """

    name: str
    d: int
    n: int
    report: DataReport
    law: Law | None
    matrix: Array | None

    def rows(self, rng: np.random.Generator) -> Array:
        """Return the rows of one run."""
        if self.matrix is None:
            assert self.law is not None
            return draw(self.law, rng, (self.n, self.d))
        return self.matrix[rng.permutation(len(self.matrix))[: self.n]]


def _source(
    setting: Setting, inputs: str | Law | None, X: ArrayLike | None, d: int | None, *, whiten: bool
) -> _Source:
    """Return where X comes from, with what it is like, after checking one against the other."""
    if (inputs is None) == (X is None):
        raise RebatchError("inputs and X say what the data is; allowed is one of them")
    if X is None:
        assert inputs is not None
        if whiten:
            raise RebatchError(
                f"whiten=True with inputs {inputs}; allowed with X: columns of a law are independent"
            )
        given = law(inputs)
        if given.parts:
            raise RebatchError(f"inputs = {given}; allowed here is one law, of all entries of X")
        size = checks.integer("d", _DEFAULT_D if d is None else d, least=setting.k + setting.neurons)
        n = setting.samples(size)
        require(32.0 * n * size, f"{n} rows of {size} columns")
        # A sample of its own shows what the law is like.
        looked_at = draw(given, np.random.default_rng(0), (min(n, 2048), min(size, 256)))
        report = replace(data_report(looked_at), rows=n, columns=size)
        return _Source(given.name, size, n, report, given, None)
    matrix, dropped = standardised(X, whiten=whiten)
    if d is not None and d != matrix.shape[1]:
        raise RebatchError(f"d = {d}, but {matrix.shape[1]} columns of X vary; allowed with inputs")
    n = setting.samples(matrix.shape[1])
    if n > len(matrix):
        raise RebatchError(
            f"X has {len(matrix)} rows; n = alpha d = {n} are needed: allowed is alpha <= "
            f"{len(matrix) / matrix.shape[1]:.4g}"
        )
    report = data_report(matrix, dropped=dropped, whitened=whiten)
    return _Source("given matrix", matrix.shape[1], n, report, None, matrix)


class _Trials:
    """Runs of one setting on data, on Gaussian data, and on Gaussian data with one thing of the data."""

    def __init__(
        self,
        setting: Setting,
        source: _Source,
        directions: Directions | ArrayLike,
        run_seeds: list[int],
        threads: int | None,
    ) -> None:
        self.setting, self.source, self.seeds, self.threads = setting, source, run_seeds, threads
        self.given: Array | None = None
        if isinstance(directions, str):
            self.directions_name: str = directions
        else:
            self.directions_name = "given"
            allowed = f"{' or '.join(DIRECTIONS)}, or numbers of shape ({setting.k}, {source.d})"
            self.given = checks.array("directions", directions, allowed)
            if self.given.shape != (setting.k, source.d):
                raise RebatchError(f"directions of shape {self.given.shape}; allowed are {allowed}")
        # The latent moments of each run on the data: z^3 and z^4.
        self.latent: list[Array] = []
        self._root: Array | None = None

    def run(self, number: int, kind: str) -> Trajectory:
        """Return one run on rows of one kind, its directions and rows those of its number."""
        rng = np.random.default_rng(self.seeds[number])
        W = self._directions(rng)
        real = self.source.rows(rng)
        # Another kind has another start and other noise: two runs are independent but for W* and the rows they share.
        fresh = np.random.default_rng([self.seeds[number], *kind.encode()])
        X = real if kind == "data" else self._replaced(kind, real, W / np.sqrt(self.source.d), fresh)
        if kind == "data":
            z = real @ W.T / np.sqrt(self.source.d)
            self.latent.append(np.array([(z**3).mean(), (z**4).mean()]))
        run = simulate(
            self.setting, "dense", X=np.ascontiguousarray(X), directions=W, threads=self.threads,
            seed=int(np.random.SeedSequence([self.seeds[number], *kind.encode()]).generate_state(1)[0]),
        )  # fmt: skip
        run.require_all_steps()
        return run

    def _directions(self, rng: np.random.Generator) -> Array:
        """Return W* of a run, shape (k, d)."""
        k, d = self.setting.k, self.source.d
        if self.given is not None:
            return self.given
        if self.directions_name == "columns":
            W = np.zeros((k, d))
            W[np.arange(k), rng.choice(d, k, replace=False)] = np.sqrt(d)
            return W
        return np.asarray(np.sqrt(d) * np.linalg.qr(rng.standard_normal((d, k)))[0].T)

    def _replaced(self, kind: str, real: Array, w: Array, rng: np.random.Generator) -> Array:
        """Return Gaussian rows that have one thing of the data, or nothing of it."""
        G = rng.standard_normal(real.shape)
        if kind == _LATENT:
            return np.asarray(G + (real - G) @ w.T @ w)
        if kind == _COLUMNS:
            return np.asarray(G @ self._covariance_root())
        if kind == _ROWS:
            return np.asarray(G * (np.linalg.norm(real, axis=1) / np.linalg.norm(G, axis=1))[:, None])
        return G

    def _covariance_root(self) -> Array:
        """Return the symmetric root of the covariance of the columns."""
        if self._root is None:
            assert self.source.matrix is not None
            values, V = np.linalg.eigh(np.cov(self.source.matrix.T, bias=True).reshape(self.source.d, -1))
            self._root = np.asarray((V * np.sqrt(np.maximum(values, 0.0))) @ V.T)
        return self._root

    def has(self, name: str) -> bool:
        """Whether the data can have this of its own: columns of a law are independent."""
        return name != _COLUMNS or (self.source.matrix is not None and self.source.d <= _MOST_ROOTED)

    def assumptions(self) -> Iterator[Assumption]:
        """Yield what was measured of each assumption."""
        moments = np.array(self.latent)
        mean, error = moments.mean(axis=0), moments.std(axis=0, ddof=1) / np.sqrt(len(moments))
        off = np.abs(mean - _NORMAL)
        far = off > np.maximum(stats.t.isf(_LEVEL / 4, len(moments) - 1) * error, _ROUNDING)
        unknown = (error > _KNOWN).any() and not far.any()
        measured = f"z^3 {mean[0]:.2g} ± {error[0]:.2g} (0), z^4 {mean[1]:.3g} ± {error[1]:.2g} (3)"
        yield Assumption(_LATENT, measured, None if unknown else not far.any())
        report, sure = self.source.report, float(stats.norm.isf(_LEVEL))
        measured = f"n r^2 {report.correlation_score:+.3g} s.e. (0), {report.outside} eigenvalues off (0)"
        yield Assumption(_COLUMNS, measured, report.correlation_score <= sure)
        off_lengths, doubt = report.length_variance - _LENGTHS, report.length_error
        measured = f"d Var(|x|^2 / d) {report.length_variance:.3g} ± {doubt:.2g} ({_LENGTHS:g})"
        longer = off_lengths > sure * doubt
        yield Assumption(_ROWS, measured, None if doubt > _KNOWN and not longer else not longer)
