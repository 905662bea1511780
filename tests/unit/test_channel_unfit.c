/* SPDX-License-Identifier: Apache-2.0 */
/* A policy that knows panic, and so has unfit endpoints in its view. What is
 * put off here is so for good. */
#include "rules_fixture.h"

#include "timing.h"

#define HEALTH "\"healthCheckConfig\": {\"serviceName\": \"a\"}"
#define WATCHES "{" HEALTH "}"
#define BALANCED(policy)                                                       \
    "{\"loadBalancingConfig\": [{\"" policy "\": {}}], " HEALTH "}"

static bench open_tolerant(void)
{
    const muster_channel_options options = {.policy = "tolerant",
                                            .service_config = WATCHES};

    muster__timing_space_builds_for_test(3600000);
    return bench_open_with(options, 0);
}

static void tell(const bench *b, const char *address, muster_health health)
{
    const char *reason = health == MUSTER_HEALTH_NOT_SERVING ? "told to" : NULL;

    AWAIT(muster_testkit_transport_report_health(b->transport, address, health,
                                                 reason) > 0);
}

/* n endpoints that serve: 2 at most, since a third would be put off. */
static bench open_serving(size_t n)
{
    bench b = open_tolerant();

    report(n);
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == n));
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == n);
    AWAIT(share_of(&b, abc[n - 1], 30) == 30 / n);
    return b;
}

static void eject(const bench *b, unsigned index, int is_ejected)
{
    ejecting wish = {index, is_ejected};
    uint64_t updates = atomic_load(&drill.n_updates);

    muster_channel_pick_async(b->channel, NULL, eject_one, &wish, NULL);
    AWAIT(atomic_load(&drill.n_updates) > updates);
}

Test(channel_unfit, spares_an_ejected_endpoint_at_once)
{
    bench b = open_serving(2);

    eject(&b, 0, 1);
    AWAIT(share_of(&b, abc[0], 30) == 0);
    eject(&b, 0, 0);
    AWAIT(share_of(&b, abc[0], 30) == 15);
    cr_expect_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

Test(channel_unfit, spares_an_unhealthy_endpoint_at_once)
{
    bench b = open_serving(2);

    tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(share_of(&b, abc[0], 30) == 0);
    tell(&b, abc[0], MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[0], 30) == 15);
    cr_expect_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

/* In a panic there is one in the view for each that is connected. */
Test(channel_unfit, uses_the_first_that_is_fit_at_once)
{
    bench b = open_serving(2);

    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(share_of(&b, abc[0], 30) == 15);
    report(3);
    tell(&b, abc[2], MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[2], 30) == 30);
    bench_close(&b);
}

/* Those that enter the view unfit are more endpoints, like others. */
Test(channel_unfit, puts_off_what_is_more)
{
    bench b = open_serving(2);
    unsigned before = atomic_load(&drill.n_builds);

    report(3);
    tell(&b, abc[2], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).connections_ready == 3);
    cr_expect_eq(stats_of(&b).ready, 2);
    cr_expect_eq(atomic_load(&drill.n_builds), before);
    bench_close(&b);
}

/* Rule 4. */
Test(channel_unfit, serves_from_the_old_list_until_one_of_the_new_is_fit)
{
    bench b = open_serving(1);

    script_report_addresses(TARGET, abc + 1, 1);
    tell(&b, abc[1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 2);
    cr_expect_eq(share_of(&b, abc[0], 30), 30);
    cr_expect_eq(counts_of(&b, abc[0]).connected, 1);
    tell(&b, abc[1], MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[1], 30) == 30);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).connected == 0));
    bench_close(&b);
}

/* What it keeps for a panic is nothing for the next policy to begin with. */
Test(channel_unfit, serves_until_the_next_policy_has_one_that_is_fit)
{
    const muster_endpoint list[] = {
        {.address = abc[0]}, {.address = abc[1]}, {.address = abc[2]}};
    bench b = bench_open(NULL, 0);

    script_report_config(TARGET, list, 2, BALANCED("tolerant"));
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == 2));
    tell(&b, abc[0], MUSTER_HEALTH_SERVING);
    tell(&b, abc[1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 2);
    drill.first_wanted = 1;
    drill.n_wanted = 2;
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_config(TARGET, list, 3, BALANCED("wanting"));
    AWAIT((stats_of(&b), counts_of(&b, abc[2]).connecting == 1));
    cr_expect_eq(stats_of(&b).state, MUSTER_READY);
    cr_expect_eq(share_of(&b, abc[0], 30), 30);
    muster_testkit_transport_connect(b.transport, abc[2]);
    tell(&b, abc[2], MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[2], 30) == 30);
    bench_close(&b);
}
