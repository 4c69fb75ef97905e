/* What the threads of split calls have done, and how long it took them. */
#include "thread_metrics.h"

#include <time.h>

#include "internal.h"

enum { PUBLISHED_NS = 10000000 /* of a thread's work at a time: all threads write to the same few lines */ };

int64_t fz__now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct {
    _Atomic int64_t since_ns, busy_ns, max_ns, min_ns; /* since: 0 before the first split call or reset */
    _Atomic int64_t active, max_active;
    _Atomic uint64_t started, completed;
    atomic_int observed;
    atomic_uint generation; /* counts resets */
} metrics = {.min_ns = INT64_MAX};

static void lower_to(_Atomic int64_t *target, int64_t value) {
    int64_t old = *target;
    while (old > value && !atomic_compare_exchange_weak(target, &old, value)) continue;
}

/* Of what the calling thread does from now on; it is one of those observed since the last reset. */
static fz__tally start_tally(int64_t now) {
    static _Thread_local unsigned seen_generation = UINT32_MAX;
    const unsigned generation = metrics.generation;
    if (seen_generation != generation) {
        seen_generation = generation;
        metrics.observed++;
    }
    return (fz__tally){.generation = generation, .last_ns = now, .min_ns = INT64_MAX};
}

/* What was before a reset does not count after it: tasks that had begun then neither start nor end. */
static void drop_if_stale(fz__tally *t) {
    if (t->generation == metrics.generation) return;
    metrics.started -= t->tasks;
    *t = start_tally(t->last_ns);
}

fz__tally fz__begin_tally(void) {
    int64_t none = 0, now = fz__now_ns();
    atomic_compare_exchange_strong(&metrics.since_ns, &none, now);
    fz__raise_to(&metrics.max_active, ++metrics.active);
    return start_tally(now);
}

/* `completed` comes last: who sees tasks sees their times. */
static void publish(fz__tally *t) {
    metrics.busy_ns += t->busy_ns;
    fz__raise_to(&metrics.max_ns, t->max_ns);
    lower_to(&metrics.min_ns, t->min_ns);
    metrics.completed += t->tasks;
    t->busy_ns = t->max_ns = 0;
    t->min_ns = INT64_MAX;
    t->tasks = 0;
}

void fz__begin_task(void) { metrics.started++; }

void fz__end_task(fz__tally *t) {
    int64_t end = fz__now_ns(), spent = end - t->last_ns;
    t->last_ns = end;
    t->busy_ns += spent;
    t->max_ns = spent > t->max_ns ? spent : t->max_ns;
    t->min_ns = spent < t->min_ns ? spent : t->min_ns;
    t->tasks++;
    drop_if_stale(t);
    if (t->busy_ns >= PUBLISHED_NS) publish(t);
}

void fz__end_tally(fz__tally *t) {
    drop_if_stale(t);
    metrics.active--;
    publish(t);
}

/* Tasks under way stay among those started, until their threads find that they are stale: at no time have more been
   completed. */
static void reset_metrics(void) {
    metrics.observed = 0;
    metrics.generation++;
    metrics.started -= atomic_exchange(&metrics.completed, 0);
    metrics.busy_ns = metrics.max_ns = 0;
    metrics.min_ns = INT64_MAX;
    metrics.since_ns = fz__now_ns();
    metrics.max_active = 0;
    fz__raise_to(&metrics.max_active, metrics.active);
}

void fz_get_thread_metrics(fz_thread_metrics *result, int reset) {
    const uint64_t tasks = metrics.completed;
    const int64_t since = metrics.since_ns, min = metrics.min_ns;
    *result = (fz_thread_metrics){
        .pool_size = fz_get_num_threads(),
        .observed_threads = metrics.observed,
        .max_active_threads = (int)metrics.max_active,
        .busy_seconds = (double)metrics.busy_ns * 1e-9,
        .observation_seconds = since ? (double)(fz__now_ns() - since) * 1e-9 : 0,
        .tasks_started = metrics.started,
        .tasks_completed = tasks,
        .mean_task_us = tasks ? (double)metrics.busy_ns * 1e-3 / (double)tasks : 0,
        .max_task_us = tasks ? (double)metrics.max_ns * 1e-3 : 0,
        .min_task_us = tasks && min < INT64_MAX ? (double)min * 1e-3 : 0,
    };
    if (reset) reset_metrics();
}

void fz__forget_threads(void) {
    metrics.active = 0;
    metrics.started = metrics.completed;
}
