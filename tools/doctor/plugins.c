/* SPDX-License-Identifier: Apache-2.0 */
/* The plugins that would be loaded, by their notes: none of them is run. */
#include <string.h>

#include <muster/plugin.h>

#include "doctor.h"

static void check(void *arg, const muster_plugin_info *info)
{
    doctor *self = arg;

    if (info->path[0] == '\0') {
        return; /* compiled in */
    }
    if (info->refusal != NULL) {
        /* It names the file. */
        doctor_report(self, VERDICT_FAILURE, "plugin",
                      info->name[0] != '\0' ? info->name : NULL,
                      "\"muster plugins check FILE\" tells more; take it out "
                      "of the folder if nobody needs it",
                      "%s", info->refusal);
    } else {
        doctor_report(self, VERDICT_OK, "plugin", info->name, NULL,
                      "%s (ABI %u.%u)", info->path, (unsigned)info->abi_major,
                      (unsigned)info->abi_minor);
    }
}

void doctor_check_plugins(doctor *self)
{
    const size_t n_before = json_array_size(self->checks);
    const muster_status status = muster_plugin_list(check, self);

    if (status != MUSTER_OK) {
        doctor_report(self, VERDICT_FAILURE, "plugins", NULL, NULL, "%s",
                      muster_status_text(status));
    } else if (json_array_size(self->checks) == n_before) {
        doctor_report(self, VERDICT_OK, "plugins", NULL, NULL,
                      "only those that are compiled in");
    }
}
