/* Expressions: evaluate, expression, fuse, and the callable object behind them. What text or a function comes to is
   found in Python (forzium/expressions.py); from then on calls stay here. */
#include "numpy_api.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <structmember.h> /* needs Python.h before it */

enum {
    MAX_CACHED = 256, /* texts, and kinds of inputs of one expression */
    MAX_ARRAYS = FZ_MAX_EXPRESSION_ARRAYS,
};

typedef struct compilation compilation;

typedef struct expression {
    PyObject_HEAD vectorcallfunc vectorcall;
    PyObject *weak_references;
    PyObject *text;     /* NULL where it comes from a function */
    PyObject *function; /* NULL where it comes from text */
    PyObject *names;    /* tuple of str */
    int reduction;      /* joins the elements of the only output; FZ_REDUCTION_COUNT: nothing does */
    PyObject *axis;     /* None, an int or a tuple of ints */
    _Atomic(compilation *) compiled; /* for the kinds of inputs that came so far */
    bool is_tuple;                   /* gives a tuple of arrays */
    fz_program program;
} expression;

/* ---- compiling ---------------------------------------------------------------------------------------------- */

/* What the expression comes to for inputs of certain kinds. */
struct compilation {
    compilation *next;
    fz_expression *program;
    fz_kind kinds[];
};

static bool has_kinds(const compilation *c, const fz_kind kinds[], int n) {
    for (int k = 0; k < n; k++) {
        if (c->kinds[k].dtype != kinds[k].dtype || c->kinds[k].weak != kinds[k].weak) return false;
    }
    return true;
}

static void free_compiled(compilation *c) {
    if (c) fz_expression_free(c->program);
    PyMem_RawFree(c);
}

static compilation *compile_kinds(const expression *self, const fz_kind kinds[]) {
    const size_t bytes = (size_t)self->program.inputs * sizeof *kinds;
    compilation *made = PyMem_RawCalloc(1, sizeof *made + bytes);
    if (!made) return (compilation *)PyErr_NoMemory();
    if (bytes) memcpy(made->kinds, kinds, bytes);
    const fz_status status = fz_expression_create(&self->program, kinds, &made->program);
    if (!status) return made;
    PyMem_RawFree(made);
    return (compilation *)fzpy_raise(status);
}

/* The list grows at its front and loses nothing before the expression goes: threads read it without a lock. Beyond
   MAX_CACHED kinds *own is true, and the caller frees what it gets. */
static compilation *find_compiled(expression *self, const fz_kind kinds[], bool *own) {
    compilation *first = atomic_load_explicit(&self->compiled, memory_order_acquire);
    int known = 0;
    *own = false;
    for (compilation *c = first; c; c = c->next, known++) {
        if (has_kinds(c, kinds, self->program.inputs)) return c;
    }
    compilation *made = compile_kinds(self, kinds);
    if (!made || (*own = known >= MAX_CACHED)) return made;
    made->next = first;
    while (!atomic_compare_exchange_weak_explicit(&self->compiled, &made->next, made, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    return made;
}

/* ---- computing ---------------------------------------------------------------------------------------------- */

static const char operation_name[] = "evaluate";

static int view_given(fzpy_view *view, PyObject *given, fz_dtype dtype, NPY_CASTING casting) {
    if (fzpy_view_output(view, operation_name, "out", given, FZPY_ANY) < 0) return -1;
    if (fzpy_can_cast(dtype, view->array.dtype, casting)) return 0;
    PyErr_Format(
        PyExc_TypeError,
        "%s: out is %s, to which the result, %s, cannot be cast under this rule of casting; %s would do",
        operation_name, fz_dtype_name(view->array.dtype), fz_dtype_name(dtype), fz_dtype_name(dtype));
    fzpy_view_clear(view);
    return -1;
}

/* Where results go: arrays or NULL, and what they may be cast to. */
typedef struct destination {
    PyObject *out;
    NPY_CASTING casting;
    bool c_order; /* new arrays are C-ordered; else their axes lie in memory as the inputs' do */
} destination;

/* Views of out, or of new arrays. */
static int make_outputs(const expression *self, const fz_expression *compiled, const fz_array *const inputs[],
                        const destination *to, fzpy_view views[]) {
    PyObject *const out = to->out;
    const int outputs = self->program.outputs;
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    const fz_status status = fz_broadcast_shape(operation_name, self->program.inputs, inputs, &ndim, shape);
    if (status) return fzpy_raise(status), -1;
    if (out && self->is_tuple && (!PyTuple_Check(out) || PyTuple_GET_SIZE(out) != outputs)) {
        PyErr_Format(PyExc_TypeError, "%s: out must be a tuple of %d arrays", operation_name, outputs);
        return -1;
    }
    for (int i = 0; i < outputs; i++) {
        PyObject *given = out && self->is_tuple ? PyTuple_GET_ITEM(out, i) : out;
        const fz_dtype dtype = fz_expression_dtype(compiled, i);
        const int made = given ? view_given(&views[i], given, dtype, to->casting)
                               : fzpy_view_new_like(&views[i], operation_name, dtype, ndim, shape,
                                                    to->c_order ? 0 : self->program.inputs, inputs);
        if (made < 0) {
            while (i) fzpy_view_clear(&views[--i]);
            return -1;
        }
    }
    return 0;
}

static PyObject *take_results(const expression *self, fzpy_view views[], bool given) {
    if (!self->is_tuple) return fzpy_view_result(&views[0], given);
    PyObject *results = PyTuple_New(self->program.outputs);
    for (int i = 0; i < self->program.outputs; i++) {
        PyObject *result = fzpy_view_result(&views[i], given);
        if (results && result) PyTuple_SET_ITEM(results, i, result);
        if (!result) Py_CLEAR(results);
    }
    return results;
}

static PyObject *compute_outputs(const expression *self, const fz_expression *compiled,
                                 const fz_array *const inputs[], const destination *to) {
    fzpy_view views[MAX_ARRAYS];
    fz_array *outputs[MAX_ARRAYS];
    if (make_outputs(self, compiled, inputs, to, views) < 0) return NULL;
    for (int i = 0; i < self->program.outputs; i++) outputs[i] = &views[i].array;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(&views[0]) * (1 + self->program.instructions));
    const fz_status status = fz_expression_run(compiled, inputs, outputs);
    fzpy_retake_gil(released);
    if (!status) return take_results(self, views, to->out != NULL);
    for (int i = 0; i < self->program.outputs; i++) fzpy_view_clear(&views[i]);
    return fzpy_raise(status);
}

/* A result without axes, whose array nobody would see. */
static PyObject *compute_scalar(const expression *self, const fz_expression *compiled,
                                const fz_array *const inputs[], const fzpy_axes *axes, double elements,
                                fz_dtype dtype) {
    double value[1];
    fz_array out = {value, dtype, 0, NULL, NULL};
    PyThreadState *released = fzpy_release_gil(elements);
    const fz_status status = fz_expression_reduce(compiled, self->reduction, inputs, axes->count,
                                                  axes->all ? NULL : axes->list, &out);
    fzpy_retake_gil(released);
    if (status) return fzpy_raise(status);
    PyArray_Descr *descr = PyArray_DescrFromType(fzpy_npy_type_of(dtype));
    PyObject *result = PyArray_Scalar(value, descr, NULL);
    Py_DECREF(descr);
    return result;
}

static PyObject *compute_reduction(const expression *self, const fz_expression *compiled,
                                   const fz_array *const inputs[], const fzpy_view *const views[],
                                   PyObject *given) {
    const int count = self->program.inputs;
    fzpy_axes axes;
    if (fzpy_read_axes(operation_name, self->axis == Py_None ? NULL : self->axis, &axes) < 0) return NULL;
    const int *list = axes.all ? NULL : axes.list;
    ptrdiff_t shape[FZ_MAX_NDIM], full[FZ_MAX_NDIM];
    int ndim = 0, full_ndim;
    fz_status status = fz_broadcast_shape(operation_name, count, inputs, &full_ndim, full);
    if (!status && list)
        status =
            fz_expression_reduce_shape(compiled, self->reduction, inputs, axes.count, list, 0, &ndim, shape);
    if (status) return fzpy_raise(status);
    double elements = 1 + self->program.instructions;
    for (int d = 0; d < full_ndim; d++) elements *= (double)full[d];
    const fz_dtype dtype = fz_reduce_dtype(self->reduction, fz_expression_dtype(compiled, 0));
    if (!given && ndim == 0 && dtype != FZ_BFLOAT16)
        return compute_scalar(self, compiled, inputs, &axes, elements, dtype);
    fzpy_output out;
    if (fzpy_output_open(&out, operation_name, given, dtype, ndim, shape, count, views) < 0) return NULL;
    PyThreadState *released = fzpy_release_gil(elements);
    status = fz_expression_reduce(compiled, self->reduction, inputs, axes.count, list, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

/* values: an object for each name. */
static PyObject *compute(expression *self, PyObject *const values[], const destination *to) {
    fzpy_view views[MAX_ARRAYS];
    const fzpy_view *given[MAX_ARRAYS];
    const fz_array *inputs[MAX_ARRAYS];
    fz_kind kinds[MAX_ARRAYS];
    PyObject *result = NULL;
    int viewed = 0;
    for (; viewed < self->program.inputs; viewed++) {
        fzpy_view *view = &views[viewed];
        if (fzpy_view_input(view, operation_name, self->program.names[viewed], values[viewed], FZPY_ANY) < 0)
            goto done;
        given[viewed] = view;
        inputs[viewed] = &view->array;
        kinds[viewed] = (fz_kind){view->array.dtype, view->weak != FZPY_STRONG};
    }
    bool own;
    compilation *found = find_compiled(self, kinds, &own);
    if (found) {
        const fz_expression *program = found->program;
        result = self->reduction == FZ_REDUCTION_COUNT
                     ? compute_outputs(self, program, inputs, to)
                     : compute_reduction(self, program, inputs, given, to->out);
        if (own) free_compiled(found);
    }
done:
    while (viewed) fzpy_view_clear(&views[--viewed]);
    return result;
}

/* ---- the object --------------------------------------------------------------------------------------------- */

static int find_name(const expression *self, PyObject *name) {
    for (int i = 0; i < self->program.inputs; i++) {
        if (PyUnicode_Compare(PyTuple_GET_ITEM(self->names, i), name) == 0) return i;
    }
    return -1;
}

static PyObject *call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    expression *self = (expression *)object;
    const Py_ssize_t given = PyVectorcall_NARGS(nargsf), named = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    const int inputs = self->program.inputs;
    PyObject *values[MAX_ARRAYS] = {NULL}, *out = NULL;
    if (given > inputs)
        return PyErr_Format(PyExc_TypeError, "expression takes %d arguments, %R; %zd were given", inputs,
                            self->names, given);
    for (Py_ssize_t i = 0; i < given; i++) values[i] = args[i];
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
    return compute(self, values, &(destination){out == Py_None ? NULL : out, NPY_SAME_KIND_CASTING, false});
}

static PyObject *repr(PyObject *object) {
    const expression *self = (expression *)object;
    if (self->text) return PyUnicode_FromFormat("forzium.expression(%R)", self->text);
    return PyUnicode_FromFormat("<forzium.fuse of %R>", self->function);
}

/* Text is parsed again; a fused function is found by its name, as functions are. */
static PyObject *reduce(PyObject *object, PyObject *ignored) {
    (void)ignored;
    const expression *self = (expression *)object;
    PyObject *module = PyImport_ImportModule(self->text ? "forzium" : "forzium.expressions"), *result = NULL;
    PyObject *maker =
        module ? PyObject_GetAttrString(module, self->text ? "expression" : "find_fused") : NULL;
    if (maker && self->text) {
        result = Py_BuildValue("O(O)", maker, self->text);
    } else if (maker) {
        PyObject *home = PyObject_GetAttrString(self->function, "__module__");
        PyObject *name = home ? PyObject_GetAttrString(self->function, "__qualname__") : NULL;
        if (name) result = Py_BuildValue("O(OO)", maker, home, name);
        Py_XDECREF(name);
        Py_XDECREF(home);
    }
    Py_XDECREF(maker);
    Py_XDECREF(module);
    return result;
}

static int traverse(PyObject *object, visitproc visit, void *arg) {
    const expression *self = (expression *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->function);
    return 0;
}

static int clear(PyObject *object) {
    expression *self = (expression *)object;
    Py_CLEAR(self->function);
    return 0;
}

static void deallocate(PyObject *object) {
    expression *self = (expression *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->weak_references) PyObject_ClearWeakRefs(object);
    Py_XDECREF(self->text);
    Py_XDECREF(self->function);
    Py_XDECREF(self->names);
    Py_XDECREF(self->axis);
    for (compilation *c = self->compiled, *next; c; c = next) {
        next = c->next;
        free_compiled(c);
    }
    PyMem_Free((void *)self->program.names);
    PyMem_Free((void *)self->program.constant);
    PyMem_Free((void *)self->program.instruction);
    PyMem_Free((void *)self->program.output);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(expression, vectorcall), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(expression, weak_references), READONLY, NULL},
    {"text", T_OBJECT, offsetof(expression, text), READONLY, "The expression's text; None of a function."},
    {"names", T_OBJECT, offsetof(expression, names), READONLY, "The arguments, in the order of the call."},
    {"__wrapped__", T_OBJECT_EX, offsetof(expression, function), READONLY, "The function that was fused."},
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

static PyType_Spec spec = {
    .name = "forzium.Expression",
    .basicsize = sizeof(expression),
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

static int fill_names(expression *self) {
    const Py_ssize_t n = PyTuple_GET_SIZE(self->names);
    const char **names = PyMem_Calloc((size_t)n + 1, sizeof *names);
    self->program.names = names;
    if (!names) return PyErr_NoMemory(), -1;
    if (n >= MAX_ARRAYS) {
        PyErr_Format(PyExc_ValueError, "expression: %zd different names; at most %d would do", n,
                     MAX_ARRAYS - 1);
        return -1;
    }
    self->program.inputs = (int)n;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!(names[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(self->names, i)))) return -1;
    }
    return 0;
}

static int fill_outputs(expression *self, PyObject *outputs) {
    const Py_ssize_t n = PyTuple_GET_SIZE(outputs);
    int *output = PyMem_Calloc((size_t)n + 1, sizeof *output);
    self->program.output = output;
    self->program.outputs = (int)n;
    if (!output) return PyErr_NoMemory(), -1;
    for (Py_ssize_t i = 0; i < n; i++) output[i] = (int)PyLong_AsLong(PyTuple_GET_ITEM(outputs, i));
    return PyErr_Occurred() ? -1 : 0;
}

static int find_reduction(PyObject *name) {
    int i = 0;
    while (i < FZ_REDUCTION_COUNT && PyUnicode_CompareWithASCIIString(name, fz_reduction_name(i)) != 0) i++;
    return i;
}

/* From a Program of forzium/expressions.py, whose reference it takes. */
static PyObject *make(fzpy_state *state, PyObject *program, PyObject *text, PyObject *function) {
    PyObject *names, *constants, *instructions, *outputs, *reduction, *axis;
    int is_tuple;
    expression *self = NULL;
    if (program && PyArg_ParseTuple(program, "O!SSO!pOO", &PyTuple_Type, &names, &constants, &instructions,
                                    &PyTuple_Type, &outputs, &is_tuple, &reduction, &axis))
        self = (expression *)state->expression_type->tp_alloc(state->expression_type, 0);
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
    }
    Py_XDECREF(program);
    return (PyObject *)self;
}

static PyObject *call_python(const char *function, PyObject *argument) {
    PyObject *module = PyImport_ImportModule("forzium.expressions");
    PyObject *result = module ? PyObject_CallMethod(module, function, "O", argument) : NULL;
    Py_XDECREF(module);
    return result;
}

/* The expression of a text, from the cache of the last ones or new; a new reference. */
static PyObject *find_expression(PyObject *core, PyObject *text) {
    fzpy_state *state = fzpy_state_of(core);
    if (Py_IS_TYPE(text, state->expression_type)) return Py_NewRef(text);
    PyObject *cache = state->expressions;
    PyObject *found = PyUnicode_CheckExact(text) ? Py_XNewRef(PyDict_GetItemWithError(cache, text)) : NULL;
    if (found || PyErr_Occurred()) return found;
    found = make(state, call_python("parse", text), text, NULL);
    if (!found) return NULL;
    PyObject *oldest = NULL;
    Py_ssize_t position = 0;
    if (PyDict_GET_SIZE(cache) >= MAX_CACHED && PyDict_Next(cache, &position, &oldest, NULL)) {
        Py_INCREF(oldest);
        if (PyDict_DelItem(cache, oldest) < 0) PyErr_Clear(); /* another thread was faster */
        Py_DECREF(oldest);
    }
    if (PyDict_SetItem(cache, text, found) < 0) Py_CLEAR(found);
    return found;
}

/* ---- evaluate ------------------------------------------------------------------------------------------------ */

/* Where names are looked up. */
typedef struct scope {
    PyObject *locals, *globals; /* borrowed; NULL: there are none; the caller's, if they are asked for */
    bool is_snapshot;           /* locals is a copy of a function's variables, which keeps them alive */
} scope;

static PyObject *look_up(PyObject *names, PyObject *name) {
    PyObject *value = NULL;
    if (!names) return NULL;
    if (PyDict_CheckExact(names)) return Py_XNewRef(PyDict_GetItemWithError(names, name));
    value = PyObject_GetItem(names, name);
    if (!value && PyErr_ExceptionMatches(PyExc_KeyError)) PyErr_Clear();
    return value;
}

static PyObject *fail_missing(PyObject *name) {
    PyObject *module = PyImport_ImportModule("forzium.expressions");
    PyObject *kind = module ? PyObject_GetAttrString(module, "MissingName") : NULL;
    if (kind) PyErr_Format(kind, "evaluate: the name %U has no value", name);
    Py_XDECREF(kind);
    Py_XDECREF(module);
    return NULL;
}

static PyObject *evaluate_in(expression *self, const scope *s, const destination *to) {
    PyObject *values[MAX_ARRAYS], *result = NULL;
    int found = 0;
    for (; found < self->program.inputs; found++) {
        PyObject *name = PyTuple_GET_ITEM(self->names, found);
        values[found] = look_up(s->locals, name);
        if (!values[found] && !PyErr_Occurred())
            values[found] = look_up(s->globals ? s->globals : PyEval_GetGlobals(), name);
        if (!values[found]) break;
    }
    /* Nobody else sees a copy that only the frame holds: emptied, it keeps no array alive. */
    if (s->is_snapshot && Py_REFCNT(s->locals) == 1) PyDict_Clear(s->locals);
    if (found == self->program.inputs)
        result = compute(self, values, to);
    else if (!PyErr_Occurred())
        fail_missing(PyTuple_GET_ITEM(self->names, found));
    while (found) Py_DECREF(values[--found]);
    return result;
}

static bool is_function_frame(void) {
    PyFrameObject *frame = PyEval_GetFrame();
    PyCodeObject *code = frame ? PyFrame_GetCode(frame) : NULL;
    const bool optimized = code && code->co_flags & CO_OPTIMIZED;
    Py_XDECREF(code);
    return optimized;
}

/* numexpr's other arguments, in the order of evaluate's signature. */
enum { ORDER = 4, CASTING, SANITIZE, OPTIMIZATION, TRUEDIV, DISABLE_CACHE, ARGUMENTS };

/* Is a value absent, None, or one of the words (at most three)? */
static bool is_one_of(PyObject *value, const char *const words[]) {
    if (!value || value == Py_None) return true;
    for (int i = 0; i < 3 && words[i]; i++) {
        if (PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, words[i]) == 0) return true;
    }
    return false;
}

static int fail_option(const char *name, PyObject *value, const char *remedy) {
    PyErr_Format(PyExc_ValueError, "%s: %s is %R; %s", operation_name, name, value, remedy);
    return -1;
}

/* Those that would change the result are refused. The others change nothing: no optimization touches a bit, names
   are always checked, and no cache keeps an array. */
static int read_options(PyObject *const values[], destination *to) {
    if (!is_one_of(values[ORDER], (const char *const[]){"K", "C", NULL}))
        return fail_option("order", values[ORDER], "'K' or 'C', or an array of that order as out, would do");
    if (!is_one_of(values[OPTIMIZATION], (const char *const[]){"none", "moderate", "aggressive"}))
        return fail_option("optimization", values[OPTIMIZATION],
                           "'none', 'moderate' or 'aggressive' would do");
    if (values[TRUEDIV] != Py_True && !is_one_of(values[TRUEDIV], (const char *const[]){"auto", NULL}))
        return fail_option("truediv", values[TRUEDIV], "'auto' or True, and // in the expression, would do");
    if (values[SANITIZE] == Py_False)
        return fail_option("sanitize", values[SANITIZE], "text is always checked; None or True would do");
    to->c_order = values[ORDER] && values[ORDER] != Py_None &&
                  !is_one_of(values[ORDER], (const char *const[]){"K", NULL});
    if (!values[CASTING] || values[CASTING] == Py_None) return 0;
    if (fzpy_load_numpy() < 0) return -1;
    return PyArray_CastingConverter(values[CASTING], &to->casting) == NPY_SUCCEED ? 0 : -1;
}

static PyObject *evaluate(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {operation_name,
                                             ARGUMENTS,
                                             1,
                                             0,
                                             ARGUMENTS,
                                             {"ex", "local_dict", "global_dict", "out", "order", "casting",
                                              "sanitize", "optimization", "truediv", "disable_cache"}};
    PyObject *values[ARGUMENTS];
    destination to = {NULL, NPY_SAME_KIND_CASTING, false};
    if (fzpy_parse(&signature, args, nargs, kwnames, values) < 0 || read_options(values, &to) < 0)
        return NULL;
    for (int k = 1; k < 3; k++) {
        if (values[k] && values[k] != Py_None && !PyMapping_Check(values[k]))
            return PyErr_Format(PyExc_TypeError,
                                "evaluate: %s is of type %s; a mapping of names to values would do",
                                signature.names[k], Py_TYPE(values[k])->tp_name);
    }
    if (values[3] != Py_None) to.out = values[3];
    PyObject *self = find_expression(core, values[0]);
    if (!self) return NULL;
    const bool has_locals = values[1] && values[1] != Py_None;
    scope s = {values[1], values[2] == Py_None ? NULL : values[2], false};
    if (!has_locals) {
        s.locals = PyEval_GetLocals();
        PyErr_Clear(); /* no Python code is running: no names either */
        s.is_snapshot = s.locals && PyDict_CheckExact(s.locals) && is_function_frame();
    }
    PyObject *result = evaluate_in((expression *)self, &s, &to);
    Py_DECREF(self);
    return result;
}

static const char evaluate_doc[] =
    "evaluate(ex, local_dict=None, global_dict=None, out=None, order='K', casting='same_kind', "
    "sanitize=None,\n"
    "         optimization='aggressive', truediv='auto', disable_cache=False)\n"
    "--\n"
    "\n"
    "Compute an expression over arrays in one pass, without arrays in between.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "ex : str or Expression\n"
    "    Arithmetic as in ``\"2*a + 3*b\"``: names, numbers, + - * / // % ** & | ^ ~ << >>, comparisons, the "
    "names of\n"
    "    forzium's element-wise operations as functions, dtypes as functions that convert. A comma makes a\n"
    "    tuple of results. A reduction (any but argmin and argmax) may be the outermost function, with "
    "axis.\n"
    "local_dict, global_dict : mapping, optional\n"
    "    Where names are looked up, in this order; by default the caller's variables.\n"
    "out : ndarray or tuple of ndarray, optional\n"
    "    Where to write; may be an input or overlap one. Nothing is written on error.\n"
    "casting : str\n"
    "    NumPy's rule by which the result may be cast to out's dtype.\n"
    "order, sanitize, optimization, truediv, disable_cache\n"
    "    numexpr's, with the values that mean what is done anyway: 'K' or 'C', True, any, True, any.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "ndarray or scalar, or a tuple of them\n"
    "    In the dtype that NumPy's operations would give; each operation gives the bits that it gives "
    "alone.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    For what is no arithmetic, naming the column; shapes that do not broadcast; names without a value "
    "(which\n"
    "    is a KeyError, too).\n"
    "TypeError\n"
    "    For and, or, not, chains of comparisons, complex numbers, text, and dtypes that an operation "
    "lacks.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> a, b = np.arange(3.0), np.ones(3)\n"
    ">>> forzium.evaluate(\"2*a + 3*b\")\n"
    "array([3., 5., 7.])\n"
    ">>> float(forzium.evaluate(\"sum((a - b)**2)\"))\n"
    "2.0\n";

static PyObject *make_expression(PyObject *core, PyObject *text) { return find_expression(core, text); }

static const char expression_doc[] =
    "expression(text, /)\n"
    "--\n"
    "\n"
    "Compile an expression, as evaluate understands it, to an object that can be called.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "text : str\n"
    "\n"
    "Returns\n"
    "-------\n"
    "Expression\n"
    "    Called with the values of its names, by position in the order in which they first appear or by "
    "name.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> distance = forzium.expression(\"sqrt(x*x + y*y)\")\n"
    ">>> distance(np.array([3.0, 6.0]), np.array([4.0, 8.0]))\n"
    "array([ 5., 10.])\n";

static PyObject *fuse(PyObject *core, PyObject *function) {
    if (PyCallable_Check(function))
        return make(fzpy_state_of(core), call_python("trace", function), NULL, function);
    return PyErr_Format(PyExc_TypeError, "fuse: a %s is no function", Py_TYPE(function)->tp_name);
}

static const char fuse_doc[] =
    "fuse(function, /)\n"
    "--\n"
    "\n"
    "Compile a function of arithmetic, so that a call computes it in one pass over its arguments.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "function : callable\n"
    "    Is called once, now, with symbols for its arguments: operators, NumPy's ufuncs and np.where on them "
    "are\n"
    "    recorded; if and while on their values are a TypeError. Numbers that it reads from elsewhere stay "
    "as\n"
    "    they are now.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "Expression\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> @forzium.fuse\n"
    "... def norm(x, y):\n"
    "...     return np.sqrt(x * x + y * y)\n"
    ">>> norm(np.array([3.0, 6.0]), np.array([4.0, 8.0]))\n"
    "array([ 5., 10.])\n";

static PyMethodDef functions[] = {
    {"evaluate", (PyCFunction)(void (*)(void))evaluate, METH_FASTCALL | METH_KEYWORDS, evaluate_doc},
    {"expression", make_expression, METH_O, expression_doc},
    {"fuse", fuse, METH_O, fuse_doc},
    {NULL},
};

/* ---- what the parser knows ---------------------------------------------------------------------------------- */

static PyObject *list_operations(PyObject *core, PyObject *ignored) {
    (void)core, (void)ignored;
    PyObject *operations = PyDict_New();
    for (int op = 0; operations && op < FZ_OP_COUNT; op++) {
        PyObject *row = Py_BuildValue("(ii)", op, fz_op_arity(op));
        if (!row || PyDict_SetItemString(operations, fz_op_name(op), row) < 0) Py_CLEAR(operations);
        Py_XDECREF(row);
    }
    return operations;
}

static PyObject *list_dtypes(PyObject *core, PyObject *ignored) {
    (void)core, (void)ignored;
    PyObject *dtypes = PyDict_New();
    for (int dtype = 0; dtypes && dtype < FZ_DTYPE_COUNT; dtype++) {
        PyObject *number = PyLong_FromLong(dtype);
        if (!number || PyDict_SetItemString(dtypes, fz_dtype_name(dtype), number) < 0) Py_CLEAR(dtypes);
        Py_XDECREF(number);
    }
    return dtypes;
}

static PyObject *list_reductions(PyObject *core, PyObject *ignored) {
    (void)core, (void)ignored;
    PyObject *names = PyList_New(0);
    for (int i = 0; names && i < FZ_REDUCTION_COUNT; i++) {
        if (!fz_reduction_is_fused(i)) continue;
        PyObject *name = PyUnicode_FromString(fz_reduction_name(i));
        if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyMethodDef private_functions[] = {
    {"expression_operations", list_operations, METH_NOARGS, NULL},
    {"expression_dtypes", list_dtypes, METH_NOARGS, NULL},
    {"expression_reductions", list_reductions, METH_NOARGS, NULL},
    {NULL},
};

int fzpy_init_expression(PyObject *core) {
    fzpy_state *state = fzpy_state_of(core);
    state->expressions = PyDict_New();
    state->expression_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &spec, NULL);
    if (!state->expressions || !state->expression_type || PyModule_AddType(core, state->expression_type) < 0)
        return -1;
    if (fzpy_add_functions(core, core, "forzium._core", private_functions) < 0) return -1;
    return fzpy_add_functions(core, core, "forzium", functions);
}
