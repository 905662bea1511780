/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a process again and again. */
#include "tracker.h"

static void take(top_tracker *self, top_snapshot *snapshot)
{
    top_snapshot_compare(snapshot, self->snapshot);
    top_snapshot_sort(snapshot, self->order);
    top_snapshot_destroy(self->snapshot);
    self->snapshot = snapshot;
}

static muster_status ask(top_tracker *self, muster_error *err)
{
    json_t *answer = NULL;
    top_snapshot *snapshot = NULL;
    muster_status status =
        admin_client_ask_channels(self->client, self->timeout_ms, &answer, err);

    if (status == MUSTER_OK) {
        status = top_snapshot_parse(answer, &snapshot, err);
    }
    json_decref(answer);
    if (status == MUSTER_OK) {
        take(self, snapshot);
    }
    return status;
}

muster_status top_tracker_ask(top_tracker *self, muster_error *err)
{
    muster_status status = MUSTER_OK;

    if (self->client == NULL) {
        status = admin_client_create(self->path, &self->client, err);
    }
    if (status == MUSTER_OK) {
        status = ask(self, err);
    }
    if (status != MUSTER_OK) {
        admin_client_destroy(self->client);
        self->client = NULL;
    }
    return status;
}

void top_tracker_sort(top_tracker *self, top_order order)
{
    self->order = order;
    if (self->snapshot != NULL) {
        top_snapshot_sort(self->snapshot, order);
    }
}

void top_tracker_fini(top_tracker *self)
{
    admin_client_destroy(self->client);
    top_snapshot_destroy(self->snapshot);
    self->client = NULL;
    self->snapshot = NULL;
}
