/* The operations on whole arrays: transpose, conv2d, max_pool2d. */
#include "core.h"

/* Two inputs in their common dtype; both are cleared on failure. */
static int view_pair(const fzpy_operation *row, PyObject *const *values, fzpy_view views[2]) {
    const fzpy_signature *s = &row->signature;
    if (fzpy_view_input(&views[0], s->function, s->names[0], values[0], FZPY_FLOATS) < 0) return -1;
    if (fzpy_view_input(&views[1], s->function, s->names[1], values[1], FZPY_FLOATS) == 0) {
        const bool wide = views[0].array.dtype == FZ_FLOAT64 || views[1].array.dtype == FZ_FLOAT64;
        const fz_dtype dtype = wide ? FZ_FLOAT64 : FZ_FLOAT32;
        if (fzpy_view_cast(&views[0], s->function, dtype) == 0 &&
            fzpy_view_cast(&views[1], s->function, dtype) == 0)
            return 0;
        fzpy_view_clear(&views[1]);
    }
    fzpy_view_clear(&views[0]);
    return -1;
}

static PyObject *compute_conv2d(const fzpy_operation *row, PyObject *const *values) {
    fzpy_view views[2];
    if (view_pair(row, values, views) < 0) return NULL;
    const fzpy_view *const inputs[] = {&views[0], &views[1]};
    ptrdiff_t shape[2];
    fzpy_output out;
    PyObject *result = NULL;
    fz_status status = fz_conv2d_shape(&views[0].array, &views[1].array, shape);
    if (status) {
        fzpy_raise(status);
    } else if (fzpy_output_open(&out, row->signature.function, values[2], views[0].array.dtype, 2, shape, 2,
                                inputs) == 0) {
        PyThreadState *released = fzpy_release_gil(fzpy_view_size(&views[0]) * fzpy_view_size(&views[1]));
        status = fz_conv2d(&views[0].array, &views[1].array, &out.target->array);
        fzpy_retake_gil(released);
        result = fzpy_output_close(&out, status);
    }
    fzpy_view_clear(&views[0]);
    fzpy_view_clear(&views[1]);
    return result;
}

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
        Py_ssize_t axis = 0;
        result = fzpy_read_size("transpose", "axes", PyTuple_GET_ITEM(items, d), &axis) < 0 ? -1 : 1;
        /* clipped, to be refused with its place */
        axes[d] = axis > FZ_MAX_NDIM ? FZ_MAX_NDIM : axis < -FZ_MAX_NDIM ? -FZ_MAX_NDIM - 1 : (int)axis;
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
    if (fzpy_view_input(&x, row->signature.function, "x", values[0], FZPY_FLOATS) < 0) return NULL;
    PyObject *result = transpose_view(&x, values[1], values[2]);
    fzpy_view_clear(&x);
    return result;
}

/* ---- max_pool2d ---------------------------------------------------------------------------------------- */

static PyObject *pool_view(const fzpy_view *x, Py_ssize_t window, Py_ssize_t stride, PyObject *given) {
    ptrdiff_t shape[2];
    fzpy_output out;
    fz_status status = fz_max_pool2d_shape(&x->array, window, stride, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, "max_pool2d", given, x->array.dtype, 2, shape, 1, &x) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    status = fz_max_pool2d(&x->array, window, stride, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_max_pool2d(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    Py_ssize_t window, stride;
    fzpy_view x;
    if (fzpy_read_size(name, "window", values[1], &window) < 0) return NULL;
    stride = window;
    if (values[2] && values[2] != Py_None && fzpy_read_size(name, "stride", values[2], &stride) < 0)
        return NULL;
    if (fzpy_view_input(&x, name, "x", values[0], FZPY_FLOATS) < 0) return NULL;
    PyObject *result = pool_view(&x, window, stride, values[3]);
    fzpy_view_clear(&x);
    return result;
}

/* ---- the table ------------------------------------------------------------------------------------------ */

#define OUT_AND_ERRORS                                                                                      \
    "out : ndarray, optional\n"                                                                             \
    "    Where to write; of the result's shape, any strides; may overlap an input. Nothing is written on\n" \
    "    error.\n"                                                                                          \
    "\n"                                                                                                    \
    "Returns\n"                                                                                             \
    "-------\n"                                                                                             \
    "ndarray\n"                                                                                             \
    "    out, or a new array.\n"                                                                            \
    "\n"                                                                                                    \
    "Raises\n"                                                                                              \
    "------\n"                                                                                              \
    "ValueError\n"                                                                                          \
    "    For shapes that do not fit, and a read-only out.\n"                                                \
    "TypeError\n"                                                                                           \
    "    For dtypes other than float32 and float64.\n"                                                      \
    "\n"

static const char transpose_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    float32 or float64, any shape and strides.\n"
    "axes : sequence of ints, optional\n"
    "    Axis d of the result is axis axes[d] of x; by default they are reversed.\n" OUT_AND_ERRORS "Notes\n"
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

static const char conv2d_doc[] =
    "\n\n"
    "The kernel is not flipped (cross-correlation), and only places where it fits are computed (valid).\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    An image (h, w) of one channel; float32 or float64.\n"
    "weight : array_like\n"
    "    The kernel (kh, kw), not larger than x.\n" OUT_AND_ERRORS "Notes\n"
    "-----\n"
    "Each result is one chain of fused multiply-adds in row order. Large calls release the GIL; the result\n"
    "does not depend on the number of threads.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> forzium.conv2d(np.arange(9.0).reshape(3, 3), np.ones((2, 2)))\n"
    "array([[ 8., 12.],\n"
    "       [20., 24.]])\n";

static const char max_pool2d_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    An image (h, w) of one channel; float32 or float64.\n"
    "window : int\n"
    "    Side of the square window in elements.\n"
    "stride : int, optional\n"
    "    Step from window to window; by default the window's side. What is left at the right and lower\n"
    "    edge is not covered.\n" OUT_AND_ERRORS "Notes\n"
    "-----\n"
    "NaN where a window holds one. Large calls release the GIL.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> forzium.max_pool2d(np.arange(16.0).reshape(4, 4), 2)\n"
    "array([[ 5.,  7.],\n"
    "       [13., 15.]])\n";

static const fzpy_operation rows[] = {
    {.signature = {"transpose", 3, 1, 0, 3, {"x", "axes", "out"}},
     .parameters = "x, axes=None, out=None",
     .doc = "A copy of x with its axes permuted.",
     .family = transpose_doc,
     .example = "",
     .compute = compute_transpose},
    {.signature = {"conv2d", 3, 2, 0, 2, {"x", "weight", "out"}},
     .parameters = "x, weight, *, out=None",
     .doc = "Two-dimensional convolution of an image with a kernel.",
     .family = conv2d_doc,
     .example = "",
     .compute = compute_conv2d},
    {.signature = {"max_pool2d", 4, 2, 0, 2, {"x", "window", "stride", "out"}},
     .parameters = "x, window, *, stride=None, out=None",
     .doc = "Largest element in each window of an image.",
     .family = max_pool2d_doc,
     .example = "",
     .compute = compute_max_pool2d},
};

int fzpy_init_arrays(PyObject *core) { return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]); }
