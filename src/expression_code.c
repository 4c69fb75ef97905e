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
    fz_join join; /* of results, which nobody sees; FZ_JOIN_COUNT: they are stored */
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

#include "vector_code.h"

enum {
    MOST_VARIANTS = 8,
    MOST_SPLATS = 24, /* the rest is for what moves */
    SUMS = 8,         /* vectors that join_stream of kernels/reduce.c joins side by side */
    NONE = -1,
    /* Bytes of code: at most, of a step in one pass, of a place, and of the rest. */
    STEP_BYTES = 80,
    PLACE_BYTES = 64,
    FRAME_BYTES = 768,
};

/* General registers of a kind of function: which argument the places are, and which may point to them, those first that
   need not be saved. */
typedef struct frame {
    int8_t places, pointers, unsaved, pointer[12];
} frame;

/* Of a chain: rdi counts elements; rax is the index, rsi where whole vectors end. */
static const frame chain_frame = {6, 12, 6, {1, 2, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15}};
enum { RAX = 0 };
/* Of one that joins: rdi is the index, rsi counts links, rcx points to the sum. */
static const frame join_frame = {2, 11, 5, {0, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15}};
enum { RCX = 1, RDI = 7 };

typedef struct generator {
    const fz_expression *e;
    const fz__chain *chain;
    const fz_step *step;
    const fz__meaning *meaning;
    int steps;
    uint64_t splats;
    fz_op join; /* of results with `sum`, a register; FZ_OP_COUNT: they are stored */
    int sum;
    const frame *frame;
    int index, ahead; /* of the vector that steps are for: register, and vectors from there */
    fz__vector_code code;
    int scale;           /* an element has 1 << scale bytes */
    int bundle;          /* register, as in kernels/chain.c */
    int8_t *register_of; /* places: where their value is; NONE: in memory only */
    int8_t *pointer_of;  /* places in memory that move: which register points to them */
    int pointers;
    bool (*is_last)[FZ_MAX_OPERANDS]; /* steps' operands: nobody reads the place afterwards */
    bool *is_unread;                  /* nobody reads the place that the step writes */
} generator;

/* ---- registers and places -------------------------------------------------------------------------------- */

static int keep(generator *g, int r) { return fz__keep_register(&g->code, r); }
static void drop(generator *g, int r) {
    if (r != NONE) fz__drop_register(&g->code, r);
}

static void set_bundle(generator *g, int r) {
    drop(g, g->bundle);
    g->bundle = r;
}

static fz__address address_of(generator *g, int place, int scale) {
    if (g->pointer_of[place] == NONE) {
        if (g->pointers == g->frame->pointers)
            g->code.failed = true;
        else
            g->pointer_of[place] = g->frame->pointer[g->pointers++];
    }
    return (fz__address){g->pointer_of[place] & 15, g->index, scale, g->ahead};
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
        *r = (int8_t)(g->meaning[i].kind == FZ_STEP_LOAD_BOOL
                          ? fz__put_mask_load(&g->code, address_of(g, place, 0))
                          : fz__put_load(&g->code, address_of(g, place, g->scale)));
    const int held = keep(g, *r);
    if (g->is_last[i][k]) {
        drop(g, *r);
        *r = NONE;
    }
    return held;
}

static void put_store(generator *g, int place) {
    if (g->bundle >= FZ_CODE_VECTORS)
        fz__put_mask_store(&g->code, address_of(g, place, 0), g->bundle);
    else
        fz__put_store(&g->code, address_of(g, place, g->scale), g->bundle);
}

/* Sums are the lowest registers, so that the result takes the one that is given up for it. */
static void join_result(generator *g) {
    drop(g, g->sum);
    const int sum = fz__put_operation(&g->code, g->join, g->sum, g->bundle, 0);
    g->code.failed |= sum != g->sum;
}

static void store(generator *g, int i) {
    const fz_expression *e = g->e;
    const int place = written_place(g, i), slots = e->sources + e->conversions + e->registers;
    const int outputs = slots + e->slots;
    if (place >= outputs && g->join != FZ_OP_COUNT)
        join_result(g);
    else if (place < slots || place >= outputs)
        put_store(g, place);
    if (!g->is_unread[i]) g->register_of[place] = (int8_t)keep(g, g->bundle);
}

static void operate(generator *g, int i) {
    const fz__meaning meaning = g->meaning[i];
    int operands[1 + FZ_MAX_OPERANDS] = {g->bundle};
    const int reads = count_reads(meaning);
    for (int k = 0; k < reads; k++) operands[1 + k] = read_operand(g, i, k);
    const int *x = operands + (meaning.kind == FZ_STEP_CALL);
    const int result = meaning.kind == FZ_STEP_REVERSE
                           ? fz__put_operation(&g->code, meaning.op, x[1], x[0], 0)
                           : fz__put_operation(&g->code, meaning.op, x[0], x[1], x[2]);
    for (int k = 0; k < reads; k++) drop(g, operands[1 + k]);
    set_bundle(g, result);
}

static void put_steps(generator *g) {
    g->bundle = NONE;
    for (int i = 0; i < g->steps && !g->code.failed; i++) {
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
    for (int i = 0; i < g->steps && !g->code.failed; i++) {
        for (int k = 0; k < count_reads(g->meaning[i]); k++) {
            const int place = g->step[i].operands[k];
            if (!is_splat(g, place) || g->register_of[place] != NONE) continue;
            g->code.failed |= ++splats > MOST_SPLATS || g->meaning[i].kind == FZ_STEP_LOAD_BOOL;
            fz__put_pointer_load(&g->code.out, RAX, g->frame->places, place * (int)sizeof(fz_place));
            g->register_of[place] = (int8_t)fz__put_splat(&g->code, (fz__address){RAX, FZ_NO_INDEX, 0, 0});
        }
    }
}

static void put_pointers(generator *g, int places) {
    for (int place = 0; place < places; place++) {
        if (g->pointer_of[place] != NONE)
            fz__put_pointer_load(&g->code.out, g->pointer_of[place], g->frame->places,
                                 place * (int)sizeof(fz_place));
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

enum { JUMP_BELOW = 0x82, JUMP_EQUAL = 0x84, JUMP_UNEQUAL = 0x85 };

/* Steps over the registers' state, to learn which places need pointers; what it wrote is taken back. */
static void rehearse(generator *g) {
    uint8_t *const begin = g->code.out.at;
    put_steps(g);
    g->code.out.at = begin;
}

/* rax = 0; rsi = rdi rounded down to vectors;  if (rsi) do steps while ((rax += W) < rsi);
   if (rdi -= rax) the same under a mask of rdi lanes. */
static void put_loops(generator *g) {
    fz__bytes *b = &g->code.out;
    const uint8_t lanes = g->code.is_wide ? 8 : 16;
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
    g->code.is_tail = true;
    put_steps(g);
    if (!b->full) set_jump(past_tail, b->at);
}

/* sums = *rcx;  do eight times steps, while rdi += 8 W, --rsi;  *rcx = sums joined as a tree. */
static void put_join(generator *g) {
    fz__bytes *b = &g->code.out;
    const fz__address sum = {RCX, FZ_NO_INDEX, 0, 0};
    for (int u = 0; u < SUMS; u++) fz__put_load_into(&g->code, u, sum);
    uint8_t *const loop = b->at;
    for (int u = 0; u < SUMS; u++) {
        g->sum = u;
        g->index = RDI;
        g->ahead = u;
        put_steps(g);
    }
    const uint8_t lanes = g->code.is_wide ? 8 : 16;
    /* sub rdi,-8 W, which is a byte where 8 W is none; dec rsi */
    fz__put(b, (const uint8_t[]){0x48, 0x83, 0xef, (uint8_t)(-SUMS * lanes), 0x48, 0xff, 0xce}, 7);
    uint8_t *const again = put_jump(b, JUMP_UNEQUAL);
    if (b->full) return;
    set_jump(again, loop);
    for (int pair = 1; pair < SUMS; pair *= 2) {
        for (g->sum = 0; g->sum < SUMS; g->sum += 2 * pair) {
            set_bundle(g, keep(g, g->sum + pair));
            join_result(g);
        }
    }
    set_bundle(g, NONE);
    fz__put_store(&g->code, sum, 0);
}

/* Code of the chain at g->code.out; NULL where it has none. */
static fz__chain_code *put_chain(generator *g, int places) {
    uint8_t *const entry = g->code.out.at;
    static const uint8_t landing[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64: indirect calls may come here */
    memset(g->code.uses, 0, sizeof g->code.uses);
    if (g->join != FZ_OP_COUNT) memset(g->code.uses, 1, SUMS);
    memset(g->register_of, NONE, (size_t)places);
    memset(g->pointer_of, NONE, (size_t)places);
    g->pointers = g->index = g->ahead = g->sum = 0;
    g->code.failed = g->code.is_tail = false;
    fz__put(&g->code.out, landing, sizeof landing);
    put_splats(g);
    rehearse(g);
    for (int i = g->frame->unsaved; i < g->pointers; i++) fz__put_push(&g->code.out, g->frame->pointer[i]);
    put_pointers(g, places);
    (g->join == FZ_OP_COUNT ? put_loops : put_join)(g);
    for (int i = g->pointers - 1; i >= g->frame->unsaved; i--)
        fz__put_pop(&g->code.out, g->frame->pointer[i]);
    fz__put(&g->code.out, (const uint8_t[]){0xc5, 0xf8, 0x77, 0xc3}, 4); /* vzeroupper; ret */
    if (g->code.failed || g->code.out.full) {
        g->code.out.at = entry;
        g->code.out.full = false;
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
        g->code.is_wide = fz_dtype_size(dtype) == 8;
        g->scale = 2 + g->code.is_wide;
        g->code.is_float = fz__is_full_float(dtype);
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
    static const fz_op joins[] = {
#define FZ_JOINING(name, ...) [FZ_JOIN_##name] = FZ_OP_##name,
#include "ops.def"
        [FZ_JOIN_COUNT] = FZ_OP_COUNT,
    };
    const bool is_join = v->join != FZ_JOIN_COUNT;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = (size_t)e->steps * (is_join ? 1 + SUMS : 2) * STEP_BYTES +
                         (size_t)e->places * PLACE_BYTES + (size_t)e->chains * FRAME_BYTES;
    v->bytes = (bytes + page - 1) / page * page;
    v->memory = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (v->memory == MAP_FAILED) {
        v->memory = NULL;
        return;
    }
    generator g = {.e = e,
                   .splats = v->splats,
                   .join = joins[v->join],
                   .frame = is_join ? &join_frame : &chain_frame,
                   .code.out = {v->memory, (uint8_t *)v->memory + v->bytes, false}};
    if (generate(&g, v) && mprotect(v->memory, v->bytes, PROT_READ | PROT_EXEC) == 0) return;
    munmap(v->memory, v->bytes);
    v->memory = NULL;
}

static void free_variant(variant *v) {
    if (v->memory) munmap(v->memory, v->bytes);
    free(v);
}

static variant *create_variant(const fz_expression *e, uint64_t splats, fz_join join) {
    variant *v = calloc(1, sizeof *v + (size_t)e->chains * sizeof *v->chain);
    if (!v) return NULL;
    v->splats = splats;
    v->join = join;
    write_code(e, v);
    return v;
}

static fz__chain_code *const *find_variant(const fz_expression *e, uint64_t splats, fz_join join) {
    if (fz__kernels(FZ_FLOAT64)->vector_bytes != FZ_MAX_VECTOR_BYTES) return NULL;
    variant *first = atomic_load_explicit(&e->codes->first, memory_order_acquire);
    int known = 0;
    for (variant *v = first; v; v = v->next, known++) {
        if (v->splats == splats && v->join == join) return v->memory ? v->chain : NULL;
    }
    variant *made = known < MOST_VARIANTS ? create_variant(e, splats, join) : NULL;
    if (!made) return NULL;
    made->next = first;
    while (!atomic_compare_exchange_weak_explicit(&e->codes->first, &made->next, made, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    return made->memory ? made->chain : NULL;
}

fz__chain_code *const *fz__find_codes(const fz_expression *e, uint64_t splats) {
    return find_variant(e, splats, FZ_JOIN_COUNT);
}

/* Extremes that leave NaN out would begin with NaN, and could end with another than the first. */
fz__join_code *fz__find_join_code(const fz_expression *e, uint64_t splats, fz_join join) {
    if (e->chains != 1 || e->outputs != 1 || e->output_dtypes[0] != e->chain[0].dtype ||
        join == FZ_JOIN_fmax || join == FZ_JOIN_fmin)
        return NULL;
    fz__chain_code *const *codes = find_variant(e, splats, join);
    return codes ? (fz__join_code *)(void (*)(void))codes[0] : NULL;
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

fz__join_code *fz__find_join_code(const fz_expression *e, uint64_t splats, fz_join join) {
    (void)e, (void)splats, (void)join;
    return NULL;
}

void fz__codes_free(fz__codes *codes) { free(codes); }

#endif
