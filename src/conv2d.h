/* Private to the files of convolution: what one convolution is.

   glossary  an image   four axes of an array: images, channels, rows, columns, with strides in bytes
             a band     a rectangle of some channels of the padded x, copied into scratch in the dtype computed in
             a phase    every stride[1]-th column of a band: what one column of a window sees lies side by side
             a tap      one element of the window of one channel */
#ifndef FZ_CONV2D_H
#define FZ_CONV2D_H

#include "internal.h"

typedef struct fz__image {
    char *data;
    fz_dtype dtype;
    ptrdiff_t shape[4], strides[4];
} fz__image;

typedef struct fz__conv {
    const char *operation;
    fz_dtype dtype; /* computed in: float32 or float64; int32 or int64, which wrap */
    bool integral;  /* x and weight are integers of at most 16 bits, whose sums float64 holds exactly */
    const fz_kernels *kernels;
    ptrdiff_t element;        /* bytes of it */
    fz__image x, weight, out; /* weight: (output channels, channels of a group, rows, columns) */
    const fz_array *bias;     /* NULL: none */
    ptrdiff_t groups;
    ptrdiff_t stride[2], dilation[2], before[2]; /* before: rows above x, columns left of it */
    fz_boundary boundary;
    double fill;         /* beyond x, where boundary is FZ_BOUNDARY_FILL */
    fz_loop *activation; /* NULL: none */
} fz__conv;

/* ---- conv2d.c ------------------------------------------------------------------------------------------- */

/* The dtype of the result; FZ_ERROR_DTYPE. Then what is computed in for that and the dtypes of x and weight. */
fz_status fz__conv_dtypes(const char *operation, const char *x_name, fz_dtype x, const char *weight_name,
                          fz_dtype weight, fz_dtype *result);
void fz__conv_set_dtype(fz__conv *conv, fz_dtype result);

/* The fastest way for the shapes. out has been checked, and is not empty. */
fz_status fz__conv_run(const fz__conv *conv);
/* Elements of x that n outputs in a row see along an axis (0: rows, 1: columns). */
ptrdiff_t fz__conv_span(const fz__conv *conv, int axis, ptrdiff_t n);

/* ---- conv2d_band.c: into scratch and back ------------------------------------------------------------------- */

/* A rectangle of the padded x: `channels` from `channel` on, of one image; rows and columns count from the first
   that the first output sees. */
typedef struct fz__rectangle {
    ptrdiff_t image, channel, channels, row, rows, column, columns;
} fz__rectangle;

/* How a band lies in scratch, in bytes. A row is phase after phase. Of a rectangle's rows it holds every step-th, which
   are all where more than one row of outputs sees them. */
typedef struct fz__band {
    ptrdiff_t plane, row, phase;
    ptrdiff_t step;
} fz__band;

/* The band that so many rows and columns of outputs at most see, with some columns to spare; `plane * channels` bytes.
   FZ_ERROR_MEMORY. */
fz_status fz__band_layout(const fz__conv *conv, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t spare,
                          fz__band *band);
/* Bytes of it for one group, but for what is to spare: dilation and padding may make more than a ptrdiff_t holds. */
double fz__band_bytes(const fz__conv *conv, ptrdiff_t rows, ptrdiff_t columns);
/* x as a band, where it is read where it lies. */
fz__band fz__band_in_place(const fz__conv *conv);
void fz__band_load(const fz__conv *conv, const fz__rectangle *from, const fz__band *band, ptrdiff_t phases,
                   char *scratch);
/* Can all that the outputs see be read where it is? */
bool fz__conv_reads_in_place(const fz__conv *conv);
/* Has out rows without gaps, of the dtype computed in? */
bool fz__conv_writes_in_place(const fz__conv *conv);

/* rows x columns results, contiguous rows at byte stride `stride`, complete but for the activation, to out. */
void fz__conv_store(const fz__conv *conv, char *results, ptrdiff_t stride, ptrdiff_t image, ptrdiff_t channel,
                    ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column, ptrdiff_t columns);
/* What remains to be done to n contiguous sums; returns the dtype in which they are left. */
fz_dtype fz__conv_finish(const fz__conv *conv, ptrdiff_t n, char *sums);
/* The bias of an output channel in the dtype computed in. */
void fz__conv_bias(const fz__conv *conv, ptrdiff_t channel, ptrdiff_t count, void *bias);

/* ---- conv2d_pixels.c: planes and pixels ------------------------------------------------------------------------ */

/* Element i of each of shape[0] channels, of shape[1] x shape[2] x shape[3] elements each, side by side at
   to + i * pixel, in the dtype computed in. */
void fz__conv_to_pixels(const fz__conv *conv, fz_dtype dtype, const char *from, const ptrdiff_t shape[4],
                        const ptrdiff_t strides[4], ptrdiff_t pixel, char *to);
/* The weights of n output channels: a row of width >= n for each tap, zero beyond n. */
void fz__conv_pack(const fz__conv *conv, ptrdiff_t channel, ptrdiff_t n, ptrdiff_t width, char *panel);
/* at->channels of the width sums of each pixel to that place in out, once they are complete but for the activation. */
void fz__conv_store_pixels(const fz__conv *conv, const fz__rectangle *at, ptrdiff_t width, char *sums);
/* That place in out, to be asked for; nothing where its rows have gaps. */
fz_ahead fz__conv_ahead(const fz__conv *conv, const fz__rectangle *at);

/* ---- conv2d_separable.c: windows that are a column times a row --------------------------------------------------- */

typedef struct fz__factors {
    void *memory;           /* NULL: none were found, or looked for */
    fz__image down, across; /* of each output channel: (o, 1, rows, 1) and (o, 1, 1, columns) */
} fz__factors;

/* Of the windows of all output channels, where that pays. FZ_ERROR_MEMORY. */
fz_status fz__factors_create(fz__factors *factors, const fz__conv *conv);
void fz__factors_free(fz__factors *factors);

/* ---- the ways -------------------------------------------------------------------------------------------------- */

/* One column of the window after the other, on lines of outputs: few channels, or few output channels, and all integers
   of 32 and 64 bits. Or down the columns, then along the rows, if there are factors. */
fz_status fz__conv_direct(const fz__conv *conv, const fz__factors *factors);
/* As a product of matrices that are never made: many channels. */
fz_status fz__conv_matmul(const fz__conv *conv);
/* As a product of matrices that are there: each output sees one pixel, and an image is one row. */
bool fz__conv_prefers_product(const fz__conv *conv);
fz_status fz__conv_product(const fz__conv *conv);
/* A channel in each lane: depthwise layers of small images. */
bool fz__conv_is_depthwise(const fz__conv *conv);
bool fz__conv_prefers_depthwise(const fz__conv *conv);
fz_status fz__conv_depthwise(const fz__conv *conv);
/* The same, read in place: depthwise layers whose channels lie side by side. */
bool fz__conv_prefers_channels(const fz__conv *conv);
fz_status fz__conv_channels(const fz__conv *conv);
/* By Fourier transforms of tiles: large windows on one channel, that otherwise cost `taps` multiply-adds an output. */
bool fz__conv_prefers_fft(const fz__conv *conv, double taps);
fz_status fz__conv_fft(const fz__conv *conv);

/* What the direct way knows of the window, for one output channel after the other. */
typedef struct fz__taps {
    fz_window window;        /* weights: of the first output channel; initial is not set */
    ptrdiff_t weights_bytes; /* from one output channel to the next */
    void *memory;
} fz__taps;

/* FZ_ERROR_MEMORY. */
fz_status fz__taps_create(fz__taps *taps, const fz__conv *conv, const fz__band *band);
void fz__taps_free(fz__taps *taps);

#endif
