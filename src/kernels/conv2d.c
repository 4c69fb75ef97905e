/* Convolution of a few channels: blocks of outputs in registers, one column of the window after the other.

   Each vector of x is loaded once for all rows of the block that it reaches, so that multiply-adds, not loads, set the
   pace from windows of three rows on. A window of any stride, dilation and number of channels is a list of columns. */
#include "vec.h"

enum { ROWS = 4, VECTORS = FZ_VECTOR_REGISTERS == 32 ? 4 : 2 };

/* Row r of the elements below the block: acc[i] += weights[-i] * x for first <= i < last. */
FZ_INLINE void add_row(vec acc[ROWS][VECTORS], const char *x, const T *weights, int first, int last,
                       int vectors, size_t lanes) {
    vec row[VECTORS];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        row[v] = vkeep(lanes == W ? vload(x + v * (ptrdiff_t)sizeof(vec)) : vload_part(x, lanes, 0));
#pragma GCC unroll 4
    for (int i = first; i < last; i++) {
        const vec weight = vsplat(weights[-i]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] += weight * row[v];
    }
}

/* A column of a height known to the compiler, less than the block's. */
FZ_INLINE void add_low_column(vec acc[ROWS][VECTORS], const char *x, ptrdiff_t stride, const T *weights,
                              int height, int vectors, size_t lanes) {
#pragma GCC unroll 8
    for (int r = 0; r < height + ROWS - 1; r++)
        add_row(acc, x + r * stride, weights + r, r < height ? 0 : r - height + 1, r < ROWS ? r + 1 : ROWS,
                vectors, lanes);
}

/* The first rows of x reach only the block's first rows, the last ones only its last. */
FZ_INLINE void add_high_column(vec acc[ROWS][VECTORS], const char *x, ptrdiff_t stride, const T *weights,
                               size_t height, int vectors, size_t lanes) {
#pragma GCC unroll 4
    for (int r = 0; r < ROWS - 1; r++, x += stride) add_row(acc, x, weights++, 0, r + 1, vectors, lanes);
    for (size_t r = ROWS - 1; r < height; r++, x += stride)
        add_row(acc, x, weights++, 0, ROWS, vectors, lanes);
#pragma GCC unroll 4
    for (int r = 1; r < ROWS; r++, x += stride) add_row(acc, x, weights++, r, ROWS, vectors, lanes);
}

FZ_INLINE void add_column(vec acc[ROWS][VECTORS], const char *x, ptrdiff_t stride, const T *weights,
                          size_t height, int rows, int vectors, size_t lanes) {
    if (rows == 1)
        for (size_t p = 0; p < height; p++)
            add_row(acc, x + (ptrdiff_t)p * stride, weights + p, 0, 1, vectors, lanes);
    else if (height == 3)
        add_low_column(acc, x, stride, weights, 3, vectors, lanes);
    else if (height == 2)
        add_low_column(acc, x, stride, weights, 2, vectors, lanes);
    else if (height == 1)
        add_low_column(acc, x, stride, weights, 1, vectors, lanes);
    else
        add_high_column(acc, x, stride, weights, height, vectors, lanes);
}

/* rows and vectors are constants wherever this is inlined; lanes is W but for a single vector. */
FZ_INLINE void convolve_block(const fz_window *window, const char *x, char *out, int rows, int vectors,
                              size_t lanes) {
    vec acc[ROWS][VECTORS];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[i][v] = vsplat(load_one(window->initial));
    }
    const T *weights = window->weights;
    for (size_t c = 0; c < window->count; c++) {
        const fz_window_column column = window->columns[c];
        add_column(acc, x + column.offset, window->x_stride, weights, column.height, rows, vectors, lanes);
        weights += column.height;
    }
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            char *at = out + i * window->out_stride + v * (ptrdiff_t)sizeof(vec);
            if (lanes == W)
                vstore(at, acc[i][v]);
            else
                vstore_part(at, acc[i][v], lanes);
        }
    }
}

/* What is left of a line after blocks of whole vectors is computed with some of its predecessors again. */
FZ_INLINE void convolve_line(const fz_window *window, size_t w, const char *x, char *out, int rows) {
    size_t j = 0;
    for (; j + VECTORS * W <= w; j += VECTORS * W)
        convolve_block(window, x + j * sizeof(T), out + j * sizeof(T), rows, VECTORS, W);
    if (VECTORS > 2 && j + 2 * W <= w) {
        convolve_block(window, x + j * sizeof(T), out + j * sizeof(T), rows, 2, W);
        j += 2 * W;
    }
    for (; j < w && w >= W; j += W) {
        const size_t at = (j + W <= w ? j : w - W) * sizeof(T);
        convolve_block(window, x + at, out + at, rows, 1, W);
    }
    if (w < W) convolve_block(window, x, out, rows, 1, w);
}

static void convolve_rows(const fz_window *window, size_t w, const char *x, char *out) {
    convolve_line(window, w, x, out, ROWS);
}

static void convolve_row(const fz_window *window, size_t w, const char *x, char *out) {
    convolve_line(window, w, x, out, 1);
}

extern fz_conv2d_direct FZ_KERNEL(conv2d_direct);
void FZ_KERNEL(conv2d_direct)(const fz_window *window, size_t h, size_t w, const void *x, void *out) {
    size_t i = 0;
    while (i < h) {
        const bool block = h >= ROWS && h - i > 1;
        const ptrdiff_t at = (ptrdiff_t)(block && i + ROWS > h ? h - ROWS : i);
        (block ? convolve_rows : convolve_row)(window, w, (const char *)x + at * window->x_stride,
                                               (char *)out + at * window->out_stride);
        i = (size_t)at + (block ? ROWS : 1);
    }
}

/* ---- every other column ------------------------------------------------------------------------------------- */

extern fz_split FZ_KERNEL(split);
void FZ_KERNEL(split)(size_t n, const void *x, void *evens, void *odds) {
    const char *from = x;
    for (size_t i = 0; i < n && n >= W; i += W) {
        const size_t at = (i + W <= n ? i : n - W) * sizeof(T);
        const vec a = vload(from + 2 * at), b = vload(from + 2 * at + sizeof(vec));
        vstore((char *)evens + at, vevens(a, b));
        vstore((char *)odds + at, vodds(a, b));
    }
    for (size_t i = 0; i < n && n < W; i++) {
        store_one((char *)evens + i * sizeof(T), load_one(from + 2 * i * sizeof(T)));
        store_one((char *)odds + i * sizeof(T), load_one(from + (2 * i + 1) * sizeof(T)));
    }
}
