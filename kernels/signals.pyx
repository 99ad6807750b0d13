"""The signals g_j = a_j sigma'(h_j) r of one block of samples, and its loss, in one pass (theory, 1)."""

from activations cimport ERF, POLYNOMIAL, RELU, TANH, Kind, slope, value

# The enum Kind by the name of the kernel, for callers in Python.
KINDS = {"relu": <int> RELU, "erf": <int> ERF, "tanh": <int> TANH, "polynomial": <int> POLYNOMIAL}


def signals(double[:, ::1] h, const double[::1] y, const double[::1] a, int kind,
            const double[::1] coefficients, bint correlation, double[:, ::1] out):
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
    """
    cdef Py_ssize_t p = h.shape[0], n = h.shape[1], terms = coefficients.shape[0], i, j
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef Kind activation = <Kind> kind
    cdef double f, r, loss = 0.0
    with nogil:
        for i in range(n):
            f = 0.0
            for j in range(p):
                f += a[j] * value(activation, h[j, i], c, terms)
            if correlation:
                r = y[i]
                loss -= r * f
            else:
                r = y[i] - f
                loss += 0.5 * r * r
            for j in range(p):
                out[j, i] = a[j] * slope(activation, h[j, i], c, terms) * r
    return loss
