/* SPDX-License-Identifier: Apache-2.0 */
/* Picks an endpoint for a call, and places it there. */
#include "buffers.h"
#include "call.h"
#include "call_hedge.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <muster/service_config.h>

#include "previous_attempts.h"
#include "stream.h"

static grpc_status_code grpc_status_of(muster_status status)
{
    switch (status) {
    case MUSTER_TIMEOUT:
        return GRPC_STATUS_DEADLINE_EXCEEDED;
    case MUSTER_EXHAUSTED:
    case MUSTER_NOMEM:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    case MUSTER_CANCELLED:
        return GRPC_STATUS_CANCELLED;
    case MUSTER_INVAL:
        return GRPC_STATUS_INTERNAL;
    default:
        return GRPC_STATUS_UNAVAILABLE;
    }
}

void muster__call_end(muster_call *call, grpc_status_code status, char *message,
                      uint64_t now_ns)
{
    call->status = status;
    call->message = message;
    call->latency_ns = now_ns - call->started_ns;
}

/* Nothing of an attempt before says how the call ended. */
static void drop_attempt(muster_call *call)
{
    pthread_mutex_lock(&call->mutex);
    muster__grpc_attempt_fini(call->attempt);
    muster__grpc_attempt_init(call->attempt, call);
    pthread_mutex_unlock(&call->mutex);
}

static bool take_failure(muster__call_step *step, bool is_ok,
                         muster_call_event *ret_event)
{
    muster_call *call =
        (muster_call *)((char *)step - offsetof(muster_call, failed_here));

    (void)is_ok;
    return muster__call_report(call, ret_event);
}

/* Ends a call that no connection carries; the queue tells. err says more, when
 * it has a message; and what a policy fails a call with is its word. */
static void fail(muster_call *call, muster_status status,
                 const muster_error *err)
{
    const bool has_more = err != NULL && err->message[0] != '\0';
    const bool has_code = err != NULL && err->grpc_status != 0;
    const grpc_status_code code =
        has_code ? (grpc_status_code)err->grpc_status : grpc_status_of(status);
    const char *text = has_more ? err->message : muster_status_text(status);

    if (!has_code && muster__call_retries_pick(call, status)) {
        return;
    }
    if (muster__call_keeps_failure(call, status)) {
        muster__call_end(call, call->attempt->status, call->last_message,
                         muster__grpc_now_ns());
        call->last_message = NULL;
    } else {
        muster__call_end(call, code, muster__call_retry_message(call, text),
                         muster__grpc_now_ns());
        drop_attempt(call);
    }
    call->failed_here.take = take_failure;
    muster__call_queue_post(call->queue, &call->failed_here);
}

static const char *find_header(void *arg, const char *name)
{
    muster_call *call = arg;

    return muster__call_headers_find(&call->headers, call->metadata,
                                     call->n_metadata, name);
}

static muster_call_info info_of(muster_call *call)
{
    muster_call_info info;

    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.flags = call->flags;
    info.method = call->method;
    info.hash_key = call->hash_key;
    info.deadline_ns =
        call->deadline_ns == MUSTER_FOREVER ? 0 : call->deadline_ns;
    info.attempt = call->n_attempts;
    info.n_tried = call->retry.n_tried;
    info.tried = call->retry.tried;
    if (call->n_metadata > 0) {
        info.header = find_header;
        info.header_arg = call;
    }
    return info;
}

/* What is sent whole: of a stream, what it was opened with, until that has been
 * sent. */
static grpc_byte_buffer *give_request(const muster_call *call)
{
    const grpc_byte_buffer *request;

    if (call->stream == NULL) {
        return muster__grpc_request_give(&call->request);
    }
    request = muster__stream_request(call->stream);
    return request != NULL ? muster__byte_buffer_copy(request)
                           : grpc_raw_byte_buffer_create(NULL, 0);
}

static void start_batch(muster__grpc_attempt *attempt)
{
    const muster_call *call = attempt->call;
    grpc_op ops[6];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = call->n_metadata;
    ops[0].data.send_initial_metadata.metadata = call->metadata;
    ops[1].op = GRPC_OP_SEND_MESSAGE;
    ops[1].data.send_message.send_message = attempt->request;
    ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[3].data.recv_initial_metadata.recv_initial_metadata = &attempt->initial;
    ops[4].op = GRPC_OP_RECV_MESSAGE;
    ops[4].data.recv_message.recv_message = &attempt->response;
    ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[5].data.recv_status_on_client.trailing_metadata = &attempt->trailing;
    ops[5].data.recv_status_on_client.status = &attempt->status;
    ops[5].data.recv_status_on_client.status_details = &attempt->details;
    ops[5].data.recv_status_on_client.error_string = &attempt->error_text;
    (void)grpc_call_start_batch(attempt->placed.call, ops, 6, &attempt->step,
                                NULL);
}

static grpc_call *create_call(const muster_call *call, grpc_channel *channel,
                              uint32_t n_before)
{
    grpc_slice method = grpc_slice_from_copied_string(call->method);
    grpc_call *inner = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS,
        muster__call_queue_inner(call->queue), method, NULL,
        muster__grpc_timespec(call->deadline_ns), NULL);

    grpc_slice_unref(method); /* C core took a reference */
    if (n_before > 0) {
        muster__previous_attempts_tell(inner, n_before, call->credentials);
    } else if (call->credentials != NULL) {
        (void)grpc_call_set_credentials(inner, call->credentials);
    }
    return inner;
}

/* A stream begins by itself, unless it is opened with several attempts. */
static void take_request(muster__grpc_attempt *attempt)
{
    const muster_call *call = attempt->call;

    if (call->stream == NULL || attempt->is_racing) {
        attempt->request = give_request(call);
        attempt->request_bytes = grpc_byte_buffer_length(attempt->request);
    }
}

void muster__call_attempt_create(muster__grpc_attempt *attempt,
                                 muster_lease lease, uint32_t n_before)
{
    attempt->lease = lease;
    attempt->number = ++attempt->call->n_attempts;
    attempt->connection = muster_lease_connection(&lease);
    attempt->placed.call = create_call(
        attempt->call, muster__grpc_connection_channel(attempt->connection),
        n_before);
    take_request(attempt);
}

void muster__call_attempt_start(muster__grpc_attempt *attempt, uint64_t now_ns)
{
    attempt->started_ns = now_ns;
    muster__grpc_connection_link(attempt->connection, &attempt->placed);
    if (attempt->is_racing) {
        muster__stream_race_start(attempt);
    } else if (attempt->call->stream != NULL) {
        muster__stream_begin(attempt);
    } else {
        start_batch(attempt);
    }
}

/* That says nothing of the endpoint. */
static void give_back(muster_lease lease)
{
    const muster_outcome outcome = {.struct_size = sizeof outcome,
                                    .flags = MUSTER_OUTCOME_GIVEN_BACK,
                                    .status = GRPC_STATUS_UNAVAILABLE};

    muster_lease_finish(&lease, &outcome);
}

void muster__call_give_back(muster_call *call, muster_lease lease)
{
    give_back(lease);
    fail(call, MUSTER_CANCELLED, NULL);
}

/* Its endpoints are chosen for others to connect to. */
static void refuse_channel(muster_call *call, muster_lease lease)
{
    const muster_error err = {.message = "the channel has no connections: it "
                                         "is not of "
                                         "muster_grpc_channel_create()"};

    give_back(lease);
    fail(call, MUSTER_INVAL, &err);
}

/* Places the call on the lease's connection. */
static void place(muster_call *call, muster_lease lease, uint64_t now_ns)
{
    muster__grpc_attempt *attempt = call->attempt;
    bool is_retry; /* not once more when it did not leave */
    bool is_cancelled;

    if (muster_lease_connection(&lease) == NULL) {
        refuse_channel(call, lease);
        return;
    }
    if (call->hedge != NULL) {
        muster__call_hedge_place(call, lease, now_ns);
        return;
    }
    pthread_mutex_lock(&call->mutex);
    is_retry = attempt->placed.call != NULL;
    is_cancelled = call->is_cancelled;
    if (!is_cancelled) {
        if (is_retry) {
            muster__grpc_attempt_fini(attempt);
            muster__grpc_attempt_init(attempt, call);
        }
        muster__call_attempt_create(attempt, lease, call->retry.n_failed);
    }
    pthread_mutex_unlock(&call->mutex);
    if (is_cancelled) {
        muster__call_give_back(call, lease);
        return;
    }
    if (is_retry) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_MADE);
    }
    muster__call_attempt_start(attempt, now_ns);
}

/* The config came with the list that the pick waited for. When it forbids the
 * request, that is not the endpoint's failure. */
static void place_late(muster_call *call, muster_lease lease)
{
    muster_error err;

    muster__call_configure(call);
    if (muster__call_refuse_request(call, &err)) {
        give_back(lease);
        fail(call, err.code, &err);
        return;
    }
    place(call, lease, muster__grpc_now_ns());
}

static void on_picked(void *arg, muster_status status, muster_lease *lease,
                      const muster_error *err)
{
    muster_call *call = arg;

    /* Waits, too, until park() has stored the number of the pick. */
    pthread_mutex_lock(&call->mutex);
    call->is_parked = false;
    pthread_mutex_unlock(&call->mutex);
    if (status == MUSTER_OK) {
        place_late(call, *lease);
    } else {
        fail(call, status, err);
    }
}

muster_status muster__call_pick_now(muster_call *call, muster_lease *ret_lease)
{
    const muster_call_info info = info_of(call);

    return muster_channel_pick(call->channel, &info, ret_lease, NULL);
}

static muster_status park(muster_call *call, uint64_t not_before_ns)
{
    const muster_call_info info = info_of(call);
    muster_status status = MUSTER_CANCELLED;

    pthread_mutex_lock(&call->mutex);
    if (!call->is_cancelled) {
        status = muster_channel_pick_after(call->channel, &info, not_before_ns,
                                           on_picked, call, &call->pick);
        call->is_parked = status == MUSTER_OK;
    }
    pthread_mutex_unlock(&call->mutex);
    return status;
}

void muster__call_pick(muster_call *call, uint64_t now_ns)
{
    const muster_call_info info = info_of(call);
    muster_lease lease = {0};
    muster_error err;
    muster_status status;

    if (muster__call_refuse_request(call, &err)) {
        fail(call, err.code, &err);
        return;
    }
    err.message[0] = '\0';
    err.grpc_status = 0;
    status = muster_channel_pick(call->channel, &info, &lease, &err);
    if (status == MUSTER_OK) {
        place(call, lease, now_ns);
        return;
    }
    if (status == MUSTER_QUEUED) {
        status = park(call, 0);
        if (status == MUSTER_OK) {
            return;
        }
        err.message[0] = '\0';
        err.grpc_status = 0;
    }
    fail(call, status, &err);
}

void muster__call_pick_again(muster_call *call, uint64_t now_ns)
{
    /* The second time over the control thread, behind the news of the loss:
     * else a call may use up its attempts before the channel hears of it. */
    if (call->n_attempts > 1 && park(call, 0) == MUSTER_OK) {
        return;
    }
    muster__call_pick(call, now_ns);
}

void muster__call_pick_at(muster_call *call, uint64_t not_before_ns)
{
    const muster_status status = park(call, not_before_ns);

    if (status != MUSTER_OK) {
        fail(call, status, NULL);
    }
}
