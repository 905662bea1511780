/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of the calls of a queue: a binary heap, which libc has none of. */
#include "call_timers.h"

#include <stdlib.h>
#include <string.h>

bool muster__call_timers_init(muster__call_timers *timers)
{
    memset(timers, 0, sizeof *timers);
    atomic_init(&timers->n_inside, 0);
    atomic_init(&timers->is_used, false);
    return pthread_mutex_init(&timers->mutex, NULL) == 0;
}

void muster__call_timers_fini(muster__call_timers *timers)
{
    free(timers->heap);
    (void)pthread_mutex_destroy(&timers->mutex);
}

/* ---- the heap: that at place i is due no earlier than that at i / 2 ---- */

static muster__call_timer *at(const muster__call_timers *timers, size_t place)
{
    return timers->heap[place - 1];
}

static void put(muster__call_timers *timers, size_t place,
                muster__call_timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static void sift_up(muster__call_timers *timers, muster__call_timer *timer,
                    size_t place)
{
    while (place > 1 && at(timers, place / 2)->due_ns > timer->due_ns) {
        put(timers, place, at(timers, place / 2));
        place /= 2;
    }
    put(timers, place, timer);
}

static void sift_down(muster__call_timers *timers, muster__call_timer *timer,
                      size_t place)
{
    for (;;) {
        size_t child = 2 * place;

        if (child < timers->n &&
            at(timers, child + 1)->due_ns < at(timers, child)->due_ns) {
            child++;
        }
        if (child > timers->n || at(timers, child)->due_ns >= timer->due_ns) {
            break;
        }
        put(timers, place, at(timers, child));
        place = child;
    }
    put(timers, place, timer);
}

static bool reserve(muster__call_timers *timers)
{
    const size_t capacity = timers->capacity == 0 ? 16 : 2 * timers->capacity;
    muster__call_timer **heap;

    if (timers->n < timers->capacity) {
        return true;
    }
    heap = realloc(timers->heap, capacity * sizeof *heap);
    if (heap == NULL) {
        return false;
    }
    timers->heap = heap;
    timers->capacity = capacity;
    return true;
}

/* The last one takes its place. */
static void remove_locked(muster__call_timers *timers,
                          muster__call_timer *timer)
{
    const size_t place = timer->place;
    muster__call_timer *last = at(timers, timers->n);

    timers->n--;
    timer->place = 0;
    if (last == timer) {
        return;
    }
    sift_up(timers, last, place);
    if (last->place == place) {
        sift_down(timers, last, place);
    }
}

/* ---- who waits for them ---- */

/* Sequentially consistent, as in enter(): either a thread that enters sees that
 * they are used, or it is seen here. */
static uint32_t wakes_locked(muster__call_timers *timers, bool is_earliest)
{
    const bool was_used = atomic_exchange(&timers->is_used, true);
    const uint32_t n_inside = atomic_load(&timers->n_inside);

    if (!was_used) {
        return n_inside;
    }
    if (!is_earliest) {
        return 0;
    }
    timers->n_covering = 0;
    timers->epoch++;
    return n_inside > 0 ? 1 : 0;
}

bool muster__call_timers_set(muster__call_timers *timers,
                             muster__call_timer *timer, uint64_t due_ns,
                             uint32_t *ret_n_wakes)
{
    uint64_t earliest_ns = UINT64_MAX;
    bool is_set;

    *ret_n_wakes = 0;
    pthread_mutex_lock(&timers->mutex);
    if (timer->place != 0) {
        remove_locked(timers, timer);
    }
    is_set = reserve(timers);
    if (is_set) {
        earliest_ns = timers->n == 0 ? UINT64_MAX : at(timers, 1)->due_ns;
        timer->due_ns = due_ns;
        timers->n++;
        sift_up(timers, timer, timers->n);
        *ret_n_wakes = wakes_locked(timers, due_ns < earliest_ns);
    }
    pthread_mutex_unlock(&timers->mutex);
    return is_set;
}

void muster__call_timers_unset(muster__call_timers *timers,
                               muster__call_timer *timer)
{
    pthread_mutex_lock(&timers->mutex);
    if (timer->place != 0) {
        remove_locked(timers, timer);
    }
    pthread_mutex_unlock(&timers->mutex);
}

muster__call_timer *muster__call_timers_take(muster__call_timers *timers,
                                             uint64_t now_ns)
{
    muster__call_timer *timer = NULL;

    pthread_mutex_lock(&timers->mutex);
    if (timers->n > 0 && at(timers, 1)->due_ns <= now_ns) {
        timer = at(timers, 1);
        remove_locked(timers, timer);
        timer->hold(timer);
    }
    pthread_mutex_unlock(&timers->mutex);
    return timer;
}

void muster__call_timers_enter(muster__call_timers *timers,
                               muster__call_stay *stay)
{
    memset(stay, 0, sizeof *stay);
    atomic_fetch_add(&timers->n_inside, 1);
}

uint64_t muster__call_timers_until(muster__call_timers *timers,
                                   muster__call_stay *stay,
                                   uint64_t deadline_ns)
{
    pthread_mutex_lock(&timers->mutex);
    if (!stay->is_covering || stay->epoch != timers->epoch) {
        stay->is_covering = true;
        stay->epoch = timers->epoch;
        timers->n_covering++;
    }
    if (timers->n > 0 && at(timers, 1)->due_ns < deadline_ns) {
        deadline_ns = at(timers, 1)->due_ns;
    }
    pthread_mutex_unlock(&timers->mutex);
    return deadline_ns;
}

bool muster__call_timers_leave(muster__call_timers *timers,
                               muster__call_stay *stay)
{
    const uint32_t n_others = atomic_fetch_sub(&timers->n_inside, 1) - 1;
    bool is_last = false;

    if (!stay->is_covering) {
        return false;
    }
    pthread_mutex_lock(&timers->mutex);
    if (stay->epoch == timers->epoch) {
        timers->n_covering--;
        is_last = timers->n_covering == 0 && timers->n > 0;
    }
    pthread_mutex_unlock(&timers->mutex);
    return is_last && n_others > 0;
}
