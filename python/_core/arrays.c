/* Arrays as others: transpose. */
#include "core.h"

/* ---- transpose ----------------------------------------------------------------------------------------- */

/* 1 with axes filled, 0 where they are to be reversed, -1 with an exception. */
static int read_permutation(PyObject *object, int ndim, int axes[FZ_MAX_NDIM]) {
    if (!object || object == Py_None) return 0;
    if (!fzpy_is_sequence(object)) {
        PyErr_Format(PyExc_TypeError, "transpose: axes is a %s; a sequence of ints would do",
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    PyObject *items = PySequence_Tuple(object);
    if (!items) return -1;
    int result = 1;
    if (PyTuple_GET_SIZE(items) != ndim) {
        PyErr_Format(PyExc_ValueError,
                     "transpose: axes has %zd entries and x has %d axes; each must be named once",
                     PyTuple_GET_SIZE(items), ndim);
        result = -1;
    }
    for (int d = 0; result > 0 && d < ndim; d++) {
        result = fzpy_read_axis("transpose", "axes", PyTuple_GET_ITEM(items, d), &axes[d]) < 0 ? -1 : 1;
    }
    Py_DECREF(items);
    return result;
}

static PyObject *transpose_view(const fzpy_view *x, PyObject *permutation, PyObject *given) {
    int axes[FZ_MAX_NDIM];
    const int named = read_permutation(permutation, x->array.ndim, axes);
    if (named < 0) return NULL;
    const int *list = named ? axes : NULL;
    ptrdiff_t shape[FZ_MAX_NDIM];
    fzpy_output out;
    fz_status status = fz_transpose_shape(&x->array, list, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, "transpose", given, x->array.dtype, x->array.ndim, shape, 1, &x) < 0)
        return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    status = fz_transpose(&x->array, list, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_transpose(const fzpy_operation *row, PyObject *const *values) {
    fzpy_view x;
    if (fzpy_view_input(&x, row->signature.function, "x", values[0], FZPY_ANY) < 0) return NULL;
    PyObject *result = transpose_view(&x, values[1], values[2]);
    fzpy_view_clear(&x);
    return result;
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static const char transpose_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n" FZPY_DOC_X "axes : sequence of ints, optional\n"
    "    Axis d of the result is axis axes[d] of x; by default they are reversed.\n" FZPY_DOC_OUT "\n"
    "Returns\n"
    "-------\n"
    "ndarray\n"
    "    out, or a new array.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    For axes that x has not (NumPy's AxisError), are missing or named twice, an out of another shape, "
    "and a\n"
    "    read-only out.\n"
    "TypeError\n"
    "    For an out to which x's dtype cannot be cast.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "A copy in memory order, in tiles that fit the cache; ``x.T`` is the view. Large calls release the GIL.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> forzium.transpose(np.array([[1.0, 2.0], [3.0, 4.0]]))\n"
    "array([[1., 3.],\n"
    "       [2., 4.]])\n";

static const fzpy_operation rows[] = {
    {.signature = {"transpose", 3, 1, 0, 3, {"x", "axes", "out"}},
     .parameters = "x, axes=None, out=None",
     .doc = "A copy of x with its axes permuted.",
     .family = transpose_doc,
     .example = "",
     .compute = compute_transpose},
};

int fzpy_init_arrays(PyObject *core) { return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]); }
