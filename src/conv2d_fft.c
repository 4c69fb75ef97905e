/* Convolution with a large window on one channel, by Fourier transforms of square tiles that overlap by the window
   less one (overlap-save). The cost per output hardly depends on the window.

   Weights are real, so the real and the imaginary part of a transform carry two tiles at once without mixing them, but
   for roundings: these are a few eps * log2(n) times the largest sums of both. So an element that is tiny among large
   ones of its tile loses relative accuracy, and a tile much darker than its neighbour is transformed alone. A tile with
   an element that is not finite, or so large that a transform could overflow, is computed the direct way: NaN and
   infinities reach the outputs that see them and no other. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "conv2d.h"

enum {
    LEAST_LOG = 6, /* sides of tiles: 64 to 512 */
    MOST_LOG = 9,
    LEAST_TAPS = 196, /* smaller windows keep the error of direct sums */
    LIKE = 4,         /* tiles go together whose largest elements differ by no more than this factor */
};

typedef struct job {
    const fz__conv *conv;
    const fz_fft_kernels *fft;
    fz__taps taps;           /* for tiles that are computed directly */
    ptrdiff_t n, lane_bytes; /* side of a tile; a vector */
    ptrdiff_t stride; /* of a tile's rows: not a power of two, which would fall on few sets of a cache */
    ptrdiff_t rows, columns, row_tiles, column_tiles, tiles;
    double limit; /* of elements that a transform can take */
    char *roots, *spectrum;
    char *scratch; /* per participant: two planes, two strips */
    ptrdiff_t plane_bytes, strip_bytes, scratch_bytes;
} job;

/* Two planes of tiles, or one strip of them, as complex columns. */
typedef struct work {
    char *planes[2], *strips[2], *results;
} work;

static work place_work(const job *j, char *scratch) {
    char *strips = scratch + 2 * j->plane_bytes;
    return (work){
        {scratch, scratch + j->plane_bytes}, {strips, strips + j->strip_bytes}, strips + 2 * j->strip_bytes};
}

static fz_fft_columns plane_columns(const job *j, const work *w, ptrdiff_t vector) {
    const ptrdiff_t at = vector * j->lane_bytes;
    return (fz_fft_columns){(size_t)j->n, w->planes[0] + at, w->planes[1] + at, j->stride};
}

static fz_fft_columns plane_rows(const job *j, const work *w, ptrdiff_t strip) {
    const ptrdiff_t at = strip * j->fft->lanes * j->stride;
    return (fz_fft_columns){(size_t)j->n, w->planes[0] + at, w->planes[1] + at, j->stride};
}

static fz_fft_columns strip_columns(const job *j, char *re, char *im) {
    return (fz_fft_columns){(size_t)j->n, re, im, j->lane_bytes};
}

/* The part of the spectrum of the weights that belongs to a strip. */
static fz_fft_columns spectrum_columns(const job *j, ptrdiff_t strip) {
    char *at = j->spectrum + 2 * strip * j->strip_bytes;
    return strip_columns(j, at, at + j->strip_bytes);
}

/* ---- the spectrum of the weights ------------------------------------------------------------------------------------- */

static void store_number(const job *j, double value, char *to, ptrdiff_t at) {
    fz__store_float(j->conv->dtype, value, to + at * j->conv->element);
}

static void fill_roots(const job *j) {
    for (ptrdiff_t k = 0; k < j->n; k++) {
        const double angle = -2 * M_PI * (double)k / (double)j->n;
        store_number(j, cos(angle), j->roots, 2 * k);
        store_number(j, sin(angle), j->roots, 2 * k + 1);
    }
}

/* The sum of the magnitudes of the weights, which then lie in a plane of zeros. */
static double load_weights(const job *j, const work *w) {
    const fz__image *from = &j->conv->weight;
    const ptrdiff_t strides[2] = {j->stride, j->conv->element};
    memset(w->planes[0], 0, (size_t)(2 * j->plane_bytes));
    fz__copy_alone(&(fz_array){from->data, from->dtype, 2, &from->shape[2], &from->strides[2]},
                   &(fz_array){w->planes[0], j->conv->dtype, 2, &from->shape[2], strides});
    double sum = 0;
    for (ptrdiff_t p = 0; p < from->shape[2]; p++) {
        const char *row = w->planes[0] + p * j->stride;
        for (ptrdiff_t q = 0; q < from->shape[3]; q++)
            sum += fabs(j->conv->element == 4 ? (double)((const float *)row)[q] : ((const double *)row)[q]);
    }
    return sum;
}

static void transform_weights(job *j) {
    const work w = place_work(j, j->scratch);
    const double most = j->conv->element == 4 ? (double)FLT_MAX : DBL_MAX, size = (double)(j->n * j->n);
    const double sum = load_weights(j, &w);
    /* the transform of x is at most size * |x|; times sum for the product; twice more for two tiles */
    j->limit = sum < most ? most / 4 / size / size / fz__max(1, (ptrdiff_t)fmin(ceil(sum), 1e18)) : -1;
    fill_roots(j);
    for (ptrdiff_t v = 0; v * j->fft->lanes < j->conv->weight.shape[3]; v++) {
        const fz_fft_columns columns = plane_columns(j, &w, v);
        j->fft->forward(&columns, j->roots);
    }
    for (ptrdiff_t strip = 0; strip < j->n / j->fft->lanes; strip++) {
        const fz_fft_columns rows = plane_rows(j, &w, strip), to = spectrum_columns(j, strip);
        j->fft->rows_to_columns(&rows, &to);
        j->fft->forward(&to, j->roots);
        j->fft->scale(&to, 1 / size);
    }
}

/* ---- tiles --------------------------------------------------------------------------------------------------------------- */

static fz__rectangle tile_outputs(const job *j, ptrdiff_t tile) {
    const ptrdiff_t column = tile % j->column_tiles * j->columns, rest = tile / j->column_tiles;
    const ptrdiff_t row = rest % j->row_tiles * j->rows;
    return (fz__rectangle){.image = rest / j->row_tiles,
                           .row = row,
                           .rows = fz__min(j->rows, j->conv->out.shape[2] - row),
                           .column = column,
                           .columns = fz__min(j->columns, j->conv->out.shape[3] - column)};
}

/* The largest magnitude in a plane; NaN where there is one. */
static double find_largest(const job *j, ptrdiff_t rows, ptrdiff_t columns, const char *plane) {
    fz_row_function *const size_of = j->conv->kernels->rowwise->passes[FZ_ROW_SIZE];
    double largest = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        fz_row_result row;
        size_of(1, (size_t)columns, &(fz_row_operands){.x = plane + r * j->stride}, NULL, &row);
        largest = row.sum <= largest ? largest : row.sum;
        if (isnan(largest)) break;
    }
    return largest;
}

/* Its largest magnitude. */
static double load_tile(const job *j, const fz__rectangle *at, char *plane) {
    const fz__band band = {.row = j->stride, .plane = j->plane_bytes, .step = 1};
    const fz__rectangle from = {at->image,
                                0,
                                1,
                                at->row,
                                fz__conv_span(j->conv, 0, at->rows),
                                at->column,
                                fz__conv_span(j->conv, 1, at->columns)};
    if (from.rows < j->n || from.columns < j->n) memset(plane, 0, (size_t)j->plane_bytes);
    fz__band_load(j->conv, &from, &band, 1, plane);
    return find_largest(j, from.rows, from.columns, plane);
}

static void store_tile(const job *j, const fz__rectangle *at, char *plane) {
    fz__conv_store(j->conv, plane, j->stride, at->image, 0, at->row, at->rows, at->column, at->columns);
}

static void convolve_directly(const job *j, const fz__rectangle *at, const work *w, int which) {
    static const double zero = 0;
    fz_window window = j->taps.window;
    window.initial = &zero;
    window.out_stride = j->stride;
    j->conv->kernels->conv2d_direct(&window, (size_t)at->rows, (size_t)at->columns, w->planes[which],
                                    w->results);
    store_tile(j, at, w->results);
}

static void transform_pair(const job *j, const work *w) {
    const ptrdiff_t vectors = j->n / j->fft->lanes;
    const fz_fft_columns strip = strip_columns(j, w->strips[0], w->strips[1]);
    for (ptrdiff_t v = 0; v < vectors; v++) {
        const fz_fft_columns columns = plane_columns(j, w, v);
        j->fft->forward(&columns, j->roots);
    }
    for (ptrdiff_t v = 0; v < vectors; v++) {
        const fz_fft_columns rows = plane_rows(j, w, v), by = spectrum_columns(j, v);
        j->fft->rows_to_columns(&rows, &strip);
        j->fft->forward(&strip, j->roots);
        j->fft->multiply(&strip, &by);
        j->fft->backward(&strip, j->roots);
        j->fft->columns_to_rows(&strip, &rows);
    }
    for (ptrdiff_t v = 0; v * j->fft->lanes < j->columns; v++) {
        const fz_fft_columns columns = plane_columns(j, w, v);
        j->fft->backward(&columns, j->roots);
    }
}

static bool are_alike(double a, double b) { return a <= LIKE * b && b <= LIKE * a; }

/* One tile, or two that are alike. */
static void convolve_tiles(const job *j, const work *w, ptrdiff_t tile, int count) {
    fz__rectangle at[2];
    double largest[2] = {0, 0};
    for (int t = 0; t < count; t++) {
        at[t] = tile_outputs(j, tile + t);
        largest[t] = load_tile(j, &at[t], w->planes[t]);
    }
    if (count == 2 && !are_alike(largest[0], largest[1])) {
        for (int t = 0; t < 2; t++) convolve_tiles(j, w, tile + t, 1);
        return;
    }
    bool fits[2] = {false, false}, are_zeros = true;
    for (int t = 0; t < 2; t++) {
        fits[t] = t < count && largest[t] <= j->limit;
        are_zeros &= !(fits[t] && largest[t] > 0);
        if (t < count && !fits[t]) convolve_directly(j, &at[t], w, t);
        if (!fits[t]) memset(w->planes[t], 0, (size_t)j->plane_bytes);
    }
    if (!are_zeros) transform_pair(j, w);
    for (int t = 0; t < count; t++) {
        if (fits[t]) store_tile(j, &at[t], w->planes[t]);
    }
}

/* Items are pairs of tiles; the last may be alone. */
static void convolve_pairs(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    const job *j = context;
    const work w = place_work(j, j->scratch + participant * j->scratch_bytes);
    for (ptrdiff_t pair = begin; pair < end; pair++)
        convolve_tiles(j, &w, 2 * pair, 2 * pair + 1 < j->tiles ? 2 : 1);
}

/* ---- the plan ------------------------------------------------------------------------------------------------------------- */

static ptrdiff_t count_tiles(const fz__conv *conv, ptrdiff_t n) {
    return conv->out.shape[0] * fz__ceil_div(conv->out.shape[2], n - conv->weight.shape[2] + 1) *
           fz__ceil_div(conv->out.shape[3], n - conv->weight.shape[3] + 1);
}

/* In vectors of work, as measured: a transform takes about 0.6 cycles per doubling of its length and complex vector,
   and five for being loaded and turned; beyond L2 a third more. */
static double fft_cost(const fz__conv *conv, int log) {
    const ptrdiff_t n = (ptrdiff_t)1 << log;
    if (n < conv->weight.shape[2] + 8 || n < conv->weight.shape[3] + 8) return INFINITY;
    const double vectors = (double)(n * n * conv->element) / FZ_MAX_VECTOR_BYTES;
    const double far = 2.0 * (double)(n * n * conv->element) > (double)fz__cpu_caches()->l2 ? 1.3 : 1;
    const double pairs = (double)fz__ceil_div(count_tiles(conv, n), 2);
    return (pairs + 0.5) * vectors * (5 + 2.4 * log) * far;
}

static int choose_log(const fz__conv *conv) {
    int best = MOST_LOG;
    for (int log = LEAST_LOG; log < MOST_LOG; log++) {
        if (fft_cost(conv, log) < fft_cost(conv, best)) best = log;
    }
    return best;
}

bool fz__conv_prefers_fft(const fz__conv *conv, double taps) {
    const fz__image *w = &conv->weight;
    if (conv->x.shape[1] != 1 || w->shape[0] != 1 || conv->bias) return false;
    if (w->shape[2] * w->shape[3] < LEAST_TAPS || conv->integral) return false;
    for (int d = 0; d < 2; d++) {
        if (conv->stride[d] != 1 || conv->dilation[d] != 1) return false;
    }
    const double outputs =
        (double)conv->out.shape[0] * (double)conv->out.shape[2] * (double)conv->out.shape[3];
    const double direct = outputs * taps * (double)conv->element / FZ_MAX_VECTOR_BYTES;
    return fft_cost(conv, choose_log(conv)) < direct * 0.6;
}

static void size_scratch(job *j) {
    const fz__conv *conv = j->conv;
    j->lane_bytes = j->fft->lanes * conv->element;
    j->stride = j->n * conv->element + FZ_MAX_VECTOR_BYTES;
    j->rows = j->n - conv->weight.shape[2] + 1;
    j->columns = j->n - conv->weight.shape[3] + 1;
    j->row_tiles = fz__ceil_div(conv->out.shape[2], j->rows);
    j->column_tiles = fz__ceil_div(conv->out.shape[3], j->columns);
    j->tiles = count_tiles(conv, j->n);
    j->plane_bytes = j->n * j->stride;
    j->strip_bytes = j->n * j->lane_bytes;
    j->scratch_bytes = 3 * j->plane_bytes + 2 * j->strip_bytes;
}

fz_status fz__conv_fft(const fz__conv *conv) {
    job j = {.conv = conv, .fft = conv->kernels->fft, .n = (ptrdiff_t)1 << choose_log(conv)};
    size_scratch(&j);
    const fz__band band = {.row = j.stride, .plane = j.plane_bytes, .step = 1};
    const fz_status status = fz__taps_create(&j.taps, conv, &band);
    if (status) return status;
    const ptrdiff_t pairs = fz__ceil_div(j.tiles, 2),
                    roots = fz__round_up(2 * j.n * conv->element, FZ_CACHE_LINE);
    const ptrdiff_t spectrum = 2 * j.n / j.fft->lanes * j.strip_bytes;
    const int participants = fz__participants(pairs, 1);
    j.roots =
        fz__workspace_acquire(conv->operation, (size_t)(roots + spectrum + participants * j.scratch_bytes));
    if (j.roots) {
        j.spectrum = j.roots + roots;
        j.scratch = j.spectrum + spectrum;
        transform_weights(&j);
        fz__parallel_for(participants, pairs, 1, convolve_pairs, &j);
    }
    fz__workspace_release(j.roots);
    fz__taps_free(&j.taps);
    return j.roots ? FZ_OK : FZ_ERROR_MEMORY;
}
