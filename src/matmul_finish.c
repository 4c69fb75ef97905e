/* What is done to sums that are complete, while they are still in the cache: bias, activation, conversion. */
#include <string.h>

#include "matmul.h"

/* row[j] += bias at (i, j). A bias that goes down the columns is one value in a row. */
static void add_bias(const fz__product *product, ptrdiff_t i, ptrdiff_t j, ptrdiff_t columns, char *row) {
    const fz__matrix *bias = &product->finish.bias;
    const ptrdiff_t element = fz__element_size(product->compute);
    const char *at = bias->data + i * bias->row_stride + j * bias->column_stride;
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_VECTOR_BYTES];
    const bool along = bias->column_stride != 0;
    for (ptrdiff_t lane = 0; !along && lane < FZ_MAX_VECTOR_BYTES; lane += element)
        memcpy(splat + lane, at, (size_t)element);
    product->kernels->elementwise->loops[FZ_OP_add](&(fz_plane){
        .n = (size_t)columns, .rows = 1, .in = {row, along ? at : splat}, .step = {1, along}, .out = row});
}

void fz__finish_rows(const fz__product *product, ptrdiff_t i, ptrdiff_t j, ptrdiff_t rows, ptrdiff_t columns,
                     char *sums, ptrdiff_t row_stride) {
    const fz__finish *finish = &product->finish;
    const fz__matrix *c = &product->c;
    if (!finish->bias.data && !finish->activation && !product->through_scratch) return;
    fz_cast *cast = fz__kernels(c->dtype)->elementwise->cast_from[product->compute];
    for (char *row = sums; rows; rows--, i++, row += row_stride) {
        if (finish->bias.data) add_bias(product, i, j, columns, row);
        if (finish->activation)
            finish->activation(
                &(fz_plane){.n = (size_t)columns, .rows = 1, .in = {row}, .step = {1}, .out = row});
        if (product->through_scratch)
            cast((size_t)columns, row, fz__element_size(product->compute),
                 c->data + i * c->row_stride + j * c->column_stride, c->column_stride);
    }
}
