/* The kind of object that every operation is: a callable that computes on arrays. */
#include "core.h"

#include <stddef.h>
#include <string.h>
#include <structmember.h> /* needs Python.h before it */

enum { MAX_ARGUMENTS = sizeof(((fzpy_signature *)0)->names) / sizeof(char *) };

typedef struct operation {
    PyObject_HEAD vectorcallfunc vectorcall;
    const fzpy_operation *row;
    PyObject *weak_references;
} operation;

static const fzpy_operation *row_of(PyObject *self) { return ((operation *)self)->row; }

/* A call that failed of what is no array, but a symbol of a function that is being fused: what the symbol makes of it. */
static PyObject *ask_symbols(const fzpy_operation *row, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames) {
    const Py_ssize_t count = nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
    PyObject *type, *value, *traceback, *taker = NULL, *result = NULL;
    PyErr_Fetch(&type, &value, &traceback);
    for (Py_ssize_t k = 0; k < count && !taker; k++) {
        taker = PyObject_GetAttrString(args[k], "__forzium_operation__");
        if (!taker) PyErr_Clear();
    }
    if (!taker) return PyErr_Restore(type, value, traceback), NULL;
    PyObject *stack[1 + MAX_ARGUMENTS] = {PyUnicode_FromString(row->signature.function)};
    memcpy(stack + 1, args, (size_t)count * sizeof *args);
    if (stack[0]) result = PyObject_Vectorcall(taker, stack, (size_t)nargs + 1, kwnames);
    Py_XDECREF(stack[0]);
    Py_DECREF(taker);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return result;
}

static PyObject *call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    const fzpy_operation *row = row_of(self);
    const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyObject *values[MAX_ARGUMENTS];
    if (fzpy_parse(&row->signature, args, nargs, kwnames, values) < 0) return NULL;
    PyObject *result = row->compute(row, values);
    return result || !PyErr_ExceptionMatches(PyExc_TypeError) ? result
                                                              : ask_symbols(row, args, nargs, kwnames);
}

/* ---- what it says of itself ---------------------------------------------------------------------------- */

static PyObject *get_name(PyObject *self, void *closure) {
    (void)closure;
    return PyUnicode_FromString(row_of(self)->signature.function);
}

static PyObject *get_module(PyObject *self, void *closure) {
    (void)self, (void)closure;
    return PyUnicode_FromString("forzium");
}

static PyObject *get_doc(PyObject *self, void *closure) {
    (void)closure;
    const fzpy_operation *row = row_of(self);
    const char *name = row->signature.function;
    PyObject *text =
        PyUnicode_FromFormat("%s(%s)\n\n%s%s%s", name, row->parameters, row->doc, row->family, row->example);
    PyObject *filled = text ? PyObject_CallMethod(text, "replace", "ss", "%name%", name) : NULL;
    Py_XDECREF(text);
    return filled;
}

/* inspect reads text signatures of built-in functions only; for any other callable it wants the object. */
static PyObject *get_signature(PyObject *self, void *closure) {
    (void)closure;
    PyObject *inspect = PyImport_ImportModule("inspect"), *globals = PyDict_New(), *result = NULL;
    PyObject *source = PyUnicode_FromFormat("lambda %s: None", row_of(self)->parameters);
    PyObject *function = NULL;
    if (inspect && globals && source)
        function = PyRun_String(PyUnicode_AsUTF8(source), Py_eval_input, globals, globals);
    if (function) result = PyObject_CallMethod(inspect, "signature", "O", function);
    Py_XDECREF(function);
    Py_XDECREF(source);
    Py_XDECREF(globals);
    Py_XDECREF(inspect);
    return result;
}

static PyObject *repr(PyObject *self) {
    return PyUnicode_FromFormat("<operation forzium.%s>", row_of(self)->signature.function);
}

/* Pickled and copied by name, like a function. */
static PyObject *reduce(PyObject *self, PyObject *ignored) {
    (void)ignored;
    return get_name(self, NULL);
}

/* Instances show their type, and so the module, to the collector. */
static int traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void deallocate(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((operation *)self)->weak_references) PyObject_ClearWeakRefs(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyGetSetDef attributes[] = {
    {"__name__", get_name, NULL, NULL, NULL},           {"__qualname__", get_name, NULL, NULL, NULL},
    {"__module__", get_module, NULL, NULL, NULL},       {"__doc__", get_doc, NULL, NULL, NULL},
    {"__signature__", get_signature, NULL, NULL, NULL}, {NULL},
};

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(operation, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(operation, weak_references), READONLY, NULL},
    {NULL},
};

static PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, NULL}, {NULL}};

static PyType_Slot slots[] = {
    {Py_tp_call, PyVectorcall_Call}, {Py_tp_dealloc, deallocate},
    {Py_tp_traverse, traverse},      {Py_tp_repr, repr},
    {Py_tp_getset, attributes},      {Py_tp_members, members},
    {Py_tp_methods, methods},        {0, NULL},
};

static PyType_Spec spec = {
    .name = "forzium.Operation",
    .basicsize = sizeof(operation),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* ---- making them ---------------------------------------------------------------------------------------- */

int fzpy_init_operations(PyObject *core) {
    fzpy_state *state = fzpy_state_of(core);
    state->operation_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &spec, NULL);
    return state->operation_type ? PyModule_AddType(core, state->operation_type) : -1;
}

int fzpy_add_operations(PyObject *core, const fzpy_operation *rows, size_t count) {
    PyTypeObject *type = fzpy_state_of(core)->operation_type;
    for (size_t i = 0; i < count; i++) {
        operation *self = (operation *)type->tp_alloc(type, 0);
        if (!self) return -1;
        self->vectorcall = call;
        self->row = &rows[i];
        const int status = PyModule_AddObjectRef(core, rows[i].signature.function, (PyObject *)self);
        Py_DECREF(self);
        if (status < 0) return -1;
    }
    return 0;
}
