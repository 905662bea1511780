/* SPDX-License-Identifier: Apache-2.0 */
/* A channel in a few sentences. */
#ifndef MUSTER_TOOLS_SUMMARY_H
#define MUSTER_TOOLS_SUMMARY_H

#include <jansson.h>

/* How many endpoints of those that are listed are picked. */
typedef struct tally {
    size_t n_listed;
    size_t n_picked;
} tally;

/* What state the channel is in, and why. channel is what
 * muster_channel_dump_json() gives. NULL when out of memory, here and below. */
json_t *summary_headline(const json_t *channel, const tally *counted);

/* An array of further sentences: of its list, policy, priorities, service
 * config and of what the policy has counted. */
json_t *summary_notes(const json_t *channel);

#endif
