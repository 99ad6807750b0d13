"""Products of a few rows of length n with a few others, in float64, reading the long rows once (theory, 6.2).

Sums over samples are cut in parts whose number the caller gives, and which are then summed in their order: the result
has the same bits for any number of threads.
"""

from cython cimport floating
from cython.parallel cimport prange

from entry cimport aligned, at_least, equal
from thin cimport combine_d, combine_f, inner_d, inner_f

# Samples that one thread takes at a time.
cdef enum:
    SHARE = 4096


def inner(const double[:, ::1] A, const floating[:, ::1] P, double[:, :, ::1] parts, int threads):
    """Write A P^T, part by part of the samples, into `parts`, to be summed over its first dimension.

    Reads m n doubles and k n reals; 2 m k n flops.

    Parameters
    ----------
    A : (m, n)
    P : (k, n) float32 or float64, k >= 1
    parts : (any number, m, k)
    threads : number of OpenMP threads
    """
    cdef Py_ssize_t m = A.shape[0], k = P.shape[0], n = A.shape[1], count = parts.shape[0], q
    equal("the number of columns of P", P.shape[1], n)
    equal("dimension 1 of parts", parts.shape[1], m)
    equal("dimension 2 of parts", parts.shape[2], k)
    at_least("the number of parts", count, 1)
    at_least("threads", threads, 1)
    aligned("A", &A[0, 0], sizeof(double))
    aligned("P", &P[0, 0], sizeof(floating))
    aligned("parts", &parts[0, 0, 0], sizeof(double))
    for q in prange(count, nogil=True, num_threads=threads, schedule="dynamic"):
        if floating is float:
            inner_f(&A[0, 0], m, &P[0, 0], k, n, n * q // count, n * (q + 1) // count, &parts[q, 0, 0])
        else:
            inner_d(&A[0, 0], m, &P[0, 0], k, n, n * q // count, n * (q + 1) // count, &parts[q, 0, 0])


def combine(const double[:, ::1] C, const floating[:, ::1] P, double[:, ::1] out, bint fresh, int threads):
    """Write C P into `out`, or add it unless `fresh`.

    Reads k n reals, and m n doubles where it adds; writes m n doubles; 2 m k n flops.

    Parameters
    ----------
    C : (m, k)
    P : (k, n) float32 or float64, k >= 1
    out : (m, n)
    threads : number of OpenMP threads
    """
    cdef Py_ssize_t m = C.shape[0], k = P.shape[0], n = P.shape[1], q
    equal("the number of columns of C", C.shape[1], k)
    equal("the number of rows of out", out.shape[0], m)
    equal("the number of columns of out", out.shape[1], n)
    at_least("the number of rows of P", k, 1)
    at_least("threads", threads, 1)
    aligned("C", &C[0, 0], sizeof(double))
    aligned("P", &P[0, 0], sizeof(floating))
    aligned("out", &out[0, 0], sizeof(double))
    for q in prange((n + SHARE - 1) // SHARE, nogil=True, num_threads=threads, schedule="dynamic"):
        if floating is float:
            combine_f(&C[0, 0], m, &P[0, 0], k, n, q * SHARE, min(n, (q + 1) * SHARE), &out[0, 0], fresh)
        else:
            combine_d(&C[0, 0], m, &P[0, 0], k, n, q * SHARE, min(n, (q + 1) * SHARE), &out[0, 0], fresh)
