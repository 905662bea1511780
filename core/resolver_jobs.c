/* SPDX-License-Identifier: Apache-2.0 */
/* What a plugin asked to be run later: a binary heap by time, then number. */
#include "resolver_jobs.h"

#include <stdlib.h>

/* A plugin that posts faster than anybody can run must not fill memory. */
#define JOBS_MAX ((size_t)1 << 20)

static bool is_earlier(const muster__job *a, const muster__job *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns
                                  : a->number < b->number;
}

static void swap(muster__job *a, muster__job *b)
{
    muster__job former = *a;

    *a = *b;
    *b = former;
}

static void sift_up(muster__jobs *jobs, size_t at)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (!is_earlier(&jobs->heap[at], &jobs->heap[parent])) {
            return;
        }
        swap(&jobs->heap[at], &jobs->heap[parent]);
        at = parent;
    }
}

static void sift_down(muster__jobs *jobs, size_t at)
{
    for (;;) {
        size_t first = at;
        size_t left = 2 * at + 1;

        for (size_t child = left; child < left + 2 && child < jobs->n;
             child++) {
            if (is_earlier(&jobs->heap[child], &jobs->heap[first])) {
                first = child;
            }
        }
        if (first == at) {
            return;
        }
        swap(&jobs->heap[at], &jobs->heap[first]);
        at = first;
    }
}

static muster_status grow(muster__jobs *jobs)
{
    size_t capacity = jobs->capacity == 0 ? 8 : 2 * jobs->capacity;
    muster__job *heap;

    if (capacity > JOBS_MAX) {
        return MUSTER_NOMEM;
    }
    heap = realloc(jobs->heap, capacity * sizeof *heap);
    if (heap == NULL) {
        return MUSTER_NOMEM;
    }
    jobs->heap = heap;
    jobs->capacity = capacity;
    return MUSTER_OK;
}

static void remove_at(muster__jobs *jobs, size_t at)
{
    jobs->n--;
    if (at == jobs->n) {
        return;
    }
    jobs->heap[at] = jobs->heap[jobs->n];
    sift_up(jobs, at);
    sift_down(jobs, at);
}

muster_status muster__jobs_add(muster__jobs *jobs, uint64_t due_ns,
                               muster_task_fn fn, void *arg,
                               uint64_t *ret_number)
{
    if (jobs->n == jobs->capacity && grow(jobs) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    jobs->last_number++;
    jobs->heap[jobs->n] = (muster__job){
        .due_ns = due_ns, .number = jobs->last_number, .fn = fn, .arg = arg};
    sift_up(jobs, jobs->n++);
    if (ret_number != NULL) {
        *ret_number = jobs->last_number;
    }
    return MUSTER_OK;
}

bool muster__jobs_take(muster__jobs *jobs, uint64_t now_ns,
                       muster__job *ret_job)
{
    if (jobs->n == 0 || jobs->heap[0].due_ns > now_ns) {
        return false;
    }
    *ret_job = jobs->heap[0];
    remove_at(jobs, 0);
    return true;
}

void muster__jobs_remove(muster__jobs *jobs, uint64_t number)
{
    for (size_t i = 0; i < jobs->n; i++) {
        if (jobs->heap[i].number == number) {
            remove_at(jobs, i);
            return;
        }
    }
}

uint64_t muster__jobs_due_ns(const muster__jobs *jobs)
{
    return jobs->n == 0 ? UINT64_MAX : jobs->heap[0].due_ns;
}

void muster__jobs_clear(muster__jobs *jobs)
{
    free(jobs->heap);
    jobs->heap = NULL;
    jobs->n = 0;
    jobs->capacity = 0;
}
