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
    MOST_PANELS_BYTES = 8 << 20,
};

typedef struct job {
    const fz__conv *conv;
    const fz_conv2d_tile *kernel;
    bool reads_in_place;
    ptrdiff_t taps, panel, outputs; /* of a group: taps, channels of a panel, output channels */
    ptrdiff_t tap_block;            /* taps that go together */
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

/* block: counted through all groups. */
static void pack_block(const job *j, ptrdiff_t block, char *panels) {
    const ptrdiff_t group = block / j->blocks, first = block % j->blocks * j->block * j->panel;
    const ptrdiff_t end = fz__min(first + j->block * j->panel, j->outputs);
    for (ptrdiff_t o = first; o < end; o += j->panel, panels += j->taps * j->panel * j->conv->element)
        fz__conv_pack(j->conv, group * j->outputs + o, fz__min(j->panel, end - o),
                      panel_width(j, fz__min(j->panel, end - o)), panels);
}

/* ---- sums --------------------------------------------------------------------------------------------------------------- */

/* Neighbouring pixels of some rows, whose sums are made together. A row takes whole groups in scratch. */
typedef struct chunk {
    const char *x;
    ptrdiff_t row_stride, rows, columns;
    ptrdiff_t line;  /* pixels of a row in scratch */
    ptrdiff_t n;     /* channels */
    fz_ahead out;    /* where they go, asked for meanwhile, */
    ptrdiff_t lines; /* so many with each tile */
} chunk;

/* Some taps of all pixels. A row's last group begins where it ends with the row: what it has in common with its
   neighbour is computed twice, each in its own place; what lies beyond a row shorter than a group, in vain. */
static void add_taps(const job *j, chunk *c, ptrdiff_t first_tap, ptrdiff_t taps, const char *panel,
                     const char *bias, char *sums) {
    const ptrdiff_t element = j->conv->element, width = panel_width(j, c->n) * element;
    const ptrdiff_t group = j->kernel->group, row_groups = c->line / group, groups = c->rows * row_groups;
    for (ptrdiff_t g = 0; g < groups; g += 2) {
        const int count = groups - g < 2 ? 1 : 2;
        const void *pixels[2];
        void *results[2];
        for (int i = 0; i < count; i++) {
            const ptrdiff_t row = (g + i) / row_groups, column = (g + i) % row_groups * group;
            pixels[i] =
                c->x + row * c->row_stride + fz__max(0, fz__min(column, c->columns - group)) * element;
            results[i] = sums + (g + i) * group * width;
        }
        fz__ask(&c->out, c->lines);
        j->kernel->tile(count, (size_t)c->n, (size_t)taps, pixels, j->offsets + first_tap,
                        panel + first_tap * width, bias, results);
    }
}

/* Rows of whole groups become rows of pixels. */
static void close_gaps(const job *j, const chunk *c, char *sums) {
    const ptrdiff_t width = panel_width(j, c->n) * j->conv->element, group = j->kernel->group;
    const ptrdiff_t rest = c->columns % group, whole = c->columns - rest;
    const ptrdiff_t last = c->columns < group ? 0 : c->line - rest; /* where the rest lies in a row */
    if (rest == 0) return;
    for (ptrdiff_t r = 0; r < c->rows; r++) {
        char *to = sums + r * c->columns * width;
        const char *from = sums + r * c->line * width;
        memmove(to, from, (size_t)(whole * width));
        memmove(to + whole * width, from + last * width, (size_t)(rest * width));
    }
}

/* In blocks of taps whose part of the panel stays in L2 for all pixels: from there it comes as fast as it is used. */
static void sum_chunk(const job *j, chunk *c, const char *panel, const char *bias, char *sums) {
    for (ptrdiff_t t = 0; t < j->taps; t += j->tap_block)
        add_taps(j, c, t, fz__min(j->tap_block, j->taps - t), panel, t ? NULL : bias, sums);
    close_gaps(j, c, sums);
}

/* ---- items --------------------------------------------------------------------------------------------------------------- */

/* One panel and all pixels of an item, whose x is at hand. */
static void convolve_panel(const job *j, const fz__rectangle *item, const char *panel, const char *x,
                           ptrdiff_t row_stride, const state *mine) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t group = j->kernel->group, columns = fz__min(item->columns, CHUNK);
    const ptrdiff_t rows = fz__max(1, CHUNK / fz__round_up(columns, group));
    fz__rectangle at = *item;
    for (ptrdiff_t r = 0; r < item->rows; r += rows) {
        for (ptrdiff_t c = 0; c < item->columns; c += columns) {
            /* A rest shorter than a group starts earlier, and what it covers twice is written twice. */
            const ptrdiff_t rest = item->columns - c, back = rest < group && c > 0 ? group - rest : 0;
            at.row = item->row + r;
            at.rows = fz__min(rows, item->rows - r);
            at.column = item->column + c - back;
            at.columns = fz__min(columns, rest + back);
            chunk seen = {.x = x + r * row_stride * conv->stride[0] + (c - back) * conv->element,
                          .row_stride = row_stride * conv->stride[0],
                          .rows = at.rows,
                          .columns = at.columns,
                          .line = fz__round_up(at.columns, group),
                          .n = at.channels,
                          .out = fz__conv_ahead(conv, &at)};
            seen.lines = fz__ceil_div(seen.out.lines * seen.out.columns,
                                      fz__ceil_div(seen.rows * (seen.line / group), 2));
            sum_chunk(j, &seen, panel, mine->bias, mine->sums);
            fz__conv_store_pixels(conv, &at, panel_width(j, at.channels), mine->sums);
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
    fz__rectangle at = {
        .image = rest / j->row_items,
        .row = row,
        .rows = fz__min(j->rows, conv->out.shape[2] - row),
        .column = column,
        .columns = band % j->column_items + 1 < j->column_items ? j->columns : conv->out.shape[3] - column};
    if (mine->block != block) pack_block(j, block, mine->panels);
    mine->block = block;
    const char *x = load_band(j, &at, group, group * bands + band, mine), *panel = mine->panels;
    const ptrdiff_t first = block % j->blocks * j->block * j->panel;
    const ptrdiff_t end = fz__min(first + j->block * j->panel, j->outputs);
    for (ptrdiff_t o = first; o < end; o += j->panel, panel += j->taps * j->panel * conv->element) {
        at.channel = group * j->outputs + o;
        at.channels = fz__min(j->panel, end - o);
        memset(mine->bias, 0, sizeof mine->bias);
        fz__conv_bias(conv, at.channel, at.channels, mine->bias);
        convolve_panel(j, &at, panel, x, j->band.row, mine);
    }
}

static void convolve_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    state *mine = (state *)(j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t item = begin; item < end; item++) convolve_item(j, item, mine);
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------- */

static void count_items(job *j) {
    j->row_items = fz__ceil_div(j->conv->out.shape[2], j->rows);
    j->column_items = fz__ceil_div(j->conv->out.shape[3], j->columns);
    /* A group is read where pixels lie, so that an item in place is no shorter: the one before takes the rest. */
    const ptrdiff_t rest = j->conv->out.shape[3] % j->columns;
    if (j->reads_in_place && j->column_items > 1 && rest > 0 && rest < j->kernel->group) j->column_items--;
    j->items = j->conv->groups * j->blocks * j->conv->out.shape[0] * j->row_items * j->column_items;
}

/* Bands in L2, beside panels; and items for all threads. Pixels in place need no more than a chunk at a time. */
static bool should_halve(const job *j, int threads) {
    const bool is_chunk = j->rows * j->columns <= CHUNK;
    const bool is_large = fz__band_bytes(j->conv, j->rows, j->columns) > (double)fz__cpu_caches()->l2 / 2;
    const bool are_few = threads > 1 && j->items < (ptrdiff_t)threads * ITEMS_PER_PARTICIPANT;
    return (is_large && !(j->reads_in_place && is_chunk)) || (are_few && !is_chunk);
}

/* The rows of an item, and of a single row the columns; to whole chunks. */
static bool halve(job *j) {
    if (j->rows > 1)
        j->rows = fz__ceil_div(j->rows, 2);
    else if (j->columns > CHUNK)
        j->columns = fz__round_up(fz__ceil_div(j->columns, 2), CHUNK);
    else
        return false;
    if (j->columns <= CHUNK && j->rows * j->columns > CHUNK)
        j->rows = fz__round_up(j->rows, CHUNK / j->columns);
    return true;
}

/* As many panels as there is room for, lest bands of x be loaded again for the next: panels may come from afar, being
   used for a whole chunk of pixels each time. A band takes half of L2, one that is read in place, too. Then smaller
   bands, until there are items for all. */
static void choose_items(job *j, int threads) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t l2 = (ptrdiff_t)fz__cpu_caches()->l2, panels = fz__ceil_div(j->outputs, j->panel);
    const ptrdiff_t near = l2 / 2 / (j->panel * conv->element);
    j->tap_block = fz__ceil_div(j->taps, fz__ceil_div(j->taps, fz__max(1, near)));
    j->block = fz__max(1, fz__min(panels, MOST_PANELS_BYTES / (j->taps * j->panel * conv->element)));
    const ptrdiff_t chunks =
        conv->out.shape[0] * fz__ceil_div(conv->out.shape[2] * conv->out.shape[3], CHUNK);
    if (chunks == 1) /* panels serve few pixels, from L2: the next one takes the place of the last */
        j->block = 1;
    else if (threads > 1) /* where there are few pixels to hand out, panels are */
        j->block = fz__max(1, fz__min(j->block, panels * chunks / (threads * ITEMS_PER_PARTICIPANT)));
    j->block = fz__ceil_div(panels, fz__ceil_div(panels, j->block)); /* blocks of a size */
    j->blocks = fz__ceil_div(panels, j->block);
    j->rows = conv->out.shape[2];
    j->columns = conv->out.shape[3];
    for (count_items(j); should_halve(j, threads) && halve(j);) count_items(j);
}

static void fill_offsets(const job *j, ptrdiff_t *offsets) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t down = conv->dilation[0] / j->band.step * j->band.row;
    for (ptrdiff_t c = 0; c < conv->weight.shape[1]; c++) {
        for (ptrdiff_t p = 0; p < conv->weight.shape[2]; p++) {
            for (ptrdiff_t q = 0; q < conv->weight.shape[3]; q++) {
                const ptrdiff_t at = q * conv->dilation[1];
                *offsets++ = c * j->band.plane + p * down + at % conv->stride[1] * j->band.phase +
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
    job j = {.conv = conv, .kernel = conv->kernels->conv2d_tile, .band = fz__band_in_place(conv)};
    j.panel = 2 * j.kernel->lanes;
    j.outputs = conv->weight.shape[0] / conv->groups;
    j.taps = conv->weight.shape[1] * conv->weight.shape[2] * conv->weight.shape[3];
    j.reads_in_place = fz__conv_reads_in_place(conv) && conv->out.shape[3] >= j.kernel->group;
    choose_items(&j, fz_get_num_threads());
    const ptrdiff_t spare = j.columns < j.kernel->group ? j.kernel->group : 0;
    const fz_status status =
        j.reads_in_place ? FZ_OK : fz__band_layout(conv, j.rows, j.columns, spare, &j.band);
    if (status) return status;
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
