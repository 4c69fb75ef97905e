/* e^x by the hyperbolic functions of a small number: what sigmoids and hyperbolic functions are made of. */
#ifndef FZ_MATH_GROWTH_H
#define FZ_MATH_GROWTH_H

#include "vec_math.h"

#define FZ_LOG2_E FZ_PER_T(0x1.715476p+0, 0x1.71547652b82fep+0)

/* 2^(j / 16) and 2^(-j / 16), each as two numbers; computed with 200 bits. */
static const double DOUBLE_ROOTS[] = {0x1p+0,
                                      0x1.0b5586cf9890fp+0,
                                      0x1.172b83c7d517bp+0,
                                      0x1.2387a6e756238p+0,
                                      0x1.306fe0a31b715p+0,
                                      0x1.3dea64c123422p+0,
                                      0x1.4bfdad5362a27p+0,
                                      0x1.5ab07dd485429p+0,
                                      0x1.6a09e667f3bcdp+0,
                                      0x1.7a11473eb0187p+0,
                                      0x1.8ace5422aa0dbp+0,
                                      0x1.9c49182a3f09p+0,
                                      0x1.ae89f995ad3adp+0,
                                      0x1.c199bdd85529cp+0,
                                      0x1.d5818dcfba487p+0,
                                      0x1.ea4afa2a490dap+0};
#if defined(FZ_T_float32)
static const T ROOT_HIGH[] = {0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
                              0x1.306fep+0f,  0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
                              0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
                              0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};
static const T ROOT_LOW[] = {0,
                             0x1.9f3122p-25f,
                             -0x1.c15742p-27f,
                             0x1.ceac48p-25f,
                             0x1.4636e2p-25f,
                             0x1.824684p-25f,
                             -0x1.593abcp-25f,
                             -0x1.5bd5ecp-27f,
                             0x1.9fcef4p-26f,
                             -0x1.829fdp-25f,
                             0x1.15506ep-27f,
                             0x1.51f848p-27f,
                             -0x1.a94b14p-26f,
                             -0x1.3d56b2p-27f,
                             -0x1.822dbcp-27f,
                             0x1.52486cp-27f};
static const T FALLING_HIGH[] = {0x1p+0f,        0x1.ea4afap-1f, 0x1.d5818ep-1f, 0x1.c199bep-1f,
                                 0x1.ae89fap-1f, 0x1.9c4918p-1f, 0x1.8ace54p-1f, 0x1.7a1148p-1f,
                                 0x1.6a09e6p-1f, 0x1.5ab07ep-1f, 0x1.4bfdaep-1f, 0x1.3dea64p-1f,
                                 0x1.306fep-1f,  0x1.2387a6p-1f, 0x1.172b84p-1f, 0x1.0b5586p-1f};
static const T FALLING_LOW[] = {0,
                                0x1.52486cp-28f,
                                -0x1.822dbcp-28f,
                                -0x1.3d56b2p-28f,
                                -0x1.a94b14p-27f,
                                0x1.51f848p-28f,
                                0x1.15506ep-28f,
                                -0x1.829fdp-26f,
                                0x1.9fcef4p-27f,
                                -0x1.5bd5ecp-28f,
                                -0x1.593abcp-26f,
                                0x1.824684p-26f,
                                0x1.4636e2p-26f,
                                0x1.ceac48p-26f,
                                -0x1.c15742p-28f,
                                0x1.9f3122p-26f};
#else
#define ROOT_HIGH DOUBLE_ROOTS
static const T ROOT_LOW[] = {0,
                             0x1.8a62e4adc610bp-54,
                             -0x1.19041b9d78a76p-55,
                             0x1.9b07eb6c70573p-54,
                             0x1.6f46ad23182e4p-55,
                             0x1.ada0911f09ebcp-55,
                             0x1.d4397afec42e2p-56,
                             0x1.6324c054647adp-54,
                             -0x1.bdd3413b26456p-54,
                             -0x1.41577ee04992fp-55,
                             0x1.6e9f156864b27p-54,
                             0x1.c7c46b071f2bep-56,
                             0x1.7a1cd345dcc81p-54,
                             0x1.11065895048ddp-55,
                             0x1.2ed02d75b3707p-55,
                             -0x1.e9c23179c2893p-54};
static const T FALLING_HIGH[] = {0x1p+0,
                                 0x1.ea4afa2a490dap-1,
                                 0x1.d5818dcfba487p-1,
                                 0x1.c199bdd85529cp-1,
                                 0x1.ae89f995ad3adp-1,
                                 0x1.9c49182a3f09p-1,
                                 0x1.8ace5422aa0dbp-1,
                                 0x1.7a11473eb0187p-1,
                                 0x1.6a09e667f3bcdp-1,
                                 0x1.5ab07dd485429p-1,
                                 0x1.4bfdad5362a27p-1,
                                 0x1.3dea64c123422p-1,
                                 0x1.306fe0a31b715p-1,
                                 0x1.2387a6e756238p-1,
                                 0x1.172b83c7d517bp-1,
                                 0x1.0b5586cf9890fp-1};
static const T FALLING_LOW[] = {0,
                                -0x1.e9c23179c2893p-55,
                                0x1.2ed02d75b3707p-56,
                                0x1.11065895048ddp-56,
                                0x1.7a1cd345dcc81p-55,
                                0x1.c7c46b071f2bep-57,
                                0x1.6e9f156864b27p-55,
                                -0x1.41577ee04992fp-56,
                                -0x1.bdd3413b26456p-55,
                                0x1.6324c054647adp-55,
                                0x1.d4397afec42e2p-57,
                                0x1.ada0911f09ebcp-56,
                                0x1.6f46ad23182e4p-56,
                                0x1.9b07eb6c70573p-55,
                                -0x1.19041b9d78a76p-56,
                                0x1.8a62e4adc610bp-55};
#endif

/* 2^(j / 16) = ROOT_HIGH[j] (1 + ROOT_MISSED[j]). */
#if defined(FZ_T_float32)
static const T ROOT_MISSED[] = {0,
                                0x1.8d96d4p-25f,
                                -0x1.9c0c22p-27f,
                                0x1.964904p-25f,
                                0x1.125002p-25f,
                                0x1.370be4p-25f,
                                -0x1.0a355p-25f,
                                -0x1.00d8acp-27f,
                                0x1.26055cp-26f,
                                -0x1.05cb44p-25f,
                                0x1.67a1cap-28f,
                                0x1.a3b5e4p-28f,
                                -0x1.f9c304p-27f,
                                -0x1.6961b4p-28f,
                                -0x1.a5217cp-28f,
                                0x1.61428ep-28f};
#else
static const T ROOT_MISSED[] = {0,
                                0x1.79aa65d837b6dp-54,
                                -0x1.01b15eaa59348p-55,
                                0x1.68efde3a8a894p-54,
                                0x1.34d754db0abb6p-55,
                                0x1.59f48a72a4c6dp-55,
                                0x1.690cebb7aafbp-56,
                                0x1.063e1e21c5409p-54,
                                -0x1.3b3efbf5e2228p-54,
                                -0x1.b32dcb94da51dp-56,
                                0x1.db72fc1f0eab4p-55,
                                0x1.1affc2b91ce27p-56,
                                0x1.c1a7792cb3387p-55,
                                0x1.36eae30af0cb3p-56,
                                0x1.4a385a63d07a7p-56,
                                -0x1.ff7128fd391fp-55};
#endif

/* The steps into which a power of two is divided: as many as these tables have where one instruction looks up. */
#if defined(FZ_SIMD_avx512)
#define EXP_STEPS 16
#else
#define EXP_STEPS 1
#endif

FZ_INLINE vec vlookup_step(const T table[], mask step) {
    return EXP_STEPS == 1 ? vsplat(table[0]) : vlookup(table, step);
}

/* (sinh r - r) / r^3 and (cosh r - 1 - z / 2) / z^2 by z = r^2, for |r| <= ln(2) / 2 / EXP_STEPS: interpolated at
   Chebyshev's points, within 2^-29.9 (float64: 2^-59.6) of sinh r and of cosh r. */
FZ_INLINE vec sinh_tail(vec z) {
#if EXP_STEPS == 16 && defined(FZ_T_float32)
    static const T c[] = {0x1.55565ep-3f};
#elif EXP_STEPS == 16
    static const T c[] = {0x1.5555555555556p-3, 0x1.11111110e012cp-7, 0x1.a01b0edaf3807p-13};
#elif defined(FZ_T_float32)
    static const T c[] = {0x1.555556p-3f, 0x1.1110e0p-7f, 0x1.a1256cp-13f};
#else
    static const T c[] = {0x1.5555555555555p-3,  0x1.1111111111111p-7,  0x1.a01a01a01969bp-13,
                          0x1.71de3a5aaefb9p-19, 0x1.ae642c5c1fa33p-26, 0x1.61bff1c64f494p-33};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

FZ_INLINE vec cosh_tail(vec z) {
#if EXP_STEPS == 16 && defined(FZ_T_float32)
    static const T c[] = {0x1.555606p-5f};
#elif EXP_STEPS == 16
    static const T c[] = {0x1.5555555555555p-5, 0x1.6c16c16bef8f9p-10, 0x1.a01ad90256335p-16};
#elif defined(FZ_T_float32)
    static const T c[] = {0x1.555556p-5f, 0x1.6c169ap-10f, 0x1.a0efe6p-16f};
#else
    static const T c[] = {0x1.5555555555555p-5, 0x1.6c16c16c167dap-10, 0x1.a01a01a48116fp-16,
                          0x1.27e4e1dcf773bp-22, 0x1.1f6717774d5e0p-29};
#endif
    return vpolynomial(z, sizeof c / sizeof *c, c);
}

/* e^a is (high + low) / unit, unit = 2^floor(k), which is what vscale makes of k where there are steps; sinh r is r + odd, cosh r is 1 + even. */
typedef struct growth {
    vec k, unit, high, low, r, odd, even;
    mask step;
} growth;

/* Of a + low for |a| <= 760 (float32: 110), |low| <= ulp(a); below 0 unit may overflow. */
FZ_INLINE growth grow(vec a, vec low) {
    const T whole = FZ_WHOLE / EXP_STEPS;
    const vec shifted = vfma(a, vsplat(-FZ_LOG2_E), vsplat(whole)), k = shifted - whole;
    const vec first = vfma(k, vsplat(FZ_LN2_HIGH), a), rest = vfma(k, vsplat(FZ_LN2_LOW), low);
    const vec r = first + rest, z = r * r;
    growth g = {.k = k, .unit = vscale(vsplat(1), k), .step = (mask)shifted, .r = r};
    g.odd = vfma(r * z, sinh_tail(z), (first - r) + rest);
    g.even = z * vfma(z, cosh_tail(z), vsplat((T)0.5));
    const vec root = vlookup_step(FALLING_HIGH, g.step), root_low = vlookup_step(FALLING_LOW, g.step);
    g.high = vfma(root, r, root);
    g.low = vfma(root, g.odd + g.even, vfma(root_low, r, root_low)) + vfma(root, r, root - g.high);
    return g;
}

#if EXP_STEPS > 1
/* e^r - 1 for |r| <= ln(2) / 2 / EXP_STEPS, r as exactly as `linear` has it: minimax, within 2^-29.2 (float64: 2^-66.2)
   of e^r. */
FZ_INLINE vec exp_less_1_by_step(vec r, vec linear) {
    const vec z = r * r;
#if defined(FZ_T_float32)
    const vec tail = vfma(r, vsplat(0x1.55559ap-3f), vsplat(0x1.00021ep-1f));
#else
    const vec first = vfma(r, vsplat(0x1.5555555555545p-3), vsplat(0x1.0000000000004p-1));
    const vec second = vfma(r, vsplat(0x1.111111125caabp-7), vsplat(0x1.555555547fc96p-5));
    const vec third = vfma(r, vsplat(0x1.a01911b3247ecp-13), vsplat(0x1.6c184149e4533p-10));
    const vec tail = vfma(z, vfma(z, third, second), first);
#endif
    return vfma(z, tail, linear);
}

/* As grow where nothing cancels high later, so that the shortest way will do: high is the table's number. */
FZ_INLINE growth grow_roughly(vec a, vec low) {
    const T whole = FZ_WHOLE / EXP_STEPS;
    const vec shifted = vfma(a, vsplat(-FZ_LOG2_E), vsplat(whole)), k = shifted - whole;
    const vec r = vfma(k, vsplat(FZ_LN2_LOW), vfma(k, vsplat(FZ_LN2_HIGH), a) + low);
    growth g = {.k = k, .unit = vscale(vsplat(1), k), .high = vlookup(FALLING_HIGH, (mask)shifted)};
    g.low = vfma(g.high, exp_less_1_by_step(r, r), vlookup(FALLING_LOW, (mask)shifted));
    return g;
}
#else
FZ_INLINE growth grow_roughly(vec a, vec low) { return grow(a, low); }
#endif

#endif
