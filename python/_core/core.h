/* Private prototypes of the extension module forzium._core, grouped under the file that owns them.
   Nothing here computes: arguments become fz_array views, libforzium works, results become objects. */
#ifndef FZPY_CORE_H
#define FZPY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "forzium.h"

/* ---- module.c: the module and its state ---------------------------------------------------------------- */

typedef struct fzpy_state {
    PyTypeObject *operation_type; /* operation.c */
    PyTypeObject *pool_type;      /* pool.c: PoolAllocator */
    PyTypeObject *block_type;     /* pool.c: what PoolAllocator.allocate returns */
    PyObject *pool_handlers;      /* pool.c: a ContextVar, the memory handlers that `with pool:` replaced */
} fzpy_state;

/* The state of forzium._core, from the module or from one of its heap types. */
fzpy_state *fzpy_state_of(PyObject *module);
fzpy_state *fzpy_state_of_type(PyTypeObject *type);

/* Adds functions to `target` whose self is the core module and whose __module__ is module_name. */
int fzpy_add_functions(PyObject *core, PyObject *target, const char *module_name, PyMethodDef *functions);

/* Each file's part in the module's exec slot: 0, or -1 with an exception. */
int fzpy_init_operations(PyObject *core); /* operation.c, operations.c */
int fzpy_init_threads(PyObject *core);    /* threads.c */
int fzpy_init_pool(PyObject *core);       /* pool.c */
int fzpy_init_engine(PyObject *core);     /* engine.c: adds the namespace `engine` */
int fzpy_init_zero_copy(PyObject *core);  /* zero_copy.c: adds the namespace `zero_copy` */

/* Below this many element-operations (about 5 us of work) a call keeps the GIL. */
#define FZPY_KEEP_GIL_BELOW 10000

/* ---- errors.c ------------------------------------------------------------------------------------------- */

/* Raises what status stands for, with the library's message; returns NULL. */
PyObject *fzpy_raise(fz_status status);

/* ---- numpy_api.c: NumPy's C API, loaded at first need ----------------------------------------------------- */

/* 0, or -1 with an exception. After 0 the PyArray_ functions may be used (include numpy_api.h). */
int fzpy_load_numpy(void);

/* ---- args.c: arguments of vectorcall functions -------------------------------------------------------------- */

/* One function's parameters: the first `positional_only` cannot be named, those from `keyword_only` on
   must be. Build it once as static const. */
typedef struct fzpy_signature {
    const char *function;
    int count, required, positional_only, keyword_only;
    const char *names[12];
} fzpy_signature;

/* Sorts a vectorcall's arguments into values[signature->count], NULL where absent; borrowed references. No tuple, no dict.
   -1 with a TypeError that names the function and the argument. */
int fzpy_parse(const fzpy_signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **values);

/* ---- view.c: objects to fz_array views and back ------------------------------------------------------------ */

/* A view and the reference that keeps its memory alive. */
typedef struct fzpy_view {
    fz_array array;
    PyObject *owner; /* strong; the ndarray behind the view, NULL for a scalar */
    double scalar;   /* where a scalar's 0-d view points */
    bool weak;       /* a Python scalar: takes the other operand's dtype (NEP 50) */
} fzpy_view;

/* Any array-like, without a copy where it has memory of its own. -1 with an exception that names
   operation and argument. */
int fzpy_view_input(fzpy_view *view, const char *operation, const char *argument, PyObject *object);
/* A writable ndarray, as an output: refuses read-only, masked and foreign dtypes. */
int fzpy_view_output(fzpy_view *view, const char *operation, const char *argument, PyObject *object);
/* A new C-ordered ndarray and its view. */
int fzpy_view_new(fzpy_view *view, fz_dtype dtype, int ndim, const ptrdiff_t *shape);
void fzpy_view_clear(fzpy_view *view);

/* ---- lists.c: nested lists of numbers --------------------------------------------------------------------- */

/* A (rows, columns) block of doubles, C-ordered, malloc'ed: what a list of lists holds. */
typedef struct fzpy_matrix {
    double *data;
    ptrdiff_t rows, columns;
} fzpy_matrix;

#endif
