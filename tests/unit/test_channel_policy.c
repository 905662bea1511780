/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel makes of its policy: answers, tables, wishes, an end. */
#include "rules_fixture.h"

#include "timing.h"

/* ---- rule 7, and a policy's own failures ---- */

static void check_policy_failure(const bench *b, int status, int expected)
{
    muster_error err = {.code = MUSTER_OK};

    drill.failure.status = status;
    drill.failure.message = "over quota";
    cr_assert_eq(try_pick(b, MUSTER_CALL_WAIT_FOR_READY, &err),
                 MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message, "over quota");
    cr_assert_eq(err.grpc_status, expected, "%d for %d", err.grpc_status,
                 status);
}

Test(rules, do_not_ask_a_policy_before_the_first_list)
{
    bench b = bench_open("failing", 0);

    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    report(0);
    (void)stats_of(&b);
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL),
                 MUSTER_UNAVAILABLE);
    bench_close(&b);
}

Test(rules, tell_the_status_that_a_policy_fails_a_call_with)
{
    bench b = bench_open("failing", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    check_policy_failure(&b, 7, 7);  /* PERMISSION_DENIED */
    check_policy_failure(&b, 0, 14); /* OK is no failure: UNAVAILABLE */
    check_policy_failure(&b, -1, 14);
    check_policy_failure(&b, 17, 14);
    check_policy_failure(&b, 99, 14);
    bench_close(&b);
}

/* gRFC A54: what only an application may say becomes INTERNAL. */
Test(rules, let_a_policy_fail_calls_with_statuses_of_the_control_plane_only)
{
    static const int allowed[] = {1, 2, 4, 7, 8, 12, 13, 14, 16};
    static const int not_allowed[] = {3, 5, 6, 9, 10, 11, 15};
    bench b = bench_open("failing", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        check_policy_failure(&b, allowed[i], allowed[i]);
    }
    for (size_t i = 0; i < sizeof not_allowed / sizeof not_allowed[0]; i++) {
        check_policy_failure(&b, not_allowed[i], 13);
    }
    bench_close(&b);
}

/* ---- rule 8 ---- */

/* Of two endpoints the first is lost; a table of the other is being built. */
static bench open_in_a_build(const char *policy)
{
    bench b = bench_open(policy, 0);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    atomic_store(&drill.hangs_in_build, true);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    sem_wait(&drill.is_building);
    return b;
}

Test(rules, do_not_pick_a_dead_connection_while_a_table_is_built)
{
    bench b = open_in_a_build("building");

    cr_assert_eq(share_of(&b, abc[1], 50), 50);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    bench_close(&b);
}

/* Three endpoints; what is done next becomes known to a table that hangs. */
static bench open_before_a_build(uint32_t n_connections)
{
    muster_channel_options options = {
        .policy = "building", .connections_per_endpoint = n_connections};
    bench b = bench_open_with(options, 0);

    report(3);
    AWAIT(stats_of(&b).ready == 3 &&
          counts_of(&b, NULL).connected == 3 * n_connections);
    (void)stats_of(&b);
    atomic_store(&drill.hangs_in_build, true);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    return b;
}

/* The first one, which has left the working view, but not the published. */
static void check_that_it_dies(bench *b)
{
    cr_assert_eq(share_of(b, abc[0], 30), 10);
    muster_testkit_transport_disconnect(b->transport, abc[0]);
    AWAIT(share_of(b, abc[0], 3) == 0);
    cr_assert_eq(share_of(b, abc[0], 60), 0);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    bench_close(b);
}

static void check_that_a_removed_one_dies(uint32_t n_connections)
{
    bench b = open_before_a_build(n_connections);

    script_report_addresses(TARGET, &abc[1], 2);
    sem_wait(&drill.is_building);
    check_that_it_dies(&b);
}

Test(rules, do_not_pick_a_removed_one_that_dies_while_a_table_is_built)
{
    check_that_a_removed_one_dies(1);
}

Test(rules, do_not_pick_a_removed_pool_that_dies_while_a_table_is_built)
{
    check_that_a_removed_one_dies(2);
}

Test(rules, do_not_pick_an_ejected_one_that_dies_while_a_table_is_built)
{
    bench b = open_before_a_build(1);

    eject_at_once(0, true);
    sem_wait(&drill.is_building);
    check_that_it_dies(&b);
}

static void check_that_one_that_came_back_dies(uint32_t n_connections)
{
    bench b = open_before_a_build(n_connections);

    eject_at_once(0, true);
    sem_wait(&drill.is_building);
    eject_at_once(0, false);
    check_that_it_dies(&b);
}

Test(rules, do_not_pick_one_that_came_back_and_dies_while_a_table_is_built)
{
    check_that_one_that_came_back_dies(1);
}

Test(rules, do_not_pick_a_pool_that_came_back_and_dies_while_a_table_is_built)
{
    check_that_one_that_came_back_dies(2);
}

/* ---- building ---- */

Test(rules, serve_from_the_old_table_while_lists_change_and_a_build_hangs)
{
    bench b = bench_open("building", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    atomic_store(&drill.hangs_in_build, true);
    report(2);
    sem_wait(&drill.is_building);
    report(3);
    report(2);
    report(3);
    AWAIT(stats_of(&b).connections_ready >= 3);
    cr_assert_eq(share_of(&b, abc[0], 20), 20);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[2], 30), 10);
    bench_close(&b);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

/* Who sees a state finds picks that go with it. */
Test(rules, tell_the_state_with_the_table_that_it_goes_with)
{
    bench b = open_in_a_build("patient");

    muster_testkit_transport_disconnect(b.transport, abc[1]);
    AWAIT(counts_of(&b, NULL).connected == 0);
    (void)stats_of(
        &b); /* answered by the control thread, which knows by then */
    sem_post(&drill.may_build);
    sem_wait(&drill.is_building); /* one of nothing */
    cr_expect_eq(stats_of(&b).state, MUSTER_READY);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    AWAIT(stats_of(&b).state == MUSTER_CONNECTING);
    bench_close(&b);
}

Test(rules, serve_from_the_old_table_when_a_build_fails)
{
    bench b = bench_open("building", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    atomic_store(&drill.fails_to_build, true);
    report(2);
    AWAIT(stats_of(&b).connections_ready == 2);
    cr_assert_eq(share_of(&b, abc[0], 20), 20);
    atomic_store(&drill.fails_to_build, false);
    report(3);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[1], 30), 10);
    bench_close(&b);
}

Test(rules, switch_the_default_policy_while_the_old_one_serves)
{
    bench b = bench_open(NULL, 0);
    muster_endpoint list[2] = {{.address = abc[0], .weight = 1},
                               {.address = abc[1], .weight = 3}};

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    for (int i = 0; i < 50; i++) {
        list[1].weight = i % 2 == 0 ? 3 : 1;
        script_report(TARGET, list, 2);
        (void)share_of(&b, abc[0], 20);
        (void)stats_of(&b);
        (void)share_of(&b, abc[0], 20);
    }
    cr_assert_eq(stats_of(&b).connections_created, 2);
    list[1].weight = 3;
    script_report(TARGET, list, 2);
    AWAIT(share_of(&b, abc[1], 40) == 30);
    bench_close(&b);
}

/* ---- ejecting, wanting, asking ---- */

Test(rules, keep_the_connection_of_an_ejected_endpoint_and_pick_others)
{
    bench b = bench_open("drilled", 0);
    ejecting wish = {0, 1};

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    muster_channel_pick_async(b.channel, NULL, eject_one, &wish, NULL);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[1], 20), 20);
    wish.is_ejected = 0;
    muster_channel_pick_async(b.channel, NULL, eject_one, &wish, NULL);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(share_of(&b, abc[0], 20), 10);
    cr_assert_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

Test(rules, connect_only_what_the_policy_wants)
{
    bench b;

    drill.n_wanted = 1;
    b = bench_open("wanting", 0);
    report(3);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(stats_of(&b).connections_created, 1);
    bench_close(&b);
}

Test(rules, fail_fast_when_all_that_is_wanted_has_failed)
{
    bench b;

    drill.n_wanted = 1;
    b = bench_open("wanting", 0);
    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    report(3);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_UNAVAILABLE);
    bench_close(&b);
}

Test(rules, connect_all_that_policies_ask_for_at_once)
{
    enum { N = 60 }; /* more than are remembered at a time */
    char text[N][24];
    const char *addresses[N];
    bench b = bench_open("lazy", 0);

    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.1.0.%d:1", i);
        addresses[i] = text[i];
    }
    script_report_addresses(TARGET, addresses, N);
    AWAIT(stats_of(&b).endpoints == N && atomic_load(&drill.n_ids) == N);
    cr_assert_eq(stats_of(&b).connections_created, 0);
    for (int i = 0; i < N / 2; i++) { /* nobody waits: each is asked once */
        cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    }
    AWAIT(stats_of(&b).connections_ready == N / 2);
    bench_close(&b);
}

Test(rules, ask_again_for_those_that_found_no_room)
{
    enum { N = 60, WAITING = 60 };
    char text[N][24];
    const char *addresses[N];
    bench b = bench_open("lazy", 0);
    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.1.0.%d:1", i);
        addresses[i] = text[i];
    }
    script_report_addresses(TARGET, addresses, N);
    AWAIT(stats_of(&b).endpoints == N && atomic_load(&drill.n_ids) == N);
    for (int i = 0; i < N * 4; i++) {
        (void)try_pick(&b, 0, NULL);
    }
    AWAIT((try_pick(&b, 0, NULL), stats_of(&b).connections_ready == N));
    bench_close(&b);
}

Test(rules, come_to_rest_while_a_pick_asks_for_one_that_connects)
{
    bench b = bench_open("lazy", MUSTER_FOREVER);
    atomic_int answer = -1;
    uint64_t generation = 0;
    unsigned n_same = 0;

    report(1);
    AWAIT(atomic_load(&drill.n_ids) == 1);
    muster_channel_pick_async(b.channel, NULL, keep_answer, &answer, NULL);
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    for (int i = 0; i < 1000 && n_same < 100; i++) {
        uint64_t now = stats_of(&b).generation;
        n_same = now == generation ? n_same + 1 : 0;
        generation = now;
    }
    cr_assert_eq(n_same, 100);
    bench_close(&b);
    cr_assert_eq(atomic_load(&answer), (int)MUSTER_CLOSED);
}

/* ---- rule 11 ---- */

Test(rules, time_out_a_close_when_a_build_hangs)
{
    bench b;

    muster__timing_scale_for_test(50);
    b = bench_open("building", 0);
    atomic_store(&drill.hangs_in_build, true);
    report(1);
    sem_wait(&drill.is_building);
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_TIMEOUT);
    cr_assert_eq(muster_shutdown(), MUSTER_BUSY);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 0);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    bench_close(&b);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

Test(rules, fail_to_open_after_the_policy_has_used_its_host)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = "drilled"};
    muster_channel *channel = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_plugin_register(drill_entry, &err), MUSTER_OK);
    cr_assert_eq(
        muster_channel_create("static:///nonsense", &options, &channel, &err),
        MUSTER_INVAL);
    cr_assert_null(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}
