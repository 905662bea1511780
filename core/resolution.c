/* SPDX-License-Identifier: Apache-2.0 */
/* A target being resolved: who shares it, and its life. */
#include "resolution.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fork.h"
#include "resolution_internal.h"

#define INITIAL_BACKOFF_DEFAULT_MS 1000u
#define MAX_BACKOFF_DEFAULT_MS 30000u

/* Control thread only, both. The tree (tsearch(3)) has those one can join. */
static void *joinable;
static size_t n_resolutions;

/* ---- sharing ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *left, const void *right)
{
    const muster__resolution *a = left;
    const muster__resolution *b = right;
    int order = strcmp(a->target->canonical, b->target->canonical);

    if (order == 0) {
        order = compare_numbers(a->options.initial_backoff_ms,
                                b->options.initial_backoff_ms);
    }
    if (order == 0) {
        order = compare_numbers(a->options.max_backoff_ms,
                                b->options.max_backoff_ms);
    }
    return order;
}

static muster__resolver_options
with_defaults(const muster__resolver_options *options)
{
    muster__resolver_options filled = {.initial_backoff_ms = 0};

    if (options != NULL) {
        filled = *options;
    }
    if (filled.initial_backoff_ms == 0) {
        filled.initial_backoff_ms = INITIAL_BACKOFF_DEFAULT_MS;
    }
    if (filled.max_backoff_ms == 0) {
        filled.max_backoff_ms = MAX_BACKOFF_DEFAULT_MS;
    }
    return filled;
}

static muster__resolution *find(muster__target *target,
                                const muster__resolver_options *options)
{
    muster__resolution key = {.target = target, .options = *options};
    void *const *node = tfind(&key, &joinable, compare);

    return node != NULL ? *node : NULL;
}

/* ---- the end ---- */

static void destroy(muster__resolution *resolution)
{
    muster__runner_destroy(resolution->runner);
    muster__timer_destroy(resolution->greet_timer);
    muster__timer_destroy(resolution->hold_timer);
    muster__set_destroy(resolution->set);
    free(resolution->list);
    free(resolution->service_config);
    free(resolution);
}

static void on_ended(void *owner, muster_status status)
{
    muster__resolution *resolution = owner;

    resolution->has_ended = true;
    resolution->end_status = status;
    muster__resolution_post(resolution);
}

static void tell_leavers(muster__resolution *resolution)
{
    while (resolution->leavers != NULL) {
        muster__subscriber *leaver = resolution->leavers;

        muster__subscriber_remove(leaver);
        leaver->resolution = NULL;
        leaver->ended(leaver, MUSTER_OK);
    }
}

/* The last of all: the subscriber may end the control thread's use. */
static void finish(muster__resolution *resolution)
{
    muster__subscriber *last = resolution->last_leaver;
    muster_status status = resolution->end_status;

    last->resolution = NULL;
    destroy(resolution);
    n_resolutions--;
    last->ended(last, status);
}

static void on_task(muster__task *task)
{
    muster__resolution *resolution =
        (muster__resolution *)((char *)task -
                               offsetof(muster__resolution, task));

    resolution->is_posted = false;
    muster__resolution_greet(resolution);
    tell_leavers(resolution);
    if (resolution->has_ended && !resolution->is_posted) {
        finish(resolution);
    }
}

void muster__resolution_post(muster__resolution *resolution)
{
    if (!resolution->is_posted) {
        resolution->is_posted = true;
        muster__loop_post(&resolution->task);
    }
}

/* ---- the beginning ---- */

static const muster__runner_events runner_events = {
    .reported = muster__resolution_reported,
    .failed = muster__resolution_failed,
    .ended = on_ended,
};

static muster_status init(muster__resolution *resolution, muster_error *err)
{
    muster_status status = muster__set_create(&resolution->set);

    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__resolution_end_hold, resolution,
                                      &resolution->hold_timer);
    }
    if (status == MUSTER_OK) {
        status = muster__timer_create(muster__resolution_greet_again,
                                      resolution, &resolution->greet_timer);
    }
    if (status != MUSTER_OK) {
        return muster_error_set(err, status, "%s: %s",
                                resolution->target->canonical,
                                muster_status_text(status));
    }
    if (tsearch(resolution, &joinable, compare) == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory",
                                resolution->target->canonical);
    }
    status = muster__runner_create(
        resolution->target, resolution->options.initial_backoff_ms,
        resolution->options.max_backoff_ms, &runner_events, resolution,
        &resolution->runner, err);
    if (status != MUSTER_OK) {
        (void)tdelete(resolution, &joinable, compare);
    }
    return status;
}

static muster_status create(muster__target *target,
                            const muster__resolver_options *options,
                            muster__resolution **ret_resolution,
                            muster_error *err)
{
    muster__resolution *resolution = calloc(1, sizeof *resolution);
    muster_status status;

    if (resolution == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "%s: out of memory",
                                target->canonical);
    }
    resolution->target = target;
    resolution->options = *options;
    resolution->task.fn = on_task;
    status = init(resolution, err);
    if (status != MUSTER_OK) {
        destroy(resolution);
        return status;
    }
    n_resolutions++;
    *ret_resolution = resolution;
    return MUSTER_OK;
}

static muster_status find_or_create(muster__target *target,
                                    const muster__resolver_options *options,
                                    muster__resolution **ret_resolution,
                                    muster_error *err)
{
    muster__resolution *found = find(target, options);
    muster_status status = MUSTER_OK;

    if (found != NULL) {
        muster__target_destroy(target);
        *ret_resolution = found;
        return MUSTER_OK;
    }
    status = create(target, options, ret_resolution, err);
    if (status != MUSTER_OK) {
        muster__target_destroy(target);
    }
    return status;
}

muster_status
muster__resolution_subscribe(muster__target *target,
                             const muster__resolver_options *options,
                             muster__subscriber *self, muster_error *err)
{
    muster__resolver_options filled = with_defaults(options);
    muster__resolution *resolution = NULL;
    muster_status status;

    if (muster__is_forked()) {
        muster__target_destroy(target);
        return muster_error_set(err, MUSTER_FORKED, "%s",
                                muster_status_text(MUSTER_FORKED));
    }
    status = find_or_create(target, &filled, &resolution, err);
    if (status != MUSTER_OK) {
        return status;
    }
    self->resolution = resolution;
    self->is_behind = false;
    muster__subscriber_push(&resolution->newcomers, self);
    muster__resolution_post(resolution);
    return MUSTER_OK;
}

void muster__resolution_unsubscribe(muster__subscriber *self)
{
    muster__resolution *resolution = self->resolution;

    muster__subscriber_remove(self);
    if (resolution->subscribers != NULL || resolution->newcomers != NULL) {
        muster__subscriber_push(&resolution->leavers, self);
        muster__resolution_post(resolution);
        return;
    }
    resolution->last_leaver = self;
    (void)tdelete(resolution, &joinable, compare);
    muster__timer_stop(resolution->hold_timer);
    muster__timer_stop(resolution->greet_timer);
    muster__runner_stop(resolution->runner);
}

/* ---- what is known ---- */

void muster__resolution_refresh(muster__resolution *resolution)
{
    muster__runner_refresh(resolution->runner);
}

void muster__resolution_reset_backoff(muster__resolution *resolution)
{
    muster__runner_reset_backoff(resolution->runner);
}

const muster__set *muster__resolution_set(const muster__resolution *resolution)
{
    return resolution->set;
}

const char *muster__resolution_uri(const muster__resolution *resolution)
{
    return resolution->target->canonical;
}

const char *
muster__resolution_service_config(const muster__resolution *resolution)
{
    return resolution->service_config;
}

uint64_t muster__resolution_generation(const muster__resolution *resolution)
{
    return resolution->generation;
}

uint64_t muster__resolution_age_ms(const muster__resolution *resolution)
{
    return resolution->has_list ? muster__now_ms() - resolution->confirmed_ms
                                : 0;
}

bool muster__resolution_has_list(const muster__resolution *resolution)
{
    return resolution->has_list;
}

bool muster__resolution_is_held(const muster__resolution *resolution)
{
    return muster__timer_is_active(resolution->hold_timer);
}

const char *muster__resolution_failure(const muster__resolution *resolution)
{
    return resolution->has_failure ? resolution->failure.message : NULL;
}

void muster__resolution_stats(const muster__resolution *resolution,
                              muster__resolver_stats *ret_stats)
{
    *ret_stats = resolution->stats;
    ret_stats->late_reports = muster__runner_late_reports(resolution->runner);
}

size_t muster__resolution_count(void)
{
    return n_resolutions;
}
