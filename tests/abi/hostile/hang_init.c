/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that hangs when it is started. */
#include <muster/plugin.h>

#include "any_policy.h"
#include "hang.h"

static muster_status hanging_init(const muster_plugin_host *host, void *ctx,
                                  void **ret_shared, muster_error *err)
{
    (void)host;
    (void)ctx;
    (void)err;
    hang();
    *ret_shared = NULL;
    return MUSTER_OK;
}

ANY_POLICY("hang_init");

MUSTER_PLUGIN(hang_init, "hang_init\0balancer:hang_init\0",
              .init = hanging_init, .balancers = classes, .n_balancers = 1);
