/* SPDX-License-Identifier: Apache-2.0 */
/* When connections change state, and the thread that reports it. */
#include "transport.h"

#include <stdlib.h>
#include <time.h>

#include "copies.h"

uint64_t testkit_transport_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void testkit_transport_wait_until(muster_testkit_transport *kit,
                                  uint64_t deadline_ms)
{
    struct timespec deadline = {(time_t)(deadline_ms / 1000),
                                (long)(deadline_ms % 1000) * 1000000};

    (void)pthread_cond_timedwait(&kit->changed, &kit->mutex, &deadline);
}

void testkit_transport_count(transport_connection *connection,
                             transport_count count, int change)
{
    muster_testkit_transport *kit = connection->kit;

    kit->counts[count] += (uint64_t)change;
    connection->address->counts[count] += (uint64_t)change;
    if (kit->counts[TRANSPORT_CONNECTING] > kit->max_connecting) {
        kit->max_connecting = kit->counts[TRANSPORT_CONNECTING];
    }
    (void)pthread_cond_broadcast(&kit->changed);
}

void testkit_transport_unplan(transport_connection *connection)
{
    muster_testkit_transport *kit = connection->kit;
    transport_connection *earlier = connection->earlier;
    transport_connection *later = connection->later;

    if (!connection->is_scheduled) {
        return;
    }
    *(earlier == NULL ? &kit->first : &earlier->later) = later;
    *(later == NULL ? &kit->last : &later->earlier) = earlier;
    connection->is_scheduled = false;
}

/* Most are due last, so the place is looked for from the end. */
static void insert(transport_connection *connection)
{
    muster_testkit_transport *kit = connection->kit;
    transport_connection *earlier = kit->last;

    while (earlier != NULL && earlier->due_ms > connection->due_ms) {
        earlier = earlier->earlier;
    }
    connection->earlier = earlier;
    connection->later = earlier == NULL ? kit->first : earlier->later;
    *(earlier == NULL ? &kit->first : &earlier->later) = connection;
    if (connection->later == NULL) {
        kit->last = connection;
    } else {
        connection->later->earlier = connection;
    }
    connection->is_scheduled = true;
    (void)pthread_cond_broadcast(&kit->changed);
}

muster_status testkit_transport_plan(transport_connection *connection,
                                     muster_connectivity state,
                                     const char *reason, uint64_t due_ms)
{
    char *copy;

    if (!testkit_copies_text(reason, &copy)) {
        return MUSTER_NOMEM;
    }
    testkit_transport_unplan(connection);
    free(connection->reason);
    connection->reason = copy;
    connection->next_state = state;
    connection->due_ms = due_ms;
    insert(connection);
    return MUSTER_OK;
}

/* connection becomes what it was to become. */
static void change(transport_connection *connection)
{
    bool was_ready = connection->state == MUSTER_READY;

    connection->state = connection->next_state;
    testkit_transport_count(
        connection, was_ready ? TRANSPORT_CONNECTED : TRANSPORT_CONNECTING, -1);
    if (connection->state == MUSTER_READY) {
        testkit_transport_count(connection, TRANSPORT_CONNECTED, 1);
        testkit_transport_count(connection, TRANSPORT_READY, 1);
    } else {
        testkit_transport_count(
            connection, was_ready ? TRANSPORT_DISCONNECTED : TRANSPORT_FAILED,
            1);
    }
}

void testkit_transport_report(transport_connection *connection)
{
    muster_testkit_transport *kit = connection->kit;
    const muster_connection_env *env = &connection->env;
    char *reason = connection->reason;
    muster_connectivity state;

    testkit_transport_unplan(connection);
    change(connection);
    state = connection->state;
    connection->reason = NULL;
    connection->is_reporting = true;
    (void)pthread_mutex_unlock(&kit->mutex);
    env->host->state(env->ctx, state, reason);
    free(reason);
    (void)pthread_mutex_lock(&kit->mutex);
    connection->is_reporting = false;
    (void)pthread_cond_broadcast(&kit->changed);
}

void *testkit_transport_run(void *arg)
{
    muster_testkit_transport *kit = arg;

    (void)pthread_mutex_lock(&kit->mutex);
    while (!kit->is_stopping) {
        transport_connection *connection = kit->first;

        if (connection == NULL || connection->is_reporting) {
            (void)pthread_cond_wait(&kit->changed, &kit->mutex);
        } else if (connection->due_ms > testkit_transport_now_ms()) {
            testkit_transport_wait_until(kit, connection->due_ms);
        } else {
            testkit_transport_report(connection);
        }
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    return NULL;
}
