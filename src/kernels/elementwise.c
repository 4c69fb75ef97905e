/* Element-wise loops: ops.def's lane expressions run over contiguous and splat operands. */
#include "vec_half.h"
#if defined(FZ_T_float16) && defined(FZ_HAS_HALF)
#undef FZ_T_float16 /* of what vec.h makes vectors; FZ_T still names the kernel */
#define FZ_T_float32
#define FZ_STORES_HALVES
#endif

#include "float_environment.h"
#include "functions.h"
#include "vec_bools.h"
#include "vec_stored.h"

enum {
    UNROLL = 4,
    GROUP = UNROLL * W, /* elements that a loop does at once */
    MAX_INPUTS = 3,
    STAGED = 8, /* vectors between two stages: with 4 power takes 15 % longer, with 16 as long */
};
#define FOR_UNROLLED(u) _Pragma("GCC unroll 8") for (size_t u = 0; u < UNROLL; u++)

/* What a row of ops.def is like. */
typedef struct form {
    T fill;
    int inputs;
    bool selects; /* by its first input, which is bools */
    bool tests;   /* gives bools */
    bool
        is_long; /* so much code that it stands in the loop once; out-of-order execution overlaps the vectors */
} form;

/* A lane gets and gives bools as masks. */
typedef vec row_lane(vec x, vec y, vec z);

typedef struct operands {
    const char *in[MAX_INPUTS];
    size_t step[MAX_INPUTS]; /* bytes from an element to the next, or 0 */
    char *out;
    bool streams; /* groups are stored past the caches; out is aligned */
} operands;

FZ_INLINE size_t size_in(const form *f, int k) { return f->selects && k == 0 ? 1 : sizeof(stored); }
FZ_INLINE size_t size_out(const form *f) { return f->tests ? 1 : sizeof(stored); }

FZ_INLINE void advance(operands *o, const form *f, size_t n) {
    _Pragma("GCC unroll 3") for (int k = 0; k < f->inputs; k++) o->in[k] += n * o->step[k];
    o->out += n * size_out(f);
}

/* ---- what there is of each row ------------------------------------------------------------------------------ */

FZ_INLINE vec load_input(const operands *o, const form *f, int k, size_t first) {
    if (k >= f->inputs) return (vec){0};
    const char *x = o->in[k] + first * o->step[k];
    return f->selects && k == 0 ? (vec)vload_mask(x) : load_stored(x);
}

FZ_INLINE vec compute(const operands *o, const form *f, size_t first, row_lane *lane) {
    return lane(load_input(o, f, 0, first), load_input(o, f, 1, first), load_input(o, f, 2, first));
}

FZ_INLINE void do_group(const operands *o, const form *f, row_lane *lane) {
    vec v[UNROLL];
    FOR_UNROLLED(u) v[u] = compute(o, f, u * W, lane);
    mask m[UNROLL];
    FOR_UNROLLED(u) m[u] = (mask)v[u];
    if (f->tests)
        vstore_masks(o->out, m);
    else if (o->streams)
        FOR_UNROLLED(u) stream_stored(o->out + u * STORED_BYTES, v[u]);
    else
        FOR_UNROLLED(u) store_stored(o->out + u * STORED_BYTES, v[u]);
}

/* Up to a vector, where there are instructions for its parts; else a whole one. */
FZ_INLINE vec load_some(const operands *o, const form *f, int k, size_t n) {
    if (!FZ_CHEAP_PARTS || k >= f->inputs || (f->is_long && n == W)) return load_input(o, f, k, 0);
    if (f->selects && k == 0) return (vec)vload_mask_part(o->in[k], n);
    return load_stored_part(o->in[k], n, f->fill);
}

FZ_INLINE void store_some(const operands *o, const form *f, size_t n, vec value) {
    if (FZ_CHEAP_PARTS && !(f->is_long && n == W))
        f->tests ? vstore_mask_part(o->out, (mask)value, n) : store_stored_part(o->out, value, n);
    else
        f->tests ? vstore_mask(o->out, (mask)value) : store_stored(o->out, value);
}

FZ_INLINE void do_some(const operands *o, const form *f, size_t n, row_lane *lane) {
    store_some(o, f, n, lane(load_some(o, f, 0, n), load_some(o, f, 1, n), load_some(o, f, 2, n)));
}

/* What a loop uses, for registers. */
FZ_INLINE operands copy_operands(const operands *given, const form *f) {
    operands o = {.out = given->out, .streams = given->streams};
    _Pragma("GCC unroll 3") for (int k = 0; k < f->inputs; k++) {
        o.in[k] = given->in[k];
        o.step[k] = given->step[k];
    }
    return o;
}

FZ_INLINE size_t some_of(ptrdiff_t left) { return FZ_CHEAP_PARTS && left < W ? (size_t)left : W; }

/* n elements; whole vectors, but where instructions take parts of them. */
FZ_INLINE void work(size_t n, const operands *given, const form *f, row_lane *lane) {
    operands o = copy_operands(given, f);
    if (!f->is_long)
        for (; n >= GROUP; n -= GROUP, advance(&o, f, GROUP)) do_group(&o, f, lane);
    _Pragma("GCC unroll 1") for (ptrdiff_t left = (ptrdiff_t)n; left > 0; left -= W, advance(&o, f, W))
        do_some(&o, f, some_of(left), lane);
}

#if !defined(FZ_STORES_HALVES) && (defined(FZ_T_IS_FLOAT) || defined(FZ_T_IS_INTEGER))
typedef void begin_lane(vec x, vec y, halfway *half);
typedef vec end_lane(vec x, vec y, const halfway *half);

/* The same by functions in two stages: vectors of a group first go through the one, then through the other. */
FZ_INLINE void work_in_stages(size_t n, const operands *given, const form *f, begin_lane *begin,
                              end_lane *end) {
    operands o = copy_operands(given, f);
    halfway half[STAGED];
    for (ptrdiff_t rest = (ptrdiff_t)n; rest > 0; rest -= STAGED * W) {
        const ptrdiff_t group = rest < STAGED * W ? rest : STAGED * W;
        operands ahead = o;
        size_t u = 0;
        _Pragma("GCC unroll 1") for (ptrdiff_t left = group; left > 0; left -= W, advance(&ahead, f, W)) {
            const size_t some = some_of(left);
            begin(load_some(&ahead, f, 0, some), load_some(&ahead, f, 1, some), &half[u++]);
        }
        u = 0;
        _Pragma("GCC unroll 1") for (ptrdiff_t left = group; left > 0; left -= W, advance(&o, f, W)) {
            const size_t some = some_of(left);
            const vec value = end(load_some(&o, f, 0, some), load_some(&o, f, 1, some), &half[u++]);
            store_some(&o, f, some, value);
        }
    }
}
#endif

/* ---- what they have in common ------------------------------------------------------------------------------- */

typedef void row_work(size_t n, const operands *o);

/* n <= W elements, through a whole vector of each operand where there are no instructions for its parts. */
static void do_rest(size_t n, const operands *o, const form *f, row_work *run) {
#if FZ_CHEAP_PARTS
    (void)f;
    run(n, o);
#else
    vec in[MAX_INPUTS], out;
    operands whole = {.out = (char *)&out};
    for (int k = 0; k < f->inputs; k++) {
        in[k] = (vec){0};
        if (!f->selects || k > 0) store_stored(&in[k], vsplat(f->fill));
        whole.in[k] = o->step[k] ? memcpy(&in[k], o->in[k], n * o->step[k]) : o->in[k];
        whole.step[k] = o->step[k];
    }
    run(W, &whole);
    memcpy(o->out, &out, n * size_out(f));
#endif
}

/* Elements before x's first vector boundary, in a run long enough to care: what straddles cache lines costs up to twice
   as much. */
FZ_INLINE size_t lanes_to_boundary(size_t n, const void *x) {
    const size_t past = (uintptr_t)x % STORED_BYTES;
    if (n < (FZ_CHEAP_PARTS ? 4 : 8) * GROUP || past % sizeof(stored)) return 0;
    return (STORED_BYTES - past) % STORED_BYTES / sizeof(stored);
}

FZ_INLINE void run_row(size_t n, operands *o, const form *f, bool streams, row_work *run) {
    const char *longest =
        f->tests ? o->in[o->step[0] == 0 && f->inputs > 1] : o->out; /* results or an input */
    const size_t head = lanes_to_boundary(n, longest);
    if (head) {
        do_rest(head, o, f, run);
        advance(o, f, head);
        n -= head;
    }
    o->streams = streams && (uintptr_t)o->out % STORED_BYTES == 0;
    const size_t rest = FZ_CHEAP_PARTS ? 0 : n % W;
    if (n > rest) run(n - rest, o);
    if (o->streams) vfence();
    if (!rest) return;
    advance(o, f, n - rest);
    do_rest(rest, o, f, run);
}

/* Of columns the element that a row has is repeated for it. */
static __attribute__((noinline, unused)) void run_plane(const fz_plane *p, const form *f, row_work *run) {
    vec repeated[MAX_INPUTS];
    const char *in[MAX_INPUTS];
    char *out = p->out;
    operands o;
    o.streams = false; /* until run_row knows where a row's vectors begin */
    for (int k = 0; k < f->inputs; k++) {
        in[k] = o.in[k] = p->in[k];
        o.step[k] = p->step[k] * size_in(f, k);
    }
    for (size_t rows = p->rows;; out += p->out_down) {
        for (int k = 0; k < f->inputs; k++) {
            if (p->step[k] || !p->down[k]) continue;
            if (f->selects && k == 0)
                repeated[k] = vsplat_bool(in[k]);
            else
                repeat_stored(in[k], &repeated[k]);
            o.in[k] = (const char *)&repeated[k];
        }
        o.out = out;
        run_row(p->n, &o, f, p->streams, run);
        if (--rows == 0) return;
        for (int k = 0; k < f->inputs; k++) o.in[k] = in[k] += p->down[k];
    }
}

/* Not inlined, as run_plane is not: nothing that rounds is computed here. */
static __attribute__((noinline, unused)) void run_to_nearest(const fz_plane *p, const form *f,
                                                             row_work *run) {
    if (fz__rounds_to_nearest()) {
        run_plane(p, f, run);
        return;
    }
    const fz__float_environment callers = fz__save_float_environment();
    fz__round_to_nearest();
    run_plane(p, f, run);
    fz__restore_float_environment(callers);
}

#define LOOP(run, name, expression, ...)                                                             \
    FZ_INLINE vec name##_lane(vec x, vec y, vec z) { return (void)x, (void)y, (void)z, expression; } \
    static const form name##_form = {__VA_ARGS__};                                                   \
    static void name##_work(size_t n, const operands *o) { work(n, o, &name##_form, name##_lane); }  \
    static void name##_loop(const fz_plane *p) { run(p, &name##_form, name##_work); }
#define STAGED_LOOP(name, first, second, ...)                                                        \
    FZ_INLINE void name##_begin(vec x, vec y, halfway *half) { (void)x, (void)y, first; }            \
    FZ_INLINE vec name##_end(vec x, vec y, const halfway *half) { return (void)x, (void)y, second; } \
    static const form name##_form = {__VA_ARGS__};                                                   \
    static void name##_work(size_t n, const operands *o) {                                           \
        work_in_stages(n, o, &name##_form, name##_begin, name##_end);                                \
    }                                                                                                \
    static void name##_loop(const fz_plane *p) { run_to_nearest(p, &name##_form, name##_work); }
/* Rounding makes NaN quiet, as instructions that widen do; the other rows let its bits be. */
#if defined(FZ_STORES_HALVES)
#define FZ_ROUNDED(name, dtypes, expression, fill, doc) LOOP(run_plane, name, expression, fill, .inputs = 2)
#else
#define FZ_UNARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, expression, fill, .inputs = 1))
#define FZ_BINARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, expression, fill, .inputs = 2))
#define FZ_TERNARY(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, expression, fill, .inputs = 3))
#define FZ_FUNCTION(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_to_nearest, name, expression, fill, .inputs = 1, .is_long = true))
#define FZ_FUNCTION2(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_to_nearest, name, expression, fill, .inputs = 2, .is_long = true))
#define FZ_STAGED(name, dtypes, begin, end, fill, doc) \
    FZ_WHERE_##dtypes(STAGED_LOOP(name, begin, end, fill, .inputs = 1, .is_long = true))
#define FZ_STAGED2(name, dtypes, begin, end, fill, doc) \
    FZ_WHERE_##dtypes(STAGED_LOOP(name, begin, end, fill, .inputs = 2, .is_long = true))
#define FZ_BINARY_LONG(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, expression, fill, .inputs = 2, .is_long = true))
#define FZ_TEST(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, (vec)(expression), fill, .inputs = 1, .tests = true))
#define FZ_COMPARE(name, dtypes, expression, fill, doc) \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, (vec)(expression), fill, .inputs = 2, .tests = true))
/* The expression of a selection has its inputs as c, x and y. */
#define FZ_SELECT(name, dtypes, expression, fill, doc)                   \
    FZ_INLINE vec name##_of(mask c, vec x, vec y) { return expression; } \
    FZ_WHERE_##dtypes(LOOP(run_plane, name, name##_of((mask)x, y, z), fill, .inputs = 3, .selects = true))
#endif
#include "ops.def"

#define CASTS_(simd) fz__casts_##simd
#define CASTS(simd) CASTS_(simd)
extern fz_cast *const CASTS(FZ_SIMD)[FZ_DTYPE_COUNT][FZ_DTYPE_COUNT];

extern const fz_elementwise_kernels FZ_KERNEL(elementwise);
const fz_elementwise_kernels FZ_KERNEL(elementwise) = {
    .loops =
        {
#define ENTRY(name) [FZ_OP_##name] = name##_loop,
#if defined(FZ_STORES_HALVES)
#define FZ_ROUNDED(name, ...) ENTRY(name)
#else
#define FZ_UNARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#define FZ_BINARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#define FZ_TERNARY(name, dtypes, ...) FZ_WHERE_##dtypes(ENTRY(name))
#endif
#include "ops.def"
        },
    .cast_from = CASTS(FZ_SIMD)[STORED_DTYPE],
};
