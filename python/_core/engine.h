/* What the files behind forzium_engine share. */
#ifndef FZPY_ENGINE_H
#define FZPY_ENGINE_H

#include "core.h"

/* A row of a function table: NAME and NAME_doc. */
#define FZPY_FUNCTION(name) \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, name##_doc}

extern PyMethodDef fzpy_engine_matrix_functions[]; /* engine_matrices.c */
extern PyMethodDef fzpy_engine_vector_functions[]; /* engine_vectors.c */

/* engine.c: out = op(x, scalar), computed in out's dtype; large work releases the GIL. */
fz_status fzpy_apply_scalar(fz_op op, const fz_array *x, double scalar, fz_array *out);

#endif
