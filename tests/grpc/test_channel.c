/* SPDX-License-Identifier: Apache-2.0 */
/* Channels over gRPC: what they send, whom they call, how they end. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend.h"
#include "calling.h"

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

/* Removes the endpoint a call is on; how the call ended. */
static grpc_status_code removed_in_the_middle(uint64_t drain_deadline_ms,
                                              const char *delay_ms)
{
    const char *const flags[] = {"--delay-ms", delay_ms, NULL};
    muster_channel_options options = {.struct_size = sizeof options,
                                      .drain_deadline_ms = drain_deadline_ms};
    const char *parent = getenv("TMPDIR");
    char folder[64];
    char path[96];
    char target[112];
    backend servers[2];
    muster_channel *channel = NULL;
    muster_call_queue *queue = make_queue();
    muster_call_info info = {.struct_size = sizeof info};
    muster_lease lease;
    muster_call *call;
    muster_call_event event;
    grpc_status_code status;
    muster_error err;

    (void)snprintf(folder, sizeof folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/list", folder);
    (void)snprintf(target, sizeof target, "file://%s", path);
    cr_assert(backend_start(&servers[0], flags));
    cr_assert(backend_start(&servers[1], NULL));
    write_list(path, servers[0].address);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
    cr_assert_eq(muster_channel_pick_wait(channel, &info, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    muster_lease_finish(&lease, NULL);
    call = make_call(channel, NULL);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    write_list(path, servers[1].address);
    cr_assert_eq(muster_call_queue_next(queue, MUSTER_FOREVER, &event),
                 MUSTER_OK);
    status = result_of(call).status;
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    muster_channel_destroy(channel);
    backend_kill(&servers[0]);
    backend_kill(&servers[1]);
    (void)unlink(path);
    (void)rmdir(folder);
    return status;
}

Test(grpc_channel, lets_calls_on_a_removed_endpoint_finish)
{
    cr_expect_eq(removed_in_the_middle(0, "500"), GRPC_STATUS_OK);
}

Test(grpc_channel, cancels_calls_on_a_removed_endpoint_at_the_deadline)
{
    cr_expect_eq(removed_in_the_middle(50, "60000"), GRPC_STATUS_UNAVAILABLE);
}

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
