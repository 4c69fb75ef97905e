/* Reductions of rows to one value each, and of a stack of rows to one row.

   Elements join in an order that n alone fixes: in chains of at most CHAIN links, whose results join as a tree.
   So a sum's error is O(CHAIN + log n) eps. */
#include "vec.h"

enum {
    CHAIN = FZ_CHAIN,
    BLOCK = 8 * CHAIN * W, /* elements */
    SHORT = 8 * W,         /* up to here one chain does */
    LEVELS = 48,           /* of the tree over blocks: more than addresses allow */
};

#if defined(FZ_T_IS_FLOAT)
#define FZ_LEAST (-INFINITY)
#define FZ_MOST INFINITY
#elif defined(FZ_T_boolean)
#define FZ_LEAST 0
#define FZ_MOST 1
#else
#define FZ_LEAST (IS_SIGNED ? (T)((unsigned_T)1 << (BITS - 1)) : (T)0)
#define FZ_MOST ((T)~FZ_LEAST)
#endif

#define FZ_BINARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(FZ_INLINE vec name##_lane(vec x, vec y) { return expression; })
#define FZ_COMPARE(...)
#define FZ_BINARY_LONG(...)
#define FZ_FUNCTION2(...) /* none of them joins partial results */
#include "ops.def"

/* ---- between lanes --------------------------------------------------------------------------------------- */

#if defined(FZ_T_IS_FLOAT)

enum { BATCH = W }; /* rows whose lanes join together */

#else

enum { BATCH = 1 };

#endif

/* ---- elements --------------------------------------------------------------------------------------------- */

/* How elements join. */
typedef struct way {
    lane_function *lane;
    T neutral;
    bool skips_nan; /* elements that are NaN become neutral; partial results do not */
} way;

FZ_INLINE vec take(vec x, way w) { return w.skips_nan ? vselect(visnan(x), vsplat(w.neutral), x) : x; }

FZ_INLINE vec take_vector(const char *x, way w) { return take(vload(x), w); }

FZ_INLINE vec take_part(const char *x, size_t n, way w) { return take(vload_part(x, n, w.neutral), w); }

/* ---- a row to a vector of partial results ----------------------------------------------------------------- */

FZ_INLINE vec chain(vec sum, size_t n, const char *x, way w) {
    for (; n >= W; n -= W, x += sizeof(vec)) sum = w.lane(sum, take_vector(x, w));
    return n ? w.lane(sum, take_part(x, n, w)) : sum;
}

/* `links` times eight vectors. What comes later is prefetched line by line: loads that straddle two lines wait less when
   both are in the L1 cache. */
FZ_INLINE vec join_stream(size_t links, const char *x, way w) {
    enum { LINE = 64, AHEAD = 4096 };
    vec sum[8];
    for (size_t i = 0; i < links; i++, x += sizeof sum) {
#pragma GCC unroll 8
        for (size_t u = 0; u < 8; u++) {
            if (u * sizeof(vec) % LINE == 0) __builtin_prefetch(x + u * sizeof(vec) + AHEAD);
            const vec v = take_vector(x + u * sizeof(vec), w);
            sum[u] = i == 0 ? v : w.lane(sum[u], v);
        }
    }
#pragma GCC unroll 3
    for (int pair = 1; pair < 8; pair *= 2) {
#pragma GCC unroll 4
        for (int u = 0; u < 8; u += 2 * pair) sum[u] = w.lane(sum[u], sum[u + pair]);
    }
    return sum[0];
}

/* The elements of a row: in memory, or computed (x is NULL). */
typedef struct row {
    const char *x;
    const fz_computed_row *computed;
} row;

/* join_stream from element `first` of a row on. */
FZ_INLINE vec join_part(row r, size_t first, size_t links, way w) {
    if (r.x) return join_stream(links, r.x + first * sizeof(T), w);
    vec sum = vsplat(w.neutral);
    r.computed->join(first, links, r.computed->places, &sum);
    return sum;
}

/* n < 8 * W elements of a row, which `block` has room for. */
FZ_INLINE const char *find_elements(row r, size_t first, size_t n, vec block[8]) {
    if (r.x) return r.x + first * sizeof(T);
    if (n) r.computed->compute(r.computed, first, n, block);
    return (const char *)block;
}

/* Blocks join like the digits of a counter: levels[k] holds 2^k of them where bit k of their number is set. The last
   one may have fewer links. */
FZ_INLINE vec join_long(size_t n, row r, way w) {
    vec levels[LEVELS], block[8], rest = vsplat(w.neutral);
    size_t blocks = 0, first = 0;
    while (n - first >= 8 * W) {
        const bool whole = n - first >= BLOCK;
        const size_t links = whole ? CHAIN : (n - first) / (8 * W);
        vec sum = join_part(r, first, links, w);
        first += links * 8 * W;
        if (whole) {
            int level = 0;
            for (; blocks >> level & 1; level++) sum = w.lane(levels[level], sum);
            levels[level] = sum;
            blocks++;
        } else {
            rest = sum;
        }
    }
    rest = chain(rest, n - first, find_elements(r, first, n - first, block), w);
    for (int level = 0; blocks >> level; level++) {
        if (blocks >> level & 1) rest = w.lane(levels[level], rest);
    }
    return rest;
}

FZ_INLINE vec join_row(size_t n, const char *x, way w) {
    if (n < W) return take_part(x, n, w);
    if (n <= SHORT) return chain(take_vector(x, w), n - W, x + sizeof(vec), w);
    return join_long(n, (row){x, NULL}, w);
}

/* To join the lanes of a batch takes about as long as those of BATCH / 4 vectors, one after the other. */
FZ_INLINE void reduce_rows(size_t count, size_t n, const char *x, ptrdiff_t row_stride, char *results,
                           way w) {
    vec v[BATCH];
    while (count) {
        const size_t rows = count >= BATCH ? BATCH : count > BATCH / 4 ? count : 1;
        for (size_t i = 0; i < rows; i++, x += row_stride) v[i] = join_row(n, x, w);
        for (size_t i = rows; rows > 1 && i < BATCH; i++) v[i] = v[0];
        if (rows == 1)
            store_one(results, join_lanes(v, 1, w.lane)[0]);
        else if (rows == BATCH)
            vstore(results, join_lanes(v, BATCH, w.lane));
        else
            vstore_part(results, join_lanes(v, BATCH, w.lane), rows);
        results += rows * sizeof(T);
        count -= rows;
    }
}

#if defined(FZ_SIMD_avx512) && defined(FZ_T_IS_FLOAT)

/* Machine code does nearly all: one function is enough for every way of joining. */
static void join_computed(fz_join join, size_t n, const fz_computed_row *computed, void *result) {
    static const way ways[FZ_JOIN_COUNT] = {
#define FZ_JOINING(name, dtypes, neutral) [FZ_JOIN_##name] = {name##_lane, (T)(neutral), false},
#include "ops.def"
    };
    const way w = {ways[join].lane, ways[join].neutral, false};
    vec sum, block[8];
    if (n > SHORT) {
        sum = join_long(n, (row){NULL, computed}, w);
    } else {
        computed->compute(computed, 0, n, block);
        sum = n < W ? vload_part(block, n, w.neutral) : chain(block[0], n - W, (const char *)&block[1], w);
    }
    store_one(result, join_lanes(&sum, 1, w.lane)[0]);
}

#define JOIN_COMPUTED join_computed
#else
#define JOIN_COMPUTED NULL
#endif

/* ---- a stack of rows to a row ----------------------------------------------------------------------------- */

/* `vectors` vectors side by side, from each of `rows` rows, joined in registers and with what is in z. What comes next
   is prefetched: of so many streams prefetchers lose track. */
FZ_INLINE void join_columns(size_t rows, int vectors, const char *x, ptrdiff_t row_stride, char *z,
                            bool first, way w) {
    enum { LINE = 64, AHEAD = 512 };
    vec sum[4];
#pragma GCC unroll 4
    for (int u = 0; u < vectors; u++) sum[u] = take_vector(x + u * sizeof(vec), w);
    for (size_t r = 1; r < rows; r++) {
        x += row_stride;
#pragma GCC unroll 4
        for (int u = 0; u < vectors; u++) {
            if (u * sizeof(vec) % LINE == 0) __builtin_prefetch(x + u * sizeof(vec) + AHEAD);
            sum[u] = w.lane(sum[u], take_vector(x + u * sizeof(vec), w));
        }
    }
#pragma GCC unroll 4
    for (int u = 0; u < vectors; u++, z += sizeof(vec)) vstore(z, first ? sum[u] : w.lane(vload(z), sum[u]));
}

/* CHAIN rows at a time from left to right: as many streams as prefetchers follow, each in memory order. */
FZ_INLINE void reduce_columns(size_t rows, size_t n, const char *x, ptrdiff_t row_stride, char *result,
                              way w) {
    for (bool first = true; rows; first = false) {
        const size_t group = rows < CHAIN ? rows : CHAIN;
        size_t j = 0;
        for (; j + 4 * W <= n; j += 4 * W)
            join_columns(group, 4, x + j * sizeof(T), row_stride, result + j * sizeof(T), first, w);
        for (; j + W <= n; j += W)
            join_columns(group, 1, x + j * sizeof(T), row_stride, result + j * sizeof(T), first, w);
        if (j < n) {
            const char *column = x + j * sizeof(T);
            vec sum = take_part(column, n - j, w);
            for (size_t r = 1; r < group; r++) sum = w.lane(sum, take_part(column += row_stride, n - j, w));
            char *z = result + j * sizeof(T);
            vstore_part(z, first ? sum : w.lane(vload_part(z, n - j, w.neutral), sum), n - j);
        }
        rows -= group;
        x += (ptrdiff_t)group * row_stride;
    }
}

static const T neutral_values[FZ_JOIN_COUNT] = {
#define FZ_JOINING(name, dtypes, neutral) FZ_WHERE_##dtypes([FZ_JOIN_##name] = (T)(neutral), )
#include "ops.def"
};

#define KERNELS(name, lane, neutral, skips_nan)                                                            \
    static void name##_rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, void *results) {  \
        reduce_rows(count, n, x, row_stride, results, (way){lane, (T)(neutral), skips_nan});               \
    }                                                                                                      \
    static void name##_columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, void *result) { \
        reduce_columns(rows, n, x, row_stride, result, (way){lane, (T)(neutral), skips_nan});              \
    }
#define FZ_JOINING(name, dtypes, neutral) FZ_WHERE_##dtypes(KERNELS(name, name##_lane, neutral, false))
#include "ops.def"
#if defined(FZ_T_IS_FLOAT)
KERNELS(add_numbers, add_lane, neutral_values[FZ_JOIN_add], true)
KERNELS(multiply_numbers, multiply_lane, neutral_values[FZ_JOIN_multiply], true)
#endif

extern const fz_reduce_kernels FZ_KERNEL(reduce);
const fz_reduce_kernels FZ_KERNEL(reduce) = {
    .neutral = neutral_values,
    .join_computed = JOIN_COMPUTED,
    .join_rows =
        {
#define FZ_JOINING(name, dtypes, neutral) FZ_WHERE_##dtypes([FZ_JOIN_##name] = name##_rows, )
#include "ops.def"
        },
    .join_columns =
        {
#define FZ_JOINING(name, dtypes, neutral) FZ_WHERE_##dtypes([FZ_JOIN_##name] = name##_columns, )
#include "ops.def"
        },
#if defined(FZ_T_IS_FLOAT)
    .join_number_rows = {[FZ_JOIN_add] = add_numbers_rows, [FZ_JOIN_multiply] = multiply_numbers_rows},
    .join_number_columns = {[FZ_JOIN_add] = add_numbers_columns,
                            [FZ_JOIN_multiply] = multiply_numbers_columns},
#endif
};
