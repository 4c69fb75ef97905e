/* Products of groups of narrow numbers, which instructions beyond AVX-512's first multiply and add up at once: a lane of
   32 bits holds 4 of 8 bits or 2 of 16. */
#ifndef FZ_VEC_GROUPS_H
#define FZ_VEC_GROUPS_H

#include "vec.h"

#if defined(FZ_GROUPED_bfloat16)
typedef uint16_t narrow;
/* Rounds to nearest and takes subnormals for zeros, whatever the caller's modes are. */
FZ_INLINE vec vdot(vec sum, vec x, vec y) {
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
}
#elif defined(FZ_GROUPED_int16)
typedef uint16_t narrow;
FZ_INLINE vec vdot(vec sum, vec x, vec y) {
    return (vec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)y);
}
#else
typedef uint8_t narrow;
/* Takes x's for unsigned, which does not change the lowest 8 bits of a sum: a result is of 8 bits, and nothing is done to
   sums before. */
FZ_INLINE vec vdot(vec sum, vec x, vec y) {
    return (vec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)y);
}
#endif

enum { GROUP = sizeof(T) / sizeof(narrow) };

/* One group in each lane. */
FZ_INLINE vec vsplat_group(const void *p) {
    int32_t group;
    memcpy(&group, p, sizeof group);
    return (vec)_mm512_set1_epi32(group);
}

#endif
