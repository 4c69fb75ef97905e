/* The pool of threads: every item once, participants to themselves, any callers, nesting, changes of size,
   forks, metrics, and sleep when there is nothing to do. Whoever waits in vain is killed by Meson's timeout.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"
#include "internal.h"

/* ---- one job that watches itself ------------------------------------------------------------- */

enum { MOST_ITEMS = 3000, MOST_PARTICIPANTS = 64 };

typedef struct job {
    ptrdiff_t n, grain;
    int participants, owner; /* the calling thread's number, 0 for none */
    atomic_int visits[MOST_ITEMS];
    atomic_flag busy[MOST_PARTICIPANTS]; /* set while a task runs as this participant */
    atomic_int misuses;
} job;

/* Of a thread that calls, its number; 0 in workers. */
static _Thread_local int caller;

static void watch_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    job *j = context;
    bool whole =
        begin >= 0 && begin % j->grain == 0 && begin < j->n && end == fz__min(begin + j->grain, j->n);
    bool own = caller == 0 || caller == j->owner; /* a waiter runs only its own job's pieces */
    if (!whole || !own || participant < 0 || participant >= j->participants) {
        atomic_fetch_add(&j->misuses, 1);
        return;
    }
    if (atomic_flag_test_and_set(&j->busy[participant])) atomic_fetch_add(&j->misuses, 1);
    for (ptrdiff_t i = begin; i < end; i++) atomic_fetch_add(&j->visits[i], 1);
    if (begin % 8 == 0) sched_yield(); /* lets others come in between */
    atomic_flag_clear(&j->busy[participant]);
}

/* Runs j anew and tells whether all went as promised. */
static bool run_job_in(job *j, ptrdiff_t n, ptrdiff_t grain, int participants) {
    memset(j, 0, sizeof *j);
    j->n = n, j->grain = grain, j->participants = participants, j->owner = caller;
    fz__parallel_for(participants, n, grain, watch_task, j);
    bool good = atomic_load(&j->misuses) == 0;
    for (ptrdiff_t i = 0; i < MOST_ITEMS; i++) good &= atomic_load(&j->visits[i]) == (i < n);
    return good;
}

static bool run_job(ptrdiff_t n, ptrdiff_t grain, int participants) {
    job *j = malloc(sizeof *j);
    bool good = run_job_in(j, n, grain, participants);
    free(j);
    return good;
}

static void test_every_item_once(void) {
    static const ptrdiff_t sizes[] = {0, 1, 2, 3, 7, 8, 64, 1000, 2999},
                           grains[] = {1, 2, 3, 7, 100, 2998, 5000};
    static const int participants[] = {1, 2, 3, 7, 16, 64};
    for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
        CHECK(fz_set_num_threads(threads) == FZ_OK);
        for (size_t n = 0; n < 9; n++)
            for (size_t g = 0; g < 7; g++)
                for (size_t p = 0; p < 6; p++) {
                    check_case("%td items by %td, %d participants, %d threads", sizes[n], grains[g],
                               participants[p], threads);
                    CHECK(run_job(sizes[n], grains[g], participants[p]));
                }
    }
}

static void test_participants(void) {
    static const ptrdiff_t most = PTRDIFF_MAX / 4; /* more elements has no array */
    const ptrdiff_t sizes[] = {0, 1, 5, 100, 1000000, most}, grains[] = {1, 3, 1000, most};
    for (int threads = 1; threads <= 9; threads += 4) {
        CHECK(fz_set_num_threads(threads) == FZ_OK && fz_get_num_threads() == threads);
        for (size_t n = 0; n < 6; n++)
            for (size_t g = 0; g < 4; g++) {
                check_case("participants in %td items by %td, %d threads", sizes[n], grains[g], threads);
                int given = fz__participants(sizes[n], grains[g]);
                ptrdiff_t pieces = sizes[n] / grains[g] + (sizes[n] % grains[g] != 0);
                CHECK(given >= 1 && given <= threads && given <= fz__max(1, pieces), "%d", given);
            }
    }
}

static void test_sizes_of_the_pool(void) {
    check_case("fz_set_num_threads");
    CHECK(fz_set_num_threads(3) == FZ_OK && fz_get_num_threads() == 3);
    static const int bad[] = {0, -1, -1000000, 1000000};
    for (size_t i = 0; i < 4; i++) {
        CHECK(fz_set_num_threads(bad[i]) == FZ_ERROR_VALUE, "%d was taken", bad[i]);
        CHECK(fz_get_num_threads() == 3, "a refused size took effect");
        char given[16];
        snprintf(given, sizeof given, "%d", bad[i]);
        CHECK(strstr(fz_error_message(), given), "the message does not say %s: '%s'", given,
              fz_error_message());
    }
}

/* ---- several threads, really ----------------------------------------------------------------- */

/* Each of two tasks ends only when the other has begun. */
static void meet_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    atomic_int *arrived = context;
    (void)begin, (void)end, (void)participant;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 2) sched_yield();
}

static void test_tasks_run_at_one_time(void) {
    check_case("two tasks that wait for each other");
    CHECK(fz_set_num_threads(2) == FZ_OK);
    atomic_int arrived = 0;
    fz__parallel_for(2, 2, 1, meet_task, &arrived);
    CHECK(atomic_load(&arrived) == 2);
}

/* Threads beyond a pool's size may still look for work when it is announced, and will not help. */
static void test_smaller_pool_helps(void) {
    check_case("two tasks that wait for each other, in a pool that was larger");
    for (int i = 0; i < 300; i++) {
        CHECK(fz_set_num_threads(8) == FZ_OK);
        for (int k = 0; k < 3; k++) CHECK(run_job(64, 1, 8));
        CHECK(fz_set_num_threads(2) == FZ_OK);
        atomic_int arrived = 0;
        fz__parallel_for(2, 2, 1, meet_task, &arrived);
    }
}

static void note_thread(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)begin, (void)end;
    if (participant != 0 || !pthread_equal(pthread_self(), *(pthread_t *)context))
        CHECK(false, "not the caller");
}

static void test_one_participant_is_the_caller(void) {
    check_case("one participant");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    pthread_t self = pthread_self();
    for (int i = 0; i < 100; i++) fz__parallel_for(1, 50, 1, note_thread, &self);
}

/* ---- signals --------------------------------------------------------------------------------- */

typedef struct masks {
    atomic_int arrived;
    pthread_t caller;
    sigset_t blocked; /* in the worker */
} masks;

static void note_mask(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    masks *m = context;
    if (!pthread_equal(pthread_self(), m->caller)) pthread_sigmask(SIG_BLOCK, NULL, &m->blocked);
    meet_task(&m->arrived, begin, end, participant);
}

static void test_workers_take_the_signals_that_they_raise(void) {
    static const int raised[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP},
                     sent[] = {SIGALRM, SIGINT, SIGTERM, SIGUSR1};
    masks m = {.caller = pthread_self()};
    check_case("signals");
    CHECK(fz_set_num_threads(2) == FZ_OK);
    fz__parallel_for(2, 2, 1, note_mask, &m);
    for (size_t i = 0; i < sizeof raised / sizeof *raised; i++)
        CHECK(!sigismember(&m.blocked, raised[i]), "%s never reaches its handler", strsignal(raised[i]));
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        CHECK(sigismember(&m.blocked, sent[i]), "%s may reach a worker", strsignal(sent[i]));
}

/* ---- the floating-point environment ---------------------------------------------------------- */

#if defined(__x86_64__)
enum { TINY = 4000000, FLUSH = 0x8040 }; /* MXCSR's flush-to-zero and denormals-are-zero */

/* 3e-308 * 0.1 over and over: how many of the subnormal results came out as zero; -1 if MXCSR changed. */
static ptrdiff_t count_flushed(double *products) {
    static const ptrdiff_t shape[1] = {TINY}, strides[1] = {8}, zero[1] = {0};
    double tiny = 3e-308, tenth = 0.1;
    fz_array x = {&tiny, FZ_FLOAT64, 1, shape, zero}, y = {&tenth, FZ_FLOAT64, 0, NULL, NULL};
    fz_array out = {products, FZ_FLOAT64, 1, shape, strides};
    unsigned before = __builtin_ia32_stmxcsr();
    CHECK(fz_multiply(&x, &y, &out) == FZ_OK);
    if (__builtin_ia32_stmxcsr() != before) return -1;
    ptrdiff_t zeros = 0;
    for (ptrdiff_t i = 0; i < TINY; i++) {
        uint64_t bits; /* a comparison of doubles could flush */
        memcpy(&bits, products + i, sizeof bits);
        zeros += bits == 0;
    }
    return zeros;
}

static void *start_workers_that_flush(void *products) {
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | FLUSH);
    for (int i = 0; i < 3; i++) {
        ptrdiff_t zeros = count_flushed(products);
        CHECK(zeros == 0 || zeros == TINY, "%td of %d were flushed: threads differ", zeros, TINY);
    }
    return NULL;
}

/* First of all tests: the workers must be started by the thread that flushes. */
static void test_workers_compute_as_their_caller(void) {
    check_case("workers started by a thread that flushes subnormals");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    double *products = malloc(TINY * sizeof *products);
    pthread_t thread;
    pthread_create(&thread, NULL, start_workers_that_flush, products);
    pthread_join(thread, NULL);
    for (int i = 0; i < 5; i++) {
        ptrdiff_t zeros = count_flushed(products);
        CHECK(zeros == 0, "%td of %d were flushed", zeros, TINY);
    }
    free(products);
}
#else
static void test_workers_compute_as_their_caller(void) {}
#endif

/* ---- callers at once, nesting, changes of size ----------------------------------------------- */

static void *call_repeatedly(void *number) {
    caller = (int)(intptr_t)number;
    uint64_t state = (uint64_t)caller;
    intptr_t failures = 0;
    for (int i = 0; i < 60; i++) {
        ptrdiff_t n = (ptrdiff_t)random_below(&state, 800), grain = 1 + (ptrdiff_t)random_below(&state, 9);
        failures += !run_job(n, grain, 1 + (int)random_below(&state, 8));
    }
    return (void *)failures;
}

/* Starts `count` callers, runs `meanwhile` beside them, and counts what went wrong. */
static void check_callers(int count, void (*meanwhile)(void)) {
    pthread_t threads[16];
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, call_repeatedly, (void *)(intptr_t)(i + 1));
    if (meanwhile) meanwhile();
    for (int i = 0; i < count; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        CHECK(failures == NULL, "caller %d: %td jobs went wrong", i, (intptr_t)failures);
    }
}

static void test_sixteen_callers(void) {
    check_case("16 callers");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    check_callers(16, NULL);
}

static void change_size(void) {
    for (int i = 0; i < 200; i++) {
        CHECK(fz_set_num_threads(1 + i * 5 % 8) == FZ_OK);
        usleep(500);
    }
}

static void test_size_changes_while_running(void) {
    check_case("changes of size");
    check_callers(6, change_size);
}

static void outer_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    for (ptrdiff_t i = begin; i < end; i++)
        if (run_job(50 + i, 3, 4)) atomic_fetch_add((atomic_int *)context, 1);
}

static void outermost_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)participant;
    for (ptrdiff_t i = begin; i < end; i++) fz__parallel_for(3, 5, 1, outer_task, context);
}

static void test_nesting(void) {
    for (int threads = 1; threads <= 5; threads += 2) {
        check_case("nesting on %d threads", threads);
        CHECK(fz_set_num_threads(threads) == FZ_OK);
        atomic_int good = 0;
        fz__parallel_for(4, 20, 1, outer_task, &good);
        CHECK(atomic_load(&good) == 20, "%d of 20 inner jobs", atomic_load(&good));
        atomic_store(&good, 0);
        fz__parallel_for(4, 8, 2, outermost_task, &good);
        CHECK(atomic_load(&good) == 40, "%d of 40 innermost jobs", atomic_load(&good));
    }
}

/* ---- a small job beside a long one ----------------------------------------------------------- */

typedef struct gate {
    atomic_int waiting;
    atomic_bool open;
} gate;

static void wait_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    gate *g = context;
    (void)begin, (void)end, (void)participant;
    atomic_fetch_add(&g->waiting, 1);
    while (!atomic_load(&g->open)) usleep(100);
}

static void *run_long_job(void *context) {
    fz__parallel_for(4, 4, 1, wait_task, context);
    return NULL;
}

/* The small job would wait for ever if it needed a thread that the long one holds. */
static void test_small_job_beside_a_long_one(void) {
    check_case("a small job beside a long one");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    gate g = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, run_long_job, &g);
    while (atomic_load(&g.waiting) < 4) usleep(100);
    for (int i = 0; i < 50; i++) CHECK(run_job(100, 1, 4));
    atomic_store(&g.open, true);
    pthread_join(thread, NULL);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* A process that fork made of one with several threads may start none under ThreadSanitizer, which ends
   the process that does; there the child computes on its own thread only. */
#if defined(__SANITIZE_THREAD__)
#define THREADS_AFTER_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREADS_AFTER_FORK 1
#endif
#endif
#ifndef THREADS_AFTER_FORK
#define THREADS_AFTER_FORK 4
#endif

enum { SIDE = 96 };

/* This test does not allocate: a child of AddressSanitizer's may find that allocator locked for ever by a
   thread that it does not have. */
static _Thread_local job own_job;
static double left[SIDE * SIDE], right[SIDE * SIDE], reference[SIDE * SIDE];
static atomic_bool stop;

/* Is the product of left and right, computed now, the one computed at the start? */
static bool multiply_again(double result[SIDE * SIDE]) {
    static const ptrdiff_t shape[2] = {SIDE, SIDE}, strides[2] = {SIDE * 8, 8};
    fz_array a = {left, FZ_FLOAT64, 2, shape, strides}, b = {right, FZ_FLOAT64, 2, shape, strides};
    fz_array c = {result, FZ_FLOAT64, 2, shape, strides};
    return fz_matmul(&a, &b, &c) == FZ_OK && memcmp(result, reference, sizeof reference) == 0;
}

static void *compute_until_stopped(void *ignored) {
    static _Thread_local double result[SIDE * SIDE];
    intptr_t wrong = 0;
    (void)ignored;
    while (!atomic_load(&stop)) wrong += !multiply_again(result) + !run_job_in(&own_job, 300, 2, 4);
    return (void *)wrong;
}

/* In the child; nothing here may print, as another thread may have held stdio's locks. */
static int compute_in_child(void) {
    static double result[SIDE * SIDE];
    alarm(60);
    if (fz_set_num_threads(THREADS_AFTER_FORK) != FZ_OK) return 2;
    for (int i = 0; i < 5; i++)
        if (!run_job_in(&own_job, 500, 1, THREADS_AFTER_FORK) || !multiply_again(result)) return 3;
    atomic_int arrived = THREADS_AFTER_FORK == 1; /* where there is one thread, the other has come already */
    fz__parallel_for(2, 2, 1, meet_task, &arrived);
    return 0;
}

static void fork_and_wait(int i) {
    static double result[SIDE * SIDE];
    pid_t child = fork();
    if (child == 0) _exit(compute_in_child());
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d: signal %d, exit code %d", i,
          WIFSIGNALED(status) ? WTERMSIG(status) : 0, WIFEXITED(status) ? WEXITSTATUS(status) : 0);
    CHECK(run_job_in(&own_job, 500, 1, 4) && multiply_again(result), "the parent after fork %d", i);
}

static void test_fork_while_others_compute(void) {
    check_case("fork");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    uint64_t state = 9;
    for (int i = 0; i < SIDE * SIDE; i++) left[i] = random_unit(&state), right[i] = random_unit(&state);
    multiply_again(reference);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, compute_until_stopped, NULL);
    for (int i = 0; i < 25; i++) fork_and_wait(i);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL, "%td wrong results in a thread of the parent", (intptr_t)wrong);
    }
}

/* ---- metrics, sleep -------------------------------------------------------------------------- */

static void test_metrics(void) {
    check_case("metrics");
    fz_thread_metrics m;
    CHECK(fz_set_num_threads(3) == FZ_OK);
    fz_get_thread_metrics(&m, 1);
    for (int i = 0; i < 20; i++) CHECK(run_job(1000, 1, 3));
    fz_get_thread_metrics(&m, 0);
    CHECK(m.pool_size == 3);
    CHECK(m.max_active_threads >= 1 && m.max_active_threads <= 3, "%d", m.max_active_threads);
    CHECK(m.observed_threads >= m.max_active_threads, "%d", m.observed_threads);
    CHECK(m.tasks_started > 0 && m.tasks_started == m.tasks_completed);
    CHECK(m.busy_seconds > 0 && m.observation_seconds > 0);
    CHECK(m.busy_seconds <= 3 * m.observation_seconds, "%g of %g s", m.busy_seconds, m.observation_seconds);
    CHECK(m.mean_task_us > 0 && m.min_task_us >= 0 && m.min_task_us <= m.mean_task_us &&
          m.mean_task_us <= m.max_task_us);

    uint64_t started = m.tasks_started;
    CHECK(run_job(1000, 1, 3));
    fz_get_thread_metrics(&m, 1);
    CHECK(m.tasks_started > started && m.tasks_started == m.tasks_completed);
    fz_get_thread_metrics(&m, 0);
    CHECK(m.tasks_started == 0 && m.tasks_completed == 0 && m.busy_seconds == 0);
    CHECK(m.mean_task_us == 0 && m.max_task_us == 0 && m.min_task_us == 0);
}

/* What a call has done before the reset does not count; what it does afterwards does. */
static void reset_in_first_task(void *context, ptrdiff_t begin, ptrdiff_t end, int participant) {
    (void)end, (void)participant;
    fz_get_thread_metrics(context, begin == 0);
}

static void test_reset_within_a_call(void) {
    check_case("metrics, reset within a call");
    fz_thread_metrics m;
    fz__parallel_for(1, 3, 1, reset_in_first_task, &m);
    CHECK(m.observed_threads == 1 && m.max_active_threads == 1 && m.observation_seconds > 0);
    CHECK(m.tasks_started == 2 && m.tasks_completed == 0 && m.min_task_us == 0);
    fz_get_thread_metrics(&m, 0);
    CHECK(m.tasks_started == 2 && m.tasks_completed == 2);
    CHECK(m.min_task_us <= m.mean_task_us && m.mean_task_us <= m.max_task_us);
    CHECK(m.busy_seconds <= m.observation_seconds);
}

static void test_reset_while_all_compute(void) {
    check_case("metrics, reset while all compute");
    fz_thread_metrics m;
    CHECK(fz_set_num_threads(4) == FZ_OK);
    gate g = {0};
    pthread_t thread;
    pthread_create(&thread, NULL, run_long_job, &g);
    while (atomic_load(&g.waiting) < 4) usleep(100);
    fz_get_thread_metrics(&m, 1);
    fz_get_thread_metrics(&m, 0);
    CHECK(m.max_active_threads == 4 && m.observation_seconds > 0);
    CHECK(m.tasks_started == 4 && m.tasks_completed == 0);
    atomic_store(&g.open, true);
    pthread_join(thread, NULL);
    fz_get_thread_metrics(&m, 0);
    CHECK(m.observed_threads == 4 && m.max_active_threads == 4);
    CHECK(m.tasks_started == 0 && m.tasks_completed == 0 && m.busy_seconds == 0);
}

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* One spinning thread would use all of the time slept; the bound allows a fifth of it. */
static void test_idle_threads_sleep(void) {
    check_case("idle");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    CHECK(run_job(1000, 1, 4));
    usleep(50 * 1000);
    double before = processor_seconds();
    usleep(500 * 1000);
    double used = processor_seconds() - before;
    CHECK(used < 0.1, "%g s of processor time while idle for 0.5 s", used);
}

/* Nobody is awake after so long a rest, and one call is no burst. */
static void test_little_work_wakes_nobody(void) {
    enum { LITTLE = 50000, MUCH = 1 << 22 };
    check_case("element-wise work after a rest");
    CHECK(fz_set_num_threads(4) == FZ_OK);
    CHECK(run_job(1000, 1, 4));
    usleep(50 * 1000);
    CHECK(fz__split_elements(LITTLE).participants == 1);
    const fz__split much = fz__split_elements(MUCH), least = fz__split_elements(1);
    CHECK(much.participants == 4 && much.grain >= 1 && much.grain <= MUCH / 4);
    CHECK(least.participants == 1 && least.grain >= 1);
    CHECK(fz_set_num_threads(1) == FZ_OK);
    CHECK(fz__split_elements(MUCH).participants == 1);
}

int main(void) {
    check_begin();
    test_workers_compute_as_their_caller();
    test_sizes_of_the_pool();
    test_participants();
    test_every_item_once();
    test_tasks_run_at_one_time();
    test_smaller_pool_helps();
    test_one_participant_is_the_caller();
    test_workers_take_the_signals_that_they_raise();
    test_metrics();
    test_reset_within_a_call();
    test_reset_while_all_compute();
    test_nesting();
    test_sixteen_callers();
    test_size_changes_while_running();
    test_small_job_beside_a_long_one();
    test_fork_while_others_compute();
    test_idle_threads_sleep();
    test_little_work_wakes_nobody();
    return check_end();
}
