/* Transposition: any permutation of any axes, bit for bit. */
#include "instruction_set.h"
#include "operand.h"

static uint64_t state = 7;
static operand x, out;

/* Any bits at all: a copy must not touch signalling NaNs. */
static void fill_bits(const operand *o) {
    for (char *p = o->memory.begin; p < o->memory.end; p += 8) memcpy(p, &(uint64_t){random_bits(&state)}, 8);
}

static bool same_bytes(const char *a, const char *b) {
    return memcmp(a, b, fz_dtype_size(x.view.dtype)) == 0;
}

/* Transposes x into out, which is placed, and compares each element with where it came from. */
static void check_transpose(const int axes[]) {
    operand_remember(&out), operand_remember(&x);
    if (!CHECK(fz_transpose(&x.view, axes, &out.view) == FZ_OK, "%s", fz_error_message())) return;
    int ndim = x.view.ndim;
    ptrdiff_t size = view_size(&out.view), right = 0;
    for (; right < size; right++) {
        ptrdiff_t rest = right, offset = 0;
        for (int d = ndim - 1; d >= 0; rest /= out.shape[d--])
            offset += rest % out.shape[d] * x.strides[axes ? axes[d] : ndim - 1 - d];
        if (!same_bytes(element(&out.view, right), (char *)x.view.data + offset)) break;
    }
    CHECK(right == size, "element %td of %td differs", right, size);
    CHECK(operand_unchanged_around(&out), "wrote beside the output");
    CHECK(operand_unchanged(&x), "wrote the input");
}

/* An output of x's shape with the axes permuted. */
static void place_output(const int axes[], const ptrdiff_t strides[], placement where, ptrdiff_t skew) {
    int ndim = x.view.ndim;
    ptrdiff_t shape[OPERAND_MAX_NDIM];
    for (int d = 0; d < ndim; d++) shape[d] = x.shape[axes ? axes[d] : ndim - 1 - d];
    operand_place(&out, x.view.dtype, ndim, shape, strides, where, skew);
    operand_scribble(&out);
}

static void test_planes(fz_dtype dtype) {
    static const ptrdiff_t longer[] = {63, 64, 65, 127, 130, 300};
    for (ptrdiff_t i = 0; i < 34 + 6; i++)
        for (ptrdiff_t j = 0; j < 34 + 6; j++) {
            ptrdiff_t shape[2] = {i < 34 ? i : longer[i - 34], j < 34 ? j : longer[j - 34]};
            placement where = (i + j) % 2 ? AT_BEGIN : AT_END;
            check_case("%s, (%td, %td)", fz_dtype_name(dtype), shape[0], shape[1]);
            operand_place(&x, dtype, 2, shape, NULL, where, 0);
            place_output(NULL, NULL, where, 0);
            check_transpose(NULL);
        }
}

/* Gaps, negative steps and odd addresses on either side. */
static void test_strided_planes(fz_dtype dtype) {
    ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), shape[2] = {37, 21};
    const ptrdiff_t in[][2] = {{21 * size, size}, {-30 * size, size},    {size, 37 * size},
                               {0, size},         {21 * size + 3, size}, {-2 * size, 100 * size}};
    const ptrdiff_t to[][2] = {
        {37 * size, size}, {-40 * size, -size}, {size, 21 * size}, {75 * size + 1, 2 * size}};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 4; j++)
            for (ptrdiff_t skew = 0; skew < 4; skew++) {
                check_case("%s, strides %d to %d, skew %td", fz_dtype_name(dtype), i, j, skew);
                operand_place(&x, dtype, 2, shape, in[i], AT_END, skew);
                place_output(NULL, to[j], AT_BEGIN, (skew * 3) % 4);
                check_transpose(NULL);
            }
}

/* Rows that lie a power of two apart, on one side or both, with a fringe of tiles in each direction. */
static void test_distant_rows(fz_dtype dtype) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), shape[2] = {131, 197};
    const ptrdiff_t in[][2] = {{4096, size}, {-8192, size}, {197 * size, size}};
    const ptrdiff_t to[][2] = {{4096, size}, {-4096, size}, {131 * size, size}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            check_case("%s, strides %d to %d of distant rows", fz_dtype_name(dtype), i, j);
            operand_place(&x, dtype, 2, shape, in[i], AT_END, 0);
            place_output(NULL, to[j], AT_BEGIN, size);
            check_transpose(NULL);
        }
}

static void swap(int *a, int *b) {
    int old = *a;
    *a = *b, *b = old;
}

/* The next permutation in lexicographic order; false after the last. */
static bool next_permutation(int n, int axes[]) {
    int i = n - 2, j = n - 1;
    while (i >= 0 && axes[i] > axes[i + 1]) i--;
    if (i < 0) return false;
    while (axes[j] < axes[i]) j--;
    swap(&axes[i], &axes[j]);
    for (int low = i + 1, high = n - 1; low < high; low++, high--) swap(&axes[low], &axes[high]);
    return true;
}

static void test_every_permutation(fz_dtype dtype) {
    static const ptrdiff_t shapes[][4] = {
        {3, 5, 7, 9}, {1, 20, 1, 33}, {2, 0, 3, 4}, {17, 2, 19, 1}, {1, 1, 1, 1}};
    for (int s = 0; s < 5; s++)
        for (int ndim = 0; ndim <= 4; ndim++) {
            int axes[4] = {0, 1, 2, 3};
            operand_place(&x, dtype, ndim, shapes[s], NULL, AT_END, 0);
            do {
                check_case("%s, shape %d, axes %d %d %d %d of %d", fz_dtype_name(dtype), s, axes[0], axes[1],
                           axes[2], axes[3], ndim);
                place_output(axes, NULL, AT_END, 0);
                check_transpose(axes);
            } while (next_permutation(ndim, axes));
        }
}

static void test_any_number_of_threads(fz_dtype dtype) {
    static const int threads[] = {1, 2, 3, 7};
    int before = fz_get_num_threads(), axes[3] = {2, 0, 1};
    for (int t = 0; t < 4; t++) {
        check_case("%s on %d threads", fz_dtype_name(dtype), threads[t]);
        CHECK(fz_set_num_threads(threads[t]) == FZ_OK);
        operand_place(&x, dtype, 2, (ptrdiff_t[]){601, 433}, NULL, AT_END, 0);
        place_output(NULL, NULL, AT_END, 0);
        check_transpose(NULL);
        operand_place(&x, dtype, 3, (ptrdiff_t[]){61, 63, 65}, NULL, AT_END, 0);
        place_output(axes, NULL, AT_END, 0);
        check_transpose(axes);
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(const fz_array *to, const int axes[], fz_status expected) {
    fz_array target = *to;
    operand_remember(&x), operand_remember(&out);
    fz_status status = fz_transpose(&x.view, axes, &target);
    CHECK(status == expected, "gave %d (%s), not %d", status, fz_error_message(), expected);
    CHECK(strncmp(fz_error_message(), "transpose: ", 11) == 0, "'%s'", fz_error_message());
    CHECK(operand_unchanged(&x) && operand_unchanged(&out), "failed and wrote");
}

static void test_refusals(void) {
    check_case("refusals");
    operand_place(&x, FZ_FLOAT64, 2, (ptrdiff_t[]){2, 3}, NULL, AT_BEGIN, 0);
    operand_place(&out, FZ_FLOAT64, 2, (ptrdiff_t[]){2, 3}, NULL, AT_END, 0);
    check_refused(&out.view, NULL, FZ_ERROR_SHAPE);
    operand_place(&out, FZ_FLOAT64, 1, (ptrdiff_t[]){6}, NULL, AT_END, 0);
    check_refused(&out.view, NULL, FZ_ERROR_SHAPE);
    operand_place(&out, FZ_FLOAT64, 2, (ptrdiff_t[]){3, 2}, NULL, AT_END, 0);
    check_refused(&out.view, (int[]){0, 0}, FZ_ERROR_SHAPE);
    check_refused(&out.view, (int[]){1, 2}, FZ_ERROR_AXIS);
    check_refused(&out.view, (int[]){1, -3}, FZ_ERROR_AXIS);
    operand_place(&out, FZ_FLOAT64, 2, (ptrdiff_t[]){3, 2}, (ptrdiff_t[]){0, 8}, AT_END, 0);
    check_refused(&out.view, NULL, FZ_ERROR_OVERLAP);
    operand_place(&out, FZ_FLOAT32, 2, (ptrdiff_t[]){3, 2}, NULL, AT_END, 0);
    check_refused(&out.view, NULL, FZ_ERROR_DTYPE);
    fz_array inside = out.view;
    inside.dtype = FZ_FLOAT64, inside.strides = (ptrdiff_t[]){16, 8}, inside.data = (char *)x.view.data + 40;
    check_refused(&inside, NULL, FZ_ERROR_OVERLAP);
    inside.data = x.view.data;
    check_refused(&inside, NULL, FZ_ERROR_OVERLAP);
}

int main(void) {
    check_begin_kernels();
    x = operand_create(1 << 22), out = operand_create(1 << 22);
    fill_bits(&x);
    for (fz_dtype dtype = 0; dtype < FZ_FLOAT16; dtype++) {
        test_planes(dtype);
        test_strided_planes(dtype);
        test_distant_rows(dtype);
        test_every_permutation(dtype);
        test_any_number_of_threads(dtype);
    }
    test_refusals();
    operand_destroy(&x), operand_destroy(&out);
    return check_end();
}
