/* The callable object behind evaluate, expression and fuse. What text or a function comes to is found in Python
   (forzium/expressions.py, fused_functions.py); from then on calls stay here. */
#include "expression.h"
#include "float_environment.h"

#include <stddef.h>
#include <string.h>
#include <structmember.h> /* needs Python.h before it */

/* ---- the object --------------------------------------------------------------------------------------------- */

static int find_name(const fzpy_expression *self, PyObject *name) {
    for (int i = 0; i < self->program.inputs; i++) {
        PyObject *own = PyTuple_GET_ITEM(self->names, i);
        if (PyUnicode_GET_LENGTH(own) == PyUnicode_GET_LENGTH(name) && PyUnicode_Compare(own, name) == 0)
            return i;
    }
    return -1;
}

static PyObject *call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    fzpy_expression *self = (fzpy_expression *)object;
    const Py_ssize_t given = PyVectorcall_NARGS(nargsf), named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    const int inputs = self->program.inputs;
    PyObject *values[FZPY_MAX_ARRAYS], *out = NULL;
    if (given > inputs)
        return PyErr_Format(PyExc_TypeError, "expression takes %d arguments, %R; %zd were given", inputs,
                            self->names, given);
    for (int i = 0; i < inputs; i++) values[i] = i < given ? args[i] : NULL;
    for (Py_ssize_t k = 0; k < named; k++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, k);
        const int i = find_name(self, name);
        const bool is_out = i < 0 && PyUnicode_CompareWithASCIIString(name, "out") == 0;
        PyObject **value = is_out ? &out : i < 0 ? NULL : &values[i];
        if (!value || *value)
            return PyErr_Format(PyExc_TypeError, "expression has no argument %R, or it was given twice",
                                name);
        *value = args[given + k];
    }
    for (int i = 0; i < inputs; i++) {
        if (!values[i])
            return PyErr_Format(PyExc_TypeError, "expression is missing its argument %R",
                                PyTuple_GET_ITEM(self->names, i));
    }
    return fzpy_compute_expression(
        self, values, &(fzpy_destination){out == Py_None ? NULL : out, NPY_SAME_KIND_CASTING, false});
}

static PyObject *repr(PyObject *object) {
    const fzpy_expression *self = (fzpy_expression *)object;
    if (self->text) return PyUnicode_FromFormat("forzium.expression(%R)", self->text);
    return PyUnicode_FromFormat("<forzium.fuse of %R>", self->function);
}

static PyObject *call_function(const char *of_module, const char *function, PyObject *argument) {
    PyObject *module = PyImport_ImportModule(of_module);
    PyObject *result = module ? PyObject_CallMethod(module, function, "O", argument) : NULL;
    Py_XDECREF(module);
    return result;
}

/* Text is parsed again; a fused function is found by its name, as functions are. */
static PyObject *reduce(PyObject *object, PyObject *ignored) {
    (void)ignored;
    const fzpy_expression *self = (fzpy_expression *)object;
    PyObject *module = PyImport_ImportModule(self->text ? "forzium" : "forzium.fused_functions");
    PyObject *maker =
        module ? PyObject_GetAttrString(module, self->text ? "expression" : "find_fused") : NULL;
    PyObject *result = NULL;
    PyObject *arguments = !maker ? NULL
                          : self->text
                              ? PyTuple_Pack(1, self->text)
                              : call_function("forzium.fused_functions", "name_fused", self->function);
    if (arguments) result = PyTuple_Pack(2, maker, arguments);
    Py_XDECREF(arguments);
    Py_XDECREF(maker);
    Py_XDECREF(module);
    return result;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    const fzpy_expression *self = (fzpy_expression *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->function);
    return 0;
}

static int clear(PyObject *object) {
    fzpy_expression *self = (fzpy_expression *)object;
    Py_CLEAR(self->function);
    return 0;
}

static void deallocate(PyObject *object) {
    fzpy_expression *self = (fzpy_expression *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references) PyObject_ClearWeakRefs(object);
    Py_XDECREF(self->text);
    Py_XDECREF(self->function);
    Py_XDECREF(self->names);
    Py_XDECREF(self->axis);
    fzpy_forget_compiled(self);
    PyMem_Free((void *)self->program.names);
    PyMem_Free((void *)self->program.constant);
    PyMem_Free((void *)self->program.instruction);
    PyMem_Free((void *)self->program.output);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(fzpy_expression, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(fzpy_expression, weak_references), READONLY, NULL},
    {"text", T_OBJECT, offsetof(fzpy_expression, text), READONLY,
     "The expression's text; None of a function."},
    {"names", T_OBJECT, offsetof(fzpy_expression, names), READONLY,
     "The arguments, in the order of the call."},
    {"__wrapped__", T_OBJECT_EX, offsetof(fzpy_expression, function), READONLY,
     "The function that was fused."},
    {NULL},
};

static PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, NULL}, {NULL}};

static const char type_doc[] = "A compiled expression: what expression and fuse make.\n"
                               "\n"
                               "It is called with its arguments by position, in the order of ``names``, or "
                               "by name, and with ``out``. It never\n"
                               "changes, may be shared between threads, and can be pickled.\n"
                               "\n"
                               "Examples\n"
                               "--------\n"
                               ">>> import forzium\n"
                               ">>> import numpy as np\n"
                               ">>> weigh = forzium.expression(\"0.25*a + 0.75*b\")\n"
                               ">>> weigh.names\n"
                               "('a', 'b')\n"
                               ">>> weigh(np.array([4.0, 8.0]), b=np.array([0.0, 4.0]))\n"
                               "array([1., 5.])\n";

static PyType_Slot slots[] = {
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_dealloc, deallocate},
    {Py_tp_traverse, traverse},
    {Py_tp_clear, clear},
    {Py_tp_repr, repr},
    {Py_tp_members, members},
    {Py_tp_methods, methods},
    {Py_tp_doc, (void *)type_doc},
    {0, NULL},
};

PyType_Spec fzpy_expression_spec = {
    .name = "forzium.Expression",
    .basicsize = sizeof(fzpy_expression),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
             Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* ---- making ------------------------------------------------------------------------------------------------- */

/* n elements of `size` bytes from a bytes object, or NULL with an exception. */
static void *copy_bytes(PyObject *bytes, size_t size, int *n) {
    const size_t length = (size_t)PyBytes_GET_SIZE(bytes);
    void *copy = PyMem_Malloc(length + 1);
    if (!copy) return PyErr_NoMemory();
    *n = (int)(length / size);
    return memcpy(copy, PyBytes_AS_STRING(bytes), length);
}

static int fill_names(fzpy_expression *self) {
    const Py_ssize_t n = PyTuple_GET_SIZE(self->names);
    const char **names = PyMem_Calloc((size_t)n + 1, sizeof *names);
    self->program.names = names;
    if (!names) return PyErr_NoMemory(), -1;
    if (n >= FZPY_MAX_ARRAYS) {
        PyErr_Format(PyExc_ValueError, "expression: %zd different names; at most %d would do", n,
                     FZPY_MAX_ARRAYS - 1);
        return -1;
    }
    self->program.inputs = (int)n;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!(names[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(self->names, i)))) return -1;
    }
    return 0;
}

static int fill_outputs(fzpy_expression *self, PyObject *outputs) {
    const Py_ssize_t n = PyTuple_GET_SIZE(outputs);
    int *output = PyMem_Calloc((size_t)n + 1, sizeof *output);
    self->program.output = output;
    self->program.outputs = (int)n;
    if (!output) return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < n; i++) output[i] = (int)PyLong_AsLong(PyTuple_GET_ITEM(outputs, i));
    return PyErr_Occurred() ? -1 : 0;
}

static uint64_t find_unread(const fz_program *p) {
    uint64_t read = 0;
    for (int i = 0; i < p->outputs; i++) {
        if (p->output[i] < p->inputs) read |= (uint64_t)1 << p->output[i];
    }
    for (int i = 0; i < p->instructions; i++) {
        const fz_instruction *in = &p->instruction[i];
        const int arity = in->op == FZ_OP_COUNT ? 1 : fz_op_arity(in->op);
        for (int k = 0; k < arity; k++) {
            if (in->operands[k] < p->inputs) read |= (uint64_t)1 << in->operands[k];
        }
    }
    return ~read;
}

static int find_reduction(PyObject *name) {
    int i = 0;
    while (i < FZ_REDUCTION_COUNT && PyUnicode_CompareWithASCIIString(name, fz_reduction_name(i)) != 0) i++;
    return i;
}

PyObject *fzpy_make_expression(fzpy_state *state, PyObject *program, PyObject *text, PyObject *function) {
    PyObject *names, *constants, *instructions, *outputs, *reduction, *axis;
    int is_tuple;
    fzpy_expression *self = NULL;
    if (program && PyArg_ParseTuple(program, "O!SSO!pOO", &PyTuple_Type, &names, &constants, &instructions,
                                    &PyTuple_Type, &outputs, &is_tuple, &reduction, &axis))
        self = (fzpy_expression *)state->expression_type->tp_alloc(state->expression_type, 0);
    if (self) {
        self->vectorcall = call;
        self->text = Py_XNewRef(text);
        self->function = Py_XNewRef(function);
        self->names = Py_NewRef(names);
        self->reduction = reduction == Py_None ? FZ_REDUCTION_COUNT : find_reduction(reduction);
        self->axis = Py_NewRef(axis);
        self->is_tuple = is_tuple;
        self->program.constant = copy_bytes(constants, sizeof(fz_constant), &self->program.constants);
        self->program.instruction =
            copy_bytes(instructions, sizeof(fz_instruction), &self->program.instructions);
        if (!self->program.constant || !self->program.instruction || fill_names(self) < 0 ||
            fill_outputs(self, outputs) < 0)
            Py_CLEAR(self);
        else
            self->unread = find_unread(&self->program);
    }
    Py_XDECREF(program);
    return (PyObject *)self;
}

/* Constants are folded meanwhile, and the program is kept for all callers. */
PyObject *fzpy_make_program(const char *of_module, const char *function, PyObject *argument) {
    const fz__float_environment environment = fz__save_float_environment();
    fz__use_default_float_modes();
    PyObject *program = call_function(of_module, function, argument);
    fz__restore_float_environment(environment);
    return program;
}

/* Makes room for one more text. */
static void forget_oldest(PyObject *cache) {
    PyObject *oldest = NULL;
    Py_ssize_t position = 0;
    Py_BEGIN_CRITICAL_SECTION(cache);
    if (PyDict_GET_SIZE(cache) >= FZPY_MAX_CACHED && PyDict_Next(cache, &position, &oldest, NULL)) {
        Py_INCREF(oldest);
        if (PyDict_DelItem(cache, oldest) < 0) PyErr_Clear(); /* another thread was faster */
    }
    Py_END_CRITICAL_SECTION();
    Py_XDECREF(oldest);
}

PyObject *fzpy_find_expression(PyObject *core, PyObject *text) {
    fzpy_state *state = fzpy_state_of(core);
    if (Py_IS_TYPE(text, state->expression_type)) return Py_NewRef(text);
    PyObject *cache = state->expressions;
    PyObject *found = PyUnicode_CheckExact(text) ? fzpy_dict_get(cache, text) : NULL;
    if (found || PyErr_Occurred()) return found;
    found = fzpy_make_expression(state, fzpy_make_program("forzium.expressions", "parse", text), text, NULL);
    if (!found) return NULL;
    forget_oldest(cache);
    if (PyDict_SetItem(cache, text, found) < 0) Py_CLEAR(found);
    return found;
}
