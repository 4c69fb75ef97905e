/* How many bools are true: of rows, and of the columns of a stack of rows. */
#include "vec.h"

enum { UNROLL = 4, STEPS = FZ_COUNT_ROWS / UNROLL };

/* A byte of another library's bool may be more than 1. */
FZ_INLINE vec truths(vec x) { return vminimum(x, vsplat(1)); }

/* The bytes of each word added up, by pairs and by a product whose highest part is the sum of all four parts. */
FZ_INLINE words add_bytes(vec counts) {
    const words bytes = (words)counts, every_other = (words){0} + 0x00ff00ff00ff00ff;
    return ((bytes & every_other) + (bytes >> 8 & every_other)) * 0x0001000100010001 >> 48;
}

static int64_t count_row(size_t n, const char *x) {
    words total = {0};
    while (n >= UNROLL * W) {
        const size_t vectors = n / (UNROLL * W), steps = vectors < STEPS ? vectors : STEPS;
        vec sum[UNROLL] = {{0}};
        for (size_t i = 0; i < steps; i++, x += UNROLL * W) {
#pragma GCC unroll 4
            for (size_t u = 0; u < UNROLL; u++) sum[u] += truths(vload(x + u * W));
        }
        total += add_bytes((sum[0] + sum[1]) + (sum[2] + sum[3]));
        n -= steps * UNROLL * W;
    }
    vec sum = {0};
    for (; n >= W; n -= W, x += W) sum += truths(vload(x));
    if (n) sum += truths(vload_part(x, n, 0));
    total += add_bytes(sum);
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof total / sizeof count; i++) count += total[i];
    return (int64_t)count;
}

static void rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, int64_t *results) {
    for (size_t i = 0; i < count; i++) results[i] = count_row(n, (const char *)x + (ptrdiff_t)i * row_stride);
}

/* At most `width` columns, in `vectors` vectors. */
FZ_INLINE void count_columns(size_t rows, size_t vectors, size_t width, const char *x, ptrdiff_t row_stride,
                             int64_t *results) {
    vec sum[UNROLL] = {{0}};
    for (size_t r = 0; r < rows; r++, x += row_stride) {
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++)
            sum[u] += truths(width >= W ? vload(x + u * W) : vload_part(x, width, 0));
    }
    uint8_t counts[UNROLL * W];
    memcpy(counts, sum, sizeof counts);
    for (size_t i = 0; i < width; i++) results[i] = counts[i];
}

static void columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, int64_t *results) {
    const char *column = x;
    size_t j = 0;
    for (; j + UNROLL * W <= n; j += UNROLL * W)
        count_columns(rows, UNROLL, UNROLL * W, column + j, row_stride, results + j);
    for (; j < n; j += W) count_columns(rows, 1, n - j < W ? n - j : W, column + j, row_stride, results + j);
}

extern const fz_count_kernels FZ_KERNEL(count);
const fz_count_kernels FZ_KERNEL(count) = {.rows = rows, .columns = columns};
