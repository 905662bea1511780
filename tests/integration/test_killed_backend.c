/* SPDX-License-Identifier: Apache-2.0 */
/* A server that dies under load, and comes back. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "cluster.h"
#include "load.h"
#include "scale.h"

enum { N_SERVERS = 4, ALL = (1 << N_SERVERS) - 1, VICTIM = 1, N_CALLERS = 16 };

static const muster_channel_options options = {.struct_size = sizeof options,
                                               .initial_backoff_ms = 50,
                                               .max_backoff_ms = 200};

/* Calls further on. */
static void go_on(load *calls, uint64_t n)
{
    cr_assert(load_await(calls, load_ended(calls) + n));
}

typedef struct comeback {
    load *calls;
    int port;
    uint64_t before;
} comeback;

static bool is_used(void *arg)
{
    const comeback *self = arg;

    return load_answered_by(self->calls, self->port) > self->before + 100;
}

static bool is_drained(void *arg)
{
    return cluster_stats(arg).draining == 0;
}

static void kill_and_restart(cluster *c, load *calls)
{
    backend *victim = &c->servers[VICTIM];
    comeback back = {.calls = calls, .port = victim->port};
    const int port = victim->port;
    uint64_t n_failed;

    backend_kill(victim);
    cr_expect(cluster_await_ready(c, N_SERVERS - 1));
    cr_expect(eventually(is_drained, c)); /* those on it have ended, */
    cr_assert(load_settle(calls));        /* and are counted */
    n_failed = load_failed(calls);
    cr_expect_eq(n_failed, load_failed_on(calls, port),
                 "%lu calls failed, %lu of them on the killed server", n_failed,
                 load_failed_on(calls, port));
    go_on(calls, scale(2000, 50000));
    cr_expect_eq(load_failed(calls), n_failed, "calls fail after the kill");
    back.before = load_answered_by(calls, port);
    cr_assert(backend_start_on(victim, port));
    cr_expect(eventually(is_used, &back), "the new server gets no calls");
}

Test(killed_backend, fails_only_the_calls_on_it_and_is_used_again)
{
    const size_t n_rounds = scale(3, 20);
    cluster c;
    load *calls;

    cluster_init(&c, "killed", N_SERVERS, NULL, &options);
    cluster_list_ready(&c, ALL);
    calls = load_start_blocking(c.channel, N_CALLERS);
    for (size_t i = 0; i < n_rounds; i++) {
        go_on(calls, 1000);
        kill_and_restart(&c, calls);
    }
    load_stop(calls);
    (void)printf("%zu kills, %lu calls, %lu failed, all on the killed\n",
                 n_rounds, load_ended(calls), load_failed(calls));
    load_destroy(calls);
    cluster_await_calm(&c, N_SERVERS);
    cluster_fini(&c);
}
