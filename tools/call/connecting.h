/* SPDX-License-Identifier: Apache-2.0 */
/* The options that say how a target is connected to, and a channel by them.
 * Knows gRPC, but who includes this need not. */
#ifndef MUSTER_TOOLS_CONNECTING_H
#define MUSTER_TOOLS_CONNECTING_H

#include <argp.h>
#include <muster/channel.h>

#include "../command.h"
#include "../tls.h"

/* All zero: no option. */
typedef struct connecting {
    const char *policy; /* NULL: the service config's */
    char *policy_name;  /* of a policy with settings; else NULL */
    const char *policy_settings;
    const char *config; /* a file */
    char *config_text;  /* in its place; NULL: the file's */
    tls_paths tls;
} connecting;

/* A verb's parser sets its input (a connecting) at ARGP_KEY_INIT. */
extern const struct argp connecting_argp;

void connecting_release(connecting *self);

/* Opens a channel to target; *ret_channel is the caller's. What fails is said
 * on stderr. */
exit_code connecting_open(const connecting *self, const char *target,
                          muster_channel **ret_channel);

/* The same, quietly; config is the text of a service config, or NULL. */
muster_status connecting_create_channel(const connecting *self,
                                        const char *target, const char *config,
                                        muster_channel **ret_channel,
                                        muster_error *err);

#endif
