/* Expressions give the bits of their operations one by one, wherever operands lie. */
#include "instruction_set.h"
#include "operand.h"

enum { MOST = 3000, INPUTS = 3 };

/* Values: a, b, c; 1.0 (weak); then results. */
static const fz_constant one = {{FZ_FLOAT64, 1}, {.real = 1.0}};
static const fz_instruction code[] = {
    {FZ_OP_multiply, 0, {0, 1, 0}},    /* 4: a * b */
    {FZ_OP_square, 0, {0, 0, 0}},      /* 5: a * a */
    {FZ_OP_add, 0, {3, 5, 0}},         /* 6: 1 + a * a */
    {FZ_OP_divide, 0, {2, 6, 0}},      /* 7: c / (1 + a * a) */
    {FZ_OP_subtract, 0, {4, 7, 0}},    /* 8 */
    {FZ_OP_less, 0, {0, 2, 0}},        /* 9: a < c */
    {FZ_OP_where, 0, {9, 8, 1}},       /* 10 */
    {FZ_OP_bitwise_and, 0, {9, 9, 0}}, /* 11: in a chain of its own */
    {FZ_OP_where, 0, {11, 10, 5}},     /* 12 */
};
static const char *const names[] = {"a", "b", "c"};

static fz_expression *create(fz_dtype dtype, int outputs, const int output[]) {
    const fz_kind kinds[INPUTS] = {{dtype, 0}, {dtype, 0}, {dtype, 0}};
    const fz_program program = {.inputs = INPUTS,
                                .constants = 1,
                                .instructions = sizeof code / sizeof *code,
                                .outputs = outputs,
                                .names = names,
                                .constant = &one,
                                .instruction = code,
                                .output = output};
    fz_expression *e = NULL;
    CHECK(fz_expression_create(&program, kinds, &e) == FZ_OK, "%s", fz_error_message());
    return e;
}

/* The same by one operation after the other, into results[0] (value 12) and results[1] (value 7). */
static void run_separately(const fz_array *const in[], fz_array *const results[]) {
    static double memory[6][MOST];
    static uint8_t flags[MOST];
    double unit = 1.0;
    float unit_single = 1.0f;
    const ptrdiff_t n = in[0]->shape[0], size = (ptrdiff_t)fz_dtype_size(in[0]->dtype), byte = 1;
    const fz_dtype dtype = in[0]->dtype;
    const fz_array number = {dtype == FZ_FLOAT64 ? (void *)&unit : (void *)&unit_single, dtype, 0, NULL,
                             NULL};
    fz_array t[6], flag = {flags, FZ_BOOL, 1, &n, &byte};
    for (int i = 0; i < 6; i++) t[i] = (fz_array){memory[i], dtype, 1, &n, &size};
    fz_multiply(in[0], in[1], &t[0]);
    fz_square(in[0], &t[1]);
    fz_add(&number, &t[1], &t[2]);
    fz_divide(in[2], &t[2], &t[3]);
    fz_subtract(&t[0], &t[3], &t[4]);
    fz_less(in[0], in[2], &flag);
    fz_where(&flag, &t[4], in[1], &t[5]);
    fz_where(&flag, &t[5], &t[1], results[0]);
    if (results[1]) fz_copy(&t[3], results[1]);
}

static bool same_elements(const fz_array *a, const fz_array *b) {
    for (ptrdiff_t i = 0; i < view_size(a); i++) {
        if (!same_double(get(a, i), get(b, i))) return false;
    }
    return true;
}

typedef struct arrays {
    operand in[INPUTS], out[2], want[2];
} arrays;

static void create_arrays(arrays *x) {
    for (int k = 0; k < INPUTS; k++) x->in[k] = operand_create(MOST * 4 * sizeof(double));
    for (int k = 0; k < 2; k++) x->out[k] = operand_create(MOST * 4 * sizeof(double));
    for (int k = 0; k < 2; k++) x->want[k] = operand_create(MOST * 4 * sizeof(double));
}

static void place_line(operand *o, fz_dtype dtype, ptrdiff_t n, ptrdiff_t step, placement where) {
    const ptrdiff_t stride = step * (ptrdiff_t)fz_dtype_size(dtype);
    operand_place(o, dtype, 1, &n, &stride, where, 0);
}

/* Every length of interest, at both ends of the memory, with gaps and reversed. */
static void test_lines(arrays *x, fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {0, 1, 2, 7, 16, 63, 64, 65, 127, 128, 129, 511, 512, 513, 1000, MOST};
    static const ptrdiff_t steps[] = {1, 1, -1, 2};
    const int output[] = {12, 7};
    fz_expression *single = create(dtype, 1, output), *both = create(dtype, 2, output);
    uint64_t state = 1;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (int variant = 0; variant < 8; variant++) {
            const ptrdiff_t n = lengths[l];
            const placement where = variant % 2 ? AT_BEGIN : AT_END;
            check_case("%s, %td elements, variant %d", fz_dtype_name(dtype), n, variant);
            for (int k = 0; k < INPUTS; k++) {
                place_line(&x->in[k], dtype, n, steps[(variant / 2 * k) % 4], where);
                fill_any(&x->in[k].view, &state);
            }
            for (int k = 0; k < 2; k++) {
                place_line(&x->out[k], dtype, n, steps[variant / 2], where);
                place_line(&x->want[k], dtype, n, 1, AT_BEGIN);
            }
            const fz_array *const in[] = {&x->in[0].view, &x->in[1].view, &x->in[2].view};
            fz_array *const out[] = {&x->out[0].view, &x->out[1].view};
            fz_array *const want[] = {&x->want[0].view, &x->want[1].view};
            run_separately(in, want);
            operand_remember(&x->out[0]);
            CHECK(fz_expression_run(single, in, out) == FZ_OK, "%s", fz_error_message());
            CHECK(same_elements(out[0], want[0]));
            CHECK(operand_unchanged_around(&x->out[0]), "wrote beside its output");
            CHECK(fz_expression_run(both, in, out) == FZ_OK, "%s", fz_error_message());
            CHECK(same_elements(out[0], want[0]) && same_elements(out[1], want[1]));
        }
    }
    fz_expression_free(single);
    fz_expression_free(both);
}

/* Outputs that are inputs, or overlap one. */
static void test_overlap(arrays *x, fz_dtype dtype) {
    const int output[] = {12, 7};
    fz_expression *both = create(dtype, 2, output), *single = create(dtype, 1, output);
    const ptrdiff_t n = 1000, size = (ptrdiff_t)fz_dtype_size(dtype);
    uint64_t state = 2;
    for (int variant = 0; variant < 3; variant++) {
        check_case("overlap, %s, variant %d", fz_dtype_name(dtype), variant);
        for (int k = 0; k < INPUTS; k++) {
            operand_line(&x->in[k], dtype, n, AT_BEGIN, 64);
            fill_any(&x->in[k].view, &state);
        }
        operand_line(&x->want[0], dtype, n, AT_BEGIN, 0);
        operand_line(&x->want[1], dtype, n, AT_BEGIN, 0);
        const fz_array *const in[] = {&x->in[0].view, &x->in[1].view, &x->in[2].view};
        run_separately(in, (fz_array *const[]){&x->want[0].view, &x->want[1].view});
        fz_array first = x->in[0].view, second = x->in[2].view;
        if (variant == 1) first.data = (char *)first.data + size;
        if (variant == 2) first.data = (char *)first.data - size;
        fz_array *const out[] = {&first, &second};
        CHECK(fz_expression_run(variant ? single : both, in, out) == FZ_OK, "%s", fz_error_message());
        CHECK(same_elements(&first, &x->want[0].view));
        CHECK(variant || same_elements(&second, &x->want[1].view));
    }
    fz_expression_free(both);
    fz_expression_free(single);
}

/* The sum of the results is that of the array of results, for any number of threads. */
static void test_reduction_and_threads(fz_dtype dtype) {
    enum { N = 300007 };
    const int output[] = {12};
    const size_t bytes = N * sizeof(double);
    const ptrdiff_t n = N, size = (ptrdiff_t)fz_dtype_size(dtype);
    fz_expression *e = create(dtype, 1, output);
    fz_array x[INPUTS + 1];
    uint64_t state = 3;
    for (int k = 0; k <= INPUTS; k++) {
        x[k] = (fz_array){malloc(bytes), dtype, 1, &n, &size};
        fill_unit(&x[k], &state);
    }
    const fz_array *const in[] = {&x[0], &x[1], &x[2]};
    void *first = malloc(bytes);
    for (int threads = 1; threads <= 7; threads += threads == 3 ? 4 : 1) {
        check_case("%s with %d threads", fz_dtype_name(dtype), threads);
        double sum = 0, want = 0;
        fz_array got = {&sum, dtype, 0, NULL, NULL}, expected = {&want, dtype, 0, NULL, NULL};
        CHECK(fz_set_num_threads(threads) == FZ_OK);
        CHECK(fz_expression_run(e, in, (fz_array *const[]){&x[INPUTS]}) == FZ_OK);
        if (threads == 1) memcpy(first, x[INPUTS].data, (size_t)(n * size));
        CHECK(memcmp(first, x[INPUTS].data, (size_t)(n * size)) == 0);
        CHECK(fz_expression_reduce(e, FZ_REDUCTION_sum, in, 0, NULL, &got) == FZ_OK, "%s",
              fz_error_message());
        CHECK(fz_sum(&x[INPUTS], 0, NULL, &expected) == FZ_OK);
        CHECK(sum == want);
    }
    for (int k = 0; k <= INPUTS; k++) free(x[k].data);
    free(first);
    fz_expression_free(e);
}

/* Over all axes and over the last, as of `elements`, which the expression gives: at most 64 rows. */
static void check_reduction(const fz_expression *e, fz_reduction r, fz_dtype result,
                            const fz_array *const in[], const fz_array *elements) {
    const ptrdiff_t rows = elements->shape[0], step = (ptrdiff_t)fz_dtype_size(result);
    const int last = -1;
    double got[64], want[64];
    for (int axes = 0; axes < 2; axes++) {
        const int *axis = axes ? &last : NULL;
        fz_array fused = {got, result, axes, &rows, &step}, separate = {want, result, axes, &rows, &step};
        CHECK(fz_expression_reduce(e, r, in, axes, axis, &fused) == FZ_OK, "%s", fz_error_message());
        CHECK(fz_reduce(r, elements, axes, axis, &separate) == FZ_OK, "%s", fz_error_message());
        CHECK(memcmp(got, want, (size_t)((axes ? rows : 1) * step)) == 0, "%s to %s", fz_reduction_name(r),
              fz_dtype_name(result));
    }
}

/* Every reduction whose name begins so. */
static void check_each_reduction(const fz_expression *e, const char *name, const fz_array *const in[],
                                 const fz_array *elements) {
    for (int r = 0; r < FZ_REDUCTION_COUNT; r++) {
        if (!fz_reduction_is_fused(r) || strncmp(fz_reduction_name(r), name, strlen(name)) != 0) continue;
        check_reduction(e, r, fz_reduce_dtype(r, elements->dtype), in, elements);
        if (has_any_dtype(r)) check_reduction(e, r, FZ_INT64, in, elements);
    }
}

/* A reduction of value `value` over the last of one or two axes, and over all, has the bits of the reduction of an
   array of its elements. */
static void check_reductions(fz_dtype dtype, int value, ptrdiff_t rows, ptrdiff_t n, uint64_t *state) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), shape[] = {rows, n}, strides[] = {n * size, size};
    fz_expression *e = create(dtype, 1, &value);
    fz_array x[INPUTS + 1];
    check_case("value %d, %s, %td rows of %td", value, fz_dtype_name(dtype), rows, n);
    for (int k = 0; k <= INPUTS; k++) {
        x[k] = (fz_array){malloc((size_t)(rows * n * size)), dtype, 2, shape, strides};
        fill_unit(&x[k], state);
    }
    x[1].ndim = rows > 1 ? 1 : 0; /* a row, or a number */
    x[1].shape = shape + 1;
    x[1].strides = strides + 1;
    const fz_array *const in[] = {&x[0], &x[1], &x[2]};
    CHECK(fz_expression_run(e, in, (fz_array *const[]){&x[INPUTS]}) == FZ_OK, "%s", fz_error_message());
    check_each_reduction(e, "", in, &x[INPUTS]);
    for (ptrdiff_t i = n / 3; i < rows * n; i += 7) put(&x[0], i, NAN);
    CHECK(fz_expression_run(e, in, (fz_array *const[]){&x[INPUTS]}) == FZ_OK, "%s", fz_error_message());
    check_each_reduction(e, "nan", in, &x[INPUTS]);
    for (int k = 0; k <= INPUTS; k++) free(x[k].data);
    fz_expression_free(e);
}

/* Lengths around vectors, and around the blocks that kernels/reduce.c joins; one chain (value 10) and several. */
static void test_reductions(fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {1,    2,    7,    8,    16,   17,   63,   64,    65,    127,
                                        128,  129,  255,  300,  511,  512,  1023, 1024,  1025,  2047,
                                        2048, 2049, 4096, 5000, 6143, 8191, 8193, 32768, 32769, 70001};
    uint64_t state = 4;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        check_reductions(dtype, 10, 1, lengths[l], &state);
        check_reductions(dtype, 12, 1, lengths[l], &state);
        if (lengths[l] < 10000) check_reductions(dtype, 10, 5, lengths[l], &state);
    }
}

static void test_bad_programs(void) {
    check_case("bad programs");
    const fz_kind kinds[] = {{FZ_FLOAT64, 0}};
    const fz_instruction late = {FZ_OP_add, 0, {0, 1, 0}}, unknown = {(fz_op)1000, 0, {0, 0, 0}};
    const fz_instruction bits = {FZ_OP_invert, 0, {0, 0, 0}};
    const int output = 1, missing = 2;
    fz_program p = {.inputs = 1, .instructions = 1, .outputs = 1, .instruction = &late, .output = &output};
    fz_expression *e;
    CHECK(fz_expression_create(&p, kinds, &e) == FZ_ERROR_VALUE);
    p.instruction = &unknown;
    CHECK(fz_expression_create(&p, kinds, &e) == FZ_ERROR_VALUE);
    p.instruction = &bits;
    CHECK(fz_expression_create(&p, kinds, &e) == FZ_ERROR_DTYPE);
    p.output = &missing;
    CHECK(fz_expression_create(&p, kinds, &e) == FZ_ERROR_VALUE);
    p.inputs = FZ_MAX_EXPRESSION_ARRAYS;
    CHECK(fz_expression_create(&p, kinds, &e) == FZ_ERROR_VALUE);
}

/* One fits no integers, but is compared with them, and is a float among floats. */
static void test_huge_numbers(void) {
    check_case("numbers beyond 64 bits");
    const fz_constant huge = {{FZ_FLOAT64, FZ_HUGE}, {.real = 0x1p64}};
    const fz_instruction sum = {FZ_OP_add, 0, {0, 1, 0}}, below = {FZ_OP_less, 0, {0, 1, 0}};
    const int output = 2;
    fz_program p = {.inputs = 1,
                    .constants = 1,
                    .instructions = 1,
                    .outputs = 1,
                    .constant = &huge,
                    .instruction = &sum,
                    .output = &output};
    fz_expression *e = NULL;
    for (fz_dtype dtype = FZ_INT8; dtype <= FZ_UINT64; dtype++)
        CHECK(fz_expression_create(&p, &(fz_kind){dtype, FZ_STRONG}, &e) == FZ_ERROR_RANGE);
    CHECK(fz_expression_create(&p, &(fz_kind){FZ_FLOAT32, FZ_STRONG}, &e) == FZ_OK);
    CHECK(fz_expression_dtype(e, 0) == FZ_FLOAT32);
    fz_expression_free(e);
    p.instruction = &below;
    CHECK(fz_expression_create(&p, &(fz_kind){FZ_UINT64, FZ_STRONG}, &e) == FZ_OK);
    CHECK(fz_expression_dtype(e, 0) == FZ_BOOL);
    fz_expression_free(e);
}

int main(void) {
    check_begin_kernels();
    arrays x;
    create_arrays(&x);
    for (fz_dtype dtype = FZ_FLOAT32; dtype <= FZ_FLOAT64; dtype++) {
        test_lines(&x, dtype);
        test_overlap(&x, dtype);
        test_reduction_and_threads(dtype);
        test_reductions(dtype);
    }
    test_bad_programs();
    test_huge_numbers();
    for (int k = 0; k < INPUTS; k++) operand_destroy(&x.in[k]);
    for (int k = 0; k < 2; k++) operand_destroy(&x.out[k]), operand_destroy(&x.want[k]);
    return check_end();
}
