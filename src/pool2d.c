/* Pooling: the rows of a window are joined into one, whose elements are then joined along it.

   Both ways windows at a step of 1 are joined by doubling: spans of 1, 2, 4 ... elements, each from two of the last, then
   the window from those that make it up. It costs about log2(window) vector operations per output, adds in pairs, and
   lets no NaN beyond the windows that see it, unlike a running sum. */
#include <math.h>
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum {
    ITEM_ELEMENTS = 32768, /* of x */
    DOUBLE_FROM = 4,       /* rows of a window from which doubling pays */
};

typedef struct job {
    const char *operation;
    fz_pooling pooling;
    const fz_kernels *kernels; /* of the dtype computed in */
    fz_dtype compute;
    fz_op join;
    ptrdiff_t element;
    const char *x;
    char *out;
    fz_dtype x_dtype, out_dtype;
    /* A unit is what one step along a row passes: one element, or all channels where they come last. */
    ptrdiff_t unit, planes[2], x_planes[2], out_planes[2];
    ptrdiff_t x_strides[3], out_strides[3]; /* from row to row, from unit to unit, within a unit */
    ptrdiff_t in[2], outs[2];               /* rows and units per row of x and of out */
    fz_pool2d_options o;
    bool reads_in_place, writes_in_place, padded, doubles_rows;
    ptrdiff_t line;        /* elements of a row as far as windows reach, padding included */
    ptrdiff_t band, bands; /* rows of out of an item; items of a plane */
    ptrdiff_t line_bytes, scratch_bytes;
    char *column_counts; /* elements of x in each window of a row, of means */
    char *scratch;
    double identity;
} job;

/* Lines of scratch; `rows` is a band of x and, for means, one of results. */
typedef struct lines {
    char *joined, *spans[2], *sum, *phases, *loaded, *counts, *rows, *results;
    ptrdiff_t counted; /* rows for which `counts` stands */
} lines;

/* ---- rows of vectors ------------------------------------------------------------------------------------------------- */

static void join(const job *j, ptrdiff_t n, const char *a, const char *b, char *to) {
    if (n > 0)
        j->kernels->elementwise->loops[j->join](
            &(fz_plane){.n = (size_t)n, .rows = 1, .in = {a, b}, .step = {1, 1}, .out = to});
}

static void copy(const job *j, ptrdiff_t n, const char *from, ptrdiff_t stride, char *to) {
    j->kernels->elementwise->cast_from[j->compute]((size_t)n, from, stride, to, j->element);
}

static void fill(const job *j, ptrdiff_t n, double value, char *to) {
    j->kernels->elementwise->cast_from[FZ_FLOAT64]((size_t)n, &value, 0, to, j->element);
}

/* A row of units to or from scratch: one cast where units follow each other, else one for each. */
static void move_units(const job *j, fz_cast *cast, ptrdiff_t units, const char *from, ptrdiff_t from_unit,
                       ptrdiff_t from_step, char *to, ptrdiff_t to_unit, ptrdiff_t to_step) {
    if (j->unit == 1)
        cast((size_t)units, from, from_unit, to, to_unit);
    else if (from_unit == j->unit * from_step && to_unit == j->unit * to_step)
        cast((size_t)(units * j->unit), from, from_step, to, to_step);
    else
        for (ptrdiff_t u = 0; u < units; u++)
            cast((size_t)j->unit, from + u * from_unit, from_step, to + u * to_unit, to_step);
}

/* ---- down: the rows of a window --------------------------------------------------------------------------------------- */

static const char *read_row(const job *j, const char *plane, ptrdiff_t row, char *buffer) {
    const char *from = plane + row * j->x_strides[0];
    if (j->reads_in_place) return from;
    move_units(j, j->kernels->elementwise->cast_from[j->x_dtype], j->in[1], from, j->x_strides[1],
               j->x_strides[2], buffer, j->unit * j->element, j->element);
    return buffer;
}

/* Rows [*first, *first + count * dilation) of x that output row i sees. */
static ptrdiff_t find_rows(const job *j, ptrdiff_t i, ptrdiff_t *first) {
    const ptrdiff_t step = j->o.dilation[0], start = i * j->o.stride[0] - j->o.padding[0];
    const ptrdiff_t skipped = start < 0 ? fz__ceil_div(-start, step) : 0;
    const ptrdiff_t end = fz__min(j->o.window[0], fz__ceil_div(j->in[0] - start, step));
    *first = start + skipped * step;
    return end - skipped;
}

/* The joined rows that output row i sees, in place or in scratch. With dilation all may be padding. */
static const char *join_rows(const job *j, const char *plane, ptrdiff_t i, const lines *l) {
    ptrdiff_t first;
    const ptrdiff_t count = find_rows(j, i, &first), n = j->in[1] * j->unit;
    if (count < 1) {
        fill(j, n, j->identity, l->joined);
        return l->joined;
    }
    const char *rows = read_row(j, plane, first, l->joined);
    for (ptrdiff_t p = 1; p < count; p++) {
        join(j, n, rows, read_row(j, plane, first + p * j->o.dilation[0], l->loaded), l->joined);
        rows = l->joined;
    }
    return rows;
}

/* Row r of the band becomes what output row r of the band sees of rows, for r < count, by doubling. For means
   results are apart, for of each span every bit of the window takes one. */
static const char *double_rows(const job *j, const char *plane, ptrdiff_t begin, ptrdiff_t count,
                               const lines *l) {
    const ptrdiff_t n = j->in[1] * j->unit, k = j->o.window[0], rows = count + k - 1, line = j->line_bytes;
    const bool mean = j->pooling == FZ_POOLING_MEAN;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t row = begin + r - j->o.padding[0];
        char *to = l->rows + r * line;
        if (row < 0 || row >= j->in[0])
            fill(j, n, j->identity, to);
        else if (j->reads_in_place)
            memcpy(to, read_row(j, plane, row, to), (size_t)(n * j->element));
        else
            read_row(j, plane, row, to);
    }
    ptrdiff_t span = 1, done = 0;
    for (;; span *= 2) {
        for (ptrdiff_t r = 0; mean && k & span && r < count; r++) {
            char *to = l->results + r * line, *from = l->rows + (r + done) * line;
            if (done)
                join(j, n, to, from, to);
            else
                memcpy(to, from, (size_t)(n * j->element));
        }
        done += k & span;
        if (2 * span > k) break;
        for (ptrdiff_t r = 0; r + span < rows; r++)
            join(j, n, l->rows + r * line, l->rows + (r + span) * line, l->rows + r * line);
    }
    for (ptrdiff_t r = 0; !mean && k > span && r < count; r++)
        join(j, n, l->rows + r * line, l->rows + (r + k - span) * line, l->rows + r * line);
    return mean ? l->results : l->rows;
}

/* ---- across: the elements of a window ----------------------------------------------------------------------------------- */

static const char *pad_row(const job *j, const char *row, const lines *l) {
    if (!j->padded) return row;
    const ptrdiff_t left = j->o.padding[1] * j->unit, inside = fz__min(j->in[1] * j->unit, j->line - left);
    char *to = l->phases;
    fill(j, left, j->identity, to);
    memcpy(to + left * j->element, row, (size_t)(inside * j->element));
    fill(j, j->line - left - inside, j->identity, to + (left + inside) * j->element);
    return to;
}

/* At a step of 1. */
static void double_columns(const job *j, const char *row, const lines *l, char *to) {
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
static void join_phases(const job *j, const char *row, const lines *l, char *to) {
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

static void join_units(const job *j, const char *row, char *to) {
    const ptrdiff_t bytes = j->unit * j->element, step = j->o.dilation[1] * bytes;
    for (ptrdiff_t c = 0; c < j->outs[1]; c++, to += bytes) {
        const char *from = row + c * j->o.stride[1] * bytes;
        memcpy(to, from, (size_t)bytes);
        for (ptrdiff_t q = 1; q < j->o.window[1]; q++) join(j, j->unit, to, from + q * step, to);
    }
}

/* ---- means: by how many ------------------------------------------------------------------------------------------------- */

/* Elements of a window along an axis; where padding counts, as far as it reaches. */
static ptrdiff_t count_elements(const job *j, int d, ptrdiff_t i) {
    const fz_pool2d_options *o = &j->o;
    const ptrdiff_t start = i * o->stride[d] - o->padding[d], end = start + o->window[d];
    if (o->count_padding) return fz__min(end, j->in[d] + o->padding[d]) - start;
    return fz__min(end, j->in[d]) - fz__max(start, 0);
}

static void divide(const job *j, ptrdiff_t i, lines *l, char *row) {
    const ptrdiff_t rows = count_elements(j, 0, i), n = j->outs[1] * j->unit;
    if (rows != l->counted) {
        fill(j, n, (double)rows, l->counts);
        j->kernels->elementwise->loops[FZ_OP_multiply](&(fz_plane){.n = (size_t)n,
                                                                   .rows = 1,
                                                                   .in = {l->counts, j->column_counts},
                                                                   .step = {1, 1},
                                                                   .out = l->counts});
        l->counted = rows;
    }
    j->kernels->elementwise->loops[FZ_OP_divide](
        &(fz_plane){.n = (size_t)n, .rows = 1, .in = {row, l->counts}, .step = {1, 1}, .out = row});
}

static void fill_column_counts(const job *j) {
    for (ptrdiff_t c = 0; c < j->outs[1]; c++)
        fill(j, j->unit, (double)count_elements(j, 1, c), j->column_counts + c * j->unit * j->element);
}

/* ---- items -------------------------------------------------------------------------------------------------------------- */

static void pool_row(const job *j, const char *joined, ptrdiff_t i, lines *l, char *out) {
    char *to = j->writes_in_place ? out : l->loaded;
    const char *row = pad_row(j, joined, l);
    if (j->o.stride[1] == 1)
        double_columns(j, row, l, to);
    else if (j->unit == 1)
        join_phases(j, row, l, to);
    else
        join_units(j, row, to);
    if (j->pooling == FZ_POOLING_MEAN) divide(j, i, l, to);
    if (!j->writes_in_place)
        move_units(j, fz__kernels(j->out_dtype)->elementwise->cast_from[j->compute], j->outs[1], to,
                   j->unit * j->element, j->element, out, j->out_strides[1], j->out_strides[2]);
}

static lines place_lines(const job *j, char *scratch) {
    const ptrdiff_t line = j->line_bytes;
    return (lines){.joined = scratch,
                   .spans = {scratch + line, scratch + 2 * line},
                   .sum = scratch + 3 * line,
                   .phases = scratch + 4 * line,
                   .loaded = scratch + 5 * line,
                   .counts = scratch + 6 * line,
                   .rows = scratch + 7 * line,
                   .results = scratch + (7 + j->band + j->o.window[0]) * line,
                   .counted = -1};
}

static void pool_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    lines l = place_lines(j, j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t plane = item / j->bands, n = plane / j->planes[1], c = plane % j->planes[1];
        const ptrdiff_t first = item % j->bands * j->band, count = fz__min(j->band, j->outs[0] - first);
        const char *x = j->x + n * j->x_planes[0] + c * j->x_planes[1], *rows = NULL;
        char *out = j->out + n * j->out_planes[0] + c * j->out_planes[1];
        if (j->doubles_rows) rows = double_rows(j, x, first, count, &l);
        for (ptrdiff_t r = 0; r < count; r++)
            pool_row(j, rows ? rows + r * j->line_bytes : join_rows(j, x, first + r, &l), first + r, &l,
                     out + (first + r) * j->out_strides[0]);
    }
}

/* ---- arguments ------------------------------------------------------------------------------------------------------------ */

static const char *name_of(fz_pooling pooling) {
    return pooling == FZ_POOLING_MAX ? "max_pool2d" : "avg_pool2d";
}

static fz_status check_numbers(const char *name, const fz_pool2d_options *o, int d) {
    if (o->window[d] < 1 || o->stride[d] < 1 || o->dilation[d] < 1)
        return fz__fail(FZ_ERROR_VALUE,
                        "%s: window is %td, stride is %td and dilation is %td; each must be at least 1", name,
                        o->window[d], o->stride[d], o->dilation[d]);
    if (o->padding[d] < 0 || o->padding[d] > o->window[d] / 2)
        return fz__fail(FZ_ERROR_VALUE, "%s: padding is %td and window is %td; 0 to half the window would do",
                        name, o->padding[d], o->window[d]);
    return FZ_OK;
}

/* PyTorch's rule: rounded up, but a window must begin within x or the padding before it. */
static fz_status count_outputs(const char *name, const fz_array *x, const fz_pool2d_options *o, int d,
                               ptrdiff_t n, ptrdiff_t *outputs) {
    fz_status status = check_numbers(name, o, d);
    if (status) return status;
    ptrdiff_t span, padded;
    const bool fits = !__builtin_mul_overflow(o->window[d] - 1, o->dilation[d], &span) &&
                      !__builtin_add_overflow(n, 2 * o->padding[d], &padded) && n > 0 && span < padded;
    fz__shape_text text;
    if (!fits)
        return fz__fail(FZ_ERROR_SHAPE,
                        "%s: window is %td and x is %s; the window must fit into x and its padding", name,
                        o->window[d], fz__format_shape(&text, x->ndim, x->shape));
    const ptrdiff_t left = padded - span - 1, stride = o->stride[d];
    *outputs = left / stride + 1;
    if (o->ceil_mode && left % stride && *outputs <= (n + o->padding[d] - 1) / stride) ++*outputs;
    return FZ_OK;
}

/* Where rows, columns and channels are among x's axes; -1: not there. */
typedef struct axes {
    int image, channel, row, column;
} axes;

static axes find_axes(const fz_array *x, bool channels_last) {
    const int n = x->ndim, last = channels_last && n > 2;
    return (axes){n == 4 ? 0 : -1, n == 2 ? -1 : last ? n - 1 : n - 3, n - 2 - last, n - 1 - last};
}

static fz_dtype mean_dtype(fz_dtype x) { return fz__is_float(x) ? x : FZ_FLOAT64; }

fz_status fz_pool2d_shape(fz_pooling pooling, const fz_array *x, const fz_pool2d_options *options,
                          fz_dtype *dtype, ptrdiff_t shape[4]) {
    const char *name = name_of(pooling);
    const fz_status status = fz__check_array(name, "x", x);
    if (status) return status;
    fz__shape_text text;
    if (x->ndim < 2 || x->ndim > 4)
        return fz__fail(FZ_ERROR_SHAPE, "%s: x is %s; it must have 2 to 4 axes", name,
                        fz__format_shape(&text, x->ndim, x->shape));
    const axes at = find_axes(x, options->channels_last);
    for (int d = 0; d < x->ndim; d++) shape[d] = x->shape[d];
    *dtype = pooling == FZ_POOLING_MAX ? x->dtype : mean_dtype(x->dtype);
    const fz_status rows = count_outputs(name, x, options, 0, x->shape[at.row], &shape[at.row]);
    return rows ? rows : count_outputs(name, x, options, 1, x->shape[at.column], &shape[at.column]);
}

/* What leaves every largest element as it is. */
static double least_of(fz_dtype dtype) {
    if (fz__is_float(dtype)) return -INFINITY;
    return dtype >= FZ_INT8 && dtype <= FZ_INT64 ? -ldexp(1, 8 * (int)fz_dtype_size(dtype) - 1) : 0;
}

static void set_dtypes(job *j, fz_dtype x, fz_dtype out) {
    const bool narrow = out == FZ_FLOAT16 || out == FZ_BFLOAT16;
    j->x_dtype = x;
    j->out_dtype = out;
    j->compute = narrow ? FZ_FLOAT32 : out;
    j->kernels = fz__kernels(j->compute);
    j->element = (ptrdiff_t)fz_dtype_size(j->compute);
    j->join = j->pooling == FZ_POOLING_MAX ? FZ_OP_maximum : FZ_OP_add;
    j->identity = j->pooling == FZ_POOLING_MAX ? least_of(j->compute) : 0;
}

static void set_axes(job *j, const fz_array *x, const fz_array *out) {
    const axes at = find_axes(x, j->o.channels_last);
    const bool units = j->o.channels_last && at.channel >= 0;
    const int planes[2] = {at.image, units ? -1 : at.channel}, spatial[2] = {at.row, at.column};
    for (int d = 0; d < 2; d++) {
        j->planes[d] = planes[d] < 0 ? 1 : x->shape[planes[d]];
        j->x_planes[d] = planes[d] < 0 ? 0 : x->strides[planes[d]];
        j->out_planes[d] = planes[d] < 0 ? 0 : out->strides[planes[d]];
        j->in[d] = x->shape[spatial[d]];
        j->outs[d] = out->shape[spatial[d]];
        j->x_strides[d] = x->strides[spatial[d]];
        j->out_strides[d] = out->strides[spatial[d]];
        /* Steps that nobody takes are of any size; their bytes must be a number all the same. */
        if (j->outs[d] == 1) j->o.stride[d] = fz__min(j->o.stride[d], j->in[d] + 1);
        if (j->o.window[d] == 1) j->o.dilation[d] = 1;
    }
    j->unit = units ? x->shape[at.channel] : 1;
    j->x_strides[2] = units ? x->strides[at.channel] : 0;
    j->out_strides[2] = units ? out->strides[at.channel] : 0;
}

static bool is_gapless(const job *j, fz_dtype dtype, const ptrdiff_t strides[3], ptrdiff_t units) {
    return dtype == j->compute && (units == 1 || strides[1] == j->unit * j->element) &&
           (j->unit == 1 || strides[2] == j->element);
}

static void choose_items(job *j) {
    const fz_pool2d_options *o = &j->o;
    const ptrdiff_t span = (j->outs[1] - 1) * o->stride[1] + (o->window[1] - 1) * o->dilation[1] + 1;
    j->padded = o->padding[1] > 0 || span > j->in[1];
    j->line = span * j->unit;
    j->line_bytes =
        fz__ceil_div(fz__max(span, j->in[1]) * j->unit * j->element, FZ_CACHE_LINE) * FZ_CACHE_LINE;
    j->doubles_rows = o->stride[0] == 1 && o->dilation[0] == 1 && o->window[0] >= DOUBLE_FROM;
    const ptrdiff_t rows = ITEM_ELEMENTS / (j->line * fz__min(o->window[0], o->stride[0]));
    j->band = fz__min(j->outs[0], fz__max(rows, j->doubles_rows ? o->window[0] : 1));
    j->bands = fz__ceil_div(j->outs[0], j->band);
    const ptrdiff_t count = 7 + (j->doubles_rows ? 2 * j->band + o->window[0] : 0);
    j->scratch_bytes = count * j->line_bytes;
}

fz_status fz_pool2d(fz_pooling pooling, const fz_array *x, const fz_pool2d_options *options, fz_array *out) {
    const char *name = name_of(pooling);
    fz_dtype dtype;
    ptrdiff_t shape[4];
    fz_status status = fz_init();
    if (!status) status = fz_pool2d_shape(pooling, x, options, &dtype, shape);
    if (!status) status = fz__check_result(name, out, dtype, x->ndim, shape, 1, &x);
    if (status || fz__array_size(out) == 0) return status;
    job j = {.operation = name, .pooling = pooling, .x = x->data, .out = out->data, .o = *options};
    set_dtypes(&j, x->dtype, dtype);
    set_axes(&j, x, out);
    j.reads_in_place = is_gapless(&j, x->dtype, j.x_strides, j.in[1]);
    j.writes_in_place = is_gapless(&j, dtype, j.out_strides, j.outs[1]);
    choose_items(&j);
    const ptrdiff_t items = j.planes[0] * j.planes[1] * j.bands;
    const ptrdiff_t grain =
        fz__max(1, ITEM_ELEMENTS / (j.line * j.band * fz__min(j.o.window[0], j.o.stride[0])));
    const int participants = fz__participants(items, grain);
    j.column_counts = fz__workspace_acquire(name, (size_t)(j.line_bytes + participants * j.scratch_bytes));
    if (!j.column_counts) return FZ_ERROR_MEMORY;
    j.scratch = j.column_counts + j.line_bytes;
    const fz__float_environment environment = fz__save_float_environment();
    if (pooling == FZ_POOLING_MEAN) fill_column_counts(&j);
    fz__parallel_for(participants, items, grain, pool_items, &j);
    fz__restore_float_environment(environment);
    fz__workspace_release(j.column_counts);
    return FZ_OK;
}
