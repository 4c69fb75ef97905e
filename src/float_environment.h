/* The thread's floating-point environment: rounding, flush-to-zero, exception masks and flags.

   A task computes under its caller's modes whichever thread runs it, and no call leaves a trace in the
   caller's flags. Reading and writing the register costs a few nanoseconds.

   Arithmetic rounds as the caller says. Functions round to nearest whatever the caller says: their tables are
   entered, and their small terms kept, by sums whose rounding must be known. What is made once for all callers, as
   an expression's constants are, is made in the default modes. */
#ifndef FZ_FLOAT_ENVIRONMENT_H
#define FZ_FLOAT_ENVIRONMENT_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)

/* Element-wise, reduction and matrix code all use SSE or AVX, whose one register is MXCSR. */
typedef uint32_t fz__float_environment;

static inline fz__float_environment fz__save_float_environment(void) { return __builtin_ia32_stmxcsr(); }
static inline void fz__restore_float_environment(fz__float_environment saved) {
    __builtin_ia32_ldmxcsr(saved);
}

enum { FZ__ROUNDING = 0x6000 }; /* bits that are 0 for: to nearest */
static inline bool fz__rounds_to_nearest(void) { return !(__builtin_ia32_stmxcsr() & FZ__ROUNDING); }
static inline void fz__round_to_nearest(void) {
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() & ~(uint32_t)FZ__ROUNDING);
}

/* As a process begins: to nearest, subnormals kept, no traps. */
static inline void fz__use_default_float_modes(void) { __builtin_ia32_ldmxcsr(0x1f80); }

#elif defined(__aarch64__)

typedef struct fz__float_environment {
    uint64_t control, status;
} fz__float_environment;

static inline fz__float_environment fz__save_float_environment(void) {
    fz__float_environment now;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(now.control), "=r"(now.status));
    return now;
}

static inline void fz__restore_float_environment(fz__float_environment saved) {
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(saved.control), "r"(saved.status));
}

enum { FZ__ROUNDING = 3 << 22 }; /* bits that are 0 for: to nearest */
static inline bool fz__rounds_to_nearest(void) {
    return !(fz__save_float_environment().control & FZ__ROUNDING);
}
static inline void fz__round_to_nearest(void) {
    fz__float_environment now = fz__save_float_environment();
    now.control &= ~(uint64_t)FZ__ROUNDING;
    fz__restore_float_environment(now);
}

static inline void fz__use_default_float_modes(void) {
    fz__restore_float_environment((fz__float_environment){0, 0});
}

#else

#include <fenv.h>

typedef fenv_t fz__float_environment;

static inline fz__float_environment fz__save_float_environment(void) {
    fenv_t now;
    fegetenv(&now);
    return now;
}

static inline void fz__restore_float_environment(fz__float_environment saved) { fesetenv(&saved); }

static inline bool fz__rounds_to_nearest(void) { return fegetround() == FE_TONEAREST; }
static inline void fz__round_to_nearest(void) { fesetround(FE_TONEAREST); }

static inline void fz__use_default_float_modes(void) { fesetenv(FE_DFL_ENV); }

#endif
#endif
