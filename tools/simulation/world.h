/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a scenario with one policy, in virtual time. */
#ifndef MUSTER_TOOLS_WORLD_H
#define MUSTER_TOOLS_WORLD_H

#include "fleet.h"
#include "policies.h"

/* All calls, in the order in which they began. The calls are the caller's to
 * free, whatever this answers. What the policy's create() answers,
 * MUSTER_NOMEM, and MUSTER_INVAL when it breaks a rule of the ABI. */
muster_status world_play(const scenario *plan, const policies *known,
                         const policy_choice *choice, fleet_calls *ret_calls,
                         muster_error *err);

#endif
