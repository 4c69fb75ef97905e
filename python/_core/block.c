/* What PoolAllocator.allocate returns: a block of bytes with the buffer protocol and DLPack.

   The memory belongs to a lease, which the block and the DLPack tensors made of it share. A lease counts
   who looks at its bytes; only while nobody does can it be closed. It knows nothing of Python, so that a
   tensor may be deleted by any thread, with or without the GIL, even after the interpreter's end. */
#include <stdatomic.h>
#include <stdlib.h>

#include "core.h"
#include "structmember.h"

/* ---- leases ---------------------------------------------------------------------------------- */

#define CLOSED (-1)

typedef struct lease {
    atomic_size_t references;
    _Atomic Py_ssize_t views; /* live buffers and tensors; CLOSED once the memory is back in the pool */
    fz_pool *pool;
    void *memory;
    Py_ssize_t nbytes;
} lease;

static lease *lease_new(fz_pool *pool, Py_ssize_t nbytes) {
    lease *l = malloc(sizeof *l);
    if (!l) {
        PyErr_NoMemory();
        return NULL;
    }
    fz_status status = fz_pool_allocate(pool, (size_t)nbytes, &l->memory);
    if (status) {
        free(l);
        fzpy_raise(status);
        return NULL;
    }
    atomic_init(&l->references, 1);
    atomic_init(&l->views, 0);
    fz_pool_retain(pool);
    l->pool = pool;
    l->nbytes = nbytes;
    return l;
}

static void lease_drop(lease *l) {
    if (atomic_fetch_sub_explicit(&l->references, 1, memory_order_acq_rel) != 1) return;
    if (atomic_load(&l->views) != CLOSED) fz_pool_deallocate(l->pool, l->memory);
    fz_pool_release(l->pool);
    free(l);
}

/* One more view; false if the lease is closed. */
static bool lease_look(lease *l) {
    Py_ssize_t views = atomic_load(&l->views);
    do {
        if (views == CLOSED) return false;
    } while (!atomic_compare_exchange_weak(&l->views, &views, views + 1));
    return true;
}

static void lease_look_away(lease *l) { atomic_fetch_sub(&l->views, 1); }

/* Gives the memory back unless there are views; returns what `views` was: 0 if that was done. */
static Py_ssize_t lease_close(lease *l) {
    Py_ssize_t views = 0;
    if (atomic_compare_exchange_strong(&l->views, &views, CLOSED)) fz_pool_deallocate(l->pool, l->memory);
    return views;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

typedef struct block {
    PyObject_HEAD lease *lease;
    PyObject *weak_references;
} block;

PyObject *fzpy_block_new(PyTypeObject *type, fz_pool *pool, Py_ssize_t nbytes, void **data) {
    lease *l = lease_new(pool, nbytes);
    if (!l) return NULL;
    block *b = (block *)type->tp_alloc(type, 0);
    if (!b) {
        lease_drop(l);
        return NULL;
    }
    b->lease = l;
    *data = l->memory;
    return (PyObject *)b;
}

int fzpy_block_deallocate(PyObject *self, const char *function, fz_pool *pool) {
    lease *l = ((block *)self)->lease;
    if (l->pool != pool) {
        PyErr_Format(PyExc_ValueError, "%s: the block is another pool's", function);
        return -1;
    }
    Py_ssize_t views = lease_close(l);
    if (views == CLOSED)
        PyErr_Format(PyExc_ValueError, "%s: the block is deallocated already", function);
    else if (views > 0)
        PyErr_Format(PyExc_ValueError, "%s: %zd live view%s of the block must be released first", function,
                     views, views == 1 ? "" : "s");
    return views == 0 ? 0 : -1;
}

/* 0, and one more view; -1 with an exception if the block is deallocated. */
static int look(lease *l) {
    if (lease_look(l)) return 0;
    PyErr_SetString(PyExc_ValueError, "PoolBlock: the block is deallocated");
    return -1;
}

static int block_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static void block_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (((block *)self)->weak_references) PyObject_ClearWeakRefs(self);
    lease_drop(((block *)self)->lease);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *block_repr(PyObject *self) {
    lease *l = ((block *)self)->lease;
    Py_ssize_t views = atomic_load(&l->views);
    if (views == CLOSED)
        return PyUnicode_FromFormat("<forzium.PoolBlock of %zd bytes, deallocated>", l->nbytes);
    return PyUnicode_FromFormat("<forzium.PoolBlock of %zd bytes at %p, %zd live views>", l->nbytes,
                                l->memory, views);
}

static Py_ssize_t block_length(PyObject *self) {
    lease *l = ((block *)self)->lease;
    if (look(l) < 0) return -1;
    lease_look_away(l);
    return l->nbytes;
}

static int block_get_buffer(PyObject *self, Py_buffer *view, int flags) {
    lease *l = ((block *)self)->lease;
    view->obj = NULL;
    if (look(l) < 0) return -1;
    if (PyBuffer_FillInfo(view, self, l->memory, l->nbytes, 0, flags) == 0) return 0;
    lease_look_away(l);
    return -1;
}

static void block_release_buffer(PyObject *self, Py_buffer *Py_UNUSED(view)) {
    lease_look_away(((block *)self)->lease);
}

/* ---- DLPack (https://dmlc.github.io/dlpack/latest/c_api.html, version 1.0) ------------------- */

typedef struct DLTensor {
    void *data;
    int32_t device_type, device_id;
    int32_t ndim;
    uint8_t dtype_code, dtype_bits;
    uint16_t dtype_lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *);
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
    uint32_t major, minor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *);
    uint64_t flags;
    DLTensor tensor;
} DLManagedTensorVersioned;

enum { DL_CPU = 1, DL_UINT = 1 };

/* One of the two forms, and what it points to. */
typedef struct tensor {
    DLManagedTensor plain;
    DLManagedTensorVersioned versioned;
    int64_t shape, stride;
    lease *lease;
} tensor;

static void tensor_delete(tensor *t) {
    lease_look_away(t->lease);
    lease_drop(t->lease);
    free(t);
}

static void delete_plain(DLManagedTensor *plain) { tensor_delete(plain->manager_ctx); }
static void delete_versioned(DLManagedTensorVersioned *versioned) { tensor_delete(versioned->manager_ctx); }

/* NULL with an exception. */
static tensor *tensor_new(lease *l) {
    tensor *t = malloc(sizeof *t);
    if (!t) {
        PyErr_NoMemory();
        return NULL;
    }
    if (look(l) < 0) {
        free(t);
        return NULL;
    }
    atomic_fetch_add_explicit(&l->references, 1, memory_order_relaxed);
    t->lease = l;
    t->shape = l->nbytes;
    t->stride = 1;
    DLTensor bytes = {l->memory, DL_CPU, 0, 1, DL_UINT, 8, 1, &t->shape, &t->stride, 0};
    t->plain = (DLManagedTensor){bytes, t, delete_plain};
    t->versioned = (DLManagedTensorVersioned){1, 0, t, delete_versioned, 0, bytes};
    return t;
}

/* A capsule that nobody consumed still has its first name. */
static void delete_plain_capsule(PyObject *capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor")) delete_plain(PyCapsule_GetPointer(capsule, "dltensor"));
}

static void delete_versioned_capsule(PyObject *capsule) {
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        delete_versioned(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
}

PyDoc_STRVAR(
    dlpack_doc,
    "__dlpack__($self, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
    "A DLPack capsule of the block's bytes, uint8 and 1-D; versioned if max_version is (1, 0) or more.");

static const fzpy_signature dlpack_signature = {
    "PoolBlock.__dlpack__", 4, 0, 0, 0, {"stream", "max_version", "dl_device", "copy"}};

/* 0, or -1 with BufferError for what a block in CPU memory, shared as it is, cannot satisfy. */
static int check_dlpack_request(PyObject *stream, PyObject *device, PyObject *copy) {
    if (stream && stream != Py_None) {
        PyErr_SetString(PyExc_BufferError,
                        "PoolBlock.__dlpack__: stream must be None, the block is in CPU memory");
        return -1;
    }
    if (copy == Py_True) {
        PyErr_SetString(PyExc_BufferError,
                        "PoolBlock.__dlpack__: copy must be None or False, a block is shared as it is");
        return -1;
    }
    int type = DL_CPU, id = 0;
    if (device && device != Py_None &&
        !PyArg_Parse(device, "(ii);PoolBlock.__dlpack__: dl_device", &type, &id))
        return -1;
    if (type != DL_CPU || id != 0) {
        PyErr_Format(PyExc_BufferError, "PoolBlock.__dlpack__: dl_device is (%d, %d); a block is on (1, 0)",
                     type, id);
        return -1;
    }
    return 0;
}

static PyObject *block_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames) {
    PyObject *values[4];
    if (fzpy_parse(&dlpack_signature, args, nargs, kwnames, values) < 0 ||
        check_dlpack_request(values[0], values[2], values[3]) < 0)
        return NULL;
    int major = 0, minor;
    PyObject *version = values[1];
    if (version && version != Py_None &&
        !PyArg_Parse(version, "(ii);PoolBlock.__dlpack__: max_version", &major, &minor))
        return NULL;
    tensor *t = tensor_new(((block *)self)->lease);
    if (!t) return NULL;
    PyObject *capsule = major >= 1
                            ? PyCapsule_New(&t->versioned, "dltensor_versioned", delete_versioned_capsule)
                            : PyCapsule_New(&t->plain, "dltensor", delete_plain_capsule);
    if (!capsule) tensor_delete(t);
    return capsule;
}

static PyObject *block_dlpack_device(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(ignored)) {
    return Py_BuildValue("(ii)", DL_CPU, 0);
}

/* ---- the type -------------------------------------------------------------------------------- */

PyDoc_STRVAR(block_doc,
             "A block of bytes of a PoolAllocator, aligned to 64 bytes.\n\n"
             "It has the buffer protocol (writable, one-dimensional, unsigned bytes), DLPack, `len` and\n"
             "weak references. Its memory goes back to the pool by `PoolAllocator.deallocate`, or when\n"
             "the block and everything that looks at it are gone. Made by `PoolAllocator.allocate` only.\n\n"
             "Examples\n--------\n"
             ">>> import forzium\n"
             ">>> block = forzium.PoolAllocator(1 << 20).allocate(16)\n"
             ">>> len(block)\n16\n"
             ">>> memoryview(block).cast(\"d\").shape\n(2,)\n");

static PyMethodDef block_methods[] = {
    {"__dlpack__", (PyCFunction)(void (*)(void))block_dlpack, METH_FASTCALL | METH_KEYWORDS, dlpack_doc},
    {"__dlpack_device__", block_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self)\n--\n\nThe DLPack device: (1, 0), CPU memory."},
    {NULL}};

static PyMemberDef block_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(block, weak_references), READONLY, NULL}, {NULL}};

static PyType_Slot block_slots[] = {{Py_tp_doc, (void *)block_doc},
                                    {Py_tp_traverse, block_traverse},
                                    {Py_tp_dealloc, block_dealloc},
                                    {Py_tp_repr, block_repr},
                                    {Py_sq_length, block_length},
                                    {Py_bf_getbuffer, block_get_buffer},
                                    {Py_bf_releasebuffer, block_release_buffer},
                                    {Py_tp_methods, block_methods},
                                    {Py_tp_members, block_members},
                                    {0, NULL}};

static PyType_Spec block_spec = {
    .name = "forzium.PoolBlock",
    .basicsize = sizeof(block),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = block_slots,
};

int fzpy_init_block(PyObject *core) {
    fzpy_state *state = fzpy_state_of(core);
    state->block_type = (PyTypeObject *)PyType_FromModuleAndSpec(core, &block_spec, NULL);
    return state->block_type ? PyModule_AddType(core, state->block_type) : -1;
}
