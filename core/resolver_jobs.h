/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin asked to be run later: its posts and timers, by time. Not
 * locked: the holder has a mutex. All zero is empty. */
#ifndef MUSTER_CORE_RESOLVER_JOBS_H
#define MUSTER_CORE_RESOLVER_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <muster/resolver.h>

typedef struct muster__job {
    uint64_t due_ns;
    uint64_t number; /* never 0; equal times run in its order */
    muster_task_fn fn;
    void *arg;
} muster__job;

typedef struct muster__jobs {
    muster__job *heap;
    size_t n;
    size_t capacity;
    uint64_t last_number;
} muster__jobs;

/* MUSTER_NOMEM. ret_number may be NULL. */
muster_status muster__jobs_add(muster__jobs *jobs, uint64_t due_ns,
                               muster_task_fn fn, void *arg,
                               uint64_t *ret_number);

/* Takes out the earliest job when it is due at now_ns; else says false. */
bool muster__jobs_take(muster__jobs *jobs, uint64_t now_ns,
                       muster__job *ret_job);

/* An unknown number is ignored. */
void muster__jobs_remove(muster__jobs *jobs, uint64_t number);

/* When the earliest is due; UINT64_MAX when there is none. */
uint64_t muster__jobs_due_ns(const muster__jobs *jobs);

/* Drops all, and the memory. */
void muster__jobs_clear(muster__jobs *jobs);

#endif
