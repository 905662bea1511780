/* SPDX-License-Identifier: Apache-2.0 */
/* When a channel has a table built: at once for what is gone or waited for, by
 * and by for endpoints that are more. Here what is put off is so for good. */
#include "rules_fixture.h"

#include <limits.h>

#include "timing.h"

static const muster_channel_options plain = {.policy = "building"};

#define BUILDING "{\"loadBalancingConfig\": [{\"building\": {}}]}"

static bench open_for(uint64_t spacing_ms, muster_channel_options options)
{
    muster__timing_space_builds_for_test(spacing_ms);
    options.policy = "building";
    return bench_open_with(options, 0);
}

static unsigned n_builds(void)
{
    return atomic_load(&drill.n_builds);
}

/* Two serve; a third is READY, and the table that would have it put off. */
static bench open_with_one_put_off(muster_channel_options options)
{
    bench b = open_for(3600000, options);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    report(3);
    AWAIT(stats_of(&b).connections_ready == 3);
    cr_assert_eq(stats_of(&b).ready, 2);
    return b;
}

Test(channel_spacing, serves_from_what_is_ready_first)
{
    bench b = open_for(3600000, plain);

    report(1);
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
    cr_assert_eq(n_builds(), 1);
    bench_close(&b);
}

/* Else the first one would bear the calls of all. */
Test(channel_spacing, puts_off_no_view_of_twice_the_size)
{
    bench b = open_for(3600000, plain);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    report(2);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(n_builds(), 2);
    bench_close(&b);
}

Test(channel_spacing, puts_off_what_is_more)
{
    bench b = open_with_one_put_off(plain);
    unsigned before = n_builds();

    cr_assert_eq(share_of(&b, abc[2], 30), 0);
    cr_assert_eq(n_builds(), before);
    bench_close(&b);
}

Test(channel_spacing, builds_in_the_end_with_all_that_was_put_off)
{
    bench b = open_for(20, plain);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    report(3);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[2], 30), 10);
    bench_close(&b);
}

/* Rule 1. */
Test(channel_spacing, takes_a_removed_endpoint_out_at_once)
{
    bench b = open_with_one_put_off(plain);

    script_report_addresses(TARGET, abc + 1, 2);
    AWAIT(share_of(&b, abc[0], 30) == 0);
    AWAIT(share_of(&b, abc[2], 30) == 15);
    AWAIT(counts_of(&b, abc[0]).connected == 0);
    bench_close(&b);
}

Test(channel_spacing, takes_a_dead_connection_out_at_once)
{
    bench b = open_with_one_put_off(plain);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    AWAIT(share_of(&b, abc[2], 30) == 15);
    bench_close(&b);
}

Test(channel_spacing, takes_an_ejected_endpoint_out_at_once)
{
    bench b = open_with_one_put_off(plain);
    ejecting wish = {0, 1};

    muster_channel_pick_async(b.channel, NULL, eject_one, &wish, NULL);
    AWAIT(share_of(&b, abc[2], 30) == 15);
    cr_assert_eq(share_of(&b, abc[0], 30), 0);
    bench_close(&b);
}

Test(channel_spacing, is_over_when_a_pick_waits)
{
    bench b = open_with_one_put_off(plain);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(LONG_MS)};
    muster_lease lease = {0};

    atomic_store(&drill.n_to_build, n_builds() + 1);
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    cr_assert_eq(stats_of(&b).ready, 3);
    bench_close(&b);
}

Test(channel_spacing, is_over_when_an_asynchronous_pick_waits)
{
    bench b = open_with_one_put_off(plain);
    atomic_int answer = -1;

    atomic_store(&drill.n_to_build, n_builds() + 1);
    muster_channel_pick_async(b.channel, NULL, keep_answer, &answer, NULL);
    AWAIT(atomic_load(&answer) == (int)MUSTER_OK);
    cr_assert_eq(stats_of(&b).ready, 3);
    bench_close(&b);
}

/* No table helps one that waits for its time alone. */
Test(channel_spacing, is_not_over_while_a_pick_waits_for_its_time)
{
    bench b = open_for(3600000, plain);
    atomic_int answer = -1;

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    muster_channel_pick_after(b.channel, NULL, in_ms(3600000), keep_answer,
                              &answer, NULL);
    report(3);
    AWAIT(stats_of(&b).connections_ready == 3);
    cr_expect_eq(stats_of(&b).ready, 2);
    cr_expect_eq(atomic_load(&answer), -1);
    bench_close(&b);
}

Test(channel_spacing, is_over_when_the_time_of_a_pick_has_come)
{
    bench b = open_with_one_put_off(plain);
    atomic_int answer = -1;

    atomic_store(&drill.n_to_build, n_builds() + 1);
    muster_channel_pick_after(b.channel, NULL, in_ms(30), keep_answer, &answer,
                              NULL);
    AWAIT(atomic_load(&answer) == (int)MUSTER_OK);
    cr_assert_eq(stats_of(&b).ready, 3);
    bench_close(&b);
}

Test(channel_spacing, does_not_begin_while_a_pick_waits)
{
    bench b = open_for(3600000, plain);
    atomic_int answer = -1;

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    atomic_store(&drill.n_to_build, UINT_MAX);
    muster_channel_pick_async(b.channel, NULL, keep_answer, &answer, NULL);
    report(3);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(atomic_load(&answer), -1);
    bench_close(&b);
}

Test(channel_spacing, is_for_tables_of_one_policy)
{
    const muster_endpoint list[] = {{.address = abc[0]}, {.address = abc[1]}};
    unsigned before;
    bench b;

    muster__timing_space_builds_for_test(3600000);
    b = bench_open(NULL, 0);
    script_report_config(
        TARGET, list, 2,
        "{\"loadBalancingConfig\": [{\"building\": {\"a\": 1}}]}");
    AWAIT(stats_of(&b).ready == 2);
    before = n_builds();
    script_report_config(TARGET, list, 2, BUILDING);
    AWAIT(n_builds() > before);
    bench_close(&b);
}

Test(channel_spacing, does_not_keep_what_serves_alone)
{
    bench b = open_with_one_put_off(plain);

    script_report_addresses(TARGET, abc, 0);
    AWAIT(stats_of(&b).ready == 0);
    report(3);
    AWAIT(stats_of(&b).ready == 3);
    bench_close(&b);
}

Test(channel_spacing, leaves_nothing_to_do_for_a_channel_that_becomes_idle)
{
    /* Long enough for a busy machine to open it before. */
    bench b = open_with_one_put_off(
        (muster_channel_options){.idle_timeout_ms = 2000});

    AWAIT(muster_channel_state(b.channel) == MUSTER_IDLE);
    AWAIT((try_pick(&b, 0, NULL),
           muster_channel_state(b.channel) == MUSTER_CONNECTING));
    report(2);
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
    bench_close(&b);
}

/* The channel would be closed in vain, as something is left to do. */
Test(channel_spacing, does_not_keep_a_channel_open)
{
    bench b = open_with_one_put_off(plain);

    bench_close(&b);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

Test(channel_spacing, repeats_a_build_that_lacked_memory)
{
    bench b = open_for(20, plain);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    drill.build_status = MUSTER_NOMEM;
    atomic_store(&drill.fails_to_build, true);
    report(2);
    AWAIT(n_builds() >= 3);
    cr_assert_eq(share_of(&b, abc[0], 20), 20);
    atomic_store(&drill.fails_to_build, false);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(share_of(&b, abc[1], 30), 15);
    bench_close(&b);
}
