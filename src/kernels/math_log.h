/* Logarithms. */
#ifndef FZ_MATH_LOG_H
#define FZ_MATH_LOG_H

#include "math_log_tables.h"

/* log(x + low) = k log(2) - log(c) + log(1 + r), where x = 2^k m, c is near 1 / m, r = c m - 1 + c low /
   2^k. */
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

/* (log(1 + r) - r) / r^2 for -1/31 <= r <= 1/16: minimax, within 2^-28.3 (float64: 2^-56.4) of log(1 + r)
   when put together. */
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

/* log x for finite x > 0, not yet rounded to one number. */
FZ_INLINE vpair log_join(log_parts p) {
    const vec high = vfma(p.k, vsplat(FZ_LN2_HIGH), p.value); /* exact */
    const vpair sum = vsum_ordered(high, p.r);
    return (vpair){sum.high, vfma(p.r * p.r, log_tail(p.r), vfma(p.k, vsplat(FZ_LN2_LOW), sum.low))};
}

/* 0.77 ULP. */
FZ_INLINE vec vlog(vec x) {
    const vpair log_x = log_join(log_split(x, log_e_reciprocals, log_e_values));
    return vlog_special(x, log_x.high + log_x.low);
}

/* log(2^extra (x + low)) for |low| <= ulp(x): near 1, too, where x is 1. */
FZ_INLINE vpair log_pair(vec x, vec low, vec extra) {
    log_parts p;
    const vec m = vsignificand(x, &p.k);
    const mask j = (mask)((words)m >> (FRACTION_BITS - 4));
    const vec reciprocal = vlookup(log_e_reciprocals, j);
    const vpair r = vsum_ordered(vcancel(m, reciprocal, vsplat(-1)), reciprocal * vscale(low, -p.k));
    p.value = vlookup(log_e_values, j);
    p.r = r.high;
    p.k = p.k + extra;
    const vpair sum = log_join(p);
    return (vpair){sum.high, sum.low + r.low};
}

FZ_INLINE vec log_sum(vec x, vec low, vec extra) {
    const vpair sum = log_pair(x, low, extra);
    return sum.high + sum.low;
}

/* 0.8 ULP. */
FZ_INLINE vec vlog1p(vec x) {
    const vpair sum = vsum(vsplat(1), x);
    return vlog_special(sum.high, vselect(x == 0, x, log_sum(sum.high, sum.low, vsplat(0))));
}

/* A base b other than e: its tables, log_b(2) in two parts of which the first has few bits, 1 / ln(b) in
   two parts. */
typedef struct log_base {
    const T *reciprocals, *values, *tail;
    T two_high, two_low, unit_high, unit_low;
} log_base;

#if defined(FZ_T_float32)
enum { LOG_TAIL = 4 };
static const T log_2_tail[LOG_TAIL] = {-0x1.715476p-1f, 0x1.ec74ecp-2f, -0x1.7179d8p-2f, 0x1.17214cp-2f};
static const T log_10_tail[LOG_TAIL] = {-0x1.bcb7b2p-3f, 0x1.287d12p-3f, -0x1.bcdc9ap-4f, 0x1.4fb222p-4f};
#else
enum { LOG_TAIL = 9 };
static const T log_2_tail[LOG_TAIL] = {-0x1.71547652b82ffp-1, 0x1.ec709dc3a13dcp-2,  -0x1.71547652bae70p-2,
                                       0x1.2776c4fc5f4c7p-2,  -0x1.ec709bf144fefp-3, 0x1.a61827b16d1dap-3,
                                       -0x1.716493654aee0p-3, 0x1.474cc93720729p-3,  -0x1.037e69d446b51p-3};
static const T log_10_tail[LOG_TAIL] = {-0x1.bcb7b1526e510p-3, 0x1.287a7636f4cf3p-3,  -0x1.bcb7b1526fe27p-4,
                                        0x1.63c6275ea5034p-4,  -0x1.287a752724294p-4, 0x1.fc4094e003edcp-5,
                                        -0x1.bccb012bdd490p-5, 0x1.8a1875e67b23bp-5,  -0x1.385f8a77f0413p-5};
#endif

/* As vlog; log_b(1 + r) is r / ln(b), whose rounding error is kept, and r^2 times a polynomial as in
   log_tail: 0.8 ULP. */
FZ_INLINE vec log_to_base(vec x, log_base b) {
    const log_parts p = log_split(x, b.reciprocals, b.values);
    const vec high = vfma(p.k, vsplat(b.two_high), p.value); /* exact */
    const vpair linear = vproduct(p.r, vsplat(b.unit_high)), sum = vsum_ordered(high, linear.high);
    const vec tail = vfma(p.r, vpolynomial(p.r, LOG_TAIL, b.tail), vsplat(b.unit_low));
    const vec low = vfma(p.k, vsplat(b.two_low), linear.low + sum.low);
    return vlog_special(x, sum.high + vfma(p.r, tail, low));
}

FZ_INLINE vec vlog2(vec x) {
    return log_to_base(x, (log_base){log_2_reciprocals, log_2_values, log_2_tail, 1, 0,
                                     FZ_PER_T(0x1.715476p0, 0x1.71547652b82fep0),
                                     FZ_PER_T(0x1.4ae0cp-26, 0x1.777d0ffda0d24p-56)});
}

FZ_INLINE vec vlog10(vec x) {
    return log_to_base(x, (log_base){log_10_reciprocals, log_10_values, log_10_tail,
                                     FZ_PER_T(0x1.3442p-2, 0x1.34413509f78p-2),
                                     FZ_PER_T(-0x1.95ecp-19, 0x1.fef311f12b358p-46),
                                     FZ_PER_T(0x1.bcb7b2p-2, 0x1.bcb7b1526e50ep-2),
                                     FZ_PER_T(-0x1.5b235ep-27, 0x1.95355baaafad3p-57)});
}

#endif
