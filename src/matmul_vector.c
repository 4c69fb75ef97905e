/* A vector, or a few rows, times a matrix: limited by the speed at which the matrix is read. Participants share its
   columns; how many a task takes at a time changes no element's order of summation. */
#include "matmul.h"

enum {
    MOST_ROWS = 8,
    ROWS_STRIP = 1024, /* sums of each of several rows, in L2: of shorter parts memory is read slower */
    APART = MOST_ROWS * (ROWS_STRIP * sizeof(double) + FZ_CACHE_LINE), /* bytes of them */
    MOST_STEPS = 4096,      /* of k at a time: that much of the vector stays in L2 */
    PARALLEL_FROM = 200000, /* elements of the matrix below which waking a thread does not pay */
    ITEM = 64,              /* columns: an item of the loop that is split */
    LINES = 8,              /* of a narrow matrix that are converted at a time, */
    CONVERTED = 1024,       /* and elements of each: L1 holds them */
};

static ptrdiff_t element_of(const fz__product *p) { return fz__element_size(p->compute); }

static ptrdiff_t element_of_b(const fz__product *p) { return fz__element_size(p->b.dtype); }

/* Columns of b without gaps first: of a single column rows are without gaps, too. */
static bool has_columns(const fz__product *p) { return p->b.row_stride == element_of_b(p); }

/* b is of float16 or bfloat16, and converted a few lines at a time. */
static bool is_narrow(const fz__product *p) { return p->b.dtype != p->compute; }

/* A few rows pay only while b comes from beyond L2, and is read row by row. Where it lies in L3, a panel of a reads it
   faster, unless it has too few sums to hide their latency. */
static bool pay_rows(const fz__product *p) {
    const ptrdiff_t bytes = p->a.columns * p->c.columns * element_of_b(p), rows = p->c.rows;
    if (is_narrow(p)) return p->matmul->group == 1;
    const bool is_near = bytes <= (ptrdiff_t)fz__cpu_caches()->l3 / 4 && !fz__rows_collide(p->b.row_stride);
    return bytes > (ptrdiff_t)fz__cpu_caches()->l2 && !(is_near && rows > 2 && rows <= p->matmul->mr);
}

bool fz__is_vector_product(const fz__product *p) {
    const bool has_rows = p->b.column_stride == element_of_b(p);
    if (p->packed || p->a.columns == 0 || !fz__is_full_float(p->compute) || !fz__is_float(p->a.dtype) ||
        !fz__is_float(p->b.dtype) || (p->compute == FZ_FLOAT64 && is_narrow(p)))
        return false;
    if (p->c.rows == 1) return has_columns(p) || has_rows;
    return p->c.rows <= MOST_ROWS && has_rows && pay_rows(p);
}

int fz__vector_participants(const fz__product *p) {
    const double elements = (double)p->a.columns * (double)p->c.columns;
    const int most = (int)fz__min(fz__ceil_div(p->c.columns, ITEM), FZ_MAX_THREADS);
    return elements < PARALLEL_FROM ? 1 : (int)fz__min(most, fz_get_num_threads());
}

/* Sums that stay close while rows of the matrix pass by; those of a single row take two thirds of L1. */
static ptrdiff_t strip_of(const fz__product *p) {
    if (p->c.rows > 1) return ROWS_STRIP;
    const ptrdiff_t bytes =
        fz__min((ptrdiff_t)fz__cpu_caches()->l1 / 3 * 2, (ptrdiff_t)APART - FZ_CACHE_LINE);
    return is_narrow(p) ? CONVERTED : bytes / element_of(p) / ITEM * ITEM;
}

/* From row to row of sums on the stack: rows that lay pages apart would meet in one set of L1. */
static ptrdiff_t row_bytes(const fz__product *p) { return strip_of(p) * element_of(p) + FZ_CACHE_LINE; }

void fz__vector_plan(fz__product *p) { p->shared = p->own = 0; }

/* x's rows from step `at` on, gathered where they have gaps or are of another dtype. */
static const char *gather(const fz__product *p, ptrdiff_t at, ptrdiff_t k, ptrdiff_t steps, char *gathered) {
    const ptrdiff_t element = element_of(p);
    const char *x = p->a.data + at * p->a.column_stride;
    if (p->a.dtype == p->compute && (p->a.column_stride == element || k == 1)) return x;
    for (ptrdiff_t i = 0; i < p->c.rows; i++)
        p->kernels->elementwise->cast_from[p->a.dtype]((size_t)k, x + i * p->a.row_stride, p->a.column_stride,
                                                       gathered + i * steps * element, element);
    return gathered;
}

/* Lines of b, rows or columns: where they lie, or converted. Their stride becomes that of the result. */
static const char *convert_lines(const fz__product *p, ptrdiff_t lines, ptrdiff_t length, const char *b,
                                 ptrdiff_t *stride, char *converted) {
    const ptrdiff_t element = element_of(p);
    if (!is_narrow(p)) return b;
    for (ptrdiff_t i = 0; i < lines; i++, b += *stride)
        p->kernels->elementwise->cast_from[p->b.dtype]((size_t)length, b, element_of_b(p),
                                                       converted + i * CONVERTED * element, element);
    *stride = CONVERTED * element;
    return converted;
}

/* The sums of n columns of b grow by k steps of x. */
static void add_steps(const fz__product *p, ptrdiff_t k, ptrdiff_t n, const char *x, ptrdiff_t x_stride,
                      const char *b, char *sums, ptrdiff_t row_stride, bool accumulate) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char converted[LINES * CONVERTED * sizeof(float)];
    const fz_matvec_kernels *kernels = p->kernels->matvec;
    const bool by_columns = p->c.rows == 1 && has_columns(p);
    const ptrdiff_t most = is_narrow(p) ? LINES : PTRDIFF_MAX, lines = by_columns ? n : k;
    for (ptrdiff_t i = 0, count; i < lines; i += count) {
        ptrdiff_t stride = by_columns ? p->b.column_stride : p->b.row_stride;
        count = fz__min(most, lines - i);
        const char *block = convert_lines(p, count, by_columns ? k : n, b + i * stride, &stride, converted);
        if (by_columns)
            kernels->columns((size_t)k, (size_t)count, x, block, stride, sums + i * element_of(p),
                             accumulate);
        else
            kernels->rows((size_t)p->c.rows, (size_t)count, (size_t)n, x + i * element_of(p), x_stride, block,
                          stride, sums, row_stride, accumulate || i > 0);
    }
}

/* Columns [j, j + n), for all of k, a part of it at a time. */
static void multiply_strip(const fz__product *p, ptrdiff_t j, ptrdiff_t n) {
    const ptrdiff_t element = element_of(p),
                    steps = is_narrow(p) ? CONVERTED / p->c.rows : MOST_STEPS / p->c.rows;
    _Alignas(FZ_MAX_VECTOR_BYTES) char gathered[MOST_STEPS * sizeof(double)];
    _Alignas(FZ_MAX_VECTOR_BYTES) char apart[APART];
    char *sums = p->through_scratch ? apart : p->c.data + j * element;
    const ptrdiff_t row_stride = p->through_scratch ? row_bytes(p) : p->c.row_stride;
    for (ptrdiff_t at = 0; at < p->a.columns; at += steps) {
        const ptrdiff_t k = fz__min(steps, p->a.columns - at);
        const char *x = gather(p, at, k, steps, gathered);
        const ptrdiff_t x_stride = x == gathered ? steps * element : p->a.row_stride;
        add_steps(p, k, n, x, x_stride, p->b.data + at * p->b.row_stride + j * p->b.column_stride, sums,
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
