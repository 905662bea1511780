/* SPDX-License-Identifier: Apache-2.0 */
/* Ours, as a program has it: a channel, round_robin, no transport. */
#include <muster/channel.h>

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "many.h"
#include "picker.h"

static bool is_ready(muster_channel *channel, uint32_t n_endpoints)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    return muster_channel_get_stats(channel, &stats) == MUSTER_OK &&
           stats.ready == n_endpoints;
}

static void *create(uint32_t n_endpoints)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = "round_robin"};
    muster_channel *channel;
    muster_error err;
    char target[32];

    (void)snprintf(target, sizeof target, "many:///%u", n_endpoints);
    if (muster_plugin_register(muster_builtin_many, &err) != MUSTER_OK ||
        muster_channel_create(target, &options, &channel, &err) != MUSTER_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    while (!is_ready(channel, n_endpoints)) { /* asks the control thread */
        (void)sched_yield();
    }
    return channel;
}

static void run(void *self, uint64_t n)
{
    muster_channel *channel = self;

    for (uint64_t i = 0; i < n; i++) {
        muster_lease lease;

        if (muster_channel_pick(channel, NULL, &lease, NULL) != MUSTER_OK) {
            abort();
        }
        muster_lease_finish(&lease, NULL);
    }
}

static void destroy(void *self)
{
    muster_channel_destroy(self);
}

const picker_class picker_muster = {"muster", create, run, destroy};
