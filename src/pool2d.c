/* Max-pooling of a one-channel image: the rows of a window join into one row, whose windows are then
   reduced along it. */
#include <string.h>

#include "internal.h"

enum { BAND_ELEMENTS = 32768 }; /* inputs of a task */

typedef struct job {
    const fz_kernels *kernels;
    const fz_array *x, *out;
    ptrdiff_t window, stride, element;
    ptrdiff_t columns; /* of x that any window covers */
    char *scratch;     /* per participant: a joined row, a row of x, a row of results */
    ptrdiff_t row_bytes;
} job;

/* A gapless row of x: in place, or copied into `buffer`. */
static const char *read_row(const job *j, ptrdiff_t row, char *buffer) {
    const char *x = (const char *)j->x->data + row * j->x->strides[0];
    if (j->x->strides[1] == j->element) return x;
    j->kernels->elementwise->cast_from[j->x->dtype]((size_t)j->columns, x, j->x->strides[1], buffer,
                                                    j->element);
    return buffer;
}

static void pool_row(const job *j, ptrdiff_t row, char *joined, char *copy, char *results) {
    const fz_kernels *k = j->kernels;
    const size_t columns = (size_t)j->columns;
    const ptrdiff_t w = j->out->shape[1];
    const char *rows = read_row(j, row * j->stride, copy);
    if (j->window > 1) memcpy(joined, rows, columns * (size_t)j->element);
    for (ptrdiff_t p = 1; p < j->window; p++) {
        const void *const in[] = {joined, read_row(j, row * j->stride + p, copy)};
        k->elementwise->loops[FZ_OP_maximum](columns, in, (const unsigned char[]){1, 1}, joined);
        rows = joined;
    }
    char *out = (char *)j->out->data + row * j->out->strides[0];
    const bool gapless = j->out->strides[1] == j->element;
    k->image->max_windows((size_t)w, (size_t)j->window, (size_t)j->stride, rows, gapless ? out : results);
    if (!gapless)
        k->elementwise->cast_from[j->out->dtype]((size_t)w, results, j->element, out, j->out->strides[1]);
}

static void pool_band(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    char *scratch = j->scratch + 3 * participant * j->row_bytes;
    for (ptrdiff_t row = begin; row < end; row++)
        pool_row(j, row, scratch, scratch + j->row_bytes, scratch + 2 * j->row_bytes);
}

fz_status fz_max_pool2d_shape(const fz_array *x, ptrdiff_t window, ptrdiff_t stride, ptrdiff_t shape[2]) {
    fz_status status = fz__check_array("max_pool2d", "x", x);
    if (!status) status = fz__check_full_float("max_pool2d", "x", x);
    if (status) return status;
    fz__shape_text text;
    fz__format_shape(&text, x->ndim, x->shape);
    if (x->ndim != 2) return fz__fail(FZ_ERROR_SHAPE, "max_pool2d: x is %s; it must have 2 axes", text.text);
    if (window < 1 || stride < 1)
        return fz__fail(FZ_ERROR_VALUE,
                        "max_pool2d: window is %td and stride is %td; each must be at least 1", window,
                        stride);
    if (window > x->shape[0] || window > x->shape[1])
        return fz__fail(FZ_ERROR_SHAPE, "max_pool2d: window is %td and x is %s; window must fit into x",
                        window, text.text);
    for (int d = 0; d < 2; d++) shape[d] = (x->shape[d] - window) / stride + 1;
    return FZ_OK;
}

fz_status fz_max_pool2d(const fz_array *x, ptrdiff_t window, ptrdiff_t stride, fz_array *out) {
    ptrdiff_t shape[2];
    fz_status status = fz_init();
    if (!status) status = fz_max_pool2d_shape(x, window, stride, shape);
    if (!status) status = fz__check_output("max_pool2d", out, 2, shape, 1, &x);
    if (status) return status;
    job j = {.kernels = fz__kernels(x->dtype), .x = x, .out = out, .window = window, .stride = stride};
    j.element = (ptrdiff_t)fz_dtype_size(x->dtype);
    j.columns = (out->shape[1] - 1) * stride + window;
    j.row_bytes = fz__ceil_div(j.columns * j.element, FZ_CACHE_LINE) * FZ_CACHE_LINE;
    const ptrdiff_t grain = fz__max(1, BAND_ELEMENTS / (j.columns * window));
    const int participants = fz__participants(out->shape[0], grain);
    j.scratch = fz__workspace_acquire("max_pool2d", (size_t)(3 * participants * j.row_bytes));
    if (!j.scratch) return FZ_ERROR_MEMORY;
    fz__parallel_for(participants, out->shape[0], grain, pool_band, &j);
    fz__workspace_release(j.scratch);
    return FZ_OK;
}
