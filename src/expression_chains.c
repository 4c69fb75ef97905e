/* From instructions with dtypes to chains of steps, and to the places of their operands. */
#include <stdlib.h>
#include <string.h>

#include "expression.h"

/* While it is built, a step names a place by its section and its number there. */
enum { SOURCE, CONVERSION, REGISTER, SLOT, OUTPUT, SECTIONS };
static int place_code(int section, int number) { return number * SECTIONS + section; }

enum { NOWHERE = -1 };

/* Scratch of a thread at most: beyond it an expression is refused. */
#define SCRATCH_LIMIT ((size_t)1 << 20)

typedef struct usage {
    int local;                   /* uses in its own chain that are still to come */
    int last_chain;              /* that reads it, if it is not its own; else NOWHERE */
    int place;                   /* where its chain and others find it, once it is in memory */
    int sources[FZ_DTYPE_COUNT]; /* of inputs and constants; -1: not there yet */
} usage;

typedef struct builder {
    fz_expression *e;
    const fz_instruction *instruction;
    fz__value *values;
    const int *output;
    int first, instructions;
    usage *usage; /* of all values */
    int *order;   /* instructions, chain by chain */
    int *chain_end;
    int *register_end; /* the last chain that reads what a register holds now */
    int holder;        /* the value that the bundle holds, or NOWHERE */
    bool slot_taken[FZ_CHAIN_INSTRUCTIONS + 1];
} builder;

static bool is_instruction(const builder *b, int v) { return v >= b->first; }
static const fz_instruction *instruction_of(const builder *b, int v) { return &b->instruction[v - b->first]; }

static fz_dtype wanted_dtype(const builder *b, int v, int k) {
    return fz__operand_dtype(instruction_of(b, v)->op, b->values[v].compute, k);
}

/* ---- which chain ------------------------------------------------------------------------------------------- */

/* Can v read u, its operand k, without leaving the chain? */
static bool goes_along(const builder *b, int u, int v, int k) {
    return b->values[u].compute == b->values[v].compute && b->values[u].result == wanted_dtype(b, v, k);
}

/* A chain is of one level and one dtype. An instruction is above the levels of operands that come from other
   chains, and above full chains; so chains in the order of their levels find their operands there. */
static int find_level(const builder *b, int v, const int levels[], const int counts[][FZ_DTYPE_COUNT]) {
    int level = 0;
    for (int k = 0; k < fz__instruction_arity(instruction_of(b, v)); k++) {
        const int u = instruction_of(b, v)->operands[k];
        if (!is_instruction(b, u)) continue;
        const int least = levels[u - b->first] + !goes_along(b, u, v, k);
        if (least > level) level = least;
    }
    while (counts[level][b->values[v].compute] == FZ_CHAIN_INSTRUCTIONS) level++;
    return level;
}

/* Numbers the chains and lists their instructions; counts the uses of values in and beyond their chains. */
static bool deal_instructions(builder *b) {
    const int n = b->instructions;
    int *levels = malloc((size_t)n * sizeof *levels);
    int (*counts)[FZ_DTYPE_COUNT] = calloc((size_t)n + 1, sizeof *counts);
    b->order = malloc((size_t)n * sizeof *b->order);
    b->chain_end = malloc((size_t)n * sizeof *b->chain_end);
    const bool has_memory = levels && counts && b->order && b->chain_end;
    for (int i = 0; has_memory && i < n; i++) {
        levels[i] = find_level(b, b->first + i, levels, counts);
        counts[levels[i]][b->values[b->first + i].compute]++;
    }
    for (int level = 0, end = 0; has_memory && end < n; level++) {
        for (int dtype = 0; dtype < FZ_DTYPE_COUNT; dtype++) {
            if (!counts[level][dtype]) continue;
            const int begin = end;
            end += counts[level][dtype];
            counts[level][dtype] = b->e->chains;
            b->chain_end[b->e->chains++] = begin; /* moves to the end as instructions come */
        }
    }
    for (int i = 0; has_memory && i < n; i++) {
        fz__value *v = &b->values[b->first + i];
        v->chain = counts[levels[i]][v->compute];
        b->order[b->chain_end[v->chain]++] = b->first + i;
    }
    free(levels);
    free(counts);
    return has_memory;
}

static void count_uses(builder *b) {
    for (int v = 0; v < b->first + b->instructions; v++) {
        b->usage[v] = (usage){.last_chain = NOWHERE, .place = NOWHERE};
        memset(b->usage[v].sources, 0xff, sizeof b->usage[v].sources);
    }
    for (int v = b->first; v < b->first + b->instructions; v++) {
        for (int k = 0; k < fz__instruction_arity(instruction_of(b, v)); k++) {
            const int u = instruction_of(b, v)->operands[k];
            if (b->values[u].chain == b->values[v].chain)
                b->usage[u].local++;
            else if (b->usage[u].last_chain < b->values[v].chain)
                b->usage[u].last_chain = b->values[v].chain;
        }
    }
}

/* ---- places ------------------------------------------------------------------------------------------------ */

static int find_source(builder *b, int v, fz_dtype dtype) {
    int *source = &b->usage[v].sources[dtype];
    if (*source == NOWHERE) {
        *source = b->e->sources++;
        b->e->source[*source] = (fz__source){v, dtype};
    }
    return place_code(SOURCE, *source);
}

/* Conversions of a chain share their buffers with those of other chains. */
static int find_conversion(builder *b, int v, fz_dtype dtype, int c) {
    fz_expression *e = b->e;
    fz__chain *chain = &e->chain[c];
    const int from = b->usage[v].place / SECTIONS;
    int i = 0;
    for (; i < chain->conversions; i++) {
        const fz__conversion *known = &e->conversion[chain->first_conversion + i];
        if (known->from == from && known->dtype == dtype) break;
    }
    if (i == chain->conversions) {
        e->conversion[chain->first_conversion + i] = (fz__conversion){from, dtype};
        chain->conversions++;
        e->conversions++;
    }
    return place_code(CONVERSION, chain->first_conversion + i);
}

/* Where chain c finds v in memory as this dtype. */
static int find_operand(builder *b, int v, fz_dtype dtype, int c) {
    if (!is_instruction(b, v)) return find_source(b, v, dtype);
    if (b->values[v].result == dtype) return b->usage[v].place;
    return find_conversion(b, v, dtype, c);
}

static int take_slot(builder *b) {
    int slot = 0;
    while (b->slot_taken[slot]) slot++;
    b->slot_taken[slot] = true;
    if (slot >= b->e->slots) b->e->slots = slot + 1;
    return place_code(SLOT, slot);
}

static int take_register(builder *b, int v) {
    fz_expression *e = b->e;
    const int chain = b->values[v].chain;
    int i = 0;
    while (i < e->registers && (b->register_end[i] >= chain || e->register_dtypes[i] != b->values[v].result))
        i++;
    if (i == e->registers) e->registers++;
    e->register_dtypes[i] = b->values[v].result;
    b->register_end[i] = b->usage[v].last_chain;
    return place_code(REGISTER, i);
}

static void count_down(builder *b, int v) {
    for (int k = 0; k < fz__instruction_arity(instruction_of(b, v)); k++) {
        const int u = instruction_of(b, v)->operands[k];
        if (!is_instruction(b, u) || b->values[u].chain != b->values[v].chain) continue;
        const int place = b->usage[u].place;
        if (--b->usage[u].local == 0 && place >= 0 && place % SECTIONS == SLOT)
            b->slot_taken[place / SECTIONS] = false;
    }
}

/* ---- steps ------------------------------------------------------------------------------------------------- */

static const fz_chain_kernels *chain_kernels(const builder *b, int v) {
    return fz__kernels(b->values[v].compute)->chain;
}

static fz_step_function *step_function(const fz_chain_kernels *kernels, fz__meaning meaning) {
    switch (meaning.kind) {
    case FZ_STEP_LOAD:
        return kernels->load;
    case FZ_STEP_LOAD_BOOL:
        return kernels->load_bool;
    case FZ_STEP_STORE:
        return kernels->store;
    case FZ_STEP_STORE_BOOL:
        return kernels->store_bool;
    case FZ_STEP_FORWARD:
        return kernels->forward[meaning.op];
    case FZ_STEP_REVERSE:
        return kernels->reverse[meaning.op];
    case FZ_STEP_CALL:
        return kernels->call;
    default:
        return kernels->end;
    }
}

/* A step of v's chain. */
static fz_step *add_step(builder *b, int v, fz__step_kind kind, fz_op op, int place) {
    const fz__meaning meaning = {kind, op};
    fz_step *step = &b->e->step[b->e->steps];
    b->e->meaning[b->e->steps++] = meaning;
    *step = (fz_step){.run = step_function(chain_kernels(b, v), meaning), .operands = {place, place, place}};
    return step;
}

/* In a bundle of dtype `compute`, is a value of dtype `result` there as a mask? */
static bool is_mask(fz_dtype compute, fz_dtype result) { return result == FZ_BOOL && compute != FZ_BOOL; }

static void load(builder *b, int v, int k) {
    const fz_dtype wanted = wanted_dtype(b, v, k), compute = b->values[v].compute;
    add_step(b, v, is_mask(compute, wanted) ? FZ_STEP_LOAD_BOOL : FZ_STEP_LOAD, FZ_OP_COUNT,
             find_operand(b, instruction_of(b, v)->operands[k], wanted, b->values[v].chain));
}

static void store(builder *b, int v, int place) {
    const bool mask = is_mask(b->values[v].compute, b->values[v].result);
    add_step(b, v, mask ? FZ_STEP_STORE_BOOL : FZ_STEP_STORE, FZ_OP_COUNT, place);
}

/* Which of v's operands it reads from the bundle that holds u: 0, 1 (a binary operation in reverse), or none. */
static int reads_bundle(const builder *b, int v, int u) {
    const fz_instruction *in = instruction_of(b, v);
    const int arity = fz__instruction_arity(in);
    int uses = 0;
    for (int k = 0; k < arity; k++) uses += in->operands[k] == u;
    if (uses != 1 || b->values[u].chain != b->values[v].chain) return NOWHERE;
    if (in->op == FZ_OP_COUNT) return 0;
    if (in->operands[0] == u && chain_kernels(b, v)->forward[in->op]) return 0;
    return arity == 2 && in->operands[1] == u && chain_kernels(b, v)->reverse[in->op] ? 1 : NOWHERE;
}

/* The operands but the one that the bundle has. */
static fz_step *add_operation(builder *b, int v, fz__step_kind kind, int in_bundle) {
    const fz_instruction *in = instruction_of(b, v);
    int places[3] = {0}, count = 0;
    for (int k = 0; k < fz_op_arity(in->op); k++) {
        if (k != in_bundle)
            places[count++] = find_operand(b, in->operands[k], wanted_dtype(b, v, k), b->values[v].chain);
    }
    fz_step *step = add_step(b, v, kind, in->op, count ? places[0] : 0);
    for (int k = 1; k < count; k++) step->operands[k] = places[k];
    return step;
}

/* Leaves v in the bundle. */
static void compute_in_bundle(builder *b, int v) {
    const fz_instruction *in = instruction_of(b, v);
    int in_bundle = b->holder == NOWHERE ? NOWHERE : reads_bundle(b, v, b->holder);
    if (in_bundle == NOWHERE) load(b, v, in_bundle = 0);
    if (in->op != FZ_OP_COUNT)
        add_operation(b, v, in_bundle == 0 ? FZ_STEP_FORWARD : FZ_STEP_REVERSE, in_bundle);
    b->holder = v;
}

/* Leaves v in memory. */
static void compute_by_call(builder *b, int v) {
    const fz_op op = instruction_of(b, v)->op;
    fz_step *step = add_operation(b, v, FZ_STEP_CALL, NOWHERE);
    step->loop = fz__kernels(b->values[v].compute)->elementwise->loops[op];
    step->result = b->usage[v].place;
    b->holder = NOWHERE;
}

static bool is_called(const builder *b, int v) {
    const fz_op op = instruction_of(b, v)->op;
    return op != FZ_OP_COUNT && !chain_kernels(b, v)->forward[op];
}

static void store_outputs(builder *b, int v) {
    for (int i = 0; i < b->e->outputs; i++) {
        if (b->output[i] != v) continue;
        if (b->holder != v) {
            const bool mask = is_mask(b->values[v].compute, b->values[v].result);
            add_step(b, v, mask ? FZ_STEP_LOAD_BOOL : FZ_STEP_LOAD, FZ_OP_COUNT, b->usage[v].place);
            b->holder = v;
        }
        store(b, v, place_code(OUTPUT, i));
    }
}

/* `next` follows v in its chain; NOWHERE: nothing does. */
static void add_instruction(builder *b, int v, int next) {
    usage *use = &b->usage[v];
    const bool called = is_called(b, v);
    const bool stays = next != NOWHERE && !called && reads_bundle(b, next, v) != NOWHERE;
    if (use->last_chain != NOWHERE)
        use->place = take_register(b, v);
    else if (called || use->local > stays)
        use->place = take_slot(b);
    if (called) {
        compute_by_call(b, v);
    } else {
        compute_in_bundle(b, v);
        if (use->place != NOWHERE) store(b, v, use->place);
    }
    store_outputs(b, v);
    count_down(b, v);
    if (called && use->local == 0 && use->place % SECTIONS == SLOT)
        b->slot_taken[use->place / SECTIONS] = false;
}

static void add_chain(builder *b, int c) {
    fz_expression *e = b->e;
    const int begin = c ? b->chain_end[c - 1] : 0, end = b->chain_end[c];
    const int v = b->order[begin];
    e->chain[c] = (fz__chain){b->values[v].compute, e->steps, e->conversions, 0};
    b->holder = NOWHERE;
    for (int i = begin; i < end; i++)
        add_instruction(b, b->order[i], i + 1 < end ? b->order[i + 1] : NOWHERE);
    add_step(b, v, FZ_STEP_END, FZ_OP_COUNT, 0);
}

/* ---- scratch ----------------------------------------------------------------------------------------------- */

static void add_place(fz_expression *e, size_t bytes, ptrdiff_t stride) {
    e->place[e->places++] = (fz_place){(char *)e->scratch, stride};
    e->scratch += (bytes + FZ_MAX_VECTOR_BYTES - 1) / FZ_MAX_VECTOR_BYTES * FZ_MAX_VECTOR_BYTES;
}

static void add_block(fz_expression *e, fz_dtype dtype) {
    const size_t size = fz_dtype_size(dtype);
    add_place(e, FZ_BLOCK * size, (ptrdiff_t)size);
}

static int most_conversions(const fz_expression *e) {
    int most = 0;
    for (int c = 0; c < e->chains; c++)
        most = e->chain[c].conversions > most ? e->chain[c].conversions : most;
    return most;
}

/* Chains run one after the other, so their conversions lie in the same blocks. */
static void add_conversion_blocks(fz_expression *e) {
    const size_t begin = e->scratch, block = FZ_BLOCK * sizeof(double);
    for (int c = 0; c < e->chains; c++) {
        const fz__chain *chain = &e->chain[c];
        for (int i = 0; i < chain->conversions; i++) {
            e->scratch = begin + (size_t)i * block;
            add_block(e, e->conversion[chain->first_conversion + i].dtype);
        }
    }
    e->scratch = begin + (size_t)most_conversions(e) * block;
}

/* Constants are repeated over their bundles now, once for all runs. */
static bool add_constants(fz_expression *e) {
    char *bundle = aligned_alloc(FZ_MAX_VECTOR_BYTES, ((size_t)e->sources + 1) * FZ_BUNDLE_BYTES);
    e->bundles = bundle;
    for (int i = 0; e->bundles && i < e->sources; i++) {
        const fz__source *source = &e->source[i];
        if (source->value < e->inputs) continue;
        const fz_constant *constant = &e->constant[source->value - e->inputs];
        const size_t size = fz_dtype_size(source->dtype);
        fz__kernels(source->dtype)
            ->elementwise->cast_from[constant->kind.dtype](FZ_BUNDLE_BYTES / size, &constant->value, 0,
                                                           bundle, (ptrdiff_t)size);
        e->place[i] = (fz_place){bundle, 0};
        bundle += FZ_BUNDLE_BYTES;
    }
    return e->bundles != NULL;
}

/* Places in their final order; steps that name them by it. */
static fz_status lay_out(fz_expression *e) {
    const int count[SECTIONS] = {e->sources, e->conversions, e->registers, e->slots, e->outputs};
    int begin[SECTIONS] = {0};
    for (int s = 1; s < SECTIONS; s++) begin[s] = begin[s - 1] + count[s - 1];
    e->place = malloc((size_t)(begin[OUTPUT] + e->outputs) * sizeof *e->place);
    if (!e->place) return fz__fail(FZ_ERROR_MEMORY, "expression: there is not enough memory");
    e->scratch =
        (size_t)(begin[OUTPUT] + e->outputs) * sizeof *e->place; /* a thread's own table comes first */
    e->scratch = (e->scratch + FZ_MAX_VECTOR_BYTES - 1) / FZ_MAX_VECTOR_BYTES * FZ_MAX_VECTOR_BYTES;
    for (int i = 0; i < e->sources; i++) {
        if (e->source[i].value < e->inputs)
            add_block(e, e->source[i].dtype);
        else
            add_place(e, FZ_BUNDLE_BYTES, 0); /* only counted: add_constants has the memory */
    }
    add_conversion_blocks(e);
    for (int i = 0; i < e->registers; i++) add_block(e, e->register_dtypes[i]);
    for (int i = 0; i < e->slots; i++) add_place(e, FZ_BUNDLE_BYTES, 0);
    for (int i = 0; i < e->outputs; i++) add_block(e, e->output_dtypes[i]);
    for (int i = 0; i < e->steps; i++) {
        fz_step *step = &e->step[i];
        for (int k = 0; k < 3; k++)
            step->operands[k] = begin[step->operands[k] % SECTIONS] + step->operands[k] / SECTIONS;
        step->result = begin[step->result % SECTIONS] + step->result / SECTIONS;
    }
    for (int i = 0; i < e->conversions; i++) e->conversion[i].from += begin[REGISTER];
    if (e->scratch <= SCRATCH_LIMIT)
        return add_constants(e) ? FZ_OK : fz__fail(FZ_ERROR_MEMORY, "expression: there is not enough memory");
    return fz__fail(
        FZ_ERROR_VALUE,
        "expression: it needs %zu KB of intermediate results and constants at once; at most %zu KB "
        "would do: split it",
        e->scratch >> 10, SCRATCH_LIMIT >> 10);
}

/* ---- the whole --------------------------------------------------------------------------------------------- */

static bool allocate(builder *b) {
    fz_expression *e = b->e;
    const size_t n = (size_t)b->instructions, values = (size_t)b->first + n;
    const size_t operands = 3 * n; /* each a source or a conversion at most */
    b->usage = malloc(values * sizeof *b->usage);
    b->register_end = malloc(n * sizeof *b->register_end);
    e->source = malloc(operands * sizeof *e->source);
    e->conversion = malloc(operands * sizeof *e->conversion);
    e->register_dtypes = malloc(n * sizeof *e->register_dtypes);
    e->chain = malloc(n * sizeof *e->chain);
    /* An instruction loads, computes, stores; a chain ends; an output is loaded and stored. */
    const size_t steps = 4 * n + 2 * (size_t)e->outputs;
    e->step = malloc(steps * sizeof *e->step);
    e->meaning = malloc(steps * sizeof *e->meaning);
    e->codes = fz__codes_create();
    return b->usage && b->register_end && e->source && e->conversion && e->register_dtypes && e->chain &&
           e->step && e->meaning && e->codes;
}

static void find_unit(fz_expression *e) {
    e->unit = 1;
    for (int c = 0; c < e->chains; c++)
        e->unit = fz__max(e->unit, (ptrdiff_t)fz__kernels(e->chain[c].dtype)->chain->bundle);
}

fz_status fz__build_chains(fz_expression *e, int instructions, const fz_instruction instruction[],
                           fz__value values[], const int output[]) {
    builder b = {.e = e,
                 .instruction = instruction,
                 .values = values,
                 .output = output,
                 .first = e->inputs + e->constants,
                 .instructions = instructions};
    fz_status status = FZ_OK;
    if (allocate(&b) && deal_instructions(&b)) {
        count_uses(&b);
        for (int c = 0; c < e->chains; c++) add_chain(&b, c);
        find_unit(e);
        status = lay_out(e);
    } else {
        status = fz__fail(FZ_ERROR_MEMORY, "expression: there is not enough memory");
    }
    free(b.usage);
    free(b.order);
    free(b.chain_end);
    free(b.register_end);
    return status;
}
