/* SPDX-License-Identifier: Apache-2.0 */
/* Calls whose events go to a function. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

TestSuite(grpc_callback, .timeout = 110);

enum { SIZE = 500 };

static backend server;
static muster_channel *channel;
static muster_call_queue *queue;
static sem_t ended; /* once a call */

static void begin(uint32_t n_threads, muster_call_event_fn fn, void *arg)
{
    muster_error err;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(sem_init(&ended, 0, 0), 0);
    cr_assert_eq(
        muster_call_queue_create_callback(n_threads, fn, arg, &queue, &err),
        MUSTER_OK, "%s", err.message);
}

static void finish(void)
{
    muster_channel_destroy(channel);
    backend_kill(&server);
    (void)sem_destroy(&ended);
}

static void await_ended(int n)
{
    while (n > 0) {
        n -= sem_wait(&ended) == 0 ? 1 : 0;
    }
}

/* ---- Streams ---- */

typedef struct pump {
    muster_call *call;
    uint64_t n_to_send;
    uint64_t n_sent;
    uint64_t n_received;
    atomic_int n_inside; /* threads that tell of it */
    atomic_int n_wrong;
    grpc_status_code status;
} pump;

static void send_next(pump *self)
{
    grpc_byte_buffer *message;

    if (self->n_sent < self->n_to_send) {
        message = message_of(self->n_sent++, SIZE);
        if (muster_call_send(self->call, message,
                             self->n_sent == self->n_to_send ? MUSTER_SEND_LAST
                                                             : 0,
                             self) != MUSTER_OK) {
            atomic_fetch_add(&self->n_wrong, 1);
        }
        grpc_byte_buffer_destroy(message);
    }
}

/* The end, of which this has not been told, may be there behind the last
 * message. */
static void take_message(pump *self, grpc_byte_buffer *message)
{
    muster_status status;

    if (message == NULL) {
        return;
    }
    if (!is_message(message, self->n_received++, SIZE)) {
        atomic_fetch_add(&self->n_wrong, 1);
    }
    status = muster_call_receive(self->call, self);
    if (status != MUSTER_OK &&
        (status != MUSTER_CLOSED || self->n_received != self->n_to_send)) {
        atomic_fetch_add(&self->n_wrong, 1);
    }
}

static void on_event(void *arg, const muster_call_event *event)
{
    pump *self = event->tag;

    (void)arg;
    if (atomic_fetch_add(&self->n_inside, 1) != 0) {
        atomic_fetch_add(&self->n_wrong, 1);
    }
    if (event->kind == MUSTER_CALL_SENT) {
        send_next(self);
    } else if (event->kind == MUSTER_CALL_RECEIVED) {
        take_message(self, event->message);
    }
    atomic_fetch_sub(&self->n_inside, 1);
    if (event->kind == MUSTER_CALL_ENDED) {
        self->status = result_of(event->call).status;
        muster_call_destroy(event->call);
        (void)sem_post(&ended);
    }
}

static void start_pump(pump *self, uint64_t n_to_send)
{
    *self = (pump){.n_to_send = n_to_send};
    self->call = make_stream(channel, NULL, 0);
    cr_assert_eq(muster_call_start_stream(self->call, NULL, queue, self),
                 MUSTER_OK);
}

/* Both begin beside the function, which may be told of the first meanwhile. */
static void run_pumps(uint32_t n_threads, muster_call_event_fn fn, size_t n,
                      uint64_t n_messages)
{
    static pump pumps[50];

    begin(n_threads, fn, NULL);
    for (size_t i = 0; i < n; i++) {
        start_pump(&pumps[i], n_messages);
        cr_assert_eq(muster_call_receive(pumps[i].call, &pumps[i]), MUSTER_OK);
        send_next(&pumps[i]);
    }
    await_ended((int)n);
    for (size_t i = 0; i < n; i++) {
        cr_expect_eq(pumps[i].n_received, n_messages);
        cr_expect_eq(pumps[i].status, GRPC_STATUS_OK);
        cr_expect_eq(atomic_load(&pumps[i].n_wrong), 0);
    }
    muster_call_queue_destroy(queue);
    finish();
}

Test(grpc_callback, carries_a_thousand_messages_each_way)
{
    run_pumps(0, on_event, 1, 1000);
}

Test(grpc_callback, is_told_of_one_stream_in_turn_by_several_threads)
{
    run_pumps(4, on_event, 50, 200);
}

/* Asks for the next message of either way at every event, too early or not. */
static void ask_for_all(pump *self)
{
    const bool is_last = self->n_sent + 1 == self->n_to_send;
    grpc_byte_buffer *message = message_of(self->n_sent, SIZE);

    (void)muster_call_receive(self->call, self);
    if (self->n_sent < self->n_to_send &&
        muster_call_send(self->call, message, is_last ? MUSTER_SEND_LAST : 0,
                         self) == MUSTER_OK) {
        self->n_sent++;
    }
    grpc_byte_buffer_destroy(message);
}

static void on_greedy(void *arg, const muster_call_event *event)
{
    pump *self = event->tag;

    (void)arg;
    if (event->kind == MUSTER_CALL_RECEIVED && event->message != NULL &&
        !is_message(event->message, self->n_received++, SIZE)) {
        atomic_fetch_add(&self->n_wrong, 1);
    }
    if (event->kind == MUSTER_CALL_ENDED) {
        self->status = result_of(event->call).status;
        muster_call_destroy(event->call);
        (void)sem_post(&ended);
    } else {
        ask_for_all(self);
    }
}

Test(grpc_callback, has_every_message_when_asked_for_all_the_time)
{
    run_pumps(4, on_greedy, 4, 5000);
}

/* ---- Unary calls ---- */

static void on_unary(void *arg, const muster_call_event *event)
{
    atomic_int *n_good = arg;
    const muster_call_result result = result_of(event->call);

    if (event->kind == MUSTER_CALL_ENDED && result.status == GRPC_STATUS_OK) {
        atomic_fetch_add(n_good, 1);
    }
    muster_call_destroy(event->call);
    (void)sem_post(&ended);
}

static void start_unary(void)
{
    cr_assert_eq(muster_call_start_unary(make_call(channel, &patient), NULL,
                                         queue, NULL),
                 MUSTER_OK);
}

Test(grpc_callback, tells_of_unary_calls)
{
    enum { N = 500 };
    atomic_int n_good = 0;

    begin(2, on_unary, &n_good);
    for (int i = 0; i < N; i++) {
        start_unary();
    }
    muster_call_queue_destroy(queue); /* waits for all */
    cr_expect_eq(atomic_load(&n_good), N);
    finish();
}

static void on_chain(void *arg, const muster_call_event *event)
{
    atomic_int *n_left = arg;
    const bool has_more = atomic_fetch_sub(n_left, 1) > 1;

    muster_call_destroy(event->call);
    if (has_more) {
        start_unary();
    } else {
        (void)sem_post(&ended);
    }
}

Test(grpc_callback, may_start_calls)
{
    atomic_int n_left = 100;

    begin(0, on_chain, &n_left);
    start_unary();
    await_ended(1);
    muster_call_queue_destroy(queue);
    finish();
}

/* ---- Ends ---- */

static void on_end(void *arg, const muster_call_event *event)
{
    (void)arg;
    muster_call_destroy(event->call);
    muster_call_queue_destroy(queue);
    (void)sem_post(&ended);
}

Test(grpc_callback, may_destroy_its_queue)
{
    begin(3, on_end, NULL);
    start_unary();
    await_ended(1);
    finish();
}

static void on_cancel(void *arg, const muster_call_event *event)
{
    if (event->kind == MUSTER_CALL_RECEIVED) {
        muster_call_cancel(event->call);
        grpc_byte_buffer_destroy(event->message);
    } else if (event->kind == MUSTER_CALL_ENDED) {
        *(grpc_status_code *)arg = result_of(event->call).status;
        muster_call_destroy(event->call);
        (void)sem_post(&ended);
    }
}

Test(grpc_callback, may_cancel)
{
    grpc_status_code status = GRPC_STATUS_OK;
    grpc_byte_buffer *message = buffer_of("x");
    muster_call *call;

    begin(2, on_cancel, &status);
    call = make_stream(channel, NULL, 0);
    cr_assert_eq(muster_call_start_stream(call, NULL, queue, NULL), MUSTER_OK);
    cr_assert_eq(muster_call_receive(call, NULL), MUSTER_OK);
    cr_assert_eq(muster_call_send(call, message, 0, NULL), MUSTER_OK);
    grpc_byte_buffer_destroy(message);
    await_ended(1);
    cr_expect_eq(status, GRPC_STATUS_CANCELLED);
    muster_call_queue_destroy(queue);
    finish();
}

Test(grpc_callback, has_its_events_to_itself)
{
    muster_call_queue *none = NULL;
    muster_call_event event;
    muster_error err;

    begin(0, on_end, NULL);
    cr_expect_eq(muster_call_queue_next(queue, 0, &event), MUSTER_INVAL);
    muster_call_queue_destroy(queue);
    cr_expect_eq(muster_call_queue_create_callback(0, NULL, NULL, &none, &err),
                 MUSTER_INVAL);
    cr_expect_eq(
        muster_call_queue_create_callback(1025, on_end, NULL, &none, &err),
        MUSTER_INVAL);
    cr_expect_null(none);
    finish();
}
