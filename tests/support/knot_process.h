/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a knot. */
#ifndef MUSTER_TESTS_KNOT_PROCESS_H
#define MUSTER_TESTS_KNOT_PROCESS_H

#include "knot.h"

typedef enum knot_outcome {
    KNOT_SERVES,
    KNOT_HAS_NO_PORT, /* somebody else has it */
    KNOT_FAILED
} knot_outcome;

/* Starts knotd on the folder's knot.conf, and waits until it answers with the
 * token and takes commands. It is ended unless it does. */
knot_outcome knot_process_start(knot *self);

/* Writes the server's log to stderr. */
void knot_process_show_log(const knot *self);

#endif
