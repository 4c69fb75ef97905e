/* The harness of the C tests: checks that count, cases that are named when something goes wrong,
   buffers between unmapped pages, repeatable random numbers, comparison of bits. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- checks ---------------------------------------------------------------------------------- */

#define CHECK_SKIPPED 77 /* Meson's exit code of a skipped test */
#define CHECK_MOST_PRINTED 40

static atomic_long check__passed, check__failed;
static char check__case[256];

/* CHECK(condition) or CHECK(condition, format, ...): counts, prints what failed, and is the condition.
   Any thread may check. */
#define CHECK(condition, ...) check__that((condition), __FILE__, __LINE__, #condition, " " __VA_ARGS__)

__attribute__((format(printf, 5, 6))) static inline bool check__that(bool holds, const char *file, int line,
                                                                     const char *condition,
                                                                     const char *format, ...) {
    if (holds) {
        atomic_fetch_add_explicit(&check__passed, 1, memory_order_relaxed);
        return true;
    }
    if (atomic_fetch_add(&check__failed, 1) >= CHECK_MOST_PRINTED) return false;
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%d: [%s] %s:%s\n", file, line, check__case, condition, text);
    return false;
}

/* Names the case that the next checks belong to; printed when one fails or the process crashes.
   For the main thread. */
__attribute__((format(printf, 1, 2))) static inline void check_case(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check__case, sizeof check__case, format, arguments);
    va_end(arguments);
}

static inline void check__crash(int number) {
    const char *what = number == SIGSEGV ? ": segmentation fault in case: " : ": crash in case: ";
    ssize_t ignored = write(2, what, strlen(what));
    ignored += write(2, check__case, strlen(check__case));
    ignored += write(2, "\n", 1);
    (void)ignored;
    _exit(1);
}

/* The sanitizers' own reports of a crash say more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECK_SANITIZED 1
#endif
#endif
#ifndef CHECK_SANITIZED
#define CHECK_SANITIZED 0
#endif

/* First line of main. */
static inline void check_begin(void) {
    if (CHECK_SANITIZED) return;
    signal(SIGSEGV, check__crash);
    signal(SIGBUS, check__crash);
    signal(SIGFPE, check__crash);
    signal(SIGILL, check__crash);
}

/* Last line of main: return check_end(); */
static inline int check_end(void) {
    long passed = atomic_load(&check__passed), failed = atomic_load(&check__failed);
    printf("%ld passed, %ld failed\n", passed, failed);
    return failed != 0 || passed == 0;
}

/* ---- buffers between unmapped pages ---------------------------------------------------------- */

/* Bytes [begin, end): begin[-1] and *end are unmapped, so that a buffer placed at either end catches
   every access beyond it, reads included. */
typedef struct guarded {
    char *begin, *end;
} guarded;

static inline guarded guarded_map(size_t least) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (least + page - 1) / page * page;
    if (body == 0) body = page;
    char *base = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + page, body, PROT_READ | PROT_WRITE) != 0) {
        perror("guarded_map");
        exit(2);
    }
    return (guarded){base + page, base + page + body};
}

static inline void guarded_unmap(guarded g) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(g.begin - page, (size_t)(g.end - g.begin) + 2 * page);
}

/* ---- repeatable random numbers --------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea, Flood 2014). The state is the caller's: one per thread. */
static inline uint64_t random_bits(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* In [-1, 1), with 24 random bits: exact in float too. */
static inline double random_unit(uint64_t *state) {
    return (double)(random_bits(state) >> 40) * 0x1p-23 - 1.0;
}

/* In [0, n). */
static inline size_t random_below(uint64_t *state, size_t n) { return (size_t)(random_bits(state) % n); }

/* Mostly ordinary numbers; one in four is a NaN, an infinity, a zero, a subnormal or an extreme. */
static inline double random_double(uint64_t *state) {
    static const double special[] = {NAN,
                                     -NAN,
                                     INFINITY,
                                     -INFINITY,
                                     0.0,
                                     -0.0,
                                     0x1p-1074,
                                     -0x1p-1030,
                                     0x1p-1022,
                                     0x1.fffffffffffffp1023,
                                     -0x1.fffffffffffffp1023,
                                     1.0,
                                     -1.0};
    if (random_bits(state) % 4 == 0) return special[random_below(state, sizeof special / sizeof *special)];
    return ldexp(random_unit(state), (int)random_below(state, 40) - 20);
}

static inline float random_float(uint64_t *state) {
    static const float special[] = {
        NAN,        -NAN,      INFINITY,        -INFINITY,        0.0f, -0.0f, 0x1p-149f,
        -0x1p-130f, 0x1p-126f, 0x1.fffffep127f, -0x1.fffffep127f, 1.0f, -1.0f};
    if (random_bits(state) % 4 == 0) return special[random_below(state, sizeof special / sizeof *special)];
    return (float)ldexp(random_unit(state), (int)random_below(state, 40) - 20);
}

/* ---- comparison of bits ---------------------------------------------------------------------- */

/* Every NaN equals every NaN; -0 differs from +0. */
static inline bool same_double(double a, double b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static inline bool same_float(float a, float b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

#endif
