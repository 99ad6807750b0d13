/* Products of a few rows of X with all weights, and back: the two halves of a gradient step on rows that stay in cache.

   forward:   h[r, j] = sum_c X[r, c] W[j, c]           R rows, p neurons
   backward:  G[j, c] += sum_r g[r, j] X[r, c]

   Both work on tiles of 4 rows by a few neurons over chunks of columns: a tile's accumulators are registers, and its
   chunk of W (or G) stays in the first-level cache for every tile of rows. Of the two versions one has tiles of 3
   neurons, for 16 vector registers of 32 bytes, the other of 6, for 32 registers of 64 bytes, and the processor picks
   when it runs. While they work, the rows of the next block are prefetched, so that memory is never idle. Reads through
   a volatile pointer happen once: GCC would fold a vector of X into products that each read it again. */
#ifndef REBATCH_ROWBLOCK_H
#define REBATCH_ROWBLOCK_H

#include "vectors.h"

enum { TILE = 4 };

#define DEFINE_ROWBLOCK(real, name, VERSIONS, VECTOR_BYTES, NEURONS, CHUNK_BYTES)                                  \
    typedef real vec_##name __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));          \
                                                                                                                   \
    INLINE real sum_##name(const vec_##name v) {                                                                   \
        enum { LANES = VECTOR_BYTES / sizeof(real), QUARTER = 16 / sizeof(real) };                                 \
        typedef real part __attribute__((vector_size(16), may_alias));                                             \
        part total = *(const part *)&v;                                                                            \
        for (int l = QUARTER; l < LANES; l += QUARTER) total += ((const part *)&v)[l / QUARTER];                   \
        real all = 0;                                                                                              \
        for (int l = 0; l < QUARTER; l++) all += total[l];                                                         \
        return all;                                                                                                \
    }                                                                                                              \
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
                real total = sum_##name(sum[r][j]);                                                                \
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
    VERSIONS static void forward_##name(const real *const *rows, const real *const *next, ptrdiff_t R,             \
                                      const real *W, ptrdiff_t p, ptrdiff_t d, double *h) {                        \
        const ptrdiff_t chunk = CHUNK_BYTES / sizeof(real);                                                        \
        for (ptrdiff_t from = 0; from < d; from += chunk) {                                                        \
            const ptrdiff_t to = from + chunk < d ? from + chunk : d;                                              \
            for (ptrdiff_t j = 0; j < p; j += NEURONS)                                                             \
                for (ptrdiff_t r = 0; r < R; r += TILE) {                                                          \
                    const real *const *x = rows + r, *const *ahead = next && !j && !(r / TILE % 2) ? next + r : 0; \
                    const real *w = W + j * d;                                                                     \
                    double *out = h + r * p + j;                                                                   \
                    switch (p - j < NEURONS ? p - j : NEURONS) {                                                   \
                    case 1: dots_##name(x, ahead, w, d, from, to, 1, out, p); break;                               \
                    case 2: dots_##name(x, ahead, w, d, from, to, 2, out, p); break;                               \
                    case 3: dots_##name(x, ahead, w, d, from, to, 3, out, p); break;                               \
                    case 4: dots_##name(x, ahead, w, d, from, to, AT_MOST(4, NEURONS), out, p); break;             \
                    case 5: dots_##name(x, ahead, w, d, from, to, AT_MOST(5, NEURONS), out, p); break;             \
                    default: dots_##name(x, ahead, w, d, from, to, NEURONS, out, p);                               \
                    }                                                                                              \
                }                                                                                                  \
        }                                                                                                          \
    }                                                                                                              \
                                                                                                                   \
    /* G (p, d) += g^T X for R rows (a multiple of TILE) and their signals g (R, p). */                            \
    VERSIONS static void backward_##name(const real *const *rows, const real *const *next, ptrdiff_t R,            \
                                       const real *g, ptrdiff_t p, ptrdiff_t d, real *G) {                         \
        const ptrdiff_t chunk = CHUNK_BYTES / sizeof(real);                                                        \
        for (ptrdiff_t from = 0; from < d; from += chunk) {                                                        \
            const ptrdiff_t to = from + chunk < d ? from + chunk : d;                                              \
            for (ptrdiff_t j = 0; j < p; j += NEURONS)                                                             \
                for (ptrdiff_t r = 0; r < R; r += TILE) {                                                          \
                    const real *const *x = rows + r, *const *ahead = next && !j && (r / TILE % 2) ? next + r : 0;  \
                    const real *s = g + r * p + j;                                                                 \
                    real *out = G + j * d;                                                                         \
                    switch (p - j < NEURONS ? p - j : NEURONS) {                                                   \
                    case 1: adds_##name(x, ahead, s, p, out, d, from, to, 1); break;                               \
                    case 2: adds_##name(x, ahead, s, p, out, d, from, to, 2); break;                               \
                    case 3: adds_##name(x, ahead, s, p, out, d, from, to, 3); break;                               \
                    case 4: adds_##name(x, ahead, s, p, out, d, from, to, AT_MOST(4, NEURONS)); break;             \
                    case 5: adds_##name(x, ahead, s, p, out, d, from, to, AT_MOST(5, NEURONS)); break;             \
                    default: adds_##name(x, ahead, s, p, out, d, from, to, NEURONS);                               \
                    }                                                                                              \
                }                                                                                                  \
        }                                                                                                          \
    }

#define AT_MOST(P, NEURONS) ((P) < (NEURONS) ? (P) : (NEURONS))

#ifdef WIDE
#define DEFINE_DISPATCH(real, name)                                                                                \
    DEFINE_ROWBLOCK(real, name##_narrow, CLONES, 32, 3, 8192)                                                      \
    DEFINE_ROWBLOCK(real, name##_wide, WIDE, 64, 6, 4096)                                                          \
                                                                                                                   \
    static void forward_##name(const real *const *rows, const real *const *next, ptrdiff_t R, const real *W,       \
                               ptrdiff_t p, ptrdiff_t d, double *h) {                                              \
        (is_wide() ? forward_##name##_wide : forward_##name##_narrow)(rows, next, R, W, p, d, h);                  \
    }                                                                                                              \
                                                                                                                   \
    static void backward_##name(const real *const *rows, const real *const *next, ptrdiff_t R, const real *g,      \
                                ptrdiff_t p, ptrdiff_t d, real *G) {                                               \
        (is_wide() ? backward_##name##_wide : backward_##name##_narrow)(rows, next, R, g, p, d, G);                \
    }
#else
#define DEFINE_DISPATCH(real, name) DEFINE_ROWBLOCK(real, name, CLONES, 32, 3, 8192)
#endif

DEFINE_DISPATCH(float, f)
DEFINE_DISPATCH(double, d)

#endif
