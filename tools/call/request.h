/* SPDX-License-Identifier: Apache-2.0 */
/* What calls send, and over what channel: the options of every verb that makes
 * calls. */
#ifndef MUSTER_TOOLS_CALL_REQUEST_H
#define MUSTER_TOOLS_CALL_REQUEST_H

#include <argp.h>
#include <stdint.h>

#include <muster/grpc.h>

#include "connecting.h"
#include "message_list.h"

enum { REQUEST_MAX_HEADERS = 64 };

typedef struct request {
    uint64_t timeout_ms; /* of each call */
    message_list messages;
    muster_call_options call; /* its deadline is for each call to be set */
    grpc_metadata headers[REQUEST_MAX_HEADERS];
    connecting how;
} request;

/* A verb's parser sets its input (a request) at ARGP_KEY_INIT. */
extern const struct argp request_argp;

/* The defaults; starts gRPC. */
void request_init(request *self);
void request_release(request *self);

/* CLOCK_MONOTONIC, and when a call that begins at now_ns is to end. */
uint64_t request_now_ns(void);
uint64_t request_deadline_ns(const request *self, uint64_t now_ns);

/* Without target in front, which what does not come from the server names
 * already; the status by name when a server said nothing. */
const char *request_reason(const char *target,
                           const muster_call_result *result);

#endif
