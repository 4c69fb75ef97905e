/* Inner products: vecdot, and dot as NumPy has it. */
#include <string.h>

#include "float_environment.h"
#include "internal.h"

/* ---- what is computed ------------------------------------------------------------------------------------- */

static void compute_dot(fz__row_group *group) {
    fz__row_step step;
    step.pass = FZ_ROW_DOT;
    fz__row_run(group, 1, &step, false);
}

/* Integers of 64 bits, signed or not: they wrap. Memory need not be aligned. */
static uint64_t dot_integers(size_t n, const char *from_x, const char *from_y) {
    uint64_t sum = 0, x, y;
    for (size_t i = 0; i < n * sizeof x; i += sizeof x) {
        memcpy(&x, from_x + i, sizeof x);
        memcpy(&y, from_y + i, sizeof y);
        sum += x * y;
    }
    return sum;
}

static void dot_rows_of_integers(size_t count, size_t n, const fz_row_operands *o,
                                 const fz_row_values values[], fz_row_result results[]) {
    const char *x = o->x, *y = o->y;
    (void)values;
    for (size_t i = 0; i < count; i++, x += o->x_stride, y += o->y_stride)
        results[i].whole = dot_integers(n, x, y);
}

static fz_row_function *const integer_passes[FZ_ROW_PASSES] = {[FZ_ROW_DOT] = dot_rows_of_integers};

/* arrays: a and b, broadcast to one shape, and out; the last axis is summed over. */
static fz_status run(const char *name, const fz_array *const arrays[3]) {
    const fz_dtype common = fz_promote(arrays[0]->dtype, arrays[1]->dtype);
    bool reduced[FZ_MAX_NDIM] = {false};
    reduced[arrays[0]->ndim - 1] = true;
    fz__rows r;
    r.operation = name;
    r.dtype = fz__is_float(common) ? fz__row_dtype(common) : common == FZ_UINT64 ? FZ_UINT64 : FZ_INT64;
    r.passes = fz__is_float(common) ? fz__kernels(r.dtype)->rowwise->passes : integer_passes;
    r.compute = compute_dot;
    r.nothing = 0;
    r.full = false;
    r.once = true;
    const fz__float_environment environment = fz__save_float_environment();
    const fz_status status = fz__rows_run(&r, 2, arrays, reduced);
    fz__restore_float_environment(environment);
    return status;
}

/* Elements of one pass, gapless and of one float dtype: work that costs little more than its plan would. */
static bool run_plain(const fz_array *a, const fz_array *b, const fz_array *out) {
    const ptrdiff_t n = a->shape[0], size = fz__element_size(a->dtype);
    if (n == 0 || n > FZ_ROW_SEGMENT || a->strides[0] != size || b->strides[0] != size ||
        a->dtype != b->dtype || a->dtype != out->dtype || !fz__is_full_float(a->dtype))
        return false;
    const fz_row_operands operands = {.x = a->data, .y = b->data};
    fz_row_result result;
    const fz__float_environment environment = fz__save_float_environment();
    fz__kernels(a->dtype)->rowwise->passes[FZ_ROW_DOT](1, (size_t)n, &operands, NULL, &result);
    fz__store_float(out->dtype, result.sum, out->data);
    fz__restore_float_environment(environment);
    return true;
}

static fz_status check_output(const char *name, const fz_array *a, const fz_array *b, const fz_array *out,
                              int ndim, const ptrdiff_t shape[]) {
    fz_status status = fz__check_output(name, out, ndim, shape, 0, NULL);
    if (!status && (fz_may_overlap(a, out) || fz_may_overlap(b, out)))
        status = fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with an input; a separate array would do",
                          name);
    return status;
}

static fz_status check_inputs(const char *name, const fz_array *a, const fz_array *b) {
    fz_status status = fz_init();
    if (!status) status = fz__check_array(name, "a", a);
    return status ? status : fz__check_array(name, "b", b);
}

/* ---- vecdot ---------------------------------------------------------------------------------------------- */

/* An array with one axis taken out, and that axis. */
typedef struct parted {
    fz_array rest;
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM], length, stride;
} parted;

static fz_status part_axis(const char *name, const char *argument, const fz_array *x, int axis, parted *p) {
    int at;
    if (x->ndim == 0)
        return fz__fail(FZ_ERROR_SHAPE, "%s: %s is a number; an array of an axis or more would do", name,
                        argument);
    const fz_status status = fz__find_axis(name, argument, x, axis, &at);
    if (status) return status;
    p->length = x->shape[at];
    p->stride = x->strides[at];
    for (int d = 0; d < x->ndim - 1; d++) {
        p->shape[d] = x->shape[d + (d >= at)];
        p->strides[d] = x->strides[d + (d >= at)];
    }
    p->rest = (fz_array){x->data, x->dtype, x->ndim - 1, p->shape, p->strides};
    return FZ_OK;
}

/* The parts' common shape, to which the shared axis is still to be added. */
static fz_status part_pair(const fz_array *a, const fz_array *b, int axis, parted parts[2], int *ndim,
                           ptrdiff_t shape[]) {
    fz_status status = check_inputs("vecdot", a, b);
    if (!status) status = part_axis("vecdot", "a", a, axis, &parts[0]);
    if (!status) status = part_axis("vecdot", "b", b, axis, &parts[1]);
    if (status) return status;
    if (parts[0].length != parts[1].length)
        return fz__fail(FZ_ERROR_SHAPE,
                        "vecdot: a has %td elements along axis %d and b has %td; they must be as many",
                        parts[0].length, axis, parts[1].length);
    const fz_array *const rests[] = {&parts[0].rest, &parts[1].rest};
    return fz_broadcast_shape("vecdot", 2, rests, ndim, shape);
}

fz_status fz_vecdot_shape(const fz_array *a, const fz_array *b, int axis, int *ndim,
                          ptrdiff_t shape[FZ_MAX_NDIM]) {
    parted parts[2];
    return part_pair(a, b, axis, parts, ndim, shape);
}

fz_status fz_vecdot(const fz_array *a, const fz_array *b, int axis, fz_array *out) {
    parted parts[2];
    ptrdiff_t shape[FZ_MAX_NDIM], strides[2][FZ_MAX_NDIM];
    int ndim;
    fz_status status = part_pair(a, b, axis, parts, &ndim, shape);
    if (!status) status = check_output("vecdot", a, b, out, ndim, shape);
    if (status || (a->ndim == 1 && b->ndim == 1 && run_plain(a, b, out))) return status;
    fz_array views[2];
    for (int k = 0; k < 2; k++) {
        const fz_array *rest = &parts[k].rest;
        for (int d = 0; d < ndim; d++) {
            const int own = d - (ndim - rest->ndim);
            strides[k][d] = own < 0 || rest->shape[own] == 1 ? 0 : rest->strides[own];
        }
        strides[k][ndim] = parts[k].stride;
        views[k] = (fz_array){rest->data, rest->dtype, ndim + 1, shape, strides[k]};
    }
    shape[ndim] = parts[0].length;
    return run("vecdot", (const fz_array *const[]){&views[0], &views[1], out});
}

/* ---- dot ------------------------------------------------------------------------------------------------- */

/* b's axis that is summed over: the last but one, or the only one. */
static int inner_axis(const fz_array *b) { return b->ndim > 1 ? b->ndim - 2 : 0; }

fz_status fz_dot_shape(const fz_array *a, const fz_array *b, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    const fz_status status = check_inputs("dot", a, b);
    if (status) return status;
    if (a->ndim == 0 || b->ndim == 0)
        return fz_broadcast_shape("dot", 2, (const fz_array *const[]){a, b}, ndim, shape);
    const int inner = inner_axis(b);
    fz__shape_text is, other;
    if (a->shape[a->ndim - 1] != b->shape[inner])
        return fz__fail(FZ_ERROR_SHAPE,
                        "dot: a is %s and b is %s; a's last axis (%td) must equal b's axis %d (%td)",
                        fz__format_shape(&is, a->ndim, a->shape), fz__format_shape(&other, b->ndim, b->shape),
                        a->shape[a->ndim - 1], inner, b->shape[inner]);
    if (a->ndim + b->ndim - 2 >= FZ_MAX_NDIM)
        return fz__fail(FZ_ERROR_SHAPE, "dot: the result has %d axes; fewer than %d would do",
                        a->ndim + b->ndim - 2, FZ_MAX_NDIM);
    *ndim = 0;
    for (int d = 0; d < a->ndim - 1; d++) shape[(*ndim)++] = a->shape[d];
    for (int d = 0; d < b->ndim; d++) {
        if (d != inner) shape[(*ndim)++] = b->shape[d];
    }
    return FZ_OK;
}

/* Is it a product of matrices that fz_matmul computes? A matrix with a vector is memory's work alone. */
static bool is_matmul(const fz_array *a, const fz_array *b, const fz_array *out) {
    return b->ndim == 2 && out->dtype == fz_promote(a->dtype, b->dtype);
}

/* x as a matrix of one row if it is a vector. */
static fz_array as_matrix(const fz_array *x, ptrdiff_t shape[2], ptrdiff_t strides[2]) {
    if (x->ndim > 1) return *x;
    shape[0] = 1;
    strides[0] = 0;
    shape[1] = x->shape[0];
    strides[1] = x->strides[0];
    return (fz_array){x->data, x->dtype, 2, shape, strides};
}

static fz_status multiply_matrices(const fz_array *a, const fz_array *b, const fz_array *out) {
    ptrdiff_t shapes[2][2], strides[2][2];
    const fz_array left = as_matrix(a, shapes[0], strides[0]);
    fz_array product = as_matrix(out, shapes[1], strides[1]);
    return fz_matmul(&left, b, &product);
}

/* Each row of a with each column of b: both repeat along the other's axes. */
static fz_status dot_all(const fz_array *a, const fz_array *b, int ndim, ptrdiff_t shape[],
                         const fz_array *out) {
    ptrdiff_t strides[2][FZ_MAX_NDIM];
    const int inner = inner_axis(b), left = a->ndim - 1;
    for (int d = 0; d < ndim; d++) {
        const int own = d - left; /* among b's axes, without the inner one */
        strides[0][d] = d < left ? a->strides[d] : 0;
        strides[1][d] = d < left ? 0 : b->strides[own + (own >= inner)];
    }
    strides[0][ndim] = a->strides[left];
    strides[1][ndim] = b->strides[inner];
    shape[ndim] = a->shape[left];
    const fz_array views[2] = {{a->data, a->dtype, ndim + 1, shape, strides[0]},
                               {b->data, b->dtype, ndim + 1, shape, strides[1]}};
    return run("dot", (const fz_array *const[]){&views[0], &views[1], out});
}

fz_status fz_dot(const fz_array *a, const fz_array *b, fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fz_status status = fz_dot_shape(a, b, &ndim, shape);
    if (!status) status = check_output("dot", a, b, out, ndim, shape);
    if (status) return status;
    if (a->ndim == 0 || b->ndim == 0) return fz_multiply(a, b, out);
    if (a->ndim == 1 && b->ndim == 1 && run_plain(a, b, out)) return FZ_OK;
    if (is_matmul(a, b, out)) return multiply_matrices(a, b, out);
    return dot_all(a, b, ndim, shape, out);
}
