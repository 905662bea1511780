/* SPDX-License-Identifier: Apache-2.0 */
/* Serves picks that wait: first come, first served. */
#include "parking.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "parking_internal.h"

/* ---- the list. The lock is held ---- */

void muster__parking_append_locked(muster__parking *parking,
                                   muster__parked *parked)
{
    parked->phase = WAITING;
    parked->next = NULL;
    parked->previous = parking->last;
    if (parking->last != NULL) {
        parking->last->next = parked;
    } else {
        parking->first = parked;
    }
    parking->last = parked;
    parking->n++;
}

void muster__parking_remove_locked(muster__parking *parking,
                                   muster__parked *parked)
{
    if (parked->previous != NULL) {
        parked->previous->next = parked->next;
    } else {
        parking->first = parked->next;
    }
    if (parked->next != NULL) {
        parked->next->previous = parked->previous;
    } else {
        parking->last = parked->previous;
    }
    parking->n--;
}

/* Those that came after last_id are not of this round: NULL. */
static muster__parked *mark_locked(muster__parked *parked, uint64_t last_id)
{
    if (parked == NULL || parked->id > last_id) {
        return NULL;
    }
    parked->phase = SERVING;
    return parked;
}

/* ---- the service config's timeout, which may become known only here ---- */

void muster__parked_limit(muster__parked *parked,
                          const muster__method_config *config)
{
    uint64_t deadline_ns;

    if (parked->is_limited || config == NULL) {
        return;
    }
    parked->is_limited = true;
    deadline_ns = parked->since_ns + config->timeout_ns;
    if (config->timeout_ns != 0 && (parked->call.deadline_ns == 0 ||
                                    deadline_ns < parked->call.deadline_ns)) {
        parked->call.deadline_ns = deadline_ns;
        parked->is_limit_new = true;
    }
}

/* Thread: control. */
static void limit_on_control(const muster_channel *channel,
                             muster__parked *parked)
{
    const muster__methods *methods = muster__channel_config_methods(channel);

    if (methods != NULL) {
        muster__parked_limit(
            parked, muster__methods_find(methods, parked->call.method));
    }
}

/* ---- serving. Thread: control ---- */

static bool is_over(const muster__parked *parked, uint64_t now_ns)
{
    return parked->call.deadline_ns != 0 && parked->call.deadline_ns <= now_ns;
}

/* One that waits for its time waits for it through every publication but the
 * last. */
static bool is_early(const muster_channel *channel,
                     const muster__parked *parked, uint64_t now_ns)
{
    return parked->not_before_ns > now_ns && !channel->is_closing;
}

/* Nothing else is published while the policy is asked. */
static muster_status pick(muster_channel *channel, muster__parked *parked)
{
    muster_status status;

    muster__loop_enter_plugin(muster__plane_policy_name(channel->plane),
                              "pick");
    status = muster__plane_pick(channel->plane, &parked->call, &parked->lease,
                                &parked->err);
    muster__loop_leave_plugin();
    return status;
}

/* True when it need not wait any longer. */
static bool try_again(muster_channel *channel, muster__parked *parked,
                      uint64_t now_ns)
{
    if (atomic_load(&parked->is_cancelled)) {
        return true;
    }
    limit_on_control(channel, parked);
    parked->status = is_early(channel, parked, now_ns) ? MUSTER_QUEUED
                                                       : pick(channel, parked);
    if (parked->status == MUSTER_QUEUED && parked->fn != NULL &&
        is_over(parked, now_ns)) {
        parked->status =
            muster_error_set(&parked->err, MUSTER_TIMEOUT, "target %s: %s",
                             muster__channel_name(channel),
                             is_early(channel, parked, now_ns)
                                 ? "the deadline came before the next attempt"
                                 : "no endpoint became ready in time");
    }
    return parked->status != MUSTER_QUEUED;
}

/* Whoever cancelled it was promised this, even when a pick came in between. */
static void cancel(muster__parked *parked)
{
    static const muster_outcome given_back = {.struct_size = sizeof given_back,
                                              .flags =
                                                  MUSTER_OUTCOME_GIVEN_BACK,
                                              .status = 14};

    if (parked->status == MUSTER_OK) {
        muster_lease_finish(&parked->lease, &given_back);
    }
    parked->status = muster_error_set(&parked->err, MUSTER_CANCELLED,
                                      "cancelled while waiting");
}

static void tell(muster__parked *parked)
{
    if (atomic_load(&parked->is_cancelled)) {
        cancel(parked);
    }
    parked->fn(parked->arg, parked->status, &parked->lease, &parked->err);
    free(parked);
}

/* Takes out one that is done, and wakes its thread: a blocking pick's memory is
 * gone as soon as the lock is. An asynchronous one goes to *tail, to be told.
 */
static void end_locked(muster__parking *parking, muster__parked *parked,
                       muster__parked ***tail)
{
    muster__parking_remove_locked(parking, parked);
    parking->n_timed_out += parked->status == MUSTER_TIMEOUT;
    parked->phase = DONE;
    if (parked->fn == NULL) {
        pthread_cond_signal(&parked->done);
        return;
    }
    parked->next = NULL;
    **tail = parked;
    *tail = &parked->next;
}

/* One that was not done. */
static void wait_again_locked(muster__parking *parking, muster__parked *parked)
{
    parked->phase = WAITING;
    if (parked->fn == NULL && parked->call.deadline_ns != 0 &&
        (parked->is_untimed || parked->is_limit_new)) {
        parked->is_limit_new = false;
        pthread_cond_signal(&parked->done); /* it slept without its deadline */
    } else if (parked->fn != NULL && !parked->has_waited) {
        parked->has_waited = true;
        parking->n_parked_ever++;
    }
}

/* Asks for each, without the lock. Only the one that is asked for is SERVING
 * and thus stays: the others may give up meanwhile. Chains those to be told. */
static void serve_each(muster_channel *channel, uint64_t now_ns,
                       muster__parked **ret_done)
{
    muster__parking *parking = &channel->parking;

    pthread_mutex_lock(&parking->lock);
    parking->is_watched = false;
    const uint64_t last_id = parking->last_id;
    muster__parked *p = mark_locked(parking->first, last_id);
    while (p != NULL) {
        pthread_mutex_unlock(&parking->lock);
        bool is_done = try_again(channel, p, now_ns);
        pthread_mutex_lock(&parking->lock);
        muster__parked *next = mark_locked(p->next, last_id);
        if (is_done) {
            end_locked(parking, p, &ret_done);
        } else {
            wait_again_locked(parking, p);
        }
        p = next;
    }
    pthread_mutex_unlock(&parking->lock);
}

/* When an asynchronous pick is to be looked at again. */
static uint64_t due_ns(const muster__parked *parked, uint64_t now_ns)
{
    uint64_t due_ns = UINT64_MAX;

    if (parked->fn != NULL && parked->call.deadline_ns != 0) {
        due_ns = parked->call.deadline_ns;
    }
    if (parked->not_before_ns > now_ns && parked->not_before_ns < due_ns) {
        due_ns = parked->not_before_ns;
    }
    return due_ns;
}

/* Wakes for the earliest of them. What was early for the round was not asked
 * for, even if its time has come since. */
static void arm_timer(muster_channel *channel, uint64_t round_ns)
{
    muster__parking *parking = &channel->parking;
    uint64_t earliest_ns = UINT64_MAX;

    pthread_mutex_lock(&parking->lock);
    for (muster__parked *p = parking->first; p != NULL; p = p->next) {
        if (due_ns(p, round_ns) < earliest_ns) {
            earliest_ns = due_ns(p, round_ns);
        }
    }
    pthread_mutex_unlock(&parking->lock);
    if (earliest_ns != UINT64_MAX) {
        uint64_t now_ns = muster__now_ns();
        uint64_t left_ns = earliest_ns > now_ns ? earliest_ns - now_ns : 0;
        muster__timer_start(parking->timer, left_ns / 1000000 + 1);
    }
}

void muster__parking_serve(muster_channel *channel)
{
    const uint64_t now_ns = muster__now_ns();
    muster__parked *done = NULL;

    serve_each(channel, now_ns, &done);
    arm_timer(channel, now_ns);
    for (muster__parked *p = done, *next; p != NULL; p = next) {
        next = p->next;
        tell(p);
    }
}

/* One whose time comes is served by the timer, and hurries then. */
bool muster__parking_watch(muster__parking *parking)
{
    const uint64_t now_ns = muster__now_ns();
    const muster__parked *p;

    pthread_mutex_lock(&parking->lock);
    p = parking->first;
    while (p != NULL && p->not_before_ns > now_ns) {
        p = p->next;
    }
    parking->is_watched = p == NULL;
    pthread_mutex_unlock(&parking->lock);
    return p != NULL;
}

static void serve_by_nudge(void *arg)
{
    muster_channel *channel = arg;

    muster__parking_serve(channel);
    muster__publisher_hurry(channel);
    muster__channel_advance_close(channel);
}

muster_status muster__parking_init(muster__parking *parking,
                                   muster_channel *channel)
{
    memset(parking, 0, sizeof *parking);
    pthread_mutex_init(&parking->lock, NULL);
    muster__nudge_init(&parking->serve_nudge, serve_by_nudge, channel);
    return muster__timer_create(serve_by_nudge, channel, &parking->timer);
}

void muster__parking_fini(muster__parking *parking)
{
    muster__timer_destroy(parking->timer);
    pthread_mutex_destroy(&parking->lock);
}
