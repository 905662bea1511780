/* SPDX-License-Identifier: Apache-2.0 */
/* Divides the numbers 0 ... 2^64 - 1 among endpoints in proportion to their
 * weights, and finds the owner of a number in a time that does not depend on
 * how many there are. Inline, as config.h is.
 *
 *     share_table *table = share_table_create(n);
 *
 *     table->weights[i] = ...;  for each of them, above 0
 *     share_table_fill(table);
 *     index = share_table_owner(table, number);
 *     share_table_destroy(table); */
#ifndef MUSTER_BALANCERS_SHARE_TABLE_H
#define MUSTER_BALANCERS_SHARE_TABLE_H

#include <stdint.h>
#include <stdlib.h>

/* Of the guide for each endpoint, at least: so most buckets have one owner, and
 * the search, which the processor cannot predict, is rare. */
#define SHARE_TABLE_BUCKETS_EACH 4

/* Endpoint i owns the numbers from starts[i] to before starts[i + 1]; the last
 * one those to the end. */
typedef struct share_table {
    double *weights;  /* until it is filled */
    uint64_t *starts; /* in the place of the weights */
    uint32_t n;
    uint32_t guide_shift; /* a number's bucket is its top bits */
    uint32_t guide[]; /* the owner of each bucket's first number; and n - 1 */
} share_table;

/* NULL ends nothing. */
static inline void share_table_destroy(share_table *table)
{
    if (table != NULL) {
        free(table->weights);
        free(table->starts);
        free(table);
    }
}

/* Room for n endpoints, 1 at least. NULL: no memory. */
static inline share_table *share_table_create(size_t n)
{
    uint32_t bits = 1;
    share_table *table;

    while (bits < 31 && (size_t)1 << bits < SHARE_TABLE_BUCKETS_EACH * n) {
        bits++;
    }
    table = malloc(sizeof *table +
                   (((size_t)1 << bits) + 1) * sizeof table->guide[0]);
    if (table == NULL) {
        return NULL;
    }
    table->n = (uint32_t)n;
    table->guide_shift = 64 - bits;
    table->weights = malloc(n * sizeof table->weights[0]);
    table->starts = malloc(n * sizeof table->starts[0]);
    if (table->weights == NULL || table->starts == NULL) {
        share_table_destroy(table);
        return NULL;
    }
    return table;
}

/* Doubles round the bounds to 2^-53 of the range, and keep their order. */
static inline void share_table_fill_starts(share_table *table)
{
    double total = 0;
    double sum = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        total += table->weights[i];
    }
    for (uint32_t i = 0; i < table->n; i++) {
        double share = sum / total;

        table->starts[i] = share < 1 ? (uint64_t)(share * 0x1p64) : UINT64_MAX;
        sum += table->weights[i];
    }
}

static inline void share_table_fill_guide(share_table *table)
{
    uint64_t n_buckets = UINT64_C(1) << (64 - table->guide_shift);
    uint32_t owner = 0;

    for (uint64_t bucket = 0; bucket < n_buckets; bucket++) {
        uint64_t first = bucket << table->guide_shift;

        while (owner + 1 < table->n && table->starts[owner + 1] <= first) {
            owner++;
        }
        table->guide[bucket] = owner;
    }
    table->guide[n_buckets] = table->n - 1;
}

static inline void share_table_fill(share_table *table)
{
    share_table_fill_starts(table);
    share_table_fill_guide(table);
    free(table->weights);
    table->weights = NULL;
}

/* The last endpoint that starts at or before number. */
static inline uint32_t share_table_owner(const share_table *table,
                                         uint64_t number)
{
    uint64_t bucket = number >> table->guide_shift;
    uint32_t low = table->guide[bucket];
    uint32_t high = table->guide[bucket + 1];

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;

        if (table->starts[middle] <= number) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

#endif
