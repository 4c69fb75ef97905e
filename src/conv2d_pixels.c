/* Convolution: between planes, one for each channel, and pixels in scratch, whose channels lie side by side. */
#include <string.h>

#include "conv2d.h"

void fz__conv_to_pixels(const fz__conv *conv, fz_dtype dtype, const char *from, const ptrdiff_t shape[4],
                        const ptrdiff_t strides[4], ptrdiff_t pixel, char *to) {
    const ptrdiff_t count = shape[1] * shape[2] * shape[3], element = conv->element;
    const bool gapless = strides[3] == element && (shape[2] == 1 || strides[2] == shape[3] * element) &&
                         (shape[1] == 1 || strides[1] == shape[2] * shape[3] * element);
    if (dtype == conv->dtype && gapless) {
        conv->kernels->transpose((size_t)shape[0], (size_t)count, from, strides[0], to, pixel, false, NULL,
                                 NULL);
        return;
    }
    const ptrdiff_t packed[4] = {element, shape[2] * shape[3] * pixel, shape[3] * pixel, pixel};
    fz__copy_alone(&(fz_array){(char *)from, dtype, 4, shape, strides},
                   &(fz_array){to, conv->dtype, 4, shape, packed});
}

void fz__conv_pack(const fz__conv *conv, ptrdiff_t channel, ptrdiff_t n, ptrdiff_t width, char *panel) {
    const fz__image *w = &conv->weight;
    const ptrdiff_t shape[4] = {n, w->shape[1], w->shape[2], w->shape[3]};
    if (n < width) memset(panel, 0, (size_t)(shape[1] * shape[2] * shape[3] * width * conv->element));
    fz__conv_to_pixels(conv, w->dtype, w->data + channel * w->strides[0], shape, w->strides,
                       width * conv->element, panel);
}

static char *find_place(const fz__image *out, const fz__rectangle *at) {
    return out->data + at->image * out->strides[0] + at->channel * out->strides[1] +
           at->row * out->strides[2] + at->column * out->strides[3];
}

/* Do all pixels of a channel follow one another? */
static bool is_gapless(const fz__image *out, const fz__rectangle *at) {
    const ptrdiff_t element = fz__element_size(out->dtype);
    return out->strides[3] == element && (at->rows == 1 || out->strides[2] == at->columns * element);
}

fz_ahead fz__conv_ahead(const fz__conv *conv, const fz__rectangle *at) {
    const fz__image *out = &conv->out;
    const ptrdiff_t bytes = at->rows * at->columns * fz__element_size(out->dtype);
    return is_gapless(out, at) ? fz__ahead(find_place(out, at), at->channels, bytes, out->strides[1])
                               : (fz_ahead){0};
}

void fz__conv_store_pixels(const fz__conv *conv, const fz__rectangle *at, ptrdiff_t width, char *sums) {
    const fz__image *out = &conv->out;
    const ptrdiff_t step = width * conv->element, pixels = at->rows * at->columns;
    const fz_dtype dtype = fz__conv_finish(conv, pixels * width, sums);
    char *to = find_place(out, at);
    if (out->dtype == conv->dtype && is_gapless(out, at)) {
        conv->kernels->transpose((size_t)pixels, (size_t)at->channels, sums, step, to, out->strides[1], false,
                                 NULL, NULL);
        return;
    }
    const ptrdiff_t shape[3] = {at->channels, at->rows, at->columns},
                    strides[3] = {conv->element, at->columns * step, step};
    fz__copy_alone(&(fz_array){sums, dtype, 3, shape, strides},
                   &(fz_array){to, out->dtype, 3, shape, &out->strides[1]});
}
