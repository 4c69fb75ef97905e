/* Elements on their way to the kernels of a reduction: where they lie, or converted and sorted out block by block. */
#include <string.h>

#include "internal.h"

/* ---- which of them count ---------------------------------------------------------------------------------- */

static void fill_neutral(const fz__reduction *r, ptrdiff_t n, const unsigned char *neutral, char *block) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char splat[FZ_MAX_VECTOR_BYTES];
    const char *value = (const char *)r->kernels->reduce->neutral + r->join * r->element;
    r->kernels->elementwise->cast_from[r->dtype](sizeof splat / (size_t)r->element, value, 0, splat,
                                                 r->element);
    r->kernels->elementwise->loops[FZ_OP_where](&(fz_plane){
        .n = (size_t)n, .rows = 1, .in = {neutral, splat, block}, .step = {1, 0, 1}, .out = block});
}

static inline __attribute__((always_inline)) ptrdiff_t leave_out_sized(ptrdiff_t n, const unsigned char *out,
                                                                       char *block, ptrdiff_t size) {
    ptrdiff_t kept = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        memmove(block + kept * size, block + i * size, (size_t)size);
        kept += !out[i];
    }
    return kept;
}

/* What is averaged has 4 or 8 bytes. */
static ptrdiff_t leave_out(const fz__reduction *r, ptrdiff_t n, const unsigned char *out, char *block) {
    return r->element == 4 ? leave_out_sized(n, out, block, 4) : leave_out_sized(n, out, block, 8);
}

/* Which are NaN, where blocks of integers cannot tell. */
static void find_nan(const fz__reduction *r, ptrdiff_t n, const char *x, ptrdiff_t stride,
                     unsigned char *found) {
    double wide[FZ_BLOCK];
    r->widen((size_t)n, x, stride, wide, sizeof *wide);
    fz__kernels(FZ_FLOAT64)
        ->elementwise->loops[FZ_OP_isnan](
            &(fz_plane){.n = (size_t)n, .rows = 1, .in = {wide}, .step = {1}, .out = found});
}

/* Elements that do not count become neutral, or are left out. */
static ptrdiff_t sort_out(const fz__reduction *r, ptrdiff_t n, fz__elements at, fz__step step, char *block) {
    unsigned char out[FZ_BLOCK] = {0}, counts[FZ_BLOCK];
    if (r->widen) find_nan(r, n, at.x, step.x, out);
    if (r->where) {
        r->where((size_t)n, at.where, step.where, counts, 1);
        for (ptrdiff_t i = 0; i < n; i++) out[i] |= !counts[i];
    }
    if (!memchr(out, true, (size_t)n)) return n;
    if (r->compacts) return leave_out(r, n, out, block);
    fill_neutral(r, n, out, block);
    return n;
}

/* ---- computed elements ------------------------------------------------------------------------------------ */

enum {
    NEAR_BYTES =
        8192, /* of rows that are computed at once: the L1 cache holds them beside what they come from */
    STACK_BYTES = 131072, /* of a stack of them, at most FZ_COMPUTED_BYTES: the L2 cache does */
};

static void compute(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x, ptrdiff_t row_stride,
                    char *block) {
    const fz__computed *c = r->computed;
    c->compute(c->context, rows, n, (x - c->origin) / c->size, row_stride / c->size, block);
}

/* As many rows at a time as `bytes` hold: at least one. */
static void reduce_computed_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                                 ptrdiff_t row_stride, ptrdiff_t bytes, char *block, char *partials) {
    const ptrdiff_t held = fz__max(1, bytes / (n * r->element));
    for (ptrdiff_t i = 0; i < count; i += held, x += held * row_stride, partials += held * r->partial) {
        const ptrdiff_t taken = fz__min(held, count - i);
        compute(r, taken, n, x, row_stride, block);
        r->reducer->rows(r, taken, n, block, n * r->element, partials);
    }
}

static void reduce_long_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                             ptrdiff_t row_stride, char *partials) {
    char *block = r->computed->take_block(r->computed->context);
    reduce_computed_rows(r, count, n, x, row_stride, 0, block, partials);
    r->computed->give_block(r->computed->context, block);
}

static __attribute__((noinline)) void reduce_near_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n,
                                                       const char *x, ptrdiff_t row_stride, char *partials) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[NEAR_BYTES];
    reduce_computed_rows(r, count, n, x, row_stride, sizeof block, block, partials);
}

/* Whole rows, which memory gives fastest, in the order of the kernel: FZ_CHAIN of them, then with those before. Partial
   results are elements. */
static void join_computed_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                                ptrdiff_t row_stride, char *partials) {
    const ptrdiff_t row = n * r->element;
    char *joined = r->computed->take_block(r->computed->context), *next = joined + row, *block = next + row;
    for (ptrdiff_t i = 0; i < rows; i += FZ_CHAIN) {
        const ptrdiff_t taken = fz__min(FZ_CHAIN, rows - i);
        compute(r, taken, n, x + i * row_stride, row_stride, block);
        r->reducer->columns(r, taken, n, block, row, i ? next : joined);
        if (i) r->reducer->join_columns(r, 2, n, joined, joined);
    }
    memcpy(partials, joined, (size_t)row);
    r->computed->give_block(r->computed->context, joined);
}

/* Columns join by themselves: a strip of all rows at a time. */
static void reduce_computed_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                                  ptrdiff_t row_stride, char *partials) {
    const ptrdiff_t held = STACK_BYTES / (rows * r->element);
    char *block = r->computed->take_block(r->computed->context);
    for (ptrdiff_t j = 0; j < n; j += held) {
        const ptrdiff_t taken = fz__min(held, n - j);
        compute(r, rows, taken, x + j * r->element, row_stride, block);
        r->reducer->columns(r, rows, taken, block, taken * r->element, partials + j * r->partial);
    }
    r->computed->give_block(r->computed->context, block);
}

void fz__reduce_stack(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                      ptrdiff_t row_stride, char *partials) {
    (!r->computed               ? r->reducer->columns
     : r->partial == r->element ? join_computed_stack
                                : reduce_computed_stack)(r, rows, n, x, row_stride, partials);
}

/* Computed elements that no block need hold. Short rows are computed many at a time. */
static bool join_computed(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                          ptrdiff_t row_stride, char *partials) {
    enum { SHORT_BYTES = 1024 };
    const fz__computed *c = r->computed;
    if (!c || r->reducer != &fz__joins || r->skips_nan || n * r->element < SHORT_BYTES) return false;
    return c->join(c->context, r->join, count, n, (x - c->origin) / c->size, row_stride / c->size, partials);
}

static void reduce_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                        ptrdiff_t row_stride, char *partials) {
    if (join_computed(r, count, n, x, row_stride, partials)) return;
    (!r->computed                   ? r->reducer->rows
     : n * r->element <= NEAR_BYTES ? reduce_near_rows
                                    : reduce_long_rows)(r, count, n, x, row_stride, partials);
}

/* ---- blocks ----------------------------------------------------------------------------------------------- */

static ptrdiff_t convert(const fz__reduction *r, ptrdiff_t n, fz__elements at, fz__step step, char *block) {
    r->copy((size_t)n, at.x, step.x, block, r->element);
    return r->where || r->widen ? sort_out(r, n, at, step, block) : n;
}

static __attribute__((noinline)) ptrdiff_t convert_computed(const fz__reduction *r, ptrdiff_t n,
                                                            fz__elements at, fz__step step, char *block) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char computed[FZ_BLOCK * sizeof(double)];
    compute(r, n, 1, at.x, step.x, computed);
    return convert(r, n, (fz__elements){computed, at.where}, (fz__step){r->computed->size, step.where},
                   block);
}

ptrdiff_t fz__fetch(const fz__reduction *r, ptrdiff_t n, fz__elements at, fz__step step, char *block) {
    return (r->computed ? convert_computed : convert)(r, n, at, step, block);
}

/* ---- runs ------------------------------------------------------------------------------------------------- */

/* One run, block by block. */
static void reduce_spread_run(const fz__reduction *r, ptrdiff_t n, fz__elements at, char *block,
                              char *partial) {
    enum { PARTIALS = 64 };
    _Alignas(FZ_MAX_VECTOR_BYTES) char partials[PARTIALS * FZ_MAX_PARTIAL];
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < n; i += FZ_BLOCK, at = fz__advance(at, r->run_step, FZ_BLOCK)) {
        const ptrdiff_t length = fz__fetch(r, fz__min(FZ_BLOCK, n - i), at, r->run_step, block);
        if (length == 0) continue;
        if (count == PARTIALS) {
            r->reducer->join(r, PARTIALS, partials, partials);
            count = 1;
        }
        char *next = partials + count++ * r->partial;
        r->reducer->rows(r, 1, length, block, 0, next);
        if (fz__is_decided(r, next)) break;
    }
    if (count)
        r->reducer->join(r, count, partials, partial);
    else
        r->reducer->nothing(r, partial);
}

/* As many runs at a time as a block holds. */
static void reduce_short_runs(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, fz__elements at,
                              fz__step row, char *block, char *partials) {
    const ptrdiff_t held = FZ_BLOCK / n;
    const bool gapless = row.x == n * r->run_step.x && row.where == n * r->run_step.where;
    for (ptrdiff_t i = 0; i < count; i += held, partials += held * r->partial) {
        const ptrdiff_t taken = fz__min(held, count - i);
        if (n == 1)
            fz__fetch(r, taken, at, row, block);
        else if (gapless)
            fz__fetch(r, taken * n, at, r->run_step, block);
        for (ptrdiff_t k = 0; n > 1 && !gapless && k < taken; k++)
            fz__fetch(r, n, fz__advance(at, row, k), r->run_step, block + k * n * r->element);
        at = fz__advance(at, row, taken);
        r->reducer->rows(r, taken, n, block, n * r->element, partials);
    }
}

/* A run of truths as far as it must be read, each time eight times as far; what does not decide says nothing. */
static void reduce_until_decided(const fz__reduction *r, ptrdiff_t n, const char *x, char *partial) {
    for (ptrdiff_t i = 0, length = FZ_BLOCK; i < n;
         i += length, length = fz__min(8 * length, 64 * FZ_BLOCK)) {
        reduce_rows(r, 1, fz__min(length, n - i), x + i, 0, partial);
        if (fz__is_decided(r, partial)) return;
    }
}

void fz__reduce_runs(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, fz__elements at, fz__step row,
                     char *partials) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char block[FZ_BLOCK * sizeof(double)];
    if (r->in_place && (n == 1 || r->run_step.x == r->element)) {
        if (r->decisive < 0 || n <= 2 * FZ_BLOCK) {
            reduce_rows(r, count, n, at.x, row.x, partials);
            return;
        }
        for (ptrdiff_t i = 0; i < count; i++)
            reduce_until_decided(r, n, at.x + i * row.x, partials + i * r->partial);
    } else if (n <= FZ_BLOCK && !r->compacts) {
        reduce_short_runs(r, count, n, at, row, block, partials);
    } else {
        for (ptrdiff_t i = 0; i < count; i++, at = fz__advance(at, row, 1), partials += r->partial)
            reduce_spread_run(r, n, at, block, partials);
    }
}
