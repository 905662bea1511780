/* SPDX-License-Identifier: Apache-2.0 */
/* The fake transport as the core sees it: connections. */
#include "transport.h"

#include <stdlib.h>
#include <string.h>

/* How many destroyed connections are remembered, to tell a late use. */
#define MAX_DESTROYED 65536

enum { CANARY_ALIVE = 0x600dc0de, CANARY_DEAD = 0x0badc0de };

static const char *failure_of(const transport_address *address,
                              const muster_testkit_transport *kit)
{
    return address->has_own_failure ? address->failure : kit->failure;
}

/* Decides what becomes of a new connection, and when. */
static muster_status plan_locked(muster_testkit_transport *kit,
                                 transport_connection *connection)
{
    uint64_t now_ms = testkit_transport_now_ms();
    uint64_t timeout_ms = connection->env.connect_timeout_ms;
    const char *failure = failure_of(connection->address, kit);

    if (timeout_ms > 0 && kit->delay_ms > timeout_ms) {
        return testkit_transport_plan(connection, MUSTER_TRANSIENT_FAILURE,
                                      "connect timed out", now_ms + timeout_ms);
    }
    if (kit->delay_ms == MUSTER_FOREVER) {
        return MUSTER_OK;
    }
    return testkit_transport_plan(
        connection, failure == NULL ? MUSTER_READY : MUSTER_TRANSIENT_FAILURE,
        failure, now_ms + kit->delay_ms);
}

static void link_connection(transport_connection *connection)
{
    transport_address *address = connection->address;

    connection->next = address->connections;
    connection->link = &address->connections;
    if (address->connections != NULL) {
        address->connections->link = &connection->next;
    }
    address->connections = connection;
}

static void unlink_connection(transport_connection *connection)
{
    *connection->link = connection->next;
    if (connection->next != NULL) {
        connection->next->link = connection->link;
    }
}

static void free_connection(transport_connection *connection)
{
    free(connection->reason);
    free(connection->health_service);
    free(connection);
}

static muster_status create_locked(muster_testkit_transport *kit,
                                   transport_connection *connection)
{
    const char *service = connection->env.health_service;

    connection->canary = CANARY_ALIVE;
    connection->state = MUSTER_CONNECTING;
    connection->kit = kit;
    connection->address = testkit_transport_address(
        kit, muster_connection_env_address(&connection->env));
    connection->env.health_service = NULL; /* ours lives longer */
    if (connection->address == NULL ||
        testkit_transport_watch(connection, service) != MUSTER_OK ||
        plan_locked(kit, connection) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    link_connection(connection);
    testkit_transport_count(connection, TRANSPORT_CREATED, 1);
    testkit_transport_count(connection, TRANSPORT_CONNECTING, 1);
    return MUSTER_OK;
}

static muster_status fake_create(void *arg, const muster_connection_env *env,
                                 void **ret_connection, muster_error *err)
{
    muster_testkit_transport *kit = arg;
    transport_connection *connection = calloc(1, sizeof *connection);
    muster_status status;

    if (connection == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "fake transport: no memory");
    }
    memcpy(&connection->env, env,
           env->struct_size < sizeof *env ? env->struct_size : sizeof *env);
    (void)pthread_mutex_lock(&kit->mutex);
    status = create_locked(kit, connection);
    if (status == MUSTER_OK) {
        *ret_connection = connection;
        if (connection->health_service != NULL) {
            env->host->health(env->ctx, MUSTER_HEALTH_UNKNOWN, NULL);
        }
        if (kit->is_inline && kit->delay_ms == 0) {
            testkit_transport_report(connection);
        }
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    if (status != MUSTER_OK) {
        free_connection(connection);
        return muster_error_set(err, status, "fake transport: no memory");
    }
    return MUSTER_OK;
}

/* Keeps it for a while, so that a use of it is noticed. */
static void remember_locked(muster_testkit_transport *kit,
                            transport_connection *connection)
{
    connection->canary = CANARY_DEAD;
    connection->next = NULL;
    *kit->destroyed_end = connection;
    kit->destroyed_end = &connection->next;
    kit->n_destroyed++;
    if (kit->n_destroyed > MAX_DESTROYED) {
        transport_connection *oldest = kit->destroyed;

        kit->destroyed = oldest->next;
        kit->n_destroyed--;
        free_connection(oldest);
    }
}

static void destroy_locked(muster_testkit_transport *kit,
                           transport_connection *connection)
{
    while (connection->is_reporting) {
        (void)pthread_cond_wait(&kit->changed, &kit->mutex);
    }
    testkit_transport_unplan(connection);
    if (connection->state == MUSTER_CONNECTING) {
        testkit_transport_count(connection, TRANSPORT_CONNECTING, -1);
    } else if (connection->state == MUSTER_READY) {
        testkit_transport_count(connection, TRANSPORT_CONNECTED, -1);
    }
    testkit_transport_count(connection, TRANSPORT_DESTROYED, 1);
    unlink_connection(connection);
    remember_locked(kit, connection);
}

static void fake_destroy(void *arg)
{
    transport_connection *connection = arg;
    muster_testkit_transport *kit = connection->kit;

    (void)pthread_mutex_lock(&kit->mutex);
    if (connection->canary == CANARY_ALIVE) {
        destroy_locked(kit, connection);
    } else {
        testkit_violations_add(&kit->violations,
                               "a connection to %s was destroyed twice",
                               connection->address->text);
    }
    (void)pthread_mutex_unlock(&kit->mutex);
}

static void fake_cancel(void *arg)
{
    transport_connection *connection = arg;
    muster_testkit_transport *kit = connection->kit;

    (void)pthread_mutex_lock(&kit->mutex);
    testkit_transport_count(connection, TRANSPORT_CANCELLED, 1);
    (void)pthread_mutex_unlock(&kit->mutex);
}

const muster_transport_class *muster_testkit_transport_class(void)
{
    static const muster_transport_class fake_class = {
        .struct_size = (uint32_t)sizeof(muster_transport_class),
        .name = "fake",
        .create = fake_create,
        .destroy = fake_destroy,
        .cancel = fake_cancel,
        .set_health_service = testkit_transport_set_health_service,
    };

    return &fake_class;
}

int muster_testkit_transport_use(muster_testkit_transport *kit,
                                 const void *connection)
{
    const transport_connection *used = connection;
    bool is_alive;

    (void)pthread_mutex_lock(&kit->mutex);
    is_alive = used != NULL && used->canary == CANARY_ALIVE;
    if (used == NULL) {
        testkit_violations_add(&kit->violations, "no connection was used");
    } else if (used->canary == CANARY_DEAD) {
        testkit_violations_add(&kit->violations,
                               "a connection to %s was used after destroy()",
                               used->address->text);
    } else if (!is_alive || used->kit != kit) {
        is_alive = false;
        testkit_violations_add(&kit->violations,
                               "a connection of another transport was used");
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    return is_alive;
}

/* ---- the kit's end ---- */

static void free_address(muster_testkit_transport *kit,
                         transport_address *address)
{
    while (address->connections != NULL) {
        transport_connection *connection = address->connections;

        testkit_violations_add(&kit->violations,
                               "a connection to %s was not destroyed",
                               address->text);
        address->connections = connection->next;
        free_connection(connection);
    }
    free(address->failure);
    free(address);
}

void testkit_transport_release(muster_testkit_transport *kit)
{
    while (kit->destroyed != NULL) {
        transport_connection *connection = kit->destroyed;

        kit->destroyed = connection->next;
        free_connection(connection);
    }
    for (unsigned i = 0; i < TRANSPORT_N_CHAINS; i++) {
        while (kit->chains[i] != NULL) {
            transport_address *address = kit->chains[i];

            kit->chains[i] = address->next;
            free_address(kit, address);
        }
    }
}
