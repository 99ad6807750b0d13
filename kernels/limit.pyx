"""One block of samples of the limit dynamics: fields, signals, their moments, and innovations (theory, 4).

A block keeps the samples in columns. `basis` holds z, h^0 and the images v^s = zeta^s + gamma^s / sqrt(alpha) in its
first `m` rows, and numbers zeta not used yet below them; `gamma` holds the innovations in its first `r` rows, and the
signals of the present step in the p rows below them. A block is worked on in chunks of columns that stay in the cache.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from activations cimport Kind, value, value_then_slope
from entry cimport aligned, equal, network, within
from thin cimport combine_d, inner_d

cdef enum:
    CHUNK = 512


cdef double* room(Py_ssize_t size) except NULL:
    """Return memory for so many numbers; the caller frees it."""
    cdef double* piece = <double*> malloc((size or 1) * sizeof(double))
    if piece == NULL:
        raise MemoryError
    return piece


cdef inline double losses(const double* y, const double* weights, double* f, Py_ssize_t width,
                          bint correlation) noexcept nogil:
    """Return the loss of a chunk with the outputs `f`, and leave the residuals r in their place."""
    cdef double output, loss = 0.0
    cdef Py_ssize_t i
    for i in range(width):
        output = f[i]
        f[i] = y[i] if correlation else y[i] - output
        loss += weights[i] * (-f[i] * output if correlation else 0.5 * f[i] * f[i])
    return loss


cdef int checked(const double[:, ::1] basis, int m, const double[:, ::1] C, const double[::1] y,
                 const double[::1] weights, const double[::1] a, int kind, const double[::1] coefficients) except -1:
    """Check what :func:`respond` and :func:`expected_loss` have in common."""
    network(C.shape[0], a.shape[0], kind, 1)
    within("m", m, 1, basis.shape[0])
    equal("the number of columns of C", C.shape[1], m)
    equal("the number of columns of basis", basis.shape[1], y.shape[0])
    equal("the length of weights", weights.shape[0], y.shape[0])
    aligned("basis", &basis[0, 0], sizeof(double))
    aligned("C", &C[0, 0], sizeof(double))
    aligned("y", &y[0], sizeof(double))
    aligned("weights", &weights[0], sizeof(double))
    aligned("a", &a[0], sizeof(double))
    return aligned("coefficients", &coefficients[0], sizeof(double))


def respond(const double[:, ::1] basis, double[:, ::1] gamma, int m, int r, const double[:, ::1] C,
            const double[::1] y, const double[::1] weights, const double[::1] a, int kind,
            const double[::1] coefficients, bint correlation,
            double[:, ::1] with_basis, double[:, ::1] with_gamma):
    """Write the signals of the fields h = C basis into rows r … r + p of `gamma`; add up their moments.

    g_j = a_j sigma'(h_j) r with r = y - f for the squared loss, r = y for the correlation loss. Reads
    8 (m + r + 2) and writes 8 p bytes per sample; about 2 p (2 m + r + p) flops and 2 p activations.

    Parameters
    ----------
    basis : (at least m, n) array
    gamma : (at least r + p, n) array
    C : (p, m) coefficients of the weights
    y, weights : (n,) labels and weights of the samples; the weights sum to 1 over all blocks
    a : (p,) second layer
    kind : value of the enum Kind
    coefficients : (terms,) coefficients of a polynomial activation, else unused
    correlation : whether the loss is the correlation loss
    with_basis : (p, m) array to which sum_v weight g basis^T is added
    with_gamma : (p, r + p) array to which sum_v weight g (gamma, g)^T is added

    Returns
    -------
    float
        sum_v weight r^2 / 2, or - sum_v weight y f.
    """
    cdef Py_ssize_t p = a.shape[0], n = y.shape[0], terms = coefficients.shape[0], others = r + p
    cdef Py_ssize_t chunk, first, last, i, j
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef double residual[CHUNK]
    cdef double loss = 0.0
    checked(basis, m, C, y, weights, a, kind, coefficients)
    within("r", r, 0, gamma.shape[0] - p)
    equal("the number of columns of gamma", gamma.shape[1], n)
    equal("the number of rows of with_basis", with_basis.shape[0], p)
    equal("the number of columns of with_basis", with_basis.shape[1], m)
    equal("the number of rows of with_gamma", with_gamma.shape[0], p)
    equal("the number of columns of with_gamma", with_gamma.shape[1], others)
    aligned("gamma", &gamma[0, 0], sizeof(double))
    aligned("with_basis", &with_basis[0, 0], sizeof(double))
    aligned("with_gamma", &with_gamma[0, 0], sizeof(double))
    cdef double* g = &gamma[r, 0]
    cdef double* weighted = room(p * (n + max(<Py_ssize_t> m, others)))
    cdef double* part = weighted + p * n
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            first = chunk * CHUNK
            last = min(n, first + CHUNK)
            combine_d(&C[0, 0], p, &basis[0, 0], m, n, first, last, g, True)
            for i in range(last - first):
                residual[i] = 0.0
            for j in range(p):
                for i in range(first, last):
                    residual[i - first] += a[j] * value_then_slope(<Kind> kind, g + j * n + i, c, terms)
            loss += losses(&y[first], &weights[first], residual, last - first, correlation)
            for j in range(p):
                for i in range(first, last):
                    g[j * n + i] *= a[j] * residual[i - first]
                    weighted[j * n + i] = weights[i] * g[j * n + i]
            inner_d(weighted, p, &basis[0, 0], m, n, first, last, part)
            for i in range(p * m):
                (&with_basis[0, 0])[i] += part[i]
            inner_d(weighted, p, &gamma[0, 0], others, n, first, last, part)
            for i in range(p * others):
                (&with_gamma[0, 0])[i] += part[i]
    free(weighted)
    return loss


def expected_loss(const double[:, ::1] basis, int m, const double[:, ::1] C, const double[::1] y,
                  const double[::1] weights, const double[::1] a, int kind, const double[::1] coefficients,
                  bint correlation):
    """Return the loss at the fields h = C basis alone: sum_v weight r^2 / 2, or - sum_v weight y f.

    Reads 8 (m + 2) bytes per sample; 2 p m flops and p activations. Parameters as for :func:`respond`.
    """
    cdef Py_ssize_t p = a.shape[0], n = y.shape[0], terms = coefficients.shape[0]
    cdef Py_ssize_t chunk, first, last, i, j
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef double f[CHUNK]
    cdef double loss = 0.0
    checked(basis, m, C, y, weights, a, kind, coefficients)
    cdef double* h = room(p * n)
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            first = chunk * CHUNK
            last = min(n, first + CHUNK)
            combine_d(&C[0, 0], p, &basis[0, 0], m, n, first, last, h, True)
            for i in range(last - first):
                f[i] = 0.0
            for j in range(p):
                for i in range(first, last):
                    f[i - first] += a[j] * value(<Kind> kind, h[j * n + i], c, terms)
            loss += losses(&y[first], &weights[first], f, last - first, correlation)
    free(h)
    return loss


def innovate(double[:, ::1] basis, double[:, ::1] gamma, int m, int r, const double[:, ::1] A,
             double inverse_sqrt_alpha):
    """Turn signals into innovations gamma = A (earlier gamma, signals), and each zeta into its image v.

    v = zeta + gamma / sqrt(alpha). New innovations take rows r … r + q of `gamma`, new images
    rows m … m + q of `basis`, q <= p.
    Reads 8 (r + p + q) and writes 16 q bytes per sample; 2 q (r + p) flops.

    Parameters
    ----------
    basis : (at least m + q, n) array
    gamma : (at least r + p, n) array
    A : (q, r + p) coefficients
    inverse_sqrt_alpha : 1 / sqrt(alpha)
    """
    cdef Py_ssize_t q = A.shape[0], inner = A.shape[1], n = gamma.shape[1]
    cdef Py_ssize_t chunk, first, last, i, j
    aligned("A", &A[0, 0], sizeof(double))
    if q == 0:
        return
    within("the number of columns of A", inner, 1, gamma.shape[0])
    within("m", m, 0, basis.shape[0] - q)
    within("r", r, 0, gamma.shape[0] - q)
    equal("the number of columns of basis", basis.shape[1], n)
    aligned("basis", &basis[0, 0], sizeof(double))
    aligned("gamma", &gamma[0, 0], sizeof(double))
    cdef double* new = room(q * n)
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            first = chunk * CHUNK
            last = min(n, first + CHUNK)
            combine_d(&A[0, 0], q, &gamma[0, 0], inner, n, first, last, new, True)
            for j in range(q):
                memcpy(&gamma[r + j, first], new + j * n + first, (last - first) * sizeof(double))
                for i in range(first, last):
                    basis[m + j, i] += inverse_sqrt_alpha * new[j * n + i]
    free(new)
