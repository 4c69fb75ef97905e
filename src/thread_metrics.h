/* Counting tasks: each thread in a tally of its own, added to the process's metrics when the thread leaves a job. */
#ifndef FZ_THREAD_METRICS_H
#define FZ_THREAD_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct fz__tally {
    unsigned generation; /* of the metrics that it is added to */
    int64_t last_ns, busy_ns, max_ns, min_ns;
    uint64_t tasks;
} fz__tally;

/* Monotonic. */
int64_t fz__now_ns(void);

static inline void fz__raise_to(_Atomic int64_t *target, int64_t value) {
    int64_t old = *target;
    while (old < value && !atomic_compare_exchange_weak(target, &old, value)) continue;
}

/* Around all that a thread does in a job, and around each task. The first task of a tally begins with it. */
fz__tally fz__begin_tally(void);
void fz__begin_task(void);
void fz__end_task(fz__tally *t);
void fz__end_tally(fz__tally *t);

/* In a forked child: no thread is in a job, and what others had begun will not be completed. */
void fz__forget_threads(void);

#endif
