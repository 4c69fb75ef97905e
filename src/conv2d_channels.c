/* Depthwise convolution where channels lie side by side in x and out: pixels are read where they are, and a row of outputs
   is an item. Where a window reaches beyond x, the taps that it has left are listed; in between all pixels of a row have
   the same list. */
#include "conv2d.h"

enum { ITEM_WORK = 50000 /* multiply-adds that are worth handing out */ };

typedef struct job {
    const fz__conv *conv;
    ptrdiff_t inner[2];     /* the columns of outputs, from and to, that see columns of x only */
    fz_depthwise window;    /* without taps */
    fz_depthwise_tap *taps; /* per participant */
} job;

/* The taps of the window along an axis that see x, from the output at `place`. */
static void clip_taps(const fz__conv *conv, int axis, ptrdiff_t place, ptrdiff_t seen[2]) {
    const ptrdiff_t first = place * conv->stride[axis] - conv->before[axis], step = conv->dilation[axis];
    const ptrdiff_t rest = conv->x.shape[2 + axis] - first;
    seen[0] = first < 0 ? fz__ceil_div(-first, step) : 0;
    seen[1] = fz__min(conv->weight.shape[2 + axis], rest > 0 ? fz__ceil_div(rest, step) : 0);
}

/* Some outputs of a row, which see the same taps of the window. */
static void convolve_run(const job *j, const fz_depthwise *window, ptrdiff_t image, ptrdiff_t row,
                         ptrdiff_t column, ptrdiff_t n, fz_depthwise_tap *taps) {
    const fz__conv *conv = j->conv;
    const fz__image *x = &conv->x, *out = &conv->out;
    const ptrdiff_t pixel = (ptrdiff_t)window->channels * conv->element;
    const ptrdiff_t first[2] = {row * conv->stride[0] - conv->before[0],
                                column * conv->stride[1] - conv->before[1]};
    ptrdiff_t down[2], across[2];
    clip_taps(conv, 0, row, down);
    clip_taps(conv, 1, column, across);
    fz_depthwise run = *window;
    run.taps = taps;
    for (ptrdiff_t p = down[0]; p < down[1]; p++)
        for (ptrdiff_t q = across[0]; q < across[1]; q++)
            taps[run.count++] = (fz_depthwise_tap){(first[0] + p * conv->dilation[0]) * x->strides[2] +
                                                       (first[1] + q * conv->dilation[1]) * x->strides[3],
                                                   (p * conv->weight.shape[3] + q) * pixel};
    conv->kernels->conv2d_depthwise(&run, 1, (size_t)n, x->data + image * x->strides[0],
                                    out->data + image * out->strides[0] + row * out->strides[2] +
                                        column * out->strides[3]);
}

static void convolve_rows(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    const fz__conv *conv = j->conv;
    const fz__image *out = &conv->out;
    const ptrdiff_t columns = out->shape[3], window = conv->weight.shape[2] * conv->weight.shape[3];
    fz_depthwise_tap *taps = j->taps + participant * window;
    for (ptrdiff_t item = begin; item < end; item++) {
        const ptrdiff_t image = item / out->shape[2], row = item % out->shape[2];
        for (ptrdiff_t column = 0, n; column < columns; column += n) {
            const bool is_inner = column >= j->inner[0] && column < j->inner[1];
            n = is_inner ? j->inner[1] - column : 1;
            convolve_run(j, &j->window, image, row, column, n, taps);
        }
        fz__conv_finish(conv, columns * (ptrdiff_t)j->window.channels,
                        out->data + image * out->strides[0] + row * out->strides[2]);
    }
}

static void find_inner(job *j) {
    const fz__conv *conv = j->conv;
    const ptrdiff_t last =
        conv->x.shape[3] - 1 - (conv->weight.shape[3] - 1) * conv->dilation[1] + conv->before[1];
    j->inner[0] = fz__ceil_div(conv->before[1], conv->stride[1]);
    j->inner[1] = last < 0 ? 0 : fz__min(last / conv->stride[1] + 1, conv->out.shape[3]);
}

bool fz__conv_prefers_channels(const fz__conv *conv) {
    const fz__image *x = &conv->x, *out = &conv->out;
    const bool is_float =
        fz__is_full_float(out->dtype) && x->dtype == conv->dtype && out->dtype == conv->dtype;
    return fz__conv_is_depthwise(conv) && is_float && conv->fill == 0 && x->strides[1] == conv->element &&
           out->strides[1] == conv->element && out->strides[3] == conv->groups * conv->element &&
           conv->groups * conv->element >= (ptrdiff_t)conv->kernels->vector_bytes;
}

fz_status fz__conv_channels(const fz__conv *conv) {
    const ptrdiff_t channels = conv->groups, taps = conv->weight.shape[2] * conv->weight.shape[3];
    const ptrdiff_t rows = conv->out.shape[0] * conv->out.shape[2], pixel = channels * conv->element;
    const ptrdiff_t grain =
        1 + (ptrdiff_t)(ITEM_WORK / ((double)(channels * taps) * (double)conv->out.shape[3]));
    const int participants = fz__participants(rows, grain);
    const ptrdiff_t lists = participants * taps * (ptrdiff_t)sizeof(fz_depthwise_tap);
    char *memory = fz__workspace_acquire(conv->operation, (size_t)(lists + (taps + 1) * pixel));
    if (!memory) return FZ_ERROR_MEMORY;
    char *initial = memory + lists, *weights = initial + pixel;
    fz__conv_bias(conv, 0, channels, initial);
    fz__conv_pack(conv, 0, channels, channels, weights);
    job j = {.conv = conv,
             .window = {.channels = (size_t)channels,
                        .weights = weights,
                        .initial = initial,
                        .x_pixel = conv->stride[1] * conv->x.strides[3],
                        .out_pixel = pixel},
             .taps = (fz_depthwise_tap *)memory};
    find_inner(&j);
    fz__parallel_for(participants, rows, grain, convolve_rows, &j);
    fz__workspace_release(memory);
    return FZ_OK;
}
