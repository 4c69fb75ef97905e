/* Arguments of vectorcall functions: no tuple, no dict. */
#include "core.h"

/* A library call would cost more than such short words. */
static bool is_word(PyObject *name, const char *word) {
    if (!PyUnicode_IS_COMPACT_ASCII(name)) return PyUnicode_CompareWithASCIIString(name, word) == 0;
    const char *text = PyUnicode_DATA(name);
    Py_ssize_t i = 0;
    while (word[i] && text[i] == word[i]) i++;
    return !word[i] && i == PyUnicode_GET_LENGTH(name);
}

static int find_name(const fzpy_signature *s, PyObject *name) {
    for (int i = s->positional_only; i < s->count; i++) {
        if (is_word(name, s->names[i])) return i;
    }
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", s->function, name);
    return -1;
}

static int fail_count(const fzpy_signature *s, Py_ssize_t given) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %d positional arguments (%zd given)", s->function,
                 s->keyword_only, given);
    return -1;
}

int fzpy_parse(const fzpy_signature *s, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **values) {
    if (nargs > s->keyword_only) return fail_count(s, nargs);
    for (int i = 0; i < s->count; i++) values[i] = i < nargs ? args[i] : NULL;
    const Py_ssize_t named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t k = 0; k < named; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        const int i = find_name(s, name);
        if (i < 0) return -1;
        if (values[i]) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", s->function, name);
            return -1;
        }
        values[i] = args[nargs + k];
    }
    for (int i = 0; i < s->required; i++) {
        if (values[i]) continue;
        PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s' (pos %d)", s->function,
                     s->names[i], i + 1);
        return -1;
    }
    return 0;
}
