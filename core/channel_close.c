/* SPDX-License-Identifier: Apache-2.0 */
/* Closing a channel, in steps on the control thread, and waiting for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "channel_internal.h"
#include "connection.h"
#include "fork.h"
#include "log_internal.h"
#include "registry.h"
#include "thread.h"
#include "timing.h"

/* ---- Thread: control ---- */

void muster__channel_drop_all(muster_channel *channel, const char *cause)
{
    channel->is_resync_due = false; /* or its timer would never end */
    channel->is_list_refused = false;
    muster__timer_stop(channel->again_timer);
    muster__timer_stop(channel->held.timer);
    muster__timer_stop(channel->publisher.former_timer);
    muster__timer_stop(channel->publisher.build_timer);
    muster__timer_stop(channel->config.retry_timer);
    muster__timer_stop(channel->priorities.timer);
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);
        if (subchannel->endpoint == NULL) {
            continue;
        }
        if (subchannel->is_listed) {
            muster__priorities_subtract(&channel->priorities, subchannel);
            subchannel->is_listed = false;
        }
        muster__held_remove(channel, subchannel);
        subchannel->is_queued = false;
        muster__subchannel_disconnect(channel, subchannel);
        muster__subchannel_move(channel, subchannel, MUSTER_SHUTDOWN, cause);
        muster__subchannel_release(channel, subchannel);
    }
    for (uint32_t i = 0; i < channel->table.n_indices; i++) {
        muster__table_set_index(&channel->table, i, NULL);
    }
    channel->table.n_listed = 0;
    channel->weights.n_same = 0;
    muster__connector_init(&channel->connector);
}

void muster__channel_begin_close(muster_channel *channel)
{
    if (channel->is_closing) {
        return;
    }
    pthread_mutex_lock(&channel->parking.lock);
    channel->parking.is_closed = true;
    channel->shutdown.n_parked = channel->parking.n;
    pthread_mutex_unlock(&channel->parking.lock);
    channel->is_closing = true;
    muster__channel_drop_all(channel, "the channel is closed");
    muster__publisher_run(channel, false);
    muster__idle_close(channel);
    muster__timer_start(channel->close_timer,
                        muster__timing_ms(MUSTER__STUCK_CALL_MS));
}

void muster__channel_give_up(void *arg)
{
    muster_channel *channel = arg;
    const muster__policy *policy = muster__publisher_builder(channel);

    if (policy == NULL) {
        return;
    }
    muster__log(MUSTER_LOG_ERROR,
                "channel %s: policy %s does not come back from build; it is "
                "left behind",
                muster__channel_name(channel), policy->class_->name);
    muster__plugin_leak(policy->plugin);
    channel->has_given_up = true;
    channel->end_status = MUSTER_TIMEOUT;
    muster__channel_advance_close(channel);
}

static void close_on_control(muster__task *task)
{
    muster_channel *channel =
        (muster_channel *)(void *)((char *)task -
                                   offsetof(muster_channel, close_task));

    muster__channel_begin_close(channel);
    muster__channel_advance_close(channel);
    muster__channel_unref(channel); /* the task's */
}

bool muster__channel_is_nudged(const muster_channel *channel)
{
    return muster__nudge_is_posted(&channel->poll_nudge) ||
           muster__nudge_is_posted(&channel->refresh_nudge) ||
           muster__nudge_is_posted(&channel->republish_nudge) ||
           muster__nudge_is_posted(&channel->connect_nudge) ||
           muster__nudge_is_posted(&channel->wake_nudge) ||
           muster__nudge_is_posted(&channel->reset_nudge) ||
           muster__nudge_is_posted(&channel->shutdown.nudge) ||
           muster__nudge_is_posted(&channel->parking.serve_nudge);
}

static void tell_closed(muster_channel *channel)
{
    pthread_mutex_lock(&channel->close_lock);
    channel->is_closed = true;
    channel->close_status = channel->end_status;
    pthread_cond_broadcast(&channel->close_changed);
    pthread_mutex_unlock(&channel->close_lock);
}

/* Two milestones: closed, when no callback will come; done, when the last lease
 * has ended and nothing is left to reclaim. */
void muster__channel_advance_close(muster_channel *channel)
{
    if (!channel->is_closing || !channel->has_ended || channel->is_done) {
        return;
    }
    if ((channel->publisher.build != NULL && !channel->has_given_up) ||
        channel->publisher.is_dirty) {
        return;
    }
    if (!channel->is_closed) {
        muster__publisher_close(channel);
        tell_closed(channel);
        muster__shutdown_check(channel);
    }
    if (channel->publisher.build != NULL || channel->is_plane_busy ||
        muster__channel_is_nudged(channel) ||
        muster__timer_is_active(channel->poll_timer)) {
        return;
    }
    channel->is_done = true;
    muster__timer_stop(channel->parking.timer);
    muster__timer_stop(channel->drain_timer);
    muster__channel_drained(channel);
    muster__shutdown_dismiss(channel);
    muster__channel_unref(channel); /* the open channel's */
}

/* ---- Thread: any ---- */

/* Until it is closed, or the control thread is found to be stuck in a plugin.
 */
static muster_status wait_closed(muster_channel *channel)
{
    muster_status status = MUSTER_OK;
    char who[64];

    pthread_mutex_lock(&channel->close_lock);
    while (!channel->is_closed && status == MUSTER_OK) {
        uint64_t check_ms = muster__timing_ms(MUSTER__CLOSE_CHECK_MS);
        if (muster__cond_wait_until(
                &channel->close_changed, &channel->close_lock,
                muster__deadline_ns(check_ms)) == ETIMEDOUT &&
            muster__loop_is_stuck(who, sizeof who)) {
            status = MUSTER_TIMEOUT;
        }
    }
    if (status == MUSTER_OK) {
        status = channel->close_status;
    }
    pthread_mutex_unlock(&channel->close_lock);
    return status;
}

muster_status muster_channel_close(muster_channel *channel)
{
    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (!atomic_exchange(&channel->is_close_posted, true)) {
        muster__channel_ref(channel);
        channel->close_task.fn = close_on_control;
        muster__loop_post(&channel->close_task);
    }
    if (muster__loop_is_current()) {
        return MUSTER_OK;
    }
    return wait_closed(channel);
}

void muster_channel_destroy(muster_channel *channel)
{
    if (channel == NULL || muster__is_forked()) {
        return;
    }
    (void)muster_channel_close(channel);
    muster__channel_unref(channel);
}

/* ---- the whole process ---- */

muster_status muster_shutdown(void)
{
    if (muster__is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__loop_is_current()) {
        return MUSTER_WOULD_DEADLOCK;
    }
    return muster__loop_stop(muster__registry_fini);
}
