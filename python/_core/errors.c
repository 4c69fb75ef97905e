/* Status codes to exceptions. */
#include "core.h"

#include <string.h>

/* A new reference; NULL: NumPy's could not be imported. */
static PyObject *type_of(fz_status status) {
    if (status == FZ_ERROR_AXIS) {
        PyObject *module = PyImport_ImportModule("numpy.exceptions");
        PyObject *type = module ? PyObject_GetAttrString(module, "AxisError") : NULL;
        Py_XDECREF(module);
        return type;
    }
    return Py_NewRef(status == FZ_ERROR_DTYPE    ? PyExc_TypeError
                     : status == FZ_ERROR_MEMORY ? PyExc_MemoryError
                     : status == FZ_ERROR_RANGE  ? PyExc_OverflowError
                                                 : PyExc_ValueError);
}

PyObject *fzpy_raise(fz_status status) {
    const char *text =
        fz_error_message(); /* may quote bytes that are no UTF-8, or be cut within a character */
    PyObject *message = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
    PyObject *type = message ? type_of(status) : NULL;
    if (type) PyErr_SetObject(type, message);
    Py_XDECREF(type);
    Py_XDECREF(message);
    return NULL;
}

int fzpy_raise_axis(const char *operation, int axis) {
    PyObject *type = type_of(FZ_ERROR_AXIS);
    if (type) PyErr_Format(type, "%s: axis %d is out of bounds for x with 0 axes", operation, axis);
    Py_XDECREF(type);
    return -1;
}

/* What is raised anew for an exception of NumPy's or Python's, of the kinds that docs/arrays.rst names; NULL leaves it
   alone. */
static PyObject *kind_of(PyObject *type) {
    PyObject *const kinds[][2] = {{PyExc_MemoryError, PyExc_MemoryError},
                                  {PyExc_OverflowError, PyExc_OverflowError},
                                  {PyExc_BufferError, PyExc_ValueError},
                                  {PyExc_ValueError, PyExc_ValueError},
                                  {PyExc_TypeError, PyExc_TypeError}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (PyErr_GivenExceptionMatches(type, kinds[i][0])) return kinds[i][1];
    }
    return NULL;
}

int fzpy_name_argument(const char *operation, const char *argument) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback); /* before 3.12 value may be what it is made of */
    PyObject *kind = kind_of(type);
    if (!kind) {
        PyErr_Restore(type, value, traceback);
        return -1;
    }
    PyErr_Format(kind, "%s: %s: %S", operation, argument, value ? value : Py_None);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return -1;
}
