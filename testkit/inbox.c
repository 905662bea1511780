/* SPDX-License-Identifier: Apache-2.0 */
/* Takes reports from any thread, and keeps the list that they add up to. */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>

void testkit_inbox_init(testkit_inbox *inbox)
{
    memset(inbox, 0, sizeof *inbox);
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    inbox->last = &inbox->first;
    inbox->seen.struct_size = (uint32_t)sizeof inbox->seen;
    inbox->seen.failure_message = "";
    inbox->seen.log_message = "";
}

testkit_inbox_item *testkit_inbox_item_create(testkit_inbox_type type)
{
    testkit_inbox_item *item = calloc(1, sizeof *item);

    if (item != NULL) {
        item->type = type;
    }
    return item;
}

void testkit_inbox_item_destroy(testkit_inbox_item *item)
{
    if (item == NULL) {
        return;
    }
    testkit_copies_fini(&item->upserted);
    testkit_copies_fini(&item->removed);
    free(item->text);
    free(item);
}

void testkit_inbox_fini(testkit_inbox *inbox)
{
    while (inbox->first != NULL) {
        testkit_inbox_item *item = inbox->first;

        inbox->first = item->next;
        testkit_inbox_item_destroy(item);
    }
    testkit_inbox_item_destroy(inbox->report);
    testkit_inbox_item_destroy(inbox->delta);
    testkit_inbox_item_destroy(inbox->failure);
    testkit_inbox_item_destroy(inbox->log);
    testkit_copies_fini(&inbox->list);
    (void)pthread_mutex_destroy(&inbox->mutex);
}

uint64_t testkit_inbox_put(testkit_inbox *inbox, testkit_inbox_item *item)
{
    uint64_t sequence = 0;

    (void)pthread_mutex_lock(&inbox->mutex);
    if (item->type == INBOX_REPORT || item->type == INBOX_DELTA) {
        sequence = ++inbox->sequence;
    }
    item->sequence = sequence;
    *inbox->last = item;
    inbox->last = &item->next;
    (void)pthread_mutex_unlock(&inbox->mutex);
    return sequence;
}

static void replace(testkit_inbox_item **at, testkit_inbox_item *item)
{
    testkit_inbox_item_destroy(*at);
    *at = item;
}

/* The report's endpoints become the list. */
static void fold_report(testkit_inbox *inbox, testkit_inbox_item *item)
{
    muster_testkit_resolver_seen *seen = &inbox->seen;

    testkit_copies_fini(&inbox->list);
    inbox->list = item->upserted;
    item->upserted = (testkit_copies){NULL, 0, 0};
    replace(&inbox->report, item);
    seen->flags = item->flags;
    seen->service_config = item->text;
    seen->sequence = item->sequence;
    seen->n_reports++;
}

static muster_status fold_delta(testkit_inbox *inbox, testkit_inbox_item *item)
{
    muster_testkit_resolver_seen *seen = &inbox->seen;
    muster_status status = MUSTER_OK;

    for (size_t i = 0; i < item->removed.n; i++) {
        testkit_copies_remove(&inbox->list, &item->removed.endpoints[i]);
    }
    for (size_t i = 0; i < item->upserted.n && status == MUSTER_OK; i++) {
        status =
            testkit_copies_upsert(&inbox->list, &item->upserted.endpoints[i]);
    }
    replace(&inbox->delta, item);
    seen->upserted = item->upserted.endpoints;
    seen->n_upserted = item->upserted.n;
    seen->removed = item->removed.endpoints;
    seen->n_removed = item->removed.n;
    seen->sequence = item->sequence;
    seen->n_deltas++;
    return status;
}

static muster_status fold_item(testkit_inbox *inbox, testkit_inbox_item *item)
{
    muster_testkit_resolver_seen *seen = &inbox->seen;

    switch (item->type) {
    case INBOX_REPORT:
        fold_report(inbox, item);
        return MUSTER_OK;
    case INBOX_DELTA:
        return fold_delta(inbox, item);
    case INBOX_FAILURE:
        replace(&inbox->failure, item);
        seen->failure = item->status;
        seen->failure_message = item->text;
        seen->n_failures++;
        return MUSTER_OK;
    case INBOX_LOG:
        replace(&inbox->log, item);
        seen->log_level = item->level;
        seen->log_message = item->text;
        seen->n_logs++;
        return MUSTER_OK;
    }
    return MUSTER_INVAL;
}

muster_status testkit_inbox_fold(testkit_inbox *inbox)
{
    muster_status status = MUSTER_OK;
    testkit_inbox_item *item;

    (void)pthread_mutex_lock(&inbox->mutex);
    item = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    (void)pthread_mutex_unlock(&inbox->mutex);
    while (item != NULL) {
        testkit_inbox_item *next = item->next;

        if (fold_item(inbox, item) != MUSTER_OK) {
            status = MUSTER_NOMEM;
        }
        item = next;
    }
    inbox->seen.endpoints = inbox->list.endpoints;
    inbox->seen.n_endpoints = inbox->list.n;
    return status;
}
