/* SPDX-License-Identifier: Apache-2.0 */
/* Graceful shutdown at random instants: while the channel resolves, updates,
 * connects, has calls in flight, inside callbacks, by several at once. Each is
 * complete within its deadline, and what was promised of callbacks holds. How
 * often each instant was met is counted, and none may be missed. A plain
 * program, for all lanes.
 *   channel_shutdown [ROUNDS [SEED]] */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random_numbers.h"
#include "scale.h"
#include "script_resolver.h"
#include "slow_policy.h"

enum {
    PICKERS = 2,
    CLOSERS = 2,
    LEASES = 4, /* a picker holds at a time */
    ADDRESSES = 4,
    MAX_GRACE_MS = 4,
    INSIDE_GRACE_MS = 1,
    MARGIN_MS = 2000, /* the machine may be busy with something else */
    MANY_ROUNDS = 300 /* so many meet every instant */
};

#define TARGET "shutdown"

static uint64_t round_seed;

static void fail_at(int line, const char *what)
{
    (void)fprintf(stderr, "channel_shutdown: seed %llu: line %d: %s\n",
                  (unsigned long long)round_seed, line, what);
    abort();
}

#define MUST(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_at(__LINE__, #condition);                                     \
        }                                                                      \
    } while (0)

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What the channel is at when its shutdown is asked for. */
enum {
    RESOLVING,
    UPDATING,
    CONNECTING,
    IN_FLIGHT,
    INSIDE_A_CALLBACK,
    INSTANTS
};

typedef struct world {
    muster_testkit_transport *transport;
    muster_channel *channel;
    muster_state_watcher *watcher;
    uint64_t random;
    bool is_mute;          /* no list ever comes */
    bool is_slow;          /* of the policy whose tables take time */
    unsigned inside_event; /* at which event it is shut down; 0: at none */

    atomic_bool is_stopping;
    atomic_bool is_over;  /* a shutdown has returned */
    atomic_uint n_events; /* of the watcher */
    atomic_uint n_ends;
    atomic_uint n_asked; /* asynchronous picks */
    atomic_uint n_answered;
    _Atomic uint64_t n_picked;
    _Atomic uint64_t inside_ns; /* when the watcher shut it down; 0: not yet */
    atomic_bool was_met[INSTANTS];
} world;

/* How often each came about, for whoever reads the result. */
static struct {
    uint64_t finished;
    uint64_t cancelled;
    uint64_t parked_failed;
    uint64_t met[INSTANTS];      /* in so many rounds */
    _Atomic uint64_t longest_ns; /* over the grace period */
} sums;

/* ---- instants ---- */

/* Just before the shutdown is asked for. A mute channel resolves from its
 * beginning to its end; what is in flight the numbers tell afterwards. */
static void note_instant(world *w)
{
    muster_testkit_transport_counts counts;

    if (muster_channel_state(w->channel) == MUSTER_SHUTDOWN) {
        return; /* another was first */
    }
    muster_testkit_transport_get_counts(w->transport, NULL, &counts);
    if (w->is_mute) {
        atomic_store(&w->was_met[RESOLVING], true);
    }
    if (w->is_slow && slow_policy_is_building()) {
        atomic_store(&w->was_met[UPDATING], true);
    }
    if (counts.connecting > 0) {
        atomic_store(&w->was_met[CONNECTING], true);
    }
}

static void note_callback(world *w)
{
    if (muster_channel_state(w->channel) != MUSTER_SHUTDOWN) {
        atomic_store(&w->was_met[INSIDE_A_CALLBACK], true);
    }
}

static void add_instants(const world *w)
{
    for (int i = 0; i < INSTANTS; i++) {
        sums.met[i] += atomic_load(&w->was_met[i]);
    }
}

/* ---- callbacks ---- */

static void on_state(void *arg, const muster_state_event *event)
{
    world *w = arg;
    unsigned n = atomic_fetch_add(&w->n_events, 1) + 1;

    MUST(atomic_load(&w->n_ends) == 0);
    if (event->kind == MUSTER_STATE_CHANNEL &&
        event->state == MUSTER_SHUTDOWN) {
        atomic_fetch_add(&w->n_ends, 1);
    }
    if (n == w->inside_event) {
        note_callback(w);
        atomic_store(&w->inside_ns, now_ns());
        MUST(muster_channel_shutdown(w->channel, INSIDE_GRACE_MS, NULL) ==
             MUSTER_OK);
        MUST(muster_channel_shutdown(w->channel, MUSTER_FOREVER, NULL) ==
             MUSTER_OK);
    }
}

static void take_answer(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    world *w = arg;

    (void)err;
    MUST(!atomic_load(&w->is_over));
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    if (atomic_fetch_add(&w->n_answered, 1) == 20 && w->inside_event > 6) {
        note_callback(w);
        MUST(muster_shutdown_all(MUSTER_FOREVER, NULL) == MUSTER_OK);
    }
}

/* ---- threads ---- */

static void finish_some(const world *w, muster_lease *leases, bool is_all,
                        uint64_t *random)
{
    for (int i = 0; i < LEASES; i++) {
        if (leases[i].slot_ != NULL && (is_all || below(random, 2) == 0)) {
            MUST(muster_testkit_transport_use(
                w->transport, muster_lease_connection(&leases[i])));
            muster_lease_finish(&leases[i], NULL);
        }
    }
}

static void pick(world *w, muster_lease *lease, uint64_t *random)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .deadline_ns =
                                 now_ns() + below(random, 1000) * 1000};
    muster_status status;

    if (below(random, 4) == 0) {
        atomic_fetch_add(&w->n_asked, 1);
        if (muster_channel_pick_async(w->channel, &call, take_answer, w,
                                      NULL) != MUSTER_OK) {
            atomic_fetch_sub(&w->n_asked, 1);
        }
        return;
    }
    status = muster_channel_pick_wait(w->channel, &call, lease, NULL);
    MUST(status == MUSTER_OK || status == MUSTER_TIMEOUT ||
         status == MUSTER_CLOSED);
    atomic_fetch_add(&w->n_picked, status == MUSTER_OK);
}

/* What it holds when the channel closes it keeps until the end, half of the
 * time: calls that do not end by themselves. */
static void *pick_on(void *arg)
{
    static _Atomic uint64_t n_pickers;
    world *w = arg;
    uint64_t random = round_seed + atomic_fetch_add(&n_pickers, 1) * 77777;
    muster_lease leases[LEASES] = {{NULL, 0}};
    bool is_stubborn = below(&random, 2) == 0;

    while (muster_channel_state(w->channel) != MUSTER_SHUTDOWN) {
        muster_lease *lease = &leases[below(&random, LEASES)];
        if (lease->slot_ == NULL) {
            pick(w, lease, &random);
        }
        finish_some(w, leases, false, &random);
        (void)sched_yield();
    }
    while (is_stubborn && !atomic_load(&w->is_over)) {
        (void)sched_yield();
    }
    finish_some(w, leases, true, &random);
    return NULL;
}

static void *report_on(void *arg)
{
    static const char *const addresses[ADDRESSES] = {
        "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"};
    const world *w = arg;
    uint64_t random = round_seed + 1;
    muster_endpoint list[ADDRESSES] = {{0}};

    while (!atomic_load(&w->is_stopping)) {
        unsigned n = below(&random, ADDRESSES + 1);
        bool has_weights = below(&random, 2) == 0; /* then a table is built */
        for (unsigned i = 0; i < n; i++) {
            list[i].address = addresses[i];
            list[i].weight = has_weights ? i + 1 : 1;
        }
        script_report(TARGET, list, n);
        (void)muster_testkit_transport_disconnect(
            w->transport, addresses[below(&random, ADDRESSES)]);
        for (unsigned i = below(&random, 30); i > 0; i--) {
            (void)sched_yield();
        }
    }
    return NULL;
}

/* ---- shutting down ---- */

static void check_time(uint64_t begin_ns, uint64_t grace_ms)
{
    uint64_t took_ns = now_ns() - begin_ns;
    uint64_t over_ns =
        took_ns > grace_ms * 1000000 ? took_ns - grace_ms * 1000000 : 0;
    uint64_t longest_ns = atomic_load(&sums.longest_ns);

    MUST(over_ns < limit_ns(MARGIN_MS));
    while (
        over_ns > longest_ns &&
        !atomic_compare_exchange_weak(&sums.longest_ns, &longest_ns, over_ns)) {
    }
}

static void shut_down(world *w, uint64_t *random)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    uint64_t grace_ms = below(random, MAX_GRACE_MS + 1);
    uint64_t begin_ns = now_ns();
    bool is_all = below(random, 3) == 0;

    note_instant(w);
    if (below(random, 6) == 0) {
        MUST(muster_channel_close(w->channel) == MUSTER_OK);
    }
    MUST((is_all ? muster_shutdown_all(grace_ms, &numbers)
                 : muster_channel_shutdown(w->channel, grace_ms, &numbers)) ==
         MUSTER_OK);
    check_time(begin_ns, grace_ms);
    MUST(muster_channel_state(w->channel) == MUSTER_SHUTDOWN);
    MUST(is_all || numbers.channels == 1);
}

/* What the watcher began has a deadline of its own: nobody else sets one. */
static void await_inside(world *w, uint64_t inside_ns)
{
    MUST(muster_channel_shutdown(w->channel, MUSTER_FOREVER, NULL) ==
         MUSTER_OK);
    check_time(inside_ns, INSIDE_GRACE_MS);
    MUST(muster_channel_state(w->channel) == MUSTER_SHUTDOWN);
}

static void end_channel(world *w)
{
    uint64_t inside_ns = atomic_load(&w->inside_ns);

    if (inside_ns != 0) {
        await_inside(w, inside_ns);
    } else {
        shut_down(w, &w->random);
    }
}

static void *shut_down_too(void *arg)
{
    world *w = arg;
    uint64_t random = round_seed + 2;

    shut_down(w, &random);
    return NULL;
}

static void pass(uint64_t us)
{
    uint64_t end_ns = now_ns() + us * 1000;

    while (now_ns() < end_ns) {
        (void)sched_yield();
    }
}

static void open_world(world *w)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 1,
                                      .max_backoff_ms = 2,
                                      .max_connecting = 2};
    static const uint64_t delays_ms[] = {0, 0, 0, 1, MUSTER_FOREVER};

    muster_testkit_transport_set_delay(w->transport,
                                       delays_ms[below(&w->random, 5)]);
    muster_testkit_transport_set_inline(w->transport,
                                        (int)below(&w->random, 2));
    (void)muster_testkit_transport_set_failure(
        w->transport, NULL, below(&w->random, 6) == 0 ? "refused" : NULL);
    w->is_mute = below(&w->random, 5) == 0;
    w->is_slow = !w->is_mute && below(&w->random, 3) == 0;
    w->inside_event = below(&w->random, 3) == 0 ? 1 + below(&w->random, 12) : 0;
    options.policy = w->is_slow ? "slow" : NULL;
    options.transport = muster_testkit_transport_class();
    options.transport_arg = w->transport;
    MUST(muster_channel_create(w->is_mute ? "script:///mute"
                                          : "script:///" TARGET,
                               &options, &w->channel, NULL) == MUSTER_OK);
    if (muster_channel_watch_state(w->channel, NULL, on_state, w,
                                   &w->watcher) != MUSTER_OK) {
        w->watcher = NULL;
    }
}

static void check_world(world *w)
{
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    muster_lease lease = {0};

    MUST(muster_channel_shutdown(w->channel, MUSTER_FOREVER, &numbers) ==
         MUSTER_OK);
    atomic_store(&w->is_over, true);
    MUST(muster_channel_pick(w->channel, NULL, &lease, NULL) == MUSTER_CLOSED);
    MUST(numbers.channels == 1);
    MUST(numbers.finished + numbers.cancelled <=
         PICKERS * LEASES + atomic_load(&w->n_asked));
    MUST(w->watcher == NULL || atomic_load(&w->n_ends) == 1);
    atomic_store(&w->was_met[IN_FLIGHT],
                 numbers.finished + numbers.cancelled > 0);
    sums.finished += numbers.finished;
    sums.cancelled += numbers.cancelled;
    sums.parked_failed += numbers.parked_failed;
}

static void close_world(world *w)
{
    MUST(atomic_load(&w->n_answered) == atomic_load(&w->n_asked));
    if (below(&w->random, 2) == 0) {
        muster_state_watcher_destroy(w->watcher);
        w->watcher = NULL;
    }
    muster_channel_destroy(w->channel);
    muster_state_watcher_destroy(w->watcher);
    MUST(*muster_testkit_transport_violations(w->transport) == '\0');
}

static void run_round(muster_testkit_transport *transport)
{
    world *w = calloc(1, sizeof *w);
    pthread_t pickers[PICKERS];
    pthread_t closers[CLOSERS];
    pthread_t reporter;
    unsigned n_closers;

    MUST(w != NULL);
    w->random = round_seed;
    w->transport = transport;
    MUST(pthread_create(&reporter, NULL, report_on, w) == 0);
    open_world(w);
    n_closers = below(&w->random, CLOSERS + 1);
    for (int i = 0; i < PICKERS; i++) {
        MUST(pthread_create(&pickers[i], NULL, pick_on, w) == 0);
    }
    pass(below(&w->random, 2000));
    for (unsigned i = 0; i < n_closers; i++) {
        MUST(pthread_create(&closers[i], NULL, shut_down_too, w) == 0);
    }
    end_channel(w);
    check_world(w);
    atomic_store(&w->is_stopping, true);
    for (unsigned i = 0; i < n_closers; i++) {
        (void)pthread_join(closers[i], NULL);
    }
    for (int i = 0; i < PICKERS; i++) {
        (void)pthread_join(pickers[i], NULL);
    }
    (void)pthread_join(reporter, NULL);
    close_world(w);
    add_instants(w);
    free(w);
}

static void on_list(void *arg, const muster_watch_event *event)
{
    (void)arg;
    (void)event;
}

/* False when an instant was missed. */
static bool print_sums(uint64_t n_rounds)
{
    static const char *const names[INSTANTS] = {"resolving", "updating",
                                                "connecting", "in flight",
                                                "inside a callback"};
    bool has_all = true;

    (void)printf("%llu rounds, at most %.1f ms over the grace period; calls: "
                 "%llu finished, %llu cancelled, %llu parked\n",
                 (unsigned long long)n_rounds,
                 (double)atomic_load(&sums.longest_ns) / 1e6,
                 (unsigned long long)sums.finished,
                 (unsigned long long)sums.cancelled,
                 (unsigned long long)sums.parked_failed);
    for (int i = 0; i < INSTANTS; i++) {
        (void)printf("%llu shut down while %s\n",
                     (unsigned long long)sums.met[i], names[i]);
        has_all = has_all && sums.met[i] > 0;
    }
    return has_all;
}

int main(int argc, char **argv)
{
    uint64_t n_rounds =
        argc > 1 ? strtoull(argv[1], NULL, 10) : scale(2000, 10000);
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : now_ns();
    muster_testkit_transport *transport = NULL;
    muster_watch *keeper = NULL; /* so that there is always who reports */

    script_register();
    slow_policy_register();
    MUST(muster_testkit_transport_create(&transport) == MUSTER_OK);
    MUST(muster_watch_create("script:///" TARGET, on_list, NULL, &keeper,
                             NULL) == MUSTER_OK);
    for (uint64_t i = 0; i < n_rounds; i++) {
        round_seed = seed + i;
        run_round(transport);
    }
    muster_watch_destroy(keeper);
    while (muster_shutdown() == MUSTER_BUSY) {
        (void)sched_yield();
    }
    muster_testkit_transport_destroy(transport);
    if (!print_sums(n_rounds) && n_rounds >= MANY_ROUNDS) {
        (void)fprintf(stderr, "channel_shutdown: an instant was missed\n");
        return 1;
    }
    return 0;
}
