/* Packing the operands of a product into panels, from whatever dtype and strides they have; and right-hand sides that
   are packed once for many products. */
#include <stdlib.h>

#include "matmul.h"

enum { CONVERTED_BYTES = 8 << 10 /* part of a panel on its way from another dtype */ };

/* n lines (rows of A, columns of B) of k elements each. */
typedef struct lines {
    const char *data;
    fz_dtype dtype;
    ptrdiff_t n, k, line, step;
} lines;

bool fz__is_direct(const fz__product *p, const fz__matrix *x) {
    const bool is_float = fz__is_full_float(p->compute);
    return x->dtype == p->compute || (!is_float && fz_dtype_size(x->dtype) == fz_dtype_size(p->compute));
}

/* A part of a panel, in memory of its own where the lines are contiguous, or the steps. */
static void convert_part(const fz__product *product, const lines *x, fz_pack *pack, char *panel) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char part[CONVERTED_BYTES];
    fz_cast *cast = product->kernels->elementwise->cast_from[x->dtype];
    const ptrdiff_t element = fz__element_size(product->compute);
    const bool along_steps = x->step == fz__element_size(x->dtype);
    const ptrdiff_t count = along_steps ? x->n : x->k, length = along_steps ? x->k : x->n;
    const ptrdiff_t outer = along_steps ? x->line : x->step, inner = along_steps ? x->step : x->line;
    for (ptrdiff_t i = 0; i < count; i++)
        cast((size_t)length, x->data + i * outer, inner, part + i * length * element, element);
    pack((size_t)x->n, (size_t)x->k, part, along_steps ? length * element : element,
         along_steps ? element : length * element, panel);
}

/* A panel of groups. Where elements along k are contiguous, their groups are in memory already, but for a last one that
   is not full. */
static void pack_groups(const fz__product *product, const lines *x, fz_pack *pack, ptrdiff_t width,
                        char *panel) {
    const ptrdiff_t bytes = fz__element_size(product->compute), group = product->matmul->group;
    const ptrdiff_t full = x->step * group == bytes ? x->k / group : 0, rest = x->k - full * group;
    if (full) pack((size_t)x->n, (size_t)full, x->data, x->line, bytes, panel);
    if (rest)
        product->matmul->gather((size_t)x->n, (size_t)rest, x->data + full * bytes, x->line, x->step,
                                (size_t)width, panel + full * width * bytes);
}

static void convert_panel(const fz__product *product, const lines *x, fz_pack *pack, ptrdiff_t width,
                          char *panel) {
    const ptrdiff_t element = fz__element_size(product->compute);
    const ptrdiff_t most = CONVERTED_BYTES / (width * element);
    for (ptrdiff_t p = 0; p < x->k; p += most) {
        lines part = *x;
        part.data += p * x->step;
        part.k = fz__min(most, x->k - p);
        convert_part(product, &part, pack, panel + p * width * element);
    }
}

static void pack_lines(const fz__product *product, const lines *x, fz_pack *pack, ptrdiff_t width,
                       bool is_direct, char *panels) {
    const ptrdiff_t steps = fz__count_steps(product->matmul, x->k);
    if (is_direct) {
        pack((size_t)x->n, (size_t)x->k, x->data, x->line, x->step, panels);
        return;
    }
    for (ptrdiff_t i = 0; i < x->n; i += width) {
        lines panel = *x;
        panel.data += i * x->line;
        panel.n = fz__min(width, x->n - i);
        (product->matmul->gather ? pack_groups : convert_panel)(product, &panel, pack, width, panels);
        panels += steps * width * fz__element_size(product->compute);
    }
}

static const fz_pack_kernels *pack_kernels(const fz__product *p) {
    return fz__kernels(fz_dtype_size(p->compute) == 4 ? FZ_FLOAT32 : FZ_FLOAT64)->pack;
}

void fz__pack_a(const fz__product *p, ptrdiff_t row, ptrdiff_t m, ptrdiff_t step, ptrdiff_t k, char *panels) {
    const fz__matrix *a = &p->a;
    const ptrdiff_t first = step * p->matmul->group;
    const lines x = {
        a->data + row * a->row_stride + first * a->column_stride, a->dtype,      m,
        fz__min(k * p->matmul->group, a->columns - first),        a->row_stride, a->column_stride};
    pack_lines(p, &x, pack_kernels(p)->a, p->matmul->mr, fz__is_direct(p, a), panels);
}

void fz__pack_b(const fz__product *p, ptrdiff_t column, ptrdiff_t n, ptrdiff_t step, ptrdiff_t k,
                char *panels) {
    const fz__matrix *b = &p->b;
    const ptrdiff_t first = step * p->matmul->group;
    const lines x = {b->data + first * b->row_stride + column * b->column_stride,
                     b->dtype,
                     n,
                     fz__min(k * p->matmul->group, b->rows - first),
                     b->column_stride,
                     b->row_stride};
    pack_lines(p, &x, pack_kernels(p)->b, p->matmul->nr, fz__is_direct(p, b), panels);
}

/* ---- packed once -------------------------------------------------------------------------------------------- */

typedef struct job {
    const fz__product *product;
    fz_packed *packed;
} job;

/* Items are panels, of all steps. */
static void pack_all(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *t = context;
    const fz_packed *packed = t->packed;
    const ptrdiff_t nr = packed->matmul->nr, k = fz__count_steps(packed->matmul, packed->shape[0]),
                    n = packed->shape[1];
    const ptrdiff_t element = fz__element_size(packed->compute), column = begin * nr,
                    padded = fz__ceil_div(n, nr) * nr;
    for (ptrdiff_t p = 0; p < k; p += packed->kc) {
        const ptrdiff_t steps = fz__min(packed->kc, k - p);
        fz__pack_b(t->product, column, fz__min(end * nr, n) - column, p, steps,
                   packed->panels + (p * padded + column * steps) * element);
    }
}

static fz_status allocate_panels(fz_packed *packed) {
    const ptrdiff_t nr = packed->matmul->nr;
    ptrdiff_t bytes = fz__element_size(packed->compute);
    if (!__builtin_mul_overflow(bytes, fz__count_steps(packed->matmul, packed->shape[0]), &bytes) &&
        !__builtin_mul_overflow(bytes, fz__ceil_div(packed->shape[1], nr) * nr, &bytes) &&
        bytes <= PTRDIFF_MAX - FZ_MAX_VECTOR_BYTES) {
        const size_t size = (size_t)fz__ceil_div(bytes + 1, FZ_MAX_VECTOR_BYTES) * FZ_MAX_VECTOR_BYTES;
        packed->panels = aligned_alloc(FZ_MAX_VECTOR_BYTES, size);
    }
    return packed->panels ? FZ_OK : fz__fail(FZ_ERROR_MEMORY, "pack: no memory for the panels");
}

fz_status fz_pack_matrix(const fz_array *b, fz_packed **result) {
    fz_status status = fz_init();
    if (!status) status = fz__check_array("pack", "b", b);
    fz__shape_text text;
    if (!status && b->ndim != 2)
        status = fz__fail(FZ_ERROR_SHAPE, "pack: b is %s; a matrix, with 2 axes, would do",
                          fz__format_shape(&text, b->ndim, b->shape));
    if (status) return status;
    const fz_dtype compute = fz__matmul_compute(b->dtype);
    fz__product product = {.compute = compute,
                           .kernels = fz__kernels(compute),
                           .matmul = fz__matmul_kernels(b->dtype, b->shape[0]),
                           .b = {b->data, b->dtype, b->shape[0], b->shape[1], b->strides[0], b->strides[1]}};
    fz_packed *packed = calloc(1, sizeof *packed);
    if (!packed) return fz__fail(FZ_ERROR_MEMORY, "pack: no memory");
    *packed = (fz_packed){.shape = {b->shape[0], b->shape[1]},
                          .compute = compute,
                          .matmul = product.matmul,
                          .kc = fz__product_steps(compute, fz__count_steps(product.matmul, b->shape[0]))};
    packed->array = (fz_array){NULL, b->dtype, 2, packed->shape, packed->strides};
    status = allocate_panels(packed);
    if (status) return free(packed), status;
    packed->array.data = packed->panels;
    job t = {&product, packed};
    const ptrdiff_t panels = fz__ceil_div(b->shape[1], packed->matmul->nr);
    fz__parallel_for(fz__participants(panels, 4), panels, 4, pack_all, &t);
    *result = packed;
    return FZ_OK;
}

void fz_packed_free(fz_packed *packed) {
    if (packed) free(packed->panels);
    free(packed);
}

const fz_array *fz_packed_array(const fz_packed *packed) { return &packed->array; }
