/* Pooling by whole windows in registers: nothing is written but results. */
#include <math.h>
#include <string.h>

#include "pool2d.h"

/* Rows of windows side by side, each column of which is then loaded once. */
static bool may_slide(const fz__pool2d *j) {
    return j->unit == 1 && j->o.dilation[1] == 1 &&
           (j->o.stride[1] == 2 || (j->o.stride[1] == 1 && j->o.window[1] == FZ_POOL_SIDE));
}

/* Wider steps along rows would leave most of a vector unused, unless the vector is of channels. At a step of 2 rows are
   joined first either way, then columns from the first on: sums have the same bits, whichever way suits the size. */
void fz__pool_plan_registers(fz__pool2d *j) {
    const ptrdiff_t side = j->o.window[0], *outside = &j->o.padding[1];
    if (!j->pool || side != j->o.window[1] || side < 2 || side > FZ_POOL_SIDE) return;
    if (j->unit > 1) {
        j->in_registers = j->unit * j->element >= (ptrdiff_t)j->kernels->vector_bytes;
        return;
    }
    /* Windows of three may see one column outside on either side. */
    const ptrdiff_t most = side == FZ_POOL_SIDE, last = (j->outs[1] - 1) * j->o.stride[1] + side - *outside;
    j->slides = may_slide(j) && j->outs[1] >= j->shortest && *outside <= most && last <= j->in[1] + most;
    j->in_registers = j->slides;
}

/* The rows of x that output row i sees, a line of padding for those beyond. What is in scratch stays for the next. */
static void read_rows(const fz__pool2d *j, const char *plane, ptrdiff_t i, fz__pool2d_lines *l,
                      const char *rows[]) {
    const ptrdiff_t step = j->o.dilation[0];
    ptrdiff_t row = i * j->o.stride[0] - j->o.padding[0];
    for (ptrdiff_t p = 0; p < j->o.window[0]; p++, row += step) {
        if (row < 0 || row >= j->in[0]) {
            rows[p] = j->padding;
            continue;
        }
        const ptrdiff_t place = row / step % j->o.window[0];
        char *line = l->rows + place * j->line_bytes;
        rows[p] = !j->reads_in_place && l->held[place] == row ? line : fz__pool_read_row(j, plane, row, line);
        l->held[place] = row;
    }
}

/* Sums of whole windows are multiplied where that is exact: by the inverse of a power of two. */
static void choose_divisors(const fz__pool2d *j, fz_pool_window *w, ptrdiff_t i, ptrdiff_t c,
                            fz__pool2d_lines *l) {
    const ptrdiff_t rows = fz__pool_count_elements(j, 0, i), elements = rows * j->o.window[1];
    const bool exact = (ptrdiff_t)w->width == j->o.window[1] && (elements & (elements - 1)) == 0;
    w->divisors = exact ? NULL : fz__pool_divisors(j, i, l) + c * j->unit * j->element;
    w->scale = 1 / (double)elements;
}

/* Channels whose pixels lie apart: there a line is a pixel, else a row. */
static bool goes_by_pixel(const fz__pool2d *j) { return j->unit > 1 && j->o.stride[1] > 1; }

ptrdiff_t fz__pool_rows_at_once(const fz__pool2d *j, ptrdiff_t i, ptrdiff_t most) {
    const ptrdiff_t reach = (j->o.window[0] - 1) * j->o.dilation[0] + 1, stride = j->o.stride[0];
    const ptrdiff_t start = i * stride - j->o.padding[0], room = j->in[0] - reach - start;
    if (start < 0 || room < 0 || goes_by_pixel(j) || !j->reads_in_place || !j->writes_in_place) return 1;
    return fz__min(most, room / stride + 1);
}

/* Outputs [c, c + count) of `rows` rows from i on: all that slide; or pixels, one or some that see no padding beside. */
static void pool_units(const fz__pool2d *j, fz_pool_window *w, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t c,
                       ptrdiff_t count, fz__pool2d_lines *l, char *to) {
    const bool by_pixel = goes_by_pixel(j);
    const ptrdiff_t step = j->o.dilation[1], start = c * j->o.stride[1] - j->o.padding[1];
    const ptrdiff_t skipped = start < 0 && !w->slides ? fz__ceil_div(-start, step) : 0;
    const ptrdiff_t seen = w->slides ? j->o.window[1] : fz__ceil_div(j->in[1] - start, step);
    w->lines = (size_t)(by_pixel ? count : rows);
    w->width = (size_t)(fz__max(skipped, fz__min(j->o.window[1], seen)) - skipped);
    to += c * j->unit * j->element;
    if (w->width == 0) { /* all is padding: a mean is of that, or of nothing */
        const double nothing = j->pooling == FZ_POOLING_MEAN && !j->o.count_padding ? NAN : j->identity;
        for (size_t r = 0; r < w->lines; r++, to += w->out_down)
            fz__pool_fill(j, (by_pixel ? 1 : count) * j->unit, nothing, to);
        return;
    }
    if (j->pooling == FZ_POOLING_MEAN) choose_divisors(j, w, i, c, l);
    j->pool(w, (start + skipped * step) * j->unit, (size_t)((by_pixel ? 1 : count) * j->unit), to);
}

void fz__pool_rows_in_registers(const fz__pool2d *j, const char *plane, ptrdiff_t i, ptrdiff_t rows,
                                fz__pool2d_lines *l, char *to) {
    const bool by_pixel = goes_by_pixel(j);
    const ptrdiff_t pixel = j->unit * j->element;
    fz_pool_window w = {.height = (size_t)j->o.window[0],
                        .rows = {j->padding, j->padding, j->padding},
                        .step = (size_t)(j->o.dilation[1] * j->unit),
                        .down = by_pixel ? j->o.stride[1] * pixel : j->o.stride[0] * j->x_strides[0],
                        .out_down = by_pixel ? pixel : j->out_strides[0],
                        .slides = j->slides,
                        .by_two = j->o.stride[1] == 2,
                        .end = j->in[1],
                        .is_unsigned = j->compute >= FZ_UINT8 && j->compute <= FZ_UINT64,
                        .streams = j->streams};
    read_rows(j, plane, i, l, w.rows);
    for (ptrdiff_t c = 0, count; c < j->outs[1]; c += count) {
        const bool inner = c >= j->inner[0] && c < j->inner[1];
        count = j->slides ? j->outs[1] : inner ? j->inner[1] - c : 1;
        pool_units(j, &w, i, rows, c, count, l, to);
    }
}
