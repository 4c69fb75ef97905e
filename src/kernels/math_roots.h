/* Cube root and the length of a hypotenuse: at most 0.501 ULP, by a Newton step whose residual is computed in twice
   the precision. */
#ifndef FZ_MATH_ROOTS_H
#define FZ_MATH_ROOTS_H

#include "vec_math.h"

/* 1 / cbrt(a) for normal a > 0, within 3.5 %: the bits of a number, read as a whole number, are nearly linear in its
   logarithm. They become a T, without those that have no place below the exponent of 2^23 (2^52). The
   offset makes the largest error the smallest. */
FZ_INLINE vec guess_rcbrt(vec a) {
    const int exponent_bits = FZ_PER_T(9, 12);
    const vec zero = vsplat(FZ_PER_T(0x1p23, 0x1p52)), third = vsplat((T)(-1. / 3));
    const T offset = FZ_PER_T(0x1.5287d6p21, 0x1.54fba5891bda2p50);
    const vec log = (vec)(vbits_down((mask)a, exponent_bits) | (mask)zero) - zero;
    return (vec)((mask)(vfma(log, third, zero + offset)) << exponent_bits);
}

/* 1 / cbrt(a): r (1 - e)^(-1/3) by Taylor's series, where e = 1 - a r^3 is below 0.103, then below 2^-17. */
FZ_INLINE vec rcbrt(vec a) {
    vec r = guess_rcbrt(a), e = vfma(-(a * r * r), r, vsplat(1));
    const vec first = vfma(vfma(e, vsplat((T)(35. / 243)), vsplat((T)(14. / 81))), e, vsplat((T)(2. / 9)));
    r = vfma(r * e, vfma(first, e, vsplat((T)(1. / 3))), r);
    if (sizeof(T) == 4) return r;
    e = vfma(-(a * r * r), r, vsplat(1));
    return vfma(r * e, vfma(e, vsplat((T)(2. / 9)), vsplat((T)(1. / 3))), r);
}

FZ_INLINE vec vcbrt(vec x) {
    const vec size = vabsolute(x);
    const mask tiny =
        size < FZ_PER_T(0x1p-90, 0x1p-800); /* whose rounding errors would leave the normal numbers */
    const vec a = vselect(tiny, size * FZ_PER_T(0x1p60, 0x1p300), size);
    const vec r = rcbrt(a), y = a * r * r;
    const vpair square = vproduct(y * (T)0.5, y * (T)0.5); /* a quarter of it: y^3 may overflow */
    const vec residual = vfma(square.low, y, vcancel(square.high, y, a * (T)-0.25));
    const vec root = vfma(residual * (T)(-4. / 3), r * r, y);
    const vec scaled = vselect(tiny, root * FZ_PER_T(0x1p-20, 0x1p-100), root);
    const mask usual = (size > 0) & (size < vsplat((T)INFINITY));
    return vselect(usual, vcopysign(scaled, x), x + x);
}

/* sqrt(a^2 + b^2) for a >= b >= 0 whose squares, and the errors of these, are 0 or normal numbers. */
FZ_INLINE vec length_of_ordered(vec a, vec b) {
    const vpair aa = vproduct(a, a), bb = vproduct(b, b), sum = vsum_ordered(aa.high, bb.high);
    const vec root = vsqrt(sum.high);
    const vec residual = vcancel(-root, root, sum.high) + (sum.low + (aa.low + bb.low));
    return vselect(root > 0, vfma(residual, (T)0.5 / root, root), root);
}

FZ_INLINE vec vhypot(vec x, vec y) {
    const vec infinity = vsplat((T)INFINITY), one = vsplat(1);
    x = vabsolute(x), y = vabsolute(y);
    const vec large = vlarger(x, y), small = vsmaller(y, x); /* NaN: one each is the second operand */
    const mask huge = large > FZ_PER_T(0x1p60, 0x1p500), tiny = large < FZ_PER_T(0x1p-40, 0x1p-400);
    const vec huge_scale = vsplat(FZ_PER_T(0x1p-80, 0x1p-700)),
              tiny_scale = vsplat(FZ_PER_T(0x1p100, 0x1p700));
    const vec down = vselect(huge, huge_scale, vselect(tiny, tiny_scale, one));
    const vec up = vselect(huge, 1 / huge_scale, vselect(tiny, 1 / tiny_scale, one));
    const vec length = length_of_ordered(large * down, small * down) * up;
    return vselect((x == infinity) | (y == infinity), infinity, length);
}

#endif
