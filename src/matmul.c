/* Matrix multiplication: c = a b in blocks that fit the caches (Goto & van de Geijn, TOMS 2008).

   For each block of k: A and B are packed into panels by all participants, then tiles of C are computed by
   all participants. Every element of C sums its products in one order, whatever the tiles and threads. */
#include "internal.h"

enum {
    PACKED_BYTES = 8 << 20,    /* most that the packed block of A, and that of B, may take */
    PARALLEL_FROM = 1000000,   /* multiply-adds below which waking a thread does not pay */
    TILES_PER_PARTICIPANT = 4, /* so that uneven threads still end together */
};

/* One operand as the packing sees it: byte strides along m or n, and along k. */
typedef struct matrix {
    const char *data;
    ptrdiff_t rows, columns, row_stride, column_stride;
} matrix;

typedef struct job {
    const fz_matmul_kernels *kernels;
    ptrdiff_t element;        /* bytes */
    matrix a, b, c;           /* c's columns are contiguous */
    ptrdiff_t mc, nc, kc;     /* sizes of a block */
    ptrdiff_t tile_m, tile_n; /* a task's part of a block of C */
    char *packed_a, *packed_b;
    /* the block at hand */
    ptrdiff_t i, j, p, m, n, k;
} job;

/* ---- tasks ---------------------------------------------------------------------------------------------- */

static ptrdiff_t round_up(ptrdiff_t n, ptrdiff_t multiple) { return fz__ceil_div(n, multiple) * multiple; }

/* Items are panels: those of A first, then those of B. */
static void pack(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *t = context;
    const ptrdiff_t mr = t->kernels->mr, nr = t->kernels->nr, a_panels = fz__ceil_div(t->m, mr);
    const ptrdiff_t a_end = fz__min(end, a_panels);
    if (begin < a_end) {
        const ptrdiff_t row = begin * mr;
        t->kernels->pack_a((size_t)(fz__min(a_end * mr, t->m) - row), (size_t)t->k,
                           t->a.data + (t->i + row) * t->a.row_stride + t->p * t->a.column_stride,
                           t->a.row_stride, t->a.column_stride, t->packed_a + row * t->k * t->element);
        begin = a_end;
    }
    if (begin < end) {
        const ptrdiff_t column = (begin - a_panels) * nr;
        t->kernels->pack_b((size_t)t->k, (size_t)(fz__min((end - a_panels) * nr, t->n) - column),
                           t->b.data + t->p * t->b.row_stride + (t->j + column) * t->b.column_stride,
                           t->b.row_stride, t->b.column_stride, t->packed_b + column * t->k * t->element);
    }
}

/* One tile of C: the B panel stays in L1 or close to it while the panels of A, which fit in L2, pass by. */
static void multiply_tile(const job *t, ptrdiff_t row, ptrdiff_t column) {
    const ptrdiff_t mr = t->kernels->mr, nr = t->kernels->nr, c_stride = t->c.row_stride;
    const ptrdiff_t row_end = fz__min(row + t->tile_m, t->m), column_end = fz__min(column + t->tile_n, t->n);
    char *c = (char *)t->c.data + t->i * c_stride + t->j * t->element;
    for (ptrdiff_t j = column; j < column_end; j += nr) {
        for (ptrdiff_t i = row; i < row_end; i += mr) {
            t->kernels->tile((size_t)fz__min(mr, row_end - i), (size_t)fz__min(nr, column_end - j),
                             (size_t)t->k, t->packed_a + i * t->k * t->element,
                             t->packed_b + j * t->k * t->element, c + i * c_stride + j * t->element, c_stride,
                             t->p > 0);
        }
    }
}

static void multiply(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *t = context;
    const ptrdiff_t columns = fz__ceil_div(t->n, t->tile_n);
    for (ptrdiff_t tile = begin; tile < end; tile++)
        multiply_tile(t, tile / columns * t->tile_m, tile % columns * t->tile_n);
}

/* ---- blocks --------------------------------------------------------------------------------------------- */

/* Length of equal parts of n, none longer than `most`, in whole multiples. */
static ptrdiff_t even_part(ptrdiff_t n, ptrdiff_t most, ptrdiff_t multiple) {
    most = fz__max(multiple, most / multiple * multiple);
    return round_up(fz__ceil_div(n, fz__ceil_div(n, most)), multiple);
}

/* kc: a panel of A takes three quarters of L1 while B streams by. A tile of C needs tile_m rows of A in a
   third of L2. */
static void choose_blocks(job *t) {
    const fz__caches *caches = fz__cpu_caches();
    const ptrdiff_t mr = t->kernels->mr, nr = t->kernels->nr;
    const ptrdiff_t l1 = (ptrdiff_t)caches->l1, l2 = (ptrdiff_t)caches->l2;
    t->kc = even_part(t->a.columns, fz__min(l1 * 3 / 4 / (mr * t->element), 512), 1);
    t->mc = fz__min(round_up(t->a.rows, mr), PACKED_BYTES / (t->kc * t->element) / mr * mr);
    t->nc = fz__min(round_up(t->b.columns, nr), PACKED_BYTES / (t->kc * t->element) / nr * nr);
    t->tile_m = even_part(fz__min(t->mc, t->a.rows), l2 / 3 / (t->kc * t->element), mr);
    t->tile_n = t->nc;
}

/* Halves tiles until every participant has a few, or they are too small to be worth it. */
static void split_tiles(job *t, int participants) {
    const ptrdiff_t mr = t->kernels->mr, nr = t->kernels->nr;
    const ptrdiff_t m = fz__min(t->mc, t->a.rows), n = fz__min(t->nc, t->b.columns);
    while (fz__ceil_div(m, t->tile_m) * fz__ceil_div(n, t->tile_n) <
           (ptrdiff_t)participants * TILES_PER_PARTICIPANT) {
        if (t->tile_n >= 4 * nr && t->tile_n >= t->tile_m)
            t->tile_n = round_up(fz__ceil_div(t->tile_n, 2), nr);
        else if (t->tile_m >= 4 * mr)
            t->tile_m = round_up(fz__ceil_div(t->tile_m, 2), mr);
        else
            return;
    }
}

static void run_blocks(job *t, int participants) {
    const ptrdiff_t mr = t->kernels->mr, nr = t->kernels->nr, m = t->a.rows, n = t->b.columns,
                    k = t->a.columns;
    for (t->j = 0; t->j < n; t->j += t->nc) {
        for (t->i = 0; t->i < m; t->i += t->mc) {
            for (t->p = 0; t->p < k; t->p += t->kc) {
                t->m = fz__min(t->mc, m - t->i);
                t->n = fz__min(t->nc, n - t->j);
                t->k = fz__min(t->kc, k - t->p);
                const ptrdiff_t panels = fz__ceil_div(t->m, mr) + fz__ceil_div(t->n, nr);
                fz__parallel_for(participants, panels, participants > 1 ? 4 : panels, pack, t);
                const ptrdiff_t tiles = fz__ceil_div(t->m, t->tile_m) * fz__ceil_div(t->n, t->tile_n);
                fz__parallel_for(participants, tiles, participants > 1 ? 1 : tiles, multiply, t);
            }
        }
    }
}

/* The participants, 1 where the work is too little to share. */
static int choose_participants(const job *t) {
    const double work = (double)t->a.rows * (double)t->b.columns * (double)t->a.columns;
    return work < PARALLEL_FROM ? 1 : fz_get_num_threads();
}

static fz_status multiply_matrices(fz_dtype dtype, matrix a, matrix b, matrix c) {
    job t = {.kernels = fz__kernels(dtype)->matmul,
             .element = (ptrdiff_t)fz_dtype_size(dtype),
             .a = a,
             .b = b,
             .c = c};
    const int participants = choose_participants(&t);
    choose_blocks(&t);
    if (participants > 1) split_tiles(&t, participants);
    const size_t a_bytes = (size_t)round_up(t.mc * t.kc * t.element, FZ_MAX_VECTOR_BYTES);
    t.packed_a = fz__workspace_acquire("matmul", a_bytes + (size_t)(t.nc * t.kc * t.element));
    if (!t.packed_a) return FZ_ERROR_MEMORY;
    t.packed_b = t.packed_a + a_bytes;
    run_blocks(&t, participants);
    fz__workspace_release(t.packed_a);
    return FZ_OK;
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

fz_status fz_matmul_shape(const fz_array *a, const fz_array *b, ptrdiff_t shape[2]) {
    fz_status status = fz__check_array("matmul", "a", a);
    if (!status) status = fz__check_array("matmul", "b", b);
    if (!status) status = fz__check_full_float("matmul", "a", a);
    if (status) return status;
    fz__shape_text ta, tb;
    fz__format_shape(&ta, a->ndim, a->shape);
    fz__format_shape(&tb, b->ndim, b->shape);
    if (a->ndim != 2 || b->ndim != 2)
        return fz__fail(FZ_ERROR_SHAPE, "matmul: a is %s and b is %s; each must have 2 axes", ta.text,
                        tb.text);
    if (a->shape[1] != b->shape[0])
        return fz__fail(FZ_ERROR_SHAPE,
                        "matmul: a is %s and b is %s; a's last axis (%td) must equal b's first (%td)",
                        ta.text, tb.text, a->shape[1], b->shape[0]);
    shape[0] = a->shape[0];
    shape[1] = b->shape[1];
    return FZ_OK;
}

static matrix as_matrix(const fz_array *x) {
    return (matrix){x->data, x->shape[0], x->shape[1], x->strides[0], x->strides[1]};
}

static matrix transposed(matrix x) {
    return (matrix){x.data, x.columns, x.rows, x.column_stride, x.row_stride};
}

/* c with gaps in both directions is computed next door. */
static fz_status multiply_into_copy(matrix a, matrix b, const fz_array *c) {
    ptrdiff_t strides[2];
    void *memory = fz__workspace_acquire("matmul", (size_t)fz__array_size(c) * fz_dtype_size(c->dtype));
    if (!memory) return FZ_ERROR_MEMORY;
    fz_contiguous_strides(c->dtype, 2, c->shape, strides);
    const fz_array copy = {memory, c->dtype, 2, c->shape, strides};
    const fz_status status = multiply_matrices(c->dtype, a, b, as_matrix(&copy));
    if (!status) fz__copy(&copy, c);
    fz__workspace_release(memory);
    return status;
}

static void fill_zeros(const fz_array *c) {
    static const double zero = 0; /* all bits 0 in every dtype */
    const ptrdiff_t strides[2] = {0, 0};
    fz__copy(&(fz_array){(void *)&zero, c->dtype, 2, c->shape, strides}, c);
}

fz_status fz_matmul(const fz_array *a, const fz_array *b, fz_array *c) {
    ptrdiff_t shape[2];
    fz_status status = fz_init();
    if (!status) status = fz_matmul_shape(a, b, shape);
    if (!status) status = fz__check_output("matmul", c, 2, shape, 2, (const fz_array *const[]){a, b});
    if (status || fz__array_size(c) == 0) return status;
    const ptrdiff_t element = (ptrdiff_t)fz_dtype_size(c->dtype);
    const matrix ma = as_matrix(a), mb = as_matrix(b), mc = as_matrix(c);
    if (a->shape[1] == 0)
        fill_zeros(c);
    else if (mc.column_stride == element || mc.columns == 1)
        status = multiply_matrices(c->dtype, ma, mb, mc);
    else if (mc.row_stride == element || mc.rows == 1) /* c^T = b^T a^T */
        status = multiply_matrices(c->dtype, transposed(mb), transposed(ma), transposed(mc));
    else
        status = multiply_into_copy(ma, mb, c);
    return status;
}
