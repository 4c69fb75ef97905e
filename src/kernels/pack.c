/* Packing matrices into panels: what matmul.c then reads in one stream. Bits are only moved: float32's kernels serve
   every dtype of 4 bytes, float64's every one of 8. */
#include "matmul_tile.h"

/* Copies `count` <= width elements at `stride` for each of k steps into rows of `width`, zeros behind them. */
FZ_INLINE void pack_gather(size_t count, size_t k, const char *x, ptrdiff_t stride, ptrdiff_t step, T *panel,
                           size_t width) {
    for (size_t p = 0; p < k; p++, x += step, panel += width) {
        for (size_t i = 0; i < count; i++) panel[i] = load_one(x + (ptrdiff_t)i * stride);
        for (size_t i = count; i < width; i++) panel[i] = 0;
    }
}

/* The same where each step's elements are contiguous. */
FZ_INLINE void pack_rows(size_t count, size_t k, const char *x, ptrdiff_t step, T *panel, size_t width) {
    const size_t rest = count % W;
    const vec zero = {0};
    for (size_t p = 0; p < k; p++, x += step, panel += width) {
        size_t i = 0;
        for (; i + W <= count; i += W) vstore(panel + i, vload(x + i * sizeof(T)));
        if (rest) vstore(panel + i, vload_part(x + i * sizeof(T), rest, 0)), i += W;
        for (; i < width; i += W) vstore(panel + i, zero);
    }
}

/* The same where each element's steps are contiguous: blocks are transposed in registers. Rows beyond `count` are
   zeros. */
FZ_INLINE void pack_columns(size_t count, size_t k, const char *x, ptrdiff_t stride, T *panel, size_t width) {
    const size_t rows = width < W ? width : W; /* of a block; either way a power of two */
    size_t p = 0;
    for (; p + W <= k; p += W, x += sizeof(vec), panel += W * width) {
        for (size_t i = 0; i < width; i += rows) {
            vec block[W];
            for (size_t r = 0; r < rows; r++)
                block[r] = i + r < count ? vload(x + (ptrdiff_t)(i + r) * stride) : (vec){0};
            vtranspose(block, (int)rows);
            for (size_t r = 0; r < rows; r++) vstore(panel + i + r * (width < W ? W : width), block[r]);
        }
    }
    pack_gather(count, k - p, x, stride, sizeof(T), panel, width);
}

/* Panels of `width` lines side by side. */
FZ_INLINE void pack_panels(size_t width, size_t n, size_t k, const char *x, ptrdiff_t stride, ptrdiff_t step,
                           T *panel) {
    for (size_t i = 0; i < n; i += width, x += (ptrdiff_t)width * stride, panel += k * width) {
        const size_t count = n - i < width ? n - i : width;
        if (stride == sizeof(T) && width % W == 0)
            pack_rows(count, k, x, step, panel, width);
        else if (step == sizeof(T))
            pack_columns(count, k, x, stride, panel, width);
        else
            pack_gather(count, k, x, stride, step, panel, width);
    }
}

static void pack_a(size_t n, size_t k, const void *x, ptrdiff_t line_stride, ptrdiff_t step_stride,
                   void *panels) {
    pack_panels(MR, n, k, x, line_stride, step_stride, panels);
}

static void pack_b(size_t n, size_t k, const void *x, ptrdiff_t line_stride, ptrdiff_t step_stride,
                   void *panels) {
    pack_panels(NR, n, k, x, line_stride, step_stride, panels);
}

extern const fz_pack_kernels FZ_KERNEL(pack);
const fz_pack_kernels FZ_KERNEL(pack) = {.a = pack_a, .b = pack_b};
