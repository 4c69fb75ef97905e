/* The pool of threads and the machine, as Python sees them. */
#include "core.h"

static int set_item(PyObject *dict, const char *key, PyObject *value) {
    const int status = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return status;
}

PyObject *fzpy_thread_metrics(bool reset) {
    fz_thread_metrics m;
    fz_get_thread_metrics(&m, reset);
    const double mean = m.observation_seconds > 0 ? m.busy_seconds / m.observation_seconds : 0;
    PyObject *dict = PyDict_New();
    if (!dict) return NULL;
    if (set_item(dict, "observed_threads", PyLong_FromLong(m.observed_threads)) < 0 ||
        set_item(dict, "max_active_threads", PyLong_FromLong(m.max_active_threads)) < 0 ||
        set_item(dict, "mean_active_threads", PyFloat_FromDouble(mean)) < 0 ||
        set_item(dict, "utilization_percent", PyFloat_FromDouble(100 * mean / m.pool_size)) < 0 ||
        set_item(dict, "peak_saturation", PyFloat_FromDouble((double)m.max_active_threads / m.pool_size)) <
            0 ||
        set_item(dict, "total_tasks_started", PyLong_FromUnsignedLongLong(m.tasks_started)) < 0 ||
        set_item(dict, "total_tasks_completed", PyLong_FromUnsignedLongLong(m.tasks_completed)) < 0 ||
        set_item(dict, "mean_task_duration_us", PyFloat_FromDouble(m.mean_task_us)) < 0 ||
        set_item(dict, "max_task_duration_us", PyFloat_FromDouble(m.max_task_us)) < 0 ||
        set_item(dict, "min_task_duration_us", PyFloat_FromDouble(m.min_task_us)) < 0 ||
        set_item(dict, "busy_time_seconds", PyFloat_FromDouble(m.busy_seconds)) < 0 ||
        set_item(dict, "observation_seconds", PyFloat_FromDouble(m.observation_seconds)) < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *thread_pool_metrics(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames) {
    static const fzpy_signature signature = {"thread_pool_metrics", 1, 0, 0, 1, {"reset"}};
    PyObject *values[1];
    (void)self;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) < 0) return NULL;
    const int reset = values[0] ? PyObject_IsTrue(values[0]) : 0;
    return reset < 0 ? NULL : fzpy_thread_metrics(reset);
}

static PyObject *set_num_threads(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"set_num_threads", 1, 1, 0, 1, {"n"}};
    PyObject *values[1];
    Py_ssize_t n;
    (void)self;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) < 0) return NULL;
    if (fzpy_read_size("set_num_threads", "n", values[0], &n) < 0) return NULL;
    if (n < 1 || n > FZ_MAX_THREADS)
        return PyErr_Format(PyExc_ValueError, "set_num_threads: n is %zd; 1 to %d would do", n,
                            FZ_MAX_THREADS);
    const fz_status status = fz_set_num_threads((int)n);
    return status ? fzpy_raise(status) : Py_NewRef(Py_None);
}

static PyObject *get_num_threads(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
    return PyLong_FromLong(fz_get_num_threads());
}

static PyObject *detect_simd_support(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
    return PyUnicode_FromString(fz_simd_detected());
}

/* dtype -> (rows, columns) of the matmul micro-kernel, or (steps, rows) that are packed at a time. */
static PyObject *list_sizes(const fz_cpu_info *cpu, bool of_block) {
    PyObject *sizes = PyDict_New();
    for (int dtype = 0; sizes && dtype < FZ_FULL_DTYPES; dtype++) {
        const Py_ssize_t first = of_block ? cpu->matmul_block[dtype][0] : cpu->matmul_tile[dtype][0];
        const Py_ssize_t second = of_block ? cpu->matmul_block[dtype][1] : cpu->matmul_tile[dtype][1];
        if (set_item(sizes, fz_dtype_name((fz_dtype)dtype), Py_BuildValue("(nn)", first, second)) < 0)
            Py_CLEAR(sizes);
    }
    return sizes;
}

/* Of the dtypes for whose products the CPU has instructions. */
static PyObject *list_narrow(const fz_cpu_info *cpu) {
    PyObject *names = PyList_New(0);
    for (int dtype = 0; names && dtype < FZ_DTYPE_COUNT; dtype++) {
        if (!cpu->matmul_narrow[dtype]) continue;
        PyObject *name = PyUnicode_FromString(fz_dtype_name((fz_dtype)dtype));
        if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
        Py_XDECREF(name);
    }
    return names;
}

static PyObject *info(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
    fz_cpu_info cpu;
    const fz_status status = fz_get_cpu_info(&cpu);
    if (status) return fzpy_raise(status);
    PyObject *tiles = list_sizes(&cpu, false), *blocks = tiles ? list_sizes(&cpu, true) : NULL;
    PyObject *narrow = blocks ? list_narrow(&cpu) : NULL;
    /* Fails, and drops the rest, where one of these is NULL. */
    return Py_BuildValue(
        "{s:s,s:s,s:s,s:i,s:{s:n,s:n,s:n},s:{s:n,s:N,s:N,s:N}}", "version", fz_version(), "simd", cpu.simd,
        "simd_detected", fz_simd_detected(), "num_threads", fz_get_num_threads(), "cache_bytes", "l1",
        (Py_ssize_t)cpu.l1, "l2", (Py_ssize_t)cpu.l2, "l3", (Py_ssize_t)cpu.l3, "kernels", "vector_bytes",
        (Py_ssize_t)cpu.vector_bytes, "matmul_tile", tiles, "matmul_block", blocks, "matmul_narrow", narrow);
}

PyDoc_STRVAR(
    thread_pool_metrics_doc,
    "thread_pool_metrics($module, /, reset=False)\n--\n\n"
    "What the pool of threads has done since the first split call, or since the last reset.\n\n"
    "Parameters\n----------\n"
    "reset : bool, optional\n"
    "    Start anew after reading.\n\n"
    "Returns\n-------\n"
    "dict\n"
    "    observed_threads, max_active_threads (callers included), mean_active_threads,\n"
    "    utilization_percent, peak_saturation (max_active_threads over the pool's size),\n"
    "    total_tasks_started, total_tasks_completed, mean_task_duration_us, max_task_duration_us,\n"
    "    min_task_duration_us, busy_time_seconds, observation_seconds. A task is one range of a call\n"
    "    that is split; other calls do not count.\n\n"
    "Notes\n-----\n"
    "utilization_percent is busy_time_seconds in percent of observation_seconds times the pool's size, time\n"
    "without work included. As callers work beside the pool's threads it may exceed 100, and\n"
    "peak_saturation 1. While calls run, and after a reset during one, tasks started and completed need not\n"
    "match. A forked child goes on from its parent's counts.\n\n"
    "Examples\n--------\n"
    ">>> import forzium\n"
    ">>> forzium.thread_pool_metrics()['total_tasks_started'] >= 0\n"
    "True\n");
PyDoc_STRVAR(set_num_threads_doc,
             "set_num_threads($module, /, n)\n--\n\n"
             "Set the size of the pool that all calls share, callers' own part included.\n\n"
             "Parameters\n----------\n"
             "n : int\n"
             "    1 to 256; takes effect at the next call.\n\n"
             "Raises\n------\n"
             "ValueError\n"
             "    For another number.\n\n"
             "Examples\n--------\n"
             ">>> import forzium\n"
             ">>> before = forzium.get_num_threads()\n"
             ">>> forzium.set_num_threads(2)\n"
             ">>> forzium.get_num_threads()\n"
             "2\n"
             ">>> forzium.set_num_threads(before)\n");
PyDoc_STRVAR(
    get_num_threads_doc,
    "get_num_threads($module, /)\n--\n\n"
    "The size of the pool that all calls share.\n\n"
    "Returns\n-------\n"
    "int\n"
    "    At first the smaller of the CPU affinity and the container's CPU quota, or the environment\n"
    "    variable FORZIUM_NUM_THREADS.\n\n"
    "Examples\n--------\n"
    ">>> import forzium\n"
    ">>> forzium.get_num_threads() >= 1\n"
    "True\n");
PyDoc_STRVAR(detect_simd_support_doc,
             "detect_simd_support($module, /)\n--\n\n"
             "The highest instruction set that this CPU and this build have.\n\n"
             "Returns\n-------\n"
             "str\n"
             "    'sse2', 'avx2', 'avx512', 'neon' or 'generic'. The one in use may be lower: see info().\n\n"
             "Examples\n--------\n"
             ">>> import forzium\n"
             ">>> forzium.detect_simd_support() in ('sse2', 'avx2', 'avx512', 'neon', 'generic')\n"
             "True\n");
PyDoc_STRVAR(info_doc,
             "info($module, /)\n--\n\n"
             "Version, instruction set, threads, caches and the kernels chosen.\n\n"
             "Returns\n-------\n"
             "dict\n"
             "    version, simd (in use), simd_detected, num_threads, cache_bytes (l1, l2, l3, as\n"
             "    they are counted on: at most 256 KB, 8 MB, and of l3 16 MB for each usable CPU),\n"
             "    kernels (vector_bytes;\n"
             "    per dtype matmul_tile: rows and columns of the micro-kernel, and matmul_block:\n"
             "    steps and rows that are packed at a time; matmul_narrow: dtypes for whose\n"
             "    products the CPU has instructions).\n\n"
             "Examples\n--------\n"
             ">>> import forzium\n"
             ">>> sorted(forzium.info())\n"
             "['cache_bytes', 'kernels', 'num_threads', 'simd', 'simd_detected', 'version']\n");

#define WITH_NAMES METH_FASTCALL | METH_KEYWORDS
static PyMethodDef functions[] = {
    {"thread_pool_metrics", (PyCFunction)(void (*)(void))thread_pool_metrics, WITH_NAMES,
     thread_pool_metrics_doc},
    {"set_num_threads", (PyCFunction)(void (*)(void))set_num_threads, WITH_NAMES, set_num_threads_doc},
    {"get_num_threads", get_num_threads, METH_NOARGS, get_num_threads_doc},
    {"detect_simd_support", detect_simd_support, METH_NOARGS, detect_simd_support_doc},
    {"info", info, METH_NOARGS, info_doc},
    {NULL, NULL, 0, NULL},
};

int fzpy_init_threads(PyObject *core) { return fzpy_add_functions(core, core, "forzium", functions); }
