/* SPDX-License-Identifier: Apache-2.0 */
/* Sends and receives side by side, on one thread. */
#include "stream.h"

#include <grpc/byte_buffer.h>

#include "../model.h"
#include "row.h"

typedef struct stream {
    muster_call *call;
    const message_list *messages;
    const char *target;
    output *out;
    size_t n_sent;
    int n_received;
    exit_code code; /* of showing */
} stream;

static const output_column columns[] = {
    {"NUMBER", "number", 6},
    {"ENDPOINT", "endpoint", 24},
    {"BYTES", "response_bytes", 8},
    {"RESPONSE", "preview", 0},
    {NULL, NULL, 0},
};

/* ---- showing ---- */

/* Takes over row. */
static void show(stream *self, const char *rows, json_t *row)
{
    json_t *document =
        json_pack("{s:i, s:o, s:[o]}", "schema_version", OUTPUT_SCHEMA_VERSION,
                  "target", model_text(self->target), rows, row);
    const output_report report = {document, rows, columns, row_name};
    const exit_code code = output_write(self->out, &report);

    self->code = self->code == EXIT_CODE_OK ? code : self->code;
    json_decref(document);
}

static void show_message(stream *self, grpc_byte_buffer *message)
{
    self->n_received++;
    show(self, "messages",
         row_of_message(self->call, self->n_received, message));
}

/* For people the exit status says it, and stderr. */
static void show_end(stream *self)
{
    muster_call_result result = {.struct_size = sizeof result};

    if (self->out->format != OUTPUT_JSON &&
        self->out->format != OUTPUT_NDJSON) {
        return;
    }
    muster_call_get_result(self->call, &result);
    show(self, "calls", row_of_call(self->call, &result, false));
}

/* ---- the stream ---- */

static void send_next(stream *self)
{
    const size_t i = self->n_sent;

    if (i < self->messages->n) {
        self->n_sent++;
        (void)muster_call_send(
            self->call, self->messages->items[i],
            self->n_sent == self->messages->n ? MUSTER_SEND_LAST : 0, NULL);
    }
}

/* One message alone is a request that may be tried again. */
static muster_status start(stream *self, muster_call_queue *queue)
{
    const grpc_byte_buffer *request =
        self->messages->n == 1 ? self->messages->items[0] : NULL;
    muster_status status =
        muster_call_start_stream(self->call, request, queue, NULL);

    if (status == MUSTER_OK && request == NULL) {
        send_next(self);
    }
    if (status == MUSTER_OK) {
        status = muster_call_receive(self->call, NULL);
    }
    return status;
}

/* False: the stream has ended. */
static bool handle(stream *self, const muster_call_event *event)
{
    if (event->kind == MUSTER_CALL_SENT && event->is_ok) {
        send_next(self);
    } else if (event->kind == MUSTER_CALL_RECEIVED && event->is_ok) {
        show_message(self, event->message);
        grpc_byte_buffer_destroy(event->message);
        (void)muster_call_receive(self->call, NULL);
    }
    return event->kind != MUSTER_CALL_ENDED;
}

/* Who reads has gone away: nothing else is to be shown. */
static void cancel_when_unshown(const stream *self)
{
    if (self->code != EXIT_CODE_OK) {
        muster_call_cancel(self->call);
    }
}

exit_code stream_run(muster_call *call, const message_list *messages,
                     const char *target, output *out)
{
    stream self = {
        .call = call, .messages = messages, .target = target, .out = out};
    muster_call_queue *queue = NULL;
    muster_call_event event = {.kind = MUSTER_CALL_SENT};
    muster_error err;

    if (muster_call_queue_create(&queue, &err) != MUSTER_OK) {
        return command_fail(EXIT_CODE_FAILURE, target, err.message);
    }
    if (start(&self, queue) != MUSTER_OK) {
        self.code = command_fail(EXIT_CODE_FAILURE, target, "out of memory");
        event.kind = MUSTER_CALL_ENDED;
    }
    while (event.kind != MUSTER_CALL_ENDED &&
           muster_call_queue_next(queue, MUSTER_FOREVER, &event) == MUSTER_OK &&
           handle(&self, &event)) {
        cancel_when_unshown(&self);
    }
    if (self.code == EXIT_CODE_OK) {
        show_end(&self);
    }
    muster_call_queue_destroy(queue);
    return self.code;
}
