/* Exponential functions. */
#ifndef FZ_MATH_EXP_H
#define FZ_MATH_EXP_H

#include "vec_math.h"

#define FZ_LOG2_E FZ_PER_T(0x1.715476p+0, 0x1.71547652b82fep+0)

/* (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2: minimax, within 2^-28.2 (float64: 2^-57.9) of e^r when put together. */
FZ_INLINE vec exp_tail(vec r) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.fffffcp-2f, 0x1.555490p-3f, 0x1.55589ep-5f, 0x1.123ac6p-7f, 0x1.6a6230p-10f};
#else
    static const T c[] = {0x1.000000000000ap-1,  0x1.5555555555503p-3,  0x1.555555555068fp-5,
                          0x1.1111111125918p-7,  0x1.6c16c18486cafp-10, 0x1.a01a0135a935ap-13,
                          0x1.a0199928af1f9p-16, 0x1.71df0caf504b4p-19, 0x1.28ae375e21d75p-22,
                          0x1.ada5d26dc1a85p-26};
#endif
    return vpolynomial(r, sizeof c / sizeof *c, c);
}

/* e^x is 2^k (1 + r + tail). */
typedef struct exp_parts {
    vec k, r, tail;
} exp_parts;

/* The parts of e^(x + low) for |low| <= ulp(x) and |x| <= 1000 (float32: 110); |r| <= 0.347, |tail| <= 0.08. What r misses
   of x less k ln 2 is in the tail. */
FZ_INLINE exp_parts exp_split(vec x, vec low) {
    const vec k = vfma(x, vsplat(FZ_LOG2_E), vsplat(FZ_WHOLE)) - FZ_WHOLE;
    const vec high = vfma(k, vsplat(-FZ_LN2_HIGH), x), rest = vfma(k, vsplat(-FZ_LN2_LOW), low),
              r = high + rest;
    return (exp_parts){k, r, vfma(r * r, exp_tail(r), (high - r) + rest)};
}

/* x where e^x is neither 0 nor infinite, else a number near where it becomes so; NaN stays. */
FZ_INLINE vec exp_clamp(vec x) {
    return vsmaller(vsplat(FZ_PER_T(89, 710)), vlarger(vsplat(FZ_PER_T(-104.5, -746)), x));
}

/* e^(x + low) for |low| <= ulp(x): 0.6 ULP. */
FZ_INLINE vec vexp_sum(vec x, vec low) {
    const exp_parts e = exp_split(exp_clamp(x), low);
    const vec sum = 1 + e.r;
    return vscale(sum + (((1 - sum) + e.r) + e.tail), e.k);
}

/* e^x: 0.87 ULP (float64: 0.83). The last FMA of 1 + r (1 + r tail) leaves little but its own rounding. */
#if FZ_HAS_FMA
FZ_INLINE vec vexp(vec x) {
    x = exp_clamp(x);
    const vec k = vfma(x, vsplat(FZ_LOG2_E), vsplat(FZ_WHOLE)) - FZ_WHOLE;
    const vec r = vfma(k, vsplat(-FZ_LN2_LOW), vfma(k, vsplat(-FZ_LN2_HIGH), x)), one = vsplat(1);
    return vscale(vfma(r, vfma(r, exp_tail(r), one), one), k);
}
#else
FZ_INLINE vec vexp(vec x) { return vexp_sum(x, vsplat(0)); }
#endif

#endif
