/* Reduction of angles to [-pi/4, pi/4] and a quadrant.

   Up to REDUCTION_BOUND after Cody and Waite ("Software Manual for the Elementary Functions", 1980), in three
   words; beyond it after Payne and Hanek ("Radian reduction for trigonometric functions", 1983). */
#ifndef FZ_MATH_REDUCTION_H
#define FZ_MATH_REDUCTION_H

#include "vec_math.h"

/* hi + lo is the angle less `quadrant` times pi/2, |hi| <= 0.8 (float64: 0.786), lo about half a unit of hi's
   last place or less; only the two lowest bits of quadrant count. */
typedef struct angle {
    vec hi, lo;
    mask quadrant;
} angle;

/* pi/2 is HALF_PI_1 + HALF_PI_2 + HALF_PI_3 to within 2^-76 (float32), 2^-163 (float64) or 2^-130 (float64
   without FMA: the first two words there are of 38 bits, so that their products with the quotient are exact). */
#if FZ_HAS_FMA || defined(FZ_T_float32)
#define HALF_PI_1 FZ_PER_T(0x1.921fb6p+0, 0x1.921fb54442d18p+0)
#define HALF_PI_2 FZ_PER_T(-0x1.777a5cp-25, 0x1.1a62633145c07p-54)
#define HALF_PI_3 FZ_PER_T(-0x1.ee59dap-50, -0x1.f1976b7ed8fbcp-110)
#define REDUCTION_BOUND FZ_PER_T(0x1p17, 0x1p30)
#else
#define HALF_PI_1 ((T)0x1.921fb5444p+0)
#define HALF_PI_2 ((T)0x1.68c234c4cp-39)
#define HALF_PI_3 ((T)0x1.98a2e03707345p-77)
#define REDUCTION_BOUND ((T)0x1p15)
#endif

/* The bits of 2/pi, after a word of zeros. */
static const uint64_t two_over_pi[] = {
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561,
    0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41,
    0x3991D639835339F4, 0x9C845F8BBDF9283B, 0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7,
    0x4F463F669E5FEA2D, 0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
};

typedef unsigned __int128 uint128;

/* 64 bits of two_over_pi from bit `position` on. */
FZ_INLINE uint64_t bits_from(int position) {
    const uint64_t *word = two_over_pi + position / 64;
    return (uint64_t)(((uint128)word[0] << 64 | word[1]) >> (64 - position % 64));
}

/* One angle beyond REDUCTION_BOUND, finite: m * 2^e with a whole m. Bits of 2/pi that make multiples of 4 of
   m * 2^e * 2/pi are left out; of the product with those that follow, two bits are the quadrant and the others, with a
   sign, the rest: no double comes nearer to a multiple of pi/2 than 2^-62, no float than 2^-30. */
#if defined(FZ_T_float32)
static inline uint64_t reduce_one(float x, T *hi, T *lo) {
    uint32_t pattern;
    memcpy(&pattern, &x, sizeof x);
    const uint64_t m = (pattern & 0x7fffff) | 0x800000;
    const int position = (int)(pattern >> 23 & 0xff) - 150 + 62;
    const uint64_t turns = m * bits_from(position) + (uint64_t)((uint128)m * bits_from(position + 64) >> 64);
    const double rest = (double)(int64_t)(turns << 2) * 0x1.921fb54442d18p-64;
    *hi = (T)rest;
    *lo = (T)(rest - (double)*hi);
    return (turns >> 62) + (turns >> 61 & 1);
}
#else
static inline double power_of_2(int exponent) {
    const uint64_t pattern = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &pattern, sizeof value);
    return value;
}

/* rest * 2^-128 right angles in radians, hi + lo; 2^64 <= rest <= 2^127. */
static inline void to_radians(uint128 rest, bool negative, T *hi, T *lo) {
    const int zeros = __builtin_clzll((uint64_t)(rest >> 64));
    rest <<= zeros;
    const uint64_t high = (uint64_t)(rest >> 64), low = (uint64_t)rest;
    /* The upper half of its product with pi/2 * 2^127. */
    const uint128 radians = (uint128)high * 0xC90FDAA22168C234 + ((uint128)high * 0xC4C6628B80DC1CD1 >> 64) +
                            ((uint128)low * 0xC90FDAA22168C234 >> 64);
    const double unit = power_of_2(-52 - zeros), signed_unit = negative ? -unit : unit;
    *hi = (double)(int64_t)((radians + ((uint128)1 << 74)) >> 75) * signed_unit;
    *lo = (double)(int64_t)(radians >> 11) * signed_unit * 0x1p-64; /* bits 11 to 74, the highest as a sign */
}

static inline uint64_t reduce_one(double x, T *hi, T *lo) {
    uint64_t pattern;
    memcpy(&pattern, &x, sizeof x);
    const uint64_t m = (pattern & 0xfffffffffffff) | 0x10000000000000;
    const int position = (int)(pattern >> 52) - 1075 + 62;
    const uint128 turns = ((uint128)(m * bits_from(position)) << 64) + (uint128)m * bits_from(position + 64) +
                          (uint64_t)((uint128)m * bits_from(position + 128) >> 64);
    const bool negative = turns >> 125 & 1;
    to_radians(negative ? -(turns << 2) : turns << 2, negative, hi, lo);
    return (uint64_t)(turns >> 126) + negative;
}
#endif

/* Lanes of size beyond REDUCTION_BOUND; the others stay as they are in fast. */
static __attribute__((noinline, cold, unused)) angle reduce_huge(vec size, angle fast, int ahead) {
    for (int lane = 0; lane < W; lane++) {
        if (!(size[lane] > REDUCTION_BOUND)) continue;
        T hi = NAN, lo = 0;
        const uint64_t quadrant = size[lane] < INFINITY ? reduce_one(size[lane], &hi, &lo) : 0;
        fast.hi[lane] = hi;
        fast.lo[lane] = lo;
        fast.quadrant[lane] = (bits)quadrant + ahead;
    }
    return fast;
}

/* Of sizes (not below 0), with `ahead` added to the quadrant. */
#if FZ_HAS_FMA || defined(FZ_T_float64)
FZ_INLINE angle reduce_small(vec size, int ahead) {
    const T whole = FZ_WHOLE + (T)ahead;
    const vec shifted = vfma(size, vsplat((T)M_2_PI), vsplat(whole)), n = whole - shifted;
    /* The first sum is exact, and so is lo, what rounding took from hi (Dekker, "A floating-point technique for
       extending the available precision", 1971): where n * HALF_PI_2 is larger than first, near multiples of
       pi/2, both are whole multiples of the last place of n * HALF_PI_2. */
    const vec first = vfma(n, vsplat(HALF_PI_1), size);
    const vec hi = first + n * HALF_PI_2;
    const vec lo = vfma(n, vsplat(HALF_PI_2), first - hi);
    return (angle){hi, vfma(n, vsplat(HALF_PI_3), lo), (mask)shifted};
}
#else
/* Without FMA float32 is reduced in double, in two words of pi/2 to 2^-85. */
FZ_INLINE angle reduce_small(vec size, int ahead) {
    const double whole = 0x1.8p52 + ahead;
    const wide x = vwiden(size), shifted = x * M_2_PI + whole, n = whole - shifted;
    const wide rest = x + n * 0x1.921fb54p+0 + n * 0x1.10b4611a62633p-30;
    const vec hi = vnarrow(rest);
    return (angle){hi, vnarrow(rest - vwiden(hi)), vlow_bits(shifted)};
}
#endif

FZ_INLINE angle reduce_angle(vec size, int ahead) {
    const angle a = reduce_small(size, ahead);
    return vany_greater(size, vsplat(REDUCTION_BOUND)) ? reduce_huge(size, a, ahead) : a;
}

#endif
