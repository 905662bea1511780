/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the working view and the policy before the pickers: tells the policy,
 * builds its table on a worker, publishes. Thread: control. */
#ifndef MUSTER_CORE_PUBLISHER_H
#define MUSTER_CORE_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "plane.h"
#include "policy.h"

typedef struct muster__build muster__build;

typedef struct muster__publisher {
    muster__policy *policy; /* the one that is wanted; NULL before any list */
    muster__policy *former; /* serves until that one can; or NULL */
    muster__timer *former_timer; /* replace_timeout: not for longer */
    muster__build *build;        /* the one on the worker, or NULL */
    muster__timer *build_timer;  /* the next one begins later; runs
                                    muster__publisher_hurry() */
    uint32_t published_number;   /* of the policy that picks see; 0: none */
    uint32_t n_policies;         /* ever: numbers them */
    uint32_t n_fit_told;         /* of the latest table: not unfit */
    bool is_dirty;      /* something changed since the last publication */
    bool is_update_due; /* the policy has not been told yet */
    bool is_want_due;   /* it has not been asked what it wants */
    bool is_put_off;    /* the changes until now wait for build_timer */
    bool is_running;    /* inside muster__publisher_run() */
} muster__publisher;

/* Publishes what changed, or begins to; is_update: the policy is told of it
 * first. Never fails: what cannot be done for want of memory is tried again
 * from the poll timer. */
void muster__publisher_run(muster_channel *channel, bool is_update);

/* The same, when the policy asked for it: want() and build() are called again,
 * update() is not, so that update() may ask for it. */
void muster__publisher_republish(muster_channel *channel);

/* Publishes what was put off, when there is a reason to: a pick waits, or the
 * time is over. The build_timer's fn. */
void muster__publisher_hurry(void *channel);

/* host.garbage of the plane. */
void muster__publisher_garbage(void *ctx, void *garbage);

/* The policy whose table is being built: not always the one that is wanted.
 * NULL when there is none. */
const muster__policy *muster__publisher_builder(const muster_channel *channel);

/* Whether the one that is published wants unfit endpoints in its view. */
bool muster__publisher_includes_unfit(const muster_channel *channel);

/* Drops the policies; the last publication was the closing one. */
void muster__publisher_close(muster_channel *channel);

#endif
