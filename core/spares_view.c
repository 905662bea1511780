/* SPDX-License-Identifier: Apache-2.0 */
/* An endpoint's connections in the view, where a leader stands for them, and
 * what is known of each. */
#include "spares_internal.h"

/* ---- the view ---- */

/* Into the view with its only member. */
static muster_status add_leader(muster__spares *spares, muster__slot *member)
{
    muster_channel *channel = spares->channel;
    const muster_channel_options *options = &channel->options;
    muster__slot *leader = NULL;
    muster_status status = muster__leader_create(
        channel->plane, muster__subchannel_id(spares->subchannel),
        options->connections_per_endpoint + 1, /* for a moment, by renewal */
        options->connection_choice == MUSTER_CONNECTION_LEAST_LOADED, &leader);

    if (status != MUSTER_OK) {
        return status;
    }
    muster__pool_add(leader, member);
    status = muster__view_add(channel->plane, leader);
    if (status != MUSTER_OK) {
        muster__slot_destroy(channel->plane, leader);
        return status;
    }
    spares->leader = leader;
    return MUSTER_OK;
}

muster_status muster__spares_add_slot(const muster__connection *connection,
                                      muster__slot *slot)
{
    muster__spares *spares =
        muster__spares_get(connection->channel, connection->subchannel);

    if (spares == NULL) {
        return MUSTER_NOMEM;
    }
    if (spares->leader == NULL) {
        return add_leader(spares, slot);
    }
    muster__pool_add(spares->leader, slot);
    return MUSTER_OK;
}

void muster__spares_remove_slot(const muster__connection *connection,
                                muster__slot *slot)
{
    const muster__spares *spares =
        muster__spares_of(connection->channel, connection->subchannel);

    muster__pool_remove(connection->channel->plane, spares->leader, slot);
    muster__channel_poll_soon(connection->channel); /* no view is published */
}

muster_status muster__spares_enter_view(muster_channel *channel,
                                        const muster__subchannel *subchannel)
{
    const muster__spares *spares = muster__spares_of(channel, subchannel);
    muster_status status = MUSTER_OK;

    if (spares != NULL && subchannel->connection->slot == NULL) {
        status = muster__connection_enter_view(subchannel->connection);
    }
    for (uint32_t i = 0; spares != NULL && i < spares->n && status == MUSTER_OK;
         i++) {
        muster__connection *connection = spares->places[i].connection;
        if (connection != NULL && connection->is_ready &&
            connection->slot == NULL) {
            status = muster__connection_enter_view(connection);
        }
    }
    return status;
}

bool muster__spares_leave_view(muster_channel *channel,
                               muster__subchannel *subchannel)
{
    muster__spares *spares = muster__spares_of(channel, subchannel);

    if (spares == NULL || spares->leader == NULL) {
        return false;
    }
    muster__view_remove(channel->plane, spares->leader);
    spares->leader = NULL; /* its members drain with it */
    for (uint32_t i = 0; i < spares->n; i++) {
        if (spares->places[i].connection != NULL) {
            spares->places[i].connection->slot = NULL;
        }
    }
    if (subchannel->connection != NULL) {
        subchannel->connection->slot = NULL;
    }
    return true;
}

/* ---- what is known of it ---- */

muster_connectivity muster__spares_at(const muster_channel *channel,
                                      const muster__subchannel *subchannel,
                                      uint32_t i,
                                      const muster__connection **ret_connection)
{
    const muster__spares *spares = muster__spares_of(channel, subchannel);
    const muster__spare *place = spares == NULL ? NULL : &spares->places[i - 1];

    *ret_connection = place == NULL ? NULL : place->connection;
    if (*ret_connection != NULL) {
        return (*ret_connection)->is_ready ? MUSTER_READY : MUSTER_CONNECTING;
    }
    return place != NULL && place->due_ms != 0 ? MUSTER_TRANSIENT_FAILURE
                                               : MUSTER_IDLE;
}
