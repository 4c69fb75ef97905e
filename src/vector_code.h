/* vector_code.c: operations on vector registers, written as machine code. */
#ifndef FZ_VECTOR_CODE_H
#define FZ_VECTOR_CODE_H

#include "evex.h"
#include "internal.h"

/* Registers of values: vectors from 0 on, then masks. */
enum { FZ_CODE_VECTORS = 32, FZ_CODE_REGISTERS = FZ_CODE_VECTORS + 8 };

/* Code as it grows. Results come in a register that is held once for the caller. */
typedef struct fz__vector_code {
    fz__bytes out;
    bool is_wide, is_float; /* elements: 64 bits, else 32; floats */
    bool is_tail;           /* moves are of the lanes that mask register 1 has */
    bool failed;            /* there is no such instruction, or no free register */
    int8_t uses[FZ_CODE_REGISTERS];
} fz__vector_code;

static inline int fz__keep_register(fz__vector_code *code, int r) {
    code->uses[r]++;
    return r;
}
static inline void fz__drop_register(fz__vector_code *code, int r) { code->uses[r]--; }

/* op(x, y, z), as many as it has. A condition, and the result of a comparison, is a mask. */
int fz__put_operation(fz__vector_code *code, fz_op op, int x, int y, int z);

/* One element, repeated. */
int fz__put_splat(fz__vector_code *code, fz__address from);
int fz__put_load(fz__vector_code *code, fz__address from);
void fz__put_load_into(fz__vector_code *code, int v, fz__address from);
void fz__put_store(fz__vector_code *code, fz__address to, int v);
/* Bools, a byte each, to a mask and back. */
int fz__put_mask_load(fz__vector_code *code, fz__address from);
void fz__put_mask_store(fz__vector_code *code, fz__address to, int m);

#endif
