/* Private to the files of pooling: what one pooling is.

   glossary  a unit   what one step along a row passes: one element, or all channels where they come last
             a line   a row of units in scratch, in the dtype computed in */
#ifndef FZ_POOL2D_H
#define FZ_POOL2D_H

#include "internal.h"

typedef struct fz__pool2d {
    fz_pooling pooling;
    const fz_kernels *kernels; /* of the dtype computed in */
    fz_pool_windows *pool;     /* NULL: none of the dtype */
    ptrdiff_t shortest;        /* windows side by side that it takes */
    fz_dtype compute;
    fz_op join;
    ptrdiff_t element;
    const char *x;
    char *out;
    fz_dtype x_dtype, out_dtype;
    ptrdiff_t unit, planes[2], x_planes[2], out_planes[2];
    ptrdiff_t x_strides[3], out_strides[3]; /* from row to row, from unit to unit, within a unit */
    ptrdiff_t in[2], outs[2];               /* rows and units per row of x and of out */
    fz_pool2d_options o;
    bool reads_in_place, writes_in_place, in_registers, slides, padded, doubles_rows, joins_bands;
    bool streams;          /* out exceeds the caches */
    ptrdiff_t inner[2];    /* [begin, end) of a row's outputs whose windows see nothing beyond it */
    ptrdiff_t line;        /* elements of a row as far as windows reach, padding included */
    ptrdiff_t band, bands; /* rows of out of an item; items of a plane */
    ptrdiff_t strip;       /* units of rows that are doubled at once */
    ptrdiff_t line_bytes, strip_bytes, scratch_bytes;
    ptrdiff_t results_at; /* bytes from a participant's rows to its results */
    char *padding;        /* a line of it, of windows in registers whose rows may lie beyond x */
    char *scratch;
    double identity;
} fz__pool2d;

/* A participant's lines of scratch. */
typedef struct fz__pool2d_lines {
    char *joined, *spans[2], *sum, *phases, *loaded, *counts;
    char *rows;                   /* of x: a window's, or a strip of a band's */
    char *results;                /* of a band: what its rows came to, or columns */
    ptrdiff_t counted;            /* rows for which `counts` stands */
    ptrdiff_t held[FZ_POOL_SIDE]; /* which row of x each of a window's is */
} fz__pool2d_lines;

/* ---- pool2d.c --------------------------------------------------------------------------------------------- */

/* A row of x, in place or in the buffer; or `units` of it, from the first on. */
const char *fz__pool_read_row(const fz__pool2d *j, const char *plane, ptrdiff_t row, char *buffer);
const char *fz__pool_read_units(const fz__pool2d *j, const char *plane, ptrdiff_t row, ptrdiff_t first,
                                ptrdiff_t units, char *buffer);
/* Rows [*first, *first + count * dilation) of x that output row i sees; returns their count. */
ptrdiff_t fz__pool_find_rows(const fz__pool2d *j, ptrdiff_t i, ptrdiff_t *first);
void fz__pool_fill(const fz__pool2d *j, ptrdiff_t n, double value, char *to);
/* to[i] = a[i] op b[i] for i < n, in the dtype computed in. */
void fz__pool_combine(const fz__pool2d *j, fz_op op, ptrdiff_t n, const char *a, const char *b, char *to);
/* Elements of window i along an axis; where padding counts, as far as it reaches. */
ptrdiff_t fz__pool_count_elements(const fz__pool2d *j, int axis, ptrdiff_t i);
/* By what each sum of output row i is divided. */
const char *fz__pool_divisors(const fz__pool2d *j, ptrdiff_t i, fz__pool2d_lines *l);

/* ---- the ways: output row i of a plane, in the dtype computed in, to `to` --------------------------------- */

/* Whole windows in registers: small ones. */
void fz__pool_plan_registers(fz__pool2d *j);
/* From output row i on, at most so many: those in place whose windows see no padding above or below. */
ptrdiff_t fz__pool_rows_at_once(const fz__pool2d *j, ptrdiff_t i, ptrdiff_t most);
void fz__pool_rows_in_registers(const fz__pool2d *j, const char *plane, ptrdiff_t i, ptrdiff_t rows,
                                fz__pool2d_lines *l, char *to);

/* Rows into one line, whose elements are then joined along it. `rows`: what fz__pool_double_rows made of the rows that
   the output row sees, or NULL. */
void fz__pool_row_by_lines(const fz__pool2d *j, const char *plane, ptrdiff_t i, const char *rows,
                           fz__pool2d_lines *l, char *to);
/* Line r becomes what output row begin + r sees of rows, for r < count, by doubling. Window rows at a step of 1. */
const char *fz__pool_double_rows(const fz__pool2d *j, const char *plane, ptrdiff_t begin, ptrdiff_t count,
                                 const fz__pool2d_lines *l);

/* Short rows of windows of 2 columns at a step of 2, side by side and without padding: a band at once. */
bool fz__pool_fits_band(const fz__pool2d *j);
void fz__pool_band_at_once(const fz__pool2d *j, const char *plane, ptrdiff_t first, ptrdiff_t count,
                           fz__pool2d_lines *l, char *out);

#endif
