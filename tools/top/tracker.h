/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a process again and again, and keeps what it said last. */
#ifndef MUSTER_TOOLS_TOP_TRACKER_H
#define MUSTER_TOOLS_TOP_TRACKER_H

#include <stdint.h>

#include "../admin/admin_client.h"
#include "snapshot.h"

typedef struct top_tracker {
    const char *path;
    uint64_t timeout_ms;
    top_order order;
    admin_client *client;   /* NULL: not connected */
    top_snapshot *snapshot; /* NULL: there was no answer yet */
} top_tracker;

/* Asks once, and connects before when need be. On success snapshot is new, with
 * the rates since the one before, and sorted; else it stays, and err says why.
 * As admin_client_create() and admin_client_ask(). */
muster_status top_tracker_ask(top_tracker *self, muster_error *err);

void top_tracker_sort(top_tracker *self, top_order order);

void top_tracker_fini(top_tracker *self);

#endif
