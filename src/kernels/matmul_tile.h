/* The register tile of matmul.c, for which pack.c makes panels, MR rows by NR columns; and what is asked for while one
   is computed.

   8 x 3 vectors fill 28 of 32 registers, 4 x 3 all of 16: enough chains of multiply-adds to hide their latency, and
   fewer loads than multiplications. (14 x 2 and 6 x 4 run no faster where both fit, and have wider fringes.) */
#ifndef FZ_MATMUL_TILE_H
#define FZ_MATMUL_TILE_H

#include "vec.h"

enum {
    MR = FZ_VECTOR_REGISTERS == 32 ? 8 : 4,
    NV = 3,
    NR = NV * W,
};

/* ---- what comes next ---------------------------------------------------------------------------------------- */

enum {
    ROW_LINES = (NR * sizeof(T) + FZ_CACHE_LINE - 2) / FZ_CACHE_LINE + 1
}; /* of a row of a panel that begins anywhere */

/* Lines that are asked for while a tile is computed, one with each step of k: what comes next may come from as far as
   L3, or from memory. Addresses, as they may lie behind the end of B. */
typedef struct next_lines {
    uintptr_t first;
    ptrdiff_t step;
} next_lines;

/* Of the next panel of B in place, for a panel's tile `index`: a line of every row. */
FZ_INLINE next_lines of_rows(const char *panel, ptrdiff_t row_stride, size_t index) {
    return (next_lines){(uintptr_t)panel + index % ROW_LINES * FZ_CACHE_LINE, row_stride};
}

/* From line to line of the next packed panel that the tiles of m rows ask for: equal parts, of no more than a step. */
FZ_INLINE ptrdiff_t step_of_packed(ptrdiff_t step, size_t m) {
    return m <= MR ? step : step * MR / (ptrdiff_t)m + 1;
}

FZ_INLINE next_lines of_packed(const char *panel, ptrdiff_t step, size_t k, size_t index) {
    return (next_lines){(uintptr_t)panel + index * k * (size_t)step, step};
}

/* Of a list that is not at its end k lines of the first column, and beyond it where it has fewer left. */
FZ_INLINE next_lines of_list(fz_ahead **list, size_t k) {
    fz_ahead *ahead = *list;
    const next_lines next = {ahead->first + (size_t)(ahead->at * ahead->step), ahead->step};
    ahead->at += (ptrdiff_t)k;
    if (ahead->at >= ahead->lines) {
        ahead->at = 0;
        ahead->first += FZ_CACHE_LINE;
        *list += --ahead->columns == 0;
    }
    return next;
}

#endif
