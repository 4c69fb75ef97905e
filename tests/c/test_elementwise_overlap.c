/* Element-wise operations whose output overlaps an input in any way, and the calls that must be refused. */
#include <fenv.h>

#include "elementwise_oracle.h"
#include "instruction_set.h"

static uint64_t state = 4;

/* An input of n elements at `offset` bytes from the output's first, in the same memory. */
static fz_array shifted(const operand *out, ptrdiff_t offset, const ptrdiff_t *stride) {
    fz_array x = out->view;
    x.data = (char *)x.data + offset;
    if (stride) x.strides = stride;
    return x;
}

/* Every shift of one line against another, in elements and in bytes, forward and backward. */
static void test_shifted_lines(fz_op op, fz_dtype dtype, ptrdiff_t n, ptrdiff_t step) {
    ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), length = 5 * n, backward = -size,
              every_other = 2 * size;
    operand memory = operand_create((size_t)(length * size));
    for (ptrdiff_t offset = -n * size; offset <= n * size; offset += step) {
        check_case("%s %s, n %td, input at byte %td of the output", operations[op].name, fz_dtype_name(dtype),
                   n, offset);
        operand_place(&memory, dtype, 1, &length, NULL, AT_BEGIN, 0);
        fill_any(&memory.view, &state);
        operand_place(&memory, dtype, 1, &n, NULL, AT_BEGIN, 2 * n * size);
        fz_array x = shifted(&memory, offset, NULL),
                 reversed = shifted(&memory, (n - 1) * size + offset, &backward);
        fz_array spread = shifted(&memory, offset - n * size, &every_other);
        check_call(op, &x, &memory.view, &memory);
        check_call(op, &reversed, &x, &memory);
        check_call(op, &memory.view, &reversed, &memory);
        check_call(op, &spread, &x, &memory);
    }
    operand_destroy(&memory);
}

/* out = op(out.T), out = op(out[::-1]), windows of one plane, a row of the output broadcast over it. */
static void test_overlapping_planes(fz_op op, fz_dtype dtype, ptrdiff_t n) {
    check_case("%s %s, overlapping planes of %td", operations[op].name, fz_dtype_name(dtype), n);
    ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), whole[2] = {n + 2, n + 2}, shape[2] = {n, n};
    ptrdiff_t row = (n + 2) * size, strides[2] = {row, size}, transposed[2] = {size, row},
              turned[2] = {-row, -size};
    operand memory = operand_create((size_t)(whole[0] * row));
    operand_place(&memory, dtype, 2, whole, NULL, AT_BEGIN, 0);
    fill_any(&memory.view, &state);
    operand_place(&memory, dtype, 2, shape, strides, AT_BEGIN, row + size);

    fz_array x = shifted(&memory, 0, transposed), y = shifted(&memory, (n - 1) * (row + size), turned);
    check_call(op, &x, &x, &memory);
    check_call(op, &y, &x, &memory);
    for (ptrdiff_t i = -1; i <= 1; i++)
        for (ptrdiff_t j = -1; j <= 1; j++) {
            fz_array window = shifted(&memory, i * row + j * size, NULL);
            check_call(op, &memory.view, &window, &memory);
            check_call(op, &window, &y, &memory);
        }
    fz_array line = {(char *)memory.view.data + 2 * row, dtype, 1, shape, strides + 1}; /* row 2 of out */
    check_call(op, &line, &memory.view, &memory);
    fz_array scalar = {(char *)memory.view.data + row + size, dtype, 0, NULL, NULL}; /* out[1, 1] */
    check_call(op, &scalar, &memory.view, &memory);
    operand_destroy(&memory);
}

/* The input's elements have another size than the output's in the same bytes. */
static void test_overlap_of_two_dtypes(fz_op op) {
    for (int wide_out = 0; wide_out < 2; wide_out++)
        for (ptrdiff_t offset = -800; offset <= 800; offset += 100) {
            check_case("%s, %s output, other dtype's input at byte %td", operations[op].name,
                       wide_out ? "wide" : "narrow", offset);
            operand memory = operand_create(4096);
            ptrdiff_t n = 100, stride = wide_out ? 4 : 8, length = 512;
            operand_place(&memory, FZ_FLOAT64, 1, &length, NULL, AT_BEGIN, 0);
            fill_any(&memory.view, &state);
            operand_place(&memory, wide_out ? FZ_FLOAT64 : FZ_FLOAT32, 1, &n, NULL, AT_BEGIN, 1600);
            fz_array x = shifted(&memory, offset, &stride);
            x.dtype = wide_out ? FZ_FLOAT32 : FZ_FLOAT64;
            check_call(op, &x, &x, &memory);
            operand_destroy(&memory);
        }
}

/* Long enough to be split: no thread may read what another has written. */
static void test_overlap_on_several_threads(void) {
    int before = fz_get_num_threads();
    CHECK(fz_set_num_threads(4) == FZ_OK);
    test_shifted_lines(FZ_OP_add, FZ_FLOAT64, 40000, 40000 * 8 / 3);
    test_overlapping_planes(FZ_OP_subtract, FZ_FLOAT32, 250);
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(fz_op op, const fz_array *x, const fz_array *y, operand *out, fz_status status) {
    operand_remember(out);
    fz_status given = call(op, x, y, &out->view);
    CHECK(given == status, "%s gave %d (%s), not %d", operations[op].name, given, fz_error_message(), status);
    CHECK(strstr(fz_error_message(), operations[op].name), "the message does not name %s: '%s'",
          operations[op].name, fz_error_message());
    CHECK(operand_unchanged(out), "%s failed and wrote", operations[op].name);
}

static void test_refusals(fz_op op) {
    check_case("refusals of %s", operations[op].name);
    operand out = operand_create(4096), x = operand_create(4096);
    ptrdiff_t overlapping = 4, zero = 0, negative = -3, three = 3;
    fz_array wrong;

    operand_line(&x, FZ_FLOAT64, 3, AT_END, 0);
    operand_line(&out, FZ_FLOAT64, 4, AT_END, 0);
    check_refused(op, &x.view, &x.view, &out, FZ_ERROR_SHAPE);
    CHECK(strstr(fz_error_message(), "(3,)") && strstr(fz_error_message(), "(4,)"), "'%s'",
          fz_error_message());
    operand_line(&out, FZ_FLOAT64, 1, AT_END, 0);
    check_refused(op, &x.view, &x.view, &out, FZ_ERROR_SHAPE);

    operand_line(&out, FZ_FLOAT64, 3, AT_END, 0);
    wrong = x.view, wrong.shape = &negative;
    check_refused(op, &wrong, &wrong, &out, FZ_ERROR_SHAPE);
    wrong = x.view, wrong.ndim = FZ_MAX_NDIM + 1;
    check_refused(op, &wrong, &wrong, &out, FZ_ERROR_SHAPE);
    wrong = x.view, wrong.dtype = FZ_DTYPE_COUNT;
    check_refused(op, &wrong, &wrong, &out, FZ_ERROR_DTYPE);

    operand_place(&out, FZ_FLOAT64, 1, &three, &overlapping, AT_END, 0);
    check_refused(op, &x.view, &x.view, &out, FZ_ERROR_OVERLAP);
    operand_place(&out, FZ_FLOAT64, 1, &three, &zero, AT_END, 0);
    check_refused(op, &x.view, &x.view, &out, FZ_ERROR_OVERLAP);
    operand_destroy(&out), operand_destroy(&x);
}

/* A shape of 2^62 elements made by strides of zero is fine to read and impossible to write. */
static void test_huge_output_is_refused(fz_op op) {
    check_case("huge output of %s", operations[op].name);
    double value = 1, result = 2;
    ptrdiff_t shape[2] = {(ptrdiff_t)1 << 29, (ptrdiff_t)1 << 30}, strides[2] = {0, 0};
    fz_array x = {&value, FZ_FLOAT64, 0, NULL, NULL}, out = {&result, FZ_FLOAT64, 2, shape, strides};
    CHECK(call(op, &x, &x, &out) == FZ_ERROR_OVERLAP && result == 2, "%s", fz_error_message());
    shape[0] = (ptrdiff_t)1 << 40;
    CHECK(call(op, &x, &x, &out) == FZ_ERROR_SHAPE && result == 2, "%s", fz_error_message());
}

static void test_bad_numbers(void) {
    check_case("numbers that are no operation or dtype");
    double value = 1, result = 2;
    fz_array x = {&value, FZ_FLOAT64, 0, NULL, NULL}, out = {&result, FZ_FLOAT64, 0, NULL, NULL};
    const fz_array *inputs[3] = {&x, &x, &x};
    CHECK(fz_elementwise(FZ_OP_COUNT, FZ_FLOAT64, inputs, &out) != FZ_OK && result == 2);
    CHECK(fz_elementwise(FZ_OP_add, FZ_DTYPE_COUNT, inputs, &out) == FZ_ERROR_DTYPE && result == 2);
}

/* ---- the floating-point environment ---------------------------------------------------------- */

/* The unused lanes of a last vector raise no exception, and the rounding mode stays the caller's. */
static void test_environment(fz_op op, fz_dtype dtype) {
    operand x = operand_create(1024), y = operand_create(1024), out = operand_create(1024);
    for (ptrdiff_t n = 0; n < 70; n++) {
        check_case("exceptions of %s %s, n %td", operations[op].name, fz_dtype_name(dtype), n);
        operand_line(&x, dtype, n, AT_END, 0);
        operand_line(&y, dtype, n, AT_END, 0);
        operand_line(&out, dtype, n, AT_END, 0);
        for (ptrdiff_t i = 0; i < n; i++) put(&x.view, i, 4.0), put(&y.view, i, 2.0);
        feclearexcept(FE_ALL_EXCEPT);
        fz_status status = call(op, &x.view, &y.view, &out.view);
        int raised = fetestexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW | FE_UNDERFLOW);
        CHECK(status == FZ_OK && raised == 0, "raised %#x", raised);
    }
    CHECK(fegetround() == FE_TONEAREST);
    operand_destroy(&x), operand_destroy(&y), operand_destroy(&out);
}

/* NaN, infinities, zeros and extremes as inputs: no flag is raised or cleared, and the rounding
   mode stays. */
static void test_flags_stay_the_callers(fz_op op, fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {1, 3, 64, 100000};
    operand x = operand_create(100000 * 8), y = operand_create(100000 * 8), out = operand_create(100000 * 8);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int before = 0; before < 2; before++) {
            check_case("flags after %s %s, n %td", operations[op].name, fz_dtype_name(dtype), lengths[i]);
            operand_line(&x, dtype, lengths[i], AT_END, 0);
            operand_line(&y, dtype, lengths[i], AT_END, 0);
            operand_line(&out, dtype, lengths[i], AT_END, 0);
            fill_any(&x.view, &state), fill_any(&y.view, &state);
            put(&x.view, 0, -3.0), put(&y.view, 0, 0.0);
            feclearexcept(FE_ALL_EXCEPT);
            if (before) feraiseexcept(FE_OVERFLOW | FE_INVALID);
            fesetround(FE_UPWARD);
            int wanted = fetestexcept(FE_ALL_EXCEPT);
            fz_status status = call(op, &x.view, &y.view, &out.view);
            int flags = fetestexcept(FE_ALL_EXCEPT), mode = fegetround();
            fesetround(FE_TONEAREST);
            CHECK(status == FZ_OK && flags == wanted && mode == FE_UPWARD, "%#x, not %#x", flags, wanted);
        }
    feclearexcept(FE_ALL_EXCEPT);
    operand_destroy(&x), operand_destroy(&y), operand_destroy(&out);
}

int main(void) {
    check_begin_kernels();
    for (fz_op op = 0; op < FZ_OP_COUNT; op++) {
        if (!has_loop(op, FZ_FLOAT64)) continue;
        for (fz_dtype dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
            ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype);
            test_shifted_lines(op, dtype, 70, size);
            test_shifted_lines(op, dtype, 19, 1);
            test_shifted_lines(op, dtype, 1100, 13 * size * 7);
            test_overlapping_planes(op, dtype, 9);
            test_overlapping_planes(op, dtype, 40);
            test_environment(op, dtype);
            test_flags_stay_the_callers(op, dtype);
        }
        test_overlap_of_two_dtypes(op);
        test_refusals(op);
        test_huge_output_is_refused(op);
    }
    test_bad_numbers();
    test_overlap_on_several_threads();
    return check_end();
}
