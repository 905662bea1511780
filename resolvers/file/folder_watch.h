/* SPDX-License-Identifier: Apache-2.0 */
/* Watches the folder of a file with inotify: a file's own watch would follow
 * the old inode through a rename. */
#ifndef MUSTER_FILE_FOLDER_WATCH_H
#define MUSTER_FILE_FOLDER_WATCH_H

#include <muster/resolver.h>

#include <stdbool.h>

/* Something happened in the folder. is_complete: a new file is in place as a
 * whole (closed by its writer, or moved in); else it may be half written. */
typedef void (*muster__folder_event_fn)(void *arg, bool is_complete);

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
