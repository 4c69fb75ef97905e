/* Matrix products: every fringe of the register tile, every layout, the stated error bound, any dtype and number of
   threads; stacks, vectors, packed matrices and layers. */
#include "instruction_set.h"
#include "matmul.h"
#include "operand.h"

static uint64_t state = 6;
static operand a, b, c;

/* How the elements of a matrix lie in memory. */
typedef enum layout { ROWS, COLUMNS, REVERSED, SPREAD, UNALIGNED, LAYOUTS } layout;

static void place_matrix(operand *o, fz_dtype dtype, ptrdiff_t rows, ptrdiff_t columns, layout how,
                         placement where) {
    ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype);
    ptrdiff_t strides[LAYOUTS][2] = {
        [ROWS] = {columns * size, size},
        [COLUMNS] = {size, rows * size},
        [REVERSED] = {-(columns + 1) * size, -size},
        [SPREAD] = {3 * size, 3 * rows * size + size},
        [UNALIGNED] = {columns * size + 3, size},
    };
    operand_place(o, dtype, 2, (ptrdiff_t[]){rows, columns}, strides[how], where, 0);
}

static void fill_inputs(void) {
    fill_unit(&a.view, &state);
    fill_unit(&b.view, &state);
}

/* Calls fz_matmul and holds every element against long double: NaN where it is NaN, the same infinity
   where it is infinite, else within k * eps * |a| |b|. */
static void check_product(void) {
    operand_scribble(&c);
    operand_remember(&a), operand_remember(&b), operand_remember(&c);
    fz_status status = fz_matmul(&a.view, &b.view, &c.view);
    if (!CHECK(status == FZ_OK, "%s", fz_error_message())) return;
    ptrdiff_t m = a.shape[0], k = a.shape[1], n = b.shape[1], wrong = 0;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            long double sum = 0, magnitude = 0;
            for (ptrdiff_t p = 0; p < k; p++) {
                long double product = (long double)get2(&a.view, i, p) * get2(&b.view, p, j);
                sum += product;
                magnitude += fabsl(product);
            }
            double value = get2(&c.view, i, j);
            bool right = isnan(sum) ? isnan(value)
                         : isinf(sum)
                             ? value == (double)sum
                             : fabsl(value - sum) <= (long double)k * epsilon(c.view.dtype) * magnitude;
            if (!right && wrong++ == 0) CHECK(right, "c[%td][%td] is %a, not %La", i, j, value, sum);
        }
    CHECK(wrong == 0, "%td of %td elements are wrong", wrong, m * n);
    CHECK(operand_unchanged_around(&c), "wrote beside the output");
    CHECK(operand_unchanged(&a) && operand_unchanged(&b), "wrote an input");
}

static void test_product(fz_dtype dtype, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const layout how[3],
                         placement where) {
    check_case("%s, m %td, n %td, k %td, layouts %d %d %d, %s", fz_dtype_name(dtype), m, n, k, how[0], how[1],
               how[2], where == AT_BEGIN ? "unmapped before" : "unmapped after");
    place_matrix(&a, dtype, m, k, how[0], where);
    place_matrix(&b, dtype, k, n, how[1], where);
    place_matrix(&c, dtype, m, n, how[2], where);
    fill_inputs();
    check_product();
}

/* Sizes around nothing, one tile and two. */
static int fringe_sizes(int tile, ptrdiff_t sizes[]) {
    const int candidates[] = {0,        1,           2, tile / 2, tile - 1, tile, tile + 1, 2 * tile - 1,
                              2 * tile, 2 * tile + 1};
    int count = 0;
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (count == 0 || candidates[i] > sizes[count - 1]) sizes[count++] = candidates[i];
    return count;
}

static void test_fringes(fz_dtype dtype) {
    static const ptrdiff_t depths[] = {0, 1, 2, 3, 4, 5, 8, 17};
    ptrdiff_t rows[10], columns[10];
    int row_count = fringe_sizes(fz__kernels(dtype)->matmul->mr, rows);
    int column_count = fringe_sizes(fz__kernels(dtype)->matmul->nr, columns), trial = 0;
    for (int i = 0; i < row_count; i++)
        for (int j = 0; j < column_count; j++)
            for (int k = 0; k < 8; k++, trial++) {
                layout how[3] = {ROWS, trial % 3 ? ROWS : COLUMNS, ROWS};
                test_product(dtype, rows[i], columns[j], depths[k], how, trial % 2 ? AT_BEGIN : AT_END);
            }
}

/* Any m, n, k from 0 to 2 * tile + 1, and any layouts: a sample of them. */
static void test_sampled_sizes(fz_dtype dtype) {
    size_t mr = (size_t)fz__kernels(dtype)->matmul->mr, nr = (size_t)fz__kernels(dtype)->matmul->nr;
    for (int trial = 0; trial < 500; trial++) {
        layout how[3];
        for (int k = 0; k < 3; k++) how[k] = (layout)random_below(&state, LAYOUTS);
        test_product(dtype, (ptrdiff_t)random_below(&state, 2 * mr + 2),
                     (ptrdiff_t)random_below(&state, 2 * nr + 2), (ptrdiff_t)random_below(&state, 2 * nr + 2),
                     how, trial % 2 ? AT_BEGIN : AT_END);
    }
}

static void test_every_layout(fz_dtype dtype) {
    for (layout i = 0; i < LAYOUTS; i++)
        for (layout j = 0; j < LAYOUTS; j++)
            for (layout k = 0; k < LAYOUTS; k++) test_product(dtype, 19, 53, 11, (layout[]){i, j, k}, AT_END);
}

/* A row or a column that is repeated by a stride of zero is an input like another. */
static void test_repeated_inputs(fz_dtype dtype) {
    ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype);
    for (int which = 0; which < 4; which++) {
        check_case("%s, stride 0, case %d", fz_dtype_name(dtype), which);
        place_matrix(&a, dtype, 21, 13, ROWS, AT_END);
        place_matrix(&b, dtype, 13, 35, ROWS, AT_END);
        if (which & 1) operand_place(&a, dtype, 2, (ptrdiff_t[]){21, 13}, (ptrdiff_t[]){0, size}, AT_END, 0);
        if (which & 2) operand_place(&b, dtype, 2, (ptrdiff_t[]){13, 35}, (ptrdiff_t[]){size, 0}, AT_END, 0);
        place_matrix(&c, dtype, 21, 35, ROWS, AT_END);
        fill_inputs();
        check_product();
    }
}

/* Past every block: of k, of m, of n. */
static void test_several_blocks(fz_dtype dtype) {
    const layout rows[3] = {ROWS, ROWS, ROWS}, columns[3] = {COLUMNS, COLUMNS, COLUMNS};
    test_product(dtype, 37, 61, 1300, rows, AT_END);
    test_product(dtype, 700, 29, 40, rows, AT_END);
    test_product(dtype, 11, 4200, 23, rows, AT_END);
    test_product(dtype, 301, 203, 401, columns, AT_BEGIN);
    test_product(dtype, 1, 500, 700, rows, AT_END);
    test_product(dtype, 1, 20001, 30, rows, AT_END);
    test_product(dtype, 500, 1, 700, rows, AT_END);
    test_product(dtype, 1, 1, 5000, rows, AT_END);
    test_product(dtype, 1, 1, 50000, rows, AT_END);
    test_product(dtype, 7, 30, 9001, columns, AT_END);
    test_product(dtype, 33, 31, 20001, rows, AT_END);
    test_product(dtype, 100, 90, 8200, rows, AT_END);
    test_product(dtype, 37, 4203, 130, rows, AT_END);
    test_product(dtype, 9, 4096, 160, rows, AT_END);
    test_product(dtype, 4, 803, 700, rows, AT_END);
    test_product(dtype, 1, 300, 2500, columns, AT_END);
    test_product(dtype, 300, 1, 2500, (const layout[]){COLUMNS, SPREAD, SPREAD}, AT_END);
}

/* A NaN or an infinity reaches its row or column and, through the padding of panels, nothing else. */
static void test_special_values(fz_dtype dtype) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
    for (int trial = 0; trial < 60; trial++) {
        check_case("%s, special values, trial %d", fz_dtype_name(dtype), trial);
        ptrdiff_t m = 1 + (ptrdiff_t)random_below(&state, 40), n = 1 + (ptrdiff_t)random_below(&state, 60);
        ptrdiff_t k = 1 + (ptrdiff_t)random_below(&state, 30);
        place_matrix(&a, dtype, m, k, ROWS, AT_END);
        place_matrix(&b, dtype, k, n, trial % 2 ? COLUMNS : ROWS, AT_END);
        place_matrix(&c, dtype, m, n, ROWS, AT_END);
        fill_inputs();
        for (int s = 0; s < 1 + trial % 4; s++) {
            put(&a.view, (ptrdiff_t)random_below(&state, (size_t)(m * k)), special[random_below(&state, 5)]);
            put(&b.view, (ptrdiff_t)random_below(&state, (size_t)(k * n)), special[random_below(&state, 5)]);
        }
        check_product();
    }
}

/* What an earlier call left in scratch and output must not matter. */
static void test_scratch_is_clean(fz_dtype dtype) {
    check_case("%s, after a product of NaN", fz_dtype_name(dtype));
    place_matrix(&a, dtype, 100, 100, ROWS, AT_END);
    place_matrix(&b, dtype, 100, 100, ROWS, AT_END);
    place_matrix(&c, dtype, 100, 100, ROWS, AT_END);
    for (ptrdiff_t i = 0; i < 10000; i++) put(&a.view, i, NAN), put(&b.view, i, NAN);
    check_product();
    const layout rows[3] = {ROWS, ROWS, ROWS};
    for (ptrdiff_t n = 1; n < 30; n++) test_product(dtype, n, n + 1, n + 2, rows, AT_END);
}

static void test_bits_do_not_depend_on_threads(fz_dtype dtype, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k) {
    static const int threads[] = {1, 2, 3, 7};
    int before = fz_get_num_threads();
    place_matrix(&a, dtype, m, k, ROWS, AT_END);
    place_matrix(&b, dtype, k, n, ROWS, AT_END);
    place_matrix(&c, dtype, m, n, ROWS, AT_END);
    fill_inputs();
    for (int t = 0; t < 4; t++) {
        check_case("%s, m %td, n %td, k %td on %d threads", fz_dtype_name(dtype), m, n, k, threads[t]);
        CHECK(fz_set_num_threads(threads[t]) == FZ_OK);
        operand_scribble(&c);
        CHECK(fz_matmul(&a.view, &b.view, &c.view) == FZ_OK, "%s", fz_error_message());
        if (t == 0) operand_remember(&c);
        CHECK(operand_unchanged(&c), "other bits than on one thread");
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- whole numbers ----------------------------------------------------------------------------- */

/* Integers of any bits; of floats small ones, so that sums of a few products are exact. */
static void fill_whole(const fz_array *x) {
    const ptrdiff_t size = view_size(x);
    for (ptrdiff_t i = 0; i < size; i++)
        put(x, i,
            is_float(x->dtype) ? (double)random_below(&state, 9) - 4 : random_integer(x->dtype, &state));
}

/* Of integers the low bits of an exact sum; of bools whether any product is true. */
static bool is_sum(const char *element, fz_dtype dtype, uint64_t sum) {
    if (is_float(dtype)) return load(dtype, element) == (double)(int64_t)sum;
    const uint64_t bits = dtype == FZ_BOOL ? sum != 0 : sum;
    return memcmp(element, &bits, fz_dtype_size(dtype)) == 0; /* little-endian, as every machine here */
}

static ptrdiff_t count_wrong_sums(void) {
    const ptrdiff_t m = a.shape[0], k = a.shape[1], n = b.shape[1];
    ptrdiff_t wrong = 0;
    for (ptrdiff_t i = 0; i < m; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            uint64_t sum = 0;
            for (ptrdiff_t p = 0; p < k; p++)
                sum += (uint64_t)(int64_t)get2(&a.view, i, p) * (uint64_t)(int64_t)get2(&b.view, p, j);
            wrong += !is_sum((char *)c.view.data + i * c.strides[0] + j * c.strides[1], c.view.dtype, sum);
        }
    return wrong;
}

static void check_whole(fz_dtype dtype, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const layout how[3],
                        placement where) {
    check_case("%s, m %td, n %td, k %td, layouts %d %d %d, unmapped %s", fz_dtype_name(dtype), m, n, k,
               how[0], how[1], how[2], where == AT_BEGIN ? "before" : "after");
    place_matrix(&a, dtype, m, k, how[0], where);
    place_matrix(&b, dtype, k, n, how[1], where);
    place_matrix(&c, dtype, m, n, how[2], where);
    fill_whole(&a.view);
    fill_whole(&b.view);
    operand_scribble(&c);
    operand_remember(&c);
    if (!CHECK(fz_matmul(&a.view, &b.view, &c.view) == FZ_OK, "%s", fz_error_message())) return;
    const ptrdiff_t wrong = count_wrong_sums();
    CHECK(wrong == 0, "%td elements are wrong", wrong);
    CHECK(operand_unchanged_around(&c), "wrote beside the output");
}

/* Every m and n up to two tiles and one more, of the kernel that multiplies this dtype; k is a step alone, or is whole
   groups of 2 or 4 elements with and without a rest. */
static void test_every_fringe(fz_dtype dtype) {
    static const ptrdiff_t depths[] = {1, 4, 5};
    const fz_matmul_kernels *matmul = fz__matmul_kernels(dtype, 1);
    int trial = 0;
    for (ptrdiff_t m = 1; m <= 2 * matmul->mr + 1; m++)
        for (ptrdiff_t n = 1; n <= 2 * matmul->nr + 1; n++)
            for (int d = 0; d < 3; d++, trial++) {
                const layout how[3] = {trial % 7 ? ROWS : COLUMNS, trial % 5 ? ROWS : COLUMNS, ROWS};
                check_whole(dtype, m, n, depths[d], how, trial % 2 ? AT_BEGIN : AT_END);
            }
}

static void test_integers(void) {
    for (fz_dtype dtype = FZ_BOOL; dtype <= FZ_UINT64; dtype++) {
        for (int trial = 0; trial < 60; trial++) {
            layout how[3];
            for (int k = 0; k < 3; k++) how[k] = (layout)random_below(&state, LAYOUTS);
            check_whole(dtype, (ptrdiff_t)random_below(&state, 20), (ptrdiff_t)random_below(&state, 100),
                        (ptrdiff_t)random_below(&state, 70), how, trial % 2 ? AT_BEGIN : AT_END);
        }
        const layout rows[3] = {ROWS, ROWS, ROWS};
        check_whole(dtype, 9, 17, 1500, rows, AT_END);
        check_whole(dtype, 1, 100, 9000, rows, AT_END);
        check_whole(dtype, 70, 1, 300, rows, AT_END);
    }
}

/* ---- packed matrices and layers ------------------------------------------------------------------- */

static void test_packed(fz_dtype dtype) {
    for (int trial = 0; trial < 60; trial++) {
        const ptrdiff_t m = 2 + (ptrdiff_t)random_below(&state, 40),
                        n = 2 + (ptrdiff_t)random_below(&state, 120);
        const ptrdiff_t k = (ptrdiff_t)random_below(&state, trial % 8 ? 60 : 1400);
        check_case("%s packed, m %td, n %td, k %td", fz_dtype_name(dtype), m, n, k);
        place_matrix(&a, dtype, m, k, (layout)random_below(&state, LAYOUTS), AT_END);
        place_matrix(&b, dtype, k, n, (layout)random_below(&state, LAYOUTS), AT_END);
        place_matrix(&c, dtype, m, n, ROWS, AT_END);
        fill_inputs();
        fz_packed *packed = NULL;
        CHECK(fz_matmul(&a.view, &b.view, &c.view) == FZ_OK, "%s", fz_error_message());
        operand_remember(&c);
        if (!CHECK(fz_pack_matrix(&b.view, &packed) == FZ_OK, "%s", fz_error_message())) return;
        operand_scribble(&b);
        CHECK(fz_matmul_packed(&a.view, packed, &c.view) == FZ_OK, "%s", fz_error_message());
        CHECK(operand_unchanged(&c), "other bits than unpacked");
        fz_packed_free(packed);
    }
    check_case("%s packed, of another dtype", fz_dtype_name(dtype));
    fz_packed *packed = NULL;
    place_matrix(&a, dtype == FZ_FLOAT32 ? FZ_FLOAT64 : FZ_FLOAT32, 3, 4, ROWS, AT_END);
    place_matrix(&b, dtype, 4, 5, ROWS, AT_END);
    place_matrix(&c, FZ_FLOAT64, 3, 5, ROWS, AT_END);
    operand_remember(&c);
    CHECK(fz_pack_matrix(&b.view, &packed) == FZ_OK);
    const fz_status expected = dtype == FZ_FLOAT32 ? FZ_ERROR_DTYPE : FZ_OK;
    CHECK(fz_matmul_packed(&a.view, packed, &c.view) == expected, "%s", fz_error_message());
    CHECK(expected == FZ_OK || operand_unchanged(&c), "failed and wrote");
    fz_packed_free(packed);
}

/* relu is exact, so that a layer is a product, a sum and a comparison. */
static void test_layers(fz_dtype dtype) {
    operand bias = operand_create(1 << 16), product = operand_create(1 << 20);
    for (int trial = 0; trial < 80; trial++) {
        const ptrdiff_t m = 1 + (ptrdiff_t)random_below(&state, 30),
                        n = 1 + (ptrdiff_t)random_below(&state, 90);
        const ptrdiff_t k = (ptrdiff_t)random_below(&state, trial % 8 ? 40 : 1200);
        check_case("%s layer, m %td, n %td, k %td", fz_dtype_name(dtype), m, n, k);
        place_matrix(&a, dtype, m, k, (layout)random_below(&state, LAYOUTS), AT_END);
        place_matrix(&b, dtype, n, k, (layout)random_below(&state, LAYOUTS), AT_END);
        place_matrix(&c, dtype, m, n, (layout)random_below(&state, LAYOUTS), AT_END);
        const ptrdiff_t step = (ptrdiff_t)fz_dtype_size(dtype) * (trial % 3 - 1 ? trial % 3 - 1 : 2);
        operand_place(&bias, dtype, 1, &n, &step, AT_END, 0);
        fill_inputs();
        fill_unit(&bias.view, &state);
        place_matrix(&product, dtype, m, n, ROWS, AT_END);
        const fz_array transposed = {b.view.data, dtype, 2, (ptrdiff_t[]){k, n},
                                     (ptrdiff_t[]){b.strides[1], b.strides[0]}};
        CHECK(fz_matmul(&a.view, &transposed, &product.view) == FZ_OK, "%s", fz_error_message());
        operand_scribble(&c);
        operand_remember(&c);
        CHECK(fz_linear(&a.view, &b.view, NULL, &bias.view, FZ_OP_relu, &c.view) == FZ_OK, "%s",
              fz_error_message());
        ptrdiff_t wrong = 0;
        for (ptrdiff_t i = 0; i < m * n; i++) {
            const double sum = get(&product.view, i) + get(&bias.view, i % n);
            const double rounded = dtype == FZ_FLOAT32 ? (double)(float)sum : sum;
            wrong += fabs(get(&c.view, i) - (rounded > 0 ? rounded : 0)) > 1e-6 * (1 + (double)k);
        }
        CHECK(wrong == 0, "%td elements are wrong", wrong);
        CHECK(operand_unchanged_around(&c), "wrote beside the output");
    }
    check_case("layers that make no sense");
    place_matrix(&a, dtype, 3, 4, ROWS, AT_END);
    place_matrix(&b, dtype, 5, 4, ROWS, AT_END);
    place_matrix(&c, dtype, 3, 5, ROWS, AT_END);
    operand_line(&bias, dtype, 4, AT_END, 0);
    operand_remember(&c);
    CHECK(fz_linear(&a.view, &b.view, NULL, &bias.view, FZ_OP_COUNT, &c.view) == FZ_ERROR_SHAPE);
    CHECK(fz_linear(&b.view, &c.view, NULL, NULL, FZ_OP_COUNT, &c.view) == FZ_ERROR_SHAPE);
    CHECK(fz_linear(&a.view, &b.view, NULL, NULL, FZ_OP_add, &c.view) == FZ_ERROR_VALUE);
    CHECK(fz_linear(&a.view, &b.view, NULL, NULL, FZ_OP_isnan, &c.view) == FZ_ERROR_VALUE);
    CHECK(operand_unchanged(&c), "failed and wrote");
    operand_destroy(&bias), operand_destroy(&product);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(const fz_array *left, const fz_array *right, fz_array *to, fz_status expected) {
    operand_remember(&a), operand_remember(&b), operand_remember(&c);
    fz_status status = fz_matmul(left, right, to);
    CHECK(status == expected, "gave %d (%s), not %d", status, fz_error_message(), expected);
    CHECK(strncmp(fz_error_message(), "matmul: ", 8) == 0, "'%s'", fz_error_message());
    CHECK(operand_unchanged(&a) && operand_unchanged(&b) && operand_unchanged(&c), "failed and wrote");
}

static void test_refusals(void) {
    check_case("refusals");
    const fz_dtype f64 = FZ_FLOAT64;
    place_matrix(&a, f64, 2, 3, ROWS, AT_END);
    place_matrix(&b, f64, 2, 3, ROWS, AT_END);
    place_matrix(&c, f64, 2, 3, ROWS, AT_END);
    check_refused(&a.view, &b.view, &c.view, FZ_ERROR_SHAPE);
    CHECK(strstr(fz_error_message(), "(2, 3)") && strstr(fz_error_message(), "must equal"), "'%s'",
          fz_error_message());

    place_matrix(&b, f64, 3, 4, ROWS, AT_END);
    check_refused(&a.view, &b.view, &c.view, FZ_ERROR_SHAPE); /* c is (2, 3), not (2, 4) */
    place_matrix(&c, f64, 4, 2, ROWS, AT_END);
    check_refused(&a.view, &b.view, &c.view, FZ_ERROR_SHAPE);
    place_matrix(&c, FZ_FLOAT32, 2, 4, ROWS, AT_END);
    check_refused(&a.view, &b.view, &c.view, FZ_ERROR_DTYPE);
    place_matrix(&c, f64, 2, 4, ROWS, AT_END);
    fz_array line = a.view, cube = a.view, scalar = a.view;
    line.ndim = 1, scalar.ndim = 0;
    cube.ndim = 3, cube.shape = (ptrdiff_t[]){1, 2, 3}, cube.strides = (ptrdiff_t[]){48, 24, 8};
    check_refused(&line, &b.view, &c.view, FZ_ERROR_SHAPE);
    check_refused(&a.view, &line, &c.view, FZ_ERROR_SHAPE);
    check_refused(&cube, &b.view, &c.view, FZ_ERROR_SHAPE);
    check_refused(&scalar, &b.view, &c.view, FZ_ERROR_SHAPE);
    check_refused(&a.view, &scalar, &c.view, FZ_ERROR_SHAPE);
    fz_array repeated = c.view;
    repeated.strides = (ptrdiff_t[]){0, 8};
    check_refused(&a.view, &b.view, &repeated, FZ_ERROR_OVERLAP);
}

static void test_overlap_is_refused(void) {
    check_case("overlap");
    place_matrix(&a, FZ_FLOAT64, 4, 4, ROWS, AT_BEGIN);
    place_matrix(&b, FZ_FLOAT64, 4, 4, ROWS, AT_BEGIN);
    place_matrix(&c, FZ_FLOAT64, 4, 4, ROWS, AT_BEGIN);
    for (ptrdiff_t shift = 0; shift < 16; shift += 5) {
        fz_array inside = c.view;
        inside.data = (char *)a.view.data + 8 * shift;
        check_refused(&a.view, &b.view, &inside, FZ_ERROR_OVERLAP);
        inside.data = (char *)b.view.data + 8 * shift;
        check_refused(&a.view, &b.view, &inside, FZ_ERROR_OVERLAP);
    }
    fz_array beside = c.view;
    beside.data = (char *)a.view.data + 8 * 16;
    fill_inputs();
    CHECK(fz_matmul(&a.view, &b.view, &beside) == FZ_OK, "neighbours share nothing: %s", fz_error_message());
    CHECK(fz_matmul(&a.view, &a.view, &c.view) == FZ_OK, "inputs may be one: %s", fz_error_message());
}

int main(void) {
    check_begin_kernels();
    a = operand_create(1 << 23), b = operand_create(1 << 23), c = operand_create(1 << 22);
    test_refusals();
    test_overlap_is_refused();
    test_integers();
    for (fz_dtype dtype = 0; dtype < FZ_DTYPE_COUNT; dtype++) test_every_fringe(dtype);
    for (fz_dtype dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
        test_packed(dtype);
        test_layers(dtype);
        test_fringes(dtype);
        test_sampled_sizes(dtype);
        test_every_layout(dtype);
        test_repeated_inputs(dtype);
        test_several_blocks(dtype);
        test_special_values(dtype);
        test_scratch_is_clean(dtype);
        test_bits_do_not_depend_on_threads(dtype, 300, 310, 320);
        test_bits_do_not_depend_on_threads(dtype, 17, 900, 400);
        test_bits_do_not_depend_on_threads(dtype, 900, 17, 400);
        test_bits_do_not_depend_on_threads(dtype, 30, 40, 20000);
        test_bits_do_not_depend_on_threads(dtype, 1, 900, 800);
        test_bits_do_not_depend_on_threads(dtype, 1, 1, 300000);
        test_bits_do_not_depend_on_threads(dtype, 900, 1, 800);
    }
    operand_destroy(&a), operand_destroy(&b), operand_destroy(&c);
    return check_end();
}
