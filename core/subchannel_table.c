/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered subchannels of a channel. */
#include "subchannel_table.h"

#include <stdlib.h>
#include <string.h>

void muster__table_init(muster__subchannel_table *table)
{
    memset(table, 0, sizeof *table);
    table->free_first = MUSTER__NO_NUMBER;
}

void muster__table_fini(muster__subchannel_table *table)
{
    for (uint32_t i = 0; i < table->n_chunks; i++) {
        free(table->chunks[i]);
    }
    free(table->chunks);
    free(table->by_index);
    muster__table_init(table);
}

static muster_status reserve_chunks(muster__subchannel_table *table,
                                    uint32_t n_chunks)
{
    if (n_chunks <= table->n_chunks) {
        return MUSTER_OK;
    }
    muster__subchannel **chunks =
        realloc(table->chunks, n_chunks * sizeof *chunks);
    if (chunks == NULL) {
        return MUSTER_NOMEM;
    }
    table->chunks = chunks;
    while (table->n_chunks < n_chunks) {
        muster__subchannel *chunk = calloc(MUSTER__TABLE_CHUNK, sizeof *chunk);
        if (chunk == NULL) {
            return MUSTER_NOMEM; /* what is there already does no harm */
        }
        chunks[table->n_chunks++] = chunk;
    }
    return MUSTER_OK;
}

static muster_status reserve_indices(muster__subchannel_table *table,
                                     uint32_t limit)
{
    if (limit <= table->n_indices) {
        return MUSTER_OK;
    }
    uint32_t n = table->n_indices == 0 ? 16 : table->n_indices;
    while (n < limit) {
        n *= 2;
    }
    uint32_t *by_index = realloc(table->by_index, n * sizeof *by_index);
    if (by_index == NULL) {
        return MUSTER_NOMEM;
    }
    for (uint32_t i = table->n_indices; i < n; i++) {
        by_index[i] = MUSTER__NO_NUMBER;
    }
    table->by_index = by_index;
    table->n_indices = n;
    return MUSTER_OK;
}

muster_status muster__table_reserve(muster__subchannel_table *table, uint32_t n,
                                    uint32_t limit)
{
    uint32_t n_chunks =
        (muster__table_limit(table, n) + MUSTER__TABLE_CHUNK - 1) /
        MUSTER__TABLE_CHUNK;

    if (reserve_chunks(table, n_chunks) != MUSTER_OK) {
        return MUSTER_NOMEM;
    }
    return reserve_indices(table, limit);
}

uint32_t muster__table_limit(const muster__subchannel_table *table, uint32_t n)
{
    return table->n_numbers + (n > table->n_free ? n - table->n_free : 0);
}

muster__subchannel *muster__table_add(muster__subchannel_table *table,
                                      muster__endpoint *endpoint)
{
    uint32_t number = table->free_first;
    muster__subchannel *subchannel;

    if (number != MUSTER__NO_NUMBER) {
        subchannel = muster__table_at(table, number);
        table->free_first = subchannel->next;
        table->n_free--;
    } else {
        number = table->n_numbers++;
        subchannel = muster__table_at(table, number);
    }
    uint32_t life = subchannel->life + 1;
    memset(subchannel, 0, sizeof *subchannel);
    subchannel->endpoint = muster__endpoint_ref(endpoint);
    subchannel->number = number;
    subchannel->life = life == 0 ? 1 : life;
    subchannel->next = MUSTER__NO_NUMBER;
    return subchannel;
}

void muster__table_remove(muster__subchannel_table *table,
                          muster__subchannel *subchannel)
{
    muster__endpoint_unref(subchannel->endpoint);
    subchannel->endpoint = NULL;
    subchannel->next = table->free_first;
    table->free_first = subchannel->number;
    table->n_free++;
}

muster__subchannel *muster__table_by_id(const muster__subchannel_table *table,
                                        uint64_t id)
{
    uint32_t number = (uint32_t)id;

    if (number >= table->n_numbers) {
        return NULL;
    }
    muster__subchannel *subchannel = muster__table_at(table, number);
    if (subchannel->endpoint == NULL ||
        muster__subchannel_id(subchannel) != id) {
        return NULL;
    }
    return subchannel;
}

muster__subchannel *
muster__table_by_index(const muster__subchannel_table *table, uint32_t index)
{
    return muster__table_at(table, table->by_index[index]);
}

void muster__table_set_index(muster__subchannel_table *table, uint32_t index,
                             const muster__subchannel *subchannel)
{
    table->by_index[index] =
        subchannel == NULL ? MUSTER__NO_NUMBER : subchannel->number;
}
