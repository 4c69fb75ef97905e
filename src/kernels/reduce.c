/* Reductions of a row to one value, and of a stack of rows to one row. */
#include "vec.h"

enum {
    ACCUMULATORS = 4, /* enough to keep the adders busy */
    STACK = 8,        /* rows that are joined as a tree before they meet the result */
};

typedef vec lane_function(vec x, vec y);

#define FZ_BINARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(FZ_INLINE vec name##_lane(vec x, vec y) { return expression; })
#define FZ_COMPARE(...)
#define FZ_BINARY_LONG(...)
#define FZ_FUNCTION2(...) /* none of them joins partial results */
#include "ops.def"

/* The lanes of v joined as a tree: each step joins the lower half with the upper, each lane twice. */
FZ_INLINE T join_lanes(vec v, lane_function *lane) {
    for (int lanes = W; lanes > 1; lanes /= 2) v = lane(vinterleave_low(v, v), vinterleave_high(v, v));
    return v[0];
}

FZ_INLINE void reduce_row(size_t n, const void *row, void *result, lane_function *lane, T neutral) {
    const char *x = row;
    vec sum[ACCUMULATORS];
    for (int u = 0; u < ACCUMULATORS; u++) sum[u] = vsplat(neutral);
    for (; n >= ACCUMULATORS * W; n -= ACCUMULATORS * W, x += ACCUMULATORS * sizeof(vec)) {
        for (int u = 0; u < ACCUMULATORS; u++) sum[u] = lane(sum[u], vload(x + u * sizeof(vec)));
    }
    for (; n >= W; n -= W, x += sizeof(vec)) sum[0] = lane(sum[0], vload(x));
    if (n) sum[1] = lane(sum[1], vload_part(x, n, neutral));
    store_one(result, join_lanes(lane(lane(sum[0], sum[1]), lane(sum[2], sum[3])), lane));
}

/* One vector of columns of STACK rows, joined as a tree. */
FZ_INLINE vec join_stack(const char *x, ptrdiff_t row_stride, lane_function *lane) {
    vec v[STACK];
    for (int r = 0; r < STACK; r++) v[r] = vload(x + r * row_stride);
    for (int step = 1; step < STACK; step *= 2) {
        for (int r = 0; r < STACK; r += 2 * step) v[r] = lane(v[r], v[r + step]);
    }
    return v[0];
}

/* z = z op one more row, or the joined rows of a stack, n columns wide. */
FZ_INLINE void join_rows(size_t n, const char *x, ptrdiff_t row_stride, char *z, lane_function *lane,
                         int rows) {
    for (; n >= W; n -= W, x += sizeof(vec), z += sizeof(vec))
        vstore(z, lane(vload(z), rows == STACK ? join_stack(x, row_stride, lane) : vload(x)));
    for (int r = 0; n && r < rows; r++, x += row_stride)
        vstore_part(z, lane(vload_part(z, n, 0), vload_part(x, n, 0)), n);
}

FZ_INLINE void reduce_columns(size_t rows, size_t n, const void *stack, ptrdiff_t row_stride, void *result,
                              lane_function *lane) {
    const char *x = stack;
    memcpy(result, x, n * sizeof(T));
    for (x += row_stride, rows--; rows >= STACK; x += STACK * row_stride, rows -= STACK)
        join_rows(n, x, row_stride, result, lane, STACK);
    for (; rows; x += row_stride, rows--) join_rows(n, x, row_stride, result, lane, 1);
}

#define FZ_REDUCTION(name, dtypes, combine, neutral, finish, doc)                                          \
    static void name##_row(size_t n, const void *x, void *result) {                                        \
        const T first = load_one(x);                                                                       \
        (void)first;                                                                                       \
        reduce_row(n, x, result, combine##_lane, (T)(neutral));                                            \
    }                                                                                                      \
    static void name##_columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, void *result) { \
        reduce_columns(rows, n, x, row_stride, result, combine##_lane);                                    \
    }
#include "ops.def"

extern const fz_reduce_kernels FZ_KERNEL(reduce);
const fz_reduce_kernels FZ_KERNEL(reduce) = {
    .row =
        {
#define FZ_REDUCTION(name, dtypes, ...) FZ_WHERE_##dtypes([FZ_REDUCTION_##name] = name##_row, )
#include "ops.def"
        },
    .columns =
        {
#define FZ_REDUCTION(name, dtypes, ...) FZ_WHERE_##dtypes([FZ_REDUCTION_##name] = name##_columns, )
#include "ops.def"
        },
};
