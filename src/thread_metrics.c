/* What the threads of split calls have done, and how long it took them. */
#include "thread_metrics.h"

#include <time.h>

#include "internal.h"

int64_t fz__now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct {
    _Atomic int64_t since_ns, busy_ns, max_ns, min_ns; /* since: 0 before the first split call */
    _Atomic int64_t active, max_active;
    _Atomic uint64_t started, completed;
    atomic_int observed;
    atomic_uint generation; /* counts resets */
} metrics = {.min_ns = INT64_MAX};

static void lower_to(_Atomic int64_t *target, int64_t value) {
    int64_t old = *target;
    while (old > value && !atomic_compare_exchange_weak(target, &old, value)) continue;
}

fz__tally fz__begin_tally(void) {
    static _Thread_local unsigned seen_generation = UINT32_MAX;
    int64_t none = 0, start = fz__now_ns();
    atomic_compare_exchange_strong(&metrics.since_ns, &none, start);
    if (seen_generation != metrics.generation) {
        seen_generation = metrics.generation;
        metrics.observed++;
    }
    fz__raise_to(&metrics.max_active, ++metrics.active);
    return (fz__tally){.last_ns = start, .min_ns = INT64_MAX};
}

void fz__begin_task(void) { metrics.started++; }

void fz__end_task(fz__tally *t) {
    int64_t end = fz__now_ns(), spent = end - t->last_ns;
    t->last_ns = end;
    t->busy_ns += spent;
    t->max_ns = spent > t->max_ns ? spent : t->max_ns;
    t->min_ns = spent < t->min_ns ? spent : t->min_ns;
    t->tasks++;
}

void fz__end_tally(const fz__tally *t) {
    metrics.active--;
    metrics.completed += t->tasks;
    metrics.busy_ns += t->busy_ns;
    fz__raise_to(&metrics.max_ns, t->max_ns);
    lower_to(&metrics.min_ns, t->min_ns);
}

void fz_get_thread_metrics(fz_thread_metrics *result, int reset) {
    const uint64_t tasks = metrics.completed;
    *result = (fz_thread_metrics){
        .pool_size = fz_get_num_threads(),
        .observed_threads = metrics.observed,
        .max_active_threads = (int)metrics.max_active,
        .busy_seconds = (double)metrics.busy_ns * 1e-9,
        .observation_seconds = metrics.since_ns ? (double)(fz__now_ns() - metrics.since_ns) * 1e-9 : 0,
        .tasks_started = metrics.started,
        .tasks_completed = tasks,
        .mean_task_us = tasks ? (double)metrics.busy_ns * 1e-3 / (double)tasks : 0,
        .max_task_us = tasks ? (double)metrics.max_ns * 1e-3 : 0,
        .min_task_us = tasks ? (double)metrics.min_ns * 1e-3 : 0,
    };
    if (!reset) return;
    metrics.started = metrics.completed = 0;
    metrics.since_ns = metrics.busy_ns = metrics.max_ns = 0;
    metrics.min_ns = INT64_MAX;
    metrics.max_active = 0;
    metrics.observed = 0;
    metrics.generation++;
}

void fz__forget_threads(void) { metrics.active = 0; }
