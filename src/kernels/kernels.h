/* The kernel table: what the operations call, once per dtype and instruction set.

   A kernel computes. It does not allocate, fail, lock or look anything up, and it reads and writes
   exactly the elements named here. Pointers need no alignment unless a line says so. Elements are of
   the table's dtype T unless a line says so; W is the number of T in a vector. */
#ifndef FZ_KERNELS_H
#define FZ_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forzium.h"

/* Bytes of the longest vector of any instruction set; scratch is aligned to it. */
#define FZ_MAX_VECTOR_BYTES 64
#define FZ_CACHE_LINE 64

/* X(context, CONSTANT, name, C type in memory); the kernels of a dtype are compiled with FZ_T = name. */
#define FZ_FOR_EACH_DTYPE(X, context)      \
    X(context, FLOAT32, float32, float)    \
    X(context, FLOAT64, float64, double)   \
    X(context, BOOL, boolean, uint8_t)     \
    X(context, INT8, int8, int8_t)         \
    X(context, INT16, int16, int16_t)      \
    X(context, INT32, int32, int32_t)      \
    X(context, INT64, int64, int64_t)      \
    X(context, UINT8, uint8, uint8_t)      \
    X(context, UINT16, uint16, uint16_t)   \
    X(context, UINT32, uint32, uint32_t)   \
    X(context, UINT64, uint64, uint64_t)   \
    X(context, FLOAT16, float16, uint16_t) \
    X(context, BFLOAT16, bfloat16, uint16_t)

/* What a loop computes: rows >= 1 rows of n elements, out[i] = op(in[0][i], in[1][i], ...) for i < n in each. An input k
   with step[k] == 1 has the elements of a row side by side. With step[k] == 0 it is a column, an element for each row;
   or, where down[k] is 0, a splat: FZ_MAX_VECTOR_BYTES of one repeated value. A row of out is contiguous; out equals an
   input of the same element size and the same rows, or overlaps none. Elements are T; those of a condition, and the
   results of tests and comparisons, are bool. */
typedef struct fz_plane {
    size_t n, rows;
    const void *in[3];
    void *out;
    ptrdiff_t down[3], out_down; /* bytes from a row to the next */
    unsigned char step[3];
    bool streams; /* out is no input and exceeds the caches, past which it may be written */
} fz_plane;
typedef void fz_loop(const fz_plane *plane);

/* dst[i] = (T)src[i] for i < n, at byte strides, from another dtype. */
typedef void fz_cast(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride);

typedef struct fz_elementwise_kernels {
    fz_loop *loops[FZ_OP_COUNT]; /* NULL where the row's dtypes lack T */
    fz_cast *const *cast_from;   /* [dtype]: any dtype -> T; its own entry copies */
} fz_elementwise_kernels;

/* A chain is a program of steps that work on a bundle of elements, which stays in vector registers from step
   to step; then on the next bundle. Where operands lie, a table of places says, so that steps can be shared. */
typedef struct fz_place {
    char *base;
    ptrdiff_t stride; /* bytes from an element to the next; or 0: one bundle, the same all along */
} fz_place;

typedef void fz_step_function(void); /* stands for the kernel file's own type */

typedef struct fz_step {
    fz_step_function *run; /* from fz_chain_kernels */
    fz_loop *loop;         /* of a call */
    int operands[3];       /* places, as many as the step reads or writes */
    int result;            /* of a call: the place that it writes */
} fz_step;

typedef struct fz_chain_kernels {
    size_t bundle; /* elements; divides FZ_BLOCK */
    /* Between the bundle and operand 0. Bools stand in a bundle of T as masks, in memory as bytes. */
    fz_step_function *load, *store, *load_bool, *store_bool;
    fz_step_function *call; /* a loop from operands to result, all in memory; the bundle is lost */
    fz_step_function *end;  /* the last step */
    /* bundle = op(bundle, operand 0, operand 1), and op(operand 0, bundle). NULL: only a call will do. */
    fz_step_function *forward[FZ_OP_COUNT], *reverse[FZ_OP_COUNT];
    void (*run)(size_t n, const fz_step steps[], const fz_place places[]); /* n: a multiple of bundle */
} fz_chain_kernels;

/* The FZ_JOINING rows of ops.def: how partial results of reductions become one. */
typedef enum fz_join {
#define FZ_JOINING(name, ...) FZ_JOIN_##name,
#include "ops.def"
    FZ_JOIN_COUNT,
} fz_join;

/* Elements that join from left to right, before they join with what came before. */
enum { FZ_CHAIN = 16 };

/* A row of elements of T that are computed when they are asked for; `first` counts them. */
typedef struct fz_computed_row fz_computed_row;
struct fz_computed_row {
    /* *sum, a vector of neutral elements, becomes what join_stream of reduce.c makes of `links` times eight vectors of
       these elements. */
    void (*join)(size_t first, size_t links, const fz_place places[], void *sum);
    /* n of the elements to a block. */
    void (*compute)(const fz_computed_row *row, size_t first, size_t n, void *block);
    const fz_place *places;
    void *context;
};

/* Over rows >= 1 rows of n >= 1 contiguous elements of T each; the results are contiguous. */
typedef void fz_join_kernel(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, void *results);

typedef struct fz_reduce_kernels {
    const void *neutral; /* of each join, elements of T */
    /* results[i] = x[i][0] op x[i][1] ... for i < rows, and results[j] = x[0][j] op x[1][j] ... for j < n. NULL where
       the row's dtypes lack T. */
    fz_join_kernel *join_rows[FZ_JOIN_COUNT], *join_columns[FZ_JOIN_COUNT];
    /* The same of what is not NaN, for sums and products of floats; else NULL. */
    fz_join_kernel *join_number_rows[FZ_JOIN_COUNT], *join_number_columns[FZ_JOIN_COUNT];
    /* As join_rows on one row. NULL where no code joins elements as it computes them (expression_code.c). */
    void (*join_computed)(fz_join join, size_t n, const fz_computed_row *row, void *result);
} fz_reduce_kernels;

/* Arrays of T, an element for each row or column: a number near the mean of what is in it, the sums of the distances from
   that and of their squares, and how many elements count. */
typedef struct fz_moment_sums {
    void *near, *sums, *squares;
    void *counts; /* NULL: all of them; else NaN does not, and where nothing does everything is 0 */
} fz_moment_sums;

/* For count rows of n >= 1 contiguous elements, and for each of n columns of rows >= 1 elements. */
typedef struct fz_moment_kernels {
    void (*rows)(size_t count, size_t n, const void *x, ptrdiff_t row_stride, const fz_moment_sums *to);
    void (*columns)(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, const fz_moment_sums *to);
} fz_moment_kernels;

/* Sums of integers of T's size, and how many bools are true: of each of count rows, and of each of n columns of at most
   FZ_TOTAL_ROWS rows. */
#define FZ_TOTAL_ROWS 255
typedef enum fz_total_kind { FZ_TOTAL_UNSIGNED, FZ_TOTAL_SIGNED, FZ_TOTAL_BOOL } fz_total_kind;
typedef struct fz_total_kernels {
    void (*rows)(size_t count, size_t n, const void *x, ptrdiff_t row_stride, fz_total_kind kind,
                 int64_t *results);
    void (*columns)(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, fz_total_kind kind,
                    int64_t *results);
} fz_total_kernels;

/* Sums in float32 of float16: of each of count rows of n >= 1 contiguous elements, and of each of n columns of rows. */
typedef struct fz_half_sums {
    void (*rows)(size_t count, size_t n, const void *x, ptrdiff_t row_stride, float *results);
    void (*columns)(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, float *results);
} fz_half_sums;

/* Rows of a call of fz_extreme_kernels.columns: an index among them fits any T. */
#define FZ_EXTREME_ROWS 64

/* Where the extreme that FZ_JOIN_maximum or FZ_JOIN_minimum gives stands first. An index below 0: nothing was met
   before, and *best holds nothing yet. */
typedef struct fz_extreme_kernels {
    /* Of each of count rows of n contiguous elements, numbered from `first`, one that goes before *best takes its
       place; best and index are contiguous. */
    void (*rows[FZ_JOIN_COUNT])(size_t count, size_t n, const void *x, ptrdiff_t row_stride, int64_t first,
                                void *best, int64_t *index);
    /* The same for each of n columns of at most FZ_EXTREME_ROWS rows. */
    void (*columns[FZ_JOIN_COUNT])(size_t rows, size_t n, const void *x, ptrdiff_t row_stride, int64_t first,
                                   void *best, int64_t *index);
} fz_extreme_kernels;

/* Matrix multiplication (Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", TOMS 2008). An
   A panel is mr rows, a B panel nr columns. Packed, element (i, p) of A's is at a[p * mr + i], element (p, j) of B's
   at b[p * nr + j], and zeros fill the last panel up. */
/* Packs n lines (rows of A, columns of B), each of k steps, at strides in bytes. */
typedef void fz_pack(size_t n, size_t k, const void *x, ptrdiff_t line_stride, ptrdiff_t step_stride,
                     void *panels);

typedef struct fz_pack_kernels {
    fz_pack *a, *b;
} fz_pack_kernels;

/* Where the panels of an operand are, packed or not: strides in bytes from panel to panel, from line to line (rows of
   A; columns of B are contiguous), and from step to step of k. */
typedef struct fz_panels {
    const void *data;
    ptrdiff_t panel, line, step;
} fz_panels;

/* Packs one panel of groups, `width` lines wide, of n lines of k elements; zeros fill the last group up, too. */
typedef void fz_gather_groups(size_t n, size_t k, const void *x, ptrdiff_t line_stride,
                              ptrdiff_t element_stride, size_t width, void *panel);

/* Memory that will be wanted soon, asked for line by line meanwhile: columns of cache lines, a step apart, side by side.
   The last of a list has no columns, and nothing else that is read. */
typedef struct fz_ahead {
    uintptr_t first; /* an address, as a line may begin behind the end */
    ptrdiff_t lines, step, columns;
    ptrdiff_t at; /* lines of the first column asked for so far */
} fz_ahead;

typedef struct fz_matmul_kernels {
    int mr, nr;
    int unpacked_columns; /* an unpacked B has a multiple of so many */
    int group; /* steps of k in an element of a panel, which is one step for multiply; 1: no groups */
    fz_gather_groups *gather; /* NULL: no groups */
    /* c[i][j] (+)= sum over p < k of a(i, p) * b(p, j) for i < m, j < n; row_stride in bytes, columns contiguous. Adds
       to c where accumulate, else overwrites it. ahead: what to ask for meanwhile, changed to what is left; or
       NULL. Then, or where nothing is left, the next panel of B. */
    void (*multiply)(size_t m, size_t n, size_t k, const fz_panels *a, const fz_panels *b, void *c,
                     ptrdiff_t row_stride, bool accumulate, fz_ahead *ahead);
} fz_matmul_kernels;

/* Few rows times a matrix, at the speed at which the matrix is read. Elements of x's and c's rows are contiguous.
   Each adds to c where accumulate, else overwrites it. */
typedef struct fz_matvec_kernels {
    /* c[i][j] (+)= sum over p < k of x[i][p] * b[p][j] for i < m, j < n; b's rows contiguous */
    void (*rows)(size_t m, size_t k, size_t n, const void *x, ptrdiff_t x_stride, const void *b,
                 ptrdiff_t row_stride, void *c, ptrdiff_t c_stride, bool accumulate);
    /* c[j] (+)= sum over p < k of x[p] * b[p][j] for j < n; b's columns contiguous */
    void (*columns)(size_t k, size_t n, const void *x, const void *b, ptrdiff_t column_stride, void *c,
                    bool accumulate);
} fz_matvec_kernels;

/* A column of a window: `height` weights for elements of x that lie x_stride apart, the first `offset` bytes from the
   output's place in x. */
typedef struct fz_window_column {
    ptrdiff_t offset;
    size_t height; /* >= 1 */
} fz_window_column;

typedef struct fz_window {
    size_t count;
    const fz_window_column *columns;
    const void *weights;            /* one column after the other; aligned */
    const void *initial;            /* what is added to every sum */
    ptrdiff_t x_stride, out_stride; /* bytes from one output row to the next */
} fz_window;

/* out[i][j] = initial + sum over columns c and p < height of weights[c][p] * x[i + p][j] (c's offset away), for i < h,
   j < w. Rows contiguous. */
typedef void fz_conv2d_direct(const fz_window *window, size_t h, size_t w, const void *x, void *out);

/* evens[i] = x[2 * i], odds[i] = x[2 * i + 1] for i < n, all contiguous. */
typedef void fz_split(size_t n, const void *x, void *evens, void *odds);

enum { FZ_POOL_SIDE = 3 /* of the largest window */ };

/* Windows of x whose rows are joined one below the other, then their columns from left to right. */
typedef struct fz_pool_window {
    size_t height, width;           /* at most FZ_POOL_SIDE; a height of at least 2 */
    const char *rows[FZ_POOL_SIDE]; /* all of them pointers, which are moved */
    size_t step;                    /* elements from one of the window's columns to the next */
    size_t lines;
    ptrdiff_t down, out_down; /* bytes from one line of windows to the next */
    /* Side by side: columns follow each other, windows are of 2 x 2 two elements apart or of 3 x 3 one or two (by_two),
       and at least `shortest`. Those of 3 x 3 may begin one element before the rows, and end one behind their `end`. */
    bool slides, by_two;
    ptrdiff_t end;
    bool is_unsigned;     /* the integers are */
    bool streams;         /* side by side, and out exceeds the caches */
    const void *divisors; /* of means: side by side, one for each window of a line, else a vector; or NULL */
    double scale;         /* then: by what sums are multiplied */
} fz_pool_window;

/* out[r * out_down][i] = join over q < width and p < height of rows[p][r * down][first + i (by_two: 2 i) + q * step] for
   i < n and r < lines. */
typedef void fz_pool_windows(const fz_pool_window *window, ptrdiff_t first, size_t n, void *out);

typedef struct fz_pool_kernels {
    ptrdiff_t shortest; /* windows that slide */
    fz_pool_windows *max;
    fz_pool_windows *mean; /* NULL of integers */
} fz_pool_kernels;

typedef struct fz_conv2d_tile {
    int group; /* pixels */
    int lanes; /* W */
    /* out[g][i][c] = initial + sum over p < k of x[g][i] (offsets[p] away) * panel[p][c], for g < groups (1 or 2),
       i < group, k >= 1, and as many channels c as fill one vector (two where channels > W). initial is first[c], the
       same for every pixel, or out[g][i][c] where first is NULL. Pixels of a group and all but x contiguous; panel,
       first and out aligned. */
    void (*tile)(int groups, size_t channels, size_t k, const void *const x[2], const ptrdiff_t offsets[],
                 const void *panel, const void *first, void *const out[2]);
} fz_conv2d_tile;

/* Where a tap is, in bytes: from the output's place in x, and among the weights. */
typedef struct fz_depthwise_tap {
    ptrdiff_t x, weights;
} fz_depthwise_tap;

/* A window on pixels, whose channels lie side by side. */
typedef struct fz_depthwise {
    size_t channels; /* W or more */
    size_t count;    /* of taps */
    const fz_depthwise_tap *taps;
    const void *weights; /* of all channels for each tap */
    const void *initial; /* of all channels */
    ptrdiff_t x_row, x_pixel,
        out_pixel; /* bytes from one output to the next: down and to the right in x; in out */
} fz_depthwise;

/* out[i][j][c] = initial[c] + sum over taps t of weights[t][c] * x[i][j][c] (taps[t] away) for i < h, j < w and all channels
   c. Pixels of out are gapless. */
typedef void fz_conv2d_depthwise(const fz_depthwise *window, size_t h, size_t w, const void *x, void *out);

/* n complex rows of W columns. n is a power of two, at least W; addresses and stride are aligned. */
typedef struct fz_fft_columns {
    size_t n;
    void *re, *im;
    ptrdiff_t stride; /* bytes from row to row */
} fz_fft_columns;

typedef struct fz_fft_kernels {
    int lanes; /* W */
    /* In place, to an order of frequencies of its own and, times n, back from it. roots: exp(-2 pi i k / n), k < n, as
       pairs. */
    void (*forward)(const fz_fft_columns *columns, const void *roots);
    void (*backward)(const fz_fft_columns *columns, const void *roots);
    /* W rows of n elements to columns and back. */
    void (*rows_to_columns)(const fz_fft_columns *rows, const fz_fft_columns *columns);
    void (*columns_to_rows)(const fz_fft_columns *columns, const fz_fft_columns *rows);
    /* By the conjugate of another spectrum; by a number. */
    void (*multiply)(const fz_fft_columns *columns, const fz_fft_columns *by);
    void (*scale)(const fz_fft_columns *columns, double by);
} fz_fft_kernels;

/* Passes over rows of n >= 1 contiguous elements. t[i] stands for x[i] * scale - shift, each step rounded. Sums join
   as rowwise.c says. */
typedef enum fz_row_pass {
    FZ_ROW_MAX,     /* sum = the largest x[i]; NaN where there is one */
    FZ_ROW_SIZE,    /* sum = the largest |x[i]|; NaN where there is one */
    FZ_ROW_SUM,     /* sum = sum of t[i] */
    FZ_ROW_SQUARES, /* sum = sum of t[i]^2; other = sum of t[i], with more roundings */
    FZ_ROW_DOT,     /* sum = sum of x[i] * y[i]; of x[i]^2 where y is NULL */
    FZ_ROW_EXP,     /* out[i] = e^(x[i] - shift); sum = their sum */
    /* sum = sum of the e^(x[i] - shift) where x[i] != shift, other = how many others. out[i] = x[i] - shift, if there is
       an out. */
    FZ_ROW_COUNTED_EXP,
    FZ_ROW_AFFINE, /* out[i] = (t[i] * factor + added) [* y[i]] [+ z[i]] */
    FZ_ROW_PASSES,
} fz_row_pass;

/* The first row's elements, and how many bytes further on the next row's are. */
typedef struct fz_row_operands {
    const void *x, *y, *z; /* y and z only where a pass has them; NULL in an affine pass: 1 and 0 */
    void *out;             /* may be x; of a counting pass NULL, too: nothing is written then */
    ptrdiff_t x_stride, y_stride, z_stride, out_stride;
} fz_row_operands;

typedef struct fz_row_values {
    double scale, shift, factor, added; /* rounded to T */
} fz_row_values;

typedef struct fz_row_result {
    union {
        double sum;
        uint64_t whole; /* of integers */
    };
    double other;
} fz_row_result;

/* `count` rows, each with values and a result of its own. Only passes above whose line has t or one of the values by
   name read them. */
typedef void fz_row_function(size_t count, size_t n, const fz_row_operands *operands,
                             const fz_row_values values[], fz_row_result results[]);

typedef struct fz_rowwise_kernels {
    fz_row_function *passes[FZ_ROW_PASSES];
} fz_rowwise_kernels;

/* out[i] = carry op (x[0] op ... x[i]) for i < n; *total = x[0] op ... x[n - 1]. carry and total are of T. out may be
   x; where it is NULL only the total is computed, the same bits. */
typedef void fz_scan(size_t n, const void *x, void *out, const void *carry, void *total);

typedef struct fz_scan_kernels {
    fz_scan *sum;
    fz_scan *product; /* from left to right: out[i] = ((carry * x[0]) * x[1]) ..., *total = out[n - 1] */
} fz_scan_kernels;

/* dst[j][i] = src[i][j] for i < rows, j < columns; both have contiguous rows and byte row strides. streams: dst is stored
   past the caches; its rows begin at cache lines and are whole ones. buffer: NULL, or room for its rows and a cache line
   behind each, by way of which they go. Both only for elements of 4 bytes or more. next: where the tile of src begins that
   follows, or NULL; looked at where both are. */
typedef void fz_transpose_tile(size_t rows, size_t columns, const void *src, ptrdiff_t src_stride, void *dst,
                               ptrdiff_t dst_stride, bool streams, void *buffer, const void *next);

/* e^larger + e^smaller - 1 as the sum of the result and *low, for larger <= 0, smaller <= -1/4, near 0. Of no
   instruction set or dtype: logaddexp's lane expressions call it for the few lanes that need it. */
double fz__logaddexp_less_1(double larger, double smaller, double *low);

/* Does AVX-512's instruction for square roots take less time than steps towards them? cpu.c says; no bit depends on it. */
extern bool fz__roots_are_quick;

typedef struct fz_kernels {
    size_t vector_bytes;
    const fz_elementwise_kernels *elementwise;
    const fz_reduce_kernels *reduce;   /* NULL for float16 and bfloat16 */
    const fz_extreme_kernels *extreme; /* so, too */
    /* NULL but for float32, float64, int32 and int64: */
    const fz_matmul_kernels *matmul;
    fz_conv2d_direct *conv2d_direct;
    const fz_total_kernels *total; /* of uint8, uint16 and uint32: for all integers of the size */
    const fz_half_sums *half_sums; /* of float16; NULL where no instructions convert it */
    const fz_pool_kernels *pool;   /* of float32, float64 and int8, for all bytes; NULL of short vectors */
    /* NULL but for float32 and float64: */
    const fz_chain_kernels *chain;
    const fz_moment_kernels *moment;
    const fz_pack_kernels *pack; /* for all dtypes of the size */
    const fz_matvec_kernels *matvec;
    fz_split *split; /* so, too */
    const fz_conv2d_tile *conv2d_tile;
    fz_conv2d_depthwise *conv2d_depthwise;
    const fz_fft_kernels *fft;
    fz_transpose_tile *transpose; /* of uint8 and uint16, too: for all dtypes of the size */
    const fz_rowwise_kernels *rowwise;
    const fz_scan_kernels *scan;
} fz_kernels;

#endif
