/* A vector, or a few rows, times a matrix: limited by the speed at which the matrix is read. Participants share its
   columns; how many a task takes at a time changes no element's order of summation. */
#include "matmul.h"

enum {
    MOST_ROWS = 8,
    STRIP = 2048,           /* sums, which stay in L1 while rows of the matrix pass by; */
    ROWS_STRIP = 1024,      /* of several rows each, in L2: of shorter parts memory is read slower */
    MOST_STEPS = 4096,      /* of k at a time: that much of the vector stays in L1 */
    PARALLEL_FROM = 200000, /* elements of the matrix below which waking a thread does not pay */
    ITEM = 64,              /* columns: an item of the loop that is split */
    APART = 4096,           /* bytes between participants' sums: no prefetching goes beyond a page */
};

static ptrdiff_t element_of(const fz__product *p) { return (ptrdiff_t)fz_dtype_size(p->compute); }

/* Columns of b without gaps first: of a single column rows are without gaps, too. */
static bool has_columns(const fz__product *p) { return p->b.row_stride == element_of(p); }

/* A few rows pay only while b comes from beyond L2, and is read row by row. */
bool fz__is_vector_product(const fz__product *p) {
    const ptrdiff_t element = element_of(p), bytes = p->a.columns * p->c.columns * element;
    if (p->packed || p->a.columns == 0 || !fz__is_full_float(p->compute) || p->a.dtype != p->compute ||
        p->b.dtype != p->compute)
        return false;
    if (p->c.rows == 1) return has_columns(p) || p->b.column_stride == element;
    return p->c.rows <= MOST_ROWS && p->b.column_stride == element && bytes > (ptrdiff_t)fz__cpu_caches()->l2;
}

int fz__vector_participants(const fz__product *p) {
    const double elements = (double)p->a.columns * (double)p->c.columns;
    const int most = (int)fz__min(fz__ceil_div(p->c.columns, ITEM), FZ_MAX_THREADS);
    return elements < PARALLEL_FROM ? 1 : (int)fz__min(most, fz_get_num_threads());
}

static ptrdiff_t strip_of(const fz__product *p) { return p->c.rows == 1 ? STRIP : ROWS_STRIP; }

/* From row to row of sums in scratch: rows that lay pages apart would meet in one set of L1. */
static ptrdiff_t row_bytes(const fz__product *p) { return strip_of(p) * element_of(p) + FZ_CACHE_LINE; }

/* Each of several participants keeps its sums to itself until they are complete: what one writes again and again
   beside the other's, prefetching takes away from both. Several rows' are kept close to one another. */
void fz__vector_plan(fz__product *p) {
    const bool apart = p->through_scratch || p->c.rows > 1 || fz__vector_participants(p) > 1;
    p->shared = 0;
    p->own = apart ? (size_t)(p->c.rows * row_bytes(p) + APART) : 0;
}

/* x's rows from step `at` on, gathered where they have gaps. */
static const char *gather(const fz__product *p, ptrdiff_t at, ptrdiff_t k, ptrdiff_t steps, char *gathered) {
    const ptrdiff_t element = element_of(p);
    const char *x = p->a.data + at * p->a.column_stride;
    if (p->a.column_stride == element || k == 1) return x;
    for (ptrdiff_t i = 0; i < p->c.rows; i++)
        p->kernels->elementwise->cast_from[p->compute]((size_t)k, x + i * p->a.row_stride, p->a.column_stride,
                                                       gathered + i * steps * element, element);
    return gathered;
}

/* Columns [j, j + n), for all of k, a part of it at a time. */
static void multiply_strip(const fz__product *p, ptrdiff_t j, ptrdiff_t n, char *scratch) {
    const ptrdiff_t element = element_of(p), steps = MOST_STEPS / p->c.rows;
    const fz_matvec_kernels *kernels = p->kernels->matvec;
    _Alignas(FZ_MAX_VECTOR_BYTES) char gathered[MOST_STEPS * sizeof(double)];
    char *sums = scratch ? scratch : p->c.data + j * element;
    const ptrdiff_t row_stride = scratch ? row_bytes(p) : p->c.row_stride;
    for (ptrdiff_t at = 0; at < p->a.columns; at += steps) {
        const ptrdiff_t k = fz__min(steps, p->a.columns - at);
        const char *b = p->b.data + at * p->b.row_stride + j * p->b.column_stride;
        const char *x = gather(p, at, k, steps, gathered);
        const ptrdiff_t x_stride = x == gathered ? steps * element : p->a.row_stride;
        if (p->c.rows == 1 && has_columns(p))
            kernels->columns((size_t)k, (size_t)n, x, b, p->b.column_stride, sums, at > 0);
        else
            kernels->rows((size_t)p->c.rows, (size_t)k, (size_t)n, x, x_stride, b, p->b.row_stride, sums,
                          row_stride, at > 0);
    }
    fz__finish_rows(p, 0, j, p->c.rows, n, sums, row_stride);
}

typedef struct job {
    const fz__product *product;
    char *scratch; /* per participant, or NULL: sums are in C from the start */
} job;

static void multiply(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *t = context;
    const fz__product *p = t->product;
    char *own = t->scratch ? t->scratch + (size_t)participant * p->own : NULL;
    const ptrdiff_t strip = strip_of(p), last = fz__min(end * ITEM, p->c.columns);
    for (ptrdiff_t j = begin * ITEM; j < last; j += strip)
        multiply_strip(p, j, fz__min(strip, last - j), own);
}

void fz__vector_run(const fz__product *product, char *scratch, int participants) {
    fz__product p = *product;
    job t = {&p, p.own ? scratch : NULL};
    const ptrdiff_t items = fz__ceil_div(p.c.columns, ITEM);
    p.through_scratch = p.own != 0;
    if (participants > 1)
        fz__parallel_for(participants, items, fz__max(8, fz__ceil_div(items, 2 * participants)), multiply,
                         &t);
    else
        multiply(&t, 0, items, 0);
}
