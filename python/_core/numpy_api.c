/* NumPy's C API, loaded at the first call that meets or makes an array. */
#define FZPY_NUMPY_API_OWNER
#include "numpy_api.h"

#include <pthread.h>
#include <stdatomic.h>

/* The interpreter that last imported NumPy. No identity is given twice. */
static _Atomic int64_t importer = -1;

/* The table belongs to the process and is written once, though interpreters with a GIL each, and threads
   without one, arrive together. Whoever waits lets go of the GIL, which the one who loads may need. */
static int load_table(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    Py_BEGIN_ALLOW_THREADS;
    pthread_mutex_lock(&mutex);
    Py_END_ALLOW_THREADS;
    /* Not PyArray_ImportNumPyAPI, which prints the exception and raises one that does not say why. */
    if (!loaded) loaded = _import_array() == 0;
    const int status = loaded ? 0 : -1;
    pthread_mutex_unlock(&mutex);
    return status;
}

bool fzpy_has_numpy(void) { return atomic_load_explicit(&importer, memory_order_acquire) >= 0; }

/* Even where the table is there, each interpreter must import NumPy itself, or be refused by it. */
int fzpy_load_numpy(void) {
    const int64_t interpreter = PyInterpreterState_GetID(PyInterpreterState_Get());
    if (atomic_load_explicit(&importer, memory_order_acquire) == interpreter) return 0;
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (!numpy) return -1;
    Py_DECREF(numpy);
    if (load_table() < 0) return -1;
    atomic_store_explicit(&importer, interpreter, memory_order_release);
    return 0;
}
