/* Row-wise operations, inner products and running sums against long double: every length around a vector's width, rows
   with gaps between them and between their elements, memory that ends where they do. */
#include "instruction_set.h"
#include "operand.h"

enum { ROWS = 3, MOST = 5000 };

static uint64_t state = 11;
static operand x, y, out;

static long double row[MOST], other[MOST], expected[MOST];

static void read_row(const operand *o, ptrdiff_t i, ptrdiff_t n, long double to[]) {
    for (ptrdiff_t k = 0; k < n; k++) to[k] = get2(&o->view, i, k);
}

static long double add_up(ptrdiff_t n, const long double *terms, const long double *factors) {
    long double sum = 0;
    for (ptrdiff_t k = 0; k < n; k++) sum += terms[k] * (factors ? factors[k] : 1);
    return sum;
}

static long double log_of_powers(ptrdiff_t n) {
    long double most = row[0], sum = 0;
    for (ptrdiff_t k = 1; k < n; k++) most = fmaxl(most, row[k]);
    for (ptrdiff_t k = 0; k < n; k++) sum += expl(row[k] - most);
    return most + logl(sum);
}

/* ---- what is right ------------------------------------------------------------------------------------------ */

typedef enum operation {
    SOFTMAX,
    LOG_SOFTMAX,
    LAYER_NORM,
    RMS_NORM,
    NORMALIZE,
    CUMSUM,
    CUMPROD,
    MAPS
} operation;

static const char *const names[MAPS] = {"softmax",   "log_softmax", "layer_norm", "rms_norm",
                                        "normalize", "cumsum",      "cumprod"};

static fz_status call(operation o) {
    const int axis = 1;
    switch (o) {
    case SOFTMAX:
        return fz_softmax(&x.view, 1, &axis, &out.view);
    case LOG_SOFTMAX:
        return fz_log_softmax(&x.view, 1, &axis, &out.view);
    case LAYER_NORM:
        return fz_layer_norm(&x.view, 1, &axis, NULL, NULL, 0.25, &out.view);
    case RMS_NORM:
        return fz_rms_norm(&x.view, 1, &axis, NULL, 0.25, &out.view);
    case NORMALIZE:
        return fz_normalize(&x.view, 1, &axis, &out.view);
    case CUMSUM:
        return fz_cumsum(&x.view, &axis, &out.view);
    default:
        return fz_cumprod(&x.view, &axis, &out.view);
    }
}

/* Fills `expected` from `row`. */
static void expect(operation o, ptrdiff_t n) {
    const long double squares = add_up(n, row, row), mean = add_up(n, row, NULL) / n;
    const long double logs = log_of_powers(n), variance = squares / n - mean * mean;
    long double sum = 0, product = 1;
    for (ptrdiff_t k = 0; k < n; k++) {
        sum += row[k];
        product *= row[k];
        expected[k] = o == SOFTMAX       ? expl(row[k] - logs)
                      : o == LOG_SOFTMAX ? row[k] - logs
                      : o == LAYER_NORM  ? (row[k] - mean) / sqrtl(variance + 0.25L)
                      : o == RMS_NORM    ? row[k] / sqrtl(squares / n + 0.25L)
                      : o == NORMALIZE   ? row[k] / sqrtl(squares)
                      : o == CUMSUM      ? sum
                                         : product;
    }
}

/* What rounding may do: a few units of the largest number on the way, and one for each factor of a product. */
static long double allowed(operation o, ptrdiff_t k) {
    const long double unit = epsilon(x.view.dtype);
    if (o == CUMPROD) return (fabsl(expected[k]) * unit + 0x1p-149L) * (k + 1);
    if (o == CUMSUM) return 64 * unit * (k + 1);
    return 16 * unit * (o == SOFTMAX ? expected[k] : fmaxl(1, fabsl(expected[k])));
}

/* ---- cases -------------------------------------------------------------------------------------------------- */

/* ROWS rows of n elements, `gap` elements after each and between neighbours. */
static void place(operand *o, fz_dtype dtype, ptrdiff_t n, ptrdiff_t gap, placement where) {
    const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), step = size * (1 + gap);
    const ptrdiff_t shape[2] = {ROWS, n}, strides[2] = {n * step + gap * size, step};
    operand_place(o, dtype, 2, shape, strides, where, 0);
}

static void check_map(operation o, ptrdiff_t n) {
    operand_scribble(&out);
    operand_remember(&out);
    operand_remember(&x);
    if (!CHECK(call(o) == FZ_OK, "%s: %s", names[o], fz_error_message())) return;
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        read_row(&x, i, n, row);
        expect(o, n);
        ptrdiff_t k = 0;
        while (k < n && fabsl(get2(&out.view, i, k) - expected[k]) <= allowed(o, k)) k++;
        CHECK(k == n, "%s: [%td, %td] is %a, not %La", names[o], i, k, k < n ? get2(&out.view, i, k) : 0,
              expected[k < n ? k : 0]);
    }
    CHECK(operand_unchanged_around(&out), "%s wrote beside its output", names[o]);
    CHECK(operand_unchanged(&x), "%s wrote its input", names[o]);
}

/* logsumexp, norm and vecdot. */
static void check_numbers(ptrdiff_t n, placement where) {
    const int axis = 1;
    const long double unit = epsilon(x.view.dtype);
    for (int o = 0; o < 3; o++) {
        operand_line(&out, x.view.dtype, ROWS, where, 0);
        operand_scribble(&out);
        operand_remember(&out);
        const fz_status status = o == 0   ? fz_logsumexp(&x.view, 1, &axis, &out.view)
                                 : o == 1 ? fz_norm(&x.view, 1, &axis, &out.view)
                                          : fz_vecdot(&x.view, &y.view, -1, &out.view);
        if (!CHECK(status == FZ_OK, "%s", fz_error_message())) continue;
        for (ptrdiff_t i = 0; i < ROWS; i++) {
            read_row(&x, i, n, row);
            read_row(&y, i, n, other);
            const long double squares = add_up(n, row, row), others = add_up(n, other, other);
            const long double right = o == 0   ? log_of_powers(n)
                                      : o == 1 ? sqrtl(squares)
                                               : add_up(n, row, other);
            const long double size = o == 0   ? fmaxl(1, fabsl(right))
                                     : o == 1 ? right
                                              : sqrtl(squares * others);
            CHECK(fabsl(get(&out.view, i) - right) <= 32 * unit * size, "%s of row %td is %a, not %La",
                  o == 0   ? "logsumexp"
                  : o == 1 ? "norm"
                           : "vecdot",
                  i, get(&out.view, i), right);
        }
        CHECK(operand_unchanged_around(&out));
    }
}

static void test_length(fz_dtype dtype, ptrdiff_t n) {
    for (ptrdiff_t gap = 0; gap < 3; gap++)
        for (placement where = AT_BEGIN; where <= AT_END; where++) {
            check_case("%s, rows of %td, gaps of %td, at the %s", fz_dtype_name(dtype), n, gap,
                       where == AT_END ? "end" : "begin");
            place(&x, dtype, n, gap, where);
            place(&y, dtype, n, gap, where);
            fill_unit(&x.view, &state);
            fill_unit(&y.view, &state);
            for (operation o = 0; o < MAPS; o++) {
                place(&out, dtype, n, gap, where);
                check_map(o, n);
            }
            check_numbers(n, where);
        }
}

/* Integers' inner products and running sums wrap, and are exact. */
static void test_integers(fz_dtype dtype, ptrdiff_t n) {
    check_case("%s, rows of %td", fz_dtype_name(dtype), n);
    place(&x, dtype, n, 0, AT_END);
    place(&y, dtype, n, 0, AT_END);
    for (ptrdiff_t i = 0; i < ROWS * n; i++) {
        put(&x.view, i, (double)random_below(&state, 100));
        put(&y.view, i, (double)random_below(&state, 100));
    }
    operand_line(&out, dtype, ROWS, AT_END, 0);
    CHECK(fz_vecdot(&x.view, &y.view, -1, &out.view) == FZ_OK, "%s", fz_error_message());
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        read_row(&x, i, n, row);
        read_row(&y, i, n, other);
        CHECK(get(&out.view, i) == (double)add_up(n, row, other), "row %td", i);
    }
    place(&out, dtype, n, 0, AT_END);
    CHECK(fz_cumsum(&x.view, &(int){1}, &out.view) == FZ_OK, "%s", fz_error_message());
    for (ptrdiff_t i = 0; i < ROWS; i++) {
        read_row(&x, i, n, row);
        for (ptrdiff_t k = 0; k < n; k++)
            CHECK(get2(&out.view, i, k) == (double)add_up(k + 1, row, NULL), "[%td, %td]", i, k);
    }
}

int main(void) {
    static const ptrdiff_t longer[] = {255, 256, 257, 511, 512, 513, 1023, MOST};
    static const fz_dtype whole[] = {FZ_INT32, FZ_INT64, FZ_UINT32, FZ_UINT64};
    check_begin_kernels();
    x = operand_create(1 << 20), y = operand_create(1 << 20), out = operand_create(1 << 20);
    for (fz_dtype dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
        for (ptrdiff_t n = 1; n < 140; n++) test_length(dtype, n);
        for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) test_length(dtype, longer[i]);
    }
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        for (ptrdiff_t n = 1; n < 140; n++) test_integers(whole[i], n);
    }
    operand_destroy(&x), operand_destroy(&y), operand_destroy(&out);
    return check_end();
}
