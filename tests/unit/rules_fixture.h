/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a channel's rules share: a channel over the fake transport,
 * with a policy that does what the test says. One a process. */
#ifndef MUSTER_TESTS_RULES_FIXTURE_H
#define MUSTER_TESTS_RULES_FIXTURE_H

#include <muster/muster.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "drilled_policy.h"
#include "loop.h"
#include "script_resolver.h"

enum { LONG_MS = 10000 };

static inline uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

/* Repeats the barrier in condition until it holds. */
#define AWAIT(condition)                                                       \
    for (uint64_t give_up_ns = in_ms(LONG_MS); !(condition);) {                \
        cr_assert(in_ms(0) < give_up_ns, "never: " #condition);                \
    }

#define TARGET "rules"

typedef struct bench {
    muster_testkit_transport *transport;
    muster_channel *channel;
} bench;

static inline bench bench_open_with(muster_channel_options options,
                                    uint64_t delay_ms)
{
    bench b = {NULL, NULL};
    muster_error err = {.code = MUSTER_OK};

    options.struct_size = sizeof options;
    script_register();
    sem_init(&drill.is_picking, 0, 0);
    sem_init(&drill.may_pick, 0, 0);
    sem_init(&drill.is_building, 0, 0);
    sem_init(&drill.may_build, 0, 0);
    cr_assert_eq(muster_plugin_register(drill_entry, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert_eq(muster_testkit_transport_create(&b.transport), MUSTER_OK);
    muster_testkit_transport_set_delay(b.transport, delay_ms);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = b.transport;
    options.initial_backoff_ms = 5;
    options.max_backoff_ms = 20;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &b.channel, &err),
        MUSTER_OK, "%s", err.message);
    return b;
}

static inline bench bench_open(const char *policy, uint64_t delay_ms)
{
    const muster_channel_options options = {.policy = policy};

    return bench_open_with(options, delay_ms);
}

static inline void bench_close(bench *b)
{
    muster_channel_destroy(b->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(b->transport));
    muster_testkit_transport_destroy(b->transport);
}

static inline muster_channel_stats stats_of(const bench *b)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(b->channel, &stats), MUSTER_OK);
    return stats;
}

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static inline void report(size_t n)
{
    script_report_addresses(TARGET, abc, n);
}

static inline muster_testkit_transport_counts counts_of(const bench *b,
                                                        const char *address)
{
    muster_testkit_transport_counts counts = {0};

    muster_testkit_transport_get_counts(b->transport, address, &counts);
    return counts;
}

/* How many of n picks go to address; all must succeed. */
static inline unsigned share_of(const bench *b, const char *address, unsigned n)
{
    unsigned share = 0;

    for (unsigned i = 0; i < n; i++) {
        muster_lease lease = {0};
        muster_error err;
        cr_assert_eq(muster_channel_pick(b->channel, NULL, &lease, &err),
                     MUSTER_OK, "%s", err.message);
        share += strcmp(muster_lease_endpoint(&lease)->address, address) == 0;
        muster_lease_finish(&lease, NULL);
    }
    return share;
}

static inline muster_status try_pick(const bench *b, uint32_t flags,
                                     muster_error *err)
{
    muster_call_info call = {.struct_size = sizeof call, .flags = flags};
    muster_lease lease = {0};
    muster_status status = muster_channel_pick(b->channel, &call, &lease, err);

    muster_lease_finish(&lease, NULL);
    return status;
}

/* ---- for muster_channel_pick_async(): called on the control thread ---- */

typedef struct ejecting {
    unsigned index; /* of the list */
    int is_ejected;
} ejecting;

/* arg: an ejecting, of what the policy does then. */
static inline void eject_one(void *arg, muster_status status,
                             muster_lease *lease, const muster_error *err)
{
    const ejecting *wish = arg;

    (void)err;
    cr_assert_eq(status, MUSTER_OK);
    muster_lease_finish(lease, NULL);
    drill.env->host->set_ejected(
        drill.env->ctx, atomic_load(&drill.ids[wish->index]), wish->is_ejected);
}

static inline void eject_on_control(void *arg)
{
    const ejecting *wish = arg;

    drill.env->host->set_ejected(
        drill.env->ctx, atomic_load(&drill.ids[wish->index]), wish->is_ejected);
}

/* Also when there is nothing to pick. */
static inline void eject_at_once(unsigned index, bool is_ejected)
{
    ejecting wish = {index, is_ejected};

    cr_assert_eq(muster__loop_call(eject_on_control, &wish, MUSTER_FOREVER),
                 MUSTER_OK);
}

/* arg: an atomic_int, for the status. */
static inline void keep_answer(void *arg, muster_status status,
                               muster_lease *lease, const muster_error *err)
{
    (void)err;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    atomic_store((atomic_int *)arg, (int)status);
}

#endif
