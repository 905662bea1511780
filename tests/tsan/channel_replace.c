/* SPDX-License-Identifier: Apache-2.0 */
/* A full replacement every millisecond, four picking threads, connects that
 * take 0, 5 and 50 ms, every policy: no pick finds nothing, none finds a
 * connection that is gone (behaviour rule 4), while lists are taken over and,
 * of connects that take no time, served. A plain program, for the
 * ThreadSanitizer lane.
 *
 *   channel_replace [MILLISECONDS [POLICY]]
 *
 * Of pick_first, too, no pick may find nothing: it wants one endpoint of the
 * new list, and the one of the old list serves until that is READY. A policy
 * that connects on demand owns a key by an endpoint that may not have been
 * asked for yet; as gRFC A42 has it, such a pick waits for it. So there each
 * pick is one that waits if need be, and has found nothing when it fails or is
 * not served in PATIENCE_MS: what it waits for is replaced each millisecond,
 * and it must get to the next list's. */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "every_policy.h"
#include "random_numbers.h"
#include "scale.h"
#include "script_resolver.h"

enum {
    PICKERS = 4,
    ENDPOINTS = 8,
    LEASES = 16,
    PATIENCE_MS = 10000,
    LONG_MS = 600000
};

static const every_policy *policy; /* the one that is tried */
static muster_channel *channel;
static muster_testkit_transport *transport;
static atomic_bool is_stopping;
static _Atomic uint64_t n_picks;
static _Atomic uint64_t n_empty;
static _Atomic uint64_t n_dead;
static _Atomic uint64_t n_turns; /* to a list that the picker had not met */

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

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

static muster_status pick(uint64_t *random, muster_lease *ret_lease)
{
    char key[24];
    muster_call_info call = {.struct_size = sizeof call, .hash_key = key};

    (void)snprintf(key, sizeof key, "%u", below(random, 1000));
    if (!policy->connects_on_demand) {
        return muster_channel_pick(channel, &call, ret_lease, NULL);
    }
    call.deadline_ns = in_ms(PATIENCE_MS);
    return muster_channel_pick_wait(channel, &call, ret_lease, NULL);
}

/* The list that the lease's endpoint is of, as replace() has written it. */
static unsigned round_of(const muster_lease *lease)
{
    unsigned high = 0;
    unsigned low = 0;

    (void)sscanf(muster_lease_endpoint(lease)->address, "10.%u.%u.", &high,
                 &low);
    return high << 8 | low;
}

static void *pick_loop(void *arg)
{
    muster_lease held[LEASES] = {{NULL, 0}};
    uint64_t random = (uintptr_t)arg;
    uint64_t n = 0;
    unsigned newest = 0;

    while (!atomic_load(&is_stopping)) {
        muster_lease *lease = &held[n++ % LEASES];
        finish(lease);
        if (pick(&random, lease) != MUSTER_OK) {
            atomic_fetch_add(&n_empty, 1);
        } else if (round_of(lease) > newest) {
            newest = round_of(lease);
            atomic_fetch_add_explicit(&n_turns, 1, memory_order_relaxed);
        }
    }
    for (int i = 0; i < LEASES; i++) {
        finish(&held[i]);
    }
    atomic_fetch_add(&n_picks, n);
    return NULL;
}

/* A whole new list, none of it in the one before. */
static void replace(unsigned round)
{
    char text[ENDPOINTS][32];
    const char *addresses[ENDPOINTS];

    for (unsigned i = 0; i < ENDPOINTS; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.%u.%u.%u:1",
                       round >> 8 & 255, round & 255, i);
        addresses[i] = text[i];
    }
    script_report_addresses("replace", addresses, ENDPOINTS);
}

/* Lists that changed something. */
static uint64_t n_taken_over(const muster_channel_stats *stats)
{
    return stats->updates_accepted - stats->updates_unchanged;
}

/* A machine that misses ticks replaces less often; one that hardly replaces has
 * tried nothing. Lists of slow connects are taken over, but none is served. */
static bool have_replaced(uint64_t delay_ms, uint64_t for_ms)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    return n_taken_over(&stats) > for_ms / 10 &&
           (delay_ms > 0 || atomic_load(&n_turns) > for_ms / 1000);
}

/* The ticks of a clock, not a wait for something to happen: for_ms of them, and
 * as many more, within PATIENCE_MS, as it takes to have replaced. */
static unsigned replace_every_ms(uint64_t delay_ms, uint64_t for_ms)
{
    const struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t ticks = 0;
    unsigned round = 0;

    (void)timerfd_settime(clock, 0, &every, NULL);
    while (ticks < for_ms ||
           (!have_replaced(delay_ms, for_ms) && ticks < for_ms + PATIENCE_MS)) {
        uint64_t n = 0;
        if (read(clock, &n, sizeof n) != sizeof n) {
            break;
        }
        ticks += n;
        replace(++round);
    }
    (void)close(clock);
    return round;
}

static void must(muster_status status, const muster_error *err)
{
    if (status != MUSTER_OK) {
        (void)fprintf(stderr, "%s: %s\n", policy->name, err->message);
        exit(1);
    }
}

/* Lists of connects that take longer than a list lives are never served: the
 * first one is to serve all the time. */
static void open_channel(uint64_t delay_ms)
{
    muster_channel_options options = {
        .struct_size = sizeof options,
        .policy = policy->name,
        .policy_config_json = policy->config_json,
        .transport = muster_testkit_transport_class(),
        .transport_arg = transport,
        .max_connecting = 1000,
        .replace_timeout_ms = LONG_MS,
    };
    muster_lease lease = {0};
    muster_error err;

    muster_testkit_transport_set_delay(transport, delay_ms);
    muster_testkit_transport_set_inline(transport, delay_ms == 0);
    must(muster_channel_create("script:///replace", &options, &channel, &err),
         &err);
    replace(0);
    must(muster_channel_pick_wait(channel, NULL, &lease, &err), &err);
    muster_lease_finish(&lease, NULL);
}

static void report(uint64_t delay_ms, unsigned n_lists)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    (void)printf("%-20s connects of %2u ms: %u lists, %llu taken over, "
                 "pickers turned %llu times, %llu picks, %llu empty, "
                 "%llu on dead connections, %llu given back, %llu "
                 "connections\n",
                 policy->name, (unsigned)delay_ms, n_lists,
                 (unsigned long long)n_taken_over(&stats),
                 (unsigned long long)atomic_load(&n_turns),
                 (unsigned long long)atomic_load(&n_picks),
                 (unsigned long long)atomic_load(&n_empty),
                 (unsigned long long)atomic_load(&n_dead),
                 (unsigned long long)stats.picks_given_back,
                 (unsigned long long)stats.connections_created);
    (void)fflush(stdout);
}

/* Whether all was well. */
static bool replace_and_pick(uint64_t delay_ms, uint64_t for_ms)
{
    pthread_t threads[PICKERS];
    unsigned n_lists;
    bool is_good;

    atomic_store(&is_stopping, false);
    atomic_store(&n_picks, 0);
    atomic_store(&n_empty, 0);
    atomic_store(&n_dead, 0);
    atomic_store(&n_turns, 0);
    open_channel(delay_ms);
    for (int i = 0; i < PICKERS; i++) {
        pthread_create(&threads[i], NULL, pick_loop,
                       (void *)(uintptr_t)(i + 1));
    }
    n_lists = replace_every_ms(delay_ms, for_ms);
    atomic_store(&is_stopping, true);
    for (int i = 0; i < PICKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    report(delay_ms, n_lists);
    is_good = atomic_load(&n_empty) == 0 && atomic_load(&n_dead) == 0 &&
              have_replaced(delay_ms, for_ms);
    muster_channel_destroy(channel);
    return is_good;
}

static bool try_policy(uint64_t delay_ms, uint64_t for_ms)
{
    const char *violations;
    bool is_good;

    if (muster_testkit_transport_create(&transport) != MUSTER_OK) {
        return false;
    }
    is_good = replace_and_pick(delay_ms, for_ms);
    while (muster_shutdown() == MUSTER_BUSY) { /* the last ones drain */
    }
    violations = muster_testkit_transport_violations(transport);
    if (*violations != '\0') {
        (void)fprintf(stderr, "%s", violations);
        is_good = false;
    }
    muster_testkit_transport_destroy(transport);
    return is_good;
}

int main(int argc, char **argv)
{
    uint64_t for_ms =
        argc > 1 ? strtoull(argv[1], NULL, 10) : scale(300, 10000);
    const uint64_t delays_ms[] = {0, 5, 50};
    bool is_good = true;

    script_register();
    every_policy_register();
    for (size_t i = 0; i < n_every_policies; i++) {
        policy = &every_policies[i];
        for (int j = 0;
             j < 3 && (argc < 3 || strcmp(argv[2], policy->name) == 0); j++) {
            is_good &= try_policy(delays_ms[j], for_ms);
        }
    }
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
