/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "rendezvous": a key's calls go to the endpoint that has the
 * highest score for that key. */
#include <muster/plugin.h>

#include <math.h>
#include <stdlib.h>

#include "../hashing/load.h"

/* Within this file: every endpoint is full. */
#define NOBODY UINT32_MAX

typedef struct rendezvous {
    hashing_bound bound;
    muster_balancer_env env;
    hashing_settings settings;
} rendezvous;

typedef struct candidate {
    uint64_t hash;
    double weight;
    uint32_t index; /* of the READY view */
} candidate;

typedef struct score_table {
    hashing_seat *seats; /* n of them; NULL when there is no bound */
    uint32_t n;
    bool has_weights; /* different ones */
    candidate candidates[];
} score_table;

static muster_status rendezvous_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    hashing_settings common = {.balance_factor = 0};
    config settings = config_open(env->config_json, err);
    muster_status status;
    rendezvous *self;

    hashing_read(&settings, &common);
    status = config_close(&settings);
    if (status != MUSTER_OK) {
        return status;
    }
    self = aligned_alloc(_Alignof(rendezvous), sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "rendezvous: no memory");
    }
    hashing_bound_init(&self->bound, &common);
    self->env = *env;
    self->settings = common;
    *ret_self = self;
    return MUSTER_OK;
}

/* ---- the table ---- */

static void free_table(void *self, void *policy_table)
{
    score_table *table = policy_table;

    (void)self;
    if (table != NULL) {
        free(table->seats);
        free(table);
    }
}

static score_table *table_create(const hashing_settings *settings,
                                 const muster_build_args *args)
{
    score_table *table =
        malloc(sizeof *table + args->n_ready * sizeof table->candidates[0]);

    if (table == NULL) {
        return NULL;
    }
    table->n = (uint32_t)args->n_ready;
    table->has_weights = false;
    table->seats =
        settings->balance_factor > 0 ? hashing_seats_create(args) : NULL;
    if (settings->balance_factor > 0 && table->seats == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

static muster_status rendezvous_build(void *policy,
                                      const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    const rendezvous *self = policy;
    hashing_member *members = hashing_arrange_ready(&self->settings, args);
    score_table *table = table_create(&self->settings, args);

    if (members == NULL || table == NULL) {
        free_table(NULL, table);
        free(members);
        return muster_error_set(err, MUSTER_NOMEM,
                                "rendezvous: no memory for %zu endpoints",
                                args->n_ready);
    }
    for (uint32_t i = 0; i < table->n; i++) {
        candidate *to = &table->candidates[i];

        to->hash = hashing_member_hash(&members[i], 0);
        to->weight = members[i].weight;
        to->index = members[i].index;
        table->has_weights |= members[i].weight != members[0].weight;
    }
    free(members);
    *ret_table = table;
    return MUSTER_OK;
}

/* ---- picks ---- */

/* A number of 53 bits for a call at an endpoint, by xorshift64* (Vigna) of both
 * hashes, as in Envoy, so that clients of both kinds agree. */
static uint64_t mix(uint64_t hash, const candidate *with)
{
    uint64_t mixed = hash ^ with->hash;

    mixed ^= mixed >> 12;
    mixed ^= mixed << 25;
    mixed ^= mixed >> 27;
    return (mixed * UINT64_C(2685821657736338717)) & (UINT64_MAX >> 11);
}

/* -weight / ln(u), for a u between 0 and 1: each endpoint has the highest one
 * with the probability of its share of all weights (logarithmic method). With
 * equal weights u itself is in the same order, and costs no logarithm. */
static double score(const score_table *table, uint64_t hash,
                    const candidate *of)
{
    double u = ((double)mix(hash, of) + 0.5) * 0x1p-53;

    return table->has_weights ? -of->weight / log(u) : u;
}

static uint32_t highest_of_equals(const score_table *table, uint64_t hash)
{
    uint64_t best = 0;
    uint32_t at = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        uint64_t own = mix(hash, &table->candidates[i]);

        if (own > best) {
            best = own;
            at = i;
        }
    }
    return table->candidates[at].index;
}

static uint32_t highest(const score_table *table, uint64_t hash)
{
    double best = -1;
    uint32_t at = 0;

    if (!table->has_weights) {
        return highest_of_equals(table, hash);
    }
    for (uint32_t i = 0; i < table->n; i++) {
        double own = score(table, hash, &table->candidates[i]);

        if (own > best) {
            best = own;
            at = i;
        }
    }
    return table->candidates[at].index;
}

/* NOBODY when all are full. */
static uint32_t highest_with_room(const score_table *table, uint64_t hash,
                                  const hashing_bound *bound, uint64_t n_calls)
{
    double best = -1;
    uint32_t index = NOBODY;

    for (uint32_t i = 0; i < table->n; i++) {
        const candidate *of = &table->candidates[i];
        double own = score(table, hash, of);

        if (own > best &&
            hashing_has_room(bound, &table->seats[of->index], n_calls)) {
            best = own;
            index = of->index;
        }
    }
    return index;
}

/* Each key has an order of all endpoints, so the next best with room is what
 * jumps find in the other policies. Another thread may take the last place of
 * it first; that cannot go on for long. */
static uint32_t place(hashing_bound *bound, const score_table *table,
                      uint64_t hash)
{
    uint64_t n_calls = hashing_begin(bound);
    uint32_t index = 0;

    for (int i = 0; i < HASHING_MAX_JUMPS && index != NOBODY; i++) {
        index = highest_with_room(table, hash, bound, n_calls);
        if (index != NOBODY &&
            hashing_enter(bound, &table->seats[index], n_calls)) {
            return index;
        }
    }
    index = highest(table, hash);
    hashing_squeeze_in(&table->seats[index]);
    return index;
}

static muster_verdict rendezvous_pick(void *policy, void *policy_table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    rendezvous *self = policy;
    const score_table *table = policy_table;
    uint64_t hash = hashing_call_hash(&self->settings, &self->env, args->call);

    result->index = table->seats == NULL ? highest(table, hash)
                                         : place(&self->bound, table, hash);
    return MUSTER_PICK_INDEX;
}

static void rendezvous_done(void *policy, uint64_t id, void *state,
                            const muster_outcome *outcome)
{
    rendezvous *self = policy;

    (void)id;
    (void)outcome;
    if (self->settings.balance_factor > 0) {
        hashing_end(&self->bound, state);
    }
}

static void rendezvous_destroy(void *self)
{
    free(self);
}

static const muster_balancer_class rendezvous_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "rendezvous",
    .state_size = (uint32_t)sizeof(hashing_load),
    .create = rendezvous_create,
    .build = rendezvous_build,
    .pick = rendezvous_pick,
    .done = rendezvous_done,
    .table_destroy = free_table,
    .destroy = rendezvous_destroy,
};

static const muster_balancer_class *const classes[] = {&rendezvous_class};

MUSTER_PLUGIN(rendezvous, "rendezvous\0balancer:rendezvous\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
