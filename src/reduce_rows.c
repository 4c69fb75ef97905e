/* Reductions along memory: the elements that make a result lie close together.

   A result is a number of runs. Few elements are one item of work together with neighbouring results; many are
   cut into segments of a fixed length, of one or more runs or of a piece of a run, whose partial results join as
   a tree. So the order depends on shape and strides, never on threads. */
#include <string.h>

#include "internal.h"

enum {
    SEGMENT = FZ_LONGEST_RUN, /* elements */
    VALUES = 512,             /* results or partial results at a time */
};

/* ---- whole results ---------------------------------------------------------------------------------------- */

/* A row of results of one run each. */
static void reduce_results(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const fz__reduction *r = context;
    _Alignas(FZ_MAX_VECTOR_BYTES) char values[VALUES * FZ_MAX_PARTIAL];
    const fz__step step = {strides[FZ_NEST_X], strides[FZ_NEST_WHERE]};
    fz__elements at = {pointers[FZ_NEST_X], pointers[FZ_NEST_WHERE]};
    for (ptrdiff_t i = 0; i < n; i += VALUES, at = fz__advance(at, step, VALUES)) {
        const ptrdiff_t count = fz__min(VALUES, n - i);
        fz__reduce_runs(r, count, r->run, at, step, values);
        r->reducer->store(r, count, values, pointers[FZ_NEST_OUT] + i * strides[FZ_NEST_OUT],
                          strides[FZ_NEST_OUT]);
    }
}

static void reduce_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    fz__reduction *r = context;
    fz__nest_walk(&r->kept, begin, end, reduce_results, r);
}

/* ---- segments of results ---------------------------------------------------------------------------------- */

typedef struct job {
    const fz__reduction *reduction;
    ptrdiff_t runs;     /* of a segment: more than one, or ... */
    ptrdiff_t pieces;   /* ... of a run: more than one */
    ptrdiff_t segments; /* of a result */
    ptrdiff_t done;     /* of the first result's, so many */
    char *partials;     /* [result][segment] */
} job;

/* Partial results of a segment's runs. */
typedef struct collection {
    const fz__reduction *reduction;
    ptrdiff_t values, joined;
    _Alignas(FZ_MAX_VECTOR_BYTES) char value[VALUES * FZ_MAX_PARTIAL];
    _Alignas(FZ_MAX_VECTOR_BYTES) char join[SEGMENT / VALUES * FZ_MAX_PARTIAL];
} collection;

static void flush_values(collection *c) {
    const fz__reduction *r = c->reduction;
    if (c->values) r->reducer->join(r, c->values, c->value, c->join + c->joined++ * r->partial);
    c->values = 0;
}

static void add_runs(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    collection *c = context;
    const fz__reduction *r = c->reduction;
    const fz__step step = {strides[1], strides[0]};
    fz__elements at = {pointers[1], pointers[0]};
    while (n) {
        const ptrdiff_t count = fz__min(n, VALUES - c->values);
        fz__reduce_runs(r, count, r->run, at, step, c->value + c->values * r->partial);
        if ((c->values += count) == VALUES) flush_values(c);
        at = fz__advance(at, step, count);
        n -= count;
    }
}

static void reduce_segment(const job *j, char *const pointers[], ptrdiff_t segment, char *value) {
    const fz__reduction *r = j->reduction;
    const ptrdiff_t first = segment / j->pieces * j->runs, offset = segment % j->pieces * SEGMENT;
    fz__nest nest;
    fz__nest_copy(&nest, &r->reduced);
    nest.data[0] = pointers[FZ_NEST_WHERE];
    nest.data[1] = pointers[FZ_NEST_X];
    if (j->runs == 1) {
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        char *run[2];
        fz__nest_seek(&nest, first, coordinates, run);
        const ptrdiff_t n = j->pieces == 1 ? r->run : fz__min(SEGMENT, r->run - offset);
        const fz__elements at = {run[1], run[0]};
        fz__reduce_runs(r, 1, n, fz__advance(at, r->run_step, offset), (fz__step){0, 0}, value);
        return;
    }
    collection c;
    c.reduction = r;
    c.values = c.joined = 0;
    fz__nest_walk(&nest, first, fz__min(first + j->runs, nest.size), add_runs, &c);
    flush_values(&c);
    r->reducer->join(r, c.joined, c.join, value);
}

/* Items are segments, those of one result side by side. */
static void reduce_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    const fz__reduction *r = j->reduction;
    begin += j->done, end += j->done;
    for (ptrdiff_t item = begin; item < end; item++) {
        char *pointers[FZ_MAX_OPERANDS], *partial = j->partials + item * r->partial;
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        fz__nest_seek(&r->kept, item / j->segments, coordinates, pointers);
        if (item > begin && item % j->segments && fz__is_decided(r, partial - r->partial))
            memcpy(partial, partial - r->partial, (size_t)r->partial);
        else
            reduce_segment(j, pointers, item % j->segments, partial);
    }
}

static void join_segments(const job *j) {
    const fz__reduction *r = j->reduction;
    for (ptrdiff_t i = 0; i < r->kept.size; i++) {
        char *pointers[FZ_MAX_OPERANDS];
        _Alignas(FZ_MAX_VECTOR_BYTES) char value[FZ_MAX_PARTIAL];
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        fz__nest_seek(&r->kept, i, coordinates, pointers);
        r->reducer->join(r, j->segments, j->partials + i * j->segments * r->partial, value);
        r->reducer->store(r, 1, value, pointers[FZ_NEST_OUT], 0);
    }
}

static fz_status reduce_in_segments(const fz__reduction *r) {
    job j = {.reduction = r, .pieces = fz__ceil_div(r->run, SEGMENT), .runs = fz__max(1, SEGMENT / r->run)};
    j.segments = fz__ceil_div(r->reduced.size, j.runs) * j.pieces;
    const ptrdiff_t items = r->kept.size * j.segments;
    j.partials = fz__workspace_acquire(r->name, (size_t)(items * r->partial));
    if (!j.partials) return FZ_ERROR_MEMORY;
    if (r->decisive >= 0 && r->kept.size == 1) { /* the first may decide, before other threads are asked */
        reduce_segments(&j, 0, 1, 0);
        j.done = 1;
        if (fz__is_decided(r, j.partials)) j.segments = 1;
    }
    if (j.done < j.segments)
        fz__reduce_items(items - j.done, fz__reduction_work(r, fz__min(r->count, SEGMENT)), reduce_segments,
                         &j);
    join_segments(&j);
    fz__workspace_release(j.partials);
    return FZ_OK;
}

fz_status fz__reduce_rows(const fz__reduction *r) {
    if (r->reduced.size > 1 || r->run > SEGMENT) return reduce_in_segments(r);
    fz__reduce_items(r->kept.size, fz__reduction_work(r, r->run), reduce_range, (void *)r);
    return FZ_OK;
}
