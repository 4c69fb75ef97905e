/* Strided copies of arrays that share no memory. Where source and destination run fastest along different axes, that plane is
   copied in transposed tiles, so that both sides are read and written in whole cache lines. */
#include <limits.h>

#include "internal.h"

enum {
    GRAIN = 16384, /* elements of a task that copies rows */
    TILE = 64,     /* least side of a transposed tile in elements */
    ROW = 256, /* least bytes of its rows: whole lines, also where strides put them on few sets of a cache */
    STREAMED = 1024,     /* columns of a tile that is stored past the caches, line by line, */
    STREAMED_FROM = 16,  /* and lines in a row of the destination from which on that pays */
    BUFFERED = 32 << 10, /* bytes of a tile by way of a buffer: where rows meet in a few sets of the caches */
    BUFFERED_ROW = 512,  /* and of its rows in the destination: */
    BUFFERED_ROW_STREAMED = 256, /* where they are streamed */
};

typedef struct job {
    fz__nest nest; /* source, destination; without the plane's two axes where a plane is transposed */
    fz_cast *copy_row;
    fz_transpose_tile *transpose;
    ptrdiff_t rows, columns; /* of the plane: columns run fastest in the source, rows in the destination */
    ptrdiff_t src_stride, dst_stride; /* from one row to the next in each */
    bool streams;  /* past the caches: then tiles begin where lines of the destination do */
    bool buffered; /* tiles go by way of a buffer, as rows meet in a few sets of the caches */
    ptrdiff_t tile_rows, tile_columns; /* at most */
    ptrdiff_t before;                  /* rows that the first tile has less */
    ptrdiff_t row_tiles, column_tiles;
    ptrdiff_t element; /* bytes */
} job;

static void copy_row(void *context, ptrdiff_t n, char *const pointers[], const ptrdiff_t strides[]) {
    const job *j = context;
    j->copy_row((size_t)n, pointers[0], strides[0], pointers[1], strides[1]);
}

static void copy_rows(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    job *j = context;
    fz__nest_walk(&j->nest, begin, end, copy_row, j);
}

/* The tile that follows in the source: to the right, or the first of the next rows; NULL behind the last. */
static const char *find_next(const job *j, const char *plane, ptrdiff_t row, ptrdiff_t column,
                             ptrdiff_t rows) {
    const ptrdiff_t right = column + j->tile_columns, below = row + rows;
    if (right < j->columns) return plane + row * j->src_stride + right * j->element;
    return below < j->rows ? plane + below * j->src_stride : NULL;
}

/* Tiles are counted with the source's fast axis first, then the plane's other, then the planes. */
static void copy_tiles(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    const job *j = context;
    _Alignas(FZ_CACHE_LINE) char buffer[BUFFERED + BUFFERED / BUFFERED_ROW_STREAMED * FZ_CACHE_LINE];
    for (ptrdiff_t tile = begin; tile < end; tile++) {
        const ptrdiff_t column = tile % j->column_tiles * j->tile_columns;
        const ptrdiff_t end_row = (tile / j->column_tiles % j->row_tiles + 1) * j->tile_rows - j->before;
        const ptrdiff_t row = fz__max(0, end_row - j->tile_rows), rows = fz__min(end_row, j->rows) - row;
        char *plane[FZ_MAX_OPERANDS];
        ptrdiff_t coordinates[FZ_MAX_NDIM];
        fz__nest_seek(&j->nest, tile / (j->row_tiles * j->column_tiles), coordinates, plane);
        j->transpose((size_t)rows, (size_t)fz__min(j->tile_columns, j->columns - column),
                     plane[0] + row * j->src_stride + column * j->element, j->src_stride,
                     plane[1] + column * j->dst_stride + row * j->element, j->dst_stride,
                     j->streams && rows == j->tile_rows, j->buffered ? buffer : NULL,
                     find_next(j, plane[0], row, column, rows));
    }
}

/* Takes the plane out of the nest if there is one: the innermost axis must be gapless in the
   destination and another one in the source. */
static bool extract_plane(job *j) {
    fz__nest *nest = &j->nest;
    const int inner = nest->ndim - 1;
    if (inner < 1 || nest->strides[1][inner] != j->element || nest->strides[0][inner] == j->element)
        return false;
    int other = 0;
    while (other < inner && nest->strides[0][other] != j->element) other++;
    if (other == inner) return false;
    j->rows = nest->shape[inner];
    j->columns = nest->shape[other];
    j->src_stride = nest->strides[0][inner];
    j->dst_stride = nest->strides[1][other];
    nest->ndim = inner;
    fz__nest_remove_axis(nest, other);
    return true;
}

/* Do all rows of the destination begin at the same place of a cache line, and of an element, and do both sides take more
   than half of the last cache? */
static bool streams(const job *j, ptrdiff_t size) {
    ptrdiff_t strides = j->dst_stride;
    for (int d = 0; d < j->nest.ndim; d++) strides |= j->nest.strides[1][d];
    return strides % FZ_CACHE_LINE == 0 && (uintptr_t)j->nest.data[1] % (size_t)j->element == 0 &&
           j->element >= 4 && (size_t)(4 * size * j->element) > fz__cpu_caches()->l3;
}

/* A tile has the area of a square one, though the plane have few rows or columns. */
static void size_tiles(job *j) {
    const ptrdiff_t side = fz__max(TILE, ROW / j->element), line = FZ_CACHE_LINE / j->element;
    const ptrdiff_t area = j->streams ? STREAMED * line : side * side;
    const ptrdiff_t most = j->streams       ? STREAMED
                           : j->rows < side ? fz__max(1, area / j->rows / line) * line
                                            : side;
    j->tile_columns = fz__min(j->columns, most);
    j->tile_rows = fz__ceil_div(fz__ceil_div(area, j->tile_columns), line) * line;
}

/* Rows of the source that meet are no harm where they are followed far. */
static bool is_buffered(const job *j) {
    return j->element >= 4 && j->rows >= TILE && j->columns >= TILE &&
           (fz__rows_collide(j->dst_stride) || (!j->streams && fz__rows_collide(j->src_stride)));
}

static void size_buffered_tiles(job *j) {
    const ptrdiff_t bytes = j->streams ? BUFFERED_ROW_STREAMED : BUFFERED_ROW;
    j->tile_rows = bytes / j->element;
    j->tile_columns = fz__min(j->columns, BUFFERED / bytes);
}

static void plan_tiles(job *j, ptrdiff_t size) {
    const ptrdiff_t line = FZ_CACHE_LINE / j->element;
    j->streams = streams(j, size) && j->rows >= STREAMED_FROM * line && j->columns >= line;
    j->buffered = is_buffered(j);
    (j->buffered ? size_buffered_tiles : size_tiles)(j);
    j->before = j->streams ? (ptrdiff_t)((uintptr_t)j->nest.data[1] / (size_t)j->element) % line : 0;
    j->row_tiles = fz__ceil_div(j->before + j->rows, j->tile_rows);
    j->column_tiles = fz__ceil_div(j->columns, j->tile_columns);
}

/* Tiles are of bits: one dtype of each size has them. */
static fz_transpose_tile *transpose_of(ptrdiff_t element) {
    const fz_dtype dtype = element == 1   ? FZ_UINT8
                           : element == 2 ? FZ_UINT16
                           : element == 4 ? FZ_FLOAT32
                                          : FZ_FLOAT64;
    return fz__kernels(dtype)->transpose;
}

static void copy(const fz_array *src, const fz_array *dst, int threads) {
    const fz_kernels *kernels = fz__kernels(dst->dtype);
    job j; /* its nest is large, and most of it never there */
    j.copy_row = kernels->elementwise->cast_from[src->dtype];
    j.element = fz__element_size(dst->dtype);
    j.transpose = transpose_of(j.element);
    fz__nest_init(&j.nest, "copy", 2, (const fz_array *const[]){src, dst}); /* equal shapes always fit */
    const ptrdiff_t size = j.nest.size;
    if (size == 0) return;
    if (src->dtype == dst->dtype && extract_plane(&j)) {
        plan_tiles(&j, size);
        const ptrdiff_t tiles = size / (j.rows * j.columns) * j.row_tiles * j.column_tiles;
        const ptrdiff_t grain = fz__max(1, GRAIN / (fz__min(j.tile_rows, j.rows) * j.tile_columns));
        fz__parallel_for((int)fz__min(threads, fz__participants(tiles, grain)), tiles, grain, copy_tiles, &j);
    } else {
        fz__parallel_for((int)fz__min(threads, fz__participants(size, GRAIN)), size, GRAIN, copy_rows, &j);
    }
}

void fz__copy(const fz_array *src, const fz_array *dst) { copy(src, dst, INT_MAX); }

void fz__copy_alone(const fz_array *src, const fz_array *dst) { copy(src, dst, 1); }

/* ---- transpose ------------------------------------------------------------------------------------------ */

/* x's axes in out's order; axes == NULL reverses them. */
static fz_status permute_axes(const fz_array *x, const int axes[], ptrdiff_t *shape, ptrdiff_t *strides) {
    bool seen[FZ_MAX_NDIM] = {false};
    for (int d = 0; d < x->ndim; d++) {
        int axis = axes ? axes[d] : x->ndim - 1 - d;
        if (axis < 0) axis += x->ndim;
        const bool is_there = axis >= 0 && axis < x->ndim;
        if (!is_there || seen[axis])
            return fz__fail(is_there ? FZ_ERROR_SHAPE : FZ_ERROR_AXIS,
                            "transpose: axes[%d] is %d; each of the %d axes must be named once", d, axes[d],
                            x->ndim);
        seen[axis] = true;
        shape[d] = x->shape[axis];
        strides[d] = x->strides[axis];
    }
    return FZ_OK;
}

fz_status fz_transpose_shape(const fz_array *x, const int axes[], ptrdiff_t shape[FZ_MAX_NDIM]) {
    ptrdiff_t strides[FZ_MAX_NDIM];
    const fz_status status = fz__check_array("transpose", "x", x);
    return status ? status : permute_axes(x, axes, shape, strides);
}

fz_status fz_transpose(const fz_array *x, const int axes[], fz_array *out) {
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM];
    fz_status status = fz_init();
    if (!status) status = fz__check_array("transpose", "x", x);
    if (!status) status = permute_axes(x, axes, shape, strides);
    if (!status) status = fz__check_output("transpose", out, x->ndim, shape, 1, &x);
    if (!status) fz__copy(&(fz_array){x->data, x->dtype, x->ndim, shape, strides}, out);
    return status;
}
