/* Running an expression: plan, then ranges of the loop nest on the scheduler, each row by row and block by
   block through the chains. */
#include <stdint.h>
#include <string.h>

#include "expression.h"
#include "float_environment.h"

enum {
    ALIGN_FROM = 4096, /* elements of a row from which on its stores should not straddle cache lines */
    AHEAD = 4,         /* rows */
};

/* One thread's view of a job. */
typedef struct worker {
    const fz__job *j;
    char *next; /* where a reduction wants the next results; NULL: they go to the outputs */
    char *scratch;
    fz_place *places; /* at the beginning of scratch */
} worker;

static ptrdiff_t inner_stride(const fz__nest *nest, int k) {
    return nest->ndim ? nest->strides[k][nest->ndim - 1] : 0;
}

static fz_cast *cast(fz_dtype from, fz_dtype to) { return fz__kernels(to)->elementwise->cast_from[from]; }

/* Results of a reduction stand side by side, without a gap. */
static void hand_over(worker *w, ptrdiff_t n, const char *x) {
    const ptrdiff_t bytes = n * fz__element_size(w->j->e->output_dtypes[0]);
    if (x != w->next) memcpy(w->next, x, (size_t)bytes);
    w->next += bytes;
}

/* ---- a block ------------------------------------------------------------------------------------------------ */

/* Elements [n, end) become copies of the last one before them, so that they raise nothing that it does not. */
static void pad(char *buffer, fz_dtype dtype, ptrdiff_t n, ptrdiff_t end) {
    const ptrdiff_t size = fz__element_size(dtype);
    if (end > n) cast(dtype, dtype)((size_t)(end - n), buffer + (n - 1) * size, 0, buffer + n * size, size);
}

static bool is_constant(const fz_expression *e, int place) {
    return place < e->sources && e->source[place].value >= e->inputs;
}

static char *buffer_of(const worker *w, int place) {
    return w->scratch + (uintptr_t)w->j->e->place[place].base;
}

/* Inputs that move: in place, or converted into their buffers. */
static void place_inputs(worker *w, ptrdiff_t n, ptrdiff_t padded, char *const at[],
                         const ptrdiff_t strides[]) {
    const fz_expression *e = w->j->e;
    for (int i = 0; i < e->sources; i++) {
        const fz__source *source = &e->source[i];
        const int k = source->value;
        if (k >= e->inputs || strides[k] == 0) continue;
        const ptrdiff_t size = fz__element_size(source->dtype);
        const bool in_place = w->j->dtypes[k] == source->dtype && strides[k] == size && n == padded;
        w->places[i] = (fz_place){in_place ? at[k] : buffer_of(w, i), size};
        if (in_place) continue;
        cast(w->j->dtypes[k], source->dtype)((size_t)n, at[k], strides[k], w->places[i].base, size);
        pad(w->places[i].base, source->dtype, n, padded);
    }
}

/* Runs on n elements, at most FZ_BLOCK unless all is in place; n that is no multiple of the unit goes through
   buffers, filled up to one. */
static void run_block(worker *w, ptrdiff_t n, char *const at[], const ptrdiff_t strides[]) {
    const fz__job *j = w->j;
    const fz_expression *e = j->e;
    const ptrdiff_t padded = fz__ceil_div(n, j->unit) * j->unit;
    const int outputs = e->places - e->outputs;
    place_inputs(w, n, padded, at, strides);
    for (int i = 0; i < e->outputs; i++) {
        const bool in_place = (j->output_in_place[i] || w->next) && n == padded;
        char *const target = w->next ? w->next : at[e->inputs + i];
        w->places[outputs + i].base = in_place ? target : buffer_of(w, outputs + i);
    }
    for (int c = 0; c < e->chains; c++) {
        const fz__chain *chain = &e->chain[c];
        for (int i = chain->first_conversion; i < chain->first_conversion + chain->conversions; i++) {
            const fz_place *to = &w->places[e->sources + i], *from = &w->places[e->conversion[i].from];
            const fz_dtype dtype = e->register_dtypes[e->conversion[i].from - e->sources - e->conversions];
            cast(dtype, e->conversion[i].dtype)((size_t)padded, from->base, from->stride, to->base,
                                                to->stride);
        }
        if (j->codes && j->codes[c])
            j->codes[c]((size_t)padded, w->places);
        else
            fz__kernels(chain->dtype)->chain->run((size_t)padded, e->step + chain->first_step, w->places);
    }
    if (w->next) hand_over(w, n, w->places[outputs].base);
    for (int i = 0; i < e->outputs && !w->next; i++) {
        const fz_place *from = &w->places[outputs + i];
        const int k = e->inputs + i;
        if (from->base != at[k])
            cast(e->output_dtypes[i], j->dtypes[k])((size_t)n, from->base, from->stride, at[k], strides[k]);
    }
}

/* ---- rows --------------------------------------------------------------------------------------------------- */

/* Repeats what does not move along the rows over a bundle. */
static void place_splats(worker *w, char *const row[], const ptrdiff_t strides[]) {
    const fz_expression *e = w->j->e;
    for (int i = 0; i < e->sources; i++) {
        const fz__source *source = &e->source[i];
        const int k = source->value;
        if (k >= e->inputs || strides[k] != 0) continue;
        const ptrdiff_t size = fz__element_size(source->dtype);
        w->places[i] = (fz_place){buffer_of(w, i), 0};
        const size_t n = w->j->unit == 1 ? 1 : (size_t)(FZ_BUNDLE_BYTES / size); /* code repeats it itself */
        cast(w->j->dtypes[k], source->dtype)(n, row[k], 0, w->places[i].base, size);
    }
}

/* Elements before the first output's first vector boundary, where the rows are long and it is written in place. */
static ptrdiff_t find_head(const fz__job *j, ptrdiff_t n, char *const row[]) {
    const ptrdiff_t size = fz__element_size(j->e->output_dtypes[0]);
    const ptrdiff_t past = (ptrdiff_t)((uintptr_t)row[j->e->inputs] % FZ_MAX_VECTOR_BYTES);
    if (n < ALIGN_FROM || !j->output_in_place[0] || past % size) return 0;
    return (FZ_MAX_VECTOR_BYTES - past) % FZ_MAX_VECTOR_BYTES / size;
}

/* How many of the next n elements are a block: none but the last is short. */
static ptrdiff_t find_count(const worker *w, ptrdiff_t n) {
    const ptrdiff_t unit = w->j->unit;
    if (w->next && unit > 1) return fz__min(n, FZ_BLOCK);
    return n < unit ? n : fz__min(n / unit * unit, w->j->in_blocks ? FZ_BLOCK : PTRDIFF_MAX);
}

static void run_row(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    worker *w = context;
    const fz__job *j = w->j;
    char *at[FZ_MAX_EXPRESSION_ARRAYS];
    place_splats(w, row, strides);
    for (int k = 0; k < j->nest.operands; k++) at[k] = row[k];
    for (ptrdiff_t count = find_head(j, n, row); n; n -= count, count = 0) {
        if (!count) count = find_count(w, n);
        run_block(w, count, at, strides);
        for (int k = 0; k < j->nest.operands; k++) at[k] += count * strides[k];
    }
}

/* Where nothing is converted and the only chain has code, it reads and writes the rows themselves. */
static void run_directly(worker *w, ptrdiff_t n, char *const at[]) {
    const fz_expression *e = w->j->e;
    fz_place *outputs = w->places + e->places - e->outputs;
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        if (k < e->inputs) w->places[i].base = at[k];
    }
    for (int i = 0; i < e->outputs; i++) outputs[i].base = w->next ? w->next : at[e->inputs + i];
    w->j->codes[0]((size_t)n, w->places);
    if (w->next) hand_over(w, n, w->next);
}

/* In two parts where the first brings its stores to a boundary. */
static void run_row_directly(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    worker *w = context;
    const ptrdiff_t head = find_head(w->j, n, row);
    char *at[FZ_MAX_EXPRESSION_ARRAYS];
    if (head) run_directly(w, head, row);
    for (int k = 0; k < w->j->nest.operands; k++) at[k] = row[k] + head * strides[k];
    run_directly(w, n - head, at);
}

static void run_plane_directly(void *context, ptrdiff_t rows, char *at[]) {
    worker *w = context;
    const fz__nest *nest = &w->j->nest;
    const int inner = nest->ndim - 1;
    for (; rows > 0; rows--) {
        run_directly(w, nest->shape[inner], at);
        for (int k = 0; k < nest->operands; k++) at[k] += nest->strides[k][inner - 1];
    }
}

static void start_worker(worker *w, const fz__job *j, char *scratch) {
    const fz_expression *e = j->e;
    w->j = j;
    w->next = NULL;
    w->scratch = scratch;
    w->places = (fz_place *)scratch;
    for (int i = 0; i < e->places; i++)
        w->places[i] = is_constant(e, i) ? e->place[i] : (fz_place){buffer_of(w, i), e->place[i].stride};
}

static void run_range_in(const fz__job *j, ptrdiff_t begin, ptrdiff_t end, char *scratch) {
    worker w;
    start_worker(&w, j, scratch);
    if (j->is_direct && j->nest.ndim > 1 && j->nest.shape[j->nest.ndim - 1] < ALIGN_FROM)
        fz__nest_walk_planes(&j->nest, begin, end, run_row_directly, run_plane_directly, &w);
    else
        fz__nest_walk(&j->nest, begin, end, j->is_direct ? run_row_directly : run_row, &w);
}

static __attribute__((noinline)) void run_range_on_stack(const fz__job *j, ptrdiff_t begin, ptrdiff_t end) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char scratch[FZ_SMALL_SCRATCH];
    run_range_in(j, begin, end, scratch);
}

/* Of rows that are not whole the caches' own prefetchers see the beginning only, again and again. Addresses are numbers:
   where elements have gaps, the last is behind the end of its array. */
static void prefetch_row(const fz__job *j, ptrdiff_t n, ptrdiff_t first) {
    enum { LONGEST = 2048 };
    ptrdiff_t coordinates[FZ_MAX_NDIM];
    char *at[FZ_MAX_EXPRESSION_ARRAYS];
    fz__nest_seek(&j->nest, first, coordinates, at);
    for (int k = 0; k < j->e->inputs; k++) {
        const ptrdiff_t bytes = fz__min(LONGEST, n * inner_stride(&j->nest, k));
        for (ptrdiff_t b = 0; b < bytes; b += FZ_CACHE_LINE)
            __builtin_prefetch((const void *)((uintptr_t)at[k] + (uintptr_t)b));
    }
}

void fz__compute_rows(const fz__job *j, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                      char *block, char *scratch) {
    worker w;
    start_worker(&w, j, scratch);
    w.next = block;
    if (step == n) n *= rows, rows = 1;
    for (ptrdiff_t i = 0; i < rows; i++, first += step) {
        if (i + AHEAD < rows) prefetch_row(j, n, first + AHEAD * step);
        fz__nest_walk(&j->nest, first, first + n, j->is_direct ? run_row_directly : run_row, &w);
    }
}

static void run_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const fz__job *j = context;
    if (j->scratch)
        run_range_in(j, begin, end, j->scratch + (size_t)participant * j->e->scratch);
    else
        run_range_on_stack(j, begin, end);
}

/* ---- plan --------------------------------------------------------------------------------------------------- */

fz_status fz__check_arrays(const fz_expression *e, const fz_array *const arrays[], int count) {
    for (int k = 0; k < count; k++) {
        const fz_status status =
            fz__check_array("expression", k < e->inputs ? e->names[k] : "out", arrays[k]);
        if (status) return status;
        if (k < e->inputs && arrays[k]->dtype != e->kinds[k].dtype)
            return fz__fail(FZ_ERROR_DTYPE, "expression: %s is %s; it was made for %s", e->names[k],
                            fz_dtype_name(arrays[k]->dtype), fz_dtype_name(e->kinds[k].dtype));
    }
    return FZ_OK;
}

static bool is_empty(const fz_expression *e, const fz_array *const arrays[]) {
    for (int k = 0; k < e->inputs; k++) {
        if (fz__array_size(arrays[k]) == 0) return true;
    }
    return false;
}

/* A Python int must fit the integers that it meets; exponents of integers, where they meet any, are not below 0. */
fz_status fz__check_numbers(const fz_expression *e, const fz_array *const arrays[]) {
    for (int k = 0; k < e->inputs; k++) {
        if (!e->exponents[k] || is_empty(e, arrays)) continue;
        const fz_status status = fz__check_exponents(e->names[k], arrays[k]);
        if (status) return status;
    }
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        if (k >= e->inputs || !e->kinds[k].weak || arrays[k]->ndim) continue;
        fz_constant number = {.kind = e->kinds[k]};
        memcpy(&number.value, arrays[k]->data, fz_dtype_size(number.kind.dtype));
        if (!fz__integer_fits(&number, e->source[i].dtype))
            return fz__fail(FZ_ERROR_RANGE, "expression: %s is %lld, which does not fit %s", e->names[k],
                            (long long)number.value.integer, fz_dtype_name(e->source[i].dtype));
    }
    return FZ_OK;
}

static fz_status check_outputs(const fz_expression *e, fz_array *const outputs[]) {
    for (int i = 0; i < e->outputs; i++) {
        bool overlaps = fz_overlaps_itself(outputs[i]), fits = outputs[i]->ndim == outputs[0]->ndim;
        for (int k = 0; k < i; k++) overlaps |= fz_may_overlap(outputs[i], outputs[k]) != 0;
        if (overlaps)
            return fz__fail(FZ_ERROR_OVERLAP, "expression: outputs share memory; separate arrays would do");
        for (int d = 0; fits && d < outputs[0]->ndim; d++)
            fits = outputs[i]->shape[d] == outputs[0]->shape[d];
        if (!fits) return fz__fail(FZ_ERROR_SHAPE, "expression: outputs are of different shapes");
    }
    return FZ_OK;
}

/* With several outputs one that is an input must not be written before all of a block is computed. */
static void plan_operands(fz__job *j, const fz_array *const arrays[]) {
    const fz_expression *e = j->e;
    j->in_blocks = e->chains > 1;
    for (int k = 0; k < e->inputs + e->outputs; k++) j->dtypes[k] = arrays[k]->dtype;
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        if (k >= e->inputs) continue;
        const ptrdiff_t stride = inner_stride(&j->nest, k), size = fz__element_size(e->source[i].dtype);
        j->in_blocks |= stride != 0 && (stride != size || j->dtypes[k] != e->source[i].dtype);
    }
    for (int i = 0; i < e->outputs; i++) {
        const fz_array *out = arrays[e->inputs + i];
        const ptrdiff_t size = fz__element_size(out->dtype);
        bool in_place = out->dtype == e->output_dtypes[i] && inner_stride(&j->nest, e->inputs + i) == size;
        for (int k = 0; e->outputs > 1 && k < e->inputs; k++) in_place &= !fz_may_overlap(arrays[k], out);
        j->output_in_place[i] = in_place;
        j->in_blocks |= !in_place;
    }
}

/* Chains with code take any number of elements; the kernels' do not. */
static void plan_codes(fz__job *j) {
    const fz_expression *e = j->e;
    j->splats = 0;
    for (int k = 0; k < e->inputs; k++) j->splats |= (uint64_t)(inner_stride(&j->nest, k) == 0) << k;
    j->codes = fz__find_codes(e, j->splats);
    j->unit = j->codes ? 1 : e->unit;
    for (int c = 0; j->codes && c < e->chains; c++) {
        if (!j->codes[c]) j->unit = e->unit;
    }
    j->is_direct = j->unit == 1 && e->chains == 1 && !j->in_blocks;
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        j->is_direct &= k >= e->inputs || j->dtypes[k] == e->source[i].dtype;
    }
}

void fz__plan_job(fz__job *j, const fz_array *const arrays[]) {
    plan_operands(j, arrays);
    plan_codes(j);
}

static fz_status run_nest(fz__job *j) {
    const ptrdiff_t size = j->nest.size;
    const fz__split split = fz__split_elements(size);
    j->scratch = NULL;
    if (j->e->scratch > FZ_SMALL_SCRATCH) {
        j->scratch = fz__workspace_acquire("expression", (size_t)split.participants * j->e->scratch);
        if (!j->scratch) return FZ_ERROR_MEMORY;
    }
    fz__parallel_for(split.participants, size, split.grain, run_range, j);
    if (j->scratch) fz__workspace_release(j->scratch);
    return FZ_OK;
}

static fz_status run(const fz_expression *e, const fz_array *arrays[]) {
    const int operands = e->inputs + e->outputs;
    fz__job j;
    fz__shadow shadows[FZ_MAX_EXPRESSION_ARRAYS];
    int shadowed;
    j.e = e;
    fz_status status = fz__check_arrays(e, arrays, e->inputs + e->outputs);
    if (!status) status = check_outputs(e, (fz_array *const *)(arrays + e->inputs));
    if (!status) status = fz__check_numbers(e, arrays);
    if (!status) status = fz__nest_init(&j.nest, "expression", operands, arrays);
    if (status || j.nest.size == 0) return status;
    status = fz__shadow_inputs("expression", e->inputs, e->outputs, arrays, shadows, &shadowed);
    if (!status) {
        if (shadowed) fz__nest_init(&j.nest, "expression", operands, arrays);
        fz__plan_job(&j, arrays);
        status = run_nest(&j);
    }
    fz__release_shadows(shadowed, shadows);
    return status;
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

fz_status fz_expression_run(const fz_expression *e, const fz_array *const inputs[],
                            fz_array *const outputs[]) {
    const fz_array *arrays[FZ_MAX_EXPRESSION_ARRAYS];
    for (int k = 0; k < e->inputs; k++) arrays[k] = inputs[k];
    for (int i = 0; i < e->outputs; i++) arrays[e->inputs + i] = outputs[i];
    const fz__float_environment environment = fz__save_float_environment();
    const fz_status status = fz__run_plain(e, inputs, outputs) ? FZ_OK : run(e, arrays);
    fz__restore_float_environment(environment);
    return status;
}
