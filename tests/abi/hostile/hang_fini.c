/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that hangs when it is ended. */
#include <muster/plugin.h>

#include "any_policy.h"
#include "hang.h"

static void hanging_fini(void *shared)
{
    (void)shared;
    hang();
}

ANY_POLICY("hang_fini");

MUSTER_PLUGIN(hang_fini, "hang_fini\0balancer:hang_fini\0",
              .fini = hanging_fini, .balancers = classes, .n_balancers = 1);
