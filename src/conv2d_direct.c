/* Convolution, the direct way: blocks of outputs of one channel, one column of the window after the other. */
#include <string.h>

#include "conv2d.h"

enum {
    BAND_WORK = 1 << 20,        /* multiply-adds of an item: enough to be worth handing out */
    BAND_OUTPUTS = 16384,       /* most outputs of an item */
    LINE_OUTPUTS = 4096,        /* of a row of an item that is read through scratch */
    MOST_BAND_BYTES = 4 << 20,  /* where even one row of outputs sees that much, its line is cut */
    MOST_MORE_BYTES = 16 << 20, /* where further rows of outputs see so much more, rows go one by one */
    LEAST_LINE = 64,
};

/* ---- the window as a list of columns --------------------------------------------------------------------------------- */

/* Rows of the window that one step of the output's rows apart see each other's elements make a column; returns their
   number. order: the tap of each weight. */
static size_t list_columns(const fz__conv *conv, const fz__band *band, fz_window_column *columns,
                           ptrdiff_t *order) {
    const ptrdiff_t kh = conv->weight.shape[2], kw = conv->weight.shape[3], step = conv->stride[0];
    const ptrdiff_t down = conv->dilation[0] / band->step * band->row;
    /* p and p + apart are one output row apart; only neighbours in a list of weights make a column */
    const ptrdiff_t apart = step % conv->dilation[0] == 0 ? step / conv->dilation[0] : kh;
    size_t count = 0;
    for (ptrdiff_t c = 0; c < conv->weight.shape[1]; c++) {
        for (ptrdiff_t q = 0; q < kw; q++) {
            const ptrdiff_t at = q * conv->dilation[1];
            const ptrdiff_t offset =
                c * band->plane + at % conv->stride[1] * band->phase + at / conv->stride[1] * conv->element;
            for (ptrdiff_t first = 0; first < fz__min(apart, kh); first++, count++) {
                columns[count].offset = offset + first * down;
                columns[count].height = (size_t)fz__ceil_div(kh - first, apart);
                for (ptrdiff_t p = first; p < kh; p += apart) *order++ = (c * kh + p) * kw + q;
            }
        }
    }
    return count;
}

/* All weights, gapless, in memory order of their taps; then again in the order of the columns. */
static void order_weights(const fz__conv *conv, const ptrdiff_t *order, ptrdiff_t taps, char *plain,
                          char *ordered) {
    ptrdiff_t strides[4];
    fz_contiguous_strides(conv->dtype, 4, conv->weight.shape, strides);
    fz__copy_alone(
        &(fz_array){conv->weight.data, conv->weight.dtype, 4, conv->weight.shape, conv->weight.strides},
        &(fz_array){plain, conv->dtype, 4, conv->weight.shape, strides});
    for (ptrdiff_t o = 0; o < conv->weight.shape[0]; o++, plain += taps * conv->element) {
        for (ptrdiff_t t = 0; t < taps; t++, ordered += conv->element) {
            if (conv->element == 4)
                memcpy(ordered, plain + order[t] * 4, 4);
            else
                memcpy(ordered, plain + order[t] * 8, 8);
        }
    }
}

fz_status fz__taps_create(fz__taps *taps, const fz__conv *conv, const fz__band *band) {
    const ptrdiff_t n = conv->weight.shape[1] * conv->weight.shape[2] * conv->weight.shape[3];
    const ptrdiff_t weights = fz__round_up(conv->weight.shape[0] * n * conv->element, FZ_CACHE_LINE);
    const ptrdiff_t columns = n * (ptrdiff_t)sizeof(fz_window_column);
    taps->memory = fz__workspace_acquire(conv->operation,
                                         (size_t)(2 * weights + columns + n * (ptrdiff_t)sizeof(ptrdiff_t)));
    if (!taps->memory) return FZ_ERROR_MEMORY;
    char *ordered = taps->memory, *plain = ordered + weights;
    fz_window_column *list = (fz_window_column *)(plain + weights);
    ptrdiff_t *order = (ptrdiff_t *)(plain + weights + columns);
    const size_t count = list_columns(conv, band, list, order);
    order_weights(conv, order, n, plain, ordered);
    taps->window = (fz_window){.count = count,
                               .columns = list,
                               .weights = ordered,
                               .x_stride = conv->stride[0] / band->step * band->row};
    taps->weights_bytes = n * conv->element;
    return FZ_OK;
}

void fz__taps_free(fz__taps *taps) { fz__workspace_release(taps->memory); }

/* ---- items ----------------------------------------------------------------------------------------------------------- */

typedef struct job {
    const fz__conv *conv;
    bool separable;
    fz__taps taps, down; /* separable: taps lie along the lines that the taps down leave */
    bool reads_in_place, writes_in_place;
    ptrdiff_t groups, rows, columns;                /* of an item */
    ptrdiff_t group_items, row_items, column_items; /* of an image */
    fz__band band;
    char *scratch; /* per participant: a band of x, lines, results */
    ptrdiff_t x_bytes, line_bytes, lines, scratch_bytes;
} job;

/* A few lines at a time, which stay in L1 from one pass to the next. */
static void convolve_twice(const job *j, const fz_window *across, ptrdiff_t channel, const char *x,
                           ptrdiff_t rows, ptrdiff_t columns, char *lines, char *results) {
    static const double zero = 0;
    fz_conv2d_direct *convolve = j->conv->kernels->conv2d_direct;
    fz_window down = j->down.window;
    down.weights = (const char *)down.weights + channel * j->down.weights_bytes;
    down.initial = &zero;
    down.out_stride = j->line_bytes;
    const size_t seen = (size_t)fz__conv_span(j->conv, 1, columns);
    for (ptrdiff_t r = 0; r < rows; r += j->lines) {
        const size_t count = (size_t)fz__min(j->lines, rows - r);
        convolve(&down, count, seen, x + r * down.x_stride, lines);
        convolve(across, count, (size_t)columns, lines, results + r * across->out_stride);
    }
}

/* Outputs of one channel: a rectangle whose x is at hand. */
static void convolve_channel(const job *j, const fz__rectangle *at, ptrdiff_t channel, const char *x,
                             ptrdiff_t rows, ptrdiff_t columns, char *lines, char *results) {
    const fz__conv *conv = j->conv;
    const fz__image *out = &conv->out;
    _Alignas(8) char bias[8];
    fz_window window = j->taps.window;
    window.weights = (const char *)window.weights + channel * j->taps.weights_bytes;
    window.initial = bias;
    window.out_stride = columns * conv->element;
    if (j->writes_in_place) {
        results = out->data + at->image * out->strides[0] + channel * out->strides[1] +
                  at->row * out->strides[2] + at->column * out->strides[3];
        window.out_stride = out->strides[2];
    }
    fz__conv_bias(conv, channel, 1, bias);
    if (j->separable)
        convolve_twice(j, &window, channel, x, rows, columns, lines, results);
    else
        conv->kernels->conv2d_direct(&window, (size_t)rows, (size_t)columns, x, results);
    fz__conv_store(conv, results, window.out_stride, at->image, channel, at->row, rows, at->column, columns);
}

/* at: the item in outputs, its channels counted in groups. */
static void convolve_item(const job *j, const fz__rectangle *at, char *scratch) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t channels = conv->weight.shape[1], outputs = conv->weight.shape[0] / conv->groups;
    const fz__rectangle from = {at->image,
                                at->channel * channels,
                                at->channels * channels,
                                at->row * conv->stride[0],
                                fz__conv_span(conv, 0, at->rows),
                                at->column * conv->stride[1],
                                fz__conv_span(conv, 1, at->columns)};
    const char *x = scratch;
    const ptrdiff_t plane = j->band.plane;
    if (j->reads_in_place) {
        x = conv->x.data + from.image * conv->x.strides[0] + from.channel * plane +
            from.row * conv->x.strides[2] + from.column * conv->x.strides[3];
    } else {
        fz__band_load(conv, &from, &j->band, fz__min(conv->stride[1], from.columns), scratch);
    }
    for (ptrdiff_t g = 0; g < at->channels; g++) {
        for (ptrdiff_t o = 0; o < outputs; o++)
            convolve_channel(j, at, (at->channel + g) * outputs + o, x + g * channels * plane, at->rows,
                             at->columns, scratch + j->x_bytes,
                             scratch + j->x_bytes + j->lines * j->line_bytes);
    }
}

static void convolve_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t column = item % j->column_items * j->columns, rest = item / j->column_items;
        const ptrdiff_t row = rest % j->row_items * j->rows,
                        group = rest / j->row_items % j->group_items * j->groups;
        const fz__rectangle at = {.image = rest / j->row_items / j->group_items,
                                  .channel = group,
                                  .channels = fz__min(j->groups, j->conv->groups - group),
                                  .row = row,
                                  .rows = fz__min(j->rows, j->conv->out.shape[2] - row),
                                  .column = column,
                                  .columns = fz__min(j->columns, j->conv->out.shape[3] - column)};
        convolve_item(j, &at, j->scratch + participant * j->scratch_bytes);
    }
}

/* ---- the plan -------------------------------------------------------------------------------------------------------- */

/* Long lines; then as many rows as half of L2 has room for, by the kernel's blocks of four; then as many groups. */
static void choose_items(job *j) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t h = conv->out.shape[2], w = conv->out.shape[3];
    const ptrdiff_t taps = j->separable
                               ? conv->weight.shape[2] + conv->weight.shape[3]
                               : conv->weight.shape[1] * conv->weight.shape[2] * conv->weight.shape[3];
    /* Only of wide integers many channels come out of an item. */
    const ptrdiff_t channels = fz__is_float(conv->dtype) ? 1 : conv->weight.shape[0] / conv->groups;
    const ptrdiff_t outputs = fz__max(1, fz__min(BAND_OUTPUTS, BAND_WORK / taps / channels));
    const double room = (double)fz__cpu_caches()->l2 / 2;
    j->columns = !j->reads_in_place ? fz__min(w, LINE_OUTPUTS)
                 : h == 1           ? fz__min(w, fz__max(LEAST_LINE, outputs))
                                    : w;
    if (j->separable) {
        const ptrdiff_t most = fz__max(256, (ptrdiff_t)fz__cpu_caches()->l1 / 8 / conv->element);
        j->columns = fz__ceil_div(w, fz__ceil_div(w, most));
    }
    while (!j->reads_in_place && j->columns > LEAST_LINE &&
           fz__band_bytes(conv, 1, j->columns) > MOST_BAND_BYTES)
        j->columns = fz__ceil_div(j->columns, 2);
    j->rows = fz__min(h, fz__max(4, outputs / j->columns));
    while (j->rows > 4 && !j->reads_in_place && fz__band_bytes(conv, j->rows, j->columns) > room)
        j->rows = fz__ceil_div(j->rows, 2);
    if (j->rows < h) j->rows = fz__min(h, fz__round_up(j->rows, 4));
    const double more = fz__band_bytes(conv, j->rows, j->columns) - fz__band_bytes(conv, 1, j->columns);
    if (!j->reads_in_place && more > MOST_MORE_BYTES) j->rows = 1;
    const ptrdiff_t near = (ptrdiff_t)(room / fz__band_bytes(conv, j->rows, j->columns));
    j->groups = fz__max(1, fz__min(conv->groups, fz__min(near, outputs / (j->rows * j->columns))));
    j->column_items = fz__ceil_div(w, j->columns);
    j->row_items = fz__ceil_div(h, j->rows);
    j->group_items = fz__ceil_div(conv->groups, j->groups);
}

static fz_status create_taps(job *j, const fz__factors *factors) {
    if (!j->separable) return fz__taps_create(&j->taps, j->conv, &j->band);
    fz__conv down = *j->conv, across = *j->conv;
    down.weight = factors->down;
    across.weight = factors->across;
    across.dilation[0] = 1; /* of a single row: of any size in conv */
    j->line_bytes = fz__round_up(fz__conv_span(j->conv, 1, j->columns) * j->conv->element, FZ_CACHE_LINE);
    j->lines = 4 * fz__max(1, (ptrdiff_t)fz__cpu_caches()->l1 / 8 / j->line_bytes);
    const fz__band lines = {.row = j->line_bytes, .step = 1};
    fz_status status = fz__taps_create(&j->taps, &across, &lines);
    if (status) return status;
    status = fz__taps_create(&j->down, &down, &j->band);
    if (status) fz__taps_free(&j->taps);
    return status;
}

fz_status fz__conv_direct(const fz__conv *conv, const fz__factors *factors) {
    job j = {.conv = conv,
             .separable = factors != NULL,
             .reads_in_place = fz__conv_reads_in_place(conv),
             .writes_in_place = fz__conv_writes_in_place(conv),
             .band = fz__band_in_place(conv)};
    choose_items(&j);
    fz_status status = j.reads_in_place ? FZ_OK : fz__band_layout(conv, j.rows, j.columns, 0, &j.band);
    if (!status) status = create_taps(&j, factors);
    if (status) return status;
    const ptrdiff_t items = conv->out.shape[0] * j.group_items * j.row_items * j.column_items;
    const int participants = fz__participants(items, 1);
    if (!j.reads_in_place)
        j.x_bytes = fz__round_up(j.groups * conv->weight.shape[1] * j.band.plane, FZ_CACHE_LINE);
    j.scratch_bytes = j.x_bytes + j.lines * j.line_bytes;
    if (!j.writes_in_place)
        j.scratch_bytes += fz__round_up(j.rows * j.columns * conv->element, FZ_CACHE_LINE);
    j.scratch = fz__workspace_acquire(conv->operation, (size_t)(participants * j.scratch_bytes));
    if (j.scratch) fz__parallel_for(participants, items, 1, convolve_items, &j);
    fz__workspace_release(j.scratch);
    fz__taps_free(&j.taps);
    if (j.separable) fz__taps_free(&j.down);
    return j.scratch ? FZ_OK : FZ_ERROR_MEMORY;
}
