/* Chains as machine code, where the CPU runs the AVX-512 kernels: one vector at a time through all steps, operands
   and intermediate results in registers, so that an element costs what it would in a loop compiled for the
   expression. A step of kernels/chain.c costs a jump that this saves; the instructions are the same, and so are
   the bits.

   What has no code (functions, other dtypes, more values than registers) is left to kernels/chain.c; so is everything
   where the system refuses memory that can be executed. Such memory is never writable at the same time. */
#include "expression.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct variant variant;
struct variant {
    uint64_t splats;
    variant *next;
    void *memory; /* NULL: there is no code */
    size_t bytes;
    fz__chain_code *chain[]; /* of the expression */
};

struct fz__codes {
    _Atomic(variant *) first; /* grows at its front, up to MOST_VARIANTS */
};

fz__codes *fz__codes_create(void) { return calloc(1, sizeof(fz__codes)); }

#if defined(__x86_64__)
#include <sys/mman.h>
#include <unistd.h>

#include "evex.h"

enum {
    MOST_VARIANTS = 8,
    /* Registers of values: vectors 0 to 31, then masks, of which 1 stands for the lanes of the last vector. */
    VECTORS = 32,
    FIRST_MASK = VECTORS + 2,
    REGISTERS = VECTORS + 8,
    MOST_SPLATS = 24, /* the rest is for what moves */
    NONE = -1,
    /* Bytes of code: at most, of a step in one pass, of a place, and of the rest. */
    STEP_BYTES = 80,
    PLACE_BYTES = 64,
    FRAME_BYTES = 256,
};

/* General registers. The first hold the arguments; INDEX counts elements, LIMIT is where whole vectors end. */
enum { INDEX = 0, COUNT = 7, PLACES = 6, LIMIT = 6 };
static const int8_t pointer_registers[] = {1, 2, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15};
enum { POINTERS = sizeof pointer_registers, UNSAVED = 6 };

typedef struct generator {
    const fz_expression *e;
    const fz__chain *chain;
    const fz_step *step;
    const fz__meaning *meaning;
    int steps;
    uint64_t splats;
    fz__bytes out;
    bool is_wide, is_float; /* elements: 64 bits, else 32; floats */
    bool is_tail;           /* the code is for the last lanes */
    bool failed;
    int8_t uses[REGISTERS];
    int bundle;          /* register, as in kernels/chain.c */
    int8_t *register_of; /* places: where their value is; NONE: in memory only */
    int8_t *pointer_of;  /* places in memory that move: which register points to them */
    int pointers;
    bool (*is_last)[FZ_MAX_OPERANDS]; /* steps' operands: nobody reads the place afterwards */
    bool *is_unread;                  /* nobody reads the place that the step writes */
} generator;

/* ---- registers -------------------------------------------------------------------------------------------- */

static int take(generator *g, int begin, int end) {
    for (int r = begin; r < end; r++) {
        if (g->uses[r]) continue;
        g->uses[r] = 1;
        return r;
    }
    g->failed = true;
    return begin;
}
static int take_vector(generator *g) { return take(g, 0, VECTORS); }
static int take_mask(generator *g) { return take(g, FIRST_MASK, REGISTERS); }

static void drop(generator *g, int r) {
    if (r != NONE) g->uses[r]--;
}

static void set_bundle(generator *g, int r) {
    drop(g, g->bundle);
    g->bundle = r;
}

/* ---- instructions ----------------------------------------------------------------------------------------- */

static const fz__lanes all_lanes = {0, false};

/* A form of floats: 0F map, with the prefix that tells doubles from singles; or of integers. */
static fz__instruction_form float_form(const generator *g, int map, int opcode) {
    return (fz__instruction_form){(uint8_t)(g->is_wide || map > 1), (uint8_t)map, g->is_wide, (uint8_t)opcode,
                                  false};
}
static fz__instruction_form integer_form(const generator *g, int map, int opcode) {
    return (fz__instruction_form){1, (uint8_t)map, g->is_wide, (uint8_t)opcode, false};
}
static fz__instruction_form short_form(int prefix, int map, bool wide, int opcode) {
    return (fz__instruction_form){(uint8_t)prefix, (uint8_t)map, wide, (uint8_t)opcode, true};
}

static int binary(generator *g, fz__instruction_form form, int x, int y) {
    const int z = take_vector(g);
    fz__put_registers(&g->out, form, z, x, y, all_lanes);
    return z;
}

static int with_byte(generator *g, int result, int byte) {
    fz__put_byte(&g->out, byte);
    return result;
}

static int compare(generator *g, int x, int y, int float_predicate, int integer_predicate) {
    const int m = take_mask(g);
    const fz__instruction_form form = g->is_float ? float_form(g, 1, 0xc2) : integer_form(g, 3, 0x1f);
    fz__put_registers(&g->out, form, m - VECTORS, x, y, all_lanes);
    return with_byte(g, m, g->is_float ? float_predicate : integer_predicate);
}

/* As larger_where of kernels/vec.h: the larger or smaller of x and y where `number` is none of NaN's, else x. */
static int extreme(generator *g, int opcode, int x, int y, int number) {
    const int m = compare(g, number, number, 7, 0), z = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 1, 0x28), z, 0, x, all_lanes);
    fz__put_registers(&g->out, float_form(g, 1, opcode), z, x, y, (fz__lanes){m - VECTORS, false});
    drop(g, m);
    return z;
}

static int larger(generator *g, int x, int y) {
    return g->is_float ? extreme(g, 0x5f, x, y, x) : binary(g, integer_form(g, 2, 0x3d), x, y);
}
static int smaller(generator *g, int x, int y) {
    return g->is_float ? extreme(g, 0x5d, x, y, x) : binary(g, integer_form(g, 2, 0x39), x, y);
}

/* The sign bit (digit 6: shifts left), or all others (digit 2: right), of x removed or changed by `opcode`. */
static int with_sign_bits(generator *g, int digit, int opcode, int x) {
    const int ones = take_vector(g);
    fz__put_registers(&g->out, (fz__instruction_form){1, 3, false, 0x25, false}, ones, ones, ones, all_lanes);
    with_byte(g, 0, 0xff);
    fz__put_registers(&g->out, integer_form(g, 1, g->is_wide ? 0x73 : 0x72), digit, ones, ones, all_lanes);
    with_byte(g, 0, digit == 6 ? (g->is_wide ? 63 : 31) : 1);
    fz__put_registers(&g->out, integer_form(g, 1, opcode), ones, x, ones, all_lanes);
    return ones;
}

static int negative(generator *g, int x) {
    if (g->is_float) return with_sign_bits(g, 6, 0xef, x);
    const int zero = take_vector(g);
    fz__put_registers(&g->out, integer_form(g, 1, 0xef), zero, zero, zero, all_lanes);
    fz__put_registers(&g->out, integer_form(g, 1, g->is_wide ? 0xfb : 0xfa), zero, zero, x, all_lanes);
    return zero;
}

static int absolute(generator *g, int x) {
    return g->is_float ? with_sign_bits(g, 2, 0xdb, x)
                       : binary(g, integer_form(g, 2, g->is_wide ? 0x1f : 0x1e), 0, x);
}

static int multiply_add(generator *g, int x, int y, int z) {
    const int result = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 1, 0x28), result, 0, x, all_lanes);
    fz__put_registers(&g->out, float_form(g, 2, 0xa8), result, y, z, all_lanes);
    return result;
}

static int where(generator *g, int condition, int x, int y) {
    const int z = take_vector(g);
    fz__put_registers(&g->out, float_form(g, 2, 0x65), z, y, x, (fz__lanes){condition - VECTORS, false});
    return z;
}

static int round_to_whole(generator *g, int x, int mode) {
    const fz__instruction_form form = {1, 3, g->is_wide, g->is_wide ? 0x09 : 0x08, false};
    return with_byte(g, binary(g, form, 0, x), 8 | mode);
}

static int keep(generator *g, int x) {
    g->uses[x]++;
    return x;
}

/* Operations of floats alone, and of integers alone. */
static int compute_float(generator *g, fz_op op, int x, int y, int z) {
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
        return keep(g, x);
    }
}

static int compute_integer(generator *g, fz_op op, int x, int y) {
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
        return keep(g, x);
    }
}

/* The register of op(x, y, z). */
static int compute(generator *g, fz_op op, int x, int y, int z) {
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
        drop(g, least);
        return result;
    }
    case FZ_OP_negative:
        return negative(g, x);
    case FZ_OP_absolute:
        return absolute(g, x);
    case FZ_OP_positive:
        return keep(g, x);
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

/* ---- memory ------------------------------------------------------------------------------------------------ */

static fz__address address_of(generator *g, int place, int scale) {
    if (g->pointer_of[place] == NONE) {
        if (g->pointers == POINTERS)
            g->failed = true;
        else
            g->pointer_of[place] = pointer_registers[g->pointers++];
    }
    return (fz__address){g->pointer_of[place] & 15, INDEX, scale};
}

/* Lanes beyond the last are copies of the first, so that they raise nothing that it does not. */
static int load_vector(generator *g, int place) {
    const int v = take_vector(g);
    const fz__address m = address_of(g, place, 2 + g->is_wide);
    if (g->is_tail) fz__put_memory(&g->out, integer_form(g, 2, g->is_wide ? 0x19 : 0x18), v, m, all_lanes);
    fz__put_memory(&g->out, float_form(g, 1, 0x10), v, m, (fz__lanes){g->is_tail, false});
    return v;
}

static void store_vector(generator *g, int place, int v) {
    fz__put_memory(&g->out, float_form(g, 1, 0x11), v, address_of(g, place, 2 + g->is_wide),
                   (fz__lanes){g->is_tail, false});
}

static int load_mask(generator *g, int place) {
    const int v = take_vector(g), m = take_mask(g);
    const bool eight = g->is_wide && !g->is_tail;
    fz__put_memory(&g->out, eight ? short_form(2, 1, true, 0x7e) : short_form(3, 1, false, 0x6f), v,
                   address_of(g, place, 0), (fz__lanes){g->is_tail, g->is_tail});
    fz__put_registers(&g->out, short_form(1, 2, false, 0x26), m - VECTORS, v, v, all_lanes);
    drop(g, v);
    return m;
}

/* Lanes of -1 become bytes of 1. */
static void store_mask(generator *g, int place, int m) {
    const int v = take_vector(g);
    const bool eight = g->is_wide && !g->is_tail;
    fz__put_registers(&g->out, short_form(2, 2, false, 0x28), v, 0, m - VECTORS, all_lanes);
    fz__put_registers(&g->out, short_form(1, 2, false, 0x1c), v, 0, v, all_lanes);
    fz__put_memory(&g->out, eight ? short_form(1, 1, true, 0xd6) : short_form(3, 1, false, 0x7f), v,
                   address_of(g, place, 0), (fz__lanes){g->is_tail, false});
    drop(g, v);
}

/* ---- steps ------------------------------------------------------------------------------------------------- */

static bool is_splat(const generator *g, int place) {
    if (place >= g->e->sources) return false;
    const int value = g->e->source[place].value;
    return value >= g->e->inputs || g->splats >> value & 1;
}

/* How many places a step reads. */
static int count_reads(fz__meaning meaning) {
    switch (meaning.kind) {
    case FZ_STEP_LOAD:
    case FZ_STEP_LOAD_BOOL:
    case FZ_STEP_REVERSE:
        return 1;
    case FZ_STEP_FORWARD:
        return fz_op_arity(meaning.op) - 1;
    case FZ_STEP_CALL:
        return fz_op_arity(meaning.op);
    default:
        return 0;
    }
}

/* The place that a step writes, or NONE. */
static int written_place(const generator *g, int i) {
    switch (g->meaning[i].kind) {
    case FZ_STEP_STORE:
    case FZ_STEP_STORE_BOOL:
        return g->step[i].operands[0];
    case FZ_STEP_CALL:
        return g->step[i].result;
    default:
        return NONE;
    }
}

static void find_last_reads(generator *g, bool is_read[]) {
    for (int i = g->steps - 1; i >= 0; i--) {
        const int *operands = g->step[i].operands, written = written_place(g, i);
        if (written != NONE) {
            g->is_unread[i] = !is_read[written];
            is_read[written] = false;
        }
        for (int k = count_reads(g->meaning[i]) - 1; k >= 0; k--) {
            g->is_last[i][k] = !is_read[operands[k]] && !is_splat(g, operands[k]);
            is_read[operands[k]] = true;
        }
    }
}

/* The register of operand k, held for the caller. */
static int read_operand(generator *g, int i, int k) {
    const int place = g->step[i].operands[k];
    int8_t *r = &g->register_of[place];
    if (*r == NONE)
        *r = (int8_t)(g->meaning[i].kind == FZ_STEP_LOAD_BOOL ? load_mask(g, place) : load_vector(g, place));
    const int held = keep(g, *r);
    if (g->is_last[i][k]) {
        drop(g, *r);
        *r = NONE;
    }
    return held;
}

static void store(generator *g, int i) {
    const fz_expression *e = g->e;
    const int place = written_place(g, i), slots = e->sources + e->conversions + e->registers;
    if (place < slots || place >= slots + e->slots)
        g->bundle >= VECTORS ? store_mask(g, place, g->bundle) : store_vector(g, place, g->bundle);
    if (!g->is_unread[i]) g->register_of[place] = (int8_t)keep(g, g->bundle);
}

static void operate(generator *g, int i) {
    const fz__meaning meaning = g->meaning[i];
    int operands[1 + FZ_MAX_OPERANDS] = {g->bundle};
    const int reads = count_reads(meaning);
    for (int k = 0; k < reads; k++) operands[1 + k] = read_operand(g, i, k);
    const int *x = operands + (meaning.kind == FZ_STEP_CALL);
    const int result = meaning.kind == FZ_STEP_REVERSE ? compute(g, meaning.op, x[1], x[0], 0)
                                                       : compute(g, meaning.op, x[0], x[1], x[2]);
    for (int k = 0; k < reads; k++) drop(g, operands[1 + k]);
    set_bundle(g, result);
}

static void put_steps(generator *g) {
    g->bundle = NONE;
    for (int i = 0; i < g->steps && !g->failed; i++) {
        switch (g->meaning[i].kind) {
        case FZ_STEP_LOAD:
        case FZ_STEP_LOAD_BOOL:
            set_bundle(g, read_operand(g, i, 0));
            break;
        case FZ_STEP_STORE:
        case FZ_STEP_STORE_BOOL:
            store(g, i);
            break;
        case FZ_STEP_FORWARD:
        case FZ_STEP_REVERSE:
            operate(g, i);
            break;
        case FZ_STEP_CALL:
            operate(g, i);
            store(g, i);
            break;
        case FZ_STEP_END:
            break;
        }
    }
    set_bundle(g, NONE);
}

/* ---- the function around them -------------------------------------------------------------------------------- */

/* Splats to registers, for good. */
static void put_splats(generator *g) {
    int splats = 0;
    for (int i = 0; i < g->steps && !g->failed; i++) {
        for (int k = 0; k < count_reads(g->meaning[i]); k++) {
            const int place = g->step[i].operands[k];
            if (!is_splat(g, place) || g->register_of[place] != NONE) continue;
            g->failed |= ++splats > MOST_SPLATS || g->meaning[i].kind == FZ_STEP_LOAD_BOOL;
            fz__put_pointer_load(&g->out, INDEX, PLACES, place * (int)sizeof(fz_place));
            fz__put(&g->out, (const uint8_t[]){0x31, 0xc9}, 2); /* xor ecx, ecx */
            const int v = take_vector(g);
            fz__put_memory(&g->out, integer_form(g, 2, g->is_wide ? 0x19 : 0x18), v,
                           (fz__address){INDEX, 1, 0}, all_lanes);
            g->register_of[place] = (int8_t)v;
        }
    }
}

static void put_pointers(generator *g, int places) {
    for (int place = 0; place < places; place++) {
        if (g->pointer_of[place] != NONE)
            fz__put_pointer_load(&g->out, g->pointer_of[place], PLACES, place * (int)sizeof(fz_place));
    }
}

/* A jump, over code that comes later or back, whose distance is filled in once it is known. */
static uint8_t *put_jump(fz__bytes *b, int condition) {
    fz__put(b, (const uint8_t[]){0x0f, (uint8_t)condition}, 2);
    fz__put_int(b, 0);
    return b->at;
}
static void set_jump(uint8_t *from, const uint8_t *to) {
    const int32_t distance = (int32_t)(to - from);
    memcpy(from - sizeof distance, &distance, sizeof distance);
}

enum { JUMP_BELOW = 0x82, JUMP_EQUAL = 0x84 };

/* Steps over the registers' state, to learn which places need pointers; what it wrote is taken back. */
static void rehearse(generator *g) {
    uint8_t *const begin = g->out.at;
    put_steps(g);
    g->out.at = begin;
}

/* xor eax, eax; LIMIT = COUNT rounded down to vectors;  if (LIMIT) do steps while ((INDEX += W) < LIMIT);
   if (COUNT -= INDEX) the same under a mask of COUNT lanes. */
static void put_loops(generator *g) {
    fz__bytes *b = &g->out;
    const uint8_t lanes = g->is_wide ? 8 : 16;
    fz__put(b, (const uint8_t[]){0x31, 0xc0, 0x48, 0x89, 0xfe}, 5);      /* xor eax,eax; mov rsi,rdi */
    fz__put(b, (const uint8_t[]){0x48, 0x83, 0xe6, (uint8_t)-lanes}, 4); /* and rsi,-lanes */
    uint8_t *const past_loop = put_jump(b, JUMP_EQUAL);
    uint8_t *const loop = b->at;
    put_steps(g);
    fz__put(b, (const uint8_t[]){0x48, 0x83, 0xc0, lanes, 0x48, 0x39, 0xf0},
            7); /* add rax,lanes; cmp rax,rsi */
    uint8_t *const again = put_jump(b, JUMP_BELOW);
    if (b->full) return;
    set_jump(again, loop);
    set_jump(past_loop, b->at);
    fz__put(b, (const uint8_t[]){0x48, 0x29, 0xc7}, 3); /* sub rdi,rax */
    uint8_t *const past_tail = put_jump(b, JUMP_EQUAL);
    /* mov esi,-1; bzhi esi,esi,edi; kmovd k1,esi */
    fz__put(
        b,
        (const uint8_t[]){0xbe, 0xff, 0xff, 0xff, 0xff, 0xc4, 0xe2, 0x40, 0xf5, 0xf6, 0xc5, 0xfb, 0x92, 0xce},
        14);
    g->is_tail = true;
    put_steps(g);
    if (!b->full) set_jump(past_tail, b->at);
}

/* Code of the chain at g->out; NULL where it has none. */
static fz__chain_code *put_chain(generator *g, int places) {
    uint8_t *const entry = g->out.at;
    static const uint8_t landing[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64: indirect calls may come here */
    memset(g->uses, 0, sizeof g->uses);
    memset(g->register_of, NONE, (size_t)places);
    memset(g->pointer_of, NONE, (size_t)places);
    g->pointers = 0;
    g->failed = g->is_tail = false;
    fz__put(&g->out, landing, sizeof landing);
    put_splats(g);
    rehearse(g);
    for (int i = UNSAVED; i < g->pointers; i++) fz__put_push(&g->out, pointer_registers[i]);
    put_pointers(g, places);
    put_loops(g);
    for (int i = g->pointers - 1; i >= UNSAVED; i--) fz__put_pop(&g->out, pointer_registers[i]);
    fz__put(&g->out, (const uint8_t[]){0xc5, 0xf8, 0x77, 0xc3}, 4); /* vzeroupper; ret */
    if (g->failed || g->out.full) {
        g->out.at = entry;
        g->out.full = false;
        return NULL;
    }
    fz__chain_code *code;
    memcpy(&code, &entry, sizeof code);
    return code;
}

/* ---- variants ---------------------------------------------------------------------------------------------- */

static bool has_code(fz_dtype dtype) {
    return dtype == FZ_FLOAT32 || dtype == FZ_FLOAT64 || dtype == FZ_INT32 || dtype == FZ_INT64;
}

static bool generate(generator *g, variant *v) {
    const fz_expression *e = g->e;
    const int places = e->places;
    bool any = false;
    bool *is_read = calloc((size_t)places, sizeof *is_read);
    g->register_of = malloc((size_t)places);
    g->pointer_of = malloc((size_t)places);
    g->is_last = malloc((size_t)e->steps * sizeof *g->is_last);
    g->is_unread = malloc((size_t)e->steps * sizeof *g->is_unread);
    const bool has_memory = is_read && g->register_of && g->pointer_of && g->is_last && g->is_unread;
    for (int c = 0; has_memory && c < e->chains; c++) {
        const int begin = e->chain[c].first_step,
                  end = c + 1 < e->chains ? e->chain[c + 1].first_step : e->steps;
        const fz_dtype dtype = e->chain[c].dtype;
        if (!has_code(dtype)) continue;
        g->chain = &e->chain[c];
        g->step = e->step + begin;
        g->meaning = e->meaning + begin;
        g->steps = end - begin;
        g->is_wide = fz_dtype_size(dtype) == 8;
        g->is_float = fz__is_full_float(dtype);
        memset(is_read, 0, (size_t)places);
        find_last_reads(g, is_read);
        v->chain[c] = put_chain(g, places);
        any |= v->chain[c] != NULL;
    }
    free(is_read);
    free(g->register_of);
    free(g->pointer_of);
    free(g->is_last);
    free(g->is_unread);
    return any;
}

static void write_code(const fz_expression *e, variant *v) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes =
        (size_t)e->steps * 2 * STEP_BYTES + (size_t)e->places * PLACE_BYTES + (size_t)e->chains * FRAME_BYTES;
    v->bytes = (bytes + page - 1) / page * page;
    v->memory = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (v->memory == MAP_FAILED) {
        v->memory = NULL;
        return;
    }
    generator g = {.e = e, .splats = v->splats, .out = {v->memory, (uint8_t *)v->memory + v->bytes, false}};
    if (generate(&g, v) && mprotect(v->memory, v->bytes, PROT_READ | PROT_EXEC) == 0) return;
    munmap(v->memory, v->bytes);
    v->memory = NULL;
}

static void free_variant(variant *v) {
    if (v->memory) munmap(v->memory, v->bytes);
    free(v);
}

static variant *create_variant(const fz_expression *e, uint64_t splats) {
    variant *v = calloc(1, sizeof *v + (size_t)e->chains * sizeof *v->chain);
    if (!v) return NULL;
    v->splats = splats;
    write_code(e, v);
    return v;
}

fz__chain_code *const *fz__find_codes(const fz_expression *e, uint64_t splats) {
    if (fz__kernels(FZ_FLOAT64)->vector_bytes != FZ_MAX_VECTOR_BYTES) return NULL;
    variant *first = atomic_load_explicit(&e->codes->first, memory_order_acquire);
    int known = 0;
    for (variant *v = first; v; v = v->next, known++) {
        if (v->splats == splats) return v->memory ? v->chain : NULL;
    }
    variant *made = known < MOST_VARIANTS ? create_variant(e, splats) : NULL;
    if (!made) return NULL;
    made->next = first;
    while (!atomic_compare_exchange_weak_explicit(&e->codes->first, &made->next, made, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    return made->memory ? made->chain : NULL;
}

void fz__codes_free(fz__codes *codes) {
    for (variant *v = codes ? codes->first : NULL, *next; v; v = next) {
        next = v->next;
        free_variant(v);
    }
    free(codes);
}

#else

fz__chain_code *const *fz__find_codes(const fz_expression *e, uint64_t splats) {
    (void)e, (void)splats;
    return NULL;
}

void fz__codes_free(fz__codes *codes) { free(codes); }

#endif
