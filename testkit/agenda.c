/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks in virtual time: a list in the order of running. */
#include "agenda.h"

#include <stdlib.h>

void testkit_agenda_init(testkit_agenda *agenda, uint64_t seed)
{
    (void)pthread_mutex_init(&agenda->mutex, NULL);
    agenda->first = NULL;
    agenda->last_number = 0;
    agenda->now_ns = 0;
    agenda->random_state = seed;
    agenda->n_tasks = 0;
}

void testkit_agenda_fini(testkit_agenda *agenda)
{
    while (agenda->first != NULL) {
        testkit_agenda_task *task = agenda->first;

        agenda->first = task->next;
        free(task);
    }
    (void)pthread_mutex_destroy(&agenda->mutex);
}

/* Takes *at out of the list. */
static testkit_agenda_task *take_locked(testkit_agenda *agenda,
                                        testkit_agenda_task **at)
{
    testkit_agenda_task *task = *at;

    *at = task->next;
    agenda->n_tasks--;
    return task;
}

void testkit_agenda_clear(testkit_agenda *agenda, const void *owner)
{
    testkit_agenda_task **at = &agenda->first;

    (void)pthread_mutex_lock(&agenda->mutex);
    while (*at != NULL) {
        if ((*at)->owner == owner) {
            free(take_locked(agenda, at));
        } else {
            at = &(*at)->next;
        }
    }
    (void)pthread_mutex_unlock(&agenda->mutex);
}

muster_status testkit_agenda_add(testkit_agenda *agenda, const void *owner,
                                 uint64_t delay_ns, muster_task_fn fn,
                                 void *arg, uint64_t *ret_number)
{
    testkit_agenda_task *task = malloc(sizeof *task);
    testkit_agenda_task **at;
    uint64_t number;

    if (task == NULL) {
        return MUSTER_NOMEM;
    }
    task->owner = owner;
    task->fn = fn;
    task->arg = arg;
    (void)pthread_mutex_lock(&agenda->mutex);
    number = ++agenda->last_number;
    task->number = number;
    task->due_ns = delay_ns > UINT64_MAX - agenda->now_ns
                       ? UINT64_MAX
                       : agenda->now_ns + delay_ns;
    for (at = &agenda->first; *at != NULL; at = &(*at)->next) {
        if ((*at)->due_ns > task->due_ns) {
            break;
        }
    }
    task->next = *at;
    *at = task;
    agenda->n_tasks++;
    (void)pthread_mutex_unlock(&agenda->mutex);
    if (ret_number != NULL) {
        *ret_number = number;
    }
    return MUSTER_OK;
}

void testkit_agenda_cancel(testkit_agenda *agenda, const void *owner,
                           uint64_t number)
{
    testkit_agenda_task *task = NULL;

    (void)pthread_mutex_lock(&agenda->mutex);
    for (testkit_agenda_task **at = &agenda->first; *at != NULL;
         at = &(*at)->next) {
        if ((*at)->number == number && (*at)->owner == owner) {
            task = take_locked(agenda, at);
            break;
        }
    }
    (void)pthread_mutex_unlock(&agenda->mutex);
    free(task);
}

uint64_t testkit_agenda_now_ns(testkit_agenda *agenda)
{
    uint64_t now_ns;

    (void)pthread_mutex_lock(&agenda->mutex);
    now_ns = agenda->now_ns;
    (void)pthread_mutex_unlock(&agenda->mutex);
    return now_ns;
}

/* SplitMix64 (Steele, Lea, Flood 2014): any seed will do, 0 too. */
uint64_t testkit_agenda_random(testkit_agenda *agenda)
{
    uint64_t bits;

    (void)pthread_mutex_lock(&agenda->mutex);
    agenda->random_state += 0x9e3779b97f4a7c15u;
    bits = agenda->random_state;
    (void)pthread_mutex_unlock(&agenda->mutex);
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

uint64_t testkit_agenda_size(testkit_agenda *agenda)
{
    uint64_t n_tasks;

    (void)pthread_mutex_lock(&agenda->mutex);
    n_tasks = agenda->n_tasks;
    (void)pthread_mutex_unlock(&agenda->mutex);
    return n_tasks;
}

/* Takes the first task that is due and not newer than last_number. */
static testkit_agenda_task *take_due(testkit_agenda *agenda,
                                     uint64_t last_number)
{
    testkit_agenda_task *task = NULL;

    (void)pthread_mutex_lock(&agenda->mutex);
    for (testkit_agenda_task **at = &agenda->first; *at != NULL;
         at = &(*at)->next) {
        if ((*at)->due_ns > agenda->now_ns) {
            break;
        }
        if ((*at)->number <= last_number) {
            task = take_locked(agenda, at);
            break;
        }
    }
    (void)pthread_mutex_unlock(&agenda->mutex);
    return task;
}

unsigned testkit_agenda_run_due(testkit_agenda *agenda)
{
    unsigned n_run = 0;
    uint64_t last_number;
    testkit_agenda_task *task;

    (void)pthread_mutex_lock(&agenda->mutex);
    last_number = agenda->last_number;
    (void)pthread_mutex_unlock(&agenda->mutex);
    while ((task = take_due(agenda, last_number)) != NULL) {
        task->fn(task->arg);
        free(task);
        n_run++;
    }
    return n_run;
}

bool testkit_agenda_move(testkit_agenda *agenda, uint64_t limit_ns)
{
    bool has_task;

    (void)pthread_mutex_lock(&agenda->mutex);
    has_task = agenda->first != NULL && agenda->first->due_ns <= limit_ns;
    if (has_task && agenda->first->due_ns > agenda->now_ns) {
        agenda->now_ns = agenda->first->due_ns;
    } else if (!has_task && limit_ns > agenda->now_ns) {
        agenda->now_ns = limit_ns;
    }
    (void)pthread_mutex_unlock(&agenda->mutex);
    return has_task;
}
