/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a table may be built later. Thread: control. */
#ifndef MUSTER_CORE_PUT_OFF_H
#define MUSTER_CORE_PUT_OFF_H

#include <stdbool.h>

#include "policy.h"

/* policy serves, wants a table, and had one so short a time ago that the next
 * had better wait. When it may, whoever begins to wait for a picker is heard
 * of: muster__publisher_hurry(). */
bool muster__may_put_off(muster_channel *channel, const muster__policy *policy);

#endif
