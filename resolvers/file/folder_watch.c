/* SPDX-License-Identifier: Apache-2.0 */
/* One inotify watch, on the folder of a file. */
#include "folder_watch.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
    EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE |
             IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
    BUFFER_SIZE = 4096,
    READS_MAX = 16 /* at a time: a busy folder must not hold the thread */
};

static void log_unavailable(muster__folder_watch *watch, int error)
{
    char message[512];
    char text[128];

    if (watch->is_logged) {
        return;
    }
    watch->is_logged = true;
    (void)snprintf(message, sizeof message,
                   "%s: changes are found by looking again only, as inotify "
                   "is not available: %s",
                   watch->env->uri, strerror_r(error, text, sizeof text));
    watch->env->host->log(watch->env->ctx, MUSTER_LOG_WARNING, message);
}

static muster__folder_event kind_of(const muster__folder_watch *watch,
                                    const struct inotify_event *event)
{
    const bool is_ours =
        event->len > 0 && strcmp(event->name, watch->name) == 0;

    if (is_ours && (event->mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) {
        return MUSTER__FOLDER_WRITTEN;
    }
    return (event->mask & IN_MOVED_TO) != 0 ? MUSTER__FOLDER_MOVED
                                            : MUSTER__FOLDER_CHANGED;
}

/* Goes through the events in buffer, beside those seen before. */
static muster__folder_event take_events(muster__folder_watch *watch,
                                        const char *buffer, size_t length,
                                        muster__folder_event before)
{
    size_t at = 0;

    while (at + sizeof(struct inotify_event) <= length) {
        const struct inotify_event *event =
            (const struct inotify_event *)(const void *)(buffer + at);
        const muster__folder_event kind = kind_of(watch, event);

        if ((event->mask & IN_IGNORED) != 0 && event->wd == watch->number) {
            watch->number = -1; /* the folder is gone */
        }
        before = kind > before ? kind : before;
        at += sizeof *event + event->len;
    }
    return before;
}

static void on_readable(void *arg, int fd, unsigned events)
{
    muster__folder_watch *watch = arg;
    _Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
    muster__folder_event event = MUSTER__FOLDER_CHANGED;
    ssize_t n = 0;

    (void)events;
    for (int i = 0; i < READS_MAX; i++) {
        n = read(fd, buffer, sizeof buffer);
        if (n <= 0) {
            break;
        }
        event = take_events(watch, buffer, (size_t)n, event);
    }
    watch->fn(watch->arg, event);
}

/* Makes watch->fd. errno, or 0. */
static int open_inotify(muster__folder_watch *watch)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0) {
        return errno;
    }
    if (watch->env->host->watch(watch->env->ctx, fd, MUSTER_READABLE,
                                on_readable, watch) != MUSTER_OK) {
        (void)close(fd);
        return ENOMEM;
    }
    watch->fd = fd;
    return 0;
}

muster_status muster__folder_watch_init(muster__folder_watch *watch,
                                        const muster_resolver_env *env,
                                        const char *path,
                                        muster__folder_event_fn fn, void *arg)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash > path ? (size_t)(slash - path) : 1;

    watch->folder = strndup(path, length);
    if (watch->folder == NULL) {
        return MUSTER_NOMEM;
    }
    watch->env = env;
    watch->fn = fn;
    watch->arg = arg;
    watch->name = slash + 1;
    watch->fd = -1;
    watch->number = -1;
    watch->is_logged = false;
    return MUSTER_OK;
}

void muster__folder_watch_renew(muster__folder_watch *watch)
{
    int error = watch->fd < 0 ? open_inotify(watch) : 0;
    int number = -1;

    if (error == 0) {
        /* The same folder keeps its number. */
        number = inotify_add_watch(watch->fd, watch->folder, EVENTS);
        error = number < 0 ? errno : 0;
    }
    if (watch->number >= 0 && watch->number != number) {
        (void)inotify_rm_watch(watch->fd, watch->number);
    }
    watch->number = number;
    if (error != 0 && error != ENOENT && error != ENOTDIR) {
        log_unavailable(watch, error);
    }
}

void muster__folder_watch_stop(muster__folder_watch *watch)
{
    if (watch->fd < 0) {
        return;
    }
    (void)watch->env->host->watch(watch->env->ctx, watch->fd, 0, NULL, NULL);
    (void)close(watch->fd);
    watch->fd = -1;
    watch->number = -1;
}

void muster__folder_watch_fini(muster__folder_watch *watch)
{
    free(watch->folder);
    watch->folder = NULL;
}
