/* Nested lists of numbers to C doubles, and back.

   Reading an item may run Python code (__float__, __index__, a sequence's __getitem__), and on
   free-threaded builds other threads run anyhow: a list may shrink at any moment. So a size and an item
   are always taken together, under the sequence's lock, and neither is trusted after a conversion. */
#include "core.h"

/* ---- numbers ------------------------------------------------------------------------------------------ */

/* The row that is read, for messages; index is -1 where the data are a vector. */
typedef struct row_name {
    const char *function, *argument;
    ptrdiff_t index;
} row_name;

static void raise_at(PyObject *exception, const row_name *row, ptrdiff_t column, PyObject *item,
                     const char *why) {
    const char *type = Py_TYPE(item)->tp_name;
    if (row->index < 0)
        PyErr_Format(exception, "%s: %s item %zd is of type %.100s%s", row->function, row->argument, column,
                     type, why);
    else
        PyErr_Format(exception, "%s: %s row %zd, column %zd is of type %.100s%s", row->function,
                     row->argument, row->index, column, type, why);
}

static int read_number(const row_name *row, ptrdiff_t column, PyObject *item, double *out) {
    if (!fzpy_is_number(item)) {
        bool nested = fzpy_is_sequence(item);
        raise_at(PyExc_TypeError, row, column, item,
                 nested ? ": nested too deep, a number is needed" : ", not a number");
        return -1;
    }
    *out = PyFloat_AsDouble(item);
    if (*out != -1.0 || !PyErr_Occurred()) return 0;
    if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear();
        raise_at(PyExc_ValueError, row, column, item, ", too large for a float");
    }
    return -1;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

/* Copies floats from items[begin] on until n are copied or another type is met; returns how many are done. */
static inline ptrdiff_t read_floats(PyObject *const *items, ptrdiff_t begin, ptrdiff_t n, double *out) {
    while (begin < n && PyFloat_CheckExact(items[begin])) {
        out[begin] = PyFloat_AS_DOUBLE(items[begin]);
        begin++;
    }
    return begin;
}

/* Reads the n >= 1 numbers of a list or tuple; *size is the length it had, and anything but n is left to
   the caller to complain of. */
static int read_row(const row_name *name, PyObject *row, ptrdiff_t n, double *out, ptrdiff_t *size) {
    for (ptrdiff_t done = 0; done < n; done++) {
        PyObject *item = NULL;
        Py_BEGIN_CRITICAL_SECTION(row);
        *size = PySequence_Fast_GET_SIZE(row);
        if (*size == n) {
            PyObject *const *items = PySequence_Fast_ITEMS(row);
            done = read_floats(items, done, n, out);
            if (done < n) item = Py_NewRef(items[done]);
        }
        Py_END_CRITICAL_SECTION();
        if (!item) break;
        int failed = read_number(name, done, item, &out[done]);
        Py_DECREF(item);
        if (failed) return -1;
    }
    return 0;
}

/* Any sequence as a list or tuple, strong; NULL with an exception. A memoryview of several axes cannot be iterated. */
static PyObject *open_sequence(const char *function, const char *argument, PyObject *object) {
    const bool has_axes = PyMemoryView_Check(object) && PyMemoryView_GET_BUFFER(object)->ndim > 1;
    PyObject *sequence =
        has_axes ? PyObject_CallMethod(object, "tolist", NULL) : PySequence_Fast(object, "not iterable");
    if (!sequence) fzpy_name_argument(function, argument);
    return sequence;
}

/* Item i of a list or tuple, strong; NULL without an exception where there is none (any more). */
static PyObject *item_at(PyObject *sequence, ptrdiff_t i) {
    PyObject *item = NULL;
    Py_BEGIN_CRITICAL_SECTION(sequence);
    if (i < PySequence_Fast_GET_SIZE(sequence)) item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, i));
    Py_END_CRITICAL_SECTION();
    return item;
}

/* Row i as a list or tuple, strong; NULL with an exception. */
static PyObject *open_row(const fzpy_rows *rows, ptrdiff_t i) {
    PyObject *item = item_at(rows->sequence, i), *row = NULL;
    if (item && (PyList_CheckExact(item) || PyTuple_CheckExact(item))) return item;
    if (!item)
        PyErr_Format(PyExc_ValueError, "%s: %s lost its row %zd while it was read", rows->function,
                     rows->argument, i);
    else if (fzpy_is_sequence(item))
        row = open_sequence(rows->function, rows->argument, item);
    else
        PyErr_Format(PyExc_TypeError, "%s: %s row %zd is of type %.100s, not a sequence of numbers",
                     rows->function, rows->argument, i, Py_TYPE(item)->tp_name);
    Py_XDECREF(item);
    return row;
}

static int learn_shape(fzpy_rows *rows) {
    rows->rows = PySequence_Fast_GET_SIZE(rows->sequence);
    if (rows->rows == 0) {
        PyErr_Format(PyExc_ValueError, "%s: %s is empty; at least one row is needed", rows->function,
                     rows->argument);
        return -1;
    }
    PyObject *first = open_row(rows, 0);
    if (!first) return -1;
    rows->columns = PySequence_Fast_GET_SIZE(first);
    Py_DECREF(first);
    if (rows->columns == 0) {
        PyErr_Format(PyExc_ValueError, "%s: %s is empty: row 0 has no values", rows->function,
                     rows->argument);
        return -1;
    }
    return 0;
}

int fzpy_rows_open(fzpy_rows *rows, const char *function, const char *argument, PyObject *object) {
    *rows = (fzpy_rows){.function = function, .argument = argument};
    if (!fzpy_is_sequence(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be a sequence of rows of numbers, not %.100s", function,
                     argument, Py_TYPE(object)->tp_name);
        return -1;
    }
    rows->sequence = open_sequence(function, argument, object);
    if (!rows->sequence) return -1;
    if (learn_shape(rows)) {
        fzpy_rows_close(rows);
        return -1;
    }
    return 0;
}

int fzpy_rows_read(const fzpy_rows *rows, double *out) {
    for (ptrdiff_t i = 0; i < rows->rows; i++) {
        row_name name = {rows->function, rows->argument, i};
        PyObject *row = open_row(rows, i);
        if (!row) return -1;
        ptrdiff_t size = 0;
        int failed = read_row(&name, row, rows->columns, out + i * rows->columns, &size);
        Py_DECREF(row);
        if (failed) return -1;
        if (size != rows->columns) {
            PyErr_Format(PyExc_ValueError, "%s: %s is ragged: row %zd has %zd values, row 0 has %zd",
                         rows->function, rows->argument, i, size, rows->columns);
            return -1;
        }
    }
    return 0;
}

void fzpy_rows_close(fzpy_rows *rows) { Py_CLEAR(rows->sequence); }

/* ---- memory ------------------------------------------------------------------------------------------- */

int fzpy_doubles_new(fzpy_doubles *doubles, const char *function, int ndim, ptrdiff_t rows,
                     ptrdiff_t columns) {
    ptrdiff_t size, bytes;
    bool too_many = __builtin_mul_overflow(rows, columns, &size) ||
                    __builtin_mul_overflow(size, (ptrdiff_t)sizeof(double), &bytes);
    double *data = too_many                     ? NULL
                   : size <= FZPY_SMALL_DOUBLES ? doubles->small
                                                : PyMem_RawMalloc((size_t)bytes);
    if (!data) {
        PyErr_Format(PyExc_MemoryError, "%s: no memory for %zd x %zd numbers", function, rows, columns);
        return -1;
    }
    ptrdiff_t *const shape = doubles->shape;
    shape[0] = ndim == 1 ? columns : rows;
    shape[1] = columns;
    doubles->array = (fz_array){data, FZ_FLOAT64, ndim, shape, doubles->strides};
    fz_contiguous_strides(FZ_FLOAT64, ndim, shape, doubles->strides);
    return 0;
}

void fzpy_doubles_clear(fzpy_doubles *doubles) {
    if (doubles->array.data != doubles->small) PyMem_RawFree(doubles->array.data);
    doubles->array.data = NULL;
}

int fzpy_doubles_from_rows(fzpy_doubles *doubles, const char *function, const char *argument,
                           PyObject *object) {
    fzpy_rows rows;
    if (fzpy_rows_open(&rows, function, argument, object)) return -1;
    int failed = fzpy_doubles_new(doubles, function, 2, rows.rows, rows.columns);
    if (!failed && fzpy_rows_read(&rows, doubles->array.data)) {
        fzpy_doubles_clear(doubles);
        failed = -1;
    }
    fzpy_rows_close(&rows);
    return failed;
}

static int read_vector(fzpy_doubles *doubles, const row_name *name, PyObject *sequence) {
    ptrdiff_t n = PySequence_Fast_GET_SIZE(sequence), size = 0;
    if (n == 0) {
        PyErr_Format(PyExc_ValueError, "%s: %s is empty", name->function, name->argument);
        return -1;
    }
    if (fzpy_doubles_new(doubles, name->function, 1, 1, n)) return -1;
    if (!read_row(name, sequence, n, doubles->array.data, &size)) {
        if (size == n) return 0;
        PyErr_Format(PyExc_ValueError, "%s: %s changed its length from %zd to %zd while it was read",
                     name->function, name->argument, n, size);
    }
    fzpy_doubles_clear(doubles);
    return -1;
}

int fzpy_doubles_from_vector(fzpy_doubles *doubles, const char *function, const char *argument,
                             PyObject *object) {
    if (!fzpy_is_sequence(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be a sequence of numbers, not %.100s", function, argument,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    PyObject *sequence = open_sequence(function, argument, object);
    if (!sequence) return -1;
    row_name name = {function, argument, -1};
    int failed = read_vector(doubles, &name, sequence);
    Py_DECREF(sequence);
    return failed;
}

/* ---- building ----------------------------------------------------------------------------------------- */

PyObject *fzpy_list_from_vector(const double *data, ptrdiff_t n) {
    PyObject *list = PyList_New(n);
    if (!list) return NULL;
    for (ptrdiff_t i = 0; i < n; i++) {
        PyObject *item = PyFloat_FromDouble(data[i]);
        if (!item) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, item);
    }
    return list;
}

PyObject *fzpy_list_from_rows(const double *data, ptrdiff_t rows, ptrdiff_t columns) {
    PyObject *list = PyList_New(rows);
    if (!list) return NULL;
    for (ptrdiff_t i = 0; i < rows; i++) {
        PyObject *row = fzpy_list_from_vector(data + i * columns, columns);
        if (!row) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}
