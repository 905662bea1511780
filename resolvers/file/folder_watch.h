/* SPDX-License-Identifier: Apache-2.0 */
/* Watches the folder of a file with inotify: a file's own watch would follow
 * the old inode through a rename. */
#ifndef MUSTER_FILE_FOLDER_WATCH_H
#define MUSTER_FILE_FOLDER_WATCH_H

#include <muster/resolver.h>

#include <stdbool.h>

/* What happened in the folder; of several events, the last of these. */
typedef enum muster__folder_event {
    MUSTER__FOLDER_CHANGED = 0, /* the file may be half written */
    /* Another name was moved in. It may be a link that leads to the file, as
     * Kubernetes does it: then another file is there now, as a whole. */
    MUSTER__FOLDER_MOVED,
    MUSTER__FOLDER_WRITTEN /* the file was closed by its writer, or moved in */
} muster__folder_event;

typedef void (*muster__folder_event_fn)(void *arg, muster__folder_event event);

typedef struct muster__folder_watch {
    const muster_resolver_env *env;
    muster__folder_event_fn fn;
    void *arg;
    char *folder;
    const char *name; /* the file's, in the folder */
    int fd;           /* of inotify; -1: not available */
    int number;       /* of the watch; -1: none */
    bool is_logged;   /* that it is not available */
} muster__folder_watch;

/* env and path must outlive the watch; starts nothing. MUSTER_NOMEM. */
muster_status muster__folder_watch_init(muster__folder_watch *watch,
                                        const muster_resolver_env *env,
                                        const char *path,
                                        muster__folder_event_fn fn, void *arg);

/* Watches the folder that now has that name; call it again now and then, as
 * another may have taken its place. What is not available is logged once. */
void muster__folder_watch_renew(muster__folder_watch *watch);

/* No event comes after it. */
void muster__folder_watch_stop(muster__folder_watch *watch);

void muster__folder_watch_fini(muster__folder_watch *watch); /* stopped */

#endif
