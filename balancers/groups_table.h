/* SPDX-License-Identifier: Apache-2.0 */
/* What policies over several children have in common of tables and calls; see
 * groups.h. A table has a part for each group that gets calls: its child's
 * table. */
#ifndef MUSTER_BALANCERS_GROUPS_TABLE_H
#define MUSTER_BALANCERS_GROUPS_TABLE_H

#include <xxhash.h>

#include "groups.h"

/* Another hash of a key than the policies that hash use. */
#define GROUPS_SEED UINT64_C(0x67726f757073)

/* ---- building ---- */

/* A group in a table: its child's table, and the places of its endpoints in the
 * view. */
typedef struct groups_part {
    group *of;
    void *table;
    const uint32_t *places;
    uint32_t n;
    bool fails;
    uint64_t end; /* gets the numbers below it that the former do not get */
} groups_part;

typedef struct groups_table {
    uint32_t *places;
    uint32_t n;
    uint64_t total; /* the end of the last part */
    groups_part parts[];
} groups_table;

static inline void groups_table_destroy(void *policy, void *built)
{
    groups *self = policy;
    groups_table *table = built;

    for (uint32_t i = 0; i < table->n; i++) {
        self->env.host->child_table_destroy(table->parts[i].of->child,
                                            table->parts[i].table);
    }
    free(table->places);
    free(table);
}

static inline muster_status groups_build_part(groups *self, groups_table *table,
                                              const groups_share *share,
                                              const groups_division *division,
                                              muster_error *err)
{
    uint32_t start = division->starts[share->of->number];
    uint32_t n = division->ends[share->of->number] - start;
    groups_part *part = &table->parts[table->n];
    const muster_build_args args = {.struct_size = (uint32_t)sizeof args,
                                    .backend_size =
                                        (uint32_t)sizeof division->backends[0],
                                    .ready = &division->backends[start],
                                    .n_ready = n};
    muster_status status =
        self->env.host->child_build(share->of->child, &args, &part->table, err);

    if (status == MUSTER_OK) {
        table->total += share->share;
        part->of = share->of;
        part->places = &table->places[start];
        part->n = n;
        part->fails = share->fails;
        part->end = table->total;
        table->n++;
    }
    return status;
}

/* Whether calls can go there. */
static inline bool groups_serves(const groups_share *share,
                                 const groups_division *division)
{
    return share->share > 0 &&
           (share->is_kept || division->ends[share->of->number] >
                                  division->starts[share->of->number]);
}

static inline bool groups_are_former(const groups *self,
                                     const muster_build_args *args)
{
    bool is_any_listed = args->n_ready == 0;

    for (size_t i = 0; i < args->n_ready && !is_any_listed; i++) {
        is_any_listed = groups_is_listed(self, backends_ready(args, i));
    }
    return !is_any_listed;
}

/* The view has endpoints of former lists only, which serve until one of the new
 * list is READY, whatever the plan says of that: each gets the same. */
static inline muster_status groups_build_former(groups *self,
                                                const groups_plan *plan,
                                                const groups_division *division,
                                                groups_table *table,
                                                muster_error *err)
{
    muster_status status = MUSTER_OK;

    for (uint32_t i = 0; i < plan->n_groups && status == MUSTER_OK; i++) {
        uint32_t n = division->ends[i] - division->starts[i];

        if (n > 0) {
            const groups_share share = {
                .of = groups_of(&division->backends[division->starts[i]]),
                .share = n};

            status = groups_build_part(self, table, &share, division, err);
        }
    }
    return status;
}

/* A part for each share that can take calls; when there is none, one for the
 * first, whose child then says what becomes of them. */
static inline muster_status groups_build_parts(groups *self,
                                               const groups_plan *plan,
                                               const groups_division *division,
                                               groups_table *table,
                                               muster_error *err)
{
    muster_status status = MUSTER_OK;

    for (uint32_t i = 0; i < plan->n && status == MUSTER_OK; i++) {
        if (groups_serves(&plan->shares[i], division)) {
            status =
                groups_build_part(self, table, &plan->shares[i], division, err);
        }
    }
    if (status == MUSTER_OK && table->n == 0 && plan->n > 0) {
        status =
            groups_build_part(self, table, &plan->shares[0], division, err);
    }
    return status;
}

/* The table by that plan; filter's arg is the plan. Thread: build's. */
static inline muster_status groups_build(groups *self, const groups_plan *plan,
                                         const muster_build_args *args,
                                         groups_filter filter, void **ret_table,
                                         muster_error *err)
{
    const bool are_former = groups_are_former(self, args);
    const size_t n_parts = (are_former ? plan->n_groups : plan->n) + 1u;
    groups_division division = {NULL, NULL, NULL, NULL};
    groups_table *table =
        calloc(1, sizeof *table + n_parts * sizeof table->parts[0]);
    muster_status status = MUSTER_NOMEM;

    if (table != NULL &&
        groups_divide(&division, args->ready, args->backend_size, args->n_ready,
                      plan->n_groups, filter, plan)) {
        table->places = division.places;
        division.places = NULL;
        status = are_former
                     ? groups_build_former(self, plan, &division, table, err)
                     : groups_build_parts(self, plan, &division, table, err);
    } else {
        (void)muster_error_set(err, status, "out of memory");
    }
    groups_division_fini(&division);
    if (status != MUSTER_OK && table != NULL) {
        groups_table_destroy(self, table);
        return status;
    }
    *ret_table = table;
    return status;
}

static inline const groups_share *groups_share_of(const groups_plan *plan,
                                                  const group *of)
{
    for (uint32_t i = 0; i < plan->n; i++) {
        if (plan->shares[i].of == of) {
            return &plan->shares[i];
        }
    }
    return NULL;
}

/* A filter for groups_build_as_planned(): takes unfit endpoints out, but those
 * of groups that take them, whose children are to see nothing unfit in them. */
static inline bool groups_is_fit(const void *plan, const group *of,
                                 muster_backend *backend)
{
    const groups_share *share = groups_share_of(plan, of);

    if (share != NULL && share->takes_unfit) {
        backend->flags = 0;
    }
    return backend->flags == 0;
}

/* A table by the plan of now. Thread: build's. */
static inline muster_status
groups_build_as_planned(groups *self, const muster_build_args *args,
                        groups_filter filter, void **ret_table,
                        muster_error *err)
{
    groups_plan *plan = groups_copy_plan(self);
    muster_status status;

    if (plan == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    status = groups_build(self, plan, args, filter, ret_table, err);
    free(plan);
    return status;
}

/* ---- calls. Thread: any ---- */

/* The part that gets number, which is below the table's total. */
static inline const groups_part *groups_find(const groups_table *table,
                                             uint64_t number)
{
    const groups_part *part = table->parts;

    while (part->end <= number && part < &table->parts[table->n - 1]) {
        part++;
    }
    return part;
}

/* A part by the shares: always the same one for a key, else a random one. */
static inline const groups_part *groups_draw(const groups *self,
                                             const groups_table *table,
                                             const muster_call_info *call)
{
    const char *key = call->hash_key;
    uint64_t number;

    if (table->n == 1 || table->total == 0) {
        return &table->parts[0];
    }
    number = key == NULL || *key == '\0' ? self->env.host->random(self->env.ctx)
                                         : XXH64(key, strlen(key), GROUPS_SEED);
    return groups_find(table, number % table->total);
}

static inline muster_verdict groups_fail(const muster_pick_args *args,
                                         muster_pick_result *result)
{
    if ((args->call->flags & MUSTER_CALL_WAIT_FOR_READY) != 0) {
        return MUSTER_PICK_QUEUE;
    }
    result->status = 14; /* UNAVAILABLE */
    result->message = "too few endpoints are healthy";
    return MUSTER_PICK_FAIL;
}

static inline muster_verdict groups_pick_from(const groups *self,
                                              const groups_part *part,
                                              const muster_pick_args *args,
                                              muster_pick_result *result)
{
    muster_pick_args own = *args;
    muster_verdict verdict;

    if (part->fails) {
        return groups_fail(args, result);
    }
    own.struct_size = (uint32_t)sizeof own;
    own.n_ready = part->n;
    verdict =
        self->env.host->child_pick(part->of->child, part->table, &own, result);
    if (verdict == MUSTER_PICK_INDEX) {
        result->index = part->places[result->index];
    }
    return verdict;
}

/* A class's pick(), by the shares. */
static inline muster_verdict groups_pick(void *policy, void *built,
                                         const muster_pick_args *args,
                                         muster_pick_result *result)
{
    const groups *self = policy;
    const groups_table *table = built;

    if (table == NULL || table->n == 0) {
        return MUSTER_PICK_QUEUE;
    }
    return groups_pick_from(self, groups_draw(self, table, args->call), args,
                            result);
}

/* Goes to the child whose endpoint it is now. */
static inline void groups_done(void *policy, uint64_t id, void *state,
                               const muster_outcome *outcome)
{
    const groups *self = policy;
    const group_state *of_endpoint = state;
    const group *of =
        atomic_load_explicit(&of_endpoint->of, memory_order_acquire);

    if (of != NULL) {
        self->env.host->child_done(of->child, id, outcome);
    }
}

#endif
