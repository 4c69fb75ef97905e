/* The error function, its complement, and gelu: polynomials on 16 intervals, whose largest terms are added in vpair.
   Below 0.9 ULP. */
#ifndef FZ_MATH_ERF_H
#define FZ_MATH_ERF_H

#include "math_erf_tables.h"
#include "math_gelu_tables.h"
#include "math_power.h"

/* The sum of rows[from] t^0, rows[from + 1] t^1 ... in the intervals of this index. */
FZ_INLINE vec piecewise(vec t, mask index, const T rows[][16], int from, int count) {
    vec sum = vlookup(rows[count - 1], index);
    for (int i = count - 2; i >= from; i--) sum = vfma(sum, t, vlookup(rows[i], index));
    return sum;
}

/* Such a sum from rows[2] on, with rows[0] + rows[1] t added. */
FZ_INLINE vpair sum_of_pieces(vec t, mask index, const T rows[][16], int count) {
    const vec low = vfma(t, vlookup(rows[1], index), vlookup(rows[0], index));
    const vec curved = vfma(t * t, piecewise(t, index, rows, 4, count), low);
    const vpair linear = vproduct(t, vlookup(rows[3], index));
    const vpair sum = vsum(vlookup(rows[2], index), linear.high);
    return vsum_ordered(sum.high, sum.low + (linear.low + curved));
}

/* Where functions are what their tangent at 0 is, and errors of products no longer normal numbers. */
FZ_INLINE mask is_tiny(vec x) { return vabsolute(x) < FZ_PER_T(0x1p-90, 0x1p-900); }

/* Intervals have their middles at multiples of `step`; beyond the last erf is 1. About 0 the constant vanishes, and
   the linear term is the largest. */
FZ_INLINE vec verf(vec x) {
    const int count = sizeof ERF_PIECES / sizeof *ERF_PIECES;
    const T step = FZ_PER_T(17. / 64, 13. / 32), whole = FZ_PER_T(0x1.8p23, 0x1.8p52);
    const vec a = vsmaller(vsplat(15 * step), vabsolute(x)), near = a * (1 / step) + whole;
    const vec t = vfma(near - whole, vsplat(-step), a);
    const vpair sum = sum_of_pieces(t, (mask)near, ERF_PIECES, count);
    const vec tangent = vfma(x, vsplat((T)0.12837916709551257390), x); /* 2 / sqrt(pi) - 1 */
    return vselect(is_tiny(x), tangent, vcopysign(sum.high + sum.low, x));
}

/* e^(-x.high - x.low) = result * 2^floor(k) for x.high >= 0. */
FZ_INLINE vpair exp_of_minus(vpair x, vec *k) {
    const vec factor = vsplat(FZ_PER_T(-0x1.715476p0, -0x1.71547652b82fep0)); /* -1 / ln 2 as two numbers */
    const vec factor_low = vsplat(FZ_PER_T(-0x1.4ae0cp-26, -0x1.777d0ffda0d24p-56));
    const vpair main = vproduct(x.high, factor);
    return exp2_words((vpair){main.high, vfma(x.low, factor, vfma(x.high, factor_low, main.low))}, k);
}

/* g(a) for the rows of g. A quarter of an octave of a + 2 is an interval: the lowest bits of the exponent and the highest
   of the fraction number them from 2 to 32. */
FZ_INLINE vpair scaled_tail(vec a, const T rows[][16], int count) {
    const int below = FZ_PER_T(21, 50);
    const mask one = (mask){0} + 1, place = (mask)(a + 2), index = vbits_down(place, below);
    const vec middle = (vec)((index << below) | (one << (below - 1)));
    const vec t = a - (middle - 2);
    return sum_of_pieces(t, index, rows, count);
}

FZ_INLINE vpair multiply_words(vpair a, vpair b) {
    const vpair product = vproduct(a.high, b.high);
    return (vpair){product.high, vfma(a.high, b.low, vfma(a.low, b.high, product.low))};
}

/* e^(-a^2) g(a) with g(a) = e^(a^2) erfc(a), for a = |x|; below 0, 2 less that. */
FZ_INLINE vec verfc(vec x) {
    const int count = sizeof ERFC_PIECES / sizeof *ERFC_PIECES;
    const vec a = vsmaller(vsplat(FZ_PER_T(11, 28)), vabsolute(x));
    vec k;
    const vpair tail = multiply_words(scaled_tail(a, ERFC_PIECES, count), exp_of_minus(vproduct(a, a), &k));
    const vec value = vscale_floor(tail.high + tail.low, k);
    return vselect(x < 0, 2 - value, value);
}

#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
/* x times the normal distribution's share below x. That is a polynomial on quarters of the octaves of a + 1, a = |x|,
   below 0 times e^(-a^2 / 2) = 2^(k / 16) (1 + less_1): 0.9 ULP. From 14.9 on it is x, and as far below 0 it is -0. */
FZ_INLINE vec vgelu(vec x) {
    enum { ROWS = sizeof GELU_PIECES / sizeof *GELU_PIECES };
    const vec limit = vsplat(14.9f), bounded = vlarger(-limit, x), within = vsmaller(limit, bounded);
    const vec a = vabsolute(within), below = vsmaller(vsplat(0), within);
    const mask index = vbits_down((mask)(a + 1) - (mask)vsplat(1), 21) | (vbits_down((mask)within, 27) & 16);
    const vec t = a - vlookup_wide(GELU_PIECES[0], index), value = vlookup_wide(GELU_PIECES[1], index);
    vec slope = vlookup_wide(GELU_PIECES[ROWS - 1], index);
    for (int i = ROWS - 2; i > 1; i--) slope = vfma(slope, t, vlookup_wide(GELU_PIECES[i], index));
    const vec rise = slope * t;
    const vpair square = vproduct(below, below);
    const T whole = FZ_WHOLE / 16;
    const vec shifted = vfma(square.high, vsplat(FZ_LOG2_E * -0.5f), vsplat(whole)), k = shifted - whole;
    const vec near = vfma(k, vsplat(-FZ_LN2_LOW), vfma(k, vsplat(-FZ_LN2_HIGH), square.high * -0.5f));
    const vec r = vfma(square.low, vsplat(-0.5f), near), root = vlookup(ROOT_HIGH, (mask)shifted);
    const vec less_1 = exp_less_1_by_step(r, r + vlookup(ROOT_MISSED, (mask)shifted));
    const vpair most = vproduct(root, value);
    const vec rest = vfma(root, vfma(less_1, value + rise, rise), most.low);
    return vscale(vfma(bounded, most.high, within * rest), k);
}
#else
/* a = |x| times the normal distribution beyond a, e^(-a^2 / 2) g(a), is -gelu(-a) and a - gelu(a). The tables have
   g(2 a). */
FZ_INLINE vec vgelu(vec x) {
    const int count = sizeof NORMAL_TAIL_PIECES / sizeof *NORMAL_TAIL_PIECES;
    const vec a = vsmaller(vsplat(FZ_PER_T(16, 40)), vabsolute(x));
    const vpair square = vproduct(a, a);
    const vpair half_square = {square.high * (T)0.5, square.low * (T)0.5};
    vec k;
    const vpair e = exp_of_minus(half_square, &k);
    const vpair tail = multiply_words(scaled_tail(a * (T)0.5, NORMAL_TAIL_PIECES, count), e);
    const vpair part = multiply_words((vpair){a, vsplat(0)}, vsum_ordered(tail.high, tail.low));
    const vpair rest = vsum_ordered(a, -vscale_floor(part.high, k));
    const vec above = vselect(vabsolute(x) > a, x, rest.high + (rest.low - vscale_floor(part.low, k)));
    const vec value = vselect((mask)x < 0, -vscale_floor(part.high + part.low, k), above);
    return vselect(is_tiny(x), x * (T)0.5, value);
}
#endif

#endif
