/* float16 to float32 and back by the instructions there are for it: with vec.h and vec_integer.h the only place for
   intrinsics. Where FZ_HAS_HALF is not defined there are none, and narrow_float.h does it. */
#ifndef FZ_VEC_HALF_H
#define FZ_VEC_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define FZ_HAS_HALF
#include <immintrin.h>
enum { HALF_LANES = 16 };
typedef __m256i half_lanes;
typedef __m512 float_lanes;
static inline float_lanes widen_halves(half_lanes x) { return _mm512_cvtph_ps(x); }
static inline half_lanes narrow_floats(float_lanes x) {
    return _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}
static inline void stream_halves(void *p, half_lanes x) { _mm256_stream_si256(p, x); }
typedef __mmask16 found_lanes; /* where x or y is NaN */
static inline found_lanes find_nan(float_lanes x, float_lanes y) {
    return _mm512_cmp_ps_mask(x, y, _CMP_UNORD_Q);
}
static inline bool is_found(found_lanes lanes) { return lanes != 0; }
#elif defined(__F16C__)
#define FZ_HAS_HALF
#include <immintrin.h>
enum { HALF_LANES = 8 };
typedef __m128i half_lanes;
typedef __m256 float_lanes;
static inline float_lanes widen_halves(half_lanes x) { return _mm256_cvtph_ps(x); }
static inline half_lanes narrow_floats(float_lanes x) {
    return _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT);
}
static inline void stream_halves(void *p, half_lanes x) { _mm_stream_si128(p, x); }
typedef __m256i found_lanes;
static inline found_lanes find_nan(float_lanes x, float_lanes y) {
    return (found_lanes)_mm256_cmp_ps(x, y, _CMP_UNORD_Q);
}
static inline bool is_found(found_lanes lanes) { return _mm256_movemask_epi8(lanes) != 0; }
#elif defined(__aarch64__)
#define FZ_HAS_HALF
#include <arm_neon.h>
enum { HALF_LANES = 4 };
typedef float16x4_t half_lanes;
typedef float32x4_t float_lanes;
static inline float_lanes widen_halves(half_lanes x) { return vcvt_f32_f16(x); }
static inline half_lanes narrow_floats(float_lanes x) { return vcvt_f16_f32(x); }
static inline void stream_halves(void *p, half_lanes x) { memcpy(p, &x, sizeof x); }
typedef uint32x4_t found_lanes;
static inline found_lanes find_nan(float_lanes x, float_lanes y) {
    return vmvnq_u32(vandq_u32(vceqq_f32(x, x), vceqq_f32(y, y)));
}
static inline bool is_found(found_lanes lanes) { return vmaxvq_u32(lanes) != 0; }
#endif

#if defined(FZ_HAS_HALF)

/* The first n lanes from memory, 0 in the others; and back. */
#if defined(__AVX512F__)
static inline __mmask16 first_halves(size_t n) { return (__mmask16)_bzhi_u32(0xffff, (unsigned)n); }
#endif
static inline half_lanes load_halves(size_t n, const void *p) {
    half_lanes x = {0};
    if (n == HALF_LANES) return memcpy(&x, p, sizeof x), x;
#if defined(__AVX512F__)
    return _mm256_maskz_loadu_epi16(first_halves(n), p);
#else
    return memcpy(&x, p, n * sizeof(uint16_t)), x;
#endif
}
static inline float_lanes load_floats(size_t n, const void *p) {
    float_lanes x = {0};
    if (n == HALF_LANES) return memcpy(&x, p, sizeof x), x;
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps(first_halves(n), p);
#else
    return memcpy(&x, p, n * sizeof(float)), x;
#endif
}
static inline void store_halves(size_t n, void *p, half_lanes x) {
#if defined(__AVX512F__)
    if (n < HALF_LANES)
        _mm256_mask_storeu_epi16(p, first_halves(n), x);
    else
#endif
        memcpy(p, &x, n * sizeof(uint16_t));
}
static inline void store_floats(size_t n, void *p, float_lanes x) {
#if defined(__AVX512F__)
    if (n < HALF_LANES)
        _mm512_mask_storeu_ps(p, first_halves(n), x);
    else
#endif
        memcpy(p, &x, n * sizeof(float));
}

/* dst[i] = src[i] for i < n <= HALF_LANES. False where one is NaN: these instructions make it quiet, NumPy does not, so
   that what was written does not count. */
static inline bool floats_from_halves(size_t n, const void *src, void *dst) {
    const float_lanes x = widen_halves(load_halves(n, src));
    store_floats(n, dst, x);
    return !is_found(find_nan(x, x));
}

static inline bool halves_from_floats(size_t n, const void *src, void *dst) {
    const float_lanes x = load_floats(n, src);
    store_halves(n, dst, narrow_floats(x));
    return !is_found(find_nan(x, x));
}

/* The same for i < 2 * HALF_LANES, which are looked through at once. */
static inline found_lanes floats_from_halves_pair(const char *src, char *dst) {
    const float_lanes x = widen_halves(load_halves(HALF_LANES, src)),
                      y = widen_halves(load_halves(HALF_LANES, src + sizeof(half_lanes)));
    store_floats(HALF_LANES, dst, x);
    store_floats(HALF_LANES, dst + sizeof x, y);
    return find_nan(x, y);
}

static inline found_lanes halves_from_floats_pair(const char *src, char *dst) {
    const float_lanes x = load_floats(HALF_LANES, src), y = load_floats(HALF_LANES, src + sizeof x);
    store_halves(HALF_LANES, dst, narrow_floats(x));
    store_halves(HALF_LANES, dst + sizeof(half_lanes), narrow_floats(y));
    return find_nan(x, y);
}

#endif
#endif
