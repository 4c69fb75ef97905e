/* evaluate, expression and fuse: the functions, and what Python learns of the library for them. */
#include "expression.h"

/* ---- evaluate ------------------------------------------------------------------------------------------------ */

/* Where names are looked up. */
typedef struct scope {
    PyObject *locals, *globals; /* borrowed; NULL: there are none; the caller's, if they are asked for */
    bool is_snapshot;           /* locals is a copy of a function's variables, which keeps them alive */
} scope;

static PyObject *look_up(PyObject *names, PyObject *name) {
    PyObject *value = NULL;
    if (!names) return NULL;
    if (PyDict_CheckExact(names)) return fzpy_dict_get(names, name);
    value = PyObject_GetItem(names, name);
    if (!value && PyErr_ExceptionMatches(PyExc_KeyError)) PyErr_Clear();
    return value;
}

/* Where in the text the name stands is looked for when somebody wants to know it. */
static void fail_missing(const fzpy_expression *self, PyObject *name) {
    PyObject *module = PyImport_ImportModule("forzium.expression_errors");
    PyObject *text = self->text ? self->text : Py_None;
    Py_XDECREF(module ? PyObject_CallMethod(module, "fail_missing", "OO", text, name) : NULL);
    Py_XDECREF(module);
}

static PyObject *evaluate_in(fzpy_expression *self, const scope *s, const fzpy_destination *to) {
    PyObject *values[FZPY_MAX_ARRAYS], *result = NULL;
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
        result = fzpy_compute_expression(self, values, to);
    else if (!PyErr_Occurred())
        fail_missing(self, PyTuple_GET_ITEM(self->names, found));
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
    PyErr_Format(PyExc_ValueError, "%s: %s is %R; %s", fzpy_evaluate_name, name, value, remedy);
    return -1;
}

/* Those that would change the result are refused. The others change nothing: no optimization touches a bit, names
   are always checked, and no cache keeps an array. */
static int read_options(PyObject *const values[], fzpy_destination *to) {
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
    if (PyArray_CastingConverter(values[CASTING], &to->casting) == NPY_SUCCEED) return 0;
    return fzpy_name_argument(fzpy_evaluate_name, "casting");
}

static PyObject *evaluate(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {fzpy_evaluate_name,
                                             ARGUMENTS,
                                             1,
                                             0,
                                             ARGUMENTS,
                                             {"ex", "local_dict", "global_dict", "out", "order", "casting",
                                              "sanitize", "optimization", "truediv", "disable_cache"}};
    PyObject *values[ARGUMENTS];
    fzpy_destination to = {NULL, NPY_SAME_KIND_CASTING, false};
    if (fzpy_parse(&signature, args, nargs, kwnames, values) < 0 || read_options(values, &to) < 0)
        return NULL;
    for (int k = 1; k < 3; k++) {
        if (values[k] && values[k] != Py_None && !PyMapping_Check(values[k]))
            return PyErr_Format(PyExc_TypeError,
                                "evaluate: %s is of type %s; a mapping of names to values would do",
                                signature.names[k], Py_TYPE(values[k])->tp_name);
    }
    if (values[3] != Py_None) to.out = values[3];
    PyObject *self = fzpy_find_expression(core, values[0]);
    if (!self) return NULL;
    const bool has_locals = values[1] && values[1] != Py_None;
    scope s = {values[1], values[2] == Py_None ? NULL : values[2], false};
    if (!has_locals) {
        s.locals = PyEval_GetLocals();
        PyErr_Clear(); /* no Python code is running: no names either */
        s.is_snapshot = s.locals && PyDict_CheckExact(s.locals) && is_function_frame();
    }
    PyObject *result = evaluate_in((fzpy_expression *)self, &s, &to);
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

static PyObject *make_expression(PyObject *core, PyObject *text) { return fzpy_find_expression(core, text); }

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
        return fzpy_make_expression(fzpy_state_of(core),
                                    fzpy_make_program("forzium.fused_functions", "trace", function), NULL,
                                    function);
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
    "    recorded; if and while on their values are a TypeError. What it returns may be one reduction (any "
    "but argmin\n"
    "    and argmax) with axis. Numbers that it reads from elsewhere stay as they are now.\n"
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
    "array([ 5., 10.])\n"
    ">>> @forzium.fuse\n"
    "... def squared_distance(x, y):\n"
    "...     return np.sum((x - y) ** 2)\n"
    ">>> float(squared_distance(np.array([3.0, 6.0]), np.array([4.0, 8.0])))\n"
    "5.0\n";

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
    state->expression_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &fzpy_expression_spec, NULL);
    if (!state->expressions || !state->expression_type || PyModule_AddType(core, state->expression_type) < 0)
        return -1;
    if (fzpy_add_functions(core, core, "forzium._core", private_functions) < 0) return -1;
    return fzpy_add_functions(core, core, "forzium", functions);
}
