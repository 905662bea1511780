/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading a service config fails once, jansson's included:
 * that is what is said, and not that the config is wrong. */
#include <config/service_config.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "passes.h"

enum { ROUNDS = 500 };

/* Names are short: jansson 2.14 goes on without a character when the buffer of
 * a token cannot grow, and nobody can tell. */
static const char json[] =
    "{\"loadBalancingConfig\": [{\"no\": {}}, {\"rr\": {\"a\": [1]}}], "
    "\"methodConfig\": [{\"name\": [{\"service\": \"a.B\", \"method\": "
    "\"C\"}, {}], \"timeout\": \"1.5s\", \"maxRequestMessageBytes\": \"7\", "
    "\"retryPolicy\": {\"maxAttempts\": 3, \"initialBackoff\": \"1s\", "
    "\"maxBackoff\": \"2s\", \"backoffMultiplier\": \"1.6\", "
    "\"retryableStatusCodes\": [14]}}], \"muster\": {\"maxBackoff\": "
    "\"9s\", \"userAgentPrefix\": \"x\"}, "
    "\"healthCheckConfig\": {\"serviceName\": \"x\"}}";

static const char bad_json[] =
    "{\"methodConfig\": [1, {\"timeout\": 1}], \"muster\": 1}";

typedef struct sample {
    const char *text;
    muster_status expected;
} sample;

static muster_status check_policy(void *arg, const char *name,
                                  const char *config_json, muster_error *err)
{
    (void)arg;
    (void)config_json;
    (void)err;
    return strcmp(name, "rr") == 0 ? MUSTER_OK : MUSTER_NOTFOUND;
}

/* Whether the countdown-th allocation was reached. */
static bool read_config(void *arg, const passes_failure *failure)
{
    const sample *from = arg;
    muster__service_config *config = NULL;
    muster__problems problems;
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    muster__problems_init(&problems);
    failing_malloc_arm(failure->countdown, failure->n);
    (void)muster__service_config_parse(from->text, strlen(from->text),
                                       check_policy, NULL, &problems, &config);
    has_failed = failing_malloc_disarm();
    status = muster__problems_status(&problems, "config", &err);
    if (status != from->expected && !(has_failed && status == MUSTER_NOMEM)) {
        passes_die(err.message);
    }
    if ((config != NULL) != (status == MUSTER_OK)) {
        passes_die("a config without a success, or the other way round");
    }
    muster__service_config_unref(config);
    muster__problems_fini(&problems);
    return has_failed;
}

static uint64_t run_all(void)
{
    static sample good = {json, MUSTER_OK};
    static sample bad = {bad_json, MUSTER_INVAL};

    return passes_count(read_config, &good) + passes_count(read_config, &bad);
}

int main(void)
{
    json_set_alloc_funcs(malloc, free); /* by itself it takes libc's */
    return passes_repeat(run_all, ROUNDS);
}
