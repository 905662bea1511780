/* SPDX-License-Identifier: Apache-2.0 */
/* Calls from end to end: a channel, its endpoints, real servers. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <muster/grpc.h>
#include <muster/muster.h>

#include "backend.h"

#define METHOD "/echo.Echo/Unary"
#define MILLISECOND UINT64_C(1000000)

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static muster_channel *open_channel(const char *format, ...)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .initial_backoff_ms = 50,
                                      .max_backoff_ms = 100};
    muster_channel *channel = NULL;
    muster_error err;
    char target[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(target, sizeof target, format, args);
    va_end(args);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
    return channel;
}

static muster_call *make_call(muster_channel *channel,
                              const muster_call_options *options)
{
    muster_call *call = NULL;
    muster_error err;

    cr_assert_eq(muster_call_create(channel, METHOD, options, &call, &err),
                 MUSTER_OK, "%s", err.message);
    return call;
}

static grpc_byte_buffer *buffer_of(const char *text)
{
    grpc_slice slice = grpc_slice_from_copied_string(text);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    grpc_slice_unref(slice);
    return buffer;
}

/* The caller's, for free(3). */
static char *text_of(grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;
    grpc_slice slice;
    char *text;

    if (buffer == NULL || !grpc_byte_buffer_reader_init(&reader, buffer)) {
        return strdup("(nothing)");
    }
    slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    text = strndup((const char *)GRPC_SLICE_START_PTR(slice),
                   GRPC_SLICE_LENGTH(slice));
    grpc_slice_unref(slice);
    return text;
}

static muster_call_result result_of(const muster_call *call)
{
    muster_call_result result = {.struct_size = sizeof result};

    muster_call_get_result(call, &result);
    return result;
}

/* Waits, so that a test does not race with its servers. */
static const muster_call_options patient = {
    .struct_size = sizeof patient, .flags = MUSTER_CALL_WAIT_FOR_READY};

/* Blocks for one call of `text`; the status, and the answer when wanted. */
static grpc_status_code ask(muster_channel *channel, const char *text,
                            const muster_call_options *options,
                            char **ret_answer)
{
    muster_call *call = make_call(channel, options);
    grpc_byte_buffer *request = buffer_of(text);
    muster_call_result result;

    cr_assert_eq(muster_call_unary(call, request), MUSTER_OK);
    grpc_byte_buffer_destroy(request);
    result = result_of(call);
    if (ret_answer != NULL) {
        *ret_answer = result.status == GRPC_STATUS_OK ? text_of(result.response)
                                                      : strdup(result.message);
    }
    muster_call_destroy(call);
    return result.status;
}

static grpc_metadata header(const char *key, const char *value)
{
    grpc_metadata item;

    memset(&item, 0, sizeof item);
    item.key = grpc_slice_from_copied_string(key);
    item.value = grpc_slice_from_copied_string(value);
    return item;
}

static const grpc_metadata *find(const grpc_metadata_array *array,
                                 const char *key)
{
    for (size_t i = 0; i < array->count; i++) {
        if (grpc_slice_str_cmp(array->metadata[i].key, key) == 0) {
            return &array->metadata[i];
        }
    }
    return NULL;
}

/* Patient options with one header; the caller unrefs it. */
static muster_call_options with_header(grpc_metadata *item, const char *key,
                                       const char *value)
{
    muster_call_options options = patient;

    *item = header(key, value);
    options.metadata = item;
    options.n_metadata = 1;
    return options;
}

static void free_header(grpc_metadata *item)
{
    grpc_slice_unref(item->key);
    grpc_slice_unref(item->value);
}

static const char *const id_flags[][3] = {
    {"--id", "a", NULL}, {"--id", "b", NULL}, {"--id", "c", NULL}};

/* ---- blocking ---- */

Test(grpc_calls, answers_a_blocking_call)
{
    backend server;
    muster_channel *channel;
    char *answer;

    cr_assert(backend_start(&server, id_flags[0]));
    channel = open_channel("static:///%s", server.address);
    cr_expect_eq(ask(channel, "hello", &patient, &answer), GRPC_STATUS_OK);
    cr_expect_str_eq(answer, "a:hello");
    free(answer);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, leaves_the_request_as_it_was)
{
    backend server;
    muster_channel *channel;
    muster_call *call;
    grpc_byte_buffer *request = buffer_of("unchanged");

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    call = make_call(channel, &patient);
    cr_expect_eq(muster_call_unary(call, request), MUSTER_OK);
    cr_expect_eq(grpc_byte_buffer_length(request), strlen("unchanged"));
    cr_expect_eq(muster_call_unary(call, request), MUSTER_INVAL);
    grpc_byte_buffer_destroy(request);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, take_the_servers_in_turn)
{
    backend servers[3];
    muster_channel *channel;
    int n_answers[3] = {0};

    for (int i = 0; i < 3; i++) {
        cr_assert(backend_start(&servers[i], id_flags[i]));
    }
    channel = open_channel("static:///%s,%s,%s", servers[0].address,
                           servers[1].address, servers[2].address);
    for (int i = 0; i < 300; i++) {
        char *answer;

        cr_assert_eq(ask(channel, "", &patient, &answer), GRPC_STATUS_OK);
        n_answers[answer[0] - 'a']++;
        free(answer);
    }
    for (int i = 0; i < 3; i++) {
        cr_expect_geq(n_answers[i], 90, "%c: %d", 'a' + i, n_answers[i]);
        backend_kill(&servers[i]);
    }
    muster_channel_destroy(channel);
}

Test(grpc_calls, carry_metadata_both_ways)
{
    backend server;
    muster_channel *channel;
    grpc_metadata item;
    muster_call_options options = with_header(&item, "x-echo", "there");
    muster_call *call;
    muster_call_result result;
    const grpc_metadata *found;

    cr_assert(backend_start(&server, id_flags[1]));
    channel = open_channel("static:///%s", server.address);
    call = make_call(channel, &options);
    free_header(&item);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    found = find(result.initial_metadata, "x-server-id");
    cr_assert_not_null(found);
    cr_expect_eq(grpc_slice_str_cmp(found->value, "b"), 0);
    found = find(result.initial_metadata, "x-echo");
    cr_assert_not_null(found);
    cr_expect_eq(grpc_slice_str_cmp(found->value, "there"), 0);
    found = find(result.trailing_metadata, "x-echo");
    cr_assert_not_null(found);
    cr_expect_eq(grpc_slice_str_cmp(found->value, "there"), 0);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, tell_the_peer_the_attempts_and_the_time)
{
    backend server;
    muster_channel *channel;
    muster_call *call;
    muster_call_result result;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    call = make_call(channel, &patient);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNKNOWN);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.n_attempts, 1);
    cr_expect_gt(result.latency_ns, 0);
    cr_expect_eq(result.flags, MUSTER_OUTCOME_FROM_SERVER);
    cr_assert_not_null(muster_call_peer(call));
    cr_expect_str_eq(muster_call_peer(call) + strlen("ipv4:"), server.address);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, pass_on_a_status_of_the_server)
{
    backend server;
    muster_channel *channel;
    grpc_metadata item;
    muster_call_options options = with_header(&item, "x-status", "9");
    muster_call *call;
    muster_call_result result;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    call = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_FAILED_PRECONDITION);
    cr_expect_str_eq(result.message, "the server was asked to fail");
    cr_expect_eq(result.flags, MUSTER_OUTCOME_FROM_SERVER);
    cr_expect_eq(result.n_attempts, 1);
    muster_call_destroy(call);
    free_header(&item);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, do_not_repeat_what_the_server_refused)
{
    backend server;
    muster_channel *channel;
    grpc_metadata item;
    muster_call_options options = with_header(&item, "x-status", "14");
    muster_call *call;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    call = make_call(channel, &options);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    muster_call_destroy(call);
    free_header(&item);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, end_at_their_deadline_on_a_slow_server)
{
    static const char *const slow[] = {"--delay-ms", "60000", NULL};
    backend server;
    muster_channel *channel;
    muster_call_options options = patient;
    uint64_t begun_ns;

    cr_assert(backend_start(&server, slow));
    channel = open_channel("static:///%s", server.address);
    begun_ns = now_ns();
    options.deadline_ns = begun_ns + 200 * MILLISECOND;
    cr_expect_eq(ask(channel, "", &options, NULL),
                 GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_geq(now_ns() - begun_ns, 199 * MILLISECOND);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, end_at_their_deadline_while_parked)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_options options = patient;
    char *message;

    options.deadline_ns = now_ns() + 100 * MILLISECOND;
    cr_expect_eq(ask(channel, "", &options, &message),
                 GRPC_STATUS_DEADLINE_EXCEEDED);
    cr_expect_str_not_empty(message);
    free(message);
    muster_channel_destroy(channel);
}

Test(grpc_calls, fail_fast_with_the_reason_when_nothing_listens)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    char *message;

    cr_expect_eq(ask(channel, "", NULL, &message), GRPC_STATUS_UNAVAILABLE);
    cr_expect(strstr(message, "127.0.0.1:1") != NULL, "%s", message);
    cr_expect(strstr(message, "refused") != NULL, "%s", message);
    free(message);
    muster_channel_destroy(channel);
}

Test(grpc_calls, wait_for_a_server_that_starts_late)
{
    backend server;
    muster_channel *channel;
    int port;

    cr_assert(backend_start(&server, NULL));
    port = server.port;
    backend_kill(&server);
    channel = open_channel("static:///127.0.0.1:%d", port);
    cr_expect_eq(ask(channel, "", NULL, NULL), GRPC_STATUS_UNAVAILABLE);
    cr_assert(backend_start_on(&server, port));
    cr_expect_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* ---- cancelling ---- */

static void *cancel_soon(void *arg)
{
    const struct timespec soon = {.tv_nsec = 50000000};

    (void)nanosleep(&soon, NULL);
    muster_call_cancel(arg);
    return NULL;
}

static grpc_status_code cancelled_from_another_thread(muster_channel *channel)
{
    muster_call *call = make_call(channel, &patient);
    grpc_status_code status;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, cancel_soon, call), 0);
    cr_expect_eq(muster_call_unary(call, NULL), MUSTER_OK);
    (void)pthread_join(thread, NULL);
    status = result_of(call).status;
    muster_call_destroy(call);
    return status;
}

Test(grpc_calls, can_be_cancelled_on_the_wire)
{
    static const char *const slow[] = {"--delay-ms", "60000", NULL};
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, slow));
    channel = open_channel("static:///%s", server.address);
    cr_expect_eq(cancelled_from_another_thread(channel), GRPC_STATUS_CANCELLED);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, can_be_cancelled_while_parked)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");

    cr_expect_eq(cancelled_from_another_thread(channel), GRPC_STATUS_CANCELLED);
    muster_channel_destroy(channel);
}

Test(grpc_calls, can_be_cancelled_before_they_start)
{
    backend server;
    muster_channel *channel;
    muster_call *call;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_expect_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    call = make_call(channel, &patient);
    muster_call_cancel(call);
    cr_expect_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_CANCELLED);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* ---- queued ---- */

static muster_call_queue *make_queue(void)
{
    muster_call_queue *queue = NULL;
    muster_error err;

    cr_assert_eq(muster_call_queue_create(&queue, &err), MUSTER_OK, "%s",
                 err.message);
    return queue;
}

Test(grpc_calls, come_out_of_their_queue_with_their_tags)
{
    enum { N = 100 };
    backend server;
    muster_channel *channel;
    muster_call_queue *queue = make_queue();
    bool seen[N] = {false};
    int tags[N];

    cr_assert(backend_start(&server, id_flags[2]));
    channel = open_channel("static:///%s", server.address);
    for (int i = 0; i < N; i++) {
        muster_call *call = make_call(channel, &patient);
        grpc_byte_buffer *request = buffer_of("x");

        tags[i] = i;
        cr_assert_eq(muster_call_start_unary(call, request, queue, &tags[i]),
                     MUSTER_OK);
        grpc_byte_buffer_destroy(request);
    }
    muster_call_queue_shutdown(queue);
    for (int i = 0; i < N; i++) {
        muster_call_event event;

        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        cr_expect_eq(result_of(event.call).status, GRPC_STATUS_OK, "%s",
                     result_of(event.call).message);
        seen[*(int *)event.tag] = true;
        muster_call_destroy(event.call);
    }
    for (int i = 0; i < N; i++) {
        cr_expect(seen[i]);
    }
    cr_expect_eq(
        muster_call_queue_next(queue, MUSTER_FOREVER, &(muster_call_event){0}),
        MUSTER_CLOSED);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, that_fail_at_once_come_out_of_their_queue)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call_event event;

    for (int i = 0; i < 2; i++) {
        muster_call *call = make_call(channel, NULL);

        cr_assert_eq(muster_call_start_unary(call, NULL, queue, call),
                     MUSTER_OK);
        cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                     MUSTER_OK);
        cr_expect_eq(event.tag, call);
        cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
        muster_call_destroy(call);
    }
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

Test(grpc_calls, are_refused_by_a_queue_that_is_shut_down)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call *call = make_call(channel, NULL);
    muster_call_event event;

    cr_expect_eq(muster_call_queue_next(queue, 0, &event), MUSTER_TIMEOUT);
    muster_call_queue_shutdown(queue);
    muster_call_queue_shutdown(queue);
    cr_expect_eq(muster_call_start_unary(call, NULL, queue, NULL),
                 MUSTER_CLOSED);
    cr_expect_eq(muster_call_queue_next(queue, 0, &event), MUSTER_CLOSED);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

Test(grpc_calls, that_are_parked_fail_when_the_channel_closes)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call_queue *queue = make_queue();
    muster_call *call = make_call(channel, &patient);
    muster_call_event event;

    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    cr_expect_eq(muster_channel_close(channel), MUSTER_OK);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
}

/* ---- bad use ---- */

Test(grpc_calls, want_a_method_that_begins_with_a_slash)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    muster_call *call = NULL;
    muster_error err;

    cr_expect_eq(muster_call_create(channel, "Unary", NULL, &call, &err),
                 MUSTER_INVAL);
    cr_expect_str_not_empty(err.message);
    cr_expect_eq(muster_call_create(NULL, METHOD, NULL, &call, &err),
                 MUSTER_INVAL);
    cr_expect_null(call);
    muster_call_destroy(NULL);
    muster_call_cancel(NULL);
    muster_channel_destroy(channel);
}

Test(grpc_channel, says_why_a_target_is_refused)
{
    muster_channel *channel = NULL;
    muster_error err;

    cr_expect_eq(
        muster_grpc_channel_create("nonesuch:///x", NULL, NULL, &channel, &err),
        MUSTER_NOTFOUND, "%s", err.message);
    cr_expect_eq(muster_grpc_channel_create(NULL, NULL, NULL, &channel, &err),
                 MUSTER_INVAL);
    cr_expect_null(channel);
}

/* ---- the rest of C core ---- */

Test(grpc_channel, lends_its_connection)
{
    backend server;
    muster_channel *channel;
    muster_lease lease;
    muster_call_info info = {.struct_size = sizeof info};
    muster_error err;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(muster_channel_pick_wait(channel, &info, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    cr_expect_eq(grpc_channel_check_connectivity_state(
                     muster_lease_grpc_channel(&lease), 0),
                 GRPC_CHANNEL_READY);
    muster_lease_finish(&lease, NULL);
    cr_expect_null(muster_lease_grpc_channel(&lease));
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* What :authority the server saw. The caller's, for free(3). */
static char *authority_seen(const char *address,
                            const muster_channel_options *options,
                            const muster_grpc_options *grpc_options)
{
    muster_channel *channel = NULL;
    muster_call *call = NULL;
    muster_call_result result;
    muster_error err;
    char target[256];
    char *answer;

    (void)snprintf(target, sizeof target, "static:///%s", address);
    cr_assert_eq(muster_grpc_channel_create(target, options, grpc_options,
                                            &channel, &err),
                 MUSTER_OK, "%s", err.message);
    cr_assert_eq(muster_call_create(channel, "/echo.Echo/Authority", &patient,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_OK, "%s", result.message);
    answer = text_of(result.response);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    return answer;
}

Test(grpc_channel, sends_the_address_as_authority)
{
    backend server;
    char *seen;

    cr_assert(backend_start(&server, NULL));
    seen = authority_seen(server.address, NULL, NULL);
    cr_expect_str_eq(seen, server.address);
    free(seen);
    backend_kill(&server);
}

Test(grpc_channel, sends_the_authority_of_its_options)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .authority = "name.test"};
    backend server;
    char *seen;

    cr_assert(backend_start(&server, NULL));
    seen = authority_seen(server.address, &options, NULL);
    cr_expect_str_eq(seen, "name.test");
    free(seen);
    backend_kill(&server);
}

Test(grpc_channel, lets_an_argument_win_over_its_own)
{
    grpc_arg arg = {.type = GRPC_ARG_STRING,
                    .key = (char *)(size_t)GRPC_ARG_DEFAULT_AUTHORITY,
                    .value.string = (char *)(size_t) "arg.test"};
    grpc_channel_args args = {.num_args = 1, .args = &arg};
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .args = &args};
    backend server;
    char *seen;

    cr_assert(backend_start(&server, NULL));
    seen = authority_seen(server.address, NULL, &options);
    cr_expect_str_eq(seen, "arg.test");
    free(seen);
    backend_kill(&server);
}

Test(grpc_channel, keeps_credentials_that_are_released)
{
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .credentials = insecure};
    muster_channel *channel = NULL;
    backend server;
    char target[256];

    cr_assert(backend_start(&server, NULL));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    cr_assert_eq(
        muster_grpc_channel_create(target, NULL, &options, &channel, NULL),
        MUSTER_OK);
    grpc_channel_credentials_release(insecure);
    cr_expect_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

/* ---- fork, exit ---- */

Test(grpc_fork, makes_every_function_in_the_child_say_so)
{
    backend server;
    muster_channel *channel;
    muster_call *call;
    pid_t child;
    int status = 0;

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    call = make_call(channel, &patient);
    child = fork();
    if (child == 0) {
        muster_call_queue *queue = NULL;
        muster_call *other = NULL;
        bool is_good =
            muster_call_unary(call, NULL) == MUSTER_FORKED &&
            muster_call_create(channel, METHOD, NULL, &other, NULL) ==
                MUSTER_FORKED &&
            muster_call_queue_create(&queue, NULL) == MUSTER_FORKED &&
            muster_grpc_channel_create("static:///127.0.0.1:1", NULL, NULL,
                                       &channel, NULL) == MUSTER_FORKED;

        muster_call_cancel(call);
        muster_call_destroy(call);
        muster_channel_destroy(channel);
        _exit(is_good ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_eq(muster_call_unary(call, NULL), MUSTER_OK);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_OK);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}
