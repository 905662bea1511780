/* SPDX-License-Identifier: Apache-2.0 */
/* Names each call of a policy, and runs build() on a worker. */
#include "balancer_shim.h"

#include <pthread.h>
#include <string.h>

static trial *current;
static const muster_balancer_class *real;
static muster_balancer_class shim;
static bool is_update_beside;

static muster_status name_create(const muster_balancer_env *env,
                                 void **ret_self, muster_error *err)
{
    trial_step(current, "create()");
    return real->create(env, ret_self, err);
}

static void name_update(void *self, const muster_balancer_update *update)
{
    trial_step(current, "update() of %zu endpoints", update->n_backends);
    real->update(self, update);
}

static void name_want(void *self, const muster_balancer_update *update,
                      uint8_t *ret_wanted)
{
    trial_step(current, "want() of %zu endpoints", update->n_backends);
    real->want(self, update, ret_wanted);
}

typedef struct job {
    void *self;
    const muster_build_args *args;
    void **ret_table;
    muster_error *err;
    muster_status status;
} job;

static void *run_build(void *arg)
{
    job *build = arg;

    build->status =
        real->build(build->self, build->args, build->ret_table, build->err);
    return NULL;
}

/* While a worker builds, the list shrinks to what is READY. */
static void update_beside(const job *build)
{
    const muster_balancer_update update = {
        .struct_size = (uint32_t)sizeof update,
        .backend_size = build->args->backend_size,
        .backends = build->args->ready,
        .n_backends = build->args->n_ready,
    };

    if (is_update_beside && real->update != NULL) {
        for (unsigned i = 0; i < 10; i++) {
            real->update(build->self, &update);
        }
    }
}

static muster_status name_build(void *self, const muster_build_args *args,
                                void **ret_table, muster_error *err)
{
    job build = {
        .self = self, .args = args, .ret_table = ret_table, .err = err};
    pthread_t worker;

    trial_step(current, "build() of %zu READY endpoints", args->n_ready);
    if (pthread_create(&worker, NULL, run_build, &build) != 0) {
        return muster_error_set(err, MUSTER_EXHAUSTED, "no thread");
    }
    update_beside(&build);
    (void)pthread_join(worker, NULL);
    if (build.status != MUSTER_OK) {
        (void)trial_check_error(current, "build()", build.status, err);
    }
    return build.status;
}

static void name_destroy(void *self)
{
    trial_step(current, "destroy()");
    real->destroy(self);
}

const muster_balancer_class *balancer_shim(trial *self)
{
    size_t size = self->balancer->struct_size;

    current = self;
    real = self->balancer;
    memcpy(&shim, real, size < sizeof shim ? size : sizeof shim);
    shim.struct_size = (uint32_t)sizeof shim;
    shim.create = name_create;
    shim.update = real->update == NULL ? NULL : name_update;
    shim.want = real->want == NULL ? NULL : name_want;
    shim.build = real->build == NULL ? NULL : name_build;
    shim.destroy = name_destroy;
    return &shim;
}

void balancer_shim_run_beside(bool is_beside)
{
    is_update_beside = is_beside;
}
