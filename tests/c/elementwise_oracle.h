/* What element-wise operations must give, one element at a time, written without looking at ops.def's
   lane expressions: a new row needs its own case here. */
#ifndef ELEMENTWISE_ORACLE_H
#define ELEMENTWISE_ORACLE_H

#include <float.h>

#include "operand.h"

typedef struct operation {
    const char *name;
    int arity;
    fz_status (*unary)(const fz_array *, fz_array *);
    fz_status (*binary)(const fz_array *, const fz_array *, fz_array *);
    fz_status (*ternary)(const fz_array *, const fz_array *, const fz_array *, fz_array *);
    bool approximate; /* within 1 ULP of the exact value; else equal to it, rounded */
    bool gives_bool;
} operation;

static const operation operations[FZ_OP_COUNT] = {
#define FZ_UNARY(name, ...) [FZ_OP_##name] = {#name, 1, fz_##name, NULL, NULL, false, false},
#define FZ_BINARY(name, ...) [FZ_OP_##name] = {#name, 2, NULL, fz_##name, NULL, false, false},
#define FZ_TERNARY(name, ...) [FZ_OP_##name] = {#name, 3, NULL, NULL, fz_##name, false, false},
#define FZ_FUNCTION(name, ...) [FZ_OP_##name] = {#name, 1, fz_##name, NULL, NULL, true, false},
#define FZ_FUNCTION2(name, ...) [FZ_OP_##name] = {#name, 2, NULL, fz_##name, NULL, true, false},
#define FZ_TEST(name, ...) [FZ_OP_##name] = {#name, 1, fz_##name, NULL, NULL, false, true},
#define FZ_COMPARE(name, ...) [FZ_OP_##name] = {#name, 2, NULL, fz_##name, NULL, false, true},
#include "ops.def"
};

/* Does op compute in this dtype? */
static inline bool has_loop(fz_op op, fz_dtype dtype) {
    fz_dtype compute, result;
    if (op == FZ_OP_power && is_signed(dtype))
        return false; /* exponents may not be below 0: see the Python tests */
    return fz_op_dtype(op, (const fz_dtype[]){dtype, dtype, dtype}, &compute, &result) == FZ_OK &&
           compute == dtype;
}

static inline fz_dtype result_dtype(fz_op op, fz_dtype dtype) {
    return operations[op].gives_bool ? FZ_BOOL : dtype;
}

static inline double rounded(fz_dtype dtype, long double value) {
    return dtype == FZ_FLOAT32 ? (double)(float)value : dtype == FZ_BOOL ? value != 0 : (double)value;
}

/* Is value at most 1 ULP of dtype from exact? Beyond the largest number that is infinity, or that number. */
static inline bool within_ulp(fz_dtype dtype, double value, long double exact) {
    const int digits = dtype == FZ_FLOAT32 ? FLT_MANT_DIG : DBL_MANT_DIG;
    const int least = dtype == FZ_FLOAT32 ? FLT_MIN_EXP : DBL_MIN_EXP;
    const long double largest = dtype == FZ_FLOAT32 ? FLT_MAX : DBL_MAX;
    if (isnan(exact)) return isnan(value);
    if (exact == 0) return value == 0 && !signbit(value) == !signbit(exact);
    if (isinf(exact)) return value == (double)exact;
    if (isinf(value)) return fabsl(exact) > largest * (1 - 0x1p-54L) && (value > 0) == (exact > 0);
    int exponent;
    frexpl(exact, &exponent);
    return fabsl(value - exact) <= ldexpl(1, (exponent < least ? least : exponent) - digits);
}

static inline double larger(double x, double y) { return isnan(x) || isnan(y) ? NAN : x < y ? y : x; }

/* y's sign, that of a zero included. */
static inline double remainder_like(double x, double y) {
    const double rest = fmod(x, y);
    if (rest == 0) return copysign(0, y);
    return (rest < 0) != (y < 0) ? rest + y : rest;
}

/* NumPy's definition, which rounds at each step, so that large quotients follow the dtype. */
static inline double floor_divided(fz_dtype dtype, double x, double y) {
    if (y == 0) return x / y;
    const double rest = fmod(x, y);
    double quotient = rounded(dtype, rounded(dtype, x - rest) / y);
    if (rest != 0 && (rest < 0) != (y < 0)) quotient = rounded(dtype, quotient - 1);
    if (quotient == 0) return copysign(0, x / y);
    return floor(quotient) + (quotient - floor(quotient) > 0.5);
}

/* x / 2 (1 + tanh(u)) = x / (1 + e^-2u), and its limit at -inf. 2u = a x + c x^3; the cubic part, whose absolute
   error is the result's relative one, is taken in two parts, and so is c. */
static inline long double gelu_tanh(long double x) {
    const long double a = 1.59576912160573071175978423974L, c = 0.07135481627260024877721375849426443949142L,
                      c_low = -8.75006e-22L;
    const long double square = x * x, cube = x * square, cubic = c * cube;
    const long double cube_low = fmal(x, square, -cube) + x * fmal(x, x, -square);
    const long double cubic_low = fmal(c, cube, -cubic) + c * cube_low + c_low * cube;
    if (fabsl(x) > 100) return x > 0 ? x : -0.0L;
    return x / (1 + expl(-a * x) * expl(-cubic) * (1 - cubic_low));
}

static inline long double logaddexp(long double x, long double y) {
    const long double top = x > y ? x : y, bottom = x > y ? y : x;
    if (isnan(x) || isnan(y)) return NAN;
    if (top < 0 && top > -1) return log1pl(expm1l(top) + expl(bottom)); /* the terms below cancel there */
    return isinf(top) ? top : top + log1pl(expl(bottom - top));
}

/* x erfc(-x / sqrt(2)) / 2. erfc makes the rounding error of its argument z larger by 2 z^2, so below zero
   it is divided by what e^(z^2 - x^2 / 2) is of 1. */
static inline long double gelu_like(double x) {
    if (isinf(x)) return x < 0 ? -0.0L : x;
    const long double z = -x * 0.707106781186547524400844362104849039L, square = (long double)x * x;
    const long double beyond = fmal(z, z, -square / 2) - fmal(x, x, -square) / 2;
    return x * erfcl(z) * (z > 1 && z < 100 ? 1 + beyond : 1) / 2;
}

/* Exact operations in double; for float32 operands the caller rounds once more, which gives the float32 result
   exactly (Figueroa, "When is double rounding innocuous?", 1995: 53 >= 2 * 24 + 2). Functions in long double. */
static inline long double exact_enough(fz_op op, double x, double y, double z) {
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
    case FZ_OP_sin:
        return sinl(x);
    case FZ_OP_cos:
        return cosl(x);
    case FZ_OP_tan:
        return tanl(x);
    case FZ_OP_arcsin:
        return asinl(x);
    case FZ_OP_arccos:
        return acosl(x);
    case FZ_OP_arctan:
        return atanl(x);
    case FZ_OP_arctan2:
        return atan2l(x, y);
    case FZ_OP_copysign:
        return copysign(x, y);
    case FZ_OP_nextafter: /* double's */
        return nextafter(x, y);
    case FZ_OP_fmax:
        return isnan(x) ? y : isnan(y) ? x : larger(x, y);
    case FZ_OP_fmin:
        return isnan(x) ? y : isnan(y) ? x : -larger(-x, -y);
    case FZ_OP_fmod:
        return fmod(x, y);
    case FZ_OP_remainder:
        return remainder_like(x, y);
    case FZ_OP_power:
        return powl(x, y);
    case FZ_OP_erf:
        return erfl(x);
    case FZ_OP_erfc:
        return erfcl(x);
    case FZ_OP_gelu:
        return gelu_like(x);
    case FZ_OP_cbrt:
        return cbrtl(x);
    case FZ_OP_hypot:
        return hypotl(x, y);
    case FZ_OP_sign:
        return isnan(x) ? x : (x > 0) - (x < 0);
    case FZ_OP_equal:
        return x == y;
    case FZ_OP_not_equal:
        return x != y;
    case FZ_OP_less:
        return x < y;
    case FZ_OP_less_equal:
        return x <= y;
    case FZ_OP_greater:
        return x > y;
    case FZ_OP_greater_equal:
        return x >= y;
    case FZ_OP_logical_and:
        return x && y;
    case FZ_OP_logical_or:
        return x || y;
    case FZ_OP_logical_xor:
        return !x != !y;
    case FZ_OP_logical_not:
        return !x;
    case FZ_OP_isnan:
        return isnan(x);
    case FZ_OP_isinf:
        return isinf(x) != 0;
    case FZ_OP_isfinite:
        return isfinite(x);
    case FZ_OP_signbit:
        return signbit(x) != 0;
    case FZ_OP_where:
        return x != 0 ? y : z;
    case FZ_OP_clip:
        return -larger(-larger(x, y), -z);
    case FZ_OP_fma: /* double's; float's is not to be rounded twice */
        return fma(x, y, z);
    case FZ_OP_floor_divide: /* see expected_element */
    case FZ_OP_bitwise_and:
    case FZ_OP_bitwise_or:
    case FZ_OP_bitwise_xor:
    case FZ_OP_invert:
    case FZ_OP_left_shift:
    case FZ_OP_right_shift:
    case FZ_OP_exp:
        return expl(x);
    case FZ_OP_log:
        return logl(x);
    case FZ_OP_tanh:
        return tanhl(x);
    case FZ_OP_sigmoid:
        return 1 / (1 + expl(-x));
    case FZ_OP_expm1:
        return expm1l(x);
    case FZ_OP_log1p:
        return log1pl(x);
    case FZ_OP_exp2:
        return exp2l(x);
    case FZ_OP_log2:
        return log2l(x);
    case FZ_OP_log10:
        return log10l(x);
    case FZ_OP_silu:
        return x == -(double)INFINITY ? -0.0L : x / (1 + expl(-x));
    case FZ_OP_softplus:
        return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
    case FZ_OP_gelu_tanh:
        return gelu_tanh(x);
    case FZ_OP_relu:
        return isnan(x) || x > 0 ? x : 0;
    case FZ_OP_leaky_relu:
        return x < 0 ? x * y : x;
    case FZ_OP_elu:
        return x < 0 ? y * expm1l(x) : x;
    case FZ_OP_logaddexp:
        return logaddexp(x, y);
    case FZ_OP_sinh:
        return sinhl(x);
    case FZ_OP_cosh:
        return coshl(x);
    case FZ_OP_arcsinh:
        return asinhl(x);
    case FZ_OP_arccosh:
        return acoshl(x);
    case FZ_OP_arctanh:
        return atanhl(x);
    case FZ_OP_COUNT:
        break;
    }
    fprintf(stderr, "no expected value for operation %d\n", op);
    exit(2);
}

/* The low bits of value as this dtype has them. */
static inline double wrapped(fz_dtype dtype, __int128 value) {
    const int width = 8 * (int)fz_dtype_size(dtype);
    unsigned __int128 low = (unsigned __int128)value << (128 - width);
    return is_signed(dtype) ? (double)((__int128)low >> (128 - width)) : (double)(low >> (128 - width));
}

static inline double wrapped_power(fz_dtype dtype, __int128 x, __int128 y) {
    unsigned __int128 result = 1, factor = (unsigned __int128)x;
    for (; y > 0; y >>= 1, factor *= factor) result *= y & 1 ? factor : 1;
    return wrapped(dtype, (__int128)result);
}

/* What integers and bools do otherwise than floats; others are as above. */
static inline double exact_integer(fz_op op, fz_dtype dtype, double a, double b, double c) {
    const __int128 x = (__int128)a, y = (__int128)b;
    const int width = 8 * (int)fz_dtype_size(dtype);
    const bool fits = y >= 0 && y < width;
    switch (op) {
    case FZ_OP_add:
        return dtype == FZ_BOOL ? x || y : wrapped(dtype, x + y);
    case FZ_OP_subtract:
        return wrapped(dtype, x - y);
    case FZ_OP_multiply:
        return wrapped(dtype, x * y);
    case FZ_OP_square:
        return wrapped(dtype, x * x);
    case FZ_OP_negative:
        return wrapped(dtype, -x);
    case FZ_OP_absolute:
        return wrapped(dtype, x < 0 ? -x : x);
    case FZ_OP_reciprocal:
        return x == 1 || x == -1 ? a : x == 0 && is_signed(dtype) && width >= 32 ? -ldexp(1, width - 1) : 0;
    case FZ_OP_fmod:
        return y == 0 ? 0 : (double)(x % y);
    case FZ_OP_remainder:
        return y == 0 ? 0 : (double)((x % y + y) % y);
    case FZ_OP_floor_divide:
        return y == 0 ? 0 : wrapped(dtype, (x - (x % y + y) % y) / y);
    case FZ_OP_power:
        return wrapped_power(dtype, x, y);
    case FZ_OP_bitwise_and:
        return wrapped(dtype, x & y);
    case FZ_OP_bitwise_or:
        return wrapped(dtype, x | y);
    case FZ_OP_bitwise_xor:
        return wrapped(dtype, x ^ y);
    case FZ_OP_invert:
        return dtype == FZ_BOOL ? !x : wrapped(dtype, ~x);
    case FZ_OP_left_shift:
        return fits ? wrapped(dtype, (__int128)((unsigned __int128)x << (int)y)) : 0;
    case FZ_OP_right_shift:
        return (double)(fits ? x >> (int)y : x < 0 ? -1 : 0);
    default:
        return (double)exact_enough(op, a, b, c);
    }
}

static inline long double expected_element(fz_op op, fz_dtype dtype, double x, double y, double z) {
    const double a = op == FZ_OP_where ? x != 0 : rounded(dtype, x);
    const double b = rounded(dtype, y), c = rounded(dtype, z);
    if (!is_float(dtype)) return exact_integer(op, dtype, a, b, c);
    if (op == FZ_OP_fma && dtype == FZ_FLOAT32) return fmaf((float)a, (float)b, (float)c);
    if (op == FZ_OP_nextafter && dtype == FZ_FLOAT32) return nextafterf((float)a, (float)b);
    if (op == FZ_OP_floor_divide) return floor_divided(dtype, a, b);
    const long double exact = exact_enough(op, a, b, c);
    return operations[op].approximate ? exact : rounded(result_dtype(op, dtype), exact);
}

/* dtype is the narrower of what was computed in and what was written to. Which of two zeros maximum and minimum
   give is open, in NumPy too. */
static inline bool is_expected(fz_op op, fz_dtype dtype, double value, long double expected) {
    if (operations[op].approximate && is_float(dtype)) return within_ulp(dtype, value, expected);
    bool either_zero = (op == FZ_OP_maximum || op == FZ_OP_minimum || op == FZ_OP_fmax || op == FZ_OP_fmin ||
                        op == FZ_OP_clip) &&
                       expected == 0 && value == 0;
    return either_zero || same_double(value, (double)expected);
}

static inline fz_dtype narrower(fz_dtype a, fz_dtype b) { return a == FZ_FLOAT64 ? b : a; }

/* Of one dtype, or of two floats. */
static inline fz_dtype wider(const fz_array *x, const fz_array *y) {
    return !y || y->dtype == x->dtype ? x->dtype : FZ_FLOAT64;
}

/* Operations of three inputs get x once more as the third. */
static inline fz_status call(fz_op op, const fz_array *x, const fz_array *y, fz_array *out) {
    const operation *o = &operations[op];
    return o->unary ? o->unary(x, out) : o->binary ? o->binary(x, y, out) : o->ternary(x, y, x, out);
}

/* The outputs that op computed in dtype must give; to be freed. */
static inline long double *expected_elements(fz_op op, fz_dtype dtype, const fz_array *x, const fz_array *y,
                                             const fz_array *out) {
    ptrdiff_t size = view_size(out);
    long double *expected = malloc((size_t)(size + 1) * sizeof *expected);
    for (ptrdiff_t i = 0; i < size; i++) {
        double a = load(x->dtype, (char *)x->data + broadcast_offset(x, out->ndim, out->shape, i));
        double b = y ? load(y->dtype, (char *)y->data + broadcast_offset(y, out->ndim, out->shape, i)) : 0;
        const long double value = expected_element(op, dtype, a, b, a);
        expected[i] = operations[op].approximate && is_float(dtype) ? value : rounded(out->dtype, value);
    }
    return expected;
}

/* Calls op and checks that out has the expected elements and nothing around them was written. x and y
   may lie in out's memory; y is not read by unary operations. */
static inline void check_call(fz_op op, const fz_array *x, const fz_array *y, operand *out) {
    if (operations[op].arity == 1) y = NULL;
    const fz_dtype dtype = wider(x, y), ulp_dtype = narrower(dtype, out->view.dtype);
    long double *expected = expected_elements(op, dtype, x, y, &out->view);
    operand_remember(out);
    fz_status status = call(op, x, y, &out->view);
    ptrdiff_t size = view_size(&out->view), wrong = 0;
    if (CHECK(status == FZ_OK, "%s: %s", operations[op].name, fz_error_message())) {
        while (wrong < size && is_expected(op, ulp_dtype, get(&out->view, wrong), expected[wrong])) wrong++;
        CHECK(wrong == size, "%s: element %td of %td is %a, not %La", operations[op].name, wrong, size,
              wrong < size ? get(&out->view, wrong) : 0, wrong < size ? expected[wrong] : 0);
        CHECK(operand_unchanged_around(out), "%s wrote beside its output", operations[op].name);
    }
    free(expected);
}

#endif
