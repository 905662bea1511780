/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while states are watched and channels shut down:
 * what was told is whole, and the shutdown is complete when memory is back.
 *   shutdown_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"

enum { HANG_S = 20 };

static void check_status(muster_status status)
{
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_UNAVAILABLE && status != MUSTER_TIMEOUT) {
        passes_die(muster_status_name(status));
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
            passes_die("an event is missing");
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

static bool run(void *arg, const passes_failure *failure)
{
    muster_channel *channel = NULL;
    muster_state_watcher *watcher = NULL;
    told self = {.has_any = false};
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S);
    if (muster_channel_create("script:///oom", NULL, &channel, NULL) !=
        MUSTER_OK) {
        passes_die("no channel");
    }
    report("10.0.0.1:1");
    failing_malloc_arm(failure->countdown, failure->n);
    live(channel, &self, &watcher);
    has_failed = failing_malloc_disarm();
    if (muster_channel_shutdown(channel, 0, NULL) != MUSTER_OK) {
        passes_die("no shutdown after memory came back");
    }
    muster_channel_destroy(channel);
    muster_state_watcher_destroy(watcher);
    if (watcher != NULL && self.state != MUSTER_SHUTDOWN) {
        passes_die("the last event is missing");
    }
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    script_register();
    return passes_run(argc, argv, run, NULL);
}
