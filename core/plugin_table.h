/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins in this process: linked in, registered or loaded. A plugin is
 * never taken out. Thread: any, all of it. */
#ifndef MUSTER_CORE_PLUGIN_TABLE_H
#define MUSTER_CORE_PLUGIN_TABLE_H

#include <stdbool.h>

#include <sys/types.h>

#include "plugin_host.h"
#include "plugin_loader.h"
#include "plugin_note.h"
#include "registry.h"

struct muster__plugin {
    muster__plugin *next; /* the table's: set once, under its mutex */
    const muster_plugin *descriptor;
    char *path;      /* NULL when it is linked in */
    bool is_builtin; /* in muster__builtin_plugins */
    dev_t device;
    ino_t inode;
    muster__note note;
    muster__plugin_scope scope;
};

/* Calls the entry function and adds what it returns, once. MUSTER_ABI,
 * MUSTER_NOMEM. */
muster_status muster__table_register(muster_plugin_entry_fn entry,
                                     muster_error *err);

/* Adds a plugin that was loaded from file at path (copied). MUSTER_ABI: another
 * has its name or one of its classes. MUSTER_NOMEM. */
muster_status muster__table_add_file(const muster_plugin *descriptor,
                                     const muster__plugin_file *file,
                                     const char *path, muster_error *err);

/* The plugin that serves class_text ("resolver:dns"), or NULL. */
muster__plugin *muster__table_find_class(const char *class_text);

/* The plugin that was loaded from that very file, or NULL. */
muster__plugin *muster__table_find_file(dev_t device, ino_t inode);

/* MUSTER_ABI when a plugin has the name or a class of note already. */
muster_status muster__table_check_conflict(const muster__note *note,
                                           const char *origin,
                                           muster_error *err);

/* The sentence for it: "ORIGIN: "conflict" is taken by OTHER; ...". */
muster_status muster__table_refuse_conflict(const char *conflict,
                                            const char *other,
                                            const char *origin,
                                            muster_error *err);

/* Steps through all: previous is NULL at first; NULL at the end. */
muster__plugin *muster__table_next(const muster__plugin *previous);

#endif
