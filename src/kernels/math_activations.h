/* What models put between their layers. */
#ifndef FZ_MATH_ACTIVATIONS_H
#define FZ_MATH_ACTIVATIONS_H

#include "math_exp.h"
#include "math_log.h"

/* x / (1 + e^-(y + low)) for |low| <= ulp(y), as if |y| were at most 110
   (float64: 760). Of q = x / (1 + e^a) / 2^k, a = |y|, it is 2^k q below 0, and
   above x - 2^k q, where q's error counts half at most. `within` is x where it
   is not so large that q does not count, and finite. */
FZ_INLINE vec times_sigmoid_of_any(vec x, vec within, vec y, vec low) {
    const vec far = vsplat(FZ_PER_T(30, 60)); /* powers that underflow take long, and for nothing */
    const mask sign = (mask)y & (mask)vsplat((T)-0.0), is_zero = y <= FZ_PER_T(-110, -760);
    const growth g = grow_roughly(vselect(is_zero | (y > far), far, vabsolute(y)), (vec)((mask)low ^ sign));
    const vec sum = g.high + g.unit, missed = ((g.high - sum) + g.unit) + g.low;
    const vec inverse = vreciprocal_near(sum + g.low), quotient = within * inverse;
    const vec excess = vfma(-quotient, missed, vcancel(-quotient, sum, within));
    const vec q = vfma(excess, inverse, quotient);
    const vec below = vselect(is_zero, vsplat(0), vscale(q, g.k));
    return vcopysign(vselect((mask)y < 0, below, vfma(-g.unit, q, x)), x);
}

#if EXP_STEPS > 1
/* x / (1 + e^-y) by steps, where all |y| are so small that (1 + e^-y) -
 * 1 is exact. */
FZ_INLINE vec times_sigmoid_of_small(vec x, vec y) {
    const T whole = FZ_WHOLE / EXP_STEPS;
    const vec shifted = vfma(y, vsplat(-FZ_LOG2_E), vsplat(whole)), k = shifted - whole;
    const vec r = vfma(k, vsplat(-FZ_LN2_LOW), vfma(k, vsplat(-FZ_LN2_HIGH), -y));
    const vec power = vscale(vlookup(ROOT_HIGH, (mask)shifted), k), sum = power + 1;
    const vec less_1 = exp_less_1_by_step(r, r + vlookup(ROOT_MISSED, (mask)shifted));
    const vec missed = vfma(power, less_1, power - (sum - 1)), inverse = vreciprocal_near(sum + missed);
    const vec quotient = x * inverse, excess = vfma(-quotient, missed, vfma(-quotient, sum, x));
    return vcopysign(vfma(excess, inverse, quotient), x);
}
#endif

/* x / (1 + e^-y), each lane by the way that suits it, so that its neighbours do
 * not change its bits. */
FZ_INLINE vec times_sigmoid(vec x, vec within, vec y) {
    const vec no_low = vsplat((T)-0.0);
#if EXP_STEPS > 1
    const mask large = vabsolute(y) > FZ_PER_T(16, 36);
    if (!vany(large)) return times_sigmoid_of_small(x, y);
    const vec small = times_sigmoid_of_small(within, vselect(large, vsplat(0), y));
    return vselect(large, times_sigmoid_of_any(x, within, y, no_low), small);
#else
    return times_sigmoid_of_any(x, within, y, no_low);
#endif
}

FZ_INLINE vec vsigmoid(vec x) { return times_sigmoid(vsplat(1), vsplat(1), x); }

/* From 110 (float64: 760) on it is x, and as far below 0 it is -0. */
FZ_INLINE vec vsilu(vec x) {
    const vec limit = vsplat(FZ_PER_T(110, 760)), within = vsmaller(limit, vlarger(-limit, x));
    return times_sigmoid(x, within, x);
}

/* x / 2 (1 + tanh u) is x times the sigmoid of 2u = x (2 sqrt(2/pi) + 2
   sqrt(2/pi) 0.044715 x^2); where that is small, its absolute error is the
   result's relative one. From 12 (float64: 22) on it is x, and as far below 0
   it is -0. */
FZ_INLINE vec vgelu_tanh(vec x) {
    const vec limit = vsplat(FZ_PER_T(12, 22)), within = vsmaller(limit, vlarger(-limit, x));
    const vec linear = vsplat(FZ_PER_T(0x1.9884540000000p+0, 0x1.9884533d43651p+0)),
              linear_low = vsplat(FZ_PER_T(-0x1.8579360000000p-25, -0x1.cbc0d30ebfd15p-54));
    const vec cubic = vsplat(FZ_PER_T(0x1.2444f20000000p-4, 0x1.2444f2a4d8b4bp-4)),
              cubic_low = vsplat(FZ_PER_T(0x1.49b16a0000000p-29, -0x1.6c843a29d1c70p-61));
    const vpair square = vproduct(within, within), part = vproduct(cubic, square.high);
    const vpair slope = vsum(linear, part.high);
    const vec slope_low =
        slope.low + (part.low + vfma(cubic, square.low, vfma(cubic_low, square.high, linear_low)));
    const vpair y = vproduct(within, slope.high);
    return times_sigmoid_of_any(x, within, y.high, vfma(within, slope_low, y.low));
}

/* x + log(1 + e^(y + low)) for y <= 0: 0.97 ULP unless the sum cancels. */
FZ_INLINE vec plus_log1p_exp(vec x, vec y, vec low) {
    const exp_parts e = exp_split(y, low);
    const vpair power = exp_significand(e), sum = vsum(vsplat(1), vscale(power.high, e.k));
    const vpair rest = log_pair(sum.high, sum.low, vsplat(0)), total = vsum(x, rest.high);
    const vec rest_low = vfma(vscale(power.low, e.k), vreciprocal_near(sum.high), rest.low);
    return vselect(vabsolute(x) < (T)INFINITY, total.high + (total.low + rest_low), x);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
FZ_INLINE vec vsoftplus(vec x) {
    const vec least = vsplat(FZ_PER_T(-104.5, -746));
    return plus_log1p_exp(vlarger(vsplat(0), x), vlarger(least, -vabsolute(x)), vsplat(0));
}

/* e^larger + e^smaller - 1; for float32 in double where no more than half of its digits cancel. */
static inline double logaddexp_less_1(double larger, double smaller, double *low) {
    const double sum = sizeof(T) == 4 ? exp(smaller) + expm1(larger) : 0;
    *low = 0;
    return fabs(sum) > 0x1p-24 ? sum : fz__logaddexp_less_1(larger, smaller, low);
}

/* In which lanes of `near` e^larger + e^smaller - 1 = *sum + *low to 2^-56 (float32: 2^-27) of it: by steps each power is
   right to 2^-64 (2^-35), and all but a few sums are above 2^-8. */
FZ_INLINE mask add_powers_less_1(vec larger, vec smaller, mask near, vec *sum, vec *low) {
    if (EXP_STEPS == 1) return near ^ near; /* without steps powers are not right enough */
    const growth x = grow(larger, vsplat(0)), y = grow(smaller, vsplat(0));
    const vec x_places = -vfloor(x.k), y_places = -vfloor(y.k);
    const vpair high = vsum(vscale(x.high, x_places), vscale(y.high, y_places));
    const vec rest = high.low + (vscale(x.low, x_places) + vscale(y.low, y_places));
    const vpair less_1 = vsum_ordered(high.high - 1 /* exact where it counts */, rest); /* |rest| < 2^-10 */
    const mask done = near & (vabsolute(less_1.high) > (T)0x1p-8);
    *sum = (vec)(done & (mask)less_1.high);
    *low = (vec)(done & (mask)less_1.low);
    return done;
}

/* The same in all lanes of `left`, one by one. */
static __attribute__((noinline, cold, unused)) void add_each_less_1(vec larger, vec smaller, mask left,
                                                                    vec *sum, vec *low) {
    for (int lane = 0; lane < W; lane++) {
        if (!left[lane]) continue;
        double rest;
        const double most = logaddexp_less_1(larger[lane], smaller[lane], &rest);
        (*sum)[lane] = (T)most;
        (*low)[lane] = (T)(most - (*sum)[lane] + rest);
    }
}

/* log(e^x + e^y) in the lanes of `near`, where it is so near 0 that the sum e^x + e^y - 1 needs more digits; low joins
   last, since the largest errors would come of adding it to one.low, 0.99 ULP. */
static __attribute__((noinline, unused)) vec logaddexp_near_0(vec larger, vec smaller, mask near,
                                                              vec result) {
    vec sum = vsplat(0), low = vsplat(0);
    const mask left = near & ~add_powers_less_1(larger, smaller, near, &sum, &low);
    if (vany(left)) add_each_less_1(larger, smaller, left, &sum, &low);
    const vpair one = vsum(vsplat(1), sum), rest = log_pair(one.high, one.low, vsplat(0));
    return vselect(near, rest.high + vfma(low, vreciprocal_near(one.high), rest.low), result);
}

/* log(e^x + e^y) = max(x, y) + log(1 + e^-|x - y|), where the rounding error of the difference counts. */
FZ_INLINE vec vlogaddexp(vec x, vec y) {
    const vec larger = vmaximum(x, y), smaller = vminimum(x, y);
    const vec least = vsplat(FZ_PER_T(-104.5, -746));
    const vpair difference = vsum(smaller, -larger);
    const mask counts = difference.high > least;
    const vec high = vselect(x == y, vsplat(0), vlarger(least, difference.high));
    const vec result = plus_log1p_exp(larger, high, vselect(counts, difference.low, vsplat(0)));
    const mask near = result - larger > vabsolute(result) * 2; /* of what is added to x half cancels */
    return vany(near) ? logaddexp_near_0(larger, smaller, near, result) : result;
}

/* x, below 0 alpha (e^x - 1): 0.8 ULP. alpha's exponent joins e^x's, so that
   the product is rounded at the end only; where e^x - 1 is x the product is
   that of two numbers. */
FZ_INLINE vec velu(vec x, vec alpha) {
    const exp_parts e = exp_split(vlarger(vsplat(FZ_PER_T(-20, -40)), vsmaller(x, vsplat(0))), vsplat(0));
    const vpair less = exp_less_1(e);
    const vec size = vabsolute(alpha);
    const mask usual = (size > 0) & (size < (T)INFINITY) & (less.high < FZ_PER_T(-0x1p-30, -0x1p-60));
    vec exponent;
    const vec factor = vcopysign(vsignificand(vselect(usual, size, vsplat(1)), &exponent), alpha);
    const vpair product = vproduct(factor, less.high);
    const vec scaled = vscale(product.high + vfma(factor, less.low, product.low), exponent + e.k);
    return vselect(x < 0, vselect(usual, scaled, alpha * less.high), x);
}

#endif
