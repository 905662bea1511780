/* SPDX-License-Identifier: Apache-2.0 */
/* Events of one stream, which several threads may have taken out of a queue at
 * once, told one after the other. */
#include "stream.h"

/* The end comes last, also behind an event that a thread has taken out and not
 * brought here yet: then that thread will tell both. */
static bool is_due_locked(const muster__stream *stream,
                          muster_call_event_kind kind)
{
    return kind != MUSTER_CALL_ENDED || stream->n_untold == 1;
}

static bool take_untold_locked(muster__stream *stream, muster_call_event *event)
{
    static const muster_call_event_kind order[] = {
        MUSTER_CALL_SENT, MUSTER_CALL_RECEIVED, MUSTER_CALL_ENDED};

    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (stream->has_event[order[i]] && is_due_locked(stream, order[i])) {
            stream->has_event[order[i]] = false;
            stream->is_untold[order[i]] = false;
            *event = stream->events[order[i]];
            return true;
        }
    }
    stream->is_telling = false;
    return false;
}

/* True when the caller is to tell it: else another thread will. */
static bool take_turn_locked(muster__stream *stream,
                             const muster_call_event *event)
{
    if (stream->is_telling || !is_due_locked(stream, event->kind)) {
        stream->has_event[event->kind] = true;
        stream->events[event->kind] = *event;
        return false;
    }
    stream->is_telling = true;
    stream->is_untold[event->kind] = false;
    return true;
}

/* After the end the call may be gone. */
static bool go_on(muster_call *call, muster_call_event *event)
{
    bool has_more;

    if (event->kind == MUSTER_CALL_ENDED) {
        return false;
    }
    pthread_mutex_lock(&call->mutex);
    call->stream->n_untold--;
    has_more = take_untold_locked(call->stream, event);
    pthread_mutex_unlock(&call->mutex);
    return has_more;
}

void muster__stream_tell_in_turn(const muster_call_event *event,
                                 muster_call_event_fn fn, void *arg)
{
    muster_call *call = event->call;
    muster_call_event next = *event;
    bool is_mine;

    pthread_mutex_lock(&call->mutex);
    is_mine = take_turn_locked(call->stream, event);
    pthread_mutex_unlock(&call->mutex);
    if (!is_mine) {
        return;
    }
    do {
        fn(arg, &next);
    } while (go_on(call, &next));
}
