/* What reductions must give, out of all that is met on the way through the elements, in long double. */
#ifndef REDUCE_ORACLE_H
#define REDUCE_ORACLE_H

#include "operand.h"

/* What has been met of the elements that go into one output: of all, and of those that are not NaN. */
typedef struct totals {
    long double sum, magnitude, squares, product;
    uint64_t wrapped; /* the product of integers */
    ptrdiff_t count;
} totals;

typedef struct tally {
    totals all, numbers;
    double largest, smallest; /* of the numbers */
    ptrdiff_t largest_at, smallest_at, nan_at, truths;
    bool nan;
} tally;

static void add(totals *t, double value) {
    t->sum += value;
    t->magnitude += fabs(value);
    t->squares += (long double)value * value;
    t->product = t->count ? t->product * value : value;
    t->wrapped = (t->count ? t->wrapped : 1) * (uint64_t)(fabs(value) < 0x1p60 ? (int64_t)value : 0);
    t->count++;
}

static void count(tally *t, double value) {
    const ptrdiff_t at = t->all.count;
    add(&t->all, value);
    t->truths += value != 0;
    if (isnan(value)) {
        if (!t->nan) t->nan_at = at;
        t->nan = true;
        return;
    }
    if (t->numbers.count == 0 || value > t->largest) t->largest = value, t->largest_at = at;
    if (t->numbers.count == 0 || value < t->smallest) t->smallest = value, t->smallest_at = at;
    add(&t->numbers, value);
}

/* Pairwise with a constant's room for the leaves: a few tens of eps, however long the sum. */
static bool is_near(const totals *t, fz_dtype dtype, double value, long double divisor) {
    long double exact = t->sum / divisor, allowed = (32 + log2((double)t->count + 1)) * epsilon(dtype);
    if (!is_float(dtype)) return (long double)value == exact; /* small numbers: nothing wraps or is rounded */
    if (isnan(exact)) return isnan(value);
    if (isinf(exact)) return value == (double)exact;
    return fabsl((long double)value - exact) <= allowed * (t->magnitude / divisor);
}

static bool is_mean(const totals *t, fz_dtype dtype, double value) {
    return t->count == 0 ? isnan(value) : is_near(t, dtype, value, t->count);
}

/* Of elements that are as large as their distances from their mean, so that this comes out of sums of squares. */
static bool is_variance(const totals *t, fz_dtype dtype, double value) {
    const long double n = t->count, exact = (t->squares - t->sum * t->sum / n) / n;
    if (t->count == 0 || isnan(exact) || isinf(exact)) return isnan(value);
    return fabsl((long double)value - exact) <= 64 * epsilon(dtype) * t->squares / n;
}

/* Of factors of at most 1, so that no part of a product is smaller than it: an error of eps for each, and of the
   smallest number where it is too small for a full one. Infinity by what was too small is NaN. */
static bool is_product(const totals *t, fz_dtype dtype, double value) {
    const long double exact = t->count ? t->product : 1;
    const uint64_t wrapped = t->count ? t->wrapped : 1;
    if (!is_float(dtype)) return value == (dtype == FZ_UINT64 ? (double)wrapped : (double)(int64_t)wrapped);
    if (!isfinite(exact)) return isnan(value) || (isinf(value) && isinf(exact));
    const long double least = dtype == FZ_FLOAT32 ? 0x1p-149L : 0x1p-1074L;
    return fabsl((long double)value - exact) <= (fabsl(exact) * epsilon(dtype) + least) * t->count;
}

/* dtype: the result's. */
static bool is_reduced(fz_reduction reduction, const tally *t, fz_dtype dtype, double value) {
    switch (reduction) {
    case FZ_REDUCTION_sum:
        return is_near(&t->all, dtype, value, 1);
    case FZ_REDUCTION_nansum:
        return is_near(&t->numbers, dtype, value, 1);
    case FZ_REDUCTION_mean:
        return is_mean(&t->all, dtype, value);
    case FZ_REDUCTION_nanmean:
        return is_mean(&t->numbers, dtype, value);
    case FZ_REDUCTION_var:
        return is_variance(&t->all, dtype, value);
    case FZ_REDUCTION_nanvar:
        return is_variance(&t->numbers, dtype, value);
    case FZ_REDUCTION_std:
        return !(value < 0) && is_variance(&t->all, dtype, value * value);
    case FZ_REDUCTION_nanstd:
        return !(value < 0) && is_variance(&t->numbers, dtype, value * value);
    case FZ_REDUCTION_max:
        return t->nan ? isnan(value) : value == t->largest;
    case FZ_REDUCTION_min:
        return t->nan ? isnan(value) : value == t->smallest;
    case FZ_REDUCTION_argmax:
        return value == (double)(t->nan ? t->nan_at : t->largest_at);
    case FZ_REDUCTION_argmin:
        return value == (double)(t->nan ? t->nan_at : t->smallest_at);
    case FZ_REDUCTION_prod:
        return is_product(&t->all, dtype, value);
    case FZ_REDUCTION_nanprod:
        return is_product(&t->numbers, dtype, value);
    case FZ_REDUCTION_nanmax:
        return t->numbers.count ? value == t->largest : isnan(value);
    case FZ_REDUCTION_nanmin:
        return t->numbers.count ? value == t->smallest : isnan(value);
    case FZ_REDUCTION_any:
        return value == (t->truths > 0);
    case FZ_REDUCTION_all:
        return value == (t->truths == t->all.count);
    case FZ_REDUCTION_count_nonzero:
        return value == (double)t->truths;
    case FZ_REDUCTION_COUNT:
        break;
    }
    return false;
}

/* Tallies for each element of the output, C order; reduced is a mask of x's axes. To be freed. */
static tally *tally_axes(const fz_array *from, unsigned reduced, ptrdiff_t outputs) {
    tally *tallies = calloc((size_t)outputs + 1, sizeof *tallies);
    ptrdiff_t size = view_size(from);
    for (ptrdiff_t i = 0; i < size; i++) {
        ptrdiff_t rest = i, target = 0, step = 1;
        for (int d = from->ndim - 1; d >= 0; rest /= from->shape[d--])
            if (!(reduced >> d & 1)) target += rest % from->shape[d] * step, step *= from->shape[d];
        count(&tallies[target], get(from, i));
    }
    return tallies;
}

#endif
