/* Transposes a tile in blocks of SIDE x SIDE in registers. A few rows interleave instead, and a few columns come apart: by
   vectors, too, where they are as many as pixels have channels. */
#include "vec.h"

/* Narrower ones are neither streamed nor buffered. */
enum { IS_WIDE = sizeof(T) >= 4 };

/* ---- rows of a block ---------------------------------------------------------------------------------------- */

FZ_INLINE square_row load_row(const char *p) {
    square_row row;
    memcpy(&row, p, sizeof row);
    return row;
}

FZ_INLINE void store_row(char *p, square_row row, bool streams) {
#if defined(FZ_T_IS_FLOAT)
    if (streams) {
        vstream(p, row);
        return;
    }
#endif
    (void)streams;
    memcpy(p, &row, sizeof row);
}

/* ---- blocks ------------------------------------------------------------------------------------------------- */

/* Unrolled, or rows would go by way of the stack, where halves that were stored do not reach a load of the whole. */
FZ_INLINE void transpose_block(const char *src, ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride,
                               bool streams) {
    square_row rows[SIDE];
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++) rows[i] = load_row(src + i * src_stride);
    vtranspose(rows, SIDE);
#pragma GCC unroll 16
    for (int i = 0; i < SIDE; i++) store_row(dst + i * dst_stride, rows[i], streams);
}

/* In bands of rows, whose blocks lie side by side; the last blocks of rows and columns overlap their neighbours. */
FZ_INLINE void transpose_bands(size_t rows, size_t columns, size_t band, const char *src,
                               ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride, bool streams) {
    for (size_t first = 0; first < rows; first += band) {
        const size_t end = rows - first < band ? rows : first + band;
        for (size_t j = 0; j < columns; j += SIDE) {
            const size_t column = j + SIDE <= columns ? j : columns - SIDE;
            for (size_t i = first; i < end; i += SIDE) {
                const size_t row = i + SIDE <= rows ? i : rows - SIDE;
                transpose_block(src + (ptrdiff_t)row * src_stride + column * sizeof(T), src_stride,
                                dst + (ptrdiff_t)column * dst_stride + row * sizeof(T), dst_stride, streams);
            }
        }
    }
}

/* Not inlined: every copy is long. */
static __attribute__((noinline)) void transpose_blocks(size_t rows, size_t columns, size_t band,
                                                       const char *src, ptrdiff_t src_stride, char *dst,
                                                       ptrdiff_t dst_stride) {
    transpose_bands(rows, columns, band, src, src_stride, dst, dst_stride, false);
}

/* ---- by way of a buffer --------------------------------------------------------------------------------------- */

FZ_INLINE void store_line(char *dst, const char *src, size_t bytes, bool streams) {
    if (!streams) {
        memcpy(dst, src, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += sizeof(square_row)) store_row(dst + at, load_row(src + at), true);
}

/* Reads along src's rows and writes along dst's: those of one side meet in a few sets of the caches. What is streamed is so
   large that src, too, is in memory: while a tile is written, the next one is asked for. */
static void transpose_buffered(size_t rows, size_t columns, const char *src, ptrdiff_t src_stride, char *dst,
                               ptrdiff_t dst_stride, bool streams, char *buffer, const char *next) {
    const size_t bytes = rows * sizeof(T), width = columns * sizeof(T);
    const ptrdiff_t stride = (ptrdiff_t)bytes + FZ_CACHE_LINE;
    transpose_blocks(rows, columns, SIDE, src, src_stride, buffer, stride);
    size_t asked = 0;
    for (size_t j = 0; j < columns; j++, dst += dst_stride, buffer += stride) {
        for (size_t at = 0; streams && next && at < bytes; at += FZ_CACHE_LINE) {
            __builtin_prefetch(next + asked, 0, 2);
            asked += FZ_CACHE_LINE;
            if (asked >= width) asked = 0, next += src_stride;
        }
        store_line(dst, buffer, bytes, streams);
    }
}

/* ---- a few rows or columns ------------------------------------------------------------------------------------ */

/* Not inlined, where a constant would unroll it for nothing. */
static __attribute__((noinline)) void copy_elements(size_t rows, size_t columns, const char *src,
                                                    ptrdiff_t src_stride, char *dst, ptrdiff_t dst_stride) {
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < rows; i++)
            memcpy(dst + (ptrdiff_t)j * dst_stride + i * sizeof(T),
                   src + (ptrdiff_t)i * src_stride + j * sizeof(T), sizeof(T));
}

#if defined(FZ_SQUARE_THREES)
enum { HAS_THREES = true };
FZ_INLINE square_row without_fourths(square_row v) { return __builtin_shufflevector(v, v, FZ_SQUARE_THREES); }
FZ_INLINE square_row with_fourths(square_row v) { return __builtin_shufflevector(v, v, FZ_SQUARE_FOURS); }
#else
enum { HAS_THREES = false };
FZ_INLINE square_row without_fourths(square_row v) { return v; }
FZ_INLINE square_row with_fourths(square_row v) { return v; }
#endif

/* SIDE elements of each of `count` rows become one row without gaps, and the reverse. Three rows have room for a fourth:
   stores reach beyond the row, where the next ones follow, and so do loads. */
FZ_INLINE void interleave_block(int count, const char *src, ptrdiff_t src_stride, char *dst) {
    const int rows = count == 3 ? 4 : count;
    square_row block[4];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) block[i] = load_row(src + (i < count ? i : 0) * src_stride);
    vtranspose(block, rows);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
        store_row(dst + (size_t)(i * count * SIDE / rows) * sizeof(T),
                  count == 3 ? without_fourths(block[i]) : block[i], false);
}

FZ_INLINE void separate_block(int count, const char *src, char *dst, ptrdiff_t dst_stride) {
    const int rows = count == 3 ? 4 : count;
    square_row block[4];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
        block[i] = load_row(src + (size_t)(i * count * SIDE / rows) * sizeof(T));
        if (count == 3) block[i] = with_fourths(block[i]);
    }
    vrotate(block, rows, SIDE);
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) store_row(dst + i * dst_stride, block[i], false);
}

/* How many of n elements go by blocks: the last ones of threes have nobody behind them. */
FZ_INLINE size_t in_blocks(size_t n, bool threes) {
    const size_t blocks = n / SIDE;
    return (blocks && threes ? blocks - 1 : blocks) * SIDE;
}

FZ_INLINE void interleave(int count, size_t n, const char *src, ptrdiff_t src_stride, char *dst) {
    const size_t most = in_blocks(n, count == 3), pixel = (size_t)count * sizeof(T);
    for (size_t j = 0; j < most; j += SIDE)
        interleave_block(count, src + j * sizeof(T), src_stride, dst + j * pixel);
    copy_elements((size_t)count, n - most, src + most * sizeof(T), src_stride, dst + most * pixel,
                  (ptrdiff_t)pixel);
}

FZ_INLINE void separate(int count, size_t n, const char *src, char *dst, ptrdiff_t dst_stride) {
    const size_t most = in_blocks(n, count == 3), pixel = (size_t)count * sizeof(T);
    for (size_t i = 0; i < most; i += SIDE)
        separate_block(count, src + i * pixel, dst + i * sizeof(T), dst_stride);
    copy_elements(n - most, (size_t)count, src + most * pixel, (ptrdiff_t)pixel, dst + most * sizeof(T),
                  dst_stride);
}

/* By blocks, where these are channels of pixels without gaps. */
static bool interleave_few(size_t rows, size_t n, const char *src, ptrdiff_t src_stride, char *dst,
                           ptrdiff_t dst_stride) {
    if (dst_stride != (ptrdiff_t)(rows * sizeof(T))) return false;
    if (rows == 2 && SIDE > 2) return interleave(2, n, src, src_stride, dst), true;
    if (rows == 3 && HAS_THREES) return interleave(3, n, src, src_stride, dst), true;
    if (rows == 4 && SIDE > 4) return interleave(4, n, src, src_stride, dst), true;
    return false;
}

static bool separate_few(size_t columns, size_t n, const char *src, ptrdiff_t src_stride, char *dst,
                         ptrdiff_t dst_stride) {
    if (src_stride != (ptrdiff_t)(columns * sizeof(T))) return false;
    if (columns == 2 && SIDE > 2) return separate(2, n, src, dst, dst_stride), true;
    if (columns == 3 && HAS_THREES) return separate(3, n, src, dst, dst_stride), true;
    if (columns == 4 && SIDE > 4) return separate(4, n, src, dst, dst_stride), true;
    return false;
}

/* ---- tiles -------------------------------------------------------------------------------------------------- */

extern fz_transpose_tile FZ_KERNEL(transpose);
void FZ_KERNEL(transpose)(size_t rows, size_t columns, const void *src, ptrdiff_t src_stride, void *dst,
                          ptrdiff_t dst_stride, bool streams, void *buffer, const void *next) {
    if (rows < SIDE || columns < SIDE) {
        if (!interleave_few(rows, columns, src, src_stride, dst, dst_stride) &&
            !separate_few(columns, rows, src, src_stride, dst, dst_stride))
            copy_elements(rows, columns, src, src_stride, dst, dst_stride);
        return;
    }
    if (IS_WIDE && buffer)
        transpose_buffered(rows, columns, src, src_stride, dst, dst_stride, streams, buffer, next);
    else if (IS_WIDE && streams)
        transpose_bands(rows, columns, FZ_CACHE_LINE / sizeof(T), src, src_stride, dst, dst_stride, true);
    else
        transpose_blocks(rows, columns, rows, src, src_stride, dst, dst_stride);
    if (IS_WIDE && streams) vfence();
}
