/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; removal shifts back. */
#include "endpoint_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MIN = 16 };

/* At most four fifths full: 10 to 20 bytes an endpoint. */
static int is_enough(size_t n_cells, size_t n)
{
    return n * 5 <= n_cells * 4;
}

static muster__endpoint_table_cell *cells_create(size_t n_cells)
{
    muster__endpoint_table_cell *cells = malloc(n_cells * sizeof *cells);

    if (cells != NULL) {
        memset(cells, 0xff, n_cells * sizeof *cells); /* all of them empty */
    }
    return cells;
}

static void put_cell(muster__endpoint_table *table,
                     muster__endpoint_table_cell cell)
{
    uint32_t at = cell.tag & table->mask;

    while (table->cells[at].index != MUSTER__ENDPOINT_TABLE_NONE) {
        at = (at + 1) & table->mask;
    }
    table->cells[at] = cell;
}

static muster_status resize(muster__endpoint_table *table, size_t n_cells)
{
    muster__endpoint_table bigger = {cells_create(n_cells),
                                     (uint32_t)(n_cells - 1)};

    if (bigger.cells == NULL) {
        return MUSTER_NOMEM;
    }
    for (size_t i = 0; i <= table->mask; i++) {
        if (table->cells[i].index != MUSTER__ENDPOINT_TABLE_NONE) {
            put_cell(&bigger, table->cells[i]);
        }
    }
    free(table->cells);
    *table = bigger;
    return MUSTER_OK;
}

muster_status muster__endpoint_table_init(muster__endpoint_table *table)
{
    muster__endpoint_table_cell *cells = cells_create(CELLS_MIN);

    if (cells == NULL) {
        return MUSTER_NOMEM;
    }
    table->cells = cells;
    table->mask = CELLS_MIN - 1;
    return MUSTER_OK;
}

void muster__endpoint_table_fini(muster__endpoint_table *table)
{
    free(table->cells);
    table->cells = NULL;
}

muster_status muster__endpoint_table_reserve(muster__endpoint_table *table,
                                             size_t n)
{
    size_t n_cells = (size_t)table->mask + 1;

    if (is_enough(n_cells, n)) {
        return MUSTER_OK;
    }
    while (!is_enough(n_cells, n)) {
        n_cells *= 2;
    }
    return resize(table, n_cells);
}

void muster__endpoint_table_shrink(muster__endpoint_table *table, size_t n)
{
    size_t n_cells = CELLS_MIN;

    while (!is_enough(n_cells, 2 * n)) {
        n_cells *= 2;
    }
    if (n_cells * 4 <= (size_t)table->mask + 1) {
        (void)resize(table, n_cells);
    }
}

void muster__endpoint_table_put(muster__endpoint_table *table, uint64_t hash,
                                uint32_t index)
{
    muster__endpoint_table_cell cell = {(uint32_t)hash, index};

    put_cell(table, cell);
}

void muster__endpoint_table_remove(muster__endpoint_table *table, uint64_t hash,
                                   uint32_t index)
{
    muster__endpoint_table_cell *cells = table->cells;
    uint32_t mask = table->mask;
    uint32_t hole = (uint32_t)hash & mask;
    uint32_t at;

    while (cells[hole].index != index) {
        assert(cells[hole].index != MUSTER__ENDPOINT_TABLE_NONE);
        hole = (hole + 1) & mask;
    }
    /* Whatever was pushed past the hole moves back into it. */
    for (at = (hole + 1) & mask; cells[at].index != MUSTER__ENDPOINT_TABLE_NONE;
         at = (at + 1) & mask) {
        uint32_t home = cells[at].tag & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            cells[hole] = cells[at];
            hole = at;
        }
    }
    cells[hole].index = MUSTER__ENDPOINT_TABLE_NONE;
}
