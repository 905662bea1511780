/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that were closed here while a query blocked on them: the agent
 * counts them until the query's time is up (tried with 1.8.7), and refuses new
 * ones when it counts too many. Without a clock of its own. */
#ifndef MUSTER_RESOLVERS_CONSUL_GONE_H
#define MUSTER_RESOLVERS_CONSUL_GONE_H

#include <stdint.h>

enum { MUSTER__CONSUL_GONE_MAX = 256 };

typedef struct muster__consul_gone {
    uint64_t until_ms[MUSTER__CONSUL_GONE_MAX];
    uint32_t n;
} muster__consul_gone;

/* Notes one. When there are too many, one of them is forgotten. */
void muster__consul_gone_add(muster__consul_gone *gone, uint64_t now_ms,
                             uint64_t until_ms);

/* How many the agent counts still. */
uint32_t muster__consul_gone_count(muster__consul_gone *gone, uint64_t now_ms);

/* When the next of them is counted no more; UINT64_MAX: there is none. */
uint64_t muster__consul_gone_next_ms(const muster__consul_gone *gone);

#endif
