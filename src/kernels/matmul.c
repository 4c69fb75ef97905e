/* Matrix multiplication: the register-tiled micro-kernels.

   A tile of C is at most MR rows by NV vectors, held in registers over the whole k loop; each step loads NV vectors
   of B, and broadcasts MR elements of A. Fringes have kernels of their own, so that little is computed in vain.
   Operands are read at strides: packed panels and plain matrices alike. */
#include "matmul_tile.h"

/* ---- one tile --------------------------------------------------------------------------------------------- */

/* The last vector's lanes in use, as vload_part wants them. Where a part costs more than a whole vector, B is
   padded. */
FZ_INLINE vec load_last(const char *b, size_t lanes) {
    return FZ_CHEAP_PARTS ? vload_part(b, lanes, 0) : vload(b);
}

FZ_INLINE void store_sum(char *c, vec sum, size_t lanes, bool accumulate) {
    if (lanes == W)
        vstore(c, accumulate ? vload(c) + sum : sum);
    else
        vstore_part(c, accumulate ? vload_part(c, lanes, 0) + sum : sum, lanes);
}

/* rows and vectors are constants wherever this is inlined. */
FZ_INLINE void tile(int rows, int vectors, size_t k, const fz_panels *pa, const char *a, const char *b,
                    ptrdiff_t b_step, char *c, ptrdiff_t row_stride, size_t lanes, bool accumulate,
                    const next_lines *next) {
    const ptrdiff_t a_line = pa->line, a_step = pa->step, next_step = next->step;
    uintptr_t line = next->first;
    vec acc[MR][NV];
    char *to = c;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++, to = vanew(to + row_stride)) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++) {
            acc[i][v] = (vec){0};
            __builtin_prefetch(to + v * (ptrdiff_t)sizeof(vec), 1);
        }
    }
    for (; k; k--, a += a_step, b += b_step, line += (size_t)next_step) {
        __builtin_prefetch((const void *)line, 0, 2);
        vec row[NV];
#pragma GCC unroll 3
        for (int v = 0; v < vectors - 1; v++) row[v] = vload(b + v * sizeof(vec));
        row[vectors - 1] = load_last(b + (vectors - 1) * sizeof(vec), lanes);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec element = vsplat(load_one(a + i * a_line));
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++) acc[i][v] += element * row[v];
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++, c = vanew(c + row_stride)) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            store_sum(c + v * (ptrdiff_t)sizeof(vec), acc[i][v], v < vectors - 1 ? W : lanes, accumulate);
    }
}

/* ---- the family -------------------------------------------------------------------------------------------- */

typedef void tile_function(size_t k, const fz_panels *pa, const char *a, const char *b, ptrdiff_t b_step,
                           char *c, ptrdiff_t row_stride, size_t lanes, bool accumulate,
                           const next_lines *next);

#define TILE(rows, vectors)                                                                            \
    static void tile_##rows##x##vectors(size_t k, const fz_panels *pa, const char *a, const char *b,   \
                                        ptrdiff_t b_step, char *c, ptrdiff_t row_stride, size_t lanes, \
                                        bool accumulate, const next_lines *next) {                     \
        tile(rows, vectors, k, pa, a, b, b_step, c, row_stride, lanes, accumulate, next);              \
    }
#define TILES(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define NAMES(rows) {tile_##rows##x1, tile_##rows##x2, tile_##rows##x3},
/* Floats have a tile of every height. Integers make do with powers of two: code for the others would be as long as for all
   of float32. */
#if defined(FZ_T_IS_FLOAT) && FZ_VECTOR_REGISTERS == 32
#define FOR_EACH_HEIGHT(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif defined(FZ_T_IS_FLOAT)
#define FOR_EACH_HEIGHT(X) X(1) X(2) X(3) X(4)
#elif FZ_VECTOR_REGISTERS == 32
#define FOR_EACH_HEIGHT(X) X(1) X(2) X(4) X(8)
#else
#define FOR_EACH_HEIGHT(X) X(1) X(2) X(4)
#endif
FOR_EACH_HEIGHT(TILES)
static tile_function *const tiles[][NV] = {FOR_EACH_HEIGHT(NAMES)};

#if defined(FZ_T_IS_FLOAT)
FZ_INLINE size_t tallest(size_t rows) { return rows; }
FZ_INLINE tile_function *const *tiles_of(size_t rows) { return tiles[rows - 1]; }
#else
FZ_INLINE size_t tallest(size_t rows) { return rows >= 8 ? 8 : rows >= 4 ? 4 : rows >= 2 ? 2 : 1; }
FZ_INLINE tile_function *const *tiles_of(size_t rows) { return tiles[__builtin_ctzl(rows)]; }
#endif

/* How many of the `n` columns that are left the next tiles have. A B in place is cut where one likes: four vectors are
   two and two, as a single one has no more chains of sums than hide their latency, and loads twice as much for each. */
FZ_INLINE size_t next_columns(size_t n, bool is_packed) {
    if (!is_packed && n > NR && n <= NR + W) return 2 * W;
    return n < NR ? n : NR;
}

/* A panel of B stays close while the panels of A pass by; the next one is asked for unless the caller knows better. */
static void multiply(size_t m, size_t n, size_t k, const fz_panels *a, const fz_panels *b, void *c,
                     ptrdiff_t row_stride, bool accumulate, fz_ahead *ahead) {
    const bool is_packed = b->panel != NR * sizeof(T); /* or of one step, which lies as it would in place */
    const ptrdiff_t packed_step = is_packed ? step_of_packed(b->step, m) : 0;
    const char *b_panel = b->data;
    char *at_column = c;
    for (size_t columns; n; n -= columns) {
        columns = next_columns(n, is_packed);
        const size_t vectors = (columns + W - 1) / W, lanes = columns - (vectors - 1) * W;
        const char *next = b_panel + (is_packed ? b->panel : (ptrdiff_t)(columns * sizeof(T)));
        char *at = at_column;
        for (size_t i = 0, rows; i < m; i += rows, at += (ptrdiff_t)rows * row_stride) {
            const size_t row = i % MR;
            rows = tallest(m - i < MR - row ? m - i : MR - row);
            const char *first =
                (const char *)a->data + (ptrdiff_t)(i / MR) * a->panel + (ptrdiff_t)row * a->line;
            const next_lines lines = ahead && ahead->columns ? of_list(&ahead, k)
                                     : is_packed             ? of_packed(next, packed_step, k, i / MR)
                                                             : of_rows(next, b->step, i / MR);
            tiles_of(rows)[vectors - 1](k, a, first, b_panel, b->step, at, row_stride, lanes, accumulate,
                                        &lines);
        }
        at_column += columns * sizeof(T);
        b_panel = next;
    }
}

extern const fz_matmul_kernels FZ_KERNEL(matmul);
const fz_matmul_kernels FZ_KERNEL(matmul) = {
    .mr = MR, .nr = NR, .unpacked_columns = FZ_CHEAP_PARTS ? 1 : W, .group = 1, .multiply = multiply};
