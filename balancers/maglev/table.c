/* SPDX-License-Identifier: Apache-2.0 */
/* The lookup table of Maglev, filled as in its paper (Eisenbud et al., NSDI
 * 2016, section 3.4), with Envoy's rule for weights. */
#include "table.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

/* An endpoint's walk over the entries, in its own order: it comes by each of
 * them, since size is a prime. */
typedef struct walker {
    uint32_t at;
    uint32_t skip;
    uint32_t index;
    double weight; /* as a share of all */
    double due;    /* takes an entry when round * weight gets there */
} walker;

static walker *walkers_create(const hashing_settings *settings,
                              const muster_build_args *args, uint32_t size)
{
    hashing_member *members = hashing_arrange_ready(settings, args);
    walker *walkers = calloc(args->n_ready, sizeof *walkers);
    double total = 0;

    if (members == NULL || walkers == NULL) {
        free(walkers);
        free(members);
        return NULL;
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        total += members[i].weight;
    }
    for (size_t i = 0; i < args->n_ready; i++) {
        const hashing_member *member = &members[i];

        walkers[i].at = (uint32_t)(hashing_member_hash(member, 0) % size);
        walkers[i].skip =
            (uint32_t)(hashing_member_hash(member, 1) % (size - 1)) + 1;
        walkers[i].index = member->index;
        walkers[i].weight = member->weight / total;
    }
    free(members);
    return walkers;
}

static void walk_on(walker *self, uint32_t size)
{
    self->at = self->at < size - self->skip ? self->at + self->skip
                                            : self->at - (size - self->skip);
}

/* The next entry of its order that is nobody's becomes its own. */
static void take_entry(walker *self, maglev_table *table)
{
    while (table->owners[self->at] != NOBODY) {
        walk_on(self, table->size);
    }
    table->owners[self->at] = self->index;
    walk_on(self, table->size);
}

/* Round by round each takes an entry, the lighter ones not in each round: those
 * of half the greatest weight in every second one. The arithmetic is Envoy's,
 * operation for operation, so that the tables are the same. */
static void fill(maglev_table *table, walker *walkers)
{
    uint32_t n_left = table->size;
    double greatest = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        if (walkers[i].weight > greatest) {
            greatest = walkers[i].weight;
        }
    }
    for (uint32_t round = 1; n_left > 0; round++) {
        for (uint32_t i = 0; i < table->n && n_left > 0; i++) {
            if (round * walkers[i].weight >= walkers[i].due) {
                walkers[i].due += greatest;
                take_entry(&walkers[i], table);
                n_left--;
            }
        }
    }
}

maglev_table *muster__maglev_table_create(const hashing_settings *settings,
                                          const muster_build_args *args,
                                          uint32_t size)
{
    maglev_table *table =
        malloc(sizeof *table + size * sizeof table->owners[0]);
    walker *walkers = walkers_create(settings, args, size);

    if (table != NULL) {
        table->seats =
            settings->balance_factor > 0 ? hashing_seats_create(args) : NULL;
    }
    if (table == NULL || walkers == NULL ||
        (settings->balance_factor > 0 && table->seats == NULL)) {
        free(walkers);
        muster__maglev_table_destroy(table);
        return NULL;
    }
    table->n = (uint32_t)args->n_ready;
    table->size = size;
    for (uint32_t i = 0; i < size; i++) {
        table->owners[i] = NOBODY;
    }
    fill(table, walkers);
    free(walkers);
    return table;
}

void muster__maglev_table_destroy(maglev_table *table)
{
    if (table != NULL) {
        free(table->seats);
        free(table);
    }
}
