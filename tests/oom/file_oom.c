/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading a file's JSON fails once, jansson's included:
 * that is what is said, and not that the file is wrong. */
#include <content.h>

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"

enum { ROUNDS = 1000 };

static const char json[] =
    "{\"endpoints\": [{\"address\": \"10.0.0.1:1\", \"weight\": 2, "
    "\"addresses\": [\"10.0.0.2:1\"], \"zone\": \"a\\u00e9\", "
    "\"attributes\": {\"rack\": \"a long name that is copied\"}}], "
    "\"service_config\": {\"loadBalancingConfig\": [{\"round_robin\": {}}], "
    "\"numbers\": [1, 2.5, true, null]}}";

static void die(const char *what, uint64_t run)
{
    (void)fprintf(stderr, "allocation %llu: %s\n", (unsigned long long)run,
                  what);
    exit(1);
}

/* Whether the run-th allocation was reached. Jansson 2.14 goes on without a
 * character when the buffer of a token cannot grow, and nobody can tell: so one
 * that failed may go unnoticed, but never makes the file a wrong one. */
static bool read_file(uint64_t run)
{
    char text[sizeof json];
    muster__file_content content = {0};
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    memcpy(text, json, sizeof json);
    failing_malloc_arm(run, 1);
    status = muster__file_parse(text, sizeof json - 1, &content, &err);
    has_failed = failing_malloc_disarm();
    if (status != MUSTER_OK && !(has_failed && status == MUSTER_NOMEM)) {
        die(err.message, run);
    }
    muster__file_clear(&content);
    return has_failed;
}

static uint64_t run_all(void)
{
    uint64_t n = 0;

    while (read_file(n + 1)) {
        n++;
    }
    return n;
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
