/* SPDX-License-Identifier: Apache-2.0 */
/* When a question is to be asked again. */
#ifndef MUSTER_RESOLVERS_DNS_PACE_H
#define MUSTER_RESOLVERS_DNS_PACE_H

#include <stdint.h>

#include "options.h"
#include "question.h"

typedef struct muster__dns_pace {
    const muster__dns_options *options;
    unsigned early_permille; /* the jitter that was drawn: off an interval */
    /* When somebody last said that the list is stale, as the scope counts
     * events: an answer often comes in the same millisecond. */
    uint64_t hinted_event;
} muster__dns_pace;

/* Draws the jitter anew. */
void muster__dns_pace_draw(muster__dns_pace *pace, uint64_t random);

/* When a question of which that is known is due; 0: it was never asked. */
uint64_t muster__dns_pace_due_ms(const muster__dns_pace *pace,
                                 const muster__dns_known *known);

#endif
