/* SPDX-License-Identifier: Apache-2.0 */
/* Retries under load: gRFC A6 over four servers. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"

enum { N_SERVERS = 4, ALL = (1 << N_SERVERS) - 1, N_CALLERS = 64 };

#define POLICY(others)                                                         \
    "{\"methodConfig\": [{\"name\": [{}], \"retryPolicy\": {"                  \
    "\"maxAttempts\": 4, \"initialBackoff\": \"0.001s\","                      \
    "\"maxBackoff\": \"0.1s\", \"backoffMultiplier\": 2,"                      \
    "\"retryableStatusCodes\": [\"UNAVAILABLE\"]}}]" others "}"

static cluster world;

static muster_channel_options options_with(const char *config)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 200,
                                            .service_config = config};

    return options;
}

/* Servers of which the first n_failing fail a call with that chance. */
static void begin(const char *name, const char *config, size_t n_failing,
                  const char *chance)
{
    const char *const flags[] = {"--error-rate", chance, NULL};
    const muster_channel_options options = options_with(config);

    for (size_t i = 0; i < N_SERVERS; i++) {
        if (!backend_start(&world.servers[i], i < n_failing ? flags : NULL)) {
            cluster_die("no server");
        }
    }
    world.n_servers = N_SERVERS;
    cluster_open(&world, name, &options, NULL);
    cluster_list_ready(&world, ALL);
}

static uint64_t count_all(const char *name)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < N_SERVERS; i++) {
        sum += backend_count(&world.servers[i], name);
    }
    return sum;
}

/* ---- one server of four fails half of its calls ---- */

/* An eighth of the calls fails first. Few calls stray from that: to five
 * standard deviations. */
static double most_retries(uint64_t n)
{
    const double share = 0.125;

    return scale_is_full() ? 0.135
                           : share + 5 * sqrt(share * (1 - share) / (double)n);
}

static void expect_few_retries(uint64_t n)
{
    const uint64_t n_retries = cluster_stats(&world).retries;
    const double share = (double)n_retries / (double)n;

    (void)fprintf(stderr, "%lu calls, %lu retries: %.2f %%\n", (unsigned long)n,
                  (unsigned long)n_retries, share * 100);
    cr_expect_gt(n_retries, 0);
    cr_expect_leq(share, most_retries(n));
    cr_expect_eq(count_all("retries"), n_retries);
    cr_expect_eq(count_all("calls"), n + n_retries);
    /* It alone fails calls, so none may come back to it. */
    cr_expect_eq(backend_count(&world.servers[0], "retries"), 0);
}

static void run_half(const char *name,
                     load *(*start)(muster_channel *channel, size_t n_callers))
{
    load *calls;

    begin(name, POLICY(""), 1, "0.5");
    calls = start(world.channel, N_CALLERS);
    cr_assert(load_await(calls, scale(4000, 100000)));
    load_stop(calls);
    cr_expect_eq(load_failed(calls), 0);
    expect_few_retries(load_ended(calls));
    load_destroy(calls);
    cluster_fini(&world);
}

Test(retry, hides_a_server_that_fails_from_blocking_calls)
{
    run_half("retry-half", load_start_blocking);
}

Test(retry, hides_a_server_that_fails_from_queued_calls)
{
    run_half("retry-half-queued", load_start_queued);
}

/* ---- all fail ---- */

/* 50 tokens of 100 have to be left: 49 failures may be followed by a retry. */
Test(retry, stays_under_the_bound_of_throttling)
{
    load *calls;
    uint64_t n;

    begin("retry-all",
          POLICY(", \"retryThrottling\": {\"maxTokens\": 100, "
                 "\"tokenRatio\": 0.1}"),
          N_SERVERS, "1");
    calls = load_start_blocking(world.channel, N_CALLERS);
    cr_assert(load_await(calls, scale(1000, 20000)));
    load_stop(calls);
    n = load_ended(calls);
    cr_expect_eq(load_failed(calls), n);
    cr_expect_gt(cluster_stats(&world).retries, 0);
    cr_expect_leq(cluster_stats(&world).retries, 49);
    cr_expect_leq(count_all("calls"), n + 49);
    load_destroy(calls);
    cluster_fini(&world);
}

/* ---- servers come and go ---- */

static uint64_t random_below(uint64_t n)
{
    static uint64_t state = 12345;

    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (state >> 33) % n;
}

/* Those after the first take turns to be down, in any order. */
static void kill_or_restart(load *calls)
{
    static bool is_down[N_SERVERS];
    const size_t i = 1 + random_below(N_SERVERS - 1);
    backend *server = &world.servers[i];
    const int port = server->port;

    if (!is_down[i]) {
        backend_kill(server);
    } else if (!backend_start_on(server, port)) {
        cluster_die("no server");
    }
    is_down[i] = !is_down[i];
    server->port = port;
    cr_assert(load_await(calls, load_ended(calls) + random_below(2000)));
}

Test(retry, hides_servers_that_are_killed_and_restarted, .timeout = 600)
{
    const uint64_t end_ns = now_ns() + scale(10, 300) * UINT64_C(1000000000);
    load *calls;

    begin("retry-kills", POLICY(""), 0, "0");
    calls = load_start_blocking(world.channel, N_CALLERS);
    while (now_ns() < end_ns) {
        kill_or_restart(calls);
    }
    load_stop(calls);
    (void)fprintf(stderr, "%lu calls, %lu retries\n",
                  (unsigned long)load_ended(calls),
                  (unsigned long)cluster_stats(&world).retries);
    cr_expect_eq(load_failed(calls), 0, "%lu of %lu calls failed",
                 (unsigned long)load_failed(calls),
                 (unsigned long)load_ended(calls));
    load_destroy(calls);
    cluster_fini(&world);
}

/* ---- nothing fails ---- */

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double cpu_of(muster_channel *channel, size_t n)
{
    const double before = cpu_seconds();

    for (size_t i = 0; i < n; i++) {
        muster_call *call = NULL;

        if (muster_call_create(channel, "/echo.Echo/Unary", NULL, &call,
                               NULL) != MUSTER_OK ||
            muster_call_unary(call, NULL) != MUSTER_OK) {
            cluster_die("a call could not be made");
        }
        muster_call_destroy(call);
    }
    return (cpu_seconds() - before) / (double)n;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* The best of many runs that take turns: what else the machine does only adds
 * to them. Few runs see less well; beside other tests, where a sanitizer is,
 * hardly (limit.h). */
Test(retry, costs_next_to_nothing_when_it_is_not_needed)
{
    const size_t n_rounds = scale(6, 40);
    const double limit = (scale_is_full() ? 1.03 : 1.5) * LIMIT_FACTOR;
    const muster_channel_options plain = options_with(NULL);
    double with = 1e9;
    double without = 1e9;
    cluster other = {.n_servers = 0};

    begin("retry-with", POLICY(""), 0, "0");
    other = world;
    cluster_open(&other, "retry-without", &plain, NULL);
    cluster_list_ready(&other, ALL);
    for (size_t i = 0; i < n_rounds; i++) {
        with = lesser(with, cpu_of(world.channel, scale(500, 3000)));
        without = lesser(without, cpu_of(other.channel, scale(500, 3000)));
    }
    (void)fprintf(stderr, "CPU a call: %.2f us with, %.2f us without\n",
                  with * 1e6, without * 1e6);
    cr_expect_leq(with, without * limit);
    muster_channel_destroy(other.channel);
    cluster_fini(&world);
}
