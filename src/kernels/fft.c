/* Fourier transforms of W columns at once, for convolution: each lane is a transform of its own, so there is nothing
   to shuffle. Forwards by decimation in frequency, backwards in time: what lies between is in digit-reversed order,
   which a product of two spectra does not mind. Radix 4, and a step of radix 2 where the length asks for it. */
#include "vec.h"

typedef struct complex_vec {
    vec re, im;
} complex_vec;

FZ_INLINE complex_vec cload(const fz_fft_columns *c, size_t row) {
    const ptrdiff_t at = (ptrdiff_t)row * c->stride;
    return (complex_vec){vload((const char *)c->re + at), vload((const char *)c->im + at)};
}

FZ_INLINE void cstore(const fz_fft_columns *c, size_t row, complex_vec x) {
    const ptrdiff_t at = (ptrdiff_t)row * c->stride;
    vstore((char *)c->re + at, x.re);
    vstore((char *)c->im + at, x.im);
}

FZ_INLINE complex_vec cadd(complex_vec x, complex_vec y) { return (complex_vec){x.re + y.re, x.im + y.im}; }
FZ_INLINE complex_vec csubtract(complex_vec x, complex_vec y) {
    return (complex_vec){x.re - y.re, x.im - y.im};
}
FZ_INLINE complex_vec cmultiply(complex_vec x, complex_vec y) {
    return (complex_vec){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
/* x times the conjugate of y; times i. */
FZ_INLINE complex_vec cunmultiply(complex_vec x, complex_vec y) {
    return (complex_vec){x.re * y.re + x.im * y.im, x.im * y.re - x.re * y.im};
}
FZ_INLINE complex_vec crotate(complex_vec x) { return (complex_vec){-x.im, x.re}; }

/* exp(-2 pi i k / n) in all lanes; roots holds n pairs. */
FZ_INLINE complex_vec root(const T *roots, size_t k) {
    return (complex_vec){vsplat(roots[2 * k]), vsplat(roots[2 * k + 1])};
}

FZ_INLINE void forward_step(const fz_fft_columns *c, const T *roots, size_t length) {
    const size_t quarter = length / 4, times = c->n / length;
    for (size_t j = 0; j < quarter; j++) {
        const complex_vec w1 = root(roots, j * times), w2 = root(roots, 2 * j * times),
                          w3 = root(roots, 3 * j * times);
        for (size_t i = j; i < c->n; i += length) {
            const complex_vec x0 = cload(c, i), x1 = cload(c, i + quarter), x2 = cload(c, i + 2 * quarter),
                              x3 = cload(c, i + 3 * quarter);
            const complex_vec t0 = cadd(x0, x2), t1 = csubtract(x0, x2), t2 = cadd(x1, x3),
                              t3 = crotate(csubtract(x3, x1));
            cstore(c, i, cadd(t0, t2));
            cstore(c, i + quarter, cmultiply(cadd(t1, t3), w1));
            cstore(c, i + 2 * quarter, cmultiply(csubtract(t0, t2), w2));
            cstore(c, i + 3 * quarter, cmultiply(csubtract(t1, t3), w3));
        }
    }
}

FZ_INLINE void backward_step(const fz_fft_columns *c, const T *roots, size_t length) {
    const size_t quarter = length / 4, times = c->n / length;
    for (size_t j = 0; j < quarter; j++) {
        const complex_vec w1 = root(roots, j * times), w2 = root(roots, 2 * j * times),
                          w3 = root(roots, 3 * j * times);
        for (size_t i = j; i < c->n; i += length) {
            const complex_vec x0 = cload(c, i), x1 = cunmultiply(cload(c, i + quarter), w1),
                              x2 = cunmultiply(cload(c, i + 2 * quarter), w2),
                              x3 = cunmultiply(cload(c, i + 3 * quarter), w3);
            const complex_vec t0 = cadd(x0, x2), t1 = cadd(x1, x3), t2 = csubtract(x0, x2),
                              t3 = crotate(csubtract(x1, x3));
            cstore(c, i, cadd(t0, t1));
            cstore(c, i + quarter, cadd(t2, t3));
            cstore(c, i + 2 * quarter, csubtract(t0, t1));
            cstore(c, i + 3 * quarter, csubtract(t2, t3));
        }
    }
}

static void halve(const fz_fft_columns *c) {
    for (size_t i = 0; i < c->n; i += 2) {
        const complex_vec x0 = cload(c, i), x1 = cload(c, i + 1);
        cstore(c, i, cadd(x0, x1));
        cstore(c, i + 1, csubtract(x0, x1));
    }
}

static void forward(const fz_fft_columns *c, const void *roots) {
    size_t length = c->n;
    for (; length >= 4; length /= 4) forward_step(c, roots, length);
    if (length == 2) halve(c);
}

static void backward(const fz_fft_columns *c, const void *roots) {
    size_t length = c->n;
    while (length > 4) length /= 4;
    if (length == 2) halve(c);
    for (length *= length == 2 ? 4 : 1; length <= c->n; length *= 4) backward_step(c, roots, length);
}

/* W rows of a plane become columns, or columns rows. */
FZ_INLINE void turn(size_t blocks, const char *from, ptrdiff_t from_row, ptrdiff_t from_block, char *to,
                    ptrdiff_t to_row, ptrdiff_t to_block) {
    for (; blocks; blocks--, from += from_block, to += to_block) {
        vec rows[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; i++) rows[i] = vload(from + i * from_row);
        vtranspose(rows, W);
#pragma GCC unroll 16
        for (int i = 0; i < W; i++) vstore(to + i * to_row, rows[i]);
    }
}

static void rows_to_columns(const fz_fft_columns *rows, const fz_fft_columns *columns) {
    const ptrdiff_t line = columns->stride, block = W * line;
    turn(rows->n / W, rows->re, rows->stride, sizeof(vec), columns->re, line, block);
    turn(rows->n / W, rows->im, rows->stride, sizeof(vec), columns->im, line, block);
}

static void columns_to_rows(const fz_fft_columns *columns, const fz_fft_columns *rows) {
    const ptrdiff_t line = columns->stride, block = W * line;
    turn(rows->n / W, columns->re, line, block, rows->re, rows->stride, sizeof(vec));
    turn(rows->n / W, columns->im, line, block, rows->im, rows->stride, sizeof(vec));
}

static void multiply(const fz_fft_columns *c, const fz_fft_columns *by) {
    for (size_t i = 0; i < c->n; i++) cstore(c, i, cunmultiply(cload(c, i), cload(by, i)));
}

static void scale(const fz_fft_columns *c, double by) {
    for (size_t i = 0; i < c->n; i++) {
        const complex_vec x = cload(c, i);
        cstore(c, i, (complex_vec){x.re * (T)by, x.im * (T)by});
    }
}

extern const fz_fft_kernels FZ_KERNEL(fft);
const fz_fft_kernels FZ_KERNEL(fft) = {.lanes = W,
                                       .forward = forward,
                                       .backward = backward,
                                       .rows_to_columns = rows_to_columns,
                                       .columns_to_rows = columns_to_rows,
                                       .multiply = multiply,
                                       .scale = scale};
