/* Depthwise convolution of pixels whose channels lie side by side: a lane is a channel, so that rows of any length fill
   vectors.

   Neighbouring pixels are summed together for the weights to be loaded once for all of them; 7 divides the sides of
   the last layers of image models. */
#include "vec.h"

enum { PIXELS = 7 };

/* One vector of channels. pixels is a constant wherever this is inlined. */
FZ_INLINE void convolve_pixels(const fz_depthwise *d, const char *x, size_t channel, char *out, int pixels) {
    vec acc[PIXELS];
#pragma GCC unroll 7
    for (int i = 0; i < pixels; i++) acc[i] = vload((const T *)d->initial + channel);
    for (size_t t = 0; t < d->count; t++) {
        const vec weight = vload((const char *)d->weights + d->taps[t].weights + channel * sizeof(T));
        const char *at = x + d->taps[t].x + channel * sizeof(T);
#pragma GCC unroll 7
        for (int i = 0; i < pixels; i++) acc[i] += weight * vload(at + i * d->x_pixel);
    }
#pragma GCC unroll 7
    for (int i = 0; i < pixels; i++) vstore(out + i * d->out_pixel + channel * sizeof(T), acc[i]);
}

/* NumPy's large arrays begin 16 bytes behind a line of the cache. Where pixels lie whole lines apart, the second vector
   begins with the next line, so that it and those behind it lie in one line each: one vector more, which pays where there
   are a few. Vectors shorter than a line straddle fewer. */
FZ_INLINE size_t count_before_line(const fz_depthwise *d, const char *x) {
    const size_t past = (uintptr_t)x % FZ_CACHE_LINE;
    const bool are_alike = sizeof(vec) == FZ_CACHE_LINE && d->x_pixel % FZ_CACHE_LINE == 0;
    const bool pays = are_alike && past % sizeof(T) == 0 && d->channels >= 4 * W;
    return pays ? (FZ_CACHE_LINE - past) / sizeof(T) : W;
}

/* Vectors overlap at the ends. */
FZ_INLINE void convolve_channels(const fz_depthwise *d, const char *x, char *out, int pixels) {
    const size_t first = count_before_line(d, x);
    for (size_t c = 0; c < d->channels; c += c ? W : first)
        convolve_pixels(d, x, c + W <= d->channels ? c : d->channels - W, out, pixels);
}

/* The last pixels of a row overlap their neighbours. */
extern fz_conv2d_depthwise FZ_KERNEL(conv2d_depthwise);
void FZ_KERNEL(conv2d_depthwise)(const fz_depthwise *d, size_t h, size_t w, const void *x, void *out) {
    const char *row = x;
    char *to = out;
    for (size_t i = 0; i < h; i++, row += d->x_row, to += (ptrdiff_t)w * d->out_pixel) {
        for (size_t j = 0; j < w && w >= PIXELS; j += PIXELS) {
            const ptrdiff_t at = (ptrdiff_t)(j + PIXELS <= w ? j : w - PIXELS);
            convolve_channels(d, row + at * d->x_pixel, to + at * d->out_pixel, PIXELS);
        }
        for (ptrdiff_t j = 0; (size_t)j < w && w < PIXELS; j++)
            convolve_channels(d, row + j * d->x_pixel, to + j * d->out_pixel, 1);
    }
}
