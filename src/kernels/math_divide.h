/* Division with a remainder, by NumPy's rules and with its bits. */
#ifndef FZ_MATH_DIVIDE_H
#define FZ_MATH_DIVIDE_H

#include "vec.h"

/* Quotients that T cannot hold need a division of many steps; they are rare. */
static __attribute__((noinline, unused)) vec fmod_by_lanes(vec x, vec y) {
    for (int lane = 0; lane < W; lane++)
        x[lane] = sizeof(T) == 4 ? fmodf(x[lane], y[lane]) : (T)fmod(x[lane], y[lane]);
    return x;
}

/* What is left of x when y is taken away from its size a whole number of times; exact, with x's sign. The quotient,
   rounded, may reach the next whole number: then the rest is below zero and one y too small. Rest and corrected rest
   are multiples of the last bits of x and y below y, and so exact. */
FZ_INLINE vec vfmod(vec x, vec y) {
    const vec a = vabsolute(x), b = vabsolute(y), infinity = vsplat((T)INFINITY);
    const vec quotient = a / b;
    const mask far = (quotient >= (sizeof(T) == 4 ? (T)0x1p24 : (T)0x1p53)) & (a < infinity) & (b > 0);
    if (vany(far)) return fmod_by_lanes(x, y);
    const vec rest = vfma_exact(-vtrunc(quotient), b, a);
    const vec corrected = vselect(rest < 0, rest + b, rest);
    return vcopysign(vselect((b == infinity) & (a < infinity), a, corrected), x);
}

/* Does rounding the quotient down, not towards zero, take one more y? */
FZ_INLINE mask takes_one_more(vec rest, vec y) { return (rest != 0) & ((rest < 0) ^ (y < 0)); }

FZ_INLINE vec vremainder(vec x, vec y) {
    const vec rest = vfmod(x, y);
    const vec shifted = vselect(takes_one_more(rest, y), rest + y, rest);
    return vselect(rest == 0, vcopysign(vsplat(0), y), shifted);
}

/* x - rest may have been rounded, so that the quotient is only near a whole number. */
FZ_INLINE vec vfloor_divide(vec x, vec y) {
    const vec zero = vsplat(0), one = vsplat(1), rest = vfmod(x, y);
    const vec quotient = (x - rest) / y - vselect(takes_one_more(rest, y), one, zero);
    const vec below = vfloor(quotient);
    const vec nearest = vselect(quotient - below > (T)0.5, below + one, below);
    const vec signed_zero = (vec)(((mask)x ^ (mask)y) & (mask)vsplat((T)-0.0));
    const vec by_zero = x * vcopysign(vsplat((T)INFINITY), y);
    return vselect(y == 0, by_zero, vselect(quotient == 0, signed_zero, nearest));
}

#endif
