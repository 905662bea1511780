/* SPDX-License-Identifier: Apache-2.0 */
#include "failure.h"

#include "request.h"

exit_code failure_of_call(const char *target, const muster_call_result *result)
{
    return command_fail(
        (exit_code)(EXIT_CODE_GRPC_STATUS + (int)result->status), target,
        request_reason(target, result));
}
