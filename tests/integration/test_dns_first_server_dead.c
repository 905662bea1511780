/* SPDX-License-Identifier: Apache-2.0 */
/* Two DNS servers, of which the first does not answer: the second does, and the
 * time-out of the first is paid once. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <muster/watch.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "dns_cluster.h"
#include "limit.h"
#include "load.h"
#include "scale.h"
#include "timings.h"

enum { N_SERVERS = 4, ALL = (1 << N_SERVERS) - 1, N_CALLERS = 4 };
enum { N_NAMES = 20, TIMEOUT_MS = 2000, SOON_MS = 200, ONCE_MS = 1000 };
enum { FOLLOWED_MS = DNS_CLUSTER_TTL_S * 1000 + 300 * LIMIT_FACTOR };

#define MS_NS UINT64_C(1000000)

typedef struct death {
    void (*begin)(knot *server);
    bool (*end)(knot *server);
    uint64_t first_ms; /* what it costs the first to ask it */
    const char *what;
} death;

typedef struct world {
    dns_cluster cluster; /* its knot is the second, which lives */
    knot first;
    char servers[160]; /* both, as in a target */
    muster_channel *channel;
    load *calls;
    timings lists;   /* of new names */
    timings changes; /* of the zone, until they are followed */
} world;

/* ---- the first list of a name ---- */

typedef struct first_list {
    muster_watch *watch;
    _Atomic uint64_t listed_ns;
} first_list;

static void on_event(void *arg, const muster_watch_event *event)
{
    first_list *self = arg;
    uint64_t none = 0;

    if (event->type == MUSTER_WATCH_LIST && event->n_endpoints > 0) {
        (void)atomic_compare_exchange_strong(&self->listed_ns, &none, now_ns());
    }
}

static bool is_listed(void *arg)
{
    return atomic_load(&((first_list *)arg)->listed_ns) != 0;
}

/* Returns what it took. What is known of the servers is forgotten when nobody
 * uses them any more. */
static uint64_t watch_first_list(first_list *self, const char *target)
{
    const uint64_t begun_ns = now_ns();
    muster_error err;

    atomic_store(&self->listed_ns, 0);
    cr_assert_eq(
        muster_watch_create(target, on_event, self, &self->watch, &err),
        MUSTER_OK);
    cr_assert(eventually(is_listed, self), "no list");
    return atomic_load(&self->listed_ns) - begun_ns;
}

/* Names that nobody has asked for yet. */
static void list_new_names(world *self)
{
    char target[DNS_CLUSTER_TARGET_SIZE];
    char name[32];
    first_list list;

    for (int i = 0; i < N_NAMES; i++) {
        (void)snprintf(name, sizeof name, "new%d." DNS_CLUSTER_ZONE, i);
        (void)dns_cluster_target(&self->cluster, self->servers, name, target);
        timings_add(&self->lists, watch_first_list(&list, target));
        muster_watch_destroy(list.watch);
    }
}

/* ---- changes ---- */

/* All but one are listed, each time another. Servers that live say the same. */
static void change_both(world *self, size_t index, bool is_first_alive)
{
    const unsigned listed = ALL & ~(1u << index % N_SERVERS);

    if (is_first_alive) {
        dns_cluster_list_on(&self->cluster, &self->first, listed);
    }
    dns_cluster_list(&self->cluster, listed);
}

typedef struct away {
    muster_channel *channel;
    const char *address; /* which the list is to be without */
} away;

static bool is_away(void *arg)
{
    const away *wanted = arg;

    return !dns_channel_has(wanted->channel, wanted->address);
}

static void follow_change(world *self, size_t index, bool is_first_alive)
{
    away wanted = {.channel = self->channel,
                   .address = self->cluster.servers[index % N_SERVERS].address};
    uint64_t begun_ns;

    change_both(self, index, is_first_alive);
    begun_ns = now_ns();
    cr_assert(eventually(is_away, &wanted), "the change is not followed");
    timings_add(&self->changes, now_ns() - begun_ns);
}

/* ---- all of it ---- */

static void start_knots(world *self)
{
    char names[N_NAMES * 32] = "";
    size_t length = 0;

    for (int i = 0; i < N_NAMES; i++) {
        const char *host = "127.0.0.2";
        char name[16];

        (void)snprintf(name, sizeof name, "new%d", i);
        cr_assert(
            knot_set_records(&self->cluster.knot, name, "A", 1, &host, 1));
        length += (size_t)snprintf(names + length, sizeof names - length,
                                   "%s A %s\n", name, host);
    }
    cr_assert(knot_start(&self->first, DNS_CLUSTER_ZONE, names, NULL));
    dns_cluster_list_on(&self->cluster, &self->first, ALL);
    dns_cluster_list(&self->cluster, ALL);
    (void)snprintf(self->servers, sizeof self->servers, "%s,%s",
                   self->first.address, self->cluster.knot.address);
}

static void init(world *self, const death *kind)
{
    char target[DNS_CLUSTER_TARGET_SIZE];
    const uint64_t limit_ms = kind->first_ms + ONCE_MS; /* not twice */
    first_list list;
    uint64_t first_ns;

    memset(self, 0, sizeof *self);
    self->lists.limit_ns = limit_ns(SOON_MS);
    self->changes.limit_ns = FOLLOWED_MS * MS_NS;
    dns_cluster_init(&self->cluster, N_SERVERS, true);
    start_knots(self);
    kind->begin(&self->first);
    (void)dns_cluster_target(&self->cluster, self->servers, DNS_CLUSTER_NAME,
                             target);
    first_ns = watch_first_list(&list, target);
    (void)printf("%s: the first list after %.1f ms (limit %" PRIu64 " ms)\n",
                 kind->what, (double)first_ns / 1e6, limit_ms);
    cr_expect_geq(first_ns, kind->first_ms * MS_NS, "the first is not dead");
    cr_expect_leq(first_ns, limit_ms * MS_NS);
    self->channel = dns_channel_open(target, NULL);
    muster_watch_destroy(list.watch);
    dns_channel_await(self->channel, N_SERVERS, N_SERVERS);
    self->calls = load_start_blocking(self->channel, N_CALLERS);
}

static void fini(world *self)
{
    load_destroy(self->calls);
    muster_channel_destroy(self->channel);
    knot_fini(&self->first);
    dns_cluster_fini(&self->cluster);
}

/* All of it ends before the 30 s are over after which the dead one is given
 * another try. */
static void run(const death *kind)
{
    const size_t n_changes = scale(3, 12);
    static world w;

    init(&w, kind);
    list_new_names(&w);
    for (size_t i = 0; i < n_changes; i++) {
        follow_change(&w, i, false);
    }
    cr_assert(kind->end(&w.first));
    for (size_t i = n_changes; i < n_changes + 2; i++) {
        follow_change(&w, i, true);
    }
    load_stop(w.calls);
    timings_print(&w.lists, "first lists of further names");
    timings_print(&w.changes, "changes of the zone");
    (void)printf("%s: %" PRIu64 " calls, %" PRIu64 " failed\n", kind->what,
                 load_ended(w.calls), load_failed(w.calls));
    cr_expect_eq(load_failed(w.calls), 0);
    cr_expect_leq(w.lists.n_late, scale(1, 0));
    cr_expect_leq(w.changes.n_late, scale(1, 0));
    fini(&w);
}

static bool thaw(knot *server)
{
    knot_thaw(server);
    return true;
}

Test(dns_first_server_dead, frozen_costs_its_time_out_once, .timeout = 120)
{
    run(&(death){.begin = knot_freeze,
                 .end = thaw,
                 .first_ms = TIMEOUT_MS,
                 .what = "frozen"});
}

Test(dns_first_server_dead, with_a_closed_port_costs_nothing, .timeout = 120)
{
    run(&(death){
        .begin = knot_stop, .end = knot_restart, .what = "closed port"});
}
