/* SPDX-License-Identifier: Apache-2.0 */
/* A channel over the transport "none". */
#ifndef MUSTER_TESTS_CHANNEL_FIXTURE_H
#define MUSTER_TESTS_CHANNEL_FIXTURE_H

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include <muster/muster.h>

#include "script_resolver.h"

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static inline uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

static inline muster_channel *
open_channel(const char *target, const muster_channel_options *options)
{
    muster_channel *channel = NULL;
    muster_error err = {.code = MUSTER_OK};

    script_register();
    cr_assert_eq(muster_channel_create(target, options, &channel, &err),
                 MUSTER_OK, "%s", err.message);
    return channel;
}

/* Also a barrier: what was posted before has been done. */
static inline muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    return stats;
}

static inline void pick_and_finish(muster_channel *channel, char *ret_address)
{
    muster_lease lease = {0};
    muster_error err;

    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, &err), MUSTER_OK,
                 "%s", err.message);
    strcpy(ret_address, muster_lease_endpoint(&lease)->address);
    muster_lease_finish(&lease, NULL);
    cr_assert_null(lease.slot_);
}

#endif
