/* SPDX-License-Identifier: Apache-2.0 */
/* One call of grpc.health.v1.Health/Watch after the other, on one connection.
 */
#include "health.h"

#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "health_message.h"
#include "poller.h"
#include "runtime.h"

/* gRPC's doc/connection-backoff.md, which gRFC A17 refers to. */
#define INITIAL_DELAY_MS UINT64_C(1000)
#define MAX_DELAY_MS UINT64_C(120000)

/* After a stream that had brought an answer. A connection that is lost ends the
 * stream before C core knows it of the channel, and a call in between would
 * make it connect anew. */
#define RESTART_MS UINT64_C(20)

enum { REASON_SIZE = 512 };

struct muster__grpc_health {
    /* Guards all that follows, and is held while the host is told: nothing else
     * lets end() promise that it is not told any more. */
    pthread_mutex_t mutex;
    const muster_transport_host *host; /* NULL after end() */
    void *host_ctx;
    grpc_channel *channel; /* while there is a host */
    uint32_t n_refs;       /* the owner, and each completion still to come */
    uint32_t n_batches;    /* of the call, still to come */
    uint64_t delay_ms;     /* before the next call if this one fails */
    bool has_answered;     /* this call has */
    bool is_unwatched;     /* which is to be logged, with nothing locked */
    grpc_call *call;       /* NULL: none is open */
    grpc_byte_buffer *request;
    grpc_byte_buffer *response;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
    grpc_completion_queue_functor opened;
    grpc_completion_queue_functor received;
    grpc_completion_queue_functor ended;
    grpc_completion_queue_functor waited;
    /* Constant. */
    muster__grpc_config *config;
    char service[];
};

/* ---- references ---- */

static void free_health(muster__grpc_health *health)
{
    (void)pthread_mutex_destroy(&health->mutex);
    muster__grpc_config_unref(health->config);
    free(health);
    muster__grpc_poller_release();
}

/* Unlocks, and frees when that was the last reference. */
static void unref_and_unlock(muster__grpc_health *health)
{
    bool is_last = --health->n_refs == 0;

    pthread_mutex_unlock(&health->mutex);
    if (is_last) {
        free_health(health);
    }
}

/* ---- telling ---- */

static void tell_locked(muster__grpc_health *health, muster_health verdict)
{
    if (health->host != NULL) {
        health->host->health(health->host_ctx, verdict, NULL);
    }
}

/* detail may be NULL. */
static void refuse_locked(muster__grpc_health *health, const char *cause,
                          const char *detail)
{
    char reason[REASON_SIZE];
    const bool is_named = health->service[0] != '\0';

    if (health->host != NULL) {
        (void)snprintf(reason, sizeof reason, "health check of %s: %s%s%s",
                       is_named ? health->service : "the server", cause,
                       detail == NULL ? "" : ": ",
                       detail == NULL ? "" : detail);
        health->host->health(health->host_ctx, MUSTER_HEALTH_NOT_SERVING,
                             reason);
    }
}

static void log_unimplemented(const muster__grpc_health *health)
{
    char text[REASON_SIZE];

    if (muster__grpc_config_is_first_unwatched(health->config)) {
        (void)snprintf(text, sizeof text,
                       "channel %s: a server has no grpc.health.v1.Health/"
                       "Watch: such ones count as healthy",
                       muster__grpc_config_target(health->config));
        muster_transport_log(MUSTER_LOG_ERROR, text);
    }
}

/* ---- a call ---- */

static void start_batch_locked(muster__grpc_health *health, const grpc_op *ops,
                               size_t n_ops,
                               grpc_completion_queue_functor *completion)
{
    health->n_refs++;
    health->n_batches++;
    (void)grpc_call_start_batch(health->call, ops, n_ops, completion, NULL);
}

static void send_locked(muster__grpc_health *health)
{
    grpc_op ops[4];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = health->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &health->initial;
    start_batch_locked(health, ops, 4, &health->opened);
}

static void receive_locked(muster__grpc_health *health)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &health->response;
    start_batch_locked(health, &op, 1, &health->received);
}

static void await_end_locked(muster__grpc_health *health)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op.data.recv_status_on_client.trailing_metadata = &health->trailing;
    op.data.recv_status_on_client.status = &health->status;
    op.data.recv_status_on_client.status_details = &health->details;
    start_batch_locked(health, &op, 1, &health->ended);
}

/* On a channel that is not READY it would make C core connect. */
static bool may_call_locked(const muster__grpc_health *health)
{
    return health->host != NULL &&
           grpc_channel_check_connectivity_state(health->channel, 0) ==
               GRPC_CHANNEL_READY;
}

static void call_locked(muster__grpc_health *health)
{
    if (!may_call_locked(health)) {
        return; /* the connection is lost, and says so itself */
    }
    health->has_answered = false;
    health->details = grpc_empty_slice();
    grpc_metadata_array_init(&health->initial);
    grpc_metadata_array_init(&health->trailing);
    health->request = muster__grpc_health_request(health->service);
    health->call = grpc_channel_create_call(
        health->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
        muster__grpc_watch_queue(),
        grpc_slice_from_static_string("/grpc.health.v1.Health/Watch"), NULL,
        gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    send_locked(health);
    receive_locked(health);
    await_end_locked(health);
}

/* ---- between calls ---- */

static void wait_locked(muster__grpc_health *health, uint64_t delay_ms)
{
    if (!may_call_locked(health)) {
        return;
    }
    health->n_refs++;
    grpc_channel_watch_connectivity_state(
        health->channel, GRPC_CHANNEL_READY, muster__grpc_after_ms(delay_ms),
        muster__grpc_watch_queue(), &health->waited);
}

/* +-20 %. The clock's last digits are as good as random for that. */
static uint64_t with_jitter(uint64_t delay_ms)
{
    const uint64_t ns = (uint64_t)gpr_now(GPR_CLOCK_MONOTONIC).tv_nsec;

    return delay_ms * (800 + ns / 64 % 401) / 1000;
}

static uint64_t next_delay_locked(muster__grpc_health *health)
{
    const uint64_t delay_ms = health->delay_ms;

    health->delay_ms =
        delay_ms * 16 / 10 < MAX_DELAY_MS ? delay_ms * 16 / 10 : MAX_DELAY_MS;
    return with_jitter(delay_ms);
}

/* details are the server's, or C core's. */
static void follow_locked(muster__grpc_health *health, const char *details)
{
    char cause[64];

    if (health->status == GRPC_STATUS_UNIMPLEMENTED) {
        tell_locked(health, MUSTER_HEALTH_SERVING);
        health->is_unwatched = true;
    } else if (health->has_answered) {
        tell_locked(health, MUSTER_HEALTH_UNKNOWN);
        health->delay_ms = INITIAL_DELAY_MS;
        wait_locked(health, RESTART_MS);
    } else {
        (void)snprintf(cause, sizeof cause, "the call ended with status %d",
                       (int)health->status);
        refuse_locked(health, cause, details[0] == '\0' ? NULL : details);
        wait_locked(health, next_delay_locked(health));
    }
}

static void close_locked(muster__grpc_health *health)
{
    char *details = grpc_slice_to_c_string(health->details);

    grpc_slice_unref(health->details);
    grpc_metadata_array_destroy(&health->initial);
    grpc_metadata_array_destroy(&health->trailing);
    grpc_byte_buffer_destroy(health->request);
    grpc_call_unref(health->call);
    health->call = NULL;
    if (may_call_locked(health)) {
        follow_locked(health, details);
    }
    gpr_free(details);
}

/* A batch of the call is over; the call is, when that was the last. */
static void leave_and_unlock(muster__grpc_health *health)
{
    health->n_batches--;
    if (health->n_batches == 0) {
        close_locked(health);
    }
    if (health->is_unwatched) {
        health->is_unwatched = false;
        pthread_mutex_unlock(&health->mutex);
        log_unimplemented(health);
        pthread_mutex_lock(&health->mutex);
    }
    unref_and_unlock(health);
}

/* ---- what C core tells ---- */

#define HEALTH_OF(functor, member)                                             \
    ((muster__grpc_health *)(void *)((char *)(functor)-offsetof(               \
        muster__grpc_health, member)))

static void on_opened(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_health *health = HEALTH_OF(self, opened);

    (void)ok;
    pthread_mutex_lock(&health->mutex);
    leave_and_unlock(health);
}

static void on_ended(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_health *health = HEALTH_OF(self, ended);

    (void)ok;
    pthread_mutex_lock(&health->mutex);
    leave_and_unlock(health);
}

static void take_response_locked(muster__grpc_health *health)
{
    const int status = muster__grpc_health_status(health->response);

    grpc_byte_buffer_destroy(health->response);
    health->response = NULL;
    health->has_answered = true;
    if (status == MUSTER__GRPC_SERVING) {
        tell_locked(health, MUSTER_HEALTH_SERVING);
    } else {
        refuse_locked(health, muster__grpc_health_name(status), NULL);
    }
    receive_locked(health);
}

static void on_received(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_health *health = HEALTH_OF(self, received);

    (void)ok;
    pthread_mutex_lock(&health->mutex);
    if (health->response != NULL) {
        take_response_locked(health);
    }
    leave_and_unlock(health); /* after the next was begun: the call goes on */
}

static void on_waited(grpc_completion_queue_functor *self, int ok)
{
    muster__grpc_health *health = HEALTH_OF(self, waited);

    (void)ok;
    pthread_mutex_lock(&health->mutex);
    call_locked(health);
    unref_and_unlock(health);
}

/* ---- beginning and ending ---- */

muster__grpc_health *
muster__grpc_health_create(grpc_channel *channel, muster__grpc_config *config,
                           const char *service,
                           const muster_transport_host *host, void *ctx)
{
    const size_t size = strlen(service) + 1;
    muster__grpc_health *health = calloc(1, sizeof *health + size);

    if (health == NULL) {
        return NULL;
    }
    if (pthread_mutex_init(&health->mutex, NULL) != 0) {
        free(health);
        return NULL;
    }
    memcpy(health->service, service, size);
    health->channel = channel;
    health->config = config;
    muster__grpc_config_ref(config);
    muster__grpc_poller_hold(); /* completions may come after the channel */
    health->host = host;
    health->host_ctx = ctx;
    health->n_refs = 1;
    health->delay_ms = INITIAL_DELAY_MS;
    health->opened.functor_run = on_opened;
    health->received.functor_run = on_received;
    health->ended.functor_run = on_ended;
    health->waited.functor_run = on_waited;
    return health;
}

void muster__grpc_health_begin(muster__grpc_health *health)
{
    if (health != NULL) {
        pthread_mutex_lock(&health->mutex);
        call_locked(health);
        pthread_mutex_unlock(&health->mutex);
    }
}

void muster__grpc_health_end(muster__grpc_health *health)
{
    if (health == NULL) {
        return;
    }
    pthread_mutex_lock(&health->mutex);
    health->host = NULL;
    if (health->call != NULL) {
        (void)grpc_call_cancel(health->call, NULL);
    }
    unref_and_unlock(health);
}

bool muster__grpc_health_is_of(const muster__grpc_health *health,
                               const char *service)
{
    return health == NULL || service == NULL
               ? health == NULL && service == NULL
               : strcmp(health->service, service) == 0;
}
