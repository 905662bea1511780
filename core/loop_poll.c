/* SPDX-License-Identifier: Apache-2.0 */
/* Watches of descriptors on the control thread. */
#include "loop.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include <muster/resolver.h>

#include "loop_internal.h"

#define POLL_BOTH ((unsigned)MUSTER_READABLE | (unsigned)MUSTER_WRITABLE)

struct muster__poll {
    uv_poll_t uv; /* first: the handle is the poll */
    void (*fn)(void *arg, int fd, unsigned events);
    void *arg;
    int fd;
    unsigned events; /* wanted */
};

static void on_ready(uv_poll_t *handle, int error, int uv_events);

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static muster_status status_of(int uv_error)
{
    if (uv_error == 0) {
        return MUSTER_OK;
    }
    return uv_error == UV_ENOMEM ? MUSTER_NOMEM : MUSTER_INVAL;
}

static int uv_start(muster__poll *poll)
{
    int uv_events = 0;

    if ((poll->events & (unsigned)MUSTER_READABLE) != 0) {
        uv_events |= UV_READABLE;
    }
    if ((poll->events & (unsigned)MUSTER_WRITABLE) != 0) {
        uv_events |= UV_WRITABLE;
    }
    return uv_poll_start(&poll->uv, uv_events, on_ready);
}

/* libuv tells neither a hang-up nor an error from readiness. */
static bool has_hung_up(int fd)
{
    struct pollfd look = {fd, 0, 0};

    return poll(&look, 1, 0) > 0 && look.revents != 0;
}

static unsigned events_of(const muster__poll *poll, int error, int uv_events)
{
    unsigned events = 0;

    if (error != 0 || has_hung_up(poll->fd)) {
        return POLL_BOTH;
    }
    if ((uv_events & UV_READABLE) != 0) {
        events |= (unsigned)MUSTER_READABLE;
    }
    if ((uv_events & UV_WRITABLE) != 0) {
        events |= (unsigned)MUSTER_WRITABLE;
    }
    return events;
}

static void on_ready(uv_poll_t *handle, int error, int uv_events)
{
    muster__poll *poll = (muster__poll *)handle;

    /* libuv stops a watch that has an error. Ours stays: a UDP socket with
     * ECONNREFUSED is as good as ever once that was read. */
    if (error != 0) {
        (void)uv_start(poll);
    }
    poll->fn(poll->arg, poll->fd, events_of(poll, error, uv_events));
}

muster_status
muster__poll_create(int fd, void (*fn)(void *arg, int fd, unsigned events),
                    void *arg, muster__poll **ret_poll)
{
    uv_loop_t *loop = muster__loop_uv();
    muster__poll *poll;
    int error;

    if (fd < 0) {
        return MUSTER_INVAL;
    }
    poll = (muster__poll *)calloc(1, sizeof *poll);
    if (poll == NULL) {
        return MUSTER_NOMEM;
    }
    error = uv_poll_init(loop, &poll->uv, fd);
    if (error != 0) {
        free(poll);
        return status_of(error);
    }
    poll->fn = fn;
    poll->arg = arg;
    poll->fd = fd;
    *ret_poll = poll;
    return MUSTER_OK;
}

muster_status muster__poll_start(muster__poll *poll, unsigned events)
{
    assert(muster__loop_is_current());
    if ((events & ~POLL_BOTH) != 0) {
        return MUSTER_INVAL;
    }
    poll->events = events;
    return status_of(uv_start(poll));
}

void muster__poll_destroy(muster__poll *poll)
{
    if (poll == NULL) {
        return;
    }
    assert(muster__loop_is_current());
    /* Takes fd out of the kernel's set and out of the events that wait to be
     * dispatched, at once; only the memory goes later. */
    uv_close((uv_handle_t *)&poll->uv, on_closed);
}
