/* SPDX-License-Identifier: Apache-2.0 */
/* What a channel with a certain policy would make of a target. */
#ifndef MUSTER_TOOLS_POLICY_H
#define MUSTER_TOOLS_POLICY_H

#include <stdint.h>

#include "command.h"

/* EXIT_CODE_OK, or says why there is no such policy. */
exit_code policy_find(const char *policy);

/* Opens a channel (which connects nothing) on target with policy, and passes
 * what the library has to say of the two on to stderr: that the policy ignores
 * weights that differ, for one. */
exit_code policy_check(const char *target, const char *policy,
                       uint64_t timeout_ms);

#endif
