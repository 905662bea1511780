/* SPDX-License-Identifier: Apache-2.0 */
/* Opens streams, and takes in what they are to send and to receive. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "runtime.h"

/* ---- Opening ---- */

static muster__stream *create(muster_call *call)
{
    muster__stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL) {
        return NULL;
    }
    if (pthread_cond_init(&stream->has_changed, NULL) != 0) {
        free(stream);
        return NULL;
    }
    stream->call = call;
    return stream;
}

void muster__stream_destroy(muster__stream *stream)
{
    if (stream == NULL) {
        return;
    }
    grpc_byte_buffer_destroy(stream->first.buffer);
    grpc_byte_buffer_destroy(stream->other.buffer);
    (void)pthread_cond_destroy(&stream->has_changed);
    free(stream->refusal);
    free(stream);
}

static void take_request(muster__stream *stream,
                         const grpc_byte_buffer *request)
{
    stream->first.buffer = muster__byte_buffer_copy(request);
    stream->first.is_last = true;
    stream->is_kept = true;
    stream->is_last_asked = true;
    stream->is_send_awaited = true;
    stream->is_send_silent = true;
    stream->n_asked = 1;
}

const grpc_byte_buffer *muster__stream_request(const muster__stream *stream)
{
    return stream->is_send_silent ? stream->first.buffer : NULL;
}

/* The stream is there before the call starts, whose thread is not ours any more
 * from then on. */
muster_status muster__stream_start(muster_call *call,
                                   const grpc_byte_buffer *request,
                                   muster_call_queue *queue, void *tag,
                                   bool is_blocking)
{
    muster__stream *stream = create(call);
    muster_status status;

    if (stream == NULL) {
        return MUSTER_NOMEM;
    }
    if (request != NULL) {
        take_request(stream, request);
    }
    stream->is_blocking = is_blocking;
    stream->own_queue = is_blocking ? queue : NULL;
    stream->is_handed_on = is_blocking || muster__call_queue_has_threads(queue);
    pthread_mutex_lock(&call->mutex);
    call->stream = stream;
    pthread_mutex_unlock(&call->mutex);
    status = muster__call_start(call, queue, tag);
    if (status != MUSTER_OK) {
        pthread_mutex_lock(&call->mutex);
        call->stream = NULL;
        pthread_mutex_unlock(&call->mutex);
        muster__stream_destroy(stream);
    }
    return status;
}

muster_status muster_call_start_stream(muster_call *call,
                                       const grpc_byte_buffer *request,
                                       muster_call_queue *queue, void *tag)
{
    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (call == NULL || queue == NULL || !muster__call_claim(call)) {
        return MUSTER_INVAL;
    }
    return muster__stream_start(call, request, queue, tag, false);
}

/* ---- Sending ---- */

static muster_status may_send_locked(const muster__stream *stream,
                                     bool is_blocking)
{
    if (stream == NULL || stream->is_blocking != is_blocking) {
        return MUSTER_INVAL;
    }
    if (stream->is_over) {
        return MUSTER_CLOSED;
    }
    if (stream->is_last_asked) {
        return MUSTER_INVAL;
    }
    return stream->is_send_awaited || stream->is_untold[MUSTER_CALL_SENT]
               ? MUSTER_BUSY
               : MUSTER_OK;
}

/* The first one is kept for further attempts, if there can be any. */
static void take_message_locked(muster__stream *stream,
                                muster__stream_message message)
{
    if (stream->n_asked == 0) {
        stream->first = message;
        stream->is_kept = true;
    } else {
        grpc_byte_buffer_destroy(stream->other.buffer); /* never started */
        stream->other = message;
    }
    stream->n_asked++;
    stream->is_last_asked = message.is_last;
    stream->is_send_awaited = true;
}

muster_status muster__stream_send(muster_call *call,
                                  const grpc_byte_buffer *message,
                                  uint32_t flags, void *tag, bool is_blocking)
{
    const bool is_last = (flags & MUSTER_SEND_LAST) != 0;
    muster_status status;

    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (call == NULL || (message == NULL && !is_last)) {
        return MUSTER_INVAL;
    }
    pthread_mutex_lock(&call->mutex);
    status = may_send_locked(call->stream, is_blocking);
    if (status == MUSTER_OK) {
        take_message_locked(call->stream,
                            (muster__stream_message){
                                .buffer = muster__byte_buffer_copy(message),
                                .is_last = is_last});
        call->stream->send_tag = tag;
        muster__stream_start_locked(call->stream);
    }
    pthread_mutex_unlock(&call->mutex);
    return status;
}

muster_status muster_call_send(muster_call *call,
                               const grpc_byte_buffer *message, uint32_t flags,
                               void *tag)
{
    return muster__stream_send(call, message, flags, tag, false);
}

/* ---- Receiving ---- */

static muster_status may_receive_locked(const muster__stream *stream,
                                        bool is_blocking)
{
    if (stream == NULL || stream->is_blocking != is_blocking) {
        return MUSTER_INVAL;
    }
    if (stream->is_over) {
        return MUSTER_CLOSED;
    }
    return stream->is_receive_awaited || stream->is_untold[MUSTER_CALL_RECEIVED]
               ? MUSTER_BUSY
               : MUSTER_OK;
}

muster_status muster__stream_receive(muster_call *call, void *tag,
                                     bool is_blocking)
{
    muster_status status;

    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (call == NULL) {
        return MUSTER_INVAL;
    }
    pthread_mutex_lock(&call->mutex);
    status = may_receive_locked(call->stream, is_blocking);
    if (status == MUSTER_OK) {
        call->stream->is_receive_awaited = true;
        call->stream->receive_tag = tag;
        muster__stream_start_locked(call->stream);
    }
    pthread_mutex_unlock(&call->mutex);
    return status;
}

muster_status muster_call_receive(muster_call *call, void *tag)
{
    return muster__stream_receive(call, tag, false);
}
