/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "outlier_detection": ejects endpoints that fail more than others,
 * or too often, over a child that balances (gRFC A50, and Envoy's failures in a
 * row). README.md has the rules. */
#include <muster/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "../wrapper.h"
#include "counts.h"
#include "ejection.h"
#include "settings.h"
#include "sweep.h"

#define NS_PER_MS UINT64_C(1000000)

typedef struct outlier_detection {
    wrapper base; /* first */
    outlier_settings settings;
    outlier_roster roster; /* control */
    uint64_t timer;        /* 0: none runs. Control */
    uint64_t started_ns;   /* when the interval began. Control */
    atomic_bool has_found; /* somebody, by failures in a row */
} outlier_detection;

/* ---- the interval ---- */

static void arm(outlier_detection *self);

static void sweep(void *arg)
{
    outlier_detection *self = arg;
    const muster_balancer_env *env = &self->base.env;

    self->timer = 0;
    self->started_ns = env->host->now_ns(env->ctx);
    outlier_sweep(&self->roster, self->started_ns);
    arm(self);
}

/* For what is left of the interval, rounded up. When memory is short the next
 * update() tries again. */
static void arm(outlier_detection *self)
{
    const muster_balancer_env *env = &self->base.env;
    uint64_t passed_ns = env->host->now_ns(env->ctx) - self->started_ns;
    uint64_t left_ns = passed_ns < self->settings.interval_ns
                           ? self->settings.interval_ns - passed_ns
                           : 0;

    if (env->host->call_later(env->ctx, (left_ns + NS_PER_MS - 1) / NS_PER_MS,
                              sweep, self, &self->timer) != MUSTER_OK) {
        self->timer = 0;
        env->host->log(env->ctx, MUSTER_LOG_ERROR,
                       "out of memory: looks for outliers later");
    }
}

/* ---- life ---- */

static muster_status outlier_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    outlier_detection *self = calloc(1, sizeof *self);
    config settings;
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "outlier_detection: no memory");
    }
    self->base.env = *env;
    self->roster.env = &self->base.env;
    self->roster.settings = &self->settings;
    atomic_init(&self->has_found, false);
    settings = config_open(env->config_json, err);
    outlier_settings_read(&settings, &self->settings);
    wrapper_child(&settings, "childPolicy", "round_robin", env,
                  &self->base.child);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    self->started_ns = env->host->now_ns(env->ctx);
    *ret_self = self;
    return MUSTER_OK;
}

static void outlier_destroy(void *policy)
{
    outlier_detection *self = policy;

    outlier_roster_fini(&self->roster);
    self->base.env.host->child_destroy(self->base.child);
    free(self);
}

/* ---- the list ---- */

static void outlier_update(void *policy, const muster_balancer_update *update)
{
    outlier_detection *self = policy;

    if (self->settings.has_rules) {
        outlier_roster_update(&self->roster, update);
        if (self->timer == 0) {
            arm(self);
        }
    }
    wrapper_update(policy, update);
}

/* The child may no longer want an endpoint that is ejected: it keeps its
 * connection all the same, to be of use at once when it is taken back. */
static void keep_ejected(const outlier_detection *self,
                         const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        const outlier_record *record =
            outlier_roster_find(&self->roster, backend);

        if (record != NULL && record->is_ejected &&
            backend->connectivity == MUSTER_READY) {
            ret_wanted[i] = 1;
        }
    }
}

/* Called soon after done() has asked for it: here its findings come to the
 * control thread. */
static void outlier_want(void *policy, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    outlier_detection *self = policy;

    /* Pairs with the release in done(): what was found is seen. */
    if (atomic_exchange_explicit(&self->has_found, false,
                                 memory_order_acquire)) {
        outlier_roster_eject_found(&self->roster);
    }
    wrapper_want(policy, update, ret_wanted);
    if (self->roster.n_ejected > 0) {
        keep_ejected(self, update, ret_wanted);
    }
}

/* ---- calls ---- */

static void outlier_done(void *policy, uint64_t id, void *state,
                         const muster_outcome *outcome)
{
    outlier_detection *self = policy;
    const muster_balancer_env *env = &self->base.env;

    if (self->settings.has_rules &&
        outlier_counts_add(state, &self->settings, outcome)) {
        atomic_store_explicit(&self->has_found, true, memory_order_release);
        env->host->republish(env->ctx);
    }
    env->host->child_done(self->base.child, id, outcome);
}

#define OUTLIER_DETECTION(class_name)                                          \
    {                                                                          \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .flags =                                                               \
            MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_PICKS_WHEN_EMPTY,   \
        .name = (class_name), .state_size = OUTLIER_STATE_SIZE,                \
        .create = outlier_create, .update = outlier_update,                    \
        .want = outlier_want, .build = wrapper_build, .pick = wrapper_pick,    \
        .done = outlier_done, .table_destroy = wrapper_table_destroy,          \
        .destroy = outlier_destroy,                                            \
    }

static const muster_balancer_class outlier_class =
    OUTLIER_DETECTION("outlier_detection");
static const muster_balancer_class experimental_class =
    OUTLIER_DETECTION("outlier_detection_experimental");

static const muster_balancer_class *const classes[] = {&outlier_class,
                                                       &experimental_class};

MUSTER_PLUGIN(outlier_detection,
              "outlier_detection\0balancer:outlier_detection\0"
              "balancer:outlier_detection_experimental\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 2);
