/* The inverse of the normal distribution function at the centres of 2^30 equal cells (Wichura, Algorithm AS 241, 1988).

   Its rational functions of degree 7: for |p - 1/2| <= 0.425 in p, else in sqrt(-log min(p, 1 - p)), which is below 5
   at the outermost cells; relative error about 1e-15. Both are computed for every point, and no call leaves the loop,
   so that it takes as many points at a time as a vector holds: the logarithm is a series in (m - 1) / (m + 1), m the
   mantissa between sqrt(1/2) and sqrt(2). */
#ifndef REBATCH_NORMALS_H
#define REBATCH_NORMALS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "vectors.h"

INLINE double in_the_middle(double q) {
    const double r = 0.180625 - q * q;
    const double top =
        ((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r +
            45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r +
         133.14166789178437745) * r + 3.387132872796366608;
    const double bottom =
        ((((((5226.495278852854561 * r + 28729.085735721942674) * r + 39307.89580009271061) * r +
            21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r +
         42.313330701600911252) * r + 1.0;
    return q * top / bottom;
}

INLINE double in_the_tail(double minus_log) {
    const double r = sqrt(minus_log) - 1.6;
    const double top =
        ((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r +
            1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r +
         4.6303378461565452959) * r + 1.42343711074968357734;
    const double bottom =
        ((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r +
            0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r +
         2.05319162663775882187) * r + 1.0;
    return top / bottom;
}

/* -log of a positive normal number. */
INLINE double minus_log(double x) {
    const int64_t root_half = 0x3fe6a09e667f3bcdLL, one = 0x3ff0000000000000LL, magic = 0x4330000000000000LL;
    int64_t bits, count;
    double m, exponent;
    memcpy(&bits, &x, sizeof bits);
    /* In units of 2^52, with the mantissa in [sqrt(1/2), sqrt(2)); 2^52 + count as a number, without a conversion. */
    count = (int64_t)((uint64_t)(bits - root_half + one) >> 52);
    bits -= (count << 52) - one;
    count |= magic;
    memcpy(&m, &bits, sizeof m);
    memcpy(&exponent, &count, sizeof exponent);
    exponent -= 4503599627370496.0 + 1023.0;
    const double s = (m - 1.0) / (m + 1.0), t = s * s;
    const double series =
        (((((((((t / 21 + 1.0 / 19) * t + 1.0 / 17) * t + 1.0 / 15) * t + 1.0 / 13) * t + 1.0 / 11) * t + 1.0 / 9) * t +
            1.0 / 7) * t + 1.0 / 5) * t + 1.0 / 3) * t + 1.0;
    return -(exponent * 0.69314718055994530942 + 2.0 * s * series);
}

/* out[i] = Phi^-1((cell[i] ^ flipped + 1/2) / 2^30). */
CLONES static void normals_of_cells(const uint32_t *cell, uint32_t flipped, ptrdiff_t n, double *out) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const double q = (2.0 * (int32_t)(cell[i] ^ flipped) + 1.0) * 0x1p-31 - 0.5;
        const double tail = copysign(in_the_tail(minus_log(0.5 - fabs(q))), q);
        const double middle = in_the_middle(q);
        out[i] = fabs(q) <= 0.425 ? middle : tail;
    }
}

#endif
