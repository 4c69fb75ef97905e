/* Rows of vectors whose elements change places: what transposes are made of. square_row, SIDE and the two shuffles are of
   vec.h for floats, of vec_integer.h for narrow integers. */
#ifndef FZ_VEC_SQUARE_H
#define FZ_VEC_SQUARE_H

/* Rotates the bits of an element's index, the row's above the lane's, log2(factor) times, by which row i and row
   i + count / 2 interleave into rows 2i and 2i + 1. count is a power of two, at most SIDE. */
FZ_INLINE void vrotate(square_row rows[], int count, int factor) {
#pragma GCC unroll 4
    for (int turned = 1; turned < factor; turned *= 2) {
        square_row next[SIDE];
#pragma GCC unroll 8
        for (int i = 0; i < count / 2; i++) {
            next[2 * i] = __builtin_shufflevector(rows[i], rows[i + count / 2], FZ_SQUARE_LOW);
            next[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + count / 2], FZ_SQUARE_HIGH);
        }
#pragma GCC unroll 16
        for (int i = 0; i < count; i++) rows[i] = next[i];
    }
}

/* Lane j of row i goes to place j * count + i of the row-major result. */
FZ_INLINE void vtranspose(square_row rows[], int count) { vrotate(rows, count, count); }

#endif
