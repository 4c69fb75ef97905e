/* A vector times a matrix: limited by the speed at which the matrix is read. Participants share its columns; how many
   a task takes at a time changes no element's order of summation. */
#include "matmul.h"

enum {
    STRIP = 1024,           /* columns whose sums stay in L1 while rows of the matrix pass by */
    MOST_STEPS = 2048,      /* of k at a time: that much of the vector stays in L1 */
    PARALLEL_FROM = 200000, /* elements of the matrix below which waking a thread does not pay */
    ITEM = 64,              /* columns: an item of the loop that is split */
};

typedef struct job {
    const fz__product *product;
    char *sums; /* c's row, or scratch */
} job;

static ptrdiff_t element_of(const fz__product *p) { return (ptrdiff_t)fz_dtype_size(p->compute); }

bool fz__is_vector_product(const fz__product *p) {
    const ptrdiff_t element = element_of(p);
    return p->c.rows == 1 && p->a.columns > 0 && !p->packed && fz__is_full_float(p->compute) &&
           p->a.dtype == p->compute && p->b.dtype == p->compute &&
           (p->b.row_stride == element || p->b.column_stride == element);
}

void fz__vector_plan(fz__product *p) {
    p->shared = p->through_scratch ? (size_t)(p->c.columns * element_of(p)) : 0;
    p->own = 0;
}

int fz__vector_participants(const fz__product *p) {
    const double elements = (double)p->a.columns * (double)p->c.columns;
    const int most = (int)fz__min(fz__ceil_div(p->c.columns, ITEM), FZ_MAX_THREADS);
    return elements < PARALLEL_FROM ? 1 : (int)fz__min(most, fz_get_num_threads());
}

/* Columns [j, j + n), for all of k, a part of it at a time. */
static void multiply_strip(const job *t, ptrdiff_t j, ptrdiff_t n) {
    const fz__product *p = t->product;
    const ptrdiff_t element = element_of(p);
    const fz_matvec_kernels *kernels = p->kernels->matvec;
    _Alignas(FZ_MAX_VECTOR_BYTES) double gathered[MOST_STEPS];
    char *sums = t->sums + j * element;
    for (ptrdiff_t at = 0; at < p->a.columns; at += MOST_STEPS) {
        const ptrdiff_t k = fz__min(MOST_STEPS, p->a.columns - at);
        const char *b = p->b.data + at * p->b.row_stride + j * p->b.column_stride;
        const void *x = p->a.data + at * p->a.column_stride;
        if (p->a.column_stride != element && k > 1) {
            p->kernels->elementwise->cast_from[p->compute]((size_t)k, x, p->a.column_stride, gathered,
                                                           element);
            x = gathered;
        }
        if (p->b.column_stride == element)
            kernels->rows((size_t)k, (size_t)n, x, b, p->b.row_stride, sums, at > 0);
        else
            kernels->columns((size_t)k, (size_t)n, x, b, p->b.column_stride, sums, at > 0);
    }
    fz__finish_rows(p, 0, j, 1, n, sums, 0);
}

static void multiply(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *t = context;
    const ptrdiff_t last = fz__min(end * ITEM, t->product->c.columns);
    for (ptrdiff_t j = begin * ITEM; j < last; j += STRIP) multiply_strip(t, j, fz__min(STRIP, last - j));
}

void fz__vector_run(const fz__product *p, char *scratch, int participants) {
    job t = {.product = p, .sums = p->through_scratch ? scratch : p->c.data};
    const ptrdiff_t items = fz__ceil_div(p->c.columns, ITEM);
    fz__parallel_for(participants, items, fz__ceil_div(items, 4 * participants), multiply, &t);
}
