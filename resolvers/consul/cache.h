/* SPDX-License-Identifier: Apache-2.0 */
/* The last good answer about a target, in a file: for a start while the agent
 * is down. */
#ifndef MUSTER_RESOLVERS_CONSUL_CACHE_H
#define MUSTER_RESOLVERS_CONSUL_CACHE_H

#include <muster/status.h>

#include <stddef.h>
#include <stdint.h>

typedef struct muster__consul_cached {
    char *text; /* of the file; owned */
    const char *body;
    size_t size;
    uint64_t age_ms;
} muster__consul_cached;

/* Where the answer to key is in folder. NULL: out of memory. */
char *muster__consul_cache_path(const char *folder, const char *key);

/* Reads it. A file that is of another user, that others may write, that is
 * damaged, of another key, of the future or older than max_age_ms is refused.
 * ret_cached->text is the caller's. MUSTER_NOTFOUND (there is none),
 * MUSTER_INVAL, MUSTER_NOMEM: err says why. */
muster_status muster__consul_cache_read(const char *path, const char *key,
                                        uint64_t max_age_ms,
                                        muster__consul_cached *ret_cached,
                                        muster_error *err);

/* Replaces it, by a rename. MUSTER_UNAVAILABLE: err says why. */
muster_status muster__consul_cache_write(const char *path, const char *key,
                                         const char *body, size_t size,
                                         muster_error *err);

#endif
