/* Running sums and products of a row. */
#include "vec.h"

/* UNROLL vectors at a time: each one's own running sums, to which the sum of those before it is added. So a result
   has log2(W) + n / W + 1 additions behind it, where one by one it has n. */
enum { UNROLL = 4 };

static void running_sum(size_t n, const void *x, void *out, const void *carry, void *total) {
    const char *from = x;
    char *to = out;
    const vec before = vsplat(load_one(carry));
    vec offset = vsplat((T)-0.0);
    for (; n >= UNROLL * W; n -= UNROLL * W, from += UNROLL * sizeof(vec)) {
        vec v[UNROLL];
        for (int u = 0; u < UNROLL; u++) v[u] = vprefix_sums(vload(from + u * sizeof(vec)));
        for (int u = 0; u < UNROLL; u++) {
            if (to) vstore(to + u * sizeof(vec), before + (offset + v[u]));
            offset = offset + vsplat(v[u][W - 1]);
        }
        if (to) to += UNROLL * sizeof(vec);
    }
    while (n) {
        const size_t lanes = n < W ? n : W;
        const vec v = vprefix_sums(vload_part(from, lanes, (T)-0.0));
        if (to) vstore_part(to, before + (offset + v), lanes);
        offset = offset + vsplat(v[W - 1]);
        from += sizeof(vec);
        if (to) to += sizeof(vec);
        n -= lanes;
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
