/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what a process holds, before and after. */
#include "usage.h"

#include <dirent.h>
#include <malloc.h>

/* Less than any leak of a plugin's: what allocators do is not exact. */
enum { NOISE_BYTES = 8 };

typedef struct usage {
    uint64_t heap_bytes; /* 0 under a sanitizer, which has no mallinfo2() */
    unsigned n_fds;
    unsigned n_threads;
} usage;

static unsigned count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    unsigned n = 0;

    if (dir == NULL) {
        return 0;
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static usage measure(void)
{
    struct mallinfo2 heap = mallinfo2();

    return (usage){heap.uordblks + heap.hblkhd, count_entries("/proc/self/fd"),
                   count_entries("/proc/self/task")};
}

/* A thread that was joined leaves /proc a moment later. */
static usage measure_calm(unsigned n_threads)
{
    uint64_t deadline_ms = trial_now_ms() + 1000;
    usage now = measure();

    while (now.n_threads > n_threads && trial_now_ms() < deadline_ms) {
        now = measure();
    }
    return now;
}

static usage run(trial *self, unsigned n_times, usage_fn fn, void *arg,
                 const usage *before)
{
    for (unsigned i = 0; i < n_times && !trial_is_over(self); i++) {
        fn(self, arg);
    }
    return measure_calm(before->n_threads);
}

void usage_check(trial *self, const char *what, unsigned n_times, usage_fn fn,
                 void *arg)
{
    const usage none = {.n_threads = 1000};
    usage warm = run(self, n_times / 2, fn, arg, &none);
    usage middle = run(self, n_times, fn, arg, &warm);
    usage end = run(self, n_times, fn, arg, &middle);
    uint64_t least = (uint64_t)n_times * NOISE_BYTES;

    if (middle.n_fds > warm.n_fds && end.n_fds > middle.n_fds) {
        trial_fail(self, "%s leaves a descriptor open: %u after %u times", what,
                   end.n_fds - warm.n_fds, 2 * n_times);
    }
    if (middle.n_threads > warm.n_threads && end.n_threads > middle.n_threads) {
        trial_fail(self, "%s leaves a thread behind: %u after %u times", what,
                   end.n_threads - warm.n_threads, 2 * n_times);
    }
    if (middle.heap_bytes > warm.heap_bytes + least &&
        end.heap_bytes > middle.heap_bytes + least) {
        trial_fail(self, "%s leaves memory behind: %llu bytes each time", what,
                   (unsigned long long)(end.heap_bytes - middle.heap_bytes) /
                       n_times);
    }
}
