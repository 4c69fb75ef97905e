/* Lanes of integers and bools. The build makes signed integers wrap. */
#ifndef FZ_VEC_INTEGER_H
#define FZ_VEC_INTEGER_H

typedef uint64_t words __attribute__((vector_size(FZ_VECTOR_BYTES)));

/* FZ_X86_WHOLE(max) is the intrinsic for a vector of T, on x86_whole, where x86 has it. */
#if defined(FZ_T_int8)
#define FZ_X86_SUFFIX _epi8
#elif defined(FZ_T_int16)
#define FZ_X86_SUFFIX _epi16
#elif defined(FZ_T_int32)
#define FZ_X86_SUFFIX _epi32
#elif defined(FZ_T_int64)
#define FZ_X86_SUFFIX _epi64
#elif defined(FZ_T_uint16)
#define FZ_X86_SUFFIX _epu16
#elif defined(FZ_T_uint32)
#define FZ_X86_SUFFIX _epu32
#elif defined(FZ_T_uint64)
#define FZ_X86_SUFFIX _epu64
#else
#define FZ_X86_SUFFIX _epu8
#endif
#define FZ_X86_WHOLE(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, FZ_X86_SUFFIX)
#if defined(FZ_SIMD_avx512)
typedef __m512i x86_whole;
#elif defined(FZ_SIMD_avx2) && !defined(FZ_T_int64) && !defined(FZ_T_uint64)
typedef __m256i x86_whole;
#else
#undef FZ_X86_WHOLE
#endif

#if defined(FZ_X86_WHOLE)
FZ_INLINE vec vmaximum(vec x, vec y) { return (vec)FZ_X86_WHOLE(max)((x86_whole)x, (x86_whole)y); }
FZ_INLINE vec vminimum(vec x, vec y) { return (vec)FZ_X86_WHOLE(min)((x86_whole)x, (x86_whole)y); }
#else
FZ_INLINE vec vmaximum(vec x, vec y) { return vselect(x > y, x, y); }
FZ_INLINE vec vminimum(vec x, vec y) { return vselect(x < y, x, y); }
#endif
FZ_INLINE vec vfmax(vec x, vec y) { return vmaximum(x, y); }
FZ_INLINE vec vfmin(vec x, vec y) { return vminimum(x, y); }

/* The lanes that make up each word, added up; of unsigned lanes of at most 32 bits. */
FZ_INLINE words vadd_in_words(vec v) {
#if defined(FZ_SIMD_avx512)
    if (sizeof(T) == 1) return (words)_mm512_sad_epu8((__m512i)v, (__m512i){0});
#elif defined(FZ_SIMD_avx2)
    if (sizeof(T) == 1) return (words)_mm256_sad_epu8((__m256i)v, (__m256i){0});
#elif defined(FZ_SIMD_sse2)
    if (sizeof(T) == 1) return (words)_mm_sad_epu8((__m128i)v, (__m128i){0});
#endif
    const words bytes = (words){0} + 0x00ff00ff00ff00ff, shorts = (words){0} + 0x0000ffff0000ffff;
    words w = (words)v;
    if (sizeof(T) == 1) w = (w & bytes) + (w >> 8 & bytes);
    if (sizeof(T) <= 2) w = (w & shorts) + (w >> 16 & shorts);
    return (w & 0xffffffff) + (w >> 32);
}

/* Lanes moved down by a power of two of bytes, half a vector at most; what the highest become does not count. */
FZ_INLINE vec vmove_down(vec v, size_t bytes) {
    const words w = (words)v;
#if FZ_VECTOR_BYTES == 64
    if (bytes == 32) return (vec)__builtin_shufflevector(w, w, 4, 5, 6, 7, 4, 5, 6, 7);
    if (bytes == 16) return (vec)__builtin_shufflevector(w, w, 2, 3, 2, 3, 6, 7, 6, 7);
    if (bytes == 8) return (vec)__builtin_shufflevector(w, w, 1, 1, 3, 3, 5, 5, 7, 7);
#elif FZ_VECTOR_BYTES == 32
    if (bytes == 16) return (vec)__builtin_shufflevector(w, w, 2, 3, 2, 3);
    if (bytes == 8) return (vec)__builtin_shufflevector(w, w, 1, 1, 3, 3);
#else
    if (bytes == 8) return (vec)__builtin_shufflevector(w, w, 1, 1);
#endif
    return (vec)(w >> 8 * bytes);
}

/* Of one vector (count is 1), whose upper half joins the lower, time and again. */
FZ_INLINE vec join_lanes(vec v[], int count, lane_function *lane) {
    (void)count;
#pragma GCC unroll 6
    for (size_t half = sizeof(vec) / 2; half >= sizeof(T); half /= 2)
        v[0] = lane(v[0], vmove_down(v[0], half));
    return v[0];
}

FZ_INLINE vec vfloor(vec x) { return x; }
FZ_INLINE vec vceil(vec x) { return x; }
FZ_INLINE vec vtrunc(vec x) { return x; }

FZ_INLINE mask visnan(vec x) { return (mask)(x ^ x); }
FZ_INLINE mask visinf(vec x) { return (mask)(x ^ x); }

#if defined(FZ_T_boolean)

/* Of bytes that may be any but 0, not only 1, where they are true. */
FZ_INLINE vec vadd(vec x, vec y) { return x | y; }
FZ_INLINE vec vmultiply(vec x, vec y) { return vminimum(x, y); }
FZ_INLINE vec vabsolute(vec x) { return x; }
FZ_INLINE vec vinvert(vec x) { return x ^ 1; }

#else

typedef typeof(_Generic((T)0,
                   int8_t: (uint8_t)0,
                   int16_t: (uint16_t)0,
                   int32_t: (uint32_t)0,
                   int64_t: (uint64_t)0,
                   default: (T)0)) unsigned_T;
typedef unsigned_T unsigned_vec __attribute__((vector_size(FZ_VECTOR_BYTES)));
enum { BITS = 8 * sizeof(T), IS_SIGNED = (T)-1 < (T)1 };

FZ_INLINE vec vadd(vec x, vec y) { return x + y; }
FZ_INLINE vec vmultiply(vec x, vec y) { return x * y; }
FZ_INLINE vec vinvert(vec x) { return ~x; }
FZ_INLINE mask vnegative(vec x) { return IS_SIGNED ? (mask)x < 0 : (mask)(x ^ x); }
FZ_INLINE vec vabsolute(vec x) { return IS_SIGNED ? vmaximum(x, -x) : x; }
FZ_INLINE vec vsign(vec x) { return (vec)vnegative(x) - (vec)(~vnegative(x) & (x != 0)); }

/* Of 0: what x86 makes of infinity, as NumPy there: the least of signed integers of 32 bits and more, else 0. */
FZ_INLINE vec vreciprocal(vec x) {
    const vec zero = vsplat(0),
              least = vsplat(IS_SIGNED && BITS >= 32 ? (T)((unsigned_T)1 << (BITS - 1)) : 0);
    const vec whole = IS_SIGNED ? vselect(x == (T)-1, x, zero) : zero;
    return vselect(x == 1, x, vselect(x == 0, least, whole));
}

#include "vec_wider.h"

/* Past the width every bit is gone, or the sign is all that is left; a negative count is past it. */
FZ_INLINE vec vshift_left(vec x, vec count) {
    const mask within = (mask)((unsigned_vec)count < BITS);
    return vselect(within, vshifted_left(x, (vec)(within & (mask)count)), vsplat(0));
}

FZ_INLINE vec vshift_right(vec x, vec count) {
    const mask within = (mask)((unsigned_vec)count < BITS);
    return vselect(within, vshifted_right(x, (vec)(within & (mask)count)), (vec)vnegative(x));
}

/* Rounded to zero. Division by zero gives 0, and a rest of 0. */
FZ_INLINE vec vdivide_whole(vec x, vec y, vec *rest) {
    const mask by_0 = y == 0;
    const vec quotient = vquotient(x, vselect(by_0, vsplat(1), y));
    *rest = (vec)((mask)(x - quotient * y) & ~by_0);
    return (vec)((mask)quotient & ~by_0);
}

FZ_INLINE vec vfmod(vec x, vec y) {
    vec rest;
    vdivide_whole(x, y, &rest);
    return rest;
}

/* Rounded down, where C's division rounds towards zero; the rest has y's sign. */
FZ_INLINE vec vremainder(vec x, vec y) {
    const vec rest = vfmod(x, y);
    return vselect((rest != 0) & vnegative(rest ^ y), rest + y, rest);
}

FZ_INLINE vec vfloor_divide(vec x, vec y) {
    vec rest;
    const vec quotient = vdivide_whole(x, y, &rest);
    return quotient + (vec)((rest != 0) & vnegative(rest ^ y));
}

/* By squaring: a step per bit of the largest exponent. Exponents below 0 have been refused. */
FZ_INLINE vec vpower(vec x, vec y) {
    const vec zero = vsplat(0);
    vec result = zero + 1;
    for (unsigned_vec left = (unsigned_vec)y; vany((mask)(left != 0)); left >>= 1, x *= x)
        result = vselect((mask)((left & 1) != 0), result * x, result);
    return result;
}

/* In one stage. */
typedef vec halfway;
FZ_INLINE void vpower_begin(vec x, vec y, halfway *half) { *half = vpower(x, y); }
FZ_INLINE vec vpower_end(vec x, vec y, const halfway *half) { return (void)x, (void)y, *half; }

#endif

/* ---- between lanes: squares of narrow integers, in vectors of 16 bytes ---------------------------------------- */

#if FZ_T_IS_TRANSPOSED
typedef T square_row __attribute__((vector_size(16)));
enum { SIDE = 16 / sizeof(T) };
#if defined(FZ_T_uint8)
#define FZ_SQUARE_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FZ_SQUARE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#if !defined(FZ_SIMD_sse2) /* which moves no single bytes */
#define FZ_SQUARE_THREES 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15
#define FZ_SQUARE_FOURS 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11
#endif
#else
#define FZ_SQUARE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define FZ_SQUARE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#if !defined(FZ_SIMD_sse2)
#define FZ_SQUARE_THREES 0, 1, 2, 4, 5, 6, 7, 7
#define FZ_SQUARE_FOURS 0, 1, 2, 2, 3, 4, 5, 5
#endif
#endif
#include "vec_square.h"
#endif

#endif
