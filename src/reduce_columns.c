/* Reductions across memory: neighbouring results lie close together, the elements of one far apart.

   Results are taken in strips that fit the L1 cache, the rows above a strip in segments of a fixed
   length. A segment's rows join in groups, groups within the segment, and segments within the result, each
   time as a tree. So the order depends on shape and strides, never on threads. */
#include <string.h>

#include "internal.h"

enum {
    STRIP = 256,  /* results side by side */
    GROUP = 32,   /* rows that one kernel call joins */
    GATHERED = 8, /* shorter runs of rows, or rows with gaps, are collected so many at a time */
    SEGMENT_ELEMENTS = 65536,
    JOINED_ELEMENTS = 4096, /* joined groups that a segment holds before it joins them */
};

typedef struct job {
    const fz__reduction *reduction;
    ptrdiff_t strips, strip; /* number and width of the strips along the kept innermost axis */
    ptrdiff_t segments, segment_rows;
    char *partials; /* [outer, strip][segment][width]; NULL where there is one segment */
} job;

typedef struct segment {
    const fz__reduction *reduction;
    ptrdiff_t width, stride; /* of the strip, in elements; between its elements in x, in bytes */
    ptrdiff_t gathered, joined;
    _Alignas(FZ_MAX_VECTOR_BYTES) char gather[GATHERED * STRIP * sizeof(double)];
    _Alignas(FZ_MAX_VECTOR_BYTES) char groups[JOINED_ELEMENTS * sizeof(double)];
} segment;

/* `rows` rows of n values without gaps joined into *result, GROUP at a time, in place. */
static void join_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, char *stack, void *result) {
    const ptrdiff_t row = n * r->element;
    for (; rows > GROUP; rows = fz__ceil_div(rows, GROUP)) {
        for (ptrdiff_t i = 0; i * GROUP < rows; i++)
            r->kernels->reduce->columns[r->kind]((size_t)fz__min(GROUP, rows - i * GROUP), (size_t)n,
                                                 stack + i * GROUP * row, row, stack + i * row);
    }
    r->kernels->reduce->columns[r->kind]((size_t)rows, (size_t)n, stack, row, result);
}

static void add_group(segment *s, ptrdiff_t rows, const char *x, ptrdiff_t row_stride) {
    const fz__reduction *r = s->reduction;
    if (s->joined == JOINED_ELEMENTS / s->width) {
        join_stack(r, s->joined, s->width, s->groups, s->groups);
        s->joined = 1;
    }
    r->kernels->reduce->columns[r->kind]((size_t)rows, (size_t)s->width, x, row_stride,
                                         s->groups + s->joined++ * s->width * r->element);
}

static void flush_gathered(segment *s) {
    if (s->gathered) add_group(s, s->gathered, s->gather, s->width * s->reduction->element);
    s->gathered = 0;
}

static void add_rows(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    segment *s = context;
    const fz__reduction *r = s->reduction;
    const char *x = pointers[0];
    if (n >= GATHERED && s->stride == r->element) {
        for (; n; n -= fz__min(n, GROUP), x += GROUP * strides[0])
            add_group(s, fz__min(n, GROUP), x, strides[0]);
        return;
    }
    for (; n; n--, x += strides[0]) {
        r->copy((size_t)s->width, x, s->stride, s->gather + s->gathered * s->width * r->element, r->element);
        if (++s->gathered == GATHERED) flush_gathered(s);
    }
}

static void store_results(const fz__reduction *r, ptrdiff_t n, void *values, char *out) {
    fz__finish_results(r, (size_t)n, values);
    r->copy((size_t)n, values, r->element, out, r->kept.strides[1][r->kept.ndim - 1]);
}

/* The pointers into x and out of strip `index`, counted along the innermost axis first; its width. */
static ptrdiff_t seek_strip(const job *j, ptrdiff_t index, char *pointers[]) {
    const fz__nest *kept = &j->reduction->kept;
    const ptrdiff_t columns = kept->shape[kept->ndim - 1], column = index % j->strips * j->strip;
    ptrdiff_t coordinates[FZ_MAX_NDIM];
    fz__nest_seek(kept, index / j->strips * columns + column, coordinates, pointers);
    return fz__min(j->strip, columns - column);
}

/* Items are segments, those of one strip side by side. */
static void reduce_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    const fz__reduction *r = j->reduction;
    fz__nest nest = r->reduced;
    segment s;
    s.reduction = r;
    s.stride = r->kept.strides[0][r->kept.ndim - 1];
    for (ptrdiff_t item = begin; item < end; item++) {
        char *pointers[FZ_MAX_OPERANDS];
        _Alignas(FZ_MAX_VECTOR_BYTES) char values[STRIP * sizeof(double)];
        const ptrdiff_t first = item % j->segments * j->segment_rows;
        s.width = seek_strip(j, item / j->segments, pointers);
        s.gathered = s.joined = 0;
        nest.data[0] = pointers[0];
        fz__nest_walk(&nest, first, fz__min(first + j->segment_rows, r->count), add_rows, &s);
        flush_gathered(&s);
        join_stack(r, s.joined, s.width, s.groups,
                   j->partials ? j->partials + item * j->strip * r->element : values);
        if (!j->partials) store_results(r, s.width, values, pointers[1]);
    }
}

/* Rows of partial results are j->strip apart, but a last strip may be narrower: they are closed up. */
static void join_segments(const job *j, ptrdiff_t strips) {
    const fz__reduction *r = j->reduction;
    for (ptrdiff_t i = 0; i < strips; i++) {
        char *pointers[FZ_MAX_OPERANDS], *stack = j->partials + i * j->segments * j->strip * r->element;
        _Alignas(FZ_MAX_VECTOR_BYTES) char values[STRIP * sizeof(double)];
        const ptrdiff_t width = seek_strip(j, i, pointers);
        for (ptrdiff_t row = 1; row < j->segments && width < j->strip; row++)
            memmove(stack + row * width * r->element, stack + row * j->strip * r->element,
                    (size_t)(width * r->element));
        join_stack(r, j->segments, width, stack, values);
        store_results(r, width, values, pointers[1]);
    }
}

fz_status fz__reduce_columns(const fz__reduction *r) {
    const ptrdiff_t columns = r->kept.shape[r->kept.ndim - 1];
    job j = {.reduction = r, .strips = fz__ceil_div(columns, STRIP)};
    j.strip = fz__ceil_div(columns, j.strips);
    j.strips = fz__ceil_div(columns, j.strip);
    j.segment_rows = fz__max(GROUP, SEGMENT_ELEMENTS / j.strip);
    j.segments = fz__ceil_div(r->count, j.segment_rows);
    const ptrdiff_t strips = r->kept.size / columns * j.strips, items = strips * j.segments;
    if (j.segments > 1) {
        j.partials =
            fz__workspace_acquire(fz_reduction_name(r->kind), (size_t)(items * j.strip * r->element));
        if (!j.partials) return FZ_ERROR_MEMORY;
    }
    const ptrdiff_t grain = fz__max(1, SEGMENT_ELEMENTS / 4 / (j.strip * fz__min(r->count, j.segment_rows)));
    fz__parallel_for(fz__participants(items, grain), items, grain, reduce_segments, &j);
    if (!j.partials) return FZ_OK;
    join_segments(&j, strips);
    fz__workspace_release(j.partials);
    return FZ_OK;
}
