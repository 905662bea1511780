/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what a process holds, before and after. */
#include "usage.h"

#include <dirent.h>
#include <limits.h>
#include <malloc.h>

/* Less than any leak of a plugin's: what is in use varies, within bounds. */
enum { NOISE_BYTES = 8, SLACK_BYTES = 512, LEAST_TIMES = 10 };

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

/* As often as asked, unless that takes too long. */
static usage run(trial *self, unsigned *n_times, usage_fn fn, void *arg,
                 const usage *before)
{
    uint64_t deadline_ms = trial_now_ms() + self->timeout_ms / 8;
    unsigned n = 0;

    while (n < *n_times && !trial_is_over(self) &&
           trial_now_ms() < deadline_ms) {
        fn(self, arg);
        n++;
    }
    *n_times = n;
    return measure_calm(before->n_threads);
}

static void judge(trial *self, const char *what, const usage *from,
                  const usage *to, unsigned n_times)
{
    if (to->n_fds > from->n_fds) {
        trial_fail(self, "%s leaves a descriptor open: %u after %u times", what,
                   to->n_fds - from->n_fds, n_times);
    } else if (to->n_threads > from->n_threads) {
        trial_fail(self, "%s leaves a thread behind: %u after %u times", what,
                   to->n_threads - from->n_threads, n_times);
    } else {
        trial_fail(self, "%s leaves memory behind: %llu bytes each time", what,
                   (unsigned long long)(to->heap_bytes - from->heap_bytes) /
                       n_times);
    }
}

static bool has_grown(const usage *from, const usage *to, unsigned n_times)
{
    return to->n_fds > from->n_fds || to->n_threads > from->n_threads ||
           to->heap_bytes >
               from->heap_bytes + SLACK_BYTES + (uint64_t)n_times * NOISE_BYTES;
}

void usage_check(trial *self, const char *what, unsigned n_times, usage_fn fn,
                 void *arg)
{
    const usage none = {.n_threads = UINT_MAX};
    unsigned n_warm = n_times / 2;
    unsigned n_first = n_times;
    unsigned n_second = n_times;
    usage warm = run(self, &n_warm, fn, arg, &none);
    usage middle = run(self, &n_first, fn, arg, &warm);
    usage end = run(self, &n_second, fn, arg, &middle);

    /* Once is chance; too seldom tells nothing. */
    if (n_first >= LEAST_TIMES && n_second >= LEAST_TIMES &&
        has_grown(&warm, &middle, n_first) &&
        has_grown(&middle, &end, n_second)) {
        judge(self, what, &middle, &end, n_second);
    }
}
