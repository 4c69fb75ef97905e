/* Sine, cosine and tangent. */
#ifndef FZ_MATH_TRIG_H
#define FZ_MATH_TRIG_H

#include "math_reduction.h"

/* (sin r - r) / r^3 by z = r^2 for |r| <= 0.8 (float64: 0.786): minimax by Remez' algorithm, within 2^-27.7
   (2^-57.8) of sin r. */
FZ_INLINE vec sine_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {-0x1.555544p-3f, 0x1.1106aep-7f, -0x1.990f92p-13f};
#else
    static const T c[] = {-0x1.5555555555548p-3, 0x1.111111110f730p-7,   -0x1.a01a019be91dap-13,
                          0x1.71de3555236d6p-19, -0x1.ae5e4b9338037p-26, 0x1.5d8b695d8f235p-33};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* (cos r - 1 + z / 2) / z^2, likewise within 2^-32.5 (2^-63.7) of cos r. */
FZ_INLINE vec cosine_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.555548p-5f, -0x1.6c0af4p-10f, 0x1.999122p-16f};
#else
    static const T c[] = {0x1.555555555554bp-5,   -0x1.6c16c16c15009p-10, 0x1.a01a019c8d245p-16,
                          -0x1.27e4f7efa91efp-22, 0x1.1ee9da42dd502p-29,  -0x1.8fa59b3f9d90fp-37};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* Lanes whose quadrant is odd, and the sign bit where a sine is negative. */
FZ_INLINE lane_set is_odd(mask quadrant) { return vlanes(quadrant & 1); }
FZ_INLINE mask sine_sign(mask quadrant) { return quadrant << (8 * sizeof(T) - 2) & (mask)vsplat((T)-0.0); }

FZ_INLINE vec sine_of(angle a) {
    const vec r = a.hi, z = r * r;
    const vec sine = r + vfma(r * z, sine_tail(z), a.lo);
    const vec most = vfma(z, vsplat((T)-0.5), vsplat(1)), missed = vfma(z, vsplat((T)-0.5), 1 - most);
    const vec cosine = most + vfma(z * z, cosine_tail(z), vfma(-r, a.lo, missed));
    return (vec)((mask)vpick(is_odd(a.quadrant), cosine, sine) ^ sine_sign(a.quadrant));
}

/* The sign of x is put back last, so that sin(-0) is -0. */
FZ_INLINE vec vsin(vec x) {
    const vec size = vabsolute(x);
    return (vec)((mask)sine_of(reduce_angle(size, 0)) ^ (mask)x ^ (mask)size);
}

FZ_INLINE vec vcos(vec x) { return sine_of(reduce_angle(vabsolute(x), 1)); }

/* (2 tan(r / 2) - r) / r^3 by z = r^2, likewise within 2^-28.5 (2^-56.7) of 2 tan(r / 2). */
FZ_INLINE vec half_tangent_tail(vec z) {
#if defined(FZ_T_float32)
    static const T c[] = {0x1.555534p-4f, 0x1.112094p-7f, 0x1.b5a5c6p-11f, 0x1.a5e99cp-14f};
#else
    static const T c[] = {0x1.5555555555575p-4,  0x1.111111110d124p-7,  0x1.ba1ba1bfa7ccep-11,
                          0x1.664f46a014884p-14, 0x1.226e91f90a2d4p-17, 0x1.d6be6d8ee6ba9p-21,
                          0x1.7f26adc7ae5c4p-24, 0x1.2507f0730c27dp-27, 0x1.590f20cc7c963p-30};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* (n + n_low) / (d + d_low), the lows a few units in the last place at most: an estimate, and by what is missing in
   its product with d a correction that squares its error. */
FZ_INLINE vec quotient_of_sums(vec n, vec n_low, vec d, vec d_low) {
    const vec inverse = vinverse_estimate(d), quotient = n * inverse;
    const vec excess = vfma(quotient, d_low, vcancel(quotient, d, -n) - n_low);
    return vfma(-excess, inverse, quotient);
}

/* With u = 2 tan(r / 2) the tangent is u / (1 - u^2 / 4), and a right angle further on -(1 - u^2 / 4) / u: one
   polynomial, one division. Numerator and denominator are sums of two parts. */
FZ_INLINE void vtan_begin(vec x, halfway *half) {
    const angle a = reduce_angle(vabsolute(x), 0);
    const vec r = a.hi, z = r * r, tail = vfma(r * z, half_tangent_tail(z), a.lo), u = r + tail;
    half->value = (vpair){u, r - u + tail};
    half->quadrant = a.quadrant;
}

FZ_INLINE vec vtan_end(vec x, const halfway *h) {
    const vec u = h->value.high, u_low = h->value.low, half = u * (T)0.5;
    const vec rest = vfma(-half, half, vsplat(1)),
              rest_low = vfma(-half, u_low, vcancel(-half, half, 1 - rest));
    const lane_set odd = is_odd(h->quadrant);
    const vec n = vpick(odd, rest, u), n_low = vpick(odd, rest_low, u_low);
    const vec d = vpick(odd, u, rest), d_low = vpick(odd, u_low, rest_low);
    const mask sign = (mask)x ^ h->quadrant << (8 * sizeof(T) - 1);
    return (vec)((mask)quotient_of_sums(n, n_low, d, d_low) ^ (sign & (mask)vsplat((T)-0.0)));
}

#endif
