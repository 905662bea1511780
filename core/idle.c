/* SPDX-License-Identifier: Apache-2.0 */
/* A channel that nobody uses becomes IDLE, and begins anew when somebody does.
 */
#include "idle.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "target.h"
#include "timing.h"

enum {
    N_LOOKS = 4, /* in the timeout */
    RESOLVE_RETRY_MS = 1000
};

bool muster__idle_has_resolver(const muster_channel *channel)
{
    return channel->subscriber.resolution != NULL &&
           !channel->idleness.is_unsubscribing;
}

static void start_timer(muster_channel *channel)
{
    const uint64_t timeout_ms = channel->options.idle_timeout_ms;
    uint64_t look_ms = muster__timing_wait_ms(timeout_ms) / N_LOOKS;

    if (timeout_ms != 0) {
        muster__timer_start(channel->idleness.timer,
                            look_ms == 0 ? 1 : look_ms);
    }
}

static void set_noting(muster_channel *channel, bool is_noting)
{
    channel->idleness.is_noting = is_noting;
    channel->idleness.n_quiet = 0;
    muster__plane_note_picks(channel->plane, is_noting);
}

/* ---- becoming idle ---- */

static void forget_failures(muster_channel *channel)
{
    free(channel->resolver_failure);
    channel->resolver_failure = NULL;
    free(channel->latest_failure);
    channel->latest_failure = NULL;
}

static void become_idle(muster_channel *channel)
{
    channel->idleness.is_idle = true;
    channel->has_list = false;
    channel->held.has_expired = false;
    channel->is_reconcile_due = false;
    channel->config.has_text = false; /* it may have been about to be retried */
    forget_failures(channel);
    muster__channel_drop_all(channel, MUSTER__IDLE_CAUSE);
    muster__publisher_close(channel);
    channel->publisher.is_update_due = false;
    channel->publisher.is_want_due = false;
    if (muster__idle_has_resolver(channel)) {
        channel->idleness.is_unsubscribing = true;
        muster__resolution_unsubscribe(&channel->subscriber);
    }
    muster__publisher_run(channel, false);
}

/* ---- beginning anew ---- */

static void resolve(muster_channel *channel)
{
    muster__target *target = NULL;
    muster_error err = {.code = MUSTER_OK};
    muster_status status = muster__target_parse(channel->name, &target, &err);

    if (status == MUSTER_OK) {
        status = muster__channel_subscribe(channel, target, &err);
    }
    free(channel->resolver_failure);
    channel->resolver_failure = NULL;
    if (status == MUSTER_OK) {
        start_timer(channel);
    } else {
        channel->resolver_failure = strdup(err.message);
        muster__timer_start(channel->idleness.timer,
                            muster__timing_wait_ms(RESOLVE_RETRY_MS));
    }
    muster__channel_publish(channel);
}

static void begin_anew(muster_channel *channel)
{
    channel->idleness.is_idle = false;
    set_noting(channel, false);
    if (channel->idleness.is_unsubscribing) {
        muster__channel_publish(channel); /* it connects, as all may see */
    } else {
        resolve(channel);
    }
}

void muster__idle_unsubscribed(muster_channel *channel)
{
    channel->idleness.is_unsubscribing = false;
    if (!channel->idleness.is_idle) {
        resolve(channel);
    }
}

void muster__idle_stir(muster_channel *channel)
{
    if (channel->idleness.is_idle) {
        begin_anew(channel);
    } else if (channel->idleness.is_noting) {
        set_noting(channel, false);
        muster__publisher_run(channel, false);
    }
}

/* ---- looking ---- */

static bool is_quiet(muster_channel *channel)
{
    muster__parking *parking = &channel->parking;
    muster__plane_stats stats;
    bool is_waited_for;

    pthread_mutex_lock(&parking->lock);
    is_waited_for = parking->n > 0;
    pthread_mutex_unlock(&parking->lock);
    muster__plane_stats_get(channel->plane, &stats);
    return !is_waited_for && stats.in_flight == 0 &&
           !muster__states_is_ready_awaited(&channel->states);
}

static void look(muster_channel *channel)
{
    muster__idleness *idleness = &channel->idleness;

    if (!is_quiet(channel)) {
        idleness->n_quiet = 0;
    } else if (!idleness->is_noting) {
        set_noting(channel, true);
        muster__publisher_run(channel, false);
    } else if (!muster__plane_is_noting(channel->plane)) {
        muster__publisher_run(channel, false); /* it waits for a table */
    } else if (++idleness->n_quiet == N_LOOKS) {
        become_idle(channel);
        return;
    }
    start_timer(channel);
}

static void on_timer(void *arg)
{
    muster_channel *channel = arg;

    if (channel->is_closing) { /* it never opened, and is to be freed */
        return;
    }
    if (channel->subscriber.resolution == NULL) {
        resolve(channel);
    } else {
        look(channel);
    }
}

/* ---- the channel's life ---- */

muster_status muster__idle_init(muster_channel *channel)
{
    return muster__timer_create(on_timer, channel, &channel->idleness.timer);
}

void muster__idle_start(muster_channel *channel)
{
    muster__timer_stop(channel->idleness.timer);
    set_noting(channel, false); /* a publication follows */
    start_timer(channel);
}

void muster__idle_close(muster_channel *channel)
{
    muster__timer_stop(channel->idleness.timer);
    if (channel->subscriber.resolution == NULL) {
        channel->has_ended = true;
        channel->end_status = MUSTER_OK;
    } else if (!channel->idleness.is_unsubscribing) {
        muster__resolution_unsubscribe(&channel->subscriber);
    }
}
