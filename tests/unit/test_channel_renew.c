/* SPDX-License-Identifier: Apache-2.0 */
/* Connections replaced by new ones because the transport asks for it, on the
 * fake transport: no pick finds nothing meanwhile. */
#include "picking_fixture.h"

/* ---- all of it goes well ---- */

Test(renewal, replaces_every_connection_and_refuses_no_pick)
{
    enum { ROUNDS = 20 };
    bench b = bench_open("all", N_ENDPOINTS, NULL);
    picker p;

    picker_start(&p, &b);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL),
                     N_ENDPOINTS);
        await_counts(&b, (round + 1) * N_ENDPOINTS, 0, round * N_ENDPOINTS);
    }
    picker_stop(&p);
    cr_expect_eq(counts_of(&b).created, (ROUNDS + 1) * N_ENDPOINTS);
    cr_expect_eq(stats_of(&b).ready, N_ENDPOINTS);
    cr_expect_eq(counts_of(&b).connected, N_ENDPOINTS);
    bench_close(&b);
}

Test(renewal, keeps_the_old_connection_until_its_lease_ends)
{
    muster_channel_options options = {.drain_deadline_ms = 1};
    bench b = bench_open("lease", 1, &options);
    muster_lease old = pick(&b);
    muster_lease fresh = {0};

    (void)muster_testkit_transport_renew(b.transport, NULL);
    do {
        muster_lease_finish(&fresh, NULL);
        fresh = pick(&b);
    } while (muster_lease_connection(&fresh) == muster_lease_connection(&old));
    cr_expect(muster_testkit_transport_use(b.transport,
                                           muster_lease_connection(&old)));
    cr_expect_eq(counts_of(&b).destroyed, 0);
    muster_lease_finish(&old, NULL);
    await_counts(&b, 2, 0, 1);
    /* The endpoint stayed, so no deadline ran for the calls of the old one. */
    cr_expect_eq(counts_of(&b).cancelled, 0);
    muster_lease_finish(&fresh, NULL);
    bench_close(&b);
}

Test(renewal, gives_a_replaced_connection_the_deadline_of_its_endpoint)
{
    muster_channel_options options = {.drain_deadline_ms = 1};
    bench b = bench_open("hurry", 1, &options);
    muster_lease old = pick(&b);

    (void)muster_testkit_transport_renew(b.transport, NULL);
    while (stats_of(&b).draining == 0) {
        /* The new one is being made. */
    }
    script_report_addresses("hurry", &addresses[1], 1);
    while (counts_of(&b).cancelled == 0) {
        (void)stats_of(&b);
    }
    muster_lease_finish(&old, NULL);
    bench_close(&b);
}

Test(renewal, waits_until_the_first_connection_is_ready)
{
    bench b = bench_open("first", 1, NULL);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_addresses("first", addresses, 2);
    await_counts(&b, 2, 0, 0);
    cr_assert_eq(muster_testkit_transport_renew(b.transport, addresses[1]), 1);
    (void)stats_of(&b);
    cr_expect_eq(counts_of(&b).created, 2);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    await_counts(&b, 3, 0, 0);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    await_counts(&b, 3, 0, 1);
    bench_close(&b);
}

Test(renewal, counts_among_the_connections_being_made)
{
    muster_channel_options options = {.max_connecting = 2};
    bench b = bench_open("limit", N_ENDPOINTS, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL),
                 N_ENDPOINTS);
    while (counts_of(&b).destroyed < N_ENDPOINTS) {
        cr_assert(counts_of(&b).connecting <= 2);
        (void)muster_testkit_transport_connect(b.transport, NULL);
    }
    cr_expect_eq(counts_of(&b).max_connecting, 2);
    bench_close(&b);
}

Test(renewal, that_is_asked_for_again_meanwhile_happens_twice)
{
    bench b = bench_open("twice", 1, NULL);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL), 1);
    await_counts(&b, 2, 0, 0);
    /* The old one is being replaced; the new one is to be, too. */
    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL), 2);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    await_counts(&b, 3, 0, 1);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    await_counts(&b, 3, 0, 2);
    cr_expect_eq(counts_of(&b).created, 3);
    bench_close(&b);
}

/* ---- something goes wrong ---- */

Test(renewal, that_fails_keeps_the_old_connection_and_tries_again)
{
    muster_channel_options options = {.initial_backoff_ms = 5,
                                      .max_backoff_ms = 10};
    bench b = bench_open("fails", 1, &options);
    muster_lease before = pick(&b);
    muster_lease after;
    picker p;

    picker_start(&p, &b);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, "no");
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 4, 3, 3);
    after = pick(&b);
    cr_expect_eq(muster_lease_connection(&after),
                 muster_lease_connection(&before));
    cr_expect_eq(stats_of(&b).state, MUSTER_READY);
    muster_lease_finish(&before, NULL);
    muster_lease_finish(&after, NULL);
    (void)muster_testkit_transport_set_failure(b.transport, NULL, NULL);
    await_counts(&b, 5, 3, 4);
    picker_stop(&p);
    cr_expect_eq(script_refreshes("fails"), 0);
    bench_close(&b);
}

Test(renewal, waits_for_its_backoff)
{
    muster_channel_options options = {.initial_backoff_ms = 600000};
    bench b = bench_open("backoff", 1, &options);

    (void)muster_testkit_transport_set_failure(b.transport, NULL, "no");
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2, 1, 1);
    /* Asking again does not shorten it. */
    (void)muster_testkit_transport_renew(b.transport, NULL);
    (void)stats_of(&b);
    cr_expect_eq(counts_of(&b).created, 2);
    bench_close(&b);
}

Test(renewal, ends_when_its_endpoint_is_removed)
{
    bench b = bench_open("removed", 2, NULL);
    muster_lease lease;

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(muster_testkit_transport_renew(b.transport, addresses[1]), 1);
    await_counts(&b, 3, 0, 0);
    script_report_addresses("removed", addresses, 1);
    await_counts(&b, 3, 0, 2);
    lease = pick(&b);
    cr_expect_str_eq(muster_lease_endpoint(&lease)->address, addresses[0]);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(renewal, that_waits_for_room_ends_when_its_endpoint_is_removed)
{
    muster_channel_options options = {.max_connecting = 1};
    bench b = bench_open("room", 3, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL), 3);
    await_counts(&b, 4, 0, 0);
    script_report_addresses("room", addresses, 1);
    await_counts(&b, 4, 0, 2);
    while (counts_of(&b).destroyed < 3) { /* the first one's, if not made yet */
        (void)muster_testkit_transport_connect(b.transport, NULL);
        (void)stats_of(&b);
    }
    cr_expect_leq(counts_of(&b).created, 5);
    bench_close(&b);
}

Test(renewal, ends_when_the_channel_closes)
{
    muster_channel_options options = {.max_connecting = 2};
    bench b = bench_open("closes", N_ENDPOINTS, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, N_ENDPOINTS + 2, 0, 0);
    bench_close(&b);
}

Test(renewal, that_waits_for_its_backoff_ends_when_the_channel_closes)
{
    muster_channel_options options = {.initial_backoff_ms = 600000};
    bench b = bench_open("waits", 1, &options);

    (void)muster_testkit_transport_set_failure(b.transport, NULL, "no");
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2, 1, 1);
    bench_close(&b);
}

Test(renewal, under_way_serves_for_a_connection_that_is_lost)
{
    bench b = bench_open("lost", 1, NULL);
    muster_call_info call = {.struct_size = sizeof call};
    muster_lease lease = {0};

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2, 0, 0);
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, NULL), 1);
    while (stats_of(&b).state != MUSTER_CONNECTING) {
        /* It is about to be noticed. */
    }
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_OK);
    cr_expect_eq(counts_of(&b).created, 2);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

Test(renewal, of_a_lost_connection_fails_like_any_other)
{
    muster_channel_options options = {.initial_backoff_ms = 5};
    bench b = bench_open("both", 1, &options);
    muster_call_info call = {.struct_size = sizeof call};
    muster_lease lease = {0};

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2, 0, 0);
    (void)muster_testkit_transport_disconnect(b.transport, NULL);
    while (stats_of(&b).state != MUSTER_CONNECTING) {
        /* It is about to be noticed. */
    }
    muster_testkit_transport_set_delay(b.transport, 0);
    cr_assert_eq(muster_testkit_transport_fail(b.transport, NULL, "no"), 1);
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_UNAVAILABLE);
    call.flags = MUSTER_CALL_WAIT_FOR_READY;
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

/* ---- beside other changes ---- */

Test(renewal, leaves_its_room_to_others_when_it_ends)
{
    const muster_channel_options options = {.max_connecting = 1};
    const char *const next[] = {addresses[0], addresses[2]};
    bench b = bench_open("room", 2, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, addresses[1]);
    await_counts(&b, 3, 0, 0);
    script_report_addresses("room", next, 2);
    await_counts_of(&b, addresses[2], 1, 0);
    bench_close(&b);
}

Test(renewal, goes_with_an_endpoint_that_was_only_held)
{
    const muster_channel_options options = {.replace_timeout_ms = 300000};
    bench b = bench_open("held", 1, &options);

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    (void)muster_testkit_transport_renew(b.transport, addresses[0]);
    await_counts(&b, 2, 0, 0);
    script_report_addresses("held", &addresses[1], 1); /* 0 is held */
    await_counts(&b, 3, 0, 0);
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, addresses[0]),
                 1);
    await_counts_of(&b, addresses[0], 2, 2);
    bench_close(&b);
}

Test(renewal, is_tried_again_when_backoff_is_reset)
{
    const muster_channel_options options = {.initial_backoff_ms = 600000};
    bench b = bench_open("reset", 1, &options);

    muster_testkit_transport_set_failure(b.transport, NULL, "no");
    (void)muster_testkit_transport_renew(b.transport, NULL);
    await_counts(&b, 2, 1, 1);
    muster_channel_reset_backoff(b.channel);
    await_counts(&b, 3, 2, 2);
    bench_close(&b);
}
