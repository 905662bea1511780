/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy a channel has, and going from one to the next without a gap.
 * Thread: control. */
#ifndef MUSTER_CORE_POLICY_CHOICE_H
#define MUSTER_CORE_POLICY_CHOICE_H

#include "policy.h"

/* Chooses the application's policy, else the service config's, else by
 * behaviour rule 13. MUSTER_OK, or why the policy cannot be made (the old one
 * stays). After a change the old one serves on, as the publisher's former,
 * while what the new one wants only begins to connect. */
muster_status muster__policy_choose(muster_channel *channel, muster_error *err);

/* The fn of the timer that bounds how long a former policy serves. */
void muster__policy_former_timeout(void *channel);

/* The policy was told: lets the former go when it is not needed any more. */
void muster__policy_settle(muster_channel *channel);

#endif
