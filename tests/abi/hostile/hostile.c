/* SPDX-License-Identifier: Apache-2.0 */
/* A resolver that does what it must not. The target's path says what: each
 * start function does one thing, then logs "did NAME". */
#include <muster/plugin.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hang.h"

typedef struct hostile {
    const muster_resolver_env *env;
    pthread_t thread;
    int has_thread;
} hostile;

static int is(const hostile *self, const char *behaviour)
{
    return strcmp(self->env->path, behaviour) == 0;
}

/* Tells the test how the core answered. */
static void tell(const hostile *self, const char *what, int status)
{
    char line[128];

    (void)snprintf(line, sizeof line, "%s answered %d", what, status);
    self->env->host->log(self->env->ctx, MUSTER_LOG_INFO, line);
}

static muster_update one_endpoint(const muster_endpoint *endpoint)
{
    muster_update update;

    memset(&update, 0, sizeof update);
    update.struct_size = (uint32_t)sizeof update;
    update.endpoint_size = (uint32_t)sizeof *endpoint;
    update.endpoints = endpoint;
    update.n_endpoints = 1;
    return update;
}

static void report(const hostile *self, const muster_update *update)
{
    tell(self, "report",
         (int)self->env->host->report(self->env->ctx, update, NULL));
}

static void report_good(const hostile *self)
{
    const muster_endpoint endpoint = {.address = "127.0.0.1:1"};
    const muster_update update = one_endpoint(&endpoint);

    report(self, &update);
}

/* ---- what it reports ---- */

static void report_twice(hostile *self)
{
    report_good(self);
    report_good(self);
}

static void report_now(void *arg)
{
    const hostile *self = arg;

    report_good(self);
}

static void report_late(hostile *self)
{
    (void)muster_call_later(self->env, 20, report_now, self);
}

static void report_null_array(hostile *self)
{
    muster_update update = one_endpoint(NULL);

    update.n_endpoints = 3;
    report(self, &update);
    report(self, NULL);
}

static void report_wrong_sizes(hostile *self)
{
    const muster_endpoint endpoint = {.address = "127.0.0.1:1"};
    muster_update update = one_endpoint(&endpoint);

    update.struct_size = 0;
    report(self, &update);
    update = one_endpoint(&endpoint);
    update.endpoint_size = 0;
    report(self, &update);
    update.endpoint_size = 7;
    report(self, &update);
}

static void report_countless(hostile *self)
{
    const muster_endpoint endpoint = {.address = "127.0.0.1:1"};
    muster_update update = one_endpoint(&endpoint);

    update.n_endpoints = SIZE_MAX;
    report(self, &update);
    update.n_endpoints = SIZE_MAX / sizeof endpoint;
    report(self, &update);
}

static void report_malformed(hostile *self)
{
    static const char *const addresses[] = {NULL,           "",
                                            "10.0.0.1",     "10.0.0.1:",
                                            "10.0.0.1:0x1", "host:1",
                                            "10.0.0.1:1 ",  "10.0.0.1:65536",
                                            "[::1]",        "[::1:1",
                                            "10.0.0:1:2",   "unix:",
                                            "\xff\xfe:1",   "10.0.0.1:-1",
                                            ":1",           "[zz]:1"};

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        const muster_endpoint endpoint = {.address = addresses[i]};
        const muster_update update = one_endpoint(&endpoint);

        report(self, &update);
    }
}

static void report_null_members(hostile *self)
{
    static const char *const none[] = {NULL, NULL};
    static const muster_attribute attributes[] = {{NULL, NULL}};
    const muster_endpoint wrong[] = {
        {.address = "127.0.0.1:1", .n_more_addresses = 2},
        {.address = "127.0.0.1:1",
         .more_addresses = none,
         .n_more_addresses = 2},
        {.address = "127.0.0.1:1", .n_attributes = 1},
        {.address = "127.0.0.1:1", .attributes = attributes, .n_attributes = 1},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const muster_update update = one_endpoint(&wrong[i]);

        report(self, &update);
    }
}

static void report_duplicates(hostile *self)
{
    const muster_endpoint endpoints[] = {{.address = "127.0.0.1:1"},
                                         {.address = "127.0.0.1:1"},
                                         {.address = "127.0.0.1:1"}};
    muster_update update = one_endpoint(endpoints);

    update.n_endpoints = 3;
    report(self, &update);
}

enum { A_MILLION = 1000000 };

static void report_million(hostile *self)
{
    muster_endpoint *endpoints = calloc(A_MILLION, sizeof *endpoints);
    char(*addresses)[24] = calloc(A_MILLION, sizeof *addresses);
    muster_update update = one_endpoint(endpoints);

    for (unsigned i = 0;
         endpoints != NULL && addresses != NULL && i < A_MILLION; i++) {
        (void)snprintf(addresses[i], sizeof addresses[i], "10.%u.%u.%u:1",
                       i >> 16 & 255, i >> 8 & 255, i & 255);
        endpoints[i].address = addresses[i];
    }
    update.n_endpoints = A_MILLION;
    report(self, &update);
    free(addresses);
    free(endpoints);
}

static void report_wrong_deltas(hostile *self)
{
    const muster_endpoint endpoint = {.address = "host:1"};
    muster_delta delta;

    memset(&delta, 0, sizeof delta);
    tell(self, "delta",
         (int)self->env->host->report_delta(self->env->ctx, &delta, NULL));
    delta.struct_size = (uint32_t)sizeof delta;
    delta.endpoint_size = (uint32_t)sizeof endpoint;
    delta.n_removed = 2;
    tell(self, "delta",
         (int)self->env->host->report_delta(self->env->ctx, &delta, NULL));
    delta.n_removed = 0;
    delta.upserted = &endpoint;
    delta.n_upserted = 1;
    tell(self, "delta",
         (int)self->env->host->report_delta(self->env->ctx, &delta, NULL));
    tell(self, "delta",
         (int)self->env->host->report_delta(self->env->ctx, NULL, NULL));
}

static void fail_wrongly(hostile *self)
{
    const muster_resolver_host *host = self->env->host;

    host->fail(self->env->ctx, (muster_status)12345, NULL);
    host->fail(self->env->ctx, MUSTER_OK, "no failure");
    host->log(self->env->ctx, (muster_log_level)99, NULL);
}

static void stop_unasked(hostile *self)
{
    self->env->host->stopped(self->env->ctx);
    report_good(self);
}

static void call_nothing(hostile *self)
{
    const muster_resolver_host *host = self->env->host;
    void *ctx = self->env->ctx;

    tell(self, "call_later", (int)host->call_later(ctx, 0, NULL, NULL, NULL));
    tell(self, "post", (int)host->post(ctx, NULL, NULL));
    tell(self, "watch", (int)host->watch(ctx, -1, MUSTER_READABLE, NULL, NULL));
    host->cancel(ctx, 12345);
}

/* ---- what it calls when it must not ---- */

static void on_fd(void *arg, int fd, unsigned events)
{
    (void)arg;
    (void)fd;
    (void)events;
}

static void on_task(void *arg)
{
    (void)arg;
}

static void call_everything(const muster_resolver_env *env)
{
    const muster_resolver_host *host = env->host;
    const muster_endpoint endpoint = {.address = "127.0.0.1:2"};

    (void)muster_report(env, &endpoint, 1);
    host->fail(env->ctx, MUSTER_UNAVAILABLE, "too late");
    (void)host->call_later(env->ctx, 0, on_task, NULL, NULL);
    (void)host->post(env->ctx, on_task, NULL);
    (void)host->watch(env->ctx, 0, MUSTER_READABLE, on_fd, NULL);
    host->cancel(env->ctx, 1);
    host->log(env->ctx, MUSTER_LOG_INFO, "too late");
    (void)host->now_ms(env->ctx);
    (void)host->random(env->ctx);
    host->stopped(env->ctx);
}

static void *call_on_thread(void *arg)
{
    const hostile *self = arg;
    const muster_resolver_host *host = self->env->host;
    void *ctx = self->env->ctx;

    for (int i = 0; i < 100; i++) {
        host->cancel(ctx, 1);
        (void)host->watch(ctx, 0, MUSTER_READABLE, on_fd, NULL);
        (void)host->watch(ctx, 0, 0, NULL, NULL);
        (void)host->call_later(ctx, 0, on_task, NULL, NULL);
        (void)host->post(ctx, on_task, NULL);
    }
    report_good(self);
    return NULL;
}

static void use_thread(hostile *self)
{
    self->has_thread =
        pthread_create(&self->thread, NULL, call_on_thread, self) == 0;
}

/* The env of an instance that was freed; the core's tables stay valid. */
static muster_resolver_env dead;

static void use_dead(hostile *self)
{
    if (dead.host != NULL) {
        call_everything(&dead);
    }
    report_good(self);
}

/* ---- the class ---- */

static const struct {
    const char *name;
    void (*start)(hostile *self);
} behaviours[] = {
    {"twice", report_twice},
    {"late", report_late},
    {"null_array", report_null_array},
    {"wrong_sizes", report_wrong_sizes},
    {"countless", report_countless},
    {"malformed", report_malformed},
    {"null_members", report_null_members},
    {"duplicates", report_duplicates},
    {"million", report_million},
    {"wrong_deltas", report_wrong_deltas},
    {"fail_wrongly", fail_wrongly},
    {"stop_unasked", stop_unasked},
    {"call_nothing", call_nothing},
    {"thread", use_thread},
    {"use_dead", use_dead},
};

static muster_status hostile_create(const muster_resolver_env *env,
                                    void **ret_self, muster_error *err)
{
    hostile *self;

    if (strcmp(env->path, "fail_create") == 0) {
        err->code = MUSTER_OK;
        memset(err->message, 'x', sizeof err->message);
        return (muster_status)12345;
    }
    if (strcmp(env->path, "hang_create") == 0) {
        hang();
    }
    self = calloc(1, sizeof *self);
    if (self == NULL) {
        return muster_error_set(err, MUSTER_NOMEM, "hostile: out of memory");
    }
    self->env = env;
    *ret_self = self;
    return MUSTER_OK;
}

static void hostile_start(void *arg)
{
    hostile *self = arg;

    if (is(self, "hang_start")) {
        hang();
    }
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        if (is(self, behaviours[i].name)) {
            behaviours[i].start(self);
            tell(self, "did", 0);
            return;
        }
    }
    report_good(self);
    tell(self, "did", 0);
}

static void hostile_refresh(void *arg)
{
    if (is(arg, "hang_refresh")) {
        hang();
    }
}

static void hostile_applied(void *arg, uint64_t sequence, muster_status status)
{
    (void)sequence;
    (void)status;
    if (is(arg, "hang_applied")) {
        hang();
    }
}

static void hostile_stop(void *arg)
{
    hostile *self = arg;

    if (is(self, "never_stopped")) {
        return;
    }
    if (is(self, "hang_stop")) {
        hang();
    }
    if (self->has_thread) {
        (void)pthread_join(self->thread, NULL);
    }
    if (is(self, "after_stop")) {
        const muster_resolver_env env = *self->env;

        env.host->stopped(env.ctx);
        call_everything(&env);
        return;
    }
    self->env->host->stopped(self->env->ctx);
}

static void hostile_free(void *arg)
{
    hostile *self = arg;

    if (is(self, "hang_free")) {
        hang();
    }
    dead = *self->env;
    free(self);
}

static muster_status hostile_authority(const char *path, char *buffer,
                                       size_t size)
{
    (void)buffer;
    (void)size;
    if (strcmp(path, "hang_authority") == 0) {
        hang();
    }
    return MUSTER_UNSUPPORTED;
}

static const muster_resolver_class hostile_class = {
    .struct_size = (uint32_t)sizeof(muster_resolver_class),
    .scheme = "hostile",
    .cooldown_ms = 1,
    .create = hostile_create,
    .start = hostile_start,
    .refresh = hostile_refresh,
    .applied = hostile_applied,
    .stop = hostile_stop,
    .free = hostile_free,
    .authority = hostile_authority,
};
static const muster_resolver_class *const classes[] = {&hostile_class};

MUSTER_PLUGIN(hostile, "hostile\0resolver:hostile\0", .resolvers = classes,
              .n_resolvers = 1);
