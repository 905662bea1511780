/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a call, shared by the files that move it along:
 * created (call.c) -> picked, parked, placed (call_pick.c) -> ended, or picked
 * again (call_end.c, call_retry.c, call_hedge.c) -> reported (call_queue.c). */
#ifndef MUSTER_CORE_GRPC_CALL_H
#define MUSTER_CORE_GRPC_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "call_headers.h"
#include "call_timers.h"
#include "grpc_connection.h"
#include "grpc_request.h"
#include "retry/retry.h"

/* What an event of a call queue is about: the tag of what C core is asked to do
 * for a call. */
typedef struct muster__call_step muster__call_step;
struct muster__call_step {
    /* It came out of the queue. True when *ret_event is for the user. Thread:
     * any. */
    bool (*take)(muster__call_step *step, bool is_ok,
                 muster_call_event *ret_event);
};

/* One placing of a call on a connection. */
typedef struct muster__grpc_attempt {
    muster__call_step step; /* first: it has ended */
    muster_call *call;
    muster__grpc_placed placed; /* .call: NULL while there is none */
    muster_lease lease;
    muster__grpc_connection *connection; /* the lease's */
    grpc_byte_buffer *request;           /* C core empties it */
    grpc_byte_buffer *response;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
    const char *error_text; /* C core's own words; gpr_free() */
    uint64_t started_ns;
    uint32_t number;     /* of the call's attempts, from 1 */
    bool is_from_server; /* the status is */
    bool is_racing; /* one of several of a stream, of which none is that yet */
    uint64_t request_bytes;
} muster__grpc_attempt;

typedef struct muster__call_hedge muster__call_hedge;

struct muster_call {
    _Atomic uint32_t n_refs; /* the user's, and a timer's in hand */
    muster_channel *channel;
    struct muster__stream *stream; /* NULL: unary */
    const char *method;            /* these point behind the struct */
    const char *hash_key;          /* or NULL */
    grpc_metadata *metadata;
    size_t n_metadata;
    grpc_call_credentials *credentials; /* borrowed, or NULL */
    uint64_t deadline_ns;               /* MUSTER_FOREVER: none */
    uint32_t flags;
    bool has_config; /* the service config has had its say */
    uint64_t max_request_bytes;
    uint64_t max_response_bytes;

    muster__grpc_request request;
    muster_call_queue *queue;
    void *tag;
    uint64_t started_ns;

    /* Guards the next four, which cancelling looks at. */
    pthread_mutex_t mutex;
    bool is_cancelled;
    bool is_parked; /* pick names a waiting pick */
    uint64_t pick;
    char *peer; /* NULL: not known */

    atomic_bool is_started;
    muster__grpc_attempt *attempt;    /* the last one, until there is another */
    muster__grpc_attempt own_attempt; /* unless one of a hedge's is */
    uint32_t n_attempts;
    muster__retry retry;
    muster__call_hedge *hedge; /* NULL: one attempt at a time */
    char *last_message;        /* of the attempt before; NULL: none */
    char *last_failure; /* the same, with its endpoint; NULL: no attempt */
    muster__call_header *headers; /* that policies asked for */

    /* How it ended, for whoever moves the call along; the user sees it when it
     * has been reported. The step is for when C core has no part in that. */
    muster__call_step failed_here;
    bool has_ended; /* and that was reported; unary; guarded by mutex */
    grpc_status_code status;
    char *message; /* NULL: none */
    uint64_t latency_ns;
};

/* True once: whoever has it may start the call. Thread: any. */
bool muster__call_claim(muster_call *call);

/* Starts a call that was claimed, and has what it sends. Do not touch the call
 * afterwards, unless it is refused: MUSTER_CLOSED, the queue is shut down.
 * Thread: any. */
muster_status muster__call_start(muster_call *call, muster_call_queue *queue,
                                 void *tag);

/* Takes over what the service config says of the method, once it is known: the
 * timeout when it is the shorter one, waiting when the call says nothing of it,
 * limits of messages. Thread: the one that moves the call along. */
void muster__call_configure(muster_call *call);

/* Whether the request is over the limit; says so in *err. */
bool muster__call_refuse_request(const muster_call *call, muster_error *err);

/* The response, if it is over the limit, becomes RESOURCE_EXHAUSTED. */
void muster__call_refuse_response(const muster_call *call,
                                  muster__grpc_attempt *attempt);

/* Places the call, now or later. The queue will be told, maybe before this
 * returns: do not touch the call afterwards. Thread: any. */
void muster__call_pick(muster_call *call, uint64_t now_ns);

/* The same, when an attempt did not even leave: at once, or behind the news of
 * what became of its connection. */
void muster__call_pick_again(muster_call *call, uint64_t now_ns);

/* The same, no earlier than that. */
void muster__call_pick_at(muster_call *call, uint64_t not_before_ns);

/* How it ended, which nobody sees before it is reported. Takes over message. */
void muster__call_end(muster_call *call, grpc_status_code status, char *message,
                      uint64_t now_ns);

/* Whether another attempt follows the one that ended, and when. Its lease is
 * not finished yet. */
bool muster__call_retries(muster_call *call, uint64_t now_ns,
                          uint64_t *ret_not_before_ns);

/* True when a pick that failed with status is followed by another: the call is
 * not to be touched any more. */
bool muster__call_retries_pick(muster_call *call, muster_status status);

/* Whether the call ends as its last attempt did, since muster itself is why
 * there is no other. */
bool muster__call_keeps_failure(const muster_call *call, muster_status status);

/* text, with what was before the retry that did not come to be; NULL: no
 * memory. */
char *muster__call_retry_message(const muster_call *call, const char *text);

/* Reports the end of a call to the user of its queue. */
bool muster__call_report(muster_call *call, muster_call_event *ret_event);

/* The take() of attempts: the call has ended, or is placed again. */
bool muster__call_settle(muster__call_step *step, bool is_ok,
                         muster_call_event *ret_event);

/* For the message of a call that fails before its next attempt. The lease is
 * still held. */
void muster__call_keep_last_failure(const muster__grpc_attempt *attempt);

/* How the attempt ended, for retry/ and hedging/. */
muster__retry_end muster__call_attempt_end(const muster__grpc_attempt *attempt);
bool muster__call_is_too_large(const muster__grpc_attempt *attempt);

/* What the call is placed with, in this order. Cancelling finds it after the
 * first, which belongs under the call's mutex; the other does not, because the
 * user's credentials may be called there. n_before: attempts made already. The
 * lease is the attempt's, and its latency counts from now_ns on. */
void muster__call_attempt_create(muster__grpc_attempt *attempt,
                                 muster_lease lease, uint32_t n_before);
void muster__call_attempt_start(muster__grpc_attempt *attempt, uint64_t now_ns);

/* Whether the status, which is there, is the server's. */
bool muster__call_is_from_server(const muster__grpc_attempt *attempt);

/* The parts of an end: what C core answered is read; whether the attempt counts
 * as none, unless the call was cancelled; C core's words that must not reach a
 * caller are replaced; the message for the caller (NULL: none), for free(3);
 * the lease goes back. */
void muster__call_attempt_take(muster__grpc_attempt *attempt);
bool muster__call_may_be_placed_again(const muster__grpc_attempt *attempt);
void muster__call_translate(muster__grpc_attempt *attempt);
char *muster__call_message_of(const muster__grpc_attempt *attempt);
void muster__call_finish_lease(muster__grpc_attempt *attempt, uint64_t now_ns);

/* Picks among what is ready. The call's mutex is held. */
muster_status muster__call_pick_now(muster_call *call, muster_lease *ret_lease);

/* The call was cancelled while it was picked for. */
void muster__call_give_back(muster_call *call, muster_lease lease);

/* True when a status of C core's own says that the call was on no connection.
 * Thread: any. */
bool muster__call_never_left(grpc_status_code status, grpc_slice details);

/* Of call. fini frees what the attempt left. */
void muster__grpc_attempt_init(muster__grpc_attempt *attempt,
                               muster_call *call);
void muster__grpc_attempt_fini(muster__grpc_attempt *attempt);

/* Takes the call in; its end will come out of muster_call_queue_next(). False
 * after shutdown. Thread: any. */
bool muster__call_queue_enter(muster_call_queue *queue);

/* Undoes an enter whose call did not start. */
void muster__call_queue_leave(muster_call_queue *queue);

/* Lets the step come out of the queue though C core has nothing to say of it.
 * Thread: any. */
void muster__call_queue_post(muster_call_queue *queue, muster__call_step *step);

/* The timers of the queue's calls; set wakes whom it must. False: no memory. */
muster__call_timers *muster__call_queue_timers(muster_call_queue *queue);
bool muster__call_queue_set_timer(muster_call_queue *queue,
                                  muster__call_timer *timer, uint64_t due_ns);

void muster__call_ref(muster_call *call);
void muster__call_unref(muster_call *call);

/* muster_call_queue_next(), of a queue with threads of its own too. */
muster_status muster__call_queue_take(muster_call_queue *queue,
                                      uint64_t deadline_ns,
                                      muster_call_event *ret_event);

/* Of a queue from which nothing comes any more. */
void muster__call_queue_free(muster_call_queue *queue);

/* Whether its events go to a function. */
bool muster__call_queue_has_threads(const muster_call_queue *queue);

grpc_completion_queue *muster__call_queue_inner(muster_call_queue *queue);

/* CLOCK_MONOTONIC. */
uint64_t muster__grpc_now_ns(void);
gpr_timespec muster__grpc_timespec(uint64_t deadline_ns);

/* So long after; MUSTER_FOREVER at most. */
uint64_t muster__call_after(uint64_t now_ns, uint64_t delay_ns);

#endif
