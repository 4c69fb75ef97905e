/* Matrix multiplication of narrow numbers by instructions that take a group of steps of k at once: see vec_groups.h.

   An element of a panel is a group; panels are packed always, so that one tile, with its last rows and columns left
   out, serves every shape. */
#include "matmul_tile.h"
#include "vec_groups.h"

/* ---- packing ------------------------------------------------------------------------------------------------ */

/* One step's groups of a panel: `elements` of k of n lines. */
FZ_INLINE void gather_step(size_t n, size_t elements, const char *x, ptrdiff_t line, ptrdiff_t element,
                           T *panel) {
    for (size_t i = 0; i < n; i++) {
        uint32_t group = 0;
        for (size_t j = 0; j < elements; j++) {
            narrow value;
            memcpy(&value, x + (ptrdiff_t)i * line + (ptrdiff_t)j * element, sizeof value);
            group |= (uint32_t)value << (j * 8 * sizeof value);
        }
        memcpy(panel + i, &group, sizeof group);
    }
}

static void gather(size_t n, size_t k, const void *x, ptrdiff_t line, ptrdiff_t element, size_t width,
                   void *panel) {
    const char *from = x;
    T *to = panel;
    for (size_t p = 0; p < k; p += GROUP, from += GROUP * element, to += width) {
        if (k - p < GROUP)
            gather_step(n, k - p, from, line, element, to);
        else if (line == sizeof(narrow))
            gather_step(n, GROUP, from, sizeof(narrow), element, to);
        else
            gather_step(n, GROUP, from, line, element, to);
        memset(to + n, 0, (width - n) * sizeof(T));
    }
}

/* ---- multiplying -------------------------------------------------------------------------------------------- */

static void store_rows(size_t rows, size_t columns, vec sums[MR][NV], char *c, ptrdiff_t row_stride,
                       bool accumulate) {
    for (size_t i = 0; i < rows; i++, c += row_stride) {
        for (size_t j = 0; j < columns; j += W) {
            const size_t lanes = columns - j < W ? columns - j : W;
            char *to = c + j * sizeof(T);
            const vec sum = sums[i][j / W];
            vstore_part(to, accumulate ? vload_part(to, lanes, 0) + sum : sum, lanes);
        }
    }
}

/* k > 0. */
static void multiply_tile(size_t rows, size_t columns, size_t k, const char *a, const char *b, char *c,
                          ptrdiff_t row_stride, bool accumulate, next_lines next) {
    vec sums[MR][NV] = {0};
    do {
        __builtin_prefetch((const void *)next.first, 0, 2);
        next.first += (size_t)next.step;
        vec row[NV];
#pragma GCC unroll 3
        for (int v = 0; v < NV; v++) row[v] = vload(b + v * sizeof(vec));
#pragma GCC unroll 8
        for (int i = 0; i < MR; i++) {
            const vec group = vsplat_group(a + i * sizeof(T));
#pragma GCC unroll 3
            for (int v = 0; v < NV; v++) sums[i][v] = vdot(sums[i][v], group, row[v]);
        }
        a += MR * sizeof(T);
        b += NR * sizeof(T);
    } while (--k);
    store_rows(rows, columns, sums, c, row_stride, accumulate);
}

static void multiply(size_t m, size_t n, size_t k, const fz_panels *a, const fz_panels *b, void *c,
                     ptrdiff_t row_stride, bool accumulate, fz_ahead *ahead) {
    const ptrdiff_t packed_step = step_of_packed(b->step, m);
    const char *b_panel = b->data;
    char *at_column = c;
    for (size_t j = 0; j < n; j += NR, b_panel += b->panel, at_column += NR * sizeof(T)) {
        const char *a_panel = a->data;
        char *at = at_column;
        for (size_t i = 0; i < m; i += MR, a_panel += a->panel, at += MR * row_stride)
            multiply_tile(m - i < MR ? m - i : MR, n - j < NR ? n - j : NR, k, a_panel, b_panel, at,
                          row_stride, accumulate,
                          ahead && ahead->columns ? of_list(&ahead, k)
                                                  : of_packed(b_panel + b->panel, packed_step, k, i / MR));
    }
}

extern const fz_matmul_kernels FZ_JOIN(matmul_groups, FZ_SIMD, FZ_GROUPED);
const fz_matmul_kernels FZ_JOIN(matmul_groups, FZ_SIMD, FZ_GROUPED) = {
    .mr = MR, .nr = NR, .unpacked_columns = 1, .group = GROUP, .gather = gather, .multiply = multiply};
