/* SPDX-License-Identifier: Apache-2.0 */
/* What service configs say of retrying: gRFC A6, and the vectors of grpc-go's
 * retry_service_config_test and C core's retry parser tests. */
#include "service_config_fixture.h"

TestSuite(service_config_retry, .fini = forget_config);

#define MS UINT64_C(1000000)

typedef struct field {
    const char *key;
    const char *value; /* NULL: left out */
} field;

/* A policy called name, of what is always there, with one field changed. */
static char *text_with(const char *name, const field *base, size_t n,
                       const field *other)
{
    static char text[1024];
    size_t length = (size_t)snprintf(
        text, sizeof text, "{'methodConfig': [{'name': [{}], '%s': {", name);

    for (size_t i = 0; i < n; i++) {
        const char *value =
            other != NULL && strcmp(other->key, base[i].key) == 0
                ? other->value
                : base[i].value;
        if (value != NULL) {
            length += (size_t)snprintf(text + length, sizeof text - length,
                                       "'%s': %s,", base[i].key, value);
        }
    }
    (void)snprintf(text + length, sizeof text - length, "'x': 0}}]}");
    return text;
}

static char *retry_with(const char *key, const char *value)
{
    static const field base[] = {{"maxAttempts", "4"},
                                 {"initialBackoff", "'0.1s'"},
                                 {"maxBackoff", "'1s'"},
                                 {"backoffMultiplier", "2"},
                                 {"retryableStatusCodes", "['UNAVAILABLE']"},
                                 {"perAttemptRecvTimeout", NULL}};
    field other = {key, value};

    return text_with("retryPolicy", base, sizeof base / sizeof base[0], &other);
}

static char *hedging_with(const char *key, const char *value)
{
    static const field base[] = {{"maxAttempts", "4"},
                                 {"hedgingDelay", "'0.5s'"},
                                 {"nonFatalStatusCodes", "[14]"},
                                 {"muster", NULL}};
    field other = {key, value};

    return text_with("hedgingPolicy", base, sizeof base / sizeof base[0],
                     &other);
}

static const muster__retry_policy *retry(void)
{
    cr_assert(method("/a/b")->has_retry);
    cr_assert_not(method("/a/b")->has_hedging);
    return &method("/a/b")->retry;
}

Test(service_config_retry, reads_a_retry_policy)
{
    accept(retry_with("x", NULL));
    cr_assert_eq(retry()->max_attempts, 4);
    cr_assert_eq(retry()->initial_backoff_ns, 100 * MS);
    cr_assert_eq(retry()->max_backoff_ns, 1000 * MS);
    cr_assert_float_eq(retry()->backoff_multiplier, 2, 1e-9);
    cr_assert_eq(retry()->codes, 1u << 14);
    cr_assert_eq(retry()->per_attempt_timeout_ns, 0);
}

Test(service_config_retry, caps_the_attempts_at_five)
{
    accept(retry_with("maxAttempts", "5"));
    cr_assert_eq(retry()->max_attempts, 5);
    accept(retry_with("maxAttempts", "'20'"));
    cr_assert_eq(retry()->max_attempts, 5);
    accept(hedging_with("maxAttempts", "6"));
    cr_assert_eq(method("/a/b")->hedging.max_attempts, 5);
}

#define RETRY "methodConfig[0].retryPolicy."

Test(service_config_retry, wants_two_attempts)
{
    refuse(retry_with("maxAttempts", NULL), RETRY "maxAttempts: must be given");
    refuse(retry_with("maxAttempts", "1"),
           RETRY "maxAttempts: must be at least 2");
    refuse(retry_with("maxAttempts", "0"),
           RETRY "maxAttempts: must be at least 2");
    refuse(retry_with("maxAttempts", "-1"), RETRY "maxAttempts: must be a");
    refuse(retry_with("maxAttempts", "2.5"), RETRY "maxAttempts: must be a");
    refuse(retry_with("maxAttempts", "'x'"), RETRY "maxAttempts: must be a");
}

Test(service_config_retry, wants_backoffs_over_zero)
{
    static const char *const keys[] = {"initialBackoff", "maxBackoff"};
    char said[128];

    for (int i = 0; i < 2; i++) {
        (void)snprintf(said, sizeof said, RETRY "%s: must be given", keys[i]);
        refuse(retry_with(keys[i], NULL), said);
        (void)snprintf(said, sizeof said, RETRY "%s: must be longer than 0",
                       keys[i]);
        refuse(retry_with(keys[i], "'0s'"), said);
        (void)snprintf(said, sizeof said, RETRY "%s: must be a duration",
                       keys[i]);
        refuse(retry_with(keys[i], "'-1s'"), said);
        refuse(retry_with(keys[i], "1"), said);
        refuse(retry_with(keys[i], "'1sec'"), said);
    }
}

Test(service_config_retry, wants_a_multiplier_over_zero)
{
    accept(retry_with("backoffMultiplier", "0.5"));
    cr_assert_float_eq(retry()->backoff_multiplier, 0.5, 1e-9);
    accept(retry_with("backoffMultiplier", "'1.6'"));
    cr_assert_float_eq(retry()->backoff_multiplier, 1.6, 1e-9);
    refuse(retry_with("backoffMultiplier", NULL),
           RETRY "backoffMultiplier: must be given");
    refuse(retry_with("backoffMultiplier", "0"),
           RETRY "backoffMultiplier: must be greater than 0");
    refuse(retry_with("backoffMultiplier", "-1.6"),
           RETRY "backoffMultiplier: must be greater than 0");
    refuse(retry_with("backoffMultiplier", "'x'"),
           RETRY "backoffMultiplier: must be a number");
}

Test(service_config_retry, reads_codes_by_name_and_number)
{
    accept(retry_with("retryableStatusCodes", "['unavailable', 8, 'Aborted']"));
    cr_assert_eq(retry()->codes, 1u << 14 | 1u << 8 | 1u << 10);
    refuse(retry_with("retryableStatusCodes", "['FOO']"),
           RETRY "retryableStatusCodes[0]: must be a gRPC status code");
    refuse(retry_with("retryableStatusCodes", "[14, 17]"),
           RETRY "retryableStatusCodes[1]: must be a gRPC status code");
    refuse(retry_with("retryableStatusCodes", "[-1]"),
           RETRY "retryableStatusCodes[0]: must be a gRPC status code");
    refuse(retry_with("retryableStatusCodes", "14"),
           RETRY "retryableStatusCodes: must be an array");
}

Test(service_config_retry, wants_a_code_or_a_timeout_of_attempts)
{
    refuse(retry_with("retryableStatusCodes", "[]"),
           RETRY "retryableStatusCodes: must name at least one status code");
    refuse(retry_with("retryableStatusCodes", NULL),
           RETRY "retryableStatusCodes: must name at least one status code");
    accept("{'methodConfig': [{'name': [{}], 'retryPolicy': {"
           "'maxAttempts': 2, 'initialBackoff': '1s', 'maxBackoff': '1s',"
           "'backoffMultiplier': 1, 'perAttemptRecvTimeout': '0.2s'}}]}");
    cr_assert_eq(retry()->codes, 0);
    cr_assert_eq(retry()->per_attempt_timeout_ns, 200 * MS);
    refuse(retry_with("perAttemptRecvTimeout", "'0s'"),
           RETRY "perAttemptRecvTimeout: must be longer than 0");
}

Test(service_config_retry, wants_a_policy_to_be_an_object)
{
    refuse("{'methodConfig': [{'name': [{}], 'retryPolicy': 5}]}",
           "methodConfig[0].retryPolicy: must be an object");
    refuse("{'methodConfig': [{'name': [{}], 'hedgingPolicy': 5}]}",
           "methodConfig[0].hedgingPolicy: must be an object");
}

#define HEDGING "methodConfig[0].hedgingPolicy."

Test(service_config_retry, reads_a_hedging_policy)
{
    accept(hedging_with("x", NULL));
    cr_assert(method("/a/b")->has_hedging);
    cr_assert_not(method("/a/b")->has_retry);
    cr_assert_eq(method("/a/b")->hedging.max_attempts, 4);
    cr_assert_eq(method("/a/b")->hedging.delay_ns, 500 * MS);
    cr_assert_eq(method("/a/b")->hedging.codes, 1u << 14);
    accept(hedging_with("hedgingDelay", NULL));
    cr_assert_eq(method("/a/b")->hedging.delay_ns, 0);
    accept(hedging_with("nonFatalStatusCodes", NULL));
    cr_assert_eq(method("/a/b")->hedging.codes, 0);
    refuse(hedging_with("maxAttempts", "1"),
           HEDGING "maxAttempts: must be at least 2");
    refuse(hedging_with("hedgingDelay", "'x'"),
           HEDGING "hedgingDelay: must be a duration");
    refuse(hedging_with("nonFatalStatusCodes", "['x']"),
           HEDGING "nonFatalStatusCodes[0]: must be a gRPC status code");
}

Test(service_config_retry, excludes_hedging)
{
    refuse("{'methodConfig': [{'name': [{}], 'hedgingPolicy':"
           "{'maxAttempts': 2}, 'retryPolicy': {'maxAttempts': 2,"
           "'initialBackoff': '1s', 'maxBackoff': '1s',"
           "'backoffMultiplier': 1, 'retryableStatusCodes': [14]}}]}",
           "it: methodConfig[0].hedgingPolicy: must not be there beside "
           "retryPolicy");
}

/* ---- throttling ---- */

static void accept_throttling(const char *tokens, const char *ratio,
                              uint32_t milli_tokens, uint32_t milli_ratio)
{
    const muster__retry_throttling *throttling;
    char text[128];

    (void)snprintf(text, sizeof text,
                   "{'retryThrottling': {'maxTokens': %s, 'tokenRatio': %s}}",
                   tokens, ratio);
    accept(text);
    throttling = muster__service_config_throttling(config);
    cr_assert_not_null(throttling);
    cr_assert_eq(throttling->max_milli_tokens, milli_tokens);
    cr_assert_eq(throttling->milli_token_ratio, milli_ratio, "%s: %u", ratio,
                 throttling->milli_token_ratio);
}

Test(service_config_retry, reads_throttling_to_three_decimals)
{
    accept_throttling("2", "1.0", 2000, 1000);
    accept_throttling("1000", "0.001", 1000000, 1);
    accept_throttling("'10'", "0.5466", 10000, 546);
    accept_throttling("1", "1.001", 1000, 1001);
    accept_throttling("1", "'0.29'", 1000, 290);
}

static void refuse_throttling(const char *tokens, const char *ratio,
                              const char *said)
{
    char text[128];

    (void)snprintf(text, sizeof text,
                   "{'retryThrottling': {'maxTokens': %s, 'tokenRatio': %s}}",
                   tokens, ratio);
    refuse(text, said);
}

Test(service_config_retry, refuses_bad_throttling)
{
    refuse_throttling("0", "1", "retryThrottling.maxTokens: must be at least");
    refuse_throttling("1001", "1",
                      "retryThrottling.maxTokens: must be a whole "
                      "number from 0 to 1000");
    refuse_throttling("-2", "1", "retryThrottling.maxTokens: must be a");
    refuse_throttling("2.5", "1", "retryThrottling.maxTokens: must be a");
    refuse_throttling("null", "1", "retryThrottling.maxTokens: must be given");
    refuse_throttling("2", "0", "retryThrottling.tokenRatio: must be from");
    refuse_throttling("2", "-1", "retryThrottling.tokenRatio: must be from");
    refuse_throttling("2", "0.0009", "retryThrottling.tokenRatio: must be");
    refuse_throttling("2", "'x'", "retryThrottling.tokenRatio: must be a num");
    refuse_throttling("2", "null", "retryThrottling.tokenRatio: must be given");
    refuse("{'retryThrottling': []}", "retryThrottling: must be an object");
}

static void expect_percentile(const char *value, double expected)
{
    accept(hedging_with("muster", value));
    cr_expect_float_eq(method("/a/b")->hedging.percentile, expected, 1e-9);
}

Test(service_config_retry, takes_a_percentile_for_the_hedging_delay)
{
    expect_percentile(NULL, 0);
    expect_percentile("{}", 0);
    expect_percentile("null", 0);
    expect_percentile("{'hedgingDelay': null}", 0);
    expect_percentile("{'hedgingDelay': 'p50'}", 50);
    expect_percentile("{'hedgingDelay': 'p95'}", 95);
    expect_percentile("{'hedgingDelay': 'p99.9'}", 99.9);
}

Test(service_config_retry, refuses_what_is_no_percentile)
{
    static const char *const wrong[] = {"95",      "'95'",   "'p'",   "'p100'",
                                        "'p49.9'", "'p95x'", "'q95'", "'p-95'",
                                        "'0.5s'",  "true"};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "{'hedgingDelay': %s}", wrong[i]);
        refuse(hedging_with("muster", text),
               HEDGING "muster.hedgingDelay: must be a percentile from "
                       "\"p50\" to \"p99.99\", like \"p95\"");
    }
    refuse(hedging_with("muster", "'p95'"),
           HEDGING "muster: must be an object");
}
