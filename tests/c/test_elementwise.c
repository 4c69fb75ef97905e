/* Every element-wise operation, at every length, alignment, stride, mix of dtypes and broadcast. */
#include "elementwise_oracle.h"
#include "instruction_set.h"

static uint64_t state = 3;
static operand x, y, out;

#define FOR_EACH_OPERATION(op) for (fz_op op = 0; op < FZ_OP_COUNT; op++)
#define FOR_EACH_LOOP(op, t)                  \
    for (fz_dtype t = 0; t < FZ_FLOAT16; t++) \
        if (has_loop(op, t))
#define LONGEST_VECTOR 64

static void fill_inputs(void) {
    fill_any(&x.view, &state);
    fill_any(&y.view, &state);
}

/* All operands of n elements without gaps, at one end of their memory, less their skews. */
static void place_lines(fz_op op, fz_dtype dtype, ptrdiff_t n, placement where, const int skews[3]) {
    operand_line(&x, dtype, n, where, skews[0]);
    operand_line(&y, dtype, n, where, skews[1]);
    operand_line(&out, result_dtype(op, dtype), n, where, skews[2]);
    operand_scribble(&out);
    fill_inputs();
}

/* Computes into out, into x and into y. */
static void check_out_of_place_and_in_place(fz_op op) {
    check_call(op, &x.view, &y.view, &out);
    check_call(op, &x.view, &y.view, &x);
    fill_inputs();
    check_call(op, &x.view, &y.view, &y);
    check_call(op, &x.view, &x.view, &x);
}

static void test_every_length_between_unmapped_pages(fz_op op, fz_dtype dtype) {
    ptrdiff_t longest = 4 * LONGEST_VECTOR / (ptrdiff_t)fz_dtype_size(dtype) + 3;
    for (ptrdiff_t n = 0; n <= longest; n++) {
        check_case("%s %s, n %td, unmapped before", operations[op].name, fz_dtype_name(dtype), n);
        place_lines(op, dtype, n, AT_BEGIN, (int[]){0, 0, 0});
        check_out_of_place_and_in_place(op);
        check_case("%s %s, n %td, unmapped after", operations[op].name, fz_dtype_name(dtype), n);
        place_lines(op, dtype, n, AT_END, (int[]){0, 0, 0});
        check_out_of_place_and_in_place(op);
    }
}

static void test_misaligned(fz_op op, fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {1, 5, 16, 33, 67, 700};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int skew = 1; skew < 8; skew++) {
            check_case("%s %s, n %td, skew %d", operations[op].name, fz_dtype_name(dtype), lengths[l], skew);
            place_lines(op, dtype, lengths[l], AT_BEGIN, (int[]){skew, 7 - skew, skew * 3 % 8});
            check_out_of_place_and_in_place(op);
            place_lines(op, dtype, lengths[l], AT_END, (int[]){0, skew, 0});
            check_out_of_place_and_in_place(op);
            place_lines(op, dtype, lengths[l], AT_END, (int[]){skew, 0, skew});
            check_out_of_place_and_in_place(op);
        }
    }
}

/* Strides in elements, or where they are odd (in both senses) in bytes. */
static ptrdiff_t byte_stride(int code, fz_dtype dtype) {
    return code > 100 || code < -100 ? code : code * (ptrdiff_t)fz_dtype_size(dtype);
}

static void test_strides(fz_op op, fz_dtype dtype, ptrdiff_t n) {
    static const int in[] = {0, 1, -1, 2, -3, 101, -103}, to[] = {1, -1, 2, -5, 105, -101};
    for (size_t i = 0; i < 7; i++)
        for (size_t j = 0; j < 7; j++)
            for (size_t k = 0; k < 6; k++) {
                check_case("%s %s, n %td, stride codes %d, %d, %d", operations[op].name, fz_dtype_name(dtype),
                           n, in[i], in[j], to[k]);
                ptrdiff_t strides[3] = {byte_stride(in[i], dtype), byte_stride(in[j], dtype),
                                        byte_stride(to[k], result_dtype(op, dtype))};
                placement where = (i + j + k) % 2 ? AT_BEGIN : AT_END;
                operand_place(&x, dtype, 1, &n, &strides[0], where, 0);
                operand_place(&y, dtype, 1, &n, &strides[1], where, 0);
                operand_place(&out, result_dtype(op, dtype), 1, &n, &strides[2], where, 0);
                fill_inputs();
                operand_scribble(&out);
                check_call(op, &x.view, &y.view, &out);
            }
}

/* Many at once come from pairs, of which the last has no second. */
static void test_every_other_element(fz_dtype dtype) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), stride = 2 * size;
    for (ptrdiff_t n = 60; n < 200; n++) {
        check_case("add %s, every other of %td", fz_dtype_name(dtype), n);
        operand_place(&x, dtype, 1, &n, &stride, AT_END, n % 9 * size);
        operand_place(&y, dtype, 1, &n, &stride, AT_END, n % 3);
        operand_line(&out, dtype, n, AT_END, 0);
        fill_inputs();
        operand_scribble(&out);
        check_call(FZ_OP_add, &x.view, &y.view, &out);
    }
}

/* 0-d, and one element that broadcasts, on either side and on both. */
static void test_scalars(fz_op op, fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {0, 1, 2, 7, 40, 1300}, one = 1, odd = 12345;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int scalars = 0; scalars < 9; scalars++) {
            check_case("%s %s, n %td, scalars %d", operations[op].name, fz_dtype_name(dtype), lengths[l],
                       scalars);
            place_lines(op, dtype, lengths[l], AT_END, (int[]){0, 0, 0});
            if (scalars % 3) operand_place(&x, dtype, scalars % 3 - 1, &one, &odd, AT_END, 0);
            if (scalars / 3) operand_place(&y, dtype, scalars / 3 - 1, &one, &odd, AT_END, 0);
            fill_inputs();
            check_call(op, &x.view, &y.view, &out);
        }
    }
    check_case("%s %s of scalars", operations[op].name, fz_dtype_name(dtype));
    operand_place(&x, dtype, 0, NULL, NULL, AT_END, 0);
    operand_place(&y, dtype, 0, NULL, NULL, AT_END, 0);
    operand_place(&out, dtype, 0, NULL, NULL, AT_END, 0);
    fill_inputs();
    check_out_of_place_and_in_place(op);
}

static void test_mixed_dtypes(fz_op op) {
    static const ptrdiff_t lengths[] = {0, 1, 3, 8, 17, 40, 511, 512, 513, 1025};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int mix = 0; mix < 16; mix++) {
            check_case("%s, mix of dtypes %d, n %td", operations[op].name, mix, lengths[l]);
            ptrdiff_t n = lengths[l], stride = 24;
            operand_line(&x, mix & 1 ? FZ_FLOAT64 : FZ_FLOAT32, n, AT_END, 0);
            operand_place(&y, mix & 2 ? FZ_FLOAT64 : FZ_FLOAT32, 1, &n, mix & 8 ? &stride : NULL, AT_BEGIN,
                          0);
            operand_place(&out, mix & 4 ? FZ_FLOAT64 : FZ_FLOAT32, 1, &n, mix & 8 ? &stride : NULL, AT_END,
                          0);
            fill_inputs();
            operand_scribble(&out);
            check_call(op, &x.view, &y.view, &out);
        }
    }
}

/* Gaps, order and direction of the axes at random; no two elements in one place. */
static void place_shuffled(operand *o, fz_dtype dtype, int ndim, const ptrdiff_t shape[]) {
    ptrdiff_t strides[3], step = (ptrdiff_t)fz_dtype_size(dtype) * (random_below(&state, 3) == 0 ? 2 : 1);
    int order[3] = {0, 1, 2};
    bool c_order = random_below(&state, 2);
    for (int d = ndim - 1; d >= 0; d--) {
        int chosen = c_order ? d : (int)random_below(&state, (size_t)d + 1), axis = order[chosen];
        order[chosen] = order[d];
        strides[axis] = random_below(&state, 4) ? step : -step;
        step *= shape[axis] + (ptrdiff_t)(random_below(&state, 3) == 0);
    }
    operand_place(o, dtype, ndim, shape, strides, random_below(&state, 2) ? AT_BEGIN : AT_END, 0);
}

static void place_broadcast(operand *o, fz_dtype dtype, int ndim, const ptrdiff_t shape[]) {
    int kept = (int)random_below(&state, (size_t)ndim + 1);
    ptrdiff_t own[3];
    for (int d = 0; d < kept; d++) own[d] = random_below(&state, 3) ? shape[ndim - kept + d] : 1;
    place_shuffled(o, dtype, kept, own);
}

static void test_broadcasting(fz_op op, fz_dtype dtype) {
    for (int trial = 0; trial < 150; trial++) {
        check_case("%s %s, broadcast %d", operations[op].name, fz_dtype_name(dtype), trial);
        int ndim = 2 + trial % 2;
        ptrdiff_t shape[3] = {(ptrdiff_t)random_below(&state, 9), (ptrdiff_t)random_below(&state, 9),
                              (ptrdiff_t)random_below(&state, trial % 10 ? 40 : 700)};
        const ptrdiff_t *axes = shape + 3 - ndim;
        place_broadcast(&x, dtype, ndim, axes);
        place_broadcast(&y, dtype, ndim, axes);
        place_shuffled(&out,
                       trial % 7         ? result_dtype(op, dtype)
                       : is_float(dtype) ? FZ_FLOAT32
                                         : dtype,
                       ndim, axes);
        fill_inputs();
        operand_scribble(&out);
        check_call(op, &x.view, &y.view, &out);
    }
}

enum { WHOLE, ROW, COLUMN, KINDS };

/* As much of `rows` rows of n elements as broadcasts to them; with gaps between the rows or without. */
static void place_plane(operand *o, fz_dtype dtype, ptrdiff_t rows, ptrdiff_t n, int kind, ptrdiff_t gap,
                        placement where) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype);
    const ptrdiff_t shape[] = {kind == ROW ? 1 : rows, kind == COLUMN ? 1 : n};
    operand_place(o, dtype, 2, shape, (ptrdiff_t[]){(shape[1] + gap) * size, size}, where, 0);
}

/* Into an array of its own and, where the shapes allow it, in place. */
static void check_plane(fz_op op, fz_dtype dtype, ptrdiff_t rows, ptrdiff_t n, int x_kind, int y_kind,
                        ptrdiff_t gap) {
    const placement where = gap ? AT_BEGIN : AT_END;
    check_case("%s %s, %td rows of %td, kinds %d and %d, gap %td", operations[op].name, fz_dtype_name(dtype),
               rows, n, x_kind, y_kind, gap);
    place_plane(&x, dtype, rows, n, x_kind, gap, where);
    place_plane(&y, dtype, rows, n, y_kind, 0, where);
    place_plane(&out, result_dtype(op, dtype), rows, n, WHOLE, gap, where);
    operand_scribble(&out);
    fill_inputs();
    check_call(op, &x.view, &y.view, &out);
    if (x_kind == WHOLE) check_call(op, &x.view, &y.view, &x);
    fill_inputs();
    if (y_kind == WHOLE) check_call(op, &x.view, &y.view, &y);
}

static void test_planes(fz_op op, fz_dtype dtype) {
    const ptrdiff_t lanes = LONGEST_VECTOR / (ptrdiff_t)fz_dtype_size(dtype);
    const ptrdiff_t lengths[] = {2, 3, lanes - 1, lanes, lanes + 1, 4 * lanes + 3};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int kinds = 0; kinds < KINDS * KINDS; kinds++)
            check_plane(op, dtype, 5, lengths[l], kinds / KINDS, kinds % KINDS, (ptrdiff_t)l % 2);
    }
}

/* Rows so long that their stores are brought to a boundary. */
static void test_long_rows(fz_op op, fz_dtype dtype) {
    for (int kinds = 0; kinds < KINDS * KINDS; kinds++)
        check_plane(op, dtype, 3, 4 * 8 * LONGEST_VECTOR + 5, kinds / KINDS, kinds % KINDS, 1);
}

/* Which zero maximum(0, -0) gives may be open, but not depend on where in the array it stands. */
static void test_zeros_are_treated_alike_everywhere(fz_op op, fz_dtype dtype) {
    check_case("%s %s of zeros", operations[op].name, fz_dtype_name(dtype));
    for (int signs = 0; signs < 4; signs++) {
        place_lines(op, dtype, 67, AT_END, (int[]){0, 0, 0});
        for (ptrdiff_t i = 0; i < 67; i++) {
            put(&x.view, i, signs & 1 ? -0.0 : 0.0);
            put(&y.view, i, signs & 2 ? -0.0 : 0.0);
        }
        check_call(op, &x.view, &y.view, &out);
        for (ptrdiff_t i = 1; i < 67; i++)
            CHECK(same_double(get(&out.view, 0), get(&out.view, i)), "signs %d, element %td", signs, i);
    }
}

/* fz_elementwise converts its inputs to the dtype it is told. */
static void test_computing_dtype(fz_op op) {
    for (int mix = 0; mix < 16; mix++) {
        check_case("fz_elementwise %s, mix of dtypes %d", operations[op].name, mix);
        fz_dtype dtype = mix & 8 ? FZ_FLOAT64 : FZ_FLOAT32;
        operand_line(&x, mix & 1 ? FZ_FLOAT64 : FZ_FLOAT32, 100, AT_END, 0);
        operand_line(&y, mix & 2 ? FZ_FLOAT64 : FZ_FLOAT32, 100, AT_BEGIN, 0);
        operand_line(&out, mix & 4 ? FZ_FLOAT64 : FZ_FLOAT32, 100, AT_END, 0);
        fill_inputs();
        const fz_array *y_or_none = operations[op].arity > 1 ? &y.view : NULL;
        long double *expected = expected_elements(op, dtype, &x.view, y_or_none, &out.view);
        const fz_array *inputs[3] = {&x.view, y_or_none, &x.view};
        if (CHECK(fz_elementwise(op, dtype, inputs, &out.view) == FZ_OK, "%s", fz_error_message()))
            for (ptrdiff_t i = 0; i < 100; i++)
                CHECK(is_expected(op, narrower(dtype, out.view.dtype), get(&out.view, i), expected[i]),
                      "element %td is %a, not %La", i, get(&out.view, i), expected[i]);
        free(expected);
    }
}

static void place_spread(operand *o, fz_dtype dtype, ptrdiff_t rows, ptrdiff_t n, fz_spread spread) {
    if (spread == FZ_SPREAD_NUMBER)
        operand_place(o, FZ_FLOAT64, 0, NULL, NULL, AT_END, 0);
    else
        place_plane(o, dtype, rows, n,
                    spread == FZ_SPREAD_ROW      ? ROW
                    : spread == FZ_SPREAD_COLUMN ? COLUMN
                                                 : WHOLE,
                    0, AT_END);
}

static void check_gapless(fz_op op, fz_dtype dtype, ptrdiff_t rows, ptrdiff_t n, const fz_spread spreads[]) {
    check_case("gapless %s %s, %td rows of %td, spreads %d and %d", operations[op].name, fz_dtype_name(dtype),
               rows, n, spreads[0], spreads[1]);
    place_spread(&x, dtype, rows, n, spreads[0]);
    place_spread(&y, dtype, rows, n, spreads[1]);
    place_plane(&out, result_dtype(op, dtype), rows, n, WHOLE, 0, AT_END);
    fill_inputs();
    const fz_array *y_or_none = operations[op].arity > 1 ? &y.view : NULL;
    long double *expected = expected_elements(op, dtype, &x.view, y_or_none, &out.view);
    const void *inputs[] = {x.view.data, y.view.data};
    if (CHECK(fz_elementwise_gapless(op, dtype, (size_t)rows, (size_t)n, inputs, spreads, out.view.data) ==
                  FZ_OK,
              "%s", fz_error_message()))
        for (ptrdiff_t i = 0; i < rows * n; i++)
            CHECK(is_expected(op, dtype, get(&out.view, i), expected[i]), "element %td is %a, not %La", i,
                  get(&out.view, i), expected[i]);
    free(expected);
}

/* The short way for one and two operands, each an array, one number for all elements, a row or a column. */
static void test_gapless(fz_op op, fz_dtype dtype) {
    if (operations[op].arity > 2) return;
    for (int spread = 0; spread < (operations[op].arity > 1 ? 16 : 4); spread++) {
        const fz_spread spreads[] = {(fz_spread)(spread % 4), (fz_spread)(spread / 4)};
        const bool has_rows = spreads[0] >= FZ_SPREAD_ROW || spreads[1] >= FZ_SPREAD_ROW;
        const bool has_number = spreads[0] == FZ_SPREAD_NUMBER || spreads[1] == FZ_SPREAD_NUMBER;
        if (has_number && !is_float(dtype)) continue;
        for (ptrdiff_t n = 1; n < 70; n += 1 + n / (has_rows ? 2 : 8))
            check_gapless(op, dtype, has_rows ? 3 : 1, n, spreads);
    }
}

static void test_gapless_refuses(void) {
    const int64_t bases[] = {2, 3}, exponents[] = {1, -1};
    int64_t powers[] = {7, 7};
    const void *inputs[] = {bases, exponents};
    const fz_spread spreads[2] = {FZ_SPREAD_NONE, FZ_SPREAD_NONE};
    check_case("gapless integers to a negative power");
    CHECK(fz_elementwise_gapless(FZ_OP_power, FZ_INT64, 1, 2, inputs, spreads, powers) == FZ_ERROR_VALUE);
    check_case("gapless neighbours of float16");
    CHECK(fz_elementwise_gapless(FZ_OP_nextafter, FZ_FLOAT16, 1, 2, inputs, spreads, powers) ==
          FZ_ERROR_DTYPE);
    check_case("gapless sine of integers");
    CHECK(fz_elementwise_gapless(FZ_OP_sin, FZ_INT64, 1, 2, inputs, spreads, powers) == FZ_ERROR_DTYPE);
    CHECK(powers[0] == 7 && powers[1] == 7);
    CHECK(fz_op_result(FZ_OP_sin, FZ_INT64) == FZ_DTYPE_COUNT);
    CHECK(fz_op_result(FZ_OP_nextafter, FZ_BFLOAT16) == FZ_DTYPE_COUNT);
    CHECK(fz_op_result(FZ_OP_less, FZ_INT64) == FZ_BOOL);
    CHECK(fz_op_result(FZ_OP_add, FZ_INT64) == FZ_INT64);
}

static void test_gapless_of_nothing(void) {
    const double numbers[] = {1, 2, 3};
    double sums[] = {7};
    const void *inputs[] = {numbers, numbers};
    for (int spread = 0; spread < 16; spread++) {
        const fz_spread spreads[] = {(fz_spread)(spread % 4), (fz_spread)(spread / 4)};
        check_case("gapless nothing, spreads %d and %d", spreads[0], spreads[1]);
        CHECK(fz_elementwise_gapless(FZ_OP_add, FZ_FLOAT64, 3, 0, inputs, spreads, sums) == FZ_OK);
        CHECK(fz_elementwise_gapless(FZ_OP_add, FZ_FLOAT64, 0, 3, inputs, spreads, sums) == FZ_OK);
    }
    CHECK(sums[0] == 7);
}

static void test_names(fz_op op) {
    check_case("names");
    CHECK(strcmp(fz_op_name(op), operations[op].name) == 0);
    CHECK(fz_op_arity(op) == operations[op].arity);
    CHECK(fz_op_doc(op) && strlen(fz_op_doc(op)) > 5);
}

/* float16 has loops of its own for what is rounded. Numbers whose results it holds exactly. */
static void test_float16_between_unmapped_pages(fz_op op) {
    enum { MOST = 150 };
    static double a[MOST], b[MOST], got[MOST];
    const ptrdiff_t stride = sizeof *a;
    for (int i = 0; i < MOST; i++) a[i] = 1 + i * 7 % 40, b[i] = 1 << i % 4;
    for (ptrdiff_t n = 0; n <= MOST; n++)
        for (placement where = AT_BEGIN; where <= AT_END; where++) {
            check_case("%s float16, n %td, unmapped %s", operations[op].name, n, where ? "after" : "before");
            operand_line(&x, FZ_FLOAT16, n, where, 0);
            operand_line(&y, FZ_FLOAT16, n, where, 0);
            operand_line(&out, FZ_FLOAT16, n, where, 0);
            CHECK(fz_copy(&(fz_array){a, FZ_FLOAT64, 1, &n, &stride}, &x.view) == FZ_OK);
            CHECK(fz_copy(&(fz_array){b, FZ_FLOAT64, 1, &n, &stride}, &y.view) == FZ_OK);
            CHECK(operations[op].binary(&x.view, &y.view, &out.view) == FZ_OK, "%s", fz_error_message());
            CHECK(fz_copy(&out.view, &(fz_array){got, FZ_FLOAT64, 1, &n, &stride}) == FZ_OK);
            for (ptrdiff_t i = 0; i < n; i++)
                CHECK(got[i] == (double)exact_enough(op, a[i], b[i], 0), "element %td is %g", i, got[i]);
        }
}

/* Large enough to be split. */
static void test_any_number_of_threads(fz_op op, fz_dtype dtype) {
    static const int threads[] = {1, 2, 3, 7};
    int before = fz_get_num_threads();
    for (size_t i = 0; i < 4; i++) {
        check_case("%s %s on %d threads", operations[op].name, fz_dtype_name(dtype), threads[i]);
        CHECK(fz_set_num_threads(threads[i]) == FZ_OK);
        place_lines(op, dtype, 60001, AT_END, (int[]){0, 0, 0});
        check_call(op, &x.view, &y.view, &out);
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

int main(void) {
    check_begin_kernels();
    x = operand_create(1 << 19), y = operand_create(1 << 19), out = operand_create(1 << 19);
    FOR_EACH_OPERATION(op) {
        test_names(op);
        if (has_loop(op, FZ_FLOAT64)) {
            test_mixed_dtypes(op);
            test_computing_dtype(op);
        }
        FOR_EACH_LOOP(op, dtype) {
            test_every_length_between_unmapped_pages(op, dtype);
            test_misaligned(op, dtype);
            test_strides(op, dtype, 20);
            test_scalars(op, dtype);
            test_gapless(op, dtype);
            test_broadcasting(op, dtype);
            test_planes(op, dtype);
            test_zeros_are_treated_alike_everywhere(op, dtype);
        }
    }
    for (fz_dtype dtype = 0; dtype < FZ_FLOAT16; dtype++) test_every_other_element(dtype);
    for (fz_op op = FZ_OP_add; op <= FZ_OP_divide; op++) test_float16_between_unmapped_pages(op);
    test_gapless_refuses();
    test_gapless_of_nothing();
    test_strides(FZ_OP_subtract, FZ_FLOAT64, 1100);
    test_strides(FZ_OP_square, FZ_FLOAT32, 1100);
    test_long_rows(FZ_OP_subtract, FZ_FLOAT64);
    test_long_rows(FZ_OP_maximum, FZ_UINT8);
    test_long_rows(FZ_OP_less, FZ_INT16);
    test_long_rows(FZ_OP_less, FZ_FLOAT32);
    test_long_rows(FZ_OP_where, FZ_FLOAT32);
    test_any_number_of_threads(FZ_OP_divide, FZ_FLOAT64);
    test_any_number_of_threads(FZ_OP_absolute, FZ_FLOAT32);
    test_any_number_of_threads(FZ_OP_less, FZ_INT32);
    test_any_number_of_threads(FZ_OP_where, FZ_INT8);
    operand_destroy(&x), operand_destroy(&y), operand_destroy(&out);
    return check_end();
}
