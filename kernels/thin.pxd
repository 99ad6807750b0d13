# The thin products of kernels/products.h, on a part of the samples.
cdef extern from "products.h" nogil:
    # S (m, k) = A P^T over samples first … last - 1 of rows of length n.
    void inner_f(const double* A, Py_ssize_t m, const float* P, Py_ssize_t k, Py_ssize_t n, Py_ssize_t first,
                 Py_ssize_t last, double* S)
    void inner_d(const double* A, Py_ssize_t m, const double* P, Py_ssize_t k, Py_ssize_t n, Py_ssize_t first,
                 Py_ssize_t last, double* S)
    # out (m, n) = C P, or += C P unless fresh, over the same samples; C is (m, k).
    void combine_f(const double* C, Py_ssize_t m, const float* P, Py_ssize_t k, Py_ssize_t n, Py_ssize_t first,
                   Py_ssize_t last, double* out, bint fresh)
    void combine_d(const double* C, Py_ssize_t m, const double* P, Py_ssize_t k, Py_ssize_t n, Py_ssize_t first,
                   Py_ssize_t last, double* out, bint fresh)
