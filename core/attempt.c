/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt at one address: what the transport is told, and what it tells. */
#include "attempt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "connection.h"

typedef struct attempt_health {
    muster_health health;
    char *reason; /* or NULL */
} attempt_health;

/* Outlives the connection while a report is on its way to the control thread.
 */
struct muster__attempt {
    muster__connection *connection; /* control; NULL once it is destroyed */
    void *transport_connection;     /* control; NULL: there is none */
    muster_connection_env env;
    muster__task ready_task;
    muster__task dead_task;
    muster__task renew_task;
    atomic_bool is_ready_posted;
    atomic_bool is_dead_posted;
    atomic_bool is_renew_posted;
    atomic_uint refs; /* the owner's, and one a posted task */
    char *reason;     /* written before dead_task is posted */

    attempt_health health;   /* control */
    uint32_t health_version; /* control; of the service that is watched */
    muster__task health_task;
    pthread_mutex_t health_lock; /* guards the two below */
    attempt_health reported;     /* latest, and not told yet if so posted */
    bool is_health_posted;
};

static void attempt_unref(muster__attempt *attempt)
{
    /* acq_rel: whoever frees it has seen all that the others did. */
    if (atomic_fetch_sub_explicit(&attempt->refs, 1, memory_order_acq_rel) ==
        1) {
        free(attempt->reason);
        free(attempt->health.reason);
        free(attempt->reported.reason);
        (void)pthread_mutex_destroy(&attempt->health_lock);
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

static void attempt_renew(void *ctx)
{
    muster__attempt *attempt = ctx;

    if (!atomic_load(&attempt->is_dead_posted) &&
        !atomic_exchange(&attempt->is_renew_posted, true)) {
        attempt_post(attempt, &attempt->renew_task);
    }
}

/* Reports that come faster than the control thread takes them are left out but
 * for the last. */
static void attempt_report_health(void *ctx, muster_health health,
                                  const char *reason)
{
    muster__attempt *attempt = ctx;
    char *copy = reason == NULL ? NULL : strdup(reason);
    bool was_posted;

    pthread_mutex_lock(&attempt->health_lock);
    free(attempt->reported.reason);
    attempt->reported = (attempt_health){health, copy};
    was_posted = attempt->is_health_posted;
    attempt->is_health_posted = true;
    pthread_mutex_unlock(&attempt->health_lock);
    if (!was_posted) {
        attempt_post(attempt, &attempt->health_task);
    }
}

static const muster_transport_host transport_host = {
    .struct_size = (uint32_t)sizeof transport_host,
    .state = attempt_state,
    .renew = attempt_renew,
    .health = attempt_report_health,
};

/* ---- what the connection is told. Thread: control ---- */

static void ready_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, ready_task));

    if (attempt->connection != NULL) {
        muster__connection_reached(attempt->connection, attempt);
    }
    attempt_unref(attempt);
}

static void dead_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, dead_task));

    if (attempt->connection != NULL) {
        muster__connection_lost(attempt->connection, attempt,
                                attempt->reason != NULL ? attempt->reason
                                                        : "out of memory");
    }
    attempt_unref(attempt);
}

static void renew_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, renew_task));

    atomic_store(&attempt->is_renew_posted, false);
    if (attempt->connection != NULL) {
        muster__connection_renew(attempt->connection);
    }
    attempt_unref(attempt);
}

static void take_reported(muster__attempt *attempt)
{
    free(attempt->health.reason);
    pthread_mutex_lock(&attempt->health_lock);
    attempt->health = attempt->reported;
    attempt->reported.reason = NULL;
    attempt->is_health_posted = false;
    pthread_mutex_unlock(&attempt->health_lock);
}

static void health_on_control(muster__task *task)
{
    muster__attempt *attempt =
        (muster__attempt *)(void *)((char *)task -
                                    offsetof(muster__attempt, health_task));

    take_reported(attempt);
    if (attempt->connection != NULL) {
        muster__connection_judge(attempt->connection, attempt);
    }
    attempt_unref(attempt);
}

/* ---- making and destroying ---- */

static muster__attempt *attempt_new(muster__connection *connection,
                                    const char *address)
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
    attempt->env.address = address;
    attempt->env.health_service =
        muster__channel_health_service(connection->channel);
    attempt->health_version = connection->channel->config.health_version;
    attempt->ready_task.fn = ready_on_control;
    attempt->dead_task.fn = dead_on_control;
    attempt->renew_task.fn = renew_on_control;
    attempt->health_task.fn = health_on_control;
    (void)pthread_mutex_init(&attempt->health_lock, NULL);
    atomic_init(&attempt->is_ready_posted, false);
    atomic_init(&attempt->is_dead_posted, false);
    atomic_init(&attempt->is_renew_posted, false);
    atomic_init(&attempt->refs, 1);
    return attempt;
}

muster_status muster__attempt_create(muster__connection *connection,
                                     const char *address,
                                     muster__attempt **ret_attempt,
                                     muster_error *err)
{
    const muster_channel_options *options = &connection->channel->options;
    muster__attempt *attempt = attempt_new(connection, address);
    muster_status status;

    if (attempt == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = options->transport->create(options->transport_arg, &attempt->env,
                                        &attempt->transport_connection, err);
    if (status != MUSTER_OK) {
        muster__attempt_destroy(attempt);
        return status;
    }
    *ret_attempt = attempt;
    return MUSTER_OK;
}

void muster__attempt_destroy(muster__attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    if (attempt->transport_connection != NULL) {
        attempt->connection->channel->options.transport->destroy(
            attempt->transport_connection);
    }
    attempt->connection = NULL;
    attempt_unref(attempt);
}

void *muster__attempt_transport(const muster__attempt *attempt)
{
    return attempt->transport_connection;
}

const char *muster__attempt_address(const muster__attempt *attempt)
{
    return attempt->env.address;
}

/* ---- health ---- */

static bool can_watch_health(const muster_transport_class *transport)
{
    size_t end = offsetof(muster_transport_class, set_health_service) +
                 sizeof transport->set_health_service;

    return transport->struct_size >= end &&
           transport->set_health_service != NULL;
}

void muster__attempt_set_health_service(muster__attempt *attempt)
{
    const muster_channel *channel = attempt->connection->channel;

    if (attempt->health_version == channel->config.health_version) {
        return;
    }
    attempt->health_version = channel->config.health_version;
    if (can_watch_health(channel->options.transport)) {
        channel->options.transport->set_health_service(
            attempt->transport_connection,
            muster__channel_health_service(channel));
    }
}

muster_health muster__attempt_health(const muster__attempt *attempt)
{
    return attempt->health.health;
}

const char *muster__attempt_health_reason(const muster__attempt *attempt)
{
    return attempt->health.reason != NULL ? attempt->health.reason
                                          : "the server does not serve";
}
