/* What this CPU has; choosing the kernel table and publishing it. */
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "matmul.h"

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
static bool has_f16c(void) { /* by a name that Clang 14 does not know yet */
    unsigned eax, ebx, ecx = 0, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & bit_F16C;
}
static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2") && has_f16c();
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

#if defined(__x86_64__)
/* On a Zen 5 the instruction took 0.8 of the steps' time for float32, 0.93 to 0.97 for float64; other AMD CPUs were not
   measured. */
static bool has_quick_roots(void) { return __builtin_cpu_is("amd"); }
static bool has_avx512bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
static bool has_avx512vnni(void) { return __builtin_cpu_supports("avx512vnni"); }
#endif

#define DECLARE_DTYPE(simd, CONSTANT, name, type) extern const fz_kernels fz__kernels_##simd##_##name;
#define DECLARE(simd) FZ_FOR_EACH_DTYPE(DECLARE_DTYPE, simd)
FOR_EACH_SIMD(DECLARE)

typedef struct instruction_set {
    const char *name;
    bool (*has)(void);
    const fz_kernels *kernels[FZ_DTYPE_COUNT];
} instruction_set;

#define ENTRY(simd, CONSTANT, name, type) [FZ_##CONSTANT] = &fz__kernels_##simd##_##name,
#define ROW(simd) {#simd, has_##simd, {FZ_FOR_EACH_DTYPE(ENTRY, simd)}},
static const instruction_set sets[] = {FOR_EACH_SIMD(ROW)};
enum { SETS = sizeof sets / sizeof sets[0] };

/* What some CPUs of an instruction set have beyond it. */
typedef struct extension {
    const char *simd;
    bool (*has)(void);
    const fz_matmul_kernels *kernels;
    fz_dtype dtypes[2];
} extension;

#if defined(__x86_64__)
extern const fz_matmul_kernels fz__matmul_groups_avx512_int8, fz__matmul_groups_avx512_int16,
    fz__matmul_groups_avx512_bfloat16;
static const extension extensions[] = {
    {"avx512", has_avx512vnni, &fz__matmul_groups_avx512_int8, {FZ_INT8, FZ_UINT8}},
    {"avx512", has_avx512vnni, &fz__matmul_groups_avx512_int16, {FZ_INT16, FZ_UINT16}},
    {"avx512", has_avx512bf16, &fz__matmul_groups_avx512_bfloat16, {FZ_BFLOAT16, FZ_BFLOAT16}},
};
enum { EXTENSIONS = sizeof extensions / sizeof extensions[0] };
#else
static const extension extensions[1];
enum { EXTENSIONS = 0 };
#endif

/* Bytes of caches that are believed. */
enum {
    LEAST_L1 = 8 << 10,
    MOST_L1 = 256 << 10,
    LEAST_L2 = 128 << 10,
    MOST_L2 = 8 << 20,
    MOST_L3_OF_A_CPU = 16 << 20,
};

static const fz_matmul_kernels *grouped[FZ_DTYPE_COUNT]; /* of the instruction set chosen */

static _Atomic(const instruction_set *) chosen;
static fz_status init_status;
static char init_message[256];
static fz__caches caches;
bool fz__roots_are_quick;

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
    return fz__fail(FZ_ERROR_VALUE, "FORZIUM_SIMD is \"%.40s\"; this CPU and this build have %s", text,
                    names);
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

/* Virtual machines pass the host's whole L3 on in CPUID, which sysconf reads; Linux knows better. */
static size_t cache_in_sysfs(int index, int *level) {
    char path[96], type[16] = "";
    size_t kilobytes = 0;
    const char *const names[] = {"type", "level", "size"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, names[i]);
        FILE *file = fopen(path, "re");
        if (!file) return 0;
        const bool found = i == 0   ? fscanf(file, "%15s", type) == 1
                           : i == 1 ? fscanf(file, "%d", level) == 1
                                    : fscanf(file, "%zuK", &kilobytes) == 1;
        fclose(file);
        if (!found || strcmp(type, "Instruction") == 0) return 0;
    }
    return kilobytes << 10;
}

static size_t within(size_t size, size_t least, size_t most) {
    return size < least ? least : size > most ? most : size;
}

/* A virtual machine of few CPUs may have a whole socket's L3, but shares it with others. L1 and L2 are a CPU's own, yet
   some tell a level as another, or make sizes up: blocks, whose sizes follow from these, must not grow with them. */
fz__caches fz__believable_caches(fz__caches told, int cpus) {
    const size_t l3 = within(told.l3, LEAST_L2, MOST_L3_OF_A_CPU * (size_t)cpus);
    const size_t most_l2 = l3 < MOST_L2 ? l3 : MOST_L2;
    return (fz__caches){within(told.l1, LEAST_L1, MOST_L1), within(told.l2, LEAST_L2, most_l2), l3};
}

static void read_caches(void) {
    fz__caches told = {32 << 10, 512 << 10, 4 << 20}; /* where nobody tells */
    size_t *const levels[] = {&told.l1, &told.l2, &told.l3};
    for (int index = 0; index < 4; index++) {
        int level = 0;
        const size_t size = cache_in_sysfs(index, &level);
        if (size && level >= 1 && level <= 3) *levels[level - 1] = size;
    }
    caches = fz__believable_caches(told, fz_usable_cpus());
}

static void find_extensions(const instruction_set *set) {
    for (int i = 0; i < EXTENSIONS; i++) {
        const extension *e = &extensions[i];
        if (strcmp(e->simd, set->name) == 0 && e->has())
            grouped[e->dtypes[0]] = grouped[e->dtypes[1]] = e->kernels;
    }
}

static void init_once(void) {
    const instruction_set *set;
    read_caches();
    init_status = choose_simd(&set);
    if (!init_status) find_extensions(set);
#if defined(__x86_64__)
    fz__roots_are_quick = has_quick_roots();
#endif
    if (!init_status) init_status = fz__scheduler_init();
    if (!init_status) fz__memory_init();
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

const fz_matmul_kernels *fz__grouped_matmul(fz_dtype dtype) { return grouped[dtype]; }

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
    for (int dtype = 0; dtype < FZ_FULL_DTYPES; dtype++) {
        const fz_kernels *kernels = fz__kernels((fz_dtype)dtype);
        info->vector_bytes = kernels->vector_bytes;
        info->matmul_tile[dtype][0] = kernels->matmul->mr;
        info->matmul_tile[dtype][1] = kernels->matmul->nr;
        fz__product_block((fz_dtype)dtype, info->matmul_block[dtype]);
    }
    for (int dtype = 0; dtype < FZ_DTYPE_COUNT; dtype++) info->matmul_narrow[dtype] = grouped[dtype] != NULL;
    return FZ_OK;
}
