/* SPDX-License-Identifier: Apache-2.0 */
/* The ctx that plugins get: a place in a table, and how often that place was
 * used before. */
#include "resolver_handle.h"

#include <pthread.h>
#include <stdlib.h>

#include "resolver_instance.h"

/* 16 M instances at a time; 1 000 G uses of one place. */
#define PLACE_BITS 24
#define PLACE_MASK (((uintptr_t)1 << PLACE_BITS) - 1)

_Static_assert(sizeof(uintptr_t) >= 8, "a handle needs 64 bits");

typedef struct place {
    muster__resolver_instance *instance; /* NULL: free */
    uint64_t use;                        /* from 1, so that ctx is not NULL */
    size_t next_free;
} place;

/* Guards all below. It is held for a few instructions only. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static place *places; /* grows to the most instances there ever were */
static size_t n_places;
static size_t capacity;
static size_t first_free = SIZE_MAX;
static uint64_t late_calls;

static muster_status grow_locked(void)
{
    size_t wanted = capacity == 0 ? 16 : 2 * capacity;
    place *grown;

    if (wanted > PLACE_MASK + 1) {
        return MUSTER_NOMEM;
    }
    grown = realloc(places, wanted * sizeof *grown);
    if (grown == NULL) {
        return MUSTER_NOMEM;
    }
    places = grown;
    capacity = wanted;
    return MUSTER_OK;
}

static muster_status take_place_locked(size_t *ret_index)
{
    if (first_free != SIZE_MAX) {
        *ret_index = first_free;
        first_free = places[first_free].next_free;
        return MUSTER_OK;
    }
    if (n_places == capacity && grow_locked() != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    places[n_places] = (place){.use = 0};
    *ret_index = n_places++;
    return MUSTER_OK;
}

/* The place that ctx names, when it is still that use of it. */
static place *find_locked(void *ctx)
{
    uintptr_t number = (uintptr_t)ctx;
    size_t index = (size_t)(number & PLACE_MASK);

    if (index >= n_places || places[index].instance == NULL ||
        places[index].use != number >> PLACE_BITS) {
        return NULL;
    }
    return &places[index];
}

muster_status muster__handle_open(muster__resolver_instance *instance,
                                  void **ret_ctx)
{
    muster_status status;
    size_t index = 0;

    pthread_mutex_lock(&mutex);
    status = take_place_locked(&index);
    if (status == MUSTER_OK) {
        places[index].instance = instance;
        places[index].use++;
        *ret_ctx = (void *)((uintptr_t)places[index].use << PLACE_BITS | index);
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

muster__resolver_instance *muster__handle_ref(void *ctx)
{
    muster__resolver_instance *instance = NULL;
    place *found;

    pthread_mutex_lock(&mutex);
    found = find_locked(ctx);
    if (found != NULL) {
        instance = found->instance;
        muster__instance_ref(instance);
    } else {
        late_calls++;
    }
    pthread_mutex_unlock(&mutex);
    return instance;
}

void muster__handle_close(void *ctx)
{
    place *found;

    pthread_mutex_lock(&mutex);
    found = find_locked(ctx);
    if (found != NULL) {
        found->instance = NULL;
        found->next_free = first_free;
        first_free = (size_t)(found - places);
    }
    pthread_mutex_unlock(&mutex);
}

uint64_t muster__handle_late_calls(void)
{
    uint64_t n;

    pthread_mutex_lock(&mutex);
    n = late_calls;
    pthread_mutex_unlock(&mutex);
    return n;
}
