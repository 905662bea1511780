/* SPDX-License-Identifier: Apache-2.0 */
/* A host name looked up for a plugin: a subscription to the target dns:///NAME,
 * shared like any other, that lasts until its first list or failure. Thread:
 * control, all of it. */
#ifndef MUSTER_CORE_NAME_LOOKUP_H
#define MUSTER_CORE_NAME_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include <muster/status.h>

typedef struct muster__name_lookup muster__name_lookup;

/* As muster_plugin_host.resolve() says. */
typedef void (*muster__name_lookup_fn)(void *arg, muster_status status,
                                       const char *const *addresses,
                                       size_t n_addresses);

/* Begins one, into *list: fn is called once, later, unless it is cancelled
 * before. name is copied; who, the asking plugin, lives as long as the list.
 * MUSTER_NOMEM, MUSTER_UNAVAILABLE (no thread). */
muster_status muster__name_lookup_start(muster__name_lookup **list,
                                        const char *who, const char *name,
                                        muster__name_lookup_fn fn, void *arg);

/* Empties the list: no fn of it is called any more. */
void muster__name_lookup_cancel_all(muster__name_lookup **list);

/* Whether there is any in the process: pending, or over but still waiting for a
 * worker or for its resolver to stop. */
bool muster__name_lookup_is_any(void);

#endif
