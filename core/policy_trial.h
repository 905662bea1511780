/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a policy takes a configuration: made without a channel, and let go at
 * once. */
#ifndef MUSTER_CORE_POLICY_TRIAL_H
#define MUSTER_CORE_POLICY_TRIAL_H

#include <muster/status.h>

/* MUSTER_OK; MUSTER_NOTFOUND: no plugin has such a policy; MUSTER_INVAL and the
 * like: it refuses config_json; what the registry and muster__request_run()
 * answer. err is never NULL. Thread: any. */
muster_status muster__policy_try(const char *name, const char *config_json,
                                 muster_error *err);

#endif
