/* SPDX-License-Identifier: Apache-2.0 */
/* The skeletons on a real channel, over the fake transport. */
#include "channel_fixture.h"

#include "skeletons/skeletons.h"

#define TARGET "skeletons"

enum { LONG_MS = 10000 };

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static const muster_plugin *entry(void)
{
    static const muster_balancer_class *const classes[] = {
        &skeleton_pick_first, &skeleton_ring_hash, &skeleton_outlier_detection,
        &skeleton_priority, &skeleton_load_report};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "skeletons",
        .version = "test",
        .balancers = classes,
        .n_balancers = sizeof classes / sizeof *classes,
    };

    return &plugin;
}

static void open_channel(const char *policy)
{
    const muster_channel_options options = {
        .policy = policy, .initial_backoff_ms = 5, .max_backoff_ms = 20};

    open_registered(entry, "script:///" TARGET, options);
}

/* Where a call with key goes, waiting for it; ended with outcome. */
static const char *place(const char *key, const muster_outcome *outcome)
{
    return place_by(key, in_ms(LONG_MS), outcome);
}

static muster_status try_fast(void)
{
    muster_lease lease = {0};
    muster_status status = muster_channel_pick(channel, NULL, &lease, NULL);

    muster_lease_finish(&lease, NULL);
    return status;
}

/* Nothing is published any more when nothing happens. */
static void check_rest(void)
{
    uint64_t generation = 0;
    unsigned n_same = 0;

    for (unsigned i = 0; i < 2000 && n_same < 200; i++) {
        uint64_t now = stats().generation;
        n_same = now == generation ? n_same + 1 : 0;
        generation = now;
    }
    cr_assert_eq(n_same, 200);
}

Test(skeletons_channel, pick_first_connects_one_and_moves_on_when_it_fails)
{
    open_channel("skeleton_pick_first");
    script_report_addresses(TARGET, abc, 3);
    cr_assert_str_eq(place(NULL, NULL), abc[0]);
    cr_assert_eq(stats().connections_created, 1);
    set_failure(abc[0], "refused");
    muster_testkit_transport_disconnect(transport, abc[0]);
    AWAIT(strcmp(place(NULL, NULL), abc[1]) == 0);
    check_rest();
    close_channel();
}

Test(skeletons_channel, pick_first_fails_calls_when_all_have_failed)
{
    open_channel("skeleton_pick_first");
    for (int i = 0; i < 3; i++) {
        set_failure(abc[i], "refused");
    }
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().state == MUSTER_TRANSIENT_FAILURE);
    AWAIT(try_fast() == MUSTER_UNAVAILABLE);
    set_failure(abc[2], NULL);
    AWAIT(strcmp(place(NULL, NULL), abc[2]) == 0);
    close_channel();
}

Test(skeletons_channel, ring_hash_connects_on_demand_and_keeps_keys_together)
{
    char owner[64];

    open_channel("skeleton_ring_hash");
    script_report_addresses(TARGET, abc, 3);
    check_rest();
    cr_assert_eq(stats().connections_created, 0);
    strcpy(owner, place("a key", NULL));
    for (int i = 0; i < 20; i++) {
        cr_assert_str_eq(place("a key", NULL), owner);
    }
    cr_assert_eq(stats().connections_created, 1);
    check_rest();
    for (char key[] = "0"; key[0] <= '9'; key[0]++) {
        (void)place(key, NULL);
    }
    cr_assert_eq(stats().connections_created, 3);
    cr_assert_str_eq(place("a key", NULL), owner);
    close_channel();
}

Test(skeletons_channel, outlier_detection_goes_round_through_its_child)
{
    const muster_outcome failed = {.struct_size = sizeof failed,
                                   .flags = MUSTER_OUTCOME_FROM_SERVER,
                                   .status = 14};
    unsigned n = 0;

    open_channel("skeleton_outlier_detection");
    script_report_addresses(TARGET, abc, 3);
    AWAIT(stats().ready == 3);
    for (int i = 0; i < 30; i++) {
        n += strcmp(place(NULL, i % 2 == 0 ? &failed : NULL), abc[0]) == 0;
    }
    cr_assert_eq(n, 10);
    script_report_addresses(TARGET, abc, 1);
    AWAIT(stats().ready == 1);
    cr_assert_str_eq(place(NULL, NULL), abc[0]);
    close_channel();
}

Test(skeletons_channel, priority_fails_over_and_back)
{
    muster_endpoint list[2] = {{.address = abc[0], .priority = 0},
                               {.address = abc[1], .priority = 1}};

    open_channel("skeleton_priority");
    set_failure(abc[0], "refused");
    script_report(TARGET, list, 2);
    cr_assert_str_eq(place(NULL, NULL), abc[1]);
    set_failure(abc[0], NULL);
    AWAIT(strcmp(place(NULL, NULL), abc[0]) == 0);
    set_failure(abc[0], "refused");
    muster_testkit_transport_disconnect(transport, abc[0]);
    AWAIT(strcmp(place(NULL, NULL), abc[1]) == 0);
    check_rest();
    close_channel();
}

Test(skeletons_channel, load_report_shares_over_all)
{
    unsigned n = 0;

    open_channel("skeleton_load_report");
    script_report_addresses(TARGET, abc, 2);
    AWAIT(stats().ready == 2);
    for (int i = 0; i < 100; i++) {
        n += strcmp(place(NULL, NULL), abc[0]) == 0;
    }
    cr_assert(n >= 48 && n <= 52, "%u of 100", n);
    close_channel();
}
