/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's settings of a channel: what C core is told, and what comes of it. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "calling.h"
#include "grpc_args.h"
#include "h2_relay.h"

/* ---- what C core is told ---- */

static muster__grpc_args args_of(const muster_grpc_options *options)
{
    muster__grpc_args args = {0};
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster__grpc_args_copy(&args, options, &err), MUSTER_OK, "%s",
                 err.message);
    return args;
}

/* INT_MIN when there is none. */
static int integer_in(const muster__grpc_args *args, const char *key)
{
    const grpc_arg *arg = muster__grpc_args_find(args, key);

    return arg == NULL ? INT_MIN : arg->value.integer;
}

Test(grpc_options, say_nothing_unless_told)
{
    muster__grpc_args args = args_of(&(muster_grpc_options){0});

    cr_expect_eq(args.n, 0);
    muster__grpc_args_fini(&args);
}

Test(grpc_options, are_arguments_of_c_core)
{
    const muster_grpc_options options = {.keepalive_time_ms = 30000,
                                         .keepalive_timeout_ms = 5000,
                                         .keepalive_permit_without_calls = 1,
                                         .max_pings_without_data = 7,
                                         .max_send_message_bytes = 1000,
                                         .max_receive_message_bytes = 2000,
                                         .compression = GRPC_COMPRESS_GZIP};
    muster__grpc_args args = args_of(&options);

    cr_expect_eq(integer_in(&args, "grpc.keepalive_time_ms"), 30000);
    cr_expect_eq(integer_in(&args, "grpc.keepalive_timeout_ms"), 5000);
    cr_expect_eq(integer_in(&args, "grpc.keepalive_permit_without_calls"), 1);
    cr_expect_eq(integer_in(&args, "grpc.http2.max_pings_without_data"), 7);
    cr_expect_eq(integer_in(&args, "grpc.max_send_message_length"), 1000);
    cr_expect_eq(integer_in(&args, "grpc.max_receive_message_length"), 2000);
    cr_expect_eq(integer_in(&args, "grpc.default_compression_algorithm"),
                 GRPC_COMPRESS_GZIP);
    muster__grpc_args_fini(&args);
}

Test(grpc_options, that_are_more_than_c_core_knows_are_no_limits)
{
    const muster_grpc_options options = {.keepalive_time_ms = UINT64_MAX,
                                         .keepalive_timeout_ms = MUSTER_FOREVER,
                                         .max_send_message_bytes = UINT64_MAX,
                                         .max_receive_message_bytes =
                                             (uint64_t)INT_MAX + 1};
    muster__grpc_args args = args_of(&options);

    cr_expect_eq(integer_in(&args, "grpc.keepalive_time_ms"), INT_MAX);
    cr_expect_eq(integer_in(&args, "grpc.keepalive_timeout_ms"), INT_MAX);
    cr_expect_eq(integer_in(&args, "grpc.max_send_message_length"), -1);
    cr_expect_eq(integer_in(&args, "grpc.max_receive_message_length"), -1);
    muster__grpc_args_fini(&args);
}

static grpc_arg integer_arg(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER,
                      .key = (char *)(uintptr_t)key,
                      .value.integer = value};
}

Test(grpc_options, lose_to_arguments)
{
    grpc_arg items[] = {integer_arg("grpc.keepalive_time_ms", 1),
                        integer_arg("grpc.http2.max_pings_without_data", 2),
                        integer_arg("grpc.max_send_message_length", 3),
                        integer_arg("grpc.enable_retries", 0)}; /* is ignored */
    const grpc_channel_args given = {4, items};
    const muster_grpc_options options = {.args = &given,
                                         .keepalive_time_ms = 30000,
                                         .max_pings_without_data = 7,
                                         .max_send_message_bytes = 1000};
    muster__grpc_args args = args_of(&options);

    cr_expect_eq(args.n, 3);
    cr_expect_eq(integer_in(&args, "grpc.keepalive_time_ms"), 1);
    cr_expect_eq(integer_in(&args, "grpc.http2.max_pings_without_data"), 2);
    cr_expect_eq(integer_in(&args, "grpc.max_send_message_length"), 3);
    muster__grpc_args_fini(&args);
}

/* A frozen peer is noticed on an idle connection, too. */
Test(grpc_options, keepalive_of_arguments_has_no_limit_of_pings_either)
{
    grpc_arg item = integer_arg("grpc.keepalive_time_ms", 1000);
    const grpc_channel_args given = {1, &item};
    muster__grpc_args args = args_of(&(muster_grpc_options){.args = &given});

    cr_expect_eq(integer_in(&args, "grpc.http2.max_pings_without_data"), 0);
    muster__grpc_args_fini(&args);
}

Test(grpc_options, know_three_algorithms)
{
    const muster_grpc_options options = {.struct_size = sizeof options,
                                         .compression =
                                             GRPC_COMPRESS_ALGORITHMS_COUNT};
    muster_channel *channel = NULL;
    muster_error err;

    cr_expect_eq(muster_grpc_channel_create("static:///127.0.0.1:1", NULL,
                                            &options, &channel, &err),
                 MUSTER_INVAL);
    cr_expect_str_eq(err.message, "there is no compression algorithm 3");
}

/* ---- what comes of it ---- */

static muster_channel *open_with(const char *address,
                                 muster_grpc_options options)
{
    muster_channel *channel = NULL;
    muster_error err;
    char target[256];

    options.struct_size = sizeof options;
    (void)snprintf(target, sizeof target, "static:///%s", address);
    cr_assert_eq(
        muster_grpc_channel_create(target, NULL, &options, &channel, &err),
        MUSTER_OK, "%s", err.message);
    return channel;
}

Test(grpc_options, surround_the_user_agent)
{
    char prefix[] = "shop/1.2";
    const muster_grpc_options options = {.user_agent_prefix = prefix,
                                         .user_agent_suffix = "(tests)"};
    backend server;
    muster_channel *channel;
    muster_call *call = NULL;
    char *answer;

    cr_assert(backend_start(&server, NULL));
    channel = open_with(server.address, options);
    memset(prefix, 'x', sizeof prefix - 1); /* it was copied */
    cr_assert_eq(muster_call_create(channel, "/echo.Echo/UserAgent", &patient,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    answer = text_of(result_of(call).response);
    cr_expect_eq(strncmp(answer, "shop/1.2 grpc-c/", 16), 0, "%s", answer);
    cr_expect(strstr(answer, " (tests)") != NULL, "%s", answer);
    free(answer);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_options, may_be_said_in_json)
{
    const muster_channel_options options = {
        .struct_size = sizeof options,
        .service_config = "{\"muster\": {\"maxSendMessageBytes\": 20}}"};
    const muster_grpc_options larger = {.struct_size = sizeof larger,
                                        .max_send_message_bytes = 1000};
    const muster_grpc_options *const given[] = {NULL, &larger};
    const grpc_status_code expected[] = {GRPC_STATUS_RESOURCE_EXHAUSTED,
                                         GRPC_STATUS_OK};
    backend server;
    char target[256];

    cr_assert(backend_start(&server, NULL));
    (void)snprintf(target, sizeof target, "static:///%s", server.address);
    for (int i = 0; i < 2; i++) {
        muster_channel *channel = NULL;

        cr_assert_eq(muster_grpc_channel_create(target, &options, given[i],
                                                &channel, NULL),
                     MUSTER_OK);
        cr_expect_eq(
            ask(channel, "a text of more than 20 bytes", &patient, NULL),
            expected[i]);
        muster_channel_destroy(channel);
    }
    backend_kill(&server);
}

Test(grpc_options, say_what_is_wrong_in_json)
{
    const muster_channel_options options = {
        .struct_size = sizeof options,
        .service_config = "{\"muster\": {\"keepaliveTime\": 30}}"};
    muster_channel *channel = NULL;
    muster_error err;

    cr_expect_eq(muster_grpc_channel_create("static:///127.0.0.1:1", &options,
                                            NULL, &channel, &err),
                 MUSTER_INVAL);
    cr_expect_str_eq(err.message, "service config: muster.keepaliveTime: must "
                                  "be a duration like \"1.5s\"");
}

static void expect_too_large(muster_grpc_options options)
{
    backend server;
    muster_channel *channel;
    char *answer = NULL;

    cr_assert(backend_start(&server, NULL));
    channel = open_with(server.address, options);
    cr_expect_eq(
        ask(channel, "a text of more than 20 bytes", &patient, &answer),
        GRPC_STATUS_RESOURCE_EXHAUSTED, "%s", answer);
    free(answer);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_options, limit_what_is_sent)
{
    expect_too_large((muster_grpc_options){.max_send_message_bytes = 20});
}

Test(grpc_options, limit_what_is_received)
{
    expect_too_large((muster_grpc_options){.max_receive_message_bytes = 20});
}

/* C core's default of 2 pings without data would end before. */
Test(grpc_options, keep_an_idle_connection_alive)
{
    static const char *const flags[] = {"--min-ping-interval-ms", "0",
                                        "--keepalive-permit-without-calls",
                                        NULL};
    const muster_grpc_options options = {.keepalive_time_ms = 1000,
                                         .keepalive_permit_without_calls = 1};
    backend server;
    h2_relay *relay;
    muster_channel *channel;

    cr_assert(backend_start(&server, flags));
    relay = h2_relay_start(server.port);
    cr_assert_not_null(relay);
    channel = open_with(h2_relay_address(relay), options);
    cr_expect(h2_relay_await(relay, h2_relay_client_pings, 3));
    cr_expect_eq(h2_relay_goaways(relay), 0);
    cr_expect_eq(h2_relay_n_connections(relay), 1);
    muster_channel_destroy(channel);
    h2_relay_stop(relay);
    backend_kill(&server);
}
