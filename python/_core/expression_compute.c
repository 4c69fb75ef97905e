/* Computing expressions: a program for the kinds of inputs that come, views of them, and outputs. */
#include "expression.h"

#include <string.h>

/* ---- compiling ---------------------------------------------------------------------------------------------- */

/* What the expression comes to for inputs of certain kinds. */
struct fzpy_compilation {
    fzpy_compilation *next;
    fz_expression *program;
    fz_kind kinds[];
};

static bool has_kinds(const fzpy_compilation *c, const fz_kind kinds[], int n) {
    for (int k = 0; k < n; k++) {
        if (c->kinds[k].dtype != kinds[k].dtype || c->kinds[k].weak != kinds[k].weak) return false;
    }
    return true;
}

static void free_compiled(fzpy_compilation *c) {
    if (c) fz_expression_free(c->program);
    PyMem_RawFree(c);
}

static fzpy_compilation *compile_kinds(const fzpy_expression *self, const fz_kind kinds[]) {
    const size_t bytes = (size_t)self->program.inputs * sizeof *kinds;
    fzpy_compilation *made = PyMem_RawCalloc(1, sizeof *made + bytes);
    if (!made) return (fzpy_compilation *)PyErr_NoMemory();
    if (bytes) memcpy(made->kinds, kinds, bytes);
    const fz_status status = fz_expression_create(&self->program, kinds, &made->program);
    if (!status) return made;
    PyMem_RawFree(made);
    return (fzpy_compilation *)fzpy_raise(status);
}

/* The list grows at its front and loses nothing before the expression goes: threads read it without a lock. Beyond
   FZPY_MAX_CACHED kinds *own is true, and the caller frees what it gets. */
static fzpy_compilation *find_compiled(fzpy_expression *self, const fz_kind kinds[], bool *own) {
    fzpy_compilation *first = atomic_load_explicit(&self->compiled, memory_order_acquire);
    int known = 0;
    *own = false;
    for (fzpy_compilation *c = first; c; c = c->next, known++) {
        if (has_kinds(c, kinds, self->program.inputs)) return c;
    }
    fzpy_compilation *made = compile_kinds(self, kinds);
    if (!made || (*own = known >= FZPY_MAX_CACHED)) return made;
    made->next = first;
    while (!atomic_compare_exchange_weak_explicit(&self->compiled, &made->next, made, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    return made;
}

/* ---- numbers beyond a dtype --------------------------------------------------------------------------------- */

typedef struct renumbering {
    int inputs, first;          /* values; results begin at `first` */
    int constants;              /* that are new, before the results */
    int place[FZPY_MAX_ARRAYS]; /* of an input */
} renumbering;

static int renumber(const renumbering *r, int value) {
    if (value < r->inputs) return r->place[value];
    return value < r->first ? value : value + r->constants;
}

/* The program with the Python ints among its inputs as constants, after the others; as inputs nobody reads them. */
static void bind_ints(const fz_program *p, const fzpy_view views[], fz_constant constant[],
                      fz_instruction instruction[], int output[], fz_program *bound) {
    renumbering r = {.inputs = p->inputs, .first = p->inputs + p->constants};
    if (p->constants) memcpy(constant, p->constant, (size_t)p->constants * sizeof *constant);
    for (int k = 0; k < p->inputs; k++) {
        const bool is_int = views[k].weak == FZPY_WEAK_INT;
        r.place[k] = is_int ? r.first + r.constants : k;
        if (!is_int) continue;
        fz_constant *number = &constant[p->constants + r.constants++];
        number->kind = (fz_kind){views[k].array.dtype, fzpy_is_huge(&views[k]) ? FZ_HUGE : FZ_WEAK};
        number->value.natural = views[k].scalar.natural; /* the bits of any of them */
    }
    for (int i = 0; i < p->instructions; i++) {
        instruction[i] = p->instruction[i];
        for (int k = 0; k < 3; k++) instruction[i].operands[k] = renumber(&r, instruction[i].operands[k]);
    }
    for (int i = 0; i < p->outputs; i++) output[i] = renumber(&r, p->output[i]);
    *bound = *p;
    bound->constants += r.constants;
    bound->constant = constant;
    bound->instruction = instruction;
    bound->output = output;
}

/* A number that is known may lie beyond the dtype that it meets, where a comparison or a bound has an answer all the
   same. */
static fz_expression *compile_bound(const fzpy_expression *self, const fzpy_view views[],
                                    const fz_kind kinds[]) {
    const fz_program *p = &self->program;
    int output[FZPY_MAX_ARRAYS];
    fz_program bound;
    fz_expression *made = NULL;
    fz_constant *constant = PyMem_RawCalloc((size_t)(p->constants + p->inputs) + 1, sizeof *constant);
    fz_instruction *instruction = PyMem_RawCalloc((size_t)p->instructions + 1, sizeof *instruction);
    if (constant && instruction) {
        bind_ints(p, views, constant, instruction, output, &bound);
        const fz_status status = fz_expression_create(&bound, kinds, &made);
        if (status) fzpy_raise(status);
    } else {
        PyErr_NoMemory();
    }
    PyMem_RawFree(constant);
    PyMem_RawFree(instruction);
    return made;
}

/* ---- computing ---------------------------------------------------------------------------------------------- */

const char fzpy_evaluate_name[] = "evaluate";

static int view_given(fzpy_view *view, PyObject *given, fz_dtype dtype, NPY_CASTING casting) {
    if (fzpy_view_output(view, fzpy_evaluate_name, "out", given, FZPY_ANY) < 0) return -1;
    if (fzpy_check_cast(fzpy_evaluate_name, dtype, view, casting) == 0) return 0;
    fzpy_view_clear(view);
    return -1;
}

/* Views of out, or of new arrays. */
static int make_outputs(const fzpy_expression *self, const fz_expression *compiled,
                        const fz_array *const inputs[], const fzpy_destination *to, fzpy_view views[]) {
    PyObject *const out = to->out;
    const int outputs = self->program.outputs;
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    const fz_status status =
        fz_broadcast_shape(fzpy_evaluate_name, self->program.inputs, inputs, &ndim, shape);
    if (status) return fzpy_raise(status), -1;
    if (out && self->is_tuple && (!PyTuple_Check(out) || PyTuple_GET_SIZE(out) != outputs)) {
        PyErr_Format(PyExc_TypeError, "%s: out must be a tuple of %d arrays", fzpy_evaluate_name, outputs);
        return -1;
    }
    for (int i = 0; i < outputs; i++) {
        PyObject *given = out && self->is_tuple ? PyTuple_GET_ITEM(out, i) : out;
        const fz_dtype dtype = fz_expression_dtype(compiled, i);
        const int made = given ? view_given(&views[i], given, dtype, to->casting)
                               : fzpy_view_new_like(&views[i], fzpy_evaluate_name, dtype, ndim, shape,
                                                    to->c_order ? 0 : self->program.inputs, inputs);
        if (made < 0) {
            while (i) fzpy_view_clear(&views[--i]);
            return -1;
        }
    }
    return 0;
}

static PyObject *take_results(const fzpy_expression *self, fzpy_view views[], bool given) {
    if (!self->is_tuple) return fzpy_view_result(&views[0], given);
    PyObject *results = PyTuple_New(self->program.outputs);
    for (int i = 0; i < self->program.outputs; i++) {
        PyObject *result = fzpy_view_result(&views[i], given);
        if (!result)
            Py_CLEAR(results);
        else if (results)
            PyTuple_SET_ITEM(results, i, result);
        else
            Py_DECREF(result);
    }
    return results;
}

static PyObject *compute_outputs(const fzpy_expression *self, const fz_expression *compiled,
                                 const fz_array *const inputs[], const fzpy_destination *to) {
    fzpy_view views[FZPY_MAX_ARRAYS];
    fz_array *outputs[FZPY_MAX_ARRAYS];
    if (make_outputs(self, compiled, inputs, to, views) < 0) return NULL;
    for (int i = 0; i < self->program.outputs; i++) outputs[i] = &views[i].array;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(&views[0]) * (1 + self->program.instructions));
    const fz_status status = fz_expression_run(compiled, inputs, outputs);
    fzpy_retake_gil(released);
    if (!status) return take_results(self, views, to->out != NULL);
    for (int i = 0; i < self->program.outputs; i++) fzpy_view_clear(&views[i]);
    return fzpy_raise(status);
}

static PyObject *compute_reduction(const fzpy_expression *self, const fz_expression *compiled,
                                   const fz_array *const inputs[], const fzpy_view *const views[],
                                   const fzpy_destination *to) {
    const int count = self->program.inputs;
    fzpy_axes axes;
    if (fzpy_read_axes(fzpy_evaluate_name, self->axis == Py_None ? NULL : self->axis, &axes) < 0) return NULL;
    const int *list = axes.all ? NULL : axes.list;
    ptrdiff_t shape[FZ_MAX_NDIM], full[FZ_MAX_NDIM];
    int ndim = 0, full_ndim;
    fz_status status = fz_broadcast_shape(fzpy_evaluate_name, count, inputs, &full_ndim, full);
    if (!status && list)
        status =
            fz_expression_reduce_shape(compiled, self->reduction, inputs, axes.count, list, 0, &ndim, shape);
    if (status) return fzpy_raise(status);
    double elements = 1 + self->program.instructions;
    for (int d = 0; d < full_ndim; d++) elements *= (double)full[d];
    const fz_dtype dtype = fz_reduce_dtype(self->reduction, fz_expression_dtype(compiled, 0));
    fzpy_output out;
    if (fzpy_output_open_as(&out, fzpy_evaluate_name, to->out, to->casting, dtype, ndim, shape, count,
                            views) < 0)
        return NULL;
    PyThreadState *released = fzpy_release_gil(elements);
    status = fz_expression_reduce(compiled, self->reduction, inputs, axes.count, list, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *run(const fzpy_expression *self, const fz_expression *program,
                     const fz_array *const inputs[], const fzpy_view *const views[],
                     const fzpy_destination *to) {
    return self->reduction == FZ_REDUCTION_COUNT ? compute_outputs(self, program, inputs, to)
                                                 : compute_reduction(self, program, inputs, views, to);
}

/* With its ints for constants: a program for this call alone. */
static PyObject *run_bound(const fzpy_expression *self, const fzpy_view views[], const fz_kind kinds[],
                           const fz_array *const inputs[], const fzpy_view *const given[],
                           const fzpy_destination *to) {
    fz_expression *bound = compile_bound(self, views, kinds);
    PyObject *result = bound ? run(self, bound, inputs, given, to) : NULL;
    fz_expression_free(bound);
    return result;
}

static PyObject *run_compiled(fzpy_expression *self, const fzpy_view views[], const fz_kind kinds[],
                              const fz_array *const inputs[], const fzpy_view *const given[],
                              const fzpy_destination *to) {
    bool own;
    fzpy_compilation *found = find_compiled(self, kinds, &own);
    if (!found) return NULL;
    PyObject *result = run(self, found->program, inputs, given, to);
    if (own) free_compiled(found);
    if (result || !PyErr_ExceptionMatches(PyExc_OverflowError)) return result;
    PyErr_Clear(); /* a number does not fit */
    return run_bound(self, views, kinds, inputs, given, to);
}

PyObject *fzpy_compute_expression(fzpy_expression *self, PyObject *const values[],
                                  const fzpy_destination *to) {
    fzpy_view views[FZPY_MAX_ARRAYS];
    const fzpy_view *given[FZPY_MAX_ARRAYS];
    const fz_array *inputs[FZPY_MAX_ARRAYS];
    fz_kind kinds[FZPY_MAX_ARRAYS];
    PyObject *result = NULL;
    bool has_huge = false; /* which no kind of input tells from a float */
    int viewed = 0;
    for (; viewed < self->program.inputs; viewed++) {
        fzpy_view *view = &views[viewed];
        /* What takes no part stands as a number: its shape must not count, and nobody looks at what it is. */
        PyObject *value = self->unread >> viewed & 1 ? Py_False : values[viewed];
        if (fzpy_view_input(view, fzpy_evaluate_name, self->program.names[viewed], value, FZPY_ANY) < 0)
            goto done;
        given[viewed] = view;
        inputs[viewed] = &view->array;
        kinds[viewed] = (fz_kind){view->array.dtype, view->weak != FZPY_STRONG};
        has_huge |= fzpy_is_huge(view);
    }
    result = has_huge ? run_bound(self, views, kinds, inputs, given, to)
                      : run_compiled(self, views, kinds, inputs, given, to);
done:
    while (viewed) fzpy_view_clear(&views[--viewed]);
    return result;
}

void fzpy_forget_compiled(fzpy_expression *self) {
    for (fzpy_compilation *c = self->compiled, *next; c; c = next) {
        next = c->next;
        free_compiled(c);
    }
}
