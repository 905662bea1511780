/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading a file's JSON fails once, jansson's included:
 * that is what is said, and not that the file is wrong. */
#include <content.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"
#include "passes.h"

enum { ROUNDS = 1000 };

static const char json[] =
    "{\"endpoints\": [{\"address\": \"10.0.0.1:1\", \"weight\": 2, "
    "\"addresses\": [\"10.0.0.2:1\"], \"zone\": \"a\\u00e9\", "
    "\"attributes\": {\"rack\": \"a long name that is copied\"}}], "
    "\"service_config\": {\"loadBalancingConfig\": [{\"round_robin\": {}}], "
    "\"numbers\": [1, 2.5, true, null]}}";

/* Whether the countdown-th allocation was reached. Jansson 2.14 goes on without
 * a character when the buffer of a token cannot grow, and nobody can tell: so
 * one that failed may go unnoticed, but never makes the file a wrong one. */
static bool read_file(void *arg, const passes_failure *failure)
{
    char text[sizeof json];
    muster__file_content content = {0};
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    memcpy(text, json, sizeof json);
    (void)arg;
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster__file_parse(text, sizeof json - 1, &content, &err);
    has_failed = failing_malloc_disarm();
    if (status != MUSTER_OK && !(has_failed && status == MUSTER_NOMEM)) {
        passes_die(err.message);
    }
    muster__file_clear(&content);
    return has_failed;
}

static uint64_t run_all(void)
{
    return passes_count(read_file, NULL);
}

int main(void)
{
    json_set_alloc_funcs(malloc, free); /* by itself it takes libc's */
    return passes_repeat(run_all, ROUNDS);
}
