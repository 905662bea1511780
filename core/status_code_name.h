/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's status codes by name (github.com/grpc/grpc doc/statuscodes.md). Header
 * only, so that the command and the tests can use it without a symbol of the
 * core's. */
#ifndef MUSTER_CORE_STATUS_CODE_NAME_H
#define MUSTER_CORE_STATUS_CODE_NAME_H

#include <stddef.h>

enum { MUSTER__N_STATUS_CODES = 17 };

/* "UNAVAILABLE" for 14; NULL: it is no code. Thread: any. */
static inline const char *muster__status_code_name(int code)
{
    static const char *const names[MUSTER__N_STATUS_CODES] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };

    return code >= 0 && code < MUSTER__N_STATUS_CODES ? names[code] : NULL;
}

#endif
