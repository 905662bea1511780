/* SPDX-License-Identifier: Apache-2.0 */
/* How a stream ends: whether it begins again on another connection, and what
 * its user is told. */
#include "stream.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>

/* ---- Beginning again ---- */

/* Not before it is started: headers may come earlier. */
void muster__stream_forget_locked(muster__stream *stream)
{
    if (stream->n_started > 1 ||
        (stream->n_started > 0 &&
         (stream->is_committed || stream->is_broken))) {
        grpc_byte_buffer_destroy(stream->first.buffer);
        stream->first.buffer = NULL;
        stream->is_kept = false;
    }
}

static bool may_begin_again_locked(const muster__stream *stream)
{
    return !stream->is_committed && !stream->is_broken &&
           (stream->n_asked == 0 || stream->is_kept);
}

bool muster__stream_may_begin_again(muster_call *call)
{
    bool may;

    pthread_mutex_lock(&call->mutex);
    may = may_begin_again_locked(call->stream);
    pthread_mutex_unlock(&call->mutex);
    return may;
}

bool muster__stream_may_retry(muster_call *call)
{
    const muster__stream *stream = call->stream;
    bool may;

    pthread_mutex_lock(&call->mutex);
    may = may_begin_again_locked(stream) && stream->n_asked == 1 &&
          stream->first.is_last;
    pthread_mutex_unlock(&call->mutex);
    return may;
}

uint64_t muster__stream_request_bytes(muster_call *call)
{
    uint64_t n_bytes = 0;

    pthread_mutex_lock(&call->mutex);
    if (call->stream->first.buffer != NULL) {
        n_bytes = grpc_byte_buffer_length(call->stream->first.buffer);
    }
    pthread_mutex_unlock(&call->mutex);
    return n_bytes;
}

/* ---- Of an attempt that is over ---- */

void muster__stream_count_bytes(const muster_call *call,
                                muster_outcome *outcome)
{
    outcome->bytes_sent = call->stream->bytes_sent;
    outcome->bytes_received = call->stream->bytes_received;
}

static void replace_status(muster__grpc_attempt *attempt,
                           grpc_status_code status, const char *details)
{
    grpc_slice_unref(attempt->details);
    attempt->details = grpc_slice_from_copied_string(details);
    attempt->status = status;
    attempt->is_from_server = false;
}

/* In the words of whoever else would have said the same. */
static const char *words_of(grpc_status_code cut_short)
{
    switch (cut_short) {
    case GRPC_STATUS_CANCELLED:
        return "CANCELLED";
    case GRPC_STATUS_UNAVAILABLE:
        return MUSTER__GRPC_GIVEN_UP;
    default:
        return "Deadline Exceeded";
    }
}

void muster__stream_refuse(muster__grpc_attempt *attempt)
{
    const muster__stream *stream = attempt->call->stream;

    if (stream->refusal != NULL) {
        replace_status(attempt, GRPC_STATUS_RESOURCE_EXHAUSTED,
                       stream->refusal);
    } else if (stream->cut_short != GRPC_STATUS_OK &&
               stream->cut_short != attempt->status) {
        replace_status(attempt, stream->cut_short, words_of(stream->cut_short));
    }
}

/* ---- Telling ---- */

bool muster__stream_tell(muster_call *call, muster_call_event_kind kind,
                         void *tag, muster_call_event *ret_event)
{
    memset(ret_event, 0, sizeof *ret_event);
    ret_event->call = call;
    ret_event->tag = tag;
    ret_event->kind = kind;
    call->stream->is_untold[kind] = call->stream->is_handed_on;
    call->stream->n_untold++;
    return true;
}

static bool take_end(muster__call_step *step, bool is_ok,
                     muster_call_event *ret_event)
{
    muster__stream *stream =
        (muster__stream *)((char *)step - offsetof(muster__stream, on_end));

    (void)is_ok;
    return muster__stream_report(stream->call, ret_event);
}

/* False when only the end is left. */
static bool tell_awaited_locked(muster__stream *stream,
                                muster_call_event *ret_event)
{
    if (stream->is_send_awaited && !stream->is_send_silent) {
        stream->is_send_awaited = false;
        return muster__stream_tell(stream->call, MUSTER_CALL_SENT,
                                   stream->send_tag, ret_event);
    }
    if (stream->is_receive_awaited) {
        stream->is_receive_awaited = false;
        return muster__stream_tell(stream->call, MUSTER_CALL_RECEIVED,
                                   stream->receive_tag, ret_event);
    }
    return false;
}

/* One event at a time comes out of a queue: while there is another the step
 * goes in once more. After the end the call may be gone. */
bool muster__stream_report(muster_call *call, muster_call_event *ret_event)
{
    muster__stream *stream = call->stream;
    muster_call_queue *queue = call->queue;
    bool is_over;

    pthread_mutex_lock(&call->mutex);
    stream->on_end.take = take_end;
    is_over = !tell_awaited_locked(stream, ret_event);
    if (is_over) {
        stream->is_over = true;
        (void)muster__stream_tell(call, MUSTER_CALL_ENDED, call->tag,
                                  ret_event);
        ret_event->is_ok = 1;
    } else {
        muster__call_queue_post(queue, &stream->on_end);
    }
    pthread_mutex_unlock(&call->mutex);
    if (is_over) {
        muster__call_queue_leave(queue);
    }
    return true;
}

/* ---- Asking ---- */

void muster__stream_fill_result_locked(const muster__stream *stream,
                                       muster_call_result *ret_result)
{
    ret_result->n_attempts = stream->n_attempts;
    if (stream->is_committed && stream->has_headers) {
        ret_result->initial_metadata = &stream->call->attempt->initial;
    }
}

bool muster__stream_has_peer_locked(const muster__stream *stream)
{
    return stream->is_over || stream->is_committed;
}
