/* Convolution of a one-channel image: rows of the output in ranges; an image without gapless rows is
   copied band by band into scratch of the participant. */
#include "internal.h"

enum { BAND_ELEMENTS = 32768 }; /* outputs of a task */

typedef struct job {
    const fz_kernels *kernels;
    const fz_array *x, *out;
    ptrdiff_t kh, kw, element;
    const char *weight; /* gapless */
    ptrdiff_t band;     /* rows of a task */
    bool x_gapless, out_gapless;
    char *scratch; /* per participant: a band of x, a band of out; NULL where neither is needed */
    ptrdiff_t scratch_bytes, x_bytes;
} job;

static const char *row_of(const fz_array *array, ptrdiff_t row) {
    return (const char *)array->data + row * array->strides[0];
}

/* Rows [begin, end) of the output. */
static void convolve_band(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    fz_cast *copy = j->kernels->elementwise->cast_from[j->x->dtype];
    const ptrdiff_t rows = end - begin, w = j->out->shape[1], x_w = j->x->shape[1];
    char *scratch = j->scratch + participant * j->scratch_bytes, *result = (char *)row_of(j->out, begin);
    const char *x = row_of(j->x, begin);
    ptrdiff_t x_stride = j->x->strides[0], out_stride = j->out->strides[0];
    if (!j->x_gapless) {
        for (ptrdiff_t i = 0; i < rows + j->kh - 1; i++)
            copy((size_t)x_w, x + i * x_stride, j->x->strides[1], scratch + i * x_w * j->element, j->element);
        x = scratch;
        x_stride = x_w * j->element;
    }
    if (!j->out_gapless) {
        result = scratch + j->x_bytes;
        out_stride = w * j->element;
    }
    j->kernels->image->conv2d((size_t)rows, (size_t)w, x, x_stride, (size_t)j->kh, (size_t)j->kw, j->weight,
                              result, out_stride);
    for (ptrdiff_t i = 0; !j->out_gapless && i < rows; i++)
        copy((size_t)w, result + i * out_stride, j->element, (char *)row_of(j->out, begin + i),
             j->out->strides[1]);
}

fz_status fz_conv2d_shape(const fz_array *x, const fz_array *weight, ptrdiff_t shape[2]) {
    fz_status status = fz__check_array("conv2d", "x", x);
    if (!status) status = fz__check_array("conv2d", "weight", weight);
    if (!status) status = fz__check_full_float("conv2d", "x", x);
    if (status) return status;
    fz__shape_text tx, tw;
    fz__format_shape(&tx, x->ndim, x->shape);
    fz__format_shape(&tw, weight->ndim, weight->shape);
    if (x->ndim != 2 || weight->ndim != 2)
        return fz__fail(FZ_ERROR_SHAPE, "conv2d: x is %s and weight is %s; each must have 2 axes", tx.text,
                        tw.text);
    for (int d = 0; d < 2; d++) {
        if (weight->shape[d] == 0 || weight->shape[d] > x->shape[d])
            return fz__fail(FZ_ERROR_SHAPE,
                            "conv2d: weight is %s and x is %s; weight must not be empty nor larger than x",
                            tw.text, tx.text);
        shape[d] = x->shape[d] - weight->shape[d] + 1;
    }
    return FZ_OK;
}

/* One workspace holds the gapless weight and, where needed, the participants' bands. */
fz_status fz_conv2d(const fz_array *x, const fz_array *weight, fz_array *out) {
    ptrdiff_t shape[2];
    fz_status status = fz_init();
    if (!status) status = fz_conv2d_shape(x, weight, shape);
    if (!status) status = fz__check_output("conv2d", out, 2, shape, 2, (const fz_array *const[]){x, weight});
    if (status) return status;
    job j = {
        .kernels = fz__kernels(x->dtype), .x = x, .out = out, .kh = weight->shape[0], .kw = weight->shape[1]};
    const ptrdiff_t h = out->shape[0], w = out->shape[1];
    j.element = (ptrdiff_t)fz_dtype_size(x->dtype);
    j.band = fz__max(1, BAND_ELEMENTS / w);
    j.x_gapless = x->strides[1] == j.element || x->shape[1] == 1;
    j.out_gapless = out->strides[1] == j.element || w == 1;
    const int participants = fz__participants(h, j.band);
    const ptrdiff_t line = FZ_CACHE_LINE, weight_bytes = fz__ceil_div(j.kh * j.kw * j.element, line) * line;
    if (!j.x_gapless)
        j.x_bytes = fz__ceil_div((fz__min(j.band, h) + j.kh - 1) * x->shape[1] * j.element, line) * line;
    j.scratch_bytes = j.x_bytes;
    if (!j.out_gapless) j.scratch_bytes += fz__ceil_div(fz__min(j.band, h) * w * j.element, line) * line;
    ptrdiff_t bytes;
    if (__builtin_mul_overflow(j.scratch_bytes, participants, &bytes) ||
        __builtin_add_overflow(bytes, weight_bytes, &bytes))
        bytes = PTRDIFF_MAX; /* more than there is */
    char *workspace = fz__workspace_acquire("conv2d", (size_t)bytes);
    if (!workspace) return FZ_ERROR_MEMORY;
    ptrdiff_t strides[2];
    fz_contiguous_strides(weight->dtype, 2, weight->shape, strides);
    fz__copy(weight, &(fz_array){workspace, weight->dtype, 2, weight->shape, strides});
    j.weight = workspace;
    j.scratch = workspace + weight_bytes;
    fz__parallel_for(participants, h, j.band, convolve_band, &j);
    fz__workspace_release(workspace);
    return FZ_OK;
}
