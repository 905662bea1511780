/* SPDX-License-Identifier: Apache-2.0 */
/* Limits how many connections are being made at a time: first come, first
 * served; each endpoint's first before any second. Thread: control. */
#ifndef MUSTER_CORE_CONNECTOR_H
#define MUSTER_CORE_CONNECTOR_H

#include <stdint.h>

#include "subchannel.h"

typedef struct muster__connector {
    uint32_t first; /* of the queue, chained by subchannel->next */
    uint32_t last;
    uint32_t n_connecting;
    bool is_running; /* a turn runs: do not start another inside it */
} muster__connector;

void muster__connector_init(muster__connector *connector);

/* Queues the subchannel once. */
void muster__connector_add(muster_channel *channel,
                           muster__subchannel *subchannel);

/* Makes connections while there is room. */
void muster__connector_run(muster_channel *channel);

/* Before connection is given up: when it is still being made, another one may
 * have its room, soon. */
void muster__connector_leave(const struct muster__connection *connection);

#endif
