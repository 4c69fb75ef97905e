/* Asks for memory while something else is computed: a little at a time, as only so many lines are on their way at
   once. Hardware follows short rows, and rows of which only a part is read, too late. */
#include "internal.h"

ptrdiff_t fz__ahead_lines(const fz__ahead *ahead) {
    return ahead->rows * fz__ceil_div(ahead->bytes, FZ_CACHE_LINE);
}

void fz__ask(fz__ahead *ahead, ptrdiff_t lines) {
    while (lines > 0 && ahead->rows > 0) {
        const ptrdiff_t end = fz__min(ahead->bytes, ahead->at + lines * FZ_CACHE_LINE);
        for (; ahead->at < end; ahead->at += FZ_CACHE_LINE, lines--)
            __builtin_prefetch(ahead->data + ahead->at);
        if (ahead->at < ahead->bytes) return;
        ahead->at = 0;
        if (--ahead->rows > 0) ahead->data += ahead->stride;
    }
}
