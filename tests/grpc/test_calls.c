/* SPDX-License-Identifier: Apache-2.0 */
/* Blocking calls, from end to end: a channel, its endpoints, real servers. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <muster/muster.h>
#include <muster/plugin.h>

#include "backend.h"
#include "calling.h"
#include "loopback_port.h"

static const char *const id_flags[][3] = {
    {"--id", "a", NULL}, {"--id", "b", NULL}, {"--id", "c", NULL}};

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

static void await_ready(muster_channel *channel, uint64_t n)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};
    const uint64_t give_up_ns = now_ns() + 10000 * MILLISECOND;

    while (stats.ready < n) {
        cr_assert(now_ns() < give_up_ns);
        cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    }
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
    await_ready(channel, 3);
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

/* C core keeps names of more than 23 bytes outside of the slice: for the lane
 * that finds leaks. */
Test(grpc_calls, forget_the_name_of_their_method)
{
    backend server;
    muster_channel *channel;
    muster_call *call = NULL;
    muster_call_result result = {.struct_size = sizeof result};

    cr_assert(backend_start(&server, NULL));
    channel = open_channel("static:///%s", server.address);
    cr_assert_eq(muster_call_create(channel,
                                    "/a.package.with.a.name/Service.AndMethod",
                                    &patient, &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    muster_call_get_result(call, &result);
    cr_expect_eq(result.status, GRPC_STATUS_UNIMPLEMENTED);
    muster_call_destroy(call);
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

static void *kill_on_call(void *server)
{
    cr_expect(backend_await_call(server));
    backend_kill(server);
    return NULL;
}

Test(grpc_calls, are_not_repeated_when_the_server_dies_on_them)
{
    static const char *const slow[] = {"--delay-ms", "60000", "--tell-calls",
                                       NULL};
    backend server;
    muster_channel *channel;
    muster_call_options options = patient;
    muster_call *call;
    pthread_t thread;

    cr_assert(backend_start(&server, slow));
    channel = open_channel("static:///%s", server.address);
    options.deadline_ns = now_ns() + 20000 * MILLISECOND;
    call = make_call(channel, &options);
    cr_assert_eq(pthread_create(&thread, NULL, kill_on_call, &server), 0);
    cr_assert_eq(muster_call_unary(call, NULL), MUSTER_OK);
    (void)pthread_join(thread, NULL);
    cr_expect_eq(result_of(call).status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result_of(call).n_attempts, 1);
    cr_expect_eq(result_of(call).flags, 0);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
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
    loopback_port port;
    muster_channel *channel;

    cr_assert(loopback_port_take(&port, AF_INET));
    channel = open_channel("static:///127.0.0.1:%d", port.number);
    cr_expect_eq(ask(channel, "", NULL, NULL), GRPC_STATUS_UNAVAILABLE);
    cr_assert(backend_start_on(&server, port.number));
    cr_expect_eq(ask(channel, "", &patient, NULL), GRPC_STATUS_OK);
    muster_channel_destroy(channel);
    backend_kill(&server);
    loopback_port_release(&port);
}

/* ---- cancelling ---- */

/* Cancels the call when it has come to the server, or, without one, when it is
 * parked. */
typedef struct canceller {
    muster_call *call;
    muster_channel *channel;
    backend *server;
} canceller;

static void *cancel_when_out(void *arg)
{
    canceller *self = arg;
    muster_channel_stats stats = {.struct_size = sizeof stats};

    if (self->server != NULL) {
        cr_expect(backend_await_call(self->server));
    }
    while (self->server == NULL && stats.parked == 0) {
        cr_assert_eq(muster_channel_get_stats(self->channel, &stats),
                     MUSTER_OK);
    }
    muster_call_cancel(self->call);
    return NULL;
}

static grpc_status_code cancelled_from_another_thread(muster_channel *channel,
                                                      backend *server)
{
    canceller self = {make_call(channel, &patient), channel, server};
    grpc_status_code status;
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, cancel_when_out, &self), 0);
    cr_expect_eq(muster_call_unary(self.call, NULL), MUSTER_OK);
    (void)pthread_join(thread, NULL);
    status = result_of(self.call).status;
    muster_call_destroy(self.call);
    return status;
}

Test(grpc_calls, can_be_cancelled_on_the_wire)
{
    static const char *const slow[] = {"--delay-ms", "60000", "--tell-calls",
                                       NULL};
    backend server;
    muster_channel *channel;

    cr_assert(backend_start(&server, slow));
    channel = open_channel("static:///%s", server.address);
    cr_expect_eq(cancelled_from_another_thread(channel, &server),
                 GRPC_STATUS_CANCELLED);
    muster_channel_destroy(channel);
    backend_kill(&server);
}

Test(grpc_calls, can_be_cancelled_while_parked)
{
    muster_channel *channel = open_channel("static:///127.0.0.1:1");

    cr_expect_eq(cancelled_from_another_thread(channel, NULL),
                 GRPC_STATUS_CANCELLED);
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

/* ---- a policy that fails calls ---- */

static muster_status denying_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = NULL;
    return MUSTER_OK;
}

static muster_verdict denying_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->status = GRPC_STATUS_PERMISSION_DENIED;
    result->message = "not today";
    return MUSTER_PICK_FAIL;
}

static void denying_destroy(void *self)
{
    (void)self;
}

static const muster_plugin *denying_entry(void)
{
    static const muster_balancer_class denying = {
        .struct_size = sizeof denying,
        .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
        .name = "denying",
        .create = denying_create,
        .pick = denying_pick,
        .destroy = denying_destroy,
    };
    static const muster_balancer_class *const classes[] = {&denying};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "denying",
        .version = "test",
        .balancers = classes,
        .n_balancers = 1,
    };

    return &plugin;
}

Test(grpc_calls, end_with_the_status_that_a_policy_fails_them_with)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = "denying"};
    muster_channel *channel = NULL;
    char *message;

    cr_assert_eq(muster_plugin_register(denying_entry, NULL), MUSTER_OK);
    cr_assert_eq(muster_channel_create("static:///127.0.0.1:1", &options,
                                       &channel, NULL),
                 MUSTER_OK);
    cr_expect_eq(ask(channel, "hello", &patient, &message),
                 GRPC_STATUS_PERMISSION_DENIED);
    cr_expect_str_eq(message, "not today");
    free(message);
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

/* C core would take none of it, and the call would never end. */
Test(grpc_calls, want_metadata_that_is_legal)
{
    static const char *const bad[][2] = {{"X-Upper", "1"}, {"x-text", "\n"}};
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    grpc_metadata item;
    const muster_call_options options = {
        .struct_size = sizeof options, .metadata = &item, .n_metadata = 1};
    muster_call *call = NULL;
    muster_error err;

    for (size_t i = 0; i < 2; i++) {
        memset(&item, 0, sizeof item);
        item.key = grpc_slice_from_static_string(bad[i][0]);
        item.value = grpc_slice_from_static_string(bad[i][1]);
        cr_expect_eq(muster_call_create(channel, METHOD, &options, &call, &err),
                     MUSTER_INVAL);
    }
    muster_channel_destroy(channel);
}

static void forget(void *pages)
{
    (void)munmap(pages, (size_t)UINT32_MAX);
}

/* Of pages that are never touched. */
Test(grpc_calls, want_metadata_that_fits_into_32_bits)
{
    void *pages = mmap(NULL, (size_t)UINT32_MAX, PROT_READ,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    muster_channel *channel = open_channel("static:///127.0.0.1:1");
    grpc_metadata item = {.key = grpc_slice_from_static_string("x-long-bin")};
    const muster_call_options options = {
        .struct_size = sizeof options, .metadata = &item, .n_metadata = 1};
    muster_call *call = NULL;
    muster_error err;

    cr_assert_neq(pages, MAP_FAILED);
    item.value = grpc_slice_new(pages, (size_t)UINT32_MAX, forget);
    cr_expect_eq(muster_call_create(channel, METHOD, &options, &call, &err),
                 MUSTER_INVAL);
    grpc_slice_unref(item.value);
    muster_call_destroy(call);
    muster_channel_destroy(channel);
}

/* Nothing connects there. */
Test(grpc_calls, want_a_channel_over_grpc)
{
    muster_channel *channel = NULL;
    muster_error err;
    char *message;

    cr_assert_eq(
        muster_channel_create("static:///127.0.0.1:1", NULL, &channel, &err),
        MUSTER_OK, "%s", err.message);
    cr_expect_eq(ask(channel, "", &patient, &message), GRPC_STATUS_INTERNAL);
    cr_expect(strstr(message, "muster_grpc_channel_create()") != NULL, "%s",
              message);
    free(message);
    muster_channel_destroy(channel);
}
