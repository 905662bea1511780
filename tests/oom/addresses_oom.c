/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while endpoints with several addresses connect,
 * each in a run of its own: nothing crashes, hangs or leaks, no attempt stays,
 * and when memory is back the endpoints are READY.
 *   addresses_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"
#include "timing.h"

enum { ENDPOINTS = 3, ADDRESSES = 3, HANG_S = 20 };

#define TARGET "oom"

/* ---- a transport that needs no memory ---- */

static uint64_t n_attempts; /* not destroyed; control */

/* By the port: 1 is refused, 2 hangs, others are READY. */
static muster_status transport_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    const char *port = strrchr(env->address, ':');

    (void)err;
    n_attempts++;
    *ret_connection = arg;
    if (strcmp(port, ":1") == 0) {
        env->host->state(env->ctx, MUSTER_TRANSIENT_FAILURE, "refused");
    } else if (strcmp(port, ":2") != 0) {
        env->host->state(env->ctx, MUSTER_READY, NULL);
    }
    return MUSTER_OK;
}

static void transport_destroy(void *connection)
{
    (void)connection;
    n_attempts--;
}

static const muster_transport_class transport = {
    .struct_size = sizeof transport,
    .name = "sparing",
    .create = transport_create,
    .destroy = transport_destroy,
};

/* ---- a run ---- */

static char texts[ENDPOINTS][ADDRESSES][24];
static const char *addresses[ENDPOINTS][ADDRESSES];
static muster_endpoint list[ENDPOINTS];

/* The first address is refused, the second hangs: both ways to the third. */
static void report(unsigned first, unsigned last_port)
{
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        (void)snprintf(texts[i][0], sizeof texts[i][0], "10.0.0.%u:1",
                       first + i);
        (void)snprintf(texts[i][1], sizeof texts[i][1], "[fd00::%u]:%u",
                       first + i, last_port == 1 ? 1u : 2u);
        (void)snprintf(texts[i][2], sizeof texts[i][2], "10.0.0.%u:%u",
                       first + i + 100, last_port);
        for (unsigned k = 0; k < ADDRESSES; k++) {
            addresses[i][k] = texts[i][k];
        }
        list[i].address = addresses[i][0];
        list[i].more_addresses = &addresses[i][1];
        list[i].n_more_addresses = ADDRESSES - 1;
    }
    script_report(TARGET, list, ENDPOINTS);
}

static void check_status(muster_status status)
{
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_QUEUED && status != MUSTER_UNAVAILABLE &&
        status != MUSTER_TIMEOUT) {
        passes_die(muster_status_name(status));
    }
}

static muster_status pick(muster_channel *channel, uint64_t within_ms,
                          uint32_t flags)
{
    muster_call_info call = {.struct_size = sizeof call, .flags = flags};
    muster_lease lease = {0};
    muster_status status;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    call.deadline_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) +
                       (uint64_t)now.tv_nsec + within_ms * UINT64_C(1000000);
    status = muster_channel_pick_wait(channel, &call, &lease, NULL);
    muster_lease_finish(&lease, NULL);
    return status;
}

static void live(muster_channel *channel)
{
    char *json = NULL;

    report(1, 1); /* all are refused */
    check_status(pick(channel, 300, 0));
    check_status(muster_channel_dump_json(channel, &json));
    free(json);
    json = NULL;
    report(11, 3);
    check_status(pick(channel, 300, MUSTER_CALL_WAIT_FOR_READY));
    check_status(muster_channel_dump_json(channel, &json));
    free(json);
    report(21, 3); /* replaced while some may still be connecting */
}

/* Memory is back: the newest list must come to serve. */
static void recover(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    report(31, 3);
    do {
        if (pick(channel, HANG_S * 1000, MUSTER_CALL_WAIT_FOR_READY) !=
            MUSTER_OK) {
            passes_die("no endpoint after memory came back");
        }
        (void)muster_channel_get_stats(channel, &stats);
    } while (stats.endpoints != ENDPOINTS || stats.ready != ENDPOINTS ||
             stats.draining != 0);
}

static bool run(void *arg, const passes_failure *failure)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .transport = &transport,
                                            .transport_arg = &n_attempts,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2};
    muster_channel *channel = NULL;
    muster_status status;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S * 2);
    failing_malloc_arm(failure->countdown, failure->n);
    status =
        muster_channel_create("script:///" TARGET, &options, &channel, NULL);
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
    if (n_attempts != 0) {
        passes_die("an attempt was not destroyed");
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    muster__timing_scale_waits_for_test(250); /* 1 ms between attempts */
    script_register();
    return passes_run(argc, argv, run, NULL);
}
