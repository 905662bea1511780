/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of threads that wait, one to write and one to read: the same events,
 * of a queue that the call has for itself. One of the threads is in the queue
 * at a time, and wakes the other for what is the other's; when it has what it
 * waits for, the other one goes into the queue. */
#include "stream.h"

#include <string.h>

#include <grpc/byte_buffer.h>

#include "call_pool.h"
#include "runtime.h"

/* ---- Waiting ---- */

/* After the end nothing comes out any more. */
static void put_locked(muster__stream *stream, const muster_call_event *event)
{
    stream->events[event->kind] = *event;
    stream->has_event[event->kind] = true;
    if (event->kind == MUSTER_CALL_ENDED) {
        muster__call_pool_give(stream->own_queue);
        stream->own_queue = NULL;
    }
}

static void poll_locked(muster__stream *stream)
{
    pthread_mutex_t *mutex = &stream->call->mutex;
    muster_call_event event;
    muster_status status;

    stream->has_poller = true;
    pthread_mutex_unlock(mutex);
    status = muster_call_queue_next(stream->own_queue, MUSTER_FOREVER, &event);
    pthread_mutex_lock(mutex);
    stream->has_poller = false;
    if (status == MUSTER_OK) {
        put_locked(stream, &event);
    }
    pthread_cond_broadcast(&stream->has_changed);
}

/* The end stays for whoever asks. */
static void await(muster__stream *stream, muster_call_event_kind kind,
                  muster_call_event *ret_event)
{
    pthread_mutex_t *mutex = &stream->call->mutex;

    pthread_mutex_lock(mutex);
    while (!stream->has_event[kind]) {
        if (stream->has_poller) {
            pthread_cond_wait(&stream->has_changed, mutex);
        } else {
            poll_locked(stream);
        }
    }
    *ret_event = stream->events[kind];
    stream->has_event[kind] = kind == MUSTER_CALL_ENDED;
    stream->is_untold[kind] = false;
    pthread_mutex_unlock(mutex);
}

/* ---- The functions ---- */

/* Whether the thread may wait for the call. */
static muster_status check(muster_call *call)
{
    muster_status status;

    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (muster__grpc_on_control_thread()) {
        return MUSTER_WOULD_DEADLOCK;
    }
    if (call == NULL) {
        return MUSTER_INVAL;
    }
    pthread_mutex_lock(&call->mutex);
    status = call->stream != NULL && call->stream->is_blocking ? MUSTER_OK
                                                               : MUSTER_INVAL;
    pthread_mutex_unlock(&call->mutex);
    return status;
}

muster_status muster_call_open(muster_call *call,
                               const grpc_byte_buffer *request)
{
    muster_call_queue *queue;
    muster_status status;

    if (muster__grpc_is_forked()) {
        return MUSTER_FORKED;
    }
    if (call == NULL || !muster__call_claim(call)) {
        return MUSTER_INVAL;
    }
    status = muster__call_pool_take(&queue);
    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__stream_start(call, request, queue, NULL, true);
    if (status != MUSTER_OK) {
        muster__call_pool_give(queue);
    }
    return status;
}

muster_status muster_call_write(muster_call *call,
                                const grpc_byte_buffer *message, uint32_t flags)
{
    muster_call_event event;
    muster_status status = check(call);

    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__stream_send(call, message, flags, NULL, true);
    if (status != MUSTER_OK) {
        return status;
    }
    await(call->stream, MUSTER_CALL_SENT, &event);
    return event.is_ok ? MUSTER_OK : MUSTER_CLOSED;
}

muster_status muster_call_read(muster_call *call,
                               grpc_byte_buffer **ret_message)
{
    muster_call_event event;
    muster_status status = check(call);

    if (status != MUSTER_OK) {
        return status;
    }
    status = muster__stream_receive(call, NULL, true);
    if (status == MUSTER_OK) {
        await(call->stream, MUSTER_CALL_RECEIVED, &event);
        *ret_message = event.message;
    } else if (status == MUSTER_CLOSED) {
        *ret_message = NULL;
        status = MUSTER_OK;
    }
    return status;
}

muster_status muster_call_wait(muster_call *call)
{
    grpc_byte_buffer *message;
    muster_call_event event;
    muster_status status = check(call);

    if (status != MUSTER_OK) {
        return status;
    }
    do {
        message = NULL; /* and stays that while another thread reads */
        (void)muster_call_read(call, &message);
        grpc_byte_buffer_destroy(message);
    } while (message != NULL);
    await(call->stream, MUSTER_CALL_ENDED, &event);
    return MUSTER_OK;
}
