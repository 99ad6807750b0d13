"""One block of samples of the limit dynamics: fields, signals, their moments, and innovations (theory, 4).

A block keeps the samples in columns. `basis` holds z, h^0 and the images v^s = zeta^s + gamma^s /
sqrt(alpha) in its first `m` rows, and numbers zeta not used yet below them; `gamma` holds the innovations
in its first `r` rows, and the signals of the present step in the p rows below them. Products are BLAS-3 on
chunks of columns that stay in the cache.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from scipy.linalg.cython_blas cimport dgemm

from activations cimport Kind, value, value_then_slope

cdef enum:
    CHUNK = 512


cdef void times(const double* left, int rows, int inner, const double* right, int ld, int columns,
                double* out, int ld_out) noexcept nogil:
    """out (rows, columns) = left (rows, inner) right (inner, columns); all of them row by row."""
    cdef double one = 1.0, zero = 0.0
    dgemm(b"N", b"N", &columns, &rows, &inner, &one, <double*> right, &ld, <double*> left, &inner,
          &zero, out, &ld_out)


cdef void add_moments(const double* left, int ld, int rows, const double* right, int ld_right,
                      int others, int columns, double* out) noexcept nogil:
    """out (rows, others) += left (rows, columns) right (others, columns)^T."""
    cdef double one = 1.0
    dgemm(b"T", b"N", &others, &rows, &columns, &one, <double*> right, &ld_right, <double*> left, &ld,
          &one, out, &others)


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
    cdef int p = <int> a.shape[0], n = <int> y.shape[0], terms = <int> coefficients.shape[0]
    cdef int chunk, start, width, i, j
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef Kind activation = <Kind> kind
    cdef double f, residual, loss = 0.0
    cdef double* g = &gamma[r, 0]
    cdef double* weighted = <double*> malloc(p * CHUNK * sizeof(double))
    if weighted == NULL:
        raise MemoryError
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            start = chunk * CHUNK
            width = min(CHUNK, n - start)
            times(&C[0, 0], p, m, &basis[0, start], n, width, g + start, n)
            for i in range(start, start + width):
                f = 0.0
                for j in range(p):
                    f += a[j] * value_then_slope(activation, g + j * n + i, c, terms)
                if correlation:
                    residual = y[i]
                    loss -= weights[i] * residual * f
                else:
                    residual = y[i] - f
                    loss += weights[i] * 0.5 * residual * residual
                for j in range(p):
                    g[j * n + i] *= a[j] * residual
                    weighted[j * CHUNK + i - start] = weights[i] * g[j * n + i]
            add_moments(weighted, CHUNK, p, &basis[0, start], n, m, width, &with_basis[0, 0])
            add_moments(weighted, CHUNK, p, &gamma[0, start], n, r + p, width, &with_gamma[0, 0])
    free(weighted)
    return loss


def expected_loss(const double[:, ::1] basis, int m, const double[:, ::1] C, const double[::1] y,
                  const double[::1] weights, const double[::1] a, int kind, const double[::1] coefficients,
                  bint correlation):
    """Return the loss at the fields h = C basis alone: sum_v weight r^2 / 2, or - sum_v weight y f.

    Reads 8 (m + 2) bytes per sample; 2 p m flops and p activations. Parameters as for :func:`respond`.
    """
    cdef int p = <int> a.shape[0], n = <int> y.shape[0], terms = <int> coefficients.shape[0]
    cdef int chunk, start, width, i, j
    cdef const double* c = &coefficients[0] if terms else NULL
    cdef Kind activation = <Kind> kind
    cdef double f, loss = 0.0
    cdef double* h = <double*> malloc(p * CHUNK * sizeof(double))
    if h == NULL:
        raise MemoryError
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            start = chunk * CHUNK
            width = min(CHUNK, n - start)
            times(&C[0, 0], p, m, &basis[0, start], n, width, h, CHUNK)
            for i in range(width):
                f = 0.0
                for j in range(p):
                    f += a[j] * value(activation, h[j * CHUNK + i], c, terms)
                if correlation:
                    loss -= weights[start + i] * y[start + i] * f
                else:
                    loss += weights[start + i] * 0.5 * (y[start + i] - f) * (y[start + i] - f)
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
    cdef int q = <int> A.shape[0], inner = <int> A.shape[1], n = <int> gamma.shape[1]
    cdef int chunk, start, width, i, j
    if q == 0:
        return
    cdef double* new = <double*> malloc(q * CHUNK * sizeof(double))
    if new == NULL:
        raise MemoryError
    with nogil:
        for chunk in range((n + CHUNK - 1) // CHUNK):
            start = chunk * CHUNK
            width = min(CHUNK, n - start)
            times(&A[0, 0], q, inner, &gamma[0, start], n, width, new, CHUNK)
            for j in range(q):
                memcpy(&gamma[r + j, start], new + j * CHUNK, width * sizeof(double))
                for i in range(width):
                    basis[m + j, start + i] += inverse_sqrt_alpha * new[j * CHUNK + i]
    free(new)
