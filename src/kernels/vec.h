/* Vectors of T: this file and vec_integer.h are the only ones with vector_size or intrinsics.

   A kernel file is compiled once per instruction set and dtype. The build defines FZ_SIMD (and
   FZ_SIMD_<name>) and FZ_T (and FZ_T_<dtype>); this file turns them into the types T, vec and mask, the lane
   count W, and functions on them. Everything is static inline and compiles to one or two instructions. */
#ifndef FZ_VEC_H
#define FZ_VEC_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

#if defined(FZ_SIMD_avx512)
#define FZ_VECTOR_BYTES 64
#define FZ_VECTOR_REGISTERS 32
#include <immintrin.h>
#elif defined(FZ_SIMD_avx2)
#define FZ_VECTOR_BYTES 32
#define FZ_VECTOR_REGISTERS 16
#include <immintrin.h>
#elif defined(FZ_SIMD_sse2)
#define FZ_VECTOR_BYTES 16
#define FZ_VECTOR_REGISTERS 16
#include <emmintrin.h>
#elif defined(FZ_SIMD_neon)
#define FZ_VECTOR_BYTES 16
#define FZ_VECTOR_REGISTERS 32
#include <arm_neon.h>
#else
#define FZ_VECTOR_BYTES 16
#define FZ_VECTOR_REGISTERS 16
#endif

#if defined(FZ_T_float32)
#define FZ_T_IS_FLOAT
typedef float T;
typedef int32_t bits;
#define FZ_DTYPE FZ_FLOAT32
#elif defined(FZ_T_float64)
#define FZ_T_IS_FLOAT
typedef double T;
typedef int64_t bits;
#define FZ_DTYPE FZ_FLOAT64
#elif defined(FZ_T_boolean)
typedef uint8_t T;
typedef int8_t bits;
#define FZ_DTYPE FZ_BOOL
#elif defined(FZ_T_int8)
#define FZ_T_IS_INTEGER
typedef int8_t T;
typedef int8_t bits;
#define FZ_DTYPE FZ_INT8
#elif defined(FZ_T_int16)
#define FZ_T_IS_INTEGER
typedef int16_t T;
typedef int16_t bits;
#define FZ_DTYPE FZ_INT16
#elif defined(FZ_T_int32)
#define FZ_T_IS_INTEGER
typedef int32_t T;
typedef int32_t bits;
#define FZ_DTYPE FZ_INT32
#elif defined(FZ_T_int64)
#define FZ_T_IS_INTEGER
typedef int64_t T;
typedef int64_t bits;
#define FZ_DTYPE FZ_INT64
#elif defined(FZ_T_uint8)
#define FZ_T_IS_INTEGER
typedef uint8_t T;
typedef int8_t bits;
#define FZ_DTYPE FZ_UINT8
#elif defined(FZ_T_uint16)
#define FZ_T_IS_INTEGER
typedef uint16_t T;
typedef int16_t bits;
#define FZ_DTYPE FZ_UINT16
#elif defined(FZ_T_uint32)
#define FZ_T_IS_INTEGER
typedef uint32_t T;
typedef int32_t bits;
#define FZ_DTYPE FZ_UINT32
#elif defined(FZ_T_uint64)
#define FZ_T_IS_INTEGER
typedef uint64_t T;
typedef int64_t bits;
#define FZ_DTYPE FZ_UINT64
#elif defined(FZ_T_float16)
#define FZ_T_IS_STORED
typedef uint16_t T;
typedef int16_t bits;
#define FZ_DTYPE FZ_FLOAT16
#elif defined(FZ_T_bfloat16)
#define FZ_T_IS_STORED
typedef uint16_t T;
typedef int16_t bits;
#define FZ_DTYPE FZ_BFLOAT16
#endif

/* Matrices of the other dtypes are multiplied as these, and images are convolved. */
#if defined(FZ_T_IS_FLOAT) || defined(FZ_T_int32) || defined(FZ_T_int64)
#define FZ_T_IS_MULTIPLIED 1
#else
#define FZ_T_IS_MULTIPLIED 0
#endif

/* Bools and integers of the other dtypes are added up as these, or in 64 bits. */
#if defined(FZ_T_uint8) || defined(FZ_T_uint16) || defined(FZ_T_uint32)
#define FZ_T_IS_TOTALED 1
#else
#define FZ_T_IS_TOTALED 0
#endif

/* The dtypes whose kernels transpose matrices of their size. */
#if defined(FZ_T_IS_FLOAT) || defined(FZ_T_uint8) || defined(FZ_T_uint16)
#define FZ_T_IS_TRANSPOSED 1
#else
#define FZ_T_IS_TRANSPOSED 0
#endif

/* The dtypes whose kernels pool; int8's do for bool and uint8, too. With short vectors there is little to gain. */
#if FZ_VECTOR_BYTES > 16 && (defined(FZ_T_IS_FLOAT) || defined(FZ_T_int8))
#define FZ_T_IS_POOLED 1
#else
#define FZ_T_IS_POOLED 0
#endif

/* FZ_X86(sqrt) is the intrinsic for a vector of T, on x86_vec; FZ_X86_SET(cmp) one that gives a lane_set. */
#define FZ_INTRINSIC_(prefix, name, suffix) prefix##name##suffix
#define FZ_INTRINSIC(prefix, name, suffix) FZ_INTRINSIC_(prefix, name, suffix)
#if defined(FZ_SIMD_avx512)
#define FZ_X86_PREFIX _mm512_
#define FZ_X86_VECTOR __m512
#elif defined(FZ_SIMD_avx2)
#define FZ_X86_PREFIX _mm256_
#define FZ_X86_VECTOR __m256
#elif defined(FZ_SIMD_sse2)
#define FZ_X86_PREFIX _mm_
#define FZ_X86_VECTOR __m128
#endif
#if defined(FZ_X86_PREFIX) && defined(FZ_T_float32)
#define FZ_X86_FLOAT
#define FZ_X86(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, _ps)
#define FZ_X86_SET(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, _ps_mask)
typedef FZ_X86_VECTOR x86_vec;
#elif defined(FZ_X86_PREFIX) && defined(FZ_T_float64)
#define FZ_X86_FLOAT
#define FZ_X86(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, _pd)
#define FZ_X86_SET(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, _pd_mask)
typedef FZ_INTRINSIC(FZ_X86_VECTOR, d, ) x86_vec;
#endif

/* A kernel's symbol: fz__<name>_<instruction set>_<dtype>. */
#define FZ_JOIN_(name, simd, dtype) fz__##name##_##simd##_##dtype
#define FZ_JOIN(name, simd, dtype) FZ_JOIN_(name, simd, dtype)
#define FZ_KERNEL(name) FZ_JOIN(name, FZ_SIMD, FZ_T)
/* FZ_WHERE_<dtypes of a row>(code): the code where they have T, else nothing. */
#if defined(FZ_T_IS_FLOAT)
#define FZ_WHERE_FZ_FLOATS(...) __VA_ARGS__
#define FZ_WHERE_FZ_BITS(...)
#define FZ_WHERE_FZ_INTEGERS(...)
#else
#define FZ_WHERE_FZ_FLOATS(...)
#endif
#if defined(FZ_T_IS_INTEGER)
#define FZ_WHERE_FZ_INTEGERS(...) __VA_ARGS__
#define FZ_WHERE_FZ_BITS(...) __VA_ARGS__
#elif defined(FZ_T_boolean)
#define FZ_WHERE_FZ_INTEGERS(...)
#define FZ_WHERE_FZ_BITS(...) __VA_ARGS__
#elif defined(FZ_T_IS_STORED)
#define FZ_WHERE_FZ_INTEGERS(...)
#define FZ_WHERE_FZ_BITS(...)
#endif
#define FZ_WHERE_FZ_WIDE_FLOATS(...) FZ_WHERE_FZ_FLOATS(__VA_ARGS__)
#define FZ_WHERE_FZ_FULL_FLOATS(...) FZ_WHERE_FZ_FLOATS(__VA_ARGS__)
#define FZ_WHERE_FZ_NUMBERS(...) FZ_WHERE_FZ_FLOATS(__VA_ARGS__) FZ_WHERE_FZ_INTEGERS(__VA_ARGS__)
#define FZ_WHERE_FZ_ARITHMETIC(...) FZ_WHERE_FZ_NUMBERS(__VA_ARGS__)
#define FZ_WHERE_FZ_ANY(...) FZ_WHERE_FZ_FLOATS(__VA_ARGS__) FZ_WHERE_FZ_BITS(__VA_ARGS__)
#if defined(FZ_T_int64)
#define FZ_WHERE_FZ_WIDEST(...) __VA_ARGS__
#else
#define FZ_WHERE_FZ_WIDEST(...) FZ_WHERE_FZ_FLOATS(__VA_ARGS__)
#endif
#define FZ_INLINE static inline __attribute__((always_inline, unused))
/* One copy for all callers, whatever constants they pass. */
#if defined(__clang__)
#define FZ_SHARED static __attribute__((noinline))
#else
#define FZ_SHARED static __attribute__((noinline, noclone))
#endif

enum { W = FZ_VECTOR_BYTES / sizeof(T) };

typedef T vec __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef bits mask __attribute__((vector_size(FZ_VECTOR_BYTES))); /* lanes of 0 or -1 */
typedef vec lane_function(vec x, vec y);

/* ---- memory: unaligned, and free of aliasing rules ------------------------------------------------------ */

FZ_INLINE vec vload(const void *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* v, in a register: GCC would rather load a vector again for each of its uses, which costs twice where it lies across two
   lines. */
FZ_INLINE vec vkeep(vec v) {
#if defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
}

FZ_INLINE void vstore(void *p, vec v) { memcpy(p, &v, sizeof v); }

/* To an aligned p past the caches, which saves reading the lines that are overwritten; vfence() before
   other threads may read them. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE void vstream(void *p, vec v) { _mm512_stream_si512(p, (__m512i)v); }
FZ_INLINE void vfence(void) { _mm_sfence(); }
#elif defined(FZ_SIMD_avx2)
FZ_INLINE void vstream(void *p, vec v) { _mm256_stream_si256(p, (__m256i)v); }
FZ_INLINE void vfence(void) { _mm_sfence(); }
#elif defined(FZ_SIMD_sse2)
FZ_INLINE void vstream(void *p, vec v) { _mm_stream_si128(p, (__m128i)v); }
FZ_INLINE void vfence(void) { _mm_sfence(); }
#else
FZ_INLINE void vstream(void *p, vec v) { vstore(p, v); }
FZ_INLINE void vfence(void) {}
#endif

/* p, of which the compiler knows nothing: addresses are then made anew where they are used, and fill no registers from
   an earlier use on. */
FZ_INLINE char *vanew(char *p) {
    __asm__("" : "+r"(p));
    return p;
}

FZ_INLINE T load_one(const void *p) {
    T value;
    memcpy(&value, p, sizeof value);
    return value;
}

FZ_INLINE void store_one(void *p, T value) { memcpy(p, &value, sizeof value); }

FZ_INLINE vec vsplat(T value) { return value - (vec){0}; } /* x - 0 is x for every x, -0 included */

/* The first n < W lanes from memory (n = W: where FZ_CHEAP_PARTS, which says that a part costs no more than a whole),
   `fill` in the others; and back. */
#if defined(FZ_SIMD_avx512)
#define FZ_CHEAP_PARTS 1
#if defined(FZ_T_float32) || defined(FZ_T_int32) || defined(FZ_T_uint32)
#define FZ_X86_PART(name) _mm512_mask_##name##_epi32
typedef __mmask16 lane_set;
#elif defined(FZ_T_float64) || defined(FZ_T_int64) || defined(FZ_T_uint64)
#define FZ_X86_PART(name) _mm512_mask_##name##_epi64
typedef __mmask8 lane_set;
#elif defined(FZ_T_boolean) || defined(FZ_T_int8) || defined(FZ_T_uint8)
#define FZ_X86_PART(name) _mm512_mask_##name##_epi8
typedef __mmask64 lane_set;
#else
#define FZ_X86_PART(name) _mm512_mask_##name##_epi16
typedef __mmask32 lane_set;
#endif
FZ_INLINE lane_set first_lanes(size_t n) { return (lane_set)_bzhi_u64(~0ull, (unsigned)n); }
FZ_INLINE vec vload_part(const void *p, size_t n, T fill) {
    return (vec)FZ_X86_PART(loadu)((__m512i)vsplat(fill), first_lanes(n), p);
}
FZ_INLINE void vstore_part(void *p, vec v, size_t n) { FZ_X86_PART(storeu)(p, first_lanes(n), (__m512i)v); }
/* Lanes begin <= i < end, which may be any numbers; those from memory, `fill` in the others. */
FZ_INLINE lane_set lanes_up_to(ptrdiff_t end) { return first_lanes(end < 0 ? 0 : end > W ? W : (size_t)end); }
FZ_INLINE lane_set lanes_between(ptrdiff_t begin, ptrdiff_t end) {
    return (lane_set)(lanes_up_to(end) & ~lanes_up_to(begin));
}
FZ_INLINE vec vload_lanes(const void *p, lane_set lanes, T fill) {
    return (vec)FZ_X86_PART(loadu)((__m512i)vsplat(fill), lanes, p);
}
#else
#define FZ_CHEAP_PARTS 0
FZ_INLINE vec vload_part(const void *p, size_t n, T fill) {
    vec v = vsplat(fill);
    memcpy(&v, p, n * sizeof(T));
    return v;
}
FZ_INLINE void vstore_part(void *p, vec v, size_t n) { memcpy(p, &v, n * sizeof(T)); }
#endif

/* ---- lanes ---------------------------------------------------------------------------------------------- */

/* m ? a : b by bits; C has no ?: on vectors. */
FZ_INLINE vec vselect(mask m, vec a, vec b) { return (vec)((m & (mask)a) | (~m & (mask)b)); }

/* Lanes of a and b side by side: the first, third ... and the second, fourth ... ; a's last before b's; b's first
   behind a's. */
#if defined(FZ_T_IS_FLOAT) || defined(FZ_T_int8)
#define FZ_EACH_2(k, step) k, k + step
#define FZ_EACH_4(k, step) FZ_EACH_2(k, step), FZ_EACH_2(k + 2 * step, step)
#define FZ_EACH_8(k, step) FZ_EACH_4(k, step), FZ_EACH_4(k + 4 * step, step)
#define FZ_EACH_16(k, step) FZ_EACH_8(k, step), FZ_EACH_8(k + 8 * step, step)
#define FZ_EACH_32(k, step) FZ_EACH_16(k, step), FZ_EACH_16(k + 16 * step, step)
#define FZ_EACH_64(k, step) FZ_EACH_32(k, step), FZ_EACH_32(k + 32 * step, step)
#if defined(FZ_T_int8) && FZ_VECTOR_BYTES == 64
#define FZ_EACH FZ_EACH_64
#elif defined(FZ_T_int8) && FZ_VECTOR_BYTES == 32
#define FZ_EACH FZ_EACH_32
#elif defined(FZ_T_int8) || (defined(FZ_T_float32) && FZ_VECTOR_BYTES == 64)
#define FZ_EACH FZ_EACH_16
#elif (defined(FZ_T_float32) && FZ_VECTOR_BYTES == 32) || FZ_VECTOR_BYTES == 64
#define FZ_EACH FZ_EACH_8
#elif defined(FZ_T_float32) || FZ_VECTOR_BYTES == 32
#define FZ_EACH FZ_EACH_4
#else
#define FZ_EACH FZ_EACH_2
#endif
FZ_INLINE vec vevens(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_EACH(0, 2)); }
FZ_INLINE vec vodds(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_EACH(1, 2)); }
FZ_INLINE vec vshift_up(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_EACH(W - 1, 1)); }
FZ_INLINE vec vshift_down(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_EACH(1, 1)); }
#endif

/* Is any lane set, and which is the first that is? */
#if defined(FZ_SIMD_avx512)
FZ_INLINE bool vany(mask m) { return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0; }
FZ_INLINE size_t vfirst(mask m) {
    return (size_t)__builtin_ctzll(_mm512_movepi8_mask((__m512i)m)) / sizeof(T);
}
#elif defined(FZ_SIMD_avx2)
FZ_INLINE bool vany(mask m) { return _mm256_movemask_epi8((__m256i)m) != 0; }
FZ_INLINE size_t vfirst(mask m) {
    return (size_t)__builtin_ctz((unsigned)_mm256_movemask_epi8((__m256i)m)) / sizeof(T);
}
#elif defined(FZ_SIMD_sse2)
FZ_INLINE bool vany(mask m) { return _mm_movemask_epi8((__m128i)m) != 0; }
FZ_INLINE size_t vfirst(mask m) {
    return (size_t)__builtin_ctz((unsigned)_mm_movemask_epi8((__m128i)m)) / sizeof(T);
}
#else
FZ_INLINE size_t vfirst(mask m) {
    size_t lane = 0;
    while (!m[lane]) lane++;
    return lane;
}
FZ_INLINE bool vany(mask m) {
    bits any = 0;
    for (int lane = 0; lane < W; lane++) any |= m[lane];
    return any != 0;
}
#endif

/* Lanes that are not 0; NaN is not. */
FZ_INLINE mask vtrue(vec x) { return x != 0; }

#if defined(FZ_T_IS_FLOAT)

FZ_INLINE vec vadd(vec x, vec y) { return x + y; }
FZ_INLINE vec vmultiply(vec x, vec y) { return x * y; }

FZ_INLINE vec vreciprocal(vec x) { return 1 / x; }

FZ_INLINE vec vabsolute(vec x) {
    const mask sign = (mask)vsplat((T)-0.0);
    return (vec)((mask)x & ~sign);
}

#if defined(FZ_X86_FLOAT)
FZ_INLINE vec vsqrt(vec x) { return (vec)FZ_X86(sqrt)((x86_vec)x); }
#elif defined(FZ_SIMD_neon) && defined(FZ_T_float32)
FZ_INLINE vec vsqrt(vec x) { return (vec)vsqrtq_f32((float32x4_t)x); }
#elif defined(FZ_SIMD_neon)
FZ_INLINE vec vsqrt(vec x) { return (vec)vsqrtq_f64((float64x2_t)x); }
#else
FZ_INLINE vec vsqrt(vec x) {
    for (int lane = 0; lane < W; lane++)
        x[lane] = (T)sqrt((double)x[lane]); /* exact twice over: Figueroa 1995 */
    return x;
}
#endif

/* a * b + c: rounded once where FZ_HAS_FMA, else twice. */
#if defined(FZ_SIMD_avx512) || defined(FZ_SIMD_avx2)
#define FZ_HAS_FMA 1
FZ_INLINE vec vfma(vec a, vec b, vec c) { return (vec)FZ_X86(fmadd)((x86_vec)a, (x86_vec)b, (x86_vec)c); }
#elif defined(FZ_SIMD_neon) && defined(FZ_T_float32)
#define FZ_HAS_FMA 1
FZ_INLINE vec vfma(vec a, vec b, vec c) {
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#elif defined(FZ_SIMD_neon)
#define FZ_HAS_FMA 1
FZ_INLINE vec vfma(vec a, vec b, vec c) {
    return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
#define FZ_HAS_FMA 0
FZ_INLINE vec vfma(vec a, vec b, vec c) { return a * b + c; }
#endif

/* a * b + c rounded once, everywhere. */
FZ_INLINE vec vfma_exact(vec a, vec b, vec c) {
    if (FZ_HAS_FMA) return vfma(a, b, c);
    for (int lane = 0; lane < W; lane++)
        c[lane] = sizeof(T) == 4 ? fmaf(a[lane], b[lane], c[lane]) : (T)fma(a[lane], b[lane], c[lane]);
    return c;
}

FZ_INLINE vec vcopysign(vec x, vec sign) {
    const mask bit = (mask)vsplat((T)-0.0);
    return (vec)(((mask)x & ~bit) | ((mask)sign & bit));
}

/* Floats of one sign follow one another as their bits do. Beyond 0 lies the least of y's sign; where x equals y, which
   may be another zero, there is y. */
FZ_INLINE vec vnextafter(vec x, vec y) {
    const mask none = {0}, outward = ~((x < y) ^ (x > 0));
    const vec least = vcopysign((vec)(none + 1), y), next = (vec)((mask)x + (outward & 2) - 1);
    const vec number = vselect(x == y, y, vselect(x == 0, least, next));
    return vselect((x != x) | (y != y), x + y, number);
}

/* To a whole number: to the nearest (even on ties), down, up, towards zero. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vrint(vec x) { return (vec)FZ_X86(roundscale)((x86_vec)x, 8 | _MM_FROUND_TO_NEAREST_INT); }
FZ_INLINE vec vfloor(vec x) { return (vec)FZ_X86(roundscale)((x86_vec)x, 8 | _MM_FROUND_TO_NEG_INF); }
FZ_INLINE vec vceil(vec x) { return (vec)FZ_X86(roundscale)((x86_vec)x, 8 | _MM_FROUND_TO_POS_INF); }
FZ_INLINE vec vtrunc(vec x) { return (vec)FZ_X86(roundscale)((x86_vec)x, 8 | _MM_FROUND_TO_ZERO); }
#elif defined(FZ_SIMD_avx2)
FZ_INLINE vec vrint(vec x) { return (vec)FZ_X86(round)((x86_vec)x, 8 | _MM_FROUND_TO_NEAREST_INT); }
FZ_INLINE vec vfloor(vec x) { return (vec)FZ_X86(round)((x86_vec)x, 8 | _MM_FROUND_TO_NEG_INF); }
FZ_INLINE vec vceil(vec x) { return (vec)FZ_X86(round)((x86_vec)x, 8 | _MM_FROUND_TO_POS_INF); }
FZ_INLINE vec vtrunc(vec x) { return (vec)FZ_X86(round)((x86_vec)x, 8 | _MM_FROUND_TO_ZERO); }
#else
/* Adding and taking away 1/eps leaves a whole number; from there on there are no others, and NaN stays. */
FZ_INLINE vec vrint(vec x) {
    const vec whole = vsplat(sizeof(T) == 4 ? (T)0x1p23 : (T)0x1p52), size = vabsolute(x);
    const vec nearest = (size + whole) - whole;
    return vcopysign(vselect(size < whole, nearest, x), x);
}
FZ_INLINE vec vfloor(vec x) {
    const vec nearest = vrint(x);
    return vcopysign(vselect(nearest > x, nearest - 1, nearest), x);
}
FZ_INLINE vec vceil(vec x) {
    const vec nearest = vrint(x);
    return vcopysign(vselect(nearest < x, nearest + 1, nearest), x);
}
FZ_INLINE vec vtrunc(vec x) { return vcopysign(vfloor(vabsolute(x)), x); }
#endif

/* The larger and the smaller as NumPy has them: NaN where either is NaN (the first one's bits where both
   are). x86's max returns its second operand where the operands are equal or unordered; so does
   the expression, and GCC and Clang give one instruction for it or three for the blend. */
#if defined(FZ_X86_FLOAT)
FZ_INLINE vec vlarger(vec x, vec y) { return (vec)FZ_X86(max)((x86_vec)x, (x86_vec)y); }
FZ_INLINE vec vsmaller(vec x, vec y) { return (vec)FZ_X86(min)((x86_vec)x, (x86_vec)y); }
#else
FZ_INLINE vec vlarger(vec x, vec y) { return vselect(x > y, x, y); }
FZ_INLINE vec vsmaller(vec x, vec y) { return vselect(x < y, x, y); }
#endif

/* vlarger gives y where either is NaN: right if y is, wrong if only x is. Of the other two, which give the number
   where one is NaN, y's larger comes out where neither is, or y alone is the number. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec larger_where(lane_set set, vec x, vec y) {
    return (vec)FZ_X86(mask_max)((x86_vec)x, set, (x86_vec)x, (x86_vec)y);
}
FZ_INLINE vec smaller_where(lane_set set, vec x, vec y) {
    return (vec)FZ_X86(mask_min)((x86_vec)x, set, (x86_vec)x, (x86_vec)y);
}
FZ_INLINE lane_set numbers(vec x) { return FZ_X86_SET(cmp)((x86_vec)x, (x86_vec)x, _CMP_ORD_Q); }
FZ_INLINE vec vmaximum(vec x, vec y) { return larger_where(numbers(x), x, y); }
FZ_INLINE vec vminimum(vec x, vec y) { return smaller_where(numbers(x), x, y); }
FZ_INLINE vec vfmax(vec x, vec y) { return larger_where(numbers(y), x, y); }
FZ_INLINE vec vfmin(vec x, vec y) { return smaller_where(numbers(y), x, y); }
#else
FZ_INLINE vec vmaximum(vec x, vec y) { return vselect(x != x, x, vlarger(x, y)); }
FZ_INLINE vec vminimum(vec x, vec y) { return vselect(x != x, x, vsmaller(x, y)); }
FZ_INLINE vec vfmax(vec x, vec y) { return vselect(y != y, x, vlarger(x, y)); }
FZ_INLINE vec vfmin(vec x, vec y) { return vselect(y != y, x, vsmaller(x, y)); }
#endif

FZ_INLINE mask visnan(vec x) { return x != x; }
FZ_INLINE mask visinf(vec x) { return vabsolute(x) == vsplat((T)INFINITY); }
FZ_INLINE mask vsignbit(vec x) { return (mask)x < 0; }

/* -1, 0 (of either sign: 0) or 1; NaN stays. */
FZ_INLINE vec vsign(vec x) {
    const vec zero = vsplat(0);
    return vselect(x > 0, zero + 1, vselect(x < 0, zero - 1, vselect(x == 0, zero, x)));
}

/* Is any lane of x greater than y's? */
#if defined(FZ_SIMD_avx512)
FZ_INLINE bool vany_greater(vec x, vec y) { return FZ_X86_SET(cmp)((x86_vec)x, (x86_vec)y, _CMP_GT_OQ) != 0; }
#else
FZ_INLINE bool vany_greater(vec x, vec y) { return vany(x > y); }
#endif

/* 1 / x to a relative 2^-13 (float64: 2^-26) at least, where neither is subnormal. Vectors of 64 bytes divide at a
   tenth (a sixteenth) of the speed at which they multiply. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE vec vinverse_estimate(vec x) { return (vec)FZ_X86(rcp14)((x86_vec)x); }
#elif defined(FZ_SIMD_avx512)
FZ_INLINE vec vinverse_estimate(vec x) {
    const vec y = (vec)FZ_X86(rcp14)((x86_vec)x);
    return vfma(vfma(-x, y, vsplat(1)), y, y);
}
#else
FZ_INLINE vec vinverse_estimate(vec x) { return 1 / x; }
#endif

/* 1 / sqrt(x) to the same, and any number at 0. */
#if defined(FZ_SIMD_avx512)
FZ_INLINE vec vroot_inverse_estimate(vec x) {
    const __m512i zero_to_zero = (__m512i)((mask){0} + 0x800);
    const vec y = (vec)FZ_X86(fixupimm)(FZ_X86(rsqrt14)((x86_vec)x), (x86_vec)x, zero_to_zero, 0);
    return sizeof(T) == 4 ? y : vfma(vfma(-x * y, y, vsplat(1)), y * (T)0.5, y);
}
#else
FZ_INLINE vec vroot_inverse_estimate(vec x) {
    return vsqrt(x) / vlarger(vsplat(sizeof(T) == 4 ? (T)0x1p-120 : (T)0x1p-1000), x);
}
#endif

/* Twice as wide as vec: its lanes in double. For what float32 needs in double without FMA. */
#if defined(FZ_T_float32)
typedef double wide __attribute__((vector_size(2 * FZ_VECTOR_BYTES)));
typedef int64_t wide_mask __attribute__((vector_size(2 * FZ_VECTOR_BYTES)));
FZ_INLINE wide vwiden(vec x) { return __builtin_convertvector(x, wide); }
FZ_INLINE vec vnarrow(wide x) { return __builtin_convertvector(x, vec); }
FZ_INLINE mask vlow_bits(wide x) { return __builtin_convertvector((wide_mask)x, mask); }
#endif

/* ---- between lanes --------------------------------------------------------------------------------------- */

/* a0 b0 a1 b1 ... from the lower and from the upper halves of a and b; three of every four lanes together, and apart
   again. */
#if FZ_VECTOR_BYTES == 64 && defined(FZ_T_float32)
#define FZ_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FZ_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define FZ_THREES 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15
#define FZ_FOURS 0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11
#elif FZ_VECTOR_BYTES == 64 || (FZ_VECTOR_BYTES == 32 && defined(FZ_T_float32))
#define FZ_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define FZ_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define FZ_THREES 0, 1, 2, 4, 5, 6, 7, 7
#define FZ_FOURS 0, 1, 2, 2, 3, 4, 5, 5
#elif FZ_VECTOR_BYTES == 32 || defined(FZ_T_float32)
#define FZ_LOW 0, 4, 1, 5
#define FZ_HIGH 2, 6, 3, 7
#define FZ_THREES 0, 1, 2, 3
#define FZ_FOURS 0, 1, 2, 2
#else
#define FZ_LOW 0, 2
#define FZ_HIGH 1, 3
#endif
FZ_INLINE vec vinterleave_low(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_LOW); }
FZ_INLINE vec vinterleave_high(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_HIGH); }

/* Joins the lanes of `count` vectors (a power of two, at most W) as trees, each step the lower half of the lanes
   with the upper. Lane i is then vector i's result, repeated over the lanes i, i + count, ... A vector's result
   does not depend on the others. */
FZ_INLINE vec join_lanes(vec v[], int count, lane_function *lane) {
#pragma GCC unroll 4
    for (int lanes = W; lanes > 1; lanes /= 2) {
        count /= 2;
#pragma GCC unroll 16
        for (int i = 0; i < count; i++)
            v[i] = lane(vinterleave_low(v[i], v[i + count]), vinterleave_high(v[i], v[i + count]));
        if (count == 0) v[0] = lane(vinterleave_low(v[0], v[0]), vinterleave_high(v[0], v[0]));
    }
    return v[0];
}

/* Lanes moved up by `places`; the lowest come from fill. */
#if FZ_VECTOR_BYTES == 64 && defined(FZ_T_float32)
#define FZ_FROM(k)                                                                                    \
    k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, k + 7, k + 8, k + 9, k + 10, k + 11, k + 12, k + 13, \
        k + 14, k + 15
#elif FZ_VECTOR_BYTES == 64 || (FZ_VECTOR_BYTES == 32 && defined(FZ_T_float32))
#define FZ_FROM(k) k, k + 1, k + 2, k + 3, k + 4, k + 5, k + 6, k + 7
#elif FZ_VECTOR_BYTES == 32 || defined(FZ_T_float32)
#define FZ_FROM(k) k, k + 1, k + 2, k + 3
#else
#define FZ_FROM(k) k, k + 1
#endif
#define FZ_MOVED_UP(v, fill, places) __builtin_shufflevector(fill, v, FZ_FROM((W > places ? W - places : 0)))

/* Lane i becomes v[0] + ... + v[i]. Adding -0 changes nothing, not even -0. */
FZ_INLINE vec vprefix_sums(vec v) {
    const vec none = vsplat((T)-0.0);
    v = v + FZ_MOVED_UP(v, none, 1);
    if (W > 2) v = v + FZ_MOVED_UP(v, none, 2);
    if (W > 4) v = v + FZ_MOVED_UP(v, none, 4);
    if (W > 8) v = v + FZ_MOVED_UP(v, none, 8);
    return v;
}

typedef vec square_row;
enum { SIDE = W };
#define FZ_SQUARE_LOW FZ_LOW
#define FZ_SQUARE_HIGH FZ_HIGH
#if defined(FZ_THREES)
#define FZ_SQUARE_THREES FZ_THREES
#define FZ_SQUARE_FOURS FZ_FOURS
#endif
#include "vec_square.h"

#elif !defined(FZ_T_IS_STORED)
#include "vec_integer.h"
#endif
#endif
