/* SPDX-License-Identifier: Apache-2.0 */
/* The lookup table of Maglev: whose a hash is. */
#ifndef MUSTER_BALANCERS_MAGLEV_TABLE_H
#define MUSTER_BALANCERS_MAGLEV_TABLE_H

#include "../hashing/load.h"

typedef struct maglev_table {
    hashing_seat *seats; /* n of them; NULL when there is no bound */
    uint32_t n;          /* of the READY view */
    uint32_t size;
    uint32_t owners[]; /* size of them: indices of the READY view */
} maglev_table;

/* size must be a prime. The caller's to destroy; NULL when memory is short. */
maglev_table *muster__maglev_table_create(const hashing_settings *settings,
                                          const muster_build_args *args,
                                          uint32_t size);

/* NULL is ignored. */
void muster__maglev_table_destroy(maglev_table *table);

#endif
