/* How many CPUs this process may use: its affinity, and the quota of every cgroup (v2 or v1) above it. And which one a
   thread is better not on. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#ifdef __linux__
/* Room for 16384 CPUs, twice as many as kernels are built for: a cpu_set_t alone has it for 1024, and a kernel that
   may have more refuses to fill it. */
typedef struct affinity {
    cpu_set_t cpus[16];
} affinity;

/* Of a thread, 0 being the calling one and the process's number the one that main() runs on. */
static bool get_affinity(pid_t thread, affinity *a) {
    return sched_getaffinity(thread, sizeof *a, a->cpus) == 0;
}
#endif

/* Not the calling thread's: that may have been bound to a CPU for its own work. */
static int count_process_cpus(void) {
#ifdef __linux__
    affinity process;
    if (get_affinity(getpid(), &process)) return CPU_COUNT_S(sizeof process, process.cpus);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

/* The number that a file begins with; false for "max" or no file. */
static bool read_number(const char *directory, const char *name, double *value) {
    char path[4352];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool found = fscanf(file, "%lf", value) == 1;
    fclose(file);
    return found;
}

/* cgroup v2's cpu.max holds "quota period"; v1 has a file for each. */
static double directory_quota(const char *directory) {
    double quota, period;
    char path[4352], line[64] = "";
    snprintf(path, sizeof path, "%s/cpu.max", directory);
    FILE *file = fopen(path, "re");
    if (file) {
        const bool read = fgets(line, sizeof line, file) && sscanf(line, "%lf %lf", &quota, &period) == 2;
        fclose(file);
        if (read && quota > 0 && period > 0) return quota / period;
    }
    if (read_number(directory, "cpu.cfs_quota_us", &quota) && quota > 0 &&
        read_number(directory, "cpu.cfs_period_us", &period) && period > 0)
        return quota / period;
    return 1e9;
}

/* The smallest quota of the cgroup `path` below `mount` and of all groups above it. */
static double smallest_quota(const char *mount, const char *path) {
    char directory[4300];
    snprintf(directory, sizeof directory, "%s%s", mount, strcmp(path, "/") ? path : "");
    double smallest = 1e9;
    while (strlen(directory) >= strlen(mount)) {
        const double quota = directory_quota(directory);
        smallest = quota < smallest ? quota : smallest;
        char *last = strrchr(directory, '/');
        if (!last) break;
        *last = '\0';
    }
    return smallest;
}

/* Is "cpu" among the names between commas? */
static bool names_cpu(const char *controllers) {
    for (const char *name = controllers; name; name = strchr(name, ',')) {
        name += *name == ',';
        if (strcspn(name, ",") == 3 && strncmp(name, "cpu", 3) == 0) return true;
    }
    return false;
}

/* A line of /proc/self/cgroup is "id:controllers:path"; v2 has no controllers. */
static double cgroup_quota(void) {
    double smallest = 1e9;
    char line[4200];
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file) return smallest;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        controllers++;
        const bool v2 = *controllers == '\0';
        if (!v2 && !names_cpu(controllers)) continue;
        const double quota = smallest_quota(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu", path);
        smallest = quota < smallest ? quota : smallest;
    }
    fclose(file);
    return smallest;
}

int fz_usable_cpus(void) {
    const double quota = cgroup_quota();
    const int cpus = count_process_cpus();
    return quota < cpus ? (quota < 1 ? 1 : (int)quota) : cpus;
}

int fz__current_cpu(void) {
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

void fz__use_process_cpus(void) {
#ifdef __linux__
    affinity process;
    if (get_affinity(getpid(), &process)) sched_setaffinity(0, sizeof process, process.cpus);
#endif
}

void fz__leave_cpu(int cpu) {
#ifdef __linux__
    affinity own;
    if (cpu < 0 || sched_getcpu() != cpu || !get_affinity(0, &own)) return;
    if (!CPU_ISSET_S(cpu, sizeof own, own.cpus) || CPU_COUNT_S(sizeof own, own.cpus) == 1) return;
    CPU_CLR_S(cpu, sizeof own, own.cpus);
    sched_setaffinity(0, sizeof own, own.cpus);
    CPU_SET_S(cpu, sizeof own, own.cpus);
    sched_setaffinity(0, sizeof own, own.cpus);
#else
    (void)cpu;
#endif
}
