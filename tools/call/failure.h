/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a call that did not end OK. */
#ifndef MUSTER_TOOLS_CALL_FAILURE_H
#define MUSTER_TOOLS_CALL_FAILURE_H

#include <muster/grpc.h>

#include "../command.h"

/* Says it; 64 + N. */
exit_code failure_of_call(const char *target, const muster_call_result *result);

#endif
