/* The extension module forzium._core: its state, and what its files add to it. */
#include "core.h"

static int traverse(PyObject *module, visitproc visit, void *arg) {
    fzpy_state *state = fzpy_state_of(module);
    Py_VISIT(state->operation_type);
    Py_VISIT(state->pool_type);
    Py_VISIT(state->block_type);
    Py_VISIT(state->packed_type);
    Py_VISIT(state->expression_type);
    Py_VISIT(state->expressions);
    Py_VISIT(state->pool_handlers);
    return 0;
}

static int clear(PyObject *module) {
    fzpy_state *state = fzpy_state_of(module);
    Py_CLEAR(state->operation_type);
    Py_CLEAR(state->pool_type);
    Py_CLEAR(state->block_type);
    Py_CLEAR(state->packed_type);
    Py_CLEAR(state->expression_type);
    Py_CLEAR(state->expressions);
    Py_CLEAR(state->pool_handlers);
    return 0;
}

static void release(void *module) { clear(module); }

static int execute(PyObject *module) {
    const fz_status status = fz_init(); /* a bad environment variable is an error at import */
    if (status) {
        fzpy_raise(status);
        return -1;
    }
    int (*const parts[])(PyObject *) = {fzpy_init_operations, fzpy_init_elementwise, fzpy_init_reductions,
                                        fzpy_init_matmul,     fzpy_init_arrays,      fzpy_init_rowwise,
                                        fzpy_init_casts,      fzpy_init_image,       fzpy_init_threads,
                                        fzpy_init_pool,       fzpy_init_engine,      fzpy_init_zero_copy,
                                        fzpy_init_expression};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i](module) < 0) return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", fz_version());
}

fzpy_state *fzpy_state_of(PyObject *module) { return PyModule_GetState(module); }
fzpy_state *fzpy_state_of_type(PyTypeObject *type) { return PyType_GetModuleState(type); }

int fzpy_add_functions(PyObject *core, PyObject *target, const char *module_name, PyMethodDef *functions) {
    PyObject *name = PyUnicode_FromString(module_name);
    int status = name ? 0 : -1;
    for (PyMethodDef *def = functions; status == 0 && def->ml_name; def++) {
        PyObject *function = PyCFunction_NewEx(def, core, name);
        status = function ? PyObject_SetAttrString(target, def->ml_name, function) : -1;
        Py_XDECREF(function);
    }
    Py_XDECREF(name);
    return status;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, execute},
#ifdef Py_mod_multiple_interpreters
    /* Even those with a GIL of their own; NumPy, which refuses them, is asked at the first array only. */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "forzium._core", .m_size = sizeof(fzpy_state),
    .m_slots = slots,      .m_traverse = traverse,    .m_clear = clear,
    .m_free = release,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
