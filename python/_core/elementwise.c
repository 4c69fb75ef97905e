/* The element-wise operations: a row of ops.def is an operation here. */
#include "core.h"

enum { MAX_INPUTS = 3 };

static const char family[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x, y : array_like\n"
    "    Inputs (as many as the operation has), broadcast together; bool, integers, float16, bfloat16,\n"
    "    float32 or float64. Python scalars take the dtype of the other inputs.\n"
    "out : ndarray, optional\n"
    "    Where to write; any strides; may be an input or overlap one. Nothing is written on error.\n"
    "dtype : data-type, optional\n"
    "    The dtype of the result; by default the one to which NumPy promotes the inputs'.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "ndarray\n"
    "    out, or a new array; a scalar where all inputs are.\n"
    "\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    For dtypes other than these or that the operation has no meaning for, masked and object arrays,\n"
    "    and an out that the result cannot be cast to.\n"
    "ValueError\n"
    "    For shapes that do not broadcast, and a read-only out.\n"
    "OverflowError\n"
    "    For a Python integer beyond the dtype that it takes.\n"
    "\n";

#define NOTES(accuracy)                                                                                    \
    "Notes\n"                                                                                              \
    "-----\n" accuracy                                                                                     \
    " Large calls release the GIL and are split over the pool of threads; the result does not depend on\n" \
    "their number.\n"                                                                                      \
    "\n"                                                                                                   \
    "Examples\n"                                                                                           \
    "--------\n"                                                                                           \
    ">>> import forzium\n"                                                                                 \
    ">>> import numpy as np\n"                                                                             \
    ">>> x = np.array([[1.0, 4.0], [9.0, 16.0]])\n"
#define EXACT NOTES("NumPy's bits.")
#define APPROXIMATE NOTES("At most 1 ULP from the exact result.")

static const char unary_notes[] = EXACT ">>> bool(np.array_equal(forzium.%name%(x), np.%name%(x)))\nTrue\n";
static const char binary_notes[] =
    EXACT ">>> bool(np.array_equal(forzium.%name%(x, 2.0), np.%name%(x, 2.0)))\nTrue\n";
static const char unary_bit_notes[] =
    EXACT ">>> bool(np.array_equal(forzium.%name%(x.astype(int)), np.%name%(x.astype(int))))\nTrue\n";
static const char binary_bit_notes[] =
    EXACT ">>> bool(np.array_equal(forzium.%name%(x.astype(int), 2), np.%name%(x.astype(int), 2)))\nTrue\n";
static const char select_notes[] =
    EXACT ">>> forzium.%name%(x > 5, x, 0.0)\narray([[ 0.,  0.],\n       [ 9., 16.]])\n";
static const char ternary_notes[] = EXACT ">>> forzium.%name%(x, 2.0, 10.0).shape\n(2, 2)\n";
static const char fma_notes[] =
    NOTES("As C's fma; NumPy has none.") ">>> forzium.%name%(x, 2.0, 10.0).shape\n(2, 2)\n";
static const char function_notes[] __attribute__((unused)) =
    APPROXIMATE ">>> forzium.%name%(x).shape\n(2, 2)\n";
static const char function2_notes[] __attribute__((unused)) =
    APPROXIMATE ">>> forzium.%name%(x, 2.0).shape\n(2, 2)\n";

/* ---- dtypes ---------------------------------------------------------------------------------------------- */

/* What a call computes in, what it gives, and the inputs' common dtype, to which weak scalars belong. */
typedef struct plan {
    fz_dtype common, compute, result;
} plan;

/* NEP 50: the arrays' dtypes promoted; Python scalars raise at most its kind. A condition does not count. */
static fz_dtype common_dtype(fz_op op, int inputs, const fzpy_view *views) {
    fz_dtype strong_ones[MAX_INPUTS], wide = FZ_INT64;
    int count = 0;
    fzpy_weakness weak = FZPY_STRONG;
    for (int k = fz_op_is_condition(op, 0); k < inputs; k++) {
        const fz_dtype own = views[k].array.dtype;
        if (views[k].weak > weak) weak = views[k].weak;
        if (views[k].weak == FZPY_WEAK_INT && own == FZ_UINT64) wide = FZ_UINT64;
        if (!views[k].weak) strong_ones[count++] = own;
    }
    const fz_dtype strong = fz_promote_all(count, strong_ones);
    if (!weak || fzpy_is_float(strong)) return strong;
    if (weak == FZPY_WEAK_FLOAT) return FZ_FLOAT64;
    return strong == FZ_BOOL ? wide : strong;
}

bool fzpy_is_same_kind(fz_dtype from, fz_dtype to) {
    static const unsigned char kinds[FZ_DTYPE_COUNT] = {
        [FZ_BOOL] = 0,    [FZ_UINT8] = 1,   [FZ_UINT16] = 1,   [FZ_UINT32] = 1, [FZ_UINT64] = 1,
        [FZ_INT8] = 2,    [FZ_INT16] = 2,   [FZ_INT32] = 2,    [FZ_INT64] = 2,  [FZ_FLOAT16] = 3,
        [FZ_FLOAT32] = 3, [FZ_FLOAT64] = 3, [FZ_BFLOAT16] = 3,
    };
    return kinds[from] <= kinds[to];
}

static int fail_cast(const fzpy_operation *row, const char *what, fz_dtype from, fz_dtype to) {
    PyErr_Format(PyExc_TypeError, "%s: %s cannot be cast from %s to %s; %s or a wider kind would do",
                 row->signature.function, what, fz_dtype_name(from), fz_dtype_name(to), fz_dtype_name(from));
    return -1;
}

/* The dtype argument: the result's, to which the inputs must be castable. */
static int apply_wanted(const fzpy_operation *row, int inputs, const fzpy_view *views, fz_dtype wanted,
                        plan *p) {
    const char *name = row->signature.function;
    const fz_op op = (fz_op)row->id;
    if (p->result == FZ_BOOL && p->common != FZ_BOOL && wanted != FZ_BOOL) {
        PyErr_Format(PyExc_TypeError, "%s: dtype is %s, but the result has another; bool would do", name,
                     fz_dtype_name(wanted));
        return -1;
    }
    fz_dtype compute, result;
    const fz_status status = fz_op_dtype(op, (const fz_dtype[]){wanted, wanted, wanted}, &compute, &result);
    if (status) return fzpy_raise(status), -1;
    if (p->result == FZ_BOOL && wanted == FZ_BOOL && p->common != FZ_BOOL) return 0;
    if (result != wanted) {
        PyErr_Format(PyExc_TypeError, "%s: dtype is %s, but the result has another; %s would do", name,
                     fz_dtype_name(wanted), fz_dtype_name(result));
        return -1;
    }
    for (int k = fz_op_is_condition(op, 0); k < inputs; k++) {
        const fz_dtype own = views[k].array.dtype;
        const fz_dtype least = views[k].weak == FZPY_WEAK_INT     ? FZ_UINT8
                               : views[k].weak == FZPY_WEAK_FLOAT ? FZ_FLOAT16
                                                                  : own;
        if (!fzpy_is_same_kind(least, wanted)) return fail_cast(row, row->signature.names[k], own, wanted);
    }
    *p = (plan){wanted, compute, wanted};
    return 0;
}

/* Of a logical operation's operand only its truth counts, which a conversion to the others' dtype could lose. */
bool fzpy_counts_truth(fz_op op) {
    return op == FZ_OP_logical_not || op == FZ_OP_logical_and || op == FZ_OP_logical_or ||
           op == FZ_OP_logical_xor;
}

static void settle_truth(fzpy_view *view) {
    const uint8_t truth =
        view->array.dtype == FZ_FLOAT64 ? view->scalar.real != 0 : view->scalar.natural != 0;
    view->scalar.truth = truth;
    view->array.dtype = FZ_BOOL;
}

/* Of a Python integer. */
static bool is_negative(const fzpy_view *view) {
    return view->array.dtype == FZ_INT64     ? view->scalar.integer < 0
           : view->array.dtype == FZ_FLOAT64 ? view->scalar.real < 0
                                             : false;
}

static bool is_comparison(fz_op op) { return op >= FZ_OP_equal && op <= FZ_OP_greater_equal; }

/* Comparisons with an integer beyond the dtype have an answer all the same: that of an infinity. */
static int settle_scalars(const fzpy_operation *row, int inputs, fzpy_view *views, plan *p) {
    const bool compares = is_comparison((fz_op)row->id);
    fz_dtype target = fzpy_is_float(p->compute) && !fzpy_is_float(p->common) ? p->compute : p->common;
    if (p->compute != FZ_FLOAT32 && fzpy_is_float(p->compute)) target = p->compute;
    if (fzpy_is_narrow_float(p->result)) target = p->result;
    for (int k = fz_op_is_condition((fz_op)row->id, 0); k < inputs; k++) {
        if (views[k].weak && fzpy_counts_truth((fz_op)row->id)) settle_truth(&views[k]);
        if (!views[k].weak || views[k].array.dtype == FZ_BOOL || fzpy_view_settle(&views[k], target))
            continue;
        if (!compares) {
            PyErr_Format(PyExc_OverflowError,
                         "%s: %s is a Python integer out of bounds for %s; a wider dtype would do",
                         row->signature.function, row->signature.names[k], fz_dtype_name(target));
            return -1;
        }
        views[k].scalar.real = is_negative(&views[k]) ? -Py_HUGE_VAL : Py_HUGE_VAL;
        views[k].array.dtype = FZ_FLOAT64;
        views[k].weak = FZPY_WEAK_FLOAT;
        p->compute = FZ_FLOAT64;
        return settle_scalars(row, inputs, views, p);
    }
    return 0;
}

static int make_plan(const fzpy_operation *row, int inputs, fzpy_view *views, PyObject *dtype, plan *p) {
    const fz_op op = (fz_op)row->id;
    fz_dtype dtypes[MAX_INPUTS];
    p->common = common_dtype(op, inputs, views);
    for (int k = 0; k < inputs; k++) dtypes[k] = views[k].weak ? p->common : views[k].array.dtype;
    const fz_status status = fz_op_dtype(op, dtypes, &p->compute, &p->result);
    fz_dtype wanted;
    if (dtype && dtype != Py_None) {
        if (fzpy_convert_dtype(row->signature.function, dtype, &wanted, FZPY_ANY) < 0) return -1;
        if (status) p->result = p->common;
        if (apply_wanted(row, inputs, views, wanted, p) < 0) return -1;
    } else if (status) {
        return fzpy_raise(status), -1;
    }
    return settle_scalars(row, inputs, views, p);
}

/* ---- computing -------------------------------------------------------------------------------------------- */

static int make_output(const fzpy_operation *row, fz_dtype dtype, int inputs, const fz_array *const arrays[],
                       PyObject *given, fzpy_view *out) {
    const char *name = row->signature.function;
    if (given) {
        if (fzpy_view_output(out, name, "out", given, FZPY_ANY) < 0) return -1;
        if (fzpy_is_same_kind(dtype, out->array.dtype)) return 0;
        PyErr_Format(PyExc_TypeError, "%s: out is %s, to which the result, %s, cannot be cast; %s would do",
                     name, fz_dtype_name(out->array.dtype), fz_dtype_name(dtype), fz_dtype_name(dtype));
        fzpy_view_clear(out);
        return -1;
    }
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    const fz_status status = fz_broadcast_shape(name, inputs, arrays, &ndim, shape);
    return status ? (fzpy_raise(status), -1)
                  : fzpy_view_new_like(out, name, dtype, ndim, shape, inputs, arrays);
}

static fz_status run(const fzpy_operation *row, fz_dtype compute, const fz_array *const inputs[],
                     fzpy_view *out) {
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(out));
    const fz_status status = fz_elementwise((fz_op)row->id, compute, inputs, &out->array);
    fzpy_retake_gil(released);
    return status;
}

/* A narrow float is computed as float32; on its way to a wider out it must pass through its own dtype. */
static fz_status run_narrow(const fzpy_operation *row, const plan *p, const fz_array *const inputs[],
                            fzpy_view *out) {
    fzpy_view narrow;
    const fz_array *const like = &out->array;
    if (fzpy_view_new_like(&narrow, row->signature.function, p->result, like->ndim, like->shape, 1, &like) <
        0)
        return FZ_ERROR_MEMORY;
    fz_status status = run(row, p->compute, inputs, &narrow);
    if (!status) status = fzpy_view_fill(out, &narrow.array);
    fzpy_view_clear(&narrow);
    return status;
}

static PyObject *compute_views(const fzpy_operation *row, int inputs, fzpy_view *views, PyObject *given,
                               PyObject *dtype) {
    const fz_array *arrays[MAX_INPUTS];
    plan p;
    fzpy_view out;
    if (make_plan(row, inputs, views, dtype, &p) < 0) return NULL;
    for (int k = 0; k < inputs; k++) arrays[k] = &views[k].array;
    if (make_output(row, p.result, inputs, arrays, given, &out) < 0) return NULL;
    const fz_status status = fzpy_is_narrow_float(p.result) && out.array.dtype != p.result
                                 ? run_narrow(row, &p, arrays, &out)
                                 : run(row, p.compute, arrays, &out);
    if (!status) return fzpy_view_result(&out, given != NULL);
    fzpy_view_clear(&out);
    return PyErr_Occurred() ? NULL : fzpy_raise(status);
}

/* Two huge integers compare as 0 and 1 do: their nearest float64 may be one. */
static int rank_integers(fz_op op, PyObject *const *values, fzpy_view *views) {
    if (!is_comparison(op) || !fzpy_is_huge(&views[0]) || !fzpy_is_huge(&views[1])) return 0;
    for (int k = 0; k < 2; k++) {
        const int is_above = PyObject_RichCompareBool(values[k], values[1 - k], Py_GT);
        if (is_above < 0) return -1;
        views[k].scalar.integer = is_above;
        views[k].array.dtype = FZ_INT64;
    }
    return 0;
}

static __attribute__((noinline)) PyObject *compute_by_views(const fzpy_operation *row, int inputs,
                                                            PyObject *const *values, PyObject *out,
                                                            PyObject *dtype) {
    fzpy_view views[MAX_INPUTS];
    PyObject *result = NULL;
    int viewed = 0;
    for (int k = 0; k < MAX_INPUTS; k++) views[k].weak = FZPY_STRONG;
    while (viewed < inputs && fzpy_view_input(&views[viewed], row->signature.function,
                                              row->signature.names[viewed], values[viewed], FZPY_ANY) == 0)
        viewed++;
    if (viewed == inputs && rank_integers((fz_op)row->id, values, views) == 0)
        result = compute_views(row, inputs, views, out, dtype);
    while (viewed) fzpy_view_clear(&views[--viewed]);
    return result;
}

/* The inputs from values[0] on; out and dtype may be NULL or None. */
static PyObject *compute_inputs(const fzpy_operation *row, int inputs, PyObject *const *values, PyObject *out,
                                PyObject *dtype) {
    if (out == Py_None) out = NULL;
    if (!dtype || dtype == Py_None) {
        PyObject *result = fzpy_elementwise_short((fz_op)row->id, inputs, values, out);
        if (result || PyErr_Occurred()) return result;
    }
    return compute_by_views(row, inputs, values, out, dtype);
}

static PyObject *compute(const fzpy_operation *row, PyObject *const *values) {
    const int inputs = row->signature.required;
    return compute_inputs(row, inputs, values, values[inputs], values[inputs + 1]);
}

/* min and max, or NULL. */
static PyObject *clip_to(const fzpy_operation *row, PyObject *const *values, PyObject *low, PyObject *high) {
    if (low && high) return compute_inputs(row, 3, values, values[3], values[4]);
    fzpy_operation one_bound = *row;
    one_bound.id = low ? FZ_OP_maximum : FZ_OP_minimum;
    one_bound.signature.names[1] = low ? "min" : "max";
    return compute_inputs(&one_bound, 2,
                          (PyObject *const[]){values[0], low    ? low
                                                         : high ? high
                                                                : values[0]},
                          values[3], values[4]);
}

/* A Python integer below all that x's dtype holds, or above it. */
static bool is_beyond(PyObject *bound, fz_dtype dtype, bool below) {
    fzpy_view view;
    if (!bound || !PyLong_CheckExact(bound)) return false;
    if (fzpy_view_input(&view, "clip", below ? "min" : "max", bound, FZPY_ANY) < 0) {
        PyErr_Clear(); /* to be raised where it is used */
        return false;
    }
    const bool beyond = is_negative(&view) == below && !fzpy_view_settle(&view, dtype);
    fzpy_view_clear(&view);
    return beyond;
}

/* As NumPy's, bounds beyond x's dtype are none. */
static PyObject *clip_within(const fzpy_operation *row, PyObject *const *values) {
    PyObject *low = values[1] == Py_None ? NULL : values[1], *high = values[2] == Py_None ? NULL : values[2];
    PyObject *result = clip_to(row, values, low, high);
    if (result || !PyErr_ExceptionMatches(PyExc_OverflowError)) return result;
    PyErr_Clear();
    fzpy_view x;
    if (fzpy_view_input(&x, "clip", "x", values[0], FZPY_ANY) < 0) return NULL;
    if (is_beyond(low, x.array.dtype, true)) low = NULL;
    if (is_beyond(high, x.array.dtype, false)) high = NULL;
    fzpy_view_clear(&x);
    return clip_to(row, values, low, high);
}

/* clip(x, min, max), where either bound may be absent. NumPy makes an array of x, so that a Python number has a dtype of
   its own beside the bounds'. */
static PyObject *compute_clip(const fzpy_operation *row, PyObject *const *values) {
    fzpy_view number;
    const bool is_number = PyLong_Check(values[0]) || PyFloat_Check(values[0]);
    if (!is_number || PyBool_Check(values[0])) return clip_within(row, values);
    if (fzpy_view_input(&number, "clip", "x", values[0], FZPY_ANY) < 0) return NULL;
    if (fzpy_is_huge(&number)) return clip_within(row, values);
    PyObject *x = fzpy_view_result(&number, false);
    PyObject *result =
        x ? clip_within(row, (PyObject *const[]){x, values[1], values[2], values[3], values[4]}) : NULL;
    Py_XDECREF(x);
    return result;
}

static PyObject *compute_with_alpha(const fzpy_operation *row, PyObject *const *values, double alpha) {
    PyObject *given = values[1] ? Py_NewRef(values[1]) : PyFloat_FromDouble(alpha);
    if (!given) return NULL;
    PyObject *result = compute_inputs(row, 2, (PyObject *const[]){values[0], given}, values[2], values[3]);
    Py_DECREF(given);
    return result;
}

static PyObject *compute_leaky_relu(const fzpy_operation *row, PyObject *const *values) {
    return compute_with_alpha(row, values, 0.01);
}

static PyObject *compute_elu(const fzpy_operation *row, PyObject *const *values) {
    return compute_with_alpha(row, values, 1.0);
}

static PyObject *compute_gelu(const fzpy_operation *row, PyObject *const *values) {
    PyObject *how = values[1];
    const bool is_text = how && PyUnicode_Check(how);
    fzpy_operation chosen = *row;
    if (is_text && PyUnicode_CompareWithASCIIString(how, "tanh") == 0) {
        chosen.id = FZ_OP_gelu_tanh;
    } else if (how && !(is_text && PyUnicode_CompareWithASCIIString(how, "none") == 0)) {
        PyErr_Format(is_text ? PyExc_ValueError : PyExc_TypeError,
                     "gelu: approximate is %R; \"none\" and \"tanh\" would do", how);
        return NULL;
    }
    return compute_inputs(&chosen, 1, values, values[2], values[3]);
}

/* ---- the table -------------------------------------------------------------------------------------------- */

/* The example of a row that refuses floats is of integers. */
#define UNARY_NOTES_FZ_FLOATS unary_notes
#define BINARY_NOTES_FZ_FLOATS binary_notes
#define UNARY_NOTES_FZ_WIDE_FLOATS unary_notes
#define BINARY_NOTES_FZ_WIDE_FLOATS binary_notes
#define BINARY_NOTES_FZ_FULL_FLOATS binary_notes
#define UNARY_NOTES_FZ_NUMBERS unary_notes
#define BINARY_NOTES_FZ_NUMBERS binary_notes
#define UNARY_NOTES_FZ_ARITHMETIC unary_notes
#define BINARY_NOTES_FZ_ARITHMETIC binary_notes
#define UNARY_NOTES_FZ_ANY unary_notes
#define BINARY_NOTES_FZ_ANY binary_notes
#define UNARY_NOTES_FZ_INTEGERS unary_bit_notes
#define BINARY_NOTES_FZ_INTEGERS binary_bit_notes
#define UNARY_NOTES_FZ_BITS unary_bit_notes
#define BINARY_NOTES_FZ_BITS binary_bit_notes

static const fzpy_operation rows[] = {
#define UNARY(name, text, notes)                              \
    {.signature = {#name, 3, 1, 1, 2, {"x", "out", "dtype"}}, \
     .parameters = "x, /, out=None, *, dtype=None",           \
     .doc = text,                                             \
     .family = family,                                        \
     .example = notes,                                        \
     .compute = compute,                                      \
     .id = FZ_OP_##name},
#define BINARY(name, text, notes)                                  \
    {.signature = {#name, 4, 2, 2, 3, {"x", "y", "out", "dtype"}}, \
     .parameters = "x, y, /, out=None, *, dtype=None",             \
     .doc = text,                                                  \
     .family = family,                                             \
     .example = notes,                                             \
     .compute = compute,                                           \
     .id = FZ_OP_##name},
#define FZ_UNARY(name, dtypes, lane, fill, text) UNARY(name, text, UNARY_NOTES_##dtypes)
#define FZ_TEST(name, dtypes, lane, fill, text) UNARY(name, text, unary_notes)
#define FZ_BINARY(name, dtypes, lane, fill, text) BINARY(name, text, BINARY_NOTES_##dtypes)
#define FZ_COMPARE(name, dtypes, lane, fill, text) BINARY(name, text, binary_notes)
#define FZ_FUNCTION(name, dtypes, lane, fill, text) UNARY(name, text, function_notes)
#define FZ_FUNCTION2(name, dtypes, lane, fill, text) BINARY(name, text, function2_notes)
#include "ops.def"
};

/* Those that are called otherwise than their kind in the table. */
static const fzpy_operation special[] = {
    {.signature = {"where", 5, 3, 3, 4, {"condition", "x", "y", "out", "dtype"}},
     .parameters = "condition, x, y, /, out=None, *, dtype=None",
     .doc = "x where the condition is true, else y.",
     .family = family,
     .example = select_notes,
     .compute = compute,
     .id = FZ_OP_where},
    {.signature = {"fma", 5, 3, 3, 4, {"a", "b", "c", "out", "dtype"}},
     .parameters = "a, b, c, /, out=None, *, dtype=None",
     .doc = "a * b + c, rounded once; of narrow floats to float32, then to theirs.",
     .family = family,
     .example = fma_notes,
     .compute = compute,
     .id = FZ_OP_fma},
    {.signature = {"clip", 5, 1, 0, 4, {"x", "min", "max", "out", "dtype"}},
     .parameters = "x, min=None, max=None, out=None, *, dtype=None",
     .doc = "x, but at least min and at most max; None is no bound.",
     .family = family,
     .example = ternary_notes,
     .compute = compute_clip,
     .id = FZ_OP_clip},
    {.signature = {"relu", 3, 1, 1, 2, {"x", "out", "dtype"}},
     .parameters = "x, /, out=None, *, dtype=None",
     .doc = "x, but 0 below 0.",
     .family = family,
     .example = function_notes,
     .compute = compute,
     .id = FZ_OP_relu},
    {.signature = {"leaky_relu", 4, 1, 1, 3, {"x", "alpha", "out", "dtype"}},
     .parameters = "x, /, alpha=0.01, out=None, *, dtype=None",
     .doc = "x, but alpha times x below 0.",
     .family = family,
     .example = function_notes,
     .compute = compute_leaky_relu,
     .id = FZ_OP_leaky_relu},
    {.signature = {"elu", 4, 1, 1, 3, {"x", "alpha", "out", "dtype"}},
     .parameters = "x, /, alpha=1.0, out=None, *, dtype=None",
     .doc = "x, but alpha (exp(x) - 1) below 0.",
     .family = family,
     .example = function_notes,
     .compute = compute_elu,
     .id = FZ_OP_elu},
    {.signature = {"gelu", 4, 1, 1, 3, {"x", "approximate", "out", "dtype"}},
     .parameters = "x, /, approximate=\"none\", out=None, *, dtype=None",
     .doc = "x times the normal distribution at x; \"tanh\" approximates it as gelu_tanh does.",
     .family = family,
     .example = function_notes,
     .compute = compute_gelu,
     .id = FZ_OP_gelu},
};

int fzpy_init_elementwise(PyObject *core) {
    if (fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]) < 0) return -1;
    return fzpy_add_operations(core, special, sizeof special / sizeof special[0]);
}
