/* SPDX-License-Identifier: Apache-2.0 */
/* Watchers of a channel's states. They are called where a state changes, so
 * that no event has to be kept, and none is lost for want of memory. That is in
 * the midst of other work: what a callback asks for is done later (closing and
 * hurrying are posted, and resolvers' reports wait), so that nothing changes
 * under whoever told. */
#include "connectivity.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "channel_internal.h"
#include "fork.h"
#include "resolver_instance.h"
#include "sized.h"
#include "thread.h"
#include "timing.h"

#define ALL_KINDS                                                              \
    ((uint32_t)MUSTER_STATE_CHANNEL | (uint32_t)MUSTER_STATE_SUBCHANNEL)

struct muster_state_watcher {
    muster_channel *channel; /* control; NULL once it has left */
    muster_state_watcher *next;
    muster_state_fn fn;
    void *arg;
    uint32_t flags;

    /* From create to the control thread and back. */
    muster_state_watcher **ret_watcher;
    muster_status status;

    pthread_mutex_t mutex; /* guards down to the empty line */
    pthread_cond_t changed;
    uint32_t refs; /* the user's, the channel's, create's, the leave task's */
    bool is_closing;
    bool is_calling;
    bool is_answered;
    bool has_left; /* the channel knows it no more */

    muster__task join_task;
    muster__task leave_task;
};

void muster__states_init(muster__states *states)
{
    (void)pthread_mutex_init(&states->lock, NULL);
}

void muster__states_fini(muster__states *states)
{
    assert(states->watchers == NULL && states->waiters == NULL);
    (void)pthread_mutex_destroy(&states->lock);
}

/* ---- references ---- */

static void release(muster_state_watcher *watcher)
{
    (void)pthread_cond_destroy(&watcher->changed);
    (void)pthread_mutex_destroy(&watcher->mutex);
    free(watcher);
}

/* Unlocks watcher->mutex. */
static void unref_and_unlock(muster_state_watcher *watcher)
{
    bool is_last = --watcher->refs == 0;

    pthread_mutex_unlock(&watcher->mutex);
    if (is_last) {
        release(watcher);
    }
}

static void unref(muster_state_watcher *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    unref_and_unlock(watcher);
}

static bool is_closing(muster_state_watcher *watcher)
{
    bool is_it;

    pthread_mutex_lock(&watcher->mutex);
    is_it = watcher->is_closing;
    pthread_mutex_unlock(&watcher->mutex);
    return is_it;
}

/* ---- leaving. Thread: control ---- */

/* It is no longer in the list. From here on its end needs no control thread,
 * which may end with the channel. */
static void forget(muster_state_watcher *watcher)
{
    watcher->channel = NULL;
    pthread_mutex_lock(&watcher->mutex);
    watcher->has_left = true;
    pthread_cond_broadcast(&watcher->changed);
    unref_and_unlock(watcher); /* the channel's */
}

/* Those that are closing; all of them when the channel has ended. */
static void sweep(muster__states *states, bool is_all)
{
    muster_state_watcher **at = &states->watchers;

    states->has_leavers = false;
    while (*at != NULL) {
        muster_state_watcher *watcher = *at;
        if (is_all || is_closing(watcher)) {
            *at = watcher->next;
            forget(watcher);
        } else {
            at = &watcher->next;
        }
    }
}

static void leave(muster_state_watcher *watcher)
{
    if (watcher->channel == NULL) {
        return;
    }
    if (watcher->channel->states.n_telling > 0) {
        watcher->channel->states.has_leavers = true;
    } else {
        sweep(&watcher->channel->states, false);
    }
}

/* ---- telling. Thread: control ---- */

static bool begin_call(muster_state_watcher *watcher)
{
    bool may_call;

    pthread_mutex_lock(&watcher->mutex);
    may_call = !watcher->is_closing;
    watcher->is_calling = may_call;
    pthread_mutex_unlock(&watcher->mutex);
    return may_call;
}

static void end_call(muster_state_watcher *watcher)
{
    pthread_mutex_lock(&watcher->mutex);
    watcher->is_calling = false;
    pthread_cond_broadcast(&watcher->changed);
    pthread_mutex_unlock(&watcher->mutex);
}

static bool is_last(const muster_state_event *event)
{
    return event->kind == MUSTER_STATE_CHANNEL &&
           event->state == MUSTER_SHUTDOWN;
}

static void tell(muster_state_watcher *watcher, const muster_state_event *event)
{
    bool is_wanted =
        (watcher->flags & (uint32_t)event->kind) != 0 || is_last(event);

    if (is_wanted && begin_call(watcher)) {
        muster__instance_defer_reports();
        watcher->fn(watcher->arg, event);
        muster__instance_undefer_reports();
        end_call(watcher);
    }
}

/* Callbacks may add watchers, at the front, and let others leave. */
static void begin_telling(muster__states *states)
{
    states->n_telling++;
}

static void end_telling(muster__states *states)
{
    states->n_telling--;
    if (states->n_telling == 0 && states->has_leavers) {
        sweep(states, false);
    }
}

static void tell_all(muster__states *states, const muster_state_event *event)
{
    assert(states->n_telling == 0); /* no callback changes a state */
    begin_telling(states);
    for (muster_state_watcher *watcher = states->watchers; watcher != NULL;
         watcher = watcher->next) {
        tell(watcher, event);
    }
    end_telling(states);
}

static muster_state_event event_of(muster_connectivity previous,
                                   muster_connectivity state, const char *cause)
{
    muster_state_event event = {
        .struct_size = (uint32_t)sizeof event,
        .kind = MUSTER_STATE_CHANNEL,
        .previous = previous,
        .state = state,
        .time_ns = muster__now_ns(),
        .cause = cause,
    };

    return event;
}

static muster_state_event subchannel_event(const muster__subchannel *subchannel,
                                           muster_connectivity previous,
                                           const char *cause)
{
    muster_state_event event =
        event_of(previous, (muster_connectivity)subchannel->state, cause);

    event.kind = MUSTER_STATE_SUBCHANNEL;
    event.id = muster__subchannel_id(subchannel);
    event.address = subchannel->endpoint->data.address;
    return event;
}

void muster__states_tell_channel(muster_channel *channel,
                                 muster_connectivity previous,
                                 const char *cause)
{
    muster__states *states = &channel->states;
    muster_connectivity state = muster_channel_state(channel);

    muster__states_wake(states, state);
    if (state == MUSTER_IDLE && muster__states_is_ready_awaited(states)) {
        muster__nudge_post(&channel->wake_nudge); /* came at the last moment */
    }
    if (states->watchers != NULL) {
        muster_state_event event = event_of(previous, state, cause);
        tell_all(states, &event);
    }
    if (state == MUSTER_SHUTDOWN) {
        sweep(states, true);
    }
}

void muster__states_tell_subchannel(muster_channel *channel,
                                    const muster__subchannel *subchannel,
                                    muster_connectivity previous,
                                    const char *cause)
{
    if (channel->states.watchers != NULL) {
        muster_state_event event =
            subchannel_event(subchannel, previous, cause);
        tell_all(&channel->states, &event);
    }
}

/* The states of now, as changes from themselves. */
static void tell_current(muster_state_watcher *watcher)
{
    muster_channel *channel = watcher->channel;
    const char *reason = NULL;
    muster_connectivity state = muster_channel_state(channel);

    (void)muster__channel_aggregate(channel, &reason);
    muster_state_event event = event_of(
        state, state, state == MUSTER_TRANSIENT_FAILURE ? reason : NULL);
    tell(watcher, &event);
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL) {
            event = subchannel_event(subchannel,
                                     (muster_connectivity)subchannel->state,
                                     muster__subchannel_failure(subchannel));
            tell(watcher, &event);
        }
    }
}

/* ---- the end ---- */

static void on_leave_task(muster__task *task)
{
    muster_state_watcher *watcher =
        (muster_state_watcher *)(void *)((char *)task -
                                         offsetof(muster_state_watcher,
                                                  leave_task));

    leave(watcher);
    unref(watcher); /* the task's */
}

/* Whether something else than this watcher keeps the control thread. */
static bool is_hopeless(const muster_state_watcher *watcher)
{
    char who[64];

    return !watcher->is_calling && muster__loop_is_stuck(who, sizeof who);
}

static void wait_for_end_locked(muster_state_watcher *watcher)
{
    while (!watcher->has_left || watcher->is_calling) {
        int error = muster__cond_wait_until(
            &watcher->changed, &watcher->mutex,
            muster__deadline_ns(muster__timing_ms(MUSTER__STUCK_CALL_MS)));

        if (error == ETIMEDOUT && is_hopeless(watcher)) {
            return;
        }
    }
}

/* Posting under the mutex: as long as it has not left, its channel keeps the
 * control thread. */
void muster_state_watcher_destroy(muster_state_watcher *watcher)
{
    if (watcher == NULL || muster__is_forked()) {
        return;
    }
    pthread_mutex_lock(&watcher->mutex);
    watcher->is_closing = true;
    if (muster__loop_is_current()) {
        pthread_mutex_unlock(&watcher->mutex);
        leave(watcher);
        unref(watcher);
        return;
    }
    if (!watcher->has_left) {
        watcher->refs++;
        muster__loop_post(&watcher->leave_task);
    }
    wait_for_end_locked(watcher);
    unref_and_unlock(watcher);
}

/* ---- the beginning ---- */

/* The user has the watcher before its first event. Says false when the user
 * gave up meanwhile. */
static bool answer(muster_state_watcher *watcher)
{
    bool is_wanted;

    pthread_mutex_lock(&watcher->mutex);
    is_wanted = !watcher->is_closing;
    watcher->is_answered = true;
    watcher->has_left = watcher->status != MUSTER_OK;
    if (is_wanted && !watcher->has_left) {
        *watcher->ret_watcher = watcher;
    }
    pthread_cond_broadcast(&watcher->changed);
    pthread_mutex_unlock(&watcher->mutex);
    return is_wanted;
}

/* On the control thread. */
static void join(muster_state_watcher *watcher)
{
    muster_channel *channel = watcher->channel;
    muster__states *states = &channel->states;

    if (channel->is_closing) {
        watcher->status = MUSTER_CLOSED;
        watcher->channel = NULL;
    }
    if (!answer(watcher) || watcher->channel == NULL) {
        watcher->channel = NULL;
        unref(watcher); /* what would be the channel's */
        return;
    }
    watcher->next = states->watchers;
    states->watchers = watcher;
    begin_telling(states);
    tell_current(watcher);
    end_telling(states);
}

/* The task's hold on the channel: the asker may give up. */
static void on_join_task(muster__task *task)
{
    muster_state_watcher *watcher =
        (muster_state_watcher *)(void *)((char *)task -
                                         offsetof(muster_state_watcher,
                                                  join_task));
    muster_channel *channel = watcher->channel;

    join(watcher);
    muster__channel_unref(channel);
}

/* Until join() has run, or a plugin has got the control thread stuck: then
 * join() does nothing when it comes to it. */
static bool wait_for_answer(muster_state_watcher *watcher)
{
    bool is_answered;
    int error = 0;

    pthread_mutex_lock(&watcher->mutex);
    while (!watcher->is_answered &&
           !(error == ETIMEDOUT && is_hopeless(watcher))) {
        error = muster__cond_wait_until(
            &watcher->changed, &watcher->mutex,
            muster__deadline_ns(muster__timing_ms(MUSTER__STUCK_CALL_MS)));
    }
    is_answered = watcher->is_answered;
    if (!is_answered) {
        watcher->is_closing = true;
    }
    pthread_mutex_unlock(&watcher->mutex);
    return is_answered;
}

static muster_state_watcher *allocate(muster_channel *channel, uint32_t flags,
                                      muster_state_fn fn, void *arg)
{
    muster_state_watcher *watcher = calloc(1, sizeof *watcher);

    if (watcher == NULL) {
        return NULL;
    }
    if (muster__cond_init(&watcher->changed) != MUSTER_OK) {
        free(watcher);
        return NULL;
    }
    (void)pthread_mutex_init(&watcher->mutex, NULL);
    watcher->channel = channel;
    watcher->flags = flags == 0 ? ALL_KINDS : flags;
    watcher->fn = fn;
    watcher->arg = arg;
    watcher->join_task.fn = on_join_task;
    watcher->leave_task.fn = on_leave_task;
    watcher->refs = 3;
    return watcher;
}

muster_status muster_channel_watch_state(
    muster_channel *channel, const muster_state_watch_options *options,
    muster_state_fn fn, void *arg, muster_state_watcher **ret_watcher)
{
    muster_state_watch_options given;
    muster_state_watcher *watcher;
    muster_status status = MUSTER_TIMEOUT;

    muster__sized_read(&given, sizeof given, options);
    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (channel == NULL || fn == NULL || ret_watcher == NULL ||
        (given.flags & ~ALL_KINDS) != 0) {
        return MUSTER_INVAL;
    }
    watcher = allocate(channel, given.flags, fn, arg);
    if (watcher == NULL) {
        return MUSTER_NOMEM;
    }
    watcher->ret_watcher = ret_watcher;
    if (muster__loop_is_current()) {
        join(watcher);
    } else {
        muster__channel_ref(channel);
        muster__loop_post(&watcher->join_task);
    }
    if (wait_for_answer(watcher)) {
        status = watcher->status;
    }
    if (status != MUSTER_OK) {
        unref(watcher); /* what would be the user's */
    }
    unref(watcher); /* ours: a callback may have destroyed it */
    return status;
}
