/* The table of one dtype and instruction set. */
#include "vec.h"
#include "vec_half.h"

extern const fz_elementwise_kernels FZ_KERNEL(elementwise);
extern const fz_chain_kernels FZ_KERNEL(chain);
#if !defined(FZ_T_IS_STORED)
extern const fz_reduce_kernels FZ_KERNEL(reduce);
extern const fz_extreme_kernels FZ_KERNEL(extreme);
#endif
#if FZ_T_IS_MULTIPLIED
extern const fz_matmul_kernels FZ_KERNEL(matmul);
extern fz_conv2d_direct FZ_KERNEL(conv2d_direct);
#endif
#if FZ_T_IS_POOLED
extern const fz_pool_kernels FZ_KERNEL(pool);
#endif
#if FZ_T_IS_TOTALED
extern const fz_total_kernels FZ_KERNEL(total);
#endif
#if defined(FZ_T_float16) && defined(FZ_HAS_HALF)
extern const fz_half_sums FZ_KERNEL(half_sums);
#endif
#if defined(FZ_T_IS_FLOAT)
extern const fz_moment_kernels FZ_KERNEL(moment);
extern const fz_pack_kernels FZ_KERNEL(pack);
extern const fz_matvec_kernels FZ_KERNEL(matvec);
extern fz_split FZ_KERNEL(split);
extern const fz_conv2d_tile FZ_KERNEL(conv2d_tile);
extern fz_conv2d_depthwise FZ_KERNEL(conv2d_depthwise);
extern const fz_fft_kernels FZ_KERNEL(fft);
extern const fz_rowwise_kernels FZ_KERNEL(rowwise);
extern const fz_scan_kernels FZ_KERNEL(scan);
#endif
#if FZ_T_IS_TRANSPOSED
extern fz_transpose_tile FZ_KERNEL(transpose);
#endif

extern const fz_kernels FZ_KERNEL(kernels);
const fz_kernels FZ_KERNEL(kernels) = {
    .vector_bytes = sizeof(vec),
    .elementwise = &FZ_KERNEL(elementwise),
    .chain = &FZ_KERNEL(chain),
#if !defined(FZ_T_IS_STORED)
    .reduce = &FZ_KERNEL(reduce),
    .extreme = &FZ_KERNEL(extreme),
#endif
#if FZ_T_IS_MULTIPLIED
    .matmul = &FZ_KERNEL(matmul),
    .conv2d_direct = FZ_KERNEL(conv2d_direct),
#endif
#if FZ_T_IS_POOLED
    .pool = &FZ_KERNEL(pool),
#endif
#if FZ_T_IS_TOTALED
    .total = &FZ_KERNEL(total),
#endif
#if defined(FZ_T_float16) && defined(FZ_HAS_HALF)
    .half_sums = &FZ_KERNEL(half_sums),
#endif
#if defined(FZ_T_IS_FLOAT)
    .moment = &FZ_KERNEL(moment),
    .pack = &FZ_KERNEL(pack),
    .matvec = &FZ_KERNEL(matvec),
    .split = FZ_KERNEL(split),
    .conv2d_tile = &FZ_KERNEL(conv2d_tile),
    .conv2d_depthwise = FZ_KERNEL(conv2d_depthwise),
    .fft = &FZ_KERNEL(fft),
    .rowwise = &FZ_KERNEL(rowwise),
    .scan = &FZ_KERNEL(scan),
#endif
#if FZ_T_IS_TRANSPOSED
    .transpose = FZ_KERNEL(transpose),
#endif
};
