/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading an answer of a Consul agent fails once, jansson's
 * included: that is what is said, and not that the agent is wrong. */
#include <entries.h>

#include <jansson.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_malloc.h"

enum { ROUNDS = 1000 };

static const char json[] =
    "[{\"Node\": {\"Node\": \"n\", \"Address\": \"10.9.9.9\", "
    "\"Datacenter\": \"dc1\"}, \"Service\": {\"ID\": \"a\", \"Address\": "
    "\"10.0.0.1\", \"Port\": 80, \"Tags\": [\"x\", \"y\"], \"Meta\": "
    "{\"zone\": \"a\\u00e9\", \"k\": \"a long text that is copied\"}, "
    "\"Weights\": {\"Passing\": 2, \"Warning\": 1}}, \"Checks\": "
    "[{\"Status\": \"passing\"}]}]";

static void die(const char *what, uint64_t run)
{
    (void)fprintf(stderr, "allocation %llu: %s\n", (unsigned long long)run,
                  what);
    exit(1);
}

/* Whether the run-th allocation was reached. Jansson 2.14 goes on without a
 * character when the buffer of a token cannot grow, and nobody can tell: so one
 * that failed may go unnoticed, or spoil an entry. */
static bool read_answer(uint64_t run)
{
    static const muster__consul_view view = {.has_all = true};
    muster__consul_entries entries = {.n_endpoints = 0};
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    failing_malloc_arm(run, 1);
    status = muster__consul_entries_parse(json, sizeof json - 1, &view,
                                          &entries, &err);
    has_failed = failing_malloc_disarm();
    if (status != MUSTER_OK && !(has_failed && status == MUSTER_NOMEM)) {
        die(err.message, run);
    }
    muster__consul_entries_clear(&entries);
    return has_failed;
}

static uint64_t run_all(void)
{
    uint64_t n = 0;

    while (read_answer(n + 1)) {
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
