/* SPDX-License-Identifier: Apache-2.0 */
/* The body of an answer of /v1/health/service, as endpoints
 * (developer.hashicorp.com/consul/api-docs/health). */
#ifndef MUSTER_RESOLVERS_CONSUL_ENTRIES_H
#define MUSTER_RESOLVERS_CONSUL_ENTRIES_H

#include <muster/endpoint.h>
#include <muster/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

/* What to make of them. */
typedef struct muster__consul_view {
    const char *address; /* which of the tagged addresses; NULL: none of them */
    bool has_all;        /* the agent did not choose the passing ones: those
                            that warn are taken with the weight for it */
} muster__consul_view;

typedef struct muster__consul_entries {
    muster_endpoint *endpoints;
    size_t n_endpoints;
    size_t n_bad;        /* entries that were left out: no endpoint in them */
    muster_error reason; /* of the first of these */
    size_t capacity;
    muster__consul_arena arena; /* what the endpoints point to */
} muster__consul_entries;

/* Reads length bytes of text. *entries is all zero; it is cleared by the caller
 * in every case. A body that has entries, all of them bad, is refused.
 * MUSTER_PROTOCOL: err says where and what is wrong. MUSTER_NOMEM. */
muster_status muster__consul_entries_parse(const char *text, size_t length,
                                           const muster__consul_view *view,
                                           muster__consul_entries *entries,
                                           muster_error *err);

void muster__consul_entries_clear(muster__consul_entries *entries);

/* Leaves limit endpoints of them at most: chosen by address and seed, so that
 * each process takes others, and few change when the list does. */
void muster__consul_entries_limit(muster__consul_entries *entries, size_t limit,
                                  uint64_t seed);

/* One entry, as an endpoint that points into arena. *ret_is_wanted: whether it
 * is fit to be called. MUSTER_PROTOCOL (err says why it is bad), MUSTER_NOMEM.
 */
struct json_t;
muster_status muster__consul_entry_read(const struct json_t *entry,
                                        const muster__consul_view *view,
                                        muster__consul_arena *arena,
                                        muster_endpoint *ret_endpoint,
                                        bool *ret_is_wanted, muster_error *err);

#endif
