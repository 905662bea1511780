/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of which a thread has taken something out of a queue, and has not
 * gone on yet: another one comes first. */
#include "stream.h"
#include "streaming.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <grpc/byte_buffer.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

TestSuite(grpc_stream_preempted, .timeout = 110);

enum { SIZE = 100, PATIENCE_S = 10 };

static backend server;
static muster_channel *channel;
static sem_t ended;

void __real_muster__stream_tell_in_turn(const muster_call_event *event,
                                        muster_call_event_fn fn, void *arg);
void __wrap_muster__stream_tell_in_turn(const muster_call_event *event,
                                        muster_call_event_fn fn, void *arg);
muster_status __real_muster_call_queue_next(muster_call_queue *queue,
                                            uint64_t deadline_ns,
                                            muster_call_event *ret_event);
muster_status __wrap_muster_call_queue_next(muster_call_queue *queue,
                                            uint64_t deadline_ns,
                                            muster_call_event *ret_event);
grpc_event __real_grpc_completion_queue_next(grpc_completion_queue *queue,
                                             gpr_timespec deadline,
                                             void *reserved);
grpc_event __wrap_grpc_completion_queue_next(grpc_completion_queue *queue,
                                             gpr_timespec deadline,
                                             void *reserved);

/* ---- A thread that is held up ---- */

/* The kind of event, or the tag, that holds up the one thread that has it. */
static atomic_int held_kind = -1;
static _Atomic(void *) held_tag;
static sem_t is_held;
static sem_t may_go_on;

/* Not for ever: what goes wrong is to fail, not to hang. */
static bool await(sem_t *semaphore)
{
    struct timespec until;
    int error;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    do {
        error = sem_timedwait(semaphore, &until) == 0 ? 0 : errno;
    } while (error == EINTR);
    return error == 0;
}

static void hold_up(void)
{
    (void)sem_post(&is_held);
    (void)await(&may_go_on);
}

static void hold_up_with(const muster_call_event *event)
{
    int kind = (int)event->kind;

    if (atomic_compare_exchange_strong(&held_kind, &kind, -1)) {
        hold_up();
    }
}

/* Where a thread of a queue has an event. */
void __wrap_muster__stream_tell_in_turn(const muster_call_event *event,
                                        muster_call_event_fn fn, void *arg)
{
    hold_up_with(event);
    __real_muster__stream_tell_in_turn(event, fn, arg);
}

/* Where a thread that waits has one. */
muster_status __wrap_muster_call_queue_next(muster_call_queue *queue,
                                            uint64_t deadline_ns,
                                            muster_call_event *ret_event)
{
    const muster_status status =
        __real_muster_call_queue_next(queue, deadline_ns, ret_event);

    if (status == MUSTER_OK) {
        hold_up_with(ret_event);
    }
    return status;
}

/* Where any thread has what C core has done. */
grpc_event __wrap_grpc_completion_queue_next(grpc_completion_queue *queue,
                                             gpr_timespec deadline,
                                             void *reserved)
{
    const grpc_event event =
        __real_grpc_completion_queue_next(queue, deadline, reserved);
    void *tag = event.tag;

    if (tag != NULL && atomic_compare_exchange_strong(&held_tag, &tag, NULL)) {
        hold_up();
    }
    return event;
}

/* ---- Beginning and ending ---- */

static void begin(void)
{
    cr_assert(backend_start(&server, (const char *const[]){"--id", "b", NULL}));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(sem_init(&ended, 0, 0), 0);
    cr_assert_eq(sem_init(&is_held, 0, 0), 0);
    cr_assert_eq(sem_init(&may_go_on, 0, 0), 0);
}

static void finish(void)
{
    muster_channel_destroy(channel);
    backend_kill(&server);
    (void)sem_destroy(&may_go_on);
    (void)sem_destroy(&is_held);
    (void)sem_destroy(&ended);
}

/* ---- Threads of a queue ---- */

typedef struct sighting {
    uint32_t n_sent;
    uint32_t n_received;
    muster_status send;    /* by the function, told that the first was sent */
    muster_status receive; /* and told of the first message */
} sighting;

static muster_status send_one(muster_call *call)
{
    grpc_byte_buffer *message = message_of(1, SIZE);
    const muster_status status = muster_call_send(call, message, 0, NULL);

    grpc_byte_buffer_destroy(message);
    return status;
}

static void on_sent(sighting *seen, muster_call *call)
{
    if (seen->n_sent++ == 0) {
        seen->send = send_one(call);
        atomic_store(&held_kind, MUSTER_CALL_RECEIVED);
        (void)muster_call_receive(call, NULL);
    }
}

static void on_received(sighting *seen, muster_call *call)
{
    if (seen->n_received++ == 0) {
        seen->receive = muster_call_receive(call, NULL);
        muster_call_cancel(call);
    }
}

static void on_event(void *arg, const muster_call_event *event)
{
    grpc_byte_buffer_destroy(event->message);
    if (event->kind == MUSTER_CALL_SENT) {
        on_sent(arg, event->call);
    } else if (event->kind == MUSTER_CALL_RECEIVED) {
        on_received(arg, event->call);
    } else {
        (void)sem_post(&ended);
    }
}

static void run(muster_call_event_fn fn, void *arg, muster_call **ret_call,
                muster_call_queue **ret_queue)
{
    muster_error err;

    cr_assert_eq(muster_call_queue_create_callback(2, fn, arg, ret_queue, &err),
                 MUSTER_OK, "%s", err.message);
    *ret_call = make_stream(channel, NULL, 0);
    cr_assert_eq(muster_call_start_stream(*ret_call, NULL, *ret_queue, NULL),
                 MUSTER_OK);
}

static void end(muster_call *call, muster_call_queue *queue)
{
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    finish();
}

/* First when it was sent, then when one was received. */
Test(grpc_stream_preempted, is_busy_until_its_queue_has_told)
{
    sighting seen = {.send = MUSTER_INVAL, .receive = MUSTER_INVAL};
    muster_call_queue *queue;
    muster_call *call;

    begin();
    run(on_event, &seen, &call, &queue);
    atomic_store(&held_kind, MUSTER_CALL_SENT);
    cr_assert_eq(send_one(call), MUSTER_OK);
    cr_assert(await(&is_held));
    cr_expect_eq(send_one(call), MUSTER_BUSY);
    (void)sem_post(&may_go_on);
    cr_assert(await(&is_held));
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_BUSY);
    (void)sem_post(&may_go_on);
    cr_assert(await(&ended));
    end(call, queue);
    cr_expect_eq(seen.send, MUSTER_OK);
    cr_expect_eq(seen.receive, MUSTER_OK);
}

/* The headers have come out before the message, or come out after it. */
static void on_first(void *arg, const muster_call_event *event)
{
    const grpc_metadata_array **ret_headers = arg;

    grpc_byte_buffer_destroy(event->message);
    if (event->kind == MUSTER_CALL_RECEIVED) {
        *ret_headers = result_of(event->call).initial_metadata;
        (void)sem_post(&may_go_on);
        muster_call_cancel(event->call);
    } else if (event->kind == MUSTER_CALL_ENDED) {
        (void)sem_post(&ended);
    }
}

Test(grpc_stream_preempted, has_its_headers_with_its_first_message)
{
    const grpc_metadata_array *headers = NULL;
    muster_call_queue *queue;
    muster_call *call;

    begin();
    run(on_first, &headers, &call, &queue);
    atomic_store(&held_tag, &call->stream->on_headers);
    cr_assert_eq(muster_call_receive(call, NULL), MUSTER_OK);
    cr_assert_eq(send_one(call), MUSTER_OK);
    cr_assert(await(&ended));
    cr_assert_not_null(headers);
    cr_expect_not_null(find(headers, "x-server-id"));
    end(call, queue);
}

/* ---- Threads that wait ---- */

static muster_status write_one(muster_call *call)
{
    grpc_byte_buffer *message = message_of(1, SIZE);
    const muster_status status = muster_call_write(call, message, 0);

    grpc_byte_buffer_destroy(message);
    return status;
}

static void *write_beside(void *arg)
{
    cr_expect_eq(write_one(arg), MUSTER_OK);
    return NULL;
}

static void *read_beside(void *arg)
{
    grpc_byte_buffer *message = NULL;

    cr_expect_eq(muster_call_read(arg, &message), MUSTER_OK);
    cr_expect(is_message(message, 1, SIZE));
    return NULL;
}

/* That thread has its event, and has not seen whose it is. */
static pthread_t hold_up_thread(void *(*fn)(void *), muster_call *call,
                                muster_call_event_kind kind)
{
    pthread_t thread;

    atomic_store(&held_kind, (int)kind);
    cr_assert_eq(pthread_create(&thread, NULL, fn, call), 0);
    cr_assert(await(&is_held));
    return thread;
}

static void let_go(pthread_t thread)
{
    (void)sem_post(&may_go_on);
    (void)pthread_join(thread, NULL);
}

Test(grpc_stream_preempted, is_busy_until_its_writer_and_its_reader_know)
{
    grpc_byte_buffer *message = NULL;
    muster_call *call;
    pthread_t thread;

    begin();
    call = make_stream(channel, NULL, 0);
    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    thread = hold_up_thread(write_beside, call, MUSTER_CALL_SENT);
    cr_expect_eq(write_one(call), MUSTER_BUSY);
    let_go(thread);
    thread = hold_up_thread(read_beside, call, MUSTER_CALL_RECEIVED);
    cr_expect_eq(muster_call_read(call, &message), MUSTER_BUSY);
    let_go(thread);
    cr_expect_eq(write_one(call), MUSTER_OK);
    muster_call_cancel(call);
    cr_expect_eq(muster_call_wait(call), MUSTER_OK);
    muster_call_destroy(call);
    finish();
}
