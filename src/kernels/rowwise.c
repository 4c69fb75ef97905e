/* Passes over rows: what softmax, the normalisations, norms and inner products are made of.

   A sum is of blocks of ACCUMULATORS chains of at most `links` terms, whose results add to a pair of numbers without
   rounding (Knuth's two-sum), and then of the lanes as a tree. So a result of n terms of one sign, however many, has
   at most links + 3 + log2(W) + ACCUMULATORS roundings behind it. Its order is fixed by n alone: rows that are given
   together share only the instructions that join their lanes. */
#include "functions.h"

enum { MOST_ACCUMULATORS = 8 };

typedef struct terms {
    const char *x, *y;
    char *out;
    vec scale, shift;
    vec other; /* a second sum, in single steps */
} terms;

/* sum + the terms of the first `lanes` elements at a byte offset. */
typedef vec term_function(terms *t, vec sum, size_t at, size_t lanes);

/* How the terms of a row are added, and which of their sums are asked for. */
typedef struct sum_plan {
    term_function *term;
    size_t accumulators, links;
    bool two;    /* the other one, too */
    int streams; /* that are read for the first time, perhaps, and prefetched: x, y */
} sum_plan;

FZ_INLINE vec load(const char *p, size_t lanes, T fill) {
    return lanes == W ? vload(p) : vload_part(p, lanes, fill);
}

FZ_INLINE void store(char *p, vec v, size_t lanes) {
    if (lanes == W)
        vstore(p, v);
    else
        vstore_part(p, v, lanes);
}

FZ_INLINE terms make_terms(const fz_row_operands *o, const fz_row_values *v, size_t row) {
    const ptrdiff_t i = (ptrdiff_t)row;
    return (terms){
        .x = (const char *)o->x + i * o->x_stride,
        .y = o->y ? (const char *)o->y + i * o->y_stride : NULL,
        .out = o->out ? (char *)o->out + i * o->out_stride : NULL,
        .scale = vsplat(v ? (T)v->scale : 1),
        .shift = vsplat(v ? (T)v->shift : 0),
        .other = vsplat(0),
    };
}

/* ---- sums ------------------------------------------------------------------------------------------------ */

FZ_INLINE vpair add_block(vpair total, vec block) {
    const vpair sum = vsum(total.high, block);
    return (vpair){sum.high, total.low + sum.low};
}

/* Where the sum is not finite, its rounding errors are no numbers. */
FZ_INLINE vec close_total(vpair total) {
    const mask finite = total.high - total.high == 0;
    return total.high + vselect(finite, total.low, vsplat(0));
}

FZ_INLINE void prefetch(const char *p, size_t vectors) {
    enum { LINE = 64, AHEAD = 2048 };
    if (vectors * sizeof(vec) % LINE == 0) __builtin_prefetch(p + vectors * sizeof(vec) + AHEAD);
}

FZ_INLINE vec sum_block(sum_plan plan, terms *t, size_t at, size_t links) {
    vec sum[MOST_ACCUMULATORS];
    for (size_t u = 0; u < plan.accumulators; u++) sum[u] = vsplat(0);
    for (size_t i = 0; i < links; i++, at += plan.accumulators * sizeof(vec)) {
#pragma GCC unroll 8
        for (size_t u = 0; u < plan.accumulators; u++) {
            if (plan.streams > 0) prefetch(t->x + at, u);
            if (plan.streams > 1) prefetch(t->y + at, u);
            sum[u] = plan.term(t, sum[u], at + u * sizeof(vec), W);
        }
    }
#pragma GCC unroll 3
    for (size_t pair = 1; pair < plan.accumulators; pair *= 2) {
#pragma GCC unroll 4
        for (size_t u = 0; u < plan.accumulators; u += 2 * pair) sum[u] = sum[u] + sum[u + pair];
    }
    return sum[0];
}

FZ_INLINE vec sum_row(sum_plan plan, size_t n, terms *t) {
    const bool is_short = n < plan.accumulators * W; /* then there are no blocks to join */
    vpair total = {vsplat(0), vsplat(0)};
    vec last = vsplat(0);
    size_t at = 0;
    const size_t step = plan.accumulators * sizeof(vec);
    for (size_t links = n / W / plan.accumulators; links;) {
        const size_t count = links < plan.links ? links : plan.links;
        total = add_block(total, sum_block(plan, t, at, count));
        at += count * step;
        links -= count;
    }
    for (n -= at / sizeof(T); n >= W; n -= W, at += sizeof(vec)) last = plan.term(t, last, at, W);
    if (n) last = plan.term(t, last, at, n);
    return is_short ? last : close_total(add_block(total, last));
}

FZ_INLINE vec join_rows(size_t rows, vec sums[]) {
    return rows == 1 ? join_lanes(sums, 1, vadd) : join_lanes(sums, W, vadd);
}

/* Joins the lanes of the sums of one row, or of as many as a vector has lanes; others may be NULL. */
FZ_SHARED void join_sums(size_t rows, vec sums[], vec others[], fz_row_result results[]) {
    T sum[W], other[W] = {0};
    vstore(sum, join_rows(rows, sums));
    if (others) vstore(other, join_rows(rows, others));
    for (size_t i = 0; i < rows; i++) {
        results[i].sum = sum[i];
        results[i].other = other[i];
    }
}

/* As many rows together as a vector has lanes, where there are that many. */
FZ_INLINE void sum_rows(sum_plan plan, size_t count, size_t n, const fz_row_operands *o,
                        const fz_row_values values[], fz_row_result results[]) {
    vec sums[W], others[W];
    for (size_t row = 0, rows; row < count; row += rows) {
        rows = count - row < W ? 1 : W;
        for (size_t i = 0; i < rows; i++) {
            terms t = make_terms(o, values ? &values[row + i] : NULL, row + i);
            sums[i] = sum_row(plan, n, &t);
            others[i] = t.other;
        }
        join_sums(rows, sums, plan.two ? others : NULL, results + row);
    }
}

/* x * scale - shift; 0 beyond the row. */
FZ_INLINE vec load_centred(const terms *t, size_t at, size_t lanes) {
    const vec v = load(t->x + at, lanes, 0) * t->scale - t->shift;
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
    t->other = t->other + v;
    return vfma(v, v, sum);
}

FZ_INLINE vec add_own_product(terms *t, vec sum, size_t at, size_t lanes) {
    const vec v = load(t->x + at, lanes, 0);
    return vfma(v, v, sum);
}

FZ_INLINE vec add_product(terms *t, vec sum, size_t at, size_t lanes) {
    return vfma(load(t->x + at, lanes, 0), load(t->y + at, lanes, 0), sum);
}

/* e^(d + low) is e^d (1 + low), where low is what rounding took from the difference, which is not above 0: 1.5 ULP in
   all. Long before d is infinite, and low no number, the power is 0: then another one is computed and left, as a CPU may
   take 200 cycles for a result that underflows, and rows are masked by -inf, or end so. */
FZ_INLINE vec power_of_e(vpair d) {
    const vec zero = vsplat(0);
    const mask is_zero = d.high <= (T)EXP_ZERO;
    const vec power = vexp_clamped(vselect(is_zero, zero, d.high)), low = vselect(is_zero, zero, d.low);
    return vselect(is_zero, zero, vfma(power, low, power));
}

FZ_INLINE vec write_power(terms *t, vec sum, size_t at, size_t lanes) {
    const vec power = power_of_e(vsum(load(t->x + at, lanes, -(T)INFINITY), -t->shift));
    store(t->out + at, power, lanes);
    return sum + power;
}

/* The largest elements' powers are counted, so that what the others add to 1 keeps its digits. Differences are written
   here rather than in a pass of their own: stores to memory that no cache has wait beside the powers' instructions. */
FZ_INLINE vec add_power(terms *t, vec sum, size_t at, size_t lanes) {
    const vpair d = vsum(load(t->x + at, lanes, -(T)INFINITY), -t->shift);
    const lane_set largest = vequal(d.high, vsplat(0)); /* infinities are not */
    if (t->out) store(t->out + at, d.high, lanes);
    t->other = vadd_in(largest, t->other, vsplat(1));
    return vadd_in((lane_set)~largest, sum, power_of_e(d));
}

static void sum(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                fz_row_result results[]) {
    sum_rows((sum_plan){add_centred, 8, 4, false, 0}, count, n, o, values, results);
}

static void squares(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                    fz_row_result results[]) {
    sum_rows((sum_plan){add_square, 8, 4, true, 0}, count, n, o, values, results);
}

static void dot(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                fz_row_result results[]) {
    (void)values;
    if (o->y)
        sum_rows((sum_plan){add_product, 8, 16, false, 2}, count, n, o, NULL, results);
    else
        sum_rows((sum_plan){add_own_product, 8, 16, false, 1}, count, n, o, NULL, results);
}

static void powers(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                   fz_row_result results[]) {
    sum_rows((sum_plan){write_power, 2, 4, false, 0}, count, n, o, values, results);
}

static void counted_powers(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                           fz_row_result results[]) {
    sum_rows((sum_plan){add_power, 2, 4, true, 0}, count, n, o, values, results);
}

/* ---- extremes -------------------------------------------------------------------------------------------- */

FZ_INLINE vec without_sign(vec x, vec sign_bit) { return (vec)((mask)x & ~(mask)sign_bit); }

FZ_INLINE vec find_largest(size_t n, const char *x, vec sign_bit) {
    vec largest[4];
    for (int u = 0; u < 4; u++) largest[u] = vsplat(-(T)INFINITY);
    for (; n >= 4 * W; n -= 4 * W) {
        for (int u = 0; u < 4; u++, x += sizeof(vec))
            largest[u] = vmaximum(largest[u], without_sign(vload(x), sign_bit));
    }
    for (; n >= W; n -= W, x += sizeof(vec))
        largest[0] = vmaximum(largest[0], without_sign(vload(x), sign_bit));
    if (n) largest[1] = vmaximum(largest[1], without_sign(vload_part(x, n, load_one(x)), sign_bit));
    return vmaximum(vmaximum(largest[0], largest[1]), vmaximum(largest[2], largest[3]));
}

FZ_SHARED void find_largest_of_rows(size_t count, size_t n, const fz_row_operands *o, vec sign_bit,
                                    fz_row_result results[]) {
    vec largest[W];
    T joined[W];
    const char *x = o->x;
    for (size_t row = 0; row < count;) {
        const size_t rows = count - row < W ? 1 : W;
        for (size_t i = 0; i < rows; i++, x += o->x_stride) largest[i] = find_largest(n, x, sign_bit);
        vstore(joined, join_lanes(largest, (int)rows, vmaximum));
        for (size_t i = 0; i < rows; i++, row++) results[row].sum = joined[i];
    }
}

static void largest(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                    fz_row_result results[]) {
    (void)values;
    find_largest_of_rows(count, n, o, vsplat(0), results);
}

static void largest_size(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                         fz_row_result results[]) {
    (void)values;
    find_largest_of_rows(count, n, o, vsplat((T)-0.0), results);
}

/* ---- the last pass --------------------------------------------------------------------------------------- */

typedef struct affine_map {
    terms t;
    const char *z;
    vec factor, added;
} affine_map;

FZ_INLINE void map_lanes(const affine_map *m, size_t at, size_t lanes) {
    vec v = load(m->t.x + at, lanes, 0) * m->t.scale - m->t.shift;
    v = vfma(v, m->factor, m->added);
    if (m->t.y) v = v * load(m->t.y + at, lanes, 0);
    if (m->z) v = v + load(m->z + at, lanes, 0);
    store(m->t.out + at, v, lanes);
}

FZ_INLINE void map_row(size_t n, const affine_map *m) {
    size_t at = 0;
    for (; n >= W; n -= W, at += sizeof(vec)) map_lanes(m, at, W);
    if (n) map_lanes(m, at, n);
}

static void affine(size_t count, size_t n, const fz_row_operands *o, const fz_row_values values[],
                   fz_row_result results[]) {
    (void)results;
    for (size_t row = 0; row < count; row++) {
        affine_map m = {
            .t = make_terms(o, &values[row], row),
            .z = o->z ? (const char *)o->z + (ptrdiff_t)row * o->z_stride : NULL,
            .factor = vsplat((T)values[row].factor),
            .added = vsplat((T)values[row].added),
        };
        if (o->y || o->z) {
            map_row(n, &m);
        } else {
            m.t.y = m.z = NULL;
            map_row(n, &m);
        }
    }
}

extern const fz_rowwise_kernels FZ_KERNEL(rowwise);
const fz_rowwise_kernels FZ_KERNEL(rowwise) = {
    .passes = {[FZ_ROW_MAX] = largest,
               [FZ_ROW_SIZE] = largest_size,
               [FZ_ROW_SUM] = sum,
               [FZ_ROW_SQUARES] = squares,
               [FZ_ROW_DOT] = dot,
               [FZ_ROW_EXP] = powers,
               [FZ_ROW_COUNTED_EXP] = counted_powers,
               [FZ_ROW_AFFINE] = affine},
};
