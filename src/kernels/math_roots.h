/* Square root, correctly rounded. Cube root and the length of a hypotenuse: below 0.9 ULP, 0.501 by a Newton step whose
   residual is computed in twice the precision. */
#ifndef FZ_MATH_ROOTS_H
#define FZ_MATH_ROOTS_H

#include "vec_math.h"

#if defined(FZ_SIMD_avx512)
/* In 15 or 18 instructions of which two start in a cycle, where the one that Intel has for it takes 10 to 23 cycles.

   g and h approach sqrt(x) and 1 / (2 sqrt(x)) (Markstein, "Computation of elementary functions on the IBM RISC
   System/6000 processor", 1990), g to an ULP, so that d = x - g^2 is exact or rounded once, and h to 2^-14 (float64: 2^-27): the root is
   between g + d h (1 - 2^-12) and g + d h (1 + 2^-12) (2^-25). Where these are rounded to the same number, it is what the
   root is rounded to. Else, in one of hundreds (millions) of vectors, the slow instruction decides; and where an error of
   g^2 may leave the normal numbers or there is no root: there the first is 0 and the second x. */
FZ_INLINE vec vroot(vec x) {
    if (fz__roots_are_quick) return vsqrt(x);
    const T margin = FZ_PER_T(0x1p-12, 0x1p-25);
    const vec half = vsplat(0.5), least = vsplat(FZ_PER_T(0x1p-70, 0x1p-900));
    const lane_set usual = FZ_X86_SET(cmp)((x86_vec)x, (x86_vec)least, _CMP_NLT_UQ);
    const vec y = (vec)FZ_X86(maskz_rsqrt14)(usual, (x86_vec)x);
    vec g = x * y, h = y * half;
    const vec rest = vfma(-g, h, half);
    g = vfma(g, rest, g);
    if (sizeof(T) == 8) h = vfma(h, rest, h), g = vfma(g, vfma(-g, h, half), g);
    const vec d = vfma(-g, g, x), less = h * (1 - margin);
    const vec more =
        (vec)FZ_X86(mask_mul)((x86_vec)vsplat(1), usual, (x86_vec)h, (x86_vec)vsplat(1 + margin));
    const vec root = vfma(d, less, g), other = vfma(d, more, g);
    const bool is_sure = FZ_X86_SET(cmp)((x86_vec)root, (x86_vec)other, _CMP_NEQ_UQ) == 0;
    return __builtin_expect(is_sure, true) ? root : vsqrt(x);
}
#else
FZ_INLINE vec vroot(vec x) { return vsqrt(x); }
#endif

#if defined(FZ_SIMD_avx512)
/* At j, for significands of the two lowest bits of whose exponent and two highest of whose fraction are j: c near 1 / m
   for m in the interval's middle, and cbrt(1 / c). c is the one nearby for which that is a number of T to 1/500 ULP (Gal,
   "Computing elementary functions: a new approach for achieving high accuracy and good performance", 1986). */
#if defined(FZ_T_float32)
static const T CBRT_RECIPROCALS[] = {0x1.c69582p-2f,
                                     0x1.746c58p-2f,
                                     0x1.3b4e8ep-2f,
                                     0x1.119378p-2f,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0x1.c7c158p+0f,
                                     0x1.74fd52p+0f,
                                     0x1.3b7004p+0f,
                                     0x1.118b2ep+0f,
                                     0x1.c790dcp-1f,
                                     0x1.73b256p-1f,
                                     0x1.3ab43p-1f,
                                     0x1.116adcp-1f};
static const T CBRT_VALUES[] = {0x1.4f95a2p+0f,
                                0x1.66a454p+0f,
                                0x1.7b1b78p+0f,
                                0x1.8d7a9p+0f,
                                0,
                                0,
                                0,
                                0,
                                0x1.a6728ep-1f,
                                0x1.c3a1b6p-1f,
                                0x1.dd944cp-1f,
                                0x1.f4cfc6p-1f,
                                0x1.0a298p+0f,
                                0x1.1cd6f2p+0f,
                                0x1.2d16f8p+0f,
                                0x1.3b8a44p+0f};
#else
static const T CBRT_RECIPROCALS[] = {0x1.c7b5a68a1d578p-2,
                                     0x1.746f204bfc065p-2,
                                     0x1.3aa0ef1bdd77ap-2,
                                     0x1.116750a7906e8p-2,
                                     0,
                                     0,
                                     0,
                                     0,
                                     0x1.c6fc35246dbf6p+0,
                                     0x1.7448452e7e367p+0,
                                     0x1.3ba5c6e24c804p+0,
                                     0x1.10e8dd57a3112p+0,
                                     0x1.c6f77531d382ap-1,
                                     0x1.73c0c590e438ap-1,
                                     0x1.3a9b3980f2173p-1,
                                     0x1.11372f6a97d3fp-1};
static const T CBRT_VALUES[] = {0x1.4f4ed856bbb2p+0,
                                0x1.66a36f5bb925p+0,
                                0x1.7b61271232548p+0,
                                0x1.8d8ff4839bd5fp+0,
                                0,
                                0,
                                0,
                                0,
                                0x1.a6af8874fed56p-1,
                                0x1.c3eae0b9df8ap-1,
                                0x1.dd792d50427cbp-1,
                                0x1.f532fbdb3502bp-1,
                                0x1.0a4766a341c78p+0,
                                0x1.1cd34218c07a8p+0,
                                0x1.2d1eee6f74816p+0,
                                0x1.3b9e275d87628p+0};
#endif

/* ((1 + u)^(1/3) - 1) / u for |u| <= 0.1127: minimax, within 2^-31.7 (float64: 2^-61.9) of (1 + u)^(1/3) when put
   together. */
FZ_INLINE vec cbrt_slope(vec u) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.555556p-2f, -0x1.c71ac8p-4f, 0x1.f9a71ep-5f, -0x1.54809ap-5f, 0x1.f60b1ap-6f};
#else
    static const T c[] = {0x1.5555555555554p-2,  -0x1.c71c71c71c6fep-4, 0x1.f9add3c0d0f9ep-5,
                          -0x1.511e8d2b4626p-5,  0x1.ee71132ba58d3p-6,  -0x1.8090d5d67d722p-6,
                          0x1.3750d68fbcd2cp-6,  -0x1.036e25bc913a9p-6, 0x1.b9d1b193ad7dcp-7,
                          -0x1.7ed816bd3a409p-7, 0x1.5bafb3d3319dep-7,  -0x1.36d51f17e9331p-7};
#endif
    return vpolynomial(u, sizeof c / sizeof *c, c);
}

/* |x| = 8^q m with 1/2 <= m < 4, m = (1 + u) / c: 0.59 ULP. */
FZ_INLINE vec vcbrt(vec x) {
    const vec q = vrint(vexponent(x) * (T)(1. / 3)), m = vscale(vabsolute(x), q * -3);
    const mask j = vbits_down((mask)m, FRACTION_BITS - 2);
    const vec value = vlookup(CBRT_VALUES, j), u = vfma(m, vlookup(CBRT_RECIPROCALS, j), vsplat(-1));
    const vec root = vscale(vfma(value * u, cbrt_slope(u), value), q);
    return vkeep_0_and_infinity(x, vcopysign(root, x));
}
#else
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
#endif

/* sqrt(a^2 + b^2) for a >= b >= 0 whose squares, and the errors of these, are 0 or normal numbers. */
FZ_INLINE vec length_of_ordered(vec a, vec b) {
    const vpair aa = vproduct(a, a), bb = vproduct(b, b), sum = vsum_ordered(aa.high, bb.high);
    const vec root = vsqrt(sum.high);
    const vec residual = vcancel(-root, root, sum.high) + (sum.low + (aa.low + bb.low));
    return vselect(root > 0, vfma(residual, (T)0.5 / root, root), root);
}

#if FZ_HAS_FMA
static __attribute__((noinline, unused)) vec hypot_of_any(vec x, vec y) {
#else
FZ_INLINE vec vhypot(vec x, vec y) {
#endif
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

#if FZ_HAS_FMA
/* The root of a sum of squares that is rounded once, y^2's error being added to what the root's square misses: 0.86 ULP.
   Sums whose errors leave the normal numbers, and what is infinite or NaN, are scaled: each for itself, so that no lane's
   bits depend on its neighbours. */
FZ_INLINE vec vhypot(vec x, vec y) {
    const vec least = vsplat(FZ_PER_T(0x1p-80, 0x1p-900)), most = vsplat(FZ_PER_T(0x1p120, 0x1p1000));
    const vec square = y * y, sum = vfma(x, x, square);
    const vec root = vsqrt(sum), missed = vfma(-root, root, sum) + vfma(y, y, -square);
    const vec length = vfma(missed * (T)0.5, vreciprocal_roughly(root), root);
    if (!vany_greater(least, sum) && vall_less(sum, most, sum)) return length;
    return vselect((sum >= least) & (sum < most), length, hypot_of_any(x, y));
}
#endif

#endif
