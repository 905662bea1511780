/* SPDX-License-Identifier: Apache-2.0 */
/* Policies over groups of endpoints on a real channel, over the fake transport:
 * while nothing of a new list is READY, the former one serves, whatever groups
 * the new one has (behaviour rule 4). */
#include "channel_fixture.h"

#include "every_policy.h"

#define TARGET "former"
#define FORMER "10.0.0.1:1"

enum { LONG_MS = 20000, N_PICKS = 100 };

/* Both lists are of one endpoint; that of the new one never connects. */
static void expect_former(const char *policy, const char *config,
                          const muster_endpoint *former,
                          const muster_endpoint *next)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = policy,
                                      .policy_config_json = config,
                                      .transport =
                                          muster_testkit_transport_class()};
    muster_error err = {.code = MUSTER_OK};
    uint64_t n_created;

    script_register();
    every_policy_register();
    cr_assert_eq(muster_testkit_transport_create(&transport), MUSTER_OK);
    options.transport_arg = transport;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &channel, &err),
        MUSTER_OK, "%s", err.message);
    script_report(TARGET, former, 1);
    cr_assert_str_eq(place_by(NULL, in_ms(LONG_MS), NULL), former->address);
    muster_testkit_transport_set_delay(transport, 600000);
    n_created = stats().connections_created;
    script_report(TARGET, next, 1);
    AWAIT(stats().connections_created > n_created);
    for (int i = 0; i < N_PICKS; i++) {
        muster_lease lease = {0};

        (void)stats(); /* the control thread comes by, and publishes */
        cr_assert_eq(muster_channel_pick(channel, NULL, &lease, &err),
                     MUSTER_OK, "%s: %s", policy, err.message);
        cr_expect_str_eq(muster_lease_endpoint(&lease)->address,
                         former->address);
        muster_lease_finish(&lease, NULL);
    }
    close_channel();
}

static const muster_endpoint here = {.address = FORMER, .zone = "here"};
static const muster_endpoint there = {.address = "10.0.0.2:1", .zone = "there"};
static const muster_endpoint first = {.address = FORMER};
static const muster_endpoint second = {.address = "10.0.0.2:1", .priority = 1};

Test(former_list, serves_when_the_zones_are_others)
{
    expect_former("zone_aware", "{\"localZone\": \"here\"}", &here, &there);
}

Test(former_list, serves_when_the_priorities_are_others)
{
    expect_former("priority", NULL, &first, &second);
    expect_former("priority_load", NULL, &first, &second);
}
