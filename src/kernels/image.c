/* Convolution and pooling of one-channel images. */
#include "vec.h"

enum { ROWS = 4, VECTORS = 2 }; /* the block of outputs held in registers */

/* ---- convolution ------------------------------------------------------------------------------------------ */

/* A block of outputs: every weight is broadcast once for all of it. */
FZ_INLINE void conv2d_block(const char *x, ptrdiff_t x_stride, size_t kh, size_t kw, const char *weight,
                            char *out, ptrdiff_t out_stride, int rows, int vectors) {
    vec sum[ROWS][VECTORS];
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++) sum[r][v] = (vec){0};
    }
    for (size_t p = 0; p < kh; p++) {
        for (size_t q = 0; q < kw; q++, weight += sizeof(T)) {
            const vec w = vsplat(load_one(weight));
            const char *at = x + (ptrdiff_t)p * x_stride + q * sizeof(T);
            for (int r = 0; r < rows; r++) {
                for (int v = 0; v < vectors; v++)
                    sum[r][v] += w * vload(at + r * x_stride + v * (ptrdiff_t)sizeof(vec));
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < vectors; v++)
            vstore(out + r * out_stride + v * (ptrdiff_t)sizeof(vec), sum[r][v]);
    }
}

/* The last columns, fewer than a vector. */
static void conv2d_edge(size_t n, const char *x, ptrdiff_t x_stride, size_t kh, size_t kw, const char *weight,
                        char *out) {
    vec sum = {0};
    for (size_t p = 0; p < kh; p++) {
        for (size_t q = 0; q < kw; q++, weight += sizeof(T))
            sum += vsplat(load_one(weight)) * vload_part(x + (ptrdiff_t)p * x_stride + q * sizeof(T), n, 0);
    }
    vstore_part(out, sum, n);
}

FZ_INLINE void conv2d_rows(size_t w, const char *x, ptrdiff_t x_stride, size_t kh, size_t kw,
                           const char *weight, char *out, ptrdiff_t out_stride, int rows) {
    for (; w >= VECTORS * W; w -= VECTORS * W, x += VECTORS * sizeof(vec), out += VECTORS * sizeof(vec))
        conv2d_block(x, x_stride, kh, kw, weight, out, out_stride, rows, VECTORS);
    for (; w >= W; w -= W, x += sizeof(vec), out += sizeof(vec))
        conv2d_block(x, x_stride, kh, kw, weight, out, out_stride, rows, 1);
    for (int r = 0; w && r < rows; r++)
        conv2d_edge(w, x + r * x_stride, x_stride, kh, kw, weight, out + r * out_stride);
}

/* For a height and width known to the compiler the loops over the window unroll. */
FZ_INLINE void conv2d_image(size_t h, size_t w, const char *x, ptrdiff_t x_stride, size_t kh, size_t kw,
                            const char *weight, char *out, ptrdiff_t out_stride) {
    for (; h >= ROWS; h -= ROWS, x += ROWS * x_stride, out += ROWS * out_stride)
        conv2d_rows(w, x, x_stride, kh, kw, weight, out, out_stride, ROWS);
    for (; h; h--, x += x_stride, out += out_stride)
        conv2d_rows(w, x, x_stride, kh, kw, weight, out, out_stride, 1);
}

static void conv2d(size_t h, size_t w, const void *x, ptrdiff_t x_stride, size_t kh, size_t kw,
                   const void *weight, void *out, ptrdiff_t out_stride) {
    if (kh == 3 && kw == 3)
        conv2d_image(h, w, x, x_stride, 3, 3, weight, out, out_stride);
    else
        conv2d_image(h, w, x, x_stride, kh, kw, weight, out, out_stride);
}

/* ---- pooling ---------------------------------------------------------------------------------------------- */

FZ_INLINE T larger(T x, T y) { return x != x || x > y ? x : y; }

FZ_INLINE void windows(size_t n, size_t window, size_t stride, const void *row, void *out) {
    const char *x = row;
    char *z = out;
    for (; n; n--, x += stride * sizeof(T), z += sizeof(T)) {
        T most = load_one(x);
        for (size_t q = 1; q < window; q++) most = larger(most, load_one(x + q * sizeof(T)));
        store_one(z, most);
    }
}

static void max_windows(size_t n, size_t window, size_t stride, const void *x, void *out) {
    if (window == 2 && stride == 2)
        windows(n, 2, 2, x, out);
    else
        windows(n, window, stride, x, out);
}

extern const fz_image_kernels FZ_KERNEL(image);
const fz_image_kernels FZ_KERNEL(image) = {.conv2d = conv2d, .max_windows = max_windows};
