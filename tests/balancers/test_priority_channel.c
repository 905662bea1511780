/* SPDX-License-Identifier: Apache-2.0 */
/* The policies "priority" and "priority_load" on a real channel, over the fake
 * transport. */
#include "channel_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define TARGET "priority"
#define WATCHES "{\"healthCheckConfig\": {\"serviceName\": \"a\"}}"
#define REASON "health check of a: NOT_SERVING"

enum { LONG_MS = 60000 };

const muster_plugin *muster_builtin_priority(void);

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static void open_channel(const char *target, const char *policy,
                         const char *config, muster_channel_options options)
{
    options.policy = policy;
    options.policy_config_json = config;
    options.initial_backoff_ms = 5;
    options.max_backoff_ms = 20;
    open_registered(muster_builtin_priority, target, options);
}

/* The first two endpoints of priority 0, and the third of priority 1. */
static void report(void)
{
    const muster_endpoint list[3] = {{.address = abc[0]},
                                     {.address = abc[1]},
                                     {.address = abc[2], .priority = 1}};

    script_report(TARGET, list, 3);
}

static const char *place(void)
{
    return place_by("a key", in_ms(LONG_MS), NULL);
}

static void tell(const char *address, muster_health health)
{
    cr_assert_gt(muster_testkit_transport_report_health(
                     transport, address, health,
                     health == MUSTER_HEALTH_NOT_SERVING ? REASON : NULL),
                 0);
}

/* ---- calls that fail at once when they find nothing ---- */

typedef struct caller {
    pthread_t thread;
    atomic_bool is_over;
    atomic_uint n_failed;
    atomic_uint n_placed;
} caller;

static void *call_on(void *arg)
{
    caller *self = arg;

    while (!atomic_load(&self->is_over)) {
        const muster_call_info call = {.struct_size = sizeof call,
                                       .deadline_ns = in_ms(LONG_MS)};
        muster_lease lease = {0};
        bool is_placed =
            muster_channel_pick_wait(channel, &call, &lease, NULL) == MUSTER_OK;

        atomic_fetch_add(is_placed ? &self->n_placed : &self->n_failed, 1);
        muster_lease_finish(&lease, NULL);
    }
    return NULL;
}

static void caller_start(caller *self)
{
    atomic_init(&self->is_over, false);
    atomic_init(&self->n_failed, 0);
    atomic_init(&self->n_placed, 0);
    cr_assert_eq(pthread_create(&self->thread, NULL, call_on, self), 0);
}

/* Some more calls are made. */
static void caller_go_on(caller *self)
{
    unsigned before = atomic_load(&self->n_placed);

    AWAIT(atomic_load(&self->n_placed) > before + 20);
}

static void caller_stop(caller *self)
{
    atomic_store(&self->is_over, true);
    cr_assert_eq(pthread_join(self->thread, NULL), 0);
    cr_expect_eq(atomic_load(&self->n_failed), 0);
}

/* ---- failing over ---- */

static bool is_lost(const char *address)
{
    muster_testkit_transport_counts counts;

    (void)muster_testkit_transport_disconnect(transport, address);
    muster_testkit_transport_get_counts(transport, address, &counts);
    return counts.connecting == 0 && counts.connected == 0;
}

/* Also one that is being made, and was before it was to fail. */
static void lose(const char *address)
{
    set_failure(address, "refused");
    AWAIT(is_lost(address));
}

static bool is_third(void)
{
    return strcmp(place(), abc[2]) == 0;
}

/* Several times over and back, and no call fails. */
static void check_failover(const char *policy, const char *config)
{
    caller calls;

    open_channel("script:///" TARGET, policy, config,
                 (muster_channel_options){0});
    report();
    cr_assert(!is_third());
    caller_start(&calls);
    for (int i = 0; i < 5; i++) {
        lose(abc[0]);
        lose(abc[1]);
        AWAIT(is_third());
        caller_go_on(&calls);
        set_failure(abc[0], NULL);
        set_failure(abc[1], NULL);
        AWAIT(!is_third());
        caller_go_on(&calls);
    }
    caller_stop(&calls);
    close_channel();
}

Test(priority_channel, fails_over_and_back)
{
    check_failover("priority", NULL);
}

Test(priority_channel, spills_over_and_back)
{
    check_failover("priority_load", NULL);
}

Test(priority_channel, fails_over_under_rings)
{
    check_failover("priority", "{\"childPolicy\": [{\"ring_hash\": {}}]}");
}

Test(priority_channel, fails_over_three_policies_deep)
{
    check_failover("priority",
                   "{\"childPolicy\": [{\"priority_load\": {\"childPolicy\": "
                   "[{\"priority\": {\"childPolicy\": [{\"ring_hash\": "
                   "{\"connectAll\": true}}]}}]}}]}");
}

/* What the second level does not need stays unconnected. */
Test(priority_channel, connects_the_best_level_only)
{
    open_channel("script:///" TARGET, "priority", NULL,
                 (muster_channel_options){0});
    report();
    AWAIT(stats().ready == 2);
    for (int i = 0; i < 100; i++) {
        cr_assert(!is_third());
    }
    cr_assert_eq(stats().connections_created, 2);
    close_channel();
}

Test(priority_channel, gives_up_a_level_that_is_not_needed_any_more)
{
    open_channel("script:///" TARGET, "priority", "{\"retention\": \"0.05s\"}",
                 (muster_channel_options){0});
    lose(abc[0]);
    lose(abc[1]);
    report();
    AWAIT(is_third());
    set_failure(abc[0], NULL);
    set_failure(abc[1], NULL);
    AWAIT(!is_third());
    AWAIT(stats().ready == 2);
    close_channel();
}

Test(priority_channel, fails_calls_when_every_level_has_failed)
{
    muster_lease lease = {0};

    open_channel("script:///" TARGET, "priority", NULL,
                 (muster_channel_options){0});
    set_failure(abc[0], "refused");
    set_failure(abc[1], "refused");
    set_failure(abc[2], "refused");
    report();
    AWAIT(stats().state == MUSTER_TRANSIENT_FAILURE);
    AWAIT(muster_channel_pick(channel, NULL, &lease, NULL) ==
          MUSTER_UNAVAILABLE);
    set_failure(abc[2], NULL);
    AWAIT(is_third());
    close_channel();
}

/* Priorities of another source. */
Test(priority_channel, heeds_the_priorities_of_a_static_list)
{
    open_channel("static:///10.0.0.1:1;priority=7,10.0.0.2:1;priority=3,"
                 "10.0.0.3:1;priority=9",
                 "priority", NULL, (muster_channel_options){0});
    cr_assert_str_eq(place(), abc[1]);
    lose(abc[1]);
    AWAIT(strcmp(place(), abc[0]) == 0);
    lose(abc[0]);
    AWAIT(is_third());
    set_failure(abc[0], NULL);
    AWAIT(strcmp(place(), abc[0]) == 0);
    close_channel();
}

/* ---- panic ---- */

static void open_watching(const char *config, uint32_t connections_each)
{
    open_channel(
        "script:///" TARGET, "priority_load", config,
        (muster_channel_options){.service_config = WATCHES,
                                 .connections_per_endpoint = connections_each});
    report();
    AWAIT(muster_testkit_transport_count_watches(transport, NULL, "a") >=
          2 * connections_each);
    tell(NULL, MUSTER_HEALTH_SERVING);
    AWAIT(stats().ready == 2);
}

static uint64_t n_connected(void)
{
    muster_testkit_transport_counts counts;

    muster_testkit_transport_get_counts(transport, NULL, &counts);
    return counts.connected;
}

/* All that are connected become unhealthy and healthy again, one by one, while
 * calls are made: none fails or waits for long. */
static void check_panic(uint32_t connections_each)
{
    caller calls;

    open_watching(NULL, connections_each);
    caller_start(&calls);
    for (int i = 0; i < 10; i++) {
        tell(abc[0], MUSTER_HEALTH_NOT_SERVING);
        caller_go_on(&calls);
        tell(abc[1], MUSTER_HEALTH_NOT_SERVING);
        AWAIT(n_connected() == 3 * connections_each);
        tell(abc[2], MUSTER_HEALTH_NOT_SERVING);
        caller_go_on(&calls);
        cr_expect_eq(stats().state, MUSTER_READY);
        tell(NULL, MUSTER_HEALTH_SERVING);
        AWAIT(stats().ready == 3);
        caller_go_on(&calls);
    }
    caller_stop(&calls);
    cr_expect_eq(stats().connections_created, 3 * connections_each);
    close_channel();
}

Test(priority_channel, uses_unhealthy_endpoints_in_a_panic)
{
    check_panic(1);
}

Test(priority_channel, uses_unhealthy_endpoints_with_several_connections)
{
    check_panic(2);
}

/* Out of a panic it does not. */
Test(priority_channel, keeps_off_unhealthy_endpoints_otherwise)
{
    open_watching(NULL, 1);
    tell(abc[0], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(strcmp(place(), abc[1]) == 0 && strcmp(place(), abc[1]) == 0);
    for (int i = 0; i < 100; i++) {
        cr_assert_str_eq(place(), abc[1]);
    }
    close_channel();
}

/* One that is lost in a panic connects again, as any other. */
Test(priority_channel, loses_an_endpoint_in_a_panic)
{
    open_watching(NULL, 1);
    tell(abc[0], MUSTER_HEALTH_NOT_SERVING);
    tell(abc[1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(n_connected() == 3);
    tell(abc[2], MUSTER_HEALTH_NOT_SERVING);
    for (int i = 0; i < 20; i++) {
        (void)muster_testkit_transport_disconnect(transport, abc[0]);
        (void)place();
        AWAIT(n_connected() == 3);
    }
    cr_expect_eq(stats().state, MUSTER_READY);
    close_channel();
}

/* Without panic, unhealthy endpoints are in no view, and the calls fail. */
Test(priority_channel, fails_calls_without_a_panic)
{
    muster_lease lease = {0};
    muster_error err = {0};
    muster_status status;

    open_watching("{\"panicThreshold\": 0}", 1);
    tell(abc[0], MUSTER_HEALTH_NOT_SERVING);
    tell(abc[1], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(n_connected() == 3);
    tell(abc[2], MUSTER_HEALTH_NOT_SERVING);
    AWAIT(stats().state == MUSTER_TRANSIENT_FAILURE);
    status = muster_channel_pick(channel, NULL, &lease, &err);
    cr_assert_eq(status, MUSTER_UNAVAILABLE, "%s: %s, endpoint %s",
                 muster_status_name(status), err.message,
                 status == MUSTER_OK ? muster_lease_endpoint(&lease)->address
                                     : "none");
    close_channel();
}
