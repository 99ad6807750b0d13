"""The exact overlap chain of descent on small fresh batches, for R replicas at once (theory, 6.3).

Held on an orthonormal basis of w*_1 … w*_k, p directions of the weights outside them, and b directions of the samples
outside both, the state is [M, E, D]. With the coefficients (z, u, A) of a sample on the basis, h = M z + E u + D A and
w_j <- (1 - eta lam) w_j + (eta/d) g_j (z, u, A), in units of sqrt(d). After the last step on a batch only overlaps
matter: E <- L, L L^T = E E^T + D D^T = Q - M M^T, D <- 0. No subtraction of M M^T ever loses digits near M = 1.

A batch that is met once, without look-ahead, sees nothing of D: then sum_v g_v A_v is drawn as it is, given the
signals. Its rows are R A with R R^T = g^T g and A of p vectors, so that a batch costs b (k + p), not b^2.
"""

from libc.math cimport NAN, sqrt
from libc.string cimport memset

from activations cimport Kind, slope, value_then_slope
from entry cimport aligned, at_least, equal, network, within

cdef enum:
    RUNNING = -1
cdef double DIVERGED = 1e6

# Sizes as types: each pair has its own compiled loop.
ctypedef signed char One
ctypedef short Two
ctypedef int Three
ctypedef fused Neurons:
    One
    Two
ctypedef fused Directions:
    One
    Two
    Three

cdef struct Chain:
    Kind kind
    # Of b samples: how many coefficients outside each has, and how many columns D has.
    Py_ssize_t p, k, b, seen, columns, terms
    const double* a
    const double* c
    bint correlation
    bint normalize
    double shrink, eta, rho

cdef struct Kept:
    Py_ssize_t every, rows
    double* M
    double* Q
    double* loss


cdef inline void fields(const Chain* s, const double* M, const double* E, const double* D, const double* z,
                        const double* u, const double* A, double* h) noexcept nogil:
    """Write h_j = M z + E u + D A of one sample."""
    cdef Py_ssize_t j, i
    cdef double total
    for j in range(s.p):
        total = 0.0
        for i in range(s.k):
            total += M[j * s.k + i] * z[i]
        for i in range(s.p):
            total += E[j * s.p + i] * u[i]
        for i in range(s.seen):
            total += D[j * s.columns + i] * A[i]
        h[j] = total


cdef inline double signal(const Chain* s, Py_ssize_t p, bint wanted, double y, double* h) noexcept nogil:
    """Replace the p fields of a sample by its signals; return its loss, or nothing where it is not wanted."""
    cdef double f = 0.0, r
    cdef Py_ssize_t j
    if s.correlation and not wanted:
        for j in range(p):
            h[j] = s.a[j] * slope(s.kind, h[j], s.c, s.terms) * y
        return NAN
    for j in range(p):
        f += s.a[j] * value_then_slope(s.kind, h + j, s.c, s.terms)
    r = y if s.correlation else y - f
    for j in range(p):
        h[j] *= s.a[j] * r
    return -y * f if s.correlation else 0.5 * r * r


cdef inline void add(const Chain* s, double step, const double* g, const double* z, const double* u, const double* A,
                     double* M, double* E, double* D) noexcept nogil:
    """Add step g_j (z, u, A) to the rows j."""
    cdef Py_ssize_t j, i
    cdef double c
    for j in range(s.p):
        c = step * g[j]
        for i in range(s.k):
            M[j * s.k + i] += c * z[i]
        for i in range(s.p):
            E[j * s.p + i] += c * u[i]
        for i in range(s.seen):
            D[j * s.columns + i] += c * A[i]


cdef void add_jointly(const Chain* s, const double* g, const double* A, double* D, double* S, double* L) noexcept nogil:
    """Add step R A to D, shape (p, p), R R^T = g^T g. Scratch: S and L, both (p, p)."""
    cdef Py_ssize_t p = s.p, j, i, v, other
    for j in range(p):
        for other in range(j + 1):
            S[j * p + other] = 0.0
    for v in range(s.b):
        for j in range(p):
            for other in range(j + 1):
                S[j * p + other] += g[v * p + j] * g[v * p + other]
    triangular(p, S, L)
    for j in range(p):
        for other in range(j + 1):
            for i in range(other + 1):
                D[j * p + i] += s.eta * L[j * p + other] * A[other * p + i]


cdef inline void triangular(Py_ssize_t p, const double* S, double* L) noexcept nogil:
    """Write the lower triangular root of S, of which the lower triangle is read; dependent columns are zero."""
    cdef Py_ssize_t j, other, i
    cdef double pivot
    memset(L, 0, p * p * sizeof(double))
    for j in range(p):
        pivot = S[j * p + j]
        for i in range(j):
            pivot -= L[j * p + i] * L[j * p + i]
        if pivot > 1e-13 * S[j * p + j]:
            pivot = sqrt(pivot)
            L[j * p + j] = pivot
            for other in range(j + 1, p):
                L[other * p + j] = S[other * p + j]
                for i in range(j):
                    L[other * p + j] -= L[other * p + i] * L[j * p + i]
                L[other * p + j] /= pivot


cdef double descend(const Chain* s, const double* z, const double* u, const double* A, const double* y, double* M,
                    double* E, double* D, double* g, double* ahead) noexcept nogil:
    """Take one step on a batch; return its loss. Scratch: g (b, p), ahead (p, k + p + b)."""
    cdef Py_ssize_t p = s.p, k = s.k, b = s.b, n = s.seen, columns = s.columns, v, j, i
    cdef double loss = 0.0, norm
    cdef double* M_ahead = ahead
    cdef double* E_ahead = ahead + p * k
    cdef double* D_ahead = ahead + p * (k + p)
    for v in range(b):
        fields(s, M, E, D, z + v * k, u + v * p, A + v * n, g + v * p)
        loss += signal(s, p, True, y[v], g + v * p)
    if s.rho != 0.0:
        for i in range(p * k):
            M_ahead[i] = M[i]
        for i in range(p * p):
            E_ahead[i] = E[i]
        for i in range(p * columns):
            D_ahead[i] = D[i]
        for v in range(b):
            add(s, s.rho, g + v * p, z + v * k, u + v * p, A + v * n, M_ahead, E_ahead, D_ahead)
        for v in range(b):
            fields(s, M_ahead, E_ahead, D_ahead, z + v * k, u + v * p, A + v * n, g + v * p)
            signal(s, p, False, y[v], g + v * p)
    if s.shrink != 1.0:
        for i in range(p * k):
            M[i] *= s.shrink
        for i in range(p * p):
            E[i] *= s.shrink
        for i in range(p * columns):
            D[i] *= s.shrink
    for v in range(b):
        add(s, s.eta, g + v * p, z + v * k, u + v * p, A + v * n, M, E, D)
    if n < b:
        add_jointly(s, g, A, D, ahead, ahead + p * p)
    if s.normalize:
        for j in range(p):
            norm = 0.0
            for i in range(k):
                norm += M[j * k + i] * M[j * k + i]
            for i in range(p):
                norm += E[j * p + i] * E[j * p + i]
            for i in range(columns):
                norm += D[j * columns + i] * D[j * columns + i]
            norm = 1.0 / sqrt(norm)
            for i in range(k):
                M[j * k + i] *= norm
            for i in range(p):
                E[j * p + i] *= norm
            for i in range(columns):
                D[j * columns + i] *= norm
    return loss / b


cdef inline void gram(Py_ssize_t p, Py_ssize_t columns, const double* E, const double* D, double* S) noexcept nogil:
    """Write S = E E^T + D D^T, shape (p, p)."""
    cdef Py_ssize_t j, other, i
    cdef double total
    for j in range(p):
        for other in range(j + 1):
            total = 0.0
            for i in range(p):
                total += E[j * p + i] * E[other * p + i]
            for i in range(columns):
                total += D[j * columns + i] * D[other * columns + i]
            S[j * p + other] = S[other * p + j] = total


cdef inline void rotate(Py_ssize_t p, Py_ssize_t columns, double* E, double* D, double* S) noexcept nogil:
    """Replace E by the lower triangular root of E E^T + D D^T (dependent columns are zero), and D by zero."""
    gram(p, columns, E, D, S)
    triangular(p, S, E)
    memset(D, 0, p * columns * sizeof(double))


cdef void keep(const Chain* s, const double* M, const double* E, const double* D, double* kept_M,
               double* Q) noexcept nogil:
    """Copy M, and write Q = M M^T + E E^T + D D^T."""
    cdef Py_ssize_t j, other, i
    gram(s.p, s.columns, E, D, Q)
    for j in range(s.p):
        for i in range(s.k):
            kept_M[j * s.k + i] = M[j * s.k + i]
            for other in range(s.p):
                Q[j * s.p + other] += M[j * s.k + i] * M[other * s.k + i]


cdef inline double longest(Py_ssize_t p, Py_ssize_t k, const double* M) noexcept nogil:
    """Return the squared norm of the longest row of M; NaN if an entry is."""
    cdef double result = 0.0, total
    cdef Py_ssize_t j, i
    for j in range(p):
        total = 0.0
        for i in range(k):
            total += M[j * k + i] * M[j * k + i]
        if not total <= result:
            result = total
    return result


cdef inline double longest_along(Py_ssize_t p, Py_ssize_t k, const double* M, const double* V,
                                 Py_ssize_t count) noexcept nogil:
    """Return the squared norm of the longest row of M V^T, V (count, k) orthonormal."""
    cdef double result = 0.0, total, part
    cdef Py_ssize_t j, i, q
    for j in range(p):
        total = 0.0
        for q in range(count):
            part = 0.0
            for i in range(k):
                part += V[q * k + i] * M[j * k + i]
            total += part * part
        if total > result:
            result = total
    return result


cdef inline long long stopped(Py_ssize_t p, Py_ssize_t k, const double* M, const double* V, Py_ssize_t count,
                              double stop, long long step) noexcept nogil:
    """Return what `hit` holds after a step: -2 - its number if M diverged, its number beyond `stop`, else RUNNING."""
    if not longest(p, k, M) <= DIVERGED * DIVERGED:
        return -2 - step
    return step if stop >= 0 and longest_along(p, k, M, V, count) > stop * stop else RUNNING


cdef void singles(const Chain* s, Neurons neurons, Directions directions, const double* z, const double* u,
                  const double* A, const double* y, Py_ssize_t R, Py_ssize_t B, Py_ssize_t first, double stop,
                  const double* V, Py_ssize_t count, double* M, double* E, long long* hit,
                  const Kept* kept) noexcept nogil:
    """The chain for b = 1, a new sample at every step, its sizes known when it is compiled.

    Replicas are the inner loop: their steps do not wait for each other's square root and exponential. The state of
    one is held in registers; the field after looking ahead is h_j + rho g_j |x|^2.
    """
    cdef Py_ssize_t t, r, j, i, row = 0, at
    cdef Py_ssize_t p = 1 if Neurons is One else 2
    cdef Py_ssize_t k = 1 if Directions is One else 2 if Directions is Two else 3
    cdef double loss, size, c, norm, tail
    cdef bint now
    cdef double m[6]
    cdef double e[4]
    cdef double g[2]
    cdef double h[2]
    cdef double D[2]
    cdef double S[4]
    for t in range(B):
        now = (first + t) % kept.every == 0
        for r in range(R):
            at = t * R + r
            D[0] = D[1] = 0.0
            if now:
                keep(s, M + r * p * k, E + r * p * p, D, kept.M + (r * kept.rows + row) * p * k,
                     kept.Q + (r * kept.rows + row) * p * p)
                kept.loss[r * kept.rows + row] = NAN
            if hit[r] != RUNNING:
                continue
            for i in range(p * k):
                m[i] = M[r * p * k + i]
            for i in range(p * p):
                e[i] = E[r * p * p + i]
            for j in range(p):
                c = 0.0
                for i in range(k):
                    c += m[j * k + i] * z[at * k + i]
                for i in range(j + 1):
                    c += e[j * p + i] * u[at * p + i]
                g[j] = h[j] = c
            loss = signal(s, p, now, y[at], g)
            if now:
                kept.loss[r * kept.rows + row] = loss
            tail = A[at]
            if s.rho != 0.0:
                size = tail * tail
                for i in range(k):
                    size += z[at * k + i] * z[at * k + i]
                for i in range(p):
                    size += u[at * p + i] * u[at * p + i]
                for j in range(p):
                    g[j] = h[j] + s.rho * g[j] * size
                signal(s, p, False, y[at], g)
            for j in range(p):
                c = s.eta * g[j]
                for i in range(k):
                    m[j * k + i] = s.shrink * m[j * k + i] + c * z[at * k + i]
                for i in range(p):
                    e[j * p + i] = s.shrink * e[j * p + i] + c * u[at * p + i]
                D[j] = c * tail
            gram(p, 1, e, D, S)
            triangular(p, S, e)
            if s.normalize:
                for j in range(p):
                    norm = S[j * p + j]
                    for i in range(k):
                        norm += m[j * k + i] * m[j * k + i]
                    norm = 1.0 / sqrt(norm)
                    for i in range(k):
                        m[j * k + i] *= norm
                    for i in range(j + 1):
                        e[j * p + i] *= norm
            for i in range(p * k):
                M[r * p * k + i] = m[i]
            for i in range(p * p):
                E[r * p * p + i] = e[i]
            hit[r] = stopped(p, k, m, V, count, stop, first + t + 1)
        row += now


cdef int checked_sizes(str what, const Py_ssize_t* given, tuple wanted) except -1:
    cdef Py_ssize_t i
    for i in range(len(wanted)):
        equal(f"dimension {i} of {what}", given[i], wanted[i])
    return 0


def chain(const double[:, :, :, ::1] z, const double[:, :, :, ::1] u, const double[:, :, :, ::1] A,
          const double[:, :, ::1] y, const double[::1] a, int kind, const double[::1] coefficients, bint correlation,
          double shrink, double eta, double rho, bint normalize, Py_ssize_t repeats, bint joint, Py_ssize_t first,
          Py_ssize_t last, double stop, const double[:, ::1] along, double[:, :, ::1] M, double[:, :, ::1] E,
          long long[::1] hit, Py_ssize_t every, double[:, :, :, ::1] kept_M, double[:, :, :, ::1] kept_Q,
          double[:, ::1] kept_loss, double[:, ::1] scratch):
    """Take `repeats` steps on each of B batches, for R replicas, in place.

    Reads b (k + p + b/2 + 1) doubles per batch and replica; about b p activations and 4 b p (k + p + b) + p^3/3 flops
    per step. The state of a replica stays in its first-level cache.

    Parameters
    ----------
    z, u : (B, R, b, k) and (B, R, b, p) coefficients of the samples on w* and on the weights outside them
    A : (B, R, b, b) their coefficients outside both, lower triangular, x_v . x_v' = A_v . A_v'; jointly (B, R, p, p),
        of p normal vectors
    y : (B, R, b) labels
    a : (p,) second layer
    kind, coefficients, correlation : as for `signals`
    shrink, eta, rho : 1 - eta lam, eta/d and rho/d
    normalize : whether rows are scaled back to norm 1 after each step
    repeats : steps on each batch
    joint : whether what a batch adds outside is drawn at once, for one step a batch and rho = 0
    first, last : number of steps taken before, and after; the last batch may have fewer steps than `repeats`
    stop : replicas stop when a row of M along^T is longer than this; negative: never
    along : (q, k) orthonormal rows
    M : (R, p, k)
    E : (R, p, p) a root of Q - M M^T
    hit : (R,) step at which a replica stopped, -1 while it runs, -2 - step if its overlaps diverged there
    every : steps t = first, … divisible by `every` are kept, before the step
    kept_M, kept_Q, kept_loss : (R, kept, p, k), (R, kept, p, p), (R, kept); a stopped replica keeps its last
        overlaps, its loss is NaN
    scratch : (R, at least p (k + 3 p + 3 b) + b p)
    """
    cdef Py_ssize_t r, t, _q, step, row, p = M.shape[1], k = M.shape[2], b = y.shape[2], B = y.shape[0]
    cdef Py_ssize_t R = M.shape[0], kept
    cdef Py_ssize_t q = along.shape[0]
    cdef Chain s
    cdef Kept record
    cdef const double* zs
    cdef const double* us
    cdef const double* As
    cdef const double* ys
    cdef const double* V
    cdef long long* hits
    cdef double loss
    cdef bint running
    cdef double* m
    cdef double* e
    cdef double* D
    cdef double* g
    cdef double* S
    cdef double* ahead
    network(p, a.shape[0], kind, 1)
    at_least("k", k, 1)
    at_least("b", b, 1)
    at_least("repeats", repeats, 1)
    at_least("every", every, 1)
    at_least("first", first, 0)
    # Every batch has a step, and the last one at most `repeats`.
    within("last", last, first + (B - 1) * repeats + 1 if B else first, first + B * repeats)
    checked_sizes("z", z.shape, (B, R, b, k))
    checked_sizes("u", u.shape, (B, R, b, p))
    checked_sizes("A", A.shape, (B, R, p, p) if joint else (B, R, b, b))
    if joint and (repeats != 1 or rho != 0.0 or b <= p):
        raise ValueError(f"joint with repeats = {repeats}, rho = {rho}, b = {b}; allowed are 1, 0 and more than p = {p}")
    checked_sizes("y", y.shape, (B, R, b))
    checked_sizes("E", E.shape, (R, p, p))
    checked_sizes("hit", hit.shape, (R,))
    equal("the number of columns of along", along.shape[1], k)
    # As many steps as are kept: those from first to last - 1 that `every` divides.
    kept = (last + every - 1) // every - (first + every - 1) // every
    checked_sizes("kept_M", kept_M.shape, (R, kept, p, k))
    checked_sizes("kept_Q", kept_Q.shape, (R, kept, p, p))
    checked_sizes("kept_loss", kept_loss.shape, (R, kept))
    equal("dimension 0 of scratch", scratch.shape[0], R)
    at_least("dimension 1 of scratch", scratch.shape[1], p * (k + 3 * p + 3 * b) + b * p)
    for name, first_number in (
        ("z", <size_t> &z[0, 0, 0, 0]), ("u", <size_t> &u[0, 0, 0, 0]), ("A", <size_t> &A[0, 0, 0, 0]),
        ("y", <size_t> &y[0, 0, 0]), ("a", <size_t> &a[0]), ("coefficients", <size_t> &coefficients[0]),
        ("along", <size_t> &along[0, 0]), ("M", <size_t> &M[0, 0, 0]), ("E", <size_t> &E[0, 0, 0]),
        ("hit", <size_t> &hit[0]), ("kept_M", <size_t> &kept_M[0, 0, 0, 0]),
        ("kept_Q", <size_t> &kept_Q[0, 0, 0, 0]), ("kept_loss", <size_t> &kept_loss[0, 0]),
        ("scratch", <size_t> &scratch[0, 0]),
    ):
        aligned(name, <const void*> <size_t> first_number, sizeof(double))
    s.kind, s.p, s.k, s.b, s.terms = <Kind> kind, p, k, b, coefficients.shape[0]
    s.seen = 0 if joint else b
    s.columns = p if joint else b
    s.a = &a[0]
    s.c = &coefficients[0] if s.terms else NULL
    s.correlation, s.normalize = correlation, normalize
    s.shrink, s.eta, s.rho = shrink, eta, rho
    if b == repeats == 1 and p <= 2 and k <= 3:
        record.every, record.rows, record.M = every, kept_loss.shape[1], &kept_M[0, 0, 0, 0]
        record.Q, record.loss = &kept_Q[0, 0, 0, 0], &kept_loss[0, 0]
        zs, us, As, ys = &z[0, 0, 0, 0], &u[0, 0, 0, 0], &A[0, 0, 0, 0], &y[0, 0, 0]
        V, m, e, hits = &along[0, 0], &M[0, 0, 0], &E[0, 0, 0], &hit[0]
        with nogil:
            if p == 1 and k == 1:
                singles[One, One](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
            elif p == 1 and k == 2:
                singles[One, Two](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
            elif p == 1 and k == 3:
                singles[One, Three](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
            elif p == 2 and k == 1:
                singles[Two, One](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
            elif p == 2 and k == 2:
                singles[Two, Two](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
            elif p == 2 and k == 3:
                singles[Two, Three](&s, 0, 0, zs, us, As, ys, R, B, first, stop, V, q, m, e, hits, &record)
        return
    with nogil:
        for r in range(R):
            m, e, D = &M[r, 0, 0], &E[r, 0, 0], &scratch[r, 0]
            g = D + p * b
            S = g + p * b
            ahead = S + p * p
            memset(D, 0, p * b * sizeof(double))
            row, step = 0, first
            for t in range(B):
                running = hit[r] == RUNNING
                for _q in range(min(repeats, last - step)):
                    if step % every == 0:
                        keep(&s, m, e, D, &kept_M[r, row, 0, 0], &kept_Q[r, row, 0, 0])
                    loss = NAN
                    if hit[r] == RUNNING:
                        loss = descend(&s, &z[t, r, 0, 0], &u[t, r, 0, 0], &A[t, r, 0, 0], &y[t, r, 0], m, e, D, g, ahead)
                        hit[r] = stopped(p, k, m, &along[0, 0], q, stop, step + 1)
                    if step % every == 0:
                        kept_loss[r, row] = loss
                        row += 1
                    step += 1
                if running:
                    rotate(p, s.columns, e, D, S)
