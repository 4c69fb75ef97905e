/* Asks for memory while something else is computed: a little at a time, as only so many lines are on their way at
   once. Hardware follows short rows, and rows of which only a part is read, too late. */
#include "internal.h"

fz_ahead fz__ahead(const char *data, ptrdiff_t rows, ptrdiff_t bytes, ptrdiff_t stride) {
    if (rows == 1 || stride == bytes)
        return (fz_ahead){(uintptr_t)data, fz__ceil_div(rows * bytes, FZ_CACHE_LINE), FZ_CACHE_LINE, 1, 0};
    const bool is_aligned = ((uintptr_t)data | (uintptr_t)stride) % FZ_CACHE_LINE == 0;
    return (fz_ahead){(uintptr_t)data, rows, stride, fz__ceil_div(bytes, FZ_CACHE_LINE) + !is_aligned, 0};
}

void fz__ask(fz_ahead *ahead, ptrdiff_t lines) {
    while (lines > 0 && ahead->columns > 0) {
        const ptrdiff_t n = fz__min(lines, ahead->lines - ahead->at), step = ahead->step;
        uintptr_t line = ahead->first + (size_t)(ahead->at * step);
        for (ptrdiff_t i = 0; i < n; i++, line += (size_t)step) __builtin_prefetch((const void *)line);
        lines -= n;
        ahead->at += n;
        if (ahead->at < ahead->lines) return;
        ahead->at = 0;
        ahead->first += FZ_CACHE_LINE;
        ahead->columns--;
    }
}
