/* What the expression files share: a program made ready to run.

   Instructions become chains (kernels/kernels.h), each of operations in one dtype; a block of elements goes through
   one chain after the other. What operations read besides the bundle in registers, and what a chain leaves
   behind, lies in places, which are numbered in this order:

     sources      inputs and constants, each in the dtype of its readers
     conversions  registers, converted before the chain that reads them
     registers    results that other chains read
     slots        bundles that a chain keeps for itself
     outputs

   Every place has a buffer in the scratch of a thread; inputs and outputs are used where they lie instead, if
   that is possible. */
#ifndef FZ_EXPRESSION_H
#define FZ_EXPRESSION_H

#include "internal.h"

/* Of a chain: bounds the stack where steps are plain calls, and slots. */
#define FZ_CHAIN_INSTRUCTIONS 200

/* Bytes of a bundle, whatever the dtype and instruction set. */
#define FZ_BUNDLE_BYTES (8 * FZ_MAX_VECTOR_BYTES)

/* An input or a constant, in a dtype. */
typedef struct fz__source {
    int value;
    fz_dtype dtype;
} fz__source;

typedef struct fz__conversion {
    int from; /* a register */
    fz_dtype dtype;
} fz__conversion;

/* What a step does; kernels/kernels.h has the function that does it. */
typedef enum fz__step_kind {
    FZ_STEP_LOAD,
    FZ_STEP_LOAD_BOOL,
    FZ_STEP_STORE,
    FZ_STEP_STORE_BOOL,
    FZ_STEP_FORWARD,
    FZ_STEP_REVERSE,
    FZ_STEP_CALL,
    FZ_STEP_END
} fz__step_kind;

typedef struct fz__meaning {
    fz__step_kind kind;
    fz_op op; /* of forward, reverse and call */
} fz__meaning;

typedef struct fz__chain {
    fz_dtype dtype;
    int first_step, first_conversion, conversions;
} fz__chain;

typedef struct fz__codes fz__codes; /* expression_code.c */

struct fz_expression {
    int inputs, constants, outputs;
    char **names;    /* of the inputs */
    fz_kind *kinds;  /* of the inputs */
    bool *exponents; /* is an input one, of integers? Then it has no elements below 0. */
    fz_constant *constant;
    fz_dtype *output_dtypes;
    int sources, conversions, registers, slots, places, chains, steps;
    fz__source *source;
    fz__conversion *conversion;
    fz_dtype *register_dtypes;
    fz__chain *chain;
    fz_step *step;
    fz__meaning *meaning; /* of the steps */
    fz_place *place;      /* bases are offsets in a thread's scratch, but of constants where they lie */
    char *bundles;        /* constants, each repeated over a bundle, in the dtypes of their sources */
    size_t scratch;       /* bytes per thread */
    ptrdiff_t unit;       /* elements: a whole number of every chain's bundles; divides FZ_BLOCK */
    fz__codes *codes;
};

/* ---- expression.c ---------------------------------------------------------------------------------------- */

/* What is known of a value. Inputs and constants have no chain (-1). */
typedef struct fz__value {
    fz_dtype compute, result; /* the operation's dtype, and its result's */
    bool weak;
    int chain;
} fz__value;

/* Can a Python int be converted to this dtype? True of anything else. */
bool fz__integer_fits(const fz_constant *number, fz_dtype dtype);
/* The dtype in which operand k of an operation is wanted that computes in `compute`. */
fz_dtype fz__operand_dtype(fz_op op, fz_dtype compute, int k);

/* ---- expression_chains.c --------------------------------------------------------------------------------- */

/* Instructions with their dtypes become chains and places. FZ_ERROR_VALUE, FZ_ERROR_MEMORY. */
fz_status fz__build_chains(fz_expression *expression, int instructions, const fz_instruction instruction[],
                           fz__value values[], const int output[]);

/* ---- expression_code.c ----------------------------------------------------------------------------------- */

/* A chain as machine code: its steps on elements [0, n) of the places, any n. */
typedef void fz__chain_code(size_t n, const fz_place places[]);

/* The chains' codes for inputs of which those in `splats` (bit k: input k) do not move, NULL for a chain that
   has none; NULL where there are none at all. Made at first need, by any thread; valid as long as the expression. */
fz__chain_code *const *fz__find_codes(const fz_expression *expression, uint64_t splats);
/* Code of the only chain that joins its results, as fz_computed_row's; NULL where there is none. */
typedef void fz__join_code(size_t first, size_t links, const fz_place places[], void *sum);
fz__join_code *fz__find_join_code(const fz_expression *expression, uint64_t splats, fz_join join);
fz__codes *fz__codes_create(void); /* NULL where memory is short */
void fz__codes_free(fz__codes *codes);

/* ---- expression_run.c ------------------------------------------------------------------------------------ */

enum {
    FZ_PLAIN_MOST = 16384,       /* elements; no more go without a plan, on one thread */
    FZ_SMALL_SCRATCH = 48 << 10, /* bytes that a thread's stack has room for */
    FZ_PLAIN_PLACES = 32,
};

typedef struct fz__job {
    const fz_expression *e;
    fz__nest nest;                             /* inputs, then outputs */
    fz_dtype dtypes[FZ_MAX_EXPRESSION_ARRAYS]; /* the arrays' own */
    bool output_in_place[FZ_MAX_EXPRESSION_ARRAYS];
    uint64_t splats;              /* the inputs that do not move along rows */
    fz__chain_code *const *codes; /* of the chains; NULL where none has any */
    ptrdiff_t unit;               /* elements that the chains take at once */
    bool is_direct; /* no row needs a buffer: the only chain's code reads and writes the rows themselves */
    bool in_blocks; /* something goes through block buffers, or from chain to chain */
    char *scratch;  /* of all participants; NULL: on their stacks */
} fz__job;

/* Of inputs and outputs, or of inputs alone; and of the values of numbers. */
fz_status fz__check_arrays(const fz_expression *expression, const fz_array *const arrays[], int count);
fz_status fz__check_numbers(const fz_expression *expression, const fz_array *const inputs[]);
/* All but the nest, once that is there. */
void fz__plan_job(fz__job *job, const fz_array *const arrays[]);
/* Rows of n elements, counted in the order of the nest from `first` and `step` on each time, to a block without gaps
   instead of the only output. */
void fz__compute_rows(const fz__job *job, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                      char *block, char *scratch);

/* ---- expression_plain.c ------------------------------------------------------------------------------------- */

/* Places of inputs that the only chain's code takes as they are: gapless arrays of as many elements as `like`, and
   scalars. */
typedef struct fz__plain {
    ptrdiff_t n;
    uint64_t splats;
    fz_place places[FZ_PLAIN_PLACES];
    double scalars[FZ_PLAIN_PLACES];
} fz__plain;
/* False where the inputs are otherwise, or there are more elements than `most`. */
bool fz__find_plain(const fz_expression *expression, const fz_array *const inputs[], const fz_array *like,
                    ptrdiff_t most, fz__plain *plain);
/* Few elements: work that costs less than its plan would. False where it is otherwise; then nothing is done. */
bool fz__run_plain(const fz_expression *expression, const fz_array *const inputs[],
                   fz_array *const outputs[]);

static inline int fz__instruction_arity(const fz_instruction *instruction) {
    return instruction->op == FZ_OP_COUNT ? 1 : fz_op_arity(instruction->op);
}

#endif
