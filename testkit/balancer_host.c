/* SPDX-License-Identifier: Apache-2.0 */
/* The host table that a policy and its children call. ctx is the instance. */
#include <stdlib.h>
#include <string.h>

#include "balancer.h"

/* Notes a call on another thread than control's. */
static void check_driver(muster_child *child, const char *call)
{
    if (!pthread_equal(pthread_self(), child->kit->driver)) {
        testkit_violations_add(&child->kit->violations,
                               "%s: %s() on a thread that is not control",
                               child->class_->name, call);
    }
}

static uint64_t host_now_ns(void *ctx)
{
    muster_child *child = ctx;

    return testkit_agenda_now_ns(&child->kit->agenda);
}

static uint64_t host_random(void *ctx)
{
    muster_child *child = ctx;

    return testkit_agenda_random(&child->kit->agenda);
}

static muster_status host_call_later(void *ctx, uint64_t delay_ms,
                                     void (*fn)(void *arg), void *arg,
                                     uint64_t *ret_timer)
{
    muster_child *child = ctx;
    uint64_t delay_ns =
        delay_ms > UINT64_MAX / 1000000 ? UINT64_MAX : delay_ms * 1000000;

    check_driver(child, "call_later");
    return testkit_agenda_add(&child->kit->agenda, child, delay_ns, fn, arg,
                              ret_timer);
}

static void host_cancel(void *ctx, uint64_t timer)
{
    muster_child *child = ctx;

    check_driver(child, "cancel");
    testkit_agenda_cancel(&child->kit->agenda, child, timer);
}

static void host_republish(void *ctx)
{
    muster_child *child = ctx;

    (void)atomic_fetch_add(&child->kit->n_republished, 1);
    atomic_store(&child->kit->needs_build, true);
}

static void host_set_ejected(void *ctx, uint64_t id, int is_ejected)
{
    muster_child *child = ctx;
    muster_testkit_balancer *kit = child->kit;
    size_t i = testkit_balancer_find(kit, id);

    check_driver(child, "set_ejected");
    if (i == kit->list.n) {
        return;
    }
    if (is_ejected) {
        kit->backends[i].flags |= MUSTER_BACKEND_EJECTED;
    } else {
        kit->backends[i].flags &= ~(uint32_t)MUSTER_BACKEND_EJECTED;
    }
    atomic_store(&kit->needs_build, true);
}

static void host_request_resolution(void *ctx)
{
    muster_child *child = ctx;

    (void)atomic_fetch_add(&child->kit->n_resolution_requests, 1);
}

static void host_log(void *ctx, muster_log_level level, const char *message)
{
    muster_child *child = ctx;
    muster_testkit_balancer *kit = child->kit;
    char *copy;

    if (!testkit_copies_text(message == NULL ? "" : message, &copy)) {
        testkit_violations_add(&kit->violations, "out of memory in the kit");
        return;
    }
    (void)pthread_mutex_lock(&kit->log_mutex);
    free(kit->log_message);
    kit->log_message = copy;
    kit->log_level = level;
    kit->n_logs++;
    (void)pthread_mutex_unlock(&kit->log_mutex);
}

static void host_count(void *ctx, const char *name,
                       const muster_attribute *labels, size_t n_labels,
                       uint64_t delta)
{
    muster_child *child = ctx;

    check_driver(child, "count");
    if (!testkit_balancer_count(child->kit, name, labels, n_labels, delta)) {
        testkit_violations_add(&child->kit->violations,
                               "out of memory in the kit");
    }
}

static void host_include_unfit(void *ctx)
{
    muster_child *child = ctx;

    check_driver(child, "include_unfit");
    child->kit->includes_unfit = true;
}

/* ---- children ---- */

static const muster_balancer_class *find_class(muster_testkit_balancer *kit,
                                               const char *name)
{
    for (uint32_t i = 0; i < kit->n_children; i++) {
        if (strcmp(kit->children[i]->name, name) == 0) {
            return kit->children[i];
        }
    }
    return NULL;
}

static muster_status host_child_create(void *ctx, const char *policy,
                                       const char *config_json,
                                       muster_child **ret_child,
                                       muster_error *err)
{
    muster_child *parent = ctx;
    muster_testkit_balancer *kit = parent->kit;
    const muster_balancer_class *class_ = find_class(kit, policy);
    muster_child *child;
    muster_error unused;
    muster_status status;

    check_driver(parent, "child_create");
    if (class_ == NULL) {
        return muster_error_set(err, MUSTER_NOTFOUND, "no policy \"%s\"",
                                policy);
    }
    child = calloc(1, sizeof *child);
    if (child == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "no memory");
    }
    status = testkit_child_init(child, kit, class_, config_json, NULL,
                                err == NULL ? &unused : err);
    if (status != MUSTER_OK) {
        free(child);
        return status;
    }
    (void)atomic_fetch_add(&kit->n_live_children, 1);
    *ret_child = child;
    return MUSTER_OK;
}

static void host_child_destroy(muster_child *child)
{
    if (child == NULL) {
        return;
    }
    check_driver(child, "child_destroy");
    (void)atomic_fetch_sub(&child->kit->n_live_children, 1);
    testkit_child_fini(child);
    free(child);
}

static void check_subset(muster_child *child,
                         const muster_balancer_update *update)
{
    uint64_t last_id = child->kit->last_id;

    for (size_t i = 0; i < update->n_backends; i++) {
        const void *at =
            (const char *)update->backends + i * update->backend_size;
        const muster_backend *backend = at;
        uint64_t id = backend->id;

        if (id == 0 || id > last_id) {
            testkit_violations_add(&child->kit->violations,
                                   "%s: its parent gave it an unknown id %llu",
                                   child->class_->name, (unsigned long long)id);
        }
        if (backend->endpoint_size < sizeof *backend->endpoint) {
            testkit_violations_add(&child->kit->violations,
                                   "%s: its parent gave it an endpoint_size "
                                   "that is none",
                                   child->class_->name);
        }
    }
}

static void host_child_update(muster_child *child,
                              const muster_balancer_update *update)
{
    check_driver(child, "child_update");
    check_subset(child, update);
    testkit_child_update(child, update);
}

static void host_child_want(muster_child *child,
                            const muster_balancer_update *update,
                            uint8_t *ret_wanted)
{
    check_driver(child, "child_want");
    check_subset(child, update);
    testkit_child_want(child, update, ret_wanted);
}

static muster_status host_child_build(muster_child *child,
                                      const muster_build_args *args,
                                      void **ret_table, muster_error *err)
{
    balancer_table *table;
    muster_status status = testkit_child_build(child, args, &table, err);

    if (status == MUSTER_OK) {
        (void)atomic_fetch_add(&child->kit->n_live_tables, 1);
        *ret_table = table;
    }
    return status;
}

static muster_verdict host_child_pick(muster_child *child, void *table,
                                      const muster_pick_args *args,
                                      muster_pick_result *result)
{
    return testkit_child_pick(child, table, args, result);
}

static void host_child_table_destroy(muster_child *child, void *table)
{
    if (table != NULL) {
        (void)atomic_fetch_sub(&child->kit->n_live_tables, 1);
        testkit_child_table_destroy(child, table);
    }
}

const muster_balancer_host testkit_balancer_host = {
    .struct_size = (uint32_t)sizeof(muster_balancer_host),
    .now_ns = host_now_ns,
    .random = host_random,
    .call_later = host_call_later,
    .cancel = host_cancel,
    .republish = host_republish,
    .set_ejected = host_set_ejected,
    .request_resolution = host_request_resolution,
    .child_create = host_child_create,
    .child_update = host_child_update,
    .child_want = host_child_want,
    .child_build = host_child_build,
    .child_pick = host_child_pick,
    .child_done = testkit_child_done,
    .child_table_destroy = host_child_table_destroy,
    .child_destroy = host_child_destroy,
    .log = host_log,
    .count = host_count,
    .include_unfit = host_include_unfit,
};
