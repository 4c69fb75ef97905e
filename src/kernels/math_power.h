/* x to the power y = 2^(y log2 x): the logarithm in pairs, about twice T's digits, because y log2 x makes its error
   as much larger as the exponent range is. Below 0.9 ULP. */
#ifndef FZ_MATH_POWER_H
#define FZ_MATH_POWER_H

#include "math_growth.h"

/* 2^f - 1 by Taylor's series, for |f| <= 1/32 within 2^-34 (float64: 2^-68). */
FZ_INLINE vec exp2_series(vec f) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.62e43p-1f, 0x1.ebfbep-3f, 0x1.c6b08ep-5f, 0x1.3b2ab6p-7f};
#else
    static const T c[] = {0x1.62e42fefa39efp-1,  0x1.ebfbdff82c58fp-3,  0x1.c6b08d704a0cp-5,
                          0x1.3b2ab6fba4e77p-7,  0x1.5d87fe78a6731p-10, 0x1.430912f86c787p-13,
                          0x1.ffcbfc588b0c7p-17, 0x1.62c0223a5c824p-20};
#endif
    const int count = sizeof c / sizeof *c;
    vec sum = vsplat(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) sum = vfma(sum, f, vsplat(c[i]));
    return sum * f;
}

/* 2^(x.high + x.low) = result * 2^floor(k), where x.high may be beyond all exponents. The result's hi is between 1 and 2 (a
   table's number), its lo at most 1/40 of that. */
FZ_INLINE vpair exp2_words(vpair x, vec *k) {
    const T limit = FZ_PER_T(170, 1100), whole = FZ_PER_T(0x1.8p19, 0x1.8p48); /* whose last bit is 1/16 */
    const vec hi = vsmaller(vsplat(limit), vlarger(vsplat(-limit), x.high));
    const vec low = vselect(hi == x.high, x.low, vsplat(0)), near = hi + whole;
    *k = near - whole;
    const vec root = vlookup(ROOT_HIGH, (mask)near), series = exp2_series((hi - *k) + low);
    return (vpair){root, vfma(root, series, vlookup(ROOT_LOW, (mask)near))};
}

#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
/* Entry j is for significands from 1 + j/16 to 1 + (j + 1)/16, halved where j >= 8: a reciprocal c of about their middle,
   and -log2(c). About 1 c is 1. */
static const double POWER_RECIPROCALS[] = {0x1p+0,    0x1.d4p-1, 0x1.bap-1, 0x1.a4p-1, 0x1.9p-1,  0x1.7ep-1,
                                           0x1.6cp-1, 0x1.5cp-1, 0x1.4ep+0, 0x1.41p+0, 0x1.35p+0, 0x1.2ap+0,
                                           0x1.1fp+0, 0x1.16p+0, 0x1.0dp+0, 0x1p+0};
static const double POWER_VALUES[] = {0,
                                      0x1.097e38ce60649p-3,
                                      0x1.b2602497d5346p-3,
                                      0x1.249cd2b13cd6cp-2,
                                      0x1.6cb0f6865c8eap-2,
                                      0x1.b0b67f4f4681p-2,
                                      0x1.f804ae8d0cd02p-2,
                                      0x1.1d368296b5255p-1,
                                      -0x1.88e9c72e0b226p-2,
                                      -0x1.4e43880e8fb6ap-2,
                                      -0x1.15fa676bb08ffp-2,
                                      -0x1.c0db6cdd94deep-3,
                                      -0x1.51bab907a5c8ap-3,
                                      -0x1.e72ec117fa5b2p-4,
                                      -0x1.24b5b7e135a3dp-4,
                                      0};

/* log2(a) = k - log2(c) + log2(1 + r): r times a polynomial, minimax within 2^-40 of it. */
FZ_INLINE doubles log2_of(doubles a) {
    static const double c[] = {0x1.71547652b92e9p+0,  -0x1.71547651866fcp-1, 0x1.ec709cf61744fp-2,
                               -0x1.7154962b02533p-2, 0x1.277e15d9dce51p-2,  -0x1.ec16f591743dap-3,
                               0x1.81499d646ca6ep-3};
    doubles k;
    const doubles m = dsignificand(a, &k);
    const doubles_mask j = (doubles_mask)m >> 48;
    const doubles r = dfma(m, dlookup(POWER_RECIPROCALS, j), dsplat(-1));
    const doubles square = r * r, first = dfma(r, dsplat(c[1]), dsplat(c[0]));
    const doubles second = dfma(r, dsplat(c[3]), dsplat(c[2])), third = dfma(r, dsplat(c[5]), dsplat(c[4]));
    const doubles slope = dfma(square, dfma(square, dfma(square, dsplat(c[6]), third), second), first);
    return dfma(slope, r, k + dlookup(POWER_VALUES, j));
}

/* 2^x by (2^f - 1) / f for |f| <= 1/32: minimax, within 2^-28.6 of 2^f. */
FZ_INLINE doubles exp2_of(doubles x) {
    static const double c[] = {0x1.62e42fece88c7p-1, 0x1.ebff917bc9a6bp-3, 0x1.c6b3f746e5f67p-5};
    const double whole = 0x1.8p48; /* whose last bit is 1/16 */
    const doubles k = dnearest_16th(x), f = x - k;
    const doubles root = dlookup(DOUBLE_ROOTS, (doubles_mask)(k + whole));
    const doubles slope = dfma(dfma(f, dsplat(c[2]), dsplat(c[1])), f, dsplat(c[0]));
    return dscale_floor(dfma(root * f, slope, root), k);
}

/* Exponents of 2, of which come x^y for x > 0 and finite, in double: 0.6 ULP. */
FZ_INLINE vpair exponents_of_power(vec x, vec y) {
    return (vpair){(vec)(log2_of(dlower(x)) * dlower(y)), (vec)(log2_of(dupper(x)) * dupper(y))};
}

FZ_INLINE vec power_of_exponents(vpair x) { return djoin(exp2_of((doubles)x.high), exp2_of((doubles)x.low)); }
#else
/* At j mod 16, for j = 11 to 23: -log2(j / 16) as two numbers, the first so short that adding an exponent is exact.
   Computed with 200 bits. */
#if defined(FZ_T_float32)
static const T LOG2_HIGH[] = {0,
                              -0x1.664p-4f,
                              -0x1.5cp-3f,
                              -0x1.fbcp-3f,
                              -0x1.49a8p-2f,
                              -0x1.91b8p-2f,
                              -0x1.d678p-2f,
                              -0x1.0c1p-1f,
                              0,
                              0,
                              0,
                              0x1.14c4p-1f,
                              0x1.a9p-2f,
                              0x1.32cp-2f,
                              0x1.8a9p-3f,
                              0x1.7d6p-4f};
static const T LOG2_LOW[] = {0,
                             0x1.20a6dep-21f,
                             -0x1.a39fbep-19f,
                             -0x1.6b9026p-19f,
                             0x1.ed0cbap-20f,
                             -0x1.d448f8p-17f,
                             0x1.60fe68p-17f,
                             -0x1.40358ep-19f,
                             0,
                             0,
                             0,
                             0x1.60fe68p-17f,
                             -0x1.a39fbep-20f,
                             -0x1.1c8f12p-22f,
                             -0x1.9fd502p-17f,
                             0x1.25b3eep-22f};
#else
static const T LOG2_HIGH[] = {0,
                              -0x1.663f6fac9p-4,
                              -0x1.5c01a39fbcp-3,
                              -0x1.fbc16b9028p-3,
                              -0x1.49a784bcd2p-2,
                              -0x1.91bba891f2p-2,
                              -0x1.d6753e032ep-2,
                              -0x1.0c10500d64p-1,
                              0,
                              0,
                              0,
                              0x1.14c560fe69p-1,
                              0x1.a8ff97181p-2,
                              0x1.32bfee370ep-2,
                              0x1.8a8980abfcp-3,
                              0x1.7d60496cf8p-4};
static const T LOG2_LOW[] = {0,
                             -0x1.3167ccc538261p-44,
                             -0x1.6879fa00b120ap-43,
                             0x1.7f5dc57266758p-43,
                             0x1.1d406db502403p-44,
                             0x1.1ee969a95f529p-43,
                             -0x1.41dfc7d7c3321p-43,
                             0x1.5669df6a2b592p-43,
                             0,
                             0,
                             0,
                             -0x1.41dfc7d7c3321p-43,
                             0x1.4bc302ffa76fbp-43,
                             0x1.cd0cb4492f1bcp-43,
                             -0x1.66cccab240e9p-46,
                             0x1.da6339da288fcp-43};
#endif

enum { POWER_FRACTION_BITS = sizeof(T) == 4 ? 23 : 52, POWER_BIAS = sizeof(T) == 4 ? 127 : 1023 };

/* a = 2^k m with m between sqrt(1/2) and sqrt(2), for normal a > 0. */
FZ_INLINE vec split_exponent(vec a, vec *k) {
    const vec zero = vsplat(FZ_PER_T(0x1p23, 0x1p52)),
              root_half = vsplat(FZ_PER_T(0x1.6a09e6p-1, 0x1.6a09e667f3bcdp-1));
    const mask above = (mask)a - (mask)root_half, below = (((mask){0} + 1) << POWER_FRACTION_BITS) - 1;
    const mask biased = vbits_down(above + (mask)vsplat(1), POWER_FRACTION_BITS); /* 1's bits are the bias */
    *k = (vec)(biased | (mask)zero) - (zero + POWER_BIAS);
    return (vec)((mask)a - (above & ~below));
}

/* (atanh(s) / s - 1) / s^2 * 2 / ln 2 by Taylor's series, for |s| < 0.0323 within 2^-42 (float64: 2^-73) of
   atanh(s) / s. */
FZ_INLINE vec log2_series(vec square) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.ec709ep-1f, 0x1.2776c6p-1f, 0x1.a61762p-2f};
#else
    static const T c[] = {0x1.ec709dc3a03fdp-1, 0x1.2776c50ef9bfep-1, 0x1.a61762a7aded9p-2,
                          0x1.484b13d7c02a9p-2, 0x1.0c9a84994022dp-2, 0x1.c68f568d3176p-3};
#endif
    const int count = sizeof c / sizeof *c;
    vec sum = vsplat(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) sum = vfma(sum, square, vsplat(c[i]));
    return sum;
}

/* log2(a) + shift. With j the whole number near 16 / m, r = m j / 16 - 1 is exact, and log2(1 + r) is
   2 atanh(s) / ln 2, s = r / (2 + r) (Tang, "Table-driven implementation of the logarithm function", 1990). j is 16
   about m = 1, where all but the series vanishes. */
FZ_INLINE vpair log2_words(vec a, vec shift) {
    const T whole = FZ_PER_T(0x1.8p23, 0x1.8p52);
    vec k;
    const vec m = split_exponent(a, &k);
    const vec near = vfma(vfma(m, vsplat((T)14.6278), vsplat((T)-46.5455)), m, vsplat((T)47.9976)) + whole;
    const vec r = vcancel(m, (near - whole) * (T)0.0625, vsplat(-1));
    const vec divisor = r + 2, divisor_low = (2 - divisor) + r, reciprocal = 1 / divisor;
    const vec s = r * reciprocal, s_low = (vcancel(-s, divisor, r) - s * divisor_low) * reciprocal;
    const vec factor = vsplat(FZ_PER_T(0x1.715476p1f, 0x1.71547652b82fep1)),
              factor_low = vsplat(FZ_PER_T(0x1.4ae0cp-25f, 0x1.777d0ffda0d24p-55));
    const vpair main = vproduct(s, factor);
    const vec square = s * s, series = vfma(square * s, log2_series(square), main.low);
    const vec rest = vfma(s, factor_low, vfma(s_low, factor, series));
    const vpair sum = vsum_ordered((k + shift) + vlookup(LOG2_HIGH, (mask)near), main.high);
    return vsum_ordered(sum.high, sum.low + (vlookup(LOG2_LOW, (mask)near) + rest));
}

/* Exponents of 2, of which come x^y for x > 0 and finite, |y| at most 2^100 (float64: 2^900); by FMA any y: exp2_words
   cuts off what overflows. */
FZ_INLINE vpair exponents_of_power(vec x, vec y) {
    const vec least = vsplat(FZ_PER_T(FLT_MIN, DBL_MIN));
    vec shift = vsplat(0);
    if (vany_greater(least, x)) {
        const mask tiny = x < least;
        x = vselect(tiny, x * FZ_PER_T(0x1p25, 0x1p54), x);
        shift = vselect(tiny, shift + FZ_PER_T(-25, -54), shift);
    }
    const vpair log = log2_words(x, shift), product = vproduct(y, log.high);
    return (vpair){product.high, vfma(y, log.low, product.low)};
}

FZ_INLINE vec power_of_exponents(vpair x) {
    vec k;
    const vpair root = exp2_words(x, &k);
    return vscale_floor(root.high + root.low, k);
}
#endif

/* power, the size of x^y for x > 0 and finite, becomes x^y by the rules of C's pow (annex F). */
static __attribute__((noinline, cold, unused)) vec power_of_any(vec x, vec y, vec size) {
    const vec infinity = vsplat((T)INFINITY), zero = vsplat(0), a = vabsolute(x), half = y * (T)0.5;
    const mask whole = vrint(y) == y, odd = whole & (vrint(half) != half);
    const vec of_zero = vselect(y < 0, infinity, zero), of_infinity = vselect(y < 0, zero, infinity);
    size = vselect(a == 0, of_zero, vselect(a == infinity, of_infinity, size));
    const vec result = (vec)((mask)size | ((mask)x & odd & (mask)vsplat((T)-0.0)));
    const mask no_number = (x != x) | (y != y) | ((x < 0) & (a < infinity) & ~whole);
    return vselect((x == 1) | (y == 0), zero + 1, vselect(no_number, vsplat((T)NAN), result));
}

/* A y beyond `largest` gives 0, 1 or infinity, as `largest` does. */
FZ_INLINE void vpower_begin(vec x, vec y, halfway *half) {
    const vec largest = vsplat(FZ_PER_T(0x1p100, 0x1p900));
    const bool special = vany_special_power(x, y, largest);
    if (special) {
        x = vabsolute(x);
        y = vsmaller(largest, vlarger(-largest, y));
    }
    half->value = exponents_of_power(x, y);
    half->special = special;
}

FZ_INLINE vec vpower_end(vec x, vec y, const halfway *half) {
    const vec size = power_of_exponents(half->value);
    return half->special ? power_of_any(x, y, size) : size;
}

#endif
