/* Reductions: which axes go and which stay, and which of the two ways through memory fits. */
#include "float_environment.h"
#include "internal.h"

enum { FZ_FINISH_NONE, FZ_FINISH_DIVIDE };

static const struct {
    fz_op combine;
    int finish;
} rows[FZ_REDUCTION_COUNT] = {
#define FZ_REDUCTION(name, dtypes, combine, neutral, finish, doc) {FZ_OP_##combine, finish},
#include "ops.def"
};

static fz_status mark_axes(const char *name, const fz_array *x, int naxes, const int axes[], bool *reduced) {
    for (int d = 0; d < x->ndim; d++) reduced[d] = axes == NULL;
    for (int i = 0; axes && i < naxes; i++) {
        const int axis = axes[i] < 0 ? axes[i] + x->ndim : axes[i];
        if (x->ndim == 0 && (axes[i] == 0 || axes[i] == -1)) continue; /* NumPy's scalars have that axis */
        if (axis < 0 || axis >= x->ndim)
            return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d is out of bounds for x with %d axes", name, axes[i],
                            x->ndim);
        if (reduced[axis]) return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d is named twice", name, axes[i]);
        reduced[axis] = true;
    }
    return FZ_OK;
}

fz_status fz_reduce_shape(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                          int keepdims, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    if ((unsigned)reduction >= FZ_REDUCTION_COUNT)
        return fz__fail(FZ_ERROR_VALUE, "reduction %d is unknown", (int)reduction);
    const char *name = fz_reduction_name(reduction);
    bool reduced[FZ_MAX_NDIM];
    fz_status status = fz__check_array(name, "x", x);
    if (!status) status = mark_axes(name, x, naxes, axes, reduced);
    if (status) return status;
    *ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (keepdims || !reduced[d]) shape[(*ndim)++] = reduced[d] ? 1 : x->shape[d];
    }
    return FZ_OK;
}

/* The two parts of x's axes, as shapes and strides of views. */
typedef struct split {
    int kept, reduced;
    ptrdiff_t kept_shape[FZ_MAX_NDIM], kept_strides[FZ_MAX_NDIM], out_strides[FZ_MAX_NDIM];
    ptrdiff_t reduced_shape[FZ_MAX_NDIM], reduced_strides[FZ_MAX_NDIM];
} split;

/* out has the kept axes only, or all of them. */
static void split_axes(const fz_array *x, const bool *reduced, const fz_array *out, split *s) {
    const bool keepdims = out->ndim == x->ndim;
    s->kept = s->reduced = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (reduced[d]) {
            s->reduced_shape[s->reduced] = x->shape[d];
            s->reduced_strides[s->reduced++] = x->strides[d];
        } else {
            s->out_strides[s->kept] = out->strides[keepdims ? d : s->kept];
            s->kept_shape[s->kept] = x->shape[d];
            s->kept_strides[s->kept++] = x->strides[d];
        }
    }
}

/* results[i] = results[i] op value, for n contiguous results. */
static void apply_scalar(const fz__reduction *r, fz_op op, double value, size_t n, void *results) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_VECTOR_BYTES];
    const void *const in[] = {results, splat};
    r->kernels->elementwise->cast_from[FZ_FLOAT64](sizeof splat / (size_t)r->element, &value, 0, splat,
                                                   r->element);
    r->kernels->elementwise->loops[op](n, in, (const unsigned char[]){1, 0}, results);
}

static void finish_results(const fz__reduction *r, size_t n, void *results) {
    if (r->combine == FZ_OP_add) apply_scalar(r, FZ_OP_add, 0, n, results); /* a sum of -0 is 0, as NumPy's */
    if (r->divide) apply_scalar(r, FZ_OP_divide, (double)r->count, n, results);
}

void fz__store_results(const fz__reduction *r, ptrdiff_t n, char *values, char *out, ptrdiff_t stride) {
    finish_results(r, (size_t)n, values);
    r->copy((size_t)n, values, r->element, out, stride);
}

void fz__reduce_items(ptrdiff_t items, ptrdiff_t elements, fz__task *task, void *context) {
    enum {
        GRAIN = 16384,
        PARALLEL_FROM = 8 * GRAIN
    }; /* elements; below, one thread is done as soon as two */
    if (items * elements < PARALLEL_FROM) {
        task(context, 0, items, 0);
        return;
    }
    const ptrdiff_t grain = fz__max(1, GRAIN / elements);
    fz__parallel_for(fz__participants(items, grain), items, grain, task, context);
}

/* One long run at a stride, collected block by block. */
static void reduce_spread_run(const fz__reduction *r, ptrdiff_t n, const char *x, char *block, char *value) {
    enum { PARTIALS = 64 };
    char partials[PARTIALS * sizeof(double)];
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i += FZ_BLOCK) {
        const size_t length = (size_t)fz__min(FZ_BLOCK, n - i);
        if (count == PARTIALS) {
            r->kernels->reduce->rows[r->kind](1, PARTIALS, partials, 0, partials);
            count = 1;
        }
        r->copy(length, x + i * r->run_stride, r->run_stride, block, r->element);
        r->kernels->reduce->rows[r->kind](1, length, block, 0, partials + count++ * r->element);
    }
    r->kernels->reduce->rows[r->kind](1, (size_t)count, partials, 0, value);
}

void fz__reduce_runs(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                     ptrdiff_t row_stride, char *values) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_BLOCK * sizeof(double)];
    if (n == 1 || r->run_stride == r->element) {
        r->kernels->reduce->rows[r->kind]((size_t)count, (size_t)n, x, row_stride, values);
        return;
    }
    const ptrdiff_t held = FZ_BLOCK / n; /* rows that a block holds */
    for (ptrdiff_t i = 0; i < count; i += fz__max(held, 1), values += fz__max(held, 1) * r->element) {
        const char *row = x + i * row_stride;
        const ptrdiff_t taken = fz__min(held, count - i);
        if (held < 1) {
            reduce_spread_run(r, n, row, block, values);
            continue;
        }
        for (ptrdiff_t k = 0; k < taken; k++, row += row_stride)
            r->copy((size_t)n, row, r->run_stride, block + k * n * r->element, r->element);
        r->kernels->reduce->rows[r->kind]((size_t)taken, (size_t)n, block, n * r->element, values);
    }
}

/* Sums of nothing are 0, products 1, means NaN, extremes an error. */
static fz_status reduce_nothing(const char *name, const fz__reduction *r, const fz_array *out) {
    if (r->combine != FZ_OP_add && r->combine != FZ_OP_multiply)
        return fz__fail(FZ_ERROR_VALUE, "%s: x has no elements along the reduced axes; at least one would do",
                        name);
    _Alignas(FZ_MAX_VECTOR_BYTES) char value[FZ_MAX_VECTOR_BYTES];
    const double identity = r->combine == FZ_OP_multiply;
    const ptrdiff_t strides[FZ_MAX_NDIM] = {0};
    r->kernels->elementwise->cast_from[FZ_FLOAT64](1, &identity, 0, value, 0);
    finish_results(r, 1, value); /* 0 / 0 */
    fz__copy(&(fz_array){value, out->dtype, out->ndim, out->shape, strides}, out);
    return FZ_OK;
}

static ptrdiff_t innermost_stride(const fz__nest *nest, int operand) {
    const ptrdiff_t stride = nest->ndim ? nest->strides[operand][nest->ndim - 1] : PTRDIFF_MAX;
    return stride < 0 ? -stride : stride;
}

/* Takes the innermost reduced axis out of the nest if it lies inside the kept ones. */
static void split_run(fz__reduction *r) {
    r->run = 1;
    r->run_stride = r->element;
    const int inner = r->reduced.ndim - 1;
    if (inner < 0 || innermost_stride(&r->reduced, 0) > innermost_stride(&r->kept, 1)) return;
    r->run = r->reduced.shape[inner];
    r->run_stride = r->reduced.strides[0][inner];
    r->reduced.size /= r->run;
    fz__nest_remove_axis(&r->reduced, inner);
}

static fz_status run(const char *name, fz__reduction *r, const fz_array *x, const fz_array *out,
                     const split *s) {
    enum { LONG_RUN = 4096 }; /* a run that draws as much from memory alone as beside its neighbours */
    const fz_array kept = {x->data, x->dtype, s->kept, s->kept_shape, s->kept_strides};
    const fz_array result = {out->data, x->dtype, s->kept, s->kept_shape, s->out_strides};
    const fz_array reduced = {x->data, x->dtype, s->reduced, s->reduced_shape, s->reduced_strides};
    /* x stands last: the order of its axes counts, there is more of it than of the result. */
    fz_status status = fz__nest_init(&r->kept, name, 2, (const fz_array *const[]){&result, &kept});
    if (!status) status = fz__nest_init(&r->reduced, name, 1, (const fz_array *const[]){&reduced});
    r->count = r->reduced.size;
    if (!status && r->count == 0) return reduce_nothing(name, r, out);
    if (status || r->kept.size == 0) return status;
    r->kept.data[1] += r->reduced.data[0] - (char *)x->data; /* of flipped axes */
    split_run(r);
    const bool by_rows = r->reduced.ndim == 0 || r->run >= LONG_RUN ||
                         innermost_stride(&r->reduced, 0) <= innermost_stride(&r->kept, 1);
    return by_rows ? fz__reduce_rows(r) : fz__reduce_columns(r);
}

fz_status fz_reduce(fz_reduction reduction, const fz_array *x, int naxes, const int axes[], fz_array *out) {
    bool reduced[FZ_MAX_NDIM];
    ptrdiff_t shape[FZ_MAX_NDIM];
    split s;
    int ndim;
    fz_status status = fz_init();
    if (!status)
        status = fz_reduce_shape(reduction, x, naxes, axes, out && x && out->ndim == x->ndim, &ndim, shape);
    if (status) return status;
    const char *name = fz_reduction_name(reduction);
    if ((status = fz__check_full_float(name, "x", x))) return status;
    if ((status = fz__check_output(name, out, ndim, shape, 1, &x))) return status;
    mark_axes(name, x, naxes, axes, reduced);
    split_axes(x, reduced, out, &s);
    fz__reduction r;
    r.kernels = fz__kernels(x->dtype);
    r.kind = reduction;
    r.copy = r.kernels->elementwise->cast_from[x->dtype];
    r.combine = rows[reduction].combine;
    r.divide = rows[reduction].finish == FZ_FINISH_DIVIDE;
    r.element = (ptrdiff_t)fz_dtype_size(x->dtype);
    r.count = 0;
    const fz__float_environment environment = fz__save_float_environment();
    status = run(name, &r, x, out, &s);
    fz__restore_float_environment(environment);
    return status;
}

#define FZ_REDUCTION(name, ...)                                                          \
    fz_status fz_##name(const fz_array *x, int naxes, const int axes[], fz_array *out) { \
        return fz_reduce(FZ_REDUCTION_##name, x, naxes, axes, out);                      \
    }
#include "ops.def"
