/* Windows joined in registers: the rows of each column, one after the other, then the columns from the first on. */
#include "vec.h"

#if FZ_T_IS_POOLED

enum {
    AHEAD = 4096 /* bytes of a row; what prefetches by itself stops at the ends of pages */,
    CHAIN = 8 /* steps */
};

/* Of a vector of columns that begins at some element: which lanes are inside the rows. */
#if FZ_CHEAP_PARTS
typedef lane_set inside;
#define FZ_CLIPPED FZ_INLINE
#else
typedef enum inside { ALL, NOT_LAST, LAST_TWO, LAST, NONE } inside;
#define FZ_CLIPPED static __attribute__((noinline)) /* as it is long, and every line needs it a few times */
#endif
typedef vec clipped_function(const fz_pool_window *w, ptrdiff_t at, inside set);

/* What the compiler knows. */
typedef struct form {
    lane_function *lane;
    bool mean;
    clipped_function *clipped; /* join_clipped_column */
} form;

/* Unsigned integers compare as the signed ones that differ from them in the top bit. */
#if defined(FZ_T_IS_FLOAT)
FZ_INLINE vec turn_sign(vec x, const fz_pool_window *w) { return (void)w, x; }
FZ_INLINE T identity(const fz_pool_window *w, const form *f) {
    return (void)w, f->mean ? (T)-0.0 : -(T)INFINITY;
}
#else
FZ_INLINE vec turn_sign(vec x, const fz_pool_window *w) {
    return x ^ vsplat(w->is_unsigned ? (T)((unsigned_T)1 << (BITS - 1)) : 0);
}
FZ_INLINE T identity(const fz_pool_window *w, const form *f) {
    return (void)f, w->is_unsigned ? 0 : (T)((unsigned_T)1 << (BITS - 1));
}
#endif

/* ---- columns ----------------------------------------------------------------------------------------------------- */

FZ_INLINE vec load(const fz_pool_window *w, size_t p, ptrdiff_t at) {
    return turn_sign(vload(w->rows[p] + at * (ptrdiff_t)sizeof(T)), w);
}

/* Elements `at` and up of all rows; what lies ahead of the last `fresh` of them is asked for. */
FZ_INLINE vec join_column(const fz_pool_window *w, size_t height, ptrdiff_t at, size_t fresh, const form *f) {
    vec joined = f->lane(load(w, 1, at), load(w, 0, at));
    if (height == 3) joined = f->lane(load(w, 2, at), joined);
#pragma GCC unroll 3
    for (size_t p = height - fresh; p < height; p++)
        __builtin_prefetch(w->rows[p] + at * (ptrdiff_t)sizeof(T) + AHEAD);
    return joined;
}

/* Columns, and the identity in lanes that are not inside. */
#if FZ_CHEAP_PARTS

FZ_INLINE inside lanes_inside(const fz_pool_window *w, ptrdiff_t at) {
    return lanes_between(-at, w->end - at);
}

FZ_INLINE vec load_clipped(const fz_pool_window *w, size_t p, ptrdiff_t at, inside set, const form *f) {
    return turn_sign(vload_lanes(w->rows[p] + at * (ptrdiff_t)sizeof(T), set, identity(w, f)), w);
}

FZ_INLINE vec join_clipped_column(const fz_pool_window *w, ptrdiff_t at, inside set, const form *f) {
    vec joined = f->lane(load_clipped(w, 1, at, set, f), load_clipped(w, 0, at, set, f));
    if (w->height == 3) joined = f->lane(load_clipped(w, 2, at, set, f), joined);
    return joined;
}

#else

/* As far as it matters: only the last two lanes do where a vector begins before the rows; and at most one lane is behind
   them. */
FZ_INLINE inside lanes_inside(const fz_pool_window *w, ptrdiff_t at) {
    if (at < 0) return at + W < 1 ? NONE : at + W < 2 ? LAST : LAST_TWO;
    return at + W <= w->end ? ALL : NOT_LAST;
}

FZ_INLINE vec join_one_column(const fz_pool_window *w, ptrdiff_t at, const form *f) {
    vec joined = vsplat(load_one(w->rows[0] + at * (ptrdiff_t)sizeof(T)));
    joined = turn_sign(joined, w);
    for (size_t p = 1; p < w->height; p++)
        joined = f->lane(turn_sign(vsplat(load_one(w->rows[p] + at * (ptrdiff_t)sizeof(T))), w), joined);
    return joined;
}

FZ_INLINE vec join_clipped_column(const fz_pool_window *w, ptrdiff_t at, inside set, const form *f) {
    const vec none = turn_sign(vsplat(identity(w, f)), w);
    if (set == NONE) return none;
    if (set == ALL || set == NOT_LAST) {
        vec joined = join_column(w, 2, at - (set == NOT_LAST), 0, f);
        if (w->height == 3) joined = f->lane(load(w, 2, at - (set == NOT_LAST)), joined);
        return set == ALL ? joined : vshift_down(joined, none);
    }
    const vec last = join_one_column(w, at + W - 1, f);
    return vshift_down(set == LAST ? none : join_one_column(w, at + W - 2, f), last);
}

#endif

/* ---- windows side by side, from columns that are each loaded and joined once ------------------------------------------ */

/* In the last lanes of each: the columns one and two to the left of those that come next. */
typedef struct passed {
    vec one, two;
} passed;

/* x: the next columns. */
FZ_INLINE vec slide_by_one(vec x, passed *before, const form *f) {
    const vec second = vshift_up(before->one, x), first = vshift_up(before->two, second);
    *before = (passed){x, second};
    return f->lane(x, f->lane(second, first));
}

/* x, y: the next columns. */
FZ_INLINE vec slide_by_two(vec x, vec y, size_t side, passed *before, const form *f) {
    const vec evens = vevens(x, y), odds = vodds(x, y);
    const vec joined = side == 2 ? evens : f->lane(evens, vshift_up(before->one, odds));
    before->one = odds;
    return f->lane(odds, joined);
}

FZ_INLINE vec divide(const fz_pool_window *w, vec sums, size_t c, const form *f) {
    if (!f->mean) return sums;
    if (!w->divisors) return sums * vsplat((T)w->scale);
    return sums / vload((const char *)w->divisors + c * sizeof(T));
}

/* Lines of windows: the first comes behind columns that may be outside; then whole vectors, of columns inside; then
   a vector of which some columns are outside or some windows are none. Without cheap parts that overlaps the last. */
typedef struct line {
    ptrdiff_t at, last_at; /* first columns of the first and of the last vector */
    size_t vectors, last;  /* whole ones; the window from which the last begins, n if there is none */
    inside back, last_back, x, y;
} line;

FZ_INLINE line plan_line(const fz_pool_window *w, ptrdiff_t first, size_t n) {
    const size_t by = 1 + w->by_two;
    line l = {.at = first + (w->height == 2 ? 0 : 2 - w->by_two)};
    const size_t columns = (size_t)(w->end > l.at ? w->end - l.at : 0) / by;
    l.vectors = (columns < n ? columns : n) / W;
    l.last = FZ_CHEAP_PARTS || l.vectors * W == n ? l.vectors * W : n - W;
    l.last_at = l.at + (ptrdiff_t)(by * l.last);
    l.back = lanes_inside(w, l.at - W);
    l.last_back = lanes_inside(w, l.last_at - W);
    l.x = lanes_inside(w, l.last_at);
    l.y = lanes_inside(w, l.last_at + W);
    return l;
}

FZ_INLINE passed look_back(const fz_pool_window *w, ptrdiff_t at, inside set, const form *f) {
    passed before = {0};
    if (w->height == 2) return before;
    before.one = f->clipped(w, at - W, set);
    before.two = vshift_up(before.one, before.one);
    return before;
}

FZ_INLINE void pool_whole(const fz_pool_window *w, size_t side, bool by_two, const line *l, passed *before,
                          bool streams, char *out, const form *f) {
    const fz_pool_window known = *w; /* which no store changes */
    ptrdiff_t at = l->at;
    for (size_t c = 0; c < l->vectors * W; c += W, at += by_two ? 2 * W : W) {
        vec joined = join_column(&known, side, at, by_two ? 2 : 1, f);
        if (by_two)
            joined = slide_by_two(joined, join_column(&known, side, at + W, 2, f), side, before, f);
        else
            joined = slide_by_one(joined, before, f);
        joined = turn_sign(divide(&known, joined, c, f), &known);
        if (streams)
            vstream(out + c * sizeof(T), joined);
        else
            vstore(out + c * sizeof(T), joined);
    }
}

FZ_INLINE void pool_last(const fz_pool_window *w, size_t n, const line *l, passed *before, char *out,
                         const form *f) {
    if (!FZ_CHEAP_PARTS) *before = look_back(w, l->last_at, l->last_back, f);
    vec joined = f->clipped(w, l->last_at, l->x);
    if (w->by_two)
        joined = slide_by_two(joined, f->clipped(w, l->last_at + W, l->y), w->height, before, f);
    else
        joined = slide_by_one(joined, before, f);
    joined = turn_sign(divide(w, joined, l->last, f), w);
    if (FZ_CHEAP_PARTS)
        vstore_part(out + l->last * sizeof(T), joined, n - l->last);
    else
        vstore(out + l->last * sizeof(T), joined);
}

FZ_INLINE void pool_line(const fz_pool_window *w, size_t n, const line *l, char *out, const form *f) {
    const bool streams = w->streams && (uintptr_t)out % sizeof(vec) == 0;
    passed before = look_back(w, l->at, l->back, f);
    if (w->height == 2)
        pool_whole(w, 2, true, l, &before, streams, out, f);
    else if (w->by_two)
        pool_whole(w, 3, true, l, &before, streams, out, f);
    else
        pool_whole(w, 3, false, l, &before, streams, out, f);
    if (l->last < n) pool_last(w, n, l, &before, out, f);
}

/* ---- windows of channels: all of a call divided by the same number --------------------------------------------- */

FZ_INLINE void store_joined(const fz_pool_window *w, vec joined, size_t c, char *out, const form *f) {
    vstore(out + c * sizeof(T), turn_sign(divide(w, joined, 0, f), w));
}

FZ_INLINE vec join_window(const fz_pool_window *w, size_t height, size_t width, ptrdiff_t at, const form *f) {
    vec joined = join_column(w, height, at, 2, f);
    for (size_t q = 1; q < width; q++)
        joined = f->lane(join_column(w, height, at + (ptrdiff_t)(q * w->step), 0, f), joined);
    return joined;
}

/* The last ones overlap their predecessors. */
FZ_INLINE void pool_apart(const fz_pool_window *w, ptrdiff_t first, size_t n, char *out, const form *f) {
    for (size_t i = 0; i < n; i += W) {
        const size_t c = i + W <= n ? i : n - W;
        const ptrdiff_t at = first + (ptrdiff_t)c;
        const vec joined = w->height == 3 && w->width == 3 ? join_window(w, 3, 3, at, f)
                                                           : join_window(w, w->height, w->width, at, f);
        store_joined(w, joined, c, out, f);
    }
}

/* Windows of 3 x 3 from c on, `step` apart: each has two columns of its predecessor's. */
FZ_INLINE void pool_chain(const fz_pool_window *w, ptrdiff_t first, size_t c, size_t end, char *out,
                          const form *f) {
    passed before = {0};
    ptrdiff_t at = first + (ptrdiff_t)c;
    for (int columns = 1; c < end; columns++, at += (ptrdiff_t)w->step) {
        const vec x = join_column(w, 3, at, 2, f);
        if (columns >= 3) {
            store_joined(w, f->lane(x, f->lane(before.one, before.two)), c, out, f);
            c += w->step;
        }
        before = (passed){x, before.one};
    }
}

/* So many steps at a time that what chains read stays in L1. The last chains overlap their predecessors. */
FZ_INLINE void pool_chains(const fz_pool_window *w, ptrdiff_t first, size_t n, char *out, const form *f) {
    const fz_pool_window known = *w; /* which no store changes */
    const size_t step = known.step, most = step == W ? n : CHAIN * step;
    for (size_t begin = 0; begin < n; begin += most) {
        const size_t end = begin + most < n ? begin + most : n;
        for (size_t i = 0; i < step; i += W)
            pool_chain(&known, first, begin + (i + W <= step ? i : step - W), end, out, f);
    }
}

FZ_INLINE void pool(const fz_pool_window *given, ptrdiff_t first, size_t n, char *out, const form f) {
    fz_pool_window w = *given;
    const line l = w.slides ? plan_line(&w, first, n) : (line){0};
    /* means wait for divisions either way */
    const bool chained = !f.mean && w.height == 3 && w.width == 3 && n > w.step && n % w.step == 0;
    for (size_t r = 0; r < w.lines; r++, out += w.out_down) {
        if (w.slides)
            pool_line(&w, n, &l, out, &f);
        else if (chained)
            pool_chains(&w, first, n, out, &f);
        else
            pool_apart(&w, first, n, out, &f);
        for (size_t p = 0; p < FZ_POOL_SIDE; p++) w.rows[p] += w.down;
    }
    if (w.streams) vfence();
}

FZ_CLIPPED vec clip_max(const fz_pool_window *w, ptrdiff_t at, inside set) {
    return join_clipped_column(w, at, set, &(form){.lane = vmaximum});
}

static void pool_max(const fz_pool_window *window, ptrdiff_t first, size_t n, void *out) {
    pool(window, first, n, out, (form){vmaximum, false, clip_max});
}

#if defined(FZ_T_IS_FLOAT)
FZ_CLIPPED vec clip_mean(const fz_pool_window *w, ptrdiff_t at, inside set) {
    return join_clipped_column(w, at, set, &(form){.lane = vadd, .mean = true});
}

static void pool_mean(const fz_pool_window *window, ptrdiff_t first, size_t n, void *out) {
    pool(window, first, n, out, (form){vadd, true, clip_mean});
}
#endif

extern const fz_pool_kernels FZ_KERNEL(pool);
const fz_pool_kernels FZ_KERNEL(pool) = {
    .shortest = FZ_CHEAP_PARTS ? 1 : W,
    .max = pool_max,
#if defined(FZ_T_IS_FLOAT)
    .mean = pool_mean,
#endif
};

#endif
