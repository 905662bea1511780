/* SPDX-License-Identifier: Apache-2.0 */
/* outlier_detection: ejects endpoints that fail too often, over a child (the
 * failure percentage of gRFC A50). */
#include "skeletons.h"

#include <stdatomic.h>
#include <stdlib.h>

#define INTERVAL_MS 10000
#define EJECTION_NS 30000000000u /* times the number of ejections */
#define MIN_CALLS 50
#define MAX_FAILED_PERCENT 85

/* Of an endpoint: done() counts on any thread, the rest is of control. */
typedef struct record {
    _Atomic uint64_t n_calls;
    _Atomic uint64_t n_failed;
    uint64_t ejected_until_ns; /* 0: it is not ejected */
    uint64_t n_ejections;
} record;

typedef struct known {
    uint64_t id;
    record *record;
} known;

typedef struct outlier_detection {
    muster_balancer_env env;
    muster_child *child;
    known *known; /* n_known of them: the list */
    size_t n_known;
} outlier_detection;

/* Each interval counts anew. */
static void judge(outlier_detection *self, const known *one)
{
    uint64_t now_ns = self->env.host->now_ns(self->env.ctx);
    record *of = one->record;
    uint64_t n_calls = atomic_exchange(&of->n_calls, 0);
    uint64_t n_failed = atomic_exchange(&of->n_failed, 0);

    if (of->ejected_until_ns != 0) {
        if (now_ns >= of->ejected_until_ns) {
            of->ejected_until_ns = 0;
            self->env.host->set_ejected(self->env.ctx, one->id, 0);
        }
    } else if (n_calls >= MIN_CALLS &&
               n_failed * 100 >= n_calls * MAX_FAILED_PERCENT) {
        of->n_ejections++;
        of->ejected_until_ns = now_ns + of->n_ejections * EJECTION_NS;
        self->env.host->set_ejected(self->env.ctx, one->id, 1);
    }
}

static void look(void *arg)
{
    outlier_detection *self = arg;

    for (size_t i = 0; i < self->n_known; i++) {
        judge(self, &self->known[i]);
    }
    (void)self->env.host->call_later(self->env.ctx, INTERVAL_MS, look, self,
                                     NULL);
}

static muster_status outlier_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    outlier_detection *self = calloc(1, sizeof *self);
    muster_status status;

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    self->env = *env;
    status = env->host->child_create(env->ctx, "round_robin", "{}",
                                     &self->child, err);
    if (status == MUSTER_OK) {
        status = env->host->call_later(env->ctx, INTERVAL_MS, look, self, NULL);
    }
    if (status != MUSTER_OK) {
        env->host->child_destroy(self->child);
        free(self);
        return status;
    }
    *ret_self = self;
    return MUSTER_OK;
}

static void outlier_update(void *arg, const muster_balancer_update *update)
{
    outlier_detection *self = arg;
    size_t n = update->n_backends;
    known *fresh = realloc(self->known, (n + 1) * sizeof *fresh);

    if (fresh == NULL) {
        self->n_known = 0; /* the states of those that left are gone */
        self->env.host->log(self->env.ctx, MUSTER_LOG_ERROR, "out of memory");
    } else {
        self->known = fresh;
        self->n_known = n;
        for (size_t i = 0; i < n; i++) {
            const void *at =
                (const char *)update->backends + i * update->backend_size;
            const muster_backend *backend = at;

            fresh[i] = (known){backend->id, backend->state};
        }
    }
    self->env.host->child_update(self->child, update);
}

static void outlier_want(void *arg, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    outlier_detection *self = arg;

    self->env.host->child_want(self->child, update, ret_wanted);
}

static muster_status outlier_build(void *arg, const muster_build_args *args,
                                   void **ret_table, muster_error *err)
{
    outlier_detection *self = arg;

    return self->env.host->child_build(self->child, args, ret_table, err);
}

static muster_verdict outlier_pick(void *arg, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    outlier_detection *self = arg;

    return self->env.host->child_pick(self->child, table, args, result);
}

static void outlier_done(void *arg, uint64_t id, void *state,
                         const muster_outcome *outcome)
{
    outlier_detection *self = arg;
    record *of = state;

    if (outcome->flags & MUSTER_OUTCOME_FROM_SERVER) {
        (void)atomic_fetch_add(&of->n_calls, 1);
        (void)atomic_fetch_add(&of->n_failed, outcome->status != 0);
    }
    self->env.host->child_done(self->child, id, outcome);
}

static void outlier_table_destroy(void *arg, void *table)
{
    outlier_detection *self = arg;

    self->env.host->child_table_destroy(self->child, table);
}

static void outlier_destroy(void *arg)
{
    outlier_detection *self = arg;

    self->env.host->child_destroy(self->child);
    free(self->known);
    free(self);
}

const muster_balancer_class skeleton_outlier_detection = {
    .struct_size = (uint32_t)sizeof(muster_balancer_class),
    .name = "skeleton_outlier_detection",
    .state_size = (uint32_t)sizeof(record),
    .create = outlier_create,
    .update = outlier_update,
    .want = outlier_want,
    .build = outlier_build,
    .pick = outlier_pick,
    .done = outlier_done,
    .table_destroy = outlier_table_destroy,
    .destroy = outlier_destroy,
};
