/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin that is checked, in the process that runs a case. */
#ifndef MUSTER_TOOLS_SUBJECT_H
#define MUSTER_TOOLS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>

#include <muster/testkit.h>

#include "trial.h"

/* The case "load": loads the plugin as a program would, and looks at what it
 * says of itself. Fills the report's status and classes. */
void subject_load(trial *self);

/* Fills plugin, and resolver or balancer: the class is name's first length
 * bytes, "resolver:x". False, and said, when that fails. It does not become
 * known to muster. */
bool subject_open(trial *self, const char *name, size_t length);

/* Of the object that subject_open() opened, as dlopen() gives it. */
void *subject_handle(void);

/* Calls the plugin's init() with a host of the test kit, where there is one.
 * *ret_shared is what it gives. False, and said, when it fails. */
bool subject_init(trial *self, void **ret_shared);

/* Calls fini() when init() was called, and says what rules were broken. */
void subject_fini(trial *self);

#endif
