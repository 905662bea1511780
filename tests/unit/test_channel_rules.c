/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's behaviour rules over the fake transport, with a policy that does
 * what the test says. */
#include <muster/muster.h>
#include <muster/plugin.h>
#include <muster/testkit.h>

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "drilled_policy.h"
#include "script_resolver.h"
#include "timing.h"

enum { LONG_MS = 10000 };

static uint64_t in_ms(uint64_t ms)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec +
           ms * 1000000u;
}

/* Repeats the barrier in condition until it holds. */
#define AWAIT(condition)                                                       \
    for (uint64_t give_up_ns = in_ms(LONG_MS); !(condition);) {                \
        cr_assert(in_ms(0) < give_up_ns, "never: " #condition);                \
    }

/* ---- a channel ---- */

#define TARGET "rules"

typedef struct bench {
    muster_testkit_transport *transport;
    muster_channel *channel;
} bench;

static bench bench_open(const char *policy, uint64_t delay_ms)
{
    bench b = {NULL, NULL};
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = policy};
    muster_error err = {.code = MUSTER_OK};

    script_register();
    sem_init(&drill.is_building, 0, 0);
    sem_init(&drill.may_build, 0, 0);
    cr_assert_eq(muster_plugin_register(drill_entry, &err), MUSTER_OK, "%s",
                 err.message);
    cr_assert_eq(muster_testkit_transport_create(&b.transport), MUSTER_OK);
    muster_testkit_transport_set_delay(b.transport, delay_ms);
    options.transport = muster_testkit_transport_class();
    options.transport_arg = b.transport;
    options.initial_backoff_ms = 5;
    options.max_backoff_ms = 20;
    cr_assert_eq(
        muster_channel_create("script:///" TARGET, &options, &b.channel, &err),
        MUSTER_OK, "%s", err.message);
    return b;
}

static void bench_close(bench *b)
{
    muster_channel_destroy(b->channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_str_empty(muster_testkit_transport_violations(b->transport));
    muster_testkit_transport_destroy(b->transport);
}

static muster_channel_stats stats_of(const bench *b)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};

    cr_assert_eq(muster_channel_get_stats(b->channel, &stats), MUSTER_OK);
    return stats;
}

static const char *const abc[] = {"10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1"};

static void report(size_t n)
{
    script_report_addresses(TARGET, abc, n);
}

static muster_testkit_transport_counts counts_of(const bench *b,
                                                 const char *address)
{
    muster_testkit_transport_counts counts = {0};

    muster_testkit_transport_get_counts(b->transport, address, &counts);
    return counts;
}

/* How many of n picks go to address; all must succeed. */
static unsigned share_of(const bench *b, const char *address, unsigned n)
{
    unsigned share = 0;

    for (unsigned i = 0; i < n; i++) {
        muster_lease lease = {0};
        muster_error err;
        cr_assert_eq(muster_channel_pick(b->channel, NULL, &lease, &err),
                     MUSTER_OK, "%s", err.message);
        share += strcmp(muster_lease_endpoint(&lease)->address, address) == 0;
        muster_lease_finish(&lease, NULL);
    }
    return share;
}

static muster_status try_pick(const bench *b, uint32_t flags, muster_error *err)
{
    muster_call_info call = {.struct_size = sizeof call, .flags = flags};
    muster_lease lease = {0};
    muster_status status = muster_channel_pick(b->channel, &call, &lease, err);

    muster_lease_finish(&lease, NULL);
    return status;
}

/* ---- rules 4 and 5: what moves to another priority ---- */

Test(rules, keeps_serving_and_connected_what_moves_to_another_priority)
{
    bench b = bench_open(NULL, 0);
    muster_endpoint list[2] = {{.address = abc[0], .priority = 1},
                               {.address = abc[1], .priority = 0}};

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    script_report(TARGET, list, 2);
    cr_assert_eq(stats_of(&b).state, MUSTER_READY);
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    AWAIT(counts_of(&b, abc[1]).connecting == 1);
    muster_testkit_transport_connect(b.transport, abc[1]);
    AWAIT(share_of(&b, abc[1], 1) == 1);
    cr_assert_eq(share_of(&b, abc[1], 10), 10);
    report(1);
    (void)stats_of(&b);
    AWAIT(share_of(&b, abc[0], 1) == 1);
    cr_assert_eq(counts_of(&b, abc[0]).created, 1);
    bench_close(&b);
}

/* ---- rule 6 ---- */

Test(rules, asks_for_resolution_when_a_ready_one_goes_away_and_not_before)
{
    bench b = bench_open(NULL, 0);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(script_refreshes(TARGET), 0);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    AWAIT(script_refreshes(TARGET) >= 1);
    bench_close(&b);
}

Test(rules, counts_a_failed_endpoint_as_failed_until_it_is_ready)
{
    bench b = bench_open(NULL, 0);

    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    report(1);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    muster_testkit_transport_set_failure(b.transport, abc[0], NULL);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    cr_assert_eq(stats_of(&b).state, MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_UNAVAILABLE);
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL), MUSTER_QUEUED);
    muster_testkit_transport_connect(b.transport, abc[0]);
    AWAIT(stats_of(&b).state == MUSTER_READY);
    bench_close(&b);
}

/* ---- rule 7, and a policy's own failures ---- */

static void check_policy_failure(const bench *b, int status, int expected)
{
    muster_error err = {.code = MUSTER_OK};

    drill.failure.status = status;
    drill.failure.message = "over quota";
    cr_assert_eq(try_pick(b, MUSTER_CALL_WAIT_FOR_READY, &err),
                 MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message, "over quota");
    cr_assert_eq(err.grpc_status, expected, "%d for %d", err.grpc_status,
                 status);
}

Test(rules, do_not_ask_a_policy_before_the_first_list)
{
    bench b = bench_open("failing", 0);

    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    report(0);
    (void)stats_of(&b);
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL),
                 MUSTER_UNAVAILABLE);
    bench_close(&b);
}

Test(rules, tell_the_status_that_a_policy_fails_a_call_with)
{
    bench b = bench_open("failing", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    check_policy_failure(&b, 7, 7);   /* PERMISSION_DENIED */
    check_policy_failure(&b, 8, 8);   /* RESOURCE_EXHAUSTED */
    check_policy_failure(&b, 5, 13);  /* NOT_FOUND, by gRFC A54 INTERNAL */
    check_policy_failure(&b, 15, 13); /* DATA_LOSS */
    check_policy_failure(&b, 0, 14);  /* OK is no failure: UNAVAILABLE */
    check_policy_failure(&b, 99, 14);
    bench_close(&b);
}

/* ---- rule 8 ---- */

Test(rules, do_not_pick_a_dead_connection_while_a_table_is_built)
{
    bench b = bench_open("building", 0);

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    atomic_store(&drill.hangs_in_build, true);
    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    muster_testkit_transport_disconnect(b.transport, abc[0]);
    sem_wait(&drill.is_building);
    cr_assert_eq(share_of(&b, abc[1], 50), 50);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    bench_close(&b);
}

/* ---- building ---- */

Test(rules, serve_from_the_old_table_while_lists_change_and_a_build_hangs)
{
    bench b = bench_open("building", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    atomic_store(&drill.hangs_in_build, true);
    report(2);
    sem_wait(&drill.is_building);
    report(3);
    report(2);
    report(3);
    AWAIT(stats_of(&b).connections_ready >= 3);
    cr_assert_eq(share_of(&b, abc[0], 20), 20);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[2], 30), 10);
    bench_close(&b);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

Test(rules, serve_from_the_old_table_when_a_build_fails)
{
    bench b = bench_open("building", 0);

    report(1);
    AWAIT(stats_of(&b).ready == 1);
    atomic_store(&drill.fails_to_build, true);
    report(2);
    AWAIT(stats_of(&b).connections_ready == 2);
    cr_assert_eq(share_of(&b, abc[0], 20), 20);
    atomic_store(&drill.fails_to_build, false);
    report(3);
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[1], 30), 10);
    bench_close(&b);
}

Test(rules, switch_the_default_policy_while_the_old_one_serves)
{
    bench b = bench_open(NULL, 0);
    muster_endpoint list[2] = {{.address = abc[0], .weight = 1},
                               {.address = abc[1], .weight = 3}};

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    for (int i = 0; i < 50; i++) {
        list[1].weight = i % 2 == 0 ? 3 : 1;
        script_report(TARGET, list, 2);
        (void)share_of(&b, abc[0], 20);
        (void)stats_of(&b);
        (void)share_of(&b, abc[0], 20);
    }
    cr_assert_eq(stats_of(&b).connections_created, 2);
    list[1].weight = 3;
    script_report(TARGET, list, 2);
    AWAIT(share_of(&b, abc[1], 40) == 30);
    bench_close(&b);
}

/* ---- ejecting, wanting, asking ---- */

typedef struct ejection {
    unsigned index;
    int is_ejected;
} ejection;

/* The host's set_ejected() is for the control thread: this is on it. */
static void eject(void *arg, muster_status status, muster_lease *lease,
                  const muster_error *err)
{
    const ejection *wish = arg;

    (void)err;
    cr_assert_eq(status, MUSTER_OK);
    muster_lease_finish(lease, NULL);
    drill.env->host->set_ejected(
        drill.env->ctx, atomic_load(&drill.ids[wish->index]), wish->is_ejected);
}

Test(rules, keep_the_connection_of_an_ejected_endpoint_and_pick_others)
{
    bench b = bench_open("drilled", 0);
    ejection wish = {0, 1};

    report(2);
    AWAIT(stats_of(&b).ready == 2);
    muster_channel_pick_async(b.channel, NULL, eject, &wish, NULL);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[1], 20), 20);
    wish.is_ejected = 0;
    muster_channel_pick_async(b.channel, NULL, eject, &wish, NULL);
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(share_of(&b, abc[0], 20), 10);
    cr_assert_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

Test(rules, connect_only_what_the_policy_wants)
{
    bench b;

    drill.n_wanted = 1;
    b = bench_open("wanting", 0);
    report(3);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(stats_of(&b).connections_created, 1);
    bench_close(&b);
}

Test(rules, fail_fast_when_all_that_is_wanted_has_failed)
{
    bench b;

    drill.n_wanted = 1;
    b = bench_open("wanting", 0);
    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    report(3);
    AWAIT(stats_of(&b).state == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_UNAVAILABLE);
    bench_close(&b);
}

Test(rules, connect_all_that_policies_ask_for_at_once)
{
    enum { N = 60 }; /* more than are remembered at a time */
    char text[N][24];
    const char *addresses[N];
    bench b = bench_open("lazy", 0);

    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.1.0.%d:1", i);
        addresses[i] = text[i];
    }
    script_report_addresses(TARGET, addresses, N);
    AWAIT(stats_of(&b).endpoints == N && atomic_load(&drill.n_ids) == N);
    cr_assert_eq(stats_of(&b).connections_created, 0);
    for (int i = 0; i < N / 2; i++) { /* nobody waits: each is asked once */
        cr_assert_eq(try_pick(&b, 0, NULL), MUSTER_QUEUED);
    }
    AWAIT(stats_of(&b).connections_ready == N / 2);
    bench_close(&b);
}

Test(rules, ask_again_for_those_that_found_no_room)
{
    enum { N = 60, WAITING = 60 };
    char text[N][24];
    const char *addresses[N];
    bench b = bench_open("lazy", 0);
    for (int i = 0; i < N; i++) {
        (void)snprintf(text[i], sizeof text[i], "10.1.0.%d:1", i);
        addresses[i] = text[i];
    }
    script_report_addresses(TARGET, addresses, N);
    AWAIT(stats_of(&b).endpoints == N && atomic_load(&drill.n_ids) == N);
    for (int i = 0; i < N * 4; i++) {
        (void)try_pick(&b, 0, NULL);
    }
    AWAIT((try_pick(&b, 0, NULL), stats_of(&b).connections_ready == N));
    bench_close(&b);
}

static void ignore_answer(void *arg, muster_status status, muster_lease *lease,
                          const muster_error *err)
{
    (void)err;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    atomic_store((atomic_int *)arg, (int)status);
}

Test(rules, come_to_rest_while_a_pick_asks_for_one_that_connects)
{
    bench b = bench_open("lazy", MUSTER_FOREVER);
    atomic_int answer = -1;
    uint64_t generation = 0;
    unsigned n_same = 0;

    report(1);
    AWAIT(atomic_load(&drill.n_ids) == 1);
    muster_channel_pick_async(b.channel, NULL, ignore_answer, &answer, NULL);
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    for (int i = 0; i < 1000 && n_same < 100; i++) {
        uint64_t now = stats_of(&b).generation;
        n_same = now == generation ? n_same + 1 : 0;
        generation = now;
    }
    cr_assert_eq(n_same, 100);
    bench_close(&b);
    cr_assert_eq(atomic_load(&answer), (int)MUSTER_CLOSED);
}

/* ---- rule 11 ---- */

Test(rules, time_out_a_close_when_a_build_hangs)
{
    bench b;

    muster__timing_scale_for_test(50);
    b = bench_open("building", 0);
    atomic_store(&drill.hangs_in_build, true);
    report(1);
    sem_wait(&drill.is_building);
    cr_assert_eq(muster_channel_close(b.channel), MUSTER_TIMEOUT);
    cr_assert_eq(muster_shutdown(), MUSTER_BUSY);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 0);
    atomic_store(&drill.hangs_in_build, false);
    sem_post(&drill.may_build);
    bench_close(&b);
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

Test(rules, fail_to_open_after_the_policy_has_used_its_host)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = "drilled"};
    muster_channel *channel = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(muster_plugin_register(drill_entry, &err), MUSTER_OK);
    cr_assert_eq(
        muster_channel_create("static:///nonsense", &options, &channel, &err),
        MUSTER_INVAL);
    cr_assert_null(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
    cr_assert_eq(atomic_load(&drill.n_destroyed), 1);
}

/* ---- rule 12 ---- */

Test(rules, disconnect_a_lower_priority_that_is_idle_for_long)
{
    muster_endpoint list[2] = {{.address = abc[0], .priority = 0},
                               {.address = abc[1], .priority = 1}};
    bench b;

    muster__timing_scale_for_test(3000); /* 15 minutes: 300 ms */
    b = bench_open(NULL, 0);
    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    script_report(TARGET, list, 2);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[1], 10), 10);
    muster_testkit_transport_set_failure(b.transport, abc[0], NULL);
    AWAIT(share_of(&b, abc[0], 1) == 1);
    cr_assert_eq(counts_of(&b, abc[1]).connected, 1);
    AWAIT((stats_of(&b), counts_of(&b, abc[1]).connected == 0));
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    cr_assert_eq(counts_of(&b, abc[1]).created, 1);
    bench_close(&b);
}

/* ---- rule 13 ---- */

static atomic_uint n_warnings;

static void count_warning(void *arg, muster_log_level level,
                          const char *message)
{
    (void)arg;
    if (level == MUSTER_LOG_WARNING &&
        strstr(message, "ignores the endpoints' weights") != NULL) {
        atomic_fetch_add(&n_warnings, 1);
    }
}

Test(rules, warn_once_of_weights_that_the_policy_ignores)
{
    bench b;
    muster_endpoint list[2] = {{.address = abc[0], .weight = 1},
                               {.address = abc[1], .weight = 2}};

    muster_log_set(count_warning, NULL, MUSTER_LOG_WARNING);
    b = bench_open("round_robin", 0);
    report(2);
    (void)stats_of(&b);
    cr_assert_eq(atomic_load(&n_warnings), 0);
    for (uint32_t i = 0; i < 3; i++) {
        list[1].weight = i + 2;
        script_report(TARGET, list, 2);
    }
    (void)stats_of(&b);
    cr_assert_eq(atomic_load(&n_warnings), 1);
    bench_close(&b);
}

/* ---- rule 14 ---- */

typedef struct inside {
    bench *b;
    muster_status pick;
    muster_status shutdown;
    muster_status list;
    atomic_bool is_over;
} inside;

static void ignore_plugin(void *arg, const muster_plugin_info *info)
{
    (void)arg;
    (void)info;
}

static void block_inside(void *arg, muster_status status, muster_lease *lease,
                         const muster_error *err)
{
    inside *in = arg;

    (void)status;
    (void)lease;
    (void)err;
    in->pick = muster_channel_pick_wait(in->b->channel, NULL,
                                        &(muster_lease){0}, NULL);
    in->shutdown = muster_shutdown();
    in->list = muster_plugin_list(ignore_plugin, NULL);
    atomic_store(&in->is_over, true);
}

Test(rules, refuse_to_block_the_control_thread)
{
    bench b = bench_open(NULL, 0);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(1)};
    inside in = {.b = &b};

    muster_channel_pick_async(b.channel, &call, block_inside, &in, NULL);
    AWAIT(atomic_load(&in.is_over));
    cr_assert_eq(in.pick, MUSTER_WOULD_DEADLOCK);
    cr_assert_eq(in.shutdown, MUSTER_WOULD_DEADLOCK);
    cr_assert_eq(in.list, MUSTER_WOULD_DEADLOCK);
    bench_close(&b);
}

/* ---- rule 15 ---- */

enum { QUEUE = 20 };
static int order[QUEUE];
static atomic_int n_ordered;

static void note_order(void *arg, muster_status status, muster_lease *lease,
                       const muster_error *err)
{
    (void)err;
    order[atomic_load(&n_ordered)] =
        status == MUSTER_OK ? *(int *)arg : -*(int *)arg;
    if (status == MUSTER_OK) {
        muster_lease_finish(lease, NULL);
    }
    atomic_fetch_add(&n_ordered, 1);
}

Test(rules, serve_waiting_picks_first_come_first_served)
{
    bench b = bench_open(NULL, 0);
    int numbers[QUEUE];
    uint64_t cancelled = 0;

    for (int i = 0; i < QUEUE; i++) {
        numbers[i] = i;
        cr_assert_eq(muster_channel_pick_async(b.channel, NULL, note_order,
                                               &numbers[i],
                                               i == 7 ? &cancelled : NULL),
                     MUSTER_OK);
    }
    AWAIT(stats_of(&b).picks_parked == QUEUE);
    cr_assert_eq(muster_channel_pick_cancel(b.channel, cancelled), MUSTER_OK);
    AWAIT(atomic_load(&n_ordered) == 1);
    report(1);
    AWAIT(atomic_load(&n_ordered) == QUEUE);
    cr_assert_eq(order[0], -7);
    for (int i = 1; i < QUEUE; i++) {
        cr_assert_eq(order[i], i <= 7 ? i - 1 : i);
    }
    bench_close(&b);
}
