/* SPDX-License-Identifier: Apache-2.0 */
/* Service configs that change the balancing policy, under load. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"
#include "script_resolver.h"
#include "usage.h"

enum { N_SERVERS = 4, ALL = (1 << N_SERVERS) - 1, N_CALLERS = 8 };

/* Time enough for what is to last. */
static const muster_channel_options patient = {.struct_size = sizeof patient,
                                               .replace_timeout_ms = 120000,
                                               .connect_timeout_ms = 120000};

/* All that keep every server connected once it is. */
static const char *const policies[] = {
    "round_robin",          "p2c_ewma",  "ring_hash",      "maglev",
    "rendezvous",           "random",    "round_robin",    "least_request",
    "weighted_round_robin", "ring_hash", "weighted_random"};
enum { N_POLICIES = sizeof policies / sizeof *policies };

/* Of calls. */
static size_t window(void)
{
    return scale(1000, 1000);
}

/* The servers of listed, balanced by policy. */
static void configure(cluster *c, unsigned listed, const char *policy)
{
    muster_endpoint endpoints[N_SERVERS] = {0};
    char config[128];
    size_t n = 0;

    for (size_t i = 0; i < c->n_servers; i++) {
        if ((listed >> i & 1) != 0) {
            endpoints[n++].address = c->servers[i].address;
        }
    }
    (void)snprintf(config, sizeof config,
                   "{\"loadBalancingConfig\": [{\"%s\": {}}]}", policy);
    script_report_config(c->name, endpoints, n, config);
}

typedef struct expectation {
    const cluster *cluster;
    const char *policy;
} expectation;

static bool is_chosen(void *arg)
{
    const expectation *self = arg;
    char *json = NULL;
    char text[64];
    bool is_it;

    (void)snprintf(text, sizeof text, "\"policy\":\"%s\"", self->policy);
    cr_assert_eq(muster_channel_dump_json(self->cluster->channel, &json),
                 MUSTER_OK);
    is_it = strstr(json, text) != NULL;
    free(json);
    return is_it;
}

/* Calls go on before, during and after. */
static void change(cluster *c, load *calls, const char *policy)
{
    expectation expected = {.cluster = c, .policy = policy};

    configure(c, ALL, policy);
    cr_assert(eventually(is_chosen, &expected), "%s", policy);
    cr_assert(load_await(calls, load_ended(calls) + window()), "%s", policy);
}

static uint64_t servers_fingerprint(const cluster *c)
{
    uint64_t all = 0;

    for (size_t i = 0; i < c->n_servers; i++) {
        all = all * 31 + usage_fingerprint(c->servers[i].port);
    }
    return all;
}

/* From policy to policy; none of them makes a connection or ends one. */
static void go_round(cluster *c, load *calls, size_t n_rounds)
{
    const muster_channel_stats before = cluster_stats(c);
    const uint64_t fingerprint = servers_fingerprint(c);
    muster_channel_stats after;

    for (size_t i = 0; i < n_rounds * N_POLICIES; i++) {
        change(c, calls, policies[i % N_POLICIES]);
        cr_expect_eq(load_failed(calls), 0, "%s", policies[i % N_POLICIES]);
    }
    after = cluster_stats(c);
    cr_expect_eq(after.connections_created, before.connections_created);
    cr_expect_eq(after.connections_destroyed, before.connections_destroyed);
    cr_expect_eq(servers_fingerprint(c), fingerprint);
}

static bool is_alone(void *arg)
{
    const cluster *c = arg;
    const muster_channel_stats stats = cluster_stats(c);

    return stats.ready == 1 && stats.draining == 0 &&
           stats.connections_created == stats.connections_destroyed + 1;
}

/* pick_first keeps one of the connections, which goes on being used when the
 * others come back. */
static void visit_pick_first(cluster *c, load *calls)
{
    const muster_channel_stats before = cluster_stats(c);

    change(c, calls, "pick_first");
    cr_expect(eventually(is_alone, c), "pick_first keeps one");
    cr_expect_eq(cluster_stats(c).connections_created,
                 before.connections_created, "pick_first connects nothing");
    change(c, calls, "round_robin");
    cr_assert(cluster_await_ready(c, N_SERVERS));
    cr_expect_eq(cluster_stats(c).connections_created,
                 before.connections_created + N_SERVERS - 1);
}

Test(policy_change, under_load_fails_no_call_and_keeps_connections)
{
    cluster c;
    load *calls;

    cluster_init(&c, "policies", N_SERVERS, NULL, NULL);
    cluster_list_ready(&c, ALL);
    calls = load_start_blocking(c.channel, N_CALLERS);
    go_round(&c, calls, scale(3, 30));
    visit_pick_first(&c, calls);
    go_round(&c, calls, 1);
    load_stop(calls);
    (void)printf("%lu calls, %lu failed\n", load_ended(calls),
                 load_failed(calls));
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_eq(cluster_stats(&c).updates_refused, 0);
    load_destroy(calls);
    cluster_fini(&c);
}

static void read_answered(const cluster *c, const load *calls, uint64_t *counts)
{
    for (size_t i = 0; i < c->n_servers; i++) {
        counts[i] = load_answered_by(calls, c->servers[i].port);
    }
}

static bool is_last_used(void *arg)
{
    cluster *c = ((void **)arg)[0];
    load *calls = ((void **)arg)[1];

    return load_answered_by(calls, c->servers[N_SERVERS - 1].port) >
           window() / 2;
}

/* The last server accepts connections and says nothing. pick_first would stay
 * with one of the others; that all three go on shows who serves. */
Test(policy_change, leaves_the_former_policy_until_the_new_one_is_ready)
{
    static const char *const flags[] = {"--end-with-parent", NULL};
    uint64_t before[N_SERVERS];
    uint64_t after[N_SERVERS];
    cluster c;
    load *calls;
    backend *last = &c.servers[N_SERVERS - 1];

    cluster_init(&c, "former", N_SERVERS, flags, &patient);
    configure(&c, ALL & ~(1 << (N_SERVERS - 1)), "round_robin");
    cr_assert(cluster_await_ready(&c, N_SERVERS - 1));
    calls = load_start_blocking(c.channel, N_CALLERS);
    backend_freeze(last);
    configure(&c, 1 << (N_SERVERS - 1), "pick_first");
    cr_expect(eventually(is_chosen, &(expectation){&c, "pick_first"}));
    read_answered(&c, calls, before);
    cr_assert(load_await(calls, load_ended(calls) + 3 * window()));
    read_answered(&c, calls, after);
    for (size_t i = 0; i < N_SERVERS - 1; i++) {
        cr_expect_geq(after[i] - before[i], window() / 2, "server %zu", i);
    }
    cr_expect_eq(after[N_SERVERS - 1], 0);
    backend_thaw(last);
    cr_expect(eventually(is_last_used, (void *[]){&c, calls}), "not replaced");
    cluster_await_ready(&c, 1);
    cr_expect_eq(load_failed(calls), 0);
    load_destroy(calls);
    cluster_fini(&c);
}
