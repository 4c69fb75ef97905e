/* forzium_engine, the guide's standard bindings: the cost of a call, the size of the pool, and the table. */
#include "engine.h"

fz_status fzpy_apply_scalar(fz_op op, const fz_array *x, double scalar, fz_array *out) {
    const fz_array y = {&scalar, FZ_FLOAT64, 0, NULL, NULL};
    const fz_array *inputs[] = {x, &y};
    double size = 1;
    for (int d = 0; d < out->ndim; d++) size *= (double)out->shape[d];
    PyThreadState *released = fzpy_release_gil(size);
    fz_status status = fz_elementwise(op, out->dtype, inputs, out);
    fzpy_retake_gil(released);
    return status;
}

/* ---- the cost of a call --------------------------------------------------------------------------------- */

static const char noop_doc[] = "noop()\n--\n\n"
                               "Does nothing: what a call costs.\n\n"
                               "Examples\n--------\n"
                               ">>> import forzium_engine\n"
                               ">>> forzium_engine.noop()\n";

static PyObject *noop(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"noop", 0, 0, 0, 0, {NULL}};
    (void)core;
    PyObject *values[1];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    Py_RETURN_NONE;
}

static const char echo_u64_doc[] =
    "echo_u64(n)\n--\n\n"
    "Gives n back after a way through C: what a call with an argument and a result costs.\n\n"
    "Parameters\n----------\n"
    "n : int\n    From 0 to 2**64 - 1.\n\n"
    "Returns\n-------\n"
    "int\n\n"
    "Raises\n------\n"
    "ValueError\n    n is out of range.\n"
    "TypeError\n    n is no integer.\n\n"
    "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.echo_u64(7)\n"
    "7\n";

static PyObject *echo_u64(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"echo_u64", 1, 1, 0, 1, {"n"}};
    (void)core;
    PyObject *values[1];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    if (!PyIndex_Check(values[0]))
        return PyErr_Format(PyExc_TypeError, "echo_u64: n must be an integer, not %.100s",
                            Py_TYPE(values[0])->tp_name);
    PyObject *integer = PyNumber_Index(values[0]);
    if (!integer) return NULL;
    unsigned long long n = PyLong_AsUnsignedLongLong(integer);
    Py_DECREF(integer);
    if (n != (unsigned long long)-1 || !PyErr_Occurred()) return PyLong_FromUnsignedLongLong(n);
    if (PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_SetString(PyExc_ValueError, "echo_u64: n is out of range; 0 to 2**64 - 1 would do");
    return NULL;
}

/* ---- the size of the pool -------------------------------------------------------------------------------- */

static const char optimize_thread_pools_doc[] =
    "optimize_thread_pools()\n--\n\n"
    "Sets the pool's size to the number of CPUs that this process may use now: its affinity and its\n"
    "container's quota are read again.\n\n"
    "Returns\n-------\n"
    "int\n    That number.\n\n"
    "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.optimize_thread_pools() >= 1\n"
    "True\n";

static PyObject *optimize_thread_pools(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames) {
    static const fzpy_signature signature = {"optimize_thread_pools", 0, 0, 0, 0, {NULL}};
    (void)core;
    PyObject *values[1];
    if (fzpy_parse(&signature, args, nargs, kwnames, values)) return NULL;
    const int n = Py_MIN(fz_usable_cpus(), FZ_MAX_THREADS);
    fz_status status = fz_set_num_threads(n);
    return status != FZ_OK ? fzpy_raise(status) : PyLong_FromLong(n);
}

static const char configure_rayon_thread_pool_doc[] =
    "configure_rayon_thread_pool(thread_count)\n--\n\n"
    "Sets the pool's size, at any time; callers' own part is included.\n\n"
    "Parameters\n----------\n"
    "thread_count : int\n    From 1 to 256.\n\n"
    "Returns\n-------\n"
    "int\n    thread_count.\n\n"
    "Raises\n------\n"
    "ValueError\n    thread_count is out of range.\n"
    "TypeError\n    thread_count is no integer.\n\n"
    "Examples\n--------\n"
    ">>> import forzium_engine\n"
    ">>> forzium_engine.configure_rayon_thread_pool(thread_count=forzium_engine.optimize_thread_pools()) >= "
    "1\n"
    "True\n";

static PyObject *configure_rayon_thread_pool(PyObject *core, PyObject *const *args, Py_ssize_t nargs,
                                             PyObject *kwnames) {
    static const fzpy_signature signature = {"configure_rayon_thread_pool", 1, 1, 0, 1, {"thread_count"}};
    (void)core;
    PyObject *values[1];
    Py_ssize_t n;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) ||
        fzpy_read_size(signature.function, "thread_count", values[0], &n))
        return NULL;
    if (n < 1 || n > FZ_MAX_THREADS)
        return PyErr_Format(PyExc_ValueError, "%s: thread_count is %zd; 1 to %d would do", signature.function,
                            n, FZ_MAX_THREADS);
    fz_status status = fz_set_num_threads((int)n);
    return status != FZ_OK ? fzpy_raise(status) : PyLong_FromSsize_t(n);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static PyMethodDef functions[] = {
    FZPY_FUNCTION(noop),
    FZPY_FUNCTION(echo_u64),
    FZPY_FUNCTION(optimize_thread_pools),
    FZPY_FUNCTION(configure_rayon_thread_pool),
    {NULL},
};

int fzpy_init_engine(PyObject *core) {
    PyMethodDef *const tables[] = {functions, fzpy_engine_matrix_functions, fzpy_engine_vector_functions};
    PyObject *engine = PyModule_New("forzium._core.engine");
    int failed = engine ? PyModule_AddObjectRef(core, "engine", engine) : -1;
    for (size_t i = 0; !failed && i < sizeof tables / sizeof *tables; i++)
        failed = fzpy_add_functions(core, engine, "forzium_engine", tables[i]);
    Py_XDECREF(engine);
    return failed;
}
