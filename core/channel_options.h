/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's options: checked, copied, with the defaults filled in. Thread:
 * any. */
#ifndef MUSTER_CORE_CHANNEL_OPTIONS_H
#define MUSTER_CORE_CHANNEL_OPTIONS_H

#include <muster/channel.h>
#include <muster/service_config.h>

#include "backoff.h"

/* MUSTER_INVAL, and why. options may be NULL. */
muster_status
muster__channel_options_check(const muster_channel_options *options,
                              muster_error *err);

/* *copy becomes what options (may be NULL) says. In any case it is to be given
 * to fini. MUSTER_NOMEM. */
muster_status
muster__channel_options_copy(muster_channel_options *copy,
                             const muster_channel_options *options);
void muster__channel_options_fini(muster_channel_options *options);

/* Fills in what given leaves open: by own, then by resolvers, then by default.
 * Each of the two may be NULL. */
void muster__channel_options_settle(muster_channel_options *options,
                                    const muster_channel_options *given,
                                    const muster_settings *own,
                                    const muster_settings *resolvers);

/* The backoff of a connection of such a channel. */
void muster__channel_backoff_init(muster__backoff *backoff,
                                  const muster_channel_options *options);

#endif
