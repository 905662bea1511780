/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that wait for a channel's state. */
#include "connectivity.h"

#include <errno.h>

#include "channel_internal.h"
#include "fork.h"
#include "thread.h"

/* On its thread's stack, and in the list as long as that waits. */
typedef struct muster__state_waiter {
    struct muster__state_waiter *next;
    pthread_cond_t changed;
    muster_connectivity state;
    bool wants_other; /* any but state */
    muster_status status;
    bool is_answered;
} muster__state_waiter;

/* MUSTER_QUEUED: not yet. */
static muster_status judge(const muster__state_waiter *waiter,
                           muster_connectivity state)
{
    if ((state == waiter->state) != waiter->wants_other) {
        return MUSTER_OK;
    }
    return state == MUSTER_SHUTDOWN ? MUSTER_CLOSED : MUSTER_QUEUED;
}

/* The answer is given here, not when the thread wakes: by then the state may be
 * another. */
void muster__states_wake(muster__states *states, muster_connectivity state)
{
    pthread_mutex_lock(&states->lock);
    for (muster__state_waiter *waiter = states->waiters; waiter != NULL;
         waiter = waiter->next) {
        muster_status status = judge(waiter, state);
        if (!waiter->is_answered && status != MUSTER_QUEUED) {
            waiter->is_answered = true;
            waiter->status = status;
            pthread_cond_signal(&waiter->changed);
        }
    }
    pthread_mutex_unlock(&states->lock);
}

/* Whoever waits for READY wants the channel, as a waiting call does; whoever
 * waits for anything else only looks on. */
static bool wants_ready(const muster__state_waiter *waiter)
{
    return waiter->state == MUSTER_READY && !waiter->wants_other;
}

bool muster__states_is_ready_awaited(muster__states *states)
{
    bool is_awaited = false;

    pthread_mutex_lock(&states->lock);
    for (const muster__state_waiter *waiter = states->waiters;
         waiter != NULL && !is_awaited; waiter = waiter->next) {
        is_awaited = !waiter->is_answered && wants_ready(waiter);
    }
    pthread_mutex_unlock(&states->lock);
    return is_awaited;
}

static void leave_locked(muster__states *states,
                         const muster__state_waiter *waiter)
{
    muster__state_waiter **at = &states->waiters;

    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
}

static muster_status wait_locked(muster__states *states,
                                 muster__state_waiter *waiter,
                                 uint64_t deadline_ns)
{
    int error = 0;

    waiter->next = states->waiters;
    states->waiters = waiter;
    while (!waiter->is_answered && error != ETIMEDOUT) {
        error = muster__cond_wait_until(&waiter->changed, &states->lock,
                                        deadline_ns);
    }
    leave_locked(states, waiter);
    return waiter->is_answered ? waiter->status : MUSTER_TIMEOUT;
}

/* The state is looked at under the lock that waking takes, and changes before
 * waking: none is missed. */
static muster_status await(muster_channel *channel,
                           muster__state_waiter *waiter, uint64_t deadline_ns)
{
    muster__states *states = &channel->states;
    muster_connectivity state;
    muster_status status;

    pthread_mutex_lock(&states->lock);
    state = muster_channel_state(channel);
    status = judge(waiter, state);
    if (status == MUSTER_QUEUED) {
        if (state == MUSTER_IDLE && wants_ready(waiter)) {
            muster__nudge_post(&channel->wake_nudge);
        }
        status = muster__loop_is_current()
                     ? MUSTER_WOULD_DEADLOCK
                     : wait_locked(states, waiter, deadline_ns);
    }
    pthread_mutex_unlock(&states->lock);
    return status;
}

static muster_status wait_for(muster_channel *channel,
                              muster_connectivity state, bool wants_other,
                              uint64_t deadline_ns)
{
    muster__state_waiter waiter = {.state = state, .wants_other = wants_other};
    muster_status status;

    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if ((int)state < (int)MUSTER_IDLE || (int)state > (int)MUSTER_SHUTDOWN) {
        return MUSTER_INVAL;
    }
    if (muster__cond_init(&waiter.changed) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    muster__channel_ref(channel); /* others may destroy it meanwhile */
    status =
        await(channel, &waiter, deadline_ns == 0 ? UINT64_MAX : deadline_ns);
    muster__channel_unref(channel);
    (void)pthread_cond_destroy(&waiter.changed);
    return status;
}

muster_status muster_channel_wait_for_state(muster_channel *channel,
                                            muster_connectivity state,
                                            uint64_t deadline_ns)
{
    return wait_for(channel, state, false, deadline_ns);
}

muster_status muster_channel_wait_for_change(muster_channel *channel,
                                             muster_connectivity last_observed,
                                             uint64_t deadline_ns)
{
    return wait_for(channel, last_observed, true, deadline_ns);
}
