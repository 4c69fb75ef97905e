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
};

static ptrdiff_t element_of(const fz__product *p) { return (ptrdiff_t)fz_dtype_size(p->compute); }

/* Columns of b without gaps first: of a single column rows are without gaps, too. */
static bool has_columns(const fz__product *p) { return p->b.row_stride == element_of(p); }

/* A few rows pay only while b comes from beyond L2, and is read row by row. Where it lies in L3, a panel of a reads it
   faster, unless it has too few sums to hide their latency. */
static bool pay_rows(const fz__product *p) {
    const ptrdiff_t bytes = p->a.columns * p->c.columns * element_of(p), rows = p->c.rows;
    const bool is_near = bytes <= (ptrdiff_t)fz__cpu_caches()->l3 / 4 && !fz__rows_collide(&p->b);
    return bytes > (ptrdiff_t)fz__cpu_caches()->l2 && !(is_near && rows > 2 && rows <= p->matmul->mr);
}

bool fz__is_vector_product(const fz__product *p) {
    const ptrdiff_t element = element_of(p);
    if (p->packed || p->a.columns == 0 || !fz__is_full_float(p->compute) || p->a.dtype != p->compute ||
        p->b.dtype != p->compute)
        return false;
    if (p->c.rows == 1) return has_columns(p) || p->b.column_stride == element;
    return p->c.rows <= MOST_ROWS && p->b.column_stride == element && pay_rows(p);
}

int fz__vector_participants(const fz__product *p) {
    const double elements = (double)p->a.columns * (double)p->c.columns;
    const int most = (int)fz__min(fz__ceil_div(p->c.columns, ITEM), FZ_MAX_THREADS);
    return elements < PARALLEL_FROM ? 1 : (int)fz__min(most, fz_get_num_threads());
}

static ptrdiff_t strip_of(const fz__product *p) { return p->c.rows == 1 ? STRIP : ROWS_STRIP; }

/* From row to row of sums on the stack: rows that lay pages apart would meet in one set of L1. */
static ptrdiff_t row_bytes(const fz__product *p) { return strip_of(p) * element_of(p) + FZ_CACHE_LINE; }

void fz__vector_plan(fz__product *p) { p->shared = p->own = 0; }

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
static void multiply_strip(const fz__product *p, ptrdiff_t j, ptrdiff_t n) {
    const ptrdiff_t element = element_of(p), steps = MOST_STEPS / p->c.rows;
    const fz_matvec_kernels *kernels = p->kernels->matvec;
    _Alignas(FZ_MAX_VECTOR_BYTES) char gathered[MOST_STEPS * sizeof(double)];
    _Alignas(FZ_MAX_VECTOR_BYTES) char apart[MOST_ROWS * (ROWS_STRIP * sizeof(double) + FZ_CACHE_LINE)];
    char *sums = p->through_scratch ? apart : p->c.data + j * element;
    const ptrdiff_t row_stride = p->through_scratch ? row_bytes(p) : p->c.row_stride;
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

static void multiply(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const fz__product *p = context;
    const ptrdiff_t strip = strip_of(p), last = fz__min(end * ITEM, p->c.columns);
    for (ptrdiff_t j = begin * ITEM; j < last; j += strip) multiply_strip(p, j, fz__min(strip, last - j));
}

/* Each of several participants keeps its sums to itself until they are complete: what one writes again and again
   beside the other's, prefetching takes away from both. Several rows' are kept close to one another. */
void fz__vector_run(const fz__product *product, int participants) {
    fz__product p = *product;
    const ptrdiff_t items = fz__ceil_div(p.c.columns, ITEM);
    p.through_scratch |= participants > 1 || p.c.rows > 1;
    if (participants > 1)
        fz__parallel_for(participants, items, fz__max(8, fz__ceil_div(items, 2 * participants)), multiply,
                         &p);
    else
        multiply(&p, 0, items, 0);
}
