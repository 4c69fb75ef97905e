/* Division with a remainder, by NumPy's rules and with its bits. */
#ifndef FZ_MATH_DIVIDE_H
#define FZ_MATH_DIVIDE_H

#include "vec_math.h"

/* Quotients that T cannot hold need a division of many steps; they are rare. */
static __attribute__((noinline, unused)) vec fmod_by_lanes(vec x, vec y) {
    for (int lane = 0; lane < W; lane++)
        x[lane] = sizeof(T) == 4 ? fmodf(x[lane], y[lane]) : (T)fmod(x[lane], y[lane]);
    return x;
}

/* ---- any numbers ---- */
/* What is left of x when y is taken away from its size a whole number of times; exact, with x's sign. The quotient,
   rounded, may reach the next whole number: then the rest is below zero and one y too small. */
static __attribute__((noinline, unused)) vec fmod_of_any(vec x, vec y) {
    const vec a = vabsolute(x), b = vabsolute(y), infinity = vsplat((T)INFINITY);
    const vec quotient = a / b;
    const mask far = (quotient >= (sizeof(T) == 4 ? (T)0x1p24 : (T)0x1p53)) & (a < infinity) & (b > 0);
    if (vany(far)) return fmod_by_lanes(x, y);
    const vec rest = vfma_exact(-vtrunc(quotient), b, a);
    const vec corrected = vselect(rest < 0, rest + b, rest);
    return vcopysign(vselect((b == infinity) & (a < infinity), a, corrected), x);
}

/* Does rounding the quotient down, not towards zero, take one more y? */
static __attribute__((noinline, unused)) vec remainder_of_any(vec x, vec y) {
    const vec rest = fmod_of_any(x, y);
    const vec shifted = vselect((rest != 0) & ((rest < 0) ^ (y < 0)), rest + y, rest);
    return vselect(rest == 0, vcopysign(vsplat(0), y), shifted);
}

/* x - rest may have been rounded, so that the quotient is only near a whole number. */
static __attribute__((noinline, unused)) vec floor_divide_of_any(vec x, vec y) {
    const vec zero = vsplat(0), one = vsplat(1), rest = fmod_of_any(x, y);
    const vec quotient = (x - rest) / y - vselect((rest != 0) & ((rest < 0) ^ (y < 0)), one, zero);
    const vec below = vfloor(quotient);
    const vec nearest = vselect(quotient - below > (T)0.5, below + one, below);
    const vec signed_zero = (vec)(((mask)x ^ (mask)y) & (mask)vsplat((T)-0.0));
    const vec by_zero = x * vcopysign(vsplat((T)INFINITY), y);
    return vselect(y == 0, by_zero, vselect(quotient == 0, signed_zero, nearest));
}

/* Quotients from here on may miss whole numbers by more than one, or by what NumPy's roundings make of them. */
#define FZ_FAR FZ_PER_T(0x1p22, 0x1p51)

/* Are a quotient below FZ_FAR and its rest a number in every lane? Not of 0, of NaN or infinities. */
FZ_INLINE bool are_near(vec quotient, vec rest) {
    return vall_less(vabsolute(quotient), vsplat(FZ_FAR), rest);
}

/* The quotient whose floor is wanted, and whether it is rounded down. Then its floor is the exact quotient's; rounded
   to nearest, it may reach the next whole number. */
#if defined(FZ_SIMD_avx512)
enum { ROUNDS_DOWN = 1 };
FZ_INLINE vec divide_to_floor(vec x, vec y) {
    return (vec)FZ_X86(div_round)((x86_vec)x, (x86_vec)y, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
#else
enum { ROUNDS_DOWN = 0 };
FZ_INLINE vec divide_to_floor(vec x, vec y) { return x / y; }
#endif

FZ_INLINE mask takes_one_more(vec rest, vec y) { return (((mask)rest ^ (mask)y) < 0) & (rest != 0); }

/* A rest of near numbers is a multiple of the last bits of x and y below y, and so exact. Where the quotient reached the
   next whole number, the rest is below zero and one y too small. */
FZ_INLINE vec vfmod(vec x, vec y) {
    const vec a = vabsolute(x), b = vabsolute(y), quotient = divide_to_floor(a, b);
    const vec rest = vfma_exact(-vtrunc(quotient), b, a);
    if (!are_near(quotient, rest)) return fmod_of_any(x, y);
    return vcopysign(ROUNDS_DOWN ? rest : rest + (vec)((rest < 0) & (mask)b), x);
}

/* Rounded down, not towards zero: a rest that is not 0 has y's sign, and is rounded once, as NumPy's sum is. */
FZ_INLINE vec vremainder(vec x, vec y) {
    const vec quotient = divide_to_floor(x, y), rest = vfma_exact(-vfloor(quotient), y, x);
    if (!are_near(quotient, rest)) return remainder_of_any(x, y);
    return vcopysign(ROUNDS_DOWN ? rest : rest + (vec)(takes_one_more(rest, y) & (mask)y), y);
}

/* By an infinite y the quotient is 0, NumPy's -1 where the signs differ. */
FZ_INLINE vec vfloor_divide(vec x, vec y) {
    const vec quotient = divide_to_floor(x, y), whole = vfloor(quotient);
    const vec rest = ROUNDS_DOWN ? y - y : vfma_exact(-whole, y, x);
    if (!are_near(quotient, rest)) return floor_divide_of_any(x, y);
    return ROUNDS_DOWN ? whole : whole - (vec)(takes_one_more(rest, y) & (mask)vsplat(1));
}

#endif
