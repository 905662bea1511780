/* SPDX-License-Identifier: Apache-2.0 */
/* A channel becomes IDLE again and again, while threads wait for just that to
 * pick, to wait for READY or to have connections renewed: none waits in vain,
 * and no pick finds a connection that is gone. A plain program, for the
 * ThreadSanitizer lane.
 *   channel_idle [ROUNDS] */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PICKERS = 3, PICKS = 4, IDLE_TIMEOUT_MS = 4, PATIENCE_S = 60 };

static muster_channel *channel;
static muster_testkit_transport *transport;
static unsigned n_rounds = 100;
static _Atomic uint64_t n_idle; /* as watchers are told */

static uint64_t deadline_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return ((uint64_t)now.tv_sec + PATIENCE_S) * 1000000000u;
}

static void need(bool is_good, const char *what)
{
    if (!is_good) {
        (void)fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

static void await(muster_connectivity state, const char *what)
{
    need(muster_channel_wait_for_state(channel, state, deadline_ns()) ==
             MUSTER_OK,
         what);
}

static void pick(void)
{
    const muster_call_info call = {.struct_size = sizeof call,
                                   .flags = MUSTER_CALL_WAIT_FOR_READY,
                                   .deadline_ns = deadline_ns()};
    muster_lease lease = {0};
    muster_error err = {.code = MUSTER_OK};

    need(muster_channel_pick_wait(channel, &call, &lease, &err) == MUSTER_OK,
         err.message);
    need(muster_testkit_transport_use(transport,
                                      muster_lease_connection(&lease)),
         "a pick found a connection that is gone");
    muster_lease_finish(&lease, NULL);
}

/* Every second round comes upon a channel that may be in use. */
static void *pick_loop(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < n_rounds; i++) {
        if (i % 2 == 0) {
            await(MUSTER_IDLE, "never IDLE for a picker");
        }
        for (int j = 0; j < PICKS; j++) {
            pick();
        }
    }
    return NULL;
}

static void *wait_loop(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < n_rounds; i++) {
        await(MUSTER_IDLE, "never IDLE for a waiting thread");
        await(MUSTER_READY, "never READY for a waiting thread");
        (void)muster_testkit_transport_renew(transport, NULL);
    }
    return NULL;
}

static void count_idle(void *arg, const muster_state_event *event)
{
    (void)arg;
    if (event->kind == MUSTER_STATE_CHANNEL && event->state == MUSTER_IDLE) {
        atomic_fetch_add(&n_idle, 1);
    }
}

static void open_channel(void)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .idle_timeout_ms = IDLE_TIMEOUT_MS};
    muster_error err;

    options.transport = muster_testkit_transport_class();
    options.transport_arg = transport;
    muster_testkit_transport_set_delay(transport, 0);
    if (muster_channel_create("static:///10.0.0.1:1,10.0.0.2:1", &options,
                              &channel, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
}

static void run(void)
{
    pthread_t threads[PICKERS + 1];
    muster_state_watcher *watcher = NULL;

    need(muster_channel_watch_state(channel, NULL, count_idle, NULL,
                                    &watcher) == MUSTER_OK,
         "no watcher");
    for (int i = 0; i <= PICKERS; i++) {
        pthread_create(&threads[i], NULL, i < PICKERS ? pick_loop : wait_loop,
                       NULL);
    }
    for (int i = 0; i <= PICKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    muster_state_watcher_destroy(watcher);
}

int main(int argc, char **argv)
{
    n_rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : n_rounds;
    need(muster_testkit_transport_create(&transport) == MUSTER_OK, "no memory");
    open_channel();
    run();
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) { /* the last ones drain */
    }
    (void)printf("IDLE %llu times\n", (unsigned long long)atomic_load(&n_idle));
    need(*muster_testkit_transport_violations(transport) == '\0',
         muster_testkit_transport_violations(transport));
    muster_testkit_transport_destroy(transport);
    return atomic_load(&n_idle) < n_rounds / 2;
}
