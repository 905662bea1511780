/* SPDX-License-Identifier: Apache-2.0 */
/* The load report in a server's trailers reaches the policy (gRFC A51). */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

#include "backend.h"
#include "calling.h"

/* By the former name: C core keeps the one of today to itself. */
#define TRAILER "x-echo-trailer-x-endpoint-load-metrics-bin"

/* What done() was told of the last call. n is counted last. */
static struct {
    char bytes[64];
    uint32_t size;
    bool has_report;
    int status;
    _Atomic unsigned n;
} heard;

static muster_status hearing_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = &heard;
    return MUSTER_OK;
}

static muster_verdict hearing_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->index = 0;
    return MUSTER_PICK_INDEX;
}

static void hearing_done(void *self, uint64_t id, void *state,
                         const muster_outcome *outcome)
{
    (void)self;
    (void)id;
    (void)state;
    heard.has_report = outcome->load_report != NULL;
    heard.size = outcome->load_report_size;
    heard.status = outcome->status;
    if (heard.has_report && heard.size <= sizeof heard.bytes) {
        memcpy(heard.bytes, outcome->load_report, heard.size);
    }
    atomic_fetch_add(&heard.n, 1);
}

static void hearing_destroy(void *self)
{
    (void)self;
}

static const muster_plugin *hearing_entry(void)
{
    static const muster_balancer_class hearing = {
        .struct_size = sizeof hearing,
        .name = "hearing",
        .create = hearing_create,
        .pick = hearing_pick,
        .done = hearing_done,
        .destroy = hearing_destroy,
    };
    static const muster_balancer_class *const classes[] = {&hearing};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "hearing",
        .version = "test",
        .balancers = classes,
        .n_balancers = 1,
    };

    return &plugin;
}

static muster_channel *open_hearing(const char *address)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .policy = "hearing"};
    char target[256];
    muster_channel *channel = NULL;

    cr_assert_eq(muster_plugin_register(hearing_entry, NULL), MUSTER_OK);
    (void)snprintf(target, sizeof target, "static:///%s", address);
    cr_assert_eq(
        muster_grpc_channel_create(target, &options, NULL, &channel, NULL),
        MUSTER_OK);
    return channel;
}

/* A call with these headers, heard to its end; frees them. */
static grpc_status_code call_with(muster_channel *channel,
                                  grpc_metadata *headers, size_t n_headers)
{
    muster_call_options options = patient;
    const unsigned n_before = atomic_load(&heard.n);
    const uint64_t give_up_ns = now_ns() + 30000 * MILLISECOND;
    grpc_status_code status;

    options.metadata = headers;
    options.n_metadata = n_headers;
    status = ask(channel, "", &options, NULL);
    while (atomic_load(&heard.n) == n_before) {
        cr_assert_lt(now_ns(), give_up_ns);
    }
    for (size_t i = 0; i < n_headers; i++) {
        free_header(&headers[i]);
    }
    return status;
}

static grpc_metadata header(const char *key, const void *value, size_t size)
{
    const grpc_metadata item = {.key = grpc_slice_from_copied_string(key),
                                .value =
                                    grpc_slice_from_copied_buffer(value, size)};

    return item;
}

/* application_utilization 0.5, with the zeros that a double has. */
static const char report[] = "\x49\0\0\0\0\0\0\xe0\x3f";

enum { REPORT_SIZE = sizeof report - 1 };

static void expect_report(void)
{
    cr_assert(heard.has_report);
    cr_assert_eq(heard.size, REPORT_SIZE);
    cr_expect_eq(memcmp(heard.bytes, report, REPORT_SIZE), 0);
}

Test(grpc_load_report, reaches_the_policy_as_it_was_sent)
{
    backend server;
    muster_channel *channel;
    grpc_metadata headers[] = {header(TRAILER, report, REPORT_SIZE)};

    cr_assert(backend_start(&server, NULL));
    channel = open_hearing(server.address);
    cr_expect_eq(call_with(channel, headers, 1), GRPC_STATUS_OK);
    expect_report();
    cr_expect_eq(heard.status, GRPC_STATUS_OK);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_load_report, comes_with_failures_too)
{
    backend server;
    muster_channel *channel;
    grpc_metadata headers[] = {header(TRAILER, report, REPORT_SIZE),
                               header("x-status", "9", 1)};

    cr_assert(backend_start(&server, NULL));
    channel = open_hearing(server.address);
    cr_expect_eq(call_with(channel, headers, 2),
                 GRPC_STATUS_FAILED_PRECONDITION);
    expect_report();
    cr_expect_eq(heard.status, GRPC_STATUS_FAILED_PRECONDITION);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_load_report, is_null_when_the_server_sends_none)
{
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, NULL));
    channel = open_hearing(server.address);
    cr_expect_eq(call_with(channel, NULL, 0), GRPC_STATUS_OK);
    cr_expect_not(heard.has_report);
    cr_expect_eq(heard.size, 0);
    muster_channel_destroy(channel);
    backend_kill(&server);
}
