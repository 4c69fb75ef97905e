/* Rows of arrays, and passes over them.

   A row whose elements are contiguous and of the computed dtype is read and written in place. Others are copied into
   contiguous scratch, several neighbours together where these lie side by side in memory: whole if that fits the L2
   cache, else block by block and again in each pass. Rows are independent; the passes over a long row are split into
   segments whose length n alone fixes. */
#include <math.h>
#include <string.h>

#include "internal.h"

enum {
    SEGMENT = FZ_ROW_SEGMENT, /* elements of a row that one thread takes at once, at least */
    MOST_SEGMENTS = 256,
    GRAIN = 16384,             /* elements of the rows that one thread takes at once, at least */
    PARALLEL_FROM = 4 * GRAIN, /* elements; below, one thread is done as soon as two */
    MOST_TILED = 64,           /* rows of a tile: some lines of the cache wide */
};

fz_dtype fz__row_dtype(fz_dtype dtype) {
    return dtype == FZ_FLOAT32 || fz__is_narrow_float(dtype) ? FZ_FLOAT32 : FZ_FLOAT64;
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

static const char *input_of(const fz_row_operands *o, int k) { return k == 0 ? o->x : k == 1 ? o->y : o->z; }

/* Elements [begin, begin + n) of one row between memory and slots. */
static void visit_elements(const fz_row_operands *row, ptrdiff_t begin, ptrdiff_t n, fz__visit_row *visit,
                           slots s) {
    const fz__rows *r = s.rows;
    char *pointers[FZ_ROW_INPUTS + 1];
    ptrdiff_t strides[FZ_ROW_INPUTS + 1];
    for (int k = 0; k < r->reduced.operands; k++)
        pointers[k] = k < r->inputs ? (char *)(uintptr_t)input_of(row, k) : row->out;
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

/* The inputs and, last, the output. */
static fz_row_operands as_operands(int inputs, char *const at[], const ptrdiff_t strides[]) {
    fz_row_operands o = {
        .x = at[0], .x_stride = strides[0], .out = at[inputs], .out_stride = strides[inputs]};
    if (inputs > 1) o.y = at[1], o.y_stride = strides[1];
    if (inputs > 2) o.z = at[2], o.z_stride = strides[2];
    return o;
}

fz_row_operands fz__skip_rows(const fz_row_operands *o, ptrdiff_t count) {
    fz_row_operands next = *o;
    next.x = (const char *)o->x + count * o->x_stride;
    if (o->y) next.y = (const char *)o->y + count * o->y_stride;
    if (o->z) next.z = (const char *)o->z + count * o->z_stride;
    next.out = (char *)o->out + count * o->out_stride;
    return next;
}

double fz__row_first(const fz__row_group *group, int row) {
    const fz__rows *r = group->rows;
    const char *first = (const char *)group->operands.x + row * group->operands.x_stride;
    double value; /* or a float */
    if (group->whole) return fz__load_float(r->dtype, first);
    r->cast[0](1, first, 0, &value, 0);
    return fz__load_float(r->dtype, &value);
}

/* ---- a pass over rows ------------------------------------------------------------------------------------- */

typedef struct pass_job {
    const fz__row_group *group;
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
        g->result.other += part.other;
    }
    g->any = true;
}

static void run_steps(const fz__rows *rows, int count, const fz__row_step steps[], size_t group, ptrdiff_t n,
                      fz_row_operands operands, fz_row_result results[]) {
    fz_row_result others[FZ_ROW_GROUP];
    for (int i = 0; i < count; i++) {
        rows->passes[steps[i].pass](group, (size_t)n, &operands, steps[i].values, i ? others : results);
        operands.x = operands.out;
        operands.x_stride = operands.out_stride;
    }
}

static fz_row_result run_whole(const pass_job *j, ptrdiff_t begin, ptrdiff_t n) {
    const fz__rows *rows = j->group->rows;
    const ptrdiff_t skip = begin * rows->size;
    fz_row_operands o = j->group->operands;
    fz_row_result result;
    o.x = (const char *)o.x + skip;
    if (o.y) o.y = (const char *)o.y + skip;
    if (o.z) o.z = (const char *)o.z + skip;
    o.out = j->write ? (char *)o.out + skip : NULL;
    run_steps(rows, j->count, j->steps, 1, n, o, &result);
    return result;
}

static fz_row_result run_in_blocks(const pass_job *j, ptrdiff_t begin, ptrdiff_t end) {
    const fz_row_operands *row = &j->group->operands;
    const fz__rows *rows = j->group->rows;
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_ROW_INPUTS + 1][FZ_BLOCK * sizeof(double)];
    gathered g = {0};
    for (; begin < end; begin += FZ_BLOCK) {
        const ptrdiff_t n = fz__min(FZ_BLOCK, end - begin);
        slots s = {.rows = rows};
        fz_row_result part;
        for (int k = 0; k < rows->inputs; k++) s.memory[k] = block[k];
        char *out = s.memory[rows->inputs] = block[rows->inputs];
        visit_elements(row, begin, n, load_run, s);
        const fz_row_operands operands = {.x = block[0],
                                          .y = row->y ? block[1] : NULL,
                                          .z = row->z ? block[2] : NULL,
                                          .out = j->write ? out : NULL};
        run_steps(rows, j->count, j->steps, 1, n, operands, &part);
        gather(&g, j->steps[0].pass, rows->dtype, part);
        if (j->write) visit_elements(row, begin, n, store_run, s);
    }
    return g.result;
}

static void run_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    pass_job *j = context;
    for (ptrdiff_t i = begin; i < end; i++) {
        const ptrdiff_t first = i * j->length, last = fz__min(first + j->length, j->group->rows->n);
        j->partial[i] = j->group->whole ? run_whole(j, first, last - first) : run_in_blocks(j, first, last);
    }
}

static fz_row_result run_long(const fz__row_group *group, int count, const fz__row_step steps[], bool write) {
    const ptrdiff_t n = group->rows->n;
    pass_job j;
    j.group = group;
    j.steps = steps;
    j.count = count;
    j.write = write;
    if (n <= SEGMENT) return run_in_blocks(&j, 0, n);
    j.length = fz__max(SEGMENT, fz__ceil_div(fz__ceil_div(n, MOST_SEGMENTS), FZ_BLOCK) * FZ_BLOCK);
    const ptrdiff_t segments = fz__ceil_div(n, j.length);
    fz__parallel_for(n < PARALLEL_FROM ? 1 : fz__participants(segments, 1), segments, 1, run_segments, &j);
    gathered g = {0};
    for (ptrdiff_t i = 0; i < segments; i++) gather(&g, steps[0].pass, group->rows->dtype, j.partial[i]);
    return g.result;
}

void fz__row_run(fz__row_group *group, int count, const fz__row_step steps[], bool write) {
    const fz__rows *rows = group->rows;
    if (!group->whole || rows->n > SEGMENT) {
        group->results[0] = run_long(group, count, steps, write);
        return;
    }
    fz_row_operands operands = group->operands;
    if (!write) operands.out = NULL;
    run_steps(rows, count, steps, (size_t)group->count, rows->n, operands, group->results);
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

static void load_tile(const fz__rows *r, ptrdiff_t count, const fz_row_operands *tile,
                      const ptrdiff_t strides[], char *const memory[]) {
    slots s = {.rows = r};
    bool any = false;
    for (int k = 0; k < r->inputs; k++) {
        if (!memory[k]) continue;
        if (count > 1 && lie_side_by_side(r, k, strides[k]))
            fz__kernels(r->dtype)->transpose((size_t)r->n, (size_t)count, input_of(tile, k),
                                             r->reduced.strides[k][0], memory[k], r->n * r->size, false, NULL,
                                             NULL);
        else
            any = (s.memory[k] = memory[k]) != NULL;
    }
    for (ptrdiff_t i = 0; any && i < count; i++) {
        const fz_row_operands row = fz__skip_rows(tile, i);
        visit_elements(&row, 0, r->n, load_run, s);
        for (int k = 0; k < r->inputs; k++) s.memory[k] += s.memory[k] ? r->n * r->size : 0;
    }
}

static void store_tile(const fz__rows *r, ptrdiff_t count, const fz_row_operands *tile, char *memory) {
    const int out = r->inputs;
    if (count > 1 && lie_side_by_side(r, out, tile->out_stride)) {
        fz__kernels(r->dtype)->transpose((size_t)count, (size_t)r->n, memory, r->n * r->size, tile->out,
                                         r->reduced.strides[out][0], false, NULL, NULL);
        return;
    }
    slots s = {.rows = r};
    for (ptrdiff_t i = 0; i < count; i++) {
        const fz_row_operands row = fz__skip_rows(tile, i);
        s.memory[out] = memory + i * r->n * r->size;
        visit_elements(&row, 0, r->n, store_run, s);
    }
}

/* The rows of a tile, as they lie now, in groups; `out` is where their numbers go, if these are the results. */
static void compute_groups(const fz__rows *r, ptrdiff_t count, const fz_row_operands *tile, char *out,
                           ptrdiff_t out_stride) {
    uint64_t numbers[MOST_TILED]; /* or doubles */
    fz__row_group group;
    group.rows = r;
    group.whole = r->in_tiles;
    for (ptrdiff_t i = 0; i < count; i += group.count) {
        group.count = (int)fz__min(r->group, count - i);
        group.operands = fz__skip_rows(tile, i);
        r->compute(&group);
        for (int k = 0; !r->full && k < group.count; k++)
            memcpy(&numbers[i + k], &group.results[k].sum, sizeof *numbers);
    }
    if (!r->full) r->cast[r->inputs]((size_t)count, numbers, sizeof *numbers, out, out_stride);
}

/* Up to rows->tile rows: what is not read in place is loaded, computed on in scratch, and stored. */
static void compute_tile(const visit *v, ptrdiff_t count, char *const pointers[], const ptrdiff_t strides[]) {
    const fz__rows *r = v->job->rows;
    const int out = r->inputs;
    const ptrdiff_t row_bytes = r->n * r->size;
    char *memory[FZ_ROW_INPUTS + 1] = {NULL}, *at[FZ_ROW_INPUTS + 1] = {NULL};
    ptrdiff_t steps[FZ_ROW_INPUTS + 1] = {0};
    for (int k = 0; k <= out; k++) {
        if (!r->direct[k] && r->in_tiles) memory[k] = v->scratch + k * v->job->slot;
        at[k] = memory[k] ? memory[k] : pointers[k];
        steps[k] = memory[k] ? row_bytes : strides[k];
    }
    const fz_row_operands given = as_operands(out, pointers, strides), tile = as_operands(out, at, steps);
    if (r->in_tiles) load_tile(r, count, &given, strides, memory);
    compute_groups(r, count, &tile, pointers[out], strides[out]);
    if (memory[out]) store_tile(r, count, &given, memory[out]);
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

static fz_cast *cast_of_results(const fz__rows *r, fz_dtype own) {
    const fz_dtype result = r->full || !fz__is_full_float(r->dtype) ? r->dtype : FZ_FLOAT64;
    return fz__kernels(own)->elementwise->cast_from[result];
}

static void plan_operands(fz__rows *r, const fz_array *const arrays[]) {
    for (int k = 0; k <= r->inputs; k++) {
        const bool is_output = k == r->inputs, has_row = !is_output || r->full;
        const fz_dtype own = arrays[k]->dtype;
        r->cast[k] = is_output ? cast_of_results(r, own) : fz__kernels(r->dtype)->elementwise->cast_from[own];
        r->offset[k] = has_row ? r->reduced.data[k] - (char *)arrays[k]->data : 0;
        r->direct[k] =
            !has_row || (own == r->dtype && (r->reduced.ndim == 0 ||
                                             (r->reduced.ndim == 1 && r->reduced.strides[k][0] == r->size)));
    }
}

static ptrdiff_t rows_of_a_pass(const fz__rows *r) {
    if (r->once) return FZ_ROW_GROUP;
    return fz__max(1, fz__min(FZ_ROW_GROUP, (ptrdiff_t)fz__cpu_caches()->l1 / 3 / (r->n * r->size)));
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
    r->group = r->in_tiles && r->n <= SEGMENT ? rows_of_a_pass(r) : 1;
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

/* ---- without a plan --------------------------------------------------------------------------------------- */

/* Elements of a row, where there are few and all operands are such rows in place, one behind another: a plan would
   cost as much as the work. Else 0. */
static ptrdiff_t find_plain_row(const fz__rows *r, const fz_array *const arrays[], const bool reduced[]) {
    enum { FEW = 4096 };
    const fz_array *x = arrays[0], *out = arrays[r->inputs];
    for (int k = 0; k <= r->inputs; k++) {
        const bool is_number = k == r->inputs && !r->full;
        if (!fz__count_gapless(arrays[k], is_number ? out->dtype : r->dtype, FEW)) return 0;
    }
    ptrdiff_t n = 1;
    int kept = x->ndim;
    while (kept > 0 && reduced[kept - 1]) n *= x->shape[--kept];
    for (int d = 0; d < kept; d++)
        if (reduced[d]) return 0;
    return n;
}

static void run_plain(fz__rows *r, const fz_array *const arrays[]) {
    const fz_array *out = arrays[r->inputs];
    const ptrdiff_t rows = fz__array_size(arrays[0]) / r->n, row = r->n * r->size;
    const ptrdiff_t out_stride = r->full ? row : fz__element_size(out->dtype);
    const ptrdiff_t strides[FZ_ROW_INPUTS + 1] = {row, row, row, row};
    char *at[FZ_ROW_INPUTS + 1] = {NULL};
    for (int k = 0; k <= r->inputs; k++) at[k] = arrays[k]->data;
    const fz_row_operands all = as_operands(r->inputs, at, strides);
    r->in_tiles = true;
    r->group = rows_of_a_pass(r);
    r->cast[r->inputs] = cast_of_results(r, out->dtype);
    for (ptrdiff_t i = 0; i < rows; i += MOST_TILED) {
        const fz_row_operands tile = fz__skip_rows(&all, i);
        compute_groups(r, fz__min(MOST_TILED, rows - i), &tile, at[r->inputs] + i * out_stride, out_stride);
    }
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

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
    r->size = fz__element_size(r->dtype);
    r->n = find_plain_row(r, arrays, reduced);
    if (r->n) {
        run_plain(r, arrays);
        return FZ_OK;
    }
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
