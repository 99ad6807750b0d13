/* Products of a few rows of length n with a few others: what a lazy run spends its time on, after the random numbers.

   inner:    S[i, j] += sum_v A[i, v] P[j, v]
   combine:  out[i, v] (+)= sum_j C[i, j] P[j, v]

   Such matrices are too thin for BLAS, which reads them at half the speed of the caches. Here P streams once for two
   rows of A (or out), whose chunk stays in the first-level cache; four rows of P at a time. A tile that lacks a row
   takes the last one again and drops its result, or adds it with the coefficient 0. */
#ifndef REBATCH_PRODUCTS_H
#define REBATCH_PRODUCTS_H

#include "vectors.h"

enum { PAIR = 2, QUAD = 4, LANES = 4, CHUNK = 1024 };

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
typedef float half_vec __attribute__((vector_size(16), aligned(4), may_alias));

INLINE vec load_d(const double *p) { return *(const vec *)p; }
INLINE vec load_f(const float *p) { return __builtin_convertvector(*(const half_vec *)p, vec); }

#define DEFINE_PRODUCTS(real, name)                                                                                   \
    INLINE void inner_tile_##name(const double *const *a, const real *const *p, ptrdiff_t size,                       \
                                  double total[PAIR][QUAD]) {                                                         \
        vec sum[PAIR][QUAD] = {{{0}}};                                                                                \
        ptrdiff_t v = 0;                                                                                              \
        for (; v + LANES <= size; v += LANES)                                                                         \
            for (int j = 0; j < QUAD; j++) {                                                                          \
                const vec x = load_##name(p[j] + v);                                                                  \
                for (int i = 0; i < PAIR; i++) sum[i][j] += load_d(a[i] + v) * x;                                     \
            }                                                                                                         \
        for (int i = 0; i < PAIR; i++)                                                                                \
            for (int j = 0; j < QUAD; j++) {                                                                          \
                total[i][j] = (sum[i][j][0] + sum[i][j][1]) + (sum[i][j][2] + sum[i][j][3]);                          \
                for (ptrdiff_t rest = v; rest < size; rest++) total[i][j] += a[i][rest] * p[j][rest];                 \
            }                                                                                                         \
    }                                                                                                                 \
                                                                                                                      \
    INLINE void combine_tile_##name(const double c[PAIR][QUAD], const real *const *p, ptrdiff_t size,                 \
                                    double *const *out, const int rows, const int fresh) {                            \
        ptrdiff_t v = 0;                                                                                              \
        for (; v + LANES <= size; v += LANES) {                                                                       \
            vec x[QUAD];                                                                                              \
            for (int j = 0; j < QUAD; j++) x[j] = load_##name(p[j] + v);                                              \
            for (int i = 0; i < rows; i++) {                                                                          \
                vec sum = (c[i][0] * x[0] + c[i][1] * x[1]) + (c[i][2] * x[2] + c[i][3] * x[3]);                      \
                if (!fresh) sum += load_d(out[i] + v);                                                                \
                *(vec *)(out[i] + v) = sum;                                                                           \
            }                                                                                                         \
        }                                                                                                             \
        for (; v < size; v++)                                                                                         \
            for (int i = 0; i < rows; i++) {                                                                          \
                double sum = fresh ? 0.0 : out[i][v];                                                                 \
                for (int j = 0; j < QUAD; j++) sum += c[i][j] * p[j][v];                                              \
                out[i][v] = sum;                                                                                      \
            }                                                                                                         \
    }                                                                                                                 \
                                                                                                                      \
    /* S (m, k) = A P^T over samples from … to - 1 of rows of length n. */                                            \
    CLONES static void inner_##name(const double *A, ptrdiff_t m, const real *P, ptrdiff_t k, ptrdiff_t n,            \
                                    ptrdiff_t from, ptrdiff_t to, double *S) {                                        \
        for (ptrdiff_t e = 0; e < m * k; e++) S[e] = 0;                                                               \
        for (ptrdiff_t v = from; v < to; v += CHUNK)                                                                  \
            for (ptrdiff_t j = 0; j < k; j += QUAD) {                                                                 \
                const real *p[QUAD];                                                                                  \
                for (int q = 0; q < QUAD; q++) p[q] = P + (j + q < k ? j + q : k - 1) * n + v;                        \
                for (ptrdiff_t i = 0; i < m; i += PAIR) {                                                             \
                    const double *a[PAIR] = {A + i * n + v, A + (i + 1 < m ? i + 1 : i) * n + v};                     \
                    double total[PAIR][QUAD];                                                                         \
                    inner_tile_##name(a, p, to - v < CHUNK ? to - v : CHUNK, total);                                  \
                    for (int r = 0; r < PAIR && i + r < m; r++)                                                       \
                        for (int q = 0; q < QUAD && j + q < k; q++) S[(i + r) * k + j + q] += total[r][q];            \
                }                                                                                                     \
            }                                                                                                         \
    }                                                                                                                 \
                                                                                                                      \
    /* out (m, n) = C P, or += C P unless fresh, over samples from … to - 1; C is (m, k). */                          \
    CLONES static void combine_##name(const double *C, ptrdiff_t m, const real *P, ptrdiff_t k, ptrdiff_t n,          \
                                      ptrdiff_t from, ptrdiff_t to, double *out, int fresh) {                         \
        for (ptrdiff_t v = from; v < to; v += CHUNK) {                                                                \
            const ptrdiff_t size = to - v < CHUNK ? to - v : CHUNK;                                                   \
            for (ptrdiff_t j = 0; j < k; j += QUAD) {                                                                 \
                const real *p[QUAD];                                                                                  \
                for (int q = 0; q < QUAD; q++) p[q] = P + (j + q < k ? j + q : k - 1) * n + v;                        \
                for (ptrdiff_t i = 0; i < m; i += PAIR) {                                                             \
                    double c[PAIR][QUAD] = {{0}}, *rows[PAIR] = {out + i * n + v, out + (i + 1 < m ? i + 1 : i) * n + v};\
                    for (int r = 0; r < PAIR && i + r < m; r++)                                                       \
                        for (int q = 0; q < QUAD && j + q < k; q++) c[r][q] = C[(i + r) * k + j + q];                 \
                    if (m - i == 1)                                                                                   \
                        combine_tile_##name(c, p, size, rows, 1, fresh && !j);                                        \
                    else                                                                                              \
                        combine_tile_##name(c, p, size, rows, 2, fresh && !j);                                        \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }

DEFINE_PRODUCTS(float, f)
DEFINE_PRODUCTS(double, d)

#endif
