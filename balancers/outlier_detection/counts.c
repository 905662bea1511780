/* SPDX-License-Identifier: Apache-2.0 */
/* What calls leave behind at an endpoint. All of it is relaxed: each number is
 * exact by itself, and none of them orders anything. */
#include "counts.h"

#define CANCELLED 1

/* Bits of the statuses that Envoy takes for 5xx: UNKNOWN, DEADLINE_EXCEEDED,
 * UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS; of them 502 to 504:
 * DEADLINE_EXCEEDED, UNAVAILABLE (its grpcToHttpStatus()). */
#define FAILURES (1u << 2 | 1u << 4 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15)
#define GATEWAY_FAILURES (1u << 4 | 1u << 14)

static bool is_of(unsigned statuses, int status)
{
    return status >= 0 && status < 32 && (statuses >> status & 1u) != 0;
}

/* It says nothing: no call was made, or who made it gave it up, for instance
 * since another attempt of a hedged call was faster. */
static bool is_void(const muster_outcome *outcome)
{
    return (outcome->flags & MUSTER_OUTCOME_GIVEN_BACK) != 0 ||
           (outcome->status == CANCELLED &&
            (outcome->flags & MUSTER_OUTCOME_FROM_SERVER) == 0);
}

/* ---- in a row ---- */

static _Atomic uint32_t *row_of(outlier_counts *self, outlier_method method)
{
    return &self->in_a_row[method - OUTLIER_FIRST_IN_A_ROW];
}

void outlier_counts_reset_in_a_row(outlier_counts *self, outlier_method method)
{
    _Atomic uint32_t *row = row_of(self, method);

    /* Mostly it is 0, and reading leaves the cache line to others. */
    if (atomic_load_explicit(row, memory_order_relaxed) != 0) {
        atomic_store_explicit(row, 0, memory_order_relaxed);
    }
}

/* Strikes when the limit is reached, not again above it: whoever acts on it
 * begins anew. */
static bool add_failure(outlier_counts *self, const outlier_settings *settings,
                        outlier_method method)
{
    const outlier_rule *rule = &settings->rules[method];

    if (!rule->is_set || atomic_fetch_add_explicit(row_of(self, method), 1,
                                                   memory_order_relaxed) +
                                 1 !=
                             rule->limit) {
        return false;
    }
    (void)atomic_fetch_or_explicit(&self->found, 1u << method,
                                   memory_order_relaxed);
    return true;
}

/* The endpoint has answered, or the call was not told apart. */
static bool add_answer(outlier_counts *self, const outlier_settings *settings,
                       int status)
{
    bool has_struck = false;

    if (is_of(FAILURES, status)) {
        has_struck = add_failure(self, settings, OUTLIER_FAILURES);
    } else {
        outlier_counts_reset_in_a_row(self, OUTLIER_FAILURES);
    }
    if (is_of(GATEWAY_FAILURES, status)) {
        has_struck |= add_failure(self, settings, OUTLIER_GATEWAY_FAILURES);
    } else {
        outlier_counts_reset_in_a_row(self, OUTLIER_GATEWAY_FAILURES);
    }
    return has_struck;
}

static bool add_in_a_row(outlier_counts *self, const outlier_settings *settings,
                         const muster_outcome *outcome)
{
    bool is_local = (outcome->flags & MUSTER_OUTCOME_FROM_SERVER) == 0;

    if (settings->rules[OUTLIER_LOCAL_FAILURES].is_set) {
        if (is_local && is_of(FAILURES, outcome->status)) {
            return add_failure(self, settings, OUTLIER_LOCAL_FAILURES);
        }
        outlier_counts_reset_in_a_row(self, OUTLIER_LOCAL_FAILURES);
    }
    return add_answer(self, settings, outcome->status);
}

/* ---- all ---- */

bool outlier_counts_add(outlier_counts *self, const outlier_settings *settings,
                        const muster_outcome *outcome)
{
    if (is_void(outcome)) {
        return false;
    }
    (void)atomic_fetch_add_explicit(outcome->status == 0 ? &self->n_succeeded
                                                         : &self->n_failed,
                                    1, memory_order_relaxed);
    return add_in_a_row(self, settings, outcome);
}

void outlier_counts_reset(outlier_counts *self)
{
    atomic_store_explicit(&self->n_succeeded, 0, memory_order_relaxed);
    atomic_store_explicit(&self->n_failed, 0, memory_order_relaxed);
    atomic_store_explicit(&self->found, 0, memory_order_relaxed);
    for (int i = OUTLIER_FIRST_IN_A_ROW; i < OUTLIER_N_METHODS; i++) {
        outlier_counts_reset_in_a_row(self, (outlier_method)i);
    }
}
