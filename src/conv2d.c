/* Convolution: what the arguments mean, and which way is the fastest. */
#include "conv2d.h"
#include "float_environment.h"

/* ---- shapes ---------------------------------------------------------------------------------------------------------- */

/* One convolution as it was asked for. */
typedef struct request {
    const char *operation;
    int spatial; /* axes: 1 or 2 */
    const fz_array *x, *weight, *bias;
    const fz_conv2d_options *options;
    fz__shape_text x_text, weight_text; /* once there is a message */
} request;

/* Axes that are not there have length 1. */
static fz__image as_image(const fz_array *a, int spatial, bool channels_last) {
    fz__image image = {.data = a->data, .dtype = a->dtype, .shape = {1, 1, 1, 1}};
    const bool plain = a->ndim == spatial;
    for (int d = 0; d < a->ndim; d++) {
        int axis = d;
        if (!plain && channels_last) axis = d == 0 ? 0 : d == a->ndim - 1 ? 1 : d + 1;
        const int to = plain || axis >= 2 ? axis + 4 - (plain ? spatial : spatial + 2) : axis;
        image.shape[to] = a->shape[d];
        image.strides[to] = a->strides[d];
    }
    return image;
}

static const fz_conv2d_options defaults = FZ_CONV2D_DEFAULTS;

/* For messages. */
static const char *x_shape(request *r) { return fz__format_shape(&r->x_text, r->x->ndim, r->x->shape); }
static const char *weight_shape(request *r) {
    return fz__format_shape(&r->weight_text, r->weight->ndim, r->weight->shape);
}

static fz_status begin(request *r, const char *operation, int spatial, const fz_array *x,
                       const fz_array *weight, const fz_array *bias, const fz_conv2d_options *options) {
    r->operation = operation;
    r->spatial = spatial;
    r->x = x;
    r->weight = weight;
    r->bias = bias;
    r->options = options ? options : &defaults;
    fz_status status = fz_init();
    if (!status) status = fz__check_array(operation, "x", x);
    if (!status) status = fz__check_array(operation, "weight", weight);
    if (!status && bias) status = fz__check_array(operation, "bias", bias);
    if (status) return status;
    if (x->ndim != weight->ndim || (x->ndim != spatial && x->ndim != spatial + 2))
        return fz__fail(FZ_ERROR_SHAPE, "%s: x is %s and weight is %s; both must have %d axes, or both %d",
                        operation, x_shape(r), weight_shape(r), spatial, spatial + 2);
    if (fz__array_size(weight) == 0)
        return fz__fail(FZ_ERROR_SHAPE, "%s: weight is %s; it must not be empty", operation, weight_shape(r));
    return FZ_OK;
}

static bool is_activation(fz_op op) {
    if (op == FZ_OP_COUNT) return true;
    return (unsigned)op < FZ_OP_COUNT && fz_op_arity(op) == 1 &&
           fz__op_result(op, FZ_FLOAT32) == FZ_FLOAT32 && fz__kernels(FZ_FLOAT32)->elementwise->loops[op];
}

static fz_status check_numbers(const request *r) {
    const fz_conv2d_options *o = r->options;
    for (int d = 2 - r->spatial; d < 2; d++) {
        if (o->stride[d] < 1 || o->dilation[d] < 1)
            return fz__fail(FZ_ERROR_VALUE, "%s: stride is %td and dilation is %td; each must be at least 1",
                            r->operation, o->stride[d], o->dilation[d]);
        if (o->padding[d][0] < 0 || o->padding[d][1] < 0)
            return fz__fail(FZ_ERROR_VALUE, "%s: padding is (%td, %td); it must not be negative",
                            r->operation, o->padding[d][0], o->padding[d][1]);
        if (o->same && o->stride[d] != 1)
            return fz__fail(FZ_ERROR_VALUE,
                            "%s: padding is \"same\" and stride is %td; a stride of 1 would do", r->operation,
                            o->stride[d]);
    }
    if (!is_activation(o->activation))
        return fz__fail(FZ_ERROR_VALUE, "%s: activation is %s; a function of one float, as relu, would do",
                        r->operation,
                        (unsigned)o->activation < FZ_OP_COUNT ? fz_op_name(o->activation) : "unknown");
    return FZ_OK;
}

static fz_status check_channels(request *r, const fz__image *x, const fz__image *weight) {
    const ptrdiff_t groups = r->options->groups;
    if (groups < 1 || x->shape[1] % groups || weight->shape[0] % groups)
        return fz__fail(
            FZ_ERROR_SHAPE,
            "%s: groups is %td, x has %td channels and weight is %s; groups must divide x's channels "
            "and weight's first axis",
            r->operation, groups, x->shape[1], weight_shape(r));
    if (weight->shape[1] != x->shape[1] / groups)
        return fz__fail(
            FZ_ERROR_SHAPE,
            "%s: x is %s and weight is %s; weight's second axis must be x's channels by groups (%td)",
            r->operation, x_shape(r), weight_shape(r), x->shape[1] / groups);
    if (r->bias && (r->bias->ndim != 1 || r->bias->shape[0] != weight->shape[0])) {
        fz__shape_text text;
        return fz__fail(FZ_ERROR_SHAPE, "%s: bias is %s and weight is %s; bias must be (%td,)", r->operation,
                        fz__format_shape(&text, r->bias->ndim, r->bias->shape), weight_shape(r),
                        weight->shape[0]);
    }
    return FZ_OK;
}

/* Of one axis: the window with its gaps, the padding before x, and how many outputs there are. */
static fz_status count_outputs(request *r, int d, ptrdiff_t n, ptrdiff_t k, ptrdiff_t *before,
                               ptrdiff_t *outputs) {
    const fz_conv2d_options *o = r->options;
    ptrdiff_t span, padded = n, after = o->padding[d][1];
    bool fits = !__builtin_mul_overflow(k - 1, o->dilation[d], &span);
    *before = o->padding[d][0];
    if (fits && o->same) {
        *before = span / 2;
        after = span - *before;
    }
    fits = fits && !__builtin_add_overflow(padded, *before, &padded) &&
           !__builtin_add_overflow(padded, after, &padded);
    if (!fits || n == 0 || span >= padded)
        return fz__fail(FZ_ERROR_SHAPE,
                        "%s: weight is %s and x is %s; the window must not be larger than the padded x",
                        r->operation, weight_shape(r), x_shape(r));
    *outputs = (padded - span - 1) / o->stride[d] + 1;
    return FZ_OK;
}

static bool is_narrow(fz_dtype dtype) { return fz_dtype_size(dtype) <= 2; }

fz_status fz__conv_dtypes(const char *operation, const char *x_name, fz_dtype x, const char *weight_name,
                          fz_dtype weight, fz_dtype *result) {
    const bool has_bool = x == FZ_BOOL || weight == FZ_BOOL;
    *result = fz_promote(x, weight);
    if (!has_bool && fz__is_float(*result)) return FZ_OK;
    if (is_narrow(x) && is_narrow(weight)) *result = FZ_INT32;
    if (!has_bool) return FZ_OK;
    return fz__fail(FZ_ERROR_DTYPE, "%s: %s is %s and %s is %s; integers or floats would do", operation,
                    x_name, fz_dtype_name(x), weight_name, fz_dtype_name(weight));
}

/* Narrow floats are summed in float32; products of 16 bits, exactly, in float64; of wider integers with their signs,
   which wrap to the same bits as those without. */
void fz__conv_set_dtype(fz__conv *conv, fz_dtype result) {
    const bool is_float = fz__is_float(result);
    conv->integral = !is_float && is_narrow(conv->x.dtype) && is_narrow(conv->weight.dtype);
    if (is_float || conv->integral)
        conv->dtype = conv->integral || result == FZ_FLOAT64 ? FZ_FLOAT64 : FZ_FLOAT32;
    else
        conv->dtype = fz_dtype_size(result) == 4 ? FZ_INT32 : FZ_INT64;
    conv->element = fz__element_size(conv->dtype);
}

static fz_status check_integers(const request *r) {
    if (r->options->activation == FZ_OP_COUNT && !(r->bias && fz__is_float(r->bias->dtype))) return FZ_OK;
    return fz__fail(FZ_ERROR_DTYPE,
                    "%s: x and weight are integers; no activation and a bias of integers would do",
                    r->operation);
}

/* From the images' order of axes to the caller's. */
static void arrange(const request *r, const ptrdiff_t image[4], int *ndim, ptrdiff_t shape[4]) {
    *ndim = 0;
    const bool plain = r->x->ndim == r->spatial, last = r->options->channels_last;
    if (!plain) shape[(*ndim)++] = image[0];
    if (!plain && !last) shape[(*ndim)++] = image[1];
    for (int d = 4 - r->spatial; d < 4; d++) shape[(*ndim)++] = image[d];
    if (!plain && last) shape[(*ndim)++] = image[1];
}

/* Checks all and fills conv but for out. */
static fz_status plan(request *r, fz__conv *conv, fz_dtype *result, int *ndim, ptrdiff_t shape[4]) {
    const fz_conv2d_options *o = r->options;
    fz_status status = check_numbers(r);
    if (status) return status;
    *conv = (fz__conv){.operation = r->operation,
                       .x = as_image(r->x, r->spatial, o->channels_last),
                       .weight = as_image(r->weight, r->spatial, false),
                       .bias = r->bias,
                       .groups = o->groups,
                       .stride = {1, 1},
                       .dilation = {1, 1}};
    status = check_channels(r, &conv->x, &conv->weight);
    ptrdiff_t image[4] = {conv->x.shape[0], conv->weight.shape[0], 1, 1};
    for (int d = 2 - r->spatial; d < 2 && !status; d++) {
        const ptrdiff_t n = conv->x.shape[2 + d], k = conv->weight.shape[2 + d];
        status = count_outputs(r, d, n, k, &conv->before[d], &image[2 + d]);
        /* Steps that nobody takes are of any size; their bytes must be a number all the same. */
        conv->stride[d] = image[2 + d] == 1 ? fz__min(o->stride[d], n + 1) : o->stride[d];
        conv->dilation[d] = k == 1 ? 1 : o->dilation[d];
    }
    if (!status) status = fz__conv_dtypes(r->operation, "x", r->x->dtype, "weight", r->weight->dtype, result);
    if (status) return status;
    fz__conv_set_dtype(conv, *result);
    if (!fz__is_float(*result) && (status = check_integers(r))) return status;
    arrange(r, image, ndim, shape);
    return FZ_OK;
}

/* ---- ways ------------------------------------------------------------------------------------------------------------ */

ptrdiff_t fz__conv_span(const fz__conv *conv, int axis, ptrdiff_t n) {
    return (n - 1) * conv->stride[axis] + (conv->weight.shape[2 + axis] - 1) * conv->dilation[axis] + 1;
}

static bool rows_follow(const fz__image *image) {
    return image->shape[2] == 1 || image->strides[2] == image->shape[3] * image->strides[3];
}

/* Rows of x that no output sees are left out. */
static void skip_rows(fz__conv *conv) {
    if (conv->weight.shape[2] > 1 || conv->before[0] > 0 ||
        fz__conv_span(conv, 0, conv->out.shape[2]) > conv->x.shape[2])
        return;
    conv->x.strides[2] *= conv->stride[0];
    conv->x.shape[2] = conv->out.shape[2];
    conv->stride[0] = 1;
}

/* Where each output sees one pixel, an image is one row. */
static void join_rows(fz__conv *conv) {
    bool alone = true;
    for (int d = 0; d < 2; d++)
        alone &= conv->weight.shape[2 + d] == 1 && conv->stride[d] == 1 && conv->before[d] == 0 &&
                 conv->x.shape[2 + d] == conv->out.shape[2 + d];
    if (!alone || !rows_follow(&conv->x) || !rows_follow(&conv->out)) return;
    fz__image *const images[] = {&conv->x, &conv->out};
    for (int k = 0; k < 2; k++) {
        images[k]->shape[3] *= images[k]->shape[2];
        images[k]->shape[2] = 1;
    }
}

/* Few output channels: the window's factors, or all of it. */
static fz_status run_lines(const fz__conv *conv) {
    const double taps = (double)(conv->weight.shape[2] * conv->weight.shape[3]);
    fz__factors factors;
    fz_status status = fz__factors_create(&factors, conv);
    if (status) return status;
    if (factors.memory)
        status = fz__conv_direct(conv, &factors);
    else
        status = fz__conv_prefers_fft(conv, taps) ? fz__conv_fft(conv) : fz__conv_direct(conv, NULL);
    fz__factors_free(&factors);
    return status;
}

static fz_status run_best(const fz__conv *conv) {
    const ptrdiff_t outputs = conv->weight.shape[0] / conv->groups;
    if (!fz__is_float(conv->dtype)) return fz__conv_direct(conv, NULL);
    if (fz__conv_prefers_channels(conv)) return fz__conv_channels(conv);
    if (fz__conv_prefers_depthwise(conv)) return fz__conv_depthwise(conv);
    if (fz__conv_prefers_product(conv)) return fz__conv_product(conv);
    return 2 * outputs > conv->kernels->conv2d_tile->lanes ? fz__conv_matmul(conv) : run_lines(conv);
}

/* Windows may be larger than memory where their elements share it. */
static fz_status check_weights(const fz__conv *conv) {
    enum { BYTES = 64 }; /* at most, of scratch for a weight: its copies, and its place in lists */
    double count = 1;
    for (int d = 0; d < 4; d++) count *= (double)conv->weight.shape[d];
    return fz__check_scratch(conv->operation, BYTES * count);
}

fz_status fz__conv_run(const fz__conv *given) {
    const fz__float_environment environment = fz__save_float_environment();
    fz__conv conv = *given;
    conv.kernels = fz__kernels(conv.dtype);
    fz_status status = check_weights(&conv);
    skip_rows(&conv);
    join_rows(&conv);
    if (!status) status = run_best(&conv);
    fz__restore_float_environment(environment);
    return status;
}

/* ---- the operations ---------------------------------------------------------------------------------------------------- */

static fz_status shape_of(request *r, fz_dtype *dtype, int *ndim, ptrdiff_t shape[4]) {
    fz__conv conv;
    return plan(r, &conv, dtype, ndim, shape);
}

static fz_status compute(request *r, fz_array *out) {
    fz__conv conv;
    fz_dtype dtype;
    int ndim;
    ptrdiff_t shape[4];
    fz_status status = plan(r, &conv, &dtype, &ndim, shape);
    const fz_array *const inputs[] = {r->x, r->weight, r->bias};
    if (!status) status = fz__check_result(r->operation, out, dtype, ndim, shape, r->bias ? 3 : 2, inputs);
    if (status || fz__array_size(out) == 0) return status;
    if (r->options->activation != FZ_OP_COUNT)
        conv.activation = fz__kernels(conv.dtype)->elementwise->loops[r->options->activation];
    conv.out = as_image(out, r->spatial, r->options->channels_last);
    return fz__conv_run(&conv);
}

fz_status fz_conv2d_shape(const fz_array *x, const fz_array *weight, const fz_array *bias,
                          const fz_conv2d_options *options, fz_dtype *dtype, int *ndim, ptrdiff_t shape[4]) {
    request r;
    const fz_status status = begin(&r, "conv2d", 2, x, weight, bias, options);
    return status ? status : shape_of(&r, dtype, ndim, shape);
}

fz_status fz_conv2d(const fz_array *x, const fz_array *weight, const fz_array *bias,
                    const fz_conv2d_options *options, fz_array *out) {
    request r;
    const fz_status status = begin(&r, "conv2d", 2, x, weight, bias, options);
    return status ? status : compute(&r, out);
}

fz_status fz_conv1d_shape(const fz_array *x, const fz_array *weight, const fz_array *bias,
                          const fz_conv2d_options *options, fz_dtype *dtype, int *ndim, ptrdiff_t shape[4]) {
    request r;
    const fz_status status = begin(&r, "conv1d", 1, x, weight, bias, options);
    return status ? status : shape_of(&r, dtype, ndim, shape);
}

fz_status fz_conv1d(const fz_array *x, const fz_array *weight, const fz_array *bias,
                    const fz_conv2d_options *options, fz_array *out) {
    request r;
    const fz_status status = begin(&r, "conv1d", 1, x, weight, bias, options);
    return status ? status : compute(&r, out);
}
