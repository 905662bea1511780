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

bool muster__spares_is_only_member(const muster__spares *spares,
                                   const muster__connection *connection)
{
    bool is_only = connection->slot != NULL;

    for (uint32_t i = 0; i <= spares->n; i++) {
        const muster__connection *other = muster__spares_connection(spares, i);
        is_only &= other == NULL || other == connection || other->slot == NULL;
    }
    return is_only;
}

/* Of an endpoint of which none serves all do that are connected, when it is to
 * be in the view at all. */
static bool may_carry(const muster__connection *connection)
{
    return muster__connection_serves(connection) ||
           (connection->is_ready && connection->subchannel->is_unhealthy &&
            muster__connection_health(connection) == MUSTER_HEALTH_NOT_SERVING);
}

static muster_status enter_those_that_serve(const muster__spares *spares)
{
    muster_status status = MUSTER_OK;

    for (uint32_t i = 0; i <= spares->n && status == MUSTER_OK; i++) {
        muster__connection *connection = muster__spares_connection(spares, i);
        if (connection != NULL && connection->slot == NULL &&
            may_carry(connection)) {
            status = muster__connection_enter_view(connection);
        }
    }
    return status;
}

static void leave_those_that_do_not(const muster__spares *spares)
{
    for (uint32_t i = 0; i <= spares->n; i++) {
        muster__connection *connection = muster__spares_connection(spares, i);
        if (connection != NULL && connection->slot != NULL &&
            !may_carry(connection) &&
            !muster__spares_is_only_member(spares, connection)) {
            muster__connection_leave_view(connection);
        }
    }
}

muster_status muster__spares_update_view(muster_channel *channel,
                                         const muster__subchannel *subchannel)
{
    const muster__spares *spares = muster__spares_of(channel, subchannel);
    muster_status status = MUSTER_OK;

    if (spares != NULL) {
        status = enter_those_that_serve(spares);
        leave_those_that_do_not(spares);
    }
    return status;
}

const muster__slot *muster__spares_leader(const muster_channel *channel,
                                          const muster__subchannel *subchannel)
{
    const muster__spares *spares = muster__spares_of(channel, subchannel);

    return spares == NULL ? NULL : spares->leader;
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
    for (uint32_t i = 0; i <= spares->n; i++) {
        muster__connection *connection = muster__spares_connection(spares, i);
        if (connection != NULL) {
            connection->slot = NULL;
        }
    }
    return true;
}

/* ---- what is known of it ---- */

/* As an endpoint's whose only connection it were. */
static muster_connectivity state_of(const muster__connection *connection)
{
    if (muster__connection_serves(connection)) {
        return MUSTER_READY;
    }
    return connection->is_ready && muster__connection_health(connection) ==
                                       MUSTER_HEALTH_NOT_SERVING
               ? MUSTER_TRANSIENT_FAILURE
               : MUSTER_CONNECTING;
}

muster_connectivity muster__spares_at(const muster_channel *channel,
                                      const muster__subchannel *subchannel,
                                      uint32_t i,
                                      const muster__connection **ret_connection)
{
    const muster__spares *spares = muster__spares_of(channel, subchannel);
    const muster__spare *place = spares == NULL ? NULL : &spares->places[i - 1];

    *ret_connection = place == NULL ? NULL : place->connection;
    if (*ret_connection != NULL) {
        return state_of(*ret_connection);
    }
    return place != NULL && place->due_ms != 0 ? MUSTER_TRANSIENT_FAILURE
                                               : MUSTER_IDLE;
}
