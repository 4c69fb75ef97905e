/* Expressions that a reduction closes: their elements are computed when the reduction asks for them, or joined in
   registers where the chain has code for that. */
#include <stdatomic.h>
#include <stdint.h>

#include "expression.h"
#include "float_environment.h"

enum { MOST_PARTS = 64 };

/* Memory for one thread at a time in each of several parts. */
typedef struct parts {
    char *memory;          /* NULL: there are none */
    size_t bytes;          /* of a part */
    _Atomic uint64_t free; /* a bit each */
} parts;

/* What computes the elements that a reduction asks for. */
typedef struct source {
    fz__job job;
    parts scratch; /* where a stack has no room for it */
    parts blocks;
} source;

/* ---- parts -------------------------------------------------------------------------------------------------- */

static fz_status create_parts(parts *p, int count, size_t bytes) {
    p->bytes = bytes;
    atomic_init(&p->free, UINT64_MAX >> (MOST_PARTS - count));
    p->memory = fz__workspace_acquire("expression", (size_t)count * bytes);
    return p->memory ? FZ_OK : FZ_ERROR_MEMORY;
}

/* Waits where all are taken: no more threads than there are parts compute at once, but for pools of more than
   MOST_PARTS. */
static char *take_part(parts *p) {
    for (;;) {
        uint64_t free = atomic_load_explicit(&p->free, memory_order_relaxed);
        if (free && atomic_compare_exchange_weak_explicit(&p->free, &free, free & (free - 1),
                                                          memory_order_acquire, memory_order_relaxed))
            return p->memory + (size_t)__builtin_ctzll(free) * p->bytes;
    }
}

static void give_part(parts *p, const char *part) {
    const size_t index = (size_t)(part - p->memory) / p->bytes;
    atomic_fetch_or_explicit(&p->free, (uint64_t)1 << index, memory_order_release);
}

static void free_parts(parts *p) { fz__workspace_release(p->memory); }

/* ---- to blocks ---------------------------------------------------------------------------------------------- */

static char *take_block(void *context) { return take_part(&((source *)context)->blocks); }

static void give_block(void *context, char *block) { give_part(&((source *)context)->blocks, block); }

static __attribute__((noinline)) void compute_rows_on_stack(const fz__job *j, ptrdiff_t rows, ptrdiff_t n,
                                                            ptrdiff_t first, ptrdiff_t step, char *block) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char scratch[FZ_SMALL_SCRATCH];
    fz__compute_rows(j, rows, n, first, step, block, scratch);
}

static void compute_rows(void *context, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                         char *block) {
    source *s = context;
    if (!s->scratch.memory) {
        compute_rows_on_stack(&s->job, rows, n, first, step, block);
        return;
    }
    char *scratch = take_part(&s->scratch);
    fz__compute_rows(&s->job, rows, n, first, step, block, scratch);
    give_part(&s->scratch, scratch);
}

/* ---- in registers ------------------------------------------------------------------------------------------- */

/* A row, and the codes that compute its elements and join them. */
typedef struct joined_row {
    fz_computed_row row;
    const fz_expression *e;
    fz__chain_code *code;
    fz_join join;
    char *partial;
    fz_place places[FZ_PLAIN_PLACES];
} joined_row;

static void compute_part(const fz_computed_row *row, size_t first, size_t n, void *block) {
    const joined_row *r = row->context;
    fz_place places[FZ_PLAIN_PLACES];
    for (int i = 0; i < r->e->sources; i++)
        places[i].base = row->places[i].base + (ptrdiff_t)first * row->places[i].stride;
    places[r->e->places - 1].base = block;
    r->code(n, places);
}

/* False where there is no code. */
static bool start_joined_row(joined_row *r, const fz_expression *e, fz__chain_code *code, uint64_t splats,
                             fz_join join, const fz_place places[]) {
    if (!code || !fz__kernels(e->output_dtypes[0])->reduce->join_computed) return false;
    r->row = (fz_computed_row){fz__find_join_code(e, splats, join), compute_part, places, r};
    r->e = e;
    r->code = code;
    r->join = join;
    return r->row.join != NULL;
}

static void join_elements(const joined_row *r, ptrdiff_t n, void *result) {
    fz__kernels(r->e->output_dtypes[0])->reduce->join_computed(r->join, (size_t)n, &r->row, result);
}

static void join_row(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    joined_row *r = context;
    for (int i = 0; i < r->e->sources; i++) {
        const int k = r->e->source[i].value;
        r->places[i] = k < r->e->inputs ? (fz_place){row[k], strides[k]} : (fz_place){r->e->place[i].base, 0};
    }
    join_elements(r, n, r->partial);
    r->partial += fz_dtype_size(r->e->output_dtypes[0]);
}

/* Only rows that are a part of one of the nest's. */
static bool join_rows(void *context, fz_join join, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first,
                      ptrdiff_t step, char *partials) {
    const fz__job *j = &((const source *)context)->job;
    const ptrdiff_t inner = j->nest.ndim ? j->nest.shape[j->nest.ndim - 1] : 1;
    joined_row r;
    if (!j->is_direct || j->e->places > FZ_PLAIN_PLACES || first % inner + n > inner ||
        (j->nest.ndim > 1 && step % inner) ||
        !start_joined_row(&r, j->e, j->codes[0], j->splats, join, r.places))
        return false;
    r.partial = partials;
    for (ptrdiff_t i = 0; i < rows; i++, first += step)
        fz__nest_walk(&j->nest, first, first + n, join_row, &r);
    return true;
}

/* ---- plan ----------------------------------------------------------------------------------------------------- */

/* arrays: the inputs, then the elements. */
static fz_status plan_source(source *s, const fz_expression *e, const fz_array *const arrays[]) {
    fz__job *j = &s->job;
    fz_status status = fz__nest_init(&j->nest, "expression", e->inputs + 1, arrays);
    j->e = e;
    j->scratch = NULL;
    s->scratch.memory = s->blocks.memory = NULL;
    if (status || j->nest.size == 0) return status;
    fz__plan_job(j, arrays);
    j->output_in_place[0] = false;
    const int count = (int)fz__min(MOST_PARTS, fz__participants(j->nest.size, FZ_BLOCK));
    status = create_parts(&s->blocks, count, FZ_COMPUTED_BYTES);
    if (!status && e->scratch > FZ_SMALL_SCRATCH) status = create_parts(&s->scratch, count, e->scratch);
    return status;
}

static void free_source(source *s) {
    free_parts(&s->blocks);
    free_parts(&s->scratch);
}

static fz_status find_elements(const fz_expression *e, const fz_array *const inputs[], fz_array *elements,
                               ptrdiff_t shape[], ptrdiff_t strides[]) {
    if (e->outputs != 1)
        return fz__fail(FZ_ERROR_VALUE, "expression: a reduction of %d outputs; one would do", e->outputs);
    fz_status status = fz__check_arrays(e, inputs, e->inputs);
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
    if (!status) status = fz__check_numbers(e, arrays);
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
    const fz__computed computed = {
        take_block, give_block, compute_rows, join_rows, &s, elements.data, fz__element_size(elements.dtype)};
    status = plan_source(&s, e, arrays);
    if (!status) status = fz__reduce_computed(reduction, &elements, &computed, naxes, axes, out);
    free_source(&s);
    return status;
}

/* ---- the plain case ------------------------------------------------------------------------------------------- */

/* Of n gapless elements, or one. */
static bool is_apart(const fz_array *x, ptrdiff_t n, const fz_array *out) {
    const uintptr_t begin = (uintptr_t)x->data, at = (uintptr_t)out->data;
    return at + fz_dtype_size(out->dtype) <= begin || begin + (uintptr_t)n * fz_dtype_size(x->dtype) <= at;
}

/* n elements from places on, run by run as reduce_rows.c cuts and joins them. */
static void join_runs(const joined_row *r, ptrdiff_t n, fz_place places[], void *result) {
    const fz_dtype dtype = r->e->output_dtypes[0];
    const ptrdiff_t size = fz__element_size(dtype), runs = fz__ceil_div(n, FZ_LONGEST_RUN);
    double memory[FZ_LONGEST_PLAIN / FZ_LONGEST_RUN];
    char *partials = (char *)memory;
    for (ptrdiff_t run = 0; run < runs; run++) {
        for (int i = 0; run && i < r->e->sources; i++) places[i].base += FZ_LONGEST_RUN * places[i].stride;
        join_elements(r, fz__min(FZ_LONGEST_RUN, n - run * FZ_LONGEST_RUN), partials + run * size);
    }
    fz__kernels(dtype)->reduce->join_rows[r->join](1, (size_t)runs, partials, 0, result);
}

/* Few elements to one result, or any number that one thread is done with soon: work that costs less than its plan
   would. False where it is otherwise; then nothing is done. */
static bool reduce_plain(const fz_expression *e, fz_reduction reduction, const fz_array *const inputs[],
                         const fz_array *out) {
    fz__plain plain;
    joined_row r;
    int first = 0;
    const fz_join join = fz__plain_join(reduction);
    if (join == FZ_JOIN_COUNT || !out || out->ndim || !out->data || out->dtype != e->output_dtypes[0] ||
        !fz__is_full_float(out->dtype))
        return false;
    const ptrdiff_t most = fz__participants(2, 1) > 1 ? FZ_LONGEST_RUN : FZ_LONGEST_PLAIN;
    while (first < e->inputs && inputs[first] && inputs[first]->ndim == 0) first++;
    if (first == e->inputs || !inputs[first] || !fz__find_plain(e, inputs, inputs[first], most, &plain))
        return false;
    for (int k = 0; k < e->inputs; k++) {
        if (!is_apart(inputs[k], plain.n, out)) return false;
    }
    fz__chain_code *const *codes = fz__find_codes(e, plain.splats);
    if (!codes || !start_joined_row(&r, e, codes[0], plain.splats, join, plain.places)) return false;
    double value[1];
    if (plain.n <= FZ_LONGEST_RUN)
        join_elements(&r, plain.n, value);
    else
        join_runs(&r, plain.n, plain.places, value);
    fz__store_plain(reduction, plain.n, out->dtype, 1, value, out->data);
    return true;
}

/* ---- calls ---------------------------------------------------------------------------------------------------- */

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
    status = !axes && reduce_plain(e, reduction, inputs, out)
                 ? FZ_OK
                 : reduce(e, reduction, arrays, naxes, axes, out);
    fz__restore_float_environment(environment);
    return status;
}
