/* Element-wise loops: ops.def's lane expressions run over contiguous and splat operands, and the casts
   that make any other operand contiguous. */
#include "vec.h"

enum { UNROLL = 4 };

/* Elements before out's first vector boundary, in a run long enough to care: stores that straddle cache
   lines cost up to twice as much, loads less. */
FZ_INLINE size_t lanes_to_boundary(size_t n, const void *out) {
    const size_t past = (uintptr_t)out % sizeof(vec);
    return n < 8 * UNROLL * W || past % sizeof(T) ? 0 : (sizeof(vec) - past) % sizeof(vec) / sizeof(T);
}

typedef vec unary_lane(vec x);
typedef vec binary_lane(vec x, vec y);

FZ_INLINE void unary_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                          unary_lane *lane, T fill) {
    const char *x = in[0];
    char *z = out;
    const size_t dx = step[0] * sizeof(vec), head = lanes_to_boundary(n, out);
    if (head) {
        vstore_part(z, lane(vload_part(x, head, fill)), head);
        n -= head;
        x += head * step[0] * sizeof(T);
        z += head * sizeof(T);
    }
    for (; n >= UNROLL * W; n -= UNROLL * W, z += UNROLL * sizeof(vec)) {
        vec v[UNROLL];
        for (int u = 0; u < UNROLL; u++, x += dx) v[u] = vload(x);
        for (int u = 0; u < UNROLL; u++) vstore(z + u * sizeof(vec), lane(v[u]));
    }
    for (; n >= W; n -= W, x += dx, z += sizeof(vec)) vstore(z, lane(vload(x)));
    if (n) vstore_part(z, lane(vload_part(x, n, fill)), n);
}

/* The whole blocks of UNROLL vectors in n >= UNROLL * W elements; returns how many elements that is. An
   operand that does not move is loaded once: each load fewer counts even where memory is the limit. */
FZ_INLINE size_t binary_blocks(size_t n, const char *x, bool x_moves, const char *y, bool y_moves, char *z,
                               binary_lane *lane) {
    const vec x_splat = vload(x), y_splat = vload(y);
    const size_t whole = n - n % (UNROLL * W);
    for (size_t i = 0; i < whole * sizeof(T); i += UNROLL * sizeof(vec)) {
        vec v[UNROLL];
        for (size_t u = 0; u < UNROLL; u++) {
            const size_t at = i + u * sizeof(vec);
            v[u] = lane(x_moves ? vload(x + at) : x_splat, y_moves ? vload(y + at) : y_splat);
        }
        for (size_t u = 0; u < UNROLL; u++) vstore(z + i + u * sizeof(vec), v[u]);
    }
    return whole;
}

FZ_INLINE void binary_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                           binary_lane *lane, T fill) {
    const char *x = in[0], *y = in[1];
    char *z = out;
    const size_t dx = step[0] * sizeof(T), dy = step[1] * sizeof(T);
    size_t done = lanes_to_boundary(n, out);
    if (done) vstore_part(z, lane(vload_part(x, done, fill), vload_part(y, done, fill)), done);
    if (n - done >= UNROLL * W) {
        const char *from_x = x + done * dx, *from_y = y + done * dy;
        char *to = z + done * sizeof(T);
        done += dx && dy ? binary_blocks(n - done, from_x, true, from_y, true, to, lane)
                : dx     ? binary_blocks(n - done, from_x, true, from_y, false, to, lane)
                         : binary_blocks(n - done, from_x, false, from_y, dy, to, lane);
    }
    for (; done + W <= n; done += W)
        vstore(z + done * sizeof(T), lane(vload(x + done * dx), vload(y + done * dy)));
    const size_t rest = n - done;
    if (rest)
        vstore_part(z + done * sizeof(T),
                    lane(vload_part(x + done * dx, rest, fill), vload_part(y + done * dy, rest, fill)), rest);
}

/* Long lanes stand in the code once, so that a table of them stays small; out-of-order execution overlaps the
   vectors, no unrolling is needed. */
FZ_INLINE void function_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                             unary_lane *lane, T fill) {
    const char *x = in[0];
    const size_t dx = step[0] * sizeof(T);
    for (size_t i = 0; i < n; i += W) {
        const size_t rest = n - i;
        const vec value = lane(rest >= W ? vload(x + i * dx) : vload_part(x + i * dx, rest, fill));
        char *z = (char *)out + i * sizeof(T);
        rest >= W ? vstore(z, value) : vstore_part(z, value, rest);
    }
}

FZ_INLINE void function2_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                              binary_lane *lane, T fill) {
    const char *x = in[0], *y = in[1];
    const size_t dx = step[0] * sizeof(T), dy = step[1] * sizeof(T);
    for (size_t i = 0; i < n; i += W) {
        const size_t rest = n - i;
        const vec a = rest >= W ? vload(x + i * dx) : vload_part(x + i * dx, rest, fill);
        const vec b = rest >= W ? vload(y + i * dy) : vload_part(y + i * dy, rest, fill);
        char *z = (char *)out + i * sizeof(T);
        const vec value = lane(a, b);
        rest >= W ? vstore(z, value) : vstore_part(z, value, rest);
    }
}

#define FZ_FUNCTION(name, dtypes, expression, fill, doc)                                               \
    FZ_INLINE vec name##_lane(vec x) { return expression; }                                            \
    static void name##_loop(size_t n, const void *const in[], const unsigned char step[], void *out) { \
        function_loop(n, in, step, out, name##_lane, fill);                                            \
    }
#define FZ_FUNCTION2(name, dtypes, expression, fill, doc)                                              \
    FZ_INLINE vec name##_lane(vec x, vec y) { return expression; }                                     \
    static void name##_loop(size_t n, const void *const in[], const unsigned char step[], void *out) { \
        function2_loop(n, in, step, out, name##_lane, fill);                                           \
    }
#define FZ_UNARY(name, dtypes, expression, fill, doc)                                                  \
    FZ_INLINE vec name##_lane(vec x) { return expression; }                                            \
    static void name##_loop(size_t n, const void *const in[], const unsigned char step[], void *out) { \
        unary_loop(n, in, step, out, name##_lane, fill);                                               \
    }
#define FZ_BINARY(name, dtypes, expression, fill, doc)                                                 \
    FZ_INLINE vec name##_lane(vec x, vec y) { return expression; }                                     \
    static void name##_loop(size_t n, const void *const in[], const unsigned char step[], void *out) { \
        binary_loop(n, in, step, out, name##_lane, fill);                                              \
    }
#include "ops.def"

/* ---- casts ---------------------------------------------------------------------------------------------- */

FZ_INLINE void cast_loop(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride,
                         T (*read)(const void *)) {
    const char *x = src;
    char *z = dst;
    for (; n; n--, x += src_stride, z += dst_stride) store_one(z, read(x));
}

FZ_INLINE T read_float32(const void *p) {
    float value;
    memcpy(&value, p, sizeof value);
    return (T)value;
}

FZ_INLINE T read_float64(const void *p) {
    double value;
    memcpy(&value, p, sizeof value);
    return (T)value;
}

/* Rows without gaps get a loop of their own, which the compiler turns into vectors. */
FZ_INLINE void cast_any(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride,
                        ptrdiff_t src_size, T (*read)(const void *)) {
    if (src_stride == src_size && dst_stride == sizeof(T))
        cast_loop(n, src, src_size, dst, sizeof(T), read);
    else if (dst_stride == sizeof(T))
        cast_loop(n, src, src_stride, dst, sizeof(T), read);
    else
        cast_loop(n, src, src_stride, dst, dst_stride, read);
}

static void cast_float32(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) {
    cast_any(n, src, src_stride, dst, dst_stride, sizeof(float), read_float32);
}

static void cast_float64(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) {
    cast_any(n, src, src_stride, dst, dst_stride, sizeof(double), read_float64);
}

extern const fz_elementwise_kernels FZ_KERNEL(elementwise);
const fz_elementwise_kernels FZ_KERNEL(elementwise) = {
    .loops =
        {
#define FZ_UNARY(name, dtypes, ...) [FZ_OP_##name] = FZ_IF_DTYPE(dtypes, name##_loop),
#define FZ_BINARY(name, dtypes, ...) [FZ_OP_##name] = FZ_IF_DTYPE(dtypes, name##_loop),
#include "ops.def"
        },
    .cast_from = {[FZ_FLOAT32] = cast_float32, [FZ_FLOAT64] = cast_float64},
};
