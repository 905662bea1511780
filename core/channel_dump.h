/* SPDX-License-Identifier: Apache-2.0 */
/* A channel as JSON. */
#ifndef MUSTER_CORE_CHANNEL_DUMP_H
#define MUSTER_CORE_CHANNEL_DUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <muster/channel.h>

/* Writes an object, with the member "id" in front unless id is 0. False, and
 * part of it may be written, when out of memory. Thread: control. */
bool muster__channel_dump(const muster_channel *channel, uint64_t id,
                          FILE *out);

#endif
