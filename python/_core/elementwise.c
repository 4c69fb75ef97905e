/* The element-wise operations: a row of ops.def is an operation here. */
#include "core.h"

enum { MAX_INPUTS = 2 };

static const char family[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x, y : array_like\n"
    "    Inputs (one where the operation is unary), broadcast together; float32 or float64. Python\n"
    "    scalars take the dtype of the other input.\n"
    "out : ndarray, optional\n"
    "    Where to write; any strides; may be an input or overlap one. Nothing is written on error.\n"
    "dtype : float32 or float64, optional\n"
    "    The dtype to compute in; by default the wider of the inputs'.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "ndarray\n"
    "    out, or a new array; a scalar where all inputs are.\n"
    "\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    For dtypes other than these, masked and object arrays.\n"
    "ValueError\n"
    "    For shapes that do not broadcast, and a read-only out.\n"
    "\n";

#define NOTES(accuracy)                                                                                     \
    "Notes\n"                                                                                               \
    "-----\n" accuracy                                                                                      \
    " Large calls release the GIL and are split over the pool of threads; the result does not depend on\n"  \
    "their number.\n"                                                                                       \
    "\n"                                                                                                    \
    "Examples\n"                                                                                            \
    "--------\n"                                                                                            \
    ">>> import forzium\n"                                                                                  \
    ">>> import numpy as np\n"                                                                              \
    ">>> x = np.array([[1.0, 4.0], [9.0, 16.0]])\n"
#define EXACT NOTES("NumPy's bits.")
#define APPROXIMATE NOTES("At most 1 ULP from the exact result.")

static const char unary_notes[] =
    EXACT ">>> bool(np.array_equal(forzium.%name%(x), np.%name%(x)))\nTrue\n";
static const char binary_notes[] =
    EXACT ">>> bool(np.array_equal(forzium.%name%(x, 2.0), np.%name%(x, 2.0)))\nTrue\n";
static const char function_notes[] = APPROXIMATE ">>> forzium.%name%(x).shape\n(2, 2)\n";
static const char function2_notes[] = APPROXIMATE ">>> forzium.%name%(x, 2.0).shape\n(2, 2)\n";

/* NEP 50: the widest of the arrays; Python scalars count only among themselves. */
static fz_dtype result_dtype(int inputs, const fzpy_view *views) {
    bool strong = false;
    fz_dtype dtype = FZ_FLOAT32;
    for (int k = 0; k < inputs; k++) {
        if (views[k].weak) continue;
        strong = true;
        if (views[k].array.dtype == FZ_FLOAT64) dtype = FZ_FLOAT64;
    }
    return strong ? dtype : FZ_FLOAT64;
}

static int make_output(const fzpy_operation *row, fz_dtype dtype, const fz_array *const inputs[],
                       PyObject *given, fzpy_view *out) {
    const char *name = row->signature.function;
    if (given) return fzpy_view_output(out, name, "out", given);
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    const fz_status status = fz_broadcast_shape(name, row->signature.required, inputs, &ndim, shape);
    return status ? (fzpy_raise(status), -1) : fzpy_view_new(out, name, dtype, ndim, shape);
}

static PyObject *compute_views(const fzpy_operation *row, const fz_array *const inputs[], fz_dtype dtype,
                               PyObject *given) {
    fzpy_view out;
    if (make_output(row, dtype, inputs, given, &out) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(&out));
    const fz_status status = fz_elementwise((fz_op)row->id, dtype, inputs, &out.array);
    fzpy_retake_gil(released);
    if (!status) return fzpy_view_result(&out, given != NULL);
    fzpy_view_clear(&out);
    return fzpy_raise(status);
}

static PyObject *compute(const fzpy_operation *row, PyObject *const *values) {
    const int inputs = row->signature.required;
    PyObject *given = values[inputs], *wanted = values[inputs + 1], *result = NULL;
    const fz_array *arrays[MAX_INPUTS];
    fzpy_view views[MAX_INPUTS];
    int viewed = 0;
    for (; viewed < inputs; viewed++) {
        if (fzpy_view_input(&views[viewed], row->signature.function, row->signature.names[viewed],
                            values[viewed]) < 0)
            goto done;
        arrays[viewed] = &views[viewed].array;
    }
    fz_dtype dtype = result_dtype(inputs, views);
    if (!wanted || wanted == Py_None || fzpy_convert_dtype(row->signature.function, wanted, &dtype) == 0)
        result = compute_views(row, arrays, dtype, given == Py_None ? NULL : given);
done:
    while (viewed) fzpy_view_clear(&views[--viewed]);
    return result;
}

static const fzpy_operation rows[] = {
#define UNARY(name, text, notes)                              \
    {.signature = {#name, 3, 1, 1, 2, {"x", "out", "dtype"}}, \
     .parameters = "x, /, out=None, *, dtype=None",           \
     .doc = text,                                             \
     .family = family,                                        \
     .example = notes,                                        \
     .compute = compute,                                      \
     .id = FZ_OP_##name},
#define BINARY(name, text, notes)                                  \
    {.signature = {#name, 4, 2, 2, 3, {"x", "y", "out", "dtype"}}, \
     .parameters = "x, y, /, out=None, *, dtype=None",             \
     .doc = text,                                                  \
     .family = family,                                             \
     .example = notes,                                             \
     .compute = compute,                                           \
     .id = FZ_OP_##name},
#define FZ_UNARY(name, dtypes, lane, fill, text) UNARY(name, text, unary_notes)
#define FZ_BINARY(name, dtypes, lane, fill, text) BINARY(name, text, binary_notes)
#define FZ_FUNCTION(name, dtypes, lane, fill, text) UNARY(name, text, function_notes)
#define FZ_FUNCTION2(name, dtypes, lane, fill, text) BINARY(name, text, function2_notes)
#include "ops.def"
};

int fzpy_init_elementwise(PyObject *core) {
    return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]);
}
