/* Products of a few rows of X with all weights, and back: the two halves of a gradient step on rows that stay in cache.

   forward:   h[r, j] = sum_c X[r, c] W[j, c]           R rows, p neurons
   backward:  G[j, c] += sum_r g[r, j] X[r, c]

   Both work on tiles of 4 rows by up to 3 neurons over chunks of columns: a tile's accumulators are registers, the
   chunk of W (or G) is reused by every tile of rows. While they work, the rows of the next block are prefetched, so
   that memory is never idle. Reads through a volatile pointer happen once: GCC would fold a vector of X into three
   products that each read it again. */
#ifndef REBATCH_ROWBLOCK_H
#define REBATCH_ROWBLOCK_H

#include "vectors.h"

enum { TILE = 4, NEURONS = 3, VECTOR_BYTES = 32, CHUNK_BYTES = 8192 };

#define DEFINE_ROWBLOCK(real, name)                                                                                \
    typedef real vec_##name __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));          \
                                                                                                                   \
    INLINE void dots_##name(const real *const *rows, const real *const *ahead, const real *W, ptrdiff_t d,         \
                            ptrdiff_t from, ptrdiff_t to, const int P, double *h, ptrdiff_t p) {                   \
        enum { LANES = VECTOR_BYTES / sizeof(real) };                                                              \
        const real *const X[TILE] = {rows[0], rows[1], rows[2], rows[3]};                                          \
        vec_##name sum[TILE][NEURONS] = {{{0}}};                                                                   \
        ptrdiff_t c = from;                                                                                        \
        for (; c + LANES <= to; c += LANES) {                                                                      \
            vec_##name w[NEURONS];                                                                                 \
            for (int j = 0; j < P; j++) w[j] = *(const vec_##name *)(W + j * d + c);                               \
            for (int r = 0; r < TILE; r++) {                                                                       \
                const vec_##name x = *(const vec_##name *)(X[r] + c);                                              \
                for (int j = 0; j < P; j++) sum[r][j] += x * w[j];                                                 \
            }                                                                                                      \
            if (ahead)                                                                                             \
                for (int r = 0; r < TILE; r++) __builtin_prefetch(ahead[r] + c, 0, 2);                             \
        }                                                                                                          \
        for (int r = 0; r < TILE; r++)                                                                             \
            for (int j = 0; j < P; j++) {                                                                          \
                real total = 0;                                                                                    \
                for (int l = 0; l < LANES; l++) total += sum[r][j][l];                                             \
                for (ptrdiff_t rest = c; rest < to; rest++) total += X[r][rest] * W[j * d + rest];                 \
                h[r * p + j] += total;                                                                             \
            }                                                                                                      \
    }                                                                                                              \
                                                                                                                   \
    INLINE void adds_##name(const real *const *rows, const real *const *ahead, const real *g, ptrdiff_t p,         \
                            real *G, ptrdiff_t d, ptrdiff_t from, ptrdiff_t to, const int P) {                     \
        enum { LANES = VECTOR_BYTES / sizeof(real) };                                                              \
        const real *const X[TILE] = {rows[0], rows[1], rows[2], rows[3]};                                          \
        vec_##name s[TILE][NEURONS];                                                                               \
        for (int r = 0; r < TILE; r++)                                                                             \
            for (int j = 0; j < P; j++) s[r][j] = (vec_##name){0} + g[r * p + j];                                  \
        ptrdiff_t c = from;                                                                                        \
        for (; c + LANES <= to; c += LANES) {                                                                      \
            vec_##name sum[NEURONS];                                                                               \
            for (int j = 0; j < P; j++) sum[j] = *(const vec_##name *)(G + j * d + c);                             \
            for (int r = 0; r < TILE; r++) {                                                                       \
                const vec_##name x = *(const volatile vec_##name *)(X[r] + c);                                     \
                for (int j = 0; j < P; j++) sum[j] += x * s[r][j];                                                 \
            }                                                                                                      \
            for (int j = 0; j < P; j++) *(vec_##name *)(G + j * d + c) = sum[j];                                   \
            if (ahead)                                                                                             \
                for (int r = 0; r < TILE; r++) __builtin_prefetch(ahead[r] + c, 0, 2);                             \
        }                                                                                                          \
        for (int j = 0; j < P; j++)                                                                                \
            for (ptrdiff_t rest = c; rest < to; rest++) {                                                          \
                real total = G[j * d + rest];                                                                      \
                for (int r = 0; r < TILE; r++) total += X[r][rest] * g[r * p + j];                                 \
                G[j * d + rest] = total;                                                                           \
            }                                                                                                      \
    }                                                                                                              \
                                                                                                                   \
    /* h (R, p) += products of R rows (a multiple of TILE) with the p rows of W; h starts at 0.                    \
       Tiles 0, 2, … prefetch their namesakes of the next block here, the others in backward. */                   \
    CLONES static void forward_##name(const real *const *rows, const real *const *next, ptrdiff_t R,               \
                                      const real *W, ptrdiff_t p, ptrdiff_t d, double *h) {                        \
        const ptrdiff_t chunk = CHUNK_BYTES / sizeof(real);                                                        \
        for (ptrdiff_t from = 0; from < d; from += chunk) {                                                        \
            const ptrdiff_t to = from + chunk < d ? from + chunk : d;                                              \
            for (ptrdiff_t r = 0; r < R; r += TILE)                                                                \
                for (ptrdiff_t j = 0; j < p; j += NEURONS) {                                                       \
                    const real *const *x = rows + r, *const *ahead = next && !j && !(r / TILE % 2) ? next + r : 0; \
                    const real *w = W + j * d;                                                                     \
                    double *out = h + r * p + j;                                                                   \
                    switch (p - j) {                                                                               \
                    case 1: dots_##name(x, ahead, w, d, from, to, 1, out, p); break;                               \
                    case 2: dots_##name(x, ahead, w, d, from, to, 2, out, p); break;                               \
                    default: dots_##name(x, ahead, w, d, from, to, 3, out, p);                                     \
                    }                                                                                              \
                }                                                                                                  \
        }                                                                                                          \
    }                                                                                                              \
                                                                                                                   \
    /* G (p, d) += g^T X for R rows (a multiple of TILE) and their signals g (R, p). */                            \
    CLONES static void backward_##name(const real *const *rows, const real *const *next, ptrdiff_t R,              \
                                       const real *g, ptrdiff_t p, ptrdiff_t d, real *G) {                         \
        const ptrdiff_t chunk = CHUNK_BYTES / sizeof(real);                                                        \
        for (ptrdiff_t from = 0; from < d; from += chunk) {                                                        \
            const ptrdiff_t to = from + chunk < d ? from + chunk : d;                                              \
            for (ptrdiff_t r = 0; r < R; r += TILE)                                                                \
                for (ptrdiff_t j = 0; j < p; j += NEURONS) {                                                       \
                    const real *const *x = rows + r, *const *ahead = next && !j && (r / TILE % 2) ? next + r : 0;  \
                    const real *s = g + r * p + j;                                                                 \
                    real *out = G + j * d;                                                                         \
                    switch (p - j) {                                                                               \
                    case 1: adds_##name(x, ahead, s, p, out, d, from, to, 1); break;                               \
                    case 2: adds_##name(x, ahead, s, p, out, d, from, to, 2); break;                               \
                    default: adds_##name(x, ahead, s, p, out, d, from, to, 3);                                     \
                    }                                                                                              \
                }                                                                                                  \
        }                                                                                                          \
    }

DEFINE_ROWBLOCK(float, f)
DEFINE_ROWBLOCK(double, d)

#endif
