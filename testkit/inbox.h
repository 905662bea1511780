/* SPDX-License-Identifier: Apache-2.0 */
/* What a resolver reported: copied on its thread, folded on the test's. */
#ifndef MUSTER_TESTKIT_INBOX_H
#define MUSTER_TESTKIT_INBOX_H

#include <pthread.h>

#include <muster/testkit.h>

#include "copies.h"

typedef enum testkit_inbox_type {
    INBOX_REPORT,
    INBOX_DELTA,
    INBOX_FAILURE,
    INBOX_LOG
} testkit_inbox_type;

typedef struct testkit_inbox_item {
    struct testkit_inbox_item *next;
    testkit_inbox_type type;
    uint32_t flags;
    uint64_t sequence;
    testkit_copies upserted; /* of a report: all */
    testkit_copies removed;
    char *text; /* service configuration or message; or NULL */
    muster_status status;
    muster_log_level level;
} testkit_inbox_item;

typedef struct testkit_inbox {
    pthread_mutex_t mutex;
    testkit_inbox_item *first; /* guarded by mutex */
    testkit_inbox_item **last; /* guarded by mutex */
    uint64_t sequence;         /* guarded by mutex */

    /* Of the driving thread. */
    testkit_copies list;
    testkit_inbox_item *report;
    testkit_inbox_item *delta;
    testkit_inbox_item *failure;
    testkit_inbox_item *log;
    muster_testkit_resolver_seen seen;
} testkit_inbox;

void testkit_inbox_init(testkit_inbox *inbox);
void testkit_inbox_fini(testkit_inbox *inbox);

/* An empty item; NULL when memory is short. */
testkit_inbox_item *testkit_inbox_item_create(testkit_inbox_type type);
void testkit_inbox_item_destroy(testkit_inbox_item *item); /* NULL is ignored */

/* Takes item over; answers the sequence number of a report or delta. Thread:
 * any. */
uint64_t testkit_inbox_put(testkit_inbox *inbox, testkit_inbox_item *item);

/* Folds what has come in into seen. Thread: the driving one. */
muster_status testkit_inbox_fold(testkit_inbox *inbox);

#endif
