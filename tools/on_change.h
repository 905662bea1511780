/* SPDX-License-Identifier: Apache-2.0 */
/* A command of the user's that is run for each change. */
#ifndef MUSTER_TOOLS_ON_CHANGE_H
#define MUSTER_TOOLS_ON_CHANGE_H

#include <stdint.h>

#include <jansson.h>

#include "command.h"

/* What happened, for the child's environment. */
typedef struct on_change_event {
    const char *type; /* MUSTER_EVENT */
    const char *target;
    uint64_t sequence;
} on_change_event;

/* Runs command (a program with its arguments, then NULL; looked for in PATH)
 * with document on its stdin, and waits for its end. One that cannot be started
 * is a failure; one that fails is said on stderr. */
exit_code on_change_run(char *const *command, const json_t *document,
                        const on_change_event *event);

#endif
