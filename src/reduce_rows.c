/* Reductions along memory: the elements that make a result lie close together.

   A result's elements are cut into segments of a fixed length, a segment into blocks; blocks join within
   their segment and segments within the result, each time in one kernel call that joins as a tree. So
   the order depends on shape and strides, never on threads. */
#include <string.h>

#include "internal.h"

enum {
    SEGMENT = 32768,                 /* elements */
    GATHERED = 64,                   /* rows shorter than this are collected into blocks */
    BLOCKS = 2 * SEGMENT / GATHERED, /* more than a segment can have: a long row ends in a short block */
    GRAIN = 16384,                   /* elements of a task */
};

typedef struct job {
    const fz__reduction *reduction;
    ptrdiff_t segments; /* of one result */
    char *partials;     /* [result][segment]; NULL where there is one segment */
} job;

/* Collects the blocks of one segment. */
typedef struct segment {
    const fz__reduction *reduction;
    ptrdiff_t gathered, blocks;
    _Alignas(FZ_MAX_VECTOR_BYTES) char gather[FZ_BLOCK * sizeof(double)];
    _Alignas(FZ_MAX_VECTOR_BYTES) char partials[BLOCKS * sizeof(double)];
} segment;

static void add_block(segment *s, ptrdiff_t n, const char *x) {
    const fz__reduction *r = s->reduction;
    r->kernels->reduce->row[r->kind]((size_t)n, x, s->partials + s->blocks++ * r->element);
}

static void flush_gathered(segment *s) {
    if (s->gathered) add_block(s, s->gathered, s->gather);
    s->gathered = 0;
}

static void add_row(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    segment *s = context;
    const fz__reduction *r = s->reduction;
    const bool gapless = strides[0] == r->element && n >= GATHERED;
    const char *x = pointers[0];
    while (n) {
        const ptrdiff_t count = fz__min(n, gapless ? FZ_BLOCK : FZ_BLOCK - s->gathered);
        if (gapless) {
            add_block(s, count, x);
        } else {
            r->copy((size_t)count, x, strides[0], s->gather + s->gathered * r->element, r->element);
            s->gathered += count;
            if (s->gathered == FZ_BLOCK) flush_gathered(s);
        }
        x += count * strides[0];
        n -= count;
    }
}

/* n contiguous values joined into *result, FZ_BLOCK at a time, in place. */
static void join_values(const fz__reduction *r, ptrdiff_t n, char *values, void *result) {
    for (; n > FZ_BLOCK; n = fz__ceil_div(n, FZ_BLOCK)) {
        for (ptrdiff_t i = 0; i * FZ_BLOCK < n; i++)
            r->kernels->reduce->row[r->kind]((size_t)fz__min(FZ_BLOCK, n - i * FZ_BLOCK),
                                             values + i * FZ_BLOCK * r->element, values + i * r->element);
    }
    r->kernels->reduce->row[r->kind]((size_t)n, values, result);
}

/* Elements [begin, end) of the result whose first element is nest->data[0]. */
static void reduce_segment(const fz__reduction *r, const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end,
                           segment *s, void *result) {
    s->reduction = r;
    s->gathered = s->blocks = 0;
    fz__nest_walk(nest, begin, end, add_row, s);
    flush_gathered(s);
    join_values(r, s->blocks, s->partials, result);
}

static void store_result(const fz__reduction *r, char *result, void *value) {
    fz__finish_results(r, 1, value);
    memcpy(result, value, (size_t)r->element);
}

/* Items are segments, those of one result side by side. */
static void reduce_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    const fz__reduction *r = j->reduction;
    fz__nest nest = r->reduced;
    segment s;
    for (ptrdiff_t item = begin; item < end; item++) {
        char *pointers[FZ_MAX_OPERANDS], value[sizeof(double)];
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        const ptrdiff_t first = item % j->segments * SEGMENT;
        fz__nest_seek(&r->kept, item / j->segments, coordinates, pointers);
        nest.data[0] = pointers[0];
        reduce_segment(r, &nest, first, fz__min(first + SEGMENT, r->count), &s, value);
        if (j->partials)
            memcpy(j->partials + item * r->element, value, (size_t)r->element);
        else
            store_result(r, pointers[1], value);
    }
}

static void join_segments(const job *j) {
    const fz__reduction *r = j->reduction;
    for (ptrdiff_t i = 0; i < r->kept.size; i++) {
        char *pointers[FZ_MAX_OPERANDS], value[sizeof(double)];
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        fz__nest_seek(&r->kept, i, coordinates, pointers);
        join_values(r, j->segments, j->partials + i * j->segments * r->element, value);
        store_result(r, pointers[1], value);
    }
}

fz_status fz__reduce_rows(const fz__reduction *r) {
    job j = {.reduction = r, .segments = fz__ceil_div(r->count, SEGMENT)};
    const ptrdiff_t items = r->kept.size * j.segments;
    if (j.segments > 1) {
        j.partials = fz__workspace_acquire(fz_reduction_name(r->kind), (size_t)(items * r->element));
        if (!j.partials) return FZ_ERROR_MEMORY;
    }
    const ptrdiff_t grain = fz__max(1, GRAIN / fz__min(r->count, SEGMENT));
    fz__parallel_for(fz__participants(items, grain), items, grain, reduce_segments, &j);
    if (!j.partials) return FZ_OK;
    join_segments(&j);
    fz__workspace_release(j.partials);
    return FZ_OK;
}
