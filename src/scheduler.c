/* The work-stealing pool.

   A split call is a `job` on its caller's stack: n items cut into chunks, dealt out as one contiguous
   range of chunks per participant. A participant takes chunks from the front of its own range and,
   when that runs dry, steals half of another's rest. Jobs are announced in static slots; a worker joins
   one by counting itself into the slot, and the caller returns only when everybody has counted out, so
   nobody looks at a job that is gone. No lock is taken but to put threads to sleep and to wake them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "float_environment.h"
#include "internal.h"
#include "thread_metrics.h"

enum {
    LEAST_STACK = 1 << 20,  /* bytes of a worker's */
    SLOTS = 64,             /* jobs announced at once; further callers work alone */
    WORKER_SPIN_NS = 20000, /* how long a worker looks for the next job before it sleeps */
    BURST_NS = 10000, /* calls that follow each other faster than this will find awake who is woken now */
    CALLER_SPIN_NS = 50000, /* how long a caller looks for the last chunks' end before it sleeps */
    PAUSES_PER_CLOCK = 16,  /* a look at the clock costs about as much as a pause */
};

/* Chunks [begin, end) not yet taken, as begin << 32 | end, so that one compare-and-swap moves both. */
typedef struct range {
    _Alignas(FZ_CACHE_LINE) _Atomic uint64_t chunks;
    atomic_bool taken; /* does a thread hold this participant number? */
} range;

typedef struct job {
    fz__task *task;
    void *context;
    ptrdiff_t n, grain;
    int participants;
    fz__float_environment environment; /* the caller's, in which every task runs */
    range ranges[FZ_MAX_THREADS];      /* only the first `participants` are initialized */
} job;

/* control: OPEN while there may be chunks to take, CLAIMED while a caller owns the slot, WAITING while
   that caller sleeps; below them the number of workers inside, and how many there is room for. */
#define OPEN (1u << 31)
#define CLAIMED (1u << 30)
#define WAITING (1u << 29)
#define INSIDE 0x3ffu
#define ROOM_SHIFT 10

typedef struct slot {
    _Alignas(FZ_CACHE_LINE) atomic_uint control;
    job *job; /* valid for whoever is counted in */
    pthread_mutex_t mutex;
    pthread_cond_t empty;
} slot;

static struct {
    slot slots[SLOTS];
    _Atomic int64_t slots_used; /* none beyond was ever claimed */
    atomic_uint epoch;          /* counts announcements */
    atomic_int busy_cpu;        /* where the last who woke others runs */
    atomic_int size;            /* threads wanted, callers' own included; 0: not known yet */
    atomic_int workers;         /* threads created */
    atomic_int sleepers;
    atomic_int watchers;      /* workers that look for the next job */
    _Atomic int64_t ended_ns; /* when a caller was last done with a job */
    atomic_bool exhausted;    /* a thread could not be created */
    pthread_mutex_t mutex;    /* for sleeping and for creating threads */
    pthread_cond_t news;
} pool = {
    .slots[0 ... SLOTS - 1] = {.mutex = PTHREAD_MUTEX_INITIALIZER, .empty = PTHREAD_COND_INITIALIZER},
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .news = PTHREAD_COND_INITIALIZER,
};

static int initial_size; /* FORZIUM_NUM_THREADS, or 0 */

/* ---- ranges ------------------------------------------------------------------------------------------- */

static uint64_t pack_range(uint64_t begin, uint64_t end) { return begin << 32 | end; }
static uint32_t range_begin(uint64_t chunks) { return (uint32_t)(chunks >> 32); }
static uint32_t range_end(uint64_t chunks) { return (uint32_t)chunks; }

/* The first chunk of one's own range; false when it is empty. */
static bool take_chunk(range *own, uint32_t *chunk) {
    uint64_t chunks = atomic_load_explicit(&own->chunks, memory_order_relaxed);
    do {
        if (range_begin(chunks) >= range_end(chunks)) return false;
        *chunk = range_begin(chunks);
    } while (!atomic_compare_exchange_weak(&own->chunks, &chunks, pack_range(*chunk + 1, range_end(chunks))));
    return true;
}

/* The later half of somebody's rest becomes the thief's range, but for its first chunk, which is given
   out. While a range is empty nobody but its owner writes to it. */
static bool steal_chunk(job *j, int thief, uint32_t *chunk) {
    for (int i = 1; i < j->participants; i++) {
        range *victim = &j->ranges[(thief + i) % j->participants];
        uint64_t chunks = atomic_load_explicit(&victim->chunks, memory_order_relaxed);
        while (range_begin(chunks) < range_end(chunks)) {
            const uint32_t end = range_end(chunks), half = (end - range_begin(chunks) + 1) / 2,
                           middle = end - half;
            if (!atomic_compare_exchange_weak(&victim->chunks, &chunks,
                                              pack_range(range_begin(chunks), middle)))
                continue;
            atomic_store(&j->ranges[thief].chunks, pack_range(middle + 1, end));
            *chunk = middle;
            return true;
        }
    }
    return false;
}

static bool has_chunks(const job *j) {
    for (int p = 0; p < j->participants; p++) {
        const uint64_t chunks = j->ranges[p].chunks;
        if (range_begin(chunks) < range_end(chunks)) return true;
    }
    return false;
}

static void deal_ranges(job *j, uint64_t chunks) {
    const uint64_t participants = (uint64_t)j->participants;
    for (uint64_t p = 0; p < participants; p++) {
        atomic_init(&j->ranges[p].chunks,
                    pack_range(p * chunks / participants, (p + 1) * chunks / participants));
        atomic_init(&j->ranges[p].taken, p == 0);
    }
}

/* Works until nothing is left to take and returns true; a worker returns false when another job is
   announced meanwhile (the rest of its range is there for others, or for its return). */
static bool participate(job *j, int participant, const unsigned *epoch) {
    fz__tally t = fz__begin_tally();
    uint32_t chunk;
    bool dry = true;
    while (dry && (take_chunk(&j->ranges[participant], &chunk) || steal_chunk(j, participant, &chunk))) {
        const ptrdiff_t begin = (ptrdiff_t)chunk * j->grain;
        fz__begin_task();
        j->task(j->context, begin, fz__min(begin + j->grain, j->n), participant);
        fz__end_task(&t);
        dry = !epoch || *epoch == pool.epoch;
    }
    fz__end_tally(&t);
    if (participant == 0) pool.ended_ns = t.last_ns;
    return dry;
}

/* ---- sleeping and waking ------------------------------------------------------------------------------- */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* yield is a no-op on most cores */
#endif
}

static bool watch_for_news(int worker, unsigned seen) {
    const int64_t until = fz__now_ns() + WORKER_SPIN_NS;
    bool news = false;
    pool.watchers++;
    while (!news && worker < pool.size - 1 && fz__now_ns() < until) {
        for (int i = 0; i < PAUSES_PER_CLOCK && !news; i++) {
            relax();
            news = pool.epoch != seen;
        }
    }
    pool.watchers--;
    return news;
}

static void wait_for_news(int worker, unsigned seen) {
    if (watch_for_news(worker, seen)) return;
    pthread_mutex_lock(&pool.mutex);
    pool.sleepers++; /* before the last look at epoch: whoever announces looks the other way round */
    while (pool.epoch == seen || worker >= pool.size - 1) pthread_cond_wait(&pool.news, &pool.mutex);
    pool.sleepers--;
    pthread_mutex_unlock(&pool.mutex);
    /* Some kernels wake a thread where the waker runs, and leave both there for many milliseconds though another CPU is
       idle: seen on virtual machines, where it took all that a second thread is worth. */
    fz__leave_cpu(pool.busy_cpu);
}

static void announce(int helpers_wanted) {
    if (pool.workers < pool.size) /* else a watcher may be one beyond the pool's size, who does not help */
        helpers_wanted -= pool.watchers; /* they need no waking */
    pool.epoch++;
    if (helpers_wanted <= 0 || pool.sleepers == 0) return;
    pool.busy_cpu = fz__current_cpu();
    pthread_mutex_lock(&pool.mutex);
    if (helpers_wanted < pool.sleepers && pool.workers < pool.size)
        for (int i = 0; i < helpers_wanted; i++) pthread_cond_signal(&pool.news);
    else /* all are wanted, or some sleepers are beyond the pool's size and must not swallow the signal */
        pthread_cond_broadcast(&pool.news);
    pthread_mutex_unlock(&pool.mutex);
}

static bool may_join(unsigned control) {
    return (control & OPEN) && (control & INSIDE) < (control >> ROOM_SHIFT & INSIDE);
}

static bool is_empty(const slot *s) { return (s->control & INSIDE) == 0; }

static void wait_until_empty(slot *s) {
    const int64_t until = fz__now_ns() + CALLER_SPIN_NS;
    while (!is_empty(s) && fz__now_ns() < until) {
        for (int i = 0; i < PAUSES_PER_CLOCK && !is_empty(s); i++) relax();
    }
    if (is_empty(s)) return;
    pthread_mutex_lock(&s->mutex);
    s->control |= WAITING;
    while (!is_empty(s)) pthread_cond_wait(&s->empty, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}

/* ---- workers ------------------------------------------------------------------------------------------- */

/* Counts the calling worker into the open slot with the fewest others; NULL if none is open. */
static slot *join_slot(void) {
    for (;;) {
        slot *best = NULL;
        unsigned fewest = UINT32_MAX;
        for (int i = 0; i < pool.slots_used; i++) {
            const unsigned control = pool.slots[i].control, inside = control & INSIDE;
            if (may_join(control) && inside < fewest) {
                best = &pool.slots[i];
                fewest = inside;
            }
        }
        if (!best) return NULL;
        unsigned control = best->control;
        while (may_join(control)) {
            if (atomic_compare_exchange_weak(&best->control, &control, control + 1)) return best;
        }
    }
}

static void leave_slot(slot *s) {
    const unsigned before = atomic_fetch_sub(&s->control, 1);
    if ((before & INSIDE) != 1 || !(before & WAITING)) return;
    pthread_mutex_lock(&s->mutex);
    pthread_cond_broadcast(&s->empty);
    pthread_mutex_unlock(&s->mutex);
}

/* A participant number that no other thread holds. Whoever was let in finds one: there are as many as
   there is room, and a leaver gives its number back before it counts out. */
static int take_participant(job *j) {
    for (int p = 1;; p = p + 1 < j->participants ? p + 1 : 1) {
        if (!atomic_exchange(&j->ranges[p].taken, true)) return p;
    }
}

/* Helps with one job, if there is one. */
static bool help(unsigned epoch) {
    slot *s = join_slot();
    if (!s) return false;
    job *j = s->job;
    const int participant = take_participant(j);
    const fz__float_environment own = fz__save_float_environment();
    fz__restore_float_environment(j->environment);
    if (participate(j, participant, &epoch)) atomic_fetch_and(&s->control, ~OPEN);
    fz__restore_float_environment(own);
    atomic_store(&j->ranges[participant].taken, false);
    leave_slot(s);
    return true;
}

static void *run_worker(void *number) {
    const int worker = (int)(intptr_t)number;
    fz__use_process_cpus();
    for (;;) {
        const unsigned epoch = pool.epoch;
        const bool wanted = worker < pool.size - 1;
        if (!wanted || (!help(epoch) && pool.epoch == epoch)) wait_for_news(worker, epoch);
    }
    return NULL;
}

/* Workers take no signals, which are for the threads that the program knows of, but those that their own instructions
   raise: blocked, these would end the process past its handlers. */
static void fill_blocked(sigset_t *blocked) {
    static const int own[] = {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    sigfillset(blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(blocked, own[i]);
}

/* Workers' stacks have room for the blocks of any operation, whatever a C library or `ulimit -s` would give them. */
static bool create_worker(int number) {
    sigset_t blocked, before;
    pthread_t thread;
    pthread_attr_t attributes;
    size_t stack;
    if (pthread_attr_init(&attributes)) return false;
    if (!pthread_attr_getstacksize(&attributes, &stack) && stack < LEAST_STACK)
        pthread_attr_setstacksize(&attributes, LEAST_STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    fill_blocked(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int error = pthread_create(&thread, &attributes, run_worker, (void *)(intptr_t)number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !error;
}

static void ensure_workers(void) {
    if (pool.workers >= pool.size - 1 || pool.exhausted) return;
    pthread_mutex_lock(&pool.mutex);
    while (pool.workers < pool.size - 1 && !pool.exhausted) {
        if (create_worker(pool.workers))
            pool.workers++;
        else
            pool.exhausted = true; /* work on with those there are, and do not ask again at every call */
    }
    pthread_mutex_unlock(&pool.mutex);
}

/* ---- callers ------------------------------------------------------------------------------------------- */

static slot *claim_slot(void) {
    for (int i = 0; i < SLOTS; i++) {
        unsigned free_slot = 0;
        if (!atomic_compare_exchange_strong(&pool.slots[i].control, &free_slot, CLAIMED)) continue;
        fz__raise_to(&pool.slots_used, i + 1);
        return &pool.slots[i];
    }
    return NULL;
}

int fz__participants(ptrdiff_t n, ptrdiff_t grain) {
    return (int)fz__max(1, fz__min(fz_get_num_threads(), fz__ceil_div(n, grain)));
}

fz__split fz__split_elements(ptrdiff_t size) {
    enum {
        LEAST = 4096,             /* elements of a task */
        AWAKE_FROM = 8 * LEAST,   /* from here on another thread that is awake saves time */
        ASLEEP_FROM = 32 * LEAST, /* from here on one that has to be woken does */
        MOST = 64 * LEAST,
        TASKS = 8, /* of a participant, so that uneven threads still end together */
    };
    int participants = size < AWAKE_FROM ? 1 : fz__participants(size, 2 * LEAST);
    if (participants == 1) return (fz__split){1, size};
    if (size < ASLEEP_FROM) {
        const bool burst = fz__now_ns() - pool.ended_ns < BURST_NS;
        participants = (int)fz__min(participants, 1 + pool.watchers + burst);
    }
    /* A call alone has two tasks, as one would be no job, whose end the next call wants to know. */
    const ptrdiff_t tasks = participants == 1 ? 2 : participants * TASKS,
                    grain = size / tasks / LEAST * LEAST;
    return (fz__split){participants, fz__max(LEAST, fz__min(MOST, grain))};
}

/* Announces the job, takes part in it, and waits for everybody else who did. */
static void share(job *j) {
    slot *s = NULL;
    if (j->participants > 1) {
        ensure_workers();
        s = claim_slot();
    }
    if (s) {
        s->job = j;
        atomic_store(&s->control, CLAIMED | OPEN | (unsigned)(j->participants - 1) << ROOM_SHIFT);
        announce(j->participants - 1);
    }
    participate(j, 0, NULL);
    if (!s) return;
    atomic_fetch_and(&s->control, ~OPEN);
    wait_until_empty(s);
    /* A worker may have stolen chunks behind the caller's look round, and left them for another job. */
    if (has_chunks(j)) participate(j, 0, NULL);
    atomic_store(&s->control, 0);
}

void fz__parallel_for(int participants, ptrdiff_t n, ptrdiff_t grain, fz__task *task, void *context) {
    if (n <= 0) return;
    const fz__float_environment environment = fz__save_float_environment();
    if (n <= grain) {
        task(context, 0, n, 0);
        fz__restore_float_environment(environment);
        return;
    }
    while (fz__ceil_div(n, grain) > INT32_MAX) grain *= 2;
    const ptrdiff_t chunks = fz__ceil_div(n, grain);
    job j; /* its ranges stay uninitialized beyond `participants` */
    j.task = task;
    j.context = context;
    j.n = n;
    j.grain = grain;
    j.participants = (int)fz__min(participants, chunks);
    j.environment = environment;
    deal_ranges(&j, (uint64_t)chunks);
    share(&j);
    fz__restore_float_environment(environment);
}

/* ---- size and life --------------------------------------------------------------------------------------- */

int fz_get_num_threads(void) {
    int size = atomic_load_explicit(&pool.size, memory_order_relaxed);
    if (size) return size;
    fz_init(); /* reads the environment; what it complains of is for the next call that can */
    const int wanted = initial_size ? initial_size : fz_usable_cpus();
    atomic_compare_exchange_strong(&pool.size, &size, wanted < FZ_MAX_THREADS ? wanted : FZ_MAX_THREADS);
    return pool.size;
}

fz_status fz_set_num_threads(int n) {
    if (n < 1 || n > FZ_MAX_THREADS)
        return fz__fail(FZ_ERROR_VALUE, "set_num_threads: n is %d; 1 to %d would do", n, FZ_MAX_THREADS);
    pool.size = n;
    pool.exhausted = false;
    return FZ_OK;
}

static void init_locks(void) {
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.news, NULL);
    for (int i = 0; i < SLOTS; i++) {
        pthread_mutex_init(&pool.slots[i].mutex, NULL);
        pthread_cond_init(&pool.slots[i].empty, NULL);
    }
}

/* Only the forking thread lives on in the child: no workers, nobody in any slot, locks in any state. */
static void start_over_in_child(void) {
    const int size = pool.size;
    memset(&pool, 0, sizeof pool);
    pool.size = size;
    fz__forget_threads();
    init_locks();
}

fz_status fz__scheduler_init(void) {
    const char *text = getenv("FORZIUM_NUM_THREADS");
    if (text && *text) {
        char *end;
        errno = 0;
        const long n = strtol(text, &end, 10);
        if (*end || errno || n < 1 || n > FZ_MAX_THREADS)
            return fz__fail(FZ_ERROR_VALUE,
                            "FORZIUM_NUM_THREADS is \"%.40s\"; a number from 1 to %d would do", text,
                            FZ_MAX_THREADS);
        initial_size = (int)n;
    }
    pthread_atfork(NULL, NULL, start_over_in_child);
    return FZ_OK;
}
