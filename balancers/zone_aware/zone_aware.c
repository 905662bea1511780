/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "zone_aware": calls stay in the caller's zone as far as its
 * servers get no more than others do for it, as Envoy has it. */
#include <muster/plugin.h>

#include <stdio.h>

#include "../groups_table.h"
#include "shares.h"
#include "zones.h"

typedef struct zone_aware {
    zones zones; /* first */
    char *local;
    json_t *clients; /* of each zone; NULL: as the servers are */
    uint32_t n_client_zones;
    uint64_t n_clients;
    uint32_t least_servers;
    uint32_t enabled;
    uint32_t panic_threshold;
    uint32_t forced_at; /* healthy servers in the local zone; 0: never */
    bool fails_in_panic;
    bool is_in_panic;
    bool handles_unfit; /* else those in the view are there for a child */
    bool was_asked;     /* want() has been called */
    zone_shares *shares;
    uint32_t n_shares; /* that there is room for */
} zone_aware;

/* ---- what each zone gets ---- */

static uint64_t clients_of(const zone_aware *self, const zone *of)
{
    const json_t *said = json_object_get(self->clients, of->name);

    return self->clients == NULL ? of->counts.listed
                                 : (uint64_t)json_integer_value(said);
}

static zone_counts total_of(const zones *of)
{
    zone_counts total = {0};

    for (uint32_t i = 0; i < of->n; i++) {
        const zone_counts *counts = &of->items[i]->counts;

        total.listed += counts->listed;
        total.healthy += counts->healthy;
        total.failing += counts->failing;
        total.n_healthy += counts->n_healthy;
        total.connected += counts->connected;
    }
    return total;
}

/* Percentages are of the endpoints of which something is known. */
static void judge_panic(zone_aware *self, const zone_counts *total)
{
    bool is_in_panic =
        total->healthy * 100 <
        (uint64_t)self->panic_threshold * (total->healthy + total->failing);

    if (is_in_panic != self->is_in_panic) {
        self->zones.groups.env.host->log(
            self->zones.groups.env.ctx,
            is_in_panic ? MUSTER_LOG_WARNING : MUSTER_LOG_INFO,
            is_in_panic ? "too few endpoints are healthy: panic"
                        : "enough endpoints are healthy again");
    }
    self->is_in_panic = is_in_panic;
    for (uint32_t i = 0; i < self->zones.n; i++) {
        self->zones.items[i]->group.is_in_panic =
            is_in_panic && !self->fails_in_panic;
    }
}

/* What a zone whose child connects a part of it (a subset, the first one) has
 * besides is of no use while nothing of that part is READY; of one that
 * connects on demand it is, until something fails. */
static uint64_t servers_of(const zone_counts *counts)
{
    return counts->n_ready == 0 && counts->n_stuck > 0 ? 0 : counts->healthy;
}

static void fill(const zone_aware *self)
{
    for (uint32_t i = 0; i < self->zones.n; i++) {
        const zone *of = self->zones.items[i];

        self->shares[i] = (zone_shares){
            .servers = self->is_in_panic ? of->counts.connected
                                         : servers_of(&of->counts),
            .clients = clients_of(self, of),
            .is_local = strcmp(of->name, self->local) == 0};
    }
}

/* Whether zones are to be heeded: Envoy's conditions. */
static bool is_routed(const zone_aware *self, const zone_counts *total,
                      bool is_forced)
{
    uint32_t n_server_zones = 0;
    bool has_local_clients = false;

    for (uint32_t i = 0; i < self->zones.n; i++) {
        n_server_zones += self->shares[i].servers > 0;
        has_local_clients |=
            self->shares[i].is_local && self->shares[i].clients > 0;
    }
    if (self->clients != NULL) {
        has_local_clients =
            json_integer_value(json_object_get(self->clients, self->local)) > 0;
    }
    return !self->is_in_panic && total->n_healthy >= self->least_servers &&
           n_server_zones >= 2 && has_local_clients &&
           (is_forced || self->clients == NULL || self->n_client_zones >= 2);
}

static bool is_forced(const zone_aware *self)
{
    for (uint32_t i = 0; i < self->zones.n; i++) {
        if (self->shares[i].is_local) {
            return self->forced_at > 0 &&
                   self->zones.items[i]->counts.n_healthy >= self->forced_at;
        }
    }
    return false;
}

static void share_out(const zone_aware *self, const zone_counts *total)
{
    bool forced;

    fill(self);
    forced = is_forced(self);
    if (is_routed(self, total, forced)) {
        muster__shares_by_zones(self->shares, self->zones.n,
                                self->clients == NULL ? total->listed
                                                      : self->n_clients,
                                forced, self->enabled);
    } else {
        muster__shares_by_servers(self->shares, self->zones.n);
    }
}

/* ---- the plan ---- */

static bool has_room(zone_aware *self)
{
    if (self->n_shares < self->zones.n) {
        zone_shares *shares =
            realloc(self->shares, self->zones.n * sizeof *shares);

        if (shares == NULL) {
            return false;
        }
        self->shares = shares;
        self->n_shares = self->zones.n;
    }
    return true;
}

/* All zones are in it: of one whose share is 0 now, and that another plan has,
 * nothing is left out by that. */
static void set_plan(zone_aware *self, groups_plan *plan)
{
    const bool fails = self->is_in_panic && self->fails_in_panic;

    for (uint32_t i = 0; i < self->zones.n; i++) {
        zone *of = self->zones.items[i];

        plan->shares[plan->n++] =
            (groups_share){.of = &of->group,
                           .share = fails ? 1 : self->shares[i].share,
                           .is_kept = fails || (of->counts.n_healthy > 0 &&
                                                of->counts.n_ready == 0 &&
                                                of->counts.n_stuck == 0),
                           .takes_unfit = of->group.is_in_panic,
                           .fails = fails};
    }
    groups_set_plan(&self->zones.groups, plan);
}

static void decide(zone_aware *self, const muster_balancer_update *update,
                   const uint8_t *wanted)
{
    groups_plan *plan = groups_plan_create(&self->zones.groups, self->zones.n);
    zone_counts total;

    if (plan == NULL || !has_room(self)) {
        free(plan); /* the next change tells */
        return;
    }
    muster__zones_count(&self->zones, update, wanted);
    total = total_of(&self->zones);
    judge_panic(self, &total);
    share_out(self, &total);
    set_plan(self, plan);
}

/* ---- the class's functions ---- */

static void zone_aware_update(void *policy,
                              const muster_balancer_update *update)
{
    zone_aware *self = policy;

    muster__zones_take(&self->zones, update);
    if (!self->was_asked) { /* what is wanted decides, where it is asked */
        decide(self, update, NULL);
    }
    groups_tell(&self->zones.groups, update);
}

static void zone_aware_want(void *policy, const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    zone_aware *self = policy;

    self->was_asked = true;
    groups_want(&self->zones.groups, update, NULL, ret_wanted);
    decide(self, update, ret_wanted);
    if (!groups_are_told(&self->zones.groups)) {
        groups_tell(&self->zones.groups, update);
        groups_want(&self->zones.groups, update, NULL, ret_wanted);
    }
}

static muster_status zone_aware_build(void *policy,
                                      const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    const zone_aware *self = policy;

    return groups_build_as_planned(policy, args,
                                   self->handles_unfit ? groups_is_fit : NULL,
                                   ret_table, err);
}

static void zone_aware_destroy(void *policy)
{
    zone_aware *self = policy;

    muster__zones_fini(&self->zones);
    json_decref(self->clients);
    free(self->local);
    free(self->shares);
    free(self);
}

/* ---- settings ---- */

static void read_clients(zone_aware *self, config *settings)
{
    json_t *clients = json_deep_copy(config_get(settings, "clientsPerZone"));
    const char *name;
    json_t *n;

    if (clients == NULL) {
        return;
    }
    self->clients = clients;
    if (!json_is_object(clients)) {
        config_refuse(settings, "clientsPerZone", "an object");
        return;
    }
    json_object_foreach(clients, name, n)
    {
        if (json_integer_value(n) < 0 || !json_is_integer(n) ||
            json_integer_value(n) > UINT32_MAX) {
            config_refuse(settings, "clientsPerZone",
                          "a whole number for each zone");
            return;
        }
        self->n_clients += (uint64_t)json_integer_value(n);
        self->n_client_zones += json_integer_value(n) > 0;
    }
}

static void read_local(zone_aware *self, config *settings)
{
    const char *local = NULL;

    config_text(settings, "localZone", &local);
    if (settings->status == MUSTER_OK && local == NULL) {
        config_refuse(settings, "localZone", "the zone of this program");
    } else if (local != NULL) {
        self->local = strdup(local);
    }
}

static muster_status read_settings(zone_aware *self, const char *json,
                                   muster_error *err)
{
    static const char *const bases[] = {"HEALTHY_HOSTS_NUM",
                                        "HEALTHY_HOSTS_WEIGHT"};
    config settings = config_open(json, err);
    unsigned basis = 0;

    self->least_servers = 6;
    self->enabled = 100;
    self->panic_threshold = 50;
    read_local(self, &settings);
    read_clients(self, &settings);
    config_integer(&settings, "minClusterSize", 0, UINT32_MAX,
                   &self->least_servers);
    config_integer(&settings, "routingEnabled", 0, 100, &self->enabled);
    config_integer(&settings, "panicThreshold", 0, 100, &self->panic_threshold);
    config_integer(&settings, "forceLocalZone", 0, UINT32_MAX,
                   &self->forced_at);
    config_bool(&settings, "failTrafficOnPanic", &self->fails_in_panic);
    config_choice(&settings, "localityBasis", bases, 2,
                  "HEALTHY_HOSTS_NUM or HEALTHY_HOSTS_WEIGHT", &basis);
    self->zones.is_by_weight = basis == 1;
    return config_close(&settings);
}

/* The first zone's child tells whether the settings of children are right. */
static muster_status start(zone_aware *self, const muster_balancer_env *env,
                           muster_error *err)
{
    group *first;
    muster_status status = read_settings(self, env->config_json, err);

    if (status == MUSTER_OK && self->local == NULL) {
        status = muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    if (status == MUSTER_OK) {
        status = groups_add(&self->zones.groups, sizeof(zone), &first, err);
    }
    return status;
}

static muster_status zone_aware_create(const muster_balancer_env *env,
                                       void **ret_self, muster_error *err)
{
    zone_aware *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    groups_init(&self->zones.groups, env);
    status = start(self, env, err);
    if (status != MUSTER_OK) {
        zone_aware_destroy(self);
        return status;
    }
    self->handles_unfit = self->panic_threshold > 0 && !self->fails_in_panic;
    if (self->handles_unfit) {
        env->host->include_unfit(env->ctx);
    }
    *ret_self = self;
    return MUSTER_OK;
}

/* Whether weights are heeded, the child's policy says. */
static const muster_balancer_class zone_aware_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS | MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "zone_aware",
    .state_size = (uint32_t)sizeof(zone_endpoint),
    .create = zone_aware_create,
    .update = zone_aware_update,
    .want = zone_aware_want,
    .build = zone_aware_build,
    .pick = groups_pick,
    .done = groups_done,
    .table_destroy = groups_table_destroy,
    .destroy = zone_aware_destroy,
};

static const muster_balancer_class *const classes[] = {&zone_aware_class};

MUSTER_PLUGIN(zone_aware, "zone_aware\0balancer:zone_aware\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
