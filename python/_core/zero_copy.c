/* Operations on arrays' own memory: in place, into a pool's block, or into one new array. */
#include "engine.h"

#include <stdatomic.h>

static atomic_ullong operations; /* done in this process */

static PyObject *count(PyObject *result) {
    if (result) atomic_fetch_add_explicit(&operations, 1, memory_order_relaxed);
    return result;
}

/* ---- in place ------------------------------------------------------------------------------------------- */

static PyObject *multiply_in_place(const char *function, const char *argument, PyObject *array,
                                   double factor) {
    fzpy_view view;
    if (fzpy_view_output(&view, function, argument, array, FZPY_FLOATS)) return NULL;
    fz_status status = fzpy_apply_scalar(FZ_OP_multiply, &view.array, factor, &view.array);
    fzpy_view_clear(&view);
    if (status == FZ_ERROR_OVERLAP)
        return PyErr_Format(PyExc_ValueError,
                            "%s: elements of %s share memory; an array without overlap would do", function,
                            argument);
    return status != FZ_OK ? fzpy_raise(status) : Py_NewRef(array);
}

static const char matrix_multiply_inplace_doc[] =
    "matrix_multiply_inplace(matrix, factor)\n--\n\n"
    "Multiplies an array by a factor, in place.\n\n"
    "Parameters\n----------\n"
    "matrix : ndarray, float64 or float32\n    Writable; any shape and strides.\n"
    "factor : float\n\n"
    "Returns\n-------\n"
    "ndarray\n    matrix itself.\n\n"
    "Raises\n------\n"
    "ValueError\n    matrix is read-only or overlaps itself.\n"
    "TypeError\n    matrix is no ndarray, or of another dtype; factor is no number.\n\n"
    "Notes\n-----\n"
    "The GIL is released while computing, but for small arrays; large ones are shared between the "
    "threads of\n"
    "forzium's pool.\n\n"
    "Examples\n--------\n"
    ">>> import numpy as np\n"
    ">>> from forzium._ffi.zero_copy import matrix_multiply_inplace\n"
    ">>> matrix = np.array([[1.0, 2.0], [3.0, 4.0]])\n"
    ">>> matrix_multiply_inplace(matrix, 2.0) is matrix\n"
    "True\n"
    ">>> matrix.tolist()\n"
    "[[2.0, 4.0], [6.0, 8.0]]\n";

static PyObject *matrix_multiply_inplace(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames) {
    static const fzpy_signature signature = {"matrix_multiply_inplace", 2, 2, 0, 2, {"matrix", "factor"}};
    (void)core;
    PyObject *values[2];
    double factor;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_double(signature.function, "factor", values[1], &factor))
        return NULL;
    return count(multiply_in_place(signature.function, "matrix", values[0], factor));
}

/* ---- into a pool's block -------------------------------------------------------------------------------- */

/* A block for rows * columns doubles, and the array in it; strides is the array's own storage. */
static PyObject *allocate_matrix(fzpy_state *state, PyObject *pool, const ptrdiff_t shape[2],
                                 ptrdiff_t strides[2], fz_array *matrix) {
    Py_ssize_t nbytes;
    if (__builtin_mul_overflow(shape[0], shape[1], &nbytes) ||
        __builtin_mul_overflow(nbytes, (Py_ssize_t)sizeof(double), &nbytes))
        return PyErr_Format(PyExc_MemoryError, "zero_copy_multiply: no memory for %zd x %zd numbers",
                            shape[0], shape[1]);
    *matrix = (fz_array){NULL, FZ_FLOAT64, 2, shape, strides};
    fz_contiguous_strides(FZ_FLOAT64, 2, shape, strides);
    return fzpy_pool_allocate(state, "zero_copy_multiply", pool, nbytes, &matrix->data);
}

/* The block as a memoryview of floats. */
static PyObject *view_matrix(PyObject *block, const ptrdiff_t shape[2]) {
    PyObject *bytes = PyMemoryView_FromObject(block);
    PyObject *matrix = bytes ? PyObject_CallMethod(bytes, "cast", "s[nn]", "d", shape[0], shape[1]) : NULL;
    Py_XDECREF(bytes);
    return matrix;
}

/* Lists are read into the block and multiplied there. */
static PyObject *multiply_rows(fzpy_state *state, const fzpy_rows *rows, double factor, PyObject *pool) {
    const ptrdiff_t shape[] = {rows->rows, rows->columns};
    ptrdiff_t strides[2];
    fz_array matrix;
    PyObject *block = allocate_matrix(state, pool, shape, strides, &matrix), *result = NULL;
    if (!block) return NULL;
    if (!fzpy_rows_read(rows, matrix.data)) {
        fz_status status = fzpy_apply_scalar(FZ_OP_multiply, &matrix, factor, &matrix);
        result = status != FZ_OK ? fzpy_raise(status) : view_matrix(block, shape);
    }
    Py_DECREF(block);
    return result;
}

static PyObject *multiply_array(fzpy_state *state, const fz_array *x, double factor, PyObject *pool) {
    if (x->ndim != 2)
        return PyErr_Format(PyExc_ValueError, "zero_copy_multiply: shape of data must have 2 axes, not %d",
                            x->ndim);
    if (x->shape[0] == 0 || x->shape[1] == 0)
        return PyErr_Format(PyExc_ValueError, "zero_copy_multiply: data is empty: (%zd, %zd)", x->shape[0],
                            x->shape[1]);
    ptrdiff_t strides[2];
    fz_array matrix;
    PyObject *block = allocate_matrix(state, pool, x->shape, strides, &matrix);
    if (!block) return NULL;
    fz_status status = fzpy_apply_scalar(FZ_OP_multiply, x, factor, &matrix);
    PyObject *result = status != FZ_OK ? fzpy_raise(status) : view_matrix(block, x->shape);
    Py_DECREF(block);
    return result;
}

static PyObject *multiply_into_pool(PyObject *core, PyObject *data, double factor, PyObject *pool) {
    fzpy_state *state = fzpy_state_of(core);
    PyObject *result;
    if (PyList_Check(data) || PyTuple_Check(data)) {
        fzpy_rows rows;
        if (fzpy_rows_open(&rows, "zero_copy_multiply", "data", data)) return NULL;
        result = multiply_rows(state, &rows, factor, pool);
        fzpy_rows_close(&rows);
    } else {
        fzpy_view view;
        if (fzpy_view_input(&view, "zero_copy_multiply", "data", data, FZPY_FLOATS)) return NULL;
        result = multiply_array(state, &view.array, factor, pool);
        fzpy_view_clear(&view);
    }
    return result;
}

static const char zero_copy_multiply_doc[] =
    "zero_copy_multiply(data, factor, pool=None)\n--\n\n"
    "Multiplies data by a factor without a copy: in place, or into memory of a pool.\n\n"
    "Parameters\n----------\n"
    "data : ndarray, float64 or float32; with a pool also a sequence of sequences of float, (m, n)\n"
    "    Without a pool: writable, any shape and strides. With one: two axes, not empty.\n"
    "factor : float\n"
    "pool : PoolAllocator, optional\n    Where the product goes; data then stay as they are.\n\n"
    "Returns\n-------\n"
    "ndarray or memoryview\n"
    "    Without a pool, data itself. With one, a float64 memoryview (m, n) of a block of the pool, which "
    "goes\n"
    "    back when nothing looks at it any more.\n\n"
    "Raises\n------\n"
    "ValueError\n    An array that is read-only or overlaps itself; empty or ragged data, with the row's "
    "number.\n"
    "TypeError\n    data is no array or of another dtype; pool is no PoolAllocator; factor is no number.\n"
    "MemoryError\n    The pool's capacity does not allow 8 * m * n bytes.\n\n"
    "Notes\n-----\n"
    "The GIL is released while computing, but for small data; large work is shared between the threads of\n"
    "forzium's pool.\n\n"
    "Examples\n--------\n"
    ">>> from forzium_engine import PoolAllocator, zero_copy_multiply\n"
    ">>> zero_copy_multiply([[1.0, 2.0], [3.0, 4.0]], 2.0, PoolAllocator(1024)).tolist()\n"
    "[[2.0, 4.0], [6.0, 8.0]]\n";

static PyObject *zero_copy_multiply(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames) {
    static const fzpy_signature signature = {"zero_copy_multiply", 3, 2, 0, 3, {"data", "factor", "pool"}};
    PyObject *values[3];
    double factor;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_double(signature.function, "factor", values[1], &factor))
        return NULL;
    if (!values[2] || values[2] == Py_None)
        return count(multiply_in_place(signature.function, "data", values[0], factor));
    return count(multiply_into_pool(core, values[0], factor, values[2]));
}

/* ---- into one new array --------------------------------------------------------------------------------- */

/* Calls an operation of forzium by its name. */
static PyObject *call_operation(PyObject *core, const char *name, PyObject *a, PyObject *b) {
    PyObject *operation = PyObject_GetAttrString(core, name);
    if (!operation) return NULL;
    PyObject *arguments[] = {a, b};
    PyObject *result = PyObject_Vectorcall(operation, arguments, 2, NULL);
    Py_DECREF(operation);
    return result;
}

static const char convolve2d_doc[] =
    "convolve2d(array, kernel)\n--\n\n"
    "Valid cross-correlation of a matrix with a kernel, which is not flipped.\n\n"
    "Parameters\n----------\n"
    "array : array_like, (h, w)\n"
    "kernel : array_like, (kh, kw)\n    Not larger than array.\n\n"
    "Returns\n-------\n"
    "ndarray, (h - kh + 1, w - kw + 1)\n    A new array; the same as forzium.conv2d(array, kernel).\n\n"
    "Raises\n------\n"
    "ValueError\n    Shapes that do not fit.\n"
    "TypeError\n    A dtype that forzium.conv2d refuses.\n\n"
    "Examples\n--------\n"
    ">>> import numpy as np\n"
    ">>> from forzium._ffi.zero_copy import convolve2d\n"
    ">>> convolve2d(np.ones((3, 4)), np.ones((2, 2))).tolist()\n"
    "[[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]\n";

static PyObject *convolve2d(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"convolve2d", 2, 2, 0, 2, {"array", "kernel"}};
    PyObject *values[2];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    return count(call_operation(core, "conv2d", values[0], values[1]));
}

/* The operation that `name` stands for, or NULL with a ValueError. */
static const char *find_operation(const char *name) {
    static const char *const names[][2] = {
        {"add", "add"},           {"subtract", "subtract"}, {"sub", "subtract"},
        {"multiply", "multiply"}, {"mul", "multiply"},      {"divide", "divide"},
        {"div", "divide"},        {"maximum", "maximum"},   {"minimum", "minimum"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i][0]) == 0) return names[i][1];
    PyErr_Format(
        PyExc_ValueError,
        "elementwise_operation: op is '%.40s'; add, subtract (sub), multiply (mul), divide (div), maximum "
        "or minimum would do",
        name);
    return NULL;
}

static const char elementwise_operation_doc[] =
    "elementwise_operation(a, b, op)\n--\n\n"
    "An operation on each pair of values of two arrays, which broadcast as NumPy's.\n\n"
    "Parameters\n----------\n"
    "a, b : array_like\n"
    "op : str\n    'add', 'subtract' or 'sub', 'multiply' or 'mul', 'divide' or 'div', 'maximum', "
    "'minimum'.\n\n"
    "Returns\n-------\n"
    "ndarray\n    A new array; the same as forzium.add(a, b) and so on.\n\n"
    "Raises\n------\n"
    "ValueError\n    Shapes that do not broadcast; an unknown op.\n"
    "TypeError\n    A dtype that the operation refuses; op is no str.\n\n"
    "Examples\n--------\n"
    ">>> import numpy as np\n"
    ">>> from forzium._ffi.zero_copy import elementwise_operation\n"
    ">>> elementwise_operation(np.array([1.0, 2.0]), np.array([3.0, 5.0]), 'mul').tolist()\n"
    "[3.0, 10.0]\n";

static PyObject *elementwise_operation(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames) {
    static const fzpy_signature signature = {"elementwise_operation", 3, 3, 0, 3, {"a", "b", "op"}};
    PyObject *values[3];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    if (!PyUnicode_Check(values[2]))
        return PyErr_Format(PyExc_TypeError, "elementwise_operation: op must be a str, not %.100s",
                            Py_TYPE(values[2])->tp_name);
    const char *text = PyUnicode_AsUTF8(values[2]);
    const char *name = text ? find_operation(text) : NULL;
    return name ? count(call_operation(core, name, values[0], values[1])) : NULL;
}

static const char get_operations_count_doc[] = "get_operations_count()\n--\n\n"
                                               "How many zero-copy operations this process has done.\n\n"
                                               "Returns\n-------\n"
                                               "int\n\n"
                                               "Examples\n--------\n"
                                               ">>> from forzium._ffi.zero_copy import get_operations_count\n"
                                               ">>> get_operations_count() >= 0\n"
                                               "True\n";

static PyObject *get_operations_count(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames) {
    static const fzpy_signature signature = {"get_operations_count", 0, 0, 0, 0, {NULL}};
    (void)core;
    PyObject *values[1];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    return PyLong_FromUnsignedLongLong(atomic_load_explicit(&operations, memory_order_relaxed));
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static PyMethodDef functions[] = {
    FZPY_FUNCTION(matrix_multiply_inplace), FZPY_FUNCTION(zero_copy_multiply),   FZPY_FUNCTION(convolve2d),
    FZPY_FUNCTION(elementwise_operation),   FZPY_FUNCTION(get_operations_count), {NULL},
};

int fzpy_init_zero_copy(PyObject *core) {
    PyObject *zero_copy = PyModule_New("forzium._core.zero_copy");
    int failed = zero_copy ? PyModule_AddObjectRef(core, "zero_copy", zero_copy) : -1;
    if (!failed) failed = fzpy_add_functions(core, zero_copy, "forzium._ffi.zero_copy", functions);
    Py_XDECREF(zero_copy);
    return failed;
}
