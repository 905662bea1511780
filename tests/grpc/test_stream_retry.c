/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that begin again: server-streaming ones by their retryPolicy, all by
 * not having left, and none once something of the server has come. */
#include "streaming.h"

#include <criterion/criterion.h>
#include <grpc/byte_buffer.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "loopback_port.h"
#include "retrying.h"

TestSuite(grpc_stream_retry, .timeout = 110);

#define HEADERS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Fails at once, without headers, N times. */
#define FAILING(n) HEADERS("x-echo-end-after", "0", "x-fail-attempts", n)

enum { SIZE = 100 };

static backend servers[2];
static muster_channel *channel;
static muster_call_queue *queue;

static void begin(size_t n, const char *config,
                  const muster_grpc_options *options)
{
    for (size_t i = 0; i < n; i++) {
        cr_assert(backend_start(&servers[i], NULL));
    }
    channel = open_retrying(servers, n, config, options);
    queue = make_queue();
}

static void finish(muster_call *call, size_t n)
{
    cr_expect_eq(stats_of(channel).in_flight, 0);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    for (size_t i = 0; i < n; i++) {
        backend_kill(&servers[i]);
    }
}

static muster_call *open_with_request(const char *const *headers)
{
    muster_call *call = make_stream(channel, headers, 0);

    open_stream(call, message_of(5, SIZE), queue);
    receive_message(call);
    return call;
}

static void expect_message(muster_call *call)
{
    const muster_call_event event =
        await_event(queue, call, MUSTER_CALL_RECEIVED);

    cr_assert(is_message(event.message, 5, SIZE));
}

static void expect_no_message(muster_call *call)
{
    cr_assert_not(await_event(queue, call, MUSTER_CALL_RECEIVED).is_ok);
}

/* ---- By retryPolicy ---- */

Test(grpc_stream_retry, of_one_with_a_request_goes_to_the_other_endpoint)
{
    muster_call *call;

    begin(2, QUICK, NULL);
    call = open_with_request(FAILING("1"));
    expect_message(call);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK, "%s",
                 result_of(call).message);
    cr_expect_eq(result_of(call).n_attempts, 2);
    cr_expect_eq(backend_count(&servers[0], "calls"), 1);
    cr_expect_eq(backend_count(&servers[1], "calls"), 1);
    cr_expect_eq(stats_of(channel).retries, 1);
    finish(call, 2);
}

Test(grpc_stream_retry, of_one_whose_first_message_is_its_last)
{
    muster_call *call;

    begin(1, QUICK, NULL);
    call = make_stream(channel, FAILING("2"), 0);
    open_stream(call, NULL, queue);
    send_message(call, message_of(5, SIZE), MUSTER_SEND_LAST);
    if (!await_event(queue, call, MUSTER_CALL_SENT).is_ok) {
        /* The server was faster, and the user has heard of it. */
        cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
        finish(call, 1);
        return;
    }
    receive_message(call);
    expect_message(call);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    cr_expect_eq(result_of(call).n_attempts, 3);
    finish(call, 1);
}

Test(grpc_stream_retry, ends_with_the_last_attempt)
{
    muster_call *call;

    begin(1, QUICK, NULL);
    call = open_with_request(FAILING("9"));
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 4);
    cr_expect_eq(stats_of(channel).retries_exhausted, 1);
    finish(call, 1);
}

Test(grpc_stream_retry, is_over_when_a_message_has_come)
{
    muster_call *call;

    begin(2, QUICK, NULL);
    call = open_with_request(
        HEADERS("x-echo-end-after", "1", "x-fail-attempts", "1"));
    expect_message(call);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call, 2);
}

Test(grpc_stream_retry, is_over_when_headers_have_come_with_metadata)
{
    muster_call *call;

    begin(2, QUICK, NULL);
    call = open_with_request(HEADERS("x-echo-end-after", "0", "x-fail-attempts",
                                     "1", "x-fail-after-headers", ""));
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    cr_expect_not_null(find(result_of(call).initial_metadata, "x-server-id"));
    finish(call, 2);
}

Test(grpc_stream_retry, is_not_of_one_that_sends_several_messages)
{
    muster_call *call;

    begin(2, QUICK, NULL);
    call = make_stream(channel, FAILING("1"), 0);
    open_stream(call, NULL, queue);
    send_message(call, message_of(5, SIZE), 0);
    (void)await_event(queue, call, MUSTER_CALL_SENT);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call, 2);
}

Test(grpc_stream_retry, is_not_of_a_request_that_is_too_large)
{
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .retry_buffer_bytes = SIZE - 1};
    muster_call *call;

    begin(2, QUICK, &options);
    call = open_with_request(FAILING("1"));
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    finish(call, 2);
}

Test(grpc_stream_retry, waits_as_long_as_the_server_says)
{
    const uint64_t start_ns = now_ns();
    muster_call *call;

    begin(1, SLOW, NULL);
    call = open_with_request(
        HEADERS("x-echo-end-after", "0", "x-fail-attempts", "1",
                "x-echo-trailer-grpc-retry-pushback-ms", "200"));
    expect_message(call);
    cr_expect_geq(now_ns() - start_ns, 200 * MILLISECOND);
    receive_message(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_OK);
    finish(call, 1);
}

Test(grpc_stream_retry, can_be_cancelled_between_attempts)
{
    muster_call *call;

    begin(1, SLOW, NULL);
    call = open_with_request(FAILING("1"));
    while (stats_of(channel).parked == 0) {
        hear_nothing(queue);
    }
    muster_call_cancel(call);
    expect_no_message(call);
    cr_expect_eq(await_end(queue, call).status, GRPC_STATUS_CANCELLED);
    finish(call, 1);
}

/* ---- By not having left ---- */

/* What is asked for before there is a connection goes out when there is. */
Test(grpc_stream_retry, keeps_what_is_asked_for_before_there_is_a_connection)
{
    enum { N = 30 };

    begin(1, QUICK, NULL);
    for (int i = 0; i < N; i++) {
        muster_channel *fresh =
            open_channel("static:///%s", servers[0].address);
        muster_call *call = make_stream(fresh, NULL, 0);

        open_stream(call, NULL, queue);
        send_message(call, message_of(5, SIZE), 0);
        cr_assert(await_event(queue, call, MUSTER_CALL_SENT).is_ok);
        receive_message(call);
        expect_message(call);
        muster_call_cancel(call);
        (void)await_end(queue, call);
        muster_call_destroy(call);
        muster_channel_destroy(fresh);
    }
    finish(NULL, 1);
}

/* Streams of three messages, over and over. */
typedef struct caller {
    atomic_bool is_stopped;
    atomic_int n_good;
    atomic_int n_bad;
    atomic_int n_wrong; /* messages that were others than sent */
    char message[256];  /* of a bad one */
} caller;

static bool say(muster_call *call, uint64_t number, caller *self)
{
    grpc_byte_buffer *message = message_of(number, SIZE);
    muster_status status =
        muster_call_write(call, message, number == 2 ? MUSTER_SEND_LAST : 0);

    grpc_byte_buffer_destroy(message);
    if (status != MUSTER_OK || muster_call_read(call, &message) != MUSTER_OK ||
        message == NULL) {
        return false;
    }
    if (!is_message(message, number, SIZE)) {
        atomic_fetch_add(&self->n_wrong, 1);
    }
    return true;
}

static void *keep_calling(void *arg)
{
    caller *self = arg;

    while (!atomic_load(&self->is_stopped)) {
        muster_call *call = make_stream(channel, NULL, 0);
        uint64_t n = 0;

        cr_assert_eq(muster_call_open(call, NULL), MUSTER_OK);
        while (n < 3 && say(call, n, self)) {
            n++;
        }
        cr_assert_eq(muster_call_wait(call), MUSTER_OK);
        if (n == 3 && result_of(call).status == GRPC_STATUS_OK) {
            atomic_fetch_add(&self->n_good, 1);
        } else {
            (void)snprintf(self->message, sizeof self->message, "%s",
                           result_of(call).message);
            atomic_fetch_add(&self->n_bad, 1);
        }
        muster_call_destroy(call);
    }
    return NULL;
}

static void let_pass(caller *self, int n)
{
    const int enough = atomic_load(&self->n_good) + n;

    while (atomic_load(&self->n_good) < enough) {
        (void)sched_yield();
    }
}

Test(grpc_stream_retry, is_none_of_streams_whose_connections_grow_old)
{
    static const char *const flags[] = {"--max-connection-age-ms", "50",
                                        "--max-connection-age-grace-ms",
                                        "30000", NULL};
    caller self = {0};
    pthread_t thread;

    cr_assert(backend_start(&servers[0], flags));
    cr_assert(backend_start(&servers[1], flags));
    channel =
        open_channel("static:///%s,%s", servers[0].address, servers[1].address);
    queue = make_queue();
    cr_assert_eq(pthread_create(&thread, NULL, keep_calling, &self), 0);
    let_pass(&self, 1000);
    atomic_store(&self.is_stopped, true);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(self.n_bad, 0, "%d of %d: %s", self.n_bad,
                 self.n_bad + self.n_good, self.message);
    cr_expect_eq(self.n_wrong, 0);
    finish(NULL, 2);
}

/* A stream that finds its connection gone begins on another one. */
Test(grpc_stream_retry, loses_only_what_was_on_the_wire_to_servers_that_die)
{
    enum { N_DEATHS = 6 };
    loopback_port ports[2]; /* kept while nobody listens there */
    caller self = {0};
    pthread_t thread;

    for (int i = 0; i < 2; i++) {
        cr_assert(loopback_port_take(&ports[i], AF_INET));
        cr_assert(backend_start_on(&servers[i], ports[i].number));
    }
    channel = open_retrying(servers, 2, "{}", NULL);
    queue = make_queue();
    cr_assert_eq(pthread_create(&thread, NULL, keep_calling, &self), 0);
    for (int i = 0; i < N_DEATHS; i++) {
        backend *server = &servers[i % 2];

        let_pass(&self, 100);
        backend_kill(server);
        let_pass(&self, 100);
        cr_assert(backend_start_on(server, ports[i % 2].number));
    }
    atomic_store(&self.is_stopped, true);
    (void)pthread_join(thread, NULL);
    cr_expect_leq(self.n_bad, 2 * N_DEATHS, "%d of %d: %s", self.n_bad,
                  self.n_bad + self.n_good, self.message);
    cr_expect_eq(self.n_wrong, 0);
    finish(NULL, 2);
    loopback_port_release(&ports[0]);
    loopback_port_release(&ports[1]);
}
