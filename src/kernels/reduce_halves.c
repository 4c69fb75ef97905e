/* Sums of float16, in float32, where instructions convert it: of rows, and of the columns of a stack of rows. Chains of
   at most CHAIN links join as a tree. */
#include "vec_half.h"
#if defined(FZ_HAS_HALF)
#undef FZ_T_float16 /* of what vec.h makes vectors; FZ_T still names the kernel */
#define FZ_T_float32
#define FZ_STORES_HALVES
#include "vec_stored.h"

enum {
    CHAIN = FZ_CHAIN,
    SIDE_BY_SIDE = 8, /* chains */
    LINK = SIDE_BY_SIDE * W,
    BLOCK = CHAIN * LINK, /* elements */
};

FZ_INLINE vec load(const char *x, size_t n) { return n >= W ? load_stored(x) : load_stored_part(x, n, 0); }

/* What is asked for is prefetched as in reduce.c. */
FZ_INLINE vec sum_links(size_t links, const char *x) {
    enum { AHEAD = 4096 };
    vec sum[SIDE_BY_SIDE] = {{0}};
    for (; links; links--, x += SIDE_BY_SIDE * STORED_BYTES) {
#pragma GCC unroll 8
        for (size_t u = 0; u < SIDE_BY_SIDE; u++) {
            if (u * STORED_BYTES % FZ_CACHE_LINE == 0) __builtin_prefetch(x + u * STORED_BYTES + AHEAD);
            sum[u] += load_stored(x + u * STORED_BYTES);
        }
    }
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static vec sum_row(size_t n, const char *x) {
    if (n > BLOCK) {
        const size_t half = (n / 2 + BLOCK - 1) / BLOCK * BLOCK;
        const vec sum = sum_row(half, x);
        return sum + sum_row(n - half, x + half * sizeof(stored));
    }
    const size_t links = n / LINK;
    vec rest = vsplat(0);
    for (size_t i = links * LINK; i < n; i += W) rest += load(x + i * sizeof(stored), n - i);
    return links ? sum_links(links, x) + rest : rest;
}

static void rows(size_t count, size_t n, const void *x, ptrdiff_t row_stride, float *results) {
    const char *row = x;
    for (size_t joined; count; count -= joined, results += joined) {
        vec v[W];
        joined = count < W ? 1 : W;
        for (size_t i = 0; i < joined; i++, row += row_stride) v[i] = sum_row(n, row);
        if (joined == W)
            vstore(results, join_lanes(v, W, vadd));
        else
            *results = join_lanes(v, 1, vadd)[0];
    }
}

/* At most `width` columns, in `vectors` vectors, of at most CHAIN rows, added to what is in z unless these are the
   first. */
FZ_INLINE void add_columns(size_t rows, size_t vectors, size_t width, const char *x, ptrdiff_t row_stride,
                           char *z, bool first) {
    enum { AHEAD = 512 };
    vec sum[4] = {{0}};
    for (size_t r = 0; r < rows; r++, x += row_stride) {
#pragma GCC unroll 4
        for (size_t u = 0; u < vectors; u++) {
            if (vectors > 1 && u * STORED_BYTES % FZ_CACHE_LINE == 0)
                __builtin_prefetch(x + u * STORED_BYTES + AHEAD);
            sum[u] += load(x + u * STORED_BYTES, width);
        }
    }
    for (size_t u = 0; u < vectors; u++, z += sizeof(vec)) {
        if (width < W)
            vstore_part(z, first ? sum[u] : vload_part(z, width, 0) + sum[u], width);
        else
            vstore(z, first ? sum[u] : vload(z) + sum[u]);
    }
}

static void columns(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, float *results) {
    const char *group = x;
    char *z = (char *)results;
    for (bool first = true; rows; first = false) {
        const size_t height = rows < CHAIN ? rows : CHAIN;
        size_t j = 0;
        for (; j + 4 * W <= n; j += 4 * W)
            add_columns(height, 4, W, group + j * sizeof(stored), row_stride, z + j * sizeof(T), first);
        for (; j < n; j += W)
            add_columns(height, 1, n - j, group + j * sizeof(stored), row_stride, z + j * sizeof(T), first);
        rows -= height;
        group += (ptrdiff_t)height * row_stride;
    }
}

extern const fz_half_sums FZ_KERNEL(half_sums);
const fz_half_sums FZ_KERNEL(half_sums) = {rows, columns};
#else
extern const int fz__no_halves; /* a file needs something in it */
#endif
