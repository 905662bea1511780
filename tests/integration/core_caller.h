/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls over a channel of plain C core with its own resolver and
 * round_robin, for a look at both sides of the same servers. */
#ifndef MUSTER_TESTS_CORE_CALLER_H
#define MUSTER_TESTS_CORE_CALLER_H

#include <stdint.h>

#include "sightings.h"

typedef struct core_caller core_caller;

/* Calls and waits, on one thread, about 500 times a second. The resolver of
 * names is c-ares: to be started before anything else of C core in the process,
 * which looks at GRPC_DNS_RESOLVER once. */
core_caller *core_caller_start(const char *target);

/* Lives as long as self. */
sightings *core_caller_sightings(core_caller *self);

/* Calls that ended well, and otherwise. */
uint64_t core_caller_answered(const core_caller *self);
uint64_t core_caller_failed(const core_caller *self);

void core_caller_destroy(core_caller *self);

#endif
