/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways to show it: on paper, and on a screen. */
#ifndef MUSTER_TOOLS_TOP_WAYS_H
#define MUSTER_TOOLS_TOP_WAYS_H

#include <stdint.h>

#include "../output.h"
#include "tracker.h"

typedef struct top_show {
    top_tracker tracker;
    output output;
    uint64_t interval_ms;
    uint64_t count; /* of answers, then it ends */
} top_show;

/* Prints each answer on stdout. The process's end is a failure. */
exit_code top_show_plain(top_show *self);

/* The whole terminal, until a key or a signal ends it; a process that goes is
 * waited for, once it has answered. */
exit_code top_show_screen(top_show *self);

#endif
