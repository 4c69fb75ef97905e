/* Objects to fz_array views and back. */
#include <stdatomic.h>
#include <string.h>

#include "numpy_api.h"

_Static_assert(sizeof(npy_intp) == sizeof(ptrdiff_t), "shapes and strides are copied as they are");
_Static_assert(NPY_MAXDIMS <= FZ_MAX_NDIM, "every ndarray has a view");

/* ml_dtypes registers bfloat16 with NumPy under a number that it learns then, one for the process. */
static _Atomic int bfloat16_type = -1;

static bool is_bfloat16(const PyArray_Descr *descr) {
    if (descr->type_num < NPY_USERDEF) return false;
    if (descr->type_num == atomic_load_explicit(&bfloat16_type, memory_order_relaxed)) return true;
    if (strcmp(descr->typeobj->tp_name, "ml_dtypes.bfloat16") != 0 &&
        strcmp(descr->typeobj->tp_name, "bfloat16") != 0)
        return false;
    atomic_store_explicit(&bfloat16_type, descr->type_num, memory_order_relaxed);
    return true;
}

/* Where bfloat16 is asked for by its name, no array of it need have come before. */
static int find_bfloat16(const char *operation) {
    if (atomic_load_explicit(&bfloat16_type, memory_order_relaxed) >= 0) return 0;
    PyObject *ml_dtypes = PyImport_ImportModule("ml_dtypes");
    PyObject *type = ml_dtypes ? PyObject_GetAttrString(ml_dtypes, "bfloat16") : NULL;
    PyArray_Descr *descr = NULL;
    const bool found = type && PyArray_DescrConverter(type, &descr) == NPY_SUCCEED && is_bfloat16(descr);
    Py_XDECREF(descr);
    Py_XDECREF(type);
    Py_XDECREF(ml_dtypes);
    if (found) return 0;
    PyErr_Format(PyExc_TypeError, "%s: bfloat16 needs ml_dtypes, which cannot be imported; float32 would do",
                 operation);
    return -1;
}

static fz_dtype integer_of_size(npy_intp size, bool is_signed) {
    const fz_dtype first = is_signed ? FZ_INT8 : FZ_UINT8;
    return first + (size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3);
}

fz_dtype fzpy_dtype_of(const PyArray_Descr *descr) {
    switch (descr->type_num) {
    case NPY_FLOAT:
        return FZ_FLOAT32;
    case NPY_DOUBLE:
        return FZ_FLOAT64;
    case NPY_BOOL:
        return FZ_BOOL;
    case NPY_HALF:
        return FZ_FLOAT16;
    default:
        if (PyTypeNum_ISINTEGER(descr->type_num))
            return integer_of_size(PyDataType_ELSIZE(descr), PyTypeNum_ISSIGNED(descr->type_num));
        return is_bfloat16(descr) ? FZ_BFLOAT16 : FZ_DTYPE_COUNT;
    }
}

static bool is_accepted(fz_dtype dtype, fzpy_dtypes dtypes) {
    return dtypes == FZPY_ANY ? dtype != FZ_DTYPE_COUNT : dtype == FZ_FLOAT32 || dtype == FZ_FLOAT64;
}

int fzpy_npy_type_of(fz_dtype dtype) {
    static const int types[FZ_DTYPE_COUNT] = {
        [FZ_FLOAT32] = NPY_FLOAT, [FZ_FLOAT64] = NPY_DOUBLE, [FZ_BOOL] = NPY_BOOL,
        [FZ_INT8] = NPY_INT8,     [FZ_INT16] = NPY_INT16,    [FZ_INT32] = NPY_INT32,
        [FZ_INT64] = NPY_INT64,   [FZ_UINT8] = NPY_UINT8,    [FZ_UINT16] = NPY_UINT16,
        [FZ_UINT32] = NPY_UINT32, [FZ_UINT64] = NPY_UINT64,  [FZ_FLOAT16] = NPY_HALF,
    };
    return dtype == FZ_BFLOAT16 ? atomic_load_explicit(&bfloat16_type, memory_order_relaxed) : types[dtype];
}

static const char *describe(fzpy_dtypes dtypes) {
    return dtypes == FZPY_ANY ? "bool, integers and real floats of up to 64 bits" : "float32 and float64";
}

static int fail_dtype(const char *operation, const char *argument, PyArrayObject *array, fzpy_dtypes dtypes) {
    PyErr_Format(PyExc_TypeError, "%s: %s has dtype %S; %s would do", operation, argument,
                 PyArray_DESCR(array), describe(dtypes));
    return -1;
}

/* Shape and strides are copied: another thread may reshape the ndarray while this one computes. Not inlined in its five
   callers. */
static __attribute__((noinline)) void fill_view(fzpy_view *view, PyArrayObject *array, fz_dtype dtype) {
    const int ndim = PyArray_NDIM(array);
    for (int d = 0; d < ndim; d++) {
        view->shape[d] = PyArray_DIMS(array)[d];
        view->strides[d] = PyArray_STRIDES(array)[d];
    }
    view->array = (fz_array){PyArray_DATA(array), dtype, ndim, view->shape, view->strides};
    view->owner = (PyObject *)array;
    view->weak = FZPY_STRONG;
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

/* A scalar, given or to be computed: its view is 0-d and points into itself. */
static int view_scalar(fzpy_view *view, fz_dtype dtype, fzpy_weakness weak) {
    view->owner = NULL;
    view->weak = weak;
    view->array = (fz_array){&view->scalar, dtype, 0, view->shape, view->strides};
    return 0;
}

static int view_float(fzpy_view *view, double value) {
    view->scalar.real = value;
    return view_scalar(view, FZ_FLOAT64, FZPY_WEAK_FLOAT);
}

/* Beyond 64 bits as the nearest double. */
static int view_int(fzpy_view *view, PyObject *object) {
    int overflow;
    view->scalar.integer = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (!overflow) return view_scalar(view, FZ_INT64, FZPY_WEAK_INT);
    if (overflow > 0) {
        view->scalar.natural = PyLong_AsUnsignedLongLong(object);
        if (!PyErr_Occurred()) return view_scalar(view, FZ_UINT64, FZPY_WEAK_INT);
        PyErr_Clear();
    }
    view->scalar.real = PyLong_AsDouble(object);
    if (PyErr_Occurred()) return -1;
    return view_scalar(view, FZ_FLOAT64, FZPY_WEAK_INT);
}

static int view_number(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                       fzpy_dtypes dtypes) {
    if (PyFloat_CheckExact(object)) return view_float(view, PyFloat_AS_DOUBLE(object));
    if (PyBool_Check(object) && dtypes == FZPY_ANY) {
        view->scalar.truth = object == Py_True;
        return view_scalar(view, FZ_BOOL, FZPY_STRONG);
    }
    if (view_int(view, object) < 0) return fzpy_name_argument(operation, argument);
    if (dtypes == FZPY_FLOATS) fzpy_view_settle(view, FZ_FLOAT64);
    return 0;
}

/* A weak int is in the widest dtype that holds it, or beyond all of them; to floats it goes by way of double,
   as NumPy's does. */
static bool fits(const fzpy_view *view, fz_dtype dtype) {
    const int bits = 8 * (int)fz_dtype_size(dtype);
    const bool is_signed = dtype >= FZ_INT8 && dtype <= FZ_INT64;
    const uint64_t most = UINT64_MAX >> (64 - bits + is_signed);
    if (view->array.dtype == FZ_UINT64) return view->scalar.natural <= most;
    if (view->array.dtype != FZ_INT64) return false;
    const int64_t value = view->scalar.integer;
    return value < 0 ? is_signed && value >= -(int64_t)most - 1 : (uint64_t)value <= most;
}

bool fzpy_view_settle(fzpy_view *view, fz_dtype dtype) {
    if (dtype == FZ_BOOL) return true;
    if (!fzpy_is_float(dtype)) return view->weak != FZPY_WEAK_INT || fits(view, dtype);
    if (view->array.dtype == FZ_INT64) view->scalar.real = (double)view->scalar.integer;
    if (view->array.dtype == FZ_UINT64) view->scalar.real = (double)view->scalar.natural;
    view->array.dtype = FZ_FLOAT64;
    if (dtype == FZ_FLOAT64 || dtype == FZ_FLOAT32) return true;
    const double value = view->scalar.real;
    const fz_array wide = {(void *)&value, FZ_FLOAT64, 0, NULL, NULL};
    view->array.dtype = dtype; /* rounded now: the computation is in float32 */
    return fz_copy(&wide, &view->array) == FZ_OK;
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

static bool is_list(PyObject *object) { return PyList_CheckExact(object) || PyTuple_CheckExact(object); }

/* The native dtype to which NumPy's array is converted first; its own where none is needed. Where floats are
   wanted, lists of ints are numbers like lists of floats; ndarrays of ints have a dtype that somebody chose. */
static PyArray_Descr *find_native(PyObject *object, PyArrayObject *array, fzpy_dtypes dtypes) {
    PyArray_Descr *own = PyArray_DESCR(array);
    const bool is_object = PyArray_ISOBJECT(array) && is_list(object) && holds_numbers(array);
    const bool is_whole =
        dtypes == FZPY_FLOATS && is_list(object) && (PyArray_ISINTEGER(array) || PyArray_ISBOOL(array));
    if (is_object || is_whole) return PyArray_DescrFromType(NPY_DOUBLE);
    if (!PyArray_ISNOTSWAPPED(array) && is_accepted(fzpy_dtype_of(own), dtypes))
        return PyArray_DescrNewByteorder(own, NPY_NATIVE);
    return (PyArray_Descr *)Py_NewRef(own);
}

static int view_array_like(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                           fzpy_dtypes dtypes) {
    PyArrayObject *array = (PyArrayObject *)as_ndarray(object);
    PyArray_Descr *native = array ? find_native(object, array, dtypes) : NULL;
    if (native && native != PyArray_DESCR(array))
        Py_SETREF(array, (PyArrayObject *)PyArray_FromArray(array, (PyArray_Descr *)Py_NewRef(native),
                                                            NPY_ARRAY_FORCECAST));
    Py_XDECREF(native);
    if (!array || !native) {
        Py_XDECREF(array);
        return fzpy_name_argument(operation, argument);
    }
    const fz_dtype dtype = fzpy_dtype_of(PyArray_DESCR(array));
    if (!is_accepted(dtype, dtypes) || !PyArray_ISNOTSWAPPED(array)) {
        fail_dtype(operation, argument, array, dtypes);
        Py_DECREF(array);
        return -1;
    }
    fill_view(view, array, dtype);
    return 0;
}

/* A view of an ndarray as it is; false where it is none, or of another dtype. */
static bool view_array(fzpy_view *view, PyObject *object, fzpy_dtypes dtypes) {
    if (!fzpy_has_numpy() || !PyArray_CheckExact(object) || !PyArray_ISNOTSWAPPED((PyArrayObject *)object))
        return false;
    const fz_dtype dtype = fzpy_dtype_of(PyArray_DESCR((PyArrayObject *)object));
    if (!is_accepted(dtype, dtypes)) return false;
    fill_view(view, (PyArrayObject *)Py_NewRef(object), dtype);
    return true;
}

int fzpy_view_input(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                    fzpy_dtypes dtypes) {
    view->owner = NULL;
    if (PyFloat_CheckExact(object) || PyLong_Check(object))
        return view_number(view, operation, argument, object, dtypes);
    if (view_array(view, object, dtypes)) return 0;
    if (fzpy_load_numpy() < 0) return -1;
    if (refuse_masked(operation, argument, object) < 0) return -1;
    return view_array_like(view, operation, argument, object, dtypes);
}

/* ---- outputs ------------------------------------------------------------------------------------------- */

int fzpy_view_output(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                     fzpy_dtypes dtypes) {
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
    const fz_dtype dtype = fzpy_dtype_of(PyArray_DESCR(array));
    if (!is_accepted(dtype, dtypes) || !PyArray_ISNOTSWAPPED(array))
        return fail_dtype(operation, argument, array, dtypes);
    fill_view(view, (PyArrayObject *)Py_NewRef(object), dtype);
    return 0;
}

/* strides: NULL in C order. */
static int make_array(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim,
                      const ptrdiff_t *shape, const ptrdiff_t *strides) {
    view->owner = NULL;
    if (fzpy_load_numpy() < 0 || (dtype == FZ_BFLOAT16 && find_bfloat16(operation) < 0)) return -1;
    PyObject *array = PyArray_New(&PyArray_Type, ndim, (npy_intp *)shape, fzpy_npy_type_of(dtype),
                                  (npy_intp *)strides, NULL, 0, 0, NULL);
    if (!array) return fzpy_name_argument(operation, "out");
    fill_view(view, (PyArrayObject *)array, dtype);
    return 0;
}

int fzpy_view_new(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim, const ptrdiff_t *shape) {
    if (ndim > 0 || dtype == FZ_BFLOAT16) return make_array(view, operation, dtype, ndim, shape, NULL);
    view_scalar(view, dtype, FZPY_STRONG);
    return fzpy_load_numpy();
}

int fzpy_view_new_like(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim,
                       const ptrdiff_t *shape, int n, const fz_array *const arrays[]) {
    if (ndim < 2) return make_array(view, operation, dtype, ndim, shape, NULL);
    ptrdiff_t strides[FZ_MAX_NDIM];
    fz_strides_like(dtype, ndim, shape, n, arrays, strides);
    return make_array(view, operation, dtype, ndim, shape, strides);
}

void fzpy_view_clear(fzpy_view *view) { Py_CLEAR(view->owner); }

int fzpy_convert_dtype(const char *operation, PyObject *object, fz_dtype *dtype, fzpy_dtypes dtypes) {
    PyArray_Descr *descr = NULL;
    if (fzpy_load_numpy() < 0) return -1;
    if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, "bfloat16") == 0 &&
        find_bfloat16(operation) < 0)
        return -1;
    if (PyArray_DescrConverter(object, &descr) == NPY_FAIL) return fzpy_name_argument(operation, "dtype");
    *dtype = PyArray_ISNBO(descr->byteorder) ? fzpy_dtype_of(descr) : FZ_DTYPE_COUNT;
    const bool accepted = is_accepted(*dtype, dtypes);
    if (!accepted)
        PyErr_Format(PyExc_TypeError, "%s: dtype is %S; %s would do", operation, descr, describe(dtypes));
    Py_DECREF(descr);
    return accepted ? 0 : -1;
}

bool fzpy_can_cast(fz_dtype from, fz_dtype to, NPY_CASTING casting) {
    if (from == to) return true;
    PyArray_Descr *types[2];
    for (int i = 0; i < 2; i++) {
        const fz_dtype dtype = i ? to : from;
        types[i] = PyArray_DescrFromType(fzpy_npy_type_of(dtype == FZ_BFLOAT16 ? FZ_FLOAT16 : dtype));
    }
    const bool can = PyArray_CanCastTypeTo(types[0], types[1], casting);
    Py_DECREF(types[0]);
    Py_DECREF(types[1]);
    return can;
}

fz_status fzpy_view_fill(fzpy_view *view, const fz_array *from) {
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(view));
    const fz_status status = fz_copy(from, &view->array);
    fzpy_retake_gil(released);
    return status;
}

/* Replaces the view by one of a new array of another dtype. */
int fzpy_view_cast(fzpy_view *view, const char *operation, fz_dtype dtype) {
    if (view->array.dtype == dtype) return 0;
    const fz_array *const own = &view->array;
    fzpy_view cast;
    if (fzpy_view_new_like(&cast, operation, dtype, own->ndim, own->shape, 1, &own) < 0) return -1;
    const fz_status status = fzpy_view_fill(&cast, own);
    Py_XSETREF(view->owner, cast.owner);
    fill_view(view, (PyArrayObject *)cast.owner, dtype);
    return status ? (fzpy_raise(status), -1) : 0;
}

static PyObject *make_scalar(const fz_array *array) {
    if (fzpy_load_numpy() < 0) return NULL; /* a Python number may be all that has been seen of arrays */
    PyArray_Descr *descr = PyArray_DescrFromType(fzpy_npy_type_of(array->dtype));
    PyObject *scalar = PyArray_Scalar(array->data, descr, NULL);
    Py_DECREF(descr);
    return scalar;
}

PyObject *fzpy_view_result(fzpy_view *view, bool given) {
    PyObject *array = view->owner;
    if (!array) return make_scalar(&view->array);
    view->owner = NULL;
    return given ? array : PyArray_Return((PyArrayObject *)array);
}

double fzpy_view_size(const fzpy_view *view) {
    double size = 1;
    for (int d = 0; d < view->array.ndim; d++) size *= (double)view->shape[d];
    return size;
}

PyObject *fzpy_shape(int ndim, const ptrdiff_t *shape) {
    PyObject *lengths = PyTuple_New(ndim);
    for (int d = 0; lengths && d < ndim; d++) PyTuple_SET_ITEM(lengths, d, PyLong_FromSsize_t(shape[d]));
    return lengths;
}
