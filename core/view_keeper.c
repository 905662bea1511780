/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the working view in line with what is listed, READY and preferred, and
 * lets the old list serve until the new one does (behaviour rule 4). */
#include <stdlib.h>

#include "channel_internal.h"
#include "connection.h"
#include "log_internal.h"
#include "spares.h"

bool muster__channel_is_eligible(const muster_channel *channel,
                                 const muster__subchannel *subchannel)
{
    bool may_serve =
        muster__subchannel_is_unfit(subchannel)
            ? muster__publisher_includes_unfit(channel)
            : subchannel->state == MUSTER_READY && !subchannel->is_ejected;

    return subchannel->is_listed && may_serve &&
           muster__priorities_is_active(channel,
                                        subchannel->endpoint->data.priority);
}

/* ---- held ones ---- */

static bool hold(muster_channel *channel, muster__subchannel *subchannel)
{
    muster__held *held = &channel->held;

    if (held->n == held->capacity) {
        uint32_t capacity = held->capacity == 0 ? 16 : held->capacity * 2;
        muster__subchannel **items =
            realloc(held->items, capacity * sizeof *items);
        if (items == NULL) {
            return false; /* then it leaves now */
        }
        held->items = items;
        held->capacity = capacity;
    }
    subchannel->is_held = true;
    subchannel->place = held->n;
    held->items[held->n++] = subchannel;
    if (!muster__timer_is_active(held->timer)) {
        muster__timer_start(held->timer, channel->options.replace_timeout_ms);
    }
    return true;
}

void muster__held_remove(muster_channel *channel,
                         muster__subchannel *subchannel)
{
    muster__held *held = &channel->held;

    if (!subchannel->is_held) {
        return;
    }
    held->items[subchannel->place] = held->items[--held->n];
    held->items[subchannel->place]->place = subchannel->place;
    subchannel->is_held = false;
}

/* ---- one subchannel ---- */

static void enter(muster_channel *channel, muster__subchannel *subchannel)
{
    muster_status status = MUSTER_OK;

    if (!subchannel->is_in_view) {
        status = muster__connection_enter_view(subchannel->connection);
    }
    if (status == MUSTER_OK) {
        if (!subchannel->is_in_view) {
            subchannel->is_told_unfit = muster__subchannel_is_unfit(subchannel);
        }
        subchannel->is_in_view = true;
        status = muster__spares_update_view(channel, subchannel);
    }
    if (status != MUSTER_OK) {
        muster__channel_poll_soon(channel); /* out of memory: again later */
        channel->is_reconcile_due = true;
    }
}

static void leave(muster_channel *channel, muster__subchannel *subchannel)
{
    muster__held_remove(channel, subchannel);
    subchannel->is_in_view = false;
    if (!muster__spares_leave_view(channel, subchannel)) {
        muster__connection_leave_view(subchannel->connection);
    }
    if (!subchannel->is_listed) {
        muster__subchannel_disconnect(channel, subchannel);
        muster__subchannel_release(channel, subchannel);
    }
}

/* READY, and out of favour only because another list or priority is in. */
static bool may_be_held(const muster_channel *channel,
                        const muster__subchannel *subchannel)
{
    return subchannel->state == MUSTER_READY && !subchannel->is_ejected &&
           !channel->is_closing && !channel->held.has_expired &&
           channel->table.n_listed > 0;
}

static void update(muster_channel *channel, muster__subchannel *subchannel,
                   uint32_t n_eligible)
{
    if (subchannel->endpoint == NULL) {
        return;
    }
    bool is_eligible = muster__channel_is_eligible(channel, subchannel);
    if (is_eligible) {
        muster__held_remove(channel, subchannel);
        if (!subchannel->is_in_view ||
            muster__pools_are_used(&channel->options)) {
            enter(channel, subchannel);
        }
    } else if (subchannel->is_in_view) {
        bool stays = n_eligible == 0 && may_be_held(channel, subchannel) &&
                     (subchannel->is_held || hold(channel, subchannel));
        if (!stays) {
            leave(channel, subchannel);
        } else if (muster__pools_are_used(&channel->options)) {
            enter(channel, subchannel);
        }
    } else if (subchannel->is_held) { /* went away while it was held */
        muster__held_remove(channel, subchannel);
        muster__subchannel_disconnect(channel, subchannel);
        muster__subchannel_release(channel, subchannel);
    }
}

/* ---- all of them ---- */

static void release_held(muster_channel *channel)
{
    while (channel->held.n > 0) {
        leave(channel, channel->held.items[channel->held.n - 1]);
    }
}

static void settle_held(muster_channel *channel, uint32_t n_eligible)
{
    muster__held *held = &channel->held;

    if (n_eligible > 0 || held->has_expired || channel->is_closing) {
        release_held(channel);
    }
    if (n_eligible > 0) { /* the newest list is served: the clock is reset */
        held->has_expired = false;
        muster__timer_stop(held->timer);
    }
}

void muster__channel_replace_timeout(void *arg)
{
    muster_channel *channel = arg;

    if (muster__priorities_n_eligible(channel) == 0 && channel->held.n > 0) {
        muster__log(MUSTER_LOG_WARNING,
                    "channel %s: nothing of the new list became ready in time; "
                    "the old endpoints are given up",
                    muster__channel_name(channel));
    }
    channel->held.has_expired = true;
    muster__channel_reconcile(channel, NULL);
}

/* A priority that a better one made idle for long is stopped: only then its
 * connections go. One that an endpoint was moved to keeps that endpoint's. */
static void update_all(muster_channel *channel, uint32_t n_eligible)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);
        update(channel, subchannel, n_eligible);
        if (subchannel->endpoint != NULL && subchannel->is_listed &&
            muster__priorities_is_stopping(
                &channel->priorities, subchannel->endpoint->data.priority)) {
            muster__subchannel_disconnect(channel, subchannel);
        }
    }
    muster__priorities_stopped(&channel->priorities);
}

void muster__channel_update_view(muster_channel *channel,
                                 muster__subchannel *first)
{
    bool is_all = muster__priorities_decide(channel) ||
                  channel->is_reconcile_due || first == NULL;
    uint32_t n_eligible = muster__priorities_n_eligible(channel);

    channel->is_reconcile_due = false;
    if (is_all) {
        muster__channel_connect_wanted(channel);
        n_eligible = muster__priorities_n_eligible(channel);
        update_all(channel, n_eligible);
    } else {
        update(channel, first, n_eligible);
    }
    settle_held(channel, n_eligible);
}

void muster__channel_update_one(muster_channel *channel,
                                muster__subchannel *subchannel)
{
    update(channel, subchannel, muster__priorities_n_eligible(channel));
}

void muster__channel_settle(muster_channel *channel)
{
    settle_held(channel, muster__priorities_n_eligible(channel));
}

void muster__channel_reconcile(muster_channel *channel,
                               muster__subchannel *subchannel)
{
    muster__channel_update_view(channel, subchannel);
    muster__channel_publish(channel);
}

void muster__channel_connect_wanted(muster_channel *channel)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL) {
            muster__subchannel_connect(channel, subchannel);
        }
    }
    muster__connector_run(channel);
}
