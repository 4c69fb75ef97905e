/* Hyperbolic functions and their inverses. */
#ifndef FZ_MATH_HYPERBOLIC_H
#define FZ_MATH_HYPERBOLIC_H

#include "math_exp.h"
#include "math_log.h"
#include "math_tanh_tables.h"

#if defined(FZ_SIMD_avx512)
/* tanh(c + t), c the table's point: 0.9 ULP. */
#if defined(FZ_T_float32)
FZ_INLINE vec tanh_about(mask index, vec t) {
    enum { ROWS = sizeof TANH_PIECES / sizeof *TANH_PIECES };
    vec slope = vlookup_wide(TANH_PIECES[ROWS - 1], index);
    for (int i = ROWS - 2; i > 1; i--) slope = vfma(slope, t, vlookup_wide(TANH_PIECES[i], index));
    return vfma(slope, t, vselect(index == 0, t, vlookup_wide(TANH_PIECES[1], index)));
}
#else
/* tanh t = t p / q with p = q + z w, z = t^2, is a convergent of Lambert's continued fraction: for |t| <= 1/4 within
   2^-66 of it, and as near as need be further out, where the slope is small. By the theorem of addition
   tanh(c + t) = tanh c + slope t (1 + bend): of what is not on the straight line few digits count. */
FZ_INLINE vec tanh_about(mask index, vec t) {
    static const T q_terms[] = {135135, 62370, 3150, 28}, w_terms[] = {-45045, -2772, -27};
    const vec value = vlookup_wide(TANH_PIECES[1], index), slope = vlookup_wide(TANH_PIECES[2], index);
    const vec z = t * t, q = vpolynomial(z, 4, q_terms), w = vpolynomial(z, 3, w_terms);
    const vec cross = value * t * vfma(z, w, q), bend = vfma(z, w, -cross) / (q + cross);
    const vec line = vfma(slope, t, value), line_low = vfma(slope, t, value - line);
    return line + vfma(slope * t, bend, line_low);
}
#endif

/* By steps of 2^-3 (float64: 2^-2) of the octave in which a + first lies, whose highest bits number the intervals, first =
   5/8 (3/2); the last are beyond the limit, from which on tanh is 1. */
FZ_INLINE vec vtanh(vec x) {
    const vec a = vsmaller(vsplat(FZ_PER_T(9.2, 20)), vabsolute(x)), first = vsplat(FZ_PER_T(0.625, 1.5));
    const mask index = vbits_down((mask)(a + first) - (mask)first, FZ_PER_T(20, 50));
    return vcopysign(tanh_about(index, a - vlookup_wide(TANH_PIECES[0], index)), x);
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

/* The root of x, 0 of 0, and by what is missing in its square the rest. Where there are estimates the root is one,
   corrected likewise. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vpair sqrt_pair(vpair x) {
    const vec inverse = vroot_inverse_estimate(x.high), estimate = x.high * inverse, half = inverse * (T)0.5;
    const vec root = vfma(vfma(-estimate, estimate, x.high), half, estimate);
    return (vpair){root, (vfma(-root, root, x.high) + x.low) * half};
}
#else
FZ_INLINE vpair sqrt_pair(vpair x) {
    const vec root = vsqrt(x.high), rest = vcancel(-root, root, x.high) + x.low;
    return (vpair){root, rest * (T)0.5 / vlarger(vsplat(FZ_PER_T(0x1p-100, 0x1p-1000)), root)};
}
#endif

/* From here on x^2 + 1 and x^2 - 1 are x^2. */
#define FZ_ONE_VANISHES FZ_PER_T(0x1p14, 0x1p29)
/* Below this x is the number nearest to arcsinh x and arctanh x, as |x|^3 / 3 is less than half a step of numbers at x.
   Logarithms near 1 may give its neighbour, which at a power of two is a whole unit away. */
#define FZ_CUBE_VANISHES FZ_PER_T(0x1p-12, 0x1p-27)

/* arcsinh |x| = log(|x| + sqrt(x^2 + 1)), that of 2 |x| where 1 vanishes: 0.8 ULP. First the sum, then its logarithm. */
FZ_INLINE void varcsinh_begin(vec x, halfway *half) {
    const vec size = vabsolute(x), one = vsplat(1);
    const mask large = size > FZ_ONE_VANISHES;
    const vec square = vfma(size, size, one), square_low = vcancel(size, size, one - square);
    const vpair root = sqrt_pair((vpair){square, square_low}), sum = vsum_ordered(root.high, size);
    const vec high = vselect(large, size, sum.high), low = (vec)((mask)(sum.low + root.low) & ~large);
    half->value = (vpair){high, low};
}

FZ_INLINE vec varcsinh_end(vec x, const halfway *half) {
    const vec size = vabsolute(x), high = half->value.high;
    const vec doubled = (vec)((mask)(size > FZ_ONE_VANISHES) & (mask)vsplat(1));
    const vec result = vlog_special(high, log_sum(high, half->value.low, doubled));
    return vcopysign(vselect(size < FZ_CUBE_VANISHES, size, result), x);
}

/* arccosh x = log((x + sqrt(x^2 - 1)) / 2) + log(2), with d = x - 1 and x^2 - 1 = d^2 + 2 d; the root is x or d where the
   square would be infinite: 0.8 ULP; NaN below 1. */
FZ_INLINE void varccosh_begin(vec x, halfway *half) {
    const vec d = x - 1, bounded = vsmaller(vsplat(FZ_PER_T(0x1p60, 0x1p500)), d), twice = bounded + bounded;
    const vec square = vfma(bounded, bounded, twice), square_low = vcancel(bounded, bounded, twice - square);
    const vpair root = sqrt_pair((vpair){square, square_low});
    const vpair sum = vsum_ordered(x * (T)0.5, vlarger(d, root.high) * (T)0.5);
    half->value = (vpair){sum.high, vfma(root.low, vsplat((T)0.5), sum.low)};
}

FZ_INLINE vec varccosh_end(vec x, const halfway *half) {
    return varccosh_special(x - 1, log_sum(half->value.high, half->value.low, vsplat(1)));
}

#if defined(FZ_SIMD_avx512)
/* At j, for ratios from 1 + j/16 to 1 + (j + 1)/16: c near 1 / ratio, and -log(c) / 2, a multiple of 2^-17 (float64:
   2^-43) to 1/500 ULP of c (Gal, "Computing elementary functions: a new approach for achieving high accuracy and good
   performance", 1986). The first c are 1, so that beyond them what is added to the table's number is at most a sixth
   of it. */
#if defined(FZ_T_float32)
static const T ARCTANH_RECIPROCALS[] = {0x1p+0f,        0x1p+0f,        0x1p+0f,        0x1.a48136p-1f,
                                        0x1.8f119p-1f,  0x1.7ba99ep-1f, 0x1.6bf76cp-1f, 0x1.5bc826p-1f,
                                        0x1.4fe54ap-1f, 0x1.3f8ac8p-1f, 0x1.35b38ep-1f, 0x1.286d48p-1f,
                                        0x1.1ef172p-1f, 0x1.183a4ap-1f, 0x1.0dc064p-1f, 0x1.0249b2p-1f};
static const T ARCTANH_VALUES[] = {0,
                                   0,
                                   0,
                                   0x1.933p-4f,
                                   0x1.fe58p-4f,
                                   0x1.3238p-3f,
                                   0x1.5d74p-3f,
                                   0x1.8c08p-3f,
                                   0x1.afa4p-3f,
                                   0x1.e2cp-3f,
                                   0x1.0164p-2f,
                                   0x1.17d2p-2f,
                                   0x1.2878p-2f,
                                   0x1.3498p-2f,
                                   0x1.481ap-2f,
                                   0x1.5e56p-2f};
#else
static const T ARCTANH_RECIPROCALS[] = {0x1p+0,
                                        0x1p+0,
                                        0x1p+0,
                                        0x1.a3dd851ef8a7ap-1,
                                        0x1.909decb579f31p-1,
                                        0x1.7c8254956f4c5p-1,
                                        0x1.6be6742bca2a9p-1,
                                        0x1.5dc1f8fe5dc84p-1,
                                        0x1.50583b02b397ap-1,
                                        0x1.4398e22015757p-1,
                                        0x1.35813877a589dp-1,
                                        0x1.2c11103b7c6c9p-1,
                                        0x1.1ddf1dd7d8b23p-1,
                                        0x1.157fe7eda245ap-1,
                                        0x1.0abb7e75a7a2p-1,
                                        0x1.03817d52effc2p-1};
static const T ARCTANH_VALUES[] = {0,
                                   0,
                                   0,
                                   0x1.964dd641aep-4,
                                   0x1.f669d341f6p-4,
                                   0x1.2ff02583c9p-3,
                                   0x1.5da3be3ep-3,
                                   0x1.863ae0fcf3p-3,
                                   0x1.ae45d3d1c9p-3,
                                   0x1.d5d63ea72fp-3,
                                   0x1.01b73d31e4p-2,
                                   0x1.119263f29ap-2,
                                   0x1.2a626877dap-2,
                                   0x1.399a41e43ap-2,
                                   0x1.4ddd4327558p-2,
                                   0x1.5bed634a138p-2};
#endif

/* (arctanh s - s) / s^3 by z = s^2 for |s| <= 0.0858: minimax by Remez' algorithm, within 2^-34.7 (float64: 2^-64.6) of
   arctanh s. */
FZ_INLINE vec arctanh_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.555556p-2f, 0x1.9996aep-3f, 0x1.2795bp-3f};
#else
    static const T c[] = {0x1.5555555555555p-2, 0x1.999999999a9a7p-3, 0x1.2492491feb8dep-3,
                          0x1.c71c833a0b773p-4, 0x1.744d80a85469fp-4, 0x1.41b1716f0ee7dp-4};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* arctanh a = log(n / d) / 2 for n = 1 + a, d = 1 - a. With r = 2^-k c that is (k log(2) - log(c)) / 2 + arctanh s,
   s = (r n - d) / (r n + d), where r - d is exact: 0.92 ULP. */
FZ_INLINE vec varctanh(vec x) {
    const vec a = vabsolute(x), one = vsplat(1), d = one - a, d_low = (one - d) - a;
    const vec ratio = vlarger(one, (one + a) * vreciprocal_roughly(d)), k = vexponent(ratio);
    const mask j = vbits_down((mask)ratio, FRACTION_BITS - 4);
    const vec r = vscale(vlookup(ARCTANH_RECIPROCALS, j), -k);
    const vec top = vfma(a, r, (r - d) - d_low), bottom = vfma(d, vsplat(2), top);
    const vec inverse = vinverse_estimate(bottom), estimate = top * inverse;
    const vec s = vfma(vfma(-estimate, bottom, top), inverse, estimate), z = s * s;
    const vec most = vfma(k, vsplat(FZ_LN2_HIGH / 2), vlookup(ARCTANH_VALUES, j)); /* exact */
    const vec rest = vfma(s * z, arctanh_tail(z), k * (FZ_LN2_LOW / 2));
    return vcopysign(varctanh_special(d, most + (s + rest)), x);
}
#else
/* arctanh |x| = log(1 + 2|x| / (1 - |x|)) / 2: 0.8 ULP. */
FZ_INLINE vec varctanh(vec x) {
    const vec size = vabsolute(x);
    const vec bounded = (vec)((mask)size & (size < 1));
    const vpair ratio = vquotient((vpair){bounded + bounded, vsplat(0)}, vsum_ordered(vsplat(1), -bounded));
    const vpair exact = vsum_ordered(ratio.high, ratio.low), sum = vsum(vsplat(1), exact.high);
    vec result = (T)0.5 * log_sum(sum.high, sum.low + exact.low, vsplat(0));
    const mask inside = size < 1;
    if (vany(~inside))
        result = vselect(inside, result, vselect(size == 1, vsplat((T)INFINITY), vsplat((T)NAN)));
    return vcopysign(vselect(size < FZ_CUBE_VANISHES, size, result), x);
}
#endif

#endif
