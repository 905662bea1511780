/* SPDX-License-Identifier: Apache-2.0 */
/* What the model of a channel knows, and what its parts share. */
#ifndef MUSTER_TESTS_MODEL_WORLD_H
#define MUSTER_TESTS_MODEL_WORLD_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/muster.h>
#include <muster/testkit.h>

#include "random_numbers.h"

enum {
    CHANNELS = 2, /* on one target */
    PICKERS = 3,
    LEASES = 8,      /* a picker holds at a time */
    CONNECTIONS = 4, /* of an endpoint, at most */
    ADDRESSES = 12,  /* that endpoints of a list begin with */
    MORE = 2,        /* that an endpoint may have beside it */
    PRIORITIES = 2,  /* of endpoints, when a world has any */
    OPERATIONS = 60, /* between two times of rest */
    PATIENCE_S = 20
};

#define TARGET "model"

typedef struct world {
    muster_testkit_transport *transport;
    muster_channel *channels[CHANNELS];
    uint64_t random;
    bool has_priorities;
    bool has_weights;
    bool has_valid_config;

    /* What was reported last. */
    muster_endpoint list[ADDRESSES];
    size_t n;

    /* Not 0 while rule 4 says that something must serve: the same number
     * before and after a pick that found nothing means that it is broken. */
    _Atomic uint64_t must_serve;
    uint64_t n_promises;
    bool is_unsure; /* a connection may go away any time until the next rest */

    atomic_bool is_resting; /* the pickers drop what they hold, and wait */
    atomic_uint n_resting;
    atomic_bool is_stopping;
    atomic_bool closes_inside; /* the next answer closes its channel */
    atomic_bool is_closed[CHANNELS];

    _Atomic uint64_t n_asked; /* asynchronous picks */
    _Atomic uint64_t n_answered;
    _Atomic uint64_t n_picked;
} world;

extern uint64_t seed; /* of the present world */

/* Of the endpoints, by write_addresses(). */
extern char addresses[ADDRESSES][24];
extern char more_texts[ADDRESSES][MORE][24];
extern const char *more_addresses[ADDRESSES][MORE];

void write_addresses(void);

/* For whoever reads of a failure. */
extern muster_channel *watched[CHANNELS];

/* Says what does not hold, in which world, and aborts. */
void fail_at(const char *file, int line, const char *what, const char *detail);

#define MUST(condition, detail)                                                \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fail_at(__FILE__, __LINE__, #condition, detail);                   \
        }                                                                      \
    } while (0)

/* Polls for what only the control thread and the transport bring about. */
#define EVENTUALLY(condition, detail)                                          \
    for (uint64_t give_up_ns_ = now_ns() + PATIENCE_S * UINT64_C(1000000000);  \
         !(condition); (void)sched_yield()) {                                  \
        MUST(now_ns() < give_up_ns_, detail);                                  \
    }

uint64_t now_ns(void);

muster_channel_stats stats_of(muster_channel *channel);

/* An empty lease is ignored. */
void finish(world *w, muster_lease *lease);

#endif
