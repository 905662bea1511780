/* SPDX-License-Identifier: Apache-2.0 */
/* C core channels that serve one connection of an endpoint after another. */
#include "kept_channel.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/support/time.h>

/* Reconnecting after a loss comes at once, but when many are lost together it
 * waits its turn. */
#define KEEP_MS 30000
enum { KEEP_MAX = 1024 };

struct muster__kept_channel {
    atomic_uint refs;
    grpc_channel *channel;
    char *address;
    char *authority;
    uint64_t connect_timeout_ms;
    uint64_t generation;
    /* Guarded by the store. */
    muster__kept_channel *older;
    gpr_timespec end; /* of the keeping */
    bool is_stored;
};

/* ---- one of them ---- */

static void free_kept(muster__kept_channel *kept)
{
    free(kept->address);
    free(kept->authority);
    free(kept);
}

muster_status muster__kept_channel_create(grpc_channel *channel,
                                          const muster__kept_key *key,
                                          muster__kept_channel **ret_kept)
{
    muster__kept_channel *kept = calloc(1, sizeof *kept);

    if (kept == NULL) {
        return MUSTER_NOMEM;
    }
    atomic_init(&kept->refs, 1);
    kept->address = strdup(key->address);
    kept->authority = strdup(key->authority);
    if (kept->address == NULL || kept->authority == NULL) {
        free_kept(kept);
        return MUSTER_NOMEM;
    }
    kept->connect_timeout_ms = key->connect_timeout_ms;
    kept->generation = key->generation;
    kept->channel = channel;
    *ret_kept = kept;
    return MUSTER_OK;
}

void muster__kept_channel_unref(muster__kept_channel *kept)
{
    /* acq_rel: whoever destroys it has seen all that the others did. */
    if (kept != NULL &&
        atomic_fetch_sub_explicit(&kept->refs, 1, memory_order_acq_rel) == 1) {
        grpc_channel_destroy(kept->channel);
        free_kept(kept);
    }
}

muster__kept_channel *muster__kept_channel_move(muster__kept_channel **from)
{
    muster__kept_channel *kept = *from;

    *from = NULL;
    return kept;
}

grpc_channel *muster__kept_channel_get(const muster__kept_channel *kept)
{
    return kept == NULL ? NULL : kept->channel;
}

/* ---- the store ---- */

muster_status muster__kept_store_init(muster__kept_store *store)
{
    store->newest = NULL;
    store->generation = 0;
    return pthread_mutex_init(&store->mutex, NULL) == 0 ? MUSTER_OK
                                                        : MUSTER_NOMEM;
}

/* A list that is no store's any more. */
static void unref_all(muster__kept_channel *kept)
{
    while (kept != NULL) {
        muster__kept_channel *older = kept->older;

        muster__kept_channel_unref(kept);
        kept = older;
    }
}

void muster__kept_store_fini(muster__kept_store *store)
{
    unref_all(store->newest);
    (void)pthread_mutex_destroy(&store->mutex);
}

static muster__kept_channel *unlink_locked(muster__kept_channel **at)
{
    muster__kept_channel *kept = *at;

    *at = kept->older;
    kept->is_stored = false;
    return kept;
}

/* Cuts off what follows *at. */
static muster__kept_channel *cut_at_locked(muster__kept_channel **at)
{
    muster__kept_channel *cut = *at;

    *at = NULL;
    for (muster__kept_channel *kept = cut; kept != NULL; kept = kept->older) {
        kept->is_stored = false;
    }
    return cut;
}

/* Cuts off those that are too many, or whose time is over: they are at the end.
 */
static muster__kept_channel *cut_locked(muster__kept_store *store)
{
    const gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
    muster__kept_channel **at = &store->newest;
    int n = 1; /* one may be about to come */

    while (*at != NULL && n < KEEP_MAX && gpr_time_cmp((*at)->end, now) > 0) {
        at = &(*at)->older;
        n++;
    }
    return cut_at_locked(at);
}

/* Of credentials that were replaced none goes on. */
static muster__kept_channel *renew_locked(muster__kept_store *store,
                                          uint64_t generation)
{
    if (generation <= store->generation) {
        return cut_locked(store);
    }
    store->generation = generation;
    return cut_at_locked(&store->newest);
}

void muster__kept_store_put(muster__kept_store *store,
                            muster__kept_channel *kept)
{
    muster__kept_channel *cut;

    pthread_mutex_lock(&store->mutex);
    cut = cut_locked(store);
    if (!kept->is_stored && kept->generation == store->generation) {
        /* Relaxed: who takes a reference has one. */
        atomic_fetch_add_explicit(&kept->refs, 1, memory_order_relaxed);
        kept->end = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                 gpr_time_from_millis(KEEP_MS, GPR_TIMESPAN));
        kept->older = store->newest;
        kept->is_stored = true;
        store->newest = kept;
    }
    pthread_mutex_unlock(&store->mutex);
    unref_all(cut);
}

static bool is_used(const muster__kept_channel *kept)
{
    return grpc_channel_check_connectivity_state(kept->channel, 0) !=
           GRPC_CHANNEL_IDLE;
}

void muster__kept_store_let_go(muster__kept_store *store,
                               muster__kept_channel *kept)
{
    muster__kept_channel *dropped = NULL;
    muster__kept_channel **at = &store->newest;

    pthread_mutex_lock(&store->mutex);
    if (kept->is_stored && is_used(kept)) {
        while (*at != kept) {
            at = &(*at)->older;
        }
        dropped = unlink_locked(at);
    }
    pthread_mutex_unlock(&store->mutex);
    muster__kept_channel_unref(dropped);
}

static bool matches(const muster__kept_channel *kept,
                    const muster__kept_key *key)
{
    return kept->generation == key->generation &&
           kept->connect_timeout_ms == key->connect_timeout_ms &&
           strcmp(kept->address, key->address) == 0 &&
           strcmp(kept->authority, key->authority) == 0;
}

muster__kept_channel *muster__kept_store_take(muster__kept_store *store,
                                              const muster__kept_key *key)
{
    muster__kept_channel *found = NULL;
    muster__kept_channel **at = &store->newest;
    muster__kept_channel *cut;

    pthread_mutex_lock(&store->mutex);
    cut = renew_locked(store, key->generation);
    while (*at != NULL && !matches(*at, key)) {
        at = &(*at)->older;
    }
    if (*at != NULL) {
        found = unlink_locked(at);
    }
    pthread_mutex_unlock(&store->mutex);
    unref_all(cut);
    return found;
}
