/* Reductions: every choice of axes, sums against long double, NaN, nothing to reduce, any number of threads.
 */
#include "instruction_set.h"
#include "reduce_oracle.h"

static uint64_t state = 5;
static operand x, out;

static const struct {
    const char *name;
    fz_status (*function)(const fz_array *, int, const int[], fz_array *);
} reductions[FZ_REDUCTION_COUNT] = {
#define FZ_REDUCTION(name, ...) [FZ_REDUCTION_##name] = {#name, fz_##name},
#include "ops.def"
};

/* ---- operands --------------------------------------------------------------------------------- */

/* Now and then a NaN, an infinity, a zero or a subnormal; nothing whose sums could overflow. */
static void fill_special(void) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 0x1p-140, -0x1p-149};
    fill_unit(&x.view, &state);
    ptrdiff_t size = view_size(&x.view);
    for (ptrdiff_t i = 0; i < size; i++)
        if (random_below(&state, 40) == 0) put(&x.view, i, special[random_below(&state, 7)]);
}

/* Whole numbers, few enough that nothing but products of them wraps; floats in [-1, 1). */
static void fill_small(void) {
    const fz_dtype dtype = x.view.dtype;
    const size_t range = dtype == FZ_BOOL ? 2 : 120;
    ptrdiff_t size = view_size(&x.view);
    if (is_float(dtype)) fill_unit(&x.view, &state);
    for (ptrdiff_t i = 0; !is_float(dtype) && i < size; i++)
        put(&x.view, i, (double)random_below(&state, range) - (is_signed(dtype) ? 60 : 0));
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The output's shape; returns its number of axes. */
static int reduced_shape(const fz_array *from, unsigned reduced, bool keep, ptrdiff_t shape[]) {
    int ndim = 0;
    for (int d = 0; d < from->ndim; d++) {
        if (!(reduced >> d & 1))
            shape[ndim++] = from->shape[d];
        else if (keep)
            shape[ndim++] = 1;
    }
    return ndim;
}

/* The mask's axes as a list, every other one counted from the end; returns their number. */
static int list_axes(unsigned reduced, int ndim, int axes[]) {
    int naxes = 0;
    for (int d = ndim - 1; d >= 0; d--)
        if (reduced >> d & 1) axes[naxes] = naxes % 2 ? d - ndim : d, naxes++;
    return naxes;
}

/* Is it an error over no elements? */
static bool needs_elements(fz_reduction r) {
    return r == FZ_REDUCTION_max || r == FZ_REDUCTION_min || r == FZ_REDUCTION_nanmax ||
           r == FZ_REDUCTION_nanmin || r == FZ_REDUCTION_argmax || r == FZ_REDUCTION_argmin;
}

/* Is it along one axis only, or all? */
static bool has_one_axis(fz_reduction r) { return r == FZ_REDUCTION_argmax || r == FZ_REDUCTION_argmin; }

/* Reduces x over the axes of the mask into a freshly placed out, and checks every element. */
static void check_tallied(fz_reduction reduction, unsigned reduced, bool keep, placement where,
                          const tally *tallies) {
    ptrdiff_t shape[OPERAND_MAX_NDIM];
    int axes[OPERAND_MAX_NDIM], naxes = list_axes(reduced, x.view.ndim, axes);
    const fz_dtype result = fz_reduce_dtype(reduction, x.view.dtype);
    operand_place(&out, result, reduced_shape(&x.view, reduced, keep, shape), shape, NULL, where, 0);
    operand_scribble(&out);
    operand_remember(&out);
    operand_remember(&x);
    fz_status status = reductions[reduction].function(&x.view, naxes, axes, &out.view);
    if (!CHECK(status == FZ_OK, "%s, axes %#x: %s", reductions[reduction].name, reduced, fz_error_message()))
        return;
    ptrdiff_t outputs = view_size(&out.view), right = 0;
    while (right < outputs && is_reduced(reduction, &tallies[right], result, get(&out.view, right))) right++;
    CHECK(right == outputs,
          "%s, axes %#x, keep %d: element %td of %td is %a; sum %La, max %a, min %a, NaN %d",
          reductions[reduction].name, reduced, keep, right, outputs,
          right < outputs ? get(&out.view, right) : 0, tallies[right].all.sum, tallies[right].largest,
          tallies[right].smallest, tallies[right].nan);
    CHECK(operand_unchanged_around(&out), "%s wrote beside its output", reductions[reduction].name);
    CHECK(operand_unchanged(&x), "%s wrote its input", reductions[reduction].name);
}

static ptrdiff_t count_outputs(unsigned reduced) {
    ptrdiff_t shape[OPERAND_MAX_NDIM], outputs = 1;
    int ndim = reduced_shape(&x.view, reduced, false, shape);
    for (int d = 0; d < ndim; d++) outputs *= shape[d];
    return outputs;
}

static void check_reduction(fz_reduction reduction, unsigned reduced, bool keep, placement where) {
    tally *tallies = tally_axes(&x.view, reduced, count_outputs(reduced));
    check_tallied(reduction, reduced, keep, where, tallies);
    free(tallies);
}

/* All reductions that have a value, over all subsets of x's axes. */
static void check_all_reductions(placement where) {
    for (unsigned reduced = 0; reduced < 1u << x.view.ndim; reduced++) {
        const ptrdiff_t outputs = count_outputs(reduced);
        if (outputs > 80000) continue; /* hardly a reduction, and seconds to check */
        tally *tallies = tally_axes(&x.view, reduced, outputs);
        bool nothing = view_size(&x.view) == 0 && outputs > 0;
        for (fz_reduction r = 0; r < FZ_REDUCTION_COUNT; r++) {
            if (nothing && needs_elements(r)) continue;
            if (has_one_axis(r) && (__builtin_popcount(reduced) != 1 || view_size(&x.view) == 0)) continue;
            check_tallied(r, reduced, reduced & 1, where, tallies);
        }
        free(tallies);
    }
}

/* ---- lengths, layouts, shapes ---------------------------------------------------------------- */

static void test_every_length(fz_dtype dtype) {
    static const ptrdiff_t longer[] = {127, 128, 129,  255,  256,  257,  511,
                                       512, 513, 1023, 1024, 1025, 5000, 10001};
    for (ptrdiff_t i = 0; i < 80 + 14; i++) {
        ptrdiff_t n = i < 80 ? i : longer[i - 80];
        check_case("%s, n %td", fz_dtype_name(dtype), n);
        for (int variant = 0; variant < 4; variant++) {
            placement where = variant % 2 ? AT_BEGIN : AT_END;
            operand_line(&x, dtype, n, where, variant < 2 ? 0 : 1 + n % 7);
            if (variant == 3)
                fill_special();
            else
                fill_unit(&x.view, &state);
            check_all_reductions(where);
        }
    }
}

static void test_strides(fz_dtype dtype) {
    static const ptrdiff_t lengths[] = {1, 2, 5, 33, 600, 1111}, strides[] = {-8, 8, 16, -24, 0, 9, -13, 40};
    for (size_t l = 0; l < 6; l++)
        for (size_t s = 0; s < 8; s++) {
            ptrdiff_t stride = dtype == FZ_FLOAT32 && strides[s] % 8 == 0 ? strides[s] / 2 : strides[s];
            check_case("%s, n %td, stride %td", fz_dtype_name(dtype), lengths[l], stride);
            operand_place(&x, dtype, 1, &lengths[l], &stride, s % 2 ? AT_BEGIN : AT_END, 0);
            fill_unit(&x.view, &state);
            check_all_reductions(AT_END);
        }
}

/* Up to four axes, in any order and direction, with gaps. */
static void test_axes(fz_dtype dtype) {
    for (int trial = 0; trial < 120; trial++) {
        int ndim = trial % 5, order[4] = {0, 1, 2, 3};
        ptrdiff_t shape[4], strides[4], step = (ptrdiff_t)fz_dtype_size(dtype);
        for (int d = ndim - 1; d >= 0; d--) {
            int chosen = trial % 3 ? d : (int)random_below(&state, (size_t)d + 1), axis = order[chosen];
            order[chosen] = order[d];
            shape[axis] = (ptrdiff_t)random_below(&state, d == ndim - 1 ? 40 : 8) + (trial % 6 != 0);
            strides[axis] = random_below(&state, 4) ? step : -step;
            step *= shape[axis] + (random_below(&state, 3) == 0);
        }
        operand_place(&x, dtype, ndim, shape, trial % 4 ? strides : NULL, trial % 2 ? AT_BEGIN : AT_END, 0);
        check_case("%s, trial %d of axes, ndim %d", fz_dtype_name(dtype), trial, ndim);
        if (trial % 5 == 4)
            fill_special();
        else
            fill_unit(&x.view, &state);
        check_all_reductions(trial % 2 ? AT_END : AT_BEGIN);
    }
}

/* Large enough for segments, strips, folds of narrow rows, and runs on both sides of a kept axis; with gaps. */
static void test_large_shapes(fz_dtype dtype) {
    static const ptrdiff_t shapes[][3] = {{3, 70001, 1}, {20001, 5, 1}, {7000, 33, 1}, {100, 2100, 1},
                                          {40, 50, 60},  {3, 5, 9000},  {70, 3000, 1}, {2, 3, 40000}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int gap = 0; gap < 3; gap++) {
            const ptrdiff_t *shape = shapes[i], size = (ptrdiff_t)fz_dtype_size(dtype);
            const ptrdiff_t step = gap == 2 ? 2 * size : size, row = (shape[2] + (gap == 1)) * step;
            const ptrdiff_t strides[3] = {row * shape[1], row, step};
            check_case("%s, (%td, %td, %td), gap %d", fz_dtype_name(dtype), shape[0], shape[1], shape[2],
                       gap);
            operand_place(&x, dtype, 3, shape, strides, AT_END, 0);
            fill_unit(&x.view, &state);
            check_all_reductions(AT_END);
        }
}

/* Integers and bools: lengths around all vectors, in place and at strides, along rows and columns. */
static void test_integers(fz_dtype dtype) {
    for (ptrdiff_t n = 0; n < 600; n += n < 140 ? 1 : 37)
        for (int variant = 0; variant < 4; variant++) {
            const ptrdiff_t size = (ptrdiff_t)fz_dtype_size(dtype), shape[2] = {3, n};
            const ptrdiff_t strides[2] = {(n + 1) * 2 * size, variant % 2 ? -2 * size : size};
            check_case("%s, (3, %td), variant %d", fz_dtype_name(dtype), n, variant);
            operand_place(&x, dtype, 2, shape, strides, variant / 2 ? AT_BEGIN : AT_END, 0);
            fill_small();
            check_all_reductions(AT_END);
        }
    static const ptrdiff_t shapes[][3] = {
        {3, 70001, 1}, {5001, 5, 1}, {700, 130, 1}, {40, 50, 60}, {2, 3, 40000}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        check_case("%s, (%td, %td, %td)", fz_dtype_name(dtype), shapes[i][0], shapes[i][1], shapes[i][2]);
        operand_place(&x, dtype, 3, shapes[i], NULL, AT_END, 0);
        fill_small();
        check_all_reductions(AT_END);
    }
}

/* Of equal elements the first counts, wherever it stands. */
static void test_first_extremes(fz_dtype dtype) {
    for (ptrdiff_t n = 1; n < 150; n++)
        for (ptrdiff_t rows = 1; rows <= 2; rows++) {
            const ptrdiff_t shape[2] = {rows == 1 ? 1 : n, rows == 1 ? n : 70};
            check_case("%s, equal elements of (%td, %td)", fz_dtype_name(dtype), shape[0], shape[1]);
            operand_place(&x, dtype, 2, shape, NULL, AT_END, 0);
            ptrdiff_t size = view_size(&x.view);
            for (ptrdiff_t i = 0; i < size; i++) put(&x.view, i, random_below(&state, 8) == 0);
            for (unsigned reduced = 1; reduced <= 2; reduced++) {
                check_reduction(FZ_REDUCTION_argmax, reduced, false, AT_END);
                check_reduction(FZ_REDUCTION_argmin, reduced, false, AT_END);
            }
        }
}

/* Distances from a mean that is far larger than they are: what one pass of sums of squares would lose. */
static void test_variances_of_large_numbers(fz_dtype dtype) {
    const double mean = dtype == FZ_FLOAT32 ? 0x1p13 : 0x1p40, step = 0x1p-10;
    static const ptrdiff_t shapes[][2] = {{1, 100003}, {100003, 1}, {1000, 90}, {90, 1000}};
    for (size_t i = 0; i < 4; i++) {
        check_case("%s, variance of (%td, %td) large numbers", fz_dtype_name(dtype), shapes[i][0],
                   shapes[i][1]);
        operand_place(&x, dtype, 2, shapes[i], NULL, AT_END, 0);
        ptrdiff_t size = view_size(&x.view);
        tally shifted = {0};
        for (ptrdiff_t k = 0; k < size; k++) {
            const double distance = ((double)random_below(&state, 1000) - 500) * step;
            put(&x.view, k, mean + distance);
            count(&shifted, distance);
        }
        operand_place(&out, dtype, 0, NULL, NULL, AT_END, 0);
        CHECK(fz_var(&x.view, 0, NULL, &out.view) == FZ_OK, "%s", fz_error_message());
        CHECK(is_variance(&shifted.all, dtype, get(&out.view, 0)), "%a", get(&out.view, 0));
    }
}

/* ---- options --------------------------------------------------------------------------------- */

/* Elements that do not count, and a value to begin with. */
static void test_options(fz_dtype dtype) {
    const ptrdiff_t shape[2] = {40, 70}, ones[2] = {40, 1};
    operand mask = operand_create(1 << 14);
    for (int broadcast = 0; broadcast < 2; broadcast++)
        for (unsigned reduced = 0; reduced < 4; reduced++) {
            check_case("%s, where, broadcast %d, axes %#x", fz_dtype_name(dtype), broadcast, reduced);
            operand_place(&x, dtype, 2, shape, NULL, AT_END, 0);
            fill_small();
            operand_place(&mask, FZ_BOOL, 2, broadcast ? ones : shape, NULL, AT_END, 0);
            for (ptrdiff_t i = 0; i < view_size(&mask.view); i++)
                put(&mask.view, i, random_below(&state, 3) != 0);
            for (fz_reduction r = 0; r < FZ_REDUCTION_COUNT; r++) {
                if (has_one_axis(r) || r == FZ_REDUCTION_count_nonzero) continue;
                ptrdiff_t out_shape[OPERAND_MAX_NDIM], steps[2] = {reduced & 1   ? 0
                                                                   : reduced & 2 ? 1
                                                                                 : 70,
                                                                   reduced & 2 ? 0 : 1};
                int axes[2], naxes = list_axes(reduced, 2, axes);
                const fz_dtype result = fz_reduce_dtype(r, dtype);
                operand_place(&out, result, reduced_shape(&x.view, reduced, false, out_shape), out_shape,
                              NULL, AT_END, 0);
                double begin = 1;
                const fz_array initial = {&begin, FZ_FLOAT64, 0, NULL, NULL};
                const bool begins = needs_elements(r) || r == FZ_REDUCTION_sum || r == FZ_REDUCTION_prod;
                const fz_reduce_options options = {&mask.view, begins ? &initial : NULL, 0};
                CHECK(fz_reduce_with(r, &x.view, naxes, axes, &options, &out.view) == FZ_OK, "%s",
                      fz_error_message());
                ptrdiff_t outputs = view_size(&out.view);
                tally *tallies = calloc((size_t)outputs, sizeof *tallies);
                for (ptrdiff_t i = 0; begins && i < outputs; i++) count(&tallies[i], begin);
                for (ptrdiff_t i = 0; i < shape[0]; i++)
                    for (ptrdiff_t k = 0; k < shape[1]; k++)
                        if (get2(&mask.view, i, broadcast ? 0 : k) != 0)
                            count(&tallies[i * steps[0] + k * steps[1]], get2(&x.view, i, k));
                for (ptrdiff_t i = 0; i < outputs; i++)
                    CHECK(is_reduced(r, &tallies[i], result, get(&out.view, i)), "%s: element %td is %g",
                          reductions[r].name, i, get(&out.view, i));
                free(tallies);
            }
        }
    operand_destroy(&mask);
}

/* An output with gaps, reversed or unaligned. */
static void test_strided_outputs(fz_dtype dtype) {
    static const ptrdiff_t strides[] = {-8, 16, 9, -21};
    ptrdiff_t shape[2] = {37, 70};
    int axis = 1;
    for (size_t s = 0; s < 4; s++) {
        check_case("%s, output stride %td", fz_dtype_name(dtype), strides[s]);
        operand_place(&x, dtype, 2, shape, NULL, AT_END, 0);
        fill_unit(&x.view, &state);
        operand_place(&out, dtype, 1, shape, &strides[s], AT_END, 0);
        operand_remember(&out);
        if (!CHECK(fz_sum(&x.view, 1, &axis, &out.view) == FZ_OK, "%s", fz_error_message())) continue;
        tally *tallies = tally_axes(&x.view, 2, 37);
        for (ptrdiff_t i = 0; i < 37; i++)
            CHECK(is_reduced(FZ_REDUCTION_sum, &tallies[i], dtype, get(&out.view, i)), "element %td", i);
        CHECK(operand_unchanged_around(&out));
        free(tallies);
    }
}

/* axes == NULL is every axis. */
static void test_all_axes(fz_dtype dtype) {
    check_case("%s, axes NULL", fz_dtype_name(dtype));
    ptrdiff_t shape[3] = {3, 4, 5}, ones[3] = {1, 1, 1};
    operand_place(&x, dtype, 3, shape, NULL, AT_END, 0);
    for (ptrdiff_t i = 0; i < 60; i++) put(&x.view, i, (double)i);
    for (int kept = 0; kept <= 3; kept += 3) {
        operand_place(&out, dtype, kept, ones, NULL, AT_END, 0);
        CHECK(fz_sum(&x.view, 0, NULL, &out.view) == FZ_OK && get(&out.view, 0) == 1770, "%s",
              fz_error_message());
        CHECK(fz_mean(&x.view, 0, NULL, &out.view) == FZ_OK && get(&out.view, 0) == 29.5);
        CHECK(fz_max(&x.view, 0, NULL, &out.view) == FZ_OK && get(&out.view, 0) == 59);
        CHECK(fz_min(&x.view, 0, NULL, &out.view) == FZ_OK && get(&out.view, 0) == 0);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Plain sums of these are off by a thousandth and more; the mean of ones does not even move. */
static void test_long_sums(fz_dtype dtype) {
    enum { LONG = 1 << 25, ROWS = 1 << 17 };
    check_case("%s, long sums", fz_dtype_name(dtype));
    float one = 1;
    double wide_one = 1;
    ptrdiff_t n = LONG, still = 0;
    fz_array ones = {dtype == FZ_FLOAT32 ? (void *)&one : (void *)&wide_one, dtype, 1, &n, &still};
    operand_place(&out, dtype, 0, NULL, NULL, AT_END, 0);
    CHECK(fz_mean(&ones, 0, NULL, &out.view) == FZ_OK && get(&out.view, 0) == 1, "%a", get(&out.view, 0));

    for (int columns = 1; columns <= 3; columns += 2) {
        ptrdiff_t shape[2] = {ROWS, columns};
        operand_place(&x, dtype, 2, shape, NULL, AT_END, 0);
        for (ptrdiff_t i = 0; i < ROWS * columns; i++) put(&x.view, i, 0.1);
        for (unsigned reduced = 1; reduced <= 3; reduced += 2) {
            check_reduction(FZ_REDUCTION_sum, reduced, false, AT_END);
            check_reduction(FZ_REDUCTION_mean, reduced, false, AT_END);
        }
    }
}

/* Sums of float16 have kernels of their own. Small whole numbers, whose sums are exact. */
static void check_halves(ptrdiff_t rows, ptrdiff_t n, int axis, placement where) {
    enum { MOST = 40000 };
    static double from[MOST];
    static float sums[MOST];
    const ptrdiff_t shape[2] = {rows, n}, stride = sizeof *from, one = sizeof *sums, count = rows * n;
    const ptrdiff_t results = axis ? rows : n;
    check_case("float16, %td x %td, axis %d, unmapped %s", rows, n, axis, where ? "after" : "before");
    for (ptrdiff_t i = 0; i < count; i++) from[i] = (double)(i * 7 % 17 - 5);
    operand_line(&x, FZ_FLOAT16, count, where, 0);
    CHECK(fz_copy(&(fz_array){from, FZ_FLOAT64, 1, &count, &stride}, &x.view) == FZ_OK);
    operand_place(&x, FZ_FLOAT16, 2, shape, NULL, where, 0);
    CHECK(fz_sum(&x.view, 1, &axis, &(fz_array){sums, FZ_FLOAT32, 1, &results, &one}) == FZ_OK, "%s",
          fz_error_message());
    for (ptrdiff_t i = 0; i < results; i++) {
        double sum = 0;
        for (ptrdiff_t k = 0; k < count / results; k++) sum += axis ? from[i * n + k] : from[k * n + i];
        CHECK(sums[i] == sum, "sum %td is %g, not %g", i, sums[i], sum);
    }
}

static void test_halves(void) {
    for (placement where = AT_BEGIN; where <= AT_END; where++) {
        for (ptrdiff_t n = 1; n <= 150; n++) {
            for (int axis = 0; axis < 2; axis++) {
                check_halves(1, n, axis, where);
                check_halves(19, n, axis, where);
                check_halves(n, 3, axis, where);
            }
        }
        check_halves(1, 39999, 1, where);
        check_halves(3, 5001, 1, where);
        check_halves(300, 131, 0, where);
    }
}

/* One NaN or infinity anywhere decides, whatever vector lane it stands in. */
static void test_special_values_everywhere(fz_dtype dtype) {
    static const double specials[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (ptrdiff_t at = 0; at < 140; at++)
        for (int s = 0; s < 4; s++) {
            check_case("%s, %g at %td", fz_dtype_name(dtype), specials[s], at);
            ptrdiff_t column[2] = {140, 3};
            operand_line(&x, dtype, 140, AT_END, 0);
            fill_unit(&x.view, &state);
            put(&x.view, at, specials[s]);
            check_all_reductions(AT_END);
            operand_place(&x, dtype, 2, column, NULL, AT_END, 0);
            fill_unit(&x.view, &state);
            put(&x.view, at * 3 + at % 3, specials[s]);
            check_all_reductions(AT_END);
        }
}

static void test_infinite_extremes(fz_dtype dtype) {
    for (ptrdiff_t n = 1; n < 70; n++) {
        check_case("%s, %td infinities of one sign", fz_dtype_name(dtype), n);
        for (int sign = -1; sign <= 1; sign += 2) {
            operand_line(&x, dtype, n, AT_END, 0);
            for (ptrdiff_t i = 0; i < n; i++) put(&x.view, i, sign * INFINITY);
            check_all_reductions(AT_END);
        }
    }
}

/* ---- threads --------------------------------------------------------------------------------- */

static void check_threads(fz_reduction reduction, fz_dtype dtype, int ndim, const ptrdiff_t shape[],
                          unsigned reduced) {
    static const int threads[] = {1, 2, 3, 7};
    int before = fz_get_num_threads(), axes[OPERAND_MAX_NDIM], naxes = list_axes(reduced, ndim, axes);
    ptrdiff_t out_shape[OPERAND_MAX_NDIM];
    operand_place(&x, dtype, ndim, shape, NULL, AT_END, 0);
    fill_unit(&x.view, &state);
    operand_place(&out, fz_reduce_dtype(reduction, dtype), reduced_shape(&x.view, reduced, false, out_shape),
                  out_shape, NULL, AT_END, 0);
    for (int t = 0; t < 4; t++) {
        check_case("%s %s of (%td, ...), axes %#x, on %d threads", fz_dtype_name(dtype),
                   reductions[reduction].name, shape[0], reduced, threads[t]);
        CHECK(fz_set_num_threads(threads[t]) == FZ_OK);
        operand_scribble(&out);
        CHECK(reductions[reduction].function(&x.view, naxes, axes, &out.view) == FZ_OK, "%s",
              fz_error_message());
        if (t == 0) operand_remember(&out);
        CHECK(operand_unchanged(&out), "other bits than on one thread");
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

static void test_bits_do_not_depend_on_threads(fz_dtype dtype, int ndim, const ptrdiff_t shape[],
                                               unsigned reduced) {
    for (fz_reduction r = 0; r < FZ_REDUCTION_COUNT; r++)
        if (!has_one_axis(r) || __builtin_popcount(reduced) == 1)
            check_threads(r, dtype, ndim, shape, reduced);
}

/* Elements are cut to int8, in which their sum wraps; so is their mean, before distances from it are taken. */
static void test_averages_in_integers(void) {
    static double values[2][3] = {{1.9, 2.9, 3.9}, {100, 0.9, 100}};
    const ptrdiff_t shape[] = {2, 3}, strides[] = {3 * sizeof(double), sizeof(double)}, two = 2, step = 1;
    const fz_array from = {values, FZ_FLOAT64, 2, shape, strides};
    int8_t results[2];
    fz_array to = {results, FZ_INT8, 1, &two, &step};
    check_case("averages in int8");
    CHECK(fz_mean(&from, 1, (int[]){1}, &to) == FZ_OK && results[0] == 2 && results[1] == -56 / 3, "%d, %d",
          results[0], results[1]);
    CHECK(fz_var(&from, 1, (int[]){1}, &to) == FZ_OK && results[0] == 1, "%d", results[0]);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void check_refused(fz_reduction r, int naxes, const int axes[], fz_status expected) {
    operand_remember(&out);
    fz_status status = reductions[r].function(&x.view, naxes, axes, &out.view);
    CHECK(status == expected, "%s gave %d (%s), not %d", reductions[r].name, status, fz_error_message(),
          expected);
    CHECK(strstr(fz_error_message(), reductions[r].name), "the message does not name %s: '%s'",
          reductions[r].name, fz_error_message());
    CHECK(operand_unchanged(&out), "%s failed and wrote", reductions[r].name);
}

static void check_options_refused(fz_reduction r, const fz_array *where, const fz_array *initial,
                                  fz_status expected) {
    const fz_reduce_options options = {where, initial, 0};
    operand_remember(&out);
    const fz_status status = fz_reduce_with(r, &x.view, 1, (int[]){1}, &options, &out.view);
    CHECK(status == expected, "%s gave %d (%s), not %d", reductions[r].name, status, fz_error_message(),
          expected);
    CHECK(strstr(fz_error_message(), reductions[r].name) && operand_unchanged(&out), "%s",
          fz_error_message());
}

static void test_refused_options(fz_reduction r) {
    check_case("refused options of %s", reductions[r].name);
    const ptrdiff_t shape[2] = {3, 4}, three = 3, one = 1, four = 4, step = 1;
    char flags[4] = {1, 1, 1, 1};
    const fz_array unfit = {flags, FZ_BOOL, 1, &three, &step}, fit = {flags, FZ_BOOL, 1, &four, &step};
    const fz_array line = {flags, FZ_BOOL, 1, &one, &step}, scalar = {flags, FZ_BOOL, 0, NULL, NULL};
    const bool any_dtype = has_any_dtype(r), begins = any_dtype || (needs_elements(r) && !has_one_axis(r));
    operand_place(&x, FZ_FLOAT64, 2, shape, NULL, AT_END, 0);
    fill_unit(&x.view, &state);
    operand_line(&out, fz_reduce_dtype(r, FZ_FLOAT64), 3, AT_END, 0);
    if (begins) {
        check_options_refused(r, &unfit, &scalar, FZ_ERROR_SHAPE);
        check_options_refused(r, NULL, &line, FZ_ERROR_SHAPE);
    } else {
        check_options_refused(r, NULL, &scalar, FZ_ERROR_VALUE);
    }
    if (has_one_axis(r) || r == FZ_REDUCTION_count_nonzero || (begins && !any_dtype))
        check_options_refused(r, &fit, NULL, FZ_ERROR_VALUE);
}

static void test_refusals(fz_reduction r) {
    check_case("refusals of %s", reductions[r].name);
    ptrdiff_t shape[2] = {3, 4}, empty[2] = {3, 0};
    operand_place(&x, FZ_FLOAT64, 2, shape, NULL, AT_END, 0);
    fill_unit(&x.view, &state);
    const fz_dtype result = fz_reduce_dtype(r, FZ_FLOAT64);
    operand_line(&out, result, 3, AT_END, 0);
    check_refused(r, 1, (int[]){2}, FZ_ERROR_AXIS);
    check_refused(r, 1, (int[]){-3}, FZ_ERROR_AXIS);
    check_refused(r, 2, (int[]){1, 1}, FZ_ERROR_SHAPE);
    check_refused(r, 2, (int[]){1, -1}, FZ_ERROR_SHAPE);
    check_refused(r, 1, (int[]){0}, FZ_ERROR_SHAPE); /* out would have to be (4,) */
    check_refused(r, 0, NULL, FZ_ERROR_SHAPE);       /* or () */
    if (!has_any_dtype(r) && r != FZ_REDUCTION_mean && r != FZ_REDUCTION_var) {
        operand_line(&out, FZ_INT8, 3, AT_END, 0);
        check_refused(r, 1, (int[]){1}, FZ_ERROR_DTYPE);
    }
    if (has_one_axis(r)) {
        operand_place(&out, result, 0, NULL, NULL, AT_END, 0);
        check_refused(r, 2, (int[]){0, 1}, FZ_ERROR_SHAPE);
    }

    operand_line(&out, result, 3, AT_END, 0);
    out.view.data = x.view.data;
    fz_array inside = out.view;
    operand_remember(&x);
    CHECK(reductions[r].function(&x.view, 1, (int[]){1}, &inside) == FZ_ERROR_OVERLAP &&
          operand_unchanged(&x));

    operand_place(&x, FZ_FLOAT64, 2, empty, NULL, AT_END, 0);
    operand_line(&out, result, 3, AT_END, 0);
    if (needs_elements(r)) check_refused(r, 1, (int[]){1}, FZ_ERROR_VALUE);
}

static void test_names(fz_reduction r) {
    check_case("names");
    CHECK(strcmp(fz_reduction_name(r), reductions[r].name) == 0);
    CHECK(fz_reduction_doc(r) && strlen(fz_reduction_doc(r)) > 5);
    operand_line(&x, FZ_FLOAT64, 1, AT_END, 0);
    put(&x.view, 0, 2.5);
    operand_place(&out, fz_reduce_dtype(r, FZ_FLOAT64), 0, NULL, NULL, AT_END, 0);
    tally one = {0};
    count(&one, 2.5);
    CHECK(fz_reduce(r, &x.view, 0, NULL, &out.view) == FZ_OK &&
          is_reduced(r, &one, out.view.dtype, get(&out.view, 0)));
}

int main(void) {
    check_begin_kernels();
    x = operand_create(1 << 22), out = operand_create(1 << 22);
    for (fz_reduction r = 0; r < FZ_REDUCTION_COUNT; r++) {
        test_names(r);
        test_refusals(r);
        test_refused_options(r);
    }
    test_averages_in_integers();
    test_halves();
    for (fz_dtype dtype = 0; dtype <= FZ_UINT64; dtype++) {
        if (!is_float(dtype)) test_integers(dtype);
        test_first_extremes(dtype);
        test_options(dtype);
    }
    for (fz_dtype dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
        test_every_length(dtype);
        test_strides(dtype);
        test_axes(dtype);
        test_large_shapes(dtype);
        test_strided_outputs(dtype);
        test_all_axes(dtype);
        test_long_sums(dtype);
        test_special_values_everywhere(dtype);
        test_infinite_extremes(dtype);
        test_variances_of_large_numbers(dtype);
        test_bits_do_not_depend_on_threads(dtype, 1, (ptrdiff_t[]){400001}, 1);
        test_bits_do_not_depend_on_threads(dtype, 2, (ptrdiff_t[]){3, 100003}, 2);
        test_bits_do_not_depend_on_threads(dtype, 2, (ptrdiff_t[]){100003, 3}, 1);
        test_bits_do_not_depend_on_threads(dtype, 2, (ptrdiff_t[]){700, 600}, 1);
        test_bits_do_not_depend_on_threads(dtype, 3, (ptrdiff_t[]){70, 60, 50}, 5);
    }
    operand_destroy(&x), operand_destroy(&out);
    return check_end();
}
