/* argmin and argmax: where extremes stand first.

   The elements of a result have numbers, those of the axis or those of C order, and the first of several equal ones
   counts. So segments may be looked through in any order as long as their finds join in that of their numbers. */
#include <string.h>

#include "internal.h"

enum {
    SEGMENT = 65536,   /* elements of a result */
    BLOCK = 131072,    /* elements of rows side by side, at least, where threads share them */
    STRIP = 1024,      /* results side by side, at most */
    LEAST_STRIP = 128, /* of what threads share: shorter parts of rows are read slower */
    AT_ONCE = 64,      /* results by themselves */
};

typedef struct find {
    _Alignas(8) char best[8]; /* the element, of the dtype compared in */
    int64_t index;            /* below 0: none yet */
} find;

typedef struct job {
    const char *name;
    const fz_kernels *kernels;
    fz_dtype dtype; /* compared in */
    fz_join join;
    fz_cast *copy;               /* to the dtype compared in */
    bool in_place;               /* it is x's */
    ptrdiff_t element, count;    /* bytes; elements of a result */
    ptrdiff_t segments, segment; /* of a result; elements of each */
    ptrdiff_t strip;             /* results of an item */
    int ndim;                    /* the axes that go, outermost first */
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM];
    fz__nest kept; /* out and x */
    find *finds;   /* [result][segment] */
} job;

/* ---- results by themselves -------------------------------------------------------------------------------- */

/* n elements along the innermost axis, numbered from first. */
static void find_in_run(const job *j, ptrdiff_t n, const char *x, int64_t first, find *f) {
    const ptrdiff_t stride = j->ndim ? j->strides[j->ndim - 1] : j->element;
    if (j->in_place && (stride == j->element || n == 1)) {
        j->kernels->extreme->rows[j->join](1, (size_t)n, x, 0, first, f->best, &f->index);
        return;
    }
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_BLOCK * sizeof(double)];
    for (ptrdiff_t i = 0; i < n; i += FZ_BLOCK) {
        const ptrdiff_t length = fz__min(FZ_BLOCK, n - i);
        j->copy((size_t)length, x + i * stride, stride, block, j->element);
        j->kernels->extreme->rows[j->join](1, (size_t)length, block, 0, first + i, f->best, &f->index);
    }
}

static const char *seek(const job *j, const char *x, ptrdiff_t number) {
    for (int d = j->ndim - 1; d >= 0; number /= j->shape[d--]) x += number % j->shape[d] * j->strides[d];
    return x;
}

/* Elements [begin, end) of the result whose first element is at x. */
static void find_in_segment(const job *j, const char *x, ptrdiff_t begin, ptrdiff_t end, find *f) {
    const ptrdiff_t run = j->ndim ? j->shape[j->ndim - 1] : 1;
    f->index = -1;
    while (begin < end) {
        const ptrdiff_t n = fz__min(run - begin % run, end - begin);
        find_in_run(j, n, seek(j, x, begin), begin, f);
        begin += n;
    }
}

/* At most AT_ONCE of them, of one run of n elements each, which lies in memory as the kernel reads it. */
static void find_in_place(const fz_kernels *kernels, fz_join join, ptrdiff_t count, ptrdiff_t n,
                          const char *x, ptrdiff_t row_stride, int64_t index[]) {
    _Alignas(8) char best[AT_ONCE * sizeof(double)];
    for (ptrdiff_t i = 0; i < count; i++) index[i] = -1;
    kernels->extreme->rows[join]((size_t)count, (size_t)n, x, row_stride, 0, best, index);
}

static void find_results(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const job *j = context;
    const bool in_place = j->in_place && j->ndim == 1 && j->strides[0] == j->element;
    fz_cast *store = fz__kernels(FZ_INT64)->elementwise->cast_from[FZ_INT64];
    for (ptrdiff_t i = 0; i < n; i += AT_ONCE) {
        int64_t index[AT_ONCE];
        const ptrdiff_t count = fz__min(AT_ONCE, n - i);
        const char *x = pointers[1] + i * strides[1];
        if (in_place) find_in_place(j->kernels, j->join, count, j->count, x, strides[1], index);
        for (ptrdiff_t k = 0; k < count && !in_place; k++) {
            find f;
            find_in_segment(j, x + k * strides[1], 0, j->count, &f);
            index[k] = f.index;
        }
        store((size_t)count, index, sizeof *index, pointers[0] + i * strides[0], strides[0]);
    }
}

static void find_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    job *j = context;
    fz__nest_walk(&j->kept, begin, end, find_results, j);
}

/* ---- results in segments ---------------------------------------------------------------------------------- */

static void find_segments(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    for (ptrdiff_t item = begin; item < end; item++) {
        char *pointers[FZ_MAX_OPERANDS];
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        const ptrdiff_t first = item % j->segments * j->segment;
        fz__nest_seek(&j->kept, item / j->segments, coordinates, pointers);
        find_in_segment(j, pointers[1], first, fz__min(first + j->segment, j->count), &j->finds[item]);
    }
}

static void join_finds(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    job *j = context;
    fz_cast *store = fz__kernels(FZ_INT64)->elementwise->cast_from[FZ_INT64];
    for (ptrdiff_t i = 0; i < n; i++, j->finds += j->segments) {
        find *f = j->finds;
        for (ptrdiff_t s = 1; s < j->segments; s++)
            j->kernels->extreme->rows[j->join](1, 1, f[s].best, 0, f[s].index, f->best, &f->index);
        store(1, &f->index, 0, pointers[0] + i * strides[0], 0);
    }
}

static fz_status find_in_segments(job *j, ptrdiff_t items, ptrdiff_t elements, fz__task *task) {
    find *const finds = fz__workspace_acquire(j->name, (size_t)(j->kept.size * j->segments) * sizeof *finds);
    if (!finds) return FZ_ERROR_MEMORY;
    j->finds = finds;
    fz__reduce_items(items, elements, task, j);
    fz__nest_walk(&j->kept, 0, j->kept.size, join_finds, j);
    fz__workspace_release(finds);
    return FZ_OK;
}

/* ---- results side by side --------------------------------------------------------------------------------- */

typedef struct strip {
    _Alignas(FZ_MAX_VECTOR_BYTES) char best[STRIP * sizeof(double)];
    int64_t index[STRIP]; /* of a row, that of the first to begin with */
} strip;

/* So many of the rows at x, the first of which has the number `first`. */
static void find_in_rows(const job *j, ptrdiff_t rows, ptrdiff_t n, const char *x, ptrdiff_t row_stride,
                         int64_t first, strip *s) {
    for (ptrdiff_t i = 0; i < rows; i += FZ_EXTREME_ROWS)
        j->kernels->extreme->columns[j->join]((size_t)fz__min(FZ_EXTREME_ROWS, rows - i), (size_t)n,
                                              x + i * row_stride, row_stride, first + i, s->best, s->index);
}

/* Integers in the order of n elements, the larger of which goes before the smaller: NaN before all others, zeros of either
   sign alike. */
static void find_keys(const job *j, ptrdiff_t n, const char *x, int64_t keys[]) {
    const bool is_float = fz__dtypes[j->dtype].kind == FZ__FLOATING;
    const int64_t flip = j->join == FZ_JOIN_minimum ? -1 : 0, first = j->dtype == FZ_UINT64 ? INT64_MIN : 0;
    fz__kernels(is_float ? FZ_FLOAT64 : FZ_INT64)
        ->elementwise->cast_from[j->dtype]((size_t)n, x, j->element, keys, sizeof *keys);
    for (ptrdiff_t i = 0; i < n; i++) {
        double number;
        memcpy(&number, &keys[i], sizeof number);
        if (is_float && number != number) {
            keys[i] = INT64_MAX;
            continue;
        }
        if (is_float) keys[i] = number == 0 ? 0 : keys[i] ^ (keys[i] < 0 ? INT64_MAX : 0);
        keys[i] ^= first ^ flip;
    }
}

/* The finds of rows of n, one after another, join in the first row: the first of several alike. */
static void join_parts(const job *j, ptrdiff_t rows, ptrdiff_t n, strip *s) {
    int64_t keys[STRIP];
    find_keys(j, rows * n, s->best, keys);
    for (ptrdiff_t part = n; part < rows * n; part += n) {
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t other = part + i;
            if (keys[other] < keys[i] || (keys[other] == keys[i] && s->index[other] > s->index[i])) continue;
            keys[i] = keys[other];
            s->index[i] = s->index[other];
            memcpy(s->best + i * j->element, s->best + other * j->element, (size_t)j->element);
        }
    }
}

/* Rows without gaps: `fold` of them are read as one, whose parts join. */
static void find_in_folded_rows(const job *j, ptrdiff_t rows, ptrdiff_t fold, ptrdiff_t n, const char *x,
                                int64_t first, strip *s) {
    const ptrdiff_t width = fold * n;
    int64_t *index = s->index;
    find_in_rows(j, rows, width, x, width * j->element, 0, s);
    for (ptrdiff_t part = 0; part < fold; part++) {
        for (ptrdiff_t i = 0; i < n; i++, index++) *index = first + *index * fold + part;
    }
    join_parts(j, fold, n, s);
}

/* How many rows are read as one: so many only that joining their parts, which takes as long as a few times n of them, is
   worth it. */
static ptrdiff_t choose_fold(const job *j, ptrdiff_t rows, ptrdiff_t n) {
    const ptrdiff_t fold = j->strides[0] == n * j->element ? fz__fold_rows(n) : 1;
    return rows / fold < n ? 1 : fold;
}

/* n results at x: rows [begin, end) of them. */
static void find_strip(const job *j, ptrdiff_t n, const char *x, ptrdiff_t begin, ptrdiff_t end, strip *s) {
    const ptrdiff_t stride = j->strides[0], fold = choose_fold(j, end - begin, n);
    for (ptrdiff_t i = 0; i < fold * n; i++) s->index[i] = -1;
    if (fold > 1) {
        const ptrdiff_t rows = (end - begin) / fold;
        find_in_folded_rows(j, rows, fold, n, x + begin * stride, begin, s);
        begin += rows * fold;
    }
    find_in_rows(j, end - begin, n, x + begin * stride, stride, begin, s);
}

/* Rows [begin, end) of some results; where these are not all, what is found goes to the finds of their segment. */
typedef struct span {
    const job *job;
    ptrdiff_t begin, end;
    find *finds; /* or NULL */
} span;

static void keep_strip(span *s, ptrdiff_t n, const strip *found) {
    const ptrdiff_t element = s->job->element;
    for (ptrdiff_t i = 0; i < n; i++, s->finds += s->job->segments) {
        memcpy(s->finds->best, found->best + i * element, (size_t)element);
        s->finds->index = found->index[i];
    }
}

static void find_strips(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    span *s = context;
    fz_cast *store = fz__kernels(FZ_INT64)->elementwise->cast_from[FZ_INT64];
    for (ptrdiff_t i = 0; i < n; i += STRIP) {
        strip found;
        const ptrdiff_t width = fz__min(STRIP, n - i);
        find_strip(s->job, width, pointers[1] + i * strides[1], s->begin, s->end, &found);
        if (s->finds)
            keep_strip(s, width, &found);
        else
            store((size_t)width, found.index, sizeof *found.index, pointers[0] + i * strides[0], strides[0]);
    }
}

/* Items are segments of strips of results. Whole strips are one after another, so that a task reads as much of each row
   as there is. */
static void find_strip_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    job *j = context;
    const ptrdiff_t size = j->kept.size;
    if (j->segments == 1) {
        span s = {j, 0, j->count, NULL};
        fz__nest_walk(&j->kept, fz__min(begin * j->strip, size), fz__min(end * j->strip, size), find_strips,
                      &s);
        return;
    }
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t first = item / j->segments * j->strip, part = item % j->segments;
        span s = {j, part * j->segment, fz__min((part + 1) * j->segment, j->count),
                  j->finds + first * j->segments + part};
        fz__nest_walk(&j->kept, first, fz__min(first + j->strip, size), find_strips, &s);
    }
}

/* Where there would be too few strips for all threads they are narrower, and their rows are cut. No strip ends within a
   row of results that it could hold: its parts would not be folded. */
static void cut_strips(job *j) {
    const ptrdiff_t size = j->kept.size, inner = j->kept.shape[j->kept.ndim - 1],
                    threads = fz_get_num_threads(), wanted = threads == 1 ? 1 : 4 * threads;
    j->strip = threads == 1 ? STRIP : fz__max(LEAST_STRIP, fz__min(STRIP, fz__ceil_div(size, wanted)));
    if (inner < j->strip) j->strip -= j->strip % inner;
    const ptrdiff_t strips = fz__ceil_div(size, j->strip), rows = BLOCK / fz__min(size, j->strip);
    const ptrdiff_t most = fz__max(1, fz__min(wanted / strips, j->count / rows));
    j->segment = fz__ceil_div(j->count, most);
    j->segments = fz__ceil_div(j->count, j->segment);
}

static fz_status find_side_by_side(job *j) {
    cut_strips(j);
    const ptrdiff_t items = fz__ceil_div(j->kept.size, j->strip) * j->segments,
                    elements = fz__min(j->kept.size, j->strip) * j->segment;
    if (j->segments > 1) return find_in_segments(j, items, elements, find_strip_items);
    fz__reduce_items(items, elements, find_strip_items, j);
    return FZ_OK;
}

/* ---- the plan --------------------------------------------------------------------------------------------- */

/* The axes that go, in C order; two that are one are one. */
static void plan_axes(job *j, const fz_array *x, int axis) {
    j->ndim = 0;
    j->count = 1;
    for (int d = 0; d < x->ndim; d++) {
        if ((axis >= 0 && d != axis) || x->shape[d] == 1) continue;
        const ptrdiff_t length = x->shape[d], stride = x->strides[d];
        const int last = j->ndim - 1;
        j->count *= length;
        if (last >= 0 && j->strides[last] == length * stride) {
            j->shape[last] *= length;
            j->strides[last] = stride;
        } else {
            j->shape[j->ndim] = length;
            j->strides[j->ndim++] = stride;
        }
    }
}

static fz_status plan_kept(job *j, const fz_array *x, int axis, const fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM], out_strides[FZ_MAX_NDIM];
    const bool keepdims = out->ndim == x->ndim;
    int ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (axis < 0 || d == axis) continue;
        shape[ndim] = x->shape[d];
        strides[ndim] = x->strides[d];
        out_strides[ndim] = out->strides[keepdims ? d : ndim];
        ndim++;
    }
    const fz_array kept = {x->data, x->dtype, ndim, shape, strides};
    const fz_array result = {out->data, out->dtype, ndim, shape, out_strides};
    return fz__nest_init(&j->kept, j->name, 2, (const fz_array *const[]){&result, &kept});
}

/* Neighbouring results lie without gaps in x, the elements of one further apart. */
static bool is_side_by_side(const job *j) {
    const int inner = j->kept.ndim - 1;
    return j->in_place && j->ndim == 1 && inner >= 0 && j->kept.strides[1][inner] == j->element &&
           j->strides[0] != j->element && j->kept.shape[inner] > 1;
}

/* Runs of n elements, one after another in x as their results are in out: a plan would cost more than the work. */
static void find_plain(fz_join join, const fz_array *x, ptrdiff_t n, const fz_array *out) {
    const ptrdiff_t row = n * fz__element_size(x->dtype), runs = fz__array_size(x) / n;
    for (ptrdiff_t i = 0; i < runs; i += AT_ONCE) {
        int64_t index[AT_ONCE];
        const ptrdiff_t count = fz__min(AT_ONCE, runs - i);
        find_in_place(fz__kernels(x->dtype), join, count, n, (char *)x->data + i * row, row, index);
        memcpy((char *)out->data + i * (ptrdiff_t)sizeof *index, index, (size_t)count * sizeof *index);
    }
}

fz_status fz__find_extremes(const char *name, fz_join join, const fz_array *x, int axis, ptrdiff_t run,
                            const fz_array *out) {
    const bool is_narrow = fz__is_narrow_float(x->dtype);
    if (!is_narrow && run && run <= SEGMENT) {
        find_plain(join, x, run, out);
        return FZ_OK;
    }
    const fz_dtype dtype = is_narrow ? FZ_FLOAT32 : x->dtype;
    job j;
    j.name = name;
    j.dtype = dtype;
    j.kernels = fz__kernels(dtype);
    j.join = join;
    j.copy = j.kernels->elementwise->cast_from[x->dtype];
    j.in_place = !is_narrow;
    j.element = fz__element_size(dtype);
    plan_axes(&j, x, axis);
    fz_status status = plan_kept(&j, x, axis, out);
    if (status) return status;
    if (j.count == 0)
        return fz__fail(FZ_ERROR_VALUE, "%s: x has no elements along the reduced axes; at least one would do",
                        name);
    if (j.kept.size == 0) return FZ_OK;
    if (is_side_by_side(&j)) return find_side_by_side(&j);
    j.segment = SEGMENT;
    j.segments = fz__ceil_div(j.count, SEGMENT);
    if (j.segments > 1) return find_in_segments(&j, j.kept.size * j.segments, SEGMENT, find_segments);
    fz__reduce_items(j.kept.size, j.count, find_range, &j);
    return FZ_OK;
}
