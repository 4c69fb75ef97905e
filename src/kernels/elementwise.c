/* Element-wise loops: ops.def's lane expressions run over contiguous and splat operands. */
#include "functions.h"

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

typedef vec ternary_lane(vec x, vec y, vec z);
typedef vec select_lane(mask c, vec x, vec y);
typedef mask test_lane(vec x);
typedef mask compare_lane(vec x, vec y);

FZ_INLINE vec load_some(const char *x, size_t rest, T fill) {
    return rest >= W ? vload(x) : vload_part(x, rest, fill);
}

FZ_INLINE void ternary_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                            ternary_lane *lane, T fill) {
    const char *x = in[0], *y = in[1], *z = in[2];
    const size_t dx = step[0] * sizeof(T), dy = step[1] * sizeof(T), dz = step[2] * sizeof(T);
    for (size_t i = 0; i < n; i += W) {
        const size_t rest = n - i;
        const vec value = lane(load_some(x + i * dx, rest, fill), load_some(y + i * dy, rest, fill),
                               load_some(z + i * dz, rest, fill));
        char *to = (char *)out + i * sizeof(T);
        rest >= W ? vstore(to, value) : vstore_part(to, value, rest);
    }
}

FZ_INLINE void select_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                           select_lane *lane, T fill) {
    const char *c = in[0], *x = in[1], *y = in[2];
    const size_t dx = step[1] * sizeof(T), dy = step[2] * sizeof(T);
    for (size_t i = 0; i < n; i += W) {
        const size_t rest = n - i;
        const mask condition =
            rest >= W ? vload_mask(c + i * step[0]) : vload_mask_part(c + i * step[0], rest);
        const vec value =
            lane(condition, load_some(x + i * dx, rest, fill), load_some(y + i * dy, rest, fill));
        char *to = (char *)out + i * sizeof(T);
        rest >= W ? vstore(to, value) : vstore_part(to, value, rest);
    }
}

FZ_INLINE void test_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                         test_lane *lane, T fill) {
    const char *x = in[0];
    const size_t dx = step[0] * sizeof(T);
    size_t i = 0;
    for (; i + W <= n; i += W) vstore_mask((char *)out + i, lane(vload(x + i * dx)));
    if (i < n) vstore_mask_part((char *)out + i, lane(vload_part(x + i * dx, n - i, fill)), n - i);
}

FZ_INLINE void compare_loop(size_t n, const void *const in[], const unsigned char step[], void *out,
                            compare_lane *lane, T fill) {
    const char *x = in[0], *y = in[1];
    const size_t dx = step[0] * sizeof(T), dy = step[1] * sizeof(T);
    size_t i = 0;
    for (; i + W <= n; i += W) vstore_mask((char *)out + i, lane(vload(x + i * dx), vload(y + i * dy)));
    if (i < n) {
        const size_t rest = n - i;
        const mask m = lane(vload_part(x + i * dx, rest, fill), vload_part(y + i * dy, rest, fill));
        vstore_mask_part((char *)out + i, m, rest);
    }
}

#define LOOP(name, kind, fill)                                                                         \
    static void name##_loop(size_t n, const void *const in[], const unsigned char step[], void *out) { \
        kind##_loop(n, in, step, out, name##_lane, fill);                                              \
    }
#define LANE_1(name, type, expression) \
    FZ_INLINE type name##_lane(vec x) { return expression; }
#define LANE_2(name, type, expression) \
    FZ_INLINE type name##_lane(vec x, vec y) { return expression; }
#define LANE_3(name, type, expression) \
    FZ_INLINE type name##_lane(vec x, vec y, vec z) { return expression; }
#define LANE_C(name, type, expression) \
    FZ_INLINE type name##_lane(mask c, vec x, vec y) { return expression; }
#define FZ_FUNCTION(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_1(name, vec, expression) LOOP(name, function, fill))
#define FZ_FUNCTION2(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_2(name, vec, expression) LOOP(name, function2, fill))
#define FZ_BINARY_LONG(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_2(name, vec, expression) LOOP(name, function2, fill))
#define FZ_UNARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_1(name, vec, expression) LOOP(name, unary, fill))
#define FZ_BINARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_2(name, vec, expression) LOOP(name, binary, fill))
#define FZ_TERNARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_3(name, vec, expression) LOOP(name, ternary, fill))
#define FZ_SELECT(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_C(name, vec, expression) LOOP(name, select, fill))
#define FZ_TEST(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_1(name, mask, expression) LOOP(name, test, fill))
#define FZ_COMPARE(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE_2(name, mask, expression) LOOP(name, compare, fill))
#include "ops.def"

#define CASTS_(simd) fz__casts_##simd
#define CASTS(simd) CASTS_(simd)
extern fz_cast *const CASTS(FZ_SIMD)[FZ_DTYPE_COUNT][FZ_DTYPE_COUNT];

extern const fz_elementwise_kernels FZ_KERNEL(elementwise);
const fz_elementwise_kernels FZ_KERNEL(elementwise) = {
    .loops =
        {
#define ENTRY(name) [FZ_OP_##name] = name##_loop,
#define FZ_UNARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#define FZ_BINARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#define FZ_TERNARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#include "ops.def"
        },
    .cast_from = CASTS(FZ_SIMD)[FZ_DTYPE],
};
