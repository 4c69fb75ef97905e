/* Running sums and products along an axis.

   Along memory a row is computed in blocks of FZ_BLOCK elements. A float's sum of a block does not depend on what comes
   before, so that the blocks of a long row can be added up by several threads first and written by them afterwards, with
   the bits that one thread gives; the sums of whole blocks are added without rounding (Knuth's two-sum). Across memory
   rows of neighbours are added to one another. */
#include <math.h>
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum {
    GRAIN_BLOCKS = 32,              /* blocks that one thread takes at once */
    PARALLEL_FROM = 128 * FZ_BLOCK, /* elements; below, one thread is done as soon as two */
    FEWEST_NEIGHBOURS = 8,          /* from here on rows of neighbours are worth a call each */
};

typedef struct plan {
    fz_dtype dtype; /* computed in */
    ptrdiff_t size; /* bytes of its elements */
    fz_scan *scan;
    fz_loop *combine;
    bool sums_floats; /* totals of blocks leave out what comes before */
    double neutral;   /* for floats' sums -0: adding it changes nothing, not even -0 */
    fz_cast *load, *store;
    bool same_in, same_out;            /* the array is of this dtype */
    ptrdiff_t n, x_stride, out_stride; /* of the axis */
    fz__nest kept;                     /* the other axes: x, out */
} plan;

/* ---- a row along memory ----------------------------------------------------------------------------------- */

/* What has been summed before a block. */
typedef struct carried {
    _Alignas(double) char value[sizeof(double)]; /* in the plan's dtype */
    double high, low;                            /* of floats' sums */
} carried;

static void write_number(const plan *p, double number, char *value) {
    fz__kernels(p->dtype)->elementwise->cast_from[FZ_FLOAT64](1, &number, 0, value, 0);
}

static carried start_carry(const plan *p) {
    carried c = {.high = p->neutral, .low = 0};
    write_number(p, p->neutral, c.value);
    return c;
}

static void advance(const plan *p, carried *c, const char *total) {
    if (!p->sums_floats) {
        memcpy(c->value, total, sizeof c->value);
        return;
    }
    const double part = fz__load_float(p->dtype, total), sum = c->high + part, taken = sum - c->high;
    c->low += (c->high - (sum - taken)) + (part - taken);
    c->high = sum;
    write_number(p, isfinite(sum) && c->low != 0 ? sum + c->low : sum, c->value);
}

static void scan_block(const plan *p, ptrdiff_t n, const char *x, char *out, const carried *before,
                       char *total) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char in_block[FZ_BLOCK * sizeof(double)],
        out_block[FZ_BLOCK * sizeof(double)];
    const bool in_place = p->same_in && p->x_stride == p->size;
    const bool out_in_place = p->same_out && p->out_stride == p->size;
    if (!in_place) p->load((size_t)n, x, p->x_stride, in_block, p->size);
    char *target = out && !out_in_place ? out_block : out;
    p->scan((size_t)n, in_place ? x : in_block, target, before->value, total);
    if (out && !out_in_place) p->store((size_t)n, out_block, p->size, out, p->out_stride);
}

static void scan_blocks(const plan *p, ptrdiff_t begin, ptrdiff_t end, const char *x, char *out, carried c) {
    char total[sizeof(double)] = {0};
    for (ptrdiff_t i = begin; i < end; i += FZ_BLOCK) {
        scan_block(p, fz__min(FZ_BLOCK, end - i), x + i * p->x_stride, out + i * p->out_stride, &c, total);
        advance(p, &c, total);
    }
}

static void scan_rows(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const plan *p = context;
    for (ptrdiff_t i = 0; i < n; i++)
        scan_blocks(p, 0, p->n, pointers[0] + i * strides[0], pointers[1] + i * strides[1], start_carry(p));
}

/* ---- a long row on several threads ------------------------------------------------------------------------- */

typedef struct long_row {
    const plan *plan;
    const char *x;
    char *out;
    carried *carries; /* of each block; first its total */
} long_row;

static void add_up_blocks(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const long_row *r = context;
    const plan *p = r->plan;
    const carried none = start_carry(p);
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t first = i * FZ_BLOCK;
        scan_block(p, fz__min(FZ_BLOCK, p->n - first), r->x + first * p->x_stride, NULL, &none,
                   r->carries[i].value);
    }
}

static void write_blocks(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const long_row *r = context;
    scan_blocks(r->plan, begin * FZ_BLOCK, fz__min(end * FZ_BLOCK, r->plan->n), r->x, r->out,
                r->carries[begin]);
}

/* FZ_OK with *done false where one thread does as well, or must. */
static fz_status scan_long_row(const char *name, const plan *p, bool *done) {
    const ptrdiff_t blocks = fz__ceil_div(p->n, FZ_BLOCK);
    const int participants = fz__participants(blocks, GRAIN_BLOCKS);
    *done = p->sums_floats && p->kept.size == 1 && p->n >= PARALLEL_FROM && participants > 1;
    if (!*done) return FZ_OK;
    long_row r = {p, p->kept.data[0], p->kept.data[1], NULL};
    r.carries = fz__workspace_acquire(name, (size_t)blocks * sizeof *r.carries);
    *done = r.carries != NULL;
    if (!*done) return FZ_OK;
    fz__parallel_for(participants, blocks, GRAIN_BLOCKS, add_up_blocks, &r);
    carried c = start_carry(p);
    for (ptrdiff_t i = 0; i < blocks; i++) {
        const carried before = c;
        advance(p, &c, r.carries[i].value);
        r.carries[i] = before;
    }
    fz__parallel_for(participants, blocks, GRAIN_BLOCKS, write_blocks, &r);
    fz__workspace_release(r.carries);
    return FZ_OK;
}

/* ---- rows of neighbours ------------------------------------------------------------------------------------ */

/* One row after the other, each added to the last; for up to FZ_BLOCK neighbours. */
static void scan_neighbours(const plan *p, ptrdiff_t n, const char *x, char *out, const ptrdiff_t strides[]) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char loaded[FZ_BLOCK * sizeof(double)], sums[FZ_BLOCK * sizeof(double)];
    const bool in_place = p->same_in && strides[0] == p->size;
    const bool out_in_place = p->same_out && strides[1] == p->size;
    const char *last = NULL;
    for (ptrdiff_t i = 0; i < p->n; i++, x += p->x_stride, out += p->out_stride) {
        char *target = out_in_place ? out : sums;
        if (!in_place || !last) p->load((size_t)n, x, strides[0], last ? loaded : target, p->size);
        if (last)
            p->combine(&(fz_plane){.n = (size_t)n,
                                   .rows = 1,
                                   .in = {last, in_place ? x : loaded},
                                   .step = {1, 1},
                                   .out = target});
        if (!out_in_place) p->store((size_t)n, sums, p->size, out, strides[1]);
        last = target;
    }
}

static void scan_columns(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const plan *p = context;
    for (ptrdiff_t i = 0; i < n; i += FZ_BLOCK)
        scan_neighbours(p, fz__min(FZ_BLOCK, n - i), pointers[0] + i * strides[0],
                        pointers[1] + i * strides[1], strides);
}

/* ---- planning --------------------------------------------------------------------------------------------- */

static ptrdiff_t magnitude(ptrdiff_t stride) { return stride < 0 ? -stride : stride; }

static bool goes_by_columns(const plan *p) {
    const int inner = p->kept.ndim - 1;
    return inner >= 0 && p->kept.shape[inner] >= FEWEST_NEIGHBOURS &&
           magnitude(p->kept.strides[0][inner]) < magnitude(p->x_stride);
}

typedef struct job {
    const plan *plan;
    fz__visit_row *visit;
} job;

static void run_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    fz__nest_walk(&j->plan->kept, begin, end, j->visit, (void *)(uintptr_t)j->plan);
}

static fz_status run(const char *name, const plan *p) {
    const ptrdiff_t rows = p->kept.size;
    const bool by_columns = goes_by_columns(p);
    job j = {p, by_columns ? scan_columns : scan_rows};
    bool done;
    const fz_status status = scan_long_row(name, p, &done);
    if (status || done) return status;
    const ptrdiff_t grain = fz__max(by_columns ? FZ_BLOCK : 1, GRAIN_BLOCKS * FZ_BLOCK / p->n);
    if (rows * p->n < PARALLEL_FROM)
        run_range(&j, 0, rows, 0);
    else
        fz__parallel_for(fz__participants(rows, grain), rows, grain, run_range, &j);
    return FZ_OK;
}

/* ---- integers ---------------------------------------------------------------------------------------------- */

/* 64 bits, signed or not: they wrap. Totals are those of all that comes before, too. Memory need not be aligned. */
static void sum_integers(size_t n, const void *x, void *out, const void *before, void *total) {
    uint64_t sum, value;
    memcpy(&sum, before, sizeof sum);
    for (size_t i = 0; i < n * sizeof value; i += sizeof value) {
        memcpy(&value, (const char *)x + i, sizeof value);
        sum += value;
        memcpy((char *)out + i, &sum, sizeof sum);
    }
    memcpy(total, &sum, sizeof sum);
}

static void multiply_integers(size_t n, const void *x, void *out, const void *before, void *total) {
    uint64_t product, value;
    memcpy(&product, before, sizeof product);
    for (size_t i = 0; i < n * sizeof value; i += sizeof value) {
        memcpy(&value, (const char *)x + i, sizeof value);
        product *= value;
        memcpy((char *)out + i, &product, sizeof product);
    }
    memcpy(total, &product, sizeof product);
}

/* ---- bools ------------------------------------------------------------------------------------------------- */

/* The sum of bools is whether any is true, their product whether all are. */
static void sum_bools(size_t n, const void *x, void *out, const void *before, void *total) {
    unsigned char any = *(const unsigned char *)before;
    for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = any |= ((const unsigned char *)x)[i] != 0;
    *(unsigned char *)total = any;
}

static void multiply_bools(size_t n, const void *x, void *out, const void *before, void *total) {
    unsigned char all = *(const unsigned char *)before;
    for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = all &= ((const unsigned char *)x)[i] != 0;
    *(unsigned char *)total = all;
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

/* What out's dtype is computed in. */
static fz_dtype compute_dtype(fz_dtype dtype) {
    if (dtype == FZ_FLOAT32 || fz__is_narrow_float(dtype)) return FZ_FLOAT32;
    return dtype == FZ_FLOAT64 || dtype == FZ_UINT64 || dtype == FZ_BOOL ? dtype : FZ_INT64;
}

static void plan_dtypes(plan *p, fz_op op, const fz_array *x, const fz_array *out) {
    const bool adds = op == FZ_OP_add;
    p->dtype = compute_dtype(out->dtype);
    const fz_kernels *kernels = fz__kernels(p->dtype);
    p->size = fz__element_size(p->dtype);
    p->sums_floats = adds && kernels->scan;
    p->neutral = p->sums_floats ? -0.0 : adds ? 0 : 1;
    if (kernels->scan)
        p->scan = adds ? kernels->scan->sum : kernels->scan->product;
    else if (p->dtype == FZ_BOOL)
        p->scan = adds ? sum_bools : multiply_bools;
    else
        p->scan = adds ? sum_integers : multiply_integers;
    if (p->dtype == FZ_BOOL) op = adds ? FZ_OP_logical_or : FZ_OP_logical_and;
    p->combine = kernels->elementwise->loops[op];
    p->load = kernels->elementwise->cast_from[x->dtype];
    p->store = fz__kernels(out->dtype)->elementwise->cast_from[p->dtype];
    p->same_in = x->dtype == p->dtype;
    p->same_out = out->dtype == p->dtype;
}

/* x and out of one shape. */
static fz_status scan_axis(const char *name, fz_op op, const fz_array *x, int axis, const fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM], strides[2][FZ_MAX_NDIM];
    plan p;
    for (int d = 0; d < x->ndim - 1; d++) {
        const int own = d + (d >= axis);
        shape[d] = x->shape[own];
        strides[0][d] = x->strides[own];
        strides[1][d] = out->strides[own];
    }
    const fz_array kept[] = {{x->data, x->dtype, x->ndim - 1, shape, strides[0]},
                             {out->data, out->dtype, x->ndim - 1, shape, strides[1]}};
    fz_status status = fz__nest_init(&p.kept, name, 2, (const fz_array *const[]){&kept[0], &kept[1]});
    p.n = x->shape[axis];
    if (status || p.kept.size == 0 || p.n == 0) return status;
    p.x_stride = x->strides[axis];
    p.out_stride = out->strides[axis];
    plan_dtypes(&p, op, x, out);
    const fz__float_environment environment = fz__save_float_environment();
    status = run(name, &p);
    fz__restore_float_environment(environment);
    return status;
}

/* From a copy of x in out, which is of what is computed in. */
static fz_status scan_out(const char *name, fz_op op, const fz_array *x, const fz_array *out) {
    ptrdiff_t strides[FZ_MAX_NDIM], step = out->strides[0];
    for (int d = x->ndim - 1; d >= 0; d--) {
        strides[d] = step;
        step *= x->shape[d];
    }
    fz__copy(x, &(fz_array){out->data, out->dtype, x->ndim, x->shape, strides});
    return scan_axis(name, op, out, 0, out);
}

/* From a copy of x in C order, whose elements become what is computed in, as those of an x without gaps do. */
static fz_status scan_copy(const char *name, fz_op op, const fz_array *x, const fz_array *out) {
    const fz_dtype dtype = compute_dtype(out->dtype);
    const ptrdiff_t size = fz__array_size(x), step = fz__element_size(dtype);
    ptrdiff_t strides[FZ_MAX_NDIM];
    void *copy = fz__workspace_acquire(name, (size_t)(size * step));
    if (!copy) return FZ_ERROR_MEMORY;
    fz_contiguous_strides(dtype, x->ndim, x->shape, strides);
    fz__copy(x, &(fz_array){copy, dtype, x->ndim, x->shape, strides});
    const fz_status status = scan_axis(name, op, &(fz_array){copy, dtype, 1, &size, &step}, 0, out);
    fz__workspace_release(copy);
    return status;
}

/* All elements in C order: x's own, if they stand so, else a copy of them. */
static fz_status scan_flat(const char *name, fz_op op, const fz_array *x, const fz_array *out) {
    const ptrdiff_t size = fz__array_size(x), gapless = fz__element_size(x->dtype);
    const fz_status status = fz__check_output(name, out, 1, &size, 0, NULL);
    if (status || size == 0) return status;
    fz_array flat = {x->data, x->dtype, 1, &size, &gapless};
    if (x->ndim == 1) flat.strides = x->strides;
    const bool is_flat = x->ndim <= 1 || fz__is_contiguous(x);
    if (fz_may_overlap(x, out) && !(is_flat && fz__same_view(&flat, out)))
        return fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with x; a separate array would do", name);
    if (is_flat) return scan_axis(name, op, &flat, 0, out);
    return (out->dtype == compute_dtype(out->dtype) ? scan_out : scan_copy)(name, op, x, out);
}

static fz_status scan(const char *name, fz_op op, const fz_array *x, const int *axis, fz_array *out) {
    fz_status status = fz_init();
    if (!status) status = fz__check_array(name, "x", x);
    if (status) return status;
    if (!axis || (x->ndim == 0 && (*axis == 0 || *axis == -1))) return scan_flat(name, op, x, out);
    int at;
    status = fz__find_axis(name, "x", x, *axis, &at);
    if (!status) status = fz__check_row_output(name, x, out, x->ndim, x->shape);
    return status ? status : scan_axis(name, op, x, at, out);
}

fz_status fz_cumsum(const fz_array *x, const int *axis, fz_array *out) {
    return scan("cumsum", FZ_OP_add, x, axis, out);
}

fz_status fz_cumprod(const fz_array *x, const int *axis, fz_array *out) {
    return scan("cumprod", FZ_OP_multiply, x, axis, out);
}
