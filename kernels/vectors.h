/* How C written with the vector extensions of GCC and Clang is compiled: on x86-64 Linux, GCC makes one version for
   each generation of vector units and the loader picks, so that a wheel runs everywhere and fast. */
#ifndef REBATCH_VECTORS_H
#define REBATCH_VECTORS_H

#include <stddef.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) /* which is not ready yet when the loader picks */
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
/* For code written for 32 registers of 64 bytes, which runs where is_wide() says so. */
#define WIDE __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
static inline int is_wide(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#else
#define CLONES
#endif
#define INLINE static inline __attribute__((always_inline))

#endif
