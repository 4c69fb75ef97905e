/* conv2d and pooling with all their options, drawn at random, against plain loops: whole numbers, so that every sum is
   exact, against unmapped pages. */
#include "instruction_set.h"
#include "operand.h"

static uint64_t state = 21;
static operand x, weight, bias, out;

static ptrdiff_t draw(ptrdiff_t least, ptrdiff_t most) {
    return least + (ptrdiff_t)random_below(&state, (size_t)(most - least + 1));
}

/* The least number of a dtype. */
static double least_of(fz_dtype dtype) {
    if (is_signed(dtype)) return -ldexp(1, 8 * (int)fz_dtype_size(dtype) - 1);
    return is_float(dtype) ? -INFINITY : 0;
}

static void fill_whole(const fz_array *a) {
    const ptrdiff_t most = a->dtype == FZ_BOOL ? 1 : 9, least = least_of(a->dtype) < 0 ? -most : 0;
    for (ptrdiff_t i = 0; i < view_size(a); i++) put(a, i, (double)draw(least, most));
}

/* All elements in C order, for loops that meet each of them often; free them. */
static double *copy_values(const fz_array *a) {
    const ptrdiff_t size = view_size(a);
    double *values = malloc((size_t)(size + 1) * sizeof *values);
    for (ptrdiff_t i = 0; values && i < size; i++) values[i] = get(a, i);
    return values;
}

static void place(operand *o, fz_dtype dtype, int ndim, const ptrdiff_t shape[]) {
    operand_place(o, dtype, ndim, shape, NULL, draw(0, 1) ? AT_BEGIN : AT_END, 0);
    fill_whole(&o->view);
}

/* Of an image (n, c, h, w), or (n, h, w, c). */
static ptrdiff_t index_of(const fz_array *a, bool last, const ptrdiff_t at[4]) {
    const ptrdiff_t places[4] = {at[0], last ? at[2] : at[1], last ? at[3] : at[2], last ? at[1] : at[3]};
    ptrdiff_t index = 0;
    for (int d = 0; d < 4; d++) index = index * a->shape[d] + places[d];
    return index;
}

static void set_shape(bool last, ptrdiff_t n, ptrdiff_t c, ptrdiff_t h, ptrdiff_t w, ptrdiff_t shape[4]) {
    const ptrdiff_t planes[4] = {n, c, h, w}, pixels[4] = {n, h, w, c};
    memcpy(shape, last ? pixels : planes, sizeof planes);
}

/* Where an element of a window lies along an axis, which may be beyond x. */
static bool is_inside(ptrdiff_t at, ptrdiff_t n) { return at >= 0 && at < n; }

/* ---- conv2d ---------------------------------------------------------------------------------------------------- */

typedef struct layer {
    ptrdiff_t n, inputs, outputs, side[2], window[2]; /* inputs and outputs: of a group */
    fz_conv2d_options options;
} layer;

static layer draw_layer(void) {
    const bool depthwise = draw(0, 2) == 0;
    layer l = {.n = draw(1, 2), .inputs = depthwise ? 1 : draw(1, 5), .options = FZ_CONV2D_DEFAULTS};
    l.outputs = depthwise ? 1 : draw(0, 1) ? draw(1, 4) : draw(5, 40);
    l.options.groups = depthwise ? draw(1, 40) : draw(1, 2);
    l.options.channels_last = (int)draw(0, 1);
    for (int d = 0; d < 2; d++) {
        fz_conv2d_options *o = &l.options;
        l.window[d] = draw(1, 5);
        o->stride[d] = draw(1, 3);
        o->dilation[d] = draw(1, 2);
        for (int side = 0; side < 2; side++) o->padding[d][side] = draw(0, 3);
        const ptrdiff_t least = (l.window[d] - 1) * o->dilation[d] + 1 - o->padding[d][0] - o->padding[d][1];
        l.side[d] = draw(least > 1 ? least : 1, (least > 1 ? least : 1) + 19);
    }
    return l;
}

/* What x and weight are of, and by the manual the result. */
typedef struct dtypes {
    fz_dtype x, weight, result;
} dtypes;

/* Those that are computed in place come first. */
static const dtypes convolved_dtypes[] = {
    {FZ_FLOAT32, FZ_FLOAT32, FZ_FLOAT32},    {FZ_FLOAT64, FZ_FLOAT64, FZ_FLOAT64},
    {FZ_UINT8, FZ_UINT8, FZ_INT32},          {FZ_UINT8, FZ_INT8, FZ_INT32},
    {FZ_INT16, FZ_INT16, FZ_INT32},          {FZ_FLOAT16, FZ_FLOAT16, FZ_FLOAT16},
    {FZ_BFLOAT16, FZ_BFLOAT16, FZ_BFLOAT16}, {FZ_UINT8, FZ_FLOAT32, FZ_FLOAT32},
    {FZ_FLOAT32, FZ_INT16, FZ_FLOAT32},      {FZ_FLOAT16, FZ_BFLOAT16, FZ_FLOAT32},
    {FZ_INT32, FZ_INT32, FZ_INT32},          {FZ_INT64, FZ_UINT8, FZ_INT64},
    {FZ_UINT64, FZ_UINT64, FZ_UINT64},       {FZ_UINT8, FZ_UINT32, FZ_UINT32},
};

/* Of the elements of x and weight. */
static double convolved(const layer *l, const double *seen, const double *weights, ptrdiff_t n, ptrdiff_t o,
                        ptrdiff_t i, ptrdiff_t j) {
    const fz_conv2d_options *given = &l->options;
    double sum = get(&bias.view, o);
    for (ptrdiff_t c = 0; c < l->inputs; c++)
        for (ptrdiff_t p = 0; p < l->window[0]; p++)
            for (ptrdiff_t q = 0; q < l->window[1]; q++) {
                const ptrdiff_t row = i * given->stride[0] + p * given->dilation[0] - given->padding[0][0],
                                column = j * given->stride[1] + q * given->dilation[1] - given->padding[1][0];
                if (!is_inside(row, l->side[0]) || !is_inside(column, l->side[1])) continue;
                const ptrdiff_t at[4] = {n, o / l->outputs * l->inputs + c, row, column};
                sum += seen[index_of(&x.view, given->channels_last, at)] *
                       weights[((o * l->inputs + c) * l->window[0] + p) * l->window[1] + q];
            }
    return sum;
}

static ptrdiff_t count_wrong(const layer *l) {
    const bool last = l->options.channels_last;
    const ptrdiff_t outputs = weight.shape[0], h = out.shape[last ? 1 : 2], w = out.shape[last ? 2 : 3];
    double *seen = copy_values(&x.view), *weights = copy_values(&weight.view);
    ptrdiff_t wrong = 0;
    for (ptrdiff_t n = 0; n < l->n; n++)
        for (ptrdiff_t o = 0; o < outputs; o++)
            for (ptrdiff_t i = 0; i < h * w; i++) {
                const ptrdiff_t at[4] = {n, o, i / w, i % w};
                const double want = convolved(l, seen, weights, n, o, i / w, i % w),
                             got = get(&out.view, index_of(&out.view, last, at));
                wrong += got != rounded_to(out.view.dtype, want);
            }
    free(seen), free(weights);
    return wrong;
}

static void check_layer(dtypes of, layer l) {
    const ptrdiff_t groups = l.options.groups;
    ptrdiff_t shape[4];
    set_shape(l.options.channels_last, l.n, groups * l.inputs, l.side[0], l.side[1], shape);
    place(&x, of.x, 4, shape);
    place(&weight, of.weight, 4, (ptrdiff_t[]){groups * l.outputs, l.inputs, l.window[0], l.window[1]});
    place(&bias, of.weight, 1, (ptrdiff_t[]){groups * l.outputs});
    fz_dtype result;
    int ndim;
    const fz_status fits =
        fz_conv2d_shape(&x.view, &weight.view, &bias.view, &l.options, &result, &ndim, shape);
    if (!CHECK(fits == FZ_OK && result == of.result && ndim == 4, "%s", fz_error_message())) return;
    place(&out, result, 4, shape);
    operand_scribble(&out);
    operand_remember(&x), operand_remember(&weight), operand_remember(&out);
    if (!CHECK(fz_conv2d(&x.view, &weight.view, &bias.view, &l.options, &out.view) == FZ_OK, "%s",
               fz_error_message()))
        return;
    const ptrdiff_t wrong = count_wrong(&l);
    CHECK(wrong == 0, "%td elements are wrong", wrong);
    CHECK(operand_unchanged_around(&out), "wrote beside the output");
    CHECK(operand_unchanged(&x) && operand_unchanged(&weight), "wrote an input");
}

static void test_layer(dtypes of, int trial) {
    check_case("conv2d %s by %s, layer %d", fz_dtype_name(of.x), fz_dtype_name(of.weight), trial);
    check_layer(of, draw_layer());
}

/* Windows of one pixel: all pixels of an image are one row, cut among threads and, of many channels, to fit a cache; some
   numbers of them leave a few over. */
static void test_single_pixels(dtypes of) {
    static const ptrdiff_t sides[][2] = {{15, 15}, {1, 113}, {15, 16}, {23, 29}};
    const int before = fz_get_num_threads();
    for (int threads = 1; threads <= 3; threads++) {
        CHECK(fz_set_num_threads(threads) == FZ_OK);
        for (int trial = 0; trial < 16; trial++) {
            const ptrdiff_t *side = sides[trial % 4];
            const bool is_large = threads == 1 && trial == 0;
            fz_conv2d_options options = FZ_CONV2D_DEFAULTS;
            options.groups = is_large ? 1 : draw(1, 2);
            check_case("conv2d %s by %s of single pixels, %d threads, trial %d", fz_dtype_name(of.x),
                       fz_dtype_name(of.weight), threads, trial);
            check_layer(of, (layer){.n = 1,
                                    .inputs = is_large ? 2048 : draw(1, 40),
                                    .outputs = draw(17, is_large ? 20 : 70),
                                    .side = {side[0], side[1]},
                                    .window = {1, 1},
                                    .options = options});
        }
    }
    CHECK(fz_set_num_threads(before) == FZ_OK);
}

/* ---- pooling --------------------------------------------------------------------------------------------------- */

/* Every other one is of the common windows, and wide. */
static fz_pool2d_options draw_pool(fz_pooling pooling, bool common, ptrdiff_t side[2]) {
    fz_pool2d_options o = {.channels_last = (int)draw(0, 1), .ceil_mode = (int)draw(0, 1)};
    const ptrdiff_t window = draw(2, 3), stride = draw(1, 2);
    o.count_padding = (int)draw(0, 1);
    for (int d = 0; d < 2; d++) {
        o.window[d] = common ? window : draw(1, 9);
        o.stride[d] = common ? stride : draw(1, 4);
        o.dilation[d] = pooling == FZ_POOLING_MAX || draw(0, 1) ? draw(1, 2) : 1;
        o.padding[d] = draw(0, o.window[d] / 2);
        const ptrdiff_t least = (o.window[d] - 1) * o.dilation[d] + 1 - 2 * o.padding[d];
        side[d] = draw(least > 1 ? least : 1, (least > 1 ? least : 1) + (common && d == 1 ? 300 : 24));
    }
    return o;
}

static double pooled(fz_pooling pooling, const fz_pool2d_options *o, const ptrdiff_t side[2],
                     const ptrdiff_t at[4]) {
    double largest = least_of(x.view.dtype), sum = 0;
    ptrdiff_t seen = 0, counted = 0;
    for (ptrdiff_t p = 0; p < o->window[0]; p++)
        for (ptrdiff_t q = 0; q < o->window[1]; q++) {
            const ptrdiff_t row = at[2] * o->stride[0] + p * o->dilation[0] - o->padding[0],
                            column = at[3] * o->stride[1] + q * o->dilation[1] - o->padding[1];
            counted += row < side[0] + o->padding[0] && column < side[1] + o->padding[1];
            if (!is_inside(row, side[0]) || !is_inside(column, side[1])) continue;
            const double value =
                get(&x.view, index_of(&x.view, o->channels_last, (ptrdiff_t[]){at[0], at[1], row, column}));
            largest = value > largest ? value : largest;
            sum += value;
            seen++;
        }
    return pooling == FZ_POOLING_MAX ? largest : sum / (double)(o->count_padding ? counted : seen);
}

static void test_pool(fz_dtype dtype, fz_pooling pooling, int trial) {
    ptrdiff_t side[2], shape[4];
    const fz_pool2d_options o = draw_pool(pooling, trial % 2, side);
    const ptrdiff_t images = draw(1, 2), channels = draw(1, 9);
    check_case("pooling %d of %s, trial %d", (int)pooling, fz_dtype_name(dtype), trial);
    set_shape(o.channels_last, images, channels, side[0], side[1], shape);
    place(&x, dtype, 4, shape);
    fz_dtype result;
    if (!CHECK(fz_pool2d_shape(pooling, &x.view, &o, &result, shape) == FZ_OK, "%s", fz_error_message()))
        return;
    place(&out, result, 4, shape);
    operand_scribble(&out);
    operand_remember(&x), operand_remember(&out);
    if (!CHECK(fz_pool2d(pooling, &x.view, &o, &out.view) == FZ_OK, "%s", fz_error_message())) return;
    const ptrdiff_t h = shape[o.channels_last ? 1 : 2], w = shape[o.channels_last ? 2 : 3];
    ptrdiff_t wrong = 0;
    for (ptrdiff_t plane = 0; plane < images * channels; plane++)
        for (ptrdiff_t i = 0; i < h * w; i++) {
            const ptrdiff_t at[4] = {plane / channels, plane % channels, i / w, i % w};
            const double want = pooled(pooling, &o, side, at),
                         rounded = result == FZ_FLOAT64 ? want : rounded_to(result, (float)want),
                         got = get(&out.view, index_of(&out.view, o.channels_last, at));
            wrong += got != rounded && !(isnan(got) && isnan(rounded));
        }
    CHECK(wrong == 0, "%td elements are wrong", wrong);
    CHECK(operand_unchanged_around(&out) && operand_unchanged(&x), "wrote beside the output");
}

int main(void) {
    check_begin_kernels();
    operand *const all[] = {&x, &weight, &bias, &out};
    for (int i = 0; i < 4; i++) *all[i] = operand_create(i ? 1 << 20 : 12 << 20);
    for (size_t i = 0; i < sizeof convolved_dtypes / sizeof *convolved_dtypes; i++) {
        for (int trial = 0; trial < (i < FZ_FULL_DTYPES ? 400 : 100); trial++)
            test_layer(convolved_dtypes[i], trial);
        test_single_pixels(convolved_dtypes[i]);
    }
    for (fz_dtype dtype = 0; dtype < FZ_DTYPE_COUNT; dtype++) {
        for (int trial = 0; trial < 200; trial++) test_pool(dtype, FZ_POOLING_MAX, trial);
        for (int trial = 0; trial < 200; trial++) test_pool(dtype, FZ_POOLING_MEAN, trial);
    }
    for (int i = 0; i < 4; i++) operand_destroy(all[i]);
    return check_end();
}
