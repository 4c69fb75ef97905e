/* Means of windows that divide images into so many rows and columns: a pooling where small ones are all of a size, else
   a reduction each, of all images at once. */
#include "internal.h"

enum {
    POOLED = 1024 /* elements of windows, at most, that are pooled: of larger ones a call each costs little */
};

/* Window i of `windows` over n elements. */
static ptrdiff_t window_begin(ptrdiff_t i, ptrdiff_t windows, ptrdiff_t n) { return i * n / windows; }

static ptrdiff_t window_end(ptrdiff_t i, ptrdiff_t windows, ptrdiff_t n) {
    return (i + 1) * n / windows + ((i + 1) * n % windows != 0);
}

/* x's axis of rows; that of columns comes next. */
static int row_axis(const fz_array *x, int channels_last) {
    return x->ndim - 2 - (channels_last && x->ndim > 2);
}

fz_status fz_adaptive_mean2d_shape(const fz_array *x, const ptrdiff_t size[2], int channels_last,
                                   fz_dtype *dtype, ptrdiff_t shape[4]) {
    const fz_status status = fz__check_array("adaptive_avg_pool2d", "x", x);
    if (status) return status;
    const int row = row_axis(x, channels_last);
    fz__shape_text text;
    if (x->ndim < 2 || x->ndim > 4 || x->shape[row] == 0 || x->shape[row + 1] == 0)
        return fz__fail(FZ_ERROR_SHAPE,
                        "adaptive_avg_pool2d: x is %s; it must have 2 to 4 axes, rows and columns not empty",
                        fz__format_shape(&text, x->ndim, x->shape));
    if (size[0] < 1 || size[1] < 1)
        return fz__fail(FZ_ERROR_VALUE, "adaptive_avg_pool2d: size is (%td, %td); each must be at least 1",
                        size[0], size[1]);
    for (int d = 0; d < x->ndim; d++) shape[d] = d == row || d == row + 1 ? size[d - row] : x->shape[d];
    *dtype = fz_reduce_dtype(FZ_REDUCTION_mean, x->dtype);
    return FZ_OK;
}

/* One mean after the other; row: x's and out's axis of them. */
static fz_status compute_means(const fz_array *x, int row, const fz_array *out) {
    const int column = row + 1, both[2] = {row, column};
    const ptrdiff_t *size = &out->shape[row];
    ptrdiff_t shape[4], kept[4], kept_strides[4]; /* of a window; out's axes but for rows and columns */
    int outer = 0;
    for (int d = 0; d < x->ndim; d++) {
        shape[d] = x->shape[d];
        if (d == row || d == column) continue;
        kept[outer] = out->shape[d];
        kept_strides[outer++] = out->strides[d];
    }
    fz_status status = FZ_OK;
    for (ptrdiff_t window = 0; window < size[0] * size[1] && !status; window++) {
        const ptrdiff_t i = window / size[1], j = window % size[1];
        const ptrdiff_t top = window_begin(i, size[0], x->shape[row]),
                        left = window_begin(j, size[1], x->shape[column]);
        shape[row] = window_end(i, size[0], x->shape[row]) - top;
        shape[column] = window_end(j, size[1], x->shape[column]) - left;
        const fz_array seen = {(char *)x->data + top * x->strides[row] + left * x->strides[column], x->dtype,
                               x->ndim, shape, x->strides};
        fz_array mean = {(char *)out->data + i * out->strides[row] + j * out->strides[column], out->dtype,
                         outer, kept, kept_strides};
        status = fz_mean(&seen, 2, both, &mean);
    }
    return status;
}

/* By way of scratch: where there is no memory for a later mean, out is as it was. */
static fz_status compute_apart(const fz_array *x, int row, const fz_array *out) {
    ptrdiff_t strides[4];
    fz_contiguous_strides(out->dtype, out->ndim, out->shape, strides);
    const size_t bytes = (size_t)fz__array_size(out) * fz_dtype_size(out->dtype);
    const fz_array means = {fz__workspace_acquire("adaptive_avg_pool2d", bytes), out->dtype, out->ndim,
                            out->shape, strides};
    if (!means.data) return FZ_ERROR_MEMORY;
    const fz_status status = compute_means(x, row, &means);
    if (!status) fz__copy(&means, out);
    fz__workspace_release(means.data);
    return status;
}

/* Are the windows those of a pooling, and too small for a call each? */
static bool find_pooling(const fz_array *x, int row, const ptrdiff_t size[2], fz_pool2d_options *o) {
    for (int d = 0; d < 2; d++) {
        o->window[d] = o->stride[d] = x->shape[row + d] / size[d];
        if (o->window[d] * size[d] != x->shape[row + d]) return false;
    }
    return o->window[0] * o->window[1] <= POOLED;
}

fz_status fz_adaptive_mean2d(const fz_array *x, const ptrdiff_t size[2], int channels_last, fz_array *out) {
    fz_dtype dtype;
    ptrdiff_t shape[4];
    fz_status status = fz_init();
    if (!status) status = fz_adaptive_mean2d_shape(x, size, channels_last, &dtype, shape);
    if (!status) status = fz__check_result("adaptive_avg_pool2d", out, dtype, x->ndim, shape, 1, &x);
    if (status || fz__array_size(out) == 0) return status;
    const int row = row_axis(x, channels_last);
    fz_pool2d_options pooling = {.dilation = {1, 1}, .channels_last = channels_last};
    if (size[0] == 1 && size[1] == 1) return compute_means(x, row, out);
    return find_pooling(x, row, size, &pooling) ? fz_pool2d(FZ_POOLING_MEAN, x, &pooling, out)
                                                : compute_apart(x, row, out);
}
