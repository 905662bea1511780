/* SPDX-License-Identifier: Apache-2.0 */
/* What the fake transport tells its host beside states. */
#include "transport.h"

#include <stdlib.h>
#include <string.h>

#include "copies.h"

muster_status testkit_transport_watch(transport_connection *connection,
                                      const char *service)
{
    char *copy;

    if (!testkit_copies_text(service, &copy)) {
        return MUSTER_NOMEM;
    }
    free(connection->health_service);
    connection->health_service = copy;
    return MUSTER_OK;
}

void testkit_transport_set_health_service(void *arg, const char *service)
{
    transport_connection *connection = arg;
    muster_testkit_transport *kit = connection->kit;

    (void)pthread_mutex_lock(&kit->mutex);
    if (testkit_transport_watch(connection, service) != MUSTER_OK) {
        testkit_violations_add(&kit->violations,
                               "no memory for a service's name");
    }
    if (service == NULL) {
        connection->env.host->health(connection->env.ctx,
                                     MUSTER_HEALTH_UNCHECKED, NULL);
    }
    (void)pthread_mutex_unlock(&kit->mutex);
}

/* ---- all connections to an address ---- */

/* Whether it is meant, and counts. */
typedef bool (*visit_fn)(void *arg, const transport_connection *connection);

static unsigned visit_address_locked(const transport_address *address,
                                     visit_fn visit, void *arg)
{
    unsigned n = 0;

    for (const transport_connection *connection = address->connections;
         connection != NULL; connection = connection->next) {
        if (connection->state == MUSTER_READY ||
            connection->state == MUSTER_CONNECTING) {
            n += visit(arg, connection) ? 1 : 0;
        }
    }
    return n;
}

/* The lock keeps connections from being destroyed meanwhile; the core only
 * takes note, so it may be called with the lock held. */
static unsigned visit_all(muster_testkit_transport *kit, const char *text,
                          visit_fn visit, void *arg)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&kit->mutex);
    for (unsigned i = 0; i < TRANSPORT_N_CHAINS; i++) {
        for (const transport_address *address = kit->chains[i]; address != NULL;
             address = address->next) {
            if (text == NULL || strcmp(address->text, text) == 0) {
                n += visit_address_locked(address, visit, arg);
            }
        }
    }
    (void)pthread_mutex_unlock(&kit->mutex);
    return n;
}

static bool renew(void *arg, const transport_connection *connection)
{
    (void)arg;
    connection->env.host->renew(connection->env.ctx);
    return true;
}

unsigned muster_testkit_transport_renew(muster_testkit_transport *kit,
                                        const char *address)
{
    return visit_all(kit, address, renew, NULL);
}

typedef struct verdict {
    muster_health health;
    const char *reason;
} verdict;

static bool report(void *arg, const transport_connection *connection)
{
    const verdict *what = arg;

    connection->env.host->health(connection->env.ctx, what->health,
                                 what->reason);
    return true;
}

unsigned muster_testkit_transport_report_health(muster_testkit_transport *kit,
                                                const char *address,
                                                muster_health health,
                                                const char *reason)
{
    verdict what = {health, reason};

    return visit_all(kit, address, report, &what);
}

static bool watches(void *arg, const transport_connection *connection)
{
    const char *service = arg;
    const char *watched = connection->health_service;

    return service == NULL || watched == NULL ? service == watched
                                              : strcmp(service, watched) == 0;
}

unsigned muster_testkit_transport_count_watches(muster_testkit_transport *kit,
                                                const char *address,
                                                const char *service)
{
    return visit_all(kit, address, watches, (void *)(uintptr_t)service);
}
