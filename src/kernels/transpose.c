/* Transposes a tile in blocks of SIDE x SIDE in registers. */
#include "vec.h"

static void transpose_block(const char *src, ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride) {
    square_row rows[SIDE];
    for (int i = 0; i < SIDE; i++) memcpy(&rows[i], src + i * src_stride, sizeof rows[i]);
    vtranspose_square(rows);
    for (int i = 0; i < SIDE; i++) memcpy(dst + i * dst_stride, &rows[i], sizeof rows[i]);
}

static void transpose_edge(size_t rows, size_t columns, const char *src, ptrdiff_t src_stride, char *dst,
                           ptrdiff_t dst_stride) {
    for (size_t j = 0; j < columns; j++) {
        for (size_t i = 0; i < rows; i++)
            memcpy(dst + (ptrdiff_t)j * dst_stride + i * sizeof(T),
                   src + (ptrdiff_t)i * src_stride + j * sizeof(T), sizeof(T));
    }
}

extern fz_transpose_tile FZ_KERNEL(transpose);
void FZ_KERNEL(transpose)(size_t rows, size_t columns, const void *src, ptrdiff_t src_stride, void *dst,
                          ptrdiff_t dst_stride) {
    const char *from = src;
    char *to = dst;
    const size_t whole_rows = rows - rows % SIDE, whole_columns = columns - columns % SIDE;
    for (size_t j = 0; j < whole_columns; j += SIDE) {
        for (size_t i = 0; i < whole_rows; i += SIDE)
            transpose_block(from + (ptrdiff_t)i * src_stride + j * sizeof(T), src_stride,
                            to + (ptrdiff_t)j * dst_stride + i * sizeof(T), dst_stride);
    }
    transpose_edge(rows - whole_rows, columns, from + (ptrdiff_t)whole_rows * src_stride, src_stride,
                   to + whole_rows * sizeof(T), dst_stride);
    transpose_edge(whole_rows, columns - whole_columns, from + whole_columns * sizeof(T), src_stride,
                   to + (ptrdiff_t)whole_columns * dst_stride, dst_stride);
}
