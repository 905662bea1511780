/* SPDX-License-Identifier: Apache-2.0 */
/* Priorities: counts, failover, which one is served. */
#include "priority.h"

#include <stdlib.h>
#include <string.h>

#include "channel_internal.h"
#include "timing.h"

muster_status muster__priorities_reserve(muster__priorities *priorities,
                                         uint32_t n)
{
    uint32_t wanted = priorities->n + n;

    if (wanted <= priorities->capacity) {
        return MUSTER_OK;
    }
    wanted += priorities->capacity;
    muster__priority *items =
        realloc(priorities->items, wanted * sizeof *items);
    if (items == NULL) {
        return MUSTER_NOMEM;
    }
    priorities->items = items;
    priorities->capacity = wanted;
    return MUSTER_OK;
}

void muster__priorities_fini(muster__priorities *priorities)
{
    muster__timer_destroy(priorities->timer);
    free(priorities->items);
    memset(priorities, 0, sizeof *priorities);
}

/* The place of priority, or where it would be. Most lists have only one. */
static uint32_t find(const muster__priorities *priorities, uint32_t priority)
{
    uint32_t low = 0;
    uint32_t high = priorities->n;

    if (high > 0 && priorities->items[0].priority == priority) {
        return 0;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (priorities->items[middle].priority < priority) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static muster__priority *find_or_insert(muster__priorities *priorities,
                                        uint32_t priority)
{
    uint32_t place = find(priorities, priority);
    muster__priority *item = &priorities->items[place];

    if (place == priorities->n || item->priority != priority) {
        memmove(item + 1, item, (priorities->n - place) * sizeof *item);
        memset(item, 0, sizeof *item);
        item->priority = priority;
        priorities->n++;
    }
    return item;
}

static void count(muster__priority *item, const muster__subchannel *subchannel,
                  uint32_t one)
{
    item->n_listed += one;
    if (subchannel->state == MUSTER_READY) {
        item->n_ready += subchannel->is_ejected ? 0 : one;
    } else if (subchannel->is_failing) {
        item->n_failing += one;
    } else if (subchannel->is_wanted || subchannel->is_asked) {
        item->n_connecting += one;
    } else {
        item->n_idle += one;
    }
}

void muster__priorities_add(muster__priorities *priorities,
                            const muster__subchannel *subchannel)
{
    if (subchannel->is_listed) {
        count(find_or_insert(priorities, subchannel->endpoint->data.priority),
              subchannel, 1);
    }
}

void muster__priorities_subtract(muster__priorities *priorities,
                                 const muster__subchannel *subchannel)
{
    if (!subchannel->is_listed) {
        return;
    }
    muster__priority *item =
        &priorities
             ->items[find(priorities, subchannel->endpoint->data.priority)];
    uint32_t n_ready = item->n_ready;
    count(item, subchannel, (uint32_t)-1);
    if (n_ready > 0 && item->n_ready == 0) {
        item->started_ms = muster__now_ms(); /* failover counts from here */
    }
}

/* Those that lost their last endpoint go; not in subtract, which is often
 * followed by an add of the same. */
static void drop_empty(muster__priorities *priorities)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < priorities->n; i++) {
        if (priorities->items[i].n_listed > 0) {
            priorities->items[kept++] = priorities->items[i];
        }
    }
    priorities->n = kept;
}

static uint64_t left_ms(uint64_t since_ms, uint64_t length_ms, uint64_t now_ms)
{
    return now_ms - since_ms >= length_ms ? 0 : since_ms + length_ms - now_ms;
}

/* Whether one that is not READY may become so before the policy's next step. */
static bool may_serve(const muster__priority *item)
{
    return item->n_connecting > 0 || (item->n_idle > 0 && item->n_failing == 0);
}

/* Starts priorities from the best on, until one serves or may still come. */
static bool start_needed(muster_channel *channel, uint64_t now_ms,
                         uint64_t *ret_wait_ms)
{
    muster__priorities *priorities = &channel->priorities;
    bool has_changed = false;

    for (uint32_t i = 0; i < priorities->n; i++) {
        muster__priority *item = &priorities->items[i];
        if (!item->is_started) {
            item->is_started = true;
            item->is_stopping = false;
            item->started_ms = now_ms;
            has_changed = true;
        }
        if (item->n_ready > 0) {
            break;
        }
        uint64_t left = left_ms(item->started_ms,
                                channel->options.failover_timeout_ms, now_ms);
        if (may_serve(item) && left > 0) {
            *ret_wait_ms = left;
            break;
        }
    }
    return has_changed;
}

static const muster__priority *best(const muster__priorities *priorities)
{
    for (uint32_t i = 0; i < priorities->n; i++) {
        if (priorities->items[i].is_started &&
            priorities->items[i].n_ready > 0) {
            return &priorities->items[i];
        }
    }
    for (uint32_t i = 0; i < priorities->n; i++) {
        if (priorities->items[i].is_started &&
            may_serve(&priorities->items[i])) {
            return &priorities->items[i];
        }
    }
    return priorities->n > 0 ? &priorities->items[0] : NULL;
}

/* Stops those that a better one has made idle for long. */
static bool stop_idle(muster__priorities *priorities,
                      const muster__priority *served, uint64_t now_ms,
                      uint64_t *ret_wait_ms)
{
    bool has_changed = false;

    for (uint32_t i = 0; i < priorities->n; i++) {
        muster__priority *item = &priorities->items[i];
        if (!item->is_started || item <= served || served->n_ready == 0) {
            item->idle_since_ms = 0;
            continue;
        }
        if (item->idle_since_ms == 0) {
            item->idle_since_ms = now_ms;
        }
        uint64_t left =
            left_ms(item->idle_since_ms,
                    muster__timing_wait_ms(MUSTER__PRIORITY_IDLE_MS), now_ms);
        if (left == 0) {
            item->is_started = false;
            item->is_stopping = true;
            item->idle_since_ms = 0;
            has_changed = true;
        } else if (left < *ret_wait_ms) {
            *ret_wait_ms = left;
        }
    }
    return has_changed;
}

static bool start_all(muster__priorities *priorities)
{
    bool has_changed = false;

    for (uint32_t i = 0; i < priorities->n; i++) {
        has_changed |= !priorities->items[i].is_started;
        priorities->items[i].is_started = true;
        priorities->items[i].is_stopping = false;
    }
    return has_changed;
}

static void arm(muster__priorities *priorities, uint64_t wait_ms)
{
    if (wait_ms == UINT64_MAX) {
        muster__timer_stop(priorities->timer);
    } else {
        muster__timer_start(priorities->timer, wait_ms + 1);
    }
}

static bool is_aware(const muster__policy *policy)
{
    return policy != NULL &&
           (policy->class_->flags & MUSTER_BALANCER_PRIORITY_AWARE) != 0;
}

/* What is in the view is the affair of the policy that serves from it: of the
 * former, as long as there is one. */
static bool serves_all(const muster_channel *channel)
{
    const muster__publisher *publisher = &channel->publisher;

    return is_aware(publisher->former != NULL ? publisher->former
                                              : publisher->policy);
}

static bool set_active(muster__priorities *priorities,
                       const muster__priority *served)
{
    bool has_changed =
        served == NULL
            ? priorities->has_active
            : !priorities->has_active || priorities->active != served->priority;

    priorities->has_active = served != NULL;
    priorities->active = served != NULL ? served->priority : 0;
    return has_changed;
}

bool muster__priorities_decide(muster_channel *channel)
{
    muster__priorities *priorities = &channel->priorities;
    uint64_t wait_ms = UINT64_MAX;
    uint64_t now_ms;
    bool has_changed;

    drop_empty(priorities);
    if (is_aware(channel->publisher.policy)) {
        has_changed = start_all(priorities);
        has_changed |= set_active(
            priorities, serves_all(channel) ? NULL : best(priorities));
        return has_changed;
    }
    if (priorities->n == 1 && priorities->items[0].is_started &&
        priorities->has_active &&
        priorities->active == priorities->items[0].priority) {
        return false; /* the usual case costs nothing */
    }
    now_ms = muster__now_ms();
    has_changed = start_needed(channel, now_ms, &wait_ms);
    const muster__priority *served = best(priorities);
    if (served == NULL) {
        has_changed |= set_active(priorities, NULL);
        arm(priorities, UINT64_MAX);
        return has_changed;
    }
    has_changed |= stop_idle(priorities, served, now_ms, &wait_ms);
    has_changed |= set_active(priorities, served);
    arm(priorities, wait_ms);
    return has_changed;
}

/* NULL when no endpoint has that priority. */
static const muster__priority *get(const muster__priorities *priorities,
                                   uint32_t priority)
{
    uint32_t place = find(priorities, priority);

    return place < priorities->n &&
                   priorities->items[place].priority == priority
               ? &priorities->items[place]
               : NULL;
}

bool muster__priorities_is_started(const muster__priorities *priorities,
                                   uint32_t priority)
{
    const muster__priority *item = get(priorities, priority);

    return item != NULL && item->is_started;
}

bool muster__priorities_is_stopping(const muster__priorities *priorities,
                                    uint32_t priority)
{
    const muster__priority *item = get(priorities, priority);

    return item != NULL && item->is_stopping;
}

void muster__priorities_stopped(muster__priorities *priorities)
{
    for (uint32_t i = 0; i < priorities->n; i++) {
        priorities->items[i].is_stopping = false;
    }
}

bool muster__priorities_is_active(const muster_channel *channel,
                                  uint32_t priority)
{
    return serves_all(channel) || (channel->priorities.has_active &&
                                   channel->priorities.active == priority);
}

bool muster__priorities_may_serve(const muster__priorities *priorities)
{
    for (uint32_t i = 0; i < priorities->n; i++) {
        if (priorities->items[i].is_started &&
            may_serve(&priorities->items[i])) {
            return true;
        }
    }
    return false;
}

uint32_t muster__priorities_n_eligible(const muster_channel *channel)
{
    const muster__priorities *priorities = &channel->priorities;
    uint32_t n = 0;

    for (uint32_t i = 0; i < priorities->n; i++) {
        if (muster__priorities_is_active(channel,
                                         priorities->items[i].priority)) {
            n += priorities->items[i].n_ready;
        }
    }
    return n;
}
