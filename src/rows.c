/* Rows of arrays, and passes over them.

   A row whose elements are contiguous and of the computed dtype is read and written in place. Others are copied into
   contiguous scratch, several neighbours together where these lie side by side in memory: whole if that fits the L2
   cache, else block by block and again in each pass. Rows are independent; the passes over a long row are split into
   segments whose length n alone fixes. */
#include <math.h>

#include "internal.h"

enum {
    SEGMENT = 16384, /* elements of a row that one thread takes at once, at least */
    MOST_SEGMENTS = 256,
    GRAIN = 16384,             /* elements of the rows that one thread takes at once, at least */
    PARALLEL_FROM = 4 * GRAIN, /* elements; below, one thread is done as soon as two */
    MOST_TILED = 64,           /* rows of a tile: some lines of the cache wide */
};

/* ---- axes ------------------------------------------------------------------------------------------------ */

fz_status fz__mark_row_axes(const char *operation, const fz_array *x, int naxes, const int axes[],
                            bool reduced[]) {
    for (int d = 0; d < x->ndim; d++) reduced[d] = axes == NULL;
    for (int i = 0; axes && i < naxes; i++) {
        const int axis = axes[i] < 0 ? axes[i] + x->ndim : axes[i];
        if (x->ndim == 0 && (axes[i] == 0 || axes[i] == -1)) continue; /* NumPy's scalars have that axis */
        if (axis < 0 || axis >= x->ndim)
            return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d is out of bounds for x with %d axes", operation,
                            axes[i], x->ndim);
        if (reduced[axis]) return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d is named twice", operation, axes[i]);
        reduced[axis] = true;
    }
    return FZ_OK;
}

void fz__row_result_shape(const fz_array *x, const bool reduced[], int keepdims, int *ndim,
                          ptrdiff_t shape[]) {
    *ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (keepdims || !reduced[d]) shape[(*ndim)++] = reduced[d] ? 1 : x->shape[d];
    }
}

fz_dtype fz__row_dtype(fz_dtype dtype) {
    return dtype == FZ_FLOAT32 || dtype == FZ_FLOAT16 || dtype == FZ_BFLOAT16 ? FZ_FLOAT32 : FZ_FLOAT64;
}

/* ---- copying between rows and scratch --------------------------------------------------------------------- */

typedef struct slots {
    char *
        memory[FZ_ROW_INPUTS + 1]; /* where the next elements of an operand go or come from; NULL: in place */
    const fz__rows *rows;
} slots;

static void load_run(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    slots *s = context;
    const ptrdiff_t size = s->rows->size;
    for (int k = 0; k < s->rows->inputs; k++) {
        if (!s->memory[k]) continue;
        s->rows->cast[k]((size_t)n, pointers[k], strides[k], s->memory[k], size);
        s->memory[k] += n * size;
    }
}

static void store_run(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    slots *s = context;
    const int out = s->rows->inputs;
    s->rows->cast[out]((size_t)n, s->memory[out], s->rows->size, pointers[out], strides[out]);
    s->memory[out] += n * s->rows->size;
}

/* Elements [begin, begin + n) of one row between memory and slots. */
static void visit_elements(const fz__row *row, ptrdiff_t begin, ptrdiff_t n, fz__visit_row *visit, slots s) {
    const fz__rows *r = row->rows;
    char *pointers[FZ_ROW_INPUTS + 1];
    ptrdiff_t strides[FZ_ROW_INPUTS + 1];
    for (int k = 0; k < r->reduced.operands; k++)
        pointers[k] = k < r->inputs ? (char *)(uintptr_t)row->in[k] : row->out;
    if (r->reduced.ndim <= 1) {
        for (int k = 0; k < r->reduced.operands; k++) {
            strides[k] = r->reduced.ndim ? r->reduced.strides[k][0] : 0;
            pointers[k] += begin * strides[k];
        }
        visit(&s, n, pointers, strides);
        return;
    }
    fz__nest nest;
    fz__nest_copy(&nest, &r->reduced);
    for (int k = 0; k < nest.operands; k++) nest.data[k] = pointers[k];
    fz__nest_walk(&nest, begin, begin + n, visit, &s);
}

/* ---- a pass over a row ------------------------------------------------------------------------------------ */

typedef struct pass_job {
    const fz__row *row;
    const fz__row_step *steps;
    int count;
    bool write;
    ptrdiff_t length; /* of a segment */
    fz_row_result partial[MOST_SEGMENTS];
} pass_job;

/* Sums of several parts, without rounding until the end. */
typedef struct gathered {
    double high, low;
    fz_row_result result;
    bool any;
} gathered;

static void gather(gathered *g, fz_row_pass pass, fz_dtype dtype, fz_row_result part) {
    const double sum = g->high + part.sum, taken = sum - g->high;
    if (!fz__is_full_float(dtype)) {
        g->result.whole += part.whole;
    } else if (pass == FZ_ROW_MAX || pass == FZ_ROW_SIZE) {
        if (!g->any || part.sum > g->result.sum || isnan(part.sum)) g->result.sum = part.sum;
        if (g->any && isnan(g->high)) g->result.sum = g->high;
        g->high = g->result.sum;
    } else {
        g->low += (g->high - (sum - taken)) + (part.sum - taken);
        g->high = sum;
        g->result.sum = isfinite(sum) ? sum + g->low : sum;
        g->result.top += part.top;
    }
    g->any = true;
}

static fz_row_result run_steps(const pass_job *j, ptrdiff_t n, fz_row_operands operands) {
    fz_row_result first = {{0}, 0}, other;
    for (int i = 0; i < j->count; i++) {
        j->row->rows->passes[j->steps[i].pass]((size_t)n, &operands, &j->steps[i].values,
                                               i ? &other : &first);
        operands.x = operands.out;
    }
    return first;
}

static fz_row_result run_whole(const pass_job *j, ptrdiff_t begin, ptrdiff_t n) {
    const fz__row *row = j->row;
    const ptrdiff_t skip = begin * row->rows->size;
    return run_steps(j, n,
                     (fz_row_operands){row->in[0] + skip, row->in[1] ? row->in[1] + skip : NULL,
                                       row->in[2] ? row->in[2] + skip : NULL,
                                       j->write ? row->out + skip : NULL});
}

static fz_row_result run_in_blocks(const pass_job *j, ptrdiff_t begin, ptrdiff_t end) {
    const fz__row *row = j->row;
    const fz__rows *rows = row->rows;
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_ROW_INPUTS + 1][FZ_BLOCK * sizeof(double)];
    gathered g = {0};
    for (; begin < end; begin += FZ_BLOCK) {
        const ptrdiff_t n = fz__min(FZ_BLOCK, end - begin);
        slots s = {.rows = rows};
        for (int k = 0; k < rows->inputs; k++) s.memory[k] = block[k];
        char *out = s.memory[rows->inputs] = block[rows->inputs];
        visit_elements(row, begin, n, load_run, s);
        const fz_row_operands operands = {block[0], row->in[1] ? block[1] : NULL,
                                          row->in[2] ? block[2] : NULL, j->write ? out : NULL};
        gather(&g, j->steps[0].pass, rows->dtype, run_steps(j, n, operands));
        if (j->write) visit_elements(row, begin, n, store_run, s);
    }
    return g.result;
}

static void run_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    pass_job *j = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t first = i * j->length, last = fz__min(first + j->length, j->row->rows->n);
        j->partial[i] = j->row->whole ? run_whole(j, first, last - first) : run_in_blocks(j, first, last);
    }
}

fz_row_result fz__row_run(const fz__row *row, int count, const fz__row_step steps[], bool write) {
    const ptrdiff_t n = row->rows->n;
    pass_job j;
    j.row = row;
    j.steps = steps;
    j.count = count;
    j.write = write;
    if (n <= SEGMENT) return row->whole ? run_whole(&j, 0, n) : run_in_blocks(&j, 0, n);
    j.length = fz__max(SEGMENT, fz__ceil_div(fz__ceil_div(n, MOST_SEGMENTS), FZ_BLOCK) * FZ_BLOCK);
    const ptrdiff_t segments = fz__ceil_div(n, j.length);
    fz__parallel_for(n < PARALLEL_FROM ? 1 : fz__participants(segments, 1), segments, 1, run_segments, &j);
    gathered g = {0};
    for (ptrdiff_t i = 0; i < segments; i++) gather(&g, steps[0].pass, row->rows->dtype, j.partial[i]);
    return g.result;
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

typedef struct job {
    const fz__rows *rows;
    char *scratch;   /* of all participants */
    ptrdiff_t slot;  /* bytes of one operand's tile */
    ptrdiff_t bytes; /* of a participant's scratch */
} job;

typedef struct visit {
    const job *job;
    char *scratch;
} visit;

/* Rows side by side in memory become rows of scratch, or come back from there, in transposed tiles. */
static bool lie_side_by_side(const fz__rows *r, int k, ptrdiff_t row_stride) {
    const fz_kernels *kernels = fz__kernels(r->dtype);
    return !r->direct[k] && r->reduced.ndim == 1 && row_stride == r->size && kernels->transpose &&
           r->cast[k] == kernels->elementwise->cast_from[r->dtype];
}

static void load_tile(const visit *v, ptrdiff_t count, const fz__row rows_in[], const ptrdiff_t strides[],
                      char *const memory[]) {
    const fz__rows *r = v->job->rows;
    slots s = {.rows = r};
    bool any = false;
    for (int k = 0; k < r->inputs; k++) {
        if (!memory[k]) continue;
        if (count > 1 && lie_side_by_side(r, k, strides[k]))
            fz__kernels(r->dtype)->transpose((size_t)r->n, (size_t)count, rows_in[0].in[k],
                                             r->reduced.strides[k][0], memory[k], r->n * r->size);
        else
            any = (s.memory[k] = memory[k]) != NULL;
    }
    for (ptrdiff_t i = 0; any && i < count; i++) {
        visit_elements(&rows_in[i], 0, r->n, load_run, s);
        for (int k = 0; k < r->inputs; k++) s.memory[k] += s.memory[k] ? r->n * r->size : 0;
    }
}

static void store_tile(const visit *v, ptrdiff_t count, const fz__row rows_in[], ptrdiff_t stride,
                       char *memory) {
    const fz__rows *r = v->job->rows;
    const int out = r->inputs;
    if (count > 1 && lie_side_by_side(r, out, stride)) {
        fz__kernels(r->dtype)->transpose((size_t)count, (size_t)r->n, memory, r->n * r->size, rows_in[0].out,
                                         r->reduced.strides[out][0]);
        return;
    }
    slots s = {.rows = r};
    for (ptrdiff_t i = 0; i < count; i++) {
        s.memory[out] = memory + i * r->n * r->size;
        visit_elements(&rows_in[i], 0, r->n, store_run, s);
    }
}

/* Up to rows->tile rows: what is not read in place is loaded, computed on in scratch, and stored. */
static void compute_tile(const visit *v, ptrdiff_t count, char *const pointers[], const ptrdiff_t strides[]) {
    const fz__rows *r = v->job->rows;
    const int out = r->inputs;
    const bool scattered = r->full && !r->direct[out];
    char *memory[FZ_ROW_INPUTS + 1];
    fz__row where[MOST_TILED];
    for (int k = 0; k <= r->inputs; k++)
        memory[k] = r->direct[k] || !r->in_tiles ? NULL : v->scratch + k * v->job->slot;
    for (ptrdiff_t i = 0; i < count; i++) {
        where[i] = (fz__row){.rows = r, .out = pointers[out] + i * strides[out], .whole = true};
        for (int k = 0; k < r->inputs; k++) where[i].in[k] = pointers[k] + i * strides[k];
        where[i].whole = r->in_tiles;
    }
    if (r->in_tiles) load_tile(v, count, where, strides, memory);
    for (ptrdiff_t i = 0; i < count; i++) {
        fz__row row = where[i];
        for (int k = 0; k < r->inputs; k++)
            if (memory[k]) row.in[k] = memory[k] + i * r->n * r->size;
        if (scattered && memory[out]) row.out = memory[out] + i * r->n * r->size;
        r->compute(&row);
        if (!r->full) r->cast[out](1, &row.result, sizeof row.result.sum, where[i].out, 0);
    }
    if (scattered && r->in_tiles) store_tile(v, count, where, strides[out], memory[out]);
}

static void visit_rows(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const visit *v = context;
    const fz__rows *r = v->job->rows;
    char *at[FZ_ROW_INPUTS + 1];
    for (int k = 0; k <= r->inputs; k++) at[k] = pointers[k] + r->offset[k];
    for (ptrdiff_t i = 0; i < n; i += r->tile) {
        compute_tile(v, fz__min(r->tile, n - i), at, strides);
        for (int k = 0; k <= r->inputs; k++) at[k] += r->tile * strides[k];
    }
}

static void run_rows(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    visit v = {j, j->scratch ? j->scratch + participant * j->bytes : NULL};
    fz__nest_walk(&j->rows->kept, begin, end, visit_rows, &v);
}

/* ---- planning --------------------------------------------------------------------------------------------- */

/* The two parts of the axes, as shapes and strides of views. */
static fz_status split_axes(fz__rows *r, const fz_array *const arrays[], const bool reduced[]) {
    ptrdiff_t shape[2][FZ_MAX_NDIM], strides[FZ_ROW_INPUTS + 1][2][FZ_MAX_NDIM];
    int ndim[2] = {0, 0};
    const fz_array *x = arrays[0], *out = arrays[r->inputs];
    const bool keepdims = out->ndim == x->ndim;
    for (int d = 0; d < x->ndim; d++) {
        const int part = reduced[d], at = ndim[part]++;
        shape[part][at] = x->shape[d];
        for (int k = 0; k < r->inputs; k++) strides[k][part][at] = arrays[k]->strides[d];
        if (r->full || !part) strides[r->inputs][part][at] = out->strides[keepdims ? d : at];
    }
    fz_array views[2][FZ_ROW_INPUTS + 1];
    const fz_array *list[2][FZ_ROW_INPUTS + 1];
    for (int part = 0; part < 2; part++) {
        for (int k = 0; k <= r->inputs; k++) {
            views[part][k] =
                (fz_array){arrays[k]->data, arrays[k]->dtype, ndim[part], shape[part], strides[k][part]};
            list[part][k] = &views[part][k];
        }
    }
    const fz_status status = fz__nest_init(&r->kept, r->operation, r->inputs + 1, list[0]);
    return status ? status : fz__nest_init(&r->reduced, r->operation, r->inputs + r->full, list[1]);
}

static void plan_operands(fz__rows *r, const fz_array *const arrays[]) {
    for (int k = 0; k <= r->inputs; k++) {
        const bool is_output = k == r->inputs, has_row = !is_output || r->full;
        const fz_dtype own = arrays[k]->dtype;
        const fz_dtype result = r->full || !fz__is_full_float(r->dtype) ? r->dtype : FZ_FLOAT64;
        r->cast[k] = is_output ? fz__kernels(own)->elementwise->cast_from[result]
                               : fz__kernels(r->dtype)->elementwise->cast_from[own];
        r->offset[k] = has_row ? r->reduced.data[k] - (char *)arrays[k]->data : 0;
        r->direct[k] =
            !has_row || (own == r->dtype && (r->reduced.ndim == 0 ||
                                             (r->reduced.ndim == 1 && r->reduced.strides[k][0] == r->size)));
    }
}

/* As many rows as fill their share of the L2 cache, where that lets neighbours be copied together. */
static void plan_tiles(fz__rows *r) {
    const int inner = r->kept.ndim - 1;
    ptrdiff_t copied = 0;
    bool together = false;
    for (int k = 0; k <= r->inputs; k++) {
        copied += !r->direct[k];
        together |= inner >= 0 && lie_side_by_side(r, k, r->kept.strides[k][inner]);
    }
    const ptrdiff_t bytes = copied * r->n * r->size, room = (ptrdiff_t)fz__cpu_caches()->l2 / 2;
    r->in_tiles = bytes <= room;
    r->tile = copied == 0 ? MOST_TILED : 1;
    if (r->in_tiles && together) r->tile = fz__min(MOST_TILED, fz__max(1, room / bytes));
}

static fz_status run_job(const fz__rows *r) {
    const ptrdiff_t rows = r->kept.size;
    job j = {.rows = r, .slot = r->tile * r->n * r->size};
    bool copied = false;
    for (int k = 0; k <= r->inputs; k++) copied |= !r->direct[k];
    const ptrdiff_t grain = fz__ceil_div(fz__max(1, GRAIN / r->n), r->tile) * r->tile;
    const bool inline_rows = rows == 1 || r->n >= PARALLEL_FROM || rows * r->n < PARALLEL_FROM;
    const int participants = inline_rows ? 1 : fz__participants(rows, grain);
    if (copied && r->in_tiles) {
        j.bytes = (r->inputs + 1) * fz__ceil_div(j.slot, FZ_CACHE_LINE) * FZ_CACHE_LINE;
        j.slot = j.bytes / (r->inputs + 1);
        j.scratch = fz__workspace_acquire(r->operation, (size_t)(j.bytes * participants));
        if (!j.scratch) return FZ_ERROR_MEMORY;
    }
    if (inline_rows)
        run_rows(&j, 0, rows, 0);
    else
        fz__parallel_for(participants, rows, grain, run_rows, &j);
    if (j.scratch) fz__workspace_release(j.scratch);
    return FZ_OK;
}

/* Rows of no elements. */
static void fill_nothing(const fz__rows *r, const fz_array *out) {
    const ptrdiff_t strides[FZ_MAX_NDIM] = {0};
    fz_array value = {(void *)(uintptr_t)&r->nothing, FZ_FLOAT64, out->ndim, out->shape, strides};
    fz__copy(&value, out);
}

fz_status fz__check_row_output(const char *operation, const fz_array *x, const fz_array *out, int ndim,
                               const ptrdiff_t shape[]) {
    fz_status status = fz__check_output(operation, out, ndim, shape, 0, NULL);
    if (!status && fz_may_overlap(x, out) && !fz__same_view(x, out))
        status = fz__fail(
            FZ_ERROR_OVERLAP,
            "%s: out shares memory with an input; the input itself or a separate array would do", operation);
    return status;
}

fz_status fz__rows_run(fz__rows *r, int inputs, const fz_array *const arrays[], const bool reduced[]) {
    r->inputs = inputs;
    r->size = (ptrdiff_t)fz_dtype_size(r->dtype);
    const fz_status status = split_axes(r, arrays, reduced);
    r->n = r->reduced.size;
    if (status || r->kept.size == 0) return status;
    if (r->n == 0) {
        if (!r->full) fill_nothing(r, arrays[inputs]);
        return FZ_OK;
    }
    plan_operands(r, arrays);
    plan_tiles(r);
    return run_job(r);
}
