/* SPDX-License-Identifier: Apache-2.0 */
/* One life of a resolver on the test kit, each step of it named. */
#ifndef MUSTER_TOOLS_RESOLVER_LIFE_H
#define MUSTER_TOOLS_RESOLVER_LIFE_H

#include <muster/testkit.h>

#include "target_parts.h"
#include "trial.h"

typedef struct resolver_life {
    trial *trial;
    muster_testkit_resolver *kit; /* NULL: it was not made */
    uint64_t applied;             /* the last sequence number told */
} resolver_life;

/* The target's parts; those of "SCHEME:///" when there is no target, or one of
 * another scheme. False, and said, when the target is malformed. */
bool resolver_life_target(trial *self, target_parts *ret_parts);

/* Calls create(). False, and said, when it fails: a skip when there was no
 * target, for then it may be right. */
bool resolver_life_begin(resolver_life *self, trial *run,
                         const target_parts *parts);

void resolver_life_start(resolver_life *self);
void resolver_life_refresh(resolver_life *self);

/* Runs what is due and ready now, then tells of what was applied. */
void resolver_life_step(resolver_life *self);

/* Lets delay_ms pass in virtual time, and tells of what was applied. */
void resolver_life_advance(resolver_life *self, uint64_t delay_ms);

/* Lets it work, in real and then in virtual time, until it has answered once.
 * False: it neither reports nor fails. */
bool resolver_life_await(resolver_life *self);

/* Reports, deltas and failures so far. */
uint64_t resolver_life_answers(resolver_life *self);

/* Stops and frees it, and says what rules were broken. */
void resolver_life_end(resolver_life *self);

/* All of it: begins, starts, awaits nothing, ends. */
void resolver_life_run(trial *self, const target_parts *parts);

#endif
