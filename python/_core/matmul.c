/* Products of matrices: matmul, linear, and pack, whose result stands for a right-hand side. */
#include "core.h"

/* ---- pack --------------------------------------------------------------------------------------------------- */

typedef struct packed {
    PyObject_HEAD fz_packed *matrix;
    PyObject *dtype; /* NumPy's object */
} packed;

static int traverse_packed(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((packed *)self)->dtype);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void deallocate_packed(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    fz_packed_free(((packed *)self)->matrix);
    Py_XDECREF(((packed *)self)->dtype);
    type->tp_free(self);
    Py_DECREF(type);
}

static bool is_packed(PyObject *object) { return Py_TYPE(object)->tp_dealloc == deallocate_packed; }

static const fz_packed *packed_of(PyObject *object) { return ((packed *)object)->matrix; }

static PyObject *get_shape(PyObject *self, void *closure) {
    (void)closure;
    const fz_array *array = fz_packed_array(packed_of(self));
    return Py_BuildValue("nn", array->shape[0], array->shape[1]);
}

static PyObject *get_dtype(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((packed *)self)->dtype);
}

static PyObject *repr_packed(PyObject *self) {
    const fz_array *array = fz_packed_array(packed_of(self));
    return PyUnicode_FromFormat("<forzium.PackedMatrix (%zd, %zd) of %S>", array->shape[0], array->shape[1],
                                ((packed *)self)->dtype);
}

static PyGetSetDef packed_attributes[] = {
    {"shape", get_shape, NULL, "(k, n).", NULL},
    {"dtype", get_dtype, NULL, "The dtype of what was packed.", NULL},
    {NULL},
};

static const char packed_doc[] = "A matrix packed by `pack`, to be the right-hand side of products.\n\n"
                                 "Attributes\n----------\n"
                                 "shape : tuple of int\n"
                                 "    (k, n).\n"
                                 "dtype : numpy.dtype\n"
                                 "    Of the matrix that was packed.\n\n"
                                 "Examples\n--------\n"
                                 ">>> import forzium\n"
                                 ">>> import numpy as np\n"
                                 ">>> forzium.pack(np.ones((2, 3)))\n"
                                 "<forzium.PackedMatrix (2, 3) of float64>\n";

static PyType_Slot packed_slots[] = {
    {Py_tp_dealloc, deallocate_packed}, {Py_tp_traverse, traverse_packed}, {Py_tp_repr, repr_packed},
    {Py_tp_getset, packed_attributes},  {Py_tp_doc, (void *)packed_doc},   {0, NULL},
};

static PyType_Spec packed_spec = {
    .name = "forzium.PackedMatrix",
    .basicsize = sizeof(packed),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = packed_slots,
};

static const char pack_doc[] =
    "pack(b)\n--\n\n"
    "A matrix made ready to be the right-hand side of many products.\n\n"
    "What matmul does to b before it multiplies is done once. Nothing of b itself is kept: later changes to "
    "it\n"
    "are not seen.\n\n"
    "Parameters\n----------\n"
    "b : array_like\n"
    "    A matrix (k, n), any strides.\n\n"
    "Returns\n-------\n"
    "PackedMatrix\n"
    "    For ``matmul(a, packed)`` and, made of ``weight.T``, ``linear(x, packed)``. It has ``shape`` and\n"
    "    ``dtype``, never changes, and may be used by any number of threads. Packed from bfloat16, or from\n"
    "    integers of 8 or 16 bits, it is for arrays of that dtype only.\n\n"
    "Raises\n------\n"
    "ValueError\n"
    "    Where b has not two axes.\n"
    "TypeError\n"
    "    For dtypes that matmul does not know.\n\n"
    "Examples\n--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> b = forzium.pack(np.array([[5.0], [6.0]]))\n"
    ">>> forzium.matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), b)\n"
    "array([[17.],\n"
    "       [39.]])\n";

static PyObject *new_packed(PyTypeObject *type, fzpy_view *b) {
    fz_packed *matrix = NULL;
    PyThreadState *released = fzpy_release_gil(fzpy_view_size(b));
    const fz_status status = fz_pack_matrix(&b->array, &matrix);
    fzpy_retake_gil(released);
    if (status) return fzpy_raise(status);
    packed *self = (packed *)type->tp_alloc(type, 0);
    if (!self) {
        fz_packed_free(matrix);
        return NULL;
    }
    self->matrix = matrix;
    self->dtype = b->owner ? PyObject_GetAttrString(b->owner, "dtype") : Py_NewRef(Py_None);
    if (self->dtype) return (PyObject *)self;
    Py_DECREF(self);
    return NULL;
}

static PyObject *pack(PyObject *core, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    static const fzpy_signature signature = {"pack", 1, 1, 0, 1, {"b"}};
    PyObject *values[1];
    fzpy_view b;
    if (fzpy_parse(&signature, args, nargs, kwnames, values) < 0) return NULL;
    if (fzpy_view_input(&b, "pack", "b", values[0], FZPY_ANY) < 0) return NULL;
    PyObject *result = new_packed(fzpy_state_of(core)->packed_type, &b);
    fzpy_view_clear(&b);
    return result;
}

/* ---- a product ---------------------------------------------------------------------------------------------- */

/* The operands of a call. b is that of the packed matrix, where it is one, and then has no owner. */
typedef struct operands {
    fzpy_view a, b, bias;
    const fz_packed *packed;
    bool has_bias;
} operands;

static void clear_operands(operands *o) {
    fzpy_view_clear(&o->a);
    fzpy_view_clear(&o->b);
    fzpy_view_clear(&o->bias);
}

static int view_operands(const fzpy_operation *row, PyObject *left, PyObject *right, PyObject *bias,
                         operands *o) {
    const fzpy_signature *s = &row->signature;
    o->a.owner = o->b.owner = o->bias.owner = NULL;
    o->packed = is_packed(right) ? packed_of(right) : NULL;
    o->has_bias = bias && bias != Py_None;
    if (fzpy_view_input(&o->a, s->function, s->names[0], left, FZPY_ANY) < 0) return -1;
    if (o->packed) o->b.array = *fz_packed_array(o->packed);
    if ((o->packed || fzpy_view_input(&o->b, s->function, s->names[1], right, FZPY_ANY) == 0) &&
        (!o->has_bias || fzpy_view_input(&o->bias, s->function, s->names[2], bias, FZPY_ANY) == 0))
        return 0;
    clear_operands(o);
    return -1;
}

/* A multiply-add counts for a sixteenth of what an element costs elsewhere. */
static PyThreadState *release_for(const operands *o, const fz_array *out) {
    const fz_array *a = &o->a.array;
    double work = a->ndim ? (double)a->shape[a->ndim - 1] / 16 : 0;
    for (int d = 0; d < out->ndim; d++) work *= (double)out->shape[d];
    return fzpy_release_gil(work);
}

/* ---- matmul -------------------------------------------------------------------------------------------------- */

static PyObject *multiply(operands *o, PyObject *given) {
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fzpy_output out;
    const fzpy_view *const inputs[] = {&o->a, &o->b};
    fz_status status = fz_matmul_shape(&o->a.array, &o->b.array, &ndim, shape);
    if (status) return fzpy_raise(status);
    const fz_dtype dtype = fz_promote(o->a.array.dtype, o->b.array.dtype);
    if (fzpy_output_open(&out, "matmul", given, dtype, ndim, shape, o->packed ? 1 : 2, inputs) < 0)
        return NULL;
    PyThreadState *released = release_for(o, &out.target->array);
    status = o->packed ? fz_matmul_packed(&o->a.array, o->packed, &out.target->array)
                       : fz_matmul(&o->a.array, &o->b.array, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_matmul(const fzpy_operation *row, PyObject *const *values) {
    operands o;
    if (view_operands(row, values[0], values[1], NULL, &o) < 0) return NULL;
    PyObject *result = multiply(&o, values[2]);
    clear_operands(&o);
    return result;
}

/* ---- linear -------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    fz_op op;
} activations[] = {
    {"relu", FZ_OP_relu}, {"gelu", FZ_OP_gelu},       {"gelu_tanh", FZ_OP_gelu_tanh},
    {"silu", FZ_OP_silu}, {"sigmoid", FZ_OP_sigmoid}, {"softplus", FZ_OP_softplus},
    {"tanh", FZ_OP_tanh},
};
enum { ACTIVATIONS = sizeof activations / sizeof activations[0] };

static int read_activation(PyObject *object, fz_op *op) {
    *op = FZ_OP_COUNT;
    if (!object || object == Py_None) return 0;
    const bool is_text = PyUnicode_Check(object);
    for (int i = 0; is_text && i < ACTIVATIONS; i++) {
        if (PyUnicode_CompareWithASCIIString(object, activations[i].name) != 0) continue;
        *op = activations[i].op;
        return 0;
    }
    PyErr_Format(
        is_text ? PyExc_ValueError : PyExc_TypeError,
        "linear: activation is %R; \"relu\", \"gelu\", \"gelu_tanh\", \"silu\", \"sigmoid\", \"softplus\", "
        "\"tanh\" and None would do",
        object);
    return -1;
}

static PyObject *apply_layer(operands *o, fz_op activation, PyObject *given) {
    const fz_array *x = &o->a.array, *weight = &o->b.array, *bias = o->has_bias ? &o->bias.array : NULL;
    const fzpy_view *const inputs[] = {&o->a, o->has_bias ? &o->bias : &o->a, &o->b};
    ptrdiff_t shape[FZ_MAX_NDIM];
    int ndim;
    fzpy_output out;
    fz_status status = fz_linear_shape(x, o->packed ? NULL : weight, o->packed, bias, &ndim, shape);
    if (status) return fzpy_raise(status);
    const fz_dtype dtype = fz_promote(x->dtype, weight->dtype);
    if (fzpy_output_open(&out, "linear", given, dtype, ndim, shape, o->packed ? 2 : 3, inputs) < 0)
        return NULL;
    PyThreadState *released = release_for(o, &out.target->array);
    status = fz_linear(x, o->packed ? NULL : weight, o->packed, bias, activation, &out.target->array);
    fzpy_retake_gil(released);
    return fzpy_output_close(&out, status);
}

static PyObject *compute_linear(const fzpy_operation *row, PyObject *const *values) {
    operands o;
    fz_op activation;
    if (read_activation(values[3], &activation) < 0) return NULL;
    if (view_operands(row, values[0], values[1], values[2], &o) < 0) return NULL;
    PyObject *result = apply_layer(&o, activation, values[4]);
    clear_operands(&o);
    return result;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

#define OUT_AND_ERRORS                                                                                 \
    FZPY_DOC_OUT                                                                                       \
    "\n"                                                                                               \
    "Returns\n"                                                                                        \
    "-------\n"                                                                                        \
    "ndarray\n"                                                                                        \
    "    out, or a new array.\n"                                                                       \
    "\n"                                                                                               \
    "Raises\n"                                                                                         \
    "------\n"                                                                                         \
    "ValueError\n"                                                                                     \
    "    For shapes that do not fit, and a read-only out.\n"                                           \
    "TypeError\n"                                                                                      \
    "    For other dtypes, an out to which the result cannot be cast, and a packed matrix of a dtype " \
    "other\n"                                                                                          \
    "    than the one that is computed in.\n"                                                          \
    "\n"

static const char matmul_doc[] =
    "\n\n"
    "Parameters\n"
    "----------\n"
    "a, b : array_like\n"
    "    Matrices (..., m, k) and (..., k, n), any strides; the axes before the last two broadcast. A "
    "vector\n"
    "    is a row on the left, a column on the right. bool, integers, float16, bfloat16, float32 or "
    "float64.\n"
    "    b may be what `pack` has made.\n" OUT_AND_ERRORS "Notes\n"
    "-----\n"
    "Cache-blocked panels and a register-tiled micro-kernel after Goto and van de Geijn [1]_; the error is\n"
    "at most k * eps * (abs(a) @ abs(b)). Integers wrap; float16 and bfloat16 are summed in float32 and\n"
    "rounded once. Large calls release the GIL; the result does not depend on the number of threads.\n"
    "\n"
    "References\n"
    "----------\n"
    ".. [1] K. Goto, R. van de Geijn, \"Anatomy of High-Performance Matrix Multiplication\", ACM TOMS 34\n"
    "   (2008).\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> forzium.matmul(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0], [6.0]]))\n"
    "array([[17.],\n"
    "       [39.]])\n";

static const char linear_doc[] =
    "\n\n"
    "``activation(x @ weight.T + bias)``, as PyTorch's layer of that name; bias and activation are applied "
    "while\n"
    "the sums are in the cache.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "x : array_like\n"
    "    (..., in), any strides.\n"
    "weight : array_like or PackedMatrix\n"
    "    (out, in), any strides; or ``pack(weight.T)``, which is (in, out).\n"
    "bias : array_like, optional\n"
    "    (out,).\n"
    "activation : str, optional\n"
    "    The forzium function to apply: \"relu\", \"gelu\", \"gelu_tanh\", \"silu\", \"sigmoid\", "
    "\"softplus\" or\n"
    "    \"tanh\".\n" OUT_AND_ERRORS "Notes\n"
    "-----\n"
    "Of floats. float16 and bfloat16 are computed as float32, bias and activation included, and rounded "
    "once.\n"
    "For the rest as `matmul`.\n"
    "\n"
    "Examples\n"
    "--------\n"
    ">>> import forzium\n"
    ">>> import numpy as np\n"
    ">>> weight = np.array([[1.0, 2.0], [3.0, -4.0]])\n"
    ">>> forzium.linear(np.array([[1.0, 1.0]]), weight, np.array([0.5, 0.5]), \"relu\")\n"
    "array([[3.5, 0. ]])\n";

static const fzpy_operation rows[] = {
    {.signature = {"matmul", 3, 2, 0, 3, {"a", "b", "out"}},
     .parameters = "a, b, out=None",
     .doc = "Product of two matrices, or of stacks of them.",
     .family = matmul_doc,
     .example = "",
     .compute = compute_matmul},
    {.signature = {"linear", 5, 2, 0, 5, {"x", "weight", "bias", "activation", "out"}},
     .parameters = "x, weight, bias=None, activation=None, out=None",
     .doc = "A layer: a product with a weight, a bias, and an activation.",
     .family = linear_doc,
     .example = "",
     .compute = compute_linear},
};

static PyMethodDef functions[] = {
    {"pack", (PyCFunction)(void (*)(void))pack, METH_FASTCALL | METH_KEYWORDS, pack_doc},
    {NULL},
};

int fzpy_init_matmul(PyObject *core) {
    fzpy_state *state = fzpy_state_of(core);
    state->packed_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &packed_spec, NULL);
    if (!state->packed_type || PyModule_AddType(core, state->packed_type) < 0 ||
        fzpy_add_functions(core, core, "forzium", functions) < 0)
        return -1;
    return fzpy_add_operations(core, rows, sizeof rows / sizeof rows[0]);
}
