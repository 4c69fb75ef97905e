/* Sums of distances from a number near the mean and of their squares, from which variances come: of rows that the L1
   cache holds, and of columns. */
#include "vec.h"

enum {
    UNROLL = 4,
    AHEAD = 512, /* bytes */
};

FZ_INLINE vec load_some(const char *x, size_t rest, T fill) {
    return rest >= W ? vload(x) : vload_part(x, rest, fill);
}

FZ_INLINE void store_some(char *z, vec v, size_t rest) { rest >= W ? vstore(z, v) : vstore_part(z, v, rest); }

FZ_INLINE T add_lanes(vec v) {
#pragma GCC unroll 4
    for (int lanes = W; lanes > 1; lanes /= 2) v = vinterleave_low(v, v) + vinterleave_high(v, v);
    return v[0];
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

/* Of n elements, UNROLL vectors at a time, the sums of x - near, and of their squares. The elements after them, which
   will be asked for next, are prefetched. */
FZ_INLINE void sum_row(size_t n, const char *x, T near, bool squared, T *sum, T *squares) {
    const vec shift = vsplat(near);
    vec s[UNROLL] = {{0}}, q[UNROLL] = {{0}};
    size_t i = 0;
    for (; i + UNROLL * W <= n; i += UNROLL * W) {
#pragma GCC unroll 4
        for (size_t u = 0; u < UNROLL; u++) {
            const char *from = x + i * sizeof(T) + u * sizeof(vec);
            if (squared && u * sizeof(vec) % 64 == 0) __builtin_prefetch(from + n * sizeof(T));
            const vec d = vload(from) - shift;
            s[u] += d;
            if (squared) q[u] = vfma(d, d, q[u]);
        }
    }
    for (; i < n; i += W) {
        const vec d = load_some(x + i * sizeof(T), n - i, near) - shift;
        s[0] += d;
        if (squared) q[0] = vfma(d, d, q[0]);
    }
    *sum = add_lanes((s[0] + s[1]) + (s[2] + s[3]));
    if (squared) *squares = add_lanes((q[0] + q[1]) + (q[2] + q[3]));
}

/* Twice through the cache: to the mean, then to the distances from it. What its rounding leaves is in their sum. */
static void rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, void *near, void *sums,
                 void *squares) {
    const char *row = x;
    for (size_t i = 0; i < count; i++, row += row_stride) {
        T mean, sum, square;
        sum_row(n, row, 0, false, &mean, NULL);
        mean /= (T)n;
        sum_row(n, row, mean, true, &sum, &square);
        store_one((char *)near + i * sizeof(T), mean);
        store_one((char *)sums + i * sizeof(T), sum);
        store_one((char *)squares + i * sizeof(T), square);
    }
}

/* ---- columns ---------------------------------------------------------------------------------------------- */

/* Twice through the cache, as rows. What comes next is prefetched: of so many rows prefetchers lose track. */
FZ_INLINE void sum_columns(size_t rows, size_t vectors, size_t rest, const char *x, ptrdiff_t row_stride,
                           char *near, char *sums, char *squares) {
    vec mean[UNROLL], s[UNROLL], q[UNROLL];
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) mean[u] = s[u] = q[u] = vsplat(0);
    for (size_t r = 0; r < rows; r++) {
        const char *row = x + (ptrdiff_t)r * row_stride;
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            if (u * sizeof(vec) % 64 == 0)
                __builtin_prefetch((const void *)((uintptr_t)row + u * sizeof(vec) + AHEAD));
            mean[u] += load_some(row + u * sizeof(vec), rest, 0);
        }
    }
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) mean[u] /= vsplat((T)rows);
    for (size_t r = 0; r < rows; r++) {
        const char *row = x + (ptrdiff_t)r * row_stride;
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            const vec d = load_some(row + u * sizeof(vec), rest, 0) - mean[u];
            s[u] += d;
            q[u] = vfma(d, d, q[u]);
        }
    }
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        store_some(near + u * sizeof(vec), mean[u], rest);
        store_some(sums + u * sizeof(vec), s[u], rest);
        store_some(squares + u * sizeof(vec), q[u], rest);
    }
}

static void columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, void *near, void *sums,
                    void *squares) {
    enum { WIDE = FZ_VECTOR_REGISTERS == 32 ? 4 : 2 };
    for (size_t j = 0, count; j < n; j += count) {
        const size_t at = j * sizeof(T), rest = n - j;
        const char *column = (const char *)x + at;
        char *to_near = (char *)near + at, *to_sums = (char *)sums + at, *to_squares = (char *)squares + at;
        count = rest >= WIDE * W ? WIDE * W : W;
        if (rest >= WIDE * W)
            sum_columns(rows, WIDE, W, column, row_stride, to_near, to_sums, to_squares);
        else
            sum_columns(rows, 1, rest, column, row_stride, to_near, to_sums, to_squares);
    }
}

extern const fz_moment_kernels FZ_KERNEL(moment);
const fz_moment_kernels FZ_KERNEL(moment) = {.rows = rows, .columns = columns};
