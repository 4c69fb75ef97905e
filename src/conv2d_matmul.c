/* Convolution of many channels as a product of matrices that are never made: (pixels x taps) times (taps x output
   channels). Weights are packed into panels of output channels; pixels are read from x, or from a band of it in
   scratch, through a table of the taps' offsets. Every output is one sum in the order of the taps.

   An item is a block of panels by a band of outputs. Blocks change slowest, and each participant keeps what it packed
   and loaded last, so that neighbouring items share it. */
#include <string.h>

#include "conv2d.h"

enum {
    CHUNK = 112, /* pixels whose sums lie in scratch before they go to out; a multiple of 7, 14 and 16 */
    ITEMS_PER_PARTICIPANT = 4,
};

typedef struct job {
    const fz__conv *conv;
    const fz_conv2d_tile *kernel;
    bool reads_in_place;
    ptrdiff_t taps, panel, outputs; /* of a group: taps, channels of a panel, output channels */
    ptrdiff_t block;                /* panels of an item */
    ptrdiff_t rows, columns;        /* of outputs, of an item */
    ptrdiff_t blocks, row_items, column_items, items; /* blocks: of a group */
    fz__band band;
    const ptrdiff_t *offsets;
    char *scratch; /* per participant: its state, panels, sums, a band */
    ptrdiff_t panels_bytes, sums_bytes, band_bytes, scratch_bytes;
} job;

/* What a participant has at hand; -1: nothing. */
typedef struct state {
    ptrdiff_t block, band;
    char *panels, *sums, *x;
    _Alignas(FZ_MAX_VECTOR_BYTES) char bias[2 * FZ_MAX_VECTOR_BYTES];
} state;

/* ---- panels ------------------------------------------------------------------------------------------------------------ */

/* The channels for which there is room in a panel of n. */
static ptrdiff_t panel_width(const job *j, ptrdiff_t n) {
    return n > j->kernel->lanes ? j->panel : j->kernel->lanes;
}

static void pack_panel(const job *j, ptrdiff_t channel, ptrdiff_t n, char *panel) {
    const fz__image *w = &j->conv->weight;
    const ptrdiff_t element = j->conv->element, step = panel_width(j, n) * element, kw = w->shape[3];
    const ptrdiff_t tap = w->strides[3];
    char *from = w->data + channel * w->strides[0];
    if (n * element < step) memset(panel, 0, (size_t)(j->taps * step));
    if (w->dtype == j->conv->dtype && tap == element && w->strides[2] == kw * tap &&
        w->strides[1] == w->shape[2] * kw * tap) {
        j->conv->kernels->transpose((size_t)n, (size_t)j->taps, from, w->strides[0], panel, step);
        return;
    }
    const ptrdiff_t shape[4] = {n, w->shape[1], w->shape[2], kw};
    const ptrdiff_t strides[4] = {element, w->shape[2] * kw * step, kw * step, step};
    fz__copy_alone(&(fz_array){from, w->dtype, 4, shape, w->strides},
                   &(fz_array){panel, j->conv->dtype, 4, shape, strides});
}

/* block: counted through all groups. */
static void pack_block(const job *j, ptrdiff_t block, char *panels) {
    const ptrdiff_t group = block / j->blocks, first = block % j->blocks * j->block * j->panel;
    const ptrdiff_t end = fz__min(first + j->block * j->panel, j->outputs);
    for (ptrdiff_t o = first; o < end; o += j->panel, panels += j->taps * j->panel * j->conv->element)
        pack_panel(j, group * j->outputs + o, fz__min(j->panel, end - o), panels);
}

/* ---- sums --------------------------------------------------------------------------------------------------------------- */

/* Sums of rows x columns pixels and n channels, pixel after pixel. The last group of a row overlaps its neighbour;
   where a row is shorter than a group, what lies beyond is computed in vain and overwritten by the next row. */
static void sum_chunk(const job *j, const char *x, ptrdiff_t row_stride, ptrdiff_t rows, ptrdiff_t columns,
                      ptrdiff_t n, const char *panel, const char *bias, char *sums) {
    const ptrdiff_t element = j->conv->element, width = panel_width(j, n) * element, group = j->kernel->group;
    const void *pixels[2];
    void *results[2];
    int waiting = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        for (ptrdiff_t c = 0; c < columns; c += group) {
            const ptrdiff_t at = fz__max(0, fz__min(c, columns - group));
            pixels[waiting] = x + r * row_stride + at * element;
            results[waiting] = sums + (r * columns + at) * width;
            if (++waiting < 2) continue;
            j->kernel->tile((size_t)n, (size_t)j->taps, pixels, j->offsets, panel, bias, results);
            waiting = 0;
        }
    }
    if (!waiting) return;
    pixels[1] = pixels[0];
    results[1] = results[0];
    j->kernel->tile((size_t)n, (size_t)j->taps, pixels, j->offsets, panel, bias, results);
}

/* A chunk's sums to out; at is its place there. */
static void store_chunk(const job *j, const fz__rectangle *at, ptrdiff_t channel, ptrdiff_t n, char *sums) {
    const fz__conv *conv = j->conv;
    const fz__image *out = &conv->out;
    const ptrdiff_t width = panel_width(j, n), step = width * conv->element, pixels = at->rows * at->columns;
    const fz_dtype dtype = fz__conv_finish(conv, pixels * width, sums);
    char *to = out->data + at->image * out->strides[0] + channel * out->strides[1] +
               at->row * out->strides[2] + at->column * out->strides[3];
    const bool gapless = at->rows == 1 || out->strides[2] == at->columns * conv->element;
    if (out->dtype == conv->dtype && out->strides[3] == conv->element && gapless) {
        conv->kernels->transpose((size_t)pixels, (size_t)n, sums, step, to, out->strides[1]);
        return;
    }
    const ptrdiff_t shape[3] = {n, at->rows, at->columns},
                    strides[3] = {conv->element, at->columns * step, step};
    fz__copy_alone(&(fz_array){sums, dtype, 3, shape, strides},
                   &(fz_array){to, out->dtype, 3, shape, &out->strides[1]});
}

/* ---- items --------------------------------------------------------------------------------------------------------------- */

/* One panel and all pixels of an item, whose x is at hand. */
static void convolve_panel(const job *j, const fz__rectangle *item, ptrdiff_t channel, ptrdiff_t n,
                           const char *panel, const char *x, ptrdiff_t row_stride, const state *mine) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t columns = fz__min(item->columns, CHUNK), rows = fz__max(1, CHUNK / columns);
    fz__rectangle at = *item;
    for (ptrdiff_t r = 0; r < item->rows; r += rows) {
        for (ptrdiff_t c = 0; c < item->columns; c += columns) {
            /* A rest shorter than a group starts earlier, and what it covers twice is written twice. */
            const ptrdiff_t rest = item->columns - c, group = j->kernel->group;
            const ptrdiff_t back = rest < group && c > 0 ? group - rest : 0;
            at.row = item->row + r;
            at.rows = fz__min(rows, item->rows - r);
            at.column = item->column + c - back;
            at.columns = fz__min(columns, rest + back);
            sum_chunk(j, x + r * row_stride * conv->stride[0] + (c - back) * conv->element,
                      row_stride * conv->stride[0], at.rows, at.columns, n, panel, mine->bias, mine->sums);
            store_chunk(j, &at, channel, n, mine->sums);
        }
    }
}

static const char *load_band(const job *j, const fz__rectangle *item, ptrdiff_t group, ptrdiff_t id,
                             state *mine) {
    const fz__conv *conv = j->conv;
    const fz__image *x = &conv->x;
    const ptrdiff_t channels = conv->weight.shape[1];
    const fz__rectangle from = {item->image,
                                group * channels,
                                channels,
                                item->row * conv->stride[0],
                                fz__conv_span(conv, 0, item->rows),
                                item->column * conv->stride[1],
                                fz__conv_span(conv, 1, item->columns)};
    if (j->reads_in_place)
        return x->data + from.image * x->strides[0] + from.channel * x->strides[1] +
               from.row * x->strides[2] + from.column * x->strides[3];
    if (mine->band != id)
        fz__band_load(conv, &from, &j->band, fz__min(conv->stride[1], from.columns), mine->x);
    mine->band = id;
    return mine->x;
}

static void convolve_item(const job *j, ptrdiff_t item, state *mine) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t bands = conv->out.shape[0] * j->row_items * j->column_items;
    const ptrdiff_t block = item / bands, band = item % bands, group = block / j->blocks;
    const ptrdiff_t column = band % j->column_items * j->columns, rest = band / j->column_items;
    const ptrdiff_t row = rest % j->row_items * j->rows;
    const fz__rectangle at = {.image = rest / j->row_items,
                              .row = row,
                              .rows = fz__min(j->rows, conv->out.shape[2] - row),
                              .column = column,
                              .columns = fz__min(j->columns, conv->out.shape[3] - column)};
    if (mine->block != block) pack_block(j, block, mine->panels);
    mine->block = block;
    const char *x = load_band(j, &at, group, group * bands + band, mine), *panel = mine->panels;
    const ptrdiff_t first = block % j->blocks * j->block * j->panel;
    const ptrdiff_t end = fz__min(first + j->block * j->panel, j->outputs);
    for (ptrdiff_t o = first; o < end; o += j->panel, panel += j->taps * j->panel * conv->element) {
        const ptrdiff_t channel = group * j->outputs + o, n = fz__min(j->panel, end - o);
        memset(mine->bias, 0, sizeof mine->bias);
        fz__conv_bias(conv, channel, n, mine->bias);
        convolve_panel(j, &at, channel, n, panel, x, j->reads_in_place ? conv->x.strides[2] : j->band.row,
                       mine);
    }
}

static void convolve_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    state *mine = (state *)(j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t item = begin; item < end; item++) convolve_item(j, item, mine);
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------- */

static double band_bytes(const job *j) {
    return (double)fz__conv_span(j->conv, 0, j->rows) * (double)fz__conv_span(j->conv, 1, j->columns) *
           (double)(j->conv->weight.shape[1] * j->conv->element);
}

static void count_items(job *j) {
    j->row_items = fz__ceil_div(j->conv->out.shape[2], j->rows);
    j->column_items = fz__ceil_div(j->conv->out.shape[3], j->columns);
    j->items = j->conv->groups * j->blocks * j->conv->out.shape[0] * j->row_items * j->column_items;
}

/* A block of panels takes a third of L2 where it can, a band of x half. Then smaller bands, until there are items
   for all. */
static void choose_items(job *j, int threads) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t l2 = (ptrdiff_t)fz__cpu_caches()->l2, panels = fz__ceil_div(j->outputs, j->panel);
    j->block = fz__max(1, fz__min(panels, l2 / 3 / (j->taps * j->panel * conv->element)));
    j->blocks = fz__ceil_div(panels, j->block);
    j->rows = conv->out.shape[2];
    j->columns = conv->out.shape[3];
    for (count_items(j);; count_items(j)) {
        const bool large = !j->reads_in_place && band_bytes(j) > (double)l2 / 2;
        const bool few = j->items < (ptrdiff_t)threads * ITEMS_PER_PARTICIPANT && threads > 1;
        if (!large && !(few && j->rows * j->columns > CHUNK)) return;
        if (j->rows > 1)
            j->rows = fz__ceil_div(j->rows, 2);
        else if (j->columns > CHUNK)
            j->columns = fz__round_up(fz__ceil_div(j->columns, 2), CHUNK);
        else
            return;
        if (j->columns <= CHUNK && j->rows * j->columns > CHUNK) /* whole chunks */
            j->rows = fz__round_up(j->rows, CHUNK / j->columns);
        if (j->rows >= conv->out.shape[2] && j->columns >= conv->out.shape[3]) {
            j->rows = fz__min(j->rows, conv->out.shape[2]);
            count_items(j);
            return;
        }
    }
}

static void fill_offsets(const job *j, ptrdiff_t *offsets) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t plane = j->reads_in_place ? conv->x.strides[1] : j->band.plane;
    const ptrdiff_t row = j->reads_in_place ? conv->x.strides[2] : j->band.row;
    for (ptrdiff_t c = 0; c < conv->weight.shape[1]; c++) {
        for (ptrdiff_t p = 0; p < conv->weight.shape[2]; p++) {
            for (ptrdiff_t q = 0; q < conv->weight.shape[3]; q++) {
                const ptrdiff_t at = q * conv->dilation[1];
                *offsets++ = c * plane + p * conv->dilation[0] * row + at % conv->stride[1] * j->band.phase +
                             at / conv->stride[1] * conv->element;
            }
        }
    }
}

static void size_scratch(job *j) {
    const ptrdiff_t element = j->conv->element;
    j->panels_bytes = fz__round_up(j->block * j->taps * j->panel * element, FZ_CACHE_LINE);
    j->sums_bytes = fz__round_up((CHUNK + 2 * j->kernel->group) * j->panel * element, FZ_CACHE_LINE);
    if (!j->reads_in_place)
        j->band_bytes = fz__round_up(j->conv->weight.shape[1] * j->band.plane + j->kernel->group * element,
                                     FZ_CACHE_LINE);
    j->scratch_bytes = (ptrdiff_t)sizeof(state) + j->panels_bytes + j->sums_bytes + j->band_bytes;
}

static void start_participant(const job *j, char *scratch) {
    state *mine = (state *)scratch;
    mine->block = mine->band = -1;
    mine->panels = scratch + sizeof(state);
    mine->sums = mine->panels + j->panels_bytes;
    mine->x = mine->sums + j->sums_bytes;
    memset(mine->x, 0, (size_t)j->band_bytes); /* what lies beyond short rows is read */
}

fz_status fz__conv_matmul(const fz__conv *conv) {
    job j = {.conv = conv, .kernel = conv->kernels->conv2d_tile};
    j.panel = 2 * j.kernel->lanes;
    j.outputs = conv->weight.shape[0] / conv->groups;
    j.taps = conv->weight.shape[1] * conv->weight.shape[2] * conv->weight.shape[3];
    j.reads_in_place = fz__conv_reads_in_place(conv) && conv->out.shape[3] >= j.kernel->group;
    choose_items(&j, fz_get_num_threads());
    j.band = fz__band_layout(conv, fz__conv_span(conv, 0, j.rows), fz__conv_span(conv, 1, j.columns),
                             j.columns < j.kernel->group ? j.kernel->group : 0);
    size_scratch(&j);
    const int participants = fz__participants(j.items, 1);
    const ptrdiff_t table = fz__round_up(j.taps * (ptrdiff_t)sizeof(ptrdiff_t), FZ_CACHE_LINE);
    char *memory = fz__workspace_acquire(conv->operation, (size_t)(table + participants * j.scratch_bytes));
    if (!memory) return FZ_ERROR_MEMORY;
    fill_offsets(&j, (ptrdiff_t *)memory);
    j.offsets = (ptrdiff_t *)memory;
    j.scratch = memory + table;
    for (int p = 0; p < participants; p++) start_participant(&j, j.scratch + p * j.scratch_bytes);
    fz__parallel_for(participants, j.items, 1, convolve_items, &j);
    fz__workspace_release(memory);
    return FZ_OK;
}
