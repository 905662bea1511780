/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSTER_WATCH_H
#define MUSTER_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include <muster/endpoint.h>
#include <muster/export.h>
#include <muster/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Discovery without connections: a list of endpoints, kept current. */

typedef struct muster_watch muster_watch;

typedef enum muster_watch_type {
    MUSTER_WATCH_LIST =
        0, /* the list changed, or is known for the first time */
    MUSTER_WATCH_ERROR =
        1,                 /* the source failed; the list stays, and is stale */
    MUSTER_WATCH_FRESH = 2 /* the source answers again; the list is the same */
} muster_watch_type;

/* All of it is borrowed for the callback. */
typedef struct muster_watch_event {
    uint32_t struct_size;
    muster_watch_type type;
    const muster_endpoint *endpoints; /* the current list, also on ERROR */
    size_t n_endpoints;
    uint64_t generation;        /* of the list; 0: there is none yet */
    uint64_t age_ms;            /* since the source last confirmed the list */
    const char *service_config; /* JSON, or NULL */
    muster_status status;       /* of an ERROR; else MUSTER_OK */
    const char *message;        /* of an ERROR; else "" */
    int is_held; /* the source says the list is empty; a hold keeps this one */
    uint32_t endpoint_size; /* the stride of endpoints */
} muster_watch_event;

/* One of event's endpoints, index being below n_endpoints, whatever their
 * stride: a library that is newer than the program may have longer ones. */
static inline const muster_endpoint *
muster_watch_event_endpoint(const muster_watch_event *event, size_t index)
{
    const void *at =
        (const char *)event->endpoints + index * event->endpoint_size;

    return (const muster_endpoint *)at;
}

/* Thread: control. May call any function of muster that does not block, and
 * muster_watch_destroy() of its own watch. */
typedef void (*muster_watch_event_fn)(void *arg,
                                      const muster_watch_event *event);

/* Starts watching target (core/TARGETS.md has the grammar). fn is called first
 * when there is a list or an error. Thread: any. *ret_watch is the caller's.
 * Errors: as those of muster_channel_create(); err (may be NULL) says why. */
MUSTER_API muster_status muster_watch_create(const char *target,
                                             muster_watch_event_fn fn,
                                             void *arg,
                                             muster_watch **ret_watch,
                                             muster_error *err);

/* A hint that the list looks stale; rate-limited. Thread: any. */
MUSTER_API void muster_watch_refresh(muster_watch *watch);

/* Ends the watch. Thread: any. fn is not running and will not run after it
 * returns; called inside fn it returns at once and takes effect after it. NULL
 * is ignored. */
MUSTER_API void muster_watch_destroy(muster_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
