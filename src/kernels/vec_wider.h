/* Lanes of integers in wider ones, which have instructions for what narrow ones lack: floats divide, and, with AVX2, words
   shift by counts of their own.

   The float quotient of integers x and y, cut off, is theirs: x / y lies at least 1 / y below the next whole number,
   which is 1 / (x + y) of it, and is off by 2^-23 of itself at most where x and y have 16 bits, whatever the rounding;
   in double by 2^-52 where they have 32. */
#ifndef FZ_VEC_WIDER_H
#define FZ_VEC_WIDER_H

#if defined(FZ_T_int8) || defined(FZ_T_uint8) || defined(FZ_T_int16) || defined(FZ_T_uint16)
#define FZ_HAS_WIDER
typedef int32_t wider_T;
typedef float quotient_T;
#elif defined(FZ_SIMD_avx512) && (defined(FZ_T_int32) || defined(FZ_T_uint32))
#define FZ_HAS_WIDER
typedef int64_t wider_T;
typedef double quotient_T;
#endif

#if defined(FZ_HAS_WIDER)
enum { WIDER_BITS = 8 * sizeof(wider_T), PARTS = WIDER_BITS / BITS };
typedef wider_T wider __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef typeof(_Generic((wider_T)0, int32_t: (uint32_t)0, default: (uint64_t)0)) unsigned_wider_T;
typedef unsigned_wider_T unsigned_wider __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef quotient_T quotients __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef wider wider_lane(wider x, wider y);

/* Of PARTS lanes that lie in one wider lane the k-th. */
FZ_INLINE wider vpart(vec v, int k) {
    const unsigned_wider top = (unsigned_wider)v << (WIDER_BITS - BITS * (k + 1));
    return IS_SIGNED ? (wider)top >> (WIDER_BITS - BITS) : (wider)(top >> (WIDER_BITS - BITS));
}

FZ_INLINE vec vmap_wider(vec x, vec y, wider_lane *lane) {
    unsigned_wider result = {0};
#pragma GCC unroll 4
    for (int k = 0; k < PARTS; k++) {
        const unsigned_wider part = (unsigned_wider)lane(vpart(x, k), vpart(y, k));
        result |= part << (WIDER_BITS - BITS) >> (WIDER_BITS - BITS * (k + 1));
    }
    return (vec)result;
}

FZ_INLINE wider wider_quotient(wider x, wider y) {
    return __builtin_convertvector(
        __builtin_convertvector(x, quotients) / __builtin_convertvector(y, quotients), wider);
}

/* x / y rounded to zero, where y is not 0. The least number by -1, which C leaves undefined, is itself. */
FZ_INLINE vec vquotient(vec x, vec y) { return vmap_wider(x, y, wider_quotient); }

#elif defined(FZ_SIMD_avx512)
typedef double quotients __attribute__((vector_size(FZ_VECTOR_BYTES)));

/* By the reciprocal in double, so much too small that its error of 2^-50, whatever the rounding, never gives too large
   a quotient: of the first product 2^16 are missing at most, of the second, which divides what is left, one. */
FZ_INLINE vec vquotient(vec x, vec y) {
    const unsigned_vec divisor = (unsigned_vec)vabsolute(y);
    const quotients scale = (1 - 0x1p-49) / __builtin_convertvector(divisor, quotients);
    unsigned_vec quotient = {0}, rest = (unsigned_vec)vabsolute(x);
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
        const quotients near = __builtin_convertvector(rest, quotients) * scale;
        const unsigned_vec whole = __builtin_convertvector(near, unsigned_vec);
        quotient += whole;
        rest -= whole * divisor;
    }
    quotient -= (unsigned_vec)(rest >= divisor);
    const unsigned_vec flips = (unsigned_vec)vnegative(x ^ y);
    return (vec)((quotient ^ flips) - flips);
}
#else
FZ_INLINE vec vquotient(vec x, vec y) {
    for (int lane = 0; lane < W; lane++) {
        const T a = x[lane], b = y[lane];
        x[lane] = IS_SIGNED && b == (T)-1 ? (T)(0 - (unsigned_T)a) : a / b;
    }
    return x;
}
#endif

/* By counts below BITS. */
#if defined(FZ_HAS_WIDER) && defined(FZ_SIMD_avx2)
FZ_INLINE wider wider_left(wider x, wider count) { return (wider)((unsigned_wider)x << count); }
FZ_INLINE wider wider_right(wider x, wider count) { return x >> count; }
FZ_INLINE vec vshifted_left(vec x, vec count) { return vmap_wider(x, count, wider_left); }
FZ_INLINE vec vshifted_right(vec x, vec count) { return vmap_wider(x, count, wider_right); }
#else
FZ_INLINE vec vshifted_left(vec x, vec count) { return (vec)((unsigned_vec)x << (unsigned_vec)count); }
FZ_INLINE vec vshifted_right(vec x, vec count) { return x >> count; }
#endif

#endif
