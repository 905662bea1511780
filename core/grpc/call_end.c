/* SPDX-License-Identifier: Apache-2.0 */
/* Judges how an attempt of a call ended, and what becomes of the call. */
#include "call.h"
#include "call_hedge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>

#include "stream.h"

/* A fail-fast call that keeps finding its connection gone gives up; the
 * channel learns of each loss from the call that finds it. */
#define MAX_FAIL_FAST_ATTEMPTS 20

/* What C core says of a connection lost under a call, and of credentials that
 * fail; and muster's own words, of a call whose headers had come. */
static bool is_of_this_side(grpc_slice details)
{
    static const char *const texts[] = {
        "Socket closed",
        "Broken pipe",
        "Connection reset by peer",
        "recvmsg:",
        "sendmsg:",
        "keepalive watchdog timeout",
        "GOAWAY received",
        "Getting metadata from plugin failed with error",
        MUSTER__GRPC_GIVEN_UP};
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

/* C core marks what came in trailers in words only, and some of its own in the
 * same words. */
bool muster__call_is_from_server(const muster__grpc_attempt *attempt)
{
    if (attempt->status == GRPC_STATUS_OK) {
        return true;
    }
    return attempt->error_text != NULL &&
           strstr(attempt->error_text, "Error received from peer") != NULL &&
           !(attempt->status == GRPC_STATUS_UNAVAILABLE &&
             is_of_this_side(attempt->details));
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

/* Where C core's words must not reach a caller. */
void muster__call_translate(muster__grpc_attempt *attempt)
{
    static const char words[] = "the connection was closed before the call was "
                                "sent";

    if (attempt->status == GRPC_STATUS_UNKNOWN &&
        muster__call_never_left(attempt->status, attempt->details)) {
        attempt->status = GRPC_STATUS_UNAVAILABLE;
        grpc_slice_unref(attempt->details);
        attempt->details = grpc_slice_from_static_string(words);
    }
}

bool muster__call_may_be_placed_again(const muster__grpc_attempt *attempt)
{
    muster_call *call = attempt->call;

    if (attempt->is_from_server ||
        !muster__call_never_left(attempt->status, attempt->details)) {
        return false;
    }
    if (call->stream != NULL && !attempt->is_racing &&
        !muster__stream_may_begin_again(call)) {
        return false;
    }
    if ((call->flags & MUSTER_CALL_WAIT_FOR_READY) == 0 &&
        call->n_attempts >= MAX_FAIL_FAST_ATTEMPTS) {
        return false;
    }
    return true;
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

void muster__call_finish_lease(muster__grpc_attempt *attempt, uint64_t now_ns)
{
    const muster_call *call = attempt->call;
    muster_outcome outcome;

    memset(&outcome, 0, sizeof outcome);
    outcome.struct_size = sizeof outcome;
    outcome.status = (int)attempt->status;
    outcome.flags = attempt->is_from_server ? MUSTER_OUTCOME_FROM_SERVER : 0;
    outcome.latency_ns = now_ns - attempt->started_ns;
    outcome.bytes_sent = attempt->request_bytes;
    if (attempt->response != NULL) {
        outcome.bytes_received = grpc_byte_buffer_length(attempt->response);
    }
    if (call->stream != NULL && !attempt->is_racing) {
        muster__stream_count_bytes(call, &outcome);
    }
    add_load_report(attempt, &outcome);
    muster_lease_finish(&attempt->lease, &outcome);
    attempt->connection = NULL; /* it may be gone */
}

/* "target: endpoint: cause", with the number of the attempt when it is not the
 * first. */
static char *explain(const muster__grpc_attempt *attempt, const char *cause)
{
    const muster__grpc_connection *connection = attempt->connection;
    const char *target =
        muster__grpc_config_target(muster__grpc_connection_config(connection));
    const char *address = muster__grpc_connection_address(connection);
    char *message = NULL;
    int length;

    if (attempt->number > 1) {
        length = asprintf(&message, "%s: %s: attempt %u: %s", target, address,
                          attempt->number, cause);
    } else {
        length = asprintf(&message, "%s: %s: %s", target, address, cause);
    }
    return length < 0 ? NULL : message;
}

/* The server's words stay as they are; C core's get to know where. NULL when
 * there are none, or no memory. */
char *muster__call_message_of(const muster__grpc_attempt *attempt)
{
    char *message;
    char *cause;

    if (attempt->is_from_server && GRPC_SLICE_LENGTH(attempt->details) == 0) {
        return NULL;
    }
    cause = grpc_slice_to_c_string(attempt->details);
    message = attempt->is_from_server ? strdup(cause) : explain(attempt, cause);
    gpr_free(cause);
    return message;
}

static void place_again(muster_call *call, uint64_t now_ns)
{
    muster__grpc_connection_check(call->attempt->connection);
    muster__call_finish_lease(call->attempt, now_ns);
    pthread_mutex_lock(&call->mutex);
    muster__grpc_attempt_fini(call->attempt);
    muster__grpc_attempt_init(call->attempt, call);
    pthread_mutex_unlock(&call->mutex);
    muster__call_pick_again(call, now_ns);
}

/* After the end the call may be gone. */
bool muster__call_report(muster_call *call, muster_call_event *ret_event)
{
    muster_call_queue *queue = call->queue;

    if (call->stream != NULL) {
        return muster__stream_report(call, ret_event);
    }
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->call = call;
    ret_event->tag = call->tag;
    ret_event->kind = MUSTER_CALL_ENDED;
    ret_event->is_ok = 1;
    pthread_mutex_lock(&call->mutex);
    call->has_ended = true;
    pthread_mutex_unlock(&call->mutex);
    muster__call_queue_leave(queue);
    return true;
}

void muster__call_attempt_take(muster__grpc_attempt *attempt)
{
    muster__grpc_connection_unlink(attempt->connection, &attempt->placed);
    attempt->is_from_server = muster__call_is_from_server(attempt);
    if (attempt->call->stream != NULL && !attempt->is_racing) {
        muster__stream_refuse(attempt);
    }
    muster__call_refuse_response(attempt->call, attempt);
}

static bool is_cancelled(muster_call *call)
{
    bool is_cancelled;

    pthread_mutex_lock(&call->mutex);
    is_cancelled = call->is_cancelled;
    pthread_mutex_unlock(&call->mutex);
    return is_cancelled;
}

bool muster__call_settle(muster__call_step *step, bool is_ok,
                         muster_call_event *ret_event)
{
    muster__grpc_attempt *attempt = (muster__grpc_attempt *)step;
    muster_call *call = attempt->call;
    const uint64_t now_ns = muster__grpc_now_ns();
    uint64_t not_before_ns = 0;
    bool is_retried;
    char *message;

    (void)is_ok;
    muster__call_attempt_take(attempt);
    if (muster__call_may_be_placed_again(attempt) && !is_cancelled(call)) {
        place_again(call, now_ns);
        return false;
    }
    muster__call_translate(attempt);
    is_retried = muster__call_retries(call, now_ns, &not_before_ns);
    message = muster__call_message_of(attempt);
    muster__call_finish_lease(attempt, now_ns);
    if (is_retried) {
        free(call->last_message);
        call->last_message = message;
        muster__call_pick_at(call, not_before_ns);
        return false;
    }
    muster__call_end(call, attempt->status, message, now_ns);
    return (call->hedge == NULL || muster__call_hedge_is_over(call)) &&
           muster__call_report(call, ret_event);
}
