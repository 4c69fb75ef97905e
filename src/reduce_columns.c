/* Reductions across memory: neighbouring results lie close together, the elements of one far apart.

   Results are taken in strips that fit the L1 cache, the rows above a strip in segments of a fixed
   length. A segment's rows join in groups, groups within the segment, and segments within the result, each
   time as a tree. So the order depends on shape and strides, never on threads. A row holds one element of each
   result, or the joined elements of a run. */
#include <string.h>

#include "internal.h"

enum {
    STRIP_BYTES = 8192,    /* of results side by side that are read in place: long enough for prefetchers */
    COLLECTED_STRIP = 256, /* results side by side whose rows are collected first */
    COLLECTED = 16,        /* rows at a time, more of narrower ones */
    GROUP = 128,           /* rows that one kernel call joins */
    FEWEST_FOLDED = 32,    /* where partial results are more than elements: joining them takes as long */
    SEGMENT = 131072,      /* elements */
    JOINED_BYTES = 65536,  /* of joined groups that a segment holds before it joins them */
    ROW_BYTES = JOINED_BYTES / 4, /* of a row of them at most */
    PARTIALS_BYTES = 524288,      /* of what segments give at most: as much as keeps dozens of threads busy */
};

typedef struct job {
    const fz__reduction *reduction;
    ptrdiff_t strips, strip; /* number and width of the strips along the kept innermost axis */
    ptrdiff_t segments, segment_rows;
    char *partials; /* [outer, strip][segment][width]; NULL where there is one segment */
} job;

typedef struct segment {
    const fz__reduction *reduction;
    ptrdiff_t width; /* of the strip, in elements */
    fz__step step;   /* between them */
    ptrdiff_t fold;  /* rows that are taken for one; 1: none */
    ptrdiff_t room;  /* for collected rows */
    ptrdiff_t collected, joined;
    _Alignas(FZ_MAX_VECTOR_BYTES) char collection[COLLECTED * COLLECTED_STRIP * sizeof(double)];
    _Alignas(FZ_MAX_VECTOR_BYTES) char groups[JOINED_BYTES];
} segment;

/* `rows` rows of n partial results without gaps joined into *result, GROUP at a time, in place. */
static void join_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, char *stack, char *result) {
    const ptrdiff_t row = n * r->partial;
    for (; rows > GROUP; rows = fz__ceil_div(rows, GROUP)) {
        for (ptrdiff_t i = 0; i * GROUP < rows; i++)
            r->reducer->join_columns(r, fz__min(GROUP, rows - i * GROUP), n, stack + i * GROUP * row,
                                     stack + i * row);
    }
    r->reducer->join_columns(r, rows, n, stack, result);
}

/* Room for the joined rows of one more group. */
static char *next_group(segment *s) {
    const fz__reduction *r = s->reduction;
    if (s->joined == JOINED_BYTES / r->partial / s->width) {
        join_stack(r, s->joined, s->width, s->groups, s->groups);
        s->joined = 1;
    }
    return s->groups + s->joined++ * s->width * r->partial;
}

static void flush_collected(segment *s) {
    const fz__reduction *r = s->reduction;
    if (s->collected)
        r->reducer->columns(r, s->collected, s->width, s->collection, s->width * r->element, next_group(s));
    s->collected = 0;
}

/* `fold` rows without a gap between them are one row, whose halves join until one of them is left. Not inlined: it has
   a large frame of its own. */
static __attribute__((noinline)) void add_folded(segment *s, ptrdiff_t rows, const char *x) {
    const fz__reduction *r = s->reduction;
    _Alignas(FZ_MAX_VECTOR_BYTES) char sums[FZ_MOST_FOLDED * FZ_MAX_PARTIAL];
    ptrdiff_t n = s->fold * s->width;
    fz__reduce_stack(r, rows, n, x, n * r->element, sums);
    while ((n /= 2) > s->width) r->reducer->join_columns(r, 2, n, sums, sums);
    r->reducer->join_columns(r, 2, n, sums, next_group(s));
}

/* The next row, or as many of n without gaps as one block holds; returns how many. */
static ptrdiff_t collect_rows(segment *s, ptrdiff_t n, fz__elements at, fz__step step) {
    const fz__reduction *r = s->reduction;
    if (r->run > 1) {
        fz__reduce_runs(r, s->width, r->run, at, s->step, next_group(s));
        return 1;
    }
    const bool gapless = step.x == s->width * s->step.x && step.where == s->width * s->step.where;
    const ptrdiff_t most = fz__min(s->room - s->collected, FZ_BLOCK / s->width),
                    rows = gapless ? fz__min(n, most) : 1;
    fz__fetch(r, rows * s->width, at, s->step, s->collection + s->collected * s->width * r->element);
    s->collected += rows;
    if (s->collected == s->room) flush_collected(s);
    return rows;
}

static bool reads_in_place(const fz__reduction *r) {
    return r->in_place && r->run == 1 && r->kept.strides[FZ_NEST_X][r->kept.ndim - 1] == r->element;
}

static void add_rows(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    segment *s = context;
    const fz__reduction *r = s->reduction;
    const fz__step step = {strides[1], strides[0]};
    fz__elements at = {pointers[1], pointers[0]};
    const bool in_place = reads_in_place(r);
    const bool folds = in_place && s->fold > 1 && step.x == s->width * r->element;
    const ptrdiff_t fewest = r->partial == r->element ? 2 : FEWEST_FOLDED;
    for (ptrdiff_t rows; n; n -= rows, at = fz__advance(at, step, rows)) {
        if (folds && n >= fewest * s->fold) {
            const ptrdiff_t left = n / s->fold, taken = fz__ceil_div(left, fz__ceil_div(left, GROUP));
            add_folded(s, taken, at.x); /* groups are even, so that no last one is too small */
            rows = taken * s->fold;
        } else if (in_place) {
            rows = fz__min(GROUP, n);
            fz__reduce_stack(r, rows, s->width, at.x, step.x, next_group(s));
        } else {
            rows = collect_rows(s, n, at, step);
        }
    }
}

/* The pointers to out and x of strip `index`, counted along the innermost axis first; its width. */
static ptrdiff_t seek_strip(const job *j, ptrdiff_t index, char *pointers[]) {
    const fz__nest *kept = &j->reduction->kept;
    const ptrdiff_t columns = kept->shape[kept->ndim - 1], column = index % j->strips * j->strip;
    ptrdiff_t coordinates[FZ_MAX_NDIM];
    fz__nest_seek(kept, index / j->strips * columns + column, coordinates, pointers);
    return fz__min(j->strip, columns - column);
}

static void store_strip(const fz__reduction *r, ptrdiff_t width, char *values, char *out) {
    r->reducer->store(r, width, values, out, r->kept.strides[FZ_NEST_OUT][r->kept.ndim - 1]);
}

ptrdiff_t fz__fold_rows(ptrdiff_t width) {
    enum { NARROW = FZ_MOST_FOLDED / 16, LEAST = 256 };
    ptrdiff_t fold = 1;
    while (width < NARROW && (fold * width % 16 || fold * width < LEAST)) fold *= 2;
    return fold;
}

/* Items are segments, those of one strip side by side. */
static void reduce_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    const fz__reduction *r = j->reduction;
    fz__nest nest;
    segment s;
    fz__nest_copy(&nest, &r->reduced);
    s.reduction = r;
    s.step = (fz__step){r->kept.strides[FZ_NEST_X][r->kept.ndim - 1],
                        r->kept.strides[FZ_NEST_WHERE][r->kept.ndim - 1]};
    for (ptrdiff_t item = begin; item < end; item++) {
        char *pointers[FZ_MAX_OPERANDS];
        _Alignas(FZ_MAX_VECTOR_BYTES) char values[ROW_BYTES];
        const ptrdiff_t first = item % j->segments * j->segment_rows;
        s.width = seek_strip(j, item / j->segments, pointers);
        s.fold = fz__fold_rows(s.width);
        s.room = fz__min(GROUP, COLLECTED * COLLECTED_STRIP / s.width);
        s.collected = s.joined = 0;
        nest.data[0] = pointers[FZ_NEST_WHERE];
        nest.data[1] = pointers[FZ_NEST_X];
        fz__nest_walk(&nest, first, fz__min(first + j->segment_rows, nest.size), add_rows, &s);
        flush_collected(&s);
        join_stack(r, s.joined, s.width, s.groups,
                   j->partials ? j->partials + item * j->strip * r->partial : values);
        if (!j->partials) store_strip(r, s.width, values, pointers[FZ_NEST_OUT]);
    }
}

/* Rows of partial results are j->strip apart, but a last strip may be narrower: they are closed up. */
static void join_segments(const job *j, ptrdiff_t strips) {
    const fz__reduction *r = j->reduction;
    for (ptrdiff_t i = 0; i < strips; i++) {
        char *pointers[FZ_MAX_OPERANDS], *stack = j->partials + i * j->segments * j->strip * r->partial;
        _Alignas(FZ_MAX_VECTOR_BYTES) char values[ROW_BYTES];
        const ptrdiff_t width = seek_strip(j, i, pointers);
        for (ptrdiff_t row = 1; row < j->segments && width < j->strip; row++)
            memmove(stack + row * width * r->partial, stack + row * j->strip * r->partial,
                    (size_t)(width * r->partial));
        join_stack(r, j->segments, width, stack, values);
        store_strip(r, width, values, pointers[FZ_NEST_OUT]);
    }
}

/* Strips of equal width but for the last; a row is as many elements of x as it has results, times the run. */
static void plan_strips(job *j) {
    const fz__reduction *r = j->reduction;
    const fz__nest *kept = &r->kept;
    const ptrdiff_t columns = kept->shape[kept->ndim - 1];
    const ptrdiff_t widest =
        reads_in_place(r) ? fz__min(STRIP_BYTES / r->element, ROW_BYTES / r->partial) : COLLECTED_STRIP;
    j->strip = fz__ceil_div(columns, fz__ceil_div(columns, widest));
    j->strips = fz__ceil_div(columns, j->strip);
    const ptrdiff_t most = fz__max(1, PARTIALS_BYTES / (kept->size * r->partial));
    j->segment_rows =
        fz__max(fz__max(COLLECTED, SEGMENT / (j->strip * r->run)), fz__ceil_div(r->reduced.size, most));
    j->segments = fz__ceil_div(r->reduced.size, j->segment_rows);
}

fz_status fz__reduce_columns(const fz__reduction *r) {
    job j = {.reduction = r};
    plan_strips(&j);
    const ptrdiff_t columns = r->kept.shape[r->kept.ndim - 1];
    const ptrdiff_t strips = r->kept.size / columns * j.strips, items = strips * j.segments;
    if (j.segments > 1) {
        j.partials = fz__workspace_acquire(r->name, (size_t)(items * j.strip * r->partial));
        if (!j.partials) return FZ_ERROR_MEMORY;
    }
    const ptrdiff_t rows = fz__min(r->reduced.size, j.segment_rows);
    fz__reduce_items(items, fz__reduction_work(r, j.strip * r->run * rows), reduce_segments, &j);
    if (!j.partials) return FZ_OK;
    join_segments(&j, strips);
    fz__workspace_release(j.partials);
    return FZ_OK;
}
