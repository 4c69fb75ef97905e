/* Casts as operations of their own: astype, copyto. */
#include "numpy_api.h"

/* ---- astype ------------------------------------------------------------------------------------------------- */

/* Python objects that are no arrays give what operations on them give: a scalar for a scalar. */
static PyObject *copy_as(const fzpy_view *x, fz_dtype dtype, bool is_array) {
    const fz_array *const own = &x->array;
    fzpy_view made;
    if (fzpy_view_new_like(&made, "astype", dtype, own->ndim, own->shape, 1, &own) < 0) return NULL;
    const fz_status status = fzpy_view_fill(&made, own);
    if (!status) return fzpy_view_result(&made, is_array);
    fzpy_view_clear(&made);
    return fzpy_raise(status);
}

enum { X, DTYPE, COPY };

static PyObject *compute_astype(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    fz_dtype dtype;
    fzpy_view x;
    const int copies = values[COPY] ? PyObject_IsTrue(values[COPY]) : true;
    if (copies < 0 || fzpy_convert_dtype(name, values[DTYPE], &dtype, FZPY_ANY) < 0 ||
        fzpy_view_input(&x, name, "x", values[X], FZPY_ANY) < 0)
        return NULL;
    if (fzpy_is_huge(&x) && dtype >= FZ_INT8 && dtype <= FZ_UINT64)
        return PyErr_Format(PyExc_OverflowError,
                            "%s: x is a Python integer out of bounds for %s; float64 would do", name,
                            fz_dtype_name(dtype));
    const bool is_array = x.owner && PyArray_Check(values[X]);
    PyObject *result =
        !copies && is_array && x.array.dtype == dtype ? Py_NewRef(x.owner) : copy_as(&x, dtype, is_array);
    fzpy_view_clear(&x);
    return result;
}

/* ---- copyto ------------------------------------------------------------------------------------------------- */

static int fail_cast(const char *name, fz_dtype from, fz_dtype to) {
    PyErr_Format(
        PyExc_TypeError,
        "%s: src, %s, cannot be cast to dst, %s, under this rule of casting; casting=\"unsafe\" would do",
        name, fz_dtype_name(from), fz_dtype_name(to));
    return -1;
}

/* A Python number is of dst's dtype if that is of its kind or a higher one. */
static int settle_source(const char *name, fzpy_view *src, fz_dtype to, NPY_CASTING casting) {
    const fz_dtype natural = src->weak == FZPY_WEAK_INT ? FZ_INT64 : src->array.dtype;
    if (src->weak && fzpy_is_same_kind(src->weak == FZPY_WEAK_INT ? FZ_UINT8 : FZ_FLOAT16, to)) {
        if (fzpy_view_settle(src, to)) return 0;
        PyErr_Format(PyExc_OverflowError,
                     "%s: src is a Python integer out of bounds for %s; a wider dst would do", name,
                     fz_dtype_name(to));
        return -1;
    }
    return fzpy_can_cast(natural, to, casting) ? 0 : fail_cast(name, natural, to);
}

/* NumPy drops leading axes of length 1 that dst lacks. */
static void drop_leading_axes(fz_array *x, int ndim) {
    while (x->ndim > ndim && x->shape[0] == 1) {
        x->ndim--;
        x->shape++;
        x->strides++;
    }
}

static int check_fits(const char *name, const char *argument, const fz_array *x, const fz_array *dst) {
    const int missing = dst->ndim - x->ndim;
    bool fits = missing >= 0;
    for (int d = 0; fits && d < x->ndim; d++)
        fits = x->shape[d] == 1 || x->shape[d] == dst->shape[missing + d];
    if (fits) return 0;
    PyObject *given = fzpy_shape(x->ndim, x->shape), *wanted = fzpy_shape(dst->ndim, dst->shape);
    if (given && wanted)
        PyErr_Format(PyExc_ValueError,
                     "%s: %s of shape %S does not broadcast to dst's shape %S; "
                     "from the last axis on, lengths must be equal or 1",
                     name, argument, given, wanted);
    Py_XDECREF(given);
    Py_XDECREF(wanted);
    return -1;
}

static PyObject *copy_views(const char *name, fzpy_view *dst, fzpy_view *src, fzpy_view *where,
                            NPY_CASTING casting) {
    if (where && where->array.dtype != FZ_BOOL) {
        PyErr_Format(PyExc_TypeError, "%s: where is %s; bool would do", name,
                     fz_dtype_name(where->array.dtype));
        return NULL;
    }
    if (settle_source(name, src, dst->array.dtype, casting) < 0) return NULL;
    drop_leading_axes(&src->array, dst->array.ndim);
    if (check_fits(name, "src", &src->array, &dst->array) < 0 ||
        (where && check_fits(name, "where", &where->array, &dst->array) < 0))
        return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(dst));
    const fz_status status = fz_copy_where(&src->array, where ? &where->array : NULL, &dst->array);
    fzpy_retake_gil(released);
    if (status == FZ_ERROR_OVERLAP)
        return PyErr_Format(PyExc_ValueError,
                            "%s: elements of dst may share memory; an array without overlap would do", name);
    return status ? fzpy_raise(status) : Py_NewRef(Py_None);
}

enum { DST, SRC, CASTING, WHERE };

static PyObject *compute_copyto(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    const bool masked = values[WHERE] && values[WHERE] != Py_True;
    NPY_CASTING casting = NPY_SAME_KIND_CASTING;
    fzpy_view dst, src, where;
    PyObject *result = NULL;
    dst.owner = src.owner = where.owner = NULL;
    if (fzpy_load_numpy() < 0) return NULL;
    if (values[CASTING] && !PyArray_CastingConverter(values[CASTING], &casting))
        return fzpy_name_argument(name, "casting"), NULL;
    if (fzpy_view_output(&dst, name, "dst", values[DST], FZPY_ANY) == 0 &&
        fzpy_view_input(&src, name, "src", values[SRC], FZPY_ANY) == 0 &&
        (!masked || fzpy_view_input(&where, name, "where", values[WHERE], FZPY_ANY) == 0))
        result = copy_views(name, &dst, &src, masked ? &where : NULL, casting);
    fzpy_view_clear(&dst);
    fzpy_view_clear(&src);
    fzpy_view_clear(&where);
    return result;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

#define NOTES                                                                                            \
    "Notes\n"                                                                                            \
    "-----\n"                                                                                            \
    "Floats are rounded to the nearest, or cut to integers; NaN and what an integer dtype cannot hold "  \
    "become\n"                                                                                           \
    "what x86's conversions make of them, without a warning. Large calls release the GIL and are split " \
    "over\n"                                                                                             \
    "the pool of threads.\n"                                                                             \
    "\n"                                                                                                 \
    "Examples\n"                                                                                         \
    "--------\n"                                                                                         \
    ">>> import forzium\n"                                                                               \
    ">>> import numpy as np\n"

static const char astype_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    bool, integers, float16, bfloat16, float32 or float64; any shape and strides.\n"
    "dtype : data-type\n"
    "    One of these; any may become any other.\n"
    "copy : bool, optional\n"
    "    If false, x itself where it is an ndarray of this dtype.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "ndarray\n"
    "    A new array whose axes lie in memory as x's do.\n"
    "\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    For other dtypes, and masked and object arrays.\n"
    "\n" NOTES ">>> forzium.astype(np.array([1.9, -1.9]), np.int32)\n"
    "array([ 1, -1], dtype=int32)\n";

static const char copyto_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "dst : ndarray\n"
    "    Where to write; any strides.\n"
    "src : array_like\n"
    "    What; broadcast to dst's shape; may overlap it. Python numbers take dst's dtype.\n"
    "casting : str, optional\n"
    "    \"no\", \"equiv\", \"safe\", \"same_kind\" or \"unsafe\": what src may be cast to.\n"
    "where : array_like of bool, optional\n"
    "    Broadcast to dst's shape: the elements that are written. The others are not touched.\n"
    "\n"
    "Raises\n"
    "------\n"
    "TypeError\n"
    "    For other dtypes than astype has, and a cast that the rule does not allow.\n"
    "ValueError\n"
    "    For shapes that do not broadcast, and a read-only dst or one whose elements share memory.\n"
    "OverflowError\n"
    "    For a Python integer beyond dst's dtype.\n"
    "\n" NOTES ">>> x = np.zeros(4)\n"
    ">>> forzium.copyto(x, [1, 2, 3, 4], where=[True, False, True, False])\n"
    ">>> x\n"
    "array([1., 0., 3., 0.])\n";

static const fzpy_operation rows[] = {
    {.signature = {"astype", 3, 2, 2, 2, {"x", "dtype", "copy"}},
     .parameters = "x, dtype, /, *, copy=True",
     .doc = "A copy of x in another dtype.",
     .family = astype_doc,
     .example = "",
     .compute = compute_astype},
    {.signature = {"copyto", 4, 2, 0, 4, {"dst", "src", "casting", "where"}},
     .parameters = "dst, src, casting=\"same_kind\", where=True",
     .doc = "Copies elements of one array to another.",
     .family = copyto_doc,
     .example = "",
     .compute = compute_copyto},
};

int fzpy_init_casts(PyObject *core) { return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]); }
