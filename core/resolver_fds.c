/* SPDX-License-Identifier: Apache-2.0 */
/* The fds that one resolver instance watches. */
#include "resolver_fds.h"

#include <stdlib.h>

typedef struct muster__resolver_fd {
    struct muster__resolver_fd *next;
    muster__resolver_instance *instance;
    muster__poll *poll;
    int fd;
    muster_watch_fn fn;
    void *arg;
} resolver_fd;

static bool is_closed(muster__resolver_instance *instance)
{
    bool closed;

    pthread_mutex_lock(&instance->mutex);
    closed = instance->is_closed;
    pthread_mutex_unlock(&instance->mutex);
    return closed;
}

/* fn may drop its own watch: nothing of it is touched after the call. */
static void on_ready(void *arg, int fd, unsigned events)
{
    resolver_fd *watched = arg;

    if (is_closed(watched->instance)) {
        return;
    }
    muster__instance_enter(watched->instance, "watch");
    watched->fn(watched->arg, fd, events);
    muster__instance_leave();
}

static resolver_fd **find(muster__resolver_instance *instance, int fd)
{
    resolver_fd **at = &instance->fds;

    while (*at != NULL && (*at)->fd != fd) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(resolver_fd **at)
{
    resolver_fd *watched = *at;

    *at = watched->next;
    muster__poll_destroy(watched->poll);
    free(watched);
}

static muster_status add(resolver_fd **at, muster__resolver_instance *instance,
                         int fd)
{
    resolver_fd *watched = calloc(1, sizeof *watched);
    muster_status status;

    if (watched == NULL) {
        return MUSTER_NOMEM;
    }
    status = muster__poll_create(fd, on_ready, watched, &watched->poll);
    if (status != MUSTER_OK) {
        free(watched);
        return status;
    }
    watched->instance = instance;
    watched->fd = fd;
    *at = watched;
    return MUSTER_OK;
}

muster_status muster__resolver_fds_set(muster__resolver_instance *instance,
                                       int fd, unsigned events,
                                       muster_watch_fn fn, void *arg)
{
    resolver_fd **at = find(instance, fd);
    muster_status status = MUSTER_OK;

    if (events == 0) {
        if (*at != NULL) {
            drop(at);
        }
        return MUSTER_OK;
    }
    if (fd < 0 || fn == NULL ||
        (events & ~(unsigned)(MUSTER_READABLE | MUSTER_WRITABLE)) != 0) {
        return MUSTER_INVAL;
    }
    if (*at == NULL) {
        status = add(at, instance, fd);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    (*at)->fn = fn;
    (*at)->arg = arg;
    status = muster__poll_start((*at)->poll, events);
    if (status != MUSTER_OK) {
        drop(at);
    }
    return status;
}

void muster__resolver_fds_clear(muster__resolver_instance *instance)
{
    while (instance->fds != NULL) {
        drop(&instance->fds);
    }
}
