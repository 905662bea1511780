/* SPDX-License-Identifier: Apache-2.0 */
/* The options of verbs that ask a process, the common ones included. */
#ifndef MUSTER_TOOLS_SOCKET_OPTIONS_H
#define MUSTER_TOOLS_SOCKET_OPTIONS_H

#include <argp.h>
#include <stdint.h>

#include "../command.h"
#include "../options.h"
#include "admin_client.h"

typedef struct socket_options {
    options common;
    const char *socket; /* as it was given, or NULL */
    uint64_t timeout_ms;
} socket_options;

/* The defaults: MUSTER_ADMIN, and 5 s. */
void socket_options_init(socket_options *self);

/* A verb's parser sets its input (a socket_options) at ARGP_KEY_INIT; and the
 * children of a verb's argp that has no others. */
#define SOCKET_OPTIONS_HEADER "The process:"
extern const struct argp socket_options_argp;
extern const struct argp_child socket_options_children[];

/* Connects to the process that was named. What fails is said on stderr.
 * *ret_path is borrowed, *ret_client the caller's. */
exit_code socket_options_connect(const socket_options *self,
                                 const char **ret_path,
                                 admin_client **ret_client);

/* Says on stderr why the process at path could not be asked. */
exit_code socket_options_fail(const char *path, muster_status status,
                              const muster_error *err);

#endif
