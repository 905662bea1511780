/* SPDX-License-Identifier: Apache-2.0 */
/* Limits how many connections are being made at a time. */
#include "connector.h"

#include "channel_internal.h"
#include "connection.h"
#include "renewal.h"
#include "spares.h"

void muster__connector_init(muster__connector *connector)
{
    connector->first = MUSTER__NO_NUMBER;
    connector->last = MUSTER__NO_NUMBER;
    connector->n_connecting = 0;
    connector->is_running = false;
}

void muster__connector_add(muster_channel *channel,
                           muster__subchannel *subchannel)
{
    muster__connector *connector = &channel->connector;

    if (subchannel->is_queued) {
        return;
    }
    subchannel->is_queued = true;
    subchannel->next = MUSTER__NO_NUMBER;
    if (connector->last == MUSTER__NO_NUMBER) {
        connector->first = subchannel->number;
    } else {
        muster__table_at(&channel->table, connector->last)->next =
            subchannel->number;
    }
    connector->last = subchannel->number;
}

static muster__subchannel *connector_take(muster_channel *channel)
{
    muster__connector *connector = &channel->connector;
    muster__subchannel *subchannel =
        muster__table_at(&channel->table, connector->first);

    connector->first = subchannel->next;
    if (connector->first == MUSTER__NO_NUMBER) {
        connector->last = MUSTER__NO_NUMBER;
    }
    subchannel->next = MUSTER__NO_NUMBER;
    subchannel->is_queued = false;
    return subchannel;
}

void muster__connector_run(muster_channel *channel)
{
    muster__connector *connector = &channel->connector;

    if (connector->is_running) {
        return;
    }
    connector->is_running = true;
    while (connector->first != MUSTER__NO_NUMBER &&
           connector->n_connecting < channel->options.max_connecting) {
        muster__subchannel *subchannel = connector_take(channel);
        if (muster__subchannel_may_connect(channel, subchannel)) {
            muster__connection_create(channel, subchannel);
        } else {
            muster__subchannel_release(channel, subchannel);
        }
    }
    muster__spares_run(channel); /* in what room the others leave */
    muster__renewals_run(channel);
    connector->is_running = false;
}

/* Not at once: whoever gives it up is amid other changes. */
void muster__connector_leave(const muster__connection *connection)
{
    muster_channel *channel = connection->channel;

    if (!connection->is_ready) {
        channel->connector.n_connecting--;
        muster__nudge_post(&channel->connect_nudge);
    }
}
