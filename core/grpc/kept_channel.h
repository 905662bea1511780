/* SPDX-License-Identifier: Apache-2.0 */
/* C core channels that serve one connection of an endpoint after another.
 *
 * A server that finds a client's pings too many ends the connection, and C core
 * doubles the keepalive time of the channel's later ones (gRFC A8). Nothing of
 * C core's public API tells that this has happened: neither connectivity states
 * nor channelz name the reason once the connection is gone. So where there is
 * keepalive, the C core channel of a connection that was READY and is lost is
 * kept for a while, and the endpoint's next connection goes on with it. One
 * that fails to connect is made anew, and begins with the keepalive time of the
 * options again. Thread: any. */
#ifndef MUSTER_CORE_GRPC_KEPT_CHANNEL_H
#define MUSTER_CORE_GRPC_KEPT_CHANNEL_H

#include <pthread.h>
#include <stdint.h>

#include <grpc/grpc.h>
#include <muster/status.h>

/* Counted: by connections, one of which is alive, and by the store. */
typedef struct muster__kept_channel muster__kept_channel;

/* What it is for; another one cannot go on with it. */
typedef struct muster__kept_key {
    const char *address;
    const char *authority;
    uint64_t connect_timeout_ms; /* C core's backoff is made of it */
    uint64_t generation;         /* of the credentials */
} muster__kept_key;

/* Takes over channel, unless there is no memory. *ret_kept is the caller's
 * reference. MUSTER_NOMEM. */
muster_status muster__kept_channel_create(grpc_channel *channel,
                                          const muster__kept_key *key,
                                          muster__kept_channel **ret_kept);

/* Completions of a watch on the channel may come when the last one goes. NULL
 * is ignored. */
void muster__kept_channel_unref(muster__kept_channel *kept);

/* *from becomes NULL. */
muster__kept_channel *muster__kept_channel_move(muster__kept_channel **from);

/* Borrowed; NULL of NULL. */
grpc_channel *muster__kept_channel_get(const muster__kept_channel *kept);

/* Those that wait for their next connection. */
typedef struct muster__kept_store {
    pthread_mutex_t mutex;
    muster__kept_channel *newest;
    uint64_t generation; /* the latest that was asked for; no other is kept */
} muster__kept_store;

muster_status muster__kept_store_init(muster__kept_store *store);
void muster__kept_store_fini(muster__kept_store *store);

/* The connection on it is lost. Takes a reference, for half a minute at least,
 * but of the last 1 024 only: others are dropped when the store is next used.
 * So are those of credentials that have been replaced, at once. */
void muster__kept_store_put(muster__kept_store *store,
                            muster__kept_channel *kept);

/* The connection on it is destroyed. When a late call has made it connect again
 * meanwhile, nobody would close that: it is kept no longer. */
void muster__kept_store_let_go(muster__kept_store *store,
                               muster__kept_channel *kept);

/* One for that key, or NULL. The caller's reference. To be called before a
 * channel of a new generation is made: those of older ones are dropped. */
muster__kept_channel *muster__kept_store_take(muster__kept_store *store,
                                              const muster__kept_key *key);

#endif
