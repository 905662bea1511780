/* SPDX-License-Identifier: Apache-2.0 */
/* Connections are renewed all the time, and some of them lost, while four
 * threads pick: no pick finds a connection that is gone, and none nothing while
 * nothing is lost. A plain program, for the ThreadSanitizer lane.
 *   channel_renew [SECONDS] */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "script_resolver.h"

enum { PICKERS = 4, ENDPOINTS = 8, LEASES = 16 };

static muster_channel *channel;
static muster_testkit_transport *transport;
static atomic_bool is_stopping;
static _Atomic uint64_t n_picks;
static _Atomic uint64_t n_empty;
static _Atomic uint64_t n_dead;

static void finish(muster_lease *lease)
{
    if (lease->slot_ != NULL) {
        if (!muster_testkit_transport_use(transport,
                                          muster_lease_connection(lease))) {
            atomic_fetch_add(&n_dead, 1);
        }
        muster_lease_finish(lease, NULL);
    }
}

static void *pick_loop(void *arg)
{
    muster_lease held[LEASES] = {{NULL, 0}};
    uint64_t n = 0;

    (void)arg;
    while (!atomic_load(&is_stopping)) {
        muster_lease *lease = &held[n++ % LEASES];

        finish(lease);
        if (muster_channel_pick(channel, NULL, lease, NULL) != MUSTER_OK) {
            atomic_fetch_add(&n_empty, 1);
        }
    }
    for (int i = 0; i < LEASES; i++) {
        finish(&held[i]);
    }
    atomic_fetch_add(&n_picks, n);
    return NULL;
}

static void report(unsigned n)
{
    char text[ENDPOINTS][32];
    const char *addresses[ENDPOINTS];

    for (unsigned i = 0; i < n; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.0.0.%u:1", i);
        addresses[i] = text[i];
    }
    script_report_addresses("renew", addresses, n);
}

/* The ticks of a clock, not a wait for something to happen. Every fourth goes
 * wrong: the last endpoint comes and goes, one connection is lost, new ones
 * fail. */
static unsigned renew_every_ms(unsigned seconds, bool is_rough)
{
    const struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t ticks = 0;
    unsigned round = 0;

    (void)timerfd_settime(clock, 0, &every, NULL);
    while (ticks < (uint64_t)seconds * 1000) {
        uint64_t n = 0;

        if (read(clock, &n, sizeof n) != sizeof n) {
            break;
        }
        ticks += n;
        round++;
        (void)muster_testkit_transport_renew(transport, NULL);
        if (is_rough && round % 4 == 0) {
            report(ENDPOINTS - (round / 4) % 2);
            (void)muster_testkit_transport_disconnect(transport, "10.0.0.1:1");
            (void)muster_testkit_transport_set_failure(
                transport, "10.0.0.2:1", round % 8 == 0 ? "no" : NULL);
        }
    }
    (void)close(clock);
    return round;
}

static void open_channel(uint64_t delay_ms)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 2,
                                      .max_backoff_ms = 4,
                                      .drain_deadline_ms = 5,
                                      .max_connecting = 3};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_error err;

    options.transport = muster_testkit_transport_class();
    options.transport_arg = transport;
    muster_testkit_transport_set_delay(transport, delay_ms);
    muster_testkit_transport_set_inline(transport, delay_ms == 0);
    if (muster_channel_create("script:///renew", &options, &channel, &err) !=
        MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    report(ENDPOINTS);
    while (stats.ready < ENDPOINTS) {
        (void)muster_channel_get_stats(channel, &stats);
    }
}

static int run(uint64_t delay_ms, unsigned seconds, bool is_rough)
{
    pthread_t threads[PICKERS];
    muster_channel_stats stats = {.struct_size = sizeof stats};
    unsigned rounds;

    atomic_store(&is_stopping, false);
    open_channel(delay_ms);
    for (int i = 0; i < PICKERS; i++) {
        pthread_create(&threads[i], NULL, pick_loop, NULL);
    }
    rounds = renew_every_ms(seconds, is_rough);
    atomic_store(&is_stopping, true);
    for (int i = 0; i < PICKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    (void)muster_channel_get_stats(channel, &stats);
    muster_channel_destroy(channel);
    (void)printf("connects of %u ms%s: %u times, %llu picks, %llu empty, %llu "
                 "on dead connections, %llu given back, %llu connections\n",
                 (unsigned)delay_ms, is_rough ? ", rough" : "", rounds,
                 (unsigned long long)atomic_load(&n_picks),
                 (unsigned long long)atomic_load(&n_empty),
                 (unsigned long long)atomic_load(&n_dead),
                 (unsigned long long)stats.picks_given_back,
                 (unsigned long long)stats.connections_created);
    return atomic_load(&n_empty) != 0 || atomic_load(&n_dead) != 0 ||
           stats.connections_created < 2 * ENDPOINTS;
}

int main(int argc, char **argv)
{
    const unsigned seconds =
        argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2;
    int failed = 0;

    script_register();
    for (unsigned i = 0; i < 4; i++) {
        if (muster_testkit_transport_create(&transport) != MUSTER_OK) {
            return 1;
        }
        failed |= run(i % 2 == 0 ? 0 : 5, seconds, i >= 2);
        while (muster_shutdown() == MUSTER_BUSY) { /* the last ones drain */
        }
        if (*muster_testkit_transport_violations(transport) != '\0') {
            (void)fprintf(stderr, "%s",
                          muster_testkit_transport_violations(transport));
            failed = 1;
        }
        muster_testkit_transport_destroy(transport);
    }
    return failed;
}
