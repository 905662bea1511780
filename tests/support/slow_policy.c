/* SPDX-License-Identifier: Apache-2.0 */
/* A policy whose tables take a moment to build. */
#include "slow_policy.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <muster/plugin.h>

enum { MAX_BUILD_US = 500 };

static atomic_uint n_building;
static atomic_uint n_builds;
static atomic_uint next;

bool slow_policy_is_building(void)
{
    return atomic_load(&n_building) > 0;
}

static muster_status slow_create(const muster_balancer_env *env,
                                 void **ret_self, muster_error *err)
{
    (void)env;
    (void)err;
    *ret_self = &n_builds; /* there is nothing to keep */
    return MUSTER_OK;
}

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Each takes another time: by the clock, as a yield may take any on a busy
 * machine, and who closes the channel waits for it. */
static muster_status slow_build(void *self, const muster_build_args *args,
                                void **ret_table, muster_error *err)
{
    const uint64_t end_us =
        now_us() + atomic_fetch_add(&n_builds, 1) * 97 % MAX_BUILD_US;

    (void)args;
    (void)err;
    atomic_fetch_add(&n_building, 1);
    while (now_us() < end_us) {
        (void)sched_yield();
    }
    *ret_table = self;
    atomic_fetch_sub(&n_building, 1);
    return MUSTER_OK;
}

static muster_verdict slow_pick(void *self, void *table,
                                const muster_pick_args *args,
                                muster_pick_result *result)
{
    (void)self;
    (void)table;
    result->index = atomic_fetch_add(&next, 1) % args->n_ready;
    return MUSTER_PICK_INDEX;
}

static void slow_table_destroy(void *self, void *table)
{
    (void)self;
    (void)table;
}

static void slow_destroy(void *self)
{
    (void)self;
}

static const muster_balancer_class slow_class = {
    .struct_size = sizeof slow_class,
    .name = "slow",
    .create = slow_create,
    .build = slow_build,
    .pick = slow_pick,
    .table_destroy = slow_table_destroy,
    .destroy = slow_destroy,
};

static const muster_plugin *slow_entry(void)
{
    static const muster_balancer_class *const classes[] = {&slow_class};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "slow",
        .version = "test",
        .balancers = classes,
        .n_balancers = 1,
    };

    return &plugin;
}

static void register_once(void)
{
    muster_error err;

    if (muster_plugin_register(slow_entry, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "slow: %s\n", err.message);
        abort();
    }
}

void slow_policy_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_once);
}
