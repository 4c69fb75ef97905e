/* Pooling line by line: the rows of a window are joined into one, whose elements are then joined along it.

   Both ways windows at a step of 1 are joined by doubling: spans of 1, 2, 4 ... elements, each from two of the last, then
   the window from those that make it up. It costs about log2(window) vector operations per output, adds in pairs, and
   lets no NaN beyond the windows that see it, unlike a running sum. */
#include <string.h>

#include "pool2d.h"

/* ---- rows of vectors ------------------------------------------------------------------------------------------------- */

static void join(const fz__pool2d *j, ptrdiff_t n, const char *a, const char *b, char *to) {
    fz__pool_combine(j, j->join, n, a, b, to);
}

static void copy(const fz__pool2d *j, ptrdiff_t n, const char *from, ptrdiff_t stride, char *to) {
    j->kernels->elementwise->cast_from[j->compute]((size_t)n, from, stride, to, j->element);
}

/* ---- down: the rows of a window --------------------------------------------------------------------------------------- */

/* The joined rows that output row i sees, in place or in scratch. With dilation all may be padding. */
static const char *join_rows(const fz__pool2d *j, const char *plane, ptrdiff_t i, const fz__pool2d_lines *l) {
    ptrdiff_t first;
    const ptrdiff_t count = fz__pool_find_rows(j, i, &first), n = j->in[1] * j->unit;
    if (count < 1) {
        fz__pool_fill(j, n, j->identity, l->joined);
        return l->joined;
    }
    const char *rows = fz__pool_read_row(j, plane, first, l->joined);
    for (ptrdiff_t p = 1; p < count; p++) {
        join(j, n, rows, fz__pool_read_row(j, plane, first + p * j->o.dilation[0], l->loaded), l->joined);
        rows = l->joined;
    }
    return rows;
}

/* Rows of x, or padding, from the one on that output row `begin` sees first: so many units of each. */
static void load_strip(const fz__pool2d *j, const char *plane, ptrdiff_t begin, ptrdiff_t rows,
                       ptrdiff_t first, ptrdiff_t units, char *to) {
    const ptrdiff_t n = units * j->unit;
    for (ptrdiff_t r = 0; r < rows; r++, to += j->strip_bytes) {
        const ptrdiff_t row = begin + r - j->o.padding[0];
        if (row < 0 || row >= j->in[0]) {
            fz__pool_fill(j, n, j->identity, to);
            continue;
        }
        const char *from = fz__pool_read_units(j, plane, row, first, units, to);
        if (from != to) memcpy(to, from, (size_t)(n * j->element));
    }
}

/* n elements of each of the rows at hand. Those of spans are written again until the last; for means results are apart,
   for of each span every bit of the window takes one. */
static void double_strip(const fz__pool2d *j, ptrdiff_t count, ptrdiff_t n, char *strip, char *results) {
    const ptrdiff_t k = j->o.window[0], rows = count + k - 1, down = j->strip_bytes, line = j->line_bytes;
    const bool mean = j->pooling == FZ_POOLING_MEAN;
    ptrdiff_t span = 1, done = 0;
    for (;; span *= 2) {
        for (ptrdiff_t r = 0; mean && k & span && r < count; r++) {
            char *to = results + r * line, *from = strip + (r + done) * down;
            if (done)
                join(j, n, to, from, to);
            else
                memcpy(to, from, (size_t)(n * j->element));
        }
        done += k & span;
        if (2 * span > k) break;
        for (ptrdiff_t r = 0; r + span < rows; r++)
            join(j, n, strip + r * down, strip + (r + span) * down, strip + r * down);
    }
    for (ptrdiff_t r = 0; !mean && r < count; r++) {
        char *to = results + r * line, *from = strip + r * down;
        if (k > span)
            join(j, n, from, from + (k - span) * down, to);
        else if (from != to)
            memcpy(to, from, (size_t)(n * j->element));
    }
}

const char *fz__pool_double_rows(const fz__pool2d *j, const char *plane, ptrdiff_t begin, ptrdiff_t count,
                                 const fz__pool2d_lines *l) {
    const ptrdiff_t unit = j->unit * j->element;
    for (ptrdiff_t first = 0; first < j->in[1]; first += j->strip) {
        const ptrdiff_t units = fz__min(j->strip, j->in[1] - first);
        load_strip(j, plane, begin, count + j->o.window[0] - 1, first, units, l->rows);
        double_strip(j, count, units * j->unit, l->rows, l->results + first * unit);
    }
    return l->results;
}

/* ---- across: the elements of a window ----------------------------------------------------------------------------------- */

static const char *pad_row(const fz__pool2d *j, const char *row, const fz__pool2d_lines *l) {
    if (!j->padded) return row;
    const ptrdiff_t left = j->o.padding[1] * j->unit, inside = fz__min(j->in[1] * j->unit, j->line - left);
    char *to = l->phases;
    fz__pool_fill(j, left, j->identity, to);
    memcpy(to + left * j->element, row, (size_t)(inside * j->element));
    fz__pool_fill(j, j->line - left - inside, j->identity, to + (left + inside) * j->element);
    return to;
}

/* At a step of 1, few: one after the other, as in registers. */
static void join_columns(const fz__pool2d *j, const char *row, char *to) {
    const ptrdiff_t step = j->o.dilation[1] * j->unit * j->element, n = j->outs[1] * j->unit;
    const char *joined = row;
    for (ptrdiff_t q = 1; q < j->o.window[1]; q++, joined = to) join(j, n, joined, row + q * step, to);
    if (joined == row) memcpy(to, row, (size_t)(n * j->element));
}

/* At a step of 1, many. */
static void double_columns(const fz__pool2d *j, const char *row, const fz__pool2d_lines *l, char *to) {
    const ptrdiff_t k = j->o.window[1], step = j->o.dilation[1] * j->unit, n = j->outs[1] * j->unit;
    const bool mean = j->pooling == FZ_POOLING_MEAN;
    const char *spans = row, *sum = NULL;
    ptrdiff_t span = 1, done = 0, left = j->line;
    for (int turn = 0;; turn ^= 1, span *= 2) {
        const char *part = spans + done * step * j->element;
        if (mean && k & span) {
            if (sum) join(j, n, sum, part, l->sum);
            /* what is later than the first part lies in scratch that is written again */
            if (!sum && 2 * span <= k) memcpy(l->sum, part, (size_t)(n * j->element));
            sum = sum || 2 * span <= k ? l->sum : part;
        }
        done += k & span;
        if (2 * span > k) break;
        left -= span * step;
        join(j, left, spans, spans + span * step * j->element, l->spans[turn]);
        spans = l->spans[turn];
    }
    if (mean)
        memcpy(to, sum, (size_t)(n * j->element));
    else if (k > span)
        join(j, n, spans, spans + (k - span) * step * j->element, to);
    else
        memcpy(to, spans, (size_t)(n * j->element));
}

/* At longer steps: every stride-th element side by side; then elements of one place in their windows are, too. */
static void join_phases(const fz__pool2d *j, const char *row, const fz__pool2d_lines *l, char *to) {
    const ptrdiff_t k = j->o.window[1], stride = j->o.stride[1], n = j->outs[1];
    if (stride == 2 && j->kernels->split) {
        j->kernels->split((size_t)(j->line / 2), row, l->spans[0], l->spans[1]);
        if (j->line % 2)
            memcpy(l->spans[0] + j->line / 2 * j->element, row + (j->line - 1) * j->element,
                   (size_t)j->element);
    }
    const char *joined = NULL;
    for (ptrdiff_t q = 0; q < k; q++) {
        const ptrdiff_t at = q * j->o.dilation[1];
        const char *part = l->spans[at % 2] + at / 2 * j->element;
        if (stride != 2 || !j->kernels->split) {
            copy(j, n, row + at * j->element, stride * j->element, q ? l->spans[0] : to);
            part = q ? l->spans[0] : to;
        }
        if (q) join(j, n, joined, part, to);
        joined = q ? to : part;
    }
    if (joined != to) memcpy(to, joined, (size_t)(n * j->element));
}

static void join_units(const fz__pool2d *j, const char *row, char *to) {
    const ptrdiff_t bytes = j->unit * j->element, step = j->o.dilation[1] * bytes;
    for (ptrdiff_t c = 0; c < j->outs[1]; c++, to += bytes) {
        const char *from = row + c * j->o.stride[1] * bytes;
        memcpy(to, from, (size_t)bytes);
        for (ptrdiff_t q = 1; q < j->o.window[1]; q++) join(j, j->unit, to, from + q * step, to);
    }
}

void fz__pool_row_by_lines(const fz__pool2d *j, const char *plane, ptrdiff_t i, const char *rows,
                           fz__pool2d_lines *l, char *to) {
    const char *row = pad_row(j, rows ? rows : join_rows(j, plane, i, l), l);
    if (j->o.stride[1] == 1 && j->o.window[1] <= FZ_POOL_SIDE)
        join_columns(j, row, to);
    else if (j->o.stride[1] == 1)
        double_columns(j, row, l, to);
    else if (j->unit == 1)
        join_phases(j, row, l, to);
    else
        join_units(j, row, to);
    if (j->pooling == FZ_POOLING_MEAN)
        fz__pool_combine(j, FZ_OP_divide, j->outs[1] * j->unit, to, fz__pool_divisors(j, i, l), to);
}

/* ---- a band at once --------------------------------------------------------------------------------------------------- */

bool fz__pool_fits_band(const fz__pool2d *j) {
    const fz_pool2d_options *o = &j->o;
    if (j->line * j->element >= 2 * (ptrdiff_t)j->kernels->vector_bytes || o->padding[0] > 0) return false;
    const ptrdiff_t rows = (j->outs[0] - 1) * o->stride[0] + (o->window[0] - 1) * o->dilation[0] + 1;
    return j->kernels->split && j->unit == 1 && o->window[0] > 1 && o->window[1] == 2 && o->stride[1] == 2 &&
           o->dilation[1] == 1 && j->line == j->in[1] && !j->padded && rows <= j->in[0] &&
           j->reads_in_place && j->writes_in_place && j->out_strides[0] == j->outs[1] * j->element;
}

/* Rows of a few elements cost mostly the calls that join them: here three per band. */
void fz__pool_band_at_once(const fz__pool2d *j, const char *plane, ptrdiff_t first, ptrdiff_t count,
                           fz__pool2d_lines *l, char *out) {
    const ptrdiff_t n = count * j->outs[1], down = j->x_strides[0], row = j->line * j->element;
    const char *x = plane + first * j->o.stride[0] * down, *joined = x;
    fz_plane rows = {.n = (size_t)j->line,
                     .rows = (size_t)count,
                     .step = {1, 1},
                     .out = l->rows,
                     .down = {j->o.stride[0] * down, j->o.stride[0] * down},
                     .out_down = row};
    for (ptrdiff_t p = 1; p < j->o.window[0]; p++, joined = l->rows) {
        rows.in[0] = joined;
        rows.in[1] = x + p * j->o.dilation[0] * down;
        j->kernels->elementwise->loops[j->join](&rows);
        rows.down[0] = row;
    }
    char *evens = l->results, *odds = evens + n * j->element;
    j->kernels->split((size_t)n, joined, evens, odds);
    join(j, n, evens, odds, out);
    const ptrdiff_t step = j->outs[1] * j->element;
    for (ptrdiff_t r = 0; j->pooling == FZ_POOLING_MEAN && r < count; r++)
        fz__pool_combine(j, FZ_OP_divide, j->outs[1], out + r * step, fz__pool_divisors(j, first + r, l),
                         out + r * step);
}
