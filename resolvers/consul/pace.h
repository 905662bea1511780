/* SPDX-License-Identifier: Apache-2.0 */
/* How soon a target may ask again: a token bucket for what goes well, a backoff
 * for what fails. Without a clock of its own. */
#ifndef MUSTER_RESOLVERS_CONSUL_PACE_H
#define MUSTER_RESOLVERS_CONSUL_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* 20 requests at once, and 10 a second after that. Consul's documentation says
 * 2 and slower; but a pause before each request makes it likelier that the
 * index has moved on meanwhile (consul#3890), and a burst of changes late. */
typedef struct muster__consul_bucket {
    uint64_t full_ms; /* when it will be full again */
} muster__consul_bucket;

/* Takes a token, and answers 0; or answers in how many milliseconds there will
 * be one. */
uint64_t muster__consul_bucket_take(muster__consul_bucket *bucket,
                                    uint64_t now_ms);

typedef struct muster__consul_backoff {
    unsigned n_failures; /* in a row */
    uint64_t since_ms;   /* of the first of them */
} muster__consul_backoff;

/* Notes one more failure, and answers in how many milliseconds to try again: at
 * most max_ms, a random part of it taken off so that a fleet does not return as
 * one. is_restart: as when an agent is restarted, which is worth looking at
 * every 250 ms for the first 5 s. */
uint64_t muster__consul_backoff_next(muster__consul_backoff *backoff,
                                     uint64_t now_ms, uint64_t max_ms,
                                     bool is_restart, uint64_t random);

#endif
