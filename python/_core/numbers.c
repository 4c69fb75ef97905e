/* Python numbers to C: what counts as one, and what to say of the rest. */
#include "core.h"

static bool is_text(PyObject *object) {
    return PyUnicode_Check(object) || PyBytes_Check(object) || PyByteArray_Check(object);
}

bool fzpy_is_sequence(PyObject *object) {
    if (PyList_CheckExact(object) || PyTuple_CheckExact(object)) return true;
    if (!PySequence_Check(object) || is_text(object)) return false;
    if (PySequence_Size(object) >= 0) return true;
    PyErr_Clear(); /* a 0-d array has the protocol but no length */
    return false;
}

bool fzpy_is_number(PyObject *object) {
    if (PyFloat_Check(object) || PyLong_Check(object)) return true;
    const PyNumberMethods *methods = Py_TYPE(object)->tp_as_number;
    return methods && (methods->nb_float || methods->nb_index) && !PyComplex_Check(object) &&
           !is_text(object) && !fzpy_is_sequence(object);
}

int fzpy_read_double(const char *function, const char *argument, PyObject *object, double *value) {
    if (!fzpy_is_number(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be a real number, not %.100s", function, argument,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    *value = PyFloat_AsDouble(object);
    if (*value != -1.0 || !PyErr_Occurred()) return 0;
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_Format(PyExc_ValueError, "%s: %s is too large for a float", function, argument);
    return -1;
}

int fzpy_read_size(const char *function, const char *argument, PyObject *object, Py_ssize_t *value) {
    if (!PyIndex_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: %s must be an integer, not %.100s", function, argument,
                     Py_TYPE(object)->tp_name);
        return -1;
    }
    *value = PyNumber_AsSsize_t(object, PyExc_OverflowError);
    if (*value != -1 || !PyErr_Occurred()) return 0;
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_Format(PyExc_ValueError, "%s: %s is an integer out of range", function, argument);
    return -1;
}
