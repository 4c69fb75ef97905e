/* Vectors as they lie in memory: elements of T, or where FZ_STORES_HALVES is defined float16, which are float32 in
   registers. */
#ifndef FZ_VEC_STORED_H
#define FZ_VEC_STORED_H

#include "vec.h"

#if defined(FZ_STORES_HALVES)
#include "vec_math.h"
typedef uint16_t stored;
#define STORED_DTYPE FZ_FLOAT16
FZ_INLINE vec load_stored(const void *p) { return (vec)widen_halves(load_halves(W, p)); }
FZ_INLINE void store_stored(void *p, vec v) { store_halves(W, p, narrow_floats((float_lanes)v)); }
FZ_INLINE void stream_stored(void *p, vec v) { stream_halves(p, narrow_floats((float_lanes)v)); }
#if FZ_CHEAP_PARTS
FZ_INLINE vec load_stored_part(const void *p, size_t n, T fill) {
    return vpick(first_lanes(n), (vec)widen_halves(load_halves(n, p)), vsplat(fill));
}
#else
FZ_INLINE vec load_stored_part(const void *p, size_t n, T fill) {
    stored lanes[W];
    store_stored(lanes, vsplat(fill));
    memcpy(lanes, p, n * sizeof *lanes);
    return load_stored(lanes);
}
#endif
FZ_INLINE void store_stored_part(void *p, vec v, size_t n) {
    store_halves(n, p, narrow_floats((float_lanes)v));
}
#else
typedef T stored;
#define STORED_DTYPE FZ_DTYPE
FZ_INLINE vec load_stored(const void *p) { return vload(p); }
FZ_INLINE void store_stored(void *p, vec v) { vstore(p, v); }
FZ_INLINE void stream_stored(void *p, vec v) { vstream(p, v); }
FZ_INLINE vec load_stored_part(const void *p, size_t n, T fill) { return vload_part(p, n, fill); }
FZ_INLINE void store_stored_part(void *p, vec v, size_t n) { vstore_part(p, v, n); }
#endif

enum { STORED_BYTES = W * sizeof(stored) };

/* An element W times over, as it lies in memory. */
FZ_INLINE void repeat_stored(const void *element, void *p) {
    typedef stored row __attribute__((vector_size(STORED_BYTES)));
    stored value;
    memcpy(&value, element, sizeof value);
    const row repeated = value - (row){0};
    memcpy(p, &repeated, sizeof repeated);
}

#endif
