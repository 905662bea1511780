/* SPDX-License-Identifier: Apache-2.0 */
/* The skeletons on a real channel, over the fake transport. */
#include <muster/muster.h>
#include <muster/plugin.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "script_resolver.h"
#include "skeletons/skeletons.h"

#define TARGET "skeletons"

enum { LONG_MS = 10000 };

static muster_testkit_transport *transport;
static muster_channel *channel;
static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

#define AWAIT(condition)                                                       \
    for (uint64_t give_up_ns = in_ms(LONG_MS); !(condition);) {                \
        cr_assert(in_ms(0) < give_up_ns, "never: " #condition);                \
    }

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
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = policy,
                                      .initial_backoff_ms = 5,
                                      .max_backoff_ms = 20};
    muster_error err = {.code = MUSTER_OK};

    script_register();
    cr_assert_eq(muster_plugin_register(entry, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert_eq(muster_testkit_transport_create(&transport), MUSTER_OK);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = transport;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &channel, &err),
        MUSTER_OK, "%s", err.message);
}

static void close_channel(void)
{
    muster_channel_destroy(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(transport));
    muster_testkit_transport_destroy(transport);
}

static muster_channel_stats stats(void)
{
    muster_channel_stats now = {.struct_size = sizeof now};

    cr_assert_eq(muster_channel_get_stats(channel, &now), MUSTER_OK);
    return now;
}

static void set_failure(const char *address, const char *reason)
{
    cr_assert_eq(
        muster_testkit_transport_set_failure(transport, address, reason),
        MUSTER_OK);
}

/* Where a call with key goes, waiting for it; ended with outcome. */
static const char *place(const char *key, const muster_outcome *outcome)
{
    static char address[64];
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .hash_key = key,
                             .deadline_ns = in_ms(LONG_MS)};
    muster_lease lease = {0};
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    strcpy(address, muster_lease_endpoint(&lease)->address);
    muster_lease_finish(&lease, outcome);
    return address;
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
