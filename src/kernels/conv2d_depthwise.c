/* Depthwise convolution of small images: a lane is a channel, so that planes of any size fill vectors.

   Neighbouring pixels are summed together for the weights to be loaded once for all of them; 7 divides the sides of
   the last layers of image models. */
#include "vec.h"

enum { PIXELS = 7 };

/* pixels is a constant wherever this is inlined. */
FZ_INLINE void convolve_pixels(const fz_depthwise *d, const char *x, char *out, int pixels) {
    vec acc[PIXELS];
#pragma GCC unroll 7
    for (int i = 0; i < pixels; i++) acc[i] = vload(d->initial);
    for (size_t t = 0; t < d->count; t++) {
        const vec weight = vload((const T *)d->weights + t * W);
        const char *at = x + d->offsets[t];
#pragma GCC unroll 7
        for (int i = 0; i < pixels; i++) acc[i] += weight * vload(at + i * d->x_pixel);
    }
#pragma GCC unroll 7
    for (int i = 0; i < pixels; i++) vstore(out + i * (ptrdiff_t)sizeof(vec), acc[i]);
}

/* The last block of a row overlaps its neighbour. */
extern fz_conv2d_depthwise FZ_KERNEL(conv2d_depthwise);
void FZ_KERNEL(conv2d_depthwise)(const fz_depthwise *d, size_t h, size_t w, const void *x, void *out) {
    const char *row = x;
    char *to = out;
    for (size_t i = 0; i < h; i++, row += d->x_row, to += w * sizeof(vec)) {
        for (size_t j = 0; j < w && w >= PIXELS; j += PIXELS) {
            const size_t at = j + PIXELS <= w ? j : w - PIXELS;
            convolve_pixels(d, row + (ptrdiff_t)at * d->x_pixel, to + at * sizeof(vec), PIXELS);
        }
        for (size_t j = 0; j < w && w < PIXELS; j++)
            convolve_pixels(d, row + (ptrdiff_t)j * d->x_pixel, to + j * sizeof(vec), 1);
    }
}
