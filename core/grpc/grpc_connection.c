/* SPDX-License-Identifier: Apache-2.0 */
/* Connects, watches and reports one grpc_channel; used once, then destroyed. */
#include "grpc_connection.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "grpc_probe.h"
#include "grpc_target.h"
#include "health.h"
#include "poller.h"
#include "runtime.h"
#include "tls_diagnosis.h"
#include "tls_explain.h"
#include "tls_options.h"

#define DEFAULT_CONNECT_TIMEOUT_MS UINT64_C(20000)
#define PROBE_TIMEOUT_MS INT64_C(1000)
#define DIAGNOSIS_TIMEOUT_MS INT64_C(5000)
#define CONNECTION_MAGIC UINT32_C(0x6d63306e)

typedef enum phase { PHASE_CONNECTING, PHASE_READY, PHASE_DEAD } phase;

struct muster__grpc_connection {
    uint32_t magic;
    /* Guards all that follows, and is held while the host is told: nothing else
     * lets destroy() promise that the host is not called any more. */
    pthread_mutex_t mutex;
    const muster_transport_host *host; /* NULL after destroy() */
    void *host_ctx;
    uint32_t n_refs; /* the owner, and each completion still to come */
    phase phase;
    bool has_moved;    /* has left the IDLE that it was born in */
    bool is_cancelled; /* whatever is placed on it yet is, too */
    grpc_completion_queue_functor watch;
    grpc_completion_queue_functor linger; /* of the destroyed */
    muster__grpc_probe probe;
    grpc_channel *diagnosis; /* probed after the connection's own; or NULL */
    char *reason;            /* why that is; gpr_free() */
    const char *name; /* TLS checks it; borrowed, while there is a host */
    muster__grpc_health *health; /* NULL: it is not watched */
    muster__grpc_placed calls;   /* head of a ring */
    muster__tls_user tls_user;   /* entered when the config has TLS */
    muster__kept_channel *kept;  /* NULL when that is over */
    uint64_t connect_timeout_ms;
    gpr_timespec connect_deadline;
    gpr_timespec linger_deadline; /* set by destroy() */
    /* Constant. */
    grpc_channel *channel; /* of kept */
    muster__grpc_config *config;
    char *address;
};

static muster__grpc_connection *check(void *arg)
{
    muster__grpc_connection *connection = arg;

    assert(connection->magic == CONNECTION_MAGIC);
    return connection;
}

static void free_connection(muster__grpc_connection *connection)
{
    connection->magic = 0;
    (void)pthread_mutex_destroy(&connection->mutex);
    muster__grpc_config_unref(connection->config);
    free(connection->address);
    free(connection);
    muster__grpc_poller_release();
}

/* Unlocks, and frees when that was the last reference. */
static void unref_and_unlock(muster__grpc_connection *connection)
{
    bool is_last = --connection->n_refs == 0;

    pthread_mutex_unlock(&connection->mutex);
    if (is_last) {
        free_connection(connection);
    }
}

static void report_locked(muster__grpc_connection *connection,
                          muster_connectivity state, const char *reason)
{
    if (connection->host != NULL) {
        connection->host->state(connection->host_ctx, state, reason);
    }
}

static void die_locked(muster__grpc_connection *connection,
                       muster_connectivity state, const char *reason)
{
    if (connection->phase != PHASE_DEAD) {
        connection->phase = PHASE_DEAD;
        /* Its stream would keep the old transport alive as a call does. */
        muster__grpc_health_end(connection->health);
        connection->health = NULL;
        if (state == MUSTER_IDLE) { /* before the core makes the next one */
            muster__grpc_config_keep(connection->config, connection->kept);
        }
        report_locked(connection, state, reason);
    }
}

static void watch_locked(muster__grpc_connection *connection,
                         grpc_connectivity_state last)
{
    connection->n_refs++;
    grpc_channel_watch_connectivity_state(
        connection->channel, last,
        connection->phase == PHASE_READY ? gpr_inf_future(GPR_CLOCK_MONOTONIC)
                                         : connection->connect_deadline,
        muster__grpc_watch_queue(), &connection->watch);
}

static void fail_locked(muster__grpc_connection *connection, const char *reason)
{
    const muster__tls *tls = muster__grpc_config_tls(connection->config);
    const bool is_diagnosed = connection->reason != NULL;
    char found[160];
    char text[1024];
    const bool has_found =
        is_diagnosed && muster__tls_diagnosis_read(reason, found, sizeof found);

    die_locked(connection, MUSTER_TRANSIENT_FAILURE,
               muster__tls_explain(muster__tls_options_of(tls),
                                   is_diagnosed ? connection->reason : reason,
                                   has_found ? found : NULL, text,
                                   sizeof text));
    gpr_free(connection->reason);
    connection->reason = NULL;
}

static void on_probe(grpc_completion_queue_functor *self, int ok);

static void start_probe_locked(muster__grpc_connection *connection,
                               grpc_channel *channel, int64_t timeout_ms)
{
    connection->n_refs++;
    muster__grpc_probe_start(&connection->probe, channel, timeout_ms, on_probe);
}

/* When C core's reason leaves open what is wrong with a certificate. Takes over
 * reason then. */
static bool start_diagnosis_locked(muster__grpc_connection *connection,
                                   char *reason)
{
    if (connection->host == NULL || connection->reason != NULL ||
        muster__grpc_config_tls(connection->config) == NULL ||
        !muster__tls_diagnosis_is_due(reason) ||
        muster__grpc_config_diagnose(connection->config, connection->address,
                                     connection->name,
                                     &connection->diagnosis) != MUSTER_OK) {
        return false;
    }
    connection->reason = reason;
    start_probe_locked(connection, connection->diagnosis, DIAGNOSIS_TIMEOUT_MS);
    return true;
}

static void on_probe(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_connection *connection =
        (muster__grpc_connection *)((char *)self -
                                    offsetof(muster__grpc_connection, probe));
    grpc_channel *ended = NULL;
    char *reason;

    (void)ok;
    pthread_mutex_lock(&connection->mutex);
    reason = muster__grpc_probe_finish(&connection->probe);
    if (!start_diagnosis_locked(connection, reason)) {
        fail_locked(connection,
                    reason[0] == '\0' ? "connecting failed" : reason);
        gpr_free(reason);
        ended = connection->diagnosis;
        connection->diagnosis = NULL;
    }
    unref_and_unlock(connection);
    if (ended != NULL) {
        grpc_channel_destroy(ended);
    }
}

/* Not READY yet. */
static void advance_connecting_locked(muster__grpc_connection *connection,
                                      grpc_connectivity_state state)
{
    if (state == GRPC_CHANNEL_READY) {
        connection->phase = PHASE_READY;
        report_locked(connection, MUSTER_READY, NULL);
        muster__grpc_health_begin(connection->health);
        watch_locked(connection, state);
    } else if (state == GRPC_CHANNEL_TRANSIENT_FAILURE) {
        start_probe_locked(connection, connection->channel, PROBE_TIMEOUT_MS);
    } else if (state == GRPC_CHANNEL_IDLE && connection->has_moved) {
        /* It was READY between two looks: nothing else leads back to IDLE. */
        report_locked(connection, MUSTER_READY, NULL);
        die_locked(connection, MUSTER_IDLE, NULL);
    } else {
        watch_locked(connection, state);
    }
}

static void advance_locked(muster__grpc_connection *connection)
{
    grpc_connectivity_state state = grpc_channel_check_connectivity_state(
        connection->channel, !connection->has_moved);

    if (connection->phase == PHASE_CONNECTING) {
        advance_connecting_locked(connection, state);
    } else if (state == GRPC_CHANNEL_READY) {
        watch_locked(connection, state);
    } else {
        die_locked(connection, MUSTER_IDLE, NULL);
    }
}

static void time_out_locked(muster__grpc_connection *connection)
{
    char reason[64];

    (void)snprintf(reason, sizeof reason,
                   "connect timed out after %" PRIu64 " ms",
                   connection->connect_timeout_ms);
    die_locked(connection, MUSTER_TRANSIENT_FAILURE, reason);
}

static void on_watch(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_connection *connection =
        (muster__grpc_connection *)((char *)self -
                                    offsetof(muster__grpc_connection, watch));

    pthread_mutex_lock(&connection->mutex);
    if (connection->host == NULL || connection->phase == PHASE_DEAD) {
        /* destroy() was called: the channel is gone, or lingers. Or it is
         * another connection's by now. */
    } else if (ok != 0) {
        connection->has_moved = true;
        advance_locked(connection);
    } else {
        time_out_locked(connection);
    }
    unref_and_unlock(connection);
}

/* ---- lingering ---- */

static void linger_locked(muster__grpc_connection *connection,
                          grpc_connectivity_state last)
{
    connection->n_refs++;
    grpc_channel_watch_connectivity_state(
        connection->channel, last, connection->linger_deadline,
        muster__grpc_watch_queue(), &connection->linger);
}

static bool is_in_time_locked(const muster__grpc_connection *connection)
{
    return gpr_time_cmp(gpr_now(GPR_CLOCK_MONOTONIC),
                        connection->linger_deadline) < 0;
}

static void on_linger(grpc_completion_queue_functor *self, int ok)
{
    muster__kept_channel *ended = NULL;
    muster__grpc_connection *connection =
        (muster__grpc_connection *)((char *)self -
                                    offsetof(muster__grpc_connection, linger));
    grpc_connectivity_state state;

    (void)ok;
    pthread_mutex_lock(&connection->mutex);
    state = grpc_channel_check_connectivity_state(connection->channel, 0);
    if (state == GRPC_CHANNEL_CONNECTING && is_in_time_locked(connection)) {
        linger_locked(connection, state);
    } else {
        ended = muster__kept_channel_move(&connection->kept);
    }
    unref_and_unlock(connection);
    muster__kept_channel_unref(ended);
}

/* The channel when it can be given up at once, else NULL. C core 1.51 leaks the
 * socket of an attempt that is given up before the server's SETTINGS came
 * (grpc/grpc#32071). So the channel of one under way stays until C core has
 * ended it, also when muster's time is over or a late call began it. */
static muster__kept_channel *give_up_locked(muster__grpc_connection *connection)
{
    const grpc_connectivity_state state =
        grpc_channel_check_connectivity_state(connection->channel, 0);
    const bool is_about_to = state == GRPC_CHANNEL_IDLE &&
                             connection->phase == PHASE_CONNECTING &&
                             !connection->has_moved;

    if (state != GRPC_CHANNEL_CONNECTING && !is_about_to) {
        return muster__kept_channel_move(&connection->kept);
    }
    connection->linger_deadline = muster__grpc_after_ms(
        muster__grpc_config_attempt_ms(connection->connect_timeout_ms));
    linger_locked(connection, state);
    return NULL;
}

/* ---- allocating ---- */

/* Without any other name it is that of the address in use. */
static const char *authority_of(const muster_connection_env *env)
{
    muster_endpoint endpoint = *env->endpoint;

    endpoint.address = muster_connection_env_address(env);
    return muster__grpc_authority_of(&endpoint, env->authority);
}

static bool lacks_name(const muster__grpc_config *config,
                       const muster_connection_env *env)
{
    return muster__grpc_config_tls(config) != NULL &&
           !muster__tls_is_name(authority_of(env));
}

/* Fills what create() was told. */
static muster__grpc_connection *allocate(muster__grpc_config *config,
                                         const muster_connection_env *env)
{
    muster__grpc_connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->address = strdup(muster_connection_env_address(env));
    if (connection->address == NULL ||
        pthread_mutex_init(&connection->mutex, NULL) != 0) {
        free(connection->address);
        free(connection);
        return NULL;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->host = env->host;
    connection->host_ctx = env->ctx;
    connection->n_refs = 1;
    connection->phase = PHASE_CONNECTING;
    connection->watch.functor_run = on_watch;
    connection->linger.functor_run = on_linger;
    connection->calls.next = &connection->calls;
    connection->calls.previous = &connection->calls;
    connection->connect_timeout_ms = env->connect_timeout_ms == 0
                                         ? DEFAULT_CONNECT_TIMEOUT_MS
                                         : env->connect_timeout_ms;
    connection->name = authority_of(env);
    connection->config = config;
    muster__grpc_config_ref(config);
    muster__grpc_poller_hold();
    muster__tls_enter(muster__grpc_config_tls(config), &connection->tls_user,
                      env);
    return connection;
}

/* ---- health ---- */

/* False: out of memory. */
static bool watch_health_locked(muster__grpc_connection *connection,
                                const char *service)
{
    if (service == NULL ||
        connection->host->struct_size < sizeof *connection->host) {
        return true;
    }
    connection->health = muster__grpc_health_create(
        connection->channel, connection->config, service, connection->host,
        connection->host_ctx);
    return connection->health != NULL;
}

static void tell_health_locked(muster__grpc_connection *connection,
                               muster_health health)
{
    connection->host->health(connection->host_ctx, health, NULL);
}

/* Without memory it is as if nothing was to be watched. */
static void set_health_service(void *arg, const char *given)
{
    muster__grpc_connection *connection = check(arg);
    const char *service =
        muster__grpc_config_health_service(connection->config, given);

    muster__grpc_mark_control_thread();
    pthread_mutex_lock(&connection->mutex);
    if (connection->phase != PHASE_DEAD &&
        !muster__grpc_health_is_of(connection->health, service)) {
        muster__grpc_health_end(connection->health);
        connection->health = NULL;
        (void)watch_health_locked(connection, service);
        if (connection->health == NULL) {
            tell_health_locked(connection, MUSTER_HEALTH_UNCHECKED);
        } else if (connection->phase == PHASE_READY) {
            muster__grpc_health_begin(connection->health);
        } else {
            tell_health_locked(connection, MUSTER_HEALTH_UNKNOWN);
        }
    }
    pthread_mutex_unlock(&connection->mutex);
}

/* ---- making and destroying ---- */

static muster_status open_channel(muster__grpc_connection *connection,
                                  const muster_connection_env *env)
{
    muster_status status = muster__grpc_config_connect(
        connection->config, connection->address, connection->name,
        connection->connect_timeout_ms, &connection->kept);

    if (status != MUSTER_OK) {
        return status;
    }
    connection->channel = muster__kept_channel_get(connection->kept);
    if (!watch_health_locked(connection,
                             muster__grpc_config_health_service(
                                 connection->config,
                                 muster_connection_env_health_service(env)))) {
        muster__kept_channel_unref(
            muster__kept_channel_move(&connection->kept));
        return MUSTER_NOMEM;
    }
    return MUSTER_OK;
}

static muster_status create(void *arg, const muster_connection_env *env,
                            void **ret_connection, muster_error *err)
{
    muster__grpc_connection *connection;

    if (muster__grpc_is_forked()) {
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    muster__grpc_mark_control_thread();
    if (lacks_name(arg, env)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "TLS has no name to check in \"%s\"",
                                authority_of(env));
    }
    connection = allocate(arg, env);
    if (connection == NULL || open_channel(connection, env) != MUSTER_OK) {
        if (connection != NULL) {
            muster__tls_leave(muster__grpc_config_tls(arg),
                              &connection->tls_user);
            free_connection(connection);
        }
        return muster_error_set(err, MUSTER_NOMEM, "%s: %s",
                                muster_connection_env_address(env),
                                muster_status_text(MUSTER_NOMEM));
    }
    connection->connect_deadline =
        muster__grpc_after_ms(connection->connect_timeout_ms);
    *ret_connection = connection;
    pthread_mutex_lock(&connection->mutex);
    if (connection->health != NULL) {
        tell_health_locked(connection, MUSTER_HEALTH_UNKNOWN);
    }
    advance_locked(connection);
    pthread_mutex_unlock(&connection->mutex);
    return MUSTER_OK;
}

static void destroy(void *arg)
{
    muster__grpc_connection *connection = check(arg);
    muster__kept_channel *ended;

    if (muster__grpc_is_forked()) {
        return;
    }
    muster__grpc_mark_control_thread();
    muster__tls_leave(muster__grpc_config_tls(connection->config),
                      &connection->tls_user);
    pthread_mutex_lock(&connection->mutex);
    muster__grpc_health_end(connection->health);
    connection->health = NULL;
    connection->host = NULL;
    muster__grpc_config_let_go(connection->config, connection->kept);
    ended = give_up_locked(connection);
    pthread_mutex_unlock(&connection->mutex);
    /* Completions still to come do so now, or, while leases on an earlier
     * connection hold the channel, later; none touches the channel. */
    muster__kept_channel_unref(ended);
    pthread_mutex_lock(&connection->mutex);
    unref_and_unlock(connection);
}

static void cancel_locked(muster__grpc_placed *placed)
{
    if (placed->peer == NULL) {
        placed->peer = muster__grpc_peer_of(placed->call);
    }
    (void)grpc_call_cancel_with_status(placed->call, GRPC_STATUS_UNAVAILABLE,
                                       MUSTER__GRPC_GIVEN_UP, NULL);
    if (placed->on_cancel != NULL) {
        placed->on_cancel(placed);
        placed->on_cancel = NULL;
    }
}

static void cancel(void *arg)
{
    muster__grpc_connection *connection = check(arg);

    if (muster__grpc_is_forked()) {
        return;
    }
    pthread_mutex_lock(&connection->mutex);
    connection->is_cancelled = true;
    for (muster__grpc_placed *placed = connection->calls.next;
         placed != &connection->calls; placed = placed->next) {
        cancel_locked(placed);
    }
    pthread_mutex_unlock(&connection->mutex);
}

grpc_channel *
muster__grpc_connection_channel(const muster__grpc_connection *connection)
{
    assert(connection->magic == CONNECTION_MAGIC);
    return connection->channel;
}

const char *
muster__grpc_connection_address(const muster__grpc_connection *connection)
{
    return connection->address;
}

const muster__grpc_config *
muster__grpc_connection_config(const muster__grpc_connection *connection)
{
    return connection->config;
}

muster__latency *
muster__grpc_connection_latency(const muster__grpc_connection *connection,
                                const char *method)
{
    return muster__grpc_config_latency(connection->config, method);
}

void muster__grpc_connection_check(muster__grpc_connection *connection)
{
    pthread_mutex_lock(&connection->mutex);
    if (connection->phase == PHASE_READY &&
        grpc_channel_check_connectivity_state(connection->channel, 0) !=
            GRPC_CHANNEL_READY) {
        die_locked(connection, MUSTER_IDLE, NULL);
    }
    pthread_mutex_unlock(&connection->mutex);
}

void muster__grpc_connection_link(muster__grpc_connection *connection,
                                  muster__grpc_placed *placed)
{
    pthread_mutex_lock(&connection->mutex);
    placed->next = connection->calls.next;
    placed->previous = &connection->calls;
    placed->next->previous = placed;
    connection->calls.next = placed;
    if (connection->is_cancelled) {
        cancel_locked(placed); /* its lease is from before */
    }
    pthread_mutex_unlock(&connection->mutex);
}

void muster__grpc_connection_unlink(muster__grpc_connection *connection,
                                    muster__grpc_placed *placed)
{
    pthread_mutex_lock(&connection->mutex);
    placed->previous->next = placed->next;
    placed->next->previous = placed->previous;
    pthread_mutex_unlock(&connection->mutex);
}

bool muster__grpc_connection_watch(muster__grpc_connection *connection,
                                   muster__grpc_placed *placed,
                                   muster__grpc_cancelled_fn on_cancel)
{
    bool is_watched;

    pthread_mutex_lock(&connection->mutex);
    is_watched = !connection->is_cancelled;
    placed->on_cancel = is_watched ? on_cancel : NULL;
    pthread_mutex_unlock(&connection->mutex);
    return is_watched;
}

bool muster__grpc_connection_unwatch(muster__grpc_connection *connection,
                                     muster__grpc_placed *placed)
{
    bool was_watched;

    pthread_mutex_lock(&connection->mutex);
    was_watched = placed->on_cancel != NULL;
    placed->on_cancel = NULL;
    pthread_mutex_unlock(&connection->mutex);
    return was_watched;
}

/* The first that any channel does on the control thread, before a callback of
 * the user's can begin a call there. */
static void ref(void *arg)
{
    muster__grpc_mark_control_thread();
    muster__grpc_config_ref(arg);
}

const muster_transport_class muster__grpc_transport = {
    .struct_size = sizeof(muster_transport_class),
    .name = "grpc",
    .create = create,
    .destroy = destroy,
    .ref = ref,
    .unref = muster__grpc_config_unref,
    .cancel = cancel,
    .set_health_service = set_health_service,
};
