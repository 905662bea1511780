/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS of one channel: credentials, made anew when files change. */
#include "tls.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "runtime.h"
#include "tls_material.h"
#include "tls_options.h"

#define DEFAULT_RELOAD_INTERVAL_MS UINT64_C(10000)
#define LARGE_CA_BYTES (16 * 1024)

struct muster__tls {
    /* Constant. */
    char *target;
    muster_grpc_tls_options options;
    grpc_channel_credentials *call_keeper; /* keeps call credentials alive */
    grpc_completion_queue_functor tick;    /* files are looked at */

    /* Of who makes it, then of the ticks, of which there is one at a time. */
    muster__tls_material material;
    char complaint[sizeof((muster_error *)NULL)->message]; /* "": all is well */

    pthread_mutex_t mutex; /* guards the rest */
    uint32_t n_refs;       /* the owner, and a tick still to come */
    grpc_channel *clock;   /* connects nothing; NULL: no ticks, or no more */
    grpc_channel_credentials *credentials;
    uint64_t generation;    /* of the credentials */
    muster__tls_user users; /* head of a ring */
};

/* ---- logging ---- */

MUSTER_FORMAT_(3, 4)
static void log_event(const muster__tls *tls, muster_log_level level,
                      const char *format, ...)
{
    char what[640];
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)snprintf(line, sizeof line, "channel %s: %s", tls->target, what);
    muster_transport_log(level, line);
}

static void warn_of_size(const muster__tls *tls)
{
    const size_t size = tls->material.ca == NULL ? 0 : strlen(tls->material.ca);

    if (size > LARGE_CA_BYTES) {
        log_event(tls, MUSTER_LOG_WARNING,
                  "each connection parses the %zu KB of %s anew (220 KB cost "
                  "it 19 to 26 ms and 1 MB); the default roots, which the "
                  "process parses once, cost 1.4 to 3 ms and 170 to 280 KB, "
                  "and a file with only the authorities that are needed less",
                  size / 1024,
                  tls->options.ca_file != NULL ? tls->options.ca_file
                                               : "ca_pem");
    }
}

/* ---- life ---- */

static void free_tls(muster__tls *tls)
{
    if (tls->credentials != NULL) {
        grpc_channel_credentials_release(tls->credentials);
    }
    if (tls->call_keeper != NULL) {
        grpc_channel_credentials_release(tls->call_keeper);
    }
    muster__tls_material_fini(&tls->material);
    muster__tls_options_fini(&tls->options);
    (void)pthread_mutex_destroy(&tls->mutex);
    free(tls->target);
    free(tls);
}

static void unref_and_unlock(muster__tls *tls)
{
    const bool is_last = --tls->n_refs == 0;

    pthread_mutex_unlock(&tls->mutex);
    if (is_last) {
        free_tls(tls);
    }
}

/* C core has no timers to offer but the deadlines of connectivity watches. One
 * on a channel that never connects ends at its deadline, or with the channel.
 */
static void start_tick_locked(muster__tls *tls)
{
    const gpr_timespec interval = gpr_time_from_millis(
        (int64_t)tls->options.reload_interval_ms, GPR_TIMESPAN);

    tls->n_refs++;
    grpc_channel_watch_connectivity_state(
        tls->clock, GRPC_CHANNEL_IDLE,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), interval),
        muster__grpc_watch_queue(), &tls->tick);
}

/* ---- reloading ---- */

/* Those of the old credentials are told, and the core does it at its pace. */
static void switch_to(muster__tls *tls, grpc_channel_credentials *fresh)
{
    grpc_channel_credentials *old;

    pthread_mutex_lock(&tls->mutex);
    old = tls->credentials;
    tls->credentials = fresh;
    tls->generation++;
    /* The lock is held so that no user leaves meanwhile; the core's part of a
     * renewal only takes note. */
    for (muster__tls_user *user = tls->users.next; user != &tls->users;
         user = user->next) {
        user->host->renew(user->ctx);
    }
    pthread_mutex_unlock(&tls->mutex);
    grpc_channel_credentials_release(old);
}

static void take_over(muster__tls *tls, muster__tls_material *material)
{
    const bool is_same = muster__tls_material_is_same(material, &tls->material);

    muster__tls_material_fini(&tls->material);
    tls->material = *material;
    if (!is_same) {
        log_event(tls, MUSTER_LOG_INFO,
                  "its TLS files have changed: connections are renewed");
        switch_to(tls, muster__tls_material_credentials(
                           material, tls->options.call_credentials));
        warn_of_size(tls);
    }
}

/* What is broken is read at every tick until it is not, because it may be in
 * the middle of being written, and is logged once. */
static void reload(muster__tls *tls)
{
    muster__tls_material fresh;
    muster_error err;

    if (tls->complaint[0] == '\0' &&
        !muster__tls_material_is_old(&tls->material, &tls->options)) {
        return;
    }
    if (muster__tls_material_load(&tls->options, &fresh, &err) == MUSTER_OK) {
        tls->complaint[0] = '\0';
        take_over(tls, &fresh);
    } else if (strcmp(err.message, tls->complaint) != 0) {
        memcpy(tls->complaint, err.message, sizeof tls->complaint);
        log_event(tls, MUSTER_LOG_WARNING,
                  "what TLS uses stays as it is, because the new one cannot "
                  "be used: %s",
                  err.message);
    }
}

static void on_tick(grpc_completion_queue_functor *self, int ok)
{
    muster__tls *tls =
        (muster__tls *)((char *)self - offsetof(muster__tls, tick));
    bool is_wanted;

    (void)ok;
    pthread_mutex_lock(&tls->mutex);
    is_wanted = tls->clock != NULL;
    pthread_mutex_unlock(&tls->mutex);
    if (is_wanted) {
        reload(tls);
    }
    pthread_mutex_lock(&tls->mutex);
    if (tls->clock != NULL) {
        start_tick_locked(tls);
    }
    unref_and_unlock(tls);
}

/* ---- making it ---- */

/* C core has no public function that takes a reference to call credentials, but
 * composite ones hold one. */
static void keep_call_credentials(muster__tls *tls)
{
    grpc_channel_credentials *insecure;

    if (tls->options.call_credentials != NULL) {
        insecure = grpc_insecure_credentials_create();
        tls->call_keeper = grpc_composite_channel_credentials_create(
            insecure, tls->options.call_credentials, NULL);
        grpc_channel_credentials_release(insecure);
    }
}

static void start_clock(muster__tls *tls)
{
    grpc_channel_credentials *insecure;

    if (tls->options.reload_interval_ms == 0) {
        tls->options.reload_interval_ms = DEFAULT_RELOAD_INTERVAL_MS;
    }
    if (tls->options.reload_interval_ms > INT64_MAX / 1000000 ||
        !muster__tls_options_have_files(&tls->options)) {
        return;
    }
    insecure = grpc_insecure_credentials_create();
    pthread_mutex_lock(&tls->mutex);
    tls->clock = grpc_channel_create("ipv4:127.0.0.1:1", insecure, NULL);
    start_tick_locked(tls);
    pthread_mutex_unlock(&tls->mutex);
    grpc_channel_credentials_release(insecure);
}

static muster_status load(muster__tls *tls,
                          const muster_grpc_tls_options *options,
                          muster_error *err)
{
    muster_status status =
        muster__tls_options_copy(options, &tls->options, err);

    if (status == MUSTER_OK) {
        status = muster__tls_material_load(&tls->options, &tls->material, err);
    }
    return status;
}

muster_status muster__tls_create(const char *target,
                                 const muster_grpc_tls_options *options,
                                 muster__tls **ret_tls, muster_error *err)
{
    muster__tls *tls = calloc(1, sizeof *tls);
    muster_status status;

    if (tls == NULL || pthread_mutex_init(&tls->mutex, NULL) != 0) {
        free(tls);
        return muster_error_set(err, MUSTER_NOMEM, "%s",
                                muster_status_text(MUSTER_NOMEM));
    }
    tls->target = strdup(target);
    status = tls->target == NULL
                 ? muster_error_set(err, MUSTER_NOMEM, "%s",
                                    muster_status_text(MUSTER_NOMEM))
                 : load(tls, options, err);
    if (status != MUSTER_OK) {
        free_tls(tls);
        return status;
    }
    tls->n_refs = 1;
    tls->tick.functor_run = on_tick;
    tls->users.next = &tls->users;
    tls->users.previous = &tls->users;
    keep_call_credentials(tls);
    tls->credentials = muster__tls_material_credentials(
        &tls->material, tls->options.call_credentials);
    warn_of_size(tls);
    start_clock(tls);
    *ret_tls = tls;
    return MUSTER_OK;
}

void muster__tls_destroy(muster__tls *tls)
{
    grpc_channel *clock;

    if (tls == NULL) {
        return;
    }
    pthread_mutex_lock(&tls->mutex);
    clock = tls->clock;
    tls->clock = NULL;
    pthread_mutex_unlock(&tls->mutex);
    if (clock != NULL) {
        grpc_channel_destroy(clock); /* and the tick comes */
    }
    pthread_mutex_lock(&tls->mutex);
    unref_and_unlock(tls);
}

/* ---- those who use it ---- */

void muster__tls_enter(muster__tls *tls, muster__tls_user *user,
                       const muster_connection_env *env)
{
    if (tls == NULL) {
        return;
    }
    user->host = env->host;
    user->ctx = env->ctx;
    pthread_mutex_lock(&tls->mutex);
    user->next = tls->users.next;
    user->previous = &tls->users;
    user->next->previous = user;
    tls->users.next = user;
    pthread_mutex_unlock(&tls->mutex);
}

void muster__tls_leave(muster__tls *tls, muster__tls_user *user)
{
    if (tls == NULL) {
        return;
    }
    pthread_mutex_lock(&tls->mutex);
    user->previous->next = user->next;
    user->next->previous = user->previous;
    pthread_mutex_unlock(&tls->mutex);
}

grpc_channel *muster__tls_connect(muster__tls *tls, const char *grpc_target,
                                  const grpc_channel_args *args)
{
    grpc_channel *channel;

    pthread_mutex_lock(&tls->mutex);
    channel = grpc_channel_create(grpc_target, tls->credentials, args);
    pthread_mutex_unlock(&tls->mutex);
    return channel;
}

uint64_t muster__tls_generation(muster__tls *tls)
{
    uint64_t generation = 0;

    if (tls != NULL) {
        pthread_mutex_lock(&tls->mutex);
        generation = tls->generation;
        pthread_mutex_unlock(&tls->mutex);
    }
    return generation;
}

const muster_grpc_tls_options *muster__tls_options_of(const muster__tls *tls)
{
    return tls == NULL ? NULL : &tls->options;
}
