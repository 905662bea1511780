/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the server, from being asked for to their end. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>

#include "counts.h"

/* Calls asked of C core in advance, of each method. */
#define N_PENDING 64

static grpc_server *asked_server;
static grpc_completion_queue *asked_queue;
static session *spare; /* for calls to come; linked by following */

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "muster-echo-server: %s\n", what);
    abort();
}

static void start(session *self, const grpc_op *ops, size_t n_ops,
                  session_event *event, session_step_fn step)
{
    event->self = self;
    event->step = step;
    if (grpc_call_start_batch(self->call, ops, n_ops, event, NULL) !=
        GRPC_CALL_OK) {
        die("a batch was refused");
    }
}

void session_batch(session *self, const grpc_op *ops, size_t n_ops,
                   session_step_fn step)
{
    start(self, ops, n_ops, &self->next, step);
}

void session_set_initial(const session *self, grpc_op *op)
{
    op->op = GRPC_OP_SEND_INITIAL_METADATA;
    op->data.send_initial_metadata.count = self->n_initial;
    op->data.send_initial_metadata.metadata = (grpc_metadata *)self->initial;
}

void session_set_status(const session *self, grpc_op *op, grpc_slice *text)
{
    *text = self->text;
    op->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    op->data.send_status_from_server.status = self->status;
    op->data.send_status_from_server.status_details = text;
    op->data.send_status_from_server.trailing_metadata_count = self->n_trailing;
    op->data.send_status_from_server.trailing_metadata =
        (grpc_metadata *)self->trailing;
}

static void set_close(session *self, grpc_op *op)
{
    op->op = GRPC_OP_RECV_CLOSE_ON_SERVER;
    op->data.recv_close_on_server.cancelled = &self->was_cancelled;
}

void session_await_closed(session *self, session_step_fn step)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    set_close(self, &op);
    start(self, &op, 1, &self->closed, step);
}

/* ---- Ending ---- */

static void on_end(session *self, bool ok)
{
    (void)ok;
    session_end(self);
}

void session_answer(session *self, grpc_byte_buffer *answer)
{
    grpc_slice text;
    grpc_op ops[4];
    size_t n_ops = 0;

    memset(ops, 0, sizeof ops);
    session_set_initial(self, &ops[n_ops++]);
    if (self->status == GRPC_STATUS_OK && answer != NULL) {
        ops[n_ops].op = GRPC_OP_SEND_MESSAGE;
        ops[n_ops++].data.send_message.send_message = answer;
    }
    session_set_status(self, &ops[n_ops++], &text);
    set_close(self, &ops[n_ops++]);
    session_batch(self, ops, n_ops, on_end);
}

void session_answer_stream(session *self)
{
    grpc_slice text;
    grpc_op ops[2];

    memset(ops, 0, sizeof ops);
    session_set_status(self, &ops[0], &text);
    set_close(self, &ops[1]);
    session_batch(self, ops, 2, on_end);
}

void session_abandon(session *self)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    set_close(self, &op);
    session_batch(self, &op, 1, on_end);
}

void session_end(session *self)
{
    if (self->method->counts_cancelled && self->was_cancelled != 0) {
        counts_add(COUNT_CANCELLED);
    }
    for (size_t i = 0; i < self->n_trailing; i++) {
        grpc_slice_unref(self->trailing[i].key);
    }
    grpc_byte_buffer_destroy(self->message);
    grpc_byte_buffer_destroy(self->outgoing);
    grpc_metadata_array_destroy(&self->request_metadata);
    grpc_call_details_destroy(&self->details);
    grpc_call_unref(self->call);
    self->following = spare;
    spare = self;
}

/* ---- Beginning ---- */

static session *take_spare(void)
{
    session *self = spare;

    if (self == NULL) {
        self = malloc(sizeof *self);
    } else {
        spare = self->following;
    }
    if (self == NULL) {
        die("out of memory");
    }
    return self;
}

static void on_call(session *self, bool ok);

static void ask(const session_method *method)
{
    session *self = take_spare();
    grpc_call_error error;

    memset(self, 0, sizeof *self);
    self->method = method;
    self->next = (session_event){self, on_call};
    self->text = grpc_slice_from_static_string("");
    grpc_metadata_array_init(&self->request_metadata);
    grpc_call_details_init(&self->details);
    if (self->method->path == NULL) {
        error = grpc_server_request_call(
            asked_server, &self->call, &self->details, &self->request_metadata,
            asked_queue, asked_queue, &self->next);
    } else {
        error = grpc_server_request_registered_call(
            asked_server, self->method->handle, &self->call, &self->deadline,
            &self->request_metadata,
            self->method->reads_message ? &self->message : NULL, asked_queue,
            asked_queue, &self->next);
    }
    if (error != GRPC_CALL_OK) {
        die("cannot ask for a call");
    }
}

/* Another is asked for at once: calls that take long are no limit for the
 * others. */
static void on_call(session *self, bool ok)
{
    if (ok) {
        ask(self->method);
        self->method->begin(self);
        return;
    }
    /* The server shuts down. */
    grpc_metadata_array_destroy(&self->request_metadata);
    grpc_call_details_destroy(&self->details);
    free(self);
}

void session_register(grpc_server *server, session_method *method)
{
    if (method->path != NULL) {
        method->handle = grpc_server_register_method(
            server, method->path, NULL,
            method->reads_message ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER
                                  : GRPC_SRM_PAYLOAD_NONE,
            0);
    }
}

void session_ask(grpc_server *server, grpc_completion_queue *queue,
                 const session_method *method)
{
    asked_server = server;
    asked_queue = queue;
    for (int i = 0; i < N_PENDING; i++) {
        ask(method);
    }
}

void session_handle(const grpc_event *event)
{
    const session_event *happened = event->tag;

    happened->step(happened->self, event->success != 0);
}
