/* What this CPU has; choosing the kernel table and publishing it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* Every instruction set of this build, lowest first. */
#if defined(__x86_64__)
#define FOR_EACH_SIMD(X) X(sse2) X(avx2) X(avx512)
#elif defined(__aarch64__)
#define FOR_EACH_SIMD(X) X(neon)
#else
#define FOR_EACH_SIMD(X) X(generic)
#endif

#if defined(__x86_64__)
/* GCC's and Clang's checks cover XGETBV: that the system saves these registers too. */
static bool has_sse2(void) { return true; }
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}
static bool has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#elif defined(__aarch64__)
static bool has_neon(void) { return true; }
#else
static bool has_generic(void) { return true; }
#endif

#define DECLARE(simd) extern const fz_kernels fz__kernels_##simd##_float32, fz__kernels_##simd##_float64;
FOR_EACH_SIMD(DECLARE)

typedef struct instruction_set {
    const char *name;
    bool (*has)(void);
    const fz_kernels *kernels[FZ_DTYPE_COUNT];
} instruction_set;

#define ROW(simd)                                                                                                  \
    {#simd,                                                                                                        \
     has_##simd,                                                                                                   \
     {[FZ_FLOAT32] = &fz__kernels_##simd##_float32, [FZ_FLOAT64] = &fz__kernels_##simd##_float64}},
static const instruction_set sets[] = {FOR_EACH_SIMD(ROW)};
enum { SETS = sizeof sets / sizeof sets[0] };

static _Atomic(const instruction_set *) chosen;
static fz_status init_status;
static char init_message[256];
static fz__caches caches;

/* ---- choosing ------------------------------------------------------------------------------------------- */

static const instruction_set *highest(void) {
    const instruction_set *best = &sets[0];
    for (int i = 0; i < SETS; i++) {
        if (sets[i].has()) best = &sets[i];
    }
    return best;
}

static fz_status fail_simd(const char *text) {
    char names[64] = "";
    for (int i = 0; i < SETS; i++) {
        if (!sets[i].has()) continue;
        if (*names) strcat(names, ", ");
        strcat(names, sets[i].name);
    }
    return fz__fail(FZ_ERROR_VALUE, "FORZIUM_SIMD is \"%.40s\"; this CPU and this build have %s", text, names);
}

static fz_status choose_simd(const instruction_set **set) {
    const char *text = getenv("FORZIUM_SIMD");
    *set = highest();
    if (!text || !*text) return FZ_OK;
    for (int i = 0; i < SETS; i++) {
        if (strcmp(text, sets[i].name) == 0 && sets[i].has()) {
            *set = &sets[i];
            return FZ_OK;
        }
    }
    return fail_simd(text);
}

static size_t cache_size(int name, size_t usual) {
    const long size = name < 0 ? 0 : sysconf(name);
    return size > 0 ? (size_t)size : usual;
}

static void read_caches(void) {
#ifdef _SC_LEVEL1_DCACHE_SIZE
    const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
#else
    const int names[] = {-1, -1, -1};
#endif
    caches.l1 = cache_size(names[0], 32 << 10);
    caches.l2 = cache_size(names[1], 512 << 10);
    caches.l3 = cache_size(names[2], 4 << 20);
}

static void init_once(void) {
    const instruction_set *set;
    read_caches();
    init_status = choose_simd(&set);
    if (!init_status) init_status = fz__scheduler_init();
    if (init_status)
        snprintf(init_message, sizeof init_message, "%s", fz_error_message());
    else
        atomic_store_explicit(&chosen, set, memory_order_release);
}

fz_status fz_init(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (atomic_load_explicit(&chosen, memory_order_acquire)) return FZ_OK;
    pthread_once(&once, init_once);
    return init_status ? fz__fail(init_status, "%s", init_message) : FZ_OK;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

const fz_kernels *fz__kernels(fz_dtype dtype) {
    return atomic_load_explicit(&chosen, memory_order_acquire)->kernels[dtype];
}

const fz__caches *fz__cpu_caches(void) { return &caches; }

const char *fz_simd_name(void) {
    const instruction_set *set = fz_init() ? NULL : chosen;
    return set ? set->name : "";
}

const char *fz_simd_detected(void) { return highest()->name; }

fz_status fz_get_cpu_info(fz_cpu_info *info) {
    const fz_status status = fz_init();
    if (status) return status;
    *info = (fz_cpu_info){.simd = fz_simd_name(), .l1 = caches.l1, .l2 = caches.l2, .l3 = caches.l3};
    for (int dtype = 0; dtype < FZ_DTYPE_COUNT; dtype++) {
        const fz_kernels *kernels = fz__kernels((fz_dtype)dtype);
        info->vector_bytes = kernels->vector_bytes;
        info->matmul_tile[dtype][0] = kernels->matmul->mr;
        info->matmul_tile[dtype][1] = kernels->matmul->nr;
    }
    return FZ_OK;
}
