/* SPDX-License-Identifier: Apache-2.0 */
/* From an identity's hash to endpoint numbers: open addressing with linear
 * probing, no tombstones. It compares tags only; the set compares the rest. */
#ifndef MUSTER_CORE_ENDPOINT_TABLE_H
#define MUSTER_CORE_ENDPOINT_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <muster/status.h>

/* No number, and no more candidates. */
#define MUSTER__ENDPOINT_TABLE_NONE UINT32_MAX

typedef struct muster__endpoint_table_cell {
    uint32_t tag;   /* the low half of the hash; its home is tag & mask */
    uint32_t index; /* MUSTER__ENDPOINT_TABLE_NONE: the cell is empty */
} muster__endpoint_table_cell;

typedef struct muster__endpoint_table {
    muster__endpoint_table_cell *cells;
    uint32_t mask; /* there are mask + 1 cells, a power of two */
} muster__endpoint_table;

muster_status muster__endpoint_table_init(muster__endpoint_table *table);
void muster__endpoint_table_fini(muster__endpoint_table *table);

/* Room for n numbers in all. Nothing changes on MUSTER_NOMEM. */
muster_status muster__endpoint_table_reserve(muster__endpoint_table *table,
                                             size_t n);

/* Gives memory back when n numbers fill little of it, if there is memory to do
 * so with. */
void muster__endpoint_table_shrink(muster__endpoint_table *table, size_t n);

/* There must be room. */
void muster__endpoint_table_put(muster__endpoint_table *table, uint64_t hash,
                                uint32_t index);

/* index must be there, under hash. */
void muster__endpoint_table_remove(muster__endpoint_table *table, uint64_t hash,
                                   uint32_t index);

/* Iterates over what is found under hash: *at starts as the hash. */
static inline uint32_t
muster__endpoint_table_next(const muster__endpoint_table *table, uint64_t hash,
                            uint32_t *at)
{
    for (;;) {
        const muster__endpoint_table_cell *cell =
            &table->cells[*at & table->mask];

        ++*at;
        if (cell->index == MUSTER__ENDPOINT_TABLE_NONE ||
            cell->tag == (uint32_t)hash) {
            return cell->index;
        }
    }
}

/* A compiler extension, because nothing else hides the cache misses of a large
 * table. */
static inline void
muster__endpoint_table_prefetch(const muster__endpoint_table *table,
                                uint64_t hash)
{
    __builtin_prefetch(&table->cells[(uint32_t)hash & table->mask]);
}

#endif
