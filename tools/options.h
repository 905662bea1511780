/* SPDX-License-Identifier: Apache-2.0 */
/* The options that several verbs have in common. */
#ifndef MUSTER_TOOLS_OPTIONS_H
#define MUSTER_TOOLS_OPTIONS_H

#include <argp.h>

#include "output.h"

typedef struct options {
    output output;
    int verbosity;
} options;

/* The defaults. */
void options_init(options *self);

/* Reads the common options; the verb's parser sets its input (an options) at
 * ARGP_KEY_INIT. */
extern const struct argp options_argp;

/* The child of a verb's argp that has no other child. */
extern const struct argp_child options_children[];

/* The part of a verb's parser that takes exactly one TARGET. */
error_t options_target(int key, char *text, struct argp_state *state,
                       const char **ret_target);

#endif
