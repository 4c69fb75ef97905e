/* Bits of lanes, and tables of 16 numbers: beside vec.h the place for vector_size and intrinsics. */
#ifndef FZ_VEC_LOOKUP_H
#define FZ_VEC_LOOKUP_H

#include "vec.h"

#if defined(FZ_T_float32)
typedef uint32_t unsigned_mask __attribute__((vector_size(FZ_VECTOR_BYTES)));
#else
typedef uint64_t unsigned_mask __attribute__((vector_size(FZ_VECTOR_BYTES)));
#endif

/* Bits moved down; zeros follow. (AVX2 and SSE2 cannot move the sign down in 64-bit lanes.) */
FZ_INLINE mask vbits_down(mask m, int places) { return (mask)((unsigned_mask)m >> places); }

/* table[index & 15] lane by lane. */
#if defined(FZ_SIMD_avx512) && defined(FZ_T_float32)
FZ_INLINE vec vlookup(const T table[16], mask index) {
    return (vec)_mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
}
#elif defined(FZ_SIMD_avx512)
FZ_INLINE vec vlookup(const T table[16], mask index) {
    return (vec)_mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)index, _mm512_loadu_pd(table + 8));
}
#elif defined(FZ_SIMD_avx2) && defined(FZ_T_float32)
FZ_INLINE vec vlookup(const T table[16], mask index) {
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), (__m256i)index);
    return (vec)_mm256_blendv_ps(low, high, (__m256)(index << 28));
}
#elif defined(FZ_SIMD_avx2)
FZ_INLINE vec vlookup(const T table[16], mask index) {
    return (vec)_mm256_i64gather_pd(table, (__m256i)(index & 15), 8);
}
#else
FZ_INLINE vec vlookup(const T table[16], mask index) {
    vec found;
    for (int lane = 0; lane < W; lane++) found[lane] = table[index[lane] & 15];
    return found;
}
#endif

#endif
