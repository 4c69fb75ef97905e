/* The reductions: a FZ_REDUCTION row of ops.def is an operation here. */
#include "core.h"

static const char family[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    float32 or float64, any shape and strides.\n"
    "axis : int or tuple of ints, optional\n"
    "    The axes that go; by default all.\n"
    "dtype : float32 or float64, optional\n"
    "    The dtype to compute in; by default x's. Sums, means and products only.\n"
    "out : ndarray, optional\n"
    "    Where to write; of the result's shape. Nothing is written on error.\n"
    "keepdims : bool, optional\n"
    "    Keep the reduced axes with length 1.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "ndarray or scalar\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    For an axis that is out of bounds or named twice, an out of another shape, and extremes of no\n"
    "    elements.\n"
    "TypeError\n"
    "    For dtypes other than float32 and float64.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "Sums are joined as a tree whose order shape and strides fix, never the number of threads. Large\n"
    "calls release the GIL.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> x = np.array([[1.0, 2.0], [3.0, 6.0]])\n";
static const char example[] =
    ">>> bool(np.array_equal(forzium.%name%(x, axis=0), np.%name%(x, axis=0)))\nTrue\n";

typedef struct axes {
    int count, list[FZ_MAX_NDIM];
    bool all;
} axes;

static int read_axis(const char *name, PyObject *object, axes *a) {
    Py_ssize_t axis;
    if (fzpy_read_size(name, "axis", object, &axis) < 0) return -1;
    if (a->count == FZ_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "%s: axis names more than %d axes", name, FZ_MAX_NDIM);
        return -1;
    }
    if (axis != (int)axis) {
        PyErr_Format(PyExc_ValueError, "%s: axis %zd is out of bounds", name, axis);
        return -1;
    }
    a->list[a->count++] = (int)axis;
    return 0;
}

static int read_axes(const char *name, PyObject *object, axes *a) {
    a->count = 0;
    a->all = !object || object == Py_None;
    if (a->all) return 0;
    if (!PyTuple_Check(object)) return read_axis(name, object, a);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++) {
        if (read_axis(name, PyTuple_GET_ITEM(object, i), a) < 0) return -1;
    }
    return 0;
}

/* Sums take a dtype, extremes do not; NumPy's order either way. */
typedef struct arguments {
    PyObject *x, *axis, *dtype, *out, *keepdims;
} arguments;

static arguments name_values(const fzpy_operation *row, PyObject *const *values) {
    const bool has_dtype = row->signature.count == 5;
    PyObject *dtype = has_dtype ? values[2] : NULL;
    return (arguments){values[0], values[1], dtype == Py_None ? NULL : dtype, values[2 + has_dtype],
                       values[3 + has_dtype]};
}

static PyObject *reduce_view(const fzpy_operation *row, const fzpy_view *x, const axes *a, PyObject *given,
                             int keepdims) {
    const char *name = row->signature.function;
    const int *list = a->all ? NULL : a->list;
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fzpy_output out;
    fz_status status =
        fz_reduce_shape((fz_reduction)row->id, &x->array, a->count, list, keepdims, &ndim, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, name, given, x->array.dtype, ndim, shape, 1, &x) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    status = fz_reduce((fz_reduction)row->id, &x->array, a->count, list, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    const arguments given = name_values(row, values);
    const int keepdims = given.keepdims ? PyObject_IsTrue(given.keepdims) : 0;
    axes a;
    fzpy_view x;
    if (keepdims < 0) fzpy_name_argument(name, "keepdims");
    if (keepdims < 0 || read_axes(name, given.axis, &a) < 0) return NULL;
    if (fzpy_view_input(&x, name, "x", given.x, FZPY_FLOATS) < 0) return NULL;
    PyObject *result = NULL;
    fz_dtype dtype = x.array.dtype;
    if ((!given.dtype || fzpy_convert_dtype(name, given.dtype, &dtype, FZPY_FLOATS) == 0) &&
        fzpy_view_cast(&x, name, dtype) == 0)
        result = reduce_view(row, &x, &a, given.out, keepdims);
    fzpy_view_clear(&x);
    return result;
}

#define SIGNATURE_add(name) {#name, 5, 1, 0, 5, {"x", "axis", "dtype", "out", "keepdims"}}
#define PARAMETERS_add "x, axis=None, dtype=None, out=None, keepdims=False"
#define SIGNATURE_maximum(name) {#name, 4, 1, 0, 4, {"x", "axis", "out", "keepdims"}}
#define PARAMETERS_maximum "x, axis=None, out=None, keepdims=False"
#define SIGNATURE_multiply SIGNATURE_add
#define PARAMETERS_multiply PARAMETERS_add
#define SIGNATURE_minimum SIGNATURE_maximum
#define PARAMETERS_minimum PARAMETERS_maximum
#define SIGNATURE_fmax SIGNATURE_maximum
#define PARAMETERS_fmax PARAMETERS_maximum
#define SIGNATURE_fmin SIGNATURE_maximum
#define PARAMETERS_fmin PARAMETERS_maximum

static const fzpy_operation rows[] = {
#define FZ_REDUCTION(name, dtypes, combine, neutral, finish, text) \
    {.signature = SIGNATURE_##combine(name),                       \
     .parameters = PARAMETERS_##combine,                           \
     .doc = text,                                                  \
     .family = family,                                             \
     .example = example,                                           \
     .compute = compute,                                           \
     .id = FZ_REDUCTION_##name},
#include "ops.def"
};

int fzpy_init_reductions(PyObject *core) {
    return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]);
}
