/* Every other element of 64 bits, for cast.c, which is compiled for all dtypes at once and has no vec. */
#ifndef FZ_VEC_EVENS_H
#define FZ_VEC_EVENS_H

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define FZ_EVENS 8
#define FZ_EVENS_OF(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#elif defined(__AVX2__)
#define FZ_EVENS 4
#define FZ_EVENS_OF(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#else
#define FZ_EVENS 2
#define FZ_EVENS_OF(a, b) __builtin_shufflevector(a, b, 0, 2)
#endif

/* dst[i] = src[2 * i] for i < FZ_EVENS; reads one element past the last of them. */
static inline void fz__store_evens(const char *src, char *dst) {
    typedef uint64_t elements __attribute__((vector_size(8 * FZ_EVENS)));
    elements a, b;
    memcpy(&a, src, sizeof a);
    memcpy(&b, src + sizeof a, sizeof b);
    a = FZ_EVENS_OF(a, b);
    memcpy(dst, &a, sizeof a);
}

#endif
