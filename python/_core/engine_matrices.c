/* The functions of forzium_engine on lists of rows: lists in, lists out. */
#include "engine.h"

#define RAISES_FOR_DATA                                                                                  \
    "Raises\n------\n"                                                                                   \
    "ValueError\n    Empty or ragged data, with the row's number; shapes that do not fit.\n"             \
    "TypeError\n    What is no sequence of rows of numbers, with its row and column.\n"                  \
    "MemoryError\n    No memory for the numbers.\n\n"                                                    \
    "Notes\n-----\n"                                                                                     \
    "Lists are read and built under the GIL; the GIL is released while computing, but for small data,\n" \
    "and large work is shared between the threads of forzium's pool. NumPy is not needed.\n\n"

/* ---- from lists and back -------------------------------------------------------------------------------- */

static ptrdiff_t size_of(const fzpy_doubles *x) { return x->shape[0] * x->shape[1]; }

/* What was computed, as lists; clears it. */
static PyObject *finish(fz_status status, fzpy_doubles *result) {
    PyObject *lists = status != FZ_OK
                          ? fzpy_raise(status)
                          : fzpy_list_from_rows(result->array.data, result->shape[0], result->shape[1]);
    fzpy_doubles_clear(result);
    return lists;
}

static int read_pair(const fzpy_signature *signature, PyObject *const *values, fzpy_doubles *a,
                     fzpy_doubles *b) {
    if (fzpy_doubles_from_rows(a, signature->function, signature->names[0], values[0])) return -1;
    if (!fzpy_doubles_from_rows(b, signature->function, signature->names[1], values[1])) return 0;
    fzpy_doubles_clear(a);
    return -1;
}

static void raise_shapes(const fzpy_signature *signature, const fzpy_doubles *a, const fzpy_doubles *b,
                         const char *rule) {
    PyErr_Format(PyExc_ValueError, "%s: shapes do not fit: %s is (%zd, %zd) and %s is (%zd, %zd); %s",
                 signature->function, signature->names[0], a->shape[0], a->shape[1], signature->names[1],
                 b->shape[0], b->shape[1], rule);
}

/* ---- a matrix and a scalar ------------------------------------------------------------------------------ */

static PyObject *with_scalar(const fzpy_signature *signature, fz_op op, PyObject *const *args,
                             Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *values[2];
    double scalar;
    fzpy_doubles x;
    if (fzpy_parse(signature, args, nargs, kwnames, values) ||
        fzpy_read_double(signature->function, signature->names[1], values[1], &scalar) ||
        fzpy_doubles_from_rows(&x, signature->function, signature->names[0], values[0]))
        return NULL;
    return finish(fzpy_apply_scalar(op, &x.array, scalar, &x.array), &x);
}

static const char multiply_doc[] = "multiply(data, factor)\n--\n\n"
                                   "Each value times a factor.\n\n"
                                   "Parameters\n----------\n"
                                   "data : sequence of sequences of float, (m, n)\n"
                                   "factor : float\n\n"
                                   "Returns\n-------\n"
                                   "list of list of float, (m, n)\n\n" RAISES_FOR_DATA "Examples\n--------\n"
                                   ">>> import forzium_engine\n"
                                   ">>> forzium_engine.multiply([[1.0, 2.0], [3.0, 4.0]], 2.0)\n"
                                   "[[2.0, 4.0], [6.0, 8.0]]\n";

static PyObject *multiply(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"multiply", 2, 2, 0, 2, {"data", "factor"}};
    (void)core;
    return with_scalar(&signature, FZ_OP_multiply, args, nargs, kwnames);
}

static const char add_doc[] = "add(data, scalar)\n--\n\n"
                              "Each value plus a scalar.\n\n"
                              "Parameters\n----------\n"
                              "data : sequence of sequences of float, (m, n)\n"
                              "scalar : float\n\n"
                              "Returns\n-------\n"
                              "list of list of float, (m, n)\n\n" RAISES_FOR_DATA "Examples\n--------\n"
                              ">>> import forzium_engine\n"
                              ">>> forzium_engine.add([[1.0, 2.0]], 0.5)\n"
                              "[[1.5, 2.5]]\n";

static PyObject *add(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"add", 2, 2, 0, 2, {"data", "scalar"}};
    (void)core;
    return with_scalar(&signature, FZ_OP_add, args, nargs, kwnames);
}

/* ---- two matrices of one shape -------------------------------------------------------------------------- */

static PyObject *elementwise(const fzpy_signature *signature, fz_op op, PyObject *const *args,
                             Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *values[2];
    fzpy_doubles a, b;
    if (fzpy_parse(signature, args, nargs, kwnames, values) || read_pair(signature, values, &a, &b))
        return NULL;
    if (a.shape[0] != b.shape[0] || a.shape[1] != b.shape[1]) {
        raise_shapes(signature, &a, &b, "they must be equal");
        fzpy_doubles_clear(&a);
        fzpy_doubles_clear(&b);
        return NULL;
    }
    const fz_array *inputs[] = {&a.array, &b.array};
    PyThreadState *released = fzpy_release_gil((double)size_of(&a));
    fz_status status = fz_elementwise(op, FZ_FLOAT64, inputs, &a.array);
    fzpy_retake_gil(released);
    fzpy_doubles_clear(&b);
    return finish(status, &a);
}

#define ELEMENTWISE_DOC(name, summary, example)                                                           \
    name "(a, b)\n--\n\n" summary "\n\n"                                                                  \
         "Parameters\n----------\n"                                                                       \
         "a, b : sequence of sequences of float, (m, n)\n    Of one shape; there is no broadcasting.\n\n" \
         "Returns\n-------\n"                                                                             \
         "list of list of float, (m, n)\n\n" RAISES_FOR_DATA "Examples\n--------\n"                       \
         ">>> import forzium_engine\n"                                                                    \
         ">>> forzium_engine." name "([[1.0, 2.0]], [[10.0, 20.0]])\n" example "\n"

static const char elementwise_add_doc[] =
    ELEMENTWISE_DOC("elementwise_add", "Sums of values at the same place.", "[[11.0, 22.0]]");

static PyObject *elementwise_add(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"elementwise_add", 2, 2, 0, 2, {"a", "b"}};
    (void)core;
    return elementwise(&signature, FZ_OP_add, args, nargs, kwnames);
}

static const char simd_elementwise_add_doc[] =
    ELEMENTWISE_DOC("simd_elementwise_add", "The same as elementwise_add: both use SIMD.", "[[11.0, 22.0]]");

static PyObject *simd_elementwise_add(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                      PyObject *kwnames) {
    static const fzpy_signature signature = {"simd_elementwise_add", 2, 2, 0, 2, {"a", "b"}};
    (void)core;
    return elementwise(&signature, FZ_OP_add, args, nargs, kwnames);
}

static const char elementwise_mul_doc[] =
    ELEMENTWISE_DOC("elementwise_mul", "Products of values at the same place.", "[[10.0, 40.0]]");

static PyObject *elementwise_mul(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"elementwise_mul", 2, 2, 0, 2, {"a", "b"}};
    (void)core;
    return elementwise(&signature, FZ_OP_multiply, args, nargs, kwnames);
}

/* ---- matrix product ------------------------------------------------------------------------------------- */

static PyObject *multiply_matrices(const fzpy_signature *signature, const fzpy_doubles *a,
                                   const fzpy_doubles *b) {
    if (a->shape[1] != b->shape[0]) {
        raise_shapes(signature, a, b, "a's columns must be as many as b's rows");
        return NULL;
    }
    fzpy_doubles c;
    if (fzpy_doubles_new(&c, signature->function, 2, a->shape[0], b->shape[1])) return NULL;
    PyThreadState *released = fzpy_release_gil((double)size_of(a) * (double)b->shape[1]);
    fz_status status = fz_matmul(&a->array, &b->array, &c.array);
    fzpy_retake_gil(released);
    return finish(status, &c);
}

static PyObject *matrix_product(const fzpy_signature *signature, PyObject *const *args, Py_ssize_t nargs,
                                PyObject *kwnames) {
    PyObject *values[2];
    fzpy_doubles a, b;
    if (fzpy_parse(signature, args, nargs, kwnames, values) || read_pair(signature, values, &a, &b))
        return NULL;
    PyObject *lists = multiply_matrices(signature, &a, &b);
    fzpy_doubles_clear(&a);
    fzpy_doubles_clear(&b);
    return lists;
}

#define MATMUL_DOC(name, summary)                                                   \
    name "(a, b)\n--\n\n" summary "\n\n"                                            \
         "Parameters\n----------\n"                                                 \
         "a : sequence of sequences of float, (m, k)\n"                             \
         "b : sequence of sequences of float, (k, n)\n\n"                           \
         "Returns\n-------\n"                                                       \
         "list of list of float, (m, n)\n\n" RAISES_FOR_DATA "Examples\n--------\n" \
         ">>> import forzium_engine\n"                                              \
         ">>> forzium_engine." name "([[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]])\n"  \
         "[[17.0], [39.0]]\n"

static const char matmul_doc[] = MATMUL_DOC("matmul", "Matrix product of a and b.");

static PyObject *matmul(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"matmul", 2, 2, 0, 2, {"a", "b"}};
    (void)core;
    return matrix_product(&signature, args, nargs, kwnames);
}

static const char simd_matmul_doc[] = MATMUL_DOC("simd_matmul", "The same as matmul: both use SIMD.");

static PyObject *simd_matmul(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"simd_matmul", 2, 2, 0, 2, {"a", "b"}};
    (void)core;
    return matrix_product(&signature, args, nargs, kwnames);
}

/* ---- transposition, convolution, pooling ---------------------------------------------------------------- */

static const char transpose_doc[] = "transpose(m)\n--\n\n"
                                    "Rows as columns.\n\n"
                                    "Parameters\n----------\n"
                                    "m : sequence of sequences of float, (m, n)\n\n"
                                    "Returns\n-------\n"
                                    "list of list of float, (n, m)\n\n" RAISES_FOR_DATA "Examples\n--------\n"
                                    ">>> import forzium_engine\n"
                                    ">>> forzium_engine.transpose([[1.0, 2.0, 3.0]])\n"
                                    "[[1.0], [2.0], [3.0]]\n";

static PyObject *transpose(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"transpose", 1, 1, 0, 1, {"m"}};
    (void)core;
    PyObject *values[1];
    fzpy_doubles x, out;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_doubles_from_rows(&x, "transpose", "m", values[0]))
        return NULL;
    PyObject *lists = NULL;
    if (!fzpy_doubles_new(&out, "transpose", 2, x.shape[1], x.shape[0])) {
        PyThreadState *released = fzpy_release_gil((double)size_of(&x));
        fz_status status = fz_transpose(&x.array, NULL, &out.array);
        fzpy_retake_gil(released);
        lists = finish(status, &out);
    }
    fzpy_doubles_clear(&x);
    return lists;
}

static PyObject *convolve(const fzpy_signature *signature, const fzpy_doubles *x,
                          const fzpy_doubles *kernel) {
    if (kernel->shape[0] > x->shape[0] || kernel->shape[1] > x->shape[1]) {
        raise_shapes(signature, x, kernel, "the kernel must not be larger than the matrix");
        return NULL;
    }
    fzpy_doubles out;
    if (fzpy_doubles_new(&out, signature->function, 2, x->shape[0] - kernel->shape[0] + 1,
                         x->shape[1] - kernel->shape[1] + 1))
        return NULL;
    PyThreadState *released = fzpy_release_gil((double)size_of(&out) * (double)size_of(kernel));
    fz_status status = fz_conv2d(&x->array, &kernel->array, NULL, NULL, &out.array);
    fzpy_retake_gil(released);
    return finish(status, &out);
}

static const char conv2d_doc[] =
    "conv2d(m, k)\n--\n\n"
    "Valid cross-correlation of a matrix with a kernel, which is not flipped.\n\n"
    "Parameters\n----------\n"
    "m : sequence of sequences of float, (h, w)\n"
    "k : sequence of sequences of float, (kh, kw)\n    Not larger than m.\n\n"
    "Returns\n-------\n"
    "list of list of float, (h - kh + 1, w - kw + 1)\n\n" RAISES_FOR_DATA "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.conv2d([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[1.0, 0.0], [0.0, 10.0]])\n"
    "[[51.0, 62.0]]\n";

static PyObject *conv2d(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"conv2d", 2, 2, 0, 2, {"m", "k"}};
    (void)core;
    PyObject *values[2];
    fzpy_doubles x, kernel;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) || read_pair(&signature, values, &x, &kernel))
        return NULL;
    PyObject *lists = convolve(&signature, &x, &kernel);
    fzpy_doubles_clear(&x);
    fzpy_doubles_clear(&kernel);
    return lists;
}

/* 0 where windows of `size` cover x without rest, or -1 with an exception. */
static int check_windows(const fzpy_doubles *x, Py_ssize_t size) {
    if (size < 1)
        PyErr_Format(PyExc_ValueError, "max_pool2d: size is %zd; it must be at least 1", size);
    else if (x->shape[0] % size || x->shape[1] % size)
        PyErr_Format(PyExc_ValueError,
                     "max_pool2d: shape of m does not fit: (%zd, %zd); size %zd must divide both sides",
                     x->shape[0], x->shape[1], size);
    else
        return 0;
    return -1;
}

static const char max_pool2d_doc[] =
    "max_pool2d(m, size)\n--\n\n"
    "Largest value of each window of size by size; windows touch and do not overlap.\n\n"
    "Parameters\n----------\n"
    "m : sequence of sequences of float, (h, w)\n"
    "size : int\n    At least 1; divides h and w.\n\n"
    "Returns\n-------\n"
    "list of list of float, (h / size, w / size)\n    NaN where a window holds one.\n\n" RAISES_FOR_DATA
    "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.max_pool2d([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], 2)\n"
    "[[6.0, 8.0]]\n";

static PyObject *max_pool2d(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"max_pool2d", 2, 2, 0, 2, {"m", "size"}};
    (void)core;
    PyObject *values[2];
    Py_ssize_t size;
    fzpy_doubles x, out;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_size("max_pool2d", "size", values[1], &size) ||
        fzpy_doubles_from_rows(&x, "max_pool2d", "m", values[0]))
        return NULL;
    PyObject *lists = NULL;
    if (!check_windows(&x, size) &&
        !fzpy_doubles_new(&out, "max_pool2d", 2, x.shape[0] / size, x.shape[1] / size)) {
        PyThreadState *released = fzpy_release_gil((double)size_of(&x));
        const fz_pool2d_options windows = {
            .window = {size, size}, .stride = {size, size}, .dilation = {1, 1}, .count_padding = 1};
        fz_status status = fz_pool2d(FZ_POOLING_MAX, &x.array, &windows, &out.array);
        fzpy_retake_gil(released);
        lists = finish(status, &out);
    }
    fzpy_doubles_clear(&x);
    return lists;
}

/* ---- the table ------------------------------------------------------------------------------------------ */

PyMethodDef fzpy_engine_matrix_functions[] = {
    FZPY_FUNCTION(multiply),
    FZPY_FUNCTION(add),
    FZPY_FUNCTION(elementwise_add),
    FZPY_FUNCTION(simd_elementwise_add),
    FZPY_FUNCTION(elementwise_mul),
    FZPY_FUNCTION(matmul),
    FZPY_FUNCTION(simd_matmul),
    FZPY_FUNCTION(transpose),
    FZPY_FUNCTION(conv2d),
    FZPY_FUNCTION(max_pool2d),
    {NULL},
};
