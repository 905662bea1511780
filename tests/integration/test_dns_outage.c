/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS server goes away under load, in three ways, and comes back: the last
 * list serves on, and says that it is stale and how old. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

#include "cluster.h"
#include "dns_cluster.h"
#include "load.h"
#include "scale.h"

enum { N_SERVERS = 3, ALL = (1 << N_SERVERS) - 1, N_CALLERS = 8 };
enum { LOOK_MS = 200, FRESH_MS = 5000 };

typedef struct outage {
    void (*begin)(knot *server);
    bool (*end)(knot *server);
    const char *what;
} outage;

static bool is_stale(void *arg)
{
    return dns_channel_list(arg).is_stale;
}

static bool is_fresh(void *arg)
{
    return !dns_channel_list(arg).is_stale;
}

static uint64_t ms_since(uint64_t begun_ns)
{
    return (now_ns() - begun_ns) / 1000000;
}

/* Nothing was heard since begun_ns: so old the list is at least. */
static void expect_aging(muster_channel *channel, uint64_t begun_ns,
                         uint64_t *age_ms)
{
    const uint64_t gone_ms = ms_since(begun_ns);
    const dns_list list = dns_channel_list(channel);

    cr_expect(list.is_stale);
    cr_expect_gt(list.age_ms, *age_ms);
    cr_expect_geq(list.age_ms + 1, gone_ms);
    *age_ms = list.age_ms;
}

/* Returns how long it took to be fresh again. */
static uint64_t be_away(const outage *kind, knot *server,
                        muster_channel *channel, uint64_t *ret_age_ms)
{
    const uint64_t away_ms = scale(3000, 60000);
    uint64_t begun_ns;

    kind->begin(server);
    begun_ns = now_ns();
    cr_assert(eventually(is_stale, channel), "the list is not stale");
    *ret_age_ms = 0;
    do {
        expect_aging(channel, begun_ns, ret_age_ms);
        (void)poll(NULL, 0, LOOK_MS);
    } while (ms_since(begun_ns) < away_ms);
    cr_assert(kind->end(server));
    begun_ns = now_ns();
    cr_assert(eventually(is_fresh, channel), "the list stays stale");
    return ms_since(begun_ns);
}

/* Once while the machine is busy, the way back may take too long. */
static void try_outage(const outage *kind, dns_cluster *c,
                       muster_channel *channel)
{
    uint64_t age_ms = 0;
    uint64_t fresh_ms = be_away(kind, &c->knot, channel, &age_ms);

    if (fresh_ms > FRESH_MS && !scale_is_full()) {
        (void)printf("%s: again, after %" PRIu64 " ms\n", kind->what, fresh_ms);
        fresh_ms = be_away(kind, &c->knot, channel, &age_ms);
    }
    (void)printf("%s: the list was stale for up to %" PRIu64 " ms; fresh "
                 "%" PRIu64 " ms after the return (limit %d ms)\n",
                 kind->what, age_ms, fresh_ms, FRESH_MS);
    cr_expect_leq(fresh_ms, FRESH_MS);
}

static void run(const outage *kind)
{
    char target[DNS_CLUSTER_TARGET_SIZE];
    muster_channel *channel;
    dns_cluster c;
    load *calls;

    dns_cluster_init(&c, N_SERVERS, true);
    dns_cluster_list(&c, ALL);
    channel = dns_channel_open(
        dns_cluster_target(&c, NULL, DNS_CLUSTER_NAME, target), NULL);
    dns_channel_await(channel, N_SERVERS, N_SERVERS);
    calls = load_start_blocking(channel, N_CALLERS);
    cr_assert(load_await(calls, 1000));
    cr_expect(is_fresh(channel));
    try_outage(kind, &c, channel);
    dns_cluster_list(&c, ALL >> 1); /* which is followed as ever */
    dns_channel_await(channel, N_SERVERS - 1, N_SERVERS - 1);
    load_stop(calls);
    (void)printf("%s: %" PRIu64 " calls, %" PRIu64 " failed\n", kind->what,
                 load_ended(calls), load_failed(calls));
    cr_expect_eq(load_failed(calls), 0);
    load_destroy(calls);
    muster_channel_destroy(channel);
    dns_cluster_fini(&c);
}

static bool thaw(knot *server)
{
    knot_thaw(server);
    return true;
}

Test(dns_outage, of_a_stopped_server_fails_no_call, .timeout = 300)
{
    run(&(outage){.begin = knot_stop, .end = knot_restart, .what = "stopped"});
}

Test(dns_outage, of_a_killed_server_fails_no_call, .timeout = 300)
{
    run(&(outage){.begin = knot_kill, .end = knot_restart, .what = "killed"});
}

Test(dns_outage, of_a_frozen_server_fails_no_call, .timeout = 300)
{
    run(&(outage){.begin = knot_freeze, .end = thaw, .what = "frozen"});
}
