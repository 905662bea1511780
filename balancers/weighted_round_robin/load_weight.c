/* SPDX-License-Identifier: Apache-2.0 */
/* Weights by load report. Reports of one endpoint may come at the same time:
 * then the weight is that of one of them and the time that of another, which is
 * as good. */
#include "load_weight.h"

bool muster__load_weight_learn(muster__load_weight *self, double weight,
                               uint64_t now_ns)
{
    uint64_t none = 0;
    double before;

    if (!(weight > 0)) {
        return false;
    }
    before =
        atomic_exchange_explicit(&self->weight, weight, memory_order_relaxed);
    /* Release: whoever sees that there is a weight sees the weight. Both in one
     * order with expire(): either we see what it did, or it sees our time. */
    atomic_store_explicit(&self->reported_ns, now_ns, memory_order_seq_cst);
    return atomic_compare_exchange_strong_explicit(
               &self->since_ns, &none, now_ns + 1, memory_order_seq_cst,
               memory_order_seq_cst) ||
           before < weight || before > weight;
}

void muster__load_weight_forget(muster__load_weight *self)
{
    atomic_store_explicit(&self->since_ns, 0, memory_order_relaxed);
}

static void lower(uint64_t *time_ns, uint64_t from_ns, uint64_t delay_ns)
{
    uint64_t due_ns =
        delay_ns < UINT64_MAX - from_ns ? from_ns + delay_ns : UINT64_MAX;

    if (due_ns < *time_ns) {
        *time_ns = due_ns;
    }
}

/* A report may have come after now_ns. */
static bool is_over(uint64_t from_ns, uint64_t delay_ns, uint64_t now_ns)
{
    return now_ns >= from_ns && now_ns - from_ns >= delay_ns;
}

/* Forgets a weight whose times are these, unless another report came since they
 * were read: that one is the first then. False when one did. */
static bool expire(muster__load_weight *self, uint64_t since_ns,
                   uint64_t reported_ns)
{
    uint64_t none = 0;
    uint64_t now_ns;

    if (!atomic_compare_exchange_strong_explicit(&self->since_ns, &since_ns, 0,
                                                 memory_order_seq_cst,
                                                 memory_order_seq_cst)) {
        return false;
    }
    now_ns = atomic_load_explicit(&self->reported_ns, memory_order_seq_cst);
    if (now_ns == reported_ns) {
        return true;
    }
    (void)atomic_compare_exchange_strong_explicit(
        &self->since_ns, &none, now_ns + 1, memory_order_release,
        memory_order_relaxed);
    return false;
}

double muster__load_weight_get(muster__load_weight *self,
                               const muster__load_ages *ages, uint64_t now_ns,
                               uint64_t *next_change_ns)
{
    uint64_t since_ns =
        atomic_load_explicit(&self->since_ns, memory_order_acquire);
    uint64_t reported_ns =
        atomic_load_explicit(&self->reported_ns, memory_order_relaxed);

    if (since_ns == 0) {
        return 0;
    }
    if (is_over(reported_ns, ages->expiration_ns, now_ns)) {
        if (!expire(self, since_ns, reported_ns)) {
            lower(next_change_ns, now_ns, 0); /* what came is read then */
        }
        return 0;
    }
    since_ns--;
    if (!is_over(since_ns, ages->blackout_ns, now_ns)) {
        lower(next_change_ns, since_ns, ages->blackout_ns);
        return 0;
    }
    lower(next_change_ns, reported_ns, ages->expiration_ns);
    return atomic_load_explicit(&self->weight, memory_order_relaxed);
}
