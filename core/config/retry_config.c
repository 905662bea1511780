/* SPDX-License-Identifier: Apache-2.0 */
/* Retrying and hedging as a service config has them: gRFC A6. */
#include "retry_config.h"

#include <math.h>

#include "value.h"

/* ---- members. Each enters its path and leaves it again ---- */

/* NULL, and a problem, when it is not there. */
static const json_t *required(muster__problems *problems, const json_t *object,
                              const char *key)
{
    const json_t *value = muster__config_get(object, key);

    if (value == NULL) {
        muster__problems_add_at(problems, key, "must be given");
    }
    return value;
}

static bool read_attempts(muster__problems *problems, const json_t *object,
                          uint32_t *ret_attempts)
{
    const json_t *value = required(problems, object, "maxAttempts");
    size_t mark = muster__problems_enter(problems, "maxAttempts");
    uint64_t number = 0;
    bool is_good = value != NULL &&
                   muster__config_integer(problems, value, UINT32_MAX, &number);

    if (is_good && number < 2) {
        muster__problems_add(problems, "must be at least 2");
        is_good = false;
    }
    if (is_good) {
        *ret_attempts = number < MUSTER__MAX_ATTEMPTS ? (uint32_t)number
                                                      : MUSTER__MAX_ATTEMPTS;
    }
    muster__problems_leave(problems, mark);
    return is_good;
}

static bool read_positive_duration(muster__problems *problems,
                                   const json_t *value, const char *key,
                                   uint64_t *ret_ns)
{
    size_t mark = muster__problems_enter(problems, key);
    uint64_t ns = 0;
    bool is_good = muster__config_duration(problems, value, &ns);

    if (is_good && ns == 0) {
        muster__problems_add(problems, "must be longer than 0");
        is_good = false;
    }
    if (is_good) {
        *ret_ns = ns;
    }
    muster__problems_leave(problems, mark);
    return is_good;
}

static bool read_backoff(muster__problems *problems, const json_t *object,
                         const char *key, uint64_t *ret_ns)
{
    const json_t *value = required(problems, object, key);

    return value != NULL &&
           read_positive_duration(problems, value, key, ret_ns);
}

static bool read_multiplier(muster__problems *problems, const json_t *object,
                            double *ret_multiplier)
{
    static const char key[] = "backoffMultiplier";
    const json_t *value = required(problems, object, key);
    size_t mark = muster__problems_enter(problems, key);
    double number = 0;
    bool is_good =
        value != NULL && muster__config_number(problems, value, &number);

    if (is_good && number <= 0) {
        muster__problems_add(problems, "must be greater than 0");
        is_good = false;
    }
    if (is_good) {
        *ret_multiplier = number;
    }
    muster__problems_leave(problems, mark);
    return is_good;
}

static bool read_codes(muster__problems *problems, const json_t *object,
                       const char *key, uint32_t *ret_codes)
{
    const json_t *value = muster__config_get(object, key);
    size_t mark = muster__problems_enter(problems, key);
    bool is_good =
        value == NULL || muster__config_codes(problems, value, ret_codes);

    muster__problems_leave(problems, mark);
    return is_good;
}

static bool read_attempt_timeout(muster__problems *problems,
                                 const json_t *object, uint64_t *ret_ns)
{
    static const char key[] = "perAttemptRecvTimeout";
    const json_t *value = muster__config_get(object, key);

    return value == NULL ||
           read_positive_duration(problems, value, key, ret_ns);
}

/* ---- the policies. All of it is read, so that all problems are told ---- */

bool muster__config_retry(muster__problems *problems, const json_t *value,
                          muster__retry_policy *ret_policy)
{
    static const char codes_key[] = "retryableStatusCodes";
    muster__retry_policy policy = {.max_attempts = 0};
    bool is_good = muster__config_is_object(problems, value);

    if (!is_good) {
        return false;
    }
    is_good &= read_attempts(problems, value, &policy.max_attempts);
    is_good &= read_backoff(problems, value, "initialBackoff",
                            &policy.initial_backoff_ns);
    is_good &=
        read_backoff(problems, value, "maxBackoff", &policy.max_backoff_ns);
    is_good &= read_multiplier(problems, value, &policy.backoff_multiplier);
    is_good &=
        read_attempt_timeout(problems, value, &policy.per_attempt_timeout_ns);
    if (!read_codes(problems, value, codes_key, &policy.codes)) {
        is_good = false;
    } else if (policy.codes == 0 && policy.per_attempt_timeout_ns == 0) {
        /* As C core has it: a time-out is a reason to retry, too. */
        muster__problems_add_at(problems, codes_key,
                                "must name at least one status code");
        is_good = false;
    }
    if (is_good) {
        *ret_policy = policy;
    }
    return is_good;
}

static bool read_delay(muster__problems *problems, const json_t *object,
                       uint64_t *ret_ns)
{
    const json_t *value = muster__config_get(object, "hedgingDelay");
    size_t mark = muster__problems_enter(problems, "hedgingDelay");
    bool is_good =
        value == NULL || muster__config_duration(problems, value, ret_ns);

    muster__problems_leave(problems, mark);
    return is_good;
}

/* "p95", "p99.9". */
static bool parse_percentile(const char *text, double *ret_percentile)
{
    json_t *json =
        text[0] == 'p' ? json_loads(text + 1, JSON_DECODE_ANY, NULL) : NULL;
    const double number = json_number_value(json);
    const bool is_good = number >= 50 && number < 100;

    if (is_good) {
        *ret_percentile = number;
    }
    json_decref(json);
    return is_good;
}

/* muster's own: {"hedgingDelay": "p95"}. */
static bool read_percentile(muster__problems *problems, const json_t *object,
                            double *ret_percentile)
{
    const json_t *own = muster__config_get(object, "muster");
    const size_t outer = muster__problems_enter(problems, "muster");
    const json_t *value =
        json_is_object(own) ? muster__config_get(own, "hedgingDelay") : NULL;
    const size_t inner = muster__problems_enter(problems, "hedgingDelay");
    bool is_good = true;

    if (value != NULL &&
        (!json_is_string(value) ||
         !parse_percentile(json_string_value(value), ret_percentile))) {
        muster__problems_add(problems, "must be a percentile from \"p50\" to "
                                       "\"p99.99\", like \"p95\"");
        is_good = false;
    }
    muster__problems_leave(problems, inner);
    if (own != NULL && !json_is_object(own)) {
        is_good = muster__config_is_object(problems, own);
    }
    muster__problems_leave(problems, outer);
    return is_good;
}

bool muster__config_hedging(muster__problems *problems, const json_t *value,
                            muster__hedging_policy *ret_policy)
{
    muster__hedging_policy policy = {.max_attempts = 0};
    bool is_good = muster__config_is_object(problems, value);

    if (!is_good) {
        return false;
    }
    is_good &= read_attempts(problems, value, &policy.max_attempts);
    is_good &= read_delay(problems, value, &policy.delay_ns);
    is_good &= read_percentile(problems, value, &policy.percentile);
    is_good &=
        read_codes(problems, value, "nonFatalStatusCodes", &policy.codes);
    if (is_good) {
        *ret_policy = policy;
    }
    return is_good;
}

/* ---- throttling ---- */

static bool read_tokens(muster__problems *problems, const json_t *object,
                        uint32_t *ret_milli_tokens)
{
    const json_t *value = required(problems, object, "maxTokens");
    size_t mark = muster__problems_enter(problems, "maxTokens");
    uint64_t number = 0;
    bool is_good =
        value != NULL && muster__config_integer(problems, value, 1000, &number);

    if (is_good && number == 0) {
        muster__problems_add(problems, "must be at least 1");
        is_good = false;
    }
    if (is_good) {
        *ret_milli_tokens = (uint32_t)number * 1000;
    }
    muster__problems_leave(problems, mark);
    return is_good;
}

/* Decimals beyond the third do not count; what little is added keeps 1.001,
 * which is a bit less as a double, from losing the third. */
static bool read_ratio(muster__problems *problems, const json_t *object,
                       uint32_t *ret_milli_ratio)
{
    const json_t *value = required(problems, object, "tokenRatio");
    size_t mark = muster__problems_enter(problems, "tokenRatio");
    double number = 0;
    bool is_good =
        value != NULL && muster__config_number(problems, value, &number);

    if (is_good) {
        number = floor(number * 1000 + 1e-6);
        is_good = number >= 1 && number <= UINT32_MAX;
        if (is_good) {
            *ret_milli_ratio = (uint32_t)number;
        } else {
            muster__problems_add(problems, "must be from 0.001 to 4294967");
        }
    }
    muster__problems_leave(problems, mark);
    return is_good;
}

bool muster__config_throttling(muster__problems *problems, const json_t *value,
                               muster__retry_throttling *ret_throttling)
{
    muster__retry_throttling throttling = {.max_milli_tokens = 0};
    bool is_good = muster__config_is_object(problems, value);

    if (!is_good) {
        return false;
    }
    is_good &= read_tokens(problems, value, &throttling.max_milli_tokens);
    is_good &= read_ratio(problems, value, &throttling.milli_token_ratio);
    if (is_good) {
        *ret_throttling = throttling;
    }
    return is_good;
}
