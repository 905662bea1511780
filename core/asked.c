/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoints that policies asked to connect. */
#include "asked.h"

/* seq_cst throughout: the nudge that follows an add is ordered after it, so the
 * run that takes comes after. */
void muster__asked_add(muster__asked *asked, uint64_t id)
{
    for (uint32_t i = 0; i < MUSTER__ASKED_MAX; i++) {
        _Atomic uint64_t *place = &asked->ids[(id + i) % MUSTER__ASKED_MAX];
        uint64_t there = atomic_load(place);

        if (there == 0) {
            (void)atomic_compare_exchange_strong(place, &there, id);
        }
        if (there == 0 || there == id) {
            return;
        }
    }
    atomic_store(&asked->was_full, true);
}

uint64_t muster__asked_take(muster__asked *asked)
{
    uint64_t id = 0;

    for (uint32_t i = 0; i < MUSTER__ASKED_MAX && id == 0; i++) {
        id = atomic_exchange(&asked->ids[i], 0);
    }
    return id;
}

bool muster__asked_was_full(muster__asked *asked)
{
    return atomic_exchange(&asked->was_full, false);
}
