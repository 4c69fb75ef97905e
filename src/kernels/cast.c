/* Casts between all dtypes: how operands of another dtype, or at strides, reach the loops and come back.

   Compiled once per instruction set. What C and NumPy leave open, a float that the integer cannot hold, is what
   x86's conversions make of it: cut to int32 (to int64 for uint32 and integers of 64 bits), whose least value
   stands for NaN and all that does not fit, then wrapped. */
#include "kernels.h"
#include "narrow_float.h"
#include "vec_evens.h"
#include "vec_half.h"

enum {
    CHUNK = 64,  /* elements that a conversion does at once: a whole number of vectors of any dtype, so that
                    compilers need no code for a rest */
    BLOCK = 256, /* elements between two steps; a multiple of CHUNK */
};

/* Elements in memory, of any alignment. Integers of one size wrap alike, so that the dtypes share casts. */
#define ELEMENT(name, type) typedef type name __attribute__((aligned(1), may_alias));
ELEMENT(f32, float)
ELEMENT(f64, double)
ELEMENT(i8, int8_t)
ELEMENT(i16, int16_t)
ELEMENT(i32, int32_t)
ELEMENT(i64, int64_t)
ELEMENT(u8, uint8_t)
ELEMENT(u16, uint16_t)
ELEMENT(u32, uint32_t)
ELEMENT(u64, uint64_t)

/* ---- one value -------------------------------------------------------------------------------------------- */

static inline int32_t cut_32(double value) {
    return (int32_t)(value > -0x1p31 - 1 && value < 0x1p31 ? value : -0x1p31);
}

static inline int32_t cut_float_32(float value) {
    return (int32_t)(value >= -0x1p31f && value < 0x1p31f ? value : -0x1p31f);
}

static inline int64_t cut_64(double value) {
    return (int64_t)(value >= -0x1p63 && value < 0x1p63 ? value : -0x1p63);
}

static inline uint64_t cut_unsigned_64(double value) {
    const bool is_upper = value >= 0x1p63 && value < 0x1p64;
    return (uint64_t)cut_64(is_upper ? value - 0x1p63 : value) + ((uint64_t)is_upper << 63);
}

/* ---- rows -------------------------------------------------------------------------------------------------- */

typedef void converter(size_t chunks, const void *restrict src, void *restrict dst);
static converter convert_u16_to_u8, convert_u32_to_u16, convert_u64_to_u32;

static void convert_evens_of_u64(size_t chunks, const void *restrict src, void *restrict dst) {
    const char *elements = src;
    char *results = dst;
    for (size_t i = 0; i < chunks * CHUNK; i += FZ_EVENS) fz__store_evens(elements + 16 * i, results + 8 * i);
}

/* Elements before src's first line of a cache, in which it then has whole pairs; 0 where it never has. */
static inline size_t pairs_to_line(const char *src, size_t size) {
    const size_t past = (uintptr_t)src % FZ_MAX_VECTOR_BYTES;
    return past % (2 * size) ? 0 : (FZ_MAX_VECTOR_BYTES - past) % FZ_MAX_VECTOR_BYTES / (2 * size);
}

static inline __attribute__((always_inline)) void copy_elements(size_t n, const char *src,
                                                                ptrdiff_t src_stride, char *dst,
                                                                ptrdiff_t dst_stride, size_t size,
                                                                converter *narrow) {
    if (src_stride == (ptrdiff_t)size && dst_stride == (ptrdiff_t)size) {
        memcpy(dst, src, n * size);
        return;
    }
    const bool halves = narrow && src_stride == 2 * (ptrdiff_t)size && dst_stride == (ptrdiff_t)size;
    const size_t head = halves ? pairs_to_line(src, size) : 0;
    if (halves && n > head + CHUNK) {
        for (size_t i = 0; i < head; i++) memcpy(dst + i * size, src + i * 2 * size, size);
        const size_t pairs = n - 1, last = pairs - CHUNK;
        narrow((pairs - head) / CHUNK, src + head * 2 * size, dst + head * size);
        narrow(1, src + last * 2 * size, dst + last * size); /* may do some of them again */
        src += pairs * 2 * size;
        dst += pairs * size;
        n = 1;
    }
    for (; n; n--, src += src_stride, dst += dst_stride) memcpy(dst, src, size);
}

/* Elements of so many bits at other strides. Every other one is the lower half of a pair, or of an integer twice as
   wide, which must not reach past the last. */
#define COPY(bits, narrow)                                                              \
    static void copy_##bits(size_t n, const void *src, ptrdiff_t src_stride, void *dst, \
                            ptrdiff_t dst_stride) {                                     \
        copy_elements(n, src, src_stride, dst, dst_stride, bits / 8, narrow);           \
    }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
COPY(8, convert_u16_to_u8)
COPY(16, convert_u32_to_u16)
COPY(32, convert_u64_to_u32)
#else
COPY(8, NULL)
COPY(16, NULL)
COPY(32, NULL)
#endif
COPY(64, convert_evens_of_u64)

static void copy(size_t size, size_t n, const void *src, ptrdiff_t src_stride, void *dst,
                 ptrdiff_t dst_stride) {
    (size == 1   ? copy_8
     : size == 2 ? copy_16
     : size == 4 ? copy_32
                 : copy_64)(n, src, src_stride, dst, dst_stride);
}

/* What is not a whole number of chunks without gaps on both sides goes through buffers on the stack. */
static __attribute__((noinline)) void convert_rows(size_t n, const char *src, ptrdiff_t src_stride, char *dst,
                                                   ptrdiff_t dst_stride, size_t src_size, size_t dst_size,
                                                   converter *convert) {
    const bool src_gapless = src_stride == (ptrdiff_t)src_size,
               dst_gapless = dst_stride == (ptrdiff_t)dst_size;
    _Alignas(FZ_MAX_VECTOR_BYTES) char from[BLOCK * sizeof(double)], to[BLOCK * sizeof(double)];
    for (size_t count; n; n -= count) {
        const bool whole = n >= CHUNK, read_there = whole && src_gapless, write_there = whole && dst_gapless;
        count = whole ? n - n % CHUNK : n;
        if (!(read_there && write_there) && count > BLOCK) count = BLOCK;
        if (!read_there) copy(src_size, count, src, src_stride, from, (ptrdiff_t)src_size);
        if (!whole) memset(from + count * src_size, 0, (CHUNK - count) * src_size);
        convert((count + CHUNK - 1) / CHUNK, read_there ? src : from, write_there ? dst : to);
        if (!write_there) copy(dst_size, count, to, (ptrdiff_t)dst_size, dst, dst_stride);
        src += (ptrdiff_t)count * src_stride;
        dst += (ptrdiff_t)count * dst_stride;
    }
}

/* dst = second(first(src)), with a float between the two. */
static __attribute__((noinline)) void cast_twice(size_t n, const char *src, ptrdiff_t src_stride, char *dst,
                                                 ptrdiff_t dst_stride, fz_cast *first, fz_cast *second) {
    float between[BLOCK];
    for (size_t count; n; n -= count) {
        count = n < BLOCK ? n : BLOCK;
        first(count, src, src_stride, between, sizeof *between);
        second(count, between, sizeof *between, dst, dst_stride);
        src += (ptrdiff_t)count * src_stride;
        dst += (ptrdiff_t)count * dst_stride;
    }
}

/* ---- the casts --------------------------------------------------------------------------------------------- */

/* name: from elements x of one type to those of another by an expression. */
#define CONVERTER(name, from, to, expression)                                                 \
    static void convert_##name(size_t chunks, const void *restrict src, void *restrict dst) { \
        const from *restrict elements = src;                                                  \
        to *restrict results = dst;                                                           \
        for (; chunks; chunks--, elements += CHUNK, results += CHUNK) {                       \
            for (int i = 0; i < CHUNK; i++) {                                                 \
                const from x = elements[i];                                                   \
                results[i] = (to)(expression);                                                \
            }                                                                                 \
        }                                                                                     \
    }
#define CAST(name, from, to, expression)                                                                 \
    CONVERTER(name, from, to, expression)                                                                \
    static void name(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) { \
        convert_rows(n, src, src_stride, dst, dst_stride, sizeof(from), sizeof(to), convert_##name);     \
    }
#define PLAIN(from, to) CAST(from##_to_##to, from, to, x)
#define TWICE(name, first, second)                                                                       \
    static void name(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) { \
        cast_twice(n, src, src_stride, dst, dst_stride, first, second);                                  \
    }

/* Integers from integers: wider ones by their sign, narrower ones cut. */
PLAIN(u16, u8)
PLAIN(u32, u8)
PLAIN(u64, u8)
PLAIN(i8, u16)
PLAIN(u8, u16)
PLAIN(u32, u16)
PLAIN(u64, u16)
PLAIN(i8, u32)
PLAIN(u8, u32)
PLAIN(i16, u32)
PLAIN(u16, u32)
PLAIN(u64, u32)
PLAIN(i8, u64)
PLAIN(u8, u64)
PLAIN(i16, u64)
PLAIN(u16, u64)
PLAIN(i32, u64)
PLAIN(u32, u64)

/* Floats from integers and back. */
#define FLOAT(to)  \
    PLAIN(i8, to)  \
    PLAIN(u8, to)  \
    PLAIN(i16, to) \
    PLAIN(u16, to) \
    PLAIN(i32, to) \
    PLAIN(u32, to) \
    PLAIN(i64, to) \
    PLAIN(u64, to)
FLOAT(f32)
FLOAT(f64)
PLAIN(f32, f64)
PLAIN(f64, f32)
#define INTEGERS(from, cut)                           \
    CAST(from##_to_u8, from, u8, cut(x))              \
    CAST(from##_to_u16, from, u16, cut(x))            \
    CAST(from##_to_i32, from, i32, cut(x))            \
    CAST(from##_to_u32, from, u32, cut_64((double)x)) \
    CAST(from##_to_i64, from, i64, cut_64((double)x)) \
    CAST(from##_to_u64, from, u64, cut_unsigned_64((double)x))
INTEGERS(f32, cut_float_32)
INTEGERS(f64, cut_32)

#define BOOLEAN(from) CAST(from##_to_bool, from, u8, x != 0)
BOOLEAN(u8)
BOOLEAN(u16)
BOOLEAN(u32)
BOOLEAN(u64)
BOOLEAN(f32)
BOOLEAN(f64)

#if defined(FZ_HAS_HALF)
/* A chunk by instructions; by `plain` where these meet a NaN. */
typedef found_lanes half_converter(const char *src, char *dst);
static inline __attribute__((always_inline)) void convert_halves(size_t chunks, const char *src,
                                                                 size_t src_size, char *dst, size_t dst_size,
                                                                 half_converter *convert, converter *plain) {
    for (; chunks; chunks--, src += CHUNK * src_size, dst += CHUNK * dst_size) {
        found_lanes nan = {0};
#pragma GCC unroll 16
        for (size_t i = 0; i < CHUNK; i += 2 * HALF_LANES)
            nan |= convert(src + i * src_size, dst + i * dst_size);
        if (is_found(nan)) plain(1, src, dst);
    }
}
#define HALF_CAST(name, from, to, convert, expression)                                                      \
    CONVERTER(name##_plain, from, to, expression)                                                           \
    static void convert_##name(size_t chunks, const void *restrict src, void *restrict dst) {               \
        convert_halves(chunks, src, sizeof(from), dst, sizeof(to), convert##_pair, convert_##name##_plain); \
    }                                                                                                       \
    static void name(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) {    \
        const bool gapless = src_stride == sizeof(from) && dst_stride == sizeof(to);                        \
        if (gapless && n <= HALF_LANES && convert(n, src, dst)) return;                                     \
        convert_rows(n, src, src_stride, dst, dst_stride, sizeof(from), sizeof(to), convert_##name);        \
    }
#else
#define HALF_CAST(name, from, to, convert, expression) CAST(name, from, to, expression)
#endif

/* The narrow floats are computed with as float32, and so are converted. */
HALF_CAST(f16_to_f32, u16, f32, floats_from_halves, float_from_half(x))
HALF_CAST(f32_to_f16, f32, u16, halves_from_floats, half_from_float(x))
CAST(bf16_to_f32, u16, f32, float_from_bfloat(x))
CAST(f64_to_f16, f64, u16, half_from_double(x))
CAST(f32_to_bf16, f32, u16, bfloat_from_float(x))
#define FROM_NARROW(from)                             \
    TWICE(from##_to_u8, from##_to_f32, f32_to_u8)     \
    TWICE(from##_to_u16, from##_to_f32, f32_to_u16)   \
    TWICE(from##_to_i32, from##_to_f32, f32_to_i32)   \
    TWICE(from##_to_u32, from##_to_f32, f32_to_u32)   \
    TWICE(from##_to_i64, from##_to_f32, f32_to_i64)   \
    TWICE(from##_to_u64, from##_to_f32, f32_to_u64)   \
    TWICE(from##_to_bool, from##_to_f32, f32_to_bool) \
    TWICE(from##_to_f64, from##_to_f32, f32_to_f64)
FROM_NARROW(f16)
FROM_NARROW(bf16)
#define TO_NARROW(to)                           \
    TWICE(i8_to_##to, i8_to_f32, f32_to_##to)   \
    TWICE(u8_to_##to, u8_to_f32, f32_to_##to)   \
    TWICE(i16_to_##to, i16_to_f32, f32_to_##to) \
    TWICE(u16_to_##to, u16_to_f32, f32_to_##to) \
    TWICE(i32_to_##to, i32_to_f32, f32_to_##to) \
    TWICE(u32_to_##to, u32_to_f32, f32_to_##to) \
    TWICE(i64_to_##to, i64_to_f32, f32_to_##to) \
    TWICE(u64_to_##to, u64_to_f32, f32_to_##to)
TO_NARROW(f16)
TO_NARROW(bf16)
TWICE(f64_to_bf16, f64_to_f32, f32_to_bf16)
TWICE(bf16_to_f16, bf16_to_f32, f32_to_f16)
TWICE(f16_to_bf16, f16_to_f32, f32_to_bf16)

/* Columns: from float32, float64, bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16. */
#define ROW(F32, F64, B, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16)                                   \
    {                                                                                                       \
        [FZ_FLOAT32] = F32, [FZ_FLOAT64] = F64, [FZ_BOOL] = B,        [FZ_INT8] = I8,    [FZ_INT16] = I16,  \
        [FZ_INT32] = I32,   [FZ_INT64] = I64,   [FZ_UINT8] = U8,      [FZ_UINT16] = U16, [FZ_UINT32] = U32, \
        [FZ_UINT64] = U64,  [FZ_FLOAT16] = F16, [FZ_BFLOAT16] = BF16,                                       \
    }
/* clang-format off */
#define TO_8 ROW(f32_to_u8, f64_to_u8, copy_8, copy_8, u16_to_u8, u32_to_u8, u64_to_u8, \
                 copy_8, u16_to_u8, u32_to_u8, u64_to_u8, f16_to_u8, bf16_to_u8)
#define TO_16 ROW(f32_to_u16, f64_to_u16, u8_to_u16, i8_to_u16, copy_16, u32_to_u16, u64_to_u16, \
                  u8_to_u16, copy_16, u32_to_u16, u64_to_u16, f16_to_u16, bf16_to_u16)
#define TO_32(to) ROW(f32_to_##to, f64_to_##to, u8_to_u32, i8_to_u32, i16_to_u32, copy_32, u64_to_u32, \
                      u8_to_u32, u16_to_u32, copy_32, u64_to_u32, f16_to_##to, bf16_to_##to)
#define TO_64(to) ROW(f32_to_##to, f64_to_##to, u8_to_u64, i8_to_u64, i16_to_u64, i32_to_u64, copy_64, \
                      u8_to_u64, u16_to_u64, u32_to_u64, copy_64, f16_to_##to, bf16_to_##to)
#define TO_BOOL ROW(f32_to_bool, f64_to_bool, copy_8, u8_to_bool, u16_to_bool, u32_to_bool, u64_to_bool, \
                    u8_to_bool, u16_to_bool, u32_to_bool, u64_to_bool, f16_to_bool, bf16_to_bool)
#define TO_FLOAT(to, from_f32, from_f64, from_f16, from_bf16) \
    ROW(from_f32, from_f64, u8_to_##to, i8_to_##to, i16_to_##to, i32_to_##to, i64_to_##to, \
        u8_to_##to, u16_to_##to, u32_to_##to, u64_to_##to, from_f16, from_bf16)
/* clang-format on */

#define CASTS_(simd) fz__casts_##simd
#define CASTS(simd) CASTS_(simd)
extern fz_cast *const CASTS(FZ_SIMD)[FZ_DTYPE_COUNT][FZ_DTYPE_COUNT]; /* [to][from] */
fz_cast *const CASTS(FZ_SIMD)[FZ_DTYPE_COUNT][FZ_DTYPE_COUNT] = {
    [FZ_FLOAT32] = TO_FLOAT(f32, copy_32, f64_to_f32, f16_to_f32, bf16_to_f32),
    [FZ_FLOAT64] = TO_FLOAT(f64, f32_to_f64, copy_64, f16_to_f64, bf16_to_f64),
    [FZ_BOOL] = TO_BOOL,
    [FZ_INT8] = TO_8,
    [FZ_INT16] = TO_16,
    [FZ_INT32] = TO_32(i32),
    [FZ_INT64] = TO_64(i64),
    [FZ_UINT8] = TO_8,
    [FZ_UINT16] = TO_16,
    [FZ_UINT32] = TO_32(u32),
    [FZ_UINT64] = TO_64(u64),
    [FZ_FLOAT16] = TO_FLOAT(f16, f32_to_f16, f64_to_f16, copy_16, bf16_to_f16),
    [FZ_BFLOAT16] = TO_FLOAT(bf16, f32_to_bf16, f64_to_bf16, f16_to_bf16, copy_16),
};
