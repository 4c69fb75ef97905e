/* PoolAllocator: blocks for Python, and NumPy's own memory while `with pool:` is in force (NEP 49). */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "numpy_api.h"
#include "structmember.h"

typedef struct allocator {
    PyObject_HEAD _Atomic(fz_pool *) pool; /* NULL until __init__ has succeeded, then the same for ever */
    PyObject *weak_references;
} allocator;

/* The pool of a PoolAllocator; NULL with an exception where a subclass forgot to initialise it. */
static fz_pool *pool_of(PyObject *self) {
    fz_pool *pool = atomic_load(&((allocator *)self)->pool);
    if (!pool) PyErr_SetString(PyExc_ValueError, "PoolAllocator: __init__ has not been called");
    return pool;
}

/* ---- the object's life ----------------------------------------------------------------------- */

static int allocator_init(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"capacity", NULL};
    PyObject *object;
    Py_ssize_t capacity;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:PoolAllocator", names, &object) ||
        fzpy_read_size("PoolAllocator", "capacity", object, &capacity) < 0)
        return -1;
    if (capacity < 1) {
        PyErr_Format(PyExc_ValueError, "PoolAllocator: capacity is %zd; it must be at least 1 byte",
                     capacity);
        return -1;
    }
    fz_pool *pool = NULL, *initialised = NULL;
    fz_status status = fz_pool_create((size_t)capacity, &pool);
    if (status) {
        fzpy_raise(status);
        return -1;
    }
    if (atomic_compare_exchange_strong(&((allocator *)self)->pool, &initialised, pool)) return 0;
    fz_pool_release(pool);
    PyErr_SetString(PyExc_ValueError, "PoolAllocator: __init__ has been called already");
    return -1;
}

static int allocator_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void allocator_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    allocator *a = (allocator *)self;
    PyObject_GC_UnTrack(self);
    if (a->weak_references) PyObject_ClearWeakRefs(self);
    fz_pool *pool = atomic_load(&a->pool);
    if (pool) fz_pool_release(pool);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *allocator_repr(PyObject *self) {
    fz_pool *pool = pool_of(self);
    if (!pool) return NULL;
    fz_pool_stats stats;
    fz_pool_get_stats(pool, &stats);
    return PyUnicode_FromFormat("<%s of %zu bytes, %zu in use>", Py_TYPE(self)->tp_name, stats.capacity,
                                stats.bytes_in_use);
}

/* ---- blocks and figures ---------------------------------------------------------------------- */

/* A method whose class is given, as a subclass's instance does not lead to the module's state. */
#define METHOD(name)                                                                                    \
    static PyObject *name(PyObject *self, PyTypeObject *class, PyObject *const *args, Py_ssize_t nargs, \
                          PyObject *kwnames)

PyObject *fzpy_pool_allocate(fzpy_state *state, const char *function, PyObject *object, Py_ssize_t nbytes,
                             void **data) {
    if (!PyObject_TypeCheck(object, state->pool_type)) {
        PyErr_Format(PyExc_TypeError, "%s: pool must be a PoolAllocator, not %.100s", function,
                     Py_TYPE(object)->tp_name);
        return NULL;
    }
    fz_pool *pool = pool_of(object);
    return pool ? fzpy_block_new(state->block_type, pool, nbytes, data) : NULL;
}

PyDoc_STRVAR(allocate_doc, "allocate($self, /, nbytes)\n--\n\n"
                           "A block of nbytes bytes, aligned to 64 bytes; its contents are indeterminate.\n\n"
                           "Parameters\n----------\nnbytes : int\n    At least 0.\n\n"
                           "Returns\n-------\nPoolBlock\n    With the buffer protocol, DLPack and `len`.\n\n"
                           "Raises\n------\nValueError\n    If nbytes is negative.\n"
                           "TypeError\n    If nbytes is no integer.\n"
                           "MemoryError\n    If more than `available()` bytes are asked for.\n\n"
                           "Examples\n--------\n"
                           ">>> import forzium\n"
                           ">>> block = forzium.PoolAllocator(1000).allocate(10)\n"
                           ">>> with memoryview(block) as view:\n"
                           "...     view[:] = bytes(10)\n"
                           ">>> bytes(block) == bytes(10)\nTrue\n");

METHOD(allocator_allocate) {
    static const fzpy_signature signature = {"PoolAllocator.allocate", 1, 1, 0, 1, {"nbytes"}};
    PyObject *object;
    Py_ssize_t nbytes;
    if (fzpy_parse(&signature, args, nargs, kwnames, &object) < 0 ||
        fzpy_read_size(signature.function, "nbytes", object, &nbytes) < 0)
        return NULL;
    if (nbytes < 0)
        return PyErr_Format(PyExc_ValueError, "PoolAllocator.allocate: nbytes is %zd; it must be at least 0",
                            nbytes);
    void *data;
    return fzpy_pool_allocate(fzpy_state_of_type(class), signature.function, self, nbytes, &data);
}

PyDoc_STRVAR(
    deallocate_doc,
    "deallocate($self, /, block)\n--\n\n"
    "Gives a block's memory back for reuse, now.\n\n"
    "It need not be called: a block that is dropped gives its memory back when nothing looks at it\n"
    "any more.\n\n"
    "Parameters\n----------\nblock : PoolBlock\n    From this pool's `allocate`.\n\n"
    "Raises\n------\nValueError\n"
    "    If the block is deallocated already, is another pool's, or if a memoryview, an array or a DLPack\n"
    "    tensor still looks at it.\n"
    "TypeError\n    If it is no block.\n");

METHOD(allocator_deallocate) {
    static const fzpy_signature signature = {"PoolAllocator.deallocate", 1, 1, 0, 1, {"block"}};
    PyObject *block;
    fz_pool *pool = pool_of(self);
    if (!pool || fzpy_parse(&signature, args, nargs, kwnames, &block) < 0) return NULL;
    if (!Py_IS_TYPE(block, fzpy_state_of_type(class)->block_type))
        return PyErr_Format(PyExc_TypeError, "%s: block must be a PoolBlock, not %.100s", signature.function,
                            Py_TYPE(block)->tp_name);
    if (fzpy_block_deallocate(block, signature.function, pool) < 0) return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(available_doc,
             "available($self, /)\n--\n\n"
             "The capacity less what is out, in bytes: the largest block that could be had now.\n");

static PyObject *allocator_available(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    fz_pool *pool = pool_of(self);
    return pool ? PyLong_FromSize_t(fz_pool_available(pool)) : NULL;
}

PyDoc_STRVAR(
    get_stats_doc,
    "get_stats($self, /)\n--\n\n"
    "What the pool holds and has done.\n\n"
    "Returns\n-------\ndict of str to int\n"
    "    ``capacity``, ``bytes_in_use``, ``bytes_peak`` (the most that was ever in use) and\n"
    "    ``bytes_reserved`` (kept for reuse, in rounded sizes) in bytes; ``blocks_in_use``;\n"
    "    ``alloc_count``, ``dealloc_count`` and ``reuse_count`` (allocations served from the reserve).\n");

static PyObject *allocator_get_stats(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    fz_pool *pool = pool_of(self);
    if (!pool) return NULL;
    fz_pool_stats s;
    fz_pool_get_stats(pool, &s);
    return Py_BuildValue("{sn sn sn sn sn sn sn sn}", "capacity", s.capacity, "bytes_in_use", s.bytes_in_use,
                         "bytes_peak", s.bytes_peak, "bytes_reserved", s.bytes_reserved, "blocks_in_use",
                         s.blocks_in_use, "alloc_count", s.alloc_count, "dealloc_count", s.dealloc_count,
                         "reuse_count", s.reuse_count);
}

PyDoc_STRVAR(trim_doc,
             "trim($self, /)\n--\n\n"
             "Gives all memory kept for reuse back to the system; returns how many bytes that were.\n");

static PyObject *allocator_trim(PyObject *self, PyObject *Py_UNUSED(ignored)) {
    fz_pool *pool = pool_of(self);
    if (!pool) return NULL;
    PyThreadState *released = PyEval_SaveThread();
    size_t trimmed = fz_pool_trim(pool);
    PyEval_RestoreThread(released);
    return PyLong_FromSize_t(trimmed);
}

static PyObject *allocator_capacity(PyObject *self, void *Py_UNUSED(closure)) {
    fz_pool *pool = pool_of(self);
    if (!pool) return NULL;
    fz_pool_stats stats;
    fz_pool_get_stats(pool, &stats);
    return PyLong_FromSize_t(stats.capacity);
}

/* ---- NumPy's memory from a pool -------------------------------------------------------------- */

/* Whether a pool refused this thread's last handler_malloc, so that fz_error_message() speaks of it. */
static _Thread_local bool malloc_refused;

static void *handler_malloc(void *pool, size_t nbytes) {
    void *memory = NULL;
    malloc_refused = fz_pool_allocate(pool, nbytes, &memory) != FZ_OK;
    return memory;
}

static void *handler_calloc(void *pool, size_t count, size_t size) {
    size_t nbytes;
    void *memory = __builtin_mul_overflow(count, size, &nbytes) ? NULL : handler_malloc(pool, nbytes);
    return memory ? memset(memory, 0, nbytes) : NULL;
}

static void *handler_realloc(void *pool, void *memory, size_t nbytes) {
    void *moved = NULL;
    fz_pool_reallocate(pool, memory, nbytes, &moved);
    return moved;
}

static void handler_free(void *pool, void *memory, size_t Py_UNUSED(nbytes)) {
    fz_pool_deallocate(pool, memory);
}

static void delete_handler(PyObject *capsule) {
    PyDataMem_Handler *handler = PyCapsule_GetPointer(capsule, "mem_handler");
    fz_pool_release(handler->allocator.ctx);
    free(handler);
}

/* The capsule that NumPy keeps with every array it allocates by it; it holds a reference to the pool. */
static PyObject *new_handler(fz_pool *pool) {
    PyDataMem_Handler *handler = malloc(sizeof *handler);
    if (!handler) return PyErr_NoMemory();
    *handler = (PyDataMem_Handler){
        "forzium_pool", 1, {pool, handler_malloc, handler_calloc, handler_realloc, handler_free}};
    PyObject *capsule = PyCapsule_New(handler, "mem_handler", delete_handler);
    if (!capsule) {
        free(handler);
        return NULL;
    }
    fz_pool_retain(pool);
    return capsule;
}

/* Makes `handler` this context's; 0, or -1 with an exception. */
static int set_handler(PyObject *handler) {
    PyObject *replaced = PyDataMem_SetHandler(handler);
    Py_XDECREF(replaced);
    return replaced ? 0 : -1;
}

/* This context's `with pool:` blocks, the innermost first: (handler, what it replaced, handler, ...). */
static PyObject *get_chain(fzpy_state *state) {
    PyObject *chain;
    return PyContextVar_Get(state->pool_handlers, NULL, &chain) < 0 ? NULL : chain;
}

static int set_chain(fzpy_state *state, PyObject *chain) {
    PyObject *token = PyContextVar_Set(state->pool_handlers, chain);
    Py_XDECREF(token);
    return token ? 0 : -1;
}

METHOD(allocator_enter) {
    (void)args, (void)nargs, (void)kwnames;
    fzpy_state *state = fzpy_state_of_type(class);
    fz_pool *pool = pool_of(self);
    if (!pool || fzpy_load_numpy() < 0) return NULL;
    PyObject *handler = new_handler(pool), *replaced = PyDataMem_GetHandler(), *rest = get_chain(state);
    PyObject *entry = handler && replaced && rest ? PyTuple_Pack(2, handler, replaced) : NULL;
    PyObject *chain = entry ? PySequence_Concat(entry, rest) : NULL;
    int status = chain ? set_chain(state, chain) : -1;
    if (status == 0) status = set_handler(handler);
    Py_XDECREF(chain);
    Py_XDECREF(entry);
    Py_XDECREF(rest);
    Py_XDECREF(replaced);
    Py_XDECREF(handler);
    return status < 0 ? NULL : Py_NewRef(self);
}

/* Where the pool's innermost handler is in the chain; -1 with an exception if it has none. */
static Py_ssize_t find_handler(PyObject *chain, fz_pool *pool) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(chain); i += 2) {
        PyDataMem_Handler *handler = PyCapsule_GetPointer(PyTuple_GET_ITEM(chain, i), "mem_handler");
        if (handler->allocator.ctx == pool) return i;
    }
    PyErr_SetString(PyExc_RuntimeError,
                    "PoolAllocator: no `with pool:` of this thread or task is this pool's");
    return -1;
}

/* A chain without the handler at i: what that replaced, the handler inside it replaces from now on. */
static PyObject *chain_without(PyObject *chain, Py_ssize_t i) {
    PyObject *inner = PyTuple_GetSlice(chain, 0, i ? i - 1 : 0);
    PyObject *outer = PyTuple_GetSlice(chain, i ? i + 1 : 2, PyTuple_GET_SIZE(chain));
    PyObject *rest = inner && outer ? PySequence_Concat(inner, outer) : NULL;
    Py_XDECREF(inner);
    Py_XDECREF(outer);
    return rest;
}

/* Blocks need not end in the reverse order of their beginnings: those of generators and exit stacks do not. */
METHOD(allocator_exit) {
    (void)args, (void)nargs, (void)kwnames;
    fzpy_state *state = fzpy_state_of_type(class);
    fz_pool *pool = pool_of(self);
    PyObject *chain = pool ? get_chain(state) : NULL;
    Py_ssize_t i = chain ? find_handler(chain, pool) : -1;
    PyObject *rest = i < 0 ? NULL : chain_without(chain, i);
    int status = rest ? set_chain(state, rest) : -1;
    if (status == 0 && i == 0) status = set_handler(PyTuple_GET_ITEM(chain, 1));
    Py_XDECREF(rest);
    Py_XDECREF(chain);
    if (status < 0) return NULL;
    Py_RETURN_NONE;
}

/* np.empty with the pool's handler in force, in a context of its own: leaving that needs no memory. Takes
   over the reference to dtype. */
static PyObject *empty_from(fz_pool *pool, PyArray_Dims *shape, PyArray_Descr *dtype) {
    PyObject *handler = new_handler(pool), *context = handler ? PyContext_CopyCurrent() : NULL, *array = NULL;
    if (context && PyContext_Enter(context) == 0) {
        malloc_refused = false;
        if (set_handler(handler) == 0) {
            array = PyArray_Empty(shape->len, shape->ptr, dtype, 0);
            dtype = NULL;
        }
        if (!array && malloc_refused && PyErr_ExceptionMatches(PyExc_MemoryError))
            fzpy_raise(FZ_ERROR_MEMORY); /* NumPy's message does not know of the capacity */
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyContext_Exit(context); /* cannot fail: it is this thread's current one */
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(context);
    Py_XDECREF(handler);
    Py_XDECREF(dtype);
    return array;
}

PyDoc_STRVAR(
    empty_doc,
    "empty($self, /, shape, dtype=None)\n--\n\n"
    "A new C-ordered array whose memory is the pool's; its contents are indeterminate.\n\n"
    "The memory goes back to the pool when the array and every view of it are gone; it may outlive the\n"
    "pool object.\n\n"
    "Parameters\n----------\nshape : int or tuple of int\n"
    "dtype : data-type, optional\n    Any but Python objects. Default: float64.\n\n"
    "Returns\n-------\nnumpy.ndarray\n    Aligned to 64 bytes.\n\n"
    "Raises\n------\nValueError\n    If a length is negative.\n"
    "TypeError\n    If dtype is or holds Python objects.\n"
    "MemoryError\n    If the array needs more than `available()` bytes.\n\n"
    "Examples\n--------\n"
    ">>> import forzium\n"
    ">>> pool = forzium.PoolAllocator(1 << 20)\n"
    ">>> image = pool.empty((3, 4), \"float32\")\n"
    ">>> image.shape, pool.get_stats()[\"bytes_in_use\"]\n((3, 4), 48)\n");

METHOD(allocator_empty) {
    (void)class;
    static const fzpy_signature signature = {"PoolAllocator.empty", 2, 1, 0, 2, {"shape", "dtype"}};
    PyObject *values[2];
    fz_pool *pool = pool_of(self);
    if (!pool || fzpy_parse(&signature, args, nargs, kwnames, values) < 0 || fzpy_load_numpy() < 0)
        return NULL;
    PyArray_Descr *dtype = NULL;
    PyArray_Dims shape = {NULL, 0};
    PyObject *array = NULL;
    if (!PyArray_DescrConverter(values[1] ? values[1] : Py_None, &dtype)) {
        fzpy_name_argument(signature.function, "dtype");
    } else if (!PyArray_IntpConverter(values[0], &shape)) {
        fzpy_name_argument(signature.function, "shape");
        Py_DECREF(dtype);
    } else if (PyDataType_REFCHK(dtype)) {
        PyErr_Format(PyExc_TypeError, "%s: dtype is %S; it must not hold Python objects", signature.function,
                     dtype);
        Py_DECREF(dtype);
    } else {
        array = empty_from(pool, &shape, dtype);
        if (!array) fzpy_name_argument(signature.function, "shape");
    }
    PyDimMem_FREE(shape.ptr);
    return array;
}

/* ---- the type -------------------------------------------------------------------------------- */

PyDoc_STRVAR(
    allocator_doc,
    "PoolAllocator(capacity)\n--\n\n"
    "Memory that is kept for reuse, so that large arrays stop costing page faults.\n\n"
    "``with pool:`` makes NumPy allocate from it, in this thread or asyncio task and in what is started\n"
    "there with a copy of its context: existing code stops paying for fresh memory. Arrays may outlive the\n"
    "block and the pool object; their memory goes back to the pool when they die. Any number of threads\n"
    "may use one pool. Blocks of several pools, such as generators', may end in any order: NumPy allocates\n"
    "from the one entered last of those that have not.\n\n"
    "Parameters\n----------\ncapacity : int\n"
    "    The most bytes that are ever out, counted as asked for. What is kept for reuse stays within it\n"
    "    too, rounding (at most 12.5 %) aside.\n\n"
    "Raises\n------\nValueError\n    If capacity is below 1.\nTypeError\n    If it is no integer.\n\n"
    "Examples\n--------\n"
    ">>> import forzium, numpy as np\n"
    ">>> pool = forzium.PoolAllocator(64 << 20)\n"
    ">>> block = pool.allocate(1000)\n"
    ">>> pool.available() == pool.capacity - 1000\nTrue\n"
    ">>> pool.deallocate(block)\n"
    ">>> with pool:\n"
    "...     a = np.ones(1000)\n"
    ">>> pool.get_stats()[\"bytes_in_use\"]\n8000\n"
    ">>> del a\n"
    ">>> pool.available() == pool.capacity\nTrue\n");

#define WITH_CLASS (METH_METHOD | METH_FASTCALL | METH_KEYWORDS)
#define FUNCTION(name) (PyCFunction)(void (*)(void)) name

static PyMethodDef allocator_methods[] = {
    {"allocate", FUNCTION(allocator_allocate), WITH_CLASS, allocate_doc},
    {"deallocate", FUNCTION(allocator_deallocate), WITH_CLASS, deallocate_doc},
    {"empty", FUNCTION(allocator_empty), WITH_CLASS, empty_doc},
    {"available", allocator_available, METH_NOARGS, available_doc},
    {"get_stats", allocator_get_stats, METH_NOARGS, get_stats_doc},
    {"trim", allocator_trim, METH_NOARGS, trim_doc},
    {"__enter__", FUNCTION(allocator_enter), WITH_CLASS,
     "__enter__($self, /)\n--\n\nNumPy allocates from this pool until __exit__."},
    {"__exit__", FUNCTION(allocator_exit), WITH_CLASS,
     "__exit__($self, /, *exception)\n--\n\n"
     "NumPy allocates as it did before __enter__, or goes on with the pool of a block inside this one.\n\n"
     "Raises\n------\nRuntimeError\n    If this thread or asyncio task has no block of this pool."},
    {NULL}};

static PyGetSetDef allocator_properties[] = {
    {"capacity", allocator_capacity, NULL, "The most bytes that are ever out.", NULL}, {NULL}};

static PyMemberDef allocator_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(allocator, weak_references), READONLY, NULL}, {NULL}};

static PyType_Slot allocator_slots[] = {
    {Py_tp_doc, (void *)allocator_doc}, {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, allocator_init},       {Py_tp_traverse, allocator_traverse},
    {Py_tp_dealloc, allocator_dealloc}, {Py_tp_repr, allocator_repr},
    {Py_tp_methods, allocator_methods}, {Py_tp_getset, allocator_properties},
    {Py_tp_members, allocator_members}, {0, NULL}};

static PyType_Spec allocator_spec = {
    .name = "forzium.PoolAllocator",
    .basicsize = sizeof(allocator),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = allocator_slots,
};

int fzpy_init_pool(PyObject *core) {
    fzpy_state *state = fzpy_state_of(core);
    PyObject *no_handlers = PyTuple_New(0);
    if (!no_handlers) return -1;
    state->pool_handlers = PyContextVar_New("forzium.pool_handlers", no_handlers);
    Py_DECREF(no_handlers);
    state->pool_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &allocator_spec, NULL);
    if (!state->pool_handlers || !state->pool_type || fzpy_init_block(core) < 0) return -1;
    return PyModule_AddType(core, state->pool_type);
}
