/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin's two policies share beside their levels. */
#ifndef MUSTER_BALANCERS_PRIORITY_PRIORITY_H
#define MUSTER_BALANCERS_PRIORITY_PRIORITY_H

#include <muster/plugin.h>

#include "../groups_table.h"
#include "levels.h"

/* Whether weights are heeded, the child's policy says. */
#define PRIORITY_FLAGS                                                         \
    (MUSTER_BALANCER_PRIORITY_AWARE | MUSTER_BALANCER_USES_WEIGHTS |           \
     MUSTER_BALANCER_PICKS_WHEN_EMPTY)

extern const muster_balancer_class muster__priority_load_class;

#endif
