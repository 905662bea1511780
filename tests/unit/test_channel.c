/* SPDX-License-Identifier: Apache-2.0 */
/* A channel over the transport "none": lists, picks, what it says of itself. */
#include "channel_fixture.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const cba[] = {"10.0.0.3:1", "10.0.0.2:1", "10.0.0.1:1",
                                  "10.0.0.2:1"};

Test(channel, picks_every_listed_endpoint)
{
    muster_channel *channel = open_channel("script:///every", NULL);
    unsigned seen[3] = {0};
    char address[64];

    script_report_addresses("every", abc, 3);
    (void)stats_of(channel);
    for (int i = 0; i < 30; i++) {
        pick_and_finish(channel, address);
        seen[address[7] - '1']++;
    }
    cr_assert(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    cr_assert_eq(muster_channel_state(channel), MUSTER_READY);
    muster_channel_destroy(channel);
}

Test(channel, queues_until_the_first_list)
{
    muster_channel *channel = open_channel("script:///queues", NULL);
    muster_lease lease = {0};

    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, NULL),
                 MUSTER_QUEUED);
    cr_assert_eq(muster_channel_state(channel), MUSTER_CONNECTING);
    muster_channel_destroy(channel);
}

static void *report_later(void *name)
{
    script_report_addresses(name, abc, 3);
    return NULL;
}

Test(channel, wakes_a_waiting_pick_when_a_list_comes)
{
    muster_channel *channel = open_channel("script:///wakes", NULL);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(10000)};
    muster_lease lease = {0};
    muster_error err = {.message = "as before"};
    pthread_t thread;

    pthread_create(&thread, NULL, report_later, "wakes");
    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, &err),
                 MUSTER_OK, "%s", err.message);
    cr_expect_str_eq(err.message, "as before");
    muster_lease_finish(&lease, NULL);
    pthread_join(thread, NULL);
    muster_channel_destroy(channel);
}

Test(channel, times_out_a_waiting_pick_at_its_deadline)
{
    muster_channel *channel = open_channel("script:///late", NULL);
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(20)};
    muster_lease lease = {0};

    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, NULL),
                 MUSTER_TIMEOUT);
    cr_assert(in_ms(0) >= call.deadline_ns);
    cr_assert_eq(stats_of(channel).picks_timed_out, 1);
    cr_assert_eq(stats_of(channel).parked, 0);
    muster_channel_destroy(channel);
}

Test(channel, fails_with_the_resolvers_message_before_any_list)
{
    muster_channel *channel = open_channel("script:///broken", NULL);
    muster_call_info waits = {.struct_size = sizeof waits,
                              .flags = MUSTER_CALL_WAIT_FOR_READY};
    muster_lease lease = {0};
    muster_error err;

    script_fail("broken", MUSTER_UNAVAILABLE, "registry is on fire");
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, &err),
                 MUSTER_UNAVAILABLE);
    cr_assert(strstr(err.message, "registry is on fire") != NULL, "%s",
              err.message);
    cr_assert_eq(muster_channel_pick(channel, &waits, &lease, NULL),
                 MUSTER_QUEUED);
    cr_assert_eq(muster_channel_state(channel), MUSTER_TRANSIENT_FAILURE);
    muster_channel_destroy(channel);
}

Test(channel, keeps_the_list_when_the_resolver_fails)
{
    muster_channel *channel = open_channel("script:///keeps", NULL);
    char address[64];

    script_report_addresses("keeps", abc, 1);
    script_fail("keeps", MUSTER_UNAVAILABLE, "gone");
    cr_assert_eq(stats_of(channel).endpoints, 1);
    pick_and_finish(channel, address);
    cr_assert_str_eq(address, abc[0]);
    muster_channel_destroy(channel);
}

Test(channel, fails_when_the_list_is_empty)
{
    muster_channel *channel = open_channel("script:///empty", NULL);
    muster_lease lease = {0};
    muster_error err;

    script_report_addresses("empty", NULL, 0);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, &err),
                 MUSTER_UNAVAILABLE);
    cr_assert(strstr(err.message, "empty") != NULL);
    script_report_addresses("empty", abc, 2);
    script_report_addresses("empty", NULL, 0);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, &err),
                 MUSTER_UNAVAILABLE);
    muster_channel_destroy(channel);
}

Test(channel, connects_nothing_for_a_reordered_or_reweighted_list)
{
    muster_channel *channel = open_channel("script:///same", NULL);
    muster_endpoint weighted[3] = {{0}, {0}, {0}};

    script_report_addresses("same", abc, 3);
    cr_assert_eq(stats_of(channel).connections_created, 3);
    script_report_addresses("same", cba, 4);
    for (uint32_t i = 0; i < 3; i++) {
        weighted[i].address = abc[i];
        weighted[i].weight = i + 5;
    }
    script_report("same", weighted, 3);
    muster_channel_stats stats = stats_of(channel);
    cr_assert_eq(stats.connections_created, 3);
    cr_assert_eq(stats.connections_destroyed, 0);
    cr_assert_eq(stats.updates_unchanged, 1);
    muster_channel_destroy(channel);
}

Test(channel, never_picks_a_removed_endpoint)
{
    muster_channel *channel = open_channel("script:///removed", NULL);
    char address[64];

    script_report_addresses("removed", abc, 3);
    (void)stats_of(channel);
    script_report_addresses("removed", abc, 2);
    (void)stats_of(channel);
    for (int i = 0; i < 100; i++) {
        pick_and_finish(channel, address);
        cr_assert_str_neq(address, abc[2]);
    }
    muster_channel_destroy(channel);
}

Test(channel, keeps_a_removed_endpoint_until_its_lease_ends)
{
    muster_channel *channel = open_channel("script:///drains", NULL);
    muster_lease lease = {0};

    script_report_addresses("drains", abc, 1);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, NULL), MUSTER_OK);
    script_report_addresses("drains", abc + 1, 1);
    cr_assert_eq(stats_of(channel).connections_destroyed, 0);
    cr_assert_str_eq(muster_lease_endpoint(&lease)->address, abc[0]);
    muster_lease_finish(&lease, NULL);
    while (stats_of(channel).connections_destroyed == 0) {
    }
    muster_channel_destroy(channel);
}

Test(channel, lets_a_lease_outlive_it)
{
    muster_channel *channel = open_channel("script:///outlive", NULL);
    muster_lease lease = {0};

    script_report_addresses("outlive", abc, 1);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, NULL), MUSTER_OK);
    muster_channel_destroy(channel);
    cr_assert_eq(muster_shutdown(), MUSTER_BUSY);
    cr_assert_str_eq(muster_lease_endpoint(&lease)->address, abc[0]);
    muster_lease_finish(&lease, NULL);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

Test(channel, prefers_the_best_priority)
{
    muster_channel *channel = open_channel("script:///prio", NULL);
    muster_endpoint list[2] = {{.address = abc[0], .priority = 1},
                               {.address = abc[1], .priority = 0}};
    char address[64];

    script_report("prio", list, 2);
    (void)stats_of(channel);
    for (int i = 0; i < 50; i++) {
        pick_and_finish(channel, address);
        cr_assert_str_eq(address, abc[1]);
    }
    script_report("prio", list, 1);
    (void)stats_of(channel);
    pick_and_finish(channel, address);
    cr_assert_str_eq(address, abc[0]);
    muster_channel_destroy(channel);
}

Test(channel, splits_by_weight_when_weights_differ)
{
    muster_channel *channel = open_channel("script:///weights", NULL);
    muster_endpoint list[2] = {{.address = abc[0], .weight = 1},
                               {.address = abc[1], .weight = 9}};
    muster_call_info call = {.struct_size = sizeof call,
                             .deadline_ns = in_ms(10000)};
    unsigned n = 0;
    char address[64];
    muster_lease lease = {0};

    script_report("weights", list, 2);
    cr_assert_eq(muster_channel_pick_wait(channel, &call, &lease, NULL),
                 MUSTER_OK);
    muster_lease_finish(&lease, NULL);
    for (int i = 0; i < 1000; i++) {
        pick_and_finish(channel, address);
        n += strcmp(address, abc[0]) == 0;
    }
    cr_assert(n >= 98 && n <= 102, "%u of 1000", n);
    muster_channel_destroy(channel);
}

Test(channel, applies_deltas)
{
    muster_channel *channel = open_channel("script:///delta", NULL);
    muster_endpoint one = {.address = abc[0]};
    muster_endpoint two = {.address = abc[1]};
    char address[64];

    script_report_delta("delta", &one, 1, NULL, 0);
    (void)stats_of(channel);
    script_report_delta("delta", &two, 1, &one, 1);
    cr_assert_eq(stats_of(channel).endpoints, 1);
    pick_and_finish(channel, address);
    cr_assert_str_eq(address, abc[1]);
    muster_channel_destroy(channel);
}

Test(channel, reads_only_the_identity_of_removed_endpoints)
{
    muster_channel *channel = open_channel("script:///identity", NULL);
    muster_endpoint one = {.address = abc[0]};
    muster_endpoint gone = {.address = abc[0], .zone = "\xff not UTF-8"};

    script_report_delta("identity", &one, 1, NULL, 0);
    script_report_delta("identity", NULL, 0, &gone, 1);
    cr_assert_eq(stats_of(channel).endpoints, 0);
    cr_assert_eq(stats_of(channel).updates_refused, 0);
    muster_channel_destroy(channel);
}

/* ---- making ---- */

Test(channel, says_what_is_wrong_with_a_policy)
{
    muster_channel_options options = {.struct_size = sizeof options,
                                      .policy = "no_such_policy"};
    muster_channel *channel = NULL;
    muster_error err;

    script_register();
    cr_assert_eq(
        muster_channel_create("script:///policy", &options, &channel, &err),
        MUSTER_NOTFOUND);
    cr_assert(strstr(err.message, "no_such_policy") != NULL, "%s", err.message);
    cr_assert(strstr(err.message, "round_robin") != NULL, "%s", err.message);
    cr_assert_null(channel);
}

Test(channel, shares_one_resolver_instance_between_equal_targets)
{
    muster_channel *first = open_channel("script:///shared", NULL);
    muster_channel *second = open_channel("script:///shared", NULL);
    char address[64];

    script_report_addresses("shared", abc, 3);
    (void)stats_of(first);
    cr_assert_eq(script_instances("shared"), 1);
    pick_and_finish(first, address);
    pick_and_finish(second, address);
    muster_channel_destroy(first);
    pick_and_finish(second, address);
    muster_channel_destroy(second);
    cr_assert_eq(script_instances("shared"), 0);
}

/* ---- counting ---- */

Test(channel, counts_lists_and_failures_of_its_resolver)
{
    muster_channel *channel = open_channel("script:///heard", NULL);
    muster_channel_stats stats = stats_of(channel);

    cr_expect_eq(stats.updates_accepted, 0);
    cr_expect_eq(stats.resolver_failures, 0);
    script_report_addresses("heard", abc, 3);
    script_report_addresses("heard", abc, 3);
    script_report_addresses("heard", abc, 2);
    script_fail("heard", MUSTER_UNAVAILABLE, "down");
    stats = stats_of(channel);
    cr_expect_eq(stats.updates_accepted, 3);
    cr_expect_eq(stats.updates_unchanged, 1);
    cr_expect_eq(stats.list_generation, 2);
    cr_expect_eq(stats.resolver_failures, 1);
    muster_channel_destroy(channel);
}

Test(channel, counts_picks_that_failed_fast)
{
    muster_channel *channel = open_channel("script:///failing", NULL);
    muster_lease lease = {0};

    script_report_addresses("failing", NULL, 0);
    cr_expect_eq(stats_of(channel).picks_failed, 0);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(muster_channel_pick(channel, NULL, &lease, NULL),
                     MUSTER_UNAVAILABLE);
    }
    cr_expect_eq(stats_of(channel).picks_failed, 2);
    muster_channel_destroy(channel);
}

Test(channel, shows_counters_of_the_resolver_that_it_shares)
{
    muster_channel *first = open_channel("script:///counted", NULL);
    muster_channel *second;
    muster_channel_stats stats;
    muster_lease lease = {0};

    script_report_addresses("counted", NULL, 0);
    (void)stats_of(first);
    cr_expect_eq(muster_channel_pick(first, NULL, &lease, NULL),
                 MUSTER_UNAVAILABLE);
    second = open_channel("script:///counted", NULL);
    stats = stats_of(second);
    cr_expect_eq(stats.updates_accepted, 1);
    cr_expect_eq(stats.list_generation, 1);
    cr_expect_eq(stats.picks_failed, 0);
    muster_channel_destroy(first);
    muster_channel_destroy(second);
}

Test(channel, describes_itself_in_json)
{
    muster_channel *channel = open_channel("script:///json", NULL);
    char *text = NULL;
    json_t *json;

    script_report_addresses("json", abc, 3);
    cr_assert_eq(muster_channel_dump_json(channel, &text), MUSTER_OK);
    json = json_loads(text, 0, NULL);
    cr_assert_str_eq(json_string_value(json_object_get(json, "target")),
                     "script:///json");
    cr_assert_str_eq(json_string_value(json_object_get(json, "state")),
                     "READY");
    cr_assert_eq(json_array_size(json_object_get(json, "endpoints")), 3);
    json_decref(json);
    free(text);
    muster_channel_destroy(channel);
}

/* ---- fork ---- */

static void ignore_answer(void *arg, muster_status status, muster_lease *lease,
                          const muster_error *err)
{
    (void)arg;
    (void)status;
    (void)lease;
    (void)err;
}

static int child_of(muster_channel *channel, muster_lease *lease)
{
    muster_channel_stats stats = {.struct_size = sizeof stats};
    muster_channel *other = NULL;
    char *json = NULL;
    int wrong = 0;

    alarm(5);
    wrong += muster_channel_pick(channel, NULL, lease, NULL) != MUSTER_FORKED;
    wrong +=
        muster_channel_pick_wait(channel, NULL, lease, NULL) != MUSTER_FORKED;
    wrong += muster_channel_pick_async(channel, NULL, ignore_answer, NULL,
                                       NULL) != MUSTER_FORKED;
    wrong += muster_channel_pick_cancel(channel, 1) != MUSTER_FORKED;
    wrong += muster_channel_get_stats(channel, &stats) != MUSTER_FORKED;
    wrong += muster_channel_dump_json(channel, &json) != MUSTER_FORKED;
    wrong += muster_channel_state(channel) != MUSTER_SHUTDOWN;
    wrong += muster_channel_create("script:///x", NULL, &other, NULL) !=
             MUSTER_FORKED;
    wrong += muster_shutdown() != MUSTER_FORKED;
    muster_lease_finish(lease, NULL);
    muster_channel_refresh(channel);
    wrong += muster_channel_close(channel) != MUSTER_FORKED;
    muster_channel_destroy(channel);
    return wrong;
}

Test(channel, answers_forked_in_a_child)
{
    muster_channel *channel = open_channel("script:///fork", NULL);
    muster_lease lease = {0};
    int status = -1;

    script_report_addresses("fork", abc, 3);
    (void)stats_of(channel);
    cr_assert_eq(muster_channel_pick(channel, NULL, &lease, NULL), MUSTER_OK);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(child_of(channel, &lease));
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x",
              (unsigned)status);
    muster_lease_finish(&lease, NULL);
    muster_channel_destroy(channel);
}
