/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets by server name. */
#include "throttle.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MILLI_TOKENS_A_FAILURE 1000u

struct muster__throttle {
    /* Relaxed, all three: they order nothing, and a count that meets a change
     * of size may be of either. */
    _Atomic uint32_t milli_tokens;
    _Atomic uint32_t max_milli_tokens; /* 0: it has no size yet */
    _Atomic uint32_t milli_token_ratio;

    muster__throttle *next; /* guarded by mutex */
    uint32_t n_refs;        /* guarded by mutex */
    char server_name[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static muster__throttle *all; /* guarded by mutex */

static uint32_t get(const _Atomic uint32_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(_Atomic uint32_t *value, uint32_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static muster__throttle *create_locked(const char *server_name)
{
    const size_t size = strlen(server_name) + 1;
    muster__throttle *throttle = calloc(1, sizeof *throttle + size);

    if (throttle != NULL) {
        memcpy(throttle->server_name, server_name, size);
        throttle->next = all;
        all = throttle;
    }
    return throttle;
}

muster__throttle *muster__throttle_ref(const char *server_name)
{
    muster__throttle *throttle;

    pthread_mutex_lock(&mutex);
    throttle = all;
    while (throttle != NULL &&
           strcmp(throttle->server_name, server_name) != 0) {
        throttle = throttle->next;
    }
    if (throttle == NULL) {
        throttle = create_locked(server_name);
    }
    if (throttle != NULL) {
        throttle->n_refs++;
    }
    pthread_mutex_unlock(&mutex);
    return throttle;
}

void muster__throttle_unref(muster__throttle *throttle)
{
    muster__throttle **link = &all;

    if (throttle == NULL) {
        return;
    }
    pthread_mutex_lock(&mutex);
    throttle->n_refs--;
    if (throttle->n_refs == 0) {
        while (*link != throttle) {
            link = &(*link)->next;
        }
        *link = throttle->next;
        free(throttle);
    }
    pthread_mutex_unlock(&mutex);
}

void muster__throttle_set(muster__throttle *throttle, uint32_t max_milli_tokens,
                          uint32_t milli_token_ratio)
{
    uint64_t tokens = max_milli_tokens;
    uint32_t former;

    pthread_mutex_lock(&mutex);
    former = get(&throttle->max_milli_tokens);
    if (former != 0) {
        tokens = tokens * get(&throttle->milli_tokens) / former;
    }
    if (former != max_milli_tokens) {
        set(&throttle->milli_tokens, (uint32_t)tokens);
        set(&throttle->max_milli_tokens, max_milli_tokens);
    }
    set(&throttle->milli_token_ratio, milli_token_ratio);
    pthread_mutex_unlock(&mutex);
}

/* Nothing is written while the bucket is full, which is as good as always. */
void muster__throttle_count_success(muster__throttle *throttle)
{
    const uint32_t max = get(&throttle->max_milli_tokens);
    const uint32_t ratio = get(&throttle->milli_token_ratio);
    uint32_t tokens = get(&throttle->milli_tokens);

    while (tokens < max) {
        const uint32_t more = ratio < max - tokens ? tokens + ratio : max;

        if (atomic_compare_exchange_weak_explicit(
                &throttle->milli_tokens, &tokens, more, memory_order_relaxed,
                memory_order_relaxed)) {
            return;
        }
    }
}

void muster__throttle_count_failure(muster__throttle *throttle)
{
    uint32_t tokens = get(&throttle->milli_tokens);

    while (tokens > 0) {
        const uint32_t fewer = tokens > MILLI_TOKENS_A_FAILURE
                                   ? tokens - MILLI_TOKENS_A_FAILURE
                                   : 0;

        if (atomic_compare_exchange_weak_explicit(
                &throttle->milli_tokens, &tokens, fewer, memory_order_relaxed,
                memory_order_relaxed)) {
            return;
        }
    }
}

bool muster__throttle_allows(const muster__throttle *throttle)
{
    const uint32_t max = get(&throttle->max_milli_tokens);

    return max == 0 || get(&throttle->milli_tokens) > max / 2;
}
