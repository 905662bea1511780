/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a policy of the endpoints, and doing what it wants of them. Thread:
 * control. */
#ifndef MUSTER_CORE_POLICY_UPDATE_H
#define MUSTER_CORE_POLICY_UPDATE_H

#include <stdbool.h>

#include "policy.h"
#include "subchannel.h"

/* Calls update() when is_update, and want(), whose answer is heeded at once:
 * what it means for the view is looked at soon. False when memory lacks, and
 * nothing was called. */
bool muster__policy_update(muster_channel *channel, muster__policy *policy,
                           bool is_update);

/* MUSTER_BACKEND_... of it. */
uint32_t muster__policy_flags_of(const muster__subchannel *subchannel);

#endif
