/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver whose lists the test writes. */
#include "script_resolver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <muster/plugin.h>

typedef struct script {
    struct script *next;
    const muster_resolver_env *env;
    unsigned n_refreshes;
} script;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards scripts */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static script *scripts;

static muster_status script_create(const muster_resolver_env *env,
                                   void **ret_self, muster_error *err)
{
    script *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "out of memory");
    }
    self->env = env;
    *ret_self = self;
    return MUSTER_OK;
}

static void script_start(void *self)
{
    script *added = self;

    pthread_mutex_lock(&lock);
    added->next = scripts;
    scripts = added;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void script_refresh(void *self)
{
    pthread_mutex_lock(&lock);
    ((script *)self)->n_refreshes++;
    pthread_mutex_unlock(&lock);
}

static void script_stop(void *self)
{
    script **at = &scripts;

    pthread_mutex_lock(&lock);
    while (*at != self) {
        at = &(*at)->next;
    }
    *at = (*at)->next;
    pthread_mutex_unlock(&lock);
    const muster_resolver_env *env = ((script *)self)->env;
    env->host->stopped(env->ctx);
}

/* "NAME.script"; one that is called "nameless" has none. */
static muster_status script_authority(const char *path, char *buffer,
                                      size_t size)
{
    if (strcmp(path, "nameless") == 0) {
        return MUSTER_NOTFOUND;
    }
    (void)snprintf(buffer, size, "%s.script", path);
    return MUSTER_OK;
}

static const muster_resolver_class script_class = {
    .struct_size = sizeof script_class,
    .scheme = "script",
    .cooldown_ms = 1,
    .create = script_create,
    .start = script_start,
    .refresh = script_refresh,
    .stop = script_stop,
    .free = free,
    .authority = script_authority,
};

static const muster_plugin *script_entry(void)
{
    static const muster_resolver_class *const classes[] = {&script_class};
    static const muster_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_major = MUSTER_ABI_MAJOR,
        .abi_minor = MUSTER_ABI_MINOR,
        .name = "script",
        .version = "test",
        .resolvers = classes,
        .n_resolvers = 1,
    };

    return &plugin;
}

static void register_once(void)
{
    muster_error err;

    if (muster_plugin_register(script_entry, &err) != MUSTER_OK) {
        (void)fprintf(stderr, "script: %s\n", err.message);
        abort();
    }
}

void script_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, register_once);
}

static script *find_locked(const char *name)
{
    script *found = scripts;

    while (found != NULL && strcmp(found->env->path, name) != 0) {
        found = found->next;
    }
    return found;
}

/* The lock is held on return, so that the instance stays. */
static const muster_resolver_env *await_locked(const char *name)
{
    script *found;

    pthread_mutex_lock(&lock);
    while ((found = find_locked(name)) == NULL) {
        pthread_cond_wait(&changed, &lock);
    }
    return found->env;
}

void script_report(const char *name, const muster_endpoint *endpoints, size_t n)
{
    const muster_resolver_env *env = await_locked(name);

    (void)muster_report(env, endpoints, n);
    pthread_mutex_unlock(&lock);
}

void script_report_addresses(const char *name, const char *const *addresses,
                             size_t n)
{
    muster_endpoint *endpoints = calloc(n + 1, sizeof *endpoints);

    for (size_t i = 0; i < n; i++) {
        endpoints[i].address = addresses[i];
    }
    script_report(name, endpoints, n);
    free(endpoints);
}

void script_report_config(const char *name, const muster_endpoint *endpoints,
                          size_t n, const char *service_config)
{
    const muster_resolver_env *env = await_locked(name);
    const muster_update update = {
        .struct_size = sizeof update,
        .endpoint_size = sizeof(muster_endpoint),
        .endpoints = endpoints,
        .n_endpoints = n,
        .service_config = service_config,
    };

    (void)env->host->report(env->ctx, &update, NULL);
    pthread_mutex_unlock(&lock);
}

void script_report_delta(const char *name, const muster_endpoint *upserted,
                         size_t n_upserted, const muster_endpoint *removed,
                         size_t n_removed)
{
    const muster_resolver_env *env = await_locked(name);
    const muster_delta delta = {
        .struct_size = sizeof delta,
        .endpoint_size = sizeof(muster_endpoint),
        .upserted = upserted,
        .n_upserted = n_upserted,
        .removed = removed,
        .n_removed = n_removed,
    };

    (void)env->host->report_delta(env->ctx, &delta, NULL);
    pthread_mutex_unlock(&lock);
}

void script_fail(const char *name, muster_status status, const char *message)
{
    const muster_resolver_env *env = await_locked(name);

    muster_fail(env, status, message);
    pthread_mutex_unlock(&lock);
}

unsigned script_refreshes(const char *name)
{
    pthread_mutex_lock(&lock);
    script *found = find_locked(name);
    unsigned n = found == NULL ? 0 : found->n_refreshes;
    pthread_mutex_unlock(&lock);
    return n;
}

unsigned script_instances(const char *name)
{
    unsigned n = 0;

    pthread_mutex_lock(&lock);
    for (script *s = scripts; s != NULL; s = s->next) {
        n += strcmp(s->env->path, name) == 0;
    }
    pthread_mutex_unlock(&lock);
    return n;
}
