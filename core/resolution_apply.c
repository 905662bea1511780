/* SPDX-License-Identifier: Apache-2.0 */
/* What a report does to a resolution: keep-last-good, duplicate suppression and
 * the policy for empty lists. */
#include <stdlib.h>
#include <string.h>

#include "log_internal.h"
#include "resolution_internal.h"

/* ---- failures ---- */

static bool is_known_failure(const muster__resolution *resolution,
                             muster_status status, const char *message)
{
    return resolution->has_failure && resolution->failure.code == status &&
           strcmp(resolution->failure.message, message) == 0;
}

static void set_failure(muster__resolution *resolution, muster_status status,
                        const char *message)
{
    if (!is_known_failure(resolution, status, message)) {
        muster__log(MUSTER_LOG_WARNING, "%s: %s", resolution->target->canonical,
                    message);
    }
    resolution->has_failure = true;
    (void)muster_error_set(&resolution->failure, status, "%s", message);
    muster__resolution_deliver_failed(resolution);
}

void muster__resolution_failed(void *owner, muster_status status,
                               const char *message, bool is_refusal)
{
    muster__resolution *resolution = owner;

    if (!is_refusal) {
        resolution->stats.failures++;
        set_failure(resolution, status, message);
        return;
    }
    resolution->stats.updates_refused++;
    if (!is_known_failure(resolution, status, message)) {
        set_failure(resolution, status, message);
    }
}

/* ---- lists that were accepted ---- */

static void forget_hold(muster__resolution *resolution)
{
    resolution->is_source_empty = false;
    muster__timer_stop(resolution->hold_timer);
}

/* Says whether it is another one than before. Takes *config. */
static bool replace_config(muster__resolution *resolution, char **config)
{
    const char *former = resolution->service_config;

    if (*config == NULL ? former == NULL
                        : former != NULL && strcmp(*config, former) == 0) {
        return false;
    }
    free(resolution->service_config);
    resolution->service_config = *config;
    *config = NULL;
    return true;
}

static void accept(muster__resolution *resolution,
                   const muster__changes *changes, bool is_other_config)
{
    bool had_failure = resolution->has_failure;

    if (had_failure) {
        muster__log(MUSTER_LOG_INFO, "%s: the source answers again",
                    resolution->target->canonical);
    }
    resolution->has_failure = false;
    resolution->confirmed_ms = muster__now_ms();
    if (resolution->newcomers != NULL) {
        muster__resolution_post(resolution);
    }
    if (changes->n == 0 && resolution->has_list && !is_other_config) {
        resolution->stats.updates_unchanged++;
        if (had_failure) {
            muster__resolution_deliver_confirmed(resolution);
        }
        return;
    }
    resolution->has_list = true;
    resolution->generation++;
    free(resolution->list);
    resolution->list = NULL;
    muster__resolution_deliver_changed(resolution, changes);
}

/* ---- empty lists ---- */

/* Whether an empty list must not take effect now. */
static bool is_kept(const muster__resolution *resolution, uint32_t flags)
{
    if (muster__set_size(resolution->set) == 0) {
        return false;
    }
    switch (resolution->target->empty) {
    case MUSTER__EMPTY_KEEP:
        return true;
    case MUSTER__EMPTY_HOLD:
        return (flags & MUSTER_UPDATE_EMPTY_IS_FINAL) == 0;
    case MUSTER__EMPTY_ACCEPT:
        break;
    }
    return false;
}

/* The source says there is nothing; what there was goes on, stale. */
static void keep(muster__resolution *resolution)
{
    bool is_hold = resolution->target->empty == MUSTER__EMPTY_HOLD;

    if (resolution->is_source_empty) {
        return;
    }
    resolution->is_source_empty = true;
    if (is_hold) {
        muster__timer_start(resolution->hold_timer,
                            resolution->target->hold_ms);
    }
    set_failure(resolution, MUSTER_UNAVAILABLE,
                is_hold ? "the source says that there are no endpoints; the "
                          "last ones are held for a while"
                        : "the source says that there are no endpoints; the "
                          "last ones are kept");
}

void muster__resolution_end_hold(void *owner)
{
    muster__resolution *resolution = owner;
    muster__list empty = {.n = 0};
    muster__changes changes;

    if (muster__set_apply_list(resolution->set, &empty, &changes) !=
        MUSTER_OK) {
        muster__timer_start(resolution->hold_timer,
                            resolution->target->hold_ms);
        return;
    }
    forget_hold(resolution);
    accept(resolution, &changes, false);
}

/* ---- lists and deltas ---- */

static muster_status apply_list(muster__resolution *resolution,
                                const muster__list *list, uint32_t flags,
                                char **config)
{
    muster__changes changes;
    muster_status status;

    if (list->n == 0 && is_kept(resolution, flags)) {
        keep(resolution);
        return MUSTER_OK;
    }
    status = muster__set_apply_list(resolution->set, list, &changes);
    if (status != MUSTER_OK) {
        return status;
    }
    forget_hold(resolution);
    accept(resolution, &changes,
           config != NULL && replace_config(resolution, config));
    return MUSTER_OK;
}

/* The set as a list, borrowed from it but for the two arrays. */
static muster_status borrow_list(const muster__set *set, muster__list *ret_list)
{
    size_t size = muster__set_size(set);
    uint32_t limit = muster__set_limit(set);
    muster__list list = {.n = 0};

    list.endpoints = malloc((size + 1) * sizeof *list.endpoints);
    list.hashes = malloc((size + 1) * sizeof *list.hashes);
    if (list.endpoints == NULL || list.hashes == NULL) {
        free(list.endpoints);
        free(list.hashes);
        return MUSTER_NOMEM;
    }
    for (uint32_t i = 0; i < limit; i++) {
        const muster__endpoint *endpoint = muster__set_at(set, i);

        if (endpoint != NULL) {
            list.endpoints[list.n] = endpoint->data;
            list.hashes[list.n++] = endpoint->hash;
        }
    }
    *ret_list = list;
    return MUSTER_OK;
}

/* Tries the delta on a copy of the set. */
static muster_status try_delta(const muster__set *set,
                               const muster__list *upserted,
                               const muster__list *removed, bool *ret_is_empty)
{
    muster__list list = {.n = 0};
    muster__set *copy = NULL;
    muster__changes changes;
    muster_status status = borrow_list(set, &list);

    if (status == MUSTER_OK) {
        status = muster__set_create(&copy);
    }
    if (status == MUSTER_OK) {
        status = muster__set_apply_list(copy, &list, &changes);
    }
    if (status == MUSTER_OK) {
        status = muster__set_apply_delta(copy, upserted, removed, &changes);
    }
    if (status == MUSTER_OK) {
        *ret_is_empty = muster__set_size(copy) == 0;
    }
    muster__set_destroy(copy);
    free(list.endpoints);
    free(list.hashes);
    return status;
}

/* Whether the delta would leave nothing, which the policy forbids. Costs
 * nothing but for a delta that removes as many as there are. */
static muster_status would_empty(muster__resolution *resolution,
                                 const muster__list *upserted,
                                 const muster__list *removed,
                                 bool *ret_would_empty)
{
    if (removed == NULL || removed->n < muster__set_size(resolution->set) ||
        !is_kept(resolution, 0)) {
        return MUSTER_OK;
    }
    return try_delta(resolution->set, upserted, removed, ret_would_empty);
}

static muster_status apply_delta(muster__resolution *resolution,
                                 const muster__list *upserted,
                                 const muster__list *removed)
{
    muster__changes changes;
    bool is_empty = false;
    muster_status status =
        would_empty(resolution, upserted, removed, &is_empty);

    if (status != MUSTER_OK) {
        return status;
    }
    if (is_empty) {
        keep(resolution);
        return MUSTER_OK;
    }
    status =
        muster__set_apply_delta(resolution->set, upserted, removed, &changes);
    if (status == MUSTER_OK) {
        accept(resolution, &changes, false);
    }
    return status;
}

/* The source's list is empty, whatever ours is: what the delta adds is all. */
static muster_status apply_delta_to_nothing(muster__resolution *resolution,
                                            const muster__list *upserted,
                                            const muster__list *removed)
{
    muster_status status;

    if (upserted == NULL) {
        return MUSTER_OK;
    }
    status = apply_list(resolution, upserted, 0, NULL);
    if (status != MUSTER_OK || removed == NULL) {
        return status;
    }
    return apply_delta(resolution, NULL, removed);
}

static muster_status apply(muster__resolution *resolution,
                           muster__report *report)
{
    if (report->kind == MUSTER__REPORT_LIST) {
        return apply_list(resolution, report->upserted, report->flags,
                          &report->text);
    }
    if (resolution->is_source_empty) {
        return apply_delta_to_nothing(resolution, report->upserted,
                                      report->removed);
    }
    return apply_delta(resolution, report->upserted, report->removed);
}

muster_status muster__resolution_reported(void *owner, muster__report *report)
{
    muster__resolution *resolution = owner;
    muster_status status = apply(resolution, report);

    if (status == MUSTER_OK) {
        resolution->stats.updates_accepted++;
    }
    return status;
}
