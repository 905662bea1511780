/* SPDX-License-Identifier: Apache-2.0 */
/* Serves watched descriptors by poll(2). */
#include "watches.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

muster_status testkit_watches_init(testkit_watches *watches)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (wake_fd < 0) {
        return MUSTER_EXHAUSTED;
    }
    watches->items = NULL;
    watches->n = 0;
    watches->capacity = 0;
    watches->wake_fd = wake_fd;
    return MUSTER_OK;
}

void testkit_watches_fini(testkit_watches *watches)
{
    (void)close(watches->wake_fd);
    free(watches->items);
}

/* The index of the descriptor's watch, or n. */
static size_t find(const testkit_watches *watches, int fd)
{
    size_t i = 0;

    while (i < watches->n && watches->items[i].fd != fd) {
        i++;
    }
    return i;
}

/* epoll, beneath the real host, knows neither files nor folders. */
static bool can_poll(int fd)
{
    struct stat facts;

    return fstat(fd, &facts) == 0 && !S_ISREG(facts.st_mode) &&
           !S_ISDIR(facts.st_mode);
}

static muster_status reserve(testkit_watches *watches)
{
    size_t capacity = watches->capacity == 0 ? 4 : watches->capacity * 2;
    testkit_watches_item *items;

    if (watches->n < watches->capacity) {
        return MUSTER_OK;
    }
    items = realloc(watches->items, capacity * sizeof *items);
    if (items == NULL) {
        return MUSTER_NOMEM;
    }
    watches->items = items;
    watches->capacity = capacity;
    return MUSTER_OK;
}

muster_status testkit_watches_set(testkit_watches *watches,
                                  const testkit_watches_item *item)
{
    size_t i = find(watches, item->fd);

    if (item->events == 0) {
        if (i < watches->n) {
            watches->items[i] = watches->items[--watches->n];
        }
        return MUSTER_OK;
    }
    if (item->fn == NULL || !can_poll(item->fd)) {
        return MUSTER_INVAL;
    }
    if (i == watches->n) {
        muster_status status = reserve(watches);

        if (status != MUSTER_OK) {
            return status;
        }
        watches->n++;
    }
    watches->items[i] = *item;
    return MUSTER_OK;
}

size_t testkit_watches_count(const testkit_watches *watches, const void *owner)
{
    size_t n = 0;

    for (size_t i = 0; i < watches->n; i++) {
        n += watches->items[i].owner == owner;
    }
    return n;
}

void testkit_watches_wake(testkit_watches *watches)
{
    uint64_t one = 1;

    /* Full means that it will wake anyway. */
    (void)!write(watches->wake_fd, &one, sizeof one);
}

static void fill(const testkit_watches *watches, struct pollfd *fds)
{
    for (size_t i = 0; i < watches->n; i++) {
        unsigned events = watches->items[i].events;

        fds[i].fd = watches->items[i].fd;
        fds[i].events = (short)(((events & MUSTER_READABLE) ? POLLIN : 0) |
                                ((events & MUSTER_WRITABLE) ? POLLOUT : 0));
        fds[i].revents = 0;
    }
}

static unsigned events_of(short revents)
{
    unsigned events = 0;

    if (revents & (POLLERR | POLLHUP)) {
        return MUSTER_READABLE | MUSTER_WRITABLE;
    }
    if (revents & POLLIN) {
        events |= MUSTER_READABLE;
    }
    if (revents & POLLOUT) {
        events |= MUSTER_WRITABLE;
    }
    return events;
}

/* Calls the watch of a ready descriptor, unless an earlier call has ended it.
 */
static unsigned call(testkit_watches *watches, const struct pollfd *ready,
                     testkit_violations *violations)
{
    size_t i = find(watches, ready->fd);
    testkit_watches_item item;

    if (i == watches->n || ready->revents == 0) {
        return 0;
    }
    item = watches->items[i];
    if (ready->revents & POLLNVAL) {
        testkit_violations_add(
            violations, "descriptor %d was closed while watched", ready->fd);
        item.events = 0;
        (void)testkit_watches_set(watches, &item);
        return 0;
    }
    item.fn(item.arg, item.fd, events_of(ready->revents));
    return 1;
}

unsigned testkit_watches_run(testkit_watches *watches, int timeout_ms,
                             testkit_violations *violations)
{
    size_t n = watches->n;
    struct pollfd *fds = calloc(n + 1, sizeof *fds);
    uint64_t count;
    unsigned n_called = 0;

    if (fds == NULL) {
        testkit_violations_add(violations, "out of memory in the kit");
        return 0;
    }
    fill(watches, fds);
    fds[n].fd = watches->wake_fd;
    fds[n].events = POLLIN;
    if (poll(fds, n + 1, timeout_ms) > 0) {
        for (size_t i = 0; i < n; i++) {
            n_called += call(watches, &fds[i], violations);
        }
        (void)!read(watches->wake_fd, &count, sizeof count);
    }
    free(fds);
    return n_called;
}
