/* Few rows times a matrix: each element of the matrix is read once, in the order of memory. */
#include "vec.h"

enum {
    LINES = 4,     /* rows or columns of the matrix at a time: more streams come from memory more slowly */
    CHAINS = 8,    /* of sums of columns: as many as hide the latency of additions */
    ROW_LINES = 8, /* of the matrix for several rows: sums in memory are read and written once for so many */
};

/* ---- rows contiguous: c += x[p] * row p ------------------------------------------------------------------- */

/* A vector's width of one row of c. lines is a constant wherever this is inlined. */
FZ_INLINE void add_part(int lines, size_t lanes, const vec factors[LINES], const char *b,
                        ptrdiff_t row_stride, char *c, bool accumulate) {
    const bool whole = lanes == W;
    vec sum = !accumulate ? vsplat(0) : whole ? vload(c) : vload_part(c, lanes, 0);
#pragma GCC unroll 4
    for (int p = 0; p < lines; p++, b += row_stride)
        sum += factors[p] * (whole ? vload(b) : vload_part(b, lanes, 0));
    if (whole)
        vstore(c, sum);
    else
        vstore_part(c, sum, lanes);
}

FZ_INLINE void add_row(int lines, size_t n, const char *x, const char *b, ptrdiff_t row_stride, char *c,
                       bool accumulate) {
    vec factors[LINES];
    for (int p = 0; p < lines; p++) factors[p] = vsplat(load_one(x + p * (ptrdiff_t)sizeof(T)));
    size_t j = 0;
    for (; j + W <= n; j += W, b += sizeof(vec), c += sizeof(vec))
        add_part(lines, W, factors, b, row_stride, c, accumulate);
    if (j < n) add_part(lines, n - j, factors, b, row_stride, c, accumulate);
}

static void one_row(size_t k, size_t n, const char *x, const char *b, ptrdiff_t row_stride, char *c,
                    bool accumulate) {
    for (; k >= LINES; k -= LINES, x += LINES * sizeof(T), b += LINES * row_stride, accumulate = true)
        add_row(LINES, n, x, b, row_stride, c, accumulate);
    for (; k; k--, x += sizeof(T), b += row_stride, accumulate = true)
        add_row(1, n, x, b, row_stride, c, accumulate);
}

/* A vector's width of `lines` rows, for all of c's. lines is a constant wherever this is inlined. */
FZ_INLINE void add_lines(int lines, size_t lanes, size_t m, const char *x, ptrdiff_t x_stride, const char *b,
                         ptrdiff_t row_stride, char *c, ptrdiff_t c_stride, bool accumulate) {
    const bool whole = lanes == W;
    vec line[ROW_LINES];
#pragma GCC unroll 8
    for (int p = 0; p < lines; p++, b += row_stride) line[p] = whole ? vload(b) : vload_part(b, lanes, 0);
    for (; m; m--, x += x_stride, c += c_stride) {
        vec sum = !accumulate ? vsplat(0) : whole ? vload(c) : vload_part(c, lanes, 0);
#pragma GCC unroll 8
        for (int p = 0; p < lines; p++) sum += vsplat(load_one(x + p * sizeof(T))) * line[p];
        if (whole)
            vstore(c, sum);
        else
            vstore_part(c, sum, lanes);
    }
}

FZ_INLINE void add_rows(int lines, size_t m, size_t n, const char *x, ptrdiff_t x_stride, const char *b,
                        ptrdiff_t row_stride, char *c, ptrdiff_t c_stride, bool accumulate) {
    size_t j = 0;
    for (; j + W <= n; j += W, b += sizeof(vec), c += sizeof(vec))
        add_lines(lines, W, m, x, x_stride, b, row_stride, c, c_stride, accumulate);
    if (j < n) add_lines(lines, n - j, m, x, x_stride, b, row_stride, c, c_stride, accumulate);
}

static void rows(size_t m, size_t k, size_t n, const void *vx, ptrdiff_t x_stride, const void *vb,
                 ptrdiff_t row_stride, void *c, ptrdiff_t c_stride, bool accumulate) {
    const char *x = vx, *b = vb;
    if (m == 1) {
        one_row(k, n, x, b, row_stride, c, accumulate);
        return;
    }
    for (; k >= ROW_LINES;
         k -= ROW_LINES, x += ROW_LINES * sizeof(T), b += ROW_LINES * row_stride, accumulate = true)
        add_rows(ROW_LINES, m, n, x, x_stride, b, row_stride, c, c_stride, accumulate);
    for (; k; k--, x += sizeof(T), b += row_stride, accumulate = true)
        add_rows(1, m, n, x, x_stride, b, row_stride, c, c_stride, accumulate);
}

/* ---- columns contiguous: c[j] = x . column j --------------------------------------------------------------- */

FZ_INLINE T add_up(vec v) {
    T sum = 0;
    for (int lane = 0; lane < W; lane++) sum += v[lane];
    return sum;
}

/* Each of `lines` columns has `parts` chains of sums. */
FZ_INLINE void multiply_columns(int lines, int parts, size_t k, const char *x, const char *b,
                                ptrdiff_t column_stride, char *c, bool accumulate) {
    vec sums[CHAINS];
    for (int s = 0; s < lines * parts; s++) sums[s] = (vec){0};
    size_t p = 0;
    for (; p + (size_t)parts * W <= k; p += (size_t)parts * W) {
#pragma GCC unroll 8
        for (int part = 0; part < parts; part++) {
            const vec factor = vload(x + (p + (size_t)part * W) * sizeof(T));
#pragma GCC unroll 8
            for (int j = 0; j < lines; j++)
                sums[j * parts + part] +=
                    factor * vload(b + j * column_stride + (p + (size_t)part * W) * sizeof(T));
        }
    }
    for (; p < k; p += W) {
        const size_t lanes = k - p < W ? k - p : W;
        const bool whole = lanes == W;
        const vec factor = whole ? vload(x + p * sizeof(T)) : vload_part(x + p * sizeof(T), lanes, 0);
        for (int j = 0; j < lines; j++) {
            const char *at = b + j * column_stride + p * sizeof(T);
            sums[j * parts] += factor * (whole ? vload(at) : vload_part(at, lanes, 0));
        }
    }
    for (int j = 0; j < lines; j++) {
        vec sum = sums[j * parts];
        for (int part = 1; part < parts; part++) sum += sums[j * parts + part];
        char *to = c + j * (ptrdiff_t)sizeof(T);
        store_one(to, accumulate ? load_one(to) + add_up(sum) : add_up(sum));
    }
}

static void columns(size_t k, size_t n, const void *x, const void *vb, ptrdiff_t column_stride, void *vc,
                    bool accumulate) {
    const char *b = vb;
    char *c = vc;
    for (; n >= LINES; n -= LINES, b += LINES * column_stride, c += LINES * sizeof(T))
        multiply_columns(LINES, CHAINS / LINES, k, x, b, column_stride, c, accumulate);
    for (; n; n--, b += column_stride, c += sizeof(T))
        multiply_columns(1, CHAINS, k, x, b, column_stride, c, accumulate);
}

extern const fz_matvec_kernels FZ_KERNEL(matvec);
const fz_matvec_kernels FZ_KERNEL(matvec) = {.rows = rows, .columns = columns};
