/* SPDX-License-Identifier: Apache-2.0 */
/* What calls heed of a service config, against real servers. In the texts '
 * stands for ". */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <muster/service_config.h>

#include "backend.h"
#include "calling.h"

#define CONFIG(fields)                                                         \
    "{'methodConfig': [{'name': [{'service': 'echo.Echo'}], " fields "}]}"

static muster_channel *open_with(const char *target, const char *config,
                                 const grpc_channel_args *args)
{
    char *json = strdup(config);
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .initial_backoff_ms = 50,
                                            .max_backoff_ms = 100,
                                            .service_config = json};
    const muster_grpc_options grpc_options = {
        .struct_size = sizeof grpc_options, .args = args};
    muster_channel *channel = NULL;
    muster_error err;

    for (char *at = json; (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    cr_assert_eq(muster_grpc_channel_create(target, &options, &grpc_options,
                                            &channel, &err),
                 MUSTER_OK, "%s", err.message);
    free(json);
    return channel;
}

static muster_channel *open_to(const backend *server, const char *config)
{
    char target[192];

    (void)snprintf(target, sizeof target, "static:///%s", server->address);
    return open_with(target, config, NULL);
}

/* The call of text must end with status, and say so. */
static void expect_end(muster_channel *channel, const char *text,
                       const muster_call_options *options,
                       grpc_status_code status, const char *said)
{
    char *answer;

    cr_expect_eq(ask(channel, text, options, &answer), status, "%s", answer);
    cr_expect_not_null(strstr(answer, said), "%s", answer);
    free(answer);
}

Test(grpc_service_config, limits_the_time_of_a_call)
{
    backend server;
    grpc_metadata item;
    muster_call_options options = with_header(&item, "x-delay-ms", "20000");
    muster_channel *channel;
    const uint64_t start_ns = now_ns();

    cr_assert(backend_start(&server, NULL));
    channel = open_to(&server, CONFIG("'timeout': '0.1s'"));
    expect_end(channel, "", &options, GRPC_STATUS_DEADLINE_EXCEEDED, "");
    cr_expect_lt(now_ns() - start_ns, 15000 * MILLISECOND);
    free_header(&item);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_service_config, leaves_a_deadline_that_is_earlier)
{
    backend server;
    grpc_metadata item;
    muster_call_options options = with_header(&item, "x-delay-ms", "20000");
    muster_channel *channel;
    const uint64_t start_ns = now_ns();

    cr_assert(backend_start(&server, NULL));
    channel = open_to(&server, CONFIG("'timeout': '18s'"));
    options.deadline_ns = now_ns() + 100 * MILLISECOND;
    expect_end(channel, "", &options, GRPC_STATUS_DEADLINE_EXCEEDED, "");
    cr_expect_lt(now_ns() - start_ns, 15000 * MILLISECOND);
    free_header(&item);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_service_config, limits_the_wait_for_a_server)
{
    const uint64_t start_ns = now_ns();
    muster_channel *channel =
        open_with("static:///127.0.0.1:1",
                  CONFIG("'timeout': '0.1s', 'waitForReady': true"), NULL);

    expect_end(channel, "", NULL, GRPC_STATUS_DEADLINE_EXCEEDED, "");
    cr_expect_geq(now_ns() - start_ns, 100 * MILLISECOND);
    cr_expect_lt(now_ns() - start_ns, 15000 * MILLISECOND);
    muster_channel_destroy(channel);
}

/* Port 1 refuses, so that without waiting the call would fail. */
Test(grpc_service_config, is_overruled_by_a_call_that_fails_fast)
{
    static const muster_call_options fail_fast = {
        .struct_size = sizeof fail_fast, .flags = MUSTER_CALL_FAIL_FAST};
    muster_channel *channel = open_with("static:///127.0.0.1:1",
                                        CONFIG("'waitForReady': true"), NULL);

    expect_end(channel, "", &fail_fast, GRPC_STATUS_UNAVAILABLE, "127.0.0.1:1");
    muster_channel_destroy(channel);
}

Test(grpc_service_config, limits_requests)
{
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, NULL));
    channel = open_to(&server, CONFIG("'maxRequestMessageBytes': 4"));
    for (int i = 0; i < 2; i++) { /* the first may wait for the list */
        expect_end(channel, "12345", &patient, GRPC_STATUS_RESOURCE_EXHAUSTED,
                   "Sent message larger than max (5 vs. 4)");
        expect_end(channel, "1234", &patient, GRPC_STATUS_OK, "1234");
    }
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_service_config, limits_responses)
{
    backend server;
    muster_channel *channel;
    muster_call *call;
    grpc_byte_buffer *request = buffer_of("12345");
    muster_call_result result;

    cr_assert(backend_start(&server, NULL));
    channel = open_to(&server, CONFIG("'maxResponseMessageBytes': 4"));
    call = make_call(channel, &patient);
    cr_assert_eq(muster_call_unary(call, request), MUSTER_OK);
    result = result_of(call);
    cr_expect_eq(result.status, GRPC_STATUS_RESOURCE_EXHAUSTED);
    cr_expect_not_null(
        strstr(result.message, "Received message larger than max ("), "%s",
        result.message);
    cr_expect_null(result.response);
    cr_expect_eq(result.flags, 0);
    muster_call_destroy(call);
    grpc_byte_buffer_destroy(request);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_service_config, does_not_raise_the_limits_of_the_channel)
{
    grpc_arg arg = {.type = GRPC_ARG_INTEGER,
                    .key = (char *)(uintptr_t)GRPC_ARG_MAX_SEND_MESSAGE_LENGTH,
                    .value.integer = 4};
    const grpc_channel_args args = {1, &arg};
    backend server;
    muster_channel *channel;
    char target[192];

    cr_assert(backend_start(&server, NULL));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    channel = open_with(target, CONFIG("'maxRequestMessageBytes': 100"), &args);
    expect_end(channel, "12345", &patient, GRPC_STATUS_RESOURCE_EXHAUSTED,
               "Sent message larger than max (5 vs. 4)");
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_service_config, is_of_its_methods_only)
{
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, NULL));
    channel = open_to(&server, "{'methodConfig': [{'name': [{'service': "
                               "'other'}], 'maxRequestMessageBytes': 0}]}");
    expect_end(channel, "12345", &patient, GRPC_STATUS_OK, "12345");
    muster_channel_destroy(channel);
    backend_kill(&server);
}
