/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a service config: what is valid keeps its promises, and what is
 * not is explained, at a place that is there. */
#include "fuzz.h"

#include <config/place.h>
#include <config/service_config.h>

static muster_status check_policy(void *arg, const char *name,
                                  const char *config_json, muster_error *err)
{
    (void)arg;
    FUZZ_CHECK(config_json[0] == '{');
    if (strcmp(name, "known") == 0) {
        return MUSTER_OK;
    }
    if (strcmp(name, "picky") == 0) {
        return muster_error_set(err, MUSTER_INVAL, "$.a: must be b");
    }
    return MUSTER_NOTFOUND;
}

static void check_method(const muster__method_config *method)
{
    if (method == NULL) {
        return;
    }
    FUZZ_CHECK(!method->has_retry || !method->has_hedging);
    if (method->has_retry) {
        const muster__retry_policy *retry = &method->retry;

        FUZZ_CHECK(retry->max_attempts >= 2 && retry->max_attempts <= 5);
        FUZZ_CHECK(retry->initial_backoff_ns > 0 && retry->max_backoff_ns > 0);
        FUZZ_CHECK(retry->backoff_multiplier > 0);
        FUZZ_CHECK(retry->codes != 0 || retry->per_attempt_timeout_ns > 0);
    }
    if (method->has_hedging) {
        FUZZ_CHECK(method->hedging.max_attempts >= 2 &&
                   method->hedging.max_attempts <= 5);
    }
}

static void check_config(const muster__service_config *config)
{
    const muster__methods *methods = muster__service_config_methods(config);
    const muster__retry_throttling *throttling =
        muster__service_config_throttling(config);

    for (size_t i = 0; i < methods->n; i++) {
        check_method(&methods->items[i]);
    }
    check_method(muster__methods_find(methods, "/a.B/C"));
    check_method(muster__methods_find(methods, "a"));
    check_method(muster__methods_find(methods, NULL));
    if (throttling != NULL) {
        FUZZ_CHECK(throttling->max_milli_tokens >= 1000 &&
                   throttling->max_milli_tokens <= 1000000);
        FUZZ_CHECK(throttling->milli_token_ratio > 0);
    }
}

static void check_problems(const muster__problems *problems, const char *text,
                           size_t size)
{
    for (uint32_t i = 0; i < problems->n; i++) {
        const muster__problem *problem = &problems->items[i];
        int line = problem->line;
        int column = problem->column;

        if (line == 0) {
            muster__place_find(text, size, problem->path, &line, &column);
            FUZZ_CHECK(line >= 1 && column >= 1);
        }
        FUZZ_CHECK(problem->text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    muster__service_config *config = NULL;
    muster__problems problems;
    muster_error err;

    muster__problems_init(&problems);
    if (muster__service_config_parse(text, size, check_policy, NULL, &problems,
                                     &config)) {
        FUZZ_CHECK(problems.n == 0);
        check_config(config);
    } else {
        FUZZ_CHECK(config == NULL);
        FUZZ_CHECK(muster__problems_status(&problems, "x", &err) ==
                   MUSTER_INVAL);
        check_problems(&problems, text, size);
    }
    muster__service_config_unref(config);
    muster__problems_fini(&problems);
    free(text);
    return 0;
}
