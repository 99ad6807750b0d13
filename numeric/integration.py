"""Samples of the limit dynamics, on which all expectations of a run are taken (theory, 4.2: Integration).

A sample is a column (z, u, xi, zeta^0, zeta^1, …) of standard normals: the latent z, the fields u of the start, the
label noise, and fresh numbers for every innovation. Where z has a finite law every point of it is gone through, with
its probability and samples of its own (theory, 13); else z is sampled too, by the quantiles of its law. Two rules:

- scrambled Sobol points through the inverse normal, for any dimension. The blocks stay in memory and advance there.
- tensor Gauss-Hermite nodes, for few dimensions and smooth functions. Only (z, u, xi) is laid out; every innovation
  splits each sample into the nodes of its fresh numbers. Blocks are made anew for each step and never stored, so the
  grid may be far larger than the memory.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import roots_hermitenorm

from ..symbolic.errors import RebatchError, TooLargeError
from ..symbolic.exact.polynomial import is_polynomial
from ..symbolic.language.called import Called
from .inputs import MAX_LATTICE, lattice, quantile, target_at
from .labels import with_noise
from .machine.blocks import Threads, spread
from .masks import MaskPlan, Masks
from .nets import SobolNet
from .setting import Setting

Array = NDArray[np.float64]

# Samples per block, worked on by one thread; part of the definition of a seed's numbers.
BLOCK = 4096
_GRID_BLOCK = 16_384
_SMOOTH = (sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.erf, sp.exp)


@dataclass
class Block:
    """Samples in columns, as :mod:`rebatch.kernels.limit` wants them.

    Attributes
    ----------
    basis : ndarray, shape (rows, n)
        z, u, the images v of the innovations known so far, and below them the zeta not used yet.
    gamma : ndarray, shape (rows, n)
        The innovations known so far, and below them the signals.
    y, weights : ndarray, shape (n,)
    masks : Masks
        In which steps they take part.
    innovations : int
        How many are known.
    """

    basis: Array
    gamma: Array
    y: Array
    weights: Array
    masks: Masks
    innovations: int = 0


Advance = Callable[[Block, int], None]
Respond = Callable[[Block, int], Array]


class Samples(Protocol):
    """What the limit dynamics asks of a rule."""

    def measure(self, ranks: list[int], advance: Advance, respond: Respond) -> Array:
        """Return the sum over blocks of ``respond(block, t)``, t = len(ranks), at step t of the present batch.

        ``respond(block, s)`` leaves the signals of step s in a block, and ``advance(block, s)`` turns them into its
        ``ranks[s]`` innovations: a block is first taken through the steps that it has not gone through yet.
        """

    def average(self, task: Callable[[Block], Array]) -> Array:
        """Return the sum over blocks of ``task(block)``, which looks at z, u and y only."""

    def rewind(self) -> None:
        """Forget the innovations: a fresh batch begins."""


def dimension(setting: Setting, innovations: int) -> int:
    """Return the number of sampled numbers of a sample that has gone through so many innovations."""
    sampled = setting.k if latent_points(setting) is None else 0
    return sampled + setting.neurons + int(setting.target.noise is not None) + innovations


def tail_degree(setting: Setting) -> int:
    """Return the degree in z and u of what the overlaps are means of: where it is n, they lie around |x| = sqrt(n).

    A signal at fields of degree D has degree (q - 1) D + max(b, q D) for an activation of degree q and a target of
    degree b, without q D for the correlation loss; the fields of a reused batch hold it at the next step. Slopes that
    are bounded leave the degree of the label, and a target that is no polynomial counts as bounded.
    """
    target, sigma = setting.target, setting.activation
    own = isinstance(target.formula, Called) or not is_polynomial(target.expr, target.coordinates)
    b = 1 if own else int(max(0, sp.Poly(target.expr, *target.coordinates).total_degree()))
    q = len(sigma.coefficients()) - 1 if sigma.is_polynomial else 0
    through = q if setting.loss == "squared" else 0
    fields = most = 1
    for t in range(setting.steps):
        fields = 1 if t in setting.fresh_at or setting.draws(t) else fields
        for _ in range(2 if setting.rho else 1):
            fields = max(fields, (q - 1) * fields + max(b, through * fields) if q else b)
        most = max(most, fields)
    return most + 1


def latent_points(setting: Setting) -> tuple[Array, Array] | None:
    """Return all points of z, shape (k, points), and their probabilities; None where z is sampled."""
    return lattice(setting.target.inputs, setting.k)


def count_of_points(setting: Setting) -> int:
    """Return the number of points of z that are gone through, 1 where it is sampled."""
    points = latent_points(setting)
    return 1 if points is None else len(points[1])


def is_smooth(setting: Setting) -> bool:
    """Whether what is integrated is built from entire functions and tanh; nothing else is recognised as smooth.

    That is the activation, and the target where z is Gaussian; on the points of a finite law any target will do.
    """
    target = setting.target
    called = isinstance(target.formula, Called) or isinstance(setting.activation.formula, Called)
    if called or (target.noise is not None and not target.noise.is_gaussian):
        return False
    if setting.activation.kernel == "relu" or not setting.target.inputs.is_gaussian:
        return setting.activation.kernel != "relu" and latent_points(setting) is not None
    expr = setting.target.expr
    return all(
        node.is_number
        or node.is_Symbol
        or node.is_Add
        or node.is_Mul
        or isinstance(node, _SMOOTH)
        or (node.is_Pow and node.exp.is_Integer and node.exp.is_nonnegative)
        for node in sp.preorder_traversal(expr)
    )


class SobolSamples:
    """Scrambled Sobol points, all in memory: 8 (k + p + 1 + 2 p steps) bytes each.

    Parameters
    ----------
    setting : Setting
    points : int
        In each stratum of the masks, at each point of a finite law, a power of 2.
    innovations : int
        The most that one batch has.
    pool : Threads
    """

    def __init__(self, setting: Setting, points: int, innovations: int, pool: Threads) -> None:
        self._setting, self._pool = setting, pool
        self._start = setting.k + setting.neurons
        self._plan = plan = MaskPlan(setting)
        self._dimension = dimension(setting, innovations)
        self._inverse_sqrt_alpha = 1 / math.sqrt(setting.alpha)
        self._steps = 0
        count = count_of_points(setting)
        # The first call for Sobol points must be for a power of 2 of them.
        self._size = size = min(BLOCK, points << (count.bit_length() - 1))
        rows = self._start + innovations, innovations + setting.neurons
        nothing = np.zeros((plan.choices, 1))
        equal = np.full(size, 1 / (points * len(plan.blocks)))
        self._blocks, self._strata = [], []
        for stratum in range(len(plan.blocks)):
            for first in range(0, points * count, size):
                here = min(size, points * count - first)
                basis, gamma = (np.empty((height, here)) for height in rows)
                masks = plan.masks(stratum, nothing)
                self._blocks.append(Block(basis, gamma, np.empty(here), equal[:here], masks))
                self._strata.append(stratum)
        self._place_latent(points)
        self._weights = [block.weights for block in self._blocks]

    def _place_latent(self, points: int) -> None:
        """Give every sample its point of a finite law, and the weight of it, a block of a stratum after the other."""
        lattice = latent_points(self._setting)
        self._known = 0 if lattice is None else self._setting.k
        if lattice is None:
            return
        values, probabilities = lattice
        total = points * len(probabilities)
        first = 0
        for block in self._blocks:
            at = np.arange(first, first + len(block.y)) // points
            block.basis[: self._known] = values[:, at]
            block.weights = block.weights * probabilities[at]
            first = (first + len(at)) % total

    @property
    def count(self) -> int:
        """How many points there are."""
        return sum(len(block.y) for block in self._blocks)

    def scramble(self, seed: np.random.SeedSequence, width: float = 1.0) -> None:
        """Draw the points anew, with their own scramble; normal ones stretched by `width`, with their weights."""
        dimensions = self._dimension + self._plan.choices
        net = SobolNet(dimensions, self.count, self._size, seed)
        k, known, start, law = self._setting.k, self._known, self._start, self._setting.target.inputs
        # The column of the label noise stands after those of z and u; z has none where it has finitely many points.
        of_start = start - known
        noise = slice(of_start, self._dimension - len(self._blocks[0].basis) + start)

        def fill(block: Block, stratum: int, first: int) -> None:
            count = len(block.y)
            if self._plan.choices:
                choices = net.uniform(slice(self._dimension, dimensions), first, count)
                block.masks = self._plan.masks(stratum, choices)
            net.normals(slice(of_start), first, block.basis[known:start])
            net.normals(slice(noise.stop, self._dimension), first, block.basis[start:])
            if not (known or law.is_gaussian):
                block.basis[:k] = quantile(law, net.uniform(slice(k), first, count))
            xi = np.zeros((noise.stop - noise.start, count))
            net.normals(noise, first, xi)
            if width != 1:
                normal = block.basis[0 if law.is_gaussian and not known else k : start]
                block.weights = block.weights * _density_ratio(width, normal, xi)
                normal *= width
                xi *= width
            block.y[:] = labels(self._setting, block.basis[:k], xi.sum(axis=0))
            block.innovations = 0

        firsts = accumulate((len(block.y) for block in self._blocks[:-1]), initial=0)
        items = list(zip(self._blocks, self._strata, firsts, strict=True))
        for block, weights in zip(self._blocks, self._weights, strict=True):
            block.weights = weights
        spread(lambda item: fill(*item), items, self._pool, self._pool.count)
        if width != 1:
            mass = sum(float(block.weights.sum()) for block in self._blocks)
            for block in self._blocks:
                block.weights /= mass
        self._steps = 0

    def measure(self, ranks: list[int], advance: Advance, respond: Respond) -> Array:
        """See :class:`Samples`."""
        steps = len(ranks)

        def task(block: Block) -> Array:
            for step in range(self._steps, steps):
                advance(block, step)
            return respond(block, steps)

        total = self.average(task)
        self._steps = steps
        return total

    def average(self, task: Callable[[Block], Array]) -> Array:
        """See :class:`Samples`."""
        return _sum(spread(task, self._blocks, self._pool, self._pool.count))

    def rewind(self) -> None:
        """See :class:`Samples`."""
        for block in self._blocks:
            new = slice(self._start, self._start + block.innovations)
            block.basis[new] -= self._inverse_sqrt_alpha * block.gamma[: block.innovations]
            block.innovations = 0
        self._steps = 0


def _density_ratio(width: float, *normals: Array) -> Array:
    """Return phi(s x) / (phi(x) / s) of standard normals x that are to be stretched by s, shape (count,)."""
    x = np.vstack(normals)
    return np.asarray(width ** len(x) * np.exp(-(width**2 - 1) / 2 * np.square(x).sum(axis=0)))


class TensorSamples:
    """Gauss-Hermite nodes in every dimension, all points of z of a finite law, made block by block and not kept.

    Parameters
    ----------
    setting : Setting
    nodes : int
        In each dimension.
    limit : int
        Most samples of a grid: beyond, the last innovation is given fewer nodes.
    pool : Threads
    """

    def __init__(self, setting: Setting, nodes: int, limit: int, pool: Threads) -> None:
        self._setting, self._nodes, self._limit, self._pool = setting, nodes, limit, pool
        self._dimension, self._latent = dimension(setting, 0), latent_points(setting)
        if self._latent is None and not setting.target.inputs.is_gaussian:
            raise RebatchError(
                f"the rule 'gauss-hermite' with inputs {setting.inputs}; allowed with gaussian inputs and those of "
                f"at most {MAX_LATTICE} points, else 'sobol'"
            )
        plan = MaskPlan(setting)
        if not plan.countable:
            raise TooLargeError(
                f"the schedule {setting.schedule!r} has too many outcomes for a tensor grid; use the rule 'sobol'"
            )
        self._paths = list(plan.paths())

    def measure(self, ranks: list[int], advance: Advance, respond: Respond) -> Array:
        """See :class:`Samples`."""
        steps = len(ranks)
        fresh = [tensor_rule(count, rank) for count, rank in zip(self._counts(ranks), ranks, strict=True)]

        def task(block: Block) -> Array:
            for step in range(steps):
                respond(block, step)
                block = _split(block, self._setting, *fresh[step])
                advance(block, step)
            return respond(block, steps)

        children = math.prod(len(weights) for _, weights in fresh)
        return self._over_blocks(task, sum(ranks), children, self._paths)

    def average(self, task: Callable[[Block], Array]) -> Array:
        """See :class:`Samples`."""
        return self._over_blocks(task, 0, 1, self._paths[:1])

    def rewind(self) -> None:
        """See :class:`Samples`; nothing was kept."""

    def _counts(self, ranks: list[int]) -> list[int]:
        """Return the nodes per dimension of each innovation's fresh numbers."""
        counts = [self._nodes] * len(ranks)
        before = count_of_points(self._setting) * self._nodes ** (self._dimension + sum(ranks[:-1]))
        if ranks and ranks[-1]:
            counts[-1] = max(1, min(self._nodes, int((self._limit / before) ** (1 / ranks[-1]))))
        return counts

    def _over_blocks(
        self, task: Callable[[Block], Array], innovations: int, children: int, paths: list[Masks]
    ) -> Array:
        """Return the sum of `task` over blocks of (z, u, xi) that will be split into so many children.

        It is the mean over the paths of the masks.
        """
        points = count_of_points(self._setting) * self._nodes**self._dimension
        size = max(1, _GRID_BLOCK // children)
        starts = range(0, points, size)
        total = sum(path.weight for path in paths)

        def on_block(item: int) -> Array:
            path, start = paths[item // len(starts)], starts[item % len(starts)]
            block = self._base(np.arange(start, min(start + size, points)), innovations, path)
            block.weights *= path.weight / total
            return task(block)

        return _sum(spread(on_block, range(len(paths) * len(starts)), self._pool, self._pool.count))

    def _base(self, index: NDArray[np.intp], innovations: int, masks: Masks) -> Block:
        """Return the block of these nodes of the tensor grid, with their weights."""
        setting = self._setting
        nodes, weights = gauss_hermite(self._nodes)
        point, inner = np.divmod(index, self._nodes**self._dimension)
        digits = np.array(np.unravel_index(inner, (self._nodes,) * self._dimension))
        normal, weight = nodes[digits], np.prod(weights[digits], axis=0)
        if self._latent is not None:
            values, probabilities = self._latent
            normal, weight = np.vstack([values[:, point], normal]), weight * probabilities[point]
        start = setting.k + setting.neurons
        basis = np.zeros((start + innovations, len(index)))
        basis[:start] = normal[:start]
        y = labels(setting, normal[: setting.k], normal[-1])
        gamma = np.zeros((innovations + setting.neurons, len(index)))
        return Block(basis, gamma, y, weight, masks)


def _split(block: Block, setting: Setting, fresh: Array, weights: Array) -> Block:
    """Return every sample once for each node of the fresh numbers, which take the next rows of the basis."""
    count, parents = len(weights), len(block.y)
    basis = np.repeat(block.basis, count, axis=1)
    row = setting.k + setting.neurons + block.innovations
    basis[row : row + len(fresh)] = np.tile(fresh, parents)
    return Block(
        basis,
        np.repeat(block.gamma, count, axis=1),
        np.repeat(block.y, count),
        np.outer(block.weights, weights).ravel(),
        block.masks,
        block.innovations,
    )


@cache
def gauss_hermite(nodes: int) -> tuple[Array, Array]:
    """Return nodes and weights of E[f(x)], x ~ N(0, 1), exact for polynomials of degree 2 nodes - 1."""
    x, w = roots_hermitenorm(nodes)
    return x, w / w.sum()


@cache
def tensor_rule(nodes: int, dimensions: int) -> tuple[Array, Array]:
    """Return nodes, shape (dimensions, nodes^dimensions), and weights of E[f] over so many standard normals."""
    x, w = gauss_hermite(nodes)
    digits = np.indices((nodes,) * dimensions).reshape(dimensions, nodes**dimensions)
    return x[digits], np.prod(w[digits], axis=0)


def labels(setting: Setting, z: Array, xi: Array) -> Array:
    """Return y = g(z) + noise_std xi, or other noise made of xi, at the columns of z, shape (k, n).

    Raises
    ------
    RebatchError
        If the target is not finite there.
    """
    return with_noise(setting.target.noise, target_at(setting.target, z.T), xi)


def _sum(parts: Iterable[Array]) -> Array:
    """Return the sum over blocks, in their order whatever the number of threads."""
    total = None
    for part in parts:
        total = part if total is None else total + part
    if total is None:
        raise RebatchError("no samples")
    return total
