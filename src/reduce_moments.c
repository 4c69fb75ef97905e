/* Reductions to a number of elements, their mean and their squared distances from it: variances, and means of
   elements some of which do not count.

   Blocks are summed where they fit the cache, and joined by the pairwise update of Chan, Golub and LeVeque (1979), in
   double: so memory is read once, and the error is that of the textbook's two passes. */
#include <math.h>
#include <string.h>

#include "internal.h"

/* The mean is near + offset: an element, or one's neighbour, and what a double could not hold beside it. */
typedef struct moments {
    double count, near, offset, squares; /* of distances from the mean */
} __attribute__((may_alias)) moments;
_Static_assert(sizeof(moments) <= FZ_MAX_PARTIAL, "partial results have room for it");

enum {
    BLOCK_BYTES = 8192, /* of a row: read twice, from the L1 cache the second time */
    COLUMN_ROWS = 128,  /* that a kernel call takes at most: four times the first rows, whose mean it takes */
    AT_ONCE = 256,      /* rows, or columns */
};

/* Of both there are some: count in all, of which b has a share. */
static inline moments join_some(moments a, moments b, double count, double share) {
    const double distance = (b.near - a.near) + (b.offset - a.offset);
    const double squares = a.squares + b.squares + distance * distance * a.count * share;
    if (!isfinite(distance))
        return (moments){count, (a.near + a.offset) * (a.count / count) + (b.near + b.offset) * share, 0,
                         squares};
    return (moments){count, a.near, a.offset + distance * share, squares};
}

static moments join_two(moments a, moments b) {
    if (a.count == 0 || b.count == 0) return a.count == 0 ? b : a;
    return join_some(a, b, a.count + b.count, b.count / (a.count + b.count));
}

static moments join_tree(ptrdiff_t n, const moments *m) {
    if (n == 1) return *m;
    return join_two(join_tree(n / 2, m), join_tree(n - n / 2, m + n / 2));
}

/* ---- what the kernels give -------------------------------------------------------------------------------- */

/* Of AT_ONCE rows or columns; of T, then doubles. */
typedef struct sums {
    _Alignas(FZ_MAX_VECTOR_BYTES) double near[AT_ONCE], sum[AT_ONCE], squares[AT_ONCE], counts[AT_ONCE];
} sums;

static fz_moment_sums sums_to(const fz__reduction *r, sums *s) {
    return (fz_moment_sums){s->near, s->sum, s->squares, r->skips_nan ? s->counts : NULL};
}

/* n floats become doubles, the last one first. */
static void to_doubles(const fz__reduction *r, ptrdiff_t n, double values[]) {
    if (r->dtype == FZ_FLOAT64) return;
    while (n--) {
        float value;
        memcpy(&value, (char *)values + n * (ptrdiff_t)sizeof value, sizeof value);
        values[n] = value;
    }
}

/* Distances from an infinite mean are NaN, and may overflow from another: what rounding took from it is lost. */
static moments block_moments(double count, double near, double sum, double squares) {
    const double offset = sum / count, rest = squares - sum * offset;
    return (moments){count, near, isfinite(offset) ? offset : 0, rest < 0 ? 0 : rest};
}

/* Joins n blocks of `count` elements each with what stands there, which is of as many elements each: of none before
   the first ones. */
static void add_whole_blocks(ptrdiff_t n, double count, const sums *s, bool first, moments *to) {
    const double before = first ? 0 : to->count, share = count / (before + count);
    for (ptrdiff_t i = 0; i < n; i++) {
        const moments block = block_moments(count, s->near[i], s->sum[i], s->squares[i]);
        to[i] = first ? block : join_some(to[i], block, before + count, share);
    }
}

/* The same of blocks that have numbers of elements of their own, or none. */
static void add_sparse_blocks(ptrdiff_t n, const sums *s, bool first, moments *to) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const moments block =
            s->counts[i] ? block_moments(s->counts[i], s->near[i], s->sum[i], s->squares[i]) : (moments){0};
        to[i] = first ? block : join_two(to[i], block);
    }
}

static void add_blocks(const fz__reduction *r, ptrdiff_t n, double count, sums *s, bool first, moments *to) {
    to_doubles(r, n, s->near);
    to_doubles(r, n, s->sum);
    to_doubles(r, n, s->squares);
    if (!r->skips_nan) {
        add_whole_blocks(n, count, s, first, to);
        return;
    }
    to_doubles(r, n, s->counts);
    add_sparse_blocks(n, s, first, to);
}

static void reduce_rows(const fz__reduction *r, ptrdiff_t count, ptrdiff_t n, const char *x,
                        ptrdiff_t row_stride, char *partials) {
    const ptrdiff_t block = BLOCK_BYTES / r->element;
    sums s;
    const fz_moment_sums to = sums_to(r, &s);
    for (ptrdiff_t i = 0; i < count; i += AT_ONCE, x += AT_ONCE * row_stride) {
        const ptrdiff_t rows = fz__min(AT_ONCE, count - i);
        for (ptrdiff_t j = 0; j < n; j += block) {
            const ptrdiff_t length = fz__min(block, n - j);
            r->kernels->moment->rows((size_t)rows, (size_t)length, x + j * r->element, row_stride, &to);
            add_blocks(r, rows, (double)length, &s, j == 0, (moments *)partials + i);
        }
    }
}

static void reduce_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *x,
                           ptrdiff_t row_stride, char *partials) {
    sums s;
    const fz_moment_sums to = sums_to(r, &s);
    for (ptrdiff_t i = 0; i < rows; i += COLUMN_ROWS, x += COLUMN_ROWS * row_stride) {
        const ptrdiff_t taken = fz__min(COLUMN_ROWS, rows - i);
        for (ptrdiff_t j = 0; j < n; j += AT_ONCE) {
            const ptrdiff_t width = fz__min(AT_ONCE, n - j);
            r->kernels->moment->columns((size_t)taken, (size_t)width, x + j * r->element, row_stride, &to);
            add_blocks(r, width, (double)taken, &s, i == 0, (moments *)partials + j);
        }
    }
}

/* ---- partial results -------------------------------------------------------------------------------------- */

static void join(const fz__reduction *r, ptrdiff_t n, const char *partials, char *partial) {
    (void)r;
    const moments joined = join_tree(n, (const moments *)partials);
    memcpy(partial, &joined, sizeof joined);
}

static void join_columns(const fz__reduction *r, ptrdiff_t rows, ptrdiff_t n, const char *partials,
                         char *result) {
    (void)r;
    const moments *m = (const moments *)partials;
    moments *to = (moments *)result;
    for (ptrdiff_t j = 0; j < n; j++) to[j] = m[j];
    for (ptrdiff_t i = 1; i < rows; i++) {
        for (ptrdiff_t j = 0; j < n; j++) to[j] = join_two(to[j], m[i * n + j]);
    }
}

static void nothing(const fz__reduction *r, char *partial) {
    (void)r;
    memset(partial, 0, sizeof(moments));
}

/* A correction that leaves nothing to divide by gives infinity, as NumPy's; of fewer elements than it takes away
   nan-variances are NaN. */
static double finish(const fz__reduction *r, const moments *m) {
    if (r->family == FZ_AVERAGE) return m->count ? m->near + m->offset : NAN;
    const double divisor = m->count - r->correction;
    if (r->skips_nan && divisor <= 0) return NAN;
    const double variance = m->squares / (divisor > 0 ? divisor : 0);
    return r->family == FZ_DEVIATION ? sqrt(variance) : variance;
}

static void store(const fz__reduction *r, ptrdiff_t n, char *partials, char *out, ptrdiff_t stride) {
    for (ptrdiff_t i = 0; i < n; i++) {
        char *own = partials + i * r->partial;
        const double result = finish(r, (moments *)own);
        memcpy(own, &result, sizeof result);
    }
    r->store((size_t)n, partials, r->partial, out, stride);
}

const fz__reducer fz__moments = {reduce_rows, reduce_columns, join, join_columns, nothing, store};
