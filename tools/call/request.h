/* SPDX-License-Identifier: Apache-2.0 */
/* What calls send, and over what channel: the options of every verb that makes
 * calls. */
#ifndef MUSTER_TOOLS_CALL_REQUEST_H
#define MUSTER_TOOLS_CALL_REQUEST_H

#include <argp.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "../command.h"
#include "../tls.h"
#include "message_list.h"

enum { REQUEST_MAX_HEADERS = 64 };

typedef struct request {
    uint64_t timeout_ms; /* of each call */
    message_list messages;
    muster_call_options call; /* its deadline is for each call to be set */
    grpc_metadata headers[REQUEST_MAX_HEADERS];
    const char *policy; /* NULL: the service config's */
    char *policy_name;  /* of a policy with settings; else NULL */
    const char *policy_settings;
    const char *config; /* a file */
    tls_paths tls;
} request;

/* A verb's parser sets its input (a request) at ARGP_KEY_INIT. */
extern const struct argp request_argp;

/* The defaults; starts gRPC. */
void request_init(request *self);
void request_release(request *self);

/* A channel to target. Says on stderr what fails. *ret_channel is the
 * caller's. */
exit_code request_open(const request *self, const char *target,
                       muster_channel **ret_channel);

/* The same, quietly; config is the text of a service config, or NULL. */
muster_status request_create(const request *self, const char *target,
                             const char *config, muster_channel **ret_channel,
                             muster_error *err);

/* CLOCK_MONOTONIC, and when a call that begins at now_ns is to end. */
uint64_t request_now_ns(void);
uint64_t request_deadline_ns(const request *self, uint64_t now_ns);

/* Without target in front, which what does not come from the server names
 * already; the status by name when a server said nothing. */
const char *request_reason(const char *target,
                           const muster_call_result *result);

#endif
