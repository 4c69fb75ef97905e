/* forzium: native array compute.

   This header is the manual of libforzium. Three rules hold for every function in it:

   Arrays  An fz_array is a borrowed view. The caller owns all memory, outputs included; no pointer
           outlives the call. Strides are in bytes and may be negative, zero (inputs) or unaligned.
   Errors  Everything that can fail returns fz_status, and fails before the first byte of output is
           written. fz_error_message() explains. Nothing is ever printed; nothing aborts.
   Threads Every function may be called from any thread at any time. Large calls are split over one
           process-wide pool of threads in which the caller takes part; small ones run inline.
           Results are the same bits for any number of threads. A calling thread needs 512 KB of stack. */
#ifndef FORZIUM_H
#define FORZIUM_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) || defined(__clang__)
#define FZ_API __attribute__((visibility("default")))
#else
#define FZ_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---------------------------------------------------------------------------------- */

typedef enum fz_status {
    FZ_OK = 0,
    FZ_ERROR_SHAPE,   /* shapes or sizes do not fit together, or an axis is named twice */
    FZ_ERROR_DTYPE,   /* no loop for these dtypes, or no safe conversion */
    FZ_ERROR_OVERLAP, /* an output shares memory where it must not */
    FZ_ERROR_VALUE,   /* any other bad argument or environment variable */
    FZ_ERROR_MEMORY,  /* memory is short, or a pool's capacity is spent */
    FZ_ERROR_RANGE,   /* a number does not fit the dtype of the arrays that it meets */
    FZ_ERROR_AXIS,    /* an array has no such axis */
} fz_status;

/** The calling thread's last error, as one line of UTF-8: the operation, the argument, what was given
    and what would do. Valid until the thread's next failing call; "" when none has failed yet. */
FZ_API const char *fz_error_message(void);

/* ---- arrays ---------------------------------------------------------------------------------- */

/* The order is of no meaning but that the dtypes of all operations, linear algebra included, come first. */
typedef enum fz_dtype {
    FZ_FLOAT32,
    FZ_FLOAT64,
    FZ_BOOL, /* one byte, 0 or 1 */
    FZ_INT8,
    FZ_INT16,
    FZ_INT32,
    FZ_INT64,
    FZ_UINT8,
    FZ_UINT16,
    FZ_UINT32,
    FZ_UINT64,
    FZ_FLOAT16,  /* IEEE binary16; stored only: computed as float32 */
    FZ_BFLOAT16, /* the upper half of a float32; stored only: computed as float32 */
    FZ_DTYPE_COUNT,
} fz_dtype;
#define FZ_FULL_DTYPES (FZ_FLOAT64 + 1)

/** The most axes an array can have; NumPy 2's limit. */
#define FZ_MAX_NDIM 64

typedef struct fz_array {
    void *data;
    fz_dtype dtype;
    int ndim;                 /* 0 is a scalar: shape and strides are not read */
    const ptrdiff_t *shape;   /* ndim lengths, each >= 0 */
    const ptrdiff_t *strides; /* ndim steps in bytes */
} fz_array;

/** Bytes of one element. */
FZ_API size_t fz_dtype_size(fz_dtype dtype);

/** "float32", "bool", "bfloat16"; NumPy's names and ml_dtypes'. */
FZ_API const char *fz_dtype_name(fz_dtype dtype);

/** The smallest dtype that holds the values of both, as NumPy promotes; for int64 with uint64 float64. */
FZ_API fz_dtype fz_promote(fz_dtype a, fz_dtype b);

/** The same of count dtypes, bool if there is none: int8 and uint8, together int16, with float16 are float16. */
FZ_API fz_dtype fz_promote_all(int count, const fz_dtype *all);

/** Fills strides with those of a C-ordered array without gaps. */
FZ_API void fz_contiguous_strides(fz_dtype dtype, int ndim, const ptrdiff_t *shape, ptrdiff_t *strides);

/** 0 if a and b share no byte for certain, 1 if they may. */
FZ_API int fz_may_overlap(const fz_array *a, const fz_array *b);
/** 0 if no two elements of x share a byte for certain, 1 if they may. */
FZ_API int fz_overlaps_itself(const fz_array *x);

/* An operation whose output has a shape of its own has a function fz_<name>_shape() beside it: that shape, or the error
   that the inputs deserve. It touches no data. Element-wise operations share fz_broadcast_shape, reductions
   fz_reduce_shape. */

/** The shape to which n arrays broadcast together, as NumPy's do; `operation` begins the message.
    FZ_ERROR_SHAPE. */
FZ_API fz_status fz_broadcast_shape(const char *operation, int n, const fz_array *const arrays[], int *ndim,
                                    ptrdiff_t shape[FZ_MAX_NDIM]);

/** Fills strides with those of an array of this shape without gaps whose axes lie in memory as those of the n arrays
    do that broadcast to it: NumPy's order "K". Where they differ, C order wins. */
FZ_API void fz_strides_like(fz_dtype dtype, int ndim, const ptrdiff_t *shape, int n,
                            const fz_array *const arrays[], ptrdiff_t *strides);

/* ---- element-wise operations ------------------------------------------------------------------- */

/* Every row of ops.def is a function here, and a value of fz_op:

       fz_status fz_<name>(const fz_array *x, fz_array *out);                      (unary, test)
       fz_status fz_<name>(const fz_array *x, const fz_array *y, fz_array *out);   (binary, comparison)
       fz_status fz_<name>(const fz_array *x, const fz_array *y, const fz_array *z, fz_array *out);

           for each index i of out:  out[i] = op(x[i], y[i], z[i])

   Inputs broadcast to out's shape as NumPy's do. The result is computed in the dtype that fz_op_dtype gives
   for the inputs' (where()'s first input is a condition and has no say in it), and converted to out's as
   fz_copy does; int64 and uint64 compare as the integers that they are. out may be an input, or overlap inputs
   in any way: the result is the one that copies of the inputs would give. IEEE 754 throughout: NaN, infinities,
   signed zeros and subnormals as NumPy. Integers wrap. FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP (out
   overlaps itself), FZ_ERROR_MEMORY. */
typedef enum fz_op {
#define FZ_UNARY(name, ...) FZ_OP_##name,
#define FZ_BINARY(name, ...) FZ_OP_##name,
#define FZ_TERNARY(name, ...) FZ_OP_##name,
#include "ops.def"
    FZ_OP_COUNT,
} fz_op;

#define FZ_UNARY(name, ...) FZ_API fz_status fz_##name(const fz_array *x, fz_array *out);
#define FZ_BINARY(name, ...) FZ_API fz_status fz_##name(const fz_array *x, const fz_array *y, fz_array *out);
#define FZ_TERNARY(name, ...) \
    FZ_API fz_status fz_##name(const fz_array *x, const fz_array *y, const fz_array *z, fz_array *out);
#include "ops.def"

/** The same by number, for language bindings: computes op on its inputs (one to three) in `dtype`, to
    which they are converted element by element (a condition is converted to bool). */
FZ_API fz_status fz_elementwise(fz_op op, fz_dtype dtype, const fz_array *const inputs[], fz_array *out);

/** How an operand without gaps broadcasts to `rows` rows of n elements. */
typedef enum fz_spread {
    FZ_SPREAD_NONE,   /* it has them all */
    FZ_SPREAD_NUMBER, /* a double for all of them, converted to their dtype */
    FZ_SPREAD_ROW,    /* n elements, the same in all rows */
    FZ_SPREAD_COLUMN, /* an element for each row */
} fz_spread;

/** The same for elements that lie side by side, by the shortest way: out[r][i] = op(inputs[0][r][i], ...) for r < rows
    and i < n on the calling thread. Inputs are of `dtype` (a condition is bool), float16 and bfloat16 being computed in
    float32, and spread as they say. out is of the dtype fz_op_result(op, dtype); it is one of the inputs that are not
    spread, or shares no memory with any.
    FZ_ERROR_DTYPE: no loop of op computes in `dtype`. FZ_ERROR_VALUE. */
FZ_API fz_status fz_elementwise_gapless(fz_op op, fz_dtype dtype, size_t rows, size_t n,
                                        const void *const inputs[], const fz_spread spreads[], void *out);

/** What op computes in for inputs of these dtypes, and what its result is, as NumPy has it: that of sqrt is
    float64 for int32, and float16 for float16, but computed in float32. FZ_ERROR_DTYPE. */
FZ_API fz_status fz_op_dtype(fz_op op, const fz_dtype inputs[], fz_dtype *compute, fz_dtype *result);

/** What op gives of `dtype` where it needs no other to compute in but float32 for float16 and bfloat16: `dtype` or
    bool; else FZ_DTYPE_COUNT. */
FZ_API fz_dtype fz_op_result(fz_op op, fz_dtype dtype);

/** Is input k of op a condition, converted to bool whatever the others are? */
FZ_API int fz_op_is_condition(fz_op op, int k);

/** The name of op, its number of inputs (1 to 3) and its line of documentation. */
FZ_API const char *fz_op_name(fz_op op);
FZ_API int fz_op_arity(fz_op op);
FZ_API const char *fz_op_doc(fz_op op);

/* ---- reductions ------------------------------------------------------------------------------ */

/* Every FZ_REDUCTION row of ops.def is a function here:

       fz_status fz_<name>(const fz_array *x, int naxes, const int axes[], fz_array *out);

           out[i] = x[i, j0] op x[i, j1] op ...   over all indices j of the reduced axes

   axes are distinct, in [-ndim, ndim); naxes == 0 reduces nothing, and axes == NULL every axis (argmin and argmax:
   one axis, or all in C order). out has x's shape with the reduced axes removed, or kept with length 1; it must not
   share memory with x.

   out's dtype says what elements are converted to, block by block, before they are joined: sum, prod and their
   likes have any (float16 and bfloat16 are computed in float32 and rounded once); mean, var and std any float, or
   integers, to which elements are cut (std: one result; nan-variants: of integers); min and max have x's; any and all
   give bool, count_nonzero and argmin int64. fz_reduce_dtype says what NumPy gives.

   Sums are pairwise (error bound O(log n) eps), in an order that shapes and strides fix, and so are products.
   Integers wrap. Variances take one pass over memory: blocks' sums of squared distances from their means, joined
   pairwise (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
   1979); of floats in double. min and max give NaN where a NaN is met, nanmin and nanmax only where nothing else is;
   all four, argmin and argmax FZ_ERROR_VALUE over no elements. Over none sum is 0, prod 1, mean and var NaN, any
   false, all true. FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
typedef enum fz_reduction {
#define FZ_REDUCTION(name, ...) FZ_REDUCTION_##name,
#include "ops.def"
    FZ_REDUCTION_COUNT,
} fz_reduction;

#define FZ_REDUCTION(name, ...) \
    FZ_API fz_status fz_##name(const fz_array *x, int naxes, const int axes[], fz_array *out);
#include "ops.def"

/** The output's shape, with or without the reduced axes. FZ_ERROR_AXIS, FZ_ERROR_SHAPE. */
FZ_API fz_status fz_reduce_shape(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                                 int keepdims, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]);
/** The dtype that NumPy gives for x's: int64 for a sum of int8, float64 for its mean. */
FZ_API fz_dtype fz_reduce_dtype(fz_reduction reduction, fz_dtype x);

/** What only some reductions know; all zero where nothing is asked for. */
typedef struct fz_reduce_options {
    const fz_array
        *where; /* broadcasts to x: elements where it is not 0 count. Not argmin, argmax, count_nonzero */
    const fz_array *initial; /* 0-d, joined with every result: sums, products, min, max */
    double correction;       /* var and std divide by the number of elements less this */
} fz_reduce_options;

/** The same by number, for language bindings. options may be NULL. min and max with `where` need `initial`.
    FZ_ERROR_VALUE for an option that the reduction does not know. */
FZ_API fz_status fz_reduce(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                           fz_array *out);
FZ_API fz_status fz_reduce_with(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                                const fz_reduce_options *options, fz_array *out);
/** Its name, its line of documentation, and whether fz_expression_reduce knows it. */
FZ_API const char *fz_reduction_name(fz_reduction reduction);
FZ_API const char *fz_reduction_doc(fz_reduction reduction);
FZ_API int fz_reduction_is_fused(fz_reduction reduction);

/* ---- rows ------------------------------------------------------------------------------------------ */

/* A row is what the named axes of x hold where the others stand still. axes are distinct, in [-ndim, ndim);
   axes == NULL names all. x is of any dtype and strides; rows are computed in float32 where x is float32 or narrower,
   else in float64, and converted to out's dtype. Where results have x's shape, out may be x itself; otherwise
   it must not share memory with an input. The order of a sum is fixed by shapes and strides, and its error is that of
   at most 17 + log2(lanes) roundings, however long the row. FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_DTYPE,
   FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */

/** for each row:  m = max(x[i]);  s = sum of e^(x[i] - m);  out[i] = e^(x[i] - m) / s
    NaN all along where a NaN or +infinity is met, or nothing but -infinity. */
FZ_API fz_status fz_softmax(const fz_array *x, int naxes, const int axes[], fz_array *out);

/** for each row:  m = max(x[i]);  s = sum of e^(x[i] - m);  out[i] = x[i] - m - log(s)
    Within 3 ULP also where the result is near 0. */
FZ_API fz_status fz_log_softmax(const fz_array *x, int naxes, const int axes[], fz_array *out);

/** for each row:  m = mean(x[i]);  v = mean((x[i] - m)^2);  out[i] = (x[i] - m) / sqrt(v + eps) * weight[i] + bias[i]
    weight and bias have the shape that x has along the named axes, and any dtype; either may be NULL, but a bias
    needs a weight. FZ_ERROR_VALUE. */
FZ_API fz_status fz_layer_norm(const fz_array *x, int naxes, const int axes[], const fz_array *weight,
                               const fz_array *bias, double eps, fz_array *out);

/** for each row:  out[i] = x[i] / sqrt(mean(x[i]^2) + eps) * weight[i]
    weight as in fz_layer_norm. Squares neither overflow nor underflow. */
FZ_API fz_status fz_rms_norm(const fz_array *x, int naxes, const int axes[], const fz_array *weight,
                             double eps, fz_array *out);

/** for each row:  out[i] = x[i] / sqrt(sum of x[i]^2)
    Squares neither overflow nor underflow. A row of zeros has no direction and gives NaN. */
FZ_API fz_status fz_normalize(const fz_array *x, int naxes, const int axes[], fz_array *out);

/** for each row:  out[row] = log(sum of e^x[i])
    out has x's shape with the named axes removed, or kept with length 1. -infinity for no elements. */
FZ_API fz_status fz_logsumexp(const fz_array *x, int naxes, const int axes[], fz_array *out);
FZ_API fz_status fz_logsumexp_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                                    ptrdiff_t shape[FZ_MAX_NDIM]);

/** for each row:  out[row] = sqrt(sum of x[i]^2)
    out as in fz_logsumexp. Squares neither overflow nor underflow. 0 for no elements. */
FZ_API fz_status fz_norm(const fz_array *x, int naxes, const int axes[], fz_array *out);
FZ_API fz_status fz_norm_shape(const fz_array *x, int naxes, const int axes[], int keepdims, int *ndim,
                               ptrdiff_t shape[FZ_MAX_NDIM]);

/** for each row along *axis:  out[i] = x[0] + x[1] + ... + x[i]
    axis == NULL takes all elements in C order for one row; out then has one axis. x is computed in out's dtype
    (narrower floats in float32, integers in 64 bits, which wrap; a sum of bools is whether any is true, a product
    whether all are); out may be x. Floats' sums have at most 2 + log2(lanes) + FZ_BLOCK / lanes roundings along memory,
    where FZ_BLOCK is 512, and i across it; where the sum of some neighbours overflows, what follows is infinite or NaN.
    FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_cumsum(const fz_array *x, const int *axis, fz_array *out);

/** for each row along *axis:  out[i] = ((x[0] * x[1]) * ...) * x[i]     otherwise as fz_cumsum */
FZ_API fz_status fz_cumprod(const fz_array *x, const int *axis, fz_array *out);

/** out[...] = sum over i of a[..., i] * b[..., i]
    i runs along an axis of both, of one length; the other axes broadcast. Computed in what the dtypes
    promote to; integers wrap. FMA where the CPU has it. out must not share memory with a or b.
    FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_vecdot(const fz_array *a, const fz_array *b, int axis, fz_array *out);
FZ_API fz_status fz_vecdot_shape(const fz_array *a, const fz_array *b, int axis, int *ndim,
                                 ptrdiff_t shape[FZ_MAX_NDIM]);

/** out[..., j...] = sum over k of a[..., k] * b[..., k, j]     (NumPy's dot)
    over a's last axis and b's last but one, or only one; a * b where either has no axis. Where b is a matrix it
    is fz_matmul, else computed as fz_vecdot does. FZ_ERROR_SHAPE,
    FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_dot(const fz_array *a, const fz_array *b, fz_array *out);
FZ_API fz_status fz_dot_shape(const fz_array *a, const fz_array *b, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]);

/* ---- expressions --------------------------------------------------------------------------------- */

/* An expression is a program of element-wise operations that is run in one pass over its inputs, without arrays
   in between. Its values are numbered: inputs first, then constants, then the results of its instructions, each
   of which may use those before it. */

/** Weak: a Python number, which takes the dtype of what it meets (NEP 50). Huge: so is a Python integer beyond 64
    bits, of which a constant has the nearest float64; it fits no integer dtype. */
enum { FZ_STRONG, FZ_WEAK, FZ_HUGE };

/** What is known of a value before it is computed. */
typedef struct fz_kind {
    fz_dtype dtype;
    int weak; /* FZ_STRONG, FZ_WEAK, or of a constant FZ_HUGE */
} fz_kind;

typedef struct fz_constant {
    fz_kind kind; /* bool, int64, uint64 or float64 */
    union {
        uint8_t boolean;
        int64_t integer;
        uint64_t natural;
        double real;
    } value;
} fz_constant;

typedef struct fz_instruction {
    fz_op op;        /* FZ_OP_COUNT: a conversion */
    fz_dtype dtype;  /* to which a conversion converts; others compute in what their operands promote to */
    int operands[3]; /* values, as many as the operation has */
} fz_instruction;

typedef struct fz_program {
    int inputs, constants, instructions, outputs;
    const char *const *names; /* of the inputs, for messages */
    const fz_constant *constant;
    const fz_instruction *instruction;
    const int *output; /* values */
} fz_program;

/** The most inputs and outputs together. */
#define FZ_MAX_EXPRESSION_ARRAYS 40

/** A program made ready to run on inputs of certain kinds. It never changes: any number of threads may
    run it at once. */
typedef struct fz_expression fz_expression;

/** kinds: the inputs'. Constants are rounded to nearest, whatever the thread's modes. FZ_ERROR_VALUE (a program that
    makes no sense, or needs too much at once), FZ_ERROR_DTYPE, FZ_ERROR_RANGE, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_expression_create(const fz_program *program, const fz_kind kinds[],
                                      fz_expression **expression);
FZ_API void fz_expression_free(fz_expression *expression);
/** The dtype in which an output is computed. */
FZ_API fz_dtype fz_expression_dtype(const fz_expression *expression, int output);

/** for each index i:  outputs[0][i], ... = expression(inputs[0][i], ...)
    Inputs have the dtypes of their kinds and broadcast to the outputs' shape, which is one. Outputs may be
    of any dtype. An output may be an input, or overlap some in any way: results are those that copies
    of the inputs would give. Each operation gives the bits that it gives alone. FZ_ERROR_SHAPE, FZ_ERROR_DTYPE,
    FZ_ERROR_OVERLAP (outputs overlap each other or themselves), FZ_ERROR_MEMORY. */
FZ_API fz_status fz_expression_run(const fz_expression *expression, const fz_array *const inputs[],
                                   fz_array *const outputs[]);

/** for each index i:  out[i] = expression(...)[i, j0] op expression(...)[i, j1] op ...
    A reduction of the only output over axes of the shape to which the inputs broadcast, as fz_reduce has them: any but
    argmin and argmax, with its dtypes. The elements are computed block by block; they are never all there. The bits
    are those of the reduction of the array without gaps that fz_expression_run would give. FZ_ERROR_VALUE,
    FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP (out shares memory with an input),
    FZ_ERROR_MEMORY. */
FZ_API fz_status fz_expression_reduce(const fz_expression *expression, fz_reduction reduction,
                                      const fz_array *const inputs[], int naxes, const int axes[],
                                      fz_array *out);
/** out's shape, with or without the reduced axes. FZ_ERROR_VALUE, FZ_ERROR_AXIS, FZ_ERROR_SHAPE, FZ_ERROR_DTYPE. */
FZ_API fz_status fz_expression_reduce_shape(const fz_expression *expression, fz_reduction reduction,
                                            const fz_array *const inputs[], int naxes, const int axes[],
                                            int keepdims, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]);

/* ---- linear algebra and images ------------------------------------------------------------------ */

/** c[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]
    a is (..., m, k), b is (..., k, n), c is (..., m, n), any strides; the axes before the last two broadcast as
    NumPy's. A vector is a row on the left and a column on the right, and c lacks that axis. c has the dtype to which
    a's and b's promote, and must not share memory with either. k == 0 gives zeros. Integers wrap; float16 and
    bfloat16 are summed in float32 and rounded once; of bools it is whether any product is true. Products of floats
    are fused into sums (FMA where the CPU has it), in an order that shapes, strides and the machine fix, never the
    number of threads; the error is at most k * eps * (|a| |b|)[i][j]. CPUs with AVX512-BF16 take subnormal numbers of
    bfloat16, and subnormal sums of them, for zeros in products of more than one row. FZ_ERROR_SHAPE, FZ_ERROR_DTYPE,
    FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_matmul(const fz_array *a, const fz_array *b, fz_array *c);
FZ_API fz_status fz_matmul_shape(const fz_array *a, const fz_array *b, int *ndim,
                                 ptrdiff_t shape[FZ_MAX_NDIM]);

/** A matrix b (k, n) packed for products with it on the right: used often, it saves packing it each time. It keeps
    nothing of b, never changes, and may be used by any number of threads. */
typedef struct fz_packed fz_packed;
/** FZ_ERROR_SHAPE (b has not 2 axes), FZ_ERROR_MEMORY. */
FZ_API fz_status fz_pack_matrix(const fz_array *b, fz_packed **packed);
FZ_API void fz_packed_free(fz_packed *packed);
/** Its shape and dtype, for functions that take no data (fz_matmul_shape). */
FZ_API const fz_array *fz_packed_array(const fz_packed *packed);
/** fz_matmul(a, b, c), with the same error; the order of sums may be another. b packed from bfloat16, or from integers of
    8 or 16 bits, is for an a of that very dtype. */
FZ_API fz_status fz_matmul_packed(const fz_array *a, const fz_packed *b, fz_array *c);

/** out[..., j] = activation(sum over k of x[..., k] * weight[j][k] + bias[j])
    x is (..., in), weight (out, in), bias (out) or NULL; activation is a unary row of ops.def that has a loop for
    floats, or FZ_OP_COUNT for none. Instead of weight (NULL), its transpose (in, out) may be given packed. out has
    the dtype to which x's and weight's promote, a float; bias is converted to it. It is rounded once. As fz_matmul
    for the rest. FZ_ERROR_VALUE (activation), FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_linear(const fz_array *x, const fz_array *weight, const fz_packed *packed,
                           const fz_array *bias, fz_op activation, fz_array *out);
FZ_API fz_status fz_linear_shape(const fz_array *x, const fz_array *weight, const fz_packed *packed,
                                 const fz_array *bias, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]);

/** out[i] = x[i] for each index i, converted to out's dtype: floats rounded to the nearest, or cut to integers;
    integers wrap; bool is whether x is not 0. Floats become int32 on the way to integers of at most 32 bits but uint32,
    else int64: its least number stands for NaN and what lies beyond (uint64 holds numbers from 2^63 on all the same).
    x broadcasts to out's shape and may overlap it. FZ_ERROR_SHAPE, FZ_ERROR_OVERLAP (elements of out share memory),
    FZ_ERROR_MEMORY. */
FZ_API fz_status fz_copy(const fz_array *x, fz_array *out);
/** The same where where[i] is not 0; the other elements of out are neither read nor written. where is of bool, and
    broadcasts and may overlap like x. */
FZ_API fz_status fz_copy_where(const fz_array *x, const fz_array *where, fz_array *out);

/** out[i0][i1]... = x[...] with the axes permuted: axis d of out is axis axes[d] of x; axes == NULL
    reverses them. A copy in tiles that fit the cache. x and out have one dtype, any, and share no memory.
    FZ_ERROR_AXIS, FZ_ERROR_SHAPE (also of axes named twice), FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP. */
FZ_API fz_status fz_transpose(const fz_array *x, const int axes[], fz_array *out);
FZ_API fz_status fz_transpose_shape(const fz_array *x, const int axes[], ptrdiff_t shape[FZ_MAX_NDIM]);

typedef struct fz_conv2d_options {
    ptrdiff_t stride[2], dilation[2]; /* of rows and of columns, >= 1 */
    ptrdiff_t padding[2][2];          /* zeros above and below, left and right, >= 0 */
    int same;                         /* padding is what gives out x's size; stride is 1 then */
    ptrdiff_t groups;
    int channels_last; /* x and out are (n, h, w, c) */
    fz_op activation;  /* of one operand, applied to each output; FZ_OP_COUNT: none */
} fz_conv2d_options;
#define FZ_CONV2D_DEFAULTS {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1, .activation = FZ_OP_COUNT}

/** out[n][o][i][j] = activation(bias[o] + sum over c, p, q of
        x[n][g * cg + c][i * stride + p * dilation - padding][j * stride + q * dilation - padding] * weight[o][c][p][q])
    x is (n, c, h, w) and 0 beyond its edges; weight (o, cg, kh, kw) with cg = c / groups; g = o / (outputs of a
    group). Or x is (h, w) and weight (kh, kw), as if n, c and o were 1. bias is (o,) or NULL; options NULL: the
    defaults. A window larger than the padded x is an error. Floats of any width with any numbers give what NumPy
    promotes them to, and float16 and bfloat16 are summed in float32; integers of at most 16 bits give int32, wider ones
    what NumPy promotes them to (of int64 and uint64 float64), and sums of integers are exact but for wrapping. Sums are in
    an order that shapes and the machine fix, products fused into them, with an error of at most (taps) * eps * (|x| *
    |weight|). Windows of floats over one channel at stride 1 that are a column times a row, but for 8 eps of each weight,
    go down the columns, then along the rows: within that bound, where no product underflows, and exact where weights are
    whole numbers and sums were exact. Windows of 196 elements and more on one channel may go by Fourier transforms of
    tiles: a few eps * log2(512) times the largest such sum of a tile. NaN and infinities reach the outputs that see them
    and no other. out must not share memory with an input. FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP,
    FZ_ERROR_VALUE, FZ_ERROR_MEMORY. */
FZ_API fz_status fz_conv2d(const fz_array *x, const fz_array *weight, const fz_array *bias,
                           const fz_conv2d_options *options, fz_array *out);
FZ_API fz_status fz_conv2d_shape(const fz_array *x, const fz_array *weight, const fz_array *bias,
                                 const fz_conv2d_options *options, fz_dtype *dtype, int *ndim,
                                 ptrdiff_t shape[4]);

/** The same along one axis: x is (n, c, l), weight (o, cg, k); or (l,) and (k,). Of the options those of columns count. */
FZ_API fz_status fz_conv1d(const fz_array *x, const fz_array *weight, const fz_array *bias,
                           const fz_conv2d_options *options, fz_array *out);
FZ_API fz_status fz_conv1d_shape(const fz_array *x, const fz_array *weight, const fz_array *bias,
                                 const fz_conv2d_options *options, fz_dtype *dtype, int *ndim,
                                 ptrdiff_t shape[4]);

/* Which outputs there are: all that see an element of in1; as many as in1 has, from the middle; those that see nothing
   else. */
typedef enum fz_mode { FZ_MODE_FULL, FZ_MODE_SAME, FZ_MODE_VALID } fz_mode;

/* What is beyond the edges: a value; in1 again; in1 mirrored, with its edge twice. */
typedef enum fz_boundary { FZ_BOUNDARY_FILL, FZ_BOUNDARY_WRAP, FZ_BOUNDARY_SYMM } fz_boundary;

/** scipy.signal.convolve2d(in1, in2, mode, boundary, fill), or correlate2d where flip is 0. in1 and in2 are matrices,
    and not empty; for FZ_MODE_VALID one is at least as large as the other in both axes. Dtypes, errors of rounding and
    error codes as of fz_conv2d; of integers of at most 16 bits fill is a whole number of 16 bits, signed or not, of
    wider ones one that the result's dtype holds. */
FZ_API fz_status fz_convolve2d(const fz_array *in1, const fz_array *in2, fz_mode mode, fz_boundary boundary,
                               double fill, int flip, fz_array *out);
FZ_API fz_status fz_convolve2d_shape(const fz_array *in1, const fz_array *in2, fz_mode mode, int flip,
                                     fz_dtype *dtype, ptrdiff_t shape[2]);

typedef enum fz_pooling { FZ_POOLING_MAX, FZ_POOLING_MEAN } fz_pooling;

typedef struct fz_pool2d_options {
    ptrdiff_t window[2];              /* rows and columns, >= 1 */
    ptrdiff_t stride[2], dilation[2]; /* >= 1 */
    ptrdiff_t padding[2];             /* on either side, 0 to half the window */
    int ceil_mode;                    /* a last window may reach beyond the padding, if it begins before it */
    int count_padding; /* a mean is over the window with its padding, not over the elements of x in it */
    int channels_last; /* x and out are (n, h, w, c) */
} fz_pool2d_options;

/** out[n][c][i][j] = the largest, or the mean, over p < window[0], q < window[1], of
        x[n][c][i * stride + p * dilation - padding][j * stride + q * dilation - padding]
    x is (n, c, h, w), (c, h, w) or (h, w), and beyond its edges there is nothing to take the largest of, and zeros in
    a mean. The number of outputs is PyTorch's. The largest is NaN where there is one, the dtype's least value where
    dilation lets a window see padding alone (a mean is NaN there, unless padding counts), and of x's dtype, which
    may be any; means are float64 of integers and bool, else of x's dtype (float16, bfloat16 summed in
    float32). out must not share memory with x. FZ_ERROR_SHAPE, FZ_ERROR_DTYPE, FZ_ERROR_OVERLAP, FZ_ERROR_VALUE,
    FZ_ERROR_MEMORY. */
FZ_API fz_status fz_pool2d(fz_pooling pooling, const fz_array *x, const fz_pool2d_options *options,
                           fz_array *out);
FZ_API fz_status fz_pool2d_shape(fz_pooling pooling, const fz_array *x, const fz_pool2d_options *options,
                                 fz_dtype *dtype, ptrdiff_t shape[4]);

/** out[..., i, j] = mean of x[..., floor(i h / oh) : ceil((i + 1) h / oh), floor(j w / ow) : ceil((j + 1) w / ow)]
    x has 2 to 4 axes, the last two (h, w), none empty; channels come after them where channels_last and there are
    any. size is (oh, ow), >= 1. Dtypes and errors as of fz_pool2d. */
FZ_API fz_status fz_adaptive_mean2d(const fz_array *x, const ptrdiff_t size[2], int channels_last,
                                    fz_array *out);
FZ_API fz_status fz_adaptive_mean2d_shape(const fz_array *x, const ptrdiff_t size[2], int channels_last,
                                          fz_dtype *dtype, ptrdiff_t shape[4]);

/* ---- memory ---------------------------------------------------------------------------------- */

/** A pool hands out blocks aligned to 64 bytes, keeps what comes back, and never has more than
    `capacity` bytes out, counted as asked for. What it keeps in reserve stays within the capacity
    too, but for the rounding to size classes (at most 12.5 %). Reference-counted; created with one
    reference. A pool outlives its blocks only if somebody holds a reference: whoever holds a block
    must hold one. */
typedef struct fz_pool fz_pool;

typedef struct fz_pool_stats {
    size_t capacity;       /* bytes, as given */
    size_t bytes_in_use;   /* out now, as asked for */
    size_t bytes_peak;     /* the most that was ever out */
    size_t bytes_reserved; /* kept ready for reuse, in rounded sizes */
    size_t blocks_in_use;
    size_t alloc_count;   /* successful allocations so far */
    size_t dealloc_count; /* deallocations so far */
    size_t reuse_count;   /* allocations served from the reserve */
} fz_pool_stats;

/** capacity >= 1. FZ_ERROR_VALUE (also where fz_init() fails), FZ_ERROR_MEMORY. */
FZ_API fz_status fz_pool_create(size_t capacity, fz_pool **pool);
FZ_API void fz_pool_retain(fz_pool *pool);
/** Drops a reference; the last one frees all memory, blocks still out included. */
FZ_API void fz_pool_release(fz_pool *pool);

/** A block of nbytes (0 gives a valid block of no bytes). Contents are indeterminate.
    FZ_ERROR_MEMORY when the capacity or the system's memory does not allow it. */
FZ_API fz_status fz_pool_allocate(fz_pool *pool, size_t nbytes, void **block);
/** FZ_ERROR_VALUE for a pointer that is not a block of this pool now (a second deallocate). */
FZ_API fz_status fz_pool_deallocate(fz_pool *pool, void *block);
/** Moves a block to a new size, keeping the contents as far as they fit; block may be NULL. On
    failure the old block stays as it was. FZ_ERROR_MEMORY, FZ_ERROR_VALUE. */
FZ_API fz_status fz_pool_reallocate(fz_pool *pool, void *block, size_t nbytes, void **moved);
/** Capacity less what is out, in bytes. */
FZ_API size_t fz_pool_available(fz_pool *pool);
FZ_API void fz_pool_get_stats(fz_pool *pool, fz_pool_stats *stats);
/** Gives the whole reserve back to the system; returns its size in bytes. */
FZ_API size_t fz_pool_trim(fz_pool *pool);

/* ---- threads --------------------------------------------------------------------------------- */

/** CPUs that this process may use now: the smaller of its affinity and its container's quota (rounded
    down), at least 1. */
FZ_API int fz_usable_cpus(void);

/** The size of the pool, callers' own part included: at first FORZIUM_NUM_THREADS, or fz_usable_cpus(). */
FZ_API int fz_get_num_threads(void);
#define FZ_MAX_THREADS 256
/** 1 <= n <= FZ_MAX_THREADS; takes effect at the next call that is split. FZ_ERROR_VALUE. */
FZ_API fz_status fz_set_num_threads(int n);

typedef struct fz_thread_metrics {
    int pool_size;              /* fz_get_num_threads() */
    int observed_threads;       /* threads that have run a task, callers included */
    int max_active_threads;     /* the most that ran tasks at one moment, callers included */
    double busy_seconds;        /* summed over threads */
    double observation_seconds; /* since the first split call, or the last reset */
    uint64_t tasks_started;     /* a task is one range of one split call */
    uint64_t tasks_completed;
    double mean_task_us, max_task_us, min_task_us; /* 0 before the first task */
} fz_thread_metrics;

/** What the pool has done since the first split call or the last reset. */
FZ_API void fz_get_thread_metrics(fz_thread_metrics *metrics, int reset);

/* ---- the library ----------------------------------------------------------------------------- */

/** Chooses the kernels and reads FORZIUM_SIMD and FORZIUM_NUM_THREADS. Called by every function that
    needs it; call it yourself to learn of a bad value early. FZ_ERROR_VALUE. */
FZ_API fz_status fz_init(void);

FZ_API const char *fz_version(void);

typedef struct fz_cpu_info {
    const char *simd;    /* fz_simd_name() */
    size_t vector_bytes; /* of its vectors */
    /* Data caches in bytes, as they are counted on: at most 256 KB, 8 MB, and of L3 16 MB a usable CPU. */
    size_t l1, l2, l3;
    int matmul_tile[FZ_FULL_DTYPES][2]; /* rows and columns of the matmul micro-kernel */
    /* The most steps of the inner axis, and rows, that matmul packs at a time: derived from the caches. */
    ptrdiff_t matmul_block[FZ_FULL_DTYPES][2];
    int matmul_narrow[FZ_DTYPE_COUNT]; /* whether its products go by AVX512-BF16 or AVX512-VNNI */
} fz_cpu_info;
/** What the kernels were chosen for. FZ_ERROR_VALUE where fz_init() fails. */
FZ_API fz_status fz_get_cpu_info(fz_cpu_info *info);

/** The instruction set in use ("sse2", "avx2", "avx512", "neon", "generic"), and the highest that both
    this CPU and this build have. fz_simd_name() is "" while fz_init() fails. */
FZ_API const char *fz_simd_name(void);
FZ_API const char *fz_simd_detected(void);

#ifdef __cplusplus
}
#endif
#endif
