/* Passes over a row: what softmax, the normalisations, norms and inner products are made of.

   A sum is of blocks of ACCUMULATORS chains of LINKS terms, whose results add to a pair of numbers without rounding
   (Knuth's two-sum), and then of the lanes as a tree. So a result of n terms of one sign, however many, has at most
   LINKS + 3 + log2(W) + ACCUMULATORS roundings behind it. Its order is fixed by n alone. */
#include "functions.h"

enum { LINKS = 4, MOST_ACCUMULATORS = 8 };

typedef struct terms {
    const char *x, *y;
    char *out;
    vec scale, shift, low;
    vec top; /* of an exponential pass: how many terms were 1 */
} terms;

/* sum + the terms of the first `lanes` elements at a byte offset. */
typedef vec term_function(terms *t, vec sum, size_t at, size_t lanes);

FZ_INLINE vec load(const char *p, size_t lanes, T fill) {
    return lanes == W ? vload(p) : vload_part(p, lanes, fill);
}

FZ_INLINE void store(char *p, vec v, size_t lanes) {
    if (lanes == W)
        vstore(p, v);
    else
        vstore_part(p, v, lanes);
}

/* ---- joining --------------------------------------------------------------------------------------------- */

typedef vec lane_function(vec x, vec y);

FZ_INLINE T join_lanes(vec v, lane_function *lane) {
    for (int lanes = W; lanes > 1; lanes /= 2) v = lane(vinterleave_low(v, v), vinterleave_high(v, v));
    return v[0];
}

FZ_INLINE vpair add_block(vpair total, vec block) {
    const vpair sum = vsum(total.high, block);
    return (vpair){sum.high, total.low + sum.low};
}

/* Where the sum is not finite, its rounding errors are no numbers. */
FZ_INLINE T join_total(vpair total) {
    const mask finite = total.high - total.high == 0;
    return join_lanes(total.high + vselect(finite, total.low, vsplat(0)), vadd);
}

/* ---- sums ------------------------------------------------------------------------------------------------ */

FZ_INLINE vec sum_block(terms *t, size_t at, size_t links, int accumulators, term_function *term) {
    vec sum[MOST_ACCUMULATORS];
    for (int u = 0; u < accumulators; u++) sum[u] = vsplat(0);
    for (size_t i = 0; i < links; i++) {
        for (int u = 0; u < accumulators; u++, at += sizeof(vec)) sum[u] = term(t, sum[u], at, W);
    }
    for (int pair = 1; pair < accumulators; pair *= 2) {
        for (int u = 0; u < accumulators; u += 2 * pair) sum[u] = sum[u] + sum[u + pair];
    }
    return sum[0];
}

FZ_INLINE T sum_terms(size_t n, terms *t, int accumulators, term_function *term) {
    vpair total = {vsplat(0), vsplat(0)};
    vec last = vsplat(0);
    size_t at = 0;
    const size_t step = (size_t)accumulators * sizeof(vec);
    for (size_t links = n / W / (size_t)accumulators; links;) {
        const size_t count = links < LINKS ? links : LINKS;
        total = add_block(total, sum_block(t, at, count, accumulators, term));
        at += count * step;
        links -= count;
    }
    for (n -= at / sizeof(T); n >= W; n -= W, at += sizeof(vec)) last = term(t, last, at, W);
    if (n) last = term(t, last, at, n);
    return join_total(add_block(total, last));
}

/* t[i]; 0 beyond the row. */
FZ_INLINE vec load_centred(const terms *t, size_t at, size_t lanes) {
    const vec v = (load(t->x + at, lanes, 0) * t->scale - t->shift) - t->low;
    if (lanes == W) return v;
    T memory[W];
    vstore(memory, v);
    return vload_part(memory, lanes, 0);
}

FZ_INLINE vec add_centred(terms *t, vec sum, size_t at, size_t lanes) {
    return sum + load_centred(t, at, lanes);
}

FZ_INLINE vec add_square(terms *t, vec sum, size_t at, size_t lanes) {
    const vec v = load_centred(t, at, lanes);
    return vfma(v, v, sum);
}

FZ_INLINE vec add_product(terms *t, vec sum, size_t at, size_t lanes) {
    return vfma(load(t->x + at, lanes, 0), load(t->y + at, lanes, 0), sum);
}

/* e^(d + low) is e^d (1 + low), where low is what rounding took from the difference: 1.5 ULP in all. Long before d is
   infinite, and low no number, the power is 0. */
FZ_INLINE vec add_power(terms *t, vec sum, size_t at, size_t lanes) {
    const vpair d = vsum(load(t->x + at, lanes, -(T)INFINITY), -t->shift);
    const vec power = vexp(d.high), low = vselect(d.high > -1000, d.low, vsplat(0));
    const vec exact = vfma(power, low, power);
    const mask is_top = d.high == 0;
    if (t->out) store(t->out + at, exact, lanes);
    t->top = t->top + vselect(is_top, vsplat(1), vsplat(0));
    return sum + vselect(is_top, vsplat(0), exact);
}

static terms make_terms(const fz_row_operands *o, const fz_row_values *v) {
    return (terms){o->x,     o->y, o->out, vsplat((T)v->scale), vsplat((T)v->shift), vsplat((T)v->low),
                   vsplat(0)};
}

static void sum(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    terms t = make_terms(o, v);
    result->sum = sum_terms(n, &t, 8, add_centred);
}

static void squares(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    terms t = make_terms(o, v);
    result->sum = sum_terms(n, &t, 8, add_square);
}

static void dot(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    (void)v;
    terms t = {.x = o->x, .y = o->y};
    result->sum = sum_terms(n, &t, 8, add_product);
}

static void powers(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    terms t = make_terms(o, v);
    result->sum = t.out ? sum_terms(n, &t, 2, add_power) : sum_terms(n, &t, 2, add_power);
    result->top = join_lanes(t.top, vadd);
}

/* ---- extremes -------------------------------------------------------------------------------------------- */

FZ_INLINE T find_largest(size_t n, const char *x, vec sign_bit) {
    vec largest[4];
    const vec lowest = vsplat(-(T)INFINITY);
    for (int u = 0; u < 4; u++) largest[u] = lowest;
    for (; n >= 4 * W; n -= 4 * W) {
        for (int u = 0; u < 4; u++, x += sizeof(vec))
            largest[u] = vmaximum(largest[u], (vec)((mask)vload(x) & ~(mask)sign_bit));
    }
    for (; n >= W; n -= W, x += sizeof(vec))
        largest[0] = vmaximum(largest[0], (vec)((mask)vload(x) & ~(mask)sign_bit));
    if (n) largest[1] = vmaximum(largest[1], (vec)((mask)vload_part(x, n, load_one(x)) & ~(mask)sign_bit));
    return join_lanes(vmaximum(vmaximum(largest[0], largest[1]), vmaximum(largest[2], largest[3])), vmaximum);
}

static void largest(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    (void)v;
    result->sum = find_largest(n, o->x, vsplat(0));
}

static void largest_size(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    (void)v;
    result->sum = find_largest(n, o->x, vsplat((T)-0.0));
}

/* ---- the last pass --------------------------------------------------------------------------------------- */

typedef struct affine_map {
    terms t;
    const char *y, *z;
    size_t y_step, z_step; /* 0: one vector of the neutral value, read again and again */
    vec factor;
} affine_map;

FZ_INLINE void map_lanes(const affine_map *m, size_t at, size_t lanes) {
    const vec x = load(m->t.x + at, lanes, 0);
    const vec scaled = ((x * m->t.scale - m->t.shift) - m->t.low) * m->factor;
    const vec y = load(m->y + at * m->y_step, lanes, 0), z = load(m->z + at * m->z_step, lanes, 0);
    store(m->t.out + at, vfma(scaled, y, z), lanes);
}

static void affine(size_t n, const fz_row_operands *o, const fz_row_values *v, fz_row_result *result) {
    (void)result;
    T ones[W], zeros[W];
    vstore(ones, vsplat(1));
    vstore(zeros, vsplat((T)-0.0));
    const affine_map m = {
        .t = make_terms(o, v),
        .y = o->y ? o->y : (const char *)ones,
        .z = o->z ? o->z : (const char *)zeros,
        .y_step = o->y != NULL,
        .z_step = o->z != NULL,
        .factor = vsplat((T)v->factor),
    };
    size_t at = 0;
    for (; n >= W; n -= W, at += sizeof(vec)) map_lanes(&m, at, W);
    if (n) map_lanes(&m, at, n);
}

extern const fz_rowwise_kernels FZ_KERNEL(rowwise);
const fz_rowwise_kernels FZ_KERNEL(rowwise) = {
    .passes = {[FZ_ROW_MAX] = largest,
               [FZ_ROW_SIZE] = largest_size,
               [FZ_ROW_SUM] = sum,
               [FZ_ROW_SQUARES] = squares,
               [FZ_ROW_DOT] = dot,
               [FZ_ROW_EXP] = powers,
               [FZ_ROW_AFFINE] = affine},
};
