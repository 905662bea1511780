/* SPDX-License-Identifier: Apache-2.0 */
/* A server that becomes slow under load, and recovers. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"

enum {
    N_SERVERS = 4,
    ALL = (1 << N_SERVERS) - 1,
    N_CALLERS = 32,
    SOON_MS = 2000
};

/* Under a sanitizer calls may take as long as 50 ms by themselves. What takes 2
 * s would be forgotten within a minute only. */
#if LIMIT_FACTOR > 1
#define DELAY "delay 2000"
#define SETTINGS "{\"decayTime\": \"1s\"}"
#else
#define DELAY "delay 50"
#define SETTINGS "{}"
#endif

static const muster_channel_options options = {.struct_size = sizeof options,
                                               .policy = "p2c_ewma",
                                               .policy_config_json = SETTINGS};

/* How many calls the first server gets while n end. It is asked itself: those
 * that it delays have not ended. */
static uint64_t take_share(cluster *c, load *calls, uint64_t n)
{
    const uint64_t before = backend_count(&c->servers[0], "calls");

    cr_assert(load_await(calls, load_ended(calls) + n));
    return backend_count(&c->servers[0], "calls") - before;
}

/* The same while all are fast. A machine that is busy may hold the first server
 * up once. */
static uint64_t take_fair_share(cluster *c, load *calls, uint64_t n)
{
    const uint64_t n_first = take_share(c, calls, n);

    return n_first >= n / N_SERVERS / 2 ? n_first : take_share(c, calls, n);
}

static size_t window(void)
{
    return scale(4000, 4000);
}

/* Looks at windows of calls until the first server has a quarter of its fair
 * share of one. Returns how long that took, from before it was told to become
 * slow. */
static uint64_t ns_until_shunned(cluster *c, load *calls)
{
    const size_t n = window();
    const uint64_t begun_ns = now_ns();
    const uint64_t give_up_ns = begun_ns + UINT64_C(60000000000);

    cr_assert(backend_tell(&c->servers[0], DELAY));
    while (take_share(c, calls, n) > n / N_SERVERS / 4) {
        cr_assert_lt(now_ns(), give_up_ns, "a slow server goes on being used");
    }
    return now_ns() - begun_ns;
}

static bool is_used_again(void *arg)
{
    cluster *c = ((void **)arg)[0];
    load *calls = ((void **)arg)[1];

    return take_share(c, calls, window()) >= window() / N_SERVERS / 2;
}

Test(slow_backend, loses_three_quarters_of_its_calls_within_2_s_and_comes_back)
{
    const uint64_t n_calls = scale(10000, 200000);
    uint64_t taken_ns;
    uint64_t n_fair;
    uint64_t n_slow;
    cluster c;
    load *calls;

    cluster_init(&c, "slow", N_SERVERS, NULL, &options);
    cluster_list_ready(&c, ALL);
    calls = load_start_blocking(c.channel, N_CALLERS);
    n_fair = take_fair_share(&c, calls, n_calls);
    taken_ns = ns_until_shunned(&c, calls);
    n_slow = take_share(&c, calls, n_calls);
    (void)printf("of %lu calls: %lu while all are fast, %lu when it is slow, "
                 "after %.0f ms; %lu failed\n",
                 n_calls, n_fair, n_slow, (double)taken_ns / 1e6,
                 load_failed(calls));
    cr_expect_geq(n_fair, n_calls / N_SERVERS / 2);
    cr_expect_leq(taken_ns, limit_ns(SOON_MS));
    /* Twice as much, for where the others are as slow now and then. */
    cr_expect_leq(n_slow, n_calls / N_SERVERS / 2);
    cr_assert(backend_tell(&c.servers[0], "delay 0"));
    cr_expect(eventually(is_used_again, (void *[]){&c, calls}), "not back");
    cr_expect_eq(load_failed(calls), 0);
    load_destroy(calls);
    cluster_fini(&c);
}
