/* Logarithms. */
#ifndef FZ_MATH_LOG_H
#define FZ_MATH_LOG_H

#include "math_log_tables.h"

/* log(x + low) = k log(2) - log(c) + log(1 + r), where x = 2^k m, c is near 1 / m, r = c m - 1 + c low / 2^k. */
typedef struct log_parts {
    vec k, value, r; /* value is -log(c) */
} log_parts;

FZ_INLINE log_parts log_split(vec x, const T reciprocals[], const T values[]) {
    log_parts p;
    const vec m = vsignificand(x, &p.k);
    const mask j = (mask)((words)m >> (FRACTION_BITS - 4));
    p.value = vlookup(values, j);
    p.r = vcancel(m, vlookup(reciprocals, j), vsplat(-1));
    return p;
}

/* (log(1 + r) - r) / r^2 for -1/31 <= r <= 1/16: minimax, within 2^-28.3 (float64: 2^-56.4) of log(1 + r) when put
   together. */
FZ_INLINE vec log_tail(vec r) {
#if defined(FZ_T_float32)
    static const T c[] = {-0x1.000000p-1f, 0x1.555854p-2f, -0x1.001824p-2f, 0x1.82c456p-3f};
#else
    static const T c[] = {-0x1.0000000000001p-1, 0x1.555555555605cp-2,  -0x1.0000000000fcep-2,
                          0x1.9999997fb47c9p-3,  -0x1.5555541b8479bp-3, 0x1.2492d287a4841p-3,
                          -0x1.000b1f0cd048ap-3, 0x1.c5b872c3529e4p-4,  -0x1.67a42ffbdc3c2p-4};
#endif
    return vpolynomial(r, sizeof c / sizeof *c, c);
}

FZ_INLINE vec vlog(vec x) {
    const log_parts p = log_split(x, log_e_reciprocals, log_e_values);
    const vec high = vfma(p.k, vsplat(FZ_LN2_HIGH), p.value); /* exact */
    const vec sum = high + p.r, low = vfma(p.k, vsplat(FZ_LN2_LOW), (high - sum) + p.r);
    return vlog_special(x, sum + vfma(p.r * p.r, log_tail(p.r), low));
}

#endif
