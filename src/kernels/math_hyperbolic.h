/* Hyperbolic functions and their inverses. */
#ifndef FZ_MATH_HYPERBOLIC_H
#define FZ_MATH_HYPERBOLIC_H

#include "math_exp.h"
#include "math_log.h"
#include "math_tanh_tables.h"

/* By steps of 2^-3 (float64: 2^-2) of the octave in which a + first lies, whose highest bits number the intervals, first =
   5/8 (3/2); the last are beyond the limit, from which on tanh is 1: 0.9 ULP. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vtanh(vec x) {
    enum { ROWS = sizeof TANH_PIECES / sizeof *TANH_PIECES };
    const vec a = vsmaller(vsplat(FZ_PER_T(9.2, 20)), vabsolute(x)), first = vsplat(FZ_PER_T(0.625, 1.5));
    const mask index = vbits_down((mask)(a + first) - (mask)first, FZ_PER_T(20, 50));
    const vec t = a - vlookup_wide(TANH_PIECES[0], index);
    vec slope = vlookup_wide(TANH_PIECES[ROWS - 1], index);
    for (int i = ROWS - 2; i > 1; i--) slope = vfma(slope, t, vlookup_wide(TANH_PIECES[i], index));
    const vec value = vselect(index == 0, a, vlookup_wide(TANH_PIECES[1], index));
    return vcopysign(vfma(slope, t, value), x);
}
#else
/* tanh a = (e^2a - 1) / (e^2a + 1), both times a power of two: a quotient of estimates and what is missing in its
   product with the denominator. Where that power is too small to be added to 1 it is 1 - 2 / e^2a; it is 1 from 10
   (float64: 20) on. */
FZ_INLINE vec vtanh(vec x) {
    const vec a = vsmaller(vsplat(FZ_PER_T(10, 20)), vabsolute(x));
    const growth g = grow(a + a, vsplat((T)-0.0));
    const vec less = g.high - g.unit, less_low = (g.high - less) - g.unit + g.low;
    const vec more = g.high + g.unit, more_low = (g.high - more) + g.unit + g.low;
    const vec inverse = vreciprocal_near(more + more_low), quotient = (less + less_low) * inverse;
    const vec excess = vfma(-quotient, more_low, vcancel(-quotient, more, less) + less_low);
    const vec near_1 = vfma(g.unit * -2, inverse, vsplat(1));
    return vcopysign(vselect(a > FZ_PER_T(6, 16), near_1, vfma(excess, inverse, quotient)), x);
}
#endif

/* e^a / 2 + sign e^-a / 2 by sinh r and cosh r. The largest terms are added in vpair. */
FZ_INLINE vec join_halves(growth g, T sign) {
    const vec falling = vlookup_step(FALLING_HIGH, g.step), falling_low = vlookup_step(FALLING_LOW, g.step);
    const vec rising = vlookup_step(ROOT_HIGH, g.step), rising_low = vlookup_step(ROOT_LOW, g.step);
    const vec square = g.unit * g.unit * sign;
    const vec sum = vfma(square, rising, falling), difference = vfma(-square, rising, falling);
    const vec sum_low = vfma(square, rising_low, falling_low) + vfma(square, rising, falling - sum);
    const vec most = vfma(difference, g.r, sum), missed = vcancel(difference, g.r, sum - most);
    const vec low = vfma(difference, g.odd, vfma(sum, g.even, sum_low)) + missed;
    return vscale(most + low, -1 - vfloor(g.k));
}

FZ_INLINE vec vsinh(vec x) {
    return vcopysign(
        join_halves(grow(vsmaller(vsplat(FZ_PER_T(91, 712)), vabsolute(x)), vsplat((T)-0.0)), -1), x);
}

FZ_INLINE vec vcosh(vec x) {
    return join_halves(grow(vsmaller(vsplat(FZ_PER_T(91, 712)), vabsolute(x)), vsplat((T)-0.0)), 1);
}

/* The root of x, which is not negative; 0 of 0. */
FZ_INLINE vpair sqrt_pair(vpair x) {
    const vec root = vsqrt(x.high), rest = vcancel(-root, root, x.high) + x.low;
    return (vpair){root, vselect(root > 0, (T)0.5 * rest / root, x.low)};
}

/* From here on x^2 + 1 and x^2 - 1 are x^2, and the logarithm is that of 2 |x|. */
#define FZ_ONE_VANISHES FZ_PER_T(0x1p14, 0x1p29)

/* arcsinh |x| = log(|x| + sqrt(x^2 + 1)): 0.8 ULP. */
FZ_INLINE vec varcsinh(vec x) {
    const vec size = vabsolute(x);
    const mask large = size > FZ_ONE_VANISHES;
    const vpair square = vproduct(size, size), more = vsum(vsplat(1), square.high);
    const vpair root = sqrt_pair((vpair){more.high, more.low + square.low}), sum = vsum(root.high, size);
    const vec high = vselect(large, size, sum.high), low = vselect(large, vsplat(0), sum.low + root.low);
    return vcopysign(vlog_special(high, log_sum(high, low, vselect(large, vsplat(1), vsplat(0)))), x);
}

/* arccosh x = log(x + sqrt(x^2 - 1)): 0.8 ULP; NaN below 1. */
FZ_INLINE vec varccosh(vec x) {
    const mask large = x > FZ_ONE_VANISHES;
    const vpair square = vproduct(x, x), less = vsum_ordered(square.high, vsplat(-1));
    const vpair root = sqrt_pair(vsum_ordered(less.high, less.low + square.low)),
                sum = vsum_ordered(x, root.high);
    const vec high = vselect(large, x, sum.high), low = vselect(large, vsplat(0), sum.low + root.low);
    const vec result = log_sum(high, low, vselect(large, vsplat(1), vsplat(0)));
    return vlog_special(vselect(x < 1, vsplat(-1), high), result);
}

/* arctanh |x| = log(1 + 2|x| / (1 - |x|)) / 2: 0.8 ULP. */
FZ_INLINE vec varctanh(vec x) {
    const vec size = vabsolute(x);
    const mask inside = size < 1;
    const vec bounded = vselect(inside, size, vsplat(0));
    const vpair ratio = vquotient((vpair){bounded + bounded, vsplat(0)}, vsum_ordered(vsplat(1), -bounded));
    const vpair exact = vsum_ordered(ratio.high, ratio.low), sum = vsum(vsplat(1), exact.high);
    vec result = (T)0.5 * log_sum(sum.high, sum.low + exact.low, vsplat(0));
    if (vany(~inside))
        result = vselect(inside, result, vselect(size == 1, vsplat((T)INFINITY), vsplat((T)NAN)));
    return vcopysign(result, x);
}

#endif
