/* SPDX-License-Identifier: Apache-2.0 */
/* A channel as JSON. */
#ifndef MUSTER_CORE_CHANNEL_DUMP_H
#define MUSTER_CORE_CHANNEL_DUMP_H

#include <jansson.h>

#include <muster/channel.h>

/* The caller's. NULL when out of memory. Thread: control. */
json_t *muster__channel_dump(const muster_channel *channel);

#endif
