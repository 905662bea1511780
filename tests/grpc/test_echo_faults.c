/* SPDX-License-Identifier: Apache-2.0 */
/* muster-echo-server is slow and fails as its flags and requests say. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include <grpc/support/time.h>

#include "backend.h"
#include "core_client.h"

#define DELAY "x-envoy-fault-delay-request"
#define DELAY_PERCENTAGE "x-envoy-fault-delay-request-percentage"
#define ABORT "x-envoy-fault-abort-grpc-request"
#define ABORT_PERCENTAGE "x-envoy-fault-abort-request-percentage"

static backend server;
static core_client client;

static void start(const char *const *flags)
{
    cr_assert(backend_start(&server, flags));
    core_client_open(&client, server.address, NULL, NULL, 0);
}

static void end(void)
{
    core_client_close(&client);
    backend_kill(&server);
}

static double now_ms(void)
{
    return gpr_timespec_to_micros(gpr_now(GPR_CLOCK_MONOTONIC)) / 1000;
}

static grpc_status_code status_with(grpc_metadata *headers, size_t n_headers)
{
    core_call made;

    core_client_call(&client, &made, "", headers, n_headers);
    core_call_fini(&made);
    return made.status;
}

/* Starts a call that ends when the test wants it to, or never. */
static void start_slow(core_call *made, grpc_metadata *headers,
                       size_t n_headers)
{
    core_call_start(made, client.channel, client.queue, "/echo.Echo/Unary",
                    NULL, headers, n_headers,
                    gpr_inf_future(GPR_CLOCK_MONOTONIC));
}

static bool has_call(void *unused)
{
    (void)unused;
    return backend_count(&server, "calls") == 1;
}

/* C core knows of the loss; it may have reconnected. Its calls end a moment
 * before, and another one made then fails, too. */
static bool has_lost_first(void *unused)
{
    (void)unused;
    return grpc_channel_check_connectivity_state(client.channel, 0) !=
               GRPC_CHANNEL_READY ||
           backend_count(&server, "accepted") > 1;
}

/* ---- By flags ---- */

Test(echo_faults, delay_every_answer)
{
    static const char *const flags[] = {"--delay-ms", "50", NULL};
    double begun_ms;

    start(flags);
    begun_ms = now_ms();
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect_geq(now_ms() - begun_ms, 50);
    end();
}

Test(echo_faults, delay_less_by_the_jitter)
{
    static const char *const flags[] = {"--delay-ms", "60000",
                                        "--delay-jitter-ms", "60000", NULL};
    enum { N_CALLS = 400 };
    static core_call calls[N_CALLS];

    start(flags);
    for (int i = 0; i < N_CALLS; i++) {
        start_slow(&calls[i], NULL, 0);
    }
    /* Of so many draws from 0 to 120 s, one is under a second. */
    cr_expect(core_client_await_calls(&client, 1));
    for (int i = 0; i < N_CALLS; i++) {
        (void)grpc_call_cancel(calls[i].call, NULL);
    }
    cr_expect(core_client_await_calls(&client, N_CALLS - 1));
    for (int i = 0; i < N_CALLS; i++) {
        core_call_fini(&calls[i]);
    }
    end();
}

Test(echo_faults, delay_more_by_the_jitter)
{
    static const char *const flags[] = {"--delay-jitter-ms", "400", NULL};
    enum { N_CALLS = 32 };
    static core_call calls[N_CALLS];
    double begun_ms;

    start(flags);
    begun_ms = now_ms();
    for (int i = 0; i < N_CALLS; i++) {
        start_slow(&calls[i], NULL, 0);
    }
    cr_expect(core_client_await_calls(&client, N_CALLS));
    /* Of so many draws from -400 to 400 ms, one is over 100. */
    cr_expect_geq(now_ms() - begun_ms, 100);
    for (int i = 0; i < N_CALLS; i++) {
        core_call_fini(&calls[i]);
    }
    end();
}

Test(echo_faults, fail_from_a_command_to_the_next)
{
    start(NULL);
    cr_expect(backend_tell(&server, "error-rate 1"));
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_UNAVAILABLE);
    cr_expect(backend_tell(&server, "error-rate 0"));
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect_not(backend_tell(&server, "error-rate 2"));
    end();
}

Test(echo_faults, fail_all_with_the_given_status)
{
    static const char *const flags[] = {"--error-rate", "1", "--error-status",
                                        "RESOURCE_EXHAUSTED", NULL};

    start(flags);
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_RESOURCE_EXHAUSTED);
    end();
}

Test(echo_faults, fail_a_share)
{
    static const char *const flags[] = {"--error-rate", "0.5", NULL};
    uint64_t n_failed = 0;

    start(flags);
    for (int i = 0; i < 100; i++) {
        n_failed += core_client_ask(&client) == GRPC_STATUS_UNAVAILABLE;
    }
    cr_expect_geq(n_failed, 10);
    cr_expect_leq(n_failed, 90);
    cr_expect_eq(backend_count(&server, "failed"), n_failed);
    end();
}

/* ---- By requests ---- */

Test(echo_faults, give_a_request_its_status_text_and_trailers)
{
    grpc_metadata headers[] = {
        core_header(ABORT, "9"), core_header("x-echo-message", "not now"),
        core_header("x-echo-trailer-grpc-retry-pushback-ms", "70"),
        core_header("x-echo-trailer-b", "2")};
    core_call made;
    char *pushback;
    char *b;

    start(NULL);
    core_client_call(&client, &made, "", headers, 4);
    pushback = core_find(&made.trailing, "grpc-retry-pushback-ms");
    b = core_find(&made.trailing, "b");
    cr_expect_eq(made.status, GRPC_STATUS_FAILED_PRECONDITION);
    cr_expect_eq(grpc_slice_str_cmp(made.details, "not now"), 0);
    cr_assert(pushback != NULL && b != NULL);
    cr_expect_str_eq(pushback, "70");
    cr_expect_str_eq(b, "2");
    free(pushback);
    free(b);
    core_call_fini(&made);
    end();
}

Test(echo_faults, delay_one_request)
{
    static const char *const flags[] = {"--delay-ms", "60000", NULL};
    grpc_metadata headers[] = {core_header(DELAY, "50")};
    double begun_ms;

    start(flags); /* whose delay the request's replaces */
    begun_ms = now_ms();
    cr_expect_eq(status_with(headers, 1), GRPC_STATUS_OK);
    cr_expect_geq(now_ms() - begun_ms, 50);
    end();
}

Test(echo_faults, delayed_requests_do_not_hold_others_up)
{
    enum { N_SLOW = 200 };
    grpc_metadata slow = core_header(DELAY, "600000");
    core_call calls[N_SLOW];

    start(NULL);
    for (int i = 0; i < N_SLOW; i++) {
        start_slow(&calls[i], &slow, 1);
    }
    cr_expect_eq(status_with(NULL, 0), GRPC_STATUS_OK);
    for (int i = 0; i < N_SLOW; i++) {
        (void)grpc_call_cancel(calls[i].call, NULL);
    }
    cr_expect(core_client_await_calls(&client, N_SLOW));
    for (int i = 0; i < N_SLOW; i++) {
        core_call_fini(&calls[i]);
    }
    end();
}

Test(echo_faults, come_to_a_percentage_of_requests)
{
    grpc_metadata never[] = {
        core_header(ABORT, "9"), core_header(ABORT_PERCENTAGE, "0"),
        core_header(DELAY, "60000"), core_header(DELAY_PERCENTAGE, "0")};
    grpc_metadata always[] = {core_header(ABORT, "9"),
                              core_header(ABORT_PERCENTAGE, "100")};

    start(NULL);
    for (int i = 0; i < 10; i++) {
        cr_expect_eq(status_with(never, 4), GRPC_STATUS_OK);
        cr_expect_eq(status_with(always, 2), GRPC_STATUS_FAILED_PRECONDITION);
    }
    end();
}

Test(echo_faults, reset_the_connection_with_all_of_its_calls)
{
    grpc_metadata slow = core_header(DELAY, "60000");
    grpc_metadata abort_by_reset = core_header("x-echo-abort", "reset");
    core_call calls[2];

    start(NULL);
    start_slow(&calls[0], &slow, 1);
    cr_assert(core_client_await_condition(&client, has_call, NULL));
    start_slow(&calls[1], &abort_by_reset, 1);
    cr_assert(core_client_await_calls(&client, 2));
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(calls[i].status, GRPC_STATUS_UNAVAILABLE);
        core_call_fini(&calls[i]);
    }
    cr_assert(core_client_await_condition(&client, has_lost_first, NULL));
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect_eq(backend_count(&server, "accepted"), 2);
    end();
}

Test(echo_faults, fail_a_call_where_no_reset_is_to_be_had)
{
    grpc_metadata abort_by_reset = core_header("x-echo-abort", "reset");
    char folder[96];
    char path[108];
    const char *const flags[] = {"--unix", path, NULL};
    const char *parent = getenv("TMPDIR");

    (void)snprintf(folder, sizeof folder, "%s/musterXXXXXX",
                   parent == NULL ? "/tmp" : parent);
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/socket", folder);
    start(flags);
    cr_expect_eq(status_with(&abort_by_reset, 1), GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(core_client_ask(&client), GRPC_STATUS_OK);
    cr_expect_eq(backend_count(&server, "accepted"), 1);
    end();
    (void)unlink(path);
    (void)rmdir(folder);
}

Test(echo_faults, leave_other_requests_alone)
{
    grpc_metadata status = core_header(ABORT, "8");
    core_call made;
    char *text;

    start(NULL);
    cr_expect_eq(status_with(&status, 1), GRPC_STATUS_RESOURCE_EXHAUSTED);
    core_client_call(&client, &made, "hello", NULL, 0);
    text = core_call_text(&made);
    cr_expect_eq(made.status, GRPC_STATUS_OK);
    cr_assert_not_null(text);
    cr_expect_str_eq(text, ":hello");
    free(text);
    core_call_fini(&made);
    end();
}
