/* SPDX-License-Identifier: Apache-2.0 */
/* Runs in which an allocation fails, and what they leave behind. */
#include "passes.h"

#include <malloc.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "failing_malloc.h"

/* What malloc may keep of passes that lost nothing. */
enum { SLACK_BYTES = 4096, PASSES = 4, WARM_PASS = 2, PATIENCE_S = 5 };

static uint64_t run_number;

void passes_die(const char *what)
{
    (void)failing_malloc_disarm();
    (void)fprintf(stderr, "allocation %llu: %s\n",
                  (unsigned long long)run_number, what);
    exit(1);
}

static uint64_t run_all(passes_run_fn run, void *arg, uint64_t first,
                        uint64_t last, passes_failure failure)
{
    for (run_number = first; run_number <= last; run_number++) {
        failure.countdown = run_number;
        if (!run(arg, &failure)) {
            return run_number - first;
        }
    }
    return last - first + 1;
}

static time_t now_s(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* The control thread may still free what the last run used. */
static int judge(size_t before)
{
    const time_t deadline = now_s() + PATIENCE_S;
    size_t after = mallinfo2().uordblks;

    while (after > before + SLACK_BYTES && now_s() < deadline) {
        (void)sched_yield();
        after = mallinfo2().uordblks;
    }
    if (after > before + SLACK_BYTES) {
        (void)fprintf(stderr, "%zu bytes leaked\n", after - before);
        return 1;
    }
    return 0;
}

uint64_t passes_count(passes_run_fn run, void *arg)
{
    return run_all(run, arg, 1, UINT64_MAX, (passes_failure){.n = 1});
}

int passes_run(int argc, char **argv, passes_run_fn run, void *arg)
{
    static const uint64_t n_failing[PASSES] = {1, 8, 1, 8};
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const uint64_t last = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
    size_t before = 0;

    for (int pass = 0; pass < PASSES; pass++) {
        const passes_failure failure = {.n = n_failing[pass], .pass = pass};

        before = pass == WARM_PASS ? mallinfo2().uordblks : before;
        (void)printf(
            "%llu allocations failed, %llu at a time\n",
            (unsigned long long)run_all(run, arg, first, last, failure),
            (unsigned long long)failure.n);
    }
    return judge(before);
}

int passes_repeat(uint64_t (*count_all)(void), int n_rounds)
{
    const uint64_t n = count_all();
    size_t before;

    (void)printf("%llu allocations failed\n", (unsigned long long)n);
    before = mallinfo2().uordblks;
    for (int i = 0; i < n_rounds; i++) {
        (void)count_all();
    }
    return n > 0 ? judge(before) : 1;
}
