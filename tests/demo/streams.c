/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps bidirectional streams open: C core's own calls on leased connections.
 * Each echoes a message now and then, lives some seconds, and is followed by
 * another. */
#include "demo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

enum { TICK_MS = 10, ECHO_EVERY_MS = 50, LIFE_MS = 4000 };

typedef struct stream {
    demo_world *demo;
    muster_lease lease;
    char address[64];
    grpc_call *call; /* NULL: not open */
    unsigned n_out;  /* batches that have not come back */
    bool is_over;    /* its status came */
    bool is_closing; /* our half is closed */
    bool is_waiting; /* for an echo */
    uint64_t opened_ns;
    uint64_t sent_ns;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_status_code status;
    grpc_slice details;
    grpc_byte_buffer *echo;
} stream;

/* A tag is the stream, with what came back in its low bits. */
enum { TAG_STATUS = 0, TAG_SENT = 1, TAG_ECHO = 2, TAG_CLOSED = 3 };

static void *tag_of(stream *s, unsigned kind)
{
    return (void *)((uintptr_t)s | kind);
}

static void start_batch(stream *s, const grpc_op *ops, size_t n, unsigned kind)
{
    if (grpc_call_start_batch(s->call, ops, n, tag_of(s, kind), NULL) !=
        GRPC_CALL_OK) {
        abort();
    }
    s->n_out++;
}

static void send_message(stream *s)
{
    grpc_slice slice = grpc_slice_from_static_string("ping");
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op send = {.op = GRPC_OP_SEND_MESSAGE};
    grpc_op receive = {.op = GRPC_OP_RECV_MESSAGE};

    send.data.send_message.send_message = message;
    receive.data.recv_message.recv_message = &s->echo;
    s->is_waiting = true;
    s->sent_ns = demo_now_ns();
    start_batch(s, &send, 1, TAG_SENT);
    start_batch(s, &receive, 1, TAG_ECHO);
    grpc_byte_buffer_destroy(message);
}

/* A pick that fails is a stream that failed. */
static bool stream_pick(stream *s)
{
    muster_call_info info = {.struct_size = sizeof info,
                             .method = "/echo.Echo/Stream"};
    muster_error err = {.message = ""};
    muster_status status =
        muster_channel_pick(s->demo->channel, &info, &s->lease, &err);

    if (status != MUSTER_OK) {
        if (status != MUSTER_QUEUED) { /* else again at the next tick */
            demo_record(s->demo, NULL, false, err.message);
            atomic_fetch_add(&s->demo->n_streams, 1);
        }
        return false;
    }
    (void)snprintf(s->address, sizeof s->address, "%s",
                   muster_lease_endpoint(&s->lease)->address);
    return true;
}

static void stream_open(stream *s, grpc_completion_queue *queue)
{
    grpc_slice method = grpc_slice_from_static_string("/echo.Echo/Stream");
    grpc_op ops[3];

    s->call = grpc_channel_create_call(
        muster_lease_grpc_channel(&s->lease), NULL, GRPC_PROPAGATE_DEFAULTS,
        queue, method, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    memset(ops, 0, sizeof ops);
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[1].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
    ops[2].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
    ops[2].data.recv_status_on_client.trailing_metadata = &s->trailing;
    ops[2].data.recv_status_on_client.status = &s->status;
    ops[2].data.recv_status_on_client.status_details = &s->details;
    s->is_over = false;
    s->is_closing = false;
    s->opened_ns = demo_now_ns();
    start_batch(s, &ops[0], 1, TAG_SENT);
    start_batch(s, &ops[1], 1, TAG_SENT);
    start_batch(s, &ops[2], 1, TAG_STATUS);
    send_message(s);
}

static void stream_end(stream *s)
{
    char *details = grpc_slice_to_c_string(s->details);

    demo_record(s->demo, s->address, s->status == GRPC_STATUS_OK, details);
    atomic_fetch_add(&s->demo->n_streams, 1);
    gpr_free(details);
    grpc_slice_unref(s->details);
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    grpc_call_unref(s->call);
    s->call = NULL;
    muster_lease_finish(&s->lease, NULL);
}

static void close_half(stream *s)
{
    grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};

    s->is_closing = true;
    start_batch(s, &op, 1, TAG_CLOSED);
}

static void on_echo(stream *s)
{
    demo_backend *server = demo_backend_by_address(s->demo, s->address);

    s->is_waiting = false;
    if (s->echo != NULL) {
        grpc_byte_buffer_destroy(s->echo);
        s->echo = NULL;
        if (server != NULL) {
            atomic_fetch_add(&server->n_streamed, 1);
        }
    }
}

static void on_event(const grpc_event *event)
{
    uintptr_t bits = (uintptr_t)event->tag;
    stream *s = (stream *)(bits & ~(uintptr_t)3);
    unsigned kind = (unsigned)(bits & 3);

    s->n_out--;
    if (kind == TAG_ECHO) {
        on_echo(s);
    } else if (kind == TAG_STATUS) {
        s->is_over = true;
    }
    if (s->is_over && s->n_out == 0) {
        stream_end(s);
    }
}

/* Opens, pings and closes what is due. */
static unsigned tick(stream *streams, grpc_completion_queue *queue)
{
    uint64_t now_ns = demo_now_ns();
    unsigned n_open = 0;

    for (int i = 0; i < DEMO_STREAMS; i++) {
        stream *s = &streams[i];
        bool is_ending = atomic_load(&s->demo->is_ending);
        uint64_t life_ns = (uint64_t)(LIFE_MS + i * 20) * 1000000u;
        if (s->call == NULL && !is_ending) {
            if (stream_pick(s)) {
                stream_open(s, queue);
            }
        } else if (s->call != NULL && !s->is_over && !s->is_waiting &&
                   !s->is_closing) {
            if (is_ending || now_ns - s->opened_ns > life_ns) {
                close_half(s);
            } else if (now_ns - s->sent_ns > ECHO_EVERY_MS * 1000000u) {
                send_message(s);
            }
        }
        n_open += s->call != NULL;
    }
    return n_open;
}

void *demo_stream_thread(void *arg)
{
    demo_world *demo = arg;
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    stream *streams =
        aligned_alloc(64, DEMO_STREAMS * sizeof *streams + 64 -
                              DEMO_STREAMS * sizeof *streams % 64);
    uint64_t ticked_ns = 0;
    unsigned n_open = 1;

    memset(streams, 0, DEMO_STREAMS * sizeof *streams);
    for (int i = 0; i < DEMO_STREAMS; i++) {
        streams[i].demo = demo;
    }
    while (n_open > 0 || !atomic_load(&demo->is_ending)) {
        grpc_event event = grpc_completion_queue_next(
            queue,
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                         gpr_time_from_millis(TICK_MS, GPR_TIMESPAN)),
            NULL);
        if (event.type == GRPC_OP_COMPLETE) {
            on_event(&event);
        }
        if (demo_now_ns() - ticked_ns > TICK_MS * 1000000u) {
            ticked_ns = demo_now_ns();
            n_open = tick(streams, queue);
        }
    }
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue,
                                      gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL)
               .type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(queue);
    free(streams);
    return NULL;
}
