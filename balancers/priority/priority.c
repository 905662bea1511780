/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "priority": the best level that serves, as gRFC A56 has it. */
#include "priority.h"

/* ---- which level ---- */

static level *at(const levels *self, uint32_t i)
{
    return self->items[i];
}

/* Those behind a level that serves are not needed any more. */
static void retire_behind(const levels *self, uint32_t place)
{
    for (uint32_t i = place + 1; i < self->n; i++) {
        muster__level_retire(self, at(self, i));
    }
}

/* When none serves or may still come in time: one that connects, else the last.
 */
static level *least_evil(const levels *self)
{
    for (uint32_t i = 0; i < self->n; i++) {
        if (at(self, i)->state == MUSTER_CONNECTING) {
            return at(self, i);
        }
    }
    return at(self, self->n - 1);
}

/* Starts levels from the best on. There is one at least. */
static level *choose(const levels *self, bool *ret_has_changed)
{
    for (uint32_t i = 0; i < self->n; i++) {
        *ret_has_changed |= muster__level_start(self, at(self, i));
        if (at(self, i)->state == MUSTER_READY ||
            at(self, i)->state == MUSTER_IDLE) {
            retire_behind(self, i);
            return at(self, i);
        }
        if (level_is_waited_for(self, at(self, i))) {
            return at(self, i);
        }
    }
    return least_evil(self);
}

static bool decide(levels *self)
{
    groups_plan *plan = groups_plan_create(&self->groups, 1);
    bool has_changed = false;
    level *chosen = self->n == 0 ? NULL : choose(self, &has_changed);

    if (plan == NULL) {
        return has_changed; /* the next change tells */
    }
    if (chosen != NULL) {
        plan->shares[0] =
            (groups_share){.of = &chosen->group, .share = 1, .is_kept = true};
        plan->n = 1;
    }
    groups_set_plan(&self->groups, plan);
    return has_changed;
}

/* ---- the class ---- */

static muster_status priority_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    levels *self = calloc(1, sizeof *self);
    config settings = config_open(env->config_json, err);
    muster_status status;

    if (self == NULL) {
        (void)config_close(&settings);
        return muster_error_set(err, MUSTER_NOMEM, "priority: out of memory");
    }
    self->decide = decide;
    muster__levels_read(self, &settings);
    status = config_close(&settings);
    if (status == MUSTER_OK) {
        status = muster__levels_init(self, env, err);
    }
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status priority_build(void *policy, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    return groups_build_as_planned(policy, args, NULL, ret_table, err);
}

static const muster_balancer_class priority_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = PRIORITY_FLAGS,
    .name = "priority",
    .state_size = (uint32_t)sizeof(level_endpoint),
    .create = priority_create,
    .update = muster__levels_update,
    .want = muster__levels_want,
    .build = priority_build,
    .pick = groups_pick,
    .done = groups_done,
    .table_destroy = groups_table_destroy,
    .destroy = muster__levels_destroy,
};

static const muster_balancer_class *const classes[] = {
    &priority_class, &muster__priority_load_class};

MUSTER_PLUGIN(priority, "priority\0balancer:priority\0balancer:priority_load\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 2);
