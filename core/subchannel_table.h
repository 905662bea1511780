/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered subchannels of a channel, and which of them an endpoint of the
 * resolver's set is. Thread: control. */
#ifndef MUSTER_CORE_SUBCHANNEL_TABLE_H
#define MUSTER_CORE_SUBCHANNEL_TABLE_H

#include <stdint.h>

#include "subchannel.h"

#define MUSTER__TABLE_CHUNK 512

typedef struct muster__subchannel_table {
    muster__subchannel **chunks; /* of 512; never move */
    uint32_t n_chunks;
    uint32_t n_numbers;  /* ever given */
    uint32_t free_first; /* chained by next; MUSTER__NO_NUMBER ends */
    uint32_t n_free;
    uint32_t n_listed;
    uint32_t *by_index; /* set index to number */
    uint32_t n_indices;
} muster__subchannel_table;

#define MUSTER__NO_NUMBER UINT32_MAX

void muster__table_init(muster__subchannel_table *table);
void muster__table_fini(muster__subchannel_table *table);

/* Room for n more subchannels and for set indices below limit, so that what
 * follows cannot fail. MUSTER_NOMEM changes nothing. */
muster_status muster__table_reserve(muster__subchannel_table *table, uint32_t n,
                                    uint32_t limit);

/* What numbers stay below when n subchannels are added. */
uint32_t muster__table_limit(const muster__subchannel_table *table, uint32_t n);

/* A new subchannel; reserve made room. Takes a reference on endpoint. */
muster__subchannel *muster__table_add(muster__subchannel_table *table,
                                      muster__endpoint *endpoint);

/* Gives its number back. Its endpoint's reference is dropped. */
void muster__table_remove(muster__subchannel_table *table,
                          muster__subchannel *subchannel);

static inline muster__subchannel *
muster__table_at(const muster__subchannel_table *table, uint32_t number)
{
    return &table->chunks[number / MUSTER__TABLE_CHUNK]
                         [number % MUSTER__TABLE_CHUNK];
}

/* The subchannel with that backend id; NULL when it is gone. */
muster__subchannel *muster__table_by_id(const muster__subchannel_table *table,
                                        uint64_t id);

/* The subchannel that stands for the set's endpoint number index. */
muster__subchannel *
muster__table_by_index(const muster__subchannel_table *table, uint32_t index);
void muster__table_set_index(muster__subchannel_table *table, uint32_t index,
                             const muster__subchannel *subchannel);

#endif
