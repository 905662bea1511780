/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that serves names: what the name is says what it does. It is alone
 * in its folder, so that only those tests have a scheme dns that want one. */
#include <muster/plugin.h>

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

typedef struct names {
    const muster_resolver_env *env;
} names;

static char loaded_by[16];
static const muster_plugin_host *host;
static void *host_ctx;
static unsigned n_instances;

__attribute__((constructor)) static void note_the_thread(void)
{
    (void)prctl(PR_GET_NAME, loaded_by, 0, 0, 0);
}

static void say(const char *what, const char *of)
{
    char line[128];

    (void)snprintf(line, sizeof line, "%s %s", what, of);
    host->log(host_ctx, MUSTER_LOG_DEBUG, line);
}

static muster_status plugin_init(const muster_plugin_host *given, void *ctx,
                                 void **ret_shared, muster_error *err)
{
    (void)ret_shared;
    (void)err;
    host = given;
    host_ctx = ctx;
    say("loaded by", loaded_by);
    return MUSTER_OK;
}

static void plugin_fini(void *shared)
{
    (void)shared;
    say("ended", n_instances == 0 ? "empty" : "in use");
}

static muster_status names_create(const muster_resolver_env *env,
                                  void **ret_self, muster_error *err)
{
    names *self;

    if (strcmp(env->path, "refused.test") == 0) {
        return muster_error_set(err, MUSTER_PERMISSION, "as the name says");
    }
    self = malloc(sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "names: out of memory");
    }
    self->env = env;
    n_instances++;
    *ret_self = self;
    return MUSTER_OK;
}

static void report_one(const names *self, const char *address)
{
    const muster_endpoint endpoint = {.address = address};

    (void)muster_report(self->env, &endpoint, 1);
}

static void report_many(const names *self)
{
    static const char *const more[] = {"[2001:db8::1]:443",
                                       "unix:/run/of-no-use"};
    const muster_endpoint endpoints[] = {
        {.address = "10.0.0.1:443",
         .more_addresses = more,
         .n_more_addresses = 2},
        {.address = "[fe80::1%lo]:443"},
    };

    (void)muster_report(self->env, endpoints, 2);
}

static void on_address(void *arg, muster_status status,
                       const char *const *addresses, size_t n)
{
    char address[64];

    if (status != MUSTER_OK || n != 1) {
        muster_fail(((names *)arg)->env, status, "no single address");
        return;
    }
    (void)snprintf(address, sizeof address, "%s:443", addresses[0]);
    report_one(arg, address);
}

static void names_start(void *arg)
{
    const names *self = arg;
    const char *name = self->env->path;

    say("started", name);
    if (strcmp(name, "one.test") == 0) {
        report_one(self, "10.0.0.1:443");
    } else if (strcmp(name, "many.test") == 0) {
        report_many(self);
    } else if (strcmp(name, "/odd name?%#") == 0) {
        report_one(self, "10.0.0.9:443");
    } else if (strcmp(name, "empty.test") == 0) {
        (void)muster_report(self->env, &(muster_endpoint){.address = ""}, 0);
    } else if (strcmp(name, "local.test") == 0) {
        report_one(self, "unix:/run/of-no-use");
    } else if (strcmp(name, "failing.test") == 0) {
        muster_fail(self->env, MUSTER_PROTOCOL, "as the name says");
    } else if (strcmp(name, "asking.test") == 0) {
        (void)host->resolve(host_ctx, "one.test", on_address, arg);
    }
}

static void say_stopped(void *arg)
{
    const names *self = arg;

    self->env->host->stopped(self->env->ctx);
}

/* Not at once: whoever ends muster has to wait for it. */
static void names_stop(void *arg)
{
    const names *self = arg;

    (void)muster_call_later(self->env, 20, say_stopped, arg);
}

static void names_free(void *arg)
{
    n_instances--;
    free(arg);
}

static const muster_resolver_class names_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "dns",
    .create = names_create,
    .start = names_start,
    .stop = names_stop,
    .free = names_free,
};
static const muster_resolver_class *const classes[] = {&names_class};

MUSTER_PLUGIN(names, "names\0resolver:dns\0", .version = "1",
              .resolvers = classes, .n_resolvers = 1, .init = plugin_init,
              .fini = plugin_fini);
