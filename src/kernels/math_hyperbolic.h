/* Hyperbolic functions and their inverses. */
#ifndef FZ_MATH_HYPERBOLIC_H
#define FZ_MATH_HYPERBOLIC_H

#include "math_exp.h"
#include "math_log.h"

/* tanh |x| = (e^2|x| - 1) / (e^2|x| + 1), both divided by 2^k: 0.6 ULP. Where 2^-k is too small to be
   added to 1 it is 1 - 2 / e^2|x|, and 1 from 10 (float64: 20) on. */
FZ_INLINE vec vtanh(vec x) {
    const vec size = vsmaller(vsplat(FZ_PER_T(10, 20)), vabsolute(x));
    const exp_parts e = exp_split(size + size, vsplat(0));
    const vec unit = vscale(vsplat(1), -e.k);
    const vpair less = vsum_ordered(1 - unit, e.r), more = vsum_ordered(1 + unit, e.r);
    const vpair quotient =
        vquotient(vsum_ordered(less.high, less.low + e.tail), vsum_ordered(more.high, more.low + e.tail));
    vec result = quotient.high + quotient.low;
    const mask large = size > FZ_PER_T(6, 16);
    if (vany(large)) result = vselect(large, 1 - 2 * unit / (1 + (e.r + e.tail)), result);
    return vcopysign(result, x);
}

/* sinh |x| = (e^|x| - 1 + (e^|x| - 1) / e^|x|) / 2, divided by 2^k / 2: 0.8 ULP. */
FZ_INLINE vec vsinh(vec x) {
    const vec size = vsmaller(vsplat(FZ_PER_T(91, 712)), vabsolute(x));
    const exp_parts e = exp_split(size, vsplat(0));
    const vec unit = vscale(vsplat(1), -e.k);
    const vpair less = exp_less_1(e), quotient = vquotient(less, exp_significand(e));
    const vpair sum = vsum_ordered(less.high, unit * quotient.high);
    const vec low = sum.low + vfma(unit, quotient.low, less.low);
    return vcopysign(vscale(sum.high + low, e.k - 1), x);
}

/* cosh x = (e^|x| + 1 / e^|x|) / 2, divided by 2^k / 2: 0.8 ULP. */
FZ_INLINE vec vcosh(vec x) {
    const vec size = vsmaller(vsplat(FZ_PER_T(91, 712)), vabsolute(x));
    const exp_parts e = exp_split(size, vsplat(0));
    const vec unit = vscale(vsplat(1), -e.k);
    const vpair power = exp_significand(e), one = {vsplat(1), vsplat(0)}, inverse = vquotient(one, power);
    const vec square = unit * unit, low = vfma(square, inverse.high, vfma(square, inverse.low, power.low));
    return vscale(power.high + low, e.k - 1);
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
