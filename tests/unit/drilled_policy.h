/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of policies that do what a test says: "drilled", "building",
 * "patient", "wanting", "aware", "lazy", "failing", "heedless", "tolerant",
 * "queuing". One a process. */
#ifndef MUSTER_TESTS_DRILLED_POLICY_H
#define MUSTER_TESTS_DRILLED_POLICY_H

#include <muster/plugin.h>

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct {
    const muster_balancer_env *env;
    void (*in_create)(const muster_balancer_env *env);
    void (*_Atomic in_update)(void); /* once */
    void (*_Atomic in_want)(void);   /* once */
    void (*in_destroy)(const muster_balancer_env *env);
    atomic_uint n_updates;
    atomic_uint n_builds;
    atomic_uint n_dones;
    atomic_uint n_created;
    atomic_uint n_destroyed;
    atomic_int create_fails_after; /* so many more; 0: it does not */
    muster_status create_status;   /* how it fails then, once */
    atomic_uint n_tables;
    atomic_bool fails_to_build;
    muster_status build_status; /* how; 0: MUSTER_INVAL */
    atomic_uint n_to_build;     /* picks of "building" wait for so many */
    atomic_bool hangs_in_build;
    atomic_bool queues;        /* "queuing" */
    atomic_bool hangs_in_pick; /* it, once */
    sem_t is_picking;
    sem_t may_pick;
    sem_t is_building;
    sem_t may_build;
    muster_pick_result failure;
    unsigned first_wanted;
    unsigned n_wanted; /* of the list, from first_wanted on */
    _Atomic uint64_t ids[64];
    atomic_uint n_ids;
    atomic_uint next;
} drill;

static void run_once(void (*_Atomic *hook)(void))
{
    void (*fn)(void) = atomic_exchange(hook, NULL);

    if (fn != NULL) {
        fn();
    }
}

static muster_status drilled_create(const muster_balancer_env *env,
                                    void **ret_self, muster_error *err)
{
    if (atomic_load(&drill.create_fails_after) > 0 &&
        atomic_fetch_sub(&drill.create_fails_after, 1) == 1) {
        return muster_error_set(err, drill.create_status, "told to fail");
    }
    drill.env = env;
    atomic_fetch_add(&drill.n_created, 1);
    env->host->republish(env->ctx);
    env->host->request_resolution(env->ctx);
    if (drill.in_create != NULL) {
        drill.in_create(env);
    }
    *ret_self = &drill;
    return MUSTER_OK;
}

static void drilled_update(void *self, const muster_balancer_update *update)
{
    (void)self;
    for (size_t i = 0; i < update->n_backends; i++) {
        atomic_store(&drill.ids[i], update->backends[i].id);
    }
    atomic_store(&drill.n_ids, (unsigned)update->n_backends);
    atomic_fetch_add(&drill.n_updates, 1);
    run_once(&drill.in_update);
}

static void drilled_want(void *self, const muster_balancer_update *update,
                         uint8_t *ret_wanted)
{
    (void)self;
    for (size_t i = 0; i < update->n_backends; i++) {
        ret_wanted[i] =
            i >= drill.first_wanted && i < drill.first_wanted + drill.n_wanted;
    }
    run_once(&drill.in_want);
}

static muster_status drilled_build(void *self, const muster_build_args *args,
                                   void **ret_table, muster_error *err)
{
    (void)self;
    (void)args;
    atomic_fetch_add(&drill.n_builds, 1);
    if (atomic_load(&drill.hangs_in_build)) {
        sem_post(&drill.is_building);
        sem_wait(&drill.may_build);
    }
    if (atomic_load(&drill.fails_to_build)) {
        return muster_error_set(
            err, drill.build_status != 0 ? drill.build_status : MUSTER_INVAL,
            "told to fail");
    }
    atomic_fetch_add(&drill.n_tables, 1);
    *ret_table = &drill;
    return MUSTER_OK;
}

static muster_verdict drilled_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    (void)self;
    (void)table;
    result->index = atomic_fetch_add(&drill.next, 1) % args->n_ready;
    return MUSTER_PICK_INDEX;
}

static muster_verdict building_pick(void *self, void *table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    if (atomic_load(&drill.n_builds) < atomic_load(&drill.n_to_build)) {
        return MUSTER_PICK_QUEUE;
    }
    return drilled_pick(self, table, args, result);
}

static muster_verdict queuing_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    if (atomic_exchange(&drill.hangs_in_pick, false)) {
        sem_post(&drill.is_picking);
        sem_wait(&drill.may_pick);
    }
    if (atomic_load(&drill.queues)) {
        return MUSTER_PICK_QUEUE;
    }
    return drilled_pick(self, table, args, result);
}

/* Asks for one after the other, also for those that connect already. */
static muster_verdict lazy_pick(void *self, void *table,
                                const muster_pick_args *args,
                                muster_pick_result *result)
{
    unsigned n = atomic_load(&drill.n_ids);

    (void)self;
    (void)table;
    (void)args;
    if (n == 0) {
        return MUSTER_PICK_QUEUE;
    }
    result->id = atomic_load(&drill.ids[atomic_fetch_add(&drill.next, 1) % n]);
    return MUSTER_PICK_CONNECT;
}

static muster_verdict failing_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    (void)self;
    (void)table;
    (void)args;
    result->status = drill.failure.status;
    result->message = drill.failure.message;
    return MUSTER_PICK_FAIL;
}

static void drilled_done(void *self, uint64_t id, void *state,
                         const muster_outcome *outcome)
{
    (void)self;
    (void)id;
    (void)state;
    (void)outcome;
    atomic_fetch_add(&drill.n_dones, 1);
}

static void drilled_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
    atomic_fetch_sub(&drill.n_tables, 1);
}

static void drilled_destroy(void *self)
{
    (void)self;
    if (drill.in_destroy != NULL) {
        drill.in_destroy(drill.env);
    }
    /* The last of them: tables are counted for all together. */
    if (atomic_fetch_add(&drill.n_destroyed, 1) + 1 ==
        atomic_load(&drill.n_created)) {
        cr_assert_eq(atomic_load(&drill.n_tables), 0);
    }
}

static const muster_balancer_class drilled = {
    .struct_size = sizeof drilled,
    .name = "drilled",
    .create = drilled_create,
    .update = drilled_update,
    .pick = drilled_pick,
    .done = drilled_done,
    .destroy = drilled_destroy,
};

static const muster_balancer_class building = {
    .struct_size = sizeof building,
    .name = "building",
    .create = drilled_create,
    .update = drilled_update,
    .build = drilled_build,
    .pick = building_pick,
    .table_destroy = drilled_table_destroy,
    .destroy = drilled_destroy,
};

static muster_verdict patient_pick(void *self, void *table,
                                   const muster_pick_args *args,
                                   muster_pick_result *result)
{
    return args->n_ready == 0 ? MUSTER_PICK_QUEUE
                              : drilled_pick(self, table, args, result);
}

/* It has a table of nothing, too. */
static const muster_balancer_class patient = {
    .struct_size = sizeof patient,
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "patient",
    .create = drilled_create,
    .update = drilled_update,
    .build = drilled_build,
    .pick = patient_pick,
    .table_destroy = drilled_table_destroy,
    .destroy = drilled_destroy,
};

static const muster_balancer_class wanting = {
    .struct_size = sizeof wanting,
    .name = "wanting",
    .create = drilled_create,
    .update = drilled_update,
    .want = drilled_want,
    .pick = drilled_pick,
    .destroy = drilled_destroy,
};

static const muster_balancer_class aware = {
    .struct_size = sizeof aware,
    .flags = MUSTER_BALANCER_PRIORITY_AWARE,
    .name = "aware",
    .create = drilled_create,
    .update = drilled_update,
    .want = drilled_want,
    .pick = drilled_pick,
    .destroy = drilled_destroy,
};

static const muster_balancer_class lazy = {
    .struct_size = sizeof lazy,
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "lazy",
    .create = drilled_create,
    .update = drilled_update,
    .want = drilled_want,
    .pick = lazy_pick,
    .destroy = drilled_destroy,
};

static const muster_balancer_class failing = {
    .struct_size = sizeof failing,
    .flags = MUSTER_BALANCER_PICKS_WHEN_EMPTY,
    .name = "failing",
    .create = drilled_create,
    .pick = failing_pick,
    .destroy = drilled_destroy,
};

static const muster_balancer_class heedless = {
    .struct_size = sizeof heedless,
    .flags = MUSTER_BALANCER_IGNORES_HEALTH,
    .name = "heedless",
    .create = drilled_create,
    .pick = drilled_pick,
    .destroy = drilled_destroy,
};

static const muster_balancer_class queuing = {
    .struct_size = sizeof queuing,
    .name = "queuing",
    .create = drilled_create,
    .pick = queuing_pick,
    .destroy = drilled_destroy,
};

/* ---- one that knows panic: it picks unfit endpoints when all are ---- */

typedef struct tolerant_table {
    uint32_t n;
    uint32_t indices[64];
} tolerant_table;

static muster_status tolerant_create(const muster_balancer_env *env,
                                     void **ret_self, muster_error *err)
{
    env->host->include_unfit(env->ctx);
    return drilled_create(env, ret_self, err);
}

static muster_status tolerant_build(void *self, const muster_build_args *args,
                                    void **ret_table, muster_error *err)
{
    tolerant_table *table = calloc(1, sizeof *table);

    (void)self;
    if (table == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < args->n_ready; i++) {
        if (args->ready[i].flags == 0) {
            table->indices[table->n++] = i;
        }
    }
    for (uint32_t i = 0; table->n == 0 && i < args->n_ready; i++) {
        table->indices[i] = i;
    }
    table->n = table->n == 0 ? (uint32_t)args->n_ready : table->n;
    atomic_fetch_add(&drill.n_builds, 1);
    atomic_fetch_add(&drill.n_tables, 1);
    *ret_table = table;
    return MUSTER_OK;
}

static muster_verdict tolerant_pick(void *self, void *table,
                                    const muster_pick_args *args,
                                    muster_pick_result *result)
{
    const tolerant_table *own = table;

    (void)self;
    (void)args;
    result->index = own->indices[atomic_fetch_add(&drill.next, 1) % own->n];
    return MUSTER_PICK_INDEX;
}

static void tolerant_table_destroy(void *self, void *table)
{
    void *of_drilled = table;

    drilled_table_destroy(self, of_drilled);
    free(table);
}

static const muster_balancer_class tolerant = {
    .struct_size = sizeof tolerant,
    .name = "tolerant",
    .create = tolerant_create,
    .update = drilled_update,
    .build = tolerant_build,
    .pick = tolerant_pick,
    .table_destroy = tolerant_table_destroy,
    .destroy = drilled_destroy,
};

static const muster_plugin *drill_entry(void)
{
    static const muster_balancer_class *const classes[] = {
        &drilled, &building, &patient,  &wanting,  &aware,
        &lazy,    &failing,  &heedless, &tolerant, &queuing};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "drill",
        .version = "test",
        .balancers = classes,
        .n_balancers = sizeof classes / sizeof *classes,
    };

    return &plugin;
}

#endif
