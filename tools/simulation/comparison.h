/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario played with one policy after the other. */
#ifndef MUSTER_TOOLS_COMPARISON_H
#define MUSTER_TOOLS_COMPARISON_H

#include <stdbool.h>
#include <stdio.h>

#include "measure.h"
#include "policies.h"

typedef struct comparison {
    scenario scenario;
    policies known;
    policy_choice *choices;
    measure *measures; /* one for each choice */
    size_t n;
} comparison;

/* text is the scenario; wanted (an array, or NULL: the scenario's, or else
 * all there are) and seed (digits, or NULL) overrule it. *ret_comparison is to
 * be released when this is MUSTER_OK. MUSTER_INVAL (what is in the scenario, or
 * in a policy's settings), MUSTER_NOTFOUND (a policy), MUSTER_NOMEM, and what
 * loading a plugin answers. */
muster_status comparison_run(comparison *ret_comparison, const char *text,
                             size_t size, const json_t *wanted,
                             const char *seed, muster_error *err);
void comparison_release(comparison *self);

/* A new array with an object for each policy: tools/README.md. NULL: out of
 * memory. */
json_t *comparison_rows(const comparison *self);

/* False: writing failed. */
bool comparison_plot(const comparison *self, const char *title, FILE *out);

#endif
