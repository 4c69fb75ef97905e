/* Reductions whose partial results are numbers, joined by a binary operation: sums, products, extremes, truths of
   elements, sums and products of what is not NaN, and sums of float16 in float32, of bools and narrow integers in 64
   bits. */
#include <string.h>

#include "internal.h"

static void reduce_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                        ptrdiff_t row_stride, char *partials) {
    r->join_rows((size_t)count, (size_t)n, x, row_stride, partials);
}

static void reduce_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                           ptrdiff_t row_stride, char *partials) {
    r->join_columns((size_t)rows, (size_t)n, x, row_stride, partials);
}

static void add_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                     ptrdiff_t row_stride, char *partials) {
    r->totals->rows((size_t)count, (size_t)n, x, row_stride, r->total, (int64_t *)(void *)partials);
}

static void add_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                        ptrdiff_t row_stride, char *partials) {
    r->totals->columns((size_t)rows, (size_t)n, x, row_stride, r->total, (int64_t *)(void *)partials);
}

static void add_half_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                          ptrdiff_t row_stride, char *partials) {
    r->half_sums->rows((size_t)count, (size_t)n, x, row_stride, (float *)(void *)partials);
}

static void add_half_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                             ptrdiff_t row_stride, char *partials) {
    r->half_sums->columns((size_t)rows, (size_t)n, x, row_stride, (float *)(void *)partials);
}

static void join(const fz__reduction *r, ptrdiff_t n, const char *partials, char *partial) {
    r->joiner->reduce->join_rows[r->join](1, (size_t)n, partials, 0, partial);
}

static void join_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *partials,
                         char *result) {
    r->joiner->reduce->join_columns[r->join]((size_t)rows, (size_t)n, partials, n * r->partial, result);
}

static void nothing(const fz__reduction *r, char *partial) {
    const char *neutral = (const char *)r->joiner->reduce->neutral + r->join * r->partial;
    memcpy(partial, neutral, (size_t)r->partial);
}

/* partials[i] = partials[i] op value, for n of them. */
static void apply_scalar(const fz__reduction *r, fz_op op, const void *value, fz_cast *cast, ptrdiff_t n,
                         char *partials) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_VECTOR_BYTES];
    cast(sizeof splat / (size_t)r->partial, value, 0, splat, r->partial);
    r->joiner->elementwise->loops[op](
        &(fz_plane){.n = (size_t)n, .rows = 1, .in = {partials, splat}, .step = {1, 0}, .out = partials});
}

/* The initial value has out's dtype before it has the one that is computed in. */
static void join_initial(const fz__reduction *r, ptrdiff_t n, char *partials) {
    static const fz_op ops[FZ_JOIN_COUNT] = {
#define FZ_JOINING(name, ...) [FZ_JOIN_##name] = FZ_OP_##name,
#include "ops.def"
    };
    double value[1];
    fz__kernels(r->result)->elementwise->cast_from[r->initial->dtype](1, r->initial->data, 0, value, 0);
    apply_scalar(r, ops[r->join], value, r->joiner->elementwise->cast_from[r->result], n, partials);
}

static void store(const fz__reduction *r, ptrdiff_t n, char *partials, char *out, ptrdiff_t stride) {
    fz_cast *from_double = r->joiner->elementwise->cast_from[FZ_FLOAT64];
    const double count = (double)r->count, zero = 0;
    if (fz__is_full_float(r->dtype) && r->join == FZ_JOIN_add) /* a sum of -0 is 0, as NumPy's */
        apply_scalar(r, FZ_OP_add, &zero, from_double, n, partials);
    if (r->family == FZ_AVERAGE) apply_scalar(r, FZ_OP_divide, &count, from_double, n, partials);
    if (r->initial) join_initial(r, n, partials);
    r->store((size_t)n, partials, r->partial, out, stride);
}

/* The total is exact, and rounded once before it is divided. */
static void store_totals(const fz__reduction *r, ptrdiff_t n, char *partials, char *out, ptrdiff_t stride) {
    if (r->family != FZ_AVERAGE) {
        store(r, n, partials, out, stride);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t total;
        memcpy(&total, partials + i * r->partial, sizeof total);
        const double mean = (double)total / (double)r->count;
        memcpy(partials + i * r->partial, &mean, sizeof mean);
    }
    r->store((size_t)n, partials, r->partial, out, stride);
}

const fz__reducer fz__joins = {reduce_rows, reduce_columns, join, join_columns, nothing, store};
const fz__reducer fz__half_joins = {add_half_rows, add_half_columns, join, join_columns, nothing, store};
const fz__reducer fz__totals = {add_rows, add_columns, join, join_columns, nothing, store_totals};
