/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's behaviour rules: priorities, states, waiting picks. */
#include "rules_fixture.h"

#include <stdatomic.h>

#include "timing.h"

/* ---- rules 4 and 5: what moves to another priority ---- */

Test(rules, keeps_serving_and_connected_what_moves_to_another_priority)
{
    bench b = bench_open(NULL, 0);
    muster_endpoint list[2] = {{.address = abc[0], .priority = 1},
                               {.address = abc[1], .priority = 0}};

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report(TARGET, list, 2);
    cr_assert_eq(stats_of(&b).state, MUSTER_READY);
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    AWAIT(counts_of(&b, abc[1]).connecting == 1);
    muster_testkit_transport_connect(b.transport, abc[1]);
    AWAIT(share_of(&b, abc[1], 1) == 1);
    cr_assert_eq(share_of(&b, abc[1], 10), 10);
    report(1);
    (void)stats_of(&b);
    AWAIT(share_of(&b, abc[0], 1) == 1);
    cr_assert_eq(counts_of(&b, abc[0]).created, 1);
    bench_close(&b);
}

/* The second is READY, listed and held. It comes back in the place of the
 * first: both left one after the other, in lists lost for want of memory. */
static void lose_lists(void *arg)
{
    static const char drilled_too[] =
        "{\"loadBalancingConfig\": [{\"drilled\": {}}]}";
    const muster_endpoint *list = arg;
    const muster_endpoint others[3] = {list[0], list[2], list[1]};

    drill.create_status = MUSTER_NOMEM;
    atomic_store(&drill.create_fails_after, 2); /* behind the check of it */
    script_report_config(TARGET, list, 3, drilled_too);
    script_report_config(TARGET, &others[0], 2, drilled_too);
    script_report_config(TARGET, &others[1], 1, drilled_too);
    script_report_config(TARGET, &others[1], 2, drilled_too);
}

Test(rules, keep_what_comes_back_in_another_place_while_lists_are_lost)
{
    bench b = bench_open(NULL, 0);
    muster_endpoint list[3] = {{.address = abc[0], .priority = 1},
                               {.address = abc[1], .priority = 1},
                               {.address = abc[2], .priority = 0}};

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report(TARGET, list, 3);
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    cr_assert_eq(muster__loop_call(lose_lists, list, MUSTER_FOREVER),
                 MUSTER_OK);
    AWAIT(stats_of(&b).endpoints == 2);
    muster_testkit_transport_connect(b.transport, abc[2]);
    AWAIT(share_of(&b, abc[2], 1) == 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).connected == 0));
    muster_testkit_transport_set_delay(b.transport, 0);
    muster_testkit_transport_set_failure(b.transport, abc[2], "refused");
    muster_testkit_transport_disconnect(b.transport, abc[2]);
    AWAIT(counts_of(&b, abc[2]).failed > 0 && try_pick(&b, 0, NULL) == 0);
    cr_expect_eq(share_of(&b, abc[1], 10), 10);
    cr_expect_eq(counts_of(&b, abc[1]).created, 1);
    bench_close(&b);
}

/* ---- rule 6 ---- */

Test(rules, asks_for_resolution_when_a_ready_one_goes_away_and_not_before)
{
    bench b = bench_open(NULL, 0);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(script_refreshes(TARGET), 0);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    AWAIT(script_refreshes(TARGET) >= 1);
    bench_close(&b);
}

Test(rules, counts_a_failed_endpoint_as_failed_until_it_is_ready)
{
    bench b = bench_open(NULL, 0);

    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    report(1);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    muster_testkit_transport_set_failure(b.transport, abc[0], NULL);
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    cr_assert_eq(stats_of(&b).state, MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_UNAVAILABLE);
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL), MUSTER_QUEUED);
    muster_testkit_transport_connect(b.transport, abc[0]);
    AWAIT(stats_of(&b).state == MUSTER_READY);
    bench_close(&b);
}

/* ---- rule 12 ---- */

Test(rules, disconnect_a_lower_priority_that_is_idle_for_long)
{
    muster_endpoint list[2] = {{.address = abc[0], .priority = 0},
                               {.address = abc[1], .priority = 1}};
    uint64_t begun_ns;
    bench b;

    muster__timing_scale_waits_for_test(3000); /* 15 minutes: 300 ms */
    b = bench_open(NULL, 0);
    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    script_report(TARGET, list, 2);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[1], 10), 10);
    begun_ns = in_ms(0);
    muster_testkit_transport_set_failure(b.transport, abc[0], NULL);
    AWAIT(share_of(&b, abc[0], 1) == 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).connected == 0));
    cr_assert_geq(in_ms(0) - begun_ns, 299000000u); /* by whole ms */
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    cr_assert_eq(counts_of(&b, abc[1]).created, 1);
    bench_close(&b);
}

/* All the room there is has a connection of the lower priority's, and one of
 * the better waits for it. */
Test(rules, leave_the_room_of_a_lower_priority_to_a_better_one)
{
    muster_channel_options options = {.policy = "drilled", .max_connecting = 1};
    muster_endpoint list[3] = {{.address = abc[0], .priority = 0},
                               {.address = abc[1], .priority = 1},
                               {.address = abc[2], .priority = 0}};
    bench b;

    muster__timing_scale_waits_for_test(3000); /* 15 minutes: 300 ms */
    b = bench_open_with(options, 0);
    script_report(TARGET, list, 2);
    AWAIT(stats_of(&b).ready == 1);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    eject_at_once(0, true);
    AWAIT(counts_of(&b, abc[1]).connecting == 1);
    eject_at_once(0, false);
    AWAIT(stats_of(&b).ready == 1);
    script_report(TARGET, list, 3);
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    cr_expect_eq(counts_of(&b, abc[1]).connecting, 0);
    bench_close(&b);
}

/* ---- rule 13 ---- */

static atomic_uint n_warnings;

static void count_warning(void *arg, muster_log_level level,
                          const char *message)
{
    (void)arg;
    if (level == MUSTER_LOG_WARNING &&
        strstr(message, "ignores the endpoints' weights") != NULL) {
        atomic_fetch_add(&n_warnings, 1);
    }
}

Test(rules, warn_once_of_weights_that_the_policy_ignores)
{
    bench b;
    muster_endpoint list[2] = {{.address = abc[0], .weight = 1},
                               {.address = abc[1], .weight = 2}};

    muster_log_set(count_warning, NULL, MUSTER_LOG_WARNING);
    b = bench_open("round_robin", 0);
    report(2);
    (void)stats_of(&b);
    cr_assert_eq(atomic_load(&n_warnings), 0);
    for (uint32_t i = 0; i < 3; i++) {
        list[1].weight = i + 2;
        script_report(TARGET, list, 2);
    }
    (void)stats_of(&b);
    cr_assert_eq(atomic_load(&n_warnings), 1);
    bench_close(&b);
}

/* ---- rule 14 ---- */

typedef struct inside {
    bench *b;
    muster_status pick;
    muster_status shutdown;
    muster_status list;
    atomic_bool is_over;
} inside;

static void ignore_plugin(void *arg, const muster_plugin_info *info)
{
    (void)arg;
    (void)info;
}

static void block_inside(void *arg, muster_status status, muster_lease *lease,
                         const muster_error *err)
{
    inside *in = arg;

    (void)status;
    (void)lease;
    (void)err;
    in->pick = muster_channel_pick_wait(in->b->channel, NULL,
                                        &(muster_lease){0}, NULL);
    in->shutdown = muster_shutdown();
    in->list = muster_plugin_list(ignore_plugin, NULL);
    atomic_store(&in->is_over, true);
}

Test(rules, refuse_to_block_the_control_thread)
{
    bench b = bench_open(NULL, 0);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(1)};
    inside in = {.b = &b};

    muster_channel_pick_async(b.channel, &call, block_inside, &in, NULL);
    AWAIT(atomic_load(&in.is_over));
    cr_assert_eq(in.pick, MUSTER_WOULD_DEADLOCK);
    cr_assert_eq(in.shutdown, MUSTER_WOULD_DEADLOCK);
    cr_assert_eq(in.list, MUSTER_WOULD_DEADLOCK);
    bench_close(&b);
}

/* ---- rule 15 ---- */

enum { QUEUE = 20 };
static int order[QUEUE];
static atomic_int n_ordered;

static void note_order(void *arg, muster_status status, muster_lease *lease,
                       const muster_error *err)
{
    (void)err;
    order[atomic_load(&n_ordered)] =
        status == MUSTER_OK ? *(int *)arg : -*(int *)arg;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    atomic_fetch_add(&n_ordered, 1);
}

Test(rules, serve_waiting_picks_first_come_first_served)
{
    bench b = bench_open(NULL, 0);
    int numbers[QUEUE];
    uint64_t cancelled = 0;

    for (int i = 0; i < QUEUE; i++) {
        numbers[i] = i;
        cr_assert_eq(muster_channel_pick_async(b.channel, NULL, note_order,
                                               &numbers[i],
                                               i == 7 ? &cancelled : NULL),
                     MUSTER_OK);
    }
    AWAIT(stats_of(&b).picks_parked == QUEUE);
    cr_assert_eq(muster_channel_pick_cancel(b.channel, cancelled), MUSTER_OK);
    AWAIT(atomic_load(&n_ordered) == 1);
    report(1);
    AWAIT(atomic_load(&n_ordered) == QUEUE);
    cr_assert_eq(order[0], -7);
    for (int i = 1; i < QUEUE; i++) {
        cr_assert_eq(order[i], i <= 7 ? i - 1 : i);
    }
    bench_close(&b);
}
