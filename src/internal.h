/* Private prototypes of libforzium, grouped under the file that owns them. Names that cross files
   but not the library begin with fz__. */
#ifndef FZ_INTERNAL_H
#define FZ_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "forzium.h"
#include "kernels/kernels.h"

/* Most elements that an element-wise loop or a row reduction gets at once where its operands are not
   read in place: their converted copies then stay in the L1 cache. */
#define FZ_BLOCK 512

static inline ptrdiff_t fz__min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t fz__max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t fz__ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
static inline ptrdiff_t fz__round_up(ptrdiff_t n, ptrdiff_t multiple) {
    return fz__ceil_div(n, multiple) * multiple;
}
/* Do rows so many bytes apart meet in the same few sets of the caches? L1's sets span 4 KB on all x86-64 CPUs. */
static inline bool fz__rows_collide(ptrdiff_t stride) { return stride % 4096 == 0; }

/* ---- status.c: error codes and messages --------------------------------------------------------- */

/* Sets the calling thread's message and returns status, so that a check is one line. */
fz_status fz__fail(fz_status status, const char *format, ...) __attribute__((format(printf, 2, 3), cold));

/* "(2, 3)" or "(5,)" written to text; returns text. */
typedef struct fz__shape_text {
    char text[128];
} fz__shape_text;
const char *fz__format_shape(fz__shape_text *buffer, int ndim, const ptrdiff_t *shape);

/* ---- dtypes.c: names, sizes, promotion, and what the operations make of dtypes ------------------------- */

typedef enum fz__dtype_kind { FZ__BOOLEAN, FZ__UNSIGNED, FZ__SIGNED, FZ__FLOATING } fz__dtype_kind;
typedef struct fz__dtype_row {
    const char *name;
    int size; /* bytes */
    fz__dtype_kind kind;
} fz__dtype_row;
extern const fz__dtype_row fz__dtypes[FZ_DTYPE_COUNT];

/* fz_dtype_size where it has to be inlined, and signed. */
static inline ptrdiff_t fz__element_size(fz_dtype dtype) { return fz__dtypes[dtype].size; }
/* float32 or float64: the dtypes of linear algebra. */
static inline bool fz__is_full_float(fz_dtype dtype) { return dtype == FZ_FLOAT32 || dtype == FZ_FLOAT64; }
static inline bool fz__is_narrow_float(fz_dtype dtype) { return dtype == FZ_FLOAT16 || dtype == FZ_BFLOAT16; }
static inline bool fz__is_float(fz_dtype dtype) {
    return fz__is_full_float(dtype) || fz__is_narrow_float(dtype);
}
/* One of them, in memory that need not be aligned; where there are many, kernels convert them. */
static inline double fz__load_float(fz_dtype dtype, const void *from) {
    float narrow;
    double wide;
    if (dtype == FZ_FLOAT32) return memcpy(&narrow, from, sizeof narrow), (double)narrow;
    return memcpy(&wide, from, sizeof wide), wide;
}
static inline void fz__store_float(fz_dtype dtype, double value, void *to) {
    const float narrow = (float)value;
    if (dtype == FZ_FLOAT32)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &value, sizeof value);
}
/* FZ_ERROR_DTYPE for any other. */
fz_status fz__check_full_float(const char *operation, const char *argument, const fz_array *x);
/* What a loop of op that computes in this dtype writes. */
fz_dtype fz__op_result(fz_op op, fz_dtype compute);
fz_dtype fz__op_compute(fz_dtype dtype); /* float32 for the narrow floats, else itself */
bool fz__is_comparison(fz_op op);
/* Of int64 with uint64: the float64 to which they promote does not hold all of either. */
bool fz__is_mixed_comparison(fz_op op, const fz_dtype inputs[]);

/* ---- array.c: checking, broadcasting, coalescing, overlap ------------------------------------------ */

/* Of one operation: at most three inputs and the output. Of an expression, and so of a loop nest. */
#define FZ_MAX_OPERANDS 4
#define FZ_MAX_NEST_OPERANDS 40

/* A loop nest over one or more operands, the output last. Axes are ordered so that the last one moves
   fastest through memory; axes that every operand walks without a gap are one. */
typedef struct fz__nest {
    int ndim, operands;
    ptrdiff_t size; /* product of shape; 0 if there is nothing to do */
    ptrdiff_t shape[FZ_MAX_NDIM];
    char *data[FZ_MAX_NEST_OPERANDS];
    ptrdiff_t strides[FZ_MAX_NEST_OPERANDS][FZ_MAX_NDIM]; /* last: only the first `operands` are there */
} fz__nest;

/* Multiplies lengths; FZ_ERROR_SHAPE for a negative length or a product of bytes past PTRDIFF_MAX. */
fz_status fz__check_array(const char *operation, const char *argument, const fz_array *x);
/* An output beside its inputs: the shape it must have, their dtype, no memory in common. */
fz_status fz__check_output(const char *operation, const fz_array *out, int ndim, const ptrdiff_t *shape,
                           int inputs, const fz_array *const arrays[]);
/* The same where the dtype of the output is not the inputs': it must be this one. */
fz_status fz__check_result(const char *operation, const fz_array *out, fz_dtype dtype, int ndim,
                           const ptrdiff_t *shape, int inputs, const fz_array *const arrays[]);
ptrdiff_t fz__array_size(const fz_array *x);
bool fz__is_contiguous(const fz_array *x);
/* Same memory, shape and strides: element i of one is element i of the other. */
bool fz__same_view(const fz_array *a, const fz_array *b);
/* Elements of an array of this dtype without gaps; 0 where it is no such array, is empty, or has more than `most`. */
ptrdiff_t fz__count_gapless(const fz_array *x, fz_dtype dtype, ptrdiff_t most);
/* Both gapless and of n elements: are they the same elements, or have they none in common? */
bool fz__same_or_apart(const fz_array *x, const fz_array *out, ptrdiff_t n);
/* The axis from the front, where a negative one counts from the end. FZ_ERROR_AXIS: x, the argument, has none such. */
fz_status fz__find_axis(const char *operation, const char *argument, const fz_array *x, int axis, int *found);
/* reduced[d]: is axis d of x named? axes == NULL names all. A number has axis 0 as NumPy's has. FZ_ERROR_AXIS,
   FZ_ERROR_SHAPE (named twice). */
fz_status fz__mark_axes(const char *operation, const fz_array *x, int naxes, const int axes[],
                        bool reduced[]);
/* The axes that are left, or all, of which the reduced ones have length 1. */
void fz__reduced_shape(const fz_array *x, const bool reduced[], int keepdims, int *ndim, ptrdiff_t shape[]);
/* arrays[operands - 1] is the output, to whose shape the others broadcast. */
fz_status fz__nest_init(fz__nest *nest, const char *operation, int operands, const fz_array *const arrays[]);
/* A copy of what is there: a nest of few operands is a small part of its struct. */
void fz__nest_copy(fz__nest *to, const fz__nest *from);
void fz__nest_remove_axis(fz__nest *nest, int axis);
/* Element `index` (counted with the last axis fastest) as coordinates, and pointers to it. */
void fz__nest_seek(const fz__nest *nest, ptrdiff_t index, ptrdiff_t coordinates[], char *pointers[]);
/* One run along the innermost axis: n elements from pointers[k] at byte strides[k] (0 axes: n is 1). */
typedef void fz__visit_row(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]);
/* Visits elements [begin, end) of the nest, counted with the last axis fastest, row by row. */
void fz__nest_walk(const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end, fz__visit_row *visit, void *context);
/* Rows that follow one another along the next axis: pointers to the first, which may be moved. */
typedef void fz__visit_plane(void *context, ptrdiff_t rows, char *pointers[]);
/* The same elements of two axes or more: whole rows plane by plane, parts of rows alone. */
void fz__nest_walk_planes(const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end, fz__visit_row *visit_row,
                          fz__visit_plane *visit_plane, void *context);

/* ---- copy.c: strided and transposing copies --------------------------------------------------------- */

/* dst[i] = src[i], converted to dst's dtype; src broadcasts to dst's shape and shares no memory with it. */
void fz__copy(const fz_array *src, const fz_array *dst);
/* The same on the calling thread alone: inside of a task. */
void fz__copy_alone(const fz_array *src, const fz_array *dst);

/* ---- copy_where.c: copies that overlap, or have a mask ------------------------------------------------ */

/* A copy of an input in scratch of the call. The array points into the struct. */
typedef struct fz__shadow {
    void *memory;
    fz_array array;
    ptrdiff_t strides[FZ_MAX_NDIM];
} fz__shadow;

/* arrays: inputs, then outputs. Inputs that share memory with an output in another arrangement become copies, *count of
   them in shadows[inputs]; release them, also after FZ_ERROR_MEMORY. */
fz_status fz__shadow_inputs(const char *operation, int inputs, int outputs, const fz_array *arrays[],
                            fz__shadow shadows[], int *count);
void fz__release_shadows(int count, const fz__shadow shadows[]);

/* ---- elementwise.c -------------------------------------------------------------------------------------- */

/* FZ_ERROR_VALUE where exponents of integers are below 0: an integer to a negative power is no integer. */
fz_status fz__check_exponents(const char *argument, const fz_array *y);

/* ---- compare_mixed.c ---------------------------------------------------------------------------------------- */

/* One of fz__is_mixed_comparison; the arrays have been checked. */
fz_status fz__compare_mixed(fz_op op, const fz_array *const inputs[], fz_array *out);

/* ---- scheduler.c: the work-stealing pool ----------------------------------------------------------- */

/* Runs items [begin, end). `participant` is below the number given to fz__parallel_for, and no two
   tasks that run at one moment share it: it indexes per-participant scratch. */
typedef void fz__task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant);

/* How many threads at most will work on n items handed out in grains: 1 <= result <= pool size. */
int fz__participants(ptrdiff_t n, ptrdiff_t grain);

/* Into what element-wise work is best cut. Little work goes only to threads that are awake, or that the next call, if
   calls follow each other closely, will find awake: to wake one takes its caller longer than the work. */
typedef struct fz__split {
    int participants;
    ptrdiff_t grain;
} fz__split;

fz__split fz__split_elements(ptrdiff_t size);

/* for (i = 0; i < n; i += grain) task(context, i, min(i + grain, n), participant);
   in any order, on up to `participants` threads, the caller being one; returns when all is done.
   May be called from inside a task. */
void fz__parallel_for(int participants, ptrdiff_t n, ptrdiff_t grain, fz__task *task, void *context);

/* Parses FORZIUM_NUM_THREADS. */
fz_status fz__scheduler_init(void);

/* ---- usable_cpus.c ---------------------------------------------------------------------------------- */

/* The CPU that the calling thread runs on; -1: nobody knows. */
int fz__current_cpu(void);
/* Lets the calling thread, made by any other, run wherever the process may. */
void fz__use_process_cpus(void);
/* Moves the calling thread to another CPU if it runs on this one and may run elsewhere, by narrowing its affinity for a
   moment: a change from outside in that moment is undone. */
void fz__leave_cpu(int cpu);

/* ---- reduce.c: what is reduced, and how ------------------------------------------------------------------ */

typedef struct fz__reduction fz__reduction;

/* A reducer makes partial results of elements, and one of several; reduce_joins.c and reduce_moments.c have them. Partial results stand side by side without gaps. */
#define FZ_MAX_PARTIAL 32 /* bytes */
typedef struct fz__reducer {
    /* partials[i] = that of x[i][0], x[i][1], ... for i < count: rows of n >= 1 contiguous elements. */
    void (*rows)(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x, ptrdiff_t row_stride,
                 char *partials);
    /* partials[j] = that of x[0][j], x[1][j], ... for j < n. */
    void (*columns)(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x, ptrdiff_t row_stride,
                    char *partials);
    /* *partial = that of n >= 1 partials; and of each of n columns of rows of them, in place or not. */
    void (*join)(const fz__reduction *r, ptrdiff_t n, const char *partials, char *partial);
    void (*join_columns)(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *partials,
                         char *result);
    /* That of no elements. */
    void (*nothing)(const fz__reduction *r, char *partial);
    /* What remains to be done to n of them; then they go to out at a stride. */
    void (*store)(const fz__reduction *r, ptrdiff_t n, char *partials, char *out, ptrdiff_t stride);
} fz__reducer;
extern const fz__reducer fz__joins, fz__half_joins, fz__totals, fz__moments;

typedef enum fz__family {
    FZ_TOTAL,
    FZ_EXTREME,
    FZ_TRUTH,
    FZ_COUNT,
    FZ_AVERAGE,
    FZ_VARIANCE,
    FZ_DEVIATION,
    FZ_PLACE
} fz__family;

/* A place in x and in the array that says which elements count (x itself where all do: then nobody reads it), and the
   way to the next. */
typedef struct fz__elements {
    const char *x, *where;
} fz__elements;
typedef struct fz__step {
    ptrdiff_t x, where;
} fz__step;
static inline fz__elements fz__advance(fz__elements at, fz__step step, ptrdiff_t n) {
    return (fz__elements){at.x + n * step.x, at.where + n * step.where};
}

/* An array without memory: rows of n of its elements, counted in C order from `first` and `step` on each time, are
   computed into a block without gaps. Blocks too large for a stack are taken, FZ_COMPUTED_BYTES each, and given back. */
#define FZ_COMPUTED_BYTES (FZ_LONGEST_RUN * sizeof(double))
typedef struct fz__computed {
    char *(*take_block)(void *context);
    void (*give_block)(void *context, char *block);
    void (*compute)(void *context, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step, char *block);
    /* The same rows, joined to a partial result each without a block, with the bits of fz_reduce_kernels.join_rows;
       false where that cannot be done. */
    bool (*join)(void *context, fz_join join, ptrdiff_t rows, ptrdiff_t n, ptrdiff_t first, ptrdiff_t step,
                 char *partials);
    void *context;
    const char *origin; /* the address that its first element would have: nobody looks there */
    ptrdiff_t size;     /* bytes of an element */
} fz__computed;

enum { FZ_NEST_OUT, FZ_NEST_WHERE, FZ_NEST_X }; /* operands of `kept`; `reduced` has the last two */

struct fz__reduction {
    const char *name;
    const fz__reducer *reducer;
    const fz_kernels *kernels;      /* of the dtype computed in: that of elements as the reducer takes them */
    const fz_kernels *joiner;       /* of partial results that are numbers, one each */
    const fz_total_kernels *totals; /* where those are sums of bools or of narrow integers */
    const fz_half_sums *half_sums;  /* where those are sums of float16, which is read as it is */
    fz_total_kind total;            /* what these are */
    fz__family family;
    fz_join join;
    fz_join_kernel *join_rows, *join_columns; /* of elements to partial results, for fz__joins */
    fz_dtype dtype, result;                   /* computed in; out's */
    fz_cast *copy;                            /* of elements to the dtype computed in */
    fz_cast *store;                           /* from what the reducer gives to out's */
    fz_cast *where;                           /* NULL, or: to bool, of what says which elements count */
    fz_cast *widen;               /* NULL, or: to float64, to find NaN where the dtype computed in has none */
    bool in_place;                /* a contiguous run of elements can be read where it is */
    bool skips_nan;               /* kernels do it, where the dtype computed in has NaN */
    bool compacts;                /* what `where` does not name is left out; else it becomes neutral */
    const fz__computed *computed; /* NULL, or: x's elements are computed when they are asked for */
    int decisive; /* the truth of a partial result, a byte, that nothing changes any more; below 0: there is none */
    const fz_array *initial; /* NULL, or 0-d */
    double correction;
    ptrdiff_t element, partial; /* bytes */
    ptrdiff_t count;            /* elements that make one result, >= 1 */
    /* The innermost reduced axis, where x runs faster along it than along every kept one; else one element. */
    ptrdiff_t run;
    fz__step run_step;
    fz__nest reduced; /* where and x over the other axes that go; its data pointers are set per result */
    fz__nest kept;    /* out, where and x over the axes that stay; size >= 1 */
};

static inline bool fz__is_decided(const fz__reduction *r, const char *partial) {
    return r->decisive >= 0 && (*(const unsigned char *)partial != 0) == r->decisive;
}

/* The reduction of an array without memory: the bits are those of fz_reduce on such an array without gaps. x has the
   shape and the strides that it would have, and computed->origin. */
fz_status fz__reduce_computed(fz_reduction reduction, const fz_array *x, const fz__computed *computed,
                              int naxes, const int axes[], fz_array *out);

/* A mean, variance or deviation (one result) whose out is of integers or bool; all else has been checked. */
fz_status fz__reduce_whole(const char *name, fz__family family, const fz_array *x, int naxes,
                           const int axes[], const fz_reduce_options *options, const fz_array *out);

/* How a sum, an average or an extreme of floats joins elements to a result without options; FZ_JOIN_COUNT: it is none
   of these. The rest of the way there: `count` values, what n < 2^24 elements each came to, to as many results; neither
   need be aligned. */
fz_join fz__plain_join(fz_reduction reduction);
void fz__store_plain(fz_reduction reduction, ptrdiff_t n, fz_dtype dtype, ptrdiff_t count, const void *values,
                     void *results);

/* task over items of so many elements each, on the threads that pay; computed elements are more work than others. */
void fz__reduce_items(ptrdiff_t items, ptrdiff_t elements, fz__task *task, void *context);
static inline ptrdiff_t fz__reduction_work(const fz__reduction *r, ptrdiff_t elements) {
    enum { COMPUTING = 4 };
    return r->computed ? COMPUTING * elements : elements;
}

/* ---- reduce_elements.c: elements on their way to the kernels ------------------------------------------------ */

/* n <= FZ_BLOCK elements to a block, as the kernels take them; returns how many: fewer than n where those that do
   not count are left out. */
ptrdiff_t fz__fetch(const fz__reduction *r, ptrdiff_t n, fz__elements at, fz__step step, char *block);
/* Elements of a run that fz__reduce_runs gets at most. */
#define FZ_LONGEST_RUN 32768
/* Elements that one thread joins without a plan at most, one such run after the other. */
#define FZ_LONGEST_PLAIN (32 * FZ_LONGEST_RUN)
/* partials[i] = that of the run of n elements at `at` + i rows, for i < count. */
void fz__reduce_runs(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, fz__elements at, fz__step row,
                     char *partials);

/* partials[j] = that of x[0][j], x[1][j], ... for j < n, where the reducer reads x in place. */
void fz__reduce_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                      ptrdiff_t row_stride, char *partials);

/* ---- reduce_rows.c, reduce_columns.c: the two ways through memory -------------------------------------------- */

/* Where all that makes a result lies closer together than neighbouring results: one result after the other. */
fz_status fz__reduce_rows(const fz__reduction *reduction);
/* Elsewhere: a strip of neighbouring results at a time. */
fz_status fz__reduce_columns(const fz__reduction *reduction);
#define FZ_MOST_FOLDED 1024 /* elements */
/* How many rows of `width` elements, without gaps, are read as one of at most FZ_MOST_FOLDED: a power of two, so that these
   are long enough and whole vectors of 4 or 8 bytes an element. 1: the rows are wide enough. */
ptrdiff_t fz__fold_rows(ptrdiff_t width);

/* ---- reduce_extremes.c: argmin and argmax --------------------------------------------------------------------- */

/* Along one axis, or over all elements in C order (axis < 0). out is int64. Where x is so many runs of `run` elements
   (0: it is not), one after another as their results are in out, they need no plan. */
fz_status fz__find_extremes(const char *name, fz_join join, const fz_array *x, int axis, ptrdiff_t run,
                            const fz_array *out);

/* ---- rows.c: passes over the rows of arrays, wherever their elements lie ------------------------------------ */

/* A row is what some axes of an array hold where the other axes stand still. */
#define FZ_ROW_INPUTS 3
#define FZ_ROW_GROUP 16      /* rows that a pass gets together, at most: as many as a vector has lanes */
#define FZ_ROW_SEGMENT 16384 /* elements of a row that a pass gets at once, unless rows are very long */

typedef struct fz__row_group fz__row_group;

typedef struct fz__rows {
    /* Set before fz__rows_run: */
    const char *operation;
    fz_dtype dtype; /* computed in: float32, float64, or a 64-bit integer with passes of its own */
    fz_row_function *const *passes; /* [fz_row_pass]; of dtype */
    void (*compute)(fz__row_group *group);
    double parameter; /* compute's own */
    double nothing;   /* the number that a row of no elements gives */
    bool full;        /* the results are rows, too; else numbers, group->results */
    bool once;        /* one pass mostly does: no row has to stay in the L1 cache for the next */
    /* Set by it: */
    int inputs;
    ptrdiff_t n;     /* elements of a row, >= 1 */
    ptrdiff_t size;  /* bytes of an element of dtype */
    ptrdiff_t tile;  /* rows that are worked on together */
    ptrdiff_t group; /* rows that a pass gets together */
    bool in_tiles;   /* rows that cannot be read in place are copied whole */
    bool direct[FZ_ROW_INPUTS + 1];
    fz_cast *cast[FZ_ROW_INPUTS + 1]; /* own dtype -> dtype; of the output, back */
    ptrdiff_t offset[FZ_ROW_INPUTS + 1];
    fz__nest kept, reduced; /* inputs, output; the latter without the output if it has no row */
} fz__rows;

struct fz__row_group {
    const fz__rows *rows;
    int count; /* 1 unless whole */
    fz_row_operands operands;
    bool whole; /* all of these are contiguous and of rows->dtype */
    fz_row_result results[FZ_ROW_GROUP];
};

typedef struct fz__row_step {
    fz_row_pass pass;
    fz_row_values values[FZ_ROW_GROUP]; /* of each row */
} fz__row_step;

/* The first step reads x, the others what the one before has written. Only if `write` are results kept. Sets the
   group's results to the first step's sums, whose order n fixes; long rows are split over the threads. */
void fz__row_run(fz__row_group *group, int count, const fz__row_step steps[], bool write);

/* `count` rows further on in all operands. */
fz_row_operands fz__skip_rows(const fz_row_operands *operands, ptrdiff_t count);
/* x[0] of a row of the group, of floats. */
double fz__row_first(const fz__row_group *group, int row);

/* arrays: inputs, of one shape (strides of 0 repeat), and the output, whose axes are those of that shape, or if
   the results are numbers perhaps only those not reduced. The output may be an input; otherwise they share nothing. */
fz_status fz__rows_run(fz__rows *rows, int inputs, const fz_array *const arrays[], const bool reduced[]);
/* A row-wise operation's output. FZ_ERROR_SHAPE; FZ_ERROR_OVERLAP unless it is apart from the input, or the same view. */
fz_status fz__check_row_output(const char *operation, const fz_array *x, const fz_array *out, int ndim,
                               const ptrdiff_t shape[]);
/* float32 for itself and narrower floats, else float64. */
fz_dtype fz__row_dtype(fz_dtype dtype);

/* ---- memory.c: the pool allocator and per-call workspaces -------------------------------------------- */

/* Called by fz_init. */
void fz__memory_init(void);

/* Scratch of a call, aligned to 64 bytes, recycled between calls by a pool of the library's own that
   keeps at most 64 MB in reserve. NULL with a message when memory is short. */
void *fz__workspace_acquire(const char *operation, size_t nbytes);
void fz__workspace_release(void *workspace);
/* FZ_ERROR_MEMORY for more bytes than a process can have; what is less can be rounded up, and added up over all
   participants, without an overflow. */
fz_status fz__check_scratch(const char *operation, double nbytes);

/* ---- ahead.c: asking for memory before its turn ------------------------------------------------------------ */

/* Rows of bytes; one column of lines where there are no gaps between them. */
fz_ahead fz__ahead(const char *data, ptrdiff_t rows, ptrdiff_t bytes, ptrdiff_t stride);
/* Asks for so many lines more, or for what is left. */
void fz__ask(fz_ahead *ahead, ptrdiff_t lines);

/* ---- cpu.c: what this CPU has; choosing and publishing the kernel table -------------------------------- */

/* Never NULL after fz_init() has succeeded. */
const fz_kernels *fz__kernels(fz_dtype dtype);
/* For operands that are both of this dtype, where this CPU multiplies groups of their elements; else NULL. */
const fz_matmul_kernels *fz__grouped_matmul(fz_dtype dtype);

typedef struct fz__caches {
    size_t l1, l2, l3; /* data bytes; never 0 */
} fz__caches;
const fz__caches *fz__cpu_caches(void);
/* The caches that a process on so many CPUs counts on, of what the system tells. */
fz__caches fz__believable_caches(fz__caches told, int cpus);

#endif
