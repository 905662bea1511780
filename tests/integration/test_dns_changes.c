/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that come into the zone and leave it under load: how long until the
 * channel follows, and beside it C core's own resolver. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "core_caller.h"
#include "dns_cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "timings.h"
#include "watcher.h"

enum {
    N_SERVERS = 4,
    N_LISTED = 2, /* at first; and one more after each second change */
    N_CALLERS = 8,
    LIMIT_MS = DNS_CLUSTER_TTL_S * 1000 + 300 * LIMIT_FACTOR
};

#define LIMIT_NS (LIMIT_MS * UINT64_C(1000000))
#define SECOND_NS UINT64_C(1000000000)

typedef struct change {
    int number; /* of the server */
    bool is_added;
    uint64_t committed_ns;
} change;

/* Of the server that the index-th change is about. */
static int number_of(size_t index)
{
    return DNS_CLUSTER_FIRST +
           (int)((index / 2 + (index % 2 == 0 ? N_LISTED : 0)) % N_SERVERS);
}

/* Takes turns in adding the server that was away for longest and removing the
 * one that was there for longest. */
static change make_change(dns_cluster *c, size_t index)
{
    const size_t oldest = index / 2;
    const size_t first = index % 2 == 0 ? oldest : oldest + 1;
    unsigned listed = 0;

    for (size_t i = first; i <= oldest + N_LISTED; i++) {
        listed |= 1u << i % N_SERVERS;
    }
    dns_cluster_list(c, listed);
    return (change){.number = number_of(index),
                    .is_added = index % 2 == 0,
                    .committed_ns = now_ns()};
}

/* So that changes fall on any moment between two queries. */
static void sleep_until(uint64_t end_ns, unsigned *seed)
{
    uint64_t now;

    end_ns += (100 + (uint64_t)rand_r(seed) % 200) * 1000000;
    while ((now = now_ns()) < end_ns) {
        (void)poll(NULL, 0, (int)((end_ns - now) / 1000000) + 1);
    }
}

static uint64_t since(uint64_t ns, uint64_t begun_ns)
{
    return ns > begun_ns ? ns - begun_ns : 0;
}

/* To the first call on an added server, or the last on a removed one. */
static uint64_t taken_ns(const sightings *seen, const change *made)
{
    const uint64_t first_ns = sightings_first_ns(seen, made->number);

    if (!made->is_added) {
        return since(sightings_last_ns(seen, made->number), made->committed_ns);
    }
    return first_ns == 0 ? TIMINGS_NEVER : since(first_ns, made->committed_ns);
}

/* ---- a channel ---- */

typedef struct both_sides {
    dns_cluster cluster;
    muster_channel *channel;
    load *calls;
    core_caller *core;
    size_t n_noticed; /* by C core */
    timings added;
    timings removed;
} both_sides;

static bool core_has_begun(void *arg)
{
    return core_caller_answered(arg) > 0;
}

static void init(both_sides *self)
{
    char target[DNS_CLUSTER_TARGET_SIZE];

    memset(self, 0, sizeof *self);
    self->added.limit_ns = self->removed.limit_ns = LIMIT_NS;
    dns_cluster_init(&self->cluster, N_SERVERS, true);
    dns_cluster_list(&self->cluster, (1 << N_LISTED) - 1);
    (void)dns_cluster_target(&self->cluster, NULL, DNS_CLUSTER_NAME, target);
    self->core = core_caller_start(target);
    self->channel = dns_channel_open(target, NULL);
    dns_channel_await(self->channel, N_LISTED, N_LISTED);
    self->calls = load_start_blocking(self->channel, N_CALLERS);
    cr_assert(load_await(self->calls, 1000));
    cr_assert(eventually(core_has_begun, self->core), "C core does not call");
}

static void fini(both_sides *self)
{
    load_destroy(self->calls);
    core_caller_destroy(self->core);
    muster_channel_destroy(self->channel);
    dns_cluster_fini(&self->cluster);
}

static void change_and_look(both_sides *self, size_t index, unsigned *seed)
{
    sightings *seen = load_sightings(self->calls);
    sightings *core = core_caller_sightings(self->core);
    const int number = number_of(index);
    bool core_used;
    change made;

    sightings_forget_first(seen, number);
    sightings_forget_first(core, number);
    core_used = sightings_last_ns(core, number) + SECOND_NS > now_ns();
    made = make_change(&self->cluster, index);
    sleep_until(made.committed_ns + LIMIT_NS, seed);
    timings_add(made.is_added ? &self->added : &self->removed,
                taken_ns(seen, &made));
    self->n_noticed +=
        core_used != made.is_added && taken_ns(core, &made) <= LIMIT_NS;
}

/* A busy machine may be late once; in a full run, which has it for itself, it
 * may not. */
Test(dns_changes, are_followed_within_the_ttl_and_300_ms, .timeout = 900)
{
    const size_t n_changes = scale(10, 200);
    static both_sides both;
    unsigned seed = 1;

    init(&both);
    for (size_t i = 0; i < n_changes; i++) {
        change_and_look(&both, i, &seed);
    }
    load_stop(both.calls);
    timings_print(&both.added, "first call on an added address");
    timings_print(&both.removed, "last call on a removed address");
    (void)printf("%zu changes, %lu calls, %lu failed\n", n_changes,
                 load_ended(both.calls), load_failed(both.calls));
    (void)printf("C core noticed %zu of %zu changes (%lu calls, %lu failed)\n",
                 both.n_noticed, n_changes, core_caller_answered(both.core),
                 core_caller_failed(both.core));
    cr_expect_eq(load_failed(both.calls), 0);
    cr_expect_leq(both.added.n_late + both.removed.n_late, scale(1, 0));
    fini(&both);
}

/* ---- the command ---- */

static void write_line(const dns_cluster *c, const change *made, char line[96])
{
    (void)snprintf(line, 96, "\"type\":\"%s\",\"address\":\"127.0.0.%d:%d\"",
                   made->is_added ? "add" : "remove", made->number, c->port);
}

static uint64_t time_until_line(watcher *w, const dns_cluster *c,
                                const change *made, uint64_t limit_ns)
{
    char line[96];
    uint64_t seen_ns;

    write_line(c, made, line);
    seen_ns = watcher_await(w, line, made->committed_ns + limit_ns);
    return seen_ns == 0 ? TIMINGS_NEVER : since(seen_ns, made->committed_ns);
}

Test(dns_changes, are_told_by_muster_watch_within_the_ttl_and_300_ms,
     .timeout = 300)
{
    const size_t n_changes = scale(6, 50);
    static timings times = {.limit_ns = LIMIT_NS};
    char target[DNS_CLUSTER_TARGET_SIZE];
    unsigned seed = 2;
    dns_cluster c;
    watcher w;
    change made;

    dns_cluster_init(&c, N_SERVERS, true);
    dns_cluster_list(&c, (1 << N_LISTED) - 1);
    watcher_start(&w, dns_cluster_target(&c, NULL, DNS_CLUSTER_NAME, target));
    for (int i = 0; i < N_LISTED; i++) {
        made = (change){DNS_CLUSTER_FIRST + i, true, now_ns()};
        cr_assert_neq(time_until_line(&w, &c, &made, 20 * SECOND_NS),
                      TIMINGS_NEVER);
    }
    for (size_t i = 0; i < n_changes; i++) {
        made = make_change(&c, i);
        timings_add(&times, time_until_line(&w, &c, &made, 20 * SECOND_NS));
        sleep_until(now_ns(), &seed);
    }
    timings_print(&times, "line of muster watch");
    cr_expect_leq(times.n_late, scale(1, 0));
    watcher_stop(&w);
    dns_cluster_fini(&c);
}
