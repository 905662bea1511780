/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a subchannel, used once. */
#include "connection.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"

/* The transport's part. Outlives the connection while a report is on its way to
 * the control thread. */
typedef struct muster__attempt {
    muster__connection *connection; /* control; NULL once it is destroyed */
    void *transport_connection;     /* control */
    muster_connection_env env;
    muster__task ready_task;
    muster__task dead_task;
    atomic_bool is_ready_posted;
    atomic_bool is_dead_posted;
    atomic_uint refs; /* the connection's, and one a posted task */
    char *reason;     /* written before dead_task is posted */
} muster__attempt;

static void attempt_unref(muster__attempt *attempt)
{
    /* acq_rel: whoever frees it has seen all that the others did. */
    if (atomic_fetch_sub_explicit(&attempt->refs, 1, memory_order_acq_rel) ==
        1) {
        free(attempt->reason);
        free(attempt);
    }
}

/* ---- what the transport reports. Thread: any ---- */

static void attempt_post(muster__attempt *attempt, muster__task *task)
{
    atomic_fetch_add_explicit(&attempt->refs, 1, memory_order_relaxed);
    muster__loop_post(task);
}

static void attempt_state(void *ctx, muster_connectivity state,
                          const char *reason)
{
    muster__attempt *attempt = ctx;

    if (atomic_load(&attempt->is_dead_posted)) {
        return;
    }
    if (state == MUSTER_READY) {
        if (!atomic_exchange(&attempt->is_ready_posted, true)) {
            attempt_post(attempt, &attempt->ready_task);
        }
    } else if (state == MUSTER_IDLE || state == MUSTER_TRANSIENT_FAILURE) {
        if (!atomic_exchange(&attempt->is_dead_posted, true)) {
            attempt->reason = strdup(reason != NULL ? reason : "disconnected");
            attempt_post(attempt, &attempt->dead_task);
        }
    }
}

static const muster_transport_host transport_host = {
    .struct_size = (uint32_t)sizeof transport_host,
    .state = attempt_state,
};

/* ---- what becomes of it. Thread: control ---- */

static void became_ready(muster__connection *connection)
{
    muster_channel *channel = connection->channel;

    connection->is_ready = true;
    channel->connections.ready++;
    muster__subchannel_succeed(connection->subchannel);
    muster__subchannel_set_state(channel, connection->subchannel, MUSTER_READY);
}

static void ready_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, ready_task));
    muster__connection *connection = attempt->connection;

    if (connection != NULL && !connection->is_given_up) {
        muster_channel *channel = connection->channel;

        channel->connector.n_connecting--;
        became_ready(connection);
        muster__channel_reconcile(channel, connection->subchannel);
        muster__connector_run(channel);
    }
    attempt_unref(attempt);
}

static void failed_to_connect(muster__connection *connection,
                              const char *reason)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;

    channel->connector.n_connecting--;
    channel->connections.failed++;
    subchannel->connection = NULL;
    connection->is_given_up = true;
    muster__subchannel_fail(channel, subchannel, reason);
    muster__connection_give_up(connection);
    muster__channel_reconcile(channel, subchannel);
    muster__connector_run(channel);
}

/* A READY one went away: reconnects at once (rule 6), unless only a hold kept
 * it. */
static void went_away(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    muster__subchannel *subchannel = connection->subchannel;

    if (connection->slot != NULL) { /* the next picker may take its time */
        muster__slot_refuse(connection->slot);
    }
    subchannel->connection = NULL;
    subchannel->is_in_view = false;
    muster__subchannel_set_state(channel, subchannel, MUSTER_IDLE);
    muster__connection_give_up(connection);
    muster__subchannel_connect(channel, subchannel);
    muster__channel_reconcile(channel, subchannel);
    muster__connector_run(channel);
}

static void dead_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, dead_task));
    muster__connection *connection = attempt->connection;

    if (connection != NULL && !connection->is_given_up) {
        muster_channel *channel = connection->channel;
        muster__resolution *resolution = channel->subscriber.resolution;

        if (connection->is_ready) {
            went_away(connection);
        } else {
            failed_to_connect(connection, attempt->reason != NULL
                                              ? attempt->reason
                                              : "out of memory");
        }
        if (resolution != NULL) {
            muster__resolution_refresh(resolution);
        }
    }
    attempt_unref(attempt);
}

/* ---- making and destroying ---- */

static muster__attempt *attempt_create(muster__connection *connection)
{
    muster__attempt *attempt = calloc(1, sizeof *attempt);
    const muster_channel_options *options = &connection->channel->options;

    if (attempt == NULL) {
        return NULL;
    }
    attempt->connection = connection;
    attempt->env.struct_size = (uint32_t)sizeof attempt->env;
    attempt->env.host = &transport_host;
    attempt->env.ctx = attempt;
    attempt->env.endpoint = &connection->endpoint->data;
    attempt->env.authority = connection->channel->authority;
    attempt->env.connect_timeout_ms = options->connect_timeout_ms;
    attempt->ready_task.fn = ready_on_control;
    attempt->dead_task.fn = dead_on_control;
    atomic_init(&attempt->is_ready_posted, false);
    atomic_init(&attempt->is_dead_posted, false);
    atomic_init(&attempt->refs, 1);
    return attempt;
}

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
    subchannel->connection = connection;
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
    muster__attempt *attempt = connection->attempt;

    if (attempt != NULL) {
        attempt->connection = NULL;
        if (attempt->transport_connection != NULL) {
            channel->options.transport->destroy(attempt->transport_connection);
        }
        attempt_unref(attempt);
    }
    forget(subchannel, connection);
    muster__endpoint_unref(connection->endpoint);
    free(connection);
    channel->connections.destroyed++;
    muster__subchannel_release(channel, subchannel);
}

static muster_status attempt_begin(muster__connection *connection,
                                   muster_error *err)
{
    muster_channel *channel = connection->channel;

    connection->attempt = attempt_create(connection);
    if (connection->attempt == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    return channel->options.transport->create(
        channel->options.transport_arg, &connection->attempt->env,
        &connection->attempt->transport_connection, err);
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
    muster_error err = {MUSTER_NOMEM, "out of memory", 0};

    if (connection == NULL) {
        failed_at_once(channel, subchannel, err.message);
        return;
    }
    if (channel->options.transport == NULL) {
        became_ready(connection);
        return;
    }
    channel->connector.n_connecting++;
    muster__subchannel_set_state(channel, subchannel, MUSTER_CONNECTING);
    if (attempt_begin(connection, &err) != MUSTER_OK) {
        channel->connector.n_connecting--;
        subchannel->connection = NULL;
        failed_at_once(channel, subchannel, err.message);
        muster__connection_give_up(connection);
    }
}

void *muster__connection_transport(const muster__connection *connection)
{
    return connection->attempt == NULL
               ? NULL
               : connection->attempt->transport_connection;
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
        status = muster__view_add(channel->plane, slot);
        if (status != MUSTER_OK) {
            muster__slot_destroy(channel->plane, slot);
        }
    }
    if (status == MUSTER_OK) {
        connection->slot = slot;
        connection->last_slot = slot;
        connection->n_slots++;
    }
    return status;
}

void muster__connection_leave_view(muster__connection *connection)
{
    muster__view_remove(connection->channel->plane, connection->slot);
    connection->slot = NULL;
}

int64_t muster__connection_in_flight(const muster__connection *connection)
{
    return connection->last_slot == NULL
               ? 0
               : muster__slot_in_flight(connection->last_slot);
}

/* ---- draining ---- */

static void draining_add(muster__connection *connection)
{
    muster_channel *channel = connection->channel;
    uint64_t deadline_ms = channel->options.drain_deadline_ms;

    if (deadline_ms == 0 || channel->options.transport == NULL ||
        channel->options.transport->cancel == NULL) {
        return;
    }
    connection->drain_deadline_ms = muster__now_ms() + deadline_ms;
    connection->previous_draining = channel->draining_last;
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

static void draining_remove(muster__connection *connection)
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

void muster__connection_check_deadlines(void *arg)
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
        draining_remove(connection);
        channel->options.transport->cancel(
            connection->attempt->transport_connection);
    }
}

void muster__connection_give_up(muster__connection *connection)
{
    connection->is_given_up = true;
    if (connection->slot != NULL) {
        muster__connection_leave_view(connection);
    }
    if (connection->n_slots == 0) {
        connection_destroy(connection);
    } else {
        draining_add(connection);
    }
}

void muster__connection_slot_closed(void *ctx, void *owner)
{
    muster__connection *connection = owner;

    (void)ctx;
    connection->n_slots--;
    if (connection->n_slots == 0) {
        connection->last_slot = NULL;
    }
    if (connection->is_given_up && connection->n_slots == 0) {
        draining_remove(connection);
        connection_destroy(connection);
    }
}
