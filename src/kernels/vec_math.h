/* What functions on vectors of floats are made of: polynomials, powers of two, sums and products with their
   rounding errors. Included by the math_*.h files. */
#ifndef FZ_VEC_MATH_H
#define FZ_VEC_MATH_H

#include "vec.h"

/* A constant per dtype. */
#if defined(FZ_T_float32)
#define FZ_PER_T(float32, float64) ((T)(float32))
#else
#define FZ_PER_T(float32, float64) ((T)(float64))
#endif

/* The layout of T. */
enum { FRACTION_BITS = sizeof(T) == 4 ? 23 : 52, EXPONENT_BIAS = sizeof(T) == 4 ? 127 : 1023 };

/* c[0] + c[1] x + ... + c[count - 1] x^(count - 1). */
FZ_INLINE vec vpolynomial(vec x, int count, const T *c) {
    vec sum = vsplat(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) sum = vfma(sum, x, vsplat(c[i]));
    return sum;
}

/* Added to a number below 2^21 (float64: 2^50) this leaves the nearest whole number in the low bits of the sum; taken
   away again, it leaves that number. */
#define FZ_WHOLE FZ_PER_T(0x1.8p23, 0x1.8p52)

/* 2^k for whole numbers k that are exponents of normal numbers. */
FZ_INLINE vec vpower_of_2(vec k) { return (vec)((mask)(k + (FZ_WHOLE + EXPONENT_BIAS)) << FRACTION_BITS); }

/* x * 2^k, rounded once, for whole numbers k and 1/8 < |x| < 8; NaN where x is. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vscale(vec x, vec k) { return (vec)FZ_X86(scalef)((x86_vec)x, (x86_vec)k); }
#else
FZ_INLINE vec vscale(vec x, vec k) {
    const vec half = (k * (T)0.5 + FZ_WHOLE) - FZ_WHOLE;
    return x * vpower_of_2(half) * vpower_of_2(k - half);
}
#endif

#endif
