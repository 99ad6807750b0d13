"""The signals g_j = a_j sigma'(h_j) r of a batch of samples, and its loss, in one pass (theory, 1)."""

from cython.parallel cimport prange

from activations cimport ERF, POLYNOMIAL, RELU, TANH, Kind, value_then_slope
from entry cimport aligned, at_least, equal, network

# The enum Kind by the name of the kernel, for callers in Python.
KINDS = {"relu": <int> RELU, "erf": <int> ERF, "tanh": <int> TANH, "polynomial": <int> POLYNOMIAL}

# Samples at a time: their residuals stay in the first-level cache.
cdef enum:
    CHUNK = 256


cdef double part(const double* h, const double* y, const double* a, Kind kind, const double* c, Py_ssize_t terms,
                 bint correlation, Py_ssize_t p, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
                 double* out) noexcept nogil:
    """Write the signals of the samples first … last - 1; return their loss."""
    cdef double f[CHUNK]
    cdef double r[CHUNK]
    cdef double loss = 0.0
    cdef Py_ssize_t start = first, size, at, i, j
    while start < last:
        size = min(<Py_ssize_t> CHUNK, last - start)
        for i in range(size):
            f[i] = 0.0
        for j in range(p):
            for i in range(size):
                at = j * n + start + i
                out[at] = h[at]
                f[i] += a[j] * value_then_slope(kind, &out[at], c, terms)
        for i in range(size):
            r[i] = y[start + i] if correlation else y[start + i] - f[i]
            loss += -r[i] * f[i] if correlation else 0.5 * r[i] * r[i]
        for j in range(p):
            for i in range(size):
                out[j * n + start + i] *= a[j] * r[i]
        start += CHUNK
    return loss


def signals(double[:, ::1] h, const double[::1] y, const double[::1] a, int kind,
            const double[::1] coefficients, bint correlation, double[:, ::1] out, double[::1] losses, int threads):
    """Write the signals of n samples into `out` and return their summed loss.

    r = y - f for the squared loss, r = y for the correlation loss; f = sum_j a_j sigma(h_j). The loss is
    sum r^2 / 2, or - sum y f. Reads p + 1 and writes p doubles per sample; about p activations and 4 p flops.

    Parameters
    ----------
    h : (p, n) fields
    y : (n,) labels
    a : (p,) second layer
    kind : value of the enum Kind
    coefficients : (terms,) coefficients of a polynomial activation, else unused
    correlation : whether the loss is the correlation loss
    out : (p, n) signals; may be `h` itself
    losses : (any number,) scratch: the samples are cut in as many parts, whose losses are summed in their order
    threads : number of OpenMP threads
    """
    cdef Py_ssize_t p = h.shape[0], n = h.shape[1], terms = coefficients.shape[0], count = losses.shape[0], q
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef double total = 0.0
    network(p, a.shape[0], kind, threads)
    equal("the length of y", y.shape[0], n)
    equal("the number of rows of out", out.shape[0], p)
    equal("the number of columns of out", out.shape[1], n)
    at_least("the length of losses", count, 1)
    aligned("h", &h[0, 0], sizeof(double))
    aligned("y", &y[0], sizeof(double))
    aligned("a", &a[0], sizeof(double))
    aligned("coefficients", &coefficients[0], sizeof(double))
    aligned("out", &out[0, 0], sizeof(double))
    aligned("losses", &losses[0], sizeof(double))
    with nogil:
        for q in prange(count, num_threads=threads, schedule="dynamic"):
            losses[q] = part(&h[0, 0], &y[0], &a[0], <Kind> kind, c, terms, correlation, p, n, n * q // count,
                             n * (q + 1) // count, &out[0, 0])
        for q in range(count):
            total += losses[q]
    return total
