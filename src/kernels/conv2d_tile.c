/* Convolution of many channels as a matrix product: pixels are rows, output channels are columns.

   A tile is two groups of neighbouring pixels by up to two vectors of output channels, held in registers over the
   whole sum. Pixels are read where they lie, through a table of offsets, and never gathered into a matrix ("The
   Indirect Convolution Algorithm", Dukhan 2019, has the idea). 14 x 2 vectors fill 31 of 32 registers, and
   14 divides the usual widths of images; 6 x 2 fill 15 of 16. */
#include "vec.h"

enum { GROUP = FZ_VECTOR_REGISTERS == 32 ? 7 : 3, VECTORS = 2, PREFETCH_STEPS = 8 };

FZ_INLINE void add_group(vec acc[GROUP][VECTORS], const char *x, const vec row[VECTORS], int vectors) {
#pragma GCC unroll 7
    for (int i = 0; i < GROUP; i++) {
        const vec pixel = vsplat(load_one(x + i * sizeof(T)));
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) acc[i][v] += pixel * row[v];
    }
}

FZ_INLINE void store_group(vec acc[GROUP][VECTORS], T *out, int vectors) {
#pragma GCC unroll 7
    for (int i = 0; i < GROUP; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) vstore(out + (i * vectors + v) * W, acc[i][v]);
    }
}

FZ_INLINE void multiply(size_t k, const char *const x[2], const ptrdiff_t offsets[], const T *panel,
                        const T *initial, T *const out[2], int vectors) {
    vec first[GROUP][VECTORS], second[GROUP][VECTORS];
#pragma GCC unroll 7
    for (int i = 0; i < GROUP; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) first[i][v] = second[i][v] = vload(initial + v * W);
    }
    const char *x0 = x[0], *x1 = x[1];
    for (size_t p = 0; p < k; p++, panel += vectors * W) {
        vec row[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            __builtin_prefetch(panel + (PREFETCH_STEPS * vectors + v) * W);
            row[v] = vload(panel + v * W);
        }
        add_group(first, x0 + offsets[p], row, vectors);
        add_group(second, x1 + offsets[p], row, vectors);
    }
    store_group(first, out[0], vectors);
    store_group(second, out[1], vectors);
}

static void wide_tile(size_t k, const char *const x[2], const ptrdiff_t offsets[], const T *panel,
                      const T *initial, T *const out[2]) {
    multiply(k, x, offsets, panel, initial, out, VECTORS);
}

static void narrow_tile(size_t k, const char *const x[2], const ptrdiff_t offsets[], const T *panel,
                        const T *initial, T *const out[2]) {
    multiply(k, x, offsets, panel, initial, out, 1);
}

static void tile(size_t channels, size_t k, const void *const x[2], const ptrdiff_t offsets[],
                 const void *panel, const void *initial, void *const out[2]) {
    const char *const pixels[2] = {x[0], x[1]};
    T *const results[2] = {out[0], out[1]};
    (channels > W ? wide_tile : narrow_tile)(k, pixels, offsets, panel, initial, results);
}

extern const fz_conv2d_tile FZ_KERNEL(conv2d_tile);
const fz_conv2d_tile FZ_KERNEL(conv2d_tile) = {.group = GROUP, .lanes = W, .tile = tile};
