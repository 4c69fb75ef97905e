/* Row-wise operations: what each does with a row, in passes that rows.c runs. */
#include <float.h>
#include <math.h>

#include "float_environment.h"
#include "internal.h"

/* ---- softmax --------------------------------------------------------------------------------------------- */

static fz__row_step largest_step(void) { return (fz__row_step){FZ_ROW_MAX, {1, 0, 0, 1}}; }
static fz__row_step power_step(double shift) { return (fz__row_step){FZ_ROW_EXP, {1, shift, 0, 1}}; }
static fz__row_step affine_step(double scale, double shift, double low, double factor) {
    return (fz__row_step){FZ_ROW_AFFINE, {scale, shift, low, factor}};
}

static double find_largest(const fz__row *row) {
    const fz__row_step step = largest_step();
    return fz__row_run(row, 1, &step, false).sum;
}

/* e^(x - max) is written once and scaled where it lies; where it would not keep its precision there, it is computed
   again. */
static void compute_softmax(fz__row *row) {
    fz__row_step steps[2] = {power_step(find_largest(row))};
    const fz_row_result powers = fz__row_run(row, 1, steps, row->whole);
    steps[1] = affine_step(1, 0, 0, 1 / (powers.top + powers.sum));
    if (!row->whole) {
        fz__row_run(row, 2, steps, true);
        return;
    }
    fz__row written = *row;
    written.in[0] = row->out;
    fz__row_run(&written, 1, &steps[1], true);
}

/* log(sum of e^(x - max)): the largest element's own term, which is 1, is not rounded into the sum. */
static double log_of_sum(const fz__row *row, double max) {
    const fz__row_step step = power_step(max);
    const fz_row_result powers = fz__row_run(row, 1, &step, false);
    return powers.top == 1 ? log1p(powers.sum) : log(powers.top + powers.sum);
}

static void compute_log_softmax(fz__row *row) {
    const double max = find_largest(row);
    const fz__row_step step = affine_step(1, max, log_of_sum(row, max), 1);
    fz__row_run(row, 1, &step, true);
}

static void compute_logsumexp(fz__row *row) {
    const double max = find_largest(row);
    row->result.sum = isfinite(max) ? max + log_of_sum(row, max) : max;
}

/* ---- squares --------------------------------------------------------------------------------------------- */

/* Sum of squares, at least `floor` a term, of x * scale: is it neither infinite by overflow nor inexact by underflow? */
static bool is_in_range(fz_dtype dtype, double mean) {
    const double largest = dtype == FZ_FLOAT32 ? FLT_MAX : DBL_MAX;
    const double least = dtype == FZ_FLOAT32 ? FLT_MIN / FLT_EPSILON : DBL_MIN / DBL_EPSILON;
    return isnan(mean) || (mean >= least && mean <= largest);
}

/* A power of two that brings the row's largest element near 1, as far as the dtype has it; 1 where no element is
   between 0 and infinity. */
static double find_scale(const fz__row *row) {
    const fz__row_step step = {FZ_ROW_SIZE, {1, 0, 0, 1}};
    const double size = fz__row_run(row, 1, &step, false).sum;
    const int most = row->rows->dtype == FZ_FLOAT32 ? FLT_MAX_EXP - 2 : DBL_MAX_EXP - 2;
    int exponent;
    if (size == 0 || !isfinite(size)) return 1;
    frexp(size, &exponent);
    return ldexp(1, (int)-fz__max(-most, fz__min(most, exponent)));
}

static double sum_squares(const fz__row *row, double scale) {
    fz__row same = *row;
    same.in[1] = row->in[0];
    const fz__row_step plain = {FZ_ROW_DOT, {1, 0, 0, 1}}, scaled = {FZ_ROW_SQUARES, {scale, 0, 0, 1}};
    if (scale == 1 && row->whole) return fz__row_run(&same, 1, &plain, false).sum;
    return fz__row_run(row, 1, &scaled, false).sum;
}

/* The sum of squares of x * *scale, where *scale is 1 unless overflow or underflow asks for another, and underflow
   does so only if what is added to the mean square does not hide it. */
static double sum_squares_in_range(const fz__row *row, double added, double *scale) {
    const double squares = sum_squares(row, *scale = 1);
    if (is_in_range(row->rows->dtype, squares / (double)row->rows->n + added)) return squares;
    *scale = find_scale(row);
    return *scale == 1 ? squares : sum_squares(row, *scale);
}

static void compute_norm(fz__row *row) {
    double scale;
    const double squares = sum_squares_in_range(row, 0, &scale);
    row->result.sum = sqrt(squares) / scale;
}

static void compute_normalize(fz__row *row) {
    double scale;
    const double squares = sum_squares_in_range(row, 0, &scale);
    const fz__row_step step = affine_step(scale, 0, 0, 1 / sqrt(squares));
    fz__row_run(row, 1, &step, true);
}

static void compute_rms_norm(fz__row *row) {
    double scale;
    const double squares = sum_squares_in_range(row, row->rows->parameter, &scale);
    const double mean = squares / (double)row->rows->n + row->rows->parameter * scale * scale;
    const fz__row_step step = affine_step(scale, 0, 0, 1 / sqrt(mean));
    fz__row_run(row, 1, &step, true);
}

typedef struct moments {
    double scale, mean, mean_low, variance;
} moments;

/* The mean in two parts: `mean` as the dtype has it, and what the elements' mean less that is, where rounding errors
   are those of small numbers (Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983). */
static moments find_moments(const fz__row *row, double scale) {
    const double n = (double)row->rows->n;
    fz__row_step step = {FZ_ROW_SUM, {scale, 0, 0, 1}};
    moments m = {.scale = scale, .mean = fz__row_run(row, 1, &step, false).sum / n};
    step.values.shift = m.mean;
    m.mean_low = fz__row_run(row, 1, &step, false).sum / n;
    step.pass = FZ_ROW_SQUARES;
    step.values.low = m.mean_low;
    m.variance = fz__row_run(row, 1, &step, false).sum / n;
    return m;
}

static void compute_layer_norm(fz__row *row) {
    const double eps = row->rows->parameter;
    moments m = find_moments(row, 1);
    if (isnan(m.variance) || !is_in_range(row->rows->dtype, m.variance + eps)) {
        const double scale = find_scale(row);
        if (scale != 1) m = find_moments(row, scale);
    }
    const double spread = sqrt(m.variance + eps * m.scale * m.scale);
    const fz__row_step step = affine_step(m.scale, m.mean, m.mean_low, 1 / spread);
    fz__row_run(row, 1, &step, true);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

/* Inputs are x and what is already laid out like it. */
static fz_status run(fz__rows *r, int inputs, const fz_array *const arrays[], const bool reduced[]) {
    r->dtype = fz__row_dtype(arrays[0]->dtype);
    r->passes = fz__kernels(r->dtype)->rowwise->passes;
    const fz__float_environment environment = fz__save_float_environment();
    const fz_status status = fz__rows_run(r, inputs, arrays, reduced);
    fz__restore_float_environment(environment);
    return status;
}

static fz_status check_input(const char *name, const fz_array *x, int naxes, const int axes[],
                             bool reduced[]) {
    fz_status status = fz_init();
    if (!status) status = fz__check_array(name, "x", x);
    return status ? status : fz__mark_row_axes(name, x, naxes, axes, reduced);
}

static fz_status map_rows(const char *name, void (*compute)(fz__row *), const fz_array *x, int naxes,
                          const int axes[], fz_array *out) {
    bool reduced[FZ_MAX_NDIM];
    fz_status status = check_input(name, x, naxes, axes, reduced);
    if (!status) status = fz__check_row_output(name, x, out, x->ndim, x->shape);
    if (status) return status;
    fz__rows r;
    r.operation = name;
    r.compute = compute;
    r.full = true;
    return run(&r, 1, (const fz_array *const[]){x, out}, reduced);
}

fz_status fz_softmax(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return map_rows("softmax", compute_softmax, x, naxes, axes, out);
}

fz_status fz_log_softmax(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return map_rows("log_softmax", compute_log_softmax, x, naxes, axes, out);
}

fz_status fz_normalize(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return map_rows("normalize", compute_normalize, x, naxes, axes, out);
}

static fz_status shape_of_numbers(const char *name, const fz_array *x, int naxes, const int axes[],
                                  int keepdims, int *ndim, ptrdiff_t shape[]) {
    bool reduced[FZ_MAX_NDIM];
    const fz_status status = check_input(name, x, naxes, axes, reduced);
    if (!status) fz__row_result_shape(x, reduced, keepdims, ndim, shape);
    return status;
}

static fz_status reduce_rows(const char *name, void (*compute)(fz__row *), double nothing, const fz_array *x,
                             int naxes, const int axes[], fz_array *out) {
    bool reduced[FZ_MAX_NDIM];
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fz_status status = check_input(name, x, naxes, axes, reduced);
    if (status) return status;
    fz__row_result_shape(x, reduced, out && out->ndim == x->ndim, &ndim, shape);
    status = fz__check_output(name, out, ndim, shape, 0, NULL);
    if (!status && fz_may_overlap(x, out))
        status = fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with x; a separate array would do", name);
    if (status) return status;
    fz__rows r;
    r.operation = name;
    r.compute = compute;
    r.nothing = nothing;
    r.full = false;
    return run(&r, 1, (const fz_array *const[]){x, out}, reduced);
}

fz_status fz_logsumexp_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                             ptrdiff_t shape[FZ_MAX_NDIM]) {
    return shape_of_numbers("logsumexp", x, naxes, axes, keepdims, ndim, shape);
}

fz_status fz_logsumexp(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return reduce_rows("logsumexp", compute_logsumexp, -INFINITY, x, naxes, axes, out);
}

fz_status fz_norm_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                        ptrdiff_t shape[FZ_MAX_NDIM]) {
    return shape_of_numbers("norm", x, naxes, axes, keepdims, ndim, shape);
}

fz_status fz_norm(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return reduce_rows("norm", compute_norm, 0, x, naxes, axes, out);
}

/* ---- weighted rows ---------------------------------------------------------------------------------------- */

/* A weight or bias in the computed dtype, seen with x's axes: it repeats along those that are not reduced. */
typedef struct parameter {
    fz_array array;
    ptrdiff_t strides[FZ_MAX_NDIM];
    void *memory;
} parameter;

static fz_status check_parameter(const char *name, const char *argument, const fz_array *given,
                                 const fz_array *x, const bool reduced[], const fz_array *out) {
    fz_status status = fz__check_array(name, argument, given);
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim = 0;
    if (status) return status;
    for (int d = 0; d < x->ndim; d++) {
        if (reduced[d]) shape[ndim++] = x->shape[d];
    }
    bool fits = given->ndim == ndim;
    for (int d = 0; fits && d < ndim; d++) fits = given->shape[d] == shape[d];
    fz__shape_text is, wanted;
    if (!fits)
        return fz__fail(FZ_ERROR_SHAPE, "%s: %s is %s; it must be %s, as x is along its axes", name, argument,
                        fz__format_shape(&is, given->ndim, given->shape),
                        fz__format_shape(&wanted, ndim, shape));
    if (out && fz_may_overlap(given, out))
        return fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with %s; a separate array would do", name,
                        argument);
    return FZ_OK;
}

static fz_status make_parameter(const char *name, const fz_array *given, const fz_array *x,
                                const bool reduced[], parameter *p) {
    const fz_dtype dtype = fz__row_dtype(x->dtype);
    ptrdiff_t gapless[FZ_MAX_NDIM];
    fz_array whole = {NULL, dtype, given->ndim, given->shape, gapless};
    fz_contiguous_strides(dtype, given->ndim, given->shape, gapless);
    const bool copied = given->dtype != dtype || !fz__is_contiguous(given);
    p->memory = NULL;
    whole.data = given->data;
    if (copied) {
        whole.data = p->memory =
            fz__workspace_acquire(name, (size_t)fz__array_size(given) * fz_dtype_size(dtype));
        if (!p->memory) return FZ_ERROR_MEMORY;
        fz__copy(given, &whole);
    }
    for (int d = 0, at = 0; d < x->ndim; d++) p->strides[d] = reduced[d] ? gapless[at++] : 0;
    p->array = (fz_array){whole.data, dtype, x->ndim, x->shape, p->strides};
    return FZ_OK;
}

/* A bias needs a weight beside it. */
static fz_status map_weighted(const char *name, void (*compute)(fz__row *), const fz_array *x, int naxes,
                              const int axes[], const fz_array *weight, const fz_array *bias, double eps,
                              fz_array *out) {
    static const char *const arguments[] = {"weight", "bias"};
    const fz_array *given[] = {weight, bias}, *arrays[FZ_ROW_INPUTS + 1] = {x};
    const int parameters = bias ? 2 : weight ? 1 : 0;
    bool reduced[FZ_MAX_NDIM];
    parameter made[2] = {{.memory = NULL}, {.memory = NULL}};
    fz_status status = check_input(name, x, naxes, axes, reduced);
    if (!status) status = fz__check_row_output(name, x, out, x->ndim, x->shape);
    if (!status && bias && !weight)
        status =
            fz__fail(FZ_ERROR_VALUE, "%s: bias is given without weight; a weight of ones would do", name);
    for (int k = parameters - 1; !status && k >= 0; k--)
        status = check_parameter(name, arguments[k], given[k], x, reduced, out);
    for (int k = 0; !status && k < parameters; k++) {
        status = make_parameter(name, given[k], x, reduced, &made[k]);
        arrays[k + 1] = &made[k].array;
    }
    if (!status) {
        fz__rows r;
        r.operation = name;
        r.compute = compute;
        r.parameter = eps;
        r.full = true;
        arrays[parameters + 1] = out;
        status = run(&r, parameters + 1, arrays, reduced);
    }
    for (int k = 0; k < parameters; k++) {
        if (made[k].memory) fz__workspace_release(made[k].memory);
    }
    return status;
}

fz_status fz_layer_norm(const fz_array *x, int naxes, const int axes[], const fz_array *weight,
                        const fz_array *bias, double eps, fz_array *out) {
    return map_weighted("layer_norm", compute_layer_norm, x, naxes, axes, weight, bias, eps, out);
}

fz_status fz_rms_norm(const fz_array *x, int naxes, const int axes[], const fz_array *weight, double eps,
                      fz_array *out) {
    return map_weighted("rms_norm", compute_rms_norm, x, naxes, axes, weight, NULL, eps, out);
}
