/* SPDX-License-Identifier: Apache-2.0 */
/* The drain deadline of connections that were given up. */
#include "draining.h"

#include "channel_internal.h"

void muster__draining_add(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    uint64_t deadline_ms = channel->options.drain_deadline_ms;

    if (deadline_ms == 0 || channel->options.transport == NULL ||
        channel->options.transport->cancel == NULL) {
        return;
    }
    connection->drain_deadline_ms = muster__now_ms() + deadline_ms;
    connection->previous_draining = channel->draining_last;
    connection->next_draining = NULL; /* it may have been in the list before */
    if (channel->draining_last != NULL) {
        channel->draining_last->next_draining = connection;
    } else {
        channel->draining = connection;
    }
    channel->draining_last = connection;
    if (!muster__timer_is_active(channel->drain_timer)) {
        muster__timer_start(channel->drain_timer, deadline_ms);
    }
}

void muster__draining_remove(muster__connection *connection)
{
    muster_channel *channel = connection->channel;

    if (connection->drain_deadline_ms == 0) {
        return;
    }
    connection->drain_deadline_ms = 0;
    if (connection->previous_draining != NULL) {
        connection->previous_draining->next_draining =
            connection->next_draining;
    } else {
        channel->draining = connection->next_draining;
    }
    if (connection->next_draining != NULL) {
        connection->next_draining->previous_draining =
            connection->previous_draining;
    } else {
        channel->draining_last = connection->previous_draining;
    }
}

void muster__draining_check_deadlines(void *arg)
{
    muster_channel *channel = arg;
    uint64_t now_ms = muster__now_ms();

    while (channel->draining != NULL) {
        muster__connection *connection = channel->draining;
        if (connection->drain_deadline_ms > now_ms) {
            muster__timer_start(channel->drain_timer,
                                connection->drain_deadline_ms - now_ms);
            return;
        }
        muster__draining_remove(connection);
        channel->options.transport->cancel(
            muster__connection_transport(connection));
    }
}
