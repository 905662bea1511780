/* SPDX-License-Identifier: Apache-2.0 */
/* What happens on a backend that is no longer listed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "limit.h"
#include "load.h"
#include "stream.h"
#include "usage.h"

enum { FIRST = 1, SECOND = 2, N_ECHOES = 100, DRAIN_MS = 200 };

static int port_of(const cluster *c, size_t i)
{
    return c->servers[i].port;
}

/* A stream on the first of two servers, which then is removed. */
static stream *open_on_removed(cluster *c)
{
    stream *s;

    cluster_list_ready(c, FIRST);
    s = stream_open(c->channel);
    cr_assert(stream_echo(s));
    cr_assert_str_eq(stream_address(s), c->servers[0].address);
    cluster_list(c, SECOND);
    return s;
}

static bool is_drained(void *arg)
{
    const muster_channel_stats stats = cluster_stats(arg);

    return stats.ready == 1 && stats.draining == 1;
}

static bool is_cut(void *arg)
{
    return usage_connections(*(int *)arg) == 0;
}

Test(removal, lets_a_stream_go_on_and_then_closes_its_connection)
{
    cluster c;
    stream *s;
    uint64_t n_destroyed;
    int port;

    cluster_init(&c, "removal", 2, NULL, NULL);
    s = open_on_removed(&c);
    port = port_of(&c, 0);
    cr_assert(eventually(is_drained, &c));
    n_destroyed = cluster_stats(&c).connections_destroyed;
    for (int i = 0; i < N_ECHOES; i++) {
        cr_assert(stream_echo(s), "echo %d", i);
    }
    cr_expect_eq(usage_connections(port), 1);
    cr_expect_eq(stream_finish(s), GRPC_STATUS_OK);
    cluster_await_calm(&c, 1);
    cr_expect_eq(cluster_stats(&c).connections_destroyed, n_destroyed + 1);
    cr_expect(eventually(is_cut, &port), "the server still has it");
    cluster_fini(&c);
}

Test(removal, sends_no_further_call_to_the_backend)
{
    cluster c;
    stream *s;
    load *calls;

    cluster_init(&c, "no-calls", 2, NULL, NULL);
    s = open_on_removed(&c);
    cr_assert(eventually(is_drained, &c));
    calls = load_start_blocking(c.channel, 2);
    cr_expect(load_await(calls, 1000));
    load_stop(calls);
    cr_expect_eq(load_failed(calls), 0);
    cr_expect_eq(load_answered_by(calls, port_of(&c, 0)), 0);
    cr_expect_eq(load_answered_by(calls, port_of(&c, 1)), load_ended(calls));
    cr_expect_eq(stream_finish(s), GRPC_STATUS_OK);
    load_destroy(calls);
    cluster_fini(&c);
}

Test(removal, keeps_the_connection_when_the_backend_comes_back_in_time)
{
    cluster c;
    stream *s;
    uint64_t n_created;

    cluster_init(&c, "back-in-time", 2, NULL, NULL);
    s = open_on_removed(&c);
    cr_assert(eventually(is_drained, &c));
    n_created = cluster_stats(&c).connections_created;
    cluster_list(&c, FIRST | SECOND);
    cr_expect(cluster_await_ready(&c, 2));
    cr_expect(stream_echo(s));
    cr_expect_leq(cluster_stats(&c).connections_created, n_created + 1);
    cr_expect_eq(stream_finish(s), GRPC_STATUS_OK);
    cluster_await_calm(&c, 2);
    cluster_fini(&c);
}

static bool is_seen_once(void *arg)
{
    return usage_connections(*(int *)arg) == 1;
}

/* Listed and removed faster than a connection is made. */
Test(removal, leaves_no_socket_of_an_attempt_that_it_gives_up)
{
    cluster c;
    int port;

    cluster_init(&c, "given-up", 2, NULL, NULL);
    port = port_of(&c, 1);
    cluster_list_ready(&c, FIRST);
    for (int i = 0; i < 200; i++) {
        cluster_list(&c, FIRST | SECOND);
        (void)cluster_stats(&c); /* by now the attempt is under way */
        cluster_list(&c, FIRST);
        (void)cluster_stats(&c);
    }
    cluster_list_ready(&c, FIRST | SECOND);
    cr_expect(eventually(is_seen_once, &port), "the server sees %zu",
              usage_connections(port));
    cluster_fini(&c);
}

static muster_call *start_call(cluster *c, muster_call_queue *queue)
{
    grpc_metadata slow = {.key = grpc_slice_from_static_string("x-delay-ms"),
                          .value = grpc_slice_from_static_string("20000")};
    const muster_call_options options = {
        .struct_size = sizeof options, .metadata = &slow, .n_metadata = 1};
    muster_call *call = NULL;

    cr_assert_eq(muster_call_create(c->channel, "/echo.Echo/Unary", &options,
                                    &call, NULL),
                 MUSTER_OK);
    cr_assert_eq(muster_call_start_unary(call, NULL, queue, NULL), MUSTER_OK);
    return call;
}

static bool is_in_flight(void *arg)
{
    return cluster_stats(arg).in_flight == 1;
}

/* A call that would take 20 s, on a backend that is removed meanwhile. */
Test(removal, cancels_a_call_after_the_drain_deadline)
{
    const muster_channel_options options = {.struct_size = sizeof options,
                                            .drain_deadline_ms = DRAIN_MS};
    muster_call_result result = {.struct_size = sizeof result};
    muster_call_queue *queue = NULL;
    muster_call_event event;
    muster_call *call;
    uint64_t removed_ns;
    uint64_t taken_ms;
    cluster c;

    cluster_init(&c, "deadline", 2, NULL, &options);
    cluster_list_ready(&c, FIRST);
    cr_assert_eq(muster_call_queue_create(&queue, NULL), MUSTER_OK);
    call = start_call(&c, queue);
    cr_assert(eventually(is_in_flight, &c));
    removed_ns = now_ns();
    cluster_list(&c, SECOND);
    cr_assert_eq(muster_call_queue_next(
                     queue, removed_ns + UINT64_C(10000000000), &event),
                 MUSTER_OK);
    taken_ms = (now_ns() - removed_ns) / 1000000;
    muster_call_get_result(call, &result);
    (void)printf("cancelled after %lu ms with status %d: %s\n", taken_ms,
                 (int)result.status, result.message);
    cr_expect_geq(taken_ms, DRAIN_MS);
    cr_expect_lt(taken_ms, DRAIN_MS + limit_ns(500) / 1000000);
    cr_expect_eq(result.status, GRPC_STATUS_UNAVAILABLE);
    cr_expect_eq(result.n_attempts, 1);
    cr_expect(strstr(muster_call_peer(call), c.servers[0].address) != NULL);
    muster_call_destroy(call);
    muster_call_queue_destroy(queue);
    cluster_await_calm(&c, 1);
    cluster_fini(&c);
}
