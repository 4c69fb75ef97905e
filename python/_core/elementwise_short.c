/* Element-wise calls whose plan would cost a good part of the work: arrays without gaps and of one dtype, each of one
   shape or the same row or column for all of it, a few elements with gaps, and numbers; so few that the GIL is kept.
   Whatever is otherwise goes the long way, by views. */
#include "numpy_api.h"

#include <float.h>
#include <numpy/arrayscalars.h>

enum {
    MAX_INPUTS = 3,
    FEW = 32, /* elements with gaps that are gathered sooner than a plan is made */
};

typedef struct call {
    PyArrayObject *model; /* the largest array among the inputs, whose dtype all have; NULL: there is none */
    fz_dtype dtype;
    npy_intp n, rows; /* elements; rows of them, 0 where nothing is a row or a column */
    int conditions;   /* inputs in front that are bool whatever the others are */
    bool has_scalars, has_spread;
    fz_dtype strong; /* of NumPy's scalars among the numbers; FZ_DTYPE_COUNT: there is none */
    const void *data[MAX_INPUTS];
    fz_spread spread[MAX_INPUTS];
    double scalar[MAX_INPUTS];
    uint64_t gathered[MAX_INPUTS][FEW];
} call;

/* Is it an array without gaps? */
static bool is_plain(PyObject *object) {
    return PyArray_CheckExact(object) && PyArray_IS_C_CONTIGUOUS((PyArrayObject *)object) &&
           PyArray_ISNOTSWAPPED((PyArrayObject *)object);
}

static bool has_gaps_in_few(PyObject *object) {
    PyArrayObject *array = (PyArrayObject *)object;
    return PyArray_CheckExact(object) && PyArray_NDIM(array) == 1 && PyArray_DIMS(array)[0] <= FEW &&
           PyArray_ITEMSIZE(array) <= (npy_intp)sizeof(uint64_t) && PyArray_ISNOTSWAPPED(array);
}

static inline __attribute__((always_inline)) void gather_elements(PyArrayObject *line, size_t size,
                                                                  char *to) {
    const char *from = PyArray_BYTES(line);
    const npy_intp n = PyArray_DIMS(line)[0], stride = PyArray_STRIDES(line)[0];
    for (npy_intp i = 0; i < n; i++, from += stride, to += size) memcpy(to, from, size);
}

static void gather(PyArrayObject *line, void *to) {
    switch (PyArray_ITEMSIZE(line)) {
    case 8:
        gather_elements(line, 8, to);
        break;
    case 4:
        gather_elements(line, 4, to);
        break;
    default:
        gather_elements(line, (size_t)PyArray_ITEMSIZE(line), to);
    }
}

/* The number of elements, 0 where there are too many or where a result would be a scalar. */
static npy_intp count_elements(PyArrayObject *array) {
    npy_intp n = PyArray_NDIM(array) > 0;
    for (int d = 0; d < PyArray_NDIM(array); d++) {
        const npy_intp length = PyArray_DIMS(array)[d];
        if (length >= FZPY_KEEP_GIL_BELOW) return 0;
        n *= length;
        if (n >= FZPY_KEEP_GIL_BELOW) return 0;
    }
    return n;
}

static bool has_shape_of(const call *c, PyArrayObject *array) {
    const int ndim = PyArray_NDIM(c->model);
    if (PyArray_NDIM(array) != ndim) return false;
    for (int d = 0; d < ndim; d++) {
        if (PyArray_DIMS(array)[d] != PyArray_DIMS(c->model)[d]) return false;
    }
    return true;
}

/* Mostly all arrays have the very same descriptor. */
static bool has_dtype(const call *c, PyArrayObject *array, fz_dtype dtype) {
    return (dtype == c->dtype && PyArray_DESCR(array) == PyArray_DESCR(c->model)) ||
           fzpy_dtype_of(PyArray_DESCR(array)) == dtype;
}

/* The largest array is the model. */
static bool take_array(call *c, int k, PyArrayObject *array) {
    if (!c->model) {
        c->model = array;
        c->dtype = fzpy_dtype_of(PyArray_DESCR(array));
        c->n = count_elements(array);
    } else if (!has_dtype(c, array, c->dtype)) {
        return false;
    } else if (!has_shape_of(c, array)) {
        const npy_intp n = count_elements(array);
        c->has_spread = true;
        if (n > c->n || (n == c->n && PyArray_NDIM(array) > PyArray_NDIM(c->model))) {
            c->model = array;
            c->n = n;
        }
    }
    c->data[k] = PyArray_DATA(array);
    c->spread[k] = FZ_SPREAD_NONE;
    return true;
}

/* NumPy's scalars are of one dtype, which the arrays will have to be of. */
static bool take_strong(call *c, fz_dtype dtype) {
    if (c->strong != FZ_DTYPE_COUNT && c->strong != dtype) return false;
    c->strong = dtype;
    return true;
}

/* A Python float, an int that is as exact as one, or NumPy's float32 or float64. */
static bool take_number(call *c, int k, PyObject *value) {
    if (PyFloat_CheckExact(value)) {
        c->scalar[k] = PyFloat_AS_DOUBLE(value);
    } else if (Py_IS_TYPE(value, &PyDoubleArrType_Type) && take_strong(c, FZ_FLOAT64)) {
        c->scalar[k] = PyArrayScalar_VAL(value, Double);
    } else if (Py_IS_TYPE(value, &PyFloatArrType_Type) && take_strong(c, FZ_FLOAT32)) {
        c->scalar[k] = PyArrayScalar_VAL(value, Float);
    } else if (PyLong_CheckExact(value)) {
        int overflow;
        const long long number = PyLong_AsLongLongAndOverflow(value, &overflow), most = 1LL << DBL_MANT_DIG;
        if (overflow || number > most || number < -most) return false;
        c->scalar[k] = (double)number;
    } else {
        return false;
    }
    c->data[k] = &c->scalar[k];
    c->spread[k] = FZ_SPREAD_NUMBER;
    c->has_scalars = true;
    return true;
}

/* Elements in axes [begin, end) of the model if x's axes there are as long, 0 if not all are. */
static npy_intp count_common(const call *c, PyArrayObject *x, int begin, int end) {
    const int missing = PyArray_NDIM(c->model) - PyArray_NDIM(x);
    npy_intp n = 1;
    for (int d = begin; d < end; d++) {
        if (d < missing || PyArray_DIMS(x)[d - missing] != PyArray_DIMS(c->model)[d]) return 0;
        n *= PyArray_DIMS(x)[d - missing];
    }
    return n;
}

/* x has the model's last axes (a row) or its first ones (a column), the others being 1; and all such inputs divide the
   model alike. */
static bool spread_array(call *c, int k, PyArrayObject *x) {
    const int ndim = PyArray_NDIM(c->model);
    const npy_intp n = count_elements(x);
    if (n < 2 || n == c->n || PyArray_NDIM(x) > ndim) return false;
    for (int d = 1; d < ndim; d++) {
        const bool is_row = count_common(c, x, d, ndim) == n, is_column = count_common(c, x, 0, d) == n;
        if (!is_row && !is_column) continue;
        const npy_intp rows = is_row ? c->n / n : n;
        if (c->rows && c->rows != rows) return false;
        c->rows = rows;
        c->spread[k] = is_row ? FZ_SPREAD_ROW : FZ_SPREAD_COLUMN;
        return true;
    }
    return false;
}

static bool spread_arrays(call *c, int inputs, PyObject *const *values) {
    for (int k = c->conditions; c->has_spread && k < inputs; k++) {
        if (c->spread[k] == FZ_SPREAD_NUMBER || has_shape_of(c, (PyArrayObject *)values[k])) continue;
        if (!spread_array(c, k, (PyArrayObject *)values[k])) return false;
    }
    return true;
}

/* From the last input on, so that where a condition stands in front, the model is what it chooses from. */
static bool take_inputs(call *c, int inputs, PyObject *const *values) {
    for (int k = inputs - 1; k >= c->conditions; k--) {
        PyArrayObject *array = (PyArrayObject *)values[k];
        if (take_number(c, k, values[k])) continue;
        const bool plain = is_plain(values[k]);
        if ((!plain && !has_gaps_in_few(values[k])) || !take_array(c, k, array)) return false;
        if (plain) continue;
        gather(array, c->gathered[k]);
        c->data[k] = c->gathered[k];
    }
    return c->model && c->n > 0 && (!c->has_scalars || c->dtype == FZ_FLOAT32 || c->dtype == FZ_FLOAT64) &&
           (c->strong == FZ_DTYPE_COUNT || c->strong == c->dtype) && spread_arrays(c, inputs, values);
}

static bool take_condition(call *c, PyObject *value) {
    if (!is_plain(value) || !has_dtype(c, (PyArrayObject *)value, FZ_BOOL) ||
        !has_shape_of(c, (PyArrayObject *)value))
        return false;
    c->data[0] = PyArray_DATA((PyArrayObject *)value);
    c->spread[0] = FZ_SPREAD_NONE;
    return true;
}

/* out is of the result's dtype, and one of the inputs or apart from all of them. A row or column counts as if it were as
   long as the model: what lies so close goes the long way. */
static bool takes_result(const call *c, int inputs, PyArrayObject *out, fz_dtype result) {
    if (!has_dtype(c, out, result) || !PyArray_ISWRITEABLE(out) || !has_shape_of(c, out)) return false;
    const char *to = PyArray_DATA(out);
    const npy_intp written = c->n * PyArray_ITEMSIZE(out), operand = c->n * PyArray_ITEMSIZE(c->model);
    for (int k = 0; k < inputs; k++) {
        const char *from = c->data[k];
        const npy_intp read = k < c->conditions ? c->n : operand;
        if (c->spread[k] == FZ_SPREAD_NUMBER) continue;
        if (from == to && read == written && c->spread[k] == FZ_SPREAD_NONE) continue;
        if (from < to + written && to < from + read) return false;
    }
    return true;
}

static PyObject *find_output(const call *c, fz_op op, int inputs, PyObject *given) {
    const fz_dtype result = fz_op_result(op, c->dtype);
    if (result == FZ_DTYPE_COUNT) return NULL;
    if (given)
        return is_plain(given) && takes_result(c, inputs, (PyArrayObject *)given, result) ? Py_NewRef(given)
                                                                                          : NULL;
    PyArray_Descr *descr = PyArray_DescrFromType(result == FZ_BOOL ? NPY_BOOL : PyArray_TYPE(c->model));
    return PyArray_NewFromDescr(&PyArray_Type, descr, PyArray_NDIM(c->model), PyArray_DIMS(c->model), NULL,
                                NULL, 0, NULL);
}

PyObject *fzpy_elementwise_short(fz_op op, int inputs, PyObject *const *values, PyObject *given) {
    call c; /* filled as far as it is used: to clear it would take a tenth of the time */
    c.conditions = fz_op_is_condition(op, 0);
    c.has_scalars = c.has_spread = false;
    c.strong = FZ_DTYPE_COUNT;
    c.model = NULL;
    c.rows = 0;
    if (!fzpy_has_numpy() || !take_inputs(&c, inputs, values)) return NULL;
    if (c.has_scalars && fzpy_counts_truth(op)) return NULL;
    if (c.conditions && !take_condition(&c, values[0])) return NULL;
    PyObject *out = find_output(&c, op, inputs, given);
    if (!out) return NULL;
    const npy_intp rows = c.has_spread ? c.rows : 1, n = c.has_spread ? c.n / rows : c.n;
    const fz_status status = fz_elementwise_gapless(op, c.dtype, (size_t)rows, (size_t)n, c.data, c.spread,
                                                    PyArray_DATA((PyArrayObject *)out));
    if (!status) return out;
    Py_DECREF(out);
    return fzpy_raise(status);
}
