/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of resolvers that a test drives. */
#include "drill.h"

#include <muster/call.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "registry.h"
#include "thread.h"

#define PATIENCE_MS 20000u
#define ENDPOINTS_MAX 16

drill_state drill = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- waiting ---- */

void drill_lock(void)
{
    pthread_mutex_lock(&drill.mutex);
}

void drill_unlock(void)
{
    pthread_cond_broadcast(&drill.changed);
    pthread_mutex_unlock(&drill.mutex);
}

void drill_wait_locked(const char *condition)
{
    if (muster__cond_wait_until(&drill.changed, &drill.mutex,
                                muster__deadline_ns(PATIENCE_MS)) ==
        ETIMEDOUT) {
        (void)fprintf(stderr, "waited in vain for: %s\n", condition);
        abort();
    }
}

void drill_call(void (*fn)(void *arg), void *arg)
{
    if (muster__loop_call(fn, arg, MUSTER_FOREVER) != MUSTER_OK) {
        abort();
    }
}

static void do_nothing(void *arg)
{
    (void)arg;
}

void drill_settle(void)
{
    for (int i = 0; i < 4; i++) {
        drill_call(do_nothing, NULL);
    }
}

/* ---- the resolver ---- */

typedef struct instance {
    const muster_resolver_env *env;
} instance;

static void enter(void)
{
    drill_lock();
    drill.was_entered_twice |= drill.n_inside > 0;
    drill.n_inside++;
    if (muster__loop_is_current()) {
        drill.was_on_control = true;
    } else {
        drill.was_off_control = true;
    }
    drill_unlock();
}

static void leave(unsigned *counter)
{
    drill_lock();
    drill.n_inside--;
    (*counter)++;
    drill_unlock();
}

static void run_hook(void (*hook)(const muster_resolver_env *env),
                     const muster_resolver_env *env)
{
    if (hook != NULL) {
        hook(env);
    }
}

static bool should_create(const muster_resolver_env *env)
{
    bool should = true;

    drill_lock();
    while (drill.blocks_create) {
        drill_wait_locked("create may go on");
    }
    if (drill.n_creates_to_fail > 0) {
        drill.n_creates_to_fail--;
        should = false;
    } else {
        drill.env = env;
    }
    drill_unlock();
    return should;
}

static muster_status create_instance(const muster_resolver_env *env,
                                     void **ret_self, muster_error *err)
{
    instance *self;

    enter();
    if (!should_create(env)) {
        leave(&drill.n_creates);
        return muster_error_set(err, MUSTER_INVAL,
                                "the drill was told to fail");
    }
    self = calloc(1, sizeof *self);
    if (self == NULL) {
        abort();
    }
    self->env = env;
    run_hook(drill.in_create, env);
    *ret_self = self;
    leave(&drill.n_creates);
    return MUSTER_OK;
}

static void start_instance(void *self)
{
    enter();
    run_hook(drill.in_start, ((instance *)self)->env);
    leave(&drill.n_starts);
}

static void refresh_instance(void *self)
{
    enter();
    run_hook(drill.in_refresh, ((instance *)self)->env);
    drill_lock();
    drill.refreshed_ms[drill.n_refreshes % 64] = muster__now_ms();
    drill_unlock();
    leave(&drill.n_refreshes);
}

static void applied_instance(void *self, uint64_t sequence,
                             muster_status status)
{
    (void)self;
    enter();
    drill_lock();
    drill.applied_sequence = sequence;
    drill.applied_status = status;
    drill_unlock();
    leave(&drill.n_applied);
}

static void *say_stopped(void *arg)
{
    const muster_resolver_env *env = arg;

    env->host->stopped(env->ctx);
    return NULL;
}

static void stop_instance(void *self)
{
    const muster_resolver_env *env = ((instance *)self)->env;
    pthread_t thread;

    enter();
    switch (drill.stop) {
    case STOPS_TWICE:
        env->host->stopped(env->ctx);
        env->host->stopped(env->ctx);
        break;
    case STOPS_AT_ONCE:
        env->host->stopped(env->ctx);
        break;
    case STOPS_ON_ANOTHER_THREAD:
        if (pthread_create(&thread, NULL, say_stopped, (void *)env) != 0 ||
            pthread_detach(thread) != 0) {
            abort();
        }
        break;
    case STOPS_NEVER:
        break;
    }
    leave(&drill.n_stops);
}

static void free_instance(void *self)
{
    enter();
    free(self);
    leave(&drill.n_frees);
}

static const muster_option_info options[] = {{"name", "tells two apart"}};

static const muster_resolver_class ordinary_class = {
    .struct_size = sizeof(muster_resolver_class),
    .scheme = "drill",
    .options = options,
    .n_options = 1,
    .cooldown_ms = 50,
    .create = create_instance,
    .start = start_instance,
    .refresh = refresh_instance,
    .applied = applied_instance,
    .stop = stop_instance,
    .free = free_instance,
};

static const muster_resolver_class mute_class = {
    .struct_size = sizeof(muster_resolver_class),
    .scheme = "mute",
    .options = options,
    .n_options = 1,
    .create = create_instance,
    .start = start_instance,
    .free = free_instance,
};

static const muster_resolver_class block_class = {
    .struct_size = sizeof(muster_resolver_class),
    .flags = MUSTER_RESOLVER_MAY_BLOCK,
    .scheme = "block",
    .options = options,
    .n_options = 1,
    .cooldown_ms = 50,
    .create = create_instance,
    .start = start_instance,
    .refresh = refresh_instance,
    .applied = applied_instance,
    .stop = stop_instance,
    .free = free_instance,
};

static const muster_resolver_class *const classes[] = {
    &ordinary_class,
    &mute_class,
    &block_class,
};

static const muster_plugin plugin = {
    .struct_size = sizeof(muster_plugin),
    .abi_major = MUSTER_ABI_MAJOR,
    .abi_minor = MUSTER_ABI_MINOR,
    .name = "drill",
    .version = "1",
    .resolvers = classes,
    .n_resolvers = 3,
};

static const muster_plugin *plugin_entry(void)
{
    return &plugin;
}

/* ---- the drill as a whole ---- */

void drill_open(void)
{
    muster_error error;

    if (muster__cond_init(&drill.changed) != MUSTER_OK ||
        muster_plugin_register(plugin_entry, &error) != MUSTER_OK ||
        muster__loop_acquire(&error) != MUSTER_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
        abort();
    }
}

static void check_count(void *arg)
{
    (void)arg;
    if (muster__resolution_count() != 0) {
        (void)fputs("a resolution is left\n", stderr);
        abort();
    }
}

void drill_close(void)
{
    drill_call(check_count, NULL);
    muster__loop_release();
    if (muster__loop_stop(muster__registry_fini) != MUSTER_OK) {
        (void)fputs("the loop is still in use\n", stderr);
        abort();
    }
}

/* ---- reports ---- */

typedef struct port_list {
    char addresses[ENDPOINTS_MAX][32];
    muster_endpoint endpoints[ENDPOINTS_MAX];
    size_t n;
} port_list;

static void read_ports(const char *ports, port_list *ret_list)
{
    memset(ret_list, 0, sizeof *ret_list);
    while (ports != NULL && *ports != '\0' && ret_list->n < ENDPOINTS_MAX) {
        size_t i = ret_list->n++;

        (void)snprintf(ret_list->addresses[i], sizeof ret_list->addresses[i],
                       "10.0.0.1:%ld", strtol(ports, (char **)&ports, 10));
        ret_list->endpoints[i].address = ret_list->addresses[i];
        if (*ports == ',') {
            ports++;
        }
    }
}

static const muster_resolver_env *newest_env(void)
{
    const muster_resolver_env *env;

    drill_lock();
    env = drill.env;
    drill_unlock();
    return env;
}

muster_status drill_report_flags(const char *ports, uint32_t flags,
                                 const char *service_config)
{
    const muster_resolver_env *env = newest_env();
    port_list list;
    muster_update update = {.struct_size = sizeof update,
                            .endpoint_size = sizeof(muster_endpoint),
                            .flags = flags,
                            .service_config = service_config};

    read_ports(ports, &list);
    update.endpoints = list.endpoints;
    update.n_endpoints = list.n;
    return env->host->report(env->ctx, &update, NULL);
}

muster_status drill_report(const char *ports)
{
    return drill_report_flags(ports, 0, NULL);
}

muster_status drill_delta(const char *upserted, const char *removed)
{
    const muster_resolver_env *env = newest_env();
    port_list added;
    port_list gone;
    muster_delta delta = {.struct_size = sizeof delta,
                          .endpoint_size = sizeof(muster_endpoint)};

    read_ports(upserted, &added);
    read_ports(removed, &gone);
    delta.upserted = added.endpoints;
    delta.n_upserted = added.n;
    delta.removed = gone.endpoints;
    delta.n_removed = gone.n;
    return env->host->report_delta(env->ctx, &delta, NULL);
}

void drill_fail(muster_status code, const char *message)
{
    muster_fail(newest_env(), code, message);
}

static void report_ports(void *arg)
{
    if (drill_report(arg) != MUSTER_OK) {
        abort();
    }
}

void drill_report_on_control(const char *ports)
{
    drill_call(report_ports, (void *)ports);
}
