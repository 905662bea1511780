/* SPDX-License-Identifier: Apache-2.0 */
/* A policy with as little around it as can be. */
#include "bare_policy.h"

#include <muster/plugin.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the host; ctx is the instance ---- */

static uint64_t now_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* SplitMix64, a sequence for each thread, as the core has it. */
static uint64_t draw(void *ctx)
{
    static _Thread_local uint64_t state;
    uint64_t bits;

    (void)ctx;
    if (state == 0) {
        state = (uint64_t)(uintptr_t)&state;
    }
    bits = state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

/* No time passes here, but for what the policy itself reads. */
static muster_status call_later(void *ctx, uint64_t delay_ms,
                                void (*fn)(void *arg), void *arg,
                                uint64_t *ret_timer)
{
    (void)ctx;
    (void)delay_ms;
    (void)fn;
    (void)arg;
    if (ret_timer != NULL) {
        *ret_timer = 1;
    }
    return MUSTER_OK;
}

static void cancel(void *ctx, uint64_t timer)
{
    (void)ctx;
    (void)timer;
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void set_ejected(void *ctx, uint64_t id, int is_ejected)
{
    (void)ctx;
    (void)id;
    (void)is_ejected;
}

static void say(void *ctx, muster_log_level level, const char *message)
{
    const bare_policy *of = ctx;

    (void)level;
    (void)fprintf(stderr, "%s: %s\n", of->class_->name, message);
}

/* ---- children: a muster_child is a bare_policy without endpoints ---- */

static bare_policy *child_of(muster_child *child)
{
    return (bare_policy *)(void *)child;
}

static bare_policy *instance(const muster_balancer_class *class_,
                             const char *config, uint32_t n, muster_error *err);

static muster_status child_create(void *ctx, const char *name,
                                  const char *config_json,
                                  muster_child **ret_child, muster_error *err)
{
    const bare_policy *parent = ctx;
    const muster_balancer_class *class_ = NULL;
    muster_status status = muster_plugin_find_balancer(name, &class_, err);
    bare_policy *child;

    if (status != MUSTER_OK) {
        return status;
    }
    child = instance(class_, config_json, parent->n, err);
    if (child == NULL) {
        return MUSTER_INVAL;
    }
    *ret_child = (muster_child *)(void *)child;
    return MUSTER_OK;
}

static void instance_destroy(bare_policy *of)
{
    of->class_->destroy(of->self);
    free(of->states);
    free(of);
}

static void child_destroy(muster_child *child)
{
    if (child != NULL) {
        instance_destroy(child_of(child));
    }
}

/* The parent's backends with the child's states; to be freed. */
static muster_backend *with_states(const bare_policy *child,
                                   const muster_backend *backends, size_t n)
{
    muster_backend *copies = malloc((n + 1) * sizeof *copies);

    if (copies == NULL) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        copies[i] = backends[i];
        copies[i].state =
            bare_policy_state(child, (uint32_t)backends[i].id - 1);
    }
    return copies;
}

static void child_update(muster_child *child,
                         const muster_balancer_update *update)
{
    const bare_policy *of = child_of(child);
    muster_balancer_update own = *update;
    muster_backend *copies =
        with_states(of, update->backends, update->n_backends);

    own.backends = copies;
    if (of->class_->update != NULL) {
        of->class_->update(of->self, &own);
    }
    free(copies);
}

static void child_want(muster_child *child,
                       const muster_balancer_update *update,
                       uint8_t *ret_wanted)
{
    (void)child; /* all are connected */
    memset(ret_wanted, 1, update->n_backends);
}

static muster_status child_build(muster_child *child,
                                 const muster_build_args *args,
                                 void **ret_table, muster_error *err)
{
    const bare_policy *of = child_of(child);
    muster_build_args own = *args;
    muster_backend *copies;
    muster_status status;

    if (of->class_->build == NULL) {
        *ret_table = NULL;
        return MUSTER_OK;
    }
    copies = with_states(of, args->ready, args->n_ready);
    own.ready = copies;
    status = of->class_->build(of->self, &own, ret_table, err);
    free(copies);
    return status;
}

static muster_verdict child_pick(muster_child *child, void *table,
                                 const muster_pick_args *args,
                                 muster_pick_result *result)
{
    const bare_policy *of = child_of(child);

    return of->class_->pick(of->self, table, args, result);
}

static void child_done(muster_child *child, uint64_t id,
                       const muster_outcome *outcome)
{
    const bare_policy *of = child_of(child);

    if (of->class_->done != NULL) {
        of->class_->done(of->self, id, bare_policy_state(of, (uint32_t)id - 1),
                         outcome);
    }
}

static void child_table_destroy(muster_child *child, void *table)
{
    if (table != NULL) {
        child_of(child)->class_->table_destroy(child_of(child)->self, table);
    }
}

static void count(void *ctx, const char *name, const muster_attribute *labels,
                  size_t n_labels, uint64_t delta)
{
    (void)ctx;
    (void)name;
    (void)labels;
    (void)n_labels;
    (void)delta;
}

static const muster_balancer_host host = {
    .struct_size = (uint32_t)sizeof host,
    .now_ns = now_ns,
    .random = draw,
    .call_later = call_later,
    .cancel = cancel,
    .republish = ignore,
    .set_ejected = set_ejected,
    .request_resolution = ignore,
    .child_create = child_create,
    .child_update = child_update,
    .child_want = child_want,
    .child_build = child_build,
    .child_pick = child_pick,
    .child_done = child_done,
    .child_table_destroy = child_table_destroy,
    .child_destroy = child_destroy,
    .log = say,
    .count = count,
    .include_unfit = ignore,
};

/* ---- instances ---- */

static void create_states(bare_policy *of)
{
    of->state_size = (of->class_->state_size + 63u) / 64 * 64;
    if (of->state_size == 0) {
        return;
    }
    of->states = aligned_alloc(64, of->n * of->state_size);
    if (of->states == NULL) {
        abort();
    }
    memset(of->states, 0, of->n * of->state_size);
}

static bare_policy *instance(const muster_balancer_class *class_,
                             const char *config, uint32_t n, muster_error *err)
{
    bare_policy *of = calloc(1, sizeof *of);
    muster_balancer_env env = {.struct_size = (uint32_t)sizeof env,
                               .host = &host,
                               .ctx = of,
                               .config_json = config};

    if (of == NULL) {
        abort();
    }
    of->class_ = class_;
    of->n = n;
    create_states(of);
    if (class_->create(&env, &of->self, err) != MUSTER_OK) {
        free(of->states);
        free(of);
        return NULL;
    }
    return of;
}

/* ---- the one with endpoints ---- */

static void create_backends(bare_policy *of)
{
    of->backends = calloc(of->n, sizeof *of->backends);
    of->endpoints = calloc(of->n, sizeof *of->endpoints);
    of->addresses = calloc(of->n, sizeof *of->addresses);
    if (of->backends == NULL || of->endpoints == NULL ||
        of->addresses == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < of->n; i++) {
        (void)snprintf(of->addresses[i], sizeof of->addresses[i],
                       "10.%u.%u.%u:80", i >> 16 & 255, i >> 8 & 255, i & 255);
        of->endpoints[i].address = of->addresses[i];
        of->endpoints[i].weight = 1;
        of->backends[i] =
            (muster_backend){.id = i + 1,
                             .endpoint = &of->endpoints[i],
                             .endpoint_size = sizeof of->endpoints[i],
                             .state = bare_policy_state(of, i),
                             .connectivity = MUSTER_READY};
    }
}

static void tell(bare_policy *of)
{
    const muster_balancer_update update = {(uint32_t)sizeof update,
                                           (uint32_t)sizeof *of->backends,
                                           of->backends, of->n};
    const muster_build_args args = {(uint32_t)sizeof args,
                                    (uint32_t)sizeof *of->backends,
                                    of->backends, of->n};
    muster_error err = {.code = MUSTER_OK};

    if (of->class_->update != NULL) {
        of->class_->update(of->self, &update);
    }
    if (of->class_->build != NULL &&
        of->class_->build(of->self, &args, &of->table, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "%s: %s\n", of->class_->name, err.message);
        exit(EXIT_FAILURE);
    }
}

bare_policy *bare_policy_create(const muster_balancer_class *class_,
                                const char *config, uint32_t n)
{
    muster_error err = {.code = MUSTER_OK};
    bare_policy *of = instance(class_, config, n, &err);

    if (of == NULL) {
        (void)fprintf(stderr, "%s: %s\n", class_->name, err.message);
        exit(EXIT_FAILURE);
    }
    create_backends(of);
    tell(of);
    return of;
}

void bare_policy_destroy(bare_policy *of)
{
    if (of->table != NULL) {
        of->class_->table_destroy(of->self, of->table);
    }
    free(of->backends);
    free(of->endpoints);
    free(of->addresses);
    instance_destroy(of);
}
