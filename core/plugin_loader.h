/* SPDX-License-Identifier: Apache-2.0 */
/* One plugin file: opened and checked without running a line of it, then
 * loaded. */
#ifndef MUSTER_CORE_PLUGIN_LOADER_H
#define MUSTER_CORE_PLUGIN_LOADER_H

#include <stdbool.h>

#include <sys/types.h>
#include <time.h>

#include "plugin_note.h"

typedef struct muster__plugin_file {
    int fd;
    dev_t device; /* with inode: which file it is, whatever its name */
    ino_t inode;
    off_t size; /* with the times: whether it was written since */
    struct timespec modified;
    struct timespec changed;
    muster__note note;
} muster__plugin_file;

/* Whether a file of that name in the search path claims to be a plugin. */
bool muster__plugin_file_is_named(const char *file_name);

/* Opens path and checks all that can be checked without running it. Thread:
 * any. MUSTER_NOTFOUND; MUSTER_PERMISSION: owner or mode; MUSTER_INVAL: file
 * name; MUSTER_ABI: content; MUSTER_UNAVAILABLE; MUSTER_NOMEM. */
muster_status muster__plugin_file_open(const char *path,
                                       muster__plugin_file *ret_file,
                                       muster_error *err);
void muster__plugin_file_close(muster__plugin_file *file);

/* Maps the file, runs its constructors and its entry function, and compares
 * what it says with its note. Takes file over in every case: once it is mapped
 * its fd stays open for the life of the process, refused or not; else it is -1.
 * Thread: any, with no lock held. MUSTER_ABI. */
muster_status muster__plugin_file_load(muster__plugin_file *file,
                                       const char *path,
                                       const muster_plugin **ret_plugin,
                                       muster_error *err);

#endif
