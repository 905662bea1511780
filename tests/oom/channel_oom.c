/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a channel's life fails once, each in a run of its own:
 * nothing crashes, hangs or leaks, every error is an error, and when memory is
 * back the channel serves the newest list.
 *   channel_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"

enum { ENDPOINTS = 40, HANG_S = 20 };

#define CONFIG(timeout)                                                        \
    "{\"methodConfig\": [{\"name\": [{}], \"timeout\": \"" timeout "\"}], "    \
    "\"loadBalancingConfig\": [{\"round_robin\": {\"strict\": true}}]}"

#define NINE_S UINT64_C(9000000000)

static muster_endpoint list[ENDPOINTS];
static char addresses[ENDPOINTS][24];

static void report(unsigned first, unsigned n, uint32_t weight_step,
                   const char *config)
{
    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.%u.1:80",
                       first + i);
        list[i].address = addresses[i];
        list[i].weight = 1 + i * weight_step;
        list[i].priority = 0;
        list[i].zone = "here";
    }
    script_report_config("oom", list, n, config);
}

static void check_status(muster_status status)
{
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_QUEUED && status != MUSTER_UNAVAILABLE &&
        status != MUSTER_TIMEOUT) {
        passes_die(muster_status_name(status));
    }
}

static void pick_some(muster_channel *channel)
{
    for (int i = 0; i < 3; i++) {
        muster_lease lease = {0};
        check_status(muster_channel_pick(channel, NULL, &lease, NULL));
        muster_lease_finish(&lease, NULL);
    }
}

static void on_pick(void *arg, muster_status status, muster_lease *lease,
                    const muster_error *err)
{
    (void)arg;
    (void)err;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
}

/* A wait for the control thread that needs no memory. */
static void barrier(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
}

static void live(muster_channel *channel)
{
    char *json = NULL;

    report(0, 20, 0, NULL);
    barrier(channel);
    pick_some(channel);
    report(10, 20, 1, NULL); /* weights differ: another policy, and a table */
    barrier(channel);
    pick_some(channel);
    check_status(muster_channel_pick_async(channel, NULL, on_pick, NULL, NULL));
    check_status(muster_channel_dump_json(channel, &json));
    free(json);
    report(30, ENDPOINTS, 0, CONFIG("8s"));
    barrier(channel);
    pick_some(channel);
}

/* Memory is back: the newest list must come to serve. */
static void recover(muster_channel *channel)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_method_config method = {.struct_size = sizeof method};
    struct timespec now;

    report(50, 5, 0, CONFIG("9s"));
    do {
        muster_lease lease = {0};
        clock_gettime(CLOCK_MONOTONIC, &now);
        call.deadline_ns =
            (uint64_t)(now.tv_sec + HANG_S) * UINT64_C(1000000000);
        if (muster_channel_pick_wait(channel, &call, &lease, NULL) !=
            MUSTER_OK) {
            passes_die("no endpoint after memory came back");
        }
        muster_lease_finish(&lease, NULL);
        (void)muster_channel_get_stats(channel, &stats);
        (void)muster_channel_get_method_config(channel, "/a/b", &method);
    } while (method.timeout_ns != NINE_S || stats.endpoints != 5 ||
             stats.ready != 5 || stats.draining != 0);
}

static bool run(void *arg, const passes_failure *failure)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2,
                                            .service_config =
                                                "{\"muster\": {}}"};
    muster_channel *channel = NULL;
    muster_status status;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S * 2);
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster_channel_create("script:///oom", &options, &channel, NULL);
    if (status == MUSTER_OK) {
        live(channel);
        has_failed = failing_malloc_disarm();
        recover(channel);
        muster_channel_destroy(channel);
    } else {
        check_status(status);
        has_failed = failing_malloc_disarm();
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
