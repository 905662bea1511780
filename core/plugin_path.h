/* SPDX-License-Identifier: Apache-2.0 */
/* The folders that are searched for plugins. */
#ifndef MUSTER_CORE_PLUGIN_PATH_H
#define MUSTER_CORE_PLUGIN_PATH_H

#include <stdbool.h>

#include <muster/status.h>

/* Adds a folder behind those added before and ahead of MUSTER_PLUGIN_PATH and
 * the installed folder. Copied. Thread: any. MUSTER_NOMEM. */
muster_status muster__plugin_path_add(const char *folder);

/* Calls fn for each file called muster_*.so: folders in their order, files of a
 * folder by name, no lock held. Folders that are not there are passed over. A
 * status that is not MUSTER_OK ends it and is the answer. Thread: any.
 * MUSTER_NOMEM. */
muster_status muster__plugin_path_each(muster_status (*fn)(void *arg,
                                                           const char *path),
                                       void *arg);

#endif
