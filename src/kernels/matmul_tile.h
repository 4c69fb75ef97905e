/* The register tile of matmul.c, for which pack.c makes panels: MR rows by NR columns.

   8 x 3 vectors fill 28 of 32 registers, 4 x 3 all of 16: enough chains of multiply-adds to hide their latency, and
   fewer loads than multiplications. (14 x 2 and 6 x 4 run no faster where both fit, and have wider fringes.) */
#ifndef FZ_MATMUL_TILE_H
#define FZ_MATMUL_TILE_H

#include "vec.h"

enum {
    MR = FZ_VECTOR_REGISTERS == 32 ? 8 : 4,
    NV = 3,
    NR = NV * W,
};

#endif
