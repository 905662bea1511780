/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "priority_load": calls spill over to the next level as far as a
 * level is not healthy enough, as Envoy has it. */
#include <stdio.h>

#include "load.h"
#include "priority.h"

typedef struct priority_load {
    levels levels; /* first */
    load_level *loads;
    uint32_t n_loads; /* that there is room for */
    uint32_t factor;
    uint32_t panic_threshold;
    bool fails_in_panic;
    bool handles_unfit; /* else those in the view are there for a child */
} priority_load;

/* ---- which levels are in use ---- */

static uint32_t n_known(const level_counts *counts)
{
    return counts->healthy + counts->failing + counts->late;
}

/* Its child connects when calls come: it is as good as healthy until then, and
 * while the first ones connect. */
static bool is_on_demand(const level_counts *counts)
{
    return n_known(counts) == 0 && counts->pending == counts->asked &&
           counts->idle + counts->asked > 0;
}

/* Its health if all that connects in time will be READY. */
static uint32_t hope_of(const priority_load *self, const level_counts *counts)
{
    if (is_on_demand(counts)) {
        return 100;
    }
    return muster__load_health(counts->healthy + counts->pending,
                               n_known(counts) + counts->pending, self->factor);
}

/* As many from the best on as can take all calls. One that is started now is
 * looked at again when its child has been asked. */
static bool start_needed(priority_load *self)
{
    const levels *of = &self->levels;
    bool has_changed = false;
    uint32_t hope = 0;

    for (uint32_t i = 0; i < of->n; i++) {
        if (hope >= 100) {
            muster__level_retire(of, of->items[i]);
        } else if (muster__level_start(of, of->items[i])) {
            has_changed = true;
            hope = 100;
        } else {
            hope += hope_of(self, &of->items[i]->counts);
        }
    }
    return has_changed;
}

/* ---- what each gets ---- */

static void tell_of_panic(const priority_load *self, const level *of)
{
    char text[128];

    (void)snprintf(text, sizeof text,
                   of->group.is_in_panic
                       ? "priority %u is in panic: %u of %u are healthy"
                       : "priority %u is out of panic: %u of %u are healthy",
                   of->priority, of->counts.healthy, n_known(&of->counts));
    self->levels.groups.env.host->log(
        self->levels.groups.env.ctx,
        of->group.is_in_panic ? MUSTER_LOG_WARNING : MUSTER_LOG_INFO, text);
}

static load_level load_of(const level *of)
{
    const level_counts *counts = &of->counts;

    return of->is_started
               ? (load_level){.n_healthy = counts->healthy,
                              .n_known = n_known(counts),
                              .n_connected = counts->connected,
                              .is_assumed_healthy = is_on_demand(counts)}
               : (load_level){.n_healthy = 0};
}

static void share_out(const priority_load *self)
{
    const levels *of = &self->levels;

    for (uint32_t i = 0; i < of->n; i++) {
        self->loads[i] = load_of(of->items[i]);
    }
    (void)muster__load_share_out(self->loads, of->n, self->factor,
                                 self->panic_threshold);
    for (uint32_t i = 0; i < of->n; i++) {
        bool was_in_panic = of->items[i]->group.is_in_panic;

        of->items[i]->group.is_in_panic = self->loads[i].is_in_panic;
        if (was_in_panic != of->items[i]->group.is_in_panic) {
            tell_of_panic(self, of->items[i]);
        }
    }
}

static void add_share(const priority_load *self, groups_plan *plan,
                      const level *of, const load_level *load)
{
    const bool fails = load->is_in_panic && self->fails_in_panic;

    plan->shares[plan->n++] =
        (groups_share){.of = (group *)(uintptr_t)&of->group,
                       .share = load->load,
                       .is_kept = load->is_assumed_healthy || fails,
                       .takes_unfit = load->is_in_panic && !fails,
                       .fails = fails};
}

static bool has_room(priority_load *self)
{
    if (self->n_loads < self->levels.n) {
        load_level *loads =
            realloc(self->loads, self->levels.n * sizeof *loads);

        if (loads == NULL) {
            return false;
        }
        self->loads = loads;
        self->n_loads = self->levels.n;
    }
    return true;
}

static bool decide(levels *arg)
{
    priority_load *self = (priority_load *)(void *)arg;
    groups_plan *plan = groups_plan_create(&arg->groups, arg->n);
    bool has_changed = start_needed(self);

    if (plan == NULL || !has_room(self)) {
        free(plan);
        return has_changed; /* the next change tells */
    }
    share_out(self);
    for (uint32_t i = 0; i < arg->n; i++) {
        if (self->loads[i].load > 0) {
            add_share(self, plan, arg->items[i], &self->loads[i]);
        }
    }
    groups_set_plan(&arg->groups, plan);
    return has_changed;
}

/* ---- the class ---- */

static muster_status build(void *policy, const muster_build_args *args,
                           void **ret_table, muster_error *err)
{
    const priority_load *self = policy;

    return groups_build_as_planned(policy, args,
                                   self->handles_unfit ? groups_is_fit : NULL,
                                   ret_table, err);
}

static muster_status read_settings(priority_load *self, const char *json,
                                   muster_error *err)
{
    config settings = config_open(json, err);

    self->factor = 140;
    self->panic_threshold = 50;
    muster__levels_read(&self->levels, &settings);
    config_integer(&settings, "overprovisioningFactor", 1, 100000,
                   &self->factor);
    config_integer(&settings, "panicThreshold", 0, 100, &self->panic_threshold);
    config_bool(&settings, "failTrafficOnPanic", &self->fails_in_panic);
    return config_close(&settings);
}

static muster_status create(const muster_balancer_env *env, void **ret_self,
                            muster_error *err)
{
    priority_load *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->levels.decide = decide;
    status = read_settings(self, env->config_json, err);
    if (status == MUSTER_OK) {
        status = muster__levels_init(&self->levels, env, err);
    }
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    self->handles_unfit = self->panic_threshold > 0 && !self->fails_in_panic;
    if (self->handles_unfit) {
        env->host->include_unfit(env->ctx);
    }
    *ret_self = self;
    return MUSTER_OK;
}

static void destroy(void *policy)
{
    priority_load *self = policy;

    free(self->loads);
    muster__levels_destroy(self);
}

const muster_balancer_class muster__priority_load_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = PRIORITY_FLAGS,
    .name = "priority_load",
    .state_size = (uint32_t)sizeof(level_endpoint),
    .create = create,
    .update = muster__levels_update,
    .want = muster__levels_want,
    .build = build,
    .pick = groups_pick,
    .done = groups_done,
    .table_destroy = groups_table_destroy,
    .destroy = destroy,
};
