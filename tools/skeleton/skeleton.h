/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a plugin that builds, passes its test and waits to be filled in. */
#ifndef MUSTER_TOOLS_SKELETON_H
#define MUSTER_TOOLS_SKELETON_H

#include <stdbool.h>

typedef struct skeleton {
    const char *name;       /* the plugin's, and that of the new folder */
    const char *kind;       /* "resolver" or "balancer" */
    const char *class_name; /* the scheme, or the policy's name */
} skeleton;

/* Makes the folder and its files. False, errno and *ret_path (the caller's to
 * free; or NULL) when one cannot be made; the folder must not be there yet. */
bool skeleton_write(const skeleton *self, char **ret_path);

#endif
