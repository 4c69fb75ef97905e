/* Vectors of T: the only file with vector_size or intrinsics.

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
typedef float T;
typedef int32_t bits;
#define FZ_DTYPE FZ_FLOAT32
#elif defined(FZ_T_float64)
typedef double T;
typedef int64_t bits;
#define FZ_DTYPE FZ_FLOAT64
#endif

/* FZ_X86(sqrt) is the intrinsic for a vector of T, on x86_vec. */
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
typedef FZ_X86_VECTOR x86_vec;
#elif defined(FZ_X86_PREFIX) && defined(FZ_T_float64)
#define FZ_X86_FLOAT
#define FZ_X86(name) FZ_INTRINSIC(FZ_X86_PREFIX, name, _pd)
typedef FZ_INTRINSIC(FZ_X86_VECTOR, d, ) x86_vec;
#endif

/* A kernel's symbol: fz__<name>_<instruction set>_<dtype>. */
#define FZ_JOIN_(name, simd, dtype) fz__##name##_##simd##_##dtype
#define FZ_JOIN(name, simd, dtype) FZ_JOIN_(name, simd, dtype)
#define FZ_KERNEL(name) FZ_JOIN(name, FZ_SIMD, FZ_T)
/* An entry of a kernel table: NULL where the row's mask lacks T. */
#define FZ_IF_DTYPE(dtypes, kernel) ((dtypes) >> FZ_DTYPE & 1 ? (kernel) : NULL)
#define FZ_INLINE static inline __attribute__((always_inline, unused))

enum { W = FZ_VECTOR_BYTES / sizeof(T) };

typedef T vec __attribute__((vector_size(FZ_VECTOR_BYTES)));
typedef bits mask __attribute__((vector_size(FZ_VECTOR_BYTES))); /* lanes of 0 or -1 */

/* ---- memory: unaligned, and free of aliasing rules ------------------------------------------------------ */

FZ_INLINE vec vload(const void *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

FZ_INLINE void vstore(void *p, vec v) { memcpy(p, &v, sizeof v); }

FZ_INLINE T load_one(const void *p) {
    T value;
    memcpy(&value, p, sizeof value);
    return value;
}

FZ_INLINE void store_one(void *p, T value) { memcpy(p, &value, sizeof value); }

FZ_INLINE vec vsplat(T value) { return value - (vec){0}; } /* x - 0 is x for every x, -0 included */

/* The first n < W lanes from memory, `fill` in the others; and back. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE vec vload_part(const void *p, size_t n, T fill) {
    return (vec)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)_bzhi_u32(0xffff, (unsigned)n), p);
}
FZ_INLINE void vstore_part(void *p, vec v, size_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)_bzhi_u32(0xffff, (unsigned)n), (__m512)v);
}
#elif defined(FZ_SIMD_avx512) && defined(FZ_T_float64)
FZ_INLINE vec vload_part(const void *p, size_t n, T fill) {
    return (vec)_mm512_mask_loadu_pd(_mm512_set1_pd(fill), (__mmask8)_bzhi_u32(0xff, (unsigned)n), p);
}
FZ_INLINE void vstore_part(void *p, vec v, size_t n) {
    _mm512_mask_storeu_pd(p, (__mmask8)_bzhi_u32(0xff, (unsigned)n), (__m512d)v);
}
#else
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

FZ_INLINE vec vcopysign(vec x, vec sign) {
    const mask bit = (mask)vsplat((T)-0.0);
    return (vec)(((mask)x & ~bit) | ((mask)sign & bit));
}

/* Is any lane set? */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE bool vany(mask m) { return _mm512_movepi32_mask((__m512i)m) != 0; }
#elif defined(FZ_SIMD_avx512)
FZ_INLINE bool vany(mask m) { return _mm512_movepi64_mask((__m512i)m) != 0; }
#elif defined(FZ_SIMD_avx2)
FZ_INLINE bool vany(mask m) { return _mm256_movemask_epi8((__m256i)m) != 0; }
#elif defined(FZ_SIMD_sse2)
FZ_INLINE bool vany(mask m) { return _mm_movemask_epi8((__m128i)m) != 0; }
#else
FZ_INLINE bool vany(mask m) {
    bits any = 0;
    for (int lane = 0; lane < W; lane++) any |= m[lane];
    return any != 0;
}
#endif

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

/* vlarger gives y where either is NaN: right if y is, wrong if only x is. */
FZ_INLINE vec vmaximum(vec x, vec y) { return vselect(x != x, x, vlarger(x, y)); }
FZ_INLINE vec vminimum(vec x, vec y) { return vselect(x != x, x, vsmaller(x, y)); }

/* The number where one is NaN; y's larger comes out where neither is, or y alone is the number. */
FZ_INLINE vec vfmax(vec x, vec y) { return vselect(y != y, x, vlarger(x, y)); }
FZ_INLINE vec vfmin(vec x, vec y) { return vselect(y != y, x, vsmaller(x, y)); }

/* ---- between lanes --------------------------------------------------------------------------------------- */

/* a0 b0 a1 b1 ... from the lower and from the upper halves of a and b. */
#if FZ_VECTOR_BYTES == 64 && defined(FZ_T_float32)
#define FZ_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define FZ_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif FZ_VECTOR_BYTES == 64 || (FZ_VECTOR_BYTES == 32 && defined(FZ_T_float32))
#define FZ_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define FZ_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif FZ_VECTOR_BYTES == 32 || defined(FZ_T_float32)
#define FZ_LOW 0, 4, 1, 5
#define FZ_HIGH 2, 6, 3, 7
#else
#define FZ_LOW 0, 2
#define FZ_HIGH 1, 3
#endif
FZ_INLINE vec vinterleave_low(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_LOW); }
FZ_INLINE vec vinterleave_high(vec a, vec b) { return __builtin_shufflevector(a, b, FZ_HIGH); }

/* Transposes `count` rows (a power of two, at most W) of W lanes: lane j of row i goes to place
   j * count + i of the row-major result. log2(count) times, row i and row i + count/2 interleave into rows
   2i and 2i + 1: each step rotates the bits of an element's index by one. */
FZ_INLINE void vtranspose(vec rows[], int count) {
    for (int step = 1; step < count; step *= 2) {
        vec next[W];
        for (int i = 0; i < count / 2; i++) {
            next[2 * i] = vinterleave_low(rows[i], rows[i + count / 2]);
            next[2 * i + 1] = vinterleave_high(rows[i], rows[i + count / 2]);
        }
        for (int i = 0; i < count; i++) rows[i] = next[i];
    }
}

#endif
