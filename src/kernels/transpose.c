/* Transposes a tile in register blocks of W x W. */
#include "vec.h"

static void transpose_block(const char *src, ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride) {
    vec rows[W];
    for (int i = 0; i < W; i++) rows[i] = vload(src + i * src_stride);
    vtranspose(rows, W);
    for (int i = 0; i < W; i++) vstore(dst + i * dst_stride, rows[i]);
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
    const size_t whole_rows = rows - rows % W, whole_columns = columns - columns % W;
    for (size_t j = 0; j < whole_columns; j += W) {
        for (size_t i = 0; i < whole_rows; i += W)
            transpose_block(from + (ptrdiff_t)i * src_stride + j * sizeof(T), src_stride,
                            to + (ptrdiff_t)j * dst_stride + i * sizeof(T), dst_stride);
    }
    transpose_edge(rows - whole_rows, columns, from + (ptrdiff_t)whole_rows * src_stride, src_stride,
                   to + whole_rows * sizeof(T), dst_stride);
    transpose_edge(whole_rows, columns - whole_columns, from + whole_columns * sizeof(T), src_stride,
                   to + (ptrdiff_t)whole_columns * dst_stride, dst_stride);
}
