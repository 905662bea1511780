/* SPDX-License-Identifier: Apache-2.0 */
/* The files of which skeletons are made. */
#ifndef MUSTER_TOOLS_FILES_H
#define MUSTER_TOOLS_FILES_H

#include <stddef.h>

typedef struct skeleton_file {
    const char *kind; /* "resolver" or "balancer" */
    const char *name; /* "CMakeLists.txt", "plugin.c" or "test.c" */
    const char *text; /* with @NAME@, @ID@ and @CLASS@ in it */
} skeleton_file;

/* Ended by one without a kind. */
extern const skeleton_file skeleton_files[];

#endif
