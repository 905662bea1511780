/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations on channels over the fake transport, and a model of what
 * must hold whatever happens. A plain program, for all lanes.
 *   channel_model [SECONDS [SEED]] */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"
#include "timing.h"

enum {
    CHANNELS = 2, /* on one target */
    PICKERS = 3,
    LEASES = 8,      /* a picker holds at a time */
    CONNECTIONS = 4, /* of an endpoint, at most */
    ADDRESSES = 12,  /* that endpoints of a list begin with */
    MORE = 2,        /* that an endpoint may have beside it */
    PRIORITIES = 2,  /* of endpoints, when a world has any */
    OPERATIONS = 60, /* between two times of rest */
    PATIENCE_S = 20
};

#define TARGET "model"

typedef struct world {
    muster_testkit_transport *transport;
    muster_channel *channels[CHANNELS];
    uint64_t random;
    bool has_priorities;
    bool has_weights;
    bool has_valid_config;

    /* What was reported last. */
    muster_endpoint list[ADDRESSES];
    size_t n;

    /* Not 0 while rule 4 says that something must serve: the same number
     * before and after a pick that found nothing means that it is broken. */
    _Atomic uint64_t must_serve;
    uint64_t n_promises;
    bool is_unsure; /* a connection may go away any time until the next rest */

    atomic_bool is_resting; /* the pickers drop what they hold, and wait */
    atomic_uint n_resting;
    atomic_bool is_stopping;
    atomic_bool closes_inside; /* the next answer closes its channel */
    atomic_bool is_closed[CHANNELS];

    _Atomic uint64_t n_asked; /* asynchronous picks */
    _Atomic uint64_t n_answered;
    _Atomic uint64_t n_picked;
} world;

static uint64_t seed;
static char addresses[ADDRESSES][24];
static char more_texts[ADDRESSES][MORE][24];
static const char *more_addresses[ADDRESSES][MORE];

/* For whoever reads of a failure. */
static muster_channel *watched[CHANNELS];

static void print_channels(void)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_stats stats = {.struct_size = sizeof stats};
        char *json = NULL;

        if (muster_channel_dump_json(watched[i], &json) == MUSTER_OK &&
            muster_channel_get_stats(watched[i], &stats) == MUSTER_OK) {
            (void)fprintf(stderr,
                          "%s\ndraining %llu, in flight %llu, parked %llu\n",
                          json, (unsigned long long)stats.draining,
                          (unsigned long long)stats.in_flight,
                          (unsigned long long)stats.parked);
        }
        free(json);
    }
}

static void fail_at(int line, const char *what, const char *detail)
{
    (void)fprintf(stderr, "channel_model: seed %llu: line %d: %s: %s\n",
                  (unsigned long long)seed, line, what, detail);
    print_channels();
    abort();
}

#define MUST(condition, detail)                                                \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_at(__LINE__, #condition, detail);                             \
        }                                                                      \
    } while (0)

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)(next_random(state) % limit);
}

/* Polls for what only the control thread and the transport bring about. */
#define EVENTUALLY(condition, detail)                                          \
    for (uint64_t give_up_ns_ = now_ns() + PATIENCE_S * UINT64_C(1000000000);  \
         !(condition); (void)sched_yield()) {                                  \
        MUST(now_ns() < give_up_ns_, detail);                                  \
    }

static muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    MUST(muster_channel_get_stats(channel, &stats) == MUSTER_OK, "stats");
    return stats;
}

/* ---- picking threads ---- */

typedef struct question { /* an asynchronous pick */
    world *world;
    unsigned channel;
    atomic_uint n_answers;
} question;

static void finish(world *w, muster_lease *lease)
{
    if (lease->slot_ != NULL) {
        MUST(muster_testkit_transport_use(w->transport,
                                          muster_lease_connection(lease)),
             "a lease on a dead connection");
        muster_lease_finish(lease, NULL);
    }
}

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    question *q = arg;
    world *w = q->world;
    muster_lease other = {0};

    (void)err;
    MUST(atomic_fetch_add(&q->n_answers, 1) == 0, "answered twice");
    MUST(!atomic_load(&w->is_closed[q->channel]), "called after close");
    /* On this thread it never waits, but it may pick. */
    MUST(muster_channel_pick_wait(w->channels[q->channel], NULL, &other,
                                  NULL) != MUSTER_QUEUED,
         "a waiting pick cannot answer that");
    finish(w, &other);
    if (status == MUSTER_OK) {
        finish(w, lease);
    }
    if (atomic_exchange(&w->closes_inside, false)) {
        MUST(muster_channel_close(w->channels[q->channel]) == MUSTER_OK,
             "close inside a callback");
    }
    atomic_fetch_add(&w->n_answered, 1);
    free(q);
}

static void ask(world *w, unsigned channel, uint64_t *random)
{
    question *q = calloc(1, sizeof *q);
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = below(random, 2)};
    uint64_t pick = 0;

    MUST(q != NULL, "memory");
    q->world = w;
    q->channel = channel;
    call.deadline_ns = now_ns() + below(random, 3000) * UINT64_C(1000);
    atomic_fetch_add(&w->n_asked, 1);
    if (muster_channel_pick_async(w->channels[channel], &call, take_answer, q,
                                  &pick) != MUSTER_OK) {
        atomic_fetch_sub(&w->n_asked, 1);
        free(q);
    } else if (below(random, 3) == 0) {
        (void)muster_channel_pick_cancel(w->channels[channel], pick);
    }
}

static void pick(world *w, unsigned channel, uint64_t *random,
                 muster_lease *lease)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = below(random, 2)};
    uint64_t promise = atomic_load(&w->must_serve);
    muster_error err = {.code = MUSTER_OK};
    muster_status status;

    if (below(random, 4) == 0) {
        call.deadline_ns = now_ns() + below(random, 2000) * UINT64_C(1000);
        status =
            muster_channel_pick_wait(w->channels[channel], &call, lease, &err);
    } else {
        status = muster_channel_pick(w->channels[channel], &call, lease, &err);
    }
    MUST(status == MUSTER_OK || promise == 0 ||
             promise != atomic_load(&w->must_serve),
         err.message);
    atomic_fetch_add(&w->n_picked, status == MUSTER_OK);
}

static void *picker_main(void *arg)
{
    static _Atomic uint64_t n_pickers;
    world *w = arg;
    uint64_t random = seed + atomic_fetch_add(&n_pickers, 1) * 77777;
    muster_lease leases[LEASES] = {{NULL, 0}};
    muster_method_config method = {.struct_size = sizeof method};

    while (!atomic_load(&w->is_stopping)) {
        unsigned channel = below(&random, CHANNELS);
        muster_lease *lease = &leases[below(&random, LEASES)];

        finish(w, lease);
        (void)muster_channel_get_method_config(w->channels[channel], "/a/b",
                                               &method);
        if (below(&random, 16) == 0) {
            ask(w, channel, &random);
        } else {
            pick(w, channel, &random, lease);
        }
        if (atomic_load(&w->is_resting)) {
            for (int i = 0; i < LEASES; i++) {
                finish(w, &leases[i]);
            }
            atomic_fetch_add(&w->n_resting, 1);
            while (atomic_load(&w->is_resting)) {
                (void)sched_yield();
            }
            atomic_fetch_sub(&w->n_resting, 1);
        }
    }
    for (int i = 0; i < LEASES; i++) {
        finish(w, &leases[i]);
    }
    return NULL;
}

/* ---- lists ---- */

static void randomize_endpoint(world *w, muster_endpoint *endpoint)
{
    static const muster_attribute attribute = {"rack", "7"};

    endpoint->weight = w->has_weights ? below(&w->random, 4) : 0;
    endpoint->priority = w->has_priorities ? below(&w->random, PRIORITIES) : 0;
    endpoint->attributes = &attribute;
    endpoint->n_attributes = below(&w->random, 2);
}

static void randomize_list(world *w)
{
    unsigned first = below(&w->random, ADDRESSES);

    w->n = 1 + below(&w->random, ADDRESSES / 2);
    for (size_t i = 0; i < w->n; i++) {
        unsigned at = (first + (unsigned)i) % ADDRESSES;

        w->list[i].address = addresses[at];
        w->list[i].more_addresses = more_addresses[at];
        w->list[i].n_more_addresses = at % (MORE + 1);
        randomize_endpoint(w, &w->list[i]);
    }
}

/* With a service config, or without. An invalid one changes nothing, but as the
 * first. */
static void report(world *w, const muster_endpoint *list, size_t n)
{
    static const char *const configs[] = {
        NULL,
        "{\"methodConfig\": [{\"name\": [{\"service\": \"a\"}]}]}",
        "{\"loadBalancingConfig\": [{\"round_robin\": {\"strict\": true}}]}",
        "{\"loadBalancingConfig\": [{\"weighted_round_robin\": {}}]}",
        "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}",
        "{\"healthCheckConfig\": {\"serviceName\": \"\"}}",
        "{\"loadBalancingConfig\": []}",
    };

    script_report_config(
        TARGET, list, n,
        configs[below(&w->random, w->has_valid_config ? 7 : 6)]);
    w->has_valid_config = true;
}

/* The list as it is, in another order and with repetitions. */
static void report_shuffled(world *w)
{
    muster_endpoint list[2 * ADDRESSES];
    size_t start = w->n == 0 ? 0 : below(&w->random, (unsigned)w->n);

    for (size_t i = 0; i < w->n; i++) {
        list[i] = w->list[(start + i) % w->n];
        list[w->n + i] = list[i];
    }
    report(w, list, below(&w->random, 2) == 0 ? w->n : 2 * w->n);
}

static void report_delta(world *w)
{
    muster_endpoint removed = {0};
    muster_endpoint *changed = &w->list[below(&w->random, (unsigned)w->n)];

    randomize_endpoint(w, changed);
    if (w->n > 1 && below(&w->random, 2) == 0) {
        removed = w->list[w->n - 1];
        if (changed == &w->list[w->n - 1]) {
            changed = &w->list[0];
        }
        w->n--;
        script_report_delta(TARGET, changed, 1, &removed, 1);
    } else {
        script_report_delta(TARGET, changed, 1, NULL, 0);
    }
}

static void change_list(world *w)
{
    switch (below(&w->random, 4)) {
    case 0:
        randomize_list(w);
        report(w, w->list, w->n);
        break;
    case 1:
        report_shuffled(w);
        break;
    case 2:
        for (size_t i = 0; i < w->n; i++) {
            randomize_endpoint(w, &w->list[i]);
        }
        report(w, w->list, w->n);
        break;
    default:
        if (w->n > 0) {
            report_delta(w);
        }
        break;
    }
}

/* ---- what the driver does ---- */

static bool serves(world *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_lease lease = {0};
        if (muster_channel_pick(w->channels[i], NULL, &lease, NULL) !=
            MUSTER_OK) {
            return false;
        }
        finish(w, &lease);
    }
    return true;
}

/* Something serves, and from here on nothing happens that may end it. */
static void promise(world *w)
{
    if (!w->is_unsure && atomic_load(&w->must_serve) == 0 && serves(w)) {
        atomic_store(&w->must_serve, ++w->n_promises);
    }
}

static void break_promise(world *w)
{
    atomic_store(&w->must_serve, 0);
}

/* It serves, or soon does not. */
static void disturb_health(world *w, const char *address)
{
    muster_health health = (muster_health)below(&w->random, 4);

    if (health == MUSTER_HEALTH_UNKNOWN ||
        health == MUSTER_HEALTH_NOT_SERVING) {
        break_promise(w);
        w->is_unsure = true;
    }
    (void)muster_testkit_transport_report_health(
        w->transport, address, health,
        below(&w->random, 2) == 0 ? "it is tired" : NULL);
}

static void disturb_connections(world *w)
{
    unsigned endpoint = below(&w->random, ADDRESSES);
    unsigned which = below(&w->random, 1 + MORE);
    const char *address =
        which == 0 ? addresses[endpoint] : more_texts[endpoint][which - 1];

    switch (below(&w->random, 9)) {
    case 0:
        muster_testkit_transport_set_delay(
            w->transport,
            below(&w->random, 4) == 0 ? MUSTER_FOREVER : below(&w->random, 4));
        break;
    case 1:
        (void)muster_testkit_transport_set_failure(
            w->transport, address, below(&w->random, 2) ? "refused" : NULL);
        break;
    case 2:
        (void)muster_testkit_transport_connect(w->transport, address);
        break;
    case 3:
        (void)muster_testkit_transport_fail(w->transport, address, "reset");
        break;
    case 4:
        muster_testkit_transport_set_inline(w->transport,
                                            (int)below(&w->random, 2));
        break;
    case 5:
    case 6:
    case 7:
        disturb_health(w, address);
        break;
    default:
        break_promise(w);
        w->is_unsure = true;
        (void)muster_testkit_transport_disconnect(w->transport, address);
        break;
    }
}

static void operate(world *w)
{
    unsigned what = below(&w->random, 20);

    if (what < 9) {
        change_list(w);
    } else if (what < 15) {
        disturb_connections(w);
    } else if (what == 15) {
        script_fail(TARGET, MUSTER_UNAVAILABLE, "the source is away");
    } else if (what == 16) {
        muster_channel_refresh(w->channels[0]);
    } else if (what == 17 && below(&w->random, 3) == 0) {
        break_promise(w);
        script_report(TARGET, NULL, 0);
        w->n = 0;
    } else {
        (void)stats_of(w->channels[below(&w->random, CHANNELS)]);
        promise(w);
    }
}

/* ---- at rest ---- */

static unsigned best_priority(const world *w)
{
    unsigned best = PRIORITIES;

    for (size_t i = 0; i < w->n; i++) {
        best = w->list[i].priority < best ? w->list[i].priority : best;
    }
    return best;
}

static bool is_served(const world *w, const char *address)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->list[i].address, address) == 0) {
            return w->list[i].priority == best_priority(w);
        }
    }
    return false;
}

static size_t n_served(const world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n; i++) {
        n += w->list[i].priority == best_priority(w);
    }
    return n;
}

/* Whatever hangs or fails does so no more. */
static void heal(world *w)
{
    muster_testkit_transport_set_delay(w->transport, 0);
    (void)muster_testkit_transport_set_failure(w->transport, NULL, NULL);
    (void)muster_testkit_transport_connect(w->transport, NULL);
    (void)muster_testkit_transport_report_health(w->transport, NULL,
                                                 MUSTER_HEALTH_SERVING, NULL);
}

/* Whether picks cover exactly the READY endpoints of the best priority. */
static bool is_covered(world *w, muster_channel *channel)
{
    bool seen[ADDRESSES] = {false};
    size_t n_seen = 0;
    bool is_right = true;

    for (unsigned k = 0; k < 4000 && is_right && n_seen < n_served(w); k++) {
        muster_lease lease = {0};
        if (muster_channel_pick(channel, NULL, &lease, NULL) != MUSTER_OK) {
            return false;
        }
        const char *address = muster_lease_endpoint(&lease)->address;
        is_right = is_served(w, address);
        for (int i = 0; i < ADDRESSES; i++) {
            if (strcmp(addresses[i], address) == 0 && !seen[i]) {
                seen[i] = true;
                n_seen++;
            }
        }
        finish(w, &lease);
    }
    return is_right && n_seen == n_served(w);
}

/* Nothing has been published for a while: no table is in the making. */
static bool is_settled(muster_channel *channel)
{
    uint64_t generation = stats_of(channel).generation;

    for (int i = 0; i < 20; i++) {
        if (stats_of(channel).generation != generation) {
            return false;
        }
    }
    return true;
}

static bool is_drained(muster_channel *channel)
{
    muster_channel_stats stats = stats_of(channel);

    return stats.draining == 0 && stats.in_flight == 0 && stats.parked == 0;
}

/* Whether what was made and not destroyed is what the transport has. */
static bool adds_up(world *w)
{
    muster_testkit_transport_counts counts = {0};
    uint64_t n_alive = 0;
    uint64_t n_used;

    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_stats stats = stats_of(w->channels[i]);
        n_alive += stats.connections_created - stats.connections_destroyed;
    }
    muster_testkit_transport_get_counts(w->transport, NULL, &counts);
    n_used = counts.connecting + counts.connected;
    return n_alive == n_used && n_used <= w->n * CHANNELS * CONNECTIONS;
}

static void rest(world *w)
{
    atomic_store(&w->is_resting, true);
    EVENTUALLY(atomic_load(&w->n_resting) == PICKERS, "pickers at rest");
    EVENTUALLY(atomic_load(&w->n_answered) == atomic_load(&w->n_asked),
               "asynchronous picks without an answer");
    for (int i = 0; i < CHANNELS; i++) {
        (void)stats_of(w->channels[i]); /* the last list is in */
        EVENTUALLY((heal(w), is_covered(w, w->channels[i])),
                   "picks do not cover the endpoints");
        EVENTUALLY(is_drained(w->channels[i]), "something never drains");
        /* A loss that the transport had yet to report takes a cover away once
         * more; a wrong table that comes late takes it away for good. */
        EVENTUALLY((heal(w), is_settled(w->channels[i]) &&
                                 is_covered(w, w->channels[i])),
                   "picks cover the endpoints no more");
        EVENTUALLY(is_drained(w->channels[i]), "something never drains");
    }
    EVENTUALLY(adds_up(w), "connections do not add up");
    w->is_unsure = false;
    promise(w);
    atomic_store(&w->is_resting, false);
    EVENTUALLY(atomic_load(&w->n_resting) == 0, "pickers at work");
}

/* ---- a world ---- */

static void open_world(world *w)
{
    muster_channel_options options = {.struct_size = sizeof options};
    static const char *const policies[] = {NULL, NULL, "round_robin",
                                           "weighted_round_robin"};
    muster_error err = {.code = MUSTER_OK};

    MUST(muster_testkit_transport_create(&w->transport) == MUSTER_OK, "kit");
    w->has_priorities = below(&w->random, 2) == 0;
    w->has_weights = below(&w->random, 2) == 0;
    options.transport = muster_testkit_transport_class();
    options.transport_arg = w->transport;
    options.initial_backoff_ms = 1;
    options.max_backoff_ms = 4;
    options.replace_timeout_ms = PATIENCE_S * 1000;
    options.failover_timeout_ms = 1 + below(&w->random, 20);
    options.max_connecting = 1 + below(&w->random, 8);
    options.max_parked = below(&w->random, 2) == 0 ? 2 : 0;
    options.connections_per_endpoint = 1 + below(&w->random, CONNECTIONS);
    options.connection_choice = (muster_connection_choice)below(&w->random, 2);
    for (int i = 0; i < CHANNELS; i++) {
        options.policy = policies[below(&w->random, 4)];
        MUST(muster_channel_create("script:///" TARGET, &options,
                                   &w->channels[i], &err) == MUSTER_OK,
             err.message);
        watched[i] = w->channels[i];
    }
}

static void close_channels(world *w)
{
    break_promise(w);
    atomic_store(&w->closes_inside, below(&w->random, 2) == 0);
    for (unsigned k = below(&w->random, 8); k > 0; k--) {
        operate(w);
        break_promise(w);
    }
    for (int i = 0; i < CHANNELS; i++) {
        uint64_t begin_ns = now_ns();
        MUST(muster_channel_close(w->channels[i]) == MUSTER_OK, "close");
        atomic_store(&w->is_closed[i], true);
        MUST(now_ns() - begin_ns < UINT64_C(5000000000), "close takes long");
        MUST(muster_channel_state(w->channels[i]) == MUSTER_SHUTDOWN, "state");
    }
}

static void close_world(world *w)
{
    for (int i = 0; i < CHANNELS; i++) {
        muster_channel_destroy(w->channels[i]);
    }
    EVENTUALLY(muster_shutdown() != MUSTER_BUSY, "a channel that stays");
    MUST(atomic_load(&w->n_answered) == atomic_load(&w->n_asked),
         "asynchronous picks without an answer");
    MUST(*muster_testkit_transport_violations(w->transport) == '\0',
         muster_testkit_transport_violations(w->transport));
    muster_testkit_transport_destroy(w->transport);
}

static uint64_t run_world(uint64_t world_seed, bool is_closed_busy)
{
    pthread_t pickers[PICKERS];
    world *w = calloc(1, sizeof *w);

    MUST(w != NULL, "memory");
    seed = world_seed;
    w->random = world_seed;
    open_world(w);
    for (int i = 0; i < PICKERS; i++) {
        (void)pthread_create(&pickers[i], NULL, picker_main, w);
    }
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < OPERATIONS; i++) {
            operate(w);
        }
        if (!is_closed_busy || k < 2) {
            rest(w);
        }
    }
    close_channels(w);
    atomic_store(&w->is_stopping, true);
    for (int i = 0; i < PICKERS; i++) {
        (void)pthread_join(pickers[i], NULL);
    }
    close_world(w);
    uint64_t n_picked = atomic_load(&w->n_picked);
    free(w);
    return n_picked;
}

/* Bytes in use come back (rule 17): compared with those after a few worlds, in
 * which what is made once a process was made. Sanitizers answer 0. */
static void check_memory(unsigned n_worlds)
{
    enum { WARM_UP = 4, SLACK = 16 << 10 };
    static size_t before;
    size_t now = mallinfo2().uordblks;

    if (n_worlds == WARM_UP) {
        before = now;
    }
    MUST(n_worlds <= WARM_UP || now <= before + SLACK, "memory is lost");
}

static void write_addresses(void)
{
    for (int i = 0; i < ADDRESSES; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d:1", i);
        for (int k = 0; k < MORE; k++) {
            (void)snprintf(more_texts[i][k], sizeof more_texts[i][k],
                           "[fd00::%d]:%d", 1 + i, 1 + k);
            more_addresses[i][k] = more_texts[i][k];
        }
    }
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 4;
    uint64_t first =
        argc > 2 ? strtoull(argv[2], NULL, 10) : now_ns() % 1000000;
    uint64_t end_ns = now_ns() + seconds * UINT64_C(1000000000);
    uint64_t n_picked = 0;
    unsigned n_worlds = 0;

    write_addresses();
    muster__timing_scale_waits_for_test(100); /* between attempts: 1 to 20 ms */
    (void)printf("channel_model: seeds from %llu\n", (unsigned long long)first);
    (void)fflush(stdout);
    script_register();
    do {
        n_picked += run_world(first + n_worlds, n_worlds % 2 == 0);
        check_memory(++n_worlds);
    } while (now_ns() < end_ns);
    (void)printf("channel_model: %u worlds, %llu picks\n", n_worlds,
                 (unsigned long long)n_picked);
    return 0;
}
