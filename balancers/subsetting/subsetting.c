/* SPDX-License-Identifier: Apache-2.0 */
/* The policies "random_subsetting" (gRFC A68) and "balanced_subsetting": a
 * child policy sees, connects and picks no more than a few endpoints of the
 * list. README.md has the method. */
#include <muster/plugin.h>

#include <stdlib.h>
#include <string.h>

#include "../config.h"
#include "../wrapper.h"
#include "subset.h"

#define RETRY_MS 1000 /* when memory was short */

typedef struct subsetting {
    wrapper base;
    subset subset;
    bool is_told;   /* the child was, of the last list */
    uint64_t retry; /* a timer; 0: does not run */
} subsetting;

/* Of the list: the subset. */
typedef struct part {
    muster_backend *backends;
    uint32_t *places; /* in the list */
    size_t n;
} part;

typedef struct subset_table {
    void *of_child;
    uint32_t n;
    uint32_t indices[]; /* in the READY view, of the n that the child has */
} subset_table;

/* ---- life ---- */

static void read_clients(subset *self, config *settings)
{
    uint32_t client = 0;

    self->is_balanced = true;
    self->n_clients = 1;
    config_require(settings, "clientCount");
    config_integer(settings, "clientCount", 1, UINT32_MAX, &self->n_clients);
    config_require(settings, "clientIndex");
    config_integer(settings, "clientIndex", 0, self->n_clients - 1, &client);
    self->client_rank = muster__subset_client_rank(client, self->n_clients);
}

/* All clients of the balanced kind must have the same order, so its seed is
 * 0. */
static muster_status create(const muster_balancer_env *env, bool is_balanced,
                            void **ret_self, muster_error *err)
{
    subsetting *self = calloc(1, sizeof *self);
    config settings;
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "subsetting: no memory");
    }
    self->base.env = *env;
    settings = config_open(env->config_json, err);
    config_require(&settings, "subsetSize");
    config_integer(&settings, "subsetSize", 1, UINT32_MAX, &self->subset.size);
    if (is_balanced) {
        read_clients(&self->subset, &settings);
    } else {
        self->subset.seed = env->host->random(env->ctx);
    }
    config_require(&settings, "childPolicy");
    wrapper_child(&settings, "childPolicy", NULL, env, &self->base.child);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status random_create(const muster_balancer_env *env,
                                   void **ret_self, muster_error *err)
{
    return create(env, false, ret_self, err);
}

static muster_status balanced_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    return create(env, true, ret_self, err);
}

static void subsetting_destroy(void *policy)
{
    subsetting *self = policy;

    self->base.env.host->child_destroy(self->base.child);
    free(self);
}

/* ---- parts ---- */

static void part_release(part *self)
{
    free(self->backends);
    free(self->places);
}

static bool part_reserve(part *self, size_t n)
{
    self->n = 0;
    self->backends = malloc((n + 1) * sizeof self->backends[0]);
    self->places = malloc((n + 1) * sizeof self->places[0]);
    if (self->backends != NULL && self->places != NULL) {
        return true;
    }
    part_release(self);
    return false;
}

/* Those of a list that was chosen from, in the order of the subset, which
 * differs from client to client (gRFC A68). False: no memory. */
static bool part_take(part *self, const subset *chosen,
                      const muster_balancer_update *update)
{
    if (!part_reserve(self, chosen->n_chosen)) {
        return false;
    }
    self->n = chosen->n_chosen;
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);
        uint32_t place = subset_place(backend);

        if (place != 0) {
            self->backends[place - 1] = *backend;
            self->backends[place - 1].position = place - 1;
            self->places[place - 1] = (uint32_t)i;
        }
    }
    return true;
}

static muster_balancer_update part_update(const part *self)
{
    const muster_balancer_update update = {
        .struct_size = (uint32_t)sizeof update,
        .backend_size = (uint32_t)sizeof self->backends[0],
        .backends = self->backends,
        .n_backends = self->n};

    return update;
}

/* ---- the list ---- */

static void try_again(void *policy)
{
    subsetting *self = policy;

    self->retry = 0;
    self->base.env.host->republish(self->base.env.ctx);
}

static void try_later(subsetting *self)
{
    const muster_balancer_env *env = &self->base.env;

    if (self->retry == 0) {
        /* Without memory for it, the next update is another try. */
        (void)env->host->call_later(env->ctx, RETRY_MS, try_again, self,
                                    &self->retry);
    }
}

static bool tell_child(subsetting *self, const muster_balancer_update *update)
{
    part chosen;
    muster_balancer_update own;

    if ((!muster__subset_is_of(&self->subset, update) &&
         !muster__subset_choose(&self->subset, update)) ||
        !part_take(&chosen, &self->subset, update)) {
        return false;
    }
    own = part_update(&chosen);
    self->base.env.host->child_update(self->base.child, &own);
    part_release(&chosen);
    return true;
}

static void subsetting_update(void *policy,
                              const muster_balancer_update *update)
{
    subsetting *self = policy;

    self->is_told = tell_child(self, update);
    if (!self->is_told) {
        try_later(self);
    }
}

static bool ask_child(subsetting *self, const muster_balancer_update *update,
                      uint8_t *ret_wanted)
{
    part chosen;
    uint8_t *wanted;

    if (!part_take(&chosen, &self->subset, update)) {
        return false;
    }
    wanted = calloc(chosen.n + 1, 1);
    if (wanted != NULL) {
        const muster_balancer_update own = part_update(&chosen);

        self->base.env.host->child_want(self->base.child, &own, wanted);
        for (size_t i = 0; i < chosen.n; i++) {
            ret_wanted[chosen.places[i]] = wanted[i];
        }
    }
    part_release(&chosen);
    free(wanted);
    return wanted != NULL;
}

static bool is_serving(const muster_backend *backend)
{
    return backend->connectivity == MUSTER_READY && backend->flags == 0;
}

/* Those of the former subset stay, connected and picked, until one of this one
 * is READY: then for good they do not. */
static void keep_leaving(const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    bool is_over = false;

    for (size_t i = 0; i < update->n_backends && !is_over; i++) {
        const muster_backend *backend = backends_listed(update, i);

        is_over = subset_place(backend) != 0 && is_serving(backend);
    }
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);

        if (is_over || !is_serving(backend)) {
            subset_set_leaving(backend->state, false);
        } else if (subset_is_leaving(backend)) {
            ret_wanted[i] = 1;
        }
    }
}

/* While memory is short, those that were chosen last are wanted. */
static void subsetting_want(void *policy, const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    subsetting *self = policy;

    for (size_t i = 0; i < update->n_backends; i++) {
        ret_wanted[i] = subset_place(backends_listed(update, i)) != 0;
    }
    /* A parent policy may have had no memory to tell of the list. */
    if (!self->is_told || !muster__subset_is_of(&self->subset, update)) {
        self->is_told = tell_child(self, update);
    }
    if (self->is_told) {
        memset(ret_wanted, 0, update->n_backends);
    }
    if (!self->is_told || !ask_child(self, update, ret_wanted)) {
        try_later(self);
    }
    keep_leaving(update, ret_wanted);
}

/* ---- tables ---- */

static bool is_inside(const muster_backend *backend)
{
    return subset_place(backend) != 0;
}

/* An endpoint may be READY still when it is outside already. */
static void take_ready(const muster_build_args *args,
                       bool (*is_taken)(const muster_backend *backend),
                       muster_backend *ret_ready, subset_table *table)
{
    for (uint32_t i = 0; i < args->n_ready; i++) {
        const muster_backend *backend = backends_ready(args, i);

        if (is_taken(backend)) {
            ret_ready[table->n] = *backend;
            table->indices[table->n++] = i;
        }
    }
}

static muster_status build_child(const subsetting *self,
                                 const muster_build_args *args,
                                 subset_table *table, muster_error *err)
{
    muster_backend *ready = malloc((args->n_ready + 1) * sizeof ready[0]);
    muster_build_args own = {.struct_size = (uint32_t)sizeof own,
                             .backend_size = (uint32_t)sizeof ready[0],
                             .ready = ready};
    muster_status status;

    if (ready == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "subsetting: no memory for %zu endpoints",
                                args->n_ready);
    }
    take_ready(args, is_inside, ready, table);
    if (table->n == 0) {
        take_ready(args, subset_is_leaving, ready, table);
    }
    own.struct_size = (uint32_t)sizeof own;
    own.n_ready = table->n;
    status = self->base.env.host->child_build(self->base.child, &own,
                                              &table->of_child, err);
    free(ready);
    return status;
}

static muster_status subsetting_build(void *self, const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    subset_table *table =
        calloc(1, sizeof *table + args->n_ready * sizeof table->indices[0]);
    muster_status status;

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "subsetting: no memory for a table of %zu "
                                "endpoints",
                                args->n_ready);
    }
    status = build_child(self, args, table, err);
    if (status != MUSTER_OK) {
        free(table);
        return status;
    }
    *ret_table = table;
    return MUSTER_OK;
}

static void subsetting_table_destroy(void *policy, void *policy_table)
{
    const subsetting *self = policy;
    subset_table *table = policy_table;

    self->base.env.host->child_table_destroy(self->base.child, table->of_child);
    free(table);
}

/* ---- picks ---- */

static muster_verdict subsetting_pick(void *policy, void *policy_table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    const subsetting *self = policy;
    const subset_table *table = policy_table;
    muster_pick_args own = *args;
    muster_verdict verdict;

    own.n_ready = table->n;
    verdict = self->base.env.host->child_pick(self->base.child, table->of_child,
                                              &own, result);
    if (verdict == MUSTER_PICK_INDEX) {
        result->index = table->indices[result->index];
    }
    return verdict;
}

static void subsetting_done(void *policy, uint64_t id, void *state,
                            const muster_outcome *outcome)
{
    const subsetting *self = policy;

    (void)state;
    self->base.env.host->child_done(self->base.child, id, outcome);
}

/* The flags are for whatever the child may be: one that heeds weights, and one
 * that connects when it is asked. */
#define SUBSETTING(class_name, class_create)                                   \
    {                                                                          \
        .struct_size = (uint32_t)sizeof(muster_balancer_class),                \
        .flags =                                                               \
            MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_PICKS_WHEN_EMPTY,   \
        .name = (class_name), .state_size = (uint32_t)sizeof(subset_state),    \
        .create = (class_create), .update = subsetting_update,                 \
        .want = subsetting_want, .build = subsetting_build,                    \
        .pick = subsetting_pick, .done = subsetting_done,                      \
        .table_destroy = subsetting_table_destroy,                             \
        .destroy = subsetting_destroy,                                         \
    }

static const muster_balancer_class random_class =
    SUBSETTING("random_subsetting", random_create);
static const muster_balancer_class random_experimental_class =
    SUBSETTING("random_subsetting_experimental", random_create);
static const muster_balancer_class balanced_class =
    SUBSETTING("balanced_subsetting", balanced_create);

static const muster_balancer_class *const classes[] = {
    &random_class, &random_experimental_class, &balanced_class};

MUSTER_PLUGIN(subsetting,
              "subsetting\0balancer:random_subsetting\0"
              "balancer:random_subsetting_experimental\0"
              "balancer:balanced_subsetting\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 3);
