/* Sums of distances from a number near the mean and of their squares, from which variances come, and means of what is
   not NaN: of rows that the L1 cache holds, and of columns. */
#include "vec.h"

enum {
    UNROLL = 4,
    AHEAD = 512, /* bytes */
    FIRST = 32,  /* rows whose mean is taken: at least a quarter of all that a call gets */
    CHAIN = 32,  /* rows that are summed one after the other */
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

FZ_INLINE vec one_where(mask lanes) { return vselect(lanes, vsplat(1), vsplat(0)); }

/* Adds x - shift to the sum, and its square to the squares. NaN adds nothing where it is skipped. */
FZ_INLINE void add_distance(vec x, vec shift, bool squared, bool skips_nan, vec *sum, vec *squares) {
    vec d = x - shift;
    if (skips_nan) d = vselect(visnan(x), vsplat(0), d);
    *sum += d;
    if (squared) *squares = vfma(d, d, *squares);
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

typedef struct row_sums {
    T sum, squares, numbers; /* how many are not NaN */
} row_sums;

/* Of n elements, UNROLL vectors at a time, the sums of x - near, and of their squares or how many count. The
   elements after them, which will be asked for next, are prefetched. */
FZ_INLINE row_sums sum_row(size_t n, const char *x, T near, bool squared, bool skips_nan) {
    const vec shift = vsplat(near);
    vec s[UNROLL] = {{0}}, q[UNROLL] = {{0}};
    vec skipped[UNROLL] = {{0}};
    size_t i = 0;
    for (; i + UNROLL * W <= n; i += UNROLL * W) {
#pragma GCC unroll 4
        for (size_t u = 0; u < UNROLL; u++) {
            const char *from = x + i * sizeof(T) + u * sizeof(vec);
            if (squared && u * sizeof(vec) % 64 == 0) __builtin_prefetch(from + n * sizeof(T));
            const vec v = vload(from);
            add_distance(v, shift, squared, skips_nan, &s[u], &q[u]);
            if (skips_nan && !squared) skipped[u] += one_where(visnan(v));
        }
    }
    for (; i < n; i += W) {
        const vec v = load_some(x + i * sizeof(T), n - i, near);
        add_distance(v, shift, squared, skips_nan, &s[0], &q[0]);
        if (skips_nan && !squared) skipped[0] += one_where(visnan(v));
    }
    row_sums sums = {.sum = add_lanes((s[0] + s[1]) + (s[2] + s[3])), .numbers = (T)n};
    if (squared)
        sums.squares = add_lanes((q[0] + q[1]) + (q[2] + q[3]));
    else if (skips_nan)
        sums.numbers -= add_lanes((skipped[0] + skipped[1]) + (skipped[2] + skipped[3]));
    return sums;
}

/* Twice through the cache: to the mean, then to the distances from it. What its rounding leaves is in their sum. */
FZ_INLINE void sum_rows(size_t height, size_t n, const char *x, ptrdiff_t row_stride, bool skips_nan,
                        const fz_moment_sums *to) {
    for (size_t i = 0; i < height; i++, x += row_stride) {
        const row_sums first = sum_row(n, x, 0, false, skips_nan);
        const T mean = first.sum / (first.numbers > 1 ? first.numbers : 1);
        const row_sums sums = sum_row(n, x, mean, true, skips_nan);
        const size_t at = i * sizeof(T);
        store_one((char *)to->near + at, mean);
        store_one((char *)to->sums + at, sums.sum);
        store_one((char *)to->squares + at, sums.squares);
        if (skips_nan) store_one((char *)to->counts + at, first.numbers);
    }
}

static void rows(size_t height, size_t n, const void *x, ptrdiff_t row_stride, const fz_moment_sums *to) {
    if (to->counts)
        sum_rows(height, n, x, row_stride, true, to);
    else
        sum_rows(height, n, x, row_stride, false, to);
}

/* ---- columns ---------------------------------------------------------------------------------------------- */

/* What comes next is prefetched: of so many rows prefetchers lose track. */
FZ_INLINE void prefetch_columns(const char *row, size_t vectors) {
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        if (u * sizeof(vec) % 64 == 0)
            __builtin_prefetch((const void *)((uintptr_t)row + u * sizeof(vec) + AHEAD));
    }
}

/* Means of `vectors` vectors side by side; in which of their columns was NaN skipped? */
FZ_INLINE void average_columns(size_t rows, size_t vectors, size_t rest, const char *x, ptrdiff_t row_stride,
                               bool skips_nan, vec mean[], mask skips[]) {
    vec skipped[UNROLL];
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) mean[u] = skipped[u] = vsplat(0);
    for (size_t r = 0; r < rows; r++, x += row_stride) {
        prefetch_columns(x, vectors);
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            const vec v = load_some(x + u * sizeof(vec), rest, 0);
            add_distance(v, vsplat(0), false, skips_nan, &mean[u], NULL);
            if (skips_nan) skipped[u] += one_where(visnan(v));
        }
    }
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        const vec numbers = vsplat((T)rows) - skipped[u];
        mean[u] /= skips_nan ? vlarger(numbers, vsplat(1)) : numbers;
        skips[u] = skipped[u] > vsplat(0);
    }
}

/* Sums of the distances from the means, and of how many numbers: of chains of rows, then of chains. */
FZ_INLINE void sum_distances(size_t rows, size_t vectors, size_t rest, const char *x, ptrdiff_t row_stride,
                             bool skips_nan, const vec mean[], vec s[], vec q[], vec numbers[]) {
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        s[u] = q[u] = vsplat(0);
        numbers[u] = vsplat((T)rows);
    }
    for (size_t r = 0; r < rows; r += CHAIN) {
        vec chain[UNROLL], squares[UNROLL];
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) chain[u] = squares[u] = vsplat(0);
        for (size_t i = r; i < rows && i < r + CHAIN; i++, x += row_stride) {
            prefetch_columns(x, vectors);
#pragma GCC unroll 4
            for (size_t u = 0; u < vectors; u++) {
                const vec v = load_some(x + u * sizeof(vec), rest, 0);
                add_distance(v, mean[u], true, skips_nan, &chain[u], &squares[u]);
                if (skips_nan) numbers[u] -= one_where(visnan(v));
            }
        }
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            s[u] += chain[u];
            q[u] += squares[u];
        }
    }
}

FZ_INLINE bool any_column(size_t vectors, const mask columns[]) {
    mask any = columns[0];
    for (size_t u = 1; u < vectors; u++) any |= columns[u];
    return vany(any);
}

/* All distances are those from the mean of the first rows, and only these are read twice: however far from it the others lie, what cancels is at most four times the squares that remain. It is the mean of all rows
   in columns with NaN among the first, most of which it may be, and in those with infinity or squares that overflow:
   only in these, so that no column's sums depend on the others'. */
FZ_INLINE void sum_columns(size_t rows, size_t vectors, size_t rest, const char *x, ptrdiff_t row_stride,
                           bool skips_nan, const fz_moment_sums *to, size_t at) {
    const mask none = {0};
    vec mean[UNROLL], s[UNROLL], q[UNROLL], numbers[UNROLL];
    mask wanted[UNROLL]; /* columns whose mean is still to be found */
    mask whole[UNROLL];  /* columns whose mean is that of all rows */
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        mean[u] = vsplat(0);
        wanted[u] = ~none;
        whole[u] = none;
    }
    for (size_t first = rows < FIRST ? rows : FIRST;; first = rows) {
        const mask of_all = first == rows ? ~none : none;
        vec average[UNROLL];
        mask skips[UNROLL];
        average_columns(first, vectors, rest, x, row_stride, skips_nan, average, skips);
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            mean[u] = vselect(wanted[u], average[u], mean[u]);
            whole[u] |= wanted[u] & of_all;
            wanted[u] = skips[u] & ~of_all;
        }
        if (any_column(vectors, wanted)) continue;
        sum_distances(rows, vectors, rest, x, row_stride, skips_nan, mean, s, q, numbers);
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) wanted[u] = (q[u] - q[u] != 0) & ~whole[u];
        if (!any_column(vectors, wanted)) break;
    }
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++, at += sizeof(vec)) {
        store_some((char *)to->near + at, mean[u], rest);
        store_some((char *)to->sums + at, s[u], rest);
        store_some((char *)to->squares + at, q[u], rest);
        if (skips_nan) store_some((char *)to->counts + at, numbers[u], rest);
    }
}

/* The last ones, a vector of them at most. */
static __attribute__((noinline)) void sum_some_columns(size_t rows, size_t rest, const char *x,
                                                       ptrdiff_t row_stride, const fz_moment_sums *to,
                                                       size_t at) {
    sum_columns(rows, 1, rest, x, row_stride, to->counts != NULL, to, at);
}

static void columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, const fz_moment_sums *to) {
    enum { WIDE = FZ_VECTOR_REGISTERS == 32 ? 4 : 2 };
    for (size_t j = 0, taken; j < n; j += taken) {
        const size_t at = j * sizeof(T), rest = n - j;
        const char *from = (const char *)x + at;
        taken = rest >= WIDE * W ? WIDE * W : W;
        if (taken == W)
            sum_some_columns(rows, rest, from, row_stride, to, at);
        else if (to->counts)
            sum_columns(rows, WIDE, W, from, row_stride, true, to, at);
        else
            sum_columns(rows, WIDE, W, from, row_stride, false, to, at);
    }
}

extern const fz_moment_kernels FZ_KERNEL(moment);
const fz_moment_kernels FZ_KERNEL(moment) = {.rows = rows, .columns = columns};
