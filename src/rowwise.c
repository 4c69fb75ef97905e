/* Row-wise operations: what each does with a row, in passes that rows.c runs. */
#include <float.h>
#include <math.h>

#include "float_environment.h"
#include "internal.h"

/* x * scale - shift, times factor, plus added. */
static fz_row_values affine_values(double scale, double shift, double factor, double added) {
    return (fz_row_values){scale, shift, factor, added};
}

static fz_row_values scaled_by(double scale) { return affine_values(scale, 0, 1, 0); }
static fz_row_values shifted_by(double shift) { return affine_values(1, shift, 1, 0); }

/* One pass that only reads. */
static void read_rows(fz__row_group *g, fz__row_step *step, fz_row_pass pass) {
    step->pass = pass;
    fz__row_run(g, 1, step, false);
}

static void write_rows(fz__row_group *g, fz__row_step *step) {
    step->pass = FZ_ROW_AFFINE;
    fz__row_run(g, 1, step, true);
}

/* ---- softmax --------------------------------------------------------------------------------------------- */

/* Makes the rows' largest elements the step's shifts. */
static void shift_by_largest(fz__row_group *g, fz__row_step *step) {
    read_rows(g, step, FZ_ROW_MAX);
    for (int i = 0; i < g->count; i++) step->values[i] = shifted_by(g->results[i].sum);
}

/* What a pass has written is what the next one reads. */
static void read_what_was_written(fz__row_group *g) {
    g->operands.x = g->operands.out;
    g->operands.x_stride = g->operands.out_stride;
}

/* e^(x - max) is written once and scaled where it lies; where it would not keep its precision there, it is computed
   again. */
static void compute_softmax(fz__row_group *g) {
    fz__row_step steps[2];
    shift_by_largest(g, &steps[0]);
    steps[0].pass = g->whole ? FZ_ROW_EXP : FZ_ROW_COUNTED_EXP;
    fz__row_run(g, 1, steps, g->whole);
    steps[0].pass = FZ_ROW_EXP;
    steps[1].pass = FZ_ROW_AFFINE;
    for (int i = 0; i < g->count; i++)
        steps[1].values[i] = affine_values(1, 0, 1 / (g->results[i].other + g->results[i].sum), 0);
    if (!g->whole) {
        fz__row_run(g, 2, steps, true);
        return;
    }
    read_what_was_written(g);
    fz__row_run(g, 1, &steps[1], true);
}

/* logs[i] = log(sum of e^(x - max)): the largest elements' own terms, which are 1, are not rounded into the sum. */
static void log_of_sums(fz__row_group *g, fz__row_step *step, bool write, double logs[]) {
    step->pass = FZ_ROW_COUNTED_EXP;
    fz__row_run(g, 1, step, write);
    for (int i = 0; i < g->count; i++) logs[i] = (g->results[i].other - 1) + g->results[i].sum;
    const fz_elementwise_kernels *kernels = fz__kernels(FZ_FLOAT64)->elementwise;
    kernels->loops[FZ_OP_log1p](
        &(fz_plane){.n = (size_t)g->count, .rows = 1, .in = {logs}, .step = {1}, .out = logs});
}

/* x - max is written where the output keeps its precision. */
static void compute_log_softmax(fz__row_group *g) {
    fz__row_step step;
    double logs[FZ_ROW_GROUP];
    shift_by_largest(g, &step);
    log_of_sums(g, &step, g->whole, logs);
    for (int i = 0; i < g->count; i++)
        step.values[i] = affine_values(1, g->whole ? 0 : step.values[i].shift, 1, -logs[i]);
    if (g->whole) read_what_was_written(g);
    write_rows(g, &step);
}

static void compute_logsumexp(fz__row_group *g) {
    fz__row_step step;
    double logs[FZ_ROW_GROUP];
    shift_by_largest(g, &step);
    log_of_sums(g, &step, false, logs);
    for (int i = 0; i < g->count; i++) {
        const double max = step.values[i].shift;
        g->results[i].sum = isfinite(max) ? max + logs[i] : max;
    }
}

/* ---- squares --------------------------------------------------------------------------------------------- */

/* Sums of n squares whose mean is not infinite by overflow, nor by underflow so inexact that it shows in mean + added. */
typedef struct range {
    double least, most;
} range;

static range range_of_sums(fz_dtype dtype, double n, double added) {
    const double least = dtype == FZ_FLOAT32 ? FLT_MIN / FLT_EPSILON : DBL_MIN / DBL_EPSILON;
    return (range){(least - added) * n, dtype == FZ_FLOAT32 ? FLT_MAX * n : DBL_MAX};
}

static bool is_in_range(range r, double sum) { return sum >= r.least && sum <= r.most; }

/* The rows one by one. */
static void compute_each(fz__row_group *g) {
    fz__row_group one = *g;
    one.count = 1;
    for (int i = 0; i < g->count; i++) {
        g->rows->compute(&one);
        g->results[i] = one.results[0];
        one.operands = fz__skip_rows(&one.operands, 1);
    }
}

/* A power of two that brings a lone row's largest element near 1, as far as the dtype has it; 1 where no element is
   between 0 and infinity. */
static double find_scale(fz__row_group *g) {
    fz__row_step step;
    read_rows(g, &step, FZ_ROW_SIZE);
    const double size = g->results[0].sum;
    const int most = g->rows->dtype == FZ_FLOAT32 ? FLT_MAX_EXP - 2 : DBL_MAX_EXP - 2;
    int exponent;
    if (size == 0 || !isfinite(size)) return 1;
    frexp(size, &exponent);
    return ldexp(1, (int)-fz__max(-most, fz__min(most, exponent)));
}

static void sum_squares(fz__row_group *g, double scale) {
    fz__row_step step;
    const void *weights = g->operands.y;
    if (scale == 1 && g->whole) {
        g->operands.y = NULL;
        read_rows(g, &step, FZ_ROW_DOT);
        g->operands.y = weights;
        return;
    }
    for (int i = 0; i < g->count; i++) step.values[i] = scaled_by(scale);
    read_rows(g, &step, FZ_ROW_SQUARES);
}

/* The sums of squares of x * scale, which is 1 unless overflow or underflow asks for another, and underflow does so
   only if what is added to the mean square does not hide it. 0 where rows ask for scales of their own. */
static double sum_squares_in_range(fz__row_group *g, double added) {
    const range r = range_of_sums(g->rows->dtype, (double)g->rows->n, added);
    bool fits = true;
    sum_squares(g, 1);
    for (int i = 0; i < g->count; i++) fits &= is_in_range(r, g->results[i].sum);
    if (fits) return 1;
    if (g->count > 1) return 0;
    const double scale = find_scale(g);
    sum_squares(g, scale);
    return scale;
}

static void compute_norm(fz__row_group *g) {
    const double scale = sum_squares_in_range(g, 0);
    if (scale == 0) {
        compute_each(g);
        return;
    }
    for (int i = 0; i < g->count; i++) g->results[i].sum = sqrt(g->results[i].sum) / scale;
}

/* x over the root of its sum of squares / n + eps. */
static void divide_by_root(fz__row_group *g, double n, double eps) {
    const double scale = sum_squares_in_range(g, eps);
    fz__row_step step;
    if (scale == 0) {
        compute_each(g);
        return;
    }
    for (int i = 0; i < g->count; i++) {
        const double mean = g->results[i].sum / n + eps * scale * scale;
        step.values[i] = affine_values(scale, 0, 1 / sqrt(mean), 0);
    }
    write_rows(g, &step);
}

static void compute_normalize(fz__row_group *g) { divide_by_root(g, 1, 0); }

static void compute_rms_norm(fz__row_group *g) { divide_by_root(g, (double)g->rows->n, g->rows->parameter); }

/* Means, as the step's shifts, and variances, as its factors; what a mean as the dtype has it misses, as added. The
   mean counts from the first element, and the variance from the mean, so that rounding errors are those of small
   numbers (Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983): the mean as the dtype has it
   is then the nearest where a row's elements are so near to each other that its error is no small part of the
   variance. */
static void find_moments(fz__row_group *g, double scale, fz__row_step *step) {
    const double n = (double)g->rows->n;
    for (int i = 0; i < g->count; i++)
        step->values[i] = affine_values(scale, fz__row_first(g, i) * scale, 1, 0);
    read_rows(g, step, FZ_ROW_SUM);
    for (int i = 0; i < g->count; i++) step->values[i].shift += g->results[i].sum / n;
    read_rows(g, step, FZ_ROW_SQUARES);
    for (int i = 0; i < g->count; i++) {
        const double missed = g->results[i].other / n;
        step->values[i].factor = g->results[i].sum / n - missed * missed;
        step->values[i].added = missed;
    }
}

static void compute_layer_norm(fz__row_group *g) {
    const double eps = g->rows->parameter;
    const range r = range_of_sums(g->rows->dtype, 1, eps);
    double scale = 1;
    bool fits = true;
    fz__row_step step;
    find_moments(g, 1, &step);
    for (int i = 0; i < g->count; i++) fits &= is_in_range(r, step.values[i].factor);
    if (!fits && g->count > 1) {
        compute_each(g);
        return;
    }
    if (!fits && (scale = find_scale(g)) != 1) find_moments(g, scale, &step);
    for (int i = 0; i < g->count; i++) {
        fz_row_values *v = &step.values[i];
        v->factor = 1 / sqrt(v->factor + eps * scale * scale);
        v->added *= -v->factor;
    }
    write_rows(g, &step);
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

/* Inputs are x and what is already laid out like it. */
static fz_status run(fz__rows *r, int inputs, const fz_array *const arrays[], const bool reduced[]) {
    r->dtype = fz__row_dtype(arrays[0]->dtype);
    r->passes = fz__kernels(r->dtype)->rowwise->passes;
    const fz__float_environment environment = fz__save_float_environment();
    if (!fz__rounds_to_nearest())
        fz__round_to_nearest(); /* powers are, and sums keep what their rounding takes */
    const fz_status status = fz__rows_run(r, inputs, arrays, reduced);
    fz__restore_float_environment(environment);
    return status;
}

static fz_status check_input(const char *name, const fz_array *x, int naxes, const int axes[],
                             bool reduced[]) {
    fz_status status = fz_init();
    if (!status) status = fz__check_array(name, "x", x);
    return status ? status : fz__mark_axes(name, x, naxes, axes, reduced);
}

static fz_status map_rows(const char *name, void (*compute)(fz__row_group *), const fz_array *x, int naxes,
                          const int axes[], fz_array *out) {
    bool reduced[FZ_MAX_NDIM];
    fz_status status = check_input(name, x, naxes, axes, reduced);
    if (!status) status = fz__check_row_output(name, x, out, x->ndim, x->shape);
    if (status) return status;
    fz__rows r;
    r.operation = name;
    r.compute = compute;
    r.full = true;
    r.once = false;
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
    if (!status) fz__reduced_shape(x, reduced, keepdims, ndim, shape);
    return status;
}

static fz_status reduce_rows(const char *name, void (*compute)(fz__row_group *), double nothing, bool once,
                             const fz_array *x, int naxes, const int axes[], fz_array *out) {
    bool reduced[FZ_MAX_NDIM];
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fz_status status = check_input(name, x, naxes, axes, reduced);
    if (status) return status;
    fz__reduced_shape(x, reduced, out && out->ndim == x->ndim, &ndim, shape);
    status = fz__check_output(name, out, ndim, shape, 0, NULL);
    if (!status && fz_may_overlap(x, out))
        status = fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with x; a separate array would do", name);
    if (status) return status;
    fz__rows r;
    r.operation = name;
    r.compute = compute;
    r.nothing = nothing;
    r.full = false;
    r.once = once;
    return run(&r, 1, (const fz_array *const[]){x, out}, reduced);
}

fz_status fz_logsumexp_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                             ptrdiff_t shape[FZ_MAX_NDIM]) {
    return shape_of_numbers("logsumexp", x, naxes, axes, keepdims, ndim, shape);
}

fz_status fz_logsumexp(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return reduce_rows("logsumexp", compute_logsumexp, -INFINITY, false, x, naxes, axes, out);
}

fz_status fz_norm_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                        ptrdiff_t shape[FZ_MAX_NDIM]) {
    return shape_of_numbers("norm", x, naxes, axes, keepdims, ndim, shape);
}

fz_status fz_norm(const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return reduce_rows("norm", compute_norm, 0, true, x, naxes, axes, out);
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
static fz_status map_weighted(const char *name, void (*compute)(fz__row_group *), const fz_array *x,
                              int naxes, const int axes[], const fz_array *weight, const fz_array *bias,
                              double eps, fz_array *out) {
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
        r.once = false;
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
