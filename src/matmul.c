/* matmul and linear: their arguments, and how products are dealt out to threads: one at a time, many small ones at
   once, or the parts of one whose inner axis is long. */
#include "float_environment.h"
#include "matmul.h"

enum {
    ASKED_BYTES = 64 << 10, /* of the next small matrix: a part of L2 */
    FOLLOWED = 2048,        /* bytes from one matrix to the next that hardware follows by itself */
    ITEM_WORK = 50000,      /* multiply-adds that a task of a batch has at least */
    SPLIT_RESULTS = 16384,  /* a result of at most so many elements is made of parts of the inner axis, */
    SPLIT_FROM = 8192,      /* where that has so many steps, */
    SPLIT_STEPS = 2048,     /* and a part so many at least: */
    SPLIT_PARTS = 16,       /* the shape alone decides into how many, an even number */
};

static double work_of(const fz__product *p) {
    return (double)p->c.rows * (double)p->c.columns * (double)p->a.columns;
}

static fz_status run_product(const char *operation, const fz__product *p) {
    const int participants = fz__product_participants(p);
    const size_t bytes = fz__product_scratch(p, participants);
    char *scratch = bytes ? fz__workspace_acquire(operation, bytes) : NULL;
    if (bytes && !scratch) return FZ_ERROR_MEMORY;
    fz__product_run(p, scratch, participants);
    fz__workspace_release(scratch);
    return FZ_OK;
}

/* ---- a long inner axis ------------------------------------------------------------------------------------ */

typedef struct split {
    const fz__product *whole, *part;
    ptrdiff_t parts, steps;
    char *sums, *scratch; /* of each part; of each participant */
    ptrdiff_t sums_bytes;
} split;

static void run_parts(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const split *t = context;
    for (ptrdiff_t index = begin; index < end; index++) {
        fz__product part = *t->part;
        const ptrdiff_t at = index * t->steps;
        part.a.data += at * part.a.column_stride;
        part.b.data += at * part.b.row_stride;
        part.c.data = t->sums + index * t->sums_bytes;
        part.a.columns = part.b.rows = fz__min(t->steps, t->whole->a.columns - at);
        fz__product_run(&part, t->scratch + (size_t)participant * fz__product_scratch(&part, 1), 1);
    }
}

static void add_parts(const split *t) {
    const fz__product *whole = t->whole;
    const ptrdiff_t row_stride = t->part->c.row_stride;
    fz_loop *add = whole->kernels->elementwise->loops[FZ_OP_add];
    for (ptrdiff_t index = 1; index < t->parts; index++)
        add(&(fz_plane){.n = (size_t)(whole->c.rows * whole->c.columns),
                        .rows = 1,
                        .in = {t->sums, t->sums + index * t->sums_bytes},
                        .step = {1, 1},
                        .out = t->sums});
    fz__product last = *whole;
    last.through_scratch = true; /* the sums lie beside c */
    fz__finish_rows(&last, 0, 0, whole->c.rows, whole->c.columns, t->sums, row_stride);
}

static bool is_split(const fz__product *p) {
    return !p->packed && p->a.columns >= SPLIT_FROM && p->c.rows * p->c.columns <= SPLIT_RESULTS;
}

static fz_status run_split(const char *operation, const fz__product *whole) {
    const ptrdiff_t k = whole->a.columns, element = fz__element_size(whole->compute);
    split t = {.whole = whole};
    t.parts = fz__min(k / SPLIT_STEPS / 2 * 2, SPLIT_PARTS);
    t.steps = fz__ceil_div(fz__ceil_div(k, t.parts), 64) * 64;
    t.parts = fz__ceil_div(k, t.steps);
    fz__product part = *whole;
    part.finish = (fz__finish){0};
    part.c.dtype = whole->compute;
    part.c.row_stride = whole->c.columns * element;
    part.c.column_stride = element;
    part.asks = true;
    fz__product_plan(&part);
    t.part = &part;
    t.sums_bytes = fz__round_up(whole->c.rows * whole->c.columns * element, FZ_CACHE_LINE);
    const int participants = work_of(whole) < 10 * ITEM_WORK ? 1 : fz__participants(t.parts, 1);
    t.sums = fz__workspace_acquire(operation, (size_t)(t.parts * t.sums_bytes) +
                                                  (size_t)participants * fz__product_scratch(&part, 1));
    if (!t.sums) return FZ_ERROR_MEMORY;
    t.scratch = t.sums + t.parts * t.sums_bytes;
    fz__parallel_for(participants, t.parts, 1, run_parts, &t);
    add_parts(&t);
    fz__workspace_release(t.sums);
    return FZ_OK;
}

/* ---- many products ---------------------------------------------------------------------------------------- */

typedef struct batch {
    const fz__product *product;
    const fz__nest *nest; /* of a, b and c over the axes before the last two */
    char *scratch;        /* of each participant */
} batch;

/* A matrix of which all is asked for while the product before it is computed; no columns where it is large. */
static fz_ahead ahead_of(const fz__matrix *x) {
    const ptrdiff_t element = fz__element_size(x->dtype);
    if (x->rows * x->columns * element > ASKED_BYTES) return (fz_ahead){0};
    if (x->column_stride == element) return fz__ahead(x->data, x->rows, x->columns * element, x->row_stride);
    if (x->row_stride == element) return fz__ahead(x->data, x->columns, x->rows * element, x->column_stride);
    return (fz_ahead){0};
}

typedef struct run {
    const fz__product *product;
    char *scratch;
    int participants; /* in each product */
} run;

/* The next of many products: its a, b and c. The tiles of the one before ask for the first so many of them, each for
   lines of one column, one with each step. */
typedef struct next_product {
    fz_ahead operands[3];
    int listed;
} next_product;

static int count_listed(const fz__product *p, const fz_ahead operands[3]) {
    ptrdiff_t tiles = fz__ceil_div(p->c.rows, p->matmul->mr) * fz__ceil_div(p->c.columns, p->matmul->nr);
    for (int i = 0; i < 3; i++) {
        tiles -= operands[i].columns * fz__ceil_div(operands[i].lines, p->a.columns);
        if (operands[i].columns == 0 || tiles < 0) return i;
    }
    return 3;
}

static next_product find_next(const fz__product *p, int participants) {
    next_product next = {{ahead_of(&p->a), ahead_of(&p->b), ahead_of(&p->c)}, 0};
    if (p->is_in_place && participants == 1 && p->a.columns) next.listed = count_listed(p, next.operands);
    return next;
}

/* Lists what is to be asked for, and asks for the rest now, but for c: its lines would be more than can be on their way
   at once. */
static void ask_for_next(const next_product *next, char *const data[3], fz_ahead list[4]) {
    for (int i = 0; i < 3; i++) {
        list[i] = next->operands[i];
        list[i].first = (uintptr_t)data[i];
        if (i >= next->listed && i < 2) fz__ask(&list[i], list[i].lines * list[i].columns);
    }
    list[next->listed].columns = 0;
}

static bool lie_apart(const ptrdiff_t strides[3]) {
    bool apart = false;
    for (int i = 0; i < 3; i++) apart |= strides[i] > FOLLOWED || strides[i] < -FOLLOWED;
    return apart;
}

static void run_row(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const run *r = context;
    fz__product product = *r->product;
    fz_ahead list[4];
    const int left = product.transposed, right = !left;
    const bool apart = n > 1 && lie_apart(strides);
    const next_product next = apart ? find_next(&product, r->participants) : (next_product){0};
    product.a.data = pointers[left], product.b.data = pointers[right], product.c.data = pointers[2];
    for (; n; n--) {
        char *const after[3] = {product.a.data + strides[left], product.b.data + strides[right],
                                product.c.data + strides[2]};
        const bool asks = apart && n > 1;
        if (asks) ask_for_next(&next, after, list);
        product.ahead = asks && next.listed ? list : NULL;
        fz__product_run(&product, r->scratch, r->participants);
        product.a.data = after[0], product.b.data = after[1], product.c.data = after[2];
    }
}

static void run_entries(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const batch *t = context;
    run r = {t->product, t->scratch + (size_t)participant * fz__product_scratch(t->product, 1), 1};
    fz__nest_walk(t->nest, begin, end, run_row, &r);
}

static void run_in_turn(const batch *t, int participants) {
    run r = {t->product, t->scratch, participants};
    fz__nest_walk(t->nest, 0, t->nest->size, run_row, &r);
}

/* Where there are several for each thread, each is one thread's; else they follow one another, each on all. */
static fz_status run_batch(const char *operation, const fz__product *p, const fz__nest *nest) {
    const double work = work_of(p) + 1;
    const ptrdiff_t grain = (ptrdiff_t)(ITEM_WORK / work) + 1;
    const bool at_once = nest->size >= 4 * fz_get_num_threads() || fz__product_participants(p) == 1;
    const int participants = !at_once ? fz__product_participants(p)
                             : work * (double)nest->size < 8 * ITEM_WORK
                                 ? 1
                                 : fz__participants(nest->size, grain);
    const size_t bytes =
        at_once ? (size_t)participants * fz__product_scratch(p, 1) : fz__product_scratch(p, participants);
    batch t = {p, nest, bytes ? fz__workspace_acquire(operation, bytes) : NULL};
    if (bytes && !t.scratch) return FZ_ERROR_MEMORY;
    if (at_once)
        fz__parallel_for(participants, nest->size, participants > 1 ? grain : nest->size, run_entries, &t);
    else
        run_in_turn(&t, participants);
    fz__workspace_release(t.scratch);
    return FZ_OK;
}

/* An axis along which b repeats and the rows of a and c go on is more rows: one product with a tall a. */
static void fold_rows(fz__product *p, fz__nest *nest) {
    for (int d = nest->ndim - 1; d >= 0; d--) {
        if (nest->strides[1][d] != 0 || nest->strides[0][d] != p->a.rows * p->a.row_stride ||
            nest->strides[2][d] != p->c.rows * p->c.row_stride)
            continue;
        p->a.rows = p->c.rows = p->a.rows * nest->shape[d];
        p->a.data = nest->data[0], p->c.data = nest->data[2]; /* of an axis that c has backwards, the last */
        nest->size /= nest->shape[d];
        fz__nest_remove_axis(nest, d);
        d = nest->ndim;
    }
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

/* Integers below 64 bits wrap as the low bits of 32 do; bools count, and any count but 0 is true. */
fz_dtype fz__matmul_compute(fz_dtype result) {
    if (fz__is_full_float(result)) return result;
    if (fz__is_narrow_float(result)) return FZ_FLOAT32;
    return fz_dtype_size(result) == 8 ? FZ_INT64 : FZ_INT32;
}

const fz_matmul_kernels *fz__matmul_kernels(fz_dtype dtype, ptrdiff_t k) {
    const fz_matmul_kernels *grouped = fz__grouped_matmul(dtype);
    return grouped && k ? grouped : fz__kernels(fz__matmul_compute(dtype))->matmul;
}

/* The last two axes; a vector is a row on the left and a column on the right. */
static fz__matrix as_matrix(const fz_array *x, bool is_right) {
    const ptrdiff_t *shape = x->shape + x->ndim, *strides = x->strides + x->ndim;
    if (x->ndim >= 2) return (fz__matrix){x->data, x->dtype, shape[-2], shape[-1], strides[-2], strides[-1]};
    if (is_right) return (fz__matrix){x->data, x->dtype, shape[-1], 1, strides[-1], 0};
    return (fz__matrix){x->data, x->dtype, 1, shape[-1], 0, strides[-1]};
}

/* c's matrix lacks the axes that vectors have not. */
static fz__matrix as_result(const fz__matmul_call *r) {
    const fz_array *c = r->c;
    const bool has_rows = r->a->ndim > 1, has_columns = r->b->ndim > 1;
    const ptrdiff_t *shape = c->shape + c->ndim, *strides = c->strides + c->ndim;
    fz__matrix m = {c->data, c->dtype, 1, 1, 0, 0};
    if (has_columns) m.columns = shape[-1], m.column_stride = strides[-1];
    if (has_rows) m.rows = shape[-1 - has_columns], m.row_stride = strides[-1 - has_columns];
    return m;
}

static fz_array leading_axes(const fz_array *x, int last) {
    return (fz_array){x->data, x->dtype, x->ndim > last ? x->ndim - last : 0, x->shape, x->strides};
}

/* The bias as one row of the compute dtype, in scratch where it is not so already. */
static fz_status prepare_bias(const fz__matmul_call *r, fz__product *p, void **memory) {
    const fz_array *bias = r->bias;
    const ptrdiff_t element = fz__element_size(p->compute);
    if (!bias) return FZ_OK;
    p->finish.bias = (fz__matrix){bias->data, p->compute, 1, p->c.columns, 0, element};
    if (bias->dtype == p->compute && (bias->strides[0] == element || p->c.columns == 1)) return FZ_OK;
    *memory = fz__workspace_acquire(r->operation, (size_t)(p->c.columns * element));
    if (!*memory) return FZ_ERROR_MEMORY;
    p->finish.bias.data = *memory;
    fz__copy(bias, &(fz_array){*memory, p->compute, 1, bias->shape, &element});
    return FZ_OK;
}

static fz_status run_checked(const fz__matmul_call *r, fz__product *p) {
    fz__nest nest;
    const int last = (r->a->ndim > 1) + (r->b->ndim > 1);
    const bool is_batch = r->c->ndim > last;
    if (is_batch) {
        const fz_array a = leading_axes(r->a, 2), b = leading_axes(r->b, 2), c = leading_axes(r->c, last);
        const fz_status status = fz__nest_init(&nest, r->operation, 3, (const fz_array *const[]){&a, &b, &c});
        if (status) return status;
        fold_rows(p, &nest);
    }
    fz__product_plan(p);
    if (is_batch && nest.ndim > 0) return run_batch(r->operation, p, &nest);
    return is_split(p) ? run_split(r->operation, p) : run_product(r->operation, p);
}

/* ---- checking ----------------------------------------------------------------------------------------------- */

static fz_status fail_lengths(const char *operation, const char *const names[2], const fz_array *a,
                              const fz_array *b) {
    fz__shape_text ta, tb;
    fz__format_shape(&ta, a->ndim, a->shape);
    fz__format_shape(&tb, b->ndim, b->shape);
    if (a->ndim == 0 || b->ndim == 0)
        return fz__fail(FZ_ERROR_SHAPE, "%s: %s is %s and %s is %s; each must have an axis or more",
                        operation, names[0], ta.text, names[1], tb.text);
    return fz__fail(FZ_ERROR_SHAPE,
                    "%s: %s is %s and %s is %s; %s's last axis (%td) must equal %s's %s (%td)", operation,
                    names[0], ta.text, names[1], tb.text, names[0], a->shape[a->ndim - 1], names[1],
                    b->ndim <= 2 ? "first" : "last but one", b->shape[b->ndim > 1 ? b->ndim - 2 : 0]);
}

static fz_status fail_stacks(const char *operation, const char *const names[2], const fz_array *a,
                             const fz_array *b) {
    fz__shape_text ta, tb;
    return fz__fail(FZ_ERROR_SHAPE,
                    "%s: %s is %s and %s is %s; but for the last two axes, lengths must be equal or 1",
                    operation, names[0], fz__format_shape(&ta, a->ndim, a->shape), names[1],
                    fz__format_shape(&tb, b->ndim, b->shape));
}

static fz_status find_shape(const char *operation, const char *const names[2], const fz_array *a,
                            const fz_array *b, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    fz_status status = fz__check_array(operation, names[0], a);
    if (!status) status = fz__check_array(operation, names[1], b);
    if (status) return status;
    if (a->ndim == 0 || b->ndim == 0 || a->shape[a->ndim - 1] != b->shape[b->ndim > 1 ? b->ndim - 2 : 0])
        return fail_lengths(operation, names, a, b);
    const fz_array left = leading_axes(a, 2), right = leading_axes(b, 2);
    if (fz_broadcast_shape(operation, 2, (const fz_array *const[]){&left, &right}, ndim, shape))
        return fail_stacks(operation, names, a, b);
    if (*ndim + (a->ndim > 1) + (b->ndim > 1) > FZ_MAX_NDIM)
        return fz__fail(FZ_ERROR_SHAPE, "%s: the result would have more than %d axes", operation,
                        FZ_MAX_NDIM);
    if (a->ndim > 1) shape[(*ndim)++] = a->shape[a->ndim - 2];
    if (b->ndim > 1) shape[(*ndim)++] = b->shape[b->ndim - 1];
    return FZ_OK;
}

fz_status fz_matmul_shape(const fz_array *a, const fz_array *b, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    return find_shape("matmul", (const char *const[]){"a", "b"}, a, b, ndim, shape);
}

/* Are elements of this dtype packed in groups? The same on every CPU, though not all have kernels for them. */
static bool is_grouped(fz_dtype dtype) {
    return fz_dtype_size(dtype) <= 2 && dtype != FZ_BOOL && dtype != FZ_FLOAT16;
}

static bool fits_packed(const fz_packed *packed, fz_dtype a, fz_dtype result) {
    return packed->compute == fz__matmul_compute(result) &&
           (a == packed->array.dtype || !is_grouped(packed->array.dtype));
}

/* c beside its inputs: its shape, the dtype to which theirs promote, no memory in common. */
static fz_status check_result(const fz__matmul_call *r, int ndim, const ptrdiff_t shape[]) {
    const fz_array *const inputs[] = {r->a, r->packed ? NULL : r->b, r->bias};
    const fz_dtype dtype = fz_promote(r->a->dtype, r->b->dtype);
    const fz_status status = fz__check_output(r->operation, r->c, ndim, shape, 0, NULL);
    if (status) return status;
    if (r->c->dtype != dtype)
        return fz__fail(FZ_ERROR_DTYPE, "%s: out is %s; it must be %s, to which %s and %s promote",
                        r->operation, fz_dtype_name(r->c->dtype), fz_dtype_name(dtype),
                        fz_dtype_name(r->a->dtype), fz_dtype_name(r->b->dtype));
    if (r->packed && !fits_packed(r->packed, r->a->dtype, dtype))
        return fz__fail(FZ_ERROR_DTYPE, "%s: %s is %s and %s was packed from %s; %s of its dtype would do",
                        r->operation, r->names[0], fz_dtype_name(r->a->dtype), r->names[1],
                        fz_dtype_name(r->b->dtype), r->names[0]);
    for (int k = 0; k < 3; k++) {
        if (inputs[k] && fz_may_overlap(inputs[k], r->c))
            return fz__fail(FZ_ERROR_OVERLAP,
                            "%s: out shares memory with an input; a separate array would do", r->operation);
    }
    return FZ_OK;
}

fz_status fz__matmul(const fz__matmul_call *r) {
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    void *memory = NULL;
    fz_status status = fz_init();
    if (!status) status = find_shape(r->operation, r->names, r->a, r->b, &ndim, shape);
    if (!status) status = check_result(r, ndim, shape);
    if (status || fz__array_size(r->c) == 0) return status;
    fz__product p; /* the rest is for its plan to fill */
    p.compute = fz__matmul_compute(r->c->dtype);
    p.a = as_matrix(r->a, false);
    p.b = as_matrix(r->b, true);
    p.c = as_result(r);
    p.packed = r->packed;
    p.finish = (fz__finish){.activation = r->activation};
    p.transposed = p.asks = false;
    const fz__float_environment environment = fz__save_float_environment();
    status = prepare_bias(r, &p, &memory);
    if (!status) status = run_checked(r, &p);
    fz__restore_float_environment(environment);
    fz__workspace_release(memory);
    return status;
}

fz_status fz_matmul(const fz_array *a, const fz_array *b, fz_array *c) {
    return fz__matmul(&(fz__matmul_call){.operation = "matmul", .names = {"a", "b"}, .a = a, .b = b, .c = c});
}

fz_status fz_matmul_packed(const fz_array *a, const fz_packed *b, fz_array *c) {
    return fz__matmul(&(fz__matmul_call){
        .operation = "matmul", .names = {"a", "b"}, .a = a, .b = fz_packed_array(b), .packed = b, .c = c});
}
