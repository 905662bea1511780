/* SPDX-License-Identifier: Apache-2.0 */
/* One channel with a policy, over the fake transport, on the resolver
 * "script". */
#ifndef MUSTER_TESTS_CHANNEL_FIXTURE_H
#define MUSTER_TESTS_CHANNEL_FIXTURE_H

#include <muster/muster.h>
#include <muster/plugin.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"

static muster_testkit_transport *transport;
static muster_channel *channel;

static inline uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

/* For as long as the test's LONG_MS. */
#define AWAIT(condition)                                                       \
    for (uint64_t give_up_ns = in_ms(LONG_MS); !(condition);) {                \
        cr_assert(in_ms(0) < give_up_ns, "never: " #condition);                \
    }

/* entry's policies are registered; of the options the transport is set here. */
static inline void open_registered(muster_plugin_entry_fn entry,
                                   const char *target,
                                   muster_channel_options options)
{
    muster_error err = {.code = MUSTER_OK};

    script_register();
    cr_assert_eq(muster_plugin_register(entry, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert_eq(muster_testkit_transport_create(&transport), MUSTER_OK);
    options.struct_size = sizeof options;
    options.transport = muster_testkit_transport_class();
    options.transport_arg = transport;
    cr_assert_eq(muster_channel_create(target, &options, &channel, &err),
                 MUSTER_OK, "%s", err.message);
}

static inline void close_channel(void)
{
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(transport));
    muster_testkit_transport_destroy(transport);
}

static inline muster_channel_stats stats(void)
{
    muster_channel_stats now = {.struct_size = sizeof now};

    cr_assert_eq(muster_channel_get_stats(channel, &now), MUSTER_OK);
    return now;
}

static inline void set_failure(const char *address, const char *reason)
{
    cr_assert_eq(
        muster_testkit_transport_set_failure(transport, address, reason),
        MUSTER_OK);
}

/* Where a call with key (NULL: none) goes, waiting for it; ended with outcome.
 */
static inline const char *place_by(const char *key, uint64_t deadline_ns,
                                   const muster_outcome *outcome)
{
    static char address[64];
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .hash_key = key,
                             .deadline_ns = deadline_ns};
    muster_lease lease = {0};
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    strcpy(address, muster_lease_endpoint(&lease)->address);
    muster_lease_finish(&lease, outcome);
    return address;
}

#endif
