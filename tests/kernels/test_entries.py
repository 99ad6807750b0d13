"""Calls of the kernels with arguments that do not fit: each is refused before a pointer walks anywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from rebatch.kernels.gradient import fields, gradient
from rebatch.kernels.limit import expected_loss, innovate, respond
from rebatch.kernels.online import chain
from rebatch.kernels.products import combine, inner
from rebatch.kernels.signals import signals

# Sizes that differ from each other, so that no wrong size fits by chance.
N, D, P, K, B, R, STEPS, PARTS = 11, 7, 3, 2, 4, 5, 6, 9


def filled(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape)


@dataclass(frozen=True)
class Entry:
    """A kernel, arguments that fit, the dimensions whose size is free, and numbers that are not allowed."""

    kernel: Callable[..., Any]
    arguments: dict[str, Any]
    longer: dict[str, set[int]]
    shorter: dict[str, set[int]]
    wrong: dict[str, list[int]]

    def call(self, **changed: Any) -> Any:
        return self.kernel(*(self.arguments | changed).values())


NETWORK = {"kind": [-1, 4, 2**31 - 1], "threads": [0, -1]}
LOSS = {"a": filled(P), "kind": 3, "coefficients": filled(3), "correlation": False}
ENTRIES = [
    Entry(
        gradient,
        {"X": filled(N, D), "order": np.arange(N - 1), "y": filled(N), "W": filled(P, D), **LOSS,
         "parts": filled(PARTS, P, D), "out": filled(P, D), "threads": 2},
        {"order": {0}, "coefficients": {0}, "parts": {0}},
        {"order": {0}, "coefficients": {0}, "parts": {0}},
        NETWORK,
    ),
    Entry(
        fields,
        {"X": filled(N, D), "order": np.arange(N - 1), "W": filled(P, D), "out": filled(N - 1, P), "threads": 2},
        {"X": {0}}, {"X": {0}}, {"threads": [0]},
    ),
    Entry(
        inner,
        {"A": filled(P, N), "P": filled(K, N), "parts": filled(PARTS, P, K), "threads": 2},
        {"parts": {0}}, {"parts": {0}}, {"threads": [0]},
    ),
    Entry(
        combine,
        {"C": filled(P, K), "P": filled(K, N), "out": filled(P, N), "fresh": True, "threads": 2},
        {}, {}, {"threads": [0]},
    ),
    Entry(
        signals,
        {"h": filled(P, N), "y": filled(N), **LOSS, "out": filled(P, N), "losses": filled(PARTS), "threads": 2},
        {"coefficients": {0}, "losses": {0}}, {"coefficients": {0}, "losses": {0}}, NETWORK,
    ),
    Entry(
        respond,
        {"basis": filled(K + 1, N), "gamma": filled(R + P + 1, N), "m": K, "r": R, "C": filled(P, K), "y": filled(N),
         "weights": filled(N), **LOSS, "with_basis": filled(P, K), "with_gamma": filled(P, R + P)},
        {"basis": {0}, "gamma": {0}, "coefficients": {0}}, {"basis": {0}, "gamma": {0}, "coefficients": {0}},
        {"kind": [-1, 4], "m": [-1, 0, K + 1, K + 2], "r": [-1, R + 1, R + 2]},
    ),
    Entry(
        expected_loss,
        {"basis": filled(K + 1, N), "m": K, "C": filled(P, K), "y": filled(N), "weights": filled(N), **LOSS},
        {"basis": {0}, "coefficients": {0}}, {"basis": {0}, "coefficients": {0}}, {"kind": [-1, 4], "m": [0, K + 1]},
    ),
    Entry(
        innovate,
        {"basis": filled(K + P, N), "gamma": filled(R + P, N), "m": K, "r": R, "A": filled(P, R + P), "scale": 0.5},
        {"basis": {0}, "gamma": {0}}, {"A": {0, 1}}, {"m": [-1, K + 1], "r": [-1, R + 1]},
    ),
    Entry(
        chain,
        {"z": filled(STEPS, R, B, K), "u": filled(STEPS, R, B, P), "A": filled(STEPS, R, B, B),
         "y": filled(STEPS, R, B), **LOSS, "shrink": 1.0, "eta": 1e-3, "rho": 0.0, "normalize": True, "repeats": 2,
         "joint": False, "first": 0, "last": 2 * STEPS, "stop": 10.0, "along": np.eye(K)[:1], "M": filled(R, P, K),
         "E": filled(R, P, P), "hit": np.full(R, -1), "every": 3, "kept_M": filled(R, 4, P, K),
         "kept_Q": filled(R, 4, P, P), "kept_loss": filled(R, 4), "scratch": filled(R, P * (K + 3 * P + 4 * B))},
        {"coefficients": {0}, "along": {0}, "scratch": {1}}, {"coefficients": {0}, "along": {0}},
        {"kind": [-1, 4], "repeats": [0, 1], "every": [0, 1, -3], "first": [-1, 5], "last": [0, 2 * STEPS + 3]},
    ),
]  # fmt: skip
ARRAYS = [
    pytest.param(entry, name, id=f"{entry.kernel.__name__}-{name}")
    for entry in ENTRIES
    for name, value in entry.arguments.items()
    if isinstance(value, np.ndarray)
]
# No rows, no coefficients, no directions: nothing is read.
EMPTY = {"coefficients": {0}, "order": {0}, "along": {0}}
# A buffer that is read-only, as that of a scalar, is refused by Cython itself.
REFUSED = (ValueError, TypeError, BufferError)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.kernel.__name__)
def test_what_fits_runs_and_what_is_out_of_range_is_refused(entry):
    entry.call()
    for name, values in entry.wrong.items():
        for value in values:
            with pytest.raises(REFUSED):
                entry.call(**{name: value})


@pytest.mark.parametrize(("entry", "name"), ARRAYS)
def test_arrays_of_other_shapes_are_refused(entry, name):
    value = entry.arguments[name]
    for axis in range(value.ndim):
        less = np.ascontiguousarray(np.delete(value, -1, axis))
        more = np.ascontiguousarray(np.concatenate([value, value.take([-1], axis)], axis))
        none = np.zeros([0 if i == axis else size for i, size in enumerate(value.shape)], value.dtype)
        for given, free in ((less, entry.shorter), (more, entry.longer), (none, EMPTY)):
            if axis not in free.get(name, ()) and not (
                name == "A" and given.size == 0 and entry.kernel is innovate
            ):
                with pytest.raises(REFUSED):
                    entry.call(**{name: given})
    for given in (value[None], value[..., 0], None, value.tolist()):
        with pytest.raises(REFUSED):
            entry.call(**{name: given})


@pytest.mark.parametrize(("entry", "name"), ARRAYS)
def test_numbers_that_lie_elsewhere_than_c_expects_are_refused(entry, name):
    value = entry.arguments[name]
    packed = np.zeros(value.nbytes + 1, np.uint8)[1:].view(value.dtype).reshape(value.shape)
    packed[...] = value
    wide = np.repeat(value, 2, axis=-1)[..., ::2]
    for given in (packed, wide, value.astype(np.complex128), value.astype(">f8"), value.astype(np.int16)):
        with pytest.raises(REFUSED):
            entry.call(**{name: given})


def test_rows_of_a_packed_structure_are_refused_and_rows_at_any_multiple_are_read():
    # 20 doubles and 4 bytes a row: the distance of rows is no multiple of 8 bytes.
    packed = np.zeros(N, dtype=[("x", np.float64, (D,)), ("tag", np.int32)])
    packed["x"] = filled(N, D)
    entry = ENTRIES[1]
    with pytest.raises(ValueError, match="multiples of 8"):
        entry.call(X=packed["x"])
    padded = np.zeros(N, dtype=[("x", np.float64, (D,)), ("tag", np.float64)])
    padded["x"] = filled(N, D)
    out, expected = np.empty((N - 1, P)), np.empty((N - 1, P))
    entry.call(X=padded["x"], out=out)
    entry.call(out=expected)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", [[0, N], [-1], [2**62]])
def test_rows_that_x_has_not_are_refused(order):
    with pytest.raises(ValueError, match=r"order\[\d\] is"):
        ENTRIES[0].call(order=np.array(order))
