/* The pool allocator and the workspaces, through the functions that the rest of the library uses. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"
#include "internal.h"

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

static fz_pool *new_pool(size_t capacity) {
    fz_pool *pool = NULL;
    CHECK(fz_pool_create(capacity, &pool) == FZ_OK);
    return pool;
}

static fz_pool_stats stats_of(fz_pool *pool) {
    fz_pool_stats stats;
    fz_pool_get_stats(pool, &stats);
    return stats;
}

static void *allocate(fz_pool *pool, size_t nbytes) {
    void *block = NULL;
    CHECK(fz_pool_allocate(pool, nbytes, &block) == FZ_OK, "%s", fz_error_message());
    return block;
}

/* A block's contents, so that two blocks that share memory are noticed. */
static void fill(void *block, size_t nbytes, unsigned char value) {
    if (nbytes != 0) memset(block, value, nbytes);
}

static bool is_filled(const void *block, size_t nbytes, unsigned char value) {
    const unsigned char *bytes = block;
    for (size_t i = 0; i < nbytes; i++) {
        if (bytes[i] != value) return false;
    }
    return true;
}

static void test_create(void) {
    check_case("create");
    fz_pool *pool = NULL;
    CHECK(fz_pool_create(0, &pool) == FZ_ERROR_VALUE);
    CHECK(pool == NULL);
    CHECK(strstr(fz_error_message(), "capacity") != NULL);

    pool = new_pool(1000);
    fz_pool_stats stats = stats_of(pool);
    fz_pool_stats nothing_yet = {.capacity = 1000};
    CHECK(memcmp(&stats, &nothing_yet, sizeof stats) == 0);
    CHECK(fz_pool_available(pool) == 1000);
    CHECK(fz_pool_trim(pool) == 0);
    fz_pool_retain(pool);
    fz_pool_release(pool);
    CHECK(fz_pool_available(pool) == 1000, "a retained pool outlives a release");
    fz_pool_release(pool);
}

/* Sizes around every class boundary up to several huge pages, all out at one time. */
static void test_alignment_and_extent(void) {
    enum { MOST = 400 };
    static void *blocks[MOST];
    static size_t sizes[MOST];
    size_t count = 0;
    fz_pool *pool = new_pool(1024 * MB);
    for (size_t power = 64; power <= 4 * MB; power *= 2) {
        for (size_t eighth = 8; eighth < 16; eighth++) {
            for (size_t beside = 0; beside < 2; beside++) sizes[count++] = power / 8 * eighth + beside;
        }
    }
    CHECK(count <= MOST);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        check_case("a block of %zu bytes", sizes[i]);
        blocks[i] = allocate(pool, sizes[i]);
        CHECK((uintptr_t)blocks[i] % 64 == 0);
        fill(blocks[i], sizes[i], (unsigned char)i);
        total += sizes[i];
        CHECK(stats_of(pool).bytes_in_use == total);
    }
    for (size_t i = 0; i < count; i++) {
        check_case("a block of %zu bytes", sizes[i]);
        CHECK(is_filled(blocks[i], sizes[i], (unsigned char)i), "no two blocks share memory");
        size_t reserved = stats_of(pool).bytes_reserved;
        CHECK(fz_pool_deallocate(pool, blocks[i]) == FZ_OK);
        size_t rounded = stats_of(pool).bytes_reserved - reserved;
        CHECK(rounded >= sizes[i] && rounded % 64 == 0);
        CHECK(rounded < sizes[i] + 64 || rounded - sizes[i] <= sizes[i] / 8, "rounded to %zu", rounded);
    }
    fz_pool_stats stats = stats_of(pool);
    CHECK(stats.bytes_in_use == 0 && stats.bytes_peak == total && stats.blocks_in_use == 0);
    CHECK(stats.alloc_count == count && stats.dealloc_count == count);
    CHECK(fz_pool_trim(pool) == stats.bytes_reserved);
    CHECK(stats_of(pool).bytes_reserved == 0);
    fz_pool_release(pool);
}

static void test_reuse(void) {
    for (size_t nbytes = 100; nbytes <= 10 * MB; nbytes *= 10) {
        check_case("reuse of %zu bytes", nbytes);
        fz_pool *pool = new_pool(32 * MB);
        void *first = allocate(pool, nbytes), *second = allocate(pool, nbytes);
        CHECK(fz_pool_deallocate(pool, first) == FZ_OK);
        CHECK(fz_pool_deallocate(pool, second) == FZ_OK);
        CHECK(stats_of(pool).bytes_reserved >= 2 * nbytes);
        CHECK(allocate(pool, nbytes) == second, "the newest returns first");
        CHECK(allocate(pool, nbytes) == first);
        fz_pool_stats stats = stats_of(pool);
        CHECK(stats.reuse_count == 2 && stats.bytes_reserved == 0 && stats.alloc_count == 4);
        fz_pool_release(pool);
    }
}

static void test_whole_capacity_is_reused(void) {
    check_case("the whole capacity as one block, or as two");
    const size_t capacity = 1000 * KB + 1;
    fz_pool *pool = new_pool(capacity);
    void *block = allocate(pool, capacity);
    CHECK(fz_pool_deallocate(pool, block) == FZ_OK);
    CHECK(allocate(pool, capacity) == block);
    CHECK(fz_pool_deallocate(pool, block) == FZ_OK);
    for (int round = 0; round < 3; round++) {
        void *one = allocate(pool, capacity / 2), *two = allocate(pool, capacity / 2);
        CHECK(fz_pool_deallocate(pool, one) == FZ_OK && fz_pool_deallocate(pool, two) == FZ_OK);
    }
    CHECK(stats_of(pool).reuse_count == 5);
    fz_pool_release(pool);
}

static void test_capacity(void) {
    check_case("capacity");
    fz_pool *pool = new_pool(5000);
    void *kept = allocate(pool, 3000), *refused = kept;
    CHECK(fz_pool_allocate(pool, 2001, &refused) == FZ_ERROR_MEMORY);
    CHECK(strstr(fz_error_message(), "2001") && strstr(fz_error_message(), "2000") &&
              strstr(fz_error_message(), "5000"),
          "%s", fz_error_message());
    CHECK(fz_pool_available(pool) == 2000);
    void *rest = allocate(pool, 2000);
    CHECK(fz_pool_available(pool) == 0, "the last byte can be had");
    CHECK(fz_pool_allocate(pool, 1, &refused) == FZ_ERROR_MEMORY);
    CHECK(refused == kept, "a refusal writes nothing");
    fz_pool_stats stats = stats_of(pool);
    CHECK(stats.alloc_count == 2 && stats.blocks_in_use == 2 && stats.bytes_peak == 5000);
    CHECK(fz_pool_deallocate(pool, kept) == FZ_OK && fz_pool_available(pool) == 3000);
    CHECK(fz_pool_deallocate(pool, rest) == FZ_OK && fz_pool_available(pool) == 5000);
    fz_pool_release(pool);
}

static void test_zero_bytes(void) {
    check_case("zero bytes");
    fz_pool *pool = new_pool(1);
    void *a = allocate(pool, 0), *b = allocate(pool, 0), *c = allocate(pool, 1);
    CHECK(a != NULL && b != NULL && a != b && a != c && b != c);
    CHECK(stats_of(pool).bytes_in_use == 1 && stats_of(pool).blocks_in_use == 3);
    CHECK(fz_pool_deallocate(pool, a) == FZ_OK && fz_pool_deallocate(pool, a) == FZ_ERROR_VALUE);
    CHECK(fz_pool_deallocate(pool, b) == FZ_OK && fz_pool_deallocate(pool, c) == FZ_OK);
    fz_pool_release(pool);
}

static void test_huge_sizes(void) {
    fz_pool *pool = new_pool(SIZE_MAX);
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX,
                                   PTRDIFF_MAX / 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_case("%zu bytes", sizes[i]);
        void *block = NULL;
        CHECK(fz_pool_allocate(pool, sizes[i], &block) == FZ_ERROR_MEMORY);
        CHECK(block == NULL && fz_error_message()[0] != '\0');
        CHECK(fz_pool_available(pool) == SIZE_MAX && stats_of(pool).blocks_in_use == 0);
    }
    check_case("what the system refuses is tried again without the reserve");
    void *small = allocate(pool, 100 * KB), *block = NULL;
    CHECK(fz_pool_deallocate(pool, small) == FZ_OK && stats_of(pool).bytes_reserved > 0);
    CHECK(fz_pool_allocate(pool, PTRDIFF_MAX, &block) == FZ_ERROR_MEMORY);
    CHECK(stats_of(pool).bytes_reserved == 0);
    fz_pool_release(pool);
}

static void test_foreign_pointers(void) {
    fz_pool *pool = new_pool(8 * MB), *other = new_pool(8 * MB);
    int local;
    for (size_t nbytes = 10; nbytes <= 4 * MB; nbytes *= 16) {
        check_case("foreign pointers beside %zu bytes", nbytes);
        char *block = allocate(pool, nbytes);
        void *foreign[] = {NULL, &local, block + 1, block + 64, allocate(other, nbytes), (void *)UINTPTR_MAX};
        for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
            CHECK(fz_pool_deallocate(pool, foreign[i]) == FZ_ERROR_VALUE, "pointer %zu", i);
            void *moved = NULL;
            CHECK(foreign[i] == NULL || fz_pool_reallocate(pool, foreign[i], 5, &moved) == FZ_ERROR_VALUE);
            CHECK(moved == NULL);
        }
        CHECK(fz_pool_deallocate(pool, block) == FZ_OK);
        CHECK(fz_pool_deallocate(pool, block) == FZ_ERROR_VALUE, "a second time");
        CHECK(strstr(fz_error_message(), "deallocated") != NULL);
        fz_pool_trim(pool);
        CHECK(fz_pool_deallocate(pool, block) == FZ_ERROR_VALUE, "and when its memory is gone");
    }
    CHECK(stats_of(pool).dealloc_count == stats_of(pool).alloc_count && fz_pool_available(pool) == 8 * MB);
    fz_pool_release(pool);
    fz_pool_release(other);
}

static void test_reallocate(void) {
    fz_pool *pool = new_pool(16 * MB);
    static const size_t sizes[] = {10, 60, 64, 65, 5000, 100000, 3000000, 9000000, 9000001, 70000, 300, 0, 1};
    void *block = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_case("reallocate to %zu bytes", sizes[i]);
        CHECK(fz_pool_reallocate(pool, block, sizes[i], &block) == FZ_OK, "%s", fz_error_message());
        CHECK((uintptr_t)block % 64 == 0);
        CHECK(is_filled(block, kept < sizes[i] ? kept : sizes[i], 0xA5), "contents move");
        fill(block, sizes[i], 0xA5);
        kept = sizes[i];
        fz_pool_stats stats = stats_of(pool);
        CHECK(stats.blocks_in_use == 1 && stats.bytes_in_use == sizes[i]);
        CHECK(stats.alloc_count - stats.dealloc_count == 1);
    }
    fz_pool_release(pool);
}

static void test_reallocate_refused(void) {
    check_case("a refused reallocate leaves all as it was");
    fz_pool *pool = new_pool(10000);
    void *block = allocate(pool, 6000), *moved = NULL;
    fill(block, 6000, 7);
    CHECK(fz_pool_reallocate(pool, block, 10001, &moved) == FZ_ERROR_MEMORY && moved == NULL);
    CHECK(fz_pool_reallocate(pool, block, SIZE_MAX, &moved) == FZ_ERROR_MEMORY && moved == NULL);
    CHECK(is_filled(block, 6000, 7) && fz_pool_available(pool) == 4000 && stats_of(pool).blocks_in_use == 1);
    CHECK(fz_pool_reallocate(pool, block, 10000, &moved) == FZ_OK, "only what is more needs room");
    CHECK(is_filled(moved, 6000, 7) && fz_pool_available(pool) == 0);
    CHECK(fz_pool_deallocate(pool, block) == FZ_ERROR_VALUE, "the old address is no block any more");
    CHECK(stats_of(pool).bytes_peak == 10000);
    fz_pool_release(pool);
}

static void test_reserve_of_tiny_blocks(void) {
    check_case("tiny blocks take more than was asked for, and do not stay");
    enum { TINY = 1000 };
    fz_pool *pool = new_pool(TINY);
    void *blocks[TINY];
    for (int i = 0; i < TINY; i++) blocks[i] = allocate(pool, 1);
    for (int i = 0; i < TINY; i++) CHECK(fz_pool_deallocate(pool, blocks[i]) == FZ_OK);
    size_t reserved = stats_of(pool).bytes_reserved;
    CHECK(reserved > 0 && reserved <= TINY + TINY / 8, "%zu", reserved);
    fz_pool_release(pool);
}

/* Random sizes, orders and reallocations against a plain account of what is out. */
static void test_random_traffic(size_t capacity, size_t longest, int steps) {
    enum { SLOTS = 200 };
    check_case("random traffic, capacity %zu", capacity);
    fz_pool *pool = new_pool(capacity);
    struct {
        void *block;
        size_t nbytes;
        unsigned char value;
    } slots[SLOTS] = {0};
    uint64_t random = capacity;
    size_t out = 0, peak = 0, refused = 0;
    for (int step = 0; step < steps; step++) {
        size_t i = random_below(&random, SLOTS), nbytes = random_below(&random, longest);
        bool resize = random_below(&random, 3) == 0;
        if (slots[i].block != NULL) {
            CHECK(is_filled(slots[i].block, slots[i].nbytes < 64 ? slots[i].nbytes : 64, slots[i].value));
        }
        if (slots[i].block != NULL && !resize) {
            CHECK(fz_pool_deallocate(pool, slots[i].block) == FZ_OK);
            out -= slots[i].nbytes;
            slots[i].block = NULL;
        } else {
            size_t before = slots[i].block == NULL ? 0 : slots[i].nbytes;
            void *block = NULL;
            fz_status status = fz_pool_reallocate(pool, slots[i].block, nbytes, &block);
            CHECK((status == FZ_OK) == (out - before + nbytes <= capacity), "%zu out", out);
            if (status == FZ_OK) {
                out += nbytes - before;
                slots[i].block = block;
                slots[i].nbytes = nbytes;
                slots[i].value = (unsigned char)step;
                fill(block, nbytes < 64 ? nbytes : 64, slots[i].value);
            }
            refused += status != FZ_OK;
        }
        if (out > peak) peak = out;
        fz_pool_stats stats = stats_of(pool);
        CHECK(stats.bytes_in_use == out && stats.bytes_peak == peak);
        CHECK(stats.bytes_in_use + stats.bytes_reserved <= capacity + capacity / 8, "%zu + %zu",
              stats.bytes_in_use, stats.bytes_reserved);
    }
    fz_pool_stats stats = stats_of(pool);
    CHECK(stats.reuse_count > 0 && refused > 0, "the traffic met both");
    fz_pool_release(pool); /* with blocks out */
}

/* ---- threads --------------------------------------------------------------------------------- */

typedef struct traffic {
    fz_pool *pool;
    uint64_t random;
    atomic_bool *stop; /* NULL: after `steps` */
    int steps;
} traffic;

static void *run_traffic(void *context) {
    enum { SLOTS = 16 };
    traffic *t = context;
    struct {
        void *block;
        size_t nbytes;
    } slots[SLOTS] = {0};
    unsigned char mark = (unsigned char)t->random;
    for (int step = 0; t->stop != NULL ? !atomic_load(t->stop) : step < t->steps; step++) {
        size_t i = random_below(&t->random, SLOTS);
        if (slots[i].block != NULL) {
            CHECK(is_filled(slots[i].block, slots[i].nbytes, mark), "nobody else has this block");
            CHECK(fz_pool_deallocate(t->pool, slots[i].block) == FZ_OK);
            slots[i].block = NULL;
        } else {
            slots[i].nbytes = random_below(&t->random, 4) == 0 ? 80 * KB : random_below(&t->random, 600);
            if (fz_pool_allocate(t->pool, slots[i].nbytes, &slots[i].block) != FZ_OK) slots[i].block = NULL;
            if (slots[i].block != NULL) fill(slots[i].block, slots[i].nbytes, mark);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        if (slots[i].block != NULL) CHECK(fz_pool_deallocate(t->pool, slots[i].block) == FZ_OK);
    }
    return NULL;
}

static void test_threads(void) {
    enum { THREADS = 8 };
    check_case("%d threads on one pool", THREADS);
    fz_pool *pool = new_pool(2 * MB); /* too little at times */
    pthread_t threads[THREADS];
    traffic contexts[THREADS];
    for (int i = 0; i < THREADS; i++) {
        contexts[i] = (traffic){pool, (uint64_t)i + 1, NULL, 4000};
        CHECK(pthread_create(&threads[i], NULL, run_traffic, &contexts[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    fz_pool_stats stats = stats_of(pool);
    CHECK(stats.bytes_in_use == 0 && stats.blocks_in_use == 0 && stats.alloc_count == stats.dealloc_count);
    CHECK(stats.bytes_peak <= 2 * MB && stats.bytes_reserved <= 2 * MB + 2 * MB / 8);
    fz_pool_release(pool);
}

typedef struct contest {
    fz_pool *pool;
    void *block;
    atomic_int *won;
} contest;

static void *deallocate_once(void *context) {
    contest *c = context;
    if (fz_pool_deallocate(c->pool, c->block) == FZ_OK) atomic_fetch_add(c->won, 1);
    return NULL;
}

static void test_one_deallocate_wins(void) {
    check_case("several threads deallocate one block");
    fz_pool *pool = new_pool(MB);
    for (int round = 0; round < 50; round++) {
        atomic_int won = 0;
        contest c = {pool, allocate(pool, 1000), &won};
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, deallocate_once, &c) == 0);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        CHECK(won == 1);
    }
    CHECK(stats_of(pool).blocks_in_use == 0);
    fz_pool_release(pool);
}

/* ---- fork ------------------------------------------------------------------------------------ */

/* What a child does with pools that it inherited: returns 0 if all went well. */
static int use_inherited(fz_pool *pool, void *block) {
    alarm(20); /* a lock left locked must not hang the test */
    void *more = NULL, *workspace = fz__workspace_acquire("test", 3000);
    if (workspace == NULL) return 2;
    fz__workspace_release(workspace);
    if (!is_filled(block, 500, 3)) return 3;
    if (fz_pool_allocate(pool, 200 * KB, &more) != FZ_OK) return 4;
    fill(more, 200 * KB, 9);
    if (fz_pool_deallocate(pool, more) != FZ_OK || fz_pool_deallocate(pool, block) != FZ_OK) return 5;
    fz_pool *own = NULL;
    if (fz_pool_create(100, &own) != FZ_OK) return 6;
    fz_pool_release(own);
    return 0;
}

static void *run_workspaces(void *context) {
    atomic_bool *stop = context;
    while (!atomic_load(stop)) {
        void *workspace = fz__workspace_acquire("test", 100 * KB);
        CHECK(workspace != NULL);
        fz__workspace_release(workspace);
    }
    return NULL;
}

/* A child of threads under AddressSanitizer may find that tool's own allocator locked. */
#if defined(__SANITIZE_ADDRESS__)
enum { ALLOCATING_THREADS = 0 };
#else
enum { ALLOCATING_THREADS = 3 };
#endif

static void test_fork(void) {
    check_case("fork while other threads allocate");
    fz_pool *pool = new_pool(64 * MB);
    void *block = allocate(pool, 500);
    fill(block, 500, 3);
    atomic_bool stop = false;
    pthread_t threads[3];
    traffic contexts[2] = {{pool, 1, &stop, 0}, {pool, 2, &stop, 0}};
    for (int i = 0; i < ALLOCATING_THREADS; i++) {
        void *context = i < 2 ? (void *)&contexts[i] : (void *)&stop;
        CHECK(pthread_create(&threads[i], NULL, i < 2 ? run_traffic : run_workspaces, context) == 0);
    }
    for (int round = 0; round < 50; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) _exit(use_inherited(pool, block));
        int status = -1;
        CHECK(child > 0 && waitpid(child, &status, 0) == child);
        CHECK(status == 0, "round %d: status %x", round, status);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < ALLOCATING_THREADS; i++) pthread_join(threads[i], NULL);
    CHECK(is_filled(block, 500, 3) && stats_of(pool).blocks_in_use == 1, "the parent goes on");
    fz_pool_release(pool);
}

/* ---- workspaces ------------------------------------------------------------------------------ */

static void test_workspaces(void) {
    check_case("workspaces");
    void *first = fz__workspace_acquire("matmul", 5000), *second = fz__workspace_acquire("matmul", 5000);
    CHECK(first != NULL && second != NULL && first != second && (uintptr_t)first % 64 == 0);
    fill(first, 5000, 1);
    fill(second, 5000, 2);
    CHECK(is_filled(first, 5000, 1));
    fz__workspace_release(first);
    CHECK(fz__workspace_acquire("matmul", 5000) == first, "recycled");
    fz__workspace_release(first);
    fz__workspace_release(second);
    fz__workspace_release(NULL);

    check_case("a workspace larger than what is kept");
    char *large = fz__workspace_acquire("matmul", 100 * MB);
    if (CHECK(large != NULL)) large[0] = large[100 * MB - 1] = 1;
    fz__workspace_release(large);
    CHECK(fz__workspace_acquire("matmul", 5000) == second, "does not drive the small ones out");
    fz__workspace_release(second);

    check_case("workspaces in reserve stay within 64 MB");
    enum { LARGE = 5 };
    void *several[LARGE];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = 0;
    for (int i = 0; i < LARGE; i++) several[i] = fz__workspace_acquire("matmul", 30 * MB);
    for (int i = 0; i < LARGE; i++) fz__workspace_release(several[i]);
    for (int i = 0; i < LARGE; i++) mapped += msync(several[i], page, MS_ASYNC) == 0; /* else unmapped */
    CHECK(mapped == 2, "%zu of %d", mapped, LARGE);

    check_case("a workspace that cannot be");
    CHECK(fz__workspace_acquire("matmul", PTRDIFF_MAX) == NULL);
    CHECK(strncmp(fz_error_message(), "matmul: ", 8) == 0, "%s", fz_error_message());
}

int main(void) {
    check_begin();
    test_create();
    test_alignment_and_extent();
    test_reuse();
    test_whole_capacity_is_reused();
    test_capacity();
    test_zero_bytes();
    test_huge_sizes();
    test_foreign_pointers();
    test_reallocate();
    test_reallocate_refused();
    test_reserve_of_tiny_blocks();
    test_random_traffic(100 * KB, 3 * KB, 20000);
    test_random_traffic(20 * MB, 3 * MB, 5000);
    test_threads();
    test_one_deallocate_wins();
    test_fork();
    test_workspaces();
    return check_end();
}
