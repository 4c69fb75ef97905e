/* Convolution with windows that are a column times a row, as Gaussian ones are: down the columns of x into a few rows
   of scratch that stay in L1, then along those. A window of h x w weights costs h + w.

   Whether a window is such a product shows in its weights: each must be one of the column by one of the row but for
   TOLERANCE eps, which is room for factors, products and a sum to divide by that were each rounded. With those of the
   two sums the error is at most (TOLERANCE + (h + w) / 2) eps (|x| * |weight|), within what sums over all h * w
   weights may have. Where weights are whole numbers, or those by a power of two, so are the factors, and sums that are
   exact stay so; windows of integers must be exact products.

   The magnitudes in the column sum up to less than 1, by powers of two taken from the row: the first sums are no
   larger than x, and overflow nowhere. NaN and infinities reach the same outputs: a weight is zero where one of its
   factors is. */
#include <float.h>
#include <math.h>

#include "conv2d.h"

enum {
    TOLERANCE = 8,
    WHOLE_BITS = 24, /* of weights by a power of two, to be taken for whole numbers */
    LEAST_TAPS = 25, /* smaller windows were no slower as they are, and have less room for TOLERANCE */
};

/* ---- a column and a row ------------------------------------------------------------------------------------------ */

/* What all weights of a row are whole multiples of, or the largest where they have nothing of that kind. */
static double common_divisor(const double *row, ptrdiff_t n, double largest) {
    int exponent;
    frexp(largest, &exponent);
    const double unit = ldexp(1, exponent - WHOLE_BITS);
    double common = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        if (fmod(row[j], unit) != 0) return largest;
        for (double next = fabs(row[j]); next != 0;) {
            const double rest = fmod(common, next);
            common = next;
            next = rest;
        }
    }
    return common;
}

static double scaled(const fz__conv *conv, double x, int exponent) {
    const double y = ldexp(x, exponent);
    return conv->dtype == FZ_FLOAT32 ? (double)(float)y : y;
}

/* Subnormal numbers are too coarse for TOLERANCE to mean anything. */
static bool is_product(const fz__conv *conv, double weight, double x, double y) {
    const bool narrow = conv->dtype == FZ_FLOAT32;
    const double tolerance = conv->integral ? 0 : TOLERANCE * (narrow ? (double)FLT_EPSILON : DBL_EPSILON);
    if (x == 0 || y == 0) return weight == 0;
    return fabs(weight) >= (narrow ? (double)FLT_MIN : DBL_MIN) &&
           fabs(x * y - weight) <= tolerance * fabs(weight);
}

/* From the row and the column of the largest weight. */
static bool factor(const fz__conv *conv, const double *window, double *column, double *row) {
    const ptrdiff_t h = conv->weight.shape[2], w = conv->weight.shape[3];
    ptrdiff_t largest = 0;
    for (ptrdiff_t i = 0; i < h * w; i++) {
        if (!(fabs(window[i]) < 1 / (double)FLT_EPSILON)) return false; /* else tiny x underflow */
        if (fabs(window[i]) > fabs(window[largest])) largest = i;
    }
    if (window[largest] == 0) return false;
    const ptrdiff_t q = largest % w;
    const double divisor = common_divisor(window + largest - q, w, window[largest]);
    double sum = 0;
    for (ptrdiff_t j = 0; j < w; j++) row[j] = window[largest - q + j] / divisor;
    for (ptrdiff_t i = 0; i < h; i++) sum += fabs(column[i] = window[i * w + q] / row[q]);
    int exponent;
    frexp(2 * sum, &exponent);
    for (ptrdiff_t j = 0; j < w; j++) row[j] = scaled(conv, row[j], exponent);
    for (ptrdiff_t i = 0; i < h; i++) column[i] = scaled(conv, column[i], -exponent);
    for (ptrdiff_t i = 0; i < h * w; i++) {
        if (!is_product(conv, window[i], column[i / w], row[i % w])) return false;
    }
    return true;
}

/* In what transforms count for a multiply-add: those along a line wait for loads that cross cache lines. Where a
   line's dilation makes many columns for few outputs, the column's sums would be most of the work. */
static bool pays(const fz__conv *conv) {
    const ptrdiff_t h = conv->weight.shape[2], w = conv->weight.shape[3];
    return conv->weight.shape[1] == 1 && conv->stride[0] == 1 && conv->stride[1] == 1 && h >= 3 && w >= 3 &&
           h * w >= LEAST_TAPS && (w - 1) * (conv->dilation[1] - 1) <= fz__min(conv->out.shape[3], 256) &&
           !fz__conv_prefers_fft(conv, 0.25 * (double)h + 0.6 * (double)w);
}

fz_status fz__factors_create(fz__factors *factors, const fz__conv *conv) {
    const ptrdiff_t outputs = conv->weight.shape[0], h = conv->weight.shape[2], w = conv->weight.shape[3];
    *factors = (fz__factors){
        .down = {.dtype = FZ_FLOAT64, .shape = {outputs, 1, h, 1}, .strides = {h * 8, 0, 8, 0}},
        .across = {.dtype = FZ_FLOAT64, .shape = {outputs, 1, 1, w}, .strides = {w * 8, 0, 0, 8}}};
    if (!pays(conv)) return FZ_OK;
    double *memory = fz__workspace_acquire(conv->operation, (size_t)(outputs * (h + w) + h * w) * 8);
    if (!memory) return FZ_ERROR_MEMORY;
    double *columns = memory + h * w, *rows = columns + outputs * h;
    bool found = true;
    for (ptrdiff_t o = 0; o < outputs && found; o++) {
        const fz__image *from = &conv->weight;
        const ptrdiff_t strides[2] = {w * 8, 8};
        fz__copy_alone(&(fz_array){from->data + o * from->strides[0], from->dtype, 2, &from->shape[2],
                                   &from->strides[2]},
                       &(fz_array){(char *)memory, FZ_FLOAT64, 2, &from->shape[2], strides});
        found = factor(conv, memory, columns + o * h, rows + o * w);
    }
    factors->down.data = (char *)columns;
    factors->across.data = (char *)rows;
    factors->memory = memory;
    if (!found) fz__factors_free(factors);
    return FZ_OK;
}

void fz__factors_free(fz__factors *factors) {
    fz__workspace_release(factors->memory);
    factors->memory = NULL;
}
