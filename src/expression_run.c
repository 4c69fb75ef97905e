/* Running an expression: plan, then ranges of the loop nest on the scheduler, each row by row and block by
   block through the chains. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "expression.h"
#include "float_environment.h"

enum {
    GRAIN = 8192,              /* the fewest elements that a task gets at once */
    PARALLEL_FROM = 2 * GRAIN, /* from here on handing work to another thread pays */
    TASKS = 8,                 /* of a participant, so that uneven threads still end together */
    SMALL_SCRATCH = 48 << 10,  /* bytes that a thread's stack has room for */
    PLAIN_PLACES = 32,
    ALIGN_FROM = 4096, /* elements of a row from which on its stores should not straddle cache lines */
};

typedef struct job {
    const fz_expression *e;
    fz__nest nest;                             /* inputs, then outputs */
    fz_dtype dtypes[FZ_MAX_EXPRESSION_ARRAYS]; /* the arrays' own */
    bool output_in_place[FZ_MAX_EXPRESSION_ARRAYS];
    fz__chain_code *const *codes; /* of the chains; NULL where none has any */
    ptrdiff_t unit;               /* elements that the chains take at once */
    bool is_direct;               /* no row needs a buffer: run_row_directly */
    bool in_blocks;               /* something goes through block buffers, or from chain to chain */
    char *scratch;                /* of all participants; NULL: on their stacks */
} job;

/* One thread's view of a job. */
typedef struct worker {
    const job *j;
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
    const ptrdiff_t bytes = n * (ptrdiff_t)fz_dtype_size(w->j->e->output_dtypes[0]);
    if (x != w->next) memcpy(w->next, x, (size_t)bytes);
    w->next += bytes;
}

/* ---- a block ------------------------------------------------------------------------------------------------ */

/* Elements [n, end) become copies of the last one before them, so that they raise nothing that it does not. */
static void pad(char *buffer, fz_dtype dtype, ptrdiff_t n, ptrdiff_t end) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype);
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
        const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(source->dtype);
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
    const job *j = w->j;
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
        const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(source->dtype);
        w->places[i] = (fz_place){buffer_of(w, i), 0};
        const size_t n = w->j->unit == 1 ? 1 : (size_t)(FZ_BUNDLE_BYTES / size); /* code repeats it itself */
        cast(w->j->dtypes[k], source->dtype)(n, row[k], 0, w->places[i].base, size);
    }
}

/* Elements before the first output's first vector boundary, where the rows are long and it is written in place. */
static ptrdiff_t find_head(const job *j, ptrdiff_t n, char *const row[]) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(j->e->output_dtypes[0]);
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
    const job *j = w->j;
    char *at[FZ_MAX_EXPRESSION_ARRAYS];
    place_splats(w, row, strides);
    for (int k = 0; k < j->nest.operands; k++) at[k] = row[k];
    for (ptrdiff_t count = find_head(j, n, row); n; n -= count, count = 0) {
        if (!count) count = find_count(w, n);
        run_block(w, count, at, strides);
        for (int k = 0; k < j->nest.operands; k++) at[k] += count * strides[k];
    }
}

/* Where nothing is converted and the only chain has code, it reads and writes the rows themselves, in two parts where
   the first brings its stores to a boundary. */
static void run_row_directly(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    worker *w = context;
    const job *j = w->j;
    const fz_expression *e = j->e;
    const ptrdiff_t head = find_head(j, n, row);
    for (ptrdiff_t begin = 0, count = head ? head : n; begin < n; begin += count, count = n - begin) {
        for (int i = 0; i < e->sources; i++) {
            const int k = e->source[i].value;
            if (k < e->inputs) w->places[i].base = row[k] + begin * strides[k];
        }
        for (int i = 0; i < e->outputs; i++)
            w->places[e->places - e->outputs + i].base = row[e->inputs + i] + begin * strides[e->inputs + i];
        if (w->next) w->places[e->places - 1].base = w->next;
        j->codes[0]((size_t)count, w->places);
        if (w->next) hand_over(w, count, w->next);
    }
}

static void start_worker(worker *w, const job *j, char *scratch) {
    const fz_expression *e = j->e;
    w->j = j;
    w->next = NULL;
    w->scratch = scratch;
    w->places = (fz_place *)scratch;
    for (int i = 0; i < e->places; i++)
        w->places[i] = is_constant(e, i) ? e->place[i] : (fz_place){buffer_of(w, i), e->place[i].stride};
}

static void run_range_in(const job *j, ptrdiff_t begin, ptrdiff_t end, char *scratch) {
    worker w;
    start_worker(&w, j, scratch);
    fz__nest_walk(&j->nest, begin, end, j->is_direct ? run_row_directly : run_row, &w);
}

static __attribute__((noinline)) void run_range_on_stack(const job *j, ptrdiff_t begin, ptrdiff_t end) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char scratch[SMALL_SCRATCH];
    run_range_in(j, begin, end, scratch);
}

static void run_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    if (j->scratch)
        run_range_in(j, begin, end, j->scratch + (size_t)participant * j->e->scratch);
    else
        run_range_on_stack(j, begin, end);
}

/* ---- plan --------------------------------------------------------------------------------------------------- */

static fz_status check_arrays(const fz_expression *e, const fz_array *const arrays[], int count) {
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

/* A Python int must fit the integers that it meets; exponents of integers are not below 0. */
static fz_status check_numbers(const fz_expression *e, const fz_array *const arrays[]) {
    for (int k = 0; k < e->inputs; k++) {
        const fz_status status = e->exponents[k] ? fz__check_exponents(e->names[k], arrays[k]) : FZ_OK;
        if (status) return status;
    }
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        if (k >= e->inputs || !e->kinds[k].weak || arrays[k]->ndim) continue;
        fz_constant number = {.kind = e->kinds[k]};
        memcpy(&number.value, arrays[k]->data, fz_dtype_size(number.kind.dtype));
        if (!fz__integer_fits(&number, e->source[i].dtype))
            return fz__fail(FZ_ERROR_VALUE, "expression: %s is %lld, which does not fit %s", e->names[k],
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

/* Inputs that share memory with an output in another arrangement are copied first. */
typedef struct shadows {
    int count;
    fz_array array[FZ_MAX_EXPRESSION_ARRAYS];
    void *memory[FZ_MAX_EXPRESSION_ARRAYS];
    ptrdiff_t strides[FZ_MAX_EXPRESSION_ARRAYS][FZ_MAX_NDIM];
} shadows;

static bool is_harmful(const fz_array *x, const fz_array *out) {
    return !fz__same_view(x, out) && fz_may_overlap(x, out);
}

static fz_status shadow_overlapping(const fz_expression *e, const fz_array *arrays[], shadows *copies) {
    copies->count = 0;
    for (int k = 0; k < e->inputs; k++) {
        const fz_array *x = arrays[k];
        bool harmful = false;
        for (int i = 0; i < e->outputs; i++) harmful |= is_harmful(x, arrays[e->inputs + i]);
        if (!harmful) continue;
        const int i = copies->count;
        const size_t bytes = (size_t)fz__array_size(x) * fz_dtype_size(x->dtype);
        if (!(copies->memory[i] = fz__workspace_acquire("expression", bytes))) return FZ_ERROR_MEMORY;
        copies->count++;
        fz_contiguous_strides(x->dtype, x->ndim, x->shape, copies->strides[i]);
        copies->array[i] = (fz_array){copies->memory[i], x->dtype, x->ndim, x->shape, copies->strides[i]};
        fz__copy(x, &copies->array[i]);
        arrays[k] = &copies->array[i];
    }
    return FZ_OK;
}

/* With several outputs one that is an input must not be written before all of a block is computed. */
static void plan_operands(job *j, const fz_array *const arrays[]) {
    const fz_expression *e = j->e;
    j->in_blocks = e->chains > 1;
    for (int k = 0; k < e->inputs + e->outputs; k++) j->dtypes[k] = arrays[k]->dtype;
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        if (k >= e->inputs) continue;
        const ptrdiff_t stride = inner_stride(&j->nest, k),
                        size = (ptrdiff_t)fz_dtype_size(e->source[i].dtype);
        j->in_blocks |= stride != 0 && (stride != size || j->dtypes[k] != e->source[i].dtype);
    }
    for (int i = 0; i < e->outputs; i++) {
        const fz_array *out = arrays[e->inputs + i];
        const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(out->dtype);
        bool in_place = out->dtype == e->output_dtypes[i] && inner_stride(&j->nest, e->inputs + i) == size;
        for (int k = 0; e->outputs > 1 && k < e->inputs; k++) in_place &= !fz_may_overlap(arrays[k], out);
        j->output_in_place[i] = in_place;
        j->in_blocks |= !in_place;
    }
}

/* Chains with code take any number of elements; the kernels' do not. */
static void plan_codes(job *j) {
    const fz_expression *e = j->e;
    uint64_t splats = 0;
    for (int k = 0; k < e->inputs; k++) splats |= (uint64_t)(inner_stride(&j->nest, k) == 0) << k;
    j->codes = fz__find_codes(e, splats);
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

static fz_status run_nest(job *j) {
    const ptrdiff_t size = j->nest.size;
    const int participants = size < PARALLEL_FROM ? 1 : fz__participants(size, GRAIN);
    j->scratch = NULL;
    if (j->e->scratch > SMALL_SCRATCH) {
        j->scratch = fz__workspace_acquire("expression", (size_t)participants * j->e->scratch);
        if (!j->scratch) return FZ_ERROR_MEMORY;
    }
    if (participants == 1) {
        run_range(j, 0, size, 0);
    } else {
        const ptrdiff_t grain =
            fz__max(GRAIN, fz__min(16 * GRAIN, size / (participants * TASKS) / GRAIN * GRAIN));
        fz__parallel_for(participants, size, grain, run_range, j);
    }
    if (j->scratch) fz__workspace_release(j->scratch);
    return FZ_OK;
}

static fz_status run(const fz_expression *e, const fz_array *arrays[]) {
    const int operands = e->inputs + e->outputs;
    job j;
    shadows copies;
    j.e = e;
    fz_status status = check_arrays(e, arrays, e->inputs + e->outputs);
    if (!status) status = check_outputs(e, (fz_array *const *)(arrays + e->inputs));
    if (!status) status = check_numbers(e, arrays);
    if (!status) status = fz__nest_init(&j.nest, "expression", operands, arrays);
    if (status || j.nest.size == 0) return status;
    if (!(status = shadow_overlapping(e, arrays, &copies))) {
        if (copies.count) fz__nest_init(&j.nest, "expression", operands, arrays);
        plan_operands(&j, arrays);
        plan_codes(&j);
        status = run_nest(&j);
    }
    for (int i = 0; i < copies.count; i++) fz__workspace_release(copies.memory[i]);
    return status;
}

/* ---- the plain case --------------------------------------------------------------------------------------- */

/* Few elements in gapless arrays of the dtypes that the only chain takes, and scalars: work that costs less than
   its plan would. False where it is otherwise; then nothing is done. */
static bool run_plain(const fz_expression *e, const fz_array *const inputs[], fz_array *const outputs[]) {
    fz_place places[PLAIN_PLACES];
    double scalars[PLAIN_PLACES];
    uint64_t splats = 0;
    if (e->chains != 1 || e->places > PLAIN_PLACES || e->outputs != 1) return false;
    const ptrdiff_t n = fz__count_gapless(outputs[0], e->output_dtypes[0], PARALLEL_FROM);
    if (n == 0) return false;
    for (int k = 0; k < e->inputs; k++) {
        const fz_array *x = inputs[k];
        if (!x || !x->data || x->dtype != e->kinds[k].dtype || e->exponents[k]) return false;
        if (x->ndim == 0)
            splats |= (uint64_t)1 << k;
        else if (fz__count_gapless(x, x->dtype, PARALLEL_FROM) != n || !fz__same_or_apart(x, outputs[0], n))
            return false;
    }
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        const fz_dtype dtype = e->source[i].dtype;
        places[i].base = k < e->inputs ? inputs[k]->data : e->place[i].base;
        if (k >= e->inputs || (dtype == inputs[k]->dtype && inputs[k]->ndim)) continue;
        if (inputs[k]->ndim || (e->kinds[k].weak && !fz__is_full_float(dtype))) return false;
        places[i].base = (char *)&scalars[i];
        cast(inputs[k]->dtype, dtype)(1, inputs[k]->data, 0, &scalars[i], 0);
    }
    places[e->places - 1].base = outputs[0]->data;
    fz__chain_code *const *codes = fz__find_codes(e, splats);
    if (!codes) return false;
    codes[0]((size_t)n, places);
    return true;
}

fz_status fz_expression_run(const fz_expression *e, const fz_array *const inputs[],
                            fz_array *const outputs[]) {
    const fz_array *arrays[FZ_MAX_EXPRESSION_ARRAYS];
    for (int k = 0; k < e->inputs; k++) arrays[k] = inputs[k];
    for (int i = 0; i < e->outputs; i++) arrays[e->inputs + i] = outputs[i];
    const fz__float_environment environment = fz__save_float_environment();
    const fz_status status = run_plain(e, inputs, outputs) ? FZ_OK : run(e, arrays);
    fz__restore_float_environment(environment);
    return status;
}

/* ---- reductions ----------------------------------------------------------------------------------------------- */

/* What computes the elements that a reduction asks for. */
typedef struct source {
    job job;
    _Atomic uint64_t free; /* parts of job.scratch that nobody uses, a bit each */
} source;

static int take_part(source *s) {
    for (;;) {
        uint64_t free = atomic_load_explicit(&s->free, memory_order_relaxed);
        if (free && atomic_compare_exchange_weak_explicit(&s->free, &free, free & (free - 1),
                                                          memory_order_acquire, memory_order_relaxed))
            return __builtin_ctzll(free);
    }
}

static void give_part(source *s, int part) {
    atomic_fetch_or_explicit(&s->free, (uint64_t)1 << part, memory_order_release);
}

static void compute_rows_in(const job *j, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                            char *block, char *scratch) {
    worker w;
    start_worker(&w, j, scratch);
    w.next = block;
    if (step == n) n *= rows, rows = 1;
    for (ptrdiff_t i = 0; i < rows; i++, first += step)
        fz__nest_walk(&j->nest, first, first + n, j->is_direct ? run_row_directly : run_row, &w);
}

static __attribute__((noinline)) void compute_rows_on_stack(const job *j, ptrdiff_t rows, ptrdiff_t n,
                                                            ptrdiff_t first, ptrdiff_t step, char *block) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char scratch[SMALL_SCRATCH];
    compute_rows_in(j, rows, n, first, step, block, scratch);
}

static void compute_rows(void *context, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                         char *block) {
    source *s = context;
    if (!s->job.scratch) {
        compute_rows_on_stack(&s->job, rows, n, first, step, block);
        return;
    }
    const int part = take_part(s);
    compute_rows_in(&s->job, rows, n, first, step, block, s->job.scratch + (size_t)part * s->job.e->scratch);
    give_part(s, part);
}

/* arrays: the inputs, then the elements. */
static fz_status plan_source(source *s, const fz_expression *e, const fz_array *const arrays[]) {
    enum { MOST_PARTS = 64 };
    job *j = &s->job;
    const fz_status status = fz__nest_init(&j->nest, "expression", e->inputs + 1, arrays);
    j->e = e;
    j->scratch = NULL;
    if (status || j->nest.size == 0) return status;
    plan_operands(j, arrays);
    plan_codes(j);
    j->output_in_place[0] = false;
    if (e->scratch <= SMALL_SCRATCH) return FZ_OK;
    const int parts = (int)fz__min(MOST_PARTS, fz__participants(j->nest.size, GRAIN));
    atomic_init(&s->free, UINT64_MAX >> (MOST_PARTS - parts));
    j->scratch = fz__workspace_acquire("expression", (size_t)parts * e->scratch);
    return j->scratch ? FZ_OK : FZ_ERROR_MEMORY;
}

static fz_status find_elements(const fz_expression *e, const fz_array *const inputs[], fz_array *elements,
                               ptrdiff_t shape[], ptrdiff_t strides[]) {
    if (e->outputs != 1)
        return fz__fail(FZ_ERROR_VALUE, "expression: a reduction of %d outputs; one would do", e->outputs);
    fz_status status = check_arrays(e, inputs, e->inputs);
    *elements = (fz_array){NULL, e->output_dtypes[0], 0, shape, strides};
    if (!status) status = fz_broadcast_shape("expression", e->inputs, inputs, &elements->ndim, shape);
    if (!status) fz_contiguous_strides(elements->dtype, elements->ndim, shape, strides);
    return status;
}

/* The nest visits the elements in C order: its output is an array that nobody reads or writes. */
static fz_status reduce(const fz_expression *e, fz_reduction reduction, const fz_array *arrays[], int naxes,
                        const int axes[], fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM];
    fz_array elements;
    source s;
    fz_status status = find_elements(e, arrays, &elements, shape, strides);
    if (!status) status = check_numbers(e, arrays);
    if (!status) status = fz__check_array("expression", "out", out);
    for (int k = 0; !status && k < e->inputs; k++) {
        if (fz_may_overlap(arrays[k], out))
            status =
                fz__fail(FZ_ERROR_OVERLAP, "expression: out shares memory with %s; a separate array would do",
                         e->names[k]);
    }
    if (status) return status;
    elements.data = out->data;
    arrays[e->inputs] = &elements;
    if ((status = plan_source(&s, e, arrays))) return status;
    const fz__computed computed = {compute_rows, &s, elements.data, (ptrdiff_t)fz_dtype_size(elements.dtype)};
    status = fz__reduce_computed(reduction, &elements, &computed, naxes, axes, out);
    if (s.job.scratch) fz__workspace_release(s.job.scratch);
    return status;
}

static fz_status check_reduction(fz_reduction reduction) {
    if ((unsigned)reduction >= FZ_REDUCTION_COUNT)
        return fz__fail(FZ_ERROR_VALUE, "reduction %d is unknown", (int)reduction);
    if (fz_reduction_is_fused(reduction)) return FZ_OK;
    return fz__fail(FZ_ERROR_VALUE, "expression: %s is no reduction that closes one; max and min would do",
                    fz_reduction_name(reduction));
}

fz_status fz_expression_reduce_shape(const fz_expression *e, fz_reduction reduction,
                                     const fz_array *const inputs[], int naxes, const int axes[],
                                     int keepdims, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    ptrdiff_t full[FZ_MAX_NDIM], strides[FZ_MAX_NDIM];
    char nothing;
    fz_array elements;
    fz_status status = check_reduction(reduction);
    if (!status) status = find_elements(e, inputs, &elements, full, strides);
    elements.data = &nothing;
    return status ? status : fz_reduce_shape(reduction, &elements, naxes, axes, keepdims, ndim, shape);
}

fz_status fz_expression_reduce(const fz_expression *e, fz_reduction reduction, const fz_array *const inputs[],
                               int naxes, const int axes[], fz_array *out) {
    const fz_array *arrays[FZ_MAX_EXPRESSION_ARRAYS];
    fz_status status = check_reduction(reduction);
    if (status) return status;
    for (int k = 0; k < e->inputs; k++) arrays[k] = inputs[k];
    const fz__float_environment environment = fz__save_float_environment();
    status = reduce(e, reduction, arrays, naxes, axes, out);
    fz__restore_float_environment(environment);
    return status;
}
