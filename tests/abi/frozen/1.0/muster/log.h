/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_LOG_H
#define MUSTER_LOG_H

#include <muster/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum muster_log_level {
    MUSTER_LOG_ERROR = 0,
    MUSTER_LOG_WARNING = 1,
    MUSTER_LOG_INFO = 2,
    MUSTER_LOG_DEBUG = 3
} muster_log_level;

/* Receives one event a call: a line without a newline, never a secret. Called
 * on whichever thread saw the event, never with a lock of muster's held. It may
 * be called by several threads at once and must not block. message is borrowed.
 * It must not call muster, but for muster_status_name() and its like. */
typedef void (*muster_log_fn)(void *arg, muster_log_level level,
                              const char *message);

/* Chooses where events go, for the whole process. fn NULL (the default) drops
 * them. Events above level are dropped before they are formatted. More than 20
 * lines a second from one place are counted instead and reported once in a
 * line "N more like the last", ahead of the next line from there. Thread: any;
 * after it returns the former fn may still be running on another thread, so
 * keep its arg alive. In a fork child it does nothing. */
MUSTER_API void muster_log_set(muster_log_fn fn, void *arg,
                               muster_log_level level);

/* A ready fn for muster_log_set(): writes "muster LEVEL message" to stderr. arg
 * is not used. */
MUSTER_API void muster_log_to_stderr(void *arg, muster_log_level level,
                                     const char *message);

#ifdef __cplusplus
}
#endif

#endif
