/* SPDX-License-Identifier: Apache-2.0 */
/* A channel whose endpoints are READY on the fake transport, and a thread that
 * picks from it all the time. */
#ifndef MUSTER_TESTS_PICKING_FIXTURE_H
#define MUSTER_TESTS_PICKING_FIXTURE_H

#include <muster/muster.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "script_resolver.h"

enum { LONG_MS = 10000, N_ENDPOINTS = 5 };

static const char *const addresses[N_ENDPOINTS] = {
    "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1", "10.0.0.5:1"};

typedef struct bench {
    muster_testkit_transport *transport;
    muster_channel *channel;
} bench;

static inline muster_channel_stats stats_of(const bench *b)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(b->channel, &stats), MUSTER_OK);
    return stats;
}

/* A channel whose n endpoints are READY. */
static inline bench bench_open(const char *name, size_t n,
                               const muster_channel_options *given)
{
    bench b = {NULL, NULL};
    muster_channel_options options = {0};
    muster_error err = {.code = MUSTER_OK};
    char target[64];

    script_register();
    if (given != NULL) {
        options = *given;
    }
    options.struct_size = sizeof options;
    cr_assert_eq(muster_testkit_transport_create(&b.transport), MUSTER_OK);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = b.transport;
    (void)snprintf(target, sizeof target, "script:///%s", name);
    cr_assert_eq(muster_channel_create(target, &options, &b.channel, &err),
                 MUSTER_OK, "%s", err.message);
    script_report_addresses(name, addresses, n);
    while (stats_of(&b).ready < n) {
        /* Answers come from the control thread. */
    }
    return b;
}

static inline void bench_close(bench *b)
{
    muster_channel_destroy(b->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
        /* The last connections close. */
    }
    cr_assert_str_empty(muster_testkit_transport_violations(b->transport));
    muster_testkit_transport_destroy(b->transport);
}

/* ---- waiting for the transport ---- */

/* At least so many of each. */
static inline int has_counts(void *arg,
                             const muster_testkit_transport_counts *counts)
{
    const muster_testkit_transport_counts *least = arg;

    return counts->created >= least->created &&
           counts->failed >= least->failed &&
           counts->destroyed >= least->destroyed;
}

static inline void await_counts(const bench *b, uint64_t created,
                                uint64_t failed, uint64_t destroyed)
{
    muster_testkit_transport_counts least = {
        .created = created, .failed = failed, .destroyed = destroyed};

    cr_assert_eq(muster_testkit_transport_await(b->transport, NULL, has_counts,
                                                &least, LONG_MS),
                 MUSTER_OK);
}

/* Of one address: at least so many. */
static inline void await_counts_of(const bench *b, const char *address,
                                   uint64_t created, uint64_t destroyed)
{
    muster_testkit_transport_counts least = {.created = created,
                                             .destroyed = destroyed};

    cr_assert_eq(muster_testkit_transport_await(b->transport, address,
                                                has_counts, &least, LONG_MS),
                 MUSTER_OK);
}

static inline muster_testkit_transport_counts counts_of(const bench *b)
{
    muster_testkit_transport_counts counts;

    muster_testkit_transport_get_counts(b->transport, NULL, &counts);
    return counts;
}

static inline muster_lease pick(const bench *b)
{
    muster_lease lease = {0};
    muster_error err;

    cr_assert_eq(muster_channel_pick(b->channel, NULL, &lease, &err), MUSTER_OK,
                 "%s", err.message);
    cr_assert(muster_testkit_transport_use(b->transport,
                                           muster_lease_connection(&lease)));
    return lease;
}

/* ---- a thread that picks all the time ---- */

typedef struct picker {
    const bench *bench;
    pthread_t thread;
    atomic_bool is_stopping;
    _Atomic uint64_t n_picks;
    uint64_t n_refused;
} picker;

static inline void *pick_all_the_time(void *arg)
{
    picker *self = arg;

    while (!atomic_load(&self->is_stopping)) {
        muster_lease lease = {0};

        atomic_fetch_add(&self->n_picks, 1);
        if (muster_channel_pick(self->bench->channel, NULL, &lease, NULL) !=
            MUSTER_OK) {
            self->n_refused++;
            continue;
        }
        (void)muster_testkit_transport_use(self->bench->transport,
                                           muster_lease_connection(&lease));
        muster_lease_finish(&lease, NULL);
    }
    return NULL;
}

/* Returns when it picks. */
static inline void picker_start(picker *self, const bench *b)
{
    memset(self, 0, sizeof *self);
    self->bench = b;
    cr_assert_eq(pthread_create(&self->thread, NULL, pick_all_the_time, self),
                 0);
    while (atomic_load(&self->n_picks) == 0) {
        (void)sched_yield();
    }
}

static inline void picker_stop(picker *self)
{
    atomic_store(&self->is_stopping, true);
    (void)pthread_join(self->thread, NULL);
    cr_assert_eq(self->n_refused, 0, "%llu of %llu picks refused",
                 (unsigned long long)self->n_refused,
                 (unsigned long long)atomic_load(&self->n_picks));
}

#endif
