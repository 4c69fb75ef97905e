/* Convolution: from x into bands of scratch, and from scratch to out. */
#include <string.h>

#include "conv2d.h"

/* ---- layout -------------------------------------------------------------------------------------------------------- */

/* Rows of x that a band for n rows of outputs holds. */
static ptrdiff_t held_rows(const fz__conv *conv, ptrdiff_t n) {
    return n == 1 ? conv->weight.shape[2] : fz__conv_span(conv, 0, n);
}

double fz__band_bytes(const fz__conv *conv, ptrdiff_t rows, ptrdiff_t columns) {
    return (double)held_rows(conv, rows) * (double)fz__conv_span(conv, 1, columns) *
           (double)(conv->weight.shape[1] * conv->element);
}

fz_status fz__band_layout(const fz__conv *conv, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t spare,
                          fz__band *band) {
    const fz_status status = fz__check_scratch(conv->operation, fz__band_bytes(conv, rows, columns));
    if (status) return status;
    const ptrdiff_t seen = fz__conv_span(conv, 1, columns);
    band->step = rows == 1 ? conv->dilation[0] : 1;
    band->phase = (fz__ceil_div(seen, conv->stride[1]) + spare) * conv->element;
    band->row = band->phase * fz__min(conv->stride[1], seen);
    band->plane = band->row * held_rows(conv, rows);
    return FZ_OK;
}

fz__band fz__band_in_place(const fz__conv *conv) {
    return (fz__band){.plane = conv->x.strides[1], .row = conv->x.strides[2], .step = 1};
}

/* Are elements of dtype, bit for bit, those computed in? */
static bool is_computed_in(const fz__conv *conv, fz_dtype dtype) {
    const bool both_wrap = !fz__is_float(conv->dtype) && !fz__is_float(dtype);
    return dtype == conv->dtype || (both_wrap && fz__element_size(dtype) == conv->element);
}

/* ---- filled with one value beyond x ------------------------------------------------------------------------------ */

static void fill(const fz__conv *conv, ptrdiff_t bytes, char *scratch) {
    if (conv->fill == 0) {
        memset(scratch, 0, (size_t)bytes);
        return;
    }
    const fz_dtype dtype = fz__is_float(conv->dtype) ? conv->dtype : conv->out.dtype; /* perhaps unsigned */
    fz__kernels(dtype)->elementwise->cast_from[FZ_FLOAT64]((size_t)(bytes / conv->element), &conv->fill, 0,
                                                           scratch, conv->element);
}

/* Of indices first, first + step, ... (count of them) those inside of [0, n): *begin of them are before it. */
static ptrdiff_t clip(ptrdiff_t first, ptrdiff_t step, ptrdiff_t count, ptrdiff_t n, ptrdiff_t *begin) {
    *begin = first < 0 ? fz__min((-first - 1) / step + 1, count) : 0;
    const ptrdiff_t end = first < n ? fz__min((n - 1 - first) / step + 1, count) : 0;
    return fz__max(end - *begin, 0);
}

/* The rows of a band that lie in x, the first of them `above` rows below the band's. */
typedef struct rows_inside {
    const char *data; /* column 0 of x */
    ptrdiff_t above, rows, down;
} rows_inside;

/* Channels lie pages apart, where CPUs do not look ahead: asks for the next one's row while this one's is copied. */
static void prefetch_row(const char *row, ptrdiff_t bytes) {
    for (ptrdiff_t at = 0; at < bytes; at += FZ_CACHE_LINE) __builtin_prefetch(row + at);
}

/* The part of two phases that lies in x, whose rows are contiguous: from element `first` on, count of them. */
static void load_split(const fz__conv *conv, const fz__rectangle *from, const fz__band *band,
                       const rows_inside *seen, ptrdiff_t first, ptrdiff_t count, char *scratch) {
    const fz__image *x = &conv->x;
    const ptrdiff_t at = first - (from->column - conv->before[1]); /* of the first element in the band */
    char *const lanes[2] = {scratch + at % 2 * band->phase + at / 2 * conv->element,
                            scratch + (at + 1) % 2 * band->phase + (at + 1) / 2 * conv->element};
    const char *source = seen->data + first * conv->element;
    fz_split *split = fz__kernels(conv->element == 4 ? FZ_FLOAT32 : FZ_FLOAT64)->split; /* of any bits */
    for (ptrdiff_t c = 0; c < from->channels; c++) {
        for (ptrdiff_t r = 0; r < seen->rows; r++) {
            const char *row = source + c * x->strides[1] + r * seen->down;
            const ptrdiff_t to = c * band->plane + (seen->above + r) * band->row;
            if (c + 1 < from->channels) prefetch_row(row + x->strides[1], count * conv->element);
            split((size_t)(count / 2), row, lanes[0] + to, lanes[1] + to);
            if (count % 2)
                memcpy(lanes[0] + to + count / 2 * conv->element, row + (count - 1) * conv->element,
                       (size_t)conv->element);
        }
    }
}

/* The same of rows that stay as they are. */
static void load_rows(const fz__conv *conv, const fz__rectangle *from, const fz__band *band,
                      const rows_inside *seen, ptrdiff_t first, ptrdiff_t count, char *scratch) {
    const fz__image *x = &conv->x;
    const char *source = seen->data + first * conv->element;
    const ptrdiff_t bytes = count * conv->element;
    char *to = scratch + seen->above * band->row + (first - (from->column - conv->before[1])) * conv->element;
    for (ptrdiff_t c = 0; c < from->channels; c++) {
        for (ptrdiff_t r = 0; r < seen->rows; r++) {
            const char *row = source + c * x->strides[1] + r * seen->down;
            if (c + 1 < from->channels) prefetch_row(row + x->strides[1], bytes);
            memcpy(to + c * band->plane + r * band->row, row, (size_t)bytes);
        }
    }
}

/* Any phases, of x as it may lie, one after the other. */
static void load_phases(const fz__conv *conv, const fz__rectangle *from, const fz__band *band,
                        const rows_inside *seen, ptrdiff_t phases, char *scratch) {
    const fz__image *x = &conv->x;
    ptrdiff_t left, shape[3] = {from->channels, seen->rows};
    for (ptrdiff_t phase = 0; phase < phases; phase++) {
        const ptrdiff_t first = from->column - conv->before[1] + phase;
        shape[2] = clip(first, phases, fz__ceil_div(from->columns - phase, phases), x->shape[3], &left);
        if (shape[2] == 0) continue;
        const ptrdiff_t src_strides[3] = {x->strides[1], seen->down, x->strides[3] * phases};
        const ptrdiff_t dst_strides[3] = {band->plane, band->row, conv->element};
        const fz_array src = {(char *)seen->data + (first + left * phases) * x->strides[3], x->dtype, 3,
                              shape, src_strides};
        const fz_array dst = {scratch + seen->above * band->row + phase * band->phase + left * conv->element,
                              conv->dtype, 3, shape, dst_strides};
        fz__copy_alone(&src, &dst);
    }
}

static void load_filled(const fz__conv *conv, const fz__rectangle *from, const fz__band *band,
                        ptrdiff_t phases, char *scratch) {
    const fz__image *x = &conv->x;
    const ptrdiff_t row = from->row - conv->before[0], column = from->column - conv->before[1];
    const ptrdiff_t rows = (from->rows - 1) / band->step + 1;
    rows_inside seen;
    ptrdiff_t left;
    seen.rows = clip(row, band->step, rows, x->shape[2], &seen.above);
    if (seen.rows < rows || column < 0 || column + from->columns > x->shape[3])
        fill(conv, from->channels * band->plane, scratch);
    const ptrdiff_t columns = clip(column, 1, from->columns, x->shape[3], &left);
    if (seen.rows == 0 || columns == 0) return;
    seen.data = x->data + from->image * x->strides[0] + from->channel * x->strides[1] +
                (row + seen.above * band->step) * x->strides[2];
    /* A step that is not taken is of any size. */
    seen.down = seen.rows > 1 ? band->step * x->strides[2] : 0;
    if (phases <= 2 && is_computed_in(conv, x->dtype) && x->strides[3] == conv->element)
        (phases == 2 ? load_split : load_rows)(conv, from, band, &seen, column + left, columns, scratch);
    else
        load_phases(conv, from, band, &seen, phases, scratch);
}

/* ---- mirrored or repeated beyond x --------------------------------------------------------------------------------- */

static ptrdiff_t map_index(fz_boundary boundary, ptrdiff_t i, ptrdiff_t n) {
    const ptrdiff_t period = boundary == FZ_BOUNDARY_SYMM ? 2 * n : n;
    i = (i % period + period) % period;
    return i < n ? i : period - 1 - i;
}

/* One channel at stride 1 is all that has such boundaries. */
static void load_mapped(const fz__conv *conv, const fz__rectangle *from, const fz__band *band,
                        char *scratch) {
    const fz__image *x = &conv->x;
    fz_cast *copy = conv->kernels->elementwise->cast_from[x->dtype];
    const ptrdiff_t first = from->column - conv->before[1];
    ptrdiff_t left;
    const ptrdiff_t inside = clip(first, 1, from->columns, x->shape[3], &left);
    for (ptrdiff_t r = 0; r < from->rows; r++) {
        const char *row =
            x->data + map_index(conv->boundary, from->row + r - conv->before[0], x->shape[2]) * x->strides[2];
        char *to = scratch + r * band->row;
        for (ptrdiff_t j = 0; j < from->columns; j++) {
            const bool whole = inside > 0 && j == left;
            const ptrdiff_t at = whole ? first + j : map_index(conv->boundary, first + j, x->shape[3]);
            copy(whole ? (size_t)inside : 1, row + at * x->strides[3], x->strides[3], to + j * conv->element,
                 conv->element);
            if (whole) j += inside - 1;
        }
    }
}

void fz__band_load(const fz__conv *conv, const fz__rectangle *from, const fz__band *band, ptrdiff_t phases,
                   char *scratch) {
    if (conv->boundary == FZ_BOUNDARY_FILL)
        load_filled(conv, from, band, phases, scratch);
    else
        load_mapped(conv, from, band, scratch);
}

/* ---- in place -------------------------------------------------------------------------------------------------------- */

bool fz__conv_reads_in_place(const fz__conv *conv) {
    bool inside = true;
    for (int d = 0; d < 2; d++)
        inside &=
            conv->before[d] == 0 && fz__conv_span(conv, d, conv->out.shape[2 + d]) <= conv->x.shape[2 + d];
    return inside && is_computed_in(conv, conv->x.dtype) && conv->stride[1] == 1 &&
           (conv->x.strides[3] == conv->element || conv->x.shape[3] == 1);
}

bool fz__conv_writes_in_place(const fz__conv *conv) {
    return is_computed_in(conv, conv->out.dtype) &&
           (conv->out.strides[3] == conv->element || conv->out.shape[3] == 1);
}

/* ---- to out ---------------------------------------------------------------------------------------------------------- */

/* Integers by way of int64, which wraps into int32 as sums of int32 would. */
fz_dtype fz__conv_finish(const fz__conv *conv, ptrdiff_t n, char *sums) {
    if (conv->activation)
        conv->activation(&(fz_plane){.n = (size_t)n, .rows = 1, .in = {sums}, .step = {1}, .out = sums});
    if (!conv->integral) return conv->dtype;
    fz__kernels(FZ_INT64)->elementwise->cast_from[FZ_FLOAT64]((size_t)n, sums, 8, sums, 8);
    return FZ_INT64;
}

void fz__conv_store(const fz__conv *conv, char *results, ptrdiff_t stride, ptrdiff_t image, ptrdiff_t channel,
                    ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column, ptrdiff_t columns) {
    const fz__image *out = &conv->out;
    fz_dtype dtype = conv->dtype;
    for (ptrdiff_t r = 0; r < rows; r++) dtype = fz__conv_finish(conv, columns, results + r * stride);
    char *to = out->data + image * out->strides[0] + channel * out->strides[1] + row * out->strides[2] +
               column * out->strides[3];
    if (to == results) return;
    const ptrdiff_t shape[2] = {rows, columns}, strides[2] = {stride, conv->element};
    const fz_array src = {results, dtype, 2, shape, strides};
    fz__copy_alone(&src, &(fz_array){to, out->dtype, 2, shape, &out->strides[2]});
}

void fz__conv_bias(const fz__conv *conv, ptrdiff_t channel, ptrdiff_t count, void *bias) {
    const fz_array *from = conv->bias;
    if (!from)
        memset(bias, 0, (size_t)(count * conv->element));
    else
        conv->kernels->elementwise->cast_from[from->dtype](
            (size_t)count, (const char *)from->data + channel * from->strides[0], from->strides[0], bias,
            conv->element);
}
