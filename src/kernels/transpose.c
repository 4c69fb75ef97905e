/* Transposes a tile in blocks of SIDE x SIDE in registers. */
#include "vec.h"

FZ_INLINE square_row load_row(const char *p) {
    square_row row;
    memcpy(&row, p, sizeof row);
    return row;
}

/* Unrolled, or rows would go by way of the stack, where halves that were stored do not reach a load of the whole. */
static void transpose_block(const char *src, ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride) {
    square_row rows[SIDE];
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++) rows[i] = load_row(src + i * src_stride);
    vtranspose_square(rows);
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++) memcpy(dst + i * dst_stride, &rows[i], sizeof rows[i]);
}

/* Where there is no room for a block. */
static void transpose_narrow(size_t rows, size_t columns, const char *src, ptrdiff_t src_stride, char *dst,
                             ptrdiff_t dst_stride) {
    for (size_t j = 0; j < columns; j++) {
        for (size_t i = 0; i < rows; i++)
            memcpy(dst + (ptrdiff_t)j * dst_stride + i * sizeof(T),
                   src + (ptrdiff_t)i * src_stride + j * sizeof(T), sizeof(T));
    }
}

/* The last blocks of rows and columns overlap their neighbours. */
extern fz_transpose_tile FZ_KERNEL(transpose);
void FZ_KERNEL(transpose)(size_t rows, size_t columns, const void *src, ptrdiff_t src_stride, void *dst,
                          ptrdiff_t dst_stride) {
    if (rows < SIDE || columns < SIDE) {
        transpose_narrow(rows, columns, src, src_stride, dst, dst_stride);
        return;
    }
    for (size_t j = 0; j < columns; j += SIDE) {
        const size_t column = j + SIDE <= columns ? j : columns - SIDE;
        for (size_t i = 0; i < rows; i += SIDE) {
            const size_t row = i + SIDE <= rows ? i : rows - SIDE;
            transpose_block((const char *)src + (ptrdiff_t)row * src_stride + column * sizeof(T), src_stride,
                            (char *)dst + (ptrdiff_t)column * dst_stride + row * sizeof(T), dst_stride);
        }
    }
}
