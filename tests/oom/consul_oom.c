/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation in reading an answer of a Consul agent fails once, jansson's
 * included: that is what is said, and not that the agent is wrong. */
#include <entries.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "failing_malloc.h"
#include "passes.h"

enum { ROUNDS = 1000 };

static const char json[] =
    "[{\"Node\": {\"Node\": \"n\", \"Address\": \"10.9.9.9\", "
    "\"Datacenter\": \"dc1\"}, \"Service\": {\"ID\": \"a\", \"Address\": "
    "\"10.0.0.1\", \"Port\": 80, \"Tags\": [\"x\", \"y\"], \"Meta\": "
    "{\"zone\": \"a\\u00e9\", \"k\": \"a long text that is copied\"}, "
    "\"Weights\": {\"Passing\": 2, \"Warning\": 1}}, \"Checks\": "
    "[{\"Status\": \"passing\"}]}]";

/* Whether the countdown-th allocation was reached. Jansson 2.14 goes on without
 * a character when the buffer of a token cannot grow, and nobody can tell: so
 * one that failed may go unnoticed, or spoil an entry. */
static bool read_answer(void *arg, const passes_failure *failure)
{
    static const muster__consul_view view = {.has_all = true};
    muster__consul_entries entries = {.n_endpoints = 0};
    muster_error err = {0};
    muster_status status;
    bool has_failed;

    (void)arg;
    failing_malloc_arm(failure->countdown, failure->n);
    status = muster__consul_entries_parse(json, sizeof json - 1, &view,
                                          &entries, &err);
    has_failed = failing_malloc_disarm();
    if (status != MUSTER_OK && !(has_failed && status == MUSTER_NOMEM)) {
        passes_die(err.message);
    }
    muster__consul_entries_clear(&entries);
    return has_failed;
}

static uint64_t run_all(void)
{
    return passes_count(read_answer, NULL);
}

int main(void)
{
    json_set_alloc_funcs(malloc, free); /* by itself it takes libc's */
    return passes_repeat(run_all, ROUNDS);
}
