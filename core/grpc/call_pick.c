/* SPDX-License-Identifier: Apache-2.0 */
/* Picks an endpoint for a call, places it there, judges how that ended. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>

#include "runtime.h"

/* A fail-fast call that keeps finding its connection gone gives up; the
 * channel learns of each loss from the call that finds it. */
#define MAX_FAIL_FAST_ATTEMPTS 20

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

static void end(muster_call *call, grpc_status_code status, char *message,
                uint64_t now_ns)
{
    call->status = status;
    call->message = message;
    call->latency_ns = now_ns - call->started_ns;
    call->has_ended = true;
}

/* Ends a call that no connection carries; the queue tells. err says more, when
 * it has a message; and what a policy fails a call with is its word. */
static void fail(muster_call *call, muster_status status,
                 const muster_error *err)
{
    bool has_more = err != NULL && err->message[0] != '\0';
    bool has_code = err != NULL && err->grpc_status != 0;

    end(call,
        has_code ? (grpc_status_code)err->grpc_status : grpc_status_of(status),
        strdup(has_more ? err->message : muster_status_text(status)),
        muster__grpc_now_ns());
    call->has_failed_here = true;
    muster__call_queue_post(call->queue, call);
}

/* gRFC A76: several values of one name are joined with commas. */
static const char *find_header(void *arg, const char *name)
{
    muster_call *call = arg;
    char *text = NULL;
    size_t length = 0;

    for (size_t i = 0; i < call->n_metadata; i++) {
        const grpc_slice value = call->metadata[i].value;
        const size_t added = GRPC_SLICE_LENGTH(value);
        char *longer;

        if (grpc_slice_str_cmp(call->metadata[i].key, name) != 0) {
            continue;
        }
        longer = realloc(text, length + added + 2);
        if (longer == NULL) {
            break;
        }
        text = longer;
        if (length > 0) {
            text[length++] = ',';
        }
        memcpy(text + length, GRPC_SLICE_START_PTR(value), added);
        length += added;
        text[length] = '\0';
    }
    free(call->header_text);
    call->header_text = text;
    return text;
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
    if (call->n_metadata > 0) {
        info.header = find_header;
        info.header_arg = call;
    }
    return info;
}

static grpc_byte_buffer *copy_request(const muster_call *call)
{
    if (call->request == NULL) {
        return grpc_raw_byte_buffer_create(NULL, 0);
    }
    return grpc_byte_buffer_copy((grpc_byte_buffer *)(uintptr_t)call->request);
}

static void start_batch(muster_call *call)
{
    muster__grpc_attempt *attempt = &call->attempt;
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
    (void)grpc_call_start_batch(attempt->placed.call, ops, 6, call, NULL);
}

static grpc_call *create_call(const muster_call *call, grpc_channel *channel)
{
    grpc_slice method = grpc_slice_from_copied_string(call->method);
    grpc_call *inner = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS,
        muster__call_queue_inner(call->queue), method, NULL,
        muster__grpc_timespec(call->deadline_ns), NULL);

    grpc_slice_unref(method); /* C core took a reference */
    if (call->credentials != NULL) {
        (void)grpc_call_set_credentials(inner, call->credentials);
    }
    return inner;
}

/* Places the call on the lease's connection; cancelling finds it from here
 * on. */
static void place(muster_call *call, muster_lease lease, uint64_t now_ns)
{
    muster__grpc_attempt *attempt = &call->attempt;
    muster__grpc_connection *connection = muster_lease_connection(&lease);
    bool is_cancelled;

    pthread_mutex_lock(&call->mutex);
    is_cancelled = call->is_cancelled;
    if (!is_cancelled) {
        attempt->placed.call =
            create_call(call, muster__grpc_connection_channel(connection));
    }
    pthread_mutex_unlock(&call->mutex);
    if (is_cancelled) {
        muster_outcome outcome = {.struct_size = sizeof outcome,
                                  .status = GRPC_STATUS_CANCELLED};

        muster_lease_finish(&lease, &outcome);
        fail(call, MUSTER_CANCELLED, NULL);
        return;
    }
    call->n_attempts++;
    attempt->lease = lease;
    attempt->request = copy_request(call);
    attempt->connection = connection;
    attempt->started_ns = now_ns;
    muster__grpc_connection_link(connection, &attempt->placed);
    start_batch(call);
}

/* The config came with the list that the pick waited for. When it forbids the
 * request, the pick is given back: that is not the endpoint's failure. */
static void place_late(muster_call *call, muster_lease lease)
{
    const muster_outcome outcome = {.struct_size = sizeof outcome,
                                    .status = GRPC_STATUS_UNAVAILABLE};
    muster_error err;

    muster__call_configure(call);
    if (muster__call_refuse_request(call, &err)) {
        muster_lease_finish(&lease, &outcome);
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

static muster_status park(muster_call *call, const muster_call_info *info)
{
    muster_status status = MUSTER_CANCELLED;

    pthread_mutex_lock(&call->mutex);
    if (!call->is_cancelled) {
        status = muster_channel_pick_async(call->channel, info, on_picked, call,
                                           &call->pick);
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
        status = park(call, &info);
        if (status == MUSTER_OK) {
            return;
        }
        err.message[0] = '\0';
        err.grpc_status = 0;
    }
    fail(call, status, &err);
}

/* What C core says of a connection lost under a call. */
static bool is_loss(grpc_slice details)
{
    static const char *const texts[] = {
        "Socket closed",  "Broken pipe", "Connection reset by peer",
        "recvmsg:",       "sendmsg:",    "keepalive watchdog timeout",
        "GOAWAY received"};
    const char *text = (const char *)GRPC_SLICE_START_PTR(details);

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const size_t length = strlen(texts[i]);

        if (GRPC_SLICE_LENGTH(details) >= length &&
            memcmp(text, texts[i], length) == 0) {
            return true;
        }
    }
    return false;
}

/* C core marks what came in trailers in words only, and a lost connection in
 * the same words. */
static bool is_from_server(const muster__grpc_attempt *attempt)
{
    if (attempt->status == GRPC_STATUS_OK) {
        return true;
    }
    return attempt->error_text != NULL &&
           strstr(attempt->error_text, "Error received from peer") != NULL &&
           !(attempt->status == GRPC_STATUS_UNAVAILABLE &&
             is_loss(attempt->details));
}

/* Not by the peer, which C core names from when the call reached a transport
 * but forgets when the call is cancelled. These words come from where it
 * chooses a connection, so the call was on none, or C core itself knows that it
 * was not processed. Where the words differ, in another version, the call fails
 * as it would without muster. */
bool muster__call_never_left(grpc_status_code status, grpc_slice details)
{
    static const char connecting[] = "failed to connect to all addresses";
    static const char destroyed[] = "Channel Destroyed";
    const char *text = (const char *)GRPC_SLICE_START_PTR(details);
    const size_t length = GRPC_SLICE_LENGTH(details);

    if (status == GRPC_STATUS_UNAVAILABLE) {
        return length >= sizeof connecting - 1 &&
               memcmp(text, connecting, sizeof connecting - 1) == 0;
    }
    return status == GRPC_STATUS_UNKNOWN && length == sizeof destroyed - 1 &&
           memcmp(text, destroyed, sizeof destroyed - 1) == 0;
}

static bool may_be_placed_again(muster_call *call)
{
    const grpc_status_code status = call->attempt.status;
    bool is_cancelled;

    if (call->is_from_server ||
        !muster__call_never_left(status, call->attempt.details)) {
        return false;
    }
    if ((call->flags & MUSTER_CALL_WAIT_FOR_READY) == 0 &&
        call->n_attempts >= MAX_FAIL_FAST_ATTEMPTS) {
        return false;
    }
    pthread_mutex_lock(&call->mutex);
    is_cancelled = call->is_cancelled;
    pthread_mutex_unlock(&call->mutex);
    return !is_cancelled;
}

/* By gRFC A51, or by the name that gRPC had for it before. C core of today
 * keeps the former to itself (PublishToAppEncoder in its call.cc, seen in 1.51)
 * and lets the latter pass. */
static bool is_load_report(const grpc_metadata *item)
{
    return grpc_slice_str_cmp(item->key, "endpoint-load-metrics-bin") == 0 ||
           grpc_slice_str_cmp(item->key, "x-endpoint-load-metrics-bin") == 0;
}

static void add_load_report(const muster__grpc_attempt *attempt,
                            muster_outcome *outcome)
{
    for (size_t i = 0; i < attempt->trailing.count; i++) {
        const grpc_metadata *item = &attempt->trailing.metadata[i];

        if (is_load_report(item)) {
            outcome->load_report = GRPC_SLICE_START_PTR(item->value);
            outcome->load_report_size =
                (uint32_t)GRPC_SLICE_LENGTH(item->value);
        }
    }
}

static void finish_lease(muster_call *call, uint64_t now_ns)
{
    muster__grpc_attempt *attempt = &call->attempt;
    muster_outcome outcome;

    memset(&outcome, 0, sizeof outcome);
    outcome.struct_size = sizeof outcome;
    outcome.status = (int)attempt->status;
    outcome.flags = call->is_from_server ? MUSTER_OUTCOME_FROM_SERVER : 0;
    outcome.latency_ns = now_ns - attempt->started_ns;
    if (call->request != NULL) {
        outcome.bytes_sent = grpc_byte_buffer_length(
            (grpc_byte_buffer *)(uintptr_t)call->request);
    }
    if (attempt->response != NULL) {
        outcome.bytes_received = grpc_byte_buffer_length(attempt->response);
    }
    add_load_report(attempt, &outcome);
    muster_lease_finish(&attempt->lease, &outcome);
}

/* The server's words stay as they are; C core's get to know where. NULL when
 * there are none, or no memory. */
static char *message_of(const muster_call *call)
{
    const muster__grpc_connection *connection = call->attempt.connection;
    char *message = NULL;
    char *cause;

    if (call->is_from_server && GRPC_SLICE_LENGTH(call->attempt.details) == 0) {
        return NULL;
    }
    cause = grpc_slice_to_c_string(call->attempt.details);
    if (call->is_from_server) {
        message = strdup(cause);
    } else if (asprintf(&message, "%s: %s: %s",
                        muster__grpc_connection_target(connection),
                        muster__grpc_connection_address(connection),
                        cause) < 0) {
        message = NULL;
    }
    gpr_free(cause);
    return message;
}

static void place_again(muster_call *call, uint64_t now_ns)
{
    pthread_mutex_lock(&call->mutex);
    muster__grpc_attempt_fini(&call->attempt);
    muster__grpc_attempt_init(&call->attempt);
    pthread_mutex_unlock(&call->mutex);
    /* The second time over the control thread, behind the news of the loss:
     * else a call may use up its attempts before the channel hears of it. */
    if (call->n_attempts > 1) {
        const muster_call_info info = info_of(call);

        if (park(call, &info) == MUSTER_OK) {
            return;
        }
    }
    muster__call_pick(call, now_ns);
}

bool muster__call_settle(muster_call *call)
{
    muster__grpc_attempt *attempt = &call->attempt;
    uint64_t now_ns;
    char *message;

    if (call->has_failed_here) {
        return true;
    }
    now_ns = muster__grpc_now_ns();
    muster__grpc_connection_unlink(attempt->connection, &attempt->placed);
    call->is_from_server = is_from_server(attempt);
    muster__call_refuse_response(call);
    if (may_be_placed_again(call)) {
        muster__grpc_connection_check(attempt->connection);
        finish_lease(call, now_ns);
        place_again(call, now_ns);
        return false;
    }
    message = message_of(call);
    finish_lease(call, now_ns);
    end(call, attempt->status, message, now_ns);
    return true;
}
