/* float16 and bfloat16 as bits, to float and back, rounded to nearest even. In plain arithmetic without
   branches, which compilers turn into vectors on every instruction set. */
#ifndef FZ_NARROW_FLOAT_H
#define FZ_NARROW_FLOAT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The exponent moves from bias 15 to 127. A subnormal half, read as if it had a leading one, is that one too
   large; infinities and NaN keep the highest exponent. 0 becomes -0 in between where the thread rounds down. */
static inline float float_from_half(uint16_t half) {
    const uint32_t size = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    const uint32_t normal = size + (112u << 23), special = size + (224u << 23);
    const uint32_t subnormal = bits_of_float(float_of_bits(size + (113u << 23)) - 0x1p-14f) & 0x7fffffff;
    return float_of_bits(sign | (size >= 31u << 23 ? special : size < 1u << 23 ? subnormal : normal));
}

/* The subnormal half nearest to a size below 2^-14: adding 1/2 leaves its mantissa in the lowest bits. Where the thread does
   not round to nearest, what the sum misses, which is exact, is more than half a step, or half of one of an odd one. */
static inline uint32_t subnormal_half(float size) {
    const float sum = size + 0.5f, missed = (size - (sum - 0.5f)) * 0x1p25f;
    const uint32_t near = bits_of_float(sum) - (126u << 23), odd = near & 1;
    return near + ((missed > 1) | ((missed == 1) & odd)) - ((missed < -1) | ((missed == -1) & odd));
}

/* Above half's subnormal numbers an integer addition rounds, and its carry is right up to infinity. Of a NaN's bits those
   stay that there is room for, or one, lest it be infinite. */
static inline uint16_t half_from_float(float value) {
    const uint32_t bits = bits_of_float(value), size = bits & 0x7fffffff;
    const uint32_t small = subnormal_half(float_of_bits(size));
    const uint32_t normal = (size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    const uint32_t nan = 0x7c00 | (size >> 13 & 0x3ff), large = nan | (size > 255u << 23 && nan == 0x7c00);
    const uint32_t half = size >= 255u << 23   ? large
                          : size >= 143u << 23 ? 0x7c00
                          : size < 113u << 23  ? small
                                               : normal;
    return (uint16_t)((bits >> 16 & 0x8000) | half);
}

/* Rounded to odd on the way (Boldo & Melquiond, 2008), so that the second rounding sees that the first was not
   exact. */
static inline uint16_t half_from_double(double value) {
    const float nearest = (float)value;
    uint32_t bits = bits_of_float(nearest);
    const uint32_t odd = (bits - (fabs((double)nearest) > fabs(value) ? 1 : 0)) | 1;
    bits = (double)nearest != value && value == value ? odd : bits;
    return half_from_float(float_of_bits(bits));
}

static inline float float_from_bfloat(uint16_t half) { return float_of_bits((uint32_t)half << 16); }

static inline uint16_t bfloat_from_float(float value) {
    const uint32_t bits = bits_of_float(value), nan = bits >> 16 | 0x40;
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 255u << 23 ? nan : rounded);
}

#endif
