/* The functions of forzium_engine on flat lists. */
#include "engine.h"

#include <math.h>

#define RAISES_FOR_VECTOR                                              \
    "Raises\n------\n"                                                 \
    "ValueError\n    An empty vector.\n"                               \
    "TypeError\n    What is no sequence of numbers, with its place.\n" \
    "MemoryError\n    No memory for the numbers.\n\n"                  \
    "Notes\n-----\n"                                                   \
    "The GIL is released while computing, but for short vectors.\n\n"

/* What was computed, as a list; clears it. */
static PyObject *finish(fz_status status, fzpy_doubles *result) {
    PyObject *list =
        status != FZ_OK ? fzpy_raise(status) : fzpy_list_from_vector(result->array.data, result->shape[0]);
    fzpy_doubles_clear(result);
    return list;
}

static const char scale_doc[] = "scale(v, f)\n--\n\n"
                                "Each value of a vector times a factor.\n\n"
                                "Parameters\n----------\n"
                                "v : sequence of float, (n,)\n"
                                "f : float\n\n"
                                "Returns\n-------\n"
                                "list of float, (n,)\n\n" RAISES_FOR_VECTOR "Examples\n--------\n"
                                ">>> import forzium_engine\n"
                                ">>> forzium_engine.scale([1.0, 2.0], 3.0)\n"
                                "[3.0, 6.0]\n";

static PyObject *scale(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"scale", 2, 2, 0, 2, {"v", "f"}};
    (void)core;
    PyObject *values[2];
    double factor;
    fzpy_doubles v;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_double("scale", "f", values[1], &factor) ||
        fzpy_doubles_from_vector(&v, "scale", "v", values[0]))
        return NULL;
    return finish(fzpy_apply_scalar(FZ_OP_multiply, &v.array, factor, &v.array), &v);
}

/* ---- normalize ------------------------------------------------------------------------------------------ */

/* The power of two that brings values of magnitude up to `largest` to about 1. Where that power is no
   double (subnormals), the largest one: squares are then at least 2**-102. */
static double unit_power(double largest) {
    int exponent;
    frexp(largest, &exponent);
    return ldexp(1.0, exponent < -1023 ? 1023 : -exponent);
}

/* Steps of normalize; `scratch` has v's shape. *largest: NaN where v holds one. */
static fz_status find_largest(const fz_array *v, fz_array *scratch, double *largest) {
    fz_array out = {largest, FZ_FLOAT64, 0, NULL, NULL};
    PyThreadState *released = fzpy_release_gil((double)v->shape[0]);
    fz_status status = fz_absolute(v, scratch);
    if (status == FZ_OK) status = fz_max(scratch, 0, NULL, &out);
    fzpy_retake_gil(released);
    return status;
}

static fz_status divide_by_norm(fz_array *v, fz_array *scratch, double largest) {
    double squares;
    fz_array out = {&squares, FZ_FLOAT64, 0, NULL, NULL};
    fz_status status = fzpy_apply_scalar(FZ_OP_multiply, v, unit_power(largest), v);
    PyThreadState *released = fzpy_release_gil((double)v->shape[0]);
    if (status == FZ_OK) status = fz_square(v, scratch);
    if (status == FZ_OK) status = fz_sum(scratch, 0, NULL, &out);
    fzpy_retake_gil(released);
    return status != FZ_OK ? status : fzpy_apply_scalar(FZ_OP_divide, v, sqrt(squares), v);
}

static PyObject *normalize_vector(fzpy_doubles *v, fzpy_doubles *scratch) {
    double largest;
    fz_status status = find_largest(&v->array, &scratch->array, &largest);
    if (status != FZ_OK) return fzpy_raise(status);
    if (!isfinite(largest)) {
        PyErr_Format(PyExc_ValueError, "normalize: v holds %s; only a finite vector has a direction",
                     isnan(largest) ? "NaN" : "an infinity");
        return NULL;
    }
    if (largest == 0) {
        PyErr_SetString(PyExc_ValueError, "normalize: v is a zero vector, which has no direction");
        return NULL;
    }
    status = divide_by_norm(&v->array, &scratch->array, largest);
    return status != FZ_OK ? fzpy_raise(status) : fzpy_list_from_vector(v->array.data, v->shape[0]);
}

static const char normalize_doc[] =
    "normalize(v)\n--\n\n"
    "A vector of v's direction and unit Euclidean length.\n\n"
    "Parameters\n----------\n"
    "v : sequence of float, (n,)\n    Finite and not all zero.\n\n"
    "Returns\n-------\n"
    "list of float, (n,)\n\n" RAISES_FOR_VECTOR
    "Values are first multiplied by the power of two that brings the largest to about 1, which is exact, so\n"
    "that their squares neither overflow nor vanish. A zero vector, NaN and infinities are a ValueError.\n\n"
    "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> [round(x, 9) for x in forzium_engine.normalize([3e200, 4e200])]\n"
    "[0.6, 0.8]\n";

static PyObject *normalize(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"normalize", 1, 1, 0, 1, {"v"}};
    (void)core;
    PyObject *values[1];
    fzpy_doubles v, scratch;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_doubles_from_vector(&v, "normalize", "v", values[0]))
        return NULL;
    PyObject *list = NULL;
    if (!fzpy_doubles_new(&scratch, "normalize", 1, 1, v.shape[0])) {
        list = normalize_vector(&v, &scratch);
        fzpy_doubles_clear(&scratch);
    }
    fzpy_doubles_clear(&v);
    return list;
}

/* ---- reshape, sum_list ---------------------------------------------------------------------------------- */

static PyObject *rows_of(const fzpy_doubles *v, Py_ssize_t rows, Py_ssize_t columns) {
    Py_ssize_t size;
    if (rows < 1 || columns < 1 || __builtin_mul_overflow(rows, columns, &size) || size != v->shape[0]) {
        PyErr_Format(PyExc_ValueError, "reshape: shape (%zd, %zd) does not fit: v has %zd values", rows,
                     columns, v->shape[0]);
        return NULL;
    }
    return fzpy_list_from_rows(v->array.data, rows, columns);
}

static const char reshape_doc[] = "reshape(v, rows, cols)\n--\n\n"
                                  "A vector as rows, filled one after the other.\n\n"
                                  "Parameters\n----------\n"
                                  "v : sequence of float, (rows * cols,)\n"
                                  "rows, cols : int\n    At least 1.\n\n"
                                  "Returns\n-------\n"
                                  "list of list of float, (rows, cols)\n\n"
                                  "Raises\n------\n"
                                  "ValueError\n    An empty vector; a shape of another size.\n"
                                  "TypeError\n    What is no sequence of numbers, with its place.\n\n"
                                  "Examples\n--------\n"
                                  ">>> import forzium_engine\n"
                                  ">>> forzium_engine.reshape([1.0, 2.0, 3.0, 4.0], 2, 2)\n"
                                  "[[1.0, 2.0], [3.0, 4.0]]\n";

static PyObject *reshape(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"reshape", 3, 3, 0, 3, {"v", "rows", "cols"}};
    (void)core;
    PyObject *values[3];
    Py_ssize_t rows, columns;
    fzpy_doubles v;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_size("reshape", "rows", values[1], &rows) ||
        fzpy_read_size("reshape", "cols", values[2], &columns) ||
        fzpy_doubles_from_vector(&v, "reshape", "v", values[0]))
        return NULL;
    PyObject *lists = rows_of(&v, rows, columns);
    fzpy_doubles_clear(&v);
    return lists;
}

static const char sum_list_doc[] =
    "sum_list(v)\n--\n\n"
    "Sum of a vector, pairwise: the error grows with the logarithm of the length.\n\n"
    "Parameters\n----------\n"
    "v : sequence of float, (n,)\n\n"
    "Returns\n-------\n"
    "float\n\n" RAISES_FOR_VECTOR "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.sum_list([1.0, 2.0, 3.5])\n"
    "6.5\n";

static PyObject *sum_list(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"sum_list", 1, 1, 0, 1, {"v"}};
    (void)core;
    PyObject *values[1];
    fzpy_doubles v;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_doubles_from_vector(&v, "sum_list", "v", values[0]))
        return NULL;
    double sum;
    fz_array out = {&sum, FZ_FLOAT64, 0, NULL, NULL};
    PyThreadState *released = fzpy_release_gil((double)v.shape[0]);
    fz_status status = fz_sum(&v.array, 0, NULL, &out);
    fzpy_retake_gil(released);
    fzpy_doubles_clear(&v);
    return status != FZ_OK ? fzpy_raise(status) : PyFloat_FromDouble(sum);
}

PyMethodDef fzpy_engine_vector_functions[] = {
    FZPY_FUNCTION(scale), FZPY_FUNCTION(normalize), FZPY_FUNCTION(reshape), FZPY_FUNCTION(sum_list), {NULL},
};
