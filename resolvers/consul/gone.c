/* SPDX-License-Identifier: Apache-2.0 */
/* Counts connections that the agent has not noticed to be closed. */
#include "gone.h"

uint32_t muster__consul_gone_count(muster__consul_gone *gone, uint64_t now_ms)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < gone->n; i++) {
        if (gone->until_ms[i] > now_ms) {
            gone->until_ms[n++] = gone->until_ms[i];
        }
    }
    gone->n = n;
    return n;
}

void muster__consul_gone_add(muster__consul_gone *gone, uint64_t now_ms,
                             uint64_t until_ms)
{
    if (muster__consul_gone_count(gone, now_ms) == MUSTER__CONSUL_GONE_MAX) {
        gone->n--;
    }
    gone->until_ms[gone->n++] = until_ms;
}

uint64_t muster__consul_gone_next_ms(const muster__consul_gone *gone)
{
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < gone->n; i++) {
        if (gone->until_ms[i] < next_ms) {
            next_ms = gone->until_ms[i];
        }
    }
    return next_ms;
}
