/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a channel's life fails once, each in a run of its own:
 * nothing crashes, hangs or leaks, every error is an error, and when memory is
 * back the channel serves the newest list.
 *   channel_oom [FIRST [LAST]] */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "script_resolver.h"

enum { ENDPOINTS = 40, HANG_S = 20 };

#define CONFIG(timeout)                                                        \
    "{\"methodConfig\": [{\"name\": [{}], \"timeout\": \"" timeout "\"}], "    \
    "\"loadBalancingConfig\": [{\"round_robin\": {\"strict\": true}}]}"

#define NINE_S UINT64_C(9000000000)

static uint64_t run_number;

static void die(const char *what)
{
    (void)failing_malloc_disarm();
    (void)fprintf(stderr, "allocation %llu: %s\n",
                  (unsigned long long)run_number, what);
    exit(1);
}

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
        die(muster_status_name(status));
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
            die("no endpoint after memory came back");
        }
        muster_lease_finish(&lease, NULL);
        (void)muster_channel_get_stats(channel, &stats);
        (void)muster_channel_get_method_config(channel, "/a/b", &method);
    } while (method.timeout_ns != NINE_S || stats.endpoints != 5 ||
             stats.ready != 5 || stats.draining != 0);
}

static bool run(muster_testkit_transport *transport, uint64_t countdown,
                uint64_t n_failing)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 1,
                                      .max_backoff_ms = 2,
                                      .service_config = "{\"muster\": {}}"};
    muster_channel *channel = NULL;
    muster_status status;
    bool has_failed;

    if (transport != NULL) {
        options.transport = muster_testkit_transport_class();
        options.transport_arg = transport;
    }
    (void)alarm(HANG_S * 2);
    failing_malloc_arm(countdown, n_failing);
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

static uint64_t run_all(muster_testkit_transport *transport, uint64_t first,
                        uint64_t last, uint64_t n_failing)
{
    for (run_number = first; run_number <= last; run_number++) {
        if (!run(transport, run_number, n_failing)) {
            return run_number - first;
        }
    }
    return last - first + 1;
}

/* The first passes also warm up what is kept for good: thread stacks, buffers,
 * plugins. What the later ones leave behind is a leak. */
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
        uint64_t n = run_all(NULL, first, last, n_failing[pass]);
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
