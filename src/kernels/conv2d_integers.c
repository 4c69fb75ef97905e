/* Convolution of integers of 32 and 64 bits, which wrap: row by row, since products, not loads, set the pace. */
#include "vec.h"

enum { VECTORS = 2 };

/* vectors is a constant wherever this is inlined; lanes is W but for a single vector. */
FZ_INLINE void convolve_block(const fz_window *window, const char *x, char *out, int vectors, size_t lanes) {
    const T *weights = window->weights;
    vec sums[VECTORS];
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) sums[v] = vsplat(load_one(window->initial));
    for (size_t c = 0; c < window->count; c++) {
        const char *row = x + window->columns[c].offset;
        for (size_t p = window->columns[c].height; p > 0; p--, row += window->x_stride) {
            const vec weight = vsplat(*weights++);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                sums[v] += weight * (lanes == W ? vload(row + v * sizeof(vec)) : vload_part(row, lanes, 0));
        }
    }
#pragma GCC unroll 2
    for (int v = 0; v < vectors; v++) {
        if (lanes == W)
            vstore(out + v * sizeof(vec), sums[v]);
        else
            vstore_part(out, sums[v], lanes);
    }
}

/* What is left behind whole blocks is computed with some of its predecessors again. */
static void convolve_row(const fz_window *window, size_t w, const char *x, char *out) {
    size_t j = 0;
    for (; j + VECTORS * W <= w; j += VECTORS * W)
        convolve_block(window, x + j * sizeof(T), out + j * sizeof(T), VECTORS, W);
    for (; j < w && w >= W; j += W) {
        const size_t at = (j + W <= w ? j : w - W) * sizeof(T);
        convolve_block(window, x + at, out + at, 1, W);
    }
    if (w < W) convolve_block(window, x, out, 1, w);
}

extern fz_conv2d_direct FZ_KERNEL(conv2d_direct);
void FZ_KERNEL(conv2d_direct)(const fz_window *window, size_t h, size_t w, const void *x, void *out) {
    for (size_t i = 0; i < h; i++)
        convolve_row(window, w, (const char *)x + (ptrdiff_t)i * window->x_stride,
                     (char *)out + (ptrdiff_t)i * window->out_stride);
}
