/* Sums, in 64 bits, of unsigned integers of at most 32 bits; of signed ones, whose sign bit is turned over, so that they
   are unsigned ones which are larger by a half of their range; and of bools, which are bytes. Of rows, and of the
   columns of a stack of rows. */
#include "vec.h"

enum { UNROLL = 4 };

/* How elements become unsigned. */
typedef struct range {
    T bias,
        most; /* bias becomes 0, and of bytes none is beyond `most`: that of another library's bool may be */
} range;

FZ_INLINE range range_of(fz_total_kind kind) {
    return (range){kind == FZ_TOTAL_SIGNED ? (T)((T)1 << (BITS - 1)) : 0, kind == FZ_TOTAL_BOOL ? 1 : (T)~0};
}

FZ_INLINE vec shift(vec x, range r) {
    x ^= vsplat(r.bias);
    return sizeof(T) == 1 ? vminimum(x, vsplat(r.most)) : x;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

static int64_t add_row(size_t n, const char *x, const range *to) {
    enum { LINE = 64, AHEAD = 4096 };
    const range r = *to;
    const uint64_t excess = (uint64_t)n * r.bias;
    words sum[2 * UNROLL] = {{0}};
    for (; n >= 2 * UNROLL * W; n -= 2 * UNROLL * W, x += sizeof sum) {
#pragma GCC unroll 8
        for (size_t u = 0; u < 2 * UNROLL; u++) {
            if (u * sizeof(vec) % LINE == 0) __builtin_prefetch(x + u * sizeof(vec) + AHEAD);
            sum[u] += vadd_in_words(shift(vload(x + u * sizeof(vec)), r));
        }
    }
    for (; n >= W; n -= W, x += sizeof(vec)) sum[0] += vadd_in_words(shift(vload(x), r));
    if (n) sum[0] += vadd_in_words(shift(vload_part(x, n, r.bias), r));
#pragma GCC unroll 8
    for (size_t u = 1; u < 2 * UNROLL; u++) sum[0] += sum[u];
    uint64_t total = 0;
    for (size_t i = 0; i < sizeof(vec) / sizeof total; i++) total += sum[0][i];
    return (int64_t)(total - excess);
}

static void rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, fz_total_kind kind,
                 int64_t *results) {
    const range r = range_of(kind);
    for (size_t i = 0; i < count; i++)
        results[i] = add_row(n, (const char *)x + (ptrdiff_t)i * row_stride, &r);
}

/* ---- columns ---------------------------------------------------------------------------------------------- */

/* A pair of elements, in which as many of them add up as FZ_TOTAL_ROWS says. */
#if defined(FZ_T_uint32)
typedef uint64_t pair;
#elif defined(FZ_T_uint16)
typedef uint32_t pair;
#else
typedef uint16_t pair;
#endif
typedef pair pairs __attribute__((vector_size(FZ_VECTOR_BYTES)));

static __attribute__((noinline)) void store_sums(size_t width, const pairs both[], const pairs upper[],
                                                 uint64_t excess, int64_t *results) {
    for (size_t i = 0; i < width; i++) {
        pair sum, high;
        memcpy(&sum, (const char *)both + i / 2 * sizeof sum, sizeof sum);
        memcpy(&high, (const char *)upper + i / 2 * sizeof high, sizeof high);
        results[i] = (int64_t)((i % 2 ? high : (pair)(sum - (pair)(high << BITS))) - excess);
    }
}

/* At most `width` columns, in `vectors` vectors. Pairs add up whole and their upper halves alone: what is left when
   these are taken away is the lower ones' sum. */
FZ_INLINE void add_columns(size_t rows, size_t vectors, size_t width, const char *x, ptrdiff_t row_stride,
                           range to, int64_t *results) {
    pairs both[UNROLL] = {{0}}, upper[UNROLL] = {{0}};
    for (size_t r = 0; r < rows; r++, x += row_stride) {
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            const char *from = x + u * sizeof(vec);
            const pairs p = (pairs)shift(width >= W ? vload(from) : vload_part(from, width, to.bias), to);
            both[u] += p;
            upper[u] += p >> BITS;
        }
    }
    store_sums(width, both, upper, (uint64_t)rows * to.bias, results);
}

static void columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, fz_total_kind kind,
                    int64_t *results) {
    const char *column = x;
    const range r = range_of(kind);
    size_t j = 0;
    for (; j + UNROLL * W <= n; j += UNROLL * W)
        add_columns(rows, UNROLL, UNROLL * W, column + j * sizeof(T), row_stride, r, results + j);
    for (; j < n; j += W)
        add_columns(rows, 1, n - j < W ? n - j : W, column + j * sizeof(T), row_stride, r, results + j);
}

extern const fz_total_kernels FZ_KERNEL(total);
const fz_total_kernels FZ_KERNEL(total) = {.rows = rows, .columns = columns};
