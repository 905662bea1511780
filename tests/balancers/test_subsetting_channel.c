/* SPDX-License-Identifier: Apache-2.0 */
/* Subsetting on a real channel, over the fake transport. */
#include "channel_fixture.h"

#include <stdbool.h>

#define TARGET "subsetting"

enum { LONG_MS = 60000, N = 20, SIZE = 4 };

const muster_plugin *muster_builtin_subsetting(void);

static const char *const configs[2] = {
    "{\"subsetSize\": 4, \"childPolicy\": [{\"round_robin\": {}}]}",
    "{\"subsetSize\": 4, \"clientIndex\": 3, \"clientCount\": 8, "
    "\"childPolicy\": [{\"round_robin\": {}}]}"};

static char addresses[N][24];
static const char *list[N];

static void open_channel(int kind)
{
    const muster_channel_options options = {
        .policy = kind == 0 ? "random_subsetting" : "balanced_subsetting",
        .policy_config_json = configs[kind],
        .initial_backoff_ms = 5,
        .max_backoff_ms = 20};

    for (int i = 0; i < N; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.0.0.%d:80", i);
        list[i] = addresses[i];
    }
    open_registered(muster_builtin_subsetting, "script:///" TARGET, options);
}

static muster_testkit_transport_counts counts_of(const char *address)
{
    muster_testkit_transport_counts counts = {0};

    muster_testkit_transport_get_counts(transport, address, &counts);
    return counts;
}

static int number_of(const char *address)
{
    return atoi(strrchr(address, '.') + 1);
}

/* A bit for each endpoint that was connected, ever. */
static unsigned connected_ever(void)
{
    unsigned bits = 0;

    for (int i = 0; i < N; i++) {
        bits |= counts_of(addresses[i]).created > 0 ? 1u << i : 0;
    }
    return bits;
}

static unsigned connected_now(void)
{
    unsigned bits = 0;

    for (int i = 0; i < N; i++) {
        bits |= counts_of(addresses[i]).connected > 0 ? 1u << i : 0;
    }
    return bits;
}

static unsigned count_bits(unsigned bits)
{
    unsigned n = 0;

    for (; bits != 0; bits &= bits - 1) {
        n++;
    }
    return n;
}

/* A bit for each endpoint that gets one of n calls. */
static unsigned place(int n)
{
    unsigned bits = 0;

    for (int i = 0; i < n; i++) {
        bits |= 1u << number_of(place_by(NULL, in_ms(LONG_MS), NULL));
    }
    return bits;
}

/* All of the list but number. */
static void report_without(int number)
{
    const char *rest[N];
    size_t n = 0;

    for (int i = 0; i < N; i++) {
        if (i != number) {
            rest[n++] = list[i];
        }
    }
    script_report_addresses(TARGET, rest, n);
}

static void connects_the_subset_alone(int kind)
{
    open_channel(kind);
    script_report_addresses(TARGET, list, N);
    AWAIT(stats().ready == SIZE);
    cr_expect_eq(count_bits(connected_ever()), SIZE);
    cr_expect_eq(place(400), connected_ever());
    cr_expect_eq(stats().connections_created, SIZE);
    close_channel();
}

Test(subsetting_channel, at_random_connects_the_subset_alone)
{
    connects_the_subset_alone(0);
}

Test(subsetting_channel, that_is_balanced_connects_the_subset_alone)
{
    connects_the_subset_alone(1);
}

/* One that leaves has a call in flight, and keeps its connection for it. */
static void replaces_one_that_leaves(int kind)
{
    muster_lease lease = {0};
    muster_call_info call = {.struct_size = sizeof call,
                             .flags = MUSTER_CALL_WAIT_FOR_READY,
                             .deadline_ns = in_ms(LONG_MS)};
    unsigned before;
    unsigned after;
    int left;

    open_channel(kind);
    script_report_addresses(TARGET, list, N);
    AWAIT(stats().ready == SIZE);
    before = connected_ever();
    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, NULL),
                 MUSTER_OK);
    left = number_of(muster_lease_endpoint(&lease)->address);
    report_without(left);
    AWAIT((stats(), count_bits(connected_ever()) == SIZE + 1));
    AWAIT((stats(), count_bits(connected_now()) == SIZE + 1));
    after = connected_now() & ~(1u << left);
    cr_expect_eq(count_bits(before & after), SIZE - 1);
    AWAIT(place(1) == (after & ~before)); /* the new one serves */
    cr_expect_eq(place(400), after);
    cr_expect_eq(counts_of(addresses[left]).connected, 1);
    muster_lease_finish(&lease, NULL);
    AWAIT((stats(), counts_of(addresses[left]).connected == 0));
    cr_expect_eq(stats().connections_created, SIZE + 1);
    close_channel();
}

Test(subsetting_channel, at_random_replaces_one_that_leaves_and_drains_it)
{
    replaces_one_that_leaves(0);
}

Test(subsetting_channel, that_is_balanced_replaces_one_that_leaves)
{
    replaces_one_that_leaves(1);
}

/* All that came into the subset are connected, and all that were put out are
 * not any more. */
static bool has_moved(unsigned before)
{
    return connected_now() != before && counts_of(NULL).connecting == 0 &&
           count_bits(connected_now()) == SIZE;
}

/* One that comes may put another one out, which is in the list still. */
static void gives_up_what_another_takes_the_place_of(int kind)
{
    unsigned before;

    open_channel(kind);
    script_report_addresses(TARGET, list, SIZE);
    AWAIT(stats().ready == SIZE);
    before = connected_now();
    cr_assert_eq(before, (1u << SIZE) - 1);
    script_report_addresses(TARGET, list, N);
    AWAIT((stats(), has_moved(before)));
    AWAIT((place(1), stats().ready == SIZE));
    cr_expect_eq(place(400), connected_now());
    cr_expect_eq(stats().endpoints, N);
    close_channel();
}

Test(subsetting_channel, at_random_gives_up_what_is_put_out)
{
    gives_up_what_another_takes_the_place_of(0);
}

Test(subsetting_channel, that_is_balanced_gives_up_what_is_put_out)
{
    gives_up_what_another_takes_the_place_of(1);
}

Test(subsetting_channel, fails_over_when_the_subset_of_a_priority_fails)
{
    muster_endpoint endpoints[N] = {{.address = NULL}};

    open_channel(0);
    for (int i = 0; i < N; i++) {
        endpoints[i] = (muster_endpoint){.address = list[i],
                                         .priority = (uint32_t)(i / 10)};
        if (i < 10) {
            set_failure(list[i], "refused");
        }
    }
    script_report(TARGET, endpoints, N);
    AWAIT(stats().ready == SIZE);
    cr_expect_eq(place(400) & 0x3ff, 0);
    cr_expect_eq(count_bits(connected_ever()), 2 * SIZE);
    close_channel();
}
