/* SPDX-License-Identifier: Apache-2.0 */
/* One thing a resolver said, checked and copied on the thread that said it. */
#include "resolver_report.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* The smallest structs that any ABI so far has had. */
#define UPDATE_SIZE_MIN (offsetof(muster_update, reserved) + sizeof(uint32_t))
#define DELTA_SIZE_MIN (offsetof(muster_delta, n_removed) + sizeof(size_t))

#define KNOWN_UPDATE_FLAGS ((uint32_t)MUSTER_UPDATE_EMPTY_IS_FINAL)

typedef muster_status copy_fn(const muster_endpoint *endpoints, size_t n,
                              size_t stride, muster__list **ret_list,
                              muster_error *err);

static muster_status copy_endpoints(copy_fn *copy,
                                    const muster_endpoint *endpoints, size_t n,
                                    size_t stride, const char *what,
                                    muster__list **ret_list, muster_error *err)
{
    if (n > 0 && endpoints == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%zu %s endpoints at a null pointer", n, what);
    }
    if (n > 0 && (stride < sizeof(const char *) ||
                  stride % alignof(muster_endpoint) != 0)) {
        return muster_error_set(err, MUSTER_INVAL,
                                "endpoint_size %zu is no size of an endpoint",
                                stride);
    }
    if (n > 0 && n > SIZE_MAX / stride) {
        return muster_error_set(err, MUSTER_INVAL,
                                "%zu endpoints do not fit into memory", n);
    }
    return copy(endpoints, n, n > 0 ? stride : sizeof(muster_endpoint),
                ret_list, err);
}

static muster_status copy_text(const char *text, char **ret_copy,
                               muster_error *err)
{
    char *copy;

    if (text == NULL) {
        return MUSTER_OK;
    }
    copy = strdup(text);
    if (copy == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "out of memory for a service config");
    }
    *ret_copy = copy;
    return MUSTER_OK;
}

static muster_status create_report(muster__report_kind kind,
                                   muster__report **ret_report,
                                   muster_error *err)
{
    muster__report *report = calloc(1, sizeof *report);

    if (report == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "out of memory for a report");
    }
    report->kind = kind;
    *ret_report = report;
    return MUSTER_OK;
}

/* What has no meaning yet is refused, so that it can get one. */
static muster_status check_update(const muster_update *update,
                                  muster_error *err)
{
    if (update == NULL || update->struct_size < UPDATE_SIZE_MIN) {
        return muster_error_set(err, MUSTER_INVAL,
                                "an update without its fields");
    }
    if ((update->flags & ~KNOWN_UPDATE_FLAGS) != 0 || update->reserved != 0) {
        return muster_error_set(err, MUSTER_INVAL,
                                "an update with flags that do not exist");
    }
    return MUSTER_OK;
}

muster_status muster__report_create_list(const muster_update *update,
                                         muster__report **ret_report,
                                         muster_error *err)
{
    muster__report *report = NULL;
    muster_status status = check_update(update, err);

    if (status == MUSTER_OK) {
        status = create_report(MUSTER__REPORT_LIST, &report, err);
    }
    if (status != MUSTER_OK) {
        return status;
    }
    report->flags = update->flags;
    status = copy_endpoints(muster__list_copy, update->endpoints,
                            update->n_endpoints, update->endpoint_size,
                            "listed", &report->upserted, err);
    if (status == MUSTER_OK) {
        status = copy_text(update->service_config, &report->text, err);
    }
    if (status != MUSTER_OK) {
        muster__report_destroy(report);
        return status;
    }
    *ret_report = report;
    return MUSTER_OK;
}

muster_status muster__report_create_delta(const muster_delta *delta,
                                          muster__report **ret_report,
                                          muster_error *err)
{
    muster__report *report = NULL;
    muster_status status;

    if (delta == NULL || delta->struct_size < DELTA_SIZE_MIN) {
        return muster_error_set(err, MUSTER_INVAL,
                                "a delta without its fields");
    }
    status = create_report(MUSTER__REPORT_DELTA, &report, err);
    if (status != MUSTER_OK) {
        return status;
    }
    if (delta->n_upserted > 0) {
        status = copy_endpoints(muster__list_copy, delta->upserted,
                                delta->n_upserted, delta->endpoint_size,
                                "upserted", &report->upserted, err);
    }
    if (status == MUSTER_OK && delta->n_removed > 0) {
        status = copy_endpoints(muster__list_copy_identities, delta->removed,
                                delta->n_removed, delta->endpoint_size,
                                "removed", &report->removed, err);
    }
    if (status != MUSTER_OK) {
        muster__report_destroy(report);
        return status;
    }
    *ret_report = report;
    return MUSTER_OK;
}

muster__report *muster__report_create_failure(muster__report_kind kind,
                                              muster_status status,
                                              const char *message)
{
    muster__report *report = calloc(1, sizeof *report);

    if (report == NULL) {
        return NULL;
    }
    report->kind = kind;
    report->status = status == MUSTER_OK ? MUSTER_UNAVAILABLE : status;
    report->text =
        strndup(message != NULL ? message : muster_status_text(report->status),
                sizeof((muster_error){0}).message - 1);
    if (report->text == NULL) {
        free(report);
        return NULL;
    }
    return report;
}

void muster__report_clear(muster__report *report)
{
    muster__list_destroy(report->upserted);
    muster__list_destroy(report->removed);
    free(report->text);
    report->upserted = NULL;
    report->removed = NULL;
    report->text = NULL;
}

void muster__report_destroy(muster__report *report)
{
    if (report == NULL) {
        return;
    }
    muster__report_clear(report);
    free(report);
}

void muster__report_push(muster__report_queue *queue, muster__report *report)
{
    report->next = NULL;
    if (queue->first == NULL) {
        queue->first = report;
    } else {
        queue->last->next = report;
    }
    queue->last = report;
}

muster__report *muster__report_pop(muster__report_queue *queue)
{
    muster__report *report = queue->first;

    if (report != NULL) {
        queue->first = report->next;
    }
    return report;
}

void muster__report_queue_clear(muster__report_queue *queue)
{
    muster__report *report;

    while ((report = muster__report_pop(queue)) != NULL) {
        muster__report_destroy(report);
    }
}
