/* SPDX-License-Identifier: Apache-2.0 */
/* weighted_round_robin by load report: weight is calls per second divided by
 * utilisation, as each endpoint says of itself (gRFC A58). */
#include "skeletons.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_MS 1000
#define EXPIRY_NS 180000000000u
#define GOLDEN_STEP 0x9e3779b97f4a7c15u

/* Of an endpoint: done() writes, build() reads. */
typedef struct report {
    _Atomic uint64_t weight;
    _Atomic uint64_t at_ns;
} report;

typedef struct load_report {
    muster_balancer_env env;
    _Atomic uint64_t point;
} load_report;

typedef struct load_table {
    uint32_t n;
    double ends[]; /* of the shares of 0 ... 1 */
} load_table;

static void rebuild(void *arg)
{
    load_report *self = arg;

    self->env.host->republish(self->env.ctx);
    (void)self->env.host->call_later(self->env.ctx, PERIOD_MS, rebuild, self,
                                     NULL);
}

static muster_status load_report_create(const muster_balancer_env *env,
                                        void **ret_self, muster_error *err)
{
    load_report *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    self->env = *env;
    atomic_init(&self->point, env->host->random(env->ctx));
    status = env->host->call_later(env->ctx, PERIOD_MS, rebuild, self, NULL);
    if (status != MUSTER_OK) {
        free(self);
        return muster_error_set(err, status, "no timer");
    }
    *ret_self = self;
    return MUSTER_OK;
}

/* Reads a field of type double from a protobuf message of such fields. */
static double read_double(const muster_outcome *outcome, unsigned char field)
{
    const unsigned char *bytes = outcome->load_report;
    double value = 0;

    for (size_t i = 0; i + 9 <= outcome->load_report_size; i += 9) {
        if (bytes[i] == (unsigned char)(field << 3 | 1)) {
            memcpy(&value, bytes + i + 1, sizeof value);
        }
    }
    return value;
}

static void load_report_done(void *arg, uint64_t id, void *state,
                             const muster_outcome *outcome)
{
    load_report *self = arg;
    report *of = state;
    double utilisation;
    double calls_per_second;

    (void)id;
    if (outcome->load_report == NULL) {
        return;
    }
    utilisation = read_double(outcome, 1);
    calls_per_second = read_double(outcome, 6);
    if (utilisation > 0 && calls_per_second > 0) {
        atomic_store(&of->weight,
                     (uint64_t)(1000 * calls_per_second / utilisation));
        atomic_store(&of->at_ns, self->env.host->now_ns(self->env.ctx));
    }
}

/* 0 when it is not known, or no longer. */
static double weight_of(const load_report *self, const report *of)
{
    uint64_t age_ns =
        self->env.host->now_ns(self->env.ctx) - atomic_load(&of->at_ns);

    return age_ns < EXPIRY_NS ? (double)atomic_load(&of->weight) : 0;
}

/* Those not known get the mean of those that are. */
static void make_shares(load_table *table)
{
    double sum = 0;
    double total = 0;
    uint32_t n_known = 0;

    for (uint32_t i = 0; i < table->n; i++) {
        sum += table->ends[i];
        n_known += table->ends[i] > 0;
    }
    for (uint32_t i = 0; i < table->n; i++) {
        double mean = n_known == 0 ? 1 : sum / n_known;

        total += table->ends[i] > 0 ? table->ends[i] : mean;
        table->ends[i] = total;
    }
    for (uint32_t i = 0; i < table->n; i++) {
        table->ends[i] /= total;
    }
}

static muster_status load_report_build(void *arg, const muster_build_args *args,
                                       void **ret_table, muster_error *err)
{
    const load_report *self = arg;
    load_table *table =
        malloc(sizeof *table + args->n_ready * sizeof table->ends[0]);

    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    table->n = (uint32_t)args->n_ready;
    for (uint32_t i = 0; i < table->n; i++) {
        const void *at = (const char *)args->ready + i * args->backend_size;

        table->ends[i] = weight_of(self, ((const muster_backend *)at)->state);
    }
    make_shares(table);
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict load_report_pick(void *arg, void *policy_table,
                                       const muster_pick_args *args,
                                       muster_pick_result *result)
{
    load_report *self = arg;
    const load_table *table = policy_table;
    double point =
        (double)(atomic_fetch_add(&self->point, GOLDEN_STEP) >> 11) * 0x1p-53;
    uint32_t i = 0;

    (void)args;
    while (i + 1 < table->n && table->ends[i] <= point) {
        i++;
    }
    result->index = i;
    return MUSTER_PICK_INDEX;
}

static void load_report_table_destroy(void *self, void *table)
{
    (void)self;
    free(table);
}

static void load_report_destroy(void *self)
{
    free(self);
}

const muster_balancer_class skeleton_load_report = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "skeleton_load_report",
    .state_size = (uint32_t)sizeof(report),
    .create = load_report_create,
    .build = load_report_build,
    .pick = load_report_pick,
    .done = load_report_done,
    .table_destroy = load_report_table_destroy,
    .destroy = load_report_destroy,
};
