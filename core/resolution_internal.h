/* SPDX-License-Identifier: Apache-2.0 */
/* What resolution.c (who subscribes), resolution_apply.c (what a report does)
 * and resolution_deliver.c (who is told) share. Thread: control, all of it. */
#ifndef MUSTER_CORE_RESOLUTION_INTERNAL_H
#define MUSTER_CORE_RESOLUTION_INTERNAL_H

#include "loop.h"
#include "resolution.h"
#include "resolver_runner.h"

struct muster__resolution {
    muster__target *target; /* the runner's */
    muster__resolver_options options;
    muster__runner *runner;

    muster__set *set;
    char *service_config;
    muster_endpoint *list; /* the set's, as an array; NULL: not made yet */
    uint64_t generation;
    uint64_t confirmed_ms;
    bool has_list;

    bool is_source_empty; /* but the empty option keeps what there is */
    muster__timer *hold_timer;

    bool has_failure;
    muster_error failure;
    muster__resolver_stats stats;

    muster__subscriber *newcomers;   /* know nothing yet */
    muster__timer *greet_timer;      /* of those that no memory was left for */
    muster__subscriber *subscribers; /* know what there is */
    muster__subscriber *next_told;   /* of a delivery that is under way */
    muster__subscriber *leavers;     /* wait for ended() */
    muster__subscriber *last_leaver; /* waits for the resolver's end */

    muster__task task;
    bool is_posted;
    bool has_ended;
    muster_status end_status;
};

/* ---- resolution.c ---- */

/* Runs muster__resolution_greet() and the like soon. */
void muster__resolution_post(muster__resolution *resolution);

/* ---- resolution_deliver.c ---- */

void muster__subscriber_push(muster__subscriber **list,
                             muster__subscriber *subscriber);
void muster__subscriber_remove(muster__subscriber *subscriber);

/* Newcomers hear what there is, and are subscribers from then on. Without
 * memory it is tried again, by the timer. */
void muster__resolution_greet(muster__resolution *resolution);
void muster__resolution_greet_again(void *owner);

void muster__resolution_deliver_changed(muster__resolution *resolution,
                                        const muster__changes *changes);
void muster__resolution_deliver_failed(muster__resolution *resolution);
void muster__resolution_deliver_confirmed(muster__resolution *resolution);

/* ---- resolution_apply.c ---- */

/* As muster__runner_events. */
muster_status muster__resolution_reported(void *owner, muster__report *report);
void muster__resolution_failed(void *owner, muster_status status,
                               const char *message, bool is_refusal);

/* The hold is over: the list is empty now. */
void muster__resolution_end_hold(void *owner);

#endif
