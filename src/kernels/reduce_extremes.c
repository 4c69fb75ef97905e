/* Where the largest or the smallest of some elements stands first; NaN goes before all numbers. */
#include "vec.h"

enum {
    UNROLL = 4,
    BLOCK = 4096 / sizeof(T), /* elements that are looked through again if the extreme is among them */
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

FZ_INLINE vec load_filled(const char *x, size_t n) {
    return n >= W ? vload(x) : vload_part(x, n, load_one(x));
}

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
                const vec v = vload(x + i * sizeof(T) + u * sizeof(vec));
                best[u] = choose(v, best[u]);
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

#if defined(FZ_T_IS_FLOAT)
FZ_INLINE T join_vector(vec lanes, choice *choose) {
#pragma GCC unroll 4
    for (int left = W; left > 1; left /= 2)
        lanes = choose(vinterleave_low(lanes, lanes), vinterleave_high(lanes, lanes));
    return lanes[0];
}
#else
FZ_INLINE T join_vector(vec lanes, choice *choose) {
    char halves[2 * sizeof(vec)] = {0};
    for (size_t half = sizeof(vec) / 2; half >= sizeof(T); half /= 2) {
        vstore(halves, lanes);
        lanes = choose(lanes, vload(halves + half));
    }
    return lanes[0];
}
#endif

/* The place of the first of n elements that is `value`, which is there; any NaN is NaN. */
FZ_INLINE size_t find_value(size_t n, const char *x, T value) {
    const vec wanted = vsplat(value);
    const mask any_nan = visnan(wanted);
    for (size_t i = 0; i < n; i += W) {
        const vec v = load_filled(x + i * sizeof(T), n - i);
        const mask same = (v == wanted) | (visnan(v) & any_nan);
        if (vany(same)) return i + vfirst(same);
    }
    return 0;
}

/* Of the blocks only the last whose extreme goes before all others' is remembered, and looked through at the end. */
FZ_INLINE void find_in_row(size_t n, const char *x, int64_t first, char *best, int64_t *index, order *before,
                           choice *choose) {
    size_t found = n;
    for (size_t i = 0; i < n; i += BLOCK) {
        const vec lanes = find_extremes(n - i < BLOCK ? n - i : BLOCK, x + i * sizeof(T), choose);
        if (*index >= 0 && !vany(before(lanes, vsplat(load_one(best))))) continue;
        store_one(best, join_vector(lanes, choose));
        *index = first;
        found = i;
    }
    if (found < n)
        *index = first + (int64_t)(found + find_value(n - found, x + found * sizeof(T), load_one(best)));
}

/* ---- columns ---------------------------------------------------------------------------------------------- */

FZ_INLINE void keep_column(T value, int64_t at, char *best, int64_t *index, order *before) {
    if (*index >= 0 && !before(vsplat(value), vsplat(load_one(best)))[0]) return;
    store_one(best, value);
    *index = at;
}

/* `vectors` vectors side by side, rest of the last one's lanes at most. */
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
    static void order##_row(size_t n, const void *x, int64_t first, void *best, int64_t *index) {          \
        find_in_row(n, x, first, best, index, order, choice);                                              \
    }                                                                                                      \
    static void order##_columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, int64_t first, \
                                void *best, int64_t *index) {                                              \
        find_columns(rows, n, x, row_stride, first, best, index, order);                                   \
    }
KERNELS(larger, vmaximum)
KERNELS(smaller, vminimum)

extern const fz_extreme_kernels FZ_KERNEL(extreme);
const fz_extreme_kernels FZ_KERNEL(extreme) = {
    .row = {[FZ_JOIN_maximum] = larger_row, [FZ_JOIN_minimum] = smaller_row},
    .columns = {[FZ_JOIN_maximum] = larger_columns, [FZ_JOIN_minimum] = smaller_columns},
};
