/* Arrays for tests: strided views placed against an unmapped page at either end. Elements are read and
   written one at a time as doubles, which hold every float32 exactly; nothing here is fast. */
#ifndef OPERAND_H
#define OPERAND_H

#include "check.h"
#include "forzium.h"

#define OPERAND_MAX_NDIM 5

typedef struct operand {
    guarded memory;
    char *untouched; /* copy of the watched bytes, taken by operand_remember */
    fz_array view;
    ptrdiff_t shape[OPERAND_MAX_NDIM], strides[OPERAND_MAX_NDIM];
} operand;

typedef enum placement { AT_BEGIN, AT_END } placement;

static inline operand operand_create(size_t nbytes) {
    operand o = {.memory = guarded_map(nbytes)};
    o.untouched = malloc((size_t)(o.memory.end - o.memory.begin));
    return o;
}

static inline void operand_destroy(operand *o) {
    guarded_unmap(o->memory);
    free(o->untouched);
}

static inline ptrdiff_t view_size(const fz_array *x) {
    ptrdiff_t size = 1;
    for (int d = 0; d < x->ndim; d++) size *= x->shape[d];
    return size;
}

/* First and past-the-last byte of the view relative to its data; both 0 if it is empty. */
static inline void view_extent(const fz_array *x, ptrdiff_t *low, ptrdiff_t *high) {
    *low = *high = 0;
    if (view_size(x) == 0) return;
    for (int d = 0; d < x->ndim; d++) *(x->strides[d] < 0 ? low : high) += (x->shape[d] - 1) * x->strides[d];
    *high += (ptrdiff_t)fz_dtype_size(x->dtype);
}

/* Makes o's view one of this shape and these byte strides (NULL: C order without gaps), whose extent
   begins `skew` bytes after the memory does, or ends `skew` bytes before it does. */
static inline void operand_place(operand *o, fz_dtype dtype, int ndim, const ptrdiff_t shape[],
                                 const ptrdiff_t strides[], placement where, ptrdiff_t skew) {
    for (int d = 0; d < ndim; d++) o->shape[d] = shape[d];
    if (strides)
        for (int d = 0; d < ndim; d++) o->strides[d] = strides[d];
    else
        fz_contiguous_strides(dtype, ndim, shape, o->strides);
    o->view = (fz_array){.dtype = dtype, .ndim = ndim, .shape = o->shape, .strides = o->strides};
    ptrdiff_t low, high;
    view_extent(&o->view, &low, &high);
    if (high - low + skew > o->memory.end - o->memory.begin) {
        fprintf(stderr, "operand_place: the test's memory is too small\n");
        exit(2);
    }
    o->view.data = where == AT_BEGIN ? o->memory.begin + skew - low : o->memory.end - skew - high;
}

/* One axis of n elements without gaps. */
static inline void operand_line(operand *o, fz_dtype dtype, ptrdiff_t n, placement where, ptrdiff_t skew) {
    operand_place(o, dtype, 1, &n, NULL, where, skew);
}

/* ---- elements -------------------------------------------------------------------------------- */

/* Byte offset in x of the element that meets element `index` (C order) of an array of this shape, to
   which x broadcasts. */
static inline ptrdiff_t broadcast_offset(const fz_array *x, int ndim, const ptrdiff_t shape[],
                                         ptrdiff_t index) {
    ptrdiff_t offset = 0;
    for (int d = ndim - 1; d >= 0; d--) {
        ptrdiff_t coordinate = index % shape[d];
        int axis = d - (ndim - x->ndim);
        index /= shape[d];
        if (axis >= 0 && x->shape[axis] != 1) offset += coordinate * x->strides[axis];
    }
    return offset;
}

/* Integers of 64 bits are kept below 2^53, so that a double holds them. */
#define OPERAND_FOR_EACH_DTYPE(X) \
    X(FZ_FLOAT32, float)          \
    X(FZ_FLOAT64, double)         \
    X(FZ_BOOL, uint8_t)           \
    X(FZ_INT8, int8_t)            \
    X(FZ_INT16, int16_t)          \
    X(FZ_INT32, int32_t)          \
    X(FZ_INT64, int64_t)          \
    X(FZ_UINT8, uint8_t) X(FZ_UINT16, uint16_t) X(FZ_UINT32, uint32_t) X(FZ_UINT64, uint64_t)

/* float16 and bfloat16 by their definition: the bits of a fraction, and which power of 2 the least number is. */
static inline bool is_narrow(fz_dtype dtype) { return dtype == FZ_FLOAT16 || dtype == FZ_BFLOAT16; }
static inline int narrow_fraction(fz_dtype dtype) { return dtype == FZ_FLOAT16 ? 10 : 7; }
static inline int narrow_least(fz_dtype dtype) { return dtype == FZ_FLOAT16 ? -24 : -133; }

static inline double load_narrow(fz_dtype dtype, uint16_t bits) {
    const int width = narrow_fraction(dtype), exponent = (bits & 0x7fff) >> width;
    const int fraction = bits & ((1 << width) - 1);
    double magnitude = ldexp(exponent ? fraction + (1 << width) : fraction,
                             narrow_least(dtype) + (exponent ? exponent - 1 : 0));
    if (exponent == 0x7fff >> width) magnitude = fraction ? NAN : INFINITY;
    return bits & 0x8000 ? -magnitude : magnitude;
}

/* To the nearest, of two that are as near to the even one. */
static inline uint16_t store_narrow(fz_dtype dtype, double value) {
    const int width = narrow_fraction(dtype), least = narrow_least(dtype),
              infinity = (0x7fff >> width) << width;
    const int sign = signbit(value) ? 0x8000 : 0;
    if (isnan(value)) return (uint16_t)(sign | infinity | 1 << (width - 1));
    if (isinf(value)) return (uint16_t)(sign | infinity);
    if (value == 0) return (uint16_t)sign;
    int exponent;
    frexp(value, &exponent);
    const int unit = exponent - width - 1 > least ? exponent - width - 1 : least;
    const double bits = ldexp(unit - least, width) + rint(ldexp(fabs(value), -unit));
    return (uint16_t)(sign | (bits < infinity ? (int)bits : infinity));
}

static inline double load(fz_dtype dtype, const char *from) {
    if (is_narrow(dtype)) {
        uint16_t bits;
        memcpy(&bits, from, sizeof bits);
        return load_narrow(dtype, bits);
    }
    switch (dtype) {
#define LOAD(constant, type)                \
    case constant: {                        \
        type value;                         \
        memcpy(&value, from, sizeof value); \
        return (double)value;               \
    }
        OPERAND_FOR_EACH_DTYPE(LOAD)
#undef LOAD
    default:
        fprintf(stderr, "load: no dtype %d\n", dtype);
        exit(2);
    }
}

static inline void store(fz_dtype dtype, char *to, double value) {
    if (is_narrow(dtype)) {
        const uint16_t bits = store_narrow(dtype, value);
        memcpy(to, &bits, sizeof bits);
        return;
    }
    switch (dtype) {
#define STORE(constant, type)                     \
    case constant: {                              \
        const type converted = (type)value;       \
        memcpy(to, &converted, sizeof converted); \
        return;                                   \
    }
        OPERAND_FOR_EACH_DTYPE(STORE)
#undef STORE
    default:
        fprintf(stderr, "store: no dtype %d\n", dtype);
        exit(2);
    }
}

/* What a number becomes as an element. */
static inline double rounded_to(fz_dtype dtype, double value) {
    char bytes[sizeof(double)];
    store(dtype, bytes, value);
    return load(dtype, bytes);
}

static inline bool is_float(fz_dtype dtype) {
    return dtype == FZ_FLOAT32 || dtype == FZ_FLOAT64 || is_narrow(dtype);
}
static inline bool is_signed(fz_dtype dtype) { return dtype >= FZ_INT8 && dtype <= FZ_INT64; }

/* Any bits of the dtype, small numbers often; those of 64 bits exact in a double. */
static inline double random_integer(fz_dtype dtype, uint64_t *state) {
    const int width = dtype == FZ_BOOL ? 1 : 8 * (int)fz_dtype_size(dtype), kept = width < 52 ? width : 52;
    const int used = random_below(state, 3) ? kept : 1 + (int)random_below(state, (size_t)kept);
    const uint64_t value = random_bits(state) >> (64 - used);
    if (!is_signed(dtype)) return (double)value;
    return (double)value - (double)((uint64_t)1 << (used - 1));
}

/* Element `index` of x in C order. */
static inline char *element(const fz_array *x, ptrdiff_t index) {
    return (char *)x->data + broadcast_offset(x, x->ndim, x->shape, index);
}

static inline double get(const fz_array *x, ptrdiff_t index) { return load(x->dtype, element(x, index)); }

static inline void put(const fz_array *x, ptrdiff_t index, double value) {
    store(x->dtype, element(x, index), value);
}

static inline double get2(const fz_array *x, ptrdiff_t i, ptrdiff_t j) {
    return load(x->dtype, (char *)x->data + i * x->strides[0] + j * x->strides[1]);
}

/* Elements of the whole range, NaN and infinities among them. */
static inline void fill_any(const fz_array *x, uint64_t *state) {
    ptrdiff_t size = view_size(x);
    for (ptrdiff_t i = 0; i < size; i++)
        put(x, i,
            x->dtype == FZ_FLOAT32   ? (double)random_float(state)
            : x->dtype == FZ_FLOAT64 ? random_double(state)
                                     : random_integer(x->dtype, state));
}

/* Elements in [-1, 1). */
static inline void fill_unit(const fz_array *x, uint64_t *state) {
    ptrdiff_t size = view_size(x);
    for (ptrdiff_t i = 0; i < size; i++) put(x, i, random_unit(state));
}

/* ---- what a call may write -------------------------------------------------------------------------------
 */

#define OPERAND_MARGIN 256

/* The bytes that a call is watched on: those the view spans, and a margin within the memory. */
static inline guarded operand_watched(const operand *o) {
    ptrdiff_t low, high;
    view_extent(&o->view, &low, &high);
    const char *data = o->view.data;
    ptrdiff_t before = data + low - o->memory.begin, after = o->memory.end - (data + high);
    before = before < OPERAND_MARGIN ? before : OPERAND_MARGIN;
    after = after < OPERAND_MARGIN ? after : OPERAND_MARGIN;
    return (guarded){(char *)o->view.data + low - before, (char *)o->view.data + high + after};
}

/* Fills the watched bytes with a pattern. */
static inline void operand_scribble(operand *o) {
    guarded watched = operand_watched(o);
    memset(watched.begin, 0xA5, (size_t)(watched.end - watched.begin));
}

/* Keeps a copy of the watched bytes. */
static inline void operand_remember(operand *o) {
    guarded watched = operand_watched(o);
    memcpy(o->untouched, watched.begin, (size_t)(watched.end - watched.begin));
}

/* Since operand_remember, has nothing been written? */
static inline bool operand_unchanged(const operand *o) {
    guarded watched = operand_watched(o);
    return memcmp(o->untouched, watched.begin, (size_t)(watched.end - watched.begin)) == 0;
}

/* Since operand_remember, has nothing been written beside the view's elements? Forgets the copy. */
static inline bool operand_unchanged_around(operand *o) {
    guarded watched = operand_watched(o);
    ptrdiff_t size = view_size(&o->view);
    for (ptrdiff_t i = 0; i < size; i++) {
        char *e = element(&o->view, i);
        memcpy(o->untouched + (e - watched.begin), e, fz_dtype_size(o->view.dtype));
    }
    return operand_unchanged(o);
}

/* FLT_EPSILON or DBL_EPSILON. */
/* May its result be of any dtype? */
static inline bool has_any_dtype(fz_reduction r) {
    return r == FZ_REDUCTION_sum || r == FZ_REDUCTION_prod || r == FZ_REDUCTION_nansum ||
           r == FZ_REDUCTION_nanprod;
}

static inline double epsilon(fz_dtype dtype) { return dtype == FZ_FLOAT32 ? 0x1p-23 : 0x1p-52; }

#endif
