/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "maglev": a key's calls go to one endpoint, by a lookup table that
 * gives each endpoint its share almost exactly. */
#include <muster/plugin.h>

#include <stdlib.h>

#include "table.h"

#define DEFAULT_SIZE 65537
#define MAX_SIZE 5000011

typedef struct maglev {
    hashing_bound bound;
    muster_balancer_env env;
    hashing_settings settings;
    uint32_t size;
} maglev;

static bool is_prime(uint32_t number)
{
    for (uint32_t i = 2; i * i <= number; i++) {
        if (number % i == 0) {
            return false;
        }
    }
    return number >= 2;
}

static muster_status maglev_create(const muster_balancer_env *env,
                                   void **ret_self, muster_error *err)
{
    hashing_settings common = {.balance_factor = 0};
    uint32_t size = DEFAULT_SIZE;
    config settings = config_open(env->config_json, err);
    muster_status status;
    maglev *self;

    hashing_read(&settings, &common);
    config_integer(&settings, "tableSize", 2, MAX_SIZE, &size);
    if (!is_prime(size)) {
        config_refuse(&settings, "tableSize", "a prime number");
    }
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = aligned_alloc(_Alignof(maglev), sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "maglev: no memory");
    }
    hashing_bound_init(&self->bound, &common);
    self->env = *env;
    self->settings = common;
    self->size = size;
    *ret_self = self;
    return MUSTER_OK;
}

static muster_status maglev_build(void *policy, const muster_build_args *args,
                                  void **ret_table, muster_error *err)
{
    const maglev *self = policy;
    maglev_table *table =
        muster__maglev_table_create(&self->settings, args, self->size);

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "maglev: no memory for a table of %u entries",
                                (unsigned)self->size);
    }
    *ret_table = table;
    return MUSTER_OK;
}

static uint32_t owner_of(const void *policy_table, uint64_t hash)
{
    const maglev_table *table = policy_table;

    return table->owners[hash % table->size];
}

static muster_verdict maglev_pick(void *policy, void *policy_table,
                                  const muster_pick_args *args,
                                  muster_pick_result *result)
{
    maglev *self = policy;
    const maglev_table *table = policy_table;
    uint64_t hash = hashing_call_hash(&self->settings, &self->env, args->call);

    result->index = table->seats == NULL
                        ? owner_of(table, hash)
                        : hashing_place(&self->bound, table->seats, table->n,
                                        hash, owner_of, table);
    return MUSTER_PICK_INDEX;
}

static void maglev_done(void *policy, uint64_t id, void *state,
                        const muster_outcome *outcome)
{
    maglev *self = policy;

    (void)id;
    (void)outcome;
    if (self->settings.balance_factor > 0) {
        hashing_end(&self->bound, state);
    }
}

static void maglev_free_table(void *self, void *table)
{
    (void)self;
    muster__maglev_table_destroy(table);
}

static void maglev_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class maglev_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "maglev",
    .state_size = (uint32_t)sizeof(hashing_load),
    .create = maglev_create,
    .build = maglev_build,
    .pick = maglev_pick,
    .done = maglev_done,
    .table_destroy = maglev_free_table,
    .destroy = maglev_destroy,
};

static const muster_balancer_class *const classes[] = {&maglev_class};

MUSTER_PLUGIN(maglev, "maglev\0balancer:maglev\0", .version = "0.1.0",
              .balancers = classes, .n_balancers = 1);
