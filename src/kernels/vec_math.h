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

/* ln 2 in two parts (Cody and Waite, "Software Manual for the Elementary Functions", 1980): the first
   times the exponent of any number is exact. */
#define FZ_LN2_HIGH FZ_PER_T(0x1.62e4p-1, 0x1.62e42fefa38p-1)
#define FZ_LN2_LOW FZ_PER_T(0x1.7f7d1cp-20, 0x1.ef35793c7673p-45)

/* The bits of a vector, for shifts that bring in zeros. */
#if defined(FZ_T_float32)
typedef uint32_t words __attribute__((vector_size(FZ_VECTOR_BYTES)));
#else
typedef uint64_t words __attribute__((vector_size(FZ_VECTOR_BYTES)));
#endif

/* Bits moved down; zeros follow. (AVX2 and SSE2 cannot move the sign down in 64-bit lanes.) */
FZ_INLINE mask vbits_down(mask m, int places) { return (mask)((words)m >> places); }

/* The layout of T. */
enum { FRACTION_BITS = sizeof(T) == 4 ? 23 : 52, EXPONENT_BIAS = sizeof(T) == 4 ? 127 : 1023 };

/* c[0] + c[1] x + ... + c[count - 1] x^(count - 1). Of many terms all but the first are added by pairs, pairs of pairs
   and so on (Estrin, "Organization of computer systems", 1960): one after the other they would wait for longer than a
   CPU looks ahead. */
FZ_INLINE vec vpolynomial(vec x, int count, const T *c) {
    vec sum = vsplat(c[count - 1]);
    if (count < 8) {
        for (int i = count - 2; i >= 0; i--) sum = vfma(sum, x, vsplat(c[i]));
        return sum;
    }
    vec terms[16], power = x;
    for (int i = 1; i < count; i++) terms[i - 1] = vsplat(c[i]);
    for (int left = count - 1; left > 1; left = (left + 1) / 2, power = power * power) {
        for (int i = 0; i < left / 2; i++) terms[i] = vfma(terms[2 * i + 1], power, terms[2 * i]);
        if (left % 2) terms[left / 2] = terms[left - 1];
    }
    return vfma(terms[0], x, vsplat(c[0]));
}

/* Added to a number below 2^21 (float64: 2^50) this leaves the nearest whole number in the low bits of
   the sum; taken away again, it leaves that number. */
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

#if defined(FZ_SIMD_avx512)
/* The same, but 0, whatever k and x are, where `from` is not above `least`: a result that underflows takes 150 cycles. */
FZ_INLINE vec vscale_above(vec x, vec k, vec from, vec least) {
    const lane_set above = FZ_X86_SET(cmp)((x86_vec)from, (x86_vec)least, _CMP_NLE_UQ);
    return (vec)FZ_X86(maskz_scalef)(above, (x86_vec)x, (x86_vec)k);
}
#endif

/* x * 2^floor(k), rounded once, as vscale. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vscale_floor(vec x, vec k) { return vscale(x, k); }
#else
FZ_INLINE vec vscale_floor(vec x, vec k) { return vscale(x, vfloor(k)); }
#endif

/* a * b + c where c cancels the greater part of the product: rounded once as if the product were not.
   Without FMA the product's error comes from halves of a and b (Dekker, "A floating-point technique for
   extending the available precision", 1971); they may not be above 2^100 (float64: 2^900). */
#if FZ_HAS_FMA
FZ_INLINE vec vcancel(vec a, vec b, vec c) { return vfma(a, b, c); }
#else
FZ_INLINE vec vupper_half(vec x) {
    const vec big = x * FZ_PER_T(0x1p12 + 1, 0x1p27 + 1);
    return big - (big - x);
}
FZ_INLINE vec vcancel(vec a, vec b, vec c) {
    const vec product = a * b, a1 = vupper_half(a), b1 = vupper_half(b), a2 = a - a1, b2 = b - b1;
    const vec error = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2);
    return (product + c) + error;
}
#endif

/* Is every lane of x less than y's, and z's a number? */
#if defined(FZ_SIMD_avx512)
FZ_INLINE bool vall_less(vec x, vec y, vec z) {
    const lane_set set = FZ_X86_SET(mask_cmp)(numbers(z), (x86_vec)x, (x86_vec)y, _CMP_LT_OQ);
    return set == first_lanes(W);
}
#else
FZ_INLINE bool vall_less(vec x, vec y, vec z) { return !vany(~((x < y) & (z == z))); }
#endif

/* A set of lanes, by which AVX-512 chooses in one instruction: those whose bits are not all 0. And a lane of a where
   the set has it, else of b; lanes that are equal; x + y there, else x (which is not -0). */
#if defined(FZ_SIMD_avx512)
FZ_INLINE lane_set vlanes(mask m) {
    return sizeof(T) == 4 ? (lane_set)_mm512_test_epi32_mask((__m512i)m, (__m512i)m)
                          : (lane_set)_mm512_test_epi64_mask((__m512i)m, (__m512i)m);
}
FZ_INLINE vec vpick(lane_set set, vec a, vec b) {
    return (vec)FZ_X86(mask_blend)(set, (x86_vec)b, (x86_vec)a);
}
FZ_INLINE lane_set vequal(vec x, vec y) { return FZ_X86_SET(cmp)((x86_vec)x, (x86_vec)y, _CMP_EQ_OQ); }
FZ_INLINE vec vadd_in(lane_set set, vec x, vec y) {
    return (vec)FZ_X86(mask_add)((x86_vec)x, set, (x86_vec)x, (x86_vec)y);
}
#else
typedef mask lane_set;
FZ_INLINE lane_set vlanes(mask m) { return m != 0; }
FZ_INLINE lane_set vequal(vec x, vec y) { return x == y; }
FZ_INLINE vec vadd_in(lane_set set, vec x, vec y) { return x + vselect(set, y, vsplat(0)); }
FZ_INLINE vec vpick(lane_set set, vec a, vec b) { return vselect(set, a, b); }
#endif

#if defined(FZ_SIMD_avx512)
/* floor(log2 |x|), and where x is 0 or infinite that itself, else y. */
FZ_INLINE vec vexponent(vec x) { return (vec)FZ_X86(getexp)((x86_vec)x); }
FZ_INLINE vec vkeep_0_and_infinity(vec x, vec y) {
    const __m512i what = (__m512i)((mask){0} + 0x00110100); /* digits as in vlog_special; 1 makes it x */
    return (vec)FZ_X86(fixupimm)((x86_vec)y, (x86_vec)x, what, 0);
}
#endif

/* A sum of two numbers that is not rounded: high holds it to half an ULP, low the rest. */
typedef struct vpair {
    vec high, low;
} vpair;

/* What the first of a function's two stages writes for the second: as much of it as that one asks for. */
typedef struct halfway {
    vpair value;
    mask quadrant;
    bool special;
} halfway;

/* a + b for |a| >= |b|, or a = 0 (Dekker 1971); and for any a and b (Knuth, "The Art of Computer
   Programming", volume 2). */
FZ_INLINE vpair vsum_ordered(vec a, vec b) {
    const vec sum = a + b;
    return (vpair){sum, (a - sum) + b};
}
FZ_INLINE vpair vsum(vec a, vec b) {
    const vec sum = a + b, b_part = sum - a;
    return (vpair){sum, (a - (sum - b_part)) + (b - b_part)};
}

FZ_INLINE vpair vproduct(vec a, vec b) {
    const vec product = a * b;
    return (vpair){product, vcancel(a, b, -product)};
}

/* 1 / x to 14 bits at least. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vreciprocal_roughly(vec x) { return (vec)FZ_X86(rcp14)((x86_vec)x); }
#else
FZ_INLINE vec vreciprocal_roughly(vec x) { return 1 / x; }
#endif

/* 1 / x to half the bits of T at least; 1/8 < |x| < 2^60. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vreciprocal_near(vec x) {
    const vec y = (vec)FZ_X86(rcp14)((x86_vec)x);
    return sizeof(T) == 4 ? y : vfma(vfma(-x, y, vsplat(1)), y, y);
}
#else
FZ_INLINE vec vreciprocal_near(vec x) { return 1 / x; }
#endif

/* x / y; its two parts are not normalised where y's reciprocal is short. */
FZ_INLINE vpair vquotient(vpair x, vpair y) {
    const vec reciprocal = vreciprocal_near(y.high), quotient = x.high * reciprocal;
    const vec rest = vcancel(-quotient, y.high, x.high) + vfma(-quotient, y.low, x.low);
    return (vpair){quotient, rest * reciprocal};
}

/* table[j % 16]. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE vec vlookup(const T table[16], mask j) {
    return (vec)_mm512_permutexvar_ps((__m512i)j, _mm512_loadu_ps(table));
}
#elif defined(FZ_SIMD_avx512)
FZ_INLINE vec vlookup(const T table[16], mask j) {
    return (vec)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)j, _mm512_loadu_pd(table + 8));
}
#elif defined(FZ_SIMD_avx2) && defined(FZ_T_float32)
FZ_INLINE vec vlookup(const T table[16], mask j) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)j);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), (__m256i)j);
    return (vec)_mm256_blendv_ps(low, high, (__m256)(j << 28));
}
#elif defined(FZ_SIMD_avx2)
FZ_INLINE vec vlookup(const T table[16], mask j) {
    return (vec)_mm256_i64gather_pd(table, (__m256i)(j & 15), 8);
}
#else
FZ_INLINE vec vlookup(const T table[16], mask j) {
    vec found;
    for (int lane = 0; lane < W; lane++) found[lane] = table[j[lane] & 15];
    return found;
}
#endif

/* table[j % (2 W)]: as much as one instruction looks up. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE vec vlookup_wide(const T table[2 * W], mask j) {
    return (vec)_mm512_permutex2var_ps(_mm512_loadu_ps(table), (__m512i)j, _mm512_loadu_ps(table + W));
}
#elif defined(FZ_SIMD_avx512)
FZ_INLINE vec vlookup_wide(const T table[2 * W], mask j) { return vlookup(table, j); }
#endif

/* x = 2^k m with 3/4 <= m < 3/2, for finite x > 0. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vsignificand(vec x, vec *k) {
    const vec m = (vec)FZ_X86(getmant)((x86_vec)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    *k = (vec)(FZ_X86(getexp)((x86_vec)x) - FZ_X86(getexp)((x86_vec)m));
    return m;
}
#else
FZ_INLINE vec vsignificand(vec x, vec *k) {
    const mask subnormal = x < FZ_PER_T(FLT_MIN, DBL_MIN);
    vec bias = vsplat(EXPONENT_BIAS);
    if (vany(subnormal)) {
        x = vselect(subnormal, x * FZ_PER_T(0x1p23, 0x1p52), x);
        bias = vselect(subnormal, bias + FRACTION_BITS, bias);
    }
    const mask one = (mask)vsplat(1), above = (mask)x - (mask)vsplat((T)0.75);
    const mask exponent = vbits_down(above + one, FRACTION_BITS);
    const vec whole =
        vsplat(FZ_PER_T(0x1p23, 0x1p52)); /* a small whole number in its low bits is added to it */
    *k = ((vec)(exponent | (mask)whole) - whole) - bias;
    return (vec)((mask)x - (exponent << FRACTION_BITS) + one);
}
#endif

/* log_x but for those x whose logarithm needs no computing: -inf at 0, NaN below, +inf and NaN as they
   are. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vlog_special(vec x, vec log_x) {
    /* A digit says what becomes of a kind of x: from the right quiet and signalling NaN, 0, 1, -inf,
       +inf, negative, positive; 0 keeps log_x, 2 makes it x as a quiet NaN, 3 NaN, 4 -inf, 5 +inf. */
    const __m512i what = (__m512i)((mask){0} + 0x03530422);
    return (vec)FZ_X86(fixupimm)((x86_vec)log_x, (x86_vec)x, what, 0);
}
#else
FZ_INLINE vec vlog_special(vec x, vec log_x) {
    const mask usual = (x > 0) & (x < (T)INFINITY);
    if (!vany(~usual)) return log_x;
    const vec special = vselect(x == 0, vsplat(-(T)INFINITY), vselect(x < 0, vsplat((T)NAN), x));
    return vselect(usual, log_x, special);
}
#endif

#if defined(FZ_SIMD_avx512)
/* arccosh x but for those x - 1 at which it needs no computing: +inf at +inf, NaN below 0. */
FZ_INLINE vec varccosh_special(vec more, vec result) {
    const __m512i what = (__m512i)((mask){0} + 0x03530000); /* digits as in vlog_special */
    return (vec)FZ_X86(fixupimm)((x86_vec)result, (x86_vec)more, what, 0);
}
/* arctanh |x| but for those 1 - |x| at which it needs no computing: +inf at 0, NaN below. */
FZ_INLINE vec varctanh_special(vec less, vec result) {
    const __m512i what = (__m512i)((mask){0} + 0x03030500); /* digits as in vlog_special */
    return (vec)FZ_X86(fixupimm)((x86_vec)result, (x86_vec)less, what, 0);
}
#else
FZ_INLINE vec varccosh_special(vec more, vec result) {
    return vselect(more < 0, vsplat((T)NAN), vselect(more == (T)INFINITY, more, result));
}
#endif

/* Is any lane of x no finite number above 0, or y's so large that powers of x need no computing? AVX-512 tells kinds of
   numbers apart at once: all but subnormal ones, and those that are not finite. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE bool vany_special_power(vec x, vec y, vec largest) {
    (void)largest;
    return (FZ_X86_SET(fpclass)((x86_vec)x, 0xdf) | FZ_X86_SET(fpclass)((x86_vec)y, 0x99)) != 0;
}
#else
FZ_INLINE bool vany_special_power(vec x, vec y, vec largest) {
    return vany(~((x > 0) & (x < vsplat((T)INFINITY)) & (vabsolute(y) <= largest)));
}
#endif

/* Half a vector's lanes in double: what float32 computes so where half the lanes with twice the digits are fewer
   instructions. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
typedef double doubles __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef int64_t doubles_mask __attribute__((vector_size(FZ_VECTOR_BYTES)));
FZ_INLINE doubles dlower(vec x) { return (doubles)_mm512_cvtps_pd(_mm512_castps512_ps256((x86_vec)x)); }
FZ_INLINE doubles dupper(vec x) { return (doubles)_mm512_cvtps_pd(_mm512_extractf32x8_ps((x86_vec)x, 1)); }
FZ_INLINE vec djoin(doubles lower, doubles upper) {
    const __m256 a = _mm512_cvtpd_ps((__m512d)lower), b = _mm512_cvtpd_ps((__m512d)upper);
    return (vec)_mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1);
}
FZ_INLINE doubles dsplat(double value) { return value - (doubles){0}; }
FZ_INLINE doubles dfma(doubles a, doubles b, doubles c) {
    return (doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
FZ_INLINE doubles dlookup(const double table[16], doubles_mask j) {
    return (doubles)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)j, _mm512_loadu_pd(table + 8));
}
FZ_INLINE doubles dnearest_16th(doubles x) {
    return (doubles)_mm512_roundscale_pd((__m512d)x, 4 << 4 | _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
FZ_INLINE doubles dscale_floor(doubles x, doubles k) {
    return (doubles)_mm512_scalef_pd((__m512d)x, (__m512d)k);
}
/* As vsignificand. */
FZ_INLINE doubles dsignificand(doubles x, doubles *k) {
    const __m512d m = _mm512_getmant_pd((__m512d)x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src);
    *k = (doubles)(_mm512_getexp_pd((__m512d)x) - _mm512_getexp_pd(m));
    return (doubles)m;
}
#endif

#endif
