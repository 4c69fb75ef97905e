/* Objects to fz_array views and back. */
#include <string.h>

#include "numpy_api.h"

_Static_assert(sizeof(npy_intp) == sizeof(ptrdiff_t), "shapes and strides are copied as they are");
_Static_assert(NPY_MAXDIMS <= FZ_MAX_NDIM, "every ndarray has a view");

/* FZ_DTYPE_COUNT for a dtype that libforzium lacks. */
static fz_dtype dtype_of(const PyArray_Descr *descr) {
    switch (descr->type_num) {
    case NPY_FLOAT:
        return FZ_FLOAT32;
    case NPY_DOUBLE:
        return FZ_FLOAT64;
    default:
        return FZ_DTYPE_COUNT;
    }
}

static int npy_type_of(fz_dtype dtype) { return dtype == FZ_FLOAT32 ? NPY_FLOAT : NPY_DOUBLE; }

static int fail_dtype(const char *operation, const char *argument, PyArrayObject *array) {
    PyErr_Format(PyExc_TypeError, "%s: %s has dtype %S; float32 and float64 would do", operation, argument,
                 PyArray_DESCR(array));
    return -1;
}

/* Shape and strides are copied: another thread may reshape the ndarray while this one computes. */
static void fill_view(fzpy_view *view, PyArrayObject *array) {
    const int ndim = PyArray_NDIM(array);
    for (int d = 0; d < ndim; d++) {
        view->shape[d] = PyArray_DIMS(array)[d];
        view->strides[d] = PyArray_STRIDES(array)[d];
    }
    view->array =
        (fz_array){PyArray_DATA(array), dtype_of(PyArray_DESCR(array)), ndim, view->shape, view->strides};
    view->owner = (PyObject *)array;
    view->weak = false;
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

/* A Python scalar takes the dtype of the others; its view is 0-d float64. */
static int view_scalar(fzpy_view *view, double value) {
    view->scalar = value;
    view->owner = NULL;
    view->weak = true;
    view->array = (fz_array){&view->scalar, FZ_FLOAT64, 0, view->shape, view->strides};
    return value == -1 && PyErr_Occurred() ? -1 : 0;
}

static bool is_masked(PyObject *object) {
    PyObject *modules =
        PyImport_GetModuleDict(); /* borrowed; where there is a masked array, numpy.ma is in it */
    PyObject *ma = modules ? PyDict_GetItemString(modules, "numpy.ma") : NULL;
    PyObject *type = ma ? PyObject_GetAttrString(ma, "MaskedArray") : NULL;
    const int masked = type ? PyObject_IsInstance(object, type) : 0;
    Py_XDECREF(type);
    PyErr_Clear();
    return masked > 0;
}

static int refuse_masked(const char *operation, const char *argument, PyObject *object) {
    if (PyArray_CheckExact(object) || !is_masked(object)) return 0;
    PyErr_Format(PyExc_TypeError,
                 "%s: %s is a masked array, whose mask would be lost; %s.filled(value) would do", operation,
                 argument, argument);
    return -1;
}

/* NumPy knows the buffer protocol, __array_interface__, __array__ and sequences; DLPack it must be asked
   for. */
static PyObject *as_ndarray(PyObject *object) {
    if (PyArray_Check(object)) return Py_NewRef(object);
    const bool exports_dlpack = PyObject_HasAttrString(object, "__dlpack__");
    if (exports_dlpack && !PyObject_CheckBuffer(object) &&
        !PyObject_HasAttrString(object, "__array_interface__")) {
        PyObject *numpy = PyImport_ImportModule("numpy");
        PyObject *array = numpy ? PyObject_CallMethod(numpy, "from_dlpack", "O", object) : NULL;
        Py_XDECREF(numpy);
        return array;
    }
    return PyArray_FROM_O(object);
}

/* NumPy makes objects of integers beyond 64 bits; such a list is still one of numbers. */
static bool holds_numbers(PyArrayObject *array) {
    if (!PyArray_ISCARRAY_RO(array)) return false; /* gapless, as NumPy makes them of sequences */
    PyObject *const *items = PyArray_DATA(array);
    for (npy_intp i = 0; i < PyArray_SIZE(array); i++) {
        if (!items[i] || (!PyLong_Check(items[i]) && !PyFloat_Check(items[i]))) return false;
    }
    return true;
}

/* Lists of ints are numbers like lists of floats; ndarrays of ints have a dtype that somebody chose. */
static bool is_converted(PyObject *object, PyArrayObject *array) {
    if (!PyArray_ISNOTSWAPPED(array)) return dtype_of(PyArray_DESCR(array)) != FZ_DTYPE_COUNT;
    if (!PyList_CheckExact(object) && !PyTuple_CheckExact(object)) return false;
    return PyArray_ISINTEGER(array) || PyArray_ISBOOL(array) ||
           (PyArray_ISOBJECT(array) && holds_numbers(array));
}

static int view_array_like(fzpy_view *view, const char *operation, const char *argument, PyObject *object) {
    PyArrayObject *array = (PyArrayObject *)as_ndarray(object);
    if (!array) {
        return fzpy_name_argument(operation, argument);
    }
    if (is_converted(object, array)) {
        const int type = PyArray_ISFLOAT(array) ? PyArray_TYPE(array) : NPY_DOUBLE;
        PyObject *native = PyArray_FromArray(array, PyArray_DescrFromType(type), NPY_ARRAY_FORCECAST);
        Py_SETREF(array, (PyArrayObject *)native);
        if (!native) {
            return fzpy_name_argument(operation, argument);
        }
    }
    if (dtype_of(PyArray_DESCR(array)) == FZ_DTYPE_COUNT) {
        fail_dtype(operation, argument, array);
        Py_DECREF(array);
        return -1;
    }
    fill_view(view, array);
    return 0;
}

int fzpy_view_input(fzpy_view *view, const char *operation, const char *argument, PyObject *object) {
    view->owner = NULL;
    if (PyFloat_CheckExact(object)) return view_scalar(view, PyFloat_AS_DOUBLE(object));
    if (PyLong_Check(object)) {
        if (view_scalar(view, PyLong_AsDouble(object)) == 0) return 0;
        return fzpy_name_argument(operation, argument);
    }
    if (fzpy_load_numpy() < 0) return -1;
    if (PyArray_CheckExact(object) && PyArray_ISNOTSWAPPED((PyArrayObject *)object) &&
        dtype_of(PyArray_DESCR((PyArrayObject *)object)) != FZ_DTYPE_COUNT) {
        fill_view(view, (PyArrayObject *)Py_NewRef(object));
        return 0;
    }
    if (refuse_masked(operation, argument, object) < 0) return -1;
    return view_array_like(view, operation, argument, object);
}

/* ---- outputs ------------------------------------------------------------------------------------------- */

int fzpy_view_output(fzpy_view *view, const char *operation, const char *argument, PyObject *object) {
    view->owner = NULL;
    if (fzpy_load_numpy() < 0) return -1;
    if (!PyArray_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s is a %s; an ndarray would do", operation, argument,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    if (refuse_masked(operation, argument, object) < 0) return -1;
    PyArrayObject *array = (PyArrayObject *)object;
    if (!PyArray_ISWRITEABLE(array)) {
        PyErr_Format(PyExc_ValueError, "%s: %s is read-only; a writable array would do", operation, argument);
        return -1;
    }
    if (dtype_of(PyArray_DESCR(array)) == FZ_DTYPE_COUNT || !PyArray_ISNOTSWAPPED(array))
        return fail_dtype(operation, argument, array);
    fill_view(view, (PyArrayObject *)Py_NewRef(object));
    return 0;
}

int fzpy_view_new(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim, const ptrdiff_t *shape) {
    view->owner = NULL;
    if (fzpy_load_numpy() < 0) return -1;
    PyObject *array = PyArray_SimpleNew(ndim, (npy_intp *)shape, npy_type_of(dtype));
    if (!array) return fzpy_name_argument(operation, "out");
    fill_view(view, (PyArrayObject *)array);
    return 0;
}

void fzpy_view_clear(fzpy_view *view) { Py_CLEAR(view->owner); }

int fzpy_convert_dtype(const char *operation, PyObject *object, fz_dtype *dtype) {
    PyArray_Descr *descr = NULL;
    if (fzpy_load_numpy() < 0) return -1;
    if (PyArray_DescrConverter(object, &descr) == NPY_FAIL) return fzpy_name_argument(operation, "dtype");
    *dtype = PyArray_ISNBO(descr->byteorder) ? dtype_of(descr) : FZ_DTYPE_COUNT;
    if (*dtype == FZ_DTYPE_COUNT)
        PyErr_Format(PyExc_TypeError, "%s: dtype is %S; float32 and float64 would do", operation, descr);
    Py_DECREF(descr);
    return *dtype == FZ_DTYPE_COUNT ? -1 : 0;
}

/* Replaces the view by one of a new array of another dtype. */
int fzpy_view_cast(fzpy_view *view, const char *operation, fz_dtype dtype) {
    if (view->array.dtype == dtype) return 0;
    fzpy_view cast;
    if (fzpy_view_new(&cast, operation, dtype, view->array.ndim, view->shape) < 0) return -1;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(view));
    const fz_status status = fz_copy(&view->array, &cast.array);
    fzpy_retake_gil(released);
    Py_XSETREF(view->owner, cast.owner);
    fill_view(view, (PyArrayObject *)cast.owner);
    return status ? (fzpy_raise(status), -1) : 0;
}

PyObject *fzpy_view_result(fzpy_view *view, bool given) {
    PyObject *array = view->owner;
    view->owner = NULL;
    return given ? array : PyArray_Return((PyArrayObject *)array);
}

double fzpy_view_size(const fzpy_view *view) {
    double size = 1;
    for (int d = 0; d < view->array.ndim; d++) size *= (double)view->shape[d];
    return size;
}
