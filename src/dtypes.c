/* Dtypes: names, sizes, promotion, and what the operations make of them. */
#include "internal.h"

const fz__dtype_row fz__dtypes[FZ_DTYPE_COUNT] = {
    [FZ_FLOAT32] = {"float32", 4, FZ__FLOATING},   [FZ_FLOAT64] = {"float64", 8, FZ__FLOATING},
    [FZ_BOOL] = {"bool", 1, FZ__BOOLEAN},          [FZ_INT8] = {"int8", 1, FZ__SIGNED},
    [FZ_INT16] = {"int16", 2, FZ__SIGNED},         [FZ_INT32] = {"int32", 4, FZ__SIGNED},
    [FZ_INT64] = {"int64", 8, FZ__SIGNED},         [FZ_UINT8] = {"uint8", 1, FZ__UNSIGNED},
    [FZ_UINT16] = {"uint16", 2, FZ__UNSIGNED},     [FZ_UINT32] = {"uint32", 4, FZ__UNSIGNED},
    [FZ_UINT64] = {"uint64", 8, FZ__UNSIGNED},     [FZ_FLOAT16] = {"float16", 2, FZ__FLOATING},
    [FZ_BFLOAT16] = {"bfloat16", 2, FZ__FLOATING},
};

size_t fz_dtype_size(fz_dtype dtype) { return fz__dtypes[dtype].size; }
const char *fz_dtype_name(fz_dtype dtype) { return fz__dtypes[dtype].name; }

fz_status fz__check_full_float(const char *operation, const char *argument, const fz_array *x) {
    if (fz__is_full_float(x->dtype)) return FZ_OK;
    return fz__fail(FZ_ERROR_DTYPE, "%s: %s is %s; float32 and float64 would do", operation, argument,
                    fz__dtypes[x->dtype].name);
}

/* ---- promotion -------------------------------------------------------------------------------------------- */

/* Of the kind that was asked for, the dtype of this size; of floats the least of at least this size. */
static fz_dtype sized(fz__dtype_kind wanted, size_t size) {
    static const fz_dtype integers[][9] = {
        [FZ__UNSIGNED] = {[1] = FZ_UINT8, [2] = FZ_UINT16, [4] = FZ_UINT32, [8] = FZ_UINT64},
        [FZ__SIGNED] = {[1] = FZ_INT8, [2] = FZ_INT16, [4] = FZ_INT32, [8] = FZ_INT64},
    };
    if (wanted == FZ__FLOATING) return size <= 2 ? FZ_FLOAT16 : size == 4 ? FZ_FLOAT32 : FZ_FLOAT64;
    return size > 8 ? FZ_FLOAT64 : integers[wanted][size];
}

/* The float whose precision is enough for integers of a byte: half's 11 bits hold them, single's those of two. */
static fz_dtype float_for_integer(fz_dtype integer) {
    return sized(FZ__FLOATING, 2 * fz_dtype_size(integer));
}

static fz_dtype promote_floats(fz_dtype a, fz_dtype b) {
    if (a == b) return a;
    if (fz_dtype_size(a) != fz_dtype_size(b)) return fz_dtype_size(a) > fz_dtype_size(b) ? a : b;
    return FZ_FLOAT32; /* float16 with bfloat16: the least that holds both */
}

fz_dtype fz_promote(fz_dtype a, fz_dtype b) {
    if (fz__dtypes[a].kind > fz__dtypes[b].kind) return fz_promote(b, a);
    const size_t size_a = fz_dtype_size(a), size_b = fz_dtype_size(b);
    if (a == b || fz__dtypes[a].kind == FZ__BOOLEAN) return b;
    if (fz__dtypes[a].kind == FZ__FLOATING) return promote_floats(a, b);
    if (fz__dtypes[b].kind == FZ__FLOATING) {
        if (b == FZ_BFLOAT16 && size_a == 1) return b; /* ml_dtypes' rule, though 8 bits do not hold all */
        return promote_floats(b, b == FZ_BFLOAT16 ? fz_promote(a, FZ_FLOAT32) : float_for_integer(a));
    }
    if (fz__dtypes[a].kind == fz__dtypes[b].kind) return size_a > size_b ? a : b;
    return size_b > size_a ? b : sized(FZ__SIGNED, 2 * size_a); /* unsigned with signed */
}

/* Floats first: two integers may fit a float that the integer which holds both does not. */
fz_dtype fz_promote_all(int count, const fz_dtype *all) {
    fz_dtype common = FZ_BOOL;
    for (int k = 0; k < count; k++)
        if (fz__is_float(all[k])) common = fz_promote(common, all[k]);
    for (int k = 0; k < count; k++) common = fz_promote(common, all[k]);
    return common;
}

/* ---- operations --------------------------------------------------------------------------------------------- */

/* The rows' dtypes: those that there are loops for, and what becomes of others. */
enum {
    FLOATS = 1u << FZ_FLOAT32 | 1u << FZ_FLOAT64,
    INTEGERS = 1u << FZ_INT8 | 1u << FZ_INT16 | 1u << FZ_INT32 | 1u << FZ_INT64 | 1u << FZ_UINT8 |
        1u << FZ_UINT16 | 1u << FZ_UINT32 | 1u << FZ_UINT64,
    BOOL_AS_INT8 = 1u << 24,
    INTEGERS_AS_FLOATS = 1u << 25,
    INTEGERS_AS_FLOAT64 = 1u << 26,
    NO_NARROW_FLOATS = 1u << 27,

    FZ_FLOATS = FLOATS | INTEGERS_AS_FLOATS,
    FZ_WIDE_FLOATS = FLOATS | INTEGERS_AS_FLOAT64,
    FZ_FULL_FLOATS = FZ_FLOATS | NO_NARROW_FLOATS,
    FZ_NUMBERS = FLOATS | INTEGERS,
    FZ_ARITHMETIC = FZ_NUMBERS | BOOL_AS_INT8,
    FZ_INTEGERS = INTEGERS | BOOL_AS_INT8,
    FZ_BITS = INTEGERS | 1u << FZ_BOOL,
    FZ_ANY = FLOATS | FZ_BITS,
};

static const struct {
    const char *name, *doc;
    int arity;
    unsigned dtypes;
    bool gives_bool, takes_condition;
} ops[FZ_OP_COUNT] = {
#define FZ_UNARY(name, dtypes, lane, fill, doc) {#name, doc, 1, dtypes, false, false},
#define FZ_BINARY(name, dtypes, lane, fill, doc) {#name, doc, 2, dtypes, false, false},
#define FZ_TERNARY(name, dtypes, lane, fill, doc) {#name, doc, 3, dtypes, false, false},
#define FZ_TEST(name, dtypes, lane, fill, doc) {#name, doc, 1, dtypes, true, false},
#define FZ_COMPARE(name, dtypes, lane, fill, doc) {#name, doc, 2, dtypes, true, false},
#define FZ_SELECT(name, dtypes, lane, fill, doc) {#name, doc, 3, dtypes, false, true},
#include "ops.def"
};

const char *fz_op_name(fz_op op) { return ops[op].name; }
const char *fz_op_doc(fz_op op) { return ops[op].doc; }
int fz_op_arity(fz_op op) { return ops[op].arity; }
int fz_op_is_condition(fz_op op, int k) { return ops[op].takes_condition && k == 0; }

fz_dtype fz__op_result(fz_op op, fz_dtype compute) { return ops[op].gives_bool ? FZ_BOOL : compute; }

fz_dtype fz__op_compute(fz_dtype dtype) { return fz__is_narrow_float(dtype) ? FZ_FLOAT32 : dtype; }

_Static_assert(FZ_OP_greater_equal - FZ_OP_equal == 5, "in ops.def the comparisons follow one another");

bool fz__is_comparison(fz_op op) { return op >= FZ_OP_equal && op <= FZ_OP_greater_equal; }

bool fz__is_mixed_comparison(fz_op op, const fz_dtype inputs[]) {
    return fz__is_comparison(op) && ((inputs[0] == FZ_INT64 && inputs[1] == FZ_UINT64) ||
                                     (inputs[0] == FZ_UINT64 && inputs[1] == FZ_INT64));
}

static bool has_loop(fz_op op, fz_dtype dtype) {
    if (fz__is_narrow_float(dtype) && ops[op].dtypes & NO_NARROW_FLOATS) return false;
    return ops[op].dtypes >> fz__op_compute(dtype) & 1;
}

fz_dtype fz_op_result(fz_op op, fz_dtype dtype) {
    return has_loop(op, dtype) ? fz__op_result(op, dtype) : FZ_DTYPE_COUNT;
}

/* A dtype without loops becomes the one that NumPy's rules name; itself where there is none. */
static fz_dtype converted(unsigned mask, fz_dtype dtype) {
    const bool integral = fz__dtypes[dtype].kind != FZ__FLOATING;
    if (mask >> dtype & 1) return dtype;
    if (dtype == FZ_BOOL && mask & BOOL_AS_INT8) return FZ_INT8;
    if (integral && mask & INTEGERS_AS_FLOAT64) return FZ_FLOAT64;
    return integral && mask & INTEGERS_AS_FLOATS ? float_for_integer(dtype) : dtype;
}

/* Integers are converted before dtypes meet: int8 with uint8 is float16 to copysign, though together they are int16.
   With bfloat16 they meet as they are: 8 bits become bfloat16, not the float32 that holds float16 too. */
fz_status fz_op_dtype(fz_op op, const fz_dtype inputs[], fz_dtype *compute, fz_dtype *result) {
    const unsigned mask = ops[op].dtypes;
    const int first = ops[op].takes_condition, count = ops[op].arity - first;
    fz_dtype converts[3];
    bool convert_first = mask & INTEGERS_AS_FLOATS;
    for (int k = first; k < ops[op].arity; k++) convert_first &= inputs[k] != FZ_BFLOAT16;
    for (int k = first; k < ops[op].arity; k++) {
        if ((unsigned)inputs[k] >= FZ_DTYPE_COUNT)
            return fz__fail(FZ_ERROR_DTYPE, "%s: dtype %d is unknown", ops[op].name, (int)inputs[k]);
        converts[k - first] = convert_first ? converted(mask, inputs[k]) : inputs[k];
    }
    const fz_dtype common = fz_promote_all(count, converts);
    const fz_dtype wanted = converted(mask, common);
    *compute = fz__op_compute(wanted);
    *result = fz__op_result(op, wanted);
    if (has_loop(op, wanted)) return FZ_OK;
    return fz__fail(FZ_ERROR_DTYPE, "%s: there is no loop for %s; %s would do", ops[op].name,
                    fz__dtypes[common].name, mask & FLOATS ? "float64" : "int64");
}
