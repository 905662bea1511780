/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS and :authority call a target. */
#include "target.h"

#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "registry.h"
#include "sized.h"

/* As resolver.h promises: a DNS name with its port fits. */
#define BUFFER_SIZE 512

muster_status muster__target_authority(const muster__target *target,
                                       char **ret_authority)
{
    char buffer[BUFFER_SIZE] = "";
    muster_resolver_class class_;
    char *authority = NULL;
    muster_status status;

    muster__sized_read(&class_, sizeof class_, target->resolver);
    if (class_.authority != NULL) {
        muster__loop_enter_plugin(muster__plugin_name(target->plugin),
                                  "authority()");
        status = class_.authority(target->path, buffer, sizeof buffer);
        muster__loop_leave_plugin();
        buffer[sizeof buffer - 1] = '\0';
        if (status == MUSTER_OK && buffer[0] != '\0') {
            authority = strdup(buffer);
            if (authority == NULL) {
                return MUSTER_NOMEM;
            }
        }
    }
    *ret_authority = authority;
    return MUSTER_OK;
}
