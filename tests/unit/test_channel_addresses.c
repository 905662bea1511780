/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with several addresses: which are tried, when, and what wins. */
#include <muster/muster.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"
#include "timing.h"

enum { LONG_MS = 10000, NEVER_MS = 600000, MAX_BEGUN = 80 };

#define TARGET "addresses"

/* The attempts, in their order; written on the control thread. A test reads it
 * once it has heard of what came of them. */
static char begun[4096];
static uint64_t begun_ns[MAX_BEGUN];
static unsigned n_begun;

static muster_testkit_transport *kit;
static muster_channel *channel;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The fake transport, but for the record. */
static muster_status recording_create(void *arg,
                                      const muster_connection_env *env,
                                      void **ret_connection, muster_error *err)
{
    size_t length = strlen(begun);

    cr_assert_lt(n_begun, MAX_BEGUN);
    begun_ns[n_begun++] = now_ns();
    (void)snprintf(begun + length, sizeof begun - length, "%s%s",
                   length == 0 ? "" : " ", env->address);
    return muster_testkit_transport_class()->create(arg, env, ret_connection,
                                                    err);
}

static void recording_destroy(void *connection)
{
    muster_testkit_transport_class()->destroy(connection);
}

static const muster_transport_class recording = {
    .struct_size = sizeof recording,
    .name = "recording",
    .create = recording_create,
    .destroy = recording_destroy,
};

static void set_up(void)
{
    script_register();
    cr_assert_eq(muster_testkit_transport_create(&kit), MUSTER_OK);
}

static void tear_down(void)
{
    muster_channel_destroy(channel);
    channel = NULL;
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(kit));
    muster_testkit_transport_destroy(kit);
}

TestSuite(addresses, .init = set_up, .fini = tear_down, .timeout = 60);

/* Whatever fails does not come back in the time of a test. */
static void open_channel(muster_channel_options options)
{
    muster_error err;

    options.struct_size = sizeof options;
    options.transport = &recording;
    options.transport_arg = kit;
    options.initial_backoff_ms = NEVER_MS;
    options.max_backoff_ms = NEVER_MS;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &channel, &err),
        MUSTER_OK, "%s", err.message);
}

static void report(const char *const *addresses, unsigned n)
{
    const muster_endpoint endpoint = {.address = addresses[0],
                                      .more_addresses = addresses + 1,
                                      .n_more_addresses = n - 1};

    script_report(TARGET, &endpoint, 1);
}

static const char *const three[] = {"10.0.0.1:1", "[::1]:1", "10.0.0.2:1"};

static muster_testkit_transport_counts counts_of(const char *address)
{
    muster_testkit_transport_counts counts;

    muster_testkit_transport_get_counts(kit, address, &counts);
    return counts;
}

static int is_made(void *arg, const muster_testkit_transport_counts *counts)
{
    (void)arg;
    return counts->created >= 1;
}

static int is_destroyed(void *arg,
                        const muster_testkit_transport_counts *counts)
{
    return counts->destroyed >= *(const uint64_t *)arg;
}

static void await_made(const char *address)
{
    cr_assert_eq(
        muster_testkit_transport_await(kit, address, is_made, NULL, LONG_MS),
        MUSTER_OK, "%s was never tried", address);
}

static void await_destroyed(const char *address, uint64_t n)
{
    cr_assert_eq(
        muster_testkit_transport_await(kit, address, is_destroyed, &n, LONG_MS),
        MUSTER_OK, "%s stayed", address == NULL ? "too much" : address);
}

static muster_status pick(bool is_patient, muster_error *err)
{
    muster_call_info call = {
        .struct_size = sizeof call,
        .flags = is_patient ? MUSTER_CALL_WAIT_FOR_READY : 0,
        .deadline_ns = now_ns() + LONG_MS * UINT64_C(1000000)};
    muster_lease lease = {0};
    muster_status status =
        muster_channel_pick_wait(channel, &call, &lease, err);

    if (status == MUSTER_OK) { /* says what it said with one address */
        cr_expect_str_eq(muster_lease_endpoint(&lease)->address, three[0]);
        cr_expect(
            muster_testkit_transport_use(kit, muster_lease_connection(&lease)));
    }
    muster_lease_finish(&lease, NULL);
    return status;
}

static void expect_pick(void)
{
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(pick(true, &err), MUSTER_OK, "%s", err.message);
}

static muster_channel_stats stats(void)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(channel, &stats), MUSTER_OK);
    return stats;
}

static void expect_in_dump(const char *part)
{
    char *json = NULL;

    cr_assert_eq(muster_channel_dump_json(channel, &json), MUSTER_OK);
    cr_expect(strstr(json, part) != NULL, "%s", json);
    free(json);
}

/* ---- the order ---- */

static void expect_order(const char *const *addresses, unsigned n,
                         const char *expected)
{
    muster_error err;

    (void)muster_testkit_transport_set_failure(kit, NULL, "refused");
    open_channel((muster_channel_options){0});
    report(addresses, n);
    cr_assert_eq(pick(false, &err), MUSTER_UNAVAILABLE);
    cr_expect_str_eq(begun, expected);
}

Test(addresses, are_tried_by_families_in_turns)
{
    const char *const addresses[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1",
                                     "unix:/a",    "[::1]:1",    "[::2]:1",
                                     "[::3]:1",    "[::4]:1"};

    expect_order(addresses, 8,
                 "10.0.0.1:1 unix:/a [::1]:1 10.0.0.2:1 [::2]:1 10.0.0.3:1 "
                 "[::3]:1 [::4]:1");
}

Test(addresses, are_tried_from_the_first_one_on)
{
    const char *const addresses[] = {"[::2]:1", "[::1]:1", "10.0.0.1:1"};

    expect_order(addresses, 3, "[::2]:1 10.0.0.1:1 [::1]:1");
}

Test(addresses, of_one_family_keep_their_order)
{
    const char *const addresses[] = {"unix-abstract:b", "unix:/c", "unix:/a"};

    expect_order(addresses, 3, "unix-abstract:b unix:/c unix:/a");
}

/* ---- the pace ---- */

static void expect_delay(uint64_t given_ms, uint64_t least_ms)
{
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel(
        (muster_channel_options){.connection_attempt_delay_ms = given_ms});
    report(three, 3);
    await_made(three[2]);
    cr_expect_geq(begun_ns[1] - begun_ns[0], least_ms * 1000000);
    cr_expect_geq(begun_ns[2] - begun_ns[1], least_ms * 1000000);
    cr_expect_eq(counts_of(NULL).connecting, 3);
    expect_in_dump("\"connected_address\":null");
}

Test(addresses, follow_each_other_after_250_ms)
{
    expect_delay(0, 250);
}

Test(addresses, follow_each_other_after_100_ms_at_least)
{
    expect_delay(1, 100);
}

Test(addresses, follow_each_other_after_2_s_at_most)
{
    muster__timing_scale_waits_for_test(10);
    expect_delay(UINT64_MAX, 200);
}

Test(addresses, wait_for_the_latest_when_an_earlier_one_fails)
{
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){0});
    report(three, 3);
    await_made(three[1]);
    cr_assert_eq(muster_testkit_transport_fail(kit, three[0], "no"), 1);
    await_made(three[2]);
    cr_expect_geq(begun_ns[2] - begun_ns[1], 250 * UINT64_C(1000000));
}

/* By the clock this would take longer than a pick waits. */
Test(addresses, follow_one_that_failed_at_once)
{
    enum { N = 32 };
    const char *addresses[N];
    char texts[N][24];

    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.0.0.%u:1", i + 1);
        addresses[i] = texts[i];
        (void)muster_testkit_transport_set_failure(
            kit, texts[i], i == N - 1 ? NULL : "refused");
    }
    open_channel((muster_channel_options){.connection_attempt_delay_ms = 2000});
    report(addresses, N);
    expect_pick();
    expect_in_dump("\"connected_address\":\"10.0.0.32:1\"");
}

Test(addresses, have_a_connect_timeout_each)
{
    muster_error err;

    muster_testkit_transport_set_delay(kit, 60000);
    open_channel((muster_channel_options){.connect_timeout_ms = 20,
                                          .connection_attempt_delay_ms = 2000});
    report(three, 3);
    cr_assert_eq(pick(false, &err), MUSTER_UNAVAILABLE);
    cr_expect(strstr(err.message, "10.0.0.1:1: connect timed out; "
                                  "[::1]:1: connect timed out; "
                                  "10.0.0.2:1: connect timed out") != NULL,
              "%s", err.message);
}

Test(addresses, count_once_among_those_that_connect)
{
    const muster_endpoint endpoints[] = {{.address = three[0],
                                          .more_addresses = three + 1,
                                          .n_more_addresses = 2},
                                         {.address = "10.0.0.9:1"}};

    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){.max_connecting = 1,
                                          .connection_attempt_delay_ms = 100});
    script_report(TARGET, endpoints, 2);
    await_made(three[2]);
    cr_expect_eq(counts_of("10.0.0.9:1").created, 0);
    cr_expect_eq(stats().connections_created, 1);
    cr_expect_eq(muster_testkit_transport_fail(kit, NULL, "no"), 3);
    await_made("10.0.0.9:1");
    cr_expect_eq(stats().connections_failed, 1);
}

/* ---- what wins ---- */

/* The second and the first are under way; then the second is READY. */
static void let_the_second_win(void)
{
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){.connection_attempt_delay_ms = 100});
    report(three, 2);
    await_made(three[1]);
    cr_assert_eq(muster_testkit_transport_connect(kit, three[1]), 1);
    expect_pick();
}

Test(addresses, that_are_ready_first_win)
{
    let_the_second_win();
    cr_expect_eq(counts_of(three[0]).destroyed, 1);
    cr_expect_eq(counts_of(three[1]).connected, 1);
    expect_in_dump("\"connected_address\":\"[::1]:1\"");
    expect_in_dump("\"address\":\"10.0.0.1:1\"");
    cr_expect_eq(stats().connections_created, 1);
    cr_expect_eq(stats().connections_ready, 1);
}

Test(addresses, that_are_ready_late_lose)
{
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){.connection_attempt_delay_ms = 100});
    report(three, 3);
    await_made(three[2]);
    cr_assert_eq(muster_testkit_transport_connect(kit, NULL), 3);
    expect_pick();
    await_destroyed(NULL, 2);
    cr_expect_eq(counts_of(NULL).connected, 1);
    cr_expect_eq(stats().connections_ready, 1);
}

Test(addresses, may_win_after_later_ones_failed)
{
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){.connection_attempt_delay_ms = 100});
    report(three, 3);
    await_made(three[2]);
    cr_assert_eq(muster_testkit_transport_fail(kit, three[1], "no"), 1);
    cr_assert_eq(muster_testkit_transport_fail(kit, three[2], "no"), 1);
    await_destroyed(three[1], 1);
    await_destroyed(three[2], 1);
    cr_expect_eq(stats().connections_failed, 0);
    cr_expect_eq(script_refreshes(TARGET), 0);
    cr_assert_eq(muster_testkit_transport_connect(kit, three[0]), 1);
    expect_pick();
    expect_in_dump("\"connected_address\":\"10.0.0.1:1\"");
}

Test(addresses, are_tried_from_the_first_again_when_the_winner_goes_away)
{
    let_the_second_win();
    muster_testkit_transport_set_delay(kit, 0);
    cr_assert_eq(muster_testkit_transport_disconnect(kit, three[1]), 1);
    await_destroyed(three[1], 1);
    expect_pick();
    expect_in_dump("\"connected_address\":\"10.0.0.1:1\"");
    cr_expect_str_eq(begun, "10.0.0.1:1 [::1]:1 10.0.0.1:1");
}

Test(addresses, keep_their_connection_when_only_their_order_changes)
{
    const char *const other[] = {three[2], three[0], three[1]};

    open_channel((muster_channel_options){0});
    report(three, 3);
    expect_pick();
    report(other, 3);
    (void)stats();
    expect_pick();
    cr_expect_eq(stats().connections_created, 1);
    cr_expect_str_eq(begun, "10.0.0.1:1");
}

/* ---- what is said of failures ---- */

Test(addresses, that_all_fail_are_one_failure_with_a_reason_each)
{
    muster_error err;

    (void)muster_testkit_transport_set_failure(kit, NULL, "refused");
    (void)muster_testkit_transport_set_failure(kit, three[1], "no route");
    open_channel((muster_channel_options){0});
    report(three, 3);
    cr_assert_eq(pick(false, &err), MUSTER_UNAVAILABLE);
    cr_expect(strstr(err.message,
                     "10.0.0.1:1: none of 3 addresses connects: 10.0.0.1:1: "
                     "refused; [::1]:1: no route; 10.0.0.2:1: refused") != NULL,
              "%s", err.message);
    cr_expect_eq(stats().connections_failed, 1);
    while (script_refreshes(TARGET) == 0) {
        (void)stats();
    }
    cr_expect_eq(script_refreshes(TARGET), 1);
}

/* A reason that is cut, in the middle of a character, stays UTF-8: else the
 * dump has null for it. */
Test(addresses, have_reasons_that_are_bounded)
{
    enum { N = 64 };
    const char *addresses[N];
    char texts[N][24];
    char reason[1000];
    char *json = NULL;
    const char *at;
    muster_error err;

    for (size_t i = 0; i + 2 < sizeof reason; i += 2) {
        memcpy(reason + i + 1, "\xc3\xa4", 3);
    }
    reason[0] = 'x';
    for (unsigned i = 0; i < N; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "10.0.0.%u:1", i + 1);
        addresses[i] = texts[i];
    }
    (void)muster_testkit_transport_set_failure(kit, NULL, reason);
    open_channel((muster_channel_options){0});
    report(addresses, N);
    cr_assert_eq(pick(false, &err), MUSTER_UNAVAILABLE);
    cr_assert_eq(muster_channel_dump_json(channel, &json), MUSTER_OK);
    at = strstr(json, "\"last_failure\":\"none of 64 addresses connects: ");
    cr_assert_not_null(at, "%s", json);
    cr_expect(strstr(at, "; 10.0.0.2:1: x") != NULL, "%s", at);
    cr_expect(strstr(at, " more\"") != NULL, "%s", at);
    cr_expect_lt(strlen(at), 1200);
    free(json);
}

/* ---- ends in the middle ---- */

/* In a world of its own n attempts are under way; n over 3: one of three is
 * READY. */
static void come_to_phase(unsigned n)
{
    tear_down();
    set_up();
    n_begun = 0;
    begun[0] = '\0';
    muster_testkit_transport_set_delay(kit, MUSTER_FOREVER);
    open_channel((muster_channel_options){.connection_attempt_delay_ms =
                                              n == 1 ? 2000 : 100});
    report(three, 3);
    await_made(three[n > 3 ? 2 : n - 1]);
    if (n > 3) {
        cr_assert_eq(muster_testkit_transport_connect(kit, three[1]), 1);
        expect_pick();
    }
}

static void end_all(void)
{
    await_destroyed(NULL, counts_of(NULL).created);
    cr_expect_eq(counts_of(NULL).connecting, 0);
    cr_expect_eq(counts_of(NULL).connected, 0);
}

Test(addresses, are_given_up_with_their_endpoint)
{
    for (unsigned n = 1; n <= 4; n++) {
        come_to_phase(n);
        script_report(TARGET, NULL, 0);
        (void)stats();
        end_all();
        cr_expect_eq(stats().connections_destroyed, 1);
        cr_expect_eq(stats().endpoints, 0);
    }
}

Test(addresses, are_given_up_with_their_channel)
{
    for (unsigned n = 1; n <= 4; n++) {
        come_to_phase(n);
        cr_assert_eq(muster_channel_close(channel), MUSTER_OK);
        end_all();
    }
}
