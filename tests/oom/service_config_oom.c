/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading a service config fails once, jansson's included:
 * that is what is said, and not that the config is wrong. */
#include <config/service_config.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"

enum { ROUNDS = 500 };

/* Names are short: jansson 2.14 goes on without a character when the buffer of
 * a token cannot grow, and nobody can tell. */
static const char json[] =
    "{\"loadBalancingConfig\": [{\"no\": {}}, {\"rr\": {\"a\": [1]}}], "
    "\"methodConfig\": [{\"name\": [{\"service\": \"a.B\", \"method\": "
    "\"C\"}, {}], \"timeout\": \"1.5s\", \"maxRequestMessageBytes\": \"7\", "
    "\"retryPolicy\": {\"maxAttempts\": 3, \"initialBackoff\": \"1s\", "
    "\"maxBackoff\": \"2s\", \"backoffMultiplier\": \"1.6\", "
    "\"retryableStatusCodes\": [14]}}], \"muster\": {}, "
    "\"healthCheckConfig\": {\"serviceName\": \"x\"}}";

static const char bad_json[] =
    "{\"methodConfig\": [1, {\"timeout\": 1}], \"muster\": 1}";

static void die(const char *what, uint64_t run)
{
    (void)fprintf(stderr, "allocation %llu: %s\n", (unsigned long long)run,
                  what);
    exit(1);
}

static muster_status check_policy(void *arg, const char *name,
                                  const char *config_json, muster_error *err)
{
    (void)arg;
    (void)config_json;
    (void)err;
    return strcmp(name, "rr") == 0 ? MUSTER_OK : MUSTER_NOTFOUND;
}

/* Whether the run-th allocation was reached. */
static bool read_config(const char *text, muster_status expected, uint64_t run)
{
    muster__service_config *config = NULL;
    muster__problems problems;
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    muster__problems_init(&problems);
    failing_malloc_arm(run, 1);
    (void)muster__service_config_parse(text, strlen(text), check_policy, NULL,
                                       &problems, &config);
    has_failed = failing_malloc_disarm();
    status = muster__problems_status(&problems, "config", &err);
    if (status != expected && !(has_failed && status == MUSTER_NOMEM)) {
        die(err.message, run);
    }
    if ((config != NULL) != (status == MUSTER_OK)) {
        die("a config without a success, or the other way round", run);
    }
    muster__service_config_unref(config);
    muster__problems_fini(&problems);
    return has_failed;
}

static uint64_t run_all(void)
{
    uint64_t n = 0;
    uint64_t n_bad = 0;

    while (read_config(json, MUSTER_OK, n + 1)) {
        n++;
    }
    while (read_config(bad_json, MUSTER_INVAL, n_bad + 1)) {
        n_bad++;
    }
    return n + n_bad;
}

int main(void)
{
    uint64_t n;
    size_t before;
    size_t after;

    json_set_alloc_funcs(malloc, free); /* by itself it takes libc's */
    n = run_all();
    (void)printf("%llu allocations failed\n", (unsigned long long)n);
    before = mallinfo2().uordblks; /* what is kept from here on is lost */
    for (int i = 0; i < ROUNDS; i++) {
        (void)run_all();
    }
    after = mallinfo2().uordblks;
    if (after > before + 4096) {
        (void)fprintf(stderr, "%zu bytes leaked\n", after - before);
        return 1;
    }
    return n > 0 ? 0 : 1;
}
