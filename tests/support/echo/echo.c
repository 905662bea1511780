/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of echo.Echo. */
#include "echo.h"

#include <stdio.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/slice_buffer.h>
#include <grpc/support/alloc.h>

#include "counts.h"
#include "faults.h"
#include "options.h"
#include "session.h"

static void begin(session *self);

static session_method unary = {.path = "/echo.Echo/Unary",
                               .begin = begin,
                               .reads_message = true,
                               .counts_cancelled = true};
static session_method stream = {
    .path = "/echo.Echo/Stream", .begin = begin, .counts_cancelled = true};
static session_method other = {.begin = begin, .counts_cancelled = true};

/* ---- Answers of one message ---- */

static void answer_with(session *self, grpc_byte_buffer *answer)
{
    session_answer(self, answer);
    grpc_byte_buffer_destroy(answer);
}

/* "ID:" before what came, which is not copied. */
static grpc_byte_buffer *answer_to(grpc_byte_buffer *request)
{
    const size_t length = strlen(chosen.id);
    grpc_slice slices[2] = {grpc_slice_malloc(length + 1), grpc_empty_slice()};
    grpc_byte_buffer_reader reader;
    grpc_byte_buffer *answer;

    memcpy(GRPC_SLICE_START_PTR(slices[0]), chosen.id, length);
    GRPC_SLICE_START_PTR(slices[0])[length] = ':';
    if (request != NULL && grpc_byte_buffer_reader_init(&reader, request)) {
        slices[1] = grpc_byte_buffer_reader_readall(&reader);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    answer = grpc_raw_byte_buffer_create(slices, 2);
    grpc_slice_unref(slices[0]);
    grpc_slice_unref(slices[1]);
    return answer;
}

/* "ADDRESS NAME" */
static grpc_byte_buffer *describe_peer(const session *self)
{
    char *address = grpc_call_get_peer(self->call);
    grpc_auth_context *context = grpc_call_auth_context(self->call);
    grpc_auth_property_iterator found =
        grpc_auth_context_find_properties_by_name(context,
                                                  GRPC_X509_CN_PROPERTY_NAME);
    const grpc_auth_property *name = grpc_auth_property_iterator_next(&found);
    char text[512];
    grpc_byte_buffer *answer;
    grpc_slice slice;

    (void)snprintf(text, sizeof text, "%s %s", address,
                   name == NULL ? "" : name->value);
    slice = grpc_slice_from_copied_string(text);
    answer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    grpc_auth_context_release(context);
    gpr_free(address);
    return answer;
}

/* What the client says it is; empty when it says nothing. */
static grpc_byte_buffer *describe_user_agent(const session *self)
{
    grpc_slice text = grpc_empty_slice();

    for (size_t i = 0; i < self->request_metadata.count; i++) {
        const grpc_metadata *item = &self->request_metadata.metadata[i];

        if (grpc_slice_str_cmp(item->key, "user-agent") == 0) {
            text = item->value;
        }
    }
    return grpc_raw_byte_buffer_create(&text, 1);
}

static void answer_other(session *self)
{
    const grpc_slice method = self->details.method;

    if (grpc_slice_str_cmp(method, "/echo.Echo/Authority") == 0) {
        answer_with(self, grpc_raw_byte_buffer_create(&self->details.host, 1));
    } else if (grpc_slice_str_cmp(method, "/echo.Echo/Peer") == 0) {
        answer_with(self, describe_peer(self));
    } else if (grpc_slice_str_cmp(method, "/echo.Echo/UserAgent") == 0) {
        answer_with(self, describe_user_agent(self));
    } else {
        self->status = GRPC_STATUS_UNIMPLEMENTED;
        self->text = grpc_slice_from_static_string("no such method");
        session_answer(self, NULL);
    }
}

/* ---- Streams ---- */

static void on_message(session *self, bool ok);
static void on_sent(session *self, bool ok);

static void receive(session *self)
{
    grpc_op op;

    grpc_byte_buffer_destroy(self->message);
    self->message = NULL;
    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_RECV_MESSAGE;
    op.data.recv_message.recv_message = &self->message;
    session_batch(self, &op, 1, on_message);
}

static void send_outgoing(session *self, session_step_fn step)
{
    grpc_op op;

    memset(&op, 0, sizeof op);
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message = self->outgoing;
    session_batch(self, &op, 1, step);
}

static void go_on(session *self)
{
    if (self->n_to_send > 0) {
        self->n_to_send--;
        self->outgoing = grpc_byte_buffer_copy(self->message);
        send_outgoing(self, on_sent);
    } else if (self->n_received == self->end_after) {
        session_answer_stream(self);
    } else {
        receive(self);
    }
}

static void on_sent(session *self, bool ok)
{
    grpc_byte_buffer_destroy(self->outgoing);
    self->outgoing = NULL;
    if (ok) {
        go_on(self);
    } else {
        receive(self); /* a failed stream ends there */
    }
}

static void on_begun(session *self, bool ok)
{
    (void)ok; /* the same */
    receive(self);
}

static void collect(session *self)
{
    if (self->outgoing == NULL) {
        self->outgoing = grpc_raw_byte_buffer_create(NULL, 0);
    }
    if (self->message != NULL) {
        grpc_slice_buffer_move_into(&self->message->data.raw.slice_buffer,
                                    &self->outgoing->data.raw.slice_buffer);
    }
}

static void on_collected(session *self, bool ok)
{
    (void)ok;
    session_answer_stream(self);
}

static void on_message(session *self, bool ok)
{
    if (self->collects) {
        collect(self);
    }
    if (!ok || self->message == NULL) {
        if (self->collects && self->status == GRPC_STATUS_OK) {
            send_outgoing(self, on_collected);
        } else {
            session_answer_stream(self);
        }
        return;
    }
    self->n_received++;
    self->n_to_send = self->collects ? 0 : self->n_copies;
    go_on(self);
}

static void begin_stream(session *self)
{
    grpc_op op;

    if (self->end_after == 0) {
        session_answer(self, NULL);
        return;
    }
    memset(&op, 0, sizeof op);
    session_set_initial(self, &op);
    session_batch(self, &op, 1, on_begun);
}

/* ---- Any of them ---- */

static void reset(session *self)
{
    counts_add(COUNT_FAILED);
    if (faults_reset(self)) {
        session_abandon(self);
        return;
    }
    self->status = GRPC_STATUS_UNAVAILABLE;
    self->text = grpc_slice_from_static_string("cannot reset this connection");
    session_answer(self, NULL);
}

static void answer(session *self)
{
    if (self->resets) {
        reset(self);
        return;
    }
    if (self->status != GRPC_STATUS_OK) {
        counts_add(COUNT_FAILED);
    }
    if (self->method == &unary) {
        answer_with(self, answer_to(self->message));
    } else if (self->method == &stream) {
        begin_stream(self);
    } else {
        answer_other(self);
    }
}

static void begin(session *self)
{
    const long delay_ms = faults_read(self);

    counts_add(COUNT_CALLS);
    if (chosen.tells_calls) {
        (void)printf("CALL\n");
        (void)fflush(stdout);
    }
    if (delay_ms > 0) {
        faults_delay(self, delay_ms);
    } else {
        answer(self);
    }
}

void echo_register(grpc_server *server)
{
    session_register(server, &unary);
    session_register(server, &stream);
}

void echo_ask(grpc_server *server, grpc_completion_queue *queue)
{
    session_ask(server, queue, &unary);
    session_ask(server, queue, &stream);
    session_ask(server, queue, &other);
}

void echo_resume(void)
{
    faults_resume(answer);
}
