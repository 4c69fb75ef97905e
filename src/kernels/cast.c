/* Casts from every dtype to T: how operands of another dtype, or at strides, reach the loops and come back. */
#include "narrow_float.h"
#include "vec.h"

/* ---- one value -------------------------------------------------------------------------------------------- */

#if defined(FZ_T_boolean)
#define CONVERT(value) ((value) != 0)
#elif defined(FZ_T_float16)
#define CONVERT(value) \
    _Generic((value), double: half_from_double(value), default: half_from_float((float)(value)))
#elif defined(FZ_T_bfloat16)
#define CONVERT(value) bfloat_from_float((float)(value))
#elif defined(FZ_T_IS_FLOAT)
#define CONVERT(value) ((T)(value))
#else
/* What x86's instructions give, without C's undefined behaviour: cut towards zero as the narrowest of int32 and
   int64 that holds T, or its least value where it does not fit, then wrapped. */
FZ_INLINE T cut(double value) {
    enum { IS_INT32 = FZ_DTYPE == FZ_INT32 };
    const double limit = IS_INT32 ? 0x1p31 : 0x1p63;
    const int64_t least = IS_INT32 ? INT32_MIN : INT64_MIN;
    if (FZ_DTYPE == FZ_UINT64 && value >= 0x1p63 && value < 0x1p64)
        return (T)((uint64_t)(int64_t)(value - 0x1p63) + (1ull << 63));
    return (T)(value >= -limit && value < limit ? (int64_t)value : least);
}
#define CONVERT(value) \
    _Generic((value), float: cut((double)(value)), double: cut((double)(value)), default: (T)(value))
#endif

#define READ(unused, CONSTANT, name, type)      \
    FZ_INLINE type read_##name(const void *p) { \
        type value;                             \
        memcpy(&value, p, sizeof value);        \
        return value;                           \
    }
FZ_FOR_EACH_DTYPE(READ, )

/* A value of each dtype in a C type of its own. */
#define VALUE_float32(p) read_float32(p)
#define VALUE_float64(p) read_float64(p)
#define VALUE_boolean(p) read_boolean(p)
#define VALUE_int8(p) read_int8(p)
#define VALUE_int16(p) read_int16(p)
#define VALUE_int32(p) read_int32(p)
#define VALUE_int64(p) read_int64(p)
#define VALUE_uint8(p) read_uint8(p)
#define VALUE_uint16(p) read_uint16(p)
#define VALUE_uint32(p) read_uint32(p)
#define VALUE_uint64(p) read_uint64(p)
#define VALUE_float16(p) float_from_half(read_float16(p))
#define VALUE_bfloat16(p) float_from_bfloat(read_bfloat16(p))

/* ---- rows ------------------------------------------------------------------------------------------------- */

typedef T reader(const void *p);

FZ_INLINE void cast_strided(size_t n, const char *x, ptrdiff_t src_stride, char *z, ptrdiff_t dst_stride,
                            reader *read) {
    for (; n; n--, x += src_stride, z += dst_stride) store_one(z, read(x));
}

/* Rows without gaps get a loop of their own, which the compiler turns into vectors. */
FZ_INLINE void cast_row(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride,
                        ptrdiff_t src_size, reader *read) {
    if (src_stride == src_size && dst_stride == sizeof(T))
        cast_strided(n, src, src_size, dst, sizeof(T), read);
    else
        cast_strided(n, src, src_stride, dst, dst_stride, read);
}

#define CAST(unused, CONSTANT, name, type)                                              \
    FZ_INLINE T convert_##name(const void *p) { return CONVERT(VALUE_##name(p)); }      \
    static void cast_##name(size_t n, const void *src, ptrdiff_t src_stride, void *dst, \
                            ptrdiff_t dst_stride) {                                     \
        cast_row(n, src, src_stride, dst, dst_stride, sizeof(type), convert_##name);    \
    }
FZ_FOR_EACH_DTYPE(CAST, )

FZ_INLINE T read_own(const void *p) { return load_one(p); }

/* Every other element, as of the real parts of complex numbers, is a vector loop of its own, too. */
static void copy(size_t n, const void *src, ptrdiff_t src_stride, void *dst, ptrdiff_t dst_stride) {
    if (src_stride == 2 * sizeof(T) && dst_stride == sizeof(T))
        cast_strided(n, src, 2 * sizeof(T), dst, sizeof(T), read_own);
    else
        cast_row(n, src, src_stride, dst, dst_stride, sizeof(T), read_own);
}

extern fz_cast *const FZ_KERNEL(cast_from)[FZ_DTYPE_COUNT];
fz_cast *const FZ_KERNEL(cast_from)[FZ_DTYPE_COUNT] = {
#define ENTRY(unused, CONSTANT, name, type) [FZ_##CONSTANT] = FZ_##CONSTANT == FZ_DTYPE ? copy : cast_##name,
    FZ_FOR_EACH_DTYPE(ENTRY, )};
