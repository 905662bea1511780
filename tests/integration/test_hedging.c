/* SPDX-License-Identifier: Apache-2.0 */
/* Hedging at the 95th percentile, when one reply of a hundred is delayed by a
 * second: what it does to the slowest calls, and what it costs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/grpc.h>

#include "cluster.h"
#include "scale.h"

enum { N_SERVERS = 4, ALL = (1 << N_SERVERS) - 1, N_IN_FLIGHT = 32 };

/* Calls until the percentile is known, and those in flight by then. They are
 * not hedged, and of few calls they are the slowest tenth of a percent. */
enum { N_TO_LEARN = 200 };

static const char policy[] =
    "{\"methodConfig\": [{\"name\": [{}], \"hedgingPolicy\": {"
    "\"maxAttempts\": 2, \"nonFatalStatusCodes\": [\"UNAVAILABLE\"],"
    "\"muster\": {\"hedgingDelay\": \"p95\"}}}]}";

/* Under a sanitizer a second would not tell a reply that is delayed from a
 * machine that is busy. */
#if LIMIT_FACTOR > 1
#define DELAY_MS "3000"
#else
#define DELAY_MS "1000"
#endif

static cluster world;
static muster_call_queue *queue;

static void begin(void)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .service_config = policy};

    for (size_t i = 0; i < N_SERVERS; i++) {
        if (!backend_start(&world.servers[i], NULL)) {
            cluster_die("no server");
        }
    }
    world.n_servers = N_SERVERS;
    cluster_open(&world, "hedging", &options, NULL);
    cluster_list_ready(&world, ALL);
    cr_assert_eq(muster_call_queue_create(&queue, NULL), MUSTER_OK);
}

static void finish(void)
{
    muster_call_queue_destroy(queue);
    cluster_fini(&world);
}

static uint64_t count_all(const char *name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < N_SERVERS; i++) {
        sum += backend_count(&world.servers[i], name);
    }
    return sum;
}

static grpc_metadata header(const char *key, const char *value)
{
    grpc_metadata item;

    memset(&item, 0, sizeof item);
    item.key = grpc_slice_from_static_string(key);
    item.value = grpc_slice_from_static_string(value);
    return item;
}

static void start(uint32_t flags)
{
    const grpc_metadata headers[] = {
        header("x-envoy-fault-delay-request", DELAY_MS),
        header("x-envoy-fault-delay-request-percentage", "1")};
    const muster_call_options options = {.struct_size = sizeof options,
                                         .flags = flags,
                                         .metadata = headers,
                                         .n_metadata = 2};
    muster_call *call;

    cr_assert_eq(muster_call_create(world.channel, "/echo.Echo/Unary", &options,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
}

/* Its latency. */
static uint64_t take(void)
{
    muster_call_result result = {.struct_size = sizeof result};
    muster_call_event event;

    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    muster_call_get_result(event.call, &result);
    cr_assert_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    muster_call_destroy(event.call);
    return result.latency_ns;
}

static int compare(const void *a, const void *b)
{
    const uint64_t first = *(const uint64_t *)a;
    const uint64_t second = *(const uint64_t *)b;

    return first < second ? -1 : first > second;
}

/* The 99.9th percentile of n calls, in nanoseconds. */
static uint64_t run(size_t n, uint32_t flags)
{
    uint64_t *latencies = malloc(n * sizeof *latencies);
    uint64_t found_ns;

    cr_assert_not_null(latencies);
    for (size_t i = 0; i < N_IN_FLIGHT; i++) {
        start(flags);
    }
    for (size_t i = 0; i < n; i++) {
        latencies[i] = take();
        if (i + N_IN_FLIGHT < n) {
            start(flags);
        }
    }
    qsort(latencies, n, sizeof *latencies, compare);
    found_ns = latencies[n * 999 / 1000];
    free(latencies);
    return found_ns;
}

Test(hedging, cuts_the_slowest_calls_short)
{
    const size_t n = scale(18000, 100000);
    const double bar = 20;
    uint64_t without_ns;
    uint64_t with_ns;
    uint64_t n_hedges;

    begin();
    without_ns = run(n, MUSTER_CALL_NO_RETRY);
    cr_expect_eq(cluster_stats(&world).hedges, 0);
    (void)run(N_TO_LEARN, 0);
    n_hedges = cluster_stats(&world).hedges;
    with_ns = run(n, 0);
    n_hedges = cluster_stats(&world).hedges - n_hedges;
    (void)fprintf(stderr,
                  "%zu calls: p99.9 %.1f ms, hedged %.1f ms; %.2f %% more "
                  "calls\n",
                  n, (double)without_ns / 1e6, (double)with_ns / 1e6,
                  (double)n_hedges / (double)n * 100);
    cr_expect_gt((double)without_ns / (double)with_ns,
                 LIMIT_FACTOR > 1 ? bar / LIMIT_FACTOR : bar);
    cr_expect_leq((double)n_hedges / (double)n, 0.06);
    cr_expect_leq(count_all("calls"),
                  2 * n + N_TO_LEARN + cluster_stats(&world).hedges);
    cr_expect_eq(cluster_stats(&world).in_flight, 0, "no lease is lost");
    while (count_all("cancelled") < n / 200) {
        /* The delays are not over: half of those delayed, at least, lost. */
    }
    finish();
}
