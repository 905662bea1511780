/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a subchannel, used once. */
#include "connection.h"

#include <stdlib.h>

#include "channel_internal.h"
#include "draining.h"
#include "renewal.h"
#include "spares.h"

/* ---- what becomes of it ---- */

/* What a policy and a view know of an endpoint. */
typedef struct standing {
    uint8_t state;
    const muster__slot *leader;
} standing;

static standing standing_of(const muster_channel *channel,
                            const muster__subchannel *subchannel)
{
    return (standing){subchannel->state,
                      muster__spares_leader(channel, subchannel)};
}

/* Of several connections, one more or less is seen by picks without a new view.
 */
static void follow_up(muster_channel *channel, muster__subchannel *subchannel,
                      standing before)
{
    if (muster__pools_are_used(&channel->options) &&
        subchannel->state == before.state) {
        muster__channel_update_one(channel, subchannel);
        if (muster__spares_leader(channel, subchannel) == before.leader) {
            return;
        }
    }
    muster__channel_reconcile(channel, subchannel);
}

/* In its own right, beside others, or in the place of another; that one stays
 * until it is known whether this one's server serves. */
static void settle(muster__connection *connection)
{
    if (muster__renewal_is_successor(connection) &&
        (muster__connection_health(connection) == MUSTER_HEALTH_UNKNOWN ||
         !muster__renewal_succeeded(connection))) {
        return; /* it waits, or is gone */
    }
    muster__spares_judge(connection);
    if (connection->is_renewal_due) {
        connection->is_renewal_due = false;
        muster__renewal_begin(connection);
    }
}

/* READY now. */
static void take_up(muster__connection *connection)
{
    connection->is_ready = true;
    connection->channel->connections.ready++;
    if (!muster__renewal_is_successor(connection) &&
        !muster__spares_reached(connection)) {
        muster__subchannel_connected(connection->subchannel);
    }
    settle(connection);
}

void muster__connection_reached(muster__connection *connection,
                                muster__attempt *attempt)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    standing before = standing_of(channel, subchannel);

    muster__race_win(connection->race, attempt);
    connection->attempt = attempt;
    muster__race_destroy(connection->race);
    connection->race = NULL;
    channel->connector.n_connecting--;
    muster__attempt_set_health_service(attempt);
    take_up(connection);
    muster__spares_want(channel, subchannel);
    follow_up(channel, subchannel, before);
    muster__connector_run(channel);
}

void muster__connection_judge(muster__connection *connection,
                              const muster__attempt *attempt)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    standing before = standing_of(channel, subchannel);

    if (connection->is_given_up || connection->attempt != attempt) {
        return; /* it drains; or it is looked at when the attempt has won */
    }
    settle(connection);
    follow_up(channel, subchannel, before);
    muster__connector_run(channel);
}

void muster__connection_renew(muster__connection *connection)
{
    if (connection->is_given_up) {
        return;
    }
    if (connection->is_ready && !muster__renewal_is_successor(connection)) {
        muster__renewal_begin(connection);
    } else {
        connection->is_renewal_due = true;
    }
}

static void failed_to_connect(muster__connection *connection,
                              const char *reason)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;

    subchannel->connection = NULL;
    connection->is_given_up = true;
    muster__subchannel_fail(channel, subchannel, reason);
    muster__connection_give_up(connection);
    muster__channel_reconcile(channel, subchannel);
}

/* None of its attempts is left. */
static void failed(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    char reason[MUSTER__RACE_REASON_SIZE];

    muster__race_explain(connection->race, reason);
    channel->connector.n_connecting--;
    channel->connections.failed++;
    if (muster__renewal_is_successor(connection)) {
        muster__renewal_failed(connection, reason);
    } else if (!muster__spares_failed(connection, reason)) {
        failed_to_connect(connection, reason);
    }
    muster__connector_run(channel);
}

/* No READY one of the subchannel is left: reconnects at once (rule 6), unless
 * only a hold kept it. What is being made beside it comes first. */
static void last_went_away(muster__connection *connection, const char *reason)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;

    (void)muster__spares_leave_view(channel, subchannel);
    subchannel->connection = NULL;
    subchannel->is_in_view = false;
    muster__subchannel_move(channel, subchannel, MUSTER_IDLE, reason);
    if (subchannel->is_listed) {
        muster__renewal_adopt(connection);
    } else {
        muster__spares_end(channel, subchannel);
    }
    if (subchannel->connection == NULL) {
        muster__spares_succeed_first(channel, subchannel);
    }
    muster__connection_give_up(connection);
    muster__subchannel_connect(channel, subchannel);
    muster__channel_reconcile(channel, subchannel);
}

static void went_away(muster__connection *connection, const char *reason)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;
    standing before = standing_of(channel, subchannel);

    if (muster__spares_went_away(connection)) {
        follow_up(channel, subchannel, before);
    } else {
        last_went_away(connection, reason);
    }
    muster__connector_run(channel);
}

/* The next picker may take its time, and the one that picks see may have a slot
 * that has left the working view, perhaps for another one. The last slot is
 * ours until it is closed. */
static void refuse_picks(const muster__connection *connection)
{
    if (connection->n_slots == 1 && connection->last_slot != NULL) {
        muster__slot_refuse(connection->last_slot);
    } else if (connection->n_slots > 0) {
        muster__plane_refuse_owned(connection->channel->plane, connection);
    }
}

/* Asks for re-resolution (rule 6), unless another one still serves. */
void muster__connection_lost(muster__connection *connection,
                             muster__attempt *attempt, const char *reason)
{
    const muster__subchannel *subchannel = connection->subchannel;
    muster__resolution *resolution = connection->channel->subscriber.resolution;
    bool is_successor = muster__renewal_is_successor(connection);

    refuse_picks(connection);
    if (connection->is_given_up) {
        return;
    }
    if (connection->is_ready && is_successor) {
        muster__renewal_failed(connection, reason);
    } else if (connection->is_ready) {
        went_away(connection, reason);
    } else if (muster__race_lose(connection->race, attempt, reason)) {
        return; /* others are under way */
    } else {
        failed(connection);
    }
    if (resolution != NULL && !is_successor &&
        subchannel->state != MUSTER_READY) {
        muster__resolution_refresh(resolution);
    }
}

/* ---- making and destroying ---- */

static muster__connection *connection_new(muster_channel *channel,
                                          muster__subchannel *subchannel)
{
    muster__connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->channel = channel;
    connection->subchannel = subchannel;
    connection->endpoint = muster__endpoint_ref(subchannel->endpoint);
    connection->older = subchannel->connections;
    subchannel->connections = connection;
    channel->connections.created++;
    return connection;
}

static void forget(muster__subchannel *subchannel,
                   const muster__connection *connection)
{
    muster__connection **at = &subchannel->connections;

    while (*at != connection) {
        at = &(*at)->older;
    }
    *at = connection->older;
}

static void connection_destroy(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;

    muster__race_destroy(connection->race);
    muster__attempt_destroy(connection->attempt);
    forget(subchannel, connection);
    muster__endpoint_unref(connection->endpoint);
    free(connection);
    channel->connections.destroyed++;
    muster__subchannel_release(channel, subchannel);
}

/* False: it failed, with a reason. */
static bool begin(muster__connection *connection,
                  char ret_reason[MUSTER__RACE_REASON_SIZE])
{
    connection->race = muster__race_create(connection);
    if (connection->race == NULL) {
        (void)snprintf(ret_reason, MUSTER__RACE_REASON_SIZE, "out of memory");
        return false;
    }
    if (!muster__race_go_on(connection->race)) {
        muster__race_explain(connection->race, ret_reason);
        return false;
    }
    return true;
}

/* Failed before it was under way. Not from inside whoever wanted it: what it
 * means for the channel is looked at soon. */
static void failed_at_once(muster_channel *channel,
                           muster__subchannel *subchannel, const char *reason)
{
    channel->connections.failed++;
    muster__subchannel_fail(channel, subchannel, reason);
    channel->is_reconcile_due = true;
    muster__nudge_post(&channel->republish_nudge);
}

void muster__connection_create(muster_channel *channel,
                               muster__subchannel *subchannel)
{
    muster__connection *connection = connection_new(channel, subchannel);
    char reason[MUSTER__RACE_REASON_SIZE];

    if (connection == NULL) {
        failed_at_once(channel, subchannel, "out of memory");
        return;
    }
    subchannel->connection = connection;
    if (channel->options.transport == NULL) {
        take_up(connection);
        return;
    }
    channel->connector.n_connecting++;
    muster__subchannel_set_state(channel, subchannel, MUSTER_CONNECTING);
    if (!begin(connection, reason)) {
        channel->connector.n_connecting--;
        subchannel->connection = NULL;
        failed_at_once(channel, subchannel, reason);
        muster__connection_give_up(connection);
    }
}

muster__connection *
muster__connection_create_beside(muster__subchannel *subchannel,
                                 muster_error *err)
{
    muster_channel *channel = subchannel->connection->channel;
    muster__connection *connection = connection_new(channel, subchannel);
    char reason[MUSTER__RACE_REASON_SIZE];

    if (connection == NULL) {
        (void)muster_error_set(err, MUSTER_NOMEM, "out of memory");
        return NULL;
    }
    if (!begin(connection, reason)) {
        (void)muster_error_set(err, MUSTER_UNAVAILABLE, "%s", reason);
        channel->connections.failed++;
        muster__connection_give_up(connection);
        return NULL;
    }
    channel->connector.n_connecting++;
    return connection;
}

void *muster__connection_transport(const muster__connection *connection)
{
    return connection->attempt == NULL
               ? NULL
               : muster__attempt_transport(connection->attempt);
}

const char *muster__connection_address(const muster__connection *connection)
{
    return connection->attempt == NULL
               ? NULL
               : muster__attempt_address(connection->attempt);
}

/* ---- health ---- */

muster_health muster__connection_health(const muster__connection *connection)
{
    return connection->attempt == NULL
               ? MUSTER_HEALTH_UNCHECKED
               : muster__attempt_health(connection->attempt);
}

bool muster__connection_serves(const muster__connection *connection)
{
    muster_health health = muster__connection_health(connection);

    return connection->is_ready && health != MUSTER_HEALTH_UNKNOWN &&
           health != MUSTER_HEALTH_NOT_SERVING;
}

const char *
muster__connection_health_reason(const muster__connection *connection)
{
    return muster__connection_health(connection) == MUSTER_HEALTH_NOT_SERVING
               ? muster__attempt_health_reason(connection->attempt)
               : NULL;
}

/* ---- the view ---- */

muster_status muster__connection_enter_view(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__slot *slot = NULL;
    muster_status status = muster__slot_create(
        channel->plane, muster__subchannel_id(connection->subchannel),
        &connection->endpoint->data, muster__connection_transport(connection),
        connection, &slot);

    if (status == MUSTER_OK) {
        status = muster__pools_are_used(&channel->options)
                     ? muster__spares_add_slot(connection, slot)
                     : muster__view_add(channel->plane, slot);
        if (status != MUSTER_OK) {
            muster__slot_destroy(channel->plane, slot);
        }
    }
    if (status == MUSTER_OK) {
        muster__connection_count_calls(connection);
        connection->slot = slot;
        connection->last_slot = slot;
        connection->n_slots++;
    }
    return status;
}

void muster__connection_leave_view(muster__connection *connection)
{
    if (muster__pools_are_used(&connection->channel->options)) {
        muster__spares_remove_slot(connection, connection->slot);
    } else {
        muster__view_remove(connection->channel->plane, connection->slot);
    }
    connection->slot = NULL;
}

int64_t muster__connection_in_flight(const muster__connection *connection)
{
    int64_t n = connection->last_slot == NULL
                    ? 0
                    : muster__slot_in_flight(connection->last_slot);

    return n > 0 ? n : 0; /* the end of a call was seen before its beginning */
}

void muster__connection_count_calls(muster__connection *connection)
{
    if (connection->last_slot != NULL) {
        connection->subchannel->n_calls +=
            muster__slot_new_picks(connection->last_slot);
    }
}

/* ---- the end of it ---- */

void muster__connection_give_up(muster__connection *connection)
{
    connection->is_given_up = true;
    muster__renewal_end(connection);
    if (connection->slot != NULL) {
        muster__connection_leave_view(connection);
    }
    if (connection->n_slots == 0) {
        connection_destroy(connection);
    } else if (!connection->is_replaced) {
        muster__draining_add(connection);
    }
}

void muster__connection_hurry(muster__connection *connection)
{
    if (connection->is_given_up && connection->drain_deadline_ms == 0) {
        muster__draining_add(connection);
    }
}

void muster__connection_slot_closed(void *ctx, void *owner, muster__slot *slot)
{
    muster__connection *connection = owner;

    (void)ctx;
    connection->subchannel->n_calls += muster__slot_new_picks(slot);
    connection->n_slots--;
    if (connection->last_slot == slot) {
        connection->last_slot = NULL;
    }
    if (connection->is_given_up && connection->n_slots == 0) {
        muster__draining_remove(connection);
        connection_destroy(connection);
    }
}
