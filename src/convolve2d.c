/* SciPy's convolve2d and correlate2d: a convolution whose input continues beyond its edges. */
#include <math.h>

#include "conv2d.h"

/* Rows and columns backwards: convolution is correlation with that. */
static fz__image flipped(fz__image image) {
    for (int d = 2; d < 4; d++) {
        image.data += (image.shape[d] - 1) * image.strides[d];
        image.strides[d] = -image.strides[d];
    }
    return image;
}

static fz__image as_image(const fz_array *a) {
    return (fz__image){.data = a->data,
                       .dtype = a->dtype,
                       .shape = {1, 1, a->shape[0], a->shape[1]},
                       .strides = {0, 0, a->strides[0], a->strides[1]}};
}

static const char *name_of(int flip) { return flip ? "convolve2d" : "correlate2d"; }

static bool contains(const fz_array *a, const fz_array *b) {
    return a->shape[0] >= b->shape[0] && a->shape[1] >= b->shape[1];
}

static fz_status fail_shapes(const char *name, const fz_array *in1, const fz_array *in2, const char *wanted) {
    fz__shape_text t1, t2;
    return fz__fail(FZ_ERROR_SHAPE, "%s: in1 is %s and in2 is %s; %s", name,
                    fz__format_shape(&t1, in1->ndim, in1->shape),
                    fz__format_shape(&t2, in2->ndim, in2->shape), wanted);
}

fz_status fz_convolve2d_shape(const fz_array *in1, const fz_array *in2, fz_mode mode, int flip,
                              fz_dtype *dtype, ptrdiff_t shape[2]) {
    const char *name = name_of(flip);
    fz_status status = fz__check_array(name, "in1", in1);
    if (!status) status = fz__check_array(name, "in2", in2);
    if (status) return status;
    if (in1->ndim != 2 || in2->ndim != 2 || fz__array_size(in1) == 0 || fz__array_size(in2) == 0)
        return fail_shapes(name, in1, in2, "each must have 2 axes and not be empty");
    if (mode == FZ_MODE_VALID && !contains(in1, in2) && !contains(in2, in1))
        return fail_shapes(name, in1, in2, "for mode \"valid\" one must contain the other");
    for (int d = 0; d < 2; d++) {
        const ptrdiff_t n = fz__max(in1->shape[d], in2->shape[d]), k = fz__min(in1->shape[d], in2->shape[d]);
        shape[d] = mode == FZ_MODE_FULL ? n + k - 1 : mode == FZ_MODE_VALID ? n - k + 1 : in1->shape[d];
    }
    return fz__conv_dtypes(name, "in1", in1->dtype, "in2", in2->dtype, dtype);
}

/* May the larger matrix be the image, whichever comes first? Not where one of them goes on beyond its edges. */
static bool may_swap(const fz_array *in1, const fz_array *in2, fz_mode mode, fz_boundary boundary,
                     double fill) {
    return mode == FZ_MODE_VALID ||
           (mode == FZ_MODE_FULL && boundary == FZ_BOUNDARY_FILL && fill == 0 && contains(in2, in1));
}

/* Sums of integers of at most 16 bits are exact while what is beyond in1 is as narrow as an integer in it may be; of
   wider ones it must be of the result's dtype. */
static fz_status check_fill(const fz__conv *conv) {
    const fz_dtype dtype = conv->out.dtype;
    if (fz__is_float(dtype)) return FZ_OK;
    const int bits = conv->integral ? 16 : 8 * (int)conv->element;
    const bool is_unsigned = dtype >= FZ_UINT8;
    const double least = is_unsigned ? 0 : -ldexp(1, bits - 1);
    const double beyond = ldexp(1, is_unsigned || conv->integral ? bits : bits - 1);
    if (conv->fill >= least && conv->fill < beyond && conv->fill == trunc(conv->fill)) return FZ_OK;
    return fz__fail(FZ_ERROR_VALUE, "%s: fillvalue is %.17g; of integers a whole number of %s would do",
                    conv->operation, conv->fill, conv->integral ? "16 bits" : fz_dtype_name(dtype));
}

fz_status fz_convolve2d(const fz_array *in1, const fz_array *in2, fz_mode mode, fz_boundary boundary,
                        double fill, int flip, fz_array *out) {
    fz_dtype dtype;
    ptrdiff_t shape[2];
    fz_status status = fz_init();
    if (!status) status = fz_convolve2d_shape(in1, in2, mode, flip, &dtype, shape);
    if (!status)
        status =
            fz__check_result(name_of(flip), out, dtype, 2, shape, 2, (const fz_array *const[]){in1, in2});
    if (status) return status;
    const bool swap = !contains(in1, in2) && may_swap(in1, in2, mode, boundary, fill);
    fz__conv conv = {.operation = name_of(flip),
                     .x = as_image(swap ? in2 : in1),
                     .weight = as_image(swap ? in1 : in2),
                     .out = as_image(out),
                     .groups = 1,
                     .stride = {1, 1},
                     .dilation = {1, 1},
                     .boundary = boundary,
                     .fill = fill};
    if (flip) conv.weight = flipped(conv.weight);
    if (swap && !flip) conv.out = flipped(conv.out);
    for (int d = 0; d < 2; d++) {
        const ptrdiff_t reach = conv.weight.shape[2 + d] - 1;
        conv.before[d] = mode == FZ_MODE_FULL    ? reach
                         : mode == FZ_MODE_VALID ? 0
                                                 : (reach + (flip ? 1 : 0)) / 2;
    }
    fz__conv_set_dtype(&conv, dtype);
    status = check_fill(&conv);
    return status ? status : fz__conv_run(&conv);
}
