/* NumPy's C API, loaded at the first call that meets or makes an array. */
#define FZPY_NUMPY_API_OWNER
#include "numpy_api.h"

/* The table belongs to the process, like NumPy itself; loading it twice gives the same. */
int fzpy_load_numpy(void) { return PyArray_API ? 0 : PyArray_ImportNumPyAPI(); }
