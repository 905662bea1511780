/* SPDX-License-Identifier: Apache-2.0 */
/* A channel over the fake transport: connecting, failing, replacing. */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"

enum { LONG_MS = 10000 };

typedef struct bench {
    muster_testkit_transport *transport;
    muster_channel *channel;
} bench;

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

static bench bench_open(const char *target, uint64_t delay_ms,
                        const muster_channel_options *given)
{
    bench b = {NULL, NULL};
    muster_channel_options options = {0};
    muster_error err = {.code = MUSTER_OK};

    script_register();
    if (given != NULL) {
        options = *given;
    }
    options.struct_size = sizeof options;
    cr_assert_eq(muster_testkit_transport_create(&b.transport), MUSTER_OK);
    muster_testkit_transport_set_delay(b.transport, delay_ms);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = b.transport;
    cr_assert_eq(muster_channel_create(target, &options, &b.channel, &err),
                 MUSTER_OK, "%s", err.message);
    return b;
}

static void bench_close(bench *b)
{
    muster_channel_destroy(b->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(b->transport));
    muster_testkit_transport_destroy(b->transport);
}

static muster_channel_stats stats_of(const bench *b)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(b->channel, &stats), MUSTER_OK);
    return stats;
}

/* What the channel picks, waiting for it. */
static void pick_address(const bench *b, char *ret_address)
{
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .deadline_ns = in_ms(LONG_MS)};
    muster_lease lease = {0};
    muster_error err;

    cr_assert_eq(muster_channel_pick_wait(b->channel, &call, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    strcpy(ret_address, muster_lease_endpoint(&lease)->address);
    muster_lease_finish(&lease, NULL);
}

static void report(const char *name, const char *address)
{
    script_report_addresses(name, &address, 1);
}

static int one_made(void *arg, const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->created >= 1;
}

static int n_made(void *arg, const muster_testkit_transport_counts *counts)
{
    return counts->created >= *(const uint64_t *)arg;
}

static void await_made(const bench *b, const char *address)
{
    cr_assert_eq(muster_testkit_transport_await(b->transport, address, one_made,
                                                NULL, LONG_MS),
                 MUSTER_OK);
}

Test(connecting, picks_when_the_connection_is_ready)
{
    bench b = bench_open("script:///ready", 5, NULL);
    char address[64];

    report("ready", "10.0.0.1:1");
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.1:1");
    bench_close(&b);
}

Test(connecting, fails_fast_with_the_reason_of_the_latest_failure)
{
    bench b = bench_open("script:///reason", 0, NULL);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(LONG_MS)};
    muster_lease lease = {0};
    muster_error err;

    (void)muster_testkit_transport_set_failure(b.transport, NULL,
                                               "no route to host");
    report("reason", "10.0.0.1:1");
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, &err),
                 MUSTER_UNAVAILABLE);
    cr_assert(strstr(err.message, "10.0.0.1:1: no route to host") != NULL, "%s",
              err.message);
    bench_close(&b);
}

Test(connecting, tries_again_after_backoff)
{
    muster_channel_options options = {.initial_backoff_ms = 10};
    bench b = bench_open("script:///again", 0, &options);
    uint64_t three = 3;
    char address[64];

    (void)muster_testkit_transport_set_failure(b.transport, NULL, "refused");
    report("again", "10.0.0.1:1");
    cr_assert_eq(muster_testkit_transport_await(b.transport, NULL, n_made,
                                                &three, LONG_MS),
                 MUSTER_OK);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, NULL);
    pick_address(&b, address);
    bench_close(&b);
}

Test(connecting, reconnects_at_once_when_a_ready_one_goes_away)
{
    muster_channel_options options = {.initial_backoff_ms = 600000};
    bench b = bench_open("script:///away", 0, &options);
    uint64_t two = 2;
    char address[64];

    report("away", "10.0.0.1:1");
    pick_address(&b, address);
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, NULL), 1);
    cr_assert_eq(muster_testkit_transport_await(b.transport, NULL, n_made, &two,
                                                LONG_MS),
                 MUSTER_OK);
    pick_address(&b, address);
    while (script_refreshes("away") == 0) { /* and asks for re-resolution */
        (void)stats_of(&b);
    }
    bench_close(&b);
}

Test(connecting, keeps_a_lost_connection_until_its_lease_ends)
{
    bench b = bench_open("script:///lost", 0, NULL);
    muster_call_info call = {.struct_size = sizeof call};
    muster_lease lease = {0};
    uint64_t two = 2;

    report("lost", "10.0.0.1:1");
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_OK);
    (void)muster_testkit_transport_disconnect(b.transport, NULL);
    cr_assert_eq(muster_testkit_transport_await(b.transport, NULL, n_made, &two,
                                                LONG_MS),
                 MUSTER_OK);
    cr_assert(muster_testkit_transport_use(b.transport,
                                           muster_lease_connection(&lease)));
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(connecting, limits_attempts_at_a_time)
{
    muster_channel_options options = {.max_connecting = 2};
    bench b = bench_open("script:///limit", MUSTER_FOREVER, &options);
    const char *addresses[5] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1",
                                "10.0.0.4:1", "10.0.0.5:1"};
    muster_testkit_transport_counts counts;

    script_report_addresses("limit", addresses, 5);
    while (stats_of(&b).ready < 5) {
        muster_testkit_transport_get_counts(b.transport, NULL, &counts);
        cr_assert(counts.connecting <= 2);
        (void)muster_testkit_transport_connect(b.transport, NULL);
    }
    muster_testkit_transport_get_counts(b.transport, NULL, &counts);
    cr_assert_eq(counts.max_connecting, 2);
    bench_close(&b);
}

/* ---- rule 4 ---- */

Test(replacing, serves_from_the_old_list_until_the_new_one_is_ready)
{
    bench b = bench_open("script:///hold", 0, NULL);
    char address[64];

    report("hold", "10.0.0.1:1");
    pick_address(&b, address);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report("hold", "10.0.0.2:1");
    (void)stats_of(&b);
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.1:1");
    cr_assert_eq(muster_channel_state(b.channel), MUSTER_READY);
    await_made(&b, "10.0.0.2:1");
    (void)muster_testkit_transport_connect(b.transport, NULL);
    while (strcmp(address, "10.0.0.2:1") != 0) {
        pick_address(&b, address);
    }
    for (int i = 0; i < 20; i++) {
        pick_address(&b, address);
        cr_assert_str_eq(address, "10.0.0.2:1");
    }
    bench_close(&b);
}

Test(replacing, gives_the_old_list_up_when_the_time_is_over)
{
    muster_channel_options options = {.replace_timeout_ms = 20};
    bench b = bench_open("script:///over", 0, &options);
    char address[64];
    muster_lease lease = {0};

    report("over", "10.0.0.1:1");
    pick_address(&b, address);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report("over", "10.0.0.2:1");
    while (muster_channel_state(b.channel) != MUSTER_CONNECTING) {
        (void)stats_of(&b);
    }
    cr_assert_eq(muster_channel_pick(b.channel, NULL, &lease, NULL),
                 MUSTER_QUEUED);
    bench_close(&b);
}

/* Each list is new, and none of them is served. */
Test(replacing, gives_the_old_list_up_in_time_though_lists_keep_coming)
{
    muster_channel_options options = {.replace_timeout_ms = 200};
    bench b = bench_open("script:///coming", 0, &options);
    uint64_t begun_ns;
    unsigned n_lists = 0;
    char address[64];

    report("coming", "10.0.0.1:1");
    pick_address(&b, address);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    begun_ns = in_ms(0);
    while (muster_channel_state(b.channel) != MUSTER_CONNECTING) {
        cr_assert_lt(in_ms(0), begun_ns + LONG_MS * UINT64_C(1000000),
                     "%u lists have not ended the old one", n_lists);
        n_lists++;
        (void)snprintf(address, sizeof address, "10.1.%u.%u:1",
                       n_lists >> 8 & 255, n_lists & 255);
        report("coming", address);
        (void)stats_of(&b);
    }
    cr_expect_geq(in_ms(0), begun_ns + 199 * UINT64_C(1000000));
    bench_close(&b);
}

Test(replacing, keeps_the_connection_of_one_that_is_listed_again)
{
    bench b = bench_open("script:///relist", 0, NULL);
    char address[64];

    report("relist", "10.0.0.1:1");
    pick_address(&b, address);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report("relist", "10.0.0.2:1");
    (void)stats_of(&b);
    report("relist", "10.0.0.1:1");
    (void)stats_of(&b);
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.1:1");
    cr_assert_eq(stats_of(&b).connections_created, 2);
    cr_assert_eq(stats_of(&b).endpoints, 1);
    bench_close(&b);
}

Test(replacing, drops_the_old_list_when_the_new_one_is_empty)
{
    bench b = bench_open("script:///none", 0, NULL);
    char address[64];
    muster_lease lease = {0};

    report("none", "10.0.0.1:1");
    pick_address(&b, address);
    script_report_addresses("none", NULL, 0);
    (void)stats_of(&b);
    cr_assert_eq(muster_channel_pick(b.channel, NULL, &lease, NULL),
                 MUSTER_UNAVAILABLE);
    bench_close(&b);
}

/* ---- rule 12 ---- */

static const muster_endpoint two_priorities[2] = {
    {.address = "10.0.0.1:1", .priority = 0},
    {.address = "10.0.0.2:1", .priority = 1}};

Test(priorities, do_not_connect_the_second_while_the_first_is_ready)
{
    bench b = bench_open("script:///first", 0, NULL);
    muster_testkit_transport_counts counts;
    char address[64];

    script_report("first", two_priorities, 2);
    for (int i = 0; i < 20; i++) {
        pick_address(&b, address);
        cr_assert_str_eq(address, "10.0.0.1:1");
    }
    muster_testkit_transport_get_counts(b.transport, "10.0.0.2:1", &counts);
    cr_assert_eq(counts.created, 0);
    bench_close(&b);
}

Test(priorities, fail_over_at_once_when_the_first_fails)
{
    bench b = bench_open("script:///over", 0, NULL);
    char address[64];

    (void)muster_testkit_transport_set_failure(b.transport, "10.0.0.1:1", "no");
    script_report("over", two_priorities, 2);
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.2:1");
    bench_close(&b);
}

Test(priorities, fail_over_when_the_first_takes_too_long)
{
    muster_channel_options options = {.failover_timeout_ms = 20};
    bench b = bench_open("script:///slow", MUSTER_FOREVER, &options);
    char address[64];

    script_report("slow", two_priorities, 2);
    await_made(&b, "10.0.0.2:1");
    (void)muster_testkit_transport_connect(b.transport, "10.0.0.2:1");
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.2:1");
    bench_close(&b);
}

Test(priorities, go_back_when_the_first_is_ready_again)
{
    muster_channel_options options = {.initial_backoff_ms = 5};
    bench b = bench_open("script:///back", 0, &options);
    char address[64];

    (void)muster_testkit_transport_set_failure(b.transport, "10.0.0.1:1", "no");
    script_report("back", two_priorities, 2);
    pick_address(&b, address);
    cr_assert_str_eq(address, "10.0.0.2:1");
    (void)muster_testkit_transport_set_failure(b.transport, "10.0.0.1:1", NULL);
    while (strcmp(address, "10.0.0.1:1") != 0) {
        pick_address(&b, address);
    }
    for (int i = 0; i < 20; i++) {
        pick_address(&b, address);
        cr_assert_str_eq(address, "10.0.0.1:1");
    }
    bench_close(&b);
}
