/* SPDX-License-Identifier: Apache-2.0 */
/* How many calls the dump says an endpoint got. */
#include <jansson.h>
#include <stdlib.h>

#include <channel_internal.h>
#include <connection.h>
#include <slot.h>

#include "pool_fixture.h"

static bench b;

/* Of the endpoint with that number; -1 when there is none. */
static long long number_of(size_t i, const char *key)
{
    char *text = NULL;
    json_t *dump;
    const json_t *endpoint;
    long long number;

    cr_assert_eq(muster_channel_dump_json(b.channel, &text), MUSTER_OK);
    dump = json_loads(text, 0, NULL);
    endpoint = json_array_get(json_object_get(dump, "endpoints"), i);
    number =
        endpoint == NULL
            ? -1
            : (long long)json_integer_value(json_object_get(endpoint, key));
    json_decref(dump);
    free(text);
    return number;
}

static long long calls_of(size_t i)
{
    return number_of(i, "calls");
}

static void make_calls(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        muster_lease lease = pick(&b);

        muster_lease_finish(&lease, NULL);
    }
}

static void reconnect(void)
{
    uint64_t created = counts_of(&b).created;

    (void)muster_testkit_transport_disconnect(b.transport, NULL);
    await_counts(&b, created + 1, 0, 0);
    AWAIT(muster_channel_state(b.channel) == MUSTER_READY);
}

Test(channel_calls, are_in_the_dump)
{
    b = bench_open("counted", 1, NULL);
    cr_expect_eq(calls_of(0), 0);
    make_calls(5);
    cr_expect_eq(calls_of(0), 5);
    cr_expect_eq(calls_of(0), 5);
    make_calls(3);
    cr_expect_eq(calls_of(0), 8);
    bench_close(&b);
}

Test(channel_calls, count_one_that_is_in_flight)
{
    muster_lease lease;

    b = bench_open("flying", 1, NULL);
    lease = pick(&b);
    cr_expect_eq(calls_of(0), 1);
    muster_lease_finish(&lease, NULL);
    cr_expect_eq(calls_of(0), 1);
    bench_close(&b);
}

/* Nobody looks in between: what the first connection's slot counted is told
 * when that closes. */
Test(channel_calls, go_on_with_another_connection)
{
    b = bench_open("again", 1, NULL);
    for (unsigned i = 1; i <= 3; i++) {
        make_calls(10);
        reconnect();
    }
    make_calls(10);
    cr_expect_eq(calls_of(0), 40);
    bench_close(&b);
}

/* The old connection drains beside the new one: the calls of both are. */
Test(channel_calls, are_those_of_a_draining_connection_too)
{
    muster_lease lease;

    b = bench_open("drains", 1, NULL);
    make_calls(4);
    lease = pick(&b);
    reconnect();
    make_calls(2);
    cr_expect_eq(calls_of(0), 7);
    muster_lease_finish(&lease, NULL);
    AWAIT(stats_of(&b).draining == 0);
    cr_expect_eq(calls_of(0), 7);
    bench_close(&b);
}

Test(channel_calls, are_those_of_several_connections)
{
    muster_channel_options options = {.connections_per_endpoint = 3};

    b = bench_open("several", 1, &options);
    AWAIT(stats_of(&b).connections_ready == 3);
    make_calls(30);
    cr_expect_eq(calls_of(0), 30);
    bench_close(&b);
}

Test(channel_calls, begin_anew_with_an_endpoint_that_comes_back)
{
    b = bench_open("back", 1, NULL);
    make_calls(6);
    script_report_addresses("back", NULL, 0);
    AWAIT(calls_of(0) == -1);
    script_report_addresses("back", addresses, 1);
    AWAIT(stats_of(&b).ready == 1);
    make_calls(1);
    cr_expect_eq(calls_of(0), 1);
    bench_close(&b);
}

/* What a dump amid calls may see: the end of a call, and not its beginning. */
Test(channel_calls, are_never_fewer_than_none_in_flight)
{
    _Atomic uint64_t *cell;

    b = bench_open("torn", 1, NULL);
    make_calls(1);
    cell = muster__slot_cell(
        muster__table_at(&b.channel->table, 0)->connection->last_slot, 0);
    atomic_fetch_add(cell, MUSTER__COUNT_FINISH);
    cr_expect_eq(number_of(0, "in_flight"), 0);
    cr_expect_eq(calls_of(0), 1);
    cr_expect_eq(stats_of(&b).in_flight, 0);
    atomic_fetch_sub(cell, MUSTER__COUNT_FINISH);
    bench_close(&b);
}
