/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while connections are renewed: no pick is refused
 * for it, nothing leaks, and when memory is back all of them are replaced
 * without being asked again. Then renewals work as before. */
#include <muster/muster.h>

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"

enum { ENDPOINTS = 8, MAX_CONNECTIONS = 64, HANG_S = 20 };

/* ---- a transport that is READY at once, and needs no memory ---- */

typedef struct connection {
    const muster_connection_env *env; /* NULL: free */
    unsigned age;                     /* how many were made before it */
} connection;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards these */
static connection connections[MAX_CONNECTIONS];
static unsigned n_made;

static muster_status transport_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    connection *made = connections;

    (void)arg;
    (void)pthread_mutex_lock(&mutex);
    while (made < connections + MAX_CONNECTIONS && made->env != NULL) {
        made++;
    }
    if (made == connections + MAX_CONNECTIONS) {
        (void)pthread_mutex_unlock(&mutex);
        return muster_error_set(err, MUSTER_EXHAUSTED, "too many connections");
    }
    made->env = env;
    made->age = n_made++;
    (void)pthread_mutex_unlock(&mutex);
    *ret_connection = made;
    env->host->state(env->ctx, MUSTER_READY, NULL);
    return MUSTER_OK;
}

static void transport_destroy(void *arg)
{
    connection *ended = arg;

    (void)pthread_mutex_lock(&mutex);
    ended->env = NULL;
    (void)pthread_mutex_unlock(&mutex);
}

static const muster_transport_class transport = {
    .struct_size = sizeof transport,
    .name = "ready",
    .create = transport_create,
    .destroy = transport_destroy,
};

/* Those there are. Returns how many had been made. */
static unsigned renew_all(void)
{
    unsigned n;

    (void)pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        if (connections[i].env != NULL) {
            connections[i].env->host->renew(connections[i].env->ctx);
        }
    }
    n = n_made;
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

/* Connections that are older. */
static unsigned count_older(unsigned age)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        n += connections[i].env != NULL && connections[i].age < age;
    }
    (void)pthread_mutex_unlock(&mutex);
    return n;
}

/* ---- the runs ---- */

static muster_channel *open_channel(void)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2,
                                            .transport = &transport};
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_channel *channel = NULL;
    const char *addresses[ENDPOINTS] = {
        "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1",
        "10.0.0.5:1", "10.0.0.6:1", "10.0.0.7:1", "10.0.0.8:1"};

    if (muster_channel_create("script:///renew", &options, &channel, NULL) !=
        MUSTER_OK) {
        passes_die("no channel");
    }
    script_report_addresses("renew", addresses, ENDPOINTS);
    while (stats.ready < ENDPOINTS) {
        (void)muster_channel_get_stats(channel, &stats);
    }
    return channel;
}

/* A look at the channel waits for its control thread, and needs no memory. */
static void pick_some(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    for (int i = 0; i < 20; i++) {
        muster_lease lease = {0};

        if (muster_channel_pick(channel, NULL, &lease, NULL) != MUSTER_OK) {
            passes_die("a pick was refused");
        }
        muster_lease_finish(&lease, NULL);
        (void)muster_channel_get_stats(channel, &stats);
    }
}

/* All older ones are replaced. */
static void await_replaced(muster_channel *channel, unsigned age)
{
    while (count_older(age) > 0) {
        pick_some(channel);
    }
}

static bool run(void *arg, const passes_failure *failure)
{
    muster_channel *channel;
    unsigned age;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S);
    channel = open_channel();
    failing_malloc_arm(failure->countdown, failure->n);
    age = renew_all();
    pick_some(channel);
    has_failed = failing_malloc_disarm();
    await_replaced(channel, age);
    await_replaced(channel, renew_all());
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
        /* The last connections close. */
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    script_register();
    return passes_run(argc, argv, run, NULL);
}
