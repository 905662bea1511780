/* SPDX-License-Identifier: Apache-2.0 */
/* A watch whose events a test waits for. Thread: any. */
#ifndef MUSTER_TESTS_WATCHED_H
#define MUSTER_TESTS_WATCHED_H

#include <muster/watch.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WATCHED_TEXT_SIZE = 4096 };

/* What was seen so far. */
typedef struct watched_state {
    uint64_t n_lists;
    uint64_t n_errors;
    uint64_t n_fresh;
    size_t n_endpoints;
    bool is_held;
    uint64_t list_ns; /* CLOCK_MONOTONIC of the last list */
    /* "10.0.0.1:80 10.0.0.2:80", sorted; cut when long */
    char addresses[WATCHED_TEXT_SIZE];
    /* of the first endpoint: "weight=1 zone=a node=x meta.k=v" */
    char first[WATCHED_TEXT_SIZE];
    muster_status status; /* of the last error */
    char message[512];
} watched_state;

typedef struct watched {
    muster_watch *watch;
    pthread_mutex_t mutex; /* guards state */
    pthread_cond_t changed;
    watched_state state;
} watched;

/* False: err (may be NULL) says why. */
bool watched_begin(watched *ret_watched, const char *target, muster_error *err);
void watched_end(watched *self);

watched_state watched_get(watched *self);

/* Wait at most timeout_ms; false: it did not come to that. */
bool watched_await_list(watched *self, const char *addresses, int timeout_ms);
bool watched_await_count(watched *self, size_t n_endpoints, int timeout_ms);
bool watched_await_error(watched *self, const char *part, int timeout_ms);
bool watched_await_fresh(watched *self, uint64_t n_fresh, int timeout_ms);

uint64_t watched_now_ns(void);

#endif
