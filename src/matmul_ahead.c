/* Asks for memory while something else is computed: a little at a time, as only so many lines are on their way at
   once. Hardware follows short rows, and rows of which only a part is read, too late. */
#include "matmul.h"

fz__ahead fz__ahead_of(const fz__matrix *x, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
                       ptrdiff_t columns) {
    const ptrdiff_t bytes = columns * x->column_stride;
    const char *data = x->data + row * x->row_stride + column * x->column_stride;
    if (bytes == x->row_stride) return (fz__ahead){data, 1, rows * bytes, 0, 0};
    return (fz__ahead){data, rows, bytes, x->row_stride, 0};
}

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
        ahead->data += ahead->stride;
        ahead->rows--;
    }
}
