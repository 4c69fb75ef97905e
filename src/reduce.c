/* Reductions: what is computed in which dtype, which axes go and which stay, and which of the two ways through memory
   fits. */
#include <string.h>

#include "float_environment.h"
#include "internal.h"

enum { FZ_EVERY, FZ_NOT_NAN };

static const struct {
    fz__family family;
    fz_join join;
    bool skips_nan;
} rows[FZ_REDUCTION_COUNT] = {
#define FZ_REDUCTION(name, family, join, elements, doc) {family, FZ_JOIN_##join, elements == FZ_NOT_NAN},
#include "ops.def"
};

int fz_reduction_is_fused(fz_reduction reduction) { return rows[reduction].family != FZ_PLACE; }

/* ---- dtypes ----------------------------------------------------------------------------------------------- */

fz_dtype fz_reduce_dtype(fz_reduction reduction, fz_dtype x) {
    switch (rows[reduction].family) {
    case FZ_TOTAL:
        return fz__is_float(x) ? x : x >= FZ_UINT8 && x <= FZ_UINT64 ? FZ_UINT64 : FZ_INT64;
    case FZ_AVERAGE:
    case FZ_VARIANCE:
    case FZ_DEVIATION:
        return fz__is_float(x) ? x : FZ_FLOAT64;
    case FZ_TRUTH:
        return FZ_BOOL;
    case FZ_COUNT:
    case FZ_PLACE:
        return FZ_INT64;
    case FZ_EXTREME:
        break;
    }
    return x;
}

static bool averages(fz_reduction reduction) {
    const fz__family family = rows[reduction].family;
    return family == FZ_AVERAGE || family == FZ_VARIANCE || family == FZ_DEVIATION;
}

/* Is it an average in integers? As in NumPy, deviations of several results and what skips NaN of floats have none. */
static bool is_whole(fz_reduction reduction, const fz_array *x, const fz_array *out) {
    if (!averages(reduction) || fz__is_float(out->dtype)) return false;
    if (rows[reduction].family == FZ_DEVIATION && out->ndim) return false;
    return !(rows[reduction].skips_nan && fz__is_float(x->dtype));
}

/* Totals have any dtype and averages any float; other results the one that NumPy's rules give. */
static fz_status check_result(fz_reduction reduction, fz_dtype x, fz_dtype result) {
    const fz_dtype wanted = fz_reduce_dtype(reduction, x);
    if (result == wanted || rows[reduction].family == FZ_TOTAL ||
        (averages(reduction) && fz__is_float(result)))
        return FZ_OK;
    return fz__fail(FZ_ERROR_DTYPE, "%s: the result of %s cannot be %s; %s would do",
                    fz_reduction_name(reduction), fz_dtype_name(x), fz_dtype_name(result),
                    fz_dtype_name(wanted));
}

/* Of how many elements sums of 32 bits cannot be beyond 64. */
#define FEWEST_BEYOND ((ptrdiff_t)1 << 31)

/* Sums and products of integers are computed in int64: to as many bits as the result has they are the same in all
   dtypes. What is added up in 64 bits needs no conversion; nor does the mean of what adds up without wrapping. A sum
   of bools is how many are true. */
static fz_dtype choose_dtype(const fz__reduction *r, fz_dtype own, ptrdiff_t size) {
    const bool is_narrow = own == FZ_BOOL || (!fz__is_float(own) && fz_dtype_size(own) <= 4);
    if (r->family == FZ_COUNT) return FZ_BOOL;
    if (r->family == FZ_AVERAGE && is_narrow && !r->where && size < FEWEST_BEYOND) return own;
    if (fz__is_narrow_float(r->result)) return FZ_FLOAT32;
    if (r->family != FZ_TOTAL || fz__is_float(r->result) || r->result == FZ_BOOL) return r->result;
    return is_narrow && r->join == FZ_JOIN_add ? own : FZ_INT64;
}

static bool adds_up(const fz__reduction *r) {
    return r->join == FZ_JOIN_add && !fz__is_float(r->dtype) && fz_dtype_size(r->dtype) <= 4;
}

/* A sum or product that is a bool is whether any or every element is true. */
static fz_join choose_join(const fz__reduction *r, fz_join own) {
    if (r->family == FZ_TOTAL && r->result == FZ_BOOL)
        return own == FZ_JOIN_add ? FZ_JOIN_maximum : FZ_JOIN_minimum;
    if (!fz__is_float(r->dtype) && own == FZ_JOIN_fmax) return FZ_JOIN_maximum;
    if (!fz__is_float(r->dtype) && own == FZ_JOIN_fmin) return FZ_JOIN_minimum;
    return own;
}

static void choose_casts(fz__reduction *r, fz_dtype own) {
    const bool unsigned_total = r->family == FZ_TOTAL && r->result == FZ_UINT64 && r->dtype == FZ_INT64;
    r->kernels = fz__kernels(r->dtype);
    r->element = fz__element_size(r->dtype);
    r->copy = fz__kernels(unsigned_total ? FZ_UINT64 : r->dtype)->elementwise->cast_from[own];
    r->in_place = own == r->dtype || (own == FZ_UINT64 && unsigned_total);
}

static void choose_totals(fz__reduction *r) {
    static const fz_dtype unsigned_ones[] = {[1] = FZ_UINT8, [2] = FZ_UINT16, [4] = FZ_UINT32};
    r->totals = fz__kernels(unsigned_ones[fz_dtype_size(r->dtype)])->total;
    r->total = r->dtype == FZ_BOOL    ? FZ_TOTAL_BOOL
               : r->dtype >= FZ_UINT8 ? FZ_TOTAL_UNSIGNED
                                      : FZ_TOTAL_SIGNED;
}

/* Sums of float16 need no conversion where kernels take it as it is. */
static void choose_halves(fz__reduction *r, fz_dtype own) {
    const fz_half_sums *sums = fz__kernels(FZ_FLOAT16)->half_sums;
    if (own != FZ_FLOAT16 || r->reducer != &fz__joins || r->join != FZ_JOIN_add || r->dtype != FZ_FLOAT32 ||
        r->skips_nan || r->where || !sums)
        return;
    r->half_sums = sums;
    r->reducer = &fz__half_joins;
    r->element = fz__element_size(own);
    r->copy = fz__kernels(own)->elementwise->cast_from[own];
    r->in_place = true;
}

static fz_join_kernel *find_row_join(const fz_reduce_kernels *kernels, bool skips_nan, fz_join join) {
    return (skips_nan ? kernels->join_number_rows : kernels->join_rows)[join];
}

/* NaN that was found before the elements were converted is no longer among them. */
static void choose_kernels(fz__reduction *r) {
    const fz_reduce_kernels *kernels = r->kernels->reduce;
    const bool skips_nan = r->skips_nan && !r->widen;
    r->join_rows = find_row_join(kernels, skips_nan, r->join);
    r->join_columns = (skips_nan ? kernels->join_number_columns : kernels->join_columns)[r->join];
}

/* How elements become partial results, and of which dtype these are. */
static void choose_reducer(fz__reduction *r) {
    const bool totals = adds_up(r), averages_totals = totals && r->family == FZ_AVERAGE;
    const bool moments = r->compacts || r->family == FZ_VARIANCE || r->family == FZ_DEVIATION ||
                         (r->family == FZ_AVERAGE && r->skips_nan);
    const fz_dtype given = moments ? FZ_FLOAT64 : totals ? FZ_INT64 : r->dtype;
    r->reducer = moments ? &fz__moments : totals ? &fz__totals : &fz__joins;
    if (totals)
        choose_totals(r);
    else if (!moments)
        choose_kernels(r);
    r->joiner = fz__kernels(given);
    r->partial = moments ? FZ_MAX_PARTIAL : fz__element_size(given);
    const fz_dtype stored = averages_totals ? FZ_FLOAT64 : given == FZ_BOOL ? FZ_UINT8 : given; /* any byte */
    r->store = fz__kernels(r->result)->elementwise->cast_from[stored];
}

static void choose(fz__reduction *r, fz_reduction reduction, const fz_array *x,
                   const fz_reduce_options *options) {
    r->join = rows[reduction].join;
    r->where = options && options->where ? fz__kernels(FZ_BOOL)->elementwise->cast_from[options->where->dtype]
                                         : NULL;
    r->dtype = choose_dtype(r, x->dtype, fz__array_size(x));
    r->join = choose_join(r, r->join);
    choose_casts(r, x->dtype);
    r->skips_nan = rows[reduction].skips_nan && fz__is_float(x->dtype);
    r->widen = r->skips_nan && !fz__is_float(r->dtype)
                   ? fz__kernels(FZ_FLOAT64)->elementwise->cast_from[x->dtype]
                   : NULL;
    r->initial = options ? options->initial : NULL;
    r->correction = options ? options->correction : 0;
    r->in_place = r->in_place && !r->where;
    r->compacts = r->where && averages(reduction);
    r->decisive = r->family != FZ_TRUTH ? -1 : r->join == FZ_JOIN_maximum;
    choose_reducer(r);
    choose_halves(r, x->dtype);
}

/* ---- axes ------------------------------------------------------------------------------------------------- */

fz_status fz_reduce_shape(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                          int keepdims, int *ndim, ptrdiff_t shape[FZ_MAX_NDIM]) {
    if ((unsigned)reduction >= FZ_REDUCTION_COUNT)
        return fz__fail(FZ_ERROR_VALUE, "reduction %d is unknown", (int)reduction);
    const char *name = fz_reduction_name(reduction);
    bool reduced[FZ_MAX_NDIM];
    fz_status status = fz__check_array(name, "x", x);
    if (!status) status = fz__mark_axes(name, x, naxes, axes, reduced);
    if (!status && rows[reduction].family == FZ_PLACE && axes && naxes != 1)
        status = fz__fail(FZ_ERROR_SHAPE, "%s: there are %d axes; one, or all without naming any, would do",
                          name, naxes);
    if (status) return status;
    fz__reduced_shape(x, reduced, keepdims, ndim, shape);
    return FZ_OK;
}

/* The two parts of x's axes, as shapes and strides of views. */
typedef struct split {
    int kept, reduced;
    ptrdiff_t kept_shape[FZ_MAX_NDIM], kept_strides[FZ_MAX_NDIM], kept_where[FZ_MAX_NDIM],
        out_strides[FZ_MAX_NDIM];
    ptrdiff_t reduced_shape[FZ_MAX_NDIM], reduced_strides[FZ_MAX_NDIM], reduced_where[FZ_MAX_NDIM];
} split;

/* Strides of `where` along axis d of x, to which it broadcasts. */
static ptrdiff_t where_stride(const fz_array *where, const fz_array *x, int d) {
    const int axis = d - (x->ndim - where->ndim);
    return axis < 0 || where->shape[axis] == 1 ? 0 : where->strides[axis];
}

/* out has the kept axes only, or all of them. */
static void split_axes(const fz_array *x, const fz_array *where, const bool *reduced, const fz_array *out,
                       split *s) {
    const bool keepdims = out->ndim == x->ndim;
    s->kept = s->reduced = 0;
    for (int d = 0; d < x->ndim; d++) {
        if (reduced[d]) {
            s->reduced_shape[s->reduced] = x->shape[d];
            s->reduced_where[s->reduced] = where_stride(where, x, d);
            s->reduced_strides[s->reduced++] = x->strides[d];
        } else {
            s->out_strides[s->kept] = out->strides[keepdims ? d : s->kept];
            s->kept_shape[s->kept] = x->shape[d];
            s->kept_where[s->kept] = where_stride(where, x, d);
            s->kept_strides[s->kept++] = x->strides[d];
        }
    }
}

/* ---- computing -------------------------------------------------------------------------------------------- */

static ptrdiff_t work_of(ptrdiff_t elements) { return elements / 2; /* nothing is written */ }

void fz__reduce_items(ptrdiff_t items, ptrdiff_t elements, fz__task *task, void *context) {
    const fz__split cut = fz__split_elements(work_of(items * elements));
    const ptrdiff_t grain = fz__max(1, 2 * cut.grain / elements);
    fz__parallel_for(cut.participants, items, grain, task, context);
}

/* Over no elements extremes are an error, unless they begin with something. */
static fz_status reduce_nothing(const fz__reduction *r, const fz_array *out) {
    if (r->family == FZ_EXTREME && !r->initial)
        return fz__fail(FZ_ERROR_VALUE, "%s: x has no elements along the reduced axes; at least one would do",
                        r->name);
    _Alignas(FZ_MAX_VECTOR_BYTES) char partial[FZ_MAX_VECTOR_BYTES], value[sizeof(double)];
    const ptrdiff_t strides[FZ_MAX_NDIM] = {0};
    r->reducer->nothing(r, partial);
    r->reducer->store(r, 1, partial, value, sizeof value); /* 0 / 0 is a mean of nothing */
    fz__copy(&(fz_array){value, out->dtype, out->ndim, out->shape, strides}, out);
    return FZ_OK;
}

static ptrdiff_t innermost_stride(const fz__nest *nest) {
    const ptrdiff_t stride = nest->ndim ? nest->strides[nest->operands - 1][nest->ndim - 1] : PTRDIFF_MAX;
    return stride < 0 ? -stride : stride;
}

/* Takes the innermost reduced axis out of the nest if it lies inside the kept ones. */
static void split_run(fz__reduction *r) {
    r->run = 1;
    r->run_step = (fz__step){r->element, 0};
    const int inner = r->reduced.ndim - 1;
    if (inner < 0 || (!r->compacts && innermost_stride(&r->reduced) > innermost_stride(&r->kept))) return;
    r->run = r->reduced.shape[inner];
    r->run_step = (fz__step){r->reduced.strides[1][inner], r->reduced.strides[0][inner]};
    r->reduced.size /= r->run;
    fz__nest_remove_axis(&r->reduced, inner);
}

static fz_status reduce_split(fz__reduction *r, const fz_array *x, const fz_array *where, const fz_array *out,
                              const split *s) {
    enum { LONG_RUN = 4096 }; /* a run that draws as much from memory alone as beside its neighbours */
    const fz_array kept = {x->data, x->dtype, s->kept, s->kept_shape, s->kept_strides};
    const fz_array kept_where = {where->data, where->dtype, s->kept, s->kept_shape, s->kept_where};
    const fz_array result = {out->data, out->dtype, s->kept, s->kept_shape, s->out_strides};
    const fz_array reduced = {x->data, x->dtype, s->reduced, s->reduced_shape, s->reduced_strides};
    const fz_array reduced_where = {where->data, where->dtype, s->reduced, s->reduced_shape,
                                    s->reduced_where};
    /* x stands last: the order of its axes counts, there is more of it than of the result. */
    fz_status status =
        fz__nest_init(&r->kept, r->name, 3, (const fz_array *const[]){&result, &kept_where, &kept});
    if (!status)
        status = fz__nest_init(&r->reduced, r->name, 2, (const fz_array *const[]){&reduced_where, &reduced});
    r->count = r->reduced.size;
    if (!status && r->count == 0) return reduce_nothing(r, out);
    if (status || r->kept.size == 0) return status;
    r->kept.data[FZ_NEST_WHERE] += r->reduced.data[0] - (char *)where->data; /* of flipped axes */
    r->kept.data[FZ_NEST_X] += r->reduced.data[1] - (char *)x->data;
    split_run(r);
    const bool by_rows = r->reduced.ndim == 0 || r->run >= LONG_RUN || r->compacts ||
                         innermost_stride(&r->reduced) <= innermost_stride(&r->kept);
    return by_rows ? fz__reduce_rows(r) : fz__reduce_columns(r);
}

/* Not inlined, as the short ways are not: each has a large frame of its own. */
static __attribute__((noinline)) fz_status run(fz__reduction *r, const fz_array *x, int naxes,
                                               const int axes[], const fz_reduce_options *options,
                                               const fz_array *out) {
    const fz_array *where = options && options->where ? options->where : x;
    bool reduced[FZ_MAX_NDIM];
    split s;
    fz__mark_axes(r->name, x, naxes, axes, reduced);
    split_axes(x, where, reduced, out, &s);
    return reduce_split(r, x, where, out, &s);
}

/* ---- checks ----------------------------------------------------------------------------------------------- */

static fz_status check_where(fz_reduction reduction, const fz_array *x, const fz_reduce_options *options,
                             const fz_array *out) {
    const char *name = fz_reduction_name(reduction);
    const fz__family family = rows[reduction].family;
    const fz_array *where = options->where;
    fz_status status = fz__check_array(name, "where", where);
    if (status) return status;
    if (family == FZ_COUNT || family == FZ_PLACE)
        return fz__fail(FZ_ERROR_VALUE, "%s: where is given, which it does not know", name);
    if (family == FZ_EXTREME && !options->initial)
        return fz__fail(FZ_ERROR_VALUE,
                        "%s: where is given without initial, and may leave no elements; both would do", name);
    bool fits = where->ndim <= x->ndim;
    for (int d = 0; fits && d < where->ndim; d++) {
        const ptrdiff_t length = where->shape[d];
        fits = length == 1 || length == x->shape[d + x->ndim - where->ndim];
    }
    fz__shape_text from, to;
    if (!fits)
        return fz__fail(FZ_ERROR_SHAPE, "%s: where is %s, which does not broadcast to x's shape %s", name,
                        fz__format_shape(&from, where->ndim, where->shape),
                        fz__format_shape(&to, x->ndim, x->shape));
    if (fz_may_overlap(where, out))
        return fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with where; a separate array would do",
                        name);
    return FZ_OK;
}

static fz_status check_options(fz_reduction reduction, const fz_array *x, const fz_reduce_options *options,
                               const fz_array *out) {
    const char *name = fz_reduction_name(reduction);
    const fz__family family = rows[reduction].family;
    if (options->initial) {
        fz_status status = fz__check_array(name, "initial", options->initial);
        if (status) return status;
        if (family != FZ_TOTAL && family != FZ_EXTREME)
            return fz__fail(FZ_ERROR_VALUE, "%s: initial is given, which it does not know", name);
        if (options->initial->ndim)
            return fz__fail(FZ_ERROR_SHAPE, "%s: initial has %d axes; a scalar would do", name,
                            options->initial->ndim);
    }
    return options->where ? check_where(reduction, x, options, out) : FZ_OK;
}

static fz_status check_call(fz_reduction reduction, const fz_array *x, bool is_computed, int naxes,
                            const int axes[], const fz_reduce_options *options, const fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    const bool keepdims = out && x && out->ndim == x->ndim;
    fz_status status = fz_reduce_shape(reduction, x, naxes, axes, keepdims, &ndim, shape);
    if (status) return status;
    const char *name = fz_reduction_name(reduction);
    if ((status = fz__check_output(name, out, ndim, shape, 0, NULL))) return status;
    if (is_computed || !is_whole(reduction, x, out)) status = check_result(reduction, x->dtype, out->dtype);
    if (status) return status;
    return options ? check_options(reduction, x, options, out) : FZ_OK;
}

/* ---- without a plan ---------------------------------------------------------------------------------------- */

/* One would cost as much as the work, or more. */
enum { FEW = 4096 /* elements of several runs */ };

/* Elements of each run that makes a result, where x lies in memory as such runs, one after another, and so do the
   results: all of x, or each row along its last axis. 0 where it is otherwise. */
static ptrdiff_t find_run(const fz_array *x, int naxes, const int axes[], const fz_reduce_options *options,
                          const fz_array *out) {
    const bool all = !axes || naxes >= x->ndim; /* of a number, an axis that it has not may be named */
    if (options && options->where) return 0;
    if (all) return fz__count_gapless(x, x->dtype, FZ_LONGEST_PLAIN);
    const int last = x->ndim - 1;
    if (naxes != 1 || axes[0] != (axes[0] < 0 ? -1 : last) || !fz__count_gapless(out, out->dtype, FEW) ||
        !fz__count_gapless(x, x->dtype, FEW))
        return 0;
    return x->shape[last];
}

/* Is its result what elements join to, or that by their number? */
static bool is_plain(fz_reduction reduction) {
    const fz__family family = rows[reduction].family;
    return family == FZ_TOTAL || family == FZ_EXTREME || (family == FZ_AVERAGE && !rows[reduction].skips_nan);
}

/* Does it take no other thread, nor does the scheduler want to see that it ends? */
static bool is_one_task(ptrdiff_t elements) {
    return fz__split_elements(work_of(elements)).grain >= work_of(elements);
}

/* A long run, piece by piece as reduce_rows.c cuts and joins them. */
static __attribute__((noinline)) void reduce_pieces(fz_reduction reduction, fz_join_kernel *join,
                                                    const fz_array *x, ptrdiff_t n, const fz_array *out) {
    const char *at = x->data;
    const ptrdiff_t size = fz__element_size(x->dtype);
    double partials[FZ_LONGEST_PLAIN / FZ_LONGEST_RUN], value[1];
    ptrdiff_t pieces = 0;
    for (ptrdiff_t i = 0; i < n; i += FZ_LONGEST_RUN, pieces++)
        join(1, (size_t)fz__min(FZ_LONGEST_RUN, n - i), at + i * size, 0, (char *)partials + pieces * size);
    fz__kernels(x->dtype)->reduce->join_rows[rows[reduction].join](1, (size_t)pieces, partials, 0, value);
    fz__store_plain(reduction, n, x->dtype, 1, value, out->data);
}

/* Runs of n elements, joined by one kernel; false where more is to be done, or by more than one thread. */
static __attribute__((noinline)) bool reduce_plain(fz_reduction reduction, const fz_array *x, ptrdiff_t n,
                                                   const fz_reduce_options *options, const fz_array *out) {
    enum { AT_ONCE = 64 };
    if (!is_plain(reduction) || !fz__is_full_float(x->dtype) || out->dtype != x->dtype ||
        (options && options->initial))
        return false;
    fz_join_kernel *join =
        find_row_join(fz__kernels(x->dtype)->reduce, rows[reduction].skips_nan, rows[reduction].join);
    if (n > FZ_LONGEST_RUN) {
        const bool alone = is_one_task(n);
        if (alone) reduce_pieces(reduction, join, x, n, out);
        return alone;
    }
    const ptrdiff_t size = fz__element_size(x->dtype), runs = fz__array_size(x) / n;
    _Alignas(FZ_MAX_VECTOR_BYTES) char values[AT_ONCE * sizeof(double)];
    for (ptrdiff_t i = 0; i < runs; i += AT_ONCE) {
        const ptrdiff_t count = fz__min(AT_ONCE, runs - i);
        join((size_t)count, (size_t)n, (char *)x->data + i * n * size, n * size, values);
        fz__store_plain(reduction, n, x->dtype, count, values, (char *)out->data + i * size);
    }
    return true;
}

/* Runs of n elements, as reduce_rows.c reduces whole results. */
static __attribute__((noinline)) void reduce_runs(fz__reduction *r, const fz_array *x, ptrdiff_t n,
                                                  const fz_array *out) {
    enum { AT_ONCE = 16 };
    _Alignas(FZ_MAX_VECTOR_BYTES) char partials[AT_ONCE * FZ_MAX_PARTIAL];
    const ptrdiff_t runs = fz__array_size(x) / n, size = fz__element_size(x->dtype),
                    result = fz__element_size(out->dtype);
    const fz__step row = {n * size, 0};
    r->count = r->run = n;
    r->run_step = (fz__step){size, 0};
    for (ptrdiff_t i = 0; i < runs; i += AT_ONCE) {
        const ptrdiff_t count = fz__min(AT_ONCE, runs - i);
        fz__reduce_runs(r, count, n, (fz__elements){(char *)x->data + i * row.x, x->data}, row, partials);
        r->reducer->store(r, count, partials, (char *)out->data + i * result, result);
    }
}

/* ---- calls ------------------------------------------------------------------------------------------------ */

static fz_status reduce(fz_reduction reduction, const fz_array *x, const fz__computed *computed, int naxes,
                        const int axes[], const fz_reduce_options *options, fz_array *out) {
    const char *name = fz_reduction_name(reduction);
    const ptrdiff_t run_length = computed ? 0 : find_run(x, naxes, axes, options, out);
    if (rows[reduction].family == FZ_PLACE) {
        const int axis = axes ? axes[0] + (axes[0] < 0 ? x->ndim : 0) : -1;
        return fz__find_extremes(name, rows[reduction].join, x, x->ndim ? axis : -1, run_length, out);
    }
    if (is_whole(reduction, x, out))
        return fz__reduce_whole(name, rows[reduction].family, x, naxes, axes, options, out);
    if (run_length && reduce_plain(reduction, x, run_length, options, out)) return FZ_OK;
    fz__reduction r;
    r.name = name;
    r.family = rows[reduction].family;
    r.result = out->dtype;
    r.computed = computed;
    choose(&r, reduction, x, options);
    if (!run_length || run_length > FZ_LONGEST_RUN) return run(&r, x, naxes, axes, options, out);
    reduce_runs(&r, x, run_length, out);
    return FZ_OK;
}

fz_status fz_reduce_with(fz_reduction reduction, const fz_array *x, int naxes, const int axes[],
                         const fz_reduce_options *options, fz_array *out) {
    fz_status status = fz_init();
    if (!status) status = check_call(reduction, x, false, naxes, axes, options, out);
    if (!status && fz_may_overlap(x, out))
        status = fz__fail(FZ_ERROR_OVERLAP, "%s: out shares memory with x; a separate array would do",
                          fz_reduction_name(reduction));
    if (status) return status;
    const fz__float_environment environment = fz__save_float_environment();
    status = reduce(reduction, x, NULL, naxes, axes, options, out);
    fz__restore_float_environment(environment);
    return status;
}

fz_status fz__reduce_computed(fz_reduction reduction, const fz_array *x, const fz__computed *computed,
                              int naxes, const int axes[], fz_array *out) {
    const fz_status status = check_call(reduction, x, true, naxes, axes, NULL, out);
    return status ? status : reduce(reduction, x, computed, naxes, axes, NULL, out);
}

fz_join fz__plain_join(fz_reduction reduction) {
    return is_plain(reduction) && !rows[reduction].skips_nan ? rows[reduction].join : FZ_JOIN_COUNT;
}

/* A sum of -0 is 0, as NumPy's. A quotient of float32 that is rounded to double first is the same one. */
static inline __attribute__((always_inline)) void store_sums(fz_dtype dtype, bool divides, ptrdiff_t n,
                                                             ptrdiff_t count, const char *values,
                                                             char *results) {
    const ptrdiff_t size = fz__element_size(dtype);
    for (ptrdiff_t i = 0; i < count * size; i += size) {
        const double sum = fz__load_float(dtype, values + i) + 0;
        fz__store_float(dtype, divides ? sum / (double)n : sum, results + i);
    }
}

void fz__store_plain(fz_reduction reduction, ptrdiff_t n, fz_dtype dtype, ptrdiff_t count, const void *values,
                     void *results) {
    const bool divides = rows[reduction].family == FZ_AVERAGE;
    if (rows[reduction].join != FZ_JOIN_add)
        memcpy(results, values, (size_t)(count * fz__element_size(dtype)));
    else if (dtype == FZ_FLOAT32)
        store_sums(FZ_FLOAT32, divides, n, count, values, results);
    else
        store_sums(FZ_FLOAT64, divides, n, count, values, results);
}

fz_status fz_reduce(fz_reduction reduction, const fz_array *x, int naxes, const int axes[], fz_array *out) {
    return fz_reduce_with(reduction, x, naxes, axes, NULL, out);
}

#define FZ_REDUCTION(name, ...)                                                          \
    fz_status fz_##name(const fz_array *x, int naxes, const int axes[], fz_array *out) { \
        return fz_reduce(FZ_REDUCTION_##name, x, naxes, axes, out);                      \
    }
#include "ops.def"
