/* Element-wise operations: plan (converted and overlapping operands), then ranges of the loop nest on
   the scheduler, each a sequence of runs of the kernel. */
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum {
    TILE = 8192, /* bytes of a row that is repeated */
};

typedef struct job {
    fz__nest nest;
    fz_loop *loop;
    ptrdiff_t size[FZ_MAX_OPERANDS]; /* bytes of an element as the loop has it */
    ptrdiff_t widest;                /* the largest of them */
    fz_cast *cast[FZ_MAX_OPERANDS];  /* own dtype -> the loop's; for the output, back */
    bool converts[FZ_MAX_OPERANDS];  /* are the two not the same? */
    bool in_place[FZ_MAX_OPERANDS];  /* rows may be read and written where they are */
    bool in_blocks;                  /* some operand must be copied through a block buffer */
    ptrdiff_t together;              /* rows that the loop gets at once, at most; 0: there are no planes */
    ptrdiff_t joined;                /* rows that it may get as one */
    ptrdiff_t unit;                  /* elements that tasks are made of: a row, or 1 */
    bool streams; /* the operands exceed the caches, so that nothing stays in them anyway */
} job;

typedef struct buffers {
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_MAX_OPERANDS][FZ_BLOCK * sizeof(double)];
} buffers;

/* The dtype in which the loop of op that computes in `dtype` has operand k, the output being the last. */
static fz_dtype loop_dtype(fz_op op, fz_dtype dtype, int k) {
    if (k == fz_op_arity(op)) return fz__op_result(op, dtype);
    return fz_op_is_condition(op, k) ? FZ_BOOL : dtype;
}

/* Repeats a value over a vector, so that loops can load it like any other operand. */
static void repeat_value(fz_dtype from, const void *value, fz_dtype to, char *splat) {
    const size_t size = fz_dtype_size(to);
    fz__kernels(to)->elementwise->cast_from[from](FZ_MAX_VECTOR_BYTES / size, value, 0, splat,
                                                  (ptrdiff_t)size);
}

static void fill_splat(const job *j, int k, const char *scalar, char *splat) {
    j->cast[k]((size_t)(FZ_MAX_VECTOR_BYTES / j->size[k]), scalar, 0, splat, j->size[k]);
}

/* As many elements of a row as fill a block, or any number where all operands are read and written in place. */
static void run_block(const job *j, size_t n, char *const pointers[], const ptrdiff_t strides[],
                      buffers *scratch) {
    const int inputs = j->nest.operands - 1;
    fz_plane row = {.n = n, .rows = 1, .streams = j->streams};
    for (int k = 0; k < inputs; k++) {
        row.step[k] = strides[k] != 0;
        row.in[k] = j->in_place[k] ? pointers[k] : scratch->block[k];
        if (!j->in_place[k] && row.step[k])
            j->cast[k](n, pointers[k], strides[k], scratch->block[k], j->size[k]);
    }
    row.out = j->in_place[inputs] ? pointers[inputs] : scratch->block[inputs];
    j->loop(&row);
    if (!j->in_place[inputs]) j->cast[inputs](n, row.out, j->size[inputs], pointers[inputs], strides[inputs]);
}

static void run_row(void *context, ptrdiff_t n, char *const row[], const ptrdiff_t strides[]) {
    const job *j = context;
    const int operands = j->nest.operands;
    buffers scratch;
    char *pointers[FZ_MAX_OPERANDS];
    for (int k = 0; k < operands; k++) {
        pointers[k] = row[k];
        if (k < operands - 1 && strides[k] == 0) fill_splat(j, k, row[k], scratch.block[k]);
    }
    const ptrdiff_t block = j->in_blocks ? (ptrdiff_t)sizeof *scratch.block / j->widest : n;
    for (ptrdiff_t begin = 0; begin < n; begin += block) {
        run_block(j, (size_t)fz__min(block, n - begin), pointers, strides, &scratch);
        for (int k = 0; k < operands; k++) pointers[k] += block * strides[k];
    }
}

/* ---- planes: what two axes span, where every row is read and written where it is ------------------------------ */

typedef struct tiles {
    _Alignas(FZ_MAX_VECTOR_BYTES) char tile[FZ_MAX_OPERANDS - 1][TILE + FZ_MAX_VECTOR_BYTES];
} tiles;

/* A row that is the same for all others, so many times after one another. */
static void repeat_row(size_t bytes, const char *row, ptrdiff_t times, char *tile) {
    for (ptrdiff_t r = 0; r < times; r++, tile += bytes) memcpy(tile, row, bytes);
}

/* How far into a line of the cache the elements lie that input k's meet: where both lie alike, vectors of both are
   aligned at once. */
static ptrdiff_t find_offset(const job *j, int k, char *const pointers[]) {
    const int inner = j->nest.ndim - 1;
    for (int i = j->nest.operands - 1; i >= 0; i--)
        if (j->size[i] == j->size[k] && j->nest.strides[i][inner - 1])
            return (ptrdiff_t)((uintptr_t)pointers[i] % FZ_MAX_VECTOR_BYTES);
    return 0;
}

/* Says in `plane` where some rows of input k are: in place, or made in the tile; what stays has been made before the
   first of them. */
static void place_input(const job *j, int k, ptrdiff_t rows, char *const pointers[], bool is_first,
                        char *tile, fz_plane *plane) {
    const char *x = pointers[k];
    const int inner = j->nest.ndim - 1;
    const ptrdiff_t n = j->nest.shape[inner], down = j->nest.strides[k][inner - 1];
    const bool moves = j->nest.strides[k][inner] != 0;
    if (down == 0 && !is_first) return;
    plane->step[k] = moves;
    plane->down[k] = down;
    plane->in[k] = tile;
    if (!moves && down && j->converts[k]) {
        j->cast[k]((size_t)rows, x, down, tile, j->size[k]);
        plane->down[k] = j->size[k];
    } else if (!moves && !down) {
        fill_splat(j, k, x, tile);
    } else if (!down && plane->n != (size_t)n) {
        tile += find_offset(j, k, pointers);
        plane->in[k] = tile;
        repeat_row((size_t)(n * j->size[k]), x, rows, tile);
    } else {
        plane->in[k] = x;
    }
}

/* How many of so many rows are joined at once: all that fill no tile, of more an eighth, since what is repeated must be
   read often enough to be worth it. */
static ptrdiff_t count_joined(const job *j, ptrdiff_t rows) {
    return rows <= j->joined ? rows : fz__min(j->joined, rows / 8);
}

/* pointers: to the first of `rows` rows; they are moved past the last. */
static void run_plane(const job *j, ptrdiff_t rows, char *pointers[]) {
    const int operands = j->nest.operands, inputs = operands - 1, inner = j->nest.ndim - 1;
    const ptrdiff_t n = j->nest.shape[inner];
    tiles scratch;
    fz_plane plane = {.streams = j->streams, .out_down = j->nest.strides[inputs][inner - 1]};
    const ptrdiff_t joined = count_joined(j, rows), most = joined > 1 ? joined : j->together;
    for (ptrdiff_t done = 0, count; done < rows; done += count) {
        count = fz__min(most, rows - done);
        plane.n = (size_t)(joined > 1 ? count * n : n);
        plane.rows = joined > 1 ? 1 : (size_t)count;
        for (int k = 0; k < inputs; k++)
            place_input(j, k, count, pointers, done == 0, scratch.tile[k], &plane);
        plane.out = pointers[inputs];
        j->loop(&plane);
        for (int k = 0; k < operands; k++) pointers[k] += count * j->nest.strides[k][inner - 1];
    }
}

static void visit_plane(void *context, ptrdiff_t rows, char *pointers[]) {
    run_plane(context, rows, pointers);
}

static void run_range(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    job *j = context;
    begin *= j->unit;
    end *= j->unit;
    if (j->together)
        fz__nest_walk_planes(&j->nest, begin, end, run_row, visit_plane, j);
    else
        fz__nest_walk(&j->nest, begin, end, run_row, j);
}

/* Short rows are joined to long ones that fit a tile, where each operand has them without a gap or the same one again
   and again. */
static void plan_planes(job *j) {
    const int inner = j->nest.ndim - 1;
    j->together = 0;
    if (inner < 1 || j->in_blocks) return;
    const ptrdiff_t n = j->nest.shape[inner];
    j->together = TILE / j->widest;
    j->joined = j->together / n;
    for (int k = 0; k < j->nest.operands; k++) {
        const ptrdiff_t step = j->nest.strides[k][inner], down = j->nest.strides[k][inner - 1];
        if (down && !(step && down == n * step)) j->joined = 0;
    }
}

/* Tasks are whole rows, as long as those are short: parts of rows are run one by one, which takes longer than all the
   rows between them. */
static void run_nest(job *j) {
    const fz__split split = fz__split_elements(j->nest.size);
    const ptrdiff_t n = j->together ? j->nest.shape[j->nest.ndim - 1] : 1;
    j->unit = n <= split.grain ? n : 1;
    fz__parallel_for(split.participants, j->nest.size / j->unit, fz__ceil_div(split.grain, j->unit),
                     run_range, j);
}

/* Whether out is best written past the caches: then its lines need not be read before they are overwritten. Where out
   is an input they have been read; and blocks are too short for the fence that follows each. */
static bool exceeds_caches(const job *j) {
    const int output = j->nest.operands - 1;
    size_t bytes = 0;
    if (j->in_blocks || !j->in_place[output]) return false;
    for (int k = 0; k <= output; k++) {
        if (k < output && j->nest.data[k] == j->nest.data[output]) return false;
        if (j->in_place[k]) bytes += (size_t)(j->nest.size * j->size[k]);
    }
    return bytes > fz__cpu_caches()->l3;
}

static void plan_cast(job *j, int k, bool is_output, fz_dtype own, fz_dtype wanted) {
    j->size[k] = fz__element_size(wanted);
    j->cast[k] = is_output ? fz__kernels(own)->elementwise->cast_from[wanted]
                           : fz__kernels(wanted)->elementwise->cast_from[own];
    j->converts[k] = own != wanted;
}

/* How each operand reaches the loop: in place where its rows are gapless and of the compute dtype, as
   a splat where it does not move along them, else through a block buffer. */
static void plan_operands(job *j, fz_op op, fz_dtype dtype, const fz_array *const arrays[]) {
    const int operands = j->nest.operands, inner = j->nest.ndim - 1;
    j->in_blocks = false;
    j->widest = 1;
    for (int k = 0; k < operands; k++) {
        const bool is_output = k == operands - 1;
        const fz_dtype own = arrays[k]->dtype, wanted = loop_dtype(op, dtype, k);
        const ptrdiff_t stride = inner < 0 ? 0 : j->nest.strides[k][inner];
        plan_cast(j, k, is_output, own, wanted);
        j->widest = fz__max(j->widest, j->size[k]);
        j->in_place[k] = own == wanted && (stride == j->size[k] || (is_output && inner < 0));
        j->in_blocks |= !j->in_place[k] && (is_output || stride != 0);
    }
    j->streams = exceeds_caches(j);
    plan_planes(j);
}

static fz_status check_operands(const char *name, int inputs, const fz_array *const arrays[]) {
    static const char *const arguments[] = {"x", "y", "z"};
    for (int k = 0; k < inputs; k++) {
        fz_status status = fz__check_array(name, arguments[k], arrays[k]);
        if (status) return status;
    }
    fz_status status = fz__check_array(name, "out", arrays[inputs]);
    if (status) return status;
    if (fz_overlaps_itself(arrays[inputs]))
        return fz__fail(FZ_ERROR_OVERLAP,
                        "%s: elements of out may share memory; an array without overlap would do", name);
    return FZ_OK;
}

/* ---- the plain case --------------------------------------------------------------------------------------- */

/* Few elements, gapless and of the loop's dtypes; each input a scalar, out itself or apart from it: work that
   costs less than its plan would. False where it is otherwise; then nothing is done. */
static bool run_plain(fz_op op, fz_dtype dtype, int arity, const fz_array *const inputs[],
                      const fz_array *out) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_OPERANDS][FZ_MAX_VECTOR_BYTES];
    const ptrdiff_t n = fz__count_gapless(out, loop_dtype(op, dtype, arity), FZ_BLOCK);
    if (n == 0) return false;
    fz_plane row = {.n = (size_t)n, .rows = 1, .out = out->data};
    for (int k = 0; k < arity; k++) {
        const fz_array *x = inputs[k];
        const fz_dtype wanted = loop_dtype(op, dtype, k);
        if (!x) return false;
        row.step[k] = x->ndim > 0;
        row.in[k] = row.step[k] ? x->data : splat[k];
        if (row.step[k] ? fz__count_gapless(x, wanted, FZ_BLOCK) != n || !fz__same_or_apart(x, out, n)
                        : x->ndim < 0 || !x->data || (unsigned)x->dtype >= FZ_DTYPE_COUNT)
            return false;
        if (!row.step[k]) repeat_value(x->dtype, x->data, wanted, splat[k]);
    }
    fz__kernels(dtype)->elementwise->loops[op](&row);
    return true;
}

/* ---- what values may forbid ------------------------------------------------------------------------------- */

/* *found, the cast of y's elements to int64, becomes NULL where one is below 0. */
static void find_negative(void *found, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    fz_cast *cast = *(fz_cast **)found;
    if (!cast) return;
    int64_t block[FZ_BLOCK], signs = 0;
    for (ptrdiff_t i = 0; i < n; i += FZ_BLOCK) {
        const ptrdiff_t count = fz__min(FZ_BLOCK, n - i);
        cast((size_t)count, pointers[0] + i * strides[0], strides[0], block, sizeof *block);
        for (ptrdiff_t k = 0; k < count; k++) signs |= block[k];
    }
    if (signs < 0) *(fz_cast **)found = NULL;
}

fz_status fz__check_exponents(const char *argument, const fz_array *y) {
    enum { PART = 16384 }; /* elements, after which to see whether one was found */
    fz__nest nest;
    fz_status status = fz__check_array("power", argument, y);
    if (status || y->dtype == FZ_UINT64 || y->dtype == FZ_BOOL) return status;
    fz_cast *cast = fz__kernels(FZ_INT64)->elementwise->cast_from[y->dtype];
    status = fz__nest_init(&nest, "power", 1, &y);
    for (ptrdiff_t begin = 0; !status && cast && begin < nest.size; begin += PART)
        fz__nest_walk(&nest, begin, fz__min(begin + PART, nest.size), find_negative, &cast);
    if (status || cast) return status;
    return fz__fail(FZ_ERROR_VALUE, "power: %s has integers below 0; only floats can have them as exponents",
                    argument);
}

/* Where x has no elements, no exponent is met. */
static fz_status check_power(const fz_array *const inputs[]) {
    const fz_status status = fz__check_array("power", "x", inputs[0]);
    return status || fz__array_size(inputs[0]) == 0 ? status : fz__check_exponents("y", inputs[1]);
}

static fz_status fail_loop(fz_op op, fz_dtype dtype) {
    return fz__fail(FZ_ERROR_DTYPE, "%s: there is no loop for %s", fz_op_name(op), fz_dtype_name(dtype));
}

static bool is_mixed_comparison(fz_op op, const fz_array *const inputs[]) {
    if (fz_op_arity(op) != 2 || !inputs[0] || !inputs[1]) return false;
    return fz__is_mixed_comparison(op, (const fz_dtype[]){inputs[0]->dtype, inputs[1]->dtype});
}

/* The dtype of the loop: the arrays' own where they are all float16, and it has one. */
static fz_dtype narrowest(fz_op op, fz_dtype dtype, const fz_array *const inputs[], const fz_array *out) {
    bool is_half = dtype == FZ_FLOAT32 && out && out->dtype == FZ_FLOAT16;
    for (int k = 0; k < fz_op_arity(op); k++)
        is_half = is_half && inputs[k] && inputs[k]->dtype == FZ_FLOAT16;
    return is_half && fz__kernels(FZ_FLOAT16)->elementwise->loops[op] ? FZ_FLOAT16 : dtype;
}

static fz_status compute(fz_op op, fz_dtype wanted, const fz_array *const inputs[], fz_array *out) {
    const char *name = fz_op_name(op);
    const int arity = fz_op_arity(op);
    const fz_dtype dtype = narrowest(op, wanted, inputs, out);
    const fz_kernels *kernels = fz__kernels(dtype);
    if (!kernels->elementwise->loops[op]) return fail_loop(op, dtype);
    fz_status status = op == FZ_OP_power && !fz__is_full_float(dtype) ? check_power(inputs) : FZ_OK;
    if (status) return status;
    const bool is_mixed = dtype == FZ_FLOAT64 && is_mixed_comparison(op, inputs);
    if (!is_mixed && run_plain(op, dtype, arity, inputs, out)) return FZ_OK;
    const fz_array *arrays[FZ_MAX_OPERANDS];
    for (int k = 0; k < arity; k++) arrays[k] = inputs[k];
    arrays[arity] = out;
    job j;
    fz__shadow shadows[FZ_MAX_OPERANDS];
    int shadowed;
    j.loop = kernels->elementwise->loops[op];
    status = check_operands(name, arity, arrays);
    if (!status) status = fz__nest_init(&j.nest, name, arity + 1, arrays);
    if (status || j.nest.size == 0) return status;
    if (is_mixed) return fz__compare_mixed(op, inputs, out);
    status = fz__shadow_inputs(name, arity, 1, arrays, shadows, &shadowed);
    if (!status) {
        if (shadowed) fz__nest_init(&j.nest, name, arity + 1, arrays);
        plan_operands(&j, op, dtype, arrays);
        run_nest(&j);
    }
    fz__release_shadows(shadowed, shadows);
    return status;
}

fz_status fz_elementwise(fz_op op, fz_dtype dtype, const fz_array *const inputs[], fz_array *out) {
    fz_status status = fz_init();
    if (status) return status;
    if ((unsigned)op >= FZ_OP_COUNT) return fz__fail(FZ_ERROR_VALUE, "operation %d is unknown", (int)op);
    if ((unsigned)dtype >= FZ_DTYPE_COUNT)
        return fz__fail(FZ_ERROR_DTYPE, "%s: dtype %d is unknown", fz_op_name(op), (int)dtype);
    const fz__float_environment environment = fz__save_float_environment();
    status = compute(op, dtype, inputs, out);
    fz__restore_float_environment(environment);
    return status;
}

/* ---- without gaps ------------------------------------------------------------------------------------------- */

typedef struct gapless {
    fz_op op;
    fz_dtype dtype;
    int arity;
    ptrdiff_t rows, n;
    const void *const *inputs;
    const fz_spread *spreads;
    void *out;
} gapless;

static bool moves_along(fz_spread spread) { return spread == FZ_SPREAD_NONE || spread == FZ_SPREAD_ROW; }
static bool moves_down(fz_spread spread) { return spread == FZ_SPREAD_NONE || spread == FZ_SPREAD_COLUMN; }

static fz_status check_gapless_exponents(const gapless *g) {
    const fz_spread spread = g->spreads[1];
    const fz_dtype given = spread == FZ_SPREAD_NUMBER ? FZ_FLOAT64 : g->dtype;
    const ptrdiff_t shape[] = {moves_down(spread) ? g->rows : 1, moves_along(spread) ? g->n : 1};
    ptrdiff_t strides[2];
    fz_contiguous_strides(given, 2, shape, strides);
    return fz__check_exponents("y", &(fz_array){(void *)g->inputs[1], given, 2, shape, strides});
}

/* What plan_operands would make of it. A number becomes one of the arrays' dtype first. */
static void plan_gapless(job *j, const gapless *g, fz_dtype computed, double numbers[]) {
    fz__nest *nest = &j->nest;
    nest->ndim = 2;
    nest->operands = g->arity + 1;
    nest->size = g->rows * g->n;
    nest->shape[0] = g->rows;
    nest->shape[1] = g->n;
    j->in_blocks = computed != g->dtype;
    j->streams = false;
    j->widest = fz__element_size(computed);
    for (int k = 0; k <= g->arity; k++) {
        const fz_dtype own = loop_dtype(g->op, g->dtype, k), wanted = loop_dtype(g->op, computed, k);
        const fz_spread spread = k < g->arity ? g->spreads[k] : FZ_SPREAD_NONE;
        const ptrdiff_t size = fz__element_size(own);
        plan_cast(j, k, k == g->arity, own, wanted);
        nest->strides[k][0] = moves_down(spread) ? moves_along(spread) ? g->n * size : size : 0;
        nest->strides[k][1] = moves_along(spread) ? size : 0;
        nest->data[k] = k < g->arity ? (char *)g->inputs[k] : g->out;
        j->in_place[k] = own == wanted && moves_along(spread);
        if (spread != FZ_SPREAD_NUMBER) continue;
        fz__kernels(own)->elementwise->cast_from[FZ_FLOAT64](1, g->inputs[k], 0, &numbers[k], size);
        nest->data[k] = (char *)&numbers[k];
    }
    plan_planes(j);
}

static void run_planned(const gapless *g, fz_loop *loop, fz_dtype computed) {
    double numbers[FZ_MAX_OPERANDS];
    ptrdiff_t steps[FZ_MAX_OPERANDS];
    job j;
    j.loop = loop;
    plan_gapless(&j, g, computed, numbers);
    if (j.together) {
        run_plane(&j, g->rows, j.nest.data);
    } else if (g->rows == 1) {
        for (int k = 0; k < j.nest.operands; k++) steps[k] = j.nest.strides[k][1];
        run_row(&j, g->n, j.nest.data, steps);
    } else {
        fz__nest_walk(&j.nest, 0, j.nest.size, run_row, &j);
    }
}

/* Whole arrays and numbers, in the dtype that the loop has. The plane is filled as far as it is read. */
static void run_line(const gapless *g, fz_loop *loop) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_OPERANDS][FZ_MAX_VECTOR_BYTES];
    fz_plane line;
    line.n = (size_t)(g->rows * g->n);
    line.rows = 1;
    line.out = g->out;
    line.streams = false;
    for (int k = 0; k < g->arity; k++) {
        line.step[k] = g->spreads[k] == FZ_SPREAD_NONE;
        line.in[k] = line.step[k] ? g->inputs[k] : splat[k];
        line.down[k] = 0;
        if (!line.step[k]) repeat_value(FZ_FLOAT64, g->inputs[k], loop_dtype(g->op, g->dtype, k), splat[k]);
    }
    loop(&line);
}

fz_status fz_elementwise_gapless(fz_op op, fz_dtype dtype, size_t rows, size_t n, const void *const inputs[],
                                 const fz_spread spreads[], void *out) {
    fz_status status = fz_init();
    if (status) return status;
    const gapless g = {op, dtype, fz_op_arity(op), (ptrdiff_t)rows, (ptrdiff_t)n, inputs, spreads, out};
    fz_dtype computed = dtype;
    fz_loop *loop = fz__kernels(dtype)->elementwise->loops[op];
    if (!loop) {
        computed = fz__op_compute(dtype);
        loop = fz__kernels(computed)->elementwise->loops[op];
        if (!loop || fz_op_result(op, dtype) == FZ_DTYPE_COUNT) return fail_loop(op, dtype);
    }
    if (!rows || !n) return FZ_OK;
    if (op == FZ_OP_power && !fz__is_float(dtype) && (status = check_gapless_exponents(&g))) return status;
    bool is_line = computed == dtype;
    for (int k = 0; k < g.arity; k++) is_line &= spreads[k] < FZ_SPREAD_ROW;
    const fz__float_environment environment = fz__save_float_environment();
    if (is_line)
        run_line(&g, loop);
    else
        run_planned(&g, loop, computed);
    fz__restore_float_environment(environment);
    return FZ_OK;
}

static fz_status compute_in_own_dtype(fz_op op, const fz_array *const inputs[], fz_array *out) {
    fz_dtype dtypes[FZ_MAX_OPERANDS], dtype, result;
    for (int k = 0; k < fz_op_arity(op); k++) {
        if (!inputs[k]) return fz__fail(FZ_ERROR_VALUE, "%s: input %d is NULL", fz_op_name(op), k);
        dtypes[k] = inputs[k]->dtype;
    }
    const fz_status status = fz_op_dtype(op, dtypes, &dtype, &result);
    return status ? status : fz_elementwise(op, dtype, inputs, out);
}

#define FZ_UNARY(name, ...)                                     \
    fz_status fz_##name(const fz_array *x, fz_array *out) {     \
        const fz_array *inputs[] = {x};                         \
        return compute_in_own_dtype(FZ_OP_##name, inputs, out); \
    }
#define FZ_BINARY(name, ...)                                                   \
    fz_status fz_##name(const fz_array *x, const fz_array *y, fz_array *out) { \
        const fz_array *inputs[] = {x, y};                                     \
        return compute_in_own_dtype(FZ_OP_##name, inputs, out);                \
    }
#define FZ_TERNARY(name, ...)                                                                     \
    fz_status fz_##name(const fz_array *x, const fz_array *y, const fz_array *z, fz_array *out) { \
        const fz_array *inputs[] = {x, y, z};                                                     \
        return compute_in_own_dtype(FZ_OP_##name, inputs, out);                                   \
    }
#include "ops.def"
