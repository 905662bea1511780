/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks that are filled one after another. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_SIZE = 8192 };

typedef struct muster__consul_chunk {
    struct muster__consul_chunk *next;
    size_t size;
    size_t used;
    max_align_t memory[];
} chunk;

static chunk *add_chunk(muster__consul_arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    chunk *added = malloc(sizeof *added + room);

    if (added == NULL) {
        return NULL;
    }
    added->next = arena->chunks;
    added->size = room;
    added->used = 0;
    arena->chunks = added;
    return added;
}

void *muster__consul_arena_get(muster__consul_arena *arena, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    chunk *newest = arena->chunks;
    void *memory;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size = (size + unit - 1) / unit * unit;
    if (newest == NULL || newest->size - newest->used < size) {
        newest = add_chunk(arena, size);
    }
    if (newest == NULL) {
        return NULL;
    }
    memory = (char *)newest->memory + newest->used;
    newest->used += size;
    return memory;
}

char *muster__consul_arena_join(muster__consul_arena *arena,
                                const char *const *parts)
{
    size_t length = 0;
    char *text;
    char *at;

    for (size_t i = 0; parts[i] != NULL; i++) {
        length += strlen(parts[i]);
    }
    text = muster__consul_arena_get(arena, length + 1);
    if (text == NULL) {
        return NULL;
    }
    at = text;
    for (size_t i = 0; parts[i] != NULL; i++) {
        at = stpcpy(at, parts[i]);
    }
    *at = '\0';
    return text;
}

void muster__consul_arena_free(muster__consul_arena *arena)
{
    while (arena->chunks != NULL) {
        chunk *first = arena->chunks;

        arena->chunks = first->next;
        free(first);
    }
}
