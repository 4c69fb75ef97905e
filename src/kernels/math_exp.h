/* Exponential functions. */
#ifndef FZ_MATH_EXP_H
#define FZ_MATH_EXP_H

#include "math_growth.h"

/* (e^r - 1 - r - r^2 / 2) / r^3 for |r| <= ln(2) / 2: minimax, within 2^-33.2 (float64: 2^-63.7) of e^r
   when put together. */
FZ_INLINE vec exp_cubic(vec r) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.555554p-3f, 0x1.5554e6p-5f, 0x1.1112fcp-7f, 0x1.6d4f1cp-10f, 0x1.9e24c4p-13f};
#else
    static const T c[] = {0x1.555555555555bp-3,  0x1.555555555553ap-5,  0x1.111111110edadp-7,
                          0x1.6c16c16c22ea9p-10, 0x1.a01a01b317b5fp-13, 0x1.a01a016649a0bp-16,
                          0x1.71ddf0f15d0c3p-19, 0x1.27e5642c89337p-22, 0x1.af6ab99992128p-26,
                          0x1.1ea3aef596894p-29};
#endif
    return vpolynomial(r, sizeof c / sizeof *c, c);
}

/* e^x is 2^k (1 + r + tail). */
typedef struct exp_parts {
    vec k, r, tail;
} exp_parts;

/* The parts of e^(x + low) for |low| <= ulp(x) and |x| <= 1000 (float32: 110); |r| <= 0.347, |tail| <=
   0.08. What r misses of x less k ln 2 is in the tail. */
FZ_INLINE exp_parts exp_split(vec x, vec low) {
    const vec k = vfma(x, vsplat(FZ_LOG2_E), vsplat(FZ_WHOLE)) - FZ_WHOLE;
    const vec high = vfma(k, vsplat(-FZ_LN2_HIGH), x), rest = vfma(k, vsplat(-FZ_LN2_LOW), low),
              r = high + rest;
    const vec square = r * r, missed = (high - r) + rest,
              rounding = vfma(missed, r, missed); /* times about e^r */
    return (exp_parts){k, r, vfma(square, vsplat((T)0.5), vfma(square * r, exp_cubic(r), rounding))};
}

/* From here on down e^x is 0. */
#define EXP_ZERO FZ_PER_T(-104.5, -746)

/* x where e^x is neither 0 nor infinite, else a number near where it becomes so; NaN stays. */
FZ_INLINE vec exp_clamp_below(vec x) { return vlarger(vsplat(EXP_ZERO), x); }
FZ_INLINE vec exp_clamp(vec x) { return vsmaller(vsplat(FZ_PER_T(89, 710)), exp_clamp_below(x)); }

/* e^(x + low) for |low| <= ulp(x): 0.6 ULP. */
FZ_INLINE vec vexp_sum_clamped(vec x, vec low) {
    const exp_parts e = exp_split(x, low);
    const vec sum = 1 + e.r;
    return vscale(sum + (((1 - sum) + e.r) + e.tail), e.k);
}
FZ_INLINE vec vexp_sum(vec x, vec low) { return vexp_sum_clamped(exp_clamp(x), low); }

/* e^x: 0.84 ULP; 0.56 by steps where it is no subnormal number. Without steps the last FMA, of 1 + r (1 + ...), leaves
   little but its own rounding. Of what exp_clamp gives, or NaN. */
#if EXP_STEPS > 1
/* e^x is 2^floor(k) times the result. */
FZ_INLINE vec exp_by_steps(vec x, vec *k) {
    const T whole = FZ_WHOLE / EXP_STEPS;
    const vec shifted = vfma(x, vsplat(FZ_LOG2_E), vsplat(whole));
    *k = shifted - whole;
    const vec r = vfma(*k, vsplat(-FZ_LN2_LOW), vfma(*k, vsplat(-FZ_LN2_HIGH), x));
    const vec root = vlookup(ROOT_HIGH, (mask)shifted);
    return vfma(root, exp_less_1_by_step(r, r + vlookup(ROOT_MISSED, (mask)shifted)), root);
}
FZ_INLINE vec vexp_clamped(vec x) {
    vec k;
    const vec root = exp_by_steps(x, &k);
    return vscale(root, k);
}
FZ_INLINE vec vexp(vec x) {
    vec k;
    const vec bounded = vsmaller(vsplat(FZ_PER_T(89, 710)), x), root = exp_by_steps(bounded, &k);
    return vscale_above(root, k, bounded, vsplat(EXP_ZERO));
}
#elif FZ_HAS_FMA
FZ_INLINE vec vexp_clamped(vec x) {
    const vec k = vfma(x, vsplat(FZ_LOG2_E), vsplat(FZ_WHOLE)) - FZ_WHOLE;
    const vec r = vfma(k, vsplat(-FZ_LN2_LOW), vfma(k, vsplat(-FZ_LN2_HIGH), x)), one = vsplat(1);
    return vscale(vfma(r, vfma(r, vfma(r, exp_cubic(r), vsplat((T)0.5)), one), one), k);
}
#else
FZ_INLINE vec vexp_clamped(vec x) { return vexp_sum_clamped(x, vsplat(0)); }
#endif
#if EXP_STEPS == 1
FZ_INLINE vec vexp(vec x) { return vexp_clamped(exp_clamp(x)); }
#endif

/* e^x - 1 is 2^k times the result, for |x| as in exp_split: near 0, where k is 0, as exact as elsewhere. `low` is what
   the tail misses. */
FZ_INLINE vpair exp_less_1_and(exp_parts e, vec low) {
    const vec unit = vscale(vsplat(1), -e.k), whole = 1 - unit;
    const vpair sum = vsum_ordered(whole, e.r);
    return vsum_ordered(sum.high, (sum.low + low) + (((1 - whole) - unit) + e.tail));
}
FZ_INLINE vpair exp_less_1(exp_parts e) { return exp_less_1_and(e, vsplat(0)); }

/* e^x is 2^k times the result. */
FZ_INLINE vpair exp_significand(exp_parts e) {
    const vpair sum = vsum_ordered(vsplat(1), e.r);
    return vsum_ordered(sum.high, sum.low + e.tail);
}

/* e^x - 1: 0.87 ULP. It is -1 long before x leaves exp_split's range. */
FZ_INLINE vec vexpm1(vec x) {
    const vec clamped = vlarger(vsplat(FZ_PER_T(-20, -40)), exp_clamp(x));
    const exp_parts e = exp_split(clamped, vsplat(0));
    const vec square_low =
        vcancel(e.r, e.r, -(e.r * e.r)); /* counts where k is 1 and half of the sum cancels */
    return vcopysign(vscale(exp_less_1_and(e, square_low * (T)0.5).high, e.k), x);
}

/* (2^r - 1) / r for |r| <= 1/2: minimax, within 2^-28.3 (float64: 2^-57.7) of 2^r when put together. */
FZ_INLINE vec exp2_tail(vec r) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.62e430p-1f, 0x1.ebfbdcp-3f,  0x1.c6af7ap-5f,
                          0x1.3b2ddap-7f, 0x1.5f0976p-10f, 0x1.417284p-13f};
#else
    static const T c[] = {0x1.62e42fefa39efp-1,  0x1.ebfbdff82c59dp-3,  0x1.c6b08d704a0d6p-5,
                          0x1.3b2ab6fba0f9cp-7,  0x1.5d87fe78b3104p-10, 0x1.4309130c71e6ap-13,
                          0x1.ffcbfbfcf7db3p-17, 0x1.62bfcccf5d64dp-20, 0x1.b5260346ca063p-24,
                          0x1.e61365d0e6b59p-28, 0x1.e8207a603b222p-32};
#endif
    return vpolynomial(r, sizeof c / sizeof *c, c);
}

/* 2^x: 0.8 ULP. */
FZ_INLINE vec vexp2(vec x) {
    x = vsmaller(vsplat(FZ_PER_T(129, 1025)), vlarger(vsplat(FZ_PER_T(-151, -1076)), x));
    const vec k = (x + FZ_WHOLE) - FZ_WHOLE, r = x - k;
    if (FZ_HAS_FMA) return vscale(vfma(r, exp2_tail(r), vsplat(1)), k);
    const vpair product = vproduct(r, exp2_tail(r)), sum = vsum_ordered(vsplat(1), product.high);
    return vscale(sum.high + (sum.low + product.low), k);
}

#endif
