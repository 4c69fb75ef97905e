/* Status codes to exceptions. */
#include "core.h"

PyObject *fzpy_raise(fz_status status) {
    PyObject *type = status == FZ_ERROR_DTYPE    ? PyExc_TypeError
                     : status == FZ_ERROR_MEMORY ? PyExc_MemoryError
                                                 : PyExc_ValueError;
    PyErr_SetString(type, fz_error_message());
    return NULL;
}
