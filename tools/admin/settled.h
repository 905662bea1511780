/* SPDX-License-Identifier: Apache-2.0 */
/* A channel of the command's own, when its endpoints have connected or failed.
 */
#ifndef MUSTER_TOOLS_SETTLED_H
#define MUSTER_TOOLS_SETTLED_H

#include <jansson.h>
#include <muster/channel.h>

/* What muster_channel_dump_json() gives when no endpoint is about to connect
 * for the first time any more, or after timeout_ms. *ret_dump is the caller's.
 * MUSTER_NOMEM, and what muster_channel_watch_state() answers. */
muster_status settled_dump(muster_channel *channel, uint64_t timeout_ms,
                           json_t **ret_dump);

#endif
