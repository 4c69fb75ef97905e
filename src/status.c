/* Error codes, the thread's last message and the names of the reductions. */
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

static _Thread_local char last_message[1024]; /* has room for the shapes of FZ_MAX_OPERANDS arrays */

const char *fz_error_message(void) { return last_message; }

fz_status fz__fail(fz_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_message, sizeof last_message, format, arguments);
    va_end(arguments);
    return status;
}

const char *fz__format_shape(fz__shape_text *buffer, int ndim, const ptrdiff_t *shape) {
    size_t used = 1;
    buffer->text[0] = '(';
    for (int d = 0; d < ndim; d++) {
        const char *separator = d + 1 < ndim ? ", " : ndim == 1 ? "," : "";
        int length = snprintf(buffer->text + used, sizeof buffer->text - used, "%td%s", shape[d], separator);
        if (used + (size_t)length + sizeof "...)" > sizeof buffer->text) { /* no room for the rest */
            snprintf(buffer->text + used, sizeof "...)", "...)");
            return buffer->text;
        }
        used += (size_t)length;
    }
    buffer->text[used] = ')';
    buffer->text[used + 1] = '\0';
    return buffer->text;
}

const char *fz_version(void) { return FZ_VERSION; }

static const struct {
    const char *name, *doc;
} reductions[FZ_REDUCTION_COUNT] = {
#define FZ_REDUCTION(name, family, join, elements, doc) {#name, doc},
#include "ops.def"
};

const char *fz_reduction_name(fz_reduction reduction) { return reductions[reduction].name; }
const char *fz_reduction_doc(fz_reduction reduction) { return reductions[reduction].doc; }
