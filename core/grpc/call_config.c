/* SPDX-License-Identifier: Apache-2.0 */
/* What the channel's service config says of a call. */
#include <inttypes.h>
#include <stdio.h>

#include <muster/service_config.h>

#include "buffers.h"
#include "call.h"
#include "call_hedge.h"
#include "stream.h"

static void shorten(muster_call *call, uint64_t timeout_ns)
{
    if (timeout_ns < MUSTER_FOREVER - call->started_ns &&
        call->started_ns + timeout_ns < call->deadline_ns) {
        call->deadline_ns = call->started_ns + timeout_ns;
    }
}

/* Without memory for more, one attempt is made. */
static void take_hedging(muster_call *call, const muster_method_config *config)
{
    const muster__hedging_rules rules = {.max_attempts = config->max_attempts,
                                         .status_codes = config->status_codes,
                                         .delay_ns = config->hedging_delay_ns,
                                         .percentile =
                                             config->hedging_percentile};
    muster__call_hedge *hedge = muster__call_hedge_create(call, rules);

    pthread_mutex_lock(&call->mutex); /* cancelling looks at it */
    call->hedge = hedge;
    pthread_mutex_unlock(&call->mutex);
}

static void take_retrying(muster_call *call, const muster_method_config *config)
{
    if ((call->flags & MUSTER_CALL_NO_RETRY) != 0) {
        return;
    }
    if ((config->flags & MUSTER_METHOD_HEDGES) != 0) {
        if (muster__stream_may_race(call)) {
            take_hedging(call, config);
        }
        return;
    }
    if ((config->flags & MUSTER_METHOD_RETRIES) == 0) {
        return;
    }
    call->retry.rules =
        (muster__retry_rules){.max_attempts = config->max_attempts,
                              .status_codes = config->status_codes,
                              .initial_backoff_ns = config->initial_backoff_ns,
                              .max_backoff_ns = config->max_backoff_ns,
                              .backoff_multiplier = config->backoff_multiplier};
}

void muster__call_configure(muster_call *call)
{
    const uint32_t said = MUSTER_CALL_WAIT_FOR_READY | MUSTER_CALL_FAIL_FAST;
    muster_method_config config = {.struct_size = sizeof config};

    if (call->has_config || muster_channel_get_method_config(
                                call->channel, call->method, &config) == 0) {
        return;
    }
    call->has_config = true;
    shorten(call, config.timeout_ns);
    if ((call->flags & said) == 0 &&
        (config.flags & MUSTER_METHOD_WAIT_FOR_READY) != 0) {
        call->flags |= MUSTER_CALL_WAIT_FOR_READY;
    }
    call->max_request_bytes = config.max_request_bytes;
    call->max_response_bytes = config.max_response_bytes;
    take_retrying(call, &config);
}

static uint64_t request_length(const muster_call *call)
{
    const muster__stream *stream = call->stream;

    return stream == NULL
               ? call->request.length
               : muster__byte_buffer_length(muster__stream_request(stream));
}

/* The words are C core's, whose own limits hold beside. */
bool muster__call_refuse_request(const muster_call *call, muster_error *err)
{
    uint64_t length;

    if (call->max_request_bytes == UINT64_MAX) {
        return false;
    }
    length = request_length(call);
    if (length <= call->max_request_bytes) {
        return false;
    }
    (void)muster_error_set(err, MUSTER_EXHAUSTED,
                           "Sent message larger than max (%" PRIu64
                           " vs. %" PRIu64 ")",
                           length, call->max_request_bytes);
    return true;
}

void muster__call_refuse_response(const muster_call *call,
                                  muster__grpc_attempt *attempt)
{
    uint64_t length;
    char text[96];

    if (call->max_response_bytes == UINT64_MAX) {
        return;
    }
    length = muster__byte_buffer_length(attempt->response);
    if (length <= call->max_response_bytes) {
        return;
    }
    (void)snprintf(text, sizeof text,
                   "Received message larger than max (%" PRIu64 " vs. %" PRIu64
                   ")",
                   length, call->max_response_bytes);
    grpc_slice_unref(attempt->details);
    attempt->details = grpc_slice_from_copied_string(text);
    attempt->status = GRPC_STATUS_RESOURCE_EXHAUSTED;
    grpc_byte_buffer_destroy(attempt->response);
    attempt->response = NULL;
    attempt->is_from_server = false;
}
