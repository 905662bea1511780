/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin whose constructor calls the program that loads it, which calls
 * muster. */
#include <muster/plugin.h>

#include <dlfcn.h>
#include <string.h>

#include "any_policy.h"

__attribute__((constructor)) static void call_program(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "test_called_by_constructor");
    void (*hook)(void);

    if (symbol != NULL) {
        memcpy(&hook, &symbol, sizeof hook);
        hook();
    }
}

ANY_POLICY("reentrant_first");

MUSTER_PLUGIN(reentrant, "reentrant\0balancer:reentrant_first\0",
              .balancers = classes, .n_balancers = 1);
