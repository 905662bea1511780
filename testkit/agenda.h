/* SPDX-License-Identifier: Apache-2.0 */
/* What is to run, and when: a queue of tasks in virtual time. Thread-safe. */
#ifndef MUSTER_TESTKIT_AGENDA_H
#define MUSTER_TESTKIT_AGENDA_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <muster/resolver.h>

typedef struct testkit_agenda_task {
    struct testkit_agenda_task *next;
    uint64_t number; /* of the task; counts up, never 0 */
    uint64_t due_ns;
    const void *owner; /* whose it is, for testkit_agenda_clear() */
    muster_task_fn fn;
    void *arg;
} testkit_agenda_task;

typedef struct testkit_agenda {
    pthread_mutex_t mutex;
    testkit_agenda_task *first; /* by due_ns, then number. Guarded by mutex */
    uint64_t last_number;       /* guarded by mutex */
    uint64_t now_ns;            /* guarded by mutex */
    uint64_t random_state;      /* guarded by mutex */
    uint64_t n_tasks;           /* guarded by mutex */
} testkit_agenda;

void testkit_agenda_init(testkit_agenda *agenda, uint64_t seed);
void testkit_agenda_fini(testkit_agenda *agenda);

/* Thread: any. */
muster_status testkit_agenda_add(testkit_agenda *agenda, const void *owner,
                                 uint64_t delay_ns, muster_task_fn fn,
                                 void *arg, uint64_t *ret_number);
void testkit_agenda_cancel(testkit_agenda *agenda, const void *owner,
                           uint64_t number);
void testkit_agenda_clear(testkit_agenda *agenda, const void *owner);
uint64_t testkit_agenda_now_ns(testkit_agenda *agenda);
uint64_t testkit_agenda_random(testkit_agenda *agenda);
uint64_t testkit_agenda_size(testkit_agenda *agenda);

/* Runs the tasks that were due when it began; returns how many. Thread: the
 * driving one. */
unsigned testkit_agenda_run_due(testkit_agenda *agenda);

/* Moves the clock to the next task that is due by limit_ns, or to limit_ns when
 * there is none; says whether there is one. */
bool testkit_agenda_move(testkit_agenda *agenda, uint64_t limit_ns);

#endif
