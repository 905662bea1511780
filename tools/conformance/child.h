/* SPDX-License-Identifier: Apache-2.0 */
/* A case in a process of its own, which may crash or hang. */
#ifndef MUSTER_TOOLS_CHILD_H
#define MUSTER_TOOLS_CHILD_H

#include "runner.h"

/* Runs the case and waits for its end, or ends it when the time-out passes. A
 * report without a result is given one: how the process ended, in which step.
 * The caller's to release; NULL: out of memory or of processes. */
trial_report *child_run(const runner_options *options, const char *name);
void child_release(trial_report *report);

/* In the child: the report behind fd; NULL when that is none. */
trial_report *child_attach(int fd);

#endif
