/* Convolution of many channels as a matrix product: pixels are rows, output channels are columns.

   A tile is two groups of neighbouring pixels by up to two vectors of output channels, held in registers over the
   whole sum. Pixels are read where they lie, through a table of offsets, and never gathered into a matrix ("The
   Indirect Convolution Algorithm", Dukhan 2019, has the idea). 14 x 2 vectors fill 31 of 32 registers, and
   14 divides the usual widths of images; 6 x 2 fill 15 of 16. */
#include "vec.h"

enum {
    GROUP = FZ_VECTOR_REGISTERS == 32 ? 7 : 3,
    VECTORS = 2,
    PREFETCH_STEPS = 8,
    TILE_BYTES = 2 * GROUP * sizeof(T), /* of a tap's pixels */
};

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

/* Starts from the same vectors for every pixel, or from what is in out. */
FZ_INLINE void start_group(vec acc[GROUP][VECTORS], const T *first, const T *out, int vectors) {
#pragma GCC unroll 7
    for (int i = 0; i < GROUP; i++) {
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            acc[i][v] = first ? vload(first + v * W) : vload(out + (i * vectors + v) * W);
    }
}

/* An address, as what is asked for may lie behind the end of its array. */
FZ_INLINE void ask(const void *from, size_t bytes) {
    __builtin_prefetch((const void *)((uintptr_t)from + bytes));
}

/* For the last pixel of the next tile's group: channels lie pages apart, where CPUs do not look ahead. */
FZ_INLINE void ask_next(const char *x) { ask(x, TILE_BYTES + (GROUP - 1) * sizeof(T)); }

/* groups and vectors are constants wherever this is inlined. */
FZ_INLINE void multiply(int groups, int vectors, size_t k, const void *const x[2], const ptrdiff_t offsets[],
                        const T *panel, const T *first, void *const out[2]) {
    vec acc[2][GROUP][VECTORS];
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++) start_group(acc[g], first, out[g], vectors);
    const char *pixels[2] = {x[0], x[groups - 1]};
    size_t p = 0;
    do { /* not a loop that may do nothing: compilers keep its sums in memory, too */
        vec row[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            if (v * sizeof(vec) % FZ_CACHE_LINE == 0)
                ask(panel, (PREFETCH_STEPS * vectors + v) * sizeof(vec));
            row[v] = vload(panel + v * W);
        }
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++) {
            if (g == groups - 1 || TILE_BYTES > FZ_CACHE_LINE) ask_next(pixels[g] + offsets[p]);
            add_group(acc[g], pixels[g] + offsets[p], row, vectors);
        }
        panel += vectors * W;
    } while (++p < k);
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++) store_group(acc[g], out[g], vectors);
}

static void tile(int groups, size_t channels, size_t k, const void *const x[2], const ptrdiff_t offsets[],
                 const void *panel, const void *first, void *const out[2]) {
    if (channels > W && groups == 2)
        multiply(2, VECTORS, k, x, offsets, panel, first, out);
    else if (channels > W)
        multiply(1, VECTORS, k, x, offsets, panel, first, out);
    else if (groups == 2)
        multiply(2, 1, k, x, offsets, panel, first, out);
    else
        multiply(1, 1, k, x, offsets, panel, first, out);
}

extern const fz_conv2d_tile FZ_KERNEL(conv2d_tile);
const fz_conv2d_tile FZ_KERNEL(conv2d_tile) = {.group = GROUP, .lanes = W, .tile = tile};
