/* The operations on images: convolution and pooling. */
#include <string.h>

#include "core.h"

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

static bool is_given(PyObject *object) { return object && object != Py_None; }

/* Two numbers from a sequence of two, or one for both. */
static int read_pair(const char *function, const char *argument, PyObject *object, ptrdiff_t pair[2]) {
    if (!is_given(object)) return 0;
    if (!fzpy_is_sequence(object)) {
        if (fzpy_read_size(function, argument, object, &pair[0]) < 0) return -1;
        pair[1] = pair[0];
        return 0;
    }
    PyObject *items = PySequence_Tuple(object);
    if (!items) return -1;
    int status = PyTuple_GET_SIZE(items) == 2 ? 0 : -1;
    if (status)
        PyErr_Format(PyExc_ValueError, "%s: %s has %zd entries; a number or two would do", function, argument,
                     PyTuple_GET_SIZE(items));
    for (int d = 0; d < 2 && !status; d++)
        status = fzpy_read_size(function, argument, PyTuple_GET_ITEM(items, d), &pair[d]);
    Py_DECREF(items);
    return status;
}

/* 1 where object is one of the words, whose number is set; 0 where it is no text; -1 with an exception. */
static int read_word(const char *function, const char *argument, PyObject *object, const char *const words[],
                     int count, const char *wanted, int *number) {
    if (!object || !PyUnicode_Check(object)) return 0;
    for (*number = 0; *number < count; ++*number) {
        if (PyUnicode_CompareWithASCIIString(object, words[*number]) == 0) return 1;
    }
    PyErr_Format(PyExc_ValueError, "%s: %s is %R; %s would do", function, argument, object, wanted);
    return -1;
}

/* As read_word, where nothing but a word will do. */
static int read_choice(const char *function, const char *argument, PyObject *object,
                       const char *const words[], int count, const char *wanted, int *number) {
    if (!object) return 0;
    const int found = read_word(function, argument, object, words, count, wanted, number);
    if (found == 0)
        PyErr_Format(PyExc_TypeError, "%s: %s is a %.100s; %s would do", function, argument,
                     Py_TYPE(object)->tp_name, wanted);
    return found == 1 ? 0 : -1;
}

static int read_layout(const char *function, PyObject *object, int *channels_last) {
    static const char *const words[] = {"NCHW", "NHWC"};
    return read_choice(function, "layout", object, words, 2, "\"NCHW\" or \"NHWC\"", channels_last);
}

/* A number; two, of rows and columns; or two pairs, of either side of each. Along one axis: a number, or two of
   either side. */
static int read_padding(const char *function, int spatial, PyObject *object, fz_conv2d_options *o) {
    static const char *const words[] = {"valid", "same"};
    if (!is_given(object)) return 0;
    const int word =
        read_word(function, "padding", object, words, 2, "\"same\", \"valid\" or numbers", &o->same);
    if (word) return word < 0 ? -1 : 0;
    if (spatial == 1) return read_pair(function, "padding", object, o->padding[1]);
    if (!fzpy_is_sequence(object)) {
        if (read_pair(function, "padding", object, o->padding[0]) < 0) return -1;
        memcpy(o->padding[1], o->padding[0], sizeof o->padding[0]);
        return 0;
    }
    PyObject *items = PySequence_Tuple(object);
    if (!items) return -1;
    int status = PyTuple_GET_SIZE(items) == 2 ? 0 : -1;
    if (status)
        PyErr_Format(PyExc_ValueError, "%s: padding has %zd entries; two, of rows and columns, would do",
                     function, PyTuple_GET_SIZE(items));
    for (int d = 0; d < 2 && !status; d++)
        status = read_pair(function, "padding", PyTuple_GET_ITEM(items, d), o->padding[d]);
    Py_DECREF(items);
    return status;
}

/* The name of a function of one array. */
static int read_activation(const char *function, PyObject *object, fz_op *activation) {
    if (!is_given(object)) return 0;
    const char *name = PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : NULL;
    for (int op = 0; name && op < FZ_OP_COUNT; op++) {
        if (fz_op_arity(op) != 1 || strcmp(fz_op_name(op), name) != 0) continue;
        *activation = op;
        return 0;
    }
    if (!PyErr_Occurred())
        PyErr_Format(name ? PyExc_ValueError : PyExc_TypeError,
                     "%s: activation is %R; the name of a function of one array, as \"relu\", would do",
                     function, object);
    return -1;
}

/* ---- convolution ------------------------------------------------------------------------------------------------------- */

enum { X, WEIGHT, BIAS, STRIDE, PADDING, DILATION, GROUPS, CONV2D_LAYOUT, CONV2D_ACTIVATION, CONV2D_OUT };
enum { CONV1D_ACTIVATION = GROUPS + 1, CONV1D_OUT };

static int read_options(const char *function, int spatial, PyObject *const *values, fz_conv2d_options *o) {
    if (spatial == 2) {
        if (read_pair(function, "stride", values[STRIDE], o->stride) < 0 ||
            read_pair(function, "dilation", values[DILATION], o->dilation) < 0 ||
            read_layout(function, values[CONV2D_LAYOUT], &o->channels_last) < 0)
            return -1;
    } else if ((values[STRIDE] && fzpy_read_size(function, "stride", values[STRIDE], &o->stride[1]) < 0) ||
               (values[DILATION] &&
                fzpy_read_size(function, "dilation", values[DILATION], &o->dilation[1]) < 0)) {
        return -1;
    }
    if (values[GROUPS] && fzpy_read_size(function, "groups", values[GROUPS], &o->groups) < 0) return -1;
    return read_padding(function, spatial, values[PADDING], o);
}

typedef fz_status conv_shape(const fz_array *x, const fz_array *weight, const fz_array *bias,
                             const fz_conv2d_options *options, fz_dtype *dtype, int *ndim,
                             ptrdiff_t shape[4]);
typedef fz_status conv_compute(const fz_array *x, const fz_array *weight, const fz_array *bias,
                               const fz_conv2d_options *options, fz_array *out);

static PyObject *convolve_views(const char *function, const fzpy_view *const views[3], int inputs,
                                const fz_conv2d_options *options, PyObject *given, conv_shape *get_shape,
                                conv_compute *run) {
    const fz_array *bias = inputs == 3 ? &views[BIAS]->array : NULL;
    fz_dtype dtype;
    int ndim;
    ptrdiff_t shape[4];
    fzpy_output out;
    fz_status status =
        get_shape(&views[X]->array, &views[WEIGHT]->array, bias, options, &dtype, &ndim, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, function, given, dtype, ndim, shape, inputs, views) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(out.target) * fzpy_view_size(views[WEIGHT]));
    status = run(&views[X]->array, &views[WEIGHT]->array, bias, options, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_conv(const fzpy_operation *row, PyObject *const *values, int spatial,
                              PyObject *activation, PyObject *given, conv_shape *get_shape,
                              conv_compute *run) {
    const char *function = row->signature.function;
    fz_conv2d_options options = FZ_CONV2D_DEFAULTS;
    if (read_options(function, spatial, values, &options) < 0 ||
        read_activation(function, activation, &options.activation) < 0)
        return NULL;
    fzpy_view views[3];
    const fzpy_view *const pointers[] = {&views[0], &views[1], &views[2]};
    const int inputs = is_given(values[BIAS]) ? 3 : 2;
    int seen = 0;
    while (seen < inputs &&
           fzpy_view_input(&views[seen], function, row->signature.names[seen], values[seen], FZPY_ANY) == 0)
        seen++;
    PyObject *result = NULL;
    if (seen == inputs) result = convolve_views(function, pointers, inputs, &options, given, get_shape, run);
    while (seen--) fzpy_view_clear(&views[seen]);
    return result;
}

static PyObject *compute_conv2d(const fzpy_operation *row, PyObject *const *values) {
    return compute_conv(row, values, 2, values[CONV2D_ACTIVATION], values[CONV2D_OUT], fz_conv2d_shape,
                        fz_conv2d);
}

static PyObject *compute_conv1d(const fzpy_operation *row, PyObject *const *values) {
    return compute_conv(row, values, 1, values[CONV1D_ACTIVATION], values[CONV1D_OUT], fz_conv1d_shape,
                        fz_conv1d);
}

/* ---- as SciPy has it ---------------------------------------------------------------------------------------------------- */

static PyObject *convolve_planes(const char *function, const fzpy_view views[2], int mode, int boundary,
                                 double fill, int flip) {
    const fzpy_view *const pointers[] = {&views[0], &views[1]};
    fz_dtype dtype;
    ptrdiff_t shape[2];
    fzpy_output out;
    fz_status status = fz_convolve2d_shape(&views[0].array, &views[1].array, mode, flip, &dtype, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, function, NULL, dtype, 2, shape, 2, pointers) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(&views[0]) * fzpy_view_size(&views[1]));
    status = fz_convolve2d(&views[0].array, &views[1].array, mode, boundary, fill, flip, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

/* A fill value as the library takes it; of whole numbers those that float64 holds. */
static int read_fill(const char *function, PyObject *object, double *fill) {
    if (!is_given(object)) return 0;
    if (fzpy_read_double(function, "fillvalue", object, fill) < 0) return -1;
    if (!PyLong_Check(object)) return 0;
    PyObject *held = PyLong_FromDouble(*fill);
    const int is_same = held ? PyObject_RichCompareBool(held, object, Py_EQ) : -1;
    Py_XDECREF(held);
    if (is_same == 0)
        PyErr_Format(PyExc_ValueError, "%s: fillvalue is %S; a number that float64 holds would do", function,
                     object);
    return is_same == 1 ? 0 : -1;
}

static PyObject *compute_convolve2d(const fzpy_operation *row, PyObject *const *values) {
    static const char *const modes[] = {"full", "same", "valid"}, *const boundaries[] = {"fill", "wrap",
                                                                                         "symm"};
    const char *function = row->signature.function;
    int mode = FZ_MODE_FULL, boundary = FZ_BOUNDARY_FILL;
    double fill = 0;
    if (read_choice(function, "mode", values[2], modes, 3, "\"full\", \"same\" or \"valid\"", &mode) < 0 ||
        read_choice(function, "boundary", values[3], boundaries, 3, "\"fill\", \"wrap\" or \"symm\"",
                    &boundary) < 0 ||
        read_fill(function, values[4], &fill) < 0)
        return NULL;
    fzpy_view views[2];
    PyObject *result = NULL;
    if (fzpy_view_input(&views[0], function, "in1", values[0], FZPY_ANY) < 0) return NULL;
    if (fzpy_view_input(&views[1], function, "in2", values[1], FZPY_ANY) == 0) {
        result = convolve_planes(function, views, mode, boundary, fill, row->id);
        fzpy_view_clear(&views[1]);
    }
    fzpy_view_clear(&views[0]);
    return result;
}

/* ---- pooling ------------------------------------------------------------------------------------------------------------- */

static PyObject *pool_view(const fzpy_view *x, const char *function, fz_pooling pooling,
                           const fz_pool2d_options *o, PyObject *given) {
    fz_dtype dtype;
    ptrdiff_t shape[4];
    fzpy_output out;
    fz_status status = fz_pool2d_shape(pooling, &x->array, o, &dtype, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, function, given, dtype, x->array.ndim, shape, 1, &x) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    status = fz_pool2d(pooling, &x->array, o, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static int read_truth(PyObject *object, int *truth) {
    if (object) *truth = PyObject_IsTrue(object);
    return *truth < 0 ? -1 : 0;
}

/* Arguments by place: x, window, stride, padding; then those of either. */
static PyObject *compute_pool(const fzpy_operation *row, PyObject *const *values, PyObject *dilation,
                              PyObject *ceil_mode, PyObject *count_padding, PyObject *layout,
                              PyObject *given) {
    const char *function = row->signature.function;
    fz_pool2d_options o = {.dilation = {1, 1}, .count_padding = 1};
    fzpy_view x;
    if (values[1] == Py_None) {
        PyErr_Format(PyExc_TypeError, "%s: window is None; a number or two would do", function);
        return NULL;
    }
    if (read_pair(function, "window", values[1], o.window) < 0) return NULL;
    memcpy(o.stride, o.window, sizeof o.window);
    if (read_pair(function, "stride", values[2], o.stride) < 0 ||
        read_pair(function, "padding", values[3], o.padding) < 0 ||
        read_pair(function, "dilation", dilation, o.dilation) < 0 ||
        read_truth(ceil_mode, &o.ceil_mode) < 0 || read_truth(count_padding, &o.count_padding) < 0 ||
        read_layout(function, layout, &o.channels_last) < 0 ||
        fzpy_view_input(&x, function, "x", values[0], FZPY_ANY) < 0)
        return NULL;
    PyObject *result = pool_view(&x, function, row->id, &o, given);
    fzpy_view_clear(&x);
    return result;
}

static PyObject *compute_max_pool2d(const fzpy_operation *row, PyObject *const *v) {
    return compute_pool(row, v, v[4], v[5], NULL, v[6], v[7]);
}

static PyObject *compute_avg_pool2d(const fzpy_operation *row, PyObject *const *v) {
    return compute_pool(row, v, NULL, v[4], v[5], v[6], v[7]);
}

/* Reduces the axes of rows and columns, which stay. */
static PyObject *reduce_image(const fzpy_view *x, const fzpy_operation *row, int channels_last,
                              PyObject *given) {
    const char *function = row->signature.function;
    const int last = channels_last && x->array.ndim > 2 ? -2 : -1, axes[2] = {last - 1, last};
    int ndim = x->array.ndim;
    ptrdiff_t shape[FZ_MAX_NDIM];
    fzpy_output out;
    if (ndim < 2) {
        PyErr_Format(PyExc_ValueError, "%s: x has %d axes; it must have at least 2", function, ndim);
        return NULL;
    }
    const ptrdiff_t *end = x->array.shape + ndim;
    if (row->id == FZ_REDUCTION_max && (end[axes[0]] == 0 || end[axes[1]] == 0)) {
        PyErr_Format(PyExc_ValueError, "%s: x has images of no element; at least one would do", function);
        return NULL;
    }
    fz_reduce_shape(row->id, &x->array, 2, axes, 1, &ndim, shape);
    if (fzpy_output_open(&out, function, given, fz_reduce_dtype(row->id, x->array.dtype), ndim, shape, 1,
                         &x) < 0)
        return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    const fz_status status = fz_reduce(row->id, &x->array, 2, axes, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_global_pool(const fzpy_operation *row, PyObject *const *values) {
    const char *function = row->signature.function;
    int channels_last = 0;
    fzpy_view x;
    if (read_layout(function, values[1], &channels_last) < 0 ||
        fzpy_view_input(&x, function, "x", values[0], FZPY_ANY) < 0)
        return NULL;
    PyObject *result = reduce_image(&x, row, channels_last, values[2]);
    fzpy_view_clear(&x);
    return result;
}

static PyObject *average_windows(const fzpy_view *x, const char *function, const ptrdiff_t size[2],
                                 int channels_last, PyObject *given) {
    ptrdiff_t shape[4];
    fz_dtype dtype;
    fzpy_output out;
    fz_status status = fz_adaptive_mean2d_shape(&x->array, size, channels_last, &dtype, shape);
    if (status) return fzpy_raise(status);
    if (fzpy_output_open(&out, function, given, dtype, x->array.ndim, shape, 1, &x) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(x));
    status = fz_adaptive_mean2d(&x->array, size, channels_last, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_adaptive(const fzpy_operation *row, PyObject *const *values) {
    const char *function = row->signature.function;
    ptrdiff_t size[2] = {0, 0};
    int channels_last = 0;
    fzpy_view x;
    if (read_pair(function, "size", values[1], size) < 0 ||
        read_layout(function, values[2], &channels_last) < 0 ||
        fzpy_view_input(&x, function, "x", values[0], FZPY_ANY) < 0)
        return NULL;
    PyObject *result = average_windows(&x, function, size, channels_last, values[3]);
    fzpy_view_clear(&x);
    return result;
}

/* ---- documentation --------------------------------------------------------------------------------------------------------- */

#define PARAMETERS "\n\nParameters\n----------\n"
#define RETURNS "\nReturns\n-------\nndarray\n"
#define RAISES                                                                                         \
    "\nRaises\n------\nValueError\n    For shapes and numbers that do not fit, and a read-only out.\n" \
    "TypeError\n    For dtypes that have no result.\n"
#define EXAMPLE "\nExamples\n--------\n>>> import forzium\n>>> import numpy as np\n"
#define LAYOUT "layout : {\"NCHW\", \"NHWC\"}\n    The order of the axes of x and of the result.\n"
#define BIAS_DOC "bias : array_like, (o,), optional\n    Added to each output channel.\n"
#define STEPS "\n    Steps between outputs, and between what one output sees.\n"
#define CONV_OPTIONS \
    "groups : int\n    Channels are convolved in so many groups, each with its part of the weights.\n"
#define ACTIVATION \
    "activation : str, optional\n    A function of forzium's, such as \"relu\", applied to the result.\n"
#define CONV_NOTES                                                                                       \
    "    Of the dtype to which NumPy promotes x and weight, but that integers of at most 16 bits give\n" \
    "    int32. Integers are exact, and wrap.\n" RAISES "\nNotes\n-----\n"                               \
    "The window is not flipped (cross-correlation). Sums are of fused multiply-adds with an error of\n"  \
    "at most taps * eps * (abs(x) * abs(weight)), also where a window over one channel is a column\n"    \
    "times a row, as a Gaussian one is, and costs as much as the two. Large windows on one channel\n"    \
    "go by Fourier transforms of tiles, with an error of a few eps times the largest such sum\n"         \
    "nearby. Large calls release the GIL; the result does not depend on the number of threads.\n"

static const char conv2d_doc[] =
    PARAMETERS "x : array_like, (n, c, h, w) or (h, w)\n    Images of several channels, or one of one.\n"
               "weight : array_like, (o, c / groups, kh, kw) or (kh, kw)\n    Not larger than x and its "
               "padding.\n" BIAS_DOC "stride, dilation : int or pair of ints" STEPS
               "padding : int, pair, pair of pairs, \"same\" or \"valid\"\n    Zeros around x: one number, "
               "one for each axis, or one for each side of each axis.\n" CONV_OPTIONS LAYOUT ACTIVATION
                   FZPY_DOC_OUT RETURNS CONV_NOTES EXAMPLE
               ">>> forzium.conv2d(np.arange(9.0).reshape(3, 3), np.ones((2, 2)))\narray([[ 8., 12.],\n      "
               " [20., 24.]])\n";

static const char conv1d_doc[] = PARAMETERS
    "x : array_like, (n, c, l) or (l,)\n    Signals of several channels, or one of one.\n"
    "weight : array_like, (o, c / groups, k) or (k,)\n    Not longer than x and its padding.\n" BIAS_DOC
    "stride, dilation : int" STEPS
    "padding : int, pair, \"same\" or \"valid\"\n    Zeros around x: one number, or one for each "
    "side.\n" CONV_OPTIONS ACTIVATION FZPY_DOC_OUT RETURNS CONV_NOTES EXAMPLE
    ">>> forzium.conv1d(np.arange(5.0), np.array([1.0, 1.0]))\narray([1., 3., 5., 7.])\n";

static const char convolve2d_doc[] = PARAMETERS
    "in1, in2 : array_like\n    Two matrices, not empty.\n"
    "mode : {\"full\", \"same\", \"valid\"}\n"
    "    All sums, as many as in1 has elements, or those that need nothing beyond its edges.\n"
    "boundary : {\"fill\", \"wrap\", \"symm\"}\n    What is beyond: fillvalue, in1 again, or in1 mirrored.\n"
    "fillvalue : float\n    Of integers a whole number that the result's dtype holds; from\n"
    "    -32768 to 65535 where none has more than 16 bits.\n" RETURNS
    "    As ``scipy.signal.%name%``'s, but that integers of at most 16 bits give int32.\n" RAISES EXAMPLE
    ">>> forzium.%name%(np.ones((2, 2)), np.ones((2, 2)), mode=\"same\")";

static const char max_pool2d_doc[] = PARAMETERS
    "x : array_like, (n, c, h, w), (c, h, w) or (h, w)\n    Of any forzium dtype.\n"
    "window : int or pair of ints\n    Sides of the window in elements.\n"
    "stride : int or pair of ints, optional\n    Step from window to window; by default the window's sides.\n"
    "padding : int or pair of ints\n    At most half the window, on either side; never the largest.\n"
    "dilation : int or pair of ints\n    Step between the elements of a window.\n"
    "ceil_mode : bool\n    Whether a last window may reach beyond the edge.\n" LAYOUT FZPY_DOC_OUT RETURNS
    "    NaN where a window holds one.\n" RAISES EXAMPLE
    ">>> forzium.max_pool2d(np.arange(16.0).reshape(4, 4), 2)\narray([[ 5.,  7.],\n       [13., 15.]])\n";

static const char avg_pool2d_doc[] = PARAMETERS
    "x : array_like, (n, c, h, w), (c, h, w) or (h, w)\n    Of any forzium dtype.\n"
    "window : int or pair of ints\n    Sides of the window in elements.\n"
    "stride : int or pair of ints, optional\n    Step from window to window; by default the window's sides.\n"
    "padding : int or pair of ints\n    Zeros on either side, at most half the window.\n"
    "ceil_mode : bool\n    Whether a last window may reach beyond the edge.\n"
    "count_include_pad : bool\n    Whether zeros of the padding count.\n" LAYOUT FZPY_DOC_OUT RETURNS
    "    float64 for integers; else of x's dtype. Windows are summed in pairs at a step "
    "of 1,\n    but those of 3 x 3.\n" RAISES EXAMPLE
    ">>> forzium.avg_pool2d(np.arange(16.0).reshape(4, 4), 2)\narray([[ 2.5,  4.5],\n       [10.5, 12.5]])\n";

static const char global_doc[] = PARAMETERS
    "x : array_like, (..., h, w) or (..., h, w, c)\n    Of any forzium dtype.\n" LAYOUT FZPY_DOC_OUT RETURNS
    "    (..., 1, 1) or (..., 1, 1, c); means of integers are float64.\n" RAISES EXAMPLE
    ">>> forzium.%name%(np.arange(4.0).reshape(1, 1, 2, 2))\n";

static const char adaptive_doc[] = PARAMETERS
    "x : array_like, (n, c, h, w), (c, h, w) or (h, w)\n    Of any forzium dtype.\n"
    "size : int or pair of ints\n    Rows and columns of the result. Row i is the mean of rows floor(i h / "
    "rows) to\n"
    "    ceil((i + 1) h / rows) of x, without the last.\n" LAYOUT FZPY_DOC_OUT RETURNS
    "    Of x's shape but for rows and columns; float64 for integers.\n" RAISES EXAMPLE
    ">>> forzium.adaptive_avg_pool2d(np.arange(9.0).reshape(3, 3), 2)\narray([[2., 3.],\n       [5., 6.]])\n";

/* ---- the table ------------------------------------------------------------------------------------------------------------- */

static const fzpy_operation rows[] = {
    {.signature = {"conv2d",
                   10,
                   2,
                   0,
                   3,
                   {"x", "weight", "bias", "stride", "padding", "dilation", "groups", "layout", "activation",
                    "out"}},
     .parameters = "x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, layout='NCHW', "
                   "activation=None, out=None",
     .doc = "Two-dimensional convolution of images with windows of weights.",
     .family = conv2d_doc,
     .example = "",
     .compute = compute_conv2d},
    {.signature = {"conv1d",
                   9,
                   2,
                   0,
                   3,
                   {"x", "weight", "bias", "stride", "padding", "dilation", "groups", "activation", "out"}},
     .parameters =
         "x, weight, bias=None, *, stride=1, padding=0, dilation=1, groups=1, activation=None, out=None",
     .doc = "Convolution of signals with windows of weights.",
     .family = conv1d_doc,
     .example = "",
     .compute = compute_conv1d},
    {.signature = {"convolve2d", 5, 2, 0, 5, {"in1", "in2", "mode", "boundary", "fillvalue"}},
     .parameters = "in1, in2, mode='full', boundary='fill', fillvalue=0",
     .doc = "Convolution of two matrices, of which the second is flipped.",
     .family = convolve2d_doc,
     .example = "\narray([[1., 2.],\n       [2., 4.]])\n",
     .compute = compute_convolve2d,
     .id = 1},
    {.signature = {"correlate2d", 5, 2, 0, 5, {"in1", "in2", "mode", "boundary", "fillvalue"}},
     .parameters = "in1, in2, mode='full', boundary='fill', fillvalue=0",
     .doc = "Cross-correlation of two matrices.",
     .family = convolve2d_doc,
     .example = "\narray([[4., 2.],\n       [2., 1.]])\n",
     .compute = compute_convolve2d,
     .id = 0},
    {.signature = {"max_pool2d",
                   8,
                   2,
                   0,
                   2,
                   {"x", "window", "stride", "padding", "dilation", "ceil_mode", "layout", "out"}},
     .parameters =
         "x, window, *, stride=None, padding=0, dilation=1, ceil_mode=False, layout='NCHW', out=None",
     .doc = "Largest element in each window of images.",
     .family = max_pool2d_doc,
     .example = "",
     .compute = compute_max_pool2d,
     .id = FZ_POOLING_MAX},
    {.signature = {"avg_pool2d",
                   8,
                   2,
                   0,
                   2,
                   {"x", "window", "stride", "padding", "ceil_mode", "count_include_pad", "layout", "out"}},
     .parameters = "x, window, *, stride=None, padding=0, ceil_mode=False, count_include_pad=True, "
                   "layout='NCHW', out=None",
     .doc = "Mean of each window of images.",
     .family = avg_pool2d_doc,
     .example = "",
     .compute = compute_avg_pool2d,
     .id = FZ_POOLING_MEAN},
    {.signature = {"global_max_pool2d", 3, 1, 0, 1, {"x", "layout", "out"}},
     .parameters = "x, *, layout='NCHW', out=None",
     .doc = "Largest element of each image.",
     .family = global_doc,
     .example = "array([[[[3.]]]])\n",
     .compute = compute_global_pool,
     .id = FZ_REDUCTION_max},
    {.signature = {"global_avg_pool2d", 3, 1, 0, 1, {"x", "layout", "out"}},
     .parameters = "x, *, layout='NCHW', out=None",
     .doc = "Mean of each image.",
     .family = global_doc,
     .example = "array([[[[1.5]]]])\n",
     .compute = compute_global_pool,
     .id = FZ_REDUCTION_mean},
    {.signature = {"adaptive_avg_pool2d", 4, 2, 0, 2, {"x", "size", "layout", "out"}},
     .parameters = "x, size, *, layout='NCHW', out=None",
     .doc = "Means of as many windows as asked for, which cover each image evenly.",
     .family = adaptive_doc,
     .example = "",
     .compute = compute_adaptive},
};

int fzpy_init_image(PyObject *core) { return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]); }
