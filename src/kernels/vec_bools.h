/* Bools in memory, bytes of 0 and 1, and masks of T. */
#ifndef FZ_VEC_BOOLS_H
#define FZ_VEC_BOOLS_H

#include "vec.h"

/* Bools are bytes of 0 and 1: W of them from memory as a mask, the first n < W of them; and back. */
typedef uint8_t bools __attribute__((vector_size(W)));
typedef int8_t bools_mask __attribute__((vector_size(W)));

FZ_INLINE mask vload_mask(const void *p) {
    bools v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector((bools_mask)(v != 0), mask);
}

#if defined(FZ_SIMD_avx512)
/* A bit for each lane. */
FZ_INLINE uint64_t vbits(mask m) {
    const __m512i v = (__m512i)m;
    return sizeof(T) == 8   ? _mm512_movepi64_mask(v)
           : sizeof(T) == 4 ? _mm512_movepi32_mask(v)
           : sizeof(T) == 2 ? _mm512_movepi16_mask(v)
                            : _mm512_movepi8_mask(v);
}
FZ_INLINE mask vmask(uint64_t lanes) {
    return (mask)(sizeof(T) == 8   ? _mm512_movm_epi64((__mmask8)lanes)
                  : sizeof(T) == 4 ? _mm512_movm_epi32((__mmask16)lanes)
                  : sizeof(T) == 2 ? _mm512_movm_epi16((__mmask32)lanes)
                                   : _mm512_movm_epi8(lanes));
}

/* Through vectors that are not longer than they need be: those that cross cache lines cost more. */
FZ_INLINE mask vload_mask_part(const void *p, size_t n) {
    const uint64_t some = _bzhi_u64(~0ull, (unsigned)n);
    if (sizeof(T) == 1) {
        const __m512i v = _mm512_maskz_loadu_epi8(some, p);
        return vmask(_mm512_test_epi8_mask(v, v));
    }
    if (sizeof(T) == 2) {
        const __m256i v = _mm256_maskz_loadu_epi8((__mmask32)some, p);
        return vmask(_mm256_test_epi8_mask(v, v));
    }
    const __m128i v = _mm_maskz_loadu_epi8((__mmask16)some, p);
    return vmask(_mm_test_epi8_mask(v, v));
}
FZ_INLINE void vstore_mask_part(void *p, mask m, size_t n) {
    const uint64_t some = _bzhi_u64(~0ull, (unsigned)n), lanes = vbits(m);
    if (sizeof(T) == 1)
        _mm512_mask_storeu_epi8(p, some, _mm512_maskz_set1_epi8(lanes, 1));
    else if (sizeof(T) == 2)
        _mm256_mask_storeu_epi8(p, (__mmask32)some, _mm256_maskz_set1_epi8((__mmask32)lanes, 1));
    else
        _mm_mask_storeu_epi8(p, (__mmask16)some, _mm_maskz_set1_epi8((__mmask16)lanes, 1));
}
#else
FZ_INLINE mask vload_mask_part(const void *p, size_t n) {
    bools v = {0};
    memcpy(&v, p, n);
    return __builtin_convertvector((bools_mask)(v != 0), mask);
}
#endif

#if defined(FZ_SIMD_avx512) && (defined(FZ_T_float32) || defined(FZ_T_int32) || defined(FZ_T_uint32))
FZ_INLINE bools vbools(mask m) { return (bools)_mm_maskz_set1_epi8(_mm512_movepi32_mask((__m512i)m), 1); }
#else
FZ_INLINE bools vbools(mask m) { return (bools)(__builtin_convertvector(m, bools_mask) & 1); }
#endif

FZ_INLINE void vstore_mask(void *p, mask m) {
    const bools v = vbools(m);
    memcpy(p, &v, sizeof v);
}

#if !defined(FZ_SIMD_avx512)
FZ_INLINE void vstore_mask_part(void *p, mask m, size_t n) {
    const bools v = vbools(m);
    memcpy(p, &v, n);
}
#endif

/* One bool for all lanes, as they lie in memory. */
FZ_INLINE vec vsplat_bool(const void *p) {
    typedef uint8_t bytes __attribute__((vector_size(sizeof(vec))));
    return (vec)(*(const uint8_t *)p - (bytes){0});
}

/* Four masks to 4 * W bools: joined, so that they are stored in whole vectors. */
#if defined(FZ_SIMD_avx512)
/* Packing works on quarters of 16 bytes, whose parts a permutation puts in order. */
FZ_INLINE void vstore_masks(void *p, const mask m[4]) {
    const __m512i a = (__m512i)m[0], b = (__m512i)m[1], c = (__m512i)m[2], d = (__m512i)m[3];
    const __m512i one = _mm512_set1_epi8(1);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    char *z = p;
    if (sizeof(T) == 8) {
        const __m512i low = (__m512i)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x88);
        const __m512i high = (__m512i)_mm512_shuffle_ps((__m512)c, (__m512)d, 0x88);
        const __m512i shorts = _mm512_permutexvar_epi32(order, _mm512_packs_epi32(low, high));
        _mm256_storeu_si256(p, _mm256_and_si256(_mm512_cvtepi16_epi8(shorts), _mm256_set1_epi8(1)));
    } else if (sizeof(T) == 4) {
        const __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
        _mm512_storeu_si512(p, _mm512_and_si512(_mm512_permutexvar_epi32(order, bytes), one));
    } else if (sizeof(T) == 2) {
        const __mmask64 low = _mm512_kunpackd(_mm512_movepi16_mask(b), _mm512_movepi16_mask(a));
        const __mmask64 high = _mm512_kunpackd(_mm512_movepi16_mask(d), _mm512_movepi16_mask(c));
        _mm512_storeu_si512(z, _mm512_maskz_mov_epi8(low, one));
        _mm512_storeu_si512(z + 64, _mm512_maskz_mov_epi8(high, one));
    } else {
        _Pragma("GCC unroll 4") for (int u = 0; u < 4; u++) vstore_mask(z + u * W, m[u]);
    }
}
#elif defined(FZ_SIMD_avx2)
/* Packing works on halves of 16 bytes, whose parts a permutation puts in order. */
FZ_INLINE void vstore_masks(void *p, const mask m[4]) {
    const __m256i a = (__m256i)m[0], b = (__m256i)m[1], c = (__m256i)m[2], d = (__m256i)m[3];
    const __m256i one = _mm256_set1_epi8(1);
    char *z = p;
    if (sizeof(T) == 8) {
        const __m256i low = (__m256i)_mm256_shuffle_ps((__m256)a, (__m256)b, 0x88);
        const __m256i high = (__m256i)_mm256_shuffle_ps((__m256)c, (__m256)d, 0x88);
        const __m256i shorts = _mm256_packs_epi32(low, high), bytes = _mm256_packs_epi16(shorts, shorts);
        const __m128i whole =
            _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
        _mm_storeu_si128(p, _mm_and_si128(whole, _mm256_castsi256_si128(one)));
    } else if (sizeof(T) == 4) {
        const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        _mm256_storeu_si256(p, _mm256_and_si256(_mm256_permutevar8x32_epi32(bytes, order), one));
    } else if (sizeof(T) == 2) {
        const __m256i low = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xd8);
        const __m256i high = _mm256_permute4x64_epi64(_mm256_packs_epi16(c, d), 0xd8);
        _mm256_storeu_si256(p, _mm256_and_si256(low, one));
        _mm256_storeu_si256((__m256i *)(z + 32), _mm256_and_si256(high, one));
    } else {
        _Pragma("GCC unroll 4") for (int u = 0; u < 4; u++) vstore_mask(z + u * W, m[u]);
    }
}
#elif defined(FZ_SIMD_sse2)
FZ_INLINE void vstore_masks(void *p, const mask m[4]) {
    const __m128i a = (__m128i)m[0], b = (__m128i)m[1], c = (__m128i)m[2], d = (__m128i)m[3];
    const __m128i one = _mm_set1_epi8(1);
    char *z = p;
    if (sizeof(T) == 8) {
        const __m128i low = (__m128i)_mm_shuffle_ps((__m128)a, (__m128)b, 0x88);
        const __m128i high = (__m128i)_mm_shuffle_ps((__m128)c, (__m128)d, 0x88);
        const __m128i shorts = _mm_packs_epi32(low, high);
        _mm_storel_epi64(p, _mm_and_si128(_mm_packs_epi16(shorts, shorts), one));
    } else if (sizeof(T) == 4) {
        const __m128i bytes = _mm_packs_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
        _mm_storeu_si128(p, _mm_and_si128(bytes, one));
    } else if (sizeof(T) == 2) {
        _mm_storeu_si128(p, _mm_and_si128(_mm_packs_epi16(a, b), one));
        _mm_storeu_si128((__m128i *)(z + 16), _mm_and_si128(_mm_packs_epi16(c, d), one));
    } else {
        _Pragma("GCC unroll 4") for (int u = 0; u < 4; u++) vstore_mask(z + u * W, m[u]);
    }
}
#else
FZ_INLINE void vstore_masks(void *p, const mask m[4]) {
    for (int u = 0; u < 4; u++) vstore_mask((char *)p + u * W, m[u]);
}
#endif

#endif
