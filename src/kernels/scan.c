/* Running sums and products of a row. */
#include "vec.h"

/* UNROLL vectors at a time: each one's own running sums, to which the sum of those before it is added. So a result
   has log2(W) + n / W + 1 additions behind it, where one by one it has n. */
enum { UNROLL = 4 };

/* One by one; the sum of all. */
static T add_in_turn(size_t n, const char *x, char *out, T before, T sum) {
    for (size_t i = 0; i < n; i++) {
        sum += load_one(x + i * sizeof(T));
        if (out) store_one(out + i * sizeof(T), before + sum);
    }
    return sum;
}

/* Are not all lanes finite? */
FZ_INLINE bool are_doubtful(int count, const vec v[]) {
    vec none = v[0] - v[0];
#pragma GCC unroll 4
    for (int u = 1; u < count; u++) none += v[u] - v[u];
    return vany((mask)(none != 0));
}

/* Of a vector's part, or of `count` whole ones; offset: the sum of those before, and then of these, too. The vectors' own
   sums are of neighbours that no running sum adds alone: where one is beyond all numbers, that one need not be. */
FZ_INLINE vec add_vectors(int count, size_t n, const char *x, char *out, vec before, vec offset) {
    vec v[UNROLL];
#pragma GCC unroll 4
    for (int u = 0; u < count; u++)
        v[u] = vprefix_sums(n < W ? vload_part(x, n, (T)-0.0) : vload(x + u * sizeof(vec)));
    if (are_doubtful(count, v)) return vsplat(add_in_turn(n, x, out, before[0], offset[0]));
#pragma GCC unroll 4
    for (int u = 0; u < count; u++) {
        const vec sum = before + (offset + v[u]);
        if (out) n < W ? vstore_part(out, sum, n) : vstore(out + u * sizeof(vec), sum);
        offset = offset + vsplat(v[u][W - 1]);
    }
    return offset;
}

static void running_sum(size_t n, const void *x, void *out, const void *carry, void *total) {
    const char *from = x;
    char *to = out;
    const vec before = vsplat(load_one(carry));
    vec offset = vsplat((T)-0.0);
    for (; n >= UNROLL * W; n -= UNROLL * W, from += UNROLL * sizeof(vec)) {
        offset = add_vectors(UNROLL, UNROLL * W, from, to, before, offset);
        if (to) to += UNROLL * sizeof(vec);
    }
    for (size_t lanes; n; n -= lanes, from += sizeof(vec)) {
        lanes = n < W ? n : W;
        offset = add_vectors(1, lanes, from, to, before, offset);
        if (to) to += sizeof(vec);
    }
    store_one(total, offset[0]);
}

static void running_product(size_t n, const void *x, void *out, const void *carry, void *total) {
    const char *from = x;
    T product = load_one(carry);
    for (size_t i = 0; i < n; i++) {
        product *= load_one(from + i * sizeof(T));
        if (out) store_one((char *)out + i * sizeof(T), product);
    }
    store_one(total, product);
}

extern const fz_scan_kernels FZ_KERNEL(scan);
const fz_scan_kernels FZ_KERNEL(scan) = {running_sum, running_product};
