/* SPDX-License-Identifier: Apache-2.0 */
/* Why an endpoint of a channel is picked now, or is not. */
#ifndef MUSTER_TOOLS_REASON_H
#define MUSTER_TOOLS_REASON_H

#include <stdbool.h>

#include <jansson.h>

typedef struct reason {
    bool is_picked;
    const char *cause; /* a word, for scripts; README.md lists them */
    json_t *sentence;  /* the caller's; NULL when out of memory */
} reason;

/* channel is what muster_channel_dump_json() gives, endpoint one of its. */
reason reason_of(const json_t *channel, const json_t *endpoint);

#endif
