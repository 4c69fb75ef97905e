/* A layer of a network: a product with a bias and an activation, applied as the sums are stored. */
#include "matmul.h"

static fz_status check_layer(const fz_array *x, const fz_array *weight, const fz_array *bias,
                             bool is_packed) {
    fz_status status = fz__check_array("linear", "x", x);
    if (!status) status = fz__check_array("linear", "weight", weight);
    if (!status && bias) status = fz__check_array("linear", "bias", bias);
    fz__shape_text tx, tw, tb;
    if (status) return status;
    if (weight->ndim != 2)
        return fz__fail(FZ_ERROR_SHAPE, "linear: weight is %s; (out, in) would do",
                        fz__format_shape(&tw, weight->ndim, weight->shape));
    const ptrdiff_t features = weight->shape[is_packed], inputs = weight->shape[!is_packed];
    if (x->ndim == 0 || x->shape[x->ndim - 1] != inputs)
        return fz__fail(FZ_ERROR_SHAPE, "linear: x is %s and weight is %s%s; x's last axis must be %td long",
                        fz__format_shape(&tx, x->ndim, x->shape),
                        fz__format_shape(&tw, weight->ndim, weight->shape), is_packed ? ", packed" : "",
                        inputs);
    if (bias && (bias->ndim != 1 || bias->shape[0] != features))
        return fz__fail(FZ_ERROR_SHAPE, "linear: bias is %s; (%td,) would do",
                        fz__format_shape(&tb, bias->ndim, bias->shape), features);
    const fz_dtype dtype = fz_promote(x->dtype, weight->dtype);
    if (!fz__is_full_float(fz__matmul_compute(dtype)))
        return fz__fail(FZ_ERROR_DTYPE, "linear: x is %s and weight is %s; one of them must be of floats",
                        fz_dtype_name(x->dtype), fz_dtype_name(weight->dtype));
    return FZ_OK;
}

fz_status fz_linear_shape(const fz_array *x, const fz_array *weight, const fz_packed *packed,
                          const fz_array *bias, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    const fz_array *given = packed ? fz_packed_array(packed) : weight;
    const fz_status status = check_layer(x, given, bias, packed != NULL);
    if (status) return status;
    *ndim = x->ndim;
    for (int d = 0; d < x->ndim - 1; d++) shape[d] = x->shape[d];
    shape[x->ndim - 1] = given->shape[packed != NULL];
    return FZ_OK;
}

fz_status fz_linear(const fz_array *x, const fz_array *weight, const fz_packed *packed, const fz_array *bias,
                    fz_op activation, fz_array *out) {
    const fz_array *given = packed ? fz_packed_array(packed) : weight;
    fz_status status = fz_init();
    if (!status) status = check_layer(x, given, bias, packed != NULL);
    if (status) return status;
    const fz_dtype compute = fz__matmul_compute(fz_promote(x->dtype, given->dtype));
    fz_loop *loop = NULL;
    if (activation != FZ_OP_COUNT) {
        if ((unsigned)activation < FZ_OP_COUNT && fz_op_arity(activation) == 1 &&
            fz__op_result(activation, compute) == compute)
            loop = fz__kernels(compute)->elementwise->loops[activation];
        if (!loop) return fz__fail(FZ_ERROR_VALUE, "linear: activation is no function of one float");
    }
    const fz_array transposed = {given->data, given->dtype, 2,
                                 (const ptrdiff_t[]){given->shape[1], given->shape[0]},
                                 (const ptrdiff_t[]){given->strides[1], given->strides[0]}};
    return fz__matmul(&(fz__matmul_call){.operation = "linear",
                                         .names = {"x", "weight"},
                                         .a = x,
                                         .b = packed ? given : &transposed,
                                         .packed = packed,
                                         .bias = bias,
                                         .activation = loop,
                                         .c = out});
}
