/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "slow_start": an endpoint that has just become READY gets little
 * of its weight at first, and all of it after a while (Envoy). A child policy
 * does the rest. README.md has the rules. */
#include <muster/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../backends.h"
#include "../config.h"
#include "../wrapper.h"
#include "warm_up.h"

#define NS_PER_MS UINT64_C(1000000)
#define STEPS_A_WINDOW 100
#define LEAST_STEP_MS 100

typedef struct slow_start {
    wrapper base;
    warm_up warm_up;
    uint64_t until_ns; /* when the last of the windows ends */
    uint64_t timer;    /* the next step; 0: does not run */
    bool is_step_due;  /* the child is to be told of other weights */
} slow_start;

/* ---- life ---- */

static void read_settings(warm_up *self, config *settings)
{
    double least_percent = 10;

    self->aggression = 1;
    config_require(settings, "slowStartWindow");
    config_duration(settings, "slowStartWindow", &self->window_ns);
    if (settings->status == MUSTER_OK && self->window_ns == 0) {
        config_refuse(settings, "slowStartWindow", "longer than \"0s\"");
    }
    config_number(settings, "aggression", 0.01, 100, &self->aggression);
    config_number(settings, "minWeightPercent", 0, 100, &least_percent);
    self->least = least_percent / 100;
}

/* Those of ours that heed no weights; of others there is no telling. */
static void warn_of_child(const slow_start *self, const char *name)
{
    char text[160];

    if (strcmp(name, "round_robin") == 0 || strcmp(name, "random") == 0) {
        (void)snprintf(text, sizeof text,
                       "childPolicy %s ignores weights, so that endpoints "
                       "start at once",
                       name);
        self->base.env.host->log(self->base.env.ctx, MUSTER_LOG_WARNING, text);
    }
}

static muster_status slow_start_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    slow_start *self = calloc(1, sizeof *self);
    const char *name = "";
    config settings;
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "slow_start: no memory");
    }
    self->base.env = *env;
    settings = config_open(env->config_json, err);
    read_settings(&self->warm_up, &settings);
    wrapper_named_child(&settings, "childPolicy", "weighted_round_robin", env,
                        &self->base.child, &name);
    if (settings.status == MUSTER_OK) {
        warn_of_child(self, name);
    }
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static void slow_start_destroy(void *policy)
{
    slow_start *self = policy;

    self->base.env.host->child_destroy(self->base.child);
    free(self);
}

/* ---- steps ---- */

static uint64_t now_ns(const slow_start *self)
{
    return self->base.env.host->now_ns(self->base.env.ctx);
}

/* The last step is when the last window has ended. */
static uint64_t step_ms(const slow_start *self, uint64_t left_ns)
{
    uint64_t step = self->warm_up.window_ns / STEPS_A_WINDOW / NS_PER_MS;
    uint64_t left = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);

    step = step < LEAST_STEP_MS ? LEAST_STEP_MS : step;
    return step < left ? step : left;
}

static void step_is_due(void *policy);

/* Without memory for it, the next update is another try. */
static void start_timer(slow_start *self)
{
    const muster_balancer_env *env = &self->base.env;
    uint64_t now = now_ns(self);

    if (self->timer == 0 && now < self->until_ns) {
        (void)env->host->call_later(env->ctx,
                                    step_ms(self, self->until_ns - now),
                                    step_is_due, self, &self->timer);
    }
}

static void step_is_due(void *policy)
{
    slow_start *self = policy;

    self->timer = 0;
    self->is_step_due = true;
    self->base.env.host->republish(self->base.env.ctx); /* want() */
    start_timer(self);
}

/* ---- the list ---- */

static void note_list(slow_start *self, const muster_balancer_update *update)
{
    uint64_t now = now_ns(self);

    self->until_ns = 0;
    for (size_t i = 0; i < update->n_backends; i++) {
        uint64_t begun_ns =
            muster__warm_up_note(backends_listed(update, i), now);

        if (begun_ns != 0 &&
            begun_ns + self->warm_up.window_ns > self->until_ns) {
            self->until_ns = begun_ns + self->warm_up.window_ns;
        }
    }
    start_timer(self);
}

/* When memory is short the child learns of the list, if not of the weights:
 * those are looked at again when a table is built. */
static void tell_child(const slow_start *self,
                       const muster_balancer_update *update)
{
    warm_up_copies copies = {NULL, NULL};
    muster_balancer_update own = *update;

    own.struct_size = (uint32_t)sizeof own;
    if (muster__warm_up_copy(&self->warm_up, update->backends,
                             update->backend_size, update->n_backends,
                             now_ns(self), &copies) &&
        copies.backends != NULL) {
        own.backends = copies.backends;
        own.backend_size = (uint32_t)sizeof copies.backends[0];
    }
    self->base.env.host->child_update(self->base.child, &own);
    muster__warm_up_release(&copies);
}

static void slow_start_update(void *policy,
                              const muster_balancer_update *update)
{
    slow_start *self = policy;

    self->is_step_due = false;
    note_list(self, update);
    tell_child(self, update);
}

/* Children that take weights from the list (ring_hash) hear of nothing else
 * while it stays as it is. */
static void slow_start_want(void *policy, const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    slow_start *self = policy;

    if (self->is_step_due) {
        self->is_step_due = false;
        tell_child(self, update);
    }
    wrapper_want(policy, update, ret_wanted);
}

static muster_status slow_start_build(void *policy,
                                      const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    const slow_start *self = policy;
    warm_up_copies copies;
    muster_build_args own = *args;
    muster_status status;

    own.struct_size = (uint32_t)sizeof own;
    if (!muster__warm_up_copy(&self->warm_up, args->ready, args->backend_size,
                              args->n_ready, now_ns(self), &copies)) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "slow_start: no memory for %zu endpoints",
                                args->n_ready);
    }
    if (copies.backends != NULL) {
        own.ready = copies.backends;
        own.backend_size = (uint32_t)sizeof copies.backends[0];
    }
    status = self->base.env.host->child_build(self->base.child, &own, ret_table,
                                              err);
    muster__warm_up_release(&copies);
    return status;
}

/* ---- picks ---- */

static void slow_start_done(void *policy, uint64_t id, void *state,
                            const muster_outcome *outcome)
{
    const slow_start *self = policy;

    (void)state;
    self->base.env.host->child_done(self->base.child, id, outcome);
}

static const muster_balancer_class slow_start_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "slow_start",
    .state_size = (uint32_t)sizeof(warm_up_state),
    .create = slow_start_create,
    .update = slow_start_update,
    .want = slow_start_want,
    .build = slow_start_build,
    .pick = wrapper_pick,
    .done = slow_start_done,
    .table_destroy = wrapper_table_destroy,
    .destroy = slow_start_destroy,
};

static const muster_balancer_class *const classes[] = {&slow_start_class};

MUSTER_PLUGIN(slow_start, "slow_start\0balancer:slow_start\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
