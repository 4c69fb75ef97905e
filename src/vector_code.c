/* Operations and moves of vectors as AVX-512 instructions: those of the kernels, so that the bits are the same. */
#include "vector_code.h"

#if defined(__x86_64__)

static int take(fz__vector_code *g, int begin, int end) {
    for (int r = begin; r < end; r++) {
        if (g->uses[r]) continue;
        g->uses[r] = 1;
        return r;
    }
    g->failed = true;
    return begin;
}

static int take_vector(fz__vector_code *g) { return take(g, 0, FZ_CODE_VECTORS); }

/* Mask 1 stands for the lanes of the last vector. */
static int take_mask(fz__vector_code *g) { return take(g, FZ_CODE_VECTORS + 2, FZ_CODE_REGISTERS); }

/* ---- instructions ----------------------------------------------------------------------------------------- */

static const fz__lanes all_lanes = {0, false};

/* A form of floats: 0F map, with the prefix that tells doubles from singles; or of integers. */
static fz__instruction_form float_form(const fz__vector_code *g, int map, int opcode) {
    return (fz__instruction_form){(uint8_t)(g->is_wide || map > 1), (uint8_t)map, g->is_wide, (uint8_t)opcode,
                                  false};
}
static fz__instruction_form integer_form(const fz__vector_code *g, int map, int opcode) {
    return (fz__instruction_form){1, (uint8_t)map, g->is_wide, (uint8_t)opcode, false};
}
static fz__instruction_form short_form(int prefix, int map, bool wide, int opcode) {
    return (fz__instruction_form){(uint8_t)prefix, (uint8_t)map, wide, (uint8_t)opcode, true};
}

static int binary(fz__vector_code *g, fz__instruction_form form, int x, int y) {
    const int z = take_vector(g);
    fz__put_registers(&g->out, form, z, x, y, all_lanes);
    return z;
}

static int with_byte(fz__vector_code *g, int result, int byte) {
    fz__put_byte(&g->out, byte);
    return result;
}

static int compare(fz__vector_code *g, int x, int y, int float_predicate, int integer_predicate) {
    const int m = take_mask(g);
    const fz__instruction_form form = g->is_float ? float_form(g, 1, 0xc2) : integer_form(g, 3, 0x1f);
    fz__put_registers(&g->out, form, m - FZ_CODE_VECTORS, x, y, all_lanes);
    return with_byte(g, m, g->is_float ? float_predicate : integer_predicate);
}

/* As larger_where of kernels/vec.h: the larger or smaller of x and y where `number` is none of NaN's, else x. */
static int extreme(fz__vector_code *g, int opcode, int x, int y, int number) {
    const int m = compare(g, number, number, 7, 0), z = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 1, 0x28), z, 0, x, all_lanes);
    fz__put_registers(&g->out, float_form(g, 1, opcode), z, x, y, (fz__lanes){m - FZ_CODE_VECTORS, false});
    fz__drop_register(g, m);
    return z;
}

static int larger(fz__vector_code *g, int x, int y) {
    return g->is_float ? extreme(g, 0x5f, x, y, x) : binary(g, integer_form(g, 2, 0x3d), x, y);
}
static int smaller(fz__vector_code *g, int x, int y) {
    return g->is_float ? extreme(g, 0x5d, x, y, x) : binary(g, integer_form(g, 2, 0x39), x, y);
}

/* The sign bit (digit 6: shifts left), or all others (digit 2: right), of x removed or changed by `opcode`. */
static int with_sign_bits(fz__vector_code *g, int digit, int opcode, int x) {
    const int ones = take_vector(g);
    fz__put_registers(&g->out, (fz__instruction_form){1, 3, false, 0x25, false}, ones, ones, ones, all_lanes);
    with_byte(g, 0, 0xff);
    fz__put_registers(&g->out, integer_form(g, 1, g->is_wide ? 0x73 : 0x72), digit, ones, ones, all_lanes);
    with_byte(g, 0, digit == 6 ? (g->is_wide ? 63 : 31) : 1);
    fz__put_registers(&g->out, integer_form(g, 1, opcode), ones, x, ones, all_lanes);
    return ones;
}

static int negative(fz__vector_code *g, int x) {
    if (g->is_float) return with_sign_bits(g, 6, 0xef, x);
    const int zero = take_vector(g);
    fz__put_registers(&g->out, integer_form(g, 1, 0xef), zero, zero, zero, all_lanes);
    fz__put_registers(&g->out, integer_form(g, 1, g->is_wide ? 0xfb : 0xfa), zero, zero, x, all_lanes);
    return zero;
}

static int absolute(fz__vector_code *g, int x) {
    return g->is_float ? with_sign_bits(g, 2, 0xdb, x)
                       : binary(g, integer_form(g, 2, g->is_wide ? 0x1f : 0x1e), 0, x);
}

static int multiply_add(fz__vector_code *g, int x, int y, int z) {
    const int result = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 1, 0x28), result, 0, x, all_lanes);
    fz__put_registers(&g->out, float_form(g, 2, 0xa8), result, y, z, all_lanes);
    return result;
}

static int where(fz__vector_code *g, int condition, int x, int y) {
    const int z = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 2, 0x65), z, y, x,
                      (fz__lanes){condition - FZ_CODE_VECTORS, false});
    return z;
}

static int round_to_whole(fz__vector_code *g, int x, int mode) {
    const fz__instruction_form form = {1, 3, g->is_wide, g->is_wide ? 0x09 : 0x08, false};
    return with_byte(g, binary(g, form, 0, x), 8 | mode);
}

/* Operations of floats alone, and of integers alone. */
static int compute_float(fz__vector_code *g, fz_op op, int x, int y, int z) {
    switch (op) {
    case FZ_OP_divide:
        return binary(g, float_form(g, 1, 0x5e), x, y);
    case FZ_OP_sqrt:
        return binary(g, float_form(g, 1, 0x51), 0, x);
    case FZ_OP_fmax:
        return extreme(g, 0x5f, x, y, y);
    case FZ_OP_fmin:
        return extreme(g, 0x5d, x, y, y);
    case FZ_OP_floor:
        return round_to_whole(g, x, 1);
    case FZ_OP_ceil:
        return round_to_whole(g, x, 2);
    case FZ_OP_trunc:
        return round_to_whole(g, x, 3);
    case FZ_OP_rint:
        return round_to_whole(g, x, 0);
    case FZ_OP_isnan:
        return compare(g, x, x, 3, 0);
    case FZ_OP_fma:
        return multiply_add(g, x, y, z);
    default:
        g->failed = true;
        return fz__keep_register(g, x);
    }
}

static int compute_integer(fz__vector_code *g, fz_op op, int x, int y) {
    switch (op) {
    case FZ_OP_bitwise_and:
        return binary(g, integer_form(g, 1, 0xdb), x, y);
    case FZ_OP_bitwise_or:
        return binary(g, integer_form(g, 1, 0xeb), x, y);
    case FZ_OP_bitwise_xor:
        return binary(g, integer_form(g, 1, 0xef), x, y);
    case FZ_OP_left_shift:
        return binary(g, integer_form(g, 2, 0x47), x, y);
    case FZ_OP_right_shift:
        return binary(g, integer_form(g, 2, 0x46), x, y);
    default:
        g->failed = true;
        return fz__keep_register(g, x);
    }
}

/* The register of op(x, y, z). */
int fz__put_operation(fz__vector_code *g, fz_op op, int x, int y, int z) {
    const bool is_float = g->is_float, is_wide = g->is_wide;
    switch (op) {
    case FZ_OP_add:
        return binary(g, is_float ? float_form(g, 1, 0x58) : integer_form(g, 1, is_wide ? 0xd4 : 0xfe), x, y);
    case FZ_OP_subtract:
        return binary(g, is_float ? float_form(g, 1, 0x5c) : integer_form(g, 1, is_wide ? 0xfb : 0xfa), x, y);
    case FZ_OP_square:
        y = x; /* fall through */
    case FZ_OP_multiply:
        return binary(g, is_float ? float_form(g, 1, 0x59) : integer_form(g, 2, 0x40), x, y);
    case FZ_OP_maximum:
        return larger(g, x, y);
    case FZ_OP_minimum:
        return smaller(g, x, y);
    case FZ_OP_clip: {
        const int least = larger(g, x, y), result = smaller(g, least, z);
        fz__drop_register(g, least);
        return result;
    }
    case FZ_OP_negative:
        return negative(g, x);
    case FZ_OP_absolute:
        return absolute(g, x);
    case FZ_OP_positive:
        return fz__keep_register(g, x);
    case FZ_OP_equal:
        return compare(g, x, y, 0x00, 0);
    case FZ_OP_not_equal:
        return compare(g, x, y, 0x04, 4);
    case FZ_OP_less:
        return compare(g, x, y, 0x11, 1);
    case FZ_OP_less_equal:
        return compare(g, x, y, 0x12, 2);
    case FZ_OP_greater:
        return compare(g, x, y, 0x1e, 6);
    case FZ_OP_greater_equal:
        return compare(g, x, y, 0x1d, 5);
    case FZ_OP_where:
        return where(g, x, y, z);
    default:
        return is_float ? compute_float(g, op, x, y, z) : compute_integer(g, op, x, y);
    }
}

static void put_splat(fz__vector_code *g, int v, fz__address from) {
    fz__put_memory(&g->out, integer_form(g, 2, g->is_wide ? 0x19 : 0x18), v, from, all_lanes);
}

int fz__put_splat(fz__vector_code *g, fz__address from) {
    const int v = take_vector(g);
    put_splat(g, v, from);
    return v;
}

/* Lanes beyond the last are copies of the first, so that they raise nothing that it does not. */
int fz__put_load(fz__vector_code *g, fz__address m) {
    const int v = take_vector(g);
    if (g->is_tail) put_splat(g, v, m);
    fz__put_memory(&g->out, float_form(g, 1, 0x10), v, m, (fz__lanes){g->is_tail, false});
    return v;
}

void fz__put_load_into(fz__vector_code *g, int v, fz__address m) {
    fz__put_memory(&g->out, float_form(g, 1, 0x10), v, m, all_lanes);
}

void fz__put_store(fz__vector_code *g, fz__address m, int v) {
    fz__put_memory(&g->out, float_form(g, 1, 0x11), v, m, (fz__lanes){g->is_tail, false});
}

int fz__put_mask_load(fz__vector_code *g, fz__address from) {
    const int v = take_vector(g), m = take_mask(g);
    const bool eight = g->is_wide && !g->is_tail;
    fz__put_memory(&g->out, eight ? short_form(2, 1, true, 0x7e) : short_form(3, 1, false, 0x6f), v, from,
                   (fz__lanes){g->is_tail, g->is_tail});
    fz__put_registers(&g->out, short_form(1, 2, false, 0x26), m - FZ_CODE_VECTORS, v, v, all_lanes);
    fz__drop_register(g, v);
    return m;
}

/* Lanes of -1 become bytes of 1. */
void fz__put_mask_store(fz__vector_code *g, fz__address to, int m) {
    const int v = take_vector(g);
    const bool eight = g->is_wide && !g->is_tail;
    fz__put_registers(&g->out, short_form(2, 2, false, 0x28), v, 0, m - FZ_CODE_VECTORS, all_lanes);
    fz__put_registers(&g->out, short_form(1, 2, false, 0x1c), v, 0, v, all_lanes);
    fz__put_memory(&g->out, eight ? short_form(1, 1, true, 0xd6) : short_form(3, 1, false, 0x7f), v, to,
                   (fz__lanes){g->is_tail, false});
    fz__drop_register(g, v);
}

#endif
