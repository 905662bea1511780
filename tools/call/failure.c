/* SPDX-License-Identifier: Apache-2.0 */
#include "failure.h"

#include <string.h>

#include <status_code_name.h>

/* What does not come from the server names the target already: "TARGET: ..." or
 * "target TARGET: ...". A server need not say anything. */
static const char *reason(const char *target, const muster_call_result *result)
{
    static const char prefix[] = "target ";
    const size_t n = strlen(target);
    const char *message = result->message;
    const char *at = message;

    if (strncmp(at, prefix, sizeof prefix - 1) == 0) {
        at += sizeof prefix - 1;
    }
    if (strncmp(at, target, n) == 0 && strncmp(at + n, ": ", 2) == 0) {
        message = at + n + 2;
    }
    return message[0] != '\0' ? message
                              : muster__status_code_name((int)result->status);
}

exit_code failure_of_call(const char *target, const muster_call_result *result)
{
    return command_fail(
        (exit_code)(EXIT_CODE_GRPC_STATUS + (int)result->status), target,
        reason(target, result));
}
