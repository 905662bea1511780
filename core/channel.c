/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: their life, and what they answer. */
#include "channel_internal.h"

#include <stdlib.h>

#include "channel_options.h"
#include "fork.h"

const char *muster__channel_name(const muster_channel *channel)
{
    return channel->name;
}

/* ---- life ---- */

static void timers_destroy(muster_channel *channel)
{
    muster__timer_destroy(channel->poll_timer);
    muster__timer_destroy(channel->drain_timer);
    muster__timer_destroy(channel->again_timer);
    muster__timer_destroy(channel->held.timer);
    muster__timer_destroy(channel->publisher.former_timer);
    muster__timer_destroy(channel->publisher.build_timer);
    muster__timer_destroy(channel->close_timer);
    muster__timer_destroy(channel->shutdown.timer);
    muster__timer_destroy(channel->idleness.timer);
    channel->poll_timer = NULL;
    channel->drain_timer = NULL;
    channel->again_timer = NULL;
    channel->held.timer = NULL;
    channel->publisher.former_timer = NULL;
    channel->publisher.build_timer = NULL;
    channel->close_timer = NULL;
    channel->shutdown.timer = NULL;
    channel->idleness.timer = NULL;
    muster__priorities_fini(&channel->priorities);
}

void muster__channel_discard(muster_channel *channel)
{
    muster__channel_options_fini(&channel->options);
    muster__channel_retry_fini(channel);
    free(channel->name);
    muster__states_fini(&channel->states);
    (void)pthread_cond_destroy(&channel->close_changed);
    (void)pthread_mutex_destroy(&channel->close_lock);
    free(channel);
    muster__loop_release();
}

void muster__channel_free(muster_channel *channel)
{
    const muster_channel_options *options = &channel->options;

    if (channel->plane != NULL) {
        muster__plane_destroy(channel->plane);
    }
    timers_destroy(channel);
    muster__parking_fini(&channel->parking);
    muster__table_fini(&channel->table);
    muster__pools_fini(&channel->pools);
    muster__counters_fini(&channel->counters);
    free(channel->held.items);
    free(channel->resolver_failure);
    free(channel->latest_failure);
    muster__channel_config_fini(channel);
    if (channel->has_transport_ref && options->transport->unref != NULL) {
        options->transport->unref(options->transport_arg);
    }
    muster__channel_discard(channel);
}

void muster__channel_free_task(muster__task *task)
{
    muster__channel_free(
        (muster_channel *)(void *)((char *)task -
                                   offsetof(muster_channel, free_task)));
}

void muster__channel_ref(muster_channel *channel)
{
    atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
}

void muster__channel_unref(muster_channel *channel)
{
    /* acq_rel: whoever frees it has seen all that the others did. */
    if (atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) ==
        1) {
        muster__loop_post(&channel->free_task); /* never inside a caller */
    }
}

/* ---- state ---- */

static const char *failure_reason(muster_channel *channel)
{
    if (!channel->has_list) {
        return channel->resolver_failure;
    }
    if (channel->config.is_blocked) {
        return channel->config.refusal;
    }
    if (channel->table.n_listed == 0) {
        return "the list of endpoints is empty";
    }
    return channel->latest_failure != NULL ? channel->latest_failure
                                           : "no endpoint is ready";
}

static muster_connectivity aggregate(const muster_channel *channel)
{
    if (channel->is_closing) {
        return MUSTER_SHUTDOWN;
    }
    if (channel->idleness.is_idle) {
        return MUSTER_IDLE;
    }
    if (channel->config.is_blocked && channel->has_list) {
        return MUSTER_TRANSIENT_FAILURE;
    }
    if (channel->publisher.policy == NULL && channel->table.n_listed > 0) {
        return MUSTER_TRANSIENT_FAILURE; /* whatever is READY: nobody picks */
    }
    if (muster__view_size(channel->plane) > 0) {
        return MUSTER_READY;
    }
    if (!channel->has_list) {
        return channel->resolver_failure == NULL ? MUSTER_CONNECTING
                                                 : MUSTER_TRANSIENT_FAILURE;
    }
    if (muster__priorities_may_serve(&channel->priorities) ||
        muster__priorities_n_eligible(channel) > 0) {
        return MUSTER_CONNECTING;
    }
    return MUSTER_TRANSIENT_FAILURE;
}

muster_connectivity muster__channel_aggregate(const muster_channel *channel,
                                              const char **ret_reason)
{
    muster_connectivity state = aggregate(channel);

    if (state == MUSTER_TRANSIENT_FAILURE) {
        *ret_reason = failure_reason((muster_channel *)channel);
    } else {
        *ret_reason = state == MUSTER_IDLE ? MUSTER__IDLE_CAUSE : "";
    }
    return state;
}

void muster__channel_publish(muster_channel *channel)
{
    muster__publisher_run(channel, true);
}

/* ---- asking ---- */

muster_connectivity muster_channel_state(const muster_channel *channel)
{
    if (muster__is_forked()) {
        return MUSTER_SHUTDOWN;
    }
    return (muster_connectivity)atomic_load(&channel->state);
}

void muster_channel_refresh(muster_channel *channel)
{
    if (!muster__is_forked()) {
        muster__nudge_post(&channel->refresh_nudge);
    }
}
