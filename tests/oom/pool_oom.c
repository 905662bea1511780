/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once while endpoints have several connections, some of
 * which die, are renewed or do not serve, each in a run of its own: nothing
 * crashes, hangs or leaks, and when memory is back each endpoint has all its
 * connections.
 *   pool_oom [FIRST [LAST]] */
#include <muster/muster.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "passes.h"
#include "script_resolver.h"

enum { ENDPOINTS = 2, CONNECTIONS = 3, MOST = 64, HANG_S = 20 };

#define TARGET "oom"

/* ---- a transport that needs no memory: READY at once ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards places */
static const muster_connection_env *places[MOST];

static muster_status transport_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    int i = 0;

    (void)arg;
    (void)err;
    pthread_mutex_lock(&mutex);
    while (places[i] != NULL) {
        if (++i == MOST) {
            passes_die("too many connections");
        }
    }
    places[i] = env;
    pthread_mutex_unlock(&mutex);
    *ret_connection = &places[i];
    env->host->state(env->ctx, MUSTER_READY, NULL);
    return MUSTER_OK;
}

static void transport_destroy(void *connection)
{
    const muster_connection_env **place = connection;

    pthread_mutex_lock(&mutex);
    *place = NULL;
    pthread_mutex_unlock(&mutex);
}

static const muster_transport_class transport = {
    .struct_size = sizeof transport,
    .name = "sparing",
    .create = transport_create,
    .destroy = transport_destroy,
};

static unsigned n_alive(void)
{
    unsigned n = 0;

    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MOST; i++) {
        n += places[i] != NULL;
    }
    pthread_mutex_unlock(&mutex);
    return n;
}

/* Every third connection dies, every third is renewed, every third's server
 * does not serve. */
static void disturb(void)
{
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MOST; i++) {
        const muster_connection_env *env = places[i];
        if (env != NULL && i % 3 == 0) {
            env->host->state(env->ctx, MUSTER_IDLE, "gone");
        } else if (env != NULL && i % 3 == 1) {
            env->host->renew(env->ctx);
        } else if (env != NULL) {
            env->host->health(env->ctx, MUSTER_HEALTH_NOT_SERVING, "tired");
        }
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- a run ---- */

static void report(unsigned first)
{
    static char texts[ENDPOINTS][24];
    muster_endpoint list[ENDPOINTS] = {0};

    for (unsigned i = 0; i < ENDPOINTS; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.0.0.%u:1", first + i);
        list[i].address = texts[i];
    }
    script_report(TARGET, list, ENDPOINTS);
}

static void check_status(muster_status status)
{
    if (status != MUSTER_OK && status != MUSTER_NOMEM &&
        status != MUSTER_QUEUED && status != MUSTER_UNAVAILABLE) {
        passes_die(muster_status_name(status));
    }
}

static muster_channel_stats stats_of(muster_channel *channel)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    (void)muster_channel_get_stats(channel, &stats);
    return stats;
}

static void pick_some(muster_channel *channel)
{
    for (int i = 0; i < 2 * CONNECTIONS; i++) {
        muster_lease lease = {0};
        check_status(muster_channel_pick(channel, NULL, &lease, NULL));
        muster_lease_finish(&lease, NULL);
    }
}

static void live(muster_channel *channel)
{
    char *json = NULL;

    report(1);
    for (int i = 0; i < 4; i++) {
        (void)stats_of(channel); /* a turn of the control thread */
    }
    pick_some(channel);
    disturb();
    check_status(muster_channel_dump_json(channel, &json));
    free(json);
    pick_some(channel);
    report(11);
    (void)stats_of(channel);
    disturb();
    pick_some(channel);
}

/* Memory is back: the newest list must come to serve, with all connections. */
static void recover(muster_channel *channel)
{
    muster_channel_stats stats;
    time_t begin = time(NULL);

    report(21);
    do {
        stats = stats_of(channel);
        pick_some(channel);
        if (time(NULL) > begin + HANG_S) {
            passes_die("not all connections after memory came back");
        }
    } while (stats.ready != ENDPOINTS || stats.draining != 0 ||
             n_alive() != ENDPOINTS * CONNECTIONS);
}

static bool run(void *arg, const passes_failure *failure)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .transport = &transport,
                                            .initial_backoff_ms = 1,
                                            .max_backoff_ms = 2,
                                            .connections_per_endpoint =
                                                CONNECTIONS};
    muster_channel *channel = NULL;
    muster_status status;
    bool has_failed;

    (void)arg;
    (void)alarm(HANG_S * 2);
    failing_malloc_arm(failure->countdown, failure->n);
    status =
        muster_channel_create("script:///" TARGET, &options, &channel, NULL);
    if (status == MUSTER_OK) {
        live(channel);
        has_failed = failing_malloc_disarm();
        recover(channel);
        muster_channel_destroy(channel);
    } else {
        check_status(status);
        has_failed = failing_malloc_disarm();
    }
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    if (n_alive() != 0) {
        passes_die("a connection was not destroyed");
    }
    return has_failed;
}

int main(int argc, char **argv)
{
    script_register();
    return passes_run(argc, argv, run, NULL);
}
