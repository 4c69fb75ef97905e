/* Inverse trigonometric functions. */
#ifndef FZ_MATH_ARCTRIG_H
#define FZ_MATH_ARCTRIG_H

#include "vec_math.h"

/* pi/4 in two parts, the first two bits short, so that its multiples by 2, 3 and 4 are exact. */
#define QUARTER_PI_HIGH FZ_PER_T(0x1.921fbp-1, 0x1.921fb54442d18p-1)
#define QUARTER_PI_LOW FZ_PER_T(0x1.5110b4p-23, 0x1.1a62633145c07p-55)

/* quarters * (pi/4) + value + tail, rounded about once, for quarters that are 0 or make the larger summand. */
FZ_INLINE vec add_to_quarters(vec quarters, vec value, vec tail) {
    const vec base = quarters * QUARTER_PI_HIGH, whole = base + value, missed = base - whole + value;
    return whole + (missed + vfma(quarters, vsplat(QUARTER_PI_LOW), tail));
}

/* quarters * (pi/4) + arctan(n / d), of any sign, for 0 <= n <= d and quarters that are 0 or make the larger summand;
   n is 0 or at least 2^-90 (float64: 2^-900), or d is 1; d is at most 2^60 (2^500). `whole` says that d is 1 where
   quarters is 0, so that the division by it is exact. */
#if defined(FZ_SIMD_avx512)
/* Points and the arctangents there: of the numbers near j / 15.49 those whose arctangent is a number of T to 1/500
   ULP (Gal, "Computing elementary functions: a new approach for achieving high accuracy and good performance", 1986).
   The first are 0, so that beyond them what is left is at most a fifth of the whole, and its error counts that
   little: 0.83 ULP. */
#if defined(FZ_T_float32)
static const T ARCTAN_POINTS[] = {0,
                                  0,
                                  0,
                                  0x1.8cb7f4p-3f,
                                  0x1.087914p-2f,
                                  0x1.4a98cep-2f,
                                  0x1.8caf3ap-2f,
                                  0x1.ced952p-2f,
                                  0x1.087bbp-1f,
                                  0x1.297de8p-1f,
                                  0x1.4a821ap-1f,
                                  0x1.6b8e0ap-1f,
                                  0x1.8c94acp-1f,
                                  0x1.adba9cp-1f,
                                  0x1.ceb58ap-1f,
                                  0x1.efd2f8p-1f};
static const T ARCTAN_VALUES[] = {0,
                                  0,
                                  0,
                                  0x1.87dd82p-3f,
                                  0x1.02d12ap-2f,
                                  0x1.3fc792p-2f,
                                  0x1.7a74cep-2f,
                                  0x1.b2b47cp-2f,
                                  0x1.e8421p-2f,
                                  0x1.0d7f26p-1f,
                                  0x1.257d5ep-1f,
                                  0x1.3c228ep-1f,
                                  0x1.516e04p-1f,
                                  0x1.658208p-1f,
                                  0x1.78411p-1f,
                                  0x1.89e824p-1f};
#else
static const T ARCTAN_POINTS[] = {0,
                                  0,
                                  0,
                                  0x1.8cd0b119642ffp-3,
                                  0x1.087d323c11ceap-2,
                                  0x1.4a6d567d9605ap-2,
                                  0x1.8ca6f65a31caap-2,
                                  0x1.cea854cba0f9p-2,
                                  0x1.085efd1db3065p-1,
                                  0x1.2976bc49bfdf6p-1,
                                  0x1.4a993f92d77cp-1,
                                  0x1.6b8d22f447711p-1,
                                  0x1.8cb3536b854aap-1,
                                  0x1.adc1b50946059p-1,
                                  0x1.ceb20196948f9p-1,
                                  0x1.efde3db3ebf57p-1};
static const T ARCTAN_VALUES[] = {0,
                                  0,
                                  0,
                                  0x1.87f559ffc9076p-3,
                                  0x1.02d5064e2169dp-2,
                                  0x1.3fa0345b16511p-2,
                                  0x1.7a6d9e657ee69p-2,
                                  0x1.b28bcd9f7c8cep-2,
                                  0x1.e814c03cc92fbp-2,
                                  0x1.0d79c994c39e9p-1,
                                  0x1.258db451bb74fp-1,
                                  0x1.3c21f46603d91p-1,
                                  0x1.51812c334ca67p-1,
                                  0x1.65863206ba4f3p-1,
                                  0x1.783f1e2b5e227p-1,
                                  0x1.89edf5177aad8p-1};
#endif

/* (arctan q - q) / q^3 by z = q^2 for |q| <= 0.1615: minimax by Remez' algorithm, within 2^-30.1 (float64: 2^-59.4)
   of arctan q. */
FZ_INLINE vec arctangent_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {-0x1.555546p-2f, 0x1.9976cp-3f, -0x1.1a4688p-3f};
#else
    static const T c[] = {-0x1.5555555555551p-2, 0x1.99999999956b4p-3,  -0x1.2492491cf3051p-3,
                          0x1.c71c665b6ef66p-4,  -0x1.7458cd47e5feep-4, 0x1.3a3889dd57cbep-4,
                          -0x1.f56e559f3f2ecp-5};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* arctan(n / d) = arctan(c) + arctan((n - c d) / (d + c n)) for the point c that is nearest. */
FZ_INLINE vec arctangent_of(vec n, vec d, vec quarters, bool whole) {
    const vec near = vfma(n * vreciprocal_roughly(d), vsplat((T)15.49), vsplat(FZ_WHOLE));
    const vec c = vlookup(ARCTAN_POINTS, (mask)near), value = vlookup(ARCTAN_VALUES, (mask)near);
    const vec top = vfma(-c, d, n), bottom = vfma(c, n, d), inverse = vinverse_estimate(bottom);
    const vec estimate = top * inverse, excess = vfma(estimate, bottom, -top);
    const vec q = vfma(-excess, inverse, estimate), z = q * q;
    const vec low = whole ? vsplat(0) : vfma(-excess, inverse, estimate - q);
    const vec base = quarters * QUARTER_PI_HIGH, most = base + value, missed = base - most + value;
    const vec rest = vfma(quarters, vsplat(QUARTER_PI_LOW), whole ? missed : missed + low);
    return most + (q + vfma(q * z, arctangent_tail(z), rest));
}
#else
/* (arctan q - q) / q^3 by z = q^2 for |q| <= 1/2: minimax by Remez' algorithm, within 2^-31.5 (float64: 2^-57.7) of
   arctan q. */
FZ_INLINE vec arctangent_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {-0x1.55555p-2f, 0x1.99966ap-3f, -0x1.244076p-3f,
                          0x1.bf70b8p-4f, -0x1.44492p-4f, 0x1.3555fp-5f};
#else
    static const T c[] = {-0x1.5555555555515p-2, 0x1.9999999990f14p-3,  -0x1.2492492151784p-3,
                          0x1.c71c708c9d1c1p-4,  -0x1.745cf45e569e4p-4, 0x1.3b11370ae354dp-4,
                          -0x1.10f2da349ebd5p-4, 0x1.dfe5cfffa5b49p-5,  -0x1.a3881b797c083p-5,
                          0x1.56c7f7e0bcd91p-5,  -0x1.c0ec79cedf2f2p-6, 0x1.4ab56cb751790p-7};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* Where n > d / 2, arctan(n / d) is pi/4 + arctan((n - d) / (n + d)), whose n - d is exact. The quotient is an
   estimate and a correction by what is missing in its product with the denominator, which squares its error. */
FZ_INLINE vec arctangent_of(vec n, vec d, vec quarters, bool whole) {
    (void)whole;
    const mask middle = n + n > d;
    const vec moved = (vec)(middle & (mask)n), bottom = d + moved, bottom_low = moved - (bottom - d);
    const vec top = n - (vec)(middle & (mask)d), step = (vec)(middle & (mask)vsplat(1));
    const vec inverse = vinverse_estimate(bottom), estimate = top * inverse;
    const vec excess = vfma(estimate, bottom_low, vcancel(estimate, bottom, -top));
    const vec q = vfma(-excess, inverse, estimate), low = vfma(-excess, inverse, estimate - q);
    const vec z = q * q;
    return add_to_quarters(quarters + step, q, vfma(q * z, arctangent_tail(z), low));
}
#endif

/* Sizes above 2^60 (float64: 2^500) give pi/2 as infinity does. */
FZ_INLINE vec varctan(vec x) {
    const vec one = vsplat(1), size = vsmaller(vsplat(FZ_PER_T(0x1p60, 0x1p500)), vabsolute(x));
    const mask steep = size > one;
    const vec n = vsmaller(one, size), d = vlarger(one, size);
    return vcopysign(arctangent_of(n, d, (vec)(steep & (mask)vsplat(-2)), true), x);
}

typedef struct fraction {
    vec n, d;
} fraction;

/* The same ratio within arctangent_of's bounds. One too small for a correction is divided at once. */
static __attribute__((noinline, cold, unused)) fraction scale_extremes(vec n, vec d) {
    const T infinity = INFINITY, large = FZ_PER_T(0x1p60, 0x1p500);
    const vec one = vsplat(1);
    n = vselect(d == infinity, vselect(n == infinity, one, n * 0), n);
    d = vselect((d == infinity) | (d == 0), one, d);
    const vec scale = vselect(d > large, vsplat(FZ_PER_T(0x1p-70, 0x1p-530)),
                              vselect(d < 1 / large, vsplat(FZ_PER_T(0x1p90, 0x1p580)), one));
    const mask small = n * scale < FZ_PER_T(0x1p-90, 0x1p-900);
    return (fraction){vselect(small, n / d, n * scale), vselect(small, one, d * scale)};
}

FZ_INLINE vec varctan2(vec y, vec x) {
    const vec height = vabsolute(y), width = vabsolute(x);
    const mask steep = height > width, left = (mask)x >> (8 * sizeof(T) - 1);
    fraction r = {vsmaller(height, width), vlarger(width, height)}; /* a NaN is in one of them, or in both */
    if (vany_greater(vsplat(FZ_PER_T(0x1p-90, 0x1p-900)), r.n) ||
        vany_greater(r.d, vsplat(FZ_PER_T(0x1p60, 0x1p500))))
        r = scale_extremes(r.n, r.d);
    const mask sign = (mask)vsplat((T)-0.0);
    const vec quarters =
        vselect(steep, (vec)((mask)vsplat(-2) ^ (left & sign)), (vec)(left & (mask)vsplat(-4)));
    return vcopysign(arctangent_of(r.n, r.d, quarters, false), y);
}

/* (arcsin s - s) / s^3 by z = s^2 for s <= 1/2, likewise within 2^-27.6 (2^-59.8) of arcsin s. */
FZ_INLINE vec arcsine_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.5555c8p-3f, 0x1.330204p-4f, 0x1.747bb4p-5f, 0x1.8c3e96p-6f, 0x1.595c14p-5f};
#else
    static const T c[] = {0x1.5555555555577p-3, 0x1.333333332e130p-4, 0x1.6db6db72127c5p-5,
                          0x1.f1c71a94e9911p-6, 0x1.6e8bdee15dcf6p-6, 0x1.1c49f04848db1p-6,
                          0x1.ca1f8f5c0dfe1p-7, 0x1.75857a3e9f92dp-7, 0x1.613ce02aae75ap-7,
                          0x1.e5f0c8c549433p-9, 0x1.639dd306c0092p-6, -0x1.57ff5656e4babp-6,
                          0x1.0b4749cf400d4p-5};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* sqrt(z): an estimate, corrected by what is missing in its square. */
FZ_INLINE vpair square_root(vec z) {
    const vec inverse = vroot_inverse_estimate(z), estimate = z * inverse, half = inverse * (T)0.5;
    const vec excess = vcancel(estimate, estimate, -z), root = vfma(-excess, half, estimate);
    return (vpair){root, vfma(-excess, half, estimate - root)};
}

/* Quarters of pi + turned arcsin(size). Above 1/2 arcsin(size) = pi/2 - 2 arcsin(sqrt((1 - size) / 2)), where
   1 - size is exact: the other sign, two quarters on or back, by the caller. */
FZ_INLINE vec arcsine_of(vec size, mask steep, vec quarters, mask turned) {
    const vec root_squared = vfma(size, vsplat(-2), vsplat(2)); /* of twice the root */
    const vec z = vsmaller(root_squared * (T)0.25, size * size);
    const vpair root = square_root(root_squared);
    const mask sign = turned & (mask)vsplat((T)-0.0);
    const vec s = (vec)((mask)vselect(steep, root.high, size) ^ sign);
    const vec low = (vec)((steep & (mask)root.low) ^ sign);
    return add_to_quarters(quarters, s, vfma(s * z, arcsine_tail(z), low));
}

FZ_INLINE vec varcsin(vec x) {
    const vec size = vabsolute(x);
    const mask steep = size > (T)0.5;
    return vcopysign(arcsine_of(size, steep, (vec)(steep & (mask)vsplat(2)), steep), x);
}

/* pi/2 - arcsin x; near 1 and -1 from 0 and pi. */
FZ_INLINE vec varccos(vec x) {
    const vec size = vabsolute(x);
    const mask steep = size > (T)0.5, left = (mask)x >> (8 * sizeof(T) - 1);
    const vec quarters = vselect(steep, (vec)(left & (mask)vsplat(4)), vsplat(2));
    return arcsine_of(size, steep, quarters, ~(steep ^ left));
}

#endif
