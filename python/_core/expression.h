/* What the files of expressions share; expression.c owns the type. */
#ifndef FZPY_EXPRESSION_H
#define FZPY_EXPRESSION_H

#include "numpy_api.h"

#include <stdatomic.h>

enum {
    FZPY_MAX_CACHED = 256, /* texts, and kinds of inputs of one expression */
    FZPY_MAX_ARRAYS = FZ_MAX_EXPRESSION_ARRAYS,
};

typedef struct fzpy_compilation fzpy_compilation;

typedef struct fzpy_expression {
    PyObject_HEAD vectorcallfunc vectorcall;
    PyObject *weak_references;
    PyObject *text;     /* NULL where it comes from a function */
    PyObject *function; /* NULL where it comes from text */
    PyObject *names;    /* tuple of str */
    int reduction;      /* joins the elements of the only output; FZ_REDUCTION_COUNT: nothing does */
    PyObject *axis;     /* None, an int or a tuple of ints */
    _Atomic(fzpy_compilation *) compiled; /* for the kinds of inputs that came so far */
    bool is_tuple;                        /* gives a tuple of arrays */
    uint64_t unread; /* inputs that take no part, which functions may have: a bit for each */
    fz_program program;
} fzpy_expression;

/* Where results go: arrays or NULL, and what they may be cast to. */
typedef struct fzpy_destination {
    PyObject *out;
    NPY_CASTING casting;
    bool c_order; /* new arrays are C-ordered; else their axes lie in memory as the inputs' do */
} fzpy_destination;

/* ---- expression.c: the type, and making one ---------------------------------------------------------------- */

extern PyType_Spec fzpy_expression_spec;
/* From a Program (forzium/expressions.py), whose reference it takes; text or function is where it comes from. */
PyObject *fzpy_make_expression(fzpy_state *state, PyObject *program, PyObject *text, PyObject *function);
/* The Program that a module's function makes of a text or a function, in the default floating-point modes. */
PyObject *fzpy_make_program(const char *of_module, const char *function, PyObject *argument);
/* The expression of a text, from the cache of the last ones or new; a new reference. */
PyObject *fzpy_find_expression(PyObject *core, PyObject *text);

/* ---- expression_compute.c ---------------------------------------------------------------------------------- */

extern const char fzpy_evaluate_name[];
/* values: an object for each name. */
PyObject *fzpy_compute_expression(fzpy_expression *self, PyObject *const values[],
                                  const fzpy_destination *to);
void fzpy_forget_compiled(fzpy_expression *self);

#endif
