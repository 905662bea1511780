/* SPDX-License-Identifier: Apache-2.0 */
/* A stream on the connection of an attempt: batches of C core, and what follows
 * their ends. The attempt is over when all of them have come out. */
#include "stream.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"

static muster__stream *of_step(muster__call_step *step, size_t offset)
{
    return (muster__stream *)((char *)step - offset);
}

/* ---- Limits ---- */

/* Ends the attempt; the words are those of call_config.c. Without memory it
 * ends with others. */
static void refuse_locked(muster__stream *stream, const char *what,
                          uint64_t length, uint64_t limit)
{
    if (stream->refusal == NULL &&
        asprintf(&stream->refusal,
                 "%s message larger than max (%" PRIu64 " vs. %" PRIu64 ")",
                 what, length, limit) < 0) {
        stream->refusal = NULL;
    }
    if (stream->live != NULL) {
        (void)grpc_call_cancel_with_status(
            stream->live, GRPC_STATUS_RESOURCE_EXHAUSTED,
            "a message is larger than max", NULL);
    }
}

/* ---- Starting ---- */

static muster__stream_message *next_message(muster__stream *stream)
{
    return stream->n_started == 0 ? &stream->first : &stream->other;
}

/* C core empties what it is given; the first is kept. */
static grpc_byte_buffer *give(muster__stream *stream)
{
    muster__stream_message *message = next_message(stream);
    grpc_byte_buffer *given = message->buffer;

    if (given != NULL && message == &stream->first) {
        return grpc_byte_buffer_copy(given);
    }
    message->buffer = NULL;
    return given;
}

static size_t add_send_ops(const muster__stream_message *message,
                           grpc_byte_buffer *given, grpc_op ops[2])
{
    size_t n_ops = 0;

    memset(ops, 0, 2 * sizeof ops[0]);
    if (given != NULL) {
        ops[n_ops].op = GRPC_OP_SEND_MESSAGE;
        ops[n_ops++].data.send_message.send_message = given;
    }
    if (message->is_last) {
        ops[n_ops++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    }
    return n_ops;
}

static void start_send_locked(muster__stream *stream)
{
    muster_call *call = stream->call;
    muster__grpc_attempt *attempt = call->attempt;
    const muster__stream_message *message = next_message(stream);
    const uint64_t length = muster__byte_buffer_length(message->buffer);
    grpc_op ops[2];
    size_t n_ops;

    if (length > call->max_request_bytes) {
        stream->has_failed_send = true; /* told at the end, which is near */
        refuse_locked(stream, "Sent", length, call->max_request_bytes);
        return;
    }
    grpc_byte_buffer_destroy(attempt->request);
    attempt->request = give(stream);
    n_ops = add_send_ops(message, attempt->request, ops);
    stream->bytes_sent += length;
    stream->n_started++;
    stream->is_sending = true;
    stream->n_batches++;
    (void)grpc_call_start_batch(stream->live, ops, n_ops, &stream->on_sent,
                                NULL);
    muster__stream_forget_locked(stream);
}

/* The message that the attempt won by counts as a batch that has not come out,
 * until it is asked for, or dropped. Its step is posted once: when the
 * connection is cancelled, by that, which cannot lock the call. */
static void post_early(muster__grpc_placed *placed)
{
    muster__grpc_attempt *attempt =
        (muster__grpc_attempt *)((char *)placed -
                                 offsetof(muster__grpc_attempt, placed));

    muster__call_queue_post(attempt->call->queue,
                            &attempt->call->stream->on_received);
}

static void start_early_locked(muster__stream *stream)
{
    muster__grpc_attempt *attempt = stream->call->attempt;

    stream->has_early = false;
    if (muster__grpc_connection_unwatch(attempt->connection,
                                        &attempt->placed)) {
        post_early(&attempt->placed);
    }
}

static void keep_early_locked(muster__stream *stream)
{
    muster__grpc_attempt *attempt = stream->call->attempt;

    stream->has_early = true;
    if (!muster__grpc_connection_watch(attempt->connection, &attempt->placed,
                                       post_early)) {
        post_early(&attempt->placed);
    }
}

static void cut_short_locked(muster__stream *stream, grpc_status_code status)
{
    muster__grpc_attempt *attempt = stream->call->attempt;

    stream->cut_short = status;
    grpc_byte_buffer_destroy(attempt->response);
    attempt->response = NULL;
}

void muster__stream_drop_early_locked(muster_call *call,
                                      grpc_status_code status)
{
    muster__stream *stream = call->stream;

    if (stream != NULL && stream->has_early) {
        cut_short_locked(stream, status);
        start_early_locked(stream);
    }
}

static void start_receive_locked(muster__stream *stream)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &stream->call->attempt->response;
    stream->is_receiving = true;
    stream->n_batches++;
    (void)grpc_call_start_batch(stream->live, &op, 1, &stream->on_received,
                                NULL);
}

/* An attempt after the first one begins with the first message, whatever is
 * awaited. */
static bool has_to_send(const muster__stream *stream)
{
    return !stream->is_sending && !stream->has_failed_send &&
           (stream->is_send_awaited ||
            (stream->n_started == 0 && stream->n_asked > 0));
}

void muster__stream_start_locked(muster__stream *stream)
{
    if (stream->live != NULL && has_to_send(stream)) {
        start_send_locked(stream);
    }
    if (stream->has_early && stream->is_receive_awaited) {
        start_early_locked(stream);
    }
    if (stream->live != NULL && stream->is_receive_awaited &&
        !stream->is_receiving && !stream->has_no_more) {
        start_receive_locked(stream);
    }
}

/* ---- Ends of batches ---- */

/* The mutex is held, and is released. What is told in *ret_event comes out
 * before what the end of the attempt leads to. */
static bool finish_batch(muster__stream *stream, bool has_event,
                         muster_call_event *ret_event)
{
    muster_call *call = stream->call;
    bool is_over;

    stream->n_batches--;
    is_over = stream->n_batches == 0;
    if (is_over && has_event) {
        muster__call_queue_post(call->queue, &stream->on_over);
    }
    pthread_mutex_unlock(&call->mutex);
    if (is_over && !has_event) {
        return muster__call_settle(&call->attempt->step, true, ret_event);
    }
    return has_event;
}

static void commit_locked(muster__stream *stream)
{
    stream->is_committed = true;
    muster__stream_forget_locked(stream);
}

/* A send that failed may be made again on another attempt, of which the user
 * does not hear. Once the server has answered there may be messages to receive
 * before the end comes, and the user may wait for this before receiving: so it
 * is told. C core does not tell headers without metadata from trailers alone,
 * after which the call might have been retried. The request that a call was
 * opened with is told of to nobody. */
static bool tell_failed_send_locked(muster__stream *stream,
                                    muster_call_event *ret_event)
{
    if (!stream->has_failed_send || !stream->has_headers ||
        stream->live == NULL || stream->refusal != NULL ||
        stream->is_send_silent) {
        return false;
    }
    stream->has_failed_send = false;
    stream->is_send_awaited = false;
    stream->is_broken = true;
    return muster__stream_tell(stream->call, MUSTER_CALL_SENT, stream->send_tag,
                               ret_event);
}

static bool take_headers(muster__call_step *step, bool is_ok,
                         muster_call_event *ret_event)
{
    muster__stream *stream =
        of_step(step, offsetof(muster__stream, on_headers));
    muster_call *call = stream->call;

    pthread_mutex_lock(&call->mutex);
    stream->has_headers |= is_ok; /* or a message was there first */
    if (is_ok && call->attempt->initial.count > 0) {
        commit_locked(stream);
    }
    return finish_batch(stream, tell_failed_send_locked(stream, ret_event),
                        ret_event);
}

/* True when it was what the user waits for: not the first message once more. */
static bool note_sent_locked(muster__stream *stream,
                             muster_call_event *ret_event)
{
    const bool is_told = !stream->is_send_silent;

    stream->n_done++;
    if (stream->n_done <= stream->n_sent) {
        muster__stream_start_locked(stream);
        return false;
    }
    stream->n_sent++;
    stream->is_send_awaited = false;
    stream->is_send_silent = false;
    if (is_told) {
        (void)muster__stream_tell(stream->call, MUSTER_CALL_SENT,
                                  stream->send_tag, ret_event);
        ret_event->is_ok = 1;
    }
    return is_told;
}

static bool take_sent(muster__call_step *step, bool is_ok,
                      muster_call_event *ret_event)
{
    muster__stream *stream = of_step(step, offsetof(muster__stream, on_sent));
    bool has_event;

    pthread_mutex_lock(&stream->call->mutex);
    stream->is_sending = false;
    if (is_ok) {
        has_event = note_sent_locked(stream, ret_event);
    } else {
        stream->has_failed_send = stream->is_send_awaited;
        has_event = tell_failed_send_locked(stream, ret_event);
    }
    return finish_batch(stream, has_event, ret_event);
}

/* NULL when it is too long. */
static grpc_byte_buffer *take_message_locked(muster__stream *stream)
{
    const muster_call *call = stream->call;
    grpc_byte_buffer *message = stream->call->attempt->response;
    const uint64_t length = muster__byte_buffer_length(message);

    stream->call->attempt->response = NULL;
    stream->bytes_received += length;
    if (length > call->max_response_bytes) {
        refuse_locked(stream, "Received", length, call->max_response_bytes);
        grpc_byte_buffer_destroy(message);
        return NULL;
    }
    return message;
}

/* The message came out because the connection's calls were cancelled, and
 * nobody has asked for it. */
static void drop_given_up_locked(muster__stream *stream)
{
    if (stream->has_early) {
        stream->has_early = false;
        cut_short_locked(stream, GRPC_STATUS_UNAVAILABLE);
    }
}

/* That no more comes is told with the end, which follows at once, and may be
 * that of the attempt only. A message may overtake the batch of the headers,
 * but these are written: C core holds it back until they are (1.51, call.cc,
 * ReceivingStreamReady()). */
static bool take_received(muster__call_step *step, bool is_ok,
                          muster_call_event *ret_event)
{
    muster__stream *stream =
        of_step(step, offsetof(muster__stream, on_received));
    grpc_byte_buffer *message;

    (void)is_ok; /* there is a message, or none */
    pthread_mutex_lock(&stream->call->mutex);
    stream->is_receiving = false;
    drop_given_up_locked(stream);
    message = take_message_locked(stream);
    if (message == NULL) {
        stream->has_no_more = true;
        return finish_batch(stream, false, ret_event);
    }
    stream->has_headers = true;
    commit_locked(stream);
    stream->is_receive_awaited = false;
    (void)muster__stream_tell(stream->call, MUSTER_CALL_RECEIVED,
                              stream->receive_tag, ret_event);
    ret_event->is_ok = 1;
    ret_event->message = message;
    return finish_batch(stream, true, ret_event);
}

/* The other batches follow, and none comes after them. */
static bool take_status(muster__call_step *step, bool is_ok,
                        muster_call_event *ret_event)
{
    muster_call *call = ((muster__grpc_attempt *)step)->call;

    (void)is_ok;
    pthread_mutex_lock(&call->mutex);
    return muster__stream_finish_status(call->stream, ret_event);
}

/* A stream that fails ends, also when nobody receives from it; but a status of
 * the server's comes behind its messages. */
static void close_locked(muster__stream *stream)
{
    const muster__grpc_attempt *attempt = stream->call->attempt;

    stream->live = NULL;
    if (!muster__call_is_from_server(attempt)) {
        muster__stream_drop_early_locked(stream->call, attempt->status);
    }
}

bool muster__stream_finish_status(muster__stream *stream,
                                  muster_call_event *ret_event)
{
    close_locked(stream);
    return finish_batch(stream, false, ret_event);
}

bool muster__stream_finish_opening(muster__stream *stream,
                                   muster_call_event *ret_event)
{
    return finish_batch(stream, false, ret_event);
}

static bool take_over(muster__call_step *step, bool is_ok,
                      muster_call_event *ret_event)
{
    muster__stream *stream = of_step(step, offsetof(muster__stream, on_over));

    (void)is_ok;
    return muster__call_settle(&stream->call->attempt->step, true, ret_event);
}

/* ---- Beginning ---- */

static void reset_locked(muster__stream *stream)
{
    stream->n_started = 0;
    stream->n_done = 0;
    stream->is_sending = false;
    stream->is_receiving = false;
    stream->has_headers = false;
    stream->has_no_more = false;
    stream->has_failed_send = false;
    free(stream->refusal);
    stream->refusal = NULL;
    stream->cut_short = GRPC_STATUS_OK;
    stream->bytes_sent = 0;
    stream->bytes_received = 0;
    stream->n_attempts = stream->call->n_attempts;
    stream->on_headers.take = take_headers;
    stream->on_sent.take = take_sent;
    stream->on_received.take = take_received;
    stream->on_over.take = take_over;
}

/* The request was sent, and the first message received. That is told as any
 * other, when it is asked for. */
bool muster__stream_adopt(muster__grpc_attempt *attempt, uint32_t n_batches,
                          bool is_closed, muster_call_event *ret_event)
{
    muster__stream *stream = attempt->call->stream;
    bool is_awaited;

    reset_locked(stream);
    stream->n_started = 1;
    stream->n_done = 1;
    stream->n_sent = 1;
    stream->bytes_sent = attempt->request_bytes;
    stream->is_send_awaited = false;
    stream->is_send_silent = false;
    stream->has_headers = true;
    stream->live = attempt->placed.call;
    stream->is_receiving = true;
    stream->n_batches = n_batches + 1;
    commit_locked(stream);
    is_awaited = stream->is_receive_awaited;
    if (!is_awaited) {
        keep_early_locked(stream);
    }
    if (is_closed) {
        close_locked(stream);
    }
    if (stream->call->is_cancelled) {
        muster__stream_drop_early_locked(stream->call, GRPC_STATUS_CANCELLED);
    }
    pthread_mutex_unlock(&stream->call->mutex);
    return is_awaited && take_received(&stream->on_received, true, ret_event);
}

static void start_headers(muster__grpc_attempt *attempt)
{
    const muster_call *call = attempt->call;
    grpc_op ops[2];

    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[0].data.send_initial_metadata.count = call->n_metadata;
    ops[0].data.send_initial_metadata.metadata = call->metadata;
    ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &attempt->initial;
    (void)grpc_call_start_batch(attempt->placed.call, ops, 2,
                                &call->stream->on_headers, NULL);
}

void muster__stream_start_status(muster__grpc_attempt *attempt)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    op.data.recv_status_on_client.trailing_metadata = &attempt->trailing;
    op.data.recv_status_on_client.status = &attempt->status;
    op.data.recv_status_on_client.status_details = &attempt->details;
    op.data.recv_status_on_client.error_string = &attempt->error_text;
    (void)grpc_call_start_batch(attempt->placed.call, &op, 1, &attempt->step,
                                NULL);
}

/* The headers start without the mutex: credentials of the user's may be called
 * there. The status follows last, so that nothing of the call has ended before;
 * and a batch that is none keeps the attempt while its first ones start. */
void muster__stream_begin(muster__grpc_attempt *attempt)
{
    muster_call *call = attempt->call;
    muster__stream *stream = call->stream;

    attempt->step.take = take_status;
    pthread_mutex_lock(&call->mutex);
    reset_locked(stream);
    stream->n_batches = 2;
    pthread_mutex_unlock(&call->mutex);
    start_headers(attempt);
    pthread_mutex_lock(&call->mutex);
    stream->live = attempt->placed.call;
    muster__stream_start_locked(stream);
    muster__stream_start_status(attempt);
    pthread_mutex_unlock(&call->mutex);
}
