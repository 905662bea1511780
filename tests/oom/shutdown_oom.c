/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while states are watched and channels shut down:
 * what was told is whole, and the shutdown is complete when memory is back.
 *   shutdown_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "script_resolver.h"

enum { HANG_S = 20 };

static uint64_t run_number;

static void die(const char *what)
{
    (void)failing_malloc_disarm();
    (void)fprintf(stderr, "allocation %llu: %s\n",
                  (unsigned long long)run_number, what);
    exit(1);
}

static void check_status(muster_status status)
{
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_UNAVAILABLE && status != MUSTER_TIMEOUT) {
        die(muster_status_name(status));
    }
}

/* What one watcher knows of the channel: touched by the control thread. */
typedef struct told {
    bool has_any;
    muster_connectivity state;
} told;

static void on_state(void *arg, const muster_state_event *event)
{
    told *self = arg;

    if (event->kind == MUSTER_STATE_CHANNEL) {
        if (event->previous != (self->has_any ? self->state : event->state)) {
            die("an event is missing");
        }
        self->has_any = true;
        self->state = event->state;
    }
}

static void on_shutdown(void *arg, int number,
                        const muster_shutdown_numbers *numbers)
{
    (void)arg;
    (void)number;
    (void)numbers;
}

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

static void report(const char *address)
{
    muster_endpoint endpoint = {.address = address};

    script_report("oom", &endpoint, 1);
}

/* Waiting itself needs no memory. */
static void live(muster_channel *channel, told *self,
                 muster_state_watcher **ret_watcher)
{
    check_status(
        muster_channel_watch_state(channel, NULL, on_state, self, ret_watcher));
    report("10.0.0.2:1");
    check_status(
        muster_channel_wait_for_state(channel, MUSTER_READY, in_ms(50)));
    muster_channel_reset_backoff(channel);
    muster_channel_connect(channel);
    check_status(muster_shutdown_on_signals(1, on_shutdown, NULL, NULL));
    muster_shutdown_off_signals();
    check_status(muster_shutdown_all(1, NULL));
    check_status(muster_channel_shutdown(channel, 1, NULL));
}

static bool run(uint64_t countdown, uint64_t n_failing)
{
    muster_channel *channel = NULL;
    muster_state_watcher *watcher = NULL;
    told self = {.has_any = false};
    bool has_failed;

    (void)alarm(HANG_S);
    if (muster_channel_create("script:///oom", NULL, &channel, NULL) !=
        MUSTER_OK) {
        die("no channel");
    }
    report("10.0.0.1:1");
    failing_malloc_arm(countdown, n_failing);
    live(channel, &self, &watcher);
    has_failed = failing_malloc_disarm();
    if (muster_channel_shutdown(channel, 0, NULL) != MUSTER_OK) {
        die("no shutdown after memory came back");
    }
    muster_channel_destroy(channel);
    muster_state_watcher_destroy(watcher);
    if (watcher != NULL && self.state != MUSTER_SHUTDOWN) {
        die("the last event is missing");
    }
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

static uint64_t run_all(uint64_t first, uint64_t last, uint64_t n_failing)
{
    for (run_number = first; run_number <= last; run_number++) {
        if (!run(run_number, n_failing)) {
            return run_number - first;
        }
    }
    return last - first + 1;
}

/* The first passes also warm up what is kept for good. */
int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t last = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
    static const uint64_t n_failing[] = {1, 8, 1, 8};
    size_t before = 0;
    size_t after;

    script_register();
    for (int pass = 0; pass < 4; pass++) {
        before = pass == 2 ? mallinfo2().uordblks : before;
        uint64_t n = run_all(first, last, n_failing[pass]);
        (void)printf("%llu allocations failed, %llu at a time\n",
                     (unsigned long long)n,
                     (unsigned long long)n_failing[pass]);
    }
    after = mallinfo2().uordblks;
    if (after > before + 4096) {
        (void)fprintf(stderr, "%zu bytes leaked\n", after - before);
        return 1;
    }
    return 0;
}
