/* Pooling: the largest element, or the mean, of each window. Small windows are joined in registers, others line by line. */
#include "pool2d.h"

#include <math.h>

#include "float_environment.h"

enum {
    ITEM_ELEMENTS = 32768,     /* of x */
    DOUBLE_FROM = 4,           /* rows of a window from which doubling pays */
    LINES = 7,                 /* of scratch that all ways have */
    MOST_ROWS_BYTES = 4 << 20, /* of rows that are doubled at once: more go in strips */
    LEAST_STRIP_BYTES = 512,
    MOST_SCRATCH = 16 << 20, /* bytes of a participant, unless a line of one channel takes more */
};

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

void fz__pool_fill(const fz__pool2d *j, ptrdiff_t n, double value, char *to) {
    j->kernels->elementwise->cast_from[FZ_FLOAT64]((size_t)n, &value, 0, to, j->element);
}

void fz__pool_combine(const fz__pool2d *j, fz_op op, ptrdiff_t n, const char *a, const char *b, char *to) {
    if (n > 0)
        j->kernels->elementwise->loops[op](
            &(fz_plane){.n = (size_t)n, .rows = 1, .in = {a, b}, .step = {1, 1}, .out = to});
}

/* A row of units to or from scratch: one cast where units follow each other, else one for each. */
static void move_units(const fz__pool2d *j, fz_cast *cast, ptrdiff_t units, const char *from,
                       ptrdiff_t from_unit, ptrdiff_t from_step, char *to, ptrdiff_t to_unit,
                       ptrdiff_t to_step) {
    if (j->unit == 1)
        cast((size_t)units, from, from_unit, to, to_unit);
    else if (from_unit == j->unit * from_step && to_unit == j->unit * to_step)
        cast((size_t)(units * j->unit), from, from_step, to, to_step);
    else
        for (ptrdiff_t u = 0; u < units; u++)
            cast((size_t)j->unit, from + u * from_unit, from_step, to + u * to_unit, to_step);
}

const char *fz__pool_read_units(const fz__pool2d *j, const char *plane, ptrdiff_t row, ptrdiff_t first,
                                ptrdiff_t units, char *buffer) {
    const char *from = plane + row * j->x_strides[0] + first * j->x_strides[1];
    if (j->reads_in_place) return from;
    move_units(j, j->kernels->elementwise->cast_from[j->x_dtype], units, from, j->x_strides[1],
               j->x_strides[2], buffer, j->unit * j->element, j->element);
    return buffer;
}

const char *fz__pool_read_row(const fz__pool2d *j, const char *plane, ptrdiff_t row, char *buffer) {
    return fz__pool_read_units(j, plane, row, 0, j->in[1], buffer);
}

/* How many elements of window i along an axis lie in x or so far beyond it; *skipped are before them. */
static ptrdiff_t find_elements(const fz__pool2d *j, int axis, ptrdiff_t i, ptrdiff_t beyond,
                               ptrdiff_t *skipped) {
    const ptrdiff_t step = j->o.dilation[axis], start = i * j->o.stride[axis] - j->o.padding[axis];
    *skipped = start < -beyond ? fz__ceil_div(-beyond - start, step) : 0;
    return fz__min(j->o.window[axis], fz__ceil_div(j->in[axis] + beyond - start, step)) - *skipped;
}

ptrdiff_t fz__pool_find_rows(const fz__pool2d *j, ptrdiff_t i, ptrdiff_t *first) {
    ptrdiff_t skipped;
    const ptrdiff_t count = find_elements(j, 0, i, 0, &skipped);
    *first = i * j->o.stride[0] - j->o.padding[0] + skipped * j->o.dilation[0];
    return count;
}

/* ---- means: by how many ------------------------------------------------------------------------------------------------- */

ptrdiff_t fz__pool_count_elements(const fz__pool2d *j, int axis, ptrdiff_t i) {
    ptrdiff_t skipped;
    return find_elements(j, axis, i, j->o.count_padding ? j->o.padding[axis] : 0, &skipped);
}

const char *fz__pool_divisors(const fz__pool2d *j, ptrdiff_t i, fz__pool2d_lines *l) {
    const ptrdiff_t rows = fz__pool_count_elements(j, 0, i), pixel = j->unit * j->element;
    if (rows == l->counted) return l->counts;
    /* The last vector divides in lanes beyond the outputs, too: by subnormal numbers that would take ages. */
    fz__pool_fill(j, fz__round_up(j->outs[1] * pixel, FZ_MAX_VECTOR_BYTES) / j->element,
                  (double)rows * (double)j->o.window[1], l->counts);
    for (ptrdiff_t c = 0; c < j->outs[1]; c++) {
        if (c == j->inner[0]) c = fz__max(c, j->inner[1]);
        if (c < j->outs[1])
            fz__pool_fill(j, j->unit, (double)rows * (double)fz__pool_count_elements(j, 1, c),
                          l->counts + c * pixel);
    }
    l->counted = rows;
    return l->counts;
}

/* ---- items -------------------------------------------------------------------------------------------------------------- */

static fz__pool2d_lines place_lines(const fz__pool2d *j, char *scratch) {
    const ptrdiff_t line = j->line_bytes;
    return (fz__pool2d_lines){.joined = scratch,
                              .spans = {scratch + line, scratch + 2 * line},
                              .sum = scratch + 3 * line,
                              .phases = scratch + 4 * line,
                              .loaded = scratch + 5 * line,
                              .counts = scratch + 6 * line,
                              .rows = scratch + LINES * line,
                              .results = scratch + LINES * line + j->results_at,
                              .counted = -1};
}

/* Output rows [first, first + count) of a plane. */
static void pool_band(const fz__pool2d *j, const char *x, ptrdiff_t first, ptrdiff_t count,
                      fz__pool2d_lines *l, char *out) {
    if (j->joins_bands) {
        fz__pool_band_at_once(j, x, first, count, l, out + first * j->out_strides[0]);
        return;
    }
    const char *doubled = j->doubles_rows ? fz__pool_double_rows(j, x, first, count, l) : NULL;
    for (int p = 0; p < FZ_POOL_SIDE; p++) l->held[p] = -1;
    for (ptrdiff_t r = 0, rows; r < count; r += rows) {
        rows = j->in_registers ? fz__pool_rows_at_once(j, first + r, count - r) : 1;
        char *at = out + (first + r) * j->out_strides[0], *to = j->writes_in_place ? at : l->loaded;
        if (j->in_registers)
            fz__pool_rows_in_registers(j, x, first + r, rows, l, to);
        else
            fz__pool_row_by_lines(j, x, first + r, doubled ? doubled + r * j->line_bytes : NULL, l, to);
        if (!j->writes_in_place)
            move_units(j, fz__kernels(j->out_dtype)->elementwise->cast_from[j->compute], j->outs[1], to,
                       j->unit * j->element, j->element, at, j->out_strides[1], j->out_strides[2]);
    }
}

static void pool_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const fz__pool2d *j = context;
    fz__pool2d_lines l = place_lines(j, j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t plane = item / j->bands, n = plane / j->planes[1], c = plane % j->planes[1];
        const ptrdiff_t first = item % j->bands * j->band;
        pool_band(j, j->x + n * j->x_planes[0] + c * j->x_planes[1], first,
                  fz__min(j->band, j->outs[0] - first), &l,
                  j->out + n * j->out_planes[0] + c * j->out_planes[1]);
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

/* Bytes of all kinds have those of int8. */
static const fz_pool_kernels *pool_kernels(fz_dtype dtype) {
    return fz__kernels(fz_dtype_size(dtype) == 1 ? FZ_INT8 : dtype)->pool;
}

static void set_dtypes(fz__pool2d *j, fz_dtype x, fz_dtype out) {
    j->x_dtype = x;
    j->out_dtype = out;
    j->compute = fz__op_compute(out);
    j->kernels = fz__kernels(j->compute);
    const fz_pool_kernels *kernels = pool_kernels(j->compute);
    j->pool = !kernels ? NULL : j->pooling == FZ_POOLING_MAX ? kernels->max : kernels->mean;
    j->shortest = kernels ? kernels->shortest : 0;
    j->element = fz__element_size(j->compute);
    j->join = j->pooling == FZ_POOLING_MAX ? FZ_OP_maximum : FZ_OP_add;
    j->identity = j->pooling == FZ_POOLING_MAX ? least_of(j->compute) : -0.0;
}

static void set_axes(fz__pool2d *j, const fz_array *x, const fz_array *out) {
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

static bool is_gapless(const fz__pool2d *j, fz_dtype dtype, const ptrdiff_t strides[3], ptrdiff_t units) {
    return dtype == j->compute && (units == 1 || strides[1] == j->unit * j->element) &&
           (j->unit == 1 || strides[2] == j->element);
}

/* FZ_ERROR_MEMORY for padding or dilation that makes lines longer than memory. */
static fz_status choose_way(fz__pool2d *j) {
    const fz_pool2d_options *o = &j->o;
    const ptrdiff_t reach = (o->window[1] - 1) * o->dilation[1] + 1, stride = o->stride[1];
    const double longest = (double)(j->outs[1] - 1) * (double)stride + (double)reach + (double)j->in[1];
    const fz_status status = fz__check_scratch(name_of(j->pooling), longest * (double)(j->unit * j->element));
    if (status) return status;
    const ptrdiff_t span = (j->outs[1] - 1) * stride + reach, last = j->in[1] + o->padding[1] - reach;
    j->padded = o->padding[1] > 0 || span > j->in[1];
    j->inner[0] = fz__min(j->outs[1], fz__ceil_div(o->padding[1], stride));
    j->inner[1] = last < 0 ? 0 : fz__min(j->outs[1], last / stride + 1);
    j->line = span * j->unit;
    /* and a vector more, which may be read behind a line's end */
    j->line_bytes =
        (fz__ceil_div(fz__max(span, j->in[1]) * j->unit * j->element, FZ_CACHE_LINE) + 1) * FZ_CACHE_LINE;
    fz__pool_plan_registers(j);
    j->doubles_rows =
        !j->in_registers && o->stride[0] == 1 && o->dilation[0] == 1 && o->window[0] >= DOUBLE_FROM;
    j->joins_bands = !j->in_registers && !j->doubles_rows && fz__pool_fits_band(j);
    return FZ_OK;
}

/* Nothing of x and out stays in the caches anyway. */
static bool exceeds_caches(const fz__pool2d *j) {
    const double pixels = (double)(j->in[0] * j->in[1] + j->outs[0] * j->outs[1]);
    const double bytes = (double)(j->planes[0] * j->planes[1] * j->unit * j->element) * pixels;
    return j->reads_in_place && j->writes_in_place && bytes > (double)fz__cpu_caches()->l3;
}

/* Elements of x that a row of outputs sees first. */
static double row_elements(const fz__pool2d *j) {
    return (double)j->line * (double)fz__min(j->o.window[0], j->o.stride[0]);
}

/* Of rows that are doubled: as many units as keep them together small. */
static void choose_strip(fz__pool2d *j, double rows) {
    const ptrdiff_t unit = j->unit * j->element, fitting = (ptrdiff_t)(MOST_ROWS_BYTES / rows) / unit;
    j->strip = fz__min(j->in[1], fz__max(fitting, fz__ceil_div(LEAST_STRIP_BYTES, unit)));
    if (j->strip < j->in[1]) j->strip_bytes = fz__round_up(j->strip * unit, FZ_CACHE_LINE);
}

/* A band's results take the place of its rows, unless those go in strips, or are needed until the end. */
static fz_status size_scratch(fz__pool2d *j) {
    const bool in_bands = j->doubles_rows || j->joins_bands,
               in_windows = j->in_registers && !j->reads_in_place;
    const double window = (double)j->o.window[0], band = (double)j->band;
    const double rows = in_bands ? band + window : in_windows ? window : 0;
    j->strip = j->in[1];
    j->strip_bytes = j->line_bytes;
    if (j->doubles_rows) choose_strip(j, rows);
    const bool apart = in_bands && (j->joins_bands || j->pooling == FZ_POOLING_MEAN || j->strip < j->in[1]);
    const double rows_bytes = rows * (double)j->strip_bytes,
                 bytes = rows_bytes + (LINES + (apart ? band : 0)) * (double)j->line_bytes;
    const fz_status status = fz__check_scratch(name_of(j->pooling), bytes);
    if (status) return status;
    j->results_at = apart ? (ptrdiff_t)rows_bytes : 0;
    j->scratch_bytes = (ptrdiff_t)bytes;
    return FZ_OK;
}

static fz_status choose_items(fz__pool2d *j) {
    const fz_pool2d_options *o = &j->o;
    const ptrdiff_t rows = (ptrdiff_t)(ITEM_ELEMENTS / row_elements(j));
    j->band = fz__min(j->outs[0], fz__max(rows, j->doubles_rows ? o->window[0] : 1));
    j->bands = fz__ceil_div(j->outs[0], j->band);
    return size_scratch(j);
}

static fz_status plan(fz__pool2d *j) {
    j->reads_in_place = is_gapless(j, j->x_dtype, j->x_strides, j->in[1]);
    j->writes_in_place = is_gapless(j, j->out_dtype, j->out_strides, j->outs[1]);
    const fz_status status = choose_way(j);
    return status ? status : choose_items(j);
}

static fz_status run(fz__pool2d *j) {
    j->streams = exceeds_caches(j);
    const ptrdiff_t items = j->planes[0] * j->planes[1] * j->bands;
    const ptrdiff_t grain = fz__max(1, (ptrdiff_t)(ITEM_ELEMENTS / (row_elements(j) * (double)j->band)));
    const int participants = fz__participants(items, grain);
    const size_t bytes = (size_t)(j->line_bytes + participants * j->scratch_bytes);
    j->padding = fz__workspace_acquire(name_of(j->pooling), bytes);
    if (!j->padding) return FZ_ERROR_MEMORY;
    j->scratch = j->padding + j->line_bytes;
    if (j->in_registers && j->o.padding[0] + j->o.ceil_mode > 0)
        fz__pool_fill(j, j->in[1] * j->unit, j->identity, j->padding);
    fz__parallel_for(participants, items, grain, pool_items, j);
    fz__workspace_release(j->padding);
    return FZ_OK;
}

/* Where scratch has no room for all channels side by side, half of them, and then the others. */
static fz_status pool(fz__pool2d *j) {
    fz_status status = plan(j);
    if (status) return status;
    if (j->unit == 1 || j->scratch_bytes <= MOST_SCRATCH) return run(j);
    fz__pool2d half = *j;
    half.unit = j->unit / 2;
    status = pool(&half);
    if (status) return status;
    half = *j;
    half.unit = j->unit - j->unit / 2;
    half.x += j->unit / 2 * j->x_strides[2];
    half.out += j->unit / 2 * j->out_strides[2];
    return pool(&half);
}

fz_status fz_pool2d(fz_pooling pooling, const fz_array *x, const fz_pool2d_options *options, fz_array *out) {
    fz_dtype dtype;
    ptrdiff_t shape[4];
    fz_status status = fz_init();
    if (!status) status = fz_pool2d_shape(pooling, x, options, &dtype, shape);
    if (!status) status = fz__check_result(name_of(pooling), out, dtype, x->ndim, shape, 1, &x);
    if (status || fz__array_size(out) == 0) return status;
    fz__pool2d j = {.pooling = pooling, .x = x->data, .out = out->data, .o = *options};
    set_dtypes(&j, x->dtype, dtype);
    set_axes(&j, x, out);
    const fz__float_environment environment = fz__save_float_environment();
    status = pool(&j);
    fz__restore_float_environment(environment);
    return status;
}
