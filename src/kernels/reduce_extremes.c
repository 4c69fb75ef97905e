/* Where the largest or the smallest of some elements stands first; NaN goes before all numbers. */
#include "vec.h"

enum {
    UNROLL = 4,
    BLOCK = 4096 / sizeof(T), /* elements that are looked through again if the extreme is among them */
    BLOCKS = 64,              /* at a time, of a row or of ... */
    ROWS = 8,                 /* ... so many rows: what is found of one does not hold up the next */
    AHEAD = 512,              /* bytes of columns */
};

/* Does x go before y? */
typedef mask order(vec x, vec y);
/* Which of both does? NaN where either is. */
typedef vec choice(vec x, vec y);

#if defined(FZ_T_IS_FLOAT)
FZ_INLINE mask larger(vec x, vec y) { return ~(x <= y) & (y == y); }
FZ_INLINE mask smaller(vec x, vec y) { return ~(x >= y) & (y == y); }
#else
FZ_INLINE mask larger(vec x, vec y) { return (mask)(x > y); }
FZ_INLINE mask smaller(vec x, vec y) { return (mask)(x < y); }
#endif

/* ---- rows ------------------------------------------------------------------------------------------------- */

/* As elements are compared: of bools any byte but 0 is true. */
#if defined(FZ_T_boolean)
FZ_INLINE vec compared(vec x) { return vminimum(x, vsplat(true)); }
#else
FZ_INLINE vec compared(vec x) { return x; }
#endif

FZ_INLINE vec load(const char *x) { return compared(vload(x)); }
FZ_INLINE vec load_filled(const char *x, size_t n) {
    return n >= W ? load(x) : compared(vload_part(x, n, load_one(x)));
}

/* Any NaN is NaN: where that is looked for, its bits do not matter. */
FZ_INLINE mask is_value(vec v, vec wanted, bool is_nan) { return is_nan ? visnan(v) : (mask)(v == wanted); }

/* The place of the first of n elements that is wanted; 0 where none is. */
FZ_INLINE size_t find_value(size_t n, const char *x, vec wanted, bool is_nan) {
    size_t i = 0;
    for (; !is_nan && i + UNROLL * W <= n; i += UNROLL * W) {
        mask any = is_value(load(x + i * sizeof(T)), wanted, is_nan);
#pragma GCC unroll 4
        for (size_t u = 1; u < UNROLL; u++)
            any |= is_value(load(x + i * sizeof(T) + u * sizeof(vec)), wanted, is_nan);
        if (vany(any)) break;
    }
    for (; i < n; i += W) {
        const mask same = is_value(load_filled(x + i * sizeof(T), n - i), wanted, is_nan);
        if (vany(same)) return i + vfirst(same);
    }
    return 0;
}

#if defined(FZ_T_boolean)

/* One of both truths goes before the other: its first, or the first of all where it is not there. */
FZ_INLINE void find_rows(size_t count, size_t n, const char *x, ptrdiff_t row_stride, int64_t first,
                         char *best, int64_t *index, order *before, choice *choose) {
    const vec wanted = choose(vsplat(false), vsplat(true));
    for (; count; count--, x += row_stride, best += sizeof(T), index++) {
        const size_t place = find_value(n, x, wanted, false);
        const vec value = compared(vsplat(load_one(x + place)));
        if (*index >= 0 && !before(value, vsplat(load_one(best)))[0]) continue;
        store_one(best, value[0]);
        *index = first + (int64_t)place;
    }
}

#else

/* n elements lane by lane: each lane's first of all, in vectors that begin at x. The newcomer is the operand that a
   choice compares with itself: so the accumulators wait for one instruction only. */
FZ_INLINE vec find_extremes(size_t n, const char *x, choice *choose) {
    vec best[UNROLL];
    size_t i = 0;
    if (n >= UNROLL * W) {
#pragma GCC unroll 4
        for (size_t u = 0; u < UNROLL; u++) best[u] = vload(x + u * sizeof(vec));
        for (i = UNROLL * W; i + UNROLL * W <= n; i += UNROLL * W) {
#pragma GCC unroll 4
            for (size_t u = 0; u < UNROLL; u++) {
                const char *from = x + i * sizeof(T) + u * sizeof(vec);
                if (u * sizeof(vec) % 64 == 0) __builtin_prefetch(from + BLOCK * sizeof(T));
                best[u] = choose(vload(from), best[u]);
            }
        }
#pragma GCC unroll 4
        for (size_t u = 1; u < UNROLL; u++) best[0] = choose(best[0], best[u]);
    } else {
        best[0] = load_filled(x, n);
        i = W;
    }
    for (; i < n; i += W) {
        const vec v = load_filled(x + i * sizeof(T), n - i);
        best[0] = choose(v, best[0]);
    }
    return best[0];
}

FZ_INLINE size_t find_in_its_block(size_t n, const char *x, const vec blocks[], vec wanted, bool is_nan) {
    size_t at = 0;
    while (!vany(is_value(*blocks, wanted, is_nan))) blocks++, at += BLOCK;
    return at + find_value(n - at < BLOCK ? n - at : BLOCK, x + at * sizeof(T), wanted, is_nan);
}

static size_t find_place(size_t n, const char *x, const vec blocks[], T value) {
    const vec wanted = vsplat(value);
    return visnan(wanted)[0] ? find_in_its_block(n, x, blocks, wanted, true)
                             : find_in_its_block(n, x, blocks, wanted, false);
}

/* Each block's extremes, and the row's. */
FZ_INLINE vec find_in_blocks(size_t n, const char *x, vec blocks[], choice *choose) {
    vec best = vsplat(load_one(x));
    for (size_t i = 0; i < n; i += BLOCK, x += BLOCK * sizeof(T)) {
        const vec lanes = find_extremes(n - i < BLOCK ? n - i : BLOCK, x, choose);
        best = choose(lanes, best);
        *blocks++ = lanes;
    }
    return best;
}

FZ_INLINE void keep(T value, size_t n, const char *x, const vec blocks[], int64_t first, char *best,
                    int64_t *index, order *before) {
    if (*index >= 0 && !before(vsplat(value), vsplat(load_one(best)))[0]) return;
    store_one(best, value);
    *index = first + (int64_t)find_place(n, x, blocks, value);
}

FZ_INLINE void find_in_rows(size_t count, size_t n, const char *x, ptrdiff_t row_stride, int64_t first,
                            char *best, int64_t *index, order *before, choice *choose) {
    vec blocks[BLOCKS];
    const size_t height = (n + BLOCK - 1) / BLOCK, most = ROWS * height <= BLOCKS ? ROWS : 1;
    for (size_t rows; count; count -= rows, x += (ptrdiff_t)rows * row_stride) {
        T values[ROWS];
        rows = count < most ? count : most;
        for (size_t i = 0; i < rows; i++) {
            vec lanes = find_in_blocks(n, x + (ptrdiff_t)i * row_stride, blocks + i * height, choose);
            values[i] = join_lanes(&lanes, 1, choose)[0];
        }
        for (size_t i = 0; i < rows; i++, best += sizeof(T))
            keep(values[i], n, x + (ptrdiff_t)i * row_stride, blocks + i * height, first, best, index++,
                 before);
    }
}

FZ_INLINE void find_rows(size_t count, size_t n, const char *x, ptrdiff_t row_stride, int64_t first,
                         char *best, int64_t *index, order *before, choice *choose) {
    enum { PIECE = BLOCKS * BLOCK };
    for (size_t i = 0; i < n; i += PIECE)
        find_in_rows(count, n - i < PIECE ? n - i : PIECE, x + i * sizeof(T), row_stride, first + (int64_t)i,
                     best, index, before, choose);
}

#endif

/* ---- columns ---------------------------------------------------------------------------------------------- */

FZ_INLINE void keep_column(T value, int64_t at, char *best, int64_t *index, order *before) {
    if (*index >= 0 && !before(vsplat(value), vsplat(load_one(best)))[0]) return;
    store_one(best, value);
    *index = at;
}

/* `vectors` vectors side by side, rest of the last one's lanes at most. What comes next is prefetched: of so many rows
   prefetchers lose track. */
FZ_INLINE void find_in_columns(size_t rows, size_t vectors, size_t rest, const char *x, ptrdiff_t row_stride,
                               int64_t first, char *best, int64_t *index, order *before) {
    vec extreme[UNROLL];
    mask at[UNROLL];
#pragma GCC unroll 4
    for (size_t u = 0; u < vectors; u++) {
        extreme[u] = load_filled(x + u * sizeof(vec), rest);
        at[u] = (mask)(vsplat(0) != vsplat(0));
    }
    for (size_t r = 1; r < rows; r++) {
        x += row_stride;
        const mask row = (bits)r - (mask){0};
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            if (u * sizeof(vec) % 64 == 0)
                __builtin_prefetch((const void *)((uintptr_t)x + u * sizeof(vec) + AHEAD));
            const vec v = load_filled(x + u * sizeof(vec), rest);
            const mask found = before(v, extreme[u]);
            extreme[u] = vselect(found, v, extreme[u]);
            at[u] = (found & row) | (~found & at[u]);
        }
    }
    for (size_t u = 0; u < vectors; u++) {
        T values[W];
        bits places[W];
        memcpy(values, &extreme[u], sizeof values);
        memcpy(places, &at[u], sizeof places);
        for (size_t lane = 0; lane < W && lane < rest; lane++, best += sizeof(T), index++)
            keep_column(values[lane], first + places[lane], best, index, before);
    }
}

FZ_INLINE void find_columns(size_t rows, size_t n, const char *x, ptrdiff_t row_stride, int64_t first,
                            char *best, int64_t *index, order *before) {
    size_t j = 0;
    for (; j + UNROLL * W <= n; j += UNROLL * W)
        find_in_columns(rows, UNROLL, W, x + j * sizeof(T), row_stride, first, best + j * sizeof(T),
                        index + j, before);
    for (; j < n; j += W)
        find_in_columns(rows, 1, n - j, x + j * sizeof(T), row_stride, first, best + j * sizeof(T), index + j,
                        before);
}

#define KERNELS(order, choice)                                                                             \
    static void order##_rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, int64_t first,   \
                             void *best, int64_t *index) {                                                 \
        find_rows(count, n, x, row_stride, first, best, index, order, choice);                             \
    }                                                                                                      \
    static void order##_columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, int64_t first, \
                                void *best, int64_t *index) {                                              \
        find_columns(rows, n, x, row_stride, first, best, index, order);                                   \
    }
KERNELS(larger, vmaximum)
KERNELS(smaller, vminimum)

extern const fz_extreme_kernels FZ_KERNEL(extreme);
const fz_extreme_kernels FZ_KERNEL(extreme) = {
    .rows = {[FZ_JOIN_maximum] = larger_rows, [FZ_JOIN_minimum] = smaller_rows},
    .columns = {[FZ_JOIN_maximum] = larger_columns, [FZ_JOIN_minimum] = smaller_columns},
};
