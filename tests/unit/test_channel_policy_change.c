/* SPDX-License-Identifier: Apache-2.0 */
/* From one policy to the next, as a service config says: what is connected
 * meanwhile, who serves, and what of the former is forgotten. */
#include "rules_fixture.h"

#define BALANCE(policy) "{\"loadBalancingConfig\": [{\"" policy "\": {}}]}"

static void report_config(size_t n, const char *config)
{
    const muster_endpoint list[] = {
        {.address = abc[0]}, {.address = abc[1]}, {.address = abc[2]}};

    script_report_config(TARGET, list, n, config);
}

static bench open_as(uint64_t delay_ms)
{
    return bench_open_with((muster_channel_options){.failover_timeout_ms = 20},
                           delay_ms);
}

static void want_only(unsigned index)
{
    drill.first_wanted = index;
    drill.n_wanted = 1;
}

/* Whether a pick goes to address. */
static bool goes_to(const bench *b, const char *address)
{
    muster_lease lease = {0};
    bool goes =
        muster_channel_pick(b->channel, NULL, &lease, NULL) == MUSTER_OK &&
        strcmp(muster_lease_endpoint(&lease)->address, address) == 0;

    muster_lease_finish(&lease, NULL);
    return goes;
}

/* Two endpoints serve under policy; the next one wants a third, which only
 * begins to connect. */
static bench open_changing(muster_channel_options options, const char *former)
{
    bench b = bench_open_with(options, 0);

    report_config(2, former);
    AWAIT((try_pick(&b, 0, NULL), stats_of(&b).ready == 2));
    want_only(2);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    return b;
}

static void change(const bench *b)
{
    report_config(3, BALANCE("wanting"));
    AWAIT(counts_of(b, abc[2]).connecting == 1);
}

/* ---- what is connected ---- */

Test(channel_policy_change, connects_only_what_the_first_policy_wants)
{
    bench b = open_as(MUSTER_FOREVER);

    want_only(0);
    report_config(3, BALANCE("wanting"));
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    cr_assert_eq(stats_of(&b).connections_created, 1);
    bench_close(&b);
}

Test(channel_policy_change, connects_only_what_the_next_policy_wants)
{
    bench b = open_as(0);

    report_config(1, NULL);
    AWAIT(stats_of(&b).ready == 1);
    want_only(2);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    change(&b);
    cr_assert_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

/* ---- a policy that cannot be made ---- */

Test(channel_policy_change, makes_a_policy_when_there_is_memory_again)
{
    bench b = open_as(0);

    drill.create_status = MUSTER_NOMEM;
    atomic_store(&drill.create_fails_after, 2); /* behind the check of it */
    report_config(2, BALANCE("drilled"));
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
    bench_close(&b);
}

Test(channel_policy_change, changes_when_there_is_memory_again)
{
    bench b = open_as(0);
    unsigned n_picks;

    report_config(2, NULL);
    AWAIT(stats_of(&b).ready == 2);
    drill.create_status = MUSTER_NOMEM;
    atomic_store(&drill.create_fails_after, 2);
    report_config(2, BALANCE("drilled"));
    n_picks = atomic_load(&drill.next);
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK &&
          atomic_load(&drill.next) > n_picks);
    bench_close(&b);
}

/* ---- who serves ---- */

Test(channel_policy_change, ends_when_the_wanted_priority_is_not_started)
{
    const muster_endpoint list[] = {{.address = abc[0]},
                                    {.address = abc[1], .priority = 1}};
    bench b = open_as(0);

    want_only(1);
    script_report_config(TARGET, list, 2, NULL);
    AWAIT(stats_of(&b).ready == 1);
    script_report_config(TARGET, list, 2, BALANCE("wanting"));
    AWAIT(goes_to(&b, abc[1]));
    bench_close(&b);
}

Test(channel_policy_change, ends_when_its_time_is_over)
{
    bench b =
        open_changing((muster_channel_options){.replace_timeout_ms = 20}, NULL);

    change(&b);
    AWAIT(stats_of(&b).ready == 0);
    AWAIT(muster_channel_state(b.channel) == MUSTER_CONNECTING);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, abc[2]), 1);
    AWAIT(goes_to(&b, abc[2]));
    bench_close(&b);
}

/* The worse priority has connections left from a failover. */
Test(channel_policy_change, leaves_the_view_to_the_former_policy)
{
    const muster_endpoint list[] = {{.address = abc[0]},
                                    {.address = abc[1], .priority = 1},
                                    {.address = abc[2]}};
    bench b = open_as(0);

    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    script_report_config(TARGET, list, 2, NULL);
    AWAIT(goes_to(&b, abc[1]));
    muster_testkit_transport_set_failure(b.transport, abc[0], NULL);
    AWAIT(goes_to(&b, abc[0]));
    cr_assert_eq(counts_of(&b, abc[1]).connected, 1);
    want_only(2);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report_config(TARGET, list, 3, BALANCE("aware"));
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    cr_assert_eq(share_of(&b, abc[1], 20), 0);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, abc[2]), 1);
    AWAIT(goes_to(&b, abc[2]));
    bench_close(&b);
}

Test(channel_policy_change, tells_a_policy_before_it_picks)
{
    bench b = open_as(0);
    unsigned n_updates;

    report_config(2, BALANCE("building"));
    AWAIT(stats_of(&b).ready == 2);
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
    atomic_store(&drill.hangs_in_build, true);
    report_config(3, BALANCE("building"));
    sem_wait(&drill.is_building);
    n_updates = atomic_load(&drill.n_updates);
    report_config(3, BALANCE("drilled"));
    AWAIT(atomic_load(&drill.n_updates) > n_updates);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    AWAIT(share_of(&b, abc[2], 30) == 10);
    bench_close(&b);
}

/* ---- what is forgotten ---- */

typedef struct ejection {
    const muster_balancer_env *env;
    uint64_t id;
    atomic_bool is_done;
} ejection;

/* Thread: control. */
static void eject(void *arg, muster_status status, muster_lease *lease,
                  const muster_error *err)
{
    ejection *self = arg;

    (void)err;
    cr_assert_eq(status, MUSTER_OK);
    muster_lease_finish(lease, NULL);
    self->env->host->set_ejected(self->env->ctx, self->id, 1);
    atomic_store(&self->is_done, true);
}

Test(channel_policy_change, ignores_what_the_former_policy_ejects)
{
    bench b = open_changing((muster_channel_options){0}, BALANCE("drilled"));
    ejection late = {.env = drill.env};

    change(&b);
    late.id = atomic_load(&drill.ids[2]);
    cr_assert_eq(muster_channel_pick_async(b.channel, NULL, eject, &late, NULL),
                 MUSTER_OK);
    AWAIT(atomic_load(&late.is_done));
    cr_assert_eq(muster_testkit_transport_connect(b.transport, abc[2]), 1);
    AWAIT(goes_to(&b, abc[2]));
    bench_close(&b);
}

Test(channel_policy_change, forgets_what_the_former_policy_asked_for)
{
    bench b = open_changing((muster_channel_options){0}, BALANCE("lazy"));

    change(&b);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    }
    (void)stats_of(&b);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, abc[2]), 1);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[2], 10), 10);
    bench_close(&b);
}

/* ---- a policy that cannot be loaded now ---- */

Test(channel_policy_change, looks_again_at_what_could_not_be_judged)
{
    bench b = open_as(0);

    drill.create_status = MUSTER_TIMEOUT;
    atomic_store(&drill.create_fails_after, 1); /* the check of it */
    report_config(2, BALANCE("drilled"));
    AWAIT(try_pick(&b, 0, NULL) == MUSTER_OK);
    bench_close(&b);
}

Test(channel_policy_change, keeps_the_last_one_while_the_next_is_not_judged)
{
    bench b = open_as(0);
    unsigned n_picks;

    report_config(2, NULL);
    AWAIT(stats_of(&b).ready == 2);
    drill.create_status = MUSTER_PERMISSION;
    atomic_store(&drill.create_fails_after, 1);
    report_config(2, BALANCE("drilled"));
    n_picks = atomic_load(&drill.next);
    AWAIT(goes_to(&b, abc[0]) && atomic_load(&drill.next) > n_picks);
    bench_close(&b);
}

Test(channel_policy_change, tells_that_it_could_not_be_judged)
{
    const char text[] = BALANCE("drilled");
    bench b = open_as(0);
    muster_error err;

    drill.create_status = MUSTER_TIMEOUT;
    atomic_store(&drill.create_fails_after, 1);
    cr_assert_eq(
        muster_service_config_check(text, strlen(text), NULL, NULL, &err),
        MUSTER_TIMEOUT);
    cr_assert_eq(err.code, MUSTER_TIMEOUT);
    bench_close(&b);
}

static void count_one(const muster_balancer_env *env)
{
    env->host->count(env->ctx, "tries", NULL, 0, 1);
}

Test(channel_policy_change, forgets_what_a_policy_counts_in_the_check_of_it)
{
    const char text[] = BALANCE("drilled");
    bench b = open_as(0);

    drill.in_create = count_one;
    drill.in_destroy = count_one;
    cr_assert_eq(
        muster_service_config_check(text, strlen(text), NULL, NULL, NULL),
        MUSTER_OK);
    bench_close(&b); /* what is left is a leak */
}

/* ---- reports from inside a policy ---- */

/* As one whose plugin has resolvers, too, may do on the control thread. */
static void report_less(void)
{
    report_config(1, BALANCE("wanting"));
}

static void report_another(void)
{
    report_config(3, BALANCE("drilled"));
}

/* Both are wanted and connect; the policy is told when the first is READY. */
static bench open_connecting(void)
{
    bench b = open_as(MUSTER_FOREVER);

    drill.n_wanted = 2;
    report_config(2, BALANCE("wanting"));
    AWAIT(counts_of(&b, abc[0]).connecting == 1 &&
          counts_of(&b, abc[1]).connecting == 1);
    return b;
}

static void connect_first(const bench *b)
{
    cr_assert_eq(muster_testkit_transport_connect(b->transport, abc[0]), 1);
    AWAIT(goes_to(b, abc[0]));
}

static void check_taken_over(bench *b)
{
    AWAIT(stats_of(b).endpoints == 1 && stats_of(b).connections_ready == 1);
    cr_assert(goes_to(b, abc[0]));
    bench_close(b);
}

Test(channel_policy_change, lets_a_list_wait_that_is_reported_in_update)
{
    bench b = open_connecting();

    atomic_store(&drill.in_update, report_less);
    connect_first(&b);
    check_taken_over(&b);
}

Test(channel_policy_change, lets_a_list_wait_that_is_reported_in_want)
{
    bench b = open_connecting();

    atomic_store(&drill.in_want, report_less);
    connect_first(&b);
    check_taken_over(&b);
}

Test(channel_policy_change, does_not_end_a_policy_inside_its_own_call)
{
    bench b = open_changing((muster_channel_options){0}, NULL);

    change(&b); /* not published yet: nothing else holds it */
    atomic_store(&drill.in_update, report_another);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    /* Each config is tried first. */
    AWAIT(atomic_load(&drill.n_created) == 4 &&
          atomic_load(&drill.n_destroyed) == 3);
    AWAIT(goes_to(&b, abc[1]));
    bench_close(&b);
}
