/* Row-wise operations, running sums, inner products, norms. */
#include "core.h"

/* ---- arguments -------------------------------------------------------------------------------------------- */

/* `absent` stands for an argument that is not given; None means all axes. */
static int read_axes(const char *name, PyObject *object, int absent, fzpy_axes *a) {
    if (object) return fzpy_read_axes(name, object == Py_None ? NULL : object, a);
    *a = (fzpy_axes){.count = 1, .list = {absent}};
    return 0;
}

static const int *list_axes(const fzpy_axes *a) { return a->all ? NULL : a->list; }

static fz_dtype float_of(const fzpy_view *x) {
    return fzpy_is_float(x->array.dtype) ? x->array.dtype : FZ_FLOAT64;
}

/* ---- outputs ---------------------------------------------------------------------------------------------- */

static bool is_same_view(const fz_array *a, const fz_array *b) {
    bool same = a->data == b->data && a->dtype == b->dtype && a->ndim == b->ndim;
    for (int d = 0; same && d < a->ndim; d++)
        same = a->shape[d] == b->shape[d] && (a->shape[d] < 2 || a->strides[d] == b->strides[d]);
    return same;
}

/* What a call may do with a given output: be its first input; take any dtype, as the library converts. */
typedef enum freedom { NOTHING = 0, IN_PLACE = 1, CONVERTS = 2 } freedom;

/* Beside fzpy_output_open, whose calls may do nothing of this. dtype: of the result. */
static int open_output(fzpy_output *o, const char *name, PyObject *out, fz_dtype dtype, int ndim,
                       const ptrdiff_t *shape, int may, int inputs, const fzpy_view *const views[]) {
    o->given.owner = o->fresh.owner = NULL;
    o->target = &o->fresh;
    if (!out || out == Py_None) return fzpy_view_new(&o->fresh, name, dtype, ndim, shape);
    if (fzpy_view_output(&o->given, name, "out", out, FZPY_ANY) < 0) return -1;
    const fz_array *array = &o->given.array;
    bool direct = may & CONVERTS || array->dtype == dtype;
    for (int k = 0; k < inputs; k++)
        direct &= !fz_may_overlap(&views[k]->array, array) ||
                  (may & IN_PLACE && k == 0 && is_same_view(&views[k]->array, array));
    if (fzpy_is_float(dtype) && !fzpy_is_float(array->dtype)) {
        PyErr_Format(PyExc_TypeError, "%s: out is %s; the result is %s, and a float would do", name,
                     fz_dtype_name(array->dtype), fz_dtype_name(dtype));
        fzpy_view_clear(&o->given);
        return -1;
    }
    bool fits = array->ndim == ndim && !fz_overlaps_itself(array);
    for (int d = 0; fits && d < ndim; d++) fits = array->shape[d] == shape[d];
    if (direct || !fits) { /* the library says what does not fit */
        o->target = &o->given;
        return 0;
    }
    if (fzpy_view_new(&o->fresh, name, may & CONVERTS ? array->dtype : dtype, ndim, shape) == 0) return 0;
    fzpy_view_clear(&o->given);
    return -1;
}

/* ---- softmax, log_softmax, normalize ----------------------------------------------------------------------- */

typedef fz_status map_function(const fz_array *x, int naxes, const int axes[], fz_array *out);

static map_function *const maps[] = {fz_softmax, fz_log_softmax, fz_normalize};
enum { SOFTMAX, LOG_SOFTMAX, NORMALIZE };
enum { LAYER_NORM, RMS_NORM };
enum { CUMSUM, CUMPROD };
enum { VECDOT, DOT };

static PyObject *compute_map(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    fzpy_axes a;
    fzpy_view x;
    fzpy_output out;
    if (read_axes(name, values[1], -1, &a) < 0) return NULL;
    if (fzpy_view_input(&x, name, "x", values[0], FZPY_ANY) < 0) return NULL;
    PyObject *result = NULL;
    if (open_output(&out, name, values[2], float_of(&x), x.array.ndim, x.shape, IN_PLACE | CONVERTS, 1,
                    (const fzpy_view *const[]){&x}) == 0) {
        PyThreadState *released = fzpy_release_gil(4 * fzpy_view_size(&x));
        const fz_status status = maps[row->id](&x.array, a.count, list_axes(&a), &out.target->array);
        fzpy_retake_gil(released);
        result = fzpy_output_close(&out, status);
    }
    fzpy_view_clear(&x);
    return result;
}

/* ---- layer_norm, rms_norm ---------------------------------------------------------------------------------- */

/* What they are given beside x and axis; a weight of ones where there is a bias alone. */
typedef struct weights {
    fzpy_view weight, bias;
    const fz_array *weight_array, *bias_array;
    double one;
    ptrdiff_t no_strides[FZ_MAX_NDIM];
    fz_array ones;
} weights;

static int view_weights(weights *w, const char *name, PyObject *weight, PyObject *bias) {
    w->weight.owner = w->bias.owner = NULL;
    w->weight_array = w->bias_array = NULL;
    if (weight && weight != Py_None) {
        if (fzpy_view_input(&w->weight, name, "weight", weight, FZPY_ANY) < 0) return -1;
        w->weight_array = &w->weight.array;
    }
    if (!bias || bias == Py_None) return 0;
    if (fzpy_view_input(&w->bias, name, "bias", bias, FZPY_ANY) < 0) return -1;
    w->bias_array = &w->bias.array;
    if (w->weight_array) return 0;
    w->one = 1;
    for (int d = 0; d < w->bias.array.ndim; d++) w->no_strides[d] = 0;
    w->ones = (fz_array){&w->one, FZ_FLOAT64, w->bias.array.ndim, w->bias.shape, w->no_strides};
    w->weight_array = &w->ones;
    return 0;
}

static PyObject *norm_view(const fzpy_operation *row, const fzpy_view *x, const fzpy_axes *a,
                           const weights *w, double eps, PyObject *given) {
    const char *name = row->signature.function;
    const fzpy_view *views[3] = {x};
    int inputs = 1;
    fzpy_output out;
    if (w->weight.owner) views[inputs++] = &w->weight;
    if (w->bias.owner) views[inputs++] = &w->bias;
    if (open_output(&out, name, given, float_of(x), x->array.ndim, x->shape, IN_PLACE | CONVERTS, inputs,
                    views) < 0)
        return NULL;
    fz_array *target = &out.target->array;
    PyThreadState *released = fzpy_release_gil(4 * fzpy_view_size(x));
    const fz_status status =
        row->id == LAYER_NORM
            ? fz_layer_norm(&x->array, a->count, list_axes(a), w->weight_array, w->bias_array, eps, target)
            : fz_rms_norm(&x->array, a->count, list_axes(a), w->weight_array, eps, target);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_weighted(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    const bool has_bias = row->id == LAYER_NORM;
    PyObject *bias = has_bias ? values[3] : NULL, *eps_object = values[3 + has_bias], *result = NULL;
    double eps = has_bias ? 1e-5 : 1e-6;
    fzpy_axes a;
    fzpy_view x;
    weights w;
    if (eps_object && fzpy_read_double(name, "eps", eps_object, &eps) < 0) return NULL;
    if (read_axes(name, values[1], -1, &a) < 0) return NULL;
    if (fzpy_view_input(&x, name, "x", values[0], FZPY_ANY) < 0) return NULL;
    if (view_weights(&w, name, values[2], bias) == 0)
        result = norm_view(row, &x, &a, &w, eps, values[4 + has_bias]);
    fzpy_view_clear(&w.weight);
    fzpy_view_clear(&w.bias);
    fzpy_view_clear(&x);
    return result;
}

/* ---- logsumexp, norm --------------------------------------------------------------------------------------- */

typedef fz_status number_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                               ptrdiff_t shape[FZ_MAX_NDIM]);

static const struct {
    number_shape *shape;
    map_function *run;
} numbers[] = {{fz_logsumexp_shape, fz_logsumexp}, {fz_norm_shape, fz_norm}};
enum { LOGSUMEXP, NORM };

static PyObject *compute_number(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    const int keepdims = values[2] ? PyObject_IsTrue(values[2]) : 0;
    fzpy_axes a;
    fzpy_view x;
    fzpy_output out;
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    if (keepdims < 0) return fzpy_name_argument(name, "keepdims"), NULL;
    if (read_axes(name, values[1] ? values[1] : Py_None, -1, &a) < 0) return NULL;
    if (fzpy_view_input(&x, name, "x", values[0], FZPY_ANY) < 0) return NULL;
    PyObject *result = NULL;
    fz_status status = numbers[row->id].shape(&x.array, a.count, list_axes(&a), keepdims, &ndim, shape);
    if (status) {
        fzpy_raise(status);
    } else if (open_output(&out, name, NULL, float_of(&x), ndim, shape, NOTHING, 0, NULL) == 0) {
        PyThreadState *released = fzpy_release_gil(fzpy_view_size(&x));
        status = numbers[row->id].run(&x.array, a.count, list_axes(&a), &out.target->array);
        fzpy_retake_gil(released);
        result = fzpy_output_close(&out, status);
    }
    fzpy_view_clear(&x);
    return result;
}

/* ---- cumsum, cumprod --------------------------------------------------------------------------------------- */

/* Integers are summed in 64 bits. */
static fz_dtype scanned(fz_dtype dtype) {
    if (fzpy_is_float(dtype) || dtype == FZ_UINT64) return dtype;
    return dtype == FZ_UINT8 || dtype == FZ_UINT16 || dtype == FZ_UINT32 ? FZ_UINT64 : FZ_INT64;
}

static PyObject *scan_view(const fzpy_operation *row, const fzpy_view *x, const int *axis, fz_dtype dtype,
                           PyObject *given) {
    const char *name = row->signature.function;
    const ptrdiff_t size = (ptrdiff_t)fzpy_view_size(x);
    const bool flat = !axis || x->array.ndim == 0;
    fzpy_output out;
    if (open_output(&out, name, given, dtype, flat ? 1 : x->array.ndim, flat ? &size : x->shape, IN_PLACE, 1,
                    &x) < 0)
        return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    const fz_status status =
        (row->id == CUMSUM ? fz_cumsum : fz_cumprod)(&x->array, axis, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_scan(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    const bool flat = !values[1] || values[1] == Py_None, chosen = values[2] && values[2] != Py_None;
    int axis = 0;
    fz_dtype dtype;
    fzpy_view x;
    if (!flat && fzpy_read_axis(name, "axis", values[1], &axis) < 0) return NULL;
    if (chosen && fzpy_convert_dtype(name, values[2], &dtype, FZPY_ANY) < 0) return NULL;
    if (fzpy_view_input(&x, name, "x", values[0], FZPY_ANY) < 0) return NULL;
    if (!chosen) dtype = fzpy_widen_to_out(scanned(x.array.dtype), values[3]);
    PyObject *result = scan_view(row, &x, flat ? NULL : &axis, dtype, values[3]);
    fzpy_view_clear(&x);
    return result;
}

/* ---- dot, vecdot ------------------------------------------------------------------------------------------- */

static PyObject *multiply_views(const fzpy_operation *row, const fzpy_view *a, const fzpy_view *b, int axis,
                                PyObject *given) {
    const char *name = row->signature.function;
    const bool along = row->id == VECDOT;
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fzpy_output out;
    fz_status status = along ? fz_vecdot_shape(&a->array, &b->array, axis, &ndim, shape)
                             : fz_dot_shape(&a->array, &b->array, &ndim, shape);
    if (status) return fzpy_raise(status);
    if (open_output(&out, name, given, fz_promote(a->array.dtype, b->array.dtype), ndim, shape, NOTHING, 2,
                    (const fzpy_view *const[]){a, b}) < 0)
        return NULL;
    fz_array *target = &out.target->array;
    double work = fzpy_view_size(a) > fzpy_view_size(b) ? fzpy_view_size(a) : fzpy_view_size(b);
    if (!along && ndim > 0 && b->array.ndim > 1)
        work = fzpy_view_size(a) * (double)b->shape[b->array.ndim - 1];
    PyThreadState *released = fzpy_release_gil(work);
    status = along ? fz_vecdot(&a->array, &b->array, axis, target) : fz_dot(&a->array, &b->array, target);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_product(const fzpy_operation *row, PyObject *const *values) {
    const char *name = row->signature.function;
    PyObject *result = NULL, *given = row->id == VECDOT ? NULL : values[2];
    int axis = -1;
    fzpy_view a, b;
    if (row->id == VECDOT && values[2] && fzpy_read_axis(name, "axis", values[2], &axis) < 0) return NULL;
    if (fzpy_view_input(&a, name, "a", values[0], FZPY_ANY) < 0) return NULL;
    if (fzpy_view_input(&b, name, "b", values[1], FZPY_ANY) == 0) {
        result = multiply_views(row, &a, &b, axis, given);
        fzpy_view_clear(&b);
    }
    fzpy_view_clear(&a);
    return result;
}

/* ---- the table --------------------------------------------------------------------------------------------- */

#define X_AND_AXIS(default_axes)                                                                    \
    "\n\n"                                                                                          \
    "Parameters\n"                                                                                  \
    "----------\n"                                                                                  \
    "x : array_like\n"                                                                              \
    "    Any forzium dtype, any shape and strides. float16 and bfloat16 are computed in float32,\n" \
    "    integers in float64.\n"                                                                    \
    "axis : int, tuple of ints or None, optional\n"                                                 \
    "    The axes that make a row; None means all, and by default it is " default_axes ".\n"

#define OUT_OF_SHAPE                                                                                     \
    "out : ndarray, optional\n"                                                                          \
    "    Where to write; of x's shape. It may be x itself, or overlap an input in any way. Nothing is\n" \
    "    written on error.\n"

#define RETURNS_AND_ERRORS                                                                              \
    "\n"                                                                                                \
    "Returns\n"                                                                                         \
    "-------\n"                                                                                         \
    "ndarray or scalar\n"                                                                               \
    "\n"                                                                                                \
    "Raises\n"                                                                                          \
    "------\n"                                                                                          \
    "ValueError\n"                                                                                      \
    "    For an axis that is out of bounds (NumPy's AxisError) or named twice, and shapes that do not " \
    "fit.\n"                                                                                            \
    "TypeError\n"                                                                                       \
    "    For other dtypes.\n"                                                                           \
    "\n"                                                                                                \
    "Notes\n"                                                                                           \
    "-----\n"

#define GIL_AND_EXAMPLES                                                                    \
    " Large calls release the GIL; the\nresult does not depend on the number of threads.\n" \
    "\n"                                                                                    \
    "Examples\n"                                                                            \
    "--------\n"                                                                            \
    ">>> import forzium\n"                                                                  \
    ">>> import numpy as np\n"

static const char softmax_doc[] = X_AND_AXIS("the last") OUT_OF_SHAPE RETURNS_AND_ERRORS
    "e^(x - max) / sum(e^(x - max)), within a few ULP. A row with a NaN or +inf, or of -inf alone, is "
    "NaN." GIL_AND_EXAMPLES ">>> forzium.softmax(np.array([0.0, 0.0, -np.inf]))\n"
    "array([0.5, 0.5, 0. ])\n";

static const char log_softmax_doc[] = X_AND_AXIS("the last") OUT_OF_SHAPE RETURNS_AND_ERRORS
    "x - max - log(sum(e^(x - max))), within 3 ULP also where it is near 0. A row with a NaN or +inf, or of\n"
    "-inf alone, is NaN." GIL_AND_EXAMPLES ">>> forzium.log_softmax(np.array([0.0, -40.0])).tolist()\n"
    "[-4.248354255291589e-18, -40.0]\n";

static const char normalize_doc[] = X_AND_AXIS("the last") OUT_OF_SHAPE RETURNS_AND_ERRORS
    "x / norm(x), without overflow or underflow on the way. A row of zeros has no direction: it gives NaN, "
    "as\n"
    "NumPy's quotient does." GIL_AND_EXAMPLES ">>> forzium.normalize(np.array([3e200, 4e200])).round(3)\n"
    "array([0.6, 0.8])\n";

static const char layer_norm_doc[] = X_AND_AXIS(
    "the last") "weight, bias : array_like, optional\n"
                "    What the normalised rows are multiplied by, and what is added then; of the shape that x "
                "has along\n"
                "    axis.\n"
                "eps : float, optional\n"
                "    Added to the variance.\n" OUT_OF_SHAPE RETURNS_AND_ERRORS
                "(x - mean) / sqrt(variance + eps) * weight + bias. The mean is held in two parts, so that a "
                "large one costs\n"
                "no accuracy; the variance is the mean of squared distances from it." GIL_AND_EXAMPLES
                ">>> forzium.layer_norm(np.array([1.0, 2.0, 3.0]), eps=0)\n"
                "array([-1.22474487,  0.        ,  1.22474487])\n";

static const char rms_norm_doc[] = X_AND_AXIS(
    "the last") "weight : array_like, optional\n"
                "    What the normalised rows are multiplied by; of the shape that x has along axis.\n"
                "eps : float, optional\n"
                "    Added to the mean square.\n" OUT_OF_SHAPE RETURNS_AND_ERRORS
                "x / sqrt(mean(x^2) + eps) * weight, without overflow or underflow on the "
                "way." GIL_AND_EXAMPLES ">>> forzium.rms_norm(np.array([2.0, -2.0]), eps=0)\n"
                "array([ 1., -1.])\n";

static const char logsumexp_doc[] =
    X_AND_AXIS("None") "keepdims : bool, optional\n"
                       "    Keep the axes with length 1.\n" RETURNS_AND_ERRORS
                       "log(sum(e^x)), without overflow; -inf for no elements." GIL_AND_EXAMPLES
                       ">>> float(forzium.logsumexp(np.array([1000.0, 1000.0])))\n"
                       "1000.6931471805599\n";

static const char norm_doc[] =
    X_AND_AXIS("None") "keepdims : bool, optional\n"
                       "    Keep the axes with length 1.\n" RETURNS_AND_ERRORS
                       "The Euclidean length, of all elements or along axes: sqrt(sum(x^2)), without "
                       "overflow or underflow on the\n"
                       "way." GIL_AND_EXAMPLES ">>> float(forzium.norm(np.array([3.0, 4.0])))\n"
                       "5.0\n";

#define SCAN_PARAMETERS                                                                                     \
    "\n\n"                                                                                                  \
    "Parameters\n"                                                                                          \
    "----------\n" FZPY_DOC_X "axis : int, optional\n"                                                      \
    "    The axis to go along; by default all elements, in C order, are one row.\n"                         \
    "dtype : dtype, optional\n"                                                                             \
    "    Of the result; by default x's, and int64 or uint64 for narrower integers.\n"                       \
    "out : ndarray, optional\n"                                                                             \
    "    Where to write; of the result's shape. It may be x itself, or overlap it in any way. Nothing is\n" \
    "    written on error.\n" RETURNS_AND_ERRORS

static const char cumsum_doc[] =
    SCAN_PARAMETERS "Along memory, floats are summed in blocks of 512 elements, several at once, which "
                    "leaves fewer rounding\n"
                    "errors than one by one; across memory, one by one. float16 and bfloat16 are summed in "
                    "float32. Integers\n"
                    "wrap." GIL_AND_EXAMPLES ">>> forzium.cumsum(np.array([1.0, 2.0, 3.0]))\n"
                    "array([1., 3., 6.])\n";

static const char cumprod_doc[] =
    SCAN_PARAMETERS "One by one, as NumPy multiplies. float16 and bfloat16 are multiplied in float32. "
                    "Integers wrap." GIL_AND_EXAMPLES ">>> forzium.cumprod(np.array([1.0, 2.0, 3.0]))\n"
                    "array([1., 2., 6.])\n";

static const char vecdot_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "a, b : array_like\n"
    "    Any forzium dtype, any shape and strides; as long as each other along axis. The other axes\n"
    "    broadcast.\n"
    "axis : int, optional\n"
    "    The axis of both that is summed over; by default the last.\n" RETURNS_AND_ERRORS
    "Blocks of chains whose results are added without rounding: the error does not grow with the length.\n"
    "float16 and bfloat16 are computed in float32. Integers wrap." GIL_AND_EXAMPLES
    ">>> forzium.vecdot(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))\n"
    "array([21., 43.])\n";

static const char dot_doc[] =
    "\n\n"
    "Over a's last axis and b's last but one, or only one; the product where either is a scalar.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "a, b : array_like\n"
    "    Any forzium dtype, any shape and strides.\n"
    "out : ndarray, optional\n"
    "    Where to write; of the result's shape; may overlap an input. Nothing is written on "
    "error.\n" RETURNS_AND_ERRORS
    "Vectors as vecdot does, products with a matrix b as matmul." GIL_AND_EXAMPLES
    ">>> float(forzium.dot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))\n"
    "11.0\n";

#define MAP(name, number, text)                              \
    {.signature = {#name, 3, 1, 0, 3, {"x", "axis", "out"}}, \
     .parameters = "x, axis=-1, out=None",                   \
     .doc = text,                                            \
     .family = name##_doc,                                   \
     .example = "",                                          \
     .compute = compute_map,                                 \
     .id = number}
#define NUMBER(name, number, text)                                \
    {.signature = {#name, 3, 1, 0, 3, {"x", "axis", "keepdims"}}, \
     .parameters = "x, axis=None, keepdims=False",                \
     .doc = text,                                                 \
     .family = name##_doc,                                        \
     .example = "",                                               \
     .compute = compute_number,                                   \
     .id = number}
#define SCAN(name, number, text)                                      \
    {.signature = {#name, 4, 1, 0, 4, {"x", "axis", "dtype", "out"}}, \
     .parameters = "x, axis=None, dtype=None, out=None",              \
     .doc = text,                                                     \
     .family = name##_doc,                                            \
     .example = "",                                                   \
     .compute = compute_scan,                                         \
     .id = number}

static const fzpy_operation rows[] = {
    MAP(softmax, SOFTMAX, "Powers of e of a row's elements, divided by their sum."),
    MAP(log_softmax, LOG_SOFTMAX, "Logarithm of softmax."),
    MAP(normalize, NORMALIZE, "Rows scaled to a Euclidean length of 1."),
    {.signature = {"layer_norm", 6, 1, 0, 6, {"x", "axis", "weight", "bias", "eps", "out"}},
     .parameters = "x, axis=-1, weight=None, bias=None, eps=1e-5, out=None",
     .doc = "Rows shifted to a mean of 0 and scaled to a variance of 1.",
     .family = layer_norm_doc,
     .example = "",
     .compute = compute_weighted,
     .id = LAYER_NORM},
    {.signature = {"rms_norm", 5, 1, 0, 5, {"x", "axis", "weight", "eps", "out"}},
     .parameters = "x, axis=-1, weight=None, eps=1e-6, out=None",
     .doc = "Rows scaled to a mean square of 1.",
     .family = rms_norm_doc,
     .example = "",
     .compute = compute_weighted,
     .id = RMS_NORM},
    NUMBER(logsumexp, LOGSUMEXP, "Logarithm of the sum of powers of e."),
    NUMBER(norm, NORM, "Euclidean length."),
    SCAN(cumsum, CUMSUM, "Running sums."),
    SCAN(cumprod, CUMPROD, "Running products."),
    {.signature = {"vecdot", 3, 2, 0, 3, {"a", "b", "axis"}},
     .parameters = "a, b, axis=-1",
     .doc = "Inner products along an axis.",
     .family = vecdot_doc,
     .example = "",
     .compute = compute_product,
     .id = VECDOT},
    {.signature = {"dot", 3, 2, 0, 3, {"a", "b", "out"}},
     .parameters = "a, b, out=None",
     .doc = "Inner product of vectors, product of matrices.",
     .family = dot_doc,
     .example = "",
     .compute = compute_product,
     .id = DOT},
};

int fzpy_init_rowwise(PyObject *core) {
    return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]);
}
