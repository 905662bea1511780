/* SPDX-License-Identifier: Apache-2.0 */
/* The policy pick_first on a real channel, over the fake transport. */
#include "channel_fixture.h"

const muster_plugin *muster_builtin_pick_first(void);

#define TARGET "pick_first"

enum { LONG_MS = 30000 };

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static void open_with(muster_channel_options options)
{
    options.policy = "pick_first";
    options.initial_backoff_ms = 5;
    options.max_backoff_ms = 20;
    open_registered(muster_builtin_pick_first, "script:///" TARGET, options);
}

static void open_channel(void)
{
    const muster_channel_options options = {0};

    open_with(options);
}

static const char *place(void)
{
    return place_by(NULL, in_ms(LONG_MS), NULL);
}

static muster_testkit_transport_counts counts_of(const char *address)
{
    muster_testkit_transport_counts counts = {0};

    muster_testkit_transport_get_counts(transport, address, &counts);
    return counts;
}

static muster_status try_fast(void)
{
    muster_lease lease = {0};
    muster_status status = muster_channel_pick(channel, NULL, &lease, NULL);

    muster_lease_finish(&lease, NULL);
    return status;
}

/* ---- attempts ---- */

Test(pick_first_channel, connects_the_first_and_no_other)
{
    open_channel();
    muster_testkit_transport_set_inline(transport, 1); /* no 250 ms go by */
    script_report_addresses(TARGET, abc, 3);
    cr_assert_str_eq(place(), abc[0]);
    cr_assert_eq(stats().connections_created, 1);
    cr_assert_eq(stats().state, MUSTER_READY);
    close_channel();
}

Test(pick_first_channel, goes_on_when_one_fails)
{
    open_channel();
    set_failure(abc[0], "refused");
    set_failure(abc[1], "refused");
    script_report_addresses(TARGET, abc, 3);
    cr_assert_str_eq(place(), abc[2]);
    AWAIT((stats(), counts_of(NULL).connecting == 0));
    cr_assert_eq(counts_of(abc[2]).created, 1);
    close_channel();
}

/* The first never answers. */
Test(pick_first_channel, begins_the_next_while_one_hangs)
{
    uint64_t begun_ns;

    open_channel();
    muster_testkit_transport_set_delay(transport, MUSTER_FOREVER);
    begun_ns = in_ms(0);
    script_report_addresses(TARGET, abc, 2);
    AWAIT((stats(), counts_of(abc[1]).connecting == 1));
    cr_expect_geq(in_ms(0) - begun_ns, 250 * UINT64_C(1000000));
    cr_expect_eq(counts_of(abc[0]).connecting, 1);
    cr_assert_eq(muster_testkit_transport_connect(transport, abc[1]), 1);
    cr_assert_str_eq(place(), abc[1]);
    AWAIT((stats(), counts_of(abc[0]).destroyed == 1));
    cr_expect_eq(stats().ready, 1);
    close_channel();
}

Test(pick_first_channel, fails_calls_when_all_have_failed_until_one_is_ready)
{
    open_channel();
    set_failure(NULL, "refused");
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().state == MUSTER_TRANSIENT_FAILURE);
    AWAIT(counts_of(NULL).created >= 12); /* it goes on trying */
    cr_expect_eq(try_fast(), MUSTER_UNAVAILABLE);
    cr_expect_eq(stats().state, MUSTER_TRANSIENT_FAILURE);
    set_failure(abc[1], NULL);
    cr_assert_str_eq(place(), abc[1]);
    cr_expect_eq(stats().state, MUSTER_READY);
    close_channel();
}

/* A list in another order is no change, but the next choice heeds it. */
Test(pick_first_channel, goes_by_the_order_of_the_last_list)
{
    static const char *const cab[] = {"10.0.0.3:1", "10.0.0.1:1", "10.0.0.2:1"};

    open_channel();
    script_report_addresses(TARGET, &abc[1], 1);
    cr_assert_str_eq(place(), abc[1]);
    script_report_addresses(TARGET, abc, 3);
    script_report_addresses(TARGET, cab, 3);
    cr_assert_str_eq(place(), abc[1]);
    set_failure(abc[1], "refused");
    cr_assert_eq(muster_testkit_transport_disconnect(transport, abc[1]), 1);
    AWAIT(strcmp(place(), abc[2]) == 0);
    close_channel();
}

/* ---- the chosen one ---- */

Test(pick_first_channel, moves_on_when_the_chosen_one_is_lost)
{
    open_channel();
    script_report_addresses(TARGET, abc, 3);
    cr_assert_str_eq(place(), abc[0]);
    set_failure(abc[0], "refused");
    cr_assert_eq(muster_testkit_transport_disconnect(transport, abc[0]), 1);
    AWAIT(strcmp(place(), abc[1]) == 0);
    set_failure(abc[0], NULL);
    for (int i = 0; i < 100; i++) {
        cr_assert_str_eq(place(), abc[1]);
    }
    cr_expect_eq(stats().ready, 1);
    close_channel();
}

Test(pick_first_channel, keeps_the_chosen_one_when_the_list_changes)
{
    open_channel();
    set_failure(abc[0], "refused");
    script_report_addresses(TARGET, abc, 2);
    cr_assert_str_eq(place(), abc[1]);
    set_failure(abc[0], NULL);
    script_report_addresses(TARGET, &abc[1], 2);
    AWAIT(stats().endpoints == 2);
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().endpoints == 3);
    cr_assert_str_eq(place(), abc[1]);
    cr_expect_eq(counts_of(abc[1]).created, 1);
    close_channel();
}

Test(pick_first_channel, serves_from_the_old_list_until_the_new_one_is_ready)
{
    open_channel();
    script_report_addresses(TARGET, abc, 1);
    cr_assert_str_eq(place(), abc[0]);
    muster_testkit_transport_set_delay(transport, MUSTER_FOREVER);
    script_report_addresses(TARGET, &abc[1], 2);
    AWAIT((stats(), counts_of(abc[1]).connecting == 1));
    for (int i = 0; i < 100; i++) {
        cr_assert_str_eq(place(), abc[0]);
    }
    cr_assert_eq(muster_testkit_transport_connect(transport, abc[1]), 1);
    AWAIT(strcmp(place(), abc[1]) == 0);
    AWAIT((stats(), counts_of(abc[0]).destroyed == 1));
    close_channel();
}

/* ---- priorities, health ---- */

Test(pick_first_channel, fails_over_to_the_next_priority_and_back)
{
    muster_endpoint list[2] = {{.address = abc[0], .priority = 1},
                               {.address = abc[1], .priority = 0}};

    open_channel();
    set_failure(abc[1], "refused");
    script_report(TARGET, list, 2);
    cr_assert_str_eq(place(), abc[0]);
    set_failure(abc[1], NULL);
    AWAIT(strcmp(place(), abc[1]) == 0);
    AWAIT((stats(), counts_of(abc[0]).destroyed == 1));
    set_failure(abc[1], "refused");
    muster_testkit_transport_disconnect(transport, abc[1]);
    AWAIT(strcmp(place(), abc[0]) == 0);
    close_channel();
}

Test(pick_first_channel, asks_for_no_health)
{
    const muster_channel_options options = {
        .service_config = "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}"};

    open_with(options);
    muster_testkit_transport_set_inline(transport, 1); /* no 250 ms go by */
    script_report_addresses(TARGET, abc, 2);
    cr_assert_str_eq(place(), abc[0]);
    cr_expect_eq(muster_testkit_transport_count_watches(transport, NULL, NULL),
                 1);
    close_channel();
}
