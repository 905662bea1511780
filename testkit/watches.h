/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that a plugin watches, served by poll(2). Thread: the driving
 * one, but for testkit_watches_wake(). */
#ifndef MUSTER_TESTKIT_WATCHES_H
#define MUSTER_TESTKIT_WATCHES_H

#include <stddef.h>

#include <muster/resolver.h>

#include "violations.h"

typedef struct testkit_watches_item {
    const void *owner;
    muster_watch_fn fn;
    void *arg;
    int fd;
    unsigned events;
} testkit_watches_item;

typedef struct testkit_watches {
    testkit_watches_item *items;
    size_t n;
    size_t capacity;
    int wake_fd; /* an eventfd */
} testkit_watches;

muster_status testkit_watches_init(testkit_watches *watches);
void testkit_watches_fini(testkit_watches *watches);

/* As muster_resolver_host.watch. */
muster_status testkit_watches_set(testkit_watches *watches,
                                  const testkit_watches_item *item);

/* How many descriptors owner watches. */
size_t testkit_watches_count(const testkit_watches *watches, const void *owner);

/* Ends testkit_watches_run()'s waiting. Thread: any. */
void testkit_watches_wake(testkit_watches *watches);

/* Waits until a descriptor is ready or somebody wakes it, at most timeout_ms,
 * and calls the watches; returns how many calls it made. */
unsigned testkit_watches_run(testkit_watches *watches, int timeout_ms,
                             testkit_violations *violations);

#endif
