"""One step's gradient from a stored X, reading it once: forward, signal and backward while a few rows are in cache.

For every sample v of the batch h_j = <w_j, x_v>/sqrt(d), the signal g_j = a_j sigma'(h_j) r (theory, 1), and
G_j = sum_v x_v g_j(v)/sqrt(d). The batch is cut in parts whose number depends on the shapes alone; each has its own G
and the parts are summed in their order, so the result has the same bits for any number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange
from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from activations cimport Kind, value_then_slope
from entry cimport aligned, at_least, equal, network

cdef extern from "rowblock.h" nogil:
    const int TILE
    void forward_f(const float** rows, const float** following, Py_ssize_t R, const float* W, Py_ssize_t p,
                   Py_ssize_t d, double* h)
    void forward_d(const double** rows, const double** following, Py_ssize_t R, const double* W, Py_ssize_t p,
                   Py_ssize_t d, double* h)
    void backward_f(const float** rows, const float** following, Py_ssize_t R, const float* g, Py_ssize_t p,
                    Py_ssize_t d, float* G)
    void backward_d(const double** rows, const double** following, Py_ssize_t R, const double* g, Py_ssize_t p,
                    Py_ssize_t d, double* G)

# Rows in cache at a time: enough that a tile of weights is used several times, few enough for two blocks in L2.
cdef enum:
    ROWS = 16
    # Entries of the gradient that one thread sums at a time.
    SUMMED = 4096


cdef struct Network:
    Kind kind
    Py_ssize_t p
    const double* a
    const double* c
    Py_ssize_t terms
    bint correlation


cdef inline double signal(const Network* net, double* h, double y) noexcept nogil:
    """Replace the p fields of a sample by its signals; return its loss."""
    cdef double f = 0.0, r
    cdef Py_ssize_t j
    for j in range(net.p):
        f += net.a[j] * value_then_slope(net.kind, h + j, net.c, net.terms)
    r = y if net.correlation else y - f
    for j in range(net.p):
        h[j] *= net.a[j] * r
    return -y * f if net.correlation else 0.5 * r * r


cdef double part_gradient(const floating* X, Py_ssize_t stride, const Py_ssize_t* order, Py_ssize_t size,
                          const double* y, const floating* W, Py_ssize_t d, const Network* net,
                          floating* G, double* h, floating* g, double* out) noexcept nogil:
    """Add the rows `order` to G and return their loss; or, without G, only write their fields to `out`.

    Scratch: h and g hold ROWS p numbers each.
    """
    cdef Py_ssize_t p = net.p, i = 0, r, j, rows, tiles
    cdef double scale = 1.0 / sqrt(<double> d), loss = 0.0
    cdef const floating* here[ROWS]
    cdef const floating* following[ROWS]
    while i < size:
        rows = min(<Py_ssize_t> ROWS, size - i)
        tiles = (rows + TILE - 1) // TILE * TILE
        for r in range(tiles):
            # A tile is full: the last row stands in, with no signal.
            here[r] = X + order[min(i + r, size - 1)] * stride
            following[r] = X + order[min(i + ROWS + r, size - 1)] * stride
        memset(h, 0, tiles * p * sizeof(double))
        if floating is float:
            forward_f(here, following, tiles, W, p, d, h)
        else:
            forward_d(here, following, tiles, W, p, d, h)
        for j in range(rows * p):
            h[j] *= scale
        if G == NULL:
            memcpy(out + i * p, h, rows * p * sizeof(double))
        else:
            for r in range(rows):
                loss += signal(net, h + r * p, y[order[i + r]])
            for j in range(tiles * p):
                g[j] = <floating> (h[j] * scale) if j < rows * p else 0
            if floating is float:
                backward_f(here, following, tiles, g, p, d, G)
            else:
                backward_d(here, following, tiles, g, p, d, G)
        i += ROWS
    return loss


cdef Py_ssize_t checked_rows(const floating[:, :] X, const Py_ssize_t[::1] order, const floating[:, ::1] W) except? -1:
    """Return how many numbers lie between the rows of X, after checking that all rows that are asked for exist.

    A field of a packed structured array has rows at any number of bytes: those that numbers do not divide are refused.
    """
    cdef Py_ssize_t i, size = sizeof(floating), n = X.shape[0]
    at_least("the number of columns of X", X.shape[1], 1)
    equal("the number of columns of W", W.shape[1], X.shape[1])
    at_least("the number of rows of W", W.shape[0], 1)
    if X.shape[1] > 1 and X.strides[1] != size:
        raise ValueError("the columns of X are not contiguous")
    if n > 1 and X.strides[0] % size:
        raise ValueError(f"the rows of X are {X.strides[0]} bytes apart; allowed are multiples of {size}")
    aligned("X", &X[0, 0], size)
    aligned("W", &W[0, 0], size)
    aligned("order", &order[0], sizeof(Py_ssize_t))
    for i in range(order.shape[0]):
        if not 0 <= order[i] < n:
            raise ValueError(f"order[{i}] is {order[i]}; allowed are the rows 0 to {n - 1} of X")
    return X.strides[0] // size if n > 1 else 0


def gradient(const floating[:, :] X, const Py_ssize_t[::1] order, const double[::1] y, const floating[:, ::1] W,
             const double[::1] a, int kind, const double[::1] coefficients, bint correlation,
             floating[:, :, ::1] parts, double[:, ::1] out, int threads):
    """Write G_j = sum_v x_v g_j(v)/sqrt(d) over the rows in `order` into `out`; return their summed loss.

    Moves one read of the rows (d reals each) from memory, whatever p; 4 p d flops per row and about p activations.

    Parameters
    ----------
    X : (n, d) float32 or float64, columns contiguous, rows at any stride
    order : (m,) rows of the batch
    y : (n,) labels
    W : (p, d) weights, of the type of X
    a : (p,) second layer
    kind : value of the enum Kind
    coefficients : (terms,) coefficients of a polynomial activation, else unused
    correlation : whether the loss is the correlation loss
    parts : (parts, p, d) scratch, of the type of X; their number fixes the order of summation
    out : (p, d)
    threads : number of OpenMP threads
    """
    cdef Py_ssize_t p = W.shape[0], d = W.shape[1], m = order.shape[0], count = parts.shape[0]
    cdef Py_ssize_t q, c, first, size
    cdef Py_ssize_t stride = checked_rows(X, order, W)
    cdef Network net
    cdef double loss = 0.0, total
    cdef double* losses
    cdef double* h
    cdef floating* g
    network(p, a.shape[0], kind, threads)
    equal("the length of y", y.shape[0], X.shape[0])
    at_least("the number of parts", count, 1)
    equal("dimension 1 of parts", parts.shape[1], p)
    equal("dimension 2 of parts", parts.shape[2], d)
    equal("the number of rows of out", out.shape[0], p)
    equal("the number of columns of out", out.shape[1], d)
    aligned("y", &y[0], sizeof(double))
    aligned("a", &a[0], sizeof(double))
    aligned("coefficients", &coefficients[0], sizeof(double))
    aligned("parts", &parts[0, 0, 0], sizeof(floating))
    aligned("out", &out[0, 0], sizeof(double))
    losses = <double*> malloc(count * (1 + ROWS * p) * sizeof(double))
    g = <floating*> malloc(count * ROWS * p * sizeof(floating))
    if losses == NULL or g == NULL:
        free(losses)
        free(g)
        raise MemoryError
    h = losses + count
    net.kind, net.p, net.a, net.terms = <Kind> kind, p, &a[0], coefficients.shape[0]
    net.c = &coefficients[0] if net.terms else NULL
    net.correlation = correlation
    with nogil:
        for q in prange(count, num_threads=threads, schedule="dynamic", chunksize=1):
            memset(&parts[q, 0, 0], 0, p * d * sizeof(floating))
            first = m * q // count
            size = m * (q + 1) // count - first
            losses[q] = 0.0
            if size:
                losses[q] = part_gradient(&X[0, 0], stride, &order[first], size, &y[0], &W[0, 0], d, &net,
                                          &parts[q, 0, 0], h + q * ROWS * p, g + q * ROWS * p, NULL)
        for c in prange(p * d, num_threads=threads, schedule="dynamic", chunksize=SUMMED):
            total = 0.0
            for q in range(count):
                total = total + (&parts[q, 0, 0])[c]
            (&out[0, 0])[c] = total
        for q in range(count):
            loss += losses[q]
    free(losses)
    free(g)
    return loss


def fields(const floating[:, :] X, const Py_ssize_t[::1] order, const floating[:, ::1] W, double[:, ::1] out,
           int threads):
    """Write h_j = <w_j, x_v>/sqrt(d) of the rows in `order` into `out`, shape (m, p); one read of the rows."""
    cdef Py_ssize_t p = W.shape[0], d = W.shape[1], m = order.shape[0], count = (m + 255) // 256, q, first
    cdef Py_ssize_t stride = checked_rows(X, order, W)
    cdef Network net
    cdef double* h
    equal("the number of rows of out", out.shape[0], m)
    equal("the number of columns of out", out.shape[1], p)
    at_least("threads", threads, 1)
    aligned("out", &out[0, 0], sizeof(double))
    h = <double*> malloc(count * ROWS * p * sizeof(double))
    if h == NULL:
        raise MemoryError
    net.p = p
    with nogil:
        for q in prange(count, num_threads=threads, schedule="dynamic"):
            first = 256 * q
            part_gradient(&X[0, 0], stride, &order[first], min(<Py_ssize_t> 256, m - first), NULL, &W[0, 0], d, &net,
                          NULL, h + q * ROWS * p, NULL, &out[first, 0])
    free(h)
