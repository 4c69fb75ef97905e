/* What element-wise operations must give, one element at a time, written without looking at ops.def's
   lane expressions: a new row needs its own case here. */
#ifndef ELEMENTWISE_ORACLE_H
#define ELEMENTWISE_ORACLE_H

#include "operand.h"

typedef struct operation {
    const char *name;
    int arity;
    fz_status (*unary)(const fz_array *, fz_array *);
    fz_status (*binary)(const fz_array *, const fz_array *, fz_array *);
} operation;

static const operation operations[FZ_OP_COUNT] = {
#define FZ_UNARY(name, ...) [FZ_OP_##name] = {#name, 1, fz_##name, NULL},
#define FZ_BINARY(name, ...) [FZ_OP_##name] = {#name, 2, NULL, fz_##name},
#include "ops.def"
};

static inline double rounded(fz_dtype dtype, double value) {
    return dtype == FZ_FLOAT32 ? (double)(float)value : value;
}

static inline double larger(double x, double y) { return isnan(x) || isnan(y) ? NAN : x < y ? y : x; }

/* In double; for float32 operands the caller rounds once more, which gives the float32 result exactly
   (Figueroa, "When is double rounding innocuous?", 1995: 53 >= 2 * 24 + 2). */
static inline double exact_enough(fz_op op, double x, double y) {
    switch (op) {
    case FZ_OP_add:
        return x + y;
    case FZ_OP_subtract:
        return x - y;
    case FZ_OP_multiply:
        return x * y;
    case FZ_OP_divide:
        return x / y;
    case FZ_OP_maximum:
        return larger(x, y);
    case FZ_OP_minimum:
        return -larger(-x, -y);
    case FZ_OP_negative:
        return copysign(x, signbit(x) ? 1.0 : -1.0);
    case FZ_OP_absolute:
        return fabs(x);
    case FZ_OP_sqrt:
        return sqrt(x);
    case FZ_OP_square:
        return x * x;
    case FZ_OP_positive:
        return x;
    case FZ_OP_reciprocal:
        return 1 / x;
    case FZ_OP_floor:
        return floor(x);
    case FZ_OP_ceil:
        return ceil(x);
    case FZ_OP_trunc:
        return trunc(x);
    case FZ_OP_rint:
        return nearbyint(x);
    case FZ_OP_copysign:
        return copysign(x, y);
    case FZ_OP_fmax:
        return isnan(x) ? y : isnan(y) ? x : larger(x, y);
    case FZ_OP_fmin:
        return isnan(x) ? y : isnan(y) ? x : -larger(-x, -y);
    case FZ_OP_COUNT:
        break;
    }
    fprintf(stderr, "no expected value for operation %d\n", op);
    exit(2);
}

static inline double expected_element(fz_op op, fz_dtype dtype, double x, double y) {
    return rounded(dtype, exact_enough(op, rounded(dtype, x), rounded(dtype, y)));
}

/* Which of two zeros maximum and minimum give is open, in NumPy too. */
static inline bool is_expected(fz_op op, double value, double expected) {
    bool either_zero = (op == FZ_OP_maximum || op == FZ_OP_minimum || op == FZ_OP_fmax || op == FZ_OP_fmin) &&
                       expected == 0 && value == 0;
    return either_zero || same_double(value, expected);
}

static inline fz_dtype wider(const fz_array *x, const fz_array *y) {
    return x->dtype == FZ_FLOAT64 || (y && y->dtype == FZ_FLOAT64) ? FZ_FLOAT64 : FZ_FLOAT32;
}

/* The outputs that op computed in dtype must give; to be freed. */
static inline double *expected_elements(fz_op op, fz_dtype dtype, const fz_array *x, const fz_array *y,
                                        const fz_array *out) {
    ptrdiff_t size = view_size(out);
    double *expected = malloc((size_t)(size + 1) * sizeof *expected);
    for (ptrdiff_t i = 0; i < size; i++) {
        double a = load(x->dtype, (char *)x->data + broadcast_offset(x, out->ndim, out->shape, i));
        double b = y ? load(y->dtype, (char *)y->data + broadcast_offset(y, out->ndim, out->shape, i)) : 0;
        expected[i] = rounded(out->dtype, expected_element(op, dtype, a, b));
    }
    return expected;
}

static inline fz_status call(fz_op op, const fz_array *x, const fz_array *y, fz_array *out) {
    return operations[op].arity == 1 ? operations[op].unary(x, out) : operations[op].binary(x, y, out);
}

/* Calls op and checks that out has the expected elements and nothing around them was written. x and y
   may lie in out's memory; y is not read by unary operations. */
static inline void check_call(fz_op op, const fz_array *x, const fz_array *y, operand *out) {
    if (operations[op].arity == 1) y = NULL;
    double *expected = expected_elements(op, wider(x, y), x, y, &out->view);
    operand_remember(out);
    fz_status status = call(op, x, y, &out->view);
    ptrdiff_t size = view_size(&out->view), wrong = 0;
    if (CHECK(status == FZ_OK, "%s: %s", operations[op].name, fz_error_message())) {
        while (wrong < size && is_expected(op, get(&out->view, wrong), expected[wrong])) wrong++;
        CHECK(wrong == size, "%s: element %td of %td is %a, not %a", operations[op].name, wrong, size,
              wrong < size ? get(&out->view, wrong) : 0, wrong < size ? expected[wrong] : 0);
        CHECK(operand_unchanged_around(out), "%s wrote beside its output", operations[op].name);
    }
    free(expected);
}

#endif
