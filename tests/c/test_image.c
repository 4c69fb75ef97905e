/* conv2d and max_pool2d against naive loops: every small window, every fringe width, layouts, NaN. */
#include "instruction_set.h"
#include "operand.h"

static uint64_t state = 8;
static operand x, weight, out;

static void place(operand *o, fz_dtype dtype, ptrdiff_t h, ptrdiff_t w, const ptrdiff_t strides[],
                  placement where) {
    operand_place(o, dtype, 2, (ptrdiff_t[]){h, w}, strides, where, 0);
}

/* ---- conv2d ---------------------------------------------------------------------------------- */

/* The sum of the window at i, j, and that of its terms' magnitudes. */
static long double convolved(ptrdiff_t i, ptrdiff_t j, long double *magnitude) {
    long double sum = 0;
    *magnitude = 0;
    for (ptrdiff_t p = 0; p < weight.shape[0]; p++)
        for (ptrdiff_t q = 0; q < weight.shape[1]; q++) {
            long double product = (long double)get2(&x.view, i + p, j + q) * get2(&weight.view, p, q);
            sum += product;
            *magnitude += fabsl(product);
        }
    return sum;
}

static bool is_convolved(ptrdiff_t i, ptrdiff_t j, double value) {
    long double magnitude, sum = convolved(i, j, &magnitude);
    if (isnan(sum)) return isnan(value);
    if (isinf(sum)) return value == (double)sum;
    return fabsl(value - sum) <= view_size(&weight.view) * (long double)epsilon(x.view.dtype) * magnitude;
}

static bool conv2d_succeeds(void) {
    operand_scribble(&out);
    operand_remember(&x), operand_remember(&weight), operand_remember(&out);
    fz_status status = fz_conv2d(&x.view, &weight.view, NULL, NULL, &out.view);
    return CHECK(status == FZ_OK, "%s", fz_error_message());
}

static void check_conv2d_wrote_only_out(void) {
    CHECK(operand_unchanged_around(&out), "wrote beside the output");
    CHECK(operand_unchanged(&x) && operand_unchanged(&weight), "wrote an input");
}

static void check_conv2d(void) {
    if (!conv2d_succeeds()) return;
    ptrdiff_t wrong = 0;
    for (ptrdiff_t i = 0; i < out.shape[0]; i++)
        for (ptrdiff_t j = 0; j < out.shape[1]; j++) {
            bool right = is_convolved(i, j, get2(&out.view, i, j));
            if (!right && wrong++ == 0) CHECK(right, "out[%td][%td] is %a", i, j, get2(&out.view, i, j));
        }
    CHECK(wrong == 0, "%td elements are wrong", wrong);
    check_conv2d_wrote_only_out();
}

/* h and w are the output's. */
static void test_conv2d(fz_dtype dtype, ptrdiff_t h, ptrdiff_t w, ptrdiff_t kh, ptrdiff_t kw,
                        placement where) {
    check_case("conv2d %s, out (%td, %td), weight (%td, %td)", fz_dtype_name(dtype), h, w, kh, kw);
    place(&x, dtype, h + kh - 1, w + kw - 1, NULL, where);
    place(&weight, dtype, kh, kw, NULL, where);
    place(&out, dtype, h, w, NULL, where);
    fill_unit(&x.view, &state);
    fill_unit(&weight.view, &state);
    check_conv2d();
}

static void test_conv2d_windows_and_widths(fz_dtype dtype) {
    ptrdiff_t widest = 4 * 64 / (ptrdiff_t)fz_dtype_size(dtype) + 3;
    for (ptrdiff_t kh = 1; kh <= 7; kh++)
        for (ptrdiff_t kw = 1; kw <= 7; kw++)
            for (ptrdiff_t w = 1 + (kh + kw) % 2; w <= widest; w += kh == kw ? 1 : 5)
                test_conv2d(dtype, 1 + (w + kh) % 9, w, kh, kw, w % 2 ? AT_BEGIN : AT_END);
    test_conv2d(dtype, 5, 40, 1, 30, AT_END);
    test_conv2d(dtype, 5, 40, 30, 1, AT_END);
    test_conv2d(dtype, 3, 3, 33, 35, AT_END);
    test_conv2d(dtype, 1, 1, 20, 20, AT_END);
}

static void test_conv2d_layouts(fz_dtype dtype) {
    ptrdiff_t s = (ptrdiff_t)fz_dtype_size(dtype);
    const ptrdiff_t strides[][2] = {{50 * s, s},     {s, 50 * s},  {-50 * s, -s}, {100 * s, 2 * s},
                                    {49 * s + 3, s}, {s, -55 * s}, {50 * s, -s},  {-50 * s, s}};
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++)
            for (int k = 0; k < 8; k++) {
                check_case("conv2d %s, layouts %d %d %d", fz_dtype_name(dtype), i, j, k);
                place(&x, dtype, 13, 41, strides[i], AT_END);
                place(&weight, dtype, 3, 4, strides[j], AT_BEGIN);
                place(&out, dtype, 11, 38, strides[k], AT_END);
                fill_unit(&x.view, &state);
                fill_unit(&weight.view, &state);
                check_conv2d();
            }
}

/* A repeated row, column or element is an input like another. */
static void test_conv2d_of_repeated_elements(fz_dtype dtype) {
    ptrdiff_t s = (ptrdiff_t)fz_dtype_size(dtype);
    const ptrdiff_t strides[][2] = {{0, s}, {s, 0}, {0, 0}};
    for (int i = 0; i < 9; i++) {
        check_case("conv2d %s, stride 0, case %d", fz_dtype_name(dtype), i);
        place(&x, dtype, 10, 40, strides[i % 3], AT_END);
        place(&weight, dtype, 3, 3, strides[i / 3], AT_END);
        place(&out, dtype, 8, 38, NULL, AT_END);
        fill_unit(&x.view, &state);
        fill_unit(&weight.view, &state);
        check_conv2d();
    }
}

/* Rows, or columns, that are all the same: a column times a row. */
static void test_conv2d_products(fz_dtype dtype) {
    ptrdiff_t s = (ptrdiff_t)fz_dtype_size(dtype), widest = 4 * 64 / s + 3;
    for (ptrdiff_t w = 1; w <= widest; w++)
        for (ptrdiff_t k = 3; k <= 9; k++) {
            ptrdiff_t h = 1 + (w + k) % 9, kh = 12 - k + w % 3;
            check_case("conv2d %s, out (%td, %td), products (%td, %td)", fz_dtype_name(dtype), h, w, kh, k);
            place(&x, dtype, h + kh - 1, w + k - 1, NULL, w % 2 ? AT_BEGIN : AT_END);
            place(&weight, dtype, kh, k, w % 4 < 2 ? (ptrdiff_t[]){0, s} : (ptrdiff_t[]){s, 0}, AT_END);
            place(&out, dtype, h, w, NULL, w % 2 ? AT_BEGIN : AT_END);
            fill_unit(&x.view, &state);
            fill_unit(&weight.view, &state);
            check_conv2d();
        }
}

/* A NaN, or an infinity times a zero weight, reaches the windows that contain it and no other. */
static void test_conv2d_special_values(fz_dtype dtype) {
    static const double special[] = {NAN, INFINITY, -INFINITY};
    for (int trial = 0; trial < 60; trial++) {
        check_case("conv2d %s, special values, trial %d", fz_dtype_name(dtype), trial);
        ptrdiff_t h = 3 + trial % 7, w = 3 + (ptrdiff_t)random_below(&state, 60);
        place(&x, dtype, h, w, NULL, AT_END);
        place(&weight, dtype, 3, 3, NULL, AT_END);
        place(&out, dtype, h - 2, w - 2, NULL, AT_END);
        fill_unit(&x.view, &state);
        fill_unit(&weight.view, &state);
        put(&weight.view, trial % 9, 0);
        put(&x.view, (ptrdiff_t)random_below(&state, (size_t)(h * w)), special[trial % 3]);
        check_conv2d();
    }
}

#define LARGE 41 /* the side of a window that goes by Fourier transforms */
#define SIDE 110 /* and of the output */

/* Off by a few roundings of the largest sum of magnitudes, and the same bits on any number of threads. */
static void test_conv2d_of_large_windows(fz_dtype dtype, placement where) {
    static const int threads[] = {1, 2, 3, 7};
    static long double exact[SIDE][SIDE];
    static char first[SIDE * SIDE * sizeof(double)];
    check_case("conv2d %s, a large window, placement %d", fz_dtype_name(dtype), (int)where);
    place(&x, dtype, SIDE + LARGE - 1, SIDE + LARGE - 1, NULL, where);
    place(&weight, dtype, LARGE, LARGE, NULL, where);
    place(&out, dtype, SIDE, SIDE, NULL, where);
    fill_unit(&x.view, &state);
    fill_unit(&weight.view, &state);
    long double magnitude, largest = 0;
    for (ptrdiff_t i = 0; i < SIDE; i++)
        for (ptrdiff_t j = 0; j < SIDE; j++) {
            exact[i][j] = convolved(i, j, &magnitude);
            largest = magnitude > largest ? magnitude : largest;
        }
    const long double bound = 4 * 9 * (long double)epsilon(dtype) * largest; /* 9 is log2(512) */
    const size_t bytes = SIDE * SIDE * fz_dtype_size(dtype);
    int before = fz_get_num_threads();
    for (int t = 0; t < 4; t++) {
        CHECK(fz_set_num_threads(threads[t]) == FZ_OK);
        if (!conv2d_succeeds()) break;
        ptrdiff_t wrong = 0;
        for (ptrdiff_t i = 0; i < SIDE; i++)
            for (ptrdiff_t j = 0; j < SIDE; j++)
                wrong += !(fabsl(get2(&out.view, i, j) - exact[i][j]) <= bound);
        CHECK(wrong == 0, "%td elements are wrong on %d threads", wrong, threads[t]);
        check_conv2d_wrote_only_out();
        if (t == 0) memcpy(first, out.view.data, bytes);
        CHECK(memcmp(first, out.view.data, bytes) == 0, "other bits on %d threads", threads[t]);
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- max_pool2d ------------------------------------------------------------------------------ */

static double window_maximum(ptrdiff_t i, ptrdiff_t j, ptrdiff_t window) {
    double largest = get2(&x.view, i, j);
    for (ptrdiff_t p = 0; p < window; p++)
        for (ptrdiff_t q = 0; q < window; q++) {
            double value = get2(&x.view, i + p, j + q);
            if (isnan(value)) return NAN;
            if (value > largest) largest = value;
        }
    return largest;
}

static fz_status max_pool2d(const fz_array *from, ptrdiff_t window, ptrdiff_t stride, fz_array *to) {
    const fz_pool2d_options options = {
        .window = {window, window}, .stride = {stride, stride}, .dilation = {1, 1}, .count_padding = 1};
    return fz_pool2d(FZ_POOLING_MAX, from, &options, to);
}

/* x and out are placed. Zeros of either sign are equal. */
static void check_max_pool2d(ptrdiff_t window, ptrdiff_t stride) {
    operand_scribble(&out);
    operand_remember(&x), operand_remember(&out);
    if (!CHECK(max_pool2d(&x.view, window, stride, &out.view) == FZ_OK, "%s", fz_error_message())) return;
    ptrdiff_t wrong = 0;
    for (ptrdiff_t i = 0; i < out.shape[0]; i++)
        for (ptrdiff_t j = 0; j < out.shape[1]; j++) {
            double value = get2(&out.view, i, j), largest = window_maximum(i * stride, j * stride, window);
            bool right = isnan(largest) ? isnan(value) : value == largest;
            if (!right && wrong++ == 0) CHECK(right, "out[%td][%td] is %a, not %a", i, j, value, largest);
        }
    CHECK(wrong == 0, "%td elements are wrong", wrong);
    CHECK(operand_unchanged_around(&out), "wrote beside the output");
    CHECK(operand_unchanged(&x), "wrote the input");
}

static void test_max_pool2d(fz_dtype dtype, ptrdiff_t h, ptrdiff_t w, ptrdiff_t window, ptrdiff_t stride) {
    placement where = (h + w) % 2 ? AT_BEGIN : AT_END;
    check_case("max_pool2d %s, x (%td, %td), window %td, stride %td", fz_dtype_name(dtype), h, w, window,
               stride);
    place(&x, dtype, h, w, NULL, where);
    place(&out, dtype, (h - window) / stride + 1, (w - window) / stride + 1, NULL, where);
    if (w % 3)
        fill_unit(&x.view, &state);
    else
        fill_any(&x.view, &state);
    check_max_pool2d(window, stride);
}

static void test_max_pool2d_windows_and_widths(fz_dtype dtype) {
    for (ptrdiff_t window = 1; window <= 7; window++)
        for (ptrdiff_t stride = 1; stride <= 8; stride++)
            for (ptrdiff_t w = window; w <= 150; w += w < 40 ? 1 : 9)
                test_max_pool2d(dtype, window + w % (2 * stride + 1), w, window, stride);
    test_max_pool2d(dtype, 100, 100, 100, 1);
    test_max_pool2d(dtype, 90, 95, 31, 17);
    test_max_pool2d(dtype, 9, 9, 2, 1000);
}

static void test_max_pool2d_layouts(fz_dtype dtype) {
    ptrdiff_t s = (ptrdiff_t)fz_dtype_size(dtype);
    const ptrdiff_t strides[][2] = {
        {50 * s, s}, {s, 50 * s}, {-50 * s, -s}, {100 * s, 2 * s}, {49 * s + 3, s}};
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < 5; k++)
            for (ptrdiff_t stride = 1; stride <= 3; stride++) {
                check_case("max_pool2d %s, layouts %d %d, stride %td", fz_dtype_name(dtype), i, k, stride);
                const ptrdiff_t repeated[2][2] = {{0, s}, {s, 0}};
                place(&x, dtype, 13, 41, i < 5 ? strides[i] : repeated[i - 5], AT_END);
                place(&out, dtype, 10 / stride + 1, 38 / stride + 1, strides[k], AT_END);
                fill_any(&x.view, &state);
                check_max_pool2d(3, stride);
            }
}

/* ---- both ------------------------------------------------------------------------------------ */

static void test_any_number_of_threads(fz_dtype dtype) {
    static const int threads[] = {1, 2, 3, 7};
    int before = fz_get_num_threads();
    for (int t = 0; t < 4; t++) {
        CHECK(fz_set_num_threads(threads[t]) == FZ_OK);
        test_conv2d(dtype, 200, 300, 3, 3, AT_END);
        test_conv2d(dtype, 3, 5000, 5, 5, AT_END);
        test_max_pool2d(dtype, 301, 400, 2, 2);
        test_max_pool2d(dtype, 300, 200, 3, 1);
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(const char *operation, fz_status status, fz_status expected) {
    CHECK(status == expected, "gave %d (%s), not %d", status, fz_error_message(), expected);
    CHECK(strstr(fz_error_message(), operation), "'%s'", fz_error_message());
    CHECK(operand_unchanged(&x) && operand_unchanged(&weight) && operand_unchanged(&out), "failed and wrote");
}

static void refuse_conv2d(const fz_array *to, fz_status expected) {
    fz_array target = *to;
    operand_remember(&x), operand_remember(&weight), operand_remember(&out);
    check_refused("conv2d", fz_conv2d(&x.view, &weight.view, NULL, NULL, &target), expected);
}

static void test_conv2d_refusals(void) {
    static const ptrdiff_t bad_weights[][2] = {{6, 2}, {2, 7}, {0, 2}, {2, 0}, {0, 0}};
    check_case("conv2d refusals");
    place(&x, FZ_FLOAT64, 5, 6, NULL, AT_BEGIN);
    place(&out, FZ_FLOAT64, 4, 5, NULL, AT_END);
    for (int i = 0; i < 5; i++) {
        place(&weight, FZ_FLOAT64, bad_weights[i][0], bad_weights[i][1], NULL, AT_END);
        refuse_conv2d(&out.view, FZ_ERROR_SHAPE);
    }
    place(&weight, FZ_FLOAT64, 2, 2, NULL, AT_BEGIN);
    place(&out, FZ_FLOAT64, 5, 6, NULL, AT_END);
    refuse_conv2d(&out.view, FZ_ERROR_SHAPE);
    place(&out, FZ_FLOAT32, 4, 5, NULL, AT_END);
    refuse_conv2d(&out.view, FZ_ERROR_DTYPE);
    place(&out, FZ_FLOAT64, 4, 5, NULL, AT_END);
    fz_array other = out.view;
    other.ndim = 1;
    refuse_conv2d(&other, FZ_ERROR_SHAPE);
    other = out.view, other.data = (char *)x.view.data + 8;
    refuse_conv2d(&other, FZ_ERROR_OVERLAP);
    other.data = (char *)weight.view.data;
    refuse_conv2d(&other, FZ_ERROR_OVERLAP);
    other = out.view, other.strides = (ptrdiff_t[]){8, 8};
    refuse_conv2d(&other, FZ_ERROR_OVERLAP);
}

static void refuse_max_pool2d(ptrdiff_t window, ptrdiff_t stride, const fz_array *to, fz_status expected) {
    fz_array target = *to;
    operand_remember(&x), operand_remember(&out);
    check_refused("max_pool2d", max_pool2d(&x.view, window, stride, &target), expected);
}

static void test_max_pool2d_refusals(void) {
    check_case("max_pool2d refusals");
    place(&x, FZ_FLOAT64, 5, 6, NULL, AT_BEGIN);
    place(&out, FZ_FLOAT64, 2, 3, NULL, AT_END);
    refuse_max_pool2d(0, 2, &out.view, FZ_ERROR_VALUE);
    refuse_max_pool2d(-1, 2, &out.view, FZ_ERROR_VALUE);
    refuse_max_pool2d(2, 0, &out.view, FZ_ERROR_VALUE);
    refuse_max_pool2d(2, -2, &out.view, FZ_ERROR_VALUE);
    refuse_max_pool2d(2, 1, &out.view, FZ_ERROR_SHAPE);
    refuse_max_pool2d(6, 1, &out.view, FZ_ERROR_SHAPE);
    refuse_max_pool2d(PTRDIFF_MAX, PTRDIFF_MAX, &out.view, FZ_ERROR_SHAPE);
    fz_array other = out.view;
    other.data = (char *)x.view.data + 16;
    refuse_max_pool2d(2, 2, &other, FZ_ERROR_OVERLAP);
    other = out.view, other.dtype = FZ_FLOAT32;
    refuse_max_pool2d(2, 2, &other, FZ_ERROR_DTYPE);
    other = out.view, other.ndim = 1;
    refuse_max_pool2d(2, 2, &other, FZ_ERROR_SHAPE);
}

int main(void) {
    check_begin_kernels();
    x = operand_create(1 << 20), weight = operand_create(1 << 14), out = operand_create(1 << 20);
    test_conv2d_refusals();
    test_max_pool2d_refusals();
    for (fz_dtype dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
        test_conv2d_windows_and_widths(dtype);
        test_conv2d_layouts(dtype);
        test_conv2d_of_repeated_elements(dtype);
        test_conv2d_products(dtype);
        test_conv2d_special_values(dtype);
        test_conv2d_of_large_windows(dtype, AT_BEGIN);
        test_conv2d_of_large_windows(dtype, AT_END);
        test_max_pool2d_windows_and_widths(dtype);
        test_max_pool2d_layouts(dtype);
        test_any_number_of_threads(dtype);
    }
    operand_destroy(&x), operand_destroy(&weight), operand_destroy(&out);
    return check_end();
}
