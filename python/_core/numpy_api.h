/* NumPy's C API for files that touch arrays; call fzpy_load_numpy() first. */
#ifndef FZPY_NUMPY_API_H
#define FZPY_NUMPY_API_H

#include "core.h"

#ifndef FZPY_NUMPY_API_OWNER
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

/* view.c: FZ_DTYPE_COUNT for a dtype that libforzium lacks. Whether the bytes are swapped is not asked. */
fz_dtype fzpy_dtype_of(const PyArray_Descr *descr);
int fzpy_npy_type_of(fz_dtype dtype);
/* NumPy's rule; bfloat16, of which it knows little, is to it as float16 is. */
bool fzpy_can_cast(fz_dtype from, fz_dtype to, NPY_CASTING casting);

/* output.c: may a result of this dtype be cast to out's? -1 with a TypeError. */
int fzpy_check_cast(const char *operation, fz_dtype dtype, const fzpy_view *out, NPY_CASTING casting);
/* fzpy_output_open under another rule of casting. */
int fzpy_output_open_as(fzpy_output *output, const char *operation, PyObject *out, NPY_CASTING casting,
                        fz_dtype dtype, int ndim, const ptrdiff_t *shape, int inputs,
                        const fzpy_view *const views[]);

#endif
