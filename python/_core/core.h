/* Private prototypes of the extension module forzium._core, grouped under the file that owns them.
   Nothing here computes: arguments become fz_array views, libforzium works, results become objects. */
#ifndef FZPY_CORE_H
#define FZPY_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

#include "forzium.h"

/* ---- module.c: the module and its state ---------------------------------------------------------------- */

typedef struct fzpy_state {
    PyTypeObject *operation_type;  /* operation.c */
    PyTypeObject *pool_type;       /* pool.c: PoolAllocator */
    PyTypeObject *block_type;      /* block.c: what PoolAllocator.allocate returns */
    PyTypeObject *packed_type;     /* matmul.c: what pack makes */
    PyTypeObject *expression_type; /* expression.c: Expression */
    PyObject *expressions;         /* expression.c: dict, the last texts and what they came to */
    PyObject *pool_handlers;       /* pool.c: a ContextVar, the memory handlers that `with pool:` replaced */
} fzpy_state;

/* The state of forzium._core, from the module or from one of its heap types. */
fzpy_state *fzpy_state_of(PyObject *module);
fzpy_state *fzpy_state_of_type(PyTypeObject *type);

/* Adds functions to `target` whose self is the core module and whose __module__ is module_name. */
int fzpy_add_functions(PyObject *core, PyObject *target, const char *module_name, PyMethodDef *functions);

/* Each file's part in the module's exec slot: 0, or -1 with an exception. */
int fzpy_init_operations(PyObject *core); /* operation.c: the type */
int fzpy_init_threads(PyObject *core);    /* threads.c */
int fzpy_init_pool(PyObject *core);       /* pool.c */
int fzpy_init_engine(PyObject *core);     /* engine.c: adds the namespace `engine` */
int fzpy_init_zero_copy(PyObject *core);  /* zero_copy.c: adds the namespace `zero_copy` */

/* Below this many element-operations (about 5 us of work) a call keeps the GIL. */
#define FZPY_KEEP_GIL_BELOW 10000

/* Lets other Python threads run during `work` element-operations. Give the result back afterwards. */
static inline PyThreadState *fzpy_release_gil(double work) {
    return work < FZPY_KEEP_GIL_BELOW ? NULL : PyEval_SaveThread();
}

static inline void fzpy_retake_gil(PyThreadState *released) {
    if (released) PyEval_RestoreThread(released);
}

#if PY_VERSION_HEX < 0x030D0000 /* the GIL is the lock */
#define Py_BEGIN_CRITICAL_SECTION(object) {
#define Py_END_CRITICAL_SECTION() }
#endif

/* What a dict that other threads may change has under a key, strong; NULL where it has nothing, or with an exception. */
static inline PyObject *fzpy_dict_get(PyObject *dict, PyObject *key) {
#if PY_VERSION_HEX < 0x030D0000
    return Py_XNewRef(PyDict_GetItemWithError(dict, key));
#else
    PyObject *value;
    (void)PyDict_GetItemRef(dict, key, &value);
    return value;
#endif
}

/* ---- errors.c ------------------------------------------------------------------------------------------- */

/* Raises what status stands for, with the library's message; returns NULL. */
PyObject *fzpy_raise(fz_status status);
/* NumPy's AxisError for an axis of a number, in the library's words; returns -1. */
int fzpy_raise_axis(const char *operation, int axis);
/* Puts operation and argument before the words of the exception that is set, and makes it one of
   ValueError, TypeError or MemoryError; leaves any other kind as it is. Returns -1. */
int fzpy_name_argument(const char *operation, const char *argument);

/* ---- numpy_api.c: NumPy's C API, loaded at first need ----------------------------------------------------- */

/* 0, or -1 with an exception. After 0 the PyArray_ functions may be used (include numpy_api.h). */
int fzpy_load_numpy(void);
/* Has it been loaded? Enough for who asks whether an object is an array: whoever has one has imported NumPy. */
bool fzpy_has_numpy(void);

/* ---- args.c: arguments of vectorcall functions -------------------------------------------------------------- */

/* One function's parameters: the first `positional_only` cannot be named, those from `keyword_only` on
   must be. Build it once as static const. */
typedef struct fzpy_signature {
    const char *function;
    int count, required, positional_only, keyword_only;
    const char *names[12];
} fzpy_signature;

/* Sorts a vectorcall's arguments into values[signature->count], borrowed references, NULL where absent.
   -1 with a TypeError that names the function and the argument. */
int fzpy_parse(const fzpy_signature *signature, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
               PyObject **values);

/* ---- numbers.c: Python numbers to C ------------------------------------------------------------------------ */

/* What has a length and items and is no text; a real number: bool, int, float, or anything with __float__
   or __index__, NumPy's scalars and 0-d arrays included. */
bool fzpy_is_sequence(PyObject *object);
bool fzpy_is_number(PyObject *object);

/* 0, or -1 with an exception that names function and argument: TypeError for another type, ValueError for
   a value that does not fit. */
int fzpy_read_double(const char *function, const char *argument, PyObject *object, double *value);
int fzpy_read_size(const char *function, const char *argument, PyObject *object, Py_ssize_t *value);

/* ---- view.c: objects to fz_array views and back ------------------------------------------------------------ */

/* A Python int or float takes the other operands' dtype (NEP 50); everything else brings its own. */
typedef enum fzpy_weakness { FZPY_STRONG, FZPY_WEAK_INT, FZPY_WEAK_FLOAT } fzpy_weakness;

/* The dtypes that an argument may have: float32 and float64, to which Python's numbers and lists of them are
   converted, or all that libforzium has. */
typedef enum fzpy_dtypes { FZPY_FLOATS, FZPY_ANY } fzpy_dtypes;

static inline bool fzpy_is_narrow_float(fz_dtype dtype) {
    return dtype == FZ_FLOAT16 || dtype == FZ_BFLOAT16;
}
static inline bool fzpy_is_float(fz_dtype dtype) {
    return dtype == FZ_FLOAT32 || dtype == FZ_FLOAT64 || fzpy_is_narrow_float(dtype);
}

/* A view and the reference that keeps its memory alive. The array points into the struct, which must
   therefore stay where it was filled. */
typedef struct fzpy_view {
    fz_array array;
    PyObject *owner; /* strong; the ndarray behind the view, NULL for a scalar */
    fzpy_weakness weak;
    union {
        double real;
        int64_t integer;
        uint64_t natural;
        uint8_t truth;
    } scalar;                                           /* where a scalar's 0-d view points */
    ptrdiff_t shape[FZ_MAX_NDIM], strides[FZ_MAX_NDIM]; /* filled as far as ndim */
} fzpy_view;

/* A Python int of more than 64 bits, of which an input's view has the nearest float64. */
static inline bool fzpy_is_huge(const fzpy_view *view) {
    return view->weak == FZPY_WEAK_INT && view->array.dtype == FZ_FLOAT64;
}

/* Any array-like, without a copy where it has memory of its own. -1 with an exception that names
   operation and argument. */
int fzpy_view_input(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                    fzpy_dtypes dtypes);
/* A writable ndarray, as an output: refuses read-only, masked and foreign dtypes. */
int fzpy_view_output(fzpy_view *view, const char *operation, const char *argument, PyObject *object,
                     fzpy_dtypes dtypes);
/* A new C-ordered ndarray and its view, without axes a scalar's, as nobody would see the array; or an ndarray whose axes
   lie in memory as those of n arrays do that broadcast to its shape. */
int fzpy_view_new(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim, const ptrdiff_t *shape);
int fzpy_view_new_like(fzpy_view *view, const char *operation, fz_dtype dtype, int ndim,
                       const ptrdiff_t *shape, int n, const fz_array *const arrays[]);
void fzpy_view_clear(fzpy_view *view);
/* Copies an array to a view that it broadcasts to; large copies let other threads run. */
fz_status fzpy_view_fill(fzpy_view *view, const fz_array *from);
/* The view of a copy in another dtype, in place of this one. */
int fzpy_view_cast(fzpy_view *view, const char *operation, fz_dtype dtype);
/* Gives what a view of a new or given array holds away as a call's result: `given` as out, as it is; else a scalar where
   it is 0-d. */
PyObject *fzpy_view_result(fzpy_view *view, bool given);
double fzpy_view_size(const fzpy_view *view);
/* A tuple of ints, for messages. */
PyObject *fzpy_shape(int ndim, const ptrdiff_t *shape);
/* A dtype argument. -1 with a TypeError that names the operation. */
int fzpy_convert_dtype(const char *operation, PyObject *object, fz_dtype *dtype, fzpy_dtypes dtypes);
/* Makes a weak view one of the same number in this dtype, if the number has a place there; false where it has
   none: an int beyond an integer dtype. */
bool fzpy_view_settle(fzpy_view *view, fz_dtype dtype);

/* ---- output.c: where the result of an operation goes that writes to separate memory only ------------------------ */

typedef struct fzpy_output {
    fzpy_view given,
        fresh; /* the out argument, and a new array where it is absent or cannot be written directly */
    fzpy_view *target; /* where to compute */
} fzpy_output;

/* The dtype that sums of this one are computed in: as NumPy's, that of an out of wider floats. */
fz_dtype fzpy_widen_to_out(fz_dtype dtype, PyObject *out);

/* out is NULL, None, or an ndarray of this shape; if it is of another dtype, to which this one can be cast, or
   overlaps an input, the result is computed beside it. -1 with an exception. */
int fzpy_output_open(fzpy_output *output, const char *operation, PyObject *out, fz_dtype dtype, int ndim,
                     const ptrdiff_t *shape, int inputs, const fzpy_view *const views[]);
/* The call's result after the computation, or NULL with the exception for its status. */
PyObject *fzpy_output_close(fzpy_output *output, fz_status status);

/* ---- reductions.c: the axes that they name ---------------------------------------------------------------------- */

typedef struct fzpy_axes {
    int count, list[FZ_MAX_NDIM];
    bool all;
} fzpy_axes;

/* An axis that no int holds becomes one that is refused with the array's number of axes. */
int fzpy_read_axis(const char *operation, const char *argument, PyObject *object, int *axis);
/* NULL (all), an int or a tuple of ints. -1 with an exception. */
int fzpy_read_axes(const char *operation, PyObject *object, fzpy_axes *axes);

/* ---- operation.c: the kind of object that every operation is -------------------------------------------------- */

typedef struct fzpy_operation fzpy_operation;
/* Computes from sorted arguments. */
typedef PyObject *fzpy_compute(const fzpy_operation *operation, PyObject *const *values);

struct fzpy_operation {
    fzpy_signature signature;
    const char *parameters; /* the signature as Python writes it */
    const char *doc;        /* its line of documentation */
    const char *family; /* the rest, which a kind of operation may share: %name% stands for the operation */
    const char *example;
    fzpy_compute *compute;
    int id; /* fz_op or fz_reduction */
};

#define FZPY_DOC_X "x : array_like\n    Any forzium dtype, any shape and strides.\n"
/* Of operations that write an array of the result's shape. */
#define FZPY_DOC_OUT                                                                                        \
    "out : ndarray, optional\n"                                                                             \
    "    Where to write; of the result's shape, any strides; may overlap an input. Nothing is written on\n" \
    "    error.\n"

/* Adds an object for each to the module. 0, or -1 with an exception. */
int fzpy_add_operations(PyObject *core, const fzpy_operation *operations, size_t count);

/* ---- elementwise.c, reductions.c, matmul.c, arrays.c, casts.c, image.c: the operations ---------------------------------------- */

int fzpy_init_elementwise(PyObject *core);
/* Does op see only whether its operands are 0? */
bool fzpy_counts_truth(fz_op op);
/* elementwise_short.c: op on a few elements without gaps; out may be NULL. NULL without an exception where the call
   must go the long way. */
PyObject *fzpy_elementwise_short(fz_op op, int inputs, PyObject *const *values, PyObject *out);
/* NumPy's casting rule for what is not asked for by name: within a kind, or to a higher one. */
bool fzpy_is_same_kind(fz_dtype from, fz_dtype to);
int fzpy_init_reductions(PyObject *core);
int fzpy_init_rowwise(PyObject *core); /* rowwise.c */
int fzpy_init_matmul(PyObject *core);  /* matmul, linear, pack */
int fzpy_init_arrays(PyObject *core);  /* transpose */
int fzpy_init_image(PyObject *core);   /* convolution, pooling */
int fzpy_init_casts(PyObject *core);   /* astype, copyto */

/* ---- evaluate.c: evaluate, expression, fuse -------------------------------------------------------------- */

int fzpy_init_expression(PyObject *core);

/* ---- block.c: what PoolAllocator.allocate returns ---------------------------------------------------------- */

/* A new block of nbytes of a pool, and where its bytes are; NULL with an exception. */
PyObject *fzpy_block_new(PyTypeObject *type, fz_pool *pool, Py_ssize_t nbytes, void **data);
/* Gives a block's memory back to the pool. 0, or -1 with a ValueError that begins with function: another
   pool's, deallocated already, or looked at. */
int fzpy_block_deallocate(PyObject *block, const char *function, fz_pool *pool);
int fzpy_init_block(PyObject *core); /* called by fzpy_init_pool */

/* ---- pool.c: PoolAllocator -------------------------------------------------------------------------------- */

/* A new block of nbytes from a PoolAllocator, and where its bytes are. NULL with an exception: TypeError
   where pool is none, MemoryError where its capacity is spent. */
PyObject *fzpy_pool_allocate(fzpy_state *state, const char *function, PyObject *pool, Py_ssize_t nbytes,
                             void **data);

/* ---- threads.c: the pool of threads ---------------------------------------------------------------------- */

/* A new dict of what the pool of threads has done, as thread_pool_metrics gives it. */
PyObject *fzpy_thread_metrics(bool reset);

/* ---- lists.c: nested lists of numbers --------------------------------------------------------------------- */

/* Up to this many doubles need no memory of their own. */
#define FZPY_SMALL_DOUBLES 32

/* A float64 array, C-ordered, 1-D or 2-D, that owns its memory: what lists hold. The array points into
   the struct, which must therefore stay where it was initialised. Clear it after success. */
typedef struct fzpy_doubles {
    fz_array array;
    ptrdiff_t shape[2], strides[2];
    double small[FZPY_SMALL_DOUBLES];
} fzpy_doubles;

/* Rows that are known to be there but are not read yet. */
typedef struct fzpy_rows {
    const char *function, *argument;
    PyObject *sequence; /* strong; a list or tuple */
    ptrdiff_t rows, columns;
} fzpy_rows;

/* Any sequence of sequences of numbers. Opening learns the shape from the first row; reading writes
   rows * columns doubles and checks every row against it. Empty and ragged data are ValueErrors; what is
   no sequence or no number is a TypeError that names its row and column. 0, or -1 with an exception. */
int fzpy_rows_open(fzpy_rows *rows, const char *function, const char *argument, PyObject *object);
int fzpy_rows_read(const fzpy_rows *rows, double *out);
void fzpy_rows_close(fzpy_rows *rows);

int fzpy_doubles_new(fzpy_doubles *doubles, const char *function, int ndim, ptrdiff_t rows,
                     ptrdiff_t columns);
int fzpy_doubles_from_rows(fzpy_doubles *doubles, const char *function, const char *argument,
                           PyObject *object);
int fzpy_doubles_from_vector(fzpy_doubles *doubles, const char *function, const char *argument,
                             PyObject *object);
void fzpy_doubles_clear(fzpy_doubles *doubles);

/* A list of Python floats, or a list of lists of them. */
PyObject *fzpy_list_from_vector(const double *data, ptrdiff_t n);
PyObject *fzpy_list_from_rows(const double *data, ptrdiff_t rows, ptrdiff_t columns);

#endif
