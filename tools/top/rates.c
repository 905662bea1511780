/* SPDX-License-Identifier: Apache-2.0 */
/* Rates and shares, from two snapshots of one process. */
#include <stdlib.h>

#include "snapshot.h"

static const top_target *find_target(const top_snapshot *snapshot, int64_t id)
{
    for (size_t i = 0; i < snapshot->n_targets; i++) {
        if (snapshot->targets[i].id == id) {
            return &snapshot->targets[i];
        }
    }
    return NULL;
}

static int compare_ids(const void *left, const void *right)
{
    const top_endpoint *const *a = left;
    const top_endpoint *const *b = right;

    return ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

/* The endpoints in the order of their ids, which no snapshot has: it may have
 * been sorted by anything. NULL: no memory. */
static const top_endpoint **index_of(const top_target *target)
{
    const top_endpoint **index = calloc(target->n_endpoints + 1, sizeof *index);

    for (size_t i = 0; index != NULL && i < target->n_endpoints; i++) {
        index[i] = &target->endpoints[i];
    }
    if (index != NULL) {
        qsort((void *)index, target->n_endpoints, sizeof *index, compare_ids);
    }
    return index;
}

/* A counter that went back began again, so nothing is known of its rate. */
static void rate_endpoint(top_endpoint *endpoint, const top_endpoint *before,
                          double seconds)
{
    if (before != NULL && endpoint->calls >= before->calls) {
        endpoint->rate = (double)(endpoint->calls - before->calls) / seconds;
    }
}

static void add_rate(double *sum, double rate)
{
    if (rate >= 0) {
        *sum = (*sum < 0 ? 0 : *sum) + rate;
    }
}

static void rate_endpoints(top_target *target, const top_target *before,
                           double seconds)
{
    const top_endpoint **index = index_of(before);

    if (index == NULL) {
        return; /* no rates, then */
    }
    for (size_t i = 0; i < target->n_endpoints; i++) {
        top_endpoint *endpoint = &target->endpoints[i];
        const top_endpoint *key = endpoint;
        const top_endpoint *const *found =
            bsearch((const void *)&key, (const void *)index,
                    before->n_endpoints, sizeof *index, compare_ids);

        rate_endpoint(endpoint, found == NULL ? NULL : *found, seconds);
        add_rate(&target->rate, endpoint->rate);
    }
    free((void *)index);
}

static void share_out(top_target *target)
{
    for (size_t i = 0; i < target->n_endpoints; i++) {
        top_endpoint *endpoint = &target->endpoints[i];

        if (endpoint->rate >= 0) {
            endpoint->share =
                target->rate > 0 ? endpoint->rate / target->rate : 0;
        }
    }
}

static void rate_target(top_target *target, const top_target *before,
                        double seconds)
{
    if (before == NULL) {
        return;
    }
    if (target->n_endpoints == 0) {
        target->rate = 0;
    }
    rate_endpoints(target, before, seconds);
    share_out(target);
}

void top_snapshot_compare(top_snapshot *self, const top_snapshot *before)
{
    double seconds;

    if (before == NULL || before->pid != self->pid ||
        before->time_ms >= self->time_ms) {
        return;
    }
    seconds = (double)(self->time_ms - before->time_ms) / 1000;
    for (size_t i = 0; i < self->n_targets; i++) {
        top_target *target = &self->targets[i];

        rate_target(target, find_target(before, target->id), seconds);
        add_rate(&self->rate, target->rate);
    }
}
