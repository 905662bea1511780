/* SPDX-License-Identifier: Apache-2.0 */
/* A fake host for one balancer policy: makes it, drives it, destroys it. */
#include "balancer.h"

#include <stdlib.h>

/* Rounds at one virtual moment after which a policy is called restless. */
#define MAX_ROUNDS 10000

/* ---- life ---- */

static muster_status check_class(const muster_balancer_class *class_,
                                 muster_error *err)
{
    if (class_ == NULL || class_->name == NULL || class_->create == NULL ||
        class_->pick == NULL || class_->destroy == NULL) {
        return muster_error_set(err, MUSTER_INVAL,
                                "class without name, create, pick or destroy");
    }
    if (class_->build != NULL && class_->table_destroy == NULL) {
        return muster_error_set(
            err, MUSTER_INVAL, "%s: build without table_destroy", class_->name);
    }
    return MUSTER_OK;
}

static void release(muster_testkit_balancer *kit)
{
    testkit_balancer_fini_list(kit);
    testkit_balancer_fini_counts(kit);
    testkit_agenda_fini(&kit->agenda);
    (void)pthread_mutex_destroy(&kit->log_mutex);
    free(kit->log_message);
    free(kit->seen_log);
    free(kit);
}

static muster_status check_all(const muster_testkit_balancer_options *options,
                               muster_error *err)
{
    muster_status status = check_class(options->policy, err);

    for (uint32_t i = 0; i < options->n_children && status == MUSTER_OK; i++) {
        status = check_class(options->children[i], err);
    }
    return status;
}

muster_status
muster_testkit_balancer_create(const muster_testkit_balancer_options *options,
                               muster_testkit_balancer **ret_kit,
                               muster_error *err)
{
    muster_testkit_balancer *kit;
    muster_error unused;
    muster_status status = check_all(options, err);

    if (status != MUSTER_OK) {
        return status;
    }
    kit = calloc(1, sizeof *kit);
    if (kit == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    kit->children = options->children;
    kit->n_children = options->n_children;
    kit->driver = pthread_self();
    testkit_agenda_init(&kit->agenda, options->seed);
    testkit_violations_init(&kit->violations);
    (void)pthread_mutex_init(&kit->log_mutex, NULL);
    status = testkit_child_init(&kit->root, kit, options->policy,
                                options->config_json, options->shared,
                                err == NULL ? &unused : err);
    if (status != MUSTER_OK) {
        testkit_violations_fini(&kit->violations);
        release(kit);
        return status;
    }
    *ret_kit = kit;
    return MUSTER_OK;
}

void muster_testkit_balancer_stop(muster_testkit_balancer *kit)
{
    if (kit->is_finished) {
        return;
    }
    kit->is_finished = true;
    testkit_child_table_destroy(&kit->root, kit->published);
    testkit_child_fini(&kit->root);
    if (atomic_load(&kit->n_live_children) > 0) {
        testkit_violations_add(&kit->violations, "%s: left a child",
                               kit->root.class_->name);
    }
    if (atomic_load(&kit->n_live_tables) > 0) {
        testkit_violations_add(&kit->violations, "%s: left a child's table",
                               kit->root.class_->name);
    }
}

void muster_testkit_balancer_destroy(muster_testkit_balancer *kit)
{
    if (kit == NULL) {
        return;
    }
    muster_testkit_balancer_stop(kit);
    testkit_violations_fini(&kit->violations);
    release(kit);
}

/* ---- the list ---- */

muster_status muster_testkit_balancer_set(muster_testkit_balancer *kit,
                                          const muster_endpoint *endpoints,
                                          size_t n_endpoints,
                                          muster_connectivity state)
{
    return testkit_balancer_set_list(kit, endpoints, n_endpoints, state);
}

void muster_testkit_balancer_set_state(muster_testkit_balancer *kit,
                                       size_t index, muster_connectivity state,
                                       const char *last_failure)
{
    muster_backend *backend = &kit->backends[index];
    char *copy;

    if (!testkit_copies_text(last_failure, &copy)) {
        testkit_violations_add(&kit->violations, "out of memory in the kit");
        return;
    }
    free((char *)(uintptr_t)backend->last_failure);
    backend->last_failure = copy;
    backend->connectivity = state;
}

void muster_testkit_balancer_set_unhealthy(muster_testkit_balancer *kit,
                                           size_t index, int is_unhealthy)
{
    if (is_unhealthy) {
        kit->backends[index].flags |= MUSTER_BACKEND_UNHEALTHY;
    } else {
        kit->backends[index].flags &= ~(uint32_t)MUSTER_BACKEND_UNHEALTHY;
    }
}

const muster_backend *
muster_testkit_balancer_get_backend(const muster_testkit_balancer *kit,
                                    size_t index)
{
    return index < kit->list.n ? &kit->backends[index] : NULL;
}

int muster_testkit_balancer_is_wanted(const muster_testkit_balancer *kit,
                                      size_t index)
{
    return index < kit->list.n &&
           (kit->wanted[index] != 0 || atomic_load(&kit->asked[index]));
}

/* ---- publication ---- */

static muster_balancer_update whole_list(const muster_testkit_balancer *kit)
{
    const muster_balancer_update update = {
        .struct_size = (uint32_t)sizeof update,
        .backend_size = (uint32_t)sizeof kit->backends[0],
        .backends = kit->backends,
        .n_backends = kit->list.n};

    return update;
}

static bool may_serve(const muster_testkit_balancer *kit,
                      const muster_backend *backend)
{
    const bool ignores_health =
        (kit->root.class_->flags & MUSTER_BALANCER_IGNORES_HEALTH) != 0;
    const uint32_t obstacles =
        MUSTER_BACKEND_EJECTED |
        (ignores_health ? 0u : (uint32_t)MUSTER_BACKEND_UNHEALTHY);

    return backend->connectivity == MUSTER_READY &&
           (kit->includes_unfit || (backend->flags & obstacles) == 0);
}

/* The worst priority in the view: the best that has anything to serve, unless
 * the policy chooses among them itself. */
static uint32_t worst_priority(const muster_testkit_balancer *kit)
{
    uint32_t best = UINT32_MAX;

    if ((kit->root.class_->flags & MUSTER_BALANCER_PRIORITY_AWARE) != 0) {
        return UINT32_MAX;
    }
    for (size_t i = 0; i < kit->list.n; i++) {
        const muster_backend *backend = &kit->backends[i];

        if (may_serve(kit, backend) && backend->endpoint->priority < best) {
            best = backend->endpoint->priority;
        }
    }
    return best;
}

static size_t fill_view(const muster_testkit_balancer *kit,
                        muster_backend *view)
{
    const uint32_t worst = worst_priority(kit);
    size_t n = 0;

    for (size_t i = 0; i < kit->list.n; i++) {
        const muster_backend *backend = &kit->backends[i];

        if (may_serve(kit, backend) && backend->endpoint->priority <= worst) {
            view[n++] = *backend;
        }
    }
    return n;
}

/* want() and build() for the list as it is. */
static muster_status build(muster_testkit_balancer *kit, muster_error *err)
{
    const muster_balancer_update update = whole_list(kit);
    muster_backend *view = calloc(kit->list.n + 1, sizeof *view);
    muster_build_args args = {.struct_size = (uint32_t)sizeof args,
                              .backend_size = (uint32_t)sizeof *view,
                              .ready = view};
    balancer_table *table;
    muster_status status;

    if (view == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory for the view");
    }
    atomic_store(&kit->needs_build, false);
    testkit_child_want(&kit->root, &update, kit->wanted);
    args.n_ready = fill_view(kit, view);
    status = testkit_child_build(&kit->root, &args, &table, err);
    free(view);
    if (status != MUSTER_OK) {
        return status;
    }
    testkit_child_table_destroy(&kit->root, kit->published);
    kit->published = table;
    kit->n_builds++;
    return MUSTER_OK;
}

muster_status muster_testkit_balancer_publish(muster_testkit_balancer *kit,
                                              muster_error *err)
{
    const muster_balancer_update update = whole_list(kit);

    testkit_child_update(&kit->root, &update);
    return build(kit, err);
}

unsigned muster_testkit_balancer_step(muster_testkit_balancer *kit)
{
    unsigned n_run = 0;

    for (unsigned round = 0; round < MAX_ROUNDS; round++) {
        unsigned n_more = testkit_agenda_run_due(&kit->agenda);

        if (atomic_load(&kit->needs_build)) {
            (void)build(kit, NULL);
            n_more++;
        }
        if (n_more == 0) {
            return n_run;
        }
        n_run += n_more;
    }
    testkit_violations_add(&kit->violations,
                           "%s: busy without end at one moment: a timer of 0 "
                           "ms that repeats, or a republish() in build()",
                           kit->root.class_->name);
    return n_run;
}

unsigned muster_testkit_balancer_advance(muster_testkit_balancer *kit,
                                         uint64_t delay_ms)
{
    return muster_testkit_balancer_advance_ns(kit, delay_ms * 1000000);
}

unsigned muster_testkit_balancer_advance_ns(muster_testkit_balancer *kit,
                                            uint64_t delay_ns)
{
    uint64_t limit_ns = testkit_agenda_now_ns(&kit->agenda) + delay_ns;
    unsigned n_run = muster_testkit_balancer_step(kit);

    while (testkit_agenda_move(&kit->agenda, limit_ns)) {
        unsigned n_more = muster_testkit_balancer_step(kit);

        n_run += n_more;
        if (n_more >= MAX_ROUNDS) {
            break;
        }
    }
    return n_run;
}

uint64_t muster_testkit_balancer_now_ns(muster_testkit_balancer *kit)
{
    return testkit_agenda_now_ns(&kit->agenda);
}

/* ---- picks ---- */

/* The endpoint of id in the list; NULL when it left. */
static const muster_endpoint *endpoint_of(const muster_testkit_balancer *kit,
                                          uint32_t index, uint64_t id)
{
    size_t i = index;

    /* Mostly everything is READY, and the view is the list. */
    if (i >= kit->list.n || kit->backends[i].id != id) {
        i = testkit_balancer_find(kit, id);
    }
    return i < kit->list.n ? kit->backends[i].endpoint : NULL;
}

/* The endpoint is wanted from now on. */
static const muster_endpoint *ask_for(muster_testkit_balancer *kit, uint64_t id)
{
    size_t i = testkit_balancer_find(kit, id);

    if (i == kit->list.n) {
        return NULL;
    }
    atomic_store(&kit->asked[i], true);
    return kit->backends[i].endpoint;
}

void muster_testkit_balancer_pick(muster_testkit_balancer *kit,
                                  const muster_call_info *call, uint32_t shard,
                                  muster_testkit_pick *ret_pick)
{
    static const muster_call_info nothing = {.struct_size =
                                                 (uint32_t)sizeof nothing};
    balancer_table *table = kit->published;
    muster_testkit_pick pick = {.verdict = MUSTER_PICK_QUEUE};
    muster_pick_result result = {.struct_size = (uint32_t)sizeof result};
    muster_pick_args args = {.struct_size = (uint32_t)sizeof args,
                             .shard = shard,
                             .call = call == NULL ? &nothing : call};

    if (table != NULL) {
        args.n_ready = table->n_ready;
        pick.verdict = testkit_child_pick(&kit->root, table, &args, &result);
    }
    if (pick.verdict == MUSTER_PICK_INDEX) {
        pick.index = result.index;
        pick.id = table->ids[result.index];
        pick.endpoint = endpoint_of(kit, pick.index, pick.id);
    } else if (pick.verdict == MUSTER_PICK_CONNECT) {
        pick.id = result.id;
        pick.endpoint = ask_for(kit, pick.id);
    } else if (pick.verdict == MUSTER_PICK_FAIL) {
        pick.status = result.status;
        pick.message = result.message == NULL ? "" : result.message;
    }
    *ret_pick = pick;
}

void muster_testkit_balancer_done(muster_testkit_balancer *kit, uint64_t id,
                                  const muster_outcome *outcome)
{
    static const muster_outcome success = {.struct_size =
                                               (uint32_t)sizeof success};

    testkit_child_done(&kit->root, id, outcome == NULL ? &success : outcome);
}

void muster_testkit_balancer_get_raw(const muster_testkit_balancer *kit,
                                     muster_testkit_balancer_raw *ret_raw)
{
    const balancer_table *table = kit->published;

    ret_raw->policy = kit->root.class_;
    ret_raw->self = kit->root.self;
    ret_raw->table = table == NULL ? NULL : table->table;
    ret_raw->n_ready = table == NULL ? 0 : table->n_ready;
}

/* ---- what was seen ---- */

const muster_testkit_balancer_seen *
muster_testkit_balancer_get(muster_testkit_balancer *kit)
{
    muster_testkit_balancer_seen *seen = &kit->seen;

    (void)pthread_mutex_lock(&kit->log_mutex);
    if (kit->log_message != NULL) {
        free(kit->seen_log);
        kit->seen_log = kit->log_message;
        kit->log_message = NULL;
    }
    seen->log_level = kit->log_level;
    seen->n_logs = kit->n_logs;
    (void)pthread_mutex_unlock(&kit->log_mutex);
    seen->struct_size = (uint32_t)sizeof *seen;
    seen->log_message = kit->seen_log == NULL ? "" : kit->seen_log;
    seen->n_builds = kit->n_builds;
    seen->n_republished = atomic_load(&kit->n_republished);
    seen->n_resolution_requests = atomic_load(&kit->n_resolution_requests);
    seen->n_timers = testkit_agenda_size(&kit->agenda);
    seen->n_children = atomic_load(&kit->n_live_children);
    return seen;
}

const char *muster_testkit_balancer_violations(muster_testkit_balancer *kit)
{
    return testkit_violations_read(&kit->violations);
}
