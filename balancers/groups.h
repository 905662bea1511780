/* SPDX-License-Identifier: Apache-2.0 */
/* What policies over several children share, each of which has one group of the
 * endpoints: the children, and dividing lists among them. groups_table.h has
 * their tables and calls. Inline, because a policy is one shared object or one
 * object file among others.
 *
 * Groups stay until the policy is destroyed, because calls that end late still
 * find theirs; one without endpoints is used again for other ones. */
#ifndef MUSTER_BALANCERS_GROUPS_H
#define MUSTER_BALANCERS_GROUPS_H

#include <muster/balancer.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backends.h"
#include "wrapper.h"

/* What a group of a policy's own begins with. */
typedef struct group {
    struct group *next; /* the one made before */
    muster_child *child;
    uint32_t number;    /* from 0, in the order in which they were made */
    bool is_in_panic;   /* health and ejection are disregarded */
    bool is_told_panic; /* its child knows */
} group;

/* What the state of an endpoint begins with. update() writes what build() and
 * done() read; a group may be newer than all else that they know, so they
 * acquire what was released with it. */
typedef struct group_state {
    _Atomic(group *) of;   /* NULL: of none yet */
    _Atomic uint64_t list; /* the last one it was in */
} group_state;

/* What part of the calls a group gets. */
typedef struct groups_share {
    group *of;
    uint64_t share;
    bool is_kept;     /* gets it with no endpoint READY, too */
    bool takes_unfit; /* health and ejection are disregarded */
    bool fails;       /* calls that are fail-fast fail */
} groups_share;

typedef struct groups_plan {
    uint32_t n;
    uint32_t n_groups; /* there ever were */
    groups_share shares[];
} groups_plan;

/* A policy over groups begins with it. */
typedef struct groups {
    muster_balancer_env env;
    group *newest;
    uint32_t n;
    _Atomic uint64_t list; /* counts those that were divided */
    pthread_mutex_t mutex; /* build() runs beside update() */
    groups_plan *plan;     /* guarded by mutex; or NULL */
} groups;

static inline group *groups_of(const muster_backend *backend)
{
    const group_state *state = backend->state;

    return state == NULL
               ? NULL
               : atomic_load_explicit(&state->of, memory_order_acquire);
}

/* Relaxed, here and below: whoever reads a list's number of before is called
 * again. */
static inline void groups_begin_list(groups *self)
{
    atomic_fetch_add_explicit(&self->list, 1, memory_order_relaxed);
}

static inline void groups_set(const groups *self, const muster_backend *backend,
                              group *of)
{
    group_state *state = backend->state;

    atomic_store_explicit(
        &state->list, atomic_load_explicit(&self->list, memory_order_relaxed),
        memory_order_relaxed);
    atomic_store_explicit(&state->of, of, memory_order_release);
}

/* Whether it is of the list: else the view has it because nothing of the list
 * is READY yet. */
static inline bool groups_is_listed(const groups *self,
                                    const muster_backend *backend)
{
    const group_state *state = backend->state;

    return state != NULL &&
           atomic_load_explicit(&state->list, memory_order_relaxed) ==
               atomic_load_explicit(&self->list, memory_order_relaxed);
}

/* ---- life ---- */

/* The policy under childPolicy, else round_robin. */
static inline muster_status groups_child(const muster_balancer_env *env,
                                         muster_child **ret_child,
                                         muster_error *err)
{
    config settings = config_open(env->config_json, err);

    wrapper_child(&settings, "childPolicy", "round_robin", env, ret_child);
    return config_close(&settings);
}

/* Of size bytes, zeroed behind the group; the first one tells whether the
 * configuration of the children is right. */
static inline muster_status groups_add(groups *self, size_t size,
                                       group **ret_group, muster_error *err)
{
    group *of = calloc(1, size);
    muster_status status;

    if (of == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = groups_child(&self->env, &of->child, err);
    if (status != MUSTER_OK) {
        free(of);
        return status;
    }
    of->number = self->n++;
    of->next = self->newest;
    self->newest = of;
    *ret_group = of;
    return MUSTER_OK;
}

static inline void groups_init(groups *self, const muster_balancer_env *env)
{
    self->env = *env;
    (void)pthread_mutex_init(&self->mutex, NULL);
}

static inline void groups_fini(groups *self)
{
    while (self->newest != NULL) {
        group *of = self->newest;

        self->newest = of->next;
        self->env.host->child_destroy(of->child);
        free(of);
    }
    free(self->plan);
    (void)pthread_mutex_destroy(&self->mutex);
}

/* ---- the plan ---- */

/* With room for n shares. NULL when memory is short. */
static inline groups_plan *groups_plan_create(const groups *self, uint32_t n)
{
    groups_plan *plan = calloc(1, sizeof *plan + n * sizeof plan->shares[0]);

    if (plan != NULL) {
        plan->n_groups = self->n;
    }
    return plan;
}

static inline bool groups_plan_is_same(const groups_plan *a,
                                       const groups_plan *b)
{
    bool is_same = a != NULL && a->n == b->n && a->n_groups == b->n_groups;

    for (uint32_t i = 0; is_same && i < a->n; i++) {
        is_same = a->shares[i].of == b->shares[i].of &&
                  a->shares[i].share == b->shares[i].share &&
                  a->shares[i].is_kept == b->shares[i].is_kept &&
                  a->shares[i].takes_unfit == b->shares[i].takes_unfit &&
                  a->shares[i].fails == b->shares[i].fails;
    }
    return is_same;
}

/* Takes plan over; asks for a table by it when it is another one. Thread:
 * control. */
static inline void groups_set_plan(groups *self, groups_plan *plan)
{
    groups_plan *former = self->plan;

    if (groups_plan_is_same(former, plan)) {
        free(plan);
        return;
    }
    (void)pthread_mutex_lock(&self->mutex);
    self->plan = plan;
    (void)pthread_mutex_unlock(&self->mutex);
    free(former);
    self->env.host->republish(self->env.ctx);
}

/* A copy, the caller's to free(); NULL when memory is short or there is none.
 */
static inline groups_plan *groups_copy_plan(groups *self)
{
    groups_plan *copy = NULL;

    (void)pthread_mutex_lock(&self->mutex);
    if (self->plan != NULL) {
        size_t size = sizeof *copy + self->plan->n * sizeof copy->shares[0];

        copy = malloc(size);
        if (copy != NULL) {
            memcpy(copy, self->plan, size);
        }
    }
    (void)pthread_mutex_unlock(&self->mutex);
    return copy;
}

/* ---- dividing a list ---- */

/* A list by groups: those of group number i are from starts[i] to before
 * ends[i]. */
typedef struct groups_division {
    muster_backend *backends;
    uint32_t *places; /* of each in the list */
    uint32_t *starts;
    uint32_t *ends;
} groups_division;

/* Whether the group has a use for it; may change what the child sees of it. */
typedef bool (*groups_filter)(const void *arg, const group *of,
                              muster_backend *backend);

static inline void groups_division_fini(groups_division *division)
{
    free(division->backends);
    free(division->places);
    free(division->starts);
    free(division->ends);
}

/* That of its group; n_groups when it has none of these. */
static inline uint32_t groups_number(const muster_backend *backend,
                                     uint32_t n_groups)
{
    const group *of = groups_of(backend);

    return of == NULL || of->number >= n_groups ? n_groups : of->number;
}

/* Makes room for the endpoints of each group, before any is in. */
static inline void groups_make_room(groups_division *division,
                                    const void *backends, size_t stride,
                                    size_t n, uint32_t n_groups)
{
    uint32_t start = 0;

    for (size_t i = 0; i < n; i++) {
        const muster_backend *backend = backends_at(backends, stride, i);

        division->ends[groups_number(backend, n_groups)]++;
    }
    for (uint32_t i = 0; i <= n_groups; i++) {
        division->starts[i] = start;
        start += division->ends[i];
        division->ends[i] = division->starts[i];
    }
}

static inline bool groups_division_init(groups_division *division, size_t n,
                                        uint32_t n_groups)
{
    division->backends = malloc((n + 1) * sizeof *division->backends);
    division->places = malloc((n + 1) * sizeof *division->places);
    division->starts = calloc(n_groups + 1u, sizeof *division->starts);
    division->ends = calloc(n_groups + 1u, sizeof *division->ends);
    return division->backends != NULL && division->places != NULL &&
           division->starts != NULL && division->ends != NULL;
}

/* filter may be NULL: then all are taken as they are. False when memory is
 * short; groups_division_fini() is the caller's to call then, too. */
static inline bool groups_divide(groups_division *division,
                                 const void *backends, size_t stride, size_t n,
                                 uint32_t n_groups, groups_filter filter,
                                 const void *arg)
{
    if (!groups_division_init(division, n, n_groups)) {
        return false;
    }
    groups_make_room(division, backends, stride, n, n_groups);
    for (size_t i = 0; i < n; i++) {
        muster_backend copy = *backends_at(backends, stride, i);
        uint32_t number = groups_number(&copy, n_groups);

        if (number < n_groups &&
            (filter == NULL || filter(arg, groups_of(&copy), &copy))) {
            division->places[division->ends[number]] = (uint32_t)i;
            division->backends[division->ends[number]++] = copy;
        }
    }
    return true;
}

static inline muster_balancer_update
groups_part_of(const groups_division *division, uint32_t number)
{
    const muster_balancer_update part = {
        .struct_size = (uint32_t)sizeof part,
        .backend_size = (uint32_t)sizeof division->backends[0],
        .backends = &division->backends[division->starts[number]],
        .n_backends = division->ends[number] - division->starts[number]};

    return part;
}

/* ---- telling the children ---- */

static inline bool groups_is_connected(const muster_backend *backend)
{
    return backend->connectivity == MUSTER_READY ||
           (backend->flags & MUSTER_BACKEND_UNHEALTHY) != 0;
}

/* A filter: in a panic the child is to know nothing of health and ejection. */
static inline bool groups_present(const void *arg, const group *of,
                                  muster_backend *backend)
{
    (void)arg;
    if (of->is_in_panic && groups_is_connected(backend)) {
        backend->connectivity = MUSTER_READY;
        backend->flags = 0;
    }
    return true;
}

/* Gives each child its part. Thread: control. */
static inline void groups_tell(groups *self,
                               const muster_balancer_update *update)
{
    groups_division division = {NULL, NULL, NULL, NULL};

    if (groups_divide(&division, update->backends, update->backend_size,
                      update->n_backends, self->n, groups_present, NULL)) {
        for (group *of = self->newest; of != NULL; of = of->next) {
            const muster_balancer_update part =
                groups_part_of(&division, of->number);

            of->is_told_panic = of->is_in_panic;
            self->env.host->child_update(of->child, &part);
        }
    } /* out of memory: the next update tells it */
    groups_division_fini(&division);
}

/* Whether each child knows of its panic. */
static inline bool groups_are_told(const groups *self)
{
    bool is_all = true;

    for (const group *of = self->newest; of != NULL; of = of->next) {
        is_all &= of->is_told_panic == of->is_in_panic;
    }
    return is_all;
}

static inline void groups_set_all(uint8_t *wanted, uint8_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) { /* there may be no array for none */
        wanted[i] = value;
    }
}

/* Asks each child; none is wanted of a group that is not in use. When memory is
 * short everything is. Thread: control. */
static inline void groups_want(groups *self,
                               const muster_balancer_update *update,
                               bool (*is_in_use)(const group *of),
                               uint8_t *ret_wanted)
{
    groups_division division = {NULL, NULL, NULL, NULL};
    uint8_t *wanted = malloc(update->n_backends + 1);

    if (wanted == NULL ||
        !groups_divide(&division, update->backends, update->backend_size,
                       update->n_backends, self->n, groups_present, NULL)) {
        groups_set_all(ret_wanted, 1, update->n_backends);
        free(wanted);
        groups_division_fini(&division);
        return;
    }
    groups_set_all(ret_wanted, 0, update->n_backends);
    for (group *of = self->newest; of != NULL; of = of->next) {
        const muster_balancer_update part =
            groups_part_of(&division, of->number);
        const uint32_t *places = &division.places[division.starts[of->number]];

        if (part.n_backends == 0 || (is_in_use != NULL && !is_in_use(of))) {
            continue;
        }
        self->env.host->child_want(of->child, &part, wanted);
        for (size_t i = 0; i < part.n_backends; i++) {
            ret_wanted[places[i]] = wanted[i];
        }
    }
    free(wanted);
    groups_division_fini(&division);
}

#endif
