/* SPDX-License-Identifier: Apache-2.0 */
/* The policy "weighted_round_robin": each endpoint in proportion to its weight,
 * spread as evenly as can be. README.md has the method. */
#include <muster/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>

#include "../backends.h"
#include "../config.h"
#include "../share_table.h"
#include "load_report.h"
#include "load_weight.h"

#define N_CURSORS 64 /* a power of two: shards are taken modulo */
#define CACHE_LINE 64

/* 2^64 divided by the golden ratio: multiples of it modulo 2^64 fill the range
 * more evenly than those of any other step. */
#define GOLDEN_STEP 0x9e3779b97f4a7c15u

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define LEAST_UPDATE_PERIOD_NS (100 * NS_PER_MS) /* gRFC A58 */

/* A number of the range 0 ... 2^64 - 1. */
typedef struct cursor {
    _Alignas(CACHE_LINE) _Atomic uint64_t at;
} cursor;

typedef struct weighted_settings {
    bool is_strict;
    bool ignores_reports;
    bool wants_oob_reports;
    double error_penalty;
    uint64_t update_period_ns;
    uint64_t oob_period_ns;
    muster__load_ages ages;
} weighted_settings;

typedef struct weighted_round_robin {
    cursor cursors[N_CURSORS];
    cursor strict;
    weighted_settings settings;
    muster_balancer_env env;
    bool has_timer; /* touched on the control thread only */

    /* But for has_news they order nothing: relaxed. */
    _Alignas(CACHE_LINE) _Atomic bool has_reports; /* one came, ever */
    _Atomic bool has_news;           /* a weight changed since the last build */
    _Atomic uint64_t next_change_ns; /* when one will without a report */
} weighted_round_robin;

/* ---- life ---- */

static muster_status read_settings(const char *json, weighted_settings *ret,
                                   muster_error *err)
{
    config settings = config_open(json, err);

    config_bool(&settings, "strict", &ret->is_strict);
    config_bool(&settings, "ignoreLoadReports", &ret->ignores_reports);
    config_bool(&settings, "enableOobLoadReport", &ret->wants_oob_reports);
    config_duration(&settings, "oobReportingPeriod", &ret->oob_period_ns);
    config_duration(&settings, "blackoutPeriod", &ret->ages.blackout_ns);
    config_duration(&settings, "weightExpirationPeriod",
                    &ret->ages.expiration_ns);
    config_duration(&settings, "weightUpdatePeriod", &ret->update_period_ns);
    config_number(&settings, "errorUtilizationPenalty", 0, 1e9,
                  &ret->error_penalty);
    if (ret->update_period_ns < LEAST_UPDATE_PERIOD_NS) {
        ret->update_period_ns = LEAST_UPDATE_PERIOD_NS;
    }
    return config_close(&settings);
}

static void init_cursors(weighted_round_robin *self)
{
    const muster_balancer_env *env = &self->env;

    for (unsigned i = 0; i < N_CURSORS; i++) {
        atomic_init(&self->cursors[i].at, env->host->random(env->ctx));
    }
    atomic_init(&self->strict.at, env->host->random(env->ctx));
}

static void warn_of_oob(const weighted_round_robin *self)
{
    if (self->settings.wants_oob_reports && !self->settings.ignores_reports) {
        self->env.host->log(self->env.ctx, MUSTER_LOG_WARNING,
                            "enableOobLoadReport: no stream of load reports "
                            "is asked for; those that come with calls are "
                            "heeded");
    }
}

static void start_timer(weighted_round_robin *self);

static muster_status weighted_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    weighted_settings settings = {
        .error_penalty = 1,
        .update_period_ns = NS_PER_S,
        .ages = {.blackout_ns = 10 * NS_PER_S, .expiration_ns = 180 * NS_PER_S},
    };
    muster_status status = read_settings(env->config_json, &settings, err);
    weighted_round_robin *self;

    if (status != MUSTER_OK) {
        return status;
    }
    self = aligned_alloc(CACHE_LINE, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_round_robin: no memory");
    }
    self->env = *env;
    self->settings = settings;
    init_cursors(self);
    atomic_init(&self->has_reports, false);
    atomic_init(&self->has_news, false);
    atomic_init(&self->next_change_ns, UINT64_MAX);
    self->has_timer = false;
    start_timer(self);
    warn_of_oob(self);
    *ret_self = self;
    return MUSTER_OK;
}

static void weighted_destroy(void *self)
{
    free(self);
}

/* ---- load reports ---- */

static void weighted_done(void *policy, uint64_t id, void *state,
                          const muster_outcome *outcome)
{
    weighted_round_robin *self = policy;
    muster__load_report report;

    (void)id;
    if (outcome->load_report == NULL || self->settings.ignores_reports ||
        !muster__load_report_read(outcome->load_report,
                                  outcome->load_report_size, &report) ||
        !muster__load_weight_learn(
            state,
            muster__load_report_weight(&report, self->settings.error_penalty),
            self->env.host->now_ns(self->env.ctx))) {
        return;
    }
    atomic_store_explicit(&self->has_reports, true, memory_order_relaxed);
    /* An exchange, for it never misses that of the control thread, as reading
     * the flag before the weight is seen could. Release: whoever has the news
     * sees the weight. Reports that change no weight do not come here. */
    (void)atomic_exchange_explicit(&self->has_news, true, memory_order_release);
}

static bool must_rebuild(weighted_round_robin *self)
{
    uint64_t next_change_ns =
        atomic_load_explicit(&self->next_change_ns, memory_order_relaxed);

    return atomic_exchange_explicit(&self->has_news, false,
                                    memory_order_acquire) ||
           self->env.host->now_ns(self->env.ctx) >= next_change_ns;
}

static void weights_are_due(void *policy)
{
    weighted_round_robin *self = policy;

    self->has_timer = false;
    if (must_rebuild(self)) {
        self->env.host->republish(self->env.ctx);
    }
    start_timer(self);
}

/* Without memory for it, the next update is another try. */
static void start_timer(weighted_round_robin *self)
{
    const muster_balancer_env *env = &self->env;
    uint64_t delay_ms = self->settings.update_period_ns / NS_PER_MS;

    if (!self->settings.ignores_reports && !self->has_timer) {
        self->has_timer =
            env->host->call_later(env->ctx, delay_ms, weights_are_due, self,
                                  NULL) == MUSTER_OK;
    }
}

/* What comes back may be another process: its weight is learnt anew. */
static void weighted_update(void *policy, const muster_balancer_update *update)
{
    weighted_round_robin *self = policy;

    start_timer(self);
    if (!atomic_load_explicit(&self->has_reports, memory_order_relaxed)) {
        return;
    }
    for (size_t i = 0; i < update->n_backends; i++) {
        const muster_backend *backend = backends_listed(update, i);

        if (backend->connectivity != MUSTER_READY) {
            muster__load_weight_forget(backend->state);
        }
    }
}

/* ---- tables ---- */

static double own_weight(const muster_build_args *args, size_t i)
{
    uint32_t weight = backends_ready(args, i)->endpoint->weight;

    return weight == 0 ? 1 : weight;
}

/* Those that are known; 0 for the others. Returns how many are. */
static size_t read_learnt(weighted_round_robin *self,
                          const muster_build_args *args, double *weights)
{
    uint64_t now_ns = self->env.host->now_ns(self->env.ctx);
    uint64_t next_change_ns = UINT64_MAX;
    size_t n_known = 0;

    for (size_t i = 0; i < args->n_ready; i++) {
        weights[i] = muster__load_weight_get(backends_ready(args, i)->state,
                                             &self->settings.ages, now_ns,
                                             &next_change_ns);
        n_known += weights[i] > 0;
    }
    atomic_store_explicit(&self->next_change_ns, next_change_ns,
                          memory_order_relaxed);
    return n_known;
}

/* How much of a learnt weight goes to one unit of the endpoints' own. */
static double learnt_unit(const muster_build_args *args, const double *weights)
{
    double learnt = 0;
    double own = 0;

    for (size_t i = 0; i < args->n_ready; i++) {
        if (weights[i] > 0) {
            learnt += weights[i];
            own += own_weight(args, i);
        }
    }
    return learnt / own;
}

/* One learnt weight alone says nothing of the others (gRFC A58). */
static void fill_weights(weighted_round_robin *self,
                         const muster_build_args *args, double *weights)
{
    bool is_learnt = !self->settings.ignores_reports &&
                     read_learnt(self, args, weights) >= 2;
    double unit = is_learnt ? learnt_unit(args, weights) : 1;

    for (size_t i = 0; i < args->n_ready; i++) {
        if (!is_learnt || weights[i] <= 0) {
            weights[i] = own_weight(args, i) * unit;
        }
    }
}

static muster_status weighted_build(void *self, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    share_table *table = share_table_create(args->n_ready);

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM,
                                "weighted_round_robin: no memory for a table "
                                "of %zu endpoints",
                                args->n_ready);
    }
    fill_weights(self, args, table->weights);
    share_table_fill(table);
    *ret_table = table;
    return MUSTER_OK;
}

static void weighted_table_destroy(void *self, void *table)
{
    (void)self;
    share_table_destroy(table);
}

/* ---- picks ---- */

/* One step of a shard's own sequence. A lost update (two threads of one shard)
 * only repeats a pick, so plain relaxed loads and stores will do. */
static uint64_t next_sharded(cursor *own)
{
    uint64_t number =
        atomic_load_explicit(&own->at, memory_order_relaxed) + GOLDEN_STEP;

    atomic_store_explicit(&own->at, number, memory_order_relaxed);
    return number;
}

static muster_verdict weighted_pick(void *policy, void *table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    weighted_round_robin *self = policy;
    uint64_t number;

    if (self->settings.is_strict) {
        /* Relaxed, for the sequence orders nothing. */
        number = atomic_fetch_add_explicit(&self->strict.at, GOLDEN_STEP,
                                           memory_order_relaxed);
    } else {
        number = next_sharded(&self->cursors[args->shard % N_CURSORS]);
    }
    result->index = share_table_owner(table, number);
    return MUSTER_PICK_INDEX;
}

static const muster_balancer_class weighted_round_robin_class = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .flags = MUSTER_BALANCER_USES_WEIGHTS,
    .name = "weighted_round_robin",
    .state_size = (uint32_t)sizeof(muster__load_weight),
    .create = weighted_create,
    .update = weighted_update,
    .build = weighted_build,
    .pick = weighted_pick,
    .done = weighted_done,
    .table_destroy = weighted_table_destroy,
    .destroy = weighted_destroy,
};

static const muster_balancer_class *const classes[] = {
    &weighted_round_robin_class};

MUSTER_PLUGIN(weighted_round_robin,
              "weighted_round_robin\0balancer:weighted_round_robin\0",
              .version = "0.1.0", .balancers = classes, .n_balancers = 1);
