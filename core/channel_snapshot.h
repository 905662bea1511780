/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel is at one moment, copied: made on the control thread as fast
 * as can be, and looked at on any other. */
#ifndef MUSTER_CORE_CHANNEL_SNAPSHOT_H
#define MUSTER_CORE_CHANNEL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/channel.h>

struct json_t;

/* Where a string is in the snapshot's text; 0: there is none. */
typedef size_t muster__snapshot_text;

typedef struct muster__connection_snapshot {
    muster__snapshot_text address; /* connected */
    int64_t in_flight;
    uint8_t state;  /* muster_connectivity */
    uint8_t health; /* muster_health */
} muster__connection_snapshot;

typedef struct muster__endpoint_snapshot {
    uint64_t id;
    int64_t in_flight;
    uint64_t backoff_left_ms;
    muster__snapshot_text address;
    muster__snapshot_text connected_address;
    muster__snapshot_text zone;
    muster__snapshot_text last_failure;
    uint32_t weight;
    uint32_t priority;
    uint8_t state;
    uint8_t health;
    bool is_listed : 1;
    bool is_ejected : 1;
    bool is_in_view : 1;
    bool is_held : 1;
    bool is_wanted : 1;
    bool is_queued : 1;
} muster__endpoint_snapshot;

typedef struct muster__channel_snapshot {
    struct muster__channel_snapshot *next; /* whoever has it may use this */
    uint64_t number; /* later channels have greater ones */
    uint64_t picker_generation;
    uint64_t list_generation;
    uint64_t list_age_ms;
    muster__snapshot_text target;
    muster__snapshot_text reason;
    muster__snapshot_text policy;
    muster__snapshot_text policy_config;
    muster__snapshot_text former_policy;
    muster__snapshot_text config_refusal;
    muster__snapshot_text list_failure;
    uint32_t priority; /* that is served */
    uint8_t state;
    bool has_priority : 1;
    bool has_config : 1;
    bool has_resolvers_config : 1;
    bool has_list : 1;
    bool is_held : 1;
    bool is_out_of_memory : 1; /* while it is made */
    struct json_t *counters;
    size_t n_endpoints;
    muster__endpoint_snapshot *endpoints;
    uint32_t n_connections; /* of each endpoint; 0: they are not told of */
    muster__connection_snapshot *connections; /* endpoint after endpoint */
    char *text;
    size_t text_length;
    size_t text_size;
} muster__channel_snapshot;

/* The caller's. NULL when out of memory. Thread: control. */
muster__channel_snapshot *
muster__channel_snapshot_take(const muster_channel *channel);

/* NULL is ignored. Thread: any. */
void muster__channel_snapshot_free(muster__channel_snapshot *snapshot);

#endif
