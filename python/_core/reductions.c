/* The reductions: a FZ_REDUCTION row of ops.def is an operation here, and its family says what arguments it takes. */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core.h"

/* ---- arguments --------------------------------------------------------------------------------------------- */

/* What a reduction may be given. */
typedef enum slot { X, AXIS, DTYPE, OUT, DDOF, KEEPDIMS, INITIAL, WHERE, CORRECTION, SLOTS } slot;

/* As NumPy, no bool: it would be meant for keepdims. */
int fzpy_read_axis(const char *name, const char *argument, PyObject *object, int *axis) {
    Py_ssize_t value;
    if (PyBool_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be an integer, not bool", name, argument);
        return -1;
    }
    if (fzpy_read_size(name, argument, object, &value) < 0) return -1;
    *axis = value > INT_MAX ? INT_MAX : value < -INT_MAX ? -INT_MAX : (int)value;
    return 0;
}

int fzpy_read_axes(const char *name, PyObject *object, fzpy_axes *a) {
    a->count = 1;
    a->all = !object;
    if (a->all) return 0;
    if (!PyTuple_Check(object)) return fzpy_read_axis(name, "axis", object, a->list);
    if (PyTuple_GET_SIZE(object) > FZ_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "%s: axis names more than %d axes", name, FZ_MAX_NDIM);
        return -1;
    }
    a->count = (int)PyTuple_GET_SIZE(object);
    for (int i = 0; i < a->count; i++) {
        if (fzpy_read_axis(name, "axis", PyTuple_GET_ITEM(object, i), &a->list[i]) < 0) return -1;
    }
    return 0;
}

/* All that is known of a call. The views stay where they are: arrays point into them. */
typedef struct call {
    const char *name;
    fz_reduction reduction;
    fzpy_axes axes;
    int keepdims;
    fz_dtype result;
    fzpy_view x, where, initial;
    fz_reduce_options options;
} call;

static int read_where(call *c, PyObject *object) {
    if (!object || object == Py_True) return 0;
    if (fzpy_view_input(&c->where, c->name, "where", object, FZPY_ANY) < 0) return -1;
    if (c->where.array.dtype != FZ_BOOL) {
        PyErr_Format(PyExc_TypeError, "%s: where is %s; bool would do", c->name,
                     fz_dtype_name(c->where.array.dtype));
        return -1;
    }
    c->options.where = &c->where.array;
    return 0;
}

/* Compared with the end, as the largest of 64 bits is no double. */
static bool holds(fz_dtype dtype, double value) {
    if (dtype == FZ_BOOL || fzpy_is_float(dtype)) return true;
    const bool is_signed = dtype <= FZ_INT64;
    const double end = ldexp(1, 8 * (int)fz_dtype_size(dtype) - is_signed);
    return trunc(value) >= (is_signed ? -end : 0) && trunc(value) < end;
}

/* Floats are cut to integers, as NumPy's are; an infinity, say before a minimum, would become any integer. */
static int check_initial(call *c) {
    double value;
    fz_array wide = {&value, FZ_FLOAT64, 0, NULL, NULL};
    if (!fzpy_is_float(c->initial.array.dtype) || c->initial.array.ndim) return 0;
    const fz_status status = fz_copy(&c->initial.array, &wide);
    if (status) return fzpy_raise(status), -1;
    if (holds(c->result, value)) return 0;
    PyErr_Format(isnan(value) ? PyExc_ValueError : PyExc_OverflowError,
                 "%s: initial is a float out of bounds for %s; an integer within them would do", c->name,
                 fz_dtype_name(c->result));
    return -1;
}

static int read_initial(call *c, PyObject *object) {
    if (!object) return 0;
    if (fzpy_view_input(&c->initial, c->name, "initial", object, FZPY_ANY) < 0) return -1;
    if (c->initial.weak && !fzpy_view_settle(&c->initial, c->result)) {
        PyErr_Format(PyExc_OverflowError, "%s: initial is a Python integer out of bounds for %s", c->name,
                     fz_dtype_name(c->result));
        return -1;
    }
    /* It may be an element of out, where it changes before all results have joined it. */
    if (c->initial.owner && c->initial.array.ndim == 0) {
        memcpy(&c->initial.scalar, c->initial.array.data, fz_dtype_size(c->initial.array.dtype));
        c->initial.array.data = &c->initial.scalar;
    }
    c->options.initial = &c->initial.array;
    return check_initial(c);
}

/* Two names for one number. */
static int read_correction(call *c, PyObject *ddof, PyObject *correction) {
    if (ddof && correction) {
        PyErr_Format(PyExc_ValueError, "%s: ddof and correction are both given; one would do", c->name);
        return -1;
    }
    if (!ddof && !correction) return 0;
    return fzpy_read_double(c->name, ddof ? "ddof" : "correction", ddof ? ddof : correction,
                            &c->options.correction);
}

static bool is_place(const call *c) {
    return c->reduction == FZ_REDUCTION_argmin || c->reduction == FZ_REDUCTION_argmax;
}

/* argmin and argmax have one axis, which as NumPy's no tuple names. */
static int read_axes(call *c, PyObject *object) {
    if (!object || !is_place(c)) return fzpy_read_axes(c->name, object, &c->axes);
    c->axes.count = 1;
    c->axes.all = false;
    return fzpy_read_axis(c->name, "axis", object, c->axes.list);
}

/* A number has one axis for NumPy's reductions, but not for its mean, var and std, nor in a tuple. */
static int check_axis_of_number(const call *c, PyObject *axis) {
    const fz_reduction r = c->reduction;
    const bool is_moment = r == FZ_REDUCTION_mean || r == FZ_REDUCTION_var || r == FZ_REDUCTION_std;
    if (c->x.array.ndim || c->axes.all || c->axes.count != 1) return 0;
    return is_moment || PyTuple_Check(axis) ? fzpy_raise_axis(c->name, c->axes.list[0]) : 0;
}

static int read_call(call *c, PyObject *const *given, bool takes_dtype) {
    const char *name = c->name;
    c->keepdims = given[KEEPDIMS] ? PyObject_IsTrue(given[KEEPDIMS]) : 0;
    if (c->keepdims < 0) return fzpy_name_argument(name, "keepdims");
    if (read_axes(c, given[AXIS]) < 0) return -1;
    if (fzpy_view_input(&c->x, name, "x", given[X], FZPY_ANY) < 0) return -1;
    if (check_axis_of_number(c, given[AXIS]) < 0) return -1;
    c->result = fz_reduce_dtype(c->reduction, c->x.array.dtype);
    if (given[DTYPE] && fzpy_convert_dtype(name, given[DTYPE], &c->result, FZPY_ANY) < 0) return -1;
    if (takes_dtype && !given[DTYPE]) c->result = fzpy_widen_to_out(c->result, given[OUT]);
    if (read_where(c, given[WHERE]) < 0 || read_initial(c, given[INITIAL]) < 0) return -1;
    return read_correction(c, given[DDOF], given[CORRECTION]);
}

/* ---- computing --------------------------------------------------------------------------------------------- */

static PyObject *run(call *c, PyObject *given_out) {
    const int *list = c->axes.all ? NULL : c->axes.list;
    const fzpy_view *const inputs[] = {&c->x, &c->where};
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fzpy_output out;
    fz_status status =
        fz_reduce_shape(c->reduction, &c->x.array, c->axes.count, list, c->keepdims, &ndim, shape);
    if (status) return fzpy_raise(status);
    if (is_place(c) && fzpy_is_float(fzpy_widen_to_out(c->result, given_out)))
        return PyErr_Format(PyExc_TypeError, "%s: out is of floats, which are no places; int64 would do",
                            c->name);
    if (fzpy_output_open(&out, c->name, given_out, c->result, ndim, shape, c->options.where ? 2 : 1, inputs) <
        0)
        return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(&c->x));
    status = fz_reduce_with(c->reduction, &c->x.array, c->axes.count, list, &c->options, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_given(const fzpy_operation *row, PyObject *const *given, bool takes_dtype) {
    call c;
    c.name = row->signature.function;
    c.reduction = (fz_reduction)row->id;
    c.x.owner = c.where.owner = c.initial.owner = NULL;
    c.options = (fz_reduce_options){0};
    PyObject *result = read_call(&c, given, takes_dtype) < 0 ? NULL : run(&c, given[OUT]);
    fzpy_view_clear(&c.x);
    fzpy_view_clear(&c.where);
    fzpy_view_clear(&c.initial);
    return result;
}

/* ---- families: arguments in NumPy's order -------------------------------------------------------------------- */

#define SLOTS_FZ_TOTAL {X, AXIS, DTYPE, OUT, KEEPDIMS, INITIAL, WHERE}
#define SIGNATURE_FZ_TOTAL(name) \
    {#name, 7, 1, 0, 7, {"x", "axis", "dtype", "out", "keepdims", "initial", "where"}}
#define PARAMETERS_FZ_TOTAL "x, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=True"

#define SLOTS_FZ_EXTREME {X, AXIS, OUT, KEEPDIMS, INITIAL, WHERE}
#define SIGNATURE_FZ_EXTREME(name) {#name, 6, 1, 0, 6, {"x", "axis", "out", "keepdims", "initial", "where"}}
#define PARAMETERS_FZ_EXTREME "x, axis=None, out=None, keepdims=False, initial=None, where=True"

#define SLOTS_FZ_AVERAGE {X, AXIS, DTYPE, OUT, KEEPDIMS, WHERE}
#define SIGNATURE_FZ_AVERAGE(name) {#name, 6, 1, 0, 5, {"x", "axis", "dtype", "out", "keepdims", "where"}}
#define PARAMETERS_FZ_AVERAGE "x, axis=None, dtype=None, out=None, keepdims=False, *, where=True"

#define SLOTS_FZ_VARIANCE {X, AXIS, DTYPE, OUT, DDOF, KEEPDIMS, WHERE, CORRECTION}
#define SIGNATURE_FZ_VARIANCE(name) \
    {#name, 8, 1, 0, 6, {"x", "axis", "dtype", "out", "ddof", "keepdims", "where", "correction"}}
#define PARAMETERS_FZ_VARIANCE \
    "x, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, correction=0"

#define SLOTS_FZ_DEVIATION SLOTS_FZ_VARIANCE
#define SIGNATURE_FZ_DEVIATION SIGNATURE_FZ_VARIANCE
#define PARAMETERS_FZ_DEVIATION PARAMETERS_FZ_VARIANCE

#define SLOTS_FZ_TRUTH {X, AXIS, OUT, KEEPDIMS, WHERE}
#define SIGNATURE_FZ_TRUTH(name) {#name, 5, 1, 0, 4, {"x", "axis", "out", "keepdims", "where"}}
#define PARAMETERS_FZ_TRUTH "x, axis=None, out=None, keepdims=False, *, where=True"

#define SLOTS_FZ_COUNT {X, AXIS, KEEPDIMS}
#define SIGNATURE_FZ_COUNT(name) {#name, 3, 1, 0, 3, {"x", "axis", "keepdims"}}
#define PARAMETERS_FZ_COUNT "x, axis=None, keepdims=False"

#define SLOTS_FZ_PLACE {X, AXIS, OUT, KEEPDIMS}
#define SIGNATURE_FZ_PLACE(name) {#name, 4, 1, 0, 4, {"x", "axis", "out", "keepdims"}}
#define PARAMETERS_FZ_PLACE "x, axis=None, out=None, keepdims=False"

static const unsigned char slots[FZ_REDUCTION_COUNT][SLOTS] = {
#define FZ_REDUCTION(name, family, join, elements, text) SLOTS_##family,
#include "ops.def"
};

static PyObject *compute(const fzpy_operation *row, PyObject *const *values) {
    PyObject *given[SLOTS] = {NULL};
    for (int i = 0; i < row->signature.count; i++)
        given[slots[row->id][i]] = values[i] == Py_None && i > 0 ? NULL : values[i];
    return compute_given(row, given, slots[row->id][2] == DTYPE);
}

/* ---- documentation ----------------------------------------------------------------------------------------- */

#define DOC_AXIS                                                        \
    "\n\n"                                                              \
    "Parameters\n"                                                      \
    "----------\n" FZPY_DOC_X "axis : int or tuple of ints, optional\n" \
    "    The axes that go; by default all.\n"
#define DOC_ONE_AXIS                                   \
    "\n\n"                                             \
    "Parameters\n"                                     \
    "----------\n" FZPY_DOC_X "axis : int, optional\n" \
    "    The axis that goes; by default all, in C order.\n"
#define DOC_DTYPE                                                                                          \
    "dtype : data-type, optional\n"                                                                        \
    "    The dtype of the result, in which it is computed; float16 and bfloat16 are computed in float32. " \
    "By\n"                                                                                                 \
    "    default NumPy's.\n"
#define DOC_OUT                 \
    "out : ndarray, optional\n" \
    "    Where to write; of the result's shape. Nothing is written on error.\n"
#define DOC_KEEPDIMS              \
    "keepdims : bool, optional\n" \
    "    Keep the reduced axes with length 1.\n"
#define DOC_INITIAL                \
    "initial : scalar, optional\n" \
    "    Joined with every result.\n"
#define DOC_WHERE                            \
    "where : array_like of bool, optional\n" \
    "    Which elements count; broadcast to x.\n"
#define DOC_DDOF               \
    "ddof : float, optional\n" \
    "    The sum of squares is divided by the number of elements less this.\n"
#define DOC_CORRECTION               \
    "correction : float, optional\n" \
    "    Another name for ddof.\n"
#define DOC_RESULT                                                                                    \
    "\n"                                                                                              \
    "Returns\n"                                                                                       \
    "-------\n"                                                                                       \
    "ndarray or scalar\n"                                                                             \
    "\n"                                                                                              \
    "Raises\n"                                                                                        \
    "------\n"                                                                                        \
    "ValueError\n"                                                                                    \
    "    For an axis that is out of bounds (NumPy's AxisError) or named twice, an out or a where of " \
    "another\n"                                                                                       \
    "    shape, and extremes of no elements.\n"                                                       \
    "TypeError\n"                                                                                     \
    "    For dtypes that the operation does not have.\n"                                              \
    "\n"                                                                                              \
    "Notes\n"                                                                                         \
    "-----\n"
#define DOC_EXAMPLE                   \
    " Large calls release the GIL.\n" \
    "\n"                              \
    "Examples\n"                      \
    "--------\n"                      \
    ">>> import forzium\n"            \
    ">>> import numpy as np\n"        \
    ">>> x = np.array([[1.0, 2.0], [3.0, 6.0]])\n"
#define DOC_ORDER "The bits do not depend on the number of threads."

#define DOC_FZ_TOTAL                                                         \
    DOC_AXIS DOC_DTYPE DOC_OUT DOC_KEEPDIMS DOC_INITIAL DOC_WHERE DOC_RESULT \
        "Partial results join as a tree whose order shape and strides fix. " DOC_ORDER DOC_EXAMPLE
#define DOC_FZ_EXTREME                                             \
    DOC_AXIS DOC_OUT DOC_KEEPDIMS DOC_INITIAL DOC_WHERE DOC_RESULT \
        "With where, initial is needed." DOC_EXAMPLE
#define DOC_FZ_AVERAGE                                           \
    DOC_AXIS DOC_DTYPE DOC_OUT DOC_KEEPDIMS DOC_WHERE DOC_RESULT \
        "Partial results join as a tree whose order shape and strides fix. " DOC_ORDER DOC_EXAMPLE
#define DOC_FZ_VARIANCE                                                                                   \
    DOC_AXIS DOC_DTYPE DOC_OUT DOC_DDOF DOC_KEEPDIMS DOC_WHERE DOC_CORRECTION DOC_RESULT                  \
        "One pass over memory: blocks' squared distances from their own means join pairwise, in double, " \
        "as\n"                                                                                            \
        "Chan, Golub and LeVeque have it (1979). " DOC_ORDER DOC_EXAMPLE
#define DOC_FZ_DEVIATION DOC_FZ_VARIANCE
#define DOC_FZ_TRUTH                                   \
    DOC_AXIS DOC_OUT DOC_KEEPDIMS DOC_WHERE DOC_RESULT \
        "NaN is not 0. No more elements are read than the answer needs, give or take a block." DOC_EXAMPLE
#define DOC_FZ_COUNT DOC_AXIS DOC_KEEPDIMS DOC_RESULT "NaN is not 0." DOC_EXAMPLE
#define DOC_FZ_PLACE DOC_ONE_AXIS DOC_OUT DOC_KEEPDIMS DOC_RESULT "The result is int64." DOC_EXAMPLE

static const char example[] =
    ">>> bool(np.array_equal(forzium.%name%(x, axis=0), np.%name%(x, axis=0)))\nTrue\n";

static const fzpy_operation rows[] = {
#define FZ_REDUCTION(name, family_, join, elements, text) \
    {.signature = SIGNATURE_##family_(name),              \
     .parameters = PARAMETERS_##family_,                  \
     .doc = text,                                         \
     .family = DOC_##family_,                             \
     .example = example,                                  \
     .compute = compute,                                  \
     .id = FZ_REDUCTION_##name},
#include "ops.def"
};

int fzpy_init_reductions(PyObject *core) {
    return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]);
}
