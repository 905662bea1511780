/* SPDX-License-Identifier: Apache-2.0 */
/* Telling a policy of the endpoints, and doing what it wants of them. */
#include "policy_update.h"

#include <stdlib.h>

#include "channel_internal.h"

uint32_t muster__policy_flags_of(const muster__subchannel *subchannel)
{
    uint32_t flags = subchannel->is_ejected ? MUSTER_BACKEND_EJECTED : 0;

    return flags | (subchannel->is_unhealthy ? MUSTER_BACKEND_UNHEALTHY : 0);
}

static uint32_t list_backends(muster_channel *channel,
                              const muster__policy *policy,
                              muster_backend *backends)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < channel->table.n_numbers; i++) {
        const muster__subchannel *subchannel =
            muster__table_at(&channel->table, i);
        if (subchannel->endpoint == NULL || !subchannel->is_listed) {
            continue;
        }
        muster_backend *backend = &backends[n++];
        backend->id = muster__subchannel_id(subchannel);
        backend->endpoint = &subchannel->endpoint->data;
        backend->state = muster__policy_state(policy, i);
        backend->last_failure = muster__subchannel_failure(subchannel);
        backend->connectivity = subchannel->is_failing
                                    ? MUSTER_TRANSIENT_FAILURE
                                    : (muster_connectivity)subchannel->state;
        backend->flags = muster__policy_flags_of(subchannel);
        backend->position = subchannel->endpoint->position;
        backend->endpoint_size = (uint32_t)sizeof *backend->endpoint;
    }
    return n;
}

/* What it means for the view is looked at soon, not inside the publisher. */
static void apply_wants(muster_channel *channel, const muster_backend *backends,
                        const uint8_t *wanted, uint32_t n)
{
    bool has_changed = false;

    for (uint32_t i = 0; i < n; i++) {
        muster__subchannel *subchannel =
            muster__table_by_id(&channel->table, backends[i].id);
        has_changed |= subchannel->is_wanted != (wanted[i] != 0);
        muster__subchannel_set_wanted(channel, subchannel, wanted[i] != 0,
                                      subchannel->is_asked);
        if (subchannel->is_wanted || subchannel->is_asked) {
            muster__subchannel_connect(channel, subchannel);
        } else if (channel->publisher.former == NULL ||
                   subchannel->state != MUSTER_READY) {
            muster__subchannel_shed(channel, subchannel);
        } /* else the former policy serves from it */
    }
    muster__connector_run(channel);
    if (has_changed) {
        channel->is_reconcile_due = true;
        muster__nudge_post(&channel->republish_nudge);
    }
}

bool muster__policy_update(muster_channel *channel, muster__policy *policy,
                           bool is_update)
{
    const muster_balancer_class *class_ = policy->class_;
    size_t n_listed = channel->table.n_listed;
    muster_backend *backends = calloc(n_listed + 1, sizeof *backends);
    uint8_t *wanted = calloc(n_listed + 1, 1);
    bool is_told = backends != NULL && wanted != NULL;

    if (is_told) {
        uint32_t n = list_backends(channel, policy, backends);
        muster_balancer_update update = {
            (uint32_t)sizeof update, (uint32_t)sizeof *backends, backends, n};
        if (is_update && class_->update != NULL) {
            muster__loop_enter_plugin(class_->name, "update");
            class_->update(policy->self, &update);
            muster__loop_leave_plugin();
        }
        if (class_->want != NULL) {
            muster__loop_enter_plugin(class_->name, "want");
            class_->want(policy->self, &update, wanted);
            muster__loop_leave_plugin();
            apply_wants(channel, backends, wanted, n);
        }
    }
    free(backends);
    free(wanted);
    return is_told;
}
