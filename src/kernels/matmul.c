/* Matrix multiplication on packed panels: the register-tiled micro-kernel and the packing.

   The tile of C is MR rows by NV vectors, held in registers over the whole k loop; each step loads NV
   vectors of B, and broadcasts MR elements of A. 8 x 3 fills 27 of 32 registers, 4 x 3 all of 16. */
#include "vec.h"

enum {
    MR = FZ_VECTOR_REGISTERS == 32 ? 8 : 4,
    NV = 3,
    NR = NV * W,
    PREFETCH_ROWS = 12, /* how far ahead of its use B is fetched */
};

/* ---- micro-kernel --------------------------------------------------------------------------------------- */

/* acc = A panel times the first `vectors` columns of the B panel. */
FZ_INLINE void multiply_panels(size_t k, const T *a, const T *b, vec acc[MR][NV], int vectors) {
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) acc[i][v] = (vec){0};
    }
    for (; k; k--, a += MR, b += NR) {
        vec row[NV];
        __builtin_prefetch(b + PREFETCH_ROWS * NR);
        __builtin_prefetch(b + PREFETCH_ROWS * NR + W);
        __builtin_prefetch(b + PREFETCH_ROWS * NR + 2 * W);
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) row[v] = vload(b + v * W);
#pragma GCC unroll 8
        for (int i = 0; i < MR; i++) {
            const vec element = vsplat(a[i]);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) acc[i][v] += element * row[v];
        }
    }
}

/* A tile that has all its rows and whole vectors of columns goes straight to C. */
FZ_INLINE void whole_tile(size_t k, const T *a, const T *b, char *c, ptrdiff_t row_stride, bool accumulate,
                          int vectors) {
    vec acc[MR][NV];
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
        for (int line = 0; line < vectors * (int)sizeof(vec); line += 64)
            __builtin_prefetch(c + i * row_stride + line, 1);
    }
    multiply_panels(k, a, b, acc, vectors);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) {
            char *at = c + i * row_stride + v * (ptrdiff_t)sizeof(vec);
            vstore(at, accumulate ? vload(at) + acc[i][v] : acc[i][v]);
        }
    }
}

/* Any other tile is computed whole and stored in part. */
static void edge_tile(size_t m, size_t n, size_t k, const T *a, const T *b, char *c, ptrdiff_t row_stride,
                      bool accumulate, void (*whole)(size_t, const T *, const T *, char *, ptrdiff_t, bool)) {
    _Alignas(FZ_MAX_VECTOR_BYTES) T whole_c[MR * NR];
    whole(k, a, b, (char *)whole_c, NR * sizeof(T), false);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j += W) {
            const size_t lanes = n - j < W ? n - j : W;
            char *at = c + (ptrdiff_t)i * row_stride + j * sizeof(T);
            const vec sum = vload(whole_c + i * NR + j);
            vstore_part(at, accumulate ? vload_part(at, lanes, 0) + sum : sum, lanes);
        }
    }
}

static void tile1(size_t k, const T *a, const T *b, char *c, ptrdiff_t row_stride, bool accumulate) {
    whole_tile(k, a, b, c, row_stride, accumulate, 1);
}

static void tile2(size_t k, const T *a, const T *b, char *c, ptrdiff_t row_stride, bool accumulate) {
    whole_tile(k, a, b, c, row_stride, accumulate, 2);
}

static void tile3(size_t k, const T *a, const T *b, char *c, ptrdiff_t row_stride, bool accumulate) {
    whole_tile(k, a, b, c, row_stride, accumulate, 3);
}

static void tile(size_t m, size_t n, size_t k, const void *a, const void *b, void *c, ptrdiff_t row_stride,
                 bool accumulate) {
    static void (*const whole[])(size_t, const T *, const T *, char *, ptrdiff_t, bool) = {tile1, tile2,
                                                                                           tile3};
    const size_t vectors = (n + W - 1) / W;
    if (m == MR && n == vectors * W)
        whole[vectors - 1](k, a, b, c, row_stride, accumulate);
    else
        edge_tile(m, n, k, a, b, c, row_stride, accumulate, whole[vectors - 1]);
}

/* ---- packing --------------------------------------------------------------------------------------------- */

/* Copies `count` <= width elements at `stride` for each of k steps into rows of `width`, zeros behind them. */
FZ_INLINE void pack_gather(size_t count, size_t k, const char *x, ptrdiff_t stride, ptrdiff_t step, T *panel,
                           size_t width) {
    for (size_t p = 0; p < k; p++, x += step, panel += width) {
        for (size_t i = 0; i < count; i++) panel[i] = load_one(x + (ptrdiff_t)i * stride);
        for (size_t i = count; i < width; i++) panel[i] = 0;
    }
}

/* The same where each step's elements are contiguous. */
FZ_INLINE void pack_rows(size_t k, const char *x, ptrdiff_t step, T *panel, size_t width) {
    for (size_t p = 0; p < k; p++, x += step, panel += width) memcpy(panel, x, width * sizeof(T));
}

/* The same where each element's steps are contiguous: blocks are transposed in registers. */
FZ_INLINE void pack_columns(size_t k, const char *x, ptrdiff_t stride, T *panel, size_t width) {
    const size_t rows = width < W ? width : W; /* of a block; either way a power of two */
    size_t p = 0;
    for (; p + W <= k; p += W, x += sizeof(vec), panel += W * width) {
        for (size_t i = 0; i < width; i += rows) {
            vec block[W];
            for (size_t r = 0; r < rows; r++) block[r] = vload(x + (ptrdiff_t)(i + r) * stride);
            vtranspose(block, (int)rows);
            for (size_t r = 0; r < rows; r++) vstore(panel + i + r * (width < W ? W : width), block[r]);
        }
    }
    pack_gather(width, k - p, x, stride, sizeof(T), panel, width);
}

/* Panels of `width` elements side by side (at byte stride `stride`) by k steps (at `step`). */
FZ_INLINE void pack_panels(size_t n, size_t k, const char *x, ptrdiff_t stride, ptrdiff_t step, T *panels,
                           size_t width) {
    for (size_t i = 0; i < n; i += width, x += (ptrdiff_t)width * stride, panels += k * width) {
        const size_t count = n - i < width ? n - i : width;
        if (count == width && stride == sizeof(T))
            pack_rows(k, x, step, panels, width);
        else if (count == width && step == sizeof(T))
            pack_columns(k, x, stride, panels, width);
        else
            pack_gather(count, k, x, stride, step, panels, width);
    }
}

static void pack_a(size_t m, size_t k, const void *a, ptrdiff_t row_stride, ptrdiff_t column_stride,
                   void *panels) {
    pack_panels(m, k, a, row_stride, column_stride, panels, MR);
}

static void pack_b(size_t k, size_t n, const void *b, ptrdiff_t row_stride, ptrdiff_t column_stride,
                   void *panels) {
    pack_panels(n, k, b, column_stride, row_stride, panels, NR);
}

extern const fz_matmul_kernels FZ_KERNEL(matmul);
const fz_matmul_kernels FZ_KERNEL(matmul) = {
    .mr = MR, .nr = NR, .pack_a = pack_a, .pack_b = pack_b, .tile = tile};
