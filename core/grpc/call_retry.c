/* SPDX-License-Identifier: Apache-2.0 */
/* Tries a call again: what retry/ decides, of calls of C core. */
#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <grpc/byte_buffer.h>
#include <grpc/support/alloc.h>
#include <muster/service_config.h>

#include "call_hedge.h"
#include "stream.h"

/* Only of calls that failed, so it may cost a system call. */
static uint64_t random_bits(uint64_t otherwise)
{
    uint64_t bits = 0;

    return getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits
               ? bits
               : otherwise;
}

/* C core reads the number, and passes one on that is negative for what it
 * cannot read. */
static muster__pushback pushback_of(const muster__grpc_attempt *attempt)
{
    muster__pushback pushback = {.kind = MUSTER__PUSHBACK_NONE};

    for (size_t i = 0; i < attempt->trailing.count; i++) {
        const grpc_metadata *item = &attempt->trailing.metadata[i];

        if (grpc_slice_str_cmp(item->key, "grpc-retry-pushback-ms") == 0) {
            pushback = muster__pushback_parse(
                (const char *)GRPC_SLICE_START_PTR(item->value),
                GRPC_SLICE_LENGTH(item->value));
        }
    }
    return pushback;
}

bool muster__call_is_too_large(const muster__grpc_attempt *attempt)
{
    muster_call *call = attempt->call;
    const uint64_t limit = muster__grpc_config_retry_buffer_bytes(
        muster__grpc_connection_config(attempt->connection));

    if (call->stream != NULL && !attempt->is_racing) {
        return muster__stream_request_bytes(call) > limit;
    }
    return attempt->request_bytes > limit;
}

/* Headers without metadata cannot be told from none by what C core answers, and
 * an application sees no difference either. What C core itself finds too large
 * was a message. */
static bool is_committed(const muster__grpc_attempt *attempt)
{
    return (attempt->call->stream != NULL && !attempt->is_racing &&
            !muster__stream_may_retry(attempt->call)) ||
           attempt->initial.count > 0 || attempt->response != NULL ||
           (attempt->status == GRPC_STATUS_RESOURCE_EXHAUSTED &&
            !attempt->is_from_server);
}

/* Nobody waits for it any more. */
static bool is_over(muster_call *call, uint64_t now_ns)
{
    bool is_cancelled;

    pthread_mutex_lock(&call->mutex);
    is_cancelled = call->is_cancelled;
    pthread_mutex_unlock(&call->mutex);
    return is_cancelled || now_ns >= call->deadline_ns;
}

static void count(muster_call *call, muster__retry_verdict verdict)
{
    if (verdict == MUSTER__RETRY_EXHAUSTED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_EXHAUSTED);
    } else if (verdict == MUSTER__RETRY_REFUSED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_REFUSED);
    } else if (verdict == MUSTER__RETRY_THROTTLED) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_THROTTLED);
    }
}

muster__retry_end muster__call_attempt_end(const muster__grpc_attempt *attempt)
{
    const muster__retry_end end = {.status = (int)attempt->status,
                                   .is_committed = is_committed(attempt),
                                   .is_too_large =
                                       muster__call_is_too_large(attempt),
                                   .pushback = pushback_of(attempt)};

    return end;
}

static muster__retry_verdict judge(muster_call *call, uint64_t now_ns,
                                   uint64_t *ret_delay_ns)
{
    const muster__retry_end end = muster__call_attempt_end(call->attempt);
    const muster__retry_class what =
        call->hedge == NULL /* else a stream has gone on with one attempt */
            ? muster__retry_classify(&call->retry, &end)
            : muster__hedging_classify(&call->hedge->state, &end);
    bool is_allowed = true;

    if (what == MUSTER__RETRY_FAILURE) {
        is_allowed =
            muster_channel_retry_note(call->channel, MUSTER_RETRY_FAILED) != 0;
    }
    return muster__retry_judge(&call->retry, &end,
                               muster_lease_id(&call->attempt->lease),
                               is_allowed, random_bits(now_ns), ret_delay_ns);
}

void muster__call_keep_last_failure(const muster__grpc_attempt *attempt)
{
    muster_call *call = attempt->call;
    char *cause = grpc_slice_to_c_string(attempt->details);

    free(call->last_failure);
    if (asprintf(&call->last_failure, "%s: status %d: %s",
                 muster__grpc_connection_address(attempt->connection),
                 (int)attempt->status, cause) < 0) {
        call->last_failure = NULL;
    }
    gpr_free(cause);
}

bool muster__call_retries(muster_call *call, uint64_t now_ns,
                          uint64_t *ret_not_before_ns)
{
    muster__retry_verdict verdict;
    uint64_t delay_ns = 0;

    if (call->attempt->status == GRPC_STATUS_OK) {
        (void)muster_channel_retry_note(call->channel, MUSTER_RETRY_SUCCEEDED);
        return false;
    }
    if (is_over(call, now_ns)) {
        return false;
    }
    verdict = judge(call, now_ns, &delay_ns);
    count(call, verdict);
    if (verdict != MUSTER__RETRY_AGAIN) {
        return false;
    }
    muster__call_keep_last_failure(call->attempt);
    *ret_not_before_ns = muster__call_after(now_ns, delay_ns);
    return true;
}

/* Only the channel's state is something that time may mend (gRFC A6: what a
 * policy drops is dropped). */
bool muster__call_retries_pick(muster_call *call, muster_status status)
{
    const uint64_t now_ns = muster__grpc_now_ns();
    uint64_t delay_ns = 0;

    if (status != MUSTER_UNAVAILABLE) {
        return false;
    }
    muster__call_configure(call);
    if (is_over(call, now_ns) ||
        muster__retry_judge_pick(&call->retry, GRPC_STATUS_UNAVAILABLE,
                                 random_bits(now_ns),
                                 &delay_ns) != MUSTER__RETRY_AGAIN) {
        return false;
    }
    muster__call_pick_at(call, muster__call_after(now_ns, delay_ns));
    return true;
}

/* Unless that is gone, because a later one never left. */
bool muster__call_keeps_failure(const muster_call *call, muster_status status)
{
    return call->retry.n_failed > 0 && call->attempt->placed.call != NULL &&
           (status == MUSTER_CLOSED || status == MUSTER_EXHAUSTED ||
            status == MUSTER_NOMEM);
}

char *muster__call_retry_message(const muster_call *call, const char *text)
{
    char *message = NULL;

    if (call->last_failure == NULL) {
        return strdup(text);
    }
    return asprintf(&message, "%s; attempt %u was %s", text, call->n_attempts,
                    call->last_failure) < 0
               ? NULL
               : message;
}
