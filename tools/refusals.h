/* SPDX-License-Identifier: Apache-2.0 */
/* Why a scheme is unknown: perhaps its plugin is there, and is refused. */
#ifndef MUSTER_TOOLS_REFUSALS_H
#define MUSTER_TOOLS_REFUSALS_H

#include <stdbool.h>

/* Whether a plugin that seems to be made for target's scheme is refused; says
 * on stderr why. */
bool refusals_tell(const char *target);

#endif
