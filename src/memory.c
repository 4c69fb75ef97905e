/* The pool allocator, and the workspaces of calls, which are blocks of a pool of the library's own.

   A block is out (its descriptor is in the pool's table, found by address) or in reserve (its descriptor
   is in two lists: of all reserved blocks and of those of its size class, the newest first in both).
   Descriptors lie apart from the memory they describe, so that an overrun cannot break the pool and a
   pointer that is no block of it is told so. The system is asked for memory, and given it back, outside
   the lock: blocks that leave the pool under the lock are chained and freed after it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#if defined(__unix__) || defined(__APPLE__)
#define HAVE_MMAP 1
#include <sys/mman.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#endif

/* ---- size classes: eight per doubling, in units of the alignment --------------------------------------- */

/* Sizes of 1 to 16 units are classes of their own; from there on a class is (8 to 15) + 1 times a power
   of two, which rounds up by at most an eighth. */
#define SIZE_CLASSES 440 /* class_of(PTRDIFF_MAX) + 1 where size_t has 64 bits */

static unsigned class_of(size_t nbytes) {
    size_t last_unit = nbytes == 0 ? 0 : (nbytes - 1) / FZ_CACHE_LINE;
    if (last_unit < 16) return (unsigned)last_unit;
    unsigned shift = 60 - (unsigned)__builtin_clzll(last_unit); /* leaves the four highest bits, 8 to 15 */
    return 8 * shift + (unsigned)(last_unit >> shift);
}

static size_t class_size(unsigned size_class) {
    unsigned shift = size_class < 16 ? 0 : size_class / 8 - 1;
    return (size_t)(size_class - 8 * shift + 1) << shift << 6;
}

_Static_assert(FZ_CACHE_LINE == 1 << 6, "class_size shifts by it");

/* ---- the system's memory ------------------------------------------------------------------------------- */

#ifdef HAVE_MMAP
#define HUGE_PAGE ((size_t)2 << 20)

/* Such sizes are whole pages, as classes this large are at least two pages apart. */
static bool is_mapping(size_t size) { return size >= 16 * (size_t)sysconf(_SC_PAGESIZE); }

/* Mappings that hold huge pages begin on one: mapped with slack, whose ends are cut off again. */
static void *map(size_t size) {
    bool huge = size >= HUGE_PAGE;
    size_t slack = huge ? HUGE_PAGE : 0;
    char *base = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return NULL;
    if (!huge) return base;
    size_t head = -(uintptr_t)base % HUGE_PAGE;
    if (head != 0) munmap(base, head);
    munmap(base + head + size, slack - head);
#ifdef MADV_HUGEPAGE
    madvise(base + head, size, MADV_HUGEPAGE);
#endif
    return base + head;
}
#endif

static void *system_acquire(size_t size) {
#ifdef HAVE_MMAP
    if (is_mapping(size)) return map(size);
#endif
    return aligned_alloc(FZ_CACHE_LINE, size);
}

static void system_release(void *memory, size_t size) {
#ifdef HAVE_MMAP
    if (is_mapping(size)) {
        munmap(memory, size);
        return;
    }
#endif
    (void)size;
    free(memory);
}

/* ---- lists --------------------------------------------------------------------------------------------- */

/* Circular, through a head that is no element: head.next is the newest, head.prev the oldest. */
typedef struct node {
    struct node *prev, *next;
} node;

static void list_init(node *head) { head->prev = head->next = head; }
static bool list_is_empty(const node *head) { return head->next == head; }

static void list_push(node *head, node *element) {
    *element = (node){head, head->next};
    head->next->prev = element;
    head->next = element;
}

static void list_remove(node *element) {
    element->prev->next = element->next;
    element->next->prev = element->prev;
}

#define ELEMENT_OF(type, member, pointer) ((type *)((char *)(pointer) - offsetof(type, member)))

/* ---- blocks -------------------------------------------------------------------------------------------- */

typedef struct block {
    node in_reserve, in_class; /* while in reserve */
    struct block *next;        /* in the table's bucket while out; in a chain of blocks to be freed */
    void *memory;
    size_t asked; /* bytes, while out */
    unsigned size_class;
} block;

/* Tells AddressSanitizer that the first nbytes may be touched and the rest may not. */
static void expose(const block *b, size_t nbytes) {
#ifdef HAVE_ASAN
    ASAN_UNPOISON_MEMORY_REGION(b->memory, nbytes);
    ASAN_POISON_MEMORY_REGION((char *)b->memory + nbytes, class_size(b->size_class) - nbytes);
#else
    (void)b, (void)nbytes;
#endif
}

static block *block_create(unsigned size_class) {
    block *b = malloc(sizeof *b);
    if (b == NULL) return NULL;
    b->size_class = size_class;
    b->memory = system_acquire(class_size(size_class));
    if (b->memory != NULL) return b;
    free(b);
    return NULL;
}

static void blocks_free(block *chain) {
    while (chain != NULL) {
        block *next = chain->next;
        size_t size = class_size(chain->size_class);
        expose(chain, size);
        system_release(chain->memory, size);
        free(chain);
        chain = next;
    }
}

/* ---- the pool and its table of blocks ------------------------------------------------------------------ */

#define FIRST_BUCKET_BITS 6

struct fz_pool {
    pthread_mutex_t lock; /* guards everything but `references` and `registered` */
    atomic_size_t references;
    node registered;
    fz_pool_stats stats;
    size_t size_in_use;   /* bytes_in_use in rounded sizes */
    size_t size_limit;    /* of size_in_use + bytes_reserved, as far as less reserve can reach it */
    size_t reserve_limit; /* of bytes_reserved */
    unsigned bucket_bits;
    block **buckets; /* 1 << bucket_bits chains */
    block *first_buckets[1 << FIRST_BUCKET_BITS];
    node reserve;
    node classes[SIZE_CLASSES];
};

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static block **table_bucket(fz_pool *pool, const void *memory) {
    uint64_t hash = (uint64_t)(uintptr_t)memory * 0x9E3779B97F4A7C15u;
    return &pool->buckets[hash >> (64 - pool->bucket_bits)];
}

static void table_put(fz_pool *pool, block *b) {
    block **bucket = table_bucket(pool, b->memory);
    b->next = *bucket;
    *bucket = b;
}

/* Removes and returns the block that begins at `memory`; NULL if none that is out does. */
static block *table_take(fz_pool *pool, const void *memory) {
    for (block **link = table_bucket(pool, memory); *link != NULL; link = &(*link)->next) {
        block *b = *link;
        if (b->memory != memory) continue;
        *link = b->next;
        return b;
    }
    return NULL;
}

/* Unchains and returns all blocks of a table as one chain. */
static block *table_drain(size_t count, block **buckets) {
    block *chain = NULL;
    for (size_t i = 0; i < count; i++) {
        while (buckets[i] != NULL) {
            block *b = buckets[i];
            buckets[i] = b->next;
            b->next = chain;
            chain = b;
        }
    }
    return chain;
}

/* Doubles the table when its chains grow long. Without the memory for it they may. */
static void table_fit(fz_pool *pool) {
    size_t count = (size_t)1 << pool->bucket_bits;
    if (pool->stats.blocks_in_use <= count) return;
    block **wider = calloc(2 * count, sizeof *wider);
    if (wider == NULL) return;
    block **narrow = pool->buckets;
    block *chain = table_drain(count, narrow);
    pool->buckets = wider;
    pool->bucket_bits++;
    while (chain != NULL) {
        block *next = chain->next;
        table_put(pool, chain);
        chain = next;
    }
    if (narrow != pool->first_buckets) free(narrow);
}

/* ---- blocks come and go: all with the pool's lock held ------------------------------------------------- */

static block *reserve_remove(fz_pool *pool, block *b) {
    list_remove(&b->in_reserve);
    list_remove(&b->in_class);
    pool->stats.bytes_reserved -= class_size(b->size_class);
    return b;
}

static void reserve_put(fz_pool *pool, block *b) {
    list_push(&pool->reserve, &b->in_reserve);
    list_push(&pool->classes[b->size_class], &b->in_class);
    pool->stats.bytes_reserved += class_size(b->size_class);
    expose(b, 0);
}

static block *reserve_take_newest(fz_pool *pool, unsigned size_class) {
    node *peers = &pool->classes[size_class];
    return list_is_empty(peers) ? NULL : reserve_remove(pool, ELEMENT_OF(block, in_class, peers->next));
}

/* Removes the oldest blocks from the reserve until it is within `most` bytes; returns them as a chain. */
static block *reserve_evict(fz_pool *pool, size_t most) {
    block *evicted = NULL;
    while (pool->stats.bytes_reserved > most) {
        block *b = reserve_remove(pool, ELEMENT_OF(block, in_reserve, pool->reserve.prev));
        b->next = evicted;
        evicted = b;
    }
    return evicted;
}

/* How large the reserve may be beside what is out. */
static size_t reserve_room(const fz_pool *pool) {
    size_t room = pool->size_limit > pool->size_in_use ? pool->size_limit - pool->size_in_use : 0;
    return room < pool->reserve_limit ? room : pool->reserve_limit;
}

static size_t available(const fz_pool *pool) { return pool->stats.capacity - pool->stats.bytes_in_use; }

static void note_peak(fz_pool *pool) {
    if (pool->stats.bytes_in_use > pool->stats.bytes_peak) pool->stats.bytes_peak = pool->stats.bytes_in_use;
}

/* The block goes out; its bytes are counted already. */
static void hand_out(fz_pool *pool, block *b, size_t asked) {
    b->asked = asked;
    expose(b, asked);
    pool->stats.blocks_in_use++;
    pool->stats.alloc_count++;
    note_peak(pool);
    table_fit(pool);
    table_put(pool, b);
}

/* A block taken from the table comes back, which discharges that many bytes. Returns a chain of blocks
   to be freed. */
static block *take_back(fz_pool *pool, block *b, size_t discharge) {
    size_t size = class_size(b->size_class);
    pool->stats.bytes_in_use -= discharge;
    pool->size_in_use -= size;
    pool->stats.blocks_in_use--;
    pool->stats.dealloc_count++;
    size_t room = reserve_room(pool);
    if (size > room) {
        b->next = NULL;
        return b;
    }
    reserve_put(pool, b);
    return reserve_evict(pool, room);
}

/* ---- fork: a child may find no pool locked by a thread that it does not have --------------------------- */

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER; /* taken before any pool's */
static node registry = {&registry, &registry};

static void before_fork(void) {
    pthread_mutex_lock(&registry_lock);
    for (node *n = registry.next; n != &registry; n = n->next) {
        pthread_mutex_lock(&ELEMENT_OF(fz_pool, registered, n)->lock);
    }
}

static void after_fork(void) {
    for (node *n = registry.next; n != &registry; n = n->next) {
        pthread_mutex_unlock(&ELEMENT_OF(fz_pool, registered, n)->lock);
    }
    pthread_mutex_unlock(&registry_lock);
}

/* ---- the life of a pool -------------------------------------------------------------------------------- */

/* A pool that is all zeros becomes an empty one with one reference. */
static void pool_init(fz_pool *pool, size_t capacity, size_t size_limit, size_t reserve_limit) {
    pthread_mutex_init(&pool->lock, NULL);
    atomic_init(&pool->references, 1);
    pool->stats.capacity = capacity;
    pool->size_limit = size_limit;
    pool->reserve_limit = reserve_limit;
    pool->bucket_bits = FIRST_BUCKET_BITS;
    pool->buckets = pool->first_buckets;
    list_init(&pool->reserve);
    for (unsigned c = 0; c < SIZE_CLASSES; c++) list_init(&pool->classes[c]);

    pthread_mutex_lock(&registry_lock);
    list_push(&registry, &pool->registered);
    pthread_mutex_unlock(&registry_lock);
}

/* The capacity and its rounding, which for the smallest is more than an eighth. */
static size_t rounded_capacity(size_t capacity) {
    if (capacity > PTRDIFF_MAX) return SIZE_MAX;
    size_t eighth_more = capacity + capacity / 8, one_block = class_size(class_of(capacity));
    return eighth_more > one_block ? eighth_more : one_block;
}

fz_status fz_pool_create(size_t capacity, fz_pool **pool) {
    if (capacity == 0) return fz__fail(FZ_ERROR_VALUE, "pool: capacity is 0; it must be at least 1 byte");
    const fz_status status = fz_init();
    if (status) return status;
    fz_pool *created = calloc(1, sizeof *created);
    if (created == NULL) return fz__fail(FZ_ERROR_MEMORY, "pool: no memory for the pool itself");
    pool_init(created, capacity, rounded_capacity(capacity), SIZE_MAX);
    *pool = created;
    return FZ_OK;
}

void fz_pool_retain(fz_pool *pool) { atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed); }

void fz_pool_release(fz_pool *pool) {
    if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_lock(&registry_lock);
    list_remove(&pool->registered);
    pthread_mutex_unlock(&registry_lock);

    blocks_free(reserve_evict(pool, 0));
    blocks_free(table_drain((size_t)1 << pool->bucket_bits, pool->buckets));
    if (pool->buckets != pool->first_buckets) free(pool->buckets);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- allocation ---------------------------------------------------------------------------------------- */

/* The bytes are counted already; here they become a block, or are uncounted again. */
static fz_status obtain_from_system(fz_pool *pool, unsigned size_class, size_t nbytes, size_t charge,
                                    void **memory) {
    block *b = block_create(size_class);
    if (b == NULL && fz_pool_trim(pool) > 0) b = block_create(size_class);
    pthread_mutex_lock(&pool->lock);
    if (b != NULL) {
        hand_out(pool, b, nbytes);
    } else {
        pool->stats.bytes_in_use -= charge;
        pool->size_in_use -= class_size(size_class);
    }
    pthread_mutex_unlock(&pool->lock);
    if (b == NULL) return fz__fail(FZ_ERROR_MEMORY, "pool: the system has no %zu bytes left", nbytes);
    *memory = b->memory;
    return FZ_OK;
}

/* A new block, for which `charge` bytes (nbytes, less if it takes another's place) are counted. */
static fz_status obtain(fz_pool *pool, size_t nbytes, size_t charge, void **memory) {
    if (nbytes > PTRDIFF_MAX) {
        return fz__fail(FZ_ERROR_MEMORY, "pool: %zu bytes asked for; no block can be that large", nbytes);
    }
    unsigned size_class = class_of(nbytes);

    pthread_mutex_lock(&pool->lock);
    size_t left = available(pool);
    if (charge > left) {
        pthread_mutex_unlock(&pool->lock);
        return fz__fail(FZ_ERROR_MEMORY, "pool: %zu %sbytes asked for, %zu available of a capacity of %zu",
                        charge, charge < nbytes ? "more " : "", left, pool->stats.capacity);
    }
    pool->stats.bytes_in_use += charge;
    pool->size_in_use += class_size(size_class);
    block *b = reserve_take_newest(pool, size_class), *leaving = NULL;
    if (b != NULL) {
        pool->stats.reuse_count++;
        hand_out(pool, b, nbytes);
        *memory = b->memory;
    } else {
        leaving = reserve_evict(pool, reserve_room(pool));
    }
    pthread_mutex_unlock(&pool->lock);
    blocks_free(leaving);
    return b != NULL ? FZ_OK : obtain_from_system(pool, size_class, nbytes, charge, memory);
}

fz_status fz_pool_allocate(fz_pool *pool, size_t nbytes, void **memory) {
    return obtain(pool, nbytes, nbytes, memory);
}

static fz_status fail_foreign(const void *memory) {
    return fz__fail(FZ_ERROR_VALUE, "pool: %p is no block of this pool, or is deallocated already", memory);
}

fz_status fz_pool_deallocate(fz_pool *pool, void *memory) {
    pthread_mutex_lock(&pool->lock);
    block *b = table_take(pool, memory), *leaving = NULL;
    if (b != NULL) leaving = take_back(pool, b, b->asked);
    pthread_mutex_unlock(&pool->lock);
    blocks_free(leaving);
    return b != NULL ? FZ_OK : fail_foreign(memory);
}

/* Resizes a block that is not in the table within its size class, if the capacity allows it. */
static bool resize_in_place(fz_pool *pool, block *b, size_t nbytes) {
    if (class_of(nbytes) != b->size_class) return false;
    if (nbytes > b->asked && nbytes - b->asked > available(pool)) return false;
    pool->stats.bytes_in_use = pool->stats.bytes_in_use - b->asked + nbytes;
    note_peak(pool);
    b->asked = nbytes;
    expose(b, nbytes);
    return true;
}

/* While contents move, the old block is in no list: whoever deallocates it meanwhile is refused, and the
   larger of both sizes is counted. */
fz_status fz_pool_reallocate(fz_pool *pool, void *memory, size_t nbytes, void **moved) {
    if (memory == NULL) return fz_pool_allocate(pool, nbytes, moved);
    pthread_mutex_lock(&pool->lock);
    block *b = table_take(pool, memory);
    bool resized = b != NULL && resize_in_place(pool, b, nbytes);
    if (resized) table_put(pool, b);
    pthread_mutex_unlock(&pool->lock);
    if (b == NULL) return fail_foreign(memory);
    if (resized) {
        *moved = memory;
        return FZ_OK;
    }

    bool grows = nbytes > b->asked;
    void *destination = NULL;
    fz_status status = obtain(pool, nbytes, grows ? nbytes - b->asked : 0, &destination);
    if (status == FZ_OK) memcpy(destination, memory, grows ? b->asked : nbytes);

    block *leaving = NULL;
    pthread_mutex_lock(&pool->lock);
    if (status == FZ_OK) {
        leaving = take_back(pool, b, grows ? 0 : b->asked - nbytes);
    } else {
        table_put(pool, b);
    }
    pthread_mutex_unlock(&pool->lock);
    blocks_free(leaving);
    if (status == FZ_OK) *moved = destination;
    return status;
}

size_t fz_pool_available(fz_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    size_t left = available(pool);
    pthread_mutex_unlock(&pool->lock);
    return left;
}

void fz_pool_get_stats(fz_pool *pool, fz_pool_stats *stats) {
    pthread_mutex_lock(&pool->lock);
    *stats = pool->stats;
    pthread_mutex_unlock(&pool->lock);
}

size_t fz_pool_trim(fz_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    size_t reserved = pool->stats.bytes_reserved;
    block *leaving = reserve_evict(pool, 0);
    pthread_mutex_unlock(&pool->lock);
    blocks_free(leaving);
    return reserved;
}

/* ---- workspaces ---------------------------------------------------------------------------------------- */

#define WORKSPACE_RESERVE ((size_t)64 << 20)

static fz_pool workspaces;

/* Not at first need: a child of a fork meanwhile would wait for a thread that it does not have. */
void fz__memory_init(void) {
    pthread_atfork(before_fork, after_fork, after_fork);
    pool_init(&workspaces, SIZE_MAX, SIZE_MAX, WORKSPACE_RESERVE);
}

void *fz__workspace_acquire(const char *operation, size_t nbytes) {
    void *workspace;
    if (fz_pool_allocate(&workspaces, nbytes, &workspace) == FZ_OK) return workspace;
    fz__fail(FZ_ERROR_MEMORY, "%s: no memory for %zu bytes of scratch", operation, nbytes);
    return NULL;
}

void fz__workspace_release(void *workspace) {
    if (workspace != NULL) fz_pool_deallocate(&workspaces, workspace);
}

fz_status fz__check_scratch(const char *operation, double nbytes) {
    const double most = 0x1p48; /* addresses of processes have as many bits, or fewer */
    if (nbytes <= most) return FZ_OK;
    return fz__fail(FZ_ERROR_MEMORY, "%s: no memory for %.0f bytes of scratch", operation, nbytes);
}
