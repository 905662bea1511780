/* SPDX-License-Identifier: Apache-2.0 */
/* "muster watch -o ndjson TARGET" as a child process, with the plugins from
 * their files. */
#ifndef MUSTER_TESTS_WATCHER_H
#define MUSTER_TESTS_WATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct watcher {
    pid_t pid;
    int output; /* its stdout */
    char text[8192];
    size_t length; /* of text: what came and was not looked at */
} watcher;

/* The kernel kills it when the thread that started it ends. Dies when it cannot
 * be started. */
void watcher_start(watcher *self, const char *target);

/* Waits for a line with text in it, dropping those before. Returns when it was
 * read (now_ns()), or 0 when none came until deadline_ns. */
uint64_t watcher_await(watcher *self, const char *text, uint64_t deadline_ns);

void watcher_stop(watcher *self);

#endif
