/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the server, from being asked for to their end. All of it happens
 * on the thread that serves, one event after the other, unless said otherwise.
 */
#ifndef MUSTER_TESTS_ECHO_SESSION_H
#define MUSTER_TESTS_ECHO_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <grpc/grpc.h>
#include <grpc/support/time.h>

enum { SESSION_MAX_TRAILERS = 6 };

typedef struct session session;
typedef void (*session_fn)(session *self);
typedef void (*session_step_fn)(session *self, bool ok);

/* A tag of C core: what the end of a batch means. */
typedef struct session_event {
    session *self;
    session_step_fn step;
} session_event;

typedef struct session_method {
    const char *path; /* NULL: any other */
    session_fn begin;
    bool reads_message; /* one comes with the call */
    bool counts_cancelled;
    void *handle; /* C core's */
} session_method;

struct session {
    const session_method *method;
    grpc_call *call;
    grpc_metadata_array request_metadata;
    grpc_byte_buffer *message;
    grpc_call_details details; /* without a path */
    gpr_timespec deadline;
    int was_cancelled;
    session_event next;
    session_event closed; /* of who waits for that beside the rest */

    /* How it is to end. */
    grpc_status_code status;
    grpc_slice text; /* the status's; static, or of request_metadata */
    bool resets;
    grpc_metadata initial[2]; /* keys and values are borrowed */
    size_t n_initial;
    grpc_metadata trailing[SESSION_MAX_TRAILERS]; /* keys are owned */
    size_t n_trailing;

    /* Of a stream. */
    long n_copies;  /* of each message, sent back */
    long end_after; /* messages that came; -1: when the client ends */
    bool collects;  /* sends back nothing before the end */
    long n_received;
    long n_to_send;
    grpc_byte_buffer *outgoing;

    gpr_timespec due; /* while delayed */
    session *following;

    void *extra; /* the method's */
};

/* Thread: any, before the server starts. Borrows method. */
void session_register(grpc_server *server, session_method *method);

/* Asks for calls, from now to the server's end. */
void session_ask(grpc_server *server, grpc_completion_queue *queue,
                 const session_method *method);

/* Starts a batch whose end is step. Thread: any, one at a time. */
void session_batch(session *self, const grpc_op *ops, size_t n_ops,
                   session_step_fn step);

/* Starts to wait for the end of the call beside other batches. */
void session_await_closed(session *self, session_step_fn step);

/* Parts of batches. *text lives as long as the batch. */
void session_set_initial(const session *self, grpc_op *op);
void session_set_status(const session *self, grpc_op *op, grpc_slice *text);

/* Ends the call with its status; before that, when this is OK, with answer
 * (NULL: none), which is left to the caller. session_end() follows. */
void session_answer(session *self, grpc_byte_buffer *answer);

/* The same, when initial metadata has been sent. */
void session_answer_stream(session *self);

/* Waits until the call is over by itself; session_end() follows. */
void session_abandon(session *self);

/* After all batches. */
void session_end(session *self);

/* What follows an event of C core's queue. */
void session_handle(const grpc_event *event);

#endif
