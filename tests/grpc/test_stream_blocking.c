/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of threads that wait. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

TestSuite(grpc_stream_blocking, .timeout = 110);

enum { N_MESSAGES = 1000, SIZE = 1000 };

static backend server;
static muster_channel *channel;

static muster_call *begin(const char *const *headers, uint64_t deadline_ns)
{
    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    return make_stream(channel, headers, deadline_ns);
}

static void finish(muster_call *call)
{
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

static muster_status write_message(muster_call *call, grpc_byte_buffer *message,
                                   uint32_t flags)
{
    const muster_status status = muster_call_write(call, message, flags);

    grpc_byte_buffer_destroy(message);
    return status;
}

static grpc_byte_buffer *read_message(muster_call *call)
{
    grpc_byte_buffer *message = NULL;

    cr_assert_eq(muster_call_read(call, &message), MUSTER_OK);
    return message;
}

static muster_call_result end_of(muster_call *call)
{
    cr_assert_eq(muster_call_wait(call), MUSTER_OK);
    return result_of(call);
}

static void *write_all(void *arg)
{
    muster_call *call = arg;

    for (uint64_t i = 0; i < N_MESSAGES; i++) {
        cr_assert_eq(write_message(call, message_of(i, SIZE), 0), MUSTER_OK);
    }
    cr_assert_eq(muster_call_write(call, NULL, MUSTER_SEND_LAST), MUSTER_OK);
    return NULL;
}

Test(grpc_stream_blocking, is_written_by_one_thread_and_read_by_another)
{
    muster_call *call = begin(NULL, 0);
    pthread_t writer;
    grpc_byte_buffer *message;
    uint64_t n = 0;

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_assert_eq(pthread_create(&writer, NULL, write_all, call), 0);
    while ((message = read_message(call)) != NULL) {
        cr_assert(is_message(message, n, SIZE));
        n++;
    }
    (void)pthread_join(writer, NULL);
    cr_expect_eq(n, N_MESSAGES);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

static void *write_in_turn(void *arg)
{
    muster_call *call = arg;
    muster_status status;

    for (int i = 0; i < N_MESSAGES; i++) {
        do {
            status = write_message(call, message_of(1, SIZE), 0);
        } while (status == MUSTER_BUSY);
        cr_assert_eq(status, MUSTER_OK);
    }
    return NULL;
}

/* They end the stream when both are through. */
static void *write_by_two(void *arg)
{
    pthread_t other;

    cr_assert_eq(pthread_create(&other, NULL, write_in_turn, arg), 0);
    (void)write_in_turn(arg);
    (void)pthread_join(other, NULL);
    cr_assert_eq(muster_call_write(arg, NULL, MUSTER_SEND_LAST), MUSTER_OK);
    return NULL;
}

Test(grpc_stream_blocking, has_two_writers_that_try_again_when_it_is_busy)
{
    muster_call *call = begin(NULL, 0);
    pthread_t writers;
    grpc_byte_buffer *message;
    int n = 0;

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_assert_eq(pthread_create(&writers, NULL, write_by_two, call), 0);
    for (; (message = read_message(call)) != NULL; n++) {
        cr_assert(is_message(message, 1, SIZE));
    }
    (void)pthread_join(writers, NULL);
    cr_expect_eq(n, 2 * N_MESSAGES);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream_blocking, is_written_and_read_by_turns)
{
    muster_call *call = begin(NULL, 0);

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    for (uint64_t i = 0; i < N_MESSAGES; i++) {
        cr_assert_eq(write_message(call, message_of(i, SIZE), 0), MUSTER_OK);
        cr_assert(is_message(read_message(call), i, SIZE));
    }
    cr_assert_eq(muster_call_write(call, NULL, MUSTER_SEND_LAST), MUSTER_OK);
    cr_expect_null(read_message(call));
    cr_expect_null(read_message(call), "nor later");
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    cr_expect_null(read_message(call), "nor after the end");
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK, "once more");
    finish(call);
}

Test(grpc_stream_blocking, has_one_request_and_many_answers)
{
    static const char *const headers[] = {"x-echo-copies", "1000", NULL};
    muster_call *call = begin(headers, 0);
    grpc_byte_buffer *request = message_of(3, SIZE);
    grpc_byte_buffer *message;
    int n = 0;

    cr_assert_eq(muster_call_open(call, request), MUSTER_OK);
    grpc_byte_buffer_destroy(request);
    cr_expect_eq(muster_call_write(call, NULL, MUSTER_SEND_LAST), MUSTER_INVAL);
    for (; (message = read_message(call)) != NULL; n++) {
        cr_assert(is_message(message, 3, SIZE));
    }
    cr_expect_eq(n, N_MESSAGES);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream_blocking, has_many_requests_and_one_answer)
{
    static const char *const headers[] = {"x-echo-collect", "yes", NULL};
    muster_call *call = begin(headers, 0);
    grpc_byte_buffer *message;

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    (void)write_all(call);
    message = read_message(call);
    cr_assert_not_null(message);
    cr_expect_eq(grpc_byte_buffer_length(message), N_MESSAGES * SIZE, "%zu",
                 grpc_byte_buffer_length(message));
    grpc_byte_buffer_destroy(message);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream_blocking, drops_what_is_not_read_when_waited_for)
{
    static const char *const headers[] = {"x-echo-copies", "1000", NULL};
    muster_call *call = begin(headers, 0);
    grpc_byte_buffer *request = message_of(3, SIZE);

    cr_assert_eq(muster_call_open(call, request), MUSTER_OK);
    grpc_byte_buffer_destroy(request);
    cr_assert(is_message(read_message(call), 3, SIZE));
    cr_expect_eq(end_of(call).status, GRPC_STATUS_OK);
    finish(call);
}

Test(grpc_stream_blocking, says_that_a_message_was_not_sent)
{
    static const char *const headers[] = {"x-echo-end-after", "1", "x-status",
                                          "9", NULL};
    muster_call *call = begin(headers, 0);

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_assert_eq(write_message(call, message_of(1, SIZE), 0), MUSTER_OK);
    cr_assert(is_message(read_message(call), 1, SIZE));
    cr_expect_null(read_message(call));
    cr_expect_eq(write_message(call, message_of(2, SIZE), 0), MUSTER_CLOSED);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_FAILED_PRECONDITION);
    cr_expect_eq(write_message(call, message_of(2, SIZE), 0), MUSTER_CLOSED);
    finish(call);
}

/* ---- Cancelling ---- */

static void *cancel(void *arg)
{
    cr_assert(backend_await_count(&server, "calls", 1));
    muster_call_cancel(arg);
    return NULL;
}

static void cancel_beside(muster_call *call, bool is_read)
{
    pthread_t thread;

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_assert_eq(pthread_create(&thread, NULL, cancel, call), 0);
    if (is_read) {
        cr_expect_null(read_message(call));
    } else { /* until flow control holds one back */
        while (write_message(call, message_of(1, 60000), 0) == MUSTER_OK) {
        }
    }
    (void)pthread_join(thread, NULL);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
}

Test(grpc_stream_blocking, is_cancelled_while_a_thread_reads)
{
    muster_call *call = begin(NULL, 0);

    cancel_beside(call, true);
    finish(call);
}

Test(grpc_stream_blocking, is_cancelled_while_a_thread_writes)
{
    muster_call *call = begin(NULL, 0);

    cancel_beside(call, false);
    finish(call);
}

Test(grpc_stream_blocking, is_cancelled_while_it_waits_for_a_server)
{
    muster_channel *unready = open_channel("static:///127.0.0.1:1");
    muster_call *call = make_stream(unready, NULL, 0);
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    while (stats.parked == 0) {
        cr_assert_eq(muster_channel_get_stats(unready, &stats), MUSTER_OK);
    }
    muster_call_cancel(call);
    cr_expect_eq(write_message(call, message_of(1, SIZE), 0), MUSTER_CLOSED);
    cr_expect_null(read_message(call));
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    muster_call_destroy(call);
    muster_channel_destroy(unready);
}

Test(grpc_stream_blocking, ends_at_its_deadline_in_a_read)
{
    const uint64_t start_ns = now_ns();
    muster_call *call = begin(NULL, now_ns() + 1000 * MILLISECOND);

    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_expect_null(read_message(call));
    cr_expect_eq(end_of(call).status, GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_geq(now_ns() - start_ns, 1000 * MILLISECOND);
    finish(call);
}

/* ---- Bad use ---- */

Test(grpc_stream_blocking, is_of_its_own_functions_only)
{
    muster_call *call = begin(NULL, 0);
    muster_call *other = make_stream(channel, NULL, 0);
    muster_call_queue *queue = make_queue();
    grpc_byte_buffer *message = NULL;

    cr_expect_eq(muster_call_open(NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_write(call, NULL, MUSTER_SEND_LAST), MUSTER_INVAL);
    cr_expect_eq(muster_call_read(call, &message), MUSTER_INVAL);
    cr_expect_eq(muster_call_wait(call), MUSTER_INVAL);
    cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
    cr_expect_eq(muster_call_open(call, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_send(call, NULL, MUSTER_SEND_LAST, NULL),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_receive(call, NULL), MUSTER_INVAL);
    cr_expect_eq(muster_call_write(call, NULL, 0), MUSTER_INVAL);
    muster_call_cancel(call);
    cr_expect_eq(end_of(call).status, GRPC_STATUS_CANCELLED);
    open_stream(other, NULL, queue);
    cr_expect_eq(muster_call_write(other, NULL, MUSTER_SEND_LAST),
                 MUSTER_INVAL);
    cr_expect_eq(muster_call_wait(other), MUSTER_INVAL);
    muster_call_cancel(other);
    (void)await_end(queue, other);
    muster_call_destroy(other);
    muster_call_queue_destroy(queue);
    finish(call);
}
