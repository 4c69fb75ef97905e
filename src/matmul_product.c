/* One product of two matrices, in blocks that fit the caches (Goto & van de Geijn, TOMS 2008).

   For each block: B is packed into panels by all participants, then tiles of C are computed by all, each packing its
   rows of A into memory of its own. What lies well in memory and is small is not packed but read in place. Every
   element of C sums its products in one order, whatever the tiles and threads. */
#include "matmul.h"

enum {
    PACKED_BYTES = 8 << 20,    /* most that the packed block of B may take */
    SUMS_BYTES = 4 << 20,      /* and a block of sums that do not go to C at once */
    LEAST_STEPS = 64,          /* of k in a block, whatever caches a virtual machine reports, */
    MOST_STEPS = 1024,         /* and at most */
    LEAST_PANELS = 4,          /* of A's in a tile, */
    WIDE_PANELS = 4,           /* and of B's that one participant takes at a time, */
    WIDE_BLOCKS = 4,           /* where there are so many times as many: enough to share out evenly */
    PACKED_FOR = 12,           /* panels of A that make up for packing B, if it could be read in place */
    PARALLEL_FROM = 400000,    /* multiply-adds below which waking a thread does not pay */
    TILE_FROM = 20000,         /* of a tile */
    TILES_PER_PARTICIPANT = 4, /* so that uneven threads still end together */
};

typedef struct job {
    const fz__product *product;
    char *packed_b, *sums, *own;
    ptrdiff_t tile_m, tile_n;   /* at most */
    ptrdiff_t i, j, p, m, n, k; /* the block at hand, */
    ptrdiff_t tile_rows;        /* and how many tiles lie one above the other in it */
    fz_ahead *ahead;            /* B's next block, or NULL */
} job;

static ptrdiff_t element_of(const fz__product *p) { return fz__element_size(p->compute); }

ptrdiff_t fz__count_steps(const fz_matmul_kernels *matmul, ptrdiff_t k) {
    return fz__ceil_div(k, matmul->group);
}

static ptrdiff_t steps_of(const fz__product *p) { return fz__count_steps(p->matmul, p->a.columns); }

/* Items are panels of B. */
static void pack_b(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *t = context;
    const ptrdiff_t nr = t->product->matmul->nr, column = begin * nr;
    fz__pack_b(t->product, t->j + column, fz__min(end * nr, t->n) - column, t->p, t->k,
               t->packed_b + column * t->k * element_of(t->product));
}

/* ---- tiles ------------------------------------------------------------------------------------------------- */

/* m rows of A from row i of the block on. */
static fz_panels panels_of_a(const job *t, ptrdiff_t i, ptrdiff_t m, int participant) {
    const fz__product *product = t->product;
    const fz__matrix *a = &product->a;
    const ptrdiff_t mr = product->matmul->mr, element = element_of(product);
    const char *data = a->data + (t->i + i) * a->row_stride + t->p * a->column_stride;
    if (!product->pack_a) return (fz_panels){data, mr * a->row_stride, a->row_stride, a->column_stride};
    char *own = t->own + (size_t)participant * product->own;
    fz__pack_a(product, t->i + i, m, t->p, t->k, own);
    return (fz_panels){own, mr * t->k * element, element, mr * element};
}

/* B from column j of the block on, which begins a panel. */
static fz_panels panels_of_b(const job *t, ptrdiff_t j) {
    const fz__product *product = t->product;
    const fz__matrix *b = &product->b;
    const ptrdiff_t nr = product->matmul->nr, element = element_of(product);
    if (product->packed)
        return (fz_panels){product->packed->panels +
                               (t->p * fz__round_up(product->c.columns, nr) + (t->j + j) * t->k) * element,
                           nr * t->k * element, element, nr * element};
    if (product->pack_b)
        return (fz_panels){t->packed_b + j * t->k * element, nr * t->k * element, element, nr * element};
    return (fz_panels){b->data + t->p * b->row_stride + (t->j + j) * element, nr * element, element,
                       b->row_stride};
}

/* Where a row of tiles begins: all are equally high, to one panel. */
static ptrdiff_t first_row(const job *t, ptrdiff_t row) {
    const ptrdiff_t mr = t->product->matmul->mr, panels = fz__ceil_div(t->m, mr);
    return fz__min(row * panels / t->tile_rows * mr, t->m);
}

/* ---- what comes next ------------------------------------------------------------------------------------ */

/* Of the block's steps m rows of A from row i on. */
static fz_ahead ahead_of_a(const job *t, ptrdiff_t i, ptrdiff_t m) {
    const fz__matrix *a = &t->product->a;
    const ptrdiff_t element = element_of(t->product);
    const char *data = a->data + (t->i + i) * a->row_stride + t->p * a->column_stride;
    if (a->column_stride == element) return fz__ahead(data, m, t->k * element, a->row_stride);
    if (a->row_stride == element) return fz__ahead(data, t->k, m * element, a->column_stride);
    return (fz_ahead){0}; /* then C is not asked for, either */
}

/* B where it lies, from step p and column j on. */
static fz_ahead ahead_of_b(const job *t, ptrdiff_t p, ptrdiff_t k, ptrdiff_t j, ptrdiff_t n) {
    const fz__matrix *b = &t->product->b;
    const ptrdiff_t element = fz__element_size(b->dtype);
    const char *data = b->data + p * b->row_stride + j * b->column_stride;
    if (b->column_stride == element) return fz__ahead(data, k, n * element, b->row_stride);
    if (b->row_stride == element) return fz__ahead(data, n, k * element, b->column_stride);
    return (fz_ahead){0};
}

static fz_ahead ahead_of_c(const job *t, ptrdiff_t i, ptrdiff_t m) {
    const fz__matrix *c = &t->product->c;
    const ptrdiff_t element = element_of(t->product);
    if (t->product->through_scratch) return (fz_ahead){0};
    return fz__ahead(c->data + (t->i + i) * c->row_stride + t->j * element, m, t->n * element, c->row_stride);
}

/* What a tile asks for: the rows of the one below, or B's next block; or NULL. */
static fz_ahead *list_next(const job *t, ptrdiff_t row, fz_ahead list[3]) {
    if (!t->product->is_tall || t->tile_n < t->n || row + 1 == t->tile_rows) return t->ahead;
    const ptrdiff_t i = first_row(t, row + 1), m = first_row(t, row + 2) - i;
    list[0] = ahead_of_a(t, i, m);
    list[1] = ahead_of_c(t, i, m);
    list[2].columns = 0;
    return list;
}

static void multiply_tile(const job *t, ptrdiff_t row, ptrdiff_t column, int participant) {
    const fz__product *product = t->product;
    const ptrdiff_t i = first_row(t, row), j = column * t->tile_n, m = first_row(t, row + 1) - i,
                    n = fz__min(t->tile_n, t->n - j), element = element_of(product);
    const fz_panels a = panels_of_a(t, i, m, participant), b = panels_of_b(t, j);
    const fz__matrix *c = &product->c;
    const ptrdiff_t row_stride = product->through_scratch ? product->nc * element : c->row_stride;
    char *sums = product->through_scratch ? t->sums + i * row_stride + j * element
                                          : c->data + (t->i + i) * row_stride + (t->j + j) * element;
    fz_ahead list[3];
    product->matmul->multiply((size_t)m, (size_t)n, (size_t)t->k, &a, &b, sums, row_stride, t->p > 0,
                              list_next(t, row, list));
    if (t->p + t->k == steps_of(product))
        fz__finish_rows(product, t->i + i, t->j + j, m, n, sums, row_stride);
}

static void multiply(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *t = context;
    const ptrdiff_t columns = fz__ceil_div(t->n, t->tile_n);
    for (ptrdiff_t tile = begin; tile < end; tile++)
        multiply_tile(t, tile / columns, tile % columns, participant);
}

/* ---- blocks --------------------------------------------------------------------------------------------- */

/* Length of equal parts of n, none longer than `most`, in whole multiples. */
static ptrdiff_t even_part(ptrdiff_t n, ptrdiff_t most, ptrdiff_t multiple) {
    most = fz__max(multiple, most / multiple * multiple);
    return fz__round_up(fz__ceil_div(n, fz__ceil_div(n, most)), multiple);
}

/* Three quarters of L1 for a panel of A. (More than for a B panel beside it, but C is read and written less often.) */
static ptrdiff_t most_steps(fz_dtype compute) {
    const ptrdiff_t panel = fz__kernels(compute)->matmul->mr * fz__element_size(compute);
    return fz__max(LEAST_STEPS, fz__min((ptrdiff_t)fz__cpu_caches()->l1 * 3 / 4 / panel, MOST_STEPS));
}

/* Rows of A that a participant packs at a time: they take two fifths of L2. */
static ptrdiff_t most_rows(fz_dtype compute, ptrdiff_t steps) {
    const ptrdiff_t mr = fz__kernels(compute)->matmul->mr, l2 = (ptrdiff_t)fz__cpu_caches()->l2;
    return fz__max(LEAST_PANELS, l2 * 2 / 5 / (steps * fz__element_size(compute)) / mr) * mr;
}

static ptrdiff_t rows_of_tile(const fz__product *p) {
    const ptrdiff_t mr = p->matmul->mr, near = (ptrdiff_t)fz__cpu_caches()->l1 / 2;
    if (p->pack_a) return even_part(p->mc, most_rows(p->compute, p->kc), mr);
    return p->is_tall ? even_part(p->mc, fz__max(LEAST_PANELS * mr, near / (p->kc * element_of(p))), mr)
                      : p->mc;
}

void fz__product_block(fz_dtype compute, ptrdiff_t block[2]) {
    block[0] = most_steps(compute);
    block[1] = most_rows(compute, block[0]);
}

/* Halves tiles until every participant has a few, or they are too small to be worth it; rows first, so that
   rows of A are packed once. */
static void split_tiles(job *t, int participants) {
    const fz__product *p = t->product;
    const ptrdiff_t mr = p->matmul->mr, nr = p->matmul->nr;
    t->tile_m = rows_of_tile(p);
    t->tile_n = p->nc;
    if (participants == 1) return;
    while (fz__ceil_div(p->mc, t->tile_m) * fz__ceil_div(p->nc, t->tile_n) <
           (ptrdiff_t)participants * TILES_PER_PARTICIPANT) {
        if ((double)t->tile_m * (double)t->tile_n * (double)p->kc < TILE_FROM) return;
        if (t->tile_m >= 2 * mr && (t->tile_m >= 4 * mr || t->tile_n < 4 * nr))
            t->tile_m = fz__round_up(fz__ceil_div(t->tile_m, 2), mr);
        else if (t->tile_n >= 2 * nr)
            t->tile_n = fz__round_up(fz__ceil_div(t->tile_n, 2), nr);
        else
            return;
    }
}

static void run_block(job *t, int participants) {
    const fz__product *product = t->product;
    const ptrdiff_t panels = fz__ceil_div(t->n, product->matmul->nr);
    if (product->pack_b) fz__parallel_for(participants, panels, participants > 1 ? 4 : panels, pack_b, t);
    t->tile_rows = fz__ceil_div(t->m, t->tile_m);
    if (t->tile_rows > participants)
        t->tile_rows = fz__round_up(t->tile_rows, participants); /* all end together */
    const ptrdiff_t tiles = t->tile_rows * fz__ceil_div(t->n, t->tile_n);
    if (participants > 1)
        fz__parallel_for(participants, tiles, 1, multiply, t);
    else
        multiply(t, 0, tiles, 0);
}

static void run_block_asking(job *t) {
    const ptrdiff_t p = t->p + t->k, k = fz__min(t->product->kc, t->product->b.rows - p);
    fz_ahead list[2] = {0};
    if (k > 0) list[0] = ahead_of_b(t, p, k, t->j, t->n);
    t->ahead = list;
    run_block(t, 1);
    t->ahead = NULL;
}

/* All blocks of c's columns from j to `end`. */
static void run_columns(job *t, ptrdiff_t j, ptrdiff_t end, int participants) {
    const fz__product *product = t->product;
    const ptrdiff_t m = product->c.rows, k = steps_of(product);
    t->j = j;
    t->n = end - j;
    for (t->i = 0; t->i < m; t->i += product->mc) {
        t->m = fz__min(product->mc, m - t->i);
        t->p = 0;
        do { /* once where k is 0 */
            t->k = fz__min(product->kc, k - t->p);
            if (product->asks)
                run_block_asking(t);
            else
                run_block(t, participants);
        } while ((t->p += product->kc) < k);
    }
}

/* Items are blocks of columns: a participant packs B for itself, and finds it in its own cache, where it has asked for it
   while it multiplied the block before. */
static void run_apart(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    job t = *(const job *)context;
    const fz__product *product = t.product;
    t.packed_b = t.own + (size_t)participant * product->own;
    t.own = t.packed_b + product->packed_bytes;
    for (; begin < end; begin++) {
        const ptrdiff_t j = begin * product->nc - product->lead, next = j + product->nc;
        fz_ahead list[2] = {0};
        if (product->pack_b && begin + 1 < end)
            list[0] = ahead_of_b(&t, 0, fz__min(product->kc, product->b.rows), next,
                                 fz__min(product->nc, product->c.columns - next));
        t.ahead = list;
        run_columns(&t, fz__max(j, 0), fz__min(next, product->c.columns), 1);
    }
}

static void run_blocks(const fz__product *product, char *scratch, int participants) {
    const ptrdiff_t n = product->c.columns;
    job t = {.product = product, .packed_b = scratch};
    t.sums = scratch + (product->pack_b ? product->packed_bytes : 0);
    t.own = scratch + product->shared;
    split_tiles(&t, product->is_wide ? 1 : participants);
    const ptrdiff_t panels = fz__ceil_div(product->lead + n, product->nc);
    if (product->is_wide)
        fz__parallel_for(participants, panels, participants > 1 ? WIDE_PANELS : panels, run_apart, &t);
    else
        for (ptrdiff_t j = 0; j < n; j += product->nc)
            run_columns(&t, j, fz__min(j + product->nc, n), participants);
}

/* ---- planning ---------------------------------------------------------------------------------------------- */

/* Not inlined: small products, which call it for one block, need none of the divisions. */
__attribute__((noinline)) ptrdiff_t fz__product_steps(fz_dtype compute, ptrdiff_t steps) {
    if (steps <= LEAST_STEPS) return fz__max(steps, 1);
    return even_part(steps, most_steps(compute), 1);
}

static bool can_stay_in_place(const fz__product *p) {
    return fz__is_direct(p, &p->b) && p->b.column_stride == element_of(p) &&
           p->c.columns % p->matmul->unpacked_columns == 0;
}

static bool has_few_rows(const fz__product *p) {
    return !p->packed && !p->through_scratch && fz__is_direct(p, &p->a) &&
           p->c.rows <= most_rows(p->compute, p->kc) &&
           p->c.columns >= WIDE_BLOCKS * WIDE_PANELS * p->matmul->nr;
}

/* NumPy's large arrays begin 16 bytes behind a line of the cache. Where all rows of x, which is B or C, do, the first panel
   of a wide product lacks so many columns that no vector of the others straddles lines: those of AVX-512, which alone cuts
   B where it likes. */
static ptrdiff_t lead_for(const fz__product *p, const fz__matrix *x) {
    const ptrdiff_t past = (ptrdiff_t)((uintptr_t)x->data % FZ_CACHE_LINE);
    const bool may_be_cut = p->is_wide && p->matmul->unpacked_columns == 1 && can_stay_in_place(p);
    return may_be_cut && x->row_stride % FZ_CACHE_LINE == 0 && past % element_of(p) == 0
               ? past / element_of(p)
               : 0;
}

/* Do vectors of B in place straddle lines of the cache? */
static bool straddles(const fz__product *p) {
    return !p->lead && ((uintptr_t)p->b.data | (size_t)p->b.row_stride) % FZ_CACHE_LINE != 0;
}

/* Bytes of a cache that a panel of B in place takes. */
static ptrdiff_t panel_in_place(const fz__product *p) {
    return p->a.columns * (p->matmul->nr * element_of(p) + straddles(p) * FZ_CACHE_LINE);
}

/* Is a panel of B in place read once, or does it stay in L1? */
static bool has_close_panels(const fz__product *p) {
    return p->c.rows <= p->matmul->mr ||
           (panel_in_place(p) <= (ptrdiff_t)fz__cpu_caches()->l1 && !fz__rows_collide(p->b.row_stride));
}

/* Vectors that straddle lines are slow from beyond L1, of which A and C take a part. */
static bool has_slow_panels(const fz__product *p) {
    return straddles(p) && panel_in_place(p) > (ptrdiff_t)fz__cpu_caches()->l1 * 5 / 8 &&
           p->c.rows >= PACKED_FOR * p->matmul->mr;
}

/* B is read in place where its rows have no gaps and a block of it lies in L2, or little is made of panels that L1
   holds. */
static void plan_b(fz__product *p) {
    const ptrdiff_t element = element_of(p), l2 = (ptrdiff_t)fz__cpu_caches()->l2;
    const bool is_large = p->kc * p->c.columns * element > l2 / 2;
    p->is_wide = is_large && has_few_rows(p);
    p->lead = lead_for(p, &p->b);
    p->pack_b = !p->packed && (!can_stay_in_place(p) ||
                               (p->is_wide ? !has_close_panels(p) : is_large || has_slow_panels(p)));
    if (p->pack_b) p->lead = lead_for(p, &p->c);
    p->asks &= !p->packed && !p->pack_b && p->a.columns * p->c.columns * element > l2;
}

/* Where B stays in L2, A and C beyond it need pass by only once. */
static bool is_tall(const fz__product *p) {
    const ptrdiff_t element = element_of(p), l2 = (ptrdiff_t)fz__cpu_caches()->l2, k = p->a.columns,
                    n = p->c.columns;
    return !p->pack_a && !p->is_wide && k <= p->kc && k * n * element <= l2 / 2 &&
           p->c.rows * (k + n) * element > l2 / 2;
}

static bool must_pack_a(const fz__product *p) {
    const ptrdiff_t nr = p->matmul->nr;
    return !fz__is_direct(p, &p->a) || (!p->is_wide && p->c.columns > 16 * nr);
}

static void plan_blocks(fz__product *p) {
    const ptrdiff_t mr = p->matmul->mr, nr = p->matmul->nr, element = element_of(p);
    const ptrdiff_t m = p->c.rows, n = p->c.columns;
    p->kc = p->packed ? p->packed->kc : fz__product_steps(p->compute, steps_of(p));
    plan_b(p);
    p->pack_a = must_pack_a(p);
    p->is_tall = is_tall(p);
    p->is_in_place = !p->packed && !p->is_tall && !p->pack_a && !p->pack_b && !p->through_scratch &&
                     !p->lead && p->a.columns <= p->kc;
    p->nc = p->pack_b ? even_part(n, PACKED_BYTES / (p->kc * element), nr) : n;
    p->mc = fz__round_up(m, mr);
    if (p->is_wide) p->nc = nr;
    if (p->through_scratch) {
        p->nc = fz__min(p->nc, even_part(n, SUMS_BYTES / (64 * element), nr));
        p->mc = even_part(m, SUMS_BYTES / (p->nc * element), mr);
    }
    p->packed_bytes = p->pack_b ? (size_t)fz__round_up(p->nc * p->kc * element, FZ_MAX_VECTOR_BYTES) : 0;
    p->shared = p->packed_bytes;
    if (p->through_scratch) p->shared += (size_t)fz__round_up(p->mc * p->nc * element, FZ_MAX_VECTOR_BYTES);
    p->own = p->pack_a ? (size_t)fz__round_up(rows_of_tile(p) * p->kc * element, FZ_MAX_VECTOR_BYTES) : 0;
    if (p->is_wide) p->own += p->shared, p->shared = 0;
}

static void transpose_matrix(fz__matrix *x) {
    *x = (fz__matrix){x->data, x->dtype, x->columns, x->rows, x->column_stride, x->row_stride};
}

/* c^T = b^T a^T. */
static void transpose_product(fz__product *p) {
    const fz__matrix a = p->a;
    p->a = p->b;
    p->b = a;
    transpose_matrix(&p->a);
    transpose_matrix(&p->b);
    transpose_matrix(&p->c);
    transpose_matrix(&p->finish.bias);
    p->transposed = !p->transposed;
}

static bool has_contiguous_rows(const fz__product *p) {
    return fz__is_direct(p, &p->c) && (p->c.column_stride == element_of(p) || p->c.columns == 1);
}

static const fz_matmul_kernels *find_kernels(const fz__product *p) {
    if (p->packed) return p->packed->matmul;
    return p->a.dtype == p->b.dtype ? fz__matmul_kernels(p->a.dtype, p->a.columns) : p->kernels->matmul;
}

void fz__product_plan(fz__product *p) {
    p->ahead = NULL;
    p->is_in_place = false;
    p->kernels = fz__kernels(p->compute);
    p->matmul = find_kernels(p);
    if (!p->packed && (p->c.columns == 1 || (p->c.row_stride == element_of(p) && p->c.rows > 1 &&
                                             p->c.column_stride != element_of(p))))
        transpose_product(p);
    p->through_scratch = !has_contiguous_rows(p);
    p->is_vector = fz__is_vector_product(p);
    if (p->is_vector)
        fz__vector_plan(p);
    else
        plan_blocks(p);
}

/* ---- running ----------------------------------------------------------------------------------------------- */

size_t fz__product_scratch(const fz__product *product, int participants) {
    return product->shared + (size_t)participants * product->own;
}

int fz__product_participants(const fz__product *p) {
    if (p->is_vector) return fz__vector_participants(p);
    const double work = (double)p->c.rows * (double)p->c.columns * (double)p->a.columns;
    return work < PARALLEL_FROM ? 1 : fz_get_num_threads();
}

/* Small products: one call of the kernel. */
static void run_in_place(const fz__product *p) {
    const fz__matrix *a = &p->a, *b = &p->b;
    const ptrdiff_t mr = p->matmul->mr, element = element_of(p);
    const fz_panels pa = {a->data, mr * a->row_stride, a->row_stride, a->column_stride};
    const fz_panels pb = {b->data, p->matmul->nr * element, element, b->row_stride};
    p->matmul->multiply((size_t)p->c.rows, (size_t)p->c.columns, (size_t)a->columns, &pa, &pb, p->c.data,
                        p->c.row_stride, false, p->ahead);
    fz__finish_rows(p, 0, 0, p->c.rows, p->c.columns, p->c.data, p->c.row_stride);
}

void fz__product_run(const fz__product *product, char *scratch, int participants) {
    if (product->is_vector)
        fz__vector_run(product, participants);
    else if (participants == 1 && product->is_in_place)
        run_in_place(product);
    else
        run_blocks(product, scratch, participants);
}
