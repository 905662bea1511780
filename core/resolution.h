/* SPDX-License-Identifier: Apache-2.0 */
/* A target being resolved: one resolver instance, its endpoint set, and all who
 * want to know. Channels and watches with equal targets share one. Thread:
 * control, all of it. */
#ifndef MUSTER_CORE_RESOLUTION_H
#define MUSTER_CORE_RESOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include <muster/endpoint.h>

#include "endpoint_set.h"
#include "target.h"

typedef struct muster__resolution muster__resolution;
typedef struct muster__subscriber muster__subscriber;

/* Zero reads as the default. Part of what two users must have equal to share */
typedef struct muster__resolver_options {
    uint64_t initial_backoff_ms; /* 1 000 */
    uint64_t max_backoff_ms;     /* 30 000 */
} muster__resolver_options;

typedef struct muster__resolver_stats {
    uint64_t updates_accepted;  /* lists and deltas, the unchanged ones too */
    uint64_t updates_refused;   /* malformed, or out of memory */
    uint64_t updates_unchanged; /* said what was known already */
    uint64_t failures;          /* fail(), and instances that ended */
    uint64_t late_reports;      /* after stopped() */
} muster__resolver_stats;

/* Embedded in a channel or a watch. Each fn is called on the control thread,
 * never from inside subscribe or unsubscribe; it may unsubscribe. */
struct muster__subscriber {
    muster__subscriber *next;  /* the resolution's */
    muster__subscriber **link; /* the resolution's: what points here */
    muster__resolution *resolution;
    bool is_behind; /* the resolution's: see muster__resolution_tell_again() */

    /* The list changed; the first call comes with every endpoint as added (and
     * may have no change at all: the list is known to be empty). No change
     * later on: the service config is another. */
    void (*changed)(muster__subscriber *self, const muster__changes *changes);

    /* The source failed: the list, if any, stays. */
    void (*failed)(muster__subscriber *self, muster_status status,
                   const char *message);

    /* The source confirmed the list that there is, after a failure. May be
     * NULL. */
    void (*confirmed)(muster__subscriber *self);

    /* After unsubscribe: nothing of the resolver's that concerns self runs any
     * more. status is MUSTER_TIMEOUT when an instance would not stop within 5 s
     * and was leaked. */
    void (*ended)(muster__subscriber *self, muster_status status);
};

/* Joins the resolution of target, or starts one. Takes ownership of target in
 * every case. On success self->resolution is set. Fails with what the class's
 * create() answers; when the class may block, or this is called inside a
 * callback of another subscriber, that comes later, by failed(), and is tried
 * again. */
muster_status
muster__resolution_subscribe(muster__target *target,
                             const muster__resolver_options *options,
                             muster__subscriber *self, muster_error *err);

/* Leaves. changed, failed and confirmed are not called any more; ended is
 * called once, later. The last to leave stops the resolver. */
void muster__resolution_unsubscribe(muster__subscriber *self);

/* There was no memory for what self was told: it is told all of it again, as if
 * it had just subscribed, but not at once. For its fns alone. */
void muster__resolution_tell_again(muster__subscriber *self);

/* A hint that the list is stale: cooldown and backoff apply. */
void muster__resolution_refresh(muster__resolution *resolution);

/* When it has failed it is asked again at once, and its backoff starts anew. */
void muster__resolution_reset_backoff(muster__resolution *resolution);

/* The current list, and what is known of it. Borrowed. */
const muster__set *muster__resolution_set(const muster__resolution *resolution);

/* The current list as an array, made on demand and shared until the list
 * changes. MUSTER_NOMEM. */
muster_status muster__resolution_list(muster__resolution *resolution,
                                      const muster_endpoint **ret_endpoints,
                                      size_t *ret_n);
const char *muster__resolution_uri(const muster__resolution *resolution);
const char *muster__resolution_service_config(
    const muster__resolution *resolution); /* or NULL */
uint64_t muster__resolution_generation(const muster__resolution *resolution);
uint64_t muster__resolution_age_ms(const muster__resolution *resolution);
bool muster__resolution_has_list(const muster__resolution *resolution);
bool muster__resolution_is_held(const muster__resolution *resolution);

/* The last failure when the list is stale; NULL when it is fresh. */
const char *muster__resolution_failure(const muster__resolution *resolution);
void muster__resolution_stats(const muster__resolution *resolution,
                              muster__resolver_stats *ret_stats);

/* How many resolutions there are, stopping ones included. */
size_t muster__resolution_count(void);

#endif
