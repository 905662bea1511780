/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the subscribers of a resolution. Each of them may unsubscribe anybody
 * while it is told, and a resolver may be made to report by what it does. */
#include <stdlib.h>

#include "resolution_internal.h"
#include "timing.h"

void muster__subscriber_push(muster__subscriber **list,
                             muster__subscriber *subscriber)
{
    subscriber->next = *list;
    subscriber->link = list;
    if (*list != NULL) {
        (*list)->link = &subscriber->next;
    }
    *list = subscriber;
}

void muster__subscriber_remove(muster__subscriber *subscriber)
{
    muster__resolution *resolution = subscriber->resolution;

    if (resolution->next_told == subscriber) {
        resolution->next_told = subscriber->next;
    }
    *subscriber->link = subscriber->next;
    if (subscriber->next != NULL) {
        subscriber->next->link = subscriber->link;
    }
    subscriber->next = NULL;
    subscriber->link = NULL;
}

/* The next to be told, if it is still there; NULL at the end. */
static muster__subscriber *take_next(muster__resolution *resolution)
{
    muster__subscriber *subscriber = resolution->next_told;

    if (subscriber != NULL) {
        resolution->next_told = subscriber->next;
    }
    return subscriber;
}

void muster__resolution_deliver_changed(muster__resolution *resolution,
                                        const muster__changes *changes)
{
    muster__subscriber *subscriber;

    muster__runner_hold(resolution->runner);
    resolution->next_told = resolution->subscribers;
    while ((subscriber = take_next(resolution)) != NULL) {
        subscriber->is_behind = false;
        subscriber->changed(subscriber, changes);
    }
    muster__runner_release(resolution->runner);
}

void muster__resolution_deliver_failed(muster__resolution *resolution)
{
    muster__subscriber *subscriber;

    muster__runner_hold(resolution->runner);
    resolution->next_told = resolution->subscribers;
    while ((subscriber = take_next(resolution)) != NULL) {
        subscriber->failed(subscriber, resolution->failure.code,
                           resolution->failure.message);
    }
    muster__runner_release(resolution->runner);
}

void muster__resolution_deliver_confirmed(muster__resolution *resolution)
{
    muster__subscriber *subscriber;

    muster__runner_hold(resolution->runner);
    resolution->next_told = resolution->subscribers;
    while ((subscriber = take_next(resolution)) != NULL) {
        if (subscriber->confirmed != NULL) {
            subscriber->confirmed(subscriber);
        }
    }
    muster__runner_release(resolution->runner);
}

/* ---- newcomers ---- */

/* Every endpoint there is, as added. The array is the caller's. */
static muster_status list_all(const muster__set *set,
                              muster__change **ret_items, size_t *ret_n)
{
    size_t size = muster__set_size(set);
    uint32_t limit = muster__set_limit(set);
    muster__change *items = malloc((size + 1) * sizeof *items);
    size_t n = 0;

    if (items == NULL) {
        return MUSTER_NOMEM;
    }
    for (uint32_t i = 0; i < limit; i++) {
        muster__endpoint *endpoint = muster__set_at(set, i);

        if (endpoint != NULL) {
            items[n++] = (muster__change){.after = endpoint, .index = i};
        }
    }
    *ret_items = items;
    *ret_n = n;
    return MUSTER_OK;
}

/* The list, and that it is stale, unless the first made the newcomer leave. */
static void greet_one(muster__resolution *resolution,
                      const muster__changes *changes)
{
    muster__subscriber *subscriber = resolution->newcomers;

    muster__subscriber_remove(subscriber);
    muster__subscriber_push(&resolution->subscribers, subscriber);
    subscriber->is_behind = false;
    resolution->next_told = subscriber;
    if (resolution->has_list) {
        subscriber->changed(subscriber, changes);
    }
    if (resolution->has_failure && resolution->next_told == subscriber) {
        subscriber->failed(subscriber, resolution->failure.code,
                           resolution->failure.message);
    }
    resolution->next_told = NULL;
}

static void greet_later(muster__resolution *resolution)
{
    muster__timer_start(resolution->greet_timer,
                        muster__timing_wait_ms(MUSTER__GREET_AGAIN_MS));
}

/* They stay newcomers, until the next report or the timer finds them. */
static void put_off(muster__resolution *resolution)
{
    muster__subscriber *subscriber;

    resolution->next_told = resolution->newcomers;
    while ((subscriber = take_next(resolution)) != NULL) {
        subscriber->failed(subscriber, MUSTER_NOMEM,
                           muster_status_text(MUSTER_NOMEM));
    }
    if (resolution->newcomers != NULL) {
        greet_later(resolution);
    }
}

void muster__resolution_tell_again(muster__subscriber *self)
{
    self->is_behind = true;
    greet_later(self->resolution);
}

void muster__resolution_greet_again(void *owner)
{
    muster__resolution *resolution = owner;
    muster__subscriber *subscriber;

    resolution->next_told = resolution->subscribers;
    while ((subscriber = take_next(resolution)) != NULL) {
        if (subscriber->is_behind) {
            muster__subscriber_remove(subscriber);
            muster__subscriber_push(&resolution->newcomers, subscriber);
        }
    }
    muster__resolution_greet(resolution);
}

void muster__resolution_greet(muster__resolution *resolution)
{
    muster__change *items = NULL;
    muster__changes changes = {.n = 0};

    if (resolution->newcomers == NULL) {
        return;
    }
    muster__runner_hold(resolution->runner);
    if (resolution->has_list &&
        list_all(resolution->set, &items, &changes.n) != MUSTER_OK) {
        put_off(resolution);
        muster__runner_release(resolution->runner);
        return;
    }
    changes.items = items;
    while (resolution->newcomers != NULL) {
        greet_one(resolution, &changes);
    }
    free(items);
    muster__runner_release(resolution->runner);
}

/* ---- the list as an array ---- */

muster_status muster__resolution_list(muster__resolution *resolution,
                                      const muster_endpoint **ret_endpoints,
                                      size_t *ret_n)
{
    size_t size = muster__set_size(resolution->set);
    uint32_t limit = muster__set_limit(resolution->set);
    size_t n = 0;

    if (resolution->list == NULL) {
        resolution->list = malloc((size + 1) * sizeof *resolution->list);
        if (resolution->list == NULL) {
            return MUSTER_NOMEM;
        }
        for (uint32_t i = 0; i < limit; i++) {
            const muster__endpoint *endpoint =
                muster__set_at(resolution->set, i);

            if (endpoint != NULL) {
                resolution->list[n++] = endpoint->data;
            }
        }
    }
    *ret_endpoints = resolution->list;
    *ret_n = size;
    return MUSTER_OK;
}
