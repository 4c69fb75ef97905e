/* Checking, broadcasting, coalescing and overlap of views. */
#include <string.h>

#include "internal.h"

fz_status fz__check_array(const char *operation, const char *argument, const fz_array *x) {
    if (!x) return fz__fail(FZ_ERROR_VALUE, "%s: %s is NULL", operation, argument);
    if ((unsigned)x->dtype >= FZ_DTYPE_COUNT)
        return fz__fail(FZ_ERROR_DTYPE, "%s: %s has the unknown dtype %d", operation, argument,
                        (int)x->dtype);
    if (x->ndim < 0 || x->ndim > FZ_MAX_NDIM)
        return fz__fail(FZ_ERROR_SHAPE, "%s: %s has %d axes; 0 to %d would do", operation, argument, x->ndim,
                        FZ_MAX_NDIM);
    ptrdiff_t bytes = fz__element_size(x->dtype);
    bool empty = false, too_large = false;
    for (int d = 0; d < x->ndim; d++) {
        if (x->shape[d] < 0)
            return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d of %s has the negative length %td", operation, d,
                            argument, x->shape[d]);
        empty |= x->shape[d] == 0;
        too_large |= __builtin_mul_overflow(bytes, x->shape[d], &bytes);
    }
    if (too_large && !empty) {
        fz__shape_text text;
        return fz__fail(FZ_ERROR_SHAPE, "%s: %s of shape %s has more bytes than can be addressed", operation,
                        argument, fz__format_shape(&text, x->ndim, x->shape));
    }
    if (!x->data && !empty) return fz__fail(FZ_ERROR_VALUE, "%s: %s has no data (NULL)", operation, argument);
    return FZ_OK;
}

ptrdiff_t fz__array_size(const fz_array *x) {
    ptrdiff_t size = 1;
    for (int d = 0; d < x->ndim; d++) {
        if (x->shape[d] == 0) return 0; /* before a product of the others can overflow */
    }
    for (int d = 0; d < x->ndim; d++) size *= x->shape[d];
    return size;
}

void fz_contiguous_strides(fz_dtype dtype, int ndim, const ptrdiff_t *shape, ptrdiff_t *strides) {
    size_t step = fz_dtype_size(dtype); /* beside a length of 0 the others may make it wrap */
    for (int d = ndim - 1; d >= 0; d--) {
        strides[d] = (ptrdiff_t)step;
        step *= (size_t)fz__max(shape[d], 1);
    }
}

bool fz__is_contiguous(const fz_array *x) {
    if (fz__array_size(x) == 0) return true;
    ptrdiff_t step = fz__element_size(x->dtype);
    for (int d = x->ndim - 1; d >= 0; d--) {
        if (x->shape[d] != 1 && x->strides[d] != step) return false;
        step *= x->shape[d];
    }
    return true;
}

static ptrdiff_t magnitude(ptrdiff_t stride) {
    return stride == PTRDIFF_MIN ? PTRDIFF_MAX : stride < 0 ? -stride : stride;
}

/* ---- overlap --------------------------------------------------------------------------------------------- */

/* The addresses [*begin, *end) that hold all elements; false where there are none. */
static bool find_extent(const fz_array *x, uintptr_t *begin, uintptr_t *end) {
    uintptr_t low = (uintptr_t)x->data, high = low + (uintptr_t)fz__element_size(x->dtype);
    for (int d = 0; d < x->ndim; d++) {
        const ptrdiff_t length = x->shape[d], stride = x->strides[d];
        if (length == 0) return false;
        const uintptr_t reach = (uintptr_t)(length - 1) * (uintptr_t)stride; /* wraps if absurd */
        low += stride < 0 ? reach : 0;
        high += stride < 0 ? 0 : reach;
    }
    *begin = low;
    *end = high;
    return true;
}

int fz_may_overlap(const fz_array *a, const fz_array *b) {
    uintptr_t a_begin, a_end, b_begin, b_end;
    return find_extent(a, &a_begin, &a_end) && find_extent(b, &b_begin, &b_end) && a_begin < b_end &&
           b_begin < a_end;
}

bool fz__same_view(const fz_array *a, const fz_array *b) {
    if (a->data != b->data || a->dtype != b->dtype || a->ndim != b->ndim) return false;
    for (int d = 0; d < a->ndim; d++) {
        if (a->shape[d] != b->shape[d] || (a->shape[d] > 1 && a->strides[d] != b->strides[d])) return false;
    }
    return true;
}

/* Sorted by size, each stride must step over everything that the smaller ones reach. */
int fz_overlaps_itself(const fz_array *x) {
    ptrdiff_t steps[FZ_MAX_NDIM], lengths[FZ_MAX_NDIM];
    int axes = 0;
    for (int d = x->ndim - 1; d >= 0; d--) { /* in C order they are sorted already */
        if (x->shape[d] == 0) return false;
        if (x->shape[d] == 1) continue;
        ptrdiff_t step = magnitude(x->strides[d]);
        int at = axes++;
        for (; at > 0 && steps[at - 1] > step; at--) {
            steps[at] = steps[at - 1];
            lengths[at] = lengths[at - 1];
        }
        steps[at] = step;
        lengths[at] = x->shape[d];
    }
    ptrdiff_t reach = fz__element_size(x->dtype);
    for (int i = 0; i < axes; i++) {
        ptrdiff_t length;
        if (steps[i] < reach || __builtin_mul_overflow(steps[i], lengths[i] - 1, &length) ||
            __builtin_add_overflow(reach, length, &reach))
            return true;
    }
    return false;
}

fz_status fz__check_output(const char *operation, const fz_array *out, int ndim, const ptrdiff_t *shape,
                           int inputs, const fz_array *const arrays[]) {
    fz_status status = fz__check_array(operation, "out", out);
    if (status) return status;
    bool fits = out->ndim == ndim;
    for (int d = 0; fits && d < ndim; d++) fits = out->shape[d] == shape[d];
    fz__shape_text given, wanted;
    if (!fits)
        return fz__fail(FZ_ERROR_SHAPE, "%s: out is %s; it must be %s", operation,
                        fz__format_shape(&given, out->ndim, out->shape),
                        fz__format_shape(&wanted, ndim, shape));
    for (int k = 0; k < inputs; k++) {
        if (arrays[k]->dtype != out->dtype)
            return fz__fail(FZ_ERROR_DTYPE, "%s: out is %s and an input is %s; they must be of one dtype",
                            operation, fz_dtype_name(out->dtype), fz_dtype_name(arrays[k]->dtype));
        if (fz_may_overlap(arrays[k], out))
            return fz__fail(FZ_ERROR_OVERLAP,
                            "%s: out shares memory with an input; a separate array would do", operation);
    }
    if (fz_overlaps_itself(out))
        return fz__fail(FZ_ERROR_OVERLAP,
                        "%s: elements of out may share memory; an array without overlap would do", operation);
    return FZ_OK;
}

fz_status fz__check_result(const char *operation, const fz_array *out, fz_dtype dtype, int ndim,
                           const ptrdiff_t *shape, int inputs, const fz_array *const arrays[]) {
    const fz_status status = fz__check_output(operation, out, ndim, shape, 0, NULL);
    if (status) return status;
    if (out->dtype != dtype)
        return fz__fail(FZ_ERROR_DTYPE, "%s: out is %s; it must be %s", operation, fz_dtype_name(out->dtype),
                        fz_dtype_name(dtype));
    for (int k = 0; k < inputs; k++) {
        if (fz_may_overlap(arrays[k], out))
            return fz__fail(FZ_ERROR_OVERLAP,
                            "%s: out shares memory with an input; a separate array would do", operation);
    }
    return FZ_OK;
}

/* ---- plain arrays ---------------------------------------------------------------------------------------- */

ptrdiff_t fz__count_gapless(const fz_array *x, fz_dtype dtype, ptrdiff_t most) {
    const ptrdiff_t size = fz__element_size(dtype);
    ptrdiff_t n = 1;
    if (!x || x->dtype != dtype || !x->data || x->ndim < 0 || x->ndim > FZ_MAX_NDIM) return 0;
    for (int d = x->ndim - 1; d >= 0; d--) {
        const ptrdiff_t length = x->shape[d];
        if (length < 1 || length > most || (length != 1 && x->strides[d] != n * size)) return 0;
        n *= length;
        if (n > most) return 0;
    }
    return n;
}

bool fz__same_or_apart(const fz_array *x, const fz_array *out, ptrdiff_t n) {
    if (x->ndim != out->ndim) return false;
    for (int d = 0; d < x->ndim; d++) {
        if (x->shape[d] != out->shape[d]) return false;
    }
    const uintptr_t a = (uintptr_t)x->data, b = (uintptr_t)out->data, length = (uintptr_t)n;
    return (a == b && x->dtype == out->dtype) || a + length * fz_dtype_size(x->dtype) <= b ||
           b + length * fz_dtype_size(out->dtype) <= a;
}

/* ---- broadcasting --------------------------------------------------------------------------------------- */

static fz_status fail_broadcast(const char *operation, int n, const fz_array *const arrays[]) {
    char shapes[FZ_MAX_OPERANDS * (sizeof(fz__shape_text) + sizeof " and ")] = "";
    for (int k = 0; k < n; k++) {
        fz__shape_text text;
        if (k == FZ_MAX_OPERANDS - 1 && k + 1 < n) {
            strcat(shapes, ", ...");
            break;
        }
        if (k) strcat(shapes, k + 1 < n ? ", " : " and ");
        strcat(shapes, fz__format_shape(&text, arrays[k]->ndim, arrays[k]->shape));
    }
    return fz__fail(FZ_ERROR_SHAPE,
                    "%s: shapes %s do not broadcast; from the last axis on, lengths must be equal or 1",
                    operation, shapes);
}

fz_status fz_broadcast_shape(const char *operation, int n, const fz_array *const arrays[], int *ndim,
                             ptrdiff_t shape[FZ_MAX_NDIM]) {
    *ndim = 0;
    for (int k = 0; k < n; k++) *ndim = arrays[k]->ndim > *ndim ? arrays[k]->ndim : *ndim;
    for (int d = 0; d < *ndim; d++) shape[d] = 1;
    for (int k = 0; k < n; k++) {
        const int missing = *ndim - arrays[k]->ndim;
        for (int d = missing; d < *ndim; d++) {
            const ptrdiff_t length = arrays[k]->shape[d - missing];
            if (length == 1) continue;
            if (shape[d] != 1 && shape[d] != length) return fail_broadcast(operation, n, arrays);
            shape[d] = length;
        }
    }
    return FZ_OK;
}

/* Bytes from one element to the next along axis d of the shape to which x is broadcast; 0 where x stands still. */
static ptrdiff_t broadcast_step(const fz_array *x, int ndim, int d) {
    const int own = d - (ndim - x->ndim);
    return own < 0 || x->shape[own] == 1 ? 0 : magnitude(x->strides[own]);
}

/* Do the arrays want axis a outside axis b (1), inside it (-1), or do not care (0)? One that wants C order decides. */
static int compare_axes(int n, const fz_array *const arrays[], int ndim, int a, int b) {
    int result = 0;
    for (int k = 0; k < n; k++) {
        const ptrdiff_t step_a = broadcast_step(arrays[k], ndim, a),
                        step_b = broadcast_step(arrays[k], ndim, b);
        if (step_a == 0 || step_b == 0) continue;
        if (step_a >= step_b) return 1;
        result = -1;
    }
    return result;
}

void fz_strides_like(fz_dtype dtype, int ndim, const ptrdiff_t *shape, int n, const fz_array *const arrays[],
                     ptrdiff_t *strides) {
    int order[FZ_MAX_NDIM]; /* from the innermost axis on: sorted by insertion, as NumPy's iterator does */
    for (int i = 0; i < ndim; i++) {
        const int axis = ndim - 1 - i;
        int place = i;
        for (int k = i - 1; k >= 0; k--) {
            const int wish = compare_axes(n, arrays, ndim, axis, order[k]);
            if (wish > 0) break;
            if (wish < 0) place = k;
        }
        for (int k = i; k > place; k--) order[k] = order[k - 1];
        order[place] = axis;
    }
    size_t step = fz_dtype_size(dtype); /* wraps as in fz_contiguous_strides */
    for (int i = 0; i < ndim; i++) {
        strides[order[i]] = (ptrdiff_t)step;
        step *= (size_t)fz__max(shape[order[i]], 1);
    }
}

/* ---- axes -------------------------------------------------------------------------------------------------- */

fz_status fz__find_axis(const char *operation, const char *argument, const fz_array *x, int axis,
                        int *found) {
    *found = axis < 0 ? axis + x->ndim : axis;
    if (*found >= 0 && *found < x->ndim) return FZ_OK;
    return fz__fail(FZ_ERROR_AXIS, "%s: axis %d is out of bounds for %s with %d axes", operation, axis,
                    argument, x->ndim);
}

fz_status fz__mark_axes(const char *operation, const fz_array *x, int naxes, const int axes[],
                        bool reduced[]) {
    for (int d = 0; d < x->ndim; d++) reduced[d] = axes == NULL;
    if (axes && x->ndim == 0 && naxes == 1 && (axes[0] == 0 || axes[0] == -1)) return FZ_OK;
    int axis;
    /* All of them before any is found to be named twice, as NumPy does. */
    for (int i = 0; axes && i < naxes; i++) {
        if (fz__find_axis(operation, "x", x, axes[i], &axis)) return FZ_ERROR_AXIS;
    }
    for (int i = 0; axes && i < naxes; i++) {
        axis = axes[i] < 0 ? axes[i] + x->ndim : axes[i];
        if (reduced[axis]) return fz__fail(FZ_ERROR_SHAPE, "%s: axis %d is named twice", operation, axes[i]);
        reduced[axis] = true;
    }
    return FZ_OK;
}

void fz__reduced_shape(const fz_array *x, const bool reduced[], int keepdims, int *ndim, ptrdiff_t shape[]) {
    *ndim = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (keepdims || !reduced[d]) shape[(*ndim)++] = reduced[d] ? 1 : x->shape[d];
    }
}

/* ---- loop nests ------------------------------------------------------------------------------------------ */

/* Strides of x along the output's axes: 0 where x is broadcast. */
static fz_status broadcast_strides(const fz_array *x, const fz_array *out, const char *operation,
                                   ptrdiff_t *strides) {
    int missing = out->ndim - x->ndim;
    bool fits = missing >= 0;
    for (int d = 0; fits && d < out->ndim; d++) {
        ptrdiff_t length = d < missing ? 1 : x->shape[d - missing];
        strides[d] = length == 1 ? 0 : x->strides[d - missing];
        fits = length == 1 || length == out->shape[d];
    }
    if (fits) return FZ_OK;
    fz__shape_text from, to;
    return fz__fail(FZ_ERROR_SHAPE, "%s: an input of shape %s does not broadcast to out's shape %s",
                    operation, fz__format_shape(&from, x->ndim, x->shape),
                    fz__format_shape(&to, out->ndim, out->shape));
}

/* Should axis a be outside axis b? The output decides, then the inputs; equal axes keep their order. */
static bool is_outer(const fz__nest *nest, int a, int b) {
    for (int k = nest->operands - 1; k >= 0; k--) {
        ptrdiff_t step_a = magnitude(nest->strides[k][a]), step_b = magnitude(nest->strides[k][b]);
        if (step_a != step_b && step_a != 0 && step_b != 0) return step_a > step_b;
    }
    return true;
}

static void swap_axes(fz__nest *nest, int a, int b) {
    ptrdiff_t length = nest->shape[a];
    nest->shape[a] = nest->shape[b];
    nest->shape[b] = length;
    for (int k = 0; k < nest->operands; k++) {
        ptrdiff_t stride = nest->strides[k][a];
        nest->strides[k][a] = nest->strides[k][b];
        nest->strides[k][b] = stride;
    }
}

/* Walks an axis backwards where the output's stride is negative: element-wise work has no direction. */
static void flip_axis(fz__nest *nest, int d) {
    for (int k = 0; k < nest->operands; k++) {
        nest->data[k] += (nest->shape[d] - 1) * nest->strides[k][d];
        nest->strides[k][d] = -nest->strides[k][d];
    }
}

/* Axis d moves into axis d + 1 if every operand steps from one to the other without a gap. */
static bool merge_axis(fz__nest *nest, int d) {
    for (int k = 0; k < nest->operands; k++) {
        if (nest->strides[k][d] != nest->strides[k][d + 1] * nest->shape[d + 1]) return false;
    }
    nest->shape[d + 1] *= nest->shape[d];
    return true;
}

void fz__nest_remove_axis(fz__nest *nest, int d) {
    nest->ndim--;
    for (int e = d; e < nest->ndim; e++) {
        nest->shape[e] = nest->shape[e + 1];
        for (int k = 0; k < nest->operands; k++) nest->strides[k][e] = nest->strides[k][e + 1];
    }
}

static void normalize_nest(fz__nest *nest) {
    for (int d = nest->ndim - 1; d >= 0; d--) {
        if (nest->shape[d] == 1)
            fz__nest_remove_axis(nest, d);
        else if (nest->strides[nest->operands - 1][d] < 0)
            flip_axis(nest, d);
    }
    for (int i = 1; i < nest->ndim; i++) { /* insertion sort: few axes, mostly in order */
        for (int d = i; d > 0 && !is_outer(nest, d - 1, d); d--) swap_axes(nest, d - 1, d);
    }
    for (int d = nest->ndim - 2; d >= 0; d--) {
        if (merge_axis(nest, d)) fz__nest_remove_axis(nest, d);
    }
}

fz_status fz__nest_init(fz__nest *nest, const char *operation, int operands, const fz_array *const arrays[]) {
    const fz_array *out = arrays[operands - 1];
    nest->ndim = out->ndim;
    nest->operands = operands;
    nest->size = fz__array_size(out);
    for (int d = 0; d < out->ndim; d++) nest->shape[d] = out->shape[d];
    for (int k = 0; k < operands; k++) {
        nest->data[k] = arrays[k]->data;
        fz_status status = broadcast_strides(arrays[k], out, operation, nest->strides[k]);
        if (status) return status;
    }
    if (nest->size) normalize_nest(nest);
    return FZ_OK;
}

void fz__nest_copy(fz__nest *to, const fz__nest *from) {
    memcpy(to, from, offsetof(fz__nest, strides) + (size_t)from->operands * sizeof from->strides[0]);
}

void fz__nest_seek(const fz__nest *nest, ptrdiff_t index, ptrdiff_t coordinates[], char *pointers[]) {
    for (int k = 0; k < nest->operands; k++) pointers[k] = nest->data[k];
    for (int d = nest->ndim - 1; d >= 0; d--) {
        coordinates[d] = index % nest->shape[d];
        index /= nest->shape[d];
        for (int k = 0; k < nest->operands; k++) pointers[k] += coordinates[d] * nest->strides[k][d];
    }
}

/* From the start of a row to the start of the next. */
static void next_row(const fz__nest *nest, ptrdiff_t coordinates[], char *pointers[]) {
    for (int d = nest->ndim - 2; d >= 0; d--) {
        const bool carry = ++coordinates[d] == nest->shape[d];
        const ptrdiff_t steps = carry ? 1 - nest->shape[d] : 1;
        for (int k = 0; k < nest->operands; k++) pointers[k] += steps * nest->strides[k][d];
        if (!carry) return;
        coordinates[d] = 0;
    }
}

void fz__nest_walk(const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end, fz__visit_row *visit,
                   void *context) {
    const int inner = nest->ndim - 1;
    char *pointers[FZ_MAX_NEST_OPERANDS];
    ptrdiff_t coordinates[FZ_MAX_NDIM], strides[FZ_MAX_NEST_OPERANDS];
    if (begin >= end) return;
    fz__nest_seek(nest, begin, coordinates, pointers);
    for (int k = 0; k < nest->operands; k++) strides[k] = inner < 0 ? 0 : nest->strides[k][inner];
    const ptrdiff_t row = inner < 0 ? 1 : nest->shape[inner];
    for (ptrdiff_t column = inner < 0 ? 0 : coordinates[inner]; begin < end; column = 0) {
        const ptrdiff_t n = fz__min(row - column, end - begin);
        visit(context, n, pointers, strides);
        begin += n;
        for (int k = 0; k < nest->operands; k++) pointers[k] -= column * strides[k];
        next_row(nest, coordinates, pointers);
    }
}

void fz__nest_walk_planes(const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end, fz__visit_row *visit_row,
                          fz__visit_plane *visit_plane, void *context) {
    const int outer = nest->ndim - 2;
    const ptrdiff_t n = nest->shape[outer + 1];
    const ptrdiff_t first = fz__min(end, fz__ceil_div(begin, n) * n), last = fz__max(first, end / n * n);
    fz__nest_walk(nest, begin, first, visit_row, context);
    for (ptrdiff_t i = first, rows; i < last; i += rows * n) {
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        char *pointers[FZ_MAX_NEST_OPERANDS];
        fz__nest_seek(nest, i, coordinates, pointers);
        rows = fz__min((last - i) / n, nest->shape[outer] - coordinates[outer]);
        visit_plane(context, rows, pointers);
    }
    fz__nest_walk(nest, last, end, visit_row, context);
}
