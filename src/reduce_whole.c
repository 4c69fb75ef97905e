/* Means, variances and deviations in a dtype of integers, step by step as NumPy has them: elements are converted to
   that dtype and their sums wrap in it, a mean is cut to it before distances from it are taken, and so is the
   result. Nobody is in a hurry for them. */
#include "internal.h"

/* An array of the call's own, without gaps. */
typedef struct scratch {
    fz_array array;
    ptrdiff_t strides[FZ_MAX_NDIM];
} scratch;

static fz_status make(scratch *s, const char *name, fz_dtype dtype, int ndim, const ptrdiff_t shape[]) {
    s->array = (fz_array){NULL, dtype, ndim, shape, s->strides};
    fz_contiguous_strides(dtype, ndim, shape, s->strides);
    s->array.data = fz__workspace_acquire(name, (size_t)fz__array_size(&s->array) * fz_dtype_size(dtype) + 1);
    return s->array.data ? FZ_OK : FZ_ERROR_MEMORY;
}

static void release(const scratch *s) {
    if (s->array.data) fz__workspace_release(s->array.data);
}

static fz_status compute(fz_op op, const fz_array *x, const fz_array *y, fz_array *out) {
    return fz_elementwise(op, FZ_FLOAT64, (const fz_array *const[]){x, y}, out);
}

typedef struct call {
    const char *name;
    const fz_array *x;
    int naxes;
    const int *axes;
    const fz_reduce_options *options;
    scratch totals, counts, distances;
    ptrdiff_t shape[FZ_MAX_NDIM]; /* of totals and counts: x's, the axes that go of length 1 */
} call;

static fz_status sum(const call *c, const fz_array *x, scratch *to) {
    const fz_reduce_options which = {.where = c->options ? c->options->where : NULL};
    return fz_reduce_with(FZ_REDUCTION_sum, x, c->naxes, c->axes, &which, &to->array);
}

static fz_status find_means(call *c, fz_dtype dtype) {
    const double one = 1;
    const ptrdiff_t strides[FZ_MAX_NDIM] = {0};
    const fz_array ones = {(void *)(uintptr_t)&one, FZ_FLOAT64, c->x->ndim, c->x->shape, strides};
    int ndim;
    fz_status status = fz_reduce_shape(FZ_REDUCTION_sum, c->x, c->naxes, c->axes, 1, &ndim, c->shape);
    if (!status) status = make(&c->totals, c->name, dtype, ndim, c->shape);
    if (!status) status = make(&c->counts, c->name, FZ_FLOAT64, ndim, c->shape);
    if (!status) status = sum(c, &ones, &c->counts);
    if (!status) status = sum(c, c->x, &c->totals);
    return status ? status : compute(FZ_OP_divide, &c->totals.array, &c->counts.array, &c->totals.array);
}

/* Takes means in totals, and leaves variances there. */
static fz_status find_variances(call *c) {
    const fz_array *const from_means[] = {c->x, &c->totals.array};
    const fz_dtype dtypes[] = {c->x->dtype, c->totals.array.dtype};
    double zero = 0, correction = c->options ? c->options->correction : 0;
    const fz_array none = {&zero, FZ_FLOAT64, 0, NULL, NULL}, less = {&correction, FZ_FLOAT64, 0, NULL, NULL};
    fz_array *counts = &c->counts.array, *distances = &c->distances.array;
    fz_dtype computed, distance;
    fz_status status = fz_op_dtype(FZ_OP_subtract, dtypes, &computed, &distance);
    if (!status) status = make(&c->distances, c->name, distance, c->x->ndim, c->x->shape);
    if (!status) status = fz_elementwise(FZ_OP_subtract, computed, from_means, distances);
    if (!status) status = fz_square(distances, distances);
    if (!status) status = sum(c, distances, &c->totals);
    if (!status) status = compute(FZ_OP_subtract, counts, &less, counts);
    if (!status) status = compute(FZ_OP_maximum, counts, &none, counts);
    return status ? status : compute(FZ_OP_divide, &c->totals.array, counts, &c->totals.array);
}

fz_status fz__reduce_whole(const char *name, fz__family family, const fz_array *x, int naxes,
                           const int axes[], const fz_reduce_options *options, const fz_array *out) {
    call c = {.name = name, .x = x, .naxes = naxes, .axes = axes, .options = options};
    fz_array *totals = &c.totals.array;
    ptrdiff_t strides[FZ_MAX_NDIM];
    fz_status status = find_means(&c, out->dtype);
    if (!status && family != FZ_AVERAGE) status = find_variances(&c);
    if (!status && family == FZ_DEVIATION) status = compute(FZ_OP_sqrt, totals, NULL, totals);
    if (!status) {
        fz_contiguous_strides(out->dtype, out->ndim, out->shape, strides);
        fz__copy(&(fz_array){totals->data, out->dtype, out->ndim, out->shape, strides}, out);
    }
    release(&c.totals);
    release(&c.counts);
    release(&c.distances);
    return status;
}
