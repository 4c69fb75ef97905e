/* Depthwise convolution of small images: blocks of channels become pixels of as many lanes as a vector has, are summed
   window by window, and go back to planes. An item is a block of an image; images change fastest, and each participant
   keeps the weights that it packed last. */
#include <string.h>

#include "conv2d.h"

enum {
    ITEM_PIXELS = 512,    /* outputs enough to be worth handing out */
    MOST_BYTES = 12 << 20 /* of a participant's blocks */
};

typedef struct job {
    const fz__conv *conv;
    ptrdiff_t lanes, pixel; /* of a block; bytes of its pixels */
    ptrdiff_t blocks;
    ptrdiff_t padded[2], inside[2]; /* rows and columns that windows see; those of x among them */
    ptrdiff_t weights_bytes, plane_bytes, padded_bytes, sums_bytes, scratch_bytes;
    fz_depthwise window; /* without weights and initial */
    char *scratch;       /* per participant: its state, weights, a block of x, that padded, sums */
} job;

/* What a participant has at hand; -1: nothing. */
typedef struct state {
    ptrdiff_t block;
    char *weights, *plane, *padded, *sums;
    _Alignas(FZ_MAX_VECTOR_BYTES) char bias[FZ_MAX_VECTOR_BYTES];
} state;

static ptrdiff_t channels_of(const job *j, ptrdiff_t block) {
    return fz__min(j->lanes, j->conv->groups - block * j->lanes);
}

static void pack_block(const job *j, ptrdiff_t block, state *mine) {
    if (mine->block == block) return;
    mine->block = block;
    fz__conv_pack(j->conv, block * j->lanes, channels_of(j, block), j->lanes, mine->weights);
    fz__conv_bias(j->conv, block * j->lanes, channels_of(j, block), mine->bias);
}

/* Around what is loaded the padding is zero from the start. */
static void load_block(const job *j, ptrdiff_t image, ptrdiff_t block, const state *mine) {
    const fz__image *x = &j->conv->x;
    const ptrdiff_t shape[4] = {channels_of(j, block), 1, j->inside[0], j->inside[1]};
    const ptrdiff_t strides[4] = {x->strides[1], 0, x->strides[2], x->strides[3]};
    const ptrdiff_t row = j->inside[1] * j->pixel;
    if (row <= 0 || j->inside[0] <= 0) return;
    fz__conv_to_pixels(j->conv, x->dtype, x->data + image * x->strides[0] + block * j->lanes * x->strides[1],
                       shape, strides, j->pixel, mine->plane);
    char *to = mine->padded + (j->conv->before[0] * j->padded[1] + j->conv->before[1]) * j->pixel;
    for (ptrdiff_t r = 0; r < j->inside[0]; r++)
        memcpy(to + r * j->padded[1] * j->pixel, mine->plane + r * row, (size_t)row);
}

static void convolve_items(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    const fz__image *out = &j->conv->out;
    state *mine = (state *)(j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t block = item / out->shape[0];
        const fz__rectangle at = {.image = item % out->shape[0],
                                  .channel = block * j->lanes,
                                  .channels = channels_of(j, block),
                                  .rows = out->shape[2],
                                  .columns = out->shape[3]};
        fz_depthwise window = j->window;
        window.weights = mine->weights;
        window.initial = mine->bias;
        pack_block(j, block, mine);
        load_block(j, at.image, block, mine);
        j->conv->kernels->conv2d_depthwise(&window, (size_t)at.rows, (size_t)at.columns, mine->padded,
                                           mine->sums);
        fz__conv_store_pixels(j->conv, &at, j->lanes, mine->sums);
    }
}

/* ---- the plan ------------------------------------------------------------------------------------------------- */

static job plan(const fz__conv *conv) {
    job j = {.conv = conv, .lanes = (ptrdiff_t)conv->kernels->vector_bytes / conv->element};
    j.pixel = j.lanes * conv->element;
    j.blocks = fz__ceil_div(conv->groups, j.lanes);
    for (int d = 0; d < 2; d++) {
        j.padded[d] = fz__conv_span(conv, d, conv->out.shape[2 + d]);
        j.inside[d] = fz__min(conv->x.shape[2 + d], j.padded[d] - conv->before[d]);
    }
    j.weights_bytes = conv->weight.shape[2] * conv->weight.shape[3] * j.pixel;
    j.plane_bytes = fz__max(0, j.inside[0]) * fz__max(0, j.inside[1]) * j.pixel;
    j.padded_bytes = j.padded[0] * j.padded[1] * j.pixel;
    j.sums_bytes = conv->out.shape[2] * conv->out.shape[3] * j.pixel;
    j.scratch_bytes = fz__round_up((ptrdiff_t)sizeof(state) + j.weights_bytes + j.plane_bytes +
                                       j.padded_bytes + j.sums_bytes,
                                   FZ_CACHE_LINE);
    return j;
}

bool fz__conv_is_depthwise(const fz__conv *conv) {
    return conv->weight.shape[1] == 1 && conv->weight.shape[0] == conv->groups &&
           conv->boundary == FZ_BOUNDARY_FILL;
}

/* Where lines of outputs would leave vectors half empty, and all that an item touches stays in the caches; or where it
   has room, if channels lie side by side already. */
bool fz__conv_prefers_depthwise(const fz__conv *conv) {
    if (!fz__conv_is_depthwise(conv) ||
        2 * conv->groups * conv->element <= (ptrdiff_t)conv->kernels->vector_bytes)
        return false;
    const double pixels = (double)fz__conv_span(conv, 0, conv->out.shape[2]) *
                          (double)fz__conv_span(conv, 1, conv->out.shape[3]);
    const bool channels_last = conv->x.strides[1] == fz__element_size(conv->x.dtype);
    const double most = channels_last ? MOST_BYTES : (double)fz__cpu_caches()->l2 / 4;
    return 3 * pixels * (double)conv->kernels->vector_bytes <= most;
}

static void start_participant(const job *j, char *scratch) {
    state *mine = (state *)scratch;
    *mine = (state){.block = -1, .weights = scratch + sizeof(state)};
    mine->padded = mine->weights + j->weights_bytes;
    mine->plane = mine->padded + j->padded_bytes;
    mine->sums = mine->plane + j->plane_bytes;
    memset(mine->padded, 0, (size_t)(j->padded_bytes + j->plane_bytes));
}

static void fill_taps(const job *j, fz_depthwise_tap *taps) {
    const fz__conv *conv = j->conv;
    ptrdiff_t weights = 0;
    for (ptrdiff_t p = 0; p < conv->weight.shape[2]; p++) {
        for (ptrdiff_t q = 0; q < conv->weight.shape[3]; q++, weights += j->pixel)
            *taps++ = (fz_depthwise_tap){
                (p * conv->dilation[0] * j->padded[1] + q * conv->dilation[1]) * j->pixel, weights};
    }
}

fz_status fz__conv_depthwise(const fz__conv *conv) {
    job j = plan(conv);
    const ptrdiff_t taps = conv->weight.shape[2] * conv->weight.shape[3];
    const ptrdiff_t table = fz__round_up(taps * (ptrdiff_t)sizeof(fz_depthwise_tap), FZ_CACHE_LINE);
    const ptrdiff_t items = j.blocks * conv->out.shape[0];
    const int participants = fz__participants(items, fz__max(1, ITEM_PIXELS / (j.sums_bytes / j.pixel)));
    char *memory = fz__workspace_acquire(conv->operation, (size_t)(table + participants * j.scratch_bytes));
    if (!memory) return FZ_ERROR_MEMORY;
    fill_taps(&j, (fz_depthwise_tap *)memory);
    j.window = (fz_depthwise){.channels = (size_t)j.lanes,
                              .count = (size_t)taps,
                              .taps = (fz_depthwise_tap *)memory,
                              .x_row = conv->stride[0] * j.padded[1] * j.pixel,
                              .x_pixel = conv->stride[1] * j.pixel,
                              .out_pixel = j.pixel};
    j.scratch = memory + table;
    for (int p = 0; p < participants; p++) start_participant(&j, j.scratch + p * j.scratch_bytes);
    fz__parallel_for(participants, items, 1, convolve_items, &j);
    fz__workspace_release(memory);
    return FZ_OK;
}
