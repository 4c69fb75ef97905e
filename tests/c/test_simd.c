/* What the environment may choose: FORZIUM_SIMD and FORZIUM_NUM_THREADS, each value in a process of its own.
   Called with "report", this program is that process: it says what came of the environment. And what is believed of the
   caches that a system tells. */
#include "check.h"
#include "instruction_set.h"
#include "internal.h"

/* The build's instruction sets, lowest first. */
static const char *const built[] = {INSTRUCTION_SETS};
enum { BUILT = sizeof built / sizeof *built };

static const char *program;

typedef struct report {
    int status, threads;
    char simd[32], detected[32], message[512];
} report;

static int print_report(void) {
    int status = fz_init();
    const char *message = status == FZ_OK ? "" : fz_error_message();
    printf("%d\n%d\n%s\n%s\n%s\n", status, status == FZ_OK ? fz_get_num_threads() : 0, fz_simd_name(),
           fz_simd_detected(), message);
    return 0;
}

/* Asked first of all, without fz_init(). */
static int print_threads(void) { return printf("%d\n", fz_get_num_threads()) < 0; }

static void read_line(FILE *from, char *line, int room) {
    if (!fgets(line, room, from)) line[0] = 0;
    line[strcspn(line, "\n")] = 0;
}

/* What a fresh process says; a NULL variable is not set. */
static report report_under(const char *simd, const char *threads) {
    check_case("FORZIUM_SIMD=%s FORZIUM_NUM_THREADS=%s", simd ? simd : "(not set)",
               threads ? threads : "(not set)");
    simd ? setenv("FORZIUM_SIMD", simd, 1) : unsetenv("FORZIUM_SIMD");
    threads ? setenv("FORZIUM_NUM_THREADS", threads, 1) : unsetenv("FORZIUM_NUM_THREADS");
    char command[4096], number[32];
    snprintf(command, sizeof command, "'%s' report", program);
    report r = {.status = -1};
    FILE *child = popen(command, "r");
    if (!CHECK(child != NULL)) return r;
    read_line(child, number, sizeof number), r.status = atoi(number);
    read_line(child, number, sizeof number), r.threads = atoi(number);
    read_line(child, r.simd, sizeof r.simd);
    read_line(child, r.detected, sizeof r.detected);
    read_line(child, r.message, sizeof r.message);
    CHECK(pclose(child) == 0, "the process failed");
    return r;
}

static const char *highest(void) {
    const char *best = "";
    for (int i = 0; i < BUILT; i++)
        if (cpu_has(built[i])) best = built[i];
    return best;
}

static void test_the_best_is_the_default(void) {
    report r = report_under(NULL, NULL);
    CHECK(r.status == FZ_OK && strcmp(r.simd, highest()) == 0, "'%s', not '%s'", r.simd, highest());
    CHECK(strcmp(r.detected, highest()) == 0, "'%s', not '%s'", r.detected, highest());
}

/* The CPU's own are honoured; the others are refused. */
static void test_every_instruction_set(void) {
    for (int i = 0; i < BUILT; i++) {
        report r = report_under(built[i], NULL);
        CHECK(strcmp(r.detected, highest()) == 0, "detected '%s'", r.detected);
        if (cpu_has(built[i]))
            CHECK(r.status == FZ_OK && strcmp(r.simd, built[i]) == 0, "'%s'", r.message);
        else
            CHECK(r.status == FZ_ERROR_VALUE && r.simd[0] == 0, "status %d, '%s'", r.status, r.simd);
    }
}

static void test_unknown_instruction_sets(void) {
    static const char *const names[] = {"nonsense", "AVX2", "avx", "avx2 ", "avx5120", "sse2,avx2", "%s%n"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        report r = report_under(names[n], NULL);
        CHECK(r.status == FZ_ERROR_VALUE && r.simd[0] == 0, "status %d, '%s'", r.status, r.simd);
        CHECK(strstr(r.message, "FORZIUM_SIMD") && strstr(r.message, names[n]), "'%s'", r.message);
        for (int i = 0; i < BUILT; i++)
            if (cpu_has(built[i]))
                CHECK(strstr(r.message, built[i]), "%s is not offered: '%s'", built[i], r.message);
    }
}

static void test_numbers_of_threads(void) {
    report r = report_under(NULL, "3");
    CHECK(r.status == FZ_OK && r.threads == 3, "%d threads, '%s'", r.threads, r.message);
    r = report_under(NULL, "1");
    CHECK(r.status == FZ_OK && r.threads == 1, "%d threads, '%s'", r.threads, r.message);
    r = report_under(NULL, NULL);
    CHECK(r.status == FZ_OK && r.threads == fz_usable_cpus(), "%d threads", r.threads);
    static const char *const bad[] = {"0", "-1", "abc", "3x", "2.5", "1000000", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r = report_under(NULL, bad[i]);
        CHECK(r.status == FZ_ERROR_VALUE, "status %d, %d threads", r.status, r.threads);
        CHECK(strstr(r.message, "FORZIUM_NUM_THREADS") && strstr(r.message, bad[i]), "'%s'", r.message);
    }
}

static void test_number_of_threads_before_fz_init(void) {
    static const char *const numbers[] = {"1", "7", "256"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        check_case("fz_get_num_threads() first, FORZIUM_NUM_THREADS=%s", numbers[i]);
        unsetenv("FORZIUM_SIMD");
        setenv("FORZIUM_NUM_THREADS", numbers[i], 1);
        char command[4096], line[32];
        snprintf(command, sizeof command, "'%s' threads", program);
        FILE *child = popen(command, "r");
        if (!CHECK(child != NULL)) continue;
        read_line(child, line, sizeof line);
        CHECK(pclose(child) == 0 && strcmp(line, numbers[i]) == 0, "%s threads", line);
    }
    unsetenv("FORZIUM_NUM_THREADS");
}

/* A bad variable is an error of every call, not only of the first, and nothing is written. */
static void test_calls_fail_under_a_bad_environment(void) {
    check_case("calls under FORZIUM_SIMD=nonsense");
    setenv("FORZIUM_SIMD", "nonsense", 1);
    double x = 2, out = 7;
    fz_array in = {&x, FZ_FLOAT64, 0, NULL, NULL}, to = {&out, FZ_FLOAT64, 0, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        CHECK(fz_add(&in, &in, &to) == FZ_ERROR_VALUE && out == 7);
        CHECK(fz_sum(&in, 0, NULL, &to) == FZ_ERROR_VALUE && out == 7);
        CHECK(strstr(fz_error_message(), "FORZIUM_SIMD"), "'%s'", fz_error_message());
        CHECK(fz_init() == FZ_ERROR_VALUE && fz_simd_name()[0] == 0);
    }
}

/* ---- caches --------------------------------------------------------------------------------------------- */

enum { KB = 1 << 10, MB = 1 << 20 };

static void check_believed(fz__caches told, int cpus, fz__caches wanted) {
    check_case("caches of %zu, %zu and %zu bytes for %d CPUs", told.l1, told.l2, told.l3, cpus);
    const fz__caches got = fz__believable_caches(told, cpus);
    CHECK(got.l1 == wanted.l1 && got.l2 == wanted.l2 && got.l3 == wanted.l3, "%zu, %zu and %zu", got.l1,
          got.l2, got.l3);
}

/* What CPUs have is taken as it is, but for an L3 that others share. */
static void test_caches_of_cpus_are_believed(void) {
    check_believed((fz__caches){32 * KB, 256 * KB, 3 * MB}, 2, (fz__caches){32 * KB, 256 * KB, 3 * MB});
    check_believed((fz__caches){48 * KB, 2 * MB, 32 * MB}, 2, (fz__caches){48 * KB, 2 * MB, 32 * MB});
    check_believed((fz__caches){48 * KB, 2 * MB, 300 * MB}, 2, (fz__caches){48 * KB, 2 * MB, 32 * MB});
    check_believed((fz__caches){128 * KB, 4 * MB, 8 * MB}, 1, (fz__caches){128 * KB, 4 * MB, 8 * MB});
}

static void test_caches_of_nobody_are_not(void) {
    const size_t most = SIZE_MAX >> 10 << 10;
    check_believed((fz__caches){0, 0, 0}, 4, (fz__caches){8 * KB, 128 * KB, 128 * KB});
    check_believed((fz__caches){1 * KB, 4 * KB, 4 * MB}, 4, (fz__caches){8 * KB, 128 * KB, 4 * MB});
    check_believed((fz__caches){most, most, most}, 4, (fz__caches){256 * KB, 8 * MB, 64 * MB});
    check_believed((fz__caches){32 * KB, 300 * MB, 4 * MB}, 4, (fz__caches){32 * KB, 4 * MB, 4 * MB});
    check_believed((fz__caches){32 * MB, 300 * MB, 300 * MB}, 1, (fz__caches){256 * KB, 8 * MB, 16 * MB});
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "report") == 0) return print_report();
    if (count == 2 && strcmp(arguments[1], "threads") == 0) return print_threads();
    check_begin();
    program = arguments[0];
    test_the_best_is_the_default();
    test_every_instruction_set();
    test_unknown_instruction_sets();
    test_numbers_of_threads();
    test_number_of_threads_before_fz_init();
    test_calls_fail_under_a_bad_environment();
    test_caches_of_cpus_are_believed();
    test_caches_of_nobody_are_not();
    return check_end();
}
