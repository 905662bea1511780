/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a call that is a stream, beside what every call has (call.h):
 * opened, sent on, received from (stream.c); its batches on the connection of
 * an attempt (stream_attempt.c); its end, reported event by event
 * (stream_end.c); waited for by threads (stream_blocking.c), told by threads
 * (stream_turns.c).
 *
 * At most one message is under way each way, so what an attempt has to begin
 * with is little: the first message, kept until another follows it or the
 * server has answered, and what the user waits for. An attempt that failed with
 * nothing answered is therefore made again as that of a unary call is, and the
 * user hears nothing of it. */
#ifndef MUSTER_CORE_GRPC_STREAM_H
#define MUSTER_CORE_GRPC_STREAM_H

#include "call.h"

/* Kinds of events: muster_call_event_kind. */
enum { MUSTER__STREAM_N_KINDS = 3 };

typedef struct muster__stream_message {
    grpc_byte_buffer *buffer; /* a copy; NULL: none, but maybe an end */
    bool is_last;
} muster__stream_message;

/* All guarded by the call's mutex, but what C core writes for a batch. */
typedef struct muster__stream {
    muster_call *call;

    /* What the user waits for. */
    bool is_send_awaited;
    bool is_receive_awaited;
    bool is_send_silent; /* the request that the call was opened with */
    void *send_tag;
    void *receive_tag;

    /* Of all attempts. */
    uint64_t n_asked;             /* messages to send, taken in */
    uint64_t n_sent;              /* of these, those that were */
    muster__stream_message first; /* kept while it may be sent again */
    bool is_kept;
    muster__stream_message other; /* not the first, to be sent */
    bool is_last_asked;
    bool is_committed; /* something of the server has come */
    bool is_broken;    /* the user heard that the first was not sent */
    uint32_t n_attempts;
    bool is_over; /* its end has been told */

    /* Of the attempt. */
    grpc_call *live;    /* takes batches; NULL: none does */
    uint32_t n_batches; /* that have not come out */
    uint64_t n_started; /* messages */
    uint64_t n_done;    /* of these, those that were sent */
    bool is_sending;
    bool is_receiving;
    bool has_headers;           /* trailers alone count as such */
    bool has_no_more;           /* messages come */
    bool has_failed_send;       /* the one awaited, and the user was not told */
    bool has_early;             /* a message is there before it was asked for */
    char *refusal;              /* why muster ended it; NULL: it did not */
    grpc_status_code cut_short; /* the early one was dropped for that; OK: it
                                   was not */
    uint64_t bytes_sent;
    uint64_t bytes_received;

    muster__call_step on_headers;
    muster__call_step on_sent;
    muster__call_step on_received;
    muster__call_step on_over; /* the attempt is; nothing of C core's */
    muster__call_step on_end;  /* the call has ended: more to tell */

    /* Events that the user takes out of a queue are told by that. Those that
     * threads of a queue, or of a blocking stream, hand on are untold until the
     * user gets them, and some are put here meanwhile. */
    bool is_handed_on;
    bool is_untold[MUSTER__STREAM_N_KINDS];
    bool has_event[MUSTER__STREAM_N_KINDS];
    muster_call_event events[MUSTER__STREAM_N_KINDS];
    bool is_telling;   /* a thread of the queue is */
    uint32_t n_untold; /* as is_untold, until the function has returned */

    /* Of threads that wait. */
    bool is_blocking;
    muster_call_queue *own_queue; /* NULL: none, or the call has ended */
    pthread_cond_t has_changed;
    bool has_poller;
} muster__stream;

/* An attempt at a stream beside others: opened, and asked for one message. The
 * first one that has a message goes on as the call's. */
typedef struct muster__stream_racer {
    muster__call_hedge *hedge;
    muster__call_step on_opening;
    muster__call_step on_first;
    uint32_t n_batches; /* that have not come out, and the status */
    bool is_closed;     /* the status has: it may overtake a message */
} muster__stream_racer;

/* Starts a call that was claimed, with its request when that is all the client
 * sends (NULL: no). is_blocking: queue is the call's own. */
muster_status muster__stream_start(muster_call *call,
                                   const grpc_byte_buffer *request,
                                   muster_call_queue *queue, void *tag,
                                   bool is_blocking);

/* muster_call_send() and muster_call_receive() of a stream that is blocking, or
 * is not. */
muster_status muster__stream_send(muster_call *call,
                                  const grpc_byte_buffer *message,
                                  uint32_t flags, void *tag, bool is_blocking);
muster_status muster__stream_receive(muster_call *call, void *tag,
                                     bool is_blocking);

void muster__stream_destroy(muster__stream *stream);

/* What the client sends whole, of a stream that was started so, as long as it
 * is kept; NULL: nothing. The stream's. Thread: that of an attempt. */
const grpc_byte_buffer *muster__stream_request(const muster__stream *stream);

/* Places it: the attempt has a call of C core's and a lease. Do not touch the
 * call afterwards. */
void muster__stream_begin(muster__grpc_attempt *attempt);

/* The same, of an attempt that races. */
void muster__stream_race_start(muster__grpc_attempt *attempt);

/* Asks for the status of the attempt, with its step. */
void muster__stream_start_status(muster__grpc_attempt *attempt);

/* Whether the call, if it is a stream, may be hedged: it was opened with its
 * request. Thread: the one that moves the call along. */
bool muster__stream_may_race(const muster_call *call);

/* The attempt, whose first message is there, becomes the stream's: so many of
 * its batches have not come out; is_closed: the status has. True: the user is
 * told in *ret_event. The mutex is held, and is released. */
bool muster__stream_adopt(muster__grpc_attempt *attempt, uint32_t n_batches,
                          bool is_closed, muster_call_event *ret_event);

/* A batch of the stream's attempt has come out. The mutex is held, and is
 * released. */
bool muster__stream_finish_opening(muster__stream *stream,
                                   muster_call_event *ret_event);
bool muster__stream_finish_status(muster__stream *stream,
                                  muster_call_event *ret_event);

/* The first message, if nobody has asked for it yet, is dropped, and the stream
 * ends with that status, though the server's may be there. The call need be no
 * stream; its mutex is held. */
void muster__stream_drop_early_locked(muster_call *call,
                                      grpc_status_code status);

/* Starts what is asked for and not started on the attempt. The caller holds the
 * call's mutex. */
void muster__stream_start_locked(muster__stream *stream);

/* Forgets the first message once it will not be sent again. */
void muster__stream_forget_locked(muster__stream *stream);

/* Whether an attempt that failed may be followed by another: for it reached no
 * server; for the server failed it. Thread: the one that moves the call
 * along. */
bool muster__stream_may_begin_again(muster_call *call);
bool muster__stream_may_retry(muster_call *call);

/* Bytes of what would be sent again. Thread: the same. */
uint64_t muster__stream_request_bytes(muster_call *call);

void muster__stream_count_bytes(const muster_call *call,
                                muster_outcome *outcome);

/* What muster ended the attempt for, or dropped its message for, is its
 * status. */
void muster__stream_refuse(muster__grpc_attempt *attempt);

/* Reports the end of the call, after what the user still waits for. */
bool muster__stream_report(muster_call *call, muster_call_event *ret_event);

/* Calls fn with the event, unless another thread does so with one of the same
 * call, and then goes on with this. */
void muster__stream_tell_in_turn(const muster_call_event *event,
                                 muster_call_event_fn fn, void *arg);

/* What is known of a stream more than of other calls before the end. The caller
 * holds the mutex. */
void muster__stream_fill_result_locked(const muster__stream *stream,
                                       muster_call_result *ret_result);

/* Whether the attempt's peer is the call's. The caller holds the mutex. */
bool muster__stream_has_peer_locked(const muster__stream *stream);

/* The event in *ret_event, untold if it is handed on; true. The caller holds
 * the mutex. */
bool muster__stream_tell(muster_call *call, muster_call_event_kind kind,
                         void *tag, muster_call_event *ret_event);

#endif
