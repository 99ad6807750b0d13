# Activations and their derivatives, one inline function each, chosen by an enum outside the inner loop.
from libc.math cimport M_2_SQRTPI, erf, exp, fabs, tanh

cdef enum Kind:
    RELU = 0
    ERF = 1
    TANH = 2
    POLYNOMIAL = 3  # stays the last: a kind beyond it is refused


cdef inline double value(Kind kind, double h, const double* c, Py_ssize_t terms) noexcept nogil:
    """sigma(h); `c` holds the coefficients of a polynomial, the constant first."""
    cdef double total = 0.0
    cdef Py_ssize_t i
    if kind == RELU:
        return 0.5 * (h + fabs(h))  # no branch on a sign that nothing predicts
    if kind == ERF:
        return erf(h)
    if kind == TANH:
        return tanh(h)
    for i in range(terms - 1, -1, -1):
        total = total * h + c[i]
    return total


cdef inline double slope(Kind kind, double h, const double* c, Py_ssize_t terms) noexcept nogil:
    """sigma'(h); at the kink of relu it is 1/2, a set of measure zero."""
    cdef double total = 0.0
    cdef Py_ssize_t i
    if kind == RELU:
        return 0.5 * ((h > 0.0) + (h >= 0.0))
    if kind == ERF:
        return M_2_SQRTPI * exp(-h * h)
    if kind == TANH:
        total = exp(-2.0 * fabs(h))  # half the time of tanh, and no digits lost far out
        return 4.0 * total / ((1.0 + total) * (1.0 + total))
    for i in range(terms - 1, 0, -1):
        total = total * h + i * c[i]
    return total


cdef inline double value_then_slope(Kind kind, double* h, const double* c, Py_ssize_t terms) noexcept nogil:
    """Replace h by sigma'(h); return sigma(h)."""
    cdef double result = value(kind, h[0], c, terms)
    h[0] = 1.0 - result * result if kind == TANH else slope(kind, h[0], c, terms)
    return result
