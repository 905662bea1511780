/* SPDX-License-Identifier: Apache-2.0 */
/* The policy outlier_detection as such: its settings, its child, its list. */
#include "outlier_test.h"

/* Ejects at the next sweep what has failed once. */
#define STRICT                                                                 \
    "\"failurePercentageEjection\": {\"threshold\": 0, \"minimumHosts\": 1, "  \
    "\"requestVolume\": 1}"

/* ---- settings ---- */

static void check_refused(const char *config, const char *message)
{
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    cr_expect_eq(outlier_test_try(config, NULL, 1, &kit, &err), MUSTER_INVAL,
                 "%s", config);
    cr_expect_str_eq(err.message, message);
}

Test(outlier_detection, refuses_wrong_settings_with_their_place)
{
    check_refused("[]", "$: must be an object");
    check_refused("{\"interval\": \"-10s\"}",
                  "$.interval: must be a duration like \"1.5s\"");
    check_refused("{\"baseEjectionTime\": 30}",
                  "$.baseEjectionTime: must be a duration like \"1.5s\"");
    check_refused("{\"maxEjectionTime\": \"5m\"}",
                  "$.maxEjectionTime: must be a duration like \"1.5s\"");
    check_refused("{\"maxEjectionPercent\": 101}",
                  "$.maxEjectionPercent: must be a whole number from 0 to 100");
    check_refused("{\"successRateEjection\": 1}",
                  "$.successRateEjection: must be an object");
    check_refused("{\"successRateEjection\": {\"stdevFactor\": -1}}",
                  "$.successRateEjection.stdevFactor: must be a whole number "
                  "from 0 to 4294967295");
    check_refused("{\"successRateEjection\": {\"enforcementPercentage\": 101}}",
                  "$.successRateEjection.enforcementPercentage: must be a "
                  "whole number from 0 to 100");
    check_refused("{\"failurePercentageEjection\": {\"threshold\": 101}}",
                  "$.failurePercentageEjection.threshold: must be a whole "
                  "number from 0 to 100");
    check_refused("{\"failurePercentageEjection\": "
                  "{\"enforcementPercentage\": 100.5}}",
                  "$.failurePercentageEjection.enforcementPercentage: must be "
                  "a whole number from 0 to 100");
    check_refused("{\"failurePercentageEjection\": {\"minimumHosts\": \"5\"}}",
                  "$.failurePercentageEjection.minimumHosts: must be a whole "
                  "number from 0 to 4294967295");
    check_refused("{\"consecutiveFailureEjection\": {\"threshold\": 0}}",
                  "$.consecutiveFailureEjection.threshold: must be a whole "
                  "number from 1 to 4294967295");
    check_refused("{\"consecutiveGatewayFailureEjection\": []}",
                  "$.consecutiveGatewayFailureEjection: must be an object");
    check_refused("{\"childPolicy\": {}}",
                  "$.childPolicy: must be a list with a policy that is known");
    check_refused("{\"childPolicy\": [{\"no_such_policy\": {}}]}",
                  "$.childPolicy: must be a list with a policy that is known");
}

/* Whoever is wrong first is told of, and nothing of its own is left. */
Test(outlier_detection, tells_of_the_first_mistake)
{
    check_refused("{\"failurePercentageEjection\": {\"threshold\": 101}, "
                  "\"successRateEjection\": {\"stdevFactor\": []}, "
                  "\"childPolicy\": 1}",
                  "$.successRateEjection.stdevFactor: must be a whole number "
                  "from 0 to 4294967295");
}

Test(outlier_detection, bears_what_it_does_not_know_and_null)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"unknown\": 1, \"interval\": null, \"successRateEjection\": null, "
        "\"failurePercentageEjection\": {\"threshold\": null, \"else\": 2}}",
        5);

    outlier_test_call(kit, 0, 50, 50);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_destroy(kit);
}

/* Every setting of grpc-go's test, all zero. */
Test(outlier_detection, takes_zeros_for_what_they_are)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"interval\": \"0s\", \"baseEjectionTime\": \"0s\", "
        "\"maxEjectionTime\": \"0s\", \"maxEjectionPercent\": 0, "
        "\"successRateEjection\": {\"stdevFactor\": 0, "
        "\"enforcementPercentage\": 0, \"minimumHosts\": 0, "
        "\"requestVolume\": 0}, \"failurePercentageEjection\": "
        "{\"threshold\": 0, \"enforcementPercentage\": 0, "
        "\"minimumHosts\": 0, \"requestVolume\": 0}}",
        3);

    outlier_test_call(kit, 0, 10, 10);
    outlier_test_call(kit, 1, 10, 0);
    outlier_test_wait(kit, 0.01);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    cr_expect_eq(
        outlier_test_unenforced(kit, "success_rate", "enforcement_percentage"),
        1);
    cr_expect_eq(outlier_test_unenforced(kit, "failure_percentage",
                                         "enforcement_percentage"),
                 1);
    policy_test_destroy(kit);
}

Test(outlier_detection, has_the_name_of_grpc_too)
{
    const muster_plugin *plugin = muster_builtin_outlier_detection();

    cr_expect_eq(plugin->n_balancers, 2);
    cr_expect_str_eq(plugin->balancers[0]->name, "outlier_detection");
    cr_expect_str_eq(plugin->balancers[1]->name,
                     "outlier_detection_experimental");
}

/* ---- the child ---- */

/* A child that notes what it is told. */
static struct {
    unsigned n_updates;
    unsigned n_done;
    uint64_t last_id;
    int last_status;
    size_t n_ready;
} noted;

static muster_status note_create(const muster_balancer_env *env,
                                 void **ret_self, muster_error *err)
{
    if (strstr(env->config_json, "\"bad\"") != NULL) {
        return muster_error_set(err, MUSTER_INVAL, "$.bad: must be good");
    }
    *ret_self = &noted;
    return MUSTER_OK;
}

static void note_update(void *self, const muster_balancer_update *update)
{
    (void)self;
    (void)update;
    noted.n_updates++;
}

static muster_status note_build(void *self, const muster_build_args *args,
                                void **ret_table, muster_error *err)
{
    (void)err;
    noted.n_ready = args->n_ready;
    *ret_table = self;
    return MUSTER_OK;
}

/* The last one of the view. */
static muster_verdict note_pick(void *self, void *table,
                                const muster_pick_args *args,
                                muster_pick_result *result)
{
    (void)self;
    (void)table;
    result->index = args->n_ready - 1;
    return MUSTER_PICK_INDEX;
}

static void note_done(void *self, uint64_t id, void *state,
                      const muster_outcome *outcome)
{
    (void)self;
    (void)state;
    noted.n_done++;
    noted.last_id = id;
    noted.last_status = outcome->status;
}

static void note_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
}

static void note_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class note_class = {
    .struct_size = (uint32_t)sizeof note_class,
    .name = "note",
    .create = note_create,
    .update = note_update,
    .build = note_build,
    .pick = note_pick,
    .done = note_done,
    .table_destroy = note_table_destroy,
    .destroy = note_destroy,
};

static muster_testkit_balancer *over_note(const char *settings)
{
    muster_testkit_balancer *kit = NULL;
    char config[400];

    memset(&noted, 0, sizeof noted);
    (void)snprintf(config, sizeof config,
                   "{\"childPolicy\": [{\"unknown\": {}}, {\"note\": {}}]%s%s}",
                   settings[0] == '\0' ? "" : ", ", settings);
    cr_assert_eq(outlier_test_try(config, &note_class, 1, &kit, NULL),
                 MUSTER_OK);
    return kit;
}

Test(outlier_detection, hands_on_to_the_first_child_that_is_known)
{
    muster_testkit_balancer *kit = over_note("");

    policy_test_ready(kit, NULL, 4);
    cr_expect_eq(noted.n_updates, 1);
    cr_expect_eq(noted.n_ready, 4);
    cr_expect_eq(policy_test_pick(kit, 0), 3);
    outlier_test_end(kit, 2, 1, NOT_FOUND, 0);
    cr_expect_eq(noted.n_done, 1);
    cr_expect_eq(noted.last_id,
                 muster_testkit_balancer_get_backend(kit, 2)->id);
    cr_expect_eq(noted.last_status, NOT_FOUND);
    for (size_t i = 0; i < 4; i++) {
        cr_expect(muster_testkit_balancer_is_wanted(kit, i));
    }
    policy_test_destroy(kit);
}

Test(outlier_detection, says_where_the_child_is_wrong)
{
    muster_testkit_balancer *kit = NULL;
    muster_error err = {0};

    cr_expect_eq(outlier_test_try("{\"childPolicy\": [{\"unknown\": {}}, "
                                  "{\"note\": {\"bad\": 1}}]}",
                                  &note_class, 1, &kit, &err),
                 MUSTER_INVAL);
    cr_expect_str_eq(err.message, "$.childPolicy[1].note.bad: must be good");
}

Test(outlier_detection, takes_what_is_ejected_out_of_the_childs_view)
{
    muster_testkit_balancer *kit = over_note(STRICT);

    policy_test_ready(kit, NULL, 4);
    outlier_test_call(kit, 3, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(noted.n_ready, 3);
    cr_expect_eq(policy_test_pick(kit, 0), 2);
    outlier_test_wait(kit, 40);
    cr_expect_eq(noted.n_ready, 4);
    cr_expect_eq(policy_test_pick(kit, 0), 3);
    policy_test_destroy(kit);
}

/* Without a rule there is nothing to do: no timer, and calls leave no trace. */
Test(outlier_detection, counts_nothing_without_a_rule)
{
    static const char nothing[64];
    muster_testkit_balancer *kit = over_note("");

    policy_test_ready(kit, NULL, 4);
    outlier_test_call(kit, 0, 1000, 1000);
    cr_expect_eq(noted.n_done, 1000);
    cr_expect_eq(muster_testkit_balancer_get(kit)->n_timers, 0);
    cr_expect_eq(memcmp(muster_testkit_balancer_get_backend(kit, 0)->state,
                        nothing, sizeof nothing),
                 0);
    policy_test_destroy(kit);
}

/* Nothing may come of a hundred calls that end so. */
static void expect_void(uint32_t flags, int status)
{
    const muster_outcome outcome = {.struct_size = (uint32_t)sizeof outcome,
                                    .flags = flags,
                                    .status = status};
    muster_testkit_balancer *kit = outlier_test_ready(
        "{" STRICT ", \"consecutiveFailureEjection\": {}}", 3);
    uint64_t id = muster_testkit_balancer_get_backend(kit, 0)->id;

    for (int i = 0; i < 100; i++) {
        muster_testkit_balancer_done(kit, id, &outcome);
    }
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

/* Picks that were given back are no calls. */
Test(outlier_detection, does_not_count_picks_that_were_given_back)
{
    expect_void(MUSTER_OUTCOME_GIVEN_BACK, UNAVAILABLE);
}

/* So end the slower attempts of hedged calls. */
Test(outlier_detection, does_not_count_calls_that_the_caller_cancelled)
{
    expect_void(0, CANCELLED);
}

/* Unlike gRPC's, where pick_first minds no ejection. */
Test(outlier_detection, makes_pick_first_go_on_and_keeps_the_connection)
{
    muster_testkit_balancer *kit = outlier_test_create(
        "{\"childPolicy\": [{\"pick_first\": {}}], " STRICT "}");

    policy_test_set(kit, NULL, 3, MUSTER_IDLE);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_not(muster_testkit_balancer_is_wanted(kit, 1));
    outlier_test_call(kit, 0, 1, 1);
    outlier_test_wait(kit, 10);
    policy_test_publish(kit);
    cr_expect(muster_testkit_balancer_is_wanted(kit, 1));
    muster_testkit_balancer_set_state(kit, 1, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_eq(policy_test_pick(kit, 0), 0, "the second, alone in the view");
    cr_expect(muster_testkit_balancer_is_wanted(kit, 0));
    policy_test_destroy(kit);
}

/* ---- the list ---- */

/* With the first and the third exchanged, and one more. */
static void set_other_list(muster_testkit_balancer *kit)
{
    static const muster_endpoint list[] = {{.address = "10.0.0.2:80"},
                                           {.address = "10.0.0.1:80"},
                                           {.address = "10.0.0.0:80"},
                                           {.address = "10.0.0.9:80"}};

    cr_assert_eq(muster_testkit_balancer_set(kit, list, 4, MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
}

Test(outlier_detection, keeps_what_it_knows_when_the_list_changes)
{
    muster_testkit_balancer *kit = outlier_test_ready("{" STRICT "}", 3);

    outlier_test_call(kit, 0, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    set_other_list(kit);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    outlier_test_call(kit, 0, 1, 1); /* too many: they are not ejected */
    outlier_test_wait(kit, 39.999);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    outlier_test_wait(kit, 0.001);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_detection, keeps_counts_when_the_list_changes)
{
    muster_testkit_balancer *kit = outlier_test_ready(
        "{\"failurePercentageEjection\": {\"minimumHosts\": 1}}", 3);

    outlier_test_call(kit, 0, 25, 25);
    set_other_list(kit);
    outlier_test_call(kit, 2, 25, 25);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    policy_test_destroy(kit);
}

Test(outlier_detection, forgets_one_that_left_and_came_back)
{
    muster_testkit_balancer *kit = outlier_test_ready("{" STRICT "}", 3);

    outlier_test_call(kit, 2, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    policy_test_ready(kit, NULL, 2);
    outlier_test_call(kit, 0, 1, 1); /* the share of the ejected is free */
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    policy_test_ready(kit, NULL, 3);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    outlier_test_wait(kit, 40);
    outlier_test_call(kit, 2, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1 << 2);
    outlier_test_wait(kit, 40); /* as for the first time */
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

static const char *const more[] = {"10.0.1.1:80"};

static void set_pairs(muster_testkit_balancer *kit, bool is_pair)
{
    const muster_endpoint list[] = {{.address = "10.0.0.1:80",
                                     .more_addresses = more,
                                     .n_more_addresses = is_pair ? 1 : 0},
                                    {.address = "10.0.0.2:80"},
                                    {.address = "10.0.0.3:80"}};

    cr_assert_eq(muster_testkit_balancer_set(kit, list, 3, MUSTER_READY),
                 MUSTER_OK);
    policy_test_publish(kit);
}

/* gRFC A61. */
Test(outlier_detection, ejects_endpoints_of_several_addresses_as_one)
{
    muster_testkit_balancer *kit = outlier_test_create("{" STRICT "}");

    set_pairs(kit, true);
    outlier_test_call(kit, 0, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_CONNECTING, NULL);
    policy_test_publish(kit);
    muster_testkit_balancer_set_state(kit, 0, MUSTER_READY, NULL);
    policy_test_publish(kit);
    cr_expect_eq(outlier_test_ejected(kit), 1, "by another address");
    outlier_test_wait(kit, 40);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_detection, takes_an_endpoint_of_other_addresses_for_another)
{
    muster_testkit_balancer *kit = outlier_test_create("{" STRICT "}");

    set_pairs(kit, true);
    outlier_test_call(kit, 0, 1, 1);
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 1);
    set_pairs(kit, false);
    cr_expect_eq(outlier_test_ejected(kit), 0);
    policy_test_destroy(kit);
}

Test(outlier_detection, lives_without_a_list)
{
    muster_testkit_balancer *kit = outlier_test_create("{" STRICT "}");
    muster_testkit_pick pick;

    outlier_test_wait(kit, 100);
    policy_test_ready(kit, NULL, 0);
    outlier_test_wait(kit, 100);
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect_eq(pick.verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}

/* Nothing is left to pick when all may be ejected, and all are. */
Test(outlier_detection, ejects_all_when_it_is_told)
{
    muster_testkit_balancer *kit =
        outlier_test_ready("{" STRICT ", \"maxEjectionPercent\": 100}", 3);
    muster_testkit_pick pick;

    for (size_t i = 0; i < 3; i++) {
        outlier_test_call(kit, i, 1, 1);
    }
    outlier_test_wait(kit, 10);
    cr_expect_eq(outlier_test_ejected(kit), 7);
    muster_testkit_balancer_pick(kit, NULL, 0, &pick);
    cr_expect_eq(pick.verdict, MUSTER_PICK_QUEUE);
    policy_test_destroy(kit);
}
