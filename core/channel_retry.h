/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel counts of retries, and its server's throttling of them. */
#ifndef MUSTER_CORE_CHANNEL_RETRY_H
#define MUSTER_CORE_CHANNEL_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/channel.h>
#include <muster/service_config.h>

#include "throttle.h"

typedef struct muster__channel_retry {
    muster__throttle *throttle; /* the target's; never changes */
    atomic_bool is_throttled;   /* the service config wants it */
    _Atomic uint64_t counts[MUSTER_RETRY_N_EVENTS];
} muster__channel_retry;

/* The channel has its name. Thread: any. MUSTER_NOMEM. */
muster_status muster__channel_retry_init(muster_channel *channel);
void muster__channel_retry_fini(muster_channel *channel);

/* Takes over what the service config in force says. Thread: control. */
void muster__channel_retry_settle(muster_channel *channel);

/* Fills in its part. Thread: any. */
void muster__channel_retry_stats(const muster_channel *channel,
                                 muster_channel_stats *stats);

#endif
