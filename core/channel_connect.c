/* SPDX-License-Identifier: Apache-2.0 */
/* A channel connects on request, forgets its backoff, and stands in for backoff
 * that found no memory. */
#include <muster/connectivity.h>

#include "channel_internal.h"
#include "connection.h"
#include "fork.h"

void muster__channel_wake(void *arg)
{
    muster_channel *channel = arg;

    if (!channel->is_closing) {
        muster__idle_stir(channel);
        muster__channel_reconcile(channel, NULL);
    }
    muster__channel_advance_close(channel);
}

static void forget_backoff(muster_channel *channel)
{
    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL) {
            muster__subchannel_reset_backoff(channel, subchannel);
        }
        for (muster__connection *connection = subchannel->connections;
             connection != NULL; connection = connection->older) {
            muster__renewal_reset_backoff(connection);
        }
    }
    if (muster__idle_has_resolver(channel)) {
        muster__resolution_reset_backoff(channel->subscriber.resolution);
    }
    muster__connector_run(channel);
    muster__channel_reconcile(channel, NULL);
}

void muster__channel_try_again_later(muster_channel *channel)
{
    if (!muster__timer_is_active(channel->again_timer)) {
        muster__timer_start(channel->again_timer,
                            channel->options.initial_backoff_ms);
    }
}

void muster__channel_try_again(void *arg)
{
    muster_channel *channel = arg;

    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        muster__subchannel *subchannel = muster__table_at(&channel->table, i);
        if (subchannel->endpoint != NULL) {
            muster__subchannel_try_again(channel, subchannel);
        }
        for (muster__connection *connection = subchannel->connections;
             connection != NULL; connection = connection->older) {
            muster__renewal_try_again(connection);
        }
    }
    muster__connector_run(channel);
    muster__channel_reconcile(channel, NULL);
}

void muster__channel_forget_backoff(void *arg)
{
    muster_channel *channel = arg;

    if (!channel->is_closing) {
        forget_backoff(channel);
    }
    muster__channel_advance_close(channel);
}

void muster_channel_connect(muster_channel *channel)
{
    if (!muster__is_forked()) {
        muster__nudge_post(&channel->wake_nudge);
    }
}

void muster_channel_reset_backoff(muster_channel *channel)
{
    if (!muster__is_forked()) {
        muster__nudge_post(&channel->reset_nudge);
    }
}
