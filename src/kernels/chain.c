/* Chains: short operations one after the other on a bundle of elements that stays in vector registers.

   A step is a function that gets the bundle in vector registers, does one operation on it and jumps to the
   next step: threaded code (Bell, "Threaded Code", CACM 1973), which differs from a compiled loop by a few
   scalar instructions per bundle and step. The jump is a tail call. Where a compiler makes it a plain call
   (without optimization) the stack grows with the length of the chain, which src/expression.h limits. */
#include "functions.h"
#include "vec_bools.h"

enum {
    BUNDLE = 8, /* vectors: as many as calling conventions pass in registers */
    LANES = BUNDLE * W,
};

typedef struct bundle {
    vec v[BUNDLE];
} bundle;

typedef void step_function(const fz_step *s, const fz_place *places, size_t i, vec a, vec b, vec c, vec d,
                           vec e, vec f, vec g, vec h);
#define STEP(name)                                                                                          \
    static void name(const fz_step *s, const fz_place *places, size_t i, vec a, vec b, vec c, vec d, vec e, \
                     vec f, vec g, vec h)
#define VALUE ((bundle){{a, b, c, d, e, f, g, h}})

/* Where the part of operand k lies that belongs to the bundle whose first element is i. */
FZ_INLINE char *locate(const fz_step *s, const fz_place *places, size_t i, int k) {
    const fz_place *place = &places[s->operands[k]];
    return place->base + (ptrdiff_t)i * place->stride;
}

FZ_INLINE vec load_vector(const char *x, size_t u) { return vload(x + u * sizeof(vec)); }

FZ_INLINE void go_on(const fz_step *s, const fz_place *places, size_t i, bundle value) {
    const vec *v = value.v;
    ((step_function *)s[1].run)(s + 1, places, i, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
}

/* A bool in a bundle: a mask, but in chains of bools themselves 0 or 1. */
#if defined(FZ_T_boolean)
FZ_INLINE vec from_mask(mask m) { return (vec)(m & 1); }
FZ_INLINE mask to_mask(vec v) { return vtrue(v); }
#else
FZ_INLINE vec from_mask(mask m) { return (vec)m; }
FZ_INLINE mask to_mask(vec v) { return (mask)v; }
#endif

/* ---- steps of all dtypes ------------------------------------------------------------------------------------ */

STEP(end_step) { (void)s, (void)places, (void)i, (void)VALUE; }

STEP(load_step) {
    (void)VALUE;
    const char *x = locate(s, places, i, 0);
    bundle value;
    for (size_t u = 0; u < BUNDLE; u++) value.v[u] = load_vector(x, u);
    go_on(s, places, i, value);
}

STEP(store_step) {
    const bundle value = VALUE;
    char *z = locate(s, places, i, 0);
    for (size_t u = 0; u < BUNDLE; u++) vstore(z + u * sizeof(vec), value.v[u]);
    go_on(s, places, i, value);
}

STEP(load_bool_step) {
    (void)VALUE;
    const char *x = locate(s, places, i, 0);
    bundle value;
    for (size_t u = 0; u < BUNDLE; u++) value.v[u] = from_mask(vload_mask(x + u * W));
    go_on(s, places, i, value);
}

STEP(store_bool_step) {
    const bundle value = VALUE;
    char *z = locate(s, places, i, 0);
    mask m[BUNDLE];
    for (size_t u = 0; u < BUNDLE; u++) m[u] = to_mask(value.v[u]);
    for (size_t u = 0; u < BUNDLE; u += 4) vstore_masks(z + u * W, m + u);
    go_on(s, places, i, value);
}

static __attribute__((noinline)) void call_loop(const fz_step *s, const fz_place *places, size_t i) {
    const fz_place *result = &places[s->result];
    fz_plane plane = {.n = LANES, .rows = 1, .step = {1, 1, 1}};
    for (int k = 0; k < 3; k++) plane.in[k] = locate(s, places, i, k);
    plane.out = result->base + (ptrdiff_t)i * result->stride;
    s->loop(&plane);
}

STEP(call_step) {
    (void)VALUE;
    call_loop(s, places, i);
    go_on(s, places, i, (bundle){0});
}

/* ---- steps of operations ------------------------------------------------------------------------------------ */

/* Dtypes that expressions mostly compute in; the others call loops for each operation. Long lanes are called,
   too: their code stands once. */
#if defined(FZ_T_float32) || defined(FZ_T_float64) || defined(FZ_T_int32) || defined(FZ_T_int64) || \
    defined(FZ_T_boolean)

typedef vec unary_lane(vec x);
typedef vec binary_lane(vec x, vec y);
typedef vec ternary_lane(vec x, vec y, vec z);
typedef vec select_lane(mask c, vec x, vec y);
typedef mask test_lane(vec x);
typedef mask compare_lane(vec x, vec y);

/* Operands are read vector by vector: a bundle of them would not fit the registers beside the first. */
FZ_INLINE bundle map_unary(bundle x, unary_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) x.v[u] = lane(x.v[u]);
    return x;
}

FZ_INLINE bundle map_binary(bundle x, const char *y, bool reversed, binary_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) {
        const vec v = load_vector(y, u);
        x.v[u] = reversed ? lane(v, x.v[u]) : lane(x.v[u], v);
    }
    return x;
}

FZ_INLINE bundle map_ternary(bundle x, const char *y, const char *z, ternary_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) x.v[u] = lane(x.v[u], load_vector(y, u), load_vector(z, u));
    return x;
}

FZ_INLINE bundle map_select(bundle c, const char *x, const char *y, select_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) c.v[u] = lane(to_mask(c.v[u]), load_vector(x, u), load_vector(y, u));
    return c;
}

FZ_INLINE bundle map_test(bundle x, test_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) x.v[u] = from_mask(lane(x.v[u]));
    return x;
}

FZ_INLINE bundle map_compare(bundle x, const char *y, bool reversed, compare_lane *lane) {
    for (size_t u = 0; u < BUNDLE; u++) {
        const vec v = load_vector(y, u);
        x.v[u] = from_mask(reversed ? lane(v, x.v[u]) : lane(x.v[u], v));
    }
    return x;
}

#define OPERAND(k) locate(s, places, i, k)
#define LANE(name, type, parameters, expression) \
    FZ_INLINE type name##_lane parameters { return expression; }
#define FORWARD(name, ...) \
    STEP(name##_step) { go_on(s, places, i, __VA_ARGS__); }
#define REVERSE(name, ...) \
    STEP(name##_reversed_step) { go_on(s, places, i, __VA_ARGS__); }
#define BOTH_WAYS(name, map)                                  \
    FORWARD(name, map(VALUE, OPERAND(0), false, name##_lane)) \
    REVERSE(name, map(VALUE, OPERAND(0), true, name##_lane))
#define FZ_FUNCTION(...)
#define FZ_FUNCTION2(...)
#define FZ_BINARY_LONG(...)
#define FZ_UNARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE(name, vec, (vec x), expression) FORWARD(name, map_unary(VALUE, name##_lane)))
#define FZ_TEST(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE(name, mask, (vec x), expression) FORWARD(name, map_test(VALUE, name##_lane)))
#define FZ_BINARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE(name, vec, (vec x, vec y), expression) BOTH_WAYS(name, map_binary))
#define FZ_COMPARE(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LANE(name, mask, (vec x, vec y), expression) BOTH_WAYS(name, map_compare))
#define FZ_TERNARY(name, dtypes, expression, fill, doc)                  \
    FZ_WHERE_##dtypes(LANE(name, vec, (vec x, vec y, vec z), expression) \
                          FORWARD(name, map_ternary(VALUE, OPERAND(0), OPERAND(1), name##_lane)))
#define FZ_SELECT(name, dtypes, expression, fill, doc)                    \
    FZ_WHERE_##dtypes(LANE(name, vec, (mask c, vec x, vec y), expression) \
                          FORWARD(name, map_select(VALUE, OPERAND(0), OPERAND(1), name##_lane)))
#include "ops.def"

#define ENTRY(name, step) [FZ_OP_##name] = (fz_step_function *)(step),
#define FZ_FORWARD(name, dtypes) FZ_WHERE_##dtypes(ENTRY(name, name##_step))
#define FZ_REVERSE(name, dtypes) FZ_WHERE_##dtypes(ENTRY(name, name##_reversed_step))

#else

#define FZ_FORWARD(name, dtypes)
#define FZ_REVERSE(name, dtypes)

#endif

static void run(size_t n, const fz_step steps[], const fz_place places[]) {
    step_function *first = (step_function *)steps[0].run;
    const vec o = {0};
    for (size_t i = 0; i < n; i += LANES) first(steps, places, i, o, o, o, o, o, o, o, o);
}

extern const fz_chain_kernels FZ_KERNEL(chain);
const fz_chain_kernels FZ_KERNEL(chain) = {
    .bundle = LANES,
    .load = (fz_step_function *)load_step,
    .store = (fz_step_function *)store_step,
    .load_bool = (fz_step_function *)load_bool_step,
    .store_bool = (fz_step_function *)store_bool_step,
    .call = (fz_step_function *)call_step,
    .end = (fz_step_function *)end_step,
    .forward =
        {
#define FZ_FUNCTION(...)
#define FZ_FUNCTION2(...)
#define FZ_BINARY_LONG(...)
#define FZ_UNARY(name, dtypes, ...) FZ_FORWARD(name, dtypes)
#define FZ_BINARY(name, dtypes, ...) FZ_FORWARD(name, dtypes)
#define FZ_TERNARY(name, dtypes, ...) FZ_FORWARD(name, dtypes)
#include "ops.def"
        },
    .reverse =
        {
#define FZ_FUNCTION(...)
#define FZ_FUNCTION2(...)
#define FZ_BINARY_LONG(...)
#define FZ_BINARY(name, dtypes, ...) FZ_REVERSE(name, dtypes)
#include "ops.def"
        },
    .run = run,
};
