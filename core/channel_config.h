/* SPDX-License-Identifier: Apache-2.0 */
/* The service config of a channel: the resolver's when it has one, else the
 * application's; the last valid one stays (behaviour rule 10). Thread: control,
 * all of it. */
#ifndef MUSTER_CORE_CHANNEL_CONFIG_H
#define MUSTER_CORE_CHANNEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/channel.h>

#include "backoff.h"
#include "config/service_config.h"
#include "loop.h"

typedef struct muster__channel_config {
    muster__service_config *own;     /* the application's, or NULL */
    muster__service_config *current; /* in force; NULL: nothing is said */
    bool is_known;           /* current is what the resolver's answer came to */
    bool is_of_resolver;     /* current is the resolver's own */
    bool is_blocked;         /* none was valid yet: nothing is picked */
    bool was_blocked;        /* until now: what is wanted has to be said anew */
    bool has_text;           /* text was looked at */
    char *text;              /* the resolver's last, valid or not; NULL: none */
    char *refusal;           /* why text is not in force; NULL: it is */
    uint32_t health_version; /* counts changes of the service to watch */
    muster__backoff backoff; /* while text cannot be judged */
    muster__timer *retry_timer; /* then it is looked at again */
} muster__channel_config;

/* Takes the application's, from the channel's options. MUSTER_INVAL,
 * MUSTER_NOMEM. */
muster_status muster__channel_config_init(muster_channel *channel,
                                          muster_error *err);
void muster__channel_config_fini(muster_channel *channel);

/* The retry timer's fn. */
void muster__channel_config_retry(void *channel);

/* Takes over what the resolver says now. What cannot be judged now, since its
 * policy's plugin cannot be loaded, is refused, and looked at again later.
 * MUSTER_NOMEM: try again later; nothing
 * changed. */
muster_status muster__channel_config_update(muster_channel *channel);

/* The service whose health connections watch; NULL: none, or the policy does
 * not care. Borrowed until the next update. */
const char *muster__channel_health_service(const muster_channel *channel);

/* The channel has another policy: before is the service until then. */
void muster__channel_config_policy_changed(muster_channel *channel,
                                           const char *before);

/* What it says of methods; NULL when that is nothing. */
const muster__methods *
muster__channel_config_methods(const muster_channel *channel);

#endif
