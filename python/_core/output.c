/* Where the result of an operation goes that writes to separate memory only. */
#include "numpy_api.h"

static int check_shape(const char *operation, const fz_array *array, int ndim, const ptrdiff_t *shape) {
    bool fits = array->ndim == ndim;
    for (int d = 0; fits && d < ndim; d++) fits = array->shape[d] == shape[d];
    if (fits) return 0;
    PyObject *given = fzpy_shape(array->ndim, array->shape), *wanted = fzpy_shape(ndim, shape);
    if (given && wanted)
        PyErr_Format(PyExc_ValueError, "%s: out is %S; it must be %S", operation, given, wanted);
    Py_XDECREF(given);
    Py_XDECREF(wanted);
    return -1;
}

fz_dtype fzpy_widen_to_out(fz_dtype dtype, PyObject *out) {
    if (!out || out == Py_None || fzpy_load_numpy() < 0 || !PyArray_Check(out)) {
        PyErr_Clear(); /* to be raised where out is opened */
        return dtype;
    }
    const fz_dtype given = fzpy_dtype_of(PyArray_DESCR((PyArrayObject *)out));
    return fzpy_is_float(given) ? fz_promote(dtype, given) : dtype;
}

int fzpy_check_cast(const char *operation, fz_dtype dtype, const fzpy_view *out, NPY_CASTING casting) {
    const fz_dtype given = out->array.dtype;
    if (fzpy_can_cast(dtype, given, casting)) return 0;
    PyErr_Format(PyExc_TypeError, "%s: out is %s, to which the result, %s, cannot be cast%s; %s would do",
                 operation, fz_dtype_name(given), fz_dtype_name(dtype),
                 casting == NPY_SAME_KIND_CASTING ? "" : " under this rule of casting", fz_dtype_name(dtype));
    return -1;
}

int fzpy_output_open_as(fzpy_output *output, const char *operation, PyObject *out, NPY_CASTING casting,
                        fz_dtype dtype, int ndim, const ptrdiff_t *shape, int inputs,
                        const fzpy_view *const views[]) {
    output->given.owner = output->fresh.owner = NULL;
    output->target = &output->fresh;
    if (!out || out == Py_None) return fzpy_view_new(&output->fresh, operation, dtype, ndim, shape);
    if (fzpy_view_output(&output->given, operation, "out", out, FZPY_ANY) < 0) return -1;
    if (fzpy_check_cast(operation, dtype, &output->given, casting) < 0) {
        fzpy_view_clear(&output->given);
        return -1;
    }
    if (fz_overlaps_itself(&output->given.array)) {
        PyErr_Format(PyExc_ValueError,
                     "%s: elements of out may share memory; an array without overlap would do", operation);
        fzpy_view_clear(&output->given);
        return -1;
    }
    bool direct = output->given.array.dtype == dtype;
    for (int k = 0; k < inputs; k++) direct &= !fz_may_overlap(&views[k]->array, &output->given.array);
    if (direct) output->target = &output->given;
    if (check_shape(operation, &output->given.array, ndim, shape) < 0 ||
        (!direct && fzpy_view_new(&output->fresh, operation, dtype, ndim, shape) < 0)) {
        fzpy_view_clear(&output->given);
        return -1;
    }
    return 0;
}

int fzpy_output_open(fzpy_output *output, const char *operation, PyObject *out, fz_dtype dtype, int ndim,
                     const ptrdiff_t *shape, int inputs, const fzpy_view *const views[]) {
    return fzpy_output_open_as(output, operation, out, NPY_SAME_KIND_CASTING, dtype, ndim, shape, inputs,
                               views);
}

PyObject *fzpy_output_close(fzpy_output *output, fz_status status) {
    PyObject *result = NULL;
    const bool given = output->given.owner != NULL;
    if (!status && given && output->target == &output->fresh)
        status = fzpy_view_fill(&output->given, &output->fresh.array);
    if (status)
        fzpy_raise(status);
    else
        result = fzpy_view_result(given ? &output->given : &output->fresh, given);
    fzpy_view_clear(&output->given);
    fzpy_view_clear(&output->fresh);
    return result;
}
