/* SPDX-License-Identifier: Apache-2.0 */
/* Service configs: the whole, and what they say of balancing. */
#include "service_config_fixture.h"

#include <muster/service_config.h>

#include <text.h>

TestSuite(service_config, .fini = forget_config);

static const char *policy(void)
{
    return muster__service_config_balancer(config)->name;
}

Test(service_config, says_nothing_when_it_is_empty)
{
    accept("{}");
    cr_assert_null(policy());
    cr_assert_null(method("/a.B/C"));
    cr_assert_null(muster__service_config_throttling(config));
    cr_assert_null(muster__service_config_health_service(config));
    cr_assert_eq(muster__service_config_settings(config)->max_connecting, 0);
}

Test(service_config, ignores_what_it_does_not_know)
{
    accept("{'a': {'b': []}, 'methodConfig': [{'name': [{'x': 1}], 'y': 2}]}");
    accept("{'healthCheckConfig': {'later': true}}");
}

Test(service_config, takes_null_for_absent)
{
    accept("{'loadBalancingConfig': null, 'loadBalancingPolicy': null,"
           "'methodConfig': null, 'retryThrottling': null,"
           "'healthCheckConfig': null, 'muster': null}");
    accept("{'methodConfig': [{'name': [{}], 'timeout': null,"
           "'waitForReady': null, 'retryPolicy': null}]}");
    cr_assert_not(method("/a/b")->says_wait_for_ready);
}

Test(service_config, tells_where_bad_json_is)
{
    refuse("{\n 'a': }", "it: line 2, column 7: must be JSON: ");
    refuse("", "must be JSON");
    refuse("{'a': 1, 'a': 2}", "duplicate");
    refuse("[]", "it: must be an object");
}

Test(service_config, tells_all_its_problems)
{
    refuse("{'methodConfig': [{'timeout': 1, 'waitForReady': 1}], 'muster': 1}",
           "it: methodConfig[0].timeout: must be a duration like \"1.5s\"; "
           "methodConfig[0].waitForReady: must be true or false; "
           "muster: must be an object");
}

Test(service_config, bounds_the_problems_it_tells)
{
    refuse("{'methodConfig': [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]}",
           "methodConfig[0]: must be an object; ");
}

Test(service_config, is_shared_by_counting)
{
    muster__service_config *other;

    accept("{'healthCheckConfig': {'serviceName': 'x'}}");
    other = muster__service_config_ref(config);
    forget_config();
    cr_assert_str_eq(muster__service_config_health_service(other), "x");
    muster__service_config_unref(other);
    muster__service_config_unref(NULL);
}

/* ---- balancing: grpc-go's TestParseLoadBalancer, C core's client channel
 * parser tests ---- */

Test(service_config, chooses_the_first_policy_that_is_known)
{
    accept("{'loadBalancingConfig': [{'new': {'x': 1}}, {'second': {}},"
           "{'first': {}}]}");
    cr_assert_str_eq(policy(), "second");
    accept("{'loadBalancingConfig': [{'picky': {'a': 1}}]}");
    cr_assert_str_eq(policy(), "picky");
    cr_assert_str_eq(muster__service_config_balancer(config)->config_json,
                     "{\"a\":1}");
}

Test(service_config, does_not_look_behind_the_policy_it_chose)
{
    accept("{'loadBalancingConfig': [{'first': {}}, {'picky': 1}, 7]}");
    cr_assert_eq(n_checks, 1);
}

Test(service_config, wants_a_policy_that_is_known)
{
    refuse("{'loadBalancingConfig': []}",
           "loadBalancingConfig: must have a policy that is known");
    refuse("{'loadBalancingConfig': [{'new': {}}, {'newer': {}}]}",
           "loadBalancingConfig: must have a policy that is known: no new");
}

Test(service_config, wants_policies_as_objects_with_one_key)
{
    refuse("{'loadBalancingConfig': {}}",
           "loadBalancingConfig: must be an array");
    refuse("{'loadBalancingConfig': [1]}", "loadBalancingConfig[0]: must be");
    refuse("{'loadBalancingConfig': [{'new': {}}, {}]}",
           "loadBalancingConfig[1]: must be an object with one key");
    refuse("{'loadBalancingConfig': [{'first': {}, 'second': {}}]}",
           "loadBalancingConfig[0]: must be an object with one key");
    refuse("{'loadBalancingConfig': [{'first': 1}]}",
           "loadBalancingConfig[0].first: must be an object");
}

Test(service_config, passes_on_what_a_policy_refuses)
{
    refuse("{'loadBalancingConfig': [{'picky': {'a': 2}}, {'first': {}}]}",
           "it: loadBalancingConfig[0].picky.a: must be 1");
}

Test(service_config, falls_back_to_the_old_field)
{
    accept("{'loadBalancingPolicy': 'FIRST'}");
    cr_assert_str_eq(policy(), "first");
    cr_assert_str_eq(muster__service_config_balancer(config)->config_json,
                     "{}");
    accept("{'loadBalancingPolicy': 'x', 'loadBalancingConfig':"
           "[{'second': {}}]}");
    cr_assert_str_eq(policy(), "second");
    refuse("{'loadBalancingPolicy': 'x'}",
           "loadBalancingPolicy: must be a policy that is known: no x");
    refuse("{'loadBalancingPolicy': 1}",
           "loadBalancingPolicy: must be a string");
}

Test(service_config, bounds_the_policies_it_asks_for)
{
    char text[2048] = "{'loadBalancingConfig': [{'first': {}}";

    for (int i = 1; i < 64; i++) {
        strcat(text, ", {'first': {}}");
    }
    accept(strcat(text, "]}"));
    text[strlen(text) - 2] = '\0';
    refuse(strcat(text, ", {}]}"),
           "it: loadBalancingConfig: must have at most 64 policies");
    cr_assert_eq(n_checks, 1);
}

/* ---- text from outside ---- */

Test(service_config, cuts_long_names_between_characters)
{
    for (size_t n = 0; n < 2; n++) { /* one of them would end inside one */
        char text[1024] = "{'loadBalancingConfig': [{'x";

        strcat(text, n == 0 ? "" : "x");
        for (int i = 0; i < 300; i++) {
            strcat(text, "\xc3\xa9");
        }
        refuse(strcat(text, "': 5}]}"), "must be an object");
        cr_assert_eq(muster__utf8_end(err.message, strlen(err.message)),
                     strlen(err.message));
    }
}

Test(service_config, blanks_the_control_characters_of_names)
{
    refuse("{'loadBalancingConfig': [{'a\\u001b[1mb\\u009b': 5}]}",
           "it: loadBalancingConfig[0].a?[1mb??: must be an object");
}

/* ---- the rest ---- */

Test(service_config, reads_the_health_service)
{
    accept("{'healthCheckConfig': {'serviceName': ''}}");
    cr_assert_str_eq(muster__service_config_health_service(config), "");
    refuse("{'healthCheckConfig': {'serviceName': 1}}",
           "healthCheckConfig.serviceName: must be a string");
    refuse("{'healthCheckConfig': 'x'}", "healthCheckConfig: must be an");
}

Test(service_config, keeps_our_own_settings)
{
    accept("{'muster': {'maxConnecting': 3}}");
    cr_assert_eq(muster__service_config_settings(config)->max_connecting, 3);
    refuse("{'muster': []}", "muster: must be an object");
}

/* ---- checking without a channel ---- */

static void count(void *arg, const muster_config_problem *problem)
{
    cr_assert_str_eq(problem->path,
                     "loadBalancingConfig[0].round_robin.strict");
    cr_assert_eq(problem->line, 2);
    ++*(int *)arg;
}

Test(service_config, is_checked_with_its_policy)
{
    const char good[] = "{\"loadBalancingConfig\":\n[{\"round_robin\": {}}]}";
    const char bad[] =
        "{\"loadBalancingConfig\":\n[{\"round_robin\": {\"strict\": 1}}]}";
    int n = 0;

    cr_assert_eq(
        muster_service_config_check(good, strlen(good), count, &n, &err),
        MUSTER_OK, "%s", err.message);
    cr_assert_eq(n, 0);
    cr_assert_eq(muster_service_config_check(bad, strlen(bad), count, &n, &err),
                 MUSTER_INVAL);
    cr_assert_eq(n, 1);
    cr_assert_eq(
        muster_service_config_check(bad, strlen(bad), NULL, NULL, NULL),
        MUSTER_INVAL);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}
