/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints whose server does not serve, on the fake transport: no pick goes
 * there, and nothing is closed, made anew or resolved for it. */
#include "rules_fixture.h"

#include <jansson.h>
#include <stdlib.h>

#define WATCHES "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}"
#define REASON "health check of a: NOT_SERVING"

static bench open_watching(void)
{
    const muster_channel_options options = {.service_config = WATCHES};

    return bench_open_with(options, 0);
}

/* NULL: of all. */
static void tell(const bench *b, const char *address, muster_health health)
{
    cr_assert_gt(muster_testkit_transport_report_health(
                     b->transport, address, health,
                     health == MUSTER_HEALTH_NOT_SERVING ? REASON : NULL),
                 0);
}

/* n endpoints that serve. */
static bench open_serving(size_t n)
{
    bench b = open_watching();

    report(n);
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == n));
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == n);
    return b;
}

/* Whether the dump says that of the endpoint with that number; "null". */
static bool has_health(const bench *b, size_t i, const char *expected)
{
    char *text = NULL;
    json_t *dump;
    const char *health;
    bool is_it;

    cr_assert_eq(muster_channel_dump_json(b->channel, &text), MUSTER_OK);
    dump = json_loads(text, 0, NULL);
    health = json_string_value(json_object_get(
        json_array_get(json_object_get(dump, "endpoints"), i), "health"));
    is_it = strcmp(health == NULL ? "null" : health, expected) == 0;
    json_decref(dump);
    free(text);
    return is_it;
}

/* Nothing was made or lost beside the first n connections. */
static void expect_connections(const bench *b, uint64_t n)
{
    cr_expect_eq(stats_of(b).connections_created, n);
    cr_expect_eq(stats_of(b).connections_destroyed, 0);
    cr_expect_eq(counts_of(b, NULL).connected, n);
}

/* Nor was anything asked for. */
static void expect_quiet(const bench *b, uint64_t n)
{
    expect_connections(b, n);
    cr_expect_eq(script_refreshes(TARGET), 0);
}

/* ---- one of several ---- */

Test(health, takes_an_endpoint_out_and_back)
{
    bench b = open_serving(2);

    for (int i = 0; i < 20; i++) {
        tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
        AWAIT(stats_of(&b).ready == 1);
        cr_expect_eq(share_of(&b, abc[1], 10), 10);
        tell(&b, abc[0], MUSTER_HEALTH_SERVING);
        AWAIT(stats_of(&b).ready == 2);
        cr_expect_eq(share_of(&b, abc[0], 10), 5);
    }
    expect_quiet(&b, 2);
    bench_close(&b);
}

Test(health, is_in_the_dump)
{
    bench b = open_serving(2);

    cr_expect(has_health(&b, 0, "serving"));
    tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
    tell(&b, abc[1], MUSTER_HEALTH_UNKNOWN);
    AWAIT(stats_of(&b).ready == 0);
    cr_expect(has_health(&b, 0, "not_serving"));
    cr_expect(has_health(&b, 1, "unknown"));
    bench_close(&b);
}

Test(health, that_nobody_asks_for_is_no_matter)
{
    bench b = bench_open(NULL, 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    cr_expect(has_health(&b, 0, "null"));
    bench_close(&b);
}

Test(health, leaves_calls_in_flight_alone)
{
    const muster_channel_options options = {.service_config = WATCHES,
                                            .drain_deadline_ms = 1};
    bench b = bench_open_with(options, 0);
    muster_lease lease = {0};
    muster_call_info call = {.struct_size = sizeof call};

    report(1);
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == 1));
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_OK);
    for (int i = 0; i < 10; i++) {
        tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
        AWAIT(stats_of(&b).ready == 0);
        tell(&b, NULL, MUSTER_HEALTH_SERVING);
        AWAIT(stats_of(&b).ready == 1);
    }
    cr_expect(muster_testkit_transport_use(b.transport,
                                           muster_lease_connection(&lease)));
    cr_expect_eq(counts_of(&b, NULL).cancelled, 0);
    muster_lease_finish(&lease, NULL);
    expect_quiet(&b, 1);
    bench_close(&b);
}

/* ---- all of them ---- */

Test(health, fails_calls_with_the_reason_when_nothing_serves)
{
    bench b = open_serving(2);
    muster_error err;

    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, &err), MUSTER_UNAVAILABLE);
    cr_expect_not_null(strstr(err.message, REASON), "%s", err.message);
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL), MUSTER_QUEUED);
    tell(&b, abc[0], MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_READY);
    expect_quiet(&b, 2);
    bench_close(&b);
}

Test(health, keeps_calls_waiting_until_it_is_known)
{
    bench b = open_watching();

    report(1);
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == 1));
    AWAIT(stats_of(&b).connections_ready == 1);
    cr_expect_eq(stats_of(&b).state, MUSTER_CONNECTING);
    cr_expect_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_READY);
    tell(&b, NULL, MUSTER_HEALTH_UNKNOWN);
    AWAIT(stats_of(&b).state == MUSTER_CONNECTING);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    tell(&b, NULL, MUSTER_HEALTH_UNKNOWN);
    AWAIT(has_health(&b, 0, "unknown"));
    /* One that failed counts as failed until it serves (gRFC A62). */
    cr_expect_eq(stats_of(&b).state, MUSTER_TRANSIENT_FAILURE);
    expect_quiet(&b, 1);
    bench_close(&b);
}

/* ---- priorities, and lists that are replaced ---- */

Test(health, fails_over_to_the_next_priority_and_back)
{
    bench b = open_watching();
    muster_endpoint list[2] = {{.address = abc[0], .priority = 0},
                               {.address = abc[1], .priority = 1}};

    script_report(TARGET, list, 2);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).connected == 1));
    tell(&b, abc[0], MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == 1);
    cr_expect_eq(counts_of(&b, abc[1]).created, 0);
    for (int i = 0; i < 5; i++) {
        tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
        AWAIT((stats_of(&b), counts_of(&b, abc[1]).connected == 1));
        tell(&b, abc[1], MUSTER_HEALTH_SERVING);
        AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
        cr_expect_eq(share_of(&b, abc[1], 10), 10);
        tell(&b, abc[0], MUSTER_HEALTH_SERVING);
        AWAIT(share_of(&b, abc[0], 1) == 1);
        cr_expect_eq(share_of(&b, abc[0], 10), 10);
    }
    expect_quiet(&b, 2);
    bench_close(&b);
}

/* Rule 4: until something of the new list serves. */
Test(health, of_a_new_list_is_waited_for_by_the_old)
{
    bench b = open_serving(1);

    script_report_addresses(TARGET, &abc[1], 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).connected == 1));
    (void)stats_of(&b);
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    tell(&b, abc[1], MUSTER_HEALTH_NOT_SERVING);
    (void)stats_of(&b);
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    tell(&b, abc[1], MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[1], 1) == 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).destroyed == 1));
    bench_close(&b);
}

Test(health, ends_what_an_old_list_still_served)
{
    bench b = open_serving(1);

    script_report_addresses(TARGET, &abc[1], 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).connected == 1));
    tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).destroyed == 1));
    cr_expect_eq(stats_of(&b).ready, 0);
    tell(&b, abc[1], MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == 1);
    bench_close(&b);
}

/* ---- connections that end while they do not serve ---- */

Test(health, of_a_new_connection_is_asked_for_anew)
{
    bench b = open_serving(1);

    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 0);
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, NULL), 1);
    AWAIT((stats_of(&b), counts_of(&b, NULL).ready == 2));
    AWAIT(script_refreshes(TARGET) >= 1);
    AWAIT(stats_of(&b).connections_ready == 2);
    cr_expect_eq(stats_of(&b).state, MUSTER_TRANSIENT_FAILURE);
    cr_expect(has_health(&b, 0, "unknown"));
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_READY);
    bench_close(&b);
}

Test(health, is_no_matter_once_the_endpoint_is_removed)
{
    bench b = open_serving(2);

    tell(&b, abc[1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 1);
    report(1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).destroyed == 1));
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    bench_close(&b);
}

Test(health, does_not_keep_a_channel_from_closing)
{
    bench b = open_serving(3);

    tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
    tell(&b, abc[1], MUSTER_HEALTH_UNKNOWN);
    AWAIT(stats_of(&b).ready == 1);
    bench_close(&b);
}

/* One call that had begun before is waited for. */
Test(health, does_not_hide_calls_from_a_shutdown)
{
    bench b = open_serving(1);
    muster_shutdown_numbers numbers = {.struct_size = sizeof numbers};
    muster_lease lease = {0};

    cr_assert_eq(muster_channel_pick(b.channel, NULL, &lease, NULL), MUSTER_OK);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 0);
    cr_expect_eq(muster_channel_shutdown(b.channel, 1, &numbers), MUSTER_OK);
    cr_expect_eq(numbers.cancelled, 1);
    cr_expect_geq(counts_of(&b, NULL).cancelled, 1);
    muster_lease_finish(&lease, NULL);
    bench_close(&b);
}

/* ---- connections that are replaced ---- */

Test(health, of_the_successor_is_waited_for)
{
    bench b = open_serving(1);

    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL), 1);
    AWAIT(stats_of(&b).connections_ready == 2);
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    cr_expect_eq(counts_of(&b, NULL).destroyed, 0);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(share_of(&b, abc[0], 10) == 10 && counts_of(&b, NULL).destroyed == 1);
    cr_expect_eq(stats_of(&b).ready, 1);
    cr_expect_eq(script_refreshes(TARGET), 0);
    bench_close(&b);
}

Test(health, of_a_successor_that_waits_is_of_use_when_the_old_one_is_lost)
{
    bench b = open_serving(1);

    cr_assert_eq(muster_testkit_transport_renew(b.transport, NULL), 1);
    AWAIT(stats_of(&b).connections_ready == 2);
    /* Both go: the successor, which was READY, is followed by another. */
    cr_assert_eq(muster_testkit_transport_disconnect(b.transport, NULL), 2);
    AWAIT((stats_of(&b), counts_of(&b, NULL).destroyed == 2));
    AWAIT((stats_of(&b), counts_of(&b, NULL).connected == 1));
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == 1);
    bench_close(&b);
}

Test(health, of_a_successor_goes_with_the_endpoint)
{
    bench b = open_serving(2);

    cr_assert_eq(muster_testkit_transport_renew(b.transport, abc[1]), 1);
    AWAIT(stats_of(&b).connections_ready == 3);
    report(1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).destroyed == 2));
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    bench_close(&b);
}

/* It is the latest word about the server, which is the same one. */
Test(health, of_a_successor_counts_whatever_it_is)
{
    bench b = open_serving(2);

    cr_assert_eq(muster_testkit_transport_renew(b.transport, abc[0]), 1);
    AWAIT(stats_of(&b).connections_ready == 3);
    tell(&b, abc[0], MUSTER_HEALTH_NOT_SERVING);
    AWAIT((stats_of(&b), counts_of(&b, abc[0]).destroyed == 1));
    AWAIT(stats_of(&b).ready == 1);
    cr_expect(has_health(&b, 0, "not_serving"));
    cr_expect_eq(share_of(&b, abc[1], 10), 10);
    tell(&b, abc[0], MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == 2);
    cr_expect_eq(counts_of(&b, abc[0]).connected, 1);
    bench_close(&b);
}

/* ---- the service ---- */

static void report_config(const char *config)
{
    const muster_endpoint endpoint = {.address = abc[0]};

    script_report_config(TARGET, &endpoint, 1, config);
}

static unsigned n_watching(const bench *b, const char *service)
{
    (void)stats_of(b);
    return muster_testkit_transport_count_watches(b->transport, NULL, service);
}

Test(health, is_of_the_service_that_the_config_names_last)
{
    bench b = open_serving(1);

    cr_expect_eq(n_watching(&b, "a"), 1);
    report_config("{\"healthCheckConfig\": {\"serviceName\": \"b\"}}");
    AWAIT(n_watching(&b, "b") == 1);
    /* What is known stays until there is an answer. */
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).ready == 0);
    report_config("{}");
    AWAIT(stats_of(&b).ready == 1);
    cr_expect_eq(n_watching(&b, NULL), 1);
    cr_expect(has_health(&b, 0, "null"));
    report_config(NULL); /* the application's again */
    AWAIT(n_watching(&b, "a") == 1);
    cr_expect_eq(share_of(&b, abc[0], 10), 10);
    expect_quiet(&b, 1);
    bench_close(&b);
}

Test(health, is_of_the_latest_service_also_when_that_changed_meanwhile)
{
    bench b = open_watching();

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report(1);
    AWAIT((stats_of(&b), counts_of(&b, NULL).connecting == 1));
    cr_expect_eq(n_watching(&b, "a"), 1);
    report_config("{\"healthCheckConfig\": {\"serviceName\": \"b\"}}");
    cr_assert_eq(muster_testkit_transport_connect(b.transport, NULL), 1);
    AWAIT(n_watching(&b, "b") == 1);
    tell(&b, NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats_of(&b).ready == 1);
    bench_close(&b);
}

/* ---- policies that do not care ---- */

#define HEEDLESS                                                               \
    "{\"loadBalancingConfig\": [{\"heedless\": {}}],"                          \
    " \"healthCheckConfig\": {\"serviceName\": \"a\"}}"
#define HEEDFUL                                                                \
    "{\"loadBalancingConfig\": [{\"round_robin\": {}}],"                       \
    " \"healthCheckConfig\": {\"serviceName\": \"a\"}}"

Test(health, is_not_asked_for_by_a_policy_that_ignores_it)
{
    const muster_channel_options options = {.policy = "heedless",
                                            .service_config = WATCHES};
    bench b = bench_open_with(options, 0);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    cr_expect_eq(n_watching(&b, NULL), 2);
    cr_expect(has_health(&b, 0, "null"));
    expect_connections(&b, 2);
    bench_close(&b);
}

Test(health, is_asked_for_as_the_policy_of_the_day_has_it)
{
    bench b = bench_open(NULL, 0);

    report_config(HEEDFUL);
    AWAIT(n_watching(&b, "a") == 1);
    AWAIT(stats_of(&b).connections_ready == 1);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    report_config(HEEDLESS);
    AWAIT(stats_of(&b).ready == 1);
    cr_expect_eq(n_watching(&b, NULL), 1);
    report_config(HEEDFUL);
    AWAIT(n_watching(&b, "a") == 1);
    tell(&b, NULL, MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    expect_connections(&b, 1);
    bench_close(&b);
}
