/* SPDX-License-Identifier: Apache-2.0 */
/* Replaces a READY connection by a new one without a gap. */
#include "renewal.h"

#include <stdlib.h>

#include "channel_internal.h"
#include "channel_options.h"
#include "log_internal.h"
#include "spares.h"

/* Both connections point to it, so that whichever changes first finds it. */
struct muster__renewal {
    muster__connection *old;
    muster__connection *successor; /* NULL: waits for room or for its time */
    muster__renewal *next;         /* of those that wait for room */
    muster__renewal *previous;
    bool is_queued;
    muster__backoff backoff;
    muster__timer *timer;
};

static muster_channel *channel_of(const muster__renewal *renewal)
{
    return renewal->old->channel;
}

/* ---- those that wait for room ---- */

static void enqueue(muster__renewal *renewal)
{
    muster__renewals *waiting = &channel_of(renewal)->renewals;

    renewal->is_queued = true;
    renewal->next = NULL;
    renewal->previous = waiting->last;
    if (waiting->last != NULL) {
        waiting->last->next = renewal;
    } else {
        waiting->first = renewal;
    }
    waiting->last = renewal;
}

static void dequeue(muster__renewal *renewal)
{
    muster__renewals *waiting = &channel_of(renewal)->renewals;

    if (!renewal->is_queued) {
        return;
    }
    renewal->is_queued = false;
    if (renewal->previous != NULL) {
        renewal->previous->next = renewal->next;
    } else {
        waiting->first = renewal->next;
    }
    if (renewal->next != NULL) {
        renewal->next->previous = renewal->previous;
    } else {
        waiting->last = renewal->previous;
    }
}

/* ---- beginning and ending ---- */

static void try_again(void *arg)
{
    muster__renewal *renewal = arg;

    enqueue(renewal);
    muster__connector_run(channel_of(renewal));
}

static muster__renewal *renewal_create(muster__connection *connection)
{
    muster__renewal *renewal = calloc(1, sizeof *renewal);

    if (renewal == NULL) {
        return NULL;
    }
    if (muster__timer_create(try_again, renewal, &renewal->timer) !=
        MUSTER_OK) {
        free(renewal);
        return NULL;
    }
    renewal->old = connection;
    muster__channel_backoff_init(&renewal->backoff,
                                 &connection->channel->options);
    return renewal;
}

/* Lets go of both connections, which go on without it. */
static void renewal_destroy(muster__renewal *renewal)
{
    dequeue(renewal);
    renewal->old->renewal = NULL;
    if (renewal->successor != NULL) {
        renewal->successor->renewal = NULL;
    }
    muster__timer_destroy(renewal->timer);
    free(renewal);
}

static void begin(muster__connection *connection)
{
    muster_channel *channel = connection->channel;

    connection->renewal = renewal_create(connection);
    connection->is_renewal_due = connection->renewal == NULL;
    if (connection->is_renewal_due) {
        muster__log(MUSTER_LOG_WARNING,
                    "channel %s: %s: no memory to replace its connection",
                    muster__channel_name(channel),
                    connection->endpoint->data.address);
        muster__channel_try_again_later(channel);
    } else {
        enqueue(connection->renewal);
    }
}

void muster__renewal_begin(muster__connection *connection)
{
    if (connection->renewal == NULL && !connection->channel->is_closing) {
        begin(connection);
        muster__connector_run(connection->channel);
    }
}

void muster__renewal_try_again(muster__connection *connection)
{
    if (connection->is_renewal_due && connection->is_ready &&
        !connection->is_given_up && connection->renewal == NULL) {
        begin(connection);
    }
}

void muster__renewal_end(muster__connection *connection)
{
    muster__renewal *renewal = connection->renewal;
    muster__connection *successor;

    if (renewal == NULL || renewal->old != connection) {
        return;
    }
    successor = renewal->successor;
    renewal_destroy(renewal);
    if (successor != NULL) {
        muster__connector_leave(successor);
        muster__connection_give_up(successor);
    }
}

void muster__renewal_adopt(muster__connection *connection)
{
    muster__renewal *renewal = connection->renewal;
    muster__connection *successor;

    if (renewal == NULL) {
        return;
    }
    successor = renewal->successor;
    renewal_destroy(renewal);
    if (successor != NULL && !muster__spares_replace(connection, successor)) {
        /* It may be READY, and wait for its health. */
        successor->subchannel->connection = successor;
        muster__subchannel_set_state(successor->channel, successor->subchannel,
                                     MUSTER_CONNECTING);
    }
}

void muster__renewal_reset_backoff(muster__connection *connection)
{
    muster__renewal *renewal = connection->renewal;

    muster__renewal_try_again(connection);
    if (renewal != NULL && muster__timer_is_active(renewal->timer)) {
        muster__timer_stop(renewal->timer);
        muster__backoff_reset(&renewal->backoff);
        enqueue(renewal);
    }
}

/* ---- attempts ---- */

static void put_off(muster__renewal *renewal, const char *reason)
{
    const muster_channel *channel = channel_of(renewal);

    muster__log(MUSTER_LOG_INFO,
                "channel %s: %s: its connection stays, because the one to "
                "replace it failed: %s",
                muster__channel_name(channel),
                renewal->old->endpoint->data.address, reason);
    muster__timer_start(renewal->timer, muster__backoff_next(&renewal->backoff,
                                                             muster__random()));
}

static void attempt(muster__renewal *renewal)
{
    muster_error err = {MUSTER_NOMEM, "out of memory", 0};

    renewal->successor =
        muster__connection_create_beside(renewal->old->subchannel, &err);
    if (renewal->successor == NULL) {
        put_off(renewal, err.message);
    } else {
        renewal->successor->renewal = renewal;
    }
}

void muster__renewals_run(muster_channel *channel)
{
    muster__renewal *renewal = channel->renewals.first;

    if (renewal == NULL ||
        channel->connector.n_connecting >= channel->options.max_connecting) {
        return;
    }
    dequeue(renewal);
    attempt(renewal);
    if (channel->renewals.first != NULL) {
        muster__nudge_post(&channel->connect_nudge);
    }
}

bool muster__renewal_is_successor(const muster__connection *connection)
{
    return connection->renewal != NULL &&
           connection->renewal->successor == connection;
}

/* Detaches the successor, which is of no use, and gives it up. */
static void drop_successor(muster__renewal *renewal)
{
    muster__connection *successor = renewal->successor;

    renewal->successor = NULL;
    successor->renewal = NULL;
    muster__connection_give_up(successor);
}

void muster__renewal_failed(muster__connection *successor, const char *reason)
{
    muster__renewal *renewal = successor->renewal;

    put_off(renewal, reason);
    drop_successor(renewal);
}

bool muster__renewal_succeeded(muster__connection *successor)
{
    muster__renewal *renewal = successor->renewal;
    muster__connection *old = renewal->old;
    muster__subchannel *subchannel = successor->subchannel;

    if (old->slot != NULL &&
        muster__connection_enter_view(successor) != MUSTER_OK) {
        put_off(renewal, "out of memory");
        drop_successor(renewal);
        return false;
    }
    renewal_destroy(renewal);
    if (!muster__spares_replace(old, successor)) {
        subchannel->connection = successor;
    }
    old->is_replaced = true;
    muster__connection_give_up(old); /* after the new one is in the view */
    return true;
}
