/* Views: sizes and their overflow, gaps, overlap, and the loop nests that broadcasting makes. The answers
   of small random views are found by enumerating their bytes. */
#include "check.h"
#include "internal.h"
#include "operand.h"

static void test_dtypes(void) {
    check_case("dtypes");
    CHECK(fz_dtype_size(FZ_FLOAT32) == 4 && fz_dtype_size(FZ_FLOAT64) == 8);
    CHECK(strcmp(fz_dtype_name(FZ_FLOAT32), "float32") == 0 &&
          strcmp(fz_dtype_name(FZ_FLOAT64), "float64") == 0);
}

static void test_contiguous_strides(void) {
    check_case("contiguous strides");
    ptrdiff_t strides[3] = {-7, -7, -7};
    fz_contiguous_strides(FZ_FLOAT64, 3, (ptrdiff_t[]){2, 3, 5}, strides);
    CHECK(strides[0] == 120 && strides[1] == 40 && strides[2] == 8);
    fz_contiguous_strides(FZ_FLOAT32, 2, (ptrdiff_t[]){9, 1}, strides);
    CHECK(strides[0] == 4 && strides[1] == 4);
    strides[0] = -7;
    fz_contiguous_strides(FZ_FLOAT32, 0, NULL, strides);
    CHECK(strides[0] == -7, "wrote a stride of a scalar");
}

/* For UBSan to see: only a length of 0 lets the others have such a product. */
static void test_strides_of_nothing(void) {
    enum { LONG = 1 << 30 };
    static const ptrdiff_t shape[4] = {0, LONG, LONG, LONG};
    ptrdiff_t strides[4], like[4];
    check_case("strides of nothing");
    fz_contiguous_strides(FZ_FLOAT32, 4, shape, strides);
    CHECK(strides[3] == 4 && strides[2] == 4ll * LONG && strides[1] == 4ll * LONG * LONG);
    const fz_array x = {NULL, FZ_FLOAT32, 4, shape, strides};
    fz_strides_like(FZ_FLOAT32, 4, shape, 1, (const fz_array *const[]){&x}, like);
    CHECK(memcmp(like, strides, sizeof like) == 0);
}

/* ---- fz__check_array --------------------------------------------------------------------------------------
 */

static fz_status check_shape(int ndim, const ptrdiff_t *shape) {
    static char byte[16];
    ptrdiff_t strides[FZ_MAX_NDIM] = {0};
    return fz__check_array("some_operation", "its_argument",
                           &(fz_array){byte, FZ_FLOAT64, ndim, shape, strides});
}

static void test_sizes_are_checked(void) {
    check_case("sizes");
    enum { BIG = 1 << 30 };
    ptrdiff_t ones[FZ_MAX_NDIM];
    for (int d = 0; d < FZ_MAX_NDIM; d++) ones[d] = 1;
    CHECK(check_shape(0, NULL) == FZ_OK);
    CHECK(check_shape(2, (ptrdiff_t[]){0, 3}) == FZ_OK);
    CHECK(check_shape(FZ_MAX_NDIM, ones) == FZ_OK);
    CHECK(check_shape(1, (ptrdiff_t[]){PTRDIFF_MAX / 8}) == FZ_OK, "%s", fz_error_message());

    CHECK(check_shape(1, (ptrdiff_t[]){-1}) == FZ_ERROR_SHAPE);
    CHECK(strstr(fz_error_message(), "some_operation") && strstr(fz_error_message(), "its_argument"), "'%s'",
          fz_error_message());
    CHECK(check_shape(2, (ptrdiff_t[]){0, -1}) == FZ_ERROR_SHAPE);
    CHECK(check_shape(2, (ptrdiff_t[]){-2, -3}) == FZ_ERROR_SHAPE);
    CHECK(check_shape(1, (ptrdiff_t[]){PTRDIFF_MAX / 8 + 1}) == FZ_ERROR_SHAPE);
    CHECK(check_shape(3, (ptrdiff_t[]){BIG, BIG, BIG}) == FZ_ERROR_SHAPE);
    CHECK(check_shape(5, (ptrdiff_t[]){BIG, BIG, BIG, BIG, 16}) == FZ_ERROR_SHAPE,
          "a product that wraps to 0");
    CHECK(check_shape(-1, ones) == FZ_ERROR_SHAPE);
    CHECK(check_shape(FZ_MAX_NDIM + 1, ones) == FZ_ERROR_SHAPE);
}

static void test_unknown_dtypes_are_refused(void) {
    check_case("unknown dtypes");
    double value = 0;
    CHECK(fz__check_array("f", "x", &(fz_array){&value, FZ_DTYPE_COUNT, 0, NULL, NULL}) == FZ_ERROR_DTYPE);
    CHECK(fz__check_array("f", "x", &(fz_array){&value, (fz_dtype)-1, 0, NULL, NULL}) == FZ_ERROR_DTYPE);
}

/* ---- properties of random views -------------------------------------------------------------- */

enum { ARENA = 512, MIDDLE = ARENA / 2 };

typedef struct view {
    fz_array array;
    ptrdiff_t shape[3], strides[3];
} view;

/* A view of at most three short axes that fits in the arena; strides of any sign and kind. */
static void random_view(view *v, char *arena, uint64_t *state) {
    ptrdiff_t low, high;
    do {
        int ndim = (int)random_below(state, 4);
        ptrdiff_t itemsize = random_below(state, 2) ? 8 : 4;
        for (int d = 0; d < ndim; d++) {
            v->shape[d] = (ptrdiff_t)random_below(state, 5) + (random_below(state, 8) != 0);
            v->strides[d] =
                ((ptrdiff_t)random_below(state, 13) - 6) * (random_below(state, 6) ? itemsize : 3);
        }
        ptrdiff_t start = (ptrdiff_t)random_below(state, 16) * 4;
        v->array = (fz_array){arena + MIDDLE + start, itemsize == 8 ? FZ_FLOAT64 : FZ_FLOAT32, ndim, v->shape,
                              v->strides};
        if (ndim && random_below(state, 4) == 0)
            fz_contiguous_strides(v->array.dtype, ndim, v->shape, v->strides);
        view_extent(&v->array, &low, &high);
        low += start;
        high += start;
    } while (low < -MIDDLE || high > MIDDLE);
}

/* Counts each byte of each element of x. */
static void count_bytes(const fz_array *x, const char *arena, unsigned char counts[ARENA]) {
    memset(counts, 0, ARENA);
    ptrdiff_t size = view_size(x);
    for (ptrdiff_t i = 0; i < size; i++) {
        ptrdiff_t first = element(x, i) - arena;
        for (size_t b = 0; b < fz_dtype_size(x->dtype); b++) counts[(size_t)first + b]++;
    }
}

static bool follows_without_gap(const fz_array *x) {
    ptrdiff_t size = view_size(x);
    for (ptrdiff_t i = 0; i < size; i++)
        if (element(x, i) != (char *)x->data + i * (ptrdiff_t)fz_dtype_size(x->dtype)) return false;
    return true;
}

static bool extents_meet(const fz_array *a, const fz_array *b) {
    ptrdiff_t a_low, a_high, b_low, b_high;
    view_extent(a, &a_low, &a_high);
    view_extent(b, &b_low, &b_high);
    const char *pa = a->data, *pb = b->data;
    return a_low < a_high && b_low < b_high && pa + a_low < pb + b_high && pb + b_low < pa + a_high;
}

static void test_random_views(void) {
    static char arena[ARENA];
    uint64_t state = 1;
    for (int trial = 0; trial < 20000; trial++) {
        view a, b;
        unsigned char a_counts[ARENA], b_counts[ARENA];
        random_view(&a, arena, &state);
        random_view(&b, arena, &state);
        count_bytes(&a.array, arena, a_counts);
        count_bytes(&b.array, arena, b_counts);
        bool shared = false, twice = false;
        for (int i = 0; i < ARENA; i++) {
            shared |= a_counts[i] && b_counts[i];
            twice |= a_counts[i] > 1;
        }
        check_case("random view %d", trial);
        CHECK(fz__check_array("f", "a", &a.array) == FZ_OK, "%s", fz_error_message());
        CHECK(fz__array_size(&a.array) == view_size(&a.array));
        if (view_size(&a.array) > 0) CHECK(fz__is_contiguous(&a.array) == follows_without_gap(&a.array));
        CHECK(!shared || fz_may_overlap(&a.array, &b.array), "missed an overlap");
        CHECK(extents_meet(&a.array, &b.array) || !fz_may_overlap(&a.array, &b.array),
              "extents are disjoint");
        CHECK(fz_may_overlap(&a.array, &b.array) == fz_may_overlap(&b.array, &a.array), "not symmetric");
        CHECK(!twice || fz_overlaps_itself(&a.array), "missed an overlap of a view with itself");
        CHECK(fz__same_view(&a.array, &a.array));
    }
}

/* ---- particular views ------------------------------------------------------------------------ */

static fz_array plane(void *data, const ptrdiff_t shape[2], const ptrdiff_t strides[2]) {
    return (fz_array){data, FZ_FLOAT64, 2, shape, strides};
}

/* What slicing and transposing make must be seen as free of overlap, or outputs would be refused. */
static void test_ordinary_outputs_do_not_overlap_themselves(void) {
    check_case("ordinary outputs");
    static const ptrdiff_t shape[2] = {4, 5};
    static const ptrdiff_t strides[][2] = {
        {40, 8}, {8, 32}, {400, 8}, {80, 16}, {-40, 8}, {40, -8}, {-8, -32}, {41, 8}, {8, 33}, {-100, 17},
    };
    double data[1];
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        fz_array x = plane(data, shape, strides[i]);
        CHECK(!fz_overlaps_itself(&x), "strides %td, %td", strides[i][0], strides[i][1]);
    }
    fz_array lines[] = {
        plane(data, (ptrdiff_t[]){1, 5}, (ptrdiff_t[]){0, 8}), /* the stride of one element does not matter */
        plane(data, (ptrdiff_t[]){0, 5}, (ptrdiff_t[]){0, 0}), /* nor do those of none */
        {data, FZ_FLOAT64, 0, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        CHECK(!fz_overlaps_itself(&lines[i]), "line %zu", i);
}

static void test_repeated_elements_overlap(void) {
    check_case("repeated elements");
    static const ptrdiff_t shape[2] = {4, 5};
    static const ptrdiff_t strides[][2] = {{0, 8}, {8, 0}, {8, 8}, {36, 8}, {40, 4}, {16, -8}};
    double data[1];
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        fz_array x = plane(data, shape, strides[i]);
        CHECK(fz_overlaps_itself(&x), "strides %td, %td", strides[i][0], strides[i][1]);
    }
}

static void test_same_view(void) {
    check_case("same view");
    double data[64];
    ptrdiff_t shape[2] = {2, 3}, strides[2] = {24, 8};
    fz_array x = plane(data, shape, strides), same = plane(data, (ptrdiff_t[]){2, 3}, (ptrdiff_t[]){24, 8});
    fz_array differs[] = {
        plane(data + 1, shape, strides),          plane(data, (ptrdiff_t[]){3, 3}, strides),
        plane(data, shape, (ptrdiff_t[]){32, 8}), {data, FZ_FLOAT32, 2, shape, strides},
        {data, FZ_FLOAT64, 1, shape, strides},
    };
    CHECK(fz__same_view(&x, &same));
    for (size_t i = 0; i < sizeof differs / sizeof *differs; i++)
        CHECK(!fz__same_view(&x, &differs[i]), "case %zu", i);
}

/* ---- loop nests ------------------------------------------------------------------------------ */

typedef struct tuple {
    const char *pointers[FZ_MAX_OPERANDS];
} tuple;

static int compare_tuples(const void *a, const void *b) { return memcmp(a, b, sizeof(tuple)); }

/* The tuples of pointers that a walk passes, in its order. */
typedef struct trace {
    const fz__nest *nest;
    ptrdiff_t count, room;
    tuple *tuples;
} trace;

static void record_row(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    trace *t = context;
    ptrdiff_t longest = t->nest->ndim ? t->nest->shape[t->nest->ndim - 1] : 1;
    if (!CHECK(n >= 1 && n <= longest && t->count + n <= t->room, "a row of %td", n)) return;
    for (ptrdiff_t i = 0; i < n; i++, t->count++)
        for (int k = 0; k < t->nest->operands; k++)
            t->tuples[t->count].pointers[k] = pointers[k] + i * strides[k];
}

static trace walk(const fz__nest *nest, ptrdiff_t begin, ptrdiff_t end) {
    trace t = {nest, 0, end - begin, calloc((size_t)(end - begin) + 1, sizeof(tuple))};
    fz__nest_walk(nest, begin, end, record_row, &t);
    CHECK(t.count == end - begin, "%td of [%td, %td) visited", t.count, begin, end);
    return t;
}

/* Any range is the same part of the whole walk. */
static void check_ranges(const trace *whole) {
    ptrdiff_t size = whole->room;
    for (ptrdiff_t begin = 0; begin <= size; begin += 1 + size / 6) {
        for (ptrdiff_t end = begin; end <= size; end += 1 + size / 5) {
            trace part = walk(whole->nest, begin, end);
            CHECK(memcmp(part.tuples, whole->tuples + begin, (size_t)(end - begin) * sizeof(tuple)) == 0,
                  "elements [%td, %td)", begin, end);
            free(part.tuples);
        }
    }
}

/* The nest visits exactly the tuples of elements that broadcasting pairs up, each once. */
static void check_nest(int operands, const fz_array *const arrays[]) {
    fz__nest nest;
    if (!CHECK(fz__nest_init(&nest, "f", operands, arrays) == FZ_OK, "%s", fz_error_message())) return;
    const fz_array *out = arrays[operands - 1];
    ptrdiff_t size = view_size(out);
    if (!CHECK(nest.size == size, "%td elements, not %td", nest.size, size)) return;
    CHECK(nest.operands == operands);
    tuple *expected = calloc((size_t)size + 1, sizeof *expected);
    for (ptrdiff_t i = 0; i < size; i++)
        for (int k = 0; k < operands; k++)
            expected[i].pointers[k] =
                (char *)arrays[k]->data + broadcast_offset(arrays[k], out->ndim, out->shape, i);
    trace found = walk(&nest, 0, size);
    check_ranges(&found);
    qsort(expected, (size_t)size, sizeof *expected, compare_tuples);
    qsort(found.tuples, (size_t)size, sizeof *expected, compare_tuples);
    CHECK(memcmp(expected, found.tuples, (size_t)size * sizeof *expected) == 0, "other elements meet");
    free(expected);
    free(found.tuples);
}

/* Makes x broadcast to out: drops leading axes, sets others to one, moves anywhere. */
static void random_input(view *x, const view *out, char *data, uint64_t *state) {
    int ndim = (int)random_below(state, (size_t)out->array.ndim + 1);
    for (int d = 0; d < ndim; d++) {
        x->shape[d] = random_below(state, 3) ? out->array.shape[out->array.ndim - ndim + d] : 1;
        x->strides[d] = ((ptrdiff_t)random_below(state, 13) - 6) * 4;
    }
    x->array = (fz_array){data + 2048, FZ_FLOAT32, ndim, x->shape, x->strides};
    if (ndim && random_below(state, 2)) fz_contiguous_strides(x->array.dtype, ndim, x->shape, x->strides);
}

/* An output without repeated elements: C order with gaps, its axes then permuted and reversed. */
static void random_output(view *out, char *data, uint64_t *state) {
    int ndim = (int)random_below(state, 4);
    ptrdiff_t stride = 8;
    for (int d = ndim - 1; d >= 0; d--) {
        out->shape[d] = (ptrdiff_t)random_below(state, 5) + (random_below(state, 8) != 0);
        out->strides[d] = random_below(state, 4) ? stride : -stride;
        stride *= out->shape[d] + (random_below(state, 4) == 0);
    }
    for (int d = ndim - 1; d > 0; d--) {
        size_t e = random_below(state, (size_t)d + 1);
        ptrdiff_t shape = out->shape[d], step = out->strides[d];
        out->shape[d] = out->shape[e], out->strides[d] = out->strides[e];
        out->shape[e] = shape, out->strides[e] = step;
    }
    out->array = (fz_array){data + 8192, FZ_FLOAT64, ndim, out->shape, out->strides};
}

static void test_random_nests(void) {
    static char x_data[4096], y_data[4096], out_data[16384];
    uint64_t state = 2;
    for (int trial = 0; trial < 5000; trial++) {
        check_case("random nest %d", trial);
        view x, y, out;
        random_output(&out, out_data, &state);
        random_input(&x, &out, x_data, &state);
        random_input(&y, &out, y_data, &state);
        check_nest(2, (const fz_array *[]){&x.array, &out.array});
        check_nest(3, (const fz_array *[]){&x.array, &y.array, &out.array});
    }
}

static void test_axes_without_gaps_are_one(void) {
    check_case("coalescing");
    static const ptrdiff_t shape[3] = {4, 5, 6}, c_order[3] = {240, 48, 8}, f_order[3] = {8, 32, 160};
    static double data[120], other[120];
    fz__nest nest;
    fz_array x = {data, FZ_FLOAT64, 3, shape, c_order}, out = {other, FZ_FLOAT64, 3, shape, c_order};
    CHECK(fz__nest_init(&nest, "f", 2, (const fz_array *[]){&x, &out}) == FZ_OK && nest.ndim == 1, "C order");
    x.strides = out.strides = f_order;
    CHECK(fz__nest_init(&nest, "f", 2, (const fz_array *[]){&x, &out}) == FZ_OK && nest.ndim == 1, "F order");
    x.strides = c_order;
    CHECK(fz__nest_init(&nest, "f", 2, (const fz_array *[]){&x, &out}) == FZ_OK && nest.ndim == 3, "mixed");
    fz_array scalar = {data, FZ_FLOAT64, 0, NULL, NULL};
    CHECK(fz__nest_init(&nest, "f", 2, (const fz_array *[]){&scalar, &out}) == FZ_OK && nest.ndim == 1,
          "scalar");
}

static void test_the_last_axis_moves_fastest(void) {
    check_case("order of axes");
    static double data[128], other[128];
    static const ptrdiff_t shape[2] = {4, 5}, strides[2] = {8, 64};
    fz_array x = plane(data, shape, strides), out = plane(other, shape, strides);
    fz__nest nest;
    CHECK(fz__nest_init(&nest, "f", 2, (const fz_array *[]){&x, &out}) == FZ_OK);
    CHECK(nest.ndim == 2 && nest.shape[0] == 5 && nest.shape[1] == 4 && nest.strides[1][1] == 8);
}

static void test_shapes_that_do_not_fit(void) {
    static const struct {
        int x_ndim, out_ndim;
        ptrdiff_t x_shape[3], out_shape[3];
    } cases[] = {
        {1, 1, {3}, {4}}, {1, 1, {3}, {1}}, {2, 1, {1, 3}, {3}}, {2, 2, {2, 3}, {3, 2}},
        {1, 1, {0}, {1}}, {1, 1, {3}, {0}}, {1, 0, {1}, {0}},    {3, 3, {2, 2, 3}, {2, 1, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_case("shapes that do not fit, %zu", i);
        double data[1], other[1];
        ptrdiff_t strides[3] = {8, 8, 8};
        fz_array x = {data, FZ_FLOAT64, cases[i].x_ndim, cases[i].x_shape, strides};
        fz_array out = {other, FZ_FLOAT64, cases[i].out_ndim, cases[i].out_shape, strides};
        fz__nest nest;
        CHECK(fz__nest_init(&nest, "some_operation", 2, (const fz_array *[]){&x, &out}) == FZ_ERROR_SHAPE);
        CHECK(strstr(fz_error_message(), "some_operation"), "'%s'", fz_error_message());
    }
}

int main(void) {
    check_begin();
    test_dtypes();
    test_contiguous_strides();
    test_strides_of_nothing();
    test_sizes_are_checked();
    test_unknown_dtypes_are_refused();
    test_random_views();
    test_ordinary_outputs_do_not_overlap_themselves();
    test_repeated_elements_overlap();
    test_same_view();
    test_random_nests();
    test_axes_without_gaps_are_one();
    test_the_last_axis_moves_fastest();
    test_shapes_that_do_not_fit();
    return check_end();
}
