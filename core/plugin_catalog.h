/* SPDX-License-Identifier: Apache-2.0 */
/* What the search path holds, as the files' notes tell: no line of a plugin
 * runs. Thread: any, all of it. */
#ifndef MUSTER_CORE_PLUGIN_CATALOG_H
#define MUSTER_CORE_PLUGIN_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/types.h>

#include "plugin_note.h"

/* One file, in search order. */
typedef struct muster__candidate {
    char *path;
    dev_t device;
    ino_t inode;
    bool has_note; /* note, device and inode are filled */
    muster__note note;
    muster_error refusal; /* code MUSTER_OK: it may be loaded */
} muster__candidate;

typedef struct muster__catalog {
    muster__candidate *items;
    size_t n;
    size_t capacity;
} muster__catalog;

/* Reads the search path. A name, scheme or policy that a plugin in the process
 * or an earlier candidate has is a refusal. *ret_catalog is the caller's.
 * MUSTER_NOMEM. */
muster_status muster__catalog_read(muster__catalog *ret_catalog);
void muster__catalog_release(muster__catalog *catalog);

#endif
