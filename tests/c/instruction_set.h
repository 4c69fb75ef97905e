/* Kernel tests run once per instruction set of the build, forced by FORZIUM_SIMD. What this CPU has is
   asked of the compiler's run-time, not of the library under test. */
#ifndef INSTRUCTION_SET_H
#define INSTRUCTION_SET_H

#include "check.h"
#include "forzium.h"

static inline bool cpu_has(const char *instruction_set) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (strcmp(instruction_set, "sse2") == 0) return true;
    bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (strcmp(instruction_set, "avx2") == 0) return avx2;
    if (strcmp(instruction_set, "avx512") == 0)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return false;
#elif defined(__aarch64__)
    return strcmp(instruction_set, "neon") == 0;
#else
    return strcmp(instruction_set, "generic") == 0;
#endif
}

/* First line of a kernel test's main: the instruction set that FORZIUM_SIMD asks for is in use, or the
   test is skipped because the CPU lacks it, or it has failed. */
static inline void check_begin_kernels(void) {
    check_begin();
    const char *wanted = getenv("FORZIUM_SIMD");
    if (wanted && !cpu_has(wanted)) {
        printf("skipped: this CPU has no %s\n", wanted);
        exit(CHECK_SKIPPED);
    }
    if (fz_init() != FZ_OK) {
        fprintf(stderr, "fz_init: %s\n", fz_error_message());
        exit(1);
    }
    if (wanted && strcmp(fz_simd_name(), wanted) != 0) {
        fprintf(stderr, "FORZIUM_SIMD=%s, but %s is in use\n", wanted, fz_simd_name());
        exit(1);
    }
}

#endif
