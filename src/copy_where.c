/* Copies as callers ask for them: broadcast, overlapping, and only where a mask says so. */
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum { GRAIN = 16384 /* elements of a task */ };

/* ---- where a mask says so --------------------------------------------------------------------------------- */

enum { NEST_WHERE, NEST_X, NEST_OUT, NEST_OPERANDS };

typedef struct job {
    fz__nest nest;
    fz_cast *convert, *read_mask;
    size_t size; /* bytes of an element of out */
} job;

enum { WORD = sizeof(uint64_t) };

static bool has_zero_byte(uint64_t word) { return (word - 0x0101010101010101) & ~word & 0x8080808080808080; }

/* Runs of a mask are taken a word at a time. */
static inline __attribute__((always_inline)) void store_chosen(size_t n, const unsigned char *mask,
                                                               const char *x, char *out, ptrdiff_t stride,
                                                               size_t size) {
    for (size_t count; n; n -= count, mask += count, x += count * size, out += (ptrdiff_t)count * stride) {
        uint64_t word = 0;
        count = n < WORD ? n : WORD;
        memcpy(&word, mask, count);
        if (!word) continue;
        if (stride == (ptrdiff_t)size && !has_zero_byte(word)) {
            memcpy(out, x, WORD * size);
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            if (mask[i]) memcpy(out + (ptrdiff_t)i * stride, x + i * size, size);
        }
    }
}

/* Are some elements chosen, and are all? Without a way out of the loop, compilers look at many at once. */
static bool look_at(const unsigned char *mask, size_t n, bool *is_all) {
    unsigned char some = 0, none = 0;
    for (size_t i = 0; i < n; i++) {
        some |= mask[i];
        none |= mask[i] == 0;
    }
    *is_all = !none;
    return some;
}

/* At most FZ_BLOCK elements. Those that are not chosen are converted all the same where others are: nobody sees it. */
static void copy_block(const job *j, size_t n, const unsigned char *mask, char *const pointers[],
                       const ptrdiff_t strides[]) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_BLOCK * sizeof(double)];
    char *out = pointers[NEST_OUT];
    const ptrdiff_t stride = strides[NEST_OUT];
    bool is_all;
    if (!look_at(mask, n, &is_all)) return;
    if (is_all) {
        j->convert(n, pointers[NEST_X], strides[NEST_X], out, stride);
        return;
    }
    j->convert(n, pointers[NEST_X], strides[NEST_X], block, (ptrdiff_t)j->size);
    if (j->size == 1) store_chosen(n, mask, block, out, stride, 1);
    if (j->size == 2) store_chosen(n, mask, block, out, stride, 2);
    if (j->size == 4) store_chosen(n, mask, block, out, stride, 4);
    if (j->size == 8) store_chosen(n, mask, block, out, stride, 8);
}

static void copy_row(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    const job *j = context;
    unsigned char bytes[FZ_BLOCK];
    char *pointers[NEST_OPERANDS];
    memcpy(pointers, row, sizeof pointers);
    for (ptrdiff_t begin = 0; begin < n; begin += FZ_BLOCK) {
        const size_t count = (size_t)fz__min(FZ_BLOCK, n - begin);
        const unsigned char *mask = (const unsigned char *)pointers[NEST_WHERE];
        if (strides[NEST_WHERE] != 1) {
            j->read_mask(count, mask, strides[NEST_WHERE], bytes, 1);
            mask = bytes;
        }
        copy_block(j, count, mask, pointers, strides);
        for (int k = 0; k < NEST_OPERANDS; k++) pointers[k] += FZ_BLOCK * strides[k];
    }
}

static void copy_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    job *j = context;
    fz__nest_walk(&j->nest, begin, end, copy_row, j);
}

static void copy_chosen(const fz_array *const arrays[]) {
    const fz_array *x = arrays[NEST_X], *out = arrays[NEST_OUT];
    job j; /* its nest is large, and most of it never there */
    j.convert = fz__kernels(out->dtype)->elementwise->cast_from[x->dtype];
    j.read_mask = fz__kernels(FZ_BOOL)->elementwise->cast_from[FZ_BOOL];
    j.size = fz_dtype_size(out->dtype);
    fz__nest_init(&j.nest, "copy", NEST_OPERANDS, arrays);
    const ptrdiff_t size = j.nest.size;
    if (size) fz__parallel_for(fz__participants(size, GRAIN), size, GRAIN, copy_range, &j);
}

/* ---- copies that overlap ------------------------------------------------------------------------------------ */

static bool is_harmful(const fz_array *x, int outputs, const fz_array *const out[]) {
    for (int i = 0; i < outputs; i++) {
        if (!fz__same_view(x, out[i]) && fz_may_overlap(x, out[i])) return true;
    }
    return false;
}

fz_status fz__shadow_inputs(const char *operation, int inputs, int outputs, const fz_array *arrays[],
                            fz__shadow shadows[], int *count) {
    *count = 0;
    for (int k = 0; k < inputs; k++) {
        const fz_array *x = arrays[k];
        if (!is_harmful(x, outputs, arrays + inputs)) continue;
        fz__shadow *shadow = &shadows[*count];
        shadow->memory =
            fz__workspace_acquire(operation, (size_t)fz__array_size(x) * fz_dtype_size(x->dtype));
        if (!shadow->memory) return FZ_ERROR_MEMORY;
        ++*count;
        fz_contiguous_strides(x->dtype, x->ndim, x->shape, shadow->strides);
        shadow->array = (fz_array){shadow->memory, x->dtype, x->ndim, x->shape, shadow->strides};
        fz__copy(x, &shadow->array);
        arrays[k] = &shadow->array;
    }
    return FZ_OK;
}

void fz__release_shadows(int count, const fz__shadow shadows[]) {
    for (int i = 0; i < count; i++) fz__workspace_release(shadows[i].memory);
}

/* ---- the calls ------------------------------------------------------------------------------------------------ */

static fz_status check(const fz_array *x, const fz_array *where, const fz_array *out) {
    const fz_array *const arrays[] = {where, x, out};
    fz__nest nest;
    fz_status status = fz__check_array("copy", "x", x);
    if (!status && where) status = fz__check_array("copy", "where", where);
    if (!status) status = fz__check_array("copy", "out", out);
    if (status) return status;
    if (where && where->dtype != FZ_BOOL)
        return fz__fail(FZ_ERROR_DTYPE, "copy: where is %s; bool would do", fz_dtype_name(where->dtype));
    if (fz_overlaps_itself(out))
        return fz__fail(FZ_ERROR_OVERLAP,
                        "copy: elements of out may share memory; an array without overlap would do");
    return where ? fz__nest_init(&nest, "copy", NEST_OPERANDS, arrays)
                 : fz__nest_init(&nest, "copy", NEST_OPERANDS - 1, arrays + 1);
}

/* A few elements without gaps cost less than a plan for them. False where it is otherwise; then nothing is done. */
static bool copy_plain(const fz_array *x, const fz_array *out) {
    const ptrdiff_t n = fz__count_gapless(out, out->dtype, GRAIN);
    if (n == 0 || fz__count_gapless(x, x->dtype, GRAIN) != n || !fz__same_or_apart(x, out, n)) return false;
    const fz__float_environment environment = fz__save_float_environment();
    fz__kernels(out->dtype)
        ->elementwise->cast_from[x->dtype]((size_t)n, x->data, fz__element_size(x->dtype), out->data,
                                           fz__element_size(out->dtype));
    fz__restore_float_environment(environment);
    return true;
}

fz_status fz_copy_where(const fz_array *x, const fz_array *where, fz_array *out) {
    const fz_array *arrays[] = {where, x, out}; /* without a mask from x on */
    const int first = where ? NEST_WHERE : NEST_X;
    fz__shadow shadows[NEST_OUT];
    int shadowed;
    fz_status status = fz_init();
    if (!status) status = check(x, where, out);
    if (status || fz__same_view(x, out) || (!where && copy_plain(x, out))) return status;
    const fz__float_environment environment = fz__save_float_environment();
    status = fz__shadow_inputs("copy", NEST_OUT - first, 1, arrays + first, shadows, &shadowed);
    if (!status && where)
        copy_chosen(arrays);
    else if (!status)
        fz__copy(arrays[NEST_X], out);
    fz__release_shadows(shadowed, shadows);
    fz__restore_float_environment(environment);
    return status;
}

fz_status fz_copy(const fz_array *x, fz_array *out) { return fz_copy_where(x, NULL, out); }
