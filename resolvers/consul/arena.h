/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is released all at once. */
#ifndef MUSTER_RESOLVERS_CONSUL_ARENA_H
#define MUSTER_RESOLVERS_CONSUL_ARENA_H

#include <stddef.h>

typedef struct muster__consul_arena {
    struct muster__consul_chunk *chunks; /* the newest first */
} muster__consul_arena;

/* size bytes, aligned for anything; NULL: out of memory. An arena of zeroes is
 * an empty one. */
void *muster__consul_arena_get(muster__consul_arena *arena, size_t size);

/* The parts up to a NULL, one after another. NULL: out of memory. */
char *muster__consul_arena_join(muster__consul_arena *arena,
                                const char *const *parts);

void muster__consul_arena_free(muster__consul_arena *arena);

#endif
