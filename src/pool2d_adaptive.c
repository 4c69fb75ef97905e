/* Means of windows that divide images into so many rows and columns: a pooling where small ones are all of a size; else
   rows of pixels are added, and then the pixels of each window; else a reduction each, of all images at once. */
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum {
    POOLED = 1024,        /* elements of windows, at most, that are pooled */
    ADDED_BYTES = 1 << 20 /* of a row of pixels, at most, that is added up */
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

/* ---- plane by plane --------------------------------------------------------------------------------------- */

typedef struct planes {
    const fz_array *x, *out;
    int row;                      /* axis of rows; that of columns comes next */
    ptrdiff_t pixel, pixel_bytes; /* elements: all channels, where they come last */
    char *sums;                   /* of each participant: a row, and a pixel */
    ptrdiff_t sums_bytes;
} planes;

/* The mean of what adds up to -0 is 0, as NumPy's. A quotient of floats that is rounded to double first is the same. */
static inline void store_mean(fz_dtype dtype, double sum, ptrdiff_t count, char *to) {
    fz__store_float(dtype, (sum + 0) / (double)count, to);
}

static double add_numbers(fz_dtype dtype, ptrdiff_t n, const char *x) {
    enum { FEW = 16 }; /* a kernel's call costs more */
    double sum = 0;    /* or a float */
    for (ptrdiff_t i = 0; n <= FEW && i < n; i++)
        sum += fz__load_float(dtype, x + i * fz__element_size(dtype));
    if (n <= FEW) return sum;
    fz__kernels(dtype)->reduce->join_rows[FZ_JOIN_add](1, (size_t)n, x, 0, &sum);
    return fz__load_float(dtype, &sum);
}

/* Of `height` added rows. */
static void find_row_of_means(const planes *t, ptrdiff_t height, char *sums, char *to) {
    const fz_dtype dtype = t->x->dtype;
    const ptrdiff_t columns = t->x->shape[t->row + 1], windows = t->out->shape[t->row + 1],
                    element = fz__element_size(dtype);
    char *sum = sums + columns * t->pixel_bytes;
    for (ptrdiff_t j = 0; j < windows; j++, to += t->out->strides[t->row + 1]) {
        const ptrdiff_t left = window_begin(j, windows, columns),
                        width = window_end(j, windows, columns) - left;
        const char *pixels = sums + left * t->pixel_bytes;
        if (t->pixel == 1) {
            store_mean(dtype, add_numbers(dtype, width, pixels), height * width, to);
            continue;
        }
        fz__kernels(dtype)->reduce->join_columns[FZ_JOIN_add]((size_t)width, (size_t)t->pixel, pixels,
                                                              t->pixel_bytes, sum);
        for (ptrdiff_t c = 0; c < t->pixel; c++)
            store_mean(dtype, fz__load_float(dtype, sum + c * element), height * width,
                       to + c * t->out->strides[t->row + 2]);
    }
}

static void find_plane_of_means(const planes *t, ptrdiff_t plane, char *sums) {
    const fz_array *x = t->x, *out = t->out;
    const int row = t->row;
    const char *from = x->data;
    char *to = out->data;
    for (int d = row - 1; d >= 0; plane /= x->shape[d], d--) {
        from += plane % x->shape[d] * x->strides[d];
        to += plane % x->shape[d] * out->strides[d];
    }
    for (ptrdiff_t i = 0; i < out->shape[row]; i++) {
        const ptrdiff_t top = window_begin(i, out->shape[row], x->shape[row]),
                        height = window_end(i, out->shape[row], x->shape[row]) - top;
        fz__kernels(x->dtype)->reduce->join_columns[FZ_JOIN_add](
            (size_t)height, (size_t)(x->shape[row + 1] * t->pixel), from + top * x->strides[row],
            x->strides[row], sums);
        find_row_of_means(t, height, sums, to + i * out->strides[row]);
    }
}

static void find_planes_of_means(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const planes *t = context;
    for (; begin < end; begin++) find_plane_of_means(t, begin, t->sums + participant * t->sums_bytes);
}

/* Are x's rows of floats without gaps, and short enough? */
static bool has_rows(const fz_array *x, int row, planes *t) {
    const int last = x->ndim - 1;
    const ptrdiff_t element = fz__element_size(x->dtype);
    *t = (planes){.x = x, .row = row, .pixel = row + 1 == last ? 1 : x->shape[last]};
    t->pixel_bytes = t->pixel * element;
    const bool is_gapless = (x->strides[last] == element || x->shape[last] == 1) &&
                            (x->strides[row + 1] == t->pixel_bytes || x->shape[row + 1] == 1);
    return fz__is_full_float(x->dtype) && is_gapless && x->shape[row + 1] <= ADDED_BYTES / t->pixel_bytes;
}

static fz_status compute_planes(planes *t, const fz_array *out) {
    const fz_array *x = t->x;
    ptrdiff_t count = 1;
    for (int d = 0; d < t->row; d++) count *= x->shape[d];
    t->out = out;
    t->sums_bytes = fz__round_up((x->shape[t->row + 1] + 1) * t->pixel_bytes, FZ_CACHE_LINE);
    const ptrdiff_t elements = x->shape[t->row] * x->shape[t->row + 1] * t->pixel;
    const fz__split cut = fz__split_elements(count * elements / 2); /* little is written */
    t->sums = fz__workspace_acquire("adaptive_avg_pool2d", (size_t)(cut.participants * t->sums_bytes));
    if (!t->sums) return FZ_ERROR_MEMORY;
    const fz__float_environment environment = fz__save_float_environment();
    fz__parallel_for(cut.participants, count, fz__max(1, 2 * cut.grain / elements), find_planes_of_means, t);
    fz__restore_float_environment(environment);
    fz__workspace_release(t->sums);
    return FZ_OK;
}

/* ---- window by window ------------------------------------------------------------------------------------- */

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

/* ---- calls ------------------------------------------------------------------------------------------------ */

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
    planes t;
    if (size[0] == 1 && size[1] == 1) return compute_means(x, row, out);
    if (find_pooling(x, row, size, &pooling)) return fz_pool2d(FZ_POOLING_MEAN, x, &pooling, out);
    return has_rows(x, row, &t) ? compute_planes(&t, out) : compute_apart(x, row, out);
}
