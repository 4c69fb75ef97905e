/* Convolution of single pixels: the product of a matrix of pixels and channels, of either layout, and the weights. */
#include "conv2d.h"
#include "matmul.h"

/* Thin products pay where the long rows are those of pixels; where channels lie side by side, tiles need vectors of
   them. */
static bool has_good_shape(const fz__conv *conv) {
    const ptrdiff_t channels = conv->weight.shape[1], outputs = conv->weight.shape[0];
    const ptrdiff_t lanes = conv->kernels->conv2d_tile->lanes;
    return fz__min(channels, outputs) >= lanes ||
           (conv->x.strides[3] == conv->element && fz__min(channels, outputs) > 1);
}

/* Vectors of a product hold pixels of one image: of 49 one takes a vector of 16 for itself. Tiles have groups of pixels and
   vectors of output channels, and leave fewer lanes empty where these are many. */
static bool wastes_lanes(const fz__conv *conv) {
    const fz_conv2d_tile *tile = conv->kernels->conv2d_tile;
    const ptrdiff_t pixels = conv->out.shape[3], outputs = conv->weight.shape[0];
    const double by_tiles =
        (double)fz__round_up(pixels, tile->group) * (double)fz__round_up(outputs, tile->lanes);
    const double by_product = (double)fz__round_up(pixels, tile->lanes) * (double)outputs;
    return conv->x.strides[3] == conv->element && pixels > tile->lanes && by_tiles < by_product * 7 / 8;
}

bool fz__conv_prefers_product(const fz__conv *conv) {
    const fz__image *x = &conv->x, *w = &conv->weight, *out = &conv->out;
    const bool is_float = fz__is_full_float(out->dtype) && x->dtype == out->dtype && w->dtype == out->dtype;
    const bool sees_pixels = w->shape[2] * w->shape[3] == 1 && conv->stride[1] == 1 && conv->before[0] == 0 &&
                             conv->before[1] == 0;
    const bool are_rows = x->shape[2] == 1 && out->shape[2] == 1 && x->shape[3] == out->shape[3];
    return is_float && sees_pixels && are_rows && conv->groups == 1 && has_good_shape(conv) &&
           !wastes_lanes(conv);
}

/* (images, pixels, channels), of an image that is one row. */
static fz_array as_pixels(const fz__image *image, ptrdiff_t shape[3], ptrdiff_t strides[3]) {
    static const int axes[3] = {0, 3, 1};
    for (int d = 0; d < 3; d++) {
        shape[d] = image->shape[axes[d]];
        strides[d] = image->strides[axes[d]];
    }
    return (fz_array){image->data, image->dtype, 3, shape, strides};
}

fz_status fz__conv_product(const fz__conv *conv) {
    const fz__image *w = &conv->weight;
    ptrdiff_t shapes[2][3], strides[2][3];
    const fz_array x = as_pixels(&conv->x, shapes[0], strides[0]),
                   weight = {w->data, w->dtype, 2, (const ptrdiff_t[]){w->shape[1], w->shape[0]},
                             (const ptrdiff_t[]){w->strides[1], w->strides[0]}};
    fz_array out = as_pixels(&conv->out, shapes[1], strides[1]);
    return fz__matmul(&(fz__matmul_call){.operation = conv->operation,
                                         .names = {"x", "weight"},
                                         .a = &x,
                                         .b = &weight,
                                         .bias = conv->bias,
                                         .activation = conv->activation,
                                         .c = &out});
}
