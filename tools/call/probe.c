/* SPDX-License-Identifier: Apache-2.0 */
/* Makes one health check. */
#include "probe.h"

#include <stdio.h>

#include <status_code_name.h>

#include <muster/muster.h>

#include "../../core/grpc/health_message.h"
#include "request.h"

static void read_health(const muster_call_result *result,
                        probe_result *ret_result)
{
    const int status = muster__grpc_health_status(result->response);

    ret_result->is_answered = true;
    ret_result->has_health = true;
    ret_result->is_serving = status == MUSTER__GRPC_SERVING;
    (void)snprintf(ret_result->text, sizeof ret_result->text, "%s",
                   muster__grpc_health_name(status));
}

/* A server that does not know the method says so, as one that knows it and
 * fails does: then it has answered. */
static void read_result(const char *target, const muster_call_result *result,
                        probe_result *ret_result)
{
    ret_result->latency_ms = (double)result->latency_ns / 1e6;
    if (result->status == GRPC_STATUS_OK) {
        read_health(result, ret_result);
        return;
    }
    ret_result->is_answered = (result->flags & MUSTER_OUTCOME_FROM_SERVER) != 0;
    ret_result->has_health = result->status != GRPC_STATUS_UNIMPLEMENTED;
    (void)snprintf(ret_result->text, sizeof ret_result->text, "%s: %s",
                   muster__status_code_name((int)result->status),
                   request_reason(target, result));
}

static void check(const request *sent, const char *target,
                  muster_channel *channel, probe_result *ret_result)
{
    muster_call_options options = sent->call;
    muster_call_result result = {.struct_size = sizeof result};
    grpc_byte_buffer *message = muster__grpc_health_request("");
    muster_call *call = NULL;

    options.deadline_ns = request_deadline_ns(sent, request_now_ns());
    if (muster_call_create(channel, "/grpc.health.v1.Health/Check", &options,
                           &call, NULL) == MUSTER_OK &&
        muster_call_unary(call, message) == MUSTER_OK) {
        muster_call_get_result(call, &result);
        read_result(target, &result, ret_result);
    }
    muster_call_destroy(call);
    grpc_byte_buffer_destroy(message);
}

void probe_health(const char *address, const char *authority,
                  const tls_paths *tls, uint64_t timeout_ms,
                  probe_result *ret_result)
{
    muster_channel *channel = NULL;
    char target[512];
    muster_error err;
    request sent;

    *ret_result = (probe_result){.text = "out of memory"};
    request_init(&sent);
    sent.timeout_ms = timeout_ms;
    sent.how.tls = *tls;
    sent.how.tls.authority = authority;
    (void)snprintf(target, sizeof target, "static:///%s", address);
    if (connecting_create_channel(&sent.how, target, NULL, &channel, &err) !=
        MUSTER_OK) {
        (void)snprintf(ret_result->text, sizeof ret_result->text, "%s",
                       err.message);
    } else {
        check(&sent, target, channel, ret_result);
        muster_channel_destroy(channel);
    }
    request_release(&sent);
}

const char *probe_grpc_version(void)
{
    return grpc_version_string();
}
