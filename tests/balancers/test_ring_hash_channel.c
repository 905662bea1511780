/* SPDX-License-Identifier: Apache-2.0 */
/* The policy ring_hash on a real channel, over the fake transport. */
#include "channel_fixture.h"

#include <stdbool.h>

#define TARGET "ring"

enum { LONG_MS = 60000, N = 20 };

const muster_plugin *muster_builtin_ring_hash(void);

static char addresses[2][N][24];

static void open_channel(void)
{
    const muster_channel_options options = {
        .policy = "ring_hash", .initial_backoff_ms = 5, .max_backoff_ms = 20};

    open_registered(muster_builtin_ring_hash, "script:///" TARGET, options);
}

/* Where a call with the number-th key goes, waiting for it. */
static const char *place(unsigned number)
{
    char key[16];

    (void)snprintf(key, sizeof key, "%u", number);
    return place_by(key, in_ms(LONG_MS), NULL);
}

/* One of two lists that have nothing in common. */
static void report(int which)
{
    const char *list[N];

    for (int i = 0; i < N; i++) {
        (void)snprintf(addresses[which][i], sizeof addresses[which][i],
                       "10.%d.0.%d:80", which, i);
        list[i] = addresses[which][i];
    }
    script_report_addresses(TARGET, list, N);
}

static bool is_of(const char *address, int which)
{
    return address[3] == '0' + which;
}

Test(ring_hash_channel, connects_on_demand_and_keeps_keys_together)
{
    char owner[64];

    open_channel();
    report(0);
    strcpy(owner, place(1));
    for (int i = 0; i < 20; i++) {
        cr_assert_str_eq(place(1), owner);
    }
    cr_assert_eq(stats().connections_created, 1);
    for (unsigned i = 0; i < 500; i++) {
        (void)place(i);
    }
    cr_assert_eq(stats().connections_created, N);
    cr_assert_str_eq(place(1), owner);
    close_channel();
}

Test(ring_hash_channel, moves_the_keys_of_an_endpoint_that_fails_and_back)
{
    char owner[64];

    open_channel();
    report(0);
    strcpy(owner, place(1));
    cr_assert_eq(
        muster_testkit_transport_set_failure(transport, owner, "refused"),
        MUSTER_OK);
    (void)muster_testkit_transport_disconnect(transport, owner);
    AWAIT(strcmp(place(1), owner) != 0);
    cr_assert_eq(muster_testkit_transport_set_failure(transport, owner, NULL),
                 MUSTER_OK);
    AWAIT(strcmp(place(1), owner) == 0);
    close_channel();
}

static uint64_t n_connecting(void)
{
    muster_testkit_transport_counts counts;

    muster_testkit_transport_get_counts(transport, NULL, &counts);
    return counts.connecting;
}

Test(ring_hash_channel, serves_from_the_old_list_until_the_new_one_is_ready)
{
    open_channel();
    report(0);
    (void)place(1);
    muster_testkit_transport_set_delay(transport, MUSTER_FOREVER);
    report(1);
    AWAIT(n_connecting() == 1);
    for (unsigned i = 0; i < 200; i++) {
        cr_assert(is_of(place(i), 0));
    }
    muster_testkit_transport_set_delay(transport, 0);
    cr_assert_eq(muster_testkit_transport_connect(transport, NULL), 1);
    AWAIT(is_of(place(1), 1));
    close_channel();
}
