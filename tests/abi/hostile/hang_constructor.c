/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose constructor hangs. */
#include <muster/plugin.h>

#include "any_policy.h"
#include "hang.h"

__attribute__((constructor)) static void hang_at_once(void)
{
    hang();
}

ANY_POLICY("hang_constructor");

MUSTER_PLUGIN(hang_constructor, "hang_constructor\0balancer:hang_constructor\0",
              .balancers = classes, .n_balancers = 1);
