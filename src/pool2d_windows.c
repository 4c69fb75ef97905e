/* Pooling by whole windows in registers: x is read as often as windows overlap, and nothing is written but results. */
#include "pool2d.h"

/* Wider steps along rows would leave most of a vector unused, unless the vector is of channels. At a step of 2 rows are
   joined first either way, then columns from the first on: sums have the same bits, whichever way suits the size. */
bool fz__pool_fits_registers(const fz__pool2d *j) {
    const ptrdiff_t side = j->o.window[0], stride = j->o.stride[1], inner = j->inner[1] - j->inner[0];
    if (!j->pool || side != j->o.window[1] || side < 2 || side > FZ__POOL_SIDE) return false;
    if (j->unit > 1) return true;
    if (stride == 1) return side == FZ__POOL_SIDE;
    return stride == 2 && j->o.dilation[1] == 1 && inner * j->element >= (ptrdiff_t)j->kernels->vector_bytes;
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
static void choose_divisors(const fz__pool2d *j, fz_pool_window *w, const char *divisors, ptrdiff_t rows) {
    const ptrdiff_t elements = rows * j->o.window[1];
    const bool exact = (ptrdiff_t)w->width == j->o.window[1] && (elements & (elements - 1)) == 0;
    w->divisors = exact ? NULL : divisors;
    w->scale = 1 / (double)elements;
}

/* Outputs [c, c + count) of a row: one, or some whose windows see nothing beyond the row's ends. */
static void pool_units(const fz__pool2d *j, fz_pool_window *w, ptrdiff_t c, ptrdiff_t count,
                       const fz__pool2d_lines *l, char *to) {
    const ptrdiff_t step = j->o.dilation[1], start = c * j->o.stride[1] - j->o.padding[1];
    const ptrdiff_t skipped = start < 0 ? fz__ceil_div(-start, step) : 0;
    const ptrdiff_t end = fz__min(j->o.window[1], fz__ceil_div(j->in[1] - start, step));
    const ptrdiff_t at = c * j->unit * j->element;
    if (end <= skipped) { /* all is padding */
        fz__pool_fill(j, count * j->unit, j->identity, to + at);
        return;
    }
    w->width = (size_t)(end - skipped);
    w->by_two = count > 1 && j->o.stride[1] == 2;
    choose_divisors(j, w, l->counts + at, l->counted);
    j->pool(w, (start + skipped * step) * j->unit, (size_t)(count * j->unit), to + at);
}

void fz__pool_row_in_registers(const fz__pool2d *j, const char *plane, ptrdiff_t i, fz__pool2d_lines *l,
                               char *to) {
    const char *rows[FZ__POOL_SIDE];
    read_rows(j, plane, i, l, rows);
    fz_pool_window w = {.height = (size_t)j->o.window[0],
                        .rows = rows,
                        .step = (size_t)(j->o.dilation[1] * j->unit),
                        .is_unsigned = j->compute >= FZ_UINT8 && j->compute <= FZ_UINT64};
    const bool apart = j->unit > 1 && j->o.stride[1] > 1;
    if (j->pooling == FZ_POOLING_MEAN) fz__pool_divisors(j, i, l);
    for (ptrdiff_t c = 0; c < j->outs[1];) {
        const bool inner = c >= j->inner[0] && c < j->inner[1] && !apart;
        const ptrdiff_t count = inner ? j->inner[1] - c : 1;
        pool_units(j, &w, c, count, l, to);
        c += count;
    }
}
