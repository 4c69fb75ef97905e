/* Lanes of integers and bools. The build makes signed integers wrap. */
#ifndef FZ_VEC_INTEGER_H
#define FZ_VEC_INTEGER_H

FZ_INLINE vec vmaximum(vec x, vec y) { return vselect(x > y, x, y); }
FZ_INLINE vec vminimum(vec x, vec y) { return vselect(x < y, x, y); }
FZ_INLINE vec vfmax(vec x, vec y) { return vmaximum(x, y); }
FZ_INLINE vec vfmin(vec x, vec y) { return vminimum(x, y); }

FZ_INLINE vec vfloor(vec x) { return x; }
FZ_INLINE vec vceil(vec x) { return x; }
FZ_INLINE vec vtrunc(vec x) { return x; }

FZ_INLINE mask visnan(vec x) { return (mask)(x ^ x); }
FZ_INLINE mask visinf(vec x) { return (mask)(x ^ x); }

#if defined(FZ_T_boolean)

FZ_INLINE vec vadd(vec x, vec y) { return x | y; }
FZ_INLINE vec vabsolute(vec x) { return x; }
FZ_INLINE vec vinvert(vec x) { return x ^ 1; }

#else

typedef typeof(_Generic((T)0,
                   int8_t: (uint8_t)0,
                   int16_t: (uint16_t)0,
                   int32_t: (uint32_t)0,
                   int64_t: (uint64_t)0,
                   default: (T)0)) unsigned_T;
typedef unsigned_T unsigned_vec __attribute__((vector_size(FZ_VECTOR_BYTES)));
enum { BITS = 8 * sizeof(T), IS_SIGNED = (T)-1 < (T)1 };

FZ_INLINE vec vadd(vec x, vec y) { return x + y; }
FZ_INLINE vec vinvert(vec x) { return ~x; }
FZ_INLINE mask vnegative(vec x) { return IS_SIGNED ? (mask)x < 0 : (mask)(x ^ x); }
FZ_INLINE vec vabsolute(vec x) { return vselect(vnegative(x), -x, x); }
FZ_INLINE vec vsign(vec x) { return (vec)vnegative(x) - (vec)(~vnegative(x) & (x != 0)); }

/* Of 0: what x86 makes of infinity, as NumPy there: the least of signed integers of 32 bits and more, else 0. */
FZ_INLINE vec vreciprocal(vec x) {
    const vec zero = vsplat(0),
              least = vsplat(IS_SIGNED && BITS >= 32 ? (T)((unsigned_T)1 << (BITS - 1)) : 0);
    const vec whole = IS_SIGNED ? vselect(x == (T)-1, x, zero) : zero;
    return vselect(x == 1, x, vselect(x == 0, least, whole));
}

/* Past the width every bit is gone, or the sign is all that is left; a negative count is past it. */
FZ_INLINE vec vshift_left(vec x, vec count) {
    const unsigned_vec by = (unsigned_vec)count;
    return vselect((mask)(by < BITS), (vec)((unsigned_vec)x << (by & (BITS - 1))), vsplat(0));
}

FZ_INLINE vec vshift_right(vec x, vec count) {
    const unsigned_vec by = (unsigned_vec)count;
    return vselect((mask)(by < BITS), x >> (vec)(by & (BITS - 1)), (vec)vnegative(x));
}

#endif
#endif
