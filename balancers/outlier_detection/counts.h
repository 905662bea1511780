/* SPDX-License-Identifier: Apache-2.0 */
/* What calls leave behind at an endpoint: its state. */
#ifndef MUSTER_OUTLIER_DETECTION_COUNTS_H
#define MUSTER_OUTLIER_DETECTION_COUNTS_H

#include <muster/balancer.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "settings.h"

/* All zero: no call has ended. Calls write to it all the time: so that its
 * neighbours do not suffer, it gets a cache line. */
typedef struct outlier_counts {
    _Atomic uint64_t n_succeeded; /* since the last sweep */
    _Atomic uint64_t n_failed;
    _Atomic uint32_t in_a_row[OUTLIER_N_IN_A_ROW];
    _Atomic uint32_t found; /* a bit for each method in a row that struck */
    uint32_t place;         /* of its record; the control thread's */
} outlier_counts;

#define OUTLIER_STATE_SIZE 64u
_Static_assert(sizeof(outlier_counts) <= OUTLIER_STATE_SIZE, "a cache line");

/* A call has ended. True: the endpoint was found to be an outlier by failures
 * in a row, which found has from now on. Thread: any. */
bool outlier_counts_add(outlier_counts *self, const outlier_settings *settings,
                        const muster_outcome *outcome);

/* Begins anew. */
void outlier_counts_reset(outlier_counts *self);
void outlier_counts_reset_in_a_row(outlier_counts *self, outlier_method method);

#endif
