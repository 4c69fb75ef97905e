/* Numbers as unevaluated sums of two, of twice the precision of T: the rounding errors of sums and products are
   numbers themselves (Dekker, "A floating-point technique for extending the available precision", 1971). */
#ifndef FZ_MATH_WORDS_H
#define FZ_MATH_WORDS_H

#include "vec.h"

/* A constant per dtype. */
#ifndef FZ_PER_T
#if defined(FZ_T_float32)
#define FZ_PER_T(float32, float64) ((T)(float32))
#else
#define FZ_PER_T(float32, float64) ((T)(float64))
#endif
#endif

/* hi + lo, where lo is of the size of hi's rounding error. */
typedef struct words {
    vec hi, lo;
} words;

/* a + b exactly. */
FZ_INLINE words two_sum(vec a, vec b) {
    const vec sum = a + b, of_b = sum - a;
    return (words){sum, (a - (sum - of_b)) + (b - of_b)};
}

/* a + b exactly, for |a| >= |b| or a = 0. */
FZ_INLINE words two_sum_ordered(vec a, vec b) {
    const vec sum = a + b;
    return (words){sum, b - (sum - a)};
}

/* a * b exactly, where neither it nor its error leaves the normal numbers; without FMA nor may a or b times 2^13
   (float64: 2^28) overflow. */
FZ_INLINE words two_product(vec a, vec b) {
    const vec product = a * b;
    if (FZ_HAS_FMA) return (words){product, vfma(a, b, -product)};
    const T split = FZ_PER_T(0x1p12 + 1, 0x1p27 + 1);
    const vec a_high = a * split - (a * split - a), a_low = a - a_high;
    const vec b_high = b * split - (b * split - b), b_low = b - b_high;
    return (words){product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

/* a * b + c within an error of T's epsilon squared times a * b, rounded once more: as good as FMA where c all but
   cancels a * b. two_product's conditions. */
FZ_INLINE vec vresidual(vec a, vec b, vec c) {
    if (FZ_HAS_FMA) return vfma(a, b, c);
    const words product = two_product(a, b);
    return (product.hi + c) + product.lo;
}

#endif
