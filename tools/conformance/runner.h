/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the suite on a plugin, each case in a process of its own. */
#ifndef MUSTER_TOOLS_RUNNER_H
#define MUSTER_TOOLS_RUNNER_H

#include <jansson.h>

#include "trial.h"

typedef struct runner_options {
    const char *file;
    const char *target;        /* or NULL */
    const char *policy_config; /* or NULL */
    const char *only;          /* "CLASS", "CLASS/CASE" or "load"; NULL: all */
    uint64_t timeout_ms;       /* of each case */
} runner_options;

/* Runs the cases in children, which are this program again: "muster plugins
 * check --report-fd N --case NAME ...". *ret_status is what loading the plugin
 * answered. A new array with an object for each case: "class", "case", "result"
 * and "detail". NULL: out of memory. */
json_t *runner_run(const runner_options *options, muster_status *ret_status);

/* Runs the case options->only in this process, for a debugger. As above. */
json_t *runner_run_here(const runner_options *options,
                        muster_status *ret_status);

/* The child: runs the case options->only in this process, and reports to the
 * memory behind report_fd. The process is to end then, at once. */
void runner_run_child(const runner_options *options, int report_fd);

#endif
