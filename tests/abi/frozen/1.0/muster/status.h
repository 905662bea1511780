/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_STATUS_H
#define MUSTER_STATUS_H

#include <stdarg.h>
#include <stdio.h>

#include <muster/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One list, three uses: the enum, muster_status_name(), muster_status_text().
 * Numbers are part of the plugin ABI: they are only ever appended. */
#define MUSTER_STATUS_MAP(X)                                                   \
    X(OK, 0, "success")                                                        \
    X(NOMEM, 1, "out of memory")                                               \
    X(INVAL, 2, "invalid argument, option or configuration")                   \
    X(NOTFOUND, 3, "no such scheme, policy or name")                           \
    X(UNAVAILABLE, 4, "unreachable or failing; may come back")                 \
    X(PROTOCOL, 5, "the source answered something malformed")                  \
    X(ABI, 6, "plugin refused: wrong ABI, architecture or content")            \
    X(CLOSED, 7, "the object is closed or shutting down")                      \
    X(FORKED, 8, "the process forked; muster works in the parent only")        \
    X(WOULD_DEADLOCK, 9, "a blocking call on the control thread")              \
    X(TIMEOUT, 10, "the deadline passed")                                      \
    X(QUEUED, 11, "no endpoint is ready yet; the caller may wait")             \
    X(EXHAUSTED, 12, "a limit is reached")                                     \
    X(CANCELLED, 13, "cancelled by the caller")                                \
    X(REFUSED, 14, "connection refused or reset by the source")                \
    X(PERMISSION, 15, "not permitted: owner, mode or credentials")             \
    X(BUSY, 16, "still in use")                                                \
    X(UNSUPPORTED, 17, "not supported here")

typedef enum muster_status {
#define X(name, value, text) MUSTER_##name = (value),
    MUSTER_STATUS_MAP(X)
#undef X
} muster_status;

/* Detail for people. Lives on the caller's stack: nothing to free. Functions
 * that take one accept NULL unless they say otherwise, write it only when they
 * fail, and name what failed, on what, and why. */
typedef struct muster_error {
    muster_status code;
    char message[504]; /* UTF-8, always NUL-terminated */
    int grpc_status;   /* what a policy failed a call with: a grpc_status_code
                          (never OK); else 0 */
} muster_error;

/* "NOMEM" for MUSTER_NOMEM; "UNKNOWN" for a number that is none of ours.
 * Thread: any. The string is static. */
MUSTER_API const char *muster_status_name(muster_status status);

/* "out of memory" for MUSTER_NOMEM. Thread: any. The string is static. */
MUSTER_API const char *muster_status_text(muster_status status);

/* Fills err when it is not NULL and returns code, so that a function fails in
 * one line: return muster_error_set(err, MUSTER_INVAL, "...", ...). Inline,
 * because a plugin has no undefined muster symbol. Thread: any. */
MUSTER_FORMAT_(3, 4)
static inline muster_status
muster_error_set(muster_error *err, muster_status code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;

        va_start(args, format);
        err->code = code;
        err->grpc_status = 0;
        (void)vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}

#ifdef __cplusplus
}
#endif

#endif
