/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while a second channel joins a target whose list
 * is known, each in a run of its own: when memory is back that channel serves
 * the list, though the resolver says nothing more.
 *   sharing_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"
#include "timing.h"

enum { ENDPOINTS = 3, HANG_S = 20 };

#define TARGET "sharing"

static const char *const addresses[ENDPOINTS] = {"10.0.0.1:1", "10.0.0.2:1",
                                                 "10.0.0.3:1"};

static muster_status open_channel(muster_channel **ret_channel)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2};

    return muster_channel_create("script:///" TARGET, &options, ret_channel,
                                 NULL);
}

/* Waits for the control thread, which has greeted by then whom it could. */
static uint64_t count_ready(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    return stats.ready;
}

static void await_ready(muster_channel *channel)
{
    const time_t begin = time(NULL);

    while (count_ready(channel) != ENDPOINTS) {
        if (time(NULL) > begin + HANG_S) {
            passes_die("no list after memory came back");
        }
    }
}

/* Whether the countdown-th allocation was reached. */
static bool join(const passes_failure *failure)
{
    muster_channel *second = NULL;
    muster_status status;
    bool has_failed;

    failing_malloc_arm(failure->countdown, failure->n);
    status = open_channel(&second);
    if (status == MUSTER_OK) {
        (void)count_ready(second);
    } else if (status != MUSTER_NOMEM) {
        passes_die(muster_status_name(status));
    }
    has_failed = failing_malloc_disarm();
    if (status == MUSTER_OK) {
        await_ready(second);
    }
    muster_channel_destroy(second);
    return has_failed;
}

static bool run(void *arg, const passes_failure *failure)
{
    muster_channel *first = NULL;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S * 2);
    if (open_channel(&first) != MUSTER_OK) {
        passes_die("no channel");
    }
    script_report_addresses(TARGET, addresses, ENDPOINTS);
    await_ready(first);
    has_failed = join(failure);
    muster_channel_destroy(first);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    muster__timing_scale_waits_for_test(100);
    script_register();
    return passes_run(argc, argv, run, NULL);
}
