/* Expressions of few elements, whose arrays lie as the only chain can take them: no plan, no scratch, one thread. */
#include <stdint.h>
#include <string.h>

#include "expression.h"

/* ---- places -------------------------------------------------------------------------------------------------- */

static bool is_plain_input(const fz_expression *e, const fz_array *x, int k) {
    return x && x->data && x->dtype == e->kinds[k].dtype && !e->exponents[k];
}

static bool is_plain_program(const fz_expression *e) {
    return e->chains == 1 && e->places <= FZ_PLAIN_PLACES && e->outputs == 1;
}

/* Arrays in the dtype of their readers, and scalars, which are converted. */
static bool place_sources(const fz_expression *e, const fz_array *const inputs[], fz__plain *p) {
    for (int i = 0; i < e->sources; i++) {
        const int k = e->source[i].value;
        const fz_dtype dtype = e->source[i].dtype;
        p->places[i] = e->place[i];
        if (k >= e->inputs) continue;
        p->places[i].base = inputs[k]->data;
        if (dtype == inputs[k]->dtype && inputs[k]->ndim) continue;
        if (inputs[k]->ndim || (e->kinds[k].weak && !fz__is_full_float(dtype))) return false;
        p->places[i] = (fz_place){(char *)&p->scalars[i], 0};
        fz__kernels(dtype)->elementwise->cast_from[inputs[k]->dtype](1, inputs[k]->data, 0, &p->scalars[i],
                                                                     0);
    }
    return true;
}

bool fz__find_plain(const fz_expression *e, const fz_array *const inputs[], const fz_array *like,
                    ptrdiff_t most, fz__plain *p) {
    if (!is_plain_program(e)) return false;
    p->splats = 0;
    p->n = fz__count_gapless(like, like->dtype, most);
    if (p->n == 0) return false;
    for (int k = 0; k < e->inputs; k++) {
        const fz_array *x = inputs[k];
        if (!is_plain_input(e, x, k)) return false;
        if (x->ndim == 0)
            p->splats |= (uint64_t)1 << k;
        else if (fz__count_gapless(x, x->dtype, most) != p->n || !fz__same_or_apart(x, like, p->n))
            return false;
    }
    return place_sources(e, inputs, p);
}

/* ---- loops for steps ----------------------------------------------------------------------------------------- */

/* Elements that every place has room for. */
enum { FEW = FZ_BUNDLE_BYTES / 8 };

/* A step on n elements as a loop over memory, which computes no more lanes than it has to. `held` is what would be
   the bundle, or where it was loaded from; the next does not lie in the same memory, as its elements may have
   another size. */
static const void *run_step(const fz_expression *e, int i, size_t n, const fz_place places[],
                            const void *held, char bundles[2][FZ_BUNDLE_BYTES]) {
    const fz_step *s = &e->step[i];
    const fz__meaning meaning = e->meaning[i];
    const fz_dtype dtype = e->chain[0].dtype;
    fz_loop *const *loops = fz__kernels(dtype)->elementwise->loops;
    char *bundle = bundles[held == bundles[0]];
    const void *x[3];
    for (int k = 0; k < 3; k++) x[k] = places[s->operands[k]].base;
    switch (meaning.kind) {
    case FZ_STEP_LOAD:
    case FZ_STEP_LOAD_BOOL:
        return x[0];
    case FZ_STEP_STORE:
        memmove(places[s->operands[0]].base, held, n * fz_dtype_size(dtype));
        return held;
    case FZ_STEP_STORE_BOOL:
        memmove(places[s->operands[0]].base, held, n);
        return held;
    case FZ_STEP_FORWARD:
        loops[meaning.op](
            &(fz_plane){.n = n, .rows = 1, .in = {held, x[0], x[1]}, .step = {1, 1, 1}, .out = bundle});
        return bundle;
    case FZ_STEP_REVERSE:
        loops[meaning.op](&(fz_plane){.n = n, .rows = 1, .in = {x[0], held}, .step = {1, 1}, .out = bundle});
        return bundle;
    case FZ_STEP_CALL:
        s->loop(&(fz_plane){
            .n = n, .rows = 1, .in = {x[0], x[1], x[2]}, .step = {1, 1, 1}, .out = places[s->result].base});
        return NULL;
    default:
        return held;
    }
}

static void run_few(const fz_expression *e, fz__plain *p, char *out) {
    _Alignas(FZ_MAX_VECTOR_BYTES) char memory[FZ_PLAIN_PLACES][FZ_BUNDLE_BYTES];
    _Alignas(FZ_MAX_VECTOR_BYTES) char bundles[2][FZ_BUNDLE_BYTES];
    for (int i = 0; i < e->places; i++) {
        const fz_dtype dtype = i < e->sources ? e->source[i].dtype : FZ_BOOL;
        if (i >= e->sources)
            p->places[i].base = memory[i];
        else if (p->places[i].base == (char *)&p->scalars[i]) {
            fz__kernels(dtype)->elementwise->cast_from[dtype]((size_t)p->n, &p->scalars[i], 0, memory[i],
                                                              fz__element_size(dtype));
            p->places[i].base = memory[i];
        }
    }
    p->places[e->places - 1].base = out;
    const void *held = NULL;
    for (int i = 0; i < e->steps; i++) held = run_step(e, i, (size_t)p->n, p->places, held, bundles);
}

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/* How far it is from row to row of x in the rows of out: false unless x is as large, a row or a column, its rows are
   gapless, and it is out itself or apart from it. */
static bool find_down(const fz_array *x, const fz_array *out, ptrdiff_t *down) {
    const ptrdiff_t size = fz__element_size(x->dtype), rows = out->shape[0], n = out->shape[1];
    if (x->ndim != 2 || (x->shape[0] != rows && x->shape[0] != 1) || (x->shape[1] != n && x->shape[1] != 1) ||
        (x->shape[1] == n && x->strides[1] != size))
        return false;
    *down = x->shape[0] == 1 ? 0 : x->strides[0];
    if (*down < 0) return false;
    const uintptr_t begin = (uintptr_t)x->data,
                    end = begin + (uintptr_t)((rows - 1) * *down + x->shape[1] * size);
    const uintptr_t at = (uintptr_t)out->data, past = at + (uintptr_t)(rows * n) * fz_dtype_size(out->dtype);
    return end <= at || past <= begin ||
           (begin == at && x->dtype == out->dtype && *down == out->strides[0] && x->shape[1] == n);
}

/* Rows of n elements, each input a scalar or what find_down takes. */
static bool find_rows(const fz_expression *e, const fz_array *const inputs[], const fz_array *out,
                      fz__plain *p, ptrdiff_t down[]) {
    if (!is_plain_program(e) || out->ndim != 2 || !fz__count_gapless(out, out->dtype, FZ_PLAIN_MOST) ||
        out->shape[1] == 1)
        return false;
    p->n = out->shape[1];
    p->splats = 0;
    for (int k = 0; k < e->inputs; k++) {
        const fz_array *x = inputs[k];
        if (!is_plain_input(e, x, k)) return false;
        down[k] = 0;
        if (x->ndim != 0 && !find_down(x, out, &down[k])) return false;
        p->splats |= (uint64_t)(x->ndim == 0 || x->shape[1] == 1) << k;
    }
    return place_sources(e, inputs, p);
}

static bool run_rows(const fz_expression *e, const fz_array *const inputs[], const fz_array *out) {
    fz__plain p;
    ptrdiff_t down[FZ_MAX_EXPRESSION_ARRAYS], source_down[FZ_PLAIN_PLACES];
    if (!find_rows(e, inputs, out, &p, down)) return false;
    fz__chain_code *const *codes = fz__find_codes(e, p.splats);
    if (!codes) return false;
    for (int i = 0; i < e->sources; i++)
        source_down[i] = e->source[i].value < e->inputs ? down[e->source[i].value] : 0;
    p.places[e->places - 1].base = out->data;
    for (ptrdiff_t row = 0; row < out->shape[0]; row++) {
        codes[0]((size_t)p.n, p.places);
        for (int i = 0; i < e->sources; i++) p.places[i].base += source_down[i];
        p.places[e->places - 1].base += out->strides[0];
    }
    return true;
}

/* ---- calls --------------------------------------------------------------------------------------------------- */

bool fz__run_plain(const fz_expression *e, const fz_array *const inputs[], fz_array *const outputs[]) {
    fz__plain plain;
    fz_array *out = outputs[0];
    if (!out || !out->data || out->dtype != e->output_dtypes[0]) return false;
    if (!fz__find_plain(e, inputs, out, FZ_PLAIN_MOST, &plain)) return run_rows(e, inputs, out);
    fz__chain_code *const *codes = fz__find_codes(e, plain.splats);
    plain.places[e->places - 1].base = out->data;
    if (codes)
        codes[0]((size_t)plain.n, plain.places);
    else if (plain.n <= FEW)
        run_few(e, &plain, out->data);
    return codes || plain.n <= FEW;
}
