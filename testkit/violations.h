/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that a plugin broke, as text. Thread-safe. */
#ifndef MUSTER_TESTKIT_VIOLATIONS_H
#define MUSTER_TESTKIT_VIOLATIONS_H

#include <pthread.h>
#include <stdbool.h>

#include <muster/export.h>

typedef struct testkit_violations {
    pthread_mutex_t mutex;
    char text[8000]; /* lines; guarded by mutex */
    char read[8000]; /* a copy for the reader */
    bool is_unread;  /* guarded by mutex */
} testkit_violations;

void testkit_violations_init(testkit_violations *violations);

/* Prints what nobody has read, and aborts then. */
void testkit_violations_fini(testkit_violations *violations);

/* Adds a line; what does not fit is cut. Thread: any. */
MUSTER_FORMAT_(2, 3)
void testkit_violations_add(testkit_violations *violations, const char *format,
                            ...);

/* Valid until the next read. */
const char *testkit_violations_read(testkit_violations *violations);

#endif
