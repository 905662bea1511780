/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel makes of service configs: whose is in force (behaviour rule
 * 10), which policy serves, what picks heed. In the texts ' stands for ". */
#include "rules_fixture.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#define BALANCE(policy) "{'loadBalancingConfig': [{'" policy "': {}}]}"
#define METHOD_CONFIG(fields)                                                  \
    "{'methodConfig': [{'name': [{'service': 'a.B'}], " fields "}]}"

static char *json_of(const char *text)
{
    char *json = text == NULL ? NULL : strdup(text);

    for (char *at = json; at != NULL && (at = strchr(at, '\'')) != NULL;) {
        *at = '"';
    }
    return json;
}

static void report_config(size_t n, const char *text)
{
    const muster_endpoint list[] = {
        {.address = abc[0]}, {.address = abc[1]}, {.address = abc[2]}};
    char *json = json_of(text);

    script_report_config(TARGET, list, n, json);
    free(json);
}

static bench open_with_config(const char *policy, const char *text)
{
    char *json = json_of(text);
    const muster_channel_options options = {.policy = policy,
                                            .service_config = json};
    bench b = bench_open_with(options, 0);

    free(json);
    return b;
}

static json_t *dump(const bench *b)
{
    char *text = NULL;
    json_t *json;

    cr_assert_eq(muster_channel_dump_json(b->channel, &text), MUSTER_OK);
    json = json_loads(text, 0, NULL);
    cr_assert_not_null(json);
    free(text);
    return json;
}

/* A member of the dump, or of its service_config; "" for null. */
static const char *said(const bench *b, const char *key)
{
    static char copy[512];
    json_t *json = dump(b);
    const json_t *value = json_object_get(json, key);
    const char *text;

    if (value == NULL) {
        value = json_object_get(json_object_get(json, "service_config"), key);
    }
    text = json_string_value(value);
    (void)snprintf(copy, sizeof copy, "%s", text == NULL ? "" : text);
    json_decref(json);
    return copy;
}

static bool says(const bench *b, const char *key, const char *text)
{
    return strcmp(said(b, key), text) == 0;
}

static bool begins(const bench *b, const char *key, const char *text)
{
    return strncmp(said(b, key), text, strlen(text)) == 0;
}

/* ---- whose is in force ---- */

Test(channel_config, refuses_an_invalid_one_of_the_application)
{
    const muster_channel_options options = {
        .struct_size = sizeof options, .service_config = "{\"muster\": 1}"};
    muster_channel *channel = NULL;
    muster_error err = {.code = MUSTER_OK};

    cr_assert_eq(
        muster_channel_create("static:///10.0.0.1:1", &options, &channel, &err),
        MUSTER_INVAL);
    cr_assert_str_eq(err.message, "service config: muster: must be an object");
    cr_assert_null(channel);
    while (muster_shutdown() == MUSTER_BUSY) {
    }
}

Test(channel_config, takes_the_applications_while_the_resolver_has_none)
{
    bench b = open_with_config(NULL, BALANCE("drilled"));

    cr_assert(says(&b, "source", ""));
    report_config(1, NULL);
    AWAIT(says(&b, "policy", "drilled"));
    cr_assert(says(&b, "source", "application"));
    report_config(1, BALANCE("building"));
    AWAIT(says(&b, "policy", "building"));
    cr_assert(says(&b, "source", "resolver"));
    report_config(1, "{}");
    AWAIT(says(&b, "policy", "round_robin"));
    report_config(1, NULL);
    AWAIT(says(&b, "policy", "drilled"));
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(stats_of(&b).connections_created, 1);
    bench_close(&b);
}

Test(channel_config, heeds_the_policy_that_the_application_names)
{
    bench b = open_with_config("drilled", BALANCE("building"));

    report_config(1, BALANCE("round_robin"));
    AWAIT(stats_of(&b).ready == 1);
    cr_assert(says(&b, "policy", "drilled"));
    bench_close(&b);
}

static atomic_int n_logged;

static void count_refusals(void *arg, muster_log_level level,
                           const char *message)
{
    (void)arg;
    (void)level;
    if (strstr(message, "service config") != NULL) {
        atomic_fetch_add(&n_logged, 1);
    }
}

Test(channel_config, keeps_the_last_valid_one)
{
    bench b = open_with_config(NULL, NULL);

    muster_log_set(count_refusals, NULL, MUSTER_LOG_WARNING);
    report_config(1, BALANCE("drilled"));
    AWAIT(stats_of(&b).ready == 1);
    report_config(2, BALANCE("nobodys"));
    AWAIT(stats_of(&b).ready == 2);
    report_config(1, BALANCE("nobodys"));
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(atomic_load(&n_logged), 1);
    cr_assert(says(&b, "policy", "drilled"));
    cr_assert(begins(&b, "refusal",
                     "service config: loadBalancingConfig: must have a policy "
                     "that is known: no balancer is called \"nobodys\"; there "
                     "are: "),
              "%s", said(&b, "refusal"));
    cr_assert_eq(share_of(&b, abc[0], 10), 10);
    report_config(1, "{}");
    AWAIT(says(&b, "refusal", ""));
    muster_log_set(NULL, NULL, MUSTER_LOG_ERROR);
    bench_close(&b);
}

/* Programs of several versions share it. */
Test(channel_config, bears_what_another_version_knows)
{
    bench b = open_with_config(NULL, NULL);

    report_config(1, "{'muster': {'settingOfTheFuture': 1, 'maxConnecting': 1},"
                     " 'loadBalancingConfig': [{'drilled': {}}]}");
    AWAIT(says(&b, "policy", "drilled"));
    cr_assert(says(&b, "source", "resolver"));
    bench_close(&b);
}

Test(channel_config, fails_picks_while_there_was_no_valid_one)
{
    bench b = open_with_config(NULL, BALANCE("drilled"));
    muster_error err = {.code = MUSTER_OK};

    report_config(2, "{'methodConfig': 1}");
    AWAIT(muster_channel_state(b.channel) == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(try_pick(&b, 0, &err), MUSTER_UNAVAILABLE);
    cr_assert_str_eq(err.message,
                     "service config: methodConfig: must be an array");
    cr_assert_eq(try_pick(&b, MUSTER_CALL_WAIT_FOR_READY, NULL), MUSTER_QUEUED);
    cr_assert_eq(stats_of(&b).connections_created, 0);
    report_config(2, "{}");
    AWAIT(stats_of(&b).ready == 2);
    cr_assert_eq(share_of(&b, abc[0], 20), 10);
    bench_close(&b);
}

Test(channel_config, fails_picks_of_a_named_policy_without_a_valid_one)
{
    bench b = open_with_config("wanting", NULL);

    drill.n_wanted = 1;
    report_config(2, "[]");
    AWAIT(muster_channel_state(b.channel) == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(stats_of(&b).connections_created, 0);
    report_config(2, NULL);
    AWAIT(stats_of(&b).ready == 1);
    bench_close(&b);
}

/* ---- from one policy to the next ---- */

Test(channel_config, changes_the_policy_without_a_gap)
{
    static const char *const configs[] = {
        BALANCE("drilled"), BALANCE("building"), "{}",
        "{'loadBalancingConfig': [{'round_robin': {'strict': true}}]}"};
    bench b = open_with_config(NULL, NULL);

    report_config(2, NULL);
    AWAIT(stats_of(&b).ready == 2);
    for (int i = 0; i < 40; i++) {
        report_config(2, configs[i % 4]);
        (void)share_of(&b, abc[0], 20);
        (void)stats_of(&b);
        (void)share_of(&b, abc[0], 20);
    }
    cr_assert_eq(stats_of(&b).connections_created, 2);
    bench_close(&b);
}

static bench open_round_robin_of_two(void)
{
    bench b = open_with_config(NULL, NULL);

    report_config(2, NULL);
    AWAIT(stats_of(&b).ready == 2);
    drill.first_wanted = 2;
    drill.n_wanted = 1;
    return b;
}

Test(channel_config, serves_by_the_old_policy_until_the_new_one_can)
{
    bench b = open_round_robin_of_two();

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report_config(3, BALANCE("wanting"));
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    cr_assert(says(&b, "policy", "wanting"));
    cr_assert_eq(share_of(&b, abc[0], 20), 10);
    cr_assert_eq(muster_testkit_transport_connect(b.transport, abc[2]), 1);
    AWAIT(share_of(&b, abc[2], 20) == 20);
    AWAIT(stats_of(&b).ready == 1);
    AWAIT(stats_of(&b).connections_destroyed == 2);
    bench_close(&b);
}

Test(channel_config, leaves_the_old_policy_when_the_new_one_fails)
{
    bench b = open_round_robin_of_two();

    muster_testkit_transport_set_failure(b.transport, abc[2], "refused");
    report_config(3, BALANCE("wanting"));
    AWAIT(muster_channel_state(b.channel) == MUSTER_TRANSIENT_FAILURE);
    AWAIT(stats_of(&b).ready == 0);
    bench_close(&b);
}

Test(channel_config, leaves_the_old_policy_when_its_endpoints_are_gone)
{
    bench b = open_round_robin_of_two();

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report_config(3, BALANCE("wanting"));
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    (void)muster_testkit_transport_disconnect(b.transport, abc[0]);
    (void)muster_testkit_transport_disconnect(b.transport, abc[1]);
    AWAIT(muster_channel_state(b.channel) == MUSTER_CONNECTING);
    (void)muster_testkit_transport_connect(b.transport, abc[2]);
    AWAIT(stats_of(&b).ready == 1);
    cr_assert_eq(share_of(&b, abc[2], 10), 10);
    bench_close(&b);
}

Test(channel_config, closes_between_two_policies)
{
    bench b = open_round_robin_of_two();

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report_config(3, BALANCE("wanting"));
    AWAIT(counts_of(&b, abc[2]).connecting == 1);
    bench_close(&b);
}

Test(channel_config, wants_all_again_after_a_policy_that_did_not)
{
    bench b;

    drill.n_wanted = 1;
    b = open_with_config(NULL, NULL);
    report_config(3, BALANCE("wanting"));
    AWAIT(stats_of(&b).ready == 1);
    report_config(3, "{}");
    AWAIT(stats_of(&b).ready == 3);
    cr_assert_eq(share_of(&b, abc[2], 30), 10);
    bench_close(&b);
}

/* ---- what picks heed ---- */

static muster_status pick_method(const bench *b, const char *method,
                                 uint32_t flags)
{
    const muster_call_info call = {
        .struct_size = sizeof call, .flags = flags, .method = method};
    muster_lease lease = {0};
    muster_status status = muster_channel_pick(b->channel, &call, &lease, NULL);

    muster_lease_finish(&lease, NULL);
    return status;
}

Test(channel_config, makes_calls_of_a_method_wait_for_ready)
{
    bench b = open_with_config(NULL, METHOD_CONFIG("'waitForReady': true"));

    muster_testkit_transport_set_failure(b.transport, abc[0], "refused");
    report_config(1, NULL);
    AWAIT(muster_channel_state(b.channel) == MUSTER_TRANSIENT_FAILURE);
    cr_assert_eq(pick_method(&b, "/a.B/C", 0), MUSTER_QUEUED);
    cr_assert_eq(pick_method(&b, "/a.B/C", MUSTER_CALL_FAIL_FAST),
                 MUSTER_UNAVAILABLE);
    cr_assert_eq(pick_method(&b, "/a.C/C", 0), MUSTER_UNAVAILABLE);
    cr_assert_eq(pick_method(&b, "/a.C/C", MUSTER_CALL_WAIT_FOR_READY),
                 MUSTER_QUEUED);
    cr_assert_eq(pick_method(&b, NULL, 0), MUSTER_UNAVAILABLE);
    bench_close(&b);
}

Test(channel_config, ends_a_wait_at_the_timeout_of_the_method)
{
    const muster_call_info call = {.struct_size = sizeof call,
                                   .method = "/a.B/C"};
    bench b = open_with_config(NULL, METHOD_CONFIG("'timeout': '0.02s'"));
    muster_lease lease = {0};

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    report_config(1, NULL);
    AWAIT(counts_of(&b, abc[0]).connecting == 1);
    cr_assert_eq(muster_channel_pick_wait(b.channel, &call, &lease, NULL),
                 MUSTER_TIMEOUT);
    bench_close(&b);
}

typedef struct waiter {
    pthread_t thread;
    muster_channel *channel;
    muster_status status;
} waiter;

static void *wait_for_pick(void *arg)
{
    const muster_call_info call = {.struct_size = sizeof call,
                                   .method = "/a.B/C"};
    waiter *self = arg;
    muster_lease lease = {0};

    self->status = muster_channel_pick_wait(self->channel, &call, &lease, NULL);
    return NULL;
}

static void take_status(void *arg, muster_status status, muster_lease *lease,
                        const muster_error *err)
{
    (void)lease;
    (void)err;
    atomic_store((atomic_int *)arg, (int)status);
}

Test(channel_config, ends_waits_that_began_before_it_was_known)
{
    const muster_call_info call = {.struct_size = sizeof call,
                                   .method = "/a.B/C"};
    bench b = open_with_config(NULL, NULL);
    waiter blocked = {.channel = b.channel, .status = MUSTER_OK};
    atomic_int answer = -1;

    muster_testkit_transport_set_delay(b.transport, MUSTER_FOREVER);
    cr_assert_eq(pthread_create(&blocked.thread, NULL, wait_for_pick, &blocked),
                 0);
    cr_assert_eq(
        muster_channel_pick_async(b.channel, &call, take_status, &answer, NULL),
        MUSTER_OK);
    AWAIT(stats_of(&b).parked == 2);
    report_config(1, METHOD_CONFIG("'timeout': '0.02s'"));
    (void)pthread_join(blocked.thread, NULL);
    cr_assert_eq(blocked.status, MUSTER_TIMEOUT);
    AWAIT(atomic_load(&answer) == (int)MUSTER_TIMEOUT);
    bench_close(&b);
}

Test(channel_config, tells_what_it_says_of_a_method)
{
    bench b = open_with_config(NULL, NULL);
    muster_method_config config = {.struct_size = sizeof config};

    cr_assert_eq(muster_channel_get_method_config(b.channel, "/a.B/C", &config),
                 0);
    report_config(1, METHOD_CONFIG("'timeout': '1.5s', 'waitForReady': false,"
                                   "'maxRequestMessageBytes': 10"));
    AWAIT(muster_channel_get_method_config(b.channel, "/a.B/C", &config) == 1);
    cr_assert_eq(config.flags, MUSTER_METHOD_SAYS_WAIT_FOR_READY);
    cr_assert_eq(config.timeout_ns, 1500000000);
    cr_assert_eq(config.max_request_bytes, 10);
    cr_assert_eq(config.max_response_bytes, UINT64_MAX);
    cr_assert_eq(muster_channel_get_method_config(b.channel, "/b/c", &config),
                 0);
    report_config(1, NULL);
    AWAIT(muster_channel_get_method_config(b.channel, "/a.B/C", &config) == 0);
    bench_close(&b);
}
