/* Windows joined in registers: the rows of each column, one after the other, then the columns. */
#include "vec.h"

#if FZ_T_IS_POOLED

enum { AHEAD = 4096 /* bytes of a row; what prefetches by itself stops at the ends of pages */ };

/* Unsigned integers compare as the signed ones that differ from them in the top bit. */
#if defined(FZ_T_IS_FLOAT)
FZ_INLINE vec turn_sign(vec x, const fz_pool_window *w) { return (void)w, x; }
#else
FZ_INLINE vec turn_sign(vec x, const fz_pool_window *w) {
    return x ^ vsplat(w->is_unsigned ? (T)((unsigned_T)1 << (BITS - 1)) : 0);
}
#endif

/* All lanes, or the first of them. */
FZ_INLINE vec load_lanes(const char *x, size_t lanes) { return lanes == W ? vload(x) : vsplat(load_one(x)); }

/* Elements `at` and up of all rows. */
FZ_INLINE vec join_column(const fz_pool_window *w, ptrdiff_t at, size_t lanes, bool ahead,
                          lane_function *lane) {
    vec joined = {0};
#pragma GCC unroll 3
    for (size_t p = 0; p < w->height; p++) {
        const char *from = w->rows[p] + at * (ptrdiff_t)sizeof(T);
        const vec x = turn_sign(load_lanes(from, lanes), w);
        if (ahead) __builtin_prefetch(from + AHEAD);
        joined = p ? lane(x, joined) : x;
    }
    return joined;
}

FZ_INLINE vec join_window(const fz_pool_window *w, ptrdiff_t at, size_t lanes, bool ahead,
                          lane_function *lane) {
    vec joined = {0};
#pragma GCC unroll 3
    for (size_t q = 0; q < w->width; q++) {
        const vec x = join_column(w, at + (ptrdiff_t)(q * w->step), lanes, ahead && q == 0, lane);
        joined = q ? lane(x, joined) : x;
    }
    return joined;
}

/* Windows of 2 or 3 columns, two elements apart: two columns at once from every other element. The third comes with
   the second once more, so that nothing is read that no window sees. */
FZ_INLINE vec join_windows_by_two(const fz_pool_window *w, ptrdiff_t at, lane_function *lane) {
    const vec a = join_column(w, at, W, true, lane), b = join_column(w, at + W, W, true, lane);
    const vec joined = lane(vodds(a, b), vevens(a, b));
    if (w->width == 2) return joined;
    return lane(vodds(join_column(w, at + 1, W, false, lane), join_column(w, at + 1 + W, W, false, lane)),
                joined);
}

/* `lanes` windows at a time; the last ones overlap their predecessors. */
FZ_INLINE void pool(const fz_pool_window *w, ptrdiff_t first, size_t n, char *out, size_t lanes, bool square,
                    bool mean, lane_function *lane) {
    for (size_t i = 0; i < n; i += lanes) {
        const size_t c = i + lanes <= n ? i : n - lanes;
        const ptrdiff_t at = first + (ptrdiff_t)(w->by_two ? 2 * c : c);
        vec joined =
            square && w->by_two ? join_windows_by_two(w, at, lane) : join_window(w, at, lanes, square, lane);
        if (mean)
            joined = w->divisors ? joined / load_lanes((const char *)w->divisors + c * sizeof(T), lanes)
                                 : joined * vsplat((T)w->scale);
        joined = turn_sign(joined, w);
        if (lanes == W)
            vstore(out + c * sizeof(T), joined);
        else
            store_one(out + c * sizeof(T), joined[0]);
    }
}

/* As the compiler knows the window, which is square. */
FZ_INLINE void pool_square(const fz_pool_window *w, size_t side, bool by_two, ptrdiff_t first, size_t n,
                           char *out, bool mean, lane_function *lane) {
    const char *const rows[] = {w->rows[0], w->rows[1], w->rows[side - 1]};
    fz_pool_window known = *w;
    known.height = known.width = side;
    known.rows = rows;
    known.by_two = by_two;
    pool(&known, first, n, out, W, true, mean, lane);
}

FZ_INLINE void pool_any(const fz_pool_window *w, ptrdiff_t first, size_t n, char *out, bool mean,
                        lane_function *lane) {
    const bool square = n >= W && w->height == w->width;
    if (square && w->height == 2 && w->by_two)
        pool_square(w, 2, true, first, n, out, mean, lane);
    else if (square && w->height == 3 && w->by_two)
        pool_square(w, 3, true, first, n, out, mean, lane);
    else if (square && w->height == 3)
        pool_square(w, 3, false, first, n, out, mean, lane);
    else
        pool(w, first, n, out, n >= W && !w->by_two ? W : 1, false, mean, lane);
}

static void pool_max(const fz_pool_window *window, ptrdiff_t first, size_t n, void *out) {
    pool_any(window, first, n, out, false, vmaximum);
}

#if defined(FZ_T_IS_FLOAT)
static void pool_mean(const fz_pool_window *window, ptrdiff_t first, size_t n, void *out) {
    pool_any(window, first, n, out, true, vadd);
}
#endif

extern const fz_pool_kernels FZ_KERNEL(pool);
const fz_pool_kernels FZ_KERNEL(pool) = {
    .max = pool_max,
#if defined(FZ_T_IS_FLOAT)
    .mean = pool_mean,
#endif
};

#endif
