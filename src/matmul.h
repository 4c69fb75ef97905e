/* Private to matmul's files: what one product of two matrices is.

   glossary  a matrix   two axes of an array, with strides in bytes
             a panel    mr rows of A, or nr columns of B: see kernels.h
             a step     one of k; where the kernel takes groups of elements, a group
             a block    the part of the product for which B's panels lie packed at one moment
             a tile     what one task computes of a block
             a finish   what is done once the sum is complete: bias, activation, conversion */
#ifndef FZ_MATMUL_H
#define FZ_MATMUL_H

#include "internal.h"

typedef struct fz__matrix {
    char *data;
    fz_dtype dtype;
    ptrdiff_t rows, columns, row_stride, column_stride;
} fz__matrix;

/* Panels of all of b's steps, block after block of kc. */
struct fz_packed {
    fz_array array; /* b's shape and dtype */
    ptrdiff_t shape[2], strides[2];
    fz_dtype compute;
    const fz_matmul_kernels *matmul; /* for which they are packed */
    ptrdiff_t kc;
    char *panels;
};

typedef struct fz__finish {
    fz__matrix bias;     /* of the compute dtype, rows or columns without gaps; data NULL: none */
    fz_loop *activation; /* NULL: none */
} fz__finish;

/* One product, or many of the same shapes and strides: then the data pointers are set for each. */
typedef struct fz__product {
    fz_dtype compute; /* float32, float64, int32 or int64: what is summed */
    fz__matrix a, b, c;
    const fz_packed *packed; /* stands for b */
    fz__finish finish;
    /* chosen by fz__product_plan, which may transpose all of it: c^T = b^T a^T; transposed and asks are false before */
    const fz_kernels *kernels;
    const fz_matmul_kernels *matmul; /* kernels' own, or the one for groups */
    bool transposed;
    bool is_vector;      /* c has one row, and b rows or columns without gaps */
    bool is_in_place;    /* nothing is packed, and k is one block's */
    bool pack_a, pack_b; /* else read in place */
    bool is_tall; /* B lies in L2, A and C beyond it, read in place: low tiles, so that they pass by once */
    bool is_wide; /* few rows: participants share columns, and each packs its part of B, if any */
    bool asks;    /* for B's next block meanwhile: what a single participant runs may wish so */
    bool through_scratch; /* c is of another dtype, or has no contiguous rows */
    ptrdiff_t mc, nc, kc; /* of a block */
    ptrdiff_t lead;       /* columns that the first panel of a wide product lacks */
    size_t packed_bytes;  /* of B's block */
    size_t shared, own;   /* bytes of scratch: of the product, and of each participant */
    fz_ahead *ahead;      /* asked for meanwhile, if is_in_place; NULL, as it is planned: see kernels.h */
} fz__product;

/* ---- matmul.c: arguments, and many products ------------------------------------------------------------- */

/* What a call asks for. */
typedef struct fz__matmul_call {
    const char *operation, *names[2];
    const fz_array *a, *b; /* b: the packed matrix's shape and dtype, where there is one */
    const fz_packed *packed;
    const fz_array *bias;
    fz_loop *activation;
    fz_array *c;
} fz__matmul_call;

fz_status fz__matmul(const fz__matmul_call *call);
/* What products of this dtype are summed in. */
fz_dtype fz__matmul_compute(fz_dtype result);
/* What multiplies two matrices that are both of this dtype, along k elements. */
const fz_matmul_kernels *fz__matmul_kernels(fz_dtype dtype, ptrdiff_t k);

/* ---- matmul_product.c: planning a product and running it ------------------------------------------------ */

/* Chooses the way and the blocks. They depend on shapes, strides and caches, and on where B and C begin, as far as it changes
   no bit: whether B is packed, and where columns are cut. Never on the number of threads. */
void fz__product_plan(fz__product *product);
/* How many threads pay. */
int fz__product_participants(const fz__product *product);
/* Bytes of scratch where so many participate. */
size_t fz__product_scratch(const fz__product *product, int participants);
/* participants is 1 inside of a task. */
void fz__product_run(const fz__product *product, char *scratch, int participants);
/* How many steps k elements are. */
ptrdiff_t fz__count_steps(const fz_matmul_kernels *matmul, ptrdiff_t k);
/* kc: steps of a block where there are so many. */
ptrdiff_t fz__product_steps(fz_dtype compute, ptrdiff_t steps);
/* The most steps, and the most rows of A in a tile, of this machine's caches. */
void fz__product_block(fz_dtype compute, ptrdiff_t block[2]);

/* ---- matmul_vector.c: a vector times a matrix ------------------------------------------------------------- */

bool fz__is_vector_product(const fz__product *product);
void fz__vector_plan(fz__product *product);
int fz__vector_participants(const fz__product *product);
void fz__vector_run(const fz__product *product, int participants);

/* ---- matmul_pack.c: operands as panels ------------------------------------------------------------------- */

/* Can x be read or written as what is computed in? Integers of one size wrap alike, with a sign or without. */
bool fz__is_direct(const fz__product *product, const fz__matrix *x);
/* m rows of A, and n columns of B, in k steps, from here on. */
void fz__pack_a(const fz__product *product, ptrdiff_t row, ptrdiff_t m, ptrdiff_t step, ptrdiff_t k,
                char *panels);
void fz__pack_b(const fz__product *product, ptrdiff_t column, ptrdiff_t n, ptrdiff_t step, ptrdiff_t k,
                char *panels);

/* ---- matmul_finish.c: bias, activation and conversion ----------------------------------------------------- */

/* Completes rows of sums, contiguous in the compute dtype, whose first is that of row i and column j of c. */
void fz__finish_rows(const fz__product *product, ptrdiff_t i, ptrdiff_t j, ptrdiff_t rows, ptrdiff_t columns,
                     char *sums, ptrdiff_t row_stride);

#endif
