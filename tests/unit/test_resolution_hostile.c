/* SPDX-License-Identifier: Apache-2.0 */
/* Plugins that break the contract. */
#include "resolution.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "drill.h"
#include "resolver_handle.h"
#include "timing.h"

TestSuite(resolution_hostile, .init = drill_open, .fini = drill_close,
          .timeout = 60);

static recorder told;

static const muster_resolver_env *start(const char *target)
{
    cr_assert_eq(recorder_subscribe(&told, target, NULL, NULL), MUSTER_OK);
    AWAIT(drill.n_starts == 1);
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(told.n_changed == 1);
    return drill.env;
}

static muster_update update_of(const muster_endpoint *endpoints, size_t n)
{
    muster_update update = {.struct_size = sizeof update,
                            .endpoint_size = sizeof(muster_endpoint),
                            .endpoints = endpoints,
                            .n_endpoints = n};

    return update;
}

Test(resolution_hostile, refuses_endpoints_at_null)
{
    const muster_resolver_env *env = start("drill:///a");
    muster_update update = update_of(NULL, 3);

    cr_expect_eq(env->host->report(env->ctx, &update, NULL), MUSTER_INVAL);
    AWAIT(told.n_failed == 1);
    cr_expect_eq(told.status, MUSTER_INVAL);
    cr_expect_eq(told.size, 2);
    cr_expect_eq(told.stats.updates_refused, 1);
    recorder_end(&told);
}

Test(resolution_hostile, refuses_structs_that_are_too_small)
{
    const muster_resolver_env *env = start("drill:///a");
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster_update update = update_of(&endpoint, 1);
    muster_delta delta = {.struct_size = 8};

    update.struct_size = 8;
    cr_expect_eq(env->host->report(env->ctx, &update, NULL), MUSTER_INVAL);
    cr_expect_eq(env->host->report(env->ctx, NULL, NULL), MUSTER_INVAL);
    cr_expect_eq(env->host->report_delta(env->ctx, &delta, NULL), MUSTER_INVAL);
    update = update_of(&endpoint, 1);
    update.endpoint_size = 3;
    cr_expect_eq(env->host->report(env->ctx, &update, NULL), MUSTER_INVAL);
    recorder_end(&told);
}

/* So that a later ABI can give them a meaning. */
Test(resolution_hostile, refuses_flags_that_do_not_exist)
{
    const muster_resolver_env *env = start("drill:///a");
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster_update update = update_of(&endpoint, 1);

    update.flags = 1u << 31;
    cr_expect_eq(env->host->report(env->ctx, &update, NULL), MUSTER_INVAL);
    update = update_of(&endpoint, 1);
    update.reserved = 1;
    cr_expect_eq(env->host->report(env->ctx, &update, NULL), MUSTER_INVAL);
    recorder_end(&told);
}

Test(resolution_hostile, refuses_more_endpoints_than_memory_has_room_for)
{
    const muster_resolver_env *env = start("drill:///a");
    muster_endpoint endpoint = {.address = "10.0.0.1:1"};
    muster_update update = update_of(&endpoint, SIZE_MAX / 8);

    cr_expect_neq(env->host->report(env->ctx, &update, NULL), MUSTER_OK);
    recorder_end(&told);
}

Test(resolution_hostile, tells_of_a_bad_address_once)
{
    const muster_resolver_env *env = start("drill:///a");
    muster_endpoint endpoint = {.address = "no address"};

    for (int i = 0; i < 5; i++) {
        cr_expect_eq(muster_report(env, &endpoint, 1), MUSTER_INVAL);
    }
    drill_settle();
    drill_fail(MUSTER_UNAVAILABLE, "down");
    AWAIT(told.n_failed == 2);
    cr_expect_eq(told.stats.updates_refused, 5);
    cr_expect_eq(told.stats.failures, 1);
    recorder_end(&told);
}

Test(resolution_hostile, ignores_reports_after_stopped)
{
    const muster_resolver_env *env = start("drill:///a");
    const muster_resolver_host *host = env->host;
    void *ctx = env->ctx;
    muster_endpoint endpoint = {.address = "10.0.0.1:9"};
    muster_update update = update_of(&endpoint, 1);
    uint64_t n_late = muster__handle_late_calls();

    recorder_end(&told);
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_CLOSED);
    cr_expect_eq(host->post(ctx, free, NULL), MUSTER_CLOSED);
    host->fail(ctx, MUSTER_UNAVAILABLE, "late");
    host->stopped(ctx);
    host->cancel(ctx, 1);
    host->log(ctx, MUSTER_LOG_ERROR, "late");
    cr_expect_eq(muster__handle_late_calls(), n_late + 6);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolution_hostile, does_not_mistake_a_late_call_for_the_next_instance)
{
    const muster_resolver_env *env = start("drill:///a");
    const muster_resolver_host *host = env->host;
    void *ctx = env->ctx;
    muster_endpoint endpoint = {.address = "10.0.0.1:9"};
    muster_update update = update_of(&endpoint, 1);

    recorder_end(&told);
    told = (recorder){.n_ended = 0};
    cr_assert_eq(recorder_subscribe(&told, "drill:///a", NULL, NULL),
                 MUSTER_OK);
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_CLOSED);
    drill_settle();
    cr_expect_eq(told.n_changed, 0);
    recorder_end(&told);
}

Test(resolution_hostile, takes_stopped_twice)
{
    drill.stop = STOPS_TWICE;
    (void)start("drill:///a");
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 1);
}

Test(resolution_hostile, replaces_an_instance_that_stopped_by_itself)
{
    muster__resolver_options options = {.initial_backoff_ms = 10};
    const muster_resolver_env *env;

    cr_assert_eq(recorder_subscribe(&told, "drill:///a", &options, NULL),
                 MUSTER_OK);
    AWAIT(drill.n_starts == 1);
    env = drill.env;
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    env->host->stopped(env->ctx);
    AWAIT(told.n_failed == 1);
    cr_expect_eq(told.size, 2);
    AWAIT(drill.n_starts == 2);
    cr_expect_eq(drill.n_frees, 1);
    cr_expect_eq(drill.n_stops, 0);
    cr_assert_eq(drill_report("1,2"), MUSTER_OK);
    AWAIT(told.n_confirmed == 1);
    recorder_end(&told);
    cr_expect_eq(drill.n_frees, 2);
}

Test(resolution_hostile, counts_reports_after_stopping_by_itself)
{
    const muster_resolver_env *env = start("drill:///a");
    const muster_resolver_host *host = env->host;
    void *ctx = env->ctx;
    const muster_update update = update_of(NULL, 0);

    host->stopped(ctx); /* from here on env may be gone */
    cr_expect_eq(host->report(ctx, &update, NULL), MUSTER_CLOSED);
    AWAIT(told.n_failed == 1);
    AWAIT(told.stats.late_reports <= 1);
    recorder_end(&told);
}

static void open_fast(void)
{
    muster__timing_scale_for_test(100);
    drill_open();
}

TestSuite(resolution_hostile_fast, .init = open_fast, .fini = drill_close,
          .timeout = 60);

Test(resolution_hostile_fast, leaves_an_instance_behind_that_will_not_stop)
{
    const muster_resolver_env *env;

    drill.stop = STOPS_NEVER;
    env = start("drill:///a");
    recorder_end(&told);
    cr_expect_eq(told.ended_status, MUSTER_TIMEOUT);
    cr_expect_eq(drill.n_frees, 0);
    cr_expect_eq(muster_report(env, NULL, 0), MUSTER_CLOSED);
    env->host->stopped(env->ctx);
    drill_settle();
    cr_expect_eq(drill.n_frees, 0);
}

Test(resolution_hostile_fast, leaves_a_thread_behind_that_does_not_return)
{
    drill.blocks_create = true;
    cr_assert_eq(recorder_subscribe(&told, "block:///a", NULL, NULL),
                 MUSTER_OK);
    AWAIT(drill.n_inside == 1);
    recorder_end(&told);
    cr_expect_eq(told.ended_status, MUSTER_TIMEOUT);
    drill_lock();
    drill.blocks_create = false;
    drill_unlock();
    AWAIT(drill.n_creates == 1);
    cr_expect_eq(drill.n_starts, 0);
}
